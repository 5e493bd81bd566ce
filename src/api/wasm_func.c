/* Functions of wasm.h. */
#include "api/api.h"

static bool fits(const struct functype *type, host_callback callback) {
    return callback == cn_callback_wide || callback == cn_callback_raw ||
           cn_values_have_room(plain_values(NULL, 0), type->types,
                               type->param_count + type->result_count);
}

/* Makes a host function with one handle; on failure the finalizer has been called. */
static wasm_func_t *new_func(wasm_store_t *store, const wasm_functype_t *described,
                             host_callback callback, void *user_callback, void *env,
                             void (*finalizer)(void *), catnap_error_t **out) {
    struct error error;
    wasm_func_t *func = NULL;
    if (!store || !described || !user_callback) {
        cn_report_null(store, out);
    } else if (!cn_store_enter_to_make(store)) {
        cn_report_misuse(out);
    } else {
        const struct functype *type = cn_functype_intern(store->engine, described, &error);
        if (type && type->any && callback == cn_callback_raw) {
            cn_types_release(&store->engine->types, &type->def);
            cn_fail(&error, CATNAP_UNSUPPORTED,
                    "a function that takes slots cannot have garbage-collected values");
            type = NULL;
        }
        if (type && !fits(type, callback))
            callback = cn_callback_without_room;
        if (type)
            func = cn_func_new(store, type, callback, user_callback, env, finalizer, &error);
        if (func)
            cn_object_retain(&func->ref);
        else
            cn_report(store, out, &error);
        cn_store_leave(store);
    }
    if (!func && finalizer)
        finalizer(env);
    return func;
}

wasm_func_t *wasm_func_new(wasm_store_t *store, const wasm_functype_t *type,
                           wasm_func_callback_t callback) {
    return new_func(store, type, cn_callback_plain, (void *)callback, NULL, NULL, NULL);
}

wasm_func_t *wasm_func_new_with_env(wasm_store_t *store, const wasm_functype_t *type,
                                    wasm_func_callback_with_env_t callback, void *env,
                                    void (*finalizer)(void *)) {
    return new_func(store, type, cn_callback_env, (void *)callback, env, finalizer, NULL);
}

wasm_func_t *catnap_func_new(wasm_store_t *store, const wasm_functype_t *type,
                             catnap_callback_t callback, void *env, void (*finalizer)(void *),
                             catnap_error_t **error) {
    if (error)
        *error = NULL;
    return new_func(store, type, cn_callback_wide, (void *)callback, env, finalizer, error);
}

wasm_func_t *catnap_func_new_raw(wasm_store_t *store, const wasm_functype_t *type,
                                 catnap_raw_callback_t callback, void *env,
                                 void (*finalizer)(void *), catnap_error_t **error) {
    if (error)
        *error = NULL;
    return new_func(store, type, cn_callback_raw, (void *)callback, env, finalizer, error);
}

wasm_functype_t *wasm_func_type(const wasm_func_t *func) {
    return func ? cn_functype_describe(func->type) : NULL;
}

size_t wasm_func_param_arity(const wasm_func_t *func) {
    return func ? func->type->param_count : 0;
}

size_t wasm_func_result_arity(const wasm_func_t *func) {
    return func ? func->type->result_count : 0;
}
