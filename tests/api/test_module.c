/* Modules: loading, reflection, sharing, serialization, statistics. */
#include "helpers.h"

#include <pthread.h>

/* (module $reflecting ;; names
 *   (import "env" "f" (func $imported (param i32 f64) (result i64)))
 *   (import "env" "g" (global (mut i32)))
 *   (import "env" "t" (table 1 9 externref))
 *   (import "" "m" (memory 2))
 *   (func $double (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
 *   (func $unused (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
 *   (global (export "pi") f64 (f64.const 3.14))
 *   (table (export "table") 3 4 funcref)
 *   (export "m" (memory 0))) */
static const uint8_t reflecting[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x12, 0x03, 0x60, 0x02, 0x7f, 0x7c, 0x01,
    0x7e, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x02, 0x7e, 0x7e, 0x01, 0x7e, 0x02, 0x23, 0x04, 0x03,
    0x65, 0x6e, 0x76, 0x01, 0x66, 0x00, 0x00, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x67, 0x03, 0x7f, 0x01,
    0x03, 0x65, 0x6e, 0x76, 0x01, 0x74, 0x01, 0x6f, 0x01, 0x01, 0x09, 0x00, 0x01, 0x6d, 0x02, 0x00,
    0x02, 0x03, 0x03, 0x02, 0x01, 0x02, 0x04, 0x05, 0x01, 0x70, 0x01, 0x03, 0x04, 0x06, 0x0d, 0x01,
    0x7c, 0x00, 0x44, 0x1f, 0x85, 0xeb, 0x51, 0xb8, 0x1e, 0x09, 0x40, 0x0b, 0x07, 0x1b, 0x04, 0x06,
    0x64, 0x6f, 0x75, 0x62, 0x6c, 0x65, 0x00, 0x01, 0x02, 0x70, 0x69, 0x03, 0x01, 0x05, 0x74, 0x61,
    0x62, 0x6c, 0x65, 0x01, 0x01, 0x01, 0x6d, 0x02, 0x00, 0x0a, 0x11, 0x02, 0x07, 0x00, 0x20, 0x00,
    0x41, 0x02, 0x6c, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x20, 0x01, 0x7c, 0x0b, 0x00, 0x38, 0x04, 0x6e,
    0x61, 0x6d, 0x65, 0x00, 0x0b, 0x0a, 0x72, 0x65, 0x66, 0x6c, 0x65, 0x63, 0x74, 0x69, 0x6e, 0x67,
    0x01, 0x1b, 0x03, 0x00, 0x08, 0x69, 0x6d, 0x70, 0x6f, 0x72, 0x74, 0x65, 0x64, 0x01, 0x06, 0x64,
    0x6f, 0x75, 0x62, 0x6c, 0x65, 0x02, 0x06, 0x75, 0x6e, 0x75, 0x73, 0x65, 0x64, 0x02, 0x07, 0x03,
    0x00, 0x00, 0x01, 0x00, 0x02, 0x00,
};

static void reflection(void **state) {
    wasm_module_t *module = LOAD(STORE(state), reflecting);
    wasm_importtype_vec_t imports;
    wasm_module_imports(module, &imports);
    assert_int_equal(imports.size, 4);
    assert_memory_equal(wasm_importtype_module(imports.data[0])->data, "env", 3);
    assert_memory_equal(wasm_importtype_name(imports.data[1])->data, "g", 1);
    const wasm_functype_t *func =
        wasm_externtype_as_functype_const(wasm_importtype_type(imports.data[0]));
    assert_int_equal(wasm_valtype_kind(wasm_functype_params(func)->data[1]), WASM_F64);
    assert_int_equal(wasm_valtype_kind(wasm_functype_results(func)->data[0]), WASM_I64);
    const wasm_globaltype_t *global =
        wasm_externtype_as_globaltype_const(wasm_importtype_type(imports.data[1]));
    assert_int_equal(wasm_globaltype_mutability(global), WASM_VAR);
    const wasm_tabletype_t *table =
        wasm_externtype_as_tabletype_const(wasm_importtype_type(imports.data[2]));
    assert_int_equal(wasm_tabletype_limits(table)->max, 9);
    const wasm_memorytype_t *memory =
        wasm_externtype_as_memorytype_const(wasm_importtype_type(imports.data[3]));
    assert_int_equal(wasm_memorytype_limits(memory)->min, 2);
    assert_true(wasm_memorytype_limits(memory)->max == wasm_limits_max_default);
    wasm_importtype_vec_delete(&imports);

    static const wasm_externkind_t kinds[] = {WASM_EXTERN_FUNC, WASM_EXTERN_GLOBAL,
                                              WASM_EXTERN_TABLE, WASM_EXTERN_MEMORY};
    wasm_exporttype_vec_t exports;
    wasm_module_exports(module, &exports);
    assert_int_equal(exports.size, 4);
    for (size_t i = 0; i < exports.size; i++)
        assert_int_equal(wasm_externtype_kind(wasm_exporttype_type(exports.data[i])), kinds[i]);
    wasm_exporttype_vec_delete(&exports);
    wasm_module_delete(module);
}

static void empty_module_has_nothing(void **state) {
    static const uint8_t empty[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    wasm_module_t *module = LOAD(STORE(state), empty);
    wasm_importtype_vec_t imports;
    wasm_exporttype_vec_t exports;
    wasm_module_imports(module, &imports);
    wasm_module_exports(module, &exports);
    assert_int_equal(imports.size + exports.size, 0);
    wasm_module_delete(module);
    wasm_module_imports(NULL, &imports);
    wasm_module_exports(NULL, &exports);
    assert_int_equal(imports.size + exports.size, 0);
}

static void bad_modules_have_a_reason(void **state) {
    wasm_store_t *store = STORE(state);
    assert_null(catnap_store_last_error(store));
    static const uint8_t malformed[] = {0, 'a', 's', 'm', 1, 0, 0};
    /* A function of type () -> i32 with an empty body. */
    static const uint8_t invalid[] = {0, 'a',  's', 'm', 1, 0, 0,  0, 1, 5, 1, 0x60, 0,
                                      1, 0x7F, 3,   2,   1, 0, 10, 4, 1, 2, 0, 0x0B};
    wasm_byte_vec_t bytes = {sizeof malformed, (byte_t *)(uintptr_t)malformed};
    assert_null(wasm_module_new(store, &bytes));
    assert_last_error(store, CATNAP_MALFORMED, "");
    assert_false(wasm_module_validate(store, &bytes));
    bytes = (wasm_byte_vec_t){sizeof invalid, (byte_t *)(uintptr_t)invalid};
    assert_false(wasm_module_validate(store, &bytes));
    assert_last_error(store, CATNAP_INVALID, "");
    assert_null(wasm_module_new(store, &bytes));
    assert_last_error(store, CATNAP_INVALID, "");
    assert_int_equal(catnap_error_function(catnap_store_last_error(store)), 0);
    assert_int_equal(catnap_error_offset(catnap_store_last_error(store)), 24);

    catnap_error_t *error = NULL;
    assert_null(catnap_module_new(store, invalid, sizeof invalid, NULL, &error));
    assert_error(error, CATNAP_INVALID, "");
    assert_null(catnap_module_new(store, invalid, sizeof invalid, NULL, NULL));
    wasm_engine_t *engine = catnap_store_engine(store);
    assert_error(catnap_module_validate(engine, malformed, sizeof malformed), CATNAP_MALFORMED, "");
    assert_null(catnap_module_validate(engine, reflecting, sizeof reflecting));

    assert_null(wasm_module_new(store, NULL));
    assert_last_error(store, CATNAP_MISUSE, "NULL");
    assert_false(wasm_module_validate(store, NULL));
    assert_null(wasm_module_new(NULL, &bytes));
    assert_error(catnap_module_validate(engine, NULL, 8), CATNAP_MISUSE, "NULL");
    assert_null(catnap_module_new(NULL, reflecting, sizeof reflecting, NULL, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    bytes = (wasm_byte_vec_t)WASM_EMPTY_VEC;
    assert_null(wasm_module_new(store, &bytes));
    assert_last_error(store, CATNAP_MALFORMED, "");
}

static void count_release(void *env, const uint8_t *bytes, size_t length) {
    assert_int_equal(length, sizeof reflecting);
    assert_ptr_equal(bytes, reflecting);
    ++*(int *)env;
}

static void lent_bytes_come_back(void **state) {
    wasm_store_t *store = STORE(state);
    int released = 0;
    catnap_module_options_t options = {
        .name = "given", .release = count_release, .release_env = &released};
    catnap_error_t *error;
    wasm_module_t *module =
        catnap_module_new(store, reflecting, sizeof reflecting, &options, &error);
    assert_no_error(error);
    wasm_shared_module_t *shared = wasm_module_share(module);
    wasm_module_delete(module);
    assert_int_equal(released, 0);
    wasm_shared_module_delete(shared);
    assert_int_equal(released, 1);
    assert_null(catnap_module_new(NULL, reflecting, sizeof reflecting, &options, NULL));
    assert_int_equal(released, 2);

    wasm_config_t *config = wasm_config_new();
    catnap_config_set_features(config, 0); /* mutable globals are off: loading fails */
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *old = wasm_store_new(engine);
    assert_null(catnap_module_new(old, reflecting, sizeof reflecting, &options, &error));
    catnap_error_delete(error);
    assert_int_equal(released, 3);
    wasm_store_delete(old);
    wasm_engine_delete(engine);
}

static void serialization(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_module_t *module = LOAD(store, reflecting);
    wasm_byte_vec_t bytes;
    wasm_module_serialize(module, &bytes);
    assert_true(bytes.size > sizeof reflecting);
    wasm_module_delete(module);
    module = wasm_module_deserialize(store, &bytes);
    assert_non_null(module);
    wasm_exporttype_vec_t exports;
    wasm_module_exports(module, &exports);
    assert_int_equal(exports.size, 4);
    wasm_exporttype_vec_delete(&exports);
    wasm_module_delete(module);

    for (size_t i = 0; i < bytes.size; i++) { /* every byte counts */
        bytes.data[i] ^= 1;
        assert_null(wasm_module_deserialize(store, &bytes));
        assert_last_error(store, CATNAP_MALFORMED, "serialized");
        bytes.data[i] ^= 1;
    }
    size_t whole = bytes.size;
    for (bytes.size = 0; bytes.size < whole; bytes.size++)
        assert_null(wasm_module_deserialize(store, &bytes));
    wasm_byte_vec_delete(&bytes);
    assert_null(wasm_module_deserialize(store, NULL));
    wasm_module_serialize(NULL, &bytes);
    assert_int_equal(bytes.size, 0);
}

struct sharing {
    wasm_engine_t *engine;
    wasm_shared_module_t *shared;
};

static void *use_shared(void *env) {
    const struct sharing *sharing = env;
    for (int i = 0; i < 20; i++) {
        wasm_store_t *store = wasm_store_new(sharing->engine);
        wasm_module_t *module = wasm_module_obtain(store, sharing->shared);
        wasm_exporttype_vec_t exports;
        wasm_module_exports(module, &exports);
        if (exports.size != 4)
            return "exports";
        wasm_exporttype_vec_delete(&exports);
        catnap_error_t *error = catnap_module_translate(module);
        if (error)
            return "translation";
        wasm_module_delete(module);
        wasm_store_delete(store);
    }
    return NULL;
}

static void sharing_between_threads(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_module_t *module = LOAD(store, reflecting);
    struct sharing sharing = {catnap_store_engine(store), wasm_module_share(module)};
    wasm_module_delete(module);
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_shared, &sharing), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    wasm_engine_t *other = wasm_engine_new();
    wasm_store_t *stranger = wasm_store_new(other);
    assert_null(wasm_module_obtain(stranger, sharing.shared));
    assert_last_error(stranger, CATNAP_MISUSE, "another engine");
    assert_null(wasm_module_obtain(stranger, NULL));
    wasm_store_delete(stranger);
    wasm_engine_delete(other);
    assert_null(wasm_module_share(NULL));
    wasm_shared_module_delete(NULL);
    wasm_shared_module_delete(sharing.shared);
}

static void sections(void **state) {
    wasm_module_t *module = LOAD(STORE(state), reflecting);
    size_t count = catnap_module_section_count(module);
    catnap_section_t section;
    assert_true(catnap_module_section(module, 0, &section));
    assert_int_equal(section.id, 1);
    assert_memory_equal(section.name, "type", section.name_length);
    assert_int_equal(section.offset, 10);
    assert_true(catnap_module_section(module, count - 1, &section));
    assert_int_equal(section.id, 0);
    assert_int_equal(section.name_length, 4);
    assert_memory_equal(section.name, "name", 4);
    assert_int_equal(section.offset + section.size, sizeof reflecting);
    assert_false(catnap_module_section(module, count, &section));
    assert_int_equal(section.size, 0);
    assert_false(catnap_module_section(NULL, 0, &section));
    wasm_module_delete(module);
}

static void functions_and_statistics(void **state) {
    wasm_module_t *module = LOAD(STORE(state), reflecting);
    assert_int_equal(catnap_module_function_count(module), 3);
    catnap_function_info_t info;
    assert_true(catnap_module_function(module, 0, &info));
    assert_true(info.imported);
    assert_memory_equal(info.name, "imported", info.name_length);
    assert_true(catnap_module_function(module, 1, &info));
    assert_false(info.imported);
    assert_false(info.translated);
    assert_memory_equal(info.name, "double", info.name_length);
    assert_int_equal(reflecting[info.body_offset + info.body_size - 1], 0x0B);
    assert_int_equal(info.bytecode_bytes, 0);
    assert_false(catnap_module_function(module, 3, &info));
    assert_int_equal(info.body_offset, 0);

    catnap_module_stats_t stats;
    catnap_module_stats(module, &stats);
    assert_int_equal(stats.module_bytes, sizeof reflecting);
    assert_int_equal(stats.functions, 2);
    assert_int_equal(stats.functions_validated, 2);
    assert_int_equal(stats.functions_translated, 0);
    assert_int_equal(stats.bytecode_bytes, 0);
    assert_no_error(catnap_module_translate(module));
    catnap_module_stats(module, &stats);
    assert_int_equal(stats.functions_translated, 2);
    assert_int_equal(stats.code_bytes, stats.code_bytes_translated);
    assert_true(stats.bytecode_bytes > 0);
    assert_true(catnap_module_function(module, 1, &info));
    assert_true(info.translated);
    assert_true(info.bytecode_bytes > 0);
    assert_int_equal(reflecting[info.body_offset + info.body_size - 1], 0x0B);

    wasm_functype_t *type = catnap_module_function_type(module, 2);
    assert_int_equal(wasm_functype_params(type)->size, 2);
    wasm_functype_delete(type);
    assert_null(catnap_module_function_type(module, 3));
    wasm_module_delete(module);
    catnap_module_stats(NULL, &stats);
    assert_int_equal(stats.module_bytes, 0);
    assert_error(catnap_module_translate(NULL), CATNAP_MISUSE, "NULL");
}

static void collect_text(void *env, const char *text, size_t length) {
    char *all = env;
    size_t had = strlen(all);
    if (had + length < 8000) {
        memcpy(all + had, text, length);
        all[had + length] = '\0';
    }
}

static void disassembly(void **state) {
    char text[8192] = "";
    wasm_module_t *module = LOAD(STORE(state), reflecting);
    assert_no_error(catnap_module_disassemble(module, 1, collect_text, text));
    assert_non_null(strstr(text, "i32.mul"));
    assert_error(catnap_module_disassemble(module, 0, collect_text, text), CATNAP_NOT_FOUND, "0");
    assert_error(catnap_module_disassemble(module, 9, collect_text, text), CATNAP_NOT_FOUND, "9");
    wasm_module_delete(module);
}

static void eager_and_explicit_engines(void **state) {
    (void)state;
    for (int explicit_checks = 0; explicit_checks < 2; explicit_checks++) {
        wasm_config_t *config = wasm_config_new();
        catnap_config_set_translation(config, CATNAP_TRANSLATION_EAGER);
        if (explicit_checks)
            catnap_config_set_bounds_checks(config, CATNAP_BOUNDS_EXPLICIT);
        wasm_engine_t *engine = wasm_engine_new_with_config(config);
        wasm_store_t *store = wasm_store_new(engine);
        wasm_module_t *module = LOAD(store, reflecting);
        catnap_module_stats_t stats;
        catnap_module_stats(module, &stats);
        assert_int_equal(stats.functions_translated, 2);
        catnap_function_info_t info;
        assert_true(catnap_module_function(module, 2, &info));
        assert_true(info.translated);
        wasm_module_delete(module);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
    }
}

static void version_and_configuration(void **state) {
    (void)state;
    assert_string_equal(catnap_version(), CATNAP_VERSION);
    assert_null(wasm_engine_new_with_config(NULL));
    wasm_config_delete(wasm_config_new());
    wasm_config_delete(NULL);
    wasm_engine_delete(NULL);
    assert_null(wasm_store_new(NULL));
    wasm_store_delete(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(reflection),
        TEST(empty_module_has_nothing),
        TEST(bad_modules_have_a_reason),
        TEST(lent_bytes_come_back),
        TEST(serialization),
        TEST(sharing_between_threads),
        TEST(sections),
        TEST(functions_and_statistics),
        TEST(disassembly),
        TEST(eager_and_explicit_engines),
        cmocka_unit_test(version_and_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
