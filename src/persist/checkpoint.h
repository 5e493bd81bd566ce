/* Checkpoints of a store, see catnap.h. */
#ifndef CN_PERSIST_CHECKPOINT_H
#define CN_PERSIST_CHECKPOINT_H

#include "base/error.h"
#include "runtime/engine.h"

bool cn_checkpoint(wasm_store_t *, uint32_t *level, struct error *);
bool cn_rollback(wasm_store_t *, uint32_t level, struct error *);
bool cn_release(wasm_store_t *, uint32_t level, struct error *);
uint32_t cn_checkpoint_count(const wasm_store_t *);
/* Whether pages of the heap are kept, so that it may only grow. */
bool cn_checkpoint_keeps_heap(const wasm_store_t *);
/* The checkpoints that there are cannot be released from now on. */
void cn_checkpoint_keep(wasm_store_t *);
/* Bytes of memories that the first checkpoint holds once more. */
uint64_t cn_checkpoint_copies(const wasm_store_t *);

/* The tracker of written pages for this engine; NULL and *error when there can be none. */
const struct tracker *cn_engine_tracker(wasm_engine_t *, struct error *);

#endif
