/*
 * A quick look at bodies: says of nearly all valid ones that they are, and of no other. Whatever it does
 * not say that of is for the validator, which also makes every message.
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

/* For bodies of the module, all that lies before them being valid; *quick is NULL when the module is
 * not of the kind that can be looked at quickly. For one thread at a time. False when memory is
 * exhausted. */
bool cn_quick_new(const struct module *, struct quick **quick);
void cn_quick_drop(struct quick *);
/* Whether the body of a function is surely valid. Bodies up to `known` bytes into the module may be
 * read; the next ones asked for are best those that follow. */
bool cn_quick_valid(struct quick *, uint32_t func, struct span body, size_t known);
#endif

#endif
