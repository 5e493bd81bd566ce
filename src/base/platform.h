/*
 * The interface to the operating system, for all rooms of the library but WASI, whose sandbox is the
 * kernel's own. Code for one processor is in base/access.h.
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
/* Two ways to reserve much and to leave address space to the rest of the process: 1/share of its limit
 * (RLIMIT_AS), and at most 4 GiB / share. */
#define SPARE_MUCH 4u    /* up to 1 GiB */
#define SPARE_SOME 16u   /* up to 256 MiB */
#define SPARE_LITTLE 32u /* up to 128 MiB */
/* All of it, or NULL. */
void *cn_os_reserve_all(size_t size, unsigned share);
/* As many bytes as *size then says: `most`, where it is less than a quarter of what there is, else
 * less, but not less than `least` bytes; where only that can be had, it leaves what SPARE_LITTLE means. NULL when
 * refused. */
void *cn_os_reserve_some(size_t least, size_t most, unsigned share, size_t *size);
/* Whether a part of 1 / `part` of the mappings that a process may have is left (Linux: of
 * vm.max_map_count); true where the system does not tell. Takes time in proportion to the mappings. */
bool cn_os_mappings_left(size_t part);

/* ---- Time, in nanoseconds, from some fixed point ---- */
uint64_t cn_os_monotonic_ns(void);

/* ---- A descriptor that polls readable once it was signalled (-1: not to be had) ---- */
int cn_os_event_new(void);
void cn_os_event_signal(int event); /* async-signal-safe */
void cn_os_event_clear(int event);
/* Waits until it is signalled, at most so long (UINT64_MAX: for ever); it may return earlier. */
void cn_os_event_wait(int event, uint64_t nanoseconds);
void cn_os_event_delete(int event);

/* ---- Files ---- */
/* One that is written beside its final place and appears there whole. Where false is returned, errno
 * has the reason. */
struct os_file {
    int descriptor;
    char *temporary; /* its path meanwhile */
};
bool cn_os_file_new(struct os_file *, const char *path);
bool cn_os_file_write(struct os_file *, const void *bytes, size_t size);
/* On the disk, under its name. On failure nothing is left of it, or, when that it has its name is all
 * that may not be on the disk, it is there. */
bool cn_os_file_finish(struct os_file *, const char *path);
void cn_os_file_abandon(struct os_file *);
/* A regular file for reading and its length, or -1; closed with cn_os_image_delete(). */
int cn_os_file_open(const char *path, uint64_t *length);
/* Part of it; false, with errno, also when it ends before. */
bool cn_os_file_read(int descriptor, uint64_t offset, void *bytes, size_t size);
/* A copy in memory of its first `length` bytes (not 0), sealed: nothing changes or truncates it. A
 * descriptor, closed with cn_os_image_delete(); -1 with errno. */
int cn_os_file_copy(int descriptor, size_t length);
/* All of it, read-only; NULL when refused. Released with cn_os_release(). */
uint8_t *cn_os_file_map(int descriptor, size_t length);

/*
 * ---- Guard pages ----
 * A load or store of guarded linear memory (base/access.h) may fault. cn_os_guard_install() arranges
 * for the process that such a fault continues at the catch of base/guard.h instead. It is called again
 * for each guarded memory: where another handler has come in front of ours meanwhile, ours goes in
 * front of that. False where this platform cannot do it, this thread blocks the signals, or there are
 * too many handlers to pass on to: the memory then has to be checked.
 */
bool cn_os_guard_install(void);

#endif
