/* Bulk memory instructions that take seconds are interrupted half-way, and go on where they
 * were. */
#include "hostile.h"

#include <pthread.h>
#include <time.h>

#define MEMORY_COPY 0xFC, 10, 0, 0
#define MEMORY_FILL 0xFC, 11, 0

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- Calls ---- */

static void *interrupt_soon(void *argument) {
    struct world *w = argument;
    nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
    catnap_store_interrupt(w->store, catnap_store_call_id(w->store));
    return NULL;
}

/* One pass over the memory takes seconds of processor time at first, since every page is new. */
static void stops_soon(uint32_t to, uint32_t from_or_value, uint32_t count, bool copies) {
    struct world w;
    struct module m = {0};
    struct bytes f = {0};
    pthread_t thread;
    PUT(&f, 0, LOOP, EMPTY);
    i32_const(&f, (int32_t)to);
    i32_const(&f, (int32_t)from_or_value);
    i32_const(&f, (int32_t)count);
    if (copies)
        PUT(&f, MEMORY_COPY);
    else
        PUT(&f, MEMORY_FILL);
    PUT(&f, BR, 0, END, END);
    add_memory(&m, 65536, 65536);
    add_func(&m, "f", add_type(&m, "", ""), &f);
    open_world(&w, (struct form){.interruptible = true});
    enter_module(&w, &m);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, &w), 0);
    double start = seconds();
    assert_int_equal(CALL_TRAP(w.instance, "f"), CATNAP_TRAP_INTERRUPTED);
    assert_true(seconds() - start < 0.5);
    pthread_join(thread, NULL);
    close_world(&w);
}

static void fill(void **state) {
    (void)state;
    stops_soon(0, 1, UINT32_MAX, false);
}
static void copy(void **state) {
    (void)state;
    stops_soon(0, 0x80000000, 0x7FFFFFFF, true);
}
static void copy_down(void **state) {
    (void)state;
    stops_soon(0, 65536, UINT32_MAX - 65536, true);
}
static void copy_up(void **state) {
    (void)state;
    stops_soon(65536, 0, UINT32_MAX - 65536, true);
}

/* ---- Runs ---- */

#define PAGES 1600
#define SIZE (PAGES * 65536u)
#define FUEL 10000000

struct watcher {
    wasm_store_t *store;
    uint64_t call;
    const volatile uint8_t *place; /* where the instruction begins */
    uint8_t before;
    _Atomic bool stop;
};

/* Interrupts as soon as the first piece is done: it looks on without being asked to. */
__attribute__((no_sanitize("thread"))) static void *interrupt_half_way(void *argument) {
    struct watcher *w = argument;
    while (*w->place == w->before && !w->stop) {
    }
    catnap_store_interrupt(w->store, w->call);
    return NULL;
}

/* Asks the run to stop when the byte at `place` changes. */
static catnap_status_t resume_watched(wasm_store_t *store, catnap_run_t *run,
                                      const uint8_t *place) {
    struct watcher w = {store, catnap_store_call_id(store), place, *place, false};
    pthread_t thread;
    wasm_trap_t *trap;
    assert_int_equal(pthread_create(&thread, NULL, interrupt_half_way, &w), 0);
    catnap_status_t status = catnap_run_resume(run, NULL, 0, &trap);
    assert_null(trap);
    w.stop = true;
    pthread_join(thread, NULL);
    return status;
}

static uint8_t *memory_of(const wasm_instance_t *instance) {
    wasm_extern_t *found = catnap_instance_export(instance, "m", 1);
    uint8_t *data = (uint8_t *)wasm_memory_data(wasm_extern_as_memory(found));
    wasm_extern_delete(found);
    return data;
}

static void scatter(uint8_t *data) {
    uint64_t random = 1;
    for (size_t i = 0; i < SIZE; i += 8) {
        uint64_t bits = next_random(&random);
        memcpy(data + i, &bits, 8);
    }
}

/* The run as it is after a snapshot, in a store of its own. */
static void go_on_elsewhere(struct world *w, catnap_run_t *run, uint64_t fuel,
                            const uint8_t *expected) {
    wasm_instance_t *instance;
    catnap_run_t *copy;
    wasm_trap_t *trap;
    catnap_snapshot_options_t options = {.run = run};
    catnap_snapshot_t *snapshot = catnap_snapshot_take(w->store, &options, NULL);
    assert_non_null(snapshot);
    wasm_store_t *store = wasm_store_new(w->engine);
    catnap_linker_t *linker = catnap_linker_new(store);
    assert_null(catnap_snapshot_restore(snapshot, linker, NULL, &instance, &copy));
    assert_int_equal(catnap_run_resume(copy, NULL, 0, &trap), CATNAP_OK);
    assert_int_equal(catnap_store_fuel(store), fuel);
    assert_memory_equal(memory_of(instance), expected, SIZE);
    catnap_run_delete(copy);
    wasm_instance_delete(instance);
    catnap_linker_delete(linker);
    wasm_store_delete(store);
    catnap_snapshot_delete(snapshot);
}

/* "copy" and "fill", of three parameters and so many locals, whose parameters and operands are used
 * afterwards too: they are stored at the start of the memory. */
static void enter_bulk(struct world *w, uint32_t locals) {
    struct module m = {0};
    struct bytes f = {0};
    uint32_t type = add_type(&m, "iii", "");
    for (unsigned i = 0; i < 2; i++) {
        PUT(&f, 1);
        put_u(&f, locals);
        PUT(&f, I64, 0x41, 0, LOCAL_GET, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2);
        if (i == 0)
            PUT(&f, MEMORY_COPY);
        else
            PUT(&f, MEMORY_FILL);
        PUT(&f, 0x36, 2, 0, 0x41, 4, LOCAL_GET, 2, 0x36, 2, 0, END);
        add_func(&m, i ? "fill" : "copy", type, &f);
    }
    add_memory(&m, PAGES, PAGES);
    export_item(&m, "m", 2, 0);
    open_world(w, (struct form){.interruptible = true, .fuel = true});
    enter_module(w, &m);
}

static void expect(uint8_t *expected, bool copies, uint32_t to, uint32_t from, uint32_t count) {
    if (copies)
        memmove(expected + to, expected + from, count);
    else
        memset(expected + to, (int)from, count);
    memcpy(expected, &to, 4);
    memcpy(expected + 4, &count, 4);
}

/* True when it stopped half-way, which depends on the other thread. */
static bool goes_on(struct world *w, uint8_t *expected, bool copies, uint32_t to, uint32_t from,
                    uint32_t count) {
    uint8_t *data = memory_of(w->instance);
    scatter(data);
    memcpy(expected, data, SIZE);
    expect(expected, copies, to, from, count);
    wasm_func_t *func = get_func(w->instance, copies ? "copy" : "fill");
    const catnap_val_t arguments[] = {VAL_I32(to), VAL_I32(from), VAL_I32(count)};
    catnap_run_t *run = catnap_run_new(func, arguments, 3, NULL);
    wasm_trap_t *trap;
    const uint64_t left = FUEL - (10 + count / 64);
    assert_null(catnap_store_set_fuel(w->store, FUEL));
    bool from_the_end = copies && to > from;
    catnap_status_t status =
        resume_watched(w->store, run, data + to + (from_the_end ? count - 1 : 0));
    bool half_way = status == CATNAP_INTERRUPTED;
    if (half_way) {
        go_on_elsewhere(w, run, left, expected);
        status = catnap_run_resume(run, NULL, 0, &trap);
    }
    assert_int_equal(status, CATNAP_OK);
    assert_int_equal(catnap_store_fuel(w->store), left);
    assert_memory_equal(data, expected, SIZE);
    catnap_run_delete(run);
    wasm_func_delete(func);
    return half_way;
}

static void runs_go_on_half_way(void **state) {
    (void)state;
    static const struct {
        uint32_t to, from, count;
        bool copies;
    } cases[] = {
        {1000, 101, SIZE - 1001, true},    {101, 1000, SIZE - 1001, true},
        {SIZE / 4, 8, SIZE / 4 * 3, true}, {8, SIZE / 4, SIZE / 4 * 3, true},
        {8, SIZE / 2, SIZE / 2, true},     {8, 7, SIZE - 8, false},
    };
    struct world w;
    uint8_t *expected = malloc(SIZE);
    assert_non_null(expected);
    enter_bulk(&w, 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool half_way = false;
        for (unsigned round = 0; round < 50 && !half_way; round++)
            half_way =
                goes_on(&w, expected, cases[i].copies, cases[i].to, cases[i].from, cases[i].count);
        assert_true(half_way);
    }
    free(expected);
    close_world(&w);
}

/* Operands beyond what 16 bits can name are copies, which cannot keep what is left. */
static void runs_do_all_with_far_operands(void **state) {
    (void)state;
    struct world w;
    uint8_t *expected = malloc(SIZE);
    assert_non_null(expected);
    enter_bulk(&w, 40000);
    assert_false(goes_on(&w, expected, true, 1000, 101, SIZE - 1001));
    assert_false(goes_on(&w, expected, true, 101, 1000, SIZE - 1001));
    assert_false(goes_on(&w, expected, false, 8, 7, SIZE - 8));
    free(expected);
    close_world(&w);
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fill),
        cmocka_unit_test(copy),
        cmocka_unit_test(copy_down),
        cmocka_unit_test(copy_up),
        cmocka_unit_test(runs_go_on_half_way),
        cmocka_unit_test(runs_do_all_with_far_operands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
