/*
 * Measures pools: resets, visits by one thread and several, making a slot, and whether memory use
 * stays the same over a million resets. Prints a table; see docs/explanation/snapshots.md. Times are medians;
 * throughput is for each second of processor time.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

/* (module
 *   (memory (export "m") 16) (global $n (mut i32) (i32.const 0))
 *   (func (export "touch") (param i32 i32) (result i32)
 *     (i32.store (local.get 0) (local.get 1))
 *     (i32.store offset=65536 (local.get 0) (local.get 1))
 *     (i32.store offset=131072 (local.get 0) (local.get 1))
 *     (i32.store offset=196608 (local.get 0) (local.get 1))
 *     (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
 *   (func (export "none") (param i32 i32) (result i32) (local.get 0))) */
static const uint8_t program[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x07, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x01,
    0x7f, 0x03, 0x03, 0x02, 0x00, 0x00, 0x05, 0x03, 0x01, 0x00, 0x10, 0x06, 0x06, 0x01, 0x7f, 0x01,
    0x41, 0x00, 0x0b, 0x07, 0x14, 0x03, 0x01, 0x6d, 0x02, 0x00, 0x05, 0x74, 0x6f, 0x75, 0x63, 0x68,
    0x00, 0x00, 0x04, 0x6e, 0x6f, 0x6e, 0x65, 0x00, 0x01, 0x0a, 0x34, 0x02, 0x2d, 0x00, 0x20, 0x00,
    0x20, 0x01, 0x36, 0x02, 0x00, 0x20, 0x00, 0x20, 0x01, 0x36, 0x02, 0x80, 0x80, 0x04, 0x20, 0x00,
    0x20, 0x01, 0x36, 0x02, 0x80, 0x80, 0x08, 0x20, 0x00, 0x20, 0x01, 0x36, 0x02, 0x80, 0x80, 0x0c,
    0x23, 0x00, 0x41, 0x01, 0x6a, 0x24, 0x00, 0x23, 0x00, 0x0b, 0x04, 0x00, 0x20, 0x00, 0x0b,
};

static size_t resident_kib(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long total = 0, resident = 0;
    if (!file || fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * 4;
}

/* ---- Pools ----------------------------------------------------------------------------------- */

static wasm_engine_t *engine;
static wasm_module_t *module;

enum { TOUCH, NONE };

/* All of the memory has something in it when the slot is ready. */
static catnap_error_t *fill(void *env, catnap_pool_slot_t *slot) {
    (void)env;
    wasm_extern_t *memory = catnap_instance_export(catnap_pool_slot_instance(slot), "m", 1);
    memset(wasm_memory_data(wasm_extern_as_memory(memory)), 1, MIB);
    wasm_extern_delete(memory);
    return NULL;
}

static catnap_pool_t *open_pool(catnap_pool_options_t options) {
    static const char *const names[] = {"touch", "none"};
    catnap_error_t *error;
    options.prepare = fill;
    options.functions = names;
    options.function_count = 2;
    catnap_pool_t *pool = catnap_pool_new(module, &options, &error);
    check(error);
    return pool;
}

static catnap_pool_options_t defaults(void) {
    catnap_pool_options_t options;
    catnap_pool_options_default(&options);
    options.min_slots = 1;
    return options;
}

static void call(catnap_pool_slot_t *slot, size_t function, int32_t at) {
    catnap_val_t arguments[2] = {{WASM_I32, {at}}, {WASM_I32, {7}}}, result;
    const wasm_func_t *called = catnap_pool_slot_function(slot, function);
    if (catnap_func_call(called, arguments, 2, &result, 1))
        exit(1);
}

static catnap_pool_slot_t *acquire(catnap_pool_t *pool, uint64_t tenant) {
    catnap_error_t *error;
    catnap_pool_slot_t *slot = catnap_pool_acquire(pool, tenant, UINT64_MAX, &error);
    check(error);
    return slot;
}

/* Which pages are written changes from time to time only: most code has its own. */
static void visit(catnap_pool_t *pool, uint64_t tenant, size_t function, unsigned turn) {
    catnap_pool_slot_t *slot = acquire(pool, tenant);
    call(slot, function, (int32_t)(turn / 1000 % 16 * PAGE));
    check(catnap_pool_release(slot));
}

static void measure_reset(void) {
    catnap_pool_t *pool = open_pool(defaults());
    for (unsigned i = 0; i < MOST; i++) {
        catnap_pool_slot_t *slot = acquire(pool, 0);
        call(slot, TOUCH, 0);
        double start = now_us();
        check(catnap_pool_release(slot));
        sample(now_us() - start);
    }
    row("release with reset of 1 MiB, 4 pages written", median(), "us", "<= 3");
    for (unsigned i = 0; i < MOST; i++) {
        catnap_pool_slot_t *slot = acquire(pool, 0);
        call(slot, NONE, 0);
        double start = now_us();
        check(catnap_pool_release(slot));
        sample(now_us() - start);
    }
    row("release with reset of 1 MiB, nothing written", median(), "us", "");
    catnap_pool_delete(pool);
}

static double visits_a_second(catnap_pool_t *pool, size_t function, unsigned tenants) {
    const unsigned count = 200000;
    double start = cpu_us();
    for (unsigned i = 0; i < count; i++)
        visit(pool, i % tenants, function, i);
    return count / (cpu_us() - start) * 1e6;
}

static void measure_visits(void) {
    catnap_pool_options_t options = defaults();
    catnap_pool_t *pool = open_pool(options);
    row("acquire, call that writes 4 pages, release", visits_a_second(pool, TOUCH, 1), "1/s", "");
    double start = cpu_us();
    for (unsigned i = 0; i < 20000; i++) {
        catnap_pool_slot_t *slot = acquire(pool, 0);
        call(slot, TOUCH, (int32_t)(i % 16 * PAGE));
        check(catnap_pool_release(slot));
    }
    row("  other pages each time", 20000 / (cpu_us() - start) * 1e6, "1/s", "");
    row("acquire, call that writes nothing, release", visits_a_second(pool, NONE, 1), "1/s", "");
    catnap_pool_delete(pool);
    options.wasi = true;
    pool = open_pool(options);
    row("  with a WASI state", visits_a_second(pool, NONE, 1), "1/s", "");
    catnap_pool_delete(pool);
    options = defaults();
    options.reset_calls = 100;
    pool = open_pool(options);
    row("  reset after every 100 calls", visits_a_second(pool, TOUCH, 1), "1/s", "");
    catnap_pool_delete(pool);
    options.reset_calls = 0;
    pool = open_pool(options);
    row("  never reset, 16 tenants with a slot each", visits_a_second(pool, TOUCH, 16), "1/s", "");
    catnap_pool_delete(pool);
}

static void *visit_often(void *env) {
    for (unsigned i = 0; i < 200000; i++)
        visit(env, 0, TOUCH, i);
    return NULL;
}

static void measure_threads(void) {
    catnap_pool_options_t options = defaults();
    pthread_t threads[2];
    options.min_slots = 2;
    catnap_pool_t *pool = open_pool(options);
    double start = cpu_us();
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, visit_often, pool);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    row("  by two threads", 400000 / (cpu_us() - start) * 1e6, "1/s", "");
    catnap_pool_delete(pool);
}

static void measure_making(void) {
    catnap_pool_options_t options = defaults();
    options.max_slots = 201;
    catnap_pool_t *pool = open_pool(options);
    size_t before = resident_kib();
    double start = cpu_us();
    check(catnap_pool_warm(pool, 201));
    row("making a slot, 1 MiB filled", (cpu_us() - start) / 200, "us", "");
    row("resident memory of a slot, 1 MiB filled", ((double)resident_kib() - (double)before) / 200,
        "KiB", "");
    catnap_pool_delete(pool);
}

static void measure_growth(unsigned resets) {
    catnap_pool_t *pool = open_pool(defaults());
    size_t before = 0;
    for (unsigned i = 0; i < resets; i++) {
        visit(pool, i % 3, TOUCH, i);
        if (i == 20000) /* by then all pages were written that will be */
            before = resident_kib();
    }
    row("resident memory gained by a million resets", (double)resident_kib() - (double)before,
        "KiB", "0");
    catnap_pool_stats_t stats;
    catnap_pool_stats(pool, &stats);
    if (stats.reset_calls != resets || stats.instantiations != 1)
        exit(1);
    catnap_pool_delete(pool);
}

int main(int argc, char **argv) {
    unsigned resets = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    catnap_error_t *error;
    engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    module = catnap_module_new(store, program, sizeof program, NULL, &error);
    check(error);
    measure_reset();
    measure_visits();
    measure_threads();
    measure_making();
    measure_growth(resets);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
