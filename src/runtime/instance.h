/*
 * Instances, and what instantiation and the instructions do with segments.
 */
#ifndef CN_RUNTIME_INSTANCE_H
#define CN_RUNTIME_INSTANCE_H

#include "runtime/exception.h"
#include "runtime/func.h"
#include "runtime/global.h"
#include "runtime/memory.h"
#include "runtime/shared.h"
#include "runtime/table.h"

struct elem_items;
struct machine;
struct marking;
struct slot;
struct wasm_trap_t;

struct wasm_instance_t {
    struct wasm_ref_t ref;
    struct module *module;
    struct machine *machine;      /* of the store */
    struct code_variant *variant; /* the code that it runs */
    /* Used by the handlers, by index in the module's index spaces; `code`, the variant's words, by defined
     * index. */
    _Atomic uint64_t *code;
    wasm_memory_t **memories;
    wasm_table_t **tables;
    struct catnap_tag_t **tags;
    uint64_t **globals;  /* the cells */
    wasm_func_t **funcs; /* NULL until a reference is needed; always set for imported functions */
    uint32_t *type_numbers; /* in the store's heap, by type index; 0 for function types */
    uint64_t *cells;        /* of the globals defined here, two slots each */
    bool *dropped_elems, *dropped_datas;
    /* NULL until the object is needed; always set for imported globals. */
    wasm_global_t **global_objects;
    struct elem_items **elem_items; /* of passive segments, once table.init used them */
    struct wasm_ref_t *parts; /* the functions and globals of it that are objects, by `next` */
    struct shared_module *shared;
    struct slot *slot; /* of a pre-linked module, which takes it back; or NULL */
    size_t allocation; /* bytes: this struct and all arrays above, in one block */
    bool counted;      /* in store->instance_count */
};

/* ---- link.c ---- */
/* Whether the objects fit the module's imports (section 4.5.3), in their order. An error names the
 * first that does not. */
bool cn_link_check(wasm_store_t *, const struct module *, struct wasm_ref_t *const *imports,
                   size_t count, struct error *);

/* ---- segments.c ---- */
/* The value of a validated constant expression; *at moves past its end. False when memory for a
 * function reference is exhausted. */
bool cn_const_value(wasm_instance_t *, const uint8_t **at, uint64_t value[2]);

/* ---- instance.c ---- */
/* Links, allocates and initialises, without running the start function. NULL with either an error
 * or a trap. No handle yet. */
wasm_instance_t *cn_instance_new(wasm_store_t *, struct shared_module *,
                                 struct wasm_ref_t *const *imports, size_t import_count,
                                 struct error *, wasm_trap_t **trap);
/* The part of instantiation before the segments: checks that the store has room for one more, allocates, fills in
 * the imports, which must fit. */
wasm_instance_t *cn_instance_make(wasm_store_t *, struct shared_module *,
                                  struct wasm_ref_t *const *imports, struct error *);
/* Frees an instance that nothing refers to yet. */
void cn_instance_undo(wasm_instance_t *);
bool cn_instance_check_room(const wasm_store_t *, struct error *);
/* The object of a function of the instance, made when it has none yet; NULL when memory is exhausted. */
wasm_func_t *cn_instance_func(wasm_instance_t *, uint32_t index);
/* Likewise the object of a global. */
wasm_global_t *cn_instance_global(wasm_instance_t *, uint32_t index);
/* Likewise of whatever is exported. */
struct wasm_ref_t *cn_instance_extern(wasm_instance_t *, enum extern_kind, uint32_t index);

/* Looks at the sizes of its shared memories: whether one has grown since. */
bool cn_instance_look(wasm_instance_t *);

/* ---- prelink.c ---- */
void cn_slot_free(struct slot *);
/* Whether its instance will be given out again. */
bool cn_slot_is_waiting(const struct slot *);

/* ---- segments.c ---- */
/* Runs the active segments in order, and drops them and the declarative ones. */
bool cn_instance_init_segments(wasm_instance_t *, wasm_trap_t **trap);
/* The same when an image holds the data already. */
bool cn_instance_init_elems(wasm_instance_t *, wasm_trap_t **trap);
/* Where an active data segment goes. */
uint64_t cn_instance_data_offset(wasm_instance_t *, const struct data_segment *);
/* The segment that memory.init or table.init reads: a dropped one is empty. */
struct span cn_instance_data(const wasm_instance_t *, uint32_t data);
uint64_t cn_instance_elem_count(const wasm_instance_t *, uint32_t elem);
/* The references of a segment, of which the first `end` are read by now. Interrupted half-way it goes on
 * there the next time. */
enum elem_items_result { ITEMS_OK, ITEMS_NO_MEMORY, ITEMS_INTERRUPTED };
enum elem_items_result cn_instance_elem_items(wasm_instance_t *, uint32_t index, uint32_t end,
                                              const uint64_t **slots);
void cn_elem_items_free(wasm_store_t *, struct elem_items *, const struct elem_segment *);
/* Makes room for as many items of a segment that nothing was read of, as if they had been read; all are null. NULL when
 * memory is exhausted. */
uint64_t *cn_elem_items_restore(wasm_instance_t *, uint32_t index, uint32_t count);
/* How far a segment was read. To read items again would make other objects, so this is state. */
struct elem_position {
    const uint8_t *at;
    uint64_t count;
};
/* How many element segments the object has, when it is an instance that may have objects of the heap in them; else 0. */
uint32_t cn_instance_object_elems(const struct wasm_ref_t *);
/* Of all its segments: gives the positions, and goes back to them. */
void cn_elem_positions(const wasm_instance_t *, struct elem_position *);
void cn_elem_return(const wasm_instance_t *, const struct elem_position *);
/* All are as if they had not been read. */
void cn_elem_forget(const wasm_instance_t *);
/* Drops a segment (elem.drop): it keeps nothing alive from then on. */
void cn_elem_drop(const wasm_instance_t *, uint32_t index);
/* The references that were read, and how many; NULL allowed. */
uint32_t cn_elem_items_read(const struct elem_items *, const uint64_t **slots);

#endif
