/* The module `spectest`, which every script may import from. */
#ifndef SPEC_SPECTEST_H
#define SPEC_SPECTEST_H

#include "catnap.h"

/* Defines the module in the linker. False when memory runs out. */
bool spec_define_spectest(wasm_store_t *store, catnap_linker_t *linker);

#endif
