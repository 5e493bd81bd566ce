/* Names of exports, and the name section. */
#include "persist/module.h"

#include <string.h>

#include "base/utf8.h"
#include "binary/reader.h"

/* ---- Exports ---- */

static bool is_name(const struct conversion *c, const struct export_ *export_, const char *name) {
    return strlen(name) == export_->name.length &&
           memcmp(c->module->bytes + export_->name.offset, name, export_->name.length) == 0;
}

static bool exists(const struct conversion *c, const char *name) {
    for (uint32_t i = 0; i < c->module->export_count; i++)
        if (is_name(c, &c->module->exports[i], name))
            return true;
    return false;
}

static bool same(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

bool cn_check_changes(struct conversion *c) {
    const catnap_export_change_t *changes = c->options->changes;
    for (size_t i = 0; i < c->options->change_count; i++) {
        const char *name = changes[i].name, *to = changes[i].new_name;
        if (!name || !exists(c, name))
            return cn_fail(c->error, CATNAP_NOT_FOUND, "there is no export '%.60s' to change",
                           name ? name : "");
        if (to && !cn_utf8_valid((const uint8_t *)to, strlen(to)))
            return cn_fail(c->error, CATNAP_MISUSE, "the new name of export '%.60s' is not UTF-8",
                           name);
        for (size_t j = 0; j < i; j++)
            if (same(name, changes[j].name) || same(to, changes[j].new_name))
                return cn_fail(
                    c->error, CATNAP_MISUSE,
                    "export '%.60s' is renamed or removed twice, or two exports get its name",
                    name);
    }
    return true;
}

bool cn_export_name(const struct conversion *c, const struct export_ *export_, const char **name,
                    size_t *length) {
    bool taken = false;
    *name = (const char *)c->module->bytes + export_->name.offset;
    *length = export_->name.length;
    for (size_t i = 0; i < c->options->change_count; i++) {
        const catnap_export_change_t *change = &c->options->changes[i];
        taken = taken || (change->new_name && is_name(c, export_, change->new_name));
        if (!is_name(c, export_, change->name))
            continue;
        *name = change->new_name;
        *length = *name ? strlen(*name) : 0;
        return *name != NULL;
    }
    return !taken;
}

/* ---- The name section ---- */

enum { NAMES_ELEMS = 8, NAMES_DATAS = 9 };

/* The next subsection with its head; false at the end or where it is broken. */
static bool next_names(struct reader *r, uint8_t *id, struct reader *whole) {
    uint32_t length;
    bool too_long;
    whole->at = r->at;
    if (r->at == r->end)
        return false;
    *id = *r->at++;
    if (!cn_read_u32(r, &length, &too_long) || length > (size_t)(r->end - r->at))
        return false;
    whole->end = r->at += length;
    return true;
}

bool cn_write_names(struct conversion *c, const struct section *section) {
    const struct module *m = c->module;
    const uint8_t *start = m->bytes + m->name_section.offset;
    struct reader whole, r = {start, start + m->name_section.length};
    uint8_t id;
    bool found = false;
    if (m->name_section.length == 0 ||
        m->name_section.offset != section->name.offset + section->name.length)
        return false;
    while (next_names(&r, &id, &whole))
        found = found || id == NAMES_ELEMS || id == NAMES_DATAS;
    if (!found)
        return false;
    cn_encode_byte(&c->out, SECTION_CUSTOM);
    size_t place = cn_encode_keep(&c->out);
    cn_encode_bytes(&c->out, m->bytes + section->content.offset,
                    m->name_section.offset - section->content.offset);
    for (r.at = start; next_names(&r, &id, &whole);)
        if (id != NAMES_ELEMS && id != NAMES_DATAS)
            cn_encode_bytes(&c->out, whole.at, (size_t)(whole.end - whole.at));
    cn_encode_put_length(&c->out, place);
    return true;
}
