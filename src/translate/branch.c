/* Labels, branches and returns. */
#include "translate/fuse.h"
#include "translate/pass.h"

/* ---- labels ---- */

static uint32_t site_of_entry(uint32_t first_cell, uint32_t index) {
    return (first_cell * 2 + index) * 2 + 1;
}

static void fill(struct translator *t, uint32_t site, uint32_t value) {
    CN_ASSERT(site / 4 < t->emit.count);
    uint64_t *cell = &t->emit.cells[site / 4];
    unsigned shift = site / 2 % 2 * 32;
    *cell = (*cell & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

void cn_patch_branch(struct translator *t, uint32_t site, uint32_t target) {
    uint32_t from = site % 2 ? site / 2 * 4 : (site / 4 - 1) * 8;
    CN_ASSERT(target <= t->emit.count);
    if (!t->emit.exhausted)
        fill(t, site, target * 8 - from);
}

void cn_chain_site(struct translator *t, uint32_t *chain, uint32_t site) {
    if (t->emit.exhausted)
        return;
    fill(t, site, *chain);
    *chain = site + 1;
}

void cn_chain_branch(struct translator *t, struct control *target, uint32_t site) {
    CN_ASSERT(target->construct != LOOP); /* whose label is known */
    cn_chain_site(t, &target->fixups, site);
}

void cn_bind_chain(struct translator *t, uint32_t *chain, uint32_t target) {
    for (uint32_t link = *chain; link && !t->emit.exhausted;) {
        uint32_t site = link - 1;
        CN_ASSERT(site / 4 < t->emit.count);
        uint32_t next = (uint32_t)(t->emit.cells[site / 4] >> (site / 2 % 2 * 32));
        cn_patch_branch(t, site, target);
        link = next;
    }
    *chain = 0;
}

void cn_bind_label(struct translator *t, struct control *control) {
    cn_bind_chain(t, &control->fixups, (uint32_t)t->emit.count);
    cn_bind_catches(t, control);
}

/* Points the displacement at `site` to a label. */
static void aim(struct translator *t, struct control *target, uint32_t site) {
    if (target->construct == LOOP)
        cn_patch_branch(t, site, target->loop_cell);
    else
        cn_chain_branch(t, target, site);
}

static uint32_t label_arity(const struct control *c) {
    return c->construct == LOOP ? c->param_count : c->result_count;
}

static uint32_t label_slots(const struct control *c) {
    if (c->type)
        return c->construct == LOOP ? c->type->param_slots : c->type->result_slots;
    return label_arity(c) ? 1u + is_wide(c->single) : 0;
}

/* Values that take more slots than this are moved by one instruction. */
#define MOVED_ONE_BY_ONE 4

static bool moves_as_one(const struct translator *t, const struct control *target) {
    return label_arity(target) > 1 &&
           (label_slots(target) > MOVED_ONE_BY_ONE || !cn_is_narrow(next_home(t)));
}

/* Before a branch: many label values go home, once for all the branches that may carry them, since
 * otherwise a thousand copies could be had for two bytes. */
static void prepare_label_values(struct translator *t, const struct control *target) {
    if (moves_as_one(t, target))
        cn_spill(t, label_arity(target));
}

/* Whether the label's values lie elsewhere than the label wants them. */
static bool needs_moves(struct translator *t, const struct control *target) {
    uint32_t count = label_arity(target);
    int32_t slot = target->base;
    if (moves_as_one(t, target))
        return next_home(t) - (int32_t)label_slots(target) != slot;
    cn_cover(t, count);
    for (uint32_t i = t->height - count; i < t->height; i++) {
        if (t->stack[i].where != TEMP || t->stack[i].home != slot)
            return true;
        slot += is_wide((enum slot_kind)t->stack[i].kind) ? 2 : 1;
    }
    return false;
}

/* Copies the label's values where it wants them: upwards, so that none is overwritten before it is
 * read, as a label's slots never lie above the values' homes. */
static void move_label_values(struct translator *t, const struct control *target) {
    uint32_t count = label_arity(target), slots = label_slots(target);
    int32_t slot = target->base;
    CN_ASSERT(t->height >= target->height + count || t->emit.exhausted);
    if (moves_as_one(t, target)) {
        CN_ASSERT(next_home(t) - (int32_t)slots >= slot || t->emit.exhausted);
        uint64_t *at = cn_emit_plain(t, BC_move, 4);
        at[1] = cn_fields_w(0, 0, slots);
        at[2] = (uint64_t)(next_home(t) - (int32_t)slots);
        at[3] = (uint64_t)slot;
        return;
    }
    cn_cover(t, count);
    for (uint32_t i = t->height - count; i < t->height; i++) {
        CN_ASSERT(t->stack[i].home >= slot || t->emit.exhausted); /* so none is overwritten */
        cn_move_to(t, &t->stack[i], slot);
        slot += is_wide((enum slot_kind)t->stack[i].kind) ? 2 : 1;
    }
}

/* ---- returns ---- */

static void emit_return_one(struct translator *t) {
    cn_cover(t, 1);
    const struct value *value = &t->stack[t->height - 1];
    int32_t to = param_base(t);
    if (value->where == CONST) {
        uint64_t *at = cn_emit_plain(t, BC_return_k, 3);
        at[1] = cn_fields(to, 0, 0, 0);
        at[2] = value->constant;
    } else if (value->where == TEMP && cn_accumulate(&t->emit, value->home)) {
        enum bytecode bytecode = value->kind == KIND_F64   ? BC_return_f64
                                 : value->kind == KIND_F32 ? BC_return_f32
                                                           : BC_return_a;
        cn_emit_plain(t, bytecode, 2)[1] = cn_fields(to, 0, 0, 0);
    } else {
        int32_t from = cn_narrow(&t->emit, slot_of(t, value), false, 0);
        cn_emit_plain(t, BC_return_s, 2)[1] = cn_fields(to, from, 0, 0);
    }
}

/* The results are the topmost values; they stay on the stack, at home when there are several. */
void cn_emit_return(struct translator *t) {
    uint32_t count = t->type->result_count;
    CN_ASSERT(t->live && (t->height >= count || t->emit.exhausted));
    if (count == 0) {
        cn_emit_plain(t, BC_return_0, 1);
        return;
    }
    if (count == 1 && t->type->result_slots == 1) {
        emit_return_one(t);
        return;
    }
    if (moves_as_one(t, &t->controls[0])) {
        cn_spill(t, count); /* already, behind a condition: prepare_label_values() */
    } else {
        cn_cover(t, count);
        for (uint32_t i = t->height - count; i < t->height; i++)
            cn_move_to(t, &t->stack[i], t->stack[i].home);
    }
    uint64_t *at = cn_emit_plain(t, BC_return_n, 3);
    at[1] = cn_fields_w(param_base(t), 0, t->type->result_slots);
    at[2] = (uint64_t)(next_home(t) - (int32_t)t->type->result_slots);
}

/* ---- labels where the function ends ---- */

/* Whether nothing follows the construct that ends here but the function's end; perhaps after a local
 * was taken for the result, which is the slot then, and the local is *local. */
static bool ends_function(const struct translator *t, const struct control *c, int32_t *result,
                          uint32_t *local) {
    const uint8_t *at = t->at;
    *result = c->base;
    *local = NO_LINK;
    if (t->type->result_count == 1 && c->result_count == 0 && *at == OP_local_get &&
        !t->config->fuel) {
        at++;
        *local = cn_u32_valid(&at);
        *result = t->locals[*local].slot;
    } else if (c->result_count != t->type->result_count) {
        return false;
    }
    return at >= t->closing && t->type->result_slots <= 1 && cn_is_narrow(*result);
}

/* Makes the jump at `cell`, to a label where the function ends, the return itself. */
static bool make_return(struct translator *t, const struct control *c, uint32_t cell,
                        int32_t result) {
    struct emitter *e = &t->emit;
    uint64_t *at = &e->cells[cell];
    bool is_value = result == c->base && (int16_t)at[1] == result;
    enum bytecode jump = cn_bytecode_at(e, cell);
    if (t->type->result_count == 0 && jump == BC_br) {
        cn_emit_replace(e, cell, BC_return_0);
        at[1] = BC_return_0; /* which takes one cell: another one follows that is never reached */
    } else if (t->type->result_count == 1 && jump == BC_br) {
        cn_emit_replace(e, cell, BC_return_s);
        at[1] = cn_fields(param_base(t), result, 0, 0);
    } else if (is_value && jump == cn_join(BC_copy, BC_br)) {
        cn_emit_replace(e, cell, BC_return_s);
        at[1] = cn_fields(param_base(t), (int16_t)(at[1] >> 16), 0, 0);
    } else if (is_value && jump == cn_join(BC_const32, BC_br)) {
        cn_emit_replace(e, cell, BC_return_k);
        at[1] = cn_fields(param_base(t), 0, 0, 0);
    } else {
        return false;
    }
    return true;
}

void cn_bind_as_returns(struct translator *t, struct control *c) {
    uint32_t link = c->fixups;
    int32_t result;
    uint32_t local;
    if (t->emit.exhausted || !ends_function(t, c, &result, &local))
        return;
    if (local != NO_LINK) { /* a jump reads it, after no more than what was before the construct */
        t->depth--;
        cn_touch_local(t, local, false);
        t->depth++;
    }
    c->fixups = 0;
    while (link) {
        uint32_t site = link - 1;
        link = (uint32_t)(t->emit.cells[site / 4] >> (site / 2 % 2 * 32));
        if (site % 2 || !make_return(t, c, site / 4 - 1, result))
            cn_chain_branch(t, c, site);
    }
}

/* ---- branches ---- */

static void emit_branch_to_test(struct translator *t, struct control *loop);

void cn_bring_label_values(struct translator *t, struct control *target) {
    prepare_label_values(t, target);
    if (label_arity(target) == 1) {
        cn_cover(t, 1);
        const struct value *value = &t->stack[t->height - 1];
        if (value->where == TEMP &&
            (value->home == target->base || cn_retarget(&t->emit, value->home, target->base)))
            return;
    }
    move_label_values(t, target);
}

/* An unconditional branch with the topmost values; they stay on the stack. */
void cn_emit_branch_to(struct translator *t, struct control *target) {
    if (target->construct == FUNCTION) {
        cn_emit_return(t);
        return;
    }
    if (target->construct == LOOP && target->tests_first) {
        emit_branch_to_test(t, target);
        return;
    }
    cn_bring_label_values(t, target);
    aim(t, target, cn_branch_site(cn_emit_jump(&t->emit)));
}

struct condition cn_pop_condition(struct translator *t) {
    const struct value *value = cn_pop_value(t);
    const struct producer *last = &t->emit.last;
    if (value->where == TEMP && last->cell != NO_CELL && last->slot == value->home &&
        !last->in_local && last->compare != DO_NONE && last->end == t->emit.count) {
        struct condition c = {last->compare, last->a, last->b};
        cn_emit_rollback(&t->emit, last->cell);
        return c;
    }
    struct operand zero = {CLASS_K, 0, 0};
    if (value->where == LOCAL && last->cell != NO_CELL)
        t->emit.before = *last; /* a step of what is tested may join */
    return (struct condition){DO_i32_ne, cn_as_register_operand(t, value), zero};
}

uint32_t cn_emit_condition(struct translator *t, const struct condition *c, bool holds) {
    struct operand a = c->a, b = c->b;
    const struct branches *branches = &cn_branches[c->comparison];
    if (!holds && branches->exchanges) {
        a = c->b;
        b = c->a;
    }
    enum operation branch = (enum operation)(holds ? branches->holds : branches->fails);
    uint32_t cell;
    if (!cn_fuse_branch(&t->emit, branch, a, b, &cell))
        cell = cn_emit_branch(&t->emit, branch, a, b);
    cn_emit_label(&t->emit);
    return cn_branch_site(cell);
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
    CN_ASSERT(loop->construct == LOOP && loop->test_passed > loop->loop_cell);
    CN_ASSERT(loop->test.a.class_ != CLASS_A && loop->test.b.class_ != CLASS_A);
    CN_ASSERT(t->controls[loop->test_target].construct != LOOP);
    if (t->emit.last.cell != NO_CELL)
        t->emit.before = t->emit.last; /* a step of what is tested may join */
    cn_patch_branch(t, cn_emit_condition(t, &loop->test, false), loop->test_passed);
    aim(t, &t->controls[loop->test_target], cn_branch_site(cn_emit_jump(&t->emit)));
}

/* A branch with the topmost values if the condition holds; they stay on the stack. True when it is one instruction. */
static bool branch_if(struct translator *t, struct control *target,
                      const struct condition *condition) {
    if (target->construct != FUNCTION && !needs_moves(t, target)) {
        note_first_test(t, target, condition);
        aim(t, target, cn_emit_condition(t, condition, true));
        return true;
    }
    uint32_t skip = cn_emit_condition(t, condition, false);
    if (target->construct == FUNCTION) {
        cn_emit_return(t);
    } else {
        move_label_values(t, target);
        aim(t, target, cn_branch_site(cn_emit_jump(&t->emit)));
    }
    cn_patch_branch(t, skip, (uint32_t)t->emit.count);
    cn_emit_label(&t->emit);
    return false;
}

/* The same; a loop that begins with it goes on behind it. */
static void branch_and_note(struct translator *t, struct control *target,
                            const struct condition *condition) {
    struct control *inner = top_control(t);
    if (branch_if(t, target, condition) && inner->tests_first && inner->test_passed == 0)
        inner->test_passed = (uint32_t)t->emit.count;
}

void cn_translate_br_if(struct translator *t, uint32_t depth) {
    struct control *target = label(t, depth);
    struct condition condition = cn_pop_condition(t);
    prepare_label_values(t, target);
    branch_and_note(t, target, &condition);
}

/* A branch by a test of the topmost value, a reference, which stays where it is; of a constant it is brought home. */
static struct condition test_reference(struct translator *t, enum operation comparison,
                                       uint64_t with) {
    cn_cover(t, 1);
    const struct value *value = &t->stack[t->height - 1];
    if (value->where == CONST)
        cn_spill(t, 1);
    value = &t->stack[t->height - 1];
    int32_t slot = cn_narrow(&t->emit, slot_of(t, value), false, 0);
    cn_emit_label(&t->emit); /* no fusion takes back what wrote the slot */
    return (struct condition){comparison, {CLASS_S, slot, 0}, {CLASS_K, 0, with}};
}

/* The comparison of references of this kind for equality. */
static enum operation equality(enum slot_kind kind, bool equal) {
    return kind == KIND_ANY ? equal ? DO_i32_eq : DO_i32_ne : equal ? DO_i64_eq : DO_i64_ne;
}

/* The values of the label lie below the reference, which stays where it is. */
void cn_translate_br_on_null(struct translator *t, uint32_t depth) {
    struct control *target = label(t, depth);
    cn_cover(t, 1);
    enum slot_kind kind = (enum slot_kind)t->stack[t->height - 1].kind;
    struct condition condition = test_reference(t, equality(kind, true), 0);
    struct value value = *cn_pop_value(t);
    prepare_label_values(t, target);
    branch_and_note(t, target, &condition);
    if (value.where == LOCAL)
        cn_push_local(t, value.local);
    else
        cn_push_temp(t, kind);
}

/* The reference is the last of the label's values. */
void cn_translate_br_on_non_null(struct translator *t, uint32_t depth) {
    struct control *target = label(t, depth);
    cn_cover(t, 1);
    enum slot_kind kind = (enum slot_kind)t->stack[t->height - 1].kind;
    struct condition condition = test_reference(t, equality(kind, false), 0);
    prepare_label_values(t, target);
    branch_and_note(t, target, &condition);
    cn_pop_value(t);
}

void cn_translate_br_on_test(struct translator *t, uint32_t depth, enum operation comparison,
                             uint64_t with) {
    struct control *target = label(t, depth);
    struct condition condition = test_reference(t, comparison, with);
    prepare_label_values(t, target);
    branch_and_note(t, target, &condition);
}

/* Where a label's entries of the table at cell `table` go: to the label, or, when code is needed on the
 * way, to a detour that all of them share. */
static void find_detour(struct translator *t, uint32_t table, struct control *target) {
    if (target->table == table)
        return;
    target->table = table;
    target->table_detour = NO_CELL;
    if (target->construct != FUNCTION && !needs_moves(t, target))
        return;
    target->table_detour = (uint32_t)t->emit.count;
    cn_emit_label(&t->emit);
    if (target->construct == FUNCTION) {
        cn_emit_return(t);
    } else {
        move_label_values(t, target);
        aim(t, target, cn_branch_site(cn_emit_jump(&t->emit)));
    }
}

static void translate_table_entry(struct translator *t, uint32_t table, uint32_t site,
                                  uint32_t depth) {
    struct control *target = label(t, depth);
    find_detour(t, table, target);
    if (target->table_detour == NO_CELL)
        aim(t, target, site);
    else
        cn_patch_branch(t, site, target->table_detour);
}

/* The instruction without its entries; *cells says how many come before them. */
static uint64_t *emit_table(struct translator *t, const struct value *index, uint32_t addend,
                            uint32_t count, uint32_t *cells) {
    uint32_t entry_cells = (count + 2) / 2;
    const uint8_t *first = t->at; /* all labels take as many values */
    struct control *some = label(t, cn_u32_valid(&first));
    *cells = 3;
    if (index->where == TEMP && label_arity(some) == 0) {
        uint64_t *at = cn_fuse_table(&t->emit, index->home, addend, entry_cells);
        if (at)
            return at;
    }
    struct operand operand = cn_as_slot_operand(t, index);
    prepare_label_values(t, some);
    int32_t slot = operand.class_ == CLASS_S ? cn_narrow(&t->emit, operand.slot, false, 0) : 0;
    *cells = addend ? 3 : 2;
    struct operand_form form = {.a = (uint8_t)operand.class_, .b = addend ? CLASS_K : CLASS_S};
    enum bytecode bytecode = cn_find(addend ? DO_br_table_add : DO_br_table, form);
    uint64_t *at = cn_emit_plain(t, bytecode, *cells + entry_cells);
    at[1] = cn_fields(slot, 0, 0, 0);
    if (addend)
        at[2] = addend;
    return at;
}

void cn_translate_br_table(struct translator *t, const struct value *index, uint32_t addend) {
    uint32_t count = cn_u32_valid(&t->at), cells;
    uint64_t *at = emit_table(t, index, addend, count, &cells);
    at[1] |= (uint64_t)count << 32;
    uint32_t table = t->emit.exhausted ? 0 : (uint32_t)(at - t->emit.cells);
    cn_emit_label(&t->emit);
    for (uint64_t i = 0; i <= count && !t->emit.exhausted; i++)
        translate_table_entry(t, table + 1, site_of_entry(table + cells, (uint32_t)i),
                              cn_u32_valid(&t->at));
}
