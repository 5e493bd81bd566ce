/*
 * Linux: asynchronous write protection of userfaultfd with PAGEMAP_SCAN
 * (kernel 6.7), else the bits of /proc/self/pagemap. Both are tried out before
 * they are trusted: emulators and sandboxes may offer files of those names that
 * tell of another address space.
 */
#include "base/track.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/pagemap_linux.h"
#include "base/platform.h"
#include "base/process.h"

/* ---- The kernel's interface, newer than the headers of some systems ---- */

#define FAULTS_USER_ONLY 1
#define FAULTS_UNPOPULATED (UINT64_C(1) << 13)
#define FAULTS_ASYNC (UINT64_C(1) << 15)

/* Bits of an entry of /proc/self/pagemap. */
#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define ENTRY_SWAPPED (UINT64_C(1) << 62)
#define ENTRY_OF_FILE (UINT64_C(1) << 61)

#define ENTRIES_AT_ONCE 512

/* ---- Write protection ---- */

static int open_faults(void) {
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | FAULTS_USER_ONLY);
    struct uffdio_api api = {.api = UFFD_API, .features = FAULTS_ASYNC | FAULTS_UNPOPULATED};
    if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Asked for written pages alone, the kernel is many times faster, but counts pages that were never
 * touched or are the file's, if their neighbours were. Long ranges are looked at again. */
#define FEW_PAGES 4

struct filter {
    const struct tracker *tracker;
    uint8_t *base;
    size_t few;
    written_pages found;
    void *env;
};

static void filter(void *env, size_t from, size_t to) {
    struct filter *filter = env;
    if (to - from <= filter->few) {
        filter->found(filter->env, from, to);
        return;
    }
    /* They are protected again: this is the only time that they are reported. */
    if (!cn_pagemap_own(filter->tracker->pages, filter->base + from, to - from, filter->base,
                        filter->found, filter->env))
        filter->found(filter->env, from, to);
}

static bool scan_written(const struct tracker *tracker, uint8_t *start, size_t size, bool protect,
                         written_pages found, void *env) {
    struct filter of = {tracker, start, FEW_PAGES * cn_os_page_bytes(), found, env};
    struct pagemap_request request = {
        .flags = PAGEMAP_CHECK | (protect ? PAGEMAP_PROTECT : 0),
        .all_of = PAGE_WRITTEN,
        .told = PAGE_WRITTEN,
    };
    return cn_pagemap_scan(tracker->pages, request, start, size, start, filter, &of);
}

/* ---- Copy on write ---- */

/* Gives the pages that are swapped out, or present and their entries have none of these bits. */
static bool read_entries(const struct tracker *tracker, uint8_t *start, size_t size, uint64_t none,
                         written_pages found, void *env) {
    uint64_t entries[ENTRIES_AT_ONCE];
    size_t page = cn_os_page_bytes(), count = size / page;
    for (size_t i = 0; i < count;) {
        size_t wanted = count - i < ENTRIES_AT_ONCE ? count - i : ENTRIES_AT_ONCE;
        off_t at = (off_t)(((uintptr_t)start / page + i) * sizeof *entries);
        ssize_t got = pread(tracker->pages, entries, wanted * sizeof *entries, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < (ssize_t)sizeof *entries)
            return false;
        for (size_t j = 0; j < (size_t)got / sizeof *entries; j++, i++)
            if ((entries[j] & ENTRY_SWAPPED) ||
                ((entries[j] & ENTRY_PRESENT) && !(entries[j] & none)))
                found(env, i * page, (i + 1) * page);
    }
    return true;
}

/* ---- Both ---- */

bool cn_tracker_is_own(const struct tracker *tracker) {
    return tracker->kind == TRACK_COMPARE || tracker->process == cn_os_process();
}

bool cn_tracker_watch(const struct tracker *tracker, void *start, size_t size) {
    if (!cn_tracker_is_own(tracker))
        return false;
    if (tracker->kind != TRACK_WRITE_PROTECT || size == 0)
        return true;
    struct uffdio_register request = {
        .range = {(uint64_t)(uintptr_t)start, size},
        .mode = UFFDIO_REGISTER_MODE_WP,
    };
    madvise(start, size, MADV_NOHUGEPAGE); /* one write would count for 512 pages */
    int result;
    do
        result = ioctl(tracker->faults, UFFDIO_REGISTER, &request);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

void cn_tracker_unwatch(const struct tracker *tracker, void *start, size_t size) {
    struct uffdio_range range = {(uint64_t)(uintptr_t)start, size};
    if (tracker->kind == TRACK_WRITE_PROTECT && size > 0 && cn_tracker_is_own(tracker))
        ioctl(tracker->faults, UFFDIO_UNREGISTER, &range);
}

bool cn_tracker_written(const struct tracker *tracker, uint8_t *start, size_t size, bool protect,
                        written_pages found, void *env) {
    if (!cn_tracker_is_own(tracker))
        return false;
    if (size == 0)
        return true;
    return tracker->kind == TRACK_WRITE_PROTECT
               ? scan_written(tracker, start, size, protect, found, env)
               : read_entries(tracker, start, size, ENTRY_OF_FILE, found, env);
}

static void nothing(void *env, size_t from, size_t to) {
    (void)env;
    (void)from;
    (void)to;
}

bool cn_tracker_protect(const struct tracker *tracker, uint8_t *start, size_t size) {
    return cn_tracker_written(tracker, start, size, true, nothing, NULL);
}

bool cn_tracker_populated(const struct tracker *tracker, uint8_t *start, size_t size,
                          written_pages found, void *env) {
    return tracker->kind != TRACK_COMPARE && cn_tracker_is_own(tracker) &&
           read_entries(tracker, start, size, 0, found, env);
}

/* ---- Trying out ---- */

#define TRIAL_PAGES 4

/* Pages 0 and 1 are written before, 1 and 2 after; all but the last are in use. */
static bool try_pages(const struct tracker *tracker, uint8_t *pages, size_t page) {
    unsigned before = 0, after = 0;
    volatile uint8_t *bytes = pages;
    bytes[0] = bytes[page] = 1;
    if (!cn_tracker_watch(tracker, pages, TRIAL_PAGES * page) ||
        !cn_tracker_written(tracker, pages, TRIAL_PAGES * page, true, cn_pagemap_note, &before))
        return false;
    if (tracker->kind == TRACK_COPY_ON_WRITE)
        cn_os_discard(pages, TRIAL_PAGES * page);
    if (bytes[0] == 2 || bytes[2 * page] == 2)
        return false;
    bytes[page] = 2;
    bytes[2 * page] = 2;
    return cn_tracker_written(tracker, pages, TRIAL_PAGES * page, false, cn_pagemap_note, &after) &&
           (before & 3) == 3 && (after & 7) == 6;
}

static bool works(const struct tracker *tracker) {
    size_t page = cn_os_page_bytes(), size = TRIAL_PAGES * page;
    int image = cn_os_image_new(size);
    uint8_t *pages = cn_os_reserve(size);
    bool ok = pages && image >= 0 && cn_os_image_map(image, 0, pages, size) &&
              try_pages(tracker, pages, page);
    cn_os_release(pages, size);
    cn_os_image_delete(image);
    return ok;
}

static bool open_kind(struct tracker *tracker, enum track_kind kind) {
    *tracker =
        (struct tracker){.kind = kind, .faults = -1, .pages = -1, .process = cn_os_process()};
    if (kind == TRACK_COMPARE)
        return true;
    if (kind == TRACK_WRITE_PROTECT)
        tracker->faults = open_faults();
    tracker->pages = cn_pagemap_open();
    if (tracker->pages >= 0 && (kind != TRACK_WRITE_PROTECT || tracker->faults >= 0) &&
        works(tracker))
        return true;
    cn_tracker_close(tracker);
    return false;
}

bool cn_tracker_open(struct tracker *tracker, enum track_kind kind) {
    if (kind != TRACK_NONE)
        return open_kind(tracker, kind);
    for (kind = TRACK_WRITE_PROTECT; !open_kind(tracker, kind);)
        kind++;
    return true;
}

void cn_tracker_close(struct tracker *tracker) {
    if (tracker->faults >= 0)
        close(tracker->faults);
    if (tracker->pages >= 0)
        close(tracker->pages);
    tracker->faults = tracker->pages = -1;
}

/* ---- Images ---- */

int cn_os_image_new(size_t size) {
    int image = memfd_create("catnap-image", MFD_CLOEXEC);
    if (image >= 0 && ftruncate(image, (off_t)size) != 0) {
        close(image);
        return -1;
    }
    return image;
}

void cn_os_image_delete(int image) {
    if (image >= 0)
        close(image);
}

uint8_t *cn_os_image_open(int image, size_t size) {
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, image, 0);
    return start == MAP_FAILED ? NULL : start;
}

bool cn_os_image_map(int image, uint64_t offset, void *start, size_t size) {
    return size == 0 ||
           mmap(start, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, image,
                (off_t)offset) != MAP_FAILED;
}

bool cn_os_discard(void *start, size_t size) {
    return size == 0 || madvise(start, size, MADV_DONTNEED) == 0;
}

bool cn_os_replace(void *start, void *from, size_t size) {
    return size == 0 ||
           mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, start) != MAP_FAILED;
}

void cn_os_zero(int image, void *start, size_t size) {
    if (size > 0 && madvise(start, size, image < 0 ? MADV_DONTNEED : MADV_REMOVE) != 0)
        memset(start, 0, size);
}

bool cn_os_decommit(void *start, size_t size) {
    return size == 0 ||
           mmap(start, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
                0) != MAP_FAILED;
}

bool cn_os_renew(void *start, size_t size, bool small) {
    if (mmap(start, size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        return false;
    if (small)
        madvise(start, size, MADV_NOHUGEPAGE);
    return true;
}

bool cn_os_protect(void *start, size_t size) {
    return size == 0 || mprotect(start, size, PROT_NONE) == 0;
}
