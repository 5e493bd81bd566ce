/* Configurations, engines and stores: the entry points of both headers. */
#include "api/api.h"
#include "binary/opcodes.h"
#include "exec/calls.h"

/* ---- Configurations ---- */

const char *catnap_version(void) {
    return CATNAP_VERSION;
}

const char *catnap_feature_name(catnap_features_t feature) {
    const char *name = cn_feature_name(feature), *none = cn_feature_name(0);
    return name == none ? NULL : name;
}

void catnap_config_set_allocator(wasm_config_t *config, const catnap_allocator_t *allocator) {
    if (config)
        config->allocator = allocator ? *allocator : (catnap_allocator_t){NULL, NULL};
}

#define DEFINE_SETTER(name, type)                                                                  \
    void catnap_config_set_##name(wasm_config_t *config, type value) {                             \
        if (config)                                                                                \
            config->name = value;                                                                  \
    }

DEFINE_SETTER(features, catnap_features_t)
DEFINE_SETTER(bounds_checks, catnap_bounds_checks_t)
DEFINE_SETTER(translation, catnap_translation_t)
DEFINE_SETTER(threads, uint32_t)
DEFINE_SETTER(tracking, catnap_tracking_t)
DEFINE_SETTER(memory_limit, uint64_t)
DEFINE_SETTER(fuel, bool)
DEFINE_SETTER(interruptible, bool)
DEFINE_SETTER(profile_ops, bool)
DEFINE_SETTER(deterministic, bool)

void catnap_engine_memory(const wasm_engine_t *engine, uint64_t *now, uint64_t *peak) {
    uint64_t held = 0, most = 0;
    if (engine) {
        held = atomic_load_explicit(&engine->alloc.now, memory_order_relaxed);
        most = atomic_load_explicit(&engine->alloc.peak, memory_order_relaxed);
    }
    if (now)
        *now = held;
    if (peak)
        *peak = most;
}

/* ---- Engines and stores ---- */

wasm_config_t *wasm_config_new(void) {
    wasm_config_t *config = cn_host_alloc(sizeof *config);
    if (config)
        cn_config_init(config);
    return config;
}

void wasm_config_delete(wasm_config_t *config) {
    cn_host_free(config);
}

wasm_engine_t *wasm_engine_new(void) {
    struct wasm_config_t config;
    cn_config_init(&config);
    return cn_engine_new(&config, cn_handlers());
}

wasm_engine_t *wasm_engine_new_with_config(wasm_config_t *config) {
    if (!config)
        return NULL;
    wasm_engine_t *engine = cn_engine_new(config, cn_handlers());
    wasm_config_delete(config);
    return engine;
}

void wasm_engine_delete(wasm_engine_t *engine) {
    cn_engine_release(engine);
}

wasm_store_t *wasm_store_new(wasm_engine_t *engine) {
    return engine ? cn_store_new(engine) : NULL;
}

void wasm_store_delete(wasm_store_t *store) {
    if (store)
        cn_store_delete(store);
}
