#include "text/assembly.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"
#include "text/literals.h"

void cn_out_of_memory(struct assembly *a) {
    cn_text_no_memory(&a->l);
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

bool cn_at_open(const struct assembly *a, const char *word) {
    return a->l.token.kind == TOKEN_OPEN && cn_token_is(&a->l.ahead, word);
}

bool cn_take_open(struct assembly *a, const char *word) {
    if (!cn_at_open(a, word))
        return false;
    cn_lexer_next(&a->l);
    cn_lexer_next(&a->l);
    return true;
}

bool cn_take_word(struct assembly *a, const char *word) {
    if (!cn_token_is(&a->l.token, word))
        return false;
    cn_lexer_next(&a->l);
    return true;
}

void cn_expect_close(struct assembly *a) {
    if (a->l.token.kind == TOKEN_CLOSE)
        cn_lexer_next(&a->l);
    else
        cn_text_unexpected(&a->l, ")");
}

/* ---- Identifiers ----------------------------------------------------------------------------- */

/* The characters of a name: in the text or, of $"name", in the scratch. */
static const uint8_t *name_bytes(struct assembly *a, const struct token *token, size_t *length) {
    const uint8_t *at = token->at + 1;
    *length = token->length - 1;
    if (*at != '"')
        return at;
    a->bytes.length = 0;
    uint8_t *out = cn_encode_room(&a->bytes, *length);
    if (!out) {
        cn_out_of_memory(a);
        *length = 0;
        return at;
    }
    *length = cn_literal_string(at, *length, out);
    if (!cn_utf8_valid(out, *length))
        cn_text_fail(&a->l, token->at, "malformed UTF-8 encoding");
    return out;
}

static const uint8_t *copy_bytes(struct assembly *a, const uint8_t *bytes, size_t length) {
    uint8_t *copy = cn_arena_alloc(&a->arena, length);
    if (!copy)
        cn_out_of_memory(a);
    else if (length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

/* Room for what the name is bound to. */
static bool make_room(struct assembly *a, size_t count) {
    void *items = a->bound;
    size_t before = a->bound_capacity;
    if (count <= before)
        return true;
    if (!cn_grow(a->alloc, &items, &a->bound_capacity, count, sizeof *a->bound))
        return false;
    a->bound = items;
    memset(a->bound + before, 0, (a->bound_capacity - before) * sizeof *a->bound);
    return true;
}

uint32_t cn_take_name(struct assembly *a, bool add) {
    const struct token token = a->l.token;
    size_t length;
    if (token.kind != TOKEN_ID)
        return NO_NAME;
    const uint8_t *bytes = name_bytes(a, &token, &length);
    uint32_t name = cn_names_find(&a->ids, bytes, length);
    if (add && name == NO_NAME && !a->l.failed) {
        if (token.at[1] == '"')
            bytes = copy_bytes(a, bytes, length);
        name = bytes ? cn_names_add(&a->ids, bytes, length) : NO_NAME;
        if (name == NO_NAME || !make_room(a, a->ids.count)) {
            cn_out_of_memory(a);
            return NO_NAME;
        }
    }
    cn_lexer_next(&a->l);
    return a->l.failed ? NO_NAME : name;
}

static const char *const space_names[SPACES] = {
    [SPACE_FUNC] = "func",     [SPACE_TYPE] = "type", [SPACE_TABLE] = "table",
    [SPACE_MEMORY] = "memory", [SPACE_TAG] = "tag",   [SPACE_GLOBAL] = "global",
    [SPACE_ELEM] = "elem",     [SPACE_DATA] = "data", [SPACE_LOCAL] = "local",
    [SPACE_LABEL] = "label",
};

uint32_t cn_take_id(struct assembly *a, enum space space, uint32_t index) {
    const struct token token = a->l.token;
    uint32_t name = cn_take_name(a, true);
    if (name == NO_NAME)
        return NO_NAME;
    uint32_t *bound = a->bound[name];
    bool local = space == SPACE_LOCAL;
    if (local ? bound[SPACE_LOCAL_OF] == a->func : bound[space] != 0)
        cn_text_fail(&a->l, token.at, "duplicate %s %.*s", space_names[space],
                     (int)(token.length > 100 ? 100 : token.length), (const char *)token.at);
    bound[space] = index + 1;
    if (local)
        bound[SPACE_LOCAL_OF] = a->func;
    return name;
}

void cn_skip_id(struct assembly *a) {
    if (a->l.token.kind == TOKEN_ID)
        cn_lexer_next(&a->l);
}

/* ---- Indices and numbers --------------------------------------------------------------------- */

bool cn_at_index(const struct assembly *a) {
    return a->l.token.kind == TOKEN_ID || cn_literal_is_number(&a->l.token);
}

static uint64_t take_unsigned(struct assembly *a, uint64_t largest) {
    uint64_t value = 0;
    enum literal read =
        a->l.token.kind != TOKEN_WORD
            ? LITERAL_NOT
            : cn_literal_unsigned(a->l.token.at, a->l.token.length, largest, &value);
    if (read == LITERAL_NOT)
        cn_text_unexpected(&a->l, "a number");
    else if (read == LITERAL_RANGE)
        cn_text_fail(&a->l, a->l.token.at, "constant out of range: at most %" PRIu64, largest);
    cn_lexer_next(&a->l);
    return value;
}

uint32_t cn_take_u32(struct assembly *a) {
    return (uint32_t)take_unsigned(a, UINT32_MAX);
}

uint64_t cn_take_u64(struct assembly *a) {
    return take_unsigned(a, UINT64_MAX);
}

uint32_t cn_take_index(struct assembly *a, enum space space) {
    const struct token token = a->l.token;
    if (token.kind != TOKEN_ID) {
        if (!cn_literal_is_number(&token))
            cn_text_unexpected(&a->l, "an index or an identifier");
        return cn_take_u32(a);
    }
    uint32_t name = cn_take_name(a, false), index = 0;
    if (name != NO_NAME && (space != SPACE_LOCAL || a->bound[name][SPACE_LOCAL_OF] == a->func))
        index = a->bound[name][space];
    if (index == 0)
        cn_text_fail(&a->l, token.at, "unknown %s %.*s", space_names[space],
                     (int)(token.length > 100 ? 100 : token.length), (const char *)token.at);
    if (space == SPACE_LABEL)
        return a->depth - index;
    return index - 1;
}

/* ---- Strings --------------------------------------------------------------------------------- */

/* Appends what the string stands for. */
static void take_string(struct assembly *a, struct encoder *e) {
    const struct token token = a->l.token;
    if (token.kind != TOKEN_STRING) {
        cn_text_unexpected(&a->l, "a string");
        return;
    }
    uint8_t *out = cn_encode_room(e, token.length);
    if (!out) {
        cn_out_of_memory(a);
        return;
    }
    e->length -= token.length - cn_literal_string(token.at, token.length, out);
    cn_lexer_next(&a->l);
}

void cn_take_name_string(struct assembly *a, struct encoder *e) {
    const uint8_t *at = a->l.token.at;
    a->bytes.length = 0;
    take_string(a, &a->bytes);
    if (a->l.failed)
        return;
    if (!cn_utf8_valid(a->bytes.bytes, a->bytes.length))
        cn_text_fail(&a->l, at, "malformed UTF-8 encoding");
    cn_encode_u32(e, (uint32_t)a->bytes.length);
    cn_encode_bytes(e, a->bytes.bytes, a->bytes.length);
}

void cn_take_strings(struct assembly *a, struct encoder *e) {
    while (a->l.token.kind == TOKEN_STRING)
        take_string(a, e);
}

/* ---- The name section ------------------------------------------------------------------------ */

void cn_name_in(struct assembly *a, struct vector *v, uint32_t index, uint32_t name) {
    bool annotated = cn_note_is(&a->l.token, "name");
    if (!annotated && name == NO_NAME)
        return;
    cn_encode_u32(&v->bytes, index);
    v->count++;
    if (annotated) {
        cn_lexer_next(&a->l);
        cn_take_name_string(a, &v->bytes);
        cn_expect_close(a);
        return;
    }
    const struct name *item = &a->ids.items[name];
    cn_encode_u32(&v->bytes, (uint32_t)item->length);
    cn_encode_bytes(&v->bytes, item->bytes, item->length);
}

void cn_name_here(struct assembly *a, enum name_map map, uint32_t index, uint32_t name) {
    cn_name_in(a, &a->names[map], index, name);
}

const uint8_t *cn_skip_name_note(struct assembly *a) {
    const uint8_t *at = a->l.token.at;
    if (!cn_note_is(&a->l.token, "name"))
        return NULL;
    cn_lexer_next(&a->l);
    cn_lexer_skip(&a->l);
    cn_expect_close(a);
    return at;
}

void cn_put_names(struct vector *all, struct vector *own, uint32_t index) {
    if (own->count > 0) {
        cn_encode_u32(&all->bytes, index);
        cn_encode_u32(&all->bytes, own->count);
        cn_encode_bytes(&all->bytes, own->bytes.bytes, own->bytes.length);
        all->count++;
    }
    if (own->bytes.failure != CATNAP_OK)
        all->bytes.failure = own->bytes.failure;
    own->count = 0;
    own->bytes.length = 0;
}
