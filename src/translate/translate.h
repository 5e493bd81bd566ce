/*
 * One valid function body to register bytecode, in one forward pass. Deterministic: the same body,
 * module and configuration give the same cells, which is what backtraces and the disassembler
 * rely on when they translate again with a recorder.
 */
#ifndef CN_TRANSLATE_TRANSLATE_H
#define CN_TRANSLATE_TRANSLATE_H

#include "exec/code.h"

/* Where an instruction came from. */
struct source_map_entry {
    uint32_t cell;        /* index of the instruction's first cell */
    uint32_t offset;      /* of the WebAssembly instruction, from the start of the module */
    uint32_t fuel_cell;   /* the fuel instruction that paid for it, or UINT32_MAX */
    uint32_t fuel_so_far; /* of what it took, up to and with this instruction */
    uint16_t bytecode;    /* enum bytecode */
};
/* Filled by cn_translate() when given; free `entries` with cn_source_map_free(). */
struct source_map {
    struct alloc *alloc;
    struct source_map_entry *entries; /* by cell, ascending */
    size_t count, capacity;
};
void cn_source_map_free(struct source_map *);

/* The code of a function whose body is `body`, not published; NULL and *error when memory or a limit
 * does not allow it. Freed with cn_free(module->alloc, code, code->size). */
struct code *cn_translate(struct module *, uint32_t func, struct span body,
                          const struct translation_config *, struct source_map *, struct error *);

#endif
