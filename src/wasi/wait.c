/*
 * Waiting that can be interrupted, and signals held back while writing. Each wait inside the
 * kernel is a ppoll() together with the descriptor that tells of an interrupt.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "wasi/state.h"

#define NS_PER_SECOND UINT64_C(1000000000)
/* The host has no descriptor left that would tell of an interrupt: it is looked for so often. */
#define BLIND_NS UINT64_C(20000000)

bool cn_call_interrupted(struct wasi_call *call) {
    if (call->host->interrupted(call->host_env))
        call->outcome = WASI_INTERRUPTED;
    return call->outcome == WASI_INTERRUPTED;
}

uint16_t cn_call_partly(struct wasi_call *call, uint16_t error, size_t moved) {
    if (!moved || (error != WASI_AGAIN && call->outcome != WASI_INTERRUPTED))
        return error;
    call->outcome = WASI_RETURN;
    return WASI_SUCCESS;
}

static uint64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

int cn_call_poll(struct wasi_call *call, struct pollfd *items, uint32_t count,
                 uint64_t timeout_ns) {
    uint64_t start = monotonic_ns(), passed = 0;

    cn_call_unlock(call);
    for (;;) {
        /* Asking for the descriptor clears signals that were for earlier calls. ppoll() skips -1. */
        int interrupt = call->host->interrupt_fd(call->host_env);
        items[count] = (struct pollfd){.fd = interrupt, .events = POLLIN};
        if (cn_call_interrupted(call))
            return -EINTR;
        uint64_t left = timeout_ns - passed;
        if (interrupt < 0 && left > BLIND_NS)
            left = BLIND_NS;
        struct timespec wait = {.tv_sec = (time_t)(left / NS_PER_SECOND),
                                .tv_nsec = (long)(left % NS_PER_SECOND)};
        bool for_ever = timeout_ns == UINT64_MAX && interrupt >= 0;
        int ready = ppoll(items, (nfds_t)count + 1, for_ever ? NULL : &wait, NULL);
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready >= 0 && !items[count].revents && (ready > 0 || interrupt >= 0))
            return ready;
        passed = monotonic_ns() - start;
        if (passed > timeout_ns)
            passed = timeout_ns;
        if (ready == 0 && passed == timeout_ns)
            return 0;
    }
}

/* Locks, and looks once more at what is the host's and may wait in the kernel: of the threads that found it ready, another
 * one may have taken it. */
static bool take_turn(struct wasi_call *call, const struct wasi_fd *fd, short events) {
    struct pollfd item = {.fd = fd->host, .events = events};

    if (!fd->lent || !call->wasi->threads)
        return true;
    cn_call_lock(call);
    return poll(&item, 1, 0) != 0;
}

uint16_t cn_call_wait(struct wasi_call *call, const struct wasi_fd *fd, short events) {
    struct pollfd items[2] = {{.fd = fd->host, .events = events}};
    uint64_t timeout = fd->flags & WASI_FDFLAG_NONBLOCK ? 0 : UINT64_MAX;
    int ready;

    do
        ready = cn_call_poll(call, items, 1, timeout);
    while (ready > 0 && !take_turn(call, fd, events));
    if (ready < 0)
        return cn_wasi_errno(-ready);
    return ready ? WASI_SUCCESS : WASI_AGAIN;
}

/* ---- Signals that a write raises ------------------------------------------------------------- */

static void raised_by_writing(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
    sigaddset(set, SIGXFSZ);
}

void cn_signals_hold(const catnap_wasi_t *wasi, const struct wasi_fd *fd,
                     struct wasi_signals *signals) {
    sigset_t set;

    signals->held = fd->pipe || (wasi->file_size_limited && !fd->waits);
    if (!signals->held)
        return;
    raised_by_writing(&set);
    signals->held = pthread_sigmask(SIG_BLOCK, &set, &signals->old) == 0;
}

void cn_signals_release(struct wasi_signals *signals, int error) {
    int raised = error == EPIPE ? SIGPIPE : SIGXFSZ;
    sigset_t set;
    const struct timespec now = {0};

    if (!signals->held)
        return;
    /* If it was blocked before, one may have been pending before: it is left alone. */
    if ((error == EPIPE || error == EFBIG) && !sigismember(&signals->old, raised)) {
        sigemptyset(&set);
        sigaddset(&set, raised);
        while (sigtimedwait(&set, NULL, &now) < 0 && errno == EINTR)
            continue;
    }
    pthread_sigmask(SIG_SETMASK, &signals->old, NULL);
}
