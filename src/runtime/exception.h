/*
 * Tags, and exceptions that were thrown: a tag is only itself, and has a type; an exception has a tag and the values
 * that it carries. Neither changes.
 */
#ifndef CN_RUNTIME_EXCEPTION_H
#define CN_RUNTIME_EXCEPTION_H

#include "base/error.h"
#include "binary/module.h"
#include "runtime/object.h"

struct catnap_tag_t {
    struct wasm_ref_t ref;
    const struct functype *type; /* held; the parameters are what an exception carries */
    bool defined;                /* by an instance; else by the host */
};

struct catnap_exception_t {
    struct wasm_ref_t ref;
    struct catnap_tag_t *tag;
    size_t bytes;     /* that it takes and counts for */
    uint64_t cells[]; /* two for each value, as globals have: runtime/state.h */
};

/* A tag of that type, without a handle. NULL and *error when memory is exhausted. */
struct catnap_tag_t *cn_tag_new(wasm_store_t *, const struct functype *, struct error *);
/* An exception that counts against the store's limits, without a handle; its values are zero. NULL and *error when
 * there is no memory or a limit does not allow it. */
struct catnap_exception_t *cn_exception_new(struct catnap_tag_t *, struct error *);
/* Between slots, as arguments lie in them, and the exception. */
void cn_exception_set(struct catnap_exception_t *, const uint64_t *slots);
void cn_exception_get(const struct catnap_exception_t *, uint64_t *slots);

#endif
