/* Structures, arrays and numbers of 31 bits that the host makes, reads and writes, and their types. */
#include "objects.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#ifdef CATNAP_ZEAL /* each allocation looks at all objects */
#define NODES 200
#else
#define NODES 10000
#endif

enum { NODE, WIDE, BYTES, REFS, FUNCS, PUSH }; /* types of the module */

static catnap_deftype_t *type_of(const wasm_instance_t *instance, uint32_t index) {
    catnap_deftype_t *type = catnap_instance_deftype(instance, index);
    assert_non_null(type);
    return type;
}

static wasm_ref_t *new_struct(wasm_store_t *store, const catnap_deftype_t *type,
                              const catnap_val_t *values, size_t count) {
    catnap_error_t *error;
    wasm_ref_t *ref = catnap_struct_new(store, type, values, count, &error);
    assert_no_error(error);
    assert_non_null(ref);
    return ref;
}

static int32_t get_i32(const wasm_ref_t *ref, size_t field) {
    catnap_val_t value;
    assert_no_error(catnap_struct_get(ref, field, &value));
    assert_int_equal(value.kind, WASM_I32);
    return value.of.i32;
}

/* ---- Types ---- */

static void types_of_a_module_are_described(void **state) {
    wasm_instance_t *instance = INSTANTIATE(STORE(state), objects);
    catnap_deftype_t *node = type_of(instance, NODE), *wide = type_of(instance, WIDE),
                     *bytes = type_of(instance, BYTES), *push = type_of(instance, PUSH);
    catnap_fieldtype_t field;
    assert_int_equal(catnap_deftype_kind(node), CATNAP_DEFTYPE_STRUCT);
    assert_int_equal(catnap_deftype_kind(bytes), CATNAP_DEFTYPE_ARRAY);
    assert_int_equal(catnap_deftype_kind(push), CATNAP_DEFTYPE_FUNC);
    assert_int_equal(catnap_deftype_field_count(node), 2);
    assert_int_equal(catnap_deftype_field_count(wide), 3);
    assert_int_equal(catnap_deftype_field_count(bytes), 1);
    assert_int_equal(catnap_deftype_field_count(push), 0);
    assert_false(catnap_deftype_is_final(node));
    assert_true(catnap_deftype_is_final(bytes));

    assert_true(catnap_deftype_field(node, 0, &field));
    assert_int_equal(field.kind, WASM_I32);
    assert_true(field.is_mutable);
    assert_true(catnap_deftype_field(node, 1, &field));
    assert_int_equal(field.kind, CATNAP_ANYREF);
    assert_int_equal(field.heap, CATNAP_HEAP_DEFINED);
    assert_true(field.is_mutable && field.nullable);
    assert_true(catnap_deftype_same(field.type, node));
    catnap_deftype_delete(field.type);
    assert_false(catnap_deftype_field(node, 2, &field));
    assert_true(catnap_deftype_field(wide, 2, &field));
    assert_int_equal(field.kind, WASM_I64);
    assert_false(field.is_mutable);
    assert_true(catnap_deftype_field(bytes, 0, &field));
    assert_int_equal(field.kind, CATNAP_I8);

    assert_true(catnap_deftype_is_sub(wide, node));
    assert_true(catnap_deftype_is_sub(node, node));
    assert_false(catnap_deftype_is_sub(node, wide));
    catnap_deftype_t *super = catnap_deftype_supertype(wide);
    assert_true(catnap_deftype_same(super, node));
    assert_false(catnap_deftype_same(super, wide));
    assert_null(catnap_deftype_supertype(node));

    wasm_functype_t *described = catnap_deftype_functype(push);
    assert_int_equal(wasm_functype_params(described)->size, 1);
    assert_int_equal(wasm_functype_results(described)->size, 0);
    assert_null(catnap_deftype_functype(node));
    wasm_functype_delete(described);
    wasm_func_t *func = EXPORT(func, instance, "push");
    catnap_deftype_t *of_func = catnap_ref_deftype(wasm_func_as_ref(func));
    assert_true(catnap_deftype_same(of_func, push));
    catnap_deftype_delete(of_func);
    wasm_func_delete(func);

    assert_null(catnap_instance_deftype(instance, 1000));
    catnap_deftype_delete(super);
    catnap_deftype_delete(node);
    catnap_deftype_delete(wide);
    catnap_deftype_delete(push);
    wasm_instance_delete(instance);
    /* It outlives the instance. */
    assert_int_equal(catnap_deftype_kind(bytes), CATNAP_DEFTYPE_ARRAY);
    catnap_deftype_delete(bytes);
}

/* A type that the host defines is that of the module, and comes back as it was described. */
static void types_of_the_host_are_the_modules(void **state) {
    wasm_engine_t *engine = ((struct fixture *)*state)->engine;
    wasm_instance_t *instance = INSTANTIATE(STORE(state), objects);
    catnap_deftype_t *bytes = type_of(instance, BYTES);
    catnap_error_t *error;
    const catnap_fieldtype_t i8 = {.kind = CATNAP_I8, .is_mutable = true},
                             constant = {.kind = CATNAP_I8};
    catnap_deftype_t *own = catnap_deftype_new_array(engine, &i8, &error);
    assert_no_error(error);
    assert_true(catnap_deftype_same(own, bytes));
    catnap_deftype_t *other = catnap_deftype_new_array(engine, &constant, NULL);
    assert_false(catnap_deftype_same(own, other));

    const catnap_fieldtype_t fields[] = {
        {.kind = CATNAP_I16},
        {.kind = WASM_F64, .is_mutable = true},
        {.kind = WASM_V128},
        {.kind = WASM_FUNCREF, .nullable = true},
        {.kind = WASM_EXTERNREF, .nullable = true, .is_mutable = true},
        {.kind = CATNAP_EXNREF, .heap = CATNAP_HEAP_BOTTOM, .nullable = true},
        {.kind = CATNAP_ANYREF, .heap = CATNAP_HEAP_EQ},
        {.kind = CATNAP_ANYREF, .heap = CATNAP_HEAP_I31, .nullable = true},
        {.kind = CATNAP_ANYREF, .heap = CATNAP_HEAP_STRUCT},
        {.kind = CATNAP_ANYREF, .heap = CATNAP_HEAP_ARRAY},
        {.kind = CATNAP_ANYREF, .heap = CATNAP_HEAP_BOTTOM, .nullable = true},
        {.kind = CATNAP_ANYREF, .heap = CATNAP_HEAP_DEFINED, .type = bytes},
    };
    catnap_deftype_t *type = catnap_deftype_new_struct(engine, fields, COUNT(fields), &error);
    assert_no_error(error);
    assert_int_equal(catnap_deftype_field_count(type), COUNT(fields));
    for (size_t i = 0; i < COUNT(fields); i++) {
        catnap_fieldtype_t field;
        assert_true(catnap_deftype_field(type, i, &field));
        assert_int_equal(field.kind, fields[i].kind);
        assert_int_equal(field.is_mutable, fields[i].is_mutable);
        assert_int_equal(field.nullable, fields[i].nullable);
        assert_int_equal(field.heap, fields[i].heap);
        assert_int_equal(field.type != NULL, fields[i].type != NULL);
        assert_true(!field.type || catnap_deftype_same(field.type, bytes));
        catnap_deftype_delete(field.type);
    }
    catnap_deftype_t *copy = catnap_deftype_copy(type);
    assert_true(catnap_deftype_same(copy, type));
    catnap_deftype_delete(copy);
    catnap_deftype_delete(type);
    catnap_deftype_delete(other);
    catnap_deftype_delete(own);
    catnap_deftype_delete(bytes);
    wasm_instance_delete(instance);
}

static void types_that_are_none_are_refused(void **state) {
    wasm_engine_t *engine = ((struct fixture *)*state)->engine, *plain = wasm_engine_new();
    const catnap_fieldtype_t i32 = {.kind = WASM_I32};
    catnap_error_t *error;
    catnap_deftype_t *known = catnap_deftype_new_array(engine, &i32, NULL);
    const catnap_fieldtype_t wrong[] = {
        {.kind = 77},
        {.kind = WASM_FUNCREF, .heap = CATNAP_HEAP_I31},
        {.kind = WASM_EXTERNREF, .heap = CATNAP_HEAP_DEFINED, .type = known},
        {.kind = CATNAP_ANYREF, .heap = CATNAP_HEAP_DEFINED},
        {.kind = CATNAP_ANYREF, .heap = 99},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_null(catnap_deftype_new_array(engine, &wrong[i], &error));
        assert_error(error, CATNAP_MISUSE, "field 0 has no type");
    }
    assert_null(catnap_deftype_new_array(plain, &i32, &error));
    assert_error(error, CATNAP_UNSUPPORTED, "needs the feature gc");
    assert_null(catnap_deftype_new_array(engine, NULL, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    catnap_fieldtype_t *many = calloc(10001, sizeof *many);
    assert_null(catnap_deftype_new_struct(engine, many, 10001, &error));
    assert_error(error, CATNAP_LIMIT, "10000 fields");
    catnap_deftype_t *most = catnap_deftype_new_struct(engine, many, 10000, &error);
    assert_no_error(error);
    catnap_deftype_delete(most);
    free(many);
    catnap_deftype_delete(known);
    wasm_engine_delete(plain);
}

/* ---- Structures ---- */

/* The host reads a list that the module made, and changes it. */
static void the_host_walks_a_list(void **state) {
    wasm_instance_t *instance = INSTANTIATE(STORE(state), objects);
    catnap_deftype_t *node = type_of(instance, NODE);
    for (int32_t i = 0; i < 10; i++)
        CALL(instance, "push", i);
    wasm_global_t *list = EXPORT(global, instance, "list");
    catnap_val_t at;
    int32_t sum = 0;
    catnap_global_get(list, &at);
    for (int32_t i = 9; at.of.ref; i--) {
        catnap_val_t next, changed = of_i32(i * 100);
        catnap_deftype_t *type = catnap_ref_deftype(at.of.ref);
        assert_true(catnap_deftype_same(type, node));
        catnap_deftype_delete(type);
        assert_int_equal(get_i32(at.of.ref, 0), i);
        sum += i * 100;
        assert_no_error(catnap_struct_set(at.of.ref, 0, &changed));
        assert_no_error(catnap_struct_get(at.of.ref, 1, &next));
        assert_int_equal(next.kind, CATNAP_ANYREF);
        wasm_ref_delete(at.of.ref);
        at = next;
    }
    assert_int_equal(CALL(instance, "sum", 0), sum);
    catnap_deftype_delete(node);
    wasm_global_delete(list);
    wasm_instance_delete(instance);
}

/* Nodes, of which the host keeps the last, beside garbage of five times what the heap may take. */
static void the_host_makes_a_list(void **state) {
    wasm_store_t *store = STORE(state);
    limit_memory(store, 2 << 20);
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    catnap_deftype_t *node = type_of(instance, NODE), *wide = type_of(instance, WIDE);
    wasm_ref_t *last = NULL;
    int32_t sum = 0;
    for (int32_t i = 0; i < NODES; i++) {
        const catnap_val_t values[] = {
            of_i32(i), of_ref(CATNAP_ANYREF, last), {.kind = WASM_I64, .of.i64 = -i}};
        bool more = i % 3 == 0;
        for (int32_t k = 0; k < 40; k++)
            wasm_ref_delete(new_struct(store, wide, NULL, 0));
        wasm_ref_t *next = new_struct(store, more ? wide : node, values, more ? 3 : 2);
        wasm_ref_delete(last);
        last = next;
        sum += i;
    }
    wasm_global_t *list = EXPORT(global, instance, "list");
    const catnap_val_t value = of_ref(CATNAP_ANYREF, last);
    assert_no_error(catnap_global_set(list, &value));
    wasm_ref_delete(last);
    assert_int_equal(CALL(instance, "sum", 0), sum);
    catnap_deftype_delete(node);
    catnap_deftype_delete(wide);
    wasm_global_delete(list);
    wasm_instance_delete(instance);
}

static void fields_of_all_kinds(void **state) {
    wasm_store_t *store = STORE(state);
    const catnap_fieldtype_t fields[] = {
        {.kind = CATNAP_I8, .is_mutable = true},
        {.kind = WASM_V128, .is_mutable = true},
        {.kind = CATNAP_I16, .is_mutable = true},
        {.kind = WASM_F64, .is_mutable = true},
        {.kind = WASM_F32, .is_mutable = true},
        {.kind = WASM_I64, .is_mutable = true},
        {.kind = WASM_EXTERNREF, .is_mutable = true, .nullable = true},
        {.kind = CATNAP_ANYREF, .is_mutable = true, .nullable = true},
    };
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_ref_t *number = catnap_i31_new(store, -5, NULL), *host = wasm_foreign_as_ref(foreign);
    catnap_deftype_t *type =
        catnap_deftype_new_struct(((struct fixture *)*state)->engine, fields, COUNT(fields), NULL);
    const catnap_val_t values[] = {
        of_i32(0x1FF),
        {.kind = WASM_V128, .of.v128 = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
        of_i32(-2),
        {.kind = WASM_F64, .of.f64 = 0.5},
        {.kind = WASM_F32, .of.f32 = -1.5f},
        {.kind = WASM_I64, .of.i64 = INT64_MIN},
        of_ref(WASM_EXTERNREF, host),
        of_ref(CATNAP_ANYREF, number),
    };
    wasm_ref_t *made = new_struct(store, type, values, COUNT(values)),
               *set = new_struct(store, type, NULL, 0), *objects_of[] = {made, set};
    for (size_t i = 0; i < COUNT(values); i++)
        assert_no_error(catnap_struct_set(set, i, &values[i]));
    for (size_t k = 0; k < 2; k++) {
        catnap_val_t out[COUNT(values)];
        for (size_t i = 0; i < COUNT(values); i++)
            assert_no_error(catnap_struct_get(objects_of[k], i, &out[i]));
        assert_int_equal(out[0].of.i32, 0xFF); /* cut, and extended by zeros */
        assert_memory_equal(out[1].of.v128, values[1].of.v128, 16);
        assert_int_equal(out[2].of.i32, 0xFFFE);
        assert_true(out[3].of.f64 == 0.5 && out[4].of.f32 == -1.5f);
        assert_int_equal(out[5].of.i64, INT64_MIN);
        assert_true(wasm_ref_same(out[6].of.ref, host));
        assert_true(wasm_ref_same(out[7].of.ref, number));
        for (size_t i = 0; i < COUNT(values); i++)
            assert_int_equal(out[i].kind, i == 0 || i == 2 ? WASM_I32 : fields[i].kind);
        wasm_ref_delete(out[6].of.ref);
        wasm_ref_delete(out[7].of.ref);
    }
    wasm_ref_delete(made);
    wasm_ref_delete(set);
    wasm_ref_delete(number);
    wasm_foreign_delete(foreign);
    catnap_deftype_delete(type);
}

static void values_that_do_not_fit_are_refused(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_engine_t *engine = ((struct fixture *)*state)->engine;
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    catnap_deftype_t *node = type_of(instance, NODE), *wide = type_of(instance, WIDE),
                     *bytes = type_of(instance, BYTES);
    wasm_ref_t *number = catnap_i31_new(store, 1, NULL);
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    catnap_error_t *error;
    catnap_val_t values[] = {of_i32(1), of_ref(CATNAP_ANYREF, number)}, out;
    const catnap_val_t host = of_ref(WASM_EXTERNREF, wasm_foreign_as_ref(foreign)),
                       null = of_ref(CATNAP_ANYREF, NULL), one = of_i32(1);
    assert_null(catnap_struct_new(store, node, values, 2, &error));
    assert_error(error, CATNAP_MISUSE, "value 1 is an object of another type");
    values[1] = host;
    assert_null(catnap_struct_new(store, node, values, 2, &error));
    assert_error(error, CATNAP_MISUSE, "value 1 is a host object");
    values[1] = one;
    assert_null(catnap_struct_new(store, node, values, 2, &error));
    assert_error(error, CATNAP_MISUSE, "value 1 is not a reference");
    assert_null(catnap_struct_new(store, node, values, 1, &error));
    assert_error(error, CATNAP_MISUSE, "1 values for a structure of 2 fields");
    assert_null(catnap_struct_new(store, bytes, values, 1, &error));
    assert_error(error, CATNAP_MISUSE, "not that of a structure");
    assert_null(catnap_array_new(store, node, 1, NULL, &error));
    assert_error(error, CATNAP_MISUSE, "not that of an array");

    /* Of another engine or store. */
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_features(config, CATNAP_FEATURES_ALL);
    wasm_engine_t *other = wasm_engine_new_with_config(config);
    wasm_store_t *other_store = wasm_store_new(engine);
    const catnap_fieldtype_t i8 = {.kind = CATNAP_I8, .is_mutable = true},
                             some = {.kind = CATNAP_ANYREF};
    catnap_deftype_t *alien = catnap_deftype_new_array(other, &i8, NULL);
    assert_false(catnap_deftype_same(alien, bytes));
    assert_false(catnap_deftype_is_sub(alien, bytes));
    assert_null(catnap_array_new(store, alien, 1, NULL, &error));
    assert_error(error, CATNAP_MISUSE, "in the store's engine");
    values[1] = of_ref(CATNAP_ANYREF, number);
    assert_null(catnap_struct_new(other_store, node, values, 2, &error));
    assert_error(error, CATNAP_MISUSE, "of another store");

    /* References that cannot be null have no default. */
    catnap_deftype_t *never_null = catnap_deftype_new_array(engine, &some, NULL),
                     *needs_it = catnap_deftype_new_struct(engine, &some, 1, NULL);
    assert_null(catnap_array_new(store, never_null, 3, NULL, &error));
    assert_error(error, CATNAP_MISUSE, "no default");
    assert_null(catnap_struct_new(store, needs_it, NULL, 0, &error));
    assert_error(error, CATNAP_MISUSE, "no default");
    assert_null(catnap_array_new(store, never_null, 3, &null, &error));
    assert_error(error, CATNAP_MISUSE, "value 0 is null");
    wasm_ref_t *empty = catnap_array_new_fixed(store, never_null, NULL, 0, &error);
    assert_no_error(error);
    assert_int_equal(catnap_array_length(empty), 0);
    assert_error(catnap_array_get(empty, 0, &out), CATNAP_NOT_FOUND, "0 elements");

    wasm_ref_t *made = new_struct(store, wide, NULL, 0);
    const catnap_val_t i64 = {.kind = WASM_I64, .of.i64 = 1};
    assert_error(catnap_struct_set(made, 2, &i64), CATNAP_MISUSE, "immutable");
    assert_error(catnap_struct_set(made, 0, &i64), CATNAP_MISUSE, "the field's type is i32");
    assert_error(catnap_struct_set(made, 3, &i64), CATNAP_NOT_FOUND, "no field 3");
    assert_error(catnap_struct_get(made, 3, &out), CATNAP_NOT_FOUND, "no field 3");
    assert_error(catnap_struct_get(number, 0, &out), CATNAP_MISUSE, "not to a structure");
    assert_error(catnap_struct_get(host.of.ref, 0, &out), CATNAP_MISUSE, "not to a structure");
    assert_error(catnap_struct_get(NULL, 0, &out), CATNAP_MISUSE, "NULL");
    assert_error(catnap_array_get(made, 0, &out), CATNAP_MISUSE, "not to an array");
    assert_int_equal(catnap_array_length(made), 0);
    assert_null(catnap_ref_deftype(number));
    assert_null(catnap_ref_deftype(host.of.ref));
    assert_null(catnap_ref_deftype(NULL));

    wasm_ref_delete(made);
    wasm_ref_delete(empty);
    catnap_deftype_delete(never_null);
    catnap_deftype_delete(needs_it);
    catnap_deftype_delete(alien);
    wasm_store_delete(other_store);
    wasm_engine_delete(other);
    wasm_foreign_delete(foreign);
    wasm_ref_delete(number);
    catnap_deftype_delete(node);
    catnap_deftype_delete(wide);
    catnap_deftype_delete(bytes);
    wasm_instance_delete(instance);
}

/* ---- Arrays ---- */

static void arrays_of_bytes(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    catnap_deftype_t *bytes = type_of(instance, BYTES);
    catnap_error_t *error;
    const catnap_val_t seven = of_i32(0x107), three[] = {of_i32(1), of_i32(-1), of_i32(3)};
    wasm_ref_t *array = catnap_array_new(store, bytes, 100000, &seven, &error);
    assert_no_error(error);
    assert_int_equal(catnap_array_length(array), 100000);
    catnap_val_t value;
    for (uint32_t i = 0; i < 100000; i += 99999) {
        assert_no_error(catnap_array_get(array, i, &value));
        assert_int_equal(value.of.i32, 7);
    }
    assert_no_error(catnap_array_set(array, 99999, &three[1]));
    assert_no_error(catnap_array_get(array, 99999, &value));
    assert_int_equal(value.of.i32, 0xFF);
    assert_error(catnap_array_get(array, 100000, &value), CATNAP_NOT_FOUND, "from 100000 on");
    assert_error(catnap_array_set(array, 100000, &value), CATNAP_NOT_FOUND, "from 100000 on");

    char text[6] = "hello", back[6];
    assert_no_error(catnap_array_write(array, 50000, 5, text));
    assert_no_error(catnap_array_read(array, 49999, 6, back));
    assert_int_equal(back[0], 7);
    assert_memory_equal(back + 1, text, 5);
    assert_no_error(catnap_array_read(array, 100000, 0, NULL));
    assert_error(catnap_array_read(array, 99999, 2, back), CATNAP_NOT_FOUND, "2 elements");
    assert_error(catnap_array_write(array, UINT32_MAX, 2, back), CATNAP_NOT_FOUND, "2 elements");
    assert_error(catnap_array_write(array, 0, 2, NULL), CATNAP_MISUSE, "NULL");

    wasm_ref_t *fixed = catnap_array_new_fixed(store, bytes, three, 3, &error);
    assert_no_error(error);
    assert_no_error(catnap_array_read(fixed, 0, 3, back));
    assert_memory_equal(back, "\1\377\3", 3);
    wasm_ref_delete(fixed);
    wasm_ref_delete(array);
    catnap_deftype_delete(bytes);
    wasm_instance_delete(instance);
}

/* Objects of each kind in one array; a collection keeps them through it. */
static void arrays_of_references(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    catnap_deftype_t *refs = type_of(instance, REFS), *funcs = type_of(instance, FUNCS),
                     *node = type_of(instance, NODE);
    catnap_error_t *error;
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_ref_t *host = wasm_foreign_as_ref(foreign);
    wasm_ref_t *inner = new_struct(store, node, NULL, 0), *number = catnap_i31_new(store, 3, NULL);
    const catnap_val_t values[] = {of_ref(CATNAP_ANYREF, inner), of_ref(WASM_EXTERNREF, host),
                                   of_ref(CATNAP_ANYREF, number), of_ref(CATNAP_ANYREF, NULL)},
                       five = of_i32(5);
    assert_no_error(catnap_struct_set(inner, 0, &five));
    wasm_ref_t *array = catnap_array_new_fixed(store, refs, values, 4, &error);
    assert_no_error(error);
    wasm_ref_delete(inner);
    wasm_ref_delete(number);
    CALL(instance, "churn", 20000);
    catnap_val_t out;
    int32_t small = 0;
    assert_no_error(catnap_array_get(array, 0, &out));
    assert_int_equal(get_i32(out.of.ref, 0), 5);
    assert_false(catnap_i31_get(out.of.ref, &small));
    wasm_ref_delete(out.of.ref);
    assert_no_error(catnap_array_get(array, 1, &out));
    assert_true(wasm_ref_same(out.of.ref, host));
    wasm_ref_delete(out.of.ref);
    assert_no_error(catnap_array_get(array, 2, &out));
    assert_true(catnap_i31_get(out.of.ref, &small));
    assert_int_equal(small, 3);
    wasm_ref_delete(out.of.ref);
    assert_no_error(catnap_array_get(array, 3, &out));
    assert_null(out.of.ref);
    char bytes[16];
    assert_error(catnap_array_read(array, 0, 1, bytes), CATNAP_MISUSE, "are references");

    wasm_func_t *push = EXPORT(func, instance, "push");
    const catnap_val_t func = of_ref(WASM_FUNCREF, wasm_func_as_ref(push));
    wasm_ref_t *table = catnap_array_new(store, funcs, 3, &func, &error);
    assert_no_error(error);
    assert_no_error(catnap_array_get(table, 2, &out));
    assert_int_equal(out.kind, WASM_FUNCREF);
    assert_true(wasm_ref_same(out.of.ref, func.of.ref));
    wasm_ref_delete(out.of.ref);
    assert_error(catnap_array_set(table, 0, &values[1]), CATNAP_MISUSE, "is not");
    wasm_ref_delete(table);
    wasm_func_delete(push);
    wasm_ref_delete(array);
    wasm_foreign_delete(foreign);
    catnap_deftype_delete(refs);
    catnap_deftype_delete(funcs);
    catnap_deftype_delete(node);
    wasm_instance_delete(instance);
}

static void numbers_of_31_bits(void **state) {
    static const int32_t numbers[][2] = {
        {0, 0},         {-1, -1},        {0x3FFFFFFF, 0x3FFFFFFF}, {0x40000000, -0x40000000},
        {INT32_MIN, 0}, {INT32_MAX, -1},
    };
    catnap_error_t *error;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        int32_t number;
        wasm_ref_t *ref = catnap_i31_new(STORE(state), numbers[i][0], &error);
        assert_no_error(error);
        assert_true(catnap_i31_get(ref, &number));
        assert_int_equal(number, numbers[i][1]);
        wasm_ref_delete(ref);
    }
    /* As a slot it is no object, which could go before WebAssembly has it. */
    wasm_ref_t *one = catnap_i31_new(STORE(state), 1, NULL);
    assert_true(catnap_slot_of_ref(one) != 0);
    assert_null(catnap_ref_of_slot(catnap_slot_of_ref(one)));
    wasm_ref_delete(one);
    assert_int_equal(catnap_slot_of_ref(NULL), 0);
    assert_false(catnap_i31_get(NULL, &(int32_t){0}));
    assert_null(catnap_i31_new(NULL, 1, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
}

/* ---- Exhausted memory ---- */

/* An array that is too large for the store's limit is refused, and the store goes on. */
static void a_full_heap_is_an_error(void **state) {
    wasm_store_t *store = STORE(state);
    limit_memory(store, 4 << 20);
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    catnap_deftype_t *bytes = type_of(instance, BYTES);
    catnap_error_t *error;
    wasm_ref_t *held[8];
    size_t count = 0;
    assert_null(catnap_array_new(store, bytes, UINT32_MAX, NULL, &error));
    assert_error(error, CATNAP_NO_MEMORY, "no room");
    while ((held[count] = catnap_array_new(store, bytes, 1 << 20, NULL, &error)))
        assert_true(++count < COUNT(held));
    assert_error(error, CATNAP_NO_MEMORY, "no room");
    assert_true(count >= 2);
    while (count > 0)
        wasm_ref_delete(held[--count]);
    wasm_ref_t *array = catnap_array_new(store, bytes, 1 << 20, NULL, &error);
    assert_no_error(error);
    wasm_ref_delete(array);
    catnap_deftype_delete(bytes);
    wasm_instance_delete(instance);
}

static void count(void *counter) {
    ++*(int *)counter;
}

/* One call frees what the heap kept, and objects of the host that only the heap referred to. */
static void a_collection_is_asked_for(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_heap_stats_t before, after;
    catnap_store_heap_stats(store, &before);
    assert_int_equal(before.heap_bytes, 0);
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    catnap_deftype_t *refs = type_of(instance, REFS), *bytes = type_of(instance, BYTES);
    int finalized = 0;
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count);
    const catnap_val_t host = of_ref(WASM_EXTERNREF, wasm_foreign_as_ref(foreign));
    wasm_ref_t *array = catnap_array_new(store, refs, 10, &host, NULL),
               *large = catnap_array_new(store, bytes, 10 << 20, NULL, NULL);
    wasm_foreign_delete(foreign);
    catnap_store_heap_stats(store, &after);
    catnap_store_collect(store);
    assert_int_equal(finalized, 0);
    catnap_store_heap_stats(store, &before);
    assert_true(before.live_bytes > 10 << 20 && before.heap_bytes > 10 << 20);
    assert_int_equal(before.full_collections, after.full_collections + 1);

    wasm_ref_delete(array);
    wasm_ref_delete(large);
    catnap_store_collect(store);
    assert_int_equal(finalized, 1);
    catnap_store_heap_stats(store, &after);
    assert_int_equal(after.live_bytes, 0);
    assert_true(after.heap_bytes < 1 << 20);
    assert_int_equal(after.heap_peak_bytes, before.heap_peak_bytes);
    assert_int_equal(after.allocated_bytes, before.allocated_bytes);
    catnap_store_stats_t stats;
    catnap_store_stats(store, &stats);
    assert_int_equal(stats.memory_bytes, 0);
    catnap_store_heap_stats(NULL, &after);
    assert_int_equal(after.collections, 0);
    catnap_deftype_delete(refs);
    catnap_deftype_delete(bytes);
    wasm_instance_delete(instance);
}

/* The heap has a limit of its own beside that of all memory. */
static void the_heap_has_its_own_limit(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    assert_int_equal(limits.heap_bytes, UINT64_MAX);
    limits.heap_bytes = 1 << 20;
    catnap_store_set_limits(store, &limits);
    wasm_instance_t *instance = INSTANTIATE(store, objects);
    catnap_deftype_t *bytes = type_of(instance, BYTES);
    catnap_error_t *error;
    assert_null(catnap_array_new(store, bytes, 1 << 20, NULL, &error));
    assert_error(error, CATNAP_NO_MEMORY, "no room");
    wasm_ref_t *array = catnap_array_new(store, bytes, 700000, NULL, &error);
    assert_no_error(error);
    wasm_ref_delete(array);
    assert_trap(CALL_TRAP(instance, "big", 1 << 20), CATNAP_TRAP_NO_MEMORY, "exhausted");
    catnap_deftype_delete(bytes);
    wasm_instance_delete(instance);
}

struct starving {
    uint64_t count, fail_at; /* the allocation that fails, and all after it; 0: none */
    uint64_t held;           /* bytes */
};

static void *starving_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct starving *s = env;
    bool refused = new_size > old_size && s->fail_at && ++s->count >= s->fail_at;
    if (refused)
        return NULL;
    s->held += new_size - old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    return realloc(pointer, new_size);
}

/* Each step of a small program; true when all were done. An error is one of memory. */
static bool make_a_few(wasm_engine_t *engine, wasm_store_t *store) {
    const catnap_fieldtype_t fields[] = {
        {.kind = CATNAP_ANYREF, .nullable = true, .is_mutable = true},
        {.kind = WASM_EXTERNREF, .nullable = true, .is_mutable = true}};
    catnap_error_t *error = NULL;
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    catnap_deftype_t *pair = NULL, *list = NULL;
    wasm_ref_t *made = NULL, *array = NULL;
    catnap_val_t out = {.kind = WASM_I32};
    const catnap_val_t host = of_ref(WASM_EXTERNREF, foreign ? wasm_foreign_as_ref(foreign) : NULL),
                       values[] = {host, host};
    bool done = foreign && (pair = catnap_deftype_new_struct(engine, fields, 2, &error)) &&
                (list = catnap_deftype_new_array(engine, &fields[0], &error)) &&
                (made = catnap_struct_new(store, pair, values, 2, &error)) &&
                (array = catnap_array_new(store, list, 5, &values[0], &error)) &&
                !(error = catnap_array_set(array, 3, &host)) &&
                !(error = catnap_struct_get(made, 0, &out));
    if (error)
        assert_error(error, CATNAP_NO_MEMORY, "");
    if (out.kind == CATNAP_ANYREF)
        wasm_ref_delete(out.of.ref);
    wasm_ref_delete(made);
    wasm_ref_delete(array);
    catnap_deftype_delete(pair);
    catnap_deftype_delete(list);
    wasm_foreign_delete(foreign);
    return done;
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    uint64_t failures = 0;
    for (bool done = false; !done; failures++) {
        struct starving starving = {0};
        catnap_allocator_t allocator = {starving_realloc, &starving};
        wasm_config_t *config = wasm_config_new();
        catnap_config_set_features(config, CATNAP_FEATURES_ALL);
        catnap_config_set_allocator(config, &allocator);
        wasm_engine_t *engine = wasm_engine_new_with_config(config);
        wasm_store_t *store = wasm_store_new(engine);
        starving.fail_at = failures + 1;
        done = make_a_few(engine, store);
        starving.fail_at = 0;
        assert_true(make_a_few(engine, store)); /* it goes on */
        wasm_store_delete(store);
        wasm_engine_delete(engine);
        assert_int_equal(starving.held, 0);
    }
    assert_true(failures > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        GC_TEST(types_of_a_module_are_described),
        GC_TEST(types_of_the_host_are_the_modules),
        GC_TEST(types_that_are_none_are_refused),
        GC_TEST(the_host_walks_a_list),
        GC_TEST(the_host_makes_a_list),
        GC_TEST(fields_of_all_kinds),
        GC_TEST(values_that_do_not_fit_are_refused),
        GC_TEST(arrays_of_bytes),
        GC_TEST(arrays_of_references),
        GC_TEST(numbers_of_31_bits),
        GC_TEST(a_full_heap_is_an_error),
        GC_TEST(a_collection_is_asked_for),
        GC_TEST(the_heap_has_its_own_limit),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("api/gc_objects", tests, NULL, NULL);
}
