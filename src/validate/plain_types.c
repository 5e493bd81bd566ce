/* Types of plain instructions, see plain_types.h. */
#include "validate/plain_types.h"

/* The count of a copy is an address into both. */
static valtype narrower(valtype a, valtype b) {
    return a == VT_I64 && b == VT_I64 ? VT_I64 : VT_I32;
}

static void put_copy(struct plain_types *types, valtype to, valtype from) {
    types->operands[0] = to;
    types->operands[1] = from;
    types->operands[2] = narrower(to, from);
}

/* memory.size, memory.grow, memory.fill: all is an address or a size but the byte to fill with. */
static void put_memory(struct plain_types *types, valtype address) {
    types->operands[0] = types->operands[2] = types->result = address;
}

static void put_addresses(const struct module *m, enum immediate immediate, uint32_t first,
                          uint32_t second, struct plain_types *types) {
#define MEMORY(index) limits_address(&m->memories[index].limits)
#define TABLE(index) limits_address(&m->tables[index].limits)
    switch (immediate) {
    case IMM_MEMORY:
        put_memory(types, MEMORY(first));
        break;
    case IMM_MEMORY_COPY:
        put_copy(types, MEMORY(first), MEMORY(second));
        break;
    case IMM_MEMORY_INIT:
        types->operands[0] = MEMORY(second);
        break;
    case IMM_TABLE:
        types->result = TABLE(first);
        break;
    case IMM_TABLE_COPY:
        put_copy(types, TABLE(first), TABLE(second));
        break;
    case IMM_TABLE_INIT:
        types->operands[0] = TABLE(second);
        break;
    CASES_MEMARG:
        types->operands[0] = MEMORY(first);
        break;
    case IMM_NONE: /* no addresses */
    case IMM_ZERO:
    case IMM_DATA:
    case IMM_ELEM:
    case IMM_I32:
    case IMM_I64:
    case IMM_F32:
    case IMM_F64:
    case IMM_V128:
    case IMM_SHUFFLE:
    CASES_LANE:
    CASES_NOT_PLAIN:
        break;
    }
#undef MEMORY
#undef TABLE
}

struct plain_types cn_plain_types(const struct module *m, const struct op_info *info,
                                  uint32_t first, uint32_t second) {
    struct plain_types types = {
        {info->operands[0], info->operands[1], info->operands[2], info->operands[3]}, info->result};
    if (m->has_64)
        put_addresses(m, (enum immediate)info->immediate, first, second, &types);
    /* The address types go only where the instruction has an operand or a result. */
    for (uint32_t i = info->operand_count; i < 4; i++)
        types.operands[i] = OPT__;
    if (info->result == OPT_NOTHING)
        types.result = OPT_NOTHING;
    return types;
}
