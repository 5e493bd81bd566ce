/* Stores: limits, fuel, interruption, statistics, one thread at a time. */
#include "helpers.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* (module
 *   (memory (export "m") 1) (table (export "t") 1 funcref)
 *   (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
 *   (func (export "grow_table") (param i32) (result i32)
 *     (table.grow 0 (ref.null func) (local.get 0)))
 *   (func $down (export "down") (param i32) (result i32)
 *     (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
 *       (else (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))))
 *   (func (export "spin") (loop (br 0)))) */
static const uint8_t limited[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x09, 0x02, 0x60, 0x01, 0x7f, 0x01,
    0x7f, 0x60, 0x00, 0x00, 0x03, 0x05, 0x04, 0x00, 0x00, 0x00, 0x01, 0x04, 0x04, 0x01, 0x70,
    0x00, 0x01, 0x05, 0x03, 0x01, 0x00, 0x01, 0x07, 0x2b, 0x06, 0x01, 0x6d, 0x02, 0x00, 0x01,
    0x74, 0x01, 0x00, 0x04, 0x67, 0x72, 0x6f, 0x77, 0x00, 0x00, 0x0a, 0x67, 0x72, 0x6f, 0x77,
    0x5f, 0x74, 0x61, 0x62, 0x6c, 0x65, 0x00, 0x01, 0x04, 0x64, 0x6f, 0x77, 0x6e, 0x00, 0x02,
    0x04, 0x73, 0x70, 0x69, 0x6e, 0x00, 0x03, 0x0a, 0x30, 0x04, 0x06, 0x00, 0x20, 0x00, 0x40,
    0x00, 0x0b, 0x09, 0x00, 0xd0, 0x70, 0x20, 0x00, 0xfc, 0x0f, 0x00, 0x0b, 0x15, 0x00, 0x20,
    0x00, 0x45, 0x04, 0x7f, 0x41, 0x00, 0x05, 0x41, 0x01, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x10,
    0x02, 0x6a, 0x0b, 0x0b, 0x07, 0x00, 0x03, 0x40, 0x0c, 0x00, 0x0b, 0x0b,
};

static wasm_instance_t *try_instantiate(wasm_store_t *store, const uint8_t *bytes, size_t size,
                                        catnap_error_t **error) {
    wasm_module_t *module = load(store, bytes, size);
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    wasm_trap_t *trap;
    wasm_instance_t *instance = catnap_instance_new(store, module, &none, error, &trap);
    assert_no_trap(trap);
    wasm_module_delete(module);
    return instance;
}

static void limits_are_kept(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    assert_true(limits.memory_bytes == UINT64_MAX);
    assert_int_equal(limits.call_depth, 200000);
    limits.memory_bytes = 3 * 65536 + 5 * 8; /* tables count */
    limits.table_elements = 5;
    limits.instances = 2;
    catnap_store_set_limits(store, &limits);
    catnap_error_t *error;
    wasm_instance_t *first = try_instantiate(store, limited, sizeof limited, &error);
    assert_no_error(error);
    wasm_instance_t *second = try_instantiate(store, limited, sizeof limited, &error);
    assert_no_error(error);
    assert_null(try_instantiate(store, limited, sizeof limited, &error));
    assert_error(error, CATNAP_LIMIT, "2 instances");
    catnap_store_stats_t stats;
    catnap_store_stats(store, &stats);
    assert_int_equal(stats.instances, 2);
    assert_int_equal(stats.memory_bytes, 2 * 65536);
    assert_int_equal(stats.table_elements, 2);

    assert_int_equal(CALL(first, "grow", 2), -1);
    assert_int_equal(CALL(first, "grow", 1), 1);
    assert_int_equal(CALL(second, "grow", 1), -1);
    assert_int_equal(CALL(second, "grow", 0), 1);
    assert_int_equal(CALL(first, "grow", -1), -1);
    assert_int_equal(CALL(first, "grow_table", 4), -1);
    assert_int_equal(CALL(first, "grow_table", 3), 1);
    assert_int_equal(CALL(second, "grow_table", 1), -1);
    assert_int_equal(CALL(second, "grow_table", 0), 1);
    assert_int_equal(CALL(first, "grow_table", -1), -1);
    wasm_memory_t *memory = EXPORT(memory, first, "m");
    assert_false(wasm_memory_grow(memory, 1));
    wasm_memory_delete(memory);

    limits.instances = 10;
    catnap_store_set_limits(store, &limits);
    catnap_limits_t told;
    catnap_store_limits(store, &told);
    assert_int_equal(told.instances, 10);
    assert_null(try_instantiate(store, limited, sizeof limited, &error));
    assert_error(error, CATNAP_LIMIT, "196648");
    catnap_store_stats(store, &stats);
    assert_int_equal(stats.instances, 2);
    assert_int_equal(stats.memory_bytes, 3 * 65536); /* nothing of the failure is left */
    assert_int_equal(stats.table_elements, 5);
    limits.memory_bytes = 4 * 65536 + 6 * 8;
    catnap_store_set_limits(store, &limits);
    assert_null(try_instantiate(store, limited, sizeof limited, &error));
    assert_error(error, CATNAP_LIMIT, "table");
    catnap_store_stats(store, &stats);
    assert_int_equal(stats.memory_bytes, 3 * 65536);
    wasm_instance_delete(first);
    wasm_instance_delete(second);
}

static void depth_is_a_limit(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.call_depth = 100;
    catnap_store_set_limits(store, &limits);
    wasm_instance_t *instance = INSTANTIATE(store, limited);
    assert_int_equal(CALL(instance, "down", 99), 99);
    assert_trap(CALL_TRAP(instance, "down", 100), CATNAP_TRAP_STACK_OVERFLOW, "exhausted");
    assert_int_equal(CALL(instance, "down", 99), 99);
    limits.call_depth = 100000;
    catnap_store_set_limits(store, &limits);
    assert_int_equal(CALL(instance, "down", 99999), 99999);
    wasm_instance_delete(instance);
}

static void value_stack_is_a_limit(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.value_stack_bytes = 256 * 1024;
    catnap_store_set_limits(store, &limits);
    wasm_instance_t *instance = INSTANTIATE(store, limited);
    assert_int_equal(CALL(instance, "down", 1000), 1000);
    assert_trap(CALL_TRAP(instance, "down", 100000), CATNAP_TRAP_STACK_OVERFLOW, "exhausted");
    catnap_store_stats_t stats;
    catnap_store_stats(store, &stats);
    assert_int_equal(stats.value_stack_bytes, 256 * 1024);
    assert_int_equal(stats.calls, 2);
    wasm_instance_delete(instance);
}

static void null_stores_are_harmless(void **state) {
    (void)state;
    catnap_limits_t limits;
    catnap_limits_default(NULL);
    catnap_store_limits(NULL, &limits);
    catnap_store_set_limits(NULL, &limits);
    catnap_store_set_data(NULL, NULL);
    assert_null(catnap_store_data(NULL));
    assert_null(catnap_store_engine(NULL));
    assert_null(catnap_store_last_error(NULL));
    catnap_store_stats_t stats;
    catnap_store_stats(NULL, &stats);
    assert_int_equal(stats.calls, 0);
    assert_int_equal(catnap_store_fuel(NULL), 0);
    assert_error(catnap_store_set_fuel(NULL, 1), CATNAP_MISUSE, "NULL");
    catnap_store_interrupt(NULL, 1);
    uint64_t now = 1;
    catnap_engine_memory(NULL, &now, NULL);
    assert_int_equal(now, 0);
}

static void data_is_the_embedders(void **state) {
    int mine;
    assert_null(catnap_store_data(STORE(state)));
    catnap_store_set_data(STORE(state), &mine);
    assert_ptr_equal(catnap_store_data(STORE(state)), &mine);
}

/* ---- Errors as objects ---- */

static void errors(void **state) {
    (void)state;
    catnap_error_t *error = catnap_error_new(CATNAP_IO, "the disk is full");
    assert_int_equal(catnap_error_status(error), CATNAP_IO);
    assert_string_equal(catnap_error_message(error), "the disk is full");
    assert_true(catnap_error_offset(error) == UINT64_MAX);
    assert_int_equal(catnap_error_function(error), UINT32_MAX);
    catnap_error_delete(error);
    catnap_error_delete(NULL);
    assert_error(catnap_error_new(CATNAP_IO, NULL), CATNAP_IO, "");
    char longer[1000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_error(catnap_error_new(CATNAP_IO, longer), CATNAP_IO, "xxxx");
    assert_int_equal(catnap_error_status(NULL), CATNAP_OK);
}

/* ---- Engines with fuel and interruption ---- */

static wasm_engine_t *metered_engine(void) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_fuel(config, true);
    catnap_config_set_interruptible(config, true);
    return wasm_engine_new_with_config(config);
}

static void fuel(void **state) {
    assert_error(catnap_store_set_fuel(STORE(state), 5), CATNAP_MISUSE, "switched off");
    assert_int_equal(catnap_store_fuel(STORE(state)), 0);
    assert_error(catnap_store_consume_fuel(STORE(state), 5), CATNAP_MISUSE, "switched off");

    wasm_engine_t *engine = metered_engine();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_instance_t *instance = INSTANTIATE(store, limited);
    assert_trap(CALL_TRAP(instance, "down", 3), CATNAP_TRAP_OUT_OF_FUEL, "fuel");
    assert_no_error(catnap_store_set_fuel(store, 1000));
    assert_no_error(catnap_store_consume_fuel(store, 100));
    assert_int_equal(catnap_store_fuel(store), 900);
    assert_error(catnap_store_consume_fuel(store, 901), CATNAP_OUT_OF_FUEL, "900");
    assert_int_equal(CALL(instance, "down", 10), 10);
    uint64_t cost = 900 - catnap_store_fuel(store);
    assert_int_equal(CALL(instance, "down", 10), 10);
    assert_int_equal(catnap_store_fuel(store), 900 - 2 * cost);
    assert_no_error(catnap_store_set_fuel(store, cost));
    assert_int_equal(CALL(instance, "down", 10), 10);
    assert_int_equal(catnap_store_fuel(store), 0);
    assert_no_error(catnap_store_set_fuel(store, cost - 1));
    assert_trap(CALL_TRAP(instance, "down", 10), CATNAP_TRAP_OUT_OF_FUEL, "fuel");
    wasm_instance_delete(instance);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

struct interrupter {
    wasm_store_t *store;
    uint64_t call_id;
};

static void *interrupt_soon(void *env) {
    const struct interrupter *interrupter = env;
    struct timespec pause = {0, 20000000};
    nanosleep(&pause, NULL);
    catnap_store_interrupt(interrupter->store, interrupter->call_id);
    return NULL;
}

static void interruption_hits_its_call_only(void **state) {
    (void)state;
    wasm_engine_t *engine = metered_engine();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_instance_t *instance = INSTANTIATE(store, limited);
    assert_no_error(catnap_store_set_fuel(store, UINT64_MAX));
    pthread_t thread;
    struct interrupter interrupter = {store, catnap_store_call_id(store)};
    assert_true(interrupter.call_id != 0);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, &interrupter), 0);
    assert_trap(CALL_TRAP(instance, "spin"), CATNAP_TRAP_INTERRUPTED, "interrupt");
    pthread_join(thread, NULL);
    catnap_store_interrupt(store, interrupter.call_id); /* too late */
    assert_int_equal(CALL(instance, "down", 5), 5);
    catnap_store_interrupt(store, catnap_store_call_id(store)); /* before the call */
    assert_trap(CALL_TRAP(instance, "spin"), CATNAP_TRAP_INTERRUPTED, "interrupt");
    assert_int_equal(CALL(instance, "down", 5), 5);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

static wasm_trap_t *wait_for_interrupt(void *env, catnap_caller_t *caller,
                                       const catnap_val_t *arguments, catnap_val_t *results) {
    (void)env;
    (void)arguments;
    (void)results;
    struct pollfd wait = {catnap_caller_interrupt_fd(caller), POLLIN, 0};
    assert_true(wait.fd >= 0);
    assert_int_equal(poll(&wait, 1, 0), 0);
    assert_false(catnap_caller_interrupted(caller));
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_true(catnap_caller_interrupted(caller));
    assert_int_equal(catnap_caller_interrupt_fd(caller), wait.fd);
    assert_int_equal(poll(&wait, 1, 0), 1); /* still */
    return catnap_trap_new(catnap_caller_store(caller), CATNAP_TRAP_INTERRUPTED, "woken");
}

static void waiting_host_functions_wake_up(void **state) {
    (void)state;
    wasm_engine_t *engine = metered_engine();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *func = catnap_func_new(store, type, wait_for_interrupt, NULL, NULL, NULL);
    wasm_functype_delete(type);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        struct interrupter interrupter = {store, catnap_store_call_id(store)};
        assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, &interrupter), 0);
        assert_trap(catnap_func_call(func, NULL, 0, NULL, 0), CATNAP_TRAP_INTERRUPTED, "woken");
        pthread_join(thread, NULL);
    }
    wasm_func_delete(func);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

/* ---- One thread at a time ---- */

#ifdef NDEBUG
#define DETECTS_MISUSE false
#else
#define DETECTS_MISUSE true
#endif

struct intruder {
    wasm_store_t *store;
    wasm_func_t *func;
    wasm_module_t *module;
    bool refused;
};

static bool is_misuse(wasm_trap_t *trap) {
    wasm_message_t message;
    if (!trap)
        return false;
    wasm_trap_message(trap, &message);
    bool found = strstr(message.data, "another thread") != NULL;
    wasm_name_delete(&message);
    wasm_trap_delete(trap);
    return found;
}

static void *intrude(void *env) {
    struct intruder *intruder = env;
    wasm_store_t *store = intruder->store;
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    wasm_extern_vec_t no_imports = WASM_EMPTY_VEC;
    wasm_trap_t *trap;
    catnap_error_t *error = NULL;
    bool refused = is_misuse(wasm_func_call(intruder->func, &none, &none));
    refused = refused && !wasm_instance_new(store, intruder->module, &no_imports, &trap) &&
              is_misuse(trap);
    refused = refused && !wasm_foreign_new(store) &&
              catnap_error_status(catnap_store_last_error(store)) == CATNAP_MISUSE;
    refused = refused && !catnap_instance_new(store, intruder->module, &no_imports, &error, NULL) &&
              catnap_error_status(error) == CATNAP_MISUSE;
    catnap_error_delete(error);
    intruder->refused = refused && is_misuse(catnap_trap_new_exit(store, 1));
    return NULL;
}

static wasm_trap_t *let_in(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                           catnap_val_t *results) {
    (void)caller;
    (void)arguments;
    (void)results;
    struct intruder *intruder = env;
    pthread_t thread;
    if (intruder->refused)
        return NULL; /* called again below */
    assert_int_equal(pthread_create(&thread, NULL, intrude, intruder), 0);
    pthread_join(thread, NULL);
    return NULL;
}

static void *call_func(void *env) {
    return wasm_func_call(env, &(wasm_val_vec_t)WASM_EMPTY_VEC, &(wasm_val_vec_t)WASM_EMPTY_VEC);
}

static void a_second_thread_is_refused(void **state) {
    if (!DETECTS_MISUSE)
        skip();
    wasm_store_t *store = STORE(state);
    struct intruder intruder = {.store = store, .module = LOAD(store, limited)};
    wasm_functype_t *type = wasm_functype_new_0_0();
    intruder.func = catnap_func_new(store, type, let_in, &intruder, NULL, NULL);
    wasm_functype_delete(type);
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    assert_no_trap(wasm_func_call(intruder.func, &none, &none));
    assert_true(intruder.refused);
    /* Afterwards another thread may have it. */
    pthread_t thread;
    void *trap;
    assert_int_equal(pthread_create(&thread, NULL, call_func, intruder.func), 0);
    pthread_join(thread, &trap);
    assert_null(trap);
    wasm_func_delete(intruder.func);
    wasm_module_delete(intruder.module);
}

/* Only what is built for debugging notices two threads that come at the same moment. */
#if (SANITIZED || !defined(__OPTIMIZE__)) && !defined(NDEBUG)
#define DETECTS_ALL

#define RIVAL_CALLS 20000

struct rivals {
    wasm_func_t *func;
    atomic_int inside, together;
    atomic_long done, refused;
    long counted; /* by the thread that is inside */
};

static wasm_trap_t *count_inside(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                                 catnap_val_t *results) {
    (void)caller;
    (void)arguments;
    (void)results;
    struct rivals *rivals = env;
    if (atomic_fetch_add(&rivals->inside, 1) != 0)
        rivals->together++;
    rivals->counted++;
    atomic_fetch_sub(&rivals->inside, 1);
    return NULL;
}

static void *call_often(void *env) {
    struct rivals *rivals = env;
    for (int i = 0; i < RIVAL_CALLS; i++) {
        wasm_trap_t *trap = call_func(rivals->func);
        if (!trap)
            rivals->done++;
        else if (is_misuse(trap))
            rivals->refused++;
    }
    return NULL;
}

static void two_threads_at_the_same_moment(void **state) {
    struct rivals rivals = {0};
    wasm_functype_t *type = wasm_functype_new_0_0();
    rivals.func = catnap_func_new(STORE(state), type, count_inside, &rivals, NULL, NULL);
    wasm_functype_delete(type);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, call_often, &rivals), 0);
    call_often(&rivals);
    pthread_join(thread, NULL);
    assert_int_equal(rivals.together, 0);
    assert_int_equal(rivals.done, rivals.counted);
    assert_int_equal(rivals.done + rivals.refused, 2 * RIVAL_CALLS);
    wasm_func_delete(rivals.func);
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(limits_are_kept),
        TEST(depth_is_a_limit),
        TEST(value_stack_is_a_limit),
        cmocka_unit_test(null_stores_are_harmless),
        TEST(data_is_the_embedders),
        cmocka_unit_test(errors),
        TEST(fuel),
        cmocka_unit_test(interruption_hits_its_call_only),
        cmocka_unit_test(waiting_host_functions_wake_up),
        TEST(a_second_thread_is_refused),
#ifdef DETECTS_ALL
        TEST(two_threads_at_the_same_moment),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
