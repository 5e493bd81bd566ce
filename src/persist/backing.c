/* Backings of memories, see backing.h. */
#include "persist/backing.h"

#include "base/assert.h"
#include "persist/shadow.h"
#include "persist/snapshot.h"

struct memory_backing *cn_backing_of(wasm_memory_t *memory) {
    if (memory->backing)
        return memory->backing;
    memory->ref.store->persist = &cn_persist_hooks;
    memory->backing = cn_calloc(memory->ref.store->alloc, 1, sizeof *memory->backing);
    return memory->backing;
}

bool cn_backing_make_shadow(wasm_memory_t *memory, const struct tracker *tracker,
                            struct error *error) {
    if (cn_shadow_of(memory))
        return true;
    wasm_store_t *store = memory->ref.store;
    struct memory_backing *backing = cn_backing_of(memory);
    if (!backing)
        return cn_fail_memory(error);
    uint64_t most = memory->max_pages * WASM_PAGE_BYTES;
    const struct paged area = {memory->base, memory->size, most ? most : WASM_PAGE_BYTES,
                               memory->imaged};
    backing->shadow = cn_shadow_new(store->alloc, &store->engine->spaces, &area, tracker, error);
    if (!backing->shadow)
        return false;
    store->machine.shares_pages |= cn_shadow_is_image(backing->shadow);
    memory->remapped = true;
    return true;
}

void cn_backing_drop_shadow(wasm_memory_t *memory) {
    CN_ASSERT(cn_shadow_of(memory));
    memory->imaged |= cn_shadow_is_image(cn_shadow_of(memory));
    cn_shadow_delete(cn_shadow_of(memory));
    memory->backing->shadow = NULL;
}

void cn_backing_forget(wasm_memory_t *memory) {
    if (cn_shadow_of(memory))
        cn_backing_drop_shadow(memory);
}

bool cn_backing_release(wasm_memory_t *memory) {
    struct memory_backing *backing = memory->backing;
    CN_ASSERT(backing);
    cn_backing_forget(memory);
    bool taken = backing->source && cn_spare_give_back(memory);
    memory->backing = NULL;
    cn_free(memory->ref.store->alloc, backing, sizeof *backing);
    return taken;
}
