/*
 * Tables: arrays of references, a slot of 64 bits for each.
 */
#ifndef CN_RUNTIME_TABLE_H
#define CN_RUNTIME_TABLE_H

#include "base/error.h"
#include "binary/module.h"
#include "runtime/object.h"

struct wasm_table_t {
    struct wasm_ref_t ref;
    uint64_t *elements; /* may move when it grows */
    uint64_t size, capacity;
    struct tabletype type;
};

/* A table of the type's minimum size whose elements are `init`, without a handle. NULL and *error on failure. */
/* Sets all elements. */
void cn_table_fill(wasm_table_t *, uint64_t value);
wasm_table_t *cn_table_new(wasm_store_t *, const struct tabletype *, uint64_t init, struct error *);
/* Elements by which it may still grow within the limits of its type, the store and the budget. */
uint64_t cn_table_room(const wasm_table_t *);
/* Grows by `count` elements that are `init`. The old size, or -1 when a limit or the allocator does not allow it. */
int64_t cn_table_grow(wasm_table_t *, uint64_t count, uint64_t init);

#endif
