/* Bulk memory instructions that take seconds are interrupted half-way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "catnap.h"

/* (module (memory 65536)
 *   (func (export "fill") (loop $again
 *     (memory.fill (i32.const 0) (i32.const 1) (i32.const -1)) (br $again)))
 *   (func (export "copy") (loop $again
 *     (memory.copy (i32.const 0) (i32.const 0x80000000) (i32.const 0x7fffffff)) (br $again)))) */
static const uint8_t binary[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03,
    0x03, 0x02, 0x00, 0x00, 0x05, 0x05, 0x01, 0x00, 0x80, 0x80, 0x04, 0x07, 0x0f, 0x02, 0x04,
    0x66, 0x69, 0x6c, 0x6c, 0x00, 0x00, 0x04, 0x63, 0x6f, 0x70, 0x79, 0x00, 0x01, 0x0a, 0x2c,
    0x02, 0x10, 0x00, 0x03, 0x40, 0x41, 0x00, 0x41, 0x01, 0x41, 0x7f, 0xfc, 0x0b, 0x00, 0x0c,
    0x00, 0x0b, 0x0b, 0x19, 0x00, 0x03, 0x40, 0x41, 0x00, 0x41, 0x80, 0x80, 0x80, 0x80, 0x78,
    0x41, 0xff, 0xff, 0xff, 0xff, 0x07, 0xfc, 0x0a, 0x00, 0x00, 0x0c, 0x00, 0x0b, 0x0b,
};

struct target {
    wasm_store_t *store;
    uint64_t call_id;
};

static void *interrupt_soon(void *argument) {
    struct target *target = argument;
    nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
    catnap_store_interrupt(target->store, target->call_id);
    return NULL;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* One pass over the memory takes seconds of processor time at first, since every page is new. */
static void check(const char *name) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_interruptible(config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = catnap_module_new(store, binary, sizeof binary, NULL, NULL);
    assert_non_null(module);
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    wasm_instance_t *instance = catnap_instance_new(store, module, &none, NULL, NULL);
    assert_non_null(instance);
    wasm_extern_t *export = catnap_instance_export(instance, name, strlen(name));
    struct target target = {store, catnap_store_call_id(store)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, &target), 0);
    double start = seconds();
    wasm_trap_t *trap = catnap_func_call(wasm_extern_as_func(export), NULL, 0, NULL, 0);
    double used = seconds() - start;
    pthread_join(thread, NULL);
    assert_non_null(trap);
    assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_INTERRUPTED);
    assert_true(used < 0.5);
    wasm_trap_delete(trap);
    wasm_extern_delete(export);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

static void fill(void **state) {
    (void)state;
    check("fill");
}

static void copy(void **state) {
    (void)state;
    check("copy");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(fill), cmocka_unit_test(copy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
