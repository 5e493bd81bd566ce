#include "binary/module.h"

#include "binary/reader.h"
#include "types/registry.h"

struct span cn_module_body(const struct module *m, uint32_t func) {
    const uint8_t *at = m->bytes + m->bodies[func - m->imported_func_count];
    uint32_t size = cn_u32_valid(&at);
    return (struct span){(uint32_t)(at - m->bytes), size};
}

void cn_module_retain(struct module *m) {
    atomic_fetch_add_explicit(&m->references, 1, memory_order_relaxed);
}

void cn_module_release(struct module *m) {
    if (!m || atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) != 1)
        return;
    if (m->type_count > 0)
        cn_types_release_all(m->registry, m->types, m->type_count);
    cn_arena_free(&m->arena);
    if (m->release)
        m->release(m->release_env, m->bytes, m->size);
    cn_free(m->alloc, m, sizeof *m);
}
