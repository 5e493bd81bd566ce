/* Levels and paged areas, see saved_pages.h. */
#include "persist/saved_pages.h"

/* With records of more pages than this, a released level's undo is applied at once instead of being kept. */
#define MOST_KEPT 1024

bool cn_saved_pages_prepare(struct saved_pages *saved, struct shadow *shadow, uint64_t size,
                            bool below, struct error *error) {
    if (!cn_shadow_collect(shadow, size, true, error))
        return false;
    if (below && !cn_shadow_prepare(shadow, &saved->undo, error))
        return false;
    saved->has_undo = below;
    return true;
}

void cn_saved_pages_free(const struct saved_pages *saved, struct shadow *shadow) {
    if (!shadow)
        return;
    cn_undo_free(shadow, saved->later);
    cn_undo_free(shadow, saved->undo);
}

/* ---- Going back ---- */

static void apply(struct shadow *shadow, struct undo **records) {
    cn_shadow_undo(shadow, *records);
    cn_undo_free(shadow, *records);
    *records = NULL;
}

void cn_saved_pages_return(struct saved_pages *saved, struct shadow *shadow) {
    apply(shadow, &saved->later);
}

void cn_saved_pages_pop(struct saved_pages *saved, struct shadow *shadow) {
    apply(shadow, &saved->later);
    apply(shadow, &saved->undo);
}

static uint64_t size_before(const struct undo *records, uint64_t size) {
    for (; records; records = records->next)
        size = records->size;
    return size;
}

uint64_t cn_saved_pages_size(const struct saved_pages *saved, uint64_t size) {
    return size_before(saved->later, size);
}

uint64_t cn_saved_pages_size_below(const struct saved_pages *saved, uint64_t size) {
    return size_before(saved->undo, size_before(saved->later, size));
}

/* ---- Releasing ---- */

static size_t count_pages(const struct undo *undo) {
    size_t count = 0;
    for (; undo; undo = undo->next)
        count += undo->count + 1;
    return count;
}

/* Appends records to a list, of which the first is applied first. */
static void append(struct undo **list, struct undo *records) {
    while (*list)
        list = &(*list)->next;
    *list = records;
}

void cn_saved_pages_forget(struct saved_pages *saved, struct shadow *shadow,
                           struct saved_pages *below) {
    append(&saved->later, saved->undo);
    append(&saved->later, below->later);
    below->later = saved->later;
    saved->later = saved->undo = NULL;
    if (count_pages(below->later) > MOST_KEPT)
        apply(shadow, &below->later);
}
