/* The compile-time stack: where each value of the operand stack is, and bringing it elsewhere. */
#include "translate/pass.h"

static bool grow_stack(struct translator *t, uint32_t more) {
    void *stack = t->stack;
    if (!cn_grow(t->emit.alloc, &stack, &t->stack_capacity, (size_t)t->height + more,
                 sizeof *t->stack)) {
        t->emit.exhausted = true;
        return false;
    }
    t->stack = stack;
    return true;
}

bool cn_grow_stack(struct translator *t) {
    return grow_stack(t, 1);
}

/* ---- groups ---- */

/* As many values as this are written out at once, and spilled without a look at those below. */
#define FEW 16u

static int32_t slots_of(valtype type) {
    return is_wide(vt_kind(type)) ? 2 : 1;
}

static void find_floor(struct translator *t) {
    const struct group *top = t->group_count ? &t->groups[t->group_count - 1] : NULL;
    t->floor = top ? top->start + top->count : 0;
    t->floor_home = top ? top->end : t->first_temp;
    CN_ASSERT(t->floor <= t->height);
    CN_ASSERT(t->floor_home >= t->first_temp);
}

bool cn_uncover(struct translator *t) {
    if (t->group_count == 0)
        return false;
    struct group *group = &t->groups[t->group_count - 1];
    CN_ASSERT(group->count > 0);
    CN_ASSERT(group->start + group->count <= t->height);
    for (uint32_t i = 0; i < FEW && group->count > 0; i++) {
        valtype type = group->types[--group->count];
        group->end -= slots_of(type);
        t->stack[group->start + group->count] = (struct value){
            .where = TEMP, .kind = (uint8_t)vt_kind(type), .home = group->end, .link = NO_LINK};
    }
    t->group_count -= group->count == 0;
    find_floor(t);
    return true;
}

static void push_group(struct translator *t, const valtype *types, uint32_t count, uint32_t slots) {
    void *groups = t->groups;
    bool grown = grow_stack(t, count); /* now, as pointers to popped values outlive uncovering */
    if (!grown || !cn_grow(t->emit.alloc, &groups, &t->group_capacity, (size_t)t->group_count + 1,
                           sizeof *t->groups)) {
        t->emit.exhausted = true;
        return;
    }
    t->groups = groups;
    int32_t end = next_home(t) + (int32_t)slots;
    bool no_locals_below = t->no_locals_below == t->height,
         spilled_below = no_locals_below && t->spilled_below >= t->height;
    CN_ASSERT(t->group_count < t->group_capacity);
    CN_ASSERT(t->group_count == 0 || t->floor <= t->height);
    t->groups[t->group_count++] = (struct group){t->height, count, types, end};
    t->height += count;
    if (no_locals_below)
        t->no_locals_below = t->height;
    if (spilled_below)
        t->spilled_below = t->height;
    if ((uint32_t)end + 1 > t->emit.max_slot)
        t->emit.max_slot = (uint32_t)end + 1;
    find_floor(t);
}

/* Forgets the values of the topmost group that are not below `height`. */
static void pop_from_group(struct translator *t, uint32_t height) {
    CN_ASSERT(t->group_count > 0 && t->height == t->floor);
    struct group *group = &t->groups[t->group_count - 1];
    CN_ASSERT(group->start + group->count == t->height);
    if (height <= group->start) {
        t->height = group->start;
        t->group_count--;
    } else {
        while (group->start + group->count > height)
            group->end -= slots_of(group->types[--group->count]);
        t->height = height;
    }
    find_floor(t);
    if (t->no_locals_below > t->height)
        t->no_locals_below = t->height;
}

void cn_push_temps(struct translator *t, const valtype *types, uint32_t count, uint32_t slots) {
    if (count > FEW) {
        push_group(t, types, count, slots);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        cn_push_temp(t, vt_kind(types[i]));
}

void cn_pop_to_height(struct translator *t, uint32_t height) {
    while (t->height > height) {
        if (t->height == t->floor && t->group_count > 0)
            pop_from_group(t, height);
        else
            cn_pop_value(t);
    }
    CN_ASSERT(t->height == height || t->emit.exhausted);
}

/* ---- bringing values elsewhere ---- */

/* Puts a value into `slot`, wherever it is. */
void cn_move_to(struct translator *t, const struct value *value, int32_t slot) {
    if (value->where == CONST)
        cn_emit_const(&t->emit, slot, value->constant, true);
    else if (slot_of(t, value) != slot)
        cn_emit_copy(&t->emit, slot, slot_of(t, value), is_wide((enum slot_kind)value->kind));
}

/* Brings the value at `index` of the stack home; the caller looks after links. */
static void bring_home(struct translator *t, uint32_t index) {
    CN_ASSERT(index < t->height || t->emit.exhausted);
    struct value *value = &t->stack[index];
    CN_ASSERT(value->home >= t->first_temp);
    cn_move_to(t, value, value->home);
    value->where = TEMP;
}

/* Brings home what is LOCAL among the values from `from` on, and what is CONST if `constants`. No value
 * below `from` is LOCAL. */
static void bring_all_home(struct translator *t, uint32_t from, bool constants) {
    uint32_t g = t->group_count;
    while (g > 0 && t->groups[g - 1].start + t->groups[g - 1].count > from)
        g--;
    for (uint32_t i = from; i < t->height; g++) {
        uint32_t end = g < t->group_count ? t->groups[g].start : t->height;
        for (; i < end; i++) {
            if (t->stack[i].where == LOCAL)
                t->locals[t->stack[i].local].readers = NO_LINK;
            if (t->stack[i].where == LOCAL || (constants && t->stack[i].where == CONST))
                bring_home(t, i);
        }
        if (g < t->group_count)
            i = t->groups[g].start + t->groups[g].count;
    }
}

/* Of many values those below go home as well, as far as they belong to the same construct, so that none is
 * looked at a second time: each branch to a label with a thousand values spills them. */
void cn_spill(struct translator *t, uint32_t count) {
    CN_ASSERT(count <= t->height || t->emit.exhausted);
    if (count > FEW) {
        uint32_t from =
            t->spilled_below < t->no_locals_below ? t->spilled_below : t->no_locals_below;
        if (from < top_control(t)->height)
            from = top_control(t)->height;
        bring_all_home(t, from, true);
        t->no_locals_below = t->spilled_below = t->height;
        return;
    }
    cn_cover(t, count);
    for (uint32_t i = t->height; i-- > t->height - count;) {
        cn_unlink_local(t, i);
        bring_home(t, i);
    }
}

void cn_spill_constants(struct translator *t, uint32_t count) {
    cn_cover(t, count);
    for (uint32_t i = t->height - count; i < t->height; i++)
        if (t->stack[i].where == CONST)
            bring_home(t, i);
}

void cn_spill_locals(struct translator *t) {
    CN_ASSERT(t->no_locals_below <= t->height);
    bring_all_home(t, t->no_locals_below, false);
    if (t->spilled_below > t->no_locals_below)
        t->spilled_below = t->no_locals_below;
    t->no_locals_below = t->height;
}

/* Before a local is overwritten: its readers take the old value home. */
void cn_spill_readers(struct translator *t, uint32_t index) {
    for (uint32_t i = t->locals[index].readers; i != NO_LINK;) {
        CN_ASSERT((t->stack[i].where == LOCAL && t->stack[i].local == index) || t->emit.exhausted);
        uint32_t below = t->stack[i].link;
        CN_ASSERT(below == NO_LINK || below < i || t->emit.exhausted);
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
int32_t cn_in_narrow_slot(struct translator *t, const struct value *value, unsigned which) {
    return cn_narrow(&t->emit, cn_in_slot(t, value), is_wide((enum slot_kind)value->kind), which);
}

/* A popped value as an operand of the classes that instructions have variants for. */
struct operand cn_as_operand(struct translator *t, const struct value *value) {
    if (value->where == CONST)
        return (struct operand){CLASS_K, 0, value->constant};
    if (value->where == TEMP && cn_accumulate(&t->emit, value->home)) {
        CN_ASSERT(t->live);
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
