/*
 * Functions: those of an instance, and those of the host.
 */
#ifndef CN_RUNTIME_FUNC_H
#define CN_RUNTIME_FUNC_H

#include "base/error.h"
#include "binary/module.h"
#include "runtime/object.h"

struct catnap_caller_t;
struct code;

/* A host function as the engine calls it: `slots` holds the arguments and receives the results. */
typedef struct wasm_trap_t *(*host_callback)(struct wasm_func_t *, struct catnap_caller_t *,
                                             uint64_t *slots);

struct wasm_func_t {
    struct wasm_ref_t ref;
    const struct functype *type;
    struct wasm_instance_t *instance; /* NULL: a function of the host */
    uint32_t index;                   /* in the module's index space */
    uint32_t type_id;                 /* of `type`: what call_indirect compares */
    const struct code *code; /* after its first call through a reference, an import or the host */
    /* Of the host: */
    host_callback callback;
    void *user_callback; /* the embedder's function, cast by `callback` */
    void *env;
    void (*finalizer)(void *);
};

/* A function of the host, without a handle. Takes over one reference to the type, also on failure; the finalizer is not
 * called on failure. */
wasm_func_t *cn_func_new(wasm_store_t *, const struct functype *, host_callback,
                         void *user_callback, void *env, void (*finalizer)(void *), struct error *);

struct type_registry;
/* Checks a reference that comes from outside of validated code, and may be NULL, against the reference type of its
 * place: NULL, or the fault as text ("is null", "is not a reference to a function" ...). */
const char *cn_ref_fault(const struct type_registry *, const struct wasm_ref_t *ref, valtype type);

#endif
