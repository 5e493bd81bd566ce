#include "text/lexer.h"

#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "base/escape.h"
#include "base/likely.h"
#include "base/utf8.h"
#include "text/literals.h"

/* ---- Errors ---------------------------------------------------------------------------------- */

static void stop(struct lexer *l) {
    l->failed = true;
    l->at = l->end;
    l->token = l->ahead = (struct token){TOKEN_END, l->end, 0};
}

void cn_text_fail(struct lexer *l, const uint8_t *at, const char *format, ...) {
    va_list arguments;
    if (l->failed)
        return;
    l->error->status = CATNAP_MALFORMED;
    va_start(arguments, format);
    cn_format_line(l->error->message, sizeof l->error->message, format, arguments);
    va_end(arguments);
    l->failed_at = at;
    stop(l);
}

void cn_text_no_memory(struct lexer *l) {
    if (l->failed)
        return;
    *l->error = (struct text_error){.status = CATNAP_NO_MEMORY, .message = "out of memory"};
    l->failed_at = NULL;
    stop(l);
}

void cn_text_unexpected(struct lexer *l, const char *expected) {
    const struct token *token = &l->token;
    int length = token->length > 60 ? 60 : (int)token->length;
    if (token->kind == TOKEN_END)
        cn_text_fail(l, token->at, "unexpected end of the text, expected %s", expected);
    else if (token->kind == TOKEN_NOTE)
        cn_text_fail(l, token->at, "misplaced annotation %.*s), expected %s", length,
                     (const char *)token->at, expected);
    else
        cn_text_fail(l, token->at, "unexpected token %.*s, expected %s", length,
                     (const char *)token->at, expected);
}

/* ---- Where an error is ----------------------------------------------------------------------- */

/* Bytes of the line that are shown at most before and behind the place. */
#define SHOWN_BEFORE 60
#define SHOWN_BEHIND 40

static bool is_continuation(uint8_t byte) {
    return (byte & 0xC0) == 0x80;
}

static bool ends_line(uint8_t byte) {
    return byte == '\n' || byte == '\r';
}

/* The line from `first` to `last`, then a caret below `at`. Tabs count as one column in both. */
static void show(struct text_error *error, const uint8_t *first, const uint8_t *at,
                 const uint8_t *last) {
    char line[SHOWN_BEFORE + SHOWN_BEHIND + 1];
    size_t before = (size_t)(at - first), length = (size_t)(last - first);
    size_t room = sizeof error->excerpt;
    for (size_t i = 0; i < length; i++)
        line[i] = first[i] == '\t' ? ' ' : (char)first[i];
    size_t used = cn_escape(CATNAP_ESCAPE_TEXT, line, length, error->excerpt, room);
    size_t column = cn_escape(CATNAP_ESCAPE_TEXT, line, before, NULL, 0);
    for (size_t i = 0; i < before; i++)
        column -= is_continuation(first[i]);
    if (used + 1 + column + 2 > room)
        return;
    error->excerpt[used++] = '\n';
    memset(error->excerpt + used, ' ', column);
    error->excerpt[used + column] = '^';
    error->excerpt[used + column + 1] = 0;
}

void cn_text_locate(const struct lexer *l) {
    const uint8_t *at = l->failed_at, *start = l->text, *first, *last;
    struct text_error *error = l->error;
    error->excerpt[0] = 0;
    error->line = error->column = 0;
    if (!l->failed || !at)
        return;
    error->line = 1;
    for (const uint8_t *c = l->text; c < at; c++) {
        if (!ends_line(*c) || (*c == '\r' && c + 1 < l->end && c[1] == '\n'))
            continue;
        error->line++;
        start = c + 1;
    }
    error->column = (uint64_t)(at - start) + 1;
    first = at - start > SHOWN_BEFORE ? at - SHOWN_BEFORE : start;
    while (first < at && first > start && is_continuation(*first))
        first++;
    for (last = at; last < l->end && last - at < SHOWN_BEHIND && !ends_line(*last);)
        last++;
    while (last > at && last < l->end && is_continuation(*last))
        last--;
    show(error, first, at, last);
}

/* ---- Characters ------------------------------------------------------------------------------ */

/* idchar of section 6.3.5. */
static const bool is_id_character[256] = {
    ['!'] = true,         ['#' ... '\''] = true, ['*'] = true,  ['+'] = true,
    ['-' ... ':'] = true, ['<' ... 'Z'] = true,  ['\\'] = true, ['^' ... 'z'] = true,
    ['|'] = true,         ['~'] = true,
};

static const uint8_t *skip_word(const uint8_t *at, const uint8_t *end) {
    while (at < end && is_id_character[*at])
        at++;
    return at;
}

/* Behind the comment that begins with (;, which may hold others. */
static const uint8_t *skip_comment(struct lexer *l, const uint8_t *at) {
    const uint8_t *start = at;
    size_t depth = 0;
    while (l->end - at >= 2) {
        if (at[0] == '(' && at[1] == ';') {
            depth++;
            at += 2;
        } else if (at[0] == ';' && at[1] == ')') {
            at += 2;
            if (--depth == 0)
                return at;
        } else {
            at++;
        }
    }
    cn_text_fail(l, start, "this comment is not closed");
    return l->end;
}

static const uint8_t *skip_blanks(struct lexer *l, const uint8_t *at) {
    for (;;) {
        while (at < l->end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
            at++;
        if (l->end - at < 2)
            return at;
        if (at[0] == ';' && at[1] == ';')
            while (at < l->end && !ends_line(*at))
                at++;
        else if (at[0] == '(' && at[1] == ';')
            at = skip_comment(l, at);
        else
            return at;
    }
}

static unsigned hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10u;
    return 16;
}

/* Behind \u{...} of which `at` is the brace; NULL when it is no code point. */
static const uint8_t *skip_code_point(const uint8_t *at, const uint8_t *end) {
    uint32_t code = 0;
    bool digit_before = false;
    if (at == end || *at++ != '{')
        return NULL;
    for (; at < end && *at != '}'; at++) {
        unsigned digit = hex_digit(*at);
        if (*at == '_' && digit_before && at + 1 < end && hex_digit(at[1]) < 16) {
            digit_before = false;
            continue;
        }
        if (digit == 16 || code > 0x10FFFF)
            return NULL;
        code = code * 16 + digit;
        digit_before = true;
    }
    bool valid = digit_before && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    return at < end && valid ? at + 1 : NULL;
}

/* Behind the escape of which `at` is the character behind the backslash; NULL when it is none. */
static const uint8_t *skip_escape(const uint8_t *at, const uint8_t *end) {
    if (at == end)
        return NULL;
    if (memchr("tnr\"'\\", *at, 6))
        return at + 1;
    if (*at == 'u')
        return skip_code_point(at + 1, end);
    return end - at >= 2 && hex_digit(at[0]) < 16 && hex_digit(at[1]) < 16 ? at + 2 : NULL;
}

/* Behind the string that begins with a quote. */
static const uint8_t *skip_string(struct lexer *l, const uint8_t *at) {
    const uint8_t *start = at++;
    while (at < l->end && *at != '"') {
        if (ends_line(*at))
            break;
        if (*at < 0x20 || *at == 0x7F) {
            cn_text_fail(l, at, "a string has a control character");
            return l->end;
        }
        if (*at++ != '\\')
            continue;
        const uint8_t *behind = skip_escape(at, l->end);
        if (!behind) {
            cn_text_fail(l, at - 1, "unknown escape in a string");
            return l->end;
        }
        at = behind;
    }
    if (at < l->end && *at == '"')
        return at + 1;
    cn_text_fail(l, start, "this string is not closed");
    return l->end;
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

/* Words and strings that follow each other without a blank are one token. */
static struct token take_word(struct lexer *l, const uint8_t *at) {
    const uint8_t *start = at, *before = at;
    unsigned words = 0, strings = 0;
    while (at < l->end && (is_id_character[*at] || *at == '"')) {
        before = at;
        if (*at == '"') {
            at = skip_string(l, at);
            strings++;
        } else {
            at = skip_word(at, l->end);
            words++;
        }
    }
    struct token token = {TOKEN_OTHER, start, (size_t)(at - start)};
    if (words == 0 && strings == 1)
        token.kind = TOKEN_STRING;
    else if (*start == '$' &&
             ((words == 1 && strings == 0) || (words == 1 && strings == 1 && before == start + 1)))
        token.kind = TOKEN_ID;
    else if (strings == 0)
        token.kind = TOKEN_WORD;
    if (token.kind == TOKEN_ID && (token.length == 1 || (strings && token.length == 3)))
        cn_text_fail(l, start, "empty identifier");
    return token;
}

/* The annotations that have a meaning: the others are as blanks. */
static const char *const notes[] = {"name", "custom", "metadata.code.branch_hint"};

bool cn_note_is(const struct token *token, const char *name) {
    size_t length = strlen(name);
    return token->kind == TOKEN_NOTE && token->length == length + 2 &&
           memcmp(token->at + 2, name, length) == 0;
}

static bool is_known(const struct token *note) {
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (cn_note_is(note, notes[i]))
            return true;
    return false;
}

/* Whether what a string stands for is UTF-8. */
static bool is_utf8_string(struct lexer *l, const uint8_t *text, size_t length) {
    uint8_t *bytes = cn_alloc(l->alloc, length);
    if (!bytes) {
        cn_text_no_memory(l);
        return false;
    }
    bool valid = cn_utf8_valid(bytes, cn_literal_string(text, length, bytes));
    cn_free(l->alloc, bytes, length);
    return valid;
}

/* (@ and the name, which is a word or a string. */
static struct token take_note(struct lexer *l, const uint8_t *at) {
    const uint8_t *name = at + 2, *behind = skip_word(name, l->end);
    bool quoted = behind == name && name < l->end && *name == '"';
    if (quoted)
        behind = skip_string(l, name);
    if (behind == name || (quoted && behind == name + 2))
        cn_text_fail(l, at, "empty annotation id");
    if (quoted && !l->failed && !is_utf8_string(l, name, (size_t)(behind - name)))
        cn_text_fail(l, at, "malformed UTF-8 encoding");
    return (struct token){TOKEN_NOTE, at, (size_t)(behind - at)};
}

/* The token at `at`, which may be an annotation of any name. */
static struct token take(struct lexer *l, const uint8_t *at) {
    at = skip_blanks(l, at);
    if (l->failed || at == l->end)
        return (struct token){TOKEN_END, l->end, 0};
    if (*at == ')')
        return (struct token){TOKEN_CLOSE, at, 1};
    if (*at == '(')
        return l->end - at >= 2 && at[1] == '@' ? take_note(l, at)
                                                : (struct token){TOKEN_OPEN, at, 1};
    if (is_id_character[*at] || *at == '"')
        return take_word(l, at);
    if (!memchr(",;[]{}", *at, 6))
        cn_text_fail(l, at, "illegal character");
    return (struct token){TOKEN_OTHER, at, 1};
}

/* Behind the annotation, which is skipped. */
static const uint8_t *skip_note(struct lexer *l, const struct token *note) {
    const uint8_t *at = note->at + note->length;
    for (size_t depth = 1; depth > 0;) {
        struct token token = take(l, at);
        at = token.at + token.length;
        if (token.kind == TOKEN_END) {
            cn_text_fail(l, note->at, "this annotation is not closed");
            return l->end;
        }
        depth += token.kind == TOKEN_OPEN || token.kind == TOKEN_NOTE;
        depth -= token.kind == TOKEN_CLOSE;
    }
    return at;
}

void cn_lexer_next(struct lexer *l) {
    struct token token = {0};
    l->token = l->ahead;
    for (;;) {
        token = take(l, l->at);
        if (likely(token.kind != TOKEN_NOTE) || is_known(&token) || l->failed)
            break;
        l->at = skip_note(l, &token);
    }
    if (l->failed)
        return;
    l->ahead = token;
    l->at = token.at + token.length;
}

void cn_lexer_seek(struct lexer *l, const uint8_t *at) {
    if (l->failed)
        return;
    l->at = at;
    cn_lexer_next(l);
    cn_lexer_next(l);
}

static void fail_utf8(struct lexer *l) {
    const uint8_t *at = l->text;
    uint32_t code;
    size_t taken;
    while (at < l->end && (taken = cn_utf8_next(at, (size_t)(l->end - at), &code)) > 0)
        at += taken;
    cn_text_fail(l, at, "malformed UTF-8 encoding");
}

void cn_lexer_init(struct lexer *l, struct alloc *alloc, const uint8_t *text, size_t length,
                   struct text_error *error) {
    *error = (struct text_error){.status = CATNAP_OK};
    *l = (struct lexer){
        .alloc = alloc, .text = text, .end = text + length, .at = text, .error = error};
    l->token = l->ahead = (struct token){TOKEN_END, l->end, 0};
    if (!cn_utf8_valid(text, length))
        fail_utf8(l);
    cn_lexer_seek(l, text);
}

void cn_lexer_skip(struct lexer *l) {
    const struct token start = l->token;
    for (size_t depth = 0;; cn_lexer_next(l)) {
        if (l->token.kind == TOKEN_CLOSE && depth-- == 0)
            return;
        if (l->token.kind == TOKEN_END) {
            cn_text_fail(l, start.at, "the parenthesis before this is not closed");
            return;
        }
        depth += l->token.kind == TOKEN_OPEN || l->token.kind == TOKEN_NOTE;
    }
}

bool cn_token_is(const struct token *token, const char *word) {
    return token->kind == TOKEN_WORD && token->length == strlen(word) &&
           memcmp(token->at, word, token->length) == 0;
}
