/*
 * Defined types (section 2.3.8: function, structure and array types) in canonical form: there is one of
 * each in an engine, so that equal types are the same pointer and have the same id. The registry
 * (types/registry.h) makes them, a recursion group at a time, and they do not change.
 */
#ifndef CN_TYPES_DEFTYPE_H
#define CN_TYPES_DEFTYPE_H

#include <stddef.h>

#include "base/assert.h"
#include "types/valtype.h"

/* Supertypes above a type, as the JavaScript API limits them: the display of a type is no longer. */
#define LIMIT_SUPERTYPES 63u

enum type_kind { TYPE_FUNC, TYPE_STRUCT, TYPE_ARRAY };

struct deftype {
    struct type_group *group; /* the recursion group that it belongs to (types/group.h) */
    /* The ids of its supertypes, the most general one first, then its own: depth + 1. */
    const uint32_t *display;
    uint32_t id;     /* never 0 */
    uint32_t member; /* index in the group */
    uint32_t count;  /* of value types of a function type, of fields of others (an array has 1) */
    uint8_t kind;    /* enum type_kind */
    uint8_t depth;   /* supertypes above it */
    bool final;      /* no other type may name it as supertype */
};

struct functype {
    struct deftype def;
    uint32_t param_count, result_count;
    uint32_t param_slots, result_slots;
    uint32_t value_slots; /* the greater of the two */
    /* Of i32 and f32, whose slots are zero above: a bit for each of the first 32 slots. */
    uint32_t narrow_params, narrow_results;
    bool numbers;    /* neither references nor v128 */
    bool any;        /* references of the any hierarchy are among them */
    valtype types[]; /* parameters, then results, then one more that may be read */
};

/*
 * Of structures and arrays. An object begins with four bytes that name its type; the fields of a structure follow
 * in their order, each aligned to its size but for v128, so that a subtype's object begins as one of its supertype. An
 * array has its length in the four bytes behind, and then its elements. References take four bytes.
 */
struct fieldtypes {
    struct deftype def;
    uint32_t size;    /* bytes of a structure, a multiple of 8; of an element of an array */
    bool has_default; /* each field has a default value */
    /* Value types or packed types, with FIELD_MUTABLE; one more that may be read; where each is. */
    uint32_t fields[];
};
#define OBJECT_HEADER 4u /* bytes before the first field */
#define ARRAY_HEADER 8u  /* bytes before the first element */

/* Without FIELD_MUTABLE. */
static inline uint32_t field_type(uint32_t field) {
    return field & ~FIELD_MUTABLE;
}
static inline bool field_is_packed(uint32_t field) {
    return field_type(field) == VT_I8 || field_type(field) == VT_I16;
}
/* The type of the values that are read and written. */
static inline valtype field_value(uint32_t field) {
    return field_is_packed(field) ? VT_I32 : field_type(field);
}
/* The bytes that a field takes. */
static inline uint32_t field_size(uint32_t field) {
    switch (field_type(field)) {
    case VT_I8:
        return 1;
    case VT_I16:
        return 2;
    case VT_I64:
    case VT_F64:
        return 8;
    case VT_V128:
        return 16;
    default:
        return 4;
    }
}

static inline const struct functype *dt_func(const struct deftype *type) {
    CN_ASSERT(type->kind == TYPE_FUNC);
    return (const struct functype *)type;
}
static inline const struct fieldtypes *dt_fields(const struct deftype *type) {
    CN_ASSERT(type->kind != TYPE_FUNC);
    return (const struct fieldtypes *)type;
}
/* Where each field of a structure is, in bytes from the object's start. */
static inline const uint32_t *dt_offsets(const struct fieldtypes *type) {
    return type->fields + type->def.count + 1;
}
/* All `count` value types or fields. */
static inline const uint32_t *dt_parts(const struct deftype *type) {
    return type->kind == TYPE_FUNC ? ((const struct functype *)type)->types
                                   : ((const struct fieldtypes *)type)->fields;
}
/* Whether `type` is `super` or has it above it. */
static inline bool dt_is_sub(const struct deftype *type, const struct deftype *super) {
    return type == super ||
           (type->depth > super->depth && type->display[super->depth] == super->id);
}

static inline const valtype *ft_params(const struct functype *t) {
    return t->types;
}
static inline const valtype *ft_results(const struct functype *t) {
    return t->types + t->param_count;
}
/* A reference to the type. */
static inline valtype vt_of(const struct deftype *type, bool nullable) {
    return VT_DEFINED | (nullable ? 0 : VT_NON_NULL) | (type->kind == TYPE_FUNC ? VT_OF_FUNC : 0) |
           type->id;
}

/* Writes "(i32, i64) -> (f32)" into text, truncating; returns text. */
char *cn_functype_format(const struct functype *, char *text, size_t size);

#endif
