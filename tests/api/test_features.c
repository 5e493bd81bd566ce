/* The features that a module needs: just those without which it is refused. */
#include "helpers.h"

#include "../support/module.h"

/* Whether an engine with these features takes the module; if so, what it says that the module needs. */
static bool is_taken(const struct bytes *b, catnap_features_t features, catnap_features_t *needed) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_features(config, features);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = catnap_module_new(store, b->data, b->size, NULL, NULL);
    if (module)
        assert_null(catnap_module_features(module, needed));
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return module;
}

static void expect_needs(struct bytes b, catnap_features_t expected) {
    catnap_features_t needed, again;
    assert_true(is_taken(&b, CATNAP_FEATURES_ALL, &needed));
    assert_int_equal(needed, expected);
    for (catnap_features_t feature = 1; feature; feature <<= 1) {
        bool refused = !is_taken(&b, CATNAP_FEATURES_ALL & ~feature, &again);
        assert_int_equal(refused, (expected & feature) != 0);
        if (!refused)
            assert_int_equal(again, expected);
    }
    drop_bytes(&b);
}

/* The module of a memory, a table and a function of no type with this body, locals included. */
static struct bytes of_body(const uint8_t *body, size_t size) {
    struct module_builder m = {0};
    struct bytes f = {0};
    add_memory(&m, 1, 1);
    add_table(&m, FUNCREF, 1, 1);
    add_data_count(&m, 1);
    put_bytes(&f, body, size);
    add_func(&m, "f", add_type(&m, "", ""), &f);
    add_data(&m, 0, "", 0);
    return finish(&m);
}
#define BODY_NEEDS(features, ...)                                                                  \
    expect_needs(of_body((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})),  \
                 (features) | CATNAP_FEATURE_BULK_MEMORY)

static void bodies_need_features(void **state) {
    (void)state;
    BODY_NEEDS(0, 0, END);
    BODY_NEEDS(CATNAP_FEATURE_SIGN_EXTENSION, 0, I32_CONST, 0, 0xC0, DROP, END);
    BODY_NEEDS(CATNAP_FEATURE_SIMD, 1, 1, V128, END);
    BODY_NEEDS(CATNAP_FEATURE_TAIL_CALLS, 0, RETURN_CALL, 0, END);
    BODY_NEEDS(CATNAP_FEATURE_TAIL_CALLS | CATNAP_FEATURE_FUNCTION_REFERENCES |
                   CATNAP_FEATURE_REFERENCE_TYPES,
               0, REF_FUNC, 0, RETURN_CALL_REF, 0, END);
    /* An index of a memory or table that is 0, but not one byte. */
    BODY_NEEDS(0, 0, 0x3F, 0, DROP, END);
    BODY_NEEDS(CATNAP_FEATURE_MULTI_MEMORY, 0, 0x3F, 0x80, 0, DROP, END);
    BODY_NEEDS(CATNAP_FEATURE_MULTI_MEMORY, 0, I32_CONST, 0, 0x2D, 0x40, 0, 0, DROP, END);
    BODY_NEEDS(0, 0, I32_CONST, 0, CALL_INDIRECT, 0, 0, END);
    BODY_NEEDS(CATNAP_FEATURE_REFERENCE_TYPES, 0, I32_CONST, 0, CALL_INDIRECT, 0, 0x80, 0, END);
    /* An offset of five bytes, and of six. */
    BODY_NEEDS(0, 0, I32_CONST, 0, 0x2D, 0, 0x81, 0x80, 0x80, 0x80, 0, DROP, END);
    BODY_NEEDS(CATNAP_FEATURE_MEMORY64, 0, I32_CONST, 0, 0x2D, 0, 0x81, 0x80, 0x80, 0x80, 0x80, 0,
               DROP, END);
}

static void declarations_need_features(void **state) {
    (void)state;
    struct module_builder m = {0};
    add_type(&m, "", "ii");
    expect_needs(finish(&m), CATNAP_FEATURE_MULTI_VALUE);
    add_memory(&m, 1, 1);
    add_memory(&m, 1, 1);
    expect_needs(finish(&m), CATNAP_FEATURE_MULTI_MEMORY);
    add_memory_as(&m, 5, 1, 1);
    expect_needs(finish(&m), CATNAP_FEATURE_MEMORY64);
    add_memory_as(&m, 3, 1, 1);
    expect_needs(finish(&m), CATNAP_FEATURE_THREADS);
    add_table(&m, FUNCREF, 1, 1);
    add_table(&m, FUNCREF, 1, 1);
    expect_needs(finish(&m), CATNAP_FEATURE_REFERENCE_TYPES);
    ADD_GLOBAL(&m, I32, 1, I32_CONST, 0, END);
    expect_needs(finish(&m), 0);
    ADD_GLOBAL(&m, I32, 1, I32_CONST, 0, END);
    export_item(&m, "g", AS_GLOBAL, 0);
    expect_needs(finish(&m), CATNAP_FEATURE_MUTABLE_GLOBALS);
    ADD_GLOBAL(&m, I32, 0, I32_CONST, 0, I32_CONST, 0, I32_ADD, END);
    expect_needs(finish(&m), CATNAP_FEATURE_EXTENDED_CONST);
    add_tag(&m, add_type(&m, "", ""));
    expect_needs(finish(&m), CATNAP_FEATURE_EXCEPTIONS);
}

/* A body whose validation was deferred is invalid; arguments are missing. */
static void failures_are_told(void **state) {
    (void)state;
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_translation(config, CATNAP_TRANSLATION_DEFERRED);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    const uint8_t body[] = {0, I32_CONST, 0, END};
    struct bytes b = of_body(body, sizeof body);
    wasm_module_t *module = catnap_module_new(store, b.data, b.size, NULL, NULL);
    catnap_features_t needed = 1;
    assert_non_null(module);
    catnap_error_t *error = catnap_module_features(module, &needed);
    assert_int_equal(catnap_error_status(error), CATNAP_INVALID);
    assert_int_equal(needed, 0);
    catnap_error_delete(error);
    error = catnap_module_features(NULL, &needed);
    assert_int_equal(catnap_error_status(error), CATNAP_MISUSE);
    catnap_error_delete(error);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    drop_bytes(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_need_features),
        cmocka_unit_test(declarations_need_features),
        cmocka_unit_test(failures_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
