/*
 * The heap of a store in a snapshot. Region and start bits are pages, as those of memories are; types are kept by the
 * modules that define them, the side table as references. All else is computed from these (heap/save.c), and held against
 * the types when the snapshot comes from elsewhere.
 */
#include "persist/snapshot.h"

#include <inttypes.h>

#include "base/assert.h"
#include "runtime/state.h"
#include "runtime/store.h"

#define FIRST_TYPE (HEAP_BOX_TYPE + 1)

/* ---- Pages ---- */

static uint64_t pages_of(uint64_t bytes) {
    return bytes / SNAP_PAGE + (bytes % SNAP_PAGE > 0);
}

static uint64_t start_bytes(uint64_t region) {
    return heap_start_words(region) * sizeof(uint64_t);
}

uint64_t cn_snap_pages(const catnap_snapshot_t *s, uint32_t object) {
    if (object == SNAP_REGION)
        return pages_of(s->heap.bytes);
    if (object == SNAP_STARTS)
        return pages_of(start_bytes(s->heap.bytes));
    return object < s->object_count && cn_state_is_paged((enum object_kind)s->objects[object].kind)
               ? s->objects[object].size / SNAP_PAGE
               : 0;
}

/* ---- Capturing ---- */

/* Which numbers objects have goes to types[].index for now. */
static bool tidy(catnap_snapshot_t *s, struct heap *heap, struct error *error) {
    uint32_t end = heap->type_index.end;
    uint8_t *used = cn_arena_calloc(&s->arena, end, 1);
    struct snap_type *types = cn_arena_calloc(&s->arena, end - FIRST_TYPE, sizeof *types);
    if (!used || !types)
        return cn_fail_memory(error);
    s->heap.bytes = cn_heap_tidy(heap, used);
    for (uint32_t i = FIRST_TYPE; i < end; i++)
        types[i - FIRST_TYPE] = (struct snap_type){NO_MODULE, used[i]};
    s->heap.types = types;
    s->heap.type_count = end - FIRST_TYPE;
    return true;
}

static bool capture_side(catnap_snapshot_t *s, const struct heap *heap, struct error *error) {
    uint32_t end = heap->side.end;
    while (end > 1 && !cn_numbering_has(&heap->side, end - 1))
        end--;
    struct snap_ref *side = cn_arena_calloc(&s->arena, end, sizeof *side);
    if (!side)
        return cn_fail_memory(error);
    for (uint32_t i = 1; i < end; i++)
        if (cn_numbering_has(&heap->side, i) &&
            !cn_snap_ref_of(s, KIND_EXTERN, heap->side.keys[i], &side[i - 1], error))
            return false;
    s->heap.side = side;
    s->heap.side_count = end - 1;
    return true;
}

static bool keep(catnap_snapshot_t *s, const struct heap *heap, struct error *error) {
    void *kept = cn_arena_alloc(&s->arena, cn_heap_kept_bytes(s->heap.bytes));
    if (!kept)
        return cn_fail_memory(error);
    cn_heap_keep(heap, s->heap.bytes, kept);
    s->heap.kept = kept;
    s->heap.live = heap->stats.live;
    return true;
}

bool cn_snap_heap_capture(catnap_snapshot_t *s, wasm_store_t *store, struct error *error) {
    struct heap *heap = store->machine.heap;
    if (!heap)
        return true;
    if (!tidy(s, heap, error))
        return false;
    if (s->heap.bytes == 0) {
        s->heap = (struct snap_heap){0};
        return true;
    }
    s->with_values = true;
    return keep(s, heap, error) && capture_side(s, heap, error);
}

/* The first module that defines a type names it. */
static void name_types(const struct heap *heap, const struct module *module, uint32_t number,
                       struct snap_type *types) {
    for (uint32_t i = 0; i < module->object_types; i++) {
        const struct deftype *def = module->types[i];
        uint32_t type = def->kind == TYPE_FUNC ? 0 : cn_heap_find_type(heap, dt_fields(def));
        if (type >= FIRST_TYPE && types[type - FIRST_TYPE].module == NO_MODULE)
            types[type - FIRST_TYPE] = (struct snap_type){number, i};
    }
}

bool cn_snap_heap_types(catnap_snapshot_t *s, const wasm_store_t *store, struct error *error) {
    struct snap_type *types = (struct snap_type *)(uintptr_t)s->heap.types;
    for (uint32_t i = 0; i < s->module_count && s->heap.bytes > 0; i++)
        name_types(store->machine.heap, s->modules[i].shared->module, i, types);
    for (uint32_t i = 0; i < s->heap.type_count; i++) {
        if (types[i].module != NO_MODULE)
            continue;
        if (types[i].index)
            return cn_fail(error, CATNAP_UNSUPPORTED,
                           "the store has an object whose type is of a module without instances");
    }
    return true;
}

/* ---- Restoring ---- */

static bool add_type(const catnap_snapshot_t *s, wasm_store_t *store, uint32_t number,
                     struct error *error) {
    struct snap_type type = s->heap.types[number - FIRST_TYPE];
    struct heap *heap = store->machine.heap;
    if (type.module == NO_MODULE)
        return cn_heap_skip_type(heap, error);
    const struct module *module =
        type.module < s->module_count ? s->modules[type.module].shared->module : NULL;
    const struct deftype *def =
        module && type.index < module->object_types ? module->types[type.index] : NULL;
    if (!def || def->kind == TYPE_FUNC || cn_heap_find_type(heap, dt_fields(def)))
        return cn_fail(error, CATNAP_MALFORMED,
                       "the snapshot's heap: type %u is no type of its own", number);
    if (!cn_heap_add_type(heap, dt_fields(def), error))
        return false;
    cn_types_retain(&store->engine->types, def);
    return true;
}

/* Whether each module that names a type has an instance, as when it was captured. */
static bool check_modules(const catnap_snapshot_t *s, struct alloc *alloc, struct error *error) {
    uint8_t *used = cn_calloc(alloc, s->module_count, 1);
    bool ok = true;
    if (!used)
        return cn_fail_memory(error);
    for (uint32_t i = 0; i < s->object_count; i++)
        if (s->objects[i].kind == OBJECT_INSTANCE)
            used[s->objects[i].module] = 1;
    for (uint32_t i = 0; i < s->heap.type_count; i++) {
        uint32_t module = s->heap.types[i].module;
        ok &= module >= s->module_count || used[module];
    }
    cn_free(alloc, used, s->module_count);
    return ok || cn_fail(error, CATNAP_MALFORMED,
                         "the snapshot's heap: a type of a module without instances");
}

bool cn_snap_heap_make(const catnap_snapshot_t *s, wasm_store_t *store, struct error *error) {
    if (!check_modules(s, store->alloc, error) || !cn_gc_prepare(store, error))
        return false;
    struct heap *heap = store->machine.heap;
    uint64_t unit = heap_unit_bytes(heap);
    for (uint32_t i = 0; i < s->heap.type_count; i++)
        if (!add_type(s, store, FIRST_TYPE + i, error))
            return false;
    if (s->heap.bytes > LIMIT_HEAP_BYTES)
        return cn_fail(error, CATNAP_LIMIT, "a heap of %" PRIu64 " bytes exceeds the limit",
                       s->heap.bytes);
    return cn_heap_prepare(heap, (s->heap.bytes + unit - 1) / unit * unit, error);
}

static bool restore_side(const catnap_snapshot_t *s, const struct snap_made *made,
                         struct heap *heap, struct error *error) {
    uint32_t end = s->heap.side_count + 1;
    uint64_t *slots = cn_calloc(heap->alloc, end, sizeof *slots);
    bool ok = slots || cn_fail_memory(error);
    for (uint32_t i = 1; ok && i < end; i++) {
        struct snap_ref ref = s->heap.side[i - 1];
        if (ref.tag == SNAP_CONVERTED)
            slots[i] = heap_extern_slot(ref.object); /* check_converted() */
        else
            ok = cn_snap_slot_of(s, made, KIND_EXTERN, ref, &slots[i], error);
    }
    ok = ok && cn_heap_restore_side(heap, slots, end, error);
    cn_free(heap->alloc, slots, end * sizeof *slots);
    return ok;
}

/* Those that no field has, too. */
static bool check_converted(const catnap_snapshot_t *s, const struct heap *heap,
                            struct error *error) {
    for (uint32_t i = 0; i < s->heap.side_count; i++) {
        struct snap_ref ref = s->heap.side[i];
        if (ref.tag == SNAP_CONVERTED && (ref.object == 0 || !cn_heap_has(heap, ref.object)))
            return cn_fail(error, CATNAP_MALFORMED,
                           "the snapshot's heap: a converted reference to no object");
    }
    return true;
}

/* Start bits in the last page that lie behind what is committed would be bits of blocks to come. */
static bool check_end(const catnap_snapshot_t *s, const struct heap *heap, struct error *error) {
    uint64_t end = pages_of(start_bytes(s->heap.bytes)) * SNAP_PAGE / sizeof(uint64_t);
    uint64_t unit = heap_unit_bytes(heap), committed = (s->heap.bytes + unit - 1) / unit * unit;
    for (uint64_t i = heap_start_words(committed); i < end; i++)
        if (heap->starts[i])
            return cn_fail(error, CATNAP_MALFORMED, "the snapshot's heap: objects behind its end");
    return true;
}

struct fit {
    const struct snap_made *made;
    const struct type_registry *registry;
};

static bool fits(void *env, uint64_t slot, valtype type) {
    const struct fit *fit = env;
    return !cn_snap_slot_fault(fit->made, fit->registry, slot, type);
}

bool cn_snap_heap_finish(const catnap_snapshot_t *s, wasm_store_t *store, struct snap_made *made,
                         struct error *error) {
    struct heap *heap = store->machine.heap;
    struct fit fit = {made, &store->engine->types};
    struct heap_check check = {&store->engine->types, &fit, fits};
    if (!restore_side(s, made, heap, error))
        return false;
    made->heap = heap;
    if (s->is_own) {
        cn_heap_resume(heap, s->heap.bytes, s->heap.live, s->heap.kept);
        return true;
    }
    return check_end(s, heap, error) && cn_heap_rebuild(heap, error) &&
           check_converted(s, heap, error) && cn_heap_verify(heap, &check, error);
}
