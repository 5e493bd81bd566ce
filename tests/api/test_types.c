/* Types, vectors and names of wasm.h: they need no engine. */
#include "helpers.h"

/* Sizes that no allocator can give are asked for here; sanitizers are not to mind. */
#define SANITIZER_OPTIONS(name)                                                                    \
    const char *name(void);                                                                        \
    const char *name(void) {                                                                       \
        return "allocator_may_return_null=1";                                                      \
    }
SANITIZER_OPTIONS(__asan_default_options)
SANITIZER_OPTIONS(__tsan_default_options)

static void value_types(void **state) {
    (void)state;
    static const wasm_valkind_t kinds[] = {WASM_I32,  WASM_I64,       WASM_F32,    WASM_F64,
                                           WASM_V128, WASM_EXTERNREF, WASM_FUNCREF};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        wasm_valtype_t *type = wasm_valtype_new(kinds[i]);
        wasm_valtype_t *copy = wasm_valtype_copy(type);
        assert_int_equal(wasm_valtype_kind(type), kinds[i]);
        assert_int_equal(wasm_valtype_kind(copy), kinds[i]);
        assert_int_equal(wasm_valtype_is_ref(type), i >= 5);
        assert_int_equal(wasm_valtype_is_num(type), i < 5);
        wasm_valtype_delete(type);
        assert_int_equal(wasm_valtype_kind(copy), kinds[i]);
        wasm_valtype_delete(copy);
    }
    assert_null(wasm_valtype_new(77));
    wasm_valtype_delete(NULL);
    assert_null(wasm_valtype_copy(NULL));
}

static void function_types(void **state) {
    (void)state;
    wasm_functype_t *type = wasm_functype_new_3_2(wasm_valtype_new_i32(), wasm_valtype_new_i64(),
                                                  wasm_valtype_new_v128(), wasm_valtype_new_f32(),
                                                  wasm_valtype_new_funcref());
    wasm_functype_t *copy = wasm_functype_copy(type);
    wasm_functype_delete(type);
    assert_int_equal(wasm_functype_params(copy)->size, 3);
    assert_int_equal(wasm_valtype_kind(wasm_functype_params(copy)->data[2]), WASM_V128);
    assert_int_equal(wasm_functype_results(copy)->size, 2);
    assert_int_equal(wasm_valtype_kind(wasm_functype_results(copy)->data[1]), WASM_FUNCREF);

    wasm_externtype_t *as_extern = wasm_functype_as_externtype(copy);
    assert_int_equal(wasm_externtype_kind(as_extern), WASM_EXTERN_FUNC);
    assert_ptr_equal(wasm_externtype_as_functype(as_extern), copy);
    assert_null(wasm_externtype_as_globaltype(as_extern));
    assert_null(wasm_externtype_as_tagtype_const(as_extern));
    wasm_externtype_delete(as_extern);

    wasm_functype_t *empty = wasm_functype_new_0_0();
    assert_int_equal(wasm_functype_params(empty)->size, 0);
    wasm_functype_delete(empty);
    assert_null(wasm_functype_new_1_0(NULL));
}

static void other_extern_types(void **state) {
    (void)state;
    wasm_limits_t limits = {3, wasm_limits_max_default};
    wasm_externtype_t *types[] = {
        wasm_globaltype_as_externtype(wasm_globaltype_new(wasm_valtype_new_f64(), WASM_VAR)),
        wasm_tabletype_as_externtype(wasm_tabletype_new(wasm_valtype_new_externref(), &limits)),
        wasm_memorytype_as_externtype(wasm_memorytype_new(&limits)),
        wasm_tagtype_as_externtype(wasm_tagtype_new(wasm_functype_new_1_0(wasm_valtype_new_i32()))),
    };
    for (size_t i = 0; i < COUNT(types); i++) {
        wasm_externtype_t *copy = wasm_externtype_copy(types[i]);
        assert_int_equal(wasm_externtype_kind(copy), wasm_externtype_kind(types[i]));
        wasm_externtype_delete(types[i]);
        types[i] = copy;
    }
    const wasm_globaltype_t *global = wasm_externtype_as_globaltype_const(types[0]);
    assert_int_equal(wasm_valtype_kind(wasm_globaltype_content(global)), WASM_F64);
    assert_int_equal(wasm_globaltype_mutability(global), WASM_VAR);
    const wasm_tabletype_t *table = wasm_externtype_as_tabletype_const(types[1]);
    assert_int_equal(wasm_valtype_kind(wasm_tabletype_element(table)), WASM_EXTERNREF);
    assert_int_equal(wasm_tabletype_limits(table)->min, 3);
    const wasm_memorytype_t *memory = wasm_externtype_as_memorytype_const(types[2]);
    assert_true(wasm_memorytype_limits(memory)->max == wasm_limits_max_default);
    const wasm_tagtype_t *tag = wasm_externtype_as_tagtype_const(types[3]);
    assert_int_equal(wasm_functype_params(wasm_tagtype_functype(tag))->size, 1);
    for (size_t i = 0; i < COUNT(types); i++)
        wasm_externtype_delete(types[i]);

    assert_null(wasm_globaltype_new(NULL, WASM_VAR));
    assert_null(wasm_tabletype_new(wasm_valtype_new_funcref(), NULL));
    assert_null(wasm_memorytype_new(NULL));
    assert_null(wasm_tagtype_new(NULL));
}

static void import_and_export_types(void **state) {
    (void)state;
    wasm_name_t module, name;
    wasm_name_new_from_string(&module, "env");
    wasm_name_new_from_string(&name, "");
    wasm_importtype_t *import =
        wasm_importtype_new(&module, &name, wasm_functype_as_externtype(wasm_functype_new_0_0()));
    assert_int_equal(module.size, 0);
    wasm_importtype_t *import_copy = wasm_importtype_copy(import);
    wasm_importtype_delete(import);
    assert_memory_equal(wasm_importtype_module(import_copy)->data, "env", 3);
    assert_int_equal(wasm_importtype_name(import_copy)->size, 0);
    assert_int_equal(wasm_externtype_kind(wasm_importtype_type(import_copy)), WASM_EXTERN_FUNC);
    wasm_importtype_delete(import_copy);

    wasm_name_new(&name, 3, "a\0b");
    wasm_exporttype_t *export_ =
        wasm_exporttype_new(&name, wasm_functype_as_externtype(wasm_functype_new_0_0()));
    wasm_exporttype_t *export_copy = wasm_exporttype_copy(export_);
    wasm_exporttype_delete(export_);
    assert_int_equal(wasm_exporttype_name(export_copy)->size, 3);
    assert_memory_equal(wasm_exporttype_name(export_copy)->data, "a\0b", 3);
    assert_non_null(wasm_exporttype_type(export_copy));
    wasm_exporttype_delete(export_copy);

    wasm_name_new_from_string(&name, "lost");
    assert_null(wasm_exporttype_new(&name, NULL)); /* and the name is released */
}

static void vectors(void **state) {
    (void)state;
    wasm_byte_vec_t bytes, copy;
    wasm_byte_vec_new(&bytes, 4, "abcd");
    wasm_byte_vec_copy(&copy, &bytes);
    bytes.data[0] = 'x';
    assert_memory_equal(copy.data, "abcd", 4);
    wasm_byte_vec_delete(&bytes);
    assert_null(bytes.data);
    assert_int_equal(bytes.size, 0);
    wasm_byte_vec_delete(&bytes); /* again */
    wasm_byte_vec_delete(&copy);
    wasm_byte_vec_new_uninitialized(&bytes, SIZE_MAX);
    assert_int_equal(bytes.size, 0);
    wasm_val_vec_t values;
    wasm_val_vec_new_uninitialized(&values, SIZE_MAX / 8);
    assert_int_equal(values.size, 0);
    assert_null(values.data);

    wasm_valtype_t *elements[] = {wasm_valtype_new_i32(), wasm_valtype_new_f32()};
    wasm_valtype_vec_t types, types_copy;
    wasm_valtype_vec_new(&types, 2, elements);
    wasm_valtype_vec_copy(&types_copy, &types);
    wasm_valtype_vec_delete(&types);
    assert_int_equal(types_copy.size, 2);
    assert_int_equal(wasm_valtype_kind(types_copy.data[1]), WASM_F32);
    wasm_valtype_vec_delete(&types_copy);

    wasm_functype_vec_t functypes, functypes_copy;
    wasm_functype_vec_new_uninitialized(&functypes, 2);
    functypes.data[0] = wasm_functype_new_0_0();
    wasm_functype_vec_copy(&functypes_copy, &functypes); /* a NULL element stays NULL */
    assert_int_equal(functypes_copy.size, 2);
    assert_non_null(functypes_copy.data[0]);
    assert_null(functypes_copy.data[1]);
    wasm_functype_vec_delete(&functypes);
    wasm_functype_vec_delete(&functypes_copy);

    wasm_name_t name;
    wasm_name_new_from_string_nt(&name, "with NUL");
    assert_int_equal(name.size, 9);
    assert_string_equal(name.data, "with NUL");
    wasm_name_delete(&name);
}

static void plain_values(void **state) {
    (void)state;
    wasm_val_t value = WASM_I64_VAL(-1), copy;
    wasm_val_copy(&copy, &value);
    assert_int_equal(copy.kind, WASM_I64);
    assert_true(copy.of.i64 == -1);
    wasm_val_delete(&value);
    wasm_val_t null = WASM_INIT_VAL;
    wasm_val_delete(&null);
    int something;
    wasm_val_init_ptr(&value, &something);
    assert_ptr_equal(wasm_val_ptr(&value), &something);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_types),
        cmocka_unit_test(function_types),
        cmocka_unit_test(other_extern_types),
        cmocka_unit_test(import_and_export_types),
        cmocka_unit_test(vectors),
        cmocka_unit_test(plain_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
