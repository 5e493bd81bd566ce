/*
 * The state that persist/ keeps beside a memory: its shadow, while there are checkpoints, and the snapshot that takes its address
 * space back at its end.
 */
#ifndef CN_PERSIST_BACKING_H
#define CN_PERSIST_BACKING_H

#include "runtime/memory.h"
#include "runtime/store.h"

struct memory_backing {
    struct shadow *shadow; /* of checkpoints (shadow.h), or NULL */
    struct catnap_snapshot_t
        *source;            /* that the memory is an unchanged part of (spares.c), or NULL */
    uint32_t source_object; /* the memory's number in it */
};

/* The memory's backing, made when it has none; NULL when memory is exhausted. */
struct memory_backing *cn_backing_of(wasm_memory_t *);

static inline struct shadow *cn_shadow_of(const wasm_memory_t *memory) {
    return memory->backing ? memory->backing->shadow : NULL;
}
/* Gives the memory a shadow if it has none. False and *error: memory is exhausted. */
bool cn_backing_make_shadow(wasm_memory_t *, const struct tracker *, struct error *);
/* Its end; the memory has one. */
void cn_backing_drop_shadow(wasm_memory_t *);

/* checkpoint.c: what a store with checkpoints or backings has. */
extern const struct persist_hooks cn_persist_hooks;
/* backing.c: persist_hooks.forget and persist_hooks.release */
void cn_backing_forget(wasm_memory_t *);
bool cn_backing_release(wasm_memory_t *);

#endif
