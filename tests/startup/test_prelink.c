/* Pre-linked modules: instances that are made many times and given back. */
#include "inject.h"
#include "modules.h"

#include <sys/wait.h>
#include <unistd.h>

#include "runtime/prelink.h"
#include "runtime/table.h"

/* ---- Steps of the tests ---- */

static catnap_prelinked_t *prelink(wasm_store_t *store, const uint8_t *bytes, size_t size,
                                   wasm_extern_t **imports, size_t count) {
    wasm_module_t *module = load(store, bytes, size);
    wasm_extern_vec_t vec = {count, imports};
    catnap_error_t *error;
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    catnap_prelinked_t *prelinked = catnap_prelinked_new(store, module, &vec, &error);
    assert_no_error(error);
    assert_non_null(prelinked);
    wasm_module_delete(module);
    return prelinked;
}

static wasm_instance_t *make(catnap_prelinked_t *prelinked) {
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_instance_t *instance = catnap_prelinked_instantiate(prelinked, &error, &trap);
    assert_no_error(error);
    assert_no_trap(trap);
    assert_non_null(instance);
    return instance;
}

static void recycle(wasm_instance_t *instance) {
    assert_no_error(catnap_instance_recycle(instance));
}

static void assert_kept(wasm_instance_t *instance, const char *text) {
    assert_error(catnap_instance_recycle(instance), CATNAP_MISUSE, text);
}

static int32_t fresh_look(wasm_store_t *store) {
    wasm_instance_t *instance = INSTANTIATE(store, state_module);
    int32_t look = CALL(instance, "look", 0);
    wasm_instance_delete(instance);
    return look;
}

/* ---- Being as new ---- */

static void is_as_new_each_time(void **state) {
    wasm_store_t *store = STORE(state);
    int32_t look = fresh_look(store);
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    for (int i = 0; i < 20; i++) {
        wasm_instance_t *instance = make(prelinked);
        assert_int_equal(CALL(instance, "look", 0), look);
        assert_int_equal(CALL(instance, "spoil", 0), 1);
        if (i % 3 == 0)
            assert_int_equal(CALL(instance, "wipe", i + 1), 1);
        recycle(instance);
    }
    catnap_prelinked_delete(prelinked);
}

static void many_at_once_are_apart(void **state) {
    wasm_store_t *store = STORE(state);
    int32_t look = fresh_look(store);
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    wasm_instance_t *instances[8];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT(instances); i++)
            instances[i] = make(prelinked);
        for (size_t i = 0; i < COUNT(instances); i += 2)
            assert_int_equal(CALL(instances[i], "wipe", 7), 1);
        for (size_t i = 1; i < COUNT(instances); i += 2)
            assert_int_equal(CALL(instances[i], "look", 0), look);
        for (size_t i = 0; i < COUNT(instances); i++)
            recycle(instances[i]);
    }
    catnap_prelinked_delete(prelinked);
}

/* Every byte, not only those that the module looks at. */
/* The module's image is behind the memories of slots: it counts as contents in checkpoints,
 * snapshots and after both. */
static void slots_have_checkpoints_and_snapshots(void **state) {
    (void)state;
    static const catnap_tracking_t ways[] = {CATNAP_TRACKING_AUTO, CATNAP_TRACKING_COPY_ON_WRITE,
                                             CATNAP_TRACKING_COMPARE};
    for (size_t i = 0; i < COUNT(ways); i++) {
        catnap_error_t *error;
        wasm_config_t *config = wasm_config_new();
        catnap_config_set_tracking(config, ways[i]);
        wasm_engine_t *engine = wasm_engine_new_with_config(config);
        wasm_store_t *store = wasm_store_new(engine), *other = wasm_store_new(engine);
        error = catnap_store_checkpoint(other, NULL);
        bool offered = !error;
        catnap_error_delete(error);
        int32_t look = fresh_look(other);
        catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
        for (int round = 0; offered && round < 6; round++) {
            wasm_instance_t *instance = make(prelinked), *idle = make(prelinked);
            wasm_instance_t *copies[2] = {NULL, NULL};
            recycle(idle); /* a slot that waits is no instance */
            assert_no_error(catnap_store_checkpoint(store, NULL));
            catnap_snapshot_t *snapshot = catnap_snapshot_take(store, NULL, &error);
            assert_no_error(error);
            assert_int_equal(CALL(instance, "spoil", 0), 1);
            if (round % 2)
                assert_int_equal(CALL(instance, "wipe", round + 1), 1);
            assert_no_error(catnap_store_rollback(store, 1));
            assert_int_equal(CALL(instance, "look", 0), look);
            assert_no_error(catnap_store_rollback(store, 1));
            assert_no_error(catnap_store_release(store, 0));
            assert_int_equal(catnap_snapshot_instance_count(snapshot), 1);
            for (int j = 0; j < 2; j++) {
                catnap_linker_t *linker = catnap_linker_new(other);
                assert_no_error(catnap_snapshot_restore(snapshot, linker, NULL, &copies[j], NULL));
                catnap_linker_delete(linker);
                assert_int_equal(CALL(copies[j], "look", 0), look);
                wasm_instance_delete(copies[j]);
                catnap_snapshot_delete(snapshot);
                snapshot = j ? NULL : catnap_snapshot_take(store, NULL, &error);
                assert_no_error(error);
            }
            recycle(instance);
        }
        catnap_prelinked_delete(prelinked);
        wasm_store_delete(other);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
    }
}

static void all_memory_is_as_new(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    for (int round = 0; round < 4; round++) {
        wasm_instance_t *instance = make(prelinked);
        wasm_memory_t *memory = EXPORT(memory, instance, "m");
        const byte_t *data = wasm_memory_data(memory);
        size_t size = wasm_memory_data_size(memory), set = 0;
        assert_int_equal(size, 16 * 65536);
        for (size_t i = 0; i < size; i++)
            set += data[i] != 0;
        assert_int_equal(set, strlen("data") + strlen("far"));
        wasm_memory_delete(memory);
        assert_int_equal(CALL(instance, round % 2 ? "wipe" : "spoil", 255), 1);
        recycle(instance);
    }
    catnap_prelinked_delete(prelinked);
}

static void bounds_are_checked_after_growth_and_return(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    wasm_instance_t *instance = make(prelinked);
    CALL(instance, "spoil", 0);
    recycle(instance);
    instance = make(prelinked);
    wasm_memory_t *memory = EXPORT(memory, instance, "m");
    wasm_table_t *table = EXPORT(table, instance, "t");
    assert_int_equal(wasm_memory_size(memory), 16);
    assert_int_equal(wasm_table_size(table), 4);
    assert_true(wasm_memory_grow(memory, 16));
    assert_false(wasm_memory_grow(memory, 1));
    for (size_t i = 16 * 65536; i < 32 * 65536; i += 4096)
        assert_int_equal(wasm_memory_data(memory)[i], 0);
    wasm_memory_delete(memory);
    wasm_table_delete(table);
    recycle(instance);
    catnap_prelinked_delete(prelinked);
}

/* ---- Obstacles ---- */

static void handles_keep_an_instance(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    wasm_instance_t *instance = make(prelinked), *again = wasm_instance_copy(instance);
    assert_kept(instance, "other handles");
    wasm_instance_delete(again);
    static const char *const names[] = {"m", "t", "g", "look"};
    for (size_t i = 0; i < COUNT(names); i++) {
        wasm_extern_t *part = get_export(instance, names[i]);
        assert_kept(instance, "other handles");
        wasm_extern_delete(part);
    }
    recycle(instance);
    catnap_prelinked_delete(prelinked);
    instance = INSTANTIATE(store, state_module);
    assert_kept(instance, "not made from a pre-linked module");
    wasm_instance_delete(instance);
    assert_error(catnap_instance_recycle(NULL), CATNAP_MISUSE, "NULL");
}

static wasm_instance_t *running;
static wasm_trap_t *give_back(const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    (void)arguments;
    (void)results;
    assert_kept(running, "other handles"); /* that which it was called by */
    return NULL;
}

static wasm_func_t *host_func(wasm_store_t *store, wasm_func_callback_t callback) {
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *func = wasm_func_new(store, type, callback);
    wasm_functype_delete(type);
    return func;
}

static void calls_keep_an_instance(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_func_t *func = host_func(store, give_back);
    wasm_extern_t *imports[] = {wasm_func_as_extern(func)};
    catnap_prelinked_t *prelinked = prelink(store, back_module, sizeof back_module, imports, 1);
    wasm_func_delete(func); /* the pre-linked module holds it */
    running = make(prelinked);
    assert_int_equal(CALL(running, "call", 0), 1);
    recycle(running);
    catnap_prelinked_delete(prelinked);
}

static void stopped_runs_keep_an_instance(void **state) {
    (void)state;
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_fuel(config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    wasm_instance_t *instance = make(prelinked);
    wasm_func_t *func = EXPORT(func, instance, "look");
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_val_t result;
    catnap_run_t *run = catnap_run_new(func, NULL, 0, &error);
    assert_no_error(error);
    wasm_func_delete(func);
    assert_no_error(catnap_store_set_fuel(store, 5));
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    assert_kept(instance, "other handles"); /* the run has one on its function */
    catnap_run_delete(run);
    recycle(instance);
    catnap_prelinked_delete(prelinked);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

static void imported_tables_keep_instances(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_limits_t limits = {2, 4};
    wasm_tabletype_t *type = wasm_tabletype_new(wasm_valtype_new_funcref(), &limits);
    wasm_table_t *table = wasm_table_new(store, type, NULL);
    wasm_tabletype_delete(type);
    wasm_extern_t *imports[] = {wasm_table_as_extern(table)};
    catnap_prelinked_t *prelinked = prelink(store, table_module, sizeof table_module, imports, 1);
    wasm_ref_t *before = wasm_table_get(table, 0);
    assert_null(before); /* nothing happens ahead of time */
    wasm_instance_t *instance = make(prelinked);
    wasm_ref_t *after = wasm_table_get(table, 0);
    assert_non_null(after);
    wasm_ref_delete(after);
    assert_kept(instance, "imports a table");
    wasm_instance_delete(instance);
    wasm_table_delete(table);
    catnap_prelinked_delete(prelinked);
}

static void checkpoints_keep_instances(void **state) {
    wasm_store_t *store = STORE(state);
    int32_t look = fresh_look(store);
    uint32_t level;
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    wasm_instance_t *instance = make(prelinked);
    assert_no_error(catnap_store_checkpoint(store, &level));
    CALL(instance, "wipe", 3);
    assert_kept(instance, "checkpoint");
    wasm_instance_t *fresh = make(prelinked);
    CALL(fresh, "spoil", 3);
    assert_no_error(catnap_store_rollback(store, level));
    assert_int_equal(CALL(instance, "look", 0), look);
    assert_no_error(catnap_store_release(store, level));
    CALL(instance, "wipe", 4);
    recycle(instance);
    recycle(fresh);
    for (int i = 0; i < 4; i++) {
        instance = make(prelinked);
        fresh = make(prelinked);
        assert_int_equal(CALL(instance, "look", 0), look);
        assert_int_equal(CALL(fresh, "look", 0), look);
        CALL(instance, "wipe", i);
        CALL(fresh, "spoil", i);
        recycle(instance);
        if (i == 1) { /* one that waits is in a checkpoint */
            assert_no_error(catnap_store_checkpoint(store, &level));
            assert_no_error(catnap_store_rollback(store, level));
            assert_no_error(catnap_store_release(store, 1));
        }
        recycle(fresh);
    }
    catnap_prelinked_delete(prelinked);
}

/* ---- Linking and starting ---- */

static wasm_trap_t *nothing(const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    (void)arguments;
    (void)results;
    return NULL;
}

/* Segments for an imported memory run with each instance. */
static void imports_are_used_by_each(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_linker_t *linker = catnap_linker_new(store);
    wasm_limits_t limits = {1, 1};
    wasm_memorytype_t *memory_type = wasm_memorytype_new(&limits);
    wasm_memory_t *memory = wasm_memory_new(store, memory_type);
    wasm_globaltype_t *global_type = wasm_globaltype_new(wasm_valtype_new_i32(), WASM_CONST);
    wasm_val_t eight = WASM_I32_VAL(8);
    wasm_global_t *global = wasm_global_new(store, global_type, &eight);
    wasm_func_t *func = host_func(store, nothing);
    const struct {
        const char *name;
        wasm_extern_t *what;
    } definitions[] = {{"f", wasm_func_as_extern(func)},
                       {"m", wasm_memory_as_extern(memory)},
                       {"g", wasm_global_as_extern(global)}};
    for (size_t i = 0; i < COUNT(definitions); i++)
        assert_no_error(
            catnap_linker_define(linker, "host", 4, definitions[i].name, 1, definitions[i].what));
    wasm_module_t *module = LOAD(store, host_module);
    catnap_error_t *error;
    catnap_prelinked_t *prelinked = catnap_linker_prelink(linker, module, &error);
    assert_no_error(error);
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    assert_int_equal(wasm_memory_data(memory)[8], 0);
    for (int i = 0; i < 3; i++) {
        wasm_instance_t *instance = make(prelinked);
        assert_int_equal(CALL(instance, "call", 0), 'a');
        assert_int_equal(CALL(instance, "n", 0), 3);
        wasm_memory_data(memory)[8] = 'z';
        recycle(instance);
    }
    catnap_prelinked_delete(prelinked);
    catnap_linker_delete(linker);
    wasm_module_delete(module);
    wasm_memorytype_delete(memory_type);
    wasm_globaltype_delete(global_type);
    wasm_memory_delete(memory);
    wasm_global_delete(global);
    wasm_func_delete(func);
}

static void failures_say_why(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_error_t *error;
    wasm_module_t *module = LOAD(store, back_module);
    assert_null(catnap_prelinked_new(store, module, NULL, &error));
    assert_error(error, CATNAP_LINK, "unknown import");
    catnap_linker_t *linker = catnap_linker_new(store);
    assert_null(catnap_linker_prelink(linker, module, &error));
    assert_error(error, CATNAP_LINK, "unknown import");
    catnap_linker_delete(linker);
    wasm_module_delete(module);
    module = LOAD(store, bad_module);
    assert_null(catnap_prelinked_new(store, module, NULL, &error));
    assert_error(error, CATNAP_TRAP, "out of bounds memory access");
    wasm_module_delete(module);
    assert_null(catnap_prelinked_new(store, NULL, NULL, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    assert_null(catnap_prelinked_instantiate(NULL, &error, NULL));
    assert_error(error, CATNAP_MISUSE, "NULL");
    catnap_prelinked_delete(NULL);
}

/* Those that trap at once go back by themselves. */
static void start_functions_may_trap(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_prelinked_t *prelinked = prelink(store, trap_module, sizeof trap_module, NULL, 0);
    for (int i = 0; i < 100; i++) {
        catnap_error_t *error;
        wasm_trap_t *trap;
        assert_null(catnap_prelinked_instantiate(prelinked, &error, &trap));
        assert_no_error(error);
        assert_trap(trap, CATNAP_TRAP_UNREACHABLE, "unreachable");
    }
    catnap_store_stats_t stats;
    catnap_store_stats(store, &stats);
    assert_int_equal(stats.instances, 0);
    assert_int_equal(stats.memory_bytes, 0);
    catnap_prelinked_delete(prelinked);
}

static void limits_count_what_is_out(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_limits_t limits;
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    for (int which = 0; which < 3; which++) {
        catnap_limits_default(&limits);
        limits.instances = which == 0 ? 2 : UINT64_MAX;
        limits.memory_bytes = which == 1 ? 2 * (16 * 65536 + 4 * 8) : UINT64_MAX;
        limits.table_elements = which == 2 ? 8 : UINT64_MAX;
        catnap_store_set_limits(store, &limits);
        for (int i = 0; i < 3; i++) {
            wasm_instance_t *one = make(prelinked), *two = make(prelinked);
            assert_null(catnap_prelinked_instantiate(prelinked, &error, &trap));
            assert_null(trap);
            assert_error(error, CATNAP_LIMIT, "limit");
            recycle(one);
            recycle(two);
        }
    }
    catnap_prelinked_delete(prelinked);
}

/* ---- Life ---- */

static int finalized;
static void count_finalizer(void *info) {
    (void)info;
    finalized++;
}

static void host_infos_end_with_the_instance(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    finalized = 0;
    for (int i = 1; i <= 3; i++) {
        wasm_instance_t *instance = make(prelinked);
        wasm_func_t *func = EXPORT(func, instance, "look");
        wasm_memory_t *memory = EXPORT(memory, instance, "m");
        wasm_instance_set_host_info_with_finalizer(instance, &finalized, count_finalizer);
        wasm_func_set_host_info_with_finalizer(func, &finalized, count_finalizer);
        wasm_memory_set_host_info_with_finalizer(memory, &finalized, count_finalizer);
        wasm_func_delete(func);
        wasm_memory_delete(memory);
        recycle(instance);
        assert_int_equal(finalized, 3 * i);
    }
    catnap_prelinked_delete(prelinked);
}

static void ends_come_in_any_order(void **state) {
    wasm_engine_t *engine = wasm_engine_new();
    (void)state;
    for (int order = 0; order < 4; order++) {
        wasm_store_t *store = wasm_store_new(engine);
        catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
        wasm_instance_t *instance = make(prelinked);
        recycle(make(prelinked));
        if (order & 1)
            catnap_prelinked_delete(prelinked);
        if (order & 2)
            recycle(instance);
        wasm_store_delete(store);
        if (!(order & 1)) {
            catnap_error_t *error;
            assert_null(catnap_prelinked_instantiate(prelinked, &error, NULL));
            assert_error(error, CATNAP_MISUSE, "deleted");
            catnap_prelinked_delete(prelinked);
        }
        if (!(order & 2))
            wasm_instance_delete(instance);
    }
    wasm_engine_delete(engine);
}

/* The list of changed pages that a child inherits is the parent's: it must not be used. */
static void works_after_fork(void **state) {
    wasm_store_t *store = STORE(state);
    int32_t look = fresh_look(store);
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    recycle(make(prelinked));
    pid_t child = fork();
    if (child == 0) {
        bool same = true;
        for (int i = 0; i < 3; i++) {
            wasm_instance_t *instance = make(prelinked);
            same &= CALL(instance, "look", 0) == look;
            CALL(instance, "wipe", 5);
            recycle(instance);
        }
        _exit(same ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    catnap_prelinked_delete(prelinked);
}

static void works_without_guard_pages(void **state) {
    (void)state;
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_bounds_checks(config, CATNAP_BOUNDS_EXPLICIT);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    int32_t look = fresh_look(store);
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    for (int i = 0; i < 4; i++) {
        wasm_instance_t *instance = make(prelinked);
        assert_int_equal(CALL(instance, "look", 0), look);
        CALL(instance, i % 2 ? "wipe" : "spoil", 1);
        recycle(instance);
    }
    catnap_prelinked_delete(prelinked);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

static uint64_t resident_kib(void) {
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void memory_stays_constant(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    uint64_t before = 0;
    for (int i = 0; i < 4000; i++) {
        wasm_instance_t *instance = make(prelinked);
        CALL(instance, i % 100 ? "spoil" : "wipe", i);
        recycle(instance);
        if (i == 200)
            before = resident_kib();
    }
    assert_true(resident_kib() < before + 4096);
    catnap_prelinked_delete(prelinked);
}

/* ---- Memory that runs out ---- */

static bool use(wasm_store_t *store, catnap_prelinked_t *prelinked) {
    catnap_error_t *error;
    wasm_trap_t *trap;
    (void)store;
    wasm_instance_t *instance = catnap_prelinked_instantiate(prelinked, &error, &trap);
    if (!succeeded(error) || !ran(trap))
        return false;
    assert_non_null(instance);
    wasm_extern_t *found = catnap_instance_export(instance, "spoil", 5);
    catnap_val_t result;
    bool worked = found && ran(catnap_func_call(wasm_extern_as_func(found), NULL, 0, &result, 1));
    wasm_extern_delete(found);
    return succeeded(catnap_instance_recycle(instance)) && worked;
}

static void prelink_scenario(wasm_config_t *config, bool may_fail) {
    (void)may_fail;
    catnap_error_t *error = NULL;
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = engine ? wasm_store_new(engine) : NULL;
    wasm_module_t *module =
        store ? catnap_module_new(store, state_module, sizeof state_module, NULL, &error) : NULL;
    catnap_prelinked_t *prelinked = NULL;
    succeeded(error);
    if (module) {
        prelinked = catnap_prelinked_new(store, module, NULL, &error);
        succeeded(error);
    }
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    for (int i = 0; i < 3 && prelinked; i++)
        use(store, prelinked);
    catnap_prelinked_delete(prelinked);
    wasm_module_delete(module);
    if (store)
        wasm_store_delete(store);
    if (engine)
        wasm_engine_delete(engine);
}

static void survives_exhausted_memory(void **state) {
    (void)state;
    inject_everywhere(prelink_scenario);
}

static void *refuse_more(void *env, void *pointer, size_t old_size, size_t new_size) {
    if (*(bool *)env && new_size > old_size)
        return NULL;
    if (new_size > 0)
        return realloc(pointer, new_size);
    free(pointer);
    return NULL;
}

/* A reference that was left over grows the table of an instance that waits; a rollback takes its room away. */
static void a_table_that_lost_its_room_needs_memory(void **state) {
    (void)state;
    bool refuses = false;
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_allocator(config, &(catnap_allocator_t){refuse_more, &refuses});
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    catnap_prelinked_t *prelinked = prelink(store, state_module, sizeof state_module, NULL, 0);
    recycle(make(prelinked));
    wasm_table_t *table = prelinked->waiting->instance->tables[0];
    uint32_t level;
    assert_no_error(catnap_store_checkpoint(store, &level));
    table->type.limits.has_max = false;
    assert_int_equal(cn_table_grow(table, 5000, 0), 0);
    assert_no_error(catnap_store_rollback(store, level));
    assert_no_error(catnap_store_release(store, level));
    assert_int_equal(table->capacity, 0);
    refuses = true;
    catnap_error_t *error;
    wasm_trap_t *trap;
    assert_null(catnap_prelinked_instantiate(prelinked, &error, &trap));
    assert_int_equal(catnap_error_status(error), CATNAP_NO_MEMORY);
    catnap_error_delete(error);
    wasm_trap_delete(trap);
    refuses = false;
    recycle(make(prelinked));
    catnap_prelinked_delete(prelinked);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_table_that_lost_its_room_needs_memory),
        TEST(is_as_new_each_time),
        TEST(many_at_once_are_apart),
        TEST(slots_have_checkpoints_and_snapshots),
        TEST(all_memory_is_as_new),
        TEST(bounds_are_checked_after_growth_and_return),
        TEST(handles_keep_an_instance),
        TEST(calls_keep_an_instance),
        TEST(stopped_runs_keep_an_instance),
        TEST(imported_tables_keep_instances),
        TEST(checkpoints_keep_instances),
        TEST(imports_are_used_by_each),
        TEST(failures_say_why),
        TEST(start_functions_may_trap),
        TEST(limits_count_what_is_out),
        TEST(host_infos_end_with_the_instance),
        TEST(ends_come_in_any_order),
        TEST(works_after_fork),
        TEST(works_without_guard_pages),
        TEST(memory_stays_constant),
        TEST(survives_exhausted_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
