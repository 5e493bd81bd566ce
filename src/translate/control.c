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
        .outer_scope = t->scope,
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

/* In a catch block the exception lies below the operands, as one that no instruction names. */
static uint32_t held(const struct control *c) {
    return c->construct == CATCH;
}

/* The operands of a part of a try block are its results, and go to where the label wants them. */
static void end_part(struct translator *t, struct control *c) {
    if (!t->live)
        return;
    if (c->construct == CATCH)
        cn_bring_label_values(t, c);
    else
        cn_spill(t, c->result_count);
}

void cn_translate_catch(struct translator *t, bool all) {
    struct control *c = top_control(t);
    uint32_t tag = all ? 0 : cn_u32_valid(&t->at);
    CN_ASSERT(c->construct == TRY || c->construct == CATCH);
    CN_ASSERT(!t->live || t->height == c->height + held(c) + c->result_count || t->emit.exhausted);
    cn_end_scope(t, c);
    end_part(t, c);
    if (t->live) {
        cn_end_fuel_block(t);
        cn_chain_branch(t, c, cn_branch_site(cn_emit_jump(&t->emit)));
    }
    cn_pop_to_height(t, c->height);
    c->construct = CATCH;
    c->serial = t->serials++;
    t->live = true;
    cn_push_temp(t, KIND_EXN);
    cn_begin_handler(t, c, all, tag);
    if (!all) {
        const struct functype *type = module_tag_type(t->module, tag);
        cn_push_temps(t, ft_params(type), type->param_count, type->param_slots);
    }
    t->no_locals_below = t->spilled_below = t->height;
}

/* The results of a catch block, which lie where the label wants them, become what any block has at its end. */
static void end_catch(struct translator *t, struct control *c) {
    end_part(t, c);
    if (!t->live)
        return;
    cn_pop_to_height(t, c->height);
    push_results(t, c);
    t->no_locals_below = t->spilled_below = t->height;
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
    CN_ASSERT(!t->live || t->height == c->height + held(c) + c->result_count || t->emit.exhausted);
    cn_end_scope(t, c);
    if (c->construct == FUNCTION) {
        end_function(t, c);
        return;
    }
    if (c->construct == CATCH)
        end_catch(t, c);
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
 * function was exhausted. The index of call_indirect, or the reference of call_ref, is popped already, and in this
 * slot; `kind` is KIND_NONE for other calls. */
static struct probe *note_call(struct translator *t, enum slot_kind kind, int32_t index_slot) {
    bool indirect = kind != KIND_NONE;
    CN_ASSERT(!indirect || t->height < t->stack_capacity || t->emit.exhausted);
    t->height += indirect;
    struct probe *probe = cn_note_safepoint(t, SAFEPOINT_INSTRUCTION, t->emit.offset);
    if (probe && indirect) {
        struct probe_value *index = &probe->values[probe->count - 1];
        if (index->where != VALUE_LOCAL || index->slot != index_slot)
            *index = (struct probe_value){VALUE_SLOT, kind, index_slot, false, 0};
    }
    t->height -= indirect;
    return probe;
}

/* A call of one of the four kinds, as an ordinary or a tail call. */
struct call {
    enum bytecode bytecode;
    const struct functype *type;
    uint64_t x, y;
    int32_t index_slot;  /* of an indirect call: the operand that is above the arguments */
    enum slot_kind kind; /* of that operand */
    bool is_indirect, is_tail;
    bool in_place; /* the arguments are where the function's parameters are: tail.c */
};

#if CN_PAIRS
static const enum bytecode tail_jump = BC_tail_jump, tail_jump_indirect = BC_tail_jump_indirect,
                           tail_jump_ref = BC_tail_jump_ref;
#else
static const enum bytecode tail_jump = BC_NONE, tail_jump_indirect = BC_NONE,
                           tail_jump_ref = BC_NONE;
#endif

static bool is_in_place(const struct translator *t, const struct functype *type, bool is_tail) {
    return CN_PAIRS && is_tail && cn_may_move_arguments(t, type);
}

/* Room for arguments and results from `start` on, where the values on the stack end. */
static void reserve_callee(struct translator *t, const struct functype *type, int32_t start) {
    CN_ASSERT(start >= FRAME_HEADER_SLOTS);
    uint32_t most = type->param_slots > type->result_slots ? type->param_slots : type->result_slots;
    if ((uint32_t)start + most > t->emit.max_slot)
        t->emit.max_slot = (uint32_t)start + most;
}

/* A call through a table. */
static bool has_index(const struct call *call) {
    return call->kind == KIND_I32 || call->kind == KIND_I64;
}

static void write_call(struct translator *t, uint64_t *at, const struct call *call, int32_t start) {
    uint32_t frame = ((uint32_t)start + call->type->param_slots) * 8;
    at[1] |= call->is_tail ? cn_fields_w(param_base(t), call->index_slot, frame)
                           : cn_fields_w(call->index_slot, 0, frame);
    at[2] = call->x;
    if (has_index(call))
        at[3] = call->y;
}

/* The values that a call leaves; for one that goes on behind it. */
static void push_call_results(struct translator *t, const struct functype *type, int32_t start) {
    cn_push_temps(t, ft_results(type), type->result_count, type->result_slots);
    struct probe *called = cn_note_safepoint(t, SAFEPOINT_CALL, next_offset(t));
    if (called) {
        called->callee_type = type;
        called->callee = start + (int32_t)type->param_slots;
    }
}

static void emit_call(struct translator *t, const struct call *call) {
    const struct functype *type = call->type;
    uint32_t scope = 0;
    if (!call->in_place)
        cn_spill(t, type->param_count);
    CN_ASSERT(t->live && (t->height >= type->param_count || t->emit.exhausted));
    struct probe *stopped = note_call(t, call->kind, call->index_slot);
    if (CN_PAIRS && stopped && call->in_place)
        cn_correct_probe(t, stopped, call->is_indirect);
    cn_pop_to_height(t, t->height - type->param_count);
    int32_t start = next_home(t);
    reserve_callee(t, type, start);
    uint64_t *at =
        call->bytecode == BC_call ? cn_fuse_call(&t->emit, start, type->param_slots) : NULL;
    bool last = call->bytecode == BC_tail_call || call->bytecode == tail_jump;
    if (call->is_tail && !last)
        scope = cn_leave_scopes(t);
    if (!at)
        at = cn_emit_plain(t, call->bytecode, has_index(call) ? 4 : 3);
    if (stopped && !t->emit.exhausted) /* what was fused begins with copies, which it makes again */
        stopped->cell = (uint32_t)(at - t->emit.cells);
    write_call(t, at, call, start);
    if (last)
        return;
    push_call_results(t, type, start);
    if (call->is_tail) { /* of a host function */
        cn_emit_return(t);
        cn_enter_scopes(t, scope);
    }
}

/* Where the index of an indirect call is, after the arguments were brought to where they go: their copies may take
 * the scratch slot that the index needs. */
static int32_t take_index(struct translator *t, const struct functype *type, bool in_place) {
    if (CN_PAIRS && in_place)
        cn_move_arguments(t, 1);
    struct value index = *cn_pop_value(t);
    if (!in_place)
        cn_spill(t, type->param_count);
    int32_t slot = cn_in_narrow_slot(t, &index, 0);
    if (slot > 0 && (uint32_t)slot + 1 > t->emit.max_slot)
        t->emit.max_slot = (uint32_t)slot + 1;
    return slot;
}

/* [imported][is_tail] */
static const uint16_t direct_calls[2][2] = {{BC_call, BC_tail_call},
                                            {BC_call_import, BC_tail_call_import}};

void cn_translate_call(struct translator *t, bool is_tail) {
    uint32_t func = cn_u32_valid(&t->at);
    CN_ASSERT(func < t->module->func_count);
    const struct functype *type = module_func_type(t->module, func);
    bool imported = func < t->module->imported_func_count;
    bool in_place = !imported && is_in_place(t, type, is_tail);
    if (CN_PAIRS && in_place && func == t->func) {
        cn_translate_self_call(t);
        return;
    }
    if (CN_PAIRS && in_place)
        cn_move_arguments(t, 0);
    uint64_t defined = func - t->module->imported_func_count;
    emit_call(t, &(struct call){.bytecode = (enum bytecode)(
                                    in_place ? tail_jump : direct_calls[imported][is_tail]),
                                .type = type,
                                .x = imported ? func : defined << 1 | CALL_UNBOUND,
                                .is_tail = is_tail,
                                .in_place = in_place});
}

void cn_translate_call_indirect(struct translator *t, bool is_tail) {
    const struct functype *type = module_functype(t->module, cn_u32_valid(&t->at));
    uint32_t table = cn_u32_valid(&t->at);
    CN_ASSERT(table < t->module->table_count);
    bool in_place = is_in_place(t, type, is_tail);
    int32_t slot = take_index(t, type, in_place);
    emit_call(t, &(struct call){.bytecode = in_place  ? tail_jump_indirect
                                            : is_tail ? BC_tail_call_indirect
                                                      : BC_call_indirect,
                                .type = type,
                                .x = type->def.id,
                                .y = table,
                                .index_slot = slot,
                                .kind = vt_kind(limits_address(&t->module->tables[table].limits)),
                                .is_indirect = true,
                                .is_tail = is_tail,
                                .in_place = in_place});
}

void cn_translate_call_ref(struct translator *t, bool is_tail) {
    const struct functype *type = module_functype(t->module, cn_u32_valid(&t->at));
    bool in_place = is_in_place(t, type, is_tail);
    int32_t slot = take_index(t, type, in_place);
    emit_call(t, &(struct call){.bytecode = in_place  ? tail_jump_ref
                                            : is_tail ? BC_tail_call_ref
                                                      : BC_call_ref,
                                .type = type,
                                .x = type->def.id,
                                .index_slot = slot,
                                .kind = KIND_FUNC,
                                .is_indirect = true,
                                .is_tail = is_tail,
                                .in_place = in_place});
}
