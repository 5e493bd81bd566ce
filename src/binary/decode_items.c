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
    catnap_features_t missing = feature & ~d->features;
    if (!missing) {
        cn_decode_note(d, feature);
        return true;
    }
    return cn_fail_at(d->error, CATNAP_UNSUPPORTED, offset,
                      "%s needs the feature %s, which is switched off", what,
                      cn_feature_name(missing & (0 - missing)));
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

bool cn_decode_u64(struct decoder *d, uint64_t *value, const char *what) {
    bool too_long;
    return cn_read_u64_slow(&d->r, value, &too_long) || bad_number(d, too_long, what);
}

bool cn_decode_width(struct decoder *d, uint64_t *value, const char *what) {
    const uint8_t *at = d->r.at;
    uint32_t narrow;
    if (d->features & CATNAP_FEATURE_MEMORY64) {
        if (!cn_decode_u64(d, value, what))
            return false;
        if (*value > UINT32_MAX || d->r.at - at > 5) /* it would not be read as 32 bits */
            cn_decode_note(d, CATNAP_FEATURE_MEMORY64);
        return true;
    }
    bool decoded = cn_decode_u32(d, &narrow, what);
    *value = narrow;
    return decoded;
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

/* The feature that brings an abstract heap type; 0: none that is known. */
static catnap_features_t feature_of_heaptype(uint8_t code) {
    switch (code) {
    case VT_FUNCREF:
    case VT_EXTERNREF:
        return CATNAP_FEATURE_REFERENCE_TYPES;
    case VT_NOFUNCREF:
    case VT_NOEXTERNREF:
        return CATNAP_FEATURE_FUNCTION_REFERENCES;
    case VT_EXNREF:
    case VT_NOEXNREF:
        return CATNAP_FEATURE_EXCEPTIONS;
    case VT_ANYREF:
    case VT_EQREF:
    case VT_I31REF:
    case VT_STRUCTREF:
    case VT_ARRAYREF:
    case VT_NONEREF:
        return CATNAP_FEATURE_GC;
    default:
        return 0;
    }
}

static bool decode_abstract(struct decoder *d, uint32_t offset, uint8_t code, const char *what,
                            valtype *type) {
    catnap_features_t feature = feature_of_heaptype(code);
    *type = code;
    return feature ? cn_decode_need(d, feature, offset, cn_valtype_name(code))
                   : cn_decode_unknown(d, offset, PLACE_VALUE_TYPE, code, "malformed", "%s 0x%02x",
                                       what, code);
}

/* The nullable reference to the type with this index. */
static bool defined_type(struct decoder *d, uint32_t offset, int64_t index, valtype *type) {
    uint32_t count = d->module ? d->module->type_count : 0;
    if (index < count)
        *type = vt_of(d->module->types[index], true);
    else if (index - count < d->group_count)
        *type = VT_DEFINED | VT_MEMBER | (uint32_t)(index - count);
    else
        return cn_fail_at(d->error, CATNAP_INVALID, offset,
                          "unknown type %lld: there are %u types before it", (long long)index,
                          count + d->group_count);
    return true;
}

bool cn_decode_heaptype(struct decoder *d, valtype *type) {
    uint32_t offset = cn_decode_offset(d);
    const uint8_t *at = d->r.at;
    int64_t index;
    if (at < d->r.end && *at < 0x80 && (*at & 0x40)) { /* negative: an abstract type */
        d->r.at++;
        return decode_abstract(d, offset, *at, "heap type", type);
    }
    if (!cn_decode_s33(d, &index, "heap type"))
        return false;
    if (index < 0)
        return cn_fail_at(d->error, CATNAP_MALFORMED, offset, "malformed heap type");
    return cn_decode_need(d, CATNAP_FEATURE_FUNCTION_REFERENCES, offset,
                          "a type index as heap type") &&
           defined_type(d, offset, index, type);
}

/* The rest of a reference type that begins with `code`. */
static bool decode_reference(struct decoder *d, uint32_t offset, uint8_t code, const char *what,
                             valtype *type) {
    if (code != CODE_REF && code != CODE_REF_NULL)
        return decode_abstract(d, offset, code, what, type);
    if (!cn_decode_need(d, CATNAP_FEATURE_FUNCTION_REFERENCES, offset, "a typed reference") ||
        !cn_decode_heaptype(d, type))
        return false;
    *type |= code == CODE_REF ? VT_NON_NULL : 0;
    return true;
}

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
    return decode_reference(d, offset, code, "value type", type);
}

bool cn_decode_fieldtype(struct decoder *d, uint32_t *field) {
    uint32_t offset;
    uint8_t mutability;
    if (d->r.at < d->r.end && (*d->r.at == VT_I8 || *d->r.at == VT_I16))
        *field = *d->r.at++;
    else if (!cn_decode_valtype(d, field))
        return false;
    offset = cn_decode_offset(d);
    if (!cn_decode_byte(d, &mutability, "field type"))
        return false;
    if (mutability > 1)
        return cn_fail_at(d->error, CATNAP_MALFORMED, offset, "malformed mutability 0x%02x",
                          mutability);
    *field |= mutability ? FIELD_MUTABLE : 0;
    return true;
}

bool cn_decode_reftype(struct decoder *d, valtype *type) {
    uint32_t offset = cn_decode_offset(d);
    uint8_t code;
    if (!cn_decode_byte(d, &code, "reference type"))
        return false;
    *type = code;
    return code == VT_FUNCREF || /* the element type of tables from the first version on */
           decode_reference(d, offset, code, "reference type", type);
}

/* A memory may also be shared. */
enum { LIMITS_SHARED = 2 };

static bool decode_limits(struct decoder *d, struct limits *limits, uint32_t offset, uint8_t flags,
                          enum code_place place, const char *what) {
    if (flags & ~(LIMITS_HAS_MAX | LIMITS_IS_64))
        return cn_decode_unknown(d, offset, place, flags, "malformed", "%s flags 0x%02x", what,
                                 flags);
    *limits = (struct limits){.has_max = flags & LIMITS_HAS_MAX, .is_64 = flags & LIMITS_IS_64};
    if (limits->is_64 && !cn_decode_need(d, CATNAP_FEATURE_MEMORY64, offset, what))
        return false;
    return cn_decode_width(d, &limits->min, what) &&
           (!limits->has_max || cn_decode_width(d, &limits->max, what));
}

static bool decode_table_limits(struct decoder *d, struct limits *limits) {
    static const char what[] = "table limits";
    uint32_t offset = cn_decode_offset(d);
    uint8_t flags;
    return cn_decode_byte(d, &flags, what) &&
           decode_limits(d, limits, offset, flags, PLACE_TABLE_LIMITS, what);
}

bool cn_decode_tabletype(struct decoder *d, struct tabletype *type) {
    return cn_decode_reftype(d, &type->element) && decode_table_limits(d, &type->limits);
}

/* 0 or 16, the binary logarithm. */
static bool decode_page_size(struct decoder *d, bool *is_byte) {
    uint32_t offset = cn_decode_offset(d), exponent;
    if (!cn_decode_u32(d, &exponent, "page size"))
        return false;
    *is_byte = exponent == 0;
    return exponent == 0 || exponent == 16 ||
           cn_fail_at(d->error, exponent < 64 ? CATNAP_INVALID : CATNAP_MALFORMED, offset,
                      "invalid custom page size 2^%u", exponent);
}

bool cn_decode_memorytype(struct decoder *d, struct memorytype *type) {
    static const char what[] = "memory limits";
    uint32_t offset = cn_decode_offset(d);
    uint8_t flags;
    if (!cn_decode_byte(d, &flags, what))
        return false;
    bool has_page_size = flags & LIMITS_PAGE_SIZE;
    type->is_shared = flags & LIMITS_SHARED;
    type->byte_pages = false;
    flags &= (uint8_t)~(LIMITS_SHARED | LIMITS_PAGE_SIZE);
    return (!type->is_shared ||
            cn_decode_need(d, CATNAP_FEATURE_THREADS, offset, "a shared memory")) &&
           (!has_page_size ||
            cn_decode_need(d, CATNAP_FEATURE_CUSTOM_PAGE_SIZES, offset, "a page size")) &&
           decode_limits(d, &type->limits, offset, flags, PLACE_MEMORY_LIMITS, what) &&
           (!has_page_size || decode_page_size(d, &type->byte_pages));
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
        unsigned flags = cn_op_info[in.opcode].flags;
        if (flags & OPF_CLOSES)
            depth--;
        if (flags & OPF_OPENS)
            depth++;
    }
    expr->span = (struct span){start, cn_decode_offset(d) - start};
    return true;
}
