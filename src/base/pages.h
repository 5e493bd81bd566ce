/*
 * Which pages of private mappings were ever written: they are the process's own and no longer the
 * image's, or no longer nothing.
 */
#ifndef CN_BASE_PAGES_H
#define CN_BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page_source {
    int file;         /* or -1: there is none that can be believed */
    uint64_t process; /* that it tells about (base/process.h): not its children */
};

/* False where the system has none; the source then never tells anything. */
bool cn_os_pages_open(struct page_source *);
void cn_os_pages_close(struct page_source *);

/* Calls back with the ranges of own pages, as offsets from start. False when the system does not
 * tell, for example in another process after fork(). */
bool cn_os_pages_own(const struct page_source *, const uint8_t *start, size_t size,
                     void (*found)(void *env, size_t from, size_t to), void *env);

#endif
