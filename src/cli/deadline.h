/* A time limit: a thread of its own interrupts the call that is under way when the time is over. */
#ifndef CATNAP_CLI_DEADLINE_H
#define CATNAP_CLI_DEADLINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "catnap.h"

struct deadline {
    bool running; /* the thread exists */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct timespec at;
    wasm_store_t *store;
    uint64_t call_id; /* what to interrupt; 0 before the first call */
    bool expired, stop;
};

/* Starts the clock. False when there is no thread to be had. */
bool deadline_start(struct deadline *, wasm_store_t *, uint64_t nanoseconds);

/* To be called right before each call into the store: that call is the one to interrupt from now
 * on. False when the time is over already. Without a running clock, true. */
bool deadline_arm(struct deadline *);

/* Whether the time is over. */
bool deadline_expired(struct deadline *);

/* Stops the clock and its thread; true when the time was over. Before the store is deleted. */
bool deadline_stop(struct deadline *);

#endif
