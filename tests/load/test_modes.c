/* Lazy, eager and deferred: what is validated and translated when, and what a bad body does. */
#include <pthread.h>

#include "../unit/sample.h"
#include "load.h"

static const struct engine_form deferred = {.translation = CATNAP_TRANSLATION_DEFERRED};
static const struct engine_form deferred_explicit = {.translation = CATNAP_TRANSLATION_DEFERRED,
                                                     .bounds = CATNAP_BOUNDS_EXPLICIT};

static catnap_module_stats_t stats_of(const wasm_instance_t *instance) {
    catnap_module_stats_t stats;
    wasm_module_t *module = catnap_instance_module(instance);
    catnap_module_stats(module, &stats);
    wasm_module_delete(module);
    return stats;
}

static void a_bad_body_traps_when_called(const struct engine_form *form) {
    struct bytes b = FOUR_FUNCTIONS(0x6A, 0x0B);
    wasm_engine_t *engine = new_engine(form);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_instance_t *instance = instantiate(store, b.data, b.size, NULL, 0);
    assert_int_equal(stats_of(instance).functions_validated, 0);
    assert_int_equal(CALL(instance, "a"), 42);
    assert_int_equal(stats_of(instance).functions_validated, 1);
    for (int i = 0; i < 2; i++) {
        assert_trap(CALL_TRAP(instance, "b"), CATNAP_TRAP_INVALID, "function 1 at offset 0x");
        assert_trap(CALL_TRAP(instance, "c"), CATNAP_TRAP_INVALID, "type mismatch: i32.add");
    }
    assert_int_equal(CALL(instance, "d"), 43);
    catnap_module_stats_t stats = stats_of(instance);
    assert_int_equal(stats.functions_validated, 3);
    assert_int_equal(stats.functions_translated, 3);
    wasm_module_t *module = catnap_instance_module(instance);
    catnap_error_t *error = catnap_module_translate(module);
    assert_int_equal(catnap_error_function(error), 1);
    assert_true(catnap_error_offset(error) < b.size);
    assert_error(error, CATNAP_INVALID, "type mismatch");
    wasm_module_delete(module);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    drop_bytes(&b);
}

static void bad_bodies_trap_when_called(void **state) {
    (void)state;
    a_bad_body_traps_when_called(&deferred);
    a_bad_body_traps_when_called(&deferred_explicit);
}

/* The bytes before a body do not mislead the search for its size. */
static void bad_bodies_do_not_hide_their_neighbours(void **state) {
    (void)state;
    struct bytes b = FOUR_FUNCTIONS(0x41, 7, 0x0B, 0x80, 0x80);
    wasm_engine_t *engine = new_engine(&deferred_explicit);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = load(store, b.data, b.size);
    assert_error(catnap_module_translate(module), CATNAP_MALFORMED, "2 bytes after the final end");
    wasm_instance_t *instance = instantiate(store, b.data, b.size, NULL, 0);
    assert_trap(CALL_TRAP(instance, "c"), CATNAP_TRAP_INVALID, "after the final end");
    assert_int_equal(CALL(instance, "d"), 43);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    drop_bytes(&b);
}

static void modules_choose_for_themselves(void **state) {
    static const catnap_translation_t modes[] = {CATNAP_TRANSLATION_LAZY, CATNAP_TRANSLATION_EAGER,
                                                 CATNAP_TRANSLATION_DEFERRED};
    static const uint64_t validated[] = {4, 4, 0}, translated[] = {0, 4, 0};
    struct bytes good = FOUR_FUNCTIONS(0x41, 7, 0x0B), bad = FOUR_FUNCTIONS(0x6A, 0x0B);
    (void)state;
    for (size_t of_engine = 0; of_engine < COUNT(modes); of_engine++) {
        wasm_engine_t *engine = new_engine(&(struct engine_form){.translation = modes[of_engine]});
        wasm_store_t *store = wasm_store_new(engine);
        for (size_t i = 0; i < COUNT(modes); i++) {
            catnap_error_t *error;
            catnap_module_stats_t stats;
            catnap_module_options_t options = {.set_translation = true, .translation = modes[i]};
            wasm_module_t *module =
                catnap_module_new(store, good.data, good.size, &options, &error);
            assert_no_error(error);
            catnap_module_stats(module, &stats);
            assert_int_equal(stats.functions_validated, validated[i]);
            assert_int_equal(stats.functions_translated, translated[i]);
            wasm_module_delete(module);
            module = catnap_module_new(store, bad.data, bad.size, &options, &error);
            if (modes[i] == CATNAP_TRANSLATION_DEFERRED)
                assert_no_error(error);
            else
                assert_error(error, CATNAP_INVALID, "type mismatch");
            wasm_module_delete(module);
        }
        wasm_store_delete(store);
        wasm_engine_delete(engine);
    }
    drop_bytes(&good);
    drop_bytes(&bad);
}

/* Deferred validation reports the same as eager validation: of the declarations at once, of the bodies
 * when they are translated. */
static catnap_error_t *load_later(wasm_store_t *store, const struct bytes *b, size_t turn) {
    catnap_module_options_t later = {.set_translation = true,
                                     .translation = CATNAP_TRANSLATION_DEFERRED};
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(store, b->data, b->size, &later, &error);
    (void)turn;
    if (module)
        error = catnap_module_translate(module);
    wasm_module_delete(module);
    return error;
}

static void changed_modules_fare_the_same(void **state) {
    struct bytes b = sample_module();
    (void)state;
    load_changed_samples(b, load_later);
    drop_bytes(&b);
}

/* ---- Memory that runs out, and modules that end too early, in each mode ---- */

static const catnap_translation_t each_mode[] = {CATNAP_TRANSLATION_LAZY, CATNAP_TRANSLATION_EAGER,
                                                 CATNAP_TRANSLATION_DEFERRED};

static void loading_fails_without_memory(void **state) {
    struct bytes b = many_functions(5, UINT32_MAX, UINT32_MAX);
    (void)state;
    for (size_t mode = 0; mode < COUNT(each_mode); mode++) {
        struct engine_form form = {.translation = each_mode[mode]};
        uint64_t fail_at = 0;
        while (!loads_starved(form, &b, load_whole, fail_at, false))
            fail_at++;
        assert_true(fail_at > 0);
    }
    drop_bytes(&b);
}

static void truncated_modules_are_refused(void **state) {
    struct bytes small = sample_module(), large = many_functions(20, UINT32_MAX, UINT32_MAX);
    const struct bytes *modules[] = {&small, &large};
    (void)state;
    for (size_t mode = 0; mode < COUNT(each_mode); mode++) {
        struct injector injector = {.fail_at = UINT64_MAX};
        wasm_engine_t *engine = new_engine(
            &(struct engine_form){.translation = each_mode[mode], .injector = &injector});
        wasm_store_t *store = wasm_store_new(engine);
        for (size_t i = 0; i < COUNT(modules); i++)
            for (size_t size = 0; size < modules[i]->size; size += 1 + i * 97) {
                uint8_t *copy = malloc(size ? size : 1); /* a sanitizer sees its end */
                assert_non_null(copy);
                memcpy(copy, modules[i]->data, size);
                catnap_error_t *error;
                wasm_module_t *module = catnap_module_new(store, copy, size, NULL, &error);
                assert_true(module != NULL || error != NULL);
                assert_true(i == 0 || size <= 8 || module == NULL);
                wasm_module_delete(module);
                catnap_error_delete(error);
                free(copy);
            }
        wasm_store_delete(store);
        wasm_engine_delete(engine);
        assert_int_equal(injector.held, 0);
    }
    drop_bytes(&small);
    drop_bytes(&large);
}

/* ---- Memory that runs out at a first call ---- */

/* One resume with the allocation `fail_at` failing; true when it did not come to that. */
static bool run_with_failure(const struct engine_form *form, const char *name, int32_t expected,
                             uint64_t fail_at) {
    struct injector injector = {.fail_at = UINT64_MAX};
    struct engine_form starved = *form;
    struct bytes b = FOUR_FUNCTIONS(0x41, 7, 0x0B);
    starved.injector = &injector;
    wasm_engine_t *engine = new_engine(&starved);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_instance_t *instance = instantiate(store, b.data, b.size, NULL, 0);
    wasm_func_t *func = EXPORT(func, instance, name);
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_val_t result;
    catnap_run_t *run = catnap_run_new(func, NULL, 0, &error);
    assert_no_error(error);
    injector.fail_at = injector.count + fail_at;
    catnap_status_t first = catnap_run_resume(run, &result, 1, &trap);
    assert_null(trap);
    if (first != CATNAP_OK) {
        assert_int_equal(first, CATNAP_NO_MEMORY);
        assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_NO_MEMORY);
        injector.fail_at = UINT64_MAX;
        assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OK);
    }
    assert_int_equal(result.of.i32, expected);
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_MISUSE);
    catnap_run_delete(run);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    assert_int_equal(injector.held, 0);
    drop_bytes(&b);
    return first == CATNAP_OK;
}

static void runs_wait_for_memory(void **state) {
    static const struct engine_form lazy = {.translation = CATNAP_TRANSLATION_LAZY};
    const struct engine_form *forms[] = {&lazy, &deferred, &deferred_explicit};
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        uint64_t failures = 0;
        while (!run_with_failure(forms[i], "c", 7, failures))
            failures++;
        assert_true(failures >= 2);
        for (failures = 0; !run_with_failure(forms[i], "d", 43, failures);)
            failures++;
        assert_true(failures >= 2);
    }
}

/* A plain call ends in a trap, and can be made again. */
static void calls_trap_without_memory(void **state) {
    struct injector injector = {.fail_at = UINT64_MAX};
    struct engine_form form = {.translation = CATNAP_TRANSLATION_DEFERRED, .injector = &injector};
    struct bytes b = FOUR_FUNCTIONS(0x41, 7, 0x0B);
    wasm_engine_t *engine = new_engine(&form);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_instance_t *instance = instantiate(store, b.data, b.size, NULL, 0);
    (void)state;
    assert_int_equal(CALL(instance, "a"), 42);
    wasm_func_t *func = EXPORT(func, instance, "c");
    int32_t result;
    injector.fail_at = injector.count;
    assert_trap(call_i32(func, NULL, &result), CATNAP_TRAP_NO_MEMORY, "memory is exhausted");
    injector.fail_at = UINT64_MAX;
    assert_no_trap(call_i32(func, NULL, &result));
    assert_int_equal(result, 7);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    drop_bytes(&b);
}

/* ---- First calls from several threads ---- */

static void *call_all(void *env) {
    struct bytes *b = env;
    wasm_shared_module_t *shared = *(wasm_shared_module_t **)b->data;
    wasm_engine_t *engine = *(wasm_engine_t **)(b->data + sizeof shared);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = wasm_module_obtain(store, shared);
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_extern_vec_t none = {0, NULL};
    wasm_instance_t *instance = catnap_instance_new(store, module, &none, &error, &trap);
    assert_non_null(instance);
    assert_int_equal(CALL(instance, "d"), 43);
    assert_trap(CALL_TRAP(instance, "c"), CATNAP_TRAP_INVALID, "type mismatch");
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    return NULL;
}

static void threads_share_deferred_modules(void **state) {
    struct bytes b = FOUR_FUNCTIONS(0x6A, 0x0B), env = {0};
    (void)state;
    for (int round = 0; round < 20; round++) {
        pthread_t threads[4];
        wasm_engine_t *engine = new_engine(round % 2 ? &deferred : &deferred_explicit);
        wasm_store_t *store = wasm_store_new(engine);
        wasm_module_t *module = load(store, b.data, b.size);
        wasm_shared_module_t *shared = wasm_module_share(module);
        env.size = 0;
        put_bytes(&env, &shared, sizeof shared);
        put_bytes(&env, &engine, sizeof engine);
        for (size_t i = 0; i < COUNT(threads); i++)
            assert_int_equal(pthread_create(&threads[i], NULL, call_all, &env), 0);
        for (size_t i = 0; i < COUNT(threads); i++)
            pthread_join(threads[i], NULL);
        catnap_module_stats_t stats;
        catnap_module_stats(module, &stats);
        assert_int_equal(stats.functions_validated, 3);
        wasm_shared_module_delete(shared);
        wasm_module_delete(module);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
    }
    drop_bytes(&env);
    drop_bytes(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_bodies_trap_when_called),
        cmocka_unit_test(bad_bodies_do_not_hide_their_neighbours),
        cmocka_unit_test(modules_choose_for_themselves),
        cmocka_unit_test(changed_modules_fare_the_same),
        cmocka_unit_test(loading_fails_without_memory),
        cmocka_unit_test(truncated_modules_are_refused),
        cmocka_unit_test(runs_wait_for_memory),
        cmocka_unit_test(calls_trap_without_memory),
        cmocka_unit_test(threads_share_deferred_modules),
    };
    return cmocka_run_group_tests_name("load/modes", tests, NULL, NULL);
}
