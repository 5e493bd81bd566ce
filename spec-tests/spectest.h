/* The module `spectest`, which every script may import from. */
#ifndef SPEC_SPECTEST_H
#define SPEC_SPECTEST_H

#include "catnap.h"

/* Defines the module in the linker. False when memory runs out. */
bool spec_define_spectest(wasm_store_t *store, catnap_linker_t *linker);

/* The same in two parts: its functions in the linker, and a module of WebAssembly that exports the
 * rest, which a snapshot can hold. NULL when memory runs out. */
bool spec_define_spectest_functions(wasm_store_t *store, catnap_linker_t *linker);
WASM_OWN wasm_module_t *spec_spectest_state(wasm_store_t *store);

#endif
