/*
 * Spare address space: that of a memory whose instance was deleted, with the snapshot's image mapped in it, for the
 * next instance of the snapshot. Written pages are discarded before it becomes a spare, so that an instance sees
 * nothing of the one before.
 */
#include "base/platform.h"
#include "persist/backing.h"
#include "persist/snapshot.h"

struct spare {
    uint8_t *base;
    size_t reserved;
    uint32_t object; /* the memory of the snapshot that it is laid out for */
};

uint8_t *cn_spare_take(catnap_snapshot_t *snapshot, uint32_t object, size_t *reserved) {
    uint8_t *found = NULL;
    pthread_mutex_lock(&snapshot->spare_mutex);
    for (uint32_t i = 0; !found && i < snapshot->spare_count; i++) {
        struct spare *spare = &snapshot->spares[i];
        if (spare->object != object)
            continue;
        found = spare->base;
        *reserved = spare->reserved;
        *spare = snapshot->spares[--snapshot->spare_count];
    }
    pthread_mutex_unlock(&snapshot->spare_mutex);
    return found;
}

static bool keep(catnap_snapshot_t *snapshot, const struct spare *spare) {
    bool kept = false;
    pthread_mutex_lock(&snapshot->spare_mutex);
    struct spare *room = NULL;
    if (!snapshot->spares) { /* the allocator may be the embedder's: not under the mutex */
        pthread_mutex_unlock(&snapshot->spare_mutex);
        room = cn_calloc(snapshot->alloc, MOST_SPARES, sizeof *room);
        pthread_mutex_lock(&snapshot->spare_mutex);
    }
    if (!snapshot->spares) {
        snapshot->spares = room;
        room = NULL;
    }
    if (snapshot->spares && snapshot->spare_count < MOST_SPARES) {
        snapshot->spares[snapshot->spare_count++] = *spare;
        kept = true;
    }
    pthread_mutex_unlock(&snapshot->spare_mutex);
    if (room)
        cn_free(snapshot->alloc, room, MOST_SPARES * sizeof *room);
    return kept;
}

/* A memory that has grown is not kept, nor one whose pages a checkpoint may have mapped. */
bool cn_spare_give_back(wasm_memory_t *memory) {
    catnap_snapshot_t *snapshot = memory->backing->source;
    uint32_t object = memory->backing->source_object;
    struct spare spare = {memory->base, memory->reserved, object};
    bool kept = !memory->remapped && memory->size == snapshot->objects[object].size &&
                cn_os_discard(memory->base, (size_t)memory->size) && keep(snapshot, &spare);
    cn_snapshot_release(snapshot);
    return kept;
}

void cn_spare_expect(catnap_snapshot_t *snapshot, uint32_t object, wasm_memory_t *memory) {
    struct memory_backing *backing = cn_backing_of(memory);
    if (!backing)
        return; /* its address space is released at its end, which is all */
    cn_snapshot_retain(snapshot);
    backing->source = snapshot;
    backing->source_object = object;
}

void cn_spares_free(catnap_snapshot_t *snapshot) {
    for (uint32_t i = 0; i < snapshot->spare_count; i++)
        cn_os_release(snapshot->spares[i].base, snapshot->spares[i].reserved);
    if (snapshot->spares)
        cn_free(snapshot->alloc, snapshot->spares, MOST_SPARES * sizeof *snapshot->spares);
    pthread_mutex_destroy(&snapshot->spare_mutex);
}
