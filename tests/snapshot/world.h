/* An engine, a store and a linker with the host's function, and snapshots of what lives there. */
#ifndef TESTS_SNAPSHOT_WORLD_H
#define TESTS_SNAPSHOT_WORLD_H

#include "../api/helpers.h"

struct world {
    wasm_engine_t *engine;
    wasm_store_t *store;
    catnap_linker_t *linker;
};

static inline wasm_trap_t *note(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                                catnap_val_t *results) {
    (void)caller;
    (void)env;
    results[0].of.i32 = arguments[0].of.i32 * 3 + 1;
    return NULL;
}

/* The function host.note of the next stores, the allocator, way of tracking and further features of the next engines. */
static catnap_callback_t host_note = note;
static const catnap_allocator_t *host_allocator;
static catnap_tracking_t host_tracking;
static catnap_features_t host_features;

static inline void open_store(struct world *world) {
    world->store = wasm_store_new(world->engine);
    world->linker = catnap_linker_new(world->store);
    wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    wasm_func_t *func = catnap_func_new(world->store, type, host_note, world, NULL, NULL);
    assert_no_error(
        catnap_linker_define(world->linker, "host", 4, "note", 4, wasm_func_as_extern(func)));
    wasm_func_delete(func);
    wasm_functype_delete(type);
}

static inline void open_world(struct world *world, bool fuel) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_fuel(config, fuel);
    catnap_config_set_interruptible(config, true);
    catnap_config_set_tracking(config, host_tracking);
    catnap_config_set_features(config, CATNAP_FEATURES_DEFAULT | host_features);
    if (host_allocator)
        catnap_config_set_allocator(config, host_allocator);
    world->engine = wasm_engine_new_with_config(config);
    open_store(world);
}

static inline void close_store(struct world *world) {
    catnap_linker_delete(world->linker);
    wasm_store_delete(world->store);
}

static inline void close_world(struct world *world) {
    close_store(world);
    wasm_engine_delete(world->engine);
}

static inline wasm_instance_t *start(struct world *world, const uint8_t *bytes, size_t size) {
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_module_t *module = load(world->store, bytes, size);
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    wasm_instance_t *instance = catnap_linker_instantiate(world->linker, module, &error, &trap);
    assert_no_error(error);
    assert_no_trap(trap);
    wasm_module_delete(module);
    return instance;
}
#define START(world, bytes) start(world, bytes, sizeof bytes)

static inline catnap_snapshot_t *take(struct world *world, catnap_run_t *run) {
    catnap_error_t *error;
    catnap_snapshot_options_t options = {.run = run, .data = "mine", .data_length = 4};
    catnap_snapshot_t *snapshot = catnap_snapshot_take(world->store, &options, &error);
    assert_no_error(error);
    return snapshot;
}

static inline wasm_byte_vec_t to_bytes(const catnap_snapshot_t *snapshot,
                                       const catnap_snapshot_t *base) {
    wasm_byte_vec_t bytes;
    catnap_save_options_t options = {.with_modules = true, .base = base};
    assert_no_error(catnap_snapshot_write(snapshot, &options, &bytes));
    return bytes;
}

static inline wasm_instance_t *restore(const catnap_snapshot_t *snapshot, struct world *world,
                                       catnap_run_t **run) {
    wasm_instance_t *instance = NULL;
    assert_int_equal(catnap_snapshot_instance_count(snapshot), 1);
    assert_no_error(catnap_snapshot_restore(snapshot, world->linker, NULL, &instance, run));
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    return instance;
}

static inline uint64_t hash_memory(const wasm_instance_t *instance) {
    wasm_memory_t *memory = EXPORT(memory, instance, "m");
    const uint8_t *data = (const uint8_t *)wasm_memory_data(memory);
    uint64_t hash = wasm_memory_data_size(memory);
    for (size_t i = 0; i < wasm_memory_data_size(memory); i++)
        hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
    wasm_memory_delete(memory);
    return hash;
}

/* Closes the world, with its run stopped, and restores it from its bytes in a new engine. */
static inline wasm_instance_t *restore_elsewhere(struct world *world, bool fuel,
                                                 wasm_instance_t *instance, catnap_run_t **run) {
    catnap_error_t *error;
    catnap_snapshot_t *snapshot = take(world, *run);
    wasm_byte_vec_t bytes = to_bytes(snapshot, NULL);
    catnap_snapshot_delete(snapshot);
    catnap_run_delete(*run);
    wasm_instance_delete(instance);
    close_world(world);
    open_world(world, fuel);
    snapshot =
        catnap_snapshot_read(world->engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
    assert_no_error(error);
    instance = restore(snapshot, world, run);
    assert_non_null(*run);
    catnap_snapshot_delete(snapshot);
    wasm_byte_vec_delete(&bytes);
    return instance;
}

#endif
