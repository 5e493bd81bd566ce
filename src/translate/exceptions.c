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

/* From now on the clause asks for the exception, which nothing else does: where none is thrown again, no object is made. */
void cn_translate_rethrow(struct translator *t) {
    const struct control *c = label(t, cn_u32_valid(&t->at));
    CN_ASSERT(c->construct == CATCH && c->clause > 0 && c->clause <= t->clause_count);
    t->clauses[c->clause - 1].kind |= UNWIND_REF;
    note_throw(t);
    int32_t slot = cn_narrow(&t->emit, c->base, false, 0);
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

/* Another clause of the construct's scope. NULL: memory is exhausted. */
static struct unwind_clause *add_clause(struct translator *t, struct control *c,
                                        struct unwind_clause clause) {
    void *clauses = t->clauses;
    if (t->emit.exhausted || !cn_grow(t->emit.alloc, &clauses, &t->clause_capacity,
                                      (size_t)t->clause_count + 1, sizeof *t->clauses)) {
        t->emit.exhausted = true;
        return NULL;
    }
    t->clauses = clauses;
    t->clauses[t->clause_count++] = clause;
    CN_ASSERT(c->scope > 0 && c->scope <= t->scope_count);
    if (c->clause)
        t->clauses[c->clause - 1].next = t->clause_count;
    else
        t->scopes[c->scope - 1].first = t->clause_count;
    c->clause = t->clause_count;
    return &t->clauses[t->clause_count - 1];
}

/* An exception that a clause catches puts its values where the label wants them. */
static void add_catch(struct translator *t, struct control *c, struct catch_clause from) {
    struct control *target = label(t, from.label + 1); /* from outside of `c` */
    struct unwind_clause *clause = add_clause(
        t, c, (struct unwind_clause){.kind = from.kind, .tag = from.tag, .slot = target->base});
    if (!clause)
        return;
    if (target->construct == LOOP) {
        clause->target = target->loop_cell;
    } else {
        clause->target = target->catches;
        target->catches = t->clause_count;
    }
}

void cn_begin_handler(struct translator *t, struct control *c, bool all, uint32_t tag) {
    cn_emit_label(&t->emit);
    add_clause(t, c,
               (struct unwind_clause){.kind = UNWIND_HELD | (all ? UNWIND_ALL : 0),
                                      .tag = tag,
                                      .slot = c->base + 1,
                                      .target = (uint32_t)t->emit.count});
}

/* A scope within the present one. Returns its number + 1, or 0. */
static uint32_t add_scope(struct translator *t) {
    void *scopes = t->scopes;
    if (t->emit.exhausted || !cn_grow(t->emit.alloc, &scopes, &t->scope_capacity,
                                      (size_t)t->scope_count + 1, sizeof *t->scopes)) {
        t->emit.exhausted = true;
        return 0;
    }
    t->scopes = scopes;
    t->scopes[t->scope_count++] = (struct unwind_scope){.parent = t->scope};
    return t->scope_count;
}

/* Begins or ends a scope here: no instruction before is joined to one behind, which might throw. */
static void change_scope(struct translator *t, uint32_t scope) {
    cn_emit_label(&t->emit);
    mark(t, scope);
}

static void begin_scope(struct translator *t, struct control *c) {
    c->scope = add_scope(t);
    if (c->scope)
        change_scope(t, c->scope);
}

void cn_translate_try_table(struct translator *t) {
    const uint8_t *clauses = t->at;
    cn_skip_type(&clauses); /* of the block */
    uint32_t count = cn_u32_valid(&clauses);
    cn_translate_block(t, BLOCK);
    t->at = clauses;
    if (count == 0 || t->emit.exhausted)
        return;
    begin_scope(t, top_control(t));
    for (; count > 0 && !t->emit.exhausted; count--)
        add_catch(t, top_control(t), cn_catch_valid(&t->at));
}

void cn_translate_try(struct translator *t) {
    cn_translate_block(t, TRY);
    if (!t->emit.exhausted)
        begin_scope(t, top_control(t));
}

/* The scope at the label, which is around the block, gets what is thrown in it. */
void cn_translate_delegate(struct translator *t) {
    const struct control *target = label(t, cn_u32_valid(&t->at) + 1);
    struct unwind_scope *scope = &t->scopes[top_control(t)->scope - 1];
    bool inside = target->scope && target->construct != CATCH;
    CN_ASSERT(top_control(t)->construct == TRY && scope->first == 0);
    scope->parent = inside ? target->scope : target->outer_scope;
    cn_translate_end(t);
}

void cn_end_scope(struct translator *t, struct control *c) {
    if (c->scope == 0 || c->construct == CATCH || t->emit.exhausted)
        return;
    CN_ASSERT(t->scope == c->scope && c->scope <= t->scope_count);
    change_scope(t, c->outer_scope);
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
