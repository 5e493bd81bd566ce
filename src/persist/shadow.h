/*
 * The shadow of a paged area, which is a linear memory or a part of a heap: a copy of what the area was at the latest
 * checkpoint.
 *
 *     page          0       1       2       3       4
 *     area       [ A  ]  [ B' ]  [ C  ]  [ D' ]  [ E' ]      B', D', E': written since the checkpoint
 *     shadow     [ A  ]  [ B  ]  [ C  ]  [ D  ]              size: pages 0 to 3, the area has grown by 4
 *     differing     0       0       0       1       0        D: found before, and in `differing`
 *     tracker       -     written   -       -     written    B, E: the tracker reports them when asked
 *
 * Area and shadow are equal except in pages that the tracker reports and in those of `differing`. So the
 * work of a checkpoint and of a rollback is in proportion to the pages written:
 *
 *     checkpoint   collect: adds the tracker's pages to `differing`
 *                  take:    saves the shadow's pages of that set in an undo record, then copies the area's
 *                           pages to the shadow. The set is empty.
 *     rollback     collect, as above
 *                  undo:    to go back further, puts the pages of undo records into the shadow, each of which
 *                           joins the set
 *                  restore: copies the shadow's pages of the set to the area. The set is empty.
 *
 * With TRACK_COPY_ON_WRITE the pages of the shadow are an image (a file in memory) that the area maps
 * privately: a page that was not written is the same page of the system in both, and a checkpoint or a large
 * rollback makes the area's copies the image's pages again (become_image()).
 */
#ifndef CN_PERSIST_SHADOW_H
#define CN_PERSIST_SHADOW_H

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pieces.h"
#include "base/track.h"

/* An area that a shadow is made for: pages at a fixed address, of which the first `size` bytes are there. Its owner grows
 * it. */
struct paged {
    uint8_t *base;
    uint64_t size, most; /* bytes now, and at most; whole pages */
    bool imaged;         /* a mapped image is behind its pages: untouched ones need not be zero */
};

/* An undo record: the pages of the shadow that a checkpoint overwrote. */
struct undo {
    struct undo *next; /* to be applied after this one */
    uint64_t size;     /* of the area at the checkpoint before */
    size_t count;      /* of pages */
    size_t capacity;   /* of the arrays */
    uint32_t *index;   /* of each page */
    uint8_t *pages;    /* their contents before */
};

/*
 * An image is shared memory, so that a child of the process (fork) sees the parent's changes in it. A counter
 * behind the pages is incremented before each change: the child compares it with `changes`, which it has from
 * the fork, to know whether the pages are still those of the fork.
 */
struct shadow {
    struct alloc *alloc;
    const struct tracker *tracker;
    uint8_t *base; /* of the area */
    struct spaces *spaces;
    struct space pages_space, differing_space; /* what pages and differing take of it */
    uint8_t *pages;                            /* the copy; zero from `size` on */
    size_t reserved;                           /* bytes of address space at pages */
    uint64_t size;                             /* of the area at the checkpoint */
    uint64_t watched; /* bytes of the area, from its start, that the tracker watches */
    uint64_t locked;  /* during a rollback: the area is inaccessible from here; else UINT64_MAX */
    uint64_t *differing; /* a bit for each page of the operating system */
    size_t count;        /* of bits set */
    size_t copied;       /* pages that the first checkpoint copied */
    size_t page;         /* bytes */
    struct undo *spare;  /* a free record, kept for its buffers; or NULL */
    int image;           /* TRACK_COPY_ON_WRITE: the file behind pages and the area; else -1 */
    uint64_t
        changes; /* value of the counter behind the pages after the last change of this process */
};

/* An empty shadow: that of an area of size 0. NULL and *error: memory is exhausted. */
struct shadow *cn_shadow_new(struct alloc *, struct spaces *, const struct paged *,
                             const struct tracker *, struct error *);
/* The area keeps its contents, and with cn_shadow_is_image() has an image behind its pages from now on. */
void cn_shadow_delete(struct shadow *);
static inline bool cn_shadow_is_image(const struct shadow *shadow) {
    return shadow->image >= 0;
}

/* `size` below is that of the area now. */

/* In a child of the process that made the shadow: pages that may differ are found by comparison, once,
 * and by this process's tracker (or by comparison, when it is of another kind) from now on. A shadow
 * and an area that the parent could change become the child's own. On failure nothing has changed. */
bool cn_shadow_adopt(struct shadow *, uint64_t size, const struct tracker *, struct error *);

/* Adds the pages that were written since the last call with `protect` to `differing`; with `protect`, the
 * tracker begins to watch for further writes. */
bool cn_shadow_collect(struct shadow *, uint64_t size, bool protect, struct error *);
/* After cn_shadow_collect(): allocates an undo record for what cn_shadow_take() will overwrite. */
bool cn_shadow_prepare(struct shadow *, struct undo **, struct error *);
/* Makes the shadow equal to the area, and fills the record; NULL: nothing is recorded. Cannot fail. */
void cn_shadow_take(struct shadow *, uint64_t size, struct undo *);
/* Applies records to the shadow, in the order of the list, which may be NULL. Cannot fail. */
void cn_shadow_undo(struct shadow *, const struct undo *);
/* Prepares the rollback to a size: makes what is beyond it inaccessible, which may fail. */
bool cn_shadow_lock(struct shadow *, uint64_t size, uint64_t to, struct error *);
void cn_shadow_unlock(struct shadow *, uint64_t size, uint64_t to);
/* After cn_shadow_collect() and cn_shadow_lock(): makes the area equal to the shadow, whose size it has then. False: the
 * system did not take back what is beyond that size. It stays inaccessible, and the area must not grow any more. */
bool cn_shadow_restore(struct shadow *, uint64_t size);

static inline bool is_zero_page(const uint8_t *page, size_t size) {
    return page[0] == 0 && memcmp(page, page + 1, size - 1) == 0;
}

/* Bytes that the first checkpoint copied. */
static inline uint64_t cn_shadow_copies(const struct shadow *shadow) {
    return (uint64_t)shadow->copied * shadow->page;
}
/* Frees a list of records, which may be NULL; the shadow keeps one as a spare. */
void cn_undo_free(struct shadow *, struct undo *);

#endif
