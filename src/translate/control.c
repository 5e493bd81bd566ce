/* Structured control, dead code, and calls. */
#include "translate/fuse.h"
#include "translate/pass.h"

/* ---- structured control ---- */

/* Values of the construct that ends, which stay on the stack, belong to the one around it. */
static void leave_control(struct translator *t, const struct control *c) {
    CN_ASSERT(c == top_control(t) && c->construct != FUNCTION);
    CN_ASSERT(c->fixups == 0 && c->else_fixup == 0 && c->catches == 0);
    if (c->spilled_outside < c->height)
        t->spilled_below = c->spilled_outside;
    t->depth--;
}

static void push_params(struct translator *t, const struct control *c) {
    if (c->type)
        cn_push_temps(t, ft_params(c->type), c->type->param_count, c->type->param_slots);
}

static void push_results(struct translator *t, const struct control *c) {
    if (c->type)
        cn_push_temps(t, ft_results(c->type), c->type->result_count, c->type->result_slots);
    else if (c->result_count)
        cn_push_temp(t, c->single);
}

struct control *cn_push_control(struct translator *t, enum construct construct,
                                const struct functype *type) {
    uint32_t param_count = type && construct != FUNCTION ? type->param_count : 0;
    void *controls = t->controls;
    if (!cn_grow(t->emit.alloc, &controls, &t->control_capacity, (size_t)t->depth + 1,
                 sizeof *t->controls)) {
        t->emit.exhausted = true;
        return &t->spare_control;
    }
    t->controls = controls;
    CN_ASSERT(t->height >= param_count);
    struct control *c = &t->controls[t->depth++];
    *c = (struct control){
        .construct = (uint8_t)construct,
        .serial = t->serials++,
        .height = t->height - param_count,
        .base = next_home(t) - (param_count ? (int32_t)type->param_slots : 0),
        .param_count = param_count,
        .result_count = type ? type->result_count : 0,
        .type = type,
        .table = NO_CELL,
        .spilled_outside =
            t->spilled_below < t->no_locals_below ? t->spilled_below : t->no_locals_below,
    };
    t->spilled_below = t->height;
    CN_ASSERT(c->base >= t->first_temp);
    CN_ASSERT(t->depth == 1 || c->height >= t->controls[t->depth - 2].height);
    return c;
}

void cn_translate_block(struct translator *t, enum construct construct) {
    struct condition condition = {0};
    int64_t code = cn_block_type_valid(t->module, &t->at);
    const struct functype *type = code >= 0 ? module_functype(t->module, (uint32_t)code) : NULL;
    if (construct == IF)
        condition = cn_pop_condition(t);
    cn_spill_locals(t);
    cn_spill(t, type ? type->param_count : 0);
    CN_ASSERT(t->no_locals_below == t->height ||
              t->emit.exhausted); /* no value is LOCAL at a label */
    struct control *c = cn_push_control(t, construct, type);
    if (t->emit.exhausted)
        return;
    if (code < 0 && code != BLOCK_EMPTY) {
        c->single = vt_kind(block_valtype(code));
        c->result_count = 1;
    }
    if (construct == IF) {
        c->else_fixup = cn_emit_condition(t, &condition, false);
    } else if (construct == LOOP) {
        cn_emit_label(&t->emit);
        cn_end_fuel_block(t);
        c->loop_cell = (uint32_t)t->emit.count;
        cn_check_interrupt(t);
    }
}

void cn_translate_else(struct translator *t) {
    struct control *c = top_control(t);
    CN_ASSERT(c->construct == IF && c->else_fixup != 0);
    CN_ASSERT(!t->live || t->height == c->height + c->result_count || t->emit.exhausted);
    if (t->live) {
        cn_spill(t, c->result_count);
        cn_end_fuel_block(t);
        cn_chain_branch(t, c, cn_branch_site(cn_emit_jump(&t->emit)));
    }
    cn_pop_to_height(t, c->height);
    push_params(t, c);
    t->no_locals_below = t->spilled_below = t->height;
    cn_patch_branch(t, c->else_fixup, (uint32_t)t->emit.count);
    cn_emit_label(&t->emit);
    c->else_fixup = 0;
    c->serial = t->serials++;
    c->construct = ELSE;
    t->live = true;
}

/* Catch clauses may go to the function's own label: with its results where they are at first. */
static void end_function(struct translator *t, struct control *c) {
    if (t->live)
        cn_emit_return(t);
    cn_end_fuel_block(t);
    if (c->catches) {
        cn_bind_catches(t, c);
        t->live = true;
        cn_pop_to_height(t, 0);
        t->no_locals_below = t->spilled_below = 0;
        push_results(t, c);
        t->no_locals_below = t->spilled_below = t->height;
        cn_emit_return(t);
    }
    t->depth--;
}

void cn_translate_end(struct translator *t) {
    struct control *c = top_control(t);
    CN_ASSERT(!t->live || t->height == c->height + c->result_count || t->emit.exhausted);
    cn_end_scope(t, c);
    if (c->construct == FUNCTION) {
        end_function(t, c);
        return;
    }
    cn_bind_as_returns(t, c);
    bool merged = c->fixups != 0 || c->else_fixup != 0 || c->catches != 0;
    if (t->live && merged)
        cn_spill(t, c->result_count);
    if (c->else_fixup) { /* an if without else: its parameters are its results, at home */
        cn_patch_branch(t, c->else_fixup, (uint32_t)t->emit.count);
        c->else_fixup = 0;
    }
    if (merged) {
        cn_end_fuel_block(t);
        cn_bind_label(t, c);
        t->live = true;
        cn_pop_to_height(t, c->height);
        push_results(t, c);
        CN_ASSERT(t->height == c->height + c->result_count || t->emit.exhausted);
        t->no_locals_below = t->spilled_below = t->height;
    }
    leave_control(t, c);
    if (merged)
        cn_begin_fuel_block(t);
    if (!t->live)
        cn_pop_to_height(t, top_control(t)->height);
}

void cn_go_dead(struct translator *t) {
    CN_ASSERT(t->live);
    cn_end_fuel_block(t);
    t->live = false;
    t->dead_nest = 0;
    cn_pop_to_height(t, top_control(t)->height);
}

/* ---- Unreachable code: only its nesting matters ---- */

bool cn_skip_dead(struct translator *t, enum opcode opcode) {
    unsigned flags = cn_op_info[opcode].flags;
    if (flags & OPF_CLOSES) {
        if (t->dead_nest == 0)
            return false;
        t->dead_nest--;
    }
    if (flags & OPF_OPENS)
        t->dead_nest++;
    cn_skip_immediates(&t->at, opcode);
    return true;
}

/* ---- calls ---- */

/* A call is made again when a function of the host waited in vain, or memory for translating a
 * function was exhausted. The index of call_indirect is popped already, and in this slot. */
static struct probe *note_call(struct translator *t, bool indirect, int32_t index_slot) {
    CN_ASSERT(!indirect || t->height < t->stack_capacity || t->emit.exhausted);
    t->height += indirect;
    struct probe *probe = cn_note_safepoint(t, SAFEPOINT_INSTRUCTION, t->emit.offset);
    if (probe && indirect) {
        struct probe_value *index = &probe->values[probe->count - 1];
        if (index->where != VALUE_LOCAL || index->slot != index_slot)
            *index = (struct probe_value){VALUE_SLOT, KIND_I32, index_slot, false, 0};
    }
    t->height -= indirect;
    return probe;
}

static void emit_call(struct translator *t, enum bytecode bytecode, const struct functype *type,
                      int32_t index_slot, uint64_t x, uint64_t y) {
    cn_spill(t, type->param_count);
    CN_ASSERT(t->live && (t->height >= type->param_count || t->emit.exhausted));
    struct probe *stopped = note_call(t, bytecode == BC_call_indirect, index_slot);
    cn_pop_to_height(t, t->height - type->param_count);
    int32_t start = next_home(t);
    CN_ASSERT(start >= FRAME_HEADER_SLOTS);
    uint32_t most = type->param_slots > type->result_slots ? type->param_slots : type->result_slots;
    if ((uint32_t)start + most > t->emit.max_slot)
        t->emit.max_slot = (uint32_t)start + most;
    uint64_t *at = bytecode == BC_call ? cn_fuse_call(&t->emit, start, type->param_slots) : NULL;
    if (!at)
        at = cn_emit_plain(t, bytecode, bytecode == BC_call_indirect ? 4 : 3);
    if (stopped && !t->emit.exhausted) /* what was fused begins with copies, which it makes again */
        stopped->cell = (uint32_t)(at - t->emit.cells);
    at[1] |= cn_fields_w(index_slot, 0, ((uint32_t)start + type->param_slots) * 8);
    at[2] = x;
    if (bytecode == BC_call_indirect)
        at[3] = y;
    cn_push_temps(t, ft_results(type), type->result_count, type->result_slots);
    struct probe *called = cn_note_safepoint(t, SAFEPOINT_CALL, next_offset(t));
    if (called) {
        called->callee_type = type;
        called->callee = start + (int32_t)type->param_slots;
    }
}

void cn_translate_call(struct translator *t) {
    uint32_t func = cn_u32_valid(&t->at);
    CN_ASSERT(func < t->module->func_count);
    bool imported = func < t->module->imported_func_count;
    uint64_t defined = func - t->module->imported_func_count;
    emit_call(t, imported ? BC_call_import : BC_call, module_func_type(t->module, func), 0,
              imported ? func : defined << 1 | CALL_UNBOUND, 0);
}

void cn_translate_call_indirect(struct translator *t) {
    const struct functype *type = module_functype(t->module, cn_u32_valid(&t->at));
    uint32_t table = cn_u32_valid(&t->at);
    CN_ASSERT(table < t->module->table_count);
    struct value index = *cn_pop_value(t);
    /* The arguments go home first, as their copies may take the scratch slot that the index needs. */
    cn_spill(t, type->param_count);
    int32_t slot = cn_in_narrow_slot(t, &index, 0);
    if (slot > 0 && (uint32_t)slot + 1 > t->emit.max_slot)
        t->emit.max_slot = (uint32_t)slot + 1;
    emit_call(t, BC_call_indirect, type, slot, type->def.id, table);
}
