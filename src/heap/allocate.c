/* The slow path of allocation. */
#include "heap/internal.h"

/* Blocks that one allocation looks at for a hole before it takes a free block. */
#define LONGEST_WALK 256u
/* A full collection is meagre when less than 1/MEAGRE_PART of the region is free after it. So many of these in a row, each
 * for an allocation that found no room: the heap is full, before collecting takes all the time there is. */
#define MEAGRE_PART 64u
#define MOST_MEAGRE 16u

/* ---- Room for an object. 0: there is none ---- */

static uint64_t take_from_hole(struct heap *h, uint64_t bytes) {
    uint64_t at = h->now.cursor;
    if (bytes > h->now.end - at)
        return 0;
    cn_hole_grant(h, bytes);
    h->now.cursor += bytes;
    return at;
}

static uint64_t take_from_overflow(struct heap *h, uint64_t bytes) {
    uint64_t at = h->now.overflow.cursor;
    if (bytes > h->now.overflow.end - at)
        return 0;
    h->now.overflow.cursor += bytes;
    h->now.since += bytes;
    h->stats.allocated += bytes;
    return at;
}

/* A hole for `bytes` or a free block. */
static bool find_area(struct heap *h, uint64_t bytes, bool whole, uint64_t *from, uint64_t *to) {
    if (cn_hole_find(h, bytes, whole ? UINT32_MAX : LONGEST_WALK, from, to))
        return true;
    uint32_t block = cn_region_find(h, 1);
    if (block == NO_BLOCK)
        return false;
    cn_block_take(h, block);
    *from = block_start(block);
    *to = block_start(block + 1);
    return true;
}

/* Not larger than a line: any hole has room. */
static uint64_t find_small(struct heap *h, uint64_t bytes, bool whole) {
    uint64_t at = take_from_hole(h, bytes), from, to;
    if (at || !find_area(h, bytes, whole, &from, &to))
        return at;
    cn_hole_open(h, from, to);
    return take_from_hole(h, bytes);
}

/* The rest of the overflow area becomes the hole when it is larger than that. */
static void keep_larger(struct heap *h) {
    uint64_t from = h->now.overflow.cursor, to = h->now.overflow.end;
    if (to - from <= h->now.end - h->now.cursor)
        return;
    h->now.overflow.cursor = h->now.overflow.end; /* not to be closed */
    cn_hole_open(h, from, to);
}

/* Smaller than a block. */
static uint64_t find_medium(struct heap *h, uint64_t bytes, bool whole) {
    uint64_t at = take_from_hole(h, bytes), from, to;
    if (!at)
        at = take_from_overflow(h, bytes);
    if (at || !find_area(h, bytes, whole, &from, &to))
        return at;
    keep_larger(h);
    cn_overflow_open(h, from, to);
    return take_from_overflow(h, bytes);
}

/* Makes blocks those of one object, of which the last one may have room for others. */
static void take_blocks(struct heap *h, uint32_t block, uint64_t bytes, bool clear) {
    uint32_t full = (uint32_t)(bytes / HEAP_BLOCK), tail = (uint32_t)(bytes % HEAP_BLOCK);
    uint64_t from = block_start(block), to = from + bytes;
    if (clear)
        cn_region_clear(h, from, to);
    else
        cn_region_clear(h, to - HEAP_GRANULE, to); /* what is behind the last element */
    memset(h->kinds + block, BLOCK_MORE, full);
    h->kinds[block] = BLOCK_LARGE;
    if (!tail)
        return;
    cn_block_take(h, block + full);
    if (is_pending(h, block + full))
        cn_cover_lines(h, from, bytes);
    uint64_t end = block_start(block + full + 1);
    if (end - to > h->now.overflow.end - h->now.overflow.cursor)
        cn_overflow_open(h, to, end);
}

static uint64_t find_large(struct heap *h, uint64_t bytes, bool clear, bool whole) {
    uint32_t count = (uint32_t)((bytes + HEAP_BLOCK - 1) / HEAP_BLOCK);
    uint32_t block = cn_region_find(h, count);
    if (block == NO_BLOCK && h->sweep < h->sweep_end) {
        cn_sweep_to(h, whole ? UINT32_MAX : h->sweep + LONGEST_WALK);
        block = cn_region_find(h, count);
    }
    if (block == NO_BLOCK)
        return 0;
    take_blocks(h, block, bytes, clear);
    h->now.since += bytes;
    h->stats.allocated += bytes;
    if (is_pending(h, block))
        heap_set_bit(h->marks, block_start(block) / HEAP_GRANULE);
    return block_start(block);
}

/* `whole`: without a limit for the search. */
static uint64_t find_room(struct heap *h, uint64_t bytes, bool clear, bool whole) {
    if (bytes <= HEAP_LINE)
        return find_small(h, bytes, whole);
    return bytes < HEAP_BLOCK ? find_medium(h, bytes, whole) : find_large(h, bytes, clear, whole);
}

static bool grow_for(struct heap *h, uint64_t bytes) {
    return cn_region_grow(h, (uint32_t)((bytes + HEAP_BLOCK - 1) / HEAP_BLOCK) +
                                 (h->now.blocks == 0 && bytes >= HEAP_BLOCK - HEAP_LINE));
}

/* ---- When none was found ---- */

/* After a full collection. */
static bool is_worth_it(struct heap *h) {
    uint64_t live = h->stats.live, all = committed(h);
    bool meagre = live > all || all - live < all / MEAGRE_PART;
    h->now.meagre = meagre ? h->now.meagre + 1 : 0;
    return h->now.meagre <= MOST_MEAGRE;
}

/* Collects: what the cycle under way has not found is found by the next one. */
static uint64_t collect_for(struct heap *h, uint64_t bytes, bool clear) {
    bool again;
    do {
        again = cn_cycle_finish(h);
        uint64_t at = again || is_worth_it(h) ? find_room(h, bytes, clear, true) : 0;
        if (at)
            return at;
    } while (again);
    return 0;
}

static uint64_t make_room(struct heap *h, uint64_t bytes, bool clear) {
    uint64_t at = find_room(h, bytes, clear, false);
    if (!at && grow_for(h, bytes))
        at = find_room(h, bytes, clear, false);
    if (!at)
        at = collect_for(h, bytes, clear);
    if (!at)
        h->now.meagre = 0; /* the next allocation has its chance */
    return at;
}

uint32_t cn_heap_allocate_slow(struct heap *h, uint32_t type, uint64_t bytes, bool clear) {
    CN_ASSERT(type > 0 && type < h->type_index.end && bytes % HEAP_GRANULE == 0);
    if (bytes > h->reserved - HEAP_LINE)
        return 0;
    cn_hole_revoke(h);
    cn_cycle_work(h);
    bool numbers = h->types[type].refs == REFS_NONE;
    uint64_t at = make_room(h, bytes, clear || !numbers);
    if (!at)
        return 0;
    heap_set_bit(h->starts, at / HEAP_GRANULE);
    heap_store(h, at, type);
    return heap_handle(at);
}

uint32_t cn_heap_new_array_slow(struct heap *h, uint32_t type, uint32_t length, bool clear) {
    uint64_t bytes = cn_array_bytes(h->types[type].log2, length);
    uint32_t array = cn_heap_allocate_slow(h, type, bytes, clear);
    if (array)
        heap_store(h, heap_offset(array) + HEAP_LENGTH_OFFSET, length);
    return array;
}
