/* Types (section 6.4), and type uses, of which some add types. */
#include <string.h>

#include "text/assembly.h"

/* Of stack switching (proposal). */
#define VT_CONTREF 0x68u
#define VT_NOCONTREF 0x75u

/* ---- Value types ----------------------------------------------------------------------------- */

/* Types without structure by their names, and their codes in the binary format. */
struct type_word {
    const char *word;
    uint8_t code;
};
static const struct type_word number_types[] = {
    {"i32", VT_I32}, {"i64", VT_I64}, {"f32", VT_F32}, {"f64", VT_F64}, {"v128", VT_V128}};
/* (ref null func) is funcref, and so on. */
static const struct type_word heap_types[] = {
    {"func", VT_FUNCREF},   {"extern", VT_EXTERNREF}, {"any", VT_ANYREF},
    {"eq", VT_EQREF},       {"i31", VT_I31REF},       {"struct", VT_STRUCTREF},
    {"array", VT_ARRAYREF}, {"exn", VT_EXNREF},       {"nofunc", VT_NOFUNCREF},
    {"none", VT_NONEREF},   {"noexn", VT_NOEXNREF},   {"noextern", VT_NOEXTERNREF},
    {"cont", VT_CONTREF},   {"nocont", VT_NOCONTREF},
};
static const struct type_word short_types[] = {
    {"funcref", VT_FUNCREF},   {"externref", VT_EXTERNREF},   {"anyref", VT_ANYREF},
    {"eqref", VT_EQREF},       {"i31ref", VT_I31REF},         {"structref", VT_STRUCTREF},
    {"arrayref", VT_ARRAYREF}, {"exnref", VT_EXNREF},         {"nullfuncref", VT_NOFUNCREF},
    {"nullref", VT_NONEREF},   {"nullexnref", VT_NOEXNREF},   {"nullexternref", VT_NOEXTERNREF},
    {"contref", VT_CONTREF},   {"nullcontref", VT_NOCONTREF},
};
#define LENGTH(array) (sizeof(array) / sizeof *(array))

static uint8_t find_word(const struct token *token, const struct type_word *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (cn_token_is(token, words[i].word))
            return words[i].code;
    return 0;
}

/* As a number of the binary format, whose lowest seven bits the code is. */
static int64_t heap_of_code(uint8_t code) {
    return (int64_t)code - 0x80;
}

int64_t cn_take_heaptype(struct assembly *a) {
    uint8_t code = find_word(&a->l.token, heap_types, LENGTH(heap_types));
    if (!code)
        return cn_take_index(a, SPACE_TYPE);
    cn_lexer_next(&a->l);
    return heap_of_code(code);
}

bool cn_at_reftype(const struct assembly *a) {
    return cn_at_open(a, "ref") || find_word(&a->l.token, short_types, LENGTH(short_types)) != 0;
}

struct reftype cn_take_reftype(struct assembly *a) {
    struct reftype type = {true, 0};
    uint8_t code = find_word(&a->l.token, short_types, LENGTH(short_types));
    if (code) {
        cn_lexer_next(&a->l);
        type.heap = heap_of_code(code);
    } else if (cn_take_open(a, "ref")) {
        type.nullable = cn_take_word(a, "null");
        type.heap = cn_take_heaptype(a);
        cn_expect_close(a);
    } else {
        cn_text_unexpected(&a->l, "a reference type");
    }
    return type;
}

void cn_put_reftype(struct encoder *e, struct reftype type) {
    if (!type.nullable || type.heap >= 0)
        cn_encode_byte(e, type.nullable ? CODE_REF_NULL : CODE_REF);
    cn_encode_s64(e, type.heap);
}

void cn_take_valtype(struct assembly *a, struct encoder *e) {
    uint8_t code = find_word(&a->l.token, number_types, LENGTH(number_types));
    if (code) {
        cn_lexer_next(&a->l);
        cn_encode_byte(e, code);
    } else if (cn_at_reftype(a)) {
        cn_put_reftype(e, cn_take_reftype(a));
    } else {
        cn_text_unexpected(&a->l, "a value type");
    }
}

/* ---- Function types -------------------------------------------------------------------------- */

/* Whether an identifier or an annotation @name comes. */
static bool at_name(const struct assembly *a) {
    return a->l.token.kind == TOKEN_ID || cn_note_is(&a->l.token, "name");
}

/* The name in front of a parameter or local. False when there is none. */
static bool take_local_name(struct assembly *a, enum param_names names, uint32_t index) {
    if (names == PARAMS_WITHOUT_NAMES || !at_name(a))
        return false;
    if (names == PARAMS_WITH_NAMES) {
        cn_skip_id(a);
        cn_skip_name_note(a);
        return true;
    }
    cn_name_in(a, &a->local_names, index, cn_take_id(a, SPACE_LOCAL, index));
    return true;
}

/* The value types up to the closing parenthesis; one, when it has a name. */
static uint32_t take_valtypes(struct assembly *a, struct encoder *e, enum param_names names,
                              uint32_t index) {
    uint32_t count = 0;
    bool named = take_local_name(a, names, index);
    while (a->l.token.kind != TOKEN_CLOSE && a->l.token.kind != TOKEN_END && !(named && count)) {
        cn_take_valtype(a, e);
        count++;
    }
    if (named && count == 0)
        cn_text_unexpected(&a->l, "a value type");
    cn_expect_close(a);
    return count;
}

/* (param ...)* (result ...)* into the scratch. */
static void take_signature(struct assembly *a, enum param_names names, struct type_use *use) {
    a->params.length = a->results.length = 0;
    use->param_count = use->result_count = 0;
    while (cn_take_open(a, "param")) {
        use->described = true;
        use->param_count += take_valtypes(a, &a->params, names, use->param_count);
    }
    while (cn_take_open(a, "result")) {
        use->described = true;
        use->result_count += take_valtypes(a, &a->results, PARAMS_WITHOUT_NAMES, 0);
    }
    if (cn_at_open(a, "param"))
        cn_text_fail(&a->l, a->l.token.at, "result before parameter");
}

/* The number of the function type in the scratch; NO_NAME after an error. */
static uint32_t signature_of(struct assembly *a, const struct type_use *use) {
    struct encoder *e = &a->signature;
    e->length = 0;
    cn_encode_byte(e, 0x60);
    cn_encode_u32(e, use->param_count);
    cn_encode_bytes(e, a->params.bytes, a->params.length);
    cn_encode_u32(e, use->result_count);
    cn_encode_bytes(e, a->results.bytes, a->results.length);
    if (e->failure != CATNAP_OK || a->params.failure != CATNAP_OK ||
        a->results.failure != CATNAP_OK) {
        cn_out_of_memory(a);
        return NO_NAME;
    }
    uint32_t signature = cn_names_find(&a->signatures, e->bytes, e->length);
    if (signature != NO_NAME)
        return signature;
    uint8_t *copy = cn_arena_alloc(&a->arena, e->length);
    if (copy) {
        memcpy(copy, e->bytes, e->length);
        signature = cn_names_add(&a->signatures, copy, e->length);
    }
    void *items = a->type_of;
    if (signature == NO_NAME ||
        !cn_grow(a->alloc, &items, &a->type_of_capacity, a->signatures.count, sizeof *a->type_of)) {
        cn_out_of_memory(a);
        return NO_NAME;
    }
    a->type_of = items;
    a->type_of[signature] = 0;
    return signature;
}

static void put_signature(struct assembly *a, struct encoder *e, uint32_t signature) {
    if (signature == NO_NAME)
        return;
    const struct name *bytes = &a->signatures.items[signature];
    cn_encode_bytes(e, bytes->bytes, bytes->length);
}

/* ---- Defined types --------------------------------------------------------------------------- */

static void set_type(struct assembly *a, uint32_t index, struct text_type type) {
    void *items = a->types;
    if (!cn_grow(a->alloc, &items, &a->type_capacity, (size_t)index + 1, sizeof *a->types)) {
        cn_out_of_memory(a);
        return;
    }
    a->types = items;
    a->types[index] = type;
}

static void take_storage_type(struct assembly *a, struct encoder *e) {
    if (cn_take_word(a, "i8"))
        cn_encode_byte(e, VT_I8);
    else if (cn_take_word(a, "i16"))
        cn_encode_byte(e, VT_I16);
    else
        cn_take_valtype(a, e);
}

static void take_field_type(struct assembly *a, struct encoder *e) {
    bool mutable = cn_take_open(a, "mut");
    take_storage_type(a, e);
    cn_encode_byte(e, mutable);
    if (mutable)
        cn_expect_close(a);
}

/* A type's index and a name's number, as the name of a field. */
struct field_key {
    uint32_t type, name;
};

/* Binds the name to the field. */
static void bind_field(struct assembly *a, const struct token *id, uint32_t name, uint32_t type,
                       uint32_t field) {
    struct field_key *key = cn_arena_alloc(&a->arena, sizeof *key);
    void *items = a->field_of;
    size_t before = a->field_names.count;
    if (!key) {
        cn_out_of_memory(a);
        return;
    }
    *key = (struct field_key){type, name};
    uint32_t number = cn_names_add(&a->field_names, (const uint8_t *)key, sizeof *key);
    if (number == NO_NAME || !cn_grow(a->alloc, &items, &a->field_of_capacity, a->field_names.count,
                                      sizeof *a->field_of)) {
        cn_out_of_memory(a);
        return;
    }
    a->field_of = items;
    if (a->field_names.count == before)
        cn_text_fail(&a->l, id->at, "duplicate field %.*s",
                     (int)(id->length > 100 ? 100 : id->length), (const char *)id->at);
    a->field_of[number] = field;
}

static void name_field(struct assembly *a, struct vector *names, uint32_t type, uint32_t field) {
    const struct token id = a->l.token;
    uint32_t name = cn_take_name(a, true);
    if (name != NO_NAME)
        bind_field(a, &id, name, type, field);
    cn_name_in(a, names, field, name);
}

uint32_t cn_take_field(struct assembly *a, uint32_t type) {
    const struct token id = a->l.token;
    if (id.kind != TOKEN_ID)
        return cn_take_u32(a);
    struct field_key key = {type, cn_take_name(a, false)};
    uint32_t number = key.name != NO_NAME
                          ? cn_names_find(&a->field_names, (const uint8_t *)&key, sizeof key)
                          : NO_NAME;
    if (number != NO_NAME)
        return a->field_of[number];
    cn_text_fail(&a->l, id.at, "unknown field %.*s", (int)(id.length > 100 ? 100 : id.length),
                 (const char *)id.at);
    return 0;
}

/* Puts a vector with its count; the vector is empty then. */
static void put_vector(struct encoder *e, struct vector *v) {
    cn_encode_u32(e, v->count);
    cn_encode_bytes(e, v->bytes.bytes, v->bytes.length);
    if (v->bytes.failure != CATNAP_OK)
        e->failure = v->bytes.failure;
    v->count = 0;
    v->bytes.length = 0;
}

static void take_struct(struct assembly *a, struct encoder *e, uint32_t type) {
    struct vector names = {.bytes = {.alloc = a->alloc, .limit = SIZE_MAX}};
    struct vector fields = names;
    while (cn_take_open(a, "field")) {
        bool named = at_name(a);
        if (named)
            name_field(a, &names, type, fields.count);
        for (uint32_t i = 0; a->l.token.kind != TOKEN_CLOSE && a->l.token.kind != TOKEN_END; i++) {
            if (named && i > 0)
                cn_text_unexpected(&a->l, ")");
            take_field_type(a, &fields.bytes);
            fields.count++;
        }
        cn_expect_close(a);
    }
    put_vector(e, &fields);
    if (names.count > 0) {
        cn_encode_u32(&a->names[NAMED_FIELD].bytes, type);
        put_vector(&a->names[NAMED_FIELD].bytes, &names);
        a->names[NAMED_FIELD].count++;
    }
    cn_encoder_free(&names.bytes);
    cn_encoder_free(&fields.bytes);
}

/* A type without its supertypes. */
static void take_composite(struct assembly *a, struct encoder *e, uint32_t index) {
    struct text_type type = {NO_NAME, 0};
    if (cn_take_open(a, "func")) {
        struct type_use use = {0};
        take_signature(a, PARAMS_WITH_NAMES, &use);
        type = (struct text_type){signature_of(a, &use), use.param_count};
        put_signature(a, e, type.signature);
    } else if (cn_take_open(a, "struct")) {
        cn_encode_byte(e, 0x5F);
        take_struct(a, e, index);
    } else if (cn_take_open(a, "array")) {
        cn_encode_byte(e, 0x5E);
        take_field_type(a, e);
    } else if (cn_take_open(a, "cont")) {
        cn_encode_byte(e, 0x5D);
        cn_encode_s64(e, cn_take_index(a, SPACE_TYPE));
    } else {
        cn_text_unexpected(&a->l, "(func, (struct or (array");
    }
    set_type(a, index, type);
    cn_expect_close(a);
}

/* (type $id? subtype), of which ( type was taken. Whether it is final and without supertypes. */
static bool take_type(struct assembly *a, uint32_t index) {
    struct encoder *e = &a->sections[SECTION_TYPE].bytes;
    struct vector supers = {.bytes = {.alloc = a->alloc, .limit = SIZE_MAX}};
    bool plain = true, sub;
    cn_name_here(a, NAMED_TYPE, index, cn_take_name(a, true));
    sub = cn_take_open(a, "sub");
    if (sub) {
        bool final = cn_take_word(a, "final");
        for (; cn_at_index(a); supers.count++)
            cn_encode_u32(&supers.bytes, cn_take_index(a, SPACE_TYPE));
        plain = final && supers.count == 0;
        if (!plain) {
            cn_encode_byte(e, final ? 0x4F : 0x50);
            put_vector(e, &supers);
        }
    }
    cn_encoder_free(&supers.bytes);
    take_composite(a, e, index);
    if (sub)
        cn_expect_close(a);
    cn_expect_close(a);
    return plain;
}

/* A type alone in its group: the first of equal ones is what a type use without index means. */
static void can_be_implied(struct assembly *a, uint32_t index) {
    uint32_t signature = a->l.failed ? NO_NAME : a->types[index].signature;
    if (signature != NO_NAME && a->type_of[signature] == 0)
        a->type_of[signature] = index + 1;
}

static void take_group(struct assembly *a, uint32_t *index) {
    struct encoder *e = &a->sections[SECTION_TYPE].bytes;
    uint32_t count = 0;
    bool plain = false;
    cn_encode_byte(e, 0x4E);
    size_t kept = cn_encode_keep(e);
    for (; cn_take_open(a, "type"); count++)
        plain = take_type(a, (*index)++);
    cn_encode_put(e, kept, count);
    if (count == 1 && plain)
        can_be_implied(a, *index - 1);
    cn_expect_close(a);
}

void cn_read_types(struct assembly *a) {
    uint32_t index = 0;
    for (size_t i = 0; i < a->type_field_count && !a->l.failed; i++) {
        cn_lexer_seek(&a->l, a->type_fields[i]);
        if (cn_take_open(a, "rec"))
            take_group(a, &index);
        else if (cn_take_open(a, "type") && take_type(a, index++))
            can_be_implied(a, index - 1);
        a->sections[SECTION_TYPE].count++;
    }
}

/* ---- Type uses ------------------------------------------------------------------------------- */

struct type_use cn_take_type_use(struct assembly *a, enum param_names names) {
    struct type_use use = {.at = a->l.token.at};
    if (cn_take_open(a, "type")) {
        use.given = true;
        use.type = cn_take_index(a, SPACE_TYPE);
        cn_expect_close(a);
    }
    take_signature(a, names, &use);
    if (use.given && !use.described && use.type < a->count[SPACE_TYPE])
        use.param_count = a->types[use.type].param_count;
    else if (use.given && !use.described)
        a->looks_ahead = true;
    return use;
}

static uint32_t add_type(struct assembly *a, uint32_t signature, uint32_t param_count) {
    uint32_t index = a->count[SPACE_TYPE];
    set_type(a, index, (struct text_type){signature, param_count});
    put_signature(a, &a->sections[SECTION_TYPE].bytes, signature);
    a->sections[SECTION_TYPE].count++;
    a->count[SPACE_TYPE]++;
    a->type_of[signature] = index + 1;
    return index;
}

uint32_t cn_type_of_use(struct assembly *a, const struct type_use *use) {
    if (use->given && !use->described)
        return use->type;
    uint32_t signature = signature_of(a, use);
    if (signature == NO_NAME)
        return 0;
    if (use->given) {
        if (use->type >= a->count[SPACE_TYPE])
            cn_text_fail(&a->l, use->at, "unknown type");
        else if (a->types[use->type].signature != signature)
            cn_text_fail(&a->l, use->at,
                         "inline function type: the parameters and results are not those of the "
                         "type");
        return use->type;
    }
    if (a->type_of[signature] != 0)
        return a->type_of[signature] - 1;
    return add_type(a, signature, use->param_count);
}

/* ---- Locals and globals ---------------------------------------------------------------------- */

/* Adds a local whose type ends the scratch to the runs of locals. */
struct runs {
    struct vector runs;
    size_t first; /* in the scratch: the type of the last run */
    uint32_t length;
};

static void end_run(struct assembly *a, struct runs *r, size_t end) {
    if (r->length == 0)
        return;
    cn_encode_u32(&r->runs.bytes, r->length);
    cn_encode_bytes(&r->runs.bytes, a->params.bytes + r->first, end - r->first);
    r->runs.count++;
}

static void take_local(struct assembly *a, struct runs *r) {
    struct encoder *types = &a->params;
    size_t start = types->length, before = start - r->first;
    cn_take_valtype(a, types);
    size_t length = types->length - start;
    if (types->failure != CATNAP_OK) {
        cn_out_of_memory(a);
        return;
    }
    a->local_count++;
    if (r->length > 0 && length == before &&
        memcmp(types->bytes + start, types->bytes + r->first, length) == 0) {
        r->length++;
        types->length = start;
        return;
    }
    end_run(a, r, start);
    r->first = start;
    r->length = 1;
}

void cn_take_locals(struct assembly *a, struct encoder *e) {
    struct runs r = {.runs.bytes = {.alloc = a->alloc, .limit = SIZE_MAX}};
    a->params.length = 0;
    while (cn_take_open(a, "local")) {
        bool named = take_local_name(a, PARAMS_OF_FUNCTION, a->local_count);
        if (named)
            take_local(a, &r);
        while (!named && a->l.token.kind != TOKEN_CLOSE && a->l.token.kind != TOKEN_END)
            take_local(a, &r);
        cn_expect_close(a);
    }
    end_run(a, &r, a->params.length);
    put_vector(e, &r.runs);
    cn_encoder_free(&r.runs.bytes);
}

void cn_take_globaltype(struct assembly *a, struct encoder *e) {
    bool mutable = cn_take_open(a, "mut");
    cn_take_valtype(a, e);
    cn_encode_byte(e, mutable);
    if (mutable)
        cn_expect_close(a);
}
