/* Instances of both headers. */
#include "api/api.h"
#include "exec/calls.h"
#include "runtime/collect.h"

wasm_trap_t *cn_start(wasm_instance_t *instance) {
    if (!instance->module->has_start)
        return NULL;
    uint64_t no_slots[1];
    wasm_func_t *func = cn_instance_func(instance, instance->module->start);
    if (!func)
        return cn_trap_new(instance->ref.store, CATNAP_TRAP_NO_MEMORY, "%s",
                           cn_trap_text(CATNAP_TRAP_NO_MEMORY));
    return cn_call(func, no_slots);
}

static wasm_instance_t *instantiate_inside(wasm_store_t *store, const wasm_module_t *module,
                                           struct wasm_ref_t *const *imports, size_t count,
                                           struct error *error, wasm_trap_t **trap) {
    *trap = NULL;
    if (module->ref.store != store) {
        cn_fail(error, CATNAP_MISUSE, "the module belongs to another store");
        return NULL;
    }
    if (store->deleted) {
        cn_fail(error, CATNAP_MISUSE, "the store has been deleted");
        return NULL;
    }
    wasm_instance_t *instance = cn_instance_new(store, module->shared, imports, count, error, trap);
    if (!instance && !*trap && cn_collect_for(store, error))
        instance = cn_instance_new(store, module->shared, imports, count, error, trap);
    if (!instance)
        return NULL;
    cn_object_retain(&instance->ref);
    *trap = cn_start(instance);
    if (!*trap)
        return instance;
    cn_object_release(&instance->ref);
    return NULL;
}

wasm_instance_t *cn_instantiate(wasm_store_t *store, const wasm_module_t *module,
                                struct wasm_ref_t *const *imports, size_t count,
                                struct error *error, wasm_trap_t **trap) {
    cn_store_pin(store); /* the start function may delete it, or a finalizer */
    cn_safe_point(store);
    uint64_t id = cn_begin_work(&store->machine);
    wasm_instance_t *instance = instantiate_inside(store, module, imports, count, error, trap);
    cn_end_work(&store->machine, id);
    if (*trap) {
        cn_fail(error, CATNAP_TRAP, "instantiation trapped: %s", (*trap)->message);
        cn_store_fail(store, error);
    } else if (!instance) {
        cn_store_fail(store, error);
    }
    cn_store_unpin(store);
    return instance;
}

/* ---- wasm.h ---- */

static wasm_trap_t *link_trap(wasm_store_t *store, const struct error *error) {
    wasm_trap_t *trap = cn_trap_of_error(store, error);
    if (error->status == CATNAP_LINK && !trap->immortal)
        trap->code = CATNAP_TRAP_UNKNOWN_IMPORT;
    return trap;
}

wasm_instance_t *wasm_instance_new(wasm_store_t *store, const wasm_module_t *module,
                                   const wasm_extern_vec_t *imports, wasm_trap_t **out) {
    struct error error;
    wasm_trap_t *trap = NULL;
    wasm_instance_t *instance = NULL;
    if (!store || !module) {
        cn_report_null(store, NULL);
        trap = cn_trap_null_argument();
    } else if (!cn_store_enter(store)) {
        trap = store->misuse_trap;
    } else {
        size_t count = imports && imports->data ? imports->size : 0;
        instance =
            cn_instantiate(store, module, count ? (struct wasm_ref_t *const *)imports->data : NULL,
                           count, &error, &trap);
        if (!instance && !trap)
            trap = link_trap(store, &error);
        cn_store_leave(store);
    }
    if (out)
        *out = trap;
    else
        wasm_trap_delete(trap);
    return instance;
}

void wasm_instance_exports(const wasm_instance_t *const_instance, wasm_extern_vec_t *out) {
    wasm_instance_t *instance = (wasm_instance_t *)(uintptr_t)const_instance;
    const struct module *module = instance ? instance->module : NULL;
    wasm_extern_vec_new_uninitialized(out, module ? module->export_count : 0);
    for (size_t i = 0; module && i < out->size; i++) {
        struct wasm_ref_t *ref =
            cn_instance_extern(instance, module->exports[i].kind, module->exports[i].index);
        if (ref)
            cn_object_retain(ref);
        out->data[i] = (wasm_extern_t *)ref;
        if (!ref)
            wasm_extern_vec_delete(out);
    }
    if (module && out->size < module->export_count)
        cn_report_memory(instance->ref.store, NULL);
}

/* ---- catnap.h ---- */

wasm_instance_t *catnap_instance_new(wasm_store_t *store, const wasm_module_t *module,
                                     const wasm_extern_vec_t *imports, catnap_error_t **out_error,
                                     wasm_trap_t **out_trap) {
    struct error error;
    wasm_trap_t *trap = NULL;
    if (out_error)
        *out_error = NULL;
    if (out_trap)
        *out_trap = NULL;
    if (!store || !module)
        return cn_report_null(store, out_error);
    if (!cn_store_enter(store))
        return cn_report_misuse(out_error);
    size_t count = imports && imports->data ? imports->size : 0;
    wasm_instance_t *instance =
        cn_instantiate(store, module, count ? (struct wasm_ref_t *const *)imports->data : NULL,
                       count, &error, &trap);
    cn_store_leave(store);
    if (!instance)
        cn_give_failure(&error, trap, out_error, out_trap);
    return instance;
}

void cn_give_failure(const struct error *error, wasm_trap_t *trap, catnap_error_t **out_error,
                     wasm_trap_t **out_trap) {
    if (!trap)
        cn_report(NULL, out_error, error);
    else if (out_trap)
        *out_trap = trap;
    else
        wasm_trap_delete(trap);
}

struct wasm_ref_t *cn_export_by_name(wasm_instance_t *instance, const char *name, size_t length) {
    const struct module *module = instance->module;
    for (uint32_t i = 0; i < module->export_count; i++) {
        const struct export_ *export_ = &module->exports[i];
        if (export_->name.length != length ||
            (length > 0 && memcmp(module->bytes + export_->name.offset, name, length) != 0))
            continue;
        struct wasm_ref_t *ref = cn_instance_extern(instance, export_->kind, export_->index);
        if (!ref)
            cn_report_memory(instance->ref.store, NULL);
        return ref;
    }
    return NULL;
}

wasm_extern_t *catnap_instance_export(const wasm_instance_t *instance, const char *name,
                                      size_t length) {
    if (!instance || (!name && length > 0))
        return NULL;
    struct wasm_ref_t *ref =
        cn_export_by_name((wasm_instance_t *)(uintptr_t)instance, name, length);
    if (ref)
        cn_object_retain(ref);
    return (wasm_extern_t *)ref;
}

wasm_module_t *catnap_instance_module(const wasm_instance_t *instance) {
    if (!instance)
        return NULL;
    wasm_module_t *module = cn_module_object_new(instance->ref.store, instance->shared);
    if (!module)
        return cn_report_memory(instance->ref.store, NULL);
    cn_object_retain(&module->ref);
    return module;
}
