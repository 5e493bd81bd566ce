/*
 * Pools of persistent instances, see catnap.h.
 *
 * A slot is empty, idle, or out. While it is out, it is its holder's, who alone touches it; all else
 * that changes is under the pool's mutex. Making, resetting and ending a slot take time and call
 * the embedder, so they happen while it is out, without the mutex.
 */
#ifndef CN_POOL_POOL_H
#define CN_POOL_POOL_H

#include <pthread.h>

#include "persist/original.h"
#include "runtime/instance.h"
#include "runtime/store.h"

enum slot_state {
    SLOT_EMPTY, /* has no store */
    SLOT_IDLE,  /* in the list of clean slots, or in those of kept ones */
    SLOT_OUT
};

struct catnap_pool_slot_t {
    catnap_pool_t *pool;
    struct catnap_pool_slot_t *all;             /* next of all that the pool ever had */
    struct catnap_pool_slot_t *next, *previous; /* in a list, by its state */
    struct catnap_pool_slot_t *chain;           /* kept ones of the same bucket */
    enum slot_state state;
    bool kept; /* has state of `tenant`; else it is as new */
    uint64_t tenant;
    void *data; /* the embedder's */

    wasm_store_t *store;
    wasm_instance_t *instance;
    wasm_func_t **functions;
    catnap_wasi_t *wasi;
    bool linked; /* `dispose` is to be called */
    bool broken; /* a reset failed half-way */
    bool looks;  /* whether the system has room for more is looked at before it is made */
    /* The store as it was when the slot was ready. */
    uint32_t level;
    uint64_t copies; /* bytes, taken from the budget */
    uint64_t handles, pins, objects;
    catnap_limits_t limits;
    void *store_data;
    uint64_t first_call;
    /* At the last reset. */
    uint64_t call, stops;
    uint32_t resets;
};

/* A thread that waits for a slot. */
struct waiter {
    struct waiter *next;
    pthread_cond_t served;
    uint64_t tenant;
    bool done;                       /* no longer in the queue */
    struct catnap_pool_slot_t *slot; /* out, or empty and to be made; NULL: there is no memory */
};

/* Slots in the order of their last use. */
struct slot_list {
    struct catnap_pool_slot_t *latest, *oldest;
};

#define POOL_BUCKETS 1024u

struct catnap_pool_t {
    wasm_engine_t *engine;
    struct alloc *alloc;
    struct shared_module *shared;
    struct budget *budget;
    catnap_pool_options_t options;
    uint32_t *exports; /* of options.functions: indices of exports */

    pthread_mutex_t mutex;
    uint32_t users; /* the owner, slots that are out, threads that wait, warm or trim */
    bool closed;
    struct catnap_pool_slot_t *all, *empty;
    uint32_t all_count, empty_count;
    struct slot_list clean, kept;
    struct catnap_pool_slot_t *buckets[POOL_BUCKETS]; /* kept ones by tenant */
    struct original *original; /* of the first slot, for the others; or NULL */
    bool original_claimed;     /* a thread makes it, or has made it */
    struct waiter *first_waiter, *last_waiter;
    uint32_t making;     /* of stats.slots, those under way */
    uint64_t slot_bytes; /* that the largest one took when it was ready */
    catnap_pool_stats_t stats;
};

enum slot_reason {
    REASON_NONE,
    RESET_CALLS,
    RESET_TRAP,
    RESET_MEMORY,
    RESET_TENANT,
    RESET_ASKED,
    RETIRED_CALLS,
    RETIRED_MEMORY,
    RETIRED_LEFT_OVER,
    RETIRED_FAILED,
    RETIRED_ASKED
};

static inline bool is_reset(enum slot_reason reason) {
    return reason >= RESET_CALLS && reason <= RESET_ASKED;
}

/* ---- slot.c ---- */
/* Fills an empty slot. On failure (own error) it is empty again. */
catnap_error_t *cn_pool_slot_make(struct catnap_pool_slot_t *);
/* Makes it empty. */
void cn_pool_slot_end(struct catnap_pool_slot_t *);
/* Makes it what it was when it was ready; an own error when the system refuses. */
catnap_error_t *cn_pool_slot_reset(struct catnap_pool_slot_t *);
/* Why a slot that is released is reset, or kept as it is, by the pool's options and the slot's contents. */
enum slot_reason cn_pool_slot_judge(const struct catnap_pool_slot_t *);
/* Whether a slot that was reset has nothing in it that was not there at first. */
bool cn_pool_slot_is_clean(const struct catnap_pool_slot_t *);
/* Whether no call is under way in its store. */
bool cn_pool_slot_is_still(const struct catnap_pool_slot_t *);
/* Bytes that it takes of the budget. */
uint64_t cn_pool_slot_bytes(const struct catnap_pool_slot_t *);

#endif
