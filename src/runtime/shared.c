/* The part of a module that stores and threads share. */
#include "exec/code.h"
#include "runtime/objects.h"

static size_t table_bytes(const struct module *module) {
    return (size_t)(module->func_count - module->imported_func_count) * sizeof(uint64_t);
}

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
    cn_free(&engine->alloc, atomic_load(&shared->explicit_code), table_bytes(shared->module));
    cn_module_release(shared->module);
    cn_free(&engine->alloc, shared, sizeof *shared);
    cn_engine_release(engine);
}

/* The word of a function that is not translated, also when it is by now. */
static uint64_t untranslated_word(uint64_t word) {
    if (word & CODE_UNTRANSLATED)
        return word;
    const struct code *code = (const struct code *)(uintptr_t)word;
    return (uint64_t)code->size_offset << 1 | CODE_UNTRANSLATED;
}

_Atomic uint64_t *cn_shared_explicit_code(struct shared_module *shared) {
    _Atomic uint64_t *table = atomic_load_explicit(&shared->explicit_code, memory_order_acquire);
    if (table)
        return table;
    const struct module *module = shared->module;
    struct alloc *alloc = &shared->engine->alloc;
    uint32_t count = module->func_count - module->imported_func_count;
    _Atomic uint64_t *twin = cn_alloc(alloc, table_bytes(module));
    if (!twin)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = atomic_load_explicit(&module->code[i], memory_order_acquire);
        atomic_init(&twin[i], untranslated_word(word));
    }
    if (atomic_compare_exchange_strong(&shared->explicit_code, &table, twin))
        return twin;
    cn_free(alloc, (void *)twin, table_bytes(module));
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
