/*
 * A store: a set of objects that may refer to each other, their limits, and the machine that runs code in it. One
 * thread at a time uses a store.
 */
#ifndef CN_RUNTIME_STORE_H
#define CN_RUNTIME_STORE_H

#include "runtime/budget.h"
#include "runtime/engine.h"
#include "runtime/machine.h"
#include "runtime/object.h"

/* The object behind a catnap_error_t handle: part of a store, or allocated outside of any engine. */
struct catnap_error_t {
    struct error error;
};

/* Functions of persist/ that the runtime calls for state that persist/ keeps beside a store and its memories. */
struct checkpoints;
struct marking;
struct persist_hooks {
    /* With checkpoints: marks the objects that a rollback to one of the first so many would bring back, for the
     * collector. */
    void (*mark)(const struct checkpoints *, uint32_t levels, struct marking *);
    /* At the end of a store with checkpoints: frees them. */
    void (*drop)(wasm_store_t *);
    /* In a child of the process that made the checkpoints: makes memories and shadows the child's own. */
    bool (*adopt)(wasm_store_t *, struct error *);
    /* Of a memory with a backing: checkpoints no longer look after its pages. */
    void (*forget)(wasm_memory_t *);
    /* At the end of a memory with a backing: frees the backing. True: its address space was taken over. */
    bool (*release)(wasm_memory_t *);
};

struct wasm_store_t {
    wasm_engine_t *engine;
    struct alloc *alloc;
    struct machine machine;
    catnap_limits_t limits;
    uint64_t memory_bytes, table_elements, instance_count; /* in use, against the limits */
    struct wasm_ref_t objects;                             /* head of the ring */
    uint64_t object_count;                                 /* in the ring */
    uint64_t block_bytes;     /* of instances, with what they have beside memories and tables */
    uint64_t reserved_bytes;  /* address space of memories */
    uint64_t shared_memories; /* views of these */
    struct {
        uint64_t objects, bytes, reserved;
    } collect_at;              /* a collection is due when one of these is reached */
    uint32_t collections_held; /* above 0: there is none */
    bool may_have_garbage; /* an object was made, or a handle deleted, since the last collection */
    bool whole_let_go;     /* that handle was on an instance, memory or table */
    uint64_t changes;      /* objects made and handles deleted since the last collection */
    bool short_of_space; /* address space for guard pages ran out, and no memory was freed since */
    struct budget *budget;                    /* or NULL */
    const struct gc_temporaries *temporaries; /* the innermost ones, or NULL */
    uint64_t pins;                            /* objects with handles, linkers */
    uint64_t handles; /* on all objects, except those that calls under way hold */
    bool deleted;     /* by its owner: freed when the last pin is gone */
    bool
        keep_objects; /* finalizers run or the store is being freed: deleting a handle frees no object */
    bool collecting;
    bool failed; /* last_error is set */
    struct catnap_error_t last_error;
    struct checkpoints *checkpoints;     /* or NULL */
    uint32_t levels;                     /* checkpoints that there are */
    const struct persist_hooks *persist; /* set with the first checkpoint or backing of a memory */
    /* Set while a snapshot is restored: gives a new memory guarded address space that a former instance had, with
     * the snapshot's image laid out in it; NULL when there is none. */
    uint8_t *(*lend)(void *lender, size_t *reserved);
    void *lender;
    wasm_trap_t *spare_trap;  /* for exhausted memory */
    wasm_trap_t *misuse_trap; /* for a second thread; its handles are not counted */
    void *data;
    /* In debug builds: the thread that is inside, and how often it entered. */
    _Atomic uintptr_t thread;
    uint32_t entered;
    atomic_bool misused; /* last_error is to be CATNAP_MISUSE */
};

catnap_limits_t cn_limits_default(void);
wasm_store_t *cn_store_new(wasm_engine_t *);
void cn_store_delete(wasm_store_t *);
void cn_store_pin(wasm_store_t *);
void cn_store_unpin(wasm_store_t *); /* may be the end of a deleted store */
/* Count bytes of memories and elements of tables against the store's budget (the caller has checked the limits). False
 * when the budget is exceeded. */
bool cn_store_take_memory(wasm_store_t *, uint64_t bytes);
void cn_store_give_memory(wasm_store_t *, uint64_t bytes);
bool cn_store_take_elements(wasm_store_t *, uint64_t count);
void cn_store_give_elements(wasm_store_t *, uint64_t count);
/* Bytes that the budget still allows. */
uint64_t cn_store_budget_left(const wasm_store_t *);
/* Takes more fuel, of what the stores of the program's threads have together; false when there is none. */
bool cn_store_refuel(wasm_store_t *);
/* The store's fuel, with what it can still take. */
uint64_t cn_store_fuel_left(const wasm_store_t *);
void cn_store_set_fuel(wasm_store_t *, uint64_t fuel);
/* A new store becomes that of another thread of the program in `first`: they share a budget, which is made of what
 * the first has. False when memory is exhausted. */
bool cn_store_join(wasm_store_t *, wasm_store_t *first);
/* The end of a store: its budget is let go, and its fuel is the other threads'. */
void cn_store_part(wasm_store_t *);
/* Bytes of memories and tables, by their elements, that the store's limit still allows. */
uint64_t cn_store_room(const wasm_store_t *);
/* Reports that `needed` more bytes of memories and tables, or elements of tables, exceed the store's
 * limit. */
bool cn_store_refuse_bytes(const wasm_store_t *, uint64_t needed, struct error *);
bool cn_store_refuse_elements(const wasm_store_t *, uint64_t needed, struct error *);
/* Records the failure for catnap_store_last_error(); returns false. */
bool cn_store_fail(wasm_store_t *, const struct error *);
/* As cn_store_enter(), for entry points that make objects: collects first when that is due. Also false when a
 * finalizer has deleted the store. */
bool cn_store_enter_to_make(wasm_store_t *);
/* Around everything that changes the store or runs code in it. False when another thread is inside: then nothing of
 * the store may be touched, and cn_store_leave() must not be called. */
#ifndef NDEBUG
bool cn_store_enter(wasm_store_t *);
void cn_store_leave(wasm_store_t *);
#else
static inline bool cn_store_enter(wasm_store_t *store) {
    return store != NULL;
}
static inline void cn_store_leave(wasm_store_t *store) {
    (void)store;
}
#endif

#endif
