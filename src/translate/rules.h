/* Which bytecode family stands for a WebAssembly instruction that needs nothing but its operands. */
#ifndef CN_TRANSLATE_RULES_H
#define CN_TRANSLATE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "binary/opcodes.h"
#include "bytecode/bytecode.h"

enum rule_kind {
    RULE_SPECIAL, /* translate.c knows it by name */
    RULE_BIN,
    RULE_EQZ, /* comparison with zero */
    RULE_UN,
    RULE_NONE, /* the slot's bits already are the result */
    RULE_LOAD,
    RULE_STORE,
    RULE_VECTOR /* layout by immediates: see handlers_simd.inc */
};

/* Which variants a vector instruction has: the forms of bytecode_simd.def. */
enum vector_form {
    VECTOR_SLOTS,
    VECTOR_ANY,
    VECTOR_COMM,
    VECTOR_ORDERED,
    VECTOR_TERN,
    VECTOR_SHIFT,
    VECTOR_DESTINATIONS
};

struct rule {
    uint8_t kind;
    bool swap; /* a > b is b < a */
    bool commutes;
    bool wide_const; /* constants of a 64-bit type */
    uint16_t bytecode;
    /* Comparisons: the branch taken when it holds, and the one when not (perhaps swapped). */
    uint16_t branch, branch_not;
    bool not_swaps;
    uint8_t form; /* RULE_VECTOR: enum vector_form */
};

extern const struct rule cn_rules[OPCODE_LIMIT];

#endif
