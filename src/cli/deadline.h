/*
 * The time limit of a command, from its start to its end. A thread of its own waits for the time. While
 * a call into a store is under way it then interrupts that call, so that the command can say where the
 * guest was; at any other time, or when the call does not stop soon, it ends the process: reading from a
 * pipe, waiting for a child, loading and opening have no other way to be stopped.
 */
#ifndef CATNAP_CLI_DEADLINE_H
#define CATNAP_CLI_DEADLINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "catnap.h"
#include "diag.h"

struct deadline {
    bool running; /* the thread exists */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct timespec at;
    const struct diag *diag;
    const char *subject;  /* what the message is about; borrowed, or NULL */
    uint64_t nanoseconds; /* the limit */
    wasm_store_t *store;
    uint64_t call_id; /* in the store, what to interrupt; 0: no call is under way */
    bool held;        /* the process must not end now */
    bool exit_known;  /* the exit code is known: only output is left */
    bool expired, stop;
};

/* Starts the clock. False when there is no thread to be had. */
bool deadline_start(struct deadline *, const struct diag *, const char *subject,
                    uint64_t nanoseconds);

/* Around each call into a store: that call is the one to interrupt. Arming is false when the time is
 * over already. Without a running clock, true. */
bool deadline_arm(struct deadline *, wasm_store_t *);
void deadline_disarm(struct deadline *);

/* Around what must not be left half done, such as a file under a temporary name: the process ends
 * afterwards. */
void deadline_hold(struct deadline *);
void deadline_release(struct deadline *);

/* Whether the time is over. */
bool deadline_expired(struct deadline *);

/* Reports that the time is over, and returns the exit code for it. */
enum cli_exit deadline_report(const struct deadline *);

/* Once it is known how the command ends and before it says so: no call is under way any more. The
 * process ends silently when its output is not taken within the limit and a grace period. Does not
 * return while the thread ends the process. */
void deadline_settle(struct deadline *);

/* Stops the clock and its thread. When all output is written, and before the store is deleted. Does not
 * return while the thread ends the process. */
void deadline_stop(struct deadline *);

#endif
