/*
 * One valid function body to register bytecode, in one forward pass. Deterministic: the same body,
 * module and configuration give the same cells, which is what backtraces and the disassembler
 * rely on when they translate again with a recorder.
 */
#ifndef CN_TRANSLATE_TRANSLATE_H
#define CN_TRANSLATE_TRANSLATE_H

#include "base/interrupt.h"
#include "bytecode/code.h"

/* The kinds of safepoints, in terms of WebAssembly. */
enum safepoint {
    SAFEPOINT_CHECK, /* at a check for fuel or interruption, before the instruction at `offset` */
    SAFEPOINT_CALL, /* after a call, before the instruction at `offset`; the results are operands */
    SAFEPOINT_INSTRUCTION, /* in a bulk instruction or a call, which is executed again */
    SAFEPOINT_KINDS
};

/* Where a local or an operand is. */
struct probe_value {
    enum { VALUE_SLOT, VALUE_LOCAL, VALUE_CONST } where; /* LOCAL: an operand in a local's slot */
    enum slot_kind kind;
    int32_t slot; /* from the frame pointer */
    bool dead;    /* a local that is written before it is read: in its slot may be anything */
    uint64_t constant;
};

/* The bounds of a length that an instruction pays for. */
enum probe_bound {
    BOUND_MEMORY,
    BOUND_TABLE,
    BOUND_ARRAY,   /* the operand `fuel_depth` below the length */
    BOUND_SEGMENT, /* `fuel_segment`, as an array of type `fuel_index` reads it */
    BOUND_NONE     /* it is paid before there is an array */
};

/* A question to cn_translate(): the value map at a safepoint, which is given by its cell, or by kind and offset. */
struct probe {
    enum safepoint safepoint; /* by_cell finds the first two kinds only */
    uint32_t offset;          /* from the start of the module */
    uint32_t cell;
    uint32_t expected; /* values: a safepoint that has another number is not answered; ANY_COUNT */
    uint32_t question; /* the asker's number for it */
    bool found;
    const struct functype *callee_type; /* SAFEPOINT_CALL */
    int32_t callee;              /* SAFEPOINT_CALL: the callee's frame pointer, from this one */
    struct probe_value *values;  /* locals, then operands from the bottom up */
    uint32_t local_count, count; /* count is set where the number was not the expected one */
    /* The fuel that the safepoint waits for when it ran out there: `fuel` units, or, when `fuel_divisor` is not 0, the
     * topmost operand, times `fuel_scale`, divided by it: a length within something, or, with `fuel_grows`, what a table
     * or memory is to grow by. */
    uint32_t fuel, fuel_scale, fuel_divisor;
    enum probe_bound fuel_bound;
    uint32_t fuel_index, fuel_depth, fuel_segment;
    bool fuel_grows;
};
#define ANY_COUNT UINT32_MAX

/* Questions about one function, which are answered in one pass. No two are alike; cn_probes_sort() puts
 * them in the order in which they are found. */
struct probes {
    struct alloc *alloc;
    bool by_cell;
    bool exhausted; /* there was no memory to find the answers */
    struct probe *items;
    size_t count;
};
void cn_probes_sort(struct probes *);
void cn_probe_free(struct alloc *, struct probe *);

/* Where an instruction came from. */
struct source_map_entry {
    uint32_t cell;        /* index of the instruction's first cell */
    uint32_t offset;      /* of the WebAssembly instruction, from the start of the module */
    uint32_t fuel_cell;   /* the fuel instruction that paid for it, or UINT32_MAX */
    uint32_t fuel_so_far; /* of what it took, up to and with this instruction */
    uint16_t bytecode;    /* enum bytecode */
};
/* Filled by cn_translate() when given; free `entries` with cn_source_map_free(). */
struct source_map {
    struct probes *probes; /* or NULL */
    struct alloc *alloc;
    struct source_map_entry *entries; /* by cell, ascending */
    size_t count, capacity;
};
void cn_source_map_free(struct source_map *);
/* The entry of the instruction that holds a cell; NULL when the cell comes before all of them. */
struct source_map_entry *cn_source_map_find(const struct source_map *, uint32_t cell);

/* The code of a function whose body is `body`, not published; NULL and *error when memory or a limit
 * does not allow it, or, with CATNAP_INTERRUPTED, when `asker` (or NULL) has been asked to stop. Freed
 * with cn_free(module->alloc, code, code->size). The time it takes is linear in the bytes of the body, the
 * number of its locals and the cells of the code. */
struct code *cn_translate(struct module *, uint32_t func, struct span body,
                          const struct translation_config *, const struct interrupt *asker,
                          struct source_map *, struct error *);

#endif
