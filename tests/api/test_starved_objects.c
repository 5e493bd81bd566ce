/* Garbage-collected objects, their types and modules' sections through the API, with each allocation failing in
 * turn: the failure is told, nothing is left, and what failed works when there is memory again. */
#include "../startup/inject.h"
#include "objects.h"

static void use_structure(wasm_store_t *store, catnap_deftype_t *type, wasm_ref_t *array) {
    catnap_error_t *error = NULL;
    catnap_val_t values[] = {{.kind = WASM_I32, .of.i32 = 7},
                             {.kind = CATNAP_ANYREF, .of.ref = array}};
    wasm_ref_t *object = catnap_struct_new(store, type, values, 2, &error);
    if (!object) {
        assert_false(succeeded(error));
        return;
    }
    catnap_val_t out = {.kind = WASM_I32};
    error = catnap_struct_get(object, 1, &out);
    if (succeeded(error)) {
        assert_true(wasm_ref_same(out.of.ref, array));
        wasm_ref_delete(out.of.ref);
    }
    values[0].of.i32 = 8;
    assert_no_error(catnap_struct_set(object, 0, &values[0]));
    assert_no_error(catnap_struct_get(object, 0, &out));
    assert_int_equal(out.of.i32, 8);
    catnap_deftype_t *its = catnap_ref_deftype(object);
    assert_true(!its || catnap_deftype_same(its, type));
    catnap_deftype_delete(its);
    wasm_ref_delete(object);
}

static void use_array(wasm_store_t *store, catnap_deftype_t *type, catnap_deftype_t *structure) {
    catnap_error_t *error = NULL;
    const catnap_val_t bytes[] = {{.kind = WASM_I32, .of.i32 = 1}, {.kind = WASM_I32, .of.i32 = 2}};
    uint8_t content[2] = {0};
    wasm_ref_t *array = catnap_array_new_fixed(store, type, bytes, 2, &error);
    if (!array) {
        assert_false(succeeded(error));
        return;
    }
    assert_no_error(catnap_array_read(array, 0, 2, content));
    assert_int_equal(content[1], 2);
    if (structure)
        use_structure(store, structure, array);
    wasm_ref_t *zeros = catnap_array_new(store, type, 1000, NULL, &error);
    if (zeros)
        assert_int_equal(catnap_array_length(zeros), 1000);
    else
        assert_false(succeeded(error));
    wasm_ref_delete(zeros);
    wasm_ref_delete(array);
}

static void use_types(wasm_engine_t *engine, wasm_store_t *store) {
    catnap_error_t *error = NULL;
    const catnap_fieldtype_t byte = {.kind = CATNAP_I8, .is_mutable = true};
    catnap_deftype_t *array = catnap_deftype_new_array(engine, &byte, &error);
    if (!array) {
        assert_false(succeeded(error));
        return;
    }
    const catnap_fieldtype_t fields[] = {
        {.kind = WASM_I32, .is_mutable = true},
        {.kind = CATNAP_ANYREF, .heap = CATNAP_HEAP_DEFINED, .type = array, .nullable = true}};
    catnap_deftype_t *structure = catnap_deftype_new_struct(engine, fields, 2, &error);
    if (!structure)
        assert_false(succeeded(error));
    catnap_deftype_t *copy = catnap_deftype_copy(array);
    assert_true(!copy || catnap_deftype_same(copy, array));
    use_array(store, array, structure);
    wasm_ref_t *number = catnap_i31_new(store, -5, &error);
    if (!number)
        assert_false(succeeded(error));
    wasm_ref_delete(number);
    catnap_deftype_delete(copy);
    catnap_deftype_delete(structure);
    catnap_deftype_delete(array);
}

static void use_module(wasm_store_t *store) {
    catnap_error_t *error = NULL;
    wasm_trap_t *trap = NULL;
    catnap_features_t features;
    wasm_module_t *module = catnap_module_new(store, objects, sizeof objects, NULL, &error);
    if (!module) {
        assert_false(succeeded(error));
        return;
    }
    succeeded(catnap_module_check_custom(module));
    if (succeeded(catnap_module_features(module, &features)))
        assert_true(features & CATNAP_FEATURE_GC);
    wasm_instance_t *instance = catnap_instance_new(store, module, NULL, &error, &trap);
    if (instance) {
        catnap_deftype_t *type = catnap_instance_deftype(instance, 0);
        catnap_deftype_delete(type);
    } else {
        assert_true(error ? !succeeded(error) : !ran(trap));
    }
    wasm_instance_delete(instance);
    wasm_module_delete(module);
}

static void make_objects(wasm_config_t *config, bool may_fail) {
    (void)may_fail;
    catnap_config_set_features(config, CATNAP_FEATURES_ALL);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = engine ? wasm_store_new(engine) : NULL;
    if (store) {
        use_types(engine, store);
        use_module(store);
        use_types(engine, store);
    }
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

static void each_allocation_fails(void **state) {
    (void)state;
    inject_everywhere(make_objects);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
