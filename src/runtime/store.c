/* Stores: their life, their limits' defaults, the last error, and the calls that are inside. */
#include "runtime/store.h"

#include "base/assert.h"
#include "base/likely.h"
#include "runtime/collect.h"
#include "runtime/gc.h"
#include "runtime/trap.h"

catnap_limits_t cn_limits_default(void) {
    return (catnap_limits_t){
        .memory_bytes = UINT64_MAX,
        .heap_bytes = UINT64_MAX,
        .table_elements = UINT64_MAX,
        .instances = UINT64_MAX,
        .value_stack_bytes = UINT64_C(64) << 20,
        .call_depth = 200000,
        .host_depth = 64,
    };
}

static void free_spare(wasm_trap_t *trap) {
    if (trap)
        cn_object_free(&trap->ref);
}

static bool make_spares(wasm_store_t *store) {
    store->spare_trap = cn_trap_new_spare(store, CATNAP_TRAP_NO_MEMORY, "memory is exhausted");
    store->misuse_trap = cn_trap_new_spare(
        store, CATNAP_TRAP_HOST, "the store is in use by another thread, which is not allowed");
    return store->spare_trap && store->misuse_trap;
}

wasm_store_t *cn_store_new(wasm_engine_t *engine) {
    wasm_store_t *store = cn_calloc(&engine->alloc, 1, sizeof *store);
    if (!store)
        return NULL;
    store->engine = engine;
    store->alloc = &engine->alloc;
    store->objects.next = store->objects.previous = &store->objects;
    cn_collection_plan(store, 0);
    store->limits = cn_limits_default();
    if (!make_spares(store)) {
        free_spare(store->spare_trap);
        free_spare(store->misuse_trap);
        cn_free(&engine->alloc, store, sizeof *store);
        return NULL;
    }
    cn_engine_retain(engine);
    cn_machine_init(&store->machine, store, store->alloc);
    return store;
}

/* Finalizers may release handles, so objects stay where they are meanwhile. */
static void finalize_all(wasm_store_t *store) {
    store->keep_objects = true;
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next)
        cn_object_finalize(ref);
}

static void destroy(wasm_store_t *store) {
    wasm_engine_t *engine = store->engine;
    store->pins++;       /* whatever happens now is not another end */
    finalize_all(store); /* what was attached after the store was deleted */
    cn_machine_destroy(&store->machine);
    if (store->checkpoints)
        store->persist->drop(store);
    cn_gc_drop(store);
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects;) {
        struct wasm_ref_t *next = ref->next;
        cn_object_free(ref);
        ref = next;
    }
    free_spare(store->spare_trap);
    free_spare(store->misuse_trap);
    cn_store_part(store);
    cn_free(&engine->alloc, store, sizeof *store);
    cn_engine_release(engine);
}

void cn_store_delete(wasm_store_t *store) {
    finalize_all(store);
    store->deleted = true;
    if (store->pins == 0)
        destroy(store);
}

void cn_store_pin(wasm_store_t *store) {
    store->pins++;
}

void cn_store_unpin(wasm_store_t *store) {
    CN_ASSERT(store->pins > 0);
    if (--store->pins == 0 && store->deleted)
        destroy(store);
}

bool cn_store_enter_to_make(wasm_store_t *store) {
    if (!cn_store_enter(store))
        return false;
    if (likely(!cn_collection_is_due(store)))
        return true;
    bool was_deleted = store->deleted;
    cn_store_pin(store);
    cn_collect(store);
    bool ended = store->deleted && !was_deleted;
    if (ended)
        cn_store_leave(store);
    cn_store_unpin(store);
    return !ended;
}

bool cn_store_fail(wasm_store_t *store, const struct error *error) {
    store->last_error.error = *error;
    store->failed = true;
    return false;
}

/* ---- One thread at a time ---- */

#ifndef NDEBUG

/* Built for debugging, without optimisation or with a sanitizer, it notices all. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(SANITIZED) || defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
static bool take(wasm_store_t *store, uintptr_t self) {
    uintptr_t inside = 0;
    return atomic_compare_exchange_strong(&store->thread, &inside, self) || inside == self;
}
#else
/* Without a locked instruction, which would be a third of a call's time: two threads that come at
 * the very same moment may both pass, and then meet at their next entry. */
static bool take(wasm_store_t *store, uintptr_t self) {
    uintptr_t inside = atomic_load_explicit(&store->thread, memory_order_acquire);
    if (inside != self && inside != 0)
        return false;
    atomic_store_explicit(&store->thread, self, memory_order_relaxed);
    return true;
}
#endif

bool cn_store_enter(wasm_store_t *store) {
    /* Its address names the thread. */
    static _Thread_local char here __attribute__((tls_model("initial-exec")));
    if (unlikely(!take(store, (uintptr_t)&here))) {
        atomic_store(&store->misused, true);
        return false;
    }
    store->entered++;
    return true;
}

void cn_store_leave(wasm_store_t *store) {
    if (--store->entered == 0)
        atomic_store_explicit(&store->thread, 0, memory_order_release);
}

#endif
