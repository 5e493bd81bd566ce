#include "../support/module.h"

#include "base/alloc.h"

/* An allocator that counts and can be told to fail. */
struct counting {
    size_t calls, bytes;
    bool fails;
};

static void *counting_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct counting *c = env;
    c->calls++;
    assert_int_equal(pointer != NULL, old_size != 0);
    if (new_size == 0) {
        c->bytes -= old_size;
        free(pointer);
        return NULL;
    }
    if (c->fails)
        return NULL;
    c->bytes += new_size - old_size;
    return realloc(pointer, new_size);
}

static struct alloc counted(struct counting *c) {
    return (struct alloc){.realloc = counting_realloc, .env = c, .limit = UINT64_MAX};
}

static void counts_what_is_held(void **state) {
    (void)state;
    struct counting c = {0};
    struct alloc alloc = counted(&c);
    void *a = cn_alloc(&alloc, 100), *b = cn_calloc(&alloc, 10, 30);
    assert_non_null(a);
    assert_non_null(b);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(((uint8_t *)b)[i], 0);
    assert_int_equal(atomic_load(&alloc.now), 400);
    a = cn_realloc(&alloc, a, 100, 500);
    assert_non_null(a);
    assert_int_equal(atomic_load(&alloc.now), 800);
    a = cn_realloc(&alloc, a, 500, 50);
    assert_int_equal(atomic_load(&alloc.now), 350);
    assert_int_equal(atomic_load(&alloc.peak), 800);
    assert_int_equal(c.bytes, 350);
    cn_free(&alloc, a, 50);
    cn_free(&alloc, b, 300);
    cn_free(&alloc, NULL, 5);
    assert_int_equal(atomic_load(&alloc.now), 0);
    assert_int_equal(c.bytes, 0);
}

static void gives_nothing_beyond_the_limit(void **state) {
    (void)state;
    struct counting c = {0};
    struct alloc alloc = counted(&c);
    alloc.limit = 1000;
    void *a = cn_alloc(&alloc, 600);
    assert_non_null(a);
    assert_null(cn_alloc(&alloc, 401));
    assert_null(cn_alloc(&alloc, SIZE_MAX));
    assert_null(cn_realloc(&alloc, a, 600, 1001));
    assert_int_equal(atomic_load(&alloc.now), 600);
    assert_int_equal(atomic_load(&alloc.peak), 600);
    void *b = cn_alloc(&alloc, 400);
    assert_non_null(b);
    assert_null(cn_alloc(&alloc, 1));
    a = cn_realloc(&alloc, a, 600, 100);
    a = cn_realloc(&alloc, a, 100, 600);
    assert_non_null(a);
    assert_int_equal(atomic_load(&alloc.now), 1000);
    cn_free(&alloc, a, 600);
    cn_free(&alloc, b, 400);
    assert_int_equal(atomic_load(&alloc.now), 0);
    assert_int_equal(c.bytes, 0);
}

static void size_zero_takes_nothing(void **state) {
    (void)state;
    struct counting c = {.fails = true};
    struct alloc alloc = counted(&c);
    void *a = cn_alloc(&alloc, 0);
    assert_non_null(a);
    assert_non_null(cn_calloc(&alloc, 0, 8));
    cn_free(&alloc, a, 0);
    assert_int_equal(c.calls, 0);
    c.fails = false;
    a = cn_realloc(&alloc, a, 0, 16);
    assert_non_null(a);
    a = cn_realloc(&alloc, a, 16, 0);
    assert_non_null(a);
    assert_int_equal(c.bytes, 0);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

static void exhaustion_changes_nothing(void **state) {
    (void)state;
    struct counting c = {0};
    struct alloc alloc = counted(&c);
    size_t capacity = 0;
    void *items = NULL;
    assert_true(cn_grow(&alloc, &items, &capacity, 3, 4));
    assert_true(capacity >= 3);
    size_t before = capacity;
    void *held = items;
    c.fails = true;
    assert_false(cn_grow(&alloc, &items, &capacity, before + 1, 4));
    assert_null(cn_realloc(&alloc, items, before * 4, before * 8));
    assert_null(cn_alloc(&alloc, 1));
    assert_int_equal(capacity, before);
    assert_ptr_equal(items, held);
    assert_int_equal(atomic_load(&alloc.now), before * 4);
    cn_free(&alloc, items, before * 4);
    assert_int_equal(c.bytes, 0);
}

static void sizes_that_overflow_are_refused(void **state) {
    (void)state;
    struct counting c = {0};
    struct alloc alloc = counted(&c);
    struct arena arena;
    size_t capacity = 0;
    void *items = NULL;
    cn_arena_init(&arena, &alloc);
    assert_null(cn_calloc(&alloc, SIZE_MAX / 2, 3));
    assert_false(cn_grow(&alloc, &items, &capacity, SIZE_MAX / 2, 16));
    assert_null(cn_arena_calloc(&arena, SIZE_MAX / 2, 3));
    assert_null(cn_arena_alloc(&arena, SIZE_MAX));
    assert_null(cn_arena_alloc(&arena, SIZE_MAX - 16));
    assert_int_equal(c.calls, 0);
}

static void arrays_grow_by_half(void **state) {
    (void)state;
    struct counting c = {0};
    struct alloc alloc = counted(&c);
    size_t capacity = 0;
    void *items = NULL;
    for (size_t need = 1; need <= 100000; need++) {
        assert_true(cn_grow(&alloc, &items, &capacity, need, sizeof(uint32_t)));
        ((uint32_t *)items)[need - 1] = (uint32_t)need;
    }
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(((uint32_t *)items)[i], i + 1);
    assert_true(c.calls < 40);
    assert_true(capacity < 160000);
    cn_free(&alloc, items, capacity * sizeof(uint32_t));
}

static void arena_gives_aligned_separate_blocks(void **state) {
    (void)state;
    struct counting c = {0};
    struct alloc alloc = counted(&c);
    struct arena arena;
    uint8_t *blocks[500];
    cn_arena_init(&arena, &alloc);
    for (size_t i = 0; i < 500; i++) {
        size_t size = i % 97 == 0 ? 100000 : i;
        blocks[i] = cn_arena_alloc(&arena, size);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        if (size)
            memset(blocks[i], (int)i, size);
    }
    for (size_t i = 1; i < 500; i++) {
        assert_int_equal(blocks[i][0], (uint8_t)i);
        assert_int_equal(blocks[i][i - 1], (uint8_t)i);
    }
    assert_true(c.calls < 30);
    cn_arena_free(&arena);
    assert_int_equal(c.bytes, 0);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

static void arena_zeroes_arrays_and_reports_exhaustion(void **state) {
    (void)state;
    struct counting c = {0};
    struct alloc alloc = counted(&c);
    struct arena arena;
    cn_arena_init(&arena, &alloc);
    memset(cn_arena_alloc(&arena, 64), 0xFF, 64);
    uint8_t *zeroes = cn_arena_calloc(&arena, 10, 10);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(zeroes[i], 0);
    c.fails = true;
    assert_null(cn_arena_alloc(&arena, 1 << 20));
    assert_non_null(cn_arena_alloc(&arena, 16)); /* the chunk has room yet */
    cn_arena_free(&arena);
    assert_null(cn_arena_alloc(&arena, 16));
    cn_arena_free(&arena);
    assert_int_equal(c.bytes, 0);
}

static void default_allocator_works(void **state) {
    (void)state;
    struct alloc alloc;
    cn_alloc_init_default(&alloc);
    uint8_t *a = cn_alloc(&alloc, 10);
    a[9] = 7;
    a = cn_realloc(&alloc, a, 10, 100000);
    assert_int_equal(a[9], 7);
    cn_free(&alloc, a, 100000);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_is_held),
        cmocka_unit_test(gives_nothing_beyond_the_limit),
        cmocka_unit_test(size_zero_takes_nothing),
        cmocka_unit_test(exhaustion_changes_nothing),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(arrays_grow_by_half),
        cmocka_unit_test(arena_gives_aligned_separate_blocks),
        cmocka_unit_test(arena_zeroes_arrays_and_reports_exhaustion),
        cmocka_unit_test(default_allocator_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
