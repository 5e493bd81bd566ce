/* References of function types between the host and WebAssembly, in every way to make an instance. */
#include "helpers.h"

#include "../support/module.h"

/*
 * (module
 *   (type $f (func (param i32) (result i32)))
 *   (type $open (sub (func (result i32))))
 *   (type $below (sub final $open (func (result i32))))
 *   (func $double (export "double") (type $f) (i32.add (local.get 0) (local.get 0)))
 *   (func $other (export "other") (param i64))
 *   (func $five (export "five") (type $below) (i32.const 5))
 *   (table $t (export "t") 3 9 (ref $f) (ref.func $double))
 *   (table $of_below funcref (elem $five $double))
 *   (global $g (export "g") (mut (ref $f)) (ref.func $double))
 *   (global $n (export "n") (mut (ref null $f)) (ref.null $f))
 *   (func (export "call") (param (ref null $f) i32) (result i32)
 *     (call_ref $f (local.get 1) (local.get 0)))
 *   (func (export "call_g") (param i32) (result i32) (call_ref $f (local.get 0) (global.get $g)))
 *   (func (export "call_n") (param i32) (result i32) (call_ref $f (local.get 0) (global.get $n)))
 *   (func (export "call_t") (param i32 i32) (result i32)
 *     (call_ref $f (local.get 1) (table.get $t (local.get 0))))
 *   (func (export "call_open") (result i32) (call_ref $open (ref.func $five)))
 *   (func (export "indirect") (param i32) (result i32)
 *     (call_indirect $of_below (type $open) (local.get 0)))
 *   (func (export "default") (param i32) (result i32) (local $f (ref $f))
 *     (local.set $f
 *       (block $null (result (ref $f))
 *         (br_on_non_null $null (global.get $n)) (ref.as_non_null (ref.func $double))))
 *     (call_ref $f (local.get 0) (local.get $f)))
 *   (func (export "drop_null") (param i32) (result i32)
 *     (block $null (result i32)
 *       (i32.const -1) (br_on_null $null (global.get $n)) (drop) (call_ref $f (local.get 0) (ref.as_non_null (global.get $n)))
 *       (i32.add))))
 */
static const uint8_t references[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x24, 0x06, 0x60, 0x01, 0x7f, 0x01, 0x7f,
    0x50, 0x00, 0x60, 0x00, 0x01, 0x7f, 0x4f, 0x01, 0x01, 0x60, 0x00, 0x01, 0x7f, 0x60, 0x01, 0x7e,
    0x00, 0x60, 0x02, 0x63, 0x00, 0x7f, 0x01, 0x7f, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, 0x03, 0x0c,
    0x0b, 0x00, 0x03, 0x02, 0x04, 0x00, 0x00, 0x05, 0x01, 0x00, 0x00, 0x00, 0x04, 0x0f, 0x02, 0x40,
    0x00, 0x64, 0x00, 0x01, 0x03, 0x09, 0xd2, 0x00, 0x0b, 0x70, 0x01, 0x02, 0x02, 0x06, 0x0d, 0x02,
    0x64, 0x00, 0x01, 0xd2, 0x00, 0x0b, 0x63, 0x00, 0x01, 0xd0, 0x00, 0x0b, 0x07, 0x74, 0x0e, 0x06,
    0x64, 0x6f, 0x75, 0x62, 0x6c, 0x65, 0x00, 0x00, 0x05, 0x6f, 0x74, 0x68, 0x65, 0x72, 0x00, 0x01,
    0x04, 0x66, 0x69, 0x76, 0x65, 0x00, 0x02, 0x01, 0x74, 0x01, 0x00, 0x01, 0x67, 0x03, 0x00, 0x01,
    0x6e, 0x03, 0x01, 0x04, 0x63, 0x61, 0x6c, 0x6c, 0x00, 0x03, 0x06, 0x63, 0x61, 0x6c, 0x6c, 0x5f,
    0x67, 0x00, 0x04, 0x06, 0x63, 0x61, 0x6c, 0x6c, 0x5f, 0x6e, 0x00, 0x05, 0x06, 0x63, 0x61, 0x6c,
    0x6c, 0x5f, 0x74, 0x00, 0x06, 0x09, 0x63, 0x61, 0x6c, 0x6c, 0x5f, 0x6f, 0x70, 0x65, 0x6e, 0x00,
    0x07, 0x08, 0x69, 0x6e, 0x64, 0x69, 0x72, 0x65, 0x63, 0x74, 0x00, 0x08, 0x07, 0x64, 0x65, 0x66,
    0x61, 0x75, 0x6c, 0x74, 0x00, 0x09, 0x09, 0x64, 0x72, 0x6f, 0x70, 0x5f, 0x6e, 0x75, 0x6c, 0x6c,
    0x00, 0x0a, 0x09, 0x0a, 0x01, 0x02, 0x01, 0x41, 0x00, 0x0b, 0x00, 0x02, 0x02, 0x00, 0x0a, 0x74,
    0x0b, 0x07, 0x00, 0x20, 0x00, 0x20, 0x00, 0x6a, 0x0b, 0x02, 0x00, 0x0b, 0x04, 0x00, 0x41, 0x05,
    0x0b, 0x08, 0x00, 0x20, 0x01, 0x20, 0x00, 0x14, 0x00, 0x0b, 0x08, 0x00, 0x20, 0x00, 0x23, 0x00,
    0x14, 0x00, 0x0b, 0x08, 0x00, 0x20, 0x00, 0x23, 0x01, 0x14, 0x00, 0x0b, 0x0a, 0x00, 0x20, 0x01,
    0x20, 0x00, 0x25, 0x00, 0x14, 0x00, 0x0b, 0x06, 0x00, 0xd2, 0x02, 0x14, 0x01, 0x0b, 0x07, 0x00,
    0x20, 0x00, 0x11, 0x01, 0x01, 0x0b, 0x18, 0x01, 0x01, 0x64, 0x00, 0x02, 0x64, 0x00, 0x23, 0x01,
    0xd6, 0x00, 0xd2, 0x00, 0xd4, 0x0b, 0x21, 0x01, 0x20, 0x00, 0x20, 0x01, 0x14, 0x00, 0x0b, 0x14,
    0x00, 0x02, 0x7f, 0x41, 0x7f, 0x23, 0x01, 0xd5, 0x00, 0x1a, 0x20, 0x00, 0x23, 0x01, 0xd4, 0x14,
    0x00, 0x6a, 0x0b, 0x0b};

static wasm_ref_t *function_of(const wasm_instance_t *instance, const char *name) {
    return wasm_func_as_ref(EXPORT(func, instance, name));
}

/* "call" with a function of the instance, or with null. */
static wasm_trap_t *call_with(const wasm_instance_t *instance, const char *name, int32_t argument,
                              int32_t *result) {
    wasm_ref_t *ref = name ? function_of(instance, name) : NULL;
    wasm_func_t *func = EXPORT(func, instance, "call");
    wasm_val_t args[] = {WASM_REF_VAL(ref), WASM_I32_VAL(argument)}, results[] = {WASM_INIT_VAL};
    wasm_val_vec_t in = WASM_ARRAY_VEC(args), out = WASM_ARRAY_VEC(results);
    wasm_trap_t *trap = wasm_func_call(func, &in, &out);
    *result = trap ? 0 : results[0].of.i32;
    wasm_func_delete(func);
    wasm_ref_delete(ref);
    return trap;
}

static void assert_works(const wasm_instance_t *instance) {
    assert_int_equal(CALL(instance, "call_g", 4), 8);
    for (int32_t i = 0; i < 3; i++)
        assert_int_equal(CALL(instance, "call_t", i, 5), 10);
    assert_trap(CALL_TRAP(instance, "call_n", 1), CATNAP_TRAP_NULL_REFERENCE, "null reference");
    assert_int_equal(CALL(instance, "default", 6), 12);
    assert_int_equal(CALL(instance, "drop_null", 6), -1);
    assert_int_equal(CALL(instance, "call_open", 0), 5);
    assert_int_equal(CALL(instance, "indirect", 0), 5); /* a subtype of what is expected */
    assert_trap(CALL_TRAP(instance, "indirect", 1), CATNAP_TRAP_INDIRECT_CALL_TYPE_MISMATCH,
                "expected () -> (i32), found (i32) -> (i32)");
}

static void instances_work(void **state) {
    wasm_instance_t *instance = INSTANTIATE(STORE(state), references);
    assert_works(instance);
    wasm_instance_delete(instance);
}

/* The module arrives byte by byte. */
static void streamed_instances_work(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_extern_vec_t imports = WASM_EMPTY_VEC;
    catnap_builder_t *builder = catnap_builder_new(catnap_store_engine(store), NULL, &error);
    assert_no_error(error);
    for (size_t i = 0; i < sizeof references; i++)
        assert_no_error(catnap_builder_write(builder, references + i, 1));
    wasm_module_t *module = catnap_builder_finish(builder, store, &error);
    assert_no_error(error);
    wasm_instance_t *instance = catnap_instance_new(store, module, &imports, &error, &trap);
    assert_no_error(error);
    assert_no_trap(trap);
    assert_works(instance);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
}

static void pre_linked_instances_work(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_module_t *module = LOAD(store, references);
    wasm_extern_vec_t imports = WASM_EMPTY_VEC;
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_prelinked_t *prelinked = catnap_prelinked_new(store, module, &imports, &error);
    assert_no_error(error);
    for (int round = 0; round < 3; round++) {
        wasm_instance_t *instance = catnap_prelinked_instantiate(prelinked, &error, &trap);
        assert_no_error(error);
        assert_no_trap(trap);
        assert_works(instance);
        assert_no_error(catnap_instance_recycle(instance));
    }
    catnap_prelinked_delete(prelinked);
    wasm_module_delete(module);
}

static void restored_instances_work(void **state) {
    wasm_store_t *store = STORE(state), *other = wasm_store_new(catnap_store_engine(store));
    wasm_instance_t *instance = INSTANTIATE(store, references), *restored = NULL;
    catnap_error_t *error;
    catnap_snapshot_t *snapshot = catnap_snapshot_take(store, NULL, &error);
    assert_no_error(error);
    catnap_linker_t *linker = catnap_linker_new(other);
    assert_no_error(catnap_snapshot_restore(snapshot, linker, NULL, &restored, NULL));
    assert_works(restored);
    wasm_instance_delete(restored);
    wasm_instance_delete(instance);
    catnap_snapshot_delete(snapshot);
    catnap_linker_delete(linker);
    wasm_store_delete(other);
}

/* A table that has grown, and a global that has changed, are written with their types. */
static void modules_from_instances_work(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = INSTANTIATE(store, references);
    wasm_byte_vec_t bytes;
    wasm_table_t *table = EXPORT(table, instance, "t");
    wasm_ref_t *ref = function_of(instance, "double");
    assert_true(wasm_table_grow(table, 2, ref));
    wasm_ref_delete(ref);
    wasm_table_delete(table);
    assert_no_error(catnap_instance_to_module(instance, NULL, &bytes));
    wasm_instance_t *again = instantiate(store, (const uint8_t *)bytes.data, bytes.size, NULL, 0);
    assert_works(again);
    assert_int_equal(CALL(again, "call_t", 4, 5), 10);
    wasm_byte_vec_delete(&bytes);
    wasm_instance_delete(again);
    wasm_instance_delete(instance);
}

static void arguments_are_checked(void **state) {
    wasm_instance_t *instance = INSTANTIATE(STORE(state), references);
    int32_t result;
    assert_no_trap(call_with(instance, "double", 21, &result));
    assert_int_equal(result, 42);
    assert_trap(call_with(instance, "other", 21, &result), CATNAP_TRAP_HOST,
                "is a function of another type");
    assert_trap(call_with(instance, "five", 21, &result), CATNAP_TRAP_HOST,
                "is a function of another type");
    assert_trap(call_with(instance, NULL, 21, &result), CATNAP_TRAP_NULL_REFERENCE,
                "null reference");
    wasm_func_t *func = EXPORT(func, instance, "call");
    wasm_functype_t *type = wasm_func_type(func);
    assert_int_equal(wasm_valtype_kind(wasm_functype_params(type)->data[0]), WASM_FUNCREF);
    wasm_functype_delete(type);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
}

static void set_global(const wasm_instance_t *instance, const char *global_name, const char *name,
                       const char *wrong) {
    wasm_global_t *global = EXPORT(global, instance, global_name);
    wasm_ref_t *ref = name ? function_of(instance, name) : NULL;
    catnap_val_t value = {.kind = WASM_FUNCREF, .of.ref = ref};
    catnap_error_t *error = catnap_global_set(global, &value);
    if (wrong)
        assert_error(error, CATNAP_MISUSE, wrong);
    else
        assert_no_error(error);
    wasm_ref_delete(ref);
    wasm_global_delete(global);
}

static void globals_are_checked(void **state) {
    wasm_instance_t *instance = INSTANTIATE(STORE(state), references);
    set_global(instance, "g", NULL, "is null");
    set_global(instance, "g", "other", "is a function of another type");
    set_global(instance, "n", "five", "is a function of another type");
    assert_works(instance);
    set_global(instance, "n", "double", NULL);
    assert_int_equal(CALL(instance, "call_n", 3), 6);
    assert_int_equal(CALL(instance, "drop_null", 3), 5);
    set_global(instance, "n", NULL, NULL);
    assert_works(instance);
    wasm_instance_delete(instance);
}

static void tables_are_checked(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = INSTANTIATE(store, references);
    wasm_table_t *table = EXPORT(table, instance, "t");
    wasm_ref_t *other = function_of(instance, "other"), *twice = function_of(instance, "double");
    assert_false(wasm_table_set(table, 0, NULL));
    assert_last_error(store, CATNAP_MISUSE, "the element is null: the table's type is (ref $type)");
    assert_false(wasm_table_set(table, 0, other));
    assert_last_error(store, CATNAP_MISUSE, "is a function of another type");
    assert_false(wasm_table_grow(table, 1, NULL));
    assert_false(wasm_table_grow(table, 1, other));
    assert_int_equal(wasm_table_size(table), 3);
    assert_true(wasm_table_grow(table, 1, twice));
    assert_int_equal(CALL(instance, "call_t", 3, 7), 14);
    assert_works(instance);
    wasm_ref_delete(twice);
    wasm_ref_delete(other);
    wasm_table_delete(table);
    wasm_instance_delete(instance);
}

/* A table of references to a type that its module alone has outlives the module. */
static void tables_keep_their_types(void **state) {
    wasm_store_t *store = STORE(state);
    struct module_builder m = {0};
    uint32_t type = add_type(&m, "iIfFiIfF", "FFF");
    struct bytes *b = add_item(&m, TABLES);
    PUT(b, 0x63, (uint8_t)type, 0, 2); /* (ref null $type) */
    m.tables++;
    export_item(&m, "t", AS_TABLE, 0);
    struct bytes bytes = finish(&m);
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(store, bytes.data, bytes.size, NULL, &error);
    assert_no_error(error);
    wasm_extern_vec_t none = {0};
    wasm_instance_t *instance = catnap_instance_new(store, module, &none, &error, NULL);
    assert_no_error(error);
    wasm_table_t *table = EXPORT(table, instance, "t");
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    drop_bytes(&bytes);
    catnap_store_collect(store);
    wasm_instance_t *other = INSTANTIATE(store, references);
    wasm_ref_t *ref = function_of(other, "double");
    assert_false(wasm_table_set(table, 0, ref)); /* which is of another type */
    assert_true(wasm_table_set(table, 0, NULL));
    wasm_tabletype_t *described = wasm_table_type(table);
    assert_int_equal(wasm_valtype_kind(wasm_tabletype_element(described)), WASM_FUNCREF);
    wasm_tabletype_delete(described);
    wasm_ref_delete(ref);
    wasm_instance_delete(other);
    wasm_table_delete(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(instances_work),
        TEST(streamed_instances_work),
        TEST(pre_linked_instances_work),
        TEST(restored_instances_work),
        TEST(modules_from_instances_work),
        TEST(arguments_are_checked),
        TEST(globals_are_checked),
        TEST(tables_are_checked),
        TEST(tables_keep_their_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
