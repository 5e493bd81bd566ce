/* Validation by several threads: the outcome is that of one. */
#include "load.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_come_in_module_order),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests_name("load/threads", tests, NULL, NULL);
}
