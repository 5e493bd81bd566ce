#include "binary/walk.h"

#include "binary/module.h"

#define NUMBERS(n) {.numbers = (n)}
#define BYTES(n) {.bytes = (n)}
#define LANE(lanes_) {.bytes = 1, .lanes = (lanes_)}
#define MEMARG(n) {.memarg = true, .alignment = (n)}
#define MEMARG_LANE(n) {.memarg = true, .alignment = (n), .bytes = 1, .lanes = 16 >> (n)}
#define EXACT(n) {.memarg = true, .alignment = (n), .exact = true}
#define TYPE {.types = 1}
#define COUNTED_TYPES {.counted_types = true}

const struct immediate_shape cn_immediate_shapes[] = {
    [IMM_NONE] = {0},
    [IMM_BLOCK] = TYPE,
    [IMM_LABEL] = NUMBERS(1),
    [IMM_TAG] = NUMBERS(1),
    [IMM_TRY_TABLE] = {.types = 1, .catches = true},
    [IMM_BR_TABLE] = {.numbers = 1, .counted = true}, /* behind the others: the default label */
    [IMM_FUNC] = NUMBERS(1),
    [IMM_TYPE] = NUMBERS(1),
    [IMM_CALL_INDIRECT] = NUMBERS(2),
    [IMM_SELECT] = COUNTED_TYPES,
    [IMM_HEAP_TYPE] = NUMBERS(1),
    [IMM_REF_TYPE] = NUMBERS(1),
    [IMM_CAST] = NUMBERS(4), /* the flags are less than 0x80 */
    [IMM_TYPE_FIELD] = NUMBERS(2),
    [IMM_TYPE_COUNT] = NUMBERS(2),
    [IMM_TYPE_DATA] = NUMBERS(2),
    [IMM_TYPE_ELEM] = NUMBERS(2),
    [IMM_TYPE_TYPE] = NUMBERS(2),
    [IMM_LOCAL] = NUMBERS(1),
    [IMM_GLOBAL] = NUMBERS(1),
    [IMM_TABLE] = NUMBERS(1),
    [IMM_MEMORY] = NUMBERS(1),
    [IMM_DATA] = NUMBERS(1),
    [IMM_ELEM] = NUMBERS(1),
    [IMM_MEMORY_INIT] = NUMBERS(2),
    [IMM_MEMORY_COPY] = NUMBERS(2),
    [IMM_TABLE_INIT] = NUMBERS(2),
    [IMM_TABLE_COPY] = NUMBERS(2),
    [IMM_I32] = NUMBERS(1),
    [IMM_I64] = NUMBERS(1),
    [IMM_F32] = BYTES(4),
    [IMM_F64] = BYTES(8),
    [IMM_V128] = BYTES(16),
    [IMM_SHUFFLE] = BYTES(16),
    [IMM_LANE16] = LANE(16),
    [IMM_LANE8] = LANE(8),
    [IMM_LANE4] = LANE(4),
    [IMM_LANE2] = LANE(2),
    [IMM_MEM0] = MEMARG(0),
    [IMM_MEM1] = MEMARG(1),
    [IMM_MEM2] = MEMARG(2),
    [IMM_MEM3] = MEMARG(3),
    [IMM_MEM4] = MEMARG(4),
    [IMM_MEM0_LANE] = MEMARG_LANE(0),
    [IMM_MEM1_LANE] = MEMARG_LANE(1),
    [IMM_MEM2_LANE] = MEMARG_LANE(2),
    [IMM_MEM3_LANE] = MEMARG_LANE(3),
    [IMM_ATOMIC0] = EXACT(0),
    [IMM_ATOMIC1] = EXACT(1),
    [IMM_ATOMIC2] = EXACT(2),
    [IMM_ATOMIC3] = EXACT(3),
    [IMM_ZERO] = BYTES(1),
};

valtype cn_heaptype_valid(const struct module *m, const uint8_t **at) {
    if ((**at & 0xC0) == 0x40)
        return *(*at)++;
    uint32_t index = (uint32_t)cn_s64_valid(at);
    CN_ASSERT(index < m->type_count);
    return vt_of(m->types[index], true);
}

valtype cn_long_reftype_valid(const struct module *m, const uint8_t **at) {
    uint32_t non_null = *(*at)++ == CODE_REF ? VT_NON_NULL : 0;
    return cn_heaptype_valid(m, at) | non_null;
}
