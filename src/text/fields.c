/* The second reading: the fields of a module (section 6.6) become sections. */
#include <string.h>

#include "text/assembly.h"
#include "text/literals.h"

/* The kinds that are imported and exported, in the order of their codes. */
static const struct {
    const char *word;
    enum space space;
    enum name_map names;
} kinds[] = {
    {"func", SPACE_FUNC, NAMED_FUNC},       {"table", SPACE_TABLE, NAMED_TABLE},
    {"memory", SPACE_MEMORY, NAMED_MEMORY}, {"global", SPACE_GLOBAL, NAMED_GLOBAL},
    {"tag", SPACE_TAG, NAMED_TAG},
};
enum { KIND_CODES = sizeof kinds / sizeof *kinds };
enum { CODE_FUNC, CODE_TABLE, CODE_MEMORY, CODE_GLOBAL, CODE_TAG };

static struct encoder *item_of(struct assembly *a, int section) {
    a->sections[section].count++;
    return &a->sections[section].bytes;
}

static void put_end(struct encoder *e) {
    cn_encode_opcode(e, OP_end);
}

/* ---- Types of tables and memories ------------------------------------------------------------ */

struct text_limits {
    bool is_64, has_max, shared, has_page;
    uint64_t min, max;
    uint32_t page_log2;
};

static bool take_address_type(struct assembly *a) {
    if (cn_take_word(a, "i64"))
        return true;
    cn_take_word(a, "i32");
    return false;
}

static void take_page_size(struct assembly *a, struct text_limits *limits) {
    const uint8_t *at;
    if (!cn_take_open(a, "pagesize"))
        return;
    at = a->l.token.at;
    uint64_t size = cn_take_u64(a);
    if (size == 0 || (size & (size - 1)) != 0)
        cn_text_fail(&a->l, at, "invalid custom page size: it is a power of two");
    limits->has_page = true;
    limits->page_log2 = size ? (uint32_t)__builtin_ctzll(size) : 0;
    cn_expect_close(a);
}

static void take_limits(struct assembly *a, struct text_limits *limits) {
    limits->min = cn_take_u64(a);
    limits->has_max = cn_literal_is_number(&a->l.token);
    if (limits->has_max)
        limits->max = cn_take_u64(a);
}

static void put_limits(struct encoder *e, const struct text_limits *limits) {
    cn_encode_byte(e, (uint8_t)(limits->has_max | limits->shared << 1 | limits->is_64 << 2 |
                                limits->has_page << 3));
    cn_encode_u64(e, limits->min);
    if (limits->has_max)
        cn_encode_u64(e, limits->max);
    if (limits->has_page)
        cn_encode_u32(e, limits->page_log2);
}

static void take_memory_type(struct assembly *a, struct encoder *e) {
    struct text_limits limits = {.is_64 = take_address_type(a)};
    take_limits(a, &limits);
    limits.shared = cn_take_word(a, "shared");
    take_page_size(a, &limits);
    put_limits(e, &limits);
}

static void take_table_type(struct assembly *a, struct encoder *e) {
    struct text_limits limits = {.is_64 = take_address_type(a)};
    take_limits(a, &limits);
    cn_put_reftype(e, cn_take_reftype(a));
    put_limits(e, &limits);
}

/* ---- Imports and exports --------------------------------------------------------------------- */

/* The type of a function, a tag and so on behind its identifier, as it is in an import. `number` is the import's, plus 1;
 * or 0 for a type that several share, whose parameters have no names. */
static void take_extern_type(struct assembly *a, struct encoder *e, unsigned code,
                             uint32_t number) {
    struct type_use use;
    switch (code) {
    case CODE_FUNC:
        a->func = number;
        use = cn_take_type_use(a, number ? PARAMS_OF_FUNCTION : PARAMS_WITH_NAMES);
        cn_encode_u32(e, cn_type_of_use(a, &use));
        break;
    case CODE_TABLE:
        take_table_type(a, e);
        break;
    case CODE_MEMORY:
        take_memory_type(a, e);
        break;
    case CODE_GLOBAL:
        cn_take_globaltype(a, e);
        break;
    default:
        use = cn_take_type_use(a, PARAMS_WITH_NAMES);
        cn_encode_byte(e, 0);
        cn_encode_u32(e, cn_type_of_use(a, &use));
        break;
    }
}

/* The number of the next of its kind, and its name. */
static uint32_t take_declared(struct assembly *a, unsigned code) {
    uint32_t index = a->next[kinds[code].space]++;
    cn_name_here(a, kinds[code].names, index, cn_take_name(a, false));
    return index;
}

/* (func $id? type) in an import, behind its names. */
static void take_extern(struct assembly *a, struct encoder *e) {
    for (unsigned code = 0; code < KIND_CODES; code++) {
        if (!cn_take_open(a, kinds[code].word))
            continue;
        uint32_t index = take_declared(a, code);
        cn_encode_byte(e, (uint8_t)code);
        take_extern_type(a, e, code, index + 1);
        if (code == CODE_FUNC)
            cn_put_names(&a->names[NAMED_LOCAL], &a->local_names, index);
        cn_expect_close(a);
        return;
    }
    cn_text_unexpected(&a->l, "the type of an import");
}

/* (item "name" type)*, all with types: the first compact form. */
static void take_typed_items(struct assembly *a, struct encoder *e) {
    cn_encode_byte(e, 0);
    cn_encode_byte(e, 0x7F);
    size_t place = cn_encode_keep(e);
    uint32_t count = 0;
    for (; cn_take_open(a, "item"); count++) {
        cn_take_name_string(a, e);
        take_extern(a, e);
        cn_expect_close(a);
    }
    cn_encode_put(e, place, count);
}

/* (item "name")* type: the second one. The names are read once more behind the type. */
static void take_bare_items(struct assembly *a, struct encoder *e) {
    const uint8_t *start = a->l.token.at, *behind;
    uint32_t count = 0;
    cn_encode_byte(e, 0);
    cn_encode_byte(e, 0x7E);
    for (; cn_take_open(a, "item"); count++) {
        cn_lexer_skip(&a->l);
        cn_expect_close(a);
    }
    for (unsigned code = 0; code < KIND_CODES; code++) {
        if (!cn_take_open(a, kinds[code].word))
            continue;
        cn_encode_byte(e, (uint8_t)code);
        take_extern_type(a, e, code, 0);
        a->next[kinds[code].space] += count;
        cn_expect_close(a);
        break;
    }
    behind = a->l.token.at;
    cn_encode_u32(e, count);
    cn_lexer_seek(&a->l, start);
    while (cn_take_open(a, "item")) {
        cn_take_name_string(a, e);
        cn_expect_close(a);
    }
    cn_lexer_seek(&a->l, behind);
}

/* Whether the item that begins here has a type of its own. */
static bool item_has_type(struct assembly *a) {
    const uint8_t *start = a->l.token.at;
    cn_take_open(a, "item");
    cn_lexer_next(&a->l);
    bool has = a->l.token.kind != TOKEN_CLOSE;
    cn_lexer_seek(&a->l, start);
    return has;
}

static void take_import(struct assembly *a) {
    struct encoder *e = item_of(a, SECTION_IMPORT);
    cn_take_name_string(a, e);
    if (a->l.token.kind == TOKEN_STRING) {
        cn_take_name_string(a, e);
        take_extern(a, e);
    } else if (a->l.token.kind == TOKEN_OPEN && !(cn_at_open(a, "item") && item_has_type(a))) {
        take_bare_items(a, e);
    } else {
        take_typed_items(a, e);
    }
    cn_expect_close(a);
}

static void take_export(struct assembly *a) {
    struct encoder *e = item_of(a, SECTION_EXPORT);
    cn_take_name_string(a, e);
    unsigned code = 0;
    while (code < KIND_CODES && !cn_take_open(a, kinds[code].word))
        code++;
    if (code == KIND_CODES) {
        cn_text_unexpected(&a->l, "(func, (table, (memory, (global or (tag");
        return;
    }
    cn_encode_byte(e, (uint8_t)code);
    cn_encode_u32(e, cn_take_index(a, kinds[code].space));
    cn_expect_close(a);
    cn_expect_close(a);
}

static void take_inline_exports(struct assembly *a, unsigned code, uint32_t index) {
    while (cn_take_open(a, "export")) {
        struct encoder *e = item_of(a, SECTION_EXPORT);
        cn_take_name_string(a, e);
        cn_encode_byte(e, (uint8_t)code);
        cn_encode_u32(e, index);
        cn_expect_close(a);
    }
}

static bool take_inline_import(struct assembly *a, unsigned code, uint32_t index) {
    if (!cn_take_open(a, "import"))
        return false;
    struct encoder *e = item_of(a, SECTION_IMPORT);
    cn_take_name_string(a, e);
    cn_take_name_string(a, e);
    cn_expect_close(a);
    cn_encode_byte(e, (uint8_t)code);
    take_extern_type(a, e, code, index + 1);
    return true;
}

/* ---- Segments -------------------------------------------------------------------------------- */

static void put_address_zero(struct encoder *e, bool is_64) {
    cn_encode_opcode(e, is_64 ? OP_i64_const : OP_i32_const);
    cn_encode_s64(e, 0);
    put_end(e);
}

/* (offset instructions) or one folded instruction. */
static void take_offset(struct assembly *a, struct encoder *e) {
    a->func = 0;
    if (cn_take_open(a, "offset")) {
        cn_take_instructions(a, e);
        cn_expect_close(a);
    } else {
        cn_take_folded(a, e);
    }
    put_end(e);
}

/* The elements of a segment. */
struct elements {
    struct vector items;
    bool exprs;
    struct reftype type;
};

static struct reftype funcref(void) {
    return (struct reftype){true, (int64_t)VT_FUNCREF - 0x80};
}

static bool is_funcref(struct reftype type) {
    return type.nullable && type.heap == funcref().heap;
}

static void take_element_exprs(struct assembly *a, struct elements *elements) {
    struct encoder *e = &elements->items.bytes;
    elements->exprs = true;
    a->func = 0;
    for (; a->l.token.kind == TOKEN_OPEN; elements->items.count++) {
        if (cn_take_open(a, "item")) {
            cn_take_instructions(a, e);
            cn_expect_close(a);
        } else {
            cn_take_folded(a, e);
        }
        put_end(e);
    }
}

/* Indices of functions; as expressions, if the type is not that of functions alone. */
static void take_element_indices(struct assembly *a, struct elements *elements) {
    struct encoder *e = &elements->items.bytes;
    elements->exprs = !is_funcref(elements->type);
    for (; cn_at_index(a); elements->items.count++) {
        if (elements->exprs)
            cn_encode_opcode(e, OP_ref_func);
        cn_encode_u32(e, cn_take_index(a, SPACE_FUNC));
        if (elements->exprs)
            put_end(e);
    }
}

static void put_elements(struct encoder *e, const struct elements *elements) {
    cn_encode_u32(e, elements->items.count);
    cn_encode_bytes(e, elements->items.bytes.bytes, elements->items.bytes.length);
    if (elements->items.bytes.failure != CATNAP_OK)
        e->failure = elements->items.bytes.failure;
}

/* Bits of the number that a segment begins with (sections 5.5.12 and 5.5.14). */
enum { FLAG_PASSIVE = 1, FLAG_EXPLICIT = 2, FLAG_EXPRS = 4 };

static void put_element_type(struct encoder *e, const struct elements *elements) {
    if (elements->exprs)
        cn_put_reftype(e, elements->type);
    else
        cn_encode_byte(e, 0);
}

/* How an active segment begins: with flags, and the table unless it is the first. */
static void put_active_elements(struct encoder *e, uint32_t table, const struct elements *elements,
                                bool is_explicit) {
    cn_encode_u32(e, (is_explicit ? FLAG_EXPLICIT : 0u) | (elements->exprs ? FLAG_EXPRS : 0u));
    if (is_explicit)
        cn_encode_u32(e, table);
}

static struct elements new_elements(const struct assembly *a) {
    return (struct elements){.items.bytes = {.alloc = a->alloc, .limit = SIZE_MAX},
                             .type = funcref()};
}

static void take_element_list(struct assembly *a, struct elements *elements, bool active) {
    if (cn_at_reftype(a)) {
        elements->type = cn_take_reftype(a);
        take_element_exprs(a, elements);
    } else if (cn_take_word(a, "func") || active) {
        take_element_indices(a, elements);
    } else {
        cn_text_unexpected(&a->l, "func or a reference type");
    }
}

static void take_elem(struct assembly *a) {
    struct encoder *e = item_of(a, SECTION_ELEMENT);
    struct encoder offset = {.alloc = a->alloc, .limit = SIZE_MAX};
    struct elements elements = new_elements(a);
    uint32_t index = a->next[SPACE_ELEM]++, table = 0;
    cn_name_here(a, NAMED_ELEM, index, cn_take_name(a, false));
    bool declared = cn_take_word(a, "declare"), active = false;
    if (!declared) {
        if (cn_take_open(a, "table")) {
            table = cn_take_index(a, SPACE_TABLE);
            cn_expect_close(a);
            active = true;
        } else if (cn_literal_is_number(&a->l.token)) {
            table = cn_take_index(a, SPACE_TABLE);
            active = true;
        }
        active = active || (a->l.token.kind == TOKEN_OPEN && !cn_at_reftype(a));
    }
    if (active)
        take_offset(a, &offset);
    take_element_list(a, &elements, active);
    if (active) {
        bool is_explicit = table != 0 || (elements.exprs && !is_funcref(elements.type));
        put_active_elements(e, table, &elements, is_explicit);
        cn_encode_bytes(e, offset.bytes, offset.length);
        if (is_explicit)
            put_element_type(e, &elements);
    } else {
        cn_encode_u32(e, FLAG_PASSIVE | (declared ? FLAG_EXPLICIT : 0u) |
                             (elements.exprs ? FLAG_EXPRS : 0u));
        put_element_type(e, &elements);
    }
    put_elements(e, &elements);
    if (offset.failure != CATNAP_OK)
        e->failure = offset.failure;
    cn_encoder_free(&offset);
    cn_encoder_free(&elements.items.bytes);
    cn_expect_close(a);
}

/* The strings up to the closing parenthesis, with their length; returns that. */
static size_t take_contents(struct assembly *a, struct encoder *e) {
    size_t place = cn_encode_keep(e), start = e->length;
    cn_take_strings(a, e);
    size_t length = e->length - start;
    if (length > UINT32_MAX)
        cn_text_fail(&a->l, a->l.token.at, "a data segment is longer than 4 GiB");
    cn_encode_put_length(e, place);
    return length;
}

static void put_active_data(struct encoder *e, uint32_t memory) {
    cn_encode_u32(e, memory ? FLAG_EXPLICIT : 0u);
    if (memory)
        cn_encode_u32(e, memory);
}

static void take_data(struct assembly *a) {
    struct encoder *e = item_of(a, SECTION_DATA);
    uint32_t index = a->next[SPACE_DATA]++, memory = 0;
    bool active = false;
    cn_name_here(a, NAMED_DATA, index, cn_take_name(a, false));
    if (cn_take_open(a, "memory")) {
        memory = cn_take_index(a, SPACE_MEMORY);
        cn_expect_close(a);
        active = true;
    } else if (cn_literal_is_number(&a->l.token)) {
        memory = cn_take_index(a, SPACE_MEMORY);
        active = true;
    }
    if (active || a->l.token.kind == TOKEN_OPEN) {
        put_active_data(e, memory);
        take_offset(a, e);
    } else {
        cn_encode_u32(e, FLAG_PASSIVE);
    }
    take_contents(a, e);
    cn_expect_close(a);
}

/* ---- Definitions ----------------------------------------------------------------------------- */

static void take_func(struct assembly *a) {
    uint32_t index = take_declared(a, CODE_FUNC);
    take_inline_exports(a, CODE_FUNC, index);
    if (!take_inline_import(a, CODE_FUNC, index)) {
        a->func = index + 1;
        struct type_use use = cn_take_type_use(a, PARAMS_OF_FUNCTION);
        a->local_count = use.param_count;
        cn_encode_u32(item_of(a, SECTION_FUNCTION), cn_type_of_use(a, &use));
        cn_take_body(a, item_of(a, SECTION_CODE));
    }
    cn_put_names(&a->names[NAMED_LOCAL], &a->local_names, index);
    cn_expect_close(a);
}

/* (elem ...) of a table that is as large as that. */
static void take_inline_elements(struct assembly *a, struct encoder *table, uint32_t index,
                                 struct text_limits *limits) {
    struct elements elements = new_elements(a);
    struct encoder *e = item_of(a, SECTION_ELEMENT);
    a->next[SPACE_ELEM]++;
    elements.type = cn_take_reftype(a);
    if (!cn_take_open(a, "elem"))
        cn_text_unexpected(&a->l, "(elem");
    else if (a->l.token.kind == TOKEN_OPEN)
        take_element_exprs(a, &elements);
    else
        take_element_indices(a, &elements);
    cn_expect_close(a);
    limits->min = limits->max = elements.items.count;
    limits->has_max = true;
    cn_put_reftype(table, elements.type);
    put_limits(table, limits);
    bool is_explicit = index != 0 || !is_funcref(elements.type);
    put_active_elements(e, index, &elements, is_explicit);
    put_address_zero(e, limits->is_64);
    if (is_explicit)
        put_element_type(e, &elements);
    put_elements(e, &elements);
    cn_encoder_free(&elements.items.bytes);
}

static void take_table(struct assembly *a) {
    uint32_t index = take_declared(a, CODE_TABLE);
    take_inline_exports(a, CODE_TABLE, index);
    if (take_inline_import(a, CODE_TABLE, index)) {
        cn_expect_close(a);
        return;
    }
    struct text_limits limits = {.is_64 = take_address_type(a)};
    struct encoder *e = item_of(a, SECTION_TABLE);
    if (cn_at_reftype(a)) {
        take_inline_elements(a, e, index, &limits);
        cn_expect_close(a);
        return;
    }
    size_t start = e->length;
    take_limits(a, &limits);
    cn_put_reftype(e, cn_take_reftype(a));
    put_limits(e, &limits);
    if (a->l.token.kind != TOKEN_CLOSE) {
        /* 0x40 0x00 comes before the type of a table with an initialiser. */
        size_t length = e->length - start;
        if (cn_encode_room(e, 2)) {
            memmove(e->bytes + start + 2, e->bytes + start, length);
            e->bytes[start] = 0x40;
            e->bytes[start + 1] = 0;
        }
        a->func = 0;
        cn_take_instructions(a, e);
        put_end(e);
    }
    cn_expect_close(a);
}

static void take_inline_data(struct assembly *a, struct text_limits *limits, uint32_t index) {
    struct encoder *e = item_of(a, SECTION_DATA);
    uint64_t page = limits->has_page ? UINT64_C(1) << limits->page_log2 : 65536;
    a->next[SPACE_DATA]++;
    put_active_data(e, index);
    put_address_zero(e, limits->is_64);
    uint64_t length = take_contents(a, e);
    limits->min = limits->max = length / page + (length % page != 0);
    limits->has_max = true;
    cn_expect_close(a);
}

static void take_memory(struct assembly *a) {
    uint32_t index = take_declared(a, CODE_MEMORY);
    take_inline_exports(a, CODE_MEMORY, index);
    if (!take_inline_import(a, CODE_MEMORY, index)) {
        struct text_limits limits = {.is_64 = take_address_type(a)};
        take_page_size(a, &limits);
        if (cn_take_open(a, "data")) {
            take_inline_data(a, &limits, index);
        } else if (limits.has_page) {
            cn_text_unexpected(&a->l, "(data");
        } else {
            take_limits(a, &limits);
            limits.shared = cn_take_word(a, "shared");
            take_page_size(a, &limits);
        }
        put_limits(item_of(a, SECTION_MEMORY), &limits);
    }
    cn_expect_close(a);
}

static void take_global(struct assembly *a) {
    uint32_t index = take_declared(a, CODE_GLOBAL);
    take_inline_exports(a, CODE_GLOBAL, index);
    if (!take_inline_import(a, CODE_GLOBAL, index)) {
        struct encoder *e = item_of(a, SECTION_GLOBAL);
        cn_take_globaltype(a, e);
        a->func = 0;
        cn_take_instructions(a, e);
        put_end(e);
    }
    cn_expect_close(a);
}

static void take_tag(struct assembly *a) {
    uint32_t index = take_declared(a, CODE_TAG);
    take_inline_exports(a, CODE_TAG, index);
    if (!take_inline_import(a, CODE_TAG, index))
        take_extern_type(a, item_of(a, SECTION_TAG), CODE_TAG, index + 1);
    cn_expect_close(a);
}

static void take_start(struct assembly *a, const uint8_t *at) {
    if (a->has_start)
        cn_text_fail(&a->l, at, "multiple start sections");
    a->has_start = true;
    /* The section is the index alone. */
    cn_encode_u32(&a->sections[SECTION_START].bytes, cn_take_index(a, SPACE_FUNC));
    cn_expect_close(a);
}

/* ---- Custom sections ------------------------------------------------------------------------- */

/* Names of sections in (before ...) and (after ...), in the order of the sections. */
static const char *const section_words[] = {"first",  "type",      "import", "func",   "table",
                                            "memory", "tag",       "global", "export", "start",
                                            "elem",   "datacount", "code",   "data",   "last"};
#define SECTION_WORDS (sizeof section_words / sizeof *section_words)

/* Places are numbered: before the first section of the order 2, behind it 3. */
static uint32_t take_place(struct assembly *a) {
    const uint8_t *at = a->l.token.at;
    uint32_t last = SECTION_WORDS - 1;
    bool before = cn_take_open(a, "before");
    if (!before && !cn_take_open(a, "after")) {
        if (a->l.token.kind == TOKEN_OPEN)
            cn_text_fail(&a->l, at, "a custom section is placed by (before ...) or (after ...)");
        return 2 * last + 1;
    }
    uint32_t i = 0;
    while (i < SECTION_WORDS && !cn_take_word(a, section_words[i]))
        i++;
    if (i == SECTION_WORDS || (i == 0 && !before) || (i == last && before))
        cn_text_unexpected(&a->l, "the name of a section");
    cn_expect_close(a);
    return 2 * i + !before;
}

static void take_custom(struct assembly *a) {
    struct custom custom = {.start = a->custom_bytes.length};
    void *items = a->customs;
    cn_lexer_next(&a->l);
    cn_take_name_string(a, &a->custom_bytes);
    custom.place = take_place(a);
    cn_take_strings(a, &a->custom_bytes);
    cn_expect_close(a);
    custom.end = a->custom_bytes.length;
    if (!cn_grow(a->alloc, &items, &a->custom_capacity, a->custom_count + 1, sizeof *a->customs)) {
        cn_out_of_memory(a);
        return;
    }
    a->customs = items;
    a->customs[a->custom_count++] = custom;
}

/* ---- All fields ------------------------------------------------------------------------------ */

/* Types were read before. */
static void skip_type(struct assembly *a) {
    cn_lexer_next(&a->l);
    cn_lexer_next(&a->l);
    cn_lexer_skip(&a->l);
    cn_expect_close(a);
}

static void take_field(struct assembly *a) {
    static void (*const take[KIND_CODES])(struct assembly *) = {take_func, take_table, take_memory,
                                                                take_global, take_tag};
    const uint8_t *at = a->l.token.at;
    for (unsigned code = 0; code < KIND_CODES; code++) {
        if (cn_take_open(a, kinds[code].word)) {
            take[code](a);
            return;
        }
    }
    if (cn_take_open(a, "import"))
        take_import(a);
    else if (cn_take_open(a, "export"))
        take_export(a);
    else if (cn_take_open(a, "elem"))
        take_elem(a);
    else if (cn_take_open(a, "data"))
        take_data(a);
    else if (cn_take_open(a, "start"))
        take_start(a, at);
    else
        skip_type(a);
}

void cn_read_fields(struct assembly *a) {
    while (!a->l.failed && a->l.token.kind != TOKEN_CLOSE && a->l.token.kind != TOKEN_END) {
        if (cn_note_is(&a->l.token, "custom"))
            take_custom(a);
        else if (a->l.token.kind == TOKEN_OPEN)
            take_field(a);
        else
            cn_text_unexpected(&a->l, "a field of a module");
    }
}
