/* Checkpoints of catnap.h. */
#include "api/api.h"
#include "persist/checkpoint.h"

typedef bool (*action)(wasm_store_t *, uint32_t *level, struct error *);

static catnap_error_t *act(wasm_store_t *store, action act, uint32_t *level) {
    struct error error;
    catnap_error_t *out = NULL;
    if (!store)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    if (!cn_store_enter(store)) {
        cn_report_misuse(&out);
        return out;
    }
    cn_store_pin(store); /* a finalizer may delete it */
    if (!act(store, level, &error))
        out = cn_error_own(&error);
    cn_store_leave(store);
    cn_store_unpin(store);
    return out;
}

static bool roll_back(wasm_store_t *store, uint32_t *level, struct error *error) {
    return cn_rollback(store, *level, error);
}

static bool release(wasm_store_t *store, uint32_t *level, struct error *error) {
    return cn_release(store, *level, error);
}

catnap_error_t *catnap_store_checkpoint(wasm_store_t *store, uint32_t *out) {
    uint32_t level = 0;
    catnap_error_t *error = act(store, cn_checkpoint, &level);
    if (out)
        *out = level;
    return error;
}

catnap_error_t *catnap_store_rollback(wasm_store_t *store, uint32_t level) {
    return act(store, roll_back, &level);
}

catnap_error_t *catnap_store_release(wasm_store_t *store, uint32_t level) {
    return act(store, release, &level);
}

uint32_t catnap_store_checkpoints(const wasm_store_t *store) {
    return store ? cn_checkpoint_count(store) : 0;
}
