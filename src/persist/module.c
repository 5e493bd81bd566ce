/* The sections of the new module in their order: copied, written from the state of the instance, added or left
 * out. */
#include "persist/module.h"

#include <string.h>

#include "persist/snapshot.h"
#include "runtime/store.h"
#include "runtime/state.h"

#define PREAMBLE 8u
#define LONGEST_NAME 60u

/* ---- State that is not the instance's own ---- */

static bool refuse_import(struct conversion *c, const struct import *import) {
    static const char *const kinds[] = {
        [EXTERN_TABLE] = "table", [EXTERN_MEMORY] = "memory", [EXTERN_GLOBAL] = "mutable global"};
    const char *bytes = (const char *)c->module->bytes;
    uint32_t module = import->module.length, name = import->name.length;
    return cn_fail(c->error, CATNAP_UNSUPPORTED,
                   "the %s that is imported as \"%.*s\" \"%.*s\" belongs to the host or to another "
                   "instance, so a module cannot contain it",
                   kinds[import->kind], (int)(module < LONGEST_NAME ? module : LONGEST_NAME),
                   bytes + import->module.offset, (int)(name < LONGEST_NAME ? name : LONGEST_NAME),
                   bytes + import->name.offset);
}

static bool check_imports(struct conversion *c) {
    for (uint32_t i = 0; i < c->module->import_count; i++) {
        const struct import *import = &c->module->imports[i];
        bool constant =
            import->kind == EXTERN_GLOBAL && !c->module->globals[import->index].type.is_mutable;
        if (import->kind != EXTERN_FUNC && import->kind != EXTERN_TAG && !constant)
            return refuse_import(c, import);
    }
    return true;
}

/* ---- Sections ---- */

static struct state_items part_items(const struct conversion *c, const struct state_kind *kind,
                                     uint32_t index) {
    return cn_state_items(kind, cn_state_part(kind, c->instance, index));
}

/* Whether a section that declares state (runtime/state.h) is to be written: that of parts when one has
 * another size than the module says, any other always. */
static bool state_changed(const struct conversion *c, enum section_id id) {
    FOR_EACH_STATE (kind) {
        if (kind->section != id)
            continue;
        if (!cn_state_is_part(kind))
            return true;
        for (uint32_t i = 0; i < cn_state_end(kind, c->module); i++)
            if (part_items(c, kind, i).count != kind->first(c->module, i))
                return true;
    }
    return false;
}

static bool write_tables(struct conversion *c) {
    static const uint8_t with_init[] = {0x40, 0};
    cn_encode_u32(&c->out, c->module->table_count);
    for (uint32_t i = 0; i < c->module->table_count; i++) {
        struct tabletype type = c->module->tables[i];
        type.limits.min = c->instance->tables[i]->size;
        const struct const_expr *init = module_table_init(c->module, i);
        if (init)
            cn_encode_bytes(&c->out, with_init, sizeof with_init);
        cn_write_valtype(c, type.element);
        cn_encode_limits(&c->out, &type.limits);
        if (init)
            cn_encode_bytes(&c->out, c->module->bytes + init->span.offset, init->span.length);
    }
    return true;
}

static bool write_memories(struct conversion *c) {
    cn_encode_u32(&c->out, c->module->memory_count);
    for (uint32_t i = 0; i < c->module->memory_count; i++) {
        struct memorytype type = c->module->memories[i];
        type.limits.min = cn_memory_pages(c->instance->memories[i]);
        cn_encode_memorytype(&c->out, &type);
    }
    return true;
}

static bool write_globals(struct conversion *c) {
    const struct module *m = c->module;
    bool ok = true;
    cn_encode_u32(&c->out, m->global_count - m->imported_global_count);
    for (uint32_t i = m->imported_global_count; ok && i < m->global_count; i++) {
        cn_write_valtype(c, m->globals[i].type.type);
        cn_encode_byte(&c->out, m->globals[i].type.is_mutable);
        ok = cn_write_value(c, m->globals[i].type.type, c->instance->globals[i], "global", i);
    }
    return ok;
}

static bool exports_changed(const struct conversion *c, enum section_id id) {
    (void)id;
    return c->options->change_count > 0;
}

static bool write_exports(struct conversion *c) {
    const char *name;
    size_t length, place = cn_encode_keep(&c->out);
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->module->export_count; i++) {
        const struct export_ *export_ = &c->module->exports[i];
        if (!cn_export_name(c, export_, &name, &length))
            continue;
        cn_encode_u32(&c->out, (uint32_t)length);
        cn_encode_bytes(&c->out, name, length);
        cn_encode_byte(&c->out, (uint8_t)export_->kind);
        cn_encode_u32(&c->out, export_->index);
        count++;
    }
    cn_encode_put(&c->out, place, count);
    return true;
}

static bool write_data_count(struct conversion *c) {
    cn_encode_u32(&c->out, c->data_count);
    return true;
}

static bool always(const struct conversion *c, enum section_id id) {
    (void)c;
    (void)id;
    return true;
}

/* In the order of sections. A section that has not changed is copied; one that has changed is written, or left
 * out when nothing writes it. `added`: a module without the section gets it when it would not be empty. */
static const struct rule {
    enum section_id id;
    bool (*changed)(const struct conversion *, enum section_id);
    bool (*write)(struct conversion *);
    bool added;
} rules[] = {
    {SECTION_TYPE, NULL, NULL, false},
    {SECTION_IMPORT, NULL, NULL, false},
    {SECTION_FUNCTION, NULL, NULL, false},
    {SECTION_TABLE, state_changed, write_tables, false},
    {SECTION_MEMORY, state_changed, write_memories, false},
    {SECTION_TAG, NULL, NULL, false},
    {SECTION_GLOBAL, state_changed, write_globals, false},
    {SECTION_EXPORT, exports_changed, write_exports, false},
    {SECTION_START, always, NULL, false},
    {SECTION_ELEMENT, state_changed, cn_write_elems, true},
    {SECTION_DATA_COUNT, always, write_data_count, false},
    {SECTION_CODE, NULL, NULL, false},
    {SECTION_DATA, state_changed, cn_write_datas, true},
};
#define RULES (sizeof rules / sizeof *rules)

static uint32_t rule_of(uint8_t id) {
    uint32_t i = 0;
    while (i < RULES && rules[i].id != id)
        i++;
    return i;
}

/* Whether each kind of state has a section that is written. */
static bool check_kinds(struct conversion *c) {
    for (uint32_t i = 0; i < c->module->memory_count; i++)
        if (c->instance->memories[i]->shared)
            return cn_fail(c->error, CATNAP_UNSUPPORTED,
                           "a module cannot contain the state of a shared memory");
    FOR_EACH_STATE (kind)
        if (kind->section && cn_state_end(kind, c->module) > 0 && kind->form != STATE_NOTHING &&
            (rule_of(kind->section) == RULES || !rules[rule_of(kind->section)].write))
            return cn_fail(c->error, CATNAP_UNSUPPORTED, "a module cannot contain the state of %s",
                           kind->name);
    return true;
}

/* ---- Writing ---- */

static bool write_section(struct conversion *c, const struct rule *rule) {
    cn_encode_byte(&c->out, (uint8_t)rule->id);
    size_t place = cn_encode_keep(&c->out);
    bool ok = rule->write(c);
    cn_encode_put_length(&c->out, place);
    return ok;
}

/* Adds the sections that come after one section and before the next that the module has. */
static bool add_sections(struct conversion *c, uint32_t from, uint32_t to) {
    static const uint8_t empty[] = {1, 0}; /* length, count */
    for (uint32_t i = from; i < to; i++) {
        size_t start = c->out.length;
        if (!rules[i].added)
            continue;
        if (!write_section(c, &rules[i]))
            return false;
        if (c->out.failure == CATNAP_OK && c->out.length == start + 1 + sizeof empty &&
            memcmp(c->out.bytes + start + 1, empty, sizeof empty) == 0)
            c->out.length = start;
    }
    return true;
}

/* The place in the order of the next section from `index` on that is not custom. */
static uint32_t next_rule(const struct module *m, uint32_t index) {
    while (index < m->section_count && m->sections[index].id == SECTION_CUSTOM)
        index++;
    return index < m->section_count ? rule_of(m->sections[index].id) : RULES;
}

/* A section with its head. */
static void copy_section(struct conversion *c, uint32_t index) {
    const struct span *content = &c->module->sections[index].content;
    uint32_t start = PREAMBLE, end = content->offset + content->length;
    if (index > 0) {
        const struct span *before = &c->module->sections[index - 1].content;
        start = before->offset + before->length;
    }
    cn_encode_bytes(&c->out, c->module->bytes + start, end - start);
}

static bool convert_section(struct conversion *c, uint32_t index) {
    const struct section *section = &c->module->sections[index];
    if (section->id == SECTION_CUSTOM) {
        if (!cn_write_names(c, section))
            copy_section(c, index);
        return true;
    }
    uint32_t place = rule_of(section->id);
    const struct rule *rule = &rules[place];
    if (!rule->changed || !rule->changed(c, rule->id))
        copy_section(c, index);
    else if (rule->write && !write_section(c, rule))
        return false;
    return add_sections(c, place + 1, next_rule(c->module, index + 1));
}

static bool write_module(struct conversion *c) {
    cn_encode_bytes(&c->out, c->module->bytes, PREAMBLE);
    if (!add_sections(c, 0, next_rule(c->module, 0)))
        return false;
    for (uint32_t i = 0; i < c->module->section_count; i++)
        if (!convert_section(c, i))
            return false;
    return true;
}

static bool prepare(struct conversion *c) {
    const struct module *m = c->module;
    const char *name;
    size_t length, bytes = (size_t)m->func_count / 8 + 1;
    c->uses.funcs = cn_arena_calloc(&c->arena, bytes, 1);
    c->declared = cn_arena_calloc(&c->arena, bytes, 1);
    if (!c->uses.funcs || !c->declared)
        return cn_fail_memory(c->error);
    cn_find_uses(m, &c->uses);
    for (uint32_t i = 0; i < m->export_count; i++)
        if (m->exports[i].kind == EXTERN_FUNC && cn_export_name(c, &m->exports[i], &name, &length))
            set_bit(c->declared, m->exports[i].index);
    return cn_list_types(c) && cn_list_places(c) && cn_plan_segments(c);
}

bool cn_instance_to_module(wasm_instance_t *instance, const catnap_to_module_options_t *options,
                           struct encoder *out, struct error *error) {
    struct conversion c = {.instance = instance,
                           .module = instance->module,
                           .options = options,
                           .error = error,
                           .out = *out};
    cn_arena_init(&c.arena, out->alloc);
    bool ok = check_imports(&c) && check_kinds(&c) && cn_check_changes(&c) && prepare(&c) &&
              write_module(&c) && cn_encoder_check(&c.out, error);
    cn_arena_free(&c.arena);
    *out = c.out;
    return ok;
}
