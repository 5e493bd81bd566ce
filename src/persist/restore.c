/*
 * From a snapshot to instances. All numbers and names of the snapshot are checked against the modules before
 * they are used; all that was made is deleted when one does not fit.
 */
#include "persist/snapshot.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/platform.h"
#include "runtime/bulk.h"
#include "runtime/state.h"
#include "runtime/store.h"

/* Ranges shorter than this are copied: a mapping of its own costs more. */
#define LEAST_MAPPED (16u * SNAP_PAGE)
#define MOST_MAPPINGS 512u

struct restore {
    catnap_snapshot_t *snapshot;
    wasm_store_t *store;
    const struct snap_resolver *resolver;
    struct error *error;
    struct snap_made made;
    uint32_t *owned, *next_owned; /* lists: objects of an instance; number + 1, 0 ends */
    struct layout {               /* of each object that is a memory */
        bool lent;                /* its address space has the snapshot's image laid out in it */
        bool partially_mapped;    /* a run that is mapped otherwise had to be copied */
    } *layouts;
    uint32_t instance, memory; /* being made, by number and by index */
    struct wasm_ref_t **imports;
};

static bool bad(struct restore *r, uint32_t object, const char *what) {
    return cn_fail(r->error, CATNAP_MALFORMED, "the snapshot's object %u: %s", object, what);
}

/* ---- References ---- */

static bool slot_of_value(const struct snap_made *made, enum slot_kind kind, struct snap_ref ref,
                          uint64_t *slot, struct error *error) {
    bool any = ref.tag == SNAP_VALUE;
    if (kind != (any ? KIND_ANY : KIND_EXTERN))
        return cn_fail(error, CATNAP_MALFORMED,
                       "the snapshot has a value in a place of another kind");
    if (ref.object == 0 || !cn_heap_has(made->heap, ref.object))
        return cn_fail(error, CATNAP_MALFORMED,
                       "the snapshot refers to an object that its heap does not have");
    *slot = any ? ref.object : heap_extern_slot(ref.object);
    return true;
}

static bool slot_of_object(const catnap_snapshot_t *snapshot, const struct snap_made *made,
                           struct snap_ref ref, uint64_t *slot, struct error *error) {
    struct wasm_ref_t *found = NULL;
    if (ref.object < snapshot->object_count)
        found = made->objects[ref.object];
    if (!found)
        return cn_fail(error, CATNAP_MALFORMED,
                       "the snapshot refers to object %u before it defines it", ref.object);
    if (ref.tag != SNAP_OBJECT) {
        wasm_instance_t *instance = (wasm_instance_t *)found;
        bool func = ref.tag == SNAP_FUNC_OF;
        if (found->kind != OBJECT_INSTANCE ||
            ref.index >= (func ? instance->module->func_count : instance->module->global_count))
            return cn_fail(error, CATNAP_MALFORMED,
                           "the snapshot refers to a part that instance "
                           "%u does not have",
                           ref.object);
        found = func ? (struct wasm_ref_t *)cn_instance_func(instance, ref.index)
                     : (struct wasm_ref_t *)cn_instance_global(instance, ref.index);
        if (!found)
            return cn_fail_memory(error);
    }
    *slot = object_slot(found);
    return true;
}

bool cn_snap_slot_of(const catnap_snapshot_t *snapshot, const struct snap_made *made,
                     enum slot_kind kind, struct snap_ref ref, uint64_t *slot,
                     struct error *error) {
    *slot = 0;
    if (ref.tag == SNAP_NULL)
        return true;
    if (snap_ref_is_value(ref))
        return slot_of_value(made, kind, ref, slot, error);
    if (kind == KIND_ANY)
        return cn_fail(error, CATNAP_MALFORMED,
                       "the snapshot has an object %u in a place for values of the heap",
                       ref.object);
    return slot_of_object(snapshot, made, ref, slot, error);
}

const char *cn_snap_slot_fault(const struct snap_made *made, const struct type_registry *registry,
                               uint64_t slot, valtype type) {
    if (vt_kind(type) == KIND_ANY && !cn_heap_fits(made->heap, registry, (uint32_t)slot, type))
        return slot ? "is a value of another type" : "is null";
    if (vt_kind(type) == KIND_ANY)
        return NULL;
    if (vt_kind(type) == KIND_EXTERN && heap_slot_is_converted(slot))
        return (type & ~VT_NON_NULL) == VT_EXTERNREF ? NULL : "is not null";
    return cn_ref_fault(registry, slot_object(slot), type);
}

/* The slot of a reference in a place of a type. */
static bool typed_slot(struct restore *r, struct snap_ref ref, valtype type, uint64_t *slot) {
    if (!cn_snap_slot_of(r->snapshot, &r->made, vt_kind(type), ref, slot, r->error))
        return false;
    const char *fault = cn_snap_slot_fault(&r->made, &r->store->engine->types, *slot, type);
    return !fault || cn_fail(r->error, CATNAP_MALFORMED,
                             "a reference to object %u of the snapshot %s: its place is of type %s",
                             ref.object, fault, cn_valtype_name(type));
}

static bool restore_value(struct restore *r, const struct snap_value *value, valtype type,
                          uint64_t *cell) {
    if (vt_is_ref(type))
        return typed_slot(r, value->ref, type, cell);
    cell[0] = type == VT_I32 || type == VT_F32 ? (uint32_t)value->bits[0] : value->bits[0];
    if (type == VT_V128)
        cell[1] = value->bits[1];
    return true;
}

/* ---- The host's part ---- */

static const struct module *module_of(const struct restore *r, const struct snap_object *instance) {
    return r->snapshot->modules[instance->module].shared->module;
}

/* Functions and tags come from the linker by the name of the import; the first import tells the type of a
 * function. */
static bool resolve_imports_of(struct restore *r, const struct snap_object *instance) {
    const struct module *module = module_of(r, instance);
    for (uint32_t i = 0; i < instance->import_count; i++) {
        const struct snap_ref *ref = &instance->imports[i];
        const struct snap_object *object = &r->snapshot->objects[ref->object];
        if (ref->tag != SNAP_OBJECT || r->made.objects[ref->object])
            continue;
        if (object->kind == OBJECT_TAG && object->owner == 0 && object->import_name.bytes)
            r->made.objects[ref->object] =
                r->resolver->tag(r->resolver->env, object->import_module, object->import_name);
        if (object->kind != OBJECT_FUNC || module->imports[i].kind != EXTERN_FUNC)
            continue;
        r->error->status = CATNAP_OK;
        wasm_func_t *func =
            r->resolver->import(r->resolver->env, object->import_module, object->import_name,
                                module_func_type(module, module->imports[i].index), r->error);
        if (!func)
            return r->error->status == CATNAP_OK
                       ? cn_fail(r->error, CATNAP_LINK, "unknown import \"%.*s\" \"%.*s\"",
                                 (int)object->import_module.length, object->import_module.bytes,
                                 (int)object->import_name.length, object->import_name.bytes)
                       : false;
        r->made.objects[ref->object] = &func->ref;
    }
    return true;
}

static bool resolve_host(struct restore *r, uint32_t number) {
    const struct snap_object *object = &r->snapshot->objects[number];
    bool is_tag = object->kind == OBJECT_TAG && object->owner == 0;
    bool has_state = object->kind == OBJECT_INSTANCE || cn_state_of((enum object_kind)object->kind);
    if ((has_state && !is_tag) || r->made.objects[number])
        return true;
    struct wasm_ref_t *ref = NULL;
    if (r->resolver->host)
        ref = r->resolver->host(r->resolver->env, object->host_name);
    if (!ref || ref->store != r->store || (is_tag && ref->kind != OBJECT_TAG))
        return is_tag && object->import_name.bytes
                   ? cn_fail(r->error, CATNAP_LINK, "unknown import \"%.*s\" \"%.*s\": a tag",
                             (int)object->import_module.length, object->import_module.bytes,
                             (int)object->import_name.length, object->import_name.bytes)
                   : cn_fail(r->error, CATNAP_LINK, "the host did not resolve \"%.*s\"",
                             (int)object->host_name.length,
                             object->host_name.bytes ? object->host_name.bytes : "");
    object_slot(ref);
    r->made.objects[number] = ref;
    return true;
}

/* ---- Modules ---- */

static bool publish(struct snap_module *module, struct shared_module *found) {
    struct shared_module *none = NULL;
    return __atomic_compare_exchange_n(&module->shared, &none, found, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static bool find_modules(struct restore *r) {
    for (uint32_t i = 0; i < r->snapshot->module_count; i++) {
        struct snap_module *module = &r->snapshot->modules[i];
        if (__atomic_load_n(&module->shared, __ATOMIC_ACQUIRE))
            continue;
        r->error->status = CATNAP_OK;
        struct shared_module *found = r->resolver->module(r->resolver->env, module, r->error);
        if (found) {
            if (!publish(module, found))
                cn_shared_release(found); /* another thread was faster */
            continue;
        }
        return r->error->status == CATNAP_OK
                   ? cn_fail(r->error, CATNAP_LINK,
                             "the snapshot needs module \"%.*s\" of %" PRIu64
                             " bytes, XXH3-128 %016" PRIx64 "%016" PRIx64 ", which was not given",
                             (int)module->name.length, module->name.bytes ? module->name.bytes : "",
                             module->length, module->hash[0], module->hash[1])
                   : false;
    }
    return true;
}

/* The kind of a part that the module defines at this index; NULL when there is none. */
static const struct state_kind *part_kind(const struct module *module,
                                          const struct snap_object *part) {
    const struct state_kind *kind = cn_state_of((enum object_kind)part->kind);
    return kind && cn_state_is_part(kind) && part->owner_index >= cn_state_first(kind, module) &&
                   part->owner_index < cn_state_end(kind, module)
               ? kind
               : NULL;
}

/* Whether an instance has as many parts as its module defines. Those of the same index are found when they
 * are made: take_parts(). */
static bool check_parts(struct restore *r, uint32_t number, const struct module *module) {
    uint32_t have = 0, want = 0;
    for (uint32_t i = r->owned[number]; i; i = r->next_owned[i - 1], have++)
        if (!part_kind(module, &r->snapshot->objects[i - 1]))
            return bad(r, i - 1, "a part that its instance lacks");
    for (const struct state_kind *kind = cn_state_kinds; cn_state_is_part(kind); kind++)
        want += cn_state_end(kind, module) - cn_state_first(kind, module);
    return have == want || bad(r, number, "an instance that lacks a memory or a table");
}

/* Whether an instance has the numbers of imports, items and parts that its module has. */
static bool check_instance(struct restore *r, uint32_t number) {
    const struct snap_object *object = &r->snapshot->objects[number];
    const struct module *module = module_of(r, object);
    if (object->import_count != module->import_count ||
        object->value_count != cn_state_count(module, STATE_VALUES) ||
        object->flag_count != cn_state_count(module, STATE_FLAGS))
        return bad(r, number, "an instance that does not match its module");
    return check_parts(r, number, module);
}

static bool list_owned(struct restore *r) {
    for (uint32_t i = 0; i < r->snapshot->object_count; i++) {
        uint32_t owner = r->snapshot->objects[i].owner;
        if (owner == 0)
            continue;
        if (owner > i || r->snapshot->objects[owner - 1].kind != OBJECT_INSTANCE)
            return bad(r, i, "a part without an instance before it");
        r->next_owned[i] = r->owned[owner - 1];
        r->owned[owner - 1] = i + 1;
    }
    return true;
}

/* ---- Making ---- */

/* Gives a part that was made the size that it has in the snapshot. */
static bool grow_part(struct restore *r, uint32_t number, struct wasm_ref_t *ref) {
    const struct state_kind *kind = cn_state_of((enum object_kind)ref->kind);
    uint64_t size = r->snapshot->objects[number].size, now = cn_state_items(kind, ref).count;
    if (size < now)
        return bad(r, number, "a memory or a table smaller than its minimum");
    if (size == now)
        return true;
    uint64_t units = (size - now) / kind->unit;
    if (units > kind->room(ref))
        return cn_fail(r->error, CATNAP_LIMIT, "a %s of %" PRIu64 " %s exceeds a limit", kind->noun,
                       size, kind->items_noun);
    if (!kind->grow(ref, units))
        return cn_fail(r->error, CATNAP_NO_MEMORY, "cannot make a %s of %" PRIu64 " %s", kind->noun,
                       size, kind->items_noun);
    return true;
}

/* The same of a memory, to the byte. */
static bool grow_memory(struct restore *r, uint32_t number, wasm_memory_t *memory) {
    return grow_part(r, number, &memory->ref) &&
           (cn_memory_set_extent(memory, r->snapshot->objects[number].extent) ||
            bad(r, number, "a memory of a size that its type does not have"));
}

static bool take_parts(struct restore *r, uint32_t number, wasm_instance_t *instance) {
    for (uint32_t i = r->owned[number]; i; i = r->next_owned[i - 1]) {
        const struct snap_object *part = &r->snapshot->objects[i - 1];
        const struct state_kind *kind = part_kind(instance->module, part);
        CN_ASSERT(kind); /* check_parts() */
        struct wasm_ref_t *made = cn_state_part(kind, instance, part->owner_index);
        if (made->number)
            return bad(r, i - 1, "a second copy of a part of its instance");
        made->number = i;
        r->made.objects[i - 1] = made;
        if (!(made->kind == OBJECT_MEMORY ? grow_memory(r, i - 1, (wasm_memory_t *)made)
                                          : grow_part(r, i - 1, made)))
            return false;
    }
    return true;
}

/* Memories of an instance are made in the order of their indices. */
static uint8_t *lend(void *env, size_t *reserved) {
    struct restore *r = env;
    uint32_t index = r->memory++;
    for (uint32_t i = r->owned[r->instance]; i; i = r->next_owned[i - 1]) {
        const struct snap_object *part = &r->snapshot->objects[i - 1];
        if (part->kind != OBJECT_MEMORY || part->owner_index != index)
            continue;
        uint8_t *base = cn_spare_take(r->snapshot, i - 1, reserved);
        r->layouts[i - 1].lent = base != NULL;
        return base;
    }
    return NULL;
}

static wasm_instance_t *make_with_spares(struct restore *r, uint32_t number,
                                         struct shared_module *shared) {
    r->instance = number;
    r->memory = shared->module->imported_memory_count;
    r->store->lend = lend;
    r->store->lender = r;
    wasm_instance_t *instance = cn_instance_make(r->store, shared, r->imports, r->error);
    r->store->lend = NULL;
    return instance;
}

static bool make_instance(struct restore *r, uint32_t number) {
    const struct snap_object *object = &r->snapshot->objects[number];
    struct shared_module *shared = r->snapshot->modules[object->module].shared;
    if (!check_instance(r, number))
        return false;
    for (uint32_t i = 0; i < object->import_count; i++) {
        uint64_t slot;
        if (!cn_snap_slot_of(r->snapshot, &r->made, KIND_EXTERN, object->imports[i], &slot,
                             r->error))
            return false;
        r->imports[i] = slot_object(slot);
    }
    if (!cn_link_check(r->store, shared->module, r->imports, object->import_count, r->error))
        return false;
    wasm_instance_t *instance = make_with_spares(r, number, shared);
    if (!instance)
        return false;
    r->made.objects[number] = &instance->ref;
    return take_parts(r, number, instance);
}

static bool make_memory(struct restore *r, uint32_t number) {
    const struct snap_object *object = &r->snapshot->objects[number];
    struct memorytype type = {
        .limits = object->limits, .is_shared = object->is_shared, .byte_pages = object->byte_pages};
    wasm_memory_t *memory = cn_memory_new(r->store, &type, true, r->error);
    if (!memory)
        return false;
    memory->ref.escaped = true;
    r->made.objects[number] = &memory->ref;
    return grow_memory(r, number, memory);
}

static bool make_table(struct restore *r, uint32_t number) {
    const struct snap_object *object = &r->snapshot->objects[number];
    struct tabletype type = {.element = object->type, .limits = object->limits};
    wasm_table_t *table = cn_table_new(r->store, &type, 0, r->error);
    if (!table)
        return false;
    table->ref.escaped = true;
    r->made.objects[number] = &table->ref;
    return grow_part(r, number, &table->ref);
}

static bool make_global(struct restore *r, uint32_t number) {
    const struct snap_object *object = &r->snapshot->objects[number];
    struct globaltype type = {.type = object->type, .is_mutable = object->is_mutable};
    const uint64_t zero[2] = {0, 0};
    wasm_global_t *global = cn_global_new(r->store, &type, zero, r->error);
    if (!global)
        return false;
    global->ref.escaped = true;
    r->made.objects[number] = &global->ref;
    return true;
}

static bool make_exception(struct restore *r, uint32_t number) {
    const struct snap_object *object = &r->snapshot->objects[number];
    uint64_t slot;
    if (!cn_snap_slot_of(r->snapshot, &r->made, KIND_EXTERN, object->imports[0], &slot, r->error))
        return false;
    struct catnap_tag_t *tag = (struct catnap_tag_t *)slot_object(slot);
    if (!tag || tag->ref.kind != OBJECT_TAG || tag->type->param_count != object->value_count)
        return bad(r, number, "an exception that does not match its tag");
    struct catnap_exception_t *exception = cn_exception_new(tag, r->error);
    if (!exception)
        return false;
    exception->ref.escaped = true;
    r->made.objects[number] = &exception->ref;
    return true;
}

static bool make_object(struct restore *r, uint32_t number) {
    if (r->made.objects[number])
        return true;
    switch (r->snapshot->objects[number].kind) {
    case OBJECT_INSTANCE:
        return make_instance(r, number);
    case OBJECT_MEMORY:
        return make_memory(r, number);
    case OBJECT_TABLE:
        return make_table(r, number);
    case OBJECT_EXCEPTION:
        return make_exception(r, number);
    case OBJECT_TAG:
        return bad(r, number, "a tag that nothing defines");
    default:
        return make_global(r, number);
    }
}

/* Between two objects and while pages are copied. */
static bool interrupted(struct restore *r) {
    return cn_fail(r->error, CATNAP_INTERRUPTED, "restoring was interrupted");
}

static bool may_go_on(struct restore *r) {
    return !cn_interrupted(&r->store->machine.interrupt) || interrupted(r);
}

/* Globals of the host come last in a snapshot, and nothing is needed for making them. */
static bool make_objects(struct restore *r) {
    for (uint32_t i = 0; i < r->snapshot->object_count; i++)
        if (r->snapshot->objects[i].kind == OBJECT_GLOBAL && !make_object(r, i))
            return false;
    for (uint32_t i = 0; i < r->snapshot->object_count; i++)
        if (!may_go_on(r) || !make_object(r, i))
            return false;
    return true;
}

/* ---- Filling ---- */

/* Restores the items of one kind in an object. Values and flags of the object follow those of the kinds
 * before it: *value and *flag are moved past them. */
static bool fill_items(struct restore *r, const struct snap_object *object,
                       const struct state_kind *kind, const struct wasm_ref_t *ref,
                       const struct snap_value **value, const uint8_t **flag) {
    struct state_items items = cn_state_items(kind, ref);
    uint64_t *slots = items.at;
    bool *flags = items.at;
    CN_ASSERT(kind->form != STATE_REFS || items.count == object->size); /* grow_part() */
    for (uint64_t i = 0; i < object->size && kind->form == STATE_REFS; i++)
        if (!typed_slot(r, object->elements[i], kind->type(ref, (uint32_t)i), &slots[i]))
            return false;
    for (uint32_t i = 0; i < items.count && kind->form == STATE_VALUES; i++, slots += 2)
        if (!restore_value(r, (*value)++, kind->type(ref, i), slots))
            return false;
    for (uint32_t i = 0; i < items.count && kind->form == STATE_FLAGS; i++)
        flags[i] = *(*flag)++ != 0;
    return true;
}

/* Items of passive segments that were read. */
static bool fill_segments(struct restore *r, uint32_t number, wasm_instance_t *instance) {
    const struct snap_object *object = &r->snapshot->objects[number];
    for (uint32_t i = 0; i < object->segment_count; i++) {
        const struct snap_segment *segment = &object->segments[i];
        const struct elem_segment *elem = segment->index < instance->module->elem_count
                                              ? &instance->module->elems[segment->index]
                                              : NULL;
        if (!elem || segment->count > elem->count || instance->elem_items[segment->index])
            return bad(r, number, "items of an element segment that the module does not have");
        uint64_t *slots = cn_elem_items_restore(instance, segment->index, segment->count);
        if (!slots)
            return cn_fail_memory(r->error);
        for (uint32_t k = 0; k < segment->count; k++)
            if (!typed_slot(r, segment->items[k], elem->type, &slots[k]))
                return false;
    }
    return true;
}

static bool fill_object(struct restore *r, uint32_t number) {
    const struct snap_object *object = &r->snapshot->objects[number];
    const struct wasm_ref_t *ref = r->made.objects[number];
    const struct snap_value *value = object->values;
    const uint8_t *flag = object->flags;
    FOR_EACH_STATE_OF (kind, object->kind)
        if (!fill_items(r, object, kind, ref, &value, &flag))
            return false;
    return object->kind != OBJECT_INSTANCE ||
           fill_segments(r, number, (wasm_instance_t *)r->made.objects[number]);
}

/* Whether a run is mapped and not copied; the same each time. */
static bool is_mapped(const catnap_snapshot_t *snapshot, const struct snap_run *run) {
    size_t page = cn_os_page_bytes(), size = (size_t)run->count * SNAP_PAGE;
    return snapshot->image >= 0 && run->offset != UINT64_MAX && size >= LEAST_MAPPED &&
           run->offset % page == 0 && run->first * SNAP_PAGE % page == 0 && size % page == 0;
}

/* Where pages of a run go; NULL memory: into the heap. */
static uint8_t *place_of(const struct restore *r, const struct snap_run *run,
                         wasm_memory_t **memory) {
    const struct heap *heap = r->store->machine.heap;
    *memory = NULL;
    if (run->object == SNAP_REGION)
        return heap->base + run->first * SNAP_PAGE;
    if (run->object == SNAP_STARTS)
        return (uint8_t *)heap->starts + run->first * SNAP_PAGE;
    *memory = (wasm_memory_t *)r->made.objects[run->object];
    return (*memory)->base + run->first * SNAP_PAGE;
}

/* A part of the snapshot's image in place of the pages of memories and of the heap, or a copy. */
static bool fill_pages(struct restore *r) {
    uint32_t mappings = 0;
    for (size_t i = 0; i < r->snapshot->run_count; i++) {
        const struct snap_run *run = &r->snapshot->runs[i];
        wasm_memory_t *memory;
        uint8_t *to = place_of(r, run, &memory);
        struct layout none = {0}, *layout = memory ? &r->layouts[run->object] : &none;
        size_t size = (size_t)run->count * SNAP_PAGE;
        /* Another view of a shared memory would not know that an image is behind its pages. */
        bool wanted =
            !(memory && memory->shared) && is_mapped(r->snapshot, run) && mappings < MOST_MAPPINGS;
        bool mapped =
            wanted && (layout->lent || cn_os_image_map(r->snapshot->image, run->offset, to, size));
        mappings += wanted;
        *(memory ? &memory->imaged : &r->store->machine.heap->imaged) |= mapped;
        layout->partially_mapped |= wanted && !mapped;
        if (!mapped && run->bytes &&
            cn_bulk_copy(&r->store->machine, to, run->bytes, size, true) < size)
            return interrupted(r);
    }
    return true;
}

/* Memories that are laid out for the snapshot can be so again. */
static void expect_spares(struct restore *r) {
    for (uint32_t i = 0; i < r->snapshot->object_count; i++) {
        wasm_memory_t *memory = (wasm_memory_t *)r->made.objects[i];
        if (r->snapshot->objects[i].kind == OBJECT_MEMORY && r->snapshot->objects[i].owner &&
            memory->guarded && memory->imaged && !r->layouts[i].partially_mapped)
            cn_spare_expect(r->snapshot, i, memory);
    }
}

static bool fill(struct restore *r) {
    bool heap = r->snapshot->heap.bytes > 0;
    if (!fill_pages(r) || (heap && !cn_snap_heap_finish(r->snapshot, r->store, &r->made, r->error)))
        return false;
    for (uint32_t i = 0; i < r->snapshot->object_count; i++)
        if (!may_go_on(r) || !fill_object(r, i))
            return false;
    for (uint32_t i = 0; i < r->snapshot->object_count; i++)
        if (r->snapshot->objects[i].kind == OBJECT_MEMORY)
            cn_memory_clear_tail((wasm_memory_t *)r->made.objects[i]);
    expect_spares(r);
    return true;
}

/* ---- All together ---- */

static bool resolve(struct restore *r) {
    if (!find_modules(r) || !list_owned(r))
        return false;
    for (uint32_t i = 0; i < r->snapshot->object_count; i++) {
        const struct snap_object *object = &r->snapshot->objects[i];
        if (object->kind == OBJECT_INSTANCE &&
            (!check_instance(r, i) || !resolve_imports_of(r, object)))
            return false;
    }
    for (uint32_t i = 0; i < r->snapshot->object_count; i++)
        if (!resolve_host(r, i))
            return false;
    return true;
}

/* Frees what was made after `mark` was the newest object. */
static void take_back(wasm_store_t *store, const struct wasm_ref_t *mark) {
    while (store->objects.next != mark) {
        struct wasm_ref_t *ref = store->objects.next;
        cn_object_unlink(ref);
        cn_object_free(ref);
    }
}

/* The numbers of types in the snapshot's heap, and its handles, mean something else in another one. */
static bool may_make_heap(struct restore *r) {
    return r->snapshot->heap.bytes == 0 || !r->store->machine.heap ||
           cn_fail(r->error, CATNAP_UNSUPPORTED,
                   "the snapshot has garbage-collected objects, and the store has a heap already");
}

static bool build(struct restore *r, struct catnap_run_t **run) {
    const struct wasm_ref_t *mark = r->store->objects.next;
    bool had_heap = r->store->machine.heap != NULL, has_heap = r->snapshot->heap.bytes > 0;
    if (!may_make_heap(r))
        return false;
    bool ok = (!has_heap || cn_snap_heap_make(r->snapshot, r->store, r->error)) &&
              make_objects(r) && fill(r);
    if (ok && r->snapshot->frame_count > 0) {
        *run = cn_frames_restore(r->snapshot, r->store, &r->made, r->error);
        ok = *run != NULL;
    }
    if (!ok)
        take_back(r->store, mark);
    if (!ok && !had_heap)
        cn_gc_drop(r->store);
    return ok;
}

static bool restore_with(struct restore *r, wasm_instance_t **instances,
                         struct catnap_run_t **run) {
    if (!resolve(r) || !build(r, run))
        return false;
    for (uint32_t i = 0; i < r->snapshot->object_count; i++)
        if (r->snapshot->objects[i].kind == OBJECT_INSTANCE)
            *instances++ = (wasm_instance_t *)r->made.objects[i];
    if (r->snapshot->fuel_enabled && r->store->machine.fuel_enabled)
        cn_store_set_fuel(r->store, r->snapshot->fuel);
    return true;
}

static uint32_t most_imports(const catnap_snapshot_t *snapshot) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < snapshot->object_count; i++)
        if (snapshot->objects[i].import_count > most)
            most = snapshot->objects[i].import_count;
    return most;
}

bool cn_snapshot_restore(catnap_snapshot_t *snapshot, wasm_store_t *store,
                         const struct snap_resolver *resolver, wasm_instance_t **instances,
                         struct catnap_run_t **run, struct error *error) {
    size_t count = snapshot->object_count, imports = most_imports(snapshot);
    size_t layouts = (count * sizeof(struct layout) + 7) / 8;
    size_t words = count * 2 + imports + layouts;
    uint64_t *block = cn_calloc(store->alloc, words, sizeof *block);
    if (!block)
        return cn_fail_memory(error);
    struct restore r = {.snapshot = snapshot, .store = store, .resolver = resolver, .error = error};
    r.made.objects = (struct wasm_ref_t **)block;
    r.imports = (struct wasm_ref_t **)(block + count);
    r.owned = (uint32_t *)(block + count + imports);
    r.next_owned = r.owned + count;
    r.layouts = (struct layout *)(block + count * 2 + imports);
    *run = NULL;
    bool ok = restore_with(&r, instances, run);
    cn_free(store->alloc, block, words * sizeof *block);
    return ok;
}

uint32_t cn_snapshot_instance_count(const catnap_snapshot_t *snapshot) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < snapshot->object_count; i++)
        count += snapshot->objects[i].kind == OBJECT_INSTANCE;
    return count;
}
