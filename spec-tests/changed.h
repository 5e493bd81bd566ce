/*
 * Expectations of older suites that later versions of WebAssembly changed. They are executed like
 * all others, with the expectation that holds now.
 */
#ifndef SPEC_CHANGED_H
#define SPEC_CHANGED_H

#include "script.h"

typedef enum spec_change_kind {
    SPEC_NOW_VALID,   /* assert_invalid of a module that is valid now */
    SPEC_NOW_INVALID, /* assert_malformed of a module that decodes and is invalid now */
    SPEC_NOW_TRAPS,   /* assert_unlinkable of a module whose instantiation traps now */
    SPEC_NOW_RETURNS, /* an action that returns `result`, an i32, now */
    SPEC_NOW_EITHER,  /* an action that returns 0 or 1 */
    SPEC_NOW_LATER, /* assert_malformed or assert_invalid of a module that a later version takes, so
                       * that it is refused as not supported */
} spec_change_kind_t;

typedef struct spec_change {
    const char *set;
    const char *script; /* the name of the .wast file without its ending */
    uint16_t lines[16]; /* 0 ends the list */
    spec_change_kind_t kind;
    int32_t result;
    const char *reason;
} spec_change_t;

/* The change of the command at a line of a script in a set, or NULL. `set` may be NULL. */
const spec_change_t *spec_change_find(const char *set, spec_text_t source, uint32_t line);

#endif
