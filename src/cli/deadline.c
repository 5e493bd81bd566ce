#include "deadline.h"

#include <errno.h>
#include <signal.h>

#define NANOSECONDS_PER_SECOND UINT64_C(1000000000)
/* A limit beyond this many seconds, some centuries, counts as this many. */
#define LONGEST UINT64_C(10000000000)

static void *deadline_thread(void *argument) {
    struct deadline *deadline = argument;
    int result = 0;
    pthread_mutex_lock(&deadline->mutex);
    while (!deadline->stop && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&deadline->changed, &deadline->mutex, &deadline->at);
    if (!deadline->stop) {
        deadline->expired = true;
        if (deadline->call_id != 0)
            catnap_store_interrupt(deadline->store, deadline->call_id);
    }
    pthread_mutex_unlock(&deadline->mutex);
    return NULL;
}

static void set_time(struct deadline *deadline, uint64_t nanoseconds) {
    uint64_t seconds = nanoseconds / NANOSECONDS_PER_SECOND;
    clock_gettime(CLOCK_MONOTONIC, &deadline->at);
    uint64_t fraction = (uint64_t)deadline->at.tv_nsec + nanoseconds % NANOSECONDS_PER_SECOND;
    seconds = seconds < LONGEST ? seconds : LONGEST;
    deadline->at.tv_sec += (time_t)(seconds + fraction / NANOSECONDS_PER_SECOND);
    deadline->at.tv_nsec = (long)(fraction % NANOSECONDS_PER_SECOND);
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

bool deadline_start(struct deadline *deadline, wasm_store_t *store, uint64_t nanoseconds) {
    pthread_condattr_t attributes;
    *deadline = (struct deadline){.store = store};
    set_time(deadline, nanoseconds);
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

bool deadline_arm(struct deadline *deadline) {
    if (!deadline->running)
        return true;
    pthread_mutex_lock(&deadline->mutex);
    deadline->call_id = catnap_store_call_id(deadline->store);
    bool expired = deadline->expired;
    pthread_mutex_unlock(&deadline->mutex);
    return !expired;
}

bool deadline_expired(struct deadline *deadline) {
    if (!deadline->running)
        return deadline->expired;
    pthread_mutex_lock(&deadline->mutex);
    bool expired = deadline->expired;
    pthread_mutex_unlock(&deadline->mutex);
    return expired;
}

bool deadline_stop(struct deadline *deadline) {
    if (!deadline->running)
        return deadline->expired;
    pthread_mutex_lock(&deadline->mutex);
    deadline->stop = true;
    pthread_cond_signal(&deadline->changed);
    pthread_mutex_unlock(&deadline->mutex);
    pthread_join(deadline->thread, NULL);
    pthread_cond_destroy(&deadline->changed);
    pthread_mutex_destroy(&deadline->mutex);
    deadline->running = false;
    return deadline->expired;
}
