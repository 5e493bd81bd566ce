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
 *   numbered   likewise, and the instruction says which memory it is, of whatever type of addresses
 *   wide       the address has 64 bits, in memory 0 with guard pages
 */
struct operand_form {
    uint8_t d, a, b, c;
    bool reversed, checks, numbered, wide;
};

/* Smaller for the forms that most operations have, so that their tables are short. Nothing that is numbered or wide
 * can be reversed. */
static inline uint32_t cn_form_key(struct operand_form f) {
    uint32_t other = f.reversed || f.numbered || f.wide, checks = f.checks || f.wide;
    return f.d + OPERAND_CLASSES *
                     (f.a + OPERAND_CLASSES *
                                (f.b + OPERAND_CLASSES * (checks + 2u * (other + 2u * f.c))));
}

#endif
