#include "binary/skip.h"

void cn_skip_immediates(const uint8_t **at, enum immediate immediate) {
    switch (immediate) {
    case IMM_NONE:
        break;
    case IMM_BR_TABLE:
        for (uint64_t n = (uint64_t)cn_u32_valid(at) + 1; n > 0; n--)
            cn_u32_valid(at);
        break;
    case IMM_SELECT:
        for (uint32_t n = cn_u32_valid(at); n > 0; n--)
            cn_s64_valid(at);
        break;
    case IMM_CALL_INDIRECT:
    case IMM_MEMORY_INIT:
    case IMM_MEMORY_COPY:
    case IMM_TABLE_INIT:
    case IMM_TABLE_COPY:
        cn_u32_valid(at);
        cn_u32_valid(at);
        break;
    case IMM_F32:
        *at += 4;
        break;
    case IMM_F64:
        *at += 8;
        break;
    case IMM_V128:
    case IMM_SHUFFLE:
        *at += 16;
        break;
    case IMM_LANE16:
    case IMM_LANE8:
    case IMM_LANE4:
    case IMM_LANE2:
        *at += 1;
        break;
    case IMM_MEM0:
    case IMM_MEM1:
    case IMM_MEM2:
    case IMM_MEM3:
    case IMM_MEM4:
        cn_u32_valid(at);
        cn_u64_valid(at);
        break;
    case IMM_MEM0_LANE:
    case IMM_MEM1_LANE:
    case IMM_MEM2_LANE:
    case IMM_MEM3_LANE:
        cn_u32_valid(at);
        cn_u64_valid(at);
        *at += 1;
        break;
    default: /* one LEB128 number, signed or not */
        cn_u64_valid(at);
        break;
    }
}
