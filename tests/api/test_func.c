/* Functions: calls in both directions, values, environments, mistakes of the caller. */
#include "helpers.h"

#include <math.h>

/* (module
 *   (import "host" "f" (func $f (param i32 i64 f32 f64) (result f64 f32 i64 i32)))
 *   (func (export "swap") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
 *     (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
 *   (func (export "plain") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
 *     (local.get 3) (local.get 2) (local.get 1) (local.get 0))) */
static const uint8_t swapping[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0c, 0x01, 0x60, 0x04, 0x7f,
    0x7e, 0x7d, 0x7c, 0x04, 0x7c, 0x7d, 0x7e, 0x7f, 0x02, 0x0a, 0x01, 0x04, 0x68, 0x6f,
    0x73, 0x74, 0x01, 0x66, 0x00, 0x00, 0x03, 0x03, 0x02, 0x00, 0x00, 0x07, 0x10, 0x02,
    0x04, 0x73, 0x77, 0x61, 0x70, 0x00, 0x01, 0x05, 0x70, 0x6c, 0x61, 0x69, 0x6e, 0x00,
    0x02, 0x0a, 0x19, 0x02, 0x0c, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0x20, 0x03,
    0x10, 0x00, 0x0b, 0x0a, 0x00, 0x20, 0x03, 0x20, 0x02, 0x20, 0x01, 0x20, 0x00, 0x0b,
};

static wasm_functype_t *swap_type(void) {
    wasm_valtype_t *p[] = {wasm_valtype_new_i32(), wasm_valtype_new_i64(), wasm_valtype_new_f32(),
                           wasm_valtype_new_f64()};
    wasm_valtype_t *r[] = {wasm_valtype_new_f64(), wasm_valtype_new_f32(), wasm_valtype_new_i64(),
                           wasm_valtype_new_i32()};
    wasm_valtype_vec_t params, results;
    wasm_valtype_vec_new(&params, COUNT(p), p);
    wasm_valtype_vec_new(&results, COUNT(r), r);
    return wasm_functype_new(&params, &results);
}

static wasm_trap_t *swap(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    ++*(int *)env;
    assert_int_equal(args->size, 4);
    assert_int_equal(results->size, 4);
    for (size_t i = 0; i < 4; i++)
        wasm_val_copy(&results->data[3 - i], &args->data[i]);
    return NULL;
}

static wasm_trap_t *wide_swap(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                              catnap_val_t *results) {
    ++*(int *)env;
    assert_non_null(catnap_caller_store(caller));
    static const wasm_valkind_t kinds[] = {WASM_F64, WASM_F32, WASM_I64, WASM_I32};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(results[i].kind, kinds[i]); /* typed already */
        results[i] = arguments[3 - i];
    }
    return NULL;
}

static void check_swap(const wasm_func_t *func) {
    wasm_val_t a[] = {WASM_I32_VAL(-7), WASM_I64_VAL(INT64_MIN), WASM_F32_VAL(-0.0f),
                      WASM_F64_VAL(1e300)};
    wasm_val_t r[] = {WASM_INIT_VAL, WASM_INIT_VAL, WASM_INIT_VAL, WASM_INIT_VAL};
    wasm_val_vec_t args = WASM_ARRAY_VEC(a), results = WASM_ARRAY_VEC(r);
    assert_no_trap(wasm_func_call(func, &args, &results));
    assert_int_equal(r[0].kind, WASM_F64);
    assert_true(r[0].of.f64 == 1e300);
    assert_int_equal(r[1].kind, WASM_F32);
    assert_true(r[1].of.f32 == 0 && signbit(r[1].of.f32));
    assert_int_equal(r[2].kind, WASM_I64);
    assert_true(r[2].of.i64 == INT64_MIN);
    assert_int_equal(r[3].kind, WASM_I32);
    assert_int_equal(r[3].of.i32, -7);
}

static void count_finalizer(void *env) {
    *(int *)env += 1000;
}

static void values_of_each_type_pass(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_functype_t *type = swap_type();
    int calls = 0, wide_calls = 0;
    wasm_func_t *host = wasm_func_new_with_env(store, type, swap, &calls, count_finalizer);
    catnap_error_t *error;
    wasm_func_t *wide =
        catnap_func_new(store, type, wide_swap, &wide_calls, count_finalizer, &error);
    assert_no_error(error);
    wasm_functype_delete(type);
    assert_int_equal(wasm_func_param_arity(host), 4);
    assert_int_equal(wasm_func_result_arity(wide), 4);
    check_swap(host); /* without any WebAssembly */
    check_swap(wide);

    wasm_func_t *hosts[] = {host, wide};
    for (size_t i = 0; i < 2; i++) {
        wasm_extern_t *imports[] = {wasm_func_as_extern(hosts[i])};
        wasm_instance_t *instance = instantiate(store, swapping, sizeof swapping, imports, 1);
        static const char *const names[] = {"swap", "plain"};
        for (size_t n = 0; n < 2; n++) {
            wasm_func_t *func = EXPORT(func, instance, names[n]);
            check_swap(func);
            wasm_func_delete(func);
        }
        wasm_instance_delete(instance);
        wasm_func_delete(hosts[i]);
    }
    catnap_store_collect(store);
    assert_int_equal(calls, 1002); /* the functions go with what imported them */
    assert_int_equal(wide_calls, 1002);
    wasm_store_delete(store);
    STORE(state) = NULL;
}

static void finalizers_run_once(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_functype_t *type = swap_type();
    int env = 0;
    wasm_func_t *func = wasm_func_new_with_env(store, type, swap, &env, count_finalizer);
    wasm_func_t *copy = wasm_func_copy(func);
    assert_true(wasm_func_same(func, copy));
    wasm_func_delete(func);
    assert_int_equal(env, 0);
    wasm_func_delete(copy);
    assert_int_equal(env, 1000); /* unreachable from the start: finalized at once */
    /* A failure keeps the promise too. */
    assert_null(wasm_func_new_with_env(store, NULL, swap, &env, count_finalizer));
    assert_int_equal(env, 2000);
    assert_last_error(store, CATNAP_MISUSE, "NULL");
    assert_null(wasm_func_new_with_env(NULL, type, swap, &env, count_finalizer));
    assert_int_equal(env, 3000);
    catnap_error_t *error;
    assert_null(catnap_func_new(store, type, NULL, &env, count_finalizer, &error));
    assert_int_equal(env, 4000);
    assert_error(error, CATNAP_MISUSE, "NULL");
    wasm_functype_delete(type);
}

static void wrong_calls_trap(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_functype_t *type = swap_type();
    int env = 0;
    wasm_func_t *func = wasm_func_new_with_env(store, type, swap, &env, NULL);
    wasm_functype_delete(type);
    wasm_val_t a[] = {WASM_I32_VAL(1), WASM_I64_VAL(2), WASM_F32_VAL(3), WASM_F64_VAL(4),
                      WASM_I32_VAL(5)};
    wasm_val_t r[5];
    wasm_val_vec_t args = {4, a}, results = {4, r}, none = WASM_EMPTY_VEC;
    args.size = 3;
    assert_trap(wasm_func_call(func, &args, &results), CATNAP_TRAP_HOST, "expected 4, found 3");
    args.size = 5;
    assert_trap(wasm_func_call(func, &args, &results), CATNAP_TRAP_HOST, "expected 4, found 5");
    assert_trap(wasm_func_call(func, &none, &results), CATNAP_TRAP_HOST, "arguments");
    assert_trap(wasm_func_call(func, NULL, &results), CATNAP_TRAP_HOST, "arguments");
    args.size = 4;
    for (size_t i = 0; i < 4; i++) {
        wasm_val_t right = a[i];
        a[i] = (wasm_val_t)WASM_INIT_VAL;
        assert_trap(wasm_func_call(func, &args, &results), CATNAP_TRAP_HOST, "argument");
        for (size_t n = 0; n < 4; n++) {
            assert_int_equal(r[n].kind, WASM_EXTERNREF);
            assert_null(r[n].of.ref);
        }
        a[i] = right;
    }
    assert_int_equal(env, 0);                          /* never called */
    assert_no_trap(wasm_func_call(func, &args, NULL)); /* unwanted results are dropped */
    results.size = 3;
    assert_no_trap(wasm_func_call(func, &args, &results));
    assert_true(r[0].of.f64 == 4 && r[2].of.i64 == 2);
    results.size = 5; /* more room than needed is fine */
    r[4] = (wasm_val_t)WASM_I32_VAL(9);
    assert_no_trap(wasm_func_call(func, &args, &results));
    assert_int_equal(r[4].kind, WASM_EXTERNREF);
    assert_trap(wasm_func_call(NULL, &args, &results), CATNAP_TRAP_HOST, "NULL");
    assert_int_equal(r[0].kind, WASM_EXTERNREF);

    catnap_val_t wide[4] = {{.kind = WASM_I32}}, out[4];
    memset(out, 0xEE, sizeof out);
    assert_trap(catnap_func_call(func, wide, 4, out, 4), CATNAP_TRAP_HOST, "argument 1");
    assert_int_equal(out[0].kind, WASM_F64);
    assert_true(out[0].of.f64 == 0);
    assert_trap(catnap_func_call(func, wide, 4, out, 3), CATNAP_TRAP_HOST, "found room for 3");
    assert_trap(catnap_func_call(func, wide, 1, out, 3), CATNAP_TRAP_HOST, "found 1");
    assert_int_equal(out[0].kind, 0);
    assert_trap(catnap_func_call(func, NULL, 4, NULL, 4), CATNAP_TRAP_HOST, "NULL");
    wasm_func_delete(func);
}

/* One array for arguments and results. */
static void arguments_may_be_overwritten(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_functype_t *type = swap_type();
    int env = 0;
    wasm_func_t *func = wasm_func_new_with_env(store, type, swap, &env, NULL);
    wasm_functype_delete(type);
    wasm_val_t v[] = {WASM_I32_VAL(1), WASM_I64_VAL(2), WASM_F32_VAL(3), WASM_F64_VAL(4)};
    wasm_val_vec_t both = WASM_ARRAY_VEC(v);
    assert_no_trap(wasm_func_call(func, &both, &both));
    assert_true(v[0].of.f64 == 4);
    assert_int_equal(v[3].of.i32, 1);
    wasm_func_delete(func);
}

static wasm_trap_t *lie(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)args;
    results->data[0] = (wasm_val_t)WASM_F64_VAL(1);
    return NULL;
}

static void results_of_the_host_are_checked(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_functype_t *type = wasm_functype_new_0_1(wasm_valtype_new_i32());
    wasm_func_t *func = wasm_func_new(store, type, lie);
    wasm_functype_delete(type);
    wasm_val_t r[1];
    wasm_val_vec_t args = WASM_EMPTY_VEC, results = WASM_ARRAY_VEC(r);
    assert_trap(wasm_func_call(func, &args, &results), CATNAP_TRAP_HOST, "result 0");
    wasm_func_delete(func);
}

static wasm_trap_t *strange_trap(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)args;
    (void)results;
    return catnap_trap_new_exit(env, 42); /* of another store */
}

static void traps_of_other_stores_are_retold(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_store_t *other = wasm_store_new(catnap_store_engine(store));
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *func = wasm_func_new_with_env(store, type, strange_trap, other, NULL);
    wasm_functype_delete(type);
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    wasm_trap_t *trap = wasm_func_call(func, &none, &none);
    wasm_store_delete(other);
    int32_t status;
    assert_true(catnap_trap_exit_status(trap, &status));
    assert_int_equal(status, 42);
    wasm_trap_delete(trap);
    wasm_func_delete(func);
}

#define MANY 1000

static wasm_trap_t *add_all(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    for (size_t i = 0; i < args->size; i++)
        results->data[i] = (wasm_val_t)WASM_I32_VAL(args->data[i].of.i32 * 2);
    return NULL;
}

static void many_parameters_and_results(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_valtype_vec_t params, results;
    wasm_valtype_vec_new_uninitialized(&params, MANY);
    for (size_t i = 0; i < MANY; i++)
        params.data[i] = wasm_valtype_new_i32();
    wasm_valtype_vec_copy(&results, &params);
    wasm_functype_t *type = wasm_functype_new(&params, &results);
    wasm_func_t *func = wasm_func_new(store, type, add_all);
    assert_non_null(func);
    static wasm_val_t a[MANY], r[MANY];
    for (size_t i = 0; i < MANY; i++)
        a[i] = (wasm_val_t)WASM_I32_VAL((int32_t)i);
    wasm_val_vec_t in = WASM_ARRAY_VEC(a), out = WASM_ARRAY_VEC(r);
    assert_no_trap(wasm_func_call(func, &in, &out));
    assert_int_equal(r[MANY - 1].of.i32, 2 * (MANY - 1));
    wasm_functype_t *told = wasm_func_type(func);
    assert_int_equal(wasm_functype_results(told)->size, MANY);
    wasm_functype_delete(told);
    wasm_functype_delete(type);
    wasm_func_delete(func);

    wasm_valtype_vec_t too_many, none = WASM_EMPTY_VEC;
    wasm_valtype_vec_new_uninitialized(&too_many, MANY + 1);
    for (size_t i = 0; i <= MANY; i++)
        too_many.data[i] = wasm_valtype_new_i32();
    type = wasm_functype_new(&too_many, &none);
    assert_null(wasm_func_new(store, type, add_all));
    assert_last_error(store, CATNAP_LIMIT, "1000");
    wasm_functype_delete(type);
}

/* (module
 *   (import "host" "v" (func $v (param v128 i32) (result v128)))
 *   (global (export "g") (mut v128) (v128.const i64x2 1 2))
 *   (func (export "v") (param v128) (result v128) (call $v (local.get 0) (i32.const 3)))) */
static const uint8_t vectors[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0c, 0x02, 0x60, 0x02, 0x7b, 0x7f,
    0x01, 0x7b, 0x60, 0x01, 0x7b, 0x01, 0x7b, 0x02, 0x0a, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74,
    0x01, 0x76, 0x00, 0x00, 0x03, 0x02, 0x01, 0x01, 0x06, 0x16, 0x01, 0x7b, 0x01, 0xfd, 0x0c,
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x0b, 0x07, 0x09, 0x02, 0x01, 0x67, 0x03, 0x00, 0x01, 0x76, 0x00, 0x01, 0x0a, 0x0a,
    0x01, 0x08, 0x00, 0x20, 0x00, 0x41, 0x03, 0x10, 0x00, 0x0b,
};

static wasm_trap_t *reverse_bytes(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                                  catnap_val_t *results) {
    (void)env;
    (void)caller;
    assert_int_equal(arguments[1].of.i32, 3);
    for (int i = 0; i < 16; i++)
        results[0].of.v128[i] = arguments[0].of.v128[15 - i];
    return NULL;
}

static wasm_trap_t *never(const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)args;
    (void)results;
    fail();
    return NULL;
}

static void vectors_need_the_wide_interface(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_functype_t *type = wasm_functype_new_2_1(wasm_valtype_new_v128(), wasm_valtype_new_i32(),
                                                  wasm_valtype_new_v128());
    wasm_func_t *host = catnap_func_new(store, type, reverse_bytes, NULL, NULL, NULL);
    wasm_func_t *plain = wasm_func_new(store, type, never);
    wasm_functype_delete(type);
    wasm_extern_t *imports[] = {wasm_func_as_extern(host)};
    wasm_instance_t *instance = instantiate(store, vectors, sizeof vectors, imports, 1);
    wasm_func_t *func = EXPORT(func, instance, "v");
    catnap_val_t in = {.kind = WASM_V128}, out;
    for (int i = 0; i < 16; i++)
        in.of.v128[i] = (uint8_t)(i * 3);
    assert_no_trap(catnap_func_call(func, &in, 1, &out, 1));
    assert_int_equal(out.kind, WASM_V128);
    for (int i = 0; i < 16; i++)
        assert_int_equal(out.of.v128[i], (15 - i) * 3);
    wasm_val_t small[1] = {WASM_I32_VAL(0)};
    wasm_val_vec_t args = WASM_ARRAY_VEC(small), results = WASM_ARRAY_VEC(small);
    assert_trap(wasm_func_call(func, &args, &results), CATNAP_TRAP_HOST, "v128");
    wasm_func_delete(func);

    wasm_extern_t *plain_imports[] = {wasm_func_as_extern(plain)};
    wasm_instance_t *second = instantiate(store, vectors, sizeof vectors, plain_imports, 1);
    func = EXPORT(func, second, "v");
    assert_trap(catnap_func_call(func, &in, 1, &out, 1), CATNAP_TRAP_HOST, "catnap_func_new");
    wasm_func_delete(func);

    wasm_global_t *global = EXPORT(global, instance, "g");
    wasm_val_t value;
    wasm_global_get(global, &value);
    assert_int_equal(value.kind, WASM_EXTERNREF);
    catnap_global_get(global, &out);
    assert_int_equal(out.kind, WASM_V128);
    assert_int_equal(out.of.v128[0], 1);
    assert_int_equal(out.of.v128[8], 2);
    assert_no_error(catnap_global_set(global, &in));
    catnap_global_get(global, &out);
    assert_memory_equal(out.of.v128, in.of.v128, 16);
    wasm_global_delete(global);
    wasm_instance_delete(instance);
    wasm_instance_delete(second);
    wasm_func_delete(host);
    wasm_func_delete(plain);
}

/* (module
 *   (import "host" "again" (func $again (param i32) (result i32)))
 *   (func (export "down") (param i32) (result i32)
 *     (i32.add (call $again (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))) */
static const uint8_t recursive[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f,
    0x02, 0x0e, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x05, 0x61, 0x67, 0x61, 0x69, 0x6e, 0x00, 0x00,
    0x03, 0x02, 0x01, 0x00, 0x07, 0x08, 0x01, 0x04, 0x64, 0x6f, 0x77, 0x6e, 0x00, 0x01, 0x0a, 0x0e,
    0x01, 0x0c, 0x00, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x10, 0x00, 0x41, 0x01, 0x6a, 0x0b,
};

static wasm_trap_t *call_again(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    if (args->data[0].of.i32 > 0)
        return wasm_func_call(*(wasm_func_t **)env, args, results);
    results->data[0].of.i32 = 0; /* the kind is there already */
    return NULL;
}

static void calls_nest_through_the_host(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    wasm_func_t *down = NULL;
    wasm_func_t *host = wasm_func_new_with_env(store, type, call_again, &down, NULL);
    wasm_functype_delete(type);
    wasm_extern_t *imports[] = {wasm_func_as_extern(host)};
    wasm_instance_t *instance = instantiate(store, recursive, sizeof recursive, imports, 1);
    down = EXPORT(func, instance, "down");
    assert_int_equal(CALL(instance, "down", 50), 50);
    assert_trap(CALL_TRAP(instance, "down", 1000000), CATNAP_TRAP_STACK_OVERFLOW,
                "call stack exhausted");
    catnap_limits_t limits;
    catnap_store_limits(store, &limits);
    limits.host_depth = 3;
    catnap_store_set_limits(store, &limits);
    assert_int_equal(CALL(instance, "down", 3), 3);
    assert_trap(CALL_TRAP(instance, "down", 4), CATNAP_TRAP_STACK_OVERFLOW, "exhausted");
    assert_int_equal(CALL(instance, "down", 3), 3);
    wasm_func_delete(down);
    wasm_func_delete(host);
    wasm_instance_delete(instance);
}

/* (module
 *   (import "host" "look" (func $look))
 *   (memory (export "memory") 2)
 *   (data (i32.const 5) "five")
 *   (func (export "seven") (result i32) (i32.const 7))
 *   (func (export "look") (call $look))) */
static const uint8_t looking[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x60, 0x00, 0x00, 0x60, 0x00,
    0x01, 0x7f, 0x02, 0x0d, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x04, 0x6c, 0x6f, 0x6f, 0x6b, 0x00,
    0x00, 0x03, 0x03, 0x02, 0x01, 0x00, 0x05, 0x03, 0x01, 0x00, 0x02, 0x07, 0x19, 0x03, 0x06, 0x6d,
    0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, 0x05, 0x73, 0x65, 0x76, 0x65, 0x6e, 0x00, 0x01, 0x04,
    0x6c, 0x6f, 0x6f, 0x6b, 0x00, 0x02, 0x0a, 0x0b, 0x02, 0x04, 0x00, 0x41, 0x07, 0x0b, 0x04, 0x00,
    0x10, 0x00, 0x0b, 0x0b, 0x0a, 0x01, 0x00, 0x41, 0x05, 0x0b, 0x04, 0x66, 0x69, 0x76, 0x65,
};

static wasm_trap_t *look(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                         catnap_val_t *results) {
    (void)arguments;
    (void)results;
    uint8_t *base;
    uint64_t size;
    bool from_wasm = *(bool *)env;
    assert_int_equal(catnap_caller_memory(caller, 0, &base, &size), from_wasm);
    assert_int_equal(size, from_wasm ? 131072 : 0);
    if (from_wasm) {
        assert_memory_equal(base + 5, "five", 4);
        assert_non_null(catnap_caller_instance(caller));
        assert_int_equal(CALL(catnap_caller_instance(caller), "seven"), 7);
    } else {
        assert_null(base);
        assert_null(catnap_caller_instance(caller));
    }
    wasm_extern_t *seven = catnap_caller_export(caller, "seven", 5);
    assert_int_equal(seven != NULL, from_wasm);
    wasm_extern_delete(seven);
    assert_null(catnap_caller_export(caller, "eight", 5));
    assert_false(catnap_caller_memory(caller, 1, &base, &size));
    assert_false(catnap_caller_interrupted(caller));
    return NULL;
}

static void callers_can_be_looked_at(void **state) {
    wasm_store_t *store = STORE(state);
    bool from_wasm = false;
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *host = catnap_func_new(store, type, look, &from_wasm, NULL, NULL);
    wasm_functype_delete(type);
    assert_no_trap(catnap_func_call(host, NULL, 0, NULL, 0));
    from_wasm = true;
    wasm_extern_t *imports[] = {wasm_func_as_extern(host)};
    wasm_instance_t *instance = instantiate(store, looking, sizeof looking, imports, 1);
    CALL(instance, "look");
    wasm_func_delete(host);
    wasm_instance_delete(instance);
}

static wasm_trap_t *delete_everything(void *env, const wasm_val_vec_t *args,
                                      wasm_val_vec_t *results) {
    struct fixture *fixture = env;
    (void)args;
    (void)results;
    wasm_store_delete(fixture->store);
    fixture->store = NULL;
    return NULL;
}

static void a_callback_may_delete_the_store(void **state) {
    struct fixture *fixture = *state;
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *host =
        wasm_func_new_with_env(fixture->store, type, delete_everything, fixture, NULL);
    wasm_functype_delete(type);
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    assert_no_trap(wasm_func_call(host, &none, &none));
    assert_null(fixture->store);
    assert_trap(wasm_func_call(host, &none, &none), CATNAP_TRAP_HOST, "deleted");
    wasm_func_delete(host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(values_of_each_type_pass),
        TEST(finalizers_run_once),
        TEST(wrong_calls_trap),
        TEST(arguments_may_be_overwritten),
        TEST(results_of_the_host_are_checked),
        TEST(traps_of_other_stores_are_retold),
        TEST(many_parameters_and_results),
        TEST(vectors_need_the_wide_interface),
        TEST(calls_nest_through_the_host),
        TEST(callers_can_be_looked_at),
        TEST(a_callback_may_delete_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
