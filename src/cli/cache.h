/* Where the command keeps its cache of validated modules. */
#ifndef CATNAP_CLI_CACHE_H
#define CATNAP_CLI_CACHE_H

#include "catnap.h"
#include "options.h"

/* $XDG_CACHE_HOME/catnap, or $HOME/.cache/catnap, to be freed; NULL when neither is to be had. */
char *cache_directory(void);

/* The cache for a run whose guest is given these directories, or NULL: then it does without, because
 * of what `catnap cache list` tells, or because the guest may write where the cache is. */
WASM_OWN catnap_cache_t *cache_open(wasm_engine_t *, const struct option_list *directories);

#endif
