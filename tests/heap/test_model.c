/* A random mutator of object graphs against a shadow of the heap, with each policy of collection. */
#include "model.h"

#ifdef CATNAP_TINY_LIMITS
#define STEPS 30000u
#else
#define STEPS 60000u
#endif

struct plan {
    struct heap_config config;
    uint64_t budget;
    uint32_t steps, compare_each, longest_array;
};

static void run(const struct plan *plan, uint64_t seed, uint64_t *failures) {
    struct world w;
    struct model m;
    world_open(&w, &plan->config);
    w.budget = plan->budget ? plan->budget : UINT64_MAX;
    model_open(&m, &w, seed);
    m.longest_array = plan->longest_array;
    m.collects = plan->config.policy == HEAP_NORMAL;
    for (uint32_t i = 1; i <= plan->steps; i++) {
        model_step(&m);
        if (i % plan->compare_each == 0) {
            model_compare(&m);
            model_sweep(&m);
        }
    }
    model_compare_exactly(&m);
    assert_true(w.heap->stats.collections > 0);
    if (failures)
        *failures += m.failures;
    model_close(&m);
    world_close(&w);
}

static void normally(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        run(&(struct plan){.config = {.nursery_bytes = 100000, .step_bytes = 1000},
                           .steps = STEPS,
                           .compare_each = 997,
                           .longest_array = 20000},
            seed, NULL);
}

/* Increments so small that each cycle spans many allocations, stores and copies. */
static void in_the_smallest_steps(void **state) {
    (void)state;
    for (uint64_t seed = 10; seed <= 12; seed++)
        run(&(struct plan){.config = {.policy = HEAP_STEPS},
                           .steps = STEPS,
                           .compare_each = 997,
                           .longest_array = 20000},
            seed, NULL);
}

static void at_every_allocation(void **state) {
    (void)state;
    run(&(struct plan){.config = {.policy = HEAP_EVERY},
                       .steps = STEPS / 20,
                       .compare_each = 51,
                       .longest_array = 9000},
        20, NULL);
}

static void only_when_full(void **state) {
    (void)state;
    run(&(struct plan){.config = {.policy = HEAP_FULL, .most_bytes = 4 << 20},
                       .steps = STEPS,
                       .compare_each = 997,
                       .longest_array = 3000},
        30, NULL);
}

/* The live objects nearly fill the region, and sometimes do not fit. */
static void with_too_little_room(void **state) {
    (void)state;
    uint64_t failures = 0;
    for (uint64_t seed = 40; seed <= 42; seed++)
        run(&(struct plan){.config = {.most_bytes = 300000, .nursery_bytes = 20000},
                           .steps = STEPS / 2,
                           .compare_each = 501,
                           .longest_array = 6000},
            seed, &failures);
    assert_true(failures > 0);
}

static void with_a_budget(void **state) {
    (void)state;
    uint64_t failures = 0;
    run(&(struct plan){.config = {.nursery_bytes = 30000, .growth_percent = 20},
                       .budget = 250000,
                       .steps = STEPS / 2,
                       .compare_each = 501,
                       .longest_array = 9000},
        50, &failures);
    assert_true(failures > 0);
}

/* The allocator fails at random. Metadata that grows is refused, and the mark stack overflows; nothing else breaks. */
static void with_failing_metadata(void **state) {
    (void)state;
    struct world w;
    struct model m;
    world_open(&w, &(struct heap_config){.nursery_bytes = 30000, .step_bytes = 500});
    model_open(&m, &w, 60);
    m.longest_array = 3000;
    for (uint32_t i = 1; i <= STEPS; i++) {
        w.allocations_left = world_random(&m.seed) % 4 ? 0 : world_random(&m.seed) % 3;
        model_step(&m);
        if (i % 997 == 0) {
            model_compare(&m);
            model_sweep(&m);
        }
    }
    assert_true(m.failures > 0);
#ifdef CATNAP_TINY_LIMITS
    assert_true(w.heap->stats.rescans > 0);
#endif
    w.allocations_left = INT64_MAX;
    model_compare_exactly(&m);
    model_close(&m);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normally),
        cmocka_unit_test(in_the_smallest_steps),
        cmocka_unit_test(at_every_allocation),
        cmocka_unit_test(only_when_full),
        cmocka_unit_test(with_too_little_room),
        cmocka_unit_test(with_a_budget),
        cmocka_unit_test(with_failing_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
