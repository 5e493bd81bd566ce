/* Bulk memory instructions that take seconds are interrupted half-way, and go on where they
 * were. */
#include "hostile.h"

#include <pthread.h>
#include <time.h>

#include "heap/internal.h"
#include "runtime/store.h"

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
    struct module_builder m = {0};
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
    struct module_builder m = {0};
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
static bool goes_on(struct world *w, uint32_t locals, uint8_t *expected, bool copies, uint32_t to,
                    uint32_t from, uint32_t count) {
    uint8_t *data = memory_of(w->instance);
    scatter(data);
    memcpy(expected, data, SIZE);
    expect(expected, copies, to, from, count);
    wasm_func_t *func = get_func(w->instance, copies ? "copy" : "fill");
    const catnap_val_t arguments[] = {VAL_I32(to), VAL_I32(from), VAL_I32(count)};
    catnap_run_t *run = catnap_run_new(func, arguments, 3, NULL);
    wasm_trap_t *trap;
    const uint64_t left = FUEL - (10 + locals / 8 + count / 64);
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
            half_way = goes_on(&w, 1, expected, cases[i].copies, cases[i].to, cases[i].from,
                               cases[i].count);
        assert_true(half_way);
    }
    free(expected);
    close_world(&w);
}

/* Operands beyond what 16 bits can name are copies, which cannot keep what is left. */
static void runs_do_all_with_far_operands(void **state) {
    (void)state;
    const uint32_t locals = 40000;
    struct world w;
    uint8_t *expected = malloc(SIZE);
    assert_non_null(expected);
    enter_bulk(&w, locals);
    assert_false(goes_on(&w, locals, expected, true, 1000, 101, SIZE - 1001));
    assert_false(goes_on(&w, locals, expected, true, 101, 1000, SIZE - 1001));
    assert_false(goes_on(&w, locals, expected, false, 8, 7, SIZE - 8));
    free(expected);
    close_world(&w);
}

static void memory_init_goes_on_half_way(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    struct bytes f = {0};
    uint8_t *expected = malloc(SIZE);
    assert_non_null(expected);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFC, 8, 0, 0, END);
    add_func(&m, "init", add_type(&m, "iii", ""), &f);
    add_memory(&m, PAGES, PAGES);
    export_item(&m, "m", 2, 0);
    put_u(add_item(&m, DATA_COUNT), 1);
    struct bytes *b = add_item(&m, DATAS);
    scatter(expected);
    PUT(b, 1);
    put_u(b, SIZE / 2);
    put_bytes(b, expected, SIZE / 2);
    open_world(&w, (struct form){.interruptible = true, .fuel = true});
    enter_module(&w, &m);
    memmove(expected + 9, expected + 3, SIZE / 2 - 3);
    memset(expected, 0, 9);
    memset(expected + SIZE / 2 + 6, 0, SIZE - SIZE / 2 - 6);
    const catnap_val_t arguments[] = {VAL_I32(9), VAL_I32(3), VAL_I32(SIZE / 2 - 3)};
    const uint64_t left = FUEL - (4 + (SIZE / 2 - 3) / 64);
    wasm_func_t *func = get_func(w.instance, "init");
    uint8_t *data = memory_of(w.instance);
    bool half_way = false;
    for (unsigned round = 0; round < 50 && !half_way; round++) {
        wasm_trap_t *trap;
        memset(data, 0, SIZE);
        catnap_run_t *run = catnap_run_new(func, arguments, 3, NULL);
        assert_null(catnap_store_set_fuel(w.store, FUEL));
        catnap_status_t status = resume_watched(w.store, run, data + 10);
        half_way = status == CATNAP_INTERRUPTED && data[10] != 0;
        if (half_way)
            go_on_elsewhere(&w, run, left, expected);
        if (status == CATNAP_INTERRUPTED)
            status = catnap_run_resume(run, NULL, 0, &trap);
        assert_int_equal(status, CATNAP_OK);
        assert_int_equal(catnap_store_fuel(w.store), left);
        assert_memory_equal(data, expected, SIZE);
        catnap_run_delete(run);
    }
    assert_true(half_way);
    wasm_func_delete(func);
    free(expected);
    close_world(&w);
}

/* ---- Arrays ---- */

/* An array of 16-bit numbers in a global, which "copy" copies within and "fill" fills: of three parameters. */
static uint8_t *enter_array(struct world *w) {
    struct module_builder m = {0};
    PUT(add_item(&m, TYPES), 0x5E, 0x77, 1);
    m.types++;
    uint32_t type = add_type(&m, "iii", "");
    struct bytes *b = add_item(&m, GLOBALS);
    PUT(b, 0x63, 0, 0);
    i32_const(b, SIZE / 2);
    PUT(b, 0xFB, 7, 0, END); /* array.new_default */
    ADD_FUNC(&m, "copy", type, 0, 0x23, 0, LOCAL_GET, 0, 0x23, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFB,
             17, 0, 0, END);
    ADD_FUNC(&m, "fill", type, 0, 0x23, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFB, 16, 0,
             END);
    open_world(w,
               (struct form){.interruptible = true, .fuel = true, .features = CATNAP_FEATURE_GC});
    enter_module(w, &m);
    const struct heap *heap = w->store->machine.heap;
    uint32_t array = heap_handle(cn_next_start(heap, 0));
    assert_int_equal(heap_length(heap, array), SIZE / 2);
    return heap_at(heap, array) + HEAP_ELEMENTS_OFFSET;
}

/* True when it stopped half-way. */
static bool array_goes_on(struct world *w, uint8_t *data, uint8_t *expected, bool copies,
                          uint32_t to, uint32_t from, uint32_t count) {
    scatter(data);
    memcpy(expected, data, SIZE);
    if (copies)
        memmove(expected + 2 * (size_t)to, expected + 2 * (size_t)from, 2 * (size_t)count);
    for (size_t i = to; i < (size_t)to + count && !copies; i++) {
        expected[2 * i] = (uint8_t)from;
        expected[2 * i + 1] = (uint8_t)(from >> 8);
    }
    wasm_func_t *func = get_func(w->instance, copies ? "copy" : "fill");
    const catnap_val_t arguments[] = {VAL_I32(to), VAL_I32(from), VAL_I32(count)};
    catnap_run_t *run = catnap_run_new(func, arguments, 3, NULL);
    wasm_trap_t *trap;
    const uint64_t left = FUEL - ((copies ? 6 : 5) + count / 32);
    assert_null(catnap_store_set_fuel(w->store, FUEL));
    bool from_the_end = copies && to > from && to - from < count;
    catnap_status_t status =
        resume_watched(w->store, run, data + 2 * ((size_t)to + (from_the_end ? count - 1 : 0)));
    bool half_way = status == CATNAP_INTERRUPTED && memcmp(data, expected, SIZE) != 0;
    if (status == CATNAP_INTERRUPTED)
        status = catnap_run_resume(run, NULL, 0, &trap);
    assert_int_equal(status, CATNAP_OK);
    assert_int_equal(catnap_store_fuel(w->store), left);
    assert_memory_equal(data, expected, SIZE);
    catnap_run_delete(run);
    wasm_func_delete(func);
    return half_way;
}

static void arrays_go_on_half_way(void **state) {
    (void)state;
    static const struct {
        uint32_t to, from, count;
        bool copies;
    } cases[] = {
        {1000, 101, SIZE / 2 - 1001, true},
        {101, 1000, SIZE / 2 - 1001, true},
        {0, SIZE / 4, SIZE / 4, true},
        {3, 0x1234, SIZE / 2 - 3, false},
    };
    struct world w;
    uint8_t *expected = malloc(SIZE), *data = enter_array(&w);
    assert_non_null(expected);
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool half_way = false;
        for (unsigned round = 0; round < 50 && !half_way; round++)
            half_way = array_goes_on(&w, data, expected, cases[i].copies, cases[i].to,
                                     cases[i].from, cases[i].count);
        assert_true(half_way);
    }
    free(expected);
    close_world(&w);
}

/* ---- Asked before it begins ---- */

#define MEMORY_INIT 0xFC, 8, 0, 0
#define TABLE_INIT 0xFC, 12, 0, 0
#define TABLE_COPY 0xFC, 14, 0, 0
#define TABLE_GROW 0xFC, 15, 0
#define TABLE_FILL 0xFC, 17, 0
#define REF_NULL 0xD0, FUNCREF

static const struct {
    const char *name;
    uint8_t code[16];
    uint8_t length;
} short_ones[] = {
    {"memory.init", {0x41, 8, 0x41, 0, 0x41, 4, MEMORY_INIT}, 10},
    {"memory.copy", {0x41, 8, 0x41, 16, 0x41, 4, MEMORY_COPY}, 10},
    {"memory.fill", {0x41, 8, 0x41, 7, 0x41, 4, MEMORY_FILL}, 9},
    {"memory.grow", {0x41, 1, 0x40, 0, DROP}, 5},
    {"table.init", {0x41, 0, 0x41, 0, 0x41, 2, TABLE_INIT}, 10},
    {"table.copy", {0x41, 0, 0x41, 1, 0x41, 2, TABLE_COPY}, 10},
    {"table.grow", {REF_NULL, 0x41, 1, TABLE_GROW, DROP}, 8},
    {"table.fill", {0x41, 0, REF_NULL, 0x41, 2, TABLE_FILL}, 9},
    {"nothing to do", {0x41, 8, 0x41, 7, 0x41, 0, MEMORY_FILL}, 9},
};

/* A host function that asks the call under way to stop. */
static wasm_trap_t *ask(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                        catnap_val_t *results) {
    (void)arguments;
    (void)results;
    (void)caller;
    catnap_store_interrupt(env, catnap_store_call_id(env));
    return NULL;
}

/* Each function asks, executes its instruction, and stores 1 where there was 0. */
static void enter_short_ones(struct world *w) {
    struct module_builder m = {0};
    struct bytes f = {0}, *b;
    uint32_t none = add_type(&m, "", "");
    uint32_t asks = import_func(&m, "host", "ask", none);
    for (size_t i = 0; i < COUNT(short_ones); i++) {
        PUT(&f, 0, CALL, (uint8_t)asks);
        put_bytes(&f, short_ones[i].code, short_ones[i].length);
        PUT(&f, 0x41, 0, 0x41, 1, 0x36, 2, 0, END);
        add_func(&m, short_ones[i].name, none, &f);
    }
    add_memory(&m, 1, 9);
    add_table(&m, FUNCREF, 9, 99);
    export_item(&m, "m", 2, 0);
    b = add_item(&m, ELEMS);
    PUT(b, 1, 0, 2, 0, 0);
    put_u(add_item(&m, DATA_COUNT), 1);
    b = add_item(&m, DATAS);
    PUT(b, 1, 4, 1, 2, 3, 4);
    open_world(w, (struct form){.interruptible = true, .fuel = true});
    assert_null(catnap_store_set_fuel(w->store, FUEL));
    struct bytes bytes = finish(&m);
    wasm_func_t *func = new_host_func(w->store, ask, w->store);
    wasm_extern_t *imports[] = {wasm_func_as_extern(func)};
    w->instance = instantiate(w->store, &bytes, imports, 1);
    wasm_func_delete(func);
    drop_bytes(&bytes);
}

static void calls_stop_before_short_ones(void **state) {
    (void)state;
    struct world w;
    enter_short_ones(&w);
    for (size_t i = 0; i < COUNT(short_ones); i++) {
        assert_int_equal(CALL_TRAP(w.instance, short_ones[i].name), CATNAP_TRAP_INTERRUPTED);
        const uint8_t *data = memory_of(w.instance);
        assert_int_equal(data[0], 0);
        assert_int_equal(data[8], 0);
    }
    close_world(&w);
}

/* The run that stopped goes on in another store, where it is not asked again. */
static void finish_elsewhere(struct world *w, catnap_run_t *run, uint64_t *fuel) {
    wasm_instance_t *instance;
    catnap_run_t *copy;
    wasm_trap_t *trap;
    catnap_snapshot_options_t options = {.run = run};
    catnap_error_t *error;
    catnap_snapshot_t *snapshot = catnap_snapshot_take(w->store, &options, &error);
    if (error)
        print_message("%s\n", catnap_error_message(error));
    assert_non_null(snapshot);
    wasm_store_t *store = wasm_store_new(w->engine);
    catnap_linker_t *linker = catnap_linker_new(store);
    catnap_linker_trap_unknown_imports(linker, true);
    assert_null(catnap_snapshot_restore(snapshot, linker, NULL, &instance, &copy));
    assert_int_equal(catnap_run_resume(copy, NULL, 0, &trap), CATNAP_OK);
    assert_int_equal(memory_of(instance)[0], 1);
    *fuel = catnap_store_fuel(store);
    catnap_run_delete(copy);
    wasm_instance_delete(instance);
    catnap_linker_delete(linker);
    wasm_store_delete(store);
    catnap_snapshot_delete(snapshot);
}

static void runs_stop_before_short_ones(void **state) {
    (void)state;
    struct world w;
    enter_short_ones(&w);
    uint8_t *data = memory_of(w.instance);
    for (size_t i = 0; i < COUNT(short_ones); i++) {
        uint64_t fuel;
        wasm_trap_t *trap;
        wasm_func_t *func = get_func(w.instance, short_ones[i].name);
        catnap_run_t *run = catnap_run_new(func, NULL, 0, NULL);
        data[0] = data[8] = 0;
        assert_int_equal(catnap_run_resume(run, NULL, 0, &trap), CATNAP_INTERRUPTED);
        assert_int_equal(data[0], 0);
        assert_int_equal(data[8], 0);
        finish_elsewhere(&w, run, &fuel);
        assert_int_equal(catnap_run_resume(run, NULL, 0, &trap), CATNAP_OK);
        assert_int_equal(data[0], 1);
        assert_int_equal(catnap_store_fuel(w.store), fuel);
        catnap_run_delete(run);
        wasm_func_delete(func);
    }
    close_world(&w);
}

/* An operation out of bounds traps, whatever its other operands are. */
static void bounds_come_first(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    struct bytes f = {0}, *b;
    static const uint8_t codes[][12] = {
        {0x41, 8, 0x41, 0, 0x41, 5, MEMORY_INIT, END},
        {0x41, 0x7F, 0x41, 0, 0x41, 2, MEMORY_INIT, END},
        {0x41, 8, 0x41, 0, 0x41, 10, TABLE_INIT, END},
        {0x41, 8, 0x41, 1, 0x41, 2, TABLE_COPY, END},
        {0x41, 8, REF_NULL, 0x41, 2, TABLE_FILL, END},
    };
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    uint32_t none = add_type(&m, "", "");
    for (size_t i = 0; i < COUNT(codes); i++) {
        PUT(&f, 0);
        put_bytes(&f, codes[i], i == 4 ? 10 : 11);
        add_func(&m, names[i], none, &f);
    }
    add_memory(&m, 1, 1);
    add_table(&m, FUNCREF, 9, 9);
    b = add_item(&m, ELEMS);
    PUT(b, 1, 0, 2, 0, 0);
    put_u(add_item(&m, DATA_COUNT), 1);
    b = add_item(&m, DATAS);
    PUT(b, 1, 4, 1, 2, 3, 4);
    open_world(&w, (struct form){.interruptible = true});
    enter_module(&w, &m);
    for (size_t i = 0; i < COUNT(codes); i++)
        assert_int_equal(CALL_TRAP(w.instance, names[i]), i < 2 ? CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS
                                                                : CATNAP_TRAP_TABLE_OUT_OF_BOUNDS);
    close_world(&w);
}

/* ---- Elements that are read for the first time ---- */

#define FUNCTIONS 10000u

/* An allocator that asks the store's call to stop when it is used. */
struct asking {
    wasm_store_t *store; /* NULL: does not */
};

static void *asking_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    const struct asking *a = env;
    (void)old_size;
    if (a->store && new_size > 0)
        catnap_store_interrupt(a->store, catnap_store_call_id(a->store));
    if (new_size > 0)
        return realloc(pointer, new_size);
    free(pointer);
    return NULL;
}

static wasm_engine_t *asking_engine(struct asking *a) {
    wasm_config_t *config = wasm_config_new();
    catnap_allocator_t allocator = {asking_realloc, a};
    catnap_config_set_allocator(config, &allocator);
    catnap_config_set_interruptible(config, true);
    return wasm_engine_new_with_config(config);
}

/* Many functions, all in one passive segment; "f" puts them into the table. */
static struct bytes many_elements(void) {
    struct module_builder m = {0};
    struct bytes f = {0}, *b;
    uint32_t none = add_type(&m, "", "");
    PUT(&f, 0, 0x41, 0, 0x41, 0);
    i32_const(&f, FUNCTIONS);
    PUT(&f, TABLE_INIT, END);
    add_func(&m, "f", none, &f);
    for (uint32_t i = 1; i < FUNCTIONS; i++) {
        PUT(&f, 0, END);
        add_func(&m, NULL, none, &f);
    }
    add_table(&m, FUNCREF, FUNCTIONS, FUNCTIONS);
    export_item(&m, "t", 1, 0);
    b = add_item(&m, ELEMS);
    PUT(b, 1, 0);
    put_u(b, FUNCTIONS);
    for (uint32_t i = 0; i < FUNCTIONS; i++)
        put_u(b, i);
    return finish(&m);
}

static bool has_element(const wasm_instance_t *instance, uint32_t index) {
    wasm_extern_t *found = catnap_instance_export(instance, "t", 1);
    wasm_ref_t *ref = wasm_table_get(wasm_extern_as_table(found), index);
    bool has = ref != NULL;
    wasm_ref_delete(ref);
    wasm_extern_delete(found);
    return has;
}

static void table_init_stops_while_it_reads(void **state) {
    (void)state;
    struct asking asking = {NULL};
    wasm_engine_t *engine = asking_engine(&asking);
    wasm_store_t *store = wasm_store_new(engine);
    struct bytes bytes = many_elements();
    wasm_instance_t *instance = instantiate(store, &bytes, NULL, 0);
    wasm_func_t *func = get_func(instance, "f");
    drop_bytes(&bytes);
    catnap_run_t *run = catnap_run_new(func, NULL, 0, NULL);
    wasm_trap_t *trap;
    unsigned stops = 0;
    catnap_status_t status;
    do {
        asking.store = store;
        status = catnap_run_resume(run, NULL, 0, &trap);
        asking.store = NULL;
        stops += status == CATNAP_INTERRUPTED;
        assert_int_equal(has_element(instance, 0), status == CATNAP_OK);
    } while (status == CATNAP_INTERRUPTED && stops < 100);
    assert_int_equal(status, CATNAP_OK);
    assert_true(stops >= 2 && stops < 10); /* it goes on where it was */
    assert_true(has_element(instance, FUNCTIONS - 1));
    catnap_run_delete(run);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

/* ---- Tables half-way ---- */

#define ELEMENTS 5000000u /* three pieces */

struct presser {
    wasm_store_t *store;
    uint64_t call, delay_ns;
    _Atomic bool go;
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void *press_after(void *argument) {
    struct presser *p = argument;
    while (!p->go)
        continue;
    for (uint64_t start = now_ns(); now_ns() - start < p->delay_ns;)
        continue;
    catnap_store_interrupt(p->store, p->call);
    return NULL;
}

/* "mark" puts a function into each third of the first elements; "fill" and "copy" do what they say;
 * "sum" is different for different places of null. */
static void enter_tables(struct world *w) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t one = add_type(&m, "i", ""), sum = add_type(&m, "i", "i"),
             three = add_type(&m, "iii", "");
    /* for (; n; n--) t[n - 1] = n % 3 ? null : f */
    PUT(&f, 0, LOOP, EMPTY, LOCAL_GET, 0, 0x41, 1, I32_SUB, REF_NULL, 0xD2, 0, LOCAL_GET, 0, 0x41,
        3, 0x70, 0x1C, 1, FUNCREF, 0x26, 0, LOCAL_GET, 0, 0x41, 1, I32_SUB, LOCAL_TEE, 0, BR_IF, 0,
        END, END);
    add_func(&m, "mark", one, &f);
    /* for (; n; n--) s = s * 31 + (t[n - 1] == null) */
    PUT(&f, 1, 1, I32, LOOP, EMPTY, LOCAL_GET, 1, 0x41, 31, I32_MUL, LOCAL_GET, 0, 0x41, 1, I32_SUB,
        0x25, 0, 0xD1, I32_ADD, LOCAL_SET, 1, LOCAL_GET, 0, 0x41, 1, I32_SUB, LOCAL_TEE, 0, BR_IF,
        0, END, LOCAL_GET, 1, END);
    add_func(&m, "sum", sum, &f);
    PUT(&f, 0, LOCAL_GET, 0, REF_NULL, LOCAL_GET, 2, TABLE_FILL, END);
    add_func(&m, "fill", three, &f);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, TABLE_COPY, END);
    add_func(&m, "copy", three, &f);
    add_table(&m, FUNCREF, ELEMENTS, ELEMENTS);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, TABLE_INIT, END);
    add_func(&m, "init", three, &f);
    struct bytes *b = add_item(&m, ELEMS);
    PUT(b, 1, 0);
    put_u(b, ELEMENTS);
    for (uint32_t i = 0; i < ELEMENTS; i++)
        PUT(b, 0);
    open_world(w, (struct form){.interruptible = true, .fuel = true});
    enter_module(w, &m);
}

static int32_t table_sum(struct world *w) {
    assert_null(catnap_store_set_fuel(w->store, UINT64_MAX));
    return CALL_EXPORT(w->instance, "sum", ELEMENTS);
}

static void mark_table(struct world *w) {
    catnap_val_t argument = VAL_I32(ELEMENTS);
    assert_null(catnap_store_set_fuel(w->store, UINT64_MAX));
    assert_null(call_values(w->instance, "mark", &argument, NULL));
}

/* The instruction in a run that is asked to stop after a time; whether it stopped half-way. */
static bool stopped_half_way(struct world *w, const char *name, const catnap_val_t *arguments,
                             uint64_t delay_ns, int32_t before, int32_t after) {
    wasm_trap_t *trap;
    wasm_func_t *func = get_func(w->instance, name);
    mark_table(w);
    catnap_run_t *run = catnap_run_new(func, arguments, 3, NULL);
    pthread_t thread;
    struct presser p = {w->store, catnap_store_call_id(w->store), delay_ns, false};
    assert_null(catnap_store_set_fuel(w->store, FUEL));
    assert_int_equal(pthread_create(&thread, NULL, press_after, &p), 0);
    p.go = true;
    catnap_status_t status = catnap_run_resume(run, NULL, 0, &trap);
    pthread_join(thread, NULL);
    uint64_t fuel = catnap_store_fuel(w->store);
    bool half_way = false;
    if (status == CATNAP_INTERRUPTED) {
        int32_t now = table_sum(w);
        half_way = now != before && now != after;
        assert_null(catnap_store_set_fuel(w->store, fuel));
        status = catnap_run_resume(run, NULL, 0, &trap);
        fuel = catnap_store_fuel(w->store);
    }
    assert_int_equal(status, CATNAP_OK);
    assert_int_equal(FUEL - fuel, 4 + (uint32_t)arguments[2].of.i32 / 8);
    assert_int_equal(table_sum(w), after);
    catnap_run_delete(run);
    wasm_func_delete(func);
    return half_way;
}

static void tables_go_on_half_way(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t to, from, count;
    } cases[] = {
        {"fill", 1, 0, ELEMENTS - 1},
        {"copy", 1, 0, ELEMENTS - 1},
        {"copy", 0, 1, ELEMENTS - 1},
        {"init", 1, 0, ELEMENTS - 1},
    };
    struct world w;
    enter_tables(&w);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const catnap_val_t arguments[] = {VAL_I32(cases[i].to), VAL_I32(cases[i].from),
                                          VAL_I32(cases[i].count)};
        mark_table(&w);
        int32_t before = table_sum(&w);
        uint64_t start = now_ns();
        assert_null(call_values(w.instance, cases[i].name, arguments, NULL));
        uint64_t lasts = now_ns() - start;
        int32_t after = table_sum(&w);
        assert_int_not_equal(before, after);
        bool half_way = false;
        for (unsigned round = 0; round < 200 && !half_way; round++)
            half_way = stopped_half_way(&w, cases[i].name, arguments, lasts * (round % 20) / 20,
                                        before, after);
        assert_true(half_way);
    }
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
        cmocka_unit_test(memory_init_goes_on_half_way),
        cmocka_unit_test(arrays_go_on_half_way),
        cmocka_unit_test(calls_stop_before_short_ones),
        cmocka_unit_test(runs_stop_before_short_ones),
        cmocka_unit_test(bounds_come_first),
        cmocka_unit_test(table_init_stops_while_it_reads),
        cmocka_unit_test(tables_go_on_half_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
