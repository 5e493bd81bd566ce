/*
 * Checkpoints, rollbacks and releases of a heap: random object graphs against copies of their shadow, with each way of
 * finding written pages and each policy of collection; what a checkpoint costs.
 */
#include "model.h"

#include "base/platform.h"
#include "persist/saved_heap.h"

#ifdef CATNAP_TINY_LIMITS
#define STEPS 6000u
#else
#define STEPS 20000u
#endif
#define MAX_LEVELS 6u

struct kept {
    struct saved_heap saved;
    struct model_copy copy;
    uint64_t taken;
};

struct history {
    struct world world;
    struct model model;
    struct spaces spaces;
    struct tracker tracker;
    struct heap_shadows shadows;
    struct kept levels[MAX_LEVELS];
    uint32_t count;
    uint64_t rollbacks, refused;
};

/* ---- The store's part: persist/checkpoint.c for a heap alone ---- */

static bool checkpoint(struct history *t) {
    struct kept *level = &t->levels[t->count];
    struct heap *heap = t->world.heap;
    struct error error;
    *level = (struct kept){0};
    if (!cn_heap_shadows_make(&t->shadows, heap, &t->spaces, &t->tracker, &error) ||
        !cn_saved_heap_prepare(&level->saved, t->count ? &t->levels[t->count - 1].saved : NULL,
                               &t->shadows, heap, &error)) {
        assert_int_equal(error.status, CATNAP_NO_MEMORY);
        cn_saved_heap_free(&level->saved, &t->shadows, &t->world.alloc);
        return false;
    }
    cn_saved_heap_take(&level->saved, &t->shadows, heap);
    level->taken = t->world.taken;
    model_save(&t->model, &level->copy);
    t->count++;
    return true;
}

static void drop_top(struct history *t) {
    struct kept *level = &t->levels[--t->count];
    cn_saved_heap_free(&level->saved, &t->shadows, &t->world.alloc);
    model_drop(&level->copy);
}

static void release(struct history *t, uint32_t number) {
    while (t->count > 0 && t->count >= number) {
        if (t->count > 1)
            cn_saved_heap_forget(&t->levels[t->count - 1].saved, &t->shadows,
                                 &t->levels[t->count - 2].saved);
        drop_top(t);
    }
    if (number == 0)
        cn_heap_shadows_drop(&t->shadows, t->world.heap);
}

static void rollback(struct history *t, uint32_t number) {
    struct heap *heap = t->world.heap;
    struct error error = {0};
    assert_true(cn_heap_shadows_make(&t->shadows, heap, &t->spaces, &t->tracker, &error));
    assert_true(cn_heap_shadows_collect(&t->shadows, heap, &error));
    struct heap_sizes sizes = cn_heap_shadows_sizes(&t->shadows);
    for (uint32_t i = t->count; i > number; i--)
        cn_saved_heap_sizes(&t->levels[i - 1].saved, true, &sizes);
    cn_saved_heap_sizes(&t->levels[number - 1].saved, false, &sizes);
    assert_true(cn_heap_shadows_lock(&t->shadows, heap, &sizes, &error));
    if (world_random(&t->model.seed) % 4 == 0) { /* as if something else had failed */
        cn_heap_shadows_unlock(&t->shadows, heap, &sizes);
        model_compare(&t->model);
        assert_true(cn_heap_shadows_lock(&t->shadows, heap, &sizes, &error));
    }
    while (t->count > number) {
        cn_saved_heap_pop(&t->levels[t->count - 1].saved, &t->shadows);
        drop_top(t);
    }
    cn_saved_heap_return(&t->levels[number - 1].saved, &t->shadows, heap);
    model_return(&t->model, &t->levels[number - 1].copy);
    assert_int_equal(t->world.taken, t->levels[number - 1].taken);
    t->rollbacks++;
}

/* ---- Random histories ---- */

static bool open_history(struct history *t, enum track_kind kind, const struct heap_config *config,
                         uint64_t seed) {
    *t = (struct history){0};
    if (!cn_tracker_open(&t->tracker, kind))
        return false;
    world_open(&t->world, config);
    cn_spaces_init(&t->spaces, &t->world.alloc);
    model_open(&t->model, &t->world, seed);
    return true;
}

static void close_history(struct history *t) {
    release(t, 0);
    model_close(&t->model);
    world_close(&t->world);
    cn_spaces_destroy(&t->spaces);
    cn_tracker_close(&t->tracker);
}

static void event(struct history *t) {
    uint64_t *seed = &t->model.seed;
    uint32_t choice = world_random(seed) % 10;
    if (choice < 4) {
        if (t->count < MAX_LEVELS && !checkpoint(t))
            t->refused++;
    } else if (choice < 8) {
        if (t->count > 0)
            rollback(t, 1 + world_random(seed) % t->count);
    } else {
        release(t, world_random(seed) % (t->count + 1));
    }
    model_compare(&t->model);
}

struct plan {
    struct heap_config config;
    uint64_t budget;
    uint32_t steps, event_each, longest_array;
    bool fails; /* the allocator, at random */
};

static void run(const struct plan *plan, enum track_kind kind, uint64_t seed) {
    struct history t;
    if (!open_history(&t, kind, &plan->config, seed))
        return; /* this machine has no such tracker */
    t.world.budget = plan->budget ? plan->budget : UINT64_MAX;
    t.model.longest_array = plan->longest_array;
    t.model.collects = plan->config.policy == HEAP_NORMAL;
    for (uint32_t i = 1; i <= plan->steps; i++) {
        if (plan->fails)
            t.world.allocations_left = world_random(&t.model.seed) % 12;
        model_step(&t.model);
        if (world_random(&t.model.seed) % plan->event_each == 0)
            event(&t);
        t.world.allocations_left = INT64_MAX;
    }
    assert_true(t.rollbacks > 0);
    assert_true(!plan->fails || t.refused > 0);
    model_compare_exactly(&t.model);
    while (t.count > 0) {
        rollback(&t, t.count);
        model_compare_exactly(&t.model);
        release(&t, t.count);
    }
    close_history(&t);
}

static void with_each_tracker(const struct plan *plan, uint64_t seed) {
    static const enum track_kind kinds[] = {TRACK_WRITE_PROTECT, TRACK_COPY_ON_WRITE,
                                            TRACK_COMPARE};
    for (uint32_t i = 0; i < 3; i++)
        run(plan, kinds[i], seed + i);
}

static void normally(void **state) {
    (void)state;
    with_each_tracker(&(struct plan){.config = {.nursery_bytes = 100000, .step_bytes = 1000},
                                     .steps = STEPS,
                                     .event_each = 150,
                                     .longest_array = 20000},
                      1);
}

/* A cycle is nearly always under way at a checkpoint and at a rollback. */
static void in_the_smallest_steps(void **state) {
    (void)state;
    with_each_tracker(&(struct plan){.config = {.policy = HEAP_STEPS},
                                     .steps = STEPS,
                                     .event_each = 100,
                                     .longest_array = 5000},
                      11);
}

static void at_every_allocation(void **state) {
    (void)state;
    with_each_tracker(&(struct plan){.config = {.policy = HEAP_EVERY},
                                     .steps = STEPS / 20,
                                     .event_each = 10,
                                     .longest_array = 3000},
                      21);
}

static void only_when_full(void **state) {
    (void)state;
    with_each_tracker(&(struct plan){.config = {.policy = HEAP_FULL, .most_bytes = 2 << 20},
                                     .steps = STEPS,
                                     .event_each = 150,
                                     .longest_array = 3000},
                      31);
}

static void with_a_budget(void **state) {
    (void)state;
    with_each_tracker(&(struct plan){.config = {.nursery_bytes = 30000, .growth_percent = 20},
                                     .budget = 600000,
                                     .steps = STEPS,
                                     .event_each = 100,
                                     .longest_array = 9000},
                      41);
}

/* Checkpoints are refused then, and change nothing; rollbacks need no memory. */
static void with_failing_allocation(void **state) {
    (void)state;
    with_each_tracker(&(struct plan){.config = {.nursery_bytes = 30000, .step_bytes = 500},
                                     .steps = STEPS,
                                     .event_each = 40,
                                     .longest_array = 3000,
                                     .fails = true},
                      51);
}

/* ---- Particular cases ---- */

static uint32_t new_pair(struct history *t, uint32_t number) {
    uint32_t pair = cn_heap_new_struct(t->world.heap, t->world.type[T_PAIR]);
    assert_int_not_equal(pair, 0);
    heap_store(t->world.heap, heap_offset(pair) + 4, number);
    return pair;
}

/* The level was made before the heap had any block. */
static void back_to_nothing(void **state) {
    (void)state;
    struct history t;
    assert_true(open_history(&t, TRACK_NONE, NULL, 1));
    assert_true(checkpoint(&t));
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t number;
        assert_true(cn_heap_side_number(t.world.heap, host_slot(1, KIND_FUNC), &number));
        for (uint32_t i = 0; i < 5000; i++)
            t.world.exact[0] = new_pair(&t, i);
        if (round == 1)
            assert_true(checkpoint(&t));
        t.world.exact[0] = 0;
        rollback(&t, 1);
        assert_int_equal(t.world.heap->now.blocks, 0);
        assert_int_equal(t.world.taken, 0);
        assert_int_equal(t.world.heap->side.count, 0);
        world_verify(&t.world);
    }
    close_history(&t);
}

/* The numbers of the side table are what they were, also those that were given out again. */
static void numbers_come_back(void **state) {
    (void)state;
    struct history t;
    assert_true(open_history(&t, TRACK_NONE, NULL, 1));
    for (uint32_t i = 0; i < 20; i++)
        assert_true(
            cn_heap_side_number(t.world.heap, host_slot(i, KIND_EXTERN), &t.world.side[i % 8]));
    new_pair(&t, 1);
    cn_heap_collect(t.world.heap);
    assert_true(checkpoint(&t));
    assert_true(checkpoint(&t));
    assert_ptr_equal(t.levels[0].saved.side, t.levels[1].saved.side);
    uint32_t before[8];
    memcpy(before, t.world.side, sizeof before);
    memset(t.world.side, 0, sizeof t.world.side);
    cn_heap_collect(t.world.heap);
    assert_int_equal(t.world.heap->side.count, 0);
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t number;
        assert_true(cn_heap_side_number(t.world.heap, host_slot(50 + i, KIND_FUNC), &number));
    }
    rollback(&t, 2);
    assert_int_equal(t.world.heap->side.count, 8);
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(heap_side_slot(t.world.heap, before[i]) ==
                    host_slot(i + (i < 4 ? 16 : 8), KIND_EXTERN));
        uint32_t number;
        assert_true(cn_heap_side_number(t.world.heap, host_slot(i + (i < 4 ? 16 : 8), KIND_EXTERN),
                                        &number));
        assert_int_equal(number, before[i]);
    }
    close_history(&t);
}

/* ---- Costs ---- */

static size_t written(struct history *t, enum heap_area area) {
    struct error error;
    assert_true(cn_heap_shadows_collect(&t->shadows, t->world.heap, &error));
    return t->shadows.areas[area]->count;
}

/* A list of so many pairs, with garbage between them. */
static void make_list(struct history *t, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t pair = new_pair(t, i);
        heap_store(t->world.heap, heap_offset(pair) + 8, t->world.exact[0]);
        t->world.exact[0] = pair;
        new_pair(t, 0);
    }
}

static void collections_write_no_page(enum track_kind kind) {
    struct history t;
    if (!open_history(&t, kind, NULL, 1))
        return;
    make_list(&t, 50000);
    assert_true(checkpoint(&t));
    uint64_t objects = world_objects(&t.world);
    uint64_t collections = t.world.heap->stats.collections;
    cn_heap_collect(t.world.heap);
    assert_true(t.world.heap->stats.collections > collections);
    assert_int_equal(written(&t, HEAP_REGION), 0);
    assert_true(written(&t, HEAP_STARTS) > 0); /* there was garbage */
    assert_true(checkpoint(&t));
    cn_heap_collect(t.world.heap);
    assert_int_equal(written(&t, HEAP_REGION), 0);
    rollback(&t, 1);
    world_verify(&t.world);
    assert_int_equal(world_objects(&t.world), objects);
    close_history(&t);
}

static void a_collection_writes_no_page(void **state) {
    (void)state;
    collections_write_no_page(TRACK_WRITE_PROTECT);
    collections_write_no_page(TRACK_COPY_ON_WRITE);
    collections_write_no_page(TRACK_COMPARE);
}

/* A level has the pages that were written, whatever the heap has. */
static void only_written_pages_cost(void **state) {
    (void)state;
    struct history t;
    assert_true(open_history(&t, TRACK_NONE, NULL, 1));
    make_list(&t, 100000);
    assert_true(checkpoint(&t));
    struct heap *heap = t.world.heap;
    uint64_t page = cn_os_page_bytes();
    uint32_t pair = t.world.exact[0], changed = 0;
    uint64_t last = UINT64_MAX;
    for (; pair && changed < 10; pair = heap_load(heap, heap_offset(pair) + 8)) {
        if (heap_offset(pair) / page == last)
            continue;
        last = heap_offset(pair) / page;
        heap_store(heap, heap_offset(pair) + 4, 77777777);
        changed++;
    }
    assert_int_equal(changed, 10);
    assert_true(checkpoint(&t));
    const struct saved_heap *saved = &t.levels[1].saved;
    assert_int_equal(saved->areas[HEAP_REGION].undo->count, 10);
    for (uint32_t i = HEAP_STARTS; i < HEAP_AREAS; i++)
        assert_int_equal(saved->areas[i].undo->count, 0);
    close_history(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normally),
        cmocka_unit_test(in_the_smallest_steps),
        cmocka_unit_test(at_every_allocation),
        cmocka_unit_test(only_when_full),
        cmocka_unit_test(with_a_budget),
        cmocka_unit_test(with_failing_allocation),
        cmocka_unit_test(back_to_nothing),
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(a_collection_writes_no_page),
        cmocka_unit_test(only_written_pages_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
