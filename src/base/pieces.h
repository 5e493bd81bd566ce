/*
 * Readable and writable address space in pieces of equal size. Pieces lie side by side in one mapping,
 * since a process may have only so many (Linux: vm.max_map_count), and a mapping for each would use them
 * up long before memory.
 */
#ifndef CN_BASE_PIECES_H
#define CN_BASE_PIECES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

struct space_chunk;
struct spaces {
    struct alloc *alloc;
    pthread_mutex_t mutex;
    struct space_chunk *chunks;
};

/* A piece: `size` bytes at `start`, all zero when it is new. NULL start: none. */
struct space {
    uint8_t *start;
    struct space_chunk *chunk;
};

void cn_spaces_init(struct spaces *, struct alloc *);
/* When all pieces were given back. */
void cn_spaces_destroy(struct spaces *);
/* Whole pages; false when the system or the allocator refuses. Any thread. */
bool cn_space_take(struct spaces *, size_t size, struct space *);
/* Contents and whatever was mapped there are gone. NULL start is allowed. */
void cn_space_give(struct spaces *, struct space *);

#endif
