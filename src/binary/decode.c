/* Decoding a module: the preamble, then the sections in their order (section 5.5). */
#include <string.h>

#include "binary/later.h"
#include "base/assert.h"
#include "binary/sections.h"

/* Each kind of section: its place in the order (0 for any), its name, and what reads its content.
 */
static const struct section_kind {
    uint8_t place;
    const char *name;
    bool (*decode)(struct sections *);
} section_kinds[SECTION_IDS] = {
    [SECTION_CUSTOM] = {0, "custom section", NULL},
    [SECTION_TYPE] = {1, "type section", cn_decode_type_section},
    [SECTION_IMPORT] = {2, "import section", cn_decode_import_section},
    [SECTION_FUNCTION] = {3, "function section", cn_decode_function_section},
    [SECTION_TABLE] = {4, "table section", cn_decode_table_section},
    [SECTION_MEMORY] = {5, "memory section", cn_decode_memory_section},
    [SECTION_TAG] = {6, "tag section", cn_decode_tag_section},
    [SECTION_GLOBAL] = {7, "global section", cn_decode_global_section},
    [SECTION_EXPORT] = {8, "export section", cn_decode_export_section},
    [SECTION_START] = {9, "start section", cn_decode_start_section},
    [SECTION_ELEMENT] = {10, "element section", cn_decode_element_section},
    [SECTION_DATA_COUNT] = {11, "data count section", cn_decode_data_count_section},
    [SECTION_CODE] = {12, "code section", cn_decode_code_section},
    [SECTION_DATA] = {13, "data section", cn_decode_data_section},
};

bool cn_decode_preamble(struct decoder *d) {
    static const uint8_t magic[4] = {0, 'a', 's', 'm'}, version[4] = {1, 0, 0, 0};
    size_t left = cn_decode_left(d);
    if (left < sizeof magic || memcmp(d->r.at, magic, sizeof magic) != 0)
        return cn_decode_fail(d, left == 0 ? "not a WebAssembly module: it is empty"
                                 : left < 4
                                     ? "not a WebAssembly module: unexpected end"
                                     : "not a WebAssembly module: magic header not detected");
    d->r.at += sizeof magic;
    left -= sizeof magic;
    if (left < sizeof version)
        return cn_decode_fail(d, "version: unexpected end");
    if (d->r.at[2] == 1 && d->r.at[3] == 0) /* the layer, behind 16 bits of version */
        return cn_fail_at(d->error, CATNAP_UNSUPPORTED, cn_decode_offset(d),
                          "this is a component, not a module: build the program for WASI preview 1 "
                          "(such as wasm32-wasip1), or extract its core module with "
                          "'wasm-tools component unbundle'");
    if (memcmp(d->r.at, version, sizeof version) != 0)
        return cn_decode_fail(d, "unknown binary version");
    d->r.at += sizeof version;
    return true;
}

/* How many sections there are, as far as their headers can be followed. */
static uint32_t count_sections(struct reader r) {
    uint32_t count = 0, size;
    bool too_long;
    while (r.at < r.end) {
        r.at++;
        count++;
        if (!cn_read_u32(&r, &size, &too_long) || size > (size_t)(r.end - r.at))
            break;
        r.at += size;
    }
    return count;
}

static bool decode_custom(struct sections *s, struct section *section) {
    static const char name_section[4] = {'n', 'a', 'm', 'e'};
    if (!cn_decode_name(&s->d, &section->name, "custom section name"))
        return false;
    struct span content = {cn_decode_offset(&s->d), (uint32_t)cn_decode_left(&s->d)};
    if (section->name.length == sizeof name_section &&
        memcmp(s->d.base + section->name.offset, name_section, sizeof name_section) == 0 &&
        cn_scan_name_section(s->m, content))
        s->m->name_section = content;
    s->d.r.at = s->d.r.end;
    return true;
}

bool cn_decode_section_header(struct sections *s, struct section *section, uint8_t *place) {
    uint32_t offset = cn_decode_offset(&s->d), size;
    if (!cn_decode_byte(&s->d, &section->id, "section id"))
        return false;
    if (section->id >= SECTION_IDS)
        return cn_decode_unknown(&s->d, offset, PLACE_SECTION, section->id, "malformed",
                                 "section id %u", section->id);
    const struct section_kind *kind = &section_kinds[section->id];
    if (!cn_decode_u32(&s->d, &size, kind->name))
        return false;
    if (size > cn_decode_left(&s->d))
        return cn_decode_fail(&s->d, "%s: length out of bounds: %u bytes, of which %zu are left",
                              kind->name, size, cn_decode_left(&s->d));
    if (kind->place != 0 && kind->place <= *place)
        return cn_fail_at(s->d.error, CATNAP_MALFORMED, offset,
                          "unexpected content: %s twice or out of order", kind->name);
    if (kind->place != 0)
        *place = kind->place;
    CN_ASSERT(s->d.r.at <= s->d.r.end);
    section->content = (struct span){cn_decode_offset(&s->d), size};
    s->d.r.end = s->d.r.at + size;
    return true;
}

bool cn_decode_section_content(struct sections *s, struct section *section) {
    const struct section_kind *kind = &section_kinds[section->id];
    return kind->decode ? kind->decode(s) : decode_custom(s, section);
}

bool cn_decode_section_end(struct sections *s, const struct section *section) {
    return s->d.r.at == s->d.r.end ||
           cn_decode_fail(&s->d, "%s: section size mismatch: %zu bytes are left over",
                          section_kinds[section->id].name, cn_decode_left(&s->d));
}

static bool decode_section(struct sections *s, struct section *section, uint8_t *place) {
    const uint8_t *end = s->d.r.end;
    if (!cn_decode_section_header(s, section, place) || !cn_decode_section_content(s, section) ||
        !cn_decode_section_end(s, section))
        return false;
    CN_ASSERT(s->d.r.at == s->d.r.end && s->d.r.end <= end);
    s->d.r.end = end;
    return true;
}

bool cn_decode_agreement(struct sections *s) {
    struct module *m = s->m;
    CN_ASSERT(m->func_count >= m->imported_func_count);
    CN_ASSERT(m->table_count >= m->imported_table_count);
    CN_ASSERT(m->memory_count >= m->imported_memory_count);
    CN_ASSERT(m->global_count >= m->imported_global_count);
    CN_ASSERT(m->tag_count >= m->imported_tag_count);
    uint32_t defined = m->func_count - m->imported_func_count;
    if (!s->has_code && defined > 0)
        return cn_decode_fail(
            &s->d, "function and code section have inconsistent lengths: %u and none", defined);
    if (m->data_count != s->segment_count)
        return cn_decode_fail(&s->d,
                              "data count and data section have inconsistent lengths: %u and none",
                              m->data_count);
    return true;
}

static bool decode_module(struct sections *s) {
    struct module *m = s->m;
    uint8_t place = 0;
    if (m->size > LIMIT_MODULE_BYTES)
        return cn_fail(s->d.error, CATNAP_LIMIT,
                       "the module's %zu bytes are more than the limit of %llu", m->size,
                       (unsigned long long)LIMIT_MODULE_BYTES);
    if (!cn_decode_preamble(&s->d))
        return false;
    m->sections = cn_section_array(s, count_sections(s->d.r), sizeof *m->sections);
    if (!m->sections)
        return false;
    while (s->d.r.at < s->d.r.end) {
        if (!decode_section(s, &m->sections[m->section_count], &place))
            return false;
        m->section_count++;
    }
    return cn_decode_agreement(s);
}

struct module *cn_module_new(struct alloc *alloc, struct type_registry *registry,
                             catnap_features_t features, const uint8_t *bytes, size_t size,
                             struct error *error) {
    struct module *m = cn_calloc(alloc, 1, sizeof *m);
    if (!m) {
        cn_fail_memory(error);
        return NULL;
    }
    atomic_init(&m->references, 1);
    m->alloc = alloc;
    m->registry = registry;
    m->features = features;
    cn_arena_init(&m->arena, alloc);
    m->bytes = bytes;
    m->size = size;
    return m;
}

struct module *cn_module_decode(struct alloc *alloc, struct type_registry *registry,
                                catnap_features_t features, const uint8_t *bytes, size_t size,
                                const struct body_watcher *watcher, struct error *error) {
    struct module *m = cn_module_new(alloc, registry, features, bytes, size, error);
    if (!m)
        return NULL;
    struct sections s = {
        .d = {.r = {bytes, bytes + size},
              .base = bytes,
              .features = features,
              .error = error,
              .module = m},
        .m = m,
        .watcher = watcher,
    };
    if (decode_module(&s))
        return m;
    if (watcher)
        watcher->abandon(watcher->env);
    cn_module_release(m);
    return NULL;
}
