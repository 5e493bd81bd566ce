/* Instantiation (section 4.5.4) up to the start function, and the objects that an instance makes
 * on demand. */
#include "runtime/instance.h"
#include "runtime/gc.h"
#include "runtime/state.h"
#include "runtime/store.h"
#include "runtime/trap.h"

#include <inttypes.h>
#include <string.h>

#define ARRAY_ALIGN 16u

/* Arrays of an instance that are caches or fixed when it is made, beside those of its state. */
static const struct fixed_array {
    size_t field; /* offset in the instance of the pointer to it */
    size_t count; /* offset in the module of the number of items */
    size_t item;  /* bytes */
} fixed_arrays[] = {
    {offsetof(wasm_instance_t, globals), offsetof(struct module, global_count), sizeof(uint64_t *)},
    {offsetof(wasm_instance_t, funcs), offsetof(struct module, func_count), sizeof(wasm_func_t *)},
    {offsetof(wasm_instance_t, global_objects), offsetof(struct module, global_count),
     sizeof(wasm_global_t *)},
    {offsetof(wasm_instance_t, type_numbers), offsetof(struct module, object_types),
     sizeof(uint32_t)},
    {offsetof(wasm_instance_t, elem_items), offsetof(struct module, elem_count),
     sizeof(struct elem_items *)},
};
#define FIXED_ARRAYS (sizeof fixed_arrays / sizeof *fixed_arrays)

static size_t fixed_bytes(const struct fixed_array *array, const struct module *module) {
    uint32_t count;
    memcpy(&count, (const char *)module + array->count, sizeof count);
    return count * array->item;
}

/* Lays an array of `size` bytes behind the others, which end at *end; the pointer at `field` is set once
 * there is a block. */
static void place(uint8_t *block, size_t field, size_t size, size_t *end) {
    if (block) {
        void *array = block + *end;
        memcpy(block + field, &array, sizeof array);
    }
    *end += (size + ARRAY_ALIGN - 1) / ARRAY_ALIGN * ARRAY_ALIGN;
}

/* Lays out the block of an instance; NULL only counts. Returns its size. */
static size_t lay_out(uint8_t *block, const struct module *module) {
    size_t end = (sizeof(wasm_instance_t) + ARRAY_ALIGN - 1) / ARRAY_ALIGN * ARRAY_ALIGN;
    FOR_EACH_STATE (kind)
        if (kind->section)
            place(block, kind->array, cn_state_block_bytes(kind, module), &end);
    for (size_t i = 0; i < FIXED_ARRAYS; i++)
        place(block, fixed_arrays[i].field, fixed_bytes(&fixed_arrays[i], module), &end);
    return end;
}

/* One zeroed block for the instance and its arrays. Counts are bounded by the implementation's
 * limits, so that the sizes cannot overflow. */
static wasm_instance_t *allocate(wasm_store_t *store, const struct module *module) {
    size_t size = lay_out(NULL, module);
    uint8_t *block = cn_calloc(store->alloc, 1, size);
    if (!block)
        return NULL;
    lay_out(block, module);
    wasm_instance_t *instance = (wasm_instance_t *)block;
    instance->allocation = size;
    return instance;
}

static void take_imports(wasm_instance_t *instance, struct wasm_ref_t *const *imports) {
    const struct module *module = instance->module;
    for (uint32_t i = 0; i < module->import_count; i++) {
        struct wasm_ref_t *ref = imports[i];
        uint32_t index = module->imports[i].index;
        ref->escaped = true;
        switch (module->imports[i].kind) {
        case EXTERN_FUNC:
            instance->funcs[index] = (wasm_func_t *)ref;
            break;
        case EXTERN_TABLE:
            instance->tables[index] = (wasm_table_t *)ref;
            break;
        case EXTERN_MEMORY:
            instance->memories[index] = (wasm_memory_t *)ref;
            break;
        case EXTERN_TAG:
            instance->tags[index] = (struct catnap_tag_t *)ref;
            break;
        case EXTERN_GLOBAL:
            instance->global_objects[index] = (wasm_global_t *)ref;
            instance->globals[index] = ((wasm_global_t *)ref)->cell;
            break;
        }
    }
}

/* Between two objects, of which a module may declare many. */
static bool check_interrupt(const wasm_instance_t *instance, struct error *error) {
    return !cn_interrupted(&instance->machine->interrupt) ||
           cn_fail(error, CATNAP_INTERRUPTED, "instantiation was interrupted");
}

static bool make_parts_of(const struct state_kind *kind, wasm_instance_t *instance,
                          struct error *error) {
    const struct module *module = instance->module;
    for (uint32_t i = cn_state_first(kind, module); i < cn_state_end(kind, module); i++) {
        if (!check_interrupt(instance, error))
            return false;
        struct wasm_ref_t *part = kind->make(instance->ref.store, module, i, error);
        if (!part)
            return false;
        part->escaped = true;
        cn_state_set_part(kind, instance, i, part);
    }
    return true;
}

/* The memories and tables that the module defines. */
static bool make_parts(wasm_instance_t *instance, struct error *error) {
    for (const struct state_kind *kind = cn_state_kinds; cn_state_is_part(kind); kind++)
        if (!make_parts_of(kind, instance, error))
            return false;
    return true;
}

static bool make_globals(wasm_instance_t *instance, struct error *error) {
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_global_count; i < module->global_count; i++) {
        uint64_t *cell = instance->cells + (size_t)(i - module->imported_global_count) * 2;
        const uint8_t *init = module->bytes + module->globals[i].init.span.offset;
        instance->globals[i] = cell;
        if (!cn_const_value(instance, &init, cell))
            return cn_fail_memory(error);
    }
    return true;
}

/* The initial values of tables, which read imported globals at most. */
static bool fill_tables(wasm_instance_t *instance, struct error *error) {
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_table_count; i < module->table_count; i++) {
        const struct const_expr *init = module_table_init(module, i);
        const uint8_t *at = init ? module->bytes + init->span.offset : NULL;
        uint64_t value[2];
        if (!init)
            continue;
        if (!check_interrupt(instance, error))
            return false;
        if (!cn_const_value(instance, &at, value))
            return cn_fail_memory(error);
        cn_table_fill(instance->tables[i], value[0]);
    }
    return true;
}

/* Which code the instance runs: code without bounds checks needs guard pages. */
static bool choose_code(wasm_instance_t *instance, struct error *error) {
    const struct module *module = instance->module;
    bool guarded = module->memory_count == 0 || instance->memories[0]->guarded;
    struct translation_config config = cn_engine_translation(instance->shared->engine, !guarded);
    instance->variant = cn_shared_variant(instance->shared, &config);
    if (!instance->variant)
        return cn_fail_memory(error);
    instance->code = instance->variant->words;
    return true;
}

static void drop_object(struct wasm_ref_t *ref) {
    cn_object_unlink(ref);
    cn_object_free(ref);
}

void cn_instance_undo(wasm_instance_t *instance) {
    for (struct state_walk walk = {0}; cn_state_next(instance, &walk);)
        drop_object(walk.ref);
    drop_object(&instance->ref);
}

bool cn_instance_check_room(const wasm_store_t *store, struct error *error) {
    if (store->instance_count < store->limits.instances)
        return true;
    return cn_fail(error, CATNAP_LIMIT, "the store has reached its limit of %" PRIu64 " instances",
                   store->limits.instances);
}

wasm_instance_t *cn_instance_make(wasm_store_t *store, struct shared_module *shared,
                                  struct wasm_ref_t *const *imports, struct error *error) {
    if (!cn_instance_check_room(store, error))
        return NULL;
    wasm_instance_t *instance = allocate(store, shared->module);
    if (!instance) {
        cn_fail_memory(error);
        return NULL;
    }
    cn_object_init(&instance->ref, OBJECT_INSTANCE, store);
    instance->ref.escaped = true;
    instance->module = shared->module;
    instance->shared = shared;
    cn_shared_retain(shared);
    instance->machine = &store->machine;
    store->block_bytes += instance->allocation;
    take_imports(instance, imports);
    if (!cn_gc_number_types(instance, error) || !make_parts(instance, error) ||
        !make_globals(instance, error) || !fill_tables(instance, error) ||
        !choose_code(instance, error)) {
        cn_instance_undo(instance);
        return NULL;
    }
    instance->counted = true;
    store->instance_count++;
    return instance;
}

wasm_instance_t *cn_instance_new(wasm_store_t *store, struct shared_module *shared,
                                 struct wasm_ref_t *const *imports, size_t import_count,
                                 struct error *error, wasm_trap_t **trap) {
    *trap = NULL;
    if (!cn_link_check(store, shared->module, imports, import_count, error))
        return NULL;
    wasm_instance_t *instance = cn_instance_make(store, shared, imports, error);
    if (!instance)
        return NULL;
    /* From here on others may refer to its functions: it stays, until nothing does. */
    return cn_instance_init_segments(instance, trap) ? instance : NULL;
}

struct wasm_ref_t *cn_instance_extern(wasm_instance_t *instance, enum extern_kind kind,
                                      uint32_t index) {
    switch (kind) {
    case EXTERN_FUNC:
        return (struct wasm_ref_t *)cn_instance_func(instance, index);
    case EXTERN_GLOBAL:
        return (struct wasm_ref_t *)cn_instance_global(instance, index);
    case EXTERN_TABLE:
        return &instance->tables[index]->ref;
    case EXTERN_MEMORY:
        return &instance->memories[index]->ref;
    case EXTERN_TAG:
        return &instance->tags[index]->ref;
    }
    return NULL;
}

bool cn_instance_look(wasm_instance_t *instance) {
    bool grown = false;
    for (uint32_t i = 0; i < instance->module->memory_count; i++) {
        uint64_t size = instance->memories[i]->size;
        grown |= cn_memory_size(instance->memories[i]) > size;
    }
    return grown;
}
