/* An allocator that gives so many times and not again. */
#ifndef TESTS_SNAPSHOT_STARVING_H
#define TESTS_SNAPSHOT_STARVING_H

#include <stdint.h>
#include <stdlib.h>

static int64_t allocations_left;

static inline void *failing_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    (void)env;
    (void)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    return allocations_left-- > 0 ? realloc(pointer, new_size) : NULL;
}

#endif
