/* Functions of the host. */
#include "runtime/func.h"
#include "runtime/store.h"

wasm_func_t *cn_func_new(wasm_store_t *store, const struct functype *type, host_callback callback,
                         void *user_callback, void *env, void (*finalizer)(void *),
                         struct error *error) {
    wasm_func_t *func = cn_calloc(store->alloc, 1, sizeof *func);
    if (!func) {
        cn_types_release(&store->engine->types, &type->def);
        cn_fail_memory(error);
        return NULL;
    }
    cn_object_init(&func->ref, OBJECT_FUNC, store);
    func->type = type;
    func->type_id = type->def.id;
    func->index = CN_NO_FUNC;
    func->callback = callback;
    func->user_callback = user_callback;
    func->env = env;
    func->finalizer = finalizer;
    return func;
}
