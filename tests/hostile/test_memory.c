/* How much memory modules can make the engine take: in proportion to their size while they are loaded,
 * and within the limits of store and engine. */
#include "hostile.h"

/* docs/reference/limits.md says so: bytes held for each byte of a module, and bytes for any module at all. */
#define LOADING_FACTOR 16u
#define LOADING_BASE 65536u

static wasm_engine_t *limited_engine(struct ledger *ledger, uint64_t limit) {
    wasm_config_t *config = wasm_config_new();
    catnap_allocator_t allocator = {ledger_realloc, ledger};
    catnap_config_set_allocator(config, &allocator);
    catnap_config_set_memory_limit(config, limit);
    return wasm_engine_new_with_config(config);
}

/* ---- Loading ---- */

#define ITEMS 100000u

/* As many declarations of one kind, each as short as can be. */
enum kind {
    KIND_TYPES,
    KIND_IMPORTS,
    KIND_FUNCS,
    KIND_TABLES,
    KIND_GLOBALS,
    KIND_EXPORTS,
    KIND_EMPTY_ELEMS,
    KIND_ELEMS,
    KIND_EXPRS,
    KIND_DATAS,
    KIND_NAMES,
    KIND_CUSTOM,
    KINDS
};

static const char *const kind_names[KINDS] = {
    "types",       "imports",       "functions",      "tables",
    "globals",     "exports",       "elems",          "function elements",
    "expressions", "data segments", "function names", "custom sections",
};

static void put_name_section(struct bytes *module) {
    struct bytes content = {0}, names = {0};
    put_name(&content, "name");
    put_u(&names, ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++) {
        put_u(&names, i);
        put(&names, 0);
    }
    put(&content, 1);
    put_sized(&content, &names);
    put_section(module, 0, &content);
}

static void put_item(struct module_builder *m, enum kind kind, uint32_t i) {
    struct bytes f = {0}, *b;
    switch (kind) {
    case KIND_TYPES:
        PUT(add_item(m, TYPES), 0x60, 2, (uint8_t)(I32 - i % 4), (uint8_t)(I32 - i / 4 % 4), 0);
        break;
    case KIND_IMPORTS:
        PUT(add_item(m, IMPORTS), 0, 0, 0, 0);
        break;
    case KIND_FUNCS:
    case KIND_NAMES:
        PUT(&f, 0, END);
        add_func(m, NULL, 0, &f);
        break;
    case KIND_TABLES:
        PUT(add_item(m, TABLES), FUNCREF, 0, 0);
        break;
    case KIND_GLOBALS:
        PUT(add_item(m, GLOBALS), I32, 0, 0x41, 0, END);
        break;
    case KIND_EXPORTS:
        b = add_item(m, EXPORTS);
        PUT(b, 3, (uint8_t)(' ' + i % 90), (uint8_t)(' ' + i / 90 % 90), (uint8_t)(' ' + i / 8100),
            0, 0);
        break;
    case KIND_EMPTY_ELEMS:
        PUT(add_item(m, ELEMS), 1, 0, 0);
        break;
    case KIND_DATAS:
        PUT(add_item(m, DATAS), 1, 0);
        break;
    default:
        break;
    }
}

static struct bytes many_of(enum kind kind) {
    struct module_builder m = {0};
    struct bytes f = {0}, *b;
    if (kind != KIND_TYPES)
        add_type(&m, "", "");
    if (kind == KIND_EXPORTS || kind == KIND_ELEMS) {
        PUT(&f, 0, END);
        add_func(&m, NULL, 0, &f);
    }
    for (uint32_t i = 0; i < ITEMS; i++)
        put_item(&m, kind, i);
    if (kind == KIND_ELEMS || kind == KIND_EXPRS) {
        b = add_item(&m, ELEMS);
        PUT(b, kind == KIND_ELEMS ? 1 : 5, kind == KIND_ELEMS ? 0 : FUNCREF);
        put_u(b, ITEMS);
        for (uint32_t i = 0; i < ITEMS; i++)
            if (kind == KIND_ELEMS)
                put(b, 0);
            else
                PUT(b, 0xD0, FUNCREF, END);
    }
    struct bytes bytes = finish(&m);
    if (kind == KIND_NAMES)
        put_name_section(&bytes);
    for (uint32_t i = 0; kind == KIND_CUSTOM && i < ITEMS; i++)
        PUT(&bytes, 0, 1, 0);
    return bytes;
}

static void keep_bytes(void *env, const uint8_t *bytes, size_t length) {
    (void)env;
    (void)bytes;
    (void)length;
}

/* Memory held besides the bytes, which are the caller's. */
static void loading_is_in_proportion(void **state) {
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct ledger ledger = {0};
        wasm_engine_t *engine = limited_engine(&ledger, UINT64_MAX);
        wasm_store_t *store = wasm_store_new(engine);
        uint64_t before = ledger.now;
        struct bytes b = many_of(kind);
        catnap_module_options_t options = {.release = keep_bytes};
        catnap_error_t *error;
        wasm_module_t *module = catnap_module_new(store, b.data, b.size, &options, &error);
        if (error)
            print_message("%s: %s\n", kind_names[kind], catnap_error_message(error));
        assert_non_null(module);
        uint64_t taken = ledger.peak - before;
        print_message("%s: %.1f bytes for each of %zu\n", kind_names[kind],
                      (double)taken / (double)b.size, b.size);
        assert_true(taken <= LOADING_BASE + LOADING_FACTOR * b.size);
        wasm_module_delete(module);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
        assert_int_equal(ledger.now, 0);
        drop_bytes(&b);
    }
}

/* The cost of one item in an instance, as in docs/reference/limits.md. Functions for unknown imports are the linker's. */
static void instances_are_in_proportion(void **state) {
    (void)state;
    static const struct {
        enum kind kind;
        unsigned each;
    } items[] = {{KIND_FUNCS, 24}, {KIND_GLOBALS, 32}, {KIND_EMPTY_ELEMS, 16},
                 {KIND_DATAS, 16}, {KIND_TABLES, 128}, {KIND_IMPORTS, 256}};
    for (size_t i = 0; i < COUNT(items); i++) {
        struct ledger ledger = {0};
        wasm_engine_t *engine = limited_engine(&ledger, UINT64_MAX);
        wasm_store_t *store = wasm_store_new(engine);
        struct bytes b = many_of(items[i].kind);
        catnap_error_t *error;
        wasm_trap_t *trap;
        wasm_module_t *module = catnap_module_new(store, b.data, b.size, NULL, &error);
        assert_non_null(module);
        uint64_t before = ledger.now;
        ledger.peak = before;
        catnap_linker_t *linker = catnap_linker_new(store);
        catnap_linker_trap_unknown_imports(linker, true);
        wasm_instance_t *instance = catnap_linker_instantiate(linker, module, &error, &trap);
        assert_non_null(instance);
        uint64_t taken = ledger.peak - before;
        print_message("%s in an instance: %.1f bytes each\n", kind_names[items[i].kind],
                      (double)taken / ITEMS);
        assert_true(taken <= LOADING_BASE + (uint64_t)items[i].each * ITEMS);
        wasm_instance_delete(instance);
        catnap_linker_delete(linker);
        wasm_module_delete(module);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
        assert_int_equal(ledger.now, 0);
        drop_bytes(&b);
    }
}

/* Under any limit, nothing is held beyond it, and all comes back. */
static void the_engine_has_a_limit(void **state) {
    (void)state;
    static const enum kind kinds[] = {KIND_FUNCS, KIND_EMPTY_ELEMS, KIND_EXPORTS};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct bytes b = many_of(kinds[i]);
        unsigned refused = 0, loaded = 0;
        for (uint64_t limit = 16384; limit < 64 << 20; limit += limit / 3) {
            struct ledger ledger = {0};
            catnap_error_t *error;
            uint64_t now, peak;
            wasm_engine_t *engine = limited_engine(&ledger, limit);
            wasm_store_t *store = engine ? wasm_store_new(engine) : NULL;
            wasm_module_t *module =
                store ? catnap_module_new(store, b.data, b.size, NULL, &error) : NULL;
            if (store && !module) {
                assert_int_equal(catnap_error_status(error), CATNAP_NO_MEMORY);
                catnap_error_delete(error);
            }
            refused += !module;
            loaded += module != NULL;
            catnap_engine_memory(engine, &now, &peak);
            assert_true(peak <= limit);
            wasm_module_delete(module);
            wasm_store_delete(store);
            wasm_engine_delete(engine);
            assert_int_equal(ledger.now, 0);
        }
        assert_true(refused > 0 && loaded > 0);
        drop_bytes(&b);
    }
}

/* ---- Tables ---- */

static void limit_memory(wasm_store_t *store, uint64_t bytes) {
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.memory_bytes = bytes;
    catnap_store_set_limits(store, &limits);
}

static struct bytes with_tables(uint32_t tables, uint32_t elements) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t grows = add_type(&m, "i", "i");
    PUT(&f, 0, 0xD0, FUNCREF, LOCAL_GET, 0, 0xFC, 15, 0, END);
    add_func(&m, "grow_table", grows, &f);
    PUT(&f, 0, LOCAL_GET, 0, 0x40, 0, END);
    add_func(&m, "grow_memory", grows, &f);
    for (uint32_t i = 0; i < tables; i++)
        add_table(&m, FUNCREF, elements, NO_MAX);
    add_memory(&m, 1, 100);
    return finish(&m);
}

/* A module of 640 bytes that asks for 8 GB. */
static void tables_count_as_memory(void **state) {
    (void)state;
    struct world w;
    catnap_error_t *error;
    wasm_trap_t *trap;
    open_world(&w, (struct form){0});
    limit_memory(w.store, 64 << 20);
    struct bytes b = with_tables(100, 10000000);
    wasm_module_t *module = load_module(w.store, &b);
    wasm_extern_vec_t none = {0, NULL};
    assert_null(catnap_instance_new(w.store, module, &none, &error, &trap));
    assert_null(trap);
    assert_int_equal(catnap_error_status(error), CATNAP_LIMIT);
    assert_true(w.ledger.peak < 66 << 20);
    catnap_error_delete(error);
    assert_null(catnap_prelinked_new(w.store, module, &none, &error));
    assert_int_equal(catnap_error_status(error), CATNAP_LIMIT);
    catnap_error_delete(error);
    wasm_module_delete(module);
    drop_bytes(&b);
    close_world(&w);
}

static void memories_and_tables_grow_into_one_limit(void **state) {
    (void)state;
    struct world w;
    open_world(&w, (struct form){0});
    limit_memory(w.store, 4 * 65536);
    struct bytes b = with_tables(1, 1);
    w.instance = instantiate(w.store, &b, NULL, 0);
    assert_int_equal(CALL_EXPORT(w.instance, "grow_memory", 3), UINT32_MAX);
    assert_int_equal(CALL_EXPORT(w.instance, "grow_memory", 1), 1);
    assert_int_equal(CALL_EXPORT(w.instance, "grow_table", 2 * 8192), UINT32_MAX);
    assert_int_equal(CALL_EXPORT(w.instance, "grow_table", 2 * 8192 - 1), 1);
    assert_int_equal(CALL_EXPORT(w.instance, "grow_table", 1), UINT32_MAX);
    assert_int_equal(CALL_EXPORT(w.instance, "grow_memory", 1), UINT32_MAX);
    assert_int_equal(CALL_EXPORT(w.instance, "grow_memory", 0), 2);
    /* The host's are subject to it, too. */
    wasm_limits_t limits = {1, 0xffffffff};
    wasm_tabletype_t *type = wasm_tabletype_new(wasm_valtype_new(WASM_FUNCREF), &limits);
    assert_null(wasm_table_new(w.store, type, NULL));
    wasm_tabletype_delete(type);
    drop_bytes(&b);
    close_world(&w);
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_is_in_proportion),
        cmocka_unit_test(instances_are_in_proportion),
        cmocka_unit_test(the_engine_has_a_limit),
        cmocka_unit_test(tables_count_as_memory),
        cmocka_unit_test(memories_and_tables_grow_into_one_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
