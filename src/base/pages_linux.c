/* Linux 6.7: what PAGEMAP_SCAN tells, tried out before it is believed. */
#include "base/pages.h"

#include <unistd.h>

#include "base/pagemap_linux.h"
#include "base/platform.h"
#include "base/process.h"
#include "base/track.h"

bool cn_os_pages_own(const struct page_source *source, const uint8_t *start, size_t size,
                     void (*found)(void *env, size_t from, size_t to), void *env) {
    return source->file >= 0 && source->process == cn_os_process() &&
           cn_pagemap_own(source->file, start, size, start, found, env);
}

/* ---- Trying out ---- */

#define TRIAL_PAGES 4

static bool tells(const struct page_source *source, const uint8_t *start, size_t size,
                  unsigned expected) {
    unsigned told = 0;
    return cn_os_pages_own(source, start, size, cn_pagemap_note, &told) && told == expected;
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
    source->process = cn_os_process();
    source->file = cn_pagemap_open();
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
