/*
 * Linear memories. Address space is reserved once, so that a memory never moves; growth commits more of it.
 */
#ifndef CN_RUNTIME_MEMORY_H
#define CN_RUNTIME_MEMORY_H

#include "base/error.h"
#include "base/likely.h"
#include "binary/module.h"
#include "runtime/object.h"

/* No 64-bit memory is larger: beyond its guard pages is no address below 2^34 with an offset of 32 bits. */
#define WIDE_ADDRESS_BITS 34
_Static_assert(LIMIT_MEMORY64_PAGES *UINT64_C(65536) == UINT64_C(1) << WIDE_ADDRESS_BITS,
               "addresses of the largest memory have so many bits");

struct wasm_memory_t {
    struct wasm_ref_t ref;
    uint8_t *base;   /* never moves */
    uint64_t extent; /* bytes now; of a view, when its thread looked last: cn_memory_size() */
    /* Bytes that are there, whole pages of WASM_PAGE_BYTES: all that it is made of for those who save and restore it.
     * Only with pages of one byte is it more than the extent; the bytes in between are 0. */
    uint64_t size;
    struct memorytype type; /* min is as declared */
    uint64_t max_pages;     /* of WASM_PAGE_BYTES, that it can grow to, by type and reservation */
    size_t reserved;        /* bytes of address space */
    struct catnap_shared_memory_t
        *shared; /* what it is a view of, or NULL: it is a memory of its own */
    bool
        guarded; /* every 32-bit address (of WIDE_ADDRESS_BITS, of a 64-bit memory) + 32-bit offset is
                    * inside the reservation */
    bool imaged;   /* a mapped image is behind its pages: untouched ones need not be zero */
    bool remapped; /* a checkpoint may have mapped pages of its own since the image was laid */
    struct memory_backing
        *backing; /* what persist/ keeps beside the memory (persist_hooks), or NULL */
};

/* The size in bytes, by the latest growth of a shared memory. */
uint64_t cn_memory_look(wasm_memory_t *);
static inline uint64_t cn_memory_size(wasm_memory_t *memory) {
    return unlikely(memory->shared != NULL) ? cn_memory_look(memory) : memory->extent;
}
/* The size in pages of its type. */
static inline uint64_t cn_memory_pages(wasm_memory_t *memory) {
    return cn_memory_size(memory) >> cn_page_log2(&memory->type);
}
/* Reserves address space for a shared memory of the type: with guard pages where that is wanted and can be had, else
 * by its maximum. NULL: the system does not allow it. */
uint8_t *cn_memory_reserve(const struct memorytype *, bool guards, size_t *reserved, bool *guarded);
/* A view of a shared memory, without a handle. NULL and *error when a limit of the store does not allow it. */
wasm_memory_t *cn_memory_view(wasm_store_t *, struct catnap_shared_memory_t *, struct error *);
/* A memory of the type's minimum size, zeroed, without a handle. `guards`: with guard pages, where there is address
 * space for them; they serve accesses to an instance's memory 0. NULL and *error when a
 * limit or the system does not allow it. */
wasm_memory_t *cn_memory_new(wasm_store_t *, const struct memorytype *, bool guards,
                             struct error *);
/* Pages of its type by which it may still grow within the limits of its type, the store and the budget. */
uint64_t cn_memory_room(const wasm_memory_t *);
/* Grows by pages of its type. The old size in pages, or -1 when a limit or the system does not allow it. */
int64_t cn_memory_grow(wasm_memory_t *, uint64_t pages);
/* The same in pages of WASM_PAGE_BYTES: room, and growth of what is there, to a size that was saved. With pages of one
 * byte the extent is to be set then. */
uint64_t cn_memory_room_there(const wasm_memory_t *);
bool cn_memory_grow_there(wasm_memory_t *, uint64_t pages);
/* Sets the extent of a memory whose size is that of the extent. False: no such memory has that. */
bool cn_memory_set_extent(wasm_memory_t *, uint64_t extent);
/* Clears what is there beyond the extent. */
void cn_memory_clear_tail(wasm_memory_t *);
/* Gives an emptied memory its minimum size, for which it has room. */
void cn_memory_set_first(wasm_memory_t *);
/* The bytes that a memory of the type has at first, in whole pages of WASM_PAGE_BYTES; more than any memory can have for
 * a type that no memory can be of. */
uint64_t cn_memory_first(const struct memorytype *);

#endif
