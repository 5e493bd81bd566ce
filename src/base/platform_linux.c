/* Linux: virtual memory, clocks, events. Faults are in fault_linux.c. */
#include "base/platform.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

size_t cn_os_page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t size) {
    size_t page = cn_os_page_bytes();
    return size > SIZE_MAX - page ? 0 : (size + page - 1) / page * page;
}

void *cn_os_reserve(size_t size) {
    size = round_up(size);
    if (!size)
        return NULL;
    void *start = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

bool cn_os_commit(void *start, size_t size) {
    return size == 0 || mprotect(start, round_up(size), PROT_READ | PROT_WRITE) == 0;
}

void cn_os_release(void *start, size_t size) {
    if (start)
        munmap(start, round_up(size));
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
void cn_os_event_delete(int event) {
    if (event >= 0)
        close(event);
}
