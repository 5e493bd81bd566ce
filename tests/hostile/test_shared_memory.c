/*
 * Shared memories: stores of several threads with views of one memory. Counters that no update is lost of, growth that
 * all see, waits that end in each way, what cannot have such a memory, and what is left when memory runs out.
 */
#include "hostile.h"
#include "../support/saved.h"

#include <pthread.h>
#include <time.h>

#define THREADS 4
#define COUNTER 64 /* addresses */
#define TURN 128

static wasm_memorytype_t *shared_type(uint32_t min, uint32_t max) {
    wasm_limits_t limits = {min, max};
    wasm_memorytype_t *type = catnap_memorytype_new_shared(&limits);
    assert_non_null(type);
    assert_true(catnap_memorytype_is_shared(type));
    return type;
}

static catnap_shared_memory_t *new_shared(wasm_engine_t *engine, uint32_t min, uint32_t max) {
    wasm_memorytype_t *type = shared_type(min, max);
    catnap_error_t *error;
    catnap_shared_memory_t *memory = catnap_shared_memory_new(engine, type, &error);
    assert_null(error);
    assert_non_null(memory);
    wasm_memorytype_delete(type);
    return memory;
}

/* (memory $0 (import "m" "m") 1 100 shared), and what the tests call. */
static struct bytes module_of_threads(void) {
    struct module_builder m = {0};
    struct bytes f = {0}, *b = import_item(&m, "m", "m", AS_MEMORY);
    put_limits_as(b, LIMITS_SHARED, 1, 100);
    /* count(n): n times 1 more, by an addition and by a loop of exchanges */
    PUT(&f, 1, 1, I32, LOOP, EMPTY, 0x41, 0xC0, 0, 0x41, 1, 0xFE, 0x1E, 2, 0, DROP);
    PUT(&f, LOOP, EMPTY, 0x41, 0xC0, 0, 0x41, 0xC0, 0, 0xFE, 0x10, 2, 0, LOCAL_TEE, 1, LOCAL_GET, 1,
        0x41, 1, I32_ADD, 0xFE, 0x48, 2, 0, LOCAL_GET, 1, 0x47, BR_IF, 0, END);
    PUT(&f, LOCAL_GET, 0, 0x41, 1, I32_SUB, LOCAL_TEE, 0, BR_IF, 0, END, END);
    add_func(&m, "count", add_type(&m, "i", ""), &f);
    /* wait32(address, expected, timeout), wait64, notify(address, count) */
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFE, 1, 2, 0, END);
    add_func(&m, "wait32", add_type(&m, "iiI", "i"), &f);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFE, 2, 3, 0, END);
    add_func(&m, "wait64", add_type(&m, "iII", "i"), &f);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, 0xFE, 0, 2, 0, END);
    add_func(&m, "notify", add_type(&m, "ii", "i"), &f);
    /* turns(mine, n): n times waits until TURN is `mine`, then makes it 1 - mine and notifies */
    PUT(&f, 0, LOOP, EMPTY, BLOCK, EMPTY, LOOP, EMPTY);
    PUT(&f, 0x41, 0x80, 1, 0xFE, 0x10, 2, 0, LOCAL_GET, 0, 0x46, BR_IF, 1);
    PUT(&f, 0x41, 0x80, 1, 0x41, 1, LOCAL_GET, 0, I32_SUB, 0x42, 0x7F, 0xFE, 1, 2, 0, DROP, BR, 0,
        END, END);
    PUT(&f, 0x41, 0x80, 1, 0x41, 1, LOCAL_GET, 0, I32_SUB, 0xFE, 0x17, 2, 0);
    PUT(&f, 0x41, 0x80, 1, 0x41, 1, 0xFE, 0, 2, 0, DROP);
    PUT(&f, LOCAL_GET, 1, 0x41, 1, I32_SUB, LOCAL_TEE, 1, BR_IF, 0, END, END);
    add_func(&m, "turns", add_type(&m, "ii", ""), &f);
    PUT(&f, 0, LOCAL_GET, 0, 0x40, 0, END);
    add_func(&m, "grow", add_type(&m, "i", "i"), &f);
    PUT(&f, 0, 0x3F, 0, END);
    add_func(&m, "size", add_type(&m, "", "i"), &f);
    PUT(&f, 0, LOCAL_GET, 0, 0x28, 2, 0, END);
    add_func(&m, "load", add_type(&m, "i", "i"), &f);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, 0x36, 2, 0, END);
    add_func(&m, "store", add_type(&m, "ii", ""), &f);
    PUT(&f, 0, LOCAL_GET, 0, 0xFE, 0x10, 2, 0, END);
    add_func(&m, "atomic_load", add_type(&m, "i", "i"), &f);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFC, 11, 0, END);
    add_func(&m, "fill", add_type(&m, "iii", ""), &f);
    return finish(&m);
}

/* ---- A thread with a store of its own ---- */

struct guest {
    pthread_t thread;
    wasm_store_t *store;
    wasm_instance_t *instance;
    const char *name;
    int64_t arguments[3];
    uint64_t result;
    catnap_trap_code_t trap;
};

static void open_guest(struct guest *g, wasm_engine_t *engine, catnap_shared_memory_t *memory) {
    catnap_error_t *error;
    struct bytes b = module_of_threads();
    g->store = wasm_store_new(engine);
    catnap_error_delete(
        catnap_store_set_fuel(g->store, UINT32_MAX)); /* an error where fuel is off */
    wasm_memory_t *view = catnap_shared_memory_view(memory, g->store, &error);
    assert_null(error);
    wasm_extern_t *import = wasm_memory_as_extern(view);
    g->instance = instantiate(g->store, &b, &import, 1);
    wasm_memory_delete(view);
    drop_bytes(&b);
}

static void close_guest(struct guest *g) {
    wasm_instance_delete(g->instance);
    wasm_store_delete(g->store);
}

static void *run_guest(void *argument) {
    struct guest *g = argument;
    wasm_trap_t *trap = call_bits(g->instance, g->name, g->arguments, &g->result);
    g->trap = trap ? catnap_trap_code(trap) : CATNAP_TRAP_HOST;
    wasm_trap_delete(trap);
    return NULL;
}

static void start(struct guest *g, const char *name, int64_t a, int64_t b, int64_t c) {
    g->name = name;
    g->arguments[0] = a;
    g->arguments[1] = b;
    g->arguments[2] = c;
    assert_int_equal(pthread_create(&g->thread, NULL, run_guest, g), 0);
}

static void join(struct guest *g) {
    assert_int_equal(pthread_join(g->thread, NULL), 0);
}

static const struct form forms[] = {
    {0},
    {.explicit_checks = true},
    {.interruptible = true},
    {.explicit_checks = true, .eager = true},
};

static void no_update_is_lost(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        const int64_t rounds = SANITIZED ? 2000 : 20000;
        struct guest guests[THREADS] = {0};
        wasm_engine_t *engine = new_engine(forms[i], NULL);
        catnap_shared_memory_t *memory = new_shared(engine, 1, 100);
        for (size_t k = 0; k < THREADS; k++)
            open_guest(&guests[k], engine, memory);
        for (size_t k = 0; k < THREADS; k++)
            start(&guests[k], "count", rounds, 0, 0);
        for (size_t k = 0; k < THREADS; k++)
            join(&guests[k]);
        assert_int_equal(CALL_EXPORT(guests[0].instance, "load", COUNTER), THREADS * 2 * rounds);
        for (size_t k = 0; k < THREADS; k++)
            close_guest(&guests[k]);
        catnap_shared_memory_delete(memory);
        wasm_engine_delete(engine);
    }
}

/* A store sees what another grew: by its instructions of each kind, one after the other. */
static void growth_is_seen(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct guest a = {0}, b = {0};
        wasm_engine_t *engine = new_engine(forms[i], NULL);
        catnap_shared_memory_t *memory = new_shared(engine, 1, 100);
        open_guest(&a, engine, memory);
        open_guest(&b, engine, memory);
        uint8_t *base = catnap_shared_memory_data(memory);
        int64_t end = 65536;
#define GROW()                                                                                     \
    do {                                                                                           \
        assert_int_equal(CALL_EXPORT(a.instance, "grow", 1), end / 65536);                         \
        end += 65536;                                                                              \
    } while (0)
        assert_int_equal(CALL_TRAP(b.instance, "load", end), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
        GROW();
        CALL_EXPORT(b.instance, "store", end - 4, 77);
        assert_int_equal(CALL_EXPORT(a.instance, "load", end - 4), 77);
        GROW();
        assert_int_equal(CALL_EXPORT(b.instance, "atomic_load", end - 4), 0);
        GROW();
        CALL_EXPORT(b.instance, "fill", end - 8, 1, 8);
        GROW();
        assert_int_equal(CALL_EXPORT(b.instance, "size"), end / 65536);
        GROW();
        assert_int_equal(CALL_EXPORT(b.instance, "notify", end - 4, 1), 0);
        assert_int_equal(CALL_TRAP(b.instance, "load", end - 3), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
        assert_int_equal(CALL_TRAP(b.instance, "atomic_load", end),
                         CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
        assert_int_equal((int32_t)CALL_EXPORT(b.instance, "grow", 100), -1);
        assert_int_equal(catnap_shared_memory_size(memory), end);
        assert_ptr_equal(catnap_shared_memory_data(memory), base);
        catnap_store_stats_t stats;
        assert_int_equal(CALL_EXPORT(a.instance, "size"), end / 65536);
        catnap_store_stats(a.store, &stats);
        assert_int_equal(stats.memory_bytes, end);
        close_guest(&a);
        close_guest(&b);
        catnap_shared_memory_delete(memory);
        wasm_engine_delete(engine);
    }
}

/* ---- Waits ---- */

static void pause_a_little(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void waits_end_in_each_way(void **state) {
    (void)state;
    struct guest a = {0}, b = {0};
    wasm_engine_t *engine = new_engine((struct form){.interruptible = true, .fuel = true}, NULL);
    catnap_shared_memory_t *memory = new_shared(engine, 1, 100);
    open_guest(&a, engine, memory);
    open_guest(&b, engine, memory);
    assert_int_equal(CALL_EXPORT(a.instance, "wait32", 0, 1, -1), 1);
    assert_int_equal(CALL_EXPORT(a.instance, "wait64", 0, 1, -1), 1);
    assert_int_equal(CALL_EXPORT(a.instance, "wait32", 0, 0, 0), 2);
    assert_int_equal(CALL_EXPORT(a.instance, "wait64", 0, 0, 2000000), 2);
    assert_int_equal(CALL_TRAP(a.instance, "wait32", 2, 0, 0), CATNAP_TRAP_UNALIGNED_ATOMIC);
    assert_int_equal(CALL_TRAP(a.instance, "wait64", 4, 0, 0), CATNAP_TRAP_UNALIGNED_ATOMIC);
    assert_int_equal(CALL_TRAP(a.instance, "wait32", 65536, 0, 0),
                     CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
    assert_int_equal(CALL_EXPORT(a.instance, "notify", 0, -1), 0);
    uint64_t fuel = catnap_store_fuel(a.store);
    start(&a, "wait32", 8, 0, -1);
    while (CALL_EXPORT(b.instance, "notify", 8, 1) == 0) /* until it is there */
        pause_a_little();
    join(&a);
    assert_int_equal(a.trap, CATNAP_TRAP_HOST);
    assert_int_equal(a.result, 0);
    assert_true(fuel - catnap_store_fuel(a.store) <= 8); /* of the few instructions */
    start(&a, "wait64", 8, 0, INT64_MAX);
    while (catnap_shared_memory_notify(memory, 8, UINT32_MAX) == 0)
        pause_a_little();
    join(&a);
    assert_int_equal(a.result, 0);
    /* An interrupt before the wait ends it as one within it does: it names the call. */
    uint64_t id = catnap_store_call_id(a.store);
    start(&a, "wait32", 8, 0, -1);
    pause_a_little();
    catnap_store_interrupt(a.store, id);
    join(&a);
    assert_int_equal(a.trap, CATNAP_TRAP_INTERRUPTED);
    assert_int_equal(CALL_EXPORT(a.instance, "notify", 8, 1), 0); /* it has left the queue */
    close_guest(&a);
    close_guest(&b);
    catnap_shared_memory_delete(memory);
    wasm_engine_delete(engine);
}

struct run_of_guest {
    catnap_run_t *run;
    catnap_status_t status;
    catnap_val_t result;
};

static void *resume(void *argument) {
    struct run_of_guest *r = argument;
    wasm_trap_t *trap = NULL;
    r->status = catnap_run_resume(r->run, &r->result, 1, &trap);
    wasm_trap_delete(trap);
    return NULL;
}

/* A run that is interrupted while it waits goes on waiting for the time that was left. */
static void interrupted_waits_go_on(void **state) {
    (void)state;
    struct guest a = {0};
    wasm_engine_t *engine = new_engine((struct form){.interruptible = true}, NULL);
    catnap_shared_memory_t *memory = new_shared(engine, 1, 100);
    open_guest(&a, engine, memory);
    wasm_func_t *func = get_func(a.instance, "wait32");
    const catnap_val_t arguments[] = {VAL_I32(8), VAL_I32(0), VAL_I64(50000000)};
    struct run_of_guest r = {.run = catnap_run_new(func, arguments, 3, NULL)};
    pthread_t thread;
    assert_non_null(r.run);
    for (unsigned round = 0; round < 3; round++) {
        uint64_t id = catnap_store_call_id(a.store);
        assert_int_equal(pthread_create(&thread, NULL, resume, &r), 0);
        catnap_store_interrupt(a.store, id);
        pthread_join(thread, NULL);
        assert_true(r.status == CATNAP_INTERRUPTED || r.status == CATNAP_OK);
        if (r.status == CATNAP_OK) /* the time was over first */
            break;
    }
    if (r.status != CATNAP_OK)
        resume(&r);
    assert_int_equal(r.status, CATNAP_OK);
    assert_int_equal(r.result.of.i32, 2);
    catnap_run_delete(r.run);
    wasm_func_delete(func);
    close_guest(&a);
    catnap_shared_memory_delete(memory);
    wasm_engine_delete(engine);
}

/* Threads that take turns by waiting and notifying: each wake is needed, so that none may be lost. */
static void no_wake_is_lost(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        const int64_t rounds = SANITIZED ? 200 : 1000;
        struct guest a = {0}, b = {0};
        wasm_engine_t *engine = new_engine(forms[i], NULL);
        catnap_shared_memory_t *memory = new_shared(engine, 1, 100);
        open_guest(&a, engine, memory);
        open_guest(&b, engine, memory);
        start(&a, "turns", 0, rounds, 0);
        start(&b, "turns", 1, rounds, 0);
        join(&a);
        join(&b);
        assert_int_equal(CALL_EXPORT(a.instance, "load", TURN), 0);
        close_guest(&a);
        close_guest(&b);
        catnap_shared_memory_delete(memory);
        wasm_engine_delete(engine);
    }
}

static void as_many_are_woken_as_are_asked_for(void **state) {
    (void)state;
    struct guest guests[THREADS] = {0}, waker = {0};
    wasm_engine_t *engine = new_engine((struct form){0}, NULL);
    catnap_shared_memory_t *memory = new_shared(engine, 1, 100);
    uint32_t woken = 0;
    open_guest(&waker, engine, memory);
    for (size_t k = 0; k < THREADS; k++) {
        open_guest(&guests[k], engine, memory);
        start(&guests[k], "wait32", 16, 0, -1);
    }
    while (woken < THREADS) {
        uint32_t now = (uint32_t)CALL_EXPORT(waker.instance, "notify", 16, 1);
        assert_true(now <= 1);
        woken += now;
        assert_int_equal(CALL_EXPORT(waker.instance, "notify", 20, 1), 0); /* another address */
    }
    for (size_t k = 0; k < THREADS; k++) {
        join(&guests[k]);
        assert_int_equal(guests[k].result, 0);
        close_guest(&guests[k]);
    }
    close_guest(&waker);
    catnap_shared_memory_delete(memory);
    wasm_engine_delete(engine);
}

/* ---- Refusals ---- */

static void assert_refused(catnap_error_t *error, catnap_status_t status, const char *part) {
    assert_non_null(error);
    if (!strstr(catnap_error_message(error), part))
        print_message("%s\n", catnap_error_message(error));
    assert_int_equal(catnap_error_status(error), status);
    assert_non_null(strstr(catnap_error_message(error), part));
    catnap_error_delete(error);
}

static struct bytes module_that_defines_one(void) {
    struct module_builder m = {0};
    add_memory_as(&m, LIMITS_SHARED, 1, 2);
    export_item(&m, "memory", AS_MEMORY, 0);
    return finish(&m);
}

static void state_of_shared_memories_is_refused(void **state) {
    (void)state;
    struct world w;
    catnap_error_t *error;
    wasm_byte_vec_t out;
    uint32_t level;
    open_world(&w, (struct form){0});
    struct bytes b = module_that_defines_one();
    wasm_module_t *module = load_module(w.store, &b);
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    assert_null(catnap_prelinked_new(w.store, module, &none, &error));
    assert_refused(error, CATNAP_UNSUPPORTED, "pre-linked");
    w.instance = instantiate(w.store, &b, NULL, 0);
    assert_refused(catnap_store_checkpoint(w.store, &level), CATNAP_UNSUPPORTED, "checkpoints");
    assert_refused(catnap_instance_to_module(w.instance, NULL, &out), CATNAP_UNSUPPORTED,
                   "shared memory");
    wasm_instance_delete(w.instance);
    w.instance = NULL;
    catnap_store_collect(w.store);
    assert_null(catnap_store_checkpoint(w.store, &level)); /* it is gone */
    assert_null(catnap_instance_new(w.store, module, &none, &error, NULL));
    assert_refused(error, CATNAP_UNSUPPORTED, "checkpoints");
    wasm_module_delete(module);
    drop_bytes(&b);
    close_world(&w);
}

/* A store that is alone with its shared memory: what it has comes back, and is shared again. */
static void a_snapshot_has_a_shared_memory(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct guest guests[2] = {0};
        catnap_error_t *error;
        wasm_engine_t *engine = new_engine(forms[i], NULL);
        catnap_shared_memory_t *memory = new_shared(engine, 1, 100);
        open_guest(&guests[0], engine, memory);
        open_guest(&guests[1], engine, memory);
        CALL_EXPORT(guests[1].instance, "grow", 2);
        CALL_EXPORT(guests[1].instance, "store", 2 * 65536 + 4, 77);
        assert_null(catnap_snapshot_take(guests[0].store, NULL, &error));
        assert_refused(error, CATNAP_UNSUPPORTED, "another view");
        close_guest(&guests[1]);
        wasm_byte_vec_t bytes = save_store(guests[0].store, NULL);
        close_guest(&guests[0]);
        catnap_shared_memory_delete(memory);

        catnap_snapshot_t *snapshot =
            catnap_snapshot_read(engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
        assert_null(error);
        guests[0].store = wasm_store_new(engine);
        catnap_error_delete(catnap_store_set_fuel(guests[0].store, UINT32_MAX));
        catnap_linker_t *linker = catnap_linker_new(guests[0].store);
        assert_null(catnap_snapshot_restore(snapshot, linker, NULL, &guests[0].instance, NULL));
        catnap_linker_delete(linker);
        assert_int_equal(CALL_EXPORT(guests[0].instance, "size"), 3);
        assert_int_equal(CALL_EXPORT(guests[0].instance, "load", 2 * 65536 + 4), 77);
        assert_int_equal(CALL_EXPORT(guests[0].instance, "wait32", 0, 0, 0), 2); /* it is shared */
        /* Captured again, by way of an instance that was restored. */
        wasm_byte_vec_t same = save_store(guests[0].store, NULL);
        assert_int_equal(bytes.size, same.size);
        assert_memory_equal(bytes.data, same.data, same.size);
        wasm_byte_vec_delete(&same);
        wasm_byte_vec_delete(&bytes);
        catnap_snapshot_delete(snapshot);
        close_guest(&guests[0]);
        wasm_engine_delete(engine);
    }
}

static void views_have_limits(void **state) {
    (void)state;
    catnap_error_t *error;
    wasm_limits_t open_ended = {1, wasm_limits_max_default};
    assert_null(catnap_memorytype_new_shared(&open_ended));
    wasm_engine_t *engine = new_engine((struct form){0}, NULL),
                  *other = new_engine((struct form){0}, NULL);
    wasm_store_t *store = wasm_store_new(engine), *foreign = wasm_store_new(other);
    catnap_shared_memory_t *memory = new_shared(engine, 2, 3);
    assert_null(catnap_shared_memory_view(memory, foreign, &error));
    assert_refused(error, CATNAP_MISUSE, "another engine");
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.memory_bytes = 65536;
    catnap_store_set_limits(store, &limits);
    assert_null(catnap_shared_memory_view(memory, store, &error));
    assert_refused(error, CATNAP_LIMIT, "65536");
    limits.memory_bytes = 2 * 65536;
    catnap_store_set_limits(store, &limits);
    wasm_memory_t *view = catnap_shared_memory_view(memory, store, &error);
    assert_non_null(view);
    assert_false(wasm_memory_grow(view, 1));
    catnap_shared_memory_t *again = catnap_memory_shared(view);
    assert_ptr_equal(again, memory);
    catnap_shared_memory_delete(again);
    wasm_memorytype_t *type = wasm_memory_type(view);
    assert_true(catnap_memorytype_is_shared(type));
    wasm_memory_t *fresh = wasm_memory_new(foreign, type);
    assert_non_null(fresh);
    wasm_memory_delete(fresh);
    wasm_memorytype_delete(type);
    wasm_memory_delete(view);
    catnap_shared_memory_delete(memory);
    wasm_store_delete(store);
    wasm_store_delete(foreign);
    wasm_engine_delete(engine);
    wasm_engine_delete(other);
}

/* Without the feature, and without a maximum. */
static void types_are_checked(void **state) {
    (void)state;
    for (unsigned with = 0; with < 2; with++) {
        struct module_builder m = {0};
        catnap_error_t *error;
        add_memory_as(&m, LIMITS_SHARED, 1, with ? NO_MAX : 2);
        struct bytes b = finish(&m);
        wasm_config_t *config = wasm_config_new();
        catnap_config_set_features(config,
                                   CATNAP_FEATURES_WASM2 | (with ? CATNAP_FEATURE_THREADS : 0));
        wasm_engine_t *engine = wasm_engine_new_with_config(config);
        wasm_store_t *store = wasm_store_new(engine);
        assert_null(catnap_module_new(store, b.data, b.size, NULL, &error));
        assert_refused(error, with ? CATNAP_INVALID : CATNAP_UNSUPPORTED,
                       with ? "shared memory must have maximum" : "needs the feature threads");
        drop_bytes(&b);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
    }
}

/* A memory that is shared, or not, is imported as such. */
static void imports_match_sharedness(void **state) {
    (void)state;
    struct world w;
    catnap_error_t *error;
    wasm_limits_t limits = {1, 100};
    open_world(&w, (struct form){0});
    struct bytes b = module_of_threads();
    wasm_module_t *module = load_module(w.store, &b);
    wasm_memorytype_t *plain = wasm_memorytype_new(&limits), *larger = shared_type(1, 101);
    wasm_memory_t *memories[] = {wasm_memory_new(w.store, plain), wasm_memory_new(w.store, larger)};
    for (size_t i = 0; i < 2; i++) {
        wasm_extern_t *import = wasm_memory_as_extern(memories[i]);
        wasm_extern_vec_t imports = {1, &import};
        assert_null(catnap_instance_new(w.store, module, &imports, &error, NULL));
        assert_refused(error, CATNAP_LINK, "1..100 shared");
        wasm_memory_delete(memories[i]);
    }
    wasm_memorytype_delete(plain);
    wasm_memorytype_delete(larger);
    wasm_module_delete(module);
    drop_bytes(&b);
    close_world(&w);
}

/* Each allocation in turn fails: an error, and nothing is left behind. */
static void starved_makers_leave_nothing(void **state) {
    (void)state;
    for (uint64_t fail_at = 1, failed = 1; failed; fail_at++) {
        struct world w;
        catnap_error_t *error = NULL, *second = NULL;
        open_world(&w, (struct form){0});
        struct bytes b = module_that_defines_one();
        wasm_memorytype_t *type = shared_type(1, 2);
        wasm_extern_vec_t none = WASM_EMPTY_VEC;
        wasm_memory_t *view = NULL;
        wasm_trap_t *trap = NULL;
        w.ledger.fail_at = w.ledger.count + fail_at;
        wasm_module_t *module = catnap_module_new(w.store, b.data, b.size, NULL, &error);
        if (module)
            w.instance = catnap_instance_new(w.store, module, &none, &error, &trap);
        catnap_shared_memory_t *memory = catnap_shared_memory_new(w.engine, type, &second);
        assert_true((memory == NULL) == (second != NULL));
        catnap_error_delete(second);
        if (memory)
            view = catnap_shared_memory_view(memory, w.store, &second);
        assert_true(!memory || (view == NULL) == (second != NULL));
        failed = w.ledger.failures;
        if (memory && second)
            catnap_error_delete(second);
        if (view)
            wasm_memory_delete(view);
        catnap_shared_memory_delete(memory);
        catnap_error_delete(error);
        wasm_trap_delete(trap);
        wasm_module_delete(module);
        wasm_memorytype_delete(type);
        drop_bytes(&b);
        close_world(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_update_is_lost),
        cmocka_unit_test(growth_is_seen),
        cmocka_unit_test(waits_end_in_each_way),
        cmocka_unit_test(interrupted_waits_go_on),
        cmocka_unit_test(no_wake_is_lost),
        cmocka_unit_test(as_many_are_woken_as_are_asked_for),
        cmocka_unit_test(state_of_shared_memories_is_refused),
        cmocka_unit_test(a_snapshot_has_a_shared_memory),
        cmocka_unit_test(views_have_limits),
        cmocka_unit_test(types_are_checked),
        cmocka_unit_test(imports_match_sharedness),
        cmocka_unit_test(starved_makers_leave_nothing),
    };
    note_fault_handler();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
