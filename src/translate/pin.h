/* Which two locals of a function are to be pinned (exec/bytecode_pins.def). */
#ifndef CN_TRANSLATE_PIN_H
#define CN_TRANSLATE_PIN_H

#include "binary/module.h"

#define NO_PIN UINT32_MAX

/* Looks through the code of a valid body (behind the declaration of locals) and picks the integer
 * locals that its loops use most, those first that they write; NO_PIN where there is none.
 * `locals` holds the locals' value types on entry and is used up. */
void cn_choose_pins(const uint8_t *code, const uint8_t *end, uint32_t *locals, uint32_t local_count,
                    uint32_t pins[2]);

#endif
