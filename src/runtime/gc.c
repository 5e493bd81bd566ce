#include "runtime/gc.h"

#include <string.h>

#include "bytecode/code.h"
#include "runtime/bulk.h"
#include "runtime/collect.h"
#include "runtime/state.h"
#include "runtime/store.h"

/* ---- Roots ---- */

/* A value whose type is known: a handle, or an extern slot that may stand for one. */
static void mark_value(struct heap *heap, valtype type, uint64_t slot) {
    switch (vt_kind(type)) {
    case KIND_ANY:
        cn_heap_mark(heap, (uint32_t)slot);
        break;
    case KIND_EXTERN:
        if (heap_slot_is_converted(slot))
            cn_heap_mark(heap, heap_converted(slot));
        break;
    default:
        break;
    }
}

/* Slots of one type: most tables have functions, which are not looked at. */
static void mark_slots(struct heap *heap, valtype type, const uint64_t *slots, uint64_t count) {
    if (vt_kind(type) != KIND_ANY && vt_kind(type) != KIND_EXTERN)
        return;
    for (uint64_t i = 0; i < count; i++)
        mark_value(heap, type, slots[i]);
}

static void mark_items(struct heap *heap, const struct state_kind *kind,
                       const struct wasm_ref_t *ref) {
    struct state_items items = cn_state_items(kind, ref);
    const uint64_t *slots = items.at;
    if (kind->form == STATE_REFS)
        mark_slots(heap, kind->type(ref, 0), slots, items.count);
    for (uint32_t i = 0; kind->form == STATE_VALUES && i < items.count; i++)
        mark_value(heap, kind->type(ref, i), slots[2 * (size_t)i]);
}

static void mark_elements(struct heap *heap, const wasm_instance_t *instance) {
    for (uint32_t i = 0; i < instance->module->elem_count; i++) {
        const uint64_t *slots;
        uint32_t count = cn_elem_items_read(instance->elem_items[i], &slots);
        mark_slots(heap, instance->module->elems[i].type, slots, count);
    }
}

static void mark_object(struct heap *heap, const struct wasm_ref_t *ref) {
    FOR_EACH_STATE_OF (kind, ref->kind)
        mark_items(heap, kind, ref);
    if (ref->kind == OBJECT_INSTANCE)
        mark_elements(heap, (const wasm_instance_t *)ref);
    if (ref->kind == OBJECT_HEAP)
        cn_heap_mark(heap, ((const struct heap_ref *)ref)->handle);
}

static void mark_roots(void *env, struct heap *heap) {
    const wasm_store_t *store = env;
    for (const struct value_stack *stack = store->machine.stacks; stack; stack = stack->next)
        cn_heap_mark_slots(heap, stack->base, stack->top);
    for (const struct gc_temporaries *t = store->temporaries; t; t = t->outer)
        cn_heap_mark_slots(heap, t->slots, t->slots + (size_t)*t->count * t->width);
    for (const struct wasm_ref_t *ref = store->objects.next; ref != &store->objects;
         ref = ref->next)
        mark_object(heap, ref);
}

/* ---- The heap of a store ---- */

static bool take(void *env, uint64_t bytes) {
    wasm_store_t *store = env;
    uint64_t used = store->machine.heap->stats.committed, limit = store->limits.heap_bytes;
    return used <= limit && bytes <= limit - used && bytes <= cn_store_room(store) &&
           cn_store_take_memory(store, bytes);
}

static void give(void *env, uint64_t bytes) {
    cn_store_give_memory(env, bytes);
}

#ifdef CATNAP_ZEAL /* test builds collect at each allocation */
#define POLICY HEAP_EVERY
#else
#define POLICY HEAP_NORMAL
#endif

bool cn_gc_prepare(wasm_store_t *store, struct error *error) {
    const struct heap_owner owner = {.env = store, .roots = mark_roots, .take = take, .give = give};
    const struct heap_config config = {.policy = POLICY, .registry = &store->engine->types};
    if (store->machine.heap)
        return cn_gc_owns_pages(store, error);
    store->machine.heap = cn_heap_new(store->alloc, &owner, &config, error);
    return store->machine.heap != NULL;
}

/* The heap holds the types that it has numbers for. */
void cn_gc_drop(wasm_store_t *store) {
    struct heap *heap = store->machine.heap;
    if (!heap)
        return;
    for (uint32_t i = HEAP_BOX_TYPE + 1; i < heap->type_index.end; i++)
        if (heap->defs[i])
            cn_types_release(&store->engine->types, &heap->defs[i]->def);
    cn_heap_delete(heap);
    store->machine.heap = NULL;
}

uint32_t cn_gc_type_number(wasm_store_t *store, const struct deftype *def, struct error *error) {
    struct heap *heap = store->machine.heap;
    uint32_t end = heap->type_index.end, number = cn_heap_add_type(heap, dt_fields(def), error);
    if (number && heap->type_index.end != end)
        cn_types_retain(&store->engine->types, def);
    return number;
}

static bool number_type(wasm_instance_t *instance, uint32_t type, struct error *error) {
    const struct deftype *def = instance->module->types[type];
    if (def->kind == TYPE_FUNC)
        return true;
    uint32_t number = cn_gc_type_number(instance->ref.store, def, error);
    instance->type_numbers[type] = number;
    return number != 0;
}

bool cn_gc_number_types(wasm_instance_t *instance, struct error *error) {
    if (instance->module->object_types == 0)
        return true;
    if (!cn_gc_prepare(instance->ref.store, error))
        return false;
    for (uint32_t i = 0; i < instance->module->object_types; i++)
        if (!number_type(instance, i, error))
            return false;
    return true;
}

/* ---- Values in objects ---- */

static bool is_handle(uint32_t field) {
    return vt_kind(field_type(field)) == KIND_ANY;
}

void cn_gc_read(const struct heap *heap, uint64_t at, uint32_t field, bool is_signed,
                uint64_t *slots) {
    uint32_t word = 0;
    slots[0] = 0;
    if (vt_is_ref(field_type(field))) {
        word = heap_load(heap, at);
        slots[0] = is_handle(field) ? word : heap_side_slot(heap, word);
    } else if (field_is_packed(field)) {
        memcpy(&word, heap->base + at, field_size(field));
        if (is_signed)
            word = field_type(field) == VT_I8 ? (uint32_t)(int8_t)word : (uint32_t)(int16_t)word;
        slots[0] = word;
    } else {
        memcpy(slots, heap->base + at, field_size(field));
    }
}

bool cn_gc_write(struct heap *heap, uint64_t at, uint32_t field, bool fresh,
                 const uint64_t *slots) {
    uint32_t word = (uint32_t)slots[0];
    if (!vt_is_ref(field_type(field))) {
        memcpy(heap->base + at, slots, field_size(field));
        return true;
    }
    bool side = !is_handle(field);
    if (side && !cn_heap_side_number(heap, slots[0], &word))
        return false;
    if (!fresh)
        cn_heap_overwrite(heap, heap_load(heap, at), side);
    heap_store(heap, at, word);
    return true;
}

/* The first value is doubled up to so many bytes, then these are repeated. */
#define FILL_BYTES 4096u

/* The same value in `count` fields side by side. */
static bool fill(struct heap *heap, uint64_t at, uint32_t field, bool fresh, const uint64_t *slots,
                 uint64_t count) {
    uint64_t size = field_size(field), total = count * size;
    if (count == 0)
        return true;
    if (vt_is_ref(field_type(field)) && !fresh)
        cn_heap_overwrite_range(heap, at, (uint32_t)count, !is_handle(field));
    if (!cn_gc_write(heap, at, field, true, slots))
        return false;
    for (uint64_t done = size; done < total;) {
        uint64_t piece = done < FILL_BYTES ? done : FILL_BYTES;
        piece = piece < total - done ? piece : total - done;
        memcpy(heap->base + at + done, heap->base + at, piece);
        done += piece;
    }
    return true;
}

/* Whether to stop after so many of `total` bytes: the rest can wait, and an interrupt is asked for. */
static bool stops_after(const wasm_instance_t *instance, uint64_t done, uint64_t total,
                        bool divisible) {
    return divisible && done < total && cn_interrupted(&instance->machine->interrupt);
}

static uint64_t piece_of(uint64_t left) {
    return left < BULK_PIECE_BYTES ? left : BULK_PIECE_BYTES;
}

/* ---- New objects ---- */

uint32_t cn_gc_make_struct(struct heap *heap, uint32_t number, const uint64_t *slots,
                           uint32_t stride) {
    const struct fieldtypes *def = heap->defs[number];
    uint32_t object = cn_heap_new_struct(heap, number);
    for (uint32_t i = 0; object && slots && i < def->def.count; i++) {
        if (!cn_gc_write(heap, heap_offset(object) + dt_offsets(def)[i], def->fields[i], true,
                         slots))
            return 0;
        slots += stride ? stride : vt_slots(field_value(def->fields[i]));
    }
    return object;
}

uint32_t cn_gc_make_array(struct heap *heap, uint32_t number, const uint64_t *value,
                          uint32_t length) {
    uint32_t field = heap->defs[number]->fields[0];
    uint32_t array = cn_heap_new_array(heap, number, length, !value);
    if (array && value &&
        !fill(heap, cn_gc_element_at(array, field, 0), field, true, value, length))
        return 0;
    return array;
}

uint32_t cn_gc_make_fixed(struct heap *heap, uint32_t number, const uint64_t *slots,
                          uint32_t stride, uint32_t count) {
    uint32_t field = heap->defs[number]->fields[0];
    uint32_t array = cn_heap_new_array(heap, number, count, false);
    for (uint32_t i = 0; array && i < count; i++) {
        if (!cn_gc_write(heap, cn_gc_element_at(array, field, i), field, true, slots))
            return 0;
        slots += stride ? stride : vt_slots(field_value(field));
    }
    return array;
}

uint32_t cn_gc_new_struct(wasm_instance_t *instance, uint32_t type, const uint64_t *slots,
                          uint32_t stride) {
    return cn_gc_make_struct(instance->machine->heap, instance->type_numbers[type], slots, stride);
}

uint32_t cn_gc_new_array(wasm_instance_t *instance, uint32_t type, const uint64_t *value,
                         uint32_t length) {
    return cn_gc_make_array(instance->machine->heap, instance->type_numbers[type], value, length);
}

uint32_t cn_gc_new_fixed(wasm_instance_t *instance, uint32_t type, const uint64_t *slots,
                         uint32_t stride, uint32_t count) {
    return cn_gc_make_fixed(instance->machine->heap, instance->type_numbers[type], slots, stride,
                            count);
}

/* ---- Ranges ---- */

bool cn_gc_fill(wasm_instance_t *instance, uint32_t type, uint32_t array, uint32_t start,
                const uint64_t *value, uint32_t count, bool divisible, uint32_t *filled) {
    struct heap *heap = instance->machine->heap;
    uint32_t field = cn_gc_element(instance, type),
             most = (uint32_t)(BULK_PIECE_BYTES / field_size(field));
    uint64_t total = (uint64_t)count * field_size(field),
             at = cn_gc_element_at(array, field, start);
    uint32_t done = 0;
    bool ok = true;
    do {
        uint32_t piece = count - done < most ? count - done : most;
        ok = fill(heap, at + (uint64_t)done * field_size(field), field, false, value, piece);
        done += piece;
    } while (ok && done < count &&
             !stops_after(instance, (uint64_t)done * field_size(field), total, divisible));
    *filled = done;
    return ok;
}

bool cn_gc_segment_has(const wasm_instance_t *instance, uint32_t type, uint32_t segment,
                       uint32_t from, uint32_t count) {
    uint32_t field = cn_gc_element(instance, type);
    if (vt_is_ref(field_type(field)))
        return (uint64_t)from + count <= cn_instance_elem_count(instance, segment);
    return from + (uint64_t)count * field_size(field) <= cn_instance_data(instance, segment).length;
}

enum elem_items_result cn_gc_read_segment(wasm_instance_t *instance, uint32_t type,
                                          uint32_t segment, uint32_t end) {
    const uint64_t *items;
    if (end == 0 || !vt_is_ref(field_type(cn_gc_element(instance, type))))
        return ITEMS_OK;
    return cn_instance_elem_items(instance, segment, end, &items);
}

static bool init_elements(wasm_instance_t *instance, uint64_t at, uint32_t field, uint32_t segment,
                          uint32_t from, uint32_t count, bool fresh) {
    const uint64_t *items = NULL;
    if (cn_instance_elem_items(instance, segment, from + count, &items) != ITEMS_OK)
        return false;
    for (uint32_t i = 0; i < count; i++, at += field_size(field))
        if (!cn_gc_write(instance->machine->heap, at, field, fresh, &items[from + i]))
            return false;
    return true;
}

bool cn_gc_init(wasm_instance_t *instance, uint32_t type, uint32_t array, uint32_t to,
                uint32_t segment, uint32_t from, uint32_t count, bool fresh) {
    const struct heap *heap = instance->machine->heap;
    uint32_t field = cn_gc_element(instance, type);
    uint64_t at = cn_gc_element_at(array, field, to);
    if (count == 0)
        return true;
    if (vt_is_ref(field_type(field)))
        return init_elements(instance, at, field, segment, from, count, fresh);
    struct span bytes = cn_instance_data(instance, segment);
    memcpy(heap->base + at, instance->module->bytes + bytes.offset + from,
           (size_t)count * field_size(field));
    return true;
}

static void copy_piece(struct heap *heap, uint32_t field, uint64_t to, uint64_t from,
                       uint64_t bytes) {
    if (vt_is_ref(field_type(field)))
        cn_heap_overwrite_range(heap, to, (uint32_t)(bytes / sizeof(uint32_t)), !is_handle(field));
    memmove(heap->base + to, heap->base + from, bytes);
}

uint32_t cn_gc_copy(wasm_instance_t *instance, uint32_t type, uint32_t to_array, uint32_t to,
                    uint32_t from_array, uint32_t from, uint32_t count, bool divisible) {
    struct heap *heap = instance->machine->heap;
    uint32_t field = cn_gc_element(instance, type);
    uint64_t total = (uint64_t)count * field_size(field), done = 0;
    uint64_t target = cn_gc_element_at(to_array, field, to),
             source = cn_gc_element_at(from_array, field, from);
    if (likely(total <= BULK_PIECE_BYTES)) {
        copy_piece(heap, field, target, source, total);
        return count;
    }
    bool from_the_end = cn_copies_from_the_end(target, source, total);
    do {
        uint64_t left = total - done, piece = piece_of(left),
                 at = from_the_end ? left - piece : done;
        copy_piece(heap, field, target + at, source + at, piece);
        done += piece;
    } while (done < total && !stops_after(instance, done, total, divisible));
    return (uint32_t)(done / field_size(field));
}

/* ---- Casts and conversions ---- */

/* The abstract heap types right above an object, by its kind. */
static bool object_matches(const struct heap *heap, uint32_t handle, uint32_t target) {
    bool i31 = heap_is_i31(handle);
    enum heap_kind kind = i31 ? HEAP_BOX : (enum heap_kind)heap_type_of(heap, handle)->kind;
    switch (target) {
    case VT_ANYREF:
        return true;
    case VT_EQREF:
        return i31 || kind != HEAP_BOX;
    case VT_I31REF:
        return i31;
    case VT_STRUCTREF:
        return !i31 && kind == HEAP_STRUCT;
    case VT_ARRAYREF:
        return !i31 && kind == HEAP_ARRAY;
    default: /* none */
        return false;
    }
}

bool cn_gc_matches(const wasm_instance_t *instance, uint64_t slot, uint32_t target,
                   uint32_t flags) {
    const struct heap *heap = instance->machine->heap;
    uint32_t handle = (uint32_t)slot;
    if (flags & CAST_FUNC) {
        const struct functype *type = ((const wasm_func_t *)(uintptr_t)slot)->type;
        return dt_is_sub(&type->def, instance->module->types[target]);
    }
    CN_ASSERT(!(flags & CAST_OBJECT));
    if (vt_kind(target) == KIND_ANY)
        return object_matches(heap, handle, target);
    return target == (uint32_t)vt_kind(target); /* the top of its hierarchy, else the bottom */
}

bool cn_gc_internalize(wasm_store_t *store, uint64_t slot, uint64_t *any) {
    struct error error;
    *any = 0;
    if (slot == 0)
        return true;
    if (heap_slot_is_converted(slot))
        *any = heap_converted(slot);
    else if (cn_gc_prepare(store, &error))
        *any = cn_heap_new_box(store->machine.heap, slot);
    return *any != 0;
}

uint64_t cn_gc_externalize(const struct heap *heap, uint64_t any) {
    uint32_t handle = (uint32_t)any;
    if (heap_is_object(handle) && heap_type_of(heap, handle)->kind == HEAP_BOX)
        return heap_side_slot(heap, heap_load(heap, heap_offset(handle) + HEAP_BOX_OFFSET));
    return heap_extern_slot(handle);
}

/* ---- References that the host holds ---- */

static bool wrap(wasm_store_t *store, uint32_t handle, struct wasm_ref_t **ref) {
    struct heap_ref *wrapped = cn_calloc(store->alloc, 1, sizeof *wrapped);
    if (!wrapped)
        return false;
    cn_object_init(&wrapped->ref, OBJECT_HEAP, store);
    wrapped->ref.escaped =
        false; /* its last handle frees it, and what it keeps in the heap may go */
    wrapped->handle = handle;
    *ref = &wrapped->ref;
    return true;
}

bool cn_ref_of_slot(wasm_store_t *store, valtype type, uint64_t slot, struct wasm_ref_t **ref) {
    struct error error;
    if (vt_kind(type) == KIND_ANY && slot) {
        if (!cn_gc_owns_pages(store, &error))
            return false;
        slot = cn_gc_externalize(store->machine.heap, slot);
    }
    if (heap_slot_is_converted(slot))
        return wrap(store, heap_converted(slot), ref);
    *ref = slot_object(slot);
    return true;
}

bool cn_slot_of_ref(wasm_store_t *store, valtype type, struct wasm_ref_t *ref, uint64_t *slot) {
    bool of_heap = ref && ref->kind == OBJECT_HEAP;
    *slot = of_heap ? heap_extern_slot(((struct heap_ref *)ref)->handle) : object_slot(ref);
    return vt_kind(type) != KIND_ANY || cn_gc_internalize(store, *slot, slot);
}

const char *cn_heap_ref_fault(const struct wasm_ref_t *ref, valtype type) {
    const struct heap *heap = ref->store->machine.heap;
    valtype heap_type = type & ~VT_NON_NULL;
    if (ref->kind != OBJECT_HEAP)
        return heap_type == VT_ANYREF ? NULL : "is a host object";
    uint32_t handle = ((const struct heap_ref *)ref)->handle;
    struct error error;
    if (!cn_gc_owns_pages(ref->store, &error))
        return "is to an object that the parent process has changed";
    if (!(type & VT_DEFINED))
        return object_matches(heap, handle, heap_type) ? NULL : "is an object of another type";
    const struct deftype *def = cn_types_get(&ref->store->engine->types, type & VT_ID);
    return !heap_is_i31(handle) && heap_is_of(heap, handle, def->id, def->depth)
               ? NULL
               : "is an object of another type";
}
