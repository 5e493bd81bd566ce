/*
 * The part of a module that stores and threads share, and the handle that a store has on it.
 */
#ifndef CN_RUNTIME_SHARED_H
#define CN_RUNTIME_SHARED_H

#include "binary/module.h"
#include "runtime/engine.h"
#include "runtime/object.h"

/* A shared module and what depends on the engine: wasm_shared_module_t. */
struct shared_module {
    _Atomic uint32_t references;
    wasm_engine_t *engine;
    struct module *module;
    /* The same functions translated for memories without guard pages; made when first needed. */
    _Atomic(_Atomic uint64_t *) explicit_code;
};

struct wasm_module_t { /* a store's handle on a shared module */
    struct wasm_ref_t ref;
    struct shared_module *shared;
};

/* Takes over the reference of the module. NULL when memory is exhausted; the module is then gone. */
struct shared_module *cn_shared_new(wasm_engine_t *, struct module *);
void cn_shared_retain(struct shared_module *);
void cn_shared_release(struct shared_module *);
/* The code table for explicit bounds checks; NULL when memory is exhausted. Any thread. */
_Atomic uint64_t *cn_shared_explicit_code(struct shared_module *);
/* A handle of a store on it. NULL when memory is exhausted. */
wasm_module_t *cn_module_object_new(wasm_store_t *, struct shared_module *);

#endif
