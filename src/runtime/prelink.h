/*
 * Pre-linked modules: imports are checked once and instances made many times.
 *
 * An instance that is given back is taken back as a whole: a slot is an instance with its memories and
 * tables that becomes what it was at first, waits, and is given out again. A reference to it that is left over
 * still refers to an object that exists. The collector keeps those that wait, and frees others as it does any
 * instance.
 */
#ifndef CN_RUNTIME_PRELINK_H
#define CN_RUNTIME_PRELINK_H

#include "runtime/image.h"
#include "runtime/store.h"
#include "runtime/trap.h"

struct state_kind;

/* The bytes that memories and tables count for against limits. */
struct prelinked_need {
    uint64_t memory_bytes, table_elements;
};

struct catnap_prelinked_t {
    uint64_t references; /* the embedder's and one for each slot */
    wasm_store_t *store;
    struct shared_module *shared;
    struct wasm_ref_t **imports; /* handles; NULL once the embedder has let go */
    struct slot *waiting;
    struct prelinked_need need; /* of an instance at first */
    struct image *images;       /* of the memories that the module defines */
    bool by_segments;           /* segments cannot be run ahead: each instance runs them */
    bool one_way; /* instances are not taken back: others may hold references to them */
    struct page_source pages;
};

/* A memory or table that the instance defines. */
struct slot_part {
    const struct state_kind *kind;
    struct wasm_ref_t *ref;
    uint64_t first; /* items after instantiation */
    uint32_t index; /* in the module */
};

struct slot {
    struct slot *next; /* waiting */
    struct catnap_prelinked_t *prelinked;
    wasm_instance_t *instance;
    bool waits;
    uint32_t part_count;
    size_t allocation;        /* bytes: this struct, the parts and `initial` */
    uint8_t *initial;         /* globals, tables, dropped segments as they are at first */
    struct slot_part parts[]; /* found once: to give out and take back an instance is frequent */
};

/* NULL and *error, a trap of the segments among them. */
struct catnap_prelinked_t *cn_prelinked_new(wasm_store_t *, struct shared_module *,
                                            struct wasm_ref_t *const *imports, size_t count,
                                            struct error *);
/* The embedder lets go; instances that are out stay as they are. */
void cn_prelinked_close(struct catnap_prelinked_t *);
/* An instance that has not started, with no handle yet; `fresh` keeps those that wait out of it.
 * NULL with either an error or a trap. */
wasm_instance_t *cn_prelinked_take(struct catnap_prelinked_t *, bool fresh, struct error *,
                                   wasm_trap_t **trap);
/* Whether an instance with one handle, the caller's, may be taken back. */
bool cn_slot_may_return(const struct slot *, struct error *);
/* Takes an instance back that has no handles any more. */
bool cn_slot_take_back(struct slot *, struct error *);

#endif
