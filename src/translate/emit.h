/*
 * Emits bytecode: the cell buffer, operands and their classes, the choice of an instruction for them, and
 * the peepholes that need to know only the instruction before. translate.c decides what is to be computed.
 */
#ifndef CN_TRANSLATE_EMIT_H
#define CN_TRANSLATE_EMIT_H

#include "base/assert.h"
#include "binary/walk.h"
#include "bytecode/lookup.h"
#include "translate/translate.h"

#define NO_CELL UINT32_MAX
#define NARROW_LIMIT                                                                               \
    INT16_MAX /* slots above need more than the 16 bits of a field: wide operands */

static inline bool cn_is_narrow(int32_t slot) {
    return slot <= NARROW_LIMIT;
}

/* Where an operand is: its class, its slot unless it is a constant (also of a pin), and the constant. */
struct operand {
    enum operand_class class_;
    int32_t slot;
    uint64_t constant;
};

/* The latest instruction that produced a value, as long as the accumulator could still carry it. */
struct producer {
    uint32_t cell; /* NO_CELL: none */
    uint32_t end;  /* first cell after it */
    int32_t slot;  /* its destination */
    bool in_local; /* which is a local's slot: cn_retarget() */
    /* The instruction in decoded form, to find the one with another destination: */
    uint32_t row; /* of the lookup: an operation or a fusion; DO_NONE: there is no other */
    struct operand_form form;
    enum operation compare; /* the operation when it is a comparison; DO_NONE: not one */
    struct operand a, b;    /* of a comparison, of the first of a pair; a: of a load */
    /* For fuse.c, to make it the first of a pair, whose a is in a slot or the accumulator, and b in a
     * slot or constant: */
    enum operation first; /* the operation; DO_NONE: it cannot be */
    bool is_load, explicit_;
    uint32_t load_offset;
    uint32_t offset, fuel_so_far; /* for the map */
};

struct emitter {
    struct alloc *alloc;
    uint64_t
        *cells; /* the first of an instruction is its enum bytecode, until the code is finished */
    size_t count, capacity;
    struct producer last;
    /* The latest copy, constant or write of a pin, which something that follows directly may join. */
    struct {
        enum bytecode bytecode;
        uint32_t cell, end;
    } move;
    struct producer before; /* what came directly before `last`, a comparison, or went into acc */
    bool pins;              /* there are variants for pinned locals, and this function has some */
    int32_t scratch;    /* first of four v128 slots near the frame pointer, or 0: not reserved */
    bool needs_scratch; /* an operand is wide: translate again with scratch; `exhausted`, too */
    int32_t wide_to;    /* wide destination of the instruction under way; 0: none */
    bool wide_to_vector;
    uint32_t max_slot;  /* highest slot used + 1 */
    bool exhausted;     /* the pass ends: no memory, more cells than 2^27, or `needs_scratch` */
    uint32_t fuel_cell; /* the fuel instruction of the fuel block under way, or NO_CELL */
    uint32_t fuel_cost;
    uint32_t offset; /* of the WebAssembly instruction under way, for the map */
    struct source_map *map;
    uint64_t sink[8]; /* written to when exhausted */
};

/* Appends an instruction of `cells` cells, zeroed behind the first; never NULL. The second is for
 * when the cells, the map or memory need more than that. */
uint64_t *cn_emit_slow(struct emitter *, enum bytecode, uint32_t cells);
static inline uint64_t *cn_emit(struct emitter *e, enum bytecode bytecode, uint32_t cells) {
    if (cells > 4 || e->count + cells > e->capacity || e->map || e->exhausted)
        return cn_emit_slow(e, bytecode, cells);
    uint64_t *at = e->cells + e->count;
    at[0] = bytecode;
    for (uint32_t i = 1; i < cells; i++)
        at[i] = 0;
    e->count += cells;
    return at;
}
/* Ends the pass: it has to be made again with scratch slots. */
static inline void cn_need_scratch(struct emitter *e) {
    e->needs_scratch = e->exhausted = true;
}
/* Takes the latest instructions back, from `cell` on. */
void cn_emit_rollback(struct emitter *, uint32_t cell);
/* A label: no peephole may look back over it. */
void cn_emit_label(struct emitter *);

static inline uint64_t cn_fields(int32_t o0, int32_t o1, int32_t o2, int32_t o3) {
    return (uint64_t)(uint16_t)o0 | (uint64_t)(uint16_t)o1 << 16 | (uint64_t)(uint16_t)o2 << 32 |
           (uint64_t)(uint16_t)o3 << 48;
}
static inline uint64_t cn_fields_w(int32_t o0, int32_t o1, uint32_t w) {
    return (uint64_t)(uint16_t)o0 | (uint64_t)(uint16_t)o1 << 16 | (uint64_t)w << 32;
}

/* The slot itself if it is narrow; else emits a copy of its value to scratch slot `which` (0 to 2) and
 * returns that. */
int32_t cn_narrow(struct emitter *, int32_t slot, bool vector, unsigned which);
int32_t cn_wide_begin(struct emitter *, int32_t slot, bool vector);
void cn_wide_end(struct emitter *);
/* Brackets an instruction that writes a slot: returns the narrow slot that the instruction is to name;
 * cn_to_end() emits the copy from there to a wide one. */
static inline int32_t cn_to_begin(struct emitter *e, int32_t slot, bool vector) {
    uint32_t end = slot < 0 ? 0 : (uint32_t)slot + (vector ? 2 : 1);
    if (end > e->max_slot)
        e->max_slot = end;
    if (slot == e->last.slot)
        e->last.cell = NO_CELL; /* what it produced is written over */
    e->wide_to = 0;
    return cn_is_narrow(slot) ? slot : cn_wide_begin(e, slot, vector);
}
static inline void cn_to_end(struct emitter *e) {
    if (e->wide_to)
        cn_wide_end(e);
}

/* slot <- slot; slot <- constant; likewise for the slot of a pin */
void cn_emit_copy(struct emitter *, int32_t to, int32_t from, bool vector);
void cn_emit_const(struct emitter *, int32_t to, uint64_t value, bool wide_type);
void cn_emit_pin_copy(struct emitter *, int32_t pin, int32_t from);
void cn_emit_pin_const(struct emitter *, int32_t pin, uint64_t value);
/* The instruction that is the latest one, if that is a move, and the next one in one; or BC_NONE. */
static inline enum bytecode cn_join_move(const struct emitter *e, enum bytecode next) {
    bool latest = e->move.bytecode != BC_NONE && e->move.end == e->count && !e->exhausted;
    return latest ? cn_join(e->move.bytecode, next) : BC_NONE;
}
/* The instruction at a cell, and another one of as many cells in its place. */
static inline enum bytecode cn_bytecode_at(const struct emitter *e, uint32_t cell) {
    return (enum bytecode)e->cells[cell];
}
void cn_emit_replace(struct emitter *, uint32_t cell, enum bytecode);

/* An operation of two operands and its destination; compares: what it gives is a condition. */
void cn_emit_bin(struct emitter *, enum operation, bool compares, int32_t to, struct operand a,
                 struct operand b);
void cn_emit_un(struct emitter *, enum operation, int32_t to, struct operand a);
/* When the latest instruction is a comparison whose result is in `slot`: the opposite one in its place. */
bool cn_emit_opposite(struct emitter *, int32_t slot);
/* Appends a compare-and-branch and returns its cell. */
uint32_t cn_emit_branch(struct emitter *, enum operation, struct operand a, struct operand b);
/* How memory 0 is accessed: at i32 addresses, with guard pages or explicit checks; at i64 addresses with guard
 * pages, where CN_WIDE_ACCESSES; else by its number, as other memories. */
enum memory_access { ACCESS_GUARDED, ACCESS_CHECKED, ACCESS_WIDE, ACCESS_NUMBERED };
void cn_emit_load(struct emitter *, enum operation, enum memory_access, int32_t to,
                  struct operand address, uint32_t offset);
void cn_emit_store(struct emitter *, enum operation, enum memory_access, struct operand value,
                   struct operand address, uint32_t offset);
/* The same for a memory by its number; no operand is a constant. */
void cn_emit_numbered_load(struct emitter *, enum operation, int32_t to, struct operand address,
                           struct memarg);
void cn_emit_numbered_store(struct emitter *, enum operation, struct operand value,
                            struct operand address, struct memarg);

/* Fields of structures and elements of arrays. No object is a constant, nor the index of what is written. */
void cn_emit_field_get(struct emitter *, enum operation, int32_t to, struct operand object,
                       uint32_t offset);
void cn_emit_field_set(struct emitter *, enum operation, struct operand value,
                       struct operand object, uint32_t offset);
void cn_emit_element_get(struct emitter *, enum operation, int32_t to, struct operand array,
                         struct operand index);
void cn_emit_element_set(struct emitter *, enum operation, struct operand array,
                         struct operand index, struct operand value);

/* Notes the instruction at `cell`, just emitted, as the latest producer; `row` and `form`: what it is. */
static inline void cn_produced(struct emitter *e, uint32_t cell, int32_t to, uint32_t row,
                               struct operand_form form) {
    e->last.cell = NO_CELL;
    if (e->wide_to || e->exhausted)
        return;
    e->last = (struct producer){
        .cell = cell,
        .end = (uint32_t)e->count,
        .slot = to,
        .row = row,
        .form = form,
        .offset = e->offset,
        .fuel_so_far = e->fuel_cost,
    };
}
/* Makes the latest producer write the accumulator instead of `slot`. False when it did not produce the value in
 * that slot, or has no such instruction. */
bool cn_accumulate(struct emitter *, int32_t slot);
/* Makes the latest instruction write to another slot; false when it is not the producer of `from`. */
bool cn_retarget(struct emitter *, int32_t from, int32_t to);
/* After a pinned local was written in whatever way: its register takes it over, if it has not. */
void cn_load_pin(struct emitter *, int32_t slot);
static inline void cn_sync_pin(struct emitter *e, int32_t slot) {
    if (e->pins && (slot == FRAME_PIN_P || slot == FRAME_PIN_Q))
        cn_load_pin(e, slot);
}
/* The same operand without pins. */
static inline struct operand cn_unpinned(struct operand o) {
    if (o.class_ == CLASS_P || o.class_ == CLASS_Q)
        o.class_ = CLASS_S;
    return o;
}

#endif
