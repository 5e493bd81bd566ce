/* The mapping of a heap: committing, and finding free blocks. */
#include "heap/internal.h"

#include "base/platform.h"
#include "base/track.h"

/* Bytes that the region grows by at least. */
#ifdef CATNAP_TINY_LIMITS
#define LEAST_GROWTH (2 * HEAP_BLOCK)
#else
#define LEAST_GROWTH (8 * HEAP_BLOCK)
#endif
/* Otherwise it grows by 1/GROWTH_PART of itself. */
#define GROWTH_PART 32u

/* ---- Reserving ---- */

static uint64_t round_to(uint64_t bytes, uint64_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

/* Bytes of the arrays behind a region: starts and marks, lines, kinds. Each begins on a page. */
struct parts {
    uint64_t bits, lines, kinds, page;
};
static struct parts parts_of(uint64_t region, uint64_t page) {
    uint64_t blocks = region / HEAP_BLOCK;
    return (struct parts){round_to(region / HEAP_GRANULE / 8, page),
                          round_to(blocks * LINE_WORDS * sizeof(uint64_t), page),
                          round_to(blocks, page), page};
}
static uint64_t whole_of(uint64_t region, uint64_t page) {
    struct parts parts = parts_of(region, page);
    return region + 2 * parts.bits + parts.lines + parts.kinds;
}

/* The largest region, a multiple of the unit, that fits with its arrays into so many bytes. */
static uint64_t region_within(uint64_t bytes, uint64_t most, uint64_t unit, uint64_t page) {
    uint64_t low = 0, high = most / unit;
    while (low < high) {
        uint64_t middle = (low + high + 1) / 2;
        if (whole_of(middle * unit, page) <= bytes)
            low = middle;
        else
            high = middle - 1;
    }
    return low * unit;
}

bool cn_region_reserve(struct heap *h) {
    uint64_t page = cn_os_page_bytes(), unit = round_to(LEAST_GROWTH, page);
    uint64_t most = h->config.most_bytes;
    most = most && most < LIMIT_HEAP_BYTES ? most : LIMIT_HEAP_BYTES;
    most = most < unit ? unit : most / unit * unit;
    while (whole_of(most, page) > SIZE_MAX / 2)
        most = most / 2 / unit * unit;
    h->base = cn_os_reserve_some((size_t)whole_of(unit, page), (size_t)whole_of(most, page),
                                 SPARE_SOME, &h->mapped);
    if (!h->base)
        return false;
    h->unit = (uint32_t)(unit / HEAP_BLOCK);
    h->reserved = region_within(h->mapped, most, unit, page);
    CN_ASSERT(h->reserved >= unit);
    struct parts parts = parts_of(h->reserved, page);
    h->starts = (uint64_t *)(h->base + h->reserved);
    h->marks = (uint64_t *)((uint8_t *)h->starts + parts.bits);
    h->lines = (uint64_t *)((uint8_t *)h->marks + parts.bits);
    h->kinds = (uint8_t *)h->lines + parts.lines;
    return true;
}

struct heap_span cn_heap_area(const struct heap *h, enum heap_area area) {
    uint64_t page = cn_os_page_bytes();
    static const uint32_t of_block[] = {[HEAP_REGION] = HEAP_BLOCK,
                                        [HEAP_STARTS] = BLOCK_WORDS * sizeof(uint64_t),
                                        [HEAP_LINES] = LINE_WORDS * sizeof(uint64_t),
                                        [HEAP_KINDS] = 1};
    uint8_t *const bases[] = {[HEAP_REGION] = h->base,
                              [HEAP_STARTS] = (uint8_t *)h->starts,
                              [HEAP_LINES] = (uint8_t *)h->lines,
                              [HEAP_KINDS] = h->kinds};
    return (struct heap_span){
        .base = bases[area],
        .size = round_to((uint64_t)h->now.blocks * of_block[area], page),
        .most = round_to(h->reserved / HEAP_BLOCK * of_block[area], page),
    };
}

/* ---- Committing ---- */

/* The part of an array that belongs to a range of blocks. Pages that are committed already stay as they are. */
static bool commit_part(void *array, size_t bytes_of_block, uint32_t from, uint32_t to) {
    size_t page = cn_os_page_bytes();
    size_t start = from * bytes_of_block / page * page;
    return cn_os_commit((uint8_t *)array + start, to * bytes_of_block - start);
}

static bool commit_parts(struct heap *h, uint32_t from, uint32_t to) {
    size_t bits = BLOCK_WORDS * sizeof(uint64_t);
    return commit_part(h->starts, bits, from, to) && commit_part(h->marks, bits, from, to) &&
           commit_part(h->lines, LINE_WORDS * sizeof(uint64_t), from, to) &&
           commit_part(h->kinds, 1, from, to) && commit_part(h->base, HEAP_BLOCK, from, to);
}

/* The first block is never free: no object lies in its first line, since a handle of 0 is null. */
static void begin_first_block(struct heap *h) {
    cn_block_take(h, 0);
    cn_hole_open(h, HEAP_LINE, HEAP_BLOCK);
    h->now.first_free = 1;
}

bool cn_region_commit(struct heap *h, uint32_t blocks) {
    CN_ASSERT(blocks > h->now.blocks && blocks % h->unit == 0);
    uint64_t bytes = block_start(blocks - h->now.blocks);
    if (blocks > h->reserved / HEAP_BLOCK || (h->owner.take && !h->owner.take(h->owner.env, bytes)))
        return false;
    if (!commit_parts(h, h->now.blocks, blocks)) {
        if (h->owner.give)
            h->owner.give(h->owner.env, bytes);
        return false;
    }
    bool first = h->now.blocks == 0;
    if (h->now.first_free > h->now.blocks)
        h->now.first_free = h->now.blocks;
    h->now.blocks = blocks;
    h->now.no_run = UINT32_MAX;
    h->stats.committed = committed(h);
    if (h->stats.peak < h->stats.committed)
        h->stats.peak = h->stats.committed;
    if (first)
        begin_first_block(h);
    return true;
}

/* Free blocks at the end of what is committed. */
static uint32_t free_at_end(const struct heap *h) {
    uint32_t block = h->now.blocks;
    while (block > 0 && block_kind(h, block - 1) == BLOCK_FREE)
        block--;
    return h->now.blocks - block;
}

bool cn_region_grow(struct heap *h, uint32_t blocks) {
    uint32_t free = free_at_end(h);
    CN_ASSERT(free < blocks);
    uint64_t least = round_to(blocks - free, h->unit),
             more = round_to(h->now.blocks / GROWTH_PART, h->unit);
    uint64_t most = h->reserved / HEAP_BLOCK - h->now.blocks;
    if (least > most)
        return false;
    if (more > most)
        more = most;
    return (more > least && cn_region_commit(h, h->now.blocks + (uint32_t)more)) ||
           cn_region_commit(h, h->now.blocks + (uint32_t)least);
}

void cn_heap_trim(struct heap *h, uint64_t keep) {
    uint32_t blocks = h->now.blocks,
             least = (uint32_t)(round_to(keep, heap_unit_bytes(h)) / HEAP_BLOCK);
    if (h->phase != HEAP_IDLE)
        return;
    while (blocks > h->unit && blocks > least && block_kind(h, blocks - 1) == BLOCK_FREE)
        blocks--;
    blocks = (uint32_t)round_to(blocks, h->unit);
    if (blocks == h->now.blocks ||
        !cn_os_decommit(h->base + block_start(blocks), (size_t)block_start(h->now.blocks - blocks)))
        return;
    if (h->owner.give)
        h->owner.give(h->owner.env, block_start(h->now.blocks - blocks));
    h->now.blocks = blocks;
    h->stats.committed = committed(h);
    h->now.walk_end = h->now.walk_end < blocks ? h->now.walk_end : blocks;
    h->now.clean = h->now.clean < committed(h) ? h->now.clean : committed(h);
    h->now.first_free = h->now.first_free < blocks ? h->now.first_free : blocks;
}

/* ---- Free blocks ---- */

static uint32_t find_one(struct heap *h) {
    const uint8_t *from = h->kinds + h->now.first_free;
    const uint8_t *found = h->now.first_free < h->now.blocks
                               ? memchr(from, BLOCK_FREE, h->now.blocks - h->now.first_free)
                               : NULL;
    h->now.first_free = found ? (uint32_t)(found - h->kinds) : h->now.blocks;
    return found ? h->now.first_free : NO_BLOCK;
}

/* How many blocks are free side by side from this one on, `count` at most. */
static uint32_t free_run(const struct heap *h, uint32_t block, uint32_t count) {
    uint32_t run = 0;
    while (run < count && block + run < h->now.blocks && block_kind(h, block + run) == BLOCK_FREE)
        run++;
    return run;
}

/* The first run of so many free blocks that begins in a range. */
static uint32_t find_run(const struct heap *h, uint32_t from, uint32_t to, uint32_t count) {
    while (from < to) {
        uint32_t run = free_run(h, from, count);
        if (run == count)
            return from;
        from += run;
        while (from < to && block_kind(h, from) != BLOCK_FREE)
            from++;
    }
    return NO_BLOCK;
}

/* A search for several blocks goes on where the last one ended, so that it does not pass the same blocks each time. */
uint32_t cn_region_find(struct heap *h, uint32_t count) {
    uint32_t first = find_one(h);
    if (count == 1 || first == NO_BLOCK)
        return first;
    if (count >= h->now.no_run)
        return NO_BLOCK;
    uint32_t from =
        h->now.run_from > first && h->now.run_from < h->now.blocks ? h->now.run_from : first;
    uint32_t found = find_run(h, from, h->now.blocks, count);
    if (found == NO_BLOCK)
        found = find_run(h, first, from, count);
    if (found == NO_BLOCK)
        h->now.no_run = count;
    else
        h->now.run_from = found + count;
    return found;
}

void cn_region_free(struct heap *h, uint32_t block) {
    h->kinds[block] = BLOCK_FREE;
    h->now.no_run = UINT32_MAX;
    if (block < h->now.first_free)
        h->now.first_free = block;
}

/* ---- Contents ---- */

void cn_region_use(struct heap *h, uint64_t to) {
    if (h->now.clean < to)
        h->now.clean = to;
}

void cn_region_clear(struct heap *h, uint64_t from, uint64_t to) {
    if (from < h->now.clean)
        memset(h->base + from, 0, (size_t)((to < h->now.clean ? to : h->now.clean) - from));
    cn_region_use(h, to);
}
