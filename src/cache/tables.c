/* Tables of decoded modules, see tables.h: numbers, then arrays as they lie in memory, then types. */
#include "cache/tables.h"

#include <stddef.h>
#include <string.h>

#include "binary/sections.h"
#include "binary/types.h"

/* The fields of struct module that are numbers or places in the binary. */
#define NUMBERS(DO)                                                                                \
    DO(type_count)                                                                                 \
    DO(import_count)                                                                               \
    DO(func_count)                                                                                 \
    DO(imported_func_count)                                                                        \
    DO(table_count)                                                                                \
    DO(imported_table_count)                                                                       \
    DO(memory_count)                                                                               \
    DO(imported_memory_count)                                                                      \
    DO(global_count)                                                                               \
    DO(imported_global_count)                                                                      \
    DO(export_count)                                                                               \
    DO(has_start)                                                                                  \
    DO(start)                                                                                      \
    DO(elem_count)                                                                                 \
    DO(has_data_count)                                                                             \
    DO(data_count)                                                                                 \
    DO(section_count)                                                                              \
    DO(name_section)                                                                               \
    DO(module_name)                                                                                \
    DO(code_bytes)

struct numbers {
#define FIELD(name) __typeof__(((struct module *)0)->name) name;
    NUMBERS(FIELD)
#undef FIELD
};

/* The arrays, and how many items each has. */
#define ARRAYS(DO)                                                                                 \
    DO(imports, m->import_count)                                                                   \
    DO(func_types, m->func_count)                                                                  \
    DO(tables, m->table_count)                                                                     \
    DO(memories, m->memory_count)                                                                  \
    DO(globals, m->global_count)                                                                   \
    DO(exports, m->export_count)                                                                   \
    DO(elems, m->elem_count)                                                                       \
    DO(datas, m->data_count)                                                                       \
    DO(func_declared, m->func_count / 8 + 1)                                                       \
    DO(sections, m->section_count)                                                                 \
    DO(bodies, m->func_count - m->imported_func_count)

#define ALIGNED(size) (((size) + 15) & ~(size_t)15)

static size_t types_size(const struct module *m) {
    size_t count = 2 * (size_t)m->type_count;
    for (uint32_t i = 0; i < m->type_count; i++)
        count += (size_t)m->types[i]->param_count + m->types[i]->result_count;
    return count * sizeof(uint32_t);
}

size_t cn_tables_size(const struct module *m) {
    size_t size = ALIGNED(sizeof(struct numbers));
#define ADD(name, count) size += ALIGNED((size_t)(count) * sizeof *m->name);
    ARRAYS(ADD)
#undef ADD
    return size + types_size(m);
}

uint64_t cn_tables_layout(void) {
    const struct module *m = NULL;
    uint64_t layout = sizeof(struct numbers) + sizeof(void *) * 1000;
#define MIX(name, count) layout = layout * 31 + sizeof *m->name;
    ARRAYS(MIX)
#undef MIX
    return layout;
}

/* ---- Saving ---- */

static void save_types(const struct module *m, uint8_t *at) {
    for (uint32_t i = 0; i < m->type_count; i++) {
        const struct functype *type = m->types[i];
        uint32_t counts[2] = {type->param_count, type->result_count};
        size_t size = ((size_t)counts[0] + counts[1]) * sizeof *type->types;
        memcpy(at, counts, sizeof counts);
        if (size)
            memcpy(at + sizeof counts, type->types, size);
        at += sizeof counts + size;
    }
}

void cn_tables_save(const struct module *m, uint8_t *tables) {
    struct numbers numbers;
    uint8_t *at = tables + ALIGNED(sizeof numbers);
    memset(tables, 0, cn_tables_size(m));
    memset(&numbers, 0, sizeof numbers);
#define SAVE(name) numbers.name = m->name;
    NUMBERS(SAVE)
#undef SAVE
    memcpy(tables, &numbers, sizeof numbers);
#define SAVE(name, count)                                                                          \
    if ((count) > 0)                                                                               \
        memcpy(at, (const void *)m->name, (size_t)(count) * sizeof *m->name);                      \
    at += ALIGNED((size_t)(count) * sizeof *m->name);
    ARRAYS(SAVE)
#undef SAVE
    save_types(m, at);
}

/* ---- Loading ---- */

/* m->type_count counts those that there are references to. */
static bool load_types(struct module *m, uint32_t count, const uint8_t *at, struct error *error) {
    m->types = cn_arena_calloc(&m->arena, count, sizeof *m->types);
    if (!m->types)
        return cn_fail_memory(error);
    for (; m->type_count < count; m->type_count++) {
        uint32_t counts[2];
        memcpy(counts, at, sizeof counts);
        at += sizeof counts;
        const struct functype *type =
            cn_types_intern(m->registry, (const valtype *)(const void *)at, counts[0], counts[1]);
        if (!type)
            return cn_fail_memory(error);
        m->types[m->type_count] = type;
        at += ((size_t)counts[0] + counts[1]) * sizeof *type->types;
    }
    return true;
}

static bool take_tables(struct module *m, uint8_t *tables, struct error *error) {
    struct numbers numbers;
    memcpy(&numbers, tables, sizeof numbers);
    uint8_t *at = tables + ALIGNED(sizeof numbers);
#define TAKE(name) m->name = numbers.name;
    NUMBERS(TAKE)
#undef TAKE
    m->type_count = 0;
#define TAKE(name, count)                                                                          \
    m->name = (void *)at;                                                                          \
    at += ALIGNED((size_t)(count) * sizeof *m->name);
    ARRAYS(TAKE)
#undef TAKE
    return load_types(m, numbers.type_count, at, error);
}

struct module *cn_tables_load(struct alloc *alloc, struct type_registry *registry,
                              catnap_features_t features, const uint8_t *bytes, size_t size,
                              const struct tables_source *source, struct error *error) {
    struct module *m = cn_module_new(alloc, registry, features, bytes, size, error);
    if (!m)
        return NULL;
    uint8_t *tables = cn_arena_alloc(&m->arena, source->size);
    bool loaded = false;
    error->status = CATNAP_OK;
    if (!tables)
        cn_fail_memory(error);
    else
        loaded = source->read(source->env, tables) && take_tables(m, tables, error);
    if (loaded)
        return m;
    cn_module_release(m);
    return NULL;
}
