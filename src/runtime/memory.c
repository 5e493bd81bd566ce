/*
 * Linear memories: address space is reserved once, and growth commits more of it, so that a memory
 * never moves. Where 8 GiB can be had, no 32-bit address with a 32-bit offset leaves the
 * reservation and the hardware checks the bounds; else the code does, as it does for all memories but
 * an instance's memory 0. Of a 64-bit memory it is 20 GiB, and the code looks whether an address has
 * more than 34 bits.
 */
#include "runtime/memory.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/platform.h"
#include "runtime/collect.h"
#include "runtime/shared_memory.h"

/* All addresses and an offset below 2^32, with an access of at most 16 bytes. */
static uint64_t guarded_reservation(const struct memorytype *type) {
    return (UINT64_C(1) << (type->limits.is_64 ? WIDE_ADDRESS_BITS : 32)) + (UINT64_C(1) << 32) +
           WASM_PAGE_BYTES;
}

/* Pages of the type. */
static uint64_t most_of_type(const struct memorytype *type) {
    uint64_t most = (type->limits.is_64 ? LIMIT_MEMORY64_PAGES : LIMIT_MEMORY_PAGES) *
                        (uint64_t)WASM_PAGE_BYTES >>
                    cn_page_log2(type);
    return type->limits.has_max && type->limits.max < most ? type->limits.max : most;
}

/* Pages of WASM_PAGE_BYTES. */
static uint64_t most_pages(const struct memorytype *type) {
    return cn_whole_pages(most_of_type(type) << cn_page_log2(type)) / WASM_PAGE_BYTES;
}

uint64_t cn_memory_first(const struct memorytype *type) {
    if (type->limits.min > most_of_type(type))
        return (LIMIT_MEMORY64_PAGES + 1) * (uint64_t)WASM_PAGE_BYTES;
    return cn_whole_pages(type->limits.min << cn_page_log2(type));
}

static bool check_limits(const wasm_store_t *store, const struct memorytype *type,
                         struct error *error) {
    uint64_t pages = type->limits.min;
    if (type->byte_pages && type->is_shared)
        return cn_fail(error, CATNAP_UNSUPPORTED,
                       "a shared memory with pages of one byte is not supported");
    if (pages > most_of_type(type))
        return cn_fail(error, CATNAP_LIMIT,
                       "needs a memory of %" PRIu64 " pages; the limit is %" PRIu64, pages,
                       most_of_type(type));
    if (cn_memory_first(type) > cn_store_room(store))
        return cn_store_refuse_bytes(store, cn_memory_first(type), error);
    return true;
}

static bool can_have_guards(const wasm_store_t *store, const struct memorytype *type) {
    return store->machine.guarded && guarded_reservation(type) <= SIZE_MAX && cn_os_guard_install();
}

/* Whether a memory fails for want of address space, instead of going without guard pages: the first
 * time since a memory was freed, after which the caller collects and tries again. */
static bool waits_for_collection(wasm_store_t *store, bool guards) {
    if (store->short_of_space || !guards || !cn_can_collect(store))
        return false;
    store->short_of_space = true;
    return true;
}

/* Reserves address space with guard pages, or takes over what a former memory had: *lent, and it is committed. */
static bool reserve_guarded(wasm_memory_t *memory, const wasm_store_t *store, bool *lent) {
    if (store->lend)
        memory->base = store->lend(store->lender, &memory->reserved);
    *lent = memory->base != NULL;
    if (!*lent) {
        memory->reserved = (size_t)guarded_reservation(&memory->type);
        memory->base = cn_os_reserve_all(memory->reserved, SPARE_MUCH);
    }
    if (!memory->base)
        return false;
    CN_ASSERT(memory->reserved == guarded_reservation(&memory->type));
    memory->max_pages = most_pages(&memory->type);
    memory->guarded = true;
    return true;
}

/* Reserves the bytes that are needed now, and as many of those that growth may need as leave the process enough. */
static bool reserve_some(wasm_memory_t *memory, const wasm_store_t *store) {
    uint64_t least = cn_memory_first(&memory->type) / WASM_PAGE_BYTES;
    uint64_t most = most_pages(&memory->type);
    uint64_t allowed =
        least + cn_store_room(store) / WASM_PAGE_BYTES; /* the least counts already */
    if (most > allowed)
        most = allowed;
    if (least > SIZE_MAX / WASM_PAGE_BYTES)
        return false;
    if (most > SIZE_MAX / WASM_PAGE_BYTES)
        most = SIZE_MAX / WASM_PAGE_BYTES;
    size_t least_bytes =
        least > 0 ? (size_t)least * WASM_PAGE_BYTES : 1; /* an empty one has a base */
    size_t most_bytes = most > 0 ? (size_t)most * WASM_PAGE_BYTES : 1;
    memory->base = cn_os_reserve_some(least_bytes, most_bytes, SPARE_MUCH, &memory->reserved);
    memory->max_pages = memory->reserved / WASM_PAGE_BYTES;
    return memory->base != NULL;
}

/* ---- Shared memories ---- */

uint8_t *cn_memory_reserve(const struct memorytype *type, bool guards, size_t *reserved,
                           bool *guarded) {
    uint64_t most = most_pages(type) * WASM_PAGE_BYTES;
    *reserved = (size_t)guarded_reservation(type);
    *guarded = guards && guarded_reservation(type) <= SIZE_MAX && cn_os_guard_install();
    uint8_t *base = *guarded ? cn_os_reserve_all(*reserved, SPARE_MUCH) : NULL;
    if (base)
        return base;
    *guarded = false;
    if (most > SIZE_MAX)
        return NULL;
    *reserved = most > 0 ? (size_t)most : 1; /* an empty one has a base */
    return cn_os_reserve_all(*reserved, SPARE_MUCH);
}

uint64_t cn_memory_look(wasm_memory_t *memory) {
    uint64_t size = atomic_load(&memory->shared->size);
    CN_ASSERT(size >= memory->size);
    memory->ref.store->memory_bytes += size - memory->size;
    return memory->size = memory->extent = size;
}

wasm_memory_t *cn_memory_view(wasm_store_t *store, struct catnap_shared_memory_t *shared,
                              struct error *error) {
    uint64_t size = atomic_load(&shared->size);
    if (store->checkpoints || (store->budget && !store->budget->of_threads)) {
        cn_fail(error, CATNAP_UNSUPPORTED,
                "a store with checkpoints, or of a pool, cannot have a shared memory");
        return NULL;
    }
    if (size > cn_store_room(store)) {
        cn_store_refuse_bytes(store, size, error);
        return NULL;
    }
    wasm_memory_t *memory = cn_calloc(store->alloc, 1, sizeof *memory);
    if (!memory) {
        cn_fail_memory(error);
        return NULL;
    }
    memory->shared = shared;
    memory->type = shared->type;
    memory->base = shared->base;
    memory->reserved = shared->reserved;
    memory->max_pages = shared->max_pages;
    memory->guarded = shared->guarded && store->machine.guarded;
    memory->size = memory->extent = size;
    cn_shared_memory_retain(shared);
    atomic_fetch_add(&shared->views, 1);
    cn_object_init(&memory->ref, OBJECT_MEMORY, store);
    store->memory_bytes += size;
    store->reserved_bytes += memory->reserved;
    store->shared_memories++;
    return memory;
}

static wasm_memory_t *new_shared(wasm_store_t *store, const struct memorytype *type, bool guards,
                                 struct error *error) {
    struct catnap_shared_memory_t *shared =
        cn_shared_memory_new(store->engine, type, guards, error);
    wasm_memory_t *view = shared ? cn_memory_view(store, shared, error) : NULL;
    cn_shared_memory_release(shared);
    return view;
}

/* The new pages count once among the stores of a program's threads, and stay counted. */
static int64_t grow_shared(wasm_memory_t *memory, uint64_t pages) {
    struct budget *budget = memory->ref.store->budget;
    if (budget && !cn_budget_take(budget, pages * WASM_PAGE_BYTES))
        return -1;
    int64_t old = cn_shared_memory_grow(memory->shared, pages);
    if (budget && old < 0)
        cn_budget_give(budget, pages * WASM_PAGE_BYTES);
    cn_memory_look(memory);
    return old;
}

/* ---- Any memory ---- */

wasm_memory_t *cn_memory_new(wasm_store_t *store, const struct memorytype *type, bool guards,
                             struct error *error) {
    guards = guards && !type->byte_pages && can_have_guards(store, type);
    if (!check_limits(store, type, error))
        return NULL;
    if (type->is_shared)
        return new_shared(store, type, guards, error);
    wasm_memory_t *memory = cn_calloc(store->alloc, 1, sizeof *memory);
    if (!memory) {
        cn_fail_memory(error);
        return NULL;
    }
    memory->type = *type;
    uint64_t size = cn_memory_first(type);
    if (!cn_store_take_memory(store, size)) {
        cn_free(store->alloc, memory, sizeof *memory);
        cn_fail(error, CATNAP_LIMIT,
                "a memory of %" PRIu64 " bytes exceeds the limit that several stores share", size);
        return NULL;
    }
    bool lent = false;
    if ((!guards || !reserve_guarded(memory, store, &lent)) &&
        (waits_for_collection(store, guards) || !reserve_some(memory, store)))
        goto fail;
    if (size > 0 && !lent && !cn_os_commit(memory->base, (size_t)size)) {
        cn_os_release(memory->base, memory->reserved);
        goto fail;
    }
    cn_object_init(&memory->ref, OBJECT_MEMORY, store);
    cn_memory_set_first(memory);
    CN_ASSERT(memory->size == size);
    store->reserved_bytes += memory->reserved;
    return memory;
fail:
    cn_store_give_memory(store, size);
    cn_free(store->alloc, memory, sizeof *memory);
    cn_fail(error, CATNAP_NO_MEMORY, "cannot map a memory of %" PRIu64 " bytes", size);
    return NULL;
}

void cn_memory_set_first(wasm_memory_t *memory) {
    memory->size = cn_memory_first(&memory->type);
    memory->extent = memory->type.limits.min << cn_page_log2(&memory->type);
}

uint64_t cn_memory_room_there(const wasm_memory_t *memory) {
    uint64_t size = memory->shared ? atomic_load(&memory->shared->size) : memory->size;
    uint64_t room = memory->max_pages - size / WASM_PAGE_BYTES;
    uint64_t bytes = cn_store_room(memory->ref.store),
             left = cn_store_budget_left(memory->ref.store);
    uint64_t allowed = (bytes < left ? bytes : left) / WASM_PAGE_BYTES;
    return room < allowed ? room : allowed;
}

uint64_t cn_memory_room(const wasm_memory_t *memory) {
    uint64_t room = cn_memory_room_there(memory);
    if (likely(!memory->type.byte_pages))
        return room;
    uint64_t bytes = room * WASM_PAGE_BYTES + (memory->size - memory->extent);
    uint64_t most = most_of_type(&memory->type) - memory->extent;
    return bytes < most ? bytes : most;
}

/* Makes so many bytes more be there, in whole pages of WASM_PAGE_BYTES. */
static bool grow_by(wasm_memory_t *memory, uint64_t bytes) {
    wasm_store_t *store = memory->ref.store;
    if (!cn_store_take_memory(store, bytes))
        return false;
    if (bytes > 0 && !cn_os_commit(memory->base + memory->size, (size_t)bytes)) {
        cn_store_give_memory(store, bytes);
        return false;
    }
    memory->size += bytes;
    CN_ASSERT(memory->size <= memory->reserved &&
              memory->size / WASM_PAGE_BYTES <= memory->max_pages);
    return true;
}

bool cn_memory_grow_there(wasm_memory_t *memory, uint64_t pages) {
    if (!memory->type.byte_pages)
        return cn_memory_grow(memory, pages) >= 0;
    return pages <= cn_memory_room_there(memory) && grow_by(memory, pages * WASM_PAGE_BYTES);
}

bool cn_memory_set_extent(wasm_memory_t *memory, uint64_t extent) {
    const struct memorytype *type = &memory->type;
    if (!type->byte_pages)
        return extent == memory->size;
    if (extent < type->limits.min || extent > most_of_type(type) ||
        cn_whole_pages(extent) != memory->size)
        return false;
    memory->extent = extent;
    return true;
}

void cn_memory_clear_tail(wasm_memory_t *memory) {
    uint8_t *tail = memory->base + memory->extent;
    size_t length = (size_t)(memory->size - memory->extent);
    if (length > 0 && (tail[0] || memcmp(tail, tail + 1, length - 1) != 0))
        memset(tail, 0, length);
}

int64_t cn_memory_grow(wasm_memory_t *memory, uint64_t pages) {
    unsigned log2 = cn_page_log2(&memory->type);
    uint64_t old = memory->extent >> log2;
    if (pages > cn_memory_room(memory))
        return -1;
    if (memory->shared)
        return grow_shared(memory, pages);
    uint64_t extent = memory->extent + (pages << log2);
    if (!grow_by(memory, cn_whole_pages(extent) - memory->size))
        return -1;
    memory->extent = extent;
    return (int64_t)old;
}
