/* Shadows of paged areas, see shadow.h. */
#include "persist/shadow.h"

#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "base/platform.h"

/* After a rollback of at most so many pages they stay unprotected, and count as written at the next
 * checkpoint or rollback: to copy them again costs less than the faults that would tell. */
#define FEW_PAGES 16

static size_t pages_of(const struct shadow *shadow, uint64_t bytes) {
    return (size_t)(bytes / shadow->page);
}

/* ---- The set of pages that may differ ---- */

static void add_page(struct shadow *shadow, size_t page) {
    uint64_t bit = UINT64_C(1) << (page % 64);
    shadow->count += !(shadow->differing[page / 64] & bit);
    shadow->differing[page / 64] |= bit;
}

static void add_pages(void *env, size_t from, size_t to) {
    struct shadow *shadow = env;
    for (size_t i = from / shadow->page; i < to / shadow->page; i++)
        add_page(shadow, i);
}

/* The first page of the set from `page` on, or `end`. */
static size_t next_page(const struct shadow *shadow, size_t page, size_t end) {
    while (page < end) {
        uint64_t word = shadow->differing[page / 64] >> (page % 64);
        if (word) {
            page += (size_t)__builtin_ctzll(word);
            return page < end ? page : end;
        }
        page = (page / 64 + 1) * 64;
    }
    return end;
}

static void clear_pages(struct shadow *shadow, uint64_t size) {
    if (shadow->count > 0)
        memset(shadow->differing, 0, (pages_of(shadow, size) + 63) / 64 * sizeof(uint64_t));
    shadow->count = 0;
}

/* Adds all pages that are not zero: those of a mapped image were never written, so that a tracker does not
 * report them. */
static void add_what_is_there(struct shadow *shadow, uint64_t size) {
    size_t end = pages_of(shadow, size), page = shadow->page;
    for (size_t i = 0; i < end; i++)
        if (!is_zero_page(shadow->base + i * page, page))
            add_page(shadow, i);
}

/* ---- Making ---- */

/* Size of the mapping at pages: an image has one more page, for the counter of changes. */
static size_t mapped_bytes(const struct shadow *shadow) {
    return shadow->reserved + (shadow->image >= 0 ? shadow->page : 0);
}

static bool make_pages(struct shadow *shadow) {
    if (shadow->tracker->kind != TRACK_COPY_ON_WRITE) {
        cn_space_take(shadow->spaces, shadow->reserved, &shadow->pages_space);
        shadow->pages = shadow->pages_space.start;
        return shadow->pages != NULL;
    }
    shadow->image = cn_os_image_new(shadow->reserved + shadow->page);
    if (shadow->image >= 0)
        shadow->pages = cn_os_image_open(shadow->image, mapped_bytes(shadow));
    return shadow->pages != NULL;
}

static void free_pages(struct shadow *shadow) {
    if (shadow->image >= 0)
        cn_os_release(shadow->pages, mapped_bytes(shadow));
    cn_space_give(shadow->spaces, &shadow->pages_space);
    cn_os_image_delete(shadow->image);
}

static _Atomic uint64_t *change_count(const struct shadow *shadow) {
    return (_Atomic uint64_t *)(void *)(shadow->pages + shadow->reserved);
}

/* Before the pages are changed: a child that reads them from now on finds another count, and gives up. */
static void announce_change(struct shadow *shadow) {
    if (shadow->image < 0)
        return;
    atomic_store(change_count(shadow), ++shadow->changes);
    atomic_thread_fence(memory_order_seq_cst);
}

/* In a child, after it has read pages: whether they were still those of the fork. */
static bool is_unchanged(const struct shadow *shadow) {
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load(change_count(shadow)) == shadow->changes;
}

static void free_record(struct alloc *alloc, struct undo *undo, size_t page);

static void free_shadow(struct shadow *shadow) {
    cn_space_give(shadow->spaces, &shadow->differing_space);
    free_pages(shadow);
    free_record(shadow->alloc, shadow->spare, shadow->page);
    cn_free(shadow->alloc, shadow, sizeof *shadow);
}

struct shadow *cn_shadow_new(struct alloc *alloc, struct spaces *spaces, const struct paged *area,
                             const struct tracker *tracker, struct error *error) {
    struct shadow *shadow = cn_calloc(alloc, 1, sizeof *shadow);
    if (!shadow) {
        cn_fail_memory(error);
        return NULL;
    }
    shadow->alloc = alloc;
    shadow->tracker = tracker;
    shadow->base = area->base;
    shadow->image = -1;
    shadow->locked = UINT64_MAX;
    shadow->page = cn_os_page_bytes();
    shadow->reserved = area->most ? (size_t)area->most : shadow->page;
    shadow->spaces = spaces;
    size_t bits = pages_of(shadow, shadow->reserved) / 8 + 8;
    size_t bitmap = (bits + shadow->page - 1) / shadow->page * shadow->page;
    if (cn_space_take(shadow->spaces, bitmap, &shadow->differing_space))
        shadow->differing = (uint64_t *)(void *)shadow->differing_space.start;
    if (!shadow->differing || !make_pages(shadow)) {
        free_shadow(shadow);
        cn_fail(error, CATNAP_NO_MEMORY, "cannot map memory for a checkpoint");
        return NULL;
    }
    if (shadow->image >= 0 || area->imaged)
        add_what_is_there(shadow, area->size);
    return shadow;
}

/* An area that maps the image keeps the mapping, and with it the contents. */
void cn_shadow_delete(struct shadow *shadow) {
    cn_tracker_unwatch(shadow->tracker, shadow->base, (size_t)shadow->watched);
    free_shadow(shadow);
}

/* ---- Finding ---- */

static void compare(struct shadow *shadow, uint64_t size) {
    size_t end = pages_of(shadow, size), page = shadow->page;
    for (size_t i = 0; i < end; i++)
        if (memcmp(shadow->base + i * page, shadow->pages + i * page, page) != 0)
            add_page(shadow, i);
}

static void add_new_pages(void *env, size_t from, size_t to) {
    struct shadow *shadow = env;
    add_pages(shadow, (size_t)shadow->watched + from, (size_t)shadow->watched + to);
}

/* Collects the pages by which the area has grown since it was last watched. They are asked for before they
 * are protected: afterwards, pages that were never touched could not be told from pages that are swapped out.
 * A rollback does not need them, since it removes them. */
static bool collect_new(struct shadow *shadow, uint64_t size, struct error *error) {
    uint8_t *start = shadow->base + shadow->watched;
    size_t more = (size_t)(size - shadow->watched);
    if (!cn_tracker_watch(shadow->tracker, start, more))
        return cn_fail(error, CATNAP_IO, "cannot track which pages of a memory are written");
    if (!cn_tracker_written(shadow->tracker, start, more, false, add_new_pages, shadow) ||
        !cn_tracker_protect(shadow->tracker, start, more))
        return cn_fail(error, CATNAP_IO, "cannot find out which pages were written");
    shadow->watched = size;
    return true;
}

bool cn_shadow_collect(struct shadow *shadow, uint64_t size, bool protect, struct error *error) {
    if (shadow->tracker->kind == TRACK_COMPARE) {
        compare(shadow, size);
        return true;
    }
    uint64_t known = shadow->image < 0 ? shadow->watched : size;
    if (known > size)
        known = size;
    if (!cn_tracker_written(shadow->tracker, shadow->base, (size_t)known, protect, add_pages,
                            shadow))
        return cn_fail(error, CATNAP_IO, "cannot find out which pages were written");
    return !protect || size == known || collect_new(shadow, size, error);
}

/* ---- After a fork ---- */

static const struct tracker comparing = {.kind = TRACK_COMPARE, .faults = -1, .pages = -1};

static void copy_pages(uint8_t *to, const uint8_t *from, uint64_t size, size_t page) {
    for (size_t i = 0; i < size / page; i++)
        if (!is_zero_page(from + i * page, page))
            memcpy(to + i * page, from + i * page, page);
}

/* Copies the shadow and the area to `own` and `copy`, which then replace them, unless the parent has changed
 * the image meanwhile. */
static bool fill_and_replace(struct shadow *shadow, size_t size, struct shadow *own, uint8_t *copy,
                             struct error *error) {
    copy_pages(own->pages, shadow->pages, shadow->size, shadow->page);
    copy_pages(copy, shadow->base, size, shadow->page);
    if (!is_unchanged(shadow))
        return cn_fail(error, CATNAP_MISUSE,
                       "the process that made the checkpoint has changed it since the fork");
    if (!cn_os_replace(shadow->base, copy, size))
        return cn_fail(error, CATNAP_NO_MEMORY, "cannot replace the mapping of a memory");
    free_pages(shadow);
    *shadow = *own;
    return true;
}

/* Gives the child its own shadow, without an image, since the parent goes on changing the image that both map. */
static bool leave_image(struct shadow *shadow, size_t size, const struct tracker *tracker,
                        struct error *error) {
    struct shadow own = *shadow;
    own.tracker = tracker;
    own.pages = NULL;
    own.pages_space = (struct space){NULL, NULL};
    own.image = -1;
    own.changes = 0;
    uint8_t *copy = cn_os_reserve(size ? size : own.page);
    bool ok = make_pages(&own) && copy && cn_os_commit(copy, size);
    if (!ok)
        cn_fail(error, CATNAP_NO_MEMORY, "cannot map memory for a checkpoint");
    ok = ok && fill_and_replace(shadow, size, &own, copy, error);
    if (!ok)
        free_pages(&own);
    if (!ok || size == 0)
        cn_os_release(copy, size ? size : own.page);
    return ok;
}

static bool watch_all(const struct shadow *shadow, size_t size, const struct tracker *tracker) {
    return tracker->kind != TRACK_WRITE_PROTECT ||
           (cn_tracker_watch(tracker, shadow->base, size) &&
            cn_tracker_protect(tracker, shadow->base, size));
}

bool cn_shadow_adopt(struct shadow *shadow, uint64_t size, const struct tracker *tracker,
                     struct error *error) {
    if (cn_tracker_is_own(shadow->tracker))
        return true;
    bool imaged = shadow->image >= 0;
    if (!tracker || (tracker->kind == TRACK_COPY_ON_WRITE && !imaged))
        tracker = &comparing;
    if (imaged && !leave_image(shadow, (size_t)size, tracker, error))
        return false;
    shadow->tracker = watch_all(shadow, (size_t)size, tracker) ? tracker : &comparing;
    shadow->watched = shadow->tracker->kind == TRACK_WRITE_PROTECT ? size : 0;
    compare(shadow, size);
    return true;
}

/* ---- Taking ---- */

/* How many pages of `differing` lie within the shadow's size, and so are overwritten by a checkpoint. */
static size_t count_old_pages(const struct shadow *shadow) {
    size_t end = pages_of(shadow, shadow->size), count = 0;
    if (shadow->count == 0)
        return 0;
    for (size_t i = 0; i < end / 64; i++)
        count += (size_t)__builtin_popcountll(shadow->differing[i]);
    if (end % 64)
        count += (size_t)__builtin_popcountll(shadow->differing[end / 64] &
                                              ((UINT64_C(1) << (end % 64)) - 1));
    return count;
}

static void free_record(struct alloc *alloc, struct undo *undo, size_t page) {
    if (!undo)
        return;
    cn_free(alloc, undo->index, undo->capacity * sizeof *undo->index);
    cn_free(alloc, undo->pages, undo->capacity * page);
    cn_free(alloc, undo, sizeof *undo);
}

static struct undo *new_record(struct alloc *alloc, size_t capacity, size_t page) {
    struct undo *undo = cn_calloc(alloc, 1, sizeof *undo);
    if (!undo)
        return NULL;
    undo->capacity = capacity;
    undo->index = cn_alloc(alloc, capacity * sizeof *undo->index);
    undo->pages = cn_alloc(alloc, capacity * page);
    if (undo->index && undo->pages)
        return undo;
    free_record(alloc, undo, page);
    return NULL;
}

bool cn_shadow_prepare(struct shadow *shadow, struct undo **out, struct error *error) {
    size_t count = count_old_pages(shadow);
    struct undo *undo = shadow->spare;
    if (undo && count <= undo->capacity)
        shadow->spare = NULL;
    else
        undo = new_record(shadow->alloc, count, shadow->page);
    *out = undo;
    if (!undo)
        return cn_fail_memory(error);
    CN_ASSERT(count <= undo->capacity);
    undo->next = NULL;
    undo->size = shadow->size;
    undo->count = count;
    return true;
}

/* A free record of at most so many pages is kept for the next checkpoint, the largest one found. */
#define MOST_SPARE 256

void cn_undo_free(struct shadow *shadow, struct undo *undo) {
    while (undo) {
        struct undo *next = undo->next, *dropped = undo;
        if (undo->capacity <= MOST_SPARE &&
            (!shadow->spare || undo->capacity > shadow->spare->capacity)) {
            dropped = shadow->spare;
            shadow->spare = undo;
        }
        free_record(shadow->alloc, dropped, shadow->page);
        undo = next;
    }
}

/* Discards the area's own copies of pages in the set, and maps the image behind what the area has grown by: the
 * image has the same contents now. */
static void become_image(struct shadow *shadow, uint64_t size) {
    size_t end = pages_of(shadow, shadow->watched), page = shadow->page;
    for (size_t i = next_page(shadow, 0, end); i < end;) {
        size_t to = i + 1;
        while (to < end && next_page(shadow, to, to + 1) == to)
            to++;
        cn_os_discard(shadow->base + i * page, (to - i) * page);
        i = next_page(shadow, to, end);
    }
    if (size > shadow->watched &&
        cn_os_image_map(shadow->image, shadow->watched, shadow->base + shadow->watched,
                        (size_t)(size - shadow->watched)))
        shadow->watched = size;
}

void cn_shadow_take(struct shadow *shadow, uint64_t size, struct undo *undo) {
    size_t end = pages_of(shadow, size), old_end = pages_of(shadow, shadow->size);
    size_t page = shadow->page, saved = 0;
    announce_change(shadow);
    if (!undo)
        shadow->copied += shadow->count;
    for (size_t i = shadow->count ? next_page(shadow, 0, end) : end; i < end;
         i = next_page(shadow, i + 1, end)) {
        uint8_t *to = shadow->pages + i * page;
        if (undo && i < old_end) {
            CN_ASSERT(saved < undo->count);
            undo->index[saved] = (uint32_t)i;
            memcpy(undo->pages + saved++ * page, to, page);
        }
        memcpy(to, shadow->base + i * page, page);
    }
    CN_ASSERT(!undo || saved == undo->count);
    shadow->size = size;
    if (shadow->image >= 0)
        become_image(shadow, size);
    clear_pages(shadow, size);
}

/* ---- Going back ---- */

/* Before a page of the image changes: makes the area's page a private copy, unless the area loses it. */
static void keep_page(const struct shadow *shadow, size_t index) {
    if (shadow->image < 0 || index * shadow->page >= shadow->locked)
        return;
    volatile uint8_t *byte = shadow->base + index * shadow->page;
    *byte = *byte;
}

static void put_back(struct shadow *shadow, const struct undo *undo) {
    size_t page = shadow->page;
    CN_ASSERT(undo->size <= shadow->size); /* areas only grow between checkpoints */
    announce_change(shadow);
    for (size_t i = 0; i < undo->count; i++)
        keep_page(shadow, undo->index[i]);
    for (size_t i = pages_of(shadow, undo->size); i < pages_of(shadow, shadow->size); i++)
        keep_page(shadow, i);
    for (size_t i = 0; i < undo->count; i++) {
        memcpy(shadow->pages + undo->index[i] * page, undo->pages + i * page, page);
        add_page(shadow, undo->index[i]);
    }
    if (shadow->size > undo->size) {
        add_pages(shadow, (size_t)undo->size, (size_t)shadow->size);
        cn_os_zero(shadow->image, shadow->pages + undo->size, (size_t)(shadow->size - undo->size));
    }
    shadow->size = undo->size;
}

void cn_shadow_undo(struct shadow *shadow, const struct undo *undo) {
    for (; undo; undo = undo->next)
        put_back(shadow, undo);
}

bool cn_shadow_lock(struct shadow *shadow, uint64_t size, uint64_t to, struct error *error) {
    if (size > to && !cn_os_protect(shadow->base + to, (size_t)(size - to)))
        return cn_fail(error, CATNAP_IO, "cannot shrink a memory");
    shadow->locked = to;
    return true;
}

/* Makes it accessible again. The system merges the mappings that locking has split, so that this cannot fail for
 * want of mappings. */
void cn_shadow_unlock(struct shadow *shadow, uint64_t size, uint64_t to) {
    shadow->locked = UINT64_MAX;
    if (size > to)
        cn_os_commit(shadow->base + to, (size_t)(size - to));
}

/* Takes away what the area has grown by, which is inaccessible already (cn_shadow_lock()). */
static bool shrink(struct shadow *shadow, uint64_t size) {
    CN_ASSERT(size >= shadow->size && shadow->locked == shadow->size);
    shadow->locked = UINT64_MAX;
    for (size_t i = pages_of(shadow, shadow->size), end = pages_of(shadow, size); i < end; i++) {
        uint64_t bit = UINT64_C(1) << (i % 64);
        shadow->count -= (shadow->differing[i / 64] & bit) != 0;
        shadow->differing[i / 64] &= ~bit;
    }
    if (shadow->watched > shadow->size)
        shadow->watched = shadow->size;
    return cn_os_decommit(shadow->base + shadow->size, (size_t)(size - shadow->size));
}

bool cn_shadow_restore(struct shadow *shadow, uint64_t size) {
    bool shrunk = shrink(shadow, size);
    size_t end = pages_of(shadow, shadow->size), page = shadow->page, count = shadow->count;
    for (size_t i = count ? next_page(shadow, 0, end) : end; i < end;
         i = next_page(shadow, i + 1, end))
        memcpy(shadow->base + i * page, shadow->pages + i * page, page);
    if (count > FEW_PAGES && shadow->image >= 0)
        become_image(shadow, shadow->size);
    clear_pages(shadow, shadow->size);
    if (count > FEW_PAGES && shadow->tracker->kind == TRACK_WRITE_PROTECT)
        cn_tracker_protect(shadow->tracker, shadow->base, (size_t)shadow->size);
    return shrunk;
}
