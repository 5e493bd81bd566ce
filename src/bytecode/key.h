/* Operand classes, and how a row of the lookup names a combination of them. */
#ifndef CN_BYTECODE_KEY_H
#define CN_BYTECODE_KEY_H

#include <stdbool.h>
#include <stdint.h>

/* Where an operand is: a slot of the frame, a constant, an accumulator, or one of the two pinned locals,
 * whose slot is right as well. */
enum operand_class { CLASS_S, CLASS_K, CLASS_A, CLASS_P, CLASS_Q };
#define OPERAND_CLASSES 5u

/*
 * The operands of an operation, or of two that are fused. An operand that an operation does not have is CLASS_S.
 *
 *   d   the destination        a, b   the sources; the address of a load; the value and the address of
 *                                     a store
 *   c   a third source; the second operation's other operand
 *   reversed   the first operation's result is the second's right operand
 *   checks     memory is accessed with an explicit check of the bounds
 */
struct operand_form {
    uint8_t d, a, b, c;
    bool reversed, checks;
};

/* Smaller for the forms that most operations have, so that their tables are short. */
static inline uint32_t cn_form_key(struct operand_form f) {
    return f.d +
           OPERAND_CLASSES *
               (f.a + OPERAND_CLASSES *
                          (f.b + OPERAND_CLASSES * (f.checks + 2u * (f.reversed + 2u * f.c))));
}

#endif
