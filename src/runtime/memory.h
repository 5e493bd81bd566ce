/*
 * Linear memories.
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
    bool imaged;           /* a mapped image is behind its pages: untouched ones need not be zero */
    struct shadow *shadow; /* of checkpoints, or NULL */
    /* Set: there is or was one, and may have mapped pages anew. */
    void (*drop_shadow)(wasm_memory_t *);
    /* Of a memory whose address space somebody wants back: whether it was taken. */
    bool (*give_back)(wasm_memory_t *);
    bool is_lent; /* in use for another time, with all that was mapped */
    bool unlike;  /* something could not be mapped that otherwise is */
    struct catnap_snapshot_t *source;
    uint32_t source_object;
};

wasm_memory_t *cn_memory_new(wasm_store_t *, const struct memorytype *, struct error *);
/* Pages by which it may still grow, as far as the limits go. */
uint64_t cn_memory_room(const wasm_memory_t *);
/* Old size in pages, or -1 when the limits or the system refuse. */
int64_t cn_memory_grow(wasm_memory_t *, uint64_t pages);

#endif
