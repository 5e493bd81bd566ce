/* Locals, globals, and select. */
#include "translate/pass.h"

static void set_local(struct translator *t, uint32_t index, const struct value *value) {
    int32_t slot = t->locals[index].slot;
    if (value->where == LOCAL && value->local == index)
        return;
    cn_touch_local(t, index, true);
    cn_flush_readers(t, index);
    if (value->where == TEMP && cn_retarget(&t->emit, value->home, slot)) {
        cn_sync_pin(&t->emit, slot);
        return;
    }
    struct operand pin = cn_in_pin_or_slot(t, slot);
    if (pin.class_ == CLASS_S) {
        cn_move_to(t, value, slot);
    } else if (value->where == CONST) {
        cn_emit_plain(t, pin.class_ == CLASS_P ? BC_set_p_k : BC_set_q_k, 3)[2] = value->constant;
    } else {
        int32_t from = cn_near(&t->emit, slot_of(t, value), false, 0);
        cn_emit_plain(t, pin.class_ == CLASS_P ? BC_set_p : BC_set_q, 2)[1] =
            cn_fields(from, 0, 0, 0);
    }
}

void cn_translate_local_set(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    struct value value = cn_pop_value(t);
    set_local(t, index, &value);
}

void cn_translate_local_tee(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    struct value value = cn_pop_value(t);
    set_local(t, index, &value);
    if (value.where == CONST)
        cn_push_const(t, value.type, value.constant);
    else
        cn_push_local(t, index);
}

void cn_translate_global_get(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    uint8_t type = (uint8_t)t->module->globals[index].type.type;
    int32_t home = next_home(t);
    int32_t to = cn_to_begin(&t->emit, home, is_wide(type));
    uint32_t cell = (uint32_t)t->emit.count;
    cn_emit_plain(t, is_wide(type) ? BC_global_get2 : BC_global_get, 2)[1] =
        cn_fields_w(to, 0, index);
    if (!t->emit.far_to && !t->emit.exhausted) /* a local.set may take it directly */
        t->emit.last =
            (struct producer){.cell = cell, .end = (uint32_t)t->emit.count, .slot = home};
    cn_to_end(&t->emit);
    cn_push_temp(t, type);
}

void cn_translate_global_set(struct translator *t) {
    uint32_t index = cn_u32_valid(&t->at);
    struct value value = cn_pop_value(t);
    int32_t from = cn_in_near_slot(t, &value, 0);
    cn_emit_plain(t, is_wide(value.type) ? BC_global_set2 : BC_global_set, 2)[1] =
        cn_fields_w(from, 0, index);
}

void cn_translate_select(struct translator *t) {
    struct value condition = cn_pop_value(t), second = cn_pop_value(t), first = cn_pop_value(t);
    bool wide = is_wide(first.type);
    int32_t a = cn_in_near_slot(t, &first, 0), b = cn_in_near_slot(t, &second, 1);
    struct operand c = {CLASS_S, 0, 0};
    if (!wide)
        c = cn_as_slot_operand(t, &condition);
    else
        c.slot = cn_in_slot(t, &condition);
    int32_t c_slot = c.class_ == CLASS_S ? cn_near(&t->emit, c.slot, false, 2) : 0;
    int32_t home = next_home(t);
    int32_t to = cn_to_begin(&t->emit, home, wide);
    uint32_t cell = (uint32_t)t->emit.count;
    cn_emit_plain(t,
                  wide                  ? BC_select2_s
                  : c.class_ == CLASS_A ? BC_select_a
                                        : BC_select_s,
                  2)[1] = cn_fields(to, a, b, c_slot);
    if (!t->emit.far_to && !t->emit.exhausted)
        t->emit.last =
            (struct producer){.cell = cell, .end = (uint32_t)t->emit.count, .slot = home};
    cn_to_end(&t->emit);
    cn_push_temp(t, first.type);
}
