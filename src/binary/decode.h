/*
 * Decoding the pieces that sections and bodies are made of (sections 5.1 to 5.3). Every function
 * reads from d->r, checks all that it reads, and on failure fills d->error with CATNAP_MALFORMED
 * (or what fits better) and the offset, and returns false.
 *
 * `what` names the thing that is read, for the message.
 */
#ifndef CN_BINARY_DECODE_H
#define CN_BINARY_DECODE_H

#include "binary/module.h"
#include "binary/reader.h"

struct decoder {
    struct reader r;
    const uint8_t *base; /* offset 0 */
    catnap_features_t features;
    struct error *error;
    const struct module *module; /* whose types are meant by type indices; NULL: there are none */
    /* Types from module->type_count on that are being decoded: members of one recursion group. */
    uint32_t group_count;
};

static inline uint32_t cn_decode_offset(const struct decoder *d) {
    return (uint32_t)(d->r.at - d->base);
}
static inline size_t cn_decode_left(const struct decoder *d) {
    return (size_t)(d->r.end - d->r.at);
}

/* CATNAP_MALFORMED at the place reached so far. */
bool cn_decode_fail(struct decoder *, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));
/* True when the feature is on, else CATNAP_UNSUPPORTED. */
bool cn_decode_need(struct decoder *, catnap_features_t feature, uint32_t offset, const char *what);

/* Notes a use of a feature that is on. */
static inline void cn_decode_note(const struct decoder *d, catnap_features_t feature) {
    if (d->module && d->module->used)
        *d->module->used |= feature;
}

bool cn_decode_byte(struct decoder *, uint8_t *value, const char *what);
bool cn_decode_u32(struct decoder *, uint32_t *value, const char *what);
bool cn_decode_u64(struct decoder *, uint64_t *value, const char *what);
/* A number of 64 bits with the feature memory64, else of 32: a memory's offset, or a bound. */
bool cn_decode_width(struct decoder *, uint64_t *value, const char *what);
bool cn_decode_s32(struct decoder *, int32_t *value, const char *what);
bool cn_decode_s33(struct decoder *, int64_t *value, const char *what);
bool cn_decode_s64(struct decoder *, int64_t *value, const char *what);
/* Steps over `length` bytes. */
bool cn_decode_bytes(struct decoder *, size_t length, const char *what);
/* The length of a vector whose items take at least item_bytes each: checked against what is left,
 * so that it may be allocated for, and against an implementation limit. */
bool cn_decode_count(struct decoder *, uint32_t *count, uint32_t item_bytes, uint32_t limit,
                     const char *what);
/* A name (section 5.2.4). */
bool cn_decode_name(struct decoder *, struct span *name, const char *what);
/* References to defined types become those to canonical types of d->module; in a recursion group, those to
 * members get VT_MEMBER (types/group.h). An index that is no type's is CATNAP_INVALID. */
bool cn_decode_valtype(struct decoder *, valtype *);
/* Of a structure or array: a value type or packed type, with FIELD_MUTABLE. */
bool cn_decode_fieldtype(struct decoder *, uint32_t *);
bool cn_decode_reftype(struct decoder *, valtype *);
/* A heap type (section 5.3.4), as the nullable reference to it. */
bool cn_decode_heaptype(struct decoder *, valtype *);
bool cn_decode_tabletype(struct decoder *, struct tabletype *);
bool cn_decode_memorytype(struct decoder *, struct memorytype *);
bool cn_decode_globaltype(struct decoder *, struct globaltype *);
/* A constant expression: any well-formed one; whether it is constant is for the validator. */
bool cn_decode_expr(struct decoder *, struct const_expr *);

#endif
