#include "text/instructions.h"

#include <string.h>

#include "binary/walk.h"

static const struct {
    const char *name;
    struct instruction instruction;
} later[] = {
#define ROW(prefix, number, name, operands) {name, {prefix, TEXT_##operands, number, NOT_IN_TABLE}},
#include "text/instructions.def"
};

/* The first of a name counts: `select` has two opcodes, and its immediates say which it is. */
static bool add(struct instructions *all, const char *name, struct instruction instruction) {
    size_t before = all->names.count;
    uint32_t number = cn_names_add(&all->names, (const uint8_t *)name, strlen(name));
    void *items = all->items;
    if (number == NO_NAME ||
        !cn_grow(all->names.alloc, &items, &all->capacity, all->names.count, sizeof *all->items))
        return false;
    all->items = items;
    if (all->names.count > before)
        all->items[number] = instruction;
    return true;
}

static bool add_opcode(struct instructions *all, uint32_t opcode) {
    const char *name = cn_op_name(&cn_op_info[opcode]);
    struct opcode_prefix prefix = cn_prefix_of(opcode);
    return !name || add(all, name,
                        (struct instruction){prefix.byte, cn_op_info[opcode].immediate,
                                             (uint16_t)(opcode - prefix.first), (uint16_t)opcode});
}

bool cn_instructions_init(struct instructions *all, struct alloc *alloc) {
    bool done = true;
    *all = (struct instructions){0};
    cn_names_init(&all->names, alloc);
    for (uint32_t opcode = 0; opcode < OPCODE_LIMIT && done; opcode++)
        done = add_opcode(all, opcode);
    for (size_t i = 0; i < sizeof later / sizeof *later && done; i++)
        done = add(all, later[i].name, later[i].instruction);
    if (!done)
        cn_instructions_free(all);
    return done;
}

void cn_instructions_free(struct instructions *all) {
    cn_free(all->names.alloc, all->items, all->capacity * sizeof *all->items);
    cn_names_free(&all->names);
    *all = (struct instructions){.names.alloc = all->names.alloc};
}

const struct instruction *cn_instruction_find(const struct instructions *all, const uint8_t *name,
                                              size_t length) {
    uint32_t number = cn_names_find(&all->names, name, length);
    return number != NO_NAME ? &all->items[number] : NULL;
}
