/* Exceptions: throwing, and the tables of what catches where (struct unwind). */
#include <string.h>

#include "translate/pass.h"

/* ---- throwing ---- */

/* The values are operands still: a throw that is interrupted is executed again. */
static void note_throw(struct translator *t) {
    cn_note_safepoint(t, SAFEPOINT_INSTRUCTION, t->emit.offset);
}

void cn_translate_throw(struct translator *t) {
    uint32_t tag = cn_u32_valid(&t->at);
    CN_ASSERT(tag < t->module->tag_count);
    const struct functype *type = module_tag_type(t->module, tag);
    note_throw(t);
    cn_spill(t, type->param_count);
    int32_t from = next_home(t) - (int32_t)type->param_slots;
    uint64_t *at = cn_emit_plain(t, BC_throw, 4);
    at[1] = cn_fields_w(0, 0, type->param_slots);
    at[2] = (uint64_t)from;
    at[3] = tag;
}

void cn_translate_throw_ref(struct translator *t) {
    note_throw(t);
    const struct value *value = cn_pop_value(t);
    int32_t slot = cn_in_narrow_slot(t, value, 0);
    if (slot > 0 && (uint32_t)slot + 1 > t->emit.max_slot)
        t->emit.max_slot = (uint32_t)slot + 1;
    cn_emit_plain(t, BC_throw_ref, 2)[1] = cn_fields(slot, 0, 0, 0);
}

/* ---- catching ---- */

_Static_assert((unsigned)UNWIND_REF == CATCH_REF && (unsigned)UNWIND_ALL == CATCH_ALL,
               "a clause is of the same kind in the table");

static void mark(struct translator *t, uint32_t scope) {
    void *marks = t->marks;
    uint32_t cell = (uint32_t)t->emit.count;
    if (!cn_grow(t->emit.alloc, &marks, &t->mark_capacity, (size_t)t->mark_count + 1,
                 sizeof *t->marks)) {
        t->emit.exhausted = true;
        return;
    }
    t->marks = marks;
    CN_ASSERT(t->mark_count == 0 || t->marks[t->mark_count - 1].cell <= cell);
    t->marks[t->mark_count++] = (struct unwind_mark){cell, scope};
    t->scope = scope;
}

/* An exception that a clause catches puts its values where the label wants them. */
static void add_clause(struct translator *t, struct catch_clause from) {
    void *clauses = t->clauses;
    struct control *target = label(t, from.label);
    if (!cn_grow(t->emit.alloc, &clauses, &t->clause_capacity, (size_t)t->clause_count + 1,
                 sizeof *t->clauses)) {
        t->emit.exhausted = true;
        return;
    }
    t->clauses = clauses;
    struct unwind_clause *clause = &t->clauses[t->clause_count++];
    *clause = (struct unwind_clause){.kind = from.kind, .tag = from.tag, .slot = target->base};
    if (target->construct == LOOP) {
        clause->target = target->loop_cell;
    } else {
        clause->target = target->catches;
        target->catches = t->clause_count;
    }
}

/* A scope within the present one, with the clauses from `first` on. Returns its number + 1, or 0. */
static uint32_t add_scope(struct translator *t, uint32_t first) {
    void *scopes = t->scopes;
    if (!cn_grow(t->emit.alloc, &scopes, &t->scope_capacity, (size_t)t->scope_count + 1,
                 sizeof *t->scopes)) {
        t->emit.exhausted = true;
        return 0;
    }
    t->scopes = scopes;
    t->scopes[t->scope_count++] = (struct unwind_scope){t->scope, first, t->clause_count};
    return t->scope_count;
}

/* Begins or ends a scope here: no instruction before is joined to one behind, which might throw. */
static void change_scope(struct translator *t, uint32_t scope) {
    cn_emit_label(&t->emit);
    mark(t, scope);
}

void cn_translate_try_table(struct translator *t) {
    const uint8_t *at = t->at;
    uint32_t first = t->clause_count;
    cn_skip_type(&at); /* of the block */
    uint32_t count = cn_u32_valid(&at);
    for (uint32_t i = 0; i < count && !t->emit.exhausted; i++)
        add_clause(t, cn_catch_valid(&at));
    cn_translate_block(t, BLOCK);
    t->at = at;
    if (count == 0 || t->emit.exhausted)
        return;
    top_control(t)->scope = add_scope(t, first);
    change_scope(t, top_control(t)->scope);
}

void cn_end_scope(struct translator *t, struct control *c) {
    if (c->scope == 0 || t->emit.exhausted)
        return;
    CN_ASSERT(t->scope == c->scope && c->scope <= t->scope_count);
    change_scope(t, t->scopes[c->scope - 1].parent);
    c->scope = 0;
}

uint32_t cn_leave_scopes(struct translator *t) {
    uint32_t scope = t->scope;
    if (scope != 0)
        change_scope(t, 0);
    return scope;
}

void cn_enter_scopes(struct translator *t, uint32_t scope) {
    if (scope != t->scope)
        change_scope(t, scope);
}

void cn_bind_catches(struct translator *t, struct control *c) {
    uint32_t here = (uint32_t)t->emit.count;
    for (uint32_t link = c->catches; link && !t->emit.exhausted;) {
        struct unwind_clause *clause = &t->clauses[link - 1];
        link = clause->target;
        clause->target = here;
    }
    c->catches = 0;
    cn_emit_label(&t->emit);
}

/* ---- the tables ---- */

size_t cn_unwind_bytes(const struct translator *t) {
    return t->mark_count * sizeof *t->marks + t->scope_count * sizeof *t->scopes +
           t->clause_count * sizeof *t->clauses;
}

/* Copies an array, whose place is returned; *room moves behind it. */
static void *copy(char **room, const void *items, size_t bytes) {
    void *at = *room;
    if (bytes > 0)
        memcpy(at, items, bytes);
    *room += bytes;
    return at;
}

void cn_unwind_copy(const struct translator *t, struct code *code, void *room) {
    char *at = room;
    struct unwind_mark *marks = copy(&at, t->marks, t->mark_count * sizeof *marks);
    struct unwind_scope *scopes = copy(&at, t->scopes, t->scope_count * sizeof *scopes);
    struct unwind_clause *clauses = copy(&at, t->clauses, t->clause_count * sizeof *clauses);
    for (uint32_t i = 0; i < t->mark_count; i++)
        marks[i].cell -= code->first_cell;
    for (uint32_t i = 0; i < t->clause_count; i++)
        clauses[i].target -= code->first_cell;
    code->unwind =
        (struct unwind){t->mark_count, t->scope_count, t->clause_count, marks, scopes, clauses};
}

void cn_unwind_free(struct translator *t) {
    cn_free(t->emit.alloc, t->marks, t->mark_capacity * sizeof *t->marks);
    cn_free(t->emit.alloc, t->scopes, t->scope_capacity * sizeof *t->scopes);
    cn_free(t->emit.alloc, t->clauses, t->clause_capacity * sizeof *t->clauses);
}
