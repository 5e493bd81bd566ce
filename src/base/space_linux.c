/*
 * Linux: address space, which the process may have little of (RLIMIT_AS, or thousands of memories
 * with guard pages). A large reservation leaves room for the rest of the process: its malloc(), the
 * stacks of its threads, its files.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/platform.h"

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

/* ---- How much there is ---- */

/* The system gives addresses from the top downwards: above this, there is plenty left. */
#define AMPLE_ADDRESS (UINT64_C(1) << 40)

/* The process's limit of address space, or UINT64_MAX. */
static uint64_t space_limit(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX
                                                                                : limit.rlim_cur;
}

/* Bytes of address space that are in use; false when that cannot be known. */
static bool space_used(uint64_t *bytes) {
    char text[64];
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    if (got <= 0)
        return false;
    text[got] = 0;
    *bytes = strtoull(text, NULL, 10) * cn_os_page_bytes();
    return true;
}

/* Bytes that could be reserved in one piece, at most `wanted`: tried out, to a factor of two. */
static uint64_t try_out(uint64_t wanted) {
    for (; wanted >= cn_os_page_bytes(); wanted /= 2) {
        void *start = cn_os_reserve(wanted > SIZE_MAX ? SIZE_MAX : (size_t)wanted);
        if (!start)
            continue;
        cn_os_release(start, (size_t)wanted);
        return wanted;
    }
    return 0;
}

/* Bytes that are left, at most `wanted`. Under a limit they are computed rather than tried out, since
 * another thread's malloc() could fail meanwhile. */
static uint64_t space_left(uint64_t limit, uint64_t wanted) {
    uint64_t used;
    if (limit == UINT64_MAX || !space_used(&used))
        return try_out(wanted);
    uint64_t left = limit > used ? limit - used : 0;
    return left < wanted ? left : wanted;
}

/* ---- Reservations that leave something ---- */

#define MOST_SPARE (UINT64_C(4) << 30)

static uint64_t spare(uint64_t limit, unsigned share) {
    return (limit < MOST_SPARE ? limit : MOST_SPARE) / share;
}

/* A reservation of all that is wanted, where that is so little of what there is that nothing has to be
 * left; else NULL. */
static void *reserve_amply(uint64_t limit, size_t size) {
    void *start = limit == UINT64_MAX ? cn_os_reserve(size) : NULL;
    if (start && (uintptr_t)start < AMPLE_ADDRESS) {
        cn_os_release(start, size);
        return NULL;
    }
    return start;
}

void *cn_os_reserve_all(size_t size, unsigned share) {
    uint64_t limit = space_limit();
    void *start = reserve_amply(limit, size);
    if (start)
        return start;
    uint64_t wanted = (uint64_t)size + spare(limit, share);
    return space_left(limit, wanted) == wanted ? cn_os_reserve(size) : NULL;
}

static uint64_t least_of(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

void *cn_os_reserve_some(size_t least, size_t most, unsigned share, size_t *size) {
    uint64_t limit = space_limit(), kept = spare(limit, share), needed = spare(limit, SPARE_LITTLE);
    void *start = reserve_amply(limit, most);
    *size = most;
    if (start)
        return start;
    uint64_t left = space_left(limit, (uint64_t)most * 4 + kept);
    uint64_t some = least_of(most, least_of(left / 4, left > kept ? left - kept : 0));
    for (; some > least; some /= 2) {
        *size = (size_t)some / cn_os_page_bytes() * cn_os_page_bytes();
        start = *size > least ? cn_os_reserve(*size) : NULL;
        if (start)
            return start;
    }
    *size = least;
    return left >= least + needed ? cn_os_reserve(least) : NULL;
}
