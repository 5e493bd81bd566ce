/*
 * The pass over a function body.
 *
 * A compile-time stack describes where each value of the operand stack is: in its home slot
 * (TEMP), still in a local (LOCAL), or nowhere, being a constant (CONST). local.get and the
 * constants emit nothing; whoever consumes a value takes it from where it is. Home slots follow
 * from the height of the stack, which validation has made agree wherever control merges, so that
 * a merge needs values at home and nothing else.
 */
#include "translate/translate.h"

#include <string.h>

#include "binary/skip.h"
#include "translate/emit.h"
#include "translate/fuse.h"
#include "translate/pin.h"
#include "translate/rules.h"

#define NO_LINK UINT32_MAX

enum where { TEMP, LOCAL, CONST };

/* A value of the operand stack. */
struct value {
    uint8_t where;
    uint8_t type;      /* low byte of its valtype */
    int32_t home;      /* its slot by height */
    uint32_t local;    /* LOCAL: which */
    uint32_t link;     /* LOCAL: the next lower value that is the same local, or NO_LINK */
    uint64_t constant; /* CONST */
};

struct local {
    int32_t slot;
    uint32_t readers; /* topmost value that is this local, or NO_LINK */
    uint8_t type;
    uint8_t start; /* enum start_value */
    /* ASSIGNED: in which construct, which is still the same while its serial number is. */
    uint32_t construct, serial;
};

/* Whether a call must clear a local: not when every read follows, inside the same construct, a write
 * at that construct's own level, which then comes before it in whatever way control went. */
enum start_value { UNTOUCHED, ASSIGNED, MUST_CLEAR };

enum construct { FUNCTION, BLOCK, LOOP, IF, ELSE };

/* A condition: a comparison that was taken back from the code, or a value tested against zero. */
struct condition {
    const struct rule *rule; /* of a comparison */
    struct operand a, b;
};

struct control {
    uint8_t construct;
    uint32_t serial; /* no two constructs, or arms of an if, have the same */
    uint32_t height; /* of the stack below the parameters */
    int32_t base;    /* home slot of the first label value */
    uint32_t param_count, result_count;
    const valtype *params, *results;
    valtype single;             /* storage for a type given inline */
    uint32_t loop_cell;         /* where a loop's label is */
    uint32_t fixups;            /* chain of branches to the end: half-cell + 1, or 0 */
    uint32_t else_fixup;        /* of an if: cell with the displacement, or 0 */
    uint32_t table, table_stub; /* the stub of the br_table at cell `table` */
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
    const uint8_t *at, *end;
    struct local *locals;
    uint32_t local_count;
    struct value *stack;
    uint32_t height;
    size_t stack_capacity;
    uint32_t flushed; /* no value below this height is LOCAL */
    struct control *controls;
    uint32_t depth;
    size_t control_capacity;
    int32_t first_temp;       /* home of the bottom value */
    int32_t pinned_params[2]; /* where the parameter comes from that is pinned; not below 0: none */
    struct value spare_value; /* written to, and never read, once memory is exhausted */
    struct control spare_control;
    uint32_t serials;   /* given to constructs so far */
    bool live;          /* the instruction under way can be reached */
    uint32_t dead_nest; /* constructs opened in dead code */
};

static bool is_wide(uint8_t type) {
    return type == VT_V128;
}
static struct control *top_control(struct translator *t) {
    return &t->controls[t->depth - 1];
}

/* ---- the stack of values ---- */

static int32_t next_home(const struct translator *t) {
    if (t->height == 0)
        return t->first_temp;
    const struct value *top = &t->stack[t->height - 1];
    return top->home + (is_wide(top->type) ? 2 : 1);
}

static struct value *push(struct translator *t, enum where where, uint8_t type) {
    void *stack = t->stack;
    if (!cn_grow(t->emit.alloc, &stack, &t->stack_capacity, (size_t)t->height + 1,
                 sizeof *t->stack)) {
        t->emit.exhausted = true;
        return &t->spare_value;
    }
    t->stack = stack;
    int32_t home = next_home(t);
    struct value *value = &t->stack[t->height++];
    *value = (struct value){.where = (uint8_t)where, .type = type, .home = home, .link = NO_LINK};
    return value;
}

static void push_temp(struct translator *t, uint8_t type) {
    struct value *value = push(t, TEMP, type);
    uint32_t end = (uint32_t)(value->home + 2);
    if (end > t->emit.max_slot)
        t->emit.max_slot = end;
}

static void push_types(struct translator *t, const valtype *types, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        push_temp(t, (uint8_t)types[i]);
}

static void push_const(struct translator *t, uint8_t type, uint64_t constant) {
    push(t, CONST, type)->constant = constant;
}

static void touch_local(struct translator *t, uint32_t index, bool write) {
    struct local *local = &t->locals[index];
    if (local->start == MUST_CLEAR || (local->start == ASSIGNED && local->construct < t->depth &&
                                       t->controls[local->construct].serial == local->serial))
        return;
    local->start = write ? ASSIGNED : MUST_CLEAR;
    local->construct = t->depth - 1;
    local->serial = top_control(t)->serial;
}

static void push_local(struct translator *t, uint32_t index) {
    touch_local(t, index, false);
    struct value *value = push(t, LOCAL, t->locals[index].type);
    value->local = index;
    value->link = t->locals[index].readers;
    t->locals[index].readers = t->height - 1;
}

/* Forgets that the topmost value at `index` reads its local. */
static void unlink_local(struct translator *t, uint32_t index) {
    if (t->stack[index].where == LOCAL)
        t->locals[t->stack[index].local].readers = t->stack[index].link;
}

static struct value pop(struct translator *t) {
    if (t->height == 0)
        return (struct value){0}; /* only after memory was exhausted */
    t->height--;
    unlink_local(t, t->height);
    if (t->flushed > t->height)
        t->flushed = t->height;
    return t->stack[t->height];
}

static void pop_to(struct translator *t, uint32_t height) {
    while (t->height > height)
        pop(t);
}

static int32_t slot_of(const struct translator *t, const struct value *value) {
    return value->where == LOCAL ? t->locals[value->local].slot : value->home;
}

/* Puts a value into `slot`, wherever it is. */
static void move_to(struct translator *t, const struct value *value, int32_t slot) {
    if (value->where == CONST)
        cn_emit_const(&t->emit, slot, value->constant, true);
    else if (slot_of(t, value) != slot)
        cn_emit_copy(&t->emit, slot, slot_of(t, value), is_wide(value->type));
}

/* Brings the value at `index` of the stack home; the caller looks after links. */
static void bring_home(struct translator *t, uint32_t index) {
    struct value *value = &t->stack[index];
    move_to(t, value, value->home);
    value->where = TEMP;
}

/* Brings the `count` topmost values home. */
static void settle(struct translator *t, uint32_t count) {
    for (uint32_t i = t->height; i-- > t->height - count;) {
        unlink_local(t, i);
        bring_home(t, i);
    }
}

/* Before control splits or merges: no value may be LOCAL, since the local may change on one way. */
static void flush_locals(struct translator *t) {
    for (uint32_t i = t->flushed; i < t->height; i++) {
        if (t->stack[i].where == LOCAL) {
            t->locals[t->stack[i].local].readers = NO_LINK;
            bring_home(t, i);
        }
    }
    t->flushed = t->height;
}

/* Before a local is overwritten: its readers take the old value home. */
static void flush_readers(struct translator *t, uint32_t index) {
    for (uint32_t i = t->locals[index].readers; i != NO_LINK;) {
        uint32_t below = t->stack[i].link;
        bring_home(t, i);
        i = below;
    }
    t->locals[index].readers = NO_LINK;
}

/* A popped value in a slot; a constant is put into its home. */
static int32_t in_slot(struct translator *t, const struct value *value) {
    if (value->where == CONST)
        cn_emit_const(&t->emit, value->home, value->constant, true);
    return slot_of(t, value);
}
static int32_t in_near_slot(struct translator *t, const struct value *value, unsigned which) {
    return cn_near(&t->emit, in_slot(t, value), is_wide(value->type), which);
}

/* The slot of a local, or its pin. */
static struct operand in_pin_or_slot(const struct translator *t, int32_t slot) {
    if (t->emit.pins && slot == FRAME_PIN_P)
        return (struct operand){CLASS_P, slot, 0};
    if (t->emit.pins && slot == FRAME_PIN_Q)
        return (struct operand){CLASS_Q, slot, 0};
    return (struct operand){CLASS_S, slot, 0};
}

/* A popped value as an operand of the classes that families know. */
static struct operand as_operand(struct translator *t, const struct value *value) {
    if (value->where == CONST)
        return (struct operand){CLASS_K, 0, value->constant};
    if (value->where == TEMP && cn_can_accumulate(&t->emit, value->home)) {
        cn_accumulate(&t->emit);
        return (struct operand){CLASS_A, 0, 0};
    }
    return in_pin_or_slot(t, slot_of(t, value));
}
/* The same with constants in their slots. */
static struct operand as_register_operand(struct translator *t, const struct value *value) {
    if (value->where == CONST)
        return (struct operand){CLASS_S, in_slot(t, value), 0};
    return as_operand(t, value);
}
/* And without pins. */
static struct operand as_slot_operand(struct translator *t, const struct value *value) {
    return cn_unpinned(as_register_operand(t, value));
}

/* Appends an instruction that no peephole knows. */
static uint64_t *emit_plain(struct translator *t, enum bytecode bytecode, uint32_t cells) {
    uint64_t *at = cn_emit(&t->emit, bytecode, cells);
    t->emit.last.cell = NO_CELL;
    return at;
}

/* ---- places where execution may stand ---- */

static struct probe_value value_at(const struct translator *t, const struct value *value) {
    return (struct probe_value){
        .where = value->where == TEMP    ? VALUE_SLOT
                 : value->where == LOCAL ? VALUE_LOCAL
                                         : VALUE_CONST,
        .type = value->type,
        .slot = slot_of(t, value),
        .constant = value->constant,
    };
}

static void answer(struct translator *t, struct probe *probe) {
    uint32_t count = t->local_count + t->height;
    probe->values = cn_calloc(probe->alloc, (size_t)count + 1, sizeof *probe->values);
    if (!probe->values) {
        t->emit.exhausted = true;
        return;
    }
    probe->found = true;
    probe->cell = (uint32_t)t->emit.count;
    probe->local_count = t->local_count;
    probe->count = count;
    for (uint32_t i = 0; i < t->local_count; i++)
        probe->values[i] = (struct probe_value){
            .where = VALUE_SLOT, .type = t->locals[i].type, .slot = t->locals[i].slot};
    for (uint32_t i = 0; i < t->height; i++)
        probe->values[t->local_count + i] = value_at(t, &t->stack[i]);
}

/* The next cell is a place of this kind. True when it is the one that is asked for. */
static bool note_place(struct translator *t, enum probe_place place, uint32_t offset) {
    struct probe *probe = t->emit.map ? t->emit.map->probe : NULL;
    if (!probe || probe->found || t->emit.exhausted)
        return false;
    if (probe->by_cell ? place == PLACE_INSTRUCTION || probe->cell != t->emit.count
                       : place != probe->place || offset != probe->offset)
        return false;
    probe->place = place;
    probe->offset = offset;
    answer(t, probe);
    return probe->found;
}

static uint32_t next_offset(const struct translator *t) {
    return (uint32_t)(t->at - t->module->bytes);
}

void cn_probe_free(struct probe *probe) {
    cn_free(probe->alloc, probe->values, ((size_t)probe->count + 1) * sizeof *probe->values);
    probe->values = NULL;
    probe->found = false;
}

/* ---- fuel and interruption ---- */

/* Ends the stretch that the latest fuel instruction pays for. */
static void end_stretch(struct translator *t) {
    struct emitter *e = &t->emit;
    if (e->fuel_cell != NO_CELL && !e->exhausted)
        e->cells[e->fuel_cell + 1] = cn_fields_w(0, 0, e->fuel_cost);
    e->fuel_cell = NO_CELL;
    e->fuel_cost = 0;
}

static void begin_stretch(struct translator *t) {
    end_stretch(t);
    if (!t->config->fuel || !t->live)
        return;
    uint32_t cell = (uint32_t)t->emit.count;
    note_place(t, PLACE_CHECK, next_offset(t));
    emit_plain(t, BC_fuel, 2);
    t->emit.fuel_cell = cell;
}

static void check_interrupt(struct translator *t) {
    if (!t->config->interruptible)
        return;
    note_place(t, PLACE_CHECK, next_offset(t));
    emit_plain(t, BC_interrupt_check, 1);
}

static void go_dead(struct translator *t) {
    end_stretch(t);
    t->live = false;
    t->dead_nest = 0;
    pop_to(t, top_control(t)->height);
}

/* ---- labels ---- */

static void patch(struct translator *t, uint32_t half, uint32_t target) {
    if (t->emit.exhausted)
        return;
    uint64_t *cell = &t->emit.cells[half / 2];
    uint32_t displacement = target - half / 2;
    unsigned shift = half % 2 * 32;
    *cell = (*cell & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)displacement << shift;
}

/* Links a forward branch into the chain of its target, through the field itself. */
static void chain(struct translator *t, struct control *target, uint32_t half) {
    if (t->emit.exhausted)
        return;
    uint64_t *cell = &t->emit.cells[half / 2];
    unsigned shift = half % 2 * 32;
    *cell = (*cell & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)target->fixups << shift;
    target->fixups = half + 1;
}

static void bind(struct translator *t, struct control *control) {
    uint32_t here = (uint32_t)t->emit.count;
    for (uint32_t link = control->fixups; link && !t->emit.exhausted;) {
        uint32_t half = link - 1;
        uint32_t next = (uint32_t)(t->emit.cells[half / 2] >> (half % 2 * 32));
        patch(t, half, here);
        link = next;
    }
    control->fixups = 0;
    cn_emit_label(&t->emit);
}

/* Points the displacement at `half` to a label. */
static void aim(struct translator *t, struct control *target, uint32_t half) {
    if (target->construct == LOOP)
        patch(t, half, target->loop_cell);
    else
        chain(t, target, half);
}

static uint32_t label_arity(const struct control *c) {
    return c->construct == LOOP ? c->param_count : c->result_count;
}

/* More values than this are moved by one instruction. */
#define MOVED_ONE_BY_ONE 4

/* Before a branch: many label values go home, once for all the branches that may carry them, since
 * otherwise a thousand copies could be had for two bytes. */
static void prepare_label_values(struct translator *t, const struct control *target) {
    if (label_arity(target) > MOVED_ONE_BY_ONE)
        settle(t, label_arity(target));
}

/* Whether the label's values lie elsewhere than the label wants them. */
static bool needs_moves(const struct translator *t, const struct control *target) {
    uint32_t count = label_arity(target);
    int32_t slot = target->base;
    for (uint32_t i = t->height - count; i < t->height; i++) {
        if (t->stack[i].where != TEMP || t->stack[i].home != slot)
            return true;
        slot += is_wide(t->stack[i].type) ? 2 : 1;
    }
    return false;
}

/* Copies the label's values where it wants them: upwards, so that none is overwritten before it is
 * read, as a label's slots never lie above the values' homes. */
static void move_label_values(struct translator *t, const struct control *target) {
    uint32_t count = label_arity(target);
    int32_t slot = target->base;
    if (count > MOVED_ONE_BY_ONE) {
        int32_t home = t->stack[t->height - count].home;
        uint64_t *at = emit_plain(t, BC_move, 4);
        at[1] = cn_fields_w(0, 0, (uint32_t)(next_home(t) - home));
        at[2] = (uint64_t)home;
        at[3] = (uint64_t)slot;
        return;
    }
    for (uint32_t i = t->height - count; i < t->height; i++) {
        move_to(t, &t->stack[i], slot);
        slot += is_wide(t->stack[i].type) ? 2 : 1;
    }
}

/* ---- returns and branches ---- */

static int32_t param_base(const struct translator *t) {
    return -(int32_t)t->type->param_slots;
}

static void emit_return_one(struct translator *t) {
    const struct value *value = &t->stack[t->height - 1];
    int32_t to = param_base(t);
    if (value->where == CONST) {
        uint64_t *at = emit_plain(t, BC_return_k, 3);
        at[1] = cn_fields(to, 0, 0, 0);
        at[2] = value->constant;
    } else if (value->where == TEMP && cn_can_accumulate(&t->emit, value->home)) {
        enum bytecode bytecode = value->type == VT_F64   ? BC_return_f64
                                 : value->type == VT_F32 ? BC_return_f32
                                                         : BC_return_a;
        cn_accumulate(&t->emit);
        emit_plain(t, bytecode, 2)[1] = cn_fields(to, 0, 0, 0);
    } else {
        int32_t from = cn_near(&t->emit, slot_of(t, value), false, 0);
        emit_plain(t, BC_return_s, 2)[1] = cn_fields(to, from, 0, 0);
    }
}

/* The results are the topmost values; they stay on the stack, at home when there are several. */
static void emit_return(struct translator *t) {
    uint32_t count = t->type->result_count;
    if (count == 0) {
        emit_plain(t, BC_return_0, 1);
        return;
    }
    if (count == 1 && t->type->result_slots == 1) {
        emit_return_one(t);
        return;
    }
    for (uint32_t i = t->height - count; i < t->height; i++)
        move_to(t, &t->stack[i], t->stack[i].home);
    uint64_t *at = emit_plain(t, BC_return_n, 3);
    at[1] = cn_fields_w(param_base(t), 0, t->type->result_slots);
    at[2] = (uint64_t)t->stack[t->height - count].home;
}

static struct control *label(struct translator *t, uint32_t depth) {
    return &t->controls[t->depth - 1 - depth];
}

static void emit_branch_to_test(struct translator *t, struct control *loop);

/* An unconditional branch with the topmost values; they stay on the stack. */
static void emit_branch_to(struct translator *t, struct control *target) {
    if (target->construct == FUNCTION) {
        emit_return(t);
        return;
    }
    if (target->construct == LOOP && target->tests_first) {
        emit_branch_to_test(t, target);
        return;
    }
    prepare_label_values(t, target);
    if (label_arity(target) == 1) {
        const struct value *value = &t->stack[t->height - 1];
        if (value->where != TEMP || value->home == target->base ||
            !cn_retarget(&t->emit, value->home, target->base))
            move_label_values(t, target);
    } else {
        move_label_values(t, target);
    }
    uint32_t cell = (uint32_t)t->emit.count;
    emit_plain(t, BC_br, 2);
    aim(t, target, (cell + 1) * 2 + 1);
}

static const struct rule *rule_of_family(enum bytecode family) {
    static const uint16_t comparisons[] = {
        OP_i32_eq, OP_i32_ne,   OP_i32_lt_s, OP_i32_lt_u, OP_i32_le_s, OP_i32_le_u, OP_i64_eq,
        OP_i64_ne, OP_i64_lt_s, OP_i64_lt_u, OP_i64_le_s, OP_i64_le_u, OP_f32_eq,   OP_f32_ne,
        OP_f32_lt, OP_f32_le,   OP_f64_eq,   OP_f64_ne,   OP_f64_lt,   OP_f64_le};
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++)
        if (cn_rules[comparisons[i]].bytecode == family)
            return &cn_rules[comparisons[i]];
    return NULL;
}

static struct condition pop_condition(struct translator *t) {
    struct value value = pop(t);
    const struct producer *last = &t->emit.last;
    if (value.where == TEMP && last->cell != NO_CELL && last->slot == value.home &&
        !last->in_local && last->compare != BC_NONE && last->end == t->emit.count) {
        struct condition c = {rule_of_family(last->compare), last->a, last->b};
        cn_emit_rollback(&t->emit, last->cell);
        return c;
    }
    struct operand zero = {CLASS_K, 0, 0};
    return (struct condition){&cn_rules[OP_i32_ne], as_register_operand(t, &value), zero};
}

/* Appends the branch taken when the condition holds (or does not), and returns the half-cell of
 * its displacement. */
static uint32_t emit_condition(struct translator *t, const struct condition *c, bool holds) {
    struct operand a = c->a, b = c->b;
    if (!holds && c->rule->not_swaps) {
        a = c->b;
        b = c->a;
    }
    enum bytecode family = (enum bytecode)(holds ? c->rule->branch : c->rule->branch_not);
    uint32_t cell;
    if (!cn_fuse_branch(&t->emit, family, c->rule->commutes, a, b, &cell))
        cell = cn_emit_branch(&t->emit, family, c->rule->commutes, a, b);
    cn_emit_label(&t->emit);
    return cell * 2 + 1;
}

/* Remembers the test that a loop begins with: a branch back to the loop may then make it itself and
 * save the way over the loop's start. */
static void note_first_test(struct translator *t, const struct control *target,
                            const struct condition *c) {
    struct control *loop = top_control(t);
    if (loop->construct != LOOP || loop->param_count || label_arity(target) ||
        target->construct == LOOP || loop->loop_cell != t->emit.count || c->a.class_ == CLASS_A ||
        c->b.class_ == CLASS_A)
        return;
    loop->tests_first = true;
    loop->test = *c;
    loop->test_target = (uint32_t)(target - t->controls);
}

/* A branch to a loop that begins with a test: the test, turned round. */
static void emit_branch_to_test(struct translator *t, struct control *loop) {
    if (t->emit.last.cell != NO_CELL)
        t->emit.before = t->emit.last; /* a step of what is tested may join */
    patch(t, emit_condition(t, &loop->test, false), loop->test_passed);
    uint32_t cell = (uint32_t)t->emit.count;
    emit_plain(t, BC_br, 2);
    aim(t, &t->controls[loop->test_target], (cell + 1) * 2 + 1);
}

static void translate_br_if(struct translator *t, uint32_t depth) {
    struct control *target = label(t, depth);
    struct condition condition = pop_condition(t);
    prepare_label_values(t, target);
    if (target->construct != FUNCTION && !needs_moves(t, target)) {
        note_first_test(t, target, &condition);
        aim(t, target, emit_condition(t, &condition, true));
        if (top_control(t)->tests_first && top_control(t)->test_passed == 0)
            top_control(t)->test_passed = (uint32_t)t->emit.count;
    } else {
        uint32_t skip = emit_condition(t, &condition, false);
        if (target->construct == FUNCTION) {
            emit_return(t);
        } else {
            move_label_values(t, target);
            uint32_t cell = (uint32_t)t->emit.count;
            emit_plain(t, BC_br, 2);
            aim(t, target, (cell + 1) * 2 + 1);
        }
        patch(t, skip, (uint32_t)t->emit.count);
        cn_emit_label(&t->emit);
    }
    begin_stretch(t);
}

/* Fills the table's entry at `half`; a target that needs code on the way gets a stub, one for each
 * label. */
static void translate_table_entry(struct translator *t, uint32_t table, uint32_t half,
                                  uint32_t depth) {
    struct control *target = label(t, depth);
    if (target->construct != FUNCTION && !needs_moves(t, target)) {
        aim(t, target, half);
        return;
    }
    if (target->table != table) {
        target->table = table;
        target->table_stub = (uint32_t)t->emit.count;
        cn_emit_label(&t->emit);
        if (target->construct == FUNCTION) {
            emit_return(t);
        } else {
            move_label_values(t, target);
            uint32_t cell = (uint32_t)t->emit.count;
            emit_plain(t, BC_br, 2);
            aim(t, target, (cell + 1) * 2 + 1);
        }
    }
    patch(t, half, target->table_stub);
}

static void translate_br_table(struct translator *t) {
    struct value index = pop(t);
    struct operand operand = as_slot_operand(t, &index);
    uint32_t count = cn_u32_valid(&t->at);
    const uint8_t *first = t->at; /* all labels take as many values */
    prepare_label_values(t, label(t, cn_u32_valid(&first)));
    int32_t slot = operand.class_ == CLASS_S ? cn_near(&t->emit, operand.slot, false, 0) : 0;
    uint32_t cell = (uint32_t)t->emit.count, entry_cells = (count + 2) / 2;
    emit_plain(t, operand.class_ == CLASS_A ? BC_br_table_a : BC_br_table_s, 2 + entry_cells)[1] =
        cn_fields_w(slot, 0, count);
    for (uint64_t i = 0; i <= count && !t->emit.exhausted; i++)
        translate_table_entry(t, cell + 1, (cell + 2) * 2 + (uint32_t)i, cn_u32_valid(&t->at));
    go_dead(t);
}

/* ---- structured control ---- */

static void read_block_type(struct translator *t, struct control *c) {
    int64_t type = cn_s64_valid(&t->at);
    if (type >= 0) {
        const struct functype *ft = t->module->types[type];
        c->param_count = ft->param_count;
        c->params = ft_params(ft);
        c->result_count = ft->result_count;
        c->results = ft_results(ft);
    } else if (type != -64) {
        c->single = (valtype)(type & 0x7F);
        c->result_count = 1;
        c->results = NULL; /* `single`; the array of controls moves */
    }
}
static const valtype *results_of(const struct control *c) {
    return c->results ? c->results : &c->single;
}

static struct control *push_control(struct translator *t, enum construct construct) {
    void *controls = t->controls;
    if (!cn_grow(t->emit.alloc, &controls, &t->control_capacity, (size_t)t->depth + 1,
                 sizeof *t->controls)) {
        t->emit.exhausted = true;
        return &t->spare_control;
    }
    t->controls = controls;
    struct control *c = &t->controls[t->depth++];
    *c =
        (struct control){.construct = (uint8_t)construct, .table = NO_CELL, .serial = t->serials++};
    return c;
}

static void enter_block(struct translator *t, enum construct construct) {
    struct condition condition = {0};
    struct control *c = push_control(t, construct);
    if (t->emit.exhausted)
        return;
    read_block_type(t, c);
    if (construct == IF)
        condition = pop_condition(t);
    flush_locals(t);
    settle(t, c->param_count);
    c->height = t->height - c->param_count;
    c->base = c->param_count ? t->stack[c->height].home : next_home(t);
    if (construct == IF) {
        c->else_fixup = emit_condition(t, &condition, false);
        begin_stretch(t);
    } else if (construct == LOOP) {
        cn_emit_label(&t->emit);
        end_stretch(t);
        c->loop_cell = (uint32_t)t->emit.count;
        check_interrupt(t);
        begin_stretch(t);
    }
}

static void translate_else(struct translator *t) {
    struct control *c = top_control(t);
    if (t->live) {
        settle(t, c->result_count);
        end_stretch(t);
        uint32_t cell = (uint32_t)t->emit.count;
        emit_plain(t, BC_br, 2);
        chain(t, c, (cell + 1) * 2 + 1);
    }
    pop_to(t, c->height);
    push_types(t, c->params, c->param_count);
    t->flushed = t->height;
    patch(t, c->else_fixup, (uint32_t)t->emit.count);
    cn_emit_label(&t->emit);
    c->else_fixup = 0;
    c->serial = t->serials++;
    c->construct = ELSE;
    t->live = true;
    begin_stretch(t);
}

static void translate_end(struct translator *t) {
    struct control *c = top_control(t);
    if (c->construct == FUNCTION) {
        if (t->live)
            emit_return(t);
        end_stretch(t);
        t->depth--;
        return;
    }
    if (t->live)
        settle(t, c->result_count);
    bool merged = c->fixups != 0 || c->else_fixup != 0;
    if (c->else_fixup) { /* an if without else: its parameters are its results, at home */
        patch(t, c->else_fixup, (uint32_t)t->emit.count);
        c->else_fixup = 0;
    }
    if (merged) {
        end_stretch(t);
        bind(t, c);
        t->live = true;
    }
    if (t->live) {
        pop_to(t, c->height);
        push_types(t, results_of(c), c->result_count);
        t->flushed = t->height;
    }
    t->depth--;
    if (merged)
        begin_stretch(t);
    if (!t->live)
        pop_to(t, top_control(t)->height);
}

/* ---- dead code: only its nesting matters ---- */

static void translate_dead(struct translator *t, enum opcode opcode) {
    switch (opcode) {
    case OP_block:
    case OP_loop:
    case OP_if_:
        t->dead_nest++;
        break;
    case OP_else_:
        if (t->dead_nest == 0) {
            translate_else(t);
            return;
        }
        break;
    case OP_end:
        if (t->dead_nest == 0) {
            translate_end(t);
            return;
        }
        t->dead_nest--;
        break;
    default:
        break;
    }
    cn_skip_immediates(&t->at, (enum immediate)cn_op_info[opcode].immediate);
}

/* ---- calls ---- */

static void emit_call(struct translator *t, enum bytecode bytecode, const struct functype *type,
                      int32_t index_slot, uint64_t x, uint64_t y) {
    settle(t, type->param_count);
    if (bytecode == BC_call_import)
        note_place(t, PLACE_INSTRUCTION, t->emit.offset);
    pop_to(t, t->height - type->param_count);
    int32_t start = next_home(t);
    uint32_t most = type->param_slots > type->result_slots ? type->param_slots : type->result_slots;
    if ((uint32_t)start + most > t->emit.max_slot)
        t->emit.max_slot = (uint32_t)start + most;
    uint64_t *at = emit_plain(t, bytecode, bytecode == BC_call_indirect ? 4 : 3);
    at[1] = cn_fields_w(index_slot, 0, (uint32_t)start + type->param_slots);
    at[2] = x;
    if (bytecode == BC_call_indirect)
        at[3] = y;
    push_types(t, ft_results(type), type->result_count);
    if (note_place(t, PLACE_CALL, next_offset(t))) {
        t->emit.map->probe->callee_type = type;
        t->emit.map->probe->callee = start + (int32_t)type->param_slots;
    }
    begin_stretch(t);
}

static void translate_call(struct translator *t) {
    uint32_t func = cn_u32_valid(&t->at);
    bool imported = func < t->module->imported_func_count;
    emit_call(t, imported ? BC_call_import : BC_call, module_func_type(t->module, func), 0,
              imported ? func : func - t->module->imported_func_count, 0);
}

static void translate_call_indirect(struct translator *t) {
    const struct functype *type = t->module->types[cn_u32_valid(&t->at)];
    uint32_t table = cn_u32_valid(&t->at);
    struct value index = pop(t);
    /* The arguments go home first, as their copies may take the scratch slot that the index needs. */
    settle(t, type->param_count);
    int32_t slot = in_near_slot(t, &index, 0);
    if (slot > 0 && (uint32_t)slot + 1 > t->emit.max_slot)
        t->emit.max_slot = (uint32_t)slot + 1;
    emit_call(t, BC_call_indirect, type, slot, (uint64_t)(uintptr_t)type, table);
}

/* ---- variables ---- */

static void set_local(struct translator *t, uint32_t index, const struct value *value) {
    int32_t slot = t->locals[index].slot;
    if (value->where == LOCAL && value->local == index)
        return;
    touch_local(t, index, true);
    flush_readers(t, index);
    if (value->where == TEMP && cn_retarget(&t->emit, value->home, slot)) {
        cn_sync_pin(&t->emit, slot);
        return;
    }
    struct operand pin = in_pin_or_slot(t, slot);
    if (pin.class_ == CLASS_S) {
        move_to(t, value, slot);
    } else if (value->where == CONST) {
        emit_plain(t, pin.class_ == CLASS_P ? BC_set_p_k : BC_set_q_k, 3)[2] = value->constant;
    } else {
        int32_t from = cn_near(&t->emit, slot_of(t, value), false, 0);
        emit_plain(t, pin.class_ == CLASS_P ? BC_set_p : BC_set_q, 2)[1] = cn_fields(from, 0, 0, 0);
    }
}

static void translate_local_set(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    struct value value = pop(t);
    set_local(t, index, &value);
}

static void translate_local_tee(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    struct value value = pop(t);
    set_local(t, index, &value);
    if (value.where == CONST)
        push_const(t, value.type, value.constant);
    else
        push_local(t, index);
}

static void translate_global_get(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    uint8_t type = (uint8_t)t->module->globals[index].type.type;
    int32_t home = next_home(t);
    int32_t to = cn_to_begin(&t->emit, home, is_wide(type));
    uint32_t cell = (uint32_t)t->emit.count;
    emit_plain(t, is_wide(type) ? BC_global_get2 : BC_global_get, 2)[1] = cn_fields_w(to, 0, index);
    if (!t->emit.far_to && !t->emit.exhausted) /* a local.set may take it directly */
        t->emit.last =
            (struct producer){.cell = cell, .end = (uint32_t)t->emit.count, .slot = home};
    cn_to_end(&t->emit);
    push_temp(t, type);
}

static void translate_global_set(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    struct value value = pop(t);
    int32_t from = in_near_slot(t, &value, 0);
    emit_plain(t, is_wide(value.type) ? BC_global_set2 : BC_global_set, 2)[1] =
        cn_fields_w(from, 0, index);
}

static void translate_select(struct translator *t) {
    struct value condition = pop(t), second = pop(t), first = pop(t);
    bool wide = is_wide(first.type);
    int32_t a = in_near_slot(t, &first, 0), b = in_near_slot(t, &second, 1);
    struct operand c = {CLASS_S, 0, 0};
    if (!wide)
        c = as_slot_operand(t, &condition);
    else
        c.slot = in_slot(t, &condition);
    int32_t c_slot = c.class_ == CLASS_S ? cn_near(&t->emit, c.slot, false, 2) : 0;
    int32_t home = next_home(t);
    int32_t to = cn_to_begin(&t->emit, home, wide);
    uint32_t cell = (uint32_t)t->emit.count;
    emit_plain(t,
               wide                  ? BC_select2_s
               : c.class_ == CLASS_A ? BC_select_a
                                     : BC_select_s,
               2)[1] = cn_fields(to, a, b, c_slot);
    if (!t->emit.far_to && !t->emit.exhausted)
        t->emit.last =
            (struct producer){.cell = cell, .end = (uint32_t)t->emit.count, .slot = home};
    cn_to_end(&t->emit);
    push_temp(t, first.type);
}

/* ---- instructions that the rules know ---- */

/* A popped value as an operand that no accumulator is asked for. */
static struct operand as_plain_operand(const struct translator *t, const struct value *value) {
    if (value->where == CONST)
        return (struct operand){CLASS_K, 0, value->constant};
    return (struct operand){CLASS_S, slot_of(t, value), 0};
}

static bool fuse_bin(struct translator *t, const struct rule *rule, const struct value *first,
                     const struct value *second, int32_t home) {
    enum bytecode family = (enum bytecode)rule->bytecode;
    if (second->where == TEMP)
        return cn_fuse_bin(&t->emit, family, rule->commutes, true, second->home, home,
                           as_plain_operand(t, first));
    return first->where == TEMP && cn_fuse_bin(&t->emit, family, rule->commutes, false, first->home,
                                               home, as_plain_operand(t, second));
}

/* Whether the next instruction puts the result into a pinned local: then two instructions of which
 * the second writes the pin are better than a pair and a reload. */
static bool goes_to_pin(const struct translator *t) {
    if (!t->emit.pins || (*t->at != OP_local_set && *t->at != OP_local_tee))
        return false;
    const uint8_t *at = t->at + 1;
    return in_pin_or_slot(t, t->locals[cn_u32_valid(&at)].slot).class_ != CLASS_S;
}

static void translate_bin(struct translator *t, const struct rule *rule, uint8_t result) {
    struct value second = pop(t);
    struct value first;
    if (second.where == CONST && rule->bytecode == BC_i32_sub) {
        rule = &cn_rules[OP_i32_add]; /* one form for steps down and up */
        second.constant = (uint32_t)-(uint32_t)second.constant;
    } else if (second.where == CONST && rule->bytecode == BC_i64_sub) {
        rule = &cn_rules[OP_i64_add];
        second.constant = -second.constant;
    }
    if (rule->kind == RULE_EQZ) {
        first = second;
        second = (struct value){.where = CONST};
    } else {
        first = pop(t);
    }
    if (first.where == CONST && second.where == CONST) {
        in_slot(t, &first);
        first.where = TEMP;
    }
    int32_t home = next_home(t);
    if (rule->branch == 0 && !goes_to_pin(t) && fuse_bin(t, rule, &first, &second, home)) {
        push_temp(t, result);
        return;
    }
    struct operand a = as_operand(t, &first), b = as_operand(t, &second);
    if (rule->swap) {
        struct operand other = a;
        a = b;
        b = other;
    }
    cn_emit_bin(&t->emit, (enum bytecode)rule->bytecode, rule->commutes, rule->wide_const, home, a,
                b, rule->branch != 0);
    push_temp(t, result);
}

static void translate_un(struct translator *t, const struct rule *rule, uint8_t result) {
    struct value value = pop(t);
    struct operand a = as_slot_operand(t, &value);
    cn_emit_un(&t->emit, (enum bytecode)rule->bytecode, next_home(t), a);
    push_temp(t, result);
}

static uint32_t read_memarg(struct translator *t) {
    cn_u32_valid(&t->at);
    return (uint32_t)cn_u64_valid(&t->at);
}

static void translate_load(struct translator *t, const struct rule *rule, uint8_t result) {
    uint32_t offset = read_memarg(t);
    enum bytecode family = (enum bytecode)rule->bytecode;
    bool explicit_ = t->config->explicit_checks;
    struct value address = pop(t);
    int32_t home = next_home(t);
    if (address.where != TEMP || goes_to_pin(t) ||
        !cn_fuse_load(&t->emit, family, explicit_, address.home, home, offset)) {
        struct operand a = as_register_operand(t, &address);
        cn_emit_load(&t->emit, family, explicit_, home, a, offset);
    }
    push_temp(t, result);
}

static void translate_store(struct translator *t, const struct rule *rule) {
    uint32_t offset = read_memarg(t);
    struct value value = pop(t), address = pop(t);
    /* A constant address goes to a slot first: as_operand() below may rely on what is last. */
    int32_t address_slot = address.where == CONST ? in_slot(t, &address) : 0;
    struct operand a = address.where == CONST ? (struct operand){CLASS_S, address_slot, 0}
                                              : as_operand(t, &address);
    struct operand v = as_operand(t, &value);
    cn_emit_store(&t->emit, (enum bytecode)rule->bytecode, t->config->explicit_checks, v, a,
                  offset);
}

/* ---- vectors ---- */

/* How many sources each destination has, slots first: the lists of exec/bytecode_simd.def. */
static const uint8_t vector_sources[] = {
    [VECTOR_SLOTS] = 0, [VECTOR_ANY] = 2,   [VECTOR_COMM] = 2,        [VECTOR_ORDERED] = 3,
    [VECTOR_TERN] = 2,  [VECTOR_SHIFT] = 3, [VECTOR_DESTINATIONS] = 1};

static bool take_accumulator(struct translator *t, const struct value *value) {
    if (value->where != TEMP || !cn_can_accumulate(&t->emit, value->home))
        return false;
    cn_accumulate(&t->emit);
    return true;
}

static void exchange_values(struct value *values) {
    struct value first = values[0];
    values[0] = values[1];
    values[1] = first;
}

/* Which of a form's sources fits the operands; `special` is set for the one that is no slot: its
 * value is in an accumulator or, a shift's count, a constant. */
static unsigned choose_vector_source(struct translator *t, enum vector_form form,
                                     struct value *values, bool *special) {
    switch (form) {
    case VECTOR_ANY:
        return special[0] = take_accumulator(t, &values[0]);
    case VECTOR_COMM:
        if (values[1].where == TEMP && cn_can_accumulate(&t->emit, values[1].home))
            exchange_values(values);
        return special[0] = take_accumulator(t, &values[0]);
    case VECTOR_ORDERED:
        special[0] = take_accumulator(t, &values[0]);
        special[1] = !special[0] && take_accumulator(t, &values[1]);
        return special[0] + 2u * special[1];
    case VECTOR_TERN:
        return special[2] = take_accumulator(t, &values[2]);
    case VECTOR_SHIFT:
        if (values[1].where != CONST)
            return 0;
        special[1] = true;
        special[0] = take_accumulator(t, &values[0]);
        return 1 + special[0];
    default:
        return 0;
    }
}

static bool fuse_vector(struct translator *t, const struct rule *rule, const struct op_info *info,
                        const struct value *values) {
    enum bytecode second = (enum bytecode)rule->bytecode;
    bool wide = info->result == OPT_V128;
    int32_t home = next_home(t);
    if (rule->form == VECTOR_ANY)
        return values[0].where == TEMP &&
               cn_fuse_vector(&t->emit, second, values[0].home, 0, home, wide);
    for (unsigned x = 2; x-- > 0 && rule->form == VECTOR_COMM;)
        if (values[x].where == TEMP && cn_fuse_vector(&t->emit, second, values[x].home,
                                                      slot_of(t, &values[1 - x]), home, wide))
            return true;
    return false;
}

/* Notes an instruction of two operands, so that it can become the first of a pair. */
static void can_be_first(struct translator *t, const struct rule *rule, const struct value *values,
                         const bool *special) {
    struct producer *last = &t->emit.last;
    if (last->cell == NO_CELL || special[1] ||
        (rule->form != VECTOR_COMM && rule->form != VECTOR_ORDERED))
        return;
    last->first = (enum bytecode)rule->bytecode;
    last->a = (struct operand){special[0] ? CLASS_A : CLASS_S, slot_of(t, &values[0]), 0};
    last->b = (struct operand){CLASS_S, slot_of(t, &values[1]), 0};
}

/* Operands in o1..o3 (o0.. when nothing results), then immediates by their kind. */
static void translate_vector(struct translator *t, enum opcode opcode, const struct rule *rule) {
    const struct op_info *info = &cn_op_info[opcode];
    bool has_result = info->result != OPT_NOTHING;
    struct value values[3];
    bool special[3] = {false};
    int32_t fields[4] = {0};
    uint64_t x = 0, y = 0;
    uint32_t w = 0, cells = 2;
    for (unsigned i = info->operand_count; i-- > 0;)
        values[i] = pop(t);
    if (rule->swap)
        exchange_values(values);
    if (fuse_vector(t, rule, info, values)) {
        push_temp(t, info->result);
        return;
    }
    enum bytecode bytecode = (enum bytecode)rule->bytecode;
    unsigned sources = vector_sources[rule->form];
    bytecode += choose_vector_source(t, (enum vector_form)rule->form, values, special);
    for (unsigned i = 0; i < info->operand_count; i++)
        fields[i + 1] = special[i] ? 0 : in_near_slot(t, &values[i], i);
    bool has_w = info->immediate >= IMM_MEM0;
    if (has_w)
        w = read_memarg(t);
    if (rule->form == VECTOR_SHIFT && special[1]) {
        has_w = true;
        w = (uint32_t)values[1].constant;
    }
    if (info->immediate >= IMM_MEM0_LANE) {
        /* load: address o1, the vector's slot and the lane in x; store: vector o0, address o1 */
        x = *t->at++;
        if (has_result)
            x = x << 16 | (uint16_t)fields[2];
        cells = 3;
    } else if (info->immediate >= IMM_LANE16 && info->immediate <= IMM_LANE2) {
        fields[3] = *t->at++;
    } else if (info->immediate == IMM_SHUFFLE || info->immediate == IMM_V128) {
        memcpy(&x, t->at, 8);
        memcpy(&y, t->at + 8, 8);
        t->at += 16;
        cells = 4;
    }
    int32_t home = next_home(t);
    fields[0] = has_result ? cn_to_begin(&t->emit, home, info->result == OPT_V128) : fields[2];
    uint32_t cell = (uint32_t)t->emit.count;
    uint64_t *at = cn_emit(&t->emit, bytecode, cells);
    at[1] = has_w ? cn_fields_w(fields[0], fields[1], w)
                  : cn_fields(fields[0], fields[1], fields[2], fields[3]);
    if (cells > 2)
        at[2] = x;
    if (cells > 3)
        at[3] = y;
    t->emit.last.cell = NO_CELL;
    if (!has_result)
        return;
    cn_produced(&t->emit, cell, home, sources ? bytecode + sources : BC_NONE);
    can_be_first(t, rule, values, special);
    cn_to_end(&t->emit);
    push_temp(t, info->result);
}

/* ---- instructions with slots o0.. and indices, and nothing to choose ---- */

/* Pops `count` operands into o0.. (o1.. when there is a result) and appends the instruction; w is o3
 * when there are three. */
static void translate_plain(struct translator *t, enum bytecode bytecode, unsigned count,
                            uint8_t result, uint32_t w, uint64_t x, uint64_t y, uint32_t cells) {
    struct value values[3];
    int32_t fields[3] = {0};
    unsigned first = result ? 1 : 0;
    for (unsigned i = count; i-- > 0;)
        values[i] = pop(t);
    for (unsigned i = 0; i < count; i++)
        fields[first + i] = in_near_slot(t, &values[i], i);
    int32_t home = next_home(t);
    if (result)
        fields[0] = cn_to_begin(&t->emit, home, false);
    uint64_t *at = emit_plain(t, bytecode, cells);
    at[1] = count + first > 2 ? cn_fields(fields[0], fields[1], fields[2], (int32_t)w)
                              : cn_fields_w(fields[0], fields[1], w);
    if (cells > 2)
        at[2] = x;
    if (cells > 3)
        at[3] = y;
    if (result) {
        cn_to_end(&t->emit);
        push_temp(t, result);
    }
}

/* memory.copy and memory.fill: interrupted half-way they put what is left into their operands. These
 * are at home for that, and not in copies of homes that are far. */
static void translate_long(struct translator *t, enum bytecode bytecode) {
    bool divisible =
        t->config->interruptible && t->height > 0 && t->stack[t->height - 1].home <= INT16_MAX;
    translate_plain(t, bytecode, 3, 0, divisible, 0, 0, 2);
}

static void translate_state(struct translator *t, enum opcode opcode) {
    uint32_t i = 0, j = 0;
    switch (cn_op_info[opcode].immediate) {
    case IMM_NONE:
        break;
    case IMM_MEMORY_INIT:
    case IMM_MEMORY_COPY:
    case IMM_TABLE_INIT:
    case IMM_TABLE_COPY:
        i = cn_u32_valid(&t->at);
        j = cn_u32_valid(&t->at);
        break;
    default:
        i = cn_u32_valid(&t->at);
        break;
    }
    switch (opcode) {
    case OP_ref_func:
        translate_plain(t, BC_ref_func, 0, VT_FUNCREF, i, 0, 0, 2);
        break;
    case OP_ref_is_null:
        translate_plain(t, BC_ref_is_null, 1, VT_I32, 0, 0, 0, 2);
        break;
    case OP_memory_size:
        translate_plain(t, BC_memory_size, 0, VT_I32, i, 0, 0, 2);
        break;
    case OP_memory_grow:
        translate_plain(t, BC_memory_grow, 1, VT_I32, i, 0, 0, 2);
        break;
    case OP_memory_copy:
        translate_long(t, BC_memory_copy);
        break;
    case OP_memory_fill:
        translate_long(t, BC_memory_fill);
        break;
    case OP_memory_init:
        translate_plain(t, BC_memory_init, 3, 0, 0, i, 0, 3);
        break;
    case OP_data_drop:
        translate_plain(t, BC_data_drop, 0, 0, i, 0, 0, 2);
        break;
    case OP_table_get:
        translate_plain(t, BC_table_get, 1, (uint8_t)t->module->tables[i].element, i, 0, 0, 2);
        break;
    case OP_table_set:
        translate_plain(t, BC_table_set, 2, 0, i, 0, 0, 2);
        break;
    case OP_table_size:
        translate_plain(t, BC_table_size, 0, VT_I32, i, 0, 0, 2);
        break;
    case OP_table_grow:
        translate_plain(t, BC_table_grow, 2, VT_I32, 0, i, 0, 3);
        break;
    case OP_table_fill:
        translate_plain(t, BC_table_fill, 3, 0, 0, i, 0, 3);
        break;
    case OP_table_copy:
        translate_plain(t, BC_table_copy, 3, 0, 0, i, j, 4);
        break;
    case OP_table_init:
        translate_plain(t, BC_table_init, 3, 0, 0, i, j, 4);
        break;
    case OP_elem_drop:
        translate_plain(t, BC_elem_drop, 0, 0, i, 0, 0, 2);
        break;
    default:
        break; /* no other opcode comes here */
    }
}

/* ---- the loop ---- */

static void translate_special(struct translator *t, enum opcode opcode) {
    switch (opcode) {
    case OP_unreachable:
        emit_plain(t, BC_unreachable, 1);
        go_dead(t);
        break;
    case OP_nop:
        break;
    case OP_block:
        enter_block(t, BLOCK);
        break;
    case OP_loop:
        enter_block(t, LOOP);
        break;
    case OP_if_:
        enter_block(t, IF);
        break;
    case OP_else_:
        translate_else(t);
        break;
    case OP_end:
        translate_end(t);
        break;
    case OP_br:
        emit_branch_to(t, label(t, cn_u32_valid(&t->at)));
        go_dead(t);
        break;
    case OP_br_if:
        translate_br_if(t, cn_u32_valid(&t->at));
        break;
    case OP_br_table:
        translate_br_table(t);
        break;
    case OP_return_:
        emit_return(t);
        go_dead(t);
        break;
    case OP_call:
        translate_call(t);
        break;
    case OP_call_indirect:
        translate_call_indirect(t);
        break;
    case OP_drop:
        pop(t);
        break;
    case OP_select_t:
        cn_skip_immediates(&t->at, IMM_SELECT);
        translate_select(t);
        break;
    case OP_select:
        translate_select(t);
        break;
    case OP_ref_null:
        push_const(t, (uint8_t)(cn_s64_valid(&t->at) & 0x7F), 0);
        break;
    case OP_local_get:
        push_local(t, cn_u32_valid(&t->at));
        break;
    case OP_local_set:
        translate_local_set(t);
        break;
    case OP_local_tee:
        translate_local_tee(t);
        break;
    case OP_global_get:
        translate_global_get(t);
        break;
    case OP_global_set:
        translate_global_set(t);
        break;
    case OP_i32_const:
        push_const(t, VT_I32, (uint32_t)cn_s32_valid(&t->at));
        break;
    case OP_i64_const:
        push_const(t, VT_I64, (uint64_t)cn_s64_valid(&t->at));
        break;
    case OP_f32_const: {
        uint32_t bits;
        memcpy(&bits, t->at, sizeof bits);
        t->at += sizeof bits;
        push_const(t, VT_F32, bits);
        break;
    }
    case OP_f64_const: {
        uint64_t bits;
        memcpy(&bits, t->at, sizeof bits);
        t->at += sizeof bits;
        push_const(t, VT_F64, bits);
        break;
    }
    default:
        translate_state(t, opcode);
        break;
    }
}

static void translate_instruction(struct translator *t, enum opcode opcode) {
    const struct rule *rule = &cn_rules[opcode];
    uint8_t result = cn_op_info[opcode].result;
    switch ((enum rule_kind)rule->kind) {
    case RULE_SPECIAL:
        translate_special(t, opcode);
        break;
    case RULE_BIN:
    case RULE_EQZ:
        translate_bin(t, rule, result);
        break;
    case RULE_UN:
        translate_un(t, rule, result);
        break;
    case RULE_NONE:
        t->stack[t->height - 1].type = result;
        break;
    case RULE_LOAD:
        translate_load(t, rule, result);
        break;
    case RULE_STORE:
        translate_store(t, rule);
        break;
    case RULE_VECTOR:
        translate_vector(t, opcode, rule);
        break;
    }
}

static bool costs_fuel(enum opcode opcode) {
    return opcode != OP_block && opcode != OP_loop && opcode != OP_else_ && opcode != OP_end &&
           opcode != OP_nop;
}

/* Out of fuel, these stop at themselves. */
static bool pays_for_length(enum opcode opcode) {
    return opcode == OP_memory_grow || opcode == OP_memory_copy || opcode == OP_memory_fill ||
           opcode == OP_memory_init || opcode == OP_table_grow || opcode == OP_table_fill ||
           opcode == OP_table_copy || opcode == OP_table_init;
}

static void translate_body(struct translator *t) {
    const uint8_t *start = t->module->bytes;
    while (t->depth > 0 && !t->emit.exhausted && !t->emit.needs_scratch) {
        t->emit.offset = (uint32_t)(t->at - start);
        enum opcode opcode = cn_opcode_valid(&t->at);
        if (!t->live) {
            translate_dead(t, opcode);
            continue;
        }
        if (t->config->fuel && costs_fuel(opcode))
            t->emit.fuel_cost++;
        if (t->config->interruptible && (opcode == OP_memory_copy || opcode == OP_memory_fill))
            settle(t, 3); /* translate_long() */
        if (pays_for_length(opcode))
            note_place(t, PLACE_INSTRUCTION, t->emit.offset);
        translate_instruction(t, opcode);
    }
}

/* ---- the frame ---- */

static int32_t first_local_slot(const struct translator *t) {
    return FRAME_HEADER_SLOTS + (t->emit.scratch ? 8 : 0);
}

/* Gives the two most used locals the slots that registers hold copies of. */
static bool pin_locals(struct translator *t, struct error *error) {
    static const int32_t slots[2] = {FRAME_PIN_P, FRAME_PIN_Q};
    uint32_t pins[2];
    if (!t->emit.handlers[BC_pin_i32_add_p_ps])
        return true; /* this build has no variants with pins */
    uint32_t *weights = cn_calloc(t->emit.alloc, (size_t)t->local_count + 1, sizeof *weights);
    if (!weights)
        return cn_fail_memory(error);
    for (uint32_t i = 0; i < t->local_count; i++)
        weights[i] = t->locals[i].type;
    cn_choose_pins(t->at, t->end, weights, t->local_count, pins);
    for (unsigned pin = 0; pin < 2; pin++) {
        if (pins[pin] == NO_PIN)
            continue;
        t->pinned_params[pin] = t->locals[pins[pin]].slot; /* negative: a parameter's */
        t->locals[pins[pin]].slot = slots[pin];
        t->emit.pins = true;
    }
    cn_free(t->emit.alloc, weights, ((size_t)t->local_count + 1) * sizeof *weights);
    return true;
}

/* Lays out parameters below the frame pointer and locals above the header. */
static bool lay_out_locals(struct translator *t, struct error *error) {
    const struct functype *type = t->type;
    const uint8_t *at = t->at;
    uint64_t declared = 0;
    uint32_t groups = cn_u32_valid(&at);
    const uint8_t *groups_at = at;
    for (uint32_t i = 0; i < groups; i++) {
        declared += cn_u32_valid(&at);
        cn_s64_valid(&at);
    }
    t->local_count = type->param_count + (uint32_t)declared;
    t->locals = cn_calloc(t->emit.alloc, (size_t)t->local_count + 1, sizeof *t->locals);
    if (!t->locals)
        return cn_fail_memory(error);
    int32_t slot = param_base(t);
    uint32_t index = 0;
    for (; index < type->param_count; index++) {
        valtype vt = ft_params(type)[index];
        t->locals[index] = (struct local){.slot = slot, .readers = NO_LINK, .type = (uint8_t)vt};
        slot += (int32_t)vt_slots(vt);
    }
    /* What a stopped run is captured with must be as it would be with all locals cleared, and what
     * looks like a reference must be one. */
    bool clear_all = t->config->fuel || t->config->interruptible;
    slot = first_local_slot(t);
    at = groups_at;
    for (uint32_t i = 0; i < groups; i++) {
        uint32_t count = cn_u32_valid(&at);
        valtype vt = (valtype)(cn_s64_valid(&at) & 0x7F);
        while (count-- > 0) {
            t->locals[index++] =
                (struct local){.slot = slot,
                               .readers = NO_LINK,
                               .type = (uint8_t)vt,
                               .start = clear_all || vt_is_ref(vt) ? MUST_CLEAR : UNTOUCHED};
            slot += (int32_t)vt_slots(vt);
        }
    }
    t->at = at;
    t->first_temp = slot;
    t->emit.max_slot = (uint32_t)slot;
    return pin_locals(t, error);
}

static void emit_prologue(struct translator *t) {
    emit_plain(t, BC_clear, 2); /* end_prologue() */
    for (unsigned pin = 0; pin < 2; pin++)
        if (t->pinned_params[pin] < 0)
            emit_plain(t, pin ? BC_set_q : BC_set_p, 2)[1] =
                cn_fields(t->pinned_params[pin], 0, 0, 0);
    t->emit.offset = next_offset(t); /* who stops here has not begun the first instruction */
    check_interrupt(t);
    begin_stretch(t);
}

/* Every handler gives way to the one that counts, which finds the instruction's own by its cell. */
static void count_operations(struct translator *t, struct code *code) {
    uint16_t *ids = (uint16_t *)(code->cells + code->cell_count);
    for (size_t i = 0; i < t->emit.map->count; i++) {
        const struct source_map_entry *entry = &t->emit.map->entries[i];
        ids[entry->cell] = entry->bytecode;
        code->cells[entry->cell] = t->emit.handlers[BC_profile];
    }
    code->profile_ids = ids;
}

/* Now that all reads of locals are known: what the call clears, if anything. */
static const uint64_t *end_prologue(struct translator *t, struct code *code) {
    int32_t first = INT32_MAX, end = 0;
    for (uint32_t i = t->type->param_count; i < t->local_count; i++) {
        const struct local *local = &t->locals[i];
        if (local->start != MUST_CLEAR)
            continue;
        first = local->slot < first ? local->slot : first;
        int32_t after = local->slot + (is_wide(local->type) ? 2 : 1);
        end = after > end ? after : end;
    }
    if (first >= end)
        return code->cells + 2;
    /* The start may be far: from the first local on is then just as well. */
    int32_t start = first <= INT16_MAX ? first : first_local_slot(t);
    code->cells[1] = cn_fields_w(start, 0, (uint32_t)(end - start));
    return code->cells;
}

static struct code *make_code(struct translator *t, uint32_t func, struct span body,
                              struct error *error) {
    size_t count = t->emit.count;
    size_t size = sizeof(struct code) + count * sizeof(uint64_t) +
                  (t->config->profile_ops ? count * sizeof(uint16_t) : 0);
    struct code *code = cn_alloc(t->emit.alloc, size);
    if (!code) {
        cn_fail_memory(error);
        return NULL;
    }
    *code = (struct code){
        .func_index = func,
        .param_slots = t->type->param_slots,
        .result_slots = t->type->result_slots,
        .frame_slots = t->emit.max_slot,
        .body = body,
        .cell_count = (uint32_t)t->emit.count,
        .size = (uint32_t)size,
        .explicit_checks = t->config->explicit_checks,
    };
    memcpy(code->cells, t->emit.cells, count * sizeof(uint64_t));
    code->entry = end_prologue(t, code);
    if (t->config->profile_ops)
        count_operations(t, code);
    return code;
}

static struct code *translate(struct module *module, uint32_t func, struct span body,
                              const struct translation_config *config, struct source_map *map,
                              bool scratch, bool *needs_scratch, struct error *error) {
    struct translator t = {
        .emit = {.alloc = module->alloc,
                 .handlers = cn_handlers(),
                 .last = {.cell = NO_CELL},
                 .before = {.cell = NO_CELL},
                 .last_copy = NO_CELL,
                 .scratch = scratch ? FRAME_HEADER_SLOTS : 0,
                 .fuel_cell = NO_CELL,
                 .map = map},
        .module = module,
        .config = config,
        .type = module_func_type(module, func),
        .at = module->bytes + body.offset,
        .end = module->bytes + body.offset + body.length,
        .live = true,
    };
    struct code *code = NULL;
    if (!lay_out_locals(&t, error))
        goto done;
    struct control *function = push_control(&t, FUNCTION);
    function->result_count = t.type->result_count;
    function->results = ft_results(t.type);
    function->base = t.first_temp;
    emit_prologue(&t);
    translate_body(&t);
    *needs_scratch = t.emit.needs_scratch;
    if (t.emit.exhausted)
        cn_fail_memory(error);
    else if (!t.emit.needs_scratch)
        code = make_code(&t, func, body, error);
done:
    cn_free(t.emit.alloc, t.emit.cells, t.emit.capacity * sizeof *t.emit.cells);
    cn_free(t.emit.alloc, t.stack, t.stack_capacity * sizeof *t.stack);
    cn_free(t.emit.alloc, t.controls, t.control_capacity * sizeof *t.controls);
    cn_free(t.emit.alloc, t.locals, ((size_t)t.local_count + 1) * sizeof *t.locals);
    return code;
}

struct code *cn_translate(struct module *module, uint32_t func, struct span body,
                          const struct translation_config *config, struct source_map *map,
                          struct error *error) {
    bool needs_scratch = false;
    struct source_map own_map = {.alloc = module->alloc};
    if (config->profile_ops && !map)
        map = &own_map;
    struct code *code = translate(module, func, body, config, map, false, &needs_scratch, error);
    if (needs_scratch) {
        if (map)
            map->count = 0;
        if (map && map->probe && map->probe->found)
            cn_probe_free(map->probe);
        code = translate(module, func, body, config, map, true, &needs_scratch, error);
    }
    cn_source_map_free(&own_map);
    return code;
}
