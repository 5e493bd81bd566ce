#include "binary/module.h"

#include "binary/reader.h"
#include "binary/types.h"

struct span cn_module_body(const struct module *m, uint32_t func) {
    const uint8_t *at = m->bytes + m->bodies[func - m->imported_func_count];
    uint32_t size = cn_u32_valid(&at);
    return (struct span){(uint32_t)(at - m->bytes), size};
}

static size_t table_bytes(const struct module *m) {
    return (size_t)(m->func_count - m->imported_func_count) * sizeof *m->code;
}

_Atomic uint64_t *cn_code_table_new(const struct module *m, struct alloc *alloc) {
    uint32_t count = m->func_count - m->imported_func_count;
    _Atomic uint64_t *table = cn_alloc(alloc, table_bytes(m));
    for (uint32_t i = 0; table && i < count; i++)
        atomic_init(&table[i], (uint64_t)m->bodies[i] * 2 + 1);
    return table;
}

void cn_code_table_free(const struct module *m, struct alloc *alloc, _Atomic uint64_t *table) {
    cn_free(alloc, (void *)table, table_bytes(m));
}

_Atomic uint64_t *cn_module_code(struct module *m) {
    _Atomic uint64_t *table = atomic_load_explicit(&m->code, memory_order_acquire);
    if (table)
        return table;
    _Atomic uint64_t *made = cn_code_table_new(m, m->alloc);
    if (!made || atomic_compare_exchange_strong(&m->code, &table, made))
        return made;
    cn_code_table_free(m, m->alloc, made); /* another thread was faster */
    return table;
}

void cn_module_retain(struct module *m) {
    atomic_fetch_add_explicit(&m->references, 1, memory_order_relaxed);
}

void cn_module_release(struct module *m) {
    if (!m || atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) != 1)
        return;
    void (*drop_code)(struct module *) = m->drop_code;
    if (drop_code)
        drop_code(m);
    cn_code_table_free(m, m->alloc, atomic_load(&m->code));
    for (uint32_t i = 0; i < m->type_count; i++)
        cn_types_release(m->registry, m->types[i]);
    cn_arena_free(&m->arena);
    if (m->release)
        m->release(m->release_env, m->bytes, m->size);
    cn_free(m->alloc, m, sizeof *m);
}
