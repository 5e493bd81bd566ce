/*
 * Shared memories. One belongs to its engine; each store that uses it has a view of it, a wasm_memory_t that
 * refers to it. Its address space is reserved once by its maximum, so that growth moves nothing.
 *
 * Its size is atomic and never shrinks. The size in a view belongs to the view's thread and may be behind: code that
 * finds an address out of its bounds looks at the memory's size (cn_memory_size) before it traps.
 */
#ifndef CN_RUNTIME_SHARED_MEMORY_H
#define CN_RUNTIME_SHARED_MEMORY_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/engine.h"
#include "runtime/memory.h"

struct waiter;
struct machine;

/* Alive as long as a handle of the embedder or a view refers to it. */
struct catnap_shared_memory_t {
    _Atomic uint32_t references;
    wasm_engine_t *engine;
    struct memorytype type; /* min is as declared */
    uint8_t *base;
    size_t reserved;
    uint64_t max_pages;
    bool guarded;
    _Atomic uint64_t size;  /* bytes */
    _Atomic uint32_t views; /* of all stores */
    pthread_mutex_t mutex;  /* of growth and of the waiters */
    struct waiter *first, *last;
};

/* A memory of the type's minimum size, zeroed, with one reference. `guards`: with guard pages where address space
 * allows. NULL and *error when the system does not allow it. */
struct catnap_shared_memory_t *cn_shared_memory_new(wasm_engine_t *, const struct memorytype *,
                                                    bool guards, struct error *);
void cn_shared_memory_retain(struct catnap_shared_memory_t *);
void cn_shared_memory_release(struct catnap_shared_memory_t *); /* NULL allowed */
/* Grows by `pages`, of which the caller has checked its own limits. The old size in pages, or -1. */
int64_t cn_shared_memory_grow(struct catnap_shared_memory_t *, uint64_t pages);

/* How a wait ended. The first three are the instruction's results. */
enum wait_end { WAIT_NOTIFIED, WAIT_NOT_EQUAL, WAIT_TIMED_OUT, WAIT_INTERRUPTED, WAIT_FAILED };
/* Waits at an address, if the `bytes` bytes there equal what is expected, until it is notified, or `*timeout`
 * nanoseconds have passed (negative: for ever), or the call under way is interrupted; *timeout is what is left then.
 * WAIT_FAILED: the process has no descriptor left. */
enum wait_end cn_shared_memory_wait(struct catnap_shared_memory_t *, struct machine *,
                                    uint64_t address, uint64_t expected, unsigned bytes,
                                    int64_t *timeout);
/* Wakes at most `count` of the threads that wait at the address, those first that came first; how many. */
uint32_t cn_shared_memory_notify(struct catnap_shared_memory_t *, uint64_t address, uint32_t count);

#endif
