/*
 * Foreign objects (externref), and traps and modules that were passed as one, may outlive their
 * handles in tables, globals and on value stacks. A mark and sweep over those finds the ones that
 * nothing refers to any more. It runs when the number of foreign objects has doubled.
 *
 * Slots of value stacks are untyped: whatever equals the address of such an object keeps it.
 */
#include "runtime/objects.h"

#define FIRST_COLLECTION 1024u

static bool is_collectable(const struct wasm_ref_t *ref) {
    return ref->handles == 0 && ref->escaped &&
           (ref->kind == OBJECT_FOREIGN || ref->kind == OBJECT_TRAP || ref->kind == OBJECT_MODULE);
}

/* ---- The set of candidates: open addressing, at most half full ---- */

struct candidates {
    struct wasm_ref_t **slots;
    size_t capacity; /* a power of two */
};

static size_t first_place(const struct candidates *set, uint64_t address) {
    return (size_t)((address >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (set->capacity - 1);
}

static void add_candidate(struct candidates *set, struct wasm_ref_t *ref) {
    size_t i = first_place(set, (uint64_t)(uintptr_t)ref);
    while (set->slots[i])
        i = (i + 1) & (set->capacity - 1);
    set->slots[i] = ref;
}

static void mark_if_candidate(struct candidates *set, uint64_t slot) {
    for (size_t i = first_place(set, slot); set->slots[i]; i = (i + 1) & (set->capacity - 1))
        if ((uint64_t)(uintptr_t)set->slots[i] == slot) {
            set->slots[i]->marked = true;
            return;
        }
}

static bool make_candidates(wasm_store_t *store, struct candidates *set) {
    size_t count = 0;
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next)
        count += is_collectable(ref);
    set->capacity = 16;
    while (set->capacity < count * 2)
        set->capacity *= 2;
    set->slots = cn_calloc(store->alloc, set->capacity, sizeof *set->slots);
    if (count == 0 || !set->slots)
        return false;
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next)
        if (is_collectable(ref))
            add_candidate(set, ref);
    return true;
}

/* ---- Roots ---- */

static void mark_slot(uint64_t slot) {
    if (slot)
        slot_object(slot)->marked = true;
}

static void mark_table(const wasm_table_t *table) {
    if (table->type.element == VT_EXTERNREF)
        for (uint64_t i = 0; i < table->size; i++)
            mark_slot(table->elements[i]);
}

static void mark_instance(const wasm_instance_t *instance) {
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_global_count; i < module->global_count; i++)
        if (module->globals[i].type.type == VT_EXTERNREF)
            mark_slot(instance->globals[i][0]);
}

static void mark_object(const struct wasm_ref_t *ref) {
    switch (ref->kind) {
    case OBJECT_TABLE:
        mark_table((const wasm_table_t *)ref);
        break;
    case OBJECT_INSTANCE:
        mark_instance((const wasm_instance_t *)ref);
        break;
    case OBJECT_GLOBAL:
        if (((const wasm_global_t *)ref)->type.type == VT_EXTERNREF)
            mark_slot(((const wasm_global_t *)ref)->cell[0]);
        break;
    default:
        break;
    }
}

static void mark_saved(void *env, const uint64_t *first, size_t count) {
    for (size_t i = 0; i < count; i++)
        mark_if_candidate(env, first[i]);
}

static void mark_roots(wasm_store_t *store, struct candidates *set) {
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next)
        mark_object(ref);
    for (struct value_stack *stack = store->machine.stacks; stack; stack = stack->next)
        for (const uint64_t *slot = stack->base; slot < stack->top; slot++)
            mark_if_candidate(set, *slot);
    if (store->checkpoints)
        store->checkpoint_hooks->mark(store->checkpoints, mark_saved, set);
}

/* ---- Sweeping ---- */

/* Takes the dead out of the list before any finalizer runs, since those may change it. */
static struct wasm_ref_t *take_dead(wasm_store_t *store) {
    struct wasm_ref_t *dead = NULL;
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects;) {
        struct wasm_ref_t *next = ref->next;
        if (is_collectable(ref) && !ref->marked) {
            cn_object_unlink(ref);
            ref->next = dead;
            dead = ref;
        }
        ref->marked = false;
        ref = next;
    }
    return dead;
}

void cn_collect(wasm_store_t *store) {
    struct candidates set;
    if (store->collecting || store->keep_objects)
        return;
    store->collecting = true;
    if (make_candidates(store, &set)) {
        mark_roots(store, &set);
        struct wasm_ref_t *next;
        for (struct wasm_ref_t *ref = take_dead(store); ref; ref = next) {
            next = ref->next;
            cn_object_finalize(ref);
            cn_object_free(ref);
        }
    }
    cn_free(store->alloc, set.slots, set.capacity * sizeof *set.slots);
    store->collecting = false;
}

wasm_foreign_t *cn_foreign_new(wasm_store_t *store) {
    if (store->foreign_count >= store->collect_at) {
        cn_collect(store);
        store->collect_at = store->foreign_count * 2;
        if (store->collect_at < FIRST_COLLECTION)
            store->collect_at = FIRST_COLLECTION;
    }
    wasm_foreign_t *foreign = cn_calloc(store->alloc, 1, sizeof *foreign);
    if (!foreign)
        return NULL;
    cn_object_init(&foreign->ref, OBJECT_FOREIGN, store);
    store->foreign_count++;
    return foreign;
}
