/*
 * Collection of what nothing can reach: mark and sweep over all objects of a store.
 *
 * Roots are the objects that the embedder has handles on, or on parts of; what value stacks hold, of
 * calls under way and of stopped runs; host functions of tables that are being called; what
 * checkpoints bring back; instances that wait in pre-linked modules. From there references lead on:
 * an instance to its imports, memories, tables, globals and passive segments, a part of an instance to
 * the instance, tables and globals to what is in them, a trap to the instances of its frames.
 *
 * Slots of value stacks are untyped: whatever equals the address of an object keeps it. All else is
 * exact. Marking allocates nothing while value stacks are empty.
 */
#include "runtime/collect.h"
#include "runtime/gc.h"
#include "runtime/instance.h"
#include "runtime/state.h"
#include "runtime/trap.h"

/* A collection is due when objects, bytes or address space have doubled since the last one, and are
 * worth it. */
#define LEAST_OBJECTS UINT64_C(1024)
#define LEAST_BYTES (UINT64_C(16) << 20)
#define LEAST_RESERVED (UINT64_C(256) << 30)
/* Slots of value stacks that cost as much to look at as an object. */
#define SLOTS_PER_OBJECT 8u

/* ---- Addresses of objects: open addressing, at most half full ---- */

struct addresses {
    struct wasm_ref_t **slots;
    size_t capacity; /* a power of two */
    uint64_t lowest, highest;
};

struct marking {
    struct wasm_ref_t *gray; /* marked, and what they lead to is not */
    struct addresses addresses;
    uint64_t scanned; /* slots of value stacks */
    uint32_t
        level; /* the state of objects that are older than this checkpoint is not looked at: it is another then */
};

static size_t first_place(const struct addresses *set, uint64_t address) {
    return (size_t)((address >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (set->capacity - 1);
}

static void add_address(struct addresses *set, struct wasm_ref_t *ref) {
    uint64_t address = (uint64_t)(uintptr_t)ref;
    size_t i = first_place(set, address);
    while (set->slots[i])
        i = (i + 1) & (set->capacity - 1);
    set->slots[i] = ref;
    set->lowest = address < set->lowest ? address : set->lowest;
    set->highest = address > set->highest ? address : set->highest;
}

static struct wasm_ref_t *find_address(const struct addresses *set, uint64_t slot) {
    if (slot < set->lowest || slot > set->highest)
        return NULL;
    size_t i = first_place(set, slot);
    while (set->slots[i] && (uint64_t)(uintptr_t)set->slots[i] != slot)
        i = (i + 1) & (set->capacity - 1);
    return set->slots[i];
}

/* The parts of an instance that are objects, or nothing for others. */
static struct wasm_ref_t *parts_of(const struct wasm_ref_t *ref) {
    return ref->kind == OBJECT_INSTANCE ? ((const wasm_instance_t *)ref)->parts : NULL;
}

/* False when memory is exhausted. */
static bool list_addresses(const wasm_store_t *store, struct addresses *set) {
    size_t count = 0;
    struct wasm_ref_t *ref, *part;
    for (ref = store->objects.next; ref != &store->objects; ref = ref->next)
        for (count++, part = parts_of(ref); part; part = part->next)
            count++;
    for (set->capacity = 16; set->capacity < count * 2;)
        set->capacity *= 2;
    set->lowest = UINT64_MAX;
    set->slots = cn_calloc(store->alloc, set->capacity, sizeof *set->slots);
    if (!set->slots)
        return false;
    for (ref = store->objects.next; ref != &store->objects; ref = ref->next)
        for (add_address(set, ref), part = parts_of(ref); part; part = part->next)
            add_address(set, part);
    return true;
}

/* ---- Marking ---- */

/* The object of the store's list that lives as long as this one; NULL: it lives with the store. */
static struct wasm_ref_t *whole_of(struct wasm_ref_t *ref) {
    if (ref->in_store)
        return ref;
    if (ref->kind == OBJECT_FUNC)
        return &((wasm_func_t *)ref)->instance->ref;
    return ref->kind == OBJECT_GLOBAL ? &((wasm_global_t *)ref)->instance->ref : NULL;
}

void cn_mark_object(struct marking *marking, struct wasm_ref_t *ref) {
    struct wasm_ref_t *whole = ref ? whole_of(ref) : NULL;
    if (!whole || whole->marked)
        return;
    whole->marked = true;
    whole->gray = marking->gray;
    marking->gray = whole;
}

/* Values of the heap are not objects of the store. */
static void mark_value(struct marking *marking, valtype type, uint64_t slot) {
    if (vt_is_ref(type) && vt_kind(type) != KIND_ANY && !heap_slot_is_converted(slot))
        cn_mark_object(marking, slot_object(slot));
}

void cn_mark_items(struct marking *marking, const struct state_kind *kind,
                   const struct wasm_ref_t *holder, const void *items, uint64_t count) {
    const uint64_t *slot = items;
    uint32_t step = kind->form == STATE_VALUES ? 2 : 1;
    if (kind->form != STATE_REFS && kind->form != STATE_VALUES)
        return;
    for (uint64_t i = 0; i < count; i++, slot += step)
        mark_value(marking, kind->type(holder, (uint32_t)i), *slot);
}

void cn_mark_side_slot(struct marking *marking, uint64_t slot) {
    mark_value(marking, VT_EXTERNREF, slot);
}

/* The references in what an object holds itself. */
static void mark_state(struct marking *marking, const struct wasm_ref_t *ref) {
    FOR_EACH_STATE_OF (kind, ref->kind) {
        struct state_items items = cn_state_items(kind, ref);
        cn_mark_items(marking, kind, ref, items.at, items.count);
    }
}

static void mark_elements(struct marking *marking, valtype type, const struct elem_items *items) {
    const uint64_t *slots;
    uint32_t count = cn_elem_items_read(items, &slots);
    for (uint32_t i = 0; i < count; i++)
        mark_value(marking, type, slots[i]);
}

static void mark_instance(struct marking *marking, const wasm_instance_t *instance) {
    const struct module *module = instance->module;
    for (uint32_t i = 0; i < module->imported_func_count; i++)
        cn_mark_object(marking, &instance->funcs[i]->ref);
    for (uint32_t i = 0; i < module->imported_global_count; i++)
        cn_mark_object(marking, &instance->global_objects[i]->ref);
    for (const struct state_kind *kind = cn_state_kinds; cn_state_is_part(kind); kind++)
        for (uint32_t i = 0; i < cn_state_end(kind, module); i++)
            cn_mark_object(marking, cn_state_part(kind, instance, i));
    for (uint32_t i = 0; i < module->elem_count; i++)
        mark_elements(marking, module->elems[i].type, instance->elem_items[i]);
}

static void mark_trap(struct marking *marking, const wasm_trap_t *trap) {
    for (size_t i = 0; i < trap->frame_count; i++)
        if (trap->frames[i].instance)
            cn_mark_object(marking, &trap->frames[i].instance->ref);
    if (trap->exception)
        cn_mark_object(marking, &trap->exception->ref);
}

/* Marks what the object refers to. */
static void mark_from(struct marking *marking, const struct wasm_ref_t *ref) {
    if (ref->kind == OBJECT_INSTANCE)
        mark_instance(marking, (const wasm_instance_t *)ref);
    if (ref->kind == OBJECT_TRAP)
        mark_trap(marking, (const wasm_trap_t *)ref);
    if (ref->kind == OBJECT_EXCEPTION)
        cn_mark_object(marking, &((const struct catnap_exception_t *)ref)->tag->ref);
    if (ref->level >= marking->level)
        mark_state(marking, ref);
}

/* ---- Roots ---- */

static bool has_handles(const struct wasm_ref_t *ref) {
    bool has = ref->handles > 0;
    for (const struct wasm_ref_t *part = parts_of(ref); part && !has; part = part->next)
        has = part->handles > 0;
    return has;
}

static bool is_waiting(const struct wasm_ref_t *ref) {
    if (ref->kind != OBJECT_INSTANCE)
        return false;
    const struct slot *slot = ((const wasm_instance_t *)ref)->slot;
    return slot && cn_slot_is_waiting(slot);
}

static void mark_stacks(struct marking *marking, const struct machine *machine) {
    for (const struct value_stack *stack = machine->stacks; stack; stack = stack->next) {
        for (const uint64_t *slot = stack->base; slot < stack->top; slot++)
            cn_mark_object(marking, find_address(&marking->addresses, *slot));
        marking->scanned += (uint64_t)(stack->top - stack->base);
    }
}

static bool stacks_are_empty(const struct machine *machine) {
    for (const struct value_stack *stack = machine->stacks; stack; stack = stack->next)
        if (stack->top > stack->base)
            return false;
    return true;
}

/* References that objects of the heap hold. */
static void mark_side_table(struct marking *marking, const struct heap *heap) {
    for (uint32_t i = 1; heap && i < heap->side.end; i++)
        if (cn_numbering_has(&heap->side, i))
            cn_mark_side_slot(marking, heap->side.keys[i]);
}

static void mark_handles(const wasm_store_t *store, struct marking *marking) {
    /* An object that has not `escaped` may be about to get its first handle. */
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next)
        if (!ref->escaped || has_handles(ref) || is_waiting(ref))
            cn_mark_object(marking, ref);
    for (const struct called *called = store->machine.called; called; called = called->outer)
        cn_mark_object(marking, &called->func->ref);
}

static void mark_further(struct marking *marking) {
    while (marking->gray) {
        const struct wasm_ref_t *ref = marking->gray;
        marking->gray = ref->gray;
        mark_from(marking, ref);
    }
}

/* False when memory is exhausted; nothing is marked then. */
static bool mark_all(wasm_store_t *store, struct marking *marking) {
    const struct machine *machine = &store->machine;
    if (!stacks_are_empty(machine) && !list_addresses(store, &marking->addresses))
        return false;
    mark_handles(store, marking);
    if (marking->addresses.slots)
        mark_stacks(marking, machine);
    if (store->checkpoints)
        store->persist->mark(store->checkpoints, store->levels, marking);
    mark_side_table(marking, machine->heap);
    mark_further(marking);
    return true;
}

void cn_mark_as_of(wasm_store_t *store, uint32_t level) {
    struct marking marking = {.level = level};
    CN_ASSERT(stacks_are_empty(&store->machine) && store->checkpoints);
    mark_handles(store, &marking);
    store->persist->mark(store->checkpoints, level, &marking);
    mark_further(&marking);
}

void cn_unmark(wasm_store_t *store) {
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next)
        ref->marked = false;
}

/* ---- Sweeping ---- */

/* Takes the dead out of the list before any finalizer runs, since those may change it. */
static struct wasm_ref_t *take_dead(wasm_store_t *store) {
    struct wasm_ref_t *dead = NULL;
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects;) {
        struct wasm_ref_t *next = ref->next;
        if (!ref->marked) {
            cn_object_unlink(ref);
            ref->next = dead;
            dead = ref;
        }
        ref->marked = false;
        ref = next;
    }
    return dead;
}

/* All are there while finalizers run. */
static void free_dead(struct wasm_ref_t *dead) {
    for (struct wasm_ref_t *ref = dead; ref; ref = ref->next)
        cn_object_finalize(ref);
    while (dead) {
        struct wasm_ref_t *next = dead->next;
        cn_object_free(dead);
        dead = next;
    }
}

/* ---- When ---- */

static uint64_t twice(uint64_t now, uint64_t least) {
    return now > least / 2 ? now * 2 : least;
}

void cn_collection_plan(wasm_store_t *store, uint64_t scanned) {
    store->collect_at.objects =
        twice(store->object_count, LEAST_OBJECTS) + scanned / SLOTS_PER_OBJECT;
    store->collect_at.bytes = twice(cn_store_held_bytes(store), LEAST_BYTES);
    store->collect_at.reserved = twice(store->reserved_bytes, LEAST_RESERVED);
}

/* Objects that code makes in a loop would else cost a look at all others each time. */
bool cn_collection_pays(const wasm_store_t *store) {
    uint64_t slots = 0;
    for (const struct value_stack *stack = store->machine.stacks; stack; stack = stack->next)
        slots += (uint64_t)(stack->top - stack->base);
    uint64_t cost = store->object_count + slots / SLOTS_PER_OBJECT;
    bool cheap = cost <= LEAST_OBJECTS;
#ifdef CATNAP_ZEAL
    cheap = true;
#endif
    return store->may_have_garbage && (cheap || store->whole_let_go || store->changes >= cost / 8);
}

bool cn_can_collect(const wasm_store_t *store) {
    return !store->collecting && !store->keep_objects && store->collections_held == 0;
}

void cn_collect(wasm_store_t *store) {
    struct marking marking = {0};
    if (!cn_can_collect(store))
        return;
    store->collecting = true;
    if (mark_all(store, &marking)) {
        struct wasm_ref_t *dead = take_dead(store);
        cn_free(store->alloc, marking.addresses.slots,
                marking.addresses.capacity * sizeof *marking.addresses.slots);
        store->may_have_garbage = false;
        store->whole_let_go = false;
        store->changes = 0;
        free_dead(dead);
        cn_collection_plan(store, marking.scanned);
    }
    store->collecting = false;
}

bool cn_collect_for(wasm_store_t *store, const struct error *error) {
    bool short_of = error->status == CATNAP_LIMIT || error->status == CATNAP_NO_MEMORY;
    uint64_t before = store->object_count;
    if (!short_of || !cn_can_collect(store))
        return false;
    cn_collect(store);
    return !store->deleted && (store->object_count < before || store->short_of_space);
}

wasm_foreign_t *cn_foreign_new(wasm_store_t *store) {
    wasm_foreign_t *foreign = cn_calloc(store->alloc, 1, sizeof *foreign);
    if (foreign)
        cn_object_init(&foreign->ref, OBJECT_FOREIGN, store);
    return foreign;
}
