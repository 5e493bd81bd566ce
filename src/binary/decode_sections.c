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

#define FORM_REC 0x4Eu
#define FORM_SUB_FINAL 0x4Fu
#define FORM_SUB 0x50u
#define FORM_ARRAY 0x5Eu
#define FORM_STRUCT 0x5Fu
#define FORM_FUNC 0x60u

/* A recursion group while it is decoded. The parts of its types follow one another, and move when they
 * grow; so a declaration has where its parts begin as an index, until all are there. */
struct group {
    struct type_decl *decls;
    uint32_t *parts, *firsts;
    size_t decl_room, first_room, part_room;
    uint32_t count, part_count;
};

static void drop_group(struct sections *s, struct group *g) {
    cn_free(s->m->alloc, g->decls, g->decl_room * sizeof *g->decls);
    cn_free(s->m->alloc, g->firsts, g->first_room * sizeof *g->firsts);
    cn_free(s->m->alloc, g->parts, g->part_room * sizeof *g->parts);
}

/* Reads parts of the group's newest type: value types, or fields. */
static bool decode_parts(struct sections *s, struct group *g, uint32_t count,
                         bool (*decode)(struct decoder *, uint32_t *)) {
    void *parts = g->parts;
    bool good = cn_grow(s->m->alloc, &parts, &g->part_room, (size_t)g->part_count + count,
                        sizeof *g->parts);
    g->parts = parts;
    if (!good)
        return cn_fail_memory(s->d.error);
    for (uint32_t i = 0; i < count; i++)
        if (!decode(&s->d, &g->parts[g->part_count + i]))
            return false;
    g->part_count += count;
    return true;
}

static bool decode_counted(struct sections *s, struct group *g, uint32_t *count, uint32_t bytes,
                           uint32_t limit, const char *what,
                           bool (*decode)(struct decoder *, uint32_t *)) {
    return cn_decode_count(&s->d, count, bytes, limit, what) && decode_parts(s, g, *count, decode);
}

/* Parameters and results. */
static bool decode_function_type(struct sections *s, struct group *g, struct type_decl *decl) {
    uint32_t results;
    if (!decode_counted(s, g, &decl->param_count, 1, LIMIT_PARAMS, "parameters",
                        cn_decode_valtype) ||
        !decode_counted(s, g, &results, 1, LIMIT_RESULTS, "results", cn_decode_valtype))
        return false;
    decl->kind = TYPE_FUNC;
    decl->count = decl->param_count + results;
    return true;
}

/* A type's form and what is behind it. */
static bool decode_composite(struct sections *s, struct group *g, struct type_decl *decl) {
    uint32_t offset = cn_decode_offset(&s->d);
    uint8_t form;
    if (!cn_decode_byte(&s->d, &form, "type"))
        return false;
    switch (form) {
    case FORM_FUNC:
        return decode_function_type(s, g, decl);
    case FORM_STRUCT:
        decl->kind = TYPE_STRUCT;
        return cn_decode_need(&s->d, CATNAP_FEATURE_GC, offset, "a structure type") &&
               decode_counted(s, g, &decl->count, 2, LIMIT_FIELDS, "fields", cn_decode_fieldtype);
    case FORM_ARRAY:
        decl->kind = TYPE_ARRAY;
        decl->count = 1;
        return cn_decode_need(&s->d, CATNAP_FEATURE_GC, offset, "an array type") &&
               decode_parts(s, g, 1, cn_decode_fieldtype);
    default:
        return cn_decode_unknown(&s->d, offset, PLACE_TYPE_FORM, form, "malformed",
                                 "type form 0x%02x", form);
    }
}

/* The type that a subtype names: one before it. */
static bool decode_supertype(struct sections *s, const struct group *g, struct type_decl *decl) {
    uint32_t offset = cn_decode_offset(&s->d), count, index, depth;
    const struct module *m = s->m;
    if (!cn_decode_count(&s->d, &count, 1, UINT32_MAX, "supertypes"))
        return false;
    if (count == 0)
        return true;
    if (count > 1)
        return cn_fail_at(s->d.error, CATNAP_INVALID, offset, "sub type with %u supertypes", count);
    if (!cn_decode_u32(&s->d, &index, "supertype"))
        return false;
    if (index >= m->type_count + g->count)
        return cn_fail_at(s->d.error, CATNAP_INVALID, offset,
                          "unknown type %u as supertype: there are %u before it", index,
                          m->type_count + g->count);
    if (index < m->type_count) {
        depth = m->types[index]->depth;
        decl->supertype = m->types[index]->id;
    } else {
        depth = g->decls[index - m->type_count].depth;
        decl->supertype = VT_MEMBER | (index - m->type_count);
    }
    if (depth >= LIMIT_SUPERTYPES)
        return cn_fail_at(s->d.error, CATNAP_LIMIT, offset,
                          "a type has more supertypes above it than the limit of %u",
                          LIMIT_SUPERTYPES);
    decl->depth = (uint8_t)(depth + 1);
    return true;
}

/* The next type is not a recursion group of several. */
static bool decode_subtype(struct sections *s, struct group *g, struct type_decl *decl) {
    uint8_t form = s->d.r.at < s->d.r.end ? *s->d.r.at : 0;
    *decl = (struct type_decl){.final = form != FORM_SUB, .supertype = NO_SUPERTYPE};
    if (form == FORM_SUB || form == FORM_SUB_FINAL) {
        if (!cn_decode_need(&s->d, CATNAP_FEATURE_FUNCTION_REFERENCES, cn_decode_offset(&s->d),
                            "a subtype"))
            return false;
        s->d.r.at++;
        if (!decode_supertype(s, g, decl))
            return false;
    }
    return decode_composite(s, g, decl);
}

/* Reads the group's next type. */
static bool decode_member(struct sections *s, struct group *g) {
    void *decls = g->decls, *firsts = g->firsts;
    struct alloc *alloc = s->m->alloc;
    uint32_t first = g->part_count;
    struct type_decl decl;
    if (!decode_subtype(s, g, &decl))
        return false;
    bool good = cn_grow(alloc, &decls, &g->decl_room, (size_t)g->count + 1, sizeof *g->decls);
    g->decls = decls;
    good = good && cn_grow(alloc, &firsts, &g->first_room, (size_t)g->count + 1, sizeof *g->firsts);
    g->firsts = firsts;
    if (!good)
        return cn_fail_memory(s->d.error);
    g->firsts[g->count] = first;
    g->decls[g->count++] = decl;
    return true;
}

/* Makes the declared types the module's next ones. */
static bool intern_types(struct sections *s, const struct type_decl *decls, uint32_t count) {
    struct module *m = s->m;
    if (!check_total(s, m->type_count, count, LIMIT_TYPES, "types") ||
        !reserve(s, (void **)&m->types, &s->type_room, m->type_count, count, sizeof *m->types))
        return false;
    if (count > 0 && !cn_types_intern(m->registry, decls, count, m->types + m->type_count))
        return cn_fail_memory(s->d.error);
    m->type_count += count;
    for (uint32_t i = 0; i < count; i++)
        if (decls[i].kind != TYPE_FUNC)
            m->object_types = m->type_count - count + i + 1;
    return true;
}

/* A group of so many types; a type that is alone may refer to itself, too. */
static bool decode_members(struct sections *s, struct group *g, uint32_t count) {
    g->count = g->part_count = 0;
    s->d.group_count = count;
    for (uint32_t i = 0; i < count; i++)
        if (!decode_member(s, g))
            return false;
    s->d.group_count = 0;
    for (uint32_t i = 0; i < count; i++)
        g->decls[i].parts = g->parts + g->firsts[i];
    return intern_types(s, g->decls, count);
}

static bool decode_group(struct sections *s, struct group *g) {
    uint32_t count = 1;
    if (s->d.r.at == s->d.r.end || *s->d.r.at != FORM_REC)
        return decode_members(s, g, 1);
    if (!cn_decode_need(&s->d, CATNAP_FEATURE_FUNCTION_REFERENCES, cn_decode_offset(&s->d),
                        "a recursion group"))
        return false;
    s->d.r.at++;
    return cn_decode_count(&s->d, &count, 2, LIMIT_TYPES, "types of a recursion group") &&
           decode_members(s, g, count);
}

bool cn_decode_type_section(struct sections *s) {
    struct module *m = s->m;
    struct group group = {0}; /* its memory serves for all */
    uint32_t groups;
    /* Two bytes, as a structure without fields takes, so that its form is what gets named. */
    if (!cn_decode_count(&s->d, &groups, 2, LIMIT_TYPES, "types") ||
        !reserve(s, (void **)&m->types, &s->type_room, 0, groups, sizeof *m->types))
        return false;
    bool good = true;
    for (; good && groups > 0; groups--)
        good = decode_group(s, &group);
    drop_group(s, &group);
    return good;
}

/* ---- Imports and definitions: functions, tables, memories, globals, tags ---- */

#define ROOM(s, items, room, count, more, limit, what)                                             \
    (check_total(s, count, more, limit, what) &&                                                   \
     reserve(s, (void **)&(items), &(room), count, more, sizeof *(items)))

static bool room_for_functions(struct sections *s, uint32_t more) {
    struct module *m = s->m;
    return ROOM(s, m->func_types, s->func_room, m->func_count, more, LIMIT_FUNCTIONS, "functions");
}

static bool room_for_tables(struct sections *s, uint32_t more) {
    struct module *m = s->m;
    return ROOM(s, m->tables, s->table_room, m->table_count, more, LIMIT_TABLES, "tables");
}

static bool room_for_memories(struct sections *s, uint32_t more) {
    struct module *m = s->m;
    return ROOM(s, m->memories, s->memory_room, m->memory_count, more, LIMIT_MEMORIES, "memories");
}

static bool room_for_globals(struct sections *s, uint32_t more) {
    struct module *m = s->m;
    return ROOM(s, m->globals, s->global_room, m->global_count, more, LIMIT_GLOBALS, "globals");
}

static bool room_for_tags(struct sections *s, uint32_t more) {
    struct module *m = s->m;
    return ROOM(s, m->tag_types, s->tag_room, m->tag_count, more, LIMIT_TAGS, "tags");
}

static bool add_functions(struct sections *s, uint32_t count) {
    struct module *m = s->m;
    if (!room_for_functions(s, count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!cn_decode_u32(&s->d, &m->func_types[m->func_count], "type index"))
            return false;
        m->func_count++;
    }
    return true;
}

#define TABLE_WITH_INIT                                                                            \
    0x40u /* where a table's type would begin, then 0; the expression follows the type */

/* A table of the module's own, one of those up to `end`. */
static bool decode_table(struct sections *s, uint32_t index, uint32_t end) {
    struct module *m = s->m;
    uint32_t offset = cn_decode_offset(&s->d);
    uint8_t zero;
    if (s->d.r.at == s->d.r.end || *s->d.r.at != TABLE_WITH_INIT)
        return cn_decode_tabletype(&s->d, &m->tables[index]);
    s->d.r.at++;
    if (!cn_decode_need(&s->d, CATNAP_FEATURE_FUNCTION_REFERENCES, offset,
                        "a table with an initial value") ||
        !cn_decode_byte(&s->d, &zero, "table"))
        return false;
    if (zero != 0)
        return cn_fail_at(s->d.error, CATNAP_MALFORMED, offset + 1, "malformed table 0x40 0x%02x",
                          zero);
    if (!m->table_inits)
        m->table_inits = cn_section_array(s, end, sizeof *m->table_inits);
    return m->table_inits && cn_decode_tabletype(&s->d, &m->tables[index]) &&
           cn_decode_expr(&s->d, &m->table_inits[index]);
}

static bool add_tables(struct sections *s, uint32_t count) {
    struct module *m = s->m;
    if (!room_for_tables(s, count))
        return false;
    for (uint32_t end = m->table_count + count; m->table_count < end; m->table_count++) {
        if (!decode_table(s, m->table_count, end))
            return false;
        m->has_64 |= m->tables[m->table_count].limits.is_64;
    }
    return true;
}

static bool add_memories(struct sections *s, uint32_t count) {
    struct module *m = s->m;
    if (!room_for_memories(s, count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!cn_decode_memorytype(&s->d, &m->memories[m->memory_count]))
            return false;
        m->has_64 |= m->memories[m->memory_count].limits.is_64;
        m->memory_count++;
    }
    return true;
}

static bool add_globals(struct sections *s, uint32_t count) {
    struct module *m = s->m;
    if (!room_for_globals(s, count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct global_def *global = &m->globals[m->global_count];
        if (!cn_decode_globaltype(&s->d, &global->type) || !cn_decode_expr(&s->d, &global->init))
            return false;
        m->global_count++;
    }
    return true;
}

static bool decode_tag(struct sections *s, uint32_t *type) {
    uint32_t offset = cn_decode_offset(&s->d);
    uint8_t attribute;
    if (!cn_decode_byte(&s->d, &attribute, "tag attribute"))
        return false;
    if (attribute != 0)
        return cn_fail_at(s->d.error, CATNAP_MALFORMED, offset, "malformed tag attribute 0x%02x",
                          attribute);
    return cn_decode_u32(&s->d, type, "type index");
}

static bool add_tags(struct sections *s, uint32_t count) {
    struct module *m = s->m;
    if (!room_for_tags(s, count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!decode_tag(s, &m->tag_types[m->tag_count]))
            return false;
        m->tag_count++;
    }
    return true;
}

/* ---- Imports ---- */

struct externtype {
    enum extern_kind kind;
    uint32_t index; /* the type of a function or tag */
    struct tabletype table;
    struct memorytype memory;
    struct globaltype global;
};

static bool decode_externtype(struct sections *s, struct externtype *type) {
    uint32_t offset = cn_decode_offset(&s->d);
    uint8_t kind;
    if (!cn_decode_byte(&s->d, &kind, "import kind"))
        return false;
    type->kind = (enum extern_kind)kind;
    switch (kind) {
    case EXTERN_FUNC:
        return cn_decode_u32(&s->d, &type->index, "type index");
    case EXTERN_TABLE:
        return cn_decode_tabletype(&s->d, &type->table);
    case EXTERN_MEMORY:
        return cn_decode_memorytype(&s->d, &type->memory);
    case EXTERN_GLOBAL:
        return cn_decode_globaltype(&s->d, &type->global);
    case EXTERN_TAG:
        return cn_decode_need(&s->d, CATNAP_FEATURE_EXCEPTIONS, offset, "a tag") &&
               decode_tag(s, &type->index);
    default:
        return cn_decode_unknown(&s->d, offset, PLACE_IMPORT_KIND, kind, "malformed",
                                 "import kind 0x%02x", kind);
    }
}

/* Makes the next item of an index space one of this type, and tells which it is. */
static bool add_imported(struct sections *s, const struct externtype *type, uint32_t *index) {
    struct module *m = s->m;
    switch (type->kind) {
    case EXTERN_FUNC:
        if (!room_for_functions(s, 1))
            return false;
        *index = m->imported_func_count++;
        m->func_types[m->func_count++] = type->index;
        return true;
    case EXTERN_TABLE:
        if (!room_for_tables(s, 1))
            return false;
        *index = m->imported_table_count++;
        m->tables[m->table_count++] = type->table;
        m->has_64 |= type->table.limits.is_64;
        return true;
    case EXTERN_MEMORY:
        if (!room_for_memories(s, 1))
            return false;
        *index = m->imported_memory_count++;
        m->memories[m->memory_count++] = type->memory;
        m->has_64 |= type->memory.limits.is_64;
        return true;
    case EXTERN_GLOBAL:
        if (!room_for_globals(s, 1))
            return false;
        *index = m->imported_global_count++;
        m->globals[m->global_count++].type = type->global;
        return true;
    case EXTERN_TAG:
        if (!room_for_tags(s, 1))
            return false;
        *index = m->imported_tag_count++;
        m->tag_types[m->tag_count++] = type->index;
        return true;
    }
    return false; /* no such kind: each is above */
}

static bool room_for_imports(struct sections *s, uint32_t more) {
    struct module *m = s->m;
    return ROOM(s, m->imports, s->import_room, m->import_count, more, LIMIT_IMPORTS, "imports");
}

static bool add_import(struct sections *s, struct span module, struct span name,
                       const struct externtype *type) {
    struct import import = {.module = module, .name = name, .kind = type->kind};
    if (!room_for_imports(s, 1) || !add_imported(s, type, &import.index))
        return false;
    s->m->imports[s->m->import_count++] = import;
    return true;
}

/* The bytes behind an empty name that begin several imports from one module: each has a name and a type, or each a
 * name and all of them the type that stands before. */
enum { GROUP_OF_TYPE = 0x7E, GROUP = 0x7F };

static bool begins_group(const struct decoder *d, struct span name) {
    return name.length == 0 && d->r.at < d->r.end &&
           (*d->r.at == GROUP || *d->r.at == GROUP_OF_TYPE);
}

static bool decode_group_of_imports(struct sections *s, struct span module) {
    struct decoder *d = &s->d;
    struct externtype type = {0};
    struct span name;
    uint32_t count;
    bool of_type = *d->r.at == GROUP_OF_TYPE;
    if (!cn_decode_need(d, CATNAP_FEATURE_COMPACT_IMPORTS, cn_decode_offset(d),
                        "a group of imports"))
        return false;
    d->r.at++;
    if (of_type && !decode_externtype(s, &type))
        return false;
    if (!cn_decode_count(d, &count, of_type ? 1 : 3, LIMIT_IMPORTS, "imports"))
        return false;
    for (; count > 0; count--)
        if (!cn_decode_name(d, &name, "import name") ||
            (!of_type && !decode_externtype(s, &type)) || !add_import(s, module, name, &type))
            return false;
    return true;
}

static bool decode_import(struct sections *s) {
    struct span module, name;
    struct externtype type;
    if (!cn_decode_name(&s->d, &module, "import module name") ||
        !cn_decode_name(&s->d, &name, "import name"))
        return false;
    if (begins_group(&s->d, name))
        return decode_group_of_imports(s, module);
    return decode_externtype(s, &type) && add_import(s, module, name, &type);
}

bool cn_decode_import_section(struct sections *s) {
    uint32_t count;
    if (!cn_decode_count(&s->d, &count, 4, LIMIT_IMPORTS, "imports") || !room_for_imports(s, count))
        return false;
    for (; count > 0; count--)
        if (!decode_import(s))
            return false;
    return true;
}

/* ---- The sections of what is defined ---- */

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

bool cn_decode_tag_section(struct sections *s) {
    uint32_t count, offset = cn_decode_offset(&s->d);
    return cn_decode_need(&s->d, CATNAP_FEATURE_EXCEPTIONS, offset, "a tag section") &&
           cn_decode_count(&s->d, &count, 2, LIMIT_TAGS, "tags") && add_tags(s, count);
}

bool cn_decode_global_section(struct sections *s) {
    uint32_t count;
    return cn_decode_count(&s->d, &count, 3, LIMIT_GLOBALS, "globals") && add_globals(s, count);
}

/* ---- Exports and start ---- */

static bool decode_export(struct sections *s, struct export_ *export_) {
    uint8_t kind;
    if (!cn_decode_name(&s->d, &export_->name, "export name"))
        return false;
    uint32_t offset = cn_decode_offset(&s->d);
    if (!cn_decode_byte(&s->d, &kind, "export kind"))
        return false;
    if (kind > EXTERN_TAG)
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
