/* The compile-time stack: where each value of the operand stack is, and bringing it elsewhere. */
#include "translate/pass.h"

bool cn_grow_stack(struct translator *t) {
    void *stack = t->stack;
    if (!cn_grow(t->emit.alloc, &stack, &t->stack_capacity, (size_t)t->height + 1,
                 sizeof *t->stack)) {
        t->emit.exhausted = true;
        return false;
    }
    t->stack = stack;
    return true;
}

void cn_push_temps(struct translator *t, const valtype *types, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        cn_push_temp(t, (uint8_t)types[i]);
}

void cn_pop_to_height(struct translator *t, uint32_t height) {
    while (t->height > height)
        cn_pop_value(t);
}

/* Puts a value into `slot`, wherever it is. */
void cn_move_to(struct translator *t, const struct value *value, int32_t slot) {
    if (value->where == CONST)
        cn_emit_const(&t->emit, slot, value->constant, true);
    else if (slot_of(t, value) != slot)
        cn_emit_copy(&t->emit, slot, slot_of(t, value), is_wide(value->type));
}

/* Brings the value at `index` of the stack home; the caller looks after links. */
static void bring_home(struct translator *t, uint32_t index) {
    struct value *value = &t->stack[index];
    cn_move_to(t, value, value->home);
    value->where = TEMP;
}

/* Brings the `count` topmost values home. */
void cn_settle(struct translator *t, uint32_t count) {
    for (uint32_t i = t->height; i-- > t->height - count;) {
        cn_unlink_local(t, i);
        bring_home(t, i);
    }
}

/* Before control splits or merges: no value may be LOCAL, since the local may change on one way. */
void cn_flush_locals(struct translator *t) {
    for (uint32_t i = t->flushed; i < t->height; i++) {
        if (t->stack[i].where == LOCAL) {
            t->locals[t->stack[i].local].readers = NO_LINK;
            bring_home(t, i);
        }
    }
    t->flushed = t->height;
}

/* Before a local is overwritten: its readers take the old value home. */
void cn_flush_readers(struct translator *t, uint32_t index) {
    for (uint32_t i = t->locals[index].readers; i != NO_LINK;) {
        uint32_t below = t->stack[i].link;
        bring_home(t, i);
        i = below;
    }
    t->locals[index].readers = NO_LINK;
}

/* A popped value in a slot; a constant is put into its home. */
int32_t cn_in_slot(struct translator *t, const struct value *value) {
    if (value->where == CONST)
        cn_emit_const(&t->emit, value->home, value->constant, true);
    return slot_of(t, value);
}
int32_t cn_in_near_slot(struct translator *t, const struct value *value, unsigned which) {
    return cn_near(&t->emit, cn_in_slot(t, value), is_wide(value->type), which);
}

/* A popped value as an operand of the classes that families know. */
struct operand cn_as_operand(struct translator *t, const struct value *value) {
    if (value->where == CONST)
        return (struct operand){CLASS_K, 0, value->constant};
    if (value->where == TEMP && cn_can_accumulate(&t->emit, value->home)) {
        cn_accumulate(&t->emit);
        return (struct operand){CLASS_A, 0, 0};
    }
    return cn_in_pin_or_slot(t, slot_of(t, value));
}
/* The same with constants in their slots. */
struct operand cn_as_register_operand(struct translator *t, const struct value *value) {
    if (value->where == CONST)
        return (struct operand){CLASS_S, cn_in_slot(t, value), 0};
    return cn_as_operand(t, value);
}
/* And without pins. */
struct operand cn_as_slot_operand(struct translator *t, const struct value *value) {
    return cn_unpinned(cn_as_register_operand(t, value));
}

/* A popped value as an operand that no accumulator is asked for. */
struct operand cn_as_plain_operand(const struct translator *t, const struct value *value) {
    if (value->where == CONST)
        return (struct operand){CLASS_K, 0, value->constant};
    return (struct operand){CLASS_S, slot_of(t, value), 0};
}

/* Appends an instruction that no peephole knows. */
uint64_t *cn_emit_plain(struct translator *t, enum bytecode bytecode, uint32_t cells) {
    uint64_t *at = cn_emit(&t->emit, bytecode, cells);
    t->emit.last.cell = NO_CELL;
    return at;
}
