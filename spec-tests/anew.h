/* Instances that begin where another one is: made of the module that the engine writes of it. */
#ifndef SPEC_ANEW_H
#define SPEC_ANEW_H

#include <stdbool.h>

#include "catnap.h"
#include "message.h"

/* Replaces the instance. One whose state is not its own alone stays as it is; whoever else refers
 * to it would miss what happens to the new one, so that it must not have been registered. False,
 * and the message says why, when a module that was written does not make an instance. */
bool spec_begin_anew(catnap_linker_t *, WASM_OWN wasm_instance_t **, spec_message_t *);

#endif
