/* Globals that the host makes; those of an instance are cells in it (instance.c). */
#include "runtime/global.h"
#include "runtime/store.h"

wasm_global_t *cn_global_new(wasm_store_t *store, const struct globaltype *type,
                             const uint64_t value[2], struct error *error) {
    wasm_global_t *global = cn_calloc(store->alloc, 1, sizeof *global);
    if (!global) {
        cn_fail_memory(error);
        return NULL;
    }
    cn_object_init(&global->ref, OBJECT_GLOBAL, store);
    global->type = *type;
    global->own[0] = value[0];
    global->own[1] = value[1];
    global->cell = global->own;
    return global;
}
