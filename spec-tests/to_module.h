/* Instances that begin where another one is: made of the module that the engine writes of it. */
#ifndef SPEC_TO_MODULE_H
#define SPEC_TO_MODULE_H

#include <stdbool.h>

#include "catnap.h"
#include "message.h"

/* Replaces the instance. One whose state is not its own alone stays as it is. It must not have been
 * registered: others that refer to it would not see the changes of the new one. False,
 * and the message says why, when a module that was written does not make an instance. */
bool spec_replace_instance(catnap_linker_t *, WASM_OWN wasm_instance_t **, spec_message_t *);

#endif
