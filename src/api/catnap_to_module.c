/* Modules from instances, of catnap.h. */
#include "api/api.h"
#include "persist/module.h"

static const catnap_to_module_options_t no_options;

static bool convert(wasm_instance_t *instance, const catnap_to_module_options_t *options,
                    wasm_byte_vec_t *out, struct error *error) {
    wasm_engine_t *engine = instance->ref.store->engine;
    const struct module *module = instance->module;
    struct encoder encoder = {.alloc = &engine->alloc, .limit = LIMIT_MODULE_BYTES};
    if (instance->ref.store->deleted)
        return cn_fail(error, CATNAP_MISUSE, "the instance's store has been deleted");
    if (instance->machine->host_depth > 0)
        return cn_fail(error, CATNAP_MISUSE, "a call is under way in the store");
    if (module->deferred && !cn_check_module(engine, module->bytes, module->size, error))
        return false;
    bool ok = cn_instance_to_module(instance, options, &encoder, error);
    if (ok) {
        wasm_byte_vec_new(out, encoder.length, (const char *)encoder.bytes);
        if (!out->data)
            ok = cn_fail_memory(error);
    }
    cn_encoder_free(&encoder);
    return ok;
}

catnap_error_t *catnap_instance_to_module(const wasm_instance_t *instance,
                                          const catnap_to_module_options_t *options,
                                          wasm_byte_vec_t *out) {
    struct error error;
    catnap_error_t *failure = NULL;
    if (!out)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    wasm_byte_vec_new_empty(out);
    if (!instance)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    wasm_store_t *store = instance->ref.store;
    if (!cn_store_enter(store)) {
        cn_report_misuse(&failure);
        return failure;
    }
    if (!convert((wasm_instance_t *)(uintptr_t)instance, options ? options : &no_options, out,
                 &error))
        failure = cn_error_own(&error);
    cn_store_leave(store);
    return failure;
}
