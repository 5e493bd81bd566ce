#include "translate/fuse.h"

/*
 * All functions here work on the instruction before, e->last or e->before, in the decoded form that its
 * emission left (struct producer): they look for the pair, take the instruction back and emit both as one.
 * Fields of a pair (bytecode/generate/instructions.c):
 *
 *     two operations     | o0 to | o1 a | o2 b | o3 c |   constants behind: of 32 bits those of b and c in
 *                                                         xlo and xhi, of 64 bits in x and y, in order
 *     sum and load       | o0 to | o1 a | w offset | xlo b |
 *     load and operation | o0 to | o1 address | w offset | xlo c |    a constant of 64 bits in x
 *     ... and branch     | o0 a |  | w by | xlo c | xhi b or offset |
 */

static bool fits_operand(struct operand o) {
    return o.class_ != CLASS_S || cn_is_narrow(o.slot);
}

/* The latest instruction, when it can be taken back as the first of a pair that produces `x`. */
static bool is_first(const struct emitter *e, int32_t x) {
    const struct producer *p = &e->last;
    return p->cell != NO_CELL && !p->in_local && p->slot == x && p->end == e->count &&
           p->first != DO_NONE && fits_operand(p->a) && fits_operand(p->b) && !e->exhausted;
}

/* A trap of the first instruction is reported where that was. */
static void belongs_to(struct emitter *e, const struct producer *first) {
    if (e->map && e->map->count) {
        struct source_map_entry *entry = &e->map->entries[e->map->count - 1];
        entry->offset = first->offset;
        entry->fuel_so_far = first->fuel_so_far;
    }
}

/* The operand classes of a pair whose first is `p`, with `other` as the second's other operand. */
static struct operand_form pair_form(const struct producer *p, struct operand other, bool reversed) {
    return (struct operand_form){.a = (uint8_t)p->a.class_,
                                 .b = p->is_load ? CLASS_S : (uint8_t)p->b.class_,
                                 .c = (uint8_t)other.class_,
                                 .reversed = reversed,
                                 .checks = p->is_load && p->explicit_};
}

/* Takes the instruction of `p` back and emits the pair in its place, but for its operands. NULL: there is no such
 * pair, and nothing was changed. */
static uint64_t *emit_pair(struct emitter *e, const struct producer *p, enum operation second,
                           struct operand_form form, int32_t to, bool vector) {
    enum bytecode bytecode = cn_find_pair(p->first, second, form);
    if (bytecode == BC_NONE)
        return NULL;
    cn_emit_rollback(e, p->cell);
    uint32_t cell = (uint32_t)e->count;
    int32_t target = cn_to_begin(e, to, vector);
    uint64_t *at = cn_emit(e, bytecode, cn_bytecode_cells[bytecode]);
    at[1] = cn_fields(target, 0, 0, 0);
    cn_produced(e, cell, to, cn_pair_row(p->first, second), form);
    return at;
}

static int32_t slot_field(struct operand o) {
    return o.class_ == CLASS_S ? o.slot : 0;
}
static uint32_t half(struct operand o) {
    o = cn_unpinned(o);
    return o.class_ == CLASS_K ? (uint32_t)o.constant : (uint16_t)slot_field(o);
}
static uint64_t halves(uint32_t low, uint32_t high) {
    return low | (uint64_t)high << 32;
}

/* ---- an operation, or a load, and an operation ---- */

static void put_two(uint64_t *at, const struct producer *p, struct operand other, bool wide) {
    bool first_k = p->b.class_ == CLASS_K, second_k = other.class_ == CLASS_K;
    at[1] |= cn_fields(0, slot_field(p->a), slot_field(p->b), slot_field(other));
    if (!wide && (first_k || second_k)) {
        at[2] = halves(first_k ? (uint32_t)p->b.constant : 0,
                       second_k ? (uint32_t)other.constant : 0);
    } else {
        if (first_k)
            at[2] = p->b.constant;
        if (second_k)
            at[2 + first_k] = other.constant;
    }
}

bool cn_fuse_bin(struct emitter *e, enum operation second, bool x_right, int32_t x, int32_t to,
                 struct operand other) {
    if (!is_first(e, x) || !cn_is_narrow(to) || !fits_operand(other))
        return false;
    struct producer p = e->last;
    struct operand_form form = pair_form(&p, other, x_right && !cn_commutes(second));
    uint64_t *at = emit_pair(e, &p, second, form, to, false);
    if (!at)
        return false;
    bool wide = cn_has_wide_constants(second);
    if (!p.is_load) {
        put_two(at, &p, other, wide);
        return true;
    }
    at[1] |= cn_fields_w(0, slot_field(p.a), p.load_offset);
    at[2] = other.class_ == CLASS_K && wide ? other.constant : half(other);
    belongs_to(e, &p);
    return true;
}

/* ---- an addition and a load ---- */

bool cn_fuse_load(struct emitter *e, enum operation load, enum memory_access access, int32_t x,
                  int32_t to, uint32_t offset) {
    bool wide = access == ACCESS_WIDE;
    if (!is_first(e, x) || e->last.is_load || !cn_is_narrow(to))
        return false;
    struct producer p = e->last;
    struct operand_form form = {.a = (uint8_t)p.a.class_,
                                .b = (uint8_t)p.b.class_,
                                .checks = access == ACCESS_CHECKED,
                                .wide = wide};
    uint64_t *at = emit_pair(e, &p, load, form, to, cn_is_vector(load));
    if (!at)
        return false;
    at[1] |= cn_fields_w(0, slot_field(p.a), offset);
    at[2] = wide && p.b.class_ == CLASS_K ? p.b.constant : half(p.b);
    return true;
}

/* ---- vectors ---- */

bool cn_fuse_vector(struct emitter *e, enum operation second, int32_t x, int32_t other, int32_t to,
                    bool vector) {
    if (!is_first(e, x) || !cn_is_narrow(to) || !cn_is_narrow(other))
        return false;
    struct producer p = e->last;
    struct operand_form form = pair_form(&p, (struct operand){CLASS_S, other, 0}, false);
    if (p.is_load && p.load_offset > UINT16_MAX)
        return false;
    uint64_t *at = emit_pair(e, &p, second, form, to, vector);
    if (!at)
        return false;
    at[1] |= p.is_load ? cn_fields(0, slot_field(p.a), other, (int32_t)p.load_offset)
                       : cn_fields(0, slot_field(p.a), slot_field(p.b), other);
    if (p.is_load)
        belongs_to(e, &p);
    return true;
}

/* ---- branches ---- */

/* Whether an operand fits a half of a cell: a slot, or a constant of 32 bits, of which one for 64-bit operands
 * is sign-extended. */
static bool fits_half(struct operand o, bool wide) {
    if (o.class_ == CLASS_K)
        return !wide || (int64_t)o.constant == (int32_t)(int64_t)o.constant;
    return o.class_ == CLASS_S && cn_is_narrow(o.slot);
}

static uint32_t emit_branch_pair(struct emitter *e, const struct producer *p,
                                 enum bytecode bytecode, int32_t o0, uint64_t cell2) {
    cn_emit_rollback(e, p->cell);
    uint64_t *at = cn_emit(e, bytecode, 3);
    at[1] = cn_fields(o0, 0, 0, 0);
    at[2] = cell2;
    return (uint32_t)e->count - 3;
}

/* The pin that holds a slot; CLASS_S: none does. */
static enum operand_class pin_of(const struct emitter *e, int32_t slot) {
    return !e->pins               ? CLASS_S
           : slot == FRAME_PIN_P ? CLASS_P
           : slot == FRAME_PIN_Q ? CLASS_Q
                                 : CLASS_S;
}

/* A step: the local that is added to, and what is added, which may have been on either side. */
static bool is_step(struct producer *p) {
    if ((p->first != DO_i32_add && p->first != DO_i64_add) || p->a.class_ != CLASS_S)
        return false;
    if (p->b.class_ == CLASS_S && p->b.slot == p->slot) {
        struct operand exchanged = p->a;
        p->a = p->b;
        p->b = exchanged;
    }
    return p->a.slot == p->slot;
}

/* A local stepped by a constant or another slot, then compared. */
static bool fuse_step(struct emitter *e, enum operation branch, bool reversed, struct operand other,
                      uint32_t *cell) {
    struct producer p = e->before;
    bool wide = p.first == DO_i64_add;
    if (!is_step(&p) || !fits_half(p.b, wide) || !fits_half(cn_unpinned(other), wide))
        return false;
    enum operand_class pin = pin_of(e, p.slot);
    if (pin == CLASS_S || other.class_ == pin)
        other = cn_unpinned(other); /* the stepped one itself is read from its slot, which is written by then */
    struct operand_form form = {.d = (uint8_t)pin,
                                .b = (uint8_t)p.b.class_,
                                .c = (uint8_t)other.class_,
                                .reversed = reversed};
    enum bytecode bytecode = cn_find_pair(wide ? DO_i64_step : DO_i32_step, branch, form);
    if (bytecode == BC_NONE)
        return false;
    *cell = emit_branch_pair(e, &p, bytecode, p.slot, halves(half(other), half(p.b)));
    return true;
}

static bool fuse_tested(struct emitter *e, enum operation branch, bool reversed,
                        struct operand other, uint32_t *cell) {
    struct producer p = e->before;
    if (p.first == DO_NONE || !fits_half(other, false) || !fits_operand(p.a) ||
        (!p.is_load && !fits_operand(p.b)))
        return false;
    enum bytecode bytecode = cn_find_pair(p.first, branch, pair_form(&p, other, reversed));
    if (bytecode == BC_NONE)
        return false;
    *cell = emit_branch_pair(e, &p, bytecode, slot_field(p.a),
                             halves(half(other), p.is_load ? p.load_offset : half(p.b)));
    if (p.is_load)
        belongs_to(e, &p);
    return true;
}

static bool is_slot(struct operand o, int32_t slot) {
    return cn_unpinned(o).class_ == CLASS_S && o.slot == slot;
}

bool cn_fuse_branch(struct emitter *e, enum operation branch, struct operand a, struct operand b,
                    uint32_t *cell) {
    const struct producer *p = &e->before;
    if (p->cell == NO_CELL || p->end != e->count || e->exhausted)
        return false;
    bool a_is_x = p->in_local ? is_slot(a, p->slot) : a.class_ == CLASS_A;
    bool b_is_x = p->in_local ? is_slot(b, p->slot) : b.class_ == CLASS_A;
    if (!a_is_x && !b_is_x)
        return false;
    struct operand other = a_is_x ? b : a;
    bool reversed = !a_is_x && !cn_commutes(branch);
    return p->in_local ? fuse_step(e, branch, reversed, other, cell)
                       : fuse_tested(e, branch, reversed, cn_unpinned(other), cell);
}

/* ---- globals ---- */

bool cn_fuse_global_set(struct emitter *e, int32_t x, uint32_t global) {
    struct producer p = e->last;
    if (!is_first(e, x) || (p.first != DO_i32_add && p.first != DO_i64_add))
        return false;
    enum operation operation =
        p.first == DO_i32_add ? DO_global_set_add32 : DO_global_set_add64;
    enum bytecode bytecode = cn_find(
        operation, (struct operand_form){.a = (uint8_t)p.a.class_, .b = (uint8_t)p.b.class_});
    if (bytecode == BC_NONE)
        return false;
    cn_emit_rollback(e, p.cell);
    uint64_t *at = cn_emit(e, bytecode, 3);
    at[1] = cn_fields_w(p.a.slot, 0, global);
    at[2] = p.b.constant;
    return true;
}

/* ---- br_table ---- */

uint64_t *cn_fuse_table(struct emitter *e, int32_t x, uint32_t addend, uint32_t entry_cells) {
    struct producer p = e->last;
    if (!is_first(e, x) || !p.is_load || p.explicit_)
        return NULL;
    enum bytecode bytecode = cn_find_pair(p.first, DO_br_table_add,
                                          (struct operand_form){.a = (uint8_t)p.a.class_});
    if (bytecode == BC_NONE)
        return NULL;
    cn_emit_rollback(e, p.cell);
    uint64_t *at = cn_emit(e, bytecode, 3 + entry_cells);
    at[1] = cn_fields(slot_field(p.a), 0, 0, 0);
    at[2] = halves(p.load_offset, addend);
    belongs_to(e, &p);
    return at;
}

/* ---- unconditional branches ---- */

/* A constant moves to a cell of its own, since the displacement takes w. */
static uint32_t jump_after_const(struct emitter *e, enum bytecode jump) {
    uint32_t cell = e->move.cell;
    uint64_t fields = e->cells[cell + 1];
    uint64_t constant = e->move.bytecode == BC_const32 ? fields >> 32 : e->cells[cell + 2];
    cn_emit_rollback(e, cell);
    uint64_t *at = cn_emit(e, jump, 3);
    at[1] = fields & 0xFFFF;
    at[2] = constant;
    return cell;
}

static bool jumps_after_move(struct emitter *e, uint32_t *cell) {
    enum bytecode jump = cn_join_move(e, BC_br);
    if (jump == BC_NONE)
        return false;
    *cell = e->move.cell;
    if (e->move.bytecode == BC_const32 || e->move.bytecode == BC_const64)
        *cell = jump_after_const(e, jump);
    else
        cn_emit_replace(e, *cell, jump);
    return true;
}

static bool jumps_after_add(struct emitter *e, uint32_t *cell) {
    struct producer p = e->last;
    if (p.cell == NO_CELL || p.end != e->count || p.is_load || e->exhausted ||
        !cn_is_narrow(p.slot) || !fits_operand(p.a) || !fits_operand(p.b))
        return false;
    enum operand_class to = pin_of(e, p.slot);
    struct operand_form form = {.d = (uint8_t)to, .a = (uint8_t)p.a.class_, .b = (uint8_t)p.b.class_};
    if (to != CLASS_S && p.a.class_ == CLASS_S && p.b.class_ == CLASS_K && p.a.slot == p.slot)
        form.a = (uint8_t)to;
    enum bytecode bytecode = cn_find_pair(p.first, DO_br, form);
    if (bytecode == BC_NONE)
        return false;
    cn_emit_rollback(e, p.cell);
    uint64_t *at = cn_emit(e, bytecode, 3);
    at[1] = cn_fields(p.slot, slot_field(p.a), 0, 0);
    at[2] = half(p.b);
    *cell = p.cell;
    return true;
}

uint32_t cn_emit_jump(struct emitter *e) {
    uint32_t cell = (uint32_t)e->count;
    if (!jumps_after_move(e, &cell) && !jumps_after_add(e, &cell))
        cn_emit(e, BC_br, 2);
    cn_emit_label(e);
    return cell;
}

/* ---- calls ---- */

static bool is_argument(uint64_t slot, int32_t first, uint32_t count) {
    return (int16_t)slot >= first && (int16_t)slot < first + (int64_t)count;
}

uint64_t *cn_fuse_call(struct emitter *e, int32_t first, uint32_t count) {
    enum bytecode bytecode = cn_join_move(e, BC_call);
    bool two = e->move.bytecode == BC_copy_pair;
    if (bytecode == BC_NONE)
        return NULL;
    uint64_t fields = e->cells[e->move.cell + 1];
    uint64_t to = fields & 0xFFFF, from = fields >> 16 & 0xFFFF;
    uint64_t to2 = fields >> 32 & 0xFFFF, from2 = fields >> 48;
    if (!is_argument(to, first, count) || (two && !is_argument(to2, first, count)))
        return NULL; /* the source of a copy may be gone when the call is made again */
    if (two && (to == from2 || to2 == from))
        return NULL; /* when the call is made again, so are the copies */
    cn_emit_rollback(e, e->move.cell);
    uint64_t *at = cn_emit(e, bytecode, two ? 4 : 3);
    at[1] = to | from << 16;
    if (two)
        at[3] = to2 | from2 << 32;
    return at;
}
