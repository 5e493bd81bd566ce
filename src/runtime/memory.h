/*
 * Linear memories. Address space is reserved once, so that a memory never moves; growth commits more of it.
 */
#ifndef CN_RUNTIME_MEMORY_H
#define CN_RUNTIME_MEMORY_H

#include "base/error.h"
#include "binary/module.h"
#include "runtime/object.h"

struct wasm_memory_t {
    struct wasm_ref_t ref;
    uint8_t *base;          /* never moves */
    uint64_t size;          /* bytes now */
    struct memorytype type; /* min is as declared */
    uint64_t max_pages;     /* it can grow to, by type and reservation */
    size_t reserved;        /* bytes of address space */
    bool guarded;           /* every 32-bit address + 32-bit offset is inside the reservation */
    bool imaged;   /* a mapped image is behind its pages: untouched ones need not be zero */
    bool remapped; /* a checkpoint may have mapped pages of its own since the image was laid */
    struct memory_backing
        *backing; /* what persist/ keeps beside the memory (persist_hooks), or NULL */
};

/* A memory of the type's minimum size, zeroed, without a handle. NULL and *error when a limit or the system does not
 * allow it. */
wasm_memory_t *cn_memory_new(wasm_store_t *, const struct memorytype *, struct error *);
/* Pages by which it may still grow within the limits of its type, the store and the budget. */
uint64_t cn_memory_room(const wasm_memory_t *);
/* Grows by `pages` of 64 KiB. The old size in pages, or -1 when a limit or the system does not allow it. */
int64_t cn_memory_grow(wasm_memory_t *, uint64_t pages);

#endif
