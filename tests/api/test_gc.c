/* Structures, arrays and numbers of 31 bits between the host and WebAssembly, and the limits of their heap. */
#include "objects.h"

#include "../support/module.h"

static void the_default_features_leave_it_out(void **state) {
    catnap_error_t *error;
    assert_null(catnap_module_new(STORE(state), objects, sizeof objects, NULL, &error));
    assert_error(error, CATNAP_UNSUPPORTED, "needs the feature gc");
}

/* Objects that only a global, a table or the host leads to stay, whatever else is made. */
static void what_is_in_use_is_kept(void **state) {
    wasm_instance_t *instance = INSTANTIATE(STORE(state), objects);
    wasm_ref_t *held = make(instance, "new", 77);
    catnap_val_t out;
    int32_t sum = 0;
    for (int32_t i = 0; i < 1000; i++) {
        CALL(instance, "push", i);
        sum += i;
    }
    CALL(instance, "keep", 100);
    CALL(instance, "churn", 100000);
    assert_int_equal(CALL(instance, "sum", 0), sum);
    assert_no_trap(call_with(instance, "value", of_ref(CATNAP_ANYREF, held), &out));
    assert_int_equal(out.of.i32, 77);
    wasm_ref_delete(held);
    wasm_instance_delete(instance);
}

static void casts_tell_types(void **state) {
    wasm_instance_t *instance = INSTANTIATE(STORE(state), objects);
    wasm_ref_t *number = make(instance, "i31", 5);
    catnap_val_t out;
    assert_trap(call_with(instance, "value", of_ref(CATNAP_ANYREF, number), &out),
                CATNAP_TRAP_CAST_FAILURE, "cast failure");
    assert_trap(call_with(instance, "value", of_ref(CATNAP_ANYREF, NULL), &out),
                CATNAP_TRAP_CAST_FAILURE, "cast failure");
    wasm_ref_delete(number);
    wasm_instance_delete(instance);
}

/* A host object becomes a value of the heap and itself again; an object becomes an externref and itself. */
static void references_are_converted(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    catnap_val_t out, back;
    assert_no_trap(
        call_with(instance, "to_any", of_ref(WASM_EXTERNREF, wasm_foreign_as_ref(foreign)), &out));
    assert_int_equal(out.kind, CATNAP_ANYREF);
    assert_true(wasm_ref_same(out.of.ref, wasm_foreign_as_ref_const(foreign)));
    assert_no_trap(call_with(instance, "to_extern", out, &back));
    assert_true(wasm_ref_same(back.of.ref, wasm_foreign_as_ref_const(foreign)));
    wasm_ref_delete(out.of.ref);
    wasm_ref_delete(back.of.ref);
    wasm_foreign_delete(foreign);

    wasm_ref_t *node = make(instance, "new", 9);
    assert_no_trap(call_with(instance, "to_extern", of_ref(CATNAP_ANYREF, node), &out));
    assert_int_equal(out.kind, WASM_EXTERNREF);
    catnap_store_collect(store);
    assert_no_trap(call_with(instance, "to_any", out, &back));
    catnap_val_t value;
    assert_no_trap(call_with(instance, "value", back, &value));
    assert_int_equal(value.of.i32, 9);
    wasm_ref_delete(out.of.ref);
    wasm_ref_delete(back.of.ref);
    wasm_ref_delete(node);
    wasm_instance_delete(instance);
}

/* References of other kinds lie in arrays by number. */
static void functions_are_kept_by_arrays(void **state) {
    wasm_instance_t *instance = INSTANTIATE(STORE(state), objects);
    catnap_val_t out;
    wasm_func_t *func = EXPORT(func, instance, "push");
    assert_no_trap(call_with(instance, "call", of_ref(WASM_FUNCREF, wasm_func_as_ref(func)), &out));
    assert_int_equal(out.of.i32, 1);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
}

/* The heap counts as memory does. A trap for lack of it leaves the store as it was. */
static void the_heap_is_limited(void **state) {
    wasm_store_t *store = STORE(state);
    limit_memory(store, 4 << 20);
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    CALL(instance, "push", 5);
    assert_trap(CALL_TRAP(instance, "big", 100 << 20), CATNAP_TRAP_NO_MEMORY, "exhausted");
    assert_trap(CALL_TRAP(instance, "big", -1), CATNAP_TRAP_NO_MEMORY, "exhausted");
    CALL(instance, "churn", 20000);
    assert_int_equal(CALL(instance, "big", 1 << 20), 1 << 20);
    assert_trap(CALL_TRAP(instance, "keep", 100000), CATNAP_TRAP_NO_MEMORY, "exhausted");
    assert_int_equal(CALL(instance, "sum", 0), 5);
    wasm_instance_delete(instance);
}

#define MANY 500u
#ifdef CATNAP_ZEAL /* each allocation collects */
#define OBJECTS_THAT_FILL 40
#define ROUNDS 5
#else
#define OBJECTS_THAT_FILL 40000
#define ROUNDS 500
#endif

/* (type $s (struct (field i32)))
 * (func $fill (param i32)
 *   (loop $l (drop (struct.new $s (i32.const 1)))
 *     (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
 * (func (export "first") (param anyref, MANY times) (result anyref)
 *   (call $fill (i32.const OBJECTS_THAT_FILL)) (local.get 0)) */
static wasm_instance_t *make_many(wasm_store_t *store) {
    struct bytes b = {0}, types = {0}, code = {0}, body = {0};
    put_preamble(&b);
    PUT(&types, 3, 0x5F, 1, I32, 0, 0x60, 1, I32, 0, 0x60);
    put_u(&types, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        put(&types, 0x6E);
    PUT(&types, 1, 0x6E);
    put_section(&b, 1, &types);
    SECTION(&b, 3, 2, 1, 2);
    SECTION(&b, 7, 1, 5, 'f', 'i', 'r', 's', 't', 0, 1);
    PUT(&code, 2);
    PUT(&body, 0, 0x03, 0x40, 0x41, 1, 0xFB, 0, 0, 0x1A, 0x20, 0, 0x41, 1, 0x6B, 0x22, 0, 0x0D, 0,
        0x0B, 0x0B);
    put_sized(&code, &body);
    PUT(&body, 0, 0x41);
    put_s(&body, OBJECTS_THAT_FILL);
    PUT(&body, 0x10, 0, 0x20, 0, 0x0B);
    put_sized(&code, &body);
    put_section(&b, 10, &code);
    wasm_instance_t *instance = instantiate(store, b.data, b.size, NULL, 0);
    drop_bytes(&b);
    return instance;
}

/* Host objects become objects of a heap that is filled again and again, also while it makes those: none frees those of
 * the arguments before it. */
static void all_arguments_are_kept(void **state) {
    wasm_store_t *store = STORE(state);
    limit_memory(store, 256 << 10);
    wasm_instance_t *instance = make_many(store);
    wasm_func_t *first = EXPORT(func, instance, "first");
    wasm_foreign_t *foreigns[MANY];
    catnap_val_t in[MANY], out;
    for (size_t i = 0; i < MANY; i++) {
        foreigns[i] = wasm_foreign_new(store);
        in[i] = of_ref(WASM_EXTERNREF, wasm_foreign_as_ref(foreigns[i]));
    }
    for (int32_t round = 0; round < ROUNDS; round++) {
        assert_no_trap(catnap_func_call(first, in, MANY, &out, 1));
        assert_true(wasm_ref_same(out.of.ref, wasm_foreign_as_ref(foreigns[0])));
        wasm_ref_delete(out.of.ref);
    }
    for (size_t i = 0; i < MANY; i++)
        wasm_foreign_delete(foreigns[i]);
    wasm_func_delete(first);
    wasm_instance_delete(instance);
}

/* A unit of fuel for each 64 bytes that an array takes, beside those of the instructions: as a bulk instruction, it stops
 * before anything is done, and goes on. */
static void arrays_are_paid_for(void **state) {
    (void)state;
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_features(config, CATNAP_FEATURES_DEFAULT | CATNAP_FEATURE_GC);
    catnap_config_set_fuel(config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    assert_no_error(catnap_store_set_fuel(store, 1000000));
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    uint64_t before = catnap_store_fuel(store);
    CALL(instance, "big", 0);
    uint64_t least = before - catnap_store_fuel(store);
    before = catnap_store_fuel(store);
    CALL(instance, "big", 640000);
    assert_int_equal(before - catnap_store_fuel(store), least + 10000);

    wasm_func_t *big = EXPORT(func, instance, "big");
    catnap_val_t length = of_i32(640000), result;
    catnap_run_t *run = catnap_run_new(big, &length, 1, NULL);
    assert_no_error(catnap_store_set_fuel(store, 5000));
    assert_int_equal(catnap_run_resume(run, &result, 1, NULL), CATNAP_OUT_OF_FUEL);
    assert_no_error(catnap_store_set_fuel(store, 20000));
    assert_int_equal(catnap_run_resume(run, &result, 1, NULL), CATNAP_OK);
    assert_int_equal(result.of.i32, 640000);
    catnap_run_delete(run);
    wasm_func_delete(big);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

/* An instance that waits cannot be brought back without its objects. */
static void pre_linking_is_refused(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_module_t *module = LOAD(store, objects);
    wasm_extern_vec_t imports = WASM_EMPTY_VEC;
    catnap_error_t *error;
    assert_null(catnap_prelinked_new(store, module, &imports, &error));
    assert_error(error, CATNAP_UNSUPPORTED, "cannot be pre-linked");
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    CALL(instance, "push", 5);
    assert_int_equal(CALL(instance, "sum", 0), 5);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
}

/* (module
 *   (import "host" "any" (global $any anyref))
 *   (import "host" "extern" (global $extern externref))
 *   (global (mut anyref) (global.get $any))
 *   (global (export "e") (mut externref) (global.get $extern))
 *   (table (export "t") 2 anyref (any.convert_extern (global.get $extern)))) */
static const uint8_t begins_with_objects[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x02, 0x1c, 0x02, 0x04, 0x68, 0x6f, 0x73,
    0x74, 0x03, 0x61, 0x6e, 0x79, 0x03, 0x6e, 0x00, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x06, 0x65,
    0x78, 0x74, 0x65, 0x72, 0x6e, 0x03, 0x6f, 0x00, 0x04, 0x0b, 0x01, 0x40, 0x00, 0x6e, 0x00,
    0x02, 0x23, 0x01, 0xfb, 0x1a, 0x0b, 0x06, 0x0b, 0x02, 0x6e, 0x01, 0x23, 0x00, 0x0b, 0x6f,
    0x01, 0x23, 0x01, 0x0b, 0x07, 0x09, 0x02, 0x01, 0x65, 0x03, 0x03, 0x01, 0x74, 0x01, 0x00};

/* The copy of what a waiting instance begins with is no root: it has no object, wherever that would come from. */
static void pre_linked_instances_begin_without_objects(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    wasm_module_t *module = LOAD(store, begins_with_objects);
    wasm_ref_t *node = make(instance, "new", 1), *number = make(instance, "i31", 2);
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_ref_t *host = wasm_foreign_as_ref(foreign), *const cases[][2] = {
                                                         {NULL, NULL},     {number, NULL},
                                                         {number, number}, {node, NULL},
                                                         {NULL, node},     {NULL, host}};
    wasm_globaltype_t *types[] = {
        wasm_globaltype_new(wasm_valtype_new(CATNAP_ANYREF), WASM_CONST),
        wasm_globaltype_new(wasm_valtype_new(WASM_EXTERNREF), WASM_CONST)};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wasm_extern_t *imports[2];
        catnap_error_t *error;
        for (size_t k = 0; k < 2; k++) {
            const catnap_val_t value = of_ref(k ? WASM_EXTERNREF : CATNAP_ANYREF, cases[i][k]);
            imports[k] = wasm_global_as_extern(catnap_global_new(store, types[k], &value, &error));
            assert_no_error(error);
        }
        wasm_extern_vec_t all = {2, imports};
        catnap_prelinked_t *prelinked = catnap_prelinked_new(store, module, &all, &error);
        if (i < 3)
            assert_no_error(error);
        else
            assert_error(error, CATNAP_UNSUPPORTED, "begins with garbage-collected objects");
        catnap_prelinked_delete(prelinked);
        wasm_extern_delete(imports[0]);
        wasm_extern_delete(imports[1]);
    }
    wasm_globaltype_delete(types[0]);
    wasm_globaltype_delete(types[1]);
    wasm_foreign_delete(foreign);
    wasm_ref_delete(node);
    wasm_ref_delete(number);
    wasm_module_delete(module);
    wasm_instance_delete(instance);
}

/* Of no element, and of more than a block of the heap. */
static void arrays_of_all_sizes_are_made(void **state) {
    wasm_instance_t *instance = INSTANTIATE(STORE(state), objects);
    assert_int_equal(CALL(instance, "big", 0), 0);
    assert_int_equal(CALL(instance, "big", 100000), 100000);
    wasm_instance_delete(instance);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_default_features_leave_it_out),
        GC_TEST(what_is_in_use_is_kept),
        GC_TEST(casts_tell_types),
        GC_TEST(references_are_converted),
        GC_TEST(functions_are_kept_by_arrays),
        GC_TEST(the_heap_is_limited),
        GC_TEST(all_arguments_are_kept),
        TEST(arrays_are_paid_for),
        GC_TEST(pre_linking_is_refused),
        GC_TEST(pre_linked_instances_begin_without_objects),
        GC_TEST(arrays_of_all_sizes_are_made),
    };
    return cmocka_run_group_tests_name("api/gc", tests, NULL, NULL);
}
