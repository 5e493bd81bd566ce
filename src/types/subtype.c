#include "types/subtype.h"

/* ---- Value types ---- */

#define BIT(type) (1u << ((type) - VT_EXNREF))
#define BELOW_EQ (BIT(VT_EQREF) | BIT(VT_ANYREF))

/* The abstract heap types above each. */
static const uint16_t above[] = {
#define ABOVE(type, types) [(type) - VT_EXNREF] = (types)
    ABOVE(VT_NOEXNREF, BIT(VT_EXNREF)),
    ABOVE(VT_NOFUNCREF, BIT(VT_FUNCREF)),
    ABOVE(VT_NOEXTERNREF, BIT(VT_EXTERNREF)),
    ABOVE(VT_NONEREF, BIT(VT_I31REF) | BIT(VT_STRUCTREF) | BIT(VT_ARRAYREF) | BELOW_EQ),
    ABOVE(VT_I31REF, BELOW_EQ),
    ABOVE(VT_STRUCTREF, BELOW_EQ),
    ABOVE(VT_ARRAYREF, BELOW_EQ),
    ABOVE(VT_EQREF, BIT(VT_ANYREF)),
#undef ABOVE
};

/* The abstract heap type right above a defined type. */
static valtype abstract_of(const struct deftype *type) {
    static const uint8_t abstract[] = {
        [TYPE_FUNC] = VT_FUNCREF, [TYPE_STRUCT] = VT_STRUCTREF, [TYPE_ARRAY] = VT_ARRAYREF};
    return abstract[type->kind];
}

/* Of references without VT_NON_NULL. */
static bool heap_matches(const struct type_registry *registry, valtype sub, valtype super) {
    if (sub == super)
        return true;
    if (super & VT_DEFINED) {
        if (!(sub & VT_DEFINED))
            return sub == (super & VT_OF_FUNC ? VT_NOFUNCREF : VT_NONEREF);
        return dt_is_sub(cn_types_get(registry, sub & VT_ID),
                         cn_types_get(registry, super & VT_ID));
    }
    if (sub & VT_DEFINED) {
        sub = abstract_of(cn_types_get(registry, sub & VT_ID));
        if (sub == super)
            return true;
    }
    return above[sub - VT_EXNREF] & BIT(super);
}

bool cn_ref_matches(const struct type_registry *registry, valtype sub, valtype super) {
    if (!vt_is_ref(sub) || !vt_is_ref(super) || ((super & VT_NON_NULL) && !(sub & VT_NON_NULL)))
        return false;
    return heap_matches(registry, sub & ~VT_NON_NULL, super & ~VT_NON_NULL);
}

/* ---- Declared supertypes ---- */

static bool all_match(const struct type_registry *registry, const valtype *subs,
                      const valtype *supers, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!cn_valtype_matches(registry, subs[i], supers[i]))
            return false;
    return true;
}

/* Parameters match the other way round. */
static bool func_matches(const struct type_registry *registry, const struct functype *type,
                         const struct functype *super) {
    return type->param_count == super->param_count && type->result_count == super->result_count &&
           all_match(registry, ft_params(super), ft_params(type), type->param_count) &&
           all_match(registry, ft_results(type), ft_results(super), type->result_count);
}

/* A field that can be written must have the very same type. */
static bool field_matches(const struct type_registry *registry, uint32_t field, uint32_t super) {
    return field == super ||
           (!((field | super) & FIELD_MUTABLE) && cn_valtype_matches(registry, field, super));
}

bool cn_deftype_may_extend(const struct type_registry *registry, const struct deftype *type,
                           const struct deftype *super) {
    if (super->final || type->kind != super->kind)
        return false;
    if (type->kind == TYPE_FUNC)
        return func_matches(registry, dt_func(type), dt_func(super));
    if (type->count < super->count)
        return false;
    for (uint32_t i = 0; i < super->count; i++)
        if (!field_matches(registry, dt_fields(type)->fields[i], dt_fields(super)->fields[i]))
            return false;
    return true;
}
