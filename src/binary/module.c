#include "binary/module.h"

#include "binary/reader.h"
#include "binary/types.h"

struct span cn_module_untranslated_body(const struct module *m, uint64_t code_word) {
    const uint8_t *at = m->bytes + (code_word & ~CODE_VALID) / 2;
    uint32_t size = cn_u32_valid(&at);
    return (struct span){(uint32_t)(at - m->bytes), size};
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
    for (uint32_t i = 0; i < m->type_count; i++)
        cn_types_release(m->registry, m->types[i]);
    cn_arena_free(&m->arena);
    if (m->release)
        m->release(m->release_env, m->bytes, m->size);
    cn_free(m->alloc, m, sizeof *m);
}
