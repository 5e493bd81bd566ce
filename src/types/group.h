/*
 * Recursion groups (section 2.3.9). Types of a group may refer to each other; the group is made, compared and
 * freed as a whole. Two groups are equal when their declarations are the same, with references to
 * members by index in the group and references to other types by canonical id (section 3.3.1,
 * iso-recursive equality). So comparing and hashing take one step for each value type.
 */
#ifndef CN_TYPES_GROUP_H
#define CN_TYPES_GROUP_H

#include "base/alloc.h"
#include "types/deftype.h"

#define NO_SUPERTYPE UINT32_MAX

/*
 * A type as a module declares it. References to types outside the group are as vt_of() makes them; those to
 * members of the group have VT_DEFINED, VT_MEMBER, the index, and perhaps VT_NON_NULL.
 */
struct type_decl {
    uint8_t kind;  /* enum type_kind */
    uint8_t depth; /* supertypes above it, at most LIMIT_SUPERTYPES */
    bool final;
    /* VT_MEMBER | index of a member that comes before, or the id of another type, or NO_SUPERTYPE. */
    uint32_t supertype;
    uint32_t param_count;  /* of a function type, else 0 */
    uint32_t count;        /* of parts */
    const uint32_t *parts; /* parameters, then results; or fields (an array has one) */
};

struct type_group {
    struct type_group *next; /* in the registry's bucket */
    uint64_t references;     /* by holders of its types and by other groups */
    uint64_t hash;
    size_t size; /* bytes of the whole */
    uint32_t type_count;
    bool
        mentions; /* defined types, as part or supertype: most groups are one function of numbers */
    /* The types follow one after another, aligned to 8. */
};

static inline struct deftype *group_first(const struct type_group *group) {
    return (struct deftype *)((uintptr_t)group + sizeof *group);
}
/* The type that follows in the group. */
struct deftype *cn_group_next(const struct deftype *);

struct type_registry; /* types/registry.h */

/* With a seed that modules cannot know. */
uint64_t cn_group_hash(const struct type_decl *, uint32_t count, uint64_t seed);
/* Whether the group is the declared one; then, types[] are its types. */
bool cn_group_equals(const struct type_registry *, const struct type_group *,
                     const struct type_decl *, uint32_t count, const struct deftype **types);
/* The group as it was declared, without ids and displays. NULL when memory is exhausted. */
struct type_group *cn_group_new(struct alloc *, const struct type_decl *, uint32_t count);
/* Of a group with `mentions`, when all its types, which are types[], have ids: makes references to members
 * canonical, and displays. */
void cn_group_close(const struct type_registry *, struct type_group *,
                    const struct deftype *const *types);

/* Of such a group: visits the group of each type outside it that it mentions, as often as it mentions it. */
struct mention_visitor {
    void (*visit)(void *env, struct type_group *mentioned);
    void *env;
};
void cn_group_mentions(const struct type_registry *, const struct type_group *group,
                       struct mention_visitor);

#endif
