/* The four clocks. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <time.h>

#include "wasi/state.h"

bool cn_wasi_clock(uint32_t id, int *clock) {
    static const int clocks[] = {
        [WASI_CLOCK_REALTIME] = CLOCK_REALTIME,
        [WASI_CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
        [WASI_CLOCK_PROCESS_CPUTIME] = CLOCK_PROCESS_CPUTIME_ID,
        [WASI_CLOCK_THREAD_CPUTIME] = CLOCK_THREAD_CPUTIME_ID,
    };
    if (id >= sizeof clocks / sizeof clocks[0])
        return false;
    *clock = clocks[id];
    return true;
}

static uint16_t tell(struct wasi_call *call, uint64_t id, uint64_t out,
                     int (*ask)(clockid_t, struct timespec *)) {
    struct timespec t;
    int clock;

    if (!cn_wasi_clock((uint32_t)id, &clock))
        return WASI_INVAL;
    if (!cn_guest_range(&call->memory, (uint32_t)out, 8))
        return WASI_FAULT;
    if (ask(clock, &t) < 0)
        return cn_wasi_errno(errno);
    cn_put_u64(cn_guest_at(&call->memory, (uint32_t)out),
               (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec);
    return WASI_SUCCESS;
}

uint16_t cn_wasi_clock_res_get(struct wasi_call *call, const uint64_t *a) {
    return tell(call, a[0], a[1], clock_getres);
}

/* The precision that is asked for is always met. */
uint16_t cn_wasi_clock_time_get(struct wasi_call *call, const uint64_t *a) {
    return tell(call, a[0], a[2], clock_gettime);
}
