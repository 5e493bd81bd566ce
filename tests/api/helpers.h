/* Shared helpers of the API tests. Only the two public headers are used. */
#ifndef TESTS_API_HELPERS_H
#define TESTS_API_HELPERS_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "catnap.h"

#include "../support/errors.h"
#include "../support/sanitized.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* An engine and a store of its own for each test. */
struct fixture {
    wasm_engine_t *engine;
    wasm_store_t *store;
};

/* cmocka puts a handler for faults of its own in place before each test, after the engine's, which
 * is installed once. */
static struct sigaction engine_fault_handler;
static bool knows_fault_handler;

static inline int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->engine = wasm_engine_new();
    fixture->store = wasm_store_new(fixture->engine);
    *state = fixture;
    if (!knows_fault_handler)
        sigaction(SIGSEGV, NULL, &engine_fault_handler);
    knows_fault_handler = true;
    return fixture->store ? 0 : -1;
}

/* Every test must leave nothing behind but its engine. */
static inline int teardown(void **state) {
    struct fixture *fixture = *state;
    wasm_store_delete(fixture->store);
    wasm_engine_delete(fixture->engine);
    free(fixture);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define STORE(state) (((struct fixture *)*(state))->store)

static inline void assert_no_trap(wasm_trap_t *trap) {
    if (trap) {
        wasm_message_t message;
        wasm_trap_message(trap, &message);
        print_message("%s\n", message.data);
    }
    assert_null(trap);
}

/* Whether a trap has this code and its message has this text in it; deletes it. */
static inline void assert_trap(wasm_trap_t *trap, catnap_trap_code_t code, const char *text) {
    wasm_message_t message;
    assert_non_null(trap);
    wasm_trap_message(trap, &message);
    assert_true(message.size > 0 && message.data[message.size - 1] == '\0');
    if (!strstr(message.data, text) || catnap_trap_code(trap) != code)
        print_message("code %d: %s\n", (int)catnap_trap_code(trap), message.data);
    assert_int_equal(catnap_trap_code(trap), code);
    assert_non_null(strstr(message.data, text));
    wasm_byte_vec_delete(&message);
    wasm_trap_delete(trap);
}

/* Whether an error has this status and this text in its message. */
static inline void assert_says(const catnap_error_t *error, catnap_status_t status,
                               const char *text) {
    assert_non_null(error);
    if (!strstr(catnap_error_message(error), text) || catnap_error_status(error) != status)
        print_message("status %d: %s\n", (int)catnap_error_status(error),
                      catnap_error_message(error));
    assert_int_equal(catnap_error_status(error), status);
    assert_non_null(strstr(catnap_error_message(error), text));
}

/* The same; deletes it. */
static inline void assert_error(catnap_error_t *error, catnap_status_t status, const char *text) {
    assert_says(error, status, text);
    catnap_error_delete(error);
}

static inline void assert_last_error(const wasm_store_t *store, catnap_status_t status,
                                     const char *text) {
    assert_says(catnap_store_last_error(store), status, text);
}

/* Of memories, tables and the heap together. */
static inline void limit_memory(wasm_store_t *store, uint64_t bytes) {
    catnap_limits_t limits;
    catnap_store_limits(store, &limits);
    limits.memory_bytes = bytes;
    catnap_store_set_limits(store, &limits);
}

static inline wasm_module_t *load(wasm_store_t *store, const uint8_t *bytes, size_t size) {
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(store, bytes, size, NULL, &error);
    assert_no_error(error);
    assert_non_null(module);
    return module;
}
#define LOAD(store, bytes) load(store, bytes, sizeof bytes)

static inline wasm_instance_t *instantiate(wasm_store_t *store, const uint8_t *bytes, size_t size,
                                           wasm_extern_t **imports, size_t count) {
    wasm_module_t *module = load(store, bytes, size);
    wasm_extern_vec_t vec = {count, imports};
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_instance_t *instance = catnap_instance_new(store, module, &vec, &error, &trap);
    assert_no_error(error);
    assert_no_trap(trap);
    assert_non_null(instance);
    wasm_module_delete(module);
    return instance;
}
#define INSTANTIATE(store, bytes) instantiate(store, bytes, sizeof bytes, NULL, 0)

static inline wasm_extern_t *get_export(const wasm_instance_t *instance, const char *name) {
    wasm_extern_t *found = catnap_instance_export(instance, name, strlen(name));
    assert_non_null(found);
    return found;
}
#define EXPORT(kind, instance, name) wasm_extern_as_##kind(get_export(instance, name))

/* Calls with i32 arguments (at most four) and an i32 result, or none (then 0 is returned). */
static inline wasm_trap_t *call_i32(const wasm_func_t *func, const int32_t *arguments,
                                    int32_t *result) {
    catnap_val_t in[4], out[1];
    size_t count = wasm_func_param_arity(func), results = wasm_func_result_arity(func);
    for (size_t i = 0; i < count; i++)
        in[i] = (catnap_val_t){.kind = WASM_I32, .of.i32 = arguments[i]};
    out[0].of.i32 = 0;
    wasm_trap_t *trap = catnap_func_call(func, in, count, out, results);
    *result = out[0].of.i32;
    return trap;
}

/* The same for an export by name, which must not trap. */
#define CALL(instance, name, ...) call_export(instance, name, (const int32_t[4]){__VA_ARGS__})
static inline int32_t call_export(const wasm_instance_t *instance, const char *name,
                                  const int32_t *arguments) {
    int32_t result;
    wasm_func_t *func = EXPORT(func, instance, name);
    assert_non_null(func);
    assert_no_trap(call_i32(func, arguments, &result));
    wasm_func_delete(func);
    return result;
}

/* The same, and it must trap. */
#define CALL_TRAP(instance, name, ...)                                                             \
    call_export_trap(instance, name, (const int32_t[4]){__VA_ARGS__})
static inline wasm_trap_t *call_export_trap(const wasm_instance_t *instance, const char *name,
                                            const int32_t *arguments) {
    int32_t result;
    wasm_func_t *func = EXPORT(func, instance, name);
    assert_non_null(func);
    wasm_trap_t *trap = call_i32(func, arguments, &result);
    wasm_func_delete(func);
    assert_non_null(trap);
    return trap;
}

#endif
