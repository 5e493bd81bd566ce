/*
 * Numbers for 64-bit keys: equal keys have the same number. Numbers start at 1 and are small; those of removed keys are
 * given out again.
 */
#ifndef CN_HEAP_NUMBERING_H
#define CN_HEAP_NUMBERING_H

#include "base/alloc.h"

struct numbering {
    struct alloc *alloc;
    uint64_t *keys;   /* by number; of a free number, the next free one. keys[0] is 0 */
    uint8_t *flags;   /* by number: NUMBER_USED, NUMBER_MARKED */
    uint32_t *table;  /* open addressing: numbers, 0 where there is none */
    uint32_t room;    /* numbers that fit into the arrays; the table has twice as many places */
    uint32_t end;     /* above all numbers that were ever given */
    uint32_t free;    /* the first free number below `end`, or 0 */
    uint32_t count;   /* in use */
    uint64_t changes; /* keys that were added and removed so far */
};

#define NUMBER_USED 1u
#define NUMBER_MARKED 2u
#define LIMIT_NUMBERS (UINT32_C(1) << 28)

/* An empty one allocates nothing. */
void cn_numbering_init(struct numbering *, struct alloc *);
void cn_numbering_destroy(struct numbering *);
/* The number of a key, 0 when it has none. */
uint32_t cn_numbering_find(const struct numbering *, uint64_t key);
/* The same, and the key gets one when it has none. 0: memory is exhausted. */
uint32_t cn_numbering_add(struct numbering *, uint64_t key);
void cn_numbering_remove(struct numbering *, uint32_t number);
/* Into an empty numbering: the key of each number below `end`; 0: it is free. keys[0] is not looked at. Two numbers may
 * have the same key: either is found. False: memory is exhausted. */
bool cn_numbering_restore(struct numbering *, const uint64_t *keys, uint32_t end);

/* The key of each number below `end`, 0 for free ones, as cn_numbering_restore() takes them. */
void cn_numbering_copy(const struct numbering *, uint64_t *keys);
/* Back to a copy that was made when there had been so many changes. Cannot fail, since the room is there. */
void cn_numbering_return(struct numbering *, const uint64_t *keys, uint32_t end, uint64_t changes);

static inline bool cn_numbering_has(const struct numbering *n, uint32_t number) {
    return number > 0 && number < n->end && (n->flags[number] & NUMBER_USED);
}

#endif
