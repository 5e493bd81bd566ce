/* Snapshots of stores with a garbage-collected heap: in memory, as bytes, deltas, suspended runs, modules. */
#include "heap_modules.h"
#include "starving.h"
#include "world.h"

#define STEPS 12

/* Results of the steps, as another engine gives them. */
static const int32_t steps[STEPS] = {75,     12402,  15571,  92603,  68603,  99876,
                                     620816, 344967, 216546, 475477, 330203, 264959};

static wasm_instance_t *begin(struct world *world, uint32_t count) {
    wasm_instance_t *instance = START(world, heap_module);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(CALL(instance, "step", i), steps[i]);
    return instance;
}

/* Makes the store, which has made `done` steps, go on. */
static void go_on(wasm_instance_t *instance, uint32_t done) {
    if (done > 0)
        assert_int_equal(CALL(instance, "state"), steps[done - 1]);
    for (uint32_t i = done; i < STEPS; i++)
        assert_int_equal(CALL(instance, "step", i), steps[i]);
    assert_int_equal(CALL(instance, "same"), 1);
}

static void same_identity(const catnap_snapshot_t *a, const catnap_snapshot_t *b) {
    catnap_snapshot_info_t first, second;
    catnap_snapshot_info(a, &first);
    catnap_snapshot_info(b, &second);
    assert_memory_equal(first.identity, second.identity, sizeof first.identity);
}

static catnap_snapshot_t *read_bytes(struct world *world, const wasm_byte_vec_t *bytes,
                                     const catnap_snapshot_t *base) {
    catnap_error_t *error;
    catnap_open_options_t options = {.base = base};
    catnap_snapshot_t *snapshot = catnap_snapshot_read(world->engine, (const uint8_t *)bytes->data,
                                                       bytes->size, &options, &error);
    assert_no_error(error);
    return snapshot;
}

/* ---- Whole stores ---- */

/* The restored store is captured again, which gives the same snapshot, and goes on as the first does. */
static void check_restored(struct world *world, const catnap_snapshot_t *snapshot, uint32_t done) {
    struct world other = {.engine = world->engine};
    open_store(&other);
    wasm_instance_t *instance = restore(snapshot, &other, NULL);
    catnap_snapshot_t *again = take(&other, NULL);
    same_identity(snapshot, again);
    catnap_snapshot_delete(again);
    go_on(instance, done);
    wasm_instance_delete(instance);
    close_store(&other);
}

static void a_store_comes_back(void **state) {
    (void)state;
    for (uint32_t done = 0; done <= STEPS; done++) {
        struct world world;
        open_world(&world, false);
        wasm_instance_t *instance = begin(&world, done);
        catnap_snapshot_t *snapshot = take(&world, NULL), *again = take(&world, NULL);
        same_identity(snapshot, again);
        catnap_snapshot_delete(again);
        wasm_byte_vec_t bytes = to_bytes(snapshot, NULL);
        check_restored(&world, snapshot, done);
        check_restored(&world, snapshot, done);
        catnap_snapshot_t *read = read_bytes(&world, &bytes, NULL);
        same_identity(snapshot, read);
        check_restored(&world, read, done);
        go_on(instance, done);
        catnap_snapshot_delete(read);
        catnap_snapshot_delete(snapshot);
        wasm_byte_vec_delete(&bytes);
        wasm_instance_delete(instance);
        close_world(&world);
    }
}

/* ---- Stops ---- */

static catnap_run_t *run_of(wasm_instance_t *instance, int32_t count) {
    catnap_error_t *error;
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = count};
    wasm_func_t *func = EXPORT(func, instance, "run");
    catnap_run_t *run = catnap_run_new(func, &argument, 1, &error);
    assert_no_error(error);
    wasm_func_delete(func);
    return run;
}

enum { RUN_STEPS = 4 };

static int64_t expected_of_run(void) {
    uint64_t result = 0;
    for (uint32_t i = 0; i < RUN_STEPS; i++)
        result = result * 31 + (uint64_t)(int64_t)steps[i];
    return (int64_t)result;
}

/* The run is captured at each stop; every other time it goes on from bytes, in another engine or store. */
static uint32_t run_in_slices(uint64_t slice) {
    struct world world;
    catnap_val_t result;
    wasm_trap_t *trap;
    uint32_t stops = 0;
    open_world(&world, true);
    wasm_instance_t *instance = START(&world, heap_module);
    catnap_run_t *run = run_of(instance, RUN_STEPS);
    for (;;) {
        assert_no_error(catnap_store_set_fuel(world.store, slice));
        catnap_status_t status = catnap_run_resume(run, &result, 1, &trap);
        assert_no_trap(trap);
        if (status == CATNAP_OK)
            break;
        assert_int_equal(status, CATNAP_OUT_OF_FUEL);
        if (catnap_run_backtrace(run, NULL, 0) == 0)
            continue;
        if (stops++ % 8 < 7) {
            catnap_snapshot_t *snapshot = take(&world, run);
            if (stops % 2) {
                wasm_byte_vec_t bytes = to_bytes(snapshot, NULL);
                catnap_snapshot_delete(snapshot);
                snapshot = read_bytes(&world, &bytes, NULL);
                wasm_byte_vec_delete(&bytes);
            }
            catnap_run_delete(run);
            wasm_instance_delete(instance);
            close_store(&world);
            open_store(&world);
            instance = restore(snapshot, &world, &run);
            catnap_snapshot_delete(snapshot);
        } else {
            instance = restore_elsewhere(&world, true, instance, &run);
        }
    }
    assert_int_equal(result.of.i64, expected_of_run());
    assert_no_error(catnap_store_set_fuel(world.store, 100000));
    assert_int_equal(CALL(instance, "same"), 1);
    catnap_run_delete(run);
    wasm_instance_delete(instance);
    close_world(&world);
    return stops;
}

static void runs_stop_and_go_on(void **state) {
    (void)state;
    assert_true(run_in_slices(1) > 1000);
    for (uint64_t slice = 16; slice < 1000; slice *= 3)
        run_in_slices(slice);
}

/* ---- Deltas ---- */

static void deltas_have_what_changed(void **state) {
    (void)state;
    struct world world;
    catnap_snapshot_info_t whole, changed;
    open_world(&world, false);
    wasm_instance_t *instance = begin(&world, 8);
    catnap_snapshot_t *base = take(&world, NULL);
    for (uint32_t done = 9; done < STEPS; done++) {
        assert_int_equal(CALL(instance, "step", done - 1), steps[done - 1]);
        catnap_snapshot_t *snapshot = take(&world, NULL);
        wasm_byte_vec_t delta = to_bytes(snapshot, base), all = to_bytes(snapshot, NULL);
        if (done != 10) /* when a large array is made */
            assert_true(delta.size + 32768 < all.size);
        catnap_snapshot_t *read = read_bytes(&world, &delta, base);
        same_identity(snapshot, read);
        check_restored(&world, read, done);
        catnap_snapshot_info(snapshot, &whole);
        assert_in_range(whole.page_bytes, whole.memory_bytes / 16, whole.memory_bytes * 2);
        catnap_snapshot_info(read, &changed);
        assert_int_equal(whole.page_bytes, changed.page_bytes);
        wasm_byte_vec_delete(&delta);
        wasm_byte_vec_delete(&all);
        catnap_snapshot_delete(snapshot);
        catnap_snapshot_delete(base);
        base = read;
    }
    catnap_snapshot_delete(base);
    wasm_instance_delete(instance);
    close_world(&world);
}

/* ---- What is refused ---- */

static void a_store_has_one_heap(void **state) {
    (void)state;
    struct world world;
    wasm_instance_t *restored = NULL;
    catnap_store_stats_t before, after;
    open_world(&world, false);
    wasm_instance_t *instance = begin(&world, 3);
    catnap_snapshot_t *snapshot = take(&world, NULL);
    catnap_store_stats(world.store, &before);
    assert_error(catnap_snapshot_restore(snapshot, world.linker, NULL, &restored, NULL),
                 CATNAP_UNSUPPORTED, "the store has a heap already");
    catnap_store_stats(world.store, &after);
    assert_int_equal(before.instances, after.instances);
    assert_int_equal(before.memory_bytes, after.memory_bytes);
    go_on(instance, 3);
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    close_world(&world);
}

/* Limits of the store count the heap; a restore that exceeds them leaves nothing, and can be tried again. */
static void limits_count_the_heap(void **state) {
    (void)state;
    struct world world, other;
    catnap_store_stats_t stats;
    catnap_limits_t limits;
    wasm_instance_t *restored = NULL;
    open_world(&world, false);
    wasm_instance_t *instance = begin(&world, STEPS);
    catnap_snapshot_t *snapshot = take(&world, NULL);
    other.engine = world.engine;
    open_store(&other);
    catnap_limits_default(&limits);
    limits.memory_bytes = 65536 + 1000;
    catnap_store_set_limits(other.store, &limits);
    assert_error(catnap_snapshot_restore(snapshot, other.linker, NULL, &restored, NULL),
                 CATNAP_LIMIT, "exceeds the limit");
    catnap_store_stats(other.store, &stats);
    assert_int_equal(stats.instances, 0);
    assert_int_equal(stats.memory_bytes, 0);
    catnap_limits_default(&limits);
    catnap_store_set_limits(other.store, &limits);
    restored = restore(snapshot, &other, NULL);
    catnap_store_stats(other.store, &stats);
    assert_true(stats.memory_bytes > 65536);
    go_on(restored, STEPS);
    wasm_instance_delete(restored);
    close_store(&other);
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    close_world(&world);
}

/* ---- To a module ---- */

static void expect_no_module(wasm_instance_t *instance, const char *text) {
    wasm_byte_vec_t bytes;
    assert_error(catnap_instance_to_module(instance, NULL, &bytes), CATNAP_UNSUPPORTED, text);
    assert_null(bytes.data);
}

/* Numbers of 31 bits are written; structures and arrays are refused, by where they are. */
static void small_values_become_constants(void **state) {
    (void)state;
    for (int32_t value = -3; value <= 3; value++) {
        struct world world, other;
        wasm_byte_vec_t bytes;
        open_world(&world, false);
        wasm_instance_t *instance = START(&world, small_values_module);
        CALL(instance, "set", value);
        assert_int_equal(CALL(instance, "get"), 90000 - 700 + value);
        assert_no_error(catnap_instance_to_module(instance, NULL, &bytes));
        other.engine = world.engine;
        open_store(&other);
        wasm_instance_t *made = start(&other, (const uint8_t *)bytes.data, bytes.size);
        assert_int_equal(CALL(made, "get"), 90000 - 700 + value);
        CALL(made, "keep_in_table");
        expect_no_module(made, "element 2 of table 0 refers to a structure");
        CALL(instance, "keep");
        expect_no_module(instance, "global 2 refers to a structure");
        wasm_instance_delete(made);
        close_store(&other);
        wasm_byte_vec_delete(&bytes);
        wasm_instance_delete(instance);
        close_world(&world);
    }
}

/* ---- Exhausted memory ---- */

/* Takes a snapshot, at first with too little memory for it. */
static catnap_snapshot_t *take_starved(struct world *world, catnap_run_t *run) {
    for (int64_t allocations = 0;; allocations++) {
        catnap_error_t *error;
        catnap_snapshot_options_t options = {.run = run};
        allocations_left = allocations;
        catnap_snapshot_t *snapshot = catnap_snapshot_take(world->store, &options, &error);
        allocations_left = INT64_MAX;
        if (snapshot)
            return snapshot;
        assert_error(error, CATNAP_NO_MEMORY, "");
    }
}

/* The same for restoring it. Each failure leaves nothing. */
static wasm_instance_t *restore_starved(struct world *world, const catnap_snapshot_t *snapshot,
                                        catnap_run_t **run) {
    for (int64_t allocations = 0;; allocations++) {
        wasm_instance_t *instance = NULL;
        catnap_store_stats_t stats;
        allocations_left = allocations;
        catnap_error_t *error =
            catnap_snapshot_restore(snapshot, world->linker, NULL, &instance, run);
        allocations_left = INT64_MAX;
        if (!error)
            return instance;
        assert_error(error, CATNAP_NO_MEMORY, "");
        catnap_store_stats(world->store, &stats);
        assert_int_equal(stats.instances, 0);
        assert_int_equal(stats.memory_bytes, 0);
    }
}

static void memory_may_run_out(void **state) {
    (void)state;
    static const catnap_allocator_t starving = {.realloc = failing_realloc};
    struct world world, other;
    catnap_val_t result;
    wasm_trap_t *trap;
    host_allocator = &starving;
    allocations_left = INT64_MAX;
    open_world(&world, true);
    host_allocator = NULL;
    wasm_instance_t *instance = START(&world, heap_module);
    catnap_run_t *run = run_of(instance, RUN_STEPS);
    assert_no_error(catnap_store_set_fuel(world.store, 700));
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    catnap_snapshot_t *snapshot = take_starved(&world, run);
    wasm_byte_vec_t bytes = to_bytes(snapshot, NULL);
    catnap_snapshot_t *read = read_bytes(&world, &bytes, NULL);
    catnap_run_delete(run);
    for (int i = 0; i < 2; i++) {
        other.engine = world.engine;
        open_store(&other);
        wasm_instance_t *restored = restore_starved(&other, i ? read : snapshot, &run);
        assert_no_error(catnap_store_set_fuel(other.store, 1000000));
        assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OK);
        assert_int_equal(result.of.i64, expected_of_run());
        catnap_run_delete(run);
        wasm_instance_delete(restored);
        close_store(&other);
    }
    catnap_snapshot_delete(read);
    catnap_snapshot_delete(snapshot);
    wasm_byte_vec_delete(&bytes);
    wasm_instance_delete(instance);
    close_world(&world);
}

static int set_up(void **state) {
    (void)state;
    host_features = CATNAP_FEATURE_GC;
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_comes_back),
        cmocka_unit_test(runs_stop_and_go_on),
        cmocka_unit_test(deltas_have_what_changed),
        cmocka_unit_test(a_store_has_one_heap),
        cmocka_unit_test(limits_count_the_heap),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(small_values_become_constants),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
