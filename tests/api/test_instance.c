/* Instances and the linker: import matching, the order of instantiation, what stays of failures. */
#include "helpers.h"

/* (module
 *   (import "env" "f" (func (param i32) (result i64)))
 *   (import "env" "t" (table 10 20 funcref))
 *   (import "env" "m" (memory 2 4))
 *   (import "env" "g" (global (mut i32)))) */
static const uint8_t importing[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01,
    0x7e, 0x02, 0x27, 0x04, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x66, 0x00, 0x00, 0x03, 0x65, 0x6e,
    0x76, 0x01, 0x74, 0x01, 0x70, 0x01, 0x0a, 0x14, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x6d, 0x02,
    0x01, 0x02, 0x04, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x67, 0x03, 0x7f, 0x01,
};

/* (module
 *   (import "ein sehr langer Name, der nicht ganz hineinpasst: \c3\a4\c3\b6\c3\bc\c3\9f" "f"
 *     (func))) */
static const uint8_t long_name[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x02, 0x40,
    0x01, 0x3a, 0x65, 0x69, 0x6e, 0x20, 0x73, 0x65, 0x68, 0x72, 0x20, 0x6c, 0x61, 0x6e, 0x67, 0x65,
    0x72, 0x20, 0x4e, 0x61, 0x6d, 0x65, 0x2c, 0x20, 0x64, 0x65, 0x72, 0x20, 0x6e, 0x69, 0x63, 0x68,
    0x74, 0x20, 0x67, 0x61, 0x6e, 0x7a, 0x20, 0x68, 0x69, 0x6e, 0x65, 0x69, 0x6e, 0x70, 0x61, 0x73,
    0x73, 0x74, 0x3a, 0x20, 0xc3, 0xa4, 0xc3, 0xb6, 0xc3, 0xbc, 0xc3, 0x9f, 0x01, 0x66, 0x00, 0x00,
};

/* (module
 *   (import "env" "g" (global $g i64)) (import "env" "r" (global $r externref))
 *   (global (export "a") i64 (global.get $g)) (global (export "b") f32 (f32.const -1.5))
 *   (global (export "c") f64 (f64.const 2.5)) (global (export "d") i64 (i64.const -9))
 *   (global (export "e") externref (global.get $r)) (global (export "f") funcref (ref.func $one))
 *   (table $t (export "t") 4 funcref)
 *   (elem $exprs funcref (ref.func $one) (ref.null func) (ref.func $one))
 *   (elem $active (table $t) (i32.const 3) funcref (ref.func $one))
 *   (elem declare func $one)
 *   (func $one)
 *   (func (export "init") (param i32 i32 i32)
 *     (table.init $t $exprs (local.get 0) (local.get 1) (local.get 2)))
 *   (func (export "init_active") (param i32)
 *     (table.init $t $active (i32.const 0) (i32.const 0) (local.get 0)))
 *   (func (export "drop") (elem.drop $exprs))) */
static const uint8_t constants[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0e, 0x03, 0x60, 0x00, 0x00, 0x60, 0x03,
    0x7f, 0x7f, 0x7f, 0x00, 0x60, 0x01, 0x7f, 0x00, 0x02, 0x13, 0x02, 0x03, 0x65, 0x6e, 0x76, 0x01,
    0x67, 0x03, 0x7e, 0x00, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x72, 0x03, 0x6f, 0x00, 0x03, 0x05, 0x04,
    0x00, 0x01, 0x02, 0x00, 0x04, 0x04, 0x01, 0x70, 0x00, 0x04, 0x06, 0x29, 0x06, 0x7e, 0x00, 0x23,
    0x00, 0x0b, 0x7d, 0x00, 0x43, 0x00, 0x00, 0xc0, 0xbf, 0x0b, 0x7c, 0x00, 0x44, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x04, 0x40, 0x0b, 0x7e, 0x00, 0x42, 0x77, 0x0b, 0x6f, 0x00, 0x23, 0x01, 0x0b,
    0x70, 0x00, 0xd2, 0x00, 0x0b, 0x07, 0x39, 0x0a, 0x01, 0x61, 0x03, 0x02, 0x01, 0x62, 0x03, 0x03,
    0x01, 0x63, 0x03, 0x04, 0x01, 0x64, 0x03, 0x05, 0x01, 0x65, 0x03, 0x06, 0x01, 0x66, 0x03, 0x07,
    0x01, 0x74, 0x01, 0x00, 0x04, 0x69, 0x6e, 0x69, 0x74, 0x00, 0x01, 0x0b, 0x69, 0x6e, 0x69, 0x74,
    0x5f, 0x61, 0x63, 0x74, 0x69, 0x76, 0x65, 0x00, 0x02, 0x04, 0x64, 0x72, 0x6f, 0x70, 0x00, 0x03,
    0x09, 0x17, 0x03, 0x05, 0x70, 0x03, 0xd2, 0x00, 0x0b, 0xd0, 0x70, 0x0b, 0xd2, 0x00, 0x0b, 0x00,
    0x41, 0x03, 0x0b, 0x01, 0x00, 0x03, 0x00, 0x01, 0x00, 0x0a, 0x24, 0x04, 0x02, 0x00, 0x0b, 0x0c,
    0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfc, 0x0c, 0x00, 0x00, 0x0b, 0x0c, 0x00, 0x41, 0x00,
    0x41, 0x00, 0x20, 0x00, 0xfc, 0x0c, 0x01, 0x00, 0x0b, 0x05, 0x00, 0xfc, 0x0d, 0x00, 0x0b,
};

static wasm_trap_t *nothing(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)args;
    (void)results;
    return NULL;
}

static wasm_extern_t *new_func(wasm_store_t *store, wasm_functype_t *type) {
    wasm_func_t *func = wasm_func_new(store, type, nothing);
    wasm_functype_delete(type);
    return wasm_func_as_extern(func);
}

static wasm_extern_t *right_func(wasm_store_t *store) {
    return new_func(store, wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i64()));
}

static wasm_extern_t *new_table(wasm_store_t *store, wasm_valkind_t kind, uint32_t min,
                                uint32_t max) {
    wasm_limits_t limits = {min, max};
    wasm_tabletype_t *type = wasm_tabletype_new(wasm_valtype_new(kind), &limits);
    wasm_table_t *table = wasm_table_new(store, type, NULL);
    wasm_tabletype_delete(type);
    return wasm_table_as_extern(table);
}

static wasm_extern_t *new_memory(wasm_store_t *store, uint32_t min, uint32_t max) {
    wasm_limits_t limits = {min, max};
    wasm_memorytype_t *type = wasm_memorytype_new(&limits);
    wasm_memory_t *memory = wasm_memory_new(store, type);
    wasm_memorytype_delete(type);
    return wasm_memory_as_extern(memory);
}

static wasm_extern_t *new_global(wasm_store_t *store, wasm_valkind_t kind,
                                 wasm_mutability_t mutability) {
    wasm_val_t value = {.kind = kind};
    wasm_globaltype_t *type = wasm_globaltype_new(wasm_valtype_new(kind), mutability);
    wasm_global_t *global = wasm_global_new(store, type, &value);
    wasm_globaltype_delete(type);
    return wasm_global_as_extern(global);
}

/* Instantiates `importing`, with one import replaced (and taken over), and compares the reason. */
static void expect_link_error(wasm_store_t *store, size_t index, wasm_extern_t *replacement,
                              const char *text) {
    wasm_extern_t *imports[] = {right_func(store), new_table(store, WASM_FUNCREF, 10, 20),
                                new_memory(store, 2, 4), new_global(store, WASM_I32, WASM_VAR)};
    wasm_extern_delete(imports[index]);
    imports[index] = replacement;
    wasm_module_t *module = LOAD(store, importing);
    wasm_extern_vec_t vec = {4, imports};
    catnap_error_t *error;
    wasm_trap_t *trap = (wasm_trap_t *)&vec;
    assert_null(catnap_instance_new(store, module, &vec, &error, &trap));
    assert_null(trap);
    assert_error(error, CATNAP_LINK, text);
    assert_last_error(store, CATNAP_LINK, text);
    assert_null(wasm_instance_new(store, module, &vec, &trap));
    assert_trap(trap, CATNAP_TRAP_UNKNOWN_IMPORT, text);
    wasm_module_delete(module);
    for (size_t i = 0; i < 4; i++)
        wasm_extern_delete(imports[i]);
}

static void imports_must_match(void **state) {
    wasm_store_t *store = STORE(state);
    expect_link_error(store, 0, NULL, "unknown import \"env\" \"f\": func (i32) -> (i64)");
    expect_link_error(store, 3, NULL, "unknown import \"env\" \"g\"");
    expect_link_error(store, 0, new_func(store, wasm_functype_new_0_0()),
                      "incompatible import type for \"env\" \"f\": expected func (i32) -> (i64), "
                      "found func () -> ()");
    expect_link_error(store, 0, new_memory(store, 2, 4),
                      "expected func (i32) -> (i64), found memory 2..4");
    expect_link_error(store, 1, new_table(store, WASM_FUNCREF, 9, 20),
                      "\"env\" \"t\": expected table 10..20 funcref, found table 9..20 funcref");
    expect_link_error(store, 1, new_table(store, WASM_FUNCREF, 10, 21), "incompatible");
    expect_link_error(store, 1, new_table(store, WASM_FUNCREF, 10, wasm_limits_max_default),
                      "found table 10.. funcref");
    expect_link_error(store, 1, new_table(store, WASM_EXTERNREF, 10, 20), "externref");
    expect_link_error(store, 2, new_memory(store, 1, 4), "expected memory 2..4, found memory 1..4");
    expect_link_error(store, 2, new_memory(store, 2, 5), "incompatible import type");
    expect_link_error(store, 3, new_global(store, WASM_I32, WASM_CONST),
                      "expected global mut i32, found global i32");
    expect_link_error(store, 3, new_global(store, WASM_I64, WASM_VAR), "found global mut i64");
    expect_link_error(store, 3, right_func(store), "found func (i32) -> (i64)");

    wasm_store_t *other = wasm_store_new(catnap_store_engine(store));
    expect_link_error(store, 0, right_func(other), "another store");
    wasm_store_delete(other);
}

static void long_names_are_cut(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_module_t *module = LOAD(store, long_name);
    catnap_error_t *error;
    assert_null(catnap_instance_new(store, module, NULL, &error, NULL));
    assert_error(error, CATNAP_LINK, "unknown import \"ein sehr langer Name, der nicht ganz ");
    wasm_module_delete(module);
}

static bool is_null(const wasm_table_t *table, uint32_t index) {
    wasm_ref_t *element = wasm_table_get(table, index);
    wasm_ref_delete(element);
    return !element;
}

static void constant_expressions(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_val_t values[] = {WASM_I64_VAL(INT64_MAX), WASM_REF_VAL(wasm_foreign_as_ref(foreign))};
    wasm_extern_t *imports[2];
    for (size_t i = 0; i < 2; i++) {
        wasm_globaltype_t *type = wasm_globaltype_new(wasm_valtype_new(values[i].kind), WASM_CONST);
        imports[i] = wasm_global_as_extern(wasm_global_new(store, type, &values[i]));
        wasm_globaltype_delete(type);
    }
    wasm_instance_t *instance = instantiate(store, constants, sizeof constants, imports, 2);
    wasm_val_t read[6];
    for (size_t i = 0; i < 6; i++) {
        wasm_global_t *global = EXPORT(global, instance, ((char[]){(char)('a' + i), 0}));
        wasm_global_get(global, &read[i]);
        wasm_global_delete(global);
    }
    assert_true(read[0].of.i64 == INT64_MAX && read[3].of.i64 == -9);
    assert_true(read[1].of.f32 == -1.5f && read[2].of.f64 == 2.5);
    assert_true(wasm_ref_same(read[4].of.ref, wasm_foreign_as_ref(foreign)));
    wasm_table_t *table = EXPORT(table, instance, "t");
    assert_false(is_null(table, 3));
    wasm_ref_t *element = wasm_table_get(table, 3);
    assert_true(wasm_ref_same(element, read[5].of.ref));
    wasm_ref_delete(element);

    CALL(instance, "init", 0, 1, 2);
    assert_true(is_null(table, 0) && !is_null(table, 1) && is_null(table, 2));
    CALL(instance, "init", 4, 3, 0); /* nothing, at both ends */
    assert_trap(CALL_TRAP(instance, "init", 5, 0, 0), CATNAP_TRAP_TABLE_OUT_OF_BOUNDS, "table");
    assert_trap(CALL_TRAP(instance, "init", 0, 4, 0), CATNAP_TRAP_TABLE_OUT_OF_BOUNDS, "table");
    assert_trap(CALL_TRAP(instance, "init", 0, 1, -1), CATNAP_TRAP_TABLE_OUT_OF_BOUNDS, "table");
    assert_trap(CALL_TRAP(instance, "init_active", 1), CATNAP_TRAP_TABLE_OUT_OF_BOUNDS, "table");
    CALL(instance, "init_active", 0);
    CALL(instance, "drop");
    CALL(instance, "init", 0, 0, 0);
    assert_trap(CALL_TRAP(instance, "init", 0, 0, 1), CATNAP_TRAP_TABLE_OUT_OF_BOUNDS, "table");
    for (size_t i = 0; i < 6; i++)
        wasm_val_delete(&read[i]);
    wasm_extern_delete(imports[0]);
    wasm_extern_delete(imports[1]);
    wasm_foreign_delete(foreign);
    wasm_table_delete(table);
    wasm_instance_delete(instance);
}

static void larger_objects_match(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_extern_t *imports[] = {right_func(store), new_table(store, WASM_FUNCREF, 11, 19),
                                new_memory(store, 3, 3), new_global(store, WASM_I32, WASM_VAR),
                                right_func(store)};
    wasm_instance_delete(instantiate(store, importing, sizeof importing, imports, 5));
    for (size_t i = 0; i < COUNT(imports); i++)
        wasm_extern_delete(imports[i]);
}

static void too_few_imports(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_module_t *module = LOAD(store, importing);
    wasm_extern_t *imports[] = {right_func(store)};
    wasm_extern_vec_t one = {1, imports}, none = WASM_EMPTY_VEC, broken = {4, NULL};
    wasm_trap_t *trap;
    assert_null(wasm_instance_new(store, module, &one, &trap));
    assert_trap(trap, CATNAP_TRAP_UNKNOWN_IMPORT, "unknown import \"env\" \"t\"");
    assert_null(wasm_instance_new(store, module, &none, &trap));
    assert_trap(trap, CATNAP_TRAP_UNKNOWN_IMPORT, "\"f\"");
    assert_null(wasm_instance_new(store, module, &broken, &trap));
    assert_trap(trap, CATNAP_TRAP_UNKNOWN_IMPORT, "\"f\"");
    assert_null(wasm_instance_new(store, module, NULL, &trap));
    assert_trap(trap, CATNAP_TRAP_UNKNOWN_IMPORT, "\"f\"");
    assert_null(wasm_instance_new(store, module, NULL, NULL));
    assert_null(wasm_instance_new(store, NULL, NULL, &trap));
    assert_trap(trap, CATNAP_TRAP_HOST, "NULL");
    assert_null(wasm_instance_new(NULL, module, NULL, &trap));
    assert_trap(trap, CATNAP_TRAP_HOST, "NULL");
    catnap_error_t *error;
    assert_null(catnap_instance_new(store, NULL, NULL, &error, &trap));
    assert_error(error, CATNAP_MISUSE, "NULL");
    assert_null(trap);
    wasm_store_t *other = wasm_store_new(catnap_store_engine(store));
    assert_null(catnap_instance_new(other, module, NULL, &error, NULL));
    assert_error(error, CATNAP_MISUSE, "another store");
    wasm_store_delete(other);
    wasm_extern_delete(imports[0]);
    wasm_module_delete(module);
}

/* (module
 *   (table (export "t") 4 funcref) (memory (export "m") 1)
 *   (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
 *   (func (export "read") (param i32) (result i32) (i32.load8_u (local.get 0)))
 *   (func (export "write") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))) */
static const uint8_t sharing[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0f, 0x03, 0x60, 0x01, 0x7f, 0x01,
    0x7f, 0x60, 0x00, 0x01, 0x7f, 0x60, 0x02, 0x7f, 0x7f, 0x00, 0x03, 0x04, 0x03, 0x00, 0x00,
    0x02, 0x04, 0x04, 0x01, 0x70, 0x00, 0x04, 0x05, 0x03, 0x01, 0x00, 0x01, 0x07, 0x1f, 0x05,
    0x01, 0x74, 0x01, 0x00, 0x01, 0x6d, 0x02, 0x00, 0x04, 0x63, 0x61, 0x6c, 0x6c, 0x00, 0x00,
    0x04, 0x72, 0x65, 0x61, 0x64, 0x00, 0x01, 0x05, 0x77, 0x72, 0x69, 0x74, 0x65, 0x00, 0x02,
    0x0a, 0x1b, 0x03, 0x07, 0x00, 0x20, 0x00, 0x11, 0x01, 0x00, 0x0b, 0x07, 0x00, 0x20, 0x00,
    0x2d, 0x00, 0x00, 0x0b, 0x09, 0x00, 0x20, 0x00, 0x20, 0x01, 0x3a, 0x00, 0x00, 0x0b,
};

/* (module
 *   (import "env" "t" (table 1 funcref)) (import "env" "m" (memory 1))
 *   (global $own (mut i32) (i32.const 40))
 *   (elem (i32.const 0) $count) (elem (i32.const 4) $count)
 *   (data (i32.const 3) "X")
 *   (func $count (result i32)
 *     (global.set $own (i32.add (global.get $own) (i32.const 1))) (global.get $own))) */
static const uint8_t failing_table[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7f,
    0x02, 0x14, 0x02, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x74, 0x01, 0x70, 0x00, 0x01, 0x03, 0x65,
    0x6e, 0x76, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x03, 0x02, 0x01, 0x00, 0x06, 0x06, 0x01, 0x7f,
    0x01, 0x41, 0x28, 0x0b, 0x09, 0x0d, 0x02, 0x00, 0x41, 0x00, 0x0b, 0x01, 0x00, 0x00, 0x41,
    0x04, 0x0b, 0x01, 0x00, 0x0a, 0x0d, 0x01, 0x0b, 0x00, 0x23, 0x00, 0x41, 0x01, 0x6a, 0x24,
    0x00, 0x23, 0x00, 0x0b, 0x0b, 0x07, 0x01, 0x00, 0x41, 0x03, 0x0b, 0x01, 0x58,
};

/* (module
 *   (import "env" "t" (table 1 funcref)) (import "env" "m" (memory 1))
 *   (elem (i32.const 1) $seven)
 *   (data (i32.const 5) "Y") (data (i32.const 65536) "Z")
 *   (func $seven (result i32) (i32.const 7))) */
static const uint8_t failing_memory[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7f,
    0x02, 0x14, 0x02, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x74, 0x01, 0x70, 0x00, 0x01, 0x03, 0x65,
    0x6e, 0x76, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x03, 0x02, 0x01, 0x00, 0x09, 0x07, 0x01, 0x00,
    0x41, 0x01, 0x0b, 0x01, 0x00, 0x0a, 0x06, 0x01, 0x04, 0x00, 0x41, 0x07, 0x0b, 0x0b, 0x0f,
    0x02, 0x00, 0x41, 0x05, 0x0b, 0x01, 0x59, 0x00, 0x41, 0x80, 0x80, 0x04, 0x0b, 0x01, 0x5a,
};

/* (module
 *   (import "env" "t" (table 1 funcref)) (import "env" "m" (memory 1))
 *   (elem (i32.const 2) $eight)
 *   (data (i32.const 6) "Z")
 *   (func $eight (result i32) (i32.const 8))
 *   (func $start (i32.store8 (i32.const 7) (i32.const 9)) (unreachable))
 *   (start $start)) */
static const uint8_t failing_start[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x60, 0x00, 0x01, 0x7f,
    0x60, 0x00, 0x00, 0x02, 0x14, 0x02, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x74, 0x01, 0x70, 0x00,
    0x01, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x03, 0x03, 0x02, 0x00, 0x01,
    0x08, 0x01, 0x01, 0x09, 0x07, 0x01, 0x00, 0x41, 0x02, 0x0b, 0x01, 0x00, 0x0a, 0x11, 0x02,
    0x04, 0x00, 0x41, 0x08, 0x0b, 0x0a, 0x00, 0x41, 0x07, 0x41, 0x09, 0x3a, 0x00, 0x00, 0x00,
    0x0b, 0x0b, 0x07, 0x01, 0x00, 0x41, 0x06, 0x0b, 0x01, 0x5a,
};

static wasm_trap_t *fail_to_instantiate(wasm_store_t *store, const uint8_t *bytes, size_t size,
                                        const wasm_instance_t *env) {
    wasm_module_t *module = load(store, bytes, size);
    wasm_extern_t *imports[] = {get_export(env, "t"), get_export(env, "m")};
    wasm_extern_vec_t vec = {2, imports};
    wasm_trap_t *trap;
    catnap_error_t *error;
    assert_null(catnap_instance_new(store, module, &vec, &error, &trap));
    assert_null(error);
    assert_last_error(store, CATNAP_TRAP, "instantiation trapped");
    wasm_module_delete(module);
    wasm_extern_delete(imports[0]);
    wasm_extern_delete(imports[1]);
    return trap;
}

static void what_came_before_a_failure_stays(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *env = INSTANTIATE(store, sharing);
    assert_trap(fail_to_instantiate(store, failing_table, sizeof failing_table, env),
                CATNAP_TRAP_TABLE_OUT_OF_BOUNDS, "out of bounds table access");
    assert_int_equal(CALL(env, "read", 3), 0);
    assert_int_equal(CALL(env, "call", 0), 41); /* a function of the failed instance */
    assert_int_equal(CALL(env, "call", 0), 42);
    assert_trap(fail_to_instantiate(store, failing_memory, sizeof failing_memory, env),
                CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS, "out of bounds memory access");
    assert_int_equal(CALL(env, "call", 1), 7);
    assert_int_equal(CALL(env, "read", 5), 'Y');
    assert_trap(fail_to_instantiate(store, failing_start, sizeof failing_start, env),
                CATNAP_TRAP_UNREACHABLE, "unreachable");
    assert_int_equal(CALL(env, "call", 2), 8);
    assert_int_equal(CALL(env, "read", 6), 'Z');
    assert_int_equal(CALL(env, "read", 7), 9);
    wasm_instance_delete(env);
}

/* (module
 *   (import "env" "t" (table 1 funcref)) (import "env" "m" (memory 1))
 *   (elem (i32.const 3) $twelve)
 *   (func $twelve (result i32) (i32.const 12))
 *   (func (export "read") (param i32) (result i32) (i32.load8_u (local.get 0)))
 *   (func (export "grow") (result i32) (memory.grow (i32.const 1)))
 *   (func (export "size") (result i32) (memory.size))) */
static const uint8_t user[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0a, 0x02, 0x60, 0x00, 0x01, 0x7f, 0x60,
    0x01, 0x7f, 0x01, 0x7f, 0x02, 0x14, 0x02, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x74, 0x01, 0x70, 0x00,
    0x01, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x03, 0x05, 0x04, 0x00, 0x01, 0x00,
    0x00, 0x07, 0x16, 0x03, 0x04, 0x72, 0x65, 0x61, 0x64, 0x00, 0x01, 0x04, 0x67, 0x72, 0x6f, 0x77,
    0x00, 0x02, 0x04, 0x73, 0x69, 0x7a, 0x65, 0x00, 0x03, 0x09, 0x07, 0x01, 0x00, 0x41, 0x03, 0x0b,
    0x01, 0x00, 0x0a, 0x1a, 0x04, 0x04, 0x00, 0x41, 0x0c, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x2d, 0x00,
    0x00, 0x0b, 0x06, 0x00, 0x41, 0x01, 0x40, 0x00, 0x0b, 0x04, 0x00, 0x3f, 0x00, 0x0b,
};

static void instances_share_tables_and_memories(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *env = INSTANTIATE(store, sharing);
    wasm_extern_t *imports[] = {get_export(env, "t"), get_export(env, "m")};
    wasm_instance_t *first = instantiate(store, user, sizeof user, imports, 2);
    CALL(env, "write", 100, 55);
    assert_int_equal(CALL(first, "read", 100), 55);
    assert_int_equal(CALL(env, "call", 3), 12);
    assert_int_equal(CALL(first, "grow"), 1);
    CALL(env, "write", 65536, 66); /* in the page that the other one added */
    assert_int_equal(CALL(first, "read", 65536), 66);
    wasm_memory_t *memory = wasm_extern_as_memory(imports[1]);
    assert_int_equal(wasm_memory_data(memory)[65536], 66);
    assert_true(wasm_memory_grow(memory, 1));
    assert_int_equal(CALL(first, "size"), 3);
    wasm_instance_delete(first);
    wasm_instance_delete(env);
    assert_int_equal(wasm_memory_size(memory), 3);
    wasm_extern_delete(imports[0]);
    wasm_extern_delete(imports[1]);
}

/* ---- The linker ---- */

/* (module
 *   (import "lib" "read" (func $read (param i32) (result i32)))
 *   (import "lib" "m" (memory 1))
 *   (import "missing" "one" (func $one (param i32)))
 *   (func (export "run") (result i32) (call $read (i32.const 9)))
 *   (func (export "fail") (call $one (i32.const 1)))) */
static const uint8_t linked[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x11, 0x04, 0x60, 0x01, 0x7f, 0x01,
    0x7f, 0x60, 0x01, 0x7f, 0x00, 0x60, 0x00, 0x01, 0x7f, 0x60, 0x00, 0x00, 0x02, 0x23, 0x03,
    0x03, 0x6c, 0x69, 0x62, 0x04, 0x72, 0x65, 0x61, 0x64, 0x00, 0x00, 0x03, 0x6c, 0x69, 0x62,
    0x01, 0x6d, 0x02, 0x00, 0x01, 0x07, 0x6d, 0x69, 0x73, 0x73, 0x69, 0x6e, 0x67, 0x03, 0x6f,
    0x6e, 0x65, 0x00, 0x01, 0x03, 0x03, 0x02, 0x02, 0x03, 0x07, 0x0e, 0x02, 0x03, 0x72, 0x75,
    0x6e, 0x00, 0x02, 0x04, 0x66, 0x61, 0x69, 0x6c, 0x00, 0x03, 0x0a, 0x0f, 0x02, 0x06, 0x00,
    0x41, 0x09, 0x10, 0x00, 0x0b, 0x06, 0x00, 0x41, 0x01, 0x10, 0x01, 0x0b,
};

static void linker_resolves_names(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_linker_t *linker = catnap_linker_new(store);
    wasm_instance_t *lib = INSTANTIATE(store, sharing);
    wasm_module_t *module = LOAD(store, linked);
    catnap_error_t *error;
    wasm_trap_t *trap;
    assert_null(catnap_linker_instantiate(linker, module, &error, &trap));
    assert_error(error, CATNAP_LINK, "unknown import \"lib\" \"read\"");
    assert_no_error(catnap_linker_define_instance(linker, "lib", 3, lib));
    assert_null(catnap_linker_instantiate(linker, module, &error, &trap));
    assert_error(error, CATNAP_LINK, "unknown import \"missing\" \"one\"");
    assert_null(catnap_linker_instantiate(linker, module, NULL, NULL));

    catnap_linker_trap_unknown_imports(linker, true);
    CALL(lib, "write", 9, 33);
    wasm_instance_t *instance = catnap_linker_instantiate(linker, module, &error, &trap);
    assert_no_error(error);
    assert_int_equal(CALL(instance, "run"), 33);
    assert_trap(CALL_TRAP(instance, "fail"), CATNAP_TRAP_UNKNOWN_IMPORT, "missing::one");
    wasm_instance_delete(instance);

    /* A later definition replaces an earlier one. */
    wasm_extern_t *wrong = new_func(store, wasm_functype_new_0_0());
    assert_no_error(catnap_linker_define(linker, "lib", 3, "read", 4, wrong));
    assert_null(catnap_linker_instantiate(linker, module, &error, &trap));
    assert_error(error, CATNAP_LINK, "incompatible import type for \"lib\" \"read\"");
    wasm_extern_t *found = catnap_linker_get(linker, "lib", 3, "read", 4);
    assert_true(wasm_extern_same(found, wrong));
    wasm_extern_delete(found);
    assert_null(catnap_linker_get(linker, "lib", 3, "rea", 3));
    assert_null(catnap_linker_get(linker, NULL, 0, NULL, 0));
    wasm_extern_delete(wrong);
    wasm_module_delete(module);
    wasm_instance_delete(lib);
    catnap_linker_delete(linker);
}

/* A function of the host whose finalizer asks a linker for its name, and redefines that. */
struct asking {
    catnap_linker_t *linker;
    wasm_extern_t *next;
    int found;
};

static void ask_linker(void *env) {
    struct asking *asking = env;
    wasm_extern_t *found = catnap_linker_get(asking->linker, "a", 1, "b", 1);
    asking->found += found == asking->next;
    if (asking->next)
        assert_no_error(catnap_linker_define(asking->linker, "a", 1, "b", 1, asking->next));
    wasm_extern_delete(found);
}

static wasm_trap_t *never_called(void *env, const wasm_val_vec_t *arguments,
                                 wasm_val_vec_t *results) {
    (void)env;
    (void)arguments;
    (void)results;
    return NULL;
}

static void names_are_replaced_before_objects_go(void **state) {
    wasm_store_t *store = STORE(state);
    struct asking asking[3] = {0};
    wasm_extern_t *funcs[3];
    catnap_linker_t *linker = catnap_linker_new(store);
    wasm_functype_t *type = wasm_functype_new_0_0();
    for (size_t i = 0; i < COUNT(funcs); i++) {
        asking[i].linker = linker;
        funcs[i] = wasm_func_as_extern(
            wasm_func_new_with_env(store, type, never_called, &asking[i], ask_linker));
    }
    wasm_functype_delete(type);
    assert_no_error(catnap_linker_define(linker, "a", 1, "b", 1, funcs[0]));
    wasm_extern_delete(funcs[0]); /* the linker has the only handle */
    asking[0].next = funcs[1];
    assert_no_error(catnap_linker_define(linker, "a", 1, "b", 1, funcs[1]));
    assert_int_equal(asking[0].found, 1);
    wasm_extern_delete(funcs[1]);
    asking[1].next = funcs[2];
    assert_no_error(catnap_linker_define(linker, "a", 1, "b", 1, funcs[2]));
    assert_int_equal(asking[1].found, 1);
    asking[2].linker = NULL; /* it is gone by then */
    catnap_linker_delete(linker);
    wasm_extern_delete(funcs[2]);
}

static void linker_is_strict_with_its_caller(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_store_t *other = wasm_store_new(catnap_store_engine(store));
    catnap_linker_t *linker = catnap_linker_new(store);
    wasm_extern_t *stranger = new_memory(other, 1, 1);
    assert_error(catnap_linker_define(linker, "a", 1, "b", 1, stranger), CATNAP_MISUSE,
                 "another store");
    assert_error(catnap_linker_define(linker, "a", 1, "b", 1, NULL), CATNAP_MISUSE, "NULL");
    assert_error(catnap_linker_define(NULL, "a", 1, "b", 1, stranger), CATNAP_MISUSE, "NULL");
    assert_error(catnap_linker_define_instance(linker, "a", 1, NULL), CATNAP_MISUSE, "NULL");
    catnap_error_t *error;
    assert_null(catnap_linker_instantiate(linker, NULL, &error, NULL));
    assert_error(error, CATNAP_MISUSE, "NULL");
    assert_null(catnap_linker_instantiate(NULL, NULL, &error, NULL));
    assert_error(error, CATNAP_MISUSE, "NULL");
    assert_null(catnap_linker_new(NULL));
    wasm_engine_t *other_engine = wasm_engine_new();
    wasm_store_t *far = wasm_store_new(other_engine);
    wasm_module_t *module = LOAD(far, linked);
    catnap_linker_trap_unknown_imports(linker, true);
    assert_null(catnap_linker_instantiate(linker, module, &error, NULL));
    assert_error(error, CATNAP_MISUSE, "another store");
    wasm_module_delete(module);
    wasm_store_delete(far);
    wasm_engine_delete(other_engine);
    wasm_extern_delete(stranger);
    wasm_store_delete(other);
    /* Many definitions, and the linker outlives its store. */
    wasm_extern_t *memory = new_memory(store, 1, 1);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        int length = snprintf(name, sizeof name, "%d", i);
        assert_no_error(catnap_linker_define(linker, "m", 1, name, (size_t)length, memory));
    }
    wasm_extern_t *found = catnap_linker_get(linker, "m", 1, "777", 3);
    assert_true(wasm_extern_same(found, memory));
    wasm_extern_delete(found);
    wasm_extern_delete(memory);
    wasm_store_delete(store);
    STORE(state) = NULL;
    catnap_linker_delete(linker);
    catnap_linker_delete(NULL);
}

static void exports_by_name(void **state) {
    wasm_instance_t *instance = INSTANTIATE(STORE(state), sharing);
    assert_null(catnap_instance_export(instance, "absent", 6));
    assert_null(catnap_instance_export(instance, NULL, 3));
    assert_null(catnap_instance_export(NULL, "t", 1));
    assert_null(catnap_instance_module(NULL));
    wasm_extern_vec_t exports;
    wasm_instance_exports(NULL, &exports);
    assert_int_equal(exports.size, 0);
    wasm_module_t *module = catnap_instance_module(instance);
    assert_int_equal(catnap_module_function_count(module), 3);
    wasm_module_delete(module);
    wasm_instance_delete(instance);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(imports_must_match),
        TEST(long_names_are_cut),
        TEST(constant_expressions),
        TEST(larger_objects_match),
        TEST(too_few_imports),
        TEST(what_came_before_a_failure_stays),
        TEST(instances_share_tables_and_memories),
        TEST(linker_resolves_names),
        TEST(names_are_replaced_before_objects_go),
        TEST(linker_is_strict_with_its_caller),
        TEST(exports_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
