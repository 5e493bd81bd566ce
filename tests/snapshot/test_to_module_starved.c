/* Making a module of an instance while memory runs out, at each allocation in turn. */
#include "../startup/inject.h"
#include "modules.h"

static bool call(const wasm_instance_t *instance, const char *name, int32_t a, int32_t b) {
    wasm_extern_t *found = catnap_instance_export(instance, name, strlen(name));
    int32_t result;
    if (!found)
        return false;
    wasm_func_t *func = wasm_extern_as_func(found);
    bool ok = ran(call_i32(func, (const int32_t[4]){a, b, 5000}, &result));
    wasm_func_delete(func);
    return ok;
}

static bool change(const wasm_instance_t *instance) {
    return call(instance, "fill", 70000, 9) && call(instance, "set_g", 5, 0) &&
           call(instance, "set_f", 1, 1) && call(instance, "drop", 0, 0);
}

/* The module is right, or there is none and memory is the reason. */
static void convert(wasm_store_t *store, const wasm_instance_t *instance) {
    wasm_byte_vec_t out;
    catnap_error_t *error;
    catnap_export_change_t changes[] = {{"drop", NULL}, {"grow", "expand"}};
    catnap_to_module_options_t options = {changes, COUNT(changes)};
    if (!succeeded(catnap_instance_to_module(instance, &options, &out))) {
        assert_null(out.data);
        return;
    }
    wasm_module_t *module =
        catnap_module_new(store, (const uint8_t *)out.data, out.size, NULL, &error);
    assert_int_equal(module != NULL, succeeded(error));
    wasm_module_delete(module);
    wasm_byte_vec_delete(&out);
}

static void scenario(wasm_config_t *config, bool may_fail) {
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    (void)may_fail;
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = engine ? wasm_store_new(engine) : NULL;
    wasm_module_t *module = NULL;
    wasm_instance_t *instance = NULL;
    if (store) {
        module = catnap_module_new(store, state_module, sizeof state_module, NULL, &error);
        assert_int_equal(module != NULL, succeeded(error));
    }
    if (module) {
        instance = catnap_instance_new(store, module, &none, &error, &trap);
        assert_int_equal(instance != NULL, succeeded(error) && ran(trap));
    }
    if (instance && change(instance))
        convert(store, instance);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    inject_everywhere(scenario);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
