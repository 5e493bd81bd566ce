/* Globals, tables and memories of wasm.h. */
#include "api/api.h"
#include "api/wasm_type.h"
#include "runtime/gc.h"
#include "runtime/collect.h"

#include <inttypes.h>

/* The new object with a handle, or NULL and the failure reported. */
static void *finish(wasm_store_t *store, struct wasm_ref_t *ref, catnap_error_t **out,
                    const struct error *error) {
    cn_store_leave(store);
    if (!ref)
        return cn_report(store, out, error);
    cn_object_retain(ref);
    return ref;
}

/* The same for what was made by one that collects when it is short of room: finalizers, which may delete
 * the store, have run, and the store is pinned. */
static void *finish_pinned(wasm_store_t *store, struct wasm_ref_t *ref, const struct error *error) {
    void *made = finish(store, ref, NULL, error);
    cn_store_unpin(store);
    return made;
}

/* ---- Globals ---- */

static wasm_global_t *new_global(wasm_store_t *store, const wasm_globaltype_t *described,
                                 struct values value, catnap_error_t **out) {
    struct error error;
    struct globaltype type;
    uint64_t slots[2] = {0, 0};
    size_t bad;
    if (!store || !described || !value.data)
        return cn_report_null(store, out);
    if (!cn_globaltype_of(described, &type, &error))
        return cn_report(store, out, &error);
    if (!cn_values_have_room(value, &type.type, 1))
        return cn_report_new(store, out, CATNAP_MISUSE,
                             "a v128 does not fit a wasm_val_t: use catnap_global_new()");
    const char *wrong = cn_values_to_slots(store, value, &type.type, slots, &bad);
    if (wrong)
        return cn_report_new(store, out, cn_value_status(wrong),
                             "the value %s: the global's type is %s", wrong,
                             cn_valtype_name(type.type));
    if (!cn_store_enter_to_make(store))
        return cn_report_misuse(out);
    wasm_global_t *global = cn_global_new(store, &type, slots, &error);
    return finish(store, (struct wasm_ref_t *)global, out, &error);
}

wasm_global_t *wasm_global_new(wasm_store_t *store, const wasm_globaltype_t *type,
                               const wasm_val_t *value) {
    return new_global(store, type, plain_values(value, 1), NULL);
}

wasm_global_t *catnap_global_new(wasm_store_t *store, const wasm_globaltype_t *type,
                                 const catnap_val_t *value, catnap_error_t **error) {
    if (error)
        *error = NULL;
    return new_global(store, type, wide_values(value, 1), error);
}

wasm_globaltype_t *wasm_global_type(const wasm_global_t *global) {
    return global ? cn_globaltype_describe(&global->type) : NULL;
}

static void get_global(const wasm_global_t *global, struct values out) {
    struct error error;
    if (cn_values_give(global->ref.store, out, &global->type.type, global->cell))
        return;
    cn_fail_memory(&error);
    cn_store_fail(global->ref.store, &error);
}

void wasm_global_get(const wasm_global_t *global, wasm_val_t *out) {
    *out = (wasm_val_t)WASM_INIT_VAL;
    if (global && global->type.type != VT_V128)
        get_global(global, plain_values(out, 1));
}

void catnap_global_get(const wasm_global_t *global, catnap_val_t *out) {
    *out = (catnap_val_t){.kind = WASM_EXTERNREF};
    if (global)
        get_global(global, wide_values(out, 1));
}

/* NULL, or what is wrong. */
static const char *set_global(wasm_global_t *global, struct values value) {
    uint64_t slots[2] = {0, 0};
    size_t bad;
    if (!global->type.is_mutable)
        return "is for an immutable global";
    if (!cn_values_have_room(value, &global->type.type, 1))
        return "has no room for a v128";
    const char *wrong =
        cn_values_to_slots(global->ref.store, value, &global->type.type, slots, &bad);
    if (!wrong)
        memcpy(global->cell, slots, vt_slots(global->type.type) * sizeof *slots);
    return wrong;
}

void wasm_global_set(wasm_global_t *global, const wasm_val_t *value) {
    if (!global || !value)
        return;
    const char *wrong = set_global(global, plain_values(value, 1));
    if (wrong)
        cn_report_new(global->ref.store, NULL, cn_value_status(wrong), "the value %s", wrong);
}

catnap_error_t *catnap_global_set(wasm_global_t *global, const catnap_val_t *value) {
    if (!global || !value)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    const char *wrong = set_global(global, wide_values(value, 1));
    return wrong ? cn_error_make(cn_value_status(wrong), "the value %s", wrong) : NULL;
}

/* ---- Tables ---- */

/* Whether a reference, which may be NULL, can be an element; *slot is then what to store. */
static bool element_slot(wasm_store_t *store, valtype element, struct wasm_ref_t *ref,
                         uint64_t *slot) {
    catnap_val_t value = {.kind = WASM_EXTERNREF, .of.ref = ref};
    size_t bad;
    const char *wrong = cn_values_to_slots(store, wide_values(&value, 1), &element, slot, &bad);
    if (wrong)
        cn_report_new(store, NULL, cn_value_status(wrong), "the element %s: the table's type is %s",
                      wrong, cn_valtype_name(element));
    return !wrong;
}

wasm_table_t *wasm_table_new(wasm_store_t *store, const wasm_tabletype_t *described,
                             wasm_ref_t *init) {
    struct error error;
    struct tabletype type;
    uint64_t slot;
    if (!store || !described)
        return cn_report_null(store, NULL);
    if (!cn_tabletype_of(described, &type, &error))
        return cn_report(store, NULL, &error);
    if (!element_slot(store, type.element, init, &slot) || !cn_store_enter_to_make(store))
        return NULL;
    cn_store_pin(store);
    wasm_table_t *table = cn_table_new(store, &type, slot, &error);
    if (!table && cn_collect_for(store, &error))
        table = cn_table_new(store, &type, slot, &error);
    return finish_pinned(store, (struct wasm_ref_t *)table, &error);
}

wasm_tabletype_t *wasm_table_type(const wasm_table_t *table) {
    return table ? wasm_externtype_as_tabletype(cn_object_type(&table->ref)) : NULL;
}

wasm_ref_t *wasm_table_get(const wasm_table_t *table, wasm_table_size_t index) {
    if (!table || index >= table->size)
        return table ? cn_report_new(table->ref.store, NULL, CATNAP_NOT_FOUND,
                                     "the table has no element %" PRIu32, index)
                     : NULL;
    struct wasm_ref_t *ref = NULL;
    if (!cn_ref_of_slot(table->ref.store, table->type.element, table->elements[index], &ref))
        return cn_report_new(table->ref.store, NULL, CATNAP_NO_MEMORY, "out of memory");
    if (ref)
        cn_object_retain(ref);
    return ref;
}

bool wasm_table_set(wasm_table_t *table, wasm_table_size_t index, wasm_ref_t *ref) {
    uint64_t slot;
    if (!table)
        return false;
    if (index >= table->size)
        return cn_report_new(table->ref.store, NULL, CATNAP_NOT_FOUND,
                             "the table has no element %" PRIu32, index) != NULL;
    if (!element_slot(table->ref.store, table->type.element, ref, &slot))
        return false;
    table->elements[index] = slot;
    return true;
}

wasm_table_size_t wasm_table_size(const wasm_table_t *table) {
    return table ? (wasm_table_size_t)table->size : 0;
}

bool wasm_table_grow(wasm_table_t *table, wasm_table_size_t delta, wasm_ref_t *init) {
    uint64_t slot;
    if (!table)
        return false;
    wasm_store_t *store = table->ref.store;
    if (!element_slot(store, table->type.element, init, &slot) || !cn_store_enter(store))
        return false;
    if (delta > cn_table_room(table))
        cn_collect(store);
    bool grown = cn_table_grow(table, delta, slot) >= 0;
    if (!grown)
        cn_report_new(store, NULL, CATNAP_LIMIT,
                      "a table of %" PRIu64 " elements cannot grow by %" PRIu32, table->size,
                      delta);
    cn_store_leave(store);
    return grown;
}

/* ---- Memories ---- */

wasm_memory_t *wasm_memory_new(wasm_store_t *store, const wasm_memorytype_t *described) {
    struct error error;
    struct memorytype type;
    if (!store || !described)
        return cn_report_null(store, NULL);
    if (!cn_memorytype_of(described, &type, &error))
        return cn_report(store, NULL, &error);
    if (!cn_store_enter_to_make(store))
        return NULL;
    cn_store_pin(store);
    wasm_memory_t *memory = cn_memory_new(store, &type, true, &error);
    if (!memory && cn_collect_for(store, &error))
        memory = cn_memory_new(store, &type, true, &error);
    return finish_pinned(store, (struct wasm_ref_t *)memory, &error);
}

wasm_memorytype_t *wasm_memory_type(const wasm_memory_t *memory) {
    return memory ? wasm_externtype_as_memorytype(cn_object_type(&memory->ref)) : NULL;
}

byte_t *wasm_memory_data(wasm_memory_t *memory) {
    return memory ? (byte_t *)memory->base : NULL;
}

size_t wasm_memory_data_size(const wasm_memory_t *memory) {
    return memory ? (size_t)cn_memory_size((wasm_memory_t *)(uintptr_t)memory) : 0;
}

wasm_memory_pages_t wasm_memory_size(const wasm_memory_t *memory) {
    return memory ? (wasm_memory_pages_t)cn_memory_pages((wasm_memory_t *)(uintptr_t)memory) : 0;
}

bool wasm_memory_grow(wasm_memory_t *memory, wasm_memory_pages_t delta) {
    if (!memory)
        return false;
    wasm_store_t *store = memory->ref.store;
    if (!cn_store_enter(store))
        return false;
    if (delta > cn_memory_room(memory))
        cn_collect(store);
    bool grown = cn_memory_grow(memory, delta) >= 0;
    if (!grown)
        cn_report_new(store, NULL, CATNAP_LIMIT,
                      "a memory of %" PRIu64 " pages cannot grow by %" PRIu32,
                      cn_memory_pages(memory), delta);
    cn_store_leave(store);
    return grown;
}
