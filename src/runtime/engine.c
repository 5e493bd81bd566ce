/* Engines: settings, the allocator, the registry of types. */
#include "base/access.h"
#include "runtime/engine.h"

void cn_config_init(struct wasm_config_t *config) {
    *config =
        (struct wasm_config_t){.features = CATNAP_FEATURES_DEFAULT, .memory_limit = UINT64_MAX};
}

/* The engine itself comes from its own allocator, uncounted: the count lives in it. */
static wasm_engine_t *allocate(const struct wasm_config_t *config) {
    struct alloc alloc;
    cn_alloc_init_default(&alloc);
    if (config->allocator.realloc) {
        alloc.realloc = config->allocator.realloc;
        alloc.env = config->allocator.env;
    }
    alloc.limit = config->memory_limit;
    wasm_engine_t *engine = alloc.realloc(alloc.env, NULL, 0, sizeof *engine);
    if (!engine)
        return NULL;
    *engine = (wasm_engine_t){.references = 1, .config = *config, .alloc = alloc};
    if (!CN_HAS_GUARD)
        engine->config.bounds_checks = CATNAP_BOUNDS_EXPLICIT;
    return engine;
}

static void deallocate(wasm_engine_t *engine) {
    engine->alloc.realloc(engine->alloc.env, engine, sizeof *engine, 0);
}

wasm_engine_t *cn_engine_new(const struct wasm_config_t *config, const uint64_t *handlers) {
    wasm_engine_t *engine = allocate(config);
    if (!engine)
        return NULL;
    if (!cn_types_init(&engine->types, &engine->alloc)) {
        deallocate(engine);
        return NULL;
    }
    engine->handlers = handlers;
    cn_spaces_init(&engine->spaces, &engine->alloc);
    return engine;
}

void cn_engine_retain(wasm_engine_t *engine) {
    atomic_fetch_add_explicit(&engine->references, 1, memory_order_relaxed);
}

void cn_engine_release(wasm_engine_t *engine) {
    if (!engine || atomic_fetch_sub_explicit(&engine->references, 1, memory_order_acq_rel) != 1)
        return;
    for (struct tracker *tracker = atomic_load(&engine->tracker), *older; tracker;
         tracker = older) {
        older = tracker->older;
        cn_tracker_close(tracker);
        cn_free(&engine->alloc, tracker, sizeof *tracker);
    }
    cn_spaces_destroy(&engine->spaces);
    cn_types_destroy(&engine->types);
    deallocate(engine);
}
