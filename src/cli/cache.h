/* Where the command keeps its cache of validated modules. */
#ifndef CATNAP_CLI_CACHE_H
#define CATNAP_CLI_CACHE_H

#include "catnap.h"

/* $XDG_CACHE_HOME/catnap, or $HOME/.cache/catnap, to be freed; NULL when neither is to be had. */
char *cache_directory(void);

/* The cache for a run, or NULL: then it does without, as `catnap cache list` will tell why. */
WASM_OWN catnap_cache_t *cache_open(wasm_engine_t *);

#endif
