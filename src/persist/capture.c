/* From a store to a snapshot; the life of a snapshot, and an image of its own for its pages. */
#include "persist/snapshot.h"

#include <string.h>
#include <xxhash.h>

#include "base/platform.h"
#include "exec/run.h"
#include "base/assert.h"
#include "persist/backing.h"
#include "persist/checkpoint.h"
#include "runtime/state.h"
#include "runtime/collect.h"
#include "runtime/shared_memory.h"

/* ---- Life ---- */

catnap_snapshot_t *cn_snapshot_new(wasm_engine_t *engine, struct error *error) {
    catnap_snapshot_t *snapshot = cn_calloc(&engine->alloc, 1, sizeof *snapshot);
    if (!snapshot) {
        cn_fail_memory(error);
        return NULL;
    }
    snapshot->alloc = &engine->alloc;
    snapshot->engine = engine;
    snapshot->image = -1;
    atomic_init(&snapshot->references, 1);
    pthread_mutex_init(&snapshot->spare_mutex, NULL);
    cn_arena_init(&snapshot->arena, &engine->alloc);
    cn_engine_retain(engine);
    return snapshot;
}

void cn_snapshot_retain(catnap_snapshot_t *snapshot) {
    atomic_fetch_add(&snapshot->references, 1);
}

void cn_snapshot_release(catnap_snapshot_t *snapshot) {
    if (!snapshot || atomic_fetch_sub(&snapshot->references, 1) != 1)
        return;
    wasm_engine_t *engine = snapshot->engine;
    for (uint32_t i = 0; i < snapshot->module_count; i++)
        if (snapshot->modules[i].shared)
            cn_shared_release(snapshot->modules[i].shared);
    cn_spares_free(snapshot);
    cn_os_release(snapshot->view, snapshot->view_length);
    cn_os_release(snapshot->file_view, snapshot->file_view_length);
    cn_os_image_delete(snapshot->image);
    cn_snapshot_release(snapshot->base);
    cn_free(snapshot->alloc, snapshot->objects,
            snapshot->object_capacity * sizeof *snapshot->objects);
    cn_free(snapshot->alloc, snapshot->runs, snapshot->run_capacity * sizeof *snapshot->runs);
    cn_arena_free(&snapshot->arena);
    cn_free(snapshot->alloc, snapshot, sizeof *snapshot);
    cn_engine_release(engine);
}

struct snap_run *cn_snapshot_add_run(catnap_snapshot_t *snapshot) {
    void *runs = snapshot->runs;
    if (!cn_grow(snapshot->alloc, &runs, &snapshot->run_capacity, snapshot->run_count + 1,
                 sizeof *snapshot->runs))
        return NULL;
    snapshot->runs = runs;
    return &snapshot->runs[snapshot->run_count++];
}

/* ---- Objects and references ---- */

struct capture {
    catnap_snapshot_t *snapshot; /* first: cn_snap_ref_of() finds the rest by it */
    wasm_store_t *store;
    const struct snap_naming *naming;
    struct error *error;
};

static struct snap_object *add_object(catnap_snapshot_t *snapshot, struct wasm_ref_t *source,
                                      struct error *error) {
    void *objects = snapshot->objects;
    if (!cn_grow(snapshot->alloc, &objects, &snapshot->object_capacity,
                 (size_t)snapshot->object_count + 1, sizeof *snapshot->objects)) {
        cn_fail_memory(error);
        return NULL;
    }
    snapshot->objects = objects;
    struct snap_object *object = &snapshot->objects[snapshot->object_count++];
    *object = (struct snap_object){.kind = source->kind, .source = source};
    source->number = snapshot->object_count;
    return object;
}

static bool is_numbered(const catnap_snapshot_t *snapshot, const struct wasm_ref_t *ref) {
    return ref->number > 0 && ref->number <= snapshot->object_count &&
           snapshot->objects[ref->number - 1].source == ref;
}

/* The number of an instance of a pre-linked module that was given back and waits, and of its parts, which
 * are not in the snapshot. */
#define LEFT_OUT UINT32_MAX

/* The number of an object, which is added to the snapshot if it is not in there yet. */
static bool number_of(catnap_snapshot_t *snapshot, struct wasm_ref_t *ref, uint32_t *number,
                      struct error *error) {
    if (ref->number == LEFT_OUT)
        return cn_fail(error, CATNAP_MISUSE,
                       "an instance refers to one that was recycled by catnap_instance_recycle()");
    if (!is_numbered(snapshot, ref) && !add_object(snapshot, ref, error))
        return false;
    *number = ref->number - 1;
    return true;
}

/* Of a global that its instance defines: cells lie in the order of indices. */
static uint32_t index_of_global(const wasm_global_t *global) {
    const wasm_instance_t *instance = global->instance;
    size_t slot = (size_t)(global->cell - instance->cells);
    return instance->module->imported_global_count + (uint32_t)(slot / 2);
}

static bool take_value(catnap_snapshot_t *snapshot, uint32_t tag, uint32_t handle,
                       struct snap_ref *out) {
    snapshot->with_values = true;
    *out = (struct snap_ref){tag, handle, 0};
    return true;
}

bool cn_snap_ref_of(catnap_snapshot_t *snapshot, enum slot_kind kind, uint64_t slot,
                    struct snap_ref *out, struct error *error) {
    *out = (struct snap_ref){SNAP_NULL, 0, 0};
    if (slot == 0)
        return true;
    if (kind == KIND_ANY)
        return take_value(snapshot, SNAP_VALUE, (uint32_t)slot, out);
    if (kind == KIND_EXTERN && heap_slot_is_converted(slot))
        return take_value(snapshot, SNAP_CONVERTED, heap_converted(slot), out);
    struct wasm_ref_t *ref = slot_object(slot);
    if (ref->kind == OBJECT_FUNC && ((wasm_func_t *)ref)->instance) {
        wasm_func_t *func = (wasm_func_t *)ref;
        *out = (struct snap_ref){SNAP_FUNC_OF, 0, func->index};
        return number_of(snapshot, &func->instance->ref, &out->object, error);
    }
    if (ref->kind == OBJECT_GLOBAL && ((wasm_global_t *)ref)->instance) {
        wasm_global_t *global = (wasm_global_t *)ref;
        *out = (struct snap_ref){SNAP_GLOBAL_OF, 0, index_of_global(global)};
        return number_of(snapshot, &global->instance->ref, &out->object, error);
    }
    out->tag = SNAP_OBJECT;
    return number_of(snapshot, ref, &out->object, error);
}

/* The same of an object. */
static bool ref_of_object(catnap_snapshot_t *snapshot, struct wasm_ref_t *ref, struct snap_ref *out,
                          struct error *error) {
    return cn_snap_ref_of(snapshot, KIND_EXTERN, (uint64_t)(uintptr_t)ref, out, error);
}

static bool capture_value(catnap_snapshot_t *snapshot, valtype type, const uint64_t *cell,
                          struct snap_value *out, struct error *error) {
    *out = (struct snap_value){0};
    if (vt_is_ref(type))
        return cn_snap_ref_of(snapshot, vt_kind(type), cell[0], &out->ref, error);
    memcpy(out->bits, cell, vt_slots(type) * sizeof(uint64_t));
    return true;
}

/* ---- Instances ---- */

static struct snap_text copy_text(struct arena *arena, const char *bytes, size_t length, bool *ok) {
    char *copy = cn_arena_alloc(arena, length + 1);
    if (!copy) {
        *ok = false;
        return (struct snap_text){NULL, 0};
    }
    memcpy(copy, bytes, length);
    return (struct snap_text){copy, (uint32_t)length};
}

static struct wasm_ref_t *imported(const wasm_instance_t *instance, const struct import *import) {
    switch (import->kind) {
    case EXTERN_FUNC:
        return &instance->funcs[import->index]->ref;
    case EXTERN_TABLE:
        return &instance->tables[import->index]->ref;
    case EXTERN_MEMORY:
        return &instance->memories[import->index]->ref;
    case EXTERN_GLOBAL:
        return &instance->global_objects[import->index]->ref;
    case EXTERN_TAG:
        return &instance->tags[import->index]->ref;
    }
    return NULL;
}

/* Names a function or a tag of the host by the first import that it fills. */
static bool note_import(catnap_snapshot_t *snapshot, const struct module *module,
                        const struct import *import, const struct snap_ref *ref) {
    bool ok = true;
    struct snap_object *object = &snapshot->objects[ref->object];
    bool is_named = object->kind == OBJECT_FUNC || object->kind == OBJECT_TAG;
    if (ref->tag != SNAP_OBJECT || !is_named || object->import_name.bytes)
        return true;
    const char *bytes = (const char *)module->bytes;
    object->import_module =
        copy_text(&snapshot->arena, bytes + import->module.offset, import->module.length, &ok);
    object->import_name =
        copy_text(&snapshot->arena, bytes + import->name.offset, import->name.length, &ok);
    return ok;
}

static bool capture_imports(struct capture *c, uint32_t number, const wasm_instance_t *instance) {
    const struct module *module = instance->module;
    struct snap_ref *imports =
        cn_arena_calloc(&c->snapshot->arena, module->import_count, sizeof *imports);
    if (!imports)
        return cn_fail_memory(c->error);
    for (uint32_t i = 0; i < module->import_count; i++) {
        struct wasm_ref_t *ref = imported(instance, &module->imports[i]);
        if (!ref_of_object(c->snapshot, ref, &imports[i], c->error))
            return false;
        if (!note_import(c->snapshot, module, &module->imports[i], &imports[i]))
            return cn_fail_memory(c->error);
    }
    c->snapshot->objects[number].imports = imports;
    c->snapshot->objects[number].import_count = module->import_count;
    return true;
}

/* Equal modules are one in a snapshot: restored instances need not know which copy was theirs. */
static bool same_module(const struct module *a, const struct module *b) {
    return a == b || (a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0);
}

static uint32_t module_number(const catnap_snapshot_t *snapshot,
                              const struct shared_module *shared) {
    uint32_t i = 0;
    while (snapshot->modules[i].shared &&
           !same_module(snapshot->modules[i].shared->module, shared->module))
        i++;
    return i;
}

static bool capture_module(struct capture *c, uint32_t number, const wasm_instance_t *instance) {
    uint32_t i = module_number(c->snapshot, instance->shared);
    struct snap_module *module = &c->snapshot->modules[i];
    c->snapshot->objects[number].module = i;
    if (module->shared)
        return true;
    bool ok = true;
    const struct module *m = instance->module;
    if (m->module_name.length > 0)
        module->name =
            copy_text(&c->snapshot->arena, (const char *)m->bytes + m->module_name.offset,
                      m->module_name.length, &ok);
    else if (m->given_name)
        module->name = copy_text(&c->snapshot->arena, m->given_name, strlen(m->given_name), &ok);
    cn_shared_retain(instance->shared);
    module->shared = instance->shared;
    module->length = m->size;
    c->snapshot->module_count = i + 1;
    return ok ? true : cn_fail_memory(c->error);
}

/* Records which instance the parts belong to. */
static void claim_parts(struct capture *c, uint32_t number, const wasm_instance_t *instance) {
    for (struct state_walk walk = {0}; cn_state_next(instance, &walk);) {
        struct snap_object *part = &c->snapshot->objects[walk.ref->number - 1];
        CN_ASSERT(part->source == walk.ref);
        part->owner = number + 1;
        part->owner_index = walk.index;
    }
}

/* Whether its items, which were read, are objects that code can tell from others. Functions are made only once, and host
 * objects are there. */
static bool is_segment_kept(const wasm_instance_t *instance, uint32_t index) {
    const uint64_t *slots;
    enum slot_kind kind = vt_kind(instance->module->elems[index].type);
    return (kind == KIND_ANY || kind == KIND_EXTERN) && !instance->dropped_elems[index] &&
           cn_elem_items_read(instance->elem_items[index], &slots) > 0;
}

static bool capture_segment(struct capture *c, const wasm_instance_t *instance,
                            struct snap_segment *out) {
    const uint64_t *slots;
    out->count = cn_elem_items_read(instance->elem_items[out->index], &slots);
    out->items = cn_arena_calloc(&c->snapshot->arena, out->count, sizeof *out->items);
    if (!out->items)
        return cn_fail_memory(c->error);
    c->snapshot->with_values = true;
    for (uint32_t i = 0; i < out->count; i++)
        if (!cn_snap_ref_of(c->snapshot, vt_kind(instance->module->elems[out->index].type),
                            slots[i], &out->items[i], c->error))
            return false;
    return true;
}

static bool capture_segments(struct capture *c, uint32_t number, const wasm_instance_t *instance) {
    uint32_t count = 0, next = 0;
    for (uint32_t i = 0; i < instance->module->elem_count; i++)
        count += is_segment_kept(instance, i);
    struct snap_segment *segments = cn_arena_calloc(&c->snapshot->arena, count, sizeof *segments);
    if (!segments)
        return cn_fail_memory(c->error);
    c->snapshot->objects[number].segments = segments;
    c->snapshot->objects[number].segment_count = count;
    for (uint32_t i = 0; i < instance->module->elem_count; i++) {
        if (!is_segment_kept(instance, i))
            continue;
        segments[next].index = i;
        if (!capture_segment(c, instance, &segments[next++]))
            return false;
    }
    return true;
}

static bool capture_instance(struct capture *c, uint32_t number, const wasm_instance_t *instance) {
    claim_parts(c, number, instance);
    return capture_module(c, number, instance) && capture_imports(c, number, instance) &&
           capture_segments(c, number, instance);
}

/* ---- State ---- */

static bool capture_refs(struct capture *c, uint32_t number, const struct state_kind *kind,
                         const struct state_items *items) {
    const struct wasm_ref_t *holder = c->snapshot->objects[number].source;
    struct snap_ref *elements =
        cn_arena_calloc(&c->snapshot->arena, (size_t)items->count, sizeof *elements);
    const uint64_t *slots = items->at;
    if (!elements)
        return cn_fail_memory(c->error);
    for (uint64_t i = 0; i < items->count; i++)
        if (!cn_snap_ref_of(c->snapshot, vt_kind(kind->type(holder, (uint32_t)i)), slots[i],
                            &elements[i], c->error))
            return false;
    c->snapshot->objects[number].elements = elements;
    c->snapshot->objects[number].size = items->count;
    return true;
}

static bool capture_values(struct capture *c, uint32_t number, const struct state_kind *kind,
                           const struct state_items *items) {
    const struct wasm_ref_t *holder = c->snapshot->objects[number].source;
    struct snap_value *values = c->snapshot->objects[number].values;
    const uint64_t *cell = items->at;
    values += c->snapshot->objects[number].value_count;
    for (uint32_t i = 0; i < items->count; i++, cell += 2)
        if (!capture_value(c->snapshot, kind->type(holder, i), cell, &values[i], c->error))
            return false;
    c->snapshot->objects[number].value_count += (uint32_t)items->count;
    return true;
}

static void capture_flags(struct snap_object *object, const struct state_items *items) {
    const bool *flags = items->at;
    for (uint32_t i = 0; i < items->count; i++)
        object->flags[object->flag_count++] = flags[i];
}

/* `items` are those of the object and of one kind. References may add objects to the snapshot. */
static bool capture_items(struct capture *c, uint32_t number, const struct state_kind *kind,
                          const struct state_items *items) {
    switch (kind->form) {
    case STATE_REFS:
        return capture_refs(c, number, kind, items);
    case STATE_VALUES:
        return capture_values(c, number, kind, items);
    case STATE_FLAGS:
        capture_flags(&c->snapshot->objects[number], items);
        return true;
    case STATE_NOTHING:
        return true;
    default: /* pages follow when all objects are known */
        c->snapshot->objects[number].size = items->count;
        return true;
    }
}

/* Makes room for the values and flags that the object holds. */
static bool reserve_state(struct capture *c, struct snap_object *object) {
    uint64_t values = 0, flags = 0;
    FOR_EACH_STATE_OF (kind, object->kind) {
        uint64_t count = cn_state_items(kind, object->source).count;
        values += kind->form == STATE_VALUES ? count : 0;
        flags += kind->form == STATE_FLAGS ? count : 0;
    }
    object->values = cn_arena_calloc(&c->snapshot->arena, (size_t)values, sizeof *object->values);
    object->flags = cn_arena_calloc(&c->snapshot->arena, (size_t)flags, 1);
    return (object->values && object->flags) || cn_fail_memory(c->error);
}

static bool capture_state(struct capture *c, uint32_t number) {
    const struct wasm_ref_t *ref = c->snapshot->objects[number].source;
    if (!reserve_state(c, &c->snapshot->objects[number]))
        return false;
    FOR_EACH_STATE_OF (kind, ref->kind) {
        struct state_items items = cn_state_items(kind, ref);
        if (!capture_items(c, number, kind, &items))
            return false;
    }
    return true;
}

/* ---- Other objects ---- */

static void capture_type(struct snap_object *object) {
    switch (object->source->kind) {
    case OBJECT_MEMORY:
        object->limits = ((const wasm_memory_t *)object->source)->type.limits;
        object->byte_pages = ((const wasm_memory_t *)object->source)->type.byte_pages;
        object->extent = ((const wasm_memory_t *)object->source)->extent;
        object->is_shared = ((const wasm_memory_t *)object->source)->shared != NULL;
        break;
    case OBJECT_TABLE:
        object->limits = ((const wasm_table_t *)object->source)->type.limits;
        object->type = ((const wasm_table_t *)object->source)->type.element;
        break;
    case OBJECT_TAG:
        break;
    default:
        object->type = ((const wasm_global_t *)object->source)->type.type;
        object->is_mutable = ((const wasm_global_t *)object->source)->type.is_mutable;
        break;
    }
}

/* Asks the embedder for a name, by which restoring asks for the object again. Functions that an instance
 * imports are named by the import instead. */
static bool capture_host(struct capture *c, struct snap_object *object) {
    char text[256];
    size_t length = 0;
    if (object->import_name.bytes)
        return true;
    if (c->naming && c->naming->name)
        length = c->naming->name(c->naming->env, object->source, text, sizeof text);
    if (length == 0 || length > sizeof text)
        return cn_fail(c->error, CATNAP_MISUSE,
                       "an instance refers to an object of the host that has no name");
    bool ok = true;
    object->host_name = copy_text(&c->snapshot->arena, text, length, &ok);
    return ok ? true : cn_fail_memory(c->error);
}

/* The tag of an exception is kept as the one that it imports. */
static bool capture_exception(struct capture *c, uint32_t number) {
    const struct wasm_ref_t *ref = c->snapshot->objects[number].source;
    struct wasm_ref_t *tag = &((const struct catnap_exception_t *)ref)->tag->ref;
    struct snap_ref *imports = cn_arena_calloc(&c->snapshot->arena, 1, sizeof *imports);
    if (!imports)
        return cn_fail_memory(c->error);
    if (!ref_of_object(c->snapshot, tag, imports, c->error))
        return false;
    c->snapshot->objects[number].imports = imports;
    c->snapshot->objects[number].import_count = 1;
    return capture_state(c, number);
}

static bool is_tag_of_host(const struct wasm_ref_t *ref) {
    return ref->kind == OBJECT_TAG && !((const struct catnap_tag_t *)ref)->defined;
}

static bool capture_object(struct capture *c, uint32_t number) {
    struct wasm_ref_t *ref = c->snapshot->objects[number].source;
    if (ref->kind == OBJECT_INSTANCE)
        return capture_instance(c, number, (wasm_instance_t *)ref) && capture_state(c, number);
    if (ref->kind == OBJECT_EXCEPTION)
        return capture_exception(c, number);
    if (!cn_state_of(ref->kind) || is_tag_of_host(ref))
        return capture_host(c, &c->snapshot->objects[number]);
    struct snap_object *object = &c->snapshot->objects[number];
    capture_type(object);
    return capture_state(c, number);
}

static void leave_out(wasm_instance_t *instance) {
    instance->ref.number = LEFT_OUT;
    for (struct state_walk walk = {0}; cn_state_next(instance, &walk);)
        walk.ref->number = LEFT_OUT;
}

/* Whether the object is in each snapshot: an instance, a memory or table within reach of one, a tag that one
 * defines. Others are added when an object refers to them. */
static bool is_listed(const struct wasm_ref_t *ref) {
    if (ref->kind == OBJECT_INSTANCE)
        return true;
    const struct state_kind *kind = ref->escaped ? cn_state_of(ref->kind) : NULL;
    return kind && cn_state_is_part(kind) && !is_tag_of_host(ref);
}

static bool list_objects(struct capture *c) {
    struct wasm_ref_t *head = &c->store->objects;
    size_t instances = 0;
    for (struct wasm_ref_t *ref = head->previous; ref != head; ref = ref->previous)
        ref->number = 0;
    for (struct wasm_ref_t *ref = head->previous; ref != head; ref = ref->previous)
        if (ref->kind == OBJECT_INSTANCE && !((wasm_instance_t *)ref)->counted)
            leave_out((wasm_instance_t *)ref);
    for (struct wasm_ref_t *ref = head->previous; ref != head; ref = ref->previous) {
        if (!is_listed(ref) || ref->number == LEFT_OUT)
            continue;
        instances += ref->kind == OBJECT_INSTANCE;
        if (!add_object(c->snapshot, ref, c->error))
            return false;
    }
    c->snapshot->modules =
        cn_arena_calloc(&c->snapshot->arena, instances + 1, sizeof *c->snapshot->modules);
    return c->snapshot->modules ? true : cn_fail_memory(c->error);
}

/* Types that only files of the other version have. A part of an instance has the type that its module declares. */
static bool check_type(catnap_snapshot_t *snapshot, const struct snap_object *object,
                       struct error *error) {
    valtype type = object->owner && object->type ? (valtype)vt_kind(object->type) : object->type;
    if (type == VT_BOTTOM || vt_is_basic(type))
        return true;
    snapshot->with_values = true;
    return !(type & VT_DEFINED) ||
           cn_fail(error, CATNAP_UNSUPPORTED,
                   "a table or global of the host has a type that a module defines");
}

/* ---- Pages ---- */

static bool is_zero(const uint8_t *page) {
    uint64_t word;
    memcpy(&word, page, sizeof word);
    return word == 0 && memcmp(page, page + 8, SNAP_PAGE - 8) == 0;
}

struct pages {
    struct capture *capture;
    uint32_t object;
    const uint8_t *base;
    bool failed;
};

static void note_pages(void *env, size_t from, size_t to) {
    struct pages *pages = env;
    catnap_snapshot_t *snapshot = pages->capture->snapshot;
    for (size_t at = from; at < to; at += SNAP_PAGE) {
        if (is_zero(pages->base + at))
            continue;
        struct snap_run *last =
            snapshot->run_count ? &snapshot->runs[snapshot->run_count - 1] : NULL;
        if (last && last->object == pages->object &&
            (last->first + last->count) * SNAP_PAGE == at) {
            last->count++;
            continue;
        }
        struct snap_run *run = cn_snapshot_add_run(snapshot);
        if (!run) {
            pages->failed = true;
            return;
        }
        *run = (struct snap_run){.object = pages->object,
                                 .first = at / SNAP_PAGE,
                                 .count = 1,
                                 .bytes = pages->base + at};
    }
}

/* Region and start bits of the heap. */
static bool capture_heap_pages(struct capture *c) {
    const struct heap *heap = c->store->machine.heap;
    struct pages region = {c, SNAP_REGION, heap ? heap->base : NULL, false};
    struct pages starts = {c, SNAP_STARTS, heap ? (const uint8_t *)heap->starts : NULL, false};
    note_pages(&region, 0, (size_t)cn_snap_pages(c->snapshot, SNAP_REGION) * SNAP_PAGE);
    note_pages(&starts, 0, (size_t)cn_snap_pages(c->snapshot, SNAP_STARTS) * SNAP_PAGE);
    return !(region.failed || starts.failed) || cn_fail_memory(c->error);
}

static bool capture_pages(struct capture *c, uint32_t number) {
    const wasm_memory_t *memory = (const wasm_memory_t *)c->snapshot->objects[number].source;
    struct error ignored;
    const struct tracker *tracker = cn_engine_tracker(c->store->engine, &ignored);
    struct pages pages = {c, number, memory->base, false};
    size_t before = c->snapshot->run_count;
    /* Untouched pages are zero, unless an image is behind them. */
    if (memory->imaged || cn_shadow_of(memory) || !tracker ||
        !cn_tracker_populated(tracker, memory->base, (size_t)memory->size, note_pages, &pages)) {
        c->snapshot->run_count = before; /* what was told before nothing more was */
        note_pages(&pages, 0, (size_t)memory->size);
    }
    return pages.failed ? cn_fail_memory(c->error) : true;
}

static catnap_snapshot_t *capture(wasm_store_t *store, struct catnap_run_t *run,
                                  const struct snap_naming *naming, struct error *error) {
    struct capture c = {.snapshot = cn_snapshot_new(store->engine, error),
                        .store = store,
                        .naming = naming,
                        .error = error};
    if (!c.snapshot)
        return NULL;
    c.snapshot->is_own = true;
    c.snapshot->fuel_enabled = store->machine.fuel_enabled;
    c.snapshot->interruptible = store->machine.interrupt.enabled;
    c.snapshot->fuel = cn_store_fuel_left(store);
    c.snapshot->fuel_paid = run ? cn_run_fuel(run) : 0;
    bool ok = list_objects(&c) && (!run || cn_frames_capture(c.snapshot, run, error)) &&
              cn_snap_heap_capture(c.snapshot, store, error);
    /* The list grows while its objects are looked at: references bring others in. */
    for (uint32_t i = 0; ok && i < c.snapshot->object_count; i++)
        ok = capture_object(&c, i);
    for (uint32_t i = 0; ok && i < c.snapshot->object_count; i++)
        ok = check_type(c.snapshot, &c.snapshot->objects[i], error);
    ok = ok && cn_snap_heap_types(c.snapshot, store, error);
    for (uint32_t i = 0; ok && i < c.snapshot->object_count; i++)
        if (cn_state_is_paged((enum object_kind)c.snapshot->objects[i].kind))
            ok = capture_pages(&c, i);
    if (ok && capture_heap_pages(&c))
        return c.snapshot;
    cn_snapshot_release(c.snapshot);
    return NULL;
}

/* A shared memory is captured as any, at the size that it has now, when its only view is the store's. */
static bool look_at_shared(const wasm_store_t *store, struct error *error) {
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next) {
        wasm_memory_t *memory = (wasm_memory_t *)ref;
        if (ref->kind != OBJECT_MEMORY || !memory->shared)
            continue;
        if (atomic_load(&memory->shared->views) != 1)
            return cn_fail(error, CATNAP_UNSUPPORTED,
                           "no snapshot can be made of a shared memory that has another view");
        cn_memory_look(memory);
    }
    return true;
}

/* So that equal stores give equal snapshots. Objects that only garbage of the heap keeps alive go, and then what these kept
 * alive in the heap. */
static void collect_all(wasm_store_t *store) {
    if (store->machine.heap)
        cn_heap_collect(store->machine.heap);
    uint64_t objects = store->object_count;
    cn_collect(store);
    if (store->machine.heap && store->object_count != objects)
        cn_heap_collect(store->machine.heap);
}

catnap_snapshot_t *cn_snapshot_capture(wasm_store_t *store, struct catnap_run_t *run,
                                       const struct snap_naming *naming, struct error *error) {
    collect_all(store);
    if (store->deleted) {
        cn_fail(error, CATNAP_MISUSE, "the store has been deleted");
        return NULL;
    }
    if (store->shared_memories > 0 && !look_at_shared(store, error))
        return NULL;
    cn_hold_collections(store); /* `name` may drop handles */
    catnap_snapshot_t *snapshot = capture(store, run, naming, error);
    cn_resume_collections(store);
    return snapshot;
}

/* ---- Owning ---- */

bool cn_snapshot_own(catnap_snapshot_t *snapshot, struct error *error) {
    size_t total = 0;
    for (size_t i = 0; i < snapshot->run_count; i++)
        total += (size_t)snapshot->runs[i].count * SNAP_PAGE;
    if (total == 0)
        return true;
    int image = cn_os_image_new(total);
    uint8_t *view = image < 0 ? NULL : cn_os_image_open(image, total);
    if (!view) {
        cn_os_image_delete(image);
        return cn_fail(error, CATNAP_NO_MEMORY, "cannot map %zu bytes for a snapshot", total);
    }
    size_t at = 0;
    for (size_t i = 0; i < snapshot->run_count; i++) {
        struct snap_run *run = &snapshot->runs[i];
        size_t size = (size_t)run->count * SNAP_PAGE;
        memcpy(view + at, run->bytes, size);
        run->bytes = view + at;
        run->offset = at;
        at += size;
    }
    snapshot->image = image;
    snapshot->view = view;
    snapshot->view_length = total;
    return true;
}
