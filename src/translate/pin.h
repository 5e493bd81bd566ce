/* Which two locals of a function are to be pinned (bytecode/variants.def): those that its loops use
 * most. All this takes the code of a valid body, behind the declaration of locals. */
#ifndef CN_TRANSLATE_PIN_H
#define CN_TRANSLATE_PIN_H

#include "binary/module.h"

#define NO_PIN UINT32_MAX

/* False: there is no loop, or only such as take or give several values. */
bool cn_may_loop(const uint8_t *at, const uint8_t *end);
/* Adds to each local's weight what loops do with it: zeros on entry. */
void cn_weigh_locals(const uint8_t *at, const uint8_t *end, uint64_t *weights);
/* The two that weigh most, those first that are written; NO_PIN where there is none. */
void cn_choose_pins(const uint64_t *weights, uint32_t count, uint32_t pins[2]);

#endif
