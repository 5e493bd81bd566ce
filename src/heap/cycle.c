/* Collection cycles: when they begin, how fast they go on, and their end. */
#include "heap/internal.h"

#include "base/platform.h"

/*
 * Between two cycles as much is allocated as `growth_percent` of the live bytes, but at least the nursery. New objects that
 * were made while marking was under way count as allocated already. For the last 1/MARKING_PART marking is under way.
 * It is expected to cost what it cost last time, and all that was allocated since then.
 */
#define MARKING_PART 6u
#ifdef CATNAP_TINY_LIMITS
#define DEFAULT_NURSERY (UINT32_C(64) << 10)
#else
#define DEFAULT_NURSERY (UINT32_C(8) << 20)
#endif
#define DEFAULT_GROWTH 50u
#define DEFAULT_STEP (UINT32_C(512) << 10)
/* Blocks that are swept in one pause when the next cycle waits for it, and entries of the side table that are swept with
 * each hole. */
#define SWEEP_BLOCKS 1024u
#define SWEEP_ENTRIES 256u

/* ---- Pace ---- */

static uint64_t at_least(uint64_t value, uint64_t least) {
    return value > least ? value : least;
}

/* `young`: bytes that were allocated while marking was under way. */
static uint64_t cycle_bytes(const struct heap *h, uint64_t young) {
    uint32_t nursery = h->config.nursery_bytes ? h->config.nursery_bytes : DEFAULT_NURSERY;
    uint32_t percent = h->config.growth_percent ? h->config.growth_percent : DEFAULT_GROWTH;
    uint64_t bytes = h->stats.live / 100 * percent;
    return at_least(bytes > young ? bytes - young : 0, nursery);
}

void cn_cycle_plan(struct heap *h, uint64_t young) {
    uint64_t bytes = cycle_bytes(h, young), marking = bytes / MARKING_PART;
    h->now.start_at = bytes - marking;
    h->now.pace = (h->now.last_work + h->now.start_at) / at_least(marking, 1) + 1;
}

/* ---- Pauses ---- */

static void count_pause(struct heap *h, uint64_t ns) {
    uint64_t parts = ns / 4; /* 256ths of a microsecond, nearly */
    uint32_t i = 0;
    while (i < HEAP_PAUSES - 1 && parts >> (i + 1))
        i++;
    h->stats.pauses[i]++;
    h->stats.increments++;
    h->stats.increment_ns += ns;
    h->stats.longest_increment_ns = at_least(ns, h->stats.longest_increment_ns);
}

/* ---- The phases ---- */

static void begin(struct heap *h) {
    CN_ASSERT(h->phase == HEAP_IDLE && h->now.limit == h->now.cursor);
    h->phase = HEAP_MARKING;
    h->marking = true;
    h->live = 0;
    h->work = 0;
    h->paid = h->begun_at = h->now.since;
    h->now.rescan_from = UINT32_MAX;
    h->now.rescan_end = 0;
    cn_set_marks(h, h->now.cursor, h->now.end);
    cn_set_marks(h, h->now.overflow.cursor, h->now.overflow.end);
    h->owner.roots(h->owner.env, h);
}

static void end_marking(struct heap *h) {
    cn_mark_trim(h);
    h->marking = false;
    h->phase = HEAP_SWEEPING;
    h->sweep = 0;
    memset(h->now.walks, 0, sizeof h->now.walks);
    h->sweep_end = h->now.walk_end = h->now.blocks;
    h->side_sweep = 1;
    h->now.last_work = h->work;
    h->stats.collections++;
    h->stats.live = h->live;
    cn_cycle_plan(h, h->now.since - h->begun_at);
    h->now.since = 0;
}

/* One increment. */
static void mark(struct heap *h, uint64_t bytes) {
    if (cn_mark_some(h, bytes))
        end_marking(h);
}

static void mark_due(struct heap *h) {
    uint64_t step = h->config.step_bytes ? h->config.step_bytes : DEFAULT_STEP;
    uint64_t due = (h->now.since - h->paid) * h->now.pace;
    if (due == 0)
        return;
    uint64_t began = cn_os_monotonic_ns();
    if (due > step) {
        h->paid += step / h->now.pace;
        due = step;
    } else
        h->paid = h->now.since;
    mark(h, due);
    count_pause(h, cn_os_monotonic_ns() - began);
}

static void begin_due(struct heap *h) {
    uint64_t began = cn_os_monotonic_ns();
    begin(h);
    count_pause(h, cn_os_monotonic_ns() - began);
}

static void sweep_due(struct heap *h) {
    bool waits = h->now.since >= h->now.start_at;
    uint64_t began = waits ? cn_os_monotonic_ns() : 0;
    cn_sweep_some(h, waits ? SWEEP_BLOCKS : 1, SWEEP_ENTRIES);
    if (waits)
        count_pause(h, cn_os_monotonic_ns() - began);
}

static void work_normally(struct heap *h) {
    switch (h->phase) {
    case HEAP_IDLE:
        if (h->now.since >= h->now.start_at)
            begin_due(h);
        return;
    case HEAP_MARKING:
        mark_due(h);
        return;
    case HEAP_SWEEPING:
        sweep_due(h);
        return;
    }
}

static void work_in_steps(struct heap *h) {
    switch (h->phase) {
    case HEAP_IDLE:
        begin(h);
        return;
    case HEAP_MARKING:
        mark(h, 1);
        return;
    case HEAP_SWEEPING:
        cn_sweep_some(h, 1, 1);
        return;
    }
}

void cn_cycle_work(struct heap *h) {
    if (h->now.blocks == 0 || h->config.policy == HEAP_FULL)
        return;
    if (h->config.policy == HEAP_EVERY)
        cn_heap_collect(h);
    else if (h->config.policy == HEAP_STEPS)
        work_in_steps(h);
    else
        work_normally(h);
}

/* ---- In one pause ---- */

bool cn_cycle_finish(struct heap *h) {
    uint64_t began = cn_os_monotonic_ns();
    bool had_begun = h->phase == HEAP_MARKING;
    cn_areas_close(h);
    if (h->phase == HEAP_SWEEPING)
        cn_sweep_some(h, UINT32_MAX, UINT32_MAX);
    if (h->phase == HEAP_IDLE)
        begin(h);
    mark(h, UINT64_MAX);
    CN_ASSERT(h->phase == HEAP_SWEEPING);
    cn_sweep_some(h, UINT32_MAX, UINT32_MAX);
    h->stats.full++;
    uint64_t ns = cn_os_monotonic_ns() - began;
    h->stats.full_ns += ns;
    h->stats.longest_full_ns = at_least(ns, h->stats.longest_full_ns);
    return had_begun;
}

/* Only in builds with assertions, where each allocation collects. */
static bool holds_together(const struct heap *h) {
    const struct heap_check check = {.registry = h->config.registry};
    struct error error = {0};
    return h->config.policy != HEAP_EVERY || cn_heap_verify(h, &check, &error);
}

void cn_heap_collect(struct heap *h) {
    if (h->now.blocks > 0 && cn_cycle_finish(h))
        cn_cycle_finish(h);
    CN_ASSERT(holds_together(h));
}
