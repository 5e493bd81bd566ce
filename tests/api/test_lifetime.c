/* How long objects live: constant memory where instances come and go, limits that count what can be
 * reached, and places in which the library itself uses an object. */
#include "helpers.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* (module
 *   (import "" "pause" (func $pause (param externref)))
 *   (memory (export "m") 1)
 *   (table (export "t") 1 funcref)
 *   (table (export "x") 1 externref)
 *   (type $v (func))
 *   (func (export "one") (result i32) (i32.const 1))
 *   (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
 *   (func (export "grow_t") (param i32) (result i32) (table.grow 0 (ref.null func) (local.get 0)))
 *   (func (export "hold") (param i32 externref) (result i32 externref)
 *     (call $pause (local.get 1)) (memory.grow (local.get 0)) (local.get 1))
 *   (func (export "indirect") (call_indirect (type $v) (i32.const 0)))
 *   (func (export "trap") (unreachable))) */
static const uint8_t small_module[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x18, 0x05, 0x60, 0x00, 0x00, 0x60, 0x01,
    0x6f, 0x00, 0x60, 0x00, 0x01, 0x7f, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x02, 0x7f, 0x6f, 0x02,
    0x7f, 0x6f, 0x02, 0x0a, 0x01, 0x00, 0x05, 0x70, 0x61, 0x75, 0x73, 0x65, 0x00, 0x01, 0x03, 0x07,
    0x06, 0x02, 0x03, 0x03, 0x04, 0x00, 0x00, 0x04, 0x07, 0x02, 0x70, 0x00, 0x01, 0x6f, 0x00, 0x01,
    0x05, 0x03, 0x01, 0x00, 0x01, 0x07, 0x3c, 0x09, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x74, 0x01, 0x00,
    0x01, 0x78, 0x01, 0x01, 0x03, 0x6f, 0x6e, 0x65, 0x00, 0x01, 0x04, 0x67, 0x72, 0x6f, 0x77, 0x00,
    0x02, 0x06, 0x67, 0x72, 0x6f, 0x77, 0x5f, 0x74, 0x00, 0x03, 0x04, 0x68, 0x6f, 0x6c, 0x64, 0x00,
    0x04, 0x08, 0x69, 0x6e, 0x64, 0x69, 0x72, 0x65, 0x63, 0x74, 0x00, 0x05, 0x04, 0x74, 0x72, 0x61,
    0x70, 0x00, 0x06, 0x0a, 0x30, 0x06, 0x04, 0x00, 0x41, 0x01, 0x0b, 0x06, 0x00, 0x20, 0x00, 0x40,
    0x00, 0x0b, 0x09, 0x00, 0xd0, 0x70, 0x20, 0x00, 0xfc, 0x0f, 0x00, 0x0b, 0x0c, 0x00, 0x20, 0x01,
    0x10, 0x00, 0x20, 0x00, 0x40, 0x00, 0x20, 0x01, 0x0b, 0x07, 0x00, 0x41, 0x00, 0x11, 0x00, 0x00,
    0x0b, 0x03, 0x00, 0x00, 0x0b,
};

static wasm_trap_t *do_nothing(void *env, const wasm_val_vec_t *arguments,
                               wasm_val_vec_t *results) {
    (void)env;
    (void)arguments;
    (void)results;
    return NULL;
}

static wasm_func_t *new_pause(wasm_store_t *store, wasm_func_callback_with_env_t callback,
                              void *env) {
    wasm_functype_t *type = wasm_functype_new_1_0(wasm_valtype_new(WASM_EXTERNREF));
    wasm_func_t *func = wasm_func_new_with_env(store, type, callback, env, NULL);
    wasm_functype_delete(type);
    return func;
}

static wasm_instance_t *new_instance(wasm_store_t *store, const wasm_func_t *pause) {
    wasm_func_t *own = pause ? wasm_func_copy(pause) : new_pause(store, do_nothing, NULL);
    wasm_extern_t *imports[] = {wasm_func_as_extern(own)};
    wasm_instance_t *instance =
        instantiate(store, small_module, sizeof small_module, imports, COUNT(imports));
    wasm_func_delete(own);
    return instance;
}

static int finalized;
static void count_finalizer(void *info) {
    (void)info;
    finalized++;
}

static void watch(wasm_instance_t *instance) {
    wasm_instance_set_host_info_with_finalizer(instance, &finalized, count_finalizer);
}

static catnap_store_stats_t stats_of(const wasm_store_t *store) {
    catnap_store_stats_t stats;
    catnap_store_stats(store, &stats);
    return stats;
}

static uint64_t memory_of(const wasm_store_t *store) {
    uint64_t now, peak;
    catnap_engine_memory(catnap_store_engine(store), &now, &peak);
    return peak;
}

/* ---- Coming and going ---- */

/* More than address space has room for at once. */
#define CYCLES 20000

static void instances_come_and_go(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_func_t *pause = new_pause(store, do_nothing, NULL);
    uint64_t early = 0;
    finalized = 0;
    for (int i = 0; i < CYCLES; i++) {
        wasm_instance_t *instance = new_instance(store, pause);
        watch(instance);
        assert_int_equal(CALL(instance, "one"), 1);
        wasm_instance_delete(instance);
        if (i == 1000)
            early = memory_of(store);
        assert_true(stats_of(store).instances < 1000);
    }
    assert_int_equal(memory_of(store), early);
    catnap_store_collect(store);
    assert_int_equal(stats_of(store).instances, 0);
    assert_int_equal(stats_of(store).memory_bytes, 0);
    assert_int_equal(stats_of(store).table_elements, 0);
    assert_int_equal(finalized, CYCLES);
    wasm_func_delete(pause);
}

/* Each holds the others: only what reaches them from outside counts. */
static void circles_go(void **state) {
    wasm_store_t *store = STORE(state);
    finalized = 0;
    for (int i = 0; i < 3000; i++) {
        wasm_instance_t *instances[3];
        for (size_t k = 0; k < COUNT(instances); k++) {
            instances[k] = new_instance(store, NULL);
            watch(instances[k]);
        }
        for (size_t k = 0; k < COUNT(instances); k++) {
            wasm_table_t *table = EXPORT(table, instances[k], "t");
            wasm_table_t *any = EXPORT(table, instances[k], "x");
            wasm_func_t *next = EXPORT(func, instances[(k + 1) % COUNT(instances)], "one");
            assert_true(wasm_table_set(table, 0, wasm_func_as_ref(next)));
            assert_true(wasm_table_set(any, 0, wasm_instance_as_ref(instances[k])));
            wasm_func_delete(next);
            wasm_table_delete(any);
            wasm_table_delete(table);
        }
        for (size_t k = 0; k < COUNT(instances); k++)
            wasm_instance_delete(instances[k]);
        assert_true(stats_of(store).instances < 1000);
    }
    catnap_store_collect(store);
    assert_int_equal(stats_of(store).instances, 0);
    assert_int_equal(finalized, 9000);
}

static void replaced_functions_go(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_limits_t limits = {1, 1};
    wasm_tabletype_t *type = wasm_tabletype_new(wasm_valtype_new(WASM_FUNCREF), &limits);
    wasm_table_t *table = wasm_table_new(store, type, NULL);
    wasm_tabletype_delete(type);
    uint64_t early = 0;
    for (int i = 0; i < 50000; i++) {
        wasm_func_t *func = new_pause(store, do_nothing, NULL);
        assert_true(wasm_table_set(table, 0, wasm_func_as_ref(func)));
        wasm_func_delete(func);
        if (i == 10000)
            early = memory_of(store);
    }
    assert_int_equal(memory_of(store), early);
    catnap_store_collect(store);
    assert_int_equal(stats_of(store).host_objects, 1);
    wasm_table_delete(table);
}

/* An export keeps its instance, and a memory of it lives alone. */
static void parts_keep_the_whole(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = new_instance(store, NULL);
    finalized = 0;
    watch(instance);
    wasm_func_t *one = EXPORT(func, instance, "one");
    wasm_memory_t *memory = EXPORT(memory, instance, "m");
    wasm_instance_delete(instance);
    catnap_store_collect(store);
    int32_t result;
    assert_no_trap(call_i32(one, NULL, &result));
    assert_int_equal(result, 1);
    assert_int_equal(finalized, 0);
    wasm_func_delete(one);
    catnap_store_collect(store);
    assert_int_equal(finalized, 1);
    assert_int_equal(stats_of(store).instances, 0);
    wasm_memory_data(memory)[65535] = 1;
    assert_int_equal(stats_of(store).memory_bytes, 65536);
    wasm_memory_delete(memory);
    catnap_store_collect(store);
    assert_int_equal(stats_of(store).memory_bytes, 0);
}

/* ---- Limits ---- */

static void limits_count_what_can_be_reached(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.instances = 2;
    limits.table_elements = 8;
    limits.memory_bytes = 4 * 65536 + limits.table_elements * 8;
    catnap_store_set_limits(store, &limits);
    wasm_instance_t *stays = new_instance(store, NULL);
    for (int i = 0; i < 50; i++) {
        wasm_instance_t *instance = new_instance(store, NULL);
        assert_int_equal(CALL(instance, "grow", 2), 1);
        assert_int_equal(CALL(instance, "grow_t", 4), 1);
        wasm_instance_delete(instance);
    }
    /* The guest's own growth finds the room, too, and so does the embedder's. */
    for (int i = 0; i < 2; i++) {
        wasm_instance_t *instance = new_instance(store, NULL);
        wasm_memory_t *memory = EXPORT(memory, instance, "m");
        wasm_table_t *table = EXPORT(table, instance, "t");
        assert_true(wasm_memory_grow(memory, 2));
        assert_true(wasm_table_grow(table, 4, NULL));
        assert_false(wasm_memory_grow(memory, 1));
        assert_false(wasm_table_grow(table, 1, NULL));
        assert_int_equal(CALL(stays, "grow", 1), -1); /* nothing can be had */
        wasm_memory_delete(memory);
        wasm_table_delete(table);
        wasm_instance_delete(instance);
    }
    assert_int_equal(CALL(stays, "grow", 3), 1);
    assert_int_equal(CALL(stays, "grow_t", 6), 1);
    assert_int_equal(stats_of(store).instances, 1);
    wasm_module_t *module = LOAD(store, small_module);
    wasm_func_t *pause = new_pause(store, do_nothing, NULL);
    wasm_extern_t *imports[] = {wasm_func_as_extern(pause)};
    wasm_extern_vec_t vec = {1, imports};
    catnap_error_t *error;
    wasm_trap_t *trap;
    assert_null(catnap_instance_new(store, module, &vec, &error, &trap));
    assert_error(error, CATNAP_LIMIT, "; the limit is ");
    wasm_func_delete(pause);
    wasm_module_delete(module);
    wasm_instance_delete(stays);
}

/* Where address space is short, what is left of others goes before memories do without guard pages. */
static void address_space_is_used_again(void **state) {
    (void)state;
    if (SANITIZED)
        skip();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {UINT64_C(40) << 30, UINT64_C(40) << 30};
        wasm_engine_t *engine = wasm_engine_new();
        wasm_store_t *store = wasm_store_new(engine);
        bool set = setrlimit(RLIMIT_AS, &limit) == 0, worked = set;
        for (int i = 0; i < 500 && worked; i++) {
            wasm_instance_t *instance = new_instance(store, NULL);
            worked = CALL(instance, "one") == 1;
            wasm_instance_delete(instance);
        }
        worked &= !set || stats_of(store).instances < 20;
        wasm_store_delete(store);
        wasm_engine_delete(engine);
        _exit(worked ? 0 : set ? 1 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2);
}

/* ---- Where the library is at work ---- */

/* A host function that is called takes itself out of the table that it was called from. */
struct leaving {
    wasm_store_t *store;
    wasm_table_t *table;
    int called, gone;
};

static void note_gone(void *env) {
    ((struct leaving *)env)->gone++;
}

static wasm_trap_t *leave(void *env, const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    struct leaving *leaving = env;
    (void)arguments;
    (void)results;
    leaving->called++;
    assert_true(wasm_table_set(leaving->table, 0, NULL));
    catnap_store_collect(leaving->store);
    assert_int_equal(leaving->gone, 0);
    return NULL;
}

static void called_functions_stay(void **state) {
    wasm_store_t *store = STORE(state);
    struct leaving leaving = {.store = store};
    wasm_instance_t *instance = new_instance(store, NULL);
    leaving.table = EXPORT(table, instance, "t");
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *func = wasm_func_new_with_env(store, type, leave, &leaving, note_gone);
    wasm_functype_delete(type);
    assert_true(wasm_table_set(leaving.table, 0, wasm_func_as_ref(func)));
    wasm_func_delete(func);
    wasm_func_t *indirect = EXPORT(func, instance, "indirect");
    wasm_instance_delete(instance);
    assert_no_trap(catnap_func_call(indirect, NULL, 0, NULL, 0));
    assert_int_equal(leaving.called, 1);
    catnap_store_collect(store);
    assert_int_equal(leaving.gone, 1);
    wasm_func_delete(indirect);
    wasm_table_delete(leaving.table);
}

/* Objects in the slots of a call under way stay alive, also while a memory grows in it. */
static wasm_trap_t *drop_argument(void *env, const wasm_val_vec_t *arguments,
                                  wasm_val_vec_t *results) {
    wasm_foreign_t **foreign = env;
    (void)arguments;
    (void)results;
    wasm_foreign_delete(*foreign);
    *foreign = NULL;
    return NULL;
}

static void arguments_stay(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.memory_bytes = 65536;
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_func_t *pause = new_pause(store, drop_argument, &foreign);
    wasm_instance_t *instance = new_instance(store, pause);
    catnap_store_set_limits(store, &limits);
    finalized = 0;
    wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
    wasm_func_t *hold = EXPORT(func, instance, "hold");
    catnap_val_t values[2] = {{.kind = WASM_I32, .of.i32 = 1},
                              {.kind = WASM_EXTERNREF, .of.ref = wasm_foreign_as_ref(foreign)}};
    catnap_val_t results[2];
    assert_no_trap(catnap_func_call(hold, values, 2, results, 2));
    assert_int_equal(results[0].of.i32, -1);
    assert_int_equal(finalized, 0);
    assert_ptr_equal(wasm_ref_get_host_info(results[1].of.ref), &finalized);
    wasm_ref_delete(results[1].of.ref);
    catnap_store_collect(store);
    assert_int_equal(finalized, 1);
    wasm_func_delete(hold);
    wasm_func_delete(pause);
    wasm_instance_delete(instance);
}

static void backtraces_stay(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = new_instance(store, NULL);
    finalized = 0;
    watch(instance);
    wasm_trap_t *trap = CALL_TRAP(instance, "trap", 0);
    wasm_instance_delete(instance);
    catnap_store_collect(store);
    catnap_frame_t frame;
    assert_true(catnap_trap_frame(trap, 0, &frame));
    assert_int_equal(frame.func_name_length, 4);
    assert_memory_equal(frame.func_name, "trap", 4);
    assert_true(frame.module_offset > 0);
    assert_ptr_equal(wasm_instance_get_host_info(frame.instance), &finalized);
    wasm_frame_t *origin = wasm_trap_origin(trap);
    wasm_trap_delete(trap);
    catnap_store_collect(store);
    assert_ptr_equal(wasm_instance_get_host_info(wasm_frame_instance(origin)), &finalized);
    wasm_frame_delete(origin);
    catnap_store_collect(store);
    assert_int_equal(finalized, 1);
}

/* A finalizer may make and drop objects, and call; nothing is freed twice. */
struct busy {
    wasm_store_t *store;
    wasm_instance_t *other;
    int runs;
};

static void be_busy(void *env) {
    struct busy *busy = env;
    busy->runs++;
    assert_int_equal(CALL(busy->other, "one"), 1);
    wasm_instance_t *instance = new_instance(busy->store, NULL);
    assert_int_equal(CALL(instance, "one"), 1);
    wasm_instance_delete(instance);
    catnap_store_collect(busy->store);
}

static void finalizers_may_do_things(void **state) {
    wasm_store_t *store = STORE(state);
    struct busy busy = {.store = store, .other = new_instance(store, NULL)};
    for (int i = 0; i < 300; i++) {
        wasm_instance_t *instance = new_instance(store, NULL);
        wasm_instance_set_host_info_with_finalizer(instance, &busy, be_busy);
        wasm_instance_delete(instance);
    }
    catnap_store_collect(store);
    assert_int_equal(busy.runs, 300);
    wasm_instance_delete(busy.other);
    catnap_store_collect(store);
    assert_int_equal(stats_of(store).instances, 0);
}

/* A finalizer ends the store while something is made in it. */
static void end_store(void *env) {
    wasm_store_delete(*(wasm_store_t **)env);
    *(wasm_store_t **)env = NULL;
}

static void finalizers_may_end_the_store(void **state) {
    wasm_engine_t *engine = catnap_store_engine(STORE(state));
    for (int how = 0; how < 2; how++) {
        wasm_store_t *store = wasm_store_new(engine), *known = store;
        wasm_foreign_t *first = wasm_foreign_new(store);
        wasm_foreign_set_host_info_with_finalizer(first, &store, end_store);
        assert_true(catnap_slot_of_ref(wasm_foreign_as_ref(first)) != 0);
        wasm_foreign_delete(first);
        if (how == 0 && store)
            catnap_store_collect(known);
        for (int i = 0; i < 5000 && store; i++) {
            wasm_foreign_t *foreign = wasm_foreign_new(store);
            assert_true(!foreign == !store);
            if (!foreign)
                break;
            assert_true(catnap_slot_of_ref(wasm_foreign_as_ref(foreign)) != 0);
            wasm_foreign_delete(foreign);
        }
        assert_null(store);
    }
}

/* A function that only the collector frees, with whom the store goes. */
static void put_end(wasm_store_t **store) {
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *func = wasm_func_new_with_env(*store, type, do_nothing, store, end_store);
    wasm_functype_delete(type);
    catnap_linker_t *linker = catnap_linker_new(*store);
    assert_no_error(catnap_linker_define(linker, "", 0, "f", 1, wasm_func_as_extern(func)));
    assert_true(catnap_slot_of_ref(wasm_func_as_ref(func)) != 0);
    wasm_func_delete(func);
    catnap_linker_delete(linker);
}

static void *make_memory(wasm_store_t *store) {
    wasm_limits_t limits = {2, 2};
    wasm_memorytype_t *type = wasm_memorytype_new(&limits);
    wasm_memory_t *memory = wasm_memory_new(store, type);
    wasm_memorytype_delete(type);
    return memory;
}

static void *make_table(wasm_store_t *store) {
    wasm_limits_t limits = {20000, 20000};
    wasm_tabletype_t *type = wasm_tabletype_new(wasm_valtype_new(WASM_EXTERNREF), &limits);
    wasm_table_t *table = wasm_table_new(store, type, NULL);
    wasm_tabletype_delete(type);
    return table;
}

static void *take_snapshot(wasm_store_t *store) {
    return catnap_snapshot_take(store, NULL, NULL);
}

static void *as_failure(catnap_error_t *error) {
    void *none = error ? NULL : "it did not fail";
    catnap_error_delete(error);
    return none;
}

static void *make_checkpoint(wasm_store_t *store) {
    uint32_t level;
    return as_failure(catnap_store_checkpoint(store, &level));
}

static void *save(wasm_store_t *store) {
    return as_failure(catnap_store_save(store, "/dev/null", NULL, NULL));
}

/* Where there is no room for what is made, and where the collector runs in any case. */
static void stores_may_end_in_all_that_collects(void **state) {
    void *(*const ways[])(wasm_store_t *) = {make_memory, make_table, take_snapshot,
                                             make_checkpoint, save};
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.memory_bytes = 65536;
    for (size_t i = 0; i < COUNT(ways); i++) {
        wasm_store_t *store = wasm_store_new(catnap_store_engine(STORE(state)));
        catnap_store_set_limits(store, &limits);
        put_end(&store);
        assert_non_null(store);
        assert_null(ways[i](store));
        assert_null(store);
    }
}

/* ---- Values that only slots hold ---- */

static catnap_run_t *run_to_drop;

/* Returns a reference whose only handle it deletes, and deletes the run that it is called by. */
static wasm_trap_t *give_foreign(void *env, catnap_caller_t *caller, uint64_t *slots) {
    (void)env;
    wasm_store_t *store = catnap_caller_store(caller);
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
    slots[0] = catnap_slot_of_ref(wasm_foreign_as_ref(foreign));
    wasm_foreign_delete(foreign);
    catnap_run_delete(run_to_drop);
    run_to_drop = NULL;
    catnap_store_collect(store);
    assert_int_equal(finalized, 0);
    return NULL;
}

static void check_foreign(wasm_store_t *store, wasm_ref_t *ref) {
    assert_int_equal(finalized, 0);
    assert_ptr_equal(wasm_ref_get_host_info(ref), &finalized);
    wasm_ref_delete(ref);
    catnap_store_collect(store);
    assert_int_equal(finalized, 1);
    finalized = 0;
}

static wasm_func_t *new_giver(wasm_store_t *store) {
    wasm_functype_t *type = wasm_functype_new_0_1(wasm_valtype_new(WASM_EXTERNREF));
    wasm_func_t *func = catnap_func_new_raw(store, type, give_foreign, store, NULL, NULL);
    wasm_functype_delete(type);
    return func;
}

static void results_of_host_functions_stay(void **state) {
    wasm_store_t *store = STORE(state);
    finalized = 0;
    wasm_func_t *func = new_giver(store);
    catnap_val_t result;
    assert_no_trap(catnap_func_call(func, NULL, 0, &result, 1));
    check_foreign(store, result.of.ref);
    uint64_t slot;
    assert_no_trap(catnap_func_call_raw(func, &slot));
    check_foreign(store, catnap_ref_of_slot(slot));
    wasm_func_delete(func);
}

static void runs_are_deleted_by_what_they_call(void **state) {
    wasm_store_t *store = STORE(state);
    finalized = 0;
    wasm_func_t *func = new_giver(store);
    run_to_drop = catnap_run_new(func, NULL, 0, NULL);
    wasm_func_delete(func); /* the run has the last handle, with its type */
    catnap_val_t result;
    wasm_trap_t *trap;
    assert_int_equal(catnap_run_resume(run_to_drop, &result, 1, &trap), CATNAP_OK);
    check_foreign(store, result.of.ref);
}

/* ---- Snapshots and checkpoints ---- */

static void snapshots_have_what_can_be_reached(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instances[6];
    for (size_t i = 0; i < COUNT(instances); i++) {
        instances[i] = new_instance(store, NULL);
        assert_int_equal(CALL(instances[i], "grow", (int32_t)i), 1);
    }
    wasm_instance_delete(instances[0]);
    wasm_instance_delete(instances[3]);
    catnap_error_t *error;
    catnap_snapshot_t *snapshot = catnap_snapshot_take(store, NULL, &error);
    assert_no_error(error);
    assert_int_equal(catnap_snapshot_instance_count(snapshot), 4);
    wasm_store_t *second = wasm_store_new(catnap_store_engine(store));
    catnap_linker_t *linker = catnap_linker_new(second);
    wasm_func_t *pause = new_pause(second, do_nothing, NULL);
    assert_no_error(catnap_linker_define(linker, "", 0, "pause", 5, wasm_func_as_extern(pause)));
    wasm_instance_t *copies[4];
    assert_no_error(catnap_snapshot_restore(snapshot, linker, NULL, copies, NULL));
    static const int32_t pages[] = {2, 3, 5, 6}; /* in the order in which they were made */
    for (size_t i = 0; i < COUNT(copies); i++) {
        assert_int_equal(CALL(copies[i], "grow", 0), pages[i]);
        wasm_instance_delete(copies[i]);
    }
    for (int i = 0; i < 300; i++) /* copies without a handle */
        assert_no_error(catnap_snapshot_restore(snapshot, linker, NULL, NULL, NULL));
    catnap_store_collect(second);
    assert_int_equal(stats_of(second).instances, 0);
    wasm_func_delete(pause);
    catnap_linker_delete(linker);
    wasm_store_delete(second);
    catnap_snapshot_delete(snapshot);
    for (size_t i = 0; i < COUNT(instances); i++)
        if (i != 0 && i != 3)
            wasm_instance_delete(instances[i]);
}

/* Objects go between nested checkpoints; each finds its own again. */
static void checkpoints_keep_what_they_know(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instances[8];
    wasm_memory_t *memories[8];
    for (size_t i = 0; i < COUNT(instances); i++) {
        instances[i] = new_instance(store, NULL);
        memories[i] = EXPORT(memory, instances[i], "m");
        wasm_memory_data(memories[i])[0] = (char)i;
        watch(instances[i]);
        if (i % 2)
            assert_no_error(catnap_store_checkpoint(store, NULL));
        else if (i > 0)
            wasm_instance_delete(new_instance(store, NULL)); /* is in no checkpoint */
    }
    finalized = 0;
    for (size_t i = 0; i < COUNT(instances); i++) {
        wasm_memory_data(memories[i])[0] = 99;
        wasm_instance_delete(instances[i]);
        if (i % 3 == 0)
            wasm_memory_delete(memories[i]);
    }
    catnap_store_collect(store);
    assert_int_equal(finalized, 0); /* checkpoint 4 knows all */
    assert_no_error(catnap_store_rollback(store, 2));
    catnap_store_collect(store);
    assert_int_equal(finalized, 4); /* the last four are in no checkpoint any more */
    for (size_t i = 0; i < COUNT(instances); i++)
        if (i % 3)
            assert_int_equal(wasm_memory_data(memories[i])[0], i < 4 ? (int)i : 99);
    assert_no_error(catnap_store_checkpoint(store, NULL));
    assert_no_error(catnap_store_rollback(store, 1));
    assert_no_error(catnap_store_release(store, 0));
    catnap_store_collect(store);
    assert_int_equal(finalized, 8);
    assert_int_equal(stats_of(store).instances, 0);
    for (size_t i = 0; i < COUNT(instances); i++)
        if (i % 3)
            wasm_memory_delete(memories[i]);
}

/* ---- Pre-linked modules ---- */

static void pre_linked_instances_go_too(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_module_t *module = LOAD(store, small_module);
    wasm_func_t *pause = new_pause(store, do_nothing, NULL);
    wasm_extern_t *imports[] = {wasm_func_as_extern(pause)};
    wasm_extern_vec_t vec = {1, imports};
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_prelinked_t *prelinked = catnap_prelinked_new(store, module, &vec, &error);
    assert_no_error(error);
    wasm_func_delete(pause);
    wasm_module_delete(module);
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    for (int i = 0; i < 2000; i++) {
        wasm_instance_t *instance = catnap_prelinked_instantiate(prelinked, &error, &trap);
        assert_non_null(instance);
        assert_int_equal(CALL(instance, "one"), 1);
        catnap_store_collect(store);
        if (i % 3 == 0)
            assert_no_error(catnap_instance_recycle(instance));
        else
            wasm_instance_delete(instance);
        catnap_store_collect(store); /* leaves the one that waits */
        assert_int_equal(stats_of(store).instances, 0);
    }
    wasm_instance_t *last = catnap_prelinked_instantiate(prelinked, &error, &trap);
    assert_non_null(last);
    catnap_prelinked_delete(prelinked);
    catnap_store_collect(store);
    assert_int_equal(CALL(last, "one"), 1);
    wasm_instance_delete(last);
    catnap_store_collect(store);
    assert_int_equal(stats_of(store).instances, 0);
    assert_int_equal(stats_of(store).host_objects, 0);
}

/* The finalizer runs when the instance that is given back has no handle. */
static void collect_in_finalizer(void *env) {
    catnap_store_collect(env);
    finalized++;
}

static void instances_are_given_back_whole(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_module_t *module = LOAD(store, small_module);
    wasm_func_t *pause = new_pause(store, do_nothing, NULL);
    wasm_extern_t *imports[] = {wasm_func_as_extern(pause)};
    wasm_extern_vec_t vec = {1, imports};
    catnap_prelinked_t *prelinked = catnap_prelinked_new(store, module, &vec, NULL);
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    finalized = 0;
    for (int i = 0; i < 10; i++) {
        wasm_instance_t *instance = catnap_prelinked_instantiate(prelinked, NULL, NULL);
        wasm_instance_set_host_info_with_finalizer(instance, store, collect_in_finalizer);
        assert_no_error(catnap_instance_recycle(instance));
    }
    assert_int_equal(finalized, 10);
    catnap_prelinked_delete(prelinked);
    wasm_func_delete(pause);
    wasm_module_delete(module);
}

/* (module (memory (export "m") 1 4) (table 1 funcref)
 *   (func (export "self") (result funcref) (ref.func 0))
 *   (func (export "one") (result i32) (i32.const 1))
 *   (elem declare func 0)) */
static const uint8_t giver_module[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x09, 0x02, 0x60, 0x00, 0x01, 0x70, 0x60,
    0x00, 0x01, 0x7f, 0x03, 0x03, 0x02, 0x00, 0x01, 0x04, 0x04, 0x01, 0x70, 0x00, 0x01, 0x05, 0x04,
    0x01, 0x01, 0x01, 0x04, 0x07, 0x12, 0x03, 0x01, 0x6d, 0x02, 0x00, 0x04, 0x73, 0x65, 0x6c, 0x66,
    0x00, 0x00, 0x03, 0x6f, 0x6e, 0x65, 0x00, 0x01, 0x09, 0x05, 0x01, 0x03, 0x00, 0x01, 0x00, 0x0a,
    0x0b, 0x02, 0x04, 0x00, 0xd2, 0x00, 0x0b, 0x04, 0x00, 0x41, 0x01, 0x0b,
};

/* (module (table (export "t") 1 funcref)) */
static const uint8_t keeper_module[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x04, 0x04, 0x01,
    0x70, 0x00, 0x01, 0x07, 0x05, 0x01, 0x01, 0x74, 0x01, 0x00,
};

/* The host passes a reference on to another instance, and gives the first one back. */
static void snapshots_refuse_what_was_given_back(void **state) {
    for (int waits = 0; waits < 2; waits++) {
        wasm_store_t *store = STORE(state);
        wasm_module_t *module = LOAD(store, giver_module);
        wasm_extern_vec_t none = WASM_EMPTY_VEC;
        catnap_prelinked_t *prelinked = catnap_prelinked_new(store, module, &none, NULL);
        wasm_instance_t *giver = catnap_prelinked_instantiate(prelinked, NULL, NULL);
        wasm_instance_t *keeper = instantiate(store, keeper_module, sizeof keeper_module, NULL, 0);
        wasm_table_t *table = EXPORT(table, keeper, "t");
        wasm_func_t *self = EXPORT(func, giver, "self");
        catnap_val_t result;
        assert_no_trap(catnap_func_call(self, NULL, 0, &result, 1));
        wasm_func_delete(self);
        assert_true(wasm_table_set(table, 0, result.of.ref));
        wasm_ref_delete(result.of.ref);
        assert_no_error(catnap_instance_recycle(giver));
        if (!waits)
            catnap_prelinked_delete(prelinked);
        catnap_error_t *error;
        assert_null(catnap_snapshot_take(store, NULL, &error));
        assert_int_equal(catnap_error_status(error), CATNAP_MISUSE);
        catnap_error_delete(error);
        assert_true(wasm_table_set(table, 0, NULL));
        catnap_snapshot_t *snapshot = catnap_snapshot_take(store, NULL, &error);
        assert_no_error(error);
        assert_int_equal(catnap_snapshot_instance_count(snapshot), 1);
        catnap_snapshot_delete(snapshot);
        if (waits)
            catnap_prelinked_delete(prelinked);
        wasm_table_delete(table);
        wasm_instance_delete(keeper);
        wasm_module_delete(module);
    }
}

/* (module (memory (export "m") 1 8) (table (export "t") 1 8 funcref)
 *   (func $grow (param i32) (result i32)
 *     (drop (table.grow 0 (ref.null func) (local.get 0)))
 *     (memory.grow (local.get 0)))
 *   (func (export "self") (result funcref) (ref.func $grow))
 *   (func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
 *   (elem declare func $grow)) */
static const uint8_t grower_module[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0a, 0x02, 0x60, 0x01, 0x7f, 0x01,
    0x7f, 0x60, 0x00, 0x01, 0x70, 0x03, 0x04, 0x03, 0x00, 0x01, 0x00, 0x04, 0x05, 0x01, 0x70,
    0x01, 0x01, 0x08, 0x05, 0x04, 0x01, 0x01, 0x01, 0x08, 0x07, 0x17, 0x04, 0x01, 0x6d, 0x02,
    0x00, 0x01, 0x74, 0x01, 0x00, 0x04, 0x73, 0x65, 0x6c, 0x66, 0x00, 0x01, 0x04, 0x70, 0x65,
    0x65, 0x6b, 0x00, 0x02, 0x09, 0x05, 0x01, 0x03, 0x00, 0x01, 0x00, 0x0a, 0x1d, 0x03, 0x0e,
    0x00, 0xd0, 0x70, 0x20, 0x00, 0xfc, 0x0f, 0x00, 0x1a, 0x20, 0x00, 0x40, 0x00, 0x0b, 0x04,
    0x00, 0xd2, 0x00, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x28, 0x02, 0x00, 0x0b,
};

/* Growth while an instance waits for reuse does not show in the next one. */
static void waiting_instances_do_not_grow(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_module_t *module = LOAD(store, grower_module);
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    catnap_prelinked_t *prelinked = catnap_prelinked_new(store, module, &none, NULL);
    wasm_instance_t *instance = catnap_prelinked_instantiate(prelinked, NULL, NULL);
    wasm_instance_t *keeper = instantiate(store, keeper_module, sizeof keeper_module, NULL, 0);
    wasm_table_t *table = EXPORT(table, keeper, "t");
    wasm_func_t *self = EXPORT(func, instance, "self");
    catnap_val_t value, result;
    assert_no_trap(catnap_func_call(self, NULL, 0, &value, 1));
    wasm_func_delete(self);
    assert_true(wasm_table_set(table, 0, value.of.ref));
    wasm_ref_delete(value.of.ref);
    catnap_store_stats_t before = stats_of(store);
    assert_no_error(catnap_instance_recycle(instance));
    wasm_ref_t *left = wasm_table_get(table, 0);
    value = (catnap_val_t){.kind = WASM_I32, .of.i32 = 3};
    assert_no_trap(catnap_func_call(wasm_ref_as_func(left), &value, 1, &result, 1));
    assert_int_equal(result.of.i32, 0);
    wasm_ref_delete(left);
    instance = catnap_prelinked_instantiate(prelinked, NULL, NULL);
    assert_int_equal(stats_of(store).memory_bytes, before.memory_bytes);
    assert_int_equal(stats_of(store).table_elements, before.table_elements);
    assert_int_equal(CALL(instance, "peek", 65532), 0);
    wasm_trap_delete(CALL_TRAP(instance, "peek", 65536));
    assert_no_error(catnap_instance_recycle(instance));
    catnap_prelinked_delete(prelinked);
    wasm_table_delete(table);
    wasm_instance_delete(keeper);
    wasm_module_delete(module);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(instances_come_and_go),
        TEST(circles_go),
        TEST(replaced_functions_go),
        TEST(parts_keep_the_whole),
        TEST(limits_count_what_can_be_reached),
        TEST(address_space_is_used_again),
        TEST(called_functions_stay),
        TEST(arguments_stay),
        TEST(backtraces_stay),
        TEST(finalizers_may_do_things),
        TEST(finalizers_may_end_the_store),
        TEST(stores_may_end_in_all_that_collects),
        TEST(results_of_host_functions_stay),
        TEST(runs_are_deleted_by_what_they_call),
        TEST(snapshots_have_what_can_be_reached),
        TEST(checkpoints_keep_what_they_know),
        TEST(pre_linked_instances_go_too),
        TEST(instances_are_given_back_whole),
        TEST(snapshots_refuse_what_was_given_back),
        TEST(waiting_instances_do_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
