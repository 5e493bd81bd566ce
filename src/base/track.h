/*
 * Which pages of memory were written: the operating system knows. Also images:
 * memory that others map copy-on-write.
 */
#ifndef CN_BASE_TRACK_H
#define CN_BASE_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of preference. Where the first choice is not to be had, the next
 * one is. */
enum track_kind {
    TRACK_NONE,
    TRACK_WRITE_PROTECT, /* the kernel notes the first write to a protected page */
    TRACK_COPY_ON_WRITE, /* a page of a private mapping that is no longer the file's was written */
    TRACK_COMPARE        /* not known: compare */
};

struct tracker {
    enum track_kind kind;
    int faults, pages;     /* descriptors, or -1 */
    uint64_t process;      /* whose address space they tell of (base/process.h) */
    struct tracker *older; /* of a process that this one descends from, or NULL */
};

/* Opens what `kind` needs, TRACK_NONE meaning the best there is, and tries it
 * out; false when this machine does not have it. A tracker serves all threads of
 * the process that opened it. In a child of that process the functions below
 * return false and leave the descriptors alone, which would act on the parent. */
bool cn_tracker_open(struct tracker *, enum track_kind kind);
void cn_tracker_close(struct tracker *);
/* Whether the tracker tells of this process. One that compares always does. */
bool cn_tracker_is_own(const struct tracker *);

/* Takes whole pages of readable and writable memory in; again for pages that
 * are in is harmless. */
bool cn_tracker_watch(const struct tracker *, void *start, size_t size);
void cn_tracker_unwatch(const struct tracker *, void *start, size_t size);

/* Gives the written pages among those watched, as offsets from start. With
 * `protect` they count as not written from now on (TRACK_WRITE_PROTECT; the
 * other kind needs them discarded). */
typedef void (*written_pages)(void *env, size_t from, size_t to);
bool cn_tracker_written(const struct tracker *, uint8_t *start, size_t size, bool protect,
                        written_pages, void *env);

/* The same, protecting, for a caller that does not ask which they were. */
bool cn_tracker_protect(const struct tracker *, uint8_t *start, size_t size);

/* Gives the pages that were ever touched, others being zero when no image is behind them. False
 * when that is not known. */
bool cn_tracker_populated(const struct tracker *, uint8_t *start, size_t size, written_pages,
                          void *env);

/* ---- Images: -1, NULL or false when refused ---- */
int cn_os_image_new(size_t size); /* a descriptor; all zero */
void cn_os_image_delete(int image);
/* All of it, shared, at an address of the system's choice. */
uint8_t *cn_os_image_open(int image, size_t size);
/* Part of it in place of whatever is at `start`, readable and writable, writes
 * staying private. */
bool cn_os_image_map(int image, uint64_t offset, void *start, size_t size);
/* Pages of such a mapping are the image's again; other memory is zero again. */
bool cn_os_discard(void *start, size_t size);
/* Whole pages at `from`, a reservation of this size, go to `start` in place of what is there. On
 * failure nothing has changed. */
bool cn_os_replace(void *start, void *from, size_t size);
/* Clears memory of a shared mapping of an image, or (image -1) of private memory. */
void cn_os_zero(int image, void *start, size_t size);
/* Memory of a reservation becomes untouchable and forgets its contents. */
bool cn_os_decommit(void *start, size_t size);
/* Memory of a reservation becomes readable, writable and zero, whatever was there. `small`: never
 * with huge pages, which would reach into what lies beside it. */
bool cn_os_renew(void *start, size_t size, bool small);
/* cn_os_decommit() with the contents kept, until cn_os_commit(). */
bool cn_os_protect(void *start, size_t size);

#endif
