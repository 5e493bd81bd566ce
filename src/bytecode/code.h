/*
 * A translated function: the register bytecode and what a call needs to know of it. Once it is published in a
 * table of its module only the targets of its calls change: CALL_UNBOUND.
 */
#ifndef CN_BYTECODE_CODE_H
#define CN_BYTECODE_CODE_H

#include <stdatomic.h>

#include "binary/module.h"

/*
 * Where exceptions are caught, searched when one is thrown: nothing is executed on entry to a try block. The scope of
 * an instruction is that of the last mark at or before its cell. A scope has a chain of catch clauses, tried in order,
 * and hands on to a scope around it what none of them catches. Cells are counted from code->cells.
 *
 *     marks     [cell, scope] ...                       ascending
 *     scopes    [parent, first clause] ...
 *     clauses   [kind, tag, target cell, slot, next] ...
 */
struct unwind_mark {
    uint32_t cell;
    uint32_t scope; /* number + 1; 0: in none */
};
struct unwind_scope {
    uint32_t parent; /* number + 1, less than its own; or 0 */
    uint32_t first;  /* clause: number + 1, or 0 */
};
enum unwind_flags {
    UNWIND_REF = 1, /* with the reference */
    UNWIND_ALL = 2, /* of any tag */
    UNWIND_HELD =
        4, /* the reference, or null without UNWIND_REF, goes into the slot below the values */
    UNWIND_KINDS = 8
};
struct unwind_clause {
    uint32_t kind; /* enum unwind_flags */
    uint32_t tag;  /* index in the module */
    uint32_t target;
    /* Where the values of the exception go, upwards; then the reference, if it is not below. */
    int32_t slot;
    uint32_t next; /* clause: number + 1, greater than its own; or 0 */
};
struct unwind {
    uint32_t mark_count, scope_count, clause_count;
    const struct unwind_mark *marks;
    const struct unwind_scope *scopes;
    const struct unwind_clause *clauses;
};

/*
 * The type that a cast names, in its cell 2:
 *
 *     | 31..0 abstract type's code               |  34..32 these  |
 *     | 19..0 index of a function type           |  CAST_FUNC     |
 *     | 19..0 index of a type, 25..20 its depth  |  CAST_OBJECT   | 62..35 its canonical id |
 */
enum cast_target { CAST_NULLABLE = 1, CAST_OBJECT = 2, CAST_FUNC = 4 };
#define CAST_INDEX_BITS 20u
#define CAST_DEPTH_BITS 6u
#define CAST_FLAG_BITS 3u
static inline uint32_t cast_flags(uint64_t cast) {
    return (uint32_t)(cast >> 32) & ((1u << CAST_FLAG_BITS) - 1);
}
/* Of a defined type. */
static inline uint32_t cast_index(uint64_t cast) {
    return (uint32_t)cast & ((1u << CAST_INDEX_BITS) - 1);
}
static inline uint32_t cast_depth(uint64_t cast) {
    return (uint32_t)cast >> CAST_INDEX_BITS & ((1u << CAST_DEPTH_BITS) - 1);
}
static inline uint32_t cast_id(uint64_t cast) {
    return (uint32_t)(cast >> (32 + CAST_FLAG_BITS));
}

/* Of bulk instructions, and of those that clear or fill objects: a unit of fuel pays for so many bytes. */
#define BYTES_FOR_FUEL 64u

struct code_map;
struct code {
    struct code *next;            /* in the list of its module: struct module_code */
    _Atomic(struct code *) steps; /* the same function's stepping code (code/steps.h), or NULL */
    _Atomic(struct code_map *)
        map; /* where its instructions came from, made when it is first asked for, or NULL */
    /* Of stepping code: the usual code, and its blocks by cells of that. NULL: this is usual code. */
    const struct code *whole;
    struct fuel_block *blocks;
    uint32_t block_count, block_room;
    uint32_t func_index;
    uint32_t param_slots; /* below the frame pointer */
    uint32_t result_slots;
    uint32_t frame_slots; /* from the frame pointer up: header, locals, temporaries, arguments */
    uint32_t frame_bytes; /* the same in bytes */
    struct span body;
    uint32_t size_offset; /* of the body's size field, in the module */
    uint32_t entry_fuel;  /* of what the first block takes, for the locals that a call clears */
    uint32_t first_cell; /* how the translator counts cells[0]: it may have left the prologue out */
    uint32_t cell_count;
    uint32_t size;        /* of this allocation, bytes */
    bool scratch;         /* its frame has scratch slots, for wide operands */
    bool explicit_checks; /* translated for memories without guard pages */
    /* Bytecode by cell when operations are profiled: behind the cells. */
    const uint16_t *profile_ids;
    struct unwind unwind; /* behind these */
    uint64_t cells[];     /* a call goes to the first */
};

static inline uint32_t cn_cell_of(const struct code *code, const uint64_t *pc) {
    return (uint32_t)(pc - code->cells) + code->first_cell;
}
static inline const uint64_t *cn_cell_at(const struct code *code, uint32_t cell) {
    return code->cells + cell - code->first_cell;
}

/* The scope, a number + 1, of the instruction that has this cell. */
static inline uint32_t cn_unwind_scope(const struct unwind *unwind, uint32_t cell) {
    uint32_t low = 0, high = unwind->mark_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (unwind->marks[middle].cell <= cell)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? unwind->marks[low - 1].scope : 0;
}

/* Cell 2 of a call holds twice the function's number, counted without the imported ones, and this bit;
 * from its first execution on the address of the function's code. Threads may share the cell. */
#define CALL_UNBOUND 1u

/* Translation depends on the module and on this, and on nothing else. */
struct translation_config {
    const uint64_t *handlers; /* their addresses by enum bytecode; the same in all of an engine */
    bool fuel;
    bool interruptible;
    bool explicit_checks;
    bool profile_ops;
    bool deterministic; /* NaNs that are computed are canonical */
    bool steps;         /* stepping code, with fuel only */
    bool scratch;       /* of that: with scratch slots, as the usual code has */
};

static inline bool cn_same_config(const struct translation_config *a,
                                  const struct translation_config *b) {
    return a->fuel == b->fuel && a->interruptible == b->interruptible &&
           a->explicit_checks == b->explicit_checks && a->profile_ops == b->profile_ops &&
           a->deterministic == b->deterministic && a->steps == b->steps && a->scratch == b->scratch;
}

/* The same for this code, which may be stepping code. */
static inline struct translation_config cn_config_for(const struct code *code,
                                                      struct translation_config config) {
    config.steps = code->whole != NULL;
    config.scratch = config.steps && code->scratch;
    return config;
}

#endif
