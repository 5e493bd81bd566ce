/*
 * The objects of a store. The opaque types of wasm.h are these structs themselves: a handle that the
 * embedder owns is a count on the object, so that wasm_func_copy() costs an increment and a
 * reference in a slot of the value stack, a table or a global is the object's address.
 *
 * Lifetime: what WebAssembly may reach lives as long as its store. An object of the host that never
 * was imported, exported, stored or passed (`escaped` clear) goes with its last handle, and foreign
 * objects (externref) are collected when nothing refers to them any more (runtime/collect.c).
 */
#ifndef CN_RUNTIME_OBJECTS_H
#define CN_RUNTIME_OBJECTS_H

#include <pthread.h>

#include "binary/module.h"
#include "binary/types.h"
#include "catnap.h"
#include "exec/machine.h"

struct wasm_config_t {
    catnap_allocator_t allocator; /* realloc NULL: malloc and free */
    catnap_features_t features;
    catnap_bounds_checks_t bounds_checks;
    catnap_translation_t translation;
    bool fuel;
    bool interruptible;
};

/* Alive as long as a handle, a store or a module refers to it. */
struct wasm_engine_t {
    _Atomic uint32_t references;
    struct wasm_config_t config;
    struct alloc alloc;
    struct type_registry types;
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
    uint8_t kind;    /* enum object_kind */
    bool escaped;    /* WebAssembly may reach it: it lives as long as the store */
    bool in_store;   /* in the store's list; else part of an instance */
    bool marked;     /* by the collector */
    uint32_t handles; /* that the embedder owns */
    struct wasm_store_t *store;
    struct wasm_ref_t *next, *previous; /* in the store's list */
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
    /* Of the host: */
    host_callback callback;
    void *user_callback; /* the embedder's function, cast by `callback` */
    void *env;
    void (*finalizer)(void *);
};

struct wasm_memory_t {
    struct wasm_ref_t ref;
    uint8_t *base;       /* never moves */
    uint64_t size;       /* bytes now */
    struct memorytype type; /* min is as declared */
    uint64_t max_pages;  /* it can grow to, by type and reservation */
    size_t reserved;     /* bytes of address space */
    bool guarded;        /* every 32-bit address + 32-bit offset is inside the reservation */
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
    uint64_t *cell;   /* the value: in the instance that defines it, or `own` */
    uint64_t own[2];
};

struct wasm_instance_t {
    struct wasm_ref_t ref;
    struct module *module;
    struct machine *machine;  /* of the store */
    /* What the handlers use, by index in the module's index spaces. */
    _Atomic uint64_t *code;   /* module->code, or its twin with explicit bounds checks: by defined index */
    wasm_memory_t **memories;
    wasm_table_t **tables;
    uint64_t **globals;       /* the cells */
    wasm_func_t **funcs;      /* NULL until somebody needs the reference; imported ones always set */
    uint64_t *cells;          /* of the globals defined here, two slots each */
    bool *dropped_elems, *dropped_datas;
    wasm_global_t **global_objects; /* NULL until somebody needs the object; imported ones always set */
    struct arena arena;       /* all of the above, and the function objects */
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

#define TRAP_FRAMES_MAX 128

struct wasm_trap_t {
    struct wasm_ref_t ref;
    catnap_trap_code_t code;
    int32_t exit_status;
    bool immortal; /* the store's spare one for exhausted memory */
    size_t message_length;
    char *message; /* NUL-terminated */
    size_t frame_count;
    struct trap_frame *frames;
};

struct wasm_store_t {
    wasm_engine_t *engine;
    struct alloc *alloc;
    struct machine machine;
    catnap_limits_t limits;
    uint64_t memory_bytes, table_elements, instance_count; /* in use, against the limits */
    struct wasm_ref_t objects; /* head of the ring */
    uint64_t foreign_count, collect_at;
    catnap_error_t *last_error;
    wasm_trap_t *spare_trap;
    void *data;
};

/* A shared module and what depends on the engine. */
struct shared_module {
    _Atomic uint32_t references;
    wasm_engine_t *engine;
    struct module *module;
    /* The same functions translated for memories without guard pages; made when first needed. */
    _Atomic(_Atomic uint64_t *) explicit_code;
};

/* ---- objects.c ---- */
void cn_object_init(struct wasm_ref_t *, enum object_kind, wasm_store_t *);
void cn_object_retain(struct wasm_ref_t *);  /* one more handle */
void cn_object_release(struct wasm_ref_t *); /* one handle less; may free it */

/* ---- traps.c: never NULL, the store's spare trap when memory is exhausted ---- */
wasm_trap_t *cn_trap_new(wasm_store_t *, catnap_trap_code_t, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Standard message of a code, the official suite's wording. */
const char *cn_trap_text(catnap_trap_code_t);

/* ---- memory.c ---- */
wasm_memory_t *cn_memory_new(wasm_store_t *, const struct memorytype *, struct error *);
/* Old size in pages, or -1 when the limits or the system refuse. */
int64_t cn_memory_grow(wasm_memory_t *, uint64_t pages);

/* ---- table.c ---- */
wasm_table_t *cn_table_new(wasm_store_t *, const struct tabletype *, uint64_t init, struct error *);
int64_t cn_table_grow(wasm_table_t *, uint64_t count, uint64_t init);

/* ---- instance.c ---- */
/* The reference to a function of an instance; NULL when memory is exhausted. */
wasm_func_t *cn_instance_func(wasm_instance_t *, uint32_t index);
/* memory.init, table.init: false when out of bounds (the caller traps); a dropped segment is empty. */
bool cn_instance_memory_init(wasm_instance_t *, uint32_t memory, uint32_t data, uint64_t to,
                             uint64_t from, uint64_t count);
enum table_init_result { TABLE_INIT_OK, TABLE_INIT_OUT_OF_BOUNDS, TABLE_INIT_NO_MEMORY };
enum table_init_result cn_instance_table_init(wasm_instance_t *, uint32_t table, uint32_t elem,
                                              uint64_t to, uint64_t from, uint64_t count);

#endif
