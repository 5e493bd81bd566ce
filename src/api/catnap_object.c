/* Structures, arrays and numbers of 31 bits of catnap.h. */
#include "api/deftype.h"
#include "runtime/gc.h"

#include <inttypes.h>

/* ---- Objects ---- */

/* The handle of a structure or array that the reference is to, or 0. */
static uint32_t object_of(const wasm_ref_t *ref) {
    struct error error;
    uint32_t handle = ref && ref->kind == OBJECT_HEAP ? ((const struct heap_ref *)ref)->handle : 0;
    return heap_is_object(handle) && cn_gc_owns_pages(ref->store, &error) ? handle : 0;
}

const struct fieldtypes *cn_ref_fieldtypes(const wasm_ref_t *ref) {
    uint32_t handle = object_of(ref);
    if (!handle)
        return NULL;
    const struct heap *heap = ref->store->machine.heap;
    return heap->defs[heap_type_number(heap, handle)];
}

static const char *const nouns[] = {[TYPE_STRUCT] = "a structure", [TYPE_ARRAY] = "an array"};

/* The type when it is of this kind; NULL and *error: the reference is to something else. */
static const struct fieldtypes *type_of(const wasm_ref_t *ref, enum type_kind kind,
                                        catnap_error_t **error) {
    const struct fieldtypes *type = cn_ref_fieldtypes(ref);
    if (type && type->def.kind == kind)
        return type;
    *error = ref ? cn_error_make(CATNAP_MISUSE, "the reference is not to %s", nouns[kind])
                 : cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    return NULL;
}

/* A place in an object. */
struct place {
    wasm_store_t *store;
    uint64_t at; /* offset in the region */
    uint32_t field;
};

static bool find_field(const wasm_ref_t *ref, size_t index, struct place *place,
                       catnap_error_t **error) {
    const struct fieldtypes *type = type_of(ref, TYPE_STRUCT, error);
    if (!type)
        return false;
    if (index >= type->def.count) {
        *error = cn_error_make(CATNAP_NOT_FOUND, "the structure has no field %zu", index);
        return false;
    }
    *place = (struct place){ref->store, heap_offset(object_of(ref)) + dt_offsets(type)[index],
                            type->fields[index]};
    return true;
}

static bool find_elements(const wasm_ref_t *ref, uint32_t from, uint32_t count, struct place *place,
                          catnap_error_t **error) {
    const struct fieldtypes *type = type_of(ref, TYPE_ARRAY, error);
    if (!type)
        return false;
    uint32_t length = catnap_array_length(ref);
    if (count > length || from > length - count) {
        *error = cn_error_make(CATNAP_NOT_FOUND,
                               "the array of %" PRIu32 " elements has no %" PRIu32
                               " elements from %" PRIu32 " on",
                               length, count, from);
        return false;
    }
    *place = (struct place){ref->store, cn_gc_element_at(object_of(ref), type->fields[0], from),
                            type->fields[0]};
    return true;
}

/* ---- Fields and elements ---- */

static catnap_error_t *get(const struct place *place, catnap_val_t *out) {
    uint64_t slots[2] = {0, 0};
    valtype type = field_value(place->field);
    cn_gc_read(place->store->machine.heap, place->at, place->field, false, slots);
    return cn_values_give(place->store, wide_values(out, 1), &type, slots)
               ? NULL
               : cn_error_make(CATNAP_NO_MEMORY, "out of memory");
}

static catnap_error_t *set(const struct place *place, const catnap_val_t *value) {
    uint64_t slots[2] = {0, 0};
    valtype type = field_value(place->field);
    size_t bad;
    if (!(place->field & FIELD_MUTABLE))
        return cn_error_make(CATNAP_MISUSE, "the field is immutable");
    const char *wrong = cn_values_to_slots(place->store, wide_values(value, 1), &type, slots, &bad);
    if (wrong)
        return cn_error_make(cn_value_status(wrong), "the value %s: the field's type is %s", wrong,
                             cn_valtype_name(type));
    return cn_gc_write(place->store->machine.heap, place->at, place->field, false, slots)
               ? NULL
               : cn_error_make(CATNAP_NO_MEMORY, "out of memory");
}

catnap_error_t *catnap_struct_get(const wasm_ref_t *ref, size_t field, catnap_val_t *out) {
    struct place place;
    catnap_error_t *error = NULL;
    if (!out)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    *out = (catnap_val_t){.kind = WASM_I32};
    return find_field(ref, field, &place, &error) ? get(&place, out) : error;
}

catnap_error_t *catnap_struct_set(wasm_ref_t *ref, size_t field, const catnap_val_t *value) {
    struct place place;
    catnap_error_t *error = NULL;
    if (!value)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    return find_field(ref, field, &place, &error) ? set(&place, value) : error;
}

uint32_t catnap_array_length(const wasm_ref_t *ref) {
    const struct fieldtypes *type = cn_ref_fieldtypes(ref);
    return type && type->def.kind == TYPE_ARRAY
               ? heap_length(ref->store->machine.heap, object_of(ref))
               : 0;
}

catnap_error_t *catnap_array_get(const wasm_ref_t *ref, uint32_t index, catnap_val_t *out) {
    struct place place;
    catnap_error_t *error = NULL;
    if (!out)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    *out = (catnap_val_t){.kind = WASM_I32};
    return find_elements(ref, index, 1, &place, &error) ? get(&place, out) : error;
}

catnap_error_t *catnap_array_set(wasm_ref_t *ref, uint32_t index, const catnap_val_t *value) {
    struct place place;
    catnap_error_t *error = NULL;
    if (!value)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    return find_elements(ref, index, 1, &place, &error) ? set(&place, value) : error;
}

/* The elements as bytes in the region; NULL and *error when they are not such. */
static uint8_t *bytes_of(const wasm_ref_t *ref, uint32_t from, uint32_t count, bool write,
                         size_t *size, catnap_error_t **error) {
    struct place place;
    if (!find_elements(ref, from, count, &place, error))
        return NULL;
    const char *wrong = vt_is_ref(field_type(place.field))        ? "are references"
                        : write && !(place.field & FIELD_MUTABLE) ? "are immutable"
                                                                  : NULL;
    if (wrong) {
        *error = cn_error_make(CATNAP_MISUSE, "the elements of the array %s", wrong);
        return NULL;
    }
    *size = (size_t)count * field_size(place.field);
    return place.store->machine.heap->base + place.at;
}

catnap_error_t *catnap_array_read(const wasm_ref_t *ref, uint32_t from, uint32_t count,
                                  void *bytes) {
    size_t size;
    catnap_error_t *error = NULL;
    if (!bytes && count > 0)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    const uint8_t *elements = bytes_of(ref, from, count, false, &size, &error);
    if (elements && count > 0)
        memcpy(bytes, elements, size);
    return error;
}

catnap_error_t *catnap_array_write(wasm_ref_t *ref, uint32_t from, uint32_t count,
                                   const void *bytes) {
    size_t size;
    catnap_error_t *error = NULL;
    if (!bytes && count > 0)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    uint8_t *elements = bytes_of(ref, from, count, true, &size, &error);
    if (elements && count > 0)
        memcpy(elements, bytes, size);
    return error;
}

bool catnap_i31_get(const wasm_ref_t *ref, int32_t *out) {
    uint32_t handle = ref && ref->kind == OBJECT_HEAP ? ((const struct heap_ref *)ref)->handle : 0;
    if (!out || !heap_is_i31(handle))
        return false;
    *out = (int32_t)handle >> 1;
    return true;
}

/* ---- New objects ---- */

/* An object to be made. */
struct making {
    wasm_store_t *store;
    const struct fieldtypes *type;
    struct values values;
    uint32_t length; /* of an array, all of whose elements are the value, or their default */
    bool filled;     /* it is such an array */
    struct error *error;
};

static valtype value_type(const struct making *m, size_t index) {
    return field_value(m->type->fields[m->type->def.kind == TYPE_ARRAY ? 0 : index]);
}

static bool check_values(const struct making *m) {
    const struct fieldtypes *type = m->type;
    bool needs_all = type->def.kind == TYPE_STRUCT && m->values.count > 0;
    if (needs_all && m->values.count != type->def.count)
        return cn_fail(m->error, CATNAP_MISUSE, "%zu values for a structure of %" PRIu32 " fields",
                       m->values.count, type->def.count);
    bool defaults = m->values.count == 0 && (type->def.kind == TYPE_STRUCT || m->filled);
    for (uint32_t i = 0; defaults && i < type->def.count; i++)
        if (vt_is_ref(field_type(type->fields[i])) && (type->fields[i] & VT_NON_NULL))
            return cn_fail(m->error, CATNAP_MISUSE, "field %" PRIu32 " has no default", i);
    return true;
}

static uint32_t allocate(const struct making *m, uint32_t number, const uint64_t *slots) {
    struct heap *heap = m->store->machine.heap;
    if (m->type->def.kind == TYPE_STRUCT)
        return cn_gc_make_struct(heap, number, slots, 0);
    return m->filled ? cn_gc_make_array(heap, number, slots, m->length)
                     : cn_gc_make_fixed(heap, number, slots, 0, (uint32_t)m->values.count);
}

/* The values are roots until the object has them. */
static uint32_t make_from(const struct making *m, uint32_t number, valtype *types,
                          uint64_t *slots) {
    wasm_store_t *store = m->store;
    uint32_t slot_count = 0;
    size_t bad;
    for (size_t i = 0; i < m->values.count; i++) {
        types[i] = value_type(m, i);
        slot_count += vt_slots(types[i]);
    }
    const char *wrong = cn_values_to_slots(store, m->values, types, slots, &bad);
    if (wrong) {
        cn_fail(m->error, cn_value_status(wrong), "value %zu %s: the type has %s there", bad, wrong,
                cn_valtype_name(types[bad]));
        return 0;
    }
    struct gc_temporaries temporaries = {slots, &slot_count, 1, store->temporaries};
    store->temporaries = &temporaries;
    uint32_t handle = allocate(m, number, m->values.count > 0 ? slots : NULL);
    store->temporaries = temporaries.outer;
    if (!handle)
        cn_fail(m->error, CATNAP_NO_MEMORY, "no room is left in the heap");
    return handle;
}

static uint32_t make_object(const struct making *m) {
    struct alloc *alloc = m->store->alloc;
    if (!check_values(m) || !cn_gc_prepare(m->store, m->error))
        return 0;
    uint32_t number = cn_gc_type_number(m->store, &m->type->def, m->error);
    if (!number)
        return 0;
    size_t count = m->values.count, slot_bytes = 2 * count * sizeof(uint64_t);
    size_t bytes = slot_bytes + count * sizeof(valtype);
    uint8_t *room = cn_alloc(alloc, bytes);
    if (!room) {
        cn_fail_memory(m->error);
        return 0;
    }
    uint32_t handle = make_from(m, number, (valtype *)(void *)(room + slot_bytes), (void *)room);
    cn_free(alloc, room, bytes);
    return handle;
}

/* A reference with a handle to a value of the heap. */
static wasm_ref_t *give(wasm_store_t *store, uint32_t handle, struct error *error) {
    struct wasm_ref_t *ref = NULL;
    if (!cn_ref_of_slot(store, VT_ANYREF, handle, &ref)) {
        cn_fail_memory(error);
        return NULL;
    }
    cn_object_retain(ref);
    return ref;
}

static wasm_ref_t *new_object(wasm_store_t *store, const catnap_deftype_t *type,
                              enum type_kind kind, struct making m, catnap_error_t **out) {
    struct error error;
    wasm_ref_t *ref = NULL;
    if (out)
        *out = NULL;
    if (!store || !type || (!m.values.data && m.values.count > 0))
        return cn_report_null(store, out);
    if (type->engine != store->engine || type->type->kind != kind)
        return cn_report_new(store, out, CATNAP_MISUSE,
                             "the type is not that of %s in the store's engine", nouns[kind]);
    if (!cn_store_enter_to_make(store))
        return cn_report_misuse(out);
    m.store = store;
    m.type = dt_fields(type->type);
    m.error = &error;
    uint32_t handle = make_object(&m);
    if (handle)
        ref = give(store, handle, &error);
    cn_store_leave(store);
    return ref ? ref : cn_report(store, out, &error);
}

wasm_ref_t *catnap_struct_new(wasm_store_t *store, const catnap_deftype_t *type,
                              const catnap_val_t *values, size_t count, catnap_error_t **error) {
    struct making m = {.values = wide_values(values, count)};
    return new_object(store, type, TYPE_STRUCT, m, error);
}

wasm_ref_t *catnap_array_new(wasm_store_t *store, const catnap_deftype_t *type, uint32_t length,
                             const catnap_val_t *value, catnap_error_t **error) {
    struct making m = {
        .values = wide_values(value, value != NULL), .length = length, .filled = true};
    return new_object(store, type, TYPE_ARRAY, m, error);
}

wasm_ref_t *catnap_array_new_fixed(wasm_store_t *store, const catnap_deftype_t *type,
                                   const catnap_val_t *values, uint32_t count,
                                   catnap_error_t **error) {
    struct making m = {.values = wide_values(values, count)};
    return new_object(store, type, TYPE_ARRAY, m, error);
}

wasm_ref_t *catnap_i31_new(wasm_store_t *store, int32_t number, catnap_error_t **out) {
    struct error error;
    if (out)
        *out = NULL;
    if (!store)
        return cn_report_null(store, out);
    if (!cn_store_enter_to_make(store))
        return cn_report_misuse(out);
    wasm_ref_t *ref = give(store, heap_i31((uint32_t)number), &error);
    cn_store_leave(store);
    return ref ? ref : cn_report(store, out, &error);
}
