/* Interruption from other threads and from signal handlers: it hits the call that it is for, from
 * wherever that is, and no other; late requests have no effect. And one module run by many threads. */
#include "hostile.h"

#include <poll.h>
#include <pthread.h>
#include <sys/time.h>
#include <time.h>

#include "../differential/generate.h"

static const struct form form = {.interruptible = true};

static void sleep_us(long us) {
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

/* "spin" never ends; "count" adds one to a global and gives it; "nested" spins inside a block and a
 * call; "recurse" calls itself without a loop and comes back, again and again. */
static void add_endless(struct module_builder *m) {
    struct bytes f = {0};
    uint32_t none = add_type(m, "", ""), number = add_type(m, "", "i"), one = add_type(m, "i", "");
    PUT(&f, 0, LOOP, EMPTY, BR, 0, END, END);
    add_func(m, "spin", none, &f);
    PUT(&f, 0, 0x23, 0, 0x41, 1, I32_ADD, 0x24, 0, 0x23, 0, END);
    add_func(m, "count", number, &f);
    PUT(&f, 0, BLOCK, EMPTY, 0x41, 1, IF, EMPTY, CALL, 0, END, END, END);
    add_func(m, "nested", none, &f);
    PUT(&f, 0, LOCAL_GET, 0, IF, EMPTY, LOCAL_GET, 0, 0x41, 1, I32_SUB, CALL, 3, LOCAL_GET, 0, 0x41,
        1, I32_SUB, CALL, 3, END, END);
    add_func(m, "recurse", one, &f);
    struct bytes *b = add_item(m, GLOBALS);
    PUT(b, I32, 1, 0x41, 0, END);
}

static void enter_endless(struct world *w) {
    struct module_builder m = {0};
    open_world(w, form);
    add_endless(&m);
    enter_module(w, &m);
}

/* ---- One interrupter ---- */

struct request {
    wasm_store_t *store;
    uint64_t id;
    long after_us;
};

static void *interrupt_later(void *argument) {
    const struct request *r = argument;
    sleep_us(r->after_us);
    catnap_store_interrupt(r->store, r->id);
    return NULL;
}

static void another_thread_interrupts(void **state) {
    (void)state;
    struct world w;
    static const char *const names[] = {"spin", "nested", "recurse"};
    enter_endless(&w);
    for (unsigned round = 0; round < 30; round++) {
        pthread_t thread;
        struct request r = {w.store, catnap_store_call_id(w.store), round % 5 * 500};
        assert_int_equal(pthread_create(&thread, NULL, interrupt_later, &r), 0);
        assert_int_equal(CALL_TRAP(w.instance, names[round % 3], 60), CATNAP_TRAP_INTERRUPTED);
        pthread_join(thread, NULL);
        assert_int_equal(CALL_EXPORT(w.instance, "count"), round + 1);
    }
    close_world(&w);
}

/* ---- Signal handlers ---- */

static wasm_store_t *signalled_store;
static volatile sig_atomic_t signals;
static uint64_t signalled_call;

static void on_alarm(int number) {
    (void)number;
    signals++;
    catnap_store_interrupt(signalled_store, signalled_call);
}

static void a_signal_handler_interrupts(void **state) {
    (void)state;
    struct world w;
    struct sigaction action = {.sa_handler = on_alarm}, before;
    struct itimerval off = {{0, 0}, {0, 0}};
    enter_endless(&w);
    signalled_store = w.store;
    sigaction(SIGALRM, &action, &before);
    for (unsigned round = 0; round < 20; round++) {
        struct itimerval timer = {{0, 2000}, {0, 1 + round % 4 * 700}};
        signalled_call = catnap_store_call_id(w.store);
        setitimer(ITIMER_REAL, &timer, NULL);
        assert_int_equal(CALL_TRAP(w.instance, round % 2 ? "spin" : "recurse", 60),
                         CATNAP_TRAP_INTERRUPTED);
        /* It goes on signalling for the call that has ended. */
        for (unsigned i = 0; i < 50; i++)
            CALL_EXPORT(w.instance, "count");
        setitimer(ITIMER_REAL, &off, NULL);
    }
    assert_true(signals >= 20);
    sigaction(SIGALRM, &before, NULL);
    close_world(&w);
}

/* ---- Requests for other calls ---- */

static void late_and_early_requests(void **state) {
    (void)state;
    struct world w;
    enter_endless(&w);
    uint64_t first = catnap_store_call_id(w.store);
    assert_true(first != 0);
    CALL_EXPORT(w.instance, "count");
    uint64_t second = catnap_store_call_id(w.store);
    assert_true(second > first);
    catnap_store_interrupt(w.store, first); /* late */
    CALL_EXPORT(w.instance, "recurse", 3);
    /* In time: before the call has begun. */
    catnap_store_interrupt(w.store, catnap_store_call_id(w.store));
    assert_int_equal(CALL_TRAP(w.instance, "spin"), CATNAP_TRAP_INTERRUPTED);
    CALL_EXPORT(w.instance, "recurse", 3);
    /* A late one does not undo one in time. */
    catnap_store_interrupt(w.store, catnap_store_call_id(w.store));
    catnap_store_interrupt(w.store, first);
    catnap_store_interrupt(w.store, second);
    assert_int_equal(CALL_TRAP(w.instance, "spin"), CATNAP_TRAP_INTERRUPTED);
    /* Neither do those that name no call at all. */
    catnap_store_interrupt(w.store, 0);
    catnap_store_interrupt(w.store, UINT64_MAX);
    CALL_EXPORT(w.instance, "recurse", 3);
    catnap_store_interrupt(w.store, catnap_store_call_id(w.store));
    assert_int_equal(CALL_TRAP(w.instance, "spin"), CATNAP_TRAP_INTERRUPTED);
    close_world(&w);
}

static bool is_readable(int fd) {
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, 0) == 1;
}

/* Asks earlier calls to stop, and then this one, while it waits for an interrupt. */
static wasm_trap_t *wait_for_interrupts(void *env, catnap_caller_t *caller,
                                        const catnap_val_t *arguments, catnap_val_t *results) {
    (void)arguments;
    (void)results;
    wasm_store_t *store = env;
    uint64_t id = catnap_store_call_id(store);
    int fd = catnap_caller_interrupt_fd(caller);
    assert_true(fd >= 0);
    for (uint64_t earlier = 1; earlier < id; earlier++)
        catnap_store_interrupt(store, earlier);
    catnap_store_interrupt(store, id + 1);
    assert_false(is_readable(fd));
    assert_false(catnap_caller_interrupted(caller));
    catnap_store_interrupt(store, id);
    assert_true(is_readable(fd));
    catnap_store_interrupt(store, id - 1);
    assert_int_equal(catnap_caller_interrupt_fd(caller), fd);
    assert_true(is_readable(fd));
    assert_true(catnap_caller_interrupted(caller));
    return NULL;
}

static void late_requests_wake_nobody(void **state) {
    (void)state;
    struct world w;
    open_world(&w, form);
    wasm_func_t *func = new_host_func(w.store, wait_for_interrupts, w.store);
    for (unsigned round = 0; round < 3; round++)
        assert_null(catnap_func_call(func, NULL, 0, NULL, 0));
    wasm_func_delete(func);
    close_world(&w);
}

/* ---- Instantiation ---- */

/* Declarations that instantiation carries out in steps. */
enum step { STEP_NOTHING, STEP_TABLE, STEP_MEMORY, STEP_ELEM, STEP_DATA, STEP_START, STEPS };

static struct bytes stepping_module(enum step step) {
    struct module_builder m = {0};
    struct bytes f = {0}, *b;
    uint32_t none = add_type(&m, "", "");
    if (step == STEP_ELEM) { /* tables and memories of others, so that there are segments alone */
        b = add_item(&m, IMPORTS);
        put_name(b, "host");
        put_name(b, "t");
        PUT(b, 1, FUNCREF, 0, 1);
    }
    if (step == STEP_DATA) {
        b = add_item(&m, IMPORTS);
        put_name(b, "host");
        put_name(b, "m");
        PUT(b, 2, 0, 1);
    }
    PUT(&f, 0, END);
    add_func(&m, "f", none, &f);
    PUT(&f, 0, LOOP, EMPTY, BR, 0, END, END);
    add_func(&m, "spin", none, &f);
    if (step == STEP_TABLE)
        add_table(&m, FUNCREF, 1, 1);
    if (step == STEP_MEMORY)
        add_memory(&m, 1, 1);
    if (step == STEP_START)
        set_start(&m, 1);
    if (step == STEP_ELEM) {
        b = add_item(&m, ELEMS);
        PUT(b, 0, 0x41, 0, END, 1, 0);
    }
    if (step == STEP_DATA) {
        b = add_item(&m, DATAS);
        PUT(b, 0, 0x41, 0, END, 1, 7);
    }
    return finish(&m);
}

static wasm_extern_t *import_of(wasm_store_t *store, enum step step) {
    wasm_limits_t limits = {1, 1};
    if (step == STEP_ELEM) {
        wasm_tabletype_t *type = wasm_tabletype_new(wasm_valtype_new(WASM_FUNCREF), &limits);
        wasm_table_t *table = wasm_table_new(store, type, NULL);
        wasm_tabletype_delete(type);
        return wasm_table_as_extern(table);
    }
    wasm_memorytype_t *type = wasm_memorytype_new(&limits);
    wasm_memory_t *memory = wasm_memory_new(store, type);
    wasm_memorytype_delete(type);
    return wasm_memory_as_extern(memory);
}

/* Asked for in time, it stops where there is anything to do; the next call and the next instantiation are
 * not hurt in any case. */
static void instantiation_is_interrupted(void **state) {
    (void)state;
    for (int pre_linked = 0; pre_linked < 2; pre_linked++) {
        for (enum step step = 0; step < STEPS; step++) {
            struct world w;
            catnap_error_t *error = NULL;
            wasm_trap_t *trap = NULL;
            open_world(&w, form);
            struct bytes bytes = stepping_module(step);
            wasm_module_t *module = load_module(w.store, &bytes);
            wasm_extern_t *import = import_of(w.store, step);
            wasm_extern_vec_t imports = {step == STEP_ELEM || step == STEP_DATA, &import};
            catnap_prelinked_t *prelinked =
                pre_linked ? catnap_prelinked_new(w.store, module, &imports, NULL) : NULL;
            catnap_store_interrupt(w.store, catnap_store_call_id(w.store));
            wasm_instance_t *instance =
                pre_linked ? catnap_prelinked_instantiate(prelinked, &error, &trap)
                           : catnap_instance_new(w.store, module, &imports, &error, &trap);
            bool waited = pre_linked && (step == STEP_TABLE || step == STEP_MEMORY);
            assert_int_equal(instance != NULL, step == STEP_NOTHING || waited);
            assert_int_equal(trap != NULL, step >= STEP_ELEM);
            if (error)
                assert_int_equal(catnap_error_status(error), CATNAP_INTERRUPTED);
            if (trap)
                assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_INTERRUPTED);
            wasm_instance_delete(instance);
            catnap_error_delete(error);
            wasm_trap_delete(trap);
            if (step != STEP_START) {
                w.instance = catnap_instance_new(w.store, module, &imports, &error, &trap);
                assert_non_null(w.instance);
                assert_null(call_values(w.instance, "f", NULL, NULL));
            }
            catnap_prelinked_delete(prelinked);
            wasm_extern_delete(import);
            wasm_module_delete(module);
            drop_bytes(&bytes);
            close_world(&w);
        }
    }
}

/* Nothing of a restoration that is interrupted is left, and the next one is not hurt. */
static void restoring_is_interrupted(void **state) {
    (void)state;
    struct world w;
    catnap_store_stats_t stats;
    enter_endless(&w);
    CALL_EXPORT(w.instance, "count");
    catnap_snapshot_t *snapshot = catnap_snapshot_take(w.store, NULL, NULL);
    assert_non_null(snapshot);
    wasm_store_t *store = wasm_store_new(w.engine);
    catnap_linker_t *linker = catnap_linker_new(store);
    wasm_instance_t *instance;
    catnap_store_interrupt(store, catnap_store_call_id(store));
    catnap_error_t *error = catnap_snapshot_restore(snapshot, linker, NULL, &instance, NULL);
    assert_int_equal(catnap_error_status(error), CATNAP_INTERRUPTED);
    catnap_error_delete(error);
    assert_null(instance);
    catnap_store_stats(store, &stats);
    assert_int_equal(stats.instances, 0);
    assert_null(catnap_snapshot_restore(snapshot, linker, NULL, &instance, NULL));
    assert_int_equal(CALL_EXPORT(instance, "count"), 2);
    wasm_instance_delete(instance);
    catnap_linker_delete(linker);
    wasm_store_delete(store);
    catnap_snapshot_delete(snapshot);
    close_world(&w);
}

struct interrupter {
    wasm_store_t *store;
    _Atomic bool stop;
    _Atomic uint64_t target; /* a call that is to be interrupted, or 0 */
};

/* Interrupts the target, and all the time calls that ended long ago. */
static void *interrupt_at_random(void *argument) {
    struct interrupter *i = argument;
    uint64_t random = 1;
    while (!i->stop) {
        uint64_t target = i->target;
        if (target)
            catnap_store_interrupt(i->store, target);
        uint64_t id = catnap_store_call_id(i->store), back = next_random(&random) % 5 + 1;
        if (id > back)
            catnap_store_interrupt(i->store, id - back);
    }
    return NULL;
}

static void only_the_target_is_hit(void **state) {
    (void)state;
    struct world w;
    pthread_t thread;
    enter_endless(&w);
    struct interrupter i = {.store = w.store};
    assert_int_equal(pthread_create(&thread, NULL, interrupt_at_random, &i), 0);
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned calls = 0; calls < 20; calls++)
            CALL_EXPORT(w.instance, "recurse", 5);
        i.target = catnap_store_call_id(w.store);
        assert_int_equal(CALL_TRAP(w.instance, "spin"), CATNAP_TRAP_INTERRUPTED);
        i.target = 0;
    }
    i.stop = true;
    pthread_join(thread, NULL);
    close_world(&w);
}

/* ---- Runs and host calls ---- */

/* A run that is stopped again and again comes to the same end. */
static void interrupted_runs_go_on(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    struct bytes f = {0};
    PUT(&f, 1, 1, I32, LOOP, EMPTY, LOCAL_GET, 0, LOCAL_GET, 1, I32_ADD, LOCAL_SET, 1, LOCAL_GET, 0,
        0x41, 1, I32_SUB, LOCAL_TEE, 0, BR_IF, 0, END, LOCAL_GET, 1, END);
    add_func(&m, "sum", add_type(&m, "i", "i"), &f);
    open_world(&w, form);
    enter_module(&w, &m);
    wasm_func_t *func = get_func(w.instance, "sum");
    catnap_val_t argument = VAL_I32(30000000), result;
    catnap_run_t *run = catnap_run_new(func, &argument, 1, NULL);
    wasm_trap_t *trap;
    unsigned stops = 0;
    catnap_status_t status;
    for (;; stops++) {
        pthread_t thread;
        struct request r = {w.store, catnap_store_call_id(w.store), stops * 20};
        assert_int_equal(pthread_create(&thread, NULL, interrupt_later, &r), 0);
        status = catnap_run_resume(run, &result, 1, &trap);
        pthread_join(thread, NULL);
        if (status != CATNAP_INTERRUPTED)
            break;
        assert_null(trap);
        assert_int_equal(catnap_run_backtrace(run, NULL, 0), 1);
    }
    assert_int_equal(status, CATNAP_OK);
    assert_int_equal((uint32_t)result.of.i32, (uint32_t)(UINT64_C(30000000) * 30000001 / 2));
    assert_true(stops > 0);
    catnap_run_delete(run);
    wasm_func_delete(func);
    close_world(&w);
}

struct host {
    struct world *w;
    bool saw_it;
};

/* The call is interrupted while it is in the host: both notice. */
static wasm_trap_t *interrupt_myself(void *env, catnap_caller_t *caller,
                                     const catnap_val_t *arguments, catnap_val_t *results) {
    struct host *h = env;
    wasm_store_t *store = catnap_caller_store(caller);
    (void)arguments;
    (void)results;
    assert_false(catnap_caller_interrupted(caller));
    catnap_store_interrupt(store, catnap_store_call_id(store));
    h->saw_it = catnap_caller_interrupted(caller);
    /* Calls from here belong to the one under way, and are stopped with it. */
    assert_int_equal(CALL_TRAP(h->w->instance, "f"), CATNAP_TRAP_INTERRUPTED);
    return NULL;
}

static void interrupted_in_the_host(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    struct bytes f = {0};
    struct host h = {.w = &w};
    uint32_t none = add_type(&m, "", "");
    import_func(&m, "m", "f", none);
    PUT(&f, 0, CALL, 0, LOOP, EMPTY, BR, 0, END, END);
    add_func(&m, "f", none, &f);
    struct bytes b = finish(&m);
    open_world(&w, form);
    wasm_func_t *func = new_host_func(w.store, interrupt_myself, &h);
    wasm_extern_t *import = wasm_func_as_extern(func);
    w.instance = instantiate(w.store, &b, &import, 1);
    for (unsigned round = 0; round < 5; round++) {
        h.saw_it = false;
        assert_int_equal(CALL_TRAP(w.instance, "f"), CATNAP_TRAP_INTERRUPTED);
        assert_true(h.saw_it);
    }
    wasm_func_delete(func);
    drop_bytes(&b);
    close_world(&w);
}

/* ---- Many threads, one module ---- */

#define THREADS 4

struct worker {
    wasm_engine_t *engine;
    const wasm_shared_module_t *shared;
    uint64_t sums[GENERATED_RUNS + 1];
};

/* Every thread translates and runs the same functions in a store of its own, and gives up its
 * handles while others take theirs. */
static void *work(void *argument) {
    struct worker *worker = argument;
    for (unsigned round = 0; round < 3; round++) {
        wasm_store_t *store = wasm_store_new(worker->engine);
        wasm_module_t *module = wasm_module_obtain(store, worker->shared);
        wasm_instance_t *instance = catnap_instance_new(store, module, NULL, NULL, NULL);
        catnap_module_stats_t stats;
        for (unsigned i = 0; i <= GENERATED_RUNS; i++) {
            char name[8];
            snprintf(name, sizeof name, i < GENERATED_RUNS ? "run%u" : "state", i);
            wasm_extern_t *found = catnap_instance_export(instance, name, strlen(name));
            catnap_val_t out;
            wasm_trap_t *trap = catnap_func_call(wasm_extern_as_func(found), NULL, 0, &out, 1);
            worker->sums[i] = trap ? (uint64_t)catnap_trap_code(trap) : (uint64_t)out.of.i64;
            catnap_frame_t frame;
            catnap_trap_frame(trap, 0, &frame);
            wasm_trap_delete(trap);
            wasm_extern_delete(found);
        }
        catnap_module_stats(module, &stats);
        wasm_instance_delete(instance);
        wasm_module_delete(module);
        wasm_store_delete(store);
    }
    return NULL;
}

static void many_threads_run_one_module(void **state) {
    (void)state;
    static const struct form forms[] = {
        {0}, {.explicit_checks = true}, {.eager = true}, {.deferred = true, .interruptible = true}};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct bytes b = generate((struct generator_options){.seed = seed});
        wasm_engine_t *engine = new_engine(forms[seed % COUNT(forms)], NULL);
        wasm_store_t *store = wasm_store_new(engine);
        wasm_module_t *module = load_module(store, &b);
        wasm_shared_module_t *shared = wasm_module_share(module);
        struct worker workers[THREADS];
        pthread_t threads[THREADS];
        for (unsigned i = 0; i < THREADS; i++) {
            workers[i] = (struct worker){.engine = engine, .shared = shared};
            assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (unsigned i = 1; i < THREADS; i++)
            assert_memory_equal(workers[i].sums, workers[0].sums, sizeof workers[i].sums);
        wasm_shared_module_delete(shared);
        wasm_module_delete(module);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
        drop_bytes(&b);
    }
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_thread_interrupts),
        cmocka_unit_test(a_signal_handler_interrupts),
        cmocka_unit_test(late_and_early_requests),
        cmocka_unit_test(late_requests_wake_nobody),
        cmocka_unit_test(instantiation_is_interrupted),
        cmocka_unit_test(restoring_is_interrupted),
        cmocka_unit_test(only_the_target_is_hit),
        cmocka_unit_test(interrupted_runs_go_on),
        cmocka_unit_test(interrupted_in_the_host),
        cmocka_unit_test(many_threads_run_one_module),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
