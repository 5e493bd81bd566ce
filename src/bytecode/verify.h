/*
 * The verifier of bytecode: a check of the translator, not of input. In builds with assertions every function is
 * verified when it has been translated; a release does not contain the verifier.
 *
 * It knows instructions by their names and fields (bytecode/fields.h) and nothing of how the translator found them.
 */
#ifndef CN_BYTECODE_VERIFY_H
#define CN_BYTECODE_VERIFY_H

#include "base/assert.h"
#include "base/error.h"
#include "bytecode/bytecode.h"
#include "bytecode/code.h"

#ifdef CATNAP_ASSERT
/*
 * Whether this code, which has not been executed yet, can be the translation of a function of the module:
 *
 *  - every cell that control reaches holds an instruction that such code may have, and every branch goes to
 *    an instruction of the function;
 *  - slots lie within the frame and outside of its header, and hold a value, on every way to the
 *    instruction that reads them; calls keep to the frame and get all their arguments;
 *  - an accumulator is written and then read once, with no label in between; a pin is read only
 *    while it is the same as its slot;
 *  - indices of functions, types, globals, tables and segments exist;
 *  - with fuel each block begins by paying, and interruptible code checks at its start and on each
 *    way back.
 *
 * If not, false, and *error names the cell and the instruction. Memory for the check is not the engine's,
 * so that limits are the same as in a release; true when there is none.
 */
bool cn_verify_code(const struct module *, const struct code *, const struct translation_config *,
                    struct error *);
/* Aborts with the error when the code is not right. */
void cn_assert_verified(const struct module *, const struct code *,
                        const struct translation_config *);
#else
static inline void cn_assert_verified(const struct module *module, const struct code *code,
                                      const struct translation_config *config) {
    (void)module, (void)code, (void)config;
}
#endif

#endif
