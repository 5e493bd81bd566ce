/* The validator (sections 3 and A.3 of the specification): the whole module, eagerly. */
#ifndef CN_VALIDATE_VALIDATE_H
#define CN_VALIDATE_VALIDATE_H

#include "binary/module.h"

/* Everything outside the bodies that the decoder's types do not rule out: indices, limits, constant
 * expressions, start function, duplicate exports. Fills func_declared. */
bool cn_validate_declarations(struct module *, struct error *);
/* The same in parts: all that lies before the bodies, which they rely on, and the data segments.
 * After a failure cn_prefer_malformed() is due, once the module is decoded. */
bool cn_validate_before_code(struct module *, struct error *);
bool cn_validate_after_code(struct module *, struct error *);
/* Decoding comes before validation, and what is malformed is not even invalid: when *error is of
 * something invalid, looks whether any body is malformed and reports that instead. */
void cn_prefer_malformed(const struct module *, struct error *);
/* The same for one body. */
void cn_prefer_malformed_body(const struct module *, uint32_t func, struct span body,
                              struct error *);
/* Every body, in module order: the first error is the one reported. */
bool cn_validate_bodies(const struct module *, struct error *);

/* Bodies as they become known, by one thread or several; the outcome is that of one. */
struct crew;
/* For so many bytes of code, which decide how many of the threads are worth it: the caller's is one
 * of them. When the module is streamed another works, if there may be another, even where the caller
 * alone would do, and no more than STREAM_SLACK bytes behind the bodies that are ready are read. NULL
 * and *error when memory is exhausted. */
struct crew *cn_crew_new(const struct module *, size_t code_bytes, uint32_t threads, bool streamed,
                         struct error *);
/* Bodies of functions before `end` may be read now. With one thread they are validated at once. */
void cn_crew_ready(struct crew *, uint32_t end);
/* Whether an invalid body was found already. */
bool cn_crew_failed(struct crew *);
/* Validates what is left, ends the other threads and frees all. True when every body that was ready
 * is valid; else *error is that of the first that is not. */
bool cn_crew_finish(struct crew *, struct error *);
/* The same without validating what is left. */
void cn_crew_drop(struct crew *);

/* One body; `func` in the whole index space. Scratch memory is made and dropped inside. */
bool cn_validate_body(const struct module *, uint32_t func, struct span body, struct error *);

#endif
