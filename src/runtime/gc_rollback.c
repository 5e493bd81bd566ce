/*
 * A rollback treats references into the heap that live outside of what it brings back by their holder:
 *
 *     value stacks                    while one is in use there is no rollback: its slots are untyped
 *     references that the host holds  those that are newer than the checkpoint are null from then on
 *     newer objects                   instances, globals, tables and exceptions that were made since. Where one that lives
 *                                     on refers to an object there is no rollback. Those that will be garbage are cut off
 *
 * All older objects either belong to the state, or cannot change.
 */
#include <inttypes.h>

#include "runtime/collect.h"
#include "runtime/gc.h"
#include "runtime/state.h"
#include "runtime/store.h"

#define FOR_EACH_NEWER(ref, store, number)                                                         \
    for (struct wasm_ref_t *ref = (store)->objects.next;                                           \
         ref != &(store)->objects && ref->level >= (number); ref = ref->next)

static bool may_refer(valtype type) {
    return vt_kind(type) == KIND_ANY || vt_kind(type) == KIND_EXTERN;
}

/* Whether a slot refers to an object, so not to null, a number of 31 bits or a reference of the host's. */
static bool refers_to_object(valtype type, uint64_t slot) {
    switch (vt_kind(type)) {
    case KIND_ANY:
        return heap_is_object((uint32_t)slot);
    case KIND_EXTERN:
        return heap_slot_is_converted(slot) && heap_is_object(heap_converted(slot));
    default:
        return false;
    }
}

/* Of one kind of items; `cut`: they are made null. Returns whether one refers to an object. */
static bool visit_items(const struct state_kind *kind, const struct wasm_ref_t *ref, bool cut) {
    struct state_items items = cn_state_items(kind, ref);
    uint64_t *slot = items.at;
    uint32_t step = kind->form == STATE_VALUES ? 2 : 1;
    bool found = false;
    if (kind->form != STATE_REFS && kind->form != STATE_VALUES)
        return false;
    if (kind->form == STATE_REFS && !may_refer(kind->type(ref, 0)))
        return false;
    for (uint64_t i = 0; i < items.count; i++, slot += step) {
        if (!refers_to_object(kind->type(ref, (uint32_t)i), *slot))
            continue;
        found = true;
        if (cut)
            *slot = 0;
    }
    return found;
}

static bool segments_refer(const wasm_instance_t *instance) {
    for (uint32_t i = 0; i < instance->module->elem_count; i++) {
        const uint64_t *slots;
        uint32_t count = cn_elem_items_read(instance->elem_items[i], &slots);
        for (uint32_t k = 0; k < count; k++)
            if (refers_to_object(instance->module->elems[i].type, slots[k]))
                return true;
    }
    return false;
}

bool cn_gc_refers(const struct wasm_ref_t *ref) {
    bool found = ref->kind == OBJECT_INSTANCE && segments_refer((const wasm_instance_t *)ref);
    FOR_EACH_STATE_OF (kind, ref->kind)
        found |= visit_items(kind, ref, false);
    return found;
}

static void cut(struct wasm_ref_t *ref) {
    FOR_EACH_STATE_OF (kind, ref->kind)
        visit_items(kind, ref, true);
    if (ref->kind == OBJECT_INSTANCE && segments_refer((const wasm_instance_t *)ref))
        cn_elem_forget((const wasm_instance_t *)ref);
    if (ref->kind == OBJECT_HEAP && heap_is_object(((struct heap_ref *)ref)->handle))
        ((struct heap_ref *)ref)->handle = 0;
}

static bool is_in_use(const wasm_store_t *store) {
    for (const struct value_stack *stack = store->machine.stacks; stack; stack = stack->next)
        if (stack->top > stack->base)
            return true;
    return store->temporaries != NULL;
}

static bool newer_refer(wasm_store_t *store, uint32_t level) {
    FOR_EACH_NEWER(ref, store, level)
    if (cn_gc_refers(ref))
        return true;
    return false;
}

/* Whether one that refers to an object would be reachable afterwards. */
static bool living_refer(wasm_store_t *store, uint32_t level) {
    bool found = false;
    cn_mark_as_of(store, level);
    FOR_EACH_NEWER(ref, store, level)
    found |= ref->marked && cn_gc_refers(ref);
    cn_unmark(store);
    return found;
}

bool cn_gc_may_roll_back(wasm_store_t *store, uint32_t level, struct error *error) {
    const struct heap *heap = store->machine.heap;
    if (!heap || heap->now.blocks == 0)
        return true;
    if (is_in_use(store))
        return cn_fail(error, CATNAP_MISUSE,
                       "a call is under way or a run is stopped, which may use garbage-collected "
                       "objects that checkpoint %" PRIu32 " does not have",
                       level);
    if (newer_refer(store, level) && living_refer(store, level))
        return cn_fail(
            error, CATNAP_MISUSE,
            "an instance, global, table or exception that is newer than checkpoint %" PRIu32
            " refers to a garbage-collected object",
            level);
    return true;
}

void cn_gc_roll_back(wasm_store_t *store, uint32_t level) {
    if (store->machine.heap)
        FOR_EACH_NEWER(ref, store, level)
    cut(ref);
    cn_objects_outlive(store, level);
}
