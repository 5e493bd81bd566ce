/* Modules that are there before the program, for it to import from: --preload. */
#ifndef CATNAP_CLI_PRELOAD_H
#define CATNAP_CLI_PRELOAD_H

#include "session.h"

/* Looks at the arguments of --preload before anything is loaded. */
bool preload_check(struct session *);

/* Loads them in their order, and defines what they export. */
bool preload_all(struct session *);

/* Calls `_initialize`, if it is there: a reactor's other exports may rely on it. */
bool preload_initialize(struct session *, const struct loaded *);

#endif
