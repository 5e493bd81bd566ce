/* The part of a module that stores and threads share. */

#include "runtime/shared.h"

#include "base/assert.h"
#include "runtime/store.h"

static uint32_t defined_functions(const struct module *module) {
    return module->func_count - module->imported_func_count;
}

/* ---- Code variants ---- */

static size_t variant_bytes(const struct module *module) {
    return sizeof(struct code_variant) +
           (size_t)defined_functions(module) * sizeof(_Atomic uint64_t);
}

/* A bit for each defined function of a deferred module; none of other modules. */
static size_t valid_bytes(const struct module *module) {
    return module->deferred ? ((size_t)defined_functions(module) + 7) / 8 : 0;
}

struct translation_config cn_engine_translation(const wasm_engine_t *engine, bool explicit_checks) {
    return (struct translation_config){
        .handlers = engine->handlers,
        .fuel = engine->config.fuel,
        .interruptible = engine->config.interruptible,
        .explicit_checks = explicit_checks,
        .profile_ops = engine->config.profile_ops,
        .deterministic = engine->config.deterministic,
    };
}

/* The variant with this configuration among those from `first` on, or NULL. */
static struct code_variant *find_variant(struct code_variant *first,
                                         const struct translation_config *config) {
    while (first && !cn_same_config(&first->config, config))
        first = first->next;
    return first;
}

struct code_variant *cn_shared_find_variant(const struct shared_module *shared,
                                            const struct translation_config *config) {
    return find_variant(atomic_load_explicit(&shared->code.variants, memory_order_acquire), config);
}

/* A variant in which nothing is translated, in no list; NULL when memory is exhausted. */
static struct code_variant *new_variant(struct shared_module *shared,
                                        const struct translation_config *config) {
    const struct module *module = shared->module;
    struct code_variant *variant = cn_alloc(&shared->engine->alloc, variant_bytes(module));
    if (!variant)
        return NULL;
    variant->config = *config;
    for (uint32_t i = 0; i < defined_functions(module); i++)
        atomic_init(&variant->words[i], (uint64_t)module->bodies[i] * 2 + CODE_UNTRANSLATED);
    return variant;
}

struct code_variant *cn_shared_variant(struct shared_module *shared,
                                       const struct translation_config *config) {
    struct code_variant *found = cn_shared_find_variant(shared, config);
    if (found)
        return found;
    struct code_variant *made = new_variant(shared, config);
    if (!made)
        return NULL;
    made->next = atomic_load(&shared->code.variants);
    do {
        found = find_variant(made->next, config);
        if (found) { /* another thread was faster */
            cn_free(&shared->engine->alloc, made, variant_bytes(shared->module));
            return found;
        }
    } while (!atomic_compare_exchange_weak(&shared->code.variants, &made->next, made));
    return made;
}

static void free_code(struct shared_module *shared) {
    struct alloc *alloc = &shared->engine->alloc;
    void (*drop)(struct shared_module *) = atomic_load(&shared->code.drop);
    if (drop)
        drop(shared);
    for (struct code_variant *variant = atomic_load(&shared->code.variants), *next; variant;
         variant = next) {
        next = variant->next;
        cn_free(alloc, variant, variant_bytes(shared->module));
    }
    cn_free(alloc, (void *)shared->code.valid, valid_bytes(shared->module));
}

/* ---- Shared modules ---- */

struct shared_module *cn_shared_new(wasm_engine_t *engine, struct module *module) {
    struct shared_module *shared = cn_calloc(&engine->alloc, 1, sizeof *shared);
    size_t valid = valid_bytes(module);
    void *bits = shared && valid > 0 ? cn_calloc(&engine->alloc, 1, valid) : NULL;
    if (!shared || (valid > 0 && !bits)) {
        cn_free(&engine->alloc, shared, sizeof *shared);
        cn_module_release(module);
        return NULL;
    }
    atomic_init(&shared->references, 1);
    shared->engine = engine;
    shared->module = module;
    shared->code.valid = bits;
    atomic_init(&shared->code.validated_functions, module->validated_functions);
    atomic_init(&shared->code.validate_ns, module->validate_ns);
    cn_engine_retain(engine);
    return shared;
}

void cn_shared_retain(struct shared_module *shared) {
    CN_ASSERT(atomic_load(&shared->references) > 0);
    atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
}

void cn_shared_release(struct shared_module *shared) {
    if (atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) != 1)
        return;
    wasm_engine_t *engine = shared->engine;
    free_code(shared);
    cn_module_release(shared->module);
    cn_free(&engine->alloc, shared, sizeof *shared);
    cn_engine_release(engine);
}

/* ---- Handles ---- */

wasm_module_t *cn_module_object_new(wasm_store_t *store, struct shared_module *shared) {
    wasm_module_t *module = cn_calloc(store->alloc, 1, sizeof *module);
    if (!module)
        return NULL;
    cn_object_init(&module->ref, OBJECT_MODULE, store);
    cn_shared_retain(shared);
    module->shared = shared;
    return module;
}
