/*
 * Executions of bytecode instructions and of pairs that follow each other, when operations are profiled
 * (catnap_config_set_profile_ops). Few of all possible pairs occur, so they are in a hash table, whose memory is
 * the store's.
 */
#ifndef CN_RUNTIME_PROFILE_H
#define CN_RUNTIME_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

struct profile_entry {
    uint16_t previous,
        bytecode; /* previous: BC_NONE, for all executions of the bytecode; both: unused */
    uint64_t count;
};
struct profile {
    struct profile_entry *entries;
    size_t capacity, used; /* capacity: a power of two */
    uint16_t latest;       /* the instruction that was counted last */
};

/* An empty table; NULL when memory is exhausted. */
struct profile *cn_profile_new(struct alloc *);
void cn_profile_delete(struct profile *, struct alloc *);
/* Counts an execution; false, and nothing is counted, when memory is exhausted. */
bool cn_profile_count(struct profile *, struct alloc *, uint16_t bytecode);

#endif
