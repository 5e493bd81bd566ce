/*
 * Measures snapshots beside their targets, memcpy and making a new instance. Prints a table;
 * see docs/explanation/snapshots.md. Times are medians.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../tests/temporary.h"
#include "measure.h"

/* (module (memory (export "m") PAGES) (global (mut i32) (i32.const 0))
 *   (func (export "f") (param i32 i32) (result i32)
 *     (i32.store (local.get 0) (local.get 1)) (i32.load (local.get 0)))) */
static size_t make_module(uint8_t *out, unsigned pages) {
    static const uint8_t head[] = {0,    0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 7, 1, 0x60, 2,
                                   0x7f, 0x7f, 1,    0x7f, 3, 2, 1, 0, 5, 4, 1, 0};
    static const uint8_t tail[] = {6,    6, 1,    0x7f, 1, 0x41, 0,  0x0b, 7, 9,  2,   1,    'm',
                                   2,    0, 1,    'f',  0, 0,    10, 16,   1, 14, 0,   0x20, 0,
                                   0x20, 1, 0x36, 2,    0, 0x20, 0,  0x28, 2, 0,  0x0b};
    memcpy(out, head, sizeof head);
    out[sizeof head] = (uint8_t)(pages & 127) | 128;
    out[sizeof head + 1] = (uint8_t)(pages >> 7);
    memcpy(out + sizeof head + 2, tail, sizeof tail);
    return sizeof head + 2 + sizeof tail;
}

struct guest {
    wasm_engine_t *engine;
    wasm_store_t *store;
    wasm_module_t *module;
    wasm_instance_t *instance;
    char *data;
    size_t size;
};

static char *memory_of(const wasm_instance_t *instance, size_t *size) {
    wasm_extern_t *found = catnap_instance_export(instance, "m", 1);
    wasm_memory_t *memory = wasm_extern_as_memory(found);
    char *data = wasm_memory_data(memory);
    *size = wasm_memory_data_size(memory);
    wasm_extern_delete(found);
    return data;
}

static void open_guest(struct guest *guest, unsigned pages, size_t live) {
    uint8_t bytes[128];
    size_t length = make_module(bytes, pages);
    catnap_error_t *error;
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    guest->engine = wasm_engine_new();
    guest->store = wasm_store_new(guest->engine);
    guest->module = catnap_module_new(guest->store, bytes, length, NULL, &error);
    check(error);
    guest->instance = catnap_instance_new(guest->store, guest->module, &none, &error, NULL);
    check(error);
    guest->data = memory_of(guest->instance, &guest->size);
    memset(guest->data, 1, live);
}

static void close_guest(struct guest *guest) {
    wasm_instance_delete(guest->instance);
    wasm_module_delete(guest->module);
    wasm_store_delete(guest->store);
    wasm_engine_delete(guest->engine);
}

/* Spread over all of memory. */
static void touch(char *data, size_t size, unsigned pages, unsigned turn) {
    for (unsigned i = 0; i < pages; i++)
        data[(size / pages * i + (size_t)turn % 7 * PAGE) / PAGE * PAGE] = (char)(turn + i);
}

/* ---- In place -------------------------------------------------------------------------------- */

static void measure_in_place(unsigned written, const char *name, const char *checkpoint_target,
                             const char *rollback_target) {
    struct guest guest;
    char text[80];
    double checkpoint[2000], rollback[2000];
    open_guest(&guest, 1024, 64 * MIB);
    uint32_t level;
    check(catnap_store_checkpoint(guest.store, &level));
    for (unsigned i = 0; i < 2000; i++) {
        if (written)
            touch(guest.data, guest.size, written, i * 7);
        double start = now_us();
        check(catnap_store_checkpoint(guest.store, &level));
        checkpoint[i] = now_us() - start;
        if (written)
            touch(guest.data, guest.size, written, i * 7 + 7);
        start = now_us();
        check(catnap_store_rollback(guest.store, level));
        rollback[i] = now_us() - start;
        check(catnap_store_release(guest.store, level));
    }
    for (unsigned i = 100; i < 2000; i++)
        sample(checkpoint[i]);
    snprintf(text, sizeof text, "checkpoint, 64 MiB, %s", name);
    row(text, median(), "us", checkpoint_target);
    for (unsigned i = 100; i < 2000; i++)
        sample(rollback[i]);
    snprintf(text, sizeof text, "rollback, 64 MiB, %s", name);
    row(text, median(), "us", rollback_target);
    close_guest(&guest);
}

static void measure_reset(void) {
    struct guest guest;
    open_guest(&guest, 16, MIB);
    check(catnap_store_checkpoint(guest.store, NULL));
    for (unsigned i = 0; i < 20000; i++) {
        touch(guest.data, guest.size, 4, 0);
        double start = now_us();
        check(catnap_store_rollback(guest.store, 1));
        sample(now_us() - start);
    }
    row("reset of 1 MiB, 4 pages written", median(), "us", "<= 3");
    close_guest(&guest);
    char *from = malloc(MIB), *to = malloc(MIB);
    memset(from, 1, MIB);
    for (unsigned i = 0; i < 1000; i++) {
        double start = now_us();
        memcpy(to, from, MIB);
        __asm__ volatile("" ::"r"(to) : "memory");
        sample(now_us() - start);
    }
    row("  beside it: memcpy of 1 MiB", median(), "us", "");
    free(from);
    free(to);
}

/* ---- Copies and files ------------------------------------------------------------------------ */

static void measure_clones(void) {
    struct guest guest;
    catnap_error_t *error;
    open_guest(&guest, 1024, 64 * MIB);
    catnap_snapshot_t *snapshot = catnap_snapshot_take(guest.store, NULL, &error);
    check(error);
    for (int touched = 0; touched <= 4; touched += 4) {
        double begin = cpu_us();
        for (unsigned i = 0; i < 2000; i++) {
            wasm_instance_t *instance;
            wasm_store_t *store = wasm_store_new(guest.engine);
            catnap_linker_t *linker = catnap_linker_new(store);
            double middle = now_us();
            check(catnap_snapshot_restore(snapshot, linker, NULL, &instance, NULL));
            sample(now_us() - middle);
            if (touched) {
                size_t size;
                char *data = memory_of(instance, &size);
                touch(data, size, 4, i);
            }
            wasm_instance_delete(instance);
            catnap_linker_delete(linker);
            wasm_store_delete(store);
        }
        double each = (cpu_us() - begin) / 2000;
        if (touched == 0)
            row("clone of a 64 MiB image", median(), "us", "<= 12");
        sample_count = 0;
        row(touched ? "clones with store, 4 pages touched, and their end"
                    : "clones with store, and their end",
            1e6 / each, "1/s", touched ? ">= 50000" : "");
    }
    catnap_snapshot_delete(snapshot);
    for (unsigned i = 0; i < 500; i++) {
        wasm_extern_vec_t none = WASM_EMPTY_VEC;
        size_t size;
        double start = now_us();
        wasm_store_t *store = wasm_store_new(guest.engine);
        wasm_shared_module_t *shared = wasm_module_share(guest.module);
        wasm_module_t *module = wasm_module_obtain(store, shared);
        wasm_shared_module_delete(shared);
        wasm_instance_t *instance = catnap_instance_new(store, module, &none, &error, NULL);
        check(error);
        memset(memory_of(instance, &size), 1, MIB);
        sample(now_us() - start);
        wasm_instance_delete(instance);
        wasm_module_delete(module);
        wasm_store_delete(store);
    }
    row("  beside it: instantiating and filling 1 MiB", median(), "us", "");
    close_guest(&guest);
}

static void measure_files(void) {
    struct guest guest;
    catnap_error_t *error;
    char path[TEMPORARY_PATH];
    if (!temporary_file(path, sizeof path)) {
        perror("a temporary file");
        exit(1);
    }
    catnap_save_options_t save = {.with_modules = true};
    open_guest(&guest, 1024, MIB);
    check(catnap_store_save(guest.store, path, NULL, &save));
    int fd = open(path, O_RDONLY);
    row("file of 1 MiB live in 64 MiB", (double)lseek(fd, 0, SEEK_END) / (double)MIB, "MiB",
        "<= 1.1");
    close(fd);
    for (int trust = 0; trust <= 1; trust++) {
        for (unsigned i = 0; i < 300; i++) {
            catnap_open_options_t options = {.trust_pages = trust};
            wasm_instance_t *instance;
            double start = now_us();
            wasm_engine_t *engine = wasm_engine_new();
            wasm_store_t *store = wasm_store_new(engine);
            catnap_linker_t *linker = catnap_linker_new(store);
            catnap_snapshot_t *snapshot = catnap_snapshot_open(engine, path, &options, &error);
            check(error);
            check(catnap_snapshot_restore(snapshot, linker, NULL, &instance, NULL));
            wasm_extern_t *f = catnap_instance_export(instance, "f", 1);
            catnap_val_t arguments[2] = {{WASM_I32, {5000}}, {WASM_I32, {1}}}, result;
            wasm_trap_delete(catnap_func_call(wasm_extern_as_func(f), arguments, 2, &result, 1));
            sample(now_us() - start);
            wasm_extern_delete(f);
            wasm_instance_delete(instance);
            catnap_snapshot_delete(snapshot);
            catnap_linker_delete(linker);
            wasm_store_delete(store);
            wasm_engine_delete(engine);
        }
        row(trust ? "wake from a file to the end of a call, pages trusted"
                  : "wake from a file to the end of a call, checked",
            median(), "us", "< 1000");
    }
    close_guest(&guest);
    open_guest(&guest, 1024, 64 * MIB);
    for (unsigned i = 0; i < 5; i++) {
        double start = now_us();
        check(catnap_store_save(guest.store, path, NULL, NULL));
        sample(now_us() - start);
    }
    double ours = median();
    for (unsigned i = 0; i < 5; i++) {
        double start = now_us();
        fd = open(path, O_WRONLY | O_TRUNC);
        if (write(fd, guest.data, guest.size) != (ssize_t)guest.size || fsync(fd) != 0)
            perror(path);
        close(fd);
        sample(now_us() - start);
    }
    double plain = median();
    row("capture to a file, of the speed of write and fsync", plain / ours * 100, "%", ">= 50");
    unlink(path);
    close_guest(&guest);
}

/* ---- Blocks of messages ---------------------------------------------------------------------- */

static void call(const wasm_instance_t *instance, int32_t at, int32_t value) {
    wasm_extern_t *f = catnap_instance_export(instance, "f", 1);
    catnap_val_t arguments[2] = {{WASM_I32, {at}}, {WASM_I32, {value}}}, result;
    wasm_trap_t *trap = catnap_func_call(wasm_extern_as_func(f), arguments, 2, &result, 1);
    if (trap)
        exit(1);
    wasm_extern_delete(f);
}

/* 50 + 50 messages, each touching three pages of a state of 1 MiB; every fifth fails. */
static double run_block_in_place(struct guest *guest) {
    double start = now_us();
    for (int i = 0; i < 100; i++) {
        uint32_t level;
        check(catnap_store_checkpoint(guest->store, &level));
        for (int k = 0; k < 3; k++)
            call(guest->instance, (i * 37 + k * 91) % 250 * 4096, i);
        if (i % 5 == 4)
            check(catnap_store_rollback(guest->store, level));
        check(catnap_store_release(guest->store, level));
    }
    return now_us() - start;
}

static double run_block_by_loading(struct guest *guest) {
    catnap_error_t *error;
    double start = now_us();
    char *state = malloc(MIB);
    memcpy(state, guest->data, MIB);
    for (int i = 0; i < 100; i++) {
        wasm_extern_vec_t none = WASM_EMPTY_VEC;
        size_t size;
        wasm_store_t *store = wasm_store_new(guest->engine);
        wasm_shared_module_t *shared = wasm_module_share(guest->module);
        wasm_module_t *module = wasm_module_obtain(store, shared);
        wasm_shared_module_delete(shared);
        wasm_instance_t *instance = catnap_instance_new(store, module, &none, &error, NULL);
        check(error);
        char *data = memory_of(instance, &size);
        memcpy(data, state, MIB);
        for (int k = 0; k < 3; k++)
            call(instance, (i * 37 + k * 91) % 250 * 4096, i);
        if (i % 5 != 4)
            memcpy(state, data, MIB);
        wasm_instance_delete(instance);
        wasm_module_delete(module);
        wasm_store_delete(store);
    }
    free(state);
    return now_us() - start;
}

static void measure_blocks(void) {
    struct guest guest;
    open_guest(&guest, 16, MIB);
    check(catnap_store_checkpoint(guest.store, NULL));
    for (int i = 0; i < 50; i++)
        sample(run_block_in_place(&guest));
    double ours = median();
    for (int i = 0; i < 20; i++)
        sample(run_block_by_loading(&guest));
    double theirs = median();
    row("block of 100 messages, in place", ours, "us", "");
    row("block of 100 messages, load and save for each", theirs, "us", "");
    row("  so in place is faster by", theirs / ours, "x", ">= 10");
    close_guest(&guest);
}

/* ---- Code after a checkpoint ----------------------------------------------------------------- */

/* (module
 *   (memory (export "m") 1024)
 *   (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (i32.const 1664525)))
 *   (func (export "calls") (param $n i32) (result i32) (local $h i32)
 *     (loop $l
 *       (local.set $h (i32.add (call $leaf (i32.xor (local.get $h) (local.get $n))) (i32.const 7)))
 *       (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
 *     (local.get $h))
 *   (func (export "writes") (param $n i32) (result i32) (local $at i32)
 *     (loop $l
 *       (i32.store (local.get $at) (local.get $n))
 *       (local.set $at (i32.and (i32.add (local.get $at) (i32.const 68)) (i32.const 0xffffc)))
 *       (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
 *     (local.get $at))
 *   (func (export "scattered") (param $n i32) (result i32) (local $at i32)
 *     (loop $l
 *       (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (local.get $n)))
 *       (local.set $at (i32.and (i32.add (i32.mul (local.get $at) (i32.const 1664525))
 *         (i32.const 1013904220)) (i32.const 0x3fffffc)))
 *       (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
 *     (local.get $at))
 *   (func (export "copies") (param $n i32) (result i32)
 *     (loop $l
 *       (memory.copy (i32.const 0x100000) (i32.and (i32.mul (local.get $n) (i32.const 640))
 *         (i32.const 0xfffff)) (i32.const 4096))
 *       (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
 *     (i32.load (i32.const 0x100000)))) */
static const uint8_t speed_module[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f,
    0x03, 0x06, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x04, 0x01, 0x00, 0x80, 0x08, 0x07, 0x2b,
    0x05, 0x01, 0x6d, 0x02, 0x00, 0x05, 0x63, 0x61, 0x6c, 0x6c, 0x73, 0x00, 0x01, 0x06, 0x77, 0x72,
    0x69, 0x74, 0x65, 0x73, 0x00, 0x02, 0x09, 0x73, 0x63, 0x61, 0x74, 0x74, 0x65, 0x72, 0x65, 0x64,
    0x00, 0x03, 0x06, 0x63, 0x6f, 0x70, 0x69, 0x65, 0x73, 0x00, 0x04, 0x0a, 0xb7, 0x01, 0x05, 0x0a,
    0x00, 0x20, 0x00, 0x41, 0x8d, 0xcc, 0xe5, 0x00, 0x6c, 0x0b, 0x1e, 0x01, 0x01, 0x7f, 0x03, 0x40,
    0x20, 0x01, 0x20, 0x00, 0x73, 0x10, 0x00, 0x41, 0x07, 0x6a, 0x21, 0x01, 0x20, 0x00, 0x41, 0x01,
    0x6b, 0x22, 0x00, 0x0d, 0x00, 0x0b, 0x20, 0x01, 0x0b, 0x26, 0x01, 0x01, 0x7f, 0x03, 0x40, 0x20,
    0x01, 0x20, 0x00, 0x36, 0x02, 0x00, 0x20, 0x01, 0x41, 0xc4, 0x00, 0x6a, 0x41, 0xfc, 0xff, 0x3f,
    0x71, 0x21, 0x01, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x22, 0x00, 0x0d, 0x00, 0x0b, 0x20, 0x01, 0x0b,
    0x36, 0x01, 0x01, 0x7f, 0x03, 0x40, 0x20, 0x01, 0x20, 0x01, 0x28, 0x02, 0x00, 0x20, 0x00, 0x6a,
    0x36, 0x02, 0x00, 0x20, 0x01, 0x41, 0x8d, 0xcc, 0xe5, 0x00, 0x6c, 0x41, 0xdc, 0xe6, 0xbb, 0xe3,
    0x03, 0x6a, 0x41, 0xfc, 0xff, 0xff, 0x1f, 0x71, 0x21, 0x01, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x22,
    0x00, 0x0d, 0x00, 0x0b, 0x20, 0x01, 0x0b, 0x2d, 0x00, 0x03, 0x40, 0x41, 0x80, 0x80, 0xc0, 0x00,
    0x20, 0x00, 0x41, 0x80, 0x05, 0x6c, 0x41, 0xff, 0xff, 0x3f, 0x71, 0x41, 0x80, 0x20, 0xfc, 0x0a,
    0x00, 0x00, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x22, 0x00, 0x0d, 0x00, 0x0b, 0x41, 0x80, 0x80, 0xc0,
    0x00, 0x28, 0x02, 0x00, 0x0b};

struct racer {
    wasm_store_t *store;
    wasm_instance_t *instance;
    wasm_func_t *func;
};

static void open_racer(struct racer *racer, wasm_engine_t *engine, const char *name) {
    catnap_error_t *error;
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    size_t size;
    racer->store = wasm_store_new(engine);
    wasm_module_t *module =
        catnap_module_new(racer->store, speed_module, sizeof speed_module, NULL, &error);
    check(error);
    racer->instance = catnap_instance_new(racer->store, module, &none, &error, NULL);
    check(error);
    wasm_module_delete(module);
    memset(memory_of(racer->instance, &size), 1, 64 * MIB);
    wasm_extern_t *found = catnap_instance_export(racer->instance, name, strlen(name));
    racer->func = wasm_func_copy(wasm_extern_as_func(found));
    wasm_extern_delete(found);
}

static double race(const struct racer *racer, int32_t count) {
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = count}, result;
    double start = cpu_us();
    wasm_trap_delete(catnap_func_call(racer->func, &argument, 1, &result, 1));
    return cpu_us() - start;
}

static void close_racer(const struct racer *racer) {
    wasm_func_delete(racer->func);
    wasm_instance_delete(racer->instance);
    wasm_store_delete(racer->store);
}

#define RACES 41

/* Runs by turns without a checkpoint and with one, after the first touch of each page; in one
 * store, as where the system puts pages makes more of a difference. */
static void race_pairs(wasm_engine_t *engine, const char *name, int32_t count) {
    struct racer racer;
    double with = 0;
    open_racer(&racer, engine, name);
    race(&racer, count);
    for (int i = 0; i < RACES; i++) {
        double without = race(&racer, count);
        if (i > 0)
            sample((with / without - 1) * 100);
        check(catnap_store_checkpoint(racer.store, NULL));
        race(&racer, count);
        with = race(&racer, count);
        sample((with / without - 1) * 100);
        check(catnap_store_release(racer.store, 0));
        race(&racer, count);
    }
    close_racer(&racer);
}

static void measure_speed(void) {
    static const struct {
        const char *name;
        int32_t count;
    } works[] = {{"calls", 600000}, {"writes", 1500000}, {"scattered", 400000}, {"copies", 100000}};
    wasm_engine_t *engine = wasm_engine_new();
    char text[80];
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        race_pairs(engine, works[i].name, works[i].count);
        snprintf(text, sizeof text, "code after a checkpoint, %s: slower by", works[i].name);
        row(text, median(), "%", "<= 2");
    }
    wasm_engine_delete(engine);
}

/* The sum of the mappings, which is exact; statm is not. */
static size_t resident_kib(void) {
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[200];
    unsigned long resident = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Rss: %lu", &resident) == 1)
            break;
    if (file)
        fclose(file);
    return resident;
}

static void measure_growth(unsigned pairs) {
    struct guest guest;
    size_t before = 0;
    open_guest(&guest, 16, MIB);
    for (unsigned i = 0; i < pairs; i++) {
        uint32_t level;
        check(catnap_store_checkpoint(guest.store, &level));
        guest.data[i % 200 * PAGE]++;
        check(catnap_store_rollback(guest.store, level));
        check(catnap_store_release(guest.store, level));
        if (i == 1000)
            before = resident_kib();
    }
    row("resident memory gained by a million pairs", (double)resident_kib() - (double)before, "KiB",
        "0");
    close_guest(&guest);
}

int main(int argc, char **argv) {
    unsigned pairs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    printf("| %-58s | %-18s | %-14s |\n", "what", "measured", "target");
    printf("|%.60s|%.20s|%.16s|\n",
           "------------------------------------------------------------------",
           "--------------------------", "----------------------");
    measure_in_place(16, "16 pages written", "<= 25", "<= 30");
    measure_in_place(0, "nothing written", "<= 15", "<= 15");
    measure_reset();
    measure_clones();
    measure_files();
    measure_blocks();
    measure_speed();
    measure_growth(pairs);
    return 0;
}
