/* From the two readings to a module's bytes. */
#include "text/assembly.h"

#include <string.h>

/* The order of sections, each with its number among the words of (@custom ... (before ...)). */
static const uint8_t section_order[] = {
    SECTION_TYPE,       SECTION_IMPORT, SECTION_FUNCTION, SECTION_TABLE, SECTION_MEMORY,
    SECTION_TAG,        SECTION_GLOBAL, SECTION_EXPORT,   SECTION_START, SECTION_ELEMENT,
    SECTION_DATA_COUNT, SECTION_CODE,   SECTION_DATA};
#define SECTIONS_IN_ORDER (sizeof section_order)

static struct encoder new_encoder(struct alloc *alloc) {
    return (struct encoder){.alloc = alloc, .limit = SIZE_MAX};
}

/* ---- Beginning and end of an assembly -------------------------------------------------------- */

static void init(struct assembly *a, const struct lexer *l, const struct instructions *instructions,
                 enum text_names with_names) {
    struct alloc *alloc = l->alloc;
    *a = (struct assembly){
        .l = *l, .instructions = instructions, .alloc = alloc, .with_names = with_names};
    cn_arena_init(&a->arena, alloc);
    cn_names_init(&a->ids, alloc);
    cn_names_init(&a->signatures, alloc);
    cn_names_init(&a->field_names, alloc);
    a->params = a->results = a->signature = a->bytes = a->custom_bytes = a->pending =
        new_encoder(alloc);
    a->hints.bytes = a->body_hints.bytes = new_encoder(alloc);
    a->local_names.bytes = a->label_names.bytes = new_encoder(alloc);
    for (size_t i = 0; i < SECTION_IDS; i++)
        a->sections[i].bytes = new_encoder(alloc);
    for (size_t i = 0; i < NAME_MAPS; i++)
        a->names[i].bytes = new_encoder(alloc);
}

static void release(struct assembly *a) {
    struct encoder *const encoders[] = {&a->params,
                                        &a->results,
                                        &a->signature,
                                        &a->bytes,
                                        &a->custom_bytes,
                                        &a->pending,
                                        &a->hints.bytes,
                                        &a->body_hints.bytes,
                                        &a->local_names.bytes,
                                        &a->label_names.bytes};
    for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++)
        cn_encoder_free(encoders[i]);
    for (size_t i = 0; i < SECTION_IDS; i++)
        cn_encoder_free(&a->sections[i].bytes);
    for (size_t i = 0; i < NAME_MAPS; i++)
        cn_encoder_free(&a->names[i].bytes);
    cn_names_free(&a->ids);
    cn_names_free(&a->signatures);
    cn_names_free(&a->field_names);
    cn_arena_free(&a->arena);
    cn_free(a->alloc, a->bound, a->bound_capacity * sizeof *a->bound);
    cn_free(a->alloc, a->type_fields, a->type_field_capacity * sizeof *a->type_fields);
    cn_free(a->alloc, a->types, a->type_capacity * sizeof *a->types);
    cn_free(a->alloc, a->type_of, a->type_of_capacity * sizeof *a->type_of);
    cn_free(a->alloc, a->field_of, a->field_of_capacity * sizeof *a->field_of);
    cn_free(a->alloc, a->customs, a->custom_capacity * sizeof *a->customs);
    cn_free(a->alloc, a->frames, a->frame_capacity * sizeof *a->frames);
}

static void clear(struct vector *v) {
    v->bytes.length = 0;
    v->count = 0;
}

/* As it was before the second reading, but for the types, which have those that are implied now. */
static void begin_again(struct assembly *a) {
    for (size_t i = 0; i < SECTION_IDS; i++)
        if (i != SECTION_TYPE)
            clear(&a->sections[i]);
    for (size_t i = 0; i < NAME_MAPS; i++)
        if (i != NAMED_MODULE && i != NAMED_TYPE && i != NAMED_FIELD)
            clear(&a->names[i]);
    clear(&a->hints);
    a->custom_count = a->custom_bytes.length = 0;
    a->has_start = false;
    memset(a->next, 0, sizeof a->next);
    for (size_t i = 0; i < a->ids.count; i++)
        a->bound[i][SPACE_LOCAL_OF] = 0;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void put_section(struct encoder *out, uint8_t id, const struct encoder *content,
                        const uint32_t *count) {
    cn_encode_byte(out, id);
    size_t place = cn_encode_keep(out);
    if (count)
        cn_encode_u32(out, *count);
    cn_encode_bytes(out, content->bytes, content->length);
    cn_encode_put_length(out, place);
}

static void put_customs(const struct assembly *a, struct encoder *out, uint32_t place) {
    for (size_t i = 0; i < a->custom_count; i++) {
        const struct custom *custom = &a->customs[i];
        if (custom->place != place)
            continue;
        cn_encode_byte(out, SECTION_CUSTOM);
        cn_encode_u32(out, (uint32_t)(custom->end - custom->start));
        cn_encode_bytes(out, a->custom_bytes.bytes + custom->start, custom->end - custom->start);
    }
}

static void put_name(struct encoder *out, const char *name) {
    cn_encode_u32(out, (uint32_t)strlen(name));
    cn_encode_bytes(out, name, strlen(name));
}

static void put_hints(const struct assembly *a, struct encoder *out) {
    if (a->hints.count == 0)
        return;
    cn_encode_byte(out, SECTION_CUSTOM);
    size_t place = cn_encode_keep(out);
    put_name(out, "metadata.code.branch_hint");
    cn_encode_u32(out, a->hints.count);
    cn_encode_bytes(out, a->hints.bytes.bytes, a->hints.bytes.length);
    cn_encode_put_length(out, place);
}

static void put_names(const struct assembly *a, struct encoder *out) {
    uint32_t named = 0;
    for (size_t i = 0; i < NAME_MAPS; i++)
        named |= a->names[i].count;
    if (a->with_names == TEXT_WITHOUT_NAMES || named == 0)
        return;
    cn_encode_byte(out, SECTION_CUSTOM);
    size_t place = cn_encode_keep(out);
    put_name(out, "name");
    for (size_t i = 0; i < NAME_MAPS; i++)
        if (a->names[i].count > 0)
            put_section(out, (uint8_t)i, &a->names[i].bytes,
                        i == NAMED_MODULE ? NULL : &a->names[i].count);
    cn_encode_put_length(out, place);
}

static void put_standard(struct assembly *a, struct encoder *out, uint8_t id) {
    const struct vector *section = &a->sections[id];
    const struct encoder nothing = {0};
    if (id == SECTION_CODE)
        put_hints(a, out);
    if (id == SECTION_START && a->has_start)
        put_section(out, id, &section->bytes, NULL);
    else if (id == SECTION_DATA_COUNT && a->uses_data_count)
        put_section(out, id, &nothing, &a->count[SPACE_DATA]);
    else if (section->count > 0)
        put_section(out, id, &section->bytes, &section->count);
}

static void check_written(struct assembly *a, const struct encoder *out) {
    bool done = out->failure == CATNAP_OK && a->custom_bytes.failure == CATNAP_OK &&
                a->hints.bytes.failure == CATNAP_OK && a->body_hints.bytes.failure == CATNAP_OK;
    bool too_long = out->failure == CATNAP_LIMIT;
    for (size_t i = 0; i < SECTION_IDS; i++) {
        done = done && a->sections[i].bytes.failure == CATNAP_OK;
        too_long = too_long || a->sections[i].bytes.failure == CATNAP_LIMIT;
    }
    for (size_t i = 0; i < NAME_MAPS; i++)
        done = done && a->names[i].bytes.failure == CATNAP_OK;
    if (too_long)
        cn_text_fail(&a->l, a->l.token.at, "the module would be longer than the limit");
    else if (!done)
        cn_out_of_memory(a);
}

static void write(struct assembly *a, struct encoder *out) {
    static const uint8_t preamble[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    uint32_t place = 0;
    cn_encode_bytes(out, preamble, sizeof preamble);
    put_customs(a, out, place++);
    put_customs(a, out, place++);
    for (size_t i = 0; i < SECTIONS_IN_ORDER; i++) {
        put_customs(a, out, place++);
        put_standard(a, out, section_order[i]);
        put_customs(a, out, place++);
    }
    put_customs(a, out, place++);
    put_customs(a, out, place);
    put_names(a, out);
    check_written(a, out);
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* $id? and (@name "...")? behind `module`. */
static void take_module_name(struct assembly *a) {
    struct vector *map = &a->names[NAMED_MODULE];
    uint32_t name = cn_take_name(a, true);
    if (cn_note_is(&a->l.token, "name")) {
        cn_lexer_next(&a->l);
        cn_take_name_string(a, &map->bytes);
        cn_expect_close(a);
        map->count = 1;
    } else if (name != NO_NAME) {
        const struct name *item = &a->ids.items[name];
        cn_encode_u32(&map->bytes, (uint32_t)item->length);
        cn_encode_bytes(&map->bytes, item->bytes, item->length);
        map->count = 1;
    }
}

static void read_all(struct assembly *a, bool closed) {
    if (closed)
        take_module_name(a);
    const uint8_t *fields = a->l.token.at;
    cn_scan_fields(a);
    if (a->l.token.kind != (closed ? TOKEN_CLOSE : TOKEN_END))
        cn_text_unexpected(&a->l, "a field of a module");
    cn_read_types(a);
    for (int reading = 0; reading < 2 && !a->l.failed; reading++) {
        if (reading > 0 && !a->looks_ahead)
            break;
        if (reading > 0)
            begin_again(a);
        cn_lexer_seek(&a->l, fields);
        cn_read_fields(a);
    }
    if (closed)
        cn_expect_close(a);
}

void cn_assemble(struct lexer *l, const struct instructions *instructions, bool closed,
                 enum text_names with_names, struct encoder *out) {
    struct assembly a;
    init(&a, l, instructions, with_names);
    read_all(&a, closed);
    if (!a.l.failed)
        write(&a, out);
    *l = a.l;
    release(&a);
}
