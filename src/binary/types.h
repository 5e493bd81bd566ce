/* The engine's registry of function types: equal types become one pointer, so that an indirect
 * call compares pointers. Thread-safe; a type lives as long as somebody refers to it. */
#ifndef CN_BINARY_TYPES_H
#define CN_BINARY_TYPES_H

#include <pthread.h>

#include "binary/module.h"

struct type_registry {
    struct alloc *alloc;
    pthread_mutex_t mutex;
    struct functype **buckets;
    size_t bucket_count, type_count;
};

bool cn_types_init(struct type_registry *, struct alloc *);
void cn_types_destroy(struct type_registry *);
/* The one type with these parameters and results, with a reference for the caller; NULL when memory
 * is exhausted. `types` holds the parameters, then the results. */
const struct functype *cn_types_intern(struct type_registry *, const valtype *types,
                                       uint32_t param_count, uint32_t result_count);
void cn_types_retain(struct type_registry *, const struct functype *);
void cn_types_release(struct type_registry *, const struct functype *);

#endif
