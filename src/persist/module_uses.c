/* The indices that the bodies of a valid module name. */
#include "persist/module.h"

#include "binary/walk.h"

static void note(uint32_t *count, uint32_t index) {
    if (index >= *count)
        *count = index + 1;
}

static void note_use(struct code_uses *uses, enum opcode opcode, const uint8_t *at) {
    switch (opcode) {
    case OP_ref_func:
        set_bit(uses->funcs, cn_u32_valid(&at));
        break;
    case OP_memory_init:
    case OP_data_drop:
        note(&uses->datas, cn_u32_valid(&at));
        break;
    case OP_table_init:
    case OP_elem_drop:
        note(&uses->elems, cn_u32_valid(&at));
        break;
    default:
        break;
    }
}

static void look_through(struct code_uses *uses, const uint8_t *at, const uint8_t *end) {
    cn_skip_locals(&at);
    while (at < end) {
        enum opcode opcode = cn_opcode_valid(&at);
        note_use(uses, opcode, at);
        cn_skip_immediates(&at, opcode);
    }
}

void cn_find_uses(const struct module *module, struct code_uses *uses) {
    for (uint32_t i = 0; i < module->section_count; i++) {
        if (module->sections[i].id != SECTION_CODE)
            continue;
        const uint8_t *at = module->bytes + module->sections[i].content.offset;
        for (uint32_t count = cn_u32_valid(&at); count > 0; count--) {
            uint32_t size = cn_u32_valid(&at);
            look_through(uses, at, at + size);
            at += size;
        }
    }
}

void cn_declare_items(struct conversion *c, const struct elem_segment *elem) {
    const uint8_t *at = c->module->bytes + elem->items.offset, *end = at + elem->items.length;
    while (at < end) {
        if (!elem->exprs) {
            set_bit(c->declared, cn_u32_valid(&at));
            continue;
        }
        enum opcode opcode = cn_opcode_valid(&at);
        const uint8_t *immediate = at;
        if (opcode == OP_ref_func)
            set_bit(c->declared, cn_u32_valid(&immediate));
        cn_skip_immediates(&at, opcode);
    }
}
