/*
 * The fast validator: accepts nearly all valid bodies, and no others. A body that it refuses may still be
 * valid: the full validator decides, and makes every error message.
 */
#ifndef CN_VALIDATE_FAST_H
#define CN_VALIDATE_FAST_H

#include <stddef.h>

#include "binary/module.h"

struct fast;

/* For bodies of a module whose declarations are valid. *fast is NULL when the module uses something that the
 * fast validator does not know. It is used by one thread at a time. False when memory is exhausted. */
bool cn_fast_new(const struct module *, struct fast **fast);
void cn_fast_drop(struct fast *);
/* Whether the body of a function is accepted. Bytes before `known`, an offset in the module, may be read and do
 * not change any more. It is fastest when bodies come in the module's order. */
bool cn_fast_valid(struct fast *, uint32_t func, struct span body, size_t known);

#endif
