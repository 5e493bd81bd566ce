/* Where a memory is not zero. */
#include "persist/module.h"

#include <string.h>

#include "persist/backing.h"
#include "persist/checkpoint.h"
#include "runtime/store.h"

#define WORD sizeof(uint64_t)

struct scan {
    const uint8_t *base;
    uint64_t gap;
    uint64_t from, to; /* the range under way; none when equal */
    uint64_t distance; /* from the one before */
    size_t done;       /* all before this was looked at */
    memory_range found;
    void *env;
};

static uint64_t word_at(const uint8_t *base, uint64_t offset) {
    uint64_t word;
    memcpy(&word, base + offset, sizeof word);
    return word;
}

static void end_range(struct scan *s) {
    if (s->from < s->to)
        s->found(s->env, s->from, s->to, s->distance);
}

/* Bytes that begin and end with one that is not zero. */
static void add_bytes(struct scan *s, uint64_t from, uint64_t to) {
    if (s->from < s->to && from - s->to < s->gap) {
        s->to = to;
        return;
    }
    end_range(s);
    s->distance = s->from < s->to ? from - s->to : 0;
    s->from = from;
    s->to = to;
}

/* Words of zero are what divides: a gap of 8 bytes or more that counts has one. */
static void scan_words(void *env, size_t start, size_t end) {
    struct scan *s = env;
    for (uint64_t at = start; at < end;) {
        if (word_at(s->base, at) == 0) {
            at += WORD;
            continue;
        }
        uint64_t from = at, to;
        while (at < end && word_at(s->base, at) != 0)
            at += WORD;
        for (to = at; s->base[to - 1] == 0;)
            to--;
        while (s->base[from] == 0)
            from++;
        add_bytes(s, from, to);
    }
    s->done = end;
}

void cn_memory_ranges(wasm_memory_t *memory, uint64_t gap, memory_range found, void *env) {
    struct error ignored;
    struct scan s = {.base = memory->base, .gap = gap, .found = found, .env = env};
    const struct tracker *tracker = cn_engine_tracker(memory->ref.store->engine, &ignored);
    /* Untouched pages are zero, unless an image is behind them. */
    if (memory->imaged || cn_shadow_of(memory) || !tracker ||
        !cn_tracker_populated(tracker, memory->base, (size_t)memory->size, scan_words, &s))
        scan_words(&s, s.done, (size_t)memory->size);
    end_range(&s);
}
