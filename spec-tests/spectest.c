#include "spectest.h"

#include <string.h>

typedef struct host {
    wasm_store_t *store;
    catnap_linker_t *linker;
} host_t;

/* Defines spectest.NAME and gives up the object; an object that could not be made is a failure. */
static bool define(const host_t *host, const char *name, wasm_extern_t *object) {
    if (!object) {
        return false;
    }
    catnap_error_t *error = catnap_linker_define(host->linker, "spectest", strlen("spectest"), name,
                                                 strlen(name), object);
    bool defined = !error;
    catnap_error_delete(error);
    wasm_extern_delete(object);
    return defined;
}

/* The scripts print to show that calls arrive; what they print is of no interest. */
static wasm_trap_t *print_nothing(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)args;
    (void)results;
    return NULL;
}

static bool define_functions(const host_t *host) {
    static const struct {
        const char *name;
        size_t count;
        wasm_valkind_t params[2];
    } functions[] = {
        {"print", 0, {0}},
        {"print_i32", 1, {WASM_I32}},
        {"print_i64", 1, {WASM_I64}},
        {"print_f32", 1, {WASM_F32}},
        {"print_f64", 1, {WASM_F64}},
        {"print_i32_f32", 2, {WASM_I32, WASM_F32}},
        {"print_f64_f64", 2, {WASM_F64, WASM_F64}},
    };
    bool done = true;
    for (size_t i = 0; done && i < sizeof functions / sizeof *functions; i++) {
        wasm_valtype_vec_t params, results;
        wasm_valtype_vec_new_uninitialized(&params, functions[i].count);
        for (size_t j = 0; j < params.size; j++) {
            params.data[j] = wasm_valtype_new(functions[i].params[j]);
        }
        wasm_valtype_vec_new_empty(&results);
        wasm_functype_t *type = wasm_functype_new(&params, &results);
        wasm_func_t *func = type ? wasm_func_new(host->store, type, print_nothing) : NULL;
        done = define(host, functions[i].name, func ? wasm_func_as_extern(func) : NULL);
        wasm_functype_delete(type);
    }
    return done;
}

static bool define_globals(const host_t *host) {
    static const struct {
        const char *name;
        wasm_val_t value;
    } globals[] = {
        {"global_i32", WASM_I32_VAL(666)},
        {"global_i64", WASM_I64_VAL(666)},
        {"global_f32", WASM_F32_VAL(666.6f)},
        {"global_f64", WASM_F64_VAL(666.6)},
    };
    bool done = true;
    for (size_t i = 0; done && i < sizeof globals / sizeof *globals; i++) {
        wasm_globaltype_t *type =
            wasm_globaltype_new(wasm_valtype_new(globals[i].value.kind), WASM_CONST);
        wasm_global_t *global = type ? wasm_global_new(host->store, type, &globals[i].value) : NULL;
        done = define(host, globals[i].name, global ? wasm_global_as_extern(global) : NULL);
        wasm_globaltype_delete(type);
    }
    return done;
}

static bool define_table(const host_t *host, const char *name, bool is_64) {
    catnap_type_limits_t limits = {10, 20, true, is_64};
    wasm_tabletype_t *type = catnap_tabletype_new(wasm_valtype_new_funcref(), &limits);
    wasm_table_t *table = type ? wasm_table_new(host->store, type, NULL) : NULL;
    wasm_tabletype_delete(type);
    return define(host, name, table ? wasm_table_as_extern(table) : NULL);
}

static bool define_memory(const host_t *host) {
    wasm_limits_t limits = {1, 2};
    wasm_memorytype_t *type = wasm_memorytype_new(&limits);
    wasm_memory_t *memory = type ? wasm_memory_new(host->store, type) : NULL;
    wasm_memorytype_delete(type);
    return define(host, "memory", memory ? wasm_memory_as_extern(memory) : NULL);
}

static bool define_shared_memory(const host_t *host) {
    wasm_limits_t limits = {1, 2};
    wasm_memorytype_t *type = catnap_memorytype_new_shared(&limits);
    wasm_memory_t *memory = type ? wasm_memory_new(host->store, type) : NULL;
    wasm_memorytype_delete(type);
    return define(host, "shared_memory", memory ? wasm_memory_as_extern(memory) : NULL);
}

bool spec_define_spectest(wasm_store_t *store, catnap_linker_t *linker) {
    host_t host = {store, linker};
    return define_functions(&host) && define_globals(&host) &&
           define_table(&host, "table", false) && define_table(&host, "table64", true) &&
           define_memory(&host) && define_shared_memory(&host);
}

bool spec_define_spectest_functions(wasm_store_t *store, catnap_linker_t *linker) {
    host_t host = {store, linker};
    return define_functions(&host);
}

/* (module
 *   (global (export "global_i32") i32 (i32.const 666))
 *   (global (export "global_i64") i64 (i64.const 666))
 *   (global (export "global_f32") f32 (f32.const 666.6))
 *   (global (export "global_f64") f64 (f64.const 666.6))
 *   (table (export "table") 10 20 funcref)
 *   (table (export "table64") i64 10 20 funcref)
 *   (memory (export "memory") 1 2)) */
static const uint8_t state[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x04, 0x09, 0x02, 0x70, 0x01, 0x0a, 0x14, 0x70,
    0x05, 0x0a, 0x14, 0x05, 0x04, 0x01, 0x01, 0x01, 0x02, 0x06, 0x21, 0x04, 0x7f, 0x00, 0x41, 0x9a,
    0x05, 0x0b, 0x7e, 0x00, 0x42, 0x9a, 0x05, 0x0b, 0x7d, 0x00, 0x43, 0x66, 0xa6, 0x26, 0x44, 0x0b,
    0x7c, 0x00, 0x44, 0xcd, 0xcc, 0xcc, 0xcc, 0xcc, 0xd4, 0x84, 0x40, 0x0b, 0x07, 0x50, 0x07, 0x0a,
    0x67, 0x6c, 0x6f, 0x62, 0x61, 0x6c, 0x5f, 0x69, 0x33, 0x32, 0x03, 0x00, 0x0a, 0x67, 0x6c, 0x6f,
    0x62, 0x61, 0x6c, 0x5f, 0x69, 0x36, 0x34, 0x03, 0x01, 0x0a, 0x67, 0x6c, 0x6f, 0x62, 0x61, 0x6c,
    0x5f, 0x66, 0x33, 0x32, 0x03, 0x02, 0x0a, 0x67, 0x6c, 0x6f, 0x62, 0x61, 0x6c, 0x5f, 0x66, 0x36,
    0x34, 0x03, 0x03, 0x05, 0x74, 0x61, 0x62, 0x6c, 0x65, 0x01, 0x00, 0x07, 0x74, 0x61, 0x62, 0x6c,
    0x65, 0x36, 0x34, 0x01, 0x01, 0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00};

wasm_module_t *spec_spectest_state(wasm_store_t *store) {
    return catnap_module_new(store, state, sizeof state, NULL, NULL);
}
