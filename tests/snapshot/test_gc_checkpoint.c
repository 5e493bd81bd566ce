/* Checkpoints of stores with garbage-collected objects: graphs are what they were; references that live outside of what
 * a rollback brings back. */
#include "../api/helpers.h"
#include "../child.h"
#include "gc_modules.h"
#include "starving.h"

#include "runtime/gc.h"
#include "runtime/store.h"

#define MAX_LEVELS 8

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Called by host.pause. */
static void (*pause_does)(void *env);
static void *pause_env;

static wasm_trap_t *on_pause(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                             catnap_val_t *results) {
    (void)env;
    (void)caller;
    (void)arguments;
    (void)results;
    if (pause_does)
        pause_does(pause_env);
    return NULL;
}

struct guest {
    wasm_engine_t *engine;
    wasm_store_t *store;
    wasm_instance_t *instance;
};

static wasm_config_t *gc_config(catnap_tracking_t tracking) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_features(config, CATNAP_FEATURES_DEFAULT | CATNAP_FEATURE_GC);
    catnap_config_set_tracking(config, tracking);
    catnap_config_set_fuel(config, true);
    return config;
}

static wasm_instance_t *instantiate_guest(wasm_store_t *store) {
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *func = catnap_func_new(store, type, on_pause, NULL, NULL, NULL);
    wasm_extern_t *imports[] = {wasm_func_as_extern(func)};
    wasm_instance_t *instance = instantiate(store, gc_module, sizeof gc_module, imports, 1);
    wasm_func_delete(func);
    wasm_functype_delete(type);
    return instance;
}

static bool open_store(struct guest *guest, catnap_tracking_t tracking) {
    guest->engine = wasm_engine_new_with_config(gc_config(tracking));
    guest->store = wasm_store_new(guest->engine);
    assert_no_error(catnap_store_set_fuel(guest->store, UINT64_C(1) << 40));
    catnap_error_t *error = catnap_store_checkpoint(guest->store, NULL);
    guest->instance = NULL;
    if (!error) {
        assert_no_error(catnap_store_release(guest->store, 0));
        return true;
    }
    catnap_error_delete(error); /* this machine has no such thing */
    wasm_store_delete(guest->store);
    wasm_engine_delete(guest->engine);
    return false;
}

static bool open_guest(struct guest *guest, catnap_tracking_t tracking) {
    if (!open_store(guest, tracking))
        return false;
    guest->instance = instantiate_guest(guest->store);
    return true;
}

static void verify(const wasm_store_t *store) {
    struct error error = {0};
    const struct heap *heap = store->machine.heap;
    const struct heap_check check = {.registry = &store->engine->types};
    if (heap && !cn_heap_verify(heap, &check, &error))
        fail_msg("%s", error.message);
}

static void close_guest(struct guest *guest) {
    verify(guest->store);
    wasm_instance_delete(guest->instance);
    wasm_store_delete(guest->store);
    wasm_engine_delete(guest->engine);
}

static void checkpoint(struct guest *guest) {
    assert_no_error(catnap_store_checkpoint(guest->store, NULL));
    verify(guest->store);
}

static void roll_back(struct guest *guest, uint32_t level) {
    assert_no_error(catnap_store_rollback(guest->store, level));
    verify(guest->store);
}

/* ---- Calls with references ---- */

static catnap_val_t of_i32(int32_t number) {
    return (catnap_val_t){.kind = WASM_I32, .of.i32 = number};
}
static catnap_val_t of_ref(wasm_valkind_t kind, wasm_ref_t *ref) {
    return (catnap_val_t){.kind = kind, .of.ref = ref};
}

static wasm_trap_t *call_with(const struct guest *guest, const char *name, catnap_val_t in,
                              catnap_val_t *out) {
    wasm_func_t *func = EXPORT(func, guest->instance, name);
    *out = of_i32(0);
    wasm_trap_t *trap =
        catnap_func_call(func, &in, wasm_func_param_arity(func), out, wasm_func_result_arity(func));
    wasm_func_delete(func);
    return trap;
}

static catnap_val_t get(const struct guest *guest, const char *name, catnap_val_t in) {
    catnap_val_t out;
    assert_no_trap(call_with(guest, name, in, &out));
    return out;
}

static wasm_ref_t *new_node(const struct guest *guest, int32_t value) {
    return get(guest, "new", of_i32(value)).of.ref;
}

static int32_t value_of(const struct guest *guest, wasm_ref_t *ref) {
    return get(guest, "value", of_ref(CATNAP_ANYREF, ref)).of.i32;
}

static int32_t entry(const struct guest *guest, uint32_t index) {
    wasm_table_t *table = EXPORT(table, guest->instance, "t");
    wasm_ref_t *ref = wasm_table_get(table, index);
    int32_t value = ref ? value_of(guest, ref) : -1;
    wasm_ref_delete(ref);
    wasm_table_delete(table);
    return value;
}

/* ---- Random programs ---- */

struct picture {
    int32_t hash, entries[3];
    bool has_holder;
    int32_t thrown; /* or -1 */
    void *held;     /* host info of what is held */
    uint64_t fuel;
    uint32_t blocks; /* of the heap */
};

static uint64_t memory_of(const struct guest *guest) {
    catnap_store_stats_t stats;
    catnap_store_stats(guest->store, &stats);
    return stats.memory_bytes;
}

static struct picture take_picture(struct guest *guest) {
    struct picture picture = {.fuel = catnap_store_fuel(guest->store),
                              .blocks = guest->store->machine.heap->now.blocks,
                              .thrown = -1};
    catnap_val_t out;
    picture.hash = CALL(guest->instance, "hash", 0);
    for (uint32_t i = 0; i < COUNT(picture.entries); i++)
        picture.entries[i] = entry(guest, i);
    wasm_trap_t *trap = call_with(guest, "held", of_i32(0), &out);
    picture.has_holder = !trap;
    if (!trap && out.of.ref)
        picture.held = wasm_ref_get_host_info(out.of.ref);
    if (!trap)
        wasm_ref_delete(out.of.ref);
    wasm_trap_delete(trap);
    trap = call_with(guest, "thrown", of_i32(0), &out);
    if (!trap)
        picture.thrown = out.of.i32;
    wasm_trap_delete(trap);
    assert_no_error(catnap_store_set_fuel(guest->store, picture.fuel));
    return picture;
}

static void assert_is(struct guest *guest, const struct picture *expected) {
    struct picture now = take_picture(guest);
    assert_int_equal(now.hash, expected->hash);
    assert_memory_equal(now.entries, expected->entries, sizeof now.entries);
    assert_int_equal(now.has_holder, expected->has_holder);
    assert_int_equal(now.thrown, expected->thrown);
    assert_ptr_equal(now.held, expected->held);
    assert_int_equal(now.fuel, expected->fuel);
}

static void random_step(struct guest *guest, uint32_t *seed) {
    static char infos[10];
    wasm_instance_t *instance = guest->instance;
    int32_t number = (int32_t)(next_random(seed) % 1000);
    switch (next_random(seed) % 16) {
    case 0:
        CALL(instance, "cut", number % 300);
        break;
    case 1:
        CALL(instance, "churn", 1 + number * (number % 10 == 0 ? 5 : 1));
        break;
    case 2:
        CALL(instance, "big", number % 3 ? number * 100 : number * 2000);
        break;
    case 3: {
        wasm_foreign_t *foreign = wasm_foreign_new(guest->store);
        wasm_foreign_set_host_info(foreign, &infos[number % 10]);
        get(guest, "hold", of_ref(WASM_EXTERNREF, wasm_foreign_as_ref(foreign)));
        wasm_foreign_delete(foreign);
        break;
    }
    case 4:
        CALL(instance, "throw_in", number);
        break;
    case 5:
        CALL(instance, number % 2 ? "init" : "init_one");
        break;
    case 6:
        catnap_store_collect(guest->store);
        break;
    case 7:
    case 8:
    case 9:
        CALL(instance, "set", number % 300, number);
        break;
    case 10:
        CALL(instance, "pop");
        break;
    default:
        for (int32_t i = number % 40; i >= 0; i--)
            CALL(instance, "push", number + i);
        break;
    }
}

static void random_program(catnap_tracking_t tracking, uint32_t seed, int steps) {
    struct guest guest;
    struct picture pictures[MAX_LEVELS + 1];
    uint32_t level = 0;
    if (!open_guest(&guest, tracking))
        skip();
    for (int i = 0; i < steps; i++) {
        uint32_t choice = next_random(&seed) % 100;
        if (choice < 12 && level < MAX_LEVELS) {
            checkpoint(&guest);
            pictures[++level] = take_picture(&guest);
        } else if (choice < 22 && level > 0) {
            level = 1 + next_random(&seed) % level;
            roll_back(&guest, level);
            assert_int_equal(guest.store->machine.heap->now.blocks, pictures[level].blocks);
            assert_is(&guest, &pictures[level]);
        } else if (choice < 27 && level > 0) {
            struct picture now = take_picture(&guest);
            level = next_random(&seed) % (level + 1);
            assert_no_error(catnap_store_release(guest.store, level));
            level -= level > 0;
            assert_is(&guest, &now);
        } else {
            random_step(&guest, &seed);
        }
        assert_int_equal(catnap_store_checkpoints(guest.store), level);
    }
    close_guest(&guest);
}

static void with_the_best_tracking(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 6; seed++)
        random_program(CATNAP_TRACKING_AUTO, seed, 300);
}
static void with_copies_on_write(void **state) {
    (void)state;
    for (uint32_t seed = 201; seed <= 204; seed++)
        random_program(CATNAP_TRACKING_COPY_ON_WRITE, seed, 300);
}
static void with_comparison(void **state) {
    (void)state;
    for (uint32_t seed = 301; seed <= 304; seed++)
        random_program(CATNAP_TRACKING_COMPARE, seed, 300);
}

/* ---- References of the host ---- */

/* Those that are newer than the checkpoint are null; all else is as before. */
static void newer_references_become_null(void **state) {
    (void)state;
    struct guest guest;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    CALL(guest.instance, "push", 5);
    wasm_ref_t *older = new_node(&guest, 1);
    checkpoint(&guest);
    wasm_ref_t *middle = new_node(&guest, 2);
    wasm_ref_t *number = get(&guest, "i31", of_i32(30)).of.ref;
    checkpoint(&guest);
    wasm_ref_t *newer = new_node(&guest, 3);
    wasm_ref_t *converted = get(&guest, "to_extern", of_ref(CATNAP_ANYREF, newer)).of.ref;
    CALL(guest.instance, "churn", 5000);
    roll_back(&guest, 2);
    assert_int_equal(value_of(&guest, older), 1);
    assert_int_equal(value_of(&guest, middle), 2);
    CALL(guest.instance, "churn", 20000);
    assert_int_equal(value_of(&guest, middle), 2);

    catnap_val_t out;
    assert_int_equal(get(&guest, "is_null", of_ref(CATNAP_ANYREF, newer)).of.i32, 1);
    assert_trap(call_with(&guest, "value", of_ref(CATNAP_ANYREF, newer), &out),
                CATNAP_TRAP_CAST_FAILURE, "");
    assert_null(get(&guest, "to_any", of_ref(WASM_EXTERNREF, converted)).of.ref);
    assert_null(get(&guest, "to_extern", of_ref(CATNAP_ANYREF, converted)).of.ref);
    assert_error(catnap_struct_get(newer, 0, &out), CATNAP_MISUSE, "not to a structure");
    assert_error(catnap_struct_set(newer, 0, &out), CATNAP_MISUSE, "not to a structure");
    assert_error(catnap_array_get(newer, 0, &out), CATNAP_MISUSE, "not to an array");
    assert_int_equal(catnap_array_length(newer), 0);
    int32_t ignored;
    assert_false(catnap_i31_get(newer, &ignored));
    assert_null(catnap_ref_deftype(newer));
    assert_false(wasm_ref_same(newer, older));
    assert_true(wasm_ref_same(newer, converted));
    assert_true(wasm_ref_same(newer, NULL));
    wasm_table_t *table = EXPORT(table, guest.instance, "t");
    assert_true(wasm_table_set(table, 0, newer));
    assert_null(wasm_table_get(table, 0));
    wasm_table_delete(table);

    roll_back(&guest, 1);
    assert_int_equal(value_of(&guest, older), 1);
    assert_int_equal(get(&guest, "is_null", of_ref(CATNAP_ANYREF, middle)).of.i32, 1);
    assert_int_equal(get(&guest, "is_null", of_ref(CATNAP_ANYREF, number)).of.i32, 0);
    wasm_ref_t *all[] = {older, middle, newer, number, converted};
    for (size_t i = 0; i < COUNT(all); i++)
        wasm_ref_delete(all[i]);
    close_guest(&guest);
}

/* A reference that was made above a level that is gone is as old as those made below it. */
static void references_outlive_levels(void **state) {
    (void)state;
    struct guest guest;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    checkpoint(&guest);
    checkpoint(&guest);
    wasm_ref_t *ref = new_node(&guest, 9);
    assert_no_error(catnap_store_release(guest.store, 2));
    checkpoint(&guest);
    CALL(guest.instance, "churn", 5000);
    roll_back(&guest, 2);
    assert_int_equal(value_of(&guest, ref), 9);
    roll_back(&guest, 1);
    assert_int_equal(get(&guest, "is_null", of_ref(CATNAP_ANYREF, ref)).of.i32, 1);
    wasm_ref_delete(ref);
    close_guest(&guest);
}

/* ---- Newer objects that refer to the heap ---- */

#define NEWER "newer than checkpoint 1"

static wasm_global_t *new_global(const struct guest *guest, wasm_ref_t *ref) {
    wasm_globaltype_t *type = wasm_globaltype_new(wasm_valtype_new(CATNAP_ANYREF), WASM_VAR);
    wasm_val_t value = {.kind = CATNAP_ANYREF, .of.ref = ref};
    wasm_global_t *global = wasm_global_new(guest->store, type, &value);
    assert_non_null(global);
    wasm_globaltype_delete(type);
    return global;
}

static void newer_globals_and_tables_are_refused(void **state) {
    (void)state;
    struct guest guest;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    CALL(guest.instance, "push", 1);
    checkpoint(&guest);
    struct picture before = take_picture(&guest);
    wasm_ref_t *node = new_node(&guest, 3);
    wasm_global_t *global = new_global(&guest, node);
    CALL(guest.instance, "push", 2);
    struct picture now = take_picture(&guest);
    assert_error(catnap_store_rollback(guest.store, 1), CATNAP_MISUSE, NEWER);
    assert_is(&guest, &now);
    assert_int_equal(value_of(&guest, node), 3);
    wasm_val_t null = {.kind = CATNAP_ANYREF, .of.ref = NULL};
    wasm_global_set(global, &null);
    roll_back(&guest, 1);
    assert_is(&guest, &before);
    wasm_ref_delete(node);
    wasm_global_delete(global);

    node = get(&guest, "to_extern", of_ref(CATNAP_ANYREF, NULL)).of.ref;
    assert_null(node);
    wasm_ref_t *object = new_node(&guest, 4);
    node = get(&guest, "to_extern", of_ref(CATNAP_ANYREF, object)).of.ref;
    wasm_limits_t limits = {1, 10};
    wasm_tabletype_t *type = wasm_tabletype_new(wasm_valtype_new(WASM_EXTERNREF), &limits);
    wasm_table_t *table = wasm_table_new(guest.store, type, node);
    assert_non_null(table);
    wasm_tabletype_delete(type);
    assert_error(catnap_store_rollback(guest.store, 1), CATNAP_MISUSE, NEWER);
    wasm_table_delete(table);
    roll_back(&guest, 1);
    assert_is(&guest, &before);
    wasm_ref_delete(node);
    wasm_ref_delete(object);
    close_guest(&guest);
}

/* Numbers of 31 bits and references of the host's are no objects of the heap. */
static void newer_globals_may_hold_others(void **state) {
    (void)state;
    struct guest guest;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    CALL(guest.instance, "push", 1);
    checkpoint(&guest);
    wasm_ref_t *number = get(&guest, "i31", of_i32(3)).of.ref;
    wasm_global_t *global = new_global(&guest, number);
    roll_back(&guest, 1);
    catnap_val_t value;
    wasm_val_t out;
    wasm_global_get(global, &out);
    assert_true(catnap_i31_get(out.of.ref, &value.of.i32));
    assert_int_equal(value.of.i32, 3);
    wasm_val_delete(&out);
    wasm_global_delete(global);
    wasm_ref_delete(number);
    close_guest(&guest);
}

static void newer_instances_are_refused(void **state) {
    (void)state;
    struct guest guest, second;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    CALL(guest.instance, "push", 1);
    checkpoint(&guest);
    second = guest;
    second.instance = instantiate_guest(guest.store);
    roll_back(&guest, 1); /* it has no object */
    CALL(second.instance, "init");
    assert_error(catnap_store_rollback(guest.store, 1), CATNAP_MISUSE, NEWER);
    CALL(second.instance, "push", 7);
    assert_error(catnap_store_rollback(guest.store, 1), CATNAP_MISUSE, NEWER);
    assert_int_equal(entry(&second, 0), 7);
    /* Only what is going to be as before leads to it. */
    wasm_func_t *func = EXPORT(func, second.instance, "hash");
    wasm_instance_delete(second.instance);
    wasm_table_t *table = EXPORT(table, guest.instance, "x");
    assert_true(wasm_table_set(table, 0, wasm_func_as_ref(func)));
    assert_error(catnap_store_rollback(guest.store, 1), CATNAP_MISUSE, NEWER);
    wasm_func_delete(func);
    roll_back(&guest, 1);
    CALL(guest.instance, "churn", 20000);
    catnap_store_collect(guest.store);
    verify(guest.store);
    assert_null(wasm_table_get(table, 0));
    wasm_table_delete(table);
    close_guest(&guest);
}

static void newer_exceptions_are_refused(void **state) {
    (void)state;
    struct guest guest;
    catnap_val_t out;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    CALL(guest.instance, "push", 1);
    checkpoint(&guest);
    wasm_trap_t *trap = call_with(&guest, "throw", of_i32(1), &out);
    assert_non_null(trap);
    assert_error(catnap_store_rollback(guest.store, 1), CATNAP_MISUSE, NEWER);
    wasm_trap_delete(trap);
    roll_back(&guest, 1);
    /* An object that goes away has the exception, which has another one. */
    CALL(guest.instance, "throw_in", 6);
    assert_int_equal(CALL(guest.instance, "thrown", 0), 6);
    roll_back(&guest, 1);
    CALL(guest.instance, "churn", 20000);
    verify(guest.store);
    /* An older one stays, with its object. */
    CALL(guest.instance, "throw_in", 8);
    checkpoint(&guest);
    CALL(guest.instance, "throw_in", 9);
    CALL(guest.instance, "churn", 20000);
    catnap_store_collect(guest.store);
    roll_back(&guest, 2);
    assert_int_equal(CALL(guest.instance, "thrown", 0), 8);
    close_guest(&guest);
}

/* ---- Segments ---- */

/* The objects of a passive segment are made once, in the state that read it. */
static void segments_are_as_far_as_they_were_read(void **state) {
    (void)state;
    struct guest guest;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    checkpoint(&guest);
    CALL(guest.instance, "init_one");
    checkpoint(&guest);
    for (int round = 0; round < 2; round++) {
        CALL(guest.instance, "init");
        assert_int_equal(CALL(guest.instance, "same", 0, 2), 1);
        assert_int_equal(entry(&guest, 0), 7);
        assert_int_equal(entry(&guest, 1), 8);
        roll_back(&guest, 2);
        assert_int_equal(entry(&guest, 1), -1);
        CALL(guest.instance, "churn", 20000);
    }
    roll_back(&guest, 1);
    CALL(guest.instance, "churn", 20000);
    CALL(guest.instance, "init");
    assert_int_equal(entry(&guest, 0), 7);
    assert_int_equal(entry(&guest, 1), 8);
    close_guest(&guest);
}

/* ---- Calls and runs ---- */

static void try_rollback(void *env) {
    const struct guest *guest = env;
    assert_error(catnap_store_rollback(guest->store, 1), CATNAP_MISUSE, "a call is under way");
}

static void make_checkpoint(void *env) {
    checkpoint(env);
}

static void frames_keep_the_heap(void **state) {
    (void)state;
    struct guest guest;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    pause_env = &guest;
    pause_does = make_checkpoint;
    assert_int_equal(CALL(guest.instance, "pause_with", 1), 1);
    pause_does = try_rollback;
    assert_int_equal(CALL(guest.instance, "pause_with", 2), 2);
    pause_does = NULL;
    roll_back(&guest, 1);
    wasm_func_t *churn = EXPORT(func, guest.instance, "churn");
    catnap_val_t in = of_i32(1000000);
    catnap_run_t *run = catnap_run_new(churn, &in, 1, NULL);
    assert_no_error(catnap_store_set_fuel(guest.store, 5000));
    assert_int_equal(catnap_run_resume(run, NULL, 0, NULL), CATNAP_OUT_OF_FUEL);
    assert_error(catnap_store_rollback(guest.store, 1), CATNAP_MISUSE, "a run is stopped");
    catnap_run_delete(run);
    roll_back(&guest, 1);
    wasm_func_delete(churn);
    close_guest(&guest);
}

/* ---- Sizes ---- */

/* The heap was made after the checkpoint. */
static void back_before_the_heap(void **state) {
    (void)state;
    static const catnap_tracking_t ways[] = {CATNAP_TRACKING_AUTO, CATNAP_TRACKING_COPY_ON_WRITE,
                                             CATNAP_TRACKING_COMPARE};
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct guest guest;
        if (!open_store(&guest, ways[i]))
            continue;
        checkpoint(&guest);
        uint64_t before = memory_of(&guest);
        guest.instance = instantiate_guest(guest.store);
        for (int round = 0; round < 3; round++) {
            CALL(guest.instance, "churn", 3000);
            if (round == 1)
                checkpoint(&guest);
            roll_back(&guest, 1);
            assert_int_equal(memory_of(&guest), before);
        }
        CALL(guest.instance, "push", 4);
        assert_error(catnap_store_rollback(guest.store, 1), CATNAP_MISUSE, NEWER);
        CALL(guest.instance, "pop");
        roll_back(&guest, 1);
        CALL(guest.instance, "push", 4);
        assert_int_equal(CALL(guest.instance, "hash", 0), 5);
        close_guest(&guest);
    }
}

/* Pairs of a checkpoint and a rollback take no more memory with time. */
static void pairs_hold_memory_constant(void **state) {
    (void)state;
    struct guest guest;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    uint64_t before = 0, now = 0;
    for (int i = 0; i < 3000; i++) {
        uint32_t level;
        assert_no_error(catnap_store_checkpoint(guest.store, &level));
        CALL(guest.instance, "push", i);
        CALL(guest.instance, i % 2 ? "init" : "init_one");
        assert_no_error(catnap_store_rollback(guest.store, level));
        assert_no_error(catnap_store_release(guest.store, level));
        if (i == 100)
            catnap_engine_memory(guest.engine, &before, NULL);
    }
    catnap_engine_memory(guest.engine, &now, NULL);
    assert_true(now == before);
    close_guest(&guest);
}

/* The heap does not shrink below a checkpoint, whose pages are kept. */
static void a_collection_gives_nothing_back(void **state) {
    (void)state;
    struct guest guest;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    CALL(guest.instance, "push", 3);
    CALL(guest.instance, "big", 10 << 20);
    checkpoint(&guest);
    uint32_t blocks = guest.store->machine.heap->now.blocks;
    CALL(guest.instance, "big", 1);
    catnap_store_collect(guest.store);
    assert_int_equal(guest.store->machine.heap->now.blocks, blocks);
    roll_back(&guest, 1);
    assert_int_equal(CALL(guest.instance, "hash", 0), 4);
    assert_no_error(catnap_store_release(guest.store, 0));
    CALL(guest.instance, "big", 1);
    catnap_store_collect(guest.store);
    assert_true(guest.store->machine.heap->now.blocks < blocks);
    close_guest(&guest);
}

/* ---- After fork() ---- */

static bool goes_back(struct guest *guest, int32_t hash) {
    bool ok = succeeds(catnap_store_rollback(guest->store, 1));
    verify(guest->store);
    return ok && CALL(guest->instance, "hash", 0) == hash;
}

static void in_child(void *env) {
    struct guest *guest = env;
    wasm_ref_t *ref = new_node(guest, 5);
    WANT(value_of(guest, ref) == 5);
    CALL(guest->instance, "push", 50);
    WANT(goes_back(guest, 4));
    CALL(guest->instance, "churn", 3000);
    for (int32_t i = 0; i < 1000; i++)
        CALL(guest->instance, "push", i);
    catnap_store_collect(guest->store);
    WANT(goes_back(guest, 4));
    WANT(succeeds(catnap_store_release(guest->store, 0)));
    WANT(CALL(guest->instance, "hash", 0) == 4);
    wasm_ref_delete(ref);
}

static catnap_error_t *define_pause(wasm_store_t *store, catnap_linker_t *linker) {
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *func = catnap_func_new(store, type, on_pause, NULL, NULL, NULL);
    catnap_error_t *error =
        catnap_linker_define(linker, "host", 4, "pause", 5, wasm_func_as_extern(func));
    wasm_func_delete(func);
    wasm_functype_delete(type);
    return error;
}

/* The host looks into the heap before anything else happens in the store. */
static void look_in_child(void *env) {
    const struct guest *guest = env;
    wasm_global_t *list = EXPORT(global, guest->instance, "list");
    wasm_val_t value;
    catnap_val_t field;
    wasm_global_get(list, &value);
    WANT(value.of.ref && succeeds(catnap_struct_get(value.of.ref, 0, &field)) && field.of.i32 == 7);
    wasm_val_delete(&value);
    wasm_global_delete(list);
}

static void parent_and_child_go_back(void **state) {
    (void)state;
    static const catnap_tracking_t ways[] = {CATNAP_TRACKING_AUTO, CATNAP_TRACKING_COPY_ON_WRITE,
                                             CATNAP_TRACKING_COMPARE};
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct guest guest;
        if (!open_guest(&guest, ways[i]))
            continue;
        CALL(guest.instance, "push", 3);
        CALL(guest.instance, "churn", 100);
        checkpoint(&guest);
        CALL(guest.instance, "push", 7);
        int32_t hash = CALL(guest.instance, "hash", 0);
        assert_true(child_is_well(start_child(look_in_child, &guest)));
        assert_true(child_is_well(start_child(in_child, &guest)));
        assert_int_equal(CALL(guest.instance, "hash", 0), hash);
        assert_true(goes_back(&guest, 4));
        close_guest(&guest);
    }
}

/* ---- Snapshots ---- */

/* The heap of a clone lies on the snapshot's image, whose pages were never written. */
static void a_restored_heap_goes_back(void **state) {
    (void)state;
    static const catnap_tracking_t ways[] = {CATNAP_TRACKING_AUTO, CATNAP_TRACKING_COPY_ON_WRITE,
                                             CATNAP_TRACKING_COMPARE};
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct guest guest, clone;
        catnap_error_t *error;
        if (!open_guest(&guest, ways[i]))
            continue;
        for (int32_t k = 0; k < 3000; k++)
            CALL(guest.instance, "push", k);
        int32_t hash = CALL(guest.instance, "hash", 0);
        checkpoint(&guest);
        catnap_snapshot_t *snapshot = catnap_snapshot_take(guest.store, NULL, &error);
        assert_no_error(error);
        clone = guest;
        clone.store = wasm_store_new(guest.engine);
        catnap_linker_t *linker = catnap_linker_new(clone.store);
        assert_no_error(define_pause(clone.store, linker));
        assert_no_error(catnap_snapshot_restore(snapshot, linker, NULL, &clone.instance, NULL));
        assert_no_error(catnap_store_set_fuel(clone.store, UINT64_C(1) << 40));
        checkpoint(&clone);
        for (int32_t k = 0; k < 3000; k += 100)
            CALL(clone.instance, "set", k, 5);
        CALL(clone.instance, "churn", 3000);
        assert_int_not_equal(CALL(clone.instance, "hash", 0), hash);
        roll_back(&clone, 1);
        assert_int_equal(CALL(clone.instance, "hash", 0), hash);
        catnap_linker_delete(linker);
        wasm_instance_delete(clone.instance);
        wasm_store_delete(clone.store);
        catnap_snapshot_delete(snapshot);
        CALL(guest.instance, "push", 1);
        roll_back(&guest, 1);
        assert_int_equal(CALL(guest.instance, "hash", 0), hash);
        close_guest(&guest);
    }
}

/* ---- Pools ---- */

static catnap_error_t *link_pause(void *env, catnap_pool_slot_t *slot, catnap_linker_t *linker) {
    (void)env;
    return define_pause(catnap_pool_slot_store(slot), linker);
}

static catnap_error_t *push_some(void *env, catnap_pool_slot_t *slot) {
    (void)env;
    assert_no_error(catnap_store_set_fuel(catnap_pool_slot_store(slot), UINT64_C(1) << 40));
    for (int32_t i = 0; i < 100; i++)
        CALL(catnap_pool_slot_instance(slot), "push", i);
    return NULL;
}

/* Each tenant finds the objects that were there when the slot was ready, and no others. */
static void pools_reset_the_heap(void **state) {
    (void)state;
    catnap_error_t *error;
    wasm_engine_t *engine = wasm_engine_new_with_config(gc_config(CATNAP_TRACKING_AUTO));
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = LOAD(store, gc_module);
    catnap_pool_options_t options;
    catnap_pool_options_default(&options);
    options.link = link_pause;
    options.prepare = push_some;
    options.max_slots = 2;
    catnap_pool_t *pool = catnap_pool_new(module, &options, &error);
    assert_no_error(error);
    int32_t hash = 0;
    for (int32_t i = 0; i < 40; i++) {
        struct guest guest[2];
        catnap_pool_slot_t *slots[2];
        for (uint32_t k = 0; k < 2; k++) {
            slots[k] = catnap_pool_acquire(pool, 0, 0, &error);
            assert_no_error(error);
            guest[k].store = catnap_pool_slot_store(slots[k]);
            guest[k].instance = (wasm_instance_t *)(uintptr_t)catnap_pool_slot_instance(slots[k]);
            assert_no_error(catnap_store_set_fuel(guest[k].store, UINT64_C(1) << 40));
            int32_t found = CALL(guest[k].instance, "hash", 0);
            hash = hash ? hash : found;
            assert_int_equal(found, hash);
            assert_int_equal(entry(&guest[k], 0), -1);
        }
        for (uint32_t k = 0; k < 2; k++) {
            uint32_t seed = (uint32_t)i;
            for (int step = 0; step < 20; step++)
                random_step(&guest[k], &seed);
            wasm_ref_delete(new_node(&guest[k], i));
            catnap_pool_release(slots[k]);
        }
    }
    catnap_pool_stats_t stats;
    catnap_pool_stats(pool, &stats);
    assert_int_equal(stats.instantiations, 2);
    assert_int_equal(stats.reset_calls, 80);
    catnap_pool_delete(pool);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

/* ---- Exhausted memory: the failure is told, and nothing has changed ---- */

static void exhausted_memory_changes_nothing(void **state) {
    (void)state;
    wasm_config_t *config = gc_config(CATNAP_TRACKING_AUTO);
    catnap_config_set_allocator(config, &(catnap_allocator_t){failing_realloc, NULL});
    allocations_left = INT64_MAX;
    struct guest guest = {.engine = wasm_engine_new_with_config(config)};
    guest.store = wasm_store_new(guest.engine);
    assert_no_error(catnap_store_set_fuel(guest.store, UINT64_C(1) << 40));
    checkpoint(&guest);
    guest.instance = instantiate_guest(guest.store);
    CALL(guest.instance, "churn", 10);
    for (int64_t n = 0;; n++) { /* shadows are made for it */
        allocations_left = n;
        catnap_error_t *error = catnap_store_rollback(guest.store, 1);
        allocations_left = INT64_MAX;
        if (!error)
            break;
        assert_error(error, CATNAP_NO_MEMORY, "");
        verify(guest.store);
    }
    assert_no_error(catnap_store_release(guest.store, 0));
    uint32_t seed = 5;
    struct picture pictures[4];
    for (uint32_t level = 1; level <= 3; level++) {
        for (int64_t n = 0;; n++) {
            allocations_left = n;
            catnap_error_t *error = catnap_store_checkpoint(guest.store, NULL);
            allocations_left = INT64_MAX;
            if (!error)
                break;
            assert_error(error, CATNAP_NO_MEMORY, "");
            assert_int_equal(catnap_store_checkpoints(guest.store), level - 1);
        }
        pictures[level] = take_picture(&guest);
        for (int i = 0; i < 30; i++)
            random_step(&guest, &seed);
    }
    for (uint32_t level = 3; level >= 1; level -= 2) {
        allocations_left = 0; /* going back needs none */
        roll_back(&guest, level);
        allocations_left = INT64_MAX;
        assert_is(&guest, &pictures[level]);
        if (level == 1)
            break;
    }
    close_guest(&guest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(with_the_best_tracking),
        TEST(with_copies_on_write),
        TEST(with_comparison),
        TEST(newer_references_become_null),
        TEST(references_outlive_levels),
        TEST(newer_globals_and_tables_are_refused),
        TEST(newer_globals_may_hold_others),
        TEST(newer_instances_are_refused),
        TEST(newer_exceptions_are_refused),
        TEST(segments_are_as_far_as_they_were_read),
        TEST(frames_keep_the_heap),
        TEST(back_before_the_heap),
        TEST(pairs_hold_memory_constant),
        TEST(a_collection_gives_nothing_back),
        TEST(parent_and_child_go_back),
        TEST(a_restored_heap_goes_back),
        TEST(pools_reset_the_heap),
        TEST(exhausted_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
