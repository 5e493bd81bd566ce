/* Shared memories of an engine: their life and growth, and the threads that wait at their addresses. */
#include "runtime/shared_memory.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/platform.h"
#include "runtime/machine.h"

struct catnap_shared_memory_t *cn_shared_memory_new(wasm_engine_t *engine,
                                                    const struct memorytype *type, bool guards,
                                                    struct error *error) {
    CN_ASSERT(type->is_shared && type->limits.has_max && type->limits.min <= type->limits.max);
    struct catnap_shared_memory_t *m = cn_calloc(&engine->alloc, 1, sizeof *m);
    if (!m || pthread_mutex_init(&m->mutex, NULL) != 0) {
        cn_free(&engine->alloc, m, sizeof *m);
        cn_fail_memory(error);
        return NULL;
    }
    uint64_t size = type->limits.min * WASM_PAGE_BYTES;
    m->type = *type;
    uint64_t most = type->limits.is_64 ? LIMIT_MEMORY64_PAGES : LIMIT_MEMORY_PAGES;
    if (type->limits.min <= most) /* what is reserved holds so many */
        m->base = cn_memory_reserve(type, guards, &m->reserved, &m->guarded);
    if (!m->base || (size > 0 && !cn_os_commit(m->base, (size_t)size))) {
        if (m->base)
            cn_os_release(m->base, m->reserved);
        pthread_mutex_destroy(&m->mutex);
        cn_free(&engine->alloc, m, sizeof *m);
        cn_fail(error, CATNAP_NO_MEMORY, "cannot map a memory of %" PRIu64 " bytes", size);
        return NULL;
    }
    m->max_pages = type->limits.max < most ? type->limits.max : most;
    m->engine = engine;
    cn_engine_retain(engine);
    atomic_init(&m->references, 1);
    atomic_init(&m->size, size);
    return m;
}

void cn_shared_memory_retain(struct catnap_shared_memory_t *m) {
    atomic_fetch_add_explicit(&m->references, 1, memory_order_relaxed);
}

void cn_shared_memory_release(struct catnap_shared_memory_t *m) {
    if (!m || atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) != 1)
        return;
    wasm_engine_t *engine = m->engine;
    CN_ASSERT(!m->first);
    cn_os_release(m->base, m->reserved);
    pthread_mutex_destroy(&m->mutex);
    cn_free(&engine->alloc, m, sizeof *m);
    cn_engine_release(engine);
}

int64_t cn_shared_memory_grow(struct catnap_shared_memory_t *m, uint64_t pages) {
    int64_t old = -1;
    pthread_mutex_lock(&m->mutex);
    uint64_t size = atomic_load_explicit(&m->size, memory_order_relaxed);
    if (pages <= m->max_pages - size / WASM_PAGE_BYTES &&
        (pages == 0 || cn_os_commit(m->base + size, (size_t)(pages * WASM_PAGE_BYTES)))) {
        old = (int64_t)(size / WASM_PAGE_BYTES);
        atomic_store(&m->size, size + pages * WASM_PAGE_BYTES);
    }
    pthread_mutex_unlock(&m->mutex);
    return old;
}

/* ---- Waiting ---- */

/* A thread that waits: on its C stack, in the list of its memory until it is notified or gives up. */
struct waiter {
    struct waiter *next, *previous;
    uint64_t address;
    int event; /* of the thread's machine: signalled by notify and by interrupts */
    bool notified;
};

static void append(struct catnap_shared_memory_t *m, struct waiter *w) {
    w->previous = m->last;
    *(m->last ? &m->last->next : &m->first) = w;
    m->last = w;
}

static void take_out(struct catnap_shared_memory_t *m, struct waiter *w) {
    *(w->previous ? &w->previous->next : &m->first) = w->next;
    *(w->next ? &w->next->previous : &m->last) = w->previous;
}

static uint64_t value_at(const uint8_t *place, unsigned bytes) {
    if (bytes == 4)
        return __atomic_load_n((const uint32_t *)(const void *)place, __ATOMIC_SEQ_CST);
    return __atomic_load_n((const uint64_t *)(const void *)place, __ATOMIC_SEQ_CST);
}

/* With the mutex held, which it lets go of while it sleeps. */
static enum wait_end sleep_until(struct catnap_shared_memory_t *m, struct machine *vm,
                                 struct waiter *w, int64_t *timeout) {
    uint64_t start = cn_os_monotonic_ns(), passed = 0, given = (uint64_t)*timeout;
    bool for_ever = *timeout < 0;
    for (;;) {
        /* A signal from here on ends the sleep: it comes with the mutex, or is of an interrupt. */
        w->event = cn_machine_event(vm);
        if (w->notified)
            return WAIT_NOTIFIED;
        if (cn_machine_interrupted(vm)) {
            *timeout = for_ever ? *timeout : (int64_t)(given - passed);
            return WAIT_INTERRUPTED;
        }
        if (!for_ever && passed >= given)
            return WAIT_TIMED_OUT;
        if (w->event < 0)
            return WAIT_FAILED;
        pthread_mutex_unlock(&m->mutex);
        cn_os_event_wait(w->event, for_ever ? UINT64_MAX : given - passed);
        pthread_mutex_lock(&m->mutex);
        passed = cn_os_monotonic_ns() - start;
        if (passed > given && !for_ever)
            passed = given;
    }
}

enum wait_end cn_shared_memory_wait(struct catnap_shared_memory_t *m, struct machine *vm,
                                    uint64_t address, uint64_t expected, unsigned bytes,
                                    int64_t *timeout) {
    struct waiter self = {.address = address, .event = -1};
    CN_ASSERT(address % bytes == 0 && address + bytes <= atomic_load(&m->size));
    pthread_mutex_lock(&m->mutex);
    enum wait_end end = WAIT_NOT_EQUAL;
    if (value_at(m->base + address, bytes) == expected) {
        append(m, &self);
        end = sleep_until(m, vm, &self, timeout);
        if (!self.notified)
            take_out(m, &self);
    }
    pthread_mutex_unlock(&m->mutex);
    return end;
}

uint32_t cn_shared_memory_notify(struct catnap_shared_memory_t *m, uint64_t address,
                                 uint32_t count) {
    uint32_t woken = 0;
    pthread_mutex_lock(&m->mutex);
    for (struct waiter *w = m->first, *next; w && woken < count; w = next) {
        next = w->next;
        if (w->address != address)
            continue;
        take_out(m, w);
        w->notified = true;
        cn_os_event_signal(w->event);
        woken++;
    }
    pthread_mutex_unlock(&m->mutex);
    return woken;
}
