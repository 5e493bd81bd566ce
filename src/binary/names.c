/*
 * The name section (appendix A.5 of the specification's section on custom sections). It is outside
 * the module proper: what is broken in it is as good as absent, and never an error. Nothing is kept
 * of it but where it lies; a lookup reads it again, with all checks.
 */
#include "base/utf8.h"
#include "binary/reader.h"
#include "binary/sections.h"

enum name_subsection { NAMES_MODULE = 0, NAMES_FUNCTIONS = 1 };

static bool read_span(struct reader *r, const uint8_t *base, struct span *span) {
    uint32_t length;
    bool too_long;
    if (!cn_read_u32(r, &length, &too_long) || length > (size_t)(r->end - r->at))
        return false;
    *span = (struct span){(uint32_t)(r->at - base), length};
    r->at += length;
    return true;
}

static bool valid_name(const struct module *m, struct span name) {
    return cn_utf8_valid(m->bytes + name.offset, name.length);
}

static struct reader reader_of(const struct module *m, struct span span) {
    return (struct reader){m->bytes + span.offset, m->bytes + span.offset + span.length};
}

bool cn_scan_name_section(struct module *m, struct span content) {
    struct reader r = reader_of(m, content);
    struct span subsection, name, module_name = {0, 0};
    while (r.at < r.end) {
        uint8_t id = *r.at++;
        if (!read_span(&r, m->bytes, &subsection))
            return false;
        struct reader inner = reader_of(m, subsection);
        if (id == NAMES_MODULE && read_span(&inner, m->bytes, &name) && valid_name(m, name))
            module_name = name;
    }
    m->module_name = module_name;
    return true;
}

/* Searches a name map: a vector of (index, name). */
static bool find_name(const struct module *m, struct reader r, uint32_t wanted,
                      struct span *found) {
    uint32_t count, index;
    bool too_long;
    if (!cn_read_u32(&r, &count, &too_long))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!cn_read_u32(&r, &index, &too_long) || !read_span(&r, m->bytes, found))
            return false;
        if (index == wanted)
            return valid_name(m, *found);
    }
    return false;
}

static bool find_in_name_section(const struct module *m, uint32_t func, struct span *found) {
    struct reader r = reader_of(m, m->name_section);
    struct span subsection;
    while (r.at < r.end) {
        uint8_t id = *r.at++;
        if (!read_span(&r, m->bytes, &subsection))
            return false;
        if (id == NAMES_FUNCTIONS)
            return find_name(m, reader_of(m, subsection), func, found);
    }
    return false;
}

struct span cn_module_func_name(const struct module *m, uint32_t func) {
    struct span found;
    if (find_in_name_section(m, func, &found))
        return found;
    for (uint32_t i = 0; i < m->export_count; i++)
        if (m->exports[i].kind == EXTERN_FUNC && m->exports[i].index == func)
            return m->exports[i].name;
    return (struct span){0, 0};
}
