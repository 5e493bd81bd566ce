/* The life of a heap; boxes and the side table. */
#include "heap/internal.h"

#include "base/platform.h"

static bool set_up(struct heap *h, struct error *error) {
    if (!cn_mark_init(h) || !cn_types_begin(h))
        return cn_fail_memory(error);
    if (!cn_region_reserve(h))
        return cn_fail(error, CATNAP_NO_MEMORY, "no address space for a heap");
    cn_cycle_plan(h, 0);
    return true;
}

struct heap *cn_heap_new(struct alloc *alloc, const struct heap_owner *owner,
                         const struct heap_config *config, struct error *error) {
    struct heap *h = cn_calloc(alloc, 1, sizeof *h);
    if (!h) {
        cn_fail_memory(error);
        return NULL;
    }
    h->alloc = alloc;
    h->owner = *owner;
    h->config = *config;
    h->now.no_run = UINT32_MAX;
    cn_numbering_init(&h->side, alloc);
    cn_numbering_init(&h->type_index, alloc);
    cn_arena_init(&h->arena, alloc);
    if (set_up(h, error))
        return h;
    cn_heap_delete(h);
    return NULL;
}

void cn_heap_delete(struct heap *h) {
    if (!h)
        return;
    if (h->owner.give && h->now.blocks > 0)
        h->owner.give(h->owner.env, committed(h));
    cn_os_release(h->base, h->mapped);
    cn_mark_destroy(h);
    cn_types_end(h);
    cn_numbering_destroy(&h->side);
    cn_numbering_destroy(&h->type_index);
    cn_arena_free(&h->arena);
    cn_free(h->alloc, h, sizeof *h);
}

/* ---- The side table ---- */

/* An entry that the cycle under way still would remove stays, since it is going to be stored. */
static void keep_entry(struct heap *h, uint32_t number) {
    if (h->marking || (h->phase == HEAP_SWEEPING && number >= h->side_sweep))
        cn_heap_mark_side(h, number);
}

bool cn_heap_side_number(struct heap *h, uint64_t slot, uint32_t *number) {
    *number = slot ? cn_numbering_add(&h->side, slot) : 0;
    if (*number)
        keep_entry(h, *number);
    return *number != 0 || slot == 0;
}

uint32_t cn_heap_new_box(struct heap *h, uint64_t slot) {
    uint32_t number, box = cn_heap_allocate(h, HEAP_BOX_TYPE, HEAP_BOX_BYTES);
    CN_ASSERT(slot != 0 && !heap_slot_is_converted(slot));
    if (!box || !cn_heap_side_number(h, slot, &number))
        return 0;
    heap_store(h, heap_offset(box) + HEAP_BOX_OFFSET, number);
    return box;
}
