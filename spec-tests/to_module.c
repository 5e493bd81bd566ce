#include "to_module.h"

static bool fail(spec_message_t *message, const char *what, catnap_error_t *error) {
    spec_message_add(message, "%s: %s", what, error ? catnap_error_message(error) : "a trap");
    catnap_error_delete(error);
    return false;
}

static bool make(catnap_linker_t *linker, const wasm_byte_vec_t *bytes, wasm_instance_t **out,
                 spec_message_t *message) {
    catnap_error_t *error = NULL;
    wasm_trap_t *trap = NULL;
    wasm_module_t *module = catnap_module_new(
        catnap_linker_store(linker), (const uint8_t *)bytes->data, bytes->size, NULL, &error);
    if (!module) {
        return fail(message, "a module of an instance is refused", error);
    }
    *out = catnap_linker_instantiate(linker, module, &error, &trap);
    wasm_module_delete(module);
    wasm_trap_delete(trap);
    return *out || fail(message, "a module of an instance makes none", error);
}

bool spec_replace_instance(catnap_linker_t *linker, wasm_instance_t **instance,
                           spec_message_t *message) {
    wasm_byte_vec_t bytes;
    wasm_instance_t *made = NULL;
    catnap_error_t *error = catnap_instance_to_module(*instance, NULL, &bytes);
    if (error && catnap_error_status(error) == CATNAP_UNSUPPORTED) {
        catnap_error_delete(error);
        return true;
    }
    if (error) {
        return fail(message, "no module of an instance", error);
    }
    bool done = make(linker, &bytes, &made, message);
    wasm_byte_vec_delete(&bytes);
    if (done) {
        wasm_instance_delete(*instance);
        *instance = made;
    }
    return done;
}
