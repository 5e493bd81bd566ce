/* Writes the generated C of the library. */
#include "bytecode/generate/generate.h"

#include <stdlib.h>
#include <string.h>

static void head(FILE *out, const char *what) {
    fprintf(out, "/* %s Generated from operations.def and variants.def. */\n", what);
}

/* ---- opcodes.h ---- */

void write_opcodes(FILE *out, const struct bytecode *b) {
    head(out, "The numbers of operations and of bytecode instructions.");
    fprintf(out, "#ifndef CN_GENERATED_OPCODES_H\n#define CN_GENERATED_OPCODES_H\n\n");
    fprintf(out, "enum operation {\n    DO_NONE,\n");
    for (size_t r = 1; r < b->operation_count; r++)
        fprintf(out, "    DO_%s,\n", b->rows[r].first->name);
    fprintf(out, "    OPERATION_COUNT\n};\n\nenum bytecode {\n    BC_NONE,\n");
    for (size_t i = 1; i < b->instruction_count; i++)
        fprintf(out, "    BC_%s,\n", b->instructions[i].name);
    fprintf(out, "    BC_COUNT\n};\n\n#endif\n");
}

/* ---- handlers ---- */

static const char *at_name(enum field_at at) {
    return at == AT_NOWHERE ? "" : shown('k', at, "");
}

/* The role of a part of the instruction; NULL: the part is unused. */
static const char *role_at(const struct instruction *i, enum field_at at) {
    for (unsigned k = 0; k < i->field_count; k++)
        if (i->fields[k].at == at)
            return *i->roles[k] ? formatted("%s %s", at_name(at), i->roles[k]) : at_name(at);
    return NULL;
}

static void draw_part(FILE *out, const struct instruction *i, enum field_at at) {
    const char *role = role_at(i, at);
    fprintf(out, " %s |", role ? role : "-");
}

void draw(FILE *out, const struct instruction *i) {
    fprintf(out, "| handler |");
    if (i->cells > 1) {
        draw_part(out, i, AT_O0);
        draw_part(out, i, AT_O1);
        if (role_at(i, AT_W)) {
            draw_part(out, i, AT_W);
        } else {
            draw_part(out, i, AT_O2);
            draw_part(out, i, AT_O3);
        }
    }
    for (unsigned cell = 2; cell < i->cells; cell++) {
        enum field_at whole = cell == 2 ? AT_X : AT_Y, low = whole + 1, high = whole + 2;
        if (role_at(i, whole) || (!role_at(i, low) && !role_at(i, high))) {
            draw_part(out, i, whole);
        } else {
            draw_part(out, i, low);
            draw_part(out, i, high);
        }
    }
}

void write_handlers(FILE *out, const struct bytecode *b) {
    head(out, "The handlers of bytecode instructions; [o1] is the slot that o1 names.");
    for (size_t n = 1; n < b->instruction_count; n++) {
        const struct instruction *i = &b->instructions[n];
        if (!i->body)
            continue;
        fprintf(out, "\n/* %s: %s\n * ", i->name, i->synopsis);
        draw(out, i);
        fprintf(out, " */\nHANDLER(%s) {\n%s}\n", i->name, i->body);
    }
}

void write_handler_rows(FILE *out, const struct bytecode *b) {
    head(out, "The table of handlers.");
    for (size_t i = 1; i < b->instruction_count; i++)
        fprintf(out, "[BC_%s] = HANDLER_ADDRESS(%s),\n", b->instructions[i].name,
                b->instructions[i].name);
}

/* ---- the lookup ---- */

/* For each key of a row the position of its instruction in the row, from 1 on, or 0. */
struct shape {
    uint8_t *positions;
    size_t keys, start; /* start: in the array of all shapes */
};
#define MOST_KEYS 4096

struct lookup {
    struct shape *shapes;
    size_t shape_count, shape_room, position_count, variant_count;
};

static struct shape *find_shape(struct lookup *l, const uint8_t *positions, size_t keys) {
    for (size_t k = 0; k < l->shape_count; k++)
        if (l->shapes[k].keys == keys && !memcmp(l->shapes[k].positions, positions, keys))
            return &l->shapes[k];
    l->shapes = grow(l->shapes, l->shape_count, &l->shape_room, sizeof *l->shapes);
    struct shape *s = &l->shapes[l->shape_count++];
    *s = (struct shape){malloc(keys + 1), keys, l->position_count};
    if (!s->positions)
        fail("memory is exhausted");
    memcpy(s->positions, positions, keys);
    l->position_count += keys;
    return s;
}

static void write_row(FILE *out, FILE *variants, const struct bytecode *b, struct lookup *l,
                      size_t row) {
    uint8_t positions[MOST_KEYS] = {0};
    size_t keys = 0, first = l->variant_count;
    unsigned count = 0;
    fprintf(variants, "    BC_NONE, /* %s%s%s */\n", b->rows[row].first->name,
            b->rows[row].second ? ", " : "", b->rows[row].second ? b->rows[row].second->name : "");
    for (size_t k = 0; k < b->entry_count; k++) {
        const struct entry *e = &b->entries[k];
        if (e->row != row)
            continue;
        if (e->key >= MOST_KEYS || positions[e->key] || count == UINT8_MAX)
            fail("%s cannot be told from another", b->instructions[e->instruction].name);
        positions[e->key] = (uint8_t)++count;
        keys = e->key >= keys ? e->key + 1 : keys;
        fprintf(variants, "    BC_%s,\n", b->instructions[e->instruction].name);
    }
    l->variant_count += count + 1;
    const struct shape *s = find_shape(l, positions, keys);
    if (s->start > UINT16_MAX || first > UINT16_MAX)
        fail("the tables of the lookup are too long");
    fprintf(out, "    {%zu, %zu, %zu},\n", first, s->start, s->keys);
}

static void write_positions(FILE *out, const struct lookup *l) {
    fprintf(out, "const uint8_t cn_positions[] = {");
    for (size_t k = 0; k < l->shape_count; k++) {
        fprintf(out, "\n    /* %zu */", l->shapes[k].start);
        for (size_t i = 0; i < l->shapes[k].keys; i++)
            fprintf(out, "%s %u,", i % 24 == 0 ? "\n   " : "", l->shapes[k].positions[i]);
    }
    fprintf(out, "\n    0};\n\n");
}

/* The order of an operation among the first, or the second, ones of fusions, from 1 on; 0: it is none. */
static unsigned order_in_pairs(const struct bytecode *b, const struct operation *o, bool second) {
    unsigned order = 0;
    for (size_t r = 1; r < b->operation_count; r++) {
        bool found = false;
        for (size_t f = b->operation_count; f < b->row_count && !found; f++)
            found = (second ? b->rows[f].second : b->rows[f].first) == b->rows[r].first;
        order += found;
        if (b->rows[r].first == o)
            return found ? order : 0;
    }
    return 0;
}

static void write_pair_order(FILE *out, const struct bytecode *b, bool second) {
    fprintf(out, "const uint8_t cn_pair_%s[OPERATION_COUNT] = {\n", second ? "second" : "first");
    for (size_t r = 1; r < b->operation_count; r++) {
        unsigned order = order_in_pairs(b, b->rows[r].first, second);
        if (order)
            fprintf(out, "    [DO_%s] = %u,\n", b->rows[r].first->name, order);
    }
    fprintf(out, "};\n\n");
}

static void write_pairs(FILE *out, const struct bytecode *b) {
    write_pair_order(out, b, false);
    write_pair_order(out, b, true);
    fprintf(out, "const uint16_t cn_pair_rows[][CN_PAIR_SECONDS] = {\n    [0] = {0},\n");
    for (size_t f = b->operation_count; f < b->row_count; f++)
        fprintf(out, "    [%u][%u] = %zu, /* %s, %s */\n",
                order_in_pairs(b, b->rows[f].first, false),
                order_in_pairs(b, b->rows[f].second, true), f, b->rows[f].first->name,
                b->rows[f].second->name);
    fprintf(out, "};\n\n");
}

static void write_flags(FILE *out, const struct bytecode *b) {
    fprintf(out, "const uint8_t cn_operation_flags[OPERATION_COUNT] = {\n");
    for (size_t r = 1; r < b->operation_count; r++) {
        const struct operation *o = b->rows[r].first;
        bool commutes = (o->kind == BIN_ || o->kind == BRANCH_) && !strcmp(o->forms, "COMM");
        bool wide = is_wide_constant(o->type);
        fprintf(out, "    [DO_%s] = 0%s%s%s,\n", o->name, commutes ? " | OPERATION_COMMUTES" : "",
                wide ? " | OPERATION_WIDE_CONSTANT" : "",
                b->rows[r].vector ? " | OPERATION_VECTOR" : "");
    }
    fprintf(out, "};\n\n");
}

static void write_cells(FILE *out, const struct bytecode *b) {
    fprintf(out, "const uint8_t cn_bytecode_cells[BC_COUNT] = {\n");
    for (size_t n = 1; n < b->instruction_count; n++) {
        const struct instruction *i = &b->instructions[n];
        bool table = false;
        for (unsigned k = 0; k < i->field_count; k++)
            table |= i->fields[k].kind == FIELD_TABLE;
        fprintf(out, "    [BC_%s] = %u%s,\n", i->name, i->cells, table ? " | CELLS_AND_TABLE" : "");
    }
    fprintf(out, "};\n\n");
}

static void write_joined(FILE *out, const struct bytecode *b) {
    fprintf(out, "const struct bytecode_join cn_joins[] = {\n");
    for (size_t k = 0; k < cn_joined_count; k++)
        if (instruction_named(b, cn_joined[k].both))
            fprintf(out, "    {BC_%s, BC_%s, BC_%s},\n", cn_joined[k].first, cn_joined[k].second,
                    cn_joined[k].both);
    fprintf(out, "    {BC_NONE, BC_NONE, BC_NONE}};\n");
}

void write_lookup(FILE *out, const struct bytecode *b) {
    struct lookup l = {0};
    char *variants_text = NULL;
    size_t variants_size = 0, seconds = 1;
    FILE *variants = open_memstream(&variants_text, &variants_size);
    if (!variants)
        fail("memory is exhausted");
    head(out, "The tables behind bytecode/lookup.h.");
    fprintf(out, "const struct bytecode_row cn_rows[] = {\n    {0, 0, 0},\n");
    fprintf(variants, "    BC_NONE, /* no operation */\n");
    l.variant_count = 1;
    for (size_t r = 1; r < b->row_count; r++)
        write_row(out, variants, b, &l, r);
    fprintf(out, "};\n\n");
    fclose(variants);
    fprintf(out, "const uint16_t cn_variants[] = {\n%s};\n\n", variants_text);
    write_positions(out, &l);
    for (size_t r = 1; r < b->operation_count; r++)
        seconds += order_in_pairs(b, b->rows[r].first, true) != 0;
    fprintf(out, "_Static_assert(CN_PAIR_SECONDS >= %zu, \"there is room for the fusions\");\n",
            seconds);
    write_pairs(out, b);
    write_flags(out, b);
    write_cells(out, b);
    write_joined(out, b);
}

/* ---- names and fields ---- */

static bool same_fields(const struct instruction *a, const struct instruction *b) {
    return a->field_count == b->field_count &&
           !memcmp(a->fields, b->fields, a->field_count * sizeof *a->fields);
}

/* Where the list of an instruction's fields is: that of the first one which has the same. */
static void write_fields(FILE *out, const struct bytecode *b, size_t *starts) {
    size_t count = 0;
    fprintf(out, "static const struct bytecode_field fields[] = {\n");
    for (size_t n = 1; n < b->instruction_count; n++) {
        const struct instruction *i = &b->instructions[n];
        size_t same = 1;
        while (!same_fields(&b->instructions[same], i))
            same++;
        starts[n] = same < n ? starts[same] : count;
        if (same < n)
            continue;
        for (unsigned k = 0; k < i->field_count; k++)
            fprintf(out, "    {%u, %u, %u, %u},", i->fields[k].kind, i->fields[k].at,
                    i->fields[k].slots, i->fields[k].flags);
        fprintf(out, "    {FIELD_END, 0, 0, 0}, /* %zu: %s */\n", count, i->name);
        count += i->field_count + 1;
    }
    fprintf(out, "};\n\n");
}

void write_info(FILE *out, const struct bytecode *b) {
    size_t *starts = calloc(b->instruction_count, sizeof *starts), name = 1;
    if (!starts)
        fail("memory is exhausted");
    head(out, "The names and fields of bytecode instructions.");
    write_fields(out, b, starts);
    fprintf(out, "static const char names[] =\n    \"\\0\"\n");
    for (size_t n = 1; n < b->instruction_count; n++)
        fprintf(out, "    \"%s\\0\"\n", b->instructions[n].name);
    fprintf(out, "    ;\n\nstatic const struct info infos[BC_COUNT] = {\n    {0, 0},\n");
    for (size_t n = 1; n < b->instruction_count; n++) {
        fprintf(out, "    {%zu, %zu},\n", name, starts[n]);
        name += strlen(b->instructions[n].name) + 1;
    }
    fprintf(out, "};\n\n#ifdef CATNAP_ASSERT\nstatic const uint16_t flags[BC_COUNT] = {\n");
    for (size_t n = 1; n < b->instruction_count; n++)
        if (b->instructions[n].flags)
            fprintf(out, "    [BC_%s] = %u,\n", b->instructions[n].name, b->instructions[n].flags);
    fprintf(out, "};\n#endif\n");
    free(starts);
}
