/*
 * Writing bytecode: the cell buffer, operands and their classes, the choice of a variant, and the
 * peepholes that need to know only the instruction before. translate.c decides what to say, this
 * file says it.
 */
#ifndef CN_TRANSLATE_EMIT_H
#define CN_TRANSLATE_EMIT_H

#include "bytecode/bytecode.h"
#include "translate/translate.h"

#define NO_CELL UINT32_MAX
#define NEAR_LIMIT INT16_MAX /* slots that 16 bits can name */

/* Where an operand is: a slot of the frame, a constant, the accumulator, or one of the pinned locals,
 * whose slot is right as well. In the order of the letters in bytecode/pins.h. */
enum operand_class { CLASS_S, CLASS_K, CLASS_A, CLASS_P, CLASS_Q };
struct operand {
    enum operand_class class_;
    int32_t slot;
    uint64_t constant;
};

/* The latest instruction that produced a value, as long as the accumulator could still carry it. */
struct producer {
    uint32_t cell;           /* NO_CELL: none */
    uint32_t end;            /* first cell after it */
    int32_t slot;            /* its destination */
    bool in_local;           /* which is a local's slot: cn_retarget() */
    enum bytecode to_acc;    /* the variant with the accumulator as destination; BC_NONE: none */
    enum bytecode to_pin[2]; /* likewise with p, with q */
    enum bytecode compare;   /* its family when it is a comparison; BC_NONE: not one */
    struct operand a, b;     /* of a comparison, of the first of a pair; a: of a load */
    /* What fuse.c needs to make it the first of a pair: */
    enum bytecode first; /* its family; BC_NONE: it cannot be */
    uint8_t sources;     /* PAIR_SS ...; not of a load */
    bool is_load, explicit_;
    uint32_t load_offset;
    uint32_t offset, fuel_so_far; /* for the map */
};

struct emitter {
    struct alloc *alloc;
    const uint64_t *handlers;
    uint64_t *cells;
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
    bool needs_scratch; /* a slot was out of reach: translate again with scratch */
    int32_t far_to;     /* destination out of reach, of the instruction under way; 0: none */
    bool far_wide;
    uint32_t max_slot;  /* highest slot used + 1 */
    bool exhausted;     /* no memory, or more cells than 2^27 */
    uint32_t fuel_cell; /* the fuel instruction of the stretch under way, or NO_CELL */
    uint32_t fuel_cost;
    uint32_t offset; /* of the WebAssembly instruction under way, for the map */
    struct source_map *map;
    uint64_t sink[8]; /* written to when exhausted */
};

/* Appends an instruction of `cells` cells, zeroed behind its handler; never NULL. The second is for
 * when the cells, the map or memory need more than that. */
uint64_t *cn_emit_slow(struct emitter *, enum bytecode, uint32_t cells);
static inline uint64_t *cn_emit(struct emitter *e, enum bytecode bytecode, uint32_t cells) {
    if (cells > 4 || e->count + cells > e->capacity || e->map || e->exhausted)
        return cn_emit_slow(e, bytecode, cells);
    uint64_t *at = e->cells + e->count;
    at[0] = e->handlers[bytecode];
    for (uint32_t i = 1; i < cells; i++)
        at[i] = 0;
    e->count += cells;
    return at;
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

/* The slot, or scratch slot `which` (0 to 2) with its value copied there when 16 bits cannot name
 * the slot. `wide`: a v128. */
int32_t cn_near(struct emitter *, int32_t slot, bool wide, unsigned which);
int32_t cn_far_begin(struct emitter *, int32_t slot, bool wide);
void cn_far_end(struct emitter *);
/* Brackets an instruction that writes a slot: the near slot to name, then the copy out if needed. */
static inline int32_t cn_to_begin(struct emitter *e, int32_t slot, bool wide) {
    uint32_t end = slot < 0 ? 0 : (uint32_t)slot + (wide ? 2 : 1);
    if (end > e->max_slot)
        e->max_slot = end;
    if (slot == e->last.slot)
        e->last.cell = NO_CELL; /* what it produced is written over */
    e->far_to = 0;
    return slot <= NEAR_LIMIT ? slot : cn_far_begin(e, slot, wide);
}
static inline void cn_to_end(struct emitter *e) {
    if (e->far_to)
        cn_far_end(e);
}

/* slot <- slot; slot <- constant; likewise for the slot of a pin */
void cn_emit_copy(struct emitter *, int32_t to, int32_t from, bool wide);
void cn_emit_const(struct emitter *, int32_t to, uint64_t value, bool wide_type);
void cn_emit_pin_copy(struct emitter *, int32_t pin, int32_t from);
void cn_emit_pin_const(struct emitter *, int32_t pin, uint64_t value);
/* Whether the latest instruction is this move; and makes the instruction at `cell` another of as many
 * cells. */
static inline bool cn_is_move(const struct emitter *e, enum bytecode bytecode) {
    return e->move.bytecode == bytecode && e->move.end == e->count && !e->exhausted;
}
void cn_emit_replace(struct emitter *, uint32_t cell, enum bytecode);

/* An operation of two operands, small enough for one register: its family of bytecode.def and its
 * destination. wide_const: of a 64-bit type. */
struct operation {
    uint16_t family;
    bool commutes : 1, wide_const : 1, compares : 1;
    int32_t to;
};
void cn_emit_bin(struct emitter *, struct operation, struct operand a, struct operand b);
void cn_emit_un(struct emitter *, enum bytecode, int32_t to, struct operand a);
/* Appends a compare-and-branch and returns its cell. */
uint32_t cn_emit_branch(struct emitter *, enum bytecode, bool commutes, struct operand a,
                        struct operand b);
/* Whether a family is of vectors, which take two slots. */
static inline bool cn_is_vector(enum bytecode family) {
    return family >= BC_v128_load;
}
void cn_emit_load(struct emitter *, enum bytecode, bool explicit_, int32_t to,
                  struct operand address, uint32_t offset);
void cn_emit_store(struct emitter *, enum bytecode, bool explicit_, struct operand value,
                   struct operand address, uint32_t offset);

/* Notes the instruction at `cell`, just emitted, as the latest producer. */
static inline void cn_produced(struct emitter *e, uint32_t cell, int32_t to, enum bytecode to_acc) {
    e->last.cell = NO_CELL;
    if (e->far_to || e->exhausted)
        return;
    e->last = (struct producer){
        .cell = cell,
        .end = (uint32_t)e->count,
        .slot = to,
        .to_acc = to_acc != BC_NONE && e->handlers[to_acc] ? to_acc : BC_NONE,
        .offset = e->offset,
        .fuel_so_far = e->fuel_cost,
    };
}
/* Whether the value in `slot` was just produced and the accumulator may carry it. */
bool cn_can_accumulate(const struct emitter *, int32_t slot);
/* Makes it so: the latest producer writes the accumulator instead of its slot. */
void cn_accumulate(struct emitter *);
/* Makes the latest instruction write to another slot; false when it is not the producer of `from`. */
bool cn_retarget(struct emitter *, int32_t from, int32_t to);
/* After a pinned local was written in whatever way: its register takes it over, if it has not. */
void cn_sync_pin(struct emitter *, int32_t slot);
/* The same operand without pins. */
static inline struct operand cn_unpinned(struct operand o) {
    if (o.class_ == CLASS_P || o.class_ == CLASS_Q)
        o.class_ = CLASS_S;
    return o;
}

#endif
