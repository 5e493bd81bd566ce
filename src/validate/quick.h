/*
 * The fast validator: accepts nearly all valid bodies, and no others. A body that it refuses may be valid
 * all the same: the full validator decides, and makes every message.
 */
#ifndef CN_VALIDATE_QUICK_H
#define CN_VALIDATE_QUICK_H

#include <stddef.h>

#include "binary/module.h"

struct quick;

/* Its tables are 60 KB; tests of small builds may want it all the same. */
#if defined(CATNAP_SMALL) && !defined(CATNAP_WITH_QUICK)
#define CATNAP_NO_QUICK
#endif

#ifdef CATNAP_NO_QUICK
static inline bool cn_quick_new(const struct module *m, struct quick **quick) {
    (void)m;
    *quick = NULL;
    return true;
}
static inline void cn_quick_drop(struct quick *quick) {
    (void)quick;
}
static inline bool cn_quick_valid(struct quick *quick, uint32_t func, struct span body,
                                  size_t known) {
    (void)quick, (void)func, (void)body, (void)known;
    return false;
}
#else

/* For bodies of a module whose declarations are valid; *quick is NULL when these have something that the
 * fast validator does not know. For one thread at a time. False when memory is exhausted. */
bool cn_quick_new(const struct module *, struct quick **quick);
void cn_quick_drop(struct quick *);
/* Accepts the body of a function, or refuses to tell. Bytes before `known` (an offset in the module) may
 * be read and will not change. Fastest when bodies are asked for in the order of the module. */
bool cn_quick_valid(struct quick *, uint32_t func, struct span body, size_t known);
#endif

#endif
