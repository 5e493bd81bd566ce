/*
 * The instructions of a build: for each operation and each fusion those that its forms give, with their
 * fields, their handler's body and the key by which the translator finds them.
 */
#include "bytecode/generate/generate.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void *grow(void *items, size_t count, size_t *room, size_t size) {
    if (count < *room)
        return items;
    *room = *room ? 2 * *room : 64;
    void *grown = realloc(items, *room * size);
    if (!grown)
        fail("memory is exhausted");
    return grown;
}

/* ---- forms ---- */

/* A destination, '-' for none, and the letters of the sources with `_` between two operations. */
struct variant {
    char d, sources[8];
};
#define MOST_VARIANTS 64

static bool has(const struct variant *v, const char *letters) {
    return strchr(letters, v->d) || strpbrk(v->sources, letters);
}

static bool is_built(const struct build *build, const struct variant *v) {
    return (build->accumulator || !has(v, "a")) && (build->pairs || !has(v, "pq"));
}

static size_t list_variants(const struct build *build, const char *name, struct variant *out) {
    const struct forms *forms = forms_named(name);
    size_t count = 0;
    for (const char *d = forms->destinations; *d; d++) {
        for (const char *s = forms->sources; *d != ' ' && *s; s += strspn(s, " ")) {
            size_t length = strcspn(s, " ");
            struct variant v = {.d = *d};
            if (length >= sizeof v.sources || count == MOST_VARIANTS)
                fail("FORMS(%s, ...) is too long", name);
            memcpy(v.sources, s, length);
            s += length;
            if (is_built(build, &v))
                out[count++] = v;
        }
    }
    return count;
}

static uint8_t class_of(char letter) {
    switch (letter) {
    case 's':
    case '-':
        return CLASS_S;
    case 'k':
        return CLASS_K;
    case 'a':
        return CLASS_A;
    case 'p':
        return CLASS_P;
    case 'q':
        return CLASS_Q;
    default:
        fail("there is no operand class %c", letter);
    }
}

/* ---- one instruction ---- */

static FILE *body; /* of the instruction that is being made */
static size_t body_size;

static void text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void text(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("    ", body);
    vfprintf(body, format, arguments);
    fputc('\n', body);
    va_end(arguments);
}

static void add_entry(struct bytecode *b, unsigned row, struct operand_form form,
                      size_t instruction) {
    b->entries = grow(b->entries, b->entry_count, &b->entry_room, sizeof *b->entries);
    b->entries[b->entry_count++] = (struct entry){row, cn_form_key(form), (unsigned)instruction};
}

static struct instruction *add_instruction(struct bytecode *b, const char *name) {
    if (b->instruction_count == 0)
        b->instruction_count = 1;
    b->instructions =
        grow(b->instructions, b->instruction_count, &b->instruction_room, sizeof *b->instructions);
    struct instruction *i = &b->instructions[b->instruction_count++];
    memset(i, 0, sizeof *i);
    if (strlen(name) >= sizeof i->name)
        fail("%s is too long a name", name);
    memcpy(i->name, name, strlen(name) + 1);
    return i;
}

static struct instruction *begin(struct bytecode *b, unsigned row, struct operand_form form,
                                 const char *name) {
    struct instruction *i = add_instruction(b, name);
    add_entry(b, row, form, b->instruction_count - 1);
    body = open_memstream(&i->body, &body_size);
    if (!body)
        fail("memory is exhausted");
    i->cells = 2;
    return i;
}

static void add_field(struct instruction *i, enum field_kind kind, enum field_at at, unsigned slots,
                      unsigned flags, const char *role) {
    if (i->field_count == MOST_FIELDS)
        fail("%s has too many fields", i->name);
    i->fields[i->field_count] =
        (struct bytecode_field){(uint8_t)kind, (uint8_t)at, (uint8_t)slots, (uint8_t)flags};
    i->roles[i->field_count++] = role;
    unsigned cells = at >= AT_Y ? 4 : at >= AT_X ? 3 : at != AT_NOWHERE ? 2 : 1;
    if (cells > i->cells)
        i->cells = cells;
}

/* Adds an operand of a type and gives its value. */
static const char *operand(struct instruction *i, const char *type, char letter, enum field_at at,
                           unsigned flags, const char *role) {
    unsigned slots = is_scalar(type) ? 1 : 2;
    switch (letter) {
    case 's':
        add_field(i, FIELD_SLOT, at, slots, flags, role);
        break;
    case 'k':
        add_field(i, FIELD_CONSTANT, at, 0, FIELD_READ, role);
        break;
    case 'a':
        add_field(i, *type == 'I' ? FIELD_ACC : FIELD_FACC, AT_NOWHERE, 0, flags, role);
        break;
    case 'p':
        add_field(i, FIELD_P, AT_NOWHERE, 0, flags, role);
        break;
    case 'q':
        add_field(i, FIELD_Q, AT_NOWHERE, 0, flags, role);
        break;
    default:
        fail("%s: %c is no operand", i->name, letter);
    }
    return flags & FIELD_READ ? value_of(type, letter, at) : NULL;
}

static const char *source(struct instruction *i, const char *type, char letter, enum field_at at,
                          const char *role) {
    return operand(i, type, letter, at, FIELD_READ, role);
}

static void destination(struct instruction *i, const char *type, char letter) {
    operand(i, type, letter, AT_O0, FIELD_WRITTEN, "to");
}

static void number(struct instruction *i, enum field_at at, const char *role) {
    add_field(i, FIELD_CONSTANT, at, 0, FIELD_READ, role);
}

static void index_of(struct instruction *i, enum field_at at, enum index_space space,
                     const char *role) {
    add_field(i, FIELD_INDEX, at, space, FIELD_READ, role);
}

static void put(char d, const char *type, const char *value) {
    if (is_scalar(type))
        text("PUT_%c(%s, %s);", d, type, value);
    else
        text("PUT_V_%c(%s);", d, value);
}

static void synopsis(struct instruction *i, const char *to, const char *from) {
    snprintf(i->synopsis, sizeof i->synopsis, to ? "%s <- %s" : "%s%s", to ? to : "", from);
}

static void next(struct instruction *i) {
    text("NEXT(%u);", i->cells);
}

static void end(void) {
    fclose(body);
}

static void branch_field(struct instruction *i, bool optional) {
    add_field(i, FIELD_BRANCH, AT_W, 0, FIELD_READ | (optional ? FIELD_OPTIONAL : 0), "branch");
}

/* How memory is accessed, as the letter in an instruction's name: memory 0 at an i32 address, with guard pages or an
 * explicit check; at an i64 address with guard pages; any memory, by its number, with an explicit check. */
enum access { GUARDED = 'g', CHECKED = 'e', WIDE = 'w', NUMBERED = 'm' };

static enum access access_of(bool checks) {
    return checks ? CHECKED : GUARDED;
}

static void access_flag(struct instruction *i, enum access access) {
    i->flags |= access == GUARDED   ? INSTRUCTION_GUARDED
                : access == CHECKED ? INSTRUCTION_CHECKED
                : access == WIDE    ? INSTRUCTION_GUARDED | INSTRUCTION_WIDE
                                    : INSTRUCTION_NUMBERED;
}

/* ---- operations of two operands, of one; branches ---- */

static const char *pin_prefix(const struct variant *v) {
    return has(v, "pq") ? "pin_" : "";
}

/* Of two operands: the first and the second slot of the instruction, in order; but where a constant or a pin
 * leaves only one slot, that is the first. */
static void place_two(const struct variant *v, enum field_at first, enum field_at constant,
                      enum field_at *a, enum field_at *b) {
    bool one_slot = strpbrk(v->sources, "kpq") != NULL;
    *a = v->sources[0] == 'k' ? constant : first;
    *b = v->sources[1] == 'k' ? constant : one_slot ? first : first + 1;
}

static struct operand_form form_of(const struct variant *v) {
    struct operand_form form = {.d = class_of(v->d), .a = class_of(v->sources[0])};
    if (v->sources[1])
        form.b = class_of(v->sources[1]);
    return form;
}

static void cast_flag(struct instruction *i, const struct operation *o) {
    if (!strcmp(o->forms, "CAST"))
        i->flags |= INSTRUCTION_CAST;
}

static void make_bin(struct bytecode *b, unsigned row, const struct operation *o,
                     const struct variant *v) {
    struct instruction *i = begin(
        b, row, form_of(v), formatted("%s%s_%c_%s", pin_prefix(v), o->name, v->d, v->sources));
    enum field_at a_at, b_at;
    place_two(v, AT_O1, is_wide_constant(o->type) ? AT_X : AT_W, &a_at, &b_at);
    destination(i, o->result, v->d);
    const char *x = source(i, o->type, v->sources[0], a_at, "a");
    const char *y = source(i, o->type, v->sources[1], b_at, "b");
    text("%s a = %s, b = %s;", c_type(o->type), x, y);
    cast_flag(i, o);
    if (o->check)
        text("%s", o->check);
    put(v->d, o->result, formatted("(%s)", o->expression));
    next(i);
    synopsis(i, shown(v->d, AT_O0, o->result),
             substitute(o->expression, "a", shown(v->sources[0], a_at, o->type), "b",
                        shown(v->sources[1], b_at, o->type)));
    end();
}

static void make_un(struct bytecode *b, unsigned row, const struct operation *o,
                    const struct variant *v) {
    struct instruction *i =
        begin(b, row, form_of(v), formatted("%s_%c_%s", o->name, v->d, v->sources));
    destination(i, o->result, v->d);
    text("%s a = %s;", c_type(o->type), source(i, o->type, v->sources[0], AT_O1, "a"));
    if (o->check && *o->check)
        text("%s", o->check);
    put(v->d, o->result, formatted("(%s)", o->expression));
    next(i);
    synopsis(i, shown(v->d, AT_O0, o->result),
             substitute(o->expression, "a", shown(v->sources[0], AT_O1, o->type)));
    end();
}

static void make_branch(struct bytecode *b, unsigned row, const struct operation *o,
                        const struct variant *v) {
    struct instruction *i =
        begin(b, row, form_of(v), formatted("%s%s_%s", pin_prefix(v), o->name, v->sources));
    enum field_at a_at, b_at;
    place_two(v, AT_O0, AT_X, &a_at, &b_at);
    const char *x = source(i, o->type, v->sources[0], a_at, "a");
    const char *y = source(i, o->type, v->sources[1], b_at, "b");
    branch_field(i, true);
    cast_flag(i, o);
    text("%s a = %s, b = %s;", c_type(o->type), x, y);
    text("BRANCH_WHEN((%s), %u);", o->expression, i->cells);
    synopsis(i, NULL,
             formatted("branch by w if %s",
                       substitute(o->expression, "a", shown(v->sources[0], a_at, o->type), "b",
                                  shown(v->sources[1], b_at, o->type))));
    end();
}

/* ---- linear memory ---- */

static const char *access_type(const char *access) {
    return *access == 'v'             ? "u8x16"
           : *access == 'f'           ? access[1] == '3' ? "float" : "double"
           : strstr(access + 1, "64") ? "uint64_t"
                                      : "uint32_t";
}

static struct operand_form access_form(const struct variant *v, enum access access) {
    struct operand_form form = form_of(v);
    form.checks = access == CHECKED;
    form.numbered = access == NUMBERED;
    form.wide = access == WIDE;
    return form;
}

static void address_and_offset(struct instruction *i, char letter, enum access access) {
    if (access == WIDE)
        text("WIDE_ADDRESS(%s);", source(i, "I64", letter, AT_O1, "address"));
    else
        text("uint64_t address = (uint64_t)%s + UW;", source(i, "I32", letter, AT_O1, "address"));
    number(i, AT_W, "offset");
}

/* Of any memory: o3 is its number, x the offset. */
static void numbered_address(struct instruction *i, char letter) {
    text("uint64_t address = %s;", source(i, "I64", letter, AT_O1, "address"));
    index_of(i, AT_O3, SPACE_MEMORY, "memory");
    number(i, AT_X, "offset");
}

static void make_numbered_load(struct bytecode *b, unsigned row, const struct operation *o,
                               const struct variant *v) {
    struct instruction *i =
        begin(b, row, access_form(v, NUMBERED), formatted("%s_m_%c_%s", o->name, v->d, v->sources));
    access_flag(i, NUMBERED);
    destination(i, o->result, v->d);
    numbered_address(i, v->sources[0]);
    text("%s loaded;", access_type(o->access));
    text("READ_m(%s, loaded, address);", o->access);
    put(v->d, o->result, is_scalar(o->result) ? "loaded" : "(u8x16)loaded");
    next(i);
    synopsis(i, shown(v->d, AT_O0, o->result),
             formatted("%s of memory o3 at %s + x", o->access, shown(v->sources[0], AT_O1, "I64")));
    end();
}

static void make_numbered_store(struct bytecode *b, unsigned row, const struct operation *o,
                                const struct variant *v) {
    struct instruction *i =
        begin(b, row, access_form(v, NUMBERED), formatted("%s_m_%s", o->name, v->sources));
    access_flag(i, NUMBERED);
    const char *value = source(i, o->type, v->sources[0], AT_O0, "value");
    numbered_address(i, v->sources[1]);
    text("WRITE_m(%s, address, %s);", o->access, value);
    next(i);
    synopsis(i,
             formatted("%s of memory o3 at %s + x", o->access, shown(v->sources[1], AT_O1, "I64")),
             shown(v->sources[0], AT_O0, o->type));
    end();
}

static void make_load(struct bytecode *b, unsigned row, const struct operation *o,
                      const struct variant *v, enum access access) {
    struct instruction *i =
        begin(b, row, access_form(v, access),
              formatted("%s%s_%c_%c_%s", pin_prefix(v), o->name, access, v->d, v->sources));
    destination(i, o->result, v->d);
    address_and_offset(i, v->sources[0], access);
    text("%s loaded;", access_type(o->access));
    access_flag(i, access);
    text("READ_%c(%s, loaded, address);", access, o->access);
    if (is_scalar(o->result)) {
        put(v->d, o->result, "loaded");
    } else {
        text("%s a = (%s)loaded;", c_type(o->type), c_type(o->type));
        put(v->d, o->result, o->expression);
    }
    next(i);
    synopsis(i, shown(v->d, AT_O0, o->result),
             substitute(o->expression, "a",
                        formatted("%s at %s + w", o->access, shown(v->sources[0], AT_O1, "I32"))));
    end();
}

static void make_store(struct bytecode *b, unsigned row, const struct operation *o,
                       const struct variant *v, enum access access) {
    enum field_at at = v->sources[0] == 'k' ? AT_X : AT_O0;
    struct instruction *i =
        begin(b, row, access_form(v, access),
              formatted("%s%s_%c_%s", pin_prefix(v), o->name, access, v->sources));
    const char *value = source(i, o->type, v->sources[0], at, "value");
    address_and_offset(i, v->sources[1], access);
    access_flag(i, access);
    text("WRITE_%c(%s, address, %s);", access, o->access, value);
    next(i);
    synopsis(i, formatted("%s at %s + w", o->access, shown(v->sources[1], AT_O1, "I32")),
             shown(v->sources[0], at, o->type));
    end();
}

/* ---- structures and arrays ---- */

static const char *object_operand(struct instruction *i, char letter, enum field_at at) {
    return source(i, "I32", letter, at, "object");
}

static void make_field_get(struct bytecode *b, unsigned row, const struct operation *o,
                           const struct variant *v) {
    struct instruction *i =
        begin(b, row, form_of(v), formatted("%s_%c_%s", o->name, v->d, v->sources));
    destination(i, o->result, v->d);
    text("OBJECT(object, %s);", object_operand(i, v->sources[0], AT_O1));
    number(i, AT_W, "offset");
    text("const uint8_t *place = object + UW;");
    text("%s loaded;", access_type(o->access));
    text("OBJECT_READ_%s(loaded, place);", o->access);
    put(v->d, o->result, "loaded");
    next(i);
    synopsis(i, shown(v->d, AT_O0, o->result),
             formatted("%s of object %s at w", o->access, shown(v->sources[0], AT_O1, "I32")));
    end();
}

static void make_field_set(struct bytecode *b, unsigned row, const struct operation *o,
                           const struct variant *v) {
    enum field_at at = v->sources[0] == 'k' ? AT_X : AT_O0;
    struct instruction *i = begin(b, row, form_of(v), formatted("%s_%s", o->name, v->sources));
    text("%s value = %s;", c_type(o->type), source(i, o->type, v->sources[0], at, "value"));
    text("OBJECT(object, %s);", object_operand(i, v->sources[1], AT_O1));
    number(i, AT_W, "offset");
    text("uint8_t *place = object + UW;");
    text("OBJECT_WRITE_%s(place, value);", o->access);
    next(i);
    synopsis(i, formatted("%s of object %s at w", o->access, shown(v->sources[1], AT_O1, "I32")),
             shown(v->sources[0], at, o->type));
    end();
}

static void element_place(struct instruction *i, const struct operation *o, const struct variant *v,
                          enum field_at array, enum field_at index) {
    text("OBJECT(array, %s);", object_operand(i, v->sources[0], array));
    text("ELEMENT(place, array, %s, LOG2_%s);", source(i, "I32", v->sources[1], index, "index"),
         o->access);
}

static void make_element_get(struct bytecode *b, unsigned row, const struct operation *o,
                             const struct variant *v) {
    enum field_at at = v->sources[1] == 'k' ? AT_W : AT_O2;
    struct instruction *i =
        begin(b, row, form_of(v), formatted("%s_%c_%s", o->name, v->d, v->sources));
    destination(i, o->result, v->d);
    element_place(i, o, v, AT_O1, at);
    text("%s loaded;", access_type(o->access));
    text("OBJECT_READ_%s(loaded, place);", o->access);
    put(v->d, o->result, "loaded");
    next(i);
    synopsis(i, shown(v->d, AT_O0, o->result),
             formatted("%s element %s of array %s", o->access, shown(v->sources[1], at, "I32"),
                       shown(v->sources[0], AT_O1, "I32")));
    end();
}

static void make_element_set(struct bytecode *b, unsigned row, const struct operation *o,
                             const struct variant *v) {
    enum field_at at = v->sources[2] == 'k' ? AT_X : AT_O2;
    struct operand_form form = form_of(v);
    form.c = class_of(v->sources[2]);
    struct instruction *i = begin(b, row, form, formatted("%s_%s", o->name, v->sources));
    element_place(i, o, v, AT_O0, AT_O1);
    text("%s value = %s;", c_type(o->type), source(i, o->type, v->sources[2], at, "value"));
    text("OBJECT_WRITE_%s(place, value);", o->access);
    next(i);
    synopsis(i,
             formatted("%s element %s of array %s", o->access, shown(v->sources[1], AT_O1, "I32"),
                       shown(v->sources[0], AT_O0, "I32")),
             shown(v->sources[2], at, o->type));
    end();
}

/* ---- vectors ---- */

/* All operands in slots: the plain name. */
static const char *vector_name(const char *name, const struct variant *v) {
    bool plain = v->d == 's' && strspn(v->sources, "s") == strlen(v->sources);
    return plain ? name : formatted("%s_%c_%s", name, v->d, v->sources);
}

static void make_vector(struct bytecode *b, unsigned row, const struct operation *o,
                        const struct variant *v) {
    static const char *const names[] = {"a", "b", "c"};
    struct operand_form form = form_of(v);
    const char *seen[3] = {"?", "?", "xy"};
    if (strlen(v->sources) > 2)
        form.c = class_of(v->sources[2]);
    struct instruction *i = begin(b, row, form, vector_name(o->name, v));
    destination(i, o->result, v->d);
    for (unsigned k = 0; k < 3 && v->sources[k]; k++) {
        enum field_at at = (enum field_at)(AT_O1 + k);
        text("%s %s = %s;", c_type(o->type), names[k],
             source(i, o->type, v->sources[k], at, names[k]));
        seen[k] = shown(v->sources[k], at, o->type);
    }
    if (o->kind == VSHUFFLE_) {
        number(i, AT_X, "lanes");
        number(i, AT_Y, "lanes");
        text("%s c;", c_type(o->type));
        text("memcpy(&c, pc + 2, sizeof c);");
    }
    put(v->d, o->result, formatted("(%s)", o->expression));
    next(i);
    synopsis(i, shown(v->d, AT_O0, o->result),
             substitute(o->expression, "a", seen[0], "b", seen[1], "c", seen[2]));
    end();
}

static void make_shift(struct bytecode *b, unsigned row, const struct operation *o,
                       const struct variant *v) {
    struct instruction *i = begin(b, row, form_of(v), vector_name(o->name, v));
    enum field_at n_at = v->sources[1] == 'k' ? AT_W : AT_O2;
    destination(i, o->result, v->d);
    text("%s a = %s;", o->type, source(i, o->type, v->sources[0], AT_O1, "a"));
    source(i, "I32", v->sources[1], n_at, "n");
    text("%s n = SHIFT_COUNT(%s, a, %s);", o->type, o->type, n_at == AT_W ? "UW" : "SLOT(2)");
    put(v->d, o->result, formatted("(%s)", o->expression));
    next(i);
    synopsis(i, shown(v->d, AT_O0, o->result),
             substitute(o->expression, "a", shown(v->sources[0], AT_O1, o->type), "n",
                        shown(v->sources[1], n_at, "I32")));
    end();
}

static void make_splat(struct bytecode *b, unsigned row, const struct operation *o,
                       const struct variant *v) {
    struct instruction *i = begin(b, row, form_of(v), vector_name(o->name, v));
    destination(i, o->result, v->d);
    put(v->d, o->result,
        formatted("splat_%s(BITS_%s(%s))", o->result, o->type,
                  source(i, o->type, v->sources[0], AT_O1, "a")));
    next(i);
    synopsis(i, shown(v->d, AT_O0, o->result),
             formatted("all lanes %s", shown(v->sources[0], AT_O1, o->type)));
    end();
}

static void make_extract(struct bytecode *b, unsigned row, const struct operation *o,
                         const struct variant *v) {
    struct operand_form form = {.d = class_of(v->d)};
    struct instruction *i = begin(b, row, form, vector_name(o->name, v));
    destination(i, o->result, v->d);
    source(i, "V128", 's', AT_O1, "a");
    number(i, AT_O3, "lane");
    put(v->d, o->result, formatted("(%s)GET_LANE(1, %s, O(3))", c_type(o->result), o->access));
    next(i);
    synopsis(i, shown(v->d, AT_O0, o->result), formatted("%s lane o3 of [o1]", o->access));
    end();
}

static void make_replace(struct bytecode *b, unsigned row, const struct operation *o) {
    struct instruction *i = begin(b, row, (struct operand_form){0}, o->name);
    destination(i, o->result, 's');
    source(i, "V128", 's', AT_O1, "a");
    source(i, "I64", 's', AT_O2, "value");
    number(i, AT_O3, "lane");
    put('s', o->result, formatted("replace_%s((%s)GET_V_s(1), SLOT(2), O(3))", o->type, o->type));
    next(i);
    synopsis(i, "[o0]", "[o1] with lane o3 replaced by [o2]");
    end();
}

static void make_load_lane(struct bytecode *b, unsigned row, const struct operation *o) {
    struct instruction *i = begin(b, row, (struct operand_form){0}, o->name);
    destination(i, o->result, 's');
    source(i, "I32", 's', AT_O1, "address");
    number(i, AT_W, "offset");
    number(i, AT_X, "slot and lane");
    text("LOAD_LANE(%s);", o->type);
    next(i);
    synopsis(i, "[o0]",
             "the vector in the slot of x's bits 0 to 15, with the lane of its bits 16 to 31 "
             "loaded from [o1] + w");
    end();
}

static void make_store_lane(struct bytecode *b, unsigned row, const struct operation *o) {
    struct instruction *i = begin(b, row, (struct operand_form){0}, o->name);
    source(i, "V128", 's', AT_O0, "value");
    source(i, "I32", 's', AT_O1, "address");
    number(i, AT_W, "offset");
    number(i, AT_X, "lane");
    text("STORE_LANE(%s);", o->access);
    next(i);
    synopsis(i, "memory at [o1] + w", "lane x of [o0]");
    end();
}

/* ---- all forms of an operation ---- */

typedef void make_variant(struct bytecode *, unsigned row, const struct operation *,
                          const struct variant *);

static void make_all(struct bytecode *b, unsigned row, const struct operation *o, make_variant make,
                     const char *forms) {
    struct variant variants[MOST_VARIANTS];
    size_t count = list_variants(&b->build, forms, variants);
    for (size_t k = 0; k < count; k++)
        make(b, row, o, &variants[k]);
}

static void make_memory(struct bytecode *b, unsigned row, const struct operation *o,
                        const char *forms) {
    struct variant variants[MOST_VARIANTS];
    size_t count = list_variants(&b->build, forms, variants);
    for (int checks = !b->build.guard; checks < 2; checks++) {
        for (size_t k = 0; k < count; k++) {
            if (!is_scalar(o->type) && variants[k].sources[0] == 'k')
                continue; /* a vector is never a constant */
            if (o->kind == LOAD_)
                make_load(b, row, o, &variants[k], access_of(checks));
            else
                make_store(b, row, o, &variants[k], access_of(checks));
        }
    }
}

/* Loads of vectors are v128.load alone: the others are a load of a scalar and an operation. */
static bool is_numbered(const struct operation *o) {
    const char *type = o->kind == LOAD_ ? o->result : o->type;
    return is_scalar(type) || !strcmp(o->access, "v128");
}

/* The small form accesses 64-bit memories by number. */
static void make_wide(struct bytecode *b, unsigned row, const struct operation *o,
                      const char *forms) {
    struct variant variants[MOST_VARIANTS];
    size_t count = list_variants(&b->build, forms, variants);
    if (!b->build.guard || !b->build.accumulator || !is_numbered(o))
        return;
    for (size_t k = 0; k < count; k++) {
        if (o->kind == LOAD_)
            make_load(b, row, o, &variants[k], WIDE);
        else if (is_scalar(o->type) || variants[k].sources[0] != 'k')
            make_store(b, row, o, &variants[k], WIDE);
    }
}

static void make_loads(struct bytecode *b, unsigned row, const struct operation *o) {
    make_memory(b, row, o, "LOAD");
    if (is_numbered(o))
        make_all(b, row, o, make_numbered_load, "LOAD");
    make_wide(b, row, o, "LOAD");
    if (o->pinned && *o->result == 'I')
        make_wide(b, row, o, "PIN_LOAD_WIDE");
    if (!o->pinned)
        return;
    make_memory(b, row, o, "PIN_ADDRESS");
    if (!strcmp(o->result, "I32"))
        make_memory(b, row, o, "PIN_LOAD_I32");
    if (!strcmp(o->result, "I64")) {
        make_memory(b, row, o, "PIN_LOAD_I64");
        make_memory(b, row, o, "PIN_LOAD_I64_Q");
    }
}

static void make_stores(struct bytecode *b, unsigned row, const struct operation *o) {
    make_memory(b, row, o, "STORE");
    if (is_numbered(o))
        make_all(b, row, o, make_numbered_store, "NUMBERED_STORE");
    make_wide(b, row, o, "STORE");
    if (!o->pinned)
        return;
    make_memory(b, row, o, "PIN_STORE");
    make_memory(b, row, o, "PIN_STORE_K");
    if (*o->type == 'I')
        make_memory(b, row, o, "PIN_STORE_VALUE");
}

/* Without accumulators the bits of a float are read and written as an integer. */
static void make_object(struct bytecode *b, unsigned row, const struct operation *o,
                        make_variant make, const char *forms) {
    if (b->build.accumulator || *o->type == 'I')
        make_all(b, row, o, make, forms);
}

static void make_operation(struct bytecode *b, unsigned row, const struct operation *o) {
    const char *vector_forms = b->build.accumulator ? o->forms : NULL;
    switch (o->kind) {
    case BIN_:
        make_all(b, row, o, make_bin, formatted("BIN_%s", o->forms));
        if (o->pinned) {
            make_all(b, row, o, make_bin, formatted("PIN_%s", o->forms));
            make_all(b, row, o, make_bin, formatted("PIN_TO_%s", o->forms));
        }
        break;
    case UN_:
        make_all(b, row, o, make_un, "UN");
        break;
    case BRANCH_:
        make_all(b, row, o, make_branch, formatted("BRANCH_%s", o->forms));
        if (o->pinned)
            make_all(b, row, o, make_branch, formatted("PIN_BRANCH_%s", o->forms));
        break;
    case LOAD_:
        make_loads(b, row, o);
        break;
    case STORE_:
        make_stores(b, row, o);
        break;
    case FIELD_GET_:
        make_object(b, row, o, make_field_get, "LOAD");
        if (o->pinned)
            make_object(b, row, o, make_field_get, "PIN_FIELD_GET");
        break;
    case FIELD_SET_:
        make_object(b, row, o, make_field_set, "FIELD_SET");
        break;
    case ELEMENT_GET_:
        make_object(b, row, o, make_element_get, "ELEMENT_GET");
        if (o->pinned)
            make_object(b, row, o, make_element_get, "PIN_ELEMENT_GET");
        break;
    case ELEMENT_SET_:
        make_object(b, row, o, make_element_set, "ELEMENT_SET");
        break;
    case VECTOR_:
    case VTEST_:
    case VSHUFFLE_:
        make_all(b, row, o, make_vector, o->forms);
        break;
    case VSHIFT_:
        make_all(b, row, o, make_shift, vector_forms ? vector_forms : "SLOTS2");
        break;
    case VSPLAT_:
        make_all(b, row, o, make_splat, o->forms);
        break;
    case VEXTRACT_:
        make_all(b, row, o, make_extract, o->forms);
        break;
    case VREPLACE_:
        make_replace(b, row, o);
        break;
    case VLOAD_LANE_:
        make_load_lane(b, row, o);
        break;
    case VSTORE_LANE_:
        make_store_lane(b, row, o);
        break;
    case LISTED_:
        break;
    }
}

/* ---- fusions ---- */

static unsigned row_of(struct bytecode *b, const struct operation *first,
                       const struct operation *second) {
    for (size_t r = 1; r < b->row_count; r++)
        if (b->rows[r].first == first && b->rows[r].second == second)
            return (unsigned)r;
    b->rows = grow(b->rows, b->row_count, &b->row_room, sizeof *b->rows);
    const char *result = second ? second->result : first->result ? first->result : first->type;
    b->rows[b->row_count] = (struct row){first, second, result && !is_scalar(result)};
    return (unsigned)b->row_count++;
}

/* Without its type: add. */
static const char *short_name(const struct operation *o) {
    return strchr(o->name, '_') + 1;
}

/* The second operation of x, the result of the first, and c. */
static const char *second_of(const struct operation *second, bool exchanged, const char *x,
                             const char *c) {
    return exchanged ? substitute(second->expression, "a", c, "b", x)
                     : substitute(second->expression, "a", x, "b", c);
}

/* Whether a translator never says this: see MINUS in operations.def. */
static bool is_subtraction_of(const struct operation *o, char letter) {
    return letter == 'k' && o->forms && !strcmp(o->forms, "MINUS");
}

static void make_pair(struct bytecode *b, unsigned row, const struct fusion *f,
                      const struct operation *first, const struct operation *second,
                      const struct variant *v) {
    char a = v->sources[0], bb = v->sources[1], c = v->sources[3];
    bool wide = is_wide_constant(first->type);
    if (is_subtraction_of(first, bb) || (!f->exchanged && is_subtraction_of(second, c)))
        return;
    struct operand_form form = form_of(v);
    form.c = class_of(c);
    form.reversed = f->exchanged;
    struct instruction *i = begin(b, row, form,
                                  formatted("%s_%s%s_%c_%s", first->name, f->exchanged ? "r" : "",
                                            short_name(second), v->d, v->sources));
    const char *type = c_type(first->type);
    enum field_at b_at = bb == 's' ? AT_O2 : wide ? AT_X : AT_XLO;
    enum field_at c_at = c == 's' ? AT_O3 : !wide ? AT_XHI : bb == 'k' ? AT_Y : AT_X;
    destination(i, second->result, v->d);
    const char *a_value = source(i, first->type, a, AT_O1, "a");
    const char *b_value = source(i, first->type, bb, b_at, "b");
    const char *c_value = source(i, second->type, c, c_at, "c");
    text("%s a = %s, b = %s;", type, a_value, b_value);
    text("%s x = (%s), c = %s;", type, first->expression, c_value);
    put(v->d, second->result, formatted("(%s)", second_of(second, f->exchanged, "x", "c")));
    next(i);
    const char *x = substitute(first->expression, "a", shown(a, AT_O1, first->type), "b",
                               shown(bb, b_at, first->type));
    synopsis(i, shown(v->d, AT_O0, second->result),
             second_of(second, f->exchanged, formatted("(%s)", x), shown(c, c_at, second->type)));
    end();
}

static void make_load_at(struct bytecode *b, unsigned row, const struct operation *load,
                         const struct variant *v, enum access access) {
    struct instruction *i =
        begin(b, row, access_form(v, access),
              formatted("%s_at_%c_%c_%s", load->name, access, v->d, v->sources));
    const char *type = access == WIDE ? "I64" : "I32";
    enum field_at b_at = v->sources[1] == 'k' && access == WIDE ? AT_X : AT_XLO;
    destination(i, load->result, v->d);
    const char *a = source(i, type, v->sources[0], AT_O1, "a");
    const char *bb = source(i, type, v->sources[1], b_at, "b");
    number(i, AT_W, "offset");
    text(access == WIDE ? "WIDE_ADDRESS(%s + %s);" : "uint64_t address = (uint64_t)(%s + %s) + UW;",
         a, bb);
    text("%s loaded;", access_type(load->access));
    access_flag(i, access);
    text("READ_%c(%s, loaded, address);", access, load->access);
    put(v->d, load->result, "loaded");
    next(i);
    synopsis(i, shown(v->d, AT_O0, load->result),
             formatted("%s at (%s + %s) + w", load->access, shown(v->sources[0], AT_O1, type),
                       shown(v->sources[1], b_at, type)));
    end();
}

static void make_load_pair(struct bytecode *b, unsigned row, const struct fusion *f,
                           const struct operation *load, const struct operation *second,
                           const struct variant *v, bool checks) {
    char a = v->sources[0], c = v->sources[2];
    if (!f->exchanged && is_subtraction_of(second, c))
        return;
    struct operand_form form = {.d = class_of(v->d),
                                .a = class_of(a),
                                .c = class_of(c),
                                .reversed = f->exchanged,
                                .checks = checks};
    struct instruction *i =
        begin(b, row, form,
              formatted("%s_%s%s_%c_%c_%s", load->name, f->exchanged ? "r" : "", short_name(second),
                        checks ? 'e' : 'g', v->d, v->sources));
    enum field_at c_at = c == 'k' && is_wide_constant(second->type) ? AT_X : AT_XLO;
    destination(i, second->result, v->d);
    const char *address = source(i, "I32", a, AT_O1, "address");
    number(i, AT_W, "offset");
    const char *c_value = source(i, second->type, c, c_at, "c");
    text("uint64_t address = (uint64_t)%s + UW;", address);
    text("%s x;", access_type(load->access));
    access_flag(i, access_of(checks));
    text("READ_%c(%s, x, address);", checks ? 'e' : 'g', load->access);
    text("%s c = %s;", c_type(second->type), c_value);
    put(v->d, second->result, formatted("(%s)", second_of(second, f->exchanged, "x", "c")));
    i->cells = 3;
    next(i);
    synopsis(i, shown(v->d, AT_O0, second->result),
             second_of(second, f->exchanged,
                       formatted("(%s at %s + w)", load->access, shown(a, AT_O1, "I32")),
                       shown(c, c_at, second->type)));
    end();
}

/* ---- fusions with branches ---- */

/* A comparison that commutes has no reversed form. */
static bool is_idle(const struct operation *branch, bool reversed) {
    return reversed && !strcmp(branch->forms, "COMM");
}

static void branch_synopsis(struct instruction *i, const struct operation *branch, bool reversed,
                            const char *x, const char *c) {
    synopsis(i, NULL, formatted("branch by w if %s", second_of(branch, reversed, x, c)));
}

static void make_pair_branch(struct bytecode *b, unsigned row, const struct operation *first,
                             const struct operation *branch, const struct variant *v) {
    char a = v->sources[0], bb = v->sources[1], c = v->sources[4];
    bool reversed = v->sources[3] == 'r';
    if (is_subtraction_of(first, bb) || is_idle(branch, reversed))
        return;
    struct operand_form form = {
        .a = class_of(a), .b = class_of(bb), .c = class_of(c), .reversed = reversed};
    struct instruction *i =
        begin(b, row, form, formatted("%s_%s_%s", first->name, branch->name, v->sources));
    const char *c_value = reversed ? source(i, "I32", c, AT_XLO, "c") : NULL;
    const char *a_value = source(i, "I32", a, AT_O0, "a");
    const char *b_value = source(i, "I32", bb, AT_XHI, "b");
    if (!reversed)
        c_value = source(i, "I32", c, AT_XLO, "c");
    branch_field(i, true);
    text("uint32_t a = %s, b = %s;", a_value, b_value);
    text("uint32_t x = (%s), c = %s;", first->expression, c_value);
    text("BRANCH_WHEN((%s), 3);", second_of(branch, reversed, "x", "c"));
    branch_synopsis(i, branch, reversed,
                    formatted("(%s)", substitute(first->expression, "a", shown(a, AT_O0, "I32"),
                                                 "b", shown(bb, AT_XHI, "I32"))),
                    shown(c, AT_XLO, "I32"));
    end();
}

static void make_load_branch(struct bytecode *b, unsigned row, const struct operation *load,
                             const struct operation *branch, const struct variant *v, bool checks) {
    char a = v->sources[0], c = v->sources[3];
    bool reversed = v->sources[2] == 'r';
    if (is_idle(branch, reversed))
        return;
    struct operand_form form = {
        .a = class_of(a), .c = class_of(c), .reversed = reversed, .checks = checks};
    struct instruction *i =
        begin(b, row, form,
              formatted("%s_%s_%c_%s", load->name, branch->name, checks ? 'e' : 'g', v->sources));
    const char *c_value = reversed ? source(i, "I32", c, AT_XLO, "c") : NULL;
    const char *address = source(i, "I32", a, AT_O0, "address");
    number(i, AT_XHI, "offset");
    if (!reversed)
        c_value = source(i, "I32", c, AT_XLO, "c");
    branch_field(i, true);
    text("uint64_t address = (uint64_t)%s + HALF_CONST(1);", address);
    text("uint32_t x;");
    access_flag(i, access_of(checks));
    text("READ_%c(%s, x, address);", checks ? 'e' : 'g', load->access);
    text("uint32_t c = %s;", c_value);
    text("BRANCH_WHEN((%s), 3);", second_of(branch, reversed, "x", "c"));
    branch_synopsis(i, branch, reversed,
                    formatted("(%s at %s + xhi)", load->access, shown(a, AT_O0, "I32")),
                    shown(c, AT_XLO, "I32"));
    end();
}

/* A constant of 64 bits is kept as 32 with a sign. */
static const char *step_value(const char *type, char letter, enum field_at at) {
    if (letter == 'k' && !strcmp(type, "I64"))
        return formatted("(uint64_t)(int64_t)(int32_t)%s", value_of("I32", letter, at));
    return value_of(type, letter, at);
}

static void make_step(struct bytecode *b, unsigned row, const struct operation *step,
                      const struct operation *branch, const struct variant *v) {
    char d = v->d == '-' ? 's' : v->d, add = v->sources[0], c = v->sources[3];
    bool reversed = v->sources[2] == 'r', pinned = d != 's';
    const char *type = branch->type;
    if (is_idle(branch, reversed))
        return;
    struct operand_form form = {
        .d = class_of(d), .b = class_of(add), .c = class_of(c), .reversed = reversed};
    bool other_pin = c == 'p' || c == 'q';
    const char *name =
        formatted("%s%s_%s_%s%c_%c%c", pinned ? "pin_" : "", step->name, branch->name,
                  pinned ? formatted("%c_", d) : "", add, v->sources[2], other_pin ? 'o' : c);
    struct instruction *i = begin(b, row, form, name);
    if (reversed && !pinned)
        source(i, type, c, AT_XLO, "c");
    operand(i, type, d, AT_O0, FIELD_READ | FIELD_WRITTEN, "local");
    source(i, type, add, AT_XHI, "b");
    if (!reversed || pinned)
        source(i, type, c, AT_XLO, "c");
    branch_field(i, true);
    text("%s x = %s + %s;", c_type(type), value_of(type, d, AT_O0), step_value(type, add, AT_XHI));
    put(d, type, "x");
    text("%s c = %s;", c_type(type), step_value(type, c, AT_XLO));
    text("STEP_BRANCH_WHEN((%s), 3);", second_of(branch, reversed, "x", "c"));
    const char *local = shown(d, AT_O0, type);
    synopsis(i, NULL,
             formatted("%s += %s; branch by w if %s", local, shown(add, AT_XHI, type),
                       second_of(branch, reversed, local, shown(c, AT_XLO, type))));
    end();
}

static void make_jump(struct bytecode *b, unsigned row, const struct operation *first,
                      const struct variant *v) {
    enum field_at b_at = v->sources[1] == 's' ? AT_XLO : AT_X;
    struct instruction *i =
        begin(b, row, form_of(v), formatted("%s_br_%c_%s", first->name, v->d, v->sources));
    destination(i, first->result, v->d);
    const char *a = source(i, first->type, v->sources[0], AT_O1, "a");
    const char *bb = source(i, first->type, v->sources[1], b_at, "b");
    branch_field(i, false);
    i->cells = 3;
    text("%s a = %s, b = %s;", c_type(first->type), a, bb);
    put(v->d, first->result, formatted("(%s)", first->expression));
    text("BRANCH();");
    synopsis(i, shown(v->d, AT_O0, first->result),
             formatted("%s; branch by w",
                       substitute(first->expression, "a", shown(v->sources[0], AT_O1, "I32"), "b",
                                  shown(v->sources[1], b_at, "I32"))));
    end();
}

/* ---- fusions of vectors ---- */

static void make_vector_pair(struct bytecode *b, unsigned row, const struct fusion *f,
                             const struct operation *first, const struct operation *second,
                             const struct variant *v) {
    struct instruction *i = begin(b, row, form_of(v), vector_name(f->name, v));
    destination(i, second->result, v->d);
    const char *a = source(i, first->type, v->sources[0], AT_O1, "a");
    const char *bb = source(i, first->type, 's', AT_O2, "b");
    text("%s a = %s, b = %s;", first->type, a, bb);
    text("%s x = (%s)(%s);", second->type, second->type, first->expression);
    if (f->kind == VPAIR_)
        text("%s c = %s;", second->type, source(i, second->type, 's', AT_O3, "c"));
    put(v->d, second->result, formatted("(%s)", second_of(second, false, "x", "c")));
    next(i);
    synopsis(i, shown(v->d, AT_O0, second->result),
             second_of(second, false,
                       formatted("(%s)",
                                 substitute(first->expression, "a",
                                            shown(v->sources[0], AT_O1, first->type), "b", "[o2]")),
                       "[o3]"));
    end();
}

static void make_vector_load_pair(struct bytecode *b, unsigned row, const struct fusion *f,
                                  const struct operation *second, const struct variant *v,
                                  bool checks) {
    struct operand_form form = form_of(v);
    form.checks = checks;
    struct instruction *i = begin(
        b, row, form, formatted("%s_%c_%c_%s", f->name, checks ? 'e' : 'g', v->d, v->sources));
    destination(i, second->result, v->d);
    const char *address = source(i, "I32", v->sources[0], AT_O1, "address");
    const char *c = source(i, second->type, 's', AT_O2, "c");
    number(i, AT_O3, "offset");
    text("uint64_t address = (uint64_t)%s + (uint16_t)O(3);", address);
    text("u8x16 loaded;");
    access_flag(i, access_of(checks));
    text("READ_%c(v128, loaded, address);", checks ? 'e' : 'g');
    text("%s x = (%s)loaded, c = %s;", second->type, second->type, c);
    put(v->d, second->result, formatted("(%s)", second_of(second, false, "x", "c")));
    next(i);
    synopsis(i, shown(v->d, AT_O0, second->result),
             second_of(second, false,
                       formatted("(v128 at %s + o3)", shown(v->sources[0], AT_O1, "I32")), "[o2]"));
    end();
}

/* ---- all forms of a fusion ---- */

static void make_fused(struct bytecode *b, const struct fusion *f, const struct variant *v,
                       bool checks) {
    const struct operation *first = operation_named(f->first), *second = operation_named(f->second);
    unsigned row = row_of(b, first, second);
    switch (f->kind) {
    case PAIR_:
        make_pair(b, row, f, first, second, v);
        break;
    case LOAD_AT_:
        make_load_at(b, row, second, v, access_of(checks));
        break;
    case LOAD_AT_64_:
        make_load_at(b, row, second, v, WIDE);
        break;
    case LOAD_PAIR_:
        make_load_pair(b, row, f, first, second, v, checks);
        break;
    case PAIR_BRANCH_:
        make_pair_branch(b, row, first, second, v);
        break;
    case LOAD_BRANCH_:
        make_load_branch(b, row, first, second, v, checks);
        break;
    case STEP_BRANCH_:
        make_step(b, row, first, second, v);
        break;
    case PAIR_JUMP_:
        make_jump(b, row, first, v);
        break;
    case VPAIR_:
    case VPAIR_TEST_:
        make_vector_pair(b, row, f, first, second, v);
        break;
    case VPAIR_LOAD_:
        make_vector_load_pair(b, row, f, second, v, checks);
        break;
    }
}

static bool touches_memory(enum fusion_kind kind) {
    return kind == LOAD_AT_ || kind == LOAD_PAIR_ || kind == LOAD_BRANCH_ || kind == VPAIR_LOAD_;
}

static void make_fusion(struct bytecode *b, const struct fusion *f, const char *forms) {
    struct variant variants[MOST_VARIANTS];
    size_t count = list_variants(&b->build, forms, variants);
    bool memory = touches_memory(f->kind);
    for (int checks = memory && !b->build.guard; checks < (memory ? 2 : 1); checks++)
        for (size_t k = 0; k < count; k++)
            make_fused(b, f, &variants[k], checks);
}

static void make_fusions(struct bytecode *b) {
    static const char *const forms[][3] = {
        [PAIR_] = {"PAIR"},
        [LOAD_AT_] = {"LOAD_AT"},
        [LOAD_AT_64_] = {"LOAD_AT"},
        [LOAD_PAIR_] = {"LOAD_PAIR"},
        [PAIR_BRANCH_] = {"PAIR_BRANCH"},
        [LOAD_BRANCH_] = {"LOAD_BRANCH"},
        [STEP_BRANCH_] = {"STEP", "PIN_STEP_P", "PIN_STEP_Q"},
        [PAIR_JUMP_] = {"PAIR_JUMP", "PAIR_JUMP_P", "PAIR_JUMP_Q"},
        [VPAIR_] = {"COMM2"},
        [VPAIR_TEST_] = {"COMM2"},
        [VPAIR_LOAD_] = {"LOAD"},
    };
    for (size_t k = 0; k < cn_fusion_count; k++) {
        const struct fusion *f = &cn_fusions[k];
        if ((f->kind >= VPAIR_ ? !b->build.accumulator : !b->build.pairs) ||
            (f->kind == LOAD_AT_64_ && !b->build.guard))
            continue;
        for (unsigned n = 0; n < 3 && forms[f->kind][n]; n++)
            make_fusion(b, f, forms[f->kind][n]);
    }
}

/* ---- by hand ---- */

static enum field_at at_named(const char *name, size_t length, const char *all) {
    static const char *const names[] = {
        [AT_O0] = "o0", [AT_O1] = "o1",   [AT_O2] = "o2",   [AT_O3] = "o3",
        [AT_W] = "w",   [AT_X] = "x",     [AT_XLO] = "xlo", [AT_XHI] = "xhi",
        [AT_Y] = "y",   [AT_YLO] = "ylo", [AT_YHI] = "yhi"};
    for (int at = AT_O0; at <= AT_YHI; at++)
        if (strlen(names[at]) == length && !memcmp(names[at], name, length))
            return (enum field_at)at;
    fail("operations.def: no field is named as in \"%s\"", all);
}

static unsigned slots_named(const char *text) {
    return *text != ':'               ? 1
           : !strncmp(text, ":w", 2)  ? SLOTS_W
           : !strncmp(text, ":4*", 3) ? SLOTS_4_O3
                                      : (unsigned)atoi(text + 1);
}

static bool is_word(const char *token, size_t length, const char *word) {
    return length == strlen(word) && !memcmp(token, word, length);
}

/* A number, or behind a colon what it is an index of. */
static void parse_number(struct instruction *i, const char *token, size_t length, const char *all) {
    static const char *const spaces[] = {
        [SPACE_FUNC] = "func",     [SPACE_IMPORT] = "import", [SPACE_GLOBAL] = "global",
        [SPACE_MEMORY] = "memory", [SPACE_TABLE] = "table",   [SPACE_TAG] = "tag",
        [SPACE_DATA] = "data",     [SPACE_ELEM] = "elem",     [SPACE_STRUCT] = "struct",
        [SPACE_ARRAY] = "array",   [SPACE_WIDTH] = "width"};
    const char *colon = memchr(token, ':', length);
    size_t name = colon ? (size_t)(colon - token) : length;
    if (!colon) {
        number(i, at_named(token, name, all), "");
        return;
    }
    for (unsigned space = 0; space < sizeof spaces / sizeof *spaces; space++)
        if (is_word(colon + 1, length - name - 1, spaces[space])) {
            index_of(i, at_named(token, name, all), (enum index_space)space, spaces[space]);
            return;
        }
    fail("operations.def: nothing has indices as in \"%s\"", all);
}

static unsigned flag_named(const char *name, size_t length, const char *all) {
    static const struct {
        const char *name;
        enum instruction_flags flag;
    } flags[] = {
        {"ends", INSTRUCTION_ENDS},         {"returns", INSTRUCTION_RETURNS},
        {"begins", INSTRUCTION_BEGINS},     {"loads-pins", INSTRUCTION_LOADS_PINS},
        {"in-order", INSTRUCTION_IN_ORDER}, {"guarded", INSTRUCTION_GUARDED},
        {"outside", INSTRUCTION_OUTSIDE},   {"tail", INSTRUCTION_TAIL},
        {"in-place", INSTRUCTION_IN_PLACE},
    };
    for (size_t k = 0; k < sizeof flags / sizeof *flags; k++)
        if (is_word(name, length, flags[k].name))
            return flags[k].flag;
    fail("operations.def: no flag is named as in \"%s\"", all);
}

/* One field, or flag, of the notation that operations.def explains. */
static void parse_field(struct instruction *i, const char *token, size_t length, const char *all) {
    unsigned flags = 0;
    if (*token == '@') {
        i->flags |= flag_named(token + 1, length - 1, all);
        return;
    }
    if (*token == '!') {
        flags = FIELD_HIDDEN;
        token++, length--;
    }
    unsigned access = *token == '=' ? FIELD_WRITTEN : FIELD_READ;
    if (*token == '=')
        token++, length--;
    flags |= access;
    if (is_word(token, length, "acc"))
        add_field(i, FIELD_ACC, AT_NOWHERE, 0, flags, "");
    else if (is_word(token, length, "facc"))
        add_field(i, FIELD_FACC, AT_NOWHERE, 0, flags, "");
    else if (is_word(token, length, "p"))
        add_field(i, FIELD_P, AT_NOWHERE, 0, flags, "");
    else if (is_word(token, length, "q"))
        add_field(i, FIELD_Q, AT_NOWHERE, 0, flags, "");
    else if (is_word(token, length, "->w"))
        branch_field(i, false);
    else if (is_word(token, length, "+w"))
        add_field(i, FIELD_FRAME, AT_W, 0, flags, "frame");
    else if (is_word(token, length, "table:2") || is_word(token, length, "table:3"))
        add_field(i, FIELD_TABLE, token[6] == '2' ? AT_X : AT_Y, 0, flags, "table");
    else if (is_word(token, length, "type:x"))
        add_field(i, FIELD_TYPE, AT_X, 0, flags, "type");
    else if (is_word(token, length, "func:x"))
        add_field(i, FIELD_FUNC, AT_X, 0, flags, "function");
    else if (*token == '#')
        parse_number(i, token + 1, length - 1, all);
    else {
        size_t name = strcspn(token, ": ");
        add_field(i, FIELD_SLOT, at_named(token, name, all), slots_named(token + name), flags, "");
    }
}

static void make_by_hand(struct bytecode *b) {
    for (size_t k = 0; k < cn_by_hand_count; k++) {
        const struct by_hand *h = &cn_by_hand[k];
        if ((h->needs != ALWAYS && !b->build.pairs) || (h->needs == WITH_GUARD && !b->build.guard))
            continue;
        struct instruction *i = add_instruction(b, h->name);
        i->cells = 1;
        for (const char *at = h->fields; *at; at += strspn(at, " ")) {
            size_t length = strcspn(at, " ");
            parse_field(i, at, length, h->fields);
            at += length;
        }
        for (unsigned n = 0; n < i->field_count; n++)
            if (i->fields[n].kind == FIELD_TABLE) /* which begins behind these cells */
                i->cells = i->fields[n].at == AT_X ? 2 : 3;
    }
}

size_t instruction_named(const struct bytecode *b, const char *name) {
    for (size_t i = 1; i < b->instruction_count; i++)
        if (!strcmp(b->instructions[i].name, name))
            return i;
    return 0;
}

/* "d_abc" */
static void list_instructions(struct bytecode *b) {
    for (size_t k = 0; k < cn_listed_count; k++) {
        const struct listed *l = &cn_listed[k];
        size_t instruction = instruction_named(b, l->name);
        const char *s = l->form + 2;
        struct operand_form form = {.d = class_of(*l->form), .a = class_of(s[0])};
        if (s[0] && s[1])
            form.b = class_of(s[1]);
        if (s[0] && s[1] && s[2])
            form.c = class_of(s[2]);
        if (instruction)
            add_entry(
                b,
                row_of(b, operation_named(l->first), l->second ? operation_named(l->second) : NULL),
                form, instruction);
    }
}

void make_bytecode(struct bytecode *b, struct build build) {
    *b = (struct bytecode){.build = build, .row_count = 1};
    b->rows = grow(b->rows, 0, &b->row_room, sizeof *b->rows);
    b->rows[0] = (struct row){NULL, NULL, false};
    make_by_hand(b);
    for (size_t k = 0; k < cn_operation_count; k++)
        row_of(b, operation_named(cn_operations[k].name), NULL);
    b->operation_count = b->row_count;
    for (size_t k = 0; k < cn_operation_count; k++) {
        const struct operation *o = operation_named(cn_operations[k].name);
        make_operation(b, row_of(b, o, NULL), o);
    }
    make_fusions(b);
    list_instructions(b);
}
