/* The part of a module that stores and threads share. */

#include "runtime/shared.h"
#include "runtime/store.h"

struct shared_module *cn_shared_new(wasm_engine_t *engine, struct module *module) {
    struct shared_module *shared = cn_calloc(&engine->alloc, 1, sizeof *shared);
    if (!shared) {
        cn_module_release(module);
        return NULL;
    }
    atomic_init(&shared->references, 1);
    shared->engine = engine;
    shared->module = module;
    cn_engine_retain(engine);
    return shared;
}

void cn_shared_retain(struct shared_module *shared) {
    atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
}

void cn_shared_release(struct shared_module *shared) {
    if (atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) != 1)
        return;
    wasm_engine_t *engine = shared->engine;
    cn_code_table_free(shared->module, &engine->alloc, atomic_load(&shared->explicit_code));
    cn_module_release(shared->module);
    cn_free(&engine->alloc, shared, sizeof *shared);
    cn_engine_release(engine);
}

_Atomic uint64_t *cn_shared_explicit_code(struct shared_module *shared) {
    _Atomic uint64_t *table = atomic_load_explicit(&shared->explicit_code, memory_order_acquire);
    if (table)
        return table;
    const struct module *module = shared->module;
    struct alloc *alloc = &shared->engine->alloc;
    _Atomic uint64_t *twin = cn_code_table_new(module, alloc);
    if (!twin)
        return NULL;
    if (atomic_compare_exchange_strong(&shared->explicit_code, &table, twin))
        return twin;
    cn_code_table_free(module, alloc, twin);
    return table;
}

wasm_module_t *cn_module_object_new(wasm_store_t *store, struct shared_module *shared) {
    wasm_module_t *module = cn_calloc(store->alloc, 1, sizeof *module);
    if (!module)
        return NULL;
    cn_object_init(&module->ref, OBJECT_MODULE, store);
    cn_shared_retain(shared);
    module->shared = shared;
    return module;
}
