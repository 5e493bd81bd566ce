/*
 * The pass over a function body: what its files share. translate.c drives it; stack.c, branch.c,
 * control.c, variables.c, operations.c and vectors.c translate; safepoints.c records value maps.
 *
 * A compile-time stack describes where each value of the operand stack is: in its home slot
 * (TEMP), still in a local (LOCAL), or nowhere, being a constant (CONST). local.get and the
 * constants emit nothing; an instruction that consumes a value takes it from where it is. Home slots follow
 * from the height of the stack, which validation has made agree wherever control merges, so that
 * a merge needs values at home and nothing else.
 */
#ifndef CN_TRANSLATE_PASS_H
#define CN_TRANSLATE_PASS_H

#include "binary/walk.h"
#include "base/assert.h"
#include "translate/emit.h"
#include "translate/rules.h"
#include "translate/translate.h"

#define NO_LINK UINT32_MAX

enum where { TEMP, LOCAL, CONST };

/* A value of the operand stack, as far as it is written out: struct group. */
struct value {
    uint8_t where;
    uint8_t kind;      /* enum slot_kind */
    int32_t home;      /* its slot by height */
    uint32_t local;    /* LOCAL: which */
    uint32_t link;     /* LOCAL: the next lower value that is the same local, or NO_LINK */
    uint64_t constant; /* CONST */
};

/* Many values that an instruction pushed, all TEMP. Their descriptions are written to the stack when
 * one of them is asked for, from the top: a call of two bytes may give a thousand, and take them. */
struct group {
    uint32_t start, count; /* indices in the stack */
    const valtype *types;
    int32_t end; /* the home above the topmost */
};

struct local {
    int32_t slot;
    uint32_t readers; /* topmost value that is this local, or NO_LINK */
    uint8_t kind;     /* enum slot_kind */
    uint8_t start;    /* enum start_value */
    /* ASSIGNED: in which construct, which is still the same while its serial number is. */
    uint32_t construct, serial;
};

/* Whether a call must clear a local: not when every read follows, inside the same construct, a write
 * at that construct's own level, which then comes before it in whatever way control went. */
enum start_value { UNTOUCHED, ASSIGNED, MUST_CLEAR };

/* A `catch` turns TRY into CATCH. */
enum construct { FUNCTION, BLOCK, LOOP, IF, ELSE, TRY, CATCH };

/* A condition: a comparison that was taken back from the code, or a value tested against zero. */
struct condition {
    enum operation comparison;
    struct operand a, b;
};

struct control {
    uint8_t construct;
    uint32_t serial;          /* no two constructs, or arms of an if, have the same */
    uint32_t height;          /* of the stack below the parameters */
    int32_t base;             /* home slot of the first label value */
    uint32_t spilled_outside; /* what t->spilled_below was */
    uint32_t param_count, result_count;
    const struct functype
        *type;             /* of its parameters and results; NULL: there is none, or `single` */
    enum slot_kind single; /* of the only result */
    uint32_t loop_cell;    /* where a loop's label is */
    uint32_t fixups;       /* chain of branches to the end: site + 1, or 0 */
    uint32_t else_fixup;   /* of an if: site, or 0 */
    uint32_t catches;      /* chain of catch clauses that go to the end: number + 1, or 0 */
    uint32_t outer_scope;  /* around it, as `scope` of the translator */
    uint32_t scope; /* of a block that catches: its own, a number + 1; or 0. Left behind in CATCH */
    uint32_t clause;              /* its last catch clause: number + 1, or 0 */
    uint32_t table, table_detour; /* the detour of the br_table at cell `table`, or NO_CELL */
    /* Of a loop that begins with a conditional exit: the test, and where the loop goes on. */
    bool tests_first;
    struct condition test;
    uint32_t test_target; /* index of the construct it leaves */
    uint32_t test_passed; /* cell behind the test */
};

struct translator {
    struct emitter emit; /* first: also the owner of the cells */
    struct module *module;
    const struct translation_config *config;
    const struct functype *type;
    enum memory_access access; /* to memory 0 */
    const uint8_t *at, *end;
    const struct interrupt *asker; /* who may be asked to stop, or NULL */
    const uint8_t *next_look;      /* where that is looked at next */
    bool interrupted;
    const char *unknown;    /* an instruction that no translation is written for, or NULL */
    const uint8_t *closing; /* from here on the body has nothing but `end` */
    struct local *locals;
    uint32_t local_count;
    struct value *stack;
    uint32_t height;
    size_t stack_capacity;
    uint32_t no_locals_below; /* no value below this height is LOCAL */
    uint32_t
        spilled_below; /* all values of the innermost construct below this and `no_locals_below` are TEMP */
    struct group *groups; /* bottom up */
    uint32_t group_count;
    size_t group_capacity;
    uint32_t floor; /* from this height on all values are written out: the end of the last group */
    int32_t floor_home; /* the home of the value at that height */
    struct control *controls;
    uint32_t depth;
    size_t control_capacity;
    int32_t first_temp;       /* home of the bottom value */
    int32_t pinned_params[2]; /* where the parameter comes from that is pinned; not below 0: none */
    struct value spare_value; /* written to, and of no meaning, once memory is exhausted */
    struct control spare_control;
    uint32_t func;
    uint32_t self_calls; /* chain of jumps to where the function begins */
    /* For struct unwind: grown as scopes are opened. */
    struct unwind_mark *marks;
    struct unwind_scope *scopes;
    struct unwind_clause *clauses; /* `target` of one in a chain: the next one's number + 1 */
    uint32_t mark_count, scope_count, clause_count;
    size_t mark_capacity, scope_capacity, clause_capacity;
    uint32_t scope;     /* at the instruction under way: number + 1, or 0 */
    uint32_t serials;   /* given to constructs so far */
    bool live;          /* the instruction under way can be reached */
    bool entering;      /* at the checks of a function that costs fuel to enter */
    uint32_t dead_nest; /* constructs opened in dead code */
};

static inline bool is_wide(enum slot_kind kind) {
    return kind == KIND_V128;
}

static inline struct control *top_control(struct translator *t) {
    CN_ASSERT(t->depth > 0);
    return &t->controls[t->depth - 1];
}

static inline int32_t next_home(const struct translator *t) {
    CN_ASSERT(t->height >= t->floor);
    if (t->height == t->floor)
        return t->floor_home;
    const struct value *top = &t->stack[t->height - 1];
    return top->home + (is_wide((enum slot_kind)top->kind) ? 2 : 1);
}

static inline int32_t slot_of(const struct translator *t, const struct value *value) {
    CN_ASSERT(value->where != LOCAL || value->local < t->local_count);
    return value->where == LOCAL ? t->locals[value->local].slot : value->home;
}

static inline uint32_t next_offset(const struct translator *t) {
    return (uint32_t)(t->at - t->module->bytes);
}

/* The offset of the safepoint before the next instruction. The fuel that a function costs to enter is paid at the
 * byte before its first instruction, which is a safepoint of its own. */
static inline uint32_t next_safepoint(const struct translator *t) {
    return next_offset(t) - t->entering;
}

static inline int32_t param_base(const struct translator *t) {
    return -(int32_t)t->type->param_slots;
}

static inline struct control *label(struct translator *t, uint32_t depth) {
    CN_ASSERT(depth < t->depth);
    return &t->controls[t->depth - 1 - depth];
}

/* ---- stack.c ---- */

/* Short, and asked for by nearly every instruction: */
bool cn_grow_stack(struct translator *);
/* Writes out some values more; false when all are. */
bool cn_uncover(struct translator *);
/* Sees to it that the `count` topmost values are written out. */
static inline void cn_cover(struct translator *t, uint32_t count) {
    while ((uint64_t)t->floor + count > t->height && cn_uncover(t)) {
    }
}

static inline struct value *cn_push_value(struct translator *t, enum where where,
                                          enum slot_kind kind) {
    if (t->height == t->stack_capacity && !cn_grow_stack(t))
        return &t->spare_value;
    CN_ASSERT(t->height < t->stack_capacity);
    int32_t home = next_home(t);
    CN_ASSERT(home >= t->first_temp);
    struct value *value = &t->stack[t->height++];
    *value = (struct value){
        .where = (uint8_t)where, .kind = (uint8_t)kind, .home = home, .link = NO_LINK};
    return value;
}

static inline void cn_push_temp(struct translator *t, enum slot_kind kind) {
    struct value *value = cn_push_value(t, TEMP, kind);
    uint32_t end = (uint32_t)(value->home + 2);
    if (end > t->emit.max_slot)
        t->emit.max_slot = end;
}

static inline void cn_push_const(struct translator *t, enum slot_kind kind, uint64_t constant) {
    cn_push_value(t, CONST, kind)->constant = constant;
}

/* Whether a write at the level of a construct that is still open came before. */
static inline bool cn_is_assigned(const struct translator *t, const struct local *local) {
    return local->start == ASSIGNED && local->construct < t->depth &&
           t->controls[local->construct].serial == local->serial;
}

/* Notes a read or write of a local, for what a call must clear. */
static inline void cn_touch_local(struct translator *t, uint32_t index, bool write) {
    CN_ASSERT(index < t->local_count);
    struct local *local = &t->locals[index];
    if (local->start == MUST_CLEAR || cn_is_assigned(t, local))
        return;
    local->start = write ? ASSIGNED : MUST_CLEAR;
    local->construct = t->depth - 1;
    local->serial = top_control(t)->serial;
}

static inline void cn_push_local(struct translator *t, uint32_t index) {
    cn_touch_local(t, index, false);
    struct value *value = cn_push_value(t, LOCAL, (enum slot_kind)t->locals[index].kind);
    value->local = index;
    value->link = t->locals[index].readers;
    CN_ASSERT(value->link == NO_LINK || value->link + 1 < t->height || t->emit.exhausted);
    t->locals[index].readers = t->height - 1;
}

/* Forgets that the topmost value at `index` reads its local. */
static inline void cn_unlink_local(struct translator *t, uint32_t index) {
    if (t->stack[index].where != LOCAL)
        return;
    struct local *local = &t->locals[t->stack[index].local];
    CN_ASSERT(local->readers == index || t->emit.exhausted); /* the topmost one */
    local->readers = t->stack[index].link;
}

/* The popped value, which stays in the stack until the next push: so it need not be copied. */
static inline struct value *cn_pop_value(struct translator *t) {
    if (t->height == t->floor && !cn_uncover(t)) { /* only after memory was exhausted */
        t->spare_value = (struct value){0};
        return &t->spare_value;
    }
    t->height--;
    cn_unlink_local(t, t->height);
    if (t->no_locals_below > t->height)
        t->no_locals_below = t->height;
    CN_ASSERT(t->height >= t->floor);
    return &t->stack[t->height];
}

/* The slot of a local, or its pin. */
static inline struct operand cn_in_pin_or_slot(const struct translator *t, int32_t slot) {
    if (t->emit.pins && slot == FRAME_PIN_P)
        return (struct operand){CLASS_P, slot, 0};
    if (t->emit.pins && slot == FRAME_PIN_Q)
        return (struct operand){CLASS_Q, slot, 0};
    return (struct operand){CLASS_S, slot, 0};
}

/* Values in their homes, which take so many slots. */
void cn_push_temps(struct translator *, const valtype *types, uint32_t count, uint32_t slots);
void cn_pop_to_height(struct translator *, uint32_t height);
/* Puts a value into `slot`, wherever it is. */
void cn_move_to(struct translator *, const struct value *, int32_t slot);
/* Brings the `count` topmost values home. */
void cn_spill(struct translator *, uint32_t count);
/* Brings home those of the `count` topmost values that are constants. */
void cn_spill_constants(struct translator *, uint32_t count);
/* Before control splits or merges: no value may be LOCAL, since the local may change on one way. */
void cn_spill_locals(struct translator *);
/* Before a local is overwritten: its readers take the old value home. */
void cn_spill_readers(struct translator *, uint32_t index);
/* A popped value in a slot; a constant is put into its home. Near: in reach of 16 bits. */
int32_t cn_in_slot(struct translator *, const struct value *);
int32_t cn_in_narrow_slot(struct translator *, const struct value *, unsigned which);
/* A popped value as an operand: of the classes that instructions have variants for; the same with constants in their
 * slots; and without pins. */
struct operand cn_as_operand(struct translator *, const struct value *);
struct operand cn_as_register_operand(struct translator *, const struct value *);
struct operand cn_as_slot_operand(struct translator *, const struct value *);
/* A popped value as an operand that no accumulator is asked for. */
struct operand cn_as_plain_operand(const struct translator *, const struct value *);
/* Appends an instruction that no peephole knows. */
uint64_t *cn_emit_plain(struct translator *, enum bytecode, uint32_t cells);

/* ---- safepoints.c: also fuel, which is paid by fuel blocks, and in stepping code for each instruction ---- */

/* Notes that the next cell is a safepoint of this kind. Returns the probe of it, which has its answer now; or NULL
 * when there is none. */
struct probe *cn_note_safepoint(struct translator *, enum safepoint, uint32_t offset);
void cn_finish_probes(const struct translator *);
void cn_begin_fuel_block(struct translator *);
void cn_end_fuel_block(struct translator *);
/* In stepping code, before each instruction that costs fuel: that of the cost noted from here on. */
void cn_begin_step(struct translator *, uint32_t offset);
void cn_check_interrupt(struct translator *);

/* ---- branch.c ---- */

/* A displacement is named by a *site*: the half-cell that it fills, times two, plus one for an entry of
 * a br_table. Entries are relative to where they lie, others to their instruction, of which they fill
 * the upper half of cell 1. */
static inline uint32_t cn_branch_site(uint32_t cell) {
    return ((cell + 1) * 2 + 1) * 2;
}
/* Writes the displacement to `target`. */
void cn_patch_branch(struct translator *, uint32_t site, uint32_t target);
/* Links a forward branch into the chain of its target; binding patches them all. */
void cn_chain_branch(struct translator *, struct control *target, uint32_t site);
void cn_chain_site(struct translator *, uint32_t *chain, uint32_t site);
/* Points all branches of a chain, which is then empty, to a cell. */
void cn_bind_chain(struct translator *, uint32_t *chain, uint32_t target);
void cn_bind_label(struct translator *, struct control *);
/* At the end of a construct behind which the function ends: jumps to that label become returns. */
void cn_bind_as_returns(struct translator *, struct control *);
/* The results are the topmost values; they stay on the stack, at home when there are several. */
void cn_emit_return(struct translator *);
/* Brings the topmost values, which stay on the stack, to where the label wants them. */
void cn_bring_label_values(struct translator *, struct control *target);
/* An unconditional branch with the topmost values; they stay on the stack. */
void cn_emit_branch_to(struct translator *, struct control *target);
struct condition cn_pop_condition(struct translator *);
/* Appends the branch taken when the condition holds (or does not), and returns its site. */
uint32_t cn_emit_condition(struct translator *, const struct condition *, bool holds);
void cn_translate_br_if(struct translator *, uint32_t depth);
void cn_translate_br_on_null(struct translator *, uint32_t depth);
void cn_translate_br_on_non_null(struct translator *, uint32_t depth);
/* A branch if the topmost value, which stays, compares so with the constant. */
void cn_translate_br_on_test(struct translator *, uint32_t depth, enum operation comparison,
                             uint64_t with);
/* Of a popped value plus a constant; one other than 0 needs a build with pairs. */
void cn_translate_br_table(struct translator *, const struct value *index, uint32_t addend);

/* ---- control.c ---- */

/* Its values so far, those of `type`, are on the stack already. */
struct control *cn_push_control(struct translator *, enum construct, const struct functype *type);
void cn_translate_block(struct translator *, enum construct);
void cn_translate_else(struct translator *);
void cn_translate_end(struct translator *);
void cn_translate_catch(struct translator *, bool all);
void cn_go_dead(struct translator *);
/* Skips an instruction that cannot be reached, its immediates too. False for the one that ends the
 * unreachable code: it is to be translated. */
bool cn_skip_dead(struct translator *, enum opcode);
void cn_translate_call(struct translator *, bool is_tail);
void cn_translate_call_indirect(struct translator *, bool is_tail);
void cn_translate_call_ref(struct translator *, bool is_tail);

/* ---- tail.c ---- */

/* Whether the arguments of a function of this type may be moved to where the function's own parameters are, which are
 * of the same kinds. */
bool cn_may_move_arguments(const struct translator *, const struct functype *);
/* Moves them, which stay operands; `above`: how many operands are above them. */
void cn_move_arguments(struct translator *, uint32_t above);
/* Notes in a value map where they are. */
void cn_correct_probe(const struct translator *, struct probe *, uint32_t above);
/* A tail call of the function itself: a jump to where it begins. */
void cn_translate_self_call(struct translator *);

/* ---- exceptions.c ---- */

void cn_translate_throw(struct translator *);
void cn_translate_throw_ref(struct translator *);
void cn_translate_rethrow(struct translator *);
void cn_translate_try_table(struct translator *);
void cn_translate_try(struct translator *);
void cn_translate_delegate(struct translator *);
/* A clause of the construct, whose handler begins here, of this tag or of all. */
void cn_begin_handler(struct translator *, struct control *, bool all, uint32_t tag);
/* Ends the scope of a construct, if it has one: at its `end`. */
void cn_end_scope(struct translator *, struct control *);
/* Between these nothing is caught: a tail call leaves the function before its callee throws. */
uint32_t cn_leave_scopes(struct translator *);
void cn_enter_scopes(struct translator *, uint32_t scope);
/* The catch clauses that go to the construct go to the next cell. */
void cn_bind_catches(struct translator *, struct control *);
/* Bytes of the tables, and what copies them into room of that size behind the code. */
size_t cn_unwind_bytes(const struct translator *);
void cn_unwind_copy(const struct translator *, struct code *, void *room);
void cn_unwind_free(struct translator *);

/* ---- variables.c ---- */

void cn_translate_local_set(struct translator *);
void cn_translate_local_tee(struct translator *);
void cn_translate_global_get(struct translator *);
void cn_translate_global_set(struct translator *);
void cn_translate_select(struct translator *);

/* ---- operations.c, vectors.c ---- */

void cn_translate_bin(struct translator *, const struct rule *, enum slot_kind result);
void cn_translate_un(struct translator *, const struct rule *, enum slot_kind result);
void cn_translate_load(struct translator *, enum opcode, const struct rule *,
                       enum slot_kind result);
void cn_translate_store(struct translator *, const struct rule *);
/* How instructions access memory 0 that need not say which memory it is. */
static inline enum memory_access cn_common_access(const struct module *module,
                                                  const struct translation_config *config) {
    bool is_64 = module->memory_count > 0 && module->memories[0].limits.is_64;
    if (is_64)
        return CN_WIDE_ACCESSES && !config->explicit_checks ? ACCESS_WIDE : ACCESS_NUMBERED;
    return config->explicit_checks ? ACCESS_CHECKED : ACCESS_GUARDED;
}
/* Whether an access says which memory it is. Offsets into a 32-bit memory have 32 bits. */
static inline bool cn_is_numbered(const struct translator *t, struct memarg memarg) {
    return memarg.memory > 0 || t->access == ACCESS_NUMBERED || memarg.offset > UINT32_MAX;
}
/* Tables, bulk memory, references: slots and indices, and nothing to choose. False for an instruction that
 * is none of these. */
bool cn_translate_state(struct translator *, enum opcode);
/* Before an instruction that is itself a safepoint. Constants go to their slots first, perhaps together with
 * a move before them: from the safepoint on no cell belongs to an earlier instruction, whether or not
 * the safepoint is asked for. Interrupted half-way, an instruction of OPF_PIECES or OPF_WAITS puts what is left into
 * its operands: whether it can, since they are at home for that, and no copies in scratch slots. */
bool cn_stand_before(struct translator *, unsigned flags, unsigned operands);
/* ---- atomics.c: false for an instruction that is no atomic one ---- */
bool cn_translate_atomic(struct translator *, enum opcode);
/* ---- gc.c: false for an instruction that is not one on structures, arrays or casts ---- */
bool cn_translate_gc(struct translator *, enum opcode);
bool cn_translate_reference(struct translator *, enum opcode);
void cn_translate_vector(struct translator *, enum opcode, const struct rule *);

#endif
