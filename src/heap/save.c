/* Heaps that come from elsewhere: a snapshot, which may be hostile, or an earlier state of the store. */
#include "heap/internal.h"

#include <inttypes.h>

uint64_t cn_next_start(const struct heap *h, uint64_t offset) {
    uint64_t granule = offset / HEAP_GRANULE, end = committed(h) / HEAP_GRANULE;
    while (granule < end) {
        uint64_t word = h->starts[granule / 64] >> (granule % 64);
        if (word)
            return (granule + (uint64_t)__builtin_ctzll(word)) * HEAP_GRANULE;
        granule = (granule / 64 + 1) * 64;
    }
    return committed(h);
}

/* ---- One object ---- */

static bool fails(uint64_t offset, const char *problem, struct error *error) {
    return cn_fail(error, CATNAP_MALFORMED, "heap: the object at %" PRIu64 " %s", offset, problem);
}

/* Whether an object of this size may lie there. */
static bool check_place(const struct heap *h, uint64_t offset, uint64_t bytes,
                        struct error *error) {
    if (bytes > committed(h) - offset)
        return fails(offset, "is longer than the heap", error);
    if (bytes < HEAP_BLOCK && block_of(offset) != block_of(offset + bytes - 1))
        return fails(offset, "crosses the end of its block", error);
    if (bytes >= HEAP_BLOCK && (offset % HEAP_BLOCK != 0 || offset == 0))
        return fails(offset, "is large and does not begin a block", error);
    return true;
}

uint64_t cn_check_object(const struct heap *h, uint64_t offset, struct error *error) {
    uint32_t number = heap_load(h, offset);
    if (offset < HEAP_LINE) {
        fails(offset, "is null", error);
        return 0;
    }
    if (number == 0 || number >= h->type_index.end || !h->types[number].bytes) {
        fails(offset, "has no type", error);
        return 0;
    }
    uint64_t bytes = object_bytes(h, &h->types[number], offset);
    return check_place(h, offset, bytes, error) ? bytes : 0;
}

/* ---- Rebuilding ---- */

static void forget_areas(struct heap *h) {
    h->phase = HEAP_IDLE;
    h->marking = false;
    h->now.cursor = h->now.limit = h->now.end = h->now.overflow.cursor = h->now.overflow.end = 0;
    h->sweep = h->sweep_end = h->now.walk_end = 0;
    memset(h->now.walks, 0, sizeof h->now.walks);
    h->now.clean = committed(h);
    h->now.first_free = h->now.blocks;
    h->now.no_run = UINT32_MAX;
    h->now.since = h->live = h->now.meagre = 0;
}

static void forget(struct heap *h) {
    forget_areas(h);
    memset(h->marks, 0, (size_t)heap_start_words(committed(h)) * sizeof *h->marks);
    memset(h->kinds, BLOCK_SMALL, h->now.blocks);
    for (uint32_t i = 1; i < h->side.end; i++)
        h->side.flags[i] &= (uint8_t)~NUMBER_MARKED;
}

static void enter_object(struct heap *h, uint64_t offset, uint64_t bytes) {
    heap_set_bit(h->marks, offset / HEAP_GRANULE);
    cn_cover_lines(h, offset, bytes);
    h->live += bytes;
    if (bytes < HEAP_BLOCK)
        return;
    memset(h->kinds + block_of(offset), BLOCK_MORE, (size_t)(bytes / HEAP_BLOCK));
    h->kinds[block_of(offset)] = BLOCK_LARGE;
}

static bool enter_objects(struct heap *h, struct error *error) {
    uint64_t end = 0; /* of the object before */
    for (uint64_t at = cn_next_start(h, 0); at < committed(h);
         at = cn_next_start(h, at + HEAP_GRANULE)) {
        if (at < end)
            return fails(at, "begins within another", error);
        uint64_t bytes = cn_check_object(h, at, error);
        if (!bytes)
            return false;
        enter_object(h, at, bytes);
        end = at + bytes;
    }
    return true;
}

/* As after a cycle that has marked everything: blocks are swept as they are needed. */
bool cn_heap_rebuild(struct heap *h, struct error *error) {
    forget(h);
    if (!enter_objects(h, error))
        return false;
    h->phase = h->now.blocks > 0 ? HEAP_SWEEPING : HEAP_IDLE;
    h->sweep_end = h->now.walk_end = h->now.blocks;
    h->side_sweep = h->side.end;
    h->stats.live = h->now.last_work = h->live;
    cn_cycle_plan(h, 0);
    return true;
}

/* ---- Resuming ---- */

static size_t line_bytes(uint64_t bytes) {
    return (size_t)block_of(bytes) * LINE_WORDS * sizeof(uint64_t);
}

size_t cn_heap_kept_bytes(uint64_t bytes) {
    return line_bytes(bytes) + block_of(bytes);
}

void cn_heap_keep(const struct heap *h, uint64_t bytes, void *kept) {
    CN_ASSERT(h->phase == HEAP_IDLE && h->now.cursor == h->now.limit && bytes <= committed(h));
    memcpy(kept, h->lines, line_bytes(bytes));
    memcpy((uint8_t *)kept + line_bytes(bytes), h->kinds, block_of(bytes));
}

void cn_heap_resume(struct heap *h, uint64_t bytes, uint64_t live, const void *kept) {
    CN_ASSERT(bytes > 0 && bytes <= committed(h));
    forget_areas(h);
    h->now.clean = bytes;
    h->now.first_free = 1;
    h->now.walk_end = h->now.blocks;
    memcpy(h->lines, kept, line_bytes(bytes));
    memcpy(h->kinds, (const uint8_t *)kept + line_bytes(bytes), block_of(bytes));
    h->stats.live = h->now.last_work = h->live = live;
    cn_cycle_plan(h, 0);
    CN_ASSERT(cn_heap_verify(h, NULL, &(struct error){0}));
}

/* ---- Preparing ---- */

bool cn_heap_prepare(struct heap *h, uint64_t bytes, struct error *error) {
    CN_ASSERT(h->now.blocks == 0);
    if (bytes % heap_unit_bytes(h) != 0)
        return cn_fail(error, CATNAP_MALFORMED, "a heap of %" PRIu64 " bytes", bytes);
    if (bytes == 0)
        return true;
    if (bytes > h->reserved || !cn_region_commit(h, block_of(bytes)))
        return cn_fail(error, CATNAP_LIMIT, "a heap of %" PRIu64 " bytes exceeds the limit", bytes);
    return true;
}

bool cn_heap_restore_side(struct heap *h, const uint64_t *slots, uint32_t end,
                          struct error *error) {
    return (end <= LIMIT_NUMBERS && cn_numbering_restore(&h->side, slots, end)) ||
           cn_fail_memory(error);
}

/* ---- Earlier states ---- */

void cn_heap_settle(struct heap *h) {
    cn_hole_revoke(h);
    if (h->phase == HEAP_SWEEPING)
        cn_sweep_some(h, UINT32_MAX, UINT32_MAX);
}

struct heap_now cn_heap_empty(const struct heap *h) {
    struct heap empty = {.config = h->config, .now.no_run = UINT32_MAX};
    cn_cycle_plan(&empty, 0);
    return empty.now;
}

/* Blocks that were noted in a marking under way when the state was saved. */
static void forget_notes(struct heap *h) {
    for (uint32_t i = h->now.rescan_from; i < h->now.rescan_end; i++)
        h->kinds[i] &= KIND_MASK;
    h->now.rescan_from = UINT32_MAX;
    h->now.rescan_end = 0;
}

void cn_heap_return(struct heap *h, const struct heap_now *then, bool shrunk) {
    uint64_t before = committed(h);
    CN_ASSERT(then->blocks <= h->now.blocks);
    cn_mark_abandon(h);
    h->now = *then;
    forget_notes(h);
    h->sweep = h->sweep_end = 0;
    h->side_sweep = h->side.end;
    if (!shrunk)
        h->reserved = committed(h);
    h->stats.committed = committed(h);
    if (h->owner.give && before > committed(h))
        h->owner.give(h->owner.env, before - committed(h));
}

/* ---- Saving ---- */

/* The end of the large object that begins before the block, or the start of the block. */
static uint64_t end_of_large(const struct heap *h, uint32_t block) {
    uint32_t head = block;
    while (head > 0 && block_kind(h, head - 1) == BLOCK_MORE)
        head--;
    if (head == 0 || block_kind(h, head - 1) != BLOCK_LARGE)
        return block_start(block);
    uint64_t offset = block_start(head - 1);
    uint64_t end = offset + object_bytes(h, heap_type_of(h, heap_handle(offset)), offset);
    return end > block_start(block) ? end : block_start(block);
}

static void clear(const struct heap *h, uint64_t from, uint64_t to) {
    CN_ASSERT(from % HEAP_GRANULE == 0 && to % HEAP_GRANULE == 0);
    for (; from < to; from += HEAP_GRANULE) {
        uint64_t word;
        memcpy(&word, h->base + from, sizeof word);
        if (word)
            memset(h->base + from, 0, sizeof word);
    }
}

/* Clears what lies between the objects that begin in a block; returns whether there is any, or the end of one. */
static bool tidy_block(const struct heap *h, uint32_t block, uint8_t *used) {
    uint64_t start = block_start(block), end = start + HEAP_BLOCK, free = end_of_large(h, block);
    bool any = free > start;
    for (uint64_t at = cn_next_start(h, start); at < end;
         at = cn_next_start(h, at + HEAP_GRANULE)) {
        uint32_t number = heap_load(h, at);
        clear(h, free, at);
        free = at + object_bytes(h, &h->types[number], at);
        used[number] = 1;
        any = true;
    }
    clear(h, free, end);
    return any;
}

uint64_t cn_heap_tidy(struct heap *h, uint8_t *used) {
    uint32_t last = 0;
    CN_ASSERT(h->phase == HEAP_IDLE && h->now.cursor == h->now.limit);
    for (uint32_t block = 0; block < h->now.blocks && block_start(block) < h->now.clean; block++)
        if (block_kind(h, block) == BLOCK_MORE || tidy_block(h, block, used))
            last = block + 1;
    return block_start(last);
}
