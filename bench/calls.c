/*
 * Measures a call between host and guest, in both directions and through each interface, beside a native
 * indirect call. All functions take two i32 and give one.
 *
 *   calls                 a table: medians of alternating rounds, in the thread's own CPU time
 *   calls NAME COUNT      does one kind of call COUNT times, for counting instructions:
 *                         valgrind --tool=callgrind BUILD/bench/calls NAME COUNT
 *
 * Calls from WebAssembly are made by a loop in WebAssembly, which is measured without the call too
 * and taken off. A chain of additions, one a cycle, tells the cycles in a nanosecond.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "catnap.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define ROUNDS 31
#define CALLS 100000u

/* (module
 *   (import "h" "f" (func $f (param i32 i32) (result i32)))
 *   (func (export "add") (param i32 i32) (result i32)
 *     (i32.add (local.get 0) (local.get 1)))
 *   (func (export "loop") (param i32) (result i32) (local i32)
 *     (loop
 *       (local.set 1 (call $f (local.get 0) (local.get 1)))
 *       (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
 *     (local.get 1))
 *   (func (export "alone") ... the same with i32.add in place of the call)) */
static const uint8_t binary[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0c, 0x02, 0x60, 0x02, 0x7f, 0x7f, 0x01,
    0x7f, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x02, 0x07, 0x01, 0x01, 'h',  0x01, 'f',  0x00, 0x00, 0x03,
    0x04, 0x03, 0x00, 0x01, 0x01, 0x07, 0x16, 0x03, 0x03, 'a',  'd',  'd',  0x00, 0x01, 0x04, 'l',
    'o',  'o',  'p',  0x00, 0x02, 0x05, 'a',  'l',  'o',  'n',  'e',  0x00, 0x03, 0x0a, 0x3e, 0x03,
    0x07, 0x00, 0x20, 0x00, 0x20, 0x01, 0x6a, 0x0b, 0x1a, 0x01, 0x01, 0x7f, 0x03, 0x40, 0x20, 0x00,
    0x20, 0x01, 0x10, 0x00, 0x21, 0x01, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x22, 0x00, 0x0d, 0x00, 0x0b,
    0x20, 0x01, 0x0b, 0x19, 0x01, 0x01, 0x7f, 0x03, 0x40, 0x20, 0x00, 0x20, 0x01, 0x6a, 0x21, 0x01,
    0x20, 0x00, 0x41, 0x01, 0x6b, 0x22, 0x00, 0x0d, 0x00, 0x0b, 0x20, 0x01, 0x0b,
};

enum callback { CALLBACK_PLAIN, CALLBACK_ENV, CALLBACK_WIDE, CALLBACK_RAW, CALLBACK_COUNT };

static struct {
    const wasm_func_t *add, *alone, *loop[CALLBACK_COUNT];
} wasm;

static void fail(const char *what) {
    fprintf(stderr, "calls: %s\n", what);
    exit(1);
}

/* ---- The host's functions ---- */

static wasm_trap_t *add_plain(const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    uint32_t sum = (uint32_t)arguments->data[0].of.i32 + (uint32_t)arguments->data[1].of.i32;
    results->data[0] = (wasm_val_t)WASM_I32_VAL((int32_t)sum);
    return NULL;
}

static wasm_trap_t *add_env(void *env, const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    (void)env;
    return add_plain(arguments, results);
}

static wasm_trap_t *add_wide(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                             catnap_val_t *results) {
    (void)env;
    (void)caller;
    uint32_t sum = (uint32_t)arguments[0].of.i32 + (uint32_t)arguments[1].of.i32;
    results[0].of.i32 = (int32_t)sum;
    return NULL;
}

static wasm_trap_t *add_raw(void *env, catnap_caller_t *caller, uint64_t *slots) {
    (void)env;
    (void)caller;
    slots[0] = (uint32_t)slots[0] + (uint32_t)slots[1];
    return NULL;
}

static uint32_t add_native(uint32_t a, uint32_t b) {
    return a + b;
}

/* ---- The measurements: each does `count` calls ---- */

static void call_native(uint32_t count) {
    uint32_t (*volatile slot)(uint32_t, uint32_t) = add_native;
    uint32_t (*call)(uint32_t, uint32_t) = slot; /* not known, and the same each time */
    uint32_t sum = 0;
    for (uint32_t i = count; i > 0; i--) {
        __asm__ volatile("" : "+r"(call));
        sum = call(i, sum);
    }
    __asm__ volatile("" ::"r"(sum));
}

static void call_wasm_h(uint32_t count) {
    wasm_val_t in[2], out[1] = {WASM_INIT_VAL};
    wasm_val_vec_t arguments = WASM_ARRAY_VEC(in), results = WASM_ARRAY_VEC(out);
    int32_t sum = 0;
    for (uint32_t i = count; i > 0; i--) {
        in[0] = (wasm_val_t)WASM_I32_VAL((int32_t)i);
        in[1] = (wasm_val_t)WASM_I32_VAL(sum);
        if (wasm_func_call(wasm.add, &arguments, &results))
            fail("the call trapped");
        sum = out[0].of.i32;
    }
}

static void call_catnap_h(uint32_t count) {
    catnap_val_t in[2] = {{.kind = WASM_I32}, {.kind = WASM_I32}}, out[1];
    int32_t sum = 0;
    for (uint32_t i = count; i > 0; i--) {
        in[0].of.i32 = (int32_t)i;
        in[1].of.i32 = sum;
        if (catnap_func_call(wasm.add, in, 2, out, 1))
            fail("the call trapped");
        sum = out[0].of.i32;
    }
}

static void call_raw(uint32_t count) {
    uint64_t slots[2] = {0};
    for (uint32_t i = count; i > 0; i--) {
        slots[1] = slots[0];
        slots[0] = i;
        if (catnap_func_call_raw(wasm.add, slots))
            fail("the call trapped");
    }
}

static void run_loop(const wasm_func_t *func, uint32_t count) {
    catnap_val_t in[1] = {{.kind = WASM_I32, .of.i32 = (int32_t)count}}, out[1];
    if (catnap_func_call(func, in, 1, out, 1))
        fail("the loop trapped");
    uint32_t wanted = (uint32_t)((uint64_t)count * ((uint64_t)count + 1) / 2);
    if ((uint32_t)out[0].of.i32 != wanted)
        fail("the sum is wrong");
}

static void loop_alone(uint32_t count) {
    run_loop(wasm.alone, count);
}
static void loop_plain(uint32_t count) {
    run_loop(wasm.loop[CALLBACK_PLAIN], count);
}
static void loop_env(uint32_t count) {
    run_loop(wasm.loop[CALLBACK_ENV], count);
}
static void loop_wide(uint32_t count) {
    run_loop(wasm.loop[CALLBACK_WIDE], count);
}
static void loop_raw(uint32_t count) {
    run_loop(wasm.loop[CALLBACK_RAW], count);
}

/* Each addition waits for the one before it. */
static void count_cycles(uint32_t count) {
    uint64_t sum = 0, step = count;
    for (uint32_t i = count / 8; i > 0; i--)
        for (int j = 0; j < 8; j++) {
            sum += step;
            __asm__ volatile("" : "+r"(sum), "+r"(step));
        }
}

enum { CASE_CYCLES, CASE_NATIVE, CASE_ALONE };
static const struct {
    const char *name, *what;
    void (*run)(uint32_t count);
    bool in_loop; /* the loop alone is taken off */
} cases[] = {
    [CASE_CYCLES] = {"cycles", "one addition", count_cycles, false},
    [CASE_NATIVE] = {"native", "native indirect call", call_native, false},
    [CASE_ALONE] = {"loop", "loop in WebAssembly, no call", loop_alone, false},
    {"to-wasm", "wasm_func_call", call_wasm_h, false},
    {"to-wasm-catnap", "catnap_func_call", call_catnap_h, false},
    {"to-wasm-raw", "catnap_func_call_raw", call_raw, false},
    {"to-host", "callback of wasm_func_new", loop_plain, true},
    {"to-host-env", "callback of wasm_func_new_with_env", loop_env, true},
    {"to-host-catnap", "callback of catnap_func_new", loop_wide, true},
    {"to-host-raw", "callback of catnap_func_new_raw", loop_raw, true},
};

/* ---- The module and its functions ---- */

static const wasm_func_t *export_of(wasm_instance_t *instance, const char *name) {
    wasm_extern_t *found = catnap_instance_export(instance, name, strlen(name));
    if (!found)
        fail("an export is missing");
    return wasm_extern_as_func(found); /* kept until the end */
}

static wasm_func_t *host_func(wasm_store_t *store, const wasm_functype_t *type,
                              enum callback callback) {
    switch (callback) {
    case CALLBACK_PLAIN:
        return wasm_func_new(store, type, add_plain);
    case CALLBACK_ENV:
        return wasm_func_new_with_env(store, type, add_env, NULL, NULL);
    case CALLBACK_WIDE:
        return catnap_func_new(store, type, add_wide, NULL, NULL, NULL);
    default:
        return catnap_func_new_raw(store, type, add_raw, NULL, NULL, NULL);
    }
}

static void prepare(wasm_store_t *store) {
    wasm_byte_vec_t bytes;
    wasm_byte_vec_new(&bytes, sizeof binary, (const wasm_byte_t *)binary);
    wasm_module_t *module = wasm_module_new(store, &bytes);
    wasm_functype_t *type = wasm_functype_new_2_1(wasm_valtype_new_i32(), wasm_valtype_new_i32(),
                                                  wasm_valtype_new_i32());
    if (!module || !type)
        fail("no module");
    for (int i = 0; i < CALLBACK_COUNT; i++) {
        wasm_extern_t *imports[] = {wasm_func_as_extern(host_func(store, type, (enum callback)i))};
        wasm_extern_vec_t import_vec = WASM_ARRAY_VEC(imports);
        wasm_instance_t *instance = wasm_instance_new(store, module, &import_vec, NULL);
        if (!instance)
            fail("no instance");
        wasm.loop[i] = export_of(instance, "loop");
        wasm.alone = export_of(instance, "alone");
        wasm.add = export_of(instance, "add");
    }
    wasm_functype_delete(type);
    wasm_byte_vec_delete(&bytes);
}

/* ---- Measuring ---- */

static double cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static double ns_per_call[COUNT(cases)][ROUNDS];

static void measure(void) {
    for (int round = -1; round < ROUNDS; round++) /* one to warm up */
        for (size_t i = 0; i < COUNT(cases); i++) {
            double start = cpu_ns();
            cases[i].run(CALLS);
            if (round >= 0)
                ns_per_call[i][round] = (cpu_ns() - start) / CALLS;
        }
}

static double median(size_t i) {
    qsort(ns_per_call[i], ROUNDS, sizeof(double), ascending);
    return ns_per_call[i][ROUNDS / 2];
}

static void report(void) {
    double cycle = median(CASE_CYCLES), native = median(CASE_NATIVE), loop = median(CASE_ALONE);
    printf("%-36s %8s %8s %12s %8s\n", "", "ns", "cycles", "ns at 4 GHz", "native");
    for (size_t i = CASE_NATIVE; i < COUNT(cases); i++) {
        double ns = median(i) - (cases[i].in_loop ? loop : 0);
        printf("%-36s %8.2f %8.1f %12.2f %7.1fx\n", cases[i].what, ns, ns / cycle, ns / cycle / 4,
               ns / native);
    }
}

static void run_one(const char *name, const char *count) {
    for (size_t i = 0; i < COUNT(cases); i++)
        if (strcmp(cases[i].name, name) == 0) {
            cases[i].run((uint32_t)strtoul(count, NULL, 10));
            return;
        }
    fail("there is no call of that name");
}

int main(int argc, char **argv) {
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    prepare(store);
    if (argc == 3) {
        run_one(argv[1], argv[2]);
    } else {
        measure();
        report();
    }
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
