/*
 * Globals. The value of a global that an instance defines is a cell in the instance.
 */
#ifndef CN_RUNTIME_GLOBAL_H
#define CN_RUNTIME_GLOBAL_H

#include "base/error.h"
#include "binary/module.h"
#include "runtime/object.h"

struct wasm_global_t {
    struct wasm_ref_t ref;
    struct globaltype type;
    struct wasm_instance_t *instance; /* that defines it; NULL: the host */
    uint64_t *cell;                   /* the value: in the instance that defines it, or `own` */
    uint64_t own[2];
};

/* A global of the host, without a handle. NULL and *error when memory is exhausted. */
wasm_global_t *cn_global_new(wasm_store_t *, const struct globaltype *, const uint64_t value[2],
                             struct error *);

#endif
