/* The program as such: arguments, environment, exit, signals, yielding, random bytes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sched.h>
#include <sys/random.h>

#include "wasi/state.h"

#define RANDOM_CHUNK (1u << 20) /* between looks at the interrupt */

static uint16_t put_sizes(struct wasi_call *call, const struct wasi_strings *strings,
                          const uint64_t *a) {
    uint32_t count = (uint32_t)a[0], bytes = (uint32_t)a[1];

    if (!cn_guest_range(&call->memory, count, 4) || !cn_guest_range(&call->memory, bytes, 4))
        return WASI_FAULT;
    cn_put_u32(cn_guest_at(&call->memory, count), strings->count);
    cn_put_u32(cn_guest_at(&call->memory, bytes), strings->bytes);
    return WASI_SUCCESS;
}

/* A table of pointers, and the strings that they point to, each with its NUL. */
static uint16_t put_strings(struct wasi_call *call, const struct wasi_strings *strings,
                            const uint64_t *a) {
    uint32_t table = (uint32_t)a[0], at = (uint32_t)a[1];

    if (!cn_guest_range(&call->memory, table, (uint64_t)strings->count * 4) ||
        !cn_guest_range(&call->memory, at, strings->bytes))
        return WASI_FAULT;
    for (uint32_t i = 0; i < strings->count; i++) {
        size_t size = strlen(strings->items[i]) + 1;
        cn_put_u32(cn_guest_at(&call->memory, table) + (uint64_t)i * 4, at);
        memcpy(cn_guest_at(&call->memory, at), strings->items[i], size);
        at += (uint32_t)size;
    }
    return WASI_SUCCESS;
}

uint16_t cn_wasi_args_sizes_get(struct wasi_call *call, const uint64_t *a) {
    return put_sizes(call, &call->wasi->arguments, a);
}

uint16_t cn_wasi_args_get(struct wasi_call *call, const uint64_t *a) {
    return put_strings(call, &call->wasi->arguments, a);
}

uint16_t cn_wasi_environ_sizes_get(struct wasi_call *call, const uint64_t *a) {
    return put_sizes(call, &call->wasi->environment, a);
}

uint16_t cn_wasi_environ_get(struct wasi_call *call, const uint64_t *a) {
    return put_strings(call, &call->wasi->environment, a);
}

static uint16_t exit_with(struct wasi_call *call, uint32_t status) {
    call->outcome = WASI_EXIT;
    call->exit_status = status;
    return WASI_SUCCESS;
}

uint16_t cn_wasi_proc_exit(struct wasi_call *call, const uint64_t *a) {
    return exit_with(call, (uint32_t)a[0]);
}

/* Does what the signal does by default, to the guest alone: most end it with 128 + signal. */
uint16_t cn_wasi_proc_raise(struct wasi_call *call, const uint64_t *a) {
    enum {
        SIGNAL_CHLD = 16,
        SIGNAL_CONT,
        SIGNAL_STOP,
        SIGNAL_TSTP,
        SIGNAL_TTIN,
        SIGNAL_TTOU,
        SIGNAL_URG,
        SIGNAL_WINCH = 27
    };
    uint32_t number = (uint32_t)a[0];

    if (number > WASI_SIGNAL_MAX)
        return WASI_INVAL;
    switch (number) {
    case 0:
    case SIGNAL_CHLD:
    case SIGNAL_CONT:
    case SIGNAL_URG:
    case SIGNAL_WINCH:
        return WASI_SUCCESS; /* ignored */
    case SIGNAL_STOP:
    case SIGNAL_TSTP:
    case SIGNAL_TTIN:
    case SIGNAL_TTOU:
        return WASI_NOTSUP; /* nothing could continue it */
    default:
        return exit_with(call, 128 + number);
    }
}

uint16_t cn_wasi_sched_yield(struct wasi_call *call, const uint64_t *a) {
    (void)call;
    (void)a;
    sched_yield();
    return WASI_SUCCESS;
}

uint16_t cn_wasi_random_get(struct wasi_call *call, const uint64_t *a) {
    uint32_t out = (uint32_t)a[0], size = (uint32_t)a[1];

    if (!cn_guest_range(&call->memory, out, size))
        return WASI_FAULT;
    uint8_t *at = cn_guest_at(&call->memory, out);
    while (size) {
        if (cn_call_interrupted(call))
            return WASI_INTR;
        ssize_t got = getrandom(at, size < RANDOM_CHUNK ? size : RANDOM_CHUNK, 0);
        if (got < 0 && errno != EINTR)
            return cn_wasi_errno(errno);
        if (got > 0) {
            at += got;
            size -= (uint32_t)got;
        }
    }
    return WASI_SUCCESS;
}
