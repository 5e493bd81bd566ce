#include "types/valtype.h"

#include "base/assert.h"

#define AT(type) [VT_I32 - (type)]

const uint8_t cn_kind_of_code[32] = {
    AT(VT_I32) = KIND_I32,          AT(VT_I64) = KIND_I64,
    AT(VT_F32) = KIND_F32,          AT(VT_F64) = KIND_F64,
    AT(VT_V128) = KIND_V128,        AT(VT_NOEXNREF) = KIND_EXN,
    AT(VT_NOFUNCREF) = KIND_FUNC,   AT(VT_NOEXTERNREF) = KIND_EXTERN,
    AT(VT_NONEREF) = KIND_ANY,      AT(VT_FUNCREF) = KIND_FUNC,
    AT(VT_EXTERNREF) = KIND_EXTERN, AT(VT_ANYREF) = KIND_ANY,
    AT(VT_EQREF) = KIND_ANY,        AT(VT_I31REF) = KIND_ANY,
    AT(VT_STRUCTREF) = KIND_ANY,    AT(VT_ARRAYREF) = KIND_ANY,
    AT(VT_EXNREF) = KIND_EXN,
};

uint8_t cn_kind_code(enum slot_kind kind) {
    static const uint8_t codes[SLOT_KINDS] = {
        [KIND_I32] = VT_I32,          [KIND_I64] = VT_I64,    [KIND_F32] = VT_F32,
        [KIND_F64] = VT_F64,          [KIND_V128] = VT_V128,  [KIND_FUNC] = VT_FUNCREF,
        [KIND_EXTERN] = VT_EXTERNREF, [KIND_ANY] = VT_ANYREF, [KIND_EXN] = VT_EXNREF,
    };
    CN_ASSERT(kind < SLOT_KINDS);
    return codes[kind];
}

/* ---- Names ---- */

/* Nullable and not. */
static const char *const heap_names[][2] = {
#define HEAP(code, name) [(code) - VT_EXNREF] = {name "ref", "(ref " name ")"}
    HEAP(VT_EXNREF, "exn"),
    HEAP(VT_ARRAYREF, "array"),
    HEAP(VT_STRUCTREF, "struct"),
    HEAP(VT_I31REF, "i31"),
    HEAP(VT_EQREF, "eq"),
    HEAP(VT_ANYREF, "any"),
    HEAP(VT_EXTERNREF, "extern"),
    HEAP(VT_FUNCREF, "func"),
#undef HEAP
#define BOTTOM(code, name) [(code) - VT_EXNREF] = {"null" name "ref", "(ref no" name ")"}
    BOTTOM(VT_NOEXTERNREF, "extern"),
    BOTTOM(VT_NOFUNCREF, "func"),
    BOTTOM(VT_NOEXNREF, "exn"),
#undef BOTTOM
    [VT_NONEREF - VT_EXNREF] = {"nullref", "(ref none)"},
};

const char *cn_valtype_name(valtype type) {
    bool non_null = type & VT_NON_NULL;
    if (vt_is_abstract(type))
        return heap_names[(type & VT_CODE) - VT_EXNREF][non_null];
    switch (type) {
    case VT_I32:
        return "i32";
    case VT_I64:
        return "i64";
    case VT_F32:
        return "f32";
    case VT_F64:
        return "f64";
    case VT_V128:
        return "v128";
    case VT_I8:
        return "i8";
    case VT_I16:
        return "i16";
    case VT_BOTTOM:
        return "any";
    default:
        return !(type & VT_DEFINED) ? "unknown" : non_null ? "(ref $type)" : "(ref null $type)";
    }
}
