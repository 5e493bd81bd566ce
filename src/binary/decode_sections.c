/* The sections that declare: types, imports, functions, tables, memories, globals, exports, start.
 */
#include "binary/later.h"
#include "binary/sections.h"
#include "types/registry.h"

#include <string.h>

void *cn_section_array(struct sections *s, uint32_t count, size_t size) {
    void *items = cn_arena_calloc(&s->m->arena, count, size);
    if (!items)
        cn_fail_memory(s->d.error);
    return items;
}

/* Makes room for `more` items behind `count`. An outgrown array stays in the arena: imports are few
 * beside a module's own definitions. */
static bool reserve(struct sections *s, void **items, size_t *room, uint32_t count, uint32_t more,
                    size_t size) {
    uint64_t need = (uint64_t)count + more;
    if (need <= *room)
        return true;
    if (need > UINT32_MAX / 2)
        return cn_fail_memory(s->d.error);
    size_t wanted = more > 1 || *room < 4 ? (size_t)need : *room * 2;
    void *larger = cn_section_array(s, (uint32_t)wanted, size);
    if (!larger)
        return false;
    if (count)
        memcpy(larger, *items, count * size);
    *items = larger;
    *room = wanted;
    return true;
}

static bool check_total(struct sections *s, uint32_t count, uint32_t more, uint32_t limit,
                        const char *what) {
    if (more <= limit && count <= limit - more)
        return true;
    return cn_fail_at(s->d.error, CATNAP_LIMIT, cn_decode_offset(&s->d),
                      "%s: %llu are more than the limit of %u", what,
                      (unsigned long long)count + more, limit);
}

/* ---- Types ---- */

static bool decode_types(struct sections *s, valtype *types, uint32_t *count, uint32_t limit,
                         const char *what) {
    if (!cn_decode_count(&s->d, count, 1, limit, what))
        return false;
    for (uint32_t i = 0; i < *count; i++)
        if (!cn_decode_valtype(&s->d, &types[i]))
            return false;
    return true;
}

static bool decode_functype(struct sections *s, const struct deftype **type) {
    valtype types[LIMIT_PARAMS + LIMIT_RESULTS];
    uint32_t offset = cn_decode_offset(&s->d), params, results;
    uint8_t form;
    if (!cn_decode_byte(&s->d, &form, "type"))
        return false;
    if (form != 0x60)
        return cn_decode_unknown(&s->d, offset, PLACE_TYPE_FORM, form, "malformed",
                                 "type form 0x%02x", form);
    if (!decode_types(s, types, &params, LIMIT_PARAMS, "parameters") ||
        !decode_types(s, types + params, &results, LIMIT_RESULTS, "results"))
        return false;
    const struct functype *func = cn_types_intern_func(s->m->registry, types, params, results);
    if (!func)
        return cn_fail_memory(s->d.error);
    *type = &func->def;
    return true;
}

bool cn_decode_type_section(struct sections *s) {
    struct module *m = s->m;
    uint32_t count;
    /* Two bytes, as a structure without fields takes, so that its form is what gets named. */
    if (!cn_decode_count(&s->d, &count, 2, LIMIT_TYPES, "types"))
        return false;
    m->types = cn_section_array(s, count, sizeof *m->types);
    if (!m->types)
        return false;
    for (; m->type_count < count; m->type_count++)
        if (!decode_functype(s, &m->types[m->type_count]))
            return false;
    return true;
}

/* ---- What is imported or defined: functions, tables, memories, globals ---- */

static bool add_functions(struct sections *s, uint32_t count) {
    struct module *m = s->m;
    if (!check_total(s, m->func_count, count, LIMIT_FUNCTIONS, "functions") ||
        !reserve(s, (void **)&m->func_types, &s->func_room, m->func_count, count,
                 sizeof *m->func_types))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!cn_decode_u32(&s->d, &m->func_types[m->func_count], "type index"))
            return false;
        m->func_count++;
    }
    return true;
}

static bool add_tables(struct sections *s, uint32_t count) {
    struct module *m = s->m;
    if (!check_total(s, m->table_count, count, LIMIT_TABLES, "tables") ||
        !reserve(s, (void **)&m->tables, &s->table_room, m->table_count, count, sizeof *m->tables))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!cn_decode_tabletype(&s->d, &m->tables[m->table_count]))
            return false;
        m->table_count++;
    }
    return true;
}

static bool add_memories(struct sections *s, uint32_t count) {
    struct module *m = s->m;
    if (!check_total(s, m->memory_count, count, LIMIT_MEMORIES, "memories") ||
        !reserve(s, (void **)&m->memories, &s->memory_room, m->memory_count, count,
                 sizeof *m->memories))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!cn_decode_memorytype(&s->d, &m->memories[m->memory_count]))
            return false;
        m->memory_count++;
    }
    return true;
}

static bool add_globals(struct sections *s, uint32_t count, bool imported) {
    struct module *m = s->m;
    if (!check_total(s, m->global_count, count, LIMIT_GLOBALS, "globals") ||
        !reserve(s, (void **)&m->globals, &s->global_room, m->global_count, count,
                 sizeof *m->globals))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct global_def *global = &m->globals[m->global_count];
        if (!cn_decode_globaltype(&s->d, &global->type) ||
            (!imported && !cn_decode_expr(&s->d, &global->init)))
            return false;
        m->global_count++;
    }
    return true;
}

static bool decode_import(struct sections *s, struct import *import) {
    struct module *m = s->m;
    uint8_t kind;
    if (!cn_decode_name(&s->d, &import->module, "import module name") ||
        !cn_decode_name(&s->d, &import->name, "import name"))
        return false;
    uint32_t offset = cn_decode_offset(&s->d);
    if (!cn_decode_byte(&s->d, &kind, "import kind"))
        return false;
    import->kind = (enum extern_kind)kind;
    switch (kind) {
    case EXTERN_FUNC:
        import->index = m->imported_func_count++;
        return add_functions(s, 1);
    case EXTERN_TABLE:
        import->index = m->imported_table_count++;
        return add_tables(s, 1);
    case EXTERN_MEMORY:
        import->index = m->imported_memory_count++;
        return add_memories(s, 1);
    case EXTERN_GLOBAL:
        import->index = m->imported_global_count++;
        return add_globals(s, 1, true);
    default:
        return cn_decode_unknown(&s->d, offset, PLACE_IMPORT_KIND, kind, "malformed",
                                 "import kind 0x%02x", kind);
    }
}

bool cn_decode_import_section(struct sections *s) {
    struct module *m = s->m;
    uint32_t count;
    if (!cn_decode_count(&s->d, &count, 4, LIMIT_IMPORTS, "imports"))
        return false;
    m->imports = cn_section_array(s, count, sizeof *m->imports);
    if (!m->imports)
        return false;
    for (; m->import_count < count; m->import_count++)
        if (!decode_import(s, &m->imports[m->import_count]))
            return false;
    return true;
}

bool cn_decode_function_section(struct sections *s) {
    uint32_t count;
    return cn_decode_count(&s->d, &count, 1, LIMIT_FUNCTIONS, "functions") &&
           add_functions(s, count);
}

bool cn_decode_table_section(struct sections *s) {
    uint32_t count;
    return cn_decode_count(&s->d, &count, 3, LIMIT_TABLES, "tables") && add_tables(s, count);
}

bool cn_decode_memory_section(struct sections *s) {
    uint32_t count;
    return cn_decode_count(&s->d, &count, 2, LIMIT_MEMORIES, "memories") && add_memories(s, count);
}

bool cn_decode_global_section(struct sections *s) {
    uint32_t count;
    return cn_decode_count(&s->d, &count, 3, LIMIT_GLOBALS, "globals") &&
           add_globals(s, count, false);
}

/* ---- Exports and start ---- */

static bool decode_export(struct sections *s, struct export_ *export_) {
    uint8_t kind;
    if (!cn_decode_name(&s->d, &export_->name, "export name"))
        return false;
    uint32_t offset = cn_decode_offset(&s->d);
    if (!cn_decode_byte(&s->d, &kind, "export kind"))
        return false;
    if (kind > EXTERN_GLOBAL)
        return cn_decode_unknown(&s->d, offset, PLACE_EXPORT_KIND, kind, "malformed",
                                 "export kind 0x%02x", kind);
    export_->kind = (enum extern_kind)kind;
    return cn_decode_u32(&s->d, &export_->index, "export index");
}

bool cn_decode_export_section(struct sections *s) {
    struct module *m = s->m;
    uint32_t count;
    if (!cn_decode_count(&s->d, &count, 3, LIMIT_EXPORTS, "exports"))
        return false;
    m->exports = cn_section_array(s, count, sizeof *m->exports);
    if (!m->exports)
        return false;
    for (; m->export_count < count; m->export_count++)
        if (!decode_export(s, &m->exports[m->export_count]))
            return false;
    return true;
}

bool cn_decode_start_section(struct sections *s) {
    s->m->has_start = true;
    return cn_decode_u32(&s->d, &s->m->start, "start function");
}
