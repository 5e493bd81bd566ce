#include "base/pagemap_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>

#include "base/kernel.h"
#include "base/platform.h"

struct region {
    uint64_t start, end, categories;
};
#define SCAN _IOWR('f', 16, struct pagemap_request)

#define REGIONS_AT_ONCE 64

int cn_pagemap_open(void) {
    return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

bool cn_pagemap_scan(int file, struct pagemap_request request, const uint8_t *start, size_t size,
                     const uint8_t *base, void (*found)(void *env, size_t from, size_t to),
                     void *env) {
    struct region regions[REGIONS_AT_ONCE];
    uint64_t first = (uint64_t)(uintptr_t)base;
    request.size = sizeof request;
    request.start = (uint64_t)(uintptr_t)start;
    request.end = request.start + size;
    request.regions = (uint64_t)(uintptr_t)regions;
    request.region_count = REGIONS_AT_ONCE;
    while (request.start < request.end) {
        int count = ioctl(file, SCAN, &request);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        CN_WRITTEN_BY_KERNEL(regions, (size_t)count * sizeof regions[0]);
        CN_WRITTEN_BY_KERNEL(&request.walk_end, sizeof request.walk_end);
        for (int i = 0; i < count; i++)
            found(env, (size_t)(regions[i].start - first), (size_t)(regions[i].end - first));
        request.start = request.walk_end;
    }
    return true;
}

bool cn_pagemap_own(int file, const uint8_t *start, size_t size, const uint8_t *base,
                    void (*found)(void *env, size_t from, size_t to), void *env) {
    static const struct pagemap_request own = {
        .inverted = PAGE_OF_FILE | PAGE_OF_ZEROES,
        .all_of = PAGE_OF_FILE | PAGE_OF_ZEROES,
        .any_of = PAGE_PRESENT | PAGE_SWAPPED,
        .told = PAGE_PRESENT | PAGE_SWAPPED,
    };
    return cn_pagemap_scan(file, own, start, size, base, found, env);
}

void cn_pagemap_note(void *env, size_t from, size_t to) {
    size_t page = cn_os_page_bytes(), bits = sizeof(unsigned) * CHAR_BIT;
    for (size_t i = from / page; i < to / page && i < bits; i++)
        *(unsigned *)env |= 1u << i;
}
