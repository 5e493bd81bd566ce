/* The caller of a host function, as the function sees it; interruption of calls. */
#include "api/api.h"

#include "base/platform.h"

/* ---- Callers ---- */

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
        *size = found ? cn_memory_size(instance->memories[index]) : 0;
    return found;
}

catnap_shared_memory_t *catnap_caller_shared_memory(const catnap_caller_t *caller, uint32_t index) {
    const wasm_instance_t *instance = caller ? caller->instance : NULL;
    bool found = instance && index < instance->module->memory_count;
    return found ? catnap_memory_shared(instance->memories[index]) : NULL;
}

wasm_extern_t *catnap_caller_export(const catnap_caller_t *caller, const char *name,
                                    size_t length) {
    return caller ? catnap_instance_export(caller->instance, name, length) : NULL;
}

size_t catnap_caller_backtrace(catnap_caller_t *caller, catnap_frame_t *out, size_t capacity) {
    return caller ? cn_backtrace(caller->machine, NULL, out, capacity) : 0;
}

/* ---- Interruption: a request names the call that it means, so that a late one has no effect ---- */

uint64_t catnap_store_call_id(const wasm_store_t *store) {
    return store ? store->machine.interrupt.call_id : 0;
}

/* A late request must not take the place of one that is in time, nor may one for a call that is yet
 * to come. */
void catnap_store_interrupt(wasm_store_t *store, uint64_t call_id) {
    if (!store || call_id > atomic_load(&store->machine.interrupt.call_id))
        return;
    uint64_t known = atomic_load(&store->machine.interrupt.request);
    do {
        if (known > call_id)
            return;
    } while (!atomic_compare_exchange_weak(&store->machine.interrupt.request, &known, call_id));
    /* A call that ends between here and the signal leaves a descriptor that polls readable for no
     * reason: waiting code asks catnap_caller_interrupted(). */
    if (cn_has_interrupt_event(&store->machine) &&
        call_id == atomic_load(&store->machine.interrupt.call_id))
        cn_os_event_signal(store->machine.interrupt_event);
}

bool catnap_caller_interrupted(const catnap_caller_t *caller) {
    return caller && cn_machine_interrupted(caller->machine);
}

int catnap_caller_interrupt_fd(catnap_caller_t *caller) {
    return caller ? cn_machine_event(caller->machine) : -1;
}
