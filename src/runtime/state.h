/*
 * The mutable state of instances, described once.
 *
 * All that execution can change in an instance, and in the memories, tables and globals that instances
 * share with each other and with the host, is listed in one table, cn_state_kinds[]. Everything that
 * makes, saves, restores, resets or converts state walks that table instead of naming its parts:
 *
 *     instantiation        lays out the instance's block and makes memories and tables (instance.c)
 *     pre-linked modules   save what an instance is at first, and reset it (prelink.c)
 *     checkpoints          save and roll back (persist/checkpoint.c)
 *     snapshots            capture, write, read, restore; clones are restored (persist/capture.c, restore.c)
 *     --to-wasm            writes the sections that state comes from (persist/module.c)
 *     the collector        follows the references in it (collect.c)
 *
 * A kind of state is an array of items of one form. The array lies in the instance's block or in an
 * object of its own, a part, which the instance defines or imports:
 *
 *     instance's block                                    parts
 *     +----------+-------+-----------+----------+-------+
 *     | instance | cells | memories  | tables   | flags |
 *     +----------+-------+--|--------+--|-------+-------+
 *                  values   |           +---> wasm_table_t  ---> elements (references)
 *                           +---------------> wasm_memory_t ---> pages
 *
 * A walker has one way to treat each form, never one for each kind. So a new kind with a form that exists
 * is one row (docs/architecture.md, "Add a kind of state"). tests/snapshot/test_state.c walks the table too.
 *
 * Fuel is state of the store, not of an instance. Caches are no state: function objects, and the
 * references of passive element segments that table.init has read. But where these are objects of the heap, how far
 * a segment was read is state (instance.h, struct elem_position).
 */
#ifndef CN_RUNTIME_STATE_H
#define CN_RUNTIME_STATE_H

#include <string.h>

#include "base/assert.h"
#include "runtime/instance.h"

enum state_form {
    STATE_PAGES, /* bytes of a wasm_memory_t: many, of which few change; writes to pages are tracked */
    STATE_REFS,   /* slots of a wasm_table_t: addresses of objects, or 0 */
    STATE_VALUES, /* two slots each: a number, a vector or a reference, by the type of the global */
    STATE_FLAGS,  /* one bool each */
    STATE_NOTHING, /* none: the object is only itself, as a tag is */
    STATE_FORMS
};

/* The items of one kind that one object holds, where they lie now. */
struct state_items {
    void *at;
    uint64_t count; /* of bytes for STATE_PAGES */
    size_t bytes;   /* of all items */
};

struct state_kind {
    const char *name;
    enum object_kind holder; /* OBJECT_INSTANCE: the items lie in the instance's block */
    enum state_form form;
    enum section_id section; /* of a module, that declares it; 0: state of the host's objects */
    /* Offsets of uint32_t in struct module: how many items (or parts) there are, and how many of these are
     * imported, which come first. 0: none are. */
    size_t count, imported;
    size_t item_bytes;
    /* Offset in wasm_instance_t of the pointer to the items, or to the pointers to parts. */
    size_t array;
    /* The items of a holder that is not an instance. */
    struct state_items (*items)(const struct wasm_ref_t *holder);
    /* The type of an item of STATE_VALUES or STATE_REFS. */
    valtype (*type)(const struct wasm_ref_t *holder, uint32_t item);
    /* Of parts: */
    const char *noun, *items_noun; /* in messages: "a table of 3 elements" */
    uint32_t unit;                 /* items by which one grows at least */
    uint64_t (*first)(const struct module *, uint32_t index); /* items after instantiation */
    struct wasm_ref_t *(*make)(wasm_store_t *, const struct module *, uint32_t index,
                               struct error *);
    uint64_t (*room)(const struct wasm_ref_t *); /* units by which it may grow */
    bool (*grow)(struct wasm_ref_t *, uint64_t units);
};

extern const struct state_kind cn_state_kinds[];
extern const struct state_kind *const cn_state_kinds_end;

#define FOR_EACH_STATE(kind)                                                                       \
    for (const struct state_kind *kind = cn_state_kinds; kind < cn_state_kinds_end; kind++)

/* The kinds that an object holds, by its own kind. */
struct state_range {
    const struct state_kind *first, *end;
};
extern const struct state_range cn_state_ranges[OBJECT_KINDS];

#define FOR_EACH_STATE_OF(kind, holder)                                                            \
    for (const struct state_kind *kind = cn_state_ranges[holder].first;                            \
         kind < cn_state_ranges[holder].end; kind++)

/* Indices that the module defines: from first, before end. Those before first are imported. */
static inline uint32_t cn_state_end(const struct state_kind *kind, const struct module *module) {
    return *(const uint32_t *)((const char *)module + kind->count);
}
static inline uint32_t cn_state_first(const struct state_kind *kind, const struct module *module) {
    return kind->imported ? *(const uint32_t *)((const char *)module + kind->imported) : 0;
}

/* Whether instances have parts of this kind. Their rows come first. */
static inline bool cn_state_is_part(const struct state_kind *kind) {
    return kind->make != NULL;
}

/* The pointer in the instance to the items, or to the pointers to parts. */
static inline void *cn_state_array(const struct state_kind *kind, const wasm_instance_t *instance) {
    void *array;
    memcpy(&array, (const char *)instance + kind->array, sizeof array);
    return array;
}

/* The part with this index, also an imported one. */
static inline struct wasm_ref_t *cn_state_part(const struct state_kind *kind,
                                               const wasm_instance_t *instance, uint32_t index) {
    struct wasm_ref_t *part;
    memcpy(&part, (const char *)cn_state_array(kind, instance) + index * sizeof part, sizeof part);
    return part;
}
void cn_state_set_part(const struct state_kind *, wasm_instance_t *, uint32_t index,
                       struct wasm_ref_t *);

/* The items of this kind in an object of the kind's holder. */
static inline struct state_items cn_state_items(const struct state_kind *kind,
                                                const struct wasm_ref_t *holder) {
    CN_ASSERT(holder->kind == kind->holder);
    if (kind->items)
        return kind->items(holder);
    const wasm_instance_t *instance = (const wasm_instance_t *)holder;
    uint32_t count = cn_state_end(kind, instance->module) - cn_state_first(kind, instance->module);
    return (struct state_items){cn_state_array(kind, instance), count, count * kind->item_bytes};
}
/* The number of items of a form in the block of an instance of the module. */
uint32_t cn_state_count(const struct module *, enum state_form);
/* The kind that an object other than an instance holds: NULL when it has no state. */
static inline const struct state_kind *cn_state_of(enum object_kind holder) {
    CN_ASSERT(holder < OBJECT_KINDS);
    return holder == OBJECT_INSTANCE ? NULL : cn_state_ranges[holder].first;
}
static inline bool cn_state_is_paged(enum object_kind holder) {
    const struct state_kind *kind = cn_state_of(holder);
    return kind && kind->form == STATE_PAGES;
}
/* Bytes of the array in an instance's block, of items or of pointers to parts. */
static inline size_t cn_state_block_bytes(const struct state_kind *kind,
                                          const struct module *module) {
    size_t count = cn_state_end(kind, module);
    return cn_state_is_part(kind) ? count * sizeof(struct wasm_ref_t *)
                                  : (count - cn_state_first(kind, module)) * kind->item_bytes;
}

/* Walks the parts that an instance defines: begin with {0}. Skips those that were not made yet. */
struct state_walk {
    const struct state_kind *kind; /* of the part found */
    uint32_t index;                /* of the part found */
    struct wasm_ref_t *ref;        /* the part found */
    uint32_t next, end;
};
static inline bool cn_state_next(const wasm_instance_t *instance, struct state_walk *walk) {
    do {
        while (walk->next == walk->end) {
            walk->kind = walk->kind ? walk->kind + 1 : cn_state_kinds;
            if (!cn_state_is_part(walk->kind))
                return false;
            walk->next = cn_state_first(walk->kind, instance->module);
            walk->end = cn_state_end(walk->kind, instance->module);
        }
        walk->index = walk->next++;
        walk->ref = cn_state_part(walk->kind, instance, walk->index);
    } while (!walk->ref);
    return true;
}

#endif
