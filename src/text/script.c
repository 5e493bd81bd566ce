/* Test scripts (the reference interpreter's .wast) as JSON in the form of json-from-wast, with the
 * modules as files. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "text/assembly.h"
#include "text/literals.h"

struct script {
    struct assembly a; /* for its lexer and its scratch; modules have assemblies of their own */
    struct instructions instructions;
    struct encoder json, files, module;
    uint32_t file_count;
    bool in_thread;
    const uint8_t *counted; /* so far lines were counted */
    uint64_t line;
};

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_json(struct script *s, const char *text) {
    cn_encode_bytes(&s->json, text, strlen(text));
}

static void put_character(struct script *s, uint8_t c) {
    char escape[8];
    if (c == '"' || c == '\\') {
        cn_encode_byte(&s->json, '\\');
        cn_encode_byte(&s->json, c);
    } else if (c < 0x20) {
        snprintf(escape, sizeof escape, "\\u%04x", c);
        put_json(s, escape);
    } else {
        cn_encode_byte(&s->json, c);
    }
}

/* The bytes as a string with quotes. */
static void put_json_bytes(struct script *s, const uint8_t *bytes, size_t length) {
    put_json(s, "\"");
    for (size_t i = 0; i < length; i++)
        put_character(s, bytes[i]);
    put_json(s, "\"");
}

/* A member of an object that has one before. */
static void put_key(struct script *s, const char *key) {
    put_json(s, ",\"");
    put_json(s, key);
    put_json(s, "\":");
}

static void put_member(struct script *s, const char *key, const char *value) {
    put_key(s, key);
    put_json_bytes(s, (const uint8_t *)value, strlen(value));
}

/* The line that a place is in: places come in the order of the text, so that counting is linear. */
static uint64_t line_of(struct script *s, const uint8_t *at) {
    for (; s->counted < at; s->counted++)
        s->line += *s->counted == '\n' ||
                   (*s->counted == '\r' && (s->counted + 1 == s->a.l.end || s->counted[1] != '\n'));
    return s->line;
}

static void put_line(struct script *s, const uint8_t *at) {
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, line_of(s, at));
    put_key(s, "line");
    put_json(s, number);
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* The characters that a string or an identifier stands for, in the scratch; false when there is
 * none of these. */
static bool take_characters(struct script *s, const uint8_t *at, size_t length) {
    struct encoder *e = &s->a.bytes;
    e->length = 0;
    uint8_t *out = cn_encode_room(e, length);
    if (!out) {
        cn_out_of_memory(&s->a);
        return false;
    }
    e->length = cn_literal_string(at, length, out);
    if (!cn_utf8_valid(e->bytes, e->length))
        cn_text_fail(&s->a.l, at, "malformed UTF-8 encoding");
    return !s->a.l.failed;
}

static void take_string_member(struct script *s, const char *key) {
    const struct token token = s->a.l.token;
    if (token.kind != TOKEN_STRING) {
        cn_text_unexpected(&s->a.l, "a string");
        return;
    }
    if (!take_characters(s, token.at, token.length))
        return;
    put_key(s, key);
    put_json_bytes(s, s->a.bytes.bytes, s->a.bytes.length);
    cn_lexer_next(&s->a.l);
}

/* $id, if there is one. */
static void take_id_member(struct script *s, const char *key) {
    const struct token token = s->a.l.token;
    if (token.kind != TOKEN_ID)
        return;
    put_key(s, key);
    if (token.at[1] != '"')
        put_json_bytes(s, token.at + 1, token.length - 1);
    else if (take_characters(s, token.at + 1, token.length - 1))
        put_json_bytes(s, s->a.bytes.bytes, s->a.bytes.length);
    cn_lexer_next(&s->a.l);
}

/* ---- Modules --------------------------------------------------------------------------------- */

static void put_counted(struct encoder *e, const void *bytes, size_t length) {
    cn_encode_fixed(e, length, 8);
    cn_encode_bytes(e, bytes, length);
}

/* The module in the scratch becomes a file. */
static void put_file(struct script *s, bool text) {
    char name[40];
    snprintf(name, sizeof name, "module.%" PRIu32 ".%s", s->file_count++, text ? "wat" : "wasm");
    put_member(s, "filename", name);
    put_member(s, "module_type", text ? "text" : "binary");
    put_counted(&s->files, name, strlen(name));
    put_counted(&s->files, s->module.bytes, s->module.length);
    if (s->module.failure != CATNAP_OK || s->files.failure != CATNAP_OK)
        cn_out_of_memory(&s->a);
}

/* A module whose `( module` was taken, up to its end. Of text that is not quoted an identifier is
 * taken here, too. */
static void take_module_file(struct script *s) {
    struct lexer *l = &s->a.l;
    bool binary = cn_token_is(&l->token, "binary"), quote = cn_token_is(&l->token, "quote");
    s->module.length = 0;
    if (!binary && !quote) {
        cn_assemble(l, &s->instructions, true, TEXT_WITH_NAMES, &s->module);
    } else {
        cn_lexer_next(l);
        cn_take_strings(&s->a, &s->module);
        cn_expect_close(&s->a);
    }
    if (!l->failed)
        put_file(s, quote);
}

/* (module instance $instance? $definition?) */
static void take_instance(struct script *s, const uint8_t *at) {
    put_json(s, "{\"type\":\"module_instance\"");
    put_line(s, at);
    take_id_member(s, "instance");
    take_id_member(s, "module");
    cn_expect_close(&s->a);
}

/* $id? of a module, which its text has, too, so that it is in the name section. */
static void take_module_id(struct script *s) {
    const struct token id = s->a.l.token, behind = s->a.l.ahead;
    if (id.kind != TOKEN_ID)
        return;
    take_id_member(s, "name");
    if (!cn_token_is(&behind, "binary") && !cn_token_is(&behind, "quote"))
        cn_lexer_seek(&s->a.l, id.at);
}

static void take_module(struct script *s, const uint8_t *at) {
    if (cn_take_word(&s->a, "instance")) {
        take_instance(s, at);
        return;
    }
    bool definition = cn_take_word(&s->a, "definition");
    put_json(s, definition ? "{\"type\":\"module_definition\"" : "{\"type\":\"module\"");
    put_line(s, at);
    take_module_id(s);
    take_module_file(s);
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* Numbers by the word of their instruction, and lanes by their shape. */
static const struct number_type {
    const char *instruction, *shape, *name;
    uint8_t bits, lanes;
    bool floating;
} number_types[] = {
    {"i32.const", "i32x4", "i32", 32, 4, false}, {"i64.const", "i64x2", "i64", 64, 2, false},
    {"f32.const", "f32x4", "f32", 32, 4, true},  {"f64.const", "f64x2", "f64", 64, 2, true},
    {NULL, "i8x16", "i8", 8, 16, false},         {NULL, "i16x8", "i16", 16, 8, false},
};
#define NUMBER_TYPES (sizeof number_types / sizeof *number_types)

static enum literal read_number(struct script *s, const struct token *token,
                                const struct number_type *type, uint64_t *bits) {
    if (token->kind != TOKEN_WORD)
        return LITERAL_NOT;
    return type->floating ? cn_literal_float(s->a.alloc, token->at, token->length, type->bits, bits)
                          : cn_literal_integer(token->at, token->length, type->bits, bits);
}

/* A number in quotes: integers with their sign, the bits of floating-point numbers; or a pattern
 * for NaNs. */
static void take_number(struct script *s, const struct number_type *type, bool expected) {
    const struct token token = s->a.l.token;
    uint64_t bits = 0;
    char text[32];
    bool pattern = expected && type->floating &&
                   (cn_token_is(&token, "nan:canonical") || cn_token_is(&token, "nan:arithmetic"));
    enum literal read = pattern ? LITERAL_OK : read_number(s, &token, type, &bits);
    if (read == LITERAL_NO_MEMORY)
        cn_out_of_memory(&s->a);
    else if (read != LITERAL_OK)
        cn_text_fail(&s->a.l, token.at, "expected a number of type %s", type->name);
    if (s->a.l.failed)
        return;
    unsigned unused = 64u - type->bits;
    if (type->floating)
        snprintf(text, sizeof text, "%" PRIu64, bits);
    else
        snprintf(text, sizeof text, "%" PRId64, (int64_t)(bits << unused) >> unused);
    if (pattern)
        put_json_bytes(s, token.at, token.length);
    else
        put_json_bytes(s, (const uint8_t *)text, strlen(text));
    cn_lexer_next(&s->a.l);
}

static bool take_vector(struct script *s, bool expected) {
    if (!cn_take_open(&s->a, "v128.const"))
        return false;
    size_t i = 0;
    while (i < NUMBER_TYPES && !cn_take_word(&s->a, number_types[i].shape))
        i++;
    if (i == NUMBER_TYPES) {
        cn_text_unexpected(&s->a.l, "the shape of a vector");
        return true;
    }
    put_json(s, "{\"type\":\"v128\"");
    put_member(s, "lane_type", number_types[i].name);
    put_key(s, "value");
    for (unsigned lane = 0; lane < number_types[i].lanes && !s->a.l.failed; lane++) {
        put_json(s, lane ? "," : "[");
        take_number(s, &number_types[i], expected);
    }
    put_json(s, "]}");
    return true;
}

/* References: the word, the name of its type in the JSON, and whether a number may follow. */
static const struct reference {
    const char *word, *name;
    bool numbered, is_argument;
} references[] = {
    {"ref.extern", "externref", true, true},   {"ref.host", "anyref", true, true},
    {"ref.func", "funcref", false, false},     {"ref.any", "anyref", false, false},
    {"ref.eq", "eqref", false, false},         {"ref.i31", "i31ref", false, false},
    {"ref.struct", "structref", false, false}, {"ref.array", "arrayref", false, false},
    {"ref.exn", "exnref", false, false},
};

/* Types behind ref.null. */
static const struct null_type {
    const char *word, *name;
    bool has_value; /* the type of values that may be null, not that of null alone */
} null_types[] = {
    {"func", "funcref", true},        {"extern", "externref", true},
    {"any", "anyref", true},          {"eq", "eqref", true},
    {"i31", "i31ref", true},          {"struct", "structref", true},
    {"array", "arrayref", true},      {"exn", "exnref", true},
    {"nofunc", "nullfuncref", false}, {"noextern", "nullexternref", false},
    {"none", "nullref", false},       {"noexn", "nullexnref", false},
};

static void put_reference(struct script *s, const char *name, const char *value) {
    put_json(s, "{\"type\":\"");
    put_json(s, name);
    put_json(s, "\"");
    if (value)
        put_member(s, "value", value);
    put_json(s, "}");
}

static void take_null(struct script *s, bool expected) {
    struct lexer *l = &s->a.l;
    for (size_t i = 0; i < sizeof null_types / sizeof *null_types; i++) {
        if (cn_take_word(&s->a, null_types[i].word)) {
            put_reference(s, null_types[i].name, null_types[i].has_value ? "null" : NULL);
            return;
        }
    }
    if (expected && (l->token.kind == TOKEN_CLOSE || cn_at_index(&s->a))) {
        if (l->token.kind != TOKEN_CLOSE)
            cn_lexer_next(l);
        put_reference(s, "refnull", NULL);
    } else {
        cn_text_unexpected(l, "a heap type");
    }
}

static bool take_reference(struct script *s, bool expected) {
    char number[24];
    if (cn_take_open(&s->a, "ref.null")) {
        take_null(s, expected);
        return true;
    }
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        const struct reference *r = &references[i];
        if ((!expected && !r->is_argument) || !cn_take_open(&s->a, r->word))
            continue;
        bool numbered = r->numbered && (!expected || s->a.l.token.kind != TOKEN_CLOSE);
        if (numbered)
            snprintf(number, sizeof number, "%" PRIu32, cn_take_u32(&s->a));
        else if (cn_at_index(&s->a)) /* ref.func of a certain function */
            cn_lexer_next(&s->a.l);
        put_reference(s, r->name, numbered ? number : NULL);
        return true;
    }
    return false;
}

/* A constant in parentheses, or what a result is expected to be like. */
static void take_value(struct script *s, bool expected) {
    bool done = take_vector(s, expected) || take_reference(s, expected);
    for (size_t i = 0; i < NUMBER_TYPES && !done; i++) {
        const struct number_type *type = &number_types[i];
        if (!type->instruction || !cn_take_open(&s->a, type->instruction))
            continue;
        put_json(s, "{\"type\":\"");
        put_json(s, type->name);
        put_json(s, "\",\"value\":");
        take_number(s, type, expected);
        put_json(s, "}");
        done = true;
    }
    if (!done) {
        if (s->a.l.token.kind == TOKEN_OPEN)
            cn_lexer_next(&s->a.l);
        cn_text_unexpected(&s->a.l, expected ? "a result" : "a constant");
    }
    cn_expect_close(&s->a);
}

/* Values up to the closing parenthesis, as an array. */
static void take_values(struct script *s, bool expected) {
    put_json(s, "[");
    for (bool first = true; s->a.l.token.kind == TOKEN_OPEN; first = false) {
        put_json(s, first ? "" : ",");
        if (!expected || !cn_take_open(&s->a, "either")) {
            take_value(s, expected);
            continue;
        }
        put_json(s, "{\"type\":\"either\",\"values\":[");
        for (bool one = true; s->a.l.token.kind == TOKEN_OPEN; one = false) {
            put_json(s, one ? "" : ",");
            take_value(s, true);
        }
        put_json(s, "]}");
        cn_expect_close(&s->a);
    }
    put_json(s, "]");
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* (invoke ...) or (get ...), as the member `action`. False when neither comes. */
static bool take_action(struct script *s) {
    bool invokes = cn_take_open(&s->a, "invoke");
    if (!invokes && !cn_take_open(&s->a, "get"))
        return false;
    put_key(s, "action");
    put_json(s, invokes ? "{\"type\":\"invoke\"" : "{\"type\":\"get\"");
    take_id_member(s, "module");
    take_string_member(s, "field");
    if (invokes) {
        put_key(s, "args");
        take_values(s, false);
    }
    put_json(s, "}");
    cn_expect_close(&s->a);
    return true;
}

/* The assertions: with what they are about, and what follows that. */
enum { TAKES_ACTION = 1, TAKES_MODULE = 2, HAS_RESULTS = 4, HAS_TEXT = 8, HAS_NAN = 16 };
static const struct assertion {
    const char *word;
    unsigned parts;
} assertions[] = {
    {"assert_return", TAKES_ACTION | HAS_RESULTS},
    {"assert_return_canonical_nan", TAKES_ACTION | HAS_NAN},
    {"assert_return_arithmetic_nan", TAKES_ACTION | HAS_NAN},
    {"assert_trap", TAKES_ACTION | TAKES_MODULE | HAS_TEXT},
    {"assert_exhaustion", TAKES_ACTION | HAS_TEXT},
    {"assert_exception", TAKES_ACTION},
    {"assert_suspension", TAKES_ACTION | HAS_TEXT},
    {"assert_invalid", TAKES_MODULE | HAS_TEXT},
    {"assert_malformed", TAKES_MODULE | HAS_TEXT},
    {"assert_unlinkable", TAKES_MODULE | HAS_TEXT},
    {"assert_invalid_custom", TAKES_MODULE | HAS_TEXT},
    {"assert_malformed_custom", TAKES_MODULE | HAS_TEXT},
};

/* The older assertions leave the type of the NaN to the function. */
static void put_nan(struct script *s, const char *word) {
    const char *nan = strstr(word, "canonical") ? "nan:canonical" : "nan:arithmetic";
    put_key(s, "expected");
    put_json(s, "[{\"type\":\"either\",\"values\":[{\"type\":\"f32\",\"value\":\"");
    put_json(s, nan);
    put_json(s, "\"},{\"type\":\"f64\",\"value\":\"");
    put_json(s, nan);
    put_json(s, "\"}]}]");
}

/* An assertion whose parenthesis and word were taken. A trap of a module is called otherwise in the
 * JSON. */
static void take_assertion(struct script *s, const struct assertion *assertion) {
    const uint8_t *at = s->a.l.token.at;
    bool module = (assertion->parts & TAKES_MODULE) && cn_at_open(&s->a, "module");
    bool nan = assertion->parts & HAS_NAN, traps = assertion->parts & TAKES_ACTION;
    put_json(s, "{\"type\":\"");
    put_json(s, module && traps ? "assert_uninstantiable"
                : nan           ? "assert_return"
                                : assertion->word);
    put_json(s, "\"");
    put_line(s, at);
    if (module) {
        cn_take_open(&s->a, "module");
        take_module_id(s);
        take_module_file(s);
    } else if (!(assertion->parts & TAKES_ACTION) || !take_action(s)) {
        cn_text_unexpected(&s->a.l, module ? "(module" : "(invoke or (get");
    }
    if (assertion->parts & HAS_RESULTS) {
        put_key(s, "expected");
        take_values(s, true);
    }
    if (nan)
        put_nan(s, assertion->word);
    if (assertion->parts & HAS_TEXT)
        take_string_member(s, "text");
    cn_expect_close(&s->a);
}

static bool is_command(const struct script *s) {
    static const char *const words[] = {"module", "register", "invoke", "get", "thread", "wait"};
    const struct token *word = &s->a.l.ahead;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (cn_token_is(word, words[i]))
            return true;
    for (size_t i = 0; i < sizeof assertions / sizeof *assertions; i++)
        if (cn_token_is(word, assertions[i].word))
            return true;
    return false;
}

static void take_register(struct script *s, const uint8_t *at) {
    put_json(s, "{\"type\":\"register\"");
    put_line(s, at);
    take_string_member(s, "as");
    take_id_member(s, "name");
    cn_expect_close(&s->a);
}

static void take_commands(struct script *s);

/* (thread $name (shared (module $id))? command*); these are no threads again. */
static void take_thread(struct script *s, const uint8_t *at) {
    put_json(s, "{\"type\":\"thread\"");
    put_line(s, at);
    if (s->in_thread)
        cn_text_fail(&s->a.l, at, "a thread begins no other thread");
    take_id_member(s, "name");
    if (cn_take_open(&s->a, "shared")) {
        if (!cn_take_open(&s->a, "module"))
            cn_text_unexpected(&s->a.l, "(module");
        take_id_member(s, "shared_module");
        cn_expect_close(&s->a);
        cn_expect_close(&s->a);
    }
    put_key(s, "commands");
    s->in_thread = true;
    take_commands(s);
    s->in_thread = false;
    cn_expect_close(&s->a);
}

static void take_command(struct script *s) {
    struct assembly *a = &s->a;
    const uint8_t *at = a->l.token.at;
    if (cn_at_open(a, "invoke") || cn_at_open(a, "get")) {
        put_json(s, "{\"type\":\"action\"");
        put_line(s, at);
        take_action(s);
        return;
    }
    for (size_t i = 0; i < sizeof assertions / sizeof *assertions; i++) {
        if (cn_take_open(a, assertions[i].word)) {
            take_assertion(s, &assertions[i]);
            return;
        }
    }
    if (cn_take_open(a, "module")) {
        take_module(s, at);
    } else if (cn_take_open(a, "register")) {
        take_register(s, at);
    } else if (cn_take_open(a, "thread")) {
        take_thread(s, at);
    } else if (cn_take_open(a, "wait")) {
        put_json(s, "{\"type\":\"wait\"");
        put_line(s, at);
        take_id_member(s, "thread");
        cn_expect_close(a);
    } else {
        if (a->l.token.kind == TOKEN_OPEN)
            cn_lexer_next(&a->l);
        cn_text_unexpected(&a->l, "a command");
    }
}

static void take_commands(struct script *s) {
    put_json(s, "[\n");
    for (bool first = true; s->a.l.token.kind == TOKEN_OPEN; first = false) {
        put_json(s, first ? "  " : ",\n  ");
        take_command(s);
        put_json(s, "}");
    }
    put_json(s, "\n]");
}

/* A script may be one module, whose fields stand alone. */
static void take_fields(struct script *s) {
    put_json(s, "[\n  {\"type\":\"module\"");
    put_line(s, s->a.l.token.at);
    cn_assemble(&s->a.l, &s->instructions, false, TEXT_WITH_NAMES, &s->module);
    if (!s->a.l.failed)
        put_file(s, false);
    put_json(s, "}\n]");
}

/* ---- Scripts --------------------------------------------------------------------------------- */

static void take_script(struct script *s, const char *name) {
    put_json(s, "{\"source_filename\":");
    put_json_bytes(s, (const uint8_t *)name,
                   cn_utf8_valid((const uint8_t *)name, strlen(name)) ? strlen(name) : 0);
    put_json(s, ",\n \"commands\":");
    if (s->a.l.token.kind == TOKEN_NOTE || (s->a.l.token.kind == TOKEN_OPEN && !is_command(s)))
        take_fields(s);
    else
        take_commands(s);
    put_json(s, "}\n");
    if (s->a.l.token.kind != TOKEN_END)
        cn_text_unexpected(&s->a.l, "a command");
}

/* The JSON, then all other files. */
static void join(struct script *s, struct text_bytes *bytes) {
    static const char name[] = "script.json";
    struct encoder all = {.alloc = s->a.alloc, .limit = SIZE_MAX};
    put_counted(&all, name, sizeof name - 1);
    put_counted(&all, s->json.bytes, s->json.length);
    cn_encode_bytes(&all, s->files.bytes, s->files.length);
    if (s->json.failure != CATNAP_OK || s->files.failure != CATNAP_OK || all.failure != CATNAP_OK) {
        cn_out_of_memory(&s->a);
        cn_encoder_free(&all);
        return;
    }
    *bytes = (struct text_bytes){all.bytes, all.length, all.capacity};
}

bool cn_text_script(struct alloc *alloc, const char *name, const uint8_t *text, size_t length,
                    struct text_bytes *bytes, struct text_error *error) {
    const struct encoder none = {.alloc = alloc, .limit = SIZE_MAX};
    struct script s = {.json = none, .files = none, .module = none, .counted = text, .line = 1};
    *bytes = (struct text_bytes){0};
    s.a = (struct assembly){.alloc = alloc, .bytes = none};
    cn_lexer_init(&s.a.l, alloc, text, length, error);
    if (!cn_instructions_init(&s.instructions, alloc)) {
        cn_text_no_memory(&s.a.l);
        return false;
    }
    take_script(&s, name);
    if (!s.a.l.failed)
        join(&s, bytes);
    cn_instructions_free(&s.instructions);
    cn_encoder_free(&s.json);
    cn_encoder_free(&s.files);
    cn_encoder_free(&s.module);
    cn_encoder_free(&s.a.bytes);
    cn_text_locate(&s.a.l);
    return !s.a.l.failed;
}
