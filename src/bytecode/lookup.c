/* The tables in which the translator finds instructions. */
#include "bytecode/lookup.h"

#include "generated/bytecode/lookup.inc"

enum bytecode cn_join(enum bytecode first, enum bytecode second) {
    for (const struct bytecode_join *join = cn_joins; join->both != BC_NONE; join++)
        if (join->second == second && join->first == first)
            return (enum bytecode)join->both;
    return BC_NONE;
}
