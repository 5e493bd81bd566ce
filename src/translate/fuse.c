#include "translate/fuse.h"

/* The operations that can be first or second. */
#define CODES(X)                                                                                   \
    X(i32_add) X(i32_sub) X(i32_mul) X(i32_and) X(i32_or) X(i32_xor) X(i32_shl) X(i32_shr_s)       \
    X(i32_shr_u) X(i64_add) X(i64_sub) X(i64_mul) X(i64_and) X(i64_or) X(i64_xor) X(i64_shl)       \
    X(i64_shr_u) X(i64_rotl) X(f64_add) X(f64_sub) X(f64_mul) X(i32_load) X(i32_load8_s)           \
    X(i32_load8_u) X(i32_load16_s) X(i32_load16_u) X(i64_load) X(f32_load) X(f64_load)             \
    X(v128_load)                                                                                   \
    X(br_i32_eq) X(br_i32_ne) X(br_i32_lt_s) X(br_i32_lt_u) X(br_i32_le_s) X(br_i32_le_u)          \
    X(br_i64_eq) X(br_i64_ne) X(br_i64_lt_s) X(br_i64_lt_u) X(br_i64_le_s) X(br_i64_le_u)
enum pair_code {
    PC_NONE,
#define CODE(name) PC_##name,
    CODES(CODE)
#undef CODE
    PC_f64_rsub, /* f64_sub with the value on the right */
    PC_i32_step, /* i32_add that went into a local */
    PC_i64_step,
    PAIR_CODES
};

static const uint8_t code_of[BC_COUNT] = {
#define CODE(name) [BC_##name] = PC_##name,
    CODES(CODE)
#undef CODE
};

/* The family of a pair, by first and second. */
static const uint16_t families[PAIR_CODES][PAIR_CODES] = {
#define SECOND_I32(second) PC_i32_##second
#define SECOND_I64(second) PC_i64_##second
#define SECOND_F64(second) PC_f64_##second
#define PAIR(t, T, first, e1, second, e2)                                                          \
    [PC_##t##_##first][PC_##t##_##second] = BC_##t##_##first##_##second,
#define PAIR_LOAD(name, R, access) [PC_i32_add][PC_##name] = BC_##name##_at,
#define LOAD_PAIR(load, T, access, second, e2)                                                     \
    [PC_##load][SECOND_##T(second)] = BC_##load##_##second,
#define PAIR_BRANCH(first, e1, compare, e2) [PC_##first][PC_##compare] = BC_##first##_##compare,
#define LOAD_BRANCH(load, access, compare, e2) [PC_##load][PC_##compare] = BC_##load##_##compare,
#define STEP_BRANCH(t, T, compare, e2) [PC_##t##_step][PC_##compare] = BC_##t##_step_##compare,
#include "bytecode/bytecode_pairs.def"
};

static bool fits_slot(int32_t slot) { return slot <= INT16_MAX; }
static bool fits_operand(struct operand o) { return o.class_ != CLASS_S || fits_slot(o.slot); }

/* The latest instruction, when it can be taken back as the first of a pair that produces `x`. */
static bool is_first(const struct emitter *e, int32_t x) {
    const struct producer *p = &e->last;
    return p->cell != NO_CELL && !p->in_local && p->slot == x && p->end == e->count &&
           p->first != BC_NONE && fits_operand(p->a) && fits_operand(p->b) && !e->exhausted;
}

/* The variant, if it is built. */
static bool variant(const struct emitter *e, uint32_t family, uint32_t index, enum bytecode *out) {
    *out = (enum bytecode)(family + 1 + index);
    return family != BC_NONE && e->handlers[*out] != 0;
}

/* A trap of the first instruction is to be found where that was. */
static void belongs_to(struct emitter *e, const struct producer *first) {
    if (e->map && e->map->count) {
        struct source_map_entry *entry = &e->map->entries[e->map->count - 1];
        entry->offset = first->offset;
        entry->fuel_so_far = first->fuel_so_far;
    }
}

static uint64_t *emit_pair(struct emitter *e, enum bytecode bytecode, enum bytecode to_acc,
                           uint32_t cells, int32_t to, bool wide) {
    uint32_t cell = (uint32_t)e->count;
    int32_t target = cn_to_begin(e, to, wide);
    uint64_t *at = cn_emit(e, bytecode, cells);
    at[1] = cn_fields(target, 0, 0, 0);
    cn_produced(e, cell, to, to_acc);
    return at;
}

static int32_t slot_field(struct operand o) { return o.class_ == CLASS_S ? o.slot : 0; }
static uint32_t half(struct operand o) {
    o = cn_unpinned(o);
    return o.class_ == CLASS_K ? (uint32_t)o.constant : (uint16_t)slot_field(o);
}
static uint64_t halves(uint32_t low, uint32_t high) { return low | (uint64_t)high << 32; }

/* PAIR: see PAIR_FIELDS in exec/handlers_pairs.inc. */
static bool fuse_two(struct emitter *e, uint32_t family, bool wide_const, int32_t to,
                     struct operand other) {
    struct producer p = e->last;
    bool first_k = p.b.class_ == CLASS_K, second_k = other.class_ == CLASS_K;
    uint32_t index = p.sources * 2u + second_k;
    uint32_t cells = wide_const ? 2u + first_k + second_k : 2u + (first_k || second_k);
    enum bytecode bytecode;
    if (!variant(e, family, index, &bytecode))
        return false;
    cn_emit_rollback(e, p.cell);
    uint64_t *at = emit_pair(e, bytecode, (enum bytecode)(bytecode + 8), cells, to, false);
    at[1] |= cn_fields(0, slot_field(p.a), slot_field(p.b), slot_field(other));
    if (!wide_const && cells > 2) {
        at[2] = halves(first_k ? (uint32_t)p.b.constant : 0, second_k ? (uint32_t)other.constant : 0);
    } else {
        if (first_k)
            at[2] = p.b.constant;
        if (second_k)
            at[2 + first_k] = other.constant;
    }
    return true;
}

/* LOAD_PAIR */
static bool fuse_loaded(struct emitter *e, uint32_t family, bool wide_const, int32_t to,
                        struct operand other) {
    struct producer p = e->last;
    bool acc = p.a.class_ == CLASS_A, constant = other.class_ == CLASS_K;
    enum bytecode bytecode;
    if (!variant(e, family, p.explicit_ * 8u + acc * 2u + constant, &bytecode))
        return false;
    cn_emit_rollback(e, p.cell);
    uint64_t *at = emit_pair(e, bytecode, (enum bytecode)(bytecode + 4), 3, to, false);
    at[1] |= cn_fields_w(0, slot_field(p.a), p.load_offset);
    at[2] = constant && wide_const ? other.constant : half(other);
    belongs_to(e, &p);
    return true;
}

bool cn_fuse_bin(struct emitter *e, enum bytecode family, bool commutes, bool x_right, int32_t x,
                 int32_t to, struct operand other) {
    uint8_t second = code_of[family];
    if (!is_first(e, x) || !fits_slot(to) || !fits_operand(other))
        return false;
    if (x_right && !commutes) {
        if (second != PC_f64_sub)
            return false;
        second = PC_f64_rsub;
    }
    uint8_t first = code_of[e->last.first];
    bool wide_const = first >= PC_i64_add && first <= PC_f64_mul;
    if (first == PC_i64_load || first == PC_f64_load)
        wide_const = true;
    uint32_t pair = families[first][second];
    return e->last.is_load ? fuse_loaded(e, pair, wide_const, to, other)
                           : fuse_two(e, pair, wide_const, to, other);
}

bool cn_fuse_load(struct emitter *e, enum bytecode family, bool explicit_, int32_t x, int32_t to,
                  uint32_t offset) {
    enum bytecode bytecode;
    if (!is_first(e, x) || e->last.is_load || !fits_slot(to) ||
        !variant(e, families[code_of[e->last.first]][code_of[family]],
                 explicit_ * 8u + e->last.sources, &bytecode))
        return false;
    struct producer p = e->last;
    cn_emit_rollback(e, p.cell);
    uint64_t *at = emit_pair(e, bytecode, (enum bytecode)(bytecode + 4), 3, to,
                             cn_is_vector(family));
    at[1] |= cn_fields_w(0, slot_field(p.a), offset);
    at[2] = half(p.b);
    return true;
}

/* ---- vectors ---- */

/* The pair of the latest instruction and `second`, in bytecode/bytecode_simd.def, or BC_NONE. */
static enum bytecode vector_pair(enum bytecode first, enum bytecode second) {
    static const struct {
        uint16_t first, second, pair;
    } pairs[] = {
        {BC_NONE, BC_NONE, BC_NONE}, /* the small form has no others */
#define V_PAIRS_ONLY
#define VPAIR(name, first, second, T, e1, e2) {BC_##first, BC_##second, BC_##name},
#define VPAIR_TEST(name, first, second, T, e1, e2) {BC_##first, BC_##second, BC_##name},
#define VPAIR_LOAD(name, second, T, e2) {BC_v128_load, BC_##second, BC_##name},
#include "bytecode/bytecode_simd.def"
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i].first == first && pairs[i].second == second)
            return (enum bytecode)pairs[i].pair;
    return BC_NONE;
}

bool cn_fuse_vector(struct emitter *e, enum bytecode second, int32_t x, int32_t other, int32_t to,
                    bool wide) {
    if (!is_first(e, x) || !fits_slot(to) || !fits_slot(other))
        return false;
    struct producer p = e->last;
    bool acc = p.a.class_ == CLASS_A;
    enum bytecode bytecode = vector_pair(p.first, second);
    if (bytecode == BC_NONE || (p.is_load && p.load_offset > UINT16_MAX))
        return false;
    bytecode += (p.is_load ? p.explicit_ * 4u : 0) + acc;
    if (!e->handlers[bytecode])
        return false;
    cn_emit_rollback(e, p.cell);
    uint64_t *at = emit_pair(e, bytecode, bytecode + 2, 2, to, wide);
    at[1] |= p.is_load ? cn_fields(0, slot_field(p.a), other, (int32_t)p.load_offset)
                       : cn_fields(0, slot_field(p.a), slot_field(p.b), other);
    if (p.is_load)
        belongs_to(e, &p);
    return true;
}

/* ---- branches ---- */

static bool fits_half(struct operand o, bool wide) {
    if (o.class_ == CLASS_K)
        return !wide || (int64_t)o.constant == (int32_t)(int64_t)o.constant;
    return o.class_ == CLASS_S && fits_slot(o.slot);
}

static uint32_t emit_branch_pair(struct emitter *e, enum bytecode bytecode, int32_t o0,
                                 uint64_t cell2) {
    uint64_t *at = cn_emit(e, bytecode, 3);
    at[1] = cn_fields(o0, 0, 0, 0);
    at[2] = cell2;
    return (uint32_t)e->count - 3;
}

/* The same of a pinned local, whose register must be written. */
static enum bytecode pinned_step(const struct emitter *e, const struct producer *p,
                                 enum bytecode family, bool right, struct operand other) {
    static const uint16_t steps[BC_COUNT] = {
#define PIN_STEP(t, T, compare, e2) [BC_##compare] = BC_pin_##t##_step_##compare,
#include "bytecode/bytecode_pins.def"
    };
    unsigned c = other.class_ == CLASS_S ? 0 : other.class_ == CLASS_K ? 1 : 2;
    uint32_t index = (p->slot == FRAME_PIN_Q) * 12u + (p->b.class_ == CLASS_K) * 6u + right * 3u + c;
    uint32_t bytecode = steps[family] + 1u + index;
    return steps[family] != BC_NONE && e->handlers[bytecode] ? (enum bytecode)bytecode : BC_NONE;
}

/* A local stepped by a constant or another slot, then compared. */
static bool fuse_step(struct emitter *e, enum bytecode family, unsigned order,
                      struct operand other, uint32_t *cell) {
    struct producer p = e->before;
    bool wide = p.first == BC_i64_add;
    enum bytecode bytecode;
    if ((!wide && p.first != BC_i32_add) || (p.sources != PAIR_SK && p.sources != PAIR_SS))
        return false;
    if (p.sources == PAIR_SS && p.b.slot == p.slot) { /* the step may be on either side */
        struct operand exchanged = p.a;
        p.a = p.b;
        p.b = exchanged;
    }
    if (p.a.slot != p.slot || !fits_half(p.b, wide) || !fits_half(cn_unpinned(other), wide))
        return false;
    if (e->pins && (p.slot == FRAME_PIN_P || p.slot == FRAME_PIN_Q)) {
        if (other.class_ == (p.slot == FRAME_PIN_P ? CLASS_P : CLASS_Q))
            other = cn_unpinned(other); /* the stepped one itself: its slot is written by then */
        bytecode = pinned_step(e, &p, family, order >= ORDER_RS, other);
        if (bytecode == BC_NONE)
            return false;
    } else {
        other = cn_unpinned(other);
        if (!variant(e, families[wide ? PC_i64_step : PC_i32_step][code_of[family]],
                     (p.b.class_ == CLASS_K) * 4u + order, &bytecode))
            return false;
    }
    cn_emit_rollback(e, p.cell);
    *cell = emit_branch_pair(e, bytecode, p.slot, halves(half(other), half(p.b)));
    return true;
}

static bool fuse_tested(struct emitter *e, enum bytecode family, unsigned order,
                        struct operand other, uint32_t *cell) {
    struct producer p = e->before;
    enum bytecode bytecode;
    uint32_t index = p.is_load ? p.explicit_ * 8u + (p.a.class_ == CLASS_A) * 4u + order
                               : p.sources * 4u + order;
    if (p.first == BC_NONE || !fits_half(other, false) || !fits_operand(p.a) ||
        (!p.is_load && !fits_operand(p.b)) ||
        !variant(e, families[code_of[p.first]][code_of[family]], index, &bytecode))
        return false;
    cn_emit_rollback(e, p.cell);
    *cell =
        emit_branch_pair(e, bytecode, slot_field(p.a),
                         halves(half(other), p.is_load ? p.load_offset : half(p.b)));
    if (p.is_load)
        belongs_to(e, &p);
    return true;
}

static bool is_slot(struct operand o, int32_t slot) {
    return cn_unpinned(o).class_ == CLASS_S && o.slot == slot;
}

bool cn_fuse_branch(struct emitter *e, enum bytecode family, bool commutes, struct operand a,
                    struct operand b, uint32_t *cell) {
    const struct producer *p = &e->before;
    if (p->cell == NO_CELL || p->end != e->count || e->exhausted)
        return false;
    bool a_is_x = p->in_local ? is_slot(a, p->slot) : a.class_ == CLASS_A;
    bool b_is_x = p->in_local ? is_slot(b, p->slot) : b.class_ == CLASS_A;
    if (!a_is_x && !b_is_x)
        return false;
    struct operand other = a_is_x ? b : a;
    unsigned order = (a_is_x || commutes ? ORDER_FS : ORDER_RS) + (other.class_ == CLASS_K);
    return p->in_local ? fuse_step(e, family, order, other, cell)
                       : fuse_tested(e, family, order, cn_unpinned(other), cell);
}

/* ---- globals ---- */

bool cn_fuse_global_set(struct emitter *e, int32_t x, uint32_t global) {
    struct producer p = e->last;
    if (!is_first(e, x) || p.is_load || p.sources != PAIR_SK ||
        (p.first != BC_i32_add && p.first != BC_i64_add) || !e->handlers[BC_global_set_add32])
        return false;
    cn_emit_rollback(e, p.cell);
    uint64_t *at = cn_emit(
        e, p.first == BC_i32_add ? BC_global_set_add32 : BC_global_set_add64, 3);
    at[1] = cn_fields_w(p.a.slot, 0, global);
    at[2] = p.b.constant;
    return true;
}

/* ---- br_table ---- */

uint64_t *cn_fuse_table(struct emitter *e, int32_t x, uint32_t addend, uint32_t entry_cells) {
    struct producer p = e->last;
    if (!is_first(e, x) || !p.is_load || p.explicit_)
        return NULL;
    enum bytecode bytecode = p.first == BC_i32_load      ? BC_i32_load_br_table_g_s
                             : p.first == BC_i32_load8_u ? BC_i32_load8_u_br_table_g_s
                                                         : BC_NONE;
    bytecode += p.a.class_ == CLASS_A;
    if (bytecode < BC_i32_load_br_table_g_s || !e->handlers[bytecode])
        return NULL;
    cn_emit_rollback(e, p.cell);
    uint64_t *at = cn_emit(e, bytecode, 3 + entry_cells);
    at[1] = cn_fields(slot_field(p.a), 0, 0, 0);
    at[2] = halves(p.load_offset, addend);
    belongs_to(e, &p);
    return at;
}

/* ---- unconditional branches ---- */

/* A constant lies in a cell of its own when w is a displacement. */
static uint32_t jump_after_const(struct emitter *e) {
    uint32_t cell = e->move.cell;
    uint64_t fields = e->cells[cell + 1];
    uint64_t constant = e->move.bytecode == BC_const32 ? fields >> 32 : e->cells[cell + 2];
    cn_emit_rollback(e, cell);
    uint64_t *at = cn_emit(e, BC_const_br, 3);
    at[1] = fields & 0xFFFF;
    at[2] = constant;
    return cell;
}

static bool jumps_after_move(struct emitter *e, uint32_t *cell) {
    static const struct {
        uint16_t move, jump;
    } pairs[] = {{BC_copy, BC_copy_br},       {BC_const32, BC_const_br},
                 {BC_const64, BC_const_br},   {BC_set_p, BC_set_p_br},
                 {BC_set_q, BC_set_q_br},     {BC_set_p_k, BC_set_p_k_br},
                 {BC_set_q_k, BC_set_q_k_br}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!cn_is_move(e, (enum bytecode)pairs[i].move) || !e->handlers[pairs[i].jump])
            continue;
        *cell = e->move.cell;
        if (pairs[i].jump == BC_const_br)
            *cell = jump_after_const(e);
        else
            cn_emit_replace(e, *cell, (enum bytecode)pairs[i].jump);
        return true;
    }
    return false;
}

/* The variant of i32_add_br for the latest instruction, an addition, or BC_NONE. */
static enum bytecode add_jump(const struct emitter *e, const struct producer *p) {
    static const uint16_t slots[] = {BC_i32_add_br_s_ss, BC_i32_add_br_s_sk, BC_i32_add_br_s_as,
                                     BC_i32_add_br_s_ak};
    static const uint16_t pins[][4] = {{BC_i32_add_br_p_ss, BC_i32_add_br_p_sk,
                                        BC_i32_add_br_p_as, BC_i32_add_br_p_ak},
                                       {BC_i32_add_br_q_ss, BC_i32_add_br_q_sk,
                                        BC_i32_add_br_q_as, BC_i32_add_br_q_ak}};
    if (!e->pins || (p->slot != FRAME_PIN_P && p->slot != FRAME_PIN_Q))
        return (enum bytecode)slots[p->sources];
    bool q = p->slot == FRAME_PIN_Q;
    if (p->sources == PAIR_SK && p->a.slot == p->slot)
        return q ? BC_i32_add_br_q_qk : BC_i32_add_br_p_pk;
    return (enum bytecode)pins[q][p->sources];
}

static bool jumps_after_add(struct emitter *e, uint32_t *cell) {
    struct producer p = e->last;
    if (p.cell == NO_CELL || p.end != e->count || p.is_load || p.first != BC_i32_add ||
        e->exhausted || !fits_slot(p.slot) || !fits_operand(p.a) || !fits_operand(p.b))
        return false;
    enum bytecode bytecode = add_jump(e, &p);
    if (!e->handlers[bytecode])
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
    bool two = cn_is_move(e, BC_copy_pair);
    enum bytecode bytecode = two ? BC_call_copy_pair : BC_call_copy;
    if ((!two && !cn_is_move(e, BC_copy)) || !e->handlers[bytecode])
        return NULL;
    uint64_t fields = e->cells[e->move.cell + 1];
    uint64_t to = fields & 0xFFFF, from = fields >> 16 & 0xFFFF;
    uint64_t to2 = fields >> 32 & 0xFFFF, from2 = fields >> 48;
    if (!is_argument(to, first, count) || (two && !is_argument(to2, first, count)))
        return NULL; /* what a copy was made from may be gone when the call is made again */
    if (two && (to == from2 || to2 == from))
        return NULL; /* when the call is made again, so are the copies */
    cn_emit_rollback(e, e->move.cell);
    uint64_t *at = cn_emit(e, bytecode, two ? 4 : 3);
    at[1] = to | from << 16;
    if (two)
        at[3] = to2 | from2 << 32;
    return at;
}
