/* Calls without values, in both directions. */
#include "helpers.h"

/* (module
 *   (import "h" "f" (func $f (param i32 i64 f32 f64) (result i32 f32)))
 *   (func (export "pass") (param i32 i64 f32 f64) (result i32 f32)
 *     (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
 *   (func (export "same") (param externref) (result externref) (local.get 0))
 *   (func (export "bits") (param i32 f32) (result i64 i64)
 *     (i64.extend_i32_u (local.get 0))
 *     (i64.extend_i32_u (i32.reinterpret_f32 (local.get 1))))) */
static const uint8_t binary[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x16, 0x03, 0x60, 0x04, 0x7f, 0x7e,
    0x7d, 0x7c, 0x02, 0x7f, 0x7d, 0x60, 0x01, 0x6f, 0x01, 0x6f, 0x60, 0x02, 0x7f, 0x7d, 0x02,
    0x7e, 0x7e, 0x02, 0x07, 0x01, 0x01, 'h',  0x01, 'f',  0x00, 0x00, 0x03, 0x04, 0x03, 0x00,
    0x01, 0x02, 0x07, 0x16, 0x03, 0x04, 'p',  'a',  's',  's',  0x00, 0x01, 0x04, 's',  'a',
    'm',  'e',  0x00, 0x02, 0x04, 'b',  'i',  't',  's',  0x00, 0x03, 0x0a, 0x1d, 0x03, 0x0c,
    0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0x20, 0x03, 0x10, 0x00, 0x0b, 0x04, 0x00, 0x20,
    0x00, 0x0b, 0x09, 0x00, 0x20, 0x00, 0xad, 0x20, 0x01, 0xbc, 0xad, 0x0b,
};

#define DIRT UINT64_C(0xdeadbeef00000000)

static uint64_t slot_of_f64(double value) {
    uint64_t slot;
    memcpy(&slot, &value, sizeof slot);
    return slot;
}

static uint32_t bits_of_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

struct host {
    int calls, finalized;
    const wasm_func_t *nested; /* called once more from inside */
    bool traps;
};

static void finalize(void *env) {
    ((struct host *)env)->finalized++;
}

static wasm_trap_t *take_four(void *env, catnap_caller_t *caller, uint64_t *slots) {
    struct host *host = env;
    assert_int_equal(slots[0], 0xfffffff9);
    assert_true(slots[1] == (uint64_t)INT64_MIN);
    assert_true(slots[2] == bits_of_f32(-1.5f));
    assert_true(slots[3] == slot_of_f64(1e300));
    if (host->calls++ == 0 && host->nested) {
        uint64_t more[4] = {DIRT | slots[0], slots[1], DIRT | slots[2], slots[3]};
        assert_no_trap(catnap_func_call_raw(host->nested, more));
        assert_true(more[0] == 42 && more[1] == bits_of_f32(2.5f));
        assert_true(slots[1] == (uint64_t)INT64_MIN);
    }
    if (host->traps)
        return catnap_trap_new(catnap_caller_store(caller), CATNAP_TRAP_HOST, "enough");
    slots[0] = DIRT | 42;
    slots[1] = DIRT | bits_of_f32(2.5f);
    return NULL;
}

static wasm_functype_t *type_of(const wasm_valkind_t *params, size_t param_count,
                                const wasm_valkind_t *results, size_t result_count) {
    wasm_valtype_vec_t in, out;
    wasm_valtype_vec_new_uninitialized(&in, param_count);
    for (size_t i = 0; i < param_count; i++)
        in.data[i] = wasm_valtype_new(params[i]);
    wasm_valtype_vec_new_uninitialized(&out, result_count);
    for (size_t i = 0; i < result_count; i++)
        out.data[i] = wasm_valtype_new(results[i]);
    return wasm_functype_new(&in, &out);
}

static wasm_func_t *four_func(wasm_store_t *store, struct host *host) {
    static const wasm_valkind_t params[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64};
    static const wasm_valkind_t results[] = {WASM_I32, WASM_F32};
    wasm_functype_t *type = type_of(params, 4, results, 2);
    catnap_error_t *error;
    wasm_func_t *func = catnap_func_new_raw(store, type, take_four, host, finalize, &error);
    assert_no_error(error);
    wasm_functype_delete(type);
    return func;
}

static wasm_instance_t *instance_with(wasm_store_t *store, wasm_func_t *func) {
    wasm_extern_t *imports[] = {wasm_func_as_extern(func)};
    return instantiate(store, binary, sizeof binary, imports, 1);
}

static void call_four(const wasm_func_t *func) {
    uint64_t slots[4] = {DIRT | 0xfffffff9, (uint64_t)INT64_MIN, DIRT | bits_of_f32(-1.5f),
                         slot_of_f64(1e300)};
    assert_int_equal(catnap_func_slots(func), 4);
    assert_no_trap(catnap_func_call_raw(func, slots));
    assert_true(slots[0] == 42);
    assert_true(slots[1] == bits_of_f32(2.5f));
}

static void numbers_pass(void **state) {
    wasm_store_t *store = STORE(state);
    struct host host = {0};
    wasm_func_t *func = four_func(store, &host);
    wasm_instance_t *instance = instance_with(store, func);
    wasm_func_t *pass = EXPORT(func, instance, "pass");
    for (int i = 0; i < 3; i++)
        call_four(func); /* without any WebAssembly */
    for (int i = 0; i < 3; i++)
        call_four(pass); /* the first is translated on the way */
    host.calls = 0;
    host.nested = pass;
    call_four(pass);
    assert_int_equal(host.calls, 2);
    host.calls = 0;
    host.nested = func;
    call_four(pass);
    assert_int_equal(host.calls, 2);
    wasm_func_delete(pass);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
    assert_int_equal(host.finalized, 1);
    STORE(state) = NULL;
}

static void upper_halves_do_not_count(void **state) {
    static struct host host; /* finalized after the test */
    wasm_func_t *func = four_func(STORE(state), &host);
    wasm_instance_t *instance = instance_with(STORE(state), func);
    wasm_func_t *bits = EXPORT(func, instance, "bits");
    for (int i = 0; i < 2; i++) {
        uint64_t slots[2] = {DIRT | 7, DIRT | bits_of_f32(0.5f)};
        assert_no_trap(catnap_func_call_raw(bits, slots));
        assert_true(slots[0] == 7);
        assert_true(slots[1] == bits_of_f32(0.5f));
    }
    wasm_func_delete(bits);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
}

static void traps_arrive(void **state) {
    wasm_store_t *store = STORE(state);
    struct host host = {.traps = true};
    wasm_func_t *func = four_func(store, &host);
    wasm_instance_t *instance = instance_with(store, func);
    wasm_func_t *pass = EXPORT(func, instance, "pass");
    for (int i = 0; i < 2; i++) {
        uint64_t slots[4] = {0xfffffff9, (uint64_t)INT64_MIN, bits_of_f32(-1.5f),
                             slot_of_f64(1e300)};
        wasm_trap_t *trap = catnap_func_call_raw(pass, slots);
        assert_int_equal(catnap_trap_frame_count(trap), 1);
        assert_trap(trap, CATNAP_TRAP_HOST, "enough");
    }
    uint64_t none[4] = {0};
    assert_trap(catnap_func_call_raw(NULL, none), CATNAP_TRAP_HOST, "NULL");
    assert_int_equal(catnap_func_slots(NULL), 0);
    host.traps = false;
    call_four(pass);
    catnap_limits_t limits;
    catnap_store_limits(store, &limits);
    limits.host_depth = 0;
    catnap_store_set_limits(store, &limits);
    assert_trap(catnap_func_call_raw(pass, none), CATNAP_TRAP_STACK_OVERFLOW, "exhausted");
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
    STORE(state) = NULL;
    assert_trap(catnap_func_call_raw(pass, none), CATNAP_TRAP_HOST, "deleted");
    wasm_func_delete(pass);
}

static void references_pass(void **state) {
    static struct host host; /* finalized after the test */
    wasm_store_t *store = STORE(state);
    wasm_func_t *func = four_func(store, &host);
    wasm_instance_t *instance = instance_with(store, func);
    wasm_func_t *same = EXPORT(func, instance, "same");
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    for (int i = 0; i < 2; i++) {
        uint64_t slot = catnap_slot_of_ref(wasm_foreign_as_ref(foreign));
        assert_no_trap(catnap_func_call_raw(same, &slot));
        wasm_ref_t *back = catnap_ref_of_slot(slot);
        assert_true(wasm_ref_same(back, wasm_foreign_as_ref(foreign)));
        wasm_ref_delete(back);
        slot = catnap_slot_of_ref(NULL);
        assert_no_trap(catnap_func_call_raw(same, &slot));
        assert_null(catnap_ref_of_slot(slot));
    }
    wasm_foreign_delete(foreign);
    wasm_func_delete(same);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
}

#define MANY 40

/* The first half of the results is v128. */
static wasm_trap_t *mirror(void *env, catnap_caller_t *caller, uint64_t *slots) {
    (void)env;
    assert_null(catnap_caller_instance(caller));
    for (size_t i = 0; i < MANY; i++)
        assert_true(slots[i] == i);
    for (size_t i = 0; i < MANY + MANY / 2; i++)
        slots[i] = DIRT | i;
    return NULL;
}

static void many_values_pass(void **state) {
    wasm_valkind_t params[MANY], results[MANY];
    for (size_t i = 0; i < MANY; i++) {
        params[i] = i % 2 ? WASM_F32 : WASM_I32;
        results[i] = i < MANY / 2 ? WASM_V128 : i % 2 ? WASM_I64 : WASM_I32;
    }
    wasm_functype_t *type = type_of(params, MANY, results, MANY);
    wasm_func_t *func = catnap_func_new_raw(STORE(state), type, mirror, NULL, NULL, NULL);
    wasm_functype_delete(type);
    assert_int_equal(catnap_func_slots(func), MANY + MANY / 2);
    uint64_t slots[MANY + MANY / 2];
    for (size_t i = 0; i < MANY; i++)
        slots[i] = DIRT | i;
    assert_no_trap(catnap_func_call_raw(func, slots));
    for (size_t i = 0; i < MANY + MANY / 2; i++)
        assert_true(slots[i] == (i >= MANY && i % 2 == 0 ? i : DIRT | i));
    wasm_func_delete(func);
}

static void raw_functions_can_fail(void **state) {
    wasm_functype_t *type = type_of(NULL, 0, NULL, 0);
    struct host host = {0};
    catnap_error_t *error;
    assert_null(catnap_func_new_raw(STORE(state), type, NULL, &host, finalize, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    assert_null(catnap_func_new_raw(NULL, type, take_four, &host, finalize, NULL));
    assert_int_equal(host.finalized, 2);
    wasm_functype_delete(type);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(numbers_pass),    TEST(upper_halves_do_not_count), TEST(traps_arrive),
        TEST(references_pass), TEST(many_values_pass),          TEST(raw_functions_can_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
