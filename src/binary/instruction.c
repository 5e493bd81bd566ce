#include "binary/instruction.h"

#include "base/bytes.h"
#include "binary/later.h"
#include "binary/walk.h"

static enum code_place place_of(uint8_t prefix) {
    switch (prefix) {
    case 0xFC:
        return PLACE_OPCODE_FC;
    case 0xFD:
        return PLACE_OPCODE_FD;
    case 0xFE:
        return PLACE_OPCODE_FE;
    case 0xFB:
        return PLACE_OPCODE_FB;
    default:
        return PLACE_OPCODE;
    }
}

/* Says why there is no opcode at d->r: the bytes end, or no instruction is known by that code. */
static bool __attribute__((cold)) explain_opcode(struct decoder *d) {
    uint8_t byte;
    uint32_t number, offset = cn_decode_offset(d);
    if (!cn_decode_byte(d, &byte, "instruction"))
        return false;
    if (!cn_prefix(byte).byte)
        return cn_decode_unknown(d, offset, PLACE_OPCODE, byte, "illegal", "opcode 0x%02x", byte);
    return cn_decode_u32(d, &number, "opcode") &&
           cn_decode_unknown(d, offset, place_of(byte), number, "illegal", "opcode 0x%02x %u", byte,
                             number);
}

static bool decode_opcode(struct decoder *d, struct instruction *in) {
    const uint8_t *start = d->r.at;
    in->offset = cn_decode_offset(d);
    if (!cn_read_opcode(&d->r, &in->opcode)) {
        d->r.at = start;
        return explain_opcode(d);
    }
    const struct op_info *info = &cn_op_info[in->opcode];
    return cn_decode_need(d, info->feature, in->offset, cn_op_name(info));
}

/* A byte that must be 0 in modules without the feature that makes it an index. */
static bool decode_zero(struct decoder *d) {
    uint32_t offset = cn_decode_offset(d);
    uint8_t byte;
    if (!cn_decode_byte(d, &byte, "reserved byte"))
        return false;
    if (byte != 0)
        return cn_fail_at(d->error, CATNAP_MALFORMED, offset, "zero byte expected, found 0x%02x",
                          byte);
    return true;
}

static bool decode_index(struct decoder *d, uint32_t *index, catnap_features_t feature,
                         const char *what) {
    const uint8_t *at = d->r.at;
    *index = 0;
    if (!(d->features & feature))
        return decode_zero(d);
    if (!cn_decode_u32(d, index, what))
        return false;
    if (*at != 0)
        cn_decode_note(d, feature);
    return true;
}

static bool decode_memory_index(struct decoder *d, uint32_t *index) {
    return decode_index(d, index, CATNAP_FEATURE_MULTI_MEMORY, "memory index");
}

static bool decode_table_index(struct decoder *d, uint32_t *index) {
    return decode_index(d, index, CATNAP_FEATURE_REFERENCE_TYPES, "table index");
}

static bool decode_block_type(struct decoder *d, struct instruction *in) {
    uint32_t offset = cn_decode_offset(d);
    const uint8_t *at = d->r.at;
    int64_t index;
    valtype type;
    if (at < d->r.end && *at == (BLOCK_EMPTY & 0x7F)) {
        d->r.at++;
        in->value = (uint64_t)BLOCK_EMPTY;
        return true;
    }
    if (at < d->r.end && *at < 0x80 && (*at & 0x40)) { /* negative: a value type */
        if (!cn_decode_valtype(d, &type))
            return false;
        in->value = (uint64_t)block_of_valtype(type);
        return true;
    }
    if (!cn_decode_s33(d, &index, "block type"))
        return false;
    if (index < 0)
        return cn_fail_at(d->error, CATNAP_MALFORMED, offset, "malformed block type");
    in->value = (uint64_t)index;
    return cn_decode_need(d, CATNAP_FEATURE_MULTI_VALUE, offset, "a type index as block type");
}

static bool decode_br_table(struct decoder *d, struct instruction *in) {
    if (!cn_decode_count(d, &in->a, 1, UINT32_MAX, "br_table"))
        return false;
    in->bytes = d->r.at;
    uint32_t label;
    for (uint64_t i = 0; i <= in->a; i++)
        if (!cn_decode_u32(d, &label, "label"))
            return false;
    return true;
}

static bool decode_catch(struct decoder *d) {
    uint32_t offset = cn_decode_offset(d), index;
    uint8_t kind;
    if (!cn_decode_byte(d, &kind, "catch clause"))
        return false;
    if (kind >= CATCH_KINDS)
        return cn_fail_at(d->error, CATNAP_MALFORMED, offset, "malformed catch clause 0x%02x",
                          kind);
    return ((kind & CATCH_ALL) || cn_decode_u32(d, &index, "tag index")) &&
           cn_decode_u32(d, &index, "label");
}

static bool decode_try_table(struct decoder *d, struct instruction *in) {
    if (!decode_block_type(d, in) || !cn_decode_count(d, &in->a, 2, UINT32_MAX, "catch clauses"))
        return false;
    in->bytes = d->r.at;
    for (uint32_t i = 0; i < in->a; i++)
        if (!decode_catch(d))
            return false;
    return true;
}

static bool decode_select(struct decoder *d, struct instruction *in) {
    if (!cn_decode_count(d, &in->a, 1, UINT32_MAX, "select"))
        return false;
    in->b = VT_BOTTOM;
    for (uint32_t i = 0; i < in->a; i++)
        if (!cn_decode_valtype(d, &in->b))
            return false;
    return true;
}

static bool decode_fixed(struct decoder *d, struct instruction *in, size_t size) {
    in->bytes = d->r.at;
    if (!cn_decode_bytes(d, size, cn_op_name(&cn_op_info[in->opcode])))
        return false;
    in->value = size <= 8 ? cn_get_le(in->bytes, (unsigned)size) : 0;
    return true;
}

/* Alignment, the memory's index where a bit of the alignment says so, and offset (section 5.4.6). */
static bool decode_memarg(struct decoder *d, struct instruction *in) {
    uint32_t at = cn_decode_offset(d);
    in->memory = 0;
    if (!cn_decode_u32(d, &in->a, "alignment"))
        return false;
    if (in->a & MEMARG_HAS_MEMORY) {
        in->a &= ~MEMARG_HAS_MEMORY;
        if (!cn_decode_need(d, CATNAP_FEATURE_MULTI_MEMORY, at, "an access with a memory index") ||
            !cn_decode_u32(d, &in->memory, "memory index"))
            return false;
    }
    if (in->a >= (d->features & CATNAP_FEATURE_MULTI_MEMORY ? MEMARG_HAS_MEMORY : 32))
        return cn_fail_at(d->error, CATNAP_MALFORMED, at, "malformed memory flags %u", in->a);
    return cn_decode_width(d, &in->value, "memory offset");
}

static bool decode_lane(struct decoder *d, uint32_t *lane) {
    uint8_t byte;
    if (!cn_decode_byte(d, &byte, "lane index"))
        return false;
    *lane = byte;
    return true;
}

static bool decode_constant(struct decoder *d, struct instruction *in) {
    if (cn_op_info[in->opcode].immediate == IMM_I64) {
        int64_t value;
        if (!cn_decode_s64(d, &value, "i64.const"))
            return false;
        in->value = (uint64_t)value;
        return true;
    }
    int32_t value;
    if (!cn_decode_s32(d, &value, "i32.const"))
        return false;
    in->value = (uint32_t)value;
    return true;
}

/* Label in a; the reference types from and to in value. */
static bool decode_cast(struct decoder *d, struct instruction *in) {
    uint32_t offset = cn_decode_offset(d);
    uint8_t flags;
    valtype from, to;
    if (!cn_decode_byte(d, &flags, "cast flags"))
        return false;
    if (flags & ~(CAST_FROM_NULL | CAST_TO_NULL))
        return cn_fail_at(d->error, CATNAP_MALFORMED, offset, "malformed cast flags 0x%02x", flags);
    if (!cn_decode_u32(d, &in->a, "label") || !cn_decode_heaptype(d, &from) ||
        !cn_decode_heaptype(d, &to))
        return false;
    from |= flags & CAST_FROM_NULL ? 0 : VT_NON_NULL;
    to |= flags & CAST_TO_NULL ? 0 : VT_NON_NULL;
    in->value = (uint64_t)from << 32 | to;
    return true;
}

static bool decode_type_and(struct decoder *d, struct instruction *in, const char *what) {
    return cn_decode_u32(d, &in->a, "type index") && cn_decode_u32(d, &in->b, what);
}

static bool decode_immediates(struct decoder *d, struct instruction *in) {
    switch ((enum immediate)cn_op_info[in->opcode].immediate) {
    case IMM_NONE:
        return true;
    case IMM_BLOCK:
        return decode_block_type(d, in);
    case IMM_BR_TABLE:
        return decode_br_table(d, in);
    case IMM_TRY_TABLE:
        return decode_try_table(d, in);
    case IMM_TAG:
        return cn_decode_u32(d, &in->a, "tag index");
    case IMM_LABEL:
        return cn_decode_u32(d, &in->a, "label");
    case IMM_FUNC:
        return cn_decode_u32(d, &in->a, "function index");
    case IMM_TYPE:
        return cn_decode_u32(d, &in->a, "type index");
    case IMM_LOCAL:
        return cn_decode_u32(d, &in->a, "local index");
    case IMM_GLOBAL:
        return cn_decode_u32(d, &in->a, "global index");
    case IMM_TABLE:
        return cn_decode_u32(d, &in->a, "table index");
    case IMM_DATA:
        return cn_decode_u32(d, &in->a, "data segment index");
    case IMM_ELEM:
        return cn_decode_u32(d, &in->a, "element segment index");
    case IMM_CALL_INDIRECT:
        return cn_decode_u32(d, &in->a, "type index") && decode_table_index(d, &in->b);
    case IMM_SELECT:
        return decode_select(d, in);
    case IMM_HEAP_TYPE:
    case IMM_REF_TYPE:
        return cn_decode_heaptype(d, &in->a);
    case IMM_CAST:
        return decode_cast(d, in);
    case IMM_TYPE_FIELD:
        return decode_type_and(d, in, "field index");
    case IMM_TYPE_COUNT:
        return decode_type_and(d, in, "count");
    case IMM_TYPE_DATA:
        return decode_type_and(d, in, "data segment index");
    case IMM_TYPE_ELEM:
        return decode_type_and(d, in, "element segment index");
    case IMM_TYPE_TYPE:
        return decode_type_and(d, in, "type index");
    case IMM_MEMORY:
        return decode_memory_index(d, &in->a);
    case IMM_MEMORY_INIT:
        return cn_decode_u32(d, &in->a, "data segment index") && decode_memory_index(d, &in->b);
    case IMM_MEMORY_COPY:
        return decode_memory_index(d, &in->a) && decode_memory_index(d, &in->b);
    case IMM_TABLE_INIT:
        return cn_decode_u32(d, &in->a, "element segment index") && decode_table_index(d, &in->b);
    case IMM_TABLE_COPY:
        return decode_table_index(d, &in->a) && decode_table_index(d, &in->b);
    case IMM_I32:
    case IMM_I64:
        return decode_constant(d, in);
    case IMM_F32:
        return decode_fixed(d, in, 4);
    case IMM_F64:
        return decode_fixed(d, in, 8);
    case IMM_V128:
    case IMM_SHUFFLE:
        return decode_fixed(d, in, 16);
    CASES_LANE:
        return decode_lane(d, &in->a);
    CASES_MEMARG:
        return decode_memarg(d, in) &&
               (cn_immediate_shapes[cn_op_info[in->opcode].immediate].lanes == 0 ||
                decode_lane(d, &in->b));
    case IMM_ZERO:
        return decode_zero(d);
    }
    return false; /* no such kind: the table has none but those above */
}

bool cn_decode_instruction(struct decoder *d, struct instruction *in) {
    return decode_opcode(d, in) && decode_immediates(d, in);
}
