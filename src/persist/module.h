/*
 * From an instance to a module that begins where the instance is (docs/explanation/snapshots.md, to a module).
 * The module is the instance's own with other memories, tables, globals and segments; whatever has
 * not changed is copied byte for byte.
 */
#ifndef CN_PERSIST_MODULE_H
#define CN_PERSIST_MODULE_H

#include "runtime/instance.h"
#include "binary/encode.h"

/* Which items of the module its code names. */
struct code_uses {
    uint32_t datas, elems; /* the highest index + 1, or 0 */
    uint8_t *funcs;        /* a bit for each function that ref.func names */
};

/* A way to write a reference: ref.func or global.get with an index, or ref.i31 with a value, which extern.convert_any may
 * follow. */
struct place {
    uint64_t slot;
    valtype type;
    enum { PLACE_FUNC, PLACE_GLOBAL, PLACE_I31 } way; /* GLOBAL: an imported constant */
    uint32_t index;
};

struct type_index {
    uint32_t id, index;
};

struct conversion {
    wasm_instance_t *instance;
    const struct module *module;
    const catnap_to_module_options_t *options;
    struct error *error;
    struct arena arena; /* all arrays */
    struct encoder out;
    struct code_uses uses;
    uint8_t *declared;    /* a bit for each function that occurs outside of bodies by now */
    struct place *places; /* of imports, sorted by slot */
    size_t place_count;
    struct type_index *types; /* of the module, sorted by id */
    /* Segments of the module that keep their indices; the others are not missed. */
    uint32_t kept_elems, kept_datas;
    /* Ranges of memory become data segments; zeroes of this length between two are left out. */
    uint64_t gap;
    uint32_t data_count; /* all data segments */
};

/* Writes into `out`, an empty encoder that the caller frees. All bodies are valid, and no call is under
 * way in the store. */
bool cn_instance_to_module(wasm_instance_t *, const catnap_to_module_options_t *,
                           struct encoder *out, struct error *);

static inline bool test_bit(const uint8_t *bits, uint32_t index) {
    return bits[index / 8] >> (index % 8) & 1;
}
static inline void set_bit(uint8_t *bits, uint32_t index) {
    bits[index / 8] = (uint8_t)(bits[index / 8] | 1u << (index % 8));
}

/* ---- module_uses.c ---- */
/* Looks through all bodies, which are valid. */
void cn_find_uses(const struct module *, struct code_uses *);
/* The functions that the items of an element segment name count as declared. */
void cn_declare_items(struct conversion *, const struct elem_segment *);

/* ---- module_names.c ---- */
bool cn_check_changes(struct conversion *);
/* The new name of an export; false when the export is left out. */
bool cn_export_name(const struct conversion *, const struct export_ *, const char **name,
                    size_t *length);
/* A custom section that is the name section: without names of segments, which are others now. False
 * when it has none, or is none: it is to be copied. */
bool cn_write_names(struct conversion *, const struct section *);

/* ---- module_refs.c ---- */
/* Lists what imports there are to name. */
bool cn_list_places(struct conversion *);
/* Lists the types, which the next two write by their indices. */
bool cn_list_types(struct conversion *);
void cn_write_valtype(struct conversion *, valtype);
/* An instruction that gives the null of a reference type. */
void cn_write_null(struct conversion *, valtype);
/* How to write a reference of this type that is not null; false when it cannot be. */
bool cn_find_place(const struct conversion *, uint64_t slot, valtype, struct place *);
/* The kind of thing that a reference without a place refers to, for an error. */
const char *cn_refused_object(uint64_t slot, valtype);
/* Instructions that give the reference. */
void cn_write_place(struct conversion *, const struct place *);
/* A constant expression for a value. `what` and `index` name its owner in an error. */
bool cn_write_value(struct conversion *, valtype, const uint64_t *cell, const char *what,
                    uint32_t index);

/* ---- module_segments.c ---- */
/* Decides how memory becomes segments, before any section is written. */
bool cn_plan_segments(struct conversion *);
bool cn_write_elems(struct conversion *);
bool cn_write_datas(struct conversion *);

/* ---- module_memory.c ---- */
/* Calls back with each range of a memory between zeroes of at least `gap` (8 or more) bytes, and
 * with its distance from the one before (0: there is none). */
typedef void (*memory_range)(void *env, uint64_t from, uint64_t to, uint64_t distance);
void cn_memory_ranges(wasm_memory_t *, uint64_t gap, memory_range, void *env);

#endif
