/* The tables in which the translator finds instructions. */
#include "bytecode/lookup.h"

#include "generated/bytecode/lookup.inc"

enum bytecode cn_join(enum bytecode first, enum bytecode second) {
    for (const struct bytecode_join *join = cn_joins; join->both != BC_NONE; join++)
        if (join->second == second && join->first == first)
            return (enum bytecode)join->both;
    return BC_NONE;
}

uint32_t cn_bytecode_length(enum bytecode bytecode, const uint64_t *code) {
    uint32_t cells = cn_bytecode_cells[bytecode];
    if (!(cells & CELLS_AND_TABLE))
        return cells;
    return (cells & ~(uint32_t)CELLS_AND_TABLE) + ((uint32_t)(code[1] >> 32) + 2) / 2;
}
