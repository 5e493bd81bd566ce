/*
 * Collection of what nothing can reach (collect.c).
 *
 * Objects that only the library's own code has a pointer to are not found. So a collection happens only where
 * an entry point begins (cn_store_enter_to_make, cn_safe_point) or has failed and taken back all it made
 * (cn_collect_for), and never within cn_hold_collections() ... cn_resume_collections().
 */
#ifndef CN_RUNTIME_COLLECT_H
#define CN_RUNTIME_COLLECT_H

#include "base/likely.h"
#include "runtime/store.h"

struct state_kind;

/* Frees what nothing can reach, unless collections are held or one is under way. Calls finalizers,
 * which may do anything but end the store: the caller has pinned it. */
void cn_collect(wasm_store_t *);
static inline uint64_t cn_store_held_bytes(const wasm_store_t *store) {
    return store->memory_bytes + store->table_elements * sizeof(uint64_t) + store->block_bytes;
}
#ifdef CATNAP_ZEAL /* of builds for tests: whenever it can be */
static inline bool cn_collection_is_due(const wasm_store_t *store) {
    return store != NULL;
}
#else
static inline bool cn_collection_is_due(const wasm_store_t *store) {
    return store->object_count >= store->collect_at.objects ||
           cn_store_held_bytes(store) >= store->collect_at.bytes ||
           store->reserved_bytes >= store->collect_at.reserved;
}
#endif
bool cn_can_collect(const wasm_store_t *);
/* Sets when the next one is due; so many slots of value stacks were looked at. */
void cn_collection_plan(wasm_store_t *, uint64_t scanned);
/* Where nothing but handles and value stacks refers to objects that are in use: collects when that is
 * due. The caller has pinned the store. */
static inline void cn_safe_point(wasm_store_t *store) {
    if (unlikely(cn_collection_is_due(store)))
        cn_collect(store);
}
/* After a failure to make something, when all of it was taken back: collects, and tells whether it is to
 * be tried again, since something was freed or it can do without guard pages; not when a finalizer has
 * deleted the store. The caller has pinned it. */
bool cn_collect_for(wasm_store_t *, const struct error *);
static inline void cn_hold_collections(wasm_store_t *store) {
    store->collections_held++;
}
static inline void cn_resume_collections(wasm_store_t *store) {
    store->collections_held--;
}
/* For checkpoints: an object (or NULL), and the references among items of the holder's state, or among a
 * copy of these. */
void cn_mark_object(struct marking *, struct wasm_ref_t *);
void cn_mark_slots(struct marking *, const uint64_t *slots, uint64_t count);
void cn_mark_items(struct marking *, const struct state_kind *, const struct wasm_ref_t *holder,
                   const void *items, uint64_t count);

#endif
