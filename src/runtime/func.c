/* Functions: of the host, and those of an instance that something refers to. */
#include "runtime/gc.h"
#include "runtime/func.h"
#include "base/assert.h"
#include "runtime/instance.h"
#include "runtime/store.h"
#include "types/subtype.h"

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

wasm_func_t *cn_instance_func(wasm_instance_t *instance, uint32_t index) {
    CN_ASSERT(index < instance->module->func_count);
    wasm_func_t *func = instance->funcs[index];
    if (func)
        return func;
    wasm_store_t *store = instance->ref.store;
    func = cn_calloc(store->alloc, 1, sizeof *func);
    if (!func)
        return NULL;
    cn_object_init_part(&func->ref, OBJECT_FUNC, store);
    func->type = module_func_type(instance->module, index);
    func->instance = instance;
    func->index = index;
    func->type_id = func->type->def.id;
    store->block_bytes += sizeof *func;
    func->ref.next = instance->parts;
    instance->parts = &func->ref;
    instance->funcs[index] = func;
    return func;
}

static const char *func_fault(const struct type_registry *registry, const struct wasm_ref_t *ref,
                              valtype type) {
    if (ref->kind != OBJECT_FUNC)
        return "is not a reference to a function";
    const struct functype *own = ((const struct wasm_func_t *)ref)->type;
    return cn_valtype_matches(registry, vt_of(&own->def, false), type)
               ? NULL
               : "is a function of another type";
}

const char *cn_ref_fault(const struct type_registry *registry, const struct wasm_ref_t *ref,
                         valtype type) {
    if (!ref || heap_ref_is_null(ref))
        return type & VT_NON_NULL ? "is null" : NULL;
    if (vt_kind(type) == KIND_FUNC)
        return type == VT_FUNCREF && ref->kind == OBJECT_FUNC ? NULL
                                                              : func_fault(registry, ref, type);
    if ((type & ~VT_NON_NULL) == VT_EXNREF)
        return ref->kind == OBJECT_EXCEPTION ? NULL : "is not a reference to an exception";
    if (vt_kind(type) == KIND_ANY)
        return cn_heap_ref_fault(ref, type);
    return (type & ~VT_NON_NULL) == VT_EXTERNREF ? NULL : "is not null";
}
