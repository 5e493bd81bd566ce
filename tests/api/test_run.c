/* Resumable runs: slices of fuel, interruption, several at once, calls in between. */
#include "helpers.h"

/* (module ;; names
 *   (import "host" "f" (func $host (param i32) (result i32)))
 *   (global $total (mut i32) (i32.const 0))
 *   (func $sum (export "sum") (param $n i32) (result i32 externref) (local $s i32)
 *     (block (loop
 *       (br_if 1 (i32.eqz (local.get $n)))
 *       (local.set $s (i32.add (local.get $s) (call $twice (local.get $n))))
 *       (local.set $n (i32.sub (local.get $n) (i32.const 1)))
 *       (br 0)))
 *     (local.get $s) (ref.null extern))
 *   (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
 *   (func (export "keep") (param externref) (result externref)
 *     (drop (call $sum (i32.const 10))) (drop) (local.get 0))
 *   (func (export "ask") (param i32) (result i32) (call $host (local.get 0)))
 *   (func (export "trap") (unreachable))
 *   (func (export "spin") (loop (br 0)))) */
static const uint8_t running[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x14, 0x04, 0x60, 0x01, 0x7f, 0x01, 0x7f,
    0x60, 0x01, 0x7f, 0x02, 0x7f, 0x6f, 0x60, 0x01, 0x6f, 0x01, 0x6f, 0x60, 0x00, 0x00, 0x02, 0x0a,
    0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x01, 0x66, 0x00, 0x00, 0x03, 0x07, 0x06, 0x01, 0x00, 0x02,
    0x00, 0x03, 0x03, 0x06, 0x06, 0x01, 0x7f, 0x01, 0x41, 0x00, 0x0b, 0x07, 0x22, 0x05, 0x03, 0x73,
    0x75, 0x6d, 0x00, 0x01, 0x04, 0x6b, 0x65, 0x65, 0x70, 0x00, 0x03, 0x03, 0x61, 0x73, 0x6b, 0x00,
    0x04, 0x04, 0x74, 0x72, 0x61, 0x70, 0x00, 0x05, 0x04, 0x73, 0x70, 0x69, 0x6e, 0x00, 0x06, 0x0a,
    0x4d, 0x06, 0x25, 0x01, 0x01, 0x7f, 0x02, 0x40, 0x03, 0x40, 0x20, 0x00, 0x45, 0x0d, 0x01, 0x20,
    0x01, 0x20, 0x00, 0x10, 0x02, 0x6a, 0x21, 0x01, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x21, 0x00, 0x0c,
    0x00, 0x0b, 0x0b, 0x20, 0x01, 0xd0, 0x6f, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x41, 0x02, 0x6c, 0x0b,
    0x0a, 0x00, 0x41, 0x0a, 0x10, 0x01, 0x1a, 0x1a, 0x20, 0x00, 0x0b, 0x06, 0x00, 0x20, 0x00, 0x10,
    0x00, 0x0b, 0x03, 0x00, 0x00, 0x0b, 0x07, 0x00, 0x03, 0x40, 0x0c, 0x00, 0x0b, 0x0b, 0x00, 0x3b,
    0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x13, 0x03, 0x00, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x01, 0x03,
    0x73, 0x75, 0x6d, 0x02, 0x05, 0x74, 0x77, 0x69, 0x63, 0x65, 0x02, 0x15, 0x07, 0x00, 0x00, 0x01,
    0x02, 0x00, 0x01, 0x6e, 0x01, 0x01, 0x73, 0x02, 0x00, 0x03, 0x00, 0x04, 0x00, 0x05, 0x00, 0x06,
    0x00, 0x07, 0x08, 0x01, 0x00, 0x05, 0x74, 0x6f, 0x74, 0x61, 0x6c,
};

struct run_fixture {
    wasm_engine_t *engine;
    wasm_store_t *store;
    wasm_instance_t *instance;
    catnap_run_t *inner; /* resumed by the host function */
};

static wasm_trap_t *host(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                         catnap_val_t *results) {
    struct run_fixture *fixture = env;
    (void)caller;
    results[0].of.i32 = arguments[0].of.i32 + 1;
    if (fixture->inner) {
        catnap_val_t inner[2];
        wasm_trap_t *trap;
        assert_int_equal(catnap_run_resume(fixture->inner, inner, 2, &trap), CATNAP_OK);
        results[0].of.i32 += inner[0].of.i32;
    }
    return NULL;
}

static int begin(void **state) {
    struct run_fixture *fixture = calloc(1, sizeof *fixture);
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_fuel(config, true);
    catnap_config_set_interruptible(config, true);
    fixture->engine = wasm_engine_new_with_config(config);
    fixture->store = wasm_store_new(fixture->engine);
    wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    wasm_func_t *func = catnap_func_new(fixture->store, type, host, fixture, NULL, NULL);
    wasm_functype_delete(type);
    wasm_extern_t *imports[] = {wasm_func_as_extern(func)};
    fixture->instance = instantiate(fixture->store, running, sizeof running, imports, 1);
    wasm_func_delete(func);
    *state = fixture;
    return 0;
}

static int end(void **state) {
    struct run_fixture *fixture = *state;
    wasm_instance_delete(fixture->instance);
    wasm_store_delete(fixture->store);
    wasm_engine_delete(fixture->engine);
    free(fixture);
    return 0;
}

#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static catnap_run_t *new_run(struct run_fixture *fixture, const char *name, const catnap_val_t *in,
                             size_t count) {
    catnap_error_t *error;
    wasm_func_t *func = EXPORT(func, fixture->instance, name);
    catnap_run_t *run = catnap_run_new(func, in, count, &error);
    assert_no_error(error);
    wasm_func_delete(func);
    return run;
}

static catnap_run_t *new_sum(struct run_fixture *fixture, int32_t n) {
    catnap_val_t in = {.kind = WASM_I32, .of.i32 = n};
    return new_run(fixture, "sum", &in, 1);
}

static void slices_cost_what_the_whole_costs(void **state) {
    struct run_fixture *fixture = *state;
    wasm_store_t *store = fixture->store;
    catnap_val_t out[2];
    wasm_trap_t *trap;
    catnap_run_t *whole = new_sum(fixture, 100);
    assert_no_error(catnap_store_set_fuel(store, 1000000));
    assert_int_equal(catnap_run_resume(whole, out, 2, &trap), CATNAP_OK);
    uint64_t cost = 1000000 - catnap_store_fuel(store);
    assert_int_equal(out[0].of.i32, 10100);
    assert_int_equal(out[1].kind, WASM_EXTERNREF);
    assert_int_equal(catnap_run_resume(whole, out, 2, &trap), CATNAP_MISUSE);
    catnap_run_delete(whole);

    for (uint64_t slice = 1; slice < 40; slice += 3) {
        catnap_run_t *run = new_sum(fixture, 100);
        uint64_t given = 0;
        catnap_status_t status = CATNAP_OUT_OF_FUEL;
        assert_no_error(catnap_store_set_fuel(store, 0));
        while (status == CATNAP_OUT_OF_FUEL) {
            given += slice;
            assert_no_error(catnap_store_set_fuel(store, catnap_store_fuel(store) + slice));
            status = catnap_run_resume(run, out, 2, &trap);
            assert_null(trap);
        }
        assert_int_equal(status, CATNAP_OK);
        assert_int_equal(out[0].of.i32, 10100);
        assert_int_equal(given - catnap_store_fuel(store), cost);
        catnap_run_delete(run);
    }
}

static void several_runs_interleave(void **state) {
    struct run_fixture *fixture = *state;
    catnap_run_t *runs[5];
    catnap_val_t out[2];
    wasm_trap_t *trap;
    for (int32_t i = 0; i < 5; i++)
        runs[i] = new_sum(fixture, 10 + i);
    int left = 5;
    while (left > 0)
        for (int32_t i = 0; i < 5; i++) {
            assert_no_error(catnap_store_set_fuel(fixture->store, 17));
            if (!runs[i] || catnap_run_resume(runs[i], out, 2, &trap) == CATNAP_OUT_OF_FUEL)
                continue;
            assert_int_equal(out[0].of.i32, (10 + i) * (11 + i));
            catnap_run_delete(runs[i]);
            runs[i] = NULL;
            left--;
            assert_no_error(catnap_store_set_fuel(fixture->store, 1000));
            assert_int_equal(CALL(fixture->instance, "ask", 5), 6); /* and a plain call */
        }
}

static void frames_of_a_stopped_run(void **state) {
    struct run_fixture *fixture = *state;
    catnap_run_t *run = new_sum(fixture, 100);
    catnap_frame_t frames[4];
    catnap_val_t out[2];
    wasm_trap_t *trap;
    assert_int_equal(catnap_run_backtrace(run, frames, 4), 0); /* not begun */
    size_t deepest = 0;
    for (int i = 0; i < 50; i++) {
        uint64_t left = catnap_store_fuel(fixture->store);
        assert_no_error(catnap_store_set_fuel(fixture->store, left + 1));
        assert_int_equal(catnap_run_resume(run, out, 2, &trap), CATNAP_OUT_OF_FUEL);
        size_t count = catnap_run_backtrace(run, frames, 4);
        assert_true(count == 1 || count == 2);
        assert_memory_equal(frames[count - 1].func_name, "sum", 3);
        if (count == 2)
            assert_memory_equal(frames[0].func_name, "twice", 5);
        deepest = count > deepest ? count : deepest;
    }
    assert_int_equal(deepest, 2);
    assert_int_equal(catnap_run_backtrace(NULL, frames, 4), 0);
    catnap_run_delete(run); /* half-way */
}

static void interruption_can_be_resumed(void **state) {
    struct run_fixture *fixture = *state;
    wasm_store_t *store = fixture->store;
    catnap_val_t out[2];
    wasm_trap_t *trap;
    assert_no_error(catnap_store_set_fuel(store, 100000));
    catnap_run_t *spin = new_run(fixture, "spin", NULL, 0);
    catnap_store_interrupt(store, catnap_store_call_id(store));
    assert_int_equal(catnap_run_resume(spin, NULL, 0, &trap), CATNAP_INTERRUPTED);
    assert_null(trap);
    assert_int_equal(catnap_run_resume(spin, NULL, 0, &trap), CATNAP_OUT_OF_FUEL);
    catnap_run_delete(spin);
    catnap_run_t *run = new_sum(fixture, 100);
    assert_no_error(catnap_store_set_fuel(store, 100000));
    catnap_store_interrupt(store, catnap_store_call_id(store));
    catnap_status_t status = catnap_run_resume(run, out, 2, &trap);
    assert_int_equal(status, CATNAP_INTERRUPTED);
    assert_int_equal(catnap_run_resume(run, out, 2, &trap), CATNAP_OK);
    assert_int_equal(out[0].of.i32, 10100);
    catnap_run_delete(run);
}

static void runs_end_in_traps(void **state) {
    struct run_fixture *fixture = *state;
    wasm_trap_t *trap;
    catnap_run_t *run = new_run(fixture, "trap", NULL, 0);
    assert_no_error(catnap_store_set_fuel(fixture->store, 100));
    assert_int_equal(catnap_run_resume(run, NULL, 0, &trap), CATNAP_TRAP);
    assert_int_equal(catnap_trap_frame_count(trap), 1);
    assert_trap(trap, CATNAP_TRAP_UNREACHABLE, "unreachable");
    assert_int_equal(catnap_run_resume(run, NULL, 0, &trap), CATNAP_MISUSE);
    assert_null(trap);
    catnap_run_delete(run);
    run = new_run(fixture, "trap", NULL, 0);
    assert_int_equal(catnap_run_resume(run, NULL, 0, NULL), CATNAP_TRAP);
    catnap_run_delete(run);
}

/* A run that is resumed by a host function, inside another run. */
static void runs_nest(void **state) {
    struct run_fixture *fixture = *state;
    catnap_val_t in = {.kind = WASM_I32, .of.i32 = 1}, out[2];
    wasm_trap_t *trap;
    fixture->inner = new_sum(fixture, 10);
    assert_no_error(catnap_store_set_fuel(fixture->store, 20));
    assert_int_equal(catnap_run_resume(fixture->inner, out, 2, &trap), CATNAP_OUT_OF_FUEL);
    catnap_run_t *outer = new_run(fixture, "ask", &in, 1);
    assert_no_error(catnap_store_set_fuel(fixture->store, 10000));
    assert_int_equal(catnap_run_resume(outer, out, 1, &trap), CATNAP_OK);
    assert_int_equal(out[0].of.i32, 2 + 110);
    catnap_run_delete(outer);
    catnap_run_delete(fixture->inner);
}

static int finalized;
static void count_finalizer(void *info) {
    (void)info;
    finalized++;
}

/* References on the stack of a stopped run are kept. */
static void stopped_runs_hold_references(void **state) {
    struct run_fixture *fixture = *state;
    wasm_store_t *store = fixture->store;
    finalized = 0;
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_foreign_set_host_info_with_finalizer(foreign, NULL, count_finalizer);
    catnap_val_t in = {.kind = WASM_EXTERNREF, .of.ref = wasm_foreign_as_ref(foreign)}, out[1];
    catnap_run_t *fresh = new_run(fixture, "keep", &in, 1), *stopped;
    stopped = new_run(fixture, "keep", &in, 1);
    wasm_trap_t *trap;
    assert_no_error(catnap_store_set_fuel(store, 25));
    assert_int_equal(catnap_run_resume(stopped, out, 1, &trap), CATNAP_OUT_OF_FUEL);
    wasm_foreign_delete(foreign);
    for (int i = 0; i < 3; i++) { /* collections */
        wasm_foreign_t *many[3000];
        for (size_t n = 0; n < COUNT(many); n++)
            many[n] = wasm_foreign_new(store);
        for (size_t n = 0; n < COUNT(many); n++)
            wasm_foreign_delete(many[n]);
    }
    assert_int_equal(finalized, 0);
    assert_no_error(catnap_store_set_fuel(store, 10000));
    assert_int_equal(catnap_run_resume(stopped, out, 1, &trap), CATNAP_OK);
    wasm_ref_delete(out[0].of.ref);
    assert_int_equal(catnap_run_resume(fresh, out, 1, &trap), CATNAP_OK);
    wasm_ref_delete(out[0].of.ref);
    catnap_run_delete(fresh);
    catnap_run_delete(stopped);
}

static wasm_trap_t *count_down(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                               catnap_val_t *results) {
    int32_t *calls = env;
    ++*calls;
    if (arguments[0].of.i32 == 0)
        return catnap_trap_new(catnap_caller_store(caller), CATNAP_TRAP_HOST, "nothing is left");
    results[0].of.i32 = arguments[0].of.i32 - 1;
    return NULL;
}

/* A function of the host is called at the first resumption, whole, whatever fuel there is. */
static void functions_of_the_host_run_whole(void **state) {
    struct run_fixture *fixture = *state;
    int32_t calls = 0;
    wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    wasm_func_t *func = catnap_func_new(fixture->store, type, count_down, &calls, NULL, NULL);
    wasm_functype_delete(type);
    assert_no_error(catnap_store_set_fuel(fixture->store, 0));
    for (int32_t n = 0; n < 2; n++) {
        catnap_val_t argument = {.kind = WASM_I32, .of.i32 = n}, out;
        wasm_trap_t *trap;
        catnap_run_t *run = catnap_run_new(func, &argument, 1, NULL);
        assert_int_equal(calls, n);
        assert_int_equal(catnap_run_resume(run, &out, 1, &trap), n ? CATNAP_OK : CATNAP_TRAP);
        assert_int_equal(calls, n + 1);
        if (n) {
            assert_int_equal(out.of.i32, 0);
        } else {
            assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_HOST);
            wasm_trap_delete(trap);
        }
        assert_int_equal(catnap_run_backtrace(run, NULL, 0), 0);
        assert_int_equal(catnap_run_resume(run, &out, 1, &trap), CATNAP_MISUSE);
        catnap_run_delete(run);
    }
    wasm_func_delete(func);
}

static void wrong_runs_are_refused(void **state) {
    struct run_fixture *fixture = *state;
    wasm_func_t *func = EXPORT(func, fixture->instance, "sum");
    catnap_val_t wrong = {.kind = WASM_F32}, out[3];
    catnap_error_t *error;
    wasm_trap_t *trap;
    assert_null(catnap_run_new(func, &wrong, 1, &error));
    assert_error(error, CATNAP_MISUSE, "argument 0");
    assert_null(catnap_run_new(func, &wrong, 0, &error));
    assert_error(error, CATNAP_MISUSE, "expected 1, found 0");
    assert_null(catnap_run_new(func, NULL, 1, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    assert_null(catnap_run_new(NULL, NULL, 0, NULL));
    catnap_run_t *run = new_sum(fixture, 3);
    assert_int_equal(catnap_run_resume(run, out, 3, &trap), CATNAP_MISUSE);
    assert_int_equal(catnap_run_resume(run, NULL, 2, &trap), CATNAP_MISUSE);
    assert_int_equal(catnap_run_resume(NULL, NULL, 0, &trap), CATNAP_MISUSE);
    assert_null(trap);
    catnap_run_delete(run);
    catnap_run_delete(NULL);
    wasm_func_delete(func);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN_TEST(slices_cost_what_the_whole_costs),
        RUN_TEST(several_runs_interleave),
        RUN_TEST(frames_of_a_stopped_run),
        RUN_TEST(interruption_can_be_resumed),
        RUN_TEST(runs_end_in_traps),
        RUN_TEST(runs_nest),
        RUN_TEST(stopped_runs_hold_references),
        RUN_TEST(functions_of_the_host_run_whole),
        RUN_TEST(wrong_runs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
