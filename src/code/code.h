/*
 * Translated code: made once, published in a variant of its module, found again by pc.
 */
#ifndef CN_CODE_CODE_H
#define CN_CODE_CODE_H

#include "base/interrupt.h"
#include "bytecode/code.h"
#include "runtime/shared.h"

/* The code of a defined function in a variant of its module, translated now when it is not yet: NULL and *error when
 * memory or a limit does not allow it, or when `asker` (or NULL) is interrupted. Any thread. */
struct code *cn_code_get(struct shared_module *, struct code_variant *, uint32_t func,
                         const struct interrupt *asker, struct error *);

/* To be called by whatever puts something into the module's struct module_code: it is freed at the module's end. */
void cn_code_own(struct shared_module *);

/* The WebAssembly offset (from the start of the module) of the instruction whose bytecode holds pc,
 * found by translating again with a recorder; CN_NO_OFFSET when memory does not allow it. */
uint64_t cn_code_offset(struct module *, const struct code *, const uint64_t *pc,
                        const struct translation_config *);
/* The value maps at safepoints of the code: see translate/translate.h. All are answered by translating the
 * function once, or twice: a question by cell that finds nothing gives the instruction that the cell
 * belongs to, as SAFEPOINT_INSTRUCTION. The order of the questions changes; those without an answer are not
 * `found`. False when memory is exhausted. Free each with cn_probe_free(). */
struct probes;
bool cn_code_probe(struct module *, const struct code *, const struct translation_config *,
                   struct probes *);
/* The fuel of a block is taken at its start: what the instruction at pc and those before it
 * in its fuel block did not use of that, to be given back when pc traps. */
uint64_t cn_code_unspent_fuel(struct module *, const struct code *, const uint64_t *pc,
                              const struct translation_config *);

/* WebAssembly and bytecode side by side (catnap_module_disassemble). */
bool cn_code_disassemble(struct shared_module *, struct code_variant *, uint32_t func,
                         catnap_write_t, void *env, struct error *);

#endif
