/* The validator (sections 3 and A.3 of the specification): the whole module, eagerly. */
#ifndef CN_VALIDATE_VALIDATE_H
#define CN_VALIDATE_VALIDATE_H

#include "binary/module.h"

/* Everything outside the bodies that the decoder's types do not rule out: indices, limits, constant
 * expressions, start function, duplicate exports. Fills func_declared. */
bool cn_validate_declarations(struct module *, struct error *);
/* Every body, in module order: the first error is the one reported. */
bool cn_validate_bodies(const struct module *, struct error *);
/* The same with several threads, the caller's included, and with the same outcome. */
bool cn_validate_bodies_by(const struct module *, uint32_t threads, struct error *);
/* One body; `func` in the whole index space. Scratch memory is made and dropped inside. */
bool cn_validate_body(const struct module *, uint32_t func, struct span body, struct error *);

#endif
