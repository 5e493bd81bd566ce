/* Functions by name, with typed arguments from the command line and results on standard output. */
#ifndef CATNAP_CLI_INVOKE_H
#define CATNAP_CLI_INVOKE_H

#include "session.h"

/* An own function by its export name, or NULL: there is no such export or it is no function. */
WASM_OWN wasm_func_t *find_function(const struct loaded *, const char *name);

/* Ends the run with a usage error, listing the functions that there are. */
bool no_such_function(struct session *, const struct loaded *, const char *complaint);

/* An own function by its export name; NULL when there is none, which ends the run like that. */
WASM_OWN wasm_func_t *need_function(struct session *, const struct loaded *, const char *name);

/* Writes the results of a call, one a line, unless `out` is NULL, and deletes references among them. */
void finish_results(const catnap_val_t *, size_t count, FILE *out);

/* Calls an exported function with the arguments in argv, and finishes its results. */
bool invoke(struct session *, const struct loaded *, const char *name, int argc, char **argv,
            FILE *out);

#endif
