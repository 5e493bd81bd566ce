/*
 * The engine's registry of defined types: equal types of all its modules become one, with one id.
 * Thread-safe. A group of types lives as long as one of its types is held or another group mentions
 * it.
 */
#ifndef CN_TYPES_REGISTRY_H
#define CN_TYPES_REGISTRY_H

#include <pthread.h>

#include "types/group.h"

/* Types by id. Segment 0 has ids below FIRST_IDS; each further one doubles the ids that there are. Segments
 * never move, so that who holds a type finds it by its id without the mutex. */
#define FIRST_IDS_LOG2 6u
#define ID_SEGMENTS (28u - FIRST_IDS_LOG2)

/* A type, or a free id: the next free one * 2 + 1. */
union id_entry {
    struct deftype *type;
    uintptr_t next_free;
};

struct type_registry {
    struct alloc *alloc;
    pthread_mutex_t mutex;
    struct type_group **buckets;
    size_t bucket_count, group_count;
    union id_entry *ids[ID_SEGMENTS];
    uint32_t segment_count;
    uint32_t next_id;    /* no id from here on was ever given */
    uint32_t free_id;    /* the first of those given back, or 0 */
    uint32_t free_count; /* of these */
};

bool cn_types_init(struct type_registry *, struct alloc *);
/* No type may be held any more. */
void cn_types_destroy(struct type_registry *);

/*
 * The canonical types of a recursion group, with a reference for each of them; false when memory is exhausted.
 * Time is linear in the size of the declarations.
 */
bool cn_types_intern(struct type_registry *, const struct type_decl *, uint32_t count,
                     const struct deftype **types);
/* A function type that is final and alone in its group; NULL when memory is exhausted. `types` holds the
 * parameters, then the results. */
const struct functype *cn_types_intern_func(struct type_registry *, const valtype *types,
                                            uint32_t param_count, uint32_t result_count);
void cn_types_retain(struct type_registry *, const struct deftype *);
void cn_types_release(struct type_registry *, const struct deftype *);
/* The same for the defined type that a reference is to, if it is to one. */
void cn_valtype_retain(struct type_registry *, valtype);
void cn_valtype_release(struct type_registry *, valtype);
void cn_types_release_all(struct type_registry *, const struct deftype *const *, uint32_t count);

/* In which segment an id is, and where. */
static inline uint32_t cn_id_index(uint32_t id, uint32_t *segment) {
    uint32_t high = id >> FIRST_IDS_LOG2;
    *segment = high ? 32 - (uint32_t)__builtin_clz(high) : 0;
    return high ? id - (UINT32_C(1) << (*segment + FIRST_IDS_LOG2 - 1)) : id;
}

/* The type with this id, which must be held. */
static inline const struct deftype *cn_types_get(const struct type_registry *registry,
                                                 uint32_t id) {
    uint32_t segment, index = cn_id_index(id, &segment);
    const struct deftype *type = registry->ids[segment][index].type;
    CN_ASSERT(((uintptr_t)type & 1) == 0 && type->id == id);
    return type;
}

#endif
