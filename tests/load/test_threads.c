/* Several threads: validation has the outcome of one, and code is made once. */
#include "load.h"

#include "runtime/shared.h"

#define FUNCTIONS 200u /* of 4 KB: a dozen pieces of work */

static void expect_same(const struct bytes *b) {
    wasm_engine_t *one = new_engine(&(struct engine_form){.threads = 1});
    catnap_error_t *expected = catnap_module_validate(one, b->data, b->size);
    for (uint32_t threads = 0; threads <= 5; threads++) {
        wasm_engine_t *engine = new_engine(&(struct engine_form){.threads = threads});
        wasm_store_t *store = wasm_store_new(engine);
        catnap_error_t *error;
        wasm_module_t *module = catnap_module_new(store, b->data, b->size, NULL, &error);
        assert_int_equal(module != NULL, expected == NULL);
        assert_int_equal(catnap_error_status(error), catnap_error_status(expected));
        assert_int_equal(catnap_error_offset(error), catnap_error_offset(expected));
        assert_int_equal(catnap_error_function(error), catnap_error_function(expected));
        assert_string_equal(catnap_error_message(error), catnap_error_message(expected));
        catnap_error_delete(error);
        wasm_module_delete(module);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
    }
    catnap_error_delete(expected);
    wasm_engine_delete(one);
}

static void errors_come_in_module_order(void **state) {
    static const uint32_t places[][2] = {
        {UINT32_MAX, UINT32_MAX}, {0, UINT32_MAX}, {FUNCTIONS - 1, UINT32_MAX},
        {100, UINT32_MAX},        {17, 180},       {UINT32_MAX, 60},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        struct bytes b = many_functions(FUNCTIONS, places[i][0], places[i][1]);
        expect_same(&b);
        drop_bytes(&b);
    }
}

static void memory_runs_out(void **state) {
    struct bytes b = many_functions(FUNCTIONS, UINT32_MAX, UINT32_MAX);
    bool loaded = false;
    (void)state;
    for (uint64_t turn = 0; !loaded || turn < 60; turn++)
        loaded =
            loads_starved((struct engine_form){.threads = 3}, &b, load_whole, turn / 2, turn % 2);
    drop_bytes(&b);
}

/* While a thread allocates a variant of a module's code, another one makes the same. */
struct intruder {
    struct shared_module *shared; /* NULL: not now */
    struct translation_config config;
    const struct code_variant *made;
};

static void *intrude(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct intruder *intruder = env;
    struct shared_module *shared = intruder->shared;
    (void)old_size;
    intruder->shared = NULL;
    if (shared)
        intruder->made = cn_shared_variant(shared, &intruder->config);
    if (new_size > 0)
        return realloc(pointer, new_size);
    free(pointer);
    return NULL;
}

static void a_configuration_has_one_variant(void **state) {
    (void)state;
    struct intruder intruder = {0};
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_allocator(config, &(catnap_allocator_t){intrude, &intruder});
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    struct bytes b = FOUR_FUNCTIONS(0x41, 7, 0x0B);
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(store, b.data, b.size, NULL, &error);
    assert_non_null(module);
    intruder.config = cn_engine_translation(engine, true);
    intruder.shared = module->shared;
    const struct code_variant *variant = cn_shared_variant(module->shared, &intruder.config);
    assert_non_null(variant);
    assert_ptr_equal(intruder.made, variant);
    assert_ptr_equal(cn_shared_find_variant(module->shared, &intruder.config), variant);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    drop_bytes(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_come_in_module_order),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(a_configuration_has_one_variant),
    };
    return cmocka_run_group_tests_name("load/threads", tests, NULL, NULL);
}
