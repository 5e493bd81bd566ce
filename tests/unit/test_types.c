#include "../support/module.h"

#include <pthread.h>

#include "types/registry.h"

static void equal_types_are_one_pointer(void **state) {
    (void)state;
    struct alloc alloc;
    struct type_registry registry;
    cn_alloc_init_default(&alloc);
    assert_true(cn_types_init(&registry, &alloc));
    const valtype a[] = {VT_I32, VT_V128, VT_F64}, b[] = {VT_I32, VT_V128, VT_F64};
    const struct functype *x = cn_types_intern_func(&registry, a, 2, 1);
    const struct functype *y = cn_types_intern_func(&registry, b, 2, 1);
    const struct functype *z = cn_types_intern_func(&registry, b, 1, 2);
    const struct functype *none = cn_types_intern_func(&registry, NULL, 0, 0);
    assert_ptr_equal(x, y);
    assert_ptr_not_equal(x, z);
    assert_int_equal(x->param_slots, 3);
    assert_int_equal(x->result_slots, 1);
    assert_int_equal(z->result_slots, 3);
    assert_int_equal(none->param_slots + none->result_slots, 0);
    assert_int_equal(ft_results(x)[0], VT_F64);
    assert_int_equal(registry.group_count, 3);
    cn_types_release(&registry, &x->def);
    assert_int_equal(registry.group_count, 3); /* y is the same type and is held */
    cn_types_retain(&registry, &y->def);
    cn_types_release(&registry, &y->def);
    cn_types_release(&registry, &y->def);
    cn_types_release(&registry, &z->def);
    cn_types_release(&registry, &none->def);
    assert_int_equal(registry.group_count, 0);
    cn_types_destroy(&registry);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

/* The types of n parameters made of the bits of i. */
static const struct functype *numbered(struct type_registry *registry, uint32_t i) {
    valtype types[20];
    for (uint32_t bit = 0; bit < 20; bit++)
        types[bit] = i >> bit & 1 ? VT_I32 : VT_I64;
    return cn_types_intern_func(registry, types, 20, 0);
}

static void many_types_stay_apart(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    struct alloc alloc;
    struct type_registry registry;
    cn_alloc_init_default(&alloc);
    assert_true(cn_types_init(&registry, &alloc));
    const struct functype **types = calloc(COUNT, sizeof *types);
    assert_non_null(types);
    for (uint32_t i = 0; i < COUNT; i++)
        types[i] = numbered(&registry, i);
    assert_int_equal(registry.group_count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_ptr_equal(numbered(&registry, i), types[i]);
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < COUNT; i++)
            cn_types_release(&registry, &types[i]->def);
    assert_int_equal(registry.group_count, 0);
    free(types);
    cn_types_destroy(&registry);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

static void *intern_and_release(void *argument) {
    struct type_registry *registry = argument;
    for (uint32_t i = 0; i < 20000; i++) {
        const struct functype *type = numbered(registry, i % 50);
        assert_non_null(type);
        cn_types_release(registry, &type->def);
    }
    return NULL;
}

static void threads_share_a_registry(void **state) {
    (void)state;
    struct alloc alloc;
    struct type_registry registry;
    pthread_t threads[4];
    cn_alloc_init_default(&alloc);
    assert_true(cn_types_init(&registry, &alloc));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, intern_and_release, &registry), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(registry.group_count, 0);
    cn_types_destroy(&registry);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

/* As if all ids had been given: there are too many types to make them all. */
static void types_run_out_of_ids(void **state) {
    (void)state;
    struct alloc alloc;
    struct type_registry registry;
    cn_alloc_init_default(&alloc);
    assert_true(cn_types_init(&registry, &alloc));
    const valtype types[] = {VT_I32, VT_I64};
    const struct functype *held = cn_types_intern_func(&registry, types, 1, 0);
    const struct functype *gone = cn_types_intern_func(&registry, types, 1, 1);
    uint32_t segments = registry.segment_count, next = registry.next_id;
    registry.segment_count = ID_SEGMENTS;
    registry.next_id = VT_ID + 1;
    assert_null(cn_types_intern_func(&registry, types, 0, 1));
    assert_ptr_equal(cn_types_intern_func(&registry, types, 1, 0), held);
    uint32_t id = gone->def.id;
    cn_types_release(&registry, &gone->def);
    const struct functype *again = cn_types_intern_func(&registry, types, 0, 1);
    assert_non_null(again);
    assert_int_equal(again->def.id, id);
    assert_null(cn_types_intern_func(&registry, types, 2, 0));
    registry.segment_count = segments;
    registry.next_id = next;
    cn_types_release(&registry, &again->def);
    cn_types_release(&registry, &held->def);
    cn_types_release(&registry, &held->def);
    cn_types_destroy(&registry);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

static void types_are_written_as_text(void **state) {
    (void)state;
    struct alloc alloc;
    struct type_registry registry;
    cn_alloc_init_default(&alloc);
    assert_true(cn_types_init(&registry, &alloc));
    const valtype types[] = {VT_I32, VT_I64, VT_F32, VT_F64, VT_V128, VT_FUNCREF, VT_EXTERNREF};
    const struct functype *type = cn_types_intern_func(&registry, types, 4, 3);
    const char *whole = "(i32, i64, f32, f64) -> (v128, funcref, externref)";
    char text[80];
    assert_string_equal(cn_functype_format(type, text, sizeof text), whole);
    for (size_t size = 1; size < sizeof text; size++) {
        memset(text, 'x', sizeof text);
        cn_functype_format(type, text, size);
        assert_int_equal(strlen(text), size - 1 < strlen(whole) ? size - 1 : strlen(whole));
        assert_memory_equal(text, whole, strlen(text));
    }
    cn_types_release(&registry, &type->def);
    type = cn_types_intern_func(&registry, NULL, 0, 0);
    assert_string_equal(cn_functype_format(type, text, sizeof text), "() -> ()");
    cn_types_release(&registry, &type->def);
    cn_types_destroy(&registry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_types_are_one_pointer), cmocka_unit_test(many_types_stay_apart),
        cmocka_unit_test(threads_share_a_registry),    cmocka_unit_test(types_run_out_of_ids),
        cmocka_unit_test(types_are_written_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
