/*
 * Translation ahead of time, by threads, while the host does something else. A translated function
 * is published as at a first call; a first call that finds its function under way waits for about as
 * long as translating would take, and then translates it itself.
 */
#ifndef CN_CODE_BACKGROUND_H
#define CN_CODE_BACKGROUND_H

#include "code/code.h"

struct background;

#define BACKGROUND_THREADS 16u

/* A job that has not started. Holds a reference of the module. NULL when memory is exhausted. */
struct background *cn_background_new(struct shared_module *, struct code_variant *);
/* Adds a function; with `calls`, also what it calls and so on. Before the start only. */
void cn_background_add(struct background *, uint32_t func, bool calls);
/* Adds all that is left. */
void cn_background_add_all(struct background *);
/* False when not even one thread could be started. */
bool cn_background_start(struct background *, uint32_t threads);
bool cn_background_ended(struct background *);
/* Waits for the end. False and *error when something could not be translated. */
bool cn_background_wait(struct background *, struct error *);
/* No function is begun any more. */
void cn_background_cancel(struct background *);
/* Cancels, waits for the functions under way, and frees. */
void cn_background_delete(struct background *);

/* Of a module: which functions are under way, for first calls. Lives as long as the module. */
void cn_translators_await(struct shared_module *, const struct code_variant *, uint32_t func);
void cn_translators_free(struct shared_module *);

#endif
