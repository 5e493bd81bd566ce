/*
 * Fuel to the last unit. Usual code takes the fuel of a whole block at its start. Where less is left, the
 * frame goes on in *stepping code*, a second translation of its function that takes fuel for each
 * instruction: it has the same frame, with every value in the same place, so that execution passes from one to
 * the other at the start of any block. It goes back as soon as a whole block can be paid for.
 */
#ifndef CN_CODE_STEPS_H
#define CN_CODE_STEPS_H

#include "code/code.h"

struct machine;
struct wasm_instance_t;

/* The stepping code of usual code, made when it is first asked for; NULL and *error as cn_code_get(). */
struct code *cn_steps_of(struct module *, const struct code *, const struct translation_config *,
                         const struct interrupt *asker, struct error *);
/* Takes the frame that stands at vm->pc, the start of a block that the fuel does not reach through, to code of
 * steps: where it goes on. NULL, and the event is set, when that could not be made. */
const uint64_t *cn_steps_from(struct machine *vm, struct wasm_instance_t *);
void cn_steps_free(struct alloc *, struct code *);

/* The price of the block that begins with the instruction `fuel` at `cell`. */
static inline uint32_t cn_fuel_of(const uint64_t *cell) {
    return (uint32_t)(cell[1] >> 32);
}

#endif
