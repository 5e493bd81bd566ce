#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "binary/decode.h"
#include "binary/instruction.h"
#include "binary/later.h"

bool cn_decode_fail(struct decoder *d, const char *format, ...) {
    char message[sizeof d->error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return cn_fail_at(d->error, CATNAP_MALFORMED, cn_decode_offset(d), "%s", message);
}

bool cn_decode_need(struct decoder *d, catnap_features_t feature, uint32_t offset,
                    const char *what) {
    if ((d->features & feature) == feature)
        return true;
    return cn_fail_at(d->error, CATNAP_UNSUPPORTED, offset,
                      "%s needs the feature %s, which is switched off", what,
                      cn_feature_name(feature));
}

/* ---- Numbers ---- */

static bool bad_number(struct decoder *d, bool too_long, const char *what) {
    return cn_decode_fail(
        d, too_long ? "%s: integer representation too long or too large" : "%s: unexpected end",
        what);
}

bool cn_decode_byte(struct decoder *d, uint8_t *value, const char *what) {
    *value = 0;
    if (d->r.at == d->r.end)
        return bad_number(d, false, what);
    *value = *d->r.at++;
    return true;
}

bool cn_decode_u32(struct decoder *d, uint32_t *value, const char *what) {
    bool too_long;
    return cn_read_u32(&d->r, value, &too_long) || bad_number(d, too_long, what);
}

bool cn_decode_s32(struct decoder *d, int32_t *value, const char *what) {
    bool too_long;
    return cn_read_s32_slow(&d->r, value, &too_long) || bad_number(d, too_long, what);
}

bool cn_decode_s33(struct decoder *d, int64_t *value, const char *what) {
    bool too_long;
    return cn_read_s33_slow(&d->r, value, &too_long) || bad_number(d, too_long, what);
}

bool cn_decode_s64(struct decoder *d, int64_t *value, const char *what) {
    bool too_long;
    return cn_read_s64_slow(&d->r, value, &too_long) || bad_number(d, too_long, what);
}

bool cn_decode_bytes(struct decoder *d, size_t length, const char *what) {
    if (length > cn_decode_left(d))
        return cn_decode_fail(d, "%s: unexpected end: %zu bytes are needed and %zu are left", what,
                              length, cn_decode_left(d));
    d->r.at += length;
    return true;
}

bool cn_decode_count(struct decoder *d, uint32_t *count, uint32_t item_bytes, uint32_t limit,
                     const char *what) {
    uint32_t offset = cn_decode_offset(d);
    if (!cn_decode_u32(d, count, what))
        return false;
    if (*count > cn_decode_left(d) / item_bytes)
        return cn_fail_at(d->error, CATNAP_MALFORMED, offset,
                          "%s: unexpected end: %u items are declared and %zu bytes are left", what,
                          *count, cn_decode_left(d));
    if (*count > limit)
        return cn_fail_at(d->error, CATNAP_LIMIT, offset,
                          "%s: %u items are more than the limit of %u", what, *count, limit);
    return true;
}

bool cn_decode_name(struct decoder *d, struct span *name, const char *what) {
    uint32_t length;
    if (!cn_decode_u32(d, &length, what))
        return false;
    *name = (struct span){cn_decode_offset(d), length};
    if (!cn_decode_bytes(d, length, what))
        return false;
    if (!cn_utf8_valid(d->base + name->offset, length))
        return cn_fail_at(d->error, CATNAP_MALFORMED, name->offset, "%s: malformed UTF-8 encoding",
                          what);
    return true;
}

/* ---- Types ---- */

bool cn_decode_valtype(struct decoder *d, valtype *type) {
    uint32_t offset = cn_decode_offset(d);
    uint8_t code;
    if (!cn_decode_byte(d, &code, "value type"))
        return false;
    *type = code;
    if (vt_is_num(code))
        return true;
    if (code == VT_V128)
        return cn_decode_need(d, CATNAP_FEATURE_SIMD, offset, "v128");
    if (vt_is_basic(code))
        return cn_decode_need(d, CATNAP_FEATURE_REFERENCE_TYPES, offset, cn_valtype_name(code));
    return cn_decode_unknown(d, offset, PLACE_VALUE_TYPE, code, "malformed", "value type 0x%02x",
                             code);
}

bool cn_decode_reftype(struct decoder *d, valtype *type) {
    uint32_t offset = cn_decode_offset(d);
    uint8_t code;
    if (!cn_decode_byte(d, &code, "reference type"))
        return false;
    *type = code;
    if (code == VT_FUNCREF) /* the element type of tables from the first version on */
        return true;
    if (code == VT_EXTERNREF)
        return cn_decode_need(d, CATNAP_FEATURE_REFERENCE_TYPES, offset, "externref");
    return cn_decode_unknown(d, offset, PLACE_VALUE_TYPE, code, "malformed",
                             "reference type 0x%02x", code);
}

static bool decode_limits(struct decoder *d, struct limits *limits, enum code_place place,
                          const char *what) {
    uint32_t offset = cn_decode_offset(d);
    uint8_t flags;
    uint32_t bound;
    if (!cn_decode_byte(d, &flags, what))
        return false;
    if (flags > 1)
        return cn_decode_unknown(d, offset, place, flags, "malformed", "%s flags 0x%02x", what,
                                 flags);
    if (!cn_decode_u32(d, &bound, what))
        return false;
    *limits = (struct limits){.min = bound, .has_max = flags & 1};
    if (limits->has_max) {
        if (!cn_decode_u32(d, &bound, what))
            return false;
        limits->max = bound;
    }
    return true;
}

bool cn_decode_tabletype(struct decoder *d, struct tabletype *type) {
    const uint8_t *at = d->r.at;
    const char *feature = at < d->r.end ? cn_later_feature(PLACE_TABLE, *at) : NULL;
    if (feature)
        return cn_fail_later(d->error, cn_decode_offset(d), "a table with an initial value",
                             feature);
    return cn_decode_reftype(d, &type->element) &&
           decode_limits(d, &type->limits, PLACE_TABLE_LIMITS, "table limits");
}

bool cn_decode_memorytype(struct decoder *d, struct memorytype *type) {
    return decode_limits(d, &type->limits, PLACE_MEMORY_LIMITS, "memory limits");
}

bool cn_decode_globaltype(struct decoder *d, struct globaltype *type) {
    uint8_t mutability;
    if (!cn_decode_valtype(d, &type->type))
        return false;
    uint32_t offset = cn_decode_offset(d);
    if (!cn_decode_byte(d, &mutability, "global type"))
        return false;
    if (mutability > 1)
        return cn_fail_at(d->error, CATNAP_MALFORMED, offset, "malformed mutability 0x%02x",
                          mutability);
    type->is_mutable = mutability;
    return true;
}

/* ---- Constant expressions ---- */

bool cn_decode_expr(struct decoder *d, struct const_expr *expr) {
    struct instruction in;
    uint32_t start = cn_decode_offset(d), depth = 1;
    while (depth > 0) {
        if (!cn_decode_instruction(d, &in))
            return false;
        if (in.opcode == OP_end)
            depth--;
        else if (cn_op_info[in.opcode].immediate == IMM_BLOCK)
            depth++;
    }
    expr->span = (struct span){start, cn_decode_offset(d) - start};
    return true;
}
