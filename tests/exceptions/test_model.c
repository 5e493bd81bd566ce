/* Random programs do what their model does, in every way that code can be executed, and in small steps. */
#include "../api/helpers.h"
#include "../support/saved.h"
#include "program.h"

enum { PROGRAMS = 600, ARGUMENTS = 2 };

struct mode {
    const char *name;
    bool explicit_checks, interruptible, eager;
    uint64_t slice;  /* of fuel; 0: none */
    uint32_t freeze; /* stops between two snapshots, which go on elsewhere; 0: never */
    uint32_t share;  /* it executes one program of so many */
    uint32_t steps;  /* and only programs that the model needs no more steps for */
};

static const struct mode modes[] = {
    {"plain", false, false, false, 0, 0, 1, UINT32_MAX},
    {"eager", false, true, true, 0, 0, 2, UINT32_MAX},
    {"explicit checks", true, false, false, 0, 0, 2, UINT32_MAX},
    {"a unit at a time", false, false, false, 1, 0, 3, 3000},
    {"slices", false, true, false, 7, 0, 2, 20000},
    {"snapshots", false, false, false, 5, 3, 2, 250},
};

/* The host calls the last function, and lets pass what it throws. */
static wasm_trap_t *call_leaf(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                              catnap_val_t *results) {
    const struct mode *mode = env;
    wasm_store_t *store = catnap_caller_store(caller);
    uint64_t fuel = catnap_store_fuel(store);
    wasm_extern_t *leaf = catnap_caller_export(caller, "leaf", 4);
    catnap_val_t result;
    (void)results;
    if (mode->slice)
        assert_no_error(catnap_store_set_fuel(store, UINT64_C(1) << 40));
    wasm_trap_t *trap = catnap_func_call(wasm_extern_as_func(leaf), arguments, 1, &result, 1);
    if (mode->slice)
        assert_no_error(catnap_store_set_fuel(store, fuel));
    wasm_extern_delete(leaf);
    return trap;
}

struct world {
    wasm_store_t *store;
    catnap_linker_t *linker;
    wasm_instance_t *instance;
};

static struct world new_world(wasm_engine_t *engine, const struct mode *mode) {
    struct world w = {.store = wasm_store_new(engine)};
    w.linker = catnap_linker_new(w.store);
    wasm_functype_t *type = wasm_functype_new_1_0(wasm_valtype_new_i32());
    wasm_func_t *func =
        catnap_func_new(w.store, type, call_leaf, (void *)(uintptr_t)mode, NULL, NULL);
    assert_no_error(
        catnap_linker_define(w.linker, "host", 4, "call", 4, wasm_func_as_extern(func)));
    wasm_func_delete(func);
    wasm_functype_delete(type);
    return w;
}

static void drop_world(struct world *w) {
    wasm_instance_delete(w->instance);
    catnap_linker_delete(w->linker);
    wasm_store_delete(w->store);
}

/* The run and all else go on in another store. */
static catnap_run_t *freeze(wasm_engine_t *engine, const struct mode *mode, struct world *w,
                            catnap_run_t *run) {
    catnap_error_t *error;
    wasm_byte_vec_t bytes = save_store(w->store, run);
    catnap_run_delete(run);
    drop_world(w);
    catnap_snapshot_t *snapshot =
        catnap_snapshot_read(engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
    assert_no_error(error);
    wasm_byte_vec_delete(&bytes);
    *w = new_world(engine, mode);
    assert_no_error(catnap_snapshot_restore(snapshot, w->linker, NULL, &w->instance, &run));
    catnap_snapshot_delete(snapshot);
    return run;
}

static wasm_trap_t *run_sliced(wasm_engine_t *engine, const struct mode *mode, struct world *w,
                               const wasm_func_t *func, int32_t argument, catnap_val_t *result) {
    catnap_error_t *error;
    catnap_val_t arguments[] = {{.kind = WASM_I32, .of.i32 = argument}};
    catnap_run_t *run = catnap_run_new(func, arguments, 1, &error);
    wasm_trap_t *trap;
    catnap_status_t status;
    assert_no_error(error);
    for (uint32_t stops = 1;; stops++) {
        assert_no_error(catnap_store_set_fuel(w->store, mode->slice));
        status = catnap_run_resume(run, result, 1, &trap);
        if (status != CATNAP_OUT_OF_FUEL)
            break;
        if (mode->freeze && stops % mode->freeze == 0)
            run = freeze(engine, mode, w, run);
    }
    assert_true(status == CATNAP_OK || status == CATNAP_TRAP);
    catnap_run_delete(run);
    return trap;
}

static void assert_value(const catnap_val_t *value, const uint64_t expected[2]) {
    switch (value->kind) {
    case WASM_V128:
        assert_memory_equal(value->of.v128, expected, 16);
        break;
    case WASM_I64:
        assert_int_equal(value->of.i64, (int64_t)expected[0]);
        break;
    default:
        assert_int_equal(value->of.i32, (int32_t)(uint32_t)expected[0]);
        break;
    }
}

static void assert_thrown(wasm_trap_t *trap, const struct outcome *expected) {
    static const char *const payloads[] = {"", "i", "Ii", "v", "ifvI"};
    assert_non_null(trap);
    catnap_exception_t *exception = catnap_trap_exception(trap);
    if (!exception)
        assert_trap(trap, CATNAP_TRAP_EXCEPTION, "uncaught exception");
    catnap_val_t values[4];
    size_t count = catnap_exception_values(exception, values, 4);
    assert_int_equal(count, strlen(payloads[expected->tag]));
    for (size_t i = 0; i < count; i++)
        assert_value(&values[i], expected->values[i]);
    catnap_exception_delete(exception);
    assert_trap(trap, CATNAP_TRAP_EXCEPTION, "uncaught exception: tag");
}

static void check(wasm_engine_t *engine, const struct mode *mode, const struct bytes *b,
                  int32_t argument, const struct outcome *expected) {
    catnap_error_t *error;
    struct world w = new_world(engine, mode);
    wasm_module_t *module = catnap_module_new(w.store, b->data, b->size, NULL, &error);
    assert_no_error(error);
    if (mode->slice)
        assert_no_error(catnap_store_set_fuel(w.store, 1));
    w.instance = catnap_linker_instantiate(w.linker, module, &error, NULL);
    assert_no_error(error);
    wasm_module_delete(module);
    wasm_extern_t *run = catnap_instance_export(w.instance, "run", 3);
    const wasm_func_t *func = wasm_extern_as_func(run);
    catnap_val_t result = {0}, arguments[] = {{.kind = WASM_I32, .of.i32 = argument}};
    wasm_trap_t *trap;
    if (mode->slice) {
        trap = run_sliced(engine, mode, &w, func, argument, &result);
    } else {
        trap = catnap_func_call(func, arguments, 1, &result, 1);
    }
    if (!mode->freeze)
        wasm_extern_delete(run);
    if (expected->thrown) {
        assert_thrown(trap, expected);
    } else {
        assert_no_trap(trap);
        assert_int_equal(result.of.i64, expected->result);
    }
    drop_world(&w);
    if (mode->freeze)
        wasm_extern_delete(run);
}

static wasm_engine_t *new_engine(const struct mode *mode) {
    wasm_config_t *config = wasm_config_new();
    if (mode->explicit_checks)
        catnap_config_set_bounds_checks(config, CATNAP_BOUNDS_EXPLICIT);
    catnap_config_set_interruptible(config, mode->interruptible);
    catnap_config_set_fuel(config, mode->slice > 0);
    if (mode->eager)
        catnap_config_set_translation(config, CATNAP_TRANSLATION_EAGER);
    return wasm_engine_new_with_config(config);
}

static void test_programs_do_what_the_model_does(void **state) {
    wasm_engine_t *engines[COUNT(modes)];
    uint32_t thrown = 0, returned = 0;
    static struct program program;
    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++)
        engines[i] = new_engine(&modes[i]);
    for (uint64_t seed = 1; seed <= PROGRAMS; seed++) {
        make_program(&program, seed);
        struct bytes b = program_module(&program);
        for (int32_t argument = 0; argument < ARGUMENTS; argument++) {
            struct outcome expected = model(&program, argument);
            for (size_t i = 0; i < COUNT(modes) && !expected.too_long; i++)
                if (seed % modes[i].share == 0 && expected.steps <= modes[i].steps)
                    check(engines[i], &modes[i], &b, argument, &expected);
            thrown += expected.thrown;
            returned += !expected.thrown;
        }
        drop_bytes(&b);
    }
    assert_true(thrown > PROGRAMS / 10 && returned > PROGRAMS / 10);
    for (size_t i = 0; i < COUNT(modes); i++)
        wasm_engine_delete(engines[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_programs_do_what_the_model_does)};
    return cmocka_run_group_tests_name("exceptions: model", tests, NULL, NULL);
}
