/* Marking: roots, barriers, the mark stack, and looking at objects. */
#include "heap/internal.h"

/*
 * The mark stack is a list of chunks. An entry is the handle of an object that is marked and was not looked at, or, of a
 * long array, two words: the index of the element to go on with, and the handle with the lowest bit set.
 */
#ifdef CATNAP_TINY_LIMITS
#define CHUNK_ENTRIES 14u
#define SLICE 48u
#else
#define CHUNK_ENTRIES 1020u
#define SLICE 256u /* elements of an array that are looked at together */
#endif
struct mark_chunk {
    struct mark_chunk *below;
    uint32_t count;
    uint32_t unused;
    uint32_t entries[CHUNK_ENTRIES];
};
/* The stack takes at most 1/STACK_PART of the committed bytes. */
#define STACK_PART 16u

/* ---- The stack ---- */

static struct mark_chunk *chunk_new(struct heap *h) {
    struct mark_chunk *chunk = cn_alloc(h->alloc, sizeof *chunk);
    if (chunk) {
        chunk->below = NULL;
        chunk->count = 0;
        h->stack_bytes += sizeof *chunk;
    }
    return chunk;
}

static void chunk_free(struct heap *h, struct mark_chunk *chunk) {
    if (!chunk)
        return;
    h->stack_bytes -= sizeof *chunk;
    cn_free(h->alloc, chunk, sizeof *chunk);
}

bool cn_mark_init(struct heap *h) {
    h->stack = chunk_new(h);
    return h->stack != NULL;
}

void cn_mark_destroy(struct heap *h) {
    chunk_free(h, h->spare);
    h->spare = NULL;
    while (h->stack) {
        struct mark_chunk *chunk = h->stack;
        h->stack = chunk->below;
        chunk_free(h, chunk);
    }
}

void cn_mark_trim(struct heap *h) {
    CN_ASSERT(!h->stack->below && h->stack->count == 0);
    chunk_free(h, h->spare);
    h->spare = NULL;
}

/* Room for two more entries in the chunk on top. */
static bool push_chunk(struct heap *h) {
    struct mark_chunk *chunk = h->spare;
    if (!chunk && h->stack_bytes < committed(h) / STACK_PART)
        chunk = chunk_new(h);
    if (!chunk)
        return false;
    h->spare = NULL;
    chunk->below = h->stack;
    h->stack = chunk;
    return true;
}

static bool pop_chunk(struct heap *h) {
    struct mark_chunk *chunk = h->stack;
    if (!chunk->below)
        return false;
    h->stack = chunk->below;
    chunk_free(h, h->spare);
    h->spare = chunk;
    return true;
}

/* Marks of lines and objects, and those of the side table, are of a marking or of a sweep under way. */
void cn_mark_abandon(struct heap *h) {
    if (h->phase == HEAP_IDLE)
        return;
    while (h->stack->below)
        pop_chunk(h);
    h->stack->count = 0;
    cn_mark_trim(h);
    memset(h->ahead, 0, sizeof h->ahead);
    memset(h->marks, 0, (size_t)heap_start_words(committed(h)) * sizeof *h->marks);
    for (uint32_t i = 1; i < h->side.end; i++)
        h->side.flags[i] &= (uint8_t)~NUMBER_MARKED;
    h->marking = false;
    h->phase = HEAP_IDLE;
}

/* The block's marked objects are to be looked at again. */
static void note_rescan(struct heap *h, uint32_t handle) {
    uint32_t block = block_of(heap_offset(handle));
    h->kinds[block] |= KIND_RESCAN;
    if (h->now.rescan_from > block)
        h->now.rescan_from = block;
    if (h->now.rescan_end <= block)
        h->now.rescan_end = block + 1;
}

static __attribute__((noinline)) void push_on_new_chunk(struct heap *h, uint32_t handle) {
    if (push_chunk(h))
        h->stack->entries[h->stack->count++] = handle;
    else
        note_rescan(h, handle);
}

static inline void push(struct heap *h, uint32_t handle) {
    struct mark_chunk *chunk = h->stack;
    if (unlikely(chunk->count + 2 > CHUNK_ENTRIES))
        push_on_new_chunk(h, handle);
    else
        chunk->entries[chunk->count++] = handle;
}

static void push_slice(struct heap *h, uint32_t handle, uint32_t index) {
    if (h->stack->count + 2 > CHUNK_ENTRIES && !push_chunk(h)) {
        note_rescan(h, handle);
        return;
    }
    struct mark_chunk *chunk = h->stack;
    chunk->entries[chunk->count++] = index;
    chunk->entries[chunk->count++] = handle | 1;
}

/* ---- Marking one ---- */

static inline void mark_object(struct heap *h, uint32_t handle) {
    uint64_t granule = heap_offset(handle) / HEAP_GRANULE;
    uint64_t *word = &h->marks[granule >> 6], bit = UINT64_C(1) << (granule & 63);
    CN_ASSERT(is_start(h, heap_offset(handle)));
    if (*word & bit)
        return;
    *word |= bit;
    push(h, handle);
}

/* Any reference in an object. */
static inline void mark_reference(struct heap *h, uint32_t handle) {
    if (heap_is_object(handle))
        mark_object(h, handle);
}

void cn_heap_mark(struct heap *h, uint32_t handle) {
    CN_ASSERT(h->marking);
    mark_reference(h, handle);
}

void cn_heap_mark_side(struct heap *h, uint32_t number) {
    if (number == 0)
        return;
    CN_ASSERT(cn_numbering_has(&h->side, number));
    if (h->side.flags[number] & NUMBER_MARKED)
        return;
    h->side.flags[number] |= NUMBER_MARKED;
    if (heap_slot_is_converted(h->side.keys[number]) && h->marking)
        cn_heap_mark(h, heap_converted(h->side.keys[number]));
}

static void mark_candidate(struct heap *h, uint32_t handle) {
    if (heap_is_object(handle) && is_start(h, heap_offset(handle)))
        mark_object(h, handle);
}

void cn_heap_mark_slots(struct heap *h, const uint64_t *from, const uint64_t *to) {
    CN_ASSERT(h->marking);
    for (; from < to; from++) {
        if (*from <= UINT32_MAX)
            mark_candidate(h, (uint32_t)*from);
        else if (heap_slot_is_converted(*from))
            mark_candidate(h, heap_converted(*from));
    }
}

/* ---- Barriers ---- */

void cn_heap_note_old(struct heap *h, uint32_t old, bool side) {
    if (side)
        cn_heap_mark_side(h, old);
    else
        mark_reference(h, old);
}

static void mark_side_range(struct heap *h, uint64_t offset, uint32_t count) {
    for (; count > 0; count--, offset += 4)
        cn_heap_mark_side(h, heap_load(h, offset));
}

static inline void mark_range(struct heap *h, uint64_t offset, uint32_t count, bool side) {
    if (unlikely(side)) {
        mark_side_range(h, offset, count);
        return;
    }
    for (; count > 0; count--, offset += 4)
        mark_reference(h, heap_load(h, offset));
}

void cn_heap_overwrite_range(struct heap *h, uint64_t offset, uint32_t count, bool side) {
    if (h->marking)
        mark_range(h, offset, count, side);
}

/* ---- Looking at objects. All return about how many bytes they looked at ---- */

/* An object costs at least so much. */
#define LEAST_COST 32u

static uint64_t scan_slice(struct heap *h, uint32_t handle, uint32_t index) {
    uint32_t left = heap_length(h, handle) - index, count = left > SLICE ? SLICE : left;
    uint64_t offset = heap_offset(handle) + HEAP_ELEMENTS_OFFSET + index * UINT64_C(4);
    if (count < left)
        push_slice(h, handle, index + count);
    mark_range(h, offset, count, heap_type_of(h, handle)->refs == REFS_SIDE);
    return LEAST_COST + count * UINT64_C(4);
}

static void scan_runs(struct heap *h, uint64_t offset, const struct heap_run *run) {
    for (; run->count > 0; run++)
        mark_range(h, offset + run->offset, run->count, run->side);
}

/* Everything that an object refers to, or the first slice of it. */
static inline uint64_t scan_references(struct heap *h, uint32_t handle,
                                       const struct heap_type *type) {
    if (type->refs == REFS_NONE)
        return LEAST_COST;
    if (type->kind == HEAP_ARRAY)
        return scan_slice(h, handle, 0);
    scan_runs(h, heap_offset(handle), type->runs);
    return LEAST_COST + type->bytes;
}

static inline uint64_t scan(struct heap *h, uint32_t handle) {
    uint64_t offset = heap_offset(handle);
    const struct heap_type *type = heap_type_of(h, handle);
    uint64_t bytes = object_bytes(h, type, offset);
    h->live += bytes;
    if (offset / HEAP_LINE != (offset + bytes - 1) / HEAP_LINE)
        cn_cover_lines(h, offset, bytes);
    return scan_references(h, handle, type);
}

/* ---- Looking again, where the stack had no room ---- */

/* All marked objects of a block: `live` and lines count those that were looked at before twice. */
static uint64_t rescan_block(struct heap *h, uint32_t block) {
    uint64_t cost = LEAST_COST;
    h->kinds[block] &= KIND_MASK;
    h->stats.rescans++;
    for (uint32_t i = 0; i < BLOCK_WORDS; i++) {
        uint64_t word = block_starts(h, block)[i] & block_marks(h, block)[i];
        for (; word; word &= word - 1) {
            uint64_t offset =
                block_start(block) + (i * 64 + (uint32_t)__builtin_ctzll(word)) * HEAP_GRANULE;
            uint64_t live = h->live;
            cost += scan(h, heap_handle(offset));
            h->live = live;
        }
    }
    return cost;
}

/* 0: there is none. */
static uint64_t rescan_next(struct heap *h) {
    while (h->now.rescan_from < h->now.rescan_end) {
        uint32_t block = h->now.rescan_from++;
        if (h->kinds[block] & KIND_RESCAN)
            return rescan_block(h, block);
    }
    h->now.rescan_from = UINT32_MAX;
    h->now.rescan_end = 0;
    return 0;
}

/* ---- An increment ---- */

/* The next handle to look at; it was fetched into the cache meanwhile, while others were looked at. */
static inline uint32_t look_ahead(struct heap *h, uint32_t handle) {
    uint32_t *place = &h->ahead[h->ahead_at++ & (MARK_AHEAD - 1)], earlier = *place;
    *place = handle;
    if (handle)
        __builtin_prefetch(heap_at(h, handle));
    return earlier;
}

/* Of what was popped before. */
static uint64_t scan_ahead(struct heap *h) {
    for (uint32_t i = 0; i < MARK_AHEAD; i++) {
        uint32_t handle = look_ahead(h, 0);
        if (handle)
            return scan(h, handle);
    }
    return 0;
}

static inline uint64_t pop_and_scan(struct heap *h) {
    struct mark_chunk *chunk = h->stack;
    uint32_t handle = chunk->entries[--chunk->count];
    if (handle & 1)
        return scan_slice(h, handle & ~1u, chunk->entries[--chunk->count]);
    handle = look_ahead(h, handle);
    return handle ? scan(h, handle) : 1;
}

/* The cost of the next thing to do; 0: there is none. */
static inline uint64_t mark_next(struct heap *h) {
    if (likely(h->stack->count > 0))
        return pop_and_scan(h);
    if (pop_chunk(h))
        return 1;
    uint64_t cost = scan_ahead(h);
    return cost ? cost : rescan_next(h);
}

bool cn_mark_some(struct heap *h, uint64_t bytes) {
    uint64_t done = 0, cost = 1;
    while (cost > 0 && done < bytes)
        done += cost = mark_next(h);
    h->work += done;
    return cost == 0;
}
