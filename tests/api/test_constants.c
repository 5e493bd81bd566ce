/* Constant expressions with arithmetic and globals of the module, in every way to make an instance. */
#include "helpers.h"

/*
 * (module
 *   (import "host" "base" (global $base i32))
 *   (func $seven (export "seven") (result i32) (i32.const 7))
 *   (table (export "t") 8 funcref)
 *   (memory (export "m") 1)
 *   (global $a (export "a") i32 (i32.add (global.get $base) (i32.mul (i32.const 3) (i32.const -5))))
 *   (global $b (export "b") i64 (i64.sub (i64.add (i64.const 1) (i64.const -1)) (i64.mul (i64.const 0x100000001) (i64.const 3))))
 *   (global $v v128 (v128.const i64x2 5 6))
 *   (global $w (mut v128) (global.get $v))
 *   (global $r funcref (ref.func $seven))
 *   (data (i32.sub (global.get $a) (i32.const -20)) "abc")
 *   (elem (table 0) (offset (i32.sub (i32.const 87) (global.get $a))) funcref (global.get $r))
 *   (elem $p funcref (global.get $r) (ref.null func) (ref.func $seven))
 *   (func (export "init") (table.init $p (i32.const 3) (i32.const 0) (i32.const 3)))
 *   (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
 *   (func (export "lane") (result i32) (i32x4.extract_lane 2 (global.get $w)))
 *   (func (export "byte") (param i32) (result i32) (i32.load8_u (local.get 0))))
 */
static const uint8_t constants[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0d, 0x03, 0x60, 0x00, 0x01, 0x7f, 0x60,
    0x00, 0x00, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x02, 0x0e, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x04,
    0x62, 0x61, 0x73, 0x65, 0x03, 0x7f, 0x00, 0x03, 0x06, 0x05, 0x00, 0x01, 0x02, 0x00, 0x02, 0x04,
    0x04, 0x01, 0x70, 0x00, 0x08, 0x05, 0x03, 0x01, 0x00, 0x01, 0x06, 0x3d, 0x05, 0x7f, 0x00, 0x23,
    0x00, 0x41, 0x03, 0x41, 0x7b, 0x6c, 0x6a, 0x0b, 0x7e, 0x00, 0x42, 0x01, 0x42, 0x7f, 0x7c, 0x42,
    0x81, 0x80, 0x80, 0x80, 0x10, 0x42, 0x03, 0x7e, 0x7d, 0x0b, 0x7b, 0x00, 0xfd, 0x0c, 0x05, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0b, 0x7b,
    0x01, 0x23, 0x03, 0x0b, 0x70, 0x00, 0xd2, 0x00, 0x0b, 0x07, 0x35, 0x09, 0x05, 0x73, 0x65, 0x76,
    0x65, 0x6e, 0x00, 0x00, 0x01, 0x74, 0x01, 0x00, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x61, 0x03, 0x01,
    0x01, 0x62, 0x03, 0x02, 0x04, 0x69, 0x6e, 0x69, 0x74, 0x00, 0x01, 0x04, 0x63, 0x61, 0x6c, 0x6c,
    0x00, 0x02, 0x04, 0x6c, 0x61, 0x6e, 0x65, 0x00, 0x03, 0x04, 0x62, 0x79, 0x74, 0x65, 0x00, 0x04,
    0x09, 0x1b, 0x02, 0x06, 0x00, 0x41, 0xd7, 0x00, 0x23, 0x01, 0x6b, 0x0b, 0x70, 0x01, 0x23, 0x05,
    0x0b, 0x05, 0x70, 0x03, 0x23, 0x05, 0x0b, 0xd0, 0x70, 0x0b, 0xd2, 0x00, 0x0b, 0x0a, 0x2b, 0x05,
    0x04, 0x00, 0x41, 0x07, 0x0b, 0x0c, 0x00, 0x41, 0x03, 0x41, 0x00, 0x41, 0x03, 0xfc, 0x0c, 0x01,
    0x00, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x11, 0x00, 0x00, 0x0b, 0x07, 0x00, 0x23, 0x04, 0xfd, 0x1b,
    0x02, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x2d, 0x00, 0x00, 0x0b, 0x0b, 0x0c, 0x01, 0x00, 0x23, 0x01,
    0x41, 0x6c, 0x6b, 0x0b, 0x03, 0x61, 0x62, 0x63,
};

#define BASE 100
#define A (BASE - 15)

static wasm_extern_t *base_of(wasm_store_t *store) {
    wasm_globaltype_t *type = wasm_globaltype_new(wasm_valtype_new_i32(), WASM_CONST);
    wasm_val_t value = WASM_I32_VAL(BASE);
    wasm_global_t *global = wasm_global_new(store, type, &value);
    wasm_globaltype_delete(type);
    assert_non_null(global);
    return wasm_global_as_extern(global);
}

static int64_t global_of(const wasm_instance_t *instance, const char *name) {
    wasm_global_t *global = EXPORT(global, instance, name);
    wasm_val_t value;
    wasm_global_get(global, &value);
    wasm_global_delete(global);
    return value.kind == WASM_I32 ? value.of.i32 : value.of.i64;
}

/* The values of all expressions, those of the passive segment last. */
static void assert_initialised(const wasm_instance_t *instance) {
    assert_int_equal(global_of(instance, "a"), A);
    assert_int_equal(global_of(instance, "b"), INT64_C(-3) * 0x100000001);
    assert_int_equal(CALL(instance, "lane", 0), 6);
    assert_int_equal(CALL(instance, "byte", A + 20 + 1), 'b');
    assert_int_equal(CALL(instance, "byte", A + 20 + 3), 0);
    assert_int_equal(CALL(instance, "call", 87 - A), 7);
    CALL(instance, "init", 0);
    assert_int_equal(CALL(instance, "call", 3), 7);
    assert_trap(CALL_TRAP(instance, "call", 4), CATNAP_TRAP_UNINITIALIZED_ELEMENT, "");
    assert_int_equal(CALL(instance, "call", 5), 7);
}

static wasm_instance_t *make(wasm_store_t *store) {
    wasm_extern_t *base = base_of(store);
    wasm_instance_t *instance = instantiate(store, constants, sizeof constants, &base, 1);
    wasm_extern_delete(base);
    return instance;
}

static void instances_have_the_values(void **state) {
    wasm_instance_t *instance = make(STORE(state));
    assert_initialised(instance);
    wasm_instance_delete(instance);
}

static void pre_linked_instances_have_them(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_extern_t *base = base_of(store);
    wasm_module_t *module = LOAD(store, constants);
    wasm_extern_vec_t imports = {1, &base};
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_prelinked_t *prelinked = catnap_prelinked_new(store, module, &imports, &error);
    assert_no_error(error);
    for (int round = 0; round < 3; round++) {
        wasm_instance_t *instance = catnap_prelinked_instantiate(prelinked, &error, &trap);
        assert_no_error(error);
        assert_no_trap(trap);
        sigaction(SIGSEGV, &engine_fault_handler, NULL);
        assert_initialised(instance);
        assert_no_error(catnap_instance_recycle(instance));
    }
    catnap_prelinked_delete(prelinked);
    wasm_module_delete(module);
    wasm_extern_delete(base);
}

/* The segment that was not read yet is read from the restored globals. */
static void snapshots_have_them(void **state) {
    wasm_store_t *store = STORE(state), *other = wasm_store_new(catnap_store_engine(store));
    wasm_instance_t *instance = make(store), *restored = NULL;
    catnap_error_t *error;
    catnap_snapshot_t *snapshot = catnap_snapshot_take(store, NULL, &error);
    assert_no_error(error);
    catnap_linker_t *linker = catnap_linker_new(other);
    assert_no_error(catnap_snapshot_restore(snapshot, linker, NULL, &restored, NULL));
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    assert_initialised(restored);
    wasm_instance_delete(restored);
    wasm_instance_delete(instance);
    catnap_snapshot_delete(snapshot);
    catnap_linker_delete(linker);
    wasm_store_delete(other);
}

static void modules_from_instances_have_them(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = make(store);
    wasm_byte_vec_t bytes;
    assert_no_error(catnap_instance_to_module(instance, NULL, &bytes));
    wasm_extern_t *base = base_of(store);
    wasm_instance_t *again = instantiate(store, (const uint8_t *)bytes.data, bytes.size, &base, 1);
    assert_initialised(again);
    wasm_extern_delete(base);
    wasm_instance_delete(again);
    wasm_instance_delete(instance);
    wasm_byte_vec_delete(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(instances_have_the_values),
        TEST(pre_linked_instances_have_them),
        TEST(snapshots_have_them),
        TEST(modules_from_instances_have_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
