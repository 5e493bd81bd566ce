/* Handles, the store's list of objects, and the end of each kind. */
#include "runtime/gc.h"
#include "runtime/object.h"

#include "base/assert.h"
#include "base/platform.h"
#include "runtime/collect.h"
#include "runtime/instance.h"
#include "runtime/shared_memory.h"
#include "runtime/trap.h"

void cn_object_init_part(struct wasm_ref_t *ref, enum object_kind kind, wasm_store_t *store) {
    *ref = (struct wasm_ref_t){.kind = (uint8_t)kind, .escaped = true, .store = store};
}

void cn_object_init(struct wasm_ref_t *ref, enum object_kind kind, wasm_store_t *store) {
    struct wasm_ref_t *head = &store->objects;
    *ref = (struct wasm_ref_t){.kind = (uint8_t)kind,
                               .in_store = true,
                               .level = store->levels,
                               .store = store,
                               .next = head->next,
                               .previous = head};
    head->next->previous = ref;
    head->next = ref;
    store->object_count++;
    store->may_have_garbage = true;
    store->changes++;
}

void cn_object_unlink(struct wasm_ref_t *ref) {
    CN_ASSERT(ref->in_store && ref->store->object_count > 0);
    CN_ASSERT(ref->previous->next == ref && ref->next->previous == ref);
    ref->previous->next = ref->next;
    ref->next->previous = ref->previous;
    ref->store->object_count--;
}

/* The newest objects come first. */
void cn_objects_outlive(wasm_store_t *store, uint32_t levels) {
    for (struct wasm_ref_t *ref = store->objects.next;
         ref != &store->objects && ref->level > levels; ref = ref->next)
        ref->level = levels;
}

void cn_object_set_host_info(struct wasm_ref_t *ref, void *info, void (*finalizer)(void *)) {
    void *old = ref->host_info;
    void (*finalize_old)(void *) = ref->host_info_finalizer;
    ref->host_info = info;
    ref->host_info_finalizer = finalizer;
    if (finalize_old)
        finalize_old(old);
}

static void finalize_env(struct wasm_func_t *func) {
    void (*finalizer)(void *) = func->finalizer;
    func->finalizer = NULL;
    if (finalizer)
        finalizer(func->env);
}

static void finalize_parts(struct wasm_instance_t *instance) {
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_func_count; i < module->func_count; i++)
        if (instance->funcs[i])
            cn_object_finalize(&instance->funcs[i]->ref);
    for (uint32_t i = module->imported_global_count; i < module->global_count; i++)
        if (instance->global_objects[i])
            cn_object_finalize(&instance->global_objects[i]->ref);
}

void cn_object_finalize(struct wasm_ref_t *ref) {
    cn_object_set_host_info(ref, NULL, NULL);
    if (ref->kind == OBJECT_FUNC)
        finalize_env((struct wasm_func_t *)ref);
    if (ref->kind == OBJECT_INSTANCE)
        finalize_parts((struct wasm_instance_t *)ref);
}

/* ---- The end of each kind ---- */

static void free_func(struct wasm_ref_t *ref) {
    struct wasm_func_t *func = (struct wasm_func_t *)ref;
    if (ref->in_store)
        cn_types_release(&ref->store->engine->types, &func->type->def);
    cn_free(ref->store->alloc, func, sizeof *func);
}

static void free_table(struct wasm_ref_t *ref) {
    struct wasm_table_t *table = (struct wasm_table_t *)ref;
    cn_store_give_elements(ref->store, table->size);
    cn_valtype_release(&ref->store->engine->types, table->type.element);
    cn_free(ref->store->alloc, table->elements, table->capacity * sizeof *table->elements);
    cn_free(ref->store->alloc, table, sizeof *table);
}

static void free_memory(struct wasm_ref_t *ref) {
    struct wasm_memory_t *memory = (struct wasm_memory_t *)ref;
    CN_ASSERT(memory->size <= memory->reserved && ref->store->reserved_bytes >= memory->reserved);
    ref->store->reserved_bytes -= memory->reserved;
    ref->store->short_of_space = false;
    if (memory->shared) {
        ref->store->memory_bytes -= memory->size;
        ref->store->shared_memories--;
        atomic_fetch_sub(&memory->shared->views, 1);
        cn_shared_memory_release(memory->shared);
        cn_free(ref->store->alloc, memory, sizeof *memory);
        return;
    }
    cn_store_give_memory(ref->store, memory->size);
    bool taken = memory->backing && ref->store->persist->release(memory);
    if (memory->base && !taken)
        cn_os_release(memory->base, memory->reserved);
    cn_free(ref->store->alloc, memory, sizeof *memory);
}

static void free_global(struct wasm_ref_t *ref) {
    cn_free(ref->store->alloc, ref, sizeof(struct wasm_global_t));
}

/* The functions and globals that are objects, and segments that were read. */
static void free_parts(const struct wasm_instance_t *instance) {
    const struct module *module = instance->module;
    wasm_store_t *store = instance->ref.store;
    for (struct wasm_ref_t *part = instance->parts, *next; part; part = next) {
        next = part->next;
        bool is_func = part->kind == OBJECT_FUNC;
        store->block_bytes -= is_func ? sizeof(struct wasm_func_t) : sizeof(struct wasm_global_t);
        (is_func ? free_func : free_global)(part);
    }
    for (uint32_t i = 0; i < module->elem_count; i++)
        if (instance->elem_items[i])
            cn_elem_items_free(store, instance->elem_items[i], &module->elems[i]);
}

static void free_instance(struct wasm_ref_t *ref) {
    struct wasm_instance_t *instance = (struct wasm_instance_t *)ref;
    free_parts(instance);
    ref->store->block_bytes -= instance->allocation;
    if (instance->counted)
        ref->store->instance_count--;
    if (instance->slot)
        cn_slot_free(instance->slot);
    struct alloc *alloc = ref->store->alloc;
    cn_shared_release(instance->shared);
    cn_free(alloc, instance, instance->allocation);
}

static void free_module(struct wasm_ref_t *ref) {
    struct wasm_module_t *module = (struct wasm_module_t *)ref;
    cn_shared_release(module->shared);
    cn_free(ref->store->alloc, module, sizeof *module);
}

static void free_trap(struct wasm_ref_t *ref) {
    struct wasm_trap_t *trap = (struct wasm_trap_t *)ref;
    struct alloc *alloc = ref->store->alloc;
    cn_free(alloc, trap->frames, trap->frame_count * sizeof *trap->frames);
    cn_free(alloc, trap->message, trap->message_length + 1);
    cn_free(alloc, trap, sizeof *trap);
}

static void free_tag(struct wasm_ref_t *ref) {
    cn_types_release(&ref->store->engine->types, &((struct catnap_tag_t *)ref)->type->def);
    cn_free(ref->store->alloc, ref, sizeof(struct catnap_tag_t));
}

/* Its tag may be gone before it. */
static void free_exception(struct wasm_ref_t *ref) {
    size_t bytes = ((struct catnap_exception_t *)ref)->bytes;
    cn_store_give_memory(ref->store, bytes);
    cn_free(ref->store->alloc, ref, bytes);
}

static void free_heap_ref(struct wasm_ref_t *ref) {
    cn_free(ref->store->alloc, ref, sizeof(struct heap_ref));
}

static void free_foreign(struct wasm_ref_t *ref) {
    cn_free(ref->store->alloc, ref, sizeof(struct wasm_foreign_t));
}

void cn_object_free(struct wasm_ref_t *ref) {
    static void (*const by_kind[])(struct wasm_ref_t *) = {
        [OBJECT_FUNC] = free_func,         [OBJECT_TABLE] = free_table,
        [OBJECT_MEMORY] = free_memory,     [OBJECT_GLOBAL] = free_global,
        [OBJECT_INSTANCE] = free_instance, [OBJECT_MODULE] = free_module,
        [OBJECT_TRAP] = free_trap,         [OBJECT_FOREIGN] = free_foreign,
        [OBJECT_TAG] = free_tag,           [OBJECT_EXCEPTION] = free_exception,
        [OBJECT_HEAP] = free_heap_ref,
    };
    CN_ASSERT(ref->kind < sizeof by_kind / sizeof *by_kind);
    by_kind[ref->kind](ref);
}

/* ---- Handles ---- */

/* The trap that a second thread gets must not touch the store's counts. */
static bool is_uncounted(const struct wasm_ref_t *ref) {
    return ref == &ref->store->misuse_trap->ref;
}

void cn_object_retain(struct wasm_ref_t *ref) {
    if (is_uncounted(ref))
        return;
    ref->store->handles++;
    if (ref->handles++ == 0)
        cn_store_pin(ref->store);
}

static bool is_immortal(const struct wasm_ref_t *ref) {
    return ref->kind == OBJECT_TRAP && ((const struct wasm_trap_t *)ref)->immortal;
}

void cn_object_release(struct wasm_ref_t *ref) {
    wasm_store_t *store = ref->store;
    if (is_uncounted(ref))
        return;
    CN_ASSERT(ref->handles > 0 && store->handles > 0);
    store->handles--;
    if (--ref->handles > 0)
        return;
    store->may_have_garbage |= ref->escaped;
    store->changes++;
    store->whole_let_go |=
        ref->kind == OBJECT_INSTANCE || ref->kind == OBJECT_MEMORY || ref->kind == OBJECT_TABLE;
    if (!ref->escaped && !store->keep_objects && !is_immortal(ref)) {
        cn_object_unlink(ref);
        cn_object_finalize(ref);
        cn_object_free(ref);
    }
    cn_store_unpin(store);
}

void cn_object_drop(struct wasm_ref_t *ref) {
    wasm_store_t *store = ref->store;
    if (ref->handles != 1 || !ref->escaped || is_uncounted(ref) || !cn_collection_is_due(store)) {
        cn_object_release(ref);
        return;
    }
    cn_store_pin(store);
    cn_object_release(ref);
    cn_collect(store);
    cn_store_unpin(store);
}
