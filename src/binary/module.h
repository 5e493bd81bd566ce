/*
 * A module: what the decoder makes of the bytes. It is immutable once it is valid, but for the count of references,
 * and shared between stores and threads. Its translated code is kept beside it (runtime/shared.h).
 *
 * It points into the binary instead of copying wherever it can: names, data segments, bodies,
 * constant expressions and element lists are (offset, length) there.
 */
#ifndef CN_BINARY_MODULE_H
#define CN_BINARY_MODULE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"
#include "types/deftype.h"

/* Implementation limits: those of the JavaScript API (section "Implementation-defined limits"). */
#define LIMIT_MODULE_BYTES UINT64_C(1073741824)
#define LIMIT_TYPES 1000000u
#define LIMIT_FUNCTIONS 1000000u
#define LIMIT_IMPORTS 1000000u
#define LIMIT_EXPORTS 1000000u
#define LIMIT_GLOBALS 1000000u
#define LIMIT_TAGS 1000000u
#define LIMIT_DATA_SEGMENTS 100000u
#define LIMIT_ELEM_SEGMENTS 10000000u
#define LIMIT_TABLES 100000u
#define LIMIT_MEMORIES 100u
#define LIMIT_PARAMS 1000u
#define LIMIT_RESULTS 1000u
#define LIMIT_FIELDS 10000u
#define LIMIT_FIXED_OPERANDS 10000u /* of array.new_fixed */
#define LIMIT_BODY_BYTES 7654321u
#define LIMIT_LOCALS 50000u
#define LIMIT_TABLE_ELEMENTS 10000000u
#define LIMIT_MEMORY_PAGES 65536u
#define LIMIT_MEMORY64_PAGES 262144u
/* One of our own: operands and open blocks of a function, as far as there are more of them than the
 * body has bytes, since calls and blocks push by the thousand. */
#define LIMIT_STACK_VALUES 100000u
/* Likewise: operands of a constant expression, which is evaluated on the C stack. */
#define LIMIT_CONSTANT_OPERANDS 256u
/* Likewise: catch clauses of the try blocks around an instruction, each of which a throw may have to look at. */
#define LIMIT_CATCH_CLAUSES 1000u
/* Likewise: types of a body that are compared one by one, since they are not the same but one below the other, or the
 * operands of an instruction that makes an object. A byte of br_table could else cost a thousand comparisons, and so a
 * module of a gigabyte an hour. */
#define LIMIT_COMPARISONS_OF_BYTE 100u
#define LIMIT_COMPARISONS_OF_BODY (2 * LIMIT_PARAMS)

#define WASM_PAGE_BYTES 65536u

struct span { /* of the binary */
    uint32_t offset, length;
};

enum extern_kind {
    EXTERN_FUNC = 0,
    EXTERN_TABLE = 1,
    EXTERN_MEMORY = 2,
    EXTERN_GLOBAL = 3,
    EXTERN_TAG = 4
};

/* The bits of the byte that limits begin with in the binary. */
enum { LIMITS_HAS_MAX = 1, LIMITS_IS_64 = 4, LIMITS_PAGE_SIZE = 8 /* of memories */ };

struct limits {
    uint64_t min, max; /* pages or elements; max is meaningful when has_max */
    bool has_max;
    bool is_64; /* addresses, or indices, are i64 */
};
struct tabletype {
    valtype element;
    struct limits limits;
};
struct memorytype {
    struct limits limits;
    bool is_shared;
    bool byte_pages; /* its pages are single bytes, instead of WASM_PAGE_BYTES */
};
struct globaltype {
    valtype type;
    bool is_mutable;
};

struct import {
    struct span module, name;
    enum extern_kind kind;
    uint32_t index; /* in the index space of its kind */
};
struct export_ {
    struct span name;
    enum extern_kind kind;
    uint32_t index;
};

/* A validated constant expression (section 3.3.10): its bytes with the final `end`. */
struct const_expr {
    struct span span;
};

struct global_def {
    struct globaltype type;
    struct const_expr init; /* empty for an imported one */
};

enum segment_mode { SEGMENT_ACTIVE, SEGMENT_PASSIVE, SEGMENT_DECLARATIVE };

struct elem_segment {
    enum segment_mode mode;
    bool exprs; /* items are constant expressions, else function indices */
    valtype type;
    uint32_t table;
    uint32_t count;
    struct const_expr offset; /* active */
    struct span items;        /* the encoded items, without their count */
};
struct data_segment {
    enum segment_mode mode;
    uint32_t memory;
    struct const_expr offset; /* active */
    struct span bytes;
};

enum section_id {
    SECTION_CUSTOM,
    SECTION_TYPE,
    SECTION_IMPORT,
    SECTION_FUNCTION,
    SECTION_TABLE,
    SECTION_MEMORY,
    SECTION_GLOBAL,
    SECTION_EXPORT,
    SECTION_START,
    SECTION_ELEMENT,
    SECTION_CODE,
    SECTION_DATA,
    SECTION_DATA_COUNT,
    SECTION_TAG,
    SECTION_IDS
};

struct section {
    uint8_t id;          /* enum section_id */
    struct span content; /* a custom section's includes its name */
    struct span name;    /* custom only */
};

struct type_registry; /* types/registry.h */

struct module {
    _Atomic uint32_t references;
    struct alloc *alloc;
    struct type_registry *registry;
    catnap_features_t features;
    catnap_features_t *used; /* where the features that it needs are noted, or NULL */
    struct arena arena;      /* all arrays below */

    const uint8_t *bytes; /* never written to */
    size_t size;
    void (*release)(void *env, const uint8_t *bytes, size_t size); /* NULL: bytes are ours */
    void *release_env;

    uint32_t type_count;
    const struct deftype **types; /* canonical, each with a reference */
    uint32_t object_types;        /* types up to the last one of a structure or array */

    uint32_t import_count;
    struct import *imports;
    /* Index spaces: the imported ones first. */
    uint32_t func_count, imported_func_count;
    uint32_t *func_types; /* type index of each function */
    uint32_t table_count, imported_table_count;
    struct tabletype *tables;
    struct const_expr
        *table_inits; /* by index; empty where there is none; NULL when there is none at all */
    uint32_t memory_count, imported_memory_count;
    struct memorytype *memories;
    bool has_64; /* a memory or table has i64 addresses */
    uint32_t global_count, imported_global_count;
    struct global_def *globals;
    uint32_t tag_count, imported_tag_count;
    uint32_t *tag_types; /* type index of each tag */

    uint32_t export_count;
    struct export_ *exports;
    bool has_start;
    uint32_t start;
    uint32_t elem_count;
    struct elem_segment *elems;
    bool has_data_count;
    uint32_t data_count;
    struct data_segment *datas;
    uint8_t *func_declared; /* bit per function: ref.func may name it (section 3.4.12.4: refs) */

    uint32_t section_count;
    struct section *sections;
    struct span name_section; /* content after the name "name"; empty when absent or broken */
    struct span module_name;  /* from the name section */
    const char *given_name;   /* from the embedder, in the arena, or NULL */

    uint32_t *bodies;    /* of each defined function: the offset of the body's size field */
    uint64_t code_bytes; /* size of all bodies */
    bool deferred;       /* bodies are validated at their first use, not all at once */

    /* The costs of loading it. */
    uint64_t decode_ns, validate_ns;
    uint32_t validated_functions;
};

/* Notes that the module needs a feature, and looks whether that is on. */
static inline bool module_may_use(const struct module *m, catnap_features_t feature) {
    if (m->used)
        *m->used |= feature;
    return (m->features & feature) == feature;
}
/* The most pages that a memory may have (section 3.2.5, and the proposal of custom page sizes). */
static inline uint64_t cn_most_pages(const struct memorytype *type) {
    if (type->byte_pages)
        return type->limits.is_64 ? UINT64_MAX : UINT32_MAX;
    return UINT64_C(1) << (type->limits.is_64 ? 48 : 16);
}
/* The binary logarithm of a page's bytes. */
static inline unsigned cn_page_log2(const struct memorytype *type) {
    return type->byte_pages ? 0 : 16;
}
/* Bytes rounded up to whole pages of WASM_PAGE_BYTES, of which there are at most 2^48. */
static inline uint64_t cn_whole_pages(uint64_t bytes) {
    return (bytes + WASM_PAGE_BYTES - 1) / WASM_PAGE_BYTES * WASM_PAGE_BYTES;
}
/* The byte that limits begin with. */
static inline uint8_t limits_flags(const struct limits *limits) {
    return (uint8_t)(limits->has_max * LIMITS_HAS_MAX + limits->is_64 * LIMITS_IS_64);
}
/* The type of addresses into a memory, or indices of a table. */
static inline valtype limits_address(const struct limits *limits) {
    return limits->is_64 ? VT_I64 : VT_I32;
}

/* The type at an index of the module's, which is that of a function type. */
static inline const struct functype *module_functype(const struct module *m, uint32_t type) {
    return dt_func(m->types[type]);
}
/* Whether there is a function type at an index that the module names. */
static inline bool module_has_functype(const struct module *m, uint32_t type) {
    return type < m->type_count && m->types[type]->kind == TYPE_FUNC;
}
/* The expression whose value a table's elements have at first; NULL: they are null. */
static inline const struct const_expr *module_table_init(const struct module *m, uint32_t table) {
    return m->table_inits && m->table_inits[table].span.length ? &m->table_inits[table] : NULL;
}
/* The type of a function of the module's index space. */
static inline const struct functype *module_func_type(const struct module *m, uint32_t func) {
    return module_functype(m, m->func_types[func]);
}

/* The type of a tag: what an exception of it carries are the parameters. */
static inline const struct functype *module_tag_type(const struct module *m, uint32_t tag) {
    return module_functype(m, m->tag_types[tag]);
}

/* The body of a defined function (index in the whole index space): its locals declaration, code and
 * final end. */
struct span cn_module_body(const struct module *, uint32_t func);

/* Functions that the decoder calls as it finds bodies, when all sections before them are decoded. They
 * report no errors: the watcher keeps its own until the module is decoded. */
struct body_watcher {
    void (*begin)(void *env, struct module *, size_t code_bytes); /* of the whole section */
    void (*ready)(void *env, uint32_t end); /* functions before this one have their bodies */
    void (*abandon)(void *env); /* the module is about to be freed: it does not decode */
    void *env;
};

/* Decodes every section (section 5.5) without looking into bodies, taking over one reference count
 * of the result. bytes are borrowed: the caller arranges ownership afterwards through `bytes` and
 * `release`. The watcher may be NULL. NULL and *error on failure. */
struct module *cn_module_decode(struct alloc *, struct type_registry *, catnap_features_t,
                                const uint8_t *bytes, size_t size, const struct body_watcher *,
                                struct error *error);
void cn_module_retain(struct module *);
/* At the last reference frees all. */
void cn_module_release(struct module *);

/* The function's name from the name section, else from an export, else empty. No allocation: the
 * sections are searched. */
struct span cn_module_func_name(const struct module *, uint32_t func);

#endif
