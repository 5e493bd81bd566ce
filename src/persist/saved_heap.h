/*
 * Checkpoints of a heap (heap/heap.h). Its areas are saved by their pages, as a memory is: one shadow each. The numbers of
 * `now` are copied into the level, and the side table likewise, which levels share where it did not change.
 *
 * A checkpoint ends a sweep under way, but not a marking, which goes on. A rollback ends both. Objects need no roots for
 * being brought back: where a collection has freed one and its place is used again, pages were written, and both the
 * object and its start bit come back with them. The level keeps the objects that entries of the side table stand for.
 *
 * A level that was made before the heap has an empty one.
 */
#ifndef CN_PERSIST_SAVED_HEAP_H
#define CN_PERSIST_SAVED_HEAP_H

#include "heap/heap.h"
#include "persist/saved_pages.h"

/* A store's; all NULL: none were made. */
struct heap_shadows {
    struct shadow *areas[HEAP_AREAS];
};

/* The entries of a side table by number, 0 where there is none. */
struct side_copy {
    uint32_t references; /* levels */
    uint32_t end;
    uint64_t changes; /* of the numbering */
    uint64_t slots[];
};

struct saved_heap {
    struct side_copy *side; /* NULL: there was no heap */
    struct heap_now now;
    struct saved_pages areas[HEAP_AREAS];
};

/* Makes those that are not there. */
bool cn_heap_shadows_make(struct heap_shadows *, const struct heap *, struct spaces *,
                          const struct tracker *, struct error *);
/* NULL heap allowed: then there are none. */
void cn_heap_shadows_drop(struct heap_shadows *, struct heap *);
bool cn_heap_shadows_adopt(const struct heap_shadows *, const struct heap *, const struct tracker *,
                           struct error *);
/* Bytes that the first checkpoint copied. */
uint64_t cn_heap_shadows_copies(const struct heap_shadows *);
static inline bool cn_heap_shadows_are_made(const struct heap_shadows *shadows) {
    return shadows->areas[HEAP_AREAS - 1] != NULL;
}

/* All of a checkpoint that can fail, which changes nothing but that a sweep is finished; shadows are made. `below`: the
 * level below, or NULL. */
bool cn_saved_heap_prepare(struct saved_heap *, const struct saved_heap *below,
                           const struct heap_shadows *, struct heap *, struct error *);
void cn_saved_heap_take(const struct saved_heap *, const struct heap_shadows *,
                        const struct heap *);
void cn_saved_heap_free(const struct saved_heap *, const struct heap_shadows *, struct alloc *);

/* The level is released or taken away; shadows are made. */
void cn_saved_heap_forget(struct saved_heap *, const struct heap_shadows *,
                          struct saved_heap *below);
void cn_saved_heap_pop(struct saved_heap *, const struct heap_shadows *);

/* ---- Rollback; shadows are made ---- */

/* Finds the pages that were written. */
bool cn_heap_shadows_collect(const struct heap_shadows *, struct heap *, struct error *);
/* The sizes of areas: of the shadows, then of those that levels lead to by cn_saved_pages_size(). */
struct heap_sizes {
    uint64_t areas[HEAP_AREAS];
};
struct heap_sizes cn_heap_shadows_sizes(const struct heap_shadows *);
void cn_saved_heap_sizes(const struct saved_heap *, bool below, struct heap_sizes *);
/* Makes what is beyond these sizes inaccessible, or all of it accessible again. */
bool cn_heap_shadows_lock(const struct heap_shadows *, const struct heap *,
                          const struct heap_sizes *, struct error *);
void cn_heap_shadows_unlock(const struct heap_shadows *, const struct heap *,
                            const struct heap_sizes *);
/* The heap is that of the level, when the levels above were taken away. Cannot fail. */
void cn_saved_heap_return(struct saved_heap *, const struct heap_shadows *, struct heap *);

#endif
