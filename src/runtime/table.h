/*
 * Tables.
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

wasm_table_t *cn_table_new(wasm_store_t *, const struct tabletype *, uint64_t init, struct error *);
/* Elements by which it may still grow, as far as the limits go. */
uint64_t cn_table_room(const wasm_table_t *);
/* Old size, or -1 when the limits or the allocator refuse. */
int64_t cn_table_grow(wasm_table_t *, uint64_t count, uint64_t init);

#endif
