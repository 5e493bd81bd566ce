/* Linux: pages, clocks, events. Address space is in space_linux.c, faults are in fault_linux.c. */
#include "base/platform.h"

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* ppoll */
#endif
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

size_t cn_os_page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t cn_os_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int cn_os_event_new(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}
void cn_os_event_signal(int event) {
    uint64_t one = 1;
    int saved = errno;
    if (write(event, &one, sizeof one) < 0)
        errno = saved; /* full: it is signalled already */
}
void cn_os_event_clear(int event) {
    uint64_t count;
    if (read(event, &count, sizeof count) < 0)
        return; /* was not signalled */
}
void cn_os_event_wait(int event, uint64_t nanoseconds) {
    struct pollfd item = {.fd = event, .events = POLLIN};
    struct timespec limit = {.tv_sec = (time_t)(nanoseconds / UINT64_C(1000000000)),
                             .tv_nsec = (long)(nanoseconds % UINT64_C(1000000000))};
    ppoll(&item, 1, nanoseconds == UINT64_MAX ? NULL : &limit, NULL);
}
void cn_os_event_delete(int event) {
    if (event >= 0)
        close(event);
}
