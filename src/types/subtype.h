/*
 * Subtyping (section 3.3 of the specification, "Matching"): the one place where it is decided.
 *
 *      any                func          extern         exn
 *       |                  |              |             |
 *       eq             (functions)     noextern        noexn
 *    /   |    \            |
 *  i31 struct array      nofunc
 *   |    |      |
 *   | (structs) (arrays)
 *    \   |    /
 *      none
 */
#ifndef CN_TYPES_SUBTYPE_H
#define CN_TYPES_SUBTYPE_H

#include "types/registry.h"

/* Whether the first of two reference types that are not equal matches the second (section 3.3.3). */
bool cn_ref_matches(const struct type_registry *, valtype sub, valtype super);

/* Whether a value of type `sub` may stand where one of type `super` is expected. Types that are mentioned are
 * held. VT_BOTTOM is below all. */
static inline bool cn_valtype_matches(const struct type_registry *registry, valtype sub,
                                      valtype super) {
    return sub == super || sub == VT_BOTTOM || cn_ref_matches(registry, sub, super);
}

/* Whether a type may declare `super` as its supertype, as far as kind, finality and parts go (section
 * 3.3.13). Both are canonical. */
bool cn_deftype_may_extend(const struct type_registry *, const struct deftype *type,
                           const struct deftype *super);

#endif
