/* Custom sections that the specification defines (appendix A.4): names, and hints at which way branches go. */
#include "binary/instruction.h"
#include "validate/validate.h"

#include <string.h>

struct custom {
    struct decoder d;
    const struct module *m;
    const struct section *section;
};

static bool is_named(const struct module *m, const struct section *section, const char *name) {
    size_t length = strlen(name);
    return section->id == SECTION_CUSTOM && section->name.length == length &&
           memcmp(m->bytes + section->name.offset, name, length) == 0;
}

static bool fail(struct custom *c, uint32_t offset, const char *what) {
    return cn_fail_at(c->d.error, CATNAP_INVALID, offset, "custom section %.*s: %s",
                      (int)c->section->name.length,
                      (const char *)c->m->bytes + c->section->name.offset, what);
}

/* An index that is larger than the one before it, *next - 1, and less than the limit. */
static bool next_index(struct custom *c, uint32_t limit, uint64_t *next, uint32_t *index) {
    uint32_t offset = cn_decode_offset(&c->d);
    if (!cn_decode_u32(&c->d, index, "custom section"))
        return false;
    if (*index < *next)
        return fail(c, offset, "indices out of order");
    if (*index >= limit)
        return fail(c, offset, "unknown index");
    *next = (uint64_t)*index + 1;
    return true;
}

/* ---- Names ---- */

enum { NAMES_OF_MODULE = 0, NAMES_OF_LOCALS = 2, NAMES_OF_LABELS = 3, NAMES_OF_FIELDS = 10 };

/* How many items of the kind there are; UINT32_MAX: that is not looked at. */
static uint32_t named_items(const struct module *m, uint8_t kind) {
    const uint32_t counts[] = {UINT32_MAX,    m->func_count,  m->func_count,   m->func_count,
                               m->type_count, m->table_count, m->memory_count, m->global_count,
                               m->elem_count, m->data_count,  m->type_count,   m->tag_count};
    return kind < sizeof counts / sizeof *counts ? counts[kind] : UINT32_MAX;
}

static bool check_name_map(struct custom *c, uint32_t limit) {
    struct span name;
    uint64_t next = 0;
    uint32_t count, index;
    if (!cn_decode_count(&c->d, &count, 2, UINT32_MAX, "names"))
        return false;
    for (; count > 0; count--)
        if (!next_index(c, limit, &next, &index) || !cn_decode_name(&c->d, &name, "name"))
            return false;
    return true;
}

static bool check_maps_of_names(struct custom *c, uint32_t limit) {
    uint64_t next = 0;
    uint32_t count, index;
    if (!cn_decode_count(&c->d, &count, 2, UINT32_MAX, "names"))
        return false;
    for (; count > 0; count--)
        if (!next_index(c, limit, &next, &index) || !check_name_map(c, UINT32_MAX))
            return false;
    return true;
}

static bool check_name_subsection(struct custom *c, uint8_t kind) {
    struct span name;
    uint32_t limit = named_items(c->m, kind);
    switch (kind) {
    case NAMES_OF_MODULE:
        return cn_decode_name(&c->d, &name, "module name");
    case NAMES_OF_LOCALS:
    case NAMES_OF_LABELS:
    case NAMES_OF_FIELDS:
        return check_maps_of_names(c, limit);
    default:
        return check_name_map(c, limit);
    }
}

static bool check_names(struct custom *c) {
    const uint8_t *end = c->d.r.end;
    int last = -1;
    while (c->d.r.at < end) {
        uint32_t offset = cn_decode_offset(&c->d), size;
        uint8_t kind;
        if (!cn_decode_byte(&c->d, &kind, "name subsection") ||
            !cn_decode_u32(&c->d, &size, "name subsection"))
            return false;
        if (kind <= last)
            return fail(c, offset, "subsections out of order");
        if (size > (size_t)(end - c->d.r.at))
            return fail(c, offset, "unexpected end");
        last = kind;
        c->d.r.end = c->d.r.at + size;
        if (kind <= 11 && !check_name_subsection(c, kind)) /* later ones are not known */
            return false;
        if (kind <= 11 && c->d.r.at < c->d.r.end)
            return fail(c, cn_decode_offset(&c->d), "subsection size mismatch");
        c->d.r.at = c->d.r.end;
        c->d.r.end = end;
    }
    return true;
}

/* ---- Hints ---- */

/* Goes on in the body from instruction to instruction, up to the one at the offset, or behind it. */
static bool find_target(struct decoder *body, uint32_t offset, bool *found) {
    struct instruction in = {0};
    *found = false;
    while (body->r.at < body->r.end && cn_decode_offset(body) <= offset) {
        uint32_t at = cn_decode_offset(body);
        if (!cn_decode_instruction(body, &in))
            return false;
        *found = at == offset && (in.opcode == OP_if_ || in.opcode == OP_br_if);
    }
    return true;
}

static bool skip_locals(struct decoder *body) {
    uint32_t runs, count;
    valtype type;
    if (!cn_decode_u32(body, &runs, "locals"))
        return false;
    for (; runs > 0; runs--)
        if (!cn_decode_u32(body, &count, "locals") || !cn_decode_valtype(body, &type))
            return false;
    return true;
}

static bool check_hints_of(struct custom *c, uint32_t func) {
    const struct module *m = c->m;
    struct span span = cn_module_body(m, func);
    const uint8_t *start = m->bytes + span.offset;
    struct decoder body = c->d;
    uint64_t next = 0;
    uint32_t count, target;
    bool found;
    body.r = (struct reader){start, start + span.length};
    if (!skip_locals(&body) || !cn_decode_count(&c->d, &count, 3, UINT32_MAX, "hints"))
        return false;
    for (; count > 0; count--) {
        uint32_t offset = cn_decode_offset(&c->d), size;
        uint8_t value;
        if (!next_index(c, span.length, &next, &target) || !cn_decode_u32(&c->d, &size, "hint") ||
            !cn_decode_byte(&c->d, &value, "hint"))
            return false;
        if (size != 1 || value > 1)
            return fail(c, offset, "malformed hint");
        if (!find_target(&body, span.offset + target, &found))
            return false;
        if (!found)
            return fail(c, offset, "invalid target");
    }
    return true;
}

static bool check_hints(struct custom *c) {
    uint64_t next = 0;
    uint32_t count, func;
    if (!cn_decode_count(&c->d, &count, 2, UINT32_MAX, "hints"))
        return false;
    for (; count > 0; count--) {
        uint32_t offset = cn_decode_offset(&c->d);
        if (!next_index(c, c->m->func_count, &next, &func))
            return false;
        if (func < c->m->imported_func_count)
            return fail(c, offset, "hints of an imported function");
        if (!check_hints_of(c, func))
            return false;
    }
    return c->d.r.at == c->d.r.end || fail(c, cn_decode_offset(&c->d), "section size mismatch");
}

/* ---- All of them ---- */

/* A section of a known name comes once, before or behind all sections of the other kind. */
static const struct known_section {
    const char *name;
    enum section_id other;
    bool before;
    bool (*check)(struct custom *);
} known_sections[] = {
    {"name", SECTION_DATA, false, check_names},
    {"metadata.code.branch_hint", SECTION_CODE, true, check_hints},
};

static bool check_place(struct custom *c, const struct known_section *known) {
    const struct module *m = c->m;
    uint32_t index = (uint32_t)(c->section - m->sections);
    for (uint32_t i = 0; i < m->section_count; i++) {
        bool is_before = i < index;
        if (is_before && is_named(m, &m->sections[i], known->name))
            return fail(c, c->section->content.offset, "twice");
        if (m->sections[i].id == known->other && is_before == known->before)
            return fail(c, c->section->content.offset, "out of order");
    }
    return true;
}

static bool check_section(struct custom *c, const struct known_section *known) {
    const struct section *section = c->section;
    const uint8_t *end = c->m->bytes + section->content.offset + section->content.length;
    c->d.r = (struct reader){c->m->bytes + section->name.offset + section->name.length, end};
    return check_place(c, known) && known->check(c);
}

bool cn_check_custom_sections(const struct module *m, struct error *error) {
    struct custom c = {
        .d = {.base = m->bytes, .features = m->features, .error = error, .module = m}, .m = m};
    for (uint32_t i = 0; i < m->section_count; i++)
        for (size_t k = 0; k < sizeof known_sections / sizeof *known_sections; k++) {
            c.section = &m->sections[i];
            if (is_named(m, c.section, known_sections[k].name) &&
                !check_section(&c, &known_sections[k]))
                return false;
        }
    return true;
}
