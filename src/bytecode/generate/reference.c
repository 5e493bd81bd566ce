/*
 * The reference of all instructions, as Markdown. Operations whose instructions are alike, but for their names
 * and meaning, share a section: a list of the operations, then the cells of each variant.
 */
#include "bytecode/generate/generate.h"

#include <stdlib.h>
#include <string.h>

static const char *without_pin(const char *name) {
    return strncmp(name, "pin_", 4) ? name : name + 4;
}

static const struct instruction *entry_of(const struct bytecode *b, size_t row, size_t entry) {
    const struct entry *e = &b->entries[entry];
    return e->row == row ? &b->instructions[e->instruction] : NULL;
}

/* How long a beginning the names of a row's instructions have in common. */
static size_t common_length(const struct bytecode *b, size_t row) {
    const char *first = NULL;
    size_t length = 0;
    for (size_t e = 0; e < b->entry_count; e++) {
        const struct instruction *i = entry_of(b, row, e);
        if (!i)
            continue;
        const char *name = without_pin(i->name);
        if (!first) {
            first = name;
            length = strlen(name);
        }
        size_t same = 0;
        while (same < length && name[same] == first[same])
            same++;
        length = same;
    }
    while (first && length > 0 && first[length - 1] == '_')
        length--;
    return length;
}

static const char *drawing(const struct instruction *i) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        fail("memory is exhausted");
    draw(out, i);
    fclose(out);
    return text;
}

static void write_variants(FILE *out, const struct bytecode *b, size_t row, const char *cells) {
    size_t length = common_length(b, row), column = 0;
    for (size_t e = 0; e < b->entry_count; e++) {
        const struct instruction *i = entry_of(b, row, e);
        if (!i || strcmp(drawing(i), cells) != 0)
            continue;
        const char *name = without_pin(i->name);
        column += (size_t)fprintf(out, "%s%s*%s", column == 0 || column > 80 ? "\n   " : " ",
                                  name == i->name ? "" : "pin_", name + length);
        if (column > 88)
            column = 0;
    }
    fputc('\n', out);
}

/* The variants of a row by their cells: the same text for rows that differ in names only. */
static const char *table_of(const struct bytecode *b, size_t row) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    const char *seen[MOST_FIELDS * 8];
    size_t count = 0;
    if (!out)
        fail("memory is exhausted");
    for (size_t e = 0; e < b->entry_count; e++) {
        const struct instruction *i = entry_of(b, row, e);
        if (!i || !i->body) /* instructions by hand have a section of their own */
            continue;
        const char *cells = drawing(i);
        size_t k = 0;
        while (k < count && strcmp(seen[k], cells) != 0)
            k++;
        if (k < count)
            continue;
        if (count == sizeof seen / sizeof *seen)
            fail("%s has too many layouts", i->name);
        seen[count++] = cells;
        fputs(cells, out);
        write_variants(out, b, row, cells);
    }
    fclose(out);
    return text;
}

static void write_operation(FILE *out, const struct bytecode *b, size_t row) {
    const struct row *r = &b->rows[row];
    size_t length = common_length(b, row);
    for (size_t e = 0; e < b->entry_count; e++) {
        const struct instruction *i = entry_of(b, row, e);
        if (!i)
            continue;
        fprintf(out, "- `%.*s`: ", (int)length, without_pin(i->name));
        if (r->second)
            fprintf(out, "`%s`, then `%s`\n", r->first->name, r->second->name);
        else if (r->first->expression)
            fprintf(out, "`%s`\n", r->first->expression);
        else
            fprintf(out, "`%s`\n", i->synopsis);
        return;
    }
}

static void write_by_hand(FILE *out, const struct bytecode *b) {
    fprintf(out, "## By hand\n\nTheir handlers are in `src/exec/handlers_*.inc`; "
                 "`src/bytecode/operations.def` says what each does.\n\n```\n");
    for (size_t n = 1; n < b->instruction_count; n++)
        if (!b->instructions[n].body)
            fprintf(out, "%-24s %s\n", b->instructions[n].name, drawing(&b->instructions[n]));
    fprintf(out, "```\n");
}

void write_reference(FILE *out, const struct bytecode *b) {
    const char **tables = calloc(b->row_count, sizeof *tables);
    bool *done = calloc(b->row_count, sizeof *done);
    if (!tables || !done)
        fail("memory is exhausted");
    fprintf(
        out,
        "# The instructions of the bytecode\n\n"
        "Written by `make bytecode-reference` from `src/bytecode/operations.def` and "
        "`variants.def`, with everything\nthat a build can have: %zu instructions.\n\n"
        "An instruction is a run of 8-byte cells: the address of its handler, then fields. `o0` to "
        "`o3` are 16 bits\neach of the second cell, `w` is 32 bits in place of `o2` and `o3`, `x` "
        "and `y` are the third and fourth\ncell, `xlo` and `xhi` halves of a cell. `to`, `a`, `b`, "
        "`c` are operands; one that is in a register takes\nno field. `*` is the name of the "
        "operation; the letters behind it are the classes of the destination and the\nsources: `s` "
        "a slot, `k` a constant, `a` the accumulator, `p` and `q` the pins. `g` is for memories "
        "with guard\npages, `e` checks bounds; in branches `f` and `r` say on which side the first "
        "result stands, `o` is the other pin.\n\n",
        b->instruction_count - 1);
    for (size_t r = 1; r < b->row_count; r++)
        tables[r] = table_of(b, r);
    for (size_t r = 1; r < b->row_count; r++) {
        if (done[r] || !*tables[r])
            continue;
        fprintf(out, "## `%s`%s\n\n", b->rows[r].first->name,
                b->rows[r].second ? formatted(", `%s`", b->rows[r].second->name) : "");
        for (size_t other = r; other < b->row_count; other++) {
            if (done[other] || strcmp(tables[r], tables[other]) != 0)
                continue;
            done[other] = true;
            write_operation(out, b, other);
        }
        fprintf(out, "\n```\n%s```\n\n", tables[r]);
    }
    write_by_hand(out, b);
    free(tables);
    free(done);
}
