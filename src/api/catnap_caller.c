/* What a host function learns of its caller. */
#include "api/api.h"

wasm_store_t *catnap_caller_store(const catnap_caller_t *caller) {
    return caller ? caller->machine->store : NULL;
}

const wasm_instance_t *catnap_caller_instance(const catnap_caller_t *caller) {
    return caller ? caller->instance : NULL;
}

bool catnap_caller_memory(const catnap_caller_t *caller, uint32_t index, uint8_t **base,
                          uint64_t *size) {
    const wasm_instance_t *instance = caller ? caller->instance : NULL;
    bool found = instance && index < instance->module->memory_count;
    if (base)
        *base = found ? instance->memories[index]->base : NULL;
    if (size)
        *size = found ? instance->memories[index]->size : 0;
    return found;
}

wasm_extern_t *catnap_caller_export(const catnap_caller_t *caller, const char *name,
                                    size_t length) {
    return caller ? catnap_instance_export(caller->instance, name, length) : NULL;
}

size_t catnap_caller_backtrace(catnap_caller_t *caller, catnap_frame_t *out, size_t capacity) {
    return caller ? cn_backtrace(caller->machine, NULL, out, capacity) : 0;
}
