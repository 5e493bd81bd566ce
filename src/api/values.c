/*
 * Values of the two headers, and slots: an i32 is zero-extended in its slot, an f32 lies in the low
 * half, a reference is the object's address, a v128 takes two slots, the low lanes first. The
 * processor is little-endian, as WebAssembly is.
 */
#include "api/api.h"

#include <string.h>

#include "runtime/gc.h"

/* Both structs begin with the kind and have the value at the same place. */
_Static_assert(offsetof(wasm_val_t, of) == 8 && sizeof(wasm_val_t) == 16, "layout of wasm_val_t");
_Static_assert(offsetof(catnap_val_t, of) == 8 && sizeof(catnap_val_t) == 24,
               "layout of catnap_val_t");

#define VALUE_OFFSET 8

static wasm_valkind_t *kind_at(struct values values, size_t i) {
    return (wasm_valkind_t *)((uint8_t *)values.data + i * values.stride);
}

static void *value_at(struct values values, size_t i) {
    return (uint8_t *)values.data + i * values.stride + VALUE_OFFSET;
}

static struct wasm_ref_t *ref_at(struct values values, size_t i) {
    struct wasm_ref_t *ref;
    memcpy(&ref, value_at(values, i), sizeof ref);
    return ref;
}

static bool is_ref_at(struct values values, size_t i) {
    return wasm_valkind_is_ref(*kind_at(values, i));
}

bool cn_values_have_room(struct values values, const valtype *types, uint32_t count) {
    if (values.stride >= sizeof(catnap_val_t))
        return true;
    for (uint32_t i = 0; i < count; i++)
        if (types[i] == VT_V128)
            return false;
    return true;
}

const char cn_value_no_memory[] = "takes more memory than there is";

/* Bytes of a value of this type; references are pointers. */
static size_t value_size(valtype type) {
    return vt_is_ref(type) ? sizeof(struct wasm_ref_t *) : field_size(type);
}

/* A reference may carry either kind of reference, as long as the object fits: WASM_REF_VAL makes
 * every one an externref. */
static const char *ref_to_slot(wasm_store_t *store, struct values values, size_t i, valtype type,
                               uint64_t *slot) {
    if (!is_ref_at(values, i))
        return "is not a reference";
    struct wasm_ref_t *ref = ref_at(values, i);
    if (ref && ref->store != store)
        return "is a reference of another store";
    const char *fault = cn_ref_fault(&store->engine->types, ref, type);
    if (!fault && !cn_slot_of_ref(store, type, ref, slot))
        return cn_value_no_memory;
    return fault;
}

static const char *to_slots(wasm_store_t *store, struct values values, const valtype *types,
                            uint64_t *slots, uint32_t *done, size_t *bad) {
    for (size_t i = 0; i < values.count; i++) {
        const char *wrong = NULL;
        if (vt_is_ref(types[i])) {
            wrong = ref_to_slot(store, values, i, types[i], slots);
        } else if (*kind_at(values, i) == cn_kind_of_valtype(types[i])) {
            slots[0] = 0;
            memcpy(slots, value_at(values, i), value_size(types[i]));
        } else {
            wrong = "is of another type";
        }
        if (wrong) {
            *bad = i;
            return wrong;
        }
        slots += vt_slots(types[i]);
        *done += vt_slots(types[i]);
    }
    return NULL;
}

/* A host object becomes a new object of the heap, which must not free those before it. */
const char *cn_values_to_slots(wasm_store_t *store, struct values values, const valtype *types,
                               uint64_t *slots, size_t *bad) {
    uint32_t done = 0;
    struct gc_temporaries temporaries = {slots, &done, 1, store->temporaries};
    store->temporaries = &temporaries;
    const char *wrong = to_slots(store, values, types, slots, &done, bad);
    store->temporaries = temporaries.outer;
    return wrong;
}

/* Writes all bytes of an element; what a slot has beyond the value is zero. */
static void set_element(struct values values, size_t i, valtype type, uint64_t low, uint64_t high) {
    uint64_t kind = cn_kind_of_valtype(type); /* the first byte, and zeroes behind it */
    uint8_t *value = value_at(values, i);
    memcpy(kind_at(values, i), &kind, sizeof kind);
    memcpy(value, &low, sizeof low);
    if (values.stride == sizeof(catnap_val_t))
        memcpy(value + sizeof low, &high, sizeof high);
}

void cn_slots_narrow(uint64_t *slots, uint32_t slot_count, const valtype *types) {
    for (uint32_t slot = 0; slot < slot_count; slot += vt_slots(*types++))
        if (value_size(*types) == 4)
            slots[slot] = (uint32_t)slots[slot];
}

void cn_values_zero(struct values values, const valtype *types) {
    for (size_t i = 0; i < values.count; i++)
        set_element(values, i, types[i], 0, 0);
}

void cn_values_release(struct values values) {
    for (size_t i = 0; i < values.count; i++)
        if (is_ref_at(values, i) && ref_at(values, i))
            cn_object_release(ref_at(values, i));
}

static void retain(struct values values) {
    for (size_t i = 0; i < values.count; i++)
        if (is_ref_at(values, i) && ref_at(values, i))
            cn_object_retain(ref_at(values, i));
}

/* The same value as an element has it, without a handle. False when memory is exhausted. */
static bool expose(wasm_store_t *store, valtype type, uint64_t *low) {
    struct wasm_ref_t *ref = NULL;
    if (!vt_is_ref(type) || *low == 0)
        return true;
    bool good = cn_ref_of_slot(store, type, *low, &ref);
    *low = (uint64_t)(uintptr_t)ref;
    return good;
}

bool cn_values_give(wasm_store_t *store, struct values values, const valtype *types,
                    const uint64_t *slots) {
    bool good = true;
    for (size_t i = 0; i < values.count; i++) {
        uint32_t count = vt_slots(types[i]);
        uint64_t low = slots[0];
        good &= expose(store, types[i], &low);
        set_element(values, i, types[i], low, count > 1 ? slots[1] : 0);
        slots += count;
    }
    retain(values);
    if (good)
        return true;
    cn_values_release(values);
    cn_values_zero(values, types);
    return false;
}

/* ---- wasm.h ---- */

void wasm_val_delete(wasm_val_t *value) {
    if (!value || !wasm_valkind_is_ref(value->kind))
        return;
    struct wasm_ref_t *ref = value->of.ref;
    value->of.ref = NULL;
    if (ref)
        cn_object_drop(ref);
}

void wasm_val_copy(wasm_val_t *out, const wasm_val_t *from) {
    *out = from ? *from : (wasm_val_t)WASM_INIT_VAL;
    if (!from)
        return;
    if (wasm_valkind_is_ref(from->kind) && from->of.ref)
        cn_object_retain(from->of.ref);
}

/* ---- Slots of references ---- */

uint64_t catnap_slot_of_ref(wasm_ref_t *ref) {
    uint64_t slot = 0;
    if (ref)
        cn_slot_of_ref(ref->store, VT_EXTERNREF, ref, &slot);
    return slot;
}

wasm_ref_t *catnap_ref_of_slot(uint64_t slot) {
    if (slot & 1) /* a value of the heap as externref: it has no object of its own */
        return NULL;
    if (slot)
        cn_object_retain(slot_object(slot));
    return slot_object(slot);
}
