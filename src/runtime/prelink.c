/* Pre-linked modules and their slots, see prelink.h. */
#include "runtime/prelink.h"

#include <inttypes.h>
#include <string.h>

#include "base/platform.h"
#include "base/track.h"
#include "runtime/store.h"
#include "runtime/trap.h"

static uint32_t own_memories(const struct module *module) {
    return module->memory_count - module->imported_memory_count;
}

static uint64_t first_size(const struct module *module, uint32_t memory) {
    return module->memories[memory].limits.min * WASM_PAGE_BYTES;
}

static struct image *image_of(const struct catnap_prelinked_t *prelinked, uint32_t memory) {
    return &prelinked->images[memory - prelinked->shared->module->imported_memory_count];
}

/* ---- What an instance is at first ---- */

static size_t cells_bytes(const struct module *module) {
    return (size_t)(module->global_count - module->imported_global_count) * 16;
}

static size_t elements_bytes(const struct module *module) {
    size_t bytes = 0;
    for (uint32_t i = module->imported_table_count; i < module->table_count; i++)
        bytes += (size_t)module->tables[i].limits.min * sizeof(uint64_t);
    return bytes;
}

/* Walks what is saved; to the slot, or from it. */
static void copy_initial(struct slot *slot, bool save) {
    wasm_instance_t *instance = slot->instance;
    const struct module *module = instance->module;
    uint8_t *at = (uint8_t *)slot->initial;
    struct {
        void *bytes;
        size_t size;
    } parts[] = {{instance->cells, cells_bytes(module)},
                 {instance->dropped_elems, module->elem_count},
                 {instance->dropped_datas, module->data_count}};
    memcpy(save ? (void *)at : parts[0].bytes, save ? parts[0].bytes : (void *)at, parts[0].size);
    at += parts[0].size;
    for (uint32_t i = module->imported_table_count; i < module->table_count; i++) {
        wasm_table_t *table = instance->tables[i];
        size_t size = (size_t)module->tables[i].limits.min * sizeof(uint64_t);
        memcpy(save ? (void *)at : table->elements, save ? (void *)table->elements : at, size);
        at += size;
    }
    for (size_t i = 1; i < sizeof parts / sizeof *parts; i++) {
        memcpy(save ? (void *)at : parts[i].bytes, save ? parts[i].bytes : (void *)at,
               parts[i].size);
        at += parts[i].size;
    }
}

static struct slot *new_slot(struct catnap_prelinked_t *prelinked, wasm_instance_t *instance) {
    const struct module *module = instance->module;
    struct alloc *alloc = instance->ref.store->alloc;
    size_t size =
        cells_bytes(module) + elements_bytes(module) + module->elem_count + module->data_count;
    struct slot *slot = cn_alloc(alloc, sizeof *slot + size);
    if (!slot)
        return NULL;
    *slot = (struct slot){.prelinked = prelinked, .instance = instance, .initial_bytes = size};
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
    cn_free(prelinked->store->alloc, slot, sizeof *slot + slot->initial_bytes);
    drop_reference(prelinked);
}

/* Those that wait are not needed any more: the pages they kept go back. */
static void discard_pages(const struct slot *slot) {
    const wasm_instance_t *instance = slot->instance;
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_memory_count; i < module->memory_count; i++)
        cn_os_discard(instance->memories[i]->base, (size_t)first_size(module, i));
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

/* Whether running the segments concerns this instance alone. */
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

/* Whether its code can put references to itself where others find them. */
static bool shares_references(const struct module *module) {
    for (uint32_t i = 0; i < module->imported_global_count; i++)
        if (vt_is_ref(module->globals[i].type.type) && module->globals[i].type.is_mutable)
            return true;
    return module->imported_table_count > 0;
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

/* Without an image of one memory all are done without. */
static bool make_images(struct catnap_prelinked_t *prelinked, wasm_instance_t *instance,
                        struct error *error) {
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_memory_count;
         i < module->memory_count && !prelinked->by_segments; i++) {
        enum image_result result = cn_image_new(image_of(prelinked, i), instance, i);
        if (result == IMAGE_NO_MEMORY)
            return cn_fail_memory(error);
        prelinked->by_segments = result == IMAGE_UNFIT;
    }
    for (uint32_t i = 0; i < own_memories(module) && prelinked->by_segments; i++)
        cn_image_free(prelinked->store->alloc, &prelinked->images[i]);
    return true;
}

static bool lay_images(const struct catnap_prelinked_t *prelinked, wasm_instance_t *instance,
                       struct error *error) {
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_memory_count; i < module->memory_count; i++)
        if (!cn_image_lay(image_of(prelinked, i), instance->memories[i]))
            return cn_fail(error, CATNAP_NO_MEMORY, "cannot map a memory");
    return true;
}

/* The segments of an instance whose memories are what the images say. */
static bool run_segments(const struct catnap_prelinked_t *prelinked, wasm_instance_t *instance,
                         wasm_trap_t **trap) {
    if (prelinked->by_segments)
        return cn_instance_init_segments(instance, trap);
    const struct module *module = instance->module;
    for (uint32_t i = 0; i < module->data_count; i++)
        instance->dropped_datas[i] = module->datas[i].mode == SEGMENT_ACTIVE;
    return cn_instance_init_elems(instance, trap);
}

/* An instance with its slot, before the segments. */
static struct slot *make_blank(struct catnap_prelinked_t *prelinked, bool first,
                               struct error *error) {
    wasm_instance_t *instance =
        cn_instance_make(prelinked->store, prelinked->shared, prelinked->imports, error);
    if (!instance)
        return NULL;
    struct slot *slot = new_slot(prelinked, instance);
    if (!slot)
        cn_fail_memory(error);
    if (slot && (!first || make_images(prelinked, instance, error)) &&
        lay_images(prelinked, instance, error))
        return slot;
    cn_instance_undo(instance);
    return NULL;
}

/* A slot with an instance that nobody has yet. It stays with the store when its segments trap. */
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
    return slot;
}

/* The first instance is made ahead, to see that all others can be, and waits. */
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

struct catnap_prelinked_t *cn_prelinked_new(wasm_store_t *store, struct shared_module *shared,
                                            struct wasm_ref_t *const *imports, size_t count,
                                            struct error *error) {
    if (!cn_link_check(store, shared->module, imports, count, error))
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

static bool check_room(const struct slot *slot, uint64_t *memory_bytes, uint64_t *table_elements,
                       struct error *error) {
    const wasm_store_t *store = slot->prelinked->store;
    const struct module *module = slot->instance->module;
    *memory_bytes = *table_elements = 0;
    for (uint32_t i = module->imported_memory_count; i < module->memory_count; i++)
        *memory_bytes += first_size(module, i);
    for (uint32_t i = module->imported_table_count; i < module->table_count; i++)
        *table_elements += module->tables[i].limits.min;
    uint64_t bytes = *memory_bytes + *table_elements * sizeof(uint64_t);
    if (bytes > cn_store_room(store))
        return cn_store_refuse_bytes(store, bytes, error);
    if (store->table_elements + *table_elements > store->limits.table_elements)
        return cn_store_refuse_elements(store, *table_elements, error);
    return cn_instance_check_room(store, error);
}

/* Counts what the room was found for. */
static bool take_room(wasm_store_t *store, uint64_t memory_bytes, uint64_t table_elements,
                      struct error *error) {
    if (cn_store_take_memory(store, memory_bytes)) {
        if (cn_store_take_elements(store, table_elements))
            return true;
        cn_store_give_memory(store, memory_bytes);
    }
    return cn_fail(error, CATNAP_LIMIT, "the instance exceeds the pool's limit");
}

static bool reset_memories(const struct slot *slot, struct error *error) {
    const struct catnap_prelinked_t *prelinked = slot->prelinked;
    const wasm_instance_t *instance = slot->instance;
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_memory_count; i < module->memory_count; i++)
        if (!cn_image_reset(image_of(prelinked, i), instance->memories[i], first_size(module, i),
                            &prelinked->pages))
            return cn_fail(error, CATNAP_IO, "cannot reset a memory");
    return true;
}

/* The memory is empty for whoever still knows it. */
static bool shrink_memory(wasm_memory_t *memory, uint64_t first, struct error *error) {
    if (memory->shadow)
        memory->drop_shadow(memory);
    if (memory->size > first &&
        !cn_os_decommit(memory->base + first, (size_t)(memory->size - first)))
        return cn_fail(error, CATNAP_IO, "cannot shrink a memory");
    cn_store_give_memory(memory->ref.store, memory->size);
    memory->size = 0;
    return true;
}

static void shrink_table(wasm_table_t *table, uint64_t first) {
    size_t item = sizeof *table->elements;
    cn_store_give_elements(table->ref.store, table->size);
    table->size = 0;
    if (table->capacity == first)
        return;
    uint64_t *elements = cn_realloc(table->ref.store->alloc, table->elements,
                                    (size_t)table->capacity * item, (size_t)first * item);
    if (!elements)
        return; /* the larger one does as well */
    table->elements = elements;
    table->capacity = first;
}

static bool shrink(const wasm_instance_t *instance, struct error *error) {
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_table_count; i < module->table_count; i++)
        shrink_table(instance->tables[i], module->tables[i].limits.min);
    for (uint32_t i = module->imported_memory_count; i < module->memory_count; i++)
        if (!shrink_memory(instance->memories[i], first_size(module, i), error))
            return false;
    return true;
}

/* Shrinks and resets once more: references that were left over may have been used meanwhile, to grow what
 * is empty too. */
static bool wake(struct slot *slot, struct error *error) {
    const wasm_instance_t *instance = slot->instance;
    const struct module *module = instance->module;
    wasm_store_t *store = slot->prelinked->store;
    uint64_t memory_bytes, table_elements;
    if (!shrink(instance, error) || !check_room(slot, &memory_bytes, &table_elements, error) ||
        !reset_memories(slot, error) || !take_room(store, memory_bytes, table_elements, error))
        return false;
    for (uint32_t i = module->imported_memory_count; i < module->memory_count; i++)
        instance->memories[i]->size = first_size(module, i);
    for (uint32_t i = module->imported_table_count; i < module->table_count; i++)
        instance->tables[i]->size = module->tables[i].limits.min;
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

/* Whether a frame of the instance is under way or stopped. A number of the guest's that looks like
 * its address counts as one. */
static bool is_on_a_stack(const wasm_instance_t *instance) {
    const struct machine *machine = instance->machine;
    for (const struct value_stack *stack = machine->stacks; stack; stack = stack->next)
        for (const uint64_t *slot = stack->base; slot < stack->top; slot++)
            if (*slot == (uint64_t)(uintptr_t)instance)
                return true;
    return false;
}

static bool parts_have_handles(const wasm_instance_t *instance) {
    const struct module *module = instance->module;
    for (const struct wasm_ref_t *part = instance->parts; part; part = part->next)
        if (part->handles > 0)
            return true;
    for (uint32_t i = module->imported_memory_count; i < module->memory_count; i++)
        if (instance->memories[i]->ref.handles > 0)
            return true;
    for (uint32_t i = module->imported_table_count; i < module->table_count; i++)
        if (instance->tables[i]->ref.handles > 0)
            return true;
    return false;
}

static bool is_unused(const struct slot *slot, uint32_t handles, struct error *error) {
    const wasm_instance_t *instance = slot->instance;
    if (instance->ref.handles > handles || parts_have_handles(instance))
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

static void drop_host_infos(wasm_instance_t *instance) {
    const struct module *module = instance->module;
    drop_info(&instance->ref);
    for (struct wasm_ref_t *part = instance->parts; part; part = part->next)
        drop_info(part);
    for (uint32_t i = module->imported_memory_count; i < module->memory_count; i++)
        drop_info(&instance->memories[i]->ref);
    for (uint32_t i = module->imported_table_count; i < module->table_count; i++)
        drop_info(&instance->tables[i]->ref);
}

bool cn_slot_take_back(struct slot *slot, struct error *error) {
    struct catnap_prelinked_t *prelinked = slot->prelinked;
    drop_host_infos(slot->instance);
    if (!is_unused(slot, 0, error))
        return false; /* a finalizer took a handle */
    slot->waits = true;
    slot->instance->counted = false;
    prelinked->store->instance_count--;
    if (!shrink(slot->instance, error) || !reset_memories(slot, error))
        return false;
    if (!prelinked->imports) {
        discard_pages(slot);
        return true;
    }
    slot->next = prelinked->waiting;
    prelinked->waiting = slot;
    return true;
}
