#include "deadline.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio_ext.h>
#include <unistd.h>

#define NANOSECONDS_PER_SECOND UINT64_C(1000000000)
/* A limit beyond this many seconds, some centuries, counts as this many. */
#define LONGEST UINT64_C(10000000000)
/* The time in which a call that was interrupted has to come to an end, and the command to say so. */
#define GRACE (2 * NANOSECONDS_PER_SECOND)

/* The point in time that lies so far ahead. */
static struct timespec time_after(uint64_t nanoseconds) {
    uint64_t seconds = nanoseconds / NANOSECONDS_PER_SECOND;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    uint64_t fraction = (uint64_t)at.tv_nsec + nanoseconds % NANOSECONDS_PER_SECOND;
    seconds = seconds < LONGEST ? seconds : LONGEST;
    at.tv_sec += (time_t)(seconds + fraction / NANOSECONDS_PER_SECOND);
    at.tv_nsec = (long)(fraction % NANOSECONDS_PER_SECOND);
    return at;
}

enum cli_exit deadline_report(const struct deadline *deadline) {
    return diag_fail(deadline->diag, CLI_EXIT_TIMEOUT, deadline->subject,
                     "stopped after %g seconds", (double)deadline->nanoseconds / 1e9);
}

/* Without a message when that would have to wait: for the main thread, which writes one itself, or for
 * those who read it; nor when only writing is left, for which the main thread waits. */
static _Noreturn void end_process(const struct deadline *deadline) {
    struct pollfd item = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (!deadline->exit_known && ftrylockfile(stderr) == 0 && poll(&item, 1, 0) == 1) {
        __fpurge(stderr);
        deadline_report(deadline);
    }
    _exit(CLI_EXIT_TIMEOUT);
}

/* Waits until the time `at`; false when the clock was stopped before. */
static bool wait_until(struct deadline *deadline, const struct timespec *at) {
    int result = 0;
    while (!deadline->stop && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&deadline->changed, &deadline->mutex, at);
    return !deadline->stop;
}

/* Waits until the process may end; false when the clock was stopped before. */
static bool wait_for_end(struct deadline *deadline) {
    if (deadline->call_id == 0 && !deadline->held && !deadline->exit_known)
        return true;
    if (deadline->call_id != 0)
        catnap_store_interrupt(deadline->store, deadline->call_id);
    do {
        while (deadline->held && !deadline->stop)
            pthread_cond_wait(&deadline->changed, &deadline->mutex);
        struct timespec at = time_after(GRACE);
        if (!wait_until(deadline, &at))
            return false;
    } while (deadline->held);
    return true;
}

static void *deadline_thread(void *argument) {
    struct deadline *deadline = argument;
    pthread_mutex_lock(&deadline->mutex);
    if (wait_until(deadline, &deadline->at)) {
        deadline->expired = true;
        if (wait_for_end(deadline))
            end_process(deadline);
    }
    pthread_mutex_unlock(&deadline->mutex);
    return NULL;
}

/* Starts the thread with all signals blocked, so that they keep reaching the guest's thread. */
static bool start_thread(struct deadline *deadline) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&deadline->thread, NULL, deadline_thread, deadline) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

bool deadline_start(struct deadline *deadline, const struct diag *diag, const char *subject,
                    uint64_t nanoseconds) {
    pthread_condattr_t attributes;
    *deadline = (struct deadline){.diag = diag,
                                  .subject = subject,
                                  .nanoseconds = nanoseconds,
                                  .at = time_after(nanoseconds)};
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool made = pthread_cond_init(&deadline->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (!made)
        return false;
    pthread_mutex_init(&deadline->mutex, NULL);
    deadline->running = start_thread(deadline);
    if (!deadline->running) {
        pthread_cond_destroy(&deadline->changed);
        pthread_mutex_destroy(&deadline->mutex);
    }
    return deadline->running;
}

bool deadline_arm(struct deadline *deadline, wasm_store_t *store) {
    if (!deadline->running)
        return true;
    pthread_mutex_lock(&deadline->mutex);
    deadline->store = store;
    deadline->call_id = catnap_store_call_id(store);
    bool expired = deadline->expired;
    pthread_mutex_unlock(&deadline->mutex);
    return !expired;
}

void deadline_disarm(struct deadline *deadline) {
    if (!deadline->running)
        return;
    pthread_mutex_lock(&deadline->mutex);
    deadline->call_id = 0;
    pthread_mutex_unlock(&deadline->mutex);
}

static void set_held(struct deadline *deadline, bool held) {
    if (!deadline->running)
        return;
    pthread_mutex_lock(&deadline->mutex);
    deadline->held = held;
    pthread_cond_signal(&deadline->changed);
    pthread_mutex_unlock(&deadline->mutex);
}

void deadline_hold(struct deadline *deadline) {
    set_held(deadline, true);
}

void deadline_release(struct deadline *deadline) {
    set_held(deadline, false);
}

bool deadline_expired(struct deadline *deadline) {
    if (!deadline->running)
        return deadline->expired;
    pthread_mutex_lock(&deadline->mutex);
    bool expired = deadline->expired;
    pthread_mutex_unlock(&deadline->mutex);
    return expired;
}

void deadline_settle(struct deadline *deadline) {
    if (!deadline->running)
        return;
    pthread_mutex_lock(&deadline->mutex);
    deadline->call_id = 0;
    deadline->exit_known = true;
    pthread_mutex_unlock(&deadline->mutex);
}

void deadline_stop(struct deadline *deadline) {
    if (!deadline->running)
        return;
    pthread_mutex_lock(&deadline->mutex);
    deadline->stop = true;
    pthread_cond_signal(&deadline->changed);
    pthread_mutex_unlock(&deadline->mutex);
    pthread_join(deadline->thread, NULL);
    pthread_cond_destroy(&deadline->changed);
    pthread_mutex_destroy(&deadline->mutex);
    deadline->running = false;
}
