/*
 * Linux 6.7: PAGEMAP_SCAN, which tells of the pages of this process. Emulators and sandboxes may offer a
 * file of that name that tells of another address space: the caller tries it out.
 */
#ifndef CN_BASE_PAGEMAP_LINUX_H
#define CN_BASE_PAGEMAP_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's interface, newer than the headers of some systems. */
struct pagemap_request {
    uint64_t size, flags, start, end, walk_end, regions, region_count, max_pages;
    uint64_t inverted, all_of, any_of, told;
};
#define PAGEMAP_PROTECT (UINT64_C(1) << 0)
#define PAGEMAP_CHECK (UINT64_C(1) << 1)
#define PAGE_WRITTEN (UINT64_C(1) << 1)
#define PAGE_OF_FILE (UINT64_C(1) << 2)
#define PAGE_PRESENT (UINT64_C(1) << 3)
#define PAGE_SWAPPED (UINT64_C(1) << 4)
#define PAGE_OF_ZEROES (UINT64_C(1) << 5)

/* A descriptor, or -1. */
int cn_pagemap_open(void);

/* Gives the ranges of pages in `size` bytes at `start` that the request names, as offsets from
 * `base`. False when the kernel does not tell. */
bool cn_pagemap_scan(int file, struct pagemap_request, const uint8_t *start, size_t size,
                     const uint8_t *base, void (*found)(void *env, size_t from, size_t to),
                     void *env);

/* Pages that the process has written: neither the file's nor the zero page. */
bool cn_pagemap_own(int file, const uint8_t *start, size_t size, const uint8_t *base,
                    void (*found)(void *env, size_t from, size_t to), void *env);

/* For trying out, as `found`: sets bits of an `unsigned` for the first of these pages. */
void cn_pagemap_note(void *env, size_t from, size_t to);

#endif
