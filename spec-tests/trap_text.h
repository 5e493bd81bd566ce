/* The suite names traps in the words of the reference interpreter, the engine by codes. */
#ifndef SPEC_TRAP_TEXT_H
#define SPEC_TRAP_TEXT_H

#include "catnap.h"
#include "script.h"

/* Whether a trap of that code is what `text` means. False also for a text that is not known. */
bool spec_trap_is(spec_text_t text, catnap_trap_code_t code);

#endif
