/* Where fields lie, references, and the numbering of keys. */
#include "world.h"

/* ---- Layout ---- */

static void fields_are_aligned_and_in_order(void **state) {
    (void)state;
    static const uint32_t mixed[] = {4, 8, 16, 24, 28, 32, 36, 40, 56, 60};
    struct world w;
    struct heap_field fields[13];
    world_open(&w, NULL);
    assert_int_equal(cn_layout_struct(dt_fields(w.defs[T_MIXED]), fields), 64);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(fields[i].offset, mixed[i]);
        assert_int_equal(fields[i].type, dt_parts(w.defs[T_MIXED])[i]);
    }
    /* A subtype's fields begin as its supertype's. */
    assert_int_equal(cn_layout_struct(dt_fields(w.defs[T_SUB]), fields), 88);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(fields[i].offset, mixed[i]);
    assert_int_equal(fields[10].offset, 64);
    assert_int_equal(fields[11].offset, 72);
    assert_int_equal(fields[12].offset, 80);
    assert_int_equal(cn_layout_struct(dt_fields(w.defs[T_EMPTY]), NULL), 8);
    assert_int_equal(cn_layout_struct(dt_fields(w.defs[T_PAIR]), NULL), 16);
    world_close(&w);
}

static void arrays_have_their_elements_behind_the_length(void **state) {
    (void)state;
    assert_int_equal(cn_array_bytes(0, 0), 8);
    assert_int_equal(cn_array_bytes(0, 1), 16);
    assert_int_equal(cn_array_bytes(0, 8), 16);
    assert_int_equal(cn_array_bytes(1, 5), 24);
    assert_int_equal(cn_array_bytes(2, 3), 24);
    assert_int_equal(cn_array_bytes(4, UINT32_MAX), UINT64_C(8) + UINT64_C(16) * UINT32_MAX);
    assert_int_equal(cn_array_bytes(0, UINT32_MAX), (UINT64_C(1) << 32) + 8);
}

static void types_are_described(void **state) {
    (void)state;
    struct world w;
    struct error error;
    world_open(&w, NULL);
    const struct heap_type *mixed = &w.heap->types[w.type[T_MIXED]];
    static const struct heap_run runs[] = {{8, 1, false}, {24, 1, true},  {32, 1, false},
                                           {36, 1, true}, {56, 1, false}, {60, 1, true},
                                           {0, 0, false}};
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(mixed->runs[i].offset, runs[i].offset);
        assert_int_equal(mixed->runs[i].count, runs[i].count);
        assert_int_equal(mixed->runs[i].side, runs[i].side);
    }
    const struct heap_type *wide = &w.heap->types[w.type[T_WIDE]];
    assert_int_equal(wide->runs[0].count, WIDE_FIELDS); /* side by side: one run */
    assert_int_equal(wide->runs[1].count, 0);
    assert_int_equal(w.heap->types[w.type[T_ANYS]].refs, REFS_HANDLES);
    assert_int_equal(w.heap->types[w.type[T_FUNCS]].refs, REFS_SIDE);
    assert_int_equal(w.heap->types[w.type[T_V128]].refs, REFS_NONE);
    assert_int_equal(w.heap->types[w.type[T_V128]].log2, 4);
    assert_int_equal(w.heap->types[w.type[T_EMPTY]].refs, REFS_NONE);
    for (uint32_t i = 0; i < T_COUNT; i++) /* a type has one number */
        assert_int_equal(cn_heap_add_type(w.heap, dt_fields(w.defs[i]), &error), w.type[i]);
    assert_int_equal(w.type[0], HEAP_BOX_TYPE + 1);
    world_close(&w);
}

static void objects_know_their_supertypes(void **state) {
    (void)state;
    struct world w;
    world_open(&w, NULL);
    uint32_t sub = cn_heap_new_struct(w.heap, w.type[T_SUB]);
    uint32_t mixed = cn_heap_new_struct(w.heap, w.type[T_MIXED]);
    uint32_t box = cn_heap_new_box(w.heap, host_slot(1, KIND_EXTERN));
    uint32_t sub_id = w.defs[T_SUB]->id, mixed_id = w.defs[T_MIXED]->id;
    assert_true(heap_is_of(w.heap, sub, sub_id, 1));
    assert_true(heap_is_of(w.heap, sub, mixed_id, 0));
    assert_false(heap_is_of(w.heap, mixed, sub_id, 1));
    assert_true(heap_is_of(w.heap, mixed, mixed_id, 0));
    assert_false(heap_is_of(w.heap, mixed, w.defs[T_PAIR]->id, 0));
    assert_false(heap_is_of(w.heap, box, mixed_id, 0));
    world_close(&w);
}

static void handles_and_slots(void **state) {
    (void)state;
    assert_int_equal(heap_offset(heap_handle(LIMIT_HEAP_BYTES - 8)), LIMIT_HEAP_BYTES - 8);
    assert_false(heap_is_i31(heap_handle(LIMIT_HEAP_BYTES - 8)));
    assert_true(heap_is_i31(heap_i31(0)));
    assert_int_equal(heap_i31(0x7FFFFFFF), UINT32_MAX);
    assert_false(heap_is_object(0));
    assert_false(heap_is_object(heap_i31(4)));
    assert_true(heap_is_object(128));
    assert_int_equal(heap_extern_slot(0), 0);
    assert_true(heap_slot_is_converted(heap_extern_slot(heap_i31(7))));
    assert_int_equal(heap_converted(heap_extern_slot(0xFFFFFFF8)), 0xFFFFFFF8);
    assert_false(heap_slot_is_converted(host_slot(3, KIND_EXTERN)));
    assert_false(heap_slot_is_converted(0));
}

/* ---- Numbering ---- */

/* From its keys by number. */
static void restores_to_the_same(const struct numbering *n, const uint32_t *numbers,
                                 uint32_t count) {
    struct numbering copy;
    uint64_t *keys = calloc(n->end, sizeof *keys);
    assert_non_null(keys);
    for (uint32_t i = 1; i < n->end; i++)
        keys[i] = cn_numbering_has(n, i) ? n->keys[i] : 0;
    cn_numbering_init(&copy, n->alloc);
    assert_true(cn_numbering_restore(&copy, keys, n->end));
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(cn_numbering_find(&copy, (uint64_t)i * 16 + 16), numbers[i]);
    assert_int_equal(copy.count, n->count);
    uint32_t added = cn_numbering_add(&copy, 7); /* a free number, when there is one */
    assert_true(added > 0 && (n->count + 1 == n->end || added < n->end));
    cn_numbering_destroy(&copy);
    free(keys);
}

static void equal_keys_have_one_number(void **state) {
    (void)state;
    enum { KEYS = 2000 };
    static uint32_t numbers[KEYS];
    struct alloc alloc;
    struct numbering n;
    uint64_t seed = 5;
    cn_alloc_init_default(&alloc);
    cn_numbering_init(&n, &alloc);
    assert_int_equal(cn_numbering_find(&n, 7), 0);
    assert_false(cn_numbering_has(&n, 0));
    for (uint32_t step = 0; step < 100000; step++) {
        uint32_t i = world_random(&seed) % KEYS;
        uint64_t key = (uint64_t)i * 16 + 16;
        assert_int_equal(cn_numbering_find(&n, key), numbers[i]);
        if (world_random(&seed) % 2) {
            uint32_t number = cn_numbering_add(&n, key);
            assert_true(number > 0 && (!numbers[i] || numbers[i] == number));
            assert_int_equal(n.keys[number], key);
            numbers[i] = number;
        } else if (numbers[i]) {
            cn_numbering_remove(&n, numbers[i]);
            assert_false(cn_numbering_has(&n, numbers[i]));
            numbers[i] = 0;
        }
    }
    assert_true(n.end <= KEYS + 1); /* numbers are given again */
    uint32_t count = 0;
    for (uint32_t i = 0; i < KEYS; i++)
        count += numbers[i] > 0;
    assert_int_equal(n.count, count);
    restores_to_the_same(&n, numbers, KEYS);
    cn_numbering_destroy(&n);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

/* Multiplied by the usual constant, all of these keys have upper halves of zero. A guest may
 * choose such keys, as handles of converted references. */
static void places_cannot_be_foreseen(void **state) {
    (void)state;
    enum { KEYS = 300000 };
    struct alloc alloc;
    struct numbering n;
    cn_alloc_init_default(&alloc);
    cn_numbering_init(&n, &alloc);
    for (uint64_t i = 1; i <= KEYS; i++)
        assert_int_equal(cn_numbering_add(&n, UINT64_C(0xF1DE83E19937733D) * i), i);
    cn_numbering_destroy(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_aligned_and_in_order),
        cmocka_unit_test(arrays_have_their_elements_behind_the_length),
        cmocka_unit_test(types_are_described),
        cmocka_unit_test(objects_know_their_supertypes),
        cmocka_unit_test(handles_and_slots),
        cmocka_unit_test(equal_keys_have_one_number),
        cmocka_unit_test(places_cannot_be_foreseen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
