/*
 * Pre-linked modules and their slots, see prelink.h.
 *
 * A slot goes round this circle; the state that an instance has at first is where it comes back to:
 *
 *     cn_prelinked_new() ------------------+       cn_prelinked_take(fresh)
 *          makes the first, ahead          |             |
 *                                          v             v
 *                      wake()         +---------+   +---------+
 *     cn_prelinked_take() <-----------| waiting |   |   new   |
 *          |                          +---------+   +---------+
 *          v                               ^             |
 *     +---------+   cn_slot_take_back()    |             |
 *     |   out   |--------------------------+             |
 *     +---------+ <--------------------------------------+
 *
 * The way to bring the state back depends on its form (state.h):
 *
 *     pages                 the image of the memory, mapped copy-on-write (image.h)
 *     references, values,   copies in the slot (`initial`), one kind after the other
 *     flags
 *     nothing               none
 *
 * A slot that waits is empty: its memories and tables have size 0 and count against no limit, while their
 * address space and the mapped images stay. Waking gives it room again, which may be refused.
 */
#include "runtime/prelink.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/platform.h"
#include "base/track.h"
#include "runtime/gc.h"
#include "runtime/state.h"
#include "runtime/store.h"
#include "runtime/trap.h"

/* The memories that the module defines. */
static uint32_t own_memories(const struct module *module) {
    return module->memory_count - module->imported_memory_count;
}

static struct image *image_of(const struct catnap_prelinked_t *prelinked, uint32_t memory) {
    return &prelinked->images[memory - prelinked->shared->module->imported_memory_count];
}

/* The memory, when the part is one. */
static wasm_memory_t *memory_of(const struct slot_part *part) {
    if (part->kind->form != STATE_PAGES)
        return NULL;
    CN_ASSERT(part->ref->kind == OBJECT_MEMORY);
    return (wasm_memory_t *)part->ref;
}

#define FOR_EACH_PART(part, slot)                                                                  \
    for (const struct slot_part *part = (slot)->parts; part < (slot)->parts + (slot)->part_count;  \
         part++)

/* ---- Saving and restoring what is not in pages ---- */

/* Bytes that are saved by copying: the items in the instance's block, then those of parts, which have the
 * size that they have at first. */
static size_t initial_bytes(const wasm_instance_t *instance) {
    size_t bytes = 0;
    FOR_EACH_STATE_OF (kind, OBJECT_INSTANCE)
        bytes += cn_state_items(kind, &instance->ref).bytes;
    for (struct state_walk walk = {0}; cn_state_next(instance, &walk);)
        if (walk.kind->form != STATE_PAGES)
            bytes += cn_state_items(walk.kind, walk.ref).bytes;
    return bytes;
}

/* Copies items to the slot or from it; returns the place in the slot behind them. */
static inline uint8_t *copy_items(const struct state_items *items, bool save, uint8_t *at) {
    memcpy(save ? (void *)at : items->at, save ? items->at : (void *)at, items->bytes);
    return at + items->bytes;
}

/* Copies in the order of initial_bytes(). */
static void copy_initial(struct slot *slot, bool save) {
    const wasm_instance_t *instance = slot->instance;
    uint8_t *at = slot->initial;
    FOR_EACH_STATE_OF (kind, OBJECT_INSTANCE) {
        struct state_items items = cn_state_items(kind, &instance->ref);
        at = copy_items(&items, save, at);
    }
    FOR_EACH_PART (part, slot) {
        if (part->kind->form == STATE_PAGES)
            continue;
        struct state_items items = cn_state_items(part->kind, part->ref);
        CN_ASSERT(items.count == part->first);
        at = copy_items(&items, save, at);
    }
    CN_ASSERT(at == (uint8_t *)slot + slot->allocation);
}

static uint32_t count_parts(const wasm_instance_t *instance) {
    uint32_t count = 0;
    for (struct state_walk walk = {0}; cn_state_next(instance, &walk);)
        count += walk.kind->form != STATE_NOTHING;
    return count;
}

static void list_parts(struct slot *slot) {
    for (struct state_walk walk = {0}; cn_state_next(slot->instance, &walk);)
        if (walk.kind->form != STATE_NOTHING)
            slot->parts[slot->part_count++] = (struct slot_part){
                walk.kind, walk.ref, walk.kind->first(slot->instance->module, walk.index),
                walk.index};
}

/* A slot for an instance that was made just now. NULL when memory is exhausted. */
static struct slot *new_slot(struct catnap_prelinked_t *prelinked, wasm_instance_t *instance) {
    struct alloc *alloc = instance->ref.store->alloc;
    uint32_t parts = count_parts(instance);
    size_t head = sizeof(struct slot) + parts * sizeof(struct slot_part);
    size_t size = head + initial_bytes(instance);
    struct slot *slot = cn_alloc(alloc, size);
    if (!slot)
        return NULL;
    *slot = (struct slot){.prelinked = prelinked,
                          .instance = instance,
                          .allocation = size,
                          .initial = (uint8_t *)slot + head};
    list_parts(slot);
    CN_ASSERT(slot->part_count == parts);
    instance->slot = slot;
    prelinked->references++;
    return slot;
}

/* ---- The end ---- */

static void drop_reference(struct catnap_prelinked_t *prelinked) {
    struct alloc *alloc = prelinked->store->alloc;
    if (--prelinked->references > 0)
        return;
    uint32_t count = own_memories(prelinked->shared->module);
    for (uint32_t i = 0; i < count; i++)
        cn_image_free(alloc, &prelinked->images[i]);
    cn_free(alloc, prelinked->images, count * sizeof *prelinked->images);
    cn_os_pages_close(&prelinked->pages);
    cn_shared_release(prelinked->shared);
    cn_free(alloc, prelinked, sizeof *prelinked);
}

bool cn_slot_is_waiting(const struct slot *slot) {
    return slot->waits && slot->prelinked->imports;
}

void cn_slot_free(struct slot *slot) {
    struct catnap_prelinked_t *prelinked = slot->prelinked;
    cn_free(prelinked->store->alloc, slot, slot->allocation);
    drop_reference(prelinked);
}

/* Gives the pages of an instance that waits, and is not needed any more, back to the system. */
static void discard_pages(const struct slot *slot) {
    FOR_EACH_PART (part, slot)
        if (memory_of(part))
            cn_os_discard(memory_of(part)->base, (size_t)part->first);
}

void cn_prelinked_close(struct catnap_prelinked_t *prelinked) {
    struct wasm_ref_t **imports = prelinked->imports;
    uint32_t count = prelinked->shared->module->import_count;
    prelinked->imports = NULL;
    for (struct slot *slot = prelinked->waiting; slot; slot = slot->next)
        discard_pages(slot);
    prelinked->waiting = NULL;
    for (uint32_t i = 0; i < count; i++)
        cn_object_release(imports[i]);
    cn_free(prelinked->store->alloc, imports, count * sizeof *imports);
    drop_reference(prelinked);
}

/* ---- Making ---- */

/* Whether active segments write to memories and tables of the instance alone. */
static bool segments_are_own(const struct module *module) {
    for (uint32_t i = 0; i < module->elem_count; i++)
        if (module->elems[i].mode == SEGMENT_ACTIVE &&
            module->elems[i].table < module->imported_table_count)
            return false;
    for (uint32_t i = 0; i < module->data_count; i++)
        if (module->datas[i].mode == SEGMENT_ACTIVE &&
            module->datas[i].memory < module->imported_memory_count)
            return false;
    return true;
}

/* Whether its code can put references to itself where other instances can find them. */
static bool shares_references(const struct module *module) {
    for (uint32_t i = 0; i < module->imported_global_count; i++)
        if (vt_is_ref(module->globals[i].type.type) && module->globals[i].type.is_mutable)
            return true;
    return module->imported_table_count > 0;
}

/* The initial size of the parts of an instance of the module. */
static struct prelinked_need need_of(const struct module *module) {
    struct prelinked_need need = {0};
    for (const struct state_kind *kind = cn_state_kinds; cn_state_is_part(kind); kind++) {
        uint64_t *sum = kind->form == STATE_PAGES ? &need.memory_bytes : &need.table_elements;
        for (uint32_t i = cn_state_first(kind, module); i < cn_state_end(kind, module); i++)
            *sum += kind->first(module, i);
    }
    return need;
}

static struct catnap_prelinked_t *allocate(wasm_store_t *store, struct shared_module *shared,
                                           struct wasm_ref_t *const *imports) {
    const struct module *module = shared->module;
    struct catnap_prelinked_t *prelinked = cn_calloc(store->alloc, 1, sizeof *prelinked);
    struct image *images = cn_calloc(store->alloc, own_memories(module), sizeof *images);
    struct wasm_ref_t **copy = cn_alloc(store->alloc, module->import_count * sizeof *copy);
    if (!prelinked || !images || !copy) {
        cn_free(store->alloc, prelinked, sizeof *prelinked);
        cn_free(store->alloc, images, own_memories(module) * sizeof *images);
        cn_free(store->alloc, copy, module->import_count * sizeof *copy);
        return NULL;
    }
    *prelinked = (struct catnap_prelinked_t){.references = 1,
                                             .store = store,
                                             .shared = shared,
                                             .imports = copy,
                                             .images = images,
                                             .need = need_of(module),
                                             .by_segments = !segments_are_own(module),
                                             .one_way = shares_references(module)};
    cn_shared_retain(shared);
    for (uint32_t i = 0; i < own_memories(module); i++)
        images[i].file = -1;
    for (uint32_t i = 0; i < module->import_count; i++) {
        copy[i] = imports[i];
        cn_object_retain(copy[i]);
    }
    cn_os_pages_open(&prelinked->pages);
    return prelinked;
}

/* Makes the images of the first instance's memories. When one memory cannot have an image, none gets one,
 * and each instance runs its segments. False when memory is exhausted. */
static bool make_images(const struct slot *slot, struct error *error) {
    struct catnap_prelinked_t *prelinked = slot->prelinked;
    const struct module *module = slot->instance->module;
    FOR_EACH_PART (part, slot) {
        if (!memory_of(part) || prelinked->by_segments)
            continue;
        enum image_result result =
            cn_image_new(image_of(prelinked, part->index), slot->instance, part->index);
        if (result == IMAGE_NO_MEMORY)
            return cn_fail_memory(error);
        prelinked->by_segments = result == IMAGE_UNFIT;
    }
    for (uint32_t i = 0; i < own_memories(module) && prelinked->by_segments; i++)
        cn_image_free(prelinked->store->alloc, &prelinked->images[i]);
    return true;
}

static bool lay_images(const struct slot *slot, struct error *error) {
    FOR_EACH_PART (part, slot)
        if (memory_of(part) &&
            !cn_image_lay(image_of(slot->prelinked, part->index), memory_of(part)))
            return cn_fail(error, CATNAP_NO_MEMORY, "cannot map a memory");
    return true;
}

/* Runs the segments, where there are images without those of memories, which the images contain. */
static bool run_segments(const struct catnap_prelinked_t *prelinked, wasm_instance_t *instance,
                         wasm_trap_t **trap) {
    if (prelinked->by_segments)
        return cn_instance_init_segments(instance, trap);
    const struct module *module = instance->module;
    for (uint32_t i = 0; i < module->data_count; i++)
        instance->dropped_datas[i] = module->datas[i].mode == SEGMENT_ACTIVE;
    return cn_instance_init_elems(instance, trap);
}

/* Makes an instance with its slot, before the segments are run; the first one makes the images. */
static struct slot *make_blank(struct catnap_prelinked_t *prelinked, bool first,
                               struct error *error) {
    wasm_instance_t *instance =
        cn_instance_make(prelinked->store, prelinked->shared, prelinked->imports, error);
    if (!instance)
        return NULL;
    struct slot *slot = new_slot(prelinked, instance);
    if (!slot)
        cn_fail_memory(error);
    if (slot && (!first || make_images(slot, error)) && lay_images(slot, error))
        return slot;
    cn_instance_undo(instance);
    return NULL;
}

/* Only the instance's own state keeps objects of the heap, and not its copy in the slot. */
static bool may_wait(const struct slot *slot, struct error *error) {
    if (!slot->prelinked->store->machine.heap)
        return true;
    bool refers = cn_gc_refers(&slot->instance->ref);
    FOR_EACH_PART (part, slot)
        refers |= cn_gc_refers(part->ref);
    return !refers || cn_fail(error, CATNAP_UNSUPPORTED,
                              "an instance that begins with garbage-collected objects cannot be "
                              "pre-linked");
}

/* Makes a slot whose instance is ready to be given out. When a segment traps, or objects are refused, the
 * instance stays in the store like any instance whose instantiation trapped. */
static struct slot *make_slot(struct catnap_prelinked_t *prelinked, bool first, struct error *error,
                              wasm_trap_t **trap) {
    struct slot *slot = make_blank(prelinked, first, error);
    if (!slot)
        return NULL;
    if (prelinked->by_segments)
        copy_initial(slot, true);
    if (!run_segments(prelinked, slot->instance, trap))
        return NULL;
    if (!prelinked->by_segments)
        copy_initial(slot, true);
    return may_wait(slot, error) ? slot : NULL;
}

/* Makes the first instance ahead of time, which shows that the others can be made, and lets it wait. */
static bool make_first(struct catnap_prelinked_t *prelinked, struct error *error) {
    wasm_trap_t *trap = NULL;
    struct slot *slot = make_slot(prelinked, true, error, &trap);
    if (trap) {
        cn_fail(error, trap->code == CATNAP_TRAP_NO_MEMORY ? CATNAP_NO_MEMORY : CATNAP_TRAP,
                "instantiation trapped: %s", trap->message);
        cn_object_release(&trap->ref);
    }
    return slot && cn_slot_take_back(slot, error);
}

/* A waiting instance is reset with its memories, which others may not see meanwhile, and without the heap. */
static bool has_plain_memories(const struct module *module, struct error *error) {
    if (module->object_types > 0)
        return cn_fail(error, CATNAP_UNSUPPORTED,
                       "a module with structures or arrays cannot be pre-linked");
    for (uint32_t i = module->imported_memory_count; i < module->memory_count; i++)
        if (module->memories[i].is_shared)
            return cn_fail(error, CATNAP_UNSUPPORTED,
                           "a module that defines a shared memory cannot be pre-linked");
    return true;
}

struct catnap_prelinked_t *cn_prelinked_new(wasm_store_t *store, struct shared_module *shared,
                                            struct wasm_ref_t *const *imports, size_t count,
                                            struct error *error) {
    if (!cn_link_check(store, shared->module, imports, count, error) ||
        !has_plain_memories(shared->module, error))
        return NULL;
    struct catnap_prelinked_t *prelinked = allocate(store, shared, imports);
    if (!prelinked) {
        cn_fail_memory(error);
        return NULL;
    }
    if (prelinked->by_segments || make_first(prelinked, error))
        return prelinked;
    cn_prelinked_close(prelinked);
    return NULL;
}

/* ---- Giving out ---- */

/* Whether the store's limits allow that much more. */
static bool check_room(const wasm_store_t *store, const struct prelinked_need *need,
                       struct error *error) {
    uint64_t bytes = need->memory_bytes + need->table_elements * sizeof(uint64_t);
    if (bytes > cn_store_room(store))
        return cn_store_refuse_bytes(store, bytes, error);
    if (store->table_elements + need->table_elements > store->limits.table_elements)
        return cn_store_refuse_elements(store, need->table_elements, error);
    return cn_instance_check_room(store, error);
}

/* Takes it from the budget of a pool, if there is one, and counts it. */
static bool take_room(wasm_store_t *store, const struct prelinked_need *need, struct error *error) {
    if (cn_store_take_memory(store, need->memory_bytes)) {
        if (cn_store_take_elements(store, need->table_elements))
            return true;
        cn_store_give_memory(store, need->memory_bytes);
    }
    return cn_fail(error, CATNAP_LIMIT, "the instance exceeds the pool's limit");
}

/* Memories have their first contents again, up to their first size. */
static bool reset_memories(const struct slot *slot, struct error *error) {
    const struct catnap_prelinked_t *prelinked = slot->prelinked;
    FOR_EACH_PART (part, slot)
        if (memory_of(part) && !cn_image_reset(image_of(prelinked, part->index), memory_of(part),
                                               part->first, &prelinked->pages))
            return cn_fail(error, CATNAP_IO, "cannot reset a memory");
    return true;
}

/* The size becomes 0, since references that are left may still reach the memory; what it has grown by goes
 * back to the system. */
static bool shrink_memory(wasm_memory_t *memory, uint64_t first, struct error *error) {
    if (memory->backing)
        memory->ref.store->persist->forget(memory);
    if (memory->size > first &&
        !cn_os_decommit(memory->base + first, (size_t)(memory->size - first)))
        return cn_fail(error, CATNAP_IO, "cannot shrink a memory");
    cn_store_give_memory(memory->ref.store, memory->size);
    memory->size = memory->extent = 0;
    return true;
}

/* Leaves room for the first size: a rollback to a checkpoint at which the table was empty may have taken that. */
static bool shrink_table(wasm_table_t *table, uint64_t first, struct error *error) {
    size_t item = sizeof *table->elements;
    cn_store_give_elements(table->ref.store, table->size);
    table->size = 0;
    if (table->capacity == first)
        return true;
    uint64_t *elements = cn_realloc(table->ref.store->alloc, table->elements,
                                    (size_t)table->capacity * item, (size_t)first * item);
    if (!elements) /* a larger array does as well */
        return table->capacity > first || cn_fail_memory(error);
    table->elements = elements;
    table->capacity = first;
    return true;
}

/* Empties the parts. */
static bool shrink(const struct slot *slot, struct error *error) {
    FOR_EACH_PART (part, slot) {
        wasm_memory_t *memory = memory_of(part);
        bool ok = memory ? shrink_memory(memory, part->first, error)
                         : shrink_table((wasm_table_t *)part->ref, part->first, error);
        if (!ok)
            return false;
    }
    return true;
}

/* Parts have their first size; the room was taken. */
static void set_first_sizes(const struct slot *slot) {
    FOR_EACH_PART (part, slot) {
        if (memory_of(part))
            cn_memory_set_first(memory_of(part));
        else
            ((wasm_table_t *)part->ref)->size = part->first;
    }
}

/* Makes an instance that waits ready to be given out. It is emptied once more before: references that were
 * left may have been used to grow its parts while it waited. */
static bool wake(struct slot *slot, struct error *error) {
    wasm_store_t *store = slot->prelinked->store;
    const struct prelinked_need *need = &slot->prelinked->need;
    CN_ASSERT(slot->waits && !slot->instance->counted);
    if (!shrink(slot, error) || !check_room(store, need, error) || !reset_memories(slot, error) ||
        !take_room(store, need, error))
        return false;
    set_first_sizes(slot);
    copy_initial(slot, false);
    store->instance_count++;
    slot->instance->counted = true;
    slot->waits = false;
    return true;
}

wasm_instance_t *cn_prelinked_take(struct catnap_prelinked_t *prelinked, bool fresh,
                                   struct error *error, wasm_trap_t **trap) {
    struct slot *slot = prelinked->waiting;
    *trap = NULL;
    if (fresh || !slot) {
        slot = make_slot(prelinked, false, error, trap);
        return slot ? slot->instance : NULL;
    }
    if (!wake(slot, error))
        return NULL;
    prelinked->waiting = slot->next;
    if (prelinked->by_segments && !cn_instance_init_segments(slot->instance, trap))
        return NULL;
    return slot->instance;
}

/* ---- Taking back ---- */

/* Whether the instance has a frame on a value stack. Slots are untyped, so that a number of the guest that
 * equals the instance's address counts as a frame too. */
static bool is_on_a_stack(const wasm_instance_t *instance) {
    const struct machine *machine = instance->machine;
    for (const struct value_stack *stack = machine->stacks; stack; stack = stack->next)
        for (const uint64_t *slot = stack->base; slot < stack->top; slot++)
            if (*slot == (uint64_t)(uintptr_t)instance)
                return true;
    return false;
}

static bool parts_have_handles(const struct slot *slot) {
    for (const struct wasm_ref_t *ref = slot->instance->parts; ref; ref = ref->next)
        if (ref->handles > 0)
            return true;
    FOR_EACH_PART (part, slot)
        if (part->ref->handles > 0)
            return true;
    return false;
}

static bool is_unused(const struct slot *slot, uint32_t handles, struct error *error) {
    const wasm_instance_t *instance = slot->instance;
    if (instance->ref.handles > handles || parts_have_handles(slot))
        return cn_fail(error, CATNAP_MISUSE, "other handles to the instance or its exports exist");
    if (is_on_a_stack(instance))
        return cn_fail(error, CATNAP_MISUSE, "the instance is running, or a suspended run uses it");
    return true;
}

bool cn_slot_may_return(const struct slot *slot, struct error *error) {
    if (slot->waits)
        return cn_fail(error, CATNAP_MISUSE, "the instance has already been recycled");
    if (slot->prelinked->one_way)
        return cn_fail(
            error, CATNAP_MISUSE,
            "the module imports a table or global that may hold references to the instance");
    return is_unused(slot, 1, error);
}

static void drop_info(struct wasm_ref_t *ref) {
    if (ref->host_info_finalizer || ref->host_info)
        cn_object_set_host_info(ref, NULL, NULL);
}

static void drop_host_infos(const struct slot *slot) {
    drop_info(&slot->instance->ref);
    for (struct wasm_ref_t *ref = slot->instance->parts; ref; ref = ref->next)
        drop_info(ref);
    FOR_EACH_PART (part, slot)
        drop_info(part->ref);
}

bool cn_slot_take_back(struct slot *slot, struct error *error) {
    struct catnap_prelinked_t *prelinked = slot->prelinked;
    drop_host_infos(slot);
    if (!is_unused(slot, 0, error))
        return false; /* a finalizer took a handle */
    CN_ASSERT(!slot->waits && slot->instance->counted);
    slot->waits = true;
    slot->instance->counted = false;
    prelinked->store->instance_count--;
    if (!shrink(slot, error) || !reset_memories(slot, error))
        return false;
    if (!prelinked->imports) {
        discard_pages(slot);
        return true;
    }
    slot->next = prelinked->waiting;
    prelinked->waiting = slot;
    return true;
}
