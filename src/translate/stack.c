/* The compile-time stack: where each value of the operand stack is, and bringing it elsewhere. */
#include "translate/pass.h"

static __attribute__((noinline)) bool grow_stack(struct translator *t) {
    void *stack = t->stack;
    if (!cn_grow(t->emit.alloc, &stack, &t->stack_capacity, (size_t)t->height + 1,
                 sizeof *t->stack)) {
        t->emit.exhausted = true;
        return false;
    }
    t->stack = stack;
    return true;
}

static struct value *push(struct translator *t, enum where where, uint8_t type) {
    if (t->height == t->stack_capacity && !grow_stack(t))
        return &t->spare_value;
    int32_t home = next_home(t);
    struct value *value = &t->stack[t->height++];
    *value = (struct value){.where = (uint8_t)where, .type = type, .home = home, .link = NO_LINK};
    return value;
}

void cn_push_temp(struct translator *t, uint8_t type) {
    struct value *value = push(t, TEMP, type);
    uint32_t end = (uint32_t)(value->home + 2);
    if (end > t->emit.max_slot)
        t->emit.max_slot = end;
}

void cn_push_temps(struct translator *t, const valtype *types, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        cn_push_temp(t, (uint8_t)types[i]);
}

void cn_push_const(struct translator *t, uint8_t type, uint64_t constant) {
    push(t, CONST, type)->constant = constant;
}

void cn_touch_local(struct translator *t, uint32_t index, bool write) {
    struct local *local = &t->locals[index];
    if (local->start == MUST_CLEAR || (local->start == ASSIGNED && local->construct < t->depth &&
                                       t->controls[local->construct].serial == local->serial))
        return;
    local->start = write ? ASSIGNED : MUST_CLEAR;
    local->construct = t->depth - 1;
    local->serial = top_control(t)->serial;
}

void cn_push_local(struct translator *t, uint32_t index) {
    cn_touch_local(t, index, false);
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

struct value cn_pop_value(struct translator *t) {
    if (t->height == 0)
        return (struct value){0}; /* only after memory was exhausted */
    t->height--;
    unlink_local(t, t->height);
    if (t->flushed > t->height)
        t->flushed = t->height;
    return t->stack[t->height];
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
        unlink_local(t, i);
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

/* The slot of a local, or its pin. */
struct operand cn_in_pin_or_slot(const struct translator *t, int32_t slot) {
    if (t->emit.pins && slot == FRAME_PIN_P)
        return (struct operand){CLASS_P, slot, 0};
    if (t->emit.pins && slot == FRAME_PIN_Q)
        return (struct operand){CLASS_Q, slot, 0};
    return (struct operand){CLASS_S, slot, 0};
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
