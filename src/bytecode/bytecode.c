/* Names and fields of bytecode instructions: for those who read bytecode. In a file of its own, since programs
 * that do not show bytecode need not link the names. */
#include "bytecode/bytecode.h"

struct info {
    uint32_t name; /* in names[] */
    uint16_t fields;
};
#include "generated/bytecode/info.inc"

const char *cn_bytecode_name(enum bytecode bytecode) {
    return names + infos[bytecode].name;
}

const struct bytecode_field *cn_bytecode_fields(enum bytecode bytecode) {
    return fields + infos[bytecode].fields;
}

#ifdef CATNAP_ASSERT
unsigned cn_bytecode_flags(enum bytecode bytecode) {
    return flags[bytecode];
}
#endif

int64_t cn_field_value(const uint64_t *pc, enum field_at at) {
    switch (at) {
    case AT_O0:
    case AT_O1:
    case AT_O2:
    case AT_O3: return bc_o(pc, (unsigned)(at - AT_O0));
    case AT_W: return bc_w(pc);
    case AT_X: return (int64_t)pc[2];
    case AT_XLO: return (int32_t)pc[2];
    case AT_XHI: return (int32_t)(pc[2] >> 32);
    case AT_Y: return (int64_t)pc[3];
    case AT_YLO: return (int32_t)pc[3];
    case AT_YHI: return (int32_t)(pc[3] >> 32);
    case AT_NOWHERE: break;
    }
    return 0;
}
