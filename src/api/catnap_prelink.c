/* Pre-linked instances of catnap.h. */
#include "api/api.h"
#include "runtime/prelink.h"
#include "persist/checkpoint.h"
#include "runtime/collect.h"

static catnap_prelinked_t *new_prelinked(wasm_store_t *store, struct shared_module *shared,
                                         struct wasm_ref_t *const *imports, size_t count,
                                         struct error *error) {
    catnap_prelinked_t *prelinked = cn_prelinked_new(store, shared, imports, count, error);
    if (!prelinked && cn_collect_for(store, error))
        prelinked = cn_prelinked_new(store, shared, imports, count, error);
    return prelinked;
}

catnap_prelinked_t *cn_prelink(wasm_store_t *store, const wasm_module_t *module,
                               struct wasm_ref_t *const *imports, size_t count,
                               struct error *error) {
    catnap_prelinked_t *prelinked = NULL;
    uint64_t id = cn_begin_work(&store->machine);
    if (module->ref.store != store)
        cn_fail(error, CATNAP_MISUSE, "the module belongs to another store");
    else if (store->deleted)
        cn_fail(error, CATNAP_MISUSE, "the store has been deleted");
    else
        prelinked = new_prelinked(store, module->shared, imports, count, error);
    cn_end_work(&store->machine, id);
    if (prelinked)
        cn_store_pin(store);
    else
        cn_store_fail(store, error);
    return prelinked;
}

catnap_prelinked_t *catnap_prelinked_new(wasm_store_t *store, const wasm_module_t *module,
                                         const wasm_extern_vec_t *imports,
                                         catnap_error_t **out_error) {
    struct error error;
    if (out_error)
        *out_error = NULL;
    if (!store || !module)
        return cn_report_null(store, out_error);
    if (!cn_store_enter(store))
        return cn_report_misuse(out_error);
    size_t count = imports && imports->data ? imports->size : 0;
    catnap_prelinked_t *prelinked = cn_prelink(
        store, module, count ? (struct wasm_ref_t *const *)imports->data : NULL, count, &error);
    cn_store_leave(store);
    return prelinked ? prelinked : cn_report(NULL, out_error, &error);
}

void catnap_prelinked_delete(catnap_prelinked_t *prelinked) {
    if (!prelinked)
        return;
    wasm_store_t *store = prelinked->store;
    cn_prelinked_close(prelinked);
    cn_store_unpin(store);
}

/* Runs the start function; the instance goes back when that traps, unless others know it. */
static wasm_instance_t *started(wasm_instance_t *instance, wasm_trap_t **trap) {
    struct error error;
    cn_object_retain(&instance->ref);
    *trap = cn_start(instance);
    if (!*trap)
        return instance;
    wasm_store_t *store = instance->ref.store;
    bool may_return = cn_slot_may_return(instance->slot, &error);
    cn_hold_collections(store); /* finalizers run while it has no handle */
    cn_object_release(&instance->ref);
    if (may_return)
        cn_slot_take_back(instance->slot, &error);
    cn_resume_collections(store);
    return NULL;
}

static wasm_instance_t *take(catnap_prelinked_t *prelinked, struct error *error,
                             wasm_trap_t **trap) {
    wasm_store_t *store = prelinked->store;
    *trap = NULL;
    if (store->deleted) {
        cn_fail(error, CATNAP_MISUSE, "the store has been deleted");
        return NULL;
    }
    /* Checkpoints know those that wait; a new one is none of theirs. */
    bool fresh = cn_checkpoint_count(store) > 0;
    wasm_instance_t *instance = cn_prelinked_take(prelinked, fresh, error, trap);
    if (!instance && !*trap && cn_collect_for(store, error))
        instance = cn_prelinked_take(prelinked, fresh, error, trap);
    return instance ? started(instance, trap) : NULL;
}

wasm_instance_t *catnap_prelinked_instantiate(catnap_prelinked_t *prelinked,
                                              catnap_error_t **out_error, wasm_trap_t **out_trap) {
    struct error error;
    wasm_trap_t *trap;
    if (out_error)
        *out_error = NULL;
    if (out_trap)
        *out_trap = NULL;
    if (!prelinked)
        return cn_report_null(NULL, out_error);
    wasm_store_t *store = prelinked->store;
    if (!cn_store_enter(store))
        return cn_report_misuse(out_error);
    cn_store_pin(store); /* the start function may delete it, or a finalizer */
    cn_safe_point(store);
    uint64_t id = cn_begin_work(&store->machine);
    wasm_instance_t *instance = take(prelinked, &error, &trap);
    cn_end_work(&store->machine, id);
    if (trap)
        cn_fail(&error, CATNAP_TRAP, "instantiation trapped: %s", trap->message);
    if (!instance)
        cn_store_fail(store, &error);
    cn_store_leave(store);
    if (!instance)
        cn_give_failure(&error, trap, out_error, out_trap);
    cn_store_unpin(store);
    return instance;
}

static bool recycle(wasm_instance_t *instance, struct error *error) {
    struct slot *slot = instance->slot;
    if (!slot)
        return cn_fail(error, CATNAP_MISUSE, "the instance was not made from a pre-linked module");
    if (cn_checkpoint_count(instance->ref.store) > 0)
        return cn_fail(error, CATNAP_MISUSE,
                       "the store has a checkpoint that may restore the instance");
    if (!cn_slot_may_return(slot, error))
        return false;
    cn_hold_collections(instance->ref.store); /* finalizers run while it has no handle */
    cn_object_release(&instance->ref);
    bool taken = cn_slot_take_back(slot, error);
    if (!taken)
        cn_object_retain(&instance->ref); /* still the caller's */
    cn_resume_collections(instance->ref.store);
    return taken;
}

catnap_error_t *catnap_instance_recycle(wasm_instance_t *instance) {
    struct error error;
    if (!instance)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    wasm_store_t *store = instance->ref.store;
    if (!cn_store_enter(store))
        return cn_error_make(CATNAP_MISUSE, "the store is in use by another thread");
    cn_store_pin(store);
    bool done = recycle(instance, &error);
    if (!done)
        cn_store_fail(store, &error);
    cn_store_leave(store);
    cn_store_unpin(store);
    return done ? NULL : cn_error_own(&error);
}
