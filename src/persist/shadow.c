/* Shadows of memories, see shadow.h. */
#include "persist/shadow.h"

#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "base/platform.h"
#include "runtime/store.h"

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
static void add_what_is_there(struct shadow *shadow, const wasm_memory_t *memory) {
    size_t end = pages_of(shadow, memory->size), page = shadow->page;
    for (size_t i = 0; i < end; i++)
        if (!is_zero_page(memory->base + i * page, page))
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

static void free_shadow(struct alloc *alloc, struct shadow *shadow) {
    cn_space_give(shadow->spaces, &shadow->differing_space);
    free_pages(shadow);
    free_record(alloc, shadow->spare, shadow->page);
    cn_free(alloc, shadow, sizeof *shadow);
}

bool cn_shadow_make(wasm_memory_t *memory, const struct tracker *tracker, struct error *error) {
    if (cn_shadow_of(memory))
        return true;
    struct alloc *alloc = memory->ref.store->alloc;
    struct memory_backing *backing = cn_backing_of(memory);
    struct shadow *shadow = backing ? cn_calloc(alloc, 1, sizeof *shadow) : NULL;
    if (!shadow)
        return cn_fail_memory(error);
    uint64_t most = memory->max_pages * WASM_PAGE_BYTES;
    shadow->tracker = tracker;
    shadow->image = -1;
    shadow->locked = UINT64_MAX;
    shadow->page = cn_os_page_bytes();
    shadow->reserved = (size_t)(most ? most : WASM_PAGE_BYTES);
    shadow->spaces = &memory->ref.store->engine->spaces;
    size_t bits = pages_of(shadow, shadow->reserved) / 8 + 8;
    size_t bitmap = (bits + shadow->page - 1) / shadow->page * shadow->page;
    if (cn_space_take(shadow->spaces, bitmap, &shadow->differing_space))
        shadow->differing = (uint64_t *)(void *)shadow->differing_space.start;
    if (!shadow->differing || !make_pages(shadow)) {
        free_shadow(alloc, shadow);
        return cn_fail(error, CATNAP_NO_MEMORY, "cannot map memory for a checkpoint");
    }
    if (shadow->image >= 0 || memory->imaged)
        add_what_is_there(shadow, memory);
    memory->ref.store->machine.shares_pages |= shadow->image >= 0;
    backing->shadow = shadow;
    memory->remapped = true;
    return true;
}

/* A memory that maps the image keeps the mapping, and with it the contents. */
void cn_shadow_drop(wasm_memory_t *memory) {
    struct shadow *shadow = cn_shadow_of(memory);
    CN_ASSERT(shadow);
    cn_tracker_unwatch(shadow->tracker, memory->base, (size_t)shadow->watched);
    memory->imaged |= shadow->image >= 0;
    free_shadow(memory->ref.store->alloc, shadow);
    memory->backing->shadow = NULL;
}

/* ---- Finding ---- */

static void compare(wasm_memory_t *memory, struct shadow *shadow) {
    size_t end = pages_of(shadow, memory->size), page = shadow->page;
    for (size_t i = 0; i < end; i++)
        if (memcmp(memory->base + i * page, shadow->pages + i * page, page) != 0)
            add_page(shadow, i);
}

static void add_new_pages(void *env, size_t from, size_t to) {
    struct shadow *shadow = env;
    add_pages(shadow, (size_t)shadow->watched + from, (size_t)shadow->watched + to);
}

/* Collects the pages by which the memory has grown since it was last watched. They are asked for before they
 * are protected: afterwards, pages that were never touched could not be told from pages that are swapped out.
 * A rollback does not need them, since it removes them. */
static bool collect_new(wasm_memory_t *memory, struct error *error) {
    struct shadow *shadow = cn_shadow_of(memory);
    uint8_t *start = memory->base + shadow->watched;
    size_t size = (size_t)(memory->size - shadow->watched);
    if (!cn_tracker_watch(shadow->tracker, start, size))
        return cn_fail(error, CATNAP_IO, "cannot track which pages of a memory are written");
    if (!cn_tracker_written(shadow->tracker, start, size, false, add_new_pages, shadow) ||
        !cn_tracker_protect(shadow->tracker, start, size))
        return cn_fail(error, CATNAP_IO, "cannot find out which pages were written");
    shadow->watched = memory->size;
    return true;
}

bool cn_shadow_collect(wasm_memory_t *memory, bool protect, struct error *error) {
    struct shadow *shadow = cn_shadow_of(memory);
    if (shadow->tracker->kind == TRACK_COMPARE) {
        compare(memory, shadow);
        return true;
    }
    uint64_t known = shadow->image < 0 ? shadow->watched : memory->size;
    if (known > memory->size)
        known = memory->size;
    if (!cn_tracker_written(shadow->tracker, memory->base, (size_t)known, protect, add_pages,
                            shadow))
        return cn_fail(error, CATNAP_IO, "cannot find out which pages were written");
    return !protect || memory->size == known || collect_new(memory, error);
}

/* ---- After a fork ---- */

static const struct tracker comparing = {.kind = TRACK_COMPARE, .faults = -1, .pages = -1};

static void copy_pages(uint8_t *to, const uint8_t *from, uint64_t size, size_t page) {
    for (size_t i = 0; i < size / page; i++)
        if (!is_zero_page(from + i * page, page))
            memcpy(to + i * page, from + i * page, page);
}

/* Copies the shadow and the memory to `own` and `copy`, which then replace them, unless the parent has changed
 * the image meanwhile. */
static bool fill_and_replace(wasm_memory_t *memory, struct shadow *own, uint8_t *copy,
                             struct error *error) {
    struct shadow *shadow = cn_shadow_of(memory);
    size_t size = (size_t)memory->size;
    copy_pages(own->pages, shadow->pages, shadow->size, shadow->page);
    copy_pages(copy, memory->base, size, shadow->page);
    if (!is_unchanged(shadow))
        return cn_fail(error, CATNAP_MISUSE,
                       "the process that made the checkpoint has changed it since the fork");
    if (!cn_os_replace(memory->base, copy, size))
        return cn_fail(error, CATNAP_NO_MEMORY, "cannot replace the mapping of a memory");
    free_pages(shadow);
    *shadow = *own;
    return true;
}

/* Gives the child its own shadow, without an image, since the parent goes on changing the image that both map. */
static bool leave_image(wasm_memory_t *memory, const struct tracker *tracker, struct error *error) {
    struct shadow own = *cn_shadow_of(memory);
    size_t size = (size_t)memory->size;
    own.tracker = tracker;
    own.pages = NULL;
    own.pages_space = (struct space){NULL, NULL};
    own.image = -1;
    own.changes = 0;
    uint8_t *copy = cn_os_reserve(size ? size : own.page);
    bool ok = make_pages(&own) && copy && cn_os_commit(copy, size);
    if (!ok)
        cn_fail(error, CATNAP_NO_MEMORY, "cannot map memory for a checkpoint");
    ok = ok && fill_and_replace(memory, &own, copy, error);
    if (!ok)
        free_pages(&own);
    if (!ok || size == 0)
        cn_os_release(copy, size ? size : own.page);
    return ok;
}

static bool watch_all(wasm_memory_t *memory, const struct tracker *tracker) {
    size_t size = (size_t)memory->size;
    return tracker->kind != TRACK_WRITE_PROTECT ||
           (cn_tracker_watch(tracker, memory->base, size) &&
            cn_tracker_protect(tracker, memory->base, size));
}

bool cn_shadow_adopt(wasm_memory_t *memory, const struct tracker *tracker, struct error *error) {
    struct shadow *shadow = cn_shadow_of(memory);
    if (cn_tracker_is_own(shadow->tracker))
        return true;
    bool imaged = shadow->image >= 0;
    if (!tracker || (tracker->kind == TRACK_COPY_ON_WRITE && !imaged))
        tracker = &comparing;
    if (imaged && !leave_image(memory, tracker, error))
        return false;
    shadow->tracker = watch_all(memory, tracker) ? tracker : &comparing;
    shadow->watched = shadow->tracker->kind == TRACK_WRITE_PROTECT ? memory->size : 0;
    compare(memory, shadow);
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

bool cn_shadow_prepare(wasm_memory_t *memory, struct undo **out, struct error *error) {
    struct shadow *shadow = cn_shadow_of(memory);
    size_t count = count_old_pages(shadow);
    struct undo *undo = shadow->spare;
    if (undo && count <= undo->capacity)
        shadow->spare = NULL;
    else
        undo = new_record(memory->ref.store->alloc, count, shadow->page);
    *out = undo;
    if (!undo)
        return cn_fail_memory(error);
    CN_ASSERT(count <= undo->capacity);
    undo->next = NULL;
    undo->size = shadow->size;
    undo->extent = shadow->extent;
    undo->count = count;
    return true;
}

/* A free record of at most so many pages is kept for the next checkpoint, the largest one found. */
#define MOST_SPARE 256

void cn_undo_free(wasm_memory_t *memory, struct undo *undo) {
    struct shadow *shadow = cn_shadow_of(memory);
    while (undo) {
        struct undo *next = undo->next, *dropped = undo;
        if (undo->capacity <= MOST_SPARE &&
            (!shadow->spare || undo->capacity > shadow->spare->capacity)) {
            dropped = shadow->spare;
            shadow->spare = undo;
        }
        free_record(memory->ref.store->alloc, dropped, shadow->page);
        undo = next;
    }
}

/* Discards the memory's own copies of pages in the set, and maps the image behind what the memory has grown by: the
 * image has the same contents now. */
static void become_image(wasm_memory_t *memory, struct shadow *shadow) {
    size_t end = pages_of(shadow, shadow->watched), page = shadow->page;
    for (size_t i = next_page(shadow, 0, end); i < end;) {
        size_t to = i + 1;
        while (to < end && next_page(shadow, to, to + 1) == to)
            to++;
        cn_os_discard(memory->base + i * page, (to - i) * page);
        i = next_page(shadow, to, end);
    }
    if (memory->size > shadow->watched &&
        cn_os_image_map(shadow->image, shadow->watched, memory->base + shadow->watched,
                        (size_t)(memory->size - shadow->watched)))
        shadow->watched = memory->size;
}

void cn_shadow_take(wasm_memory_t *memory, struct undo *undo) {
    struct shadow *shadow = cn_shadow_of(memory);
    size_t end = pages_of(shadow, memory->size), old_end = pages_of(shadow, shadow->size);
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
        memcpy(to, memory->base + i * page, page);
    }
    CN_ASSERT(!undo || saved == undo->count);
    shadow->size = memory->size;
    shadow->extent = memory->extent;
    if (shadow->image >= 0)
        become_image(memory, shadow);
    clear_pages(shadow, memory->size);
}

uint64_t cn_shadow_copies(const wasm_memory_t *memory) {
    const struct shadow *shadow = cn_shadow_of(memory);
    return shadow ? (uint64_t)shadow->copied * shadow->page : 0;
}

/* ---- Going back ---- */

/* Before a page of the image changes: makes the memory's page a private copy, unless the memory loses it. */
static void keep_page(wasm_memory_t *memory, const struct shadow *shadow, size_t index) {
    if (shadow->image < 0 || index * shadow->page >= shadow->locked)
        return;
    volatile uint8_t *byte = memory->base + index * shadow->page;
    *byte = *byte;
}

static void put_back(wasm_memory_t *memory, const struct undo *undo) {
    struct shadow *shadow = cn_shadow_of(memory);
    size_t page = shadow->page;
    CN_ASSERT(undo->size <= shadow->size); /* memories only grow between checkpoints */
    announce_change(shadow);
    for (size_t i = 0; i < undo->count; i++)
        keep_page(memory, shadow, undo->index[i]);
    for (size_t i = pages_of(shadow, undo->size); i < pages_of(shadow, shadow->size); i++)
        keep_page(memory, shadow, i);
    for (size_t i = 0; i < undo->count; i++) {
        memcpy(shadow->pages + undo->index[i] * page, undo->pages + i * page, page);
        add_page(shadow, undo->index[i]);
    }
    if (shadow->size > undo->size) {
        add_pages(shadow, (size_t)undo->size, (size_t)shadow->size);
        cn_os_zero(shadow->image, shadow->pages + undo->size, (size_t)(shadow->size - undo->size));
    }
    shadow->size = undo->size;
    shadow->extent = undo->extent;
}

void cn_shadow_undo(wasm_memory_t *memory, const struct undo *undo) {
    for (; undo; undo = undo->next)
        put_back(memory, undo);
}

bool cn_shadow_lock(wasm_memory_t *memory, uint64_t size, struct error *error) {
    if (memory->size > size && !cn_os_protect(memory->base + size, (size_t)(memory->size - size)))
        return cn_fail(error, CATNAP_IO, "cannot shrink a memory");
    cn_shadow_of(memory)->locked = size;
    return true;
}

/* Makes it accessible again. The system merges the mappings that locking has split, so that this cannot fail for
 * want of mappings. */
void cn_shadow_unlock(wasm_memory_t *memory, uint64_t size) {
    cn_shadow_of(memory)->locked = UINT64_MAX;
    if (memory->size > size)
        cn_os_commit(memory->base + size, (size_t)(memory->size - size));
}

/* Takes away what the memory has grown by, which is inaccessible already (cn_shadow_lock()). If the system does not
 * take it back, it stays inaccessible and the memory can no longer grow into it. */
static void shrink(wasm_memory_t *memory, struct shadow *shadow) {
    CN_ASSERT(memory->size >= shadow->size && shadow->locked == shadow->size);
    uint64_t surplus = memory->size - shadow->size;
    shadow->locked = UINT64_MAX;
    if (surplus == 0)
        return;
    if (!cn_os_decommit(memory->base + shadow->size, (size_t)surplus))
        memory->max_pages = shadow->size / WASM_PAGE_BYTES;
    for (size_t i = pages_of(shadow, shadow->size), end = pages_of(shadow, memory->size); i < end;
         i++) {
        uint64_t bit = UINT64_C(1) << (i % 64);
        shadow->count -= (shadow->differing[i / 64] & bit) != 0;
        shadow->differing[i / 64] &= ~bit;
    }
    memory->size = shadow->size;
    cn_store_give_memory(memory->ref.store, surplus);
    if (shadow->watched > memory->size)
        shadow->watched = memory->size;
}

void cn_shadow_restore(wasm_memory_t *memory) {
    struct shadow *shadow = cn_shadow_of(memory);
    shrink(memory, shadow);
    memory->extent = shadow->extent;
    size_t end = pages_of(shadow, memory->size), page = shadow->page, count = shadow->count;
    for (size_t i = count ? next_page(shadow, 0, end) : end; i < end;
         i = next_page(shadow, i + 1, end))
        memcpy(memory->base + i * page, shadow->pages + i * page, page);
    if (count > FEW_PAGES && shadow->image >= 0)
        become_image(memory, shadow);
    clear_pages(shadow, memory->size);
    if (count > FEW_PAGES && shadow->tracker->kind == TRACK_WRITE_PROTECT)
        cn_tracker_protect(shadow->tracker, memory->base, (size_t)memory->size);
}
