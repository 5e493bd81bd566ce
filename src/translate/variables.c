/* Locals, globals, and select. */
#include "translate/fuse.h"
#include "translate/pass.h"

static void set_local(struct translator *t, uint32_t index, const struct value *value) {
    CN_ASSERT(index < t->local_count);
    int32_t slot = t->locals[index].slot;
    if (value->where == LOCAL && value->local == index)
        return;
    cn_touch_local(t, index, true);
    cn_spill_readers(t, index);
    if (value->where == TEMP && cn_retarget(&t->emit, value->home, slot)) {
        cn_sync_pin(&t->emit, slot);
        return;
    }
    struct operand pin = cn_in_pin_or_slot(t, slot);
    if (pin.class_ == CLASS_S)
        cn_move_to(t, value, slot);
    else if (value->where == CONST)
        cn_emit_pin_const(&t->emit, slot, value->constant);
    else
        cn_emit_pin_copy(&t->emit, slot, slot_of(t, value));
}

void cn_translate_local_set(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    set_local(t, index, cn_pop_value(t));
}

void cn_translate_local_tee(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    const struct value *value = cn_pop_value(t);
    set_local(t, index, value);
    if (value->where == CONST)
        cn_push_const(t, (enum slot_kind)value->kind, value->constant);
    else
        cn_push_local(t, index);
}

/* A constant added to a global: global.get, const, add or sub, perhaps local.tee, global.set. */
struct step {
    bool wide;
    uint64_t constant;
    uint32_t local; /* NO_LINK: none */
    unsigned count; /* of instructions after the first */
    const uint8_t *end;
};

static bool find_step(const struct translator *t, uint32_t global, struct step *step) {
    const uint8_t *at = t->at;
    step->wide = *at == OP_i64_const;
    if (*at != OP_i32_const && *at != OP_i64_const)
        return false;
    at++;
    step->constant = step->wide ? (uint64_t)cn_s64_valid(&at) : (uint32_t)cn_s32_valid(&at);
    bool subtracts = *at == (step->wide ? OP_i64_sub : OP_i32_sub);
    if (!subtracts && *at != (step->wide ? OP_i64_add : OP_i32_add))
        return false;
    at++;
    if (subtracts)
        step->constant = -step->constant;
    step->local = NO_LINK;
    step->count = 3;
    if (*at == OP_local_tee) {
        at++;
        step->local = cn_u32_valid(&at);
        step->count++;
    }
    if (*at != OP_global_set)
        return false;
    at++;
    bool same = cn_u32_valid(&at) == global;
    step->end = at;
    return same;
}

static bool translate_step(struct translator *t, uint32_t global) {
    struct step step;
    if (t->config->steps || !find_step(t, global, &step))
        return false;
    enum bytecode bytecode = cn_find(step.wide ? DO_global_step64 : DO_global_step32,
                                     (struct operand_form){.a = CLASS_K});
    if (bytecode == BC_NONE)
        return false;
    int32_t slot = step.local == NO_LINK ? next_home(t) : t->locals[step.local].slot;
    if (!cn_is_narrow(slot))
        return false;
    t->at = step.end;
    CN_ASSERT(t->at <= t->end);
    if (t->config->fuel)
        t->emit.fuel_cost += step.count;
    if (step.local != NO_LINK) {
        cn_touch_local(t, step.local, true);
        cn_spill_readers(t, step.local);
    }
    cn_to_begin(&t->emit, slot, false);
    uint64_t *at = cn_emit_plain(t, bytecode, 3);
    at[1] = cn_fields_w(slot, 0, global);
    at[2] = step.constant;
    if (step.local != NO_LINK)
        cn_sync_pin(&t->emit, slot);
    return true;
}

/* Notes the instruction at `cell`, just emitted, as one that a local.set may retarget, and ends it. */
static void end_retargetable(struct translator *t, uint32_t cell, int32_t home) {
    if (!t->emit.wide_to && !t->emit.exhausted)
        t->emit.last =
            (struct producer){.cell = cell, .end = (uint32_t)t->emit.count, .slot = home};
    cn_to_end(&t->emit);
}

void cn_translate_global_get(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    CN_ASSERT(index < t->module->global_count);
    if (translate_step(t, index))
        return;
    enum slot_kind kind = vt_kind(t->module->globals[index].type.type);
    int32_t home = next_home(t);
    int32_t to = cn_to_begin(&t->emit, home, is_wide(kind));
    uint32_t cell = (uint32_t)t->emit.count;
    cn_emit_plain(t, is_wide(kind) ? BC_global_get2 : BC_global_get, 2)[1] =
        cn_fields_w(to, 0, index);
    end_retargetable(t, cell, home);
    cn_push_temp(t, kind);
}

void cn_translate_global_set(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    CN_ASSERT(index < t->module->global_count);
    struct value value = *cn_pop_value(t);
    if (value.where == TEMP && cn_fuse_global_set(&t->emit, value.home, index))
        return;
    int32_t from = cn_in_narrow_slot(t, &value, 0);
    cn_emit_plain(t, is_wide((enum slot_kind)value.kind) ? BC_global_set2 : BC_global_set, 2)[1] =
        cn_fields_w(from, 0, index);
}

/* Between values of which at least one is a constant. */
static bool select_constants(struct translator *t, const struct value *first,
                             const struct value *second, const struct value *condition) {
    bool k1 = first->where == CONST, k2 = second->where == CONST;
    struct operand_form form = {.a = k1 ? CLASS_K : CLASS_S, .b = k2 ? CLASS_K : CLASS_S};
    if ((!k1 && !k2) || cn_find(DO_select, form) == BC_NONE)
        return false;
    int32_t a = k1 ? 0 : cn_in_narrow_slot(t, first, 0),
            b = k2 ? 0 : cn_in_narrow_slot(t, second, 1);
    struct operand c = cn_as_slot_operand(t, condition);
    int32_t c_slot = c.class_ == CLASS_S ? cn_narrow(&t->emit, c.slot, false, 2) : 0;
    form.c = (uint8_t)c.class_;
    int32_t home = next_home(t), to = cn_to_begin(&t->emit, home, false);
    uint32_t cell = (uint32_t)t->emit.count;
    uint64_t *at = cn_emit_plain(t, cn_find(DO_select, form), 3 + (k1 && k2));
    at[1] = cn_fields(to, a, b, c_slot);
    at[2] = k1 ? first->constant : second->constant;
    if (k1 && k2)
        at[3] = second->constant;
    end_retargetable(t, cell, home);
    cn_push_temp(t, (enum slot_kind)first->kind);
    return true;
}

void cn_translate_select(struct translator *t) {
    struct value condition = *cn_pop_value(t), second = *cn_pop_value(t), first = *cn_pop_value(t);
    bool wide = is_wide((enum slot_kind)first.kind);
    if (!wide && select_constants(t, &first, &second, &condition))
        return;
    int32_t a = cn_in_narrow_slot(t, &first, 0), b = cn_in_narrow_slot(t, &second, 1);
    struct operand c = {CLASS_S, 0, 0};
    if (!wide)
        c = cn_as_slot_operand(t, &condition);
    else
        c.slot = cn_in_slot(t, &condition);
    int32_t c_slot = c.class_ == CLASS_S ? cn_narrow(&t->emit, c.slot, false, 2) : 0;
    int32_t home = next_home(t);
    int32_t to = cn_to_begin(&t->emit, home, wide);
    uint32_t cell = (uint32_t)t->emit.count;
    cn_emit_plain(t,
                  wide                  ? BC_select2_s
                  : c.class_ == CLASS_A ? BC_select_a
                                        : BC_select_s,
                  2)[1] = cn_fields(to, a, b, c_slot);
    end_retargetable(t, cell, home);
    cn_push_temp(t, (enum slot_kind)first.kind);
}
