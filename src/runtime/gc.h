/*
 * The heap of a store (heap/heap.h) as the instructions use it: its roots, the numbers of an instance's types, values in
 * fields and elements, casts.
 */
#ifndef CN_RUNTIME_GC_H
#define CN_RUNTIME_GC_H

#include "bytecode/code.h"
#include "heap/heap.h"
#include "runtime/instance.h"
#include "runtime/store.h"

/* Makes the store's heap if there is none yet, and the pages of one that is there the process's own: cn_gc_owns_pages().
 * False and *error when memory is exhausted, or the pages are lost. */
bool cn_gc_prepare(wasm_store_t *, struct error *);
/* Before the host looks into objects. In a child of fork() the pages may be shared with the parent until this is called.
 * False and *error: the parent has changed them. */
static inline bool cn_gc_owns_pages(wasm_store_t *store, struct error *error) {
    return !store->machine.shares_pages || store->persist->adopt(store, error);
}
void cn_gc_drop(wasm_store_t *);
/* Gives the structure and array types of the instance numbers in the heap, which is made for that. */
bool cn_gc_number_types(wasm_instance_t *, struct error *);
/* The number of such a type in the store's heap, which is made. 0 and *error when memory is exhausted. */
uint32_t cn_gc_type_number(wasm_store_t *, const struct deftype *, struct error *);

/* A reference to a value of the heap that the host holds: wasm.h's wasm_ref_t. */
struct heap_ref {
    struct wasm_ref_t ref;
    uint32_t handle;
};
/* The reference that a slot of this type holds, without a handle; false when memory for a new one is exhausted. Host
 * objects are given as themselves. */
bool cn_ref_of_slot(wasm_store_t *, valtype, uint64_t slot, struct wasm_ref_t **);
/* The slot for a reference, which must be of the type: cn_ref_fault(). False when memory is exhausted. */
bool cn_slot_of_ref(wasm_store_t *, valtype, struct wasm_ref_t *, uint64_t *slot);
/* NULL, or why a reference to a value of the heap is not of the type. */
const char *cn_heap_ref_fault(const struct wasm_ref_t *, valtype);

/* Whether it was a reference to an object that a rollback has taken away: null. */
static inline bool heap_ref_is_null(const struct wasm_ref_t *ref) {
    return ref->kind == OBJECT_HEAP && ((const struct heap_ref *)ref)->handle == 0;
}

/* ---- Rollback (gc_rollback.c) ---- */

/* Whether the state that an object of the store holds itself refers to objects of the heap. */
bool cn_gc_refers(const struct wasm_ref_t *);
/* Whether nothing that lives on would refer to an object of the heap that is gone, were the store taken back to the
 * checkpoint. Else false and *error. Nothing has changed. */
bool cn_gc_may_roll_back(wasm_store_t *, uint32_t level, struct error *);
/* The heap was taken back: the references to objects that the host got since are null. */
void cn_gc_roll_back(wasm_store_t *, uint32_t level);

/* Values that are in use and neither on a value stack nor in an object: roots while they are noted. */
struct gc_temporaries {
    const uint64_t *slots;
    const uint32_t *count; /* of values so far, of `width` slots each */
    uint32_t width;
    const struct gc_temporaries *outer;
};

/* ---- Values in objects: `field` is the declared type, `at` an offset in the region ---- */

/* Slots that the value takes are written. */
void cn_gc_read(const struct heap *, uint64_t at, uint32_t field, bool is_signed, uint64_t *slots);
/* False when memory for an entry of the side table is exhausted. `fresh`: the object is new. */
bool cn_gc_write(struct heap *, uint64_t at, uint32_t field, bool fresh, const uint64_t *slots);

/* ---- New objects; 0 when memory is exhausted. Values that are references must be roots. ---- */

/* From the values of the fields, one behind the other in slots, or `stride` slots apart if that is not 0. Without slots
 * all fields have their defaults. */
uint32_t cn_gc_make_struct(struct heap *, uint32_t number, const uint64_t *slots, uint32_t stride);
uint32_t cn_gc_make_array(struct heap *, uint32_t number, const uint64_t *value, uint32_t length);
uint32_t cn_gc_make_fixed(struct heap *, uint32_t number, const uint64_t *slots, uint32_t stride,
                          uint32_t count);
/* The same by a type of the instance's module. */
uint32_t cn_gc_new_struct(wasm_instance_t *, uint32_t type, const uint64_t *slots, uint32_t stride);
uint32_t cn_gc_new_array(wasm_instance_t *, uint32_t type, const uint64_t *value, uint32_t length);
uint32_t cn_gc_new_fixed(wasm_instance_t *, uint32_t type, const uint64_t *slots, uint32_t stride,
                         uint32_t count);

/* ---- Ranges, which are in bounds ---- */

/* The declared type of an array type's elements. */
static inline uint32_t cn_gc_element(const wasm_instance_t *instance, uint32_t type) {
    return dt_fields(instance->module->types[type])->fields[0];
}
/* Where an element lies, as offset in the region. */
static inline uint64_t cn_gc_element_at(uint32_t array, uint32_t field, uint64_t index) {
    return heap_offset(array) + HEAP_ELEMENTS_OFFSET + index * field_size(field);
}
/* Bytes that so many elements take. */
static inline uint64_t cn_gc_bytes(const wasm_instance_t *instance, uint32_t type, uint32_t count) {
    return (uint64_t)count * field_size(cn_gc_element(instance, type));
}
/* How many elements are done: fewer than all, but bytes that a unit of fuel pays for, when the call was interrupted and
 * what is left can be done later (`divisible`), as of runtime/bulk.h. False: memory for the side table is exhausted. */
bool cn_gc_fill(wasm_instance_t *, uint32_t type, uint32_t array, uint32_t start,
                const uint64_t *value, uint32_t count, bool divisible, uint32_t *filled);
uint32_t cn_gc_copy(wasm_instance_t *, uint32_t type, uint32_t to_array, uint32_t to,
                    uint32_t from_array, uint32_t from, uint32_t count, bool divisible);
/* Whether a segment, of data or of elements as the array needs it, has so many elements from `from` on. */
bool cn_gc_segment_has(const wasm_instance_t *, uint32_t type, uint32_t segment, uint32_t from,
                       uint32_t count);
/* Reads the segment's references, up to `end`, which may make objects: before an array gets them. Interrupted half-way
 * it goes on there the next time. */
enum elem_items_result cn_gc_read_segment(wasm_instance_t *, uint32_t type, uint32_t segment,
                                          uint32_t end);
/* Copies from a segment, which is read; no object is made. False when memory for the side table is exhausted. */
bool cn_gc_init(wasm_instance_t *, uint32_t type, uint32_t array, uint32_t to, uint32_t segment,
                uint32_t from, uint32_t count, bool fresh);

/* ---- Casts and conversions ---- */

/* Whether a reference that is not null is of the type, which is no structure and no array: `target` and flags as an
 * instruction has them. */
bool cn_gc_matches(const wasm_instance_t *, uint64_t slot, uint32_t target, uint32_t flags);
/* Whether a reference is of the type of a cast. Most objects are of that very type; others have its id in their display. */
static inline bool cn_gc_is_of(const wasm_instance_t *instance, const struct heap *heap,
                               uint64_t slot, uint64_t cast) {
    uint32_t handle = (uint32_t)slot, flags = cast_flags(cast);
    if (slot == 0)
        return flags & CAST_NULLABLE;
    if (unlikely(!(flags & CAST_OBJECT)))
        return cn_gc_matches(instance, slot, (uint32_t)cast, flags);
    if (heap_is_i31(handle))
        return false;
    return heap_type_number(heap, handle) == instance->type_numbers[cast_index(cast)] ||
           heap_is_of(heap, handle, cast_id(cast), cast_depth(cast));
}
/* False when memory is exhausted. */
bool cn_gc_internalize(wasm_store_t *, uint64_t slot, uint64_t *any);
uint64_t cn_gc_externalize(const struct heap *, uint64_t any);

#endif
