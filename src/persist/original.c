/* Originals of memories, see original.h. */
#include "persist/original.h"

#include <string.h>

#include "base/platform.h"
#include "persist/backing.h"
#include "persist/shadow.h"
#include "runtime/state.h"
#include "runtime/store.h"

/* Shorter runs of pages are not shared, and not more of them: a small mapping costs as much as a large one, and a
 * process may have only so many. */
#define LEAST_PAGES 16u
#define MOST_RUNS 16u

struct original_memory {
    uint64_t size;     /* of the memory */
    int file;          /* with the pages to be shared, at their places; -1: there are none */
    uint8_t *bytes;    /* the same, mapped */
    uint64_t *present; /* bit for each page that is to be shared */
    size_t count;      /* of those */
};

struct original {
    struct alloc *alloc;
    size_t page;
    size_t memory_count;
    struct original_memory memories[];
};

/* ---- The memories of a store, from the oldest on ---- */

static wasm_memory_t *next_memory(const wasm_store_t *store, const struct wasm_ref_t *after) {
    struct wasm_ref_t *ref = after ? after->previous : store->objects.previous;
    while (ref != &store->objects && !cn_state_is_paged(ref->kind))
        ref = ref->previous;
    return ref != &store->objects ? (wasm_memory_t *)ref : NULL;
}

static size_t count_memories(const wasm_store_t *store) {
    size_t count = 0;
    for (wasm_memory_t *m = next_memory(store, NULL); m; m = next_memory(store, &m->ref))
        count++;
    return count;
}

/* ---- Making ---- */

struct presence {
    struct original_memory *memory;
    const uint8_t *pages;
    size_t page;
};

static bool is_present(const struct original_memory *memory, size_t index) {
    return memory->present[index / 64] >> (index % 64) & 1;
}

static void mark_pages(void *env, size_t from, size_t to) {
    const struct presence *presence = env;
    size_t page = presence->page;
    for (size_t i = from / page; i < to / page; i++)
        if (!is_zero_page(presence->pages + i * page, page))
            presence->memory->present[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Keeps the pages that will be shared: those of the first MOST_RUNS runs of at least LEAST_PAGES. */
static void keep_runs(struct original_memory *memory, size_t end) {
    size_t runs = 0;
    for (size_t i = 0, first; i < end; i++) {
        for (first = i; i < end && is_present(memory, i);)
            i++;
        if (i - first >= LEAST_PAGES && runs < MOST_RUNS) {
            memory->count += i - first;
            runs++;
            continue;
        }
        for (; first < i; first++)
            memory->present[first / 64] &= ~(UINT64_C(1) << (first % 64));
    }
}

static bool copy_pages(struct original_memory *memory, const uint8_t *pages, size_t page) {
    memory->file = cn_os_image_new((size_t)memory->size);
    if (memory->file >= 0)
        memory->bytes = cn_os_image_open(memory->file, (size_t)memory->size);
    for (size_t i = 0; memory->bytes && i < memory->size / page; i++)
        if (is_present(memory, i))
            memcpy(memory->bytes + i * page, pages + i * page, page);
    return memory->bytes != NULL;
}

static size_t present_bytes(const struct original *original, uint64_t size) {
    return ((size_t)(size / original->page) + 63) / 64 * sizeof(uint64_t);
}

static void drop_memory(const struct original *original, struct original_memory *memory) {
    cn_os_release(memory->bytes, (size_t)memory->size);
    cn_os_image_delete(memory->file);
    cn_free(original->alloc, memory->present, present_bytes(original, memory->size));
    *memory = (struct original_memory){.file = -1};
}

/* False when memory is exhausted. A memory that the system cannot map an image of is left out. */
static bool copy_memory(const struct original *original, const wasm_memory_t *memory,
                        struct original_memory *out) {
    const struct shadow *shadow = cn_shadow_of(memory);
    if (memory->size == 0 || !shadow || shadow->tracker->kind != TRACK_WRITE_PROTECT)
        return true;
    out->size = memory->size;
    out->present = cn_calloc(original->alloc, present_bytes(original, out->size), 1);
    if (!out->present)
        return false;
    struct presence presence = {out, shadow->pages, original->page};
    bool told = cn_tracker_populated(shadow->tracker, shadow->pages, (size_t)out->size, mark_pages,
                                     &presence);
    keep_runs(out, (size_t)(out->size / original->page));
    if (!told || out->count == 0 || !copy_pages(out, shadow->pages, original->page))
        drop_memory(original, out);
    return true;
}

bool cn_original_new(const wasm_store_t *store, struct original **out, struct error *error) {
    size_t count = count_memories(store), index = 0;
    struct original *original =
        cn_calloc(store->alloc, 1, sizeof *original + count * sizeof *original->memories);
    *out = NULL;
    if (!original)
        return cn_fail_memory(error);
    original->alloc = store->alloc;
    original->page = cn_os_page_bytes();
    original->memory_count = count;
    for (size_t i = 0; i < count; i++)
        original->memories[i].file = -1;
    for (wasm_memory_t *m = next_memory(store, NULL); m; m = next_memory(store, &m->ref)) {
        if (copy_memory(original, m, &original->memories[index++]))
            continue;
        cn_original_free(original);
        return cn_fail_memory(error);
    }
    if (cn_original_bytes(original) > 0)
        *out = original;
    else
        cn_original_free(original);
    return true;
}

void cn_original_free(struct original *original) {
    if (!original)
        return;
    for (size_t i = 0; i < original->memory_count; i++)
        drop_memory(original, &original->memories[i]);
    cn_free(original->alloc, original,
            sizeof *original + original->memory_count * sizeof *original->memories);
}

uint64_t cn_original_bytes(const struct original *original) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < original->memory_count; i++)
        bytes += (uint64_t)original->memories[i].count * original->page;
    return bytes;
}

/* ---- Laying ---- */

static bool is_same(const struct original_memory *from, const struct shadow *shadow, size_t index) {
    return is_present(from, index) &&
           memcmp(from->bytes + index * shadow->page, shadow->pages + index * shadow->page,
                  shadow->page) == 0;
}

/* Maps a run of the original in place of the pages of the memory and of its shadow. The tracker must watch the new
 * mapping of the memory. */
static bool lay_run(const struct original_memory *from, wasm_memory_t *memory, size_t first,
                    size_t count) {
    struct shadow *shadow = cn_shadow_of(memory);
    size_t offset = first * shadow->page, size = count * shadow->page;
    uint8_t *start = memory->base + offset;
    memory->imaged = true;
    if (!cn_os_image_map(from->file, offset, shadow->pages + offset, size) ||
        !cn_os_image_map(from->file, offset, start, size) ||
        !cn_tracker_watch(shadow->tracker, start, size) ||
        !cn_tracker_protect(shadow->tracker, start, size))
        return false;
    shadow->copied -= count;
    return true;
}

static bool lay_memory(const struct original_memory *from, wasm_memory_t *memory) {
    const struct shadow *shadow = cn_shadow_of(memory);
    if (from->file < 0 || !shadow || memory->size != from->size ||
        shadow->tracker->kind != TRACK_WRITE_PROTECT)
        return true;
    size_t end = (size_t)(memory->size / shadow->page), runs = 0;
    for (size_t i = 0, first; i < end && runs < MOST_RUNS; i++) {
        for (first = i; i < end && is_same(from, shadow, i);)
            i++;
        if (i - first < LEAST_PAGES)
            continue;
        if (!lay_run(from, memory, first, i - first))
            return false;
        runs++;
    }
    return true;
}

bool cn_original_lay(const struct original *original, wasm_store_t *store, struct error *error) {
    size_t index = 0;
    for (wasm_memory_t *m = next_memory(store, NULL); m && index < original->memory_count;
         m = next_memory(store, &m->ref))
        if (!lay_memory(&original->memories[index++], m))
            return cn_fail(error, CATNAP_IO, "cannot map a memory");
    return true;
}
