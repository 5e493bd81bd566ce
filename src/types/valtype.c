#include "types/valtype.h"

const uint8_t cn_kind_of_abstract[16] = {
#define KIND(type, kind) [(type) - VT_EXNREF] = (kind)
    KIND(VT_EXNREF, KIND_EXN),       KIND(VT_NOEXNREF, KIND_EXN),
    KIND(VT_FUNCREF, KIND_FUNC),     KIND(VT_NOFUNCREF, KIND_FUNC),
    KIND(VT_EXTERNREF, KIND_EXTERN), KIND(VT_NOEXTERNREF, KIND_EXTERN),
    KIND(VT_ANYREF, KIND_ANY),       KIND(VT_EQREF, KIND_ANY),
    KIND(VT_I31REF, KIND_ANY),       KIND(VT_STRUCTREF, KIND_ANY),
    KIND(VT_ARRAYREF, KIND_ANY),     KIND(VT_NONEREF, KIND_ANY),
#undef KIND
};

/* ---- Names ---- */

/* Nullable and not. Not pointers, which would be relocated at start. */
static const char heap_names[][2][16] = {
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
    case VT_BOTTOM_REF:
        return "a reference";
    default:
        return !(type & VT_DEFINED) ? "unknown" : non_null ? "(ref $type)" : "(ref null $type)";
    }
}
