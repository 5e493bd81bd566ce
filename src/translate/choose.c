/*
 * Emits operations: finds the instruction for the classes of their operands (bytecode/lookup.h) and writes its
 * fields, which are laid out as the generator has them (bytecode/generate/instructions.c):
 *
 *     two operands    | handler | o0 to | o1 a | o2 b |   |        slots only; of an accumulator the field
 *                                                                  stays unused
 *                     | handler | o0 to | o1   | w     |           a constant of 32 bits; the only slot in o1
 *                     | handler | o0 to | o1   |       | x |       a constant of 64 bits
 *     branches        | handler | o0 a  | o1 b | w by  | x |       a constant in x; the only slot in o0
 *     loads, stores   | handler | o0    | o1 address | w offset |  the value of a store that is constant in x
 */
#include "translate/emit.h"
#include "translate/rules.h"

static int32_t narrow_operand(struct emitter *e, struct operand o, unsigned which) {
    return o.class_ == CLASS_S ? cn_narrow(e, o.slot, false, which) : 0;
}

static void exchange(struct operand *a, struct operand *b) {
    struct operand other = *a;
    *a = *b;
    *b = other;
}

static bool is_pin(struct operand o) {
    return o.class_ == CLASS_P || o.class_ == CLASS_Q;
}

static struct operand_form form_of(enum operand_class d, struct operand a, struct operand b) {
    return (struct operand_form){.d = (uint8_t)d, .a = (uint8_t)a.class_, .b = (uint8_t)b.class_};
}

/* ---- operations of two operands, and branches ---- */

/* Operands that may be exchanged have a constant or a slot second. */
static void order_operands(enum operation operation, struct operand *a, struct operand *b) {
    if (cn_commutes(operation) && (a->class_ == CLASS_K || b->class_ == CLASS_A))
        exchange(a, b);
}

/* Likewise a pin first, p before q. None has the same pin twice. */
static void order_pins(enum operation operation, struct operand *a, struct operand *b) {
    if (a->class_ == b->class_)
        *b = cn_unpinned(*b);
    if (cn_commutes(operation) && (!is_pin(*a) || (a->class_ == CLASS_Q && b->class_ == CLASS_P)))
        exchange(a, b);
}

/* The instruction for these operands, which are exchanged, or taken from slots instead of pins, as it has
 * them. */
static enum bytecode choose(enum operation operation, struct operand *a, struct operand *b) {
    if (is_pin(*a) || is_pin(*b)) {
        order_pins(operation, a, b);
        enum bytecode bytecode = cn_find(operation, form_of(CLASS_S, *a, *b));
        if (bytecode != BC_NONE)
            return bytecode;
        *a = cn_unpinned(*a);
        *b = cn_unpinned(*b);
    }
    order_operands(operation, a, b);
    enum bytecode bytecode = cn_find(operation, form_of(CLASS_S, *a, *b));
    CN_ASSERT(bytecode != BC_NONE);
    return bytecode;
}

/* Notes what fuse.c needs to take the latest instruction back and emit it as the first of a pair. Pairs know no
 * pins and have a slot or a constant as the second operand. */
static void can_be_first(struct emitter *e, enum operation operation, struct operand a,
                         struct operand b) {
    a = cn_unpinned(a);
    b = cn_unpinned(b);
    order_operands(operation, &a, &b);
    if (a.class_ == CLASS_K || b.class_ == CLASS_A)
        return;
    e->last.first = operation;
    e->last.a = a;
    e->last.b = b;
}

/* Which of the two operands is a constant, or NULL. */
static const struct operand *constant_of(const struct operand *a, const struct operand *b) {
    return a->class_ == CLASS_K ? a : b->class_ == CLASS_K ? b : NULL;
}

void cn_emit_bin(struct emitter *e, enum operation operation, bool compares, int32_t to,
                 struct operand a, struct operand b) {
    struct operand a_was = a, b_was = b;
    if (compares && e->last.cell != NO_CELL)
        e->before = e->last;
    enum bytecode bytecode = choose(operation, &a, &b);
    const struct operand *constant = constant_of(&a, &b);
    int32_t o1 = narrow_operand(e, a, 0), o2 = narrow_operand(e, b, 1);
    if ((constant || is_pin(a) || is_pin(b)) && a.class_ != CLASS_S)
        o1 = o2; /* the only slot */
    int32_t target = cn_to_begin(e, to, false);
    uint32_t cell = (uint32_t)e->count;
    uint64_t *at = cn_emit(e, bytecode, cn_bytecode_cells[bytecode]);
    if (!constant) {
        at[1] = cn_fields(target, o1, o2, 0);
    } else if (cn_has_wide_constants(operation)) {
        at[1] = cn_fields(target, o1, 0, 0);
        at[2] = constant->constant;
    } else {
        at[1] = cn_fields_w(target, o1, (uint32_t)constant->constant);
    }
    cn_produced(e, cell, to, operation, form_of(CLASS_S, a, b));
    if (e->last.cell == cell) {
        if (compares) {
            e->last.compare = operation;
            e->last.a = a_was;
            e->last.b = b_was;
        } else {
            can_be_first(e, operation, a_was, b_was);
        }
    }
    cn_to_end(e);
}

uint32_t cn_emit_branch(struct emitter *e, enum operation operation, struct operand a,
                        struct operand b) {
    enum bytecode bytecode = choose(operation, &a, &b);
    const struct operand *constant = constant_of(&a, &b);
    int32_t o0 = narrow_operand(e, a, 0), o1 = narrow_operand(e, b, 1);
    if ((a.class_ == CLASS_K || is_pin(a) || is_pin(b)) && a.class_ != CLASS_S)
        o0 = o1; /* the only slot */
    uint32_t cell = (uint32_t)e->count;
    uint64_t *at = cn_emit(e, bytecode, cn_bytecode_cells[bytecode]);
    at[1] = cn_fields(o0, o1, 0, 0);
    if (constant)
        at[2] = constant->constant;
    e->last.cell = NO_CELL;
    return cell;
}

/* ---- operations of one operand ---- */

void cn_emit_un(struct emitter *e, enum operation operation, int32_t to, struct operand a) {
    struct operand_form form = {.a = (uint8_t)cn_unpinned(a).class_};
    int32_t source = narrow_operand(e, cn_unpinned(a), 0);
    int32_t target = cn_to_begin(e, to, false);
    uint32_t cell = (uint32_t)e->count;
    cn_emit(e, cn_find(operation, form), 2)[1] = cn_fields(target, source, 0, 0);
    cn_produced(e, cell, to, operation, form);
    cn_to_end(e);
}

/* ---- linear memory ---- */

void cn_emit_load(struct emitter *e, enum operation operation, enum memory_access access,
                  int32_t to, struct operand address, uint32_t offset) {
    struct operand_form form = {.a = (uint8_t)address.class_,
                                .checks = access == ACCESS_CHECKED,
                                .wide = access == ACCESS_WIDE};
    enum bytecode bytecode = cn_find(operation, form);
    if (bytecode == BC_NONE) { /* none has a pin as address */
        address = cn_unpinned(address);
        form.a = (uint8_t)address.class_;
        bytecode = cn_find(operation, form);
    }
    CN_ASSERT(bytecode != BC_NONE);
    int32_t source = narrow_operand(e, address, 0);
    int32_t target = cn_to_begin(e, to, cn_is_vector(operation));
    uint32_t cell = (uint32_t)e->count;
    cn_emit(e, bytecode, 2)[1] = cn_fields_w(target, source, offset);
    cn_produced(e, cell, to, operation, form);
    if (e->last.cell == cell && access != ACCESS_WIDE) {
        e->last.first = operation;
        e->last.is_load = true;
        e->last.explicit_ = access == ACCESS_CHECKED;
        e->last.load_offset = offset;
        e->last.a = cn_unpinned(address);
    }
    cn_to_end(e);
}

void cn_emit_store(struct emitter *e, enum operation operation, enum memory_access access,
                   struct operand value, struct operand address, uint32_t offset) {
    if (value.class_ == address.class_)
        value = cn_unpinned(value); /* none has the same pin twice */
    struct operand_form form = form_of(CLASS_S, value, address);
    form.checks = access == ACCESS_CHECKED;
    form.wide = access == ACCESS_WIDE;
    enum bytecode bytecode = cn_find(operation, form);
    if (bytecode == BC_NONE) { /* none has such pins */
        value = cn_unpinned(value);
        address = cn_unpinned(address);
        form.a = (uint8_t)value.class_;
        form.b = (uint8_t)address.class_;
        bytecode = cn_find(operation, form);
    }
    CN_ASSERT(bytecode != BC_NONE);
    int32_t o0 = value.class_ == CLASS_S ? cn_narrow(e, value.slot, cn_is_vector(operation), 0) : 0;
    int32_t o1 = narrow_operand(e, address, 1);
    uint64_t *at = cn_emit(e, bytecode, cn_bytecode_cells[bytecode]);
    at[1] = cn_fields_w(o0, o1, offset);
    if (value.class_ == CLASS_K)
        at[2] = value.constant;
    e->last.cell = NO_CELL;
}

/* ---- any memory: | handler | o0 | o1 address |   | o3 memory | x offset | ---- */

static void put_memarg(uint64_t *at, int32_t o0, int32_t address, struct memarg memarg) {
    at[1] = cn_fields(o0, address, 0, (int32_t)memarg.memory);
    at[2] = memarg.offset < MOST_OFFSET ? memarg.offset : MOST_OFFSET;
}

void cn_emit_numbered_load(struct emitter *e, enum operation operation, int32_t to,
                           struct operand address, struct memarg memarg) {
    address = cn_unpinned(address);
    struct operand_form form = {.a = (uint8_t)address.class_, .numbered = true};
    enum bytecode bytecode = cn_find(operation, form);
    CN_ASSERT(bytecode != BC_NONE);
    int32_t source = narrow_operand(e, address, 0);
    int32_t target = cn_to_begin(e, to, cn_is_vector(operation));
    uint32_t cell = (uint32_t)e->count;
    put_memarg(cn_emit(e, bytecode, 3), target, source, memarg);
    cn_produced(e, cell, to, operation, form);
    cn_to_end(e);
}

void cn_emit_numbered_store(struct emitter *e, enum operation operation, struct operand value,
                            struct operand address, struct memarg memarg) {
    value = cn_unpinned(value);
    address = cn_unpinned(address);
    struct operand_form form = form_of(CLASS_S, value, address);
    form.numbered = true;
    enum bytecode bytecode = cn_find(operation, form);
    CN_ASSERT(bytecode != BC_NONE);
    int32_t o0 = value.class_ == CLASS_S ? cn_narrow(e, value.slot, cn_is_vector(operation), 0) : 0;
    int32_t o1 = narrow_operand(e, address, 1);
    put_memarg(cn_emit(e, bytecode, 3), o0, o1, memarg);
    e->last.cell = NO_CELL;
}

/*
 * ---- structures and arrays ----
 *
 *     a field    | handler | o0 to or value | o1 object | w offset |   the value that is constant in x
 *     an element | handler | o0 to | o1 array | o2 index |         |   the index that is constant in w
 *                | handler | o0 array | o1 index | o2 value |      |   the value that is constant in x
 */

void cn_emit_field_get(struct emitter *e, enum operation operation, int32_t to,
                       struct operand object, uint32_t offset) {
    object = cn_unpinned(object);
    struct operand_form form = {.a = (uint8_t)object.class_};
    int32_t source = narrow_operand(e, object, 0), target = cn_to_begin(e, to, false);
    uint32_t cell = (uint32_t)e->count;
    cn_emit(e, cn_find(operation, form), 2)[1] = cn_fields_w(target, source, offset);
    cn_produced(e, cell, to, operation, form);
    cn_to_end(e);
}

void cn_emit_field_set(struct emitter *e, enum operation operation, struct operand value,
                       struct operand object, uint32_t offset) {
    value = cn_unpinned(value);
    object = cn_unpinned(object);
    enum bytecode bytecode = cn_find(operation, form_of(CLASS_S, value, object));
    CN_ASSERT(bytecode != BC_NONE);
    int32_t o0 = narrow_operand(e, value, 0), o1 = narrow_operand(e, object, 1);
    uint64_t *at = cn_emit(e, bytecode, cn_bytecode_cells[bytecode]);
    at[1] = cn_fields_w(o0, o1, offset);
    if (value.class_ == CLASS_K)
        at[2] = value.constant;
    e->last.cell = NO_CELL;
}

void cn_emit_element_get(struct emitter *e, enum operation operation, int32_t to,
                         struct operand array, struct operand index) {
    array = cn_unpinned(array);
    index = cn_unpinned(index);
    struct operand_form form = form_of(CLASS_S, array, index);
    enum bytecode bytecode = cn_find(operation, form);
    CN_ASSERT(bytecode != BC_NONE);
    int32_t o1 = narrow_operand(e, array, 0), o2 = narrow_operand(e, index, 1);
    int32_t target = cn_to_begin(e, to, false);
    uint32_t cell = (uint32_t)e->count;
    cn_emit(e, bytecode, 2)[1] = index.class_ == CLASS_K
                                     ? cn_fields_w(target, o1, (uint32_t)index.constant)
                                     : cn_fields(target, o1, o2, 0);
    cn_produced(e, cell, to, operation, form);
    cn_to_end(e);
}

void cn_emit_element_set(struct emitter *e, enum operation operation, struct operand array,
                         struct operand index, struct operand value) {
    array = cn_unpinned(array);
    index = cn_unpinned(index);
    value = cn_unpinned(value);
    struct operand_form form = form_of(CLASS_S, array, index);
    form.c = (uint8_t)value.class_;
    enum bytecode bytecode = cn_find(operation, form);
    CN_ASSERT(bytecode != BC_NONE);
    int32_t o0 = narrow_operand(e, array, 0), o1 = narrow_operand(e, index, 1);
    int32_t o2 = narrow_operand(e, value, 2);
    uint64_t *at = cn_emit(e, bytecode, cn_bytecode_cells[bytecode]);
    at[1] = cn_fields(o0, o1, o2, 0);
    if (value.class_ == CLASS_K)
        at[2] = value.constant;
    e->last.cell = NO_CELL;
}

/* ---- the opposite of a comparison ---- */

bool cn_emit_opposite(struct emitter *e, int32_t slot) {
    struct producer last = e->last;
    if (last.cell == NO_CELL || last.slot != slot || last.in_local || last.compare == DO_NONE ||
        last.end != e->count || cn_opposites[last.compare] == DO_NONE)
        return false;
    cn_emit_rollback(e, last.cell);
    if (cn_branches[last.compare].exchanges)
        exchange(&last.a, &last.b);
    cn_emit_bin(e, (enum operation)cn_opposites[last.compare], true, slot, last.a, last.b);
    return true;
}
