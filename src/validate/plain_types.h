/* The types of a plain instruction, one that the opcode table describes whole. */
#ifndef CN_VALIDATE_PLAIN_TYPES_H
#define CN_VALIDATE_PLAIN_TYPES_H

#include "binary/module.h"
#include "binary/opcodes.h"

struct plain_types {
    valtype operands[4], result;
};

/* The types by the table, in which addresses are i32; those into 64-bit memories and tables, and their sizes, are
 * i64. `first` and `second` are the indices behind the opcode, that of the memory of a load or store first; those of
 * memories and tables must exist. */
struct plain_types cn_plain_types(const struct module *, const struct op_info *, uint32_t first,
                                  uint32_t second);

#endif
