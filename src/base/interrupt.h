/*
 * The request to interrupt one call. Each outermost call (and each instantiation) of a store has an id; a
 * request names the id that it means, so that a request which comes too late does nothing.
 */
#ifndef CN_BASE_INTERRUPT_H
#define CN_BASE_INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct interrupt {
    _Atomic uint64_t request; /* the call id that is to stop; any thread sets it */
    _Atomic uint64_t
        call_id;  /* of the outermost call under way, or of the next; the store's thread sets it */
    bool enabled; /* the engine's configuration: code checks for requests */
};

/* Whether the outermost call or the instantiation under way has been asked to stop. */
static inline bool cn_interrupted(const struct interrupt *interrupt) {
    return interrupt->enabled &&
           atomic_load_explicit(&interrupt->request, memory_order_relaxed) ==
               atomic_load_explicit(&interrupt->call_id, memory_order_relaxed);
}

#endif
