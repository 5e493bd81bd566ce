/* The first reading: what a module declares is numbered, and its identifiers are bound. */
#include "text/assembly.h"
#include "text/literals.h"

static void skip_rest(struct assembly *a) {
    cn_lexer_skip(&a->l);
    cn_expect_close(a);
}

static void skip_note(struct assembly *a) {
    while (a->l.token.kind == TOKEN_NOTE) {
        cn_lexer_next(&a->l);
        skip_rest(a);
    }
}

/* The next index of a space, to which an identifier that is here is bound. */
static void declare(struct assembly *a, enum space space) {
    if (a->count[space] == UINT32_MAX) {
        cn_text_fail(&a->l, a->l.token.at, "more than the limit of declarations");
        return;
    }
    cn_take_id(a, space, a->count[space]++);
    skip_note(a);
}

/* Kinds of what can be imported. */
static const struct {
    const char *word, *name;
    enum space space;
} externs[] = {
    {"func", "function", SPACE_FUNC},   {"table", "table", SPACE_TABLE},
    {"memory", "memory", SPACE_MEMORY}, {"global", "global", SPACE_GLOBAL},
    {"tag", "tag", SPACE_TAG},
};
#define EXTERNS (sizeof externs / sizeof *externs)

struct scan {
    struct assembly *a;
    const char *defined; /* the kind of the first definition, behind which there are no imports */
};

static void count_import(struct scan *s, const uint8_t *at) {
    if (s->defined)
        cn_text_fail(&s->a->l, at, "import after %s", s->defined);
}

/* The type of an import, such as (func $f ...): its kind as a row of `externs`. */
static void scan_extern(struct scan *s) {
    for (size_t i = 0; i < EXTERNS; i++) {
        if (!cn_take_open(s->a, externs[i].word))
            continue;
        declare(s->a, externs[i].space);
        skip_rest(s->a);
        return;
    }
    cn_text_unexpected(&s->a->l, "(func, (table, (memory, (global or (tag");
}

/* The type behind items that have none of their own: as many as there are items. */
static void scan_shared_extern(struct scan *s, uint32_t items) {
    struct assembly *a = s->a;
    for (size_t i = 0; i < EXTERNS; i++) {
        if (!cn_take_open(a, externs[i].word))
            continue;
        if (a->l.token.kind == TOKEN_ID)
            cn_text_fail(&a->l, a->l.token.at, "identifier not allowed: it would name several");
        a->count[externs[i].space] += items;
        skip_rest(a);
        return;
    }
    cn_text_unexpected(&a->l, "(func, (table, (memory, (global or (tag");
}

static void take_any_string(struct assembly *a) {
    if (a->l.token.kind != TOKEN_STRING)
        cn_text_unexpected(&a->l, "a string");
    cn_lexer_next(&a->l);
}

static void scan_import(struct scan *s) {
    struct assembly *a = s->a;
    uint32_t bare = 0;
    take_any_string(a);
    if (a->l.token.kind == TOKEN_STRING) {
        cn_lexer_next(&a->l);
        scan_extern(s);
        cn_expect_close(a);
        return;
    }
    while (cn_take_open(a, "item")) {
        take_any_string(a);
        if (a->l.token.kind == TOKEN_CLOSE)
            bare++;
        else
            scan_extern(s);
        cn_expect_close(a);
    }
    if (a->l.token.kind == TOKEN_OPEN)
        scan_shared_extern(s, bare);
    else if (bare > 0)
        cn_text_unexpected(&a->l, "the type of these imports");
    cn_expect_close(a);
}

/* Whether a memory or table has its contents at once: (data ...) or (elem ...) behind the type. */
static bool has_contents(struct assembly *a, const char *word) {
    if (cn_token_is(&a->l.token, "i32") || cn_token_is(&a->l.token, "i64"))
        cn_lexer_next(&a->l);
    if (cn_take_open(a, "pagesize") || cn_take_open(a, "ref"))
        skip_rest(a);
    else if (a->l.token.kind == TOKEN_WORD && !cn_literal_is_number(&a->l.token))
        cn_lexer_next(&a->l);
    return cn_at_open(a, word);
}

static void scan_definition(struct scan *s, size_t kind, const uint8_t *at) {
    struct assembly *a = s->a;
    enum space space = externs[kind].space;
    declare(a, space);
    while (cn_take_open(a, "export"))
        skip_rest(a);
    if (cn_at_open(a, "import")) {
        count_import(s, at);
    } else {
        s->defined = s->defined ? s->defined : externs[kind].name;
        if (space == SPACE_MEMORY && has_contents(a, "data"))
            a->count[SPACE_DATA]++;
        if (space == SPACE_TABLE && has_contents(a, "elem"))
            a->count[SPACE_ELEM]++;
    }
    skip_rest(a);
}

/* Types are read between the readings of the rest. */
static void remember_type(struct assembly *a, const uint8_t *at) {
    void *items = a->type_fields;
    if (!cn_grow(a->alloc, &items, &a->type_field_capacity, a->type_field_count + 1,
                 sizeof *a->type_fields)) {
        cn_out_of_memory(a);
        return;
    }
    a->type_fields = items;
    a->type_fields[a->type_field_count++] = at;
}

static void scan_group(struct assembly *a) {
    while (cn_take_open(a, "type")) {
        declare(a, SPACE_TYPE);
        skip_rest(a);
    }
    cn_expect_close(a);
}

static void scan_field(struct scan *s) {
    struct assembly *a = s->a;
    const uint8_t *at = a->l.token.at;
    for (size_t i = 0; i < EXTERNS; i++) {
        if (cn_take_open(a, externs[i].word)) {
            scan_definition(s, i, at);
            return;
        }
    }
    if (cn_take_open(a, "type")) {
        remember_type(a, at);
        declare(a, SPACE_TYPE);
        skip_rest(a);
    } else if (cn_take_open(a, "rec")) {
        remember_type(a, at);
        scan_group(a);
    } else if (cn_take_open(a, "import")) {
        count_import(s, at);
        scan_import(s);
    } else if (cn_take_open(a, "elem")) {
        declare(a, SPACE_ELEM);
        skip_rest(a);
    } else if (cn_take_open(a, "data")) {
        declare(a, SPACE_DATA);
        skip_rest(a);
    } else if (cn_take_open(a, "export") || cn_take_open(a, "start")) {
        skip_rest(a);
    } else {
        if (a->l.token.kind == TOKEN_OPEN)
            cn_lexer_next(&a->l);
        cn_text_unexpected(&a->l, "a field of a module");
    }
}

void cn_scan_fields(struct assembly *a) {
    struct scan s = {a, NULL};
    while (a->l.token.kind == TOKEN_OPEN || a->l.token.kind == TOKEN_NOTE) {
        if (a->l.token.kind == TOKEN_NOTE)
            skip_note(a);
        else
            scan_field(&s);
    }
}
