/*
 * A memory's shadow: what the memory was at the latest checkpoint.
 *
 * Pages in which the two may differ are those that the tracker reports and
 * those in `differing`; everywhere else they are equal. So a checkpoint copies
 * these pages to the shadow, putting what was there before into an undo record,
 * and a rollback copies them back.
 */
#ifndef CN_PERSIST_SHADOW_H
#define CN_PERSIST_SHADOW_H

#include <string.h>

#include "base/pieces.h"
#include "base/track.h"
#include "persist/backing.h"

/* What a checkpoint overwrote in a shadow. */
struct undo {
    struct undo *next; /* to be put back after this one */
    uint64_t size;     /* of the memory at the checkpoint before */
    size_t count;      /* of pages */
    size_t capacity;   /* of the arrays */
    uint32_t *index;   /* of each page */
    uint8_t *pages;    /* as they were */
};

/*
 * With TRACK_COPY_ON_WRITE the shadow is shared memory, of which a child of the process has a view too.
 * A count behind the pages tells it whether they are still what they were at the fork: it grows before
 * each change.
 */
struct shadow {
    const struct tracker *tracker;
    struct spaces *spaces;
    struct space pages_space, differing_space; /* what these have of it */
    uint8_t *pages;                            /* as the memory was; zero from `size` on */
    size_t reserved;                           /* bytes of address space at pages */
    uint64_t size;                             /* of the memory then */
    uint64_t watched;    /* bytes of the memory that the tracker looks after */
    uint64_t locked;     /* where what a rollback takes away begins, while one is under way */
    uint64_t *differing; /* bit for each page of the operating system */
    size_t count;        /* of bits set */
    size_t copied;       /* pages, by the first checkpoint */
    size_t page;         /* bytes */
    struct undo *spare;  /* a record that is done with, for its room; or NULL */
    int image;           /* TRACK_COPY_ON_WRITE: what is behind pages and the memory; else -1 */
    uint64_t changes;    /* what the count behind the pages is, when nobody else has changed them */
};

/* Makes the memory's shadow, with nothing in it, when it has none. */
bool cn_shadow_make(wasm_memory_t *, const struct tracker *, struct error *);
void cn_shadow_drop(wasm_memory_t *);
/* In a child of the process that made the shadow: pages that may differ are found by comparison, once,
 * and by this process's tracker (or by comparison, when it is of another kind) from now on. A shadow
 * and a memory that the parent could change become the child's own. On failure nothing has changed. */
bool cn_shadow_adopt(wasm_memory_t *, const struct tracker *, struct error *);

/* Finds out which pages may differ. With `protect`, writes from now on are
 * news. */
bool cn_shadow_collect(wasm_memory_t *, bool protect, struct error *);
/* After that. Room for what cn_shadow_take() overwrites; nothing is changed
 * yet. */
bool cn_shadow_prepare(wasm_memory_t *, struct undo **, struct error *);
/* The shadow becomes what the memory is; undo may be NULL. */
void cn_shadow_take(wasm_memory_t *, struct undo *);
/* The shadow becomes what it was before these, one after the other; NULL is allowed. */
void cn_shadow_undo(wasm_memory_t *, const struct undo *);
/* What can fail of going back to a size: nobody can touch what is beyond it any more. */
bool cn_shadow_lock(wasm_memory_t *, uint64_t size, struct error *);
void cn_shadow_unlock(wasm_memory_t *, uint64_t size);
/* After cn_shadow_collect() and cn_shadow_lock(): the memory becomes what the shadow is. */
void cn_shadow_restore(wasm_memory_t *);

static inline bool is_zero_page(const uint8_t *page, size_t size) {
    return page[0] == 0 && memcmp(page, page + 1, size - 1) == 0;
}

/* Bytes that the first checkpoint copied. */
uint64_t cn_shadow_copies(const wasm_memory_t *);
/* The records are done with; NULL is allowed. */
void cn_undo_free(wasm_memory_t *, struct undo *);

#endif
