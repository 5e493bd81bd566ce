/*
 * What only the operating system and the processor know. The rest of the library names neither.
 */
#ifndef CN_BASE_PLATFORM_H
#define CN_BASE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Virtual memory: sizes are rounded up to whole pages of the operating system ---- */
size_t cn_os_page_bytes(void);
/* Reserves address space that faults when touched; NULL when refused. */
void *cn_os_reserve(size_t size);
/* Makes a page-aligned part of a reservation readable and writable, zeroed; false when refused. */
bool cn_os_commit(void *start, size_t size);
void cn_os_release(void *start, size_t size);

/* ---- Time, in nanoseconds, from some fixed point ---- */
uint64_t cn_os_monotonic_ns(void);

/* ---- A descriptor that polls readable once it was signalled (-1: not to be had) ---- */
int cn_os_event_new(void);
void cn_os_event_signal(int event); /* async-signal-safe */
void cn_os_event_clear(int event);
void cn_os_event_delete(int event);

/*
 * ---- Guard pages ----
 * A load or store of guarded linear memory (base/access.h) may fault. cn_os_guard_install() arranges,
 * once for the process, that a fault inside `current` thread's guarded region continues at the
 * recovery point instead; false where this platform cannot.
 */
bool cn_os_guard_install(void);

#endif
