/*
 * Linux 6.7: PAGEMAP_SCAN. It is tried out before it is believed, since emulators and sandboxes may
 * offer a file of that name that tells of another address space.
 */
#include "base/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/platform.h"
#include "base/track.h"

/* ---- The kernel's interface, newer than the headers of some systems ---- */

struct page_region {
    uint64_t start, end, categories;
};
struct page_request {
    uint64_t size, flags, start, end, walk_end, regions, region_count, max_pages;
    uint64_t inverted, all_of, any_of, told;
};
#define REQUEST_PAGES _IOWR('f', 16, struct page_request)
#define PAGE_OF_FILE (UINT64_C(1) << 2)
#define PAGE_PRESENT (UINT64_C(1) << 3)
#define PAGE_SWAPPED (UINT64_C(1) << 4)
#define PAGE_OF_ZEROES (UINT64_C(1) << 5)

#define REGIONS_AT_ONCE 64

bool cn_os_pages_own(const struct page_source *source, const uint8_t *start, size_t size,
                     void (*found)(void *env, size_t from, size_t to), void *env) {
    if (source->file < 0 || source->process != getpid())
        return false;
    struct page_region regions[REGIONS_AT_ONCE];
    uint64_t first = (uint64_t)(uintptr_t)start;
    struct page_request request = {
        .size = sizeof request,
        .start = first,
        .end = first + size,
        .regions = (uint64_t)(uintptr_t)regions,
        .region_count = REGIONS_AT_ONCE,
        .inverted = PAGE_OF_FILE | PAGE_OF_ZEROES,
        .all_of = PAGE_OF_FILE | PAGE_OF_ZEROES,
        .any_of = PAGE_PRESENT | PAGE_SWAPPED,
        .told = PAGE_PRESENT,
    };
    while (request.start < request.end) {
        int count = ioctl(source->file, REQUEST_PAGES, &request);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        for (int i = 0; i < count; i++)
            found(env, (size_t)(regions[i].start - first), (size_t)(regions[i].end - first));
        request.start = request.walk_end;
    }
    return true;
}

/* ---- Trying out ---- */

#define TRIAL_PAGES 4

static void note(void *env, size_t from, size_t to) {
    size_t page = cn_os_page_bytes();
    for (size_t i = from / page; i < to / page && i < TRIAL_PAGES; i++)
        *(unsigned *)env |= 1u << i;
}

static bool tells(const struct page_source *source, const uint8_t *start, size_t size,
                  unsigned expected) {
    unsigned told = 0;
    return cn_os_pages_own(source, start, size, note, &told) && told == expected;
}

/* Two pages of an image, two of nothing; the second of each is written, the first is read. */
static bool is_right(const struct page_source *source, uint8_t *start, size_t page) {
    volatile uint8_t *bytes = start;
    size_t size = TRIAL_PAGES * page;
    unsigned sum = bytes[0] + bytes[2 * page];
    bytes[page] = bytes[3 * page] = 1;
    if (sum != 0 || !tells(source, start, size, 1u << 1 | 1u << 3))
        return false;
    cn_os_discard(start, size);
    return tells(source, start, size, 0) && bytes[page] == 0 && bytes[3 * page] == 0;
}

static bool is_believable(const struct page_source *source) {
    size_t page = cn_os_page_bytes();
    int image = cn_os_image_new(2 * page);
    uint8_t *start = cn_os_reserve(TRIAL_PAGES * page);
    bool right = image >= 0 && start && cn_os_commit(start, TRIAL_PAGES * page) &&
                 cn_os_image_map(image, 0, start, 2 * page) && is_right(source, start, page);
    cn_os_release(start, TRIAL_PAGES * page);
    cn_os_image_delete(image);
    return right;
}

bool cn_os_pages_open(struct page_source *source) {
    source->process = getpid();
    source->file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (source->file >= 0 && is_believable(source))
        return true;
    cn_os_pages_close(source);
    return false;
}

void cn_os_pages_close(struct page_source *source) {
    if (source->file >= 0)
        close(source->file);
    source->file = -1;
}
