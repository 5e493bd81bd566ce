/*
 * Value types (section 2.3 of the specification) as 32 bits.
 *
 *      bit 31    bit 30     bit 29      bits 28 to 0
 *      1         non-null   function    canonical id: a reference to a defined type
 *      0         non-null   0           binary code of a number, vector or abstract heap type
 *
 * A nullable reference to an abstract heap type is the byte that abbreviates it in the binary format, such as
 * 0x70 for funcref. Equal types have equal bits, in all modules of an engine.
 */
#ifndef CN_TYPES_VALTYPE_H
#define CN_TYPES_VALTYPE_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t valtype;
#define VT_I32 0x7Fu
#define VT_I64 0x7Eu
#define VT_F32 0x7Du
#define VT_F64 0x7Cu
#define VT_V128 0x7Bu
#define VT_NOEXNREF 0x74u
#define VT_NOFUNCREF 0x73u
#define VT_NOEXTERNREF 0x72u
#define VT_NONEREF 0x71u
#define VT_FUNCREF 0x70u
#define VT_EXTERNREF 0x6Fu
#define VT_ANYREF 0x6Eu
#define VT_EQREF 0x6Du
#define VT_I31REF 0x6Cu
#define VT_STRUCTREF 0x6Bu
#define VT_ARRAYREF 0x6Au
#define VT_EXNREF 0x69u
/* The bytes before the heap type of any other reference type, in the binary format. */
#define CODE_REF_NULL 0x63u
#define CODE_REF 0x64u
/* Of unreachable code, only in the validator: below all types, and below all references. */
#define VT_BOTTOM 0u
#define VT_BOTTOM_REF 1u

#define VT_DEFINED (UINT32_C(1) << 31)
#define VT_NON_NULL (UINT32_C(1) << 30)
#define VT_OF_FUNC (UINT32_C(1) << 29) /* with VT_DEFINED: the type is a function type */
/* With VT_DEFINED, in declarations of types only: the id is an index in the own recursion group. */
#define VT_MEMBER (UINT32_C(1) << 28)

/* Fields of structures and arrays are a value type or a packed type, with a flag. */
#define VT_I8 0x78u
#define VT_I16 0x77u
#define FIELD_MUTABLE (UINT32_C(1) << 27)

#define VT_ID (FIELD_MUTABLE - 1)
#define VT_CODE 0xFFu

static inline bool vt_is_num(valtype t) {
    return t >= VT_F64 && t <= VT_I32;
}
/* A reference to an abstract heap type. */
static inline bool vt_is_abstract(valtype t) {
    t &= ~VT_NON_NULL;
    return t >= VT_EXNREF && t <= VT_NOEXNREF;
}
static inline bool vt_is_ref(valtype t) {
    return (t & VT_DEFINED) || vt_is_abstract(t);
}
/* Numbers, vectors, the references of WebAssembly 2.0 and those to exceptions: a type is one of these as
 * long as no feature is on that adds others. */
static inline bool vt_is_basic(valtype t) {
    return (t >= VT_V128 && t <= VT_I32) || t == VT_FUNCREF || t == VT_EXTERNREF ||
           t == VT_EXNREF || t == VT_NOEXNREF;
}
/* Slots of the value stack that a value takes. */
static inline uint32_t vt_slots(valtype t) {
    return t == VT_V128 ? 2 : 1;
}

/*
 * How a value lies in its slots. It is all that translation and suspended frames know of a value's type:
 * references have the kind of the top type of their hierarchy. A kind is the binary code of its most general
 * type; files name it so.
 */
enum slot_kind {
    KIND_NONE = 0, /* no value */
    KIND_I32 = VT_I32,
    KIND_I64 = VT_I64,
    KIND_F32 = VT_F32,
    KIND_F64 = VT_F64,
    KIND_V128 = VT_V128,
    KIND_FUNC = VT_FUNCREF,
    KIND_EXTERN = VT_EXTERNREF,
    KIND_ANY = VT_ANYREF,
    KIND_EXN = VT_EXNREF,
};

extern const uint8_t cn_kind_of_abstract[16];
/* Of a value type other than VT_BOTTOM. */
static inline enum slot_kind vt_kind(valtype t) {
    if (t & VT_DEFINED)
        return t & VT_OF_FUNC ? KIND_FUNC : KIND_ANY;
    t &= VT_CODE;
    return (enum slot_kind)(t >= VT_V128 ? t : cn_kind_of_abstract[(t - VT_EXNREF) & 15]);
}
static inline bool kind_is_ref(enum slot_kind kind) {
    return kind <= KIND_FUNC;
}

/* "i32", "funcref", "(ref func)" ... */
const char *cn_valtype_name(valtype);

#endif
