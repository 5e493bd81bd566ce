/*
 * Shared by the files of the heap: region.c (mapping, blocks), areas.c (holes), allocate.c (the slow path), mark.c,
 * sweep.c, cycle.c (phases and pace), types.c, verify.c, save.c.
 */
#ifndef CN_HEAP_INTERNAL_H
#define CN_HEAP_INTERNAL_H

#include <string.h>

#include "heap/heap.h"

#define LINE_GRANULES (HEAP_LINE / HEAP_GRANULE)
#define BLOCK_GRANULES (HEAP_BLOCK / HEAP_GRANULE)
#define BLOCK_WORDS (BLOCK_GRANULES / 64) /* of starts and marks */
#define BLOCK_LINES (HEAP_BLOCK / HEAP_LINE)
#define LINE_WORDS (BLOCK_LINES > 64 ? BLOCK_LINES / 64 : 1)
_Static_assert(LINE_GRANULES == 16, "a word of marks is four lines");

enum block_kind {
    BLOCK_FREE,  /* no object; its starts and marks are zero */
    BLOCK_SMALL, /* objects, and perhaps the end of a large one */
    BLOCK_LARGE, /* the first block of a large object, all of it */
    BLOCK_MORE   /* a further one, all of it */
};
#define KIND_MASK 3u
#define KIND_RESCAN 4u /* its marked objects are to be looked at again */
#define NO_BLOCK UINT32_MAX

static inline enum block_kind block_kind(const struct heap *h, uint32_t block) {
    return (enum block_kind)(h->kinds[block] & KIND_MASK);
}
static inline uint32_t block_of(uint64_t offset) {
    return (uint32_t)(offset >> HEAP_BLOCK_LOG2);
}
static inline uint64_t block_start(uint32_t block) {
    return (uint64_t)block << HEAP_BLOCK_LOG2;
}
static inline uint64_t *block_starts(const struct heap *h, uint32_t block) {
    return h->starts + (size_t)block * BLOCK_WORDS;
}
static inline uint64_t *block_marks(const struct heap *h, uint32_t block) {
    return h->marks + (size_t)block * BLOCK_WORDS;
}
static inline uint64_t *block_lines(const struct heap *h, uint32_t block) {
    return h->lines + (size_t)block * LINE_WORDS;
}
static inline uint64_t line_up(uint64_t offset) {
    return (offset + HEAP_LINE - 1) & ~(uint64_t)(HEAP_LINE - 1);
}
static inline uint64_t committed(const struct heap *h) {
    return block_start(h->now.blocks);
}
/* Bytes of an object, by its type and length in the region. */
static inline uint64_t object_bytes(const struct heap *h, const struct heap_type *type,
                                    uint64_t offset) {
    return type->kind == HEAP_ARRAY
               ? cn_array_bytes(type->log2, heap_load(h, offset + HEAP_LENGTH_OFFSET))
               : type->bytes;
}
static inline bool is_start(const struct heap *h, uint64_t offset) {
    return offset < committed(h) && heap_bit(h->starts, offset / HEAP_GRANULE);
}

/* region.c */
bool cn_region_reserve(struct heap *);
/* Commits up to so many blocks; false when owner or system refuse. */
bool cn_region_commit(struct heap *, uint32_t blocks);
/* By at least so many blocks, and by more where that is allowed. */
bool cn_region_grow(struct heap *, uint32_t blocks);
/* The first of so many free blocks side by side, or NO_BLOCK. They stay free. */
uint32_t cn_region_find(struct heap *, uint32_t count);
/* The block has become free. */
void cn_region_free(struct heap *, uint32_t block);
/* Makes bytes zero that are going to be used. */
void cn_region_clear(struct heap *, uint64_t from, uint64_t to);
/* The same for the end of a range that its user fills. */
void cn_region_use(struct heap *, uint64_t to);

/* areas.c */
/* Whether the collector still is to sweep the block in this cycle: what lies there must be marked to stay. */
static inline bool is_pending(const struct heap *h, uint32_t block) {
    return h->phase == HEAP_MARKING ||
           (h->phase == HEAP_SWEEPING && block >= h->sweep && block < h->sweep_end);
}
/* Sets the marks of granules in a range of offsets. */
void cn_set_marks(struct heap *, uint64_t from, uint64_t to);
/* Sets the mark of each line that an object reaches into behind the first; of a large one, in its last block. */
void cn_cover_lines(struct heap *, uint64_t offset, uint64_t bytes);
/* Takes bytes back that were granted to handlers and not used. */
void cn_hole_revoke(struct heap *);
/* Gives handlers at least so many bytes of the hole, which has them. */
void cn_hole_grant(struct heap *, uint64_t bytes);
/* Opens a range as hole, or as overflow area, in place of the one before. */
void cn_hole_open(struct heap *, uint64_t from, uint64_t to);
void cn_overflow_open(struct heap *, uint64_t from, uint64_t to);
void cn_areas_close(struct heap *);
/* Which walk finds holes for objects of so many bytes. */
static inline uint32_t walk_of(uint64_t bytes) {
    return (bytes > HEAP_LINE) + (bytes > HEAP_MEDIUM);
}
/* Looks for the next hole of `bytes` or more, in so many blocks at most. Its lines are in use from then on. */
bool cn_hole_find(struct heap *, uint64_t bytes, uint32_t blocks, uint64_t *from, uint64_t *to);
/* Makes a free block one for objects, all of its lines being in use. */
void cn_block_take(struct heap *, uint32_t block);

/* mark.c */
bool cn_mark_init(struct heap *);
void cn_mark_destroy(struct heap *);
/* Looks at marked objects of about so many bytes, and counts them in `work`. True: none is left. */
bool cn_mark_some(struct heap *, uint64_t bytes);
/* Gives back memory of the mark stack. */
void cn_mark_trim(struct heap *);
/* Ends a marking under way, which has found nothing then. */
void cn_mark_abandon(struct heap *);

/* sweep.c */
/* Up to this block, exclusive, at least. */
void cn_sweep_to(struct heap *, uint32_t block);
/* So many blocks and so many entries of the side table. The phase ends when nothing is left. */
void cn_sweep_some(struct heap *, uint32_t blocks, uint32_t entries);
static inline bool is_swept(const struct heap *h) {
    return h->sweep >= h->sweep_end && h->side_sweep >= h->side.end;
}

/* cycle.c */
/* The work that is due before an allocation. */
void cn_cycle_work(struct heap *);
/* A collection in one pause. Returns whether it had begun before, so that garbage of since then may be left. */
bool cn_cycle_finish(struct heap *);
/* Sets when the next cycle begins, by `last_work` and the statistics. `young` bytes were allocated since the last one
 * began. */
void cn_cycle_plan(struct heap *, uint64_t young);

/* types.c */
bool cn_types_begin(struct heap *);
void cn_types_end(struct heap *);

/* save.c: the bytes of the object at a start bit, of which nothing is known. 0 and *error: it is none. */
uint64_t cn_check_object(const struct heap *, uint64_t offset, struct error *);
/* The offset of the first start bit at or behind `offset`; the committed bytes when there is none. */
uint64_t cn_next_start(const struct heap *, uint64_t offset);

#endif
