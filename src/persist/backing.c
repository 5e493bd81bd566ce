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

void cn_backing_forget(wasm_memory_t *memory) {
    if (cn_shadow_of(memory))
        cn_shadow_drop(memory);
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
