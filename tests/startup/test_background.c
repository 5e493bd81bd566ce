/* Translation in the background. */
#include "inject.h"

#include "../support/module.h"

#include "../child.h"

#define CHAIN 400u
#define LONE CHAIN /* a function without a caller */

/* f0 calls f1, and so on; the last gives 7. Each has some more to translate. `invalid` is the index
 * of a body that does not validate, or none. */
static struct bytes chain(uint32_t invalid) {
    struct module_builder m = {0};
    uint32_t type = add_type(&m, "i", "i");
    for (uint32_t i = 0; i <= CHAIN; i++) {
        struct bytes body = {0};
        put(&body, 0);
        for (int n = 0; n < 20; n++) {
            op_u(&body, LOCAL_GET, 0);
            i32_const(&body, n + 1);
            put(&body, I32_ADD);
            op_u(&body, LOCAL_SET, 0);
        }
        if (i + 1 < CHAIN) {
            op_u(&body, LOCAL_GET, 0);
            op_u(&body, CALL, i + 1);
        } else {
            i32_const(&body, 7);
        }
        if (i == invalid)
            put(&body, DROP);
        put(&body, END);
        add_func(&m, i == 0 ? "head" : i == LONE ? "lone" : NULL, type, &body);
    }
    return finish(&m);
}

static wasm_module_t *load_chain(wasm_store_t *store, uint32_t invalid) {
    struct bytes bytes = chain(invalid);
    wasm_module_t *module = load(store, bytes.data, bytes.size);
    drop_bytes(&bytes);
    return module;
}

static uint64_t translated(const wasm_module_t *module) {
    catnap_module_stats_t stats;
    catnap_module_stats(module, &stats);
    return stats.functions_translated;
}

static bool is_translated(const wasm_module_t *module, uint32_t func) {
    catnap_function_info_t info;
    assert_true(catnap_module_function(module, func, &info));
    return info.translated;
}

static catnap_background_t *begin(const wasm_module_t *module,
                                  const catnap_background_options_t *options) {
    catnap_error_t *error;
    catnap_background_t *job = catnap_module_translate_in_background(module, options, &error);
    assert_no_error(error);
    assert_non_null(job);
    return job;
}

static void finish_job(catnap_background_t *job) {
    assert_no_error(catnap_background_wait(job));
    assert_true(catnap_background_ended(job));
    catnap_background_delete(job);
}

static int32_t call_head(wasm_store_t *store, const wasm_module_t *module) {
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    wasm_instance_t *instance = catnap_instance_new(store, module, &none, NULL, NULL);
    assert_non_null(instance);
    int32_t result = call_export(instance, "head", (const int32_t[4]){1});
    wasm_instance_delete(instance);
    return result;
}

/* ---- Translated functions ---- */

static void everything_is_translated(void **state) {
    for (uint32_t threads = 1; threads <= 4; threads++) {
        wasm_module_t *module = load_chain(STORE(state), UINT32_MAX);
        catnap_background_options_t options;
        catnap_background_options_default(&options);
        options.threads = threads;
        finish_job(begin(module, threads == 1 ? NULL : &options));
        assert_int_equal(translated(module), CHAIN + 1);
        assert_int_equal(call_head(STORE(state), module), 7);
        assert_int_equal(translated(module), CHAIN + 1);
        wasm_module_delete(module);
    }
}

static void named_functions_come_in_order(void **state) {
    wasm_module_t *module = load_chain(STORE(state), UINT32_MAX);
    const uint32_t functions[] = {30, 5, LONE, 5, 17};
    uint32_t profile[8] = {0};
    catnap_background_options_t options = {.functions = functions, .function_count = 5};
    finish_job(begin(module, &options));
    assert_int_equal(catnap_module_profile(module, profile, COUNT(profile)), 4);
    const uint32_t expected[] = {30, 5, LONE, 17};
    assert_memory_equal(profile, expected, sizeof expected);
    assert_int_equal(catnap_module_profile(module, profile, 1), 4);
    assert_int_equal(profile[0], 30);
    assert_int_equal(catnap_module_profile(module, NULL, 0), 4);
    wasm_module_delete(module);
}

static void exports_bring_what_they_call(void **state) {
    wasm_store_t *store = STORE(state);
    const char *const names[] = {"head", "lone"};
    for (size_t which = 0; which < 3; which++) {
        wasm_module_t *module = load_chain(store, UINT32_MAX);
        catnap_background_options_t options = {
            .exports = which < 2 ? &names[which] : NULL,
            .export_count = which < 2,
            .all_exports = which == 2,
            .threads = 3,
        };
        finish_job(begin(module, &options));
        assert_int_equal(translated(module), which == 0 ? CHAIN : which == 1 ? 1 : CHAIN + 1);
        assert_int_equal(is_translated(module, LONE), which != 0);
        wasm_module_delete(module);
    }
}

/* A function that was named comes with its calls when an export leads to it. */
static void an_earlier_run_gives_the_order(void **state) {
    wasm_store_t *store = STORE(state);
    uint32_t profile[CHAIN + 1];
    wasm_module_t *module = load_chain(store, UINT32_MAX);
    call_head(store, module);
    size_t count = catnap_module_profile(module, profile, COUNT(profile));
    assert_int_equal(count, CHAIN);
    for (uint32_t i = 0; i < CHAIN; i++)
        assert_int_equal(profile[i], i);
    wasm_module_delete(module);
    module = load_chain(store, UINT32_MAX);
    const char *head = "head";
    catnap_background_options_t options = {.functions = profile,
                                           .function_count = 10,
                                           .exports = &head,
                                           .export_count = 1,
                                           .threads = 2};
    finish_job(begin(module, &options));
    assert_int_equal(translated(module), CHAIN);
    wasm_module_delete(module);
}

static void wrong_names_are_told(void **state) {
    wasm_module_t *module = load_chain(STORE(state), UINT32_MAX);
    const char *name = "absent";
    const uint32_t function = CHAIN + 1;
    catnap_error_t *error;
    catnap_background_options_t options = {.exports = &name, .export_count = 1};
    assert_null(catnap_module_translate_in_background(module, &options, &error));
    assert_error(error, CATNAP_NOT_FOUND, "absent");
    options = (catnap_background_options_t){.functions = &function, .function_count = 1};
    assert_null(catnap_module_translate_in_background(module, &options, &error));
    assert_error(error, CATNAP_NOT_FOUND, "401");
    assert_null(catnap_module_translate_in_background(NULL, NULL, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    assert_error(catnap_background_wait(NULL), CATNAP_MISUSE, "NULL");
    assert_true(catnap_background_ended(NULL));
    catnap_background_cancel(NULL);
    catnap_background_delete(NULL);
    wasm_module_delete(module);
}

/* ---- Meanwhile ---- */

static void calls_go_on_meanwhile(void **state) {
    wasm_store_t *store = STORE(state);
    for (int i = 0; i < 30; i++) {
        wasm_module_t *module = load_chain(store, UINT32_MAX);
        catnap_background_options_t options = {.everything = true, .threads = 1 + i % 3};
        catnap_background_t *job = begin(module, &options);
        assert_int_equal(call_head(store, module), 7);
        finish_job(job);
        assert_int_equal(translated(module), CHAIN + 1);
        wasm_module_delete(module);
    }
}

static void jobs_may_overlap(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_module_t *module = load_chain(store, UINT32_MAX);
    catnap_background_t *jobs[4];
    for (size_t i = 0; i < COUNT(jobs); i++)
        jobs[i] = begin(module, NULL);
    assert_int_equal(call_head(store, module), 7);
    for (size_t i = 0; i < COUNT(jobs); i++)
        finish_job(jobs[i]);
    assert_int_equal(translated(module), CHAIN + 1);
    wasm_module_delete(module);
}

static void everything_may_end_meanwhile(void **state) {
    (void)state;
    for (int i = 0; i < 40; i++) {
        wasm_engine_t *engine = wasm_engine_new();
        wasm_store_t *store = wasm_store_new(engine);
        wasm_module_t *module = load_chain(store, UINT32_MAX);
        catnap_background_options_t options = {.everything = true, .threads = 2};
        catnap_background_t *job = begin(module, &options);
        wasm_module_delete(module);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
        if (i % 4 == 0)
            usleep(200);
        if (i % 2)
            catnap_background_cancel(job);
        if (i % 3 == 0)
            assert_no_error(catnap_background_wait(job));
        catnap_background_delete(job);
    }
}

/* ---- After a fork ---- */

struct family {
    wasm_store_t *store;
    wasm_module_t *module;
    catnap_background_t *job;
};

/* The threads are not there, and what they held may be held for ever. */
static void go_on_without_threads(void *env) {
    struct family *family = env;
    catnap_background_options_t options = {.everything = true, .threads = 2};
    WANT(catnap_background_ended(family->job));
    WANT(succeeds(catnap_background_wait(family->job)));
    catnap_background_cancel(family->job);
    WANT(call_head(family->store, family->module) == 7);
    catnap_background_t *own_job = begin(family->module, &options);
    WANT(succeeds(catnap_background_wait(own_job)));
    WANT(is_translated(family->module, LONE));
    catnap_background_delete(own_job);
    catnap_background_delete(family->job);
    wasm_module_delete(family->module);
}

static void children_have_no_threads(void **state) {
    catnap_background_options_t options = {.everything = true, .threads = 4};
    for (int i = 0; i < 30; i++) {
        struct family family = {STORE(state), load_chain(STORE(state), UINT32_MAX), NULL};
        family.job = begin(family.module, &options);
        usleep((useconds_t)i * 20); /* to fork at another moment each time */
        assert_true(child_is_well(start_child(go_on_without_threads, &family)));
        assert_int_equal(call_head(family.store, family.module), 7);
        finish_job(family.job);
        assert_int_equal(translated(family.module), CHAIN + 1);
        wasm_module_delete(family.module);
    }
}

/* ---- Failures ---- */

static void invalid_functions_tell_their_callers(void **state) {
    (void)state;
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_translation(config, CATNAP_TRANSLATION_DEFERRED);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = load_chain(store, LONE);
    catnap_background_t *job = begin(module, NULL);
    catnap_error_t *error = catnap_background_wait(job);
    assert_int_equal(catnap_error_function(error), LONE);
    assert_error(error, CATNAP_INVALID, "");
    assert_int_equal(translated(module), CHAIN);
    catnap_background_delete(job);
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    wasm_instance_t *instance = catnap_instance_new(store, module, &none, NULL, NULL);
    assert_int_equal(call_export(instance, "head", (const int32_t[4]){1}), 7);
    assert_trap(CALL_TRAP(instance, "lone", 1), CATNAP_TRAP_INVALID, "");
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

static void background_scenario(wasm_config_t *config, bool may_fail) {
    (void)may_fail;
    catnap_error_t *error = NULL;
    struct bytes bytes = {0};
    struct module_builder m = {0};
    uint32_t type = add_type(&m, "", "i");
    for (uint32_t i = 0; i < 3; i++) {
        struct bytes body = {0};
        put(&body, 0);
        op_u(&body, CALL, (i + 1) % 3);
        put(&body, END);
        add_func(&m, i == 0 ? "head" : NULL, type, &body);
    }
    bytes = finish(&m);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = engine ? wasm_store_new(engine) : NULL;
    wasm_module_t *module =
        store ? catnap_module_new(store, bytes.data, bytes.size, NULL, &error) : NULL;
    succeeded(error);
    catnap_background_options_t options = {.all_exports = true, .threads = 2};
    catnap_background_t *job = NULL;
    if (module) {
        job = catnap_module_translate_in_background(module, &options, &error);
        succeeded(error);
    }
    if (job && succeeded(catnap_background_wait(job)))
        assert_int_equal(translated(module), 3);
    catnap_background_delete(job);
    wasm_module_delete(module);
    if (store)
        wasm_store_delete(store);
    if (engine)
        wasm_engine_delete(engine);
    drop_bytes(&bytes);
}

static void survives_exhausted_memory(void **state) {
    (void)state;
    inject_everywhere(background_scenario);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(everything_is_translated),
        TEST(named_functions_come_in_order),
        TEST(exports_bring_what_they_call),
        TEST(an_earlier_run_gives_the_order),
        TEST(wrong_names_are_told),
        TEST(calls_go_on_meanwhile),
        TEST(jobs_may_overlap),
        TEST(everything_may_end_meanwhile),
        TEST(children_have_no_threads),
        TEST(invalid_functions_tell_their_callers),
        TEST(survives_exhausted_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
