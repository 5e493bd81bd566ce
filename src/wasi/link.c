/* Where the handlers meet the engine: one callback for all, and the linker's definitions. */
#include <stdlib.h>

#include "wasi/state.h"

/* One host function: one row of the table, for one state and one of the two snapshots. */
struct binding {
    catnap_wasi_t *wasi;
    const struct wasi_function *function;
    const struct wasi_layout *layout;
};

/* ---- Calls ----------------------------------------------------------------------------------- */

static int interrupt_fd(void *env) {
    return catnap_caller_interrupt_fd(env);
}

static bool interrupted(void *env) {
    return catnap_caller_interrupted(env);
}

static struct wasi_guest memory(void *env) {
    struct wasi_guest guest;
    catnap_caller_memory(env, 0, &guest.base, &guest.size);
    return guest;
}

static const struct wasi_host engine_host = {interrupt_fd, interrupted, memory};

static wasm_trap_t *run_function(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                                 catnap_val_t *results) {
    const struct binding *binding = env;
    const char *signature = binding->function->signature;
    uint64_t values[WASI_MAX_PARAMETERS] = {0};
    struct wasi_call call = {
        .wasi = binding->wasi, .layout = binding->layout, .host = &engine_host, .host_env = caller};

    for (size_t i = 0; signature[i] != ':'; i++)
        values[i] =
            signature[i] == 'I' ? (uint64_t)arguments[i].of.i64 : (uint32_t)arguments[i].of.i32;
    call.memory = memory(caller);
    uint16_t error = binding->function->run(&call, values);
    cn_call_unlock(&call);
    switch (call.outcome) {
    case WASI_EXIT:
        return catnap_trap_new_exit(catnap_caller_store(caller), (int32_t)call.exit_status);
    case WASI_INTERRUPTED:
        return catnap_trap_new(catnap_caller_store(caller), CATNAP_TRAP_INTERRUPTED, "interrupted");
    default:
        if (strchr(signature, ':')[1])
            results[0].of.i32 = error;
        return NULL;
    }
}

/* ---- Definitions ----------------------------------------------------------------------------- */

/* Value types for `length` letters of a signature. */
static bool make_types(const char *letters, size_t length, wasm_valtype_vec_t *out) {
    wasm_valtype_vec_new_uninitialized(out, length);
    if (out->size != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        out->data[i] = wasm_valtype_new(letters[i] == 'I' ? WASM_I64 : WASM_I32);
        if (!out->data[i]) {
            wasm_valtype_vec_delete(out);
            return false;
        }
    }
    return true;
}

static wasm_functype_t *make_type(const char *signature) {
    const char *colon = strchr(signature, ':');
    wasm_valtype_vec_t parameters, results;

    if (!make_types(signature, (size_t)(colon - signature), &parameters))
        return NULL;
    if (!make_types(colon + 1, strlen(colon + 1), &results)) {
        wasm_valtype_vec_delete(&parameters);
        return NULL;
    }
    return wasm_functype_new(&parameters, &results);
}

catnap_error_t *cn_linker_define_function(catnap_linker_t *linker, const char *module,
                                          const char *name, const char *signature,
                                          catnap_callback_t callback, void *env,
                                          void (*finalizer)(void *env)) {
    catnap_error_t *error = NULL;
    wasm_functype_t *type = make_type(signature);
    if (!type) {
        finalizer(env);
        return catnap_error_new(CATNAP_NO_MEMORY, "out of memory");
    }
    wasm_func_t *func =
        catnap_func_new(catnap_linker_store(linker), type, callback, env, finalizer, &error);
    wasm_functype_delete(type);
    if (!error)
        error = catnap_linker_define(linker, module, strlen(module), name, strlen(name),
                                     wasm_func_as_extern(func));
    wasm_func_delete(func);
    return error;
}

static catnap_error_t *define(catnap_linker_t *linker, const char *module, struct binding what) {
    struct binding *binding = malloc(sizeof *binding);
    if (!binding)
        return catnap_error_new(CATNAP_NO_MEMORY, "out of memory");
    *binding = what;
    return cn_linker_define_function(linker, module, what.function->name, what.function->signature,
                                     run_function, binding, free);
}

catnap_error_t *catnap_linker_define_wasi(catnap_linker_t *linker, catnap_wasi_t *wasi) {
    catnap_error_t *error = NULL;

    if (!linker || !wasi)
        return catnap_error_new(CATNAP_MISUSE, "a linker and a WASI state are needed");
    for (size_t i = 0; i < cn_wasi_function_count && !error; i++) {
        struct binding what = {wasi, &cn_wasi_functions[i], &cn_wasi_layout_preview1};
        error = define(linker, "wasi_snapshot_preview1", what);
        what.layout = &cn_wasi_layout_unstable;
        if (!error && what.function->unstable)
            error = define(linker, "wasi_unstable", what);
    }
    return error;
}
