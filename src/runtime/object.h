/*
 * Objects of a store, and their lifetime.
 *
 * The opaque types of wasm.h are the structs of this directory themselves. A handle that the embedder owns is a
 * count on the object, so that wasm_func_copy() costs an increment; a reference in a slot of the value stack, a
 * table or a global is the object's address.
 *
 * A host object that was never imported, exported, stored or passed to WebAssembly (`escaped` is clear) is freed
 * with its last handle. All others are freed by a collection (collect.h) when neither handles nor other objects
 * lead to them. Functions and globals that an instance defines are parts of the instance and live as long.
 *
 * A deleted store runs all finalizers at once; its memory stays until the last handle on an object in it is
 * gone, so that handles may be deleted in any order. Nothing can be called in it any more.
 */
#ifndef CN_RUNTIME_OBJECT_H
#define CN_RUNTIME_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "catnap.h"

enum object_kind {
    OBJECT_FUNC,
    OBJECT_TABLE,
    OBJECT_MEMORY,
    OBJECT_GLOBAL,
    OBJECT_INSTANCE,
    OBJECT_MODULE,
    OBJECT_TRAP,
    OBJECT_FOREIGN,
    OBJECT_TAG,
    OBJECT_EXCEPTION,
    OBJECT_HEAP, /* what the host holds of an object in the heap (runtime/gc.h) */
    OBJECT_KINDS
};

/* Head of every object that has handles. */
struct wasm_ref_t {
    uint8_t kind;     /* enum object_kind */
    bool escaped;     /* WebAssembly may reach it: only a collection frees it */
    bool in_store;    /* in the store's list; else part of an instance */
    bool marked;      /* by the collector */
    uint32_t handles; /* that the embedder owns; while there is one the store is pinned */
    uint32_t level; /* checkpoints of the store that there are and that are older than the object */
    uint32_t number; /* from 1, in the snapshot that was captured last */
    struct wasm_store_t *store;
    struct wasm_ref_t *next, *previous; /* in the store's list */
    struct wasm_ref_t *gray;            /* the next one that is marked, for the collector */
    void *host_info;
    void (*host_info_finalizer)(void *);
};

struct wasm_foreign_t {
    struct wasm_ref_t ref;
};

/* A new object in the store's list, with no handles yet. */
void cn_object_init(struct wasm_ref_t *, enum object_kind, wasm_store_t *);
/* One that belongs to an instance, which frees it. */
void cn_object_init_part(struct wasm_ref_t *, enum object_kind, wasm_store_t *);
void cn_object_retain(struct wasm_ref_t *);  /* one more handle */
void cn_object_release(struct wasm_ref_t *); /* one handle less; may free it */
/* The same at an entry point, where no other work is under way: collects when that is due. */
void cn_object_drop(struct wasm_ref_t *);
void cn_object_set_host_info(struct wasm_ref_t *, void *info, void (*finalizer)(void *));
/* Runs the object's finalizers, each once. */
void cn_object_finalize(struct wasm_ref_t *);
void cn_object_unlink(struct wasm_ref_t *); /* from the store's list */
/* Of checkpoints only so many are left: the objects of the store that are newer than others are newer than these. */
void cn_objects_outlive(wasm_store_t *, uint32_t levels);
void cn_object_free(struct wasm_ref_t *); /* by its kind; finalized and unlinked before */

static inline struct wasm_ref_t *slot_object(uint64_t slot) {
    return (struct wasm_ref_t *)(uintptr_t)slot;
}
/* The slot that holds this reference, which WebAssembly may reach from now on; 0 for NULL. */
static inline uint64_t object_slot(struct wasm_ref_t *ref) {
    if (ref)
        ref->escaped = true;
    return (uint64_t)(uintptr_t)ref;
}

/* A foreign object, without a handle; NULL when memory is exhausted. */
wasm_foreign_t *cn_foreign_new(wasm_store_t *);

#endif
