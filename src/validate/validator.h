/*
 * The state of validating one function body: the algorithm of the specification's appendix, with a
 * stack of value types and a stack of open blocks, both on the heap and reused from body to body.
 *
 * Below the operands of each open block lies a mark, VT_BASE, that equals no type: comparing the
 * topmost types with those expected finds an underflow, too.
 */
#ifndef CN_VALIDATE_VALIDATOR_H
#define CN_VALIDATE_VALIDATOR_H

#include "binary/decode.h"
#include "binary/instruction.h"
#include "types/subtype.h"

#define VT_BASE UINT32_MAX

enum block_kind {
    BLOCK_PLAIN,
    BLOCK_LOOP,
    BLOCK_IF, /* an `else` turns it into BLOCK_PLAIN */
    BLOCK_TRY,
    BLOCK_CATCH,     /* a `catch` turns BLOCK_TRY into this, */
    BLOCK_CATCH_ALL, /* and `catch_all` either into that */
    BLOCK_FUNCTION
};

/* An open block; small, for there may be millions. */
struct block {
    uint32_t base : 28;       /* where its mark lies in the value stack */
    uint32_t unreachable : 1; /* the rest of the block cannot be reached */
    uint32_t has_index : 1;   /* type is a type index, else a value type or VT_BOTTOM for none */
    uint32_t type;
    uint32_t kind : 3; /* enum block_kind */
    /* Catch clauses that a throw may have to look at: those of the block, with those within its body where they are
     * known, and the most of any block that ended within it, or within the catch block that is open. */
    uint32_t clauses : 14, inside : 14;
};
_Static_assert(2 * LIMIT_CATCH_CLAUSES < 1 << 14, "sums of what is within the limit fit");
_Static_assert(LIMIT_BODY_BYTES + LIMIT_STACK_VALUES < UINT32_C(1) << 28,
               "a body's operands and marks are counted by `base`");

/* Locals: the first ones by index, the others as runs of one type. */
#define FLAT_LOCALS 1024u
struct local_run {
    uint32_t end; /* index after its last local */
    valtype type;
};

struct written_local {
    uint32_t depth, local;
};

struct validator {
    struct decoder d;
    const struct module *m;
    struct alloc *alloc;
    struct instruction in; /* the one at hand */

    valtype *values, *top; /* top: behind the last */
    size_t value_room;
    size_t value_limit;   /* for this body */
    uint64_t comparisons; /* of types one by one that are left to this body */
    size_t value_end;     /* the lesser of the two: what may be filled before cn_reserve_values() */
    struct block *blocks;
    size_t block_count, block_room;

    uint32_t local_count, flat_count;
    struct local_run *runs; /* all locals behind the parameters */
    size_t run_count, run_room;
    /* Locals of types without a default value (section 3.4.1), once a body has one: a bit for each that is
     * written where the instruction at hand is, and those, with the number of blocks that were open. */
    uint8_t *written;
    struct written_local *writes;
    size_t written_bytes, write_count, write_room;
    valtype flat[FLAT_LOCALS];
};

struct types {
    const valtype *types;
    uint32_t count;
};

static inline struct block *cn_block(struct validator *v, uint32_t label) {
    return &v->blocks[v->block_count - 1 - label];
}

/* CATNAP_INVALID at the instruction at hand. */
bool cn_invalid(struct validator *, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* Makes an open block of this kind what it is behind `else`, `catch`, `catch_all` or `delegate`; an error when none may stand
 * there: in the binary format they are parts of blocks (section 5.4.1). */
bool cn_turn_block(struct validator *, struct block *);

/* An instruction of the opcode table that no case is written for: a bug. */
bool cn_unknown_instruction(struct validator *) __attribute__((cold));

/* validate_stack.c */
bool cn_reserve_values(struct validator *, size_t more);
bool cn_push(struct validator *, valtype);
bool cn_push_types(struct validator *, struct types);
/* Pops a value of this type; VT_BOTTOM stands for any. */
bool cn_pop(struct validator *, valtype expected);
/* Pops any value; VT_BOTTOM where unreachable code may have had any. */
bool cn_pop_any(struct validator *, valtype *actual);
bool cn_pop_types(struct validator *, struct types);
/* To be called before so many operands are popped one by one: a function may do that only as often as its size allows. */
bool cn_count_operands(struct validator *, uint32_t count);
/* Whether values of types `a` may stand where those of types `b` are expected. */
bool cn_compare_types(struct validator *, struct types a, struct types b, bool *match);
/* Pops any reference; VT_BOTTOM_REF where unreachable code may have had any. */
bool cn_pop_reference(struct validator *, valtype *);
static inline bool cn_is_reference(valtype type) {
    return vt_is_ref(type) || type == VT_BOTTOM_REF;
}
/* The type of a reference that was found not to be null. */
static inline valtype cn_non_null(valtype type) {
    return type == VT_BOTTOM_REF ? type : type | VT_NON_NULL;
}
/* Whether these types lie on top, without popping them. */
bool cn_check_types(struct validator *, struct types);
/* Marks the rest of the block as unreachable: its operands may be any. */
void cn_set_unreachable(struct validator *);

/* validate_locals.c */
/* Instruction local.get, local.set or local.tee of a local that has no default value. */
bool cn_track_local(struct validator *, uint32_t index);
/* Where the innermost block, or its first half, ends: locals count as written only within. */
void cn_forget_writes(struct validator *);
bool cn_decode_locals(struct validator *, const struct functype *);
bool cn_local_type(struct validator *, uint32_t index, valtype *);

/* validate_control.c */
bool cn_push_block(struct validator *, struct block);
bool cn_enter_block(struct validator *, enum block_kind, bool has_index, uint32_t type);
bool cn_validate_control(struct validator *);
/* The end of a tail call, whose callee has these results. */
bool cn_validate_tail_call(struct validator *, struct types results);
struct types cn_block_params(const struct validator *, const struct block *);
struct types cn_block_results(const struct validator *, const struct block *);

/* validate_instruction.c: decodes and validates the next instruction, whatever it is. */
bool cn_validate_instruction(struct validator *);
/* Whether a memory.init or data.drop may stand there at all; else CATNAP_MALFORMED. */
bool cn_check_data_count(struct validator *);

/* validate.c */
struct validator *cn_make_validator(const struct module *, struct error *);
void cn_drop_validator(struct validator *);
/* Makes the body what is read. */
void cn_start_body(struct validator *, struct span body);
/* The same, up to the first instruction: with the function's locals, in its block. */
bool cn_enter_body(struct validator *, uint32_t func, struct span body);
/* One body, with the validator's scratch memory and error. */
bool cn_validate_with(struct validator *, uint32_t func, struct span body);

#endif
