/* Levels and the heap, see saved_heap.h. */
#include "persist/saved_heap.h"

#include "base/assert.h"

/* ---- Shadows ---- */

bool cn_heap_shadows_make(struct heap_shadows *shadows, const struct heap *heap,
                          struct spaces *spaces, const struct tracker *tracker,
                          struct error *error) {
    for (uint32_t i = 0; i < HEAP_AREAS; i++) {
        struct heap_span span = cn_heap_area(heap, i);
        const struct paged area = {span.base, span.size, span.most, heap->imaged};
        if (!shadows->areas[i])
            shadows->areas[i] = cn_shadow_new(heap->alloc, spaces, &area, tracker, error);
        if (!shadows->areas[i])
            return false;
    }
    return true;
}

void cn_heap_shadows_drop(struct heap_shadows *shadows, struct heap *heap) {
    for (uint32_t i = 0; i < HEAP_AREAS; i++) {
        if (!shadows->areas[i])
            continue;
        heap->imaged |= cn_shadow_is_image(shadows->areas[i]);
        cn_shadow_delete(shadows->areas[i]);
        shadows->areas[i] = NULL;
    }
}

bool cn_heap_shadows_adopt(const struct heap_shadows *shadows, const struct heap *heap,
                           const struct tracker *tracker, struct error *error) {
    for (uint32_t i = 0; i < HEAP_AREAS; i++)
        if (shadows->areas[i] &&
            !cn_shadow_adopt(shadows->areas[i], cn_heap_area(heap, i).size, tracker, error))
            return false;
    return true;
}

uint64_t cn_heap_shadows_copies(const struct heap_shadows *shadows) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < HEAP_AREAS; i++)
        bytes += shadows->areas[i] ? cn_shadow_copies(shadows->areas[i]) : 0;
    return bytes;
}

/* ---- The side table ---- */

static bool save_side(struct saved_heap *saved, const struct saved_heap *below,
                      const struct heap *heap) {
    if (below && below->side && below->side->changes == heap->side.changes) {
        saved->side = below->side;
        saved->side->references++;
        return true;
    }
    struct side_copy *copy =
        cn_alloc(heap->alloc, sizeof *copy + heap->side.end * sizeof(uint64_t));
    if (!copy)
        return false;
    *copy = (struct side_copy){1, heap->side.end, heap->side.changes};
    cn_numbering_copy(&heap->side, copy->slots);
    saved->side = copy;
    return true;
}

static void release_side(struct alloc *alloc, struct side_copy *side) {
    if (side && --side->references == 0)
        cn_free(alloc, side, sizeof *side + side->end * sizeof(uint64_t));
}

static void return_side(const struct side_copy *side, struct heap *heap) {
    static const uint64_t none[1] = {0};
    if (side)
        cn_numbering_return(&heap->side, side->slots, side->end, side->changes);
    else
        cn_numbering_return(&heap->side, none, 1, 0);
}

/* ---- Checkpoints ---- */

bool cn_saved_heap_prepare(struct saved_heap *saved, const struct saved_heap *below,
                           const struct heap_shadows *shadows, struct heap *heap,
                           struct error *error) {
    cn_heap_settle(heap);
    saved->now = heap->now;
    if (!save_side(saved, below, heap))
        return cn_fail_memory(error);
    for (uint32_t i = 0; i < HEAP_AREAS; i++)
        if (!cn_saved_pages_prepare(&saved->areas[i], shadows->areas[i], cn_heap_area(heap, i).size,
                                    below != NULL, error))
            return false;
    return true;
}

void cn_saved_heap_take(const struct saved_heap *saved, const struct heap_shadows *shadows,
                        const struct heap *heap) {
    for (uint32_t i = 0; i < HEAP_AREAS; i++)
        cn_shadow_take(shadows->areas[i], cn_heap_area(heap, i).size, saved->areas[i].undo);
}

void cn_saved_heap_free(const struct saved_heap *saved, const struct heap_shadows *shadows,
                        struct alloc *alloc) {
    for (uint32_t i = 0; i < HEAP_AREAS; i++)
        cn_saved_pages_free(&saved->areas[i], shadows->areas[i]);
    release_side(alloc, saved->side);
}

void cn_saved_heap_forget(struct saved_heap *saved, const struct heap_shadows *shadows,
                          struct saved_heap *below) {
    for (uint32_t i = 0; i < HEAP_AREAS; i++)
        cn_saved_pages_forget(&saved->areas[i], shadows->areas[i], &below->areas[i]);
}

void cn_saved_heap_pop(struct saved_heap *saved, const struct heap_shadows *shadows) {
    for (uint32_t i = 0; i < HEAP_AREAS; i++)
        cn_saved_pages_pop(&saved->areas[i], shadows->areas[i]);
}

/* ---- Rollback ---- */

bool cn_heap_shadows_collect(const struct heap_shadows *shadows, struct heap *heap,
                             struct error *error) {
    for (uint32_t i = 0; i < HEAP_AREAS; i++)
        if (!cn_shadow_collect(shadows->areas[i], cn_heap_area(heap, i).size, false, error))
            return false;
    return true;
}

struct heap_sizes cn_heap_shadows_sizes(const struct heap_shadows *shadows) {
    struct heap_sizes sizes;
    for (uint32_t i = 0; i < HEAP_AREAS; i++)
        sizes.areas[i] = shadows->areas[i]->size;
    return sizes;
}

void cn_saved_heap_sizes(const struct saved_heap *saved, bool below, struct heap_sizes *sizes) {
    for (uint32_t i = 0; i < HEAP_AREAS; i++)
        sizes->areas[i] = below ? cn_saved_pages_size_below(&saved->areas[i], sizes->areas[i])
                                : cn_saved_pages_size(&saved->areas[i], sizes->areas[i]);
}

static void unlock(const struct heap_shadows *shadows, const struct heap *heap,
                   const struct heap_sizes *to, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        cn_shadow_unlock(shadows->areas[i], cn_heap_area(heap, i).size, to->areas[i]);
}

void cn_heap_shadows_unlock(const struct heap_shadows *shadows, const struct heap *heap,
                            const struct heap_sizes *to) {
    unlock(shadows, heap, to, HEAP_AREAS);
}

bool cn_heap_shadows_lock(const struct heap_shadows *shadows, const struct heap *heap,
                          const struct heap_sizes *to, struct error *error) {
    for (uint32_t i = 0; i < HEAP_AREAS; i++) {
        uint64_t size = cn_heap_area(heap, i).size;
        if (cn_shadow_lock(shadows->areas[i], size, to->areas[i], error))
            continue;
        unlock(shadows, heap, to, i);
        return false;
    }
    return true;
}

void cn_saved_heap_return(struct saved_heap *saved, const struct heap_shadows *shadows,
                          struct heap *heap) {
    bool shrunk = true;
    for (uint32_t i = 0; i < HEAP_AREAS; i++) {
        cn_saved_pages_return(&saved->areas[i], shadows->areas[i]);
        shrunk &= cn_shadow_restore(shadows->areas[i], cn_heap_area(heap, i).size);
    }
    if (!saved->side) /* the level was made before the heap */
        saved->now = cn_heap_empty(heap);
    return_side(saved->side, heap);
    cn_heap_return(heap, &saved->now, shrunk);
    for (uint32_t i = 0; i < HEAP_AREAS; i++)
        CN_ASSERT(cn_heap_area(heap, i).size == shadows->areas[i]->size);
}
