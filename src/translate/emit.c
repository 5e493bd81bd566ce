#include "translate/emit.h"

#include <string.h>

#define MAX_CELLS (UINT32_C(1) << 28)
#define NEAR_LIMIT INT16_MAX

void cn_source_map_free(struct source_map *map) {
    cn_free(map->alloc, map->entries, map->capacity * sizeof *map->entries);
    map->entries = NULL;
    map->count = map->capacity = 0;
}

static void record(struct emitter *e, uint32_t cell, enum bytecode bytecode) {
    struct source_map *map = e->map;
    void *entries = map->entries;
    if (!cn_grow(map->alloc, &entries, &map->capacity, map->count + 1, sizeof *map->entries)) {
        e->exhausted = true;
        return;
    }
    map->entries = entries;
    map->entries[map->count++] = (struct source_map_entry){
        .cell = cell,
        .offset = e->offset,
        .fuel_cell = e->fuel_cell,
        .fuel_so_far = e->fuel_cost,
        .bytecode = (uint16_t)bytecode,
    };
}

uint64_t *cn_emit(struct emitter *e, enum bytecode bytecode, uint32_t cells) {
    void *buffer = e->cells;
    if (e->exhausted || e->count + cells > MAX_CELLS ||
        !cn_grow(e->alloc, &buffer, &e->capacity, e->count + cells, sizeof *e->cells)) {
        e->exhausted = true;
        return e->sink;
    }
    e->cells = buffer;
    uint64_t *at = e->cells + e->count;
    memset(at, 0, cells * sizeof *at);
    *at = e->handlers[bytecode];
    if (e->map)
        record(e, (uint32_t)e->count, bytecode);
    e->count += cells;
    return at;
}

void cn_emit_rollback(struct emitter *e, uint32_t cell) {
    e->count = cell;
    e->last.cell = NO_CELL;
    if (e->before.cell != NO_CELL && e->before.end > cell)
        e->before.cell = NO_CELL;
    while (e->map && e->map->count > 0 && e->map->entries[e->map->count - 1].cell >= cell)
        e->map->count--;
}

void cn_emit_label(struct emitter *e) { e->last.cell = e->before.cell = NO_CELL; }

/* ---- slots out of reach ---- */

static bool is_near(int32_t slot) { return slot <= NEAR_LIMIT; }

int32_t cn_near(struct emitter *e, int32_t slot, bool wide, unsigned which) {
    if (is_near(slot))
        return slot;
    if (!e->scratch) {
        e->needs_scratch = true;
        return 0;
    }
    int32_t scratch = e->scratch + 2 * (int32_t)which;
    cn_emit(e, wide ? BC_far_get2 : BC_far_get, 2)[1] = cn_fields_w(scratch, 0, (uint32_t)slot);
    return scratch;
}

int32_t cn_to_begin(struct emitter *e, int32_t slot, bool wide) {
    uint32_t end = slot < 0 ? 0 : (uint32_t)slot + (wide ? 2 : 1);
    if (end > e->max_slot)
        e->max_slot = end;
    if (slot == e->last.slot)
        e->last.cell = NO_CELL; /* what it produced is written over */
    e->far_to = 0;
    if (is_near(slot))
        return slot;
    if (!e->scratch) {
        e->needs_scratch = true;
        return 0;
    }
    e->far_to = slot;
    e->far_wide = wide;
    return e->scratch + 6;
}

void cn_to_end(struct emitter *e) {
    if (!e->far_to)
        return;
    cn_emit(e, e->far_wide ? BC_far_set2 : BC_far_set, 2)[1] =
        cn_fields_w(e->scratch + 6, 0, (uint32_t)e->far_to);
    e->far_to = 0;
    e->last.cell = NO_CELL;
}

/* ---- moves: none of these touches an accumulator, so `last` stays ---- */

void cn_emit_copy(struct emitter *e, int32_t to, int32_t from, bool wide) {
    int32_t source = cn_near(e, from, wide, 0);
    int32_t target = cn_to_begin(e, to, wide);
    cn_emit(e, wide ? BC_copy2 : BC_copy, 2)[1] = cn_fields(target, source, 0, 0);
    cn_to_end(e);
}

void cn_emit_const(struct emitter *e, int32_t to, uint64_t value, bool wide_type) {
    int32_t target = cn_to_begin(e, to, false);
    if (wide_type && value > UINT32_MAX) {
        uint64_t *at = cn_emit(e, BC_const64, 3);
        at[1] = cn_fields(target, 0, 0, 0);
        at[2] = value;
    } else {
        cn_emit(e, BC_const32, 2)[1] = cn_fields_w(target, 0, (uint32_t)value);
    }
    cn_to_end(e);
}

/* ---- the accumulator and retargeting ---- */

bool cn_can_accumulate(const struct emitter *e, int32_t slot) {
    return e->last.cell != NO_CELL && e->last.slot == slot && !e->last.in_local &&
           e->last.to_acc != BC_NONE;
}

void cn_accumulate(struct emitter *e) {
    if (!e->exhausted) {
        e->cells[e->last.cell] = e->handlers[e->last.to_acc];
        for (size_t i = e->map ? e->map->count : 0; i-- > 0;) {
            if (e->map->entries[i].cell == e->last.cell) {
                e->map->entries[i].bytecode = (uint16_t)e->last.to_acc;
                break;
            }
        }
    }
    e->before = e->last;
    e->last.cell = NO_CELL;
}

bool cn_retarget(struct emitter *e, int32_t from, int32_t to) {
    if (e->last.cell == NO_CELL || e->last.slot != from || e->last.in_local ||
        e->last.end != e->count || !is_near(to))
        return false;
    if (!e->exhausted) {
        uint64_t *fields = &e->cells[e->last.cell + 1];
        *fields = (*fields & ~UINT64_C(0xFFFF)) | (uint16_t)to;
    }
    e->last.slot = to;
    e->last.in_local = true;
    return true;
}

void cn_produced(struct emitter *e, uint32_t cell, int32_t to, enum bytecode to_acc) {
    e->last.cell = NO_CELL;
    if (e->far_to || e->exhausted)
        return;
    e->last = (struct producer){
        .cell = cell,
        .end = (uint32_t)e->count,
        .slot = to,
        .to_acc = to_acc != BC_NONE && e->handlers[to_acc] ? to_acc : BC_NONE,
        .offset = e->offset,
        .fuel_so_far = e->fuel_cost,
    };
}

/* ---- the families ---- */

static const uint8_t source_variant[3][3] = {
    /* b:          S       K       A */
    [CLASS_S] = {SRC_SS, SRC_SK, SRC_SA},
    [CLASS_K] = {SRC_KS, SRC_COUNT, SRC_KA},
    [CLASS_A] = {SRC_AS, SRC_AK, SRC_COUNT},
};

static unsigned choose_sources(bool commutes, struct operand *a, struct operand *b) {
    unsigned sources = source_variant[a->class_][b->class_];
    if (commutes && (sources == SRC_KS || sources == SRC_SA || sources == SRC_KA)) {
        struct operand other = *a;
        *a = *b;
        *b = other;
        sources = source_variant[a->class_][b->class_];
    }
    return sources;
}

void cn_emit_bin(struct emitter *e, enum bytecode family, bool commutes, bool wide_const,
                 int32_t to, struct operand a, struct operand b, bool is_compare) {
    static const uint8_t pair_sources[SRC_COUNT] = {
        [SRC_SS] = PAIR_SS + 1, [SRC_SK] = PAIR_SK + 1, [SRC_AS] = PAIR_AS + 1,
        [SRC_AK] = PAIR_AK + 1};
    struct operand a_was = a, b_was = b;
    unsigned sources = choose_sources(commutes, &a, &b);
    if (is_compare && e->last.cell != NO_CELL)
        e->before = e->last;
    int32_t first = a.class_ == CLASS_S ? cn_near(e, a.slot, false, 0) : 0;
    int32_t second = b.class_ == CLASS_S ? cn_near(e, b.slot, false, 1) : 0;
    int32_t target = cn_to_begin(e, to, false);
    bool has_const = a.class_ == CLASS_K || b.class_ == CLASS_K;
    uint64_t constant = a.class_ == CLASS_K ? a.constant : b.constant;
    uint32_t cell = (uint32_t)e->count;
    uint64_t *at = cn_emit(e, (enum bytecode)(family + sources), has_const && wide_const ? 3 : 2);
    if (!has_const) {
        at[1] = cn_fields(target, first, second, 0);
    } else {
        int32_t slot = a.class_ == CLASS_S ? first : second;
        at[1] = cn_fields_w(target, slot, wide_const ? 0 : (uint32_t)constant);
        if (wide_const)
            at[2] = constant;
    }
    cn_produced(e, cell, to, (enum bytecode)(family + SRC_COUNT + sources));
    if (e->last.cell == cell) {
        e->last.a = is_compare ? a_was : a;
        e->last.b = is_compare ? b_was : b;
        if (is_compare) {
            e->last.compare = family;
        } else if (pair_sources[sources]) {
            e->last.first = family;
            e->last.sources = pair_sources[sources] - 1;
        }
    }
    cn_to_end(e);
}

void cn_emit_un(struct emitter *e, enum bytecode family, int32_t to, struct operand a) {
    bool acc = a.class_ == CLASS_A;
    int32_t source = acc ? 0 : cn_near(e, a.slot, false, 0);
    int32_t target = cn_to_begin(e, to, false);
    uint32_t cell = (uint32_t)e->count;
    cn_emit(e, (enum bytecode)(family + acc), 2)[1] = cn_fields(target, source, 0, 0);
    cn_produced(e, cell, to, (enum bytecode)(family + 2 + acc));
    cn_to_end(e);
}

uint32_t cn_emit_branch(struct emitter *e, enum bytecode family, bool commutes, struct operand a,
                        struct operand b) {
    unsigned sources = choose_sources(commutes, &a, &b);
    bool has_const = a.class_ == CLASS_K || b.class_ == CLASS_K;
    /* Slots lie in the order of the operands: o0, then o1 when both are or when a is elsewhere. */
    int32_t first = a.class_ == CLASS_S ? cn_near(e, a.slot, false, 0) : 0;
    int32_t second = b.class_ == CLASS_S ? cn_near(e, b.slot, false, 1) : 0;
    if (a.class_ == CLASS_K)
        first = second; /* ks reads o0 */
    uint64_t *at = cn_emit(e, (enum bytecode)(family + sources), has_const ? 3 : 2);
    at[1] = cn_fields(first, second, 0, 0);
    if (has_const)
        at[2] = a.class_ == CLASS_K ? a.constant : b.constant;
    e->last.cell = NO_CELL;
    return (uint32_t)e->count - (has_const ? 2 : 1);
}

void cn_emit_load(struct emitter *e, enum bytecode family, bool explicit_, int32_t to,
                  struct operand address, uint32_t offset) {
    bool acc = address.class_ == CLASS_A;
    int32_t source = acc ? 0 : cn_near(e, address.slot, false, 0);
    int32_t target = cn_to_begin(e, to, false);
    uint32_t cell = (uint32_t)e->count;
    enum bytecode base = (enum bytecode)(family + (explicit_ ? 4 : 0));
    cn_emit(e, (enum bytecode)(base + acc), 2)[1] = cn_fields_w(target, source, offset);
    cn_produced(e, cell, to, (enum bytecode)(base + 2 + acc));
    if (e->last.cell == cell) {
        e->last.first = family;
        e->last.is_load = true;
        e->last.explicit_ = explicit_;
        e->last.load_offset = offset;
        e->last.a = address;
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
    int32_t first = value.class_ == CLASS_S ? cn_near(e, value.slot, false, 0) : 0;
    int32_t second = address.class_ == CLASS_S ? cn_near(e, address.slot, false, 1) : 0;
    enum bytecode base = (enum bytecode)(family + (explicit_ ? STORE_COUNT : 0));
    bool constant = value.class_ == CLASS_K;
    uint64_t *at = cn_emit(e, (enum bytecode)(base + variant[value.class_][address.class_]),
                           constant ? 3 : 2);
    at[1] = cn_fields_w(first, second, offset);
    if (constant)
        at[2] = value.constant;
    e->last.cell = NO_CELL;
}
