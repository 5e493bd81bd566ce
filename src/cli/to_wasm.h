/* catnap snapshot --to-wasm: a module that begins where another one is after its initialisation. */
#ifndef CATNAP_CLI_TO_WASM_H
#define CATNAP_CLI_TO_WASM_H

#include "session.h"

struct to_wasm_settings {
    struct run_settings run; /* of the initialisation */
    bool to_wasm, keep_init_func;
    const char *init_func;
    struct option_list renames; /* DST=SRC */
};

/* Whether the settings say more than --to-wasm. */
bool to_wasm_configured(const struct to_wasm_settings *);

/* argv is a module, which is initialised, or a snapshot; then arguments. */
enum cli_exit to_wasm(const struct diag *, struct to_wasm_settings *, int argc, char **argv);

#endif
