/* The families of bytecode/bytecode.def: which variant of an instruction fits its operands. */
#include "translate/emit.h"

static int32_t near_operand(struct emitter *e, struct operand o, unsigned which) {
    return o.class_ == CLASS_S ? cn_near(e, o.slot, false, which) : 0;
}

static void exchange(struct operand *a, struct operand *b) {
    struct operand other = *a;
    *a = *b;
    *b = other;
}

/* ---- variants without pins ---- */

static unsigned choose_sources(bool commutes, struct operand *a, struct operand *b) {
    static const uint8_t variant[3][3] = {
        /* b:          S       K       A */
        [CLASS_S] = {SRC_SS, SRC_SK, SRC_SA},
        [CLASS_K] = {SRC_KS, SRC_COUNT, SRC_KA},
        [CLASS_A] = {SRC_AS, SRC_AK, SRC_COUNT},
    };
    unsigned sources = variant[a->class_][b->class_];
    if (commutes && (sources == SRC_KS || sources == SRC_SA || sources == SRC_KA)) {
        exchange(a, b);
        sources = variant[a->class_][b->class_];
    }
    return sources;
}

/* ---- variants with pins ---- */

/* The family of bytecode/bytecode_pins.def that has the variants of a family with p and q. Not within a
 * function, where clang-tidy would take minutes over it. */
static const uint16_t pin_families[BC_COUNT] = {
#define PIN_BIN(name, R, T, order, ...) [BC_##name] = BC_pin_##name,
#define PIN_LOAD(name, R, access) [BC_##name] = BC_pin_##name,
#define PIN_LOAD_ADDRESS(name, R, access) [BC_##name] = BC_pin_##name,
#define PIN_STORE(name, T, access) [BC_##name] = BC_pin_##name,
#define PIN_STORE_ADDRESS(name, T, access) [BC_##name] = BC_pin_##name,
#define PIN_STORE_VECTOR(name, T, access) [BC_##name] = BC_pin_##name,
#define PIN_CMP(name, T, order, ...) [BC_##name] = BC_pin_##name,
#include "bytecode/bytecode_pins.def"
};

static bool is_pin(struct operand o) { return o.class_ == CLASS_P || o.class_ == CLASS_Q; }

/* The variant with these letters (bytecode/pins.h), or BC_NONE. `selector` is what comes before the two
 * letters: the destination of a BIN, whether a LOAD or STORE checks bounds, nothing (0) of a CMP. */
static enum bytecode pin_variant(const struct emitter *e, enum bytecode family, uint32_t selector,
                                 enum operand_class first, enum operand_class second) {
    uint32_t base = e->pins && family < BC_COUNT ? pin_families[family] : BC_NONE;
    uint32_t index =
        (selector * PIN_LETTERS + (uint32_t)first) * PIN_LETTERS + (uint32_t)second;
    if (base == BC_NONE || !e->handlers[base + 1 + index])
        return BC_NONE;
    return (enum bytecode)(base + 1 + index);
}

/* Orders the operands as variants with pins have them. The variant; or BC_NONE, with the operands
 * unpinned, when there is none. */
static enum bytecode choose_pins(const struct emitter *e, enum bytecode family, bool commutes,
                                 uint32_t selector, struct operand *a, struct operand *b) {
    if (!is_pin(*a) && !is_pin(*b))
        return BC_NONE;
    if (a->class_ == b->class_)
        *b = cn_unpinned(*b);
    if (commutes && (!is_pin(*a) || (a->class_ == CLASS_Q && b->class_ == CLASS_P)))
        exchange(a, b);
    enum bytecode bytecode = pin_variant(e, family, selector, a->class_, b->class_);
    if (bytecode == BC_NONE) {
        *a = cn_unpinned(*a);
        *b = cn_unpinned(*b);
    }
    return bytecode;
}

static void set_pin_variants(struct emitter *e, enum bytecode family, uint32_t selector_or_first,
                             enum operand_class x, enum operand_class y, bool is_load) {
    for (unsigned pin = 0; pin < 2; pin++) {
        enum operand_class to = pin ? CLASS_Q : CLASS_P;
        e->last.to_pin[pin] = is_load ? pin_variant(e, family, selector_or_first, to, x)
                                      : pin_variant(e, family, to, x, y);
    }
}

/* ---- two operands ---- */

/* What fuse.c needs to take an operation back and say it as the first of a pair. */
static void can_be_first(struct emitter *e, enum bytecode family, bool commutes, struct operand a,
                         struct operand b) {
    static const uint8_t pair_sources[SRC_COUNT] = {[SRC_SS] = PAIR_SS + 1,
                                                    [SRC_SK] = PAIR_SK + 1,
                                                    [SRC_AS] = PAIR_AS + 1,
                                                    [SRC_AK] = PAIR_AK + 1};
    a = cn_unpinned(a);
    b = cn_unpinned(b);
    unsigned sources = choose_sources(commutes, &a, &b);
    if (sources == SRC_COUNT || !pair_sources[sources])
        return;
    e->last.first = family;
    e->last.sources = pair_sources[sources] - 1;
    e->last.a = a;
    e->last.b = b;
}

void cn_emit_bin(struct emitter *e, struct operation operation, struct operand a,
                 struct operand b) {
    enum bytecode family = (enum bytecode)operation.family;
    bool commutes = operation.commutes, wide_const = operation.wide_const;
    int32_t to = operation.to;
    struct operand a_was = a, b_was = b;
    if (operation.compares && e->last.cell != NO_CELL)
        e->before = e->last;
    enum bytecode bytecode = choose_pins(e, family, commutes, CLASS_S, &a, &b);
    bool pinned = bytecode != BC_NONE;
    if (!pinned)
        bytecode = (enum bytecode)(family + choose_sources(commutes, &a, &b));
    bool has_const = a.class_ == CLASS_K || b.class_ == CLASS_K;
    uint64_t constant = a.class_ == CLASS_K ? a.constant : b.constant;
    int32_t o1 = near_operand(e, a, 0), o2 = near_operand(e, b, 1);
    if ((pinned || has_const) && a.class_ != CLASS_S)
        o1 = o2; /* the only slot */
    int32_t target = cn_to_begin(e, to, false);
    uint32_t cell = (uint32_t)e->count;
    uint64_t *at = cn_emit(e, bytecode, has_const && wide_const ? 3 : 2);
    if (!has_const) {
        at[1] = cn_fields(target, o1, o2, 0);
    } else {
        at[1] = cn_fields_w(target, o1, wide_const ? 0 : (uint32_t)constant);
        if (wide_const)
            at[2] = constant;
    }
    cn_produced(e, cell, to,
                pinned ? pin_variant(e, family, CLASS_A, a.class_, b.class_)
                       : (enum bytecode)(bytecode + SRC_COUNT));
    if (e->last.cell == cell) {
        if (operation.compares) {
            e->last.compare = family;
            e->last.a = a_was;
            e->last.b = b_was;
        } else {
            can_be_first(e, family, commutes, a_was, b_was);
            set_pin_variants(e, family, 0, a.class_, b.class_, false);
        }
    }
    cn_to_end(e);
}

uint32_t cn_emit_branch(struct emitter *e, enum bytecode family, bool commutes, struct operand a,
                        struct operand b) {
    enum bytecode bytecode = choose_pins(e, family, commutes, 0, &a, &b);
    bool pinned = bytecode != BC_NONE;
    if (!pinned)
        bytecode = (enum bytecode)(family + choose_sources(commutes, &a, &b));
    bool has_const = a.class_ == CLASS_K || b.class_ == CLASS_K;
    int32_t o0 = near_operand(e, a, 0), o1 = near_operand(e, b, 1);
    if ((pinned || a.class_ == CLASS_K) && a.class_ != CLASS_S)
        o0 = o1; /* the only slot */
    uint32_t cell = (uint32_t)e->count;
    uint64_t *at = cn_emit(e, bytecode, has_const ? 3 : 2);
    at[1] = cn_fields(o0, o1, 0, 0);
    if (has_const)
        at[2] = a.class_ == CLASS_K ? a.constant : b.constant;
    e->last.cell = NO_CELL;
    return cell;
}

/* ---- one operand ---- */

void cn_emit_un(struct emitter *e, enum bytecode family, int32_t to, struct operand a) {
    bool acc = a.class_ == CLASS_A;
    int32_t source = near_operand(e, cn_unpinned(a), 0);
    int32_t target = cn_to_begin(e, to, false);
    uint32_t cell = (uint32_t)e->count;
    cn_emit(e, (enum bytecode)(family + acc), 2)[1] = cn_fields(target, source, 0, 0);
    cn_produced(e, cell, to, (enum bytecode)(family + 2 + acc));
    cn_to_end(e);
}

/* ---- linear memory ---- */

void cn_emit_load(struct emitter *e, enum bytecode family, bool explicit_, int32_t to,
                  struct operand address, uint32_t offset) {
    enum bytecode bytecode = BC_NONE, to_acc;
    if (is_pin(address))
        bytecode = pin_variant(e, family, explicit_, CLASS_S, address.class_);
    if (bytecode != BC_NONE) {
        to_acc = pin_variant(e, family, explicit_, CLASS_A, address.class_);
    } else {
        address = cn_unpinned(address);
        bytecode = (enum bytecode)(family + (explicit_ ? 4 : 0) + (address.class_ == CLASS_A));
        to_acc = (enum bytecode)(bytecode + 2);
    }
    int32_t source = near_operand(e, address, 0);
    int32_t target = cn_to_begin(e, to, cn_is_vector(family));
    uint32_t cell = (uint32_t)e->count;
    cn_emit(e, bytecode, 2)[1] = cn_fields_w(target, source, offset);
    cn_produced(e, cell, to, to_acc);
    if (e->last.cell == cell) {
        e->last.first = family;
        e->last.is_load = true;
        e->last.explicit_ = explicit_;
        e->last.load_offset = offset;
        e->last.a = cn_unpinned(address);
        set_pin_variants(e, family, explicit_, address.class_, CLASS_S, true);
    }
    cn_to_end(e);
}

void cn_emit_store(struct emitter *e, enum bytecode family, bool explicit_, struct operand value,
                   struct operand address, uint32_t offset) {
    static const uint8_t variant[3][3] = {
        /* address:      S         K            A */
        [CLASS_S] = {STORE_SS, STORE_COUNT, STORE_SA},
        [CLASS_K] = {STORE_KS, STORE_COUNT, STORE_KA},
        [CLASS_A] = {STORE_AS, STORE_COUNT, STORE_COUNT},
    };
    if (value.class_ == address.class_)
        value = cn_unpinned(value);
    enum bytecode bytecode = BC_NONE;
    if (is_pin(value) || is_pin(address))
        bytecode = pin_variant(e, family, explicit_, value.class_, address.class_);
    if (bytecode == BC_NONE) {
        value = cn_unpinned(value);
        address = cn_unpinned(address);
        bytecode = (enum bytecode)(family + (explicit_ ? STORE_COUNT : 0) +
                                   variant[value.class_][address.class_]);
    }
    int32_t o0 = value.class_ == CLASS_S ? cn_near(e, value.slot, cn_is_vector(family), 0) : 0;
    int32_t o1 = near_operand(e, address, 1);
    bool constant = value.class_ == CLASS_K;
    uint64_t *at = cn_emit(e, bytecode, constant ? 3 : 2);
    at[1] = cn_fields_w(o0, o1, offset);
    if (constant)
        at[2] = value.constant;
    e->last.cell = NO_CELL;
}
