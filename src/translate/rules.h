/* Which operation of the bytecode stands for a WebAssembly instruction that needs nothing but its operands. */
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
    RULE_VECTOR /* vectors.c */
};

/* How the operands of a vector instruction may be taken: the forms of bytecode/variants.def. */
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
    uint8_t form; /* RULE_VECTOR: enum vector_form */
    bool swap;    /* a > b is b < a */
    uint16_t operation;
};
extern const struct rule cn_rules[OPCODE_LIMIT];

/* Of a comparison: the branch that is taken when it holds and the one when it fails, which may want the operands
 * exchanged. Zeros of other operations. */
struct branches {
    uint16_t holds, fails;
    bool exchanges;
};
extern const struct branches cn_branches[OPERATION_COUNT];
/* Of a comparison the one that holds when it does not, with its operands exchanged as cn_branches[] says; or
 * DO_NONE. */
extern const uint16_t cn_opposites[OPERATION_COUNT];

#endif
