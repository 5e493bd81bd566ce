/* Shared memories of catnap.h. */
#include "api/api.h"

#include "runtime/collect.h"
#include "runtime/shared_memory.h"

static catnap_shared_memory_t *make(wasm_engine_t *engine, const wasm_memorytype_t *described,
                                    struct error *error) {
    struct memorytype type;
    if (!cn_memorytype_of(described, &type, error))
        return NULL;
    if (!type.is_shared || type.limits.min > type.limits.max) {
        cn_fail(error, CATNAP_INVALID, "the type is none of a shared memory");
        return NULL;
    }
    bool guards = engine->config.bounds_checks == CATNAP_BOUNDS_AUTO;
    return cn_shared_memory_new(engine, &type, guards, error);
}

catnap_shared_memory_t *catnap_shared_memory_new(wasm_engine_t *engine,
                                                 const wasm_memorytype_t *type,
                                                 catnap_error_t **out) {
    struct error error;
    if (out)
        *out = NULL;
    if (!engine || !type)
        return cn_report_null(NULL, out);
    catnap_shared_memory_t *memory = make(engine, type, &error);
    return memory ? memory : cn_report(NULL, out, &error);
}

catnap_shared_memory_t *catnap_shared_memory_copy(catnap_shared_memory_t *memory) {
    if (memory)
        cn_shared_memory_retain(memory);
    return memory;
}

void catnap_shared_memory_delete(catnap_shared_memory_t *memory) {
    cn_shared_memory_release(memory);
}

uint8_t *catnap_shared_memory_data(catnap_shared_memory_t *memory) {
    return memory ? memory->base : NULL;
}

uint64_t catnap_shared_memory_size(const catnap_shared_memory_t *memory) {
    return memory ? atomic_load(&memory->size) : 0;
}

uint32_t catnap_shared_memory_notify(catnap_shared_memory_t *memory, uint64_t address,
                                     uint32_t count) {
    return memory ? cn_shared_memory_notify(memory, address, count) : 0;
}

wasm_memory_t *catnap_shared_memory_view(catnap_shared_memory_t *shared, wasm_store_t *store,
                                         catnap_error_t **out) {
    struct error error;
    if (out)
        *out = NULL;
    if (!shared || !store)
        return cn_report_null(store, out);
    if (store->engine != shared->engine)
        return cn_report_new(store, out, CATNAP_MISUSE, "the memory belongs to another engine");
    if (!cn_store_enter_to_make(store))
        return cn_report_misuse(out);
    cn_store_pin(store);
    wasm_memory_t *view = cn_memory_view(store, shared, &error);
    if (!view && cn_collect_for(store, &error))
        view = cn_memory_view(store, shared, &error);
    if (view)
        cn_object_retain(&view->ref);
    else
        cn_report(store, out, &error);
    cn_store_leave(store);
    cn_store_unpin(store);
    return view;
}

catnap_shared_memory_t *catnap_memory_shared(const wasm_memory_t *memory) {
    return memory ? catnap_shared_memory_copy(memory->shared) : NULL;
}
