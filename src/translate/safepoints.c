/* Safepoints, where a run may stop for fuel, for interruption and for snapshots, and their value maps. */
#include <stdlib.h>

#include "translate/pass.h"

static struct probe_value value_at(const struct translator *t, const struct value *value) {
    return (struct probe_value){
        .where = value->where == TEMP    ? VALUE_SLOT
                 : value->where == LOCAL ? VALUE_LOCAL
                                         : VALUE_CONST,
        .kind = value->kind,
        .slot = slot_of(t, value),
        .constant = value->constant,
    };
}

static void answer(struct translator *t, struct alloc *alloc, struct probe *probe) {
    probe->count = t->local_count + t->height;
    if (probe->expected != ANY_COUNT && probe->expected != probe->count)
        return;
    cn_cover(t, t->height);
    probe->values = cn_calloc(alloc, (size_t)probe->count + 1, sizeof *probe->values);
    if (!probe->values) {
        t->emit.exhausted = true;
        return;
    }
    CN_ASSERT(!probe->found);
    probe->found = true;
    probe->cell = (uint32_t)t->emit.count;
    probe->local_count = t->local_count;
    for (uint32_t i = 0; i < t->local_count; i++)
        probe->values[i] = (struct probe_value){.where = VALUE_SLOT,
                                                .kind = t->locals[i].kind,
                                                .slot = t->locals[i].slot,
                                                .dead = i >= t->type->param_count &&
                                                        !cn_is_assigned(t, &t->locals[i])};
    for (uint32_t i = 0; i < t->height; i++)
        probe->values[t->local_count + i] = value_at(t, &t->stack[i]);
}

static void finish_probe(const struct translator *t, struct probe *probe) {
    for (uint32_t i = 0; i < t->local_count; i++)
        if (t->locals[i].start == MUST_CLEAR)
            probe->values[i].dead = false;
}

/* At the end of the function: of the locals that were not assigned there, those that a call clears have
 * a value. */
void cn_finish_probes(const struct translator *t) {
    const struct probes *probes = t->emit.map ? t->emit.map->probes : NULL;
    for (size_t i = 0; probes && i < probes->count; i++)
        if (probes->items[i].found)
            finish_probe(t, &probes->items[i]);
}

/* ---- Questions ---- */

static int compare(uint32_t a, uint32_t b) {
    return (a > b) - (a < b);
}

static int compare_cells(const void *a, const void *b) {
    return compare(((const struct probe *)a)->cell, ((const struct probe *)b)->cell);
}

static int compare_safepoints(const void *a, const void *b) {
    const struct probe *left = a, *right = b;
    int by_offset = compare(left->offset, right->offset);
    return by_offset ? by_offset : compare(left->safepoint, right->safepoint);
}

void cn_probes_sort(struct probes *probes) {
    qsort(probes->items, probes->count, sizeof *probes->items,
          probes->by_cell ? compare_cells : compare_safepoints);
}

static struct probe *find_probe(const struct probes *probes, const struct probe *key) {
    return bsearch(key, probes->items, probes->count, sizeof *probes->items,
                   probes->by_cell ? compare_cells : compare_safepoints);
}

struct probe *cn_note_safepoint(struct translator *t, enum safepoint safepoint, uint32_t offset) {
    const struct probes *probes = t->emit.map ? t->emit.map->probes : NULL;
    if (!probes || t->emit.exhausted || (probes->by_cell && safepoint == SAFEPOINT_INSTRUCTION))
        return NULL;
    struct probe key = {.safepoint = safepoint, .offset = offset, .cell = (uint32_t)t->emit.count};
    struct probe *probe = find_probe(probes, &key);
    if (!probe || probe->found)
        return NULL;
    probe->safepoint = safepoint;
    probe->offset = offset;
    answer(t, probes->alloc, probe);
    return probe->found ? probe : NULL;
}

void cn_probe_free(struct alloc *alloc, struct probe *probe) {
    if (probe->found)
        cn_free(alloc, probe->values, ((size_t)probe->count + 1) * sizeof *probe->values);
    probe->values = NULL;
    probe->found = false;
}

/* ---- fuel and interruption ---- */

/* Ends the fuel block that the latest fuel instruction pays for. */
void cn_end_fuel_block(struct translator *t) {
    struct emitter *e = &t->emit;
    CN_ASSERT(e->fuel_cell == NO_CELL || e->fuel_cell < e->count || e->exhausted);
    if (e->fuel_cell != NO_CELL && !e->exhausted)
        e->cells[e->fuel_cell + 1] |= (uint64_t)e->fuel_cost << 32;
    e->fuel_cell = NO_CELL;
    e->fuel_cost = 0;
}

void cn_begin_fuel_block(struct translator *t) {
    cn_end_fuel_block(t);
    if (!t->config->fuel || !t->live)
        return;
    CN_ASSERT(t->emit.fuel_cell == NO_CELL && t->emit.fuel_cost == 0);
    uint32_t cell = (uint32_t)t->emit.count;
    if (t->config->steps) {
        cn_emit_label(&t->emit);
        cn_emit_plain(t, BC_fuel_block, 3)[1] = next_safepoint(t);
        return;
    }
    cn_note_safepoint(t, SAFEPOINT_CHECK, next_safepoint(t));
    cn_emit_plain(t, BC_fuel, 2)[1] = next_safepoint(t);
    t->emit.fuel_cell = cell;
}

void cn_begin_step(struct translator *t, uint32_t offset) {
    CN_ASSERT(t->config->fuel && t->config->steps && t->live);
    uint32_t cell = (uint32_t)t->emit.count;
    cn_end_fuel_block(t);
    cn_emit_label(&t->emit);
    cn_note_safepoint(t, SAFEPOINT_CHECK, offset);
    cn_emit_plain(t, BC_fuel_step, 2);
    t->emit.fuel_cell = cell;
}

void cn_check_interrupt(struct translator *t) {
    if (!t->config->interruptible)
        return;
    cn_note_safepoint(t, SAFEPOINT_CHECK, next_safepoint(t));
    cn_emit_plain(t, BC_interrupt_check, 1);
}
