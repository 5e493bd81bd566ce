/* Writes the first inputs of the fuzz target for snapshots into a directory. Usage: make_snapshots
 * DIRECTORY */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../snapshot/heap_modules.h"
#include "../snapshot/modules.h"
#include "../support/snapshot.h"
#include "catnap.h"

static const char *directory;

static void check(bool condition, const char *what) {
    if (condition)
        return;
    fprintf(stderr, "make_snapshots: %s\n", what);
    exit(1);
}

/* ---- Files ---- */

/* Without the gap before the area, which readers do not insist on: the target mends the
 * checksum. */
static size_t close_gap(uint8_t *bytes, size_t size) {
    uint64_t area = get64(bytes + HEAD_AREA), end = HEAD_SIZE + get64(bytes + HEAD_PARTS_LENGTH);
    memmove(bytes + end, bytes + area, size - area);
    memcpy(bytes + HEAD_AREA, &end, sizeof end);
    return size - (size_t)(area - end);
}

static void write_seed(const char *name, catnap_snapshot_t *snapshot, int compression) {
    char path[4096];
    wasm_byte_vec_t bytes;
    catnap_save_options_t options = {.with_modules = true, .compression = compression};
    snprintf(path, sizeof path, "%s/%s%s", directory, name, compression ? "-compressed" : "");
    catnap_error_t *error = catnap_snapshot_write(snapshot, &options, &bytes);
    if (error && catnap_error_status(error) == CATNAP_UNSUPPORTED) {
        catnap_error_delete(error);
        return;
    }
    check(!error, name);
    size_t size = close_gap((uint8_t *)bytes.data, bytes.size);
    FILE *file = fopen(path, "wb");
    check(file && fwrite(bytes.data, 1, size, file) == size && fclose(file) == 0, path);
    wasm_byte_vec_delete(&bytes);
}

/* ---- Stores ---- */

struct world {
    wasm_engine_t *engine;
    wasm_store_t *store;
    catnap_linker_t *linker;
};

static wasm_trap_t *note(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                         catnap_val_t *results) {
    (void)env;
    if (arguments[0].of.i32 == 3)
        catnap_caller_suspend(caller);
    results[0].of.i32 = 1;
    return NULL;
}

static void open_world(struct world *world) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_fuel(config, true);
    catnap_config_set_interruptible(config, true);
    catnap_config_set_features(config, CATNAP_FEATURES_DEFAULT | CATNAP_FEATURE_GC);
    world->engine = wasm_engine_new_with_config(config);
    world->store = wasm_store_new(world->engine);
    world->linker = catnap_linker_new(world->store);
    wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    wasm_func_t *func = catnap_func_new(world->store, type, note, NULL, NULL, NULL);
    check(!catnap_linker_define(world->linker, "host", 4, "note", 4, wasm_func_as_extern(func)),
          "the linker");
    wasm_func_delete(func);
    wasm_functype_delete(type);
}

static void close_world(struct world *world) {
    catnap_linker_delete(world->linker);
    wasm_store_delete(world->store);
    wasm_engine_delete(world->engine);
}

static wasm_instance_t *start(struct world *world, const uint8_t *bytes, size_t size) {
    wasm_module_t *module = catnap_module_new(world->store, bytes, size, NULL, NULL);
    check(module, "a module");
    wasm_instance_t *instance = catnap_linker_instantiate(world->linker, module, NULL, NULL);
    check(instance, "an instance");
    wasm_module_delete(module);
    return instance;
}

static size_t name_foreign(void *env, const wasm_ref_t *ref, char *text, size_t size) {
    (void)env;
    (void)ref;
    (void)size;
    memcpy(text, "thing", 5);
    return 5;
}

static void write_store(struct world *world, const char *name, catnap_run_t *run) {
    catnap_snapshot_options_t options = {
        .run = run, .data = "data", .data_length = 4, .name = name_foreign};
    catnap_snapshot_t *snapshot = catnap_snapshot_take(world->store, &options, NULL);
    check(snapshot, name);
    write_seed(name, snapshot, 0);
    write_seed(name, snapshot, 3);
    catnap_snapshot_delete(snapshot);
}

static void call(wasm_instance_t *instance, const char *name, int32_t a, int32_t b) {
    wasm_extern_t *found = catnap_instance_export(instance, name, strlen(name));
    const wasm_func_t *func = wasm_extern_as_func(found);
    catnap_val_t arguments[2] = {{.kind = WASM_I32, .of.i32 = a}, {.kind = WASM_I32, .of.i32 = b}};
    catnap_val_t result;
    wasm_trap_delete(catnap_func_call(func, arguments, wasm_func_param_arity(func), &result,
                                      wasm_func_result_arity(func)));
    wasm_extern_delete(found);
}

static void write_states(void) {
    struct world world;
    open_world(&world);
    write_store(&world, "empty", NULL);
    catnap_error_delete(catnap_store_set_fuel(world.store, 100000));
    wasm_instance_t *instance = start(&world, state_module, sizeof state_module);
    write_store(&world, "fresh", NULL);
    call(instance, "store", 5000, 7);
    call(instance, "set_g", 5, 0);
    call(instance, "set_f", 2, 1);
    call(instance, "grow_f", 2, 0);
    call(instance, "drop", 0, 0);
    wasm_extern_t *table = catnap_instance_export(instance, "x", 1);
    wasm_foreign_t *foreign = wasm_foreign_new(world.store);
    check(wasm_table_set(wasm_extern_as_table(table), 1, wasm_foreign_as_ref(foreign)), "a table");
    write_store(&world, "changed", NULL);
    check(!catnap_linker_define_instance(world.linker, "host", 4, instance), "the linker");
    wasm_instance_t *second = start(&world, work_module, sizeof work_module);
    write_store(&world, "two", NULL);
    wasm_foreign_delete(foreign);
    wasm_extern_delete(table);
    wasm_instance_delete(second);
    wasm_instance_delete(instance);
    close_world(&world);
}

static void write_suspended(const char *name, const uint8_t *module, size_t size, uint64_t fuel) {
    struct world world;
    open_world(&world);
    wasm_instance_t *instance = start(&world, module, size);
    wasm_extern_t *found = catnap_instance_export(instance, "run", 3);
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = 20}, result;
    wasm_trap_t *trap;
    catnap_error_delete(catnap_store_set_fuel(world.store, fuel));
    catnap_run_t *run = catnap_run_new(wasm_extern_as_func(found), &argument, 1, NULL);
    catnap_status_t status = catnap_run_resume(run, &result, 1, &trap);
    check(status == CATNAP_OUT_OF_FUEL || status == CATNAP_INTERRUPTED, "a run did not stop");
    write_store(&world, name, run);
    catnap_run_delete(run);
    wasm_extern_delete(found);
    wasm_instance_delete(instance);
    close_world(&world);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    directory = argv[1];
    write_states();
    write_suspended("begun", work_module, sizeof work_module, 10);
    write_suspended("looping", work_module, sizeof work_module, 60);
    write_suspended("waiting", work_module, sizeof work_module, 100000);
    write_suspended("objects", heap_module, sizeof heap_module, 260);
    write_suspended("more-objects", heap_module, sizeof heap_module, 900);
    return 0;
}
