/* Version, and the settings of an engine. */
#include "api/api.h"

const char *catnap_version(void) {
    return CATNAP_VERSION;
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
