/*
 * An engine: its configuration, its allocator and its types. Stores and modules of one engine may be used
 * by several threads.
 */
#ifndef CN_RUNTIME_ENGINE_H
#define CN_RUNTIME_ENGINE_H

#include "base/alloc.h"
#include "base/pieces.h"
#include "base/track.h"
#include "types/registry.h"
#include "catnap.h"

struct wasm_config_t {
    catnap_allocator_t allocator; /* realloc NULL: malloc and free */
    catnap_features_t features;
    catnap_bounds_checks_t bounds_checks;
    catnap_translation_t translation;
    catnap_tracking_t tracking;
    uint32_t threads;      /* that validate one module; 0 counts as 1 */
    uint64_t memory_limit; /* bytes that the allocator may give */
    bool fuel;
    bool interruptible;
    bool profile_ops;
    bool deterministic;
};

/* Alive as long as a handle, a store or a module refers to it. */
struct wasm_engine_t {
    _Atomic uint32_t references;
    struct wasm_config_t config;
    const uint64_t
        *handlers; /* of bytecode instructions, by their numbers: what code consists of */
    struct alloc alloc;
    struct type_registry types;
    struct tracker *_Atomic tracker; /* opened by the first checkpoint of a process */
    struct spaces spaces;            /* of shadows */
};

void cn_config_init(struct wasm_config_t *);
/* handlers: the executor's. NULL when memory is exhausted. */
wasm_engine_t *cn_engine_new(const struct wasm_config_t *, const uint64_t *handlers);
void cn_engine_retain(wasm_engine_t *);
void cn_engine_release(wasm_engine_t *); /* NULL allowed */

#endif
