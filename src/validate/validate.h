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
/* The features, of those that are on for the module, without which it would be refused: it is decoded and validated
 * once more. A body that is not validated yet may be found invalid. */
bool cn_module_features(const struct module *, catnap_features_t *, struct error *);
/* Whether the custom sections that the specification knows (names, hints of branches) are as it says; they do not make a
 * module invalid. */
bool cn_check_custom_sections(const struct module *, struct error *);
/* Every body, in module order: the first error is the one reported. */
bool cn_validate_bodies(const struct module *, struct error *);

/*
 * A pool of workers that validates bodies as they become known. Its verdict and its error do not depend on
 * the number of threads.
 *
 * `threads` is the most that may work, the caller's included; `code_bytes` decides how many are worth starting. For
 * a module that is streamed one helper is started, if it may be, even where the caller alone would do, and
 * no more than STREAM_SLACK bytes after the bodies that are ready are read. NULL and *error when memory is
 * exhausted.
 */
struct workers;
struct workers *cn_workers_new(const struct module *, size_t code_bytes, uint32_t threads,
                               bool streamed, struct error *);
/* Bodies of functions before `end` may be read from now on. With one thread they are validated at once. */
void cn_workers_ready(struct workers *, uint32_t end);
/* Whether an invalid body was found already. */
bool cn_workers_failed(struct workers *);
/* Validates the rest, joins the threads and frees the pool. True when every body that was ready is valid; else
 * *error is that of the first invalid one. */
bool cn_workers_finish(struct workers *, struct error *);
/* Joins the threads and frees the pool without validating the rest. */
void cn_workers_drop(struct workers *);

/* The types of all locals, then of the operands from the bottom up, before the instruction at `offset` in the module; for
 * the first instruction the byte before it stands, too. */
struct operand_types {
    uint32_t offset;
    uint32_t count;    /* of locals and operands: there is no answer when these are others */
    uint32_t question; /* the asker's number for it */
    bool
        found; /* false as well where the operands may have any types, since the place is never reached */
    valtype *types; /* room for `count`. A local that may be uninitialised has a nullable type */
};
/* Answers questions about a function whose body is valid, in one pass; they are sorted by offset. False and *error when
 * memory is exhausted. */
bool cn_find_operand_types(const struct module *, uint32_t func, struct operand_types *,
                           size_t count, struct error *);

/* One body; `func` in the whole index space. Scratch memory is made and dropped inside. */
bool cn_validate_body(const struct module *, uint32_t func, struct span body, struct error *);

#endif
