/*
 * A snapshot: the instances of a store as data. It refers to objects by number, and holds the contents of memories as
 * runs of pages; it holds no addresses. A snapshot is captured from a store or read from bytes; it is restored to
 * instances or written to bytes (docs/explanation/snapshots.md, format).
 */
#ifndef CN_PERSIST_SNAPSHOT_H
#define CN_PERSIST_SNAPSHOT_H

#include "runtime/gc.h"
#include "runtime/instance.h"

/* The unit in which memory is kept, whatever the operating system's pages are. */
#define SNAP_PAGE 4096u

/* The last two are of stores with values of the any hierarchy, whose snapshots have another format version. */
enum snap_ref_tag {
    SNAP_NULL,
    SNAP_OBJECT,
    SNAP_FUNC_OF,
    SNAP_GLOBAL_OF,
    SNAP_VALUE,     /* of the any hierarchy */
    SNAP_CONVERTED, /* the same as an externref (extern.convert_any) */
    SNAP_REF_TAGS
};
struct snap_ref {
    uint32_t tag;
    uint32_t
        object; /* number; for FUNC_OF and GLOBAL_OF that of an instance; for the last two a heap handle */
    uint32_t index;
};
static inline bool snap_ref_is_value(struct snap_ref ref) {
    return ref.tag == SNAP_VALUE || ref.tag == SNAP_CONVERTED;
}

struct snap_value {
    uint64_t bits[2];
    struct snap_ref ref; /* of reference types */
};

struct snap_text {
    const char *bytes;
    uint32_t length;
};

struct snap_module {
    uint64_t hash[2]; /* XXH3-128 of the binary, high half first */
    uint64_t length;
    struct snap_text name;
    const uint8_t *bytes;         /* when the snapshot has it with it */
    struct shared_module *shared; /* held; NULL until it is found */
};

/* Items of a passive element segment that were read: objects, when they are of the any hierarchy. */
struct snap_segment {
    uint32_t index, count;
    struct snap_ref *items;
};

struct snap_object {
    uint32_t kind;  /* enum object_kind */
    uint32_t owner; /* of an instance's memory or table: the instance's number + 1, else 0 */
    uint32_t owner_index;
    /* Instances: */
    uint32_t module, import_count;
    struct snap_ref *imports; /* of an exception: its tag */
    /* State that the object holds itself, by its form (runtime/state.h). The items of several kinds with the
     * same form are in the order of cn_state_kinds[]. */
    uint32_t value_count, flag_count;
    struct snap_value *values;
    uint8_t *flags;
    uint32_t segment_count;
    struct snap_segment *segments;
    uint64_t size; /* STATE_PAGES: bytes; STATE_REFS: elements */
    struct snap_ref *elements;
    uint64_t extent; /* of a memory (runtime/memory.h); `size` is in whole pages */
    /* The type of memories, tables and globals: */
    struct limits limits;
    bool byte_pages;
    valtype type;
    bool is_mutable, is_shared;
    /* Functions and other references of the host: how the host knows them again. */
    struct snap_text import_module, import_name; /* what imported it, when something did */
    struct snap_text host_name;
    struct wasm_ref_t *source; /* while capturing */
};

/* The heap of the store (heap/heap.h). Its region and start bits are runs of pages, as if they were objects of these
 * numbers. */
#define SNAP_REGION (UINT32_MAX - 1)
#define SNAP_STARTS UINT32_MAX
struct snap_type {
    uint32_t module, index; /* in the module; NO_MODULE: no object has this type number */
};
#define NO_MODULE UINT32_MAX
struct snap_heap {
    uint64_t bytes;      /* of the region, in whole blocks; 0: there are no objects */
    uint32_t type_count; /* from the first number behind HEAP_BOX_TYPE on */
    uint32_t side_count; /* from number 1 on */
    const struct snap_type *types;
    const struct snap_ref *side; /* SNAP_NULL: the number is free */
    /* Of a snapshot that is_own, to resume the heap without a walk over its objects: */
    const void *kept; /* cn_heap_keep() */
    uint64_t live;    /* bytes */
};

/* Pages of a memory that are not all zero, or in a delta any that changed. */
struct snap_run {
    uint32_t object;       /* or SNAP_REGION, SNAP_STARTS */
    uint64_t first, count; /* in units of SNAP_PAGE */
    const uint8_t *bytes;  /* NULL: they became zero (in a delta) */
    uint64_t offset;       /* of bytes in the snapshot's image, when it has one */
    uint64_t checksum;     /* XXH3-64 of bytes */
};

/* Where a frame of suspended execution stands (translate/translate.h). */
struct snap_frame {
    struct snap_ref func; /* FUNC_OF */
    uint32_t safepoint;   /* enum safepoint */
    uint32_t offset;      /* in the module */
    uint32_t value_count; /* locals, then operands */
    uint8_t *kinds;       /* enum slot_kind of each */
    struct snap_value *values;
};

struct catnap_snapshot_t {
    struct alloc *alloc;
    wasm_engine_t *engine; /* held */
    struct arena arena;    /* all arrays and texts */
    bool fuel_enabled, interruptible;
    uint64_t fuel;
    uint32_t module_count, object_count, frame_count;
    struct snap_module *modules;
    struct snap_object *objects;
    size_t object_capacity;
    struct snap_heap heap;
    bool
        with_values; /* it has values of the any hierarchy, or places for these in objects of the host */
    bool
        is_own; /* captured here and never written elsewhere: what it says of the heap holds together */
    struct snap_run *runs;
    size_t run_count, run_capacity;
    struct snap_frame *frames; /* outermost first; none: nothing is suspended */
    struct snap_ref entry;     /* the function that the run began with */
    uint64_t fuel_paid;        /* by the run, towards what it stopped before */
    const uint8_t *data;       /* the embedder's */
    uint64_t data_length;
    bool is_delta;
    uint64_t identity[2], base_identity[2];
    /* The bytes that runs point into, when these are not the captured memory itself. */
    int image;     /* descriptor, or -1 */
    uint8_t *view; /* a mapping of view_length bytes, or NULL */
    size_t view_length;
    uint8_t *file_view; /* a mapping of the image or file that was opened, or NULL */
    size_t file_view_length;
    catnap_snapshot_t *base; /* of a delta: held */
    _Atomic uint32_t references;
    /* Address space of former instances (spares.c). */
    pthread_mutex_t spare_mutex;
    struct spare *spares; /* MOST_SPARES, or NULL */
    uint32_t spare_count;
};
#define MOST_SPARES 16u

/* ---- capture.c ---- */
struct snap_naming {
    size_t (*name)(void *env, const struct wasm_ref_t *, char *text, size_t size);
    void *env;
};
/* Captures a store. The runs point into its memories, so that it must not change until the snapshot was written or
 * cn_snapshot_own() was called. `run` may be NULL. NULL and *error on failure. */
catnap_snapshot_t *cn_snapshot_capture(wasm_store_t *, struct catnap_run_t *run,
                                       const struct snap_naming *, struct error *);
/* Copies the pages into an image of the snapshot's own. */
bool cn_snapshot_own(catnap_snapshot_t *, struct error *);
/* ---- delta.c ---- */
/* A snapshot with only those pages that differ from the base. */
catnap_snapshot_t *cn_snapshot_changes(const catnap_snapshot_t *, const catnap_snapshot_t *base,
                                       struct error *);
void cn_snapshot_diff(const catnap_snapshot_t *, const catnap_snapshot_t *,
                      void (*found)(void *env, size_t memory, uint64_t offset, uint64_t length),
                      void *env);
/* Completes a delta with the pages of its base. */
bool cn_snapshot_add(catnap_snapshot_t *, catnap_snapshot_t *base, struct error *);

/* ---- capture.c ---- */
catnap_snapshot_t *cn_snapshot_new(wasm_engine_t *, struct error *);
void cn_snapshot_retain(catnap_snapshot_t *);
void cn_snapshot_release(catnap_snapshot_t *); /* NULL allowed */
/* Appends, uninitialised; NULL when memory is exhausted. */
struct snap_run *cn_snapshot_add_run(catnap_snapshot_t *);

/* ---- restore.c ---- */
struct snap_resolver {
    /* A function for an import, or NULL; *error may be set. */
    struct wasm_func_t *(*import)(void *env, struct snap_text module, struct snap_text name,
                                  const struct functype *, struct error *);
    /* A tag for an import, or NULL. */
    struct wasm_ref_t *(*tag)(void *env, struct snap_text module, struct snap_text name);
    /* The host's object of that name, or NULL. */
    struct wasm_ref_t *(*host)(void *env, struct snap_text name);
    /* A module with this identity, held for the caller, or NULL. */
    struct shared_module *(*module)(void *env, const struct snap_module *, struct error *);
    void *env;
};
/* Restores the instances in a snapshot; instances[] receives each, without handles. *run is NULL when
 * nothing was suspended. On failure the store is unchanged. */
bool cn_snapshot_restore(catnap_snapshot_t *, wasm_store_t *, const struct snap_resolver *,
                         wasm_instance_t **instances, struct catnap_run_t **run, struct error *);
uint32_t cn_snapshot_instance_count(const catnap_snapshot_t *);

/* ---- spares.c ---- */
/* Address space that a former memory of this object had, with its image; NULL when there is none. */
uint8_t *cn_spare_take(catnap_snapshot_t *, uint32_t object, size_t *reserved);
/* The memory is laid out for the object: at its end it gives its address space back to the snapshot, which is held
 * until then. */
void cn_spare_expect(catnap_snapshot_t *, uint32_t object, wasm_memory_t *);
/* At the end of such a memory. False when its address space is not kept. */
bool cn_spare_give_back(wasm_memory_t *);
void cn_spares_free(catnap_snapshot_t *);

/* ---- frames.c ---- */
bool cn_frames_capture(catnap_snapshot_t *, struct catnap_run_t *, struct error *);
struct snap_made {               /* what restoring made */
    struct wasm_ref_t **objects; /* of each object */
    struct heap *heap;           /* of the snapshot's heap; NULL: it has none */
};
struct catnap_run_t *cn_frames_restore(const catnap_snapshot_t *, wasm_store_t *,
                                       const struct snap_made *, struct error *);
/* capture.c: the reference in a slot of a kind; restore.c: the slot of a reference, which is of the kind. */
bool cn_snap_ref_of(catnap_snapshot_t *, enum slot_kind, uint64_t slot, struct snap_ref *,
                    struct error *);
bool cn_snap_slot_of(const catnap_snapshot_t *, const struct snap_made *, enum slot_kind,
                     struct snap_ref, uint64_t *slot, struct error *);
/* NULL, or why a slot of its kind is not of the type. */
const char *cn_snap_slot_fault(const struct snap_made *, const struct type_registry *,
                               uint64_t slot, valtype);

/* ---- heap.c ---- */
/* Pages of a memory, or of a part of the heap; 0 of anything else. */
uint64_t cn_snap_pages(const catnap_snapshot_t *, uint32_t object);
/* The numbers that runs may have, in their order. */
static inline uint32_t cn_snap_paged_count(const catnap_snapshot_t *s) {
    return s->object_count + 2;
}
static inline uint32_t cn_snap_paged(const catnap_snapshot_t *s, uint32_t i) {
    return i < s->object_count ? i : SNAP_REGION + (i - s->object_count);
}
/* After a full collection: types and side table, when there are objects. */
bool cn_snap_heap_capture(catnap_snapshot_t *, wasm_store_t *, struct error *);
/* The numbers of types, when all modules are known. */
bool cn_snap_heap_types(catnap_snapshot_t *, const wasm_store_t *, struct error *);
/* Makes a heap of the size, with the types; the store has no objects in its own. */
bool cn_snap_heap_make(const catnap_snapshot_t *, wasm_store_t *, struct error *);
/* When region and start bits are filled, and all other objects are there: makes it a heap, or finds that it is none. */
bool cn_snap_heap_finish(const catnap_snapshot_t *, wasm_store_t *, struct snap_made *,
                         struct error *);

/* ---- write.c ---- */
/* Fills in the modules' hashes, the runs' checksums and the identity, where they are not known. */
bool cn_snapshot_identify(catnap_snapshot_t *, struct error *);
struct snap_write_options {
    bool with_modules;
    int compression;               /* 0: none, else a level of zstd */
    const catnap_snapshot_t *base; /* write a delta against this; or NULL */
};
/* Of the contents of all runs. */
void cn_snapshot_checksum(catnap_snapshot_t *);
/* Gives the bytes in pieces, in order; false from the sink ends it with the sink's error. */
typedef bool (*snap_sink)(void *env, const void *bytes, size_t size, struct error *);
bool cn_snapshot_write(catnap_snapshot_t *, const struct snap_write_options *, snap_sink, void *env,
                       struct error *);
/* Whole or not at all: a temporary file beside it that is renamed when it is on the disk. */
bool cn_snapshot_write_file(catnap_snapshot_t *, const struct snap_write_options *,
                            const char *path, struct error *);

/* ---- read.c ---- */
/* Of bytes, which are copied, or of a file. With `check_pages` all checksums are compared, and the file
 * is copied too; else only those of the structure, which is copied, while pages are mapped from the
 * file. */
catnap_snapshot_t *cn_snapshot_read(wasm_engine_t *, const uint8_t *bytes, size_t length,
                                    bool check_pages, struct error *);
catnap_snapshot_t *cn_snapshot_open(wasm_engine_t *, const char *path, bool check_pages,
                                    struct error *);

#endif
