/*
 * Garbage collection: frees the objects that nothing can reach (collect.c).
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

/* Frees unreachable objects, unless collections are held or one is under way. Calls finalizers, which may do anything,
 * so that the caller must have pinned the store. */
void cn_collect(wasm_store_t *);
static inline uint64_t cn_store_held_bytes(const wasm_store_t *store) {
    return store->memory_bytes + store->table_elements * sizeof(uint64_t) + store->block_bytes;
}
#ifdef CATNAP_ZEAL /* test builds collect wherever it is allowed */
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
/* Whether there may be so much to free that a collection at the demand of code is worth what it costs, once in eight
 * objects made: or there are few objects, or an instance, memory or table was let go. */
bool cn_collection_pays(const wasm_store_t *);
bool cn_can_collect(const wasm_store_t *);
/* Sets when the next collection is due; `scanned` is the number of value stack slots that this one looked at. */
void cn_collection_plan(wasm_store_t *, uint64_t scanned);
/* To be called where only handles and value stacks refer to objects in use: collects when that is due. The caller has
 * pinned the store. */
static inline void cn_safe_point(wasm_store_t *store) {
    if (unlikely(cn_collection_is_due(store)))
        cn_collect(store);
}
/* After a failed attempt to make an object, once it is undone: collects, and returns whether to try again, because
 * something was freed or guard pages can be done without. False when a finalizer has deleted the store. The caller
 * has pinned the store. */
bool cn_collect_for(wasm_store_t *, const struct error *);
static inline void cn_hold_collections(wasm_store_t *store) {
    store->collections_held++;
}
static inline void cn_resume_collections(wasm_store_t *store) {
    store->collections_held--;
}
/* Sets `marked` in the objects that would be reachable after a rollback to a checkpoint, while value stacks are empty. Until
 * cn_unmark() there is no collection. */
void cn_mark_as_of(wasm_store_t *, uint32_t level);
void cn_unmark(wasm_store_t *);
/* For checkpoints: an object (or NULL), and the references among items of the holder's state, or among a
 * copy of these; or that of a slot of the side table. */
void cn_mark_object(struct marking *, struct wasm_ref_t *);
void cn_mark_side_slot(struct marking *, uint64_t slot);
void cn_mark_items(struct marking *, const struct state_kind *, const struct wasm_ref_t *holder,
                   const void *items, uint64_t count);

#endif
