/* Configurations, engines and stores of wasm.h. */
#include "api/api.h"

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
    return cn_engine_new(&config);
}

wasm_engine_t *wasm_engine_new_with_config(wasm_config_t *config) {
    if (!config)
        return NULL;
    wasm_engine_t *engine = cn_engine_new(config);
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
