/*
 * An original: the contents that the memories of a pool's first slot had at its first checkpoint, as images that the
 * other slots map copy-on-write.
 *
 *     original (file in memory)   [ A ][ B ][ C ]
 *                                   |    |    |        mapped where contents are equal
 *     slot 1   memory             [ A ][ B'][ C ]      B': written, a page of its own
 *              shadow             [ A ][ B ][ C ]
 *     slot 2   memory             [ A ][ B ][ D ]      D: differed at its first checkpoint, a page of its own
 *              shadow             [ A ][ B ][ D ]
 *
 * So equal slots need little more memory than one. A page is replaced only after its contents were compared. An
 * original is immutable and any thread may use it; mappings stay valid after it is freed.
 */
#ifndef CN_PERSIST_ORIGINAL_H
#define CN_PERSIST_ORIGINAL_H

#include "base/error.h"
#include "runtime/object.h"

struct original;

/* Makes one from a store that has its first checkpoint and has not run since. False when memory is exhausted.
 * *out is NULL when there is nothing to share, or the way in which writes are tracked does not allow it. */
bool cn_original_new(const wasm_store_t *, struct original **out, struct error *);
void cn_original_free(struct original *); /* NULL allowed */
/* Bytes that its pages take. */
uint64_t cn_original_bytes(const struct original *);
/* Maps it into a store that has its first checkpoint and has not run since. After a failure the store must be
 * deleted. */
bool cn_original_lay(const struct original *, wasm_store_t *, struct error *);

#endif
