/*
 * An original: what the memories of a store were at its first checkpoint, for other stores whose
 * memories are the same there. They map its pages copy-on-write, in place of pages of their own and of
 * the copies that their checkpoints hold, so that many equal instances need little more memory than one.
 *
 * Nothing is taken on trust: only pages are replaced that were compared. An original is immutable and
 * serves several threads; what maps it lives on without it.
 */
#ifndef CN_PERSIST_ORIGINAL_H
#define CN_PERSIST_ORIGINAL_H

#include "base/error.h"
#include "runtime/object.h"

struct original;

/* From a store that has its first checkpoint and has not run since. False when memory is exhausted;
 * *out is NULL also when there is nothing to share, or no way to. */
bool cn_original_new(const wasm_store_t *, struct original **out, struct error *);
void cn_original_free(struct original *); /* NULL allowed */
/* What its pages take. */
uint64_t cn_original_bytes(const struct original *);
/* Lays it under a store that has its first checkpoint and has not run since. After a failure, the store
 * is of no use. */
bool cn_original_lay(const struct original *, wasm_store_t *, struct error *);

#endif
