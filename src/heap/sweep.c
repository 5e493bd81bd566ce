/* Sweeping: a block at a time, when the walk for holes comes to it. */
#include "heap/internal.h"

/* ---- Blocks ---- */

/* A bit for each line of a word of marks, four of them. */
static inline uint64_t lines_of(uint64_t marks) {
    marks |= marks >> 8;
    marks |= marks >> 4;
    marks |= marks >> 2;
    marks |= marks >> 1;
    marks &= UINT64_C(0x0001000100010001);
    return (marks * UINT64_C(0x0001000200040008)) >> 48 & 15;
}

/* Unmarked objects are no objects any more; lines without marks are free. Returns whether there is a mark. */
static bool sweep_words(struct heap *h, uint32_t block) {
    uint64_t *starts = block_starts(h, block), *marks = block_marks(h, block), any = 0;
    uint64_t lines[LINE_WORDS] = {0};
    for (uint32_t i = 0; i < BLOCK_WORDS; i++) {
        starts[i] &= marks[i];
        any |= marks[i];
        lines[i / 16] |= lines_of(marks[i]) << (i % 16 * 4);
    }
    memset(marks, 0, BLOCK_WORDS * sizeof *marks);
    memcpy(block_lines(h, block), lines, sizeof lines);
    return any != 0;
}

static void sweep_large(struct heap *h, uint32_t block) {
    uint64_t *start = block_starts(h, block), *mark = block_marks(h, block);
    bool marked = *mark & 1;
    CN_ASSERT(*start == 1 && *mark <= 1);
    *mark = 0;
    if (marked)
        return;
    *start = 0;
    do
        cn_region_free(h, block++);
    while (block < h->now.blocks && block_kind(h, block) == BLOCK_MORE);
}

static void sweep_block(struct heap *h, uint32_t block) {
    switch (block_kind(h, block)) {
    case BLOCK_SMALL:
        if (!sweep_words(h, block) && block > 0)
            cn_region_free(h, block);
        if (block == 0)
            *block_lines(h, 0) |= 1;
        return;
    case BLOCK_LARGE:
        sweep_large(h, block);
        return;
    case BLOCK_FREE:
    case BLOCK_MORE:
        return;
    }
}

void cn_sweep_to(struct heap *h, uint32_t block) {
    uint32_t end = block < h->sweep_end ? block : h->sweep_end;
    while (h->phase == HEAP_SWEEPING && h->sweep < end)
        sweep_block(h, h->sweep++);
}

/* ---- The side table ---- */

static void sweep_side(struct heap *h, uint32_t number) {
    uint8_t flags = h->side.flags[number];
    uint64_t slot = h->side.keys[number];
    h->side.flags[number] &= (uint8_t)~NUMBER_MARKED;
    if (flags != NUMBER_USED)
        return;
    cn_numbering_remove(&h->side, number);
    if (h->owner.drop && !heap_slot_is_converted(slot))
        h->owner.drop(h->owner.env, slot);
}

void cn_sweep_some(struct heap *h, uint32_t blocks, uint32_t entries) {
    CN_ASSERT(h->phase == HEAP_SWEEPING);
    uint32_t left = h->sweep_end - h->sweep;
    cn_sweep_to(h, h->sweep + (blocks < left ? blocks : left));
    for (; entries > 0 && h->side_sweep < h->side.end; entries--)
        sweep_side(h, h->side_sweep++);
    if (is_swept(h))
        h->phase = HEAP_IDLE;
}
