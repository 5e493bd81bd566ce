/*
 * Linux 4.14: a page that the kernel clears in the child of a fork (MADV_WIPEONFORK). It holds the
 * number of the process; a child that finds 0 there writes the next number. The page belongs to the
 * process and stays until its end.
 *
 * Where the page is refused, the process identifier is the number. It can be the same in a child
 * only across process identifier namespaces.
 */
#include "base/process.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/platform.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

typedef _Atomic uint64_t number;

static number *_Atomic wiped_page; /* NULL: not made yet */
static number refused;             /* in place of the page, where the system has none */
static number latest;              /* given to this process or one that it descends from */

static number *make_page(void) {
    number *none = NULL, *made = &refused;
    void *page =
        mmap(NULL, cn_os_page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, cn_os_page_bytes(), MADV_WIPEONFORK) == 0)
        made = page;
    else if (page != MAP_FAILED)
        munmap(page, cn_os_page_bytes());
    if (atomic_compare_exchange_strong(&wiped_page, &none, made))
        return made;
    if (made != &refused)
        munmap(page, cn_os_page_bytes()); /* another thread was faster */
    return none;
}

/* `latest` grows first: after a fork in between, the child takes a greater number than its parent's. */
static uint64_t take_number(number *page) {
    uint64_t none = 0, next = atomic_fetch_add(&latest, 1) + 1;
    return atomic_compare_exchange_strong(page, &none, next) ? next : none;
}

uint64_t cn_os_process(void) {
    number *page = atomic_load_explicit(&wiped_page, memory_order_acquire);
    if (!page)
        page = make_page();
    if (page == &refused)
        return (uint64_t)getpid();
    uint64_t known = atomic_load_explicit(page, memory_order_relaxed);
    return known ? known : take_number(page);
}
