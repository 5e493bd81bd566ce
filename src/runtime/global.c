/*
 * Globals: of the host, and those of an instance that something refers to, whose values are cells in the
 * instance.
 */
#include "runtime/global.h"
#include "base/assert.h"
#include "runtime/instance.h"
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

wasm_global_t *cn_instance_global(wasm_instance_t *instance, uint32_t index) {
    CN_ASSERT(index < instance->module->global_count);
    wasm_global_t *global = instance->global_objects[index];
    if (global)
        return global;
    wasm_store_t *store = instance->ref.store;
    global = cn_calloc(store->alloc, 1, sizeof *global);
    if (!global)
        return NULL;
    cn_object_init_part(&global->ref, OBJECT_GLOBAL, store);
    global->type = instance->module->globals[index].type;
    global->instance = instance;
    global->cell = instance->globals[index];
    store->block_bytes += sizeof *global;
    global->ref.next = instance->parts;
    instance->parts = &global->ref;
    instance->global_objects[index] = global;
    return global;
}
