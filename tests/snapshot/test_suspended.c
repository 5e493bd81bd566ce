/* Runs that stopped inside calls: a host function that waits, however it was called, and a function
 * that memory did not suffice to translate. They go on in place and from bytes, with the same
 * end. */
#include "modules.h"
#include "starving.h"
#include "world.h"

#define LOOPS 12

/* ---- The host ---- */

static wasm_func_t *other_function; /* called by a host function that is about to wait */
static bool waits, interrupted_once, starves;

/* As note(), but every other call gives up as if it had waited. */
static wasm_trap_t *wait_and_note(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                                  catnap_val_t *results) {
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = 1}, result;
    wasm_store_t *store = catnap_caller_store(caller);
    if (waits && !interrupted_once) {
        interrupted_once = true;
        if (other_function)
            assert_no_trap(catnap_func_call(other_function, &argument, 1, &result, 1));
        catnap_store_interrupt(store, catnap_store_call_id(store));
        return catnap_trap_new(store, CATNAP_TRAP_INTERRUPTED, "waited");
    }
    interrupted_once = false;
    return note(env, caller, arguments, results);
}

static const catnap_allocator_t failing = {failing_realloc, NULL};

/* As note(); memory is exhausted from then on, where that is asked for. */
static wasm_trap_t *starve_and_note(void *env, catnap_caller_t *caller,
                                    const catnap_val_t *arguments, catnap_val_t *results) {
    if (starves)
        allocations_left = 0;
    return note(env, caller, arguments, results);
}

/* ---- Runs ---- */

/* Runs to the end; after each stop the world ends and a new one wakes, or only the run goes on. */
static int64_t run_to_end(const uint8_t *module, size_t size, catnap_status_t stop, bool elsewhere,
                          unsigned *stops, uint64_t *memory) {
    struct world world;
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = LOOPS}, result;
    open_world(&world, false);
    wasm_instance_t *instance = start(&world, module, size);
    wasm_func_t *func = EXPORT(func, instance, "run");
    catnap_run_t *run = catnap_run_new(func, &argument, 1, &error);
    wasm_func_delete(func);
    *stops = 0;
    for (;;) {
        other_function = EXPORT(func, instance, "later");
        catnap_status_t status = catnap_run_resume(run, &result, 1, &trap);
        allocations_left = INT64_MAX;
        wasm_func_delete(other_function);
        assert_no_trap(trap);
        if (status == CATNAP_OK)
            break;
        assert_int_equal(status, stop);
        ++*stops;
        if (!elsewhere)
            continue;
        instance = restore_elsewhere(&world, false, instance, &run);
    }
    *memory = hash_memory(instance);
    catnap_run_delete(run);
    wasm_instance_delete(instance);
    close_world(&world);
    return result.of.i64;
}

static void waiting_calls_are_made_again(void **state) {
    (void)state;
    uint64_t memory, expected_memory;
    unsigned stops;
    host_note = wait_and_note;
    waits = false;
    int64_t expected = run_to_end(waits_module, sizeof waits_module, CATNAP_INTERRUPTED, false,
                                  &stops, &expected_memory);
    assert_int_equal(stops, 0);
    waits = true;
    for (int elsewhere = 0; elsewhere <= 1; elsewhere++) {
        assert_int_equal(run_to_end(waits_module, sizeof waits_module, CATNAP_INTERRUPTED,
                                    elsewhere, &stops, &memory),
                         expected);
        assert_int_equal(memory, expected_memory);
        assert_in_range(stops, 3 * LOOPS, 4 * LOOPS);
    }
    waits = false;
    host_note = note;
}

static void exhausted_memory_is_a_place_to_stand(void **state) {
    (void)state;
    uint64_t memory, expected_memory;
    unsigned stops;
    host_note = starve_and_note;
    host_allocator = &failing;
    allocations_left = INT64_MAX;
    starves = false;
    int64_t expected = run_to_end(waits_module, sizeof waits_module, CATNAP_NO_MEMORY, false,
                                  &stops, &expected_memory);
    assert_int_equal(stops, 0);
    starves = true;
    for (int elsewhere = 0; elsewhere <= 1; elsewhere++) {
        assert_int_equal(run_to_end(waits_module, sizeof waits_module, CATNAP_NO_MEMORY, elsewhere,
                                    &stops, &memory),
                         expected);
        assert_int_equal(memory, expected_memory);
        assert_in_range(stops, 2, elsewhere ? 2 * LOOPS : 2);
    }
    host_allocator = NULL;
    host_note = note;
}

/* The copy before the call is not one of its arguments, and what it is made from is gone. */
static void copies_before_a_call_are_not_made_again(void **state) {
    (void)state;
    uint64_t memory;
    unsigned stops;
    host_note = starve_and_note;
    host_allocator = &failing;
    starves = true;
    for (int elsewhere = 0; elsewhere <= 1; elsewhere++) {
        allocations_left = INT64_MAX;
        assert_int_equal(run_to_end(leaves_module, sizeof leaves_module, CATNAP_NO_MEMORY,
                                    elsewhere, &stops, &memory),
                         78);
        assert_int_equal(stops, 1);
    }
    host_allocator = NULL;
    host_note = note;
}

static int32_t noted;  /* by the first call, for a frame that comes and goes */
static unsigned calls; /* the second suspends */

static wasm_trap_t *note_then_suspend(void *env, catnap_caller_t *caller,
                                      const catnap_val_t *arguments, catnap_val_t *results) {
    if (calls++ == 1)
        catnap_caller_suspend(caller);
    note(env, caller, arguments, results);
    if (calls == 1)
        results[0].of.i32 = noted;
    return NULL;
}

/* A run that stands in a call, where another frame was before. */
static void snapshot_after_another(int32_t left, wasm_byte_vec_t *out) {
    struct world world;
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = LOOPS}, result;
    world.engine = wasm_engine_new(); /* one that clears no locals without need */
    host_note = note_then_suspend;
    noted = left;
    calls = 0;
    open_store(&world);
    wasm_instance_t *instance = start(&world, leaves_module, sizeof leaves_module);
    wasm_func_t *func = EXPORT(func, instance, "after_another");
    catnap_run_t *run = catnap_run_new(func, &argument, 1, &error);
    wasm_func_delete(func);
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_INTERRUPTED);
    catnap_snapshot_options_t options = {.run = run};
    catnap_snapshot_t *snapshot = catnap_snapshot_take(world.store, &options, &error);
    assert_non_null(snapshot);
    assert_no_error(catnap_snapshot_write(snapshot, NULL, out));
    catnap_snapshot_delete(snapshot);
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OK);
    assert_int_equal(result.of.i64, 78);
    catnap_run_delete(run);
    wasm_instance_delete(instance);
    close_world(&world);
    host_note = note;
}

static void nothing_of_other_frames_is_kept(void **state) {
    (void)state;
    wasm_byte_vec_t one, other;
    snapshot_after_another(0x11111111, &one);
    snapshot_after_another(0x22222222, &other);
    assert_int_equal(one.size, other.size);
    assert_memory_equal(one.data, other.data, one.size);
    wasm_byte_vec_delete(&one);
    wasm_byte_vec_delete(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(copies_before_a_call_are_not_made_again),
        TEST(nothing_of_other_frames_is_kept),
        TEST(waiting_calls_are_made_again),
        TEST(exhausted_memory_is_a_place_to_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
