/*
 * The objects of a store. The opaque types of wasm.h are these structs themselves: a handle that the
 * embedder owns is a count on the object, so that wasm_func_copy() costs an increment and a
 * reference in a slot of the value stack, a table or a global is the object's address.
 *
 * Lifetime: an object of the host that never was imported, exported, stored or passed (`escaped` clear)
 * goes with its last handle. All others go when neither handles nor other objects lead to them, which
 * a collection finds out (runtime/collect.c): now and then, when something is made or let go. Functions
 * and globals that an instance defines are parts of it and live as long.
 *
 * Objects that only the library's own code has a pointer to are not found. So a collection happens
 * where an entry point begins (cn_store_enter_to_make, cn_safe_point) or has failed and taken back all
 * it made (cn_collect_for), but never within cn_hold_collections() ... cn_resume_collections().
 *
 * A deleted store runs all finalizers at once; its memory stays until the last handle on something
 * in it is gone, so that handles may be deleted in any order. Nothing can be called in it any more.
 */
#ifndef CN_RUNTIME_OBJECTS_H
#define CN_RUNTIME_OBJECTS_H

#include <pthread.h>

#include "base/pieces.h"
#include "base/track.h"
#include "binary/module.h"
#include "binary/types.h"
#include "catnap.h"
#include "exec/machine.h"

struct wasm_config_t {
    catnap_allocator_t allocator; /* realloc NULL: malloc and free */
    catnap_features_t features;
    catnap_bounds_checks_t bounds_checks;
    catnap_translation_t translation;
    catnap_tracking_t tracking;
    uint32_t threads;      /* that validate one module; 0 counts as 1 */
    uint64_t memory_limit; /* bytes that the allocator may give */
    bool fuel;
    bool interruptible;
    bool profile_ops;
};

/* Alive as long as a handle, a store or a module refers to it. */
struct wasm_engine_t {
    _Atomic uint32_t references;
    struct wasm_config_t config;
    struct alloc alloc;
    struct type_registry types;
    struct tracker *_Atomic tracker; /* opened by the first checkpoint of a process */
    struct spaces spaces;            /* of shadows */
};

enum object_kind {
    OBJECT_FUNC,
    OBJECT_TABLE,
    OBJECT_MEMORY,
    OBJECT_GLOBAL,
    OBJECT_INSTANCE,
    OBJECT_MODULE,
    OBJECT_TRAP,
    OBJECT_FOREIGN
};

/* Head of every object that has handles. */
struct wasm_ref_t {
    uint8_t kind;     /* enum object_kind */
    bool escaped;     /* WebAssembly may reach it: it goes when a collection finds it unreachable */
    bool in_store;    /* in the store's list; else part of an instance */
    bool marked;      /* by the collector */
    uint32_t handles; /* that the embedder owns; any pin the store */
    uint32_t number;  /* 1 and up: in the snapshot that was made last */
    struct wasm_store_t *store;
    struct wasm_ref_t *next, *previous; /* in the store's list */
    struct wasm_ref_t *gray;            /* the next one that is marked, for the collector */
    void *host_info;
    void (*host_info_finalizer)(void *);
};

/* A host function as the engine calls it: `slots` holds the arguments and receives the results. */
typedef struct wasm_trap_t *(*host_callback)(struct wasm_func_t *, struct catnap_caller_t *,
                                             uint64_t *slots);

struct wasm_func_t {
    struct wasm_ref_t ref;
    const struct functype *type;
    struct wasm_instance_t *instance; /* NULL: a function of the host */
    uint32_t index;                   /* in the module's index space */
    uint32_t defined_index;           /* the same, not counting imported functions */
    const struct code *code; /* once it was called by reference, from elsewhere or by the host */
    /* Of the host: */
    host_callback callback;
    void *user_callback; /* the embedder's function, cast by `callback` */
    void *env;
    void (*finalizer)(void *);
};

struct wasm_memory_t {
    struct wasm_ref_t ref;
    uint8_t *base;          /* never moves */
    uint64_t size;          /* bytes now */
    struct memorytype type; /* min is as declared */
    uint64_t max_pages;     /* it can grow to, by type and reservation */
    size_t reserved;        /* bytes of address space */
    bool guarded;           /* every 32-bit address + 32-bit offset is inside the reservation */
    bool imaged;           /* a mapped image is behind its pages: untouched ones need not be zero */
    struct shadow *shadow; /* of checkpoints, or NULL */
    /* Set: there is or was one, and may have mapped pages anew. */
    void (*drop_shadow)(wasm_memory_t *);
    /* Of a memory whose address space somebody wants back: whether it was taken. */
    bool (*give_back)(wasm_memory_t *);
    bool is_lent; /* in use for another time, with all that was mapped */
    bool unlike;  /* something could not be mapped that otherwise is */
    struct catnap_snapshot_t *source;
    uint32_t source_object;
};

struct wasm_table_t {
    struct wasm_ref_t ref;
    uint64_t *elements; /* may move when it grows */
    uint64_t size, capacity;
    struct tabletype type;
};

struct wasm_global_t {
    struct wasm_ref_t ref;
    struct globaltype type;
    struct wasm_instance_t *instance; /* that defines it; NULL: the host */
    uint64_t *cell;                   /* the value: in the instance that defines it, or `own` */
    uint64_t own[2];
};

struct wasm_instance_t {
    struct wasm_ref_t ref;
    struct module *module;
    struct machine *machine; /* of the store */
    /* What the handlers use, by index in the module's index spaces; code, which is the module's or
     * its twin with explicit bounds checks, by defined index. */
    _Atomic uint64_t *code;
    wasm_memory_t **memories;
    wasm_table_t **tables;
    uint64_t **globals;  /* the cells */
    wasm_func_t **funcs; /* NULL until somebody needs the reference; imported ones always set */
    uint64_t *cells;     /* of the globals defined here, two slots each */
    bool *dropped_elems, *dropped_datas;
    /* NULL until somebody needs the object; imported ones always set. */
    wasm_global_t **global_objects;
    struct elem_items **elem_items; /* of passive segments, once table.init used them */
    struct wasm_ref_t *parts; /* the functions and globals of it that are objects, by `next` */
    struct shared_module *shared;
    struct slot *slot; /* of a pre-linked module, which takes it back; or NULL */
    size_t allocation; /* bytes: this struct and all arrays above, in one block */
    bool counted;      /* in store->instance_count */
};

struct wasm_foreign_t {
    struct wasm_ref_t ref;
};

struct wasm_module_t { /* a store's handle on a shared module */
    struct wasm_ref_t ref;
    struct shared_module *shared;
};

/* The code of a frame, resolved to offsets only when somebody asks. */
struct trap_frame {
    wasm_instance_t *instance; /* NULL: a host function */
    uint32_t func_index;
    const uint64_t *pc; /* in the function's bytecode; NULL: not known */
};

/* Of a deep stack a trap keeps the innermost frames and the outermost ones. */
#define TRAP_FRAMES_MAX 128u
#define TRAP_FRAMES_INNERMOST 96u
_Static_assert(TRAP_FRAMES_INNERMOST < TRAP_FRAMES_MAX, "there are outermost frames");

struct wasm_trap_t {
    struct wasm_ref_t ref;
    catnap_trap_code_t code;
    int32_t exit_status;
    bool immortal; /* one of the store's spare ones */
    size_t message_length;
    char *message; /* NUL-terminated; message_length + 1 bytes of store->alloc */
    size_t frame_count;
    size_t frames_left_out;    /* behind the TRAP_FRAMES_INNERMOST first */
    struct trap_frame *frames; /* exactly frame_count, of store->alloc */
};

/* What catnap_error_t points at; lives in the store or outside of any engine. */
struct catnap_error_t {
    struct error error;
};

/* What checkpoints hold of a store: the collector and the end of the store need to know. */
struct checkpoints;
struct marking;
struct checkpoint_hooks {
    void (*mark)(const struct checkpoints *, struct marking *);
    void (*drop)(wasm_store_t *);
    /* In a child of the process that made them: makes memories and shadows the child's own. */
    bool (*adopt)(wasm_store_t *, struct error *);
};

/* What several stores may have together: bytes of linear memories and tables, and what else their
 * owner counts. Any thread. */
struct budget {
    _Atomic uint64_t references;
    _Atomic uint64_t used, peak;
    uint64_t limit;
    struct alloc *alloc; /* that it is from */
};

struct wasm_store_t {
    wasm_engine_t *engine;
    struct alloc *alloc;
    struct machine machine;
    catnap_limits_t limits;
    uint64_t memory_bytes, table_elements, instance_count; /* in use, against the limits */
    struct wasm_ref_t objects;                             /* head of the ring */
    uint64_t object_count;                                 /* in the ring */
    uint64_t block_bytes;    /* of instances, with what they have beside memories and tables */
    uint64_t reserved_bytes; /* address space of memories */
    struct {
        uint64_t objects, bytes, reserved;
    } collect_at;              /* a collection is due when there is so much */
    uint32_t collections_held; /* above 0: there is none */
    bool may_have_garbage;     /* something was made or let go since the last one */
    bool short_of_space;       /* no guard pages were to be had, and no memory was freed since */
    struct budget *budget;     /* or NULL */
    uint64_t pins;             /* objects with handles, linkers */
    uint64_t handles;          /* on all objects, those that calls hold meanwhile aside */
    bool deleted;              /* by its owner: waits for the pins */
    bool keep_objects; /* finalizers run or the end is near: no object is freed by release */
    bool collecting;
    bool failed; /* last_error is set */
    struct catnap_error_t last_error;
    struct checkpoints *checkpoints; /* or NULL */
    const struct checkpoint_hooks *checkpoint_hooks;
    /* Set while instances are made that may have guarded address space which is laid out already. */
    bool (*lend)(void *lender, wasm_memory_t *);
    void *lender;
    wasm_trap_t *spare_trap;  /* for exhausted memory */
    wasm_trap_t *misuse_trap; /* for a second thread; its handles are not counted */
    void *data;
    /* Of debug builds: which thread is inside, and how often. */
    _Atomic uintptr_t thread;
    uint32_t entered;
    atomic_bool misused; /* last_error is to be CATNAP_MISUSE */
};

/* A shared module and what depends on the engine: wasm_shared_module_t. */
struct shared_module {
    _Atomic uint32_t references;
    wasm_engine_t *engine;
    struct module *module;
    /* The same functions translated for memories without guard pages; made when first needed. */
    _Atomic(_Atomic uint64_t *) explicit_code;
};

/* ---- engine.c ---- */
void cn_config_init(struct wasm_config_t *);
wasm_engine_t *cn_engine_new(const struct wasm_config_t *); /* NULL when memory is exhausted */
void cn_engine_retain(wasm_engine_t *);
void cn_engine_release(wasm_engine_t *); /* NULL allowed */

/* ---- store.c ---- */
catnap_limits_t cn_limits_default(void);
wasm_store_t *cn_store_new(wasm_engine_t *);
void cn_store_delete(wasm_store_t *);
void cn_store_pin(wasm_store_t *);
void cn_store_unpin(wasm_store_t *); /* may be the end of a deleted store */
/* What memories and tables of the store have: taken against its budget, not against its limits, which
 * the caller has looked at. False when the budget does not reach. */
bool cn_store_take_memory(wasm_store_t *, uint64_t bytes);
void cn_store_give_memory(wasm_store_t *, uint64_t bytes);
bool cn_store_take_elements(wasm_store_t *, uint64_t count);
void cn_store_give_elements(wasm_store_t *, uint64_t count);
/* Bytes that the budget still allows. */
uint64_t cn_store_budget_left(const wasm_store_t *);
/* Bytes of memories and tables, by their elements, that the store's limit still allows. */
uint64_t cn_store_room(const wasm_store_t *);
/* Records the failure for catnap_store_last_error(); returns false. */
bool cn_store_fail(wasm_store_t *, const struct error *);
/* As cn_store_enter(), for what makes objects: collects before when that is due. False, too, when a
 * finalizer has ended the store. */
bool cn_store_enter_to_make(wasm_store_t *);
/* Around whatever changes the store or runs code in it. False when another thread is inside:
 * nothing of the store may then be touched, and leave is not to be called. */
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

/* ---- budget.c ---- */
/* With one reference. NULL when memory is exhausted. */
struct budget *cn_budget_new(struct alloc *, uint64_t limit);
void cn_budget_retain(struct budget *);
void cn_budget_release(struct budget *); /* NULL allowed */
bool cn_budget_take(struct budget *, uint64_t bytes);
void cn_budget_give(struct budget *, uint64_t bytes);

/* ---- objects.c ---- */
/* A new object in the store's list, with no handles yet. */
void cn_object_init(struct wasm_ref_t *, enum object_kind, wasm_store_t *);
/* One that belongs to an instance, which frees it. */
void cn_object_init_part(struct wasm_ref_t *, enum object_kind, wasm_store_t *);
void cn_object_retain(struct wasm_ref_t *);  /* one more handle */
void cn_object_release(struct wasm_ref_t *); /* one handle less; may free it */
/* The same where nothing else is under way: what only that handle kept goes when it is much. */
void cn_object_drop(struct wasm_ref_t *);
void cn_object_set_host_info(struct wasm_ref_t *, void *info, void (*finalizer)(void *));
/* Runs what finalizers the object has, each once. */
void cn_object_finalize(struct wasm_ref_t *);
void cn_object_unlink(struct wasm_ref_t *); /* from the store's list */
void cn_object_free(struct wasm_ref_t *);   /* by its kind; finalized and unlinked before */

static inline struct wasm_ref_t *slot_object(uint64_t slot) {
    return (struct wasm_ref_t *)(uintptr_t)slot;
}
/* The slot that holds this reference, from now on within reach of WebAssembly; NULL is null. */
static inline uint64_t object_slot(struct wasm_ref_t *ref) {
    if (ref)
        ref->escaped = true;
    return (uint64_t)(uintptr_t)ref;
}

/* ---- collect.c ---- */
/* Frees what nothing can reach, unless collections are held or one is under way. Calls finalizers,
 * which may do anything but end the store: the caller has pinned it. */
void cn_collect(wasm_store_t *);
static inline uint64_t cn_store_held_bytes(const wasm_store_t *store) {
    return store->memory_bytes + store->table_elements * sizeof(uint64_t) + store->block_bytes;
}
#ifdef CATNAP_ZEAL /* of builds for tests: whenever it can be */
static inline bool cn_collection_is_due(const wasm_store_t *store) {
    return store != NULL;
}
#else
static inline bool cn_collection_is_due(const wasm_store_t *store) {
    return store->object_count >= store->collect_at.objects ||
           cn_store_held_bytes(store) >= store->collect_at.bytes ||
           store->reserved_bytes >= store->collect_at.reserved;
}
#endif
bool cn_can_collect(const wasm_store_t *);
/* Sets when the next one is due; so many slots of value stacks were looked at. */
void cn_collection_plan(wasm_store_t *, uint64_t scanned);
/* Where nothing but handles and value stacks refers to objects that are in use: collects when that is
 * due. The caller has pinned the store. */
static inline void cn_safe_point(wasm_store_t *store) {
    if (__builtin_expect(cn_collection_is_due(store), 0))
        cn_collect(store);
}
/* After a failure to make something, when all of it was taken back: collects, and tells whether it is to
 * be tried again, since something was freed or it can do without guard pages; not when a finalizer has
 * deleted the store. The caller has pinned it. */
bool cn_collect_for(wasm_store_t *, const struct error *);
static inline void cn_hold_collections(wasm_store_t *store) {
    store->collections_held++;
}
static inline void cn_resume_collections(wasm_store_t *store) {
    store->collections_held--;
}
/* For checkpoints: an object (or NULL), references, the cells of an instance's globals. */
void cn_mark_object(struct marking *, struct wasm_ref_t *);
void cn_mark_slots(struct marking *, const uint64_t *slots, uint64_t count);
void cn_mark_cells(struct marking *, const wasm_instance_t *, const uint64_t *cells);
/* NULL when memory is exhausted. */
wasm_foreign_t *cn_foreign_new(wasm_store_t *);

/* ---- traps.c ---- */
/* Never NULL: the store's spare trap when memory is exhausted. With one handle, the caller's. */
wasm_trap_t *cn_trap_new(wasm_store_t *, catnap_trap_code_t, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with a message of any length. */
wasm_trap_t *cn_trap_new_text(wasm_store_t *, catnap_trap_code_t, const char *text, size_t length);
/* A spare trap for a new store: no handles, never freed by release. NULL when memory is exhausted. */
wasm_trap_t *cn_trap_new_spare(wasm_store_t *, catnap_trap_code_t, const char *text);
/* For calls that name no store: it belongs to none, and handles on it are not counted. */
wasm_trap_t *cn_trap_null_argument(void);
/* Standard message of a code, the official suite's wording. */
const char *cn_trap_text(catnap_trap_code_t);

/* ---- func.c ---- */
/* A function of the host. Takes over one reference of the type, also on failure; the finalizer is
 * then not called. */
wasm_func_t *cn_func_new(wasm_store_t *, const struct functype *, host_callback,
                         void *user_callback, void *env, void (*finalizer)(void *), struct error *);

/* ---- memory.c ---- */
wasm_memory_t *cn_memory_new(wasm_store_t *, const struct memorytype *, struct error *);
/* Pages by which it may still grow, as far as the limits go. */
uint64_t cn_memory_room(const wasm_memory_t *);
/* Old size in pages, or -1 when the limits or the system refuse. */
int64_t cn_memory_grow(wasm_memory_t *, uint64_t pages);

/* ---- table.c ---- */
wasm_table_t *cn_table_new(wasm_store_t *, const struct tabletype *, uint64_t init, struct error *);
/* Elements by which it may still grow, as far as the limits go. */
uint64_t cn_table_room(const wasm_table_t *);
/* Old size, or -1 when the limits or the allocator refuse. */
int64_t cn_table_grow(wasm_table_t *, uint64_t count, uint64_t init);

/* ---- global.c ---- */
wasm_global_t *cn_global_new(wasm_store_t *, const struct globaltype *, const uint64_t value[2],
                             struct error *);

/* ---- shared.c ---- */
/* Takes over the reference of the module. NULL when memory is exhausted; the module is then gone. */
struct shared_module *cn_shared_new(wasm_engine_t *, struct module *);
void cn_shared_retain(struct shared_module *);
void cn_shared_release(struct shared_module *);
/* The code table for explicit bounds checks; NULL when memory is exhausted. Any thread. */
_Atomic uint64_t *cn_shared_explicit_code(struct shared_module *);
/* A handle of a store on it. NULL when memory is exhausted. */
wasm_module_t *cn_module_object_new(wasm_store_t *, struct shared_module *);

/* ---- link.c ---- */
/* Whether the objects fit the module's imports (section 4.5.3), in their order. An error names the
 * first that does not. */
bool cn_link_check(wasm_store_t *, const struct module *, struct wasm_ref_t *const *imports,
                   size_t count, struct error *);

/* ---- constexpr.c ---- */
/* The value of a validated constant expression; *at moves past its end. False when memory for a
 * function reference is exhausted. */
bool cn_const_value(wasm_instance_t *, const uint8_t **at, uint64_t value[2]);

/* ---- instance.c ---- */
/* Links, allocates and initialises, without running the start function. NULL with either an error
 * or a trap. No handle yet. */
wasm_instance_t *cn_instance_new(wasm_store_t *, struct shared_module *,
                                 struct wasm_ref_t *const *imports, size_t import_count,
                                 struct error *, wasm_trap_t **trap);
/* What comes before the segments: checks that the store has room for one more, allocates, fills in
 * the imports, which must fit. */
wasm_instance_t *cn_instance_make(wasm_store_t *, struct shared_module *,
                                  struct wasm_ref_t *const *imports, struct error *);
/* Takes back an instance that nobody has seen. */
void cn_instance_undo(wasm_instance_t *);
bool cn_instance_check_room(const wasm_store_t *, struct error *);
/* The reference to a function of an instance; NULL when memory is exhausted. */
wasm_func_t *cn_instance_func(wasm_instance_t *, uint32_t index);
/* Likewise the object of a global. */
wasm_global_t *cn_instance_global(wasm_instance_t *, uint32_t index);
/* Likewise of whatever is exported. */
struct wasm_ref_t *cn_instance_extern(wasm_instance_t *, enum extern_kind, uint32_t index);

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
/* What memory.init and table.init may take from: a dropped segment is empty. */
struct span cn_instance_data(const wasm_instance_t *, uint32_t data);
uint64_t cn_instance_elem_count(const wasm_instance_t *, uint32_t elem);
/* The references of a segment, of which the first `end` are read by now. Interrupted half-way it goes on
 * there the next time. */
enum elem_items_result { ITEMS_OK, ITEMS_NO_MEMORY, ITEMS_INTERRUPTED };
enum elem_items_result cn_instance_elem_items(wasm_instance_t *, uint32_t index, uint32_t end,
                                              const uint64_t **slots);
void cn_elem_items_free(wasm_store_t *, struct elem_items *, const struct elem_segment *);
void cn_elem_items_mark(struct marking *, const struct elem_items *);

#endif
