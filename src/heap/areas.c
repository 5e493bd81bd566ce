/* Areas to allocate in: the hole, which handlers use, and the overflow area. */
#include "heap/internal.h"

/* ---- Marks ---- */

void cn_set_marks(struct heap *h, uint64_t from, uint64_t to) {
    if (from >= to)
        return;
    uint64_t first = from / HEAP_GRANULE, last = to / HEAP_GRANULE - 1;
    uint64_t low = ~UINT64_C(0) << (first & 63), high = ~UINT64_C(0) >> (63 - (last & 63));
    uint64_t *word = h->marks + first / 64, *end = h->marks + last / 64;
    if (word == end) {
        *word |= low & high;
        return;
    }
    *word++ |= low;
    while (word < end)
        *word++ = ~UINT64_C(0);
    *word |= high;
}

static void clear_lines_marks(struct heap *h, uint64_t from, uint64_t to) {
    for (uint64_t line = from / HEAP_LINE; line < to / HEAP_LINE; line++)
        h->marks[line / 4] &= ~(UINT64_C(0xFFFF) << (line % 4 * LINE_GRANULES));
}

void cn_cover_lines(struct heap *h, uint64_t offset, uint64_t bytes) {
    uint64_t last = (offset + bytes - 1) / HEAP_LINE, line = offset / HEAP_LINE + 1;
    if (bytes >= HEAP_BLOCK) {
        line = block_start(block_of(offset + bytes)) / HEAP_LINE;
        last = (offset + bytes) % HEAP_BLOCK ? last : line - 1;
    }
    for (; line <= last; line++)
        heap_set_bit(h->marks, line * LINE_GRANULES);
}

/* ---- Opening and closing ---- */

/* For the walks, the lines of a range are in use, or free. The range is within a block. */
static void set_lines(struct heap *h, uint64_t from, uint64_t to, bool used) {
    uint32_t block = block_of(from);
    for (uint64_t line = from / HEAP_LINE; line < to / HEAP_LINE; line++) {
        uint64_t *word = &block_lines(h, block)[line % BLOCK_LINES / 64];
        uint64_t bit = UINT64_C(1) << (line % BLOCK_LINES % 64);
        *word = used ? *word | bit : *word & ~bit;
    }
}

/* Whole lines of an area that is not used any more. */
static void close_area(struct heap *h, uint64_t from, uint64_t to) {
    from = line_up(from);
    if (from >= to)
        return;
    if (is_pending(h, block_of(from)))
        clear_lines_marks(h, from, to);
    set_lines(h, from, to, false);
}

static void open_area(struct heap *h, uint64_t from, uint64_t to) {
    CN_ASSERT(from % HEAP_GRANULE == 0 && to % HEAP_LINE == 0);
    CN_ASSERT(from >= to || block_of(from) == block_of(to - 1));
    cn_region_clear(h, from, to);
    if (from < to && is_pending(h, block_of(from)))
        cn_set_marks(h, from, to);
}

void cn_hole_open(struct heap *h, uint64_t from, uint64_t to) {
    cn_hole_revoke(h);
    close_area(h, h->now.cursor, h->now.end);
    open_area(h, from, to);
    h->now.cursor = h->now.limit = from;
    h->now.end = to;
}

void cn_overflow_open(struct heap *h, uint64_t from, uint64_t to) {
    close_area(h, h->now.overflow.cursor, h->now.overflow.end);
    open_area(h, from, to);
    h->now.overflow.cursor = from;
    h->now.overflow.end = to;
}

void cn_areas_close(struct heap *h) {
    cn_hole_revoke(h);
    close_area(h, h->now.cursor, h->now.end);
    close_area(h, h->now.overflow.cursor, h->now.overflow.end);
    h->now.cursor = h->now.limit = h->now.end = h->now.overflow.cursor = h->now.overflow.end = 0;
}

/* ---- Areas for handlers ---- */

static void count_allocated(struct heap *h, uint64_t bytes) {
    h->now.since += bytes;
    h->stats.allocated += bytes;
}

void cn_hole_revoke(struct heap *h) {
    count_allocated(h, h->now.cursor - h->now.limit); /* a negative number */
    h->now.limit = h->now.cursor;
}

/* While marking, handlers come back for the next increment after so many bytes. */
#define GRANT_WHILE_MARKING 8192u

void cn_hole_grant(struct heap *h, uint64_t bytes) {
    uint64_t left = h->now.end - h->now.cursor;
    CN_ASSERT(bytes <= left && h->now.limit == h->now.cursor);
    if (h->config.policy == HEAP_EVERY || h->config.policy == HEAP_STEPS)
        left = bytes;
    else if (h->phase == HEAP_MARKING && left > GRANT_WHILE_MARKING)
        left = bytes > GRANT_WHILE_MARKING ? bytes : GRANT_WHILE_MARKING;
    h->now.limit = h->now.cursor + left;
    count_allocated(h, left);
}

/* ---- The walks for holes ---- */

/* The next bit of a block's lines, from `line` on, that is set or clear; BLOCK_LINES: there is none. */
static uint32_t next_line(const uint64_t *lines, uint32_t line, bool used) {
    while (line < BLOCK_LINES) {
        uint64_t word = lines[line / 64] ^ (used ? 0 : ~UINT64_C(0));
        word >>= line % 64;
        if (word) {
            line += (uint32_t)__builtin_ctzll(word);
            return line < BLOCK_LINES ? line : BLOCK_LINES;
        }
        line = (line / 64 + 1) * 64;
    }
    return BLOCK_LINES;
}

/* The next hole in the block of a walk. */
static bool hole_in_block(struct heap *h, struct heap_walk *walk, uint64_t bytes, uint64_t *from,
                          uint64_t *to) {
    const uint64_t *lines = block_lines(h, walk->block);
    while (walk->line < BLOCK_LINES) {
        uint32_t first = next_line(lines, walk->line, false);
        uint32_t end = next_line(lines, first, true);
        walk->line = end;
        if (first < end && (end - first) * (uint64_t)HEAP_LINE >= bytes) {
            *from = block_start(walk->block) + first * HEAP_LINE;
            *to = block_start(walk->block) + end * HEAP_LINE;
            set_lines(h, *from, *to, true);
            return true;
        }
    }
    return false;
}

bool cn_hole_find(struct heap *h, uint64_t bytes, uint32_t blocks, uint64_t *from, uint64_t *to) {
    struct heap_walk *walk = &h->now.walks[walk_of(bytes)];
    for (; walk->block < h->now.walk_end && blocks > 0; walk->block++, walk->line = 0, blocks--) {
        cn_sweep_to(h, walk->block + 1);
        if (block_kind(h, walk->block) == BLOCK_SMALL && hole_in_block(h, walk, bytes, from, to))
            return true;
    }
    return false;
}

void cn_block_take(struct heap *h, uint32_t block) {
    CN_ASSERT(block_kind(h, block) == BLOCK_FREE);
    h->kinds[block] = BLOCK_SMALL;
    for (uint32_t i = 0; i < LINE_WORDS; i++)
        block_lines(h, block)[i] = ~UINT64_C(0);
}
