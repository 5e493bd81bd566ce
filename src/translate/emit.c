#include "translate/emit.h"

#include <string.h>

/* Displacements are 32 bits of bytes. The buffer grows by half, so that it may be passed by that. */
#define MAX_CELLS (UINT32_C(1) << 27)

void cn_source_map_free(struct source_map *map) {
    cn_free(map->alloc, map->entries, map->capacity * sizeof *map->entries);
    map->entries = NULL;
    map->count = map->capacity = 0;
}

struct source_map_entry *cn_source_map_find(const struct source_map *map, uint32_t cell) {
    size_t low = 0, high = map->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (map->entries[middle].cell <= cell)
            low = middle;
        else
            high = middle;
    }
    return high > 0 && map->entries[low].cell <= cell ? &map->entries[low] : NULL;
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

uint64_t *cn_emit_slow(struct emitter *e, enum bytecode bytecode, uint32_t cells) {
    void *buffer = e->cells;
    if (e->exhausted || e->count + cells > MAX_CELLS ||
        !cn_grow(e->alloc, &buffer, &e->capacity, e->count + cells, sizeof *e->cells)) {
        e->exhausted = true;
        return e->sink;
    }
    e->cells = buffer;
    uint64_t *at = e->cells + e->count;
    memset(at, 0, cells * sizeof *at);
    *at = bytecode;
    if (e->map)
        record(e, (uint32_t)e->count, bytecode);
    e->count += cells;
    return at;
}

void cn_emit_rollback(struct emitter *e, uint32_t cell) {
    e->count = cell;
    e->last.cell = NO_CELL;
    e->move.bytecode = BC_NONE;
    if (e->before.cell != NO_CELL && e->before.end > cell)
        e->before.cell = NO_CELL;
    while (e->map && e->map->count > 0 && e->map->entries[e->map->count - 1].cell >= cell)
        e->map->count--;
}

void cn_emit_label(struct emitter *e) {
    e->last.cell = e->before.cell = NO_CELL;
    e->move.bytecode = BC_NONE;
}

/* ---- wide operands ---- */

int32_t cn_narrow(struct emitter *e, int32_t slot, bool vector, unsigned which) {
    if (cn_is_narrow(slot))
        return slot;
    if (!e->scratch) {
        cn_need_scratch(e);
        return 0;
    }
    int32_t scratch = e->scratch + 2 * (int32_t)which;
    cn_emit(e, vector ? BC_wide_get2 : BC_wide_get, 2)[1] = cn_fields_w(scratch, 0, (uint32_t)slot);
    return scratch;
}

int32_t cn_wide_begin(struct emitter *e, int32_t slot, bool vector) {
    if (!e->scratch) {
        cn_need_scratch(e);
        return 0;
    }
    e->wide_to = slot;
    e->wide_to_vector = vector;
    return e->scratch + 6;
}

void cn_wide_end(struct emitter *e) {
    cn_emit(e, e->wide_to_vector ? BC_wide_set2 : BC_wide_set, 2)[1] =
        cn_fields_w(e->scratch + 6, 0, (uint32_t)e->wide_to);
    e->wide_to = 0;
    e->last.cell = NO_CELL;
}

void cn_emit_replace(struct emitter *e, uint32_t cell, enum bytecode bytecode) {
    if (e->exhausted)
        return;
    e->cells[cell] = bytecode;
    if (e->map)
        cn_source_map_find(e->map, cell)->bytecode = (uint16_t)bytecode;
}

/* ---- moves: none of these touches an accumulator, so `last` stays ---- */

static void moved(struct emitter *e, enum bytecode bytecode, uint32_t cell) {
    e->move.bytecode = e->wide_to ? BC_NONE : bytecode;
    e->move.cell = cell;
    e->move.end = (uint32_t)e->count;
}

/* Makes the latest move and this one a single instruction, in which the second has o2 and o3. */
static bool joins_move(struct emitter *e, enum bytecode second, int32_t o2, int32_t o3) {
    enum bytecode both = cn_join_move(e, second);
    if (both == BC_NONE)
        return false;
    cn_emit_replace(e, e->move.cell, both);
    e->cells[e->move.cell + 1] |= cn_fields(0, 0, o2, o3);
    e->move.bytecode = both == BC_copy_pair ? both : BC_NONE;
    return true;
}

static bool joins_copy(struct emitter *e, int32_t to, int32_t from) {
    if (!cn_is_narrow(to) || !cn_is_narrow(from) || !joins_move(e, BC_copy, to, from))
        return false;
    cn_to_begin(e, to, false);
    return true;
}

void cn_emit_copy(struct emitter *e, int32_t to, int32_t from, bool vector) {
    if (!vector && joins_copy(e, to, from))
        return;
    int32_t source = cn_narrow(e, from, vector, 0);
    int32_t target = cn_to_begin(e, to, vector);
    uint32_t cell = (uint32_t)e->count;
    cn_emit(e, vector ? BC_copy2 : BC_copy, 2)[1] = cn_fields(target, source, 0, 0);
    moved(e, vector ? BC_NONE : BC_copy, cell);
    cn_to_end(e);
}

/* Likewise two constants. */
static bool joins_const(struct emitter *e, int32_t to, uint32_t value) {
    enum bytecode both = cn_join_move(e, BC_const32);
    if (both == BC_NONE || !cn_is_narrow(to))
        return false;
    uint64_t first = e->cells[e->move.cell + 1];
    struct producer last = e->last;
    cn_emit_rollback(e, e->move.cell);
    e->last = last;
    cn_to_begin(e, to, false);
    uint64_t *at = cn_emit(e, both, 3);
    at[1] = cn_fields((int32_t)(first & 0xFFFF), to, 0, 0);
    at[2] = first >> 32 | (uint64_t)value << 32;
    return true;
}

void cn_emit_const(struct emitter *e, int32_t to, uint64_t value, bool wide_type) {
    bool wide = wide_type && value > UINT32_MAX;
    if (!wide && joins_const(e, to, (uint32_t)value))
        return;
    int32_t target = cn_to_begin(e, to, false);
    uint32_t cell = (uint32_t)e->count;
    if (wide) {
        uint64_t *at = cn_emit(e, BC_const64, 3);
        at[1] = cn_fields(target, 0, 0, 0);
        at[2] = value;
    } else {
        cn_emit(e, BC_const32, 2)[1] = cn_fields_w(target, 0, (uint32_t)value);
    }
    moved(e, wide ? BC_const64 : BC_const32, cell);
    cn_to_end(e);
}

void cn_emit_pin_copy(struct emitter *e, int32_t pin, int32_t from) {
    enum bytecode bytecode = pin == FRAME_PIN_P ? BC_set_p : BC_set_q;
    e->wide_to = 0;
    if (cn_is_narrow(from) && joins_move(e, bytecode, from, 0)) {
        e->last.cell = NO_CELL;
        return;
    }
    int32_t source = cn_narrow(e, from, false, 0);
    uint32_t cell = (uint32_t)e->count;
    cn_emit(e, bytecode, 2)[1] = cn_fields(source, 0, 0, 0);
    e->last.cell = NO_CELL;
    moved(e, bytecode, cell);
}

void cn_emit_pin_const(struct emitter *e, int32_t pin, uint64_t value) {
    enum bytecode bytecode = pin == FRAME_PIN_P ? BC_set_p_k : BC_set_q_k;
    uint32_t cell = (uint32_t)e->count;
    cn_emit(e, bytecode, 3)[2] = value;
    e->last.cell = NO_CELL;
    e->wide_to = 0;
    moved(e, bytecode, cell);
}

/* ---- the accumulator and retargeting ---- */

/* The instruction of `p` with a destination of another class; BC_NONE: this build has none. */
static enum bytecode with_destination(const struct producer *p, enum operand_class class_) {
    struct operand_form form = p->form;
    form.d = (uint8_t)class_;
    return cn_find_in_row(p->row, form);
}

bool cn_accumulate(struct emitter *e, int32_t slot) {
    if (e->last.cell == NO_CELL || e->last.slot != slot || e->last.in_local)
        return false;
    enum bytecode bytecode = with_destination(&e->last, CLASS_A);
    if (bytecode == BC_NONE)
        return false;
    cn_emit_replace(e, e->last.cell, bytecode);
    e->before = e->last;
    e->last.cell = NO_CELL;
    return true;
}

bool cn_retarget(struct emitter *e, int32_t from, int32_t to) {
    if (e->last.cell == NO_CELL || e->last.slot != from || e->last.in_local ||
        e->last.end != e->count || !cn_is_narrow(to))
        return false;
    if (!e->exhausted) {
        uint64_t *fields = &e->cells[e->last.cell + 1];
        *fields = (*fields & ~UINT64_C(0xFFFF)) | (uint16_t)to;
    }
    e->last.slot = to;
    e->last.in_local = true;
    return true;
}

/* The latest instruction with a pin as destination instead of the pin's slot; or BC_NONE. */
static enum bytecode to_pin(const struct emitter *e, int32_t slot) {
    const struct producer *p = &e->last;
    if (p->cell == NO_CELL || !p->in_local || p->slot != slot || p->end != e->count || e->exhausted)
        return BC_NONE;
    return with_destination(p, slot == FRAME_PIN_P ? CLASS_P : CLASS_Q);
}

void cn_load_pin(struct emitter *e, int32_t slot) {
    enum bytecode direct = to_pin(e, slot);
    if (direct != BC_NONE)
        cn_emit_replace(e, e->last.cell, direct);
    else
        cn_emit(e, slot == FRAME_PIN_P ? BC_reload_p : BC_reload_q, 1);
}
