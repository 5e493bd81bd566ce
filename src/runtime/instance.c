/* Instantiation (section 4.5.4) up to the start function, and the objects that an instance makes
 * only when somebody asks. */
#include "runtime/instance.h"
#include "runtime/store.h"
#include "runtime/trap.h"

#include <inttypes.h>
#include <string.h>

#define PART_ALIGN 16u

/* The arrays of an instance, in the order in which they lie in its block. */
enum part {
    PART_INSTANCE,
    PART_CELLS,
    PART_MEMORIES,
    PART_TABLES,
    PART_GLOBALS,
    PART_FUNCS,
    PART_GLOBAL_OBJECTS,
    PART_ELEM_ITEMS,
    PART_DROPPED_ELEMS,
    PART_DROPPED_DATAS,
    PART_COUNT
};

/* One zeroed block for the instance and its arrays. Counts are bounded by the implementation's
 * limits, so that the sizes cannot overflow. */
static wasm_instance_t *allocate(wasm_store_t *store, const struct module *module) {
    const size_t sizes[PART_COUNT] = {
        [PART_INSTANCE] = sizeof(wasm_instance_t),
        [PART_CELLS] = (size_t)(module->global_count - module->imported_global_count) * 16,
        [PART_MEMORIES] = module->memory_count * sizeof(wasm_memory_t *),
        [PART_TABLES] = module->table_count * sizeof(wasm_table_t *),
        [PART_GLOBALS] = module->global_count * sizeof(uint64_t *),
        [PART_FUNCS] = module->func_count * sizeof(wasm_func_t *),
        [PART_GLOBAL_OBJECTS] = module->global_count * sizeof(wasm_global_t *),
        [PART_ELEM_ITEMS] = module->elem_count * sizeof(struct elem_items *),
        [PART_DROPPED_ELEMS] = module->elem_count * sizeof(bool),
        [PART_DROPPED_DATAS] = module->data_count * sizeof(bool),
    };
    size_t at[PART_COUNT], total = 0;
    for (int i = 0; i < PART_COUNT; i++) {
        at[i] = total;
        total += (sizes[i] + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;
    }
    uint8_t *block = cn_calloc(store->alloc, 1, total);
    if (!block)
        return NULL;
    wasm_instance_t *instance = (wasm_instance_t *)block;
    instance->allocation = total;
    instance->cells = (uint64_t *)(block + at[PART_CELLS]);
    instance->memories = (wasm_memory_t **)(block + at[PART_MEMORIES]);
    instance->tables = (wasm_table_t **)(block + at[PART_TABLES]);
    instance->globals = (uint64_t **)(block + at[PART_GLOBALS]);
    instance->funcs = (wasm_func_t **)(block + at[PART_FUNCS]);
    instance->global_objects = (wasm_global_t **)(block + at[PART_GLOBAL_OBJECTS]);
    instance->elem_items = (struct elem_items **)(block + at[PART_ELEM_ITEMS]);
    instance->dropped_elems = (bool *)(block + at[PART_DROPPED_ELEMS]);
    instance->dropped_datas = (bool *)(block + at[PART_DROPPED_DATAS]);
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

static bool make_memories(wasm_instance_t *instance, struct error *error) {
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_memory_count; i < module->memory_count; i++) {
        if (!check_interrupt(instance, error))
            return false;
        wasm_memory_t *memory = cn_memory_new(instance->ref.store, &module->memories[i], error);
        if (!memory)
            return false;
        memory->ref.escaped = true;
        instance->memories[i] = memory;
    }
    return true;
}

static bool make_tables(wasm_instance_t *instance, struct error *error) {
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_table_count; i < module->table_count; i++) {
        if (!check_interrupt(instance, error))
            return false;
        wasm_table_t *table = cn_table_new(instance->ref.store, &module->tables[i], 0, error);
        if (!table)
            return false;
        table->ref.escaped = true;
        instance->tables[i] = table;
    }
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
    const struct module *module = instance->module;
    for (uint32_t i = module->imported_memory_count; i < module->memory_count; i++)
        if (instance->memories[i])
            drop_object(&instance->memories[i]->ref);
    for (uint32_t i = module->imported_table_count; i < module->table_count; i++)
        if (instance->tables[i])
            drop_object(&instance->tables[i]->ref);
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
    if (!make_memories(instance, error) || !make_tables(instance, error) ||
        !make_globals(instance, error) || !choose_code(instance, error)) {
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

/* ---- Objects on demand ---- */

wasm_func_t *cn_instance_func(wasm_instance_t *instance, uint32_t index) {
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
    func->defined_index = index - instance->module->imported_func_count;
    store->block_bytes += sizeof *func;
    func->ref.next = instance->parts;
    instance->parts = &func->ref;
    instance->funcs[index] = func;
    return func;
}

wasm_global_t *cn_instance_global(wasm_instance_t *instance, uint32_t index) {
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
    }
    return NULL;
}
