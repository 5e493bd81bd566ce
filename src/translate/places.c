/* Places where execution may stand still: for fuel, for interruption, and for snapshots. */
#include "translate/pass.h"

static struct probe_value value_at(const struct translator *t, const struct value *value) {
    return (struct probe_value){
        .where = value->where == TEMP    ? VALUE_SLOT
                 : value->where == LOCAL ? VALUE_LOCAL
                                         : VALUE_CONST,
        .type = value->type,
        .slot = slot_of(t, value),
        .constant = value->constant,
    };
}

static void answer(struct translator *t, struct probe *probe) {
    uint32_t count = t->local_count + t->height;
    cn_cover(t, t->height);
    probe->values = cn_calloc(probe->alloc, (size_t)count + 1, sizeof *probe->values);
    if (!probe->values) {
        t->emit.exhausted = true;
        return;
    }
    probe->found = true;
    probe->cell = (uint32_t)t->emit.count;
    probe->local_count = t->local_count;
    probe->count = count;
    for (uint32_t i = 0; i < t->local_count; i++)
        probe->values[i] = (struct probe_value){.where = VALUE_SLOT,
                                                .type = t->locals[i].type,
                                                .slot = t->locals[i].slot,
                                                .dead = i >= t->type->param_count &&
                                                        !cn_is_assigned(t, &t->locals[i])};
    for (uint32_t i = 0; i < t->height; i++)
        probe->values[t->local_count + i] = value_at(t, &t->stack[i]);
}

/* At the end of the function: of the locals that were not assigned there, those that a call clears have
 * a value. */
void cn_settle_places(const struct translator *t) {
    struct probe *probe = t->emit.map ? t->emit.map->probe : NULL;
    for (uint32_t i = 0; probe && probe->found && i < t->local_count; i++)
        if (t->locals[i].start == MUST_CLEAR)
            probe->values[i].dead = false;
}

/* The next cell is a place of this kind. True when it is the one that is asked for. */
bool cn_note_place(struct translator *t, enum probe_place place, uint32_t offset) {
    struct probe *probe = t->emit.map ? t->emit.map->probe : NULL;
    if (!probe || probe->found || t->emit.exhausted)
        return false;
    if (probe->by_cell ? place == PLACE_INSTRUCTION || probe->cell != t->emit.count
                       : place != probe->place || offset != probe->offset)
        return false;
    probe->place = place;
    probe->offset = offset;
    answer(t, probe);
    return probe->found;
}

void cn_probe_free(struct probe *probe) {
    cn_free(probe->alloc, probe->values, ((size_t)probe->count + 1) * sizeof *probe->values);
    probe->values = NULL;
    probe->found = false;
}

/* ---- fuel and interruption ---- */

/* Ends the stretch that the latest fuel instruction pays for. */
void cn_end_stretch(struct translator *t) {
    struct emitter *e = &t->emit;
    if (e->fuel_cell != NO_CELL && !e->exhausted)
        e->cells[e->fuel_cell + 1] = cn_fields_w(0, 0, e->fuel_cost);
    e->fuel_cell = NO_CELL;
    e->fuel_cost = 0;
}

void cn_begin_stretch(struct translator *t) {
    cn_end_stretch(t);
    if (!t->config->fuel || !t->live)
        return;
    uint32_t cell = (uint32_t)t->emit.count;
    cn_note_place(t, PLACE_CHECK, next_offset(t));
    cn_emit_plain(t, BC_fuel, 2);
    t->emit.fuel_cell = cell;
}

void cn_check_interrupt(struct translator *t) {
    if (!t->config->interruptible)
        return;
    cn_note_place(t, PLACE_CHECK, next_offset(t));
    cn_emit_plain(t, BC_interrupt_check, 1);
}
