/* Modules that arrive in pieces: what comes out is what one piece gives. */
#include "../child.h"
#include "../unit/sample.h"
#include "load.h"

/* Feeds the bytes in pieces that end at the given places, then `step` bytes at a time. */
static wasm_module_t *feed(wasm_store_t *store, const struct bytes *b, const size_t *cuts,
                           size_t count, size_t step, catnap_error_t **error) {
    catnap_builder_t *builder = catnap_builder_new(catnap_store_engine(store), NULL, error);
    if (!builder)
        return NULL;
    for (size_t at = 0, i = 0; at < b->size;) {
        size_t to = i < count ? cuts[i++] : at + step;
        if (to > b->size)
            to = b->size;
        /* A copy of its own, so that a sanitizer sees who reads further. */
        uint8_t *piece = malloc(to - at + 1);
        memcpy(piece, b->data + at, to - at);
        *error = catnap_builder_write(builder, piece, to - at);
        free(piece);
        at = to;
        if (*error) {
            catnap_error_delete(catnap_builder_write(builder, NULL, 0));
            catnap_builder_delete(builder);
            return NULL;
        }
    }
    return catnap_builder_finish(builder, store, error);
}

static void expect_loads(wasm_store_t *store, const struct bytes *b, const size_t *cuts,
                         size_t count, size_t step) {
    catnap_error_t *error;
    catnap_module_stats_t stats, expected;
    wasm_module_t *whole = load(store, b->data, b->size);
    wasm_module_t *module = feed(store, b, cuts, count, step, &error);
    assert_no_error(error);
    assert_non_null(module);
    catnap_module_stats(module, &stats);
    catnap_module_stats(whole, &expected);
    assert_int_equal(stats.module_bytes, expected.module_bytes);
    assert_int_equal(stats.functions_validated, expected.functions_validated);
    assert_int_equal(stats.code_bytes, expected.code_bytes);
    assert_int_equal(catnap_module_section_count(module), catnap_module_section_count(whole));
    for (size_t i = 0; i < catnap_module_section_count(whole); i++) {
        catnap_section_t a, c;
        assert_true(catnap_module_section(module, i, &a) && catnap_module_section(whole, i, &c));
        assert_true(a.id == c.id && a.offset == c.offset && a.size == c.size);
    }
    for (uint32_t i = 0; i < catnap_module_function_count(whole); i++) {
        catnap_function_info_t a, c;
        assert_true(catnap_module_function(module, i, &a) && catnap_module_function(whole, i, &c));
        assert_true(a.body_offset == c.body_offset && a.body_size == c.body_size);
        assert_int_equal(a.name_length, c.name_length);
    }
    assert_no_error(catnap_module_translate(module));
    wasm_module_delete(module);
    wasm_module_delete(whole);
}

static const struct engine_form forms[] = {
    {.threads = 1}, {.threads = 2}, {.translation = CATNAP_TRANSLATION_DEFERRED}};

static void every_split_of_a_small_module(void **state) {
    struct bytes b = sample_module();
    (void)state;
    for (size_t f = 0; f < COUNT(forms); f++) {
        wasm_engine_t *engine = new_engine(&forms[f]);
        wasm_store_t *store = wasm_store_new(engine);
        for (size_t cut = 0; cut <= b.size; cut++)
            expect_loads(store, &b, &cut, 1, b.size);
        for (size_t step = 1; step < 20; step++)
            expect_loads(store, &b, NULL, 0, step);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
    }
    drop_bytes(&b);
}

static void random_splits_of_a_large_module(void **state) {
    struct bytes b = many_functions(300, UINT32_MAX, UINT32_MAX);
    uint32_t random = 12345;
    (void)state;
    for (size_t f = 0; f < COUNT(forms); f++) {
        wasm_engine_t *engine = new_engine(&forms[f]);
        wasm_store_t *store = wasm_store_new(engine);
        for (int round = 0; round < 8; round++) {
            size_t cuts[40], at = 0;
            for (size_t i = 0; i < COUNT(cuts); i++) {
                random = random * 1664525 + 1013904223;
                at += random >> 8 & (i % 2 ? 0xF : 0xFFFF);
                cuts[i] = at < b.size ? at : b.size;
            }
            expect_loads(store, &b, cuts, COUNT(cuts), 1 + (random >> 12 & 0x3FFF));
        }
        wasm_store_delete(store);
        wasm_engine_delete(engine);
    }
    drop_bytes(&b);
}

static void truncated_modules_say_what_one_piece_says(void **state) {
    struct bytes b = sample_module();
    size_t size = b.size;
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    (void)state;
    for (b.size = 0; b.size < size; b.size++) {
        catnap_error_t *expected = catnap_module_validate(engine, b.data, b.size), *error;
        wasm_module_t *module = feed(store, &b, NULL, 0, 7, &error);
        assert_int_equal(module == NULL, expected != NULL);
        assert_string_equal(catnap_error_message(error), catnap_error_message(expected));
        assert_int_equal(catnap_error_offset(error), catnap_error_offset(expected));
        wasm_module_delete(module);
        catnap_error_delete(expected);
        catnap_error_delete(error);
    }
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    drop_bytes(&b);
}

static catnap_error_t *feed_by_turns(wasm_store_t *store, const struct bytes *b, size_t turn) {
    catnap_error_t *error;
    wasm_module_t *module = feed(store, b, NULL, 0, 1 + turn % 50, &error);
    assert_int_equal(error == NULL, module != NULL);
    wasm_module_delete(module);
    return error;
}

static void changed_modules_fare_the_same(void **state) {
    struct bytes b = sample_module();
    (void)state;
    load_changed_samples(b, feed_by_turns);
    drop_bytes(&b);
}

/* A bad body is reported long before the last byte, and as one piece would. */
static void bad_bodies_are_reported_early(void **state) {
    struct bytes b = many_functions(200, 20, UINT32_MAX);
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        wasm_engine_t *engine = new_engine(&forms[f]);
        wasm_store_t *store = wasm_store_new(engine);
        catnap_error_t *expected = catnap_module_validate(engine, b.data, b.size), *error = NULL;
        catnap_builder_t *builder = catnap_builder_new(engine, NULL, &error);
        size_t at = 0;
        for (; !error && at < b.size; at += 1000)
            error =
                catnap_builder_write(builder, b.data + at, at + 1000 < b.size ? 1000 : b.size - at);
        if (forms[f].threads == 1)
            assert_true(error && at < b.size / 6);
        if (error) {
            catnap_builder_delete(builder);
        } else { /* the other thread has not come to it */
            assert_null(catnap_builder_finish(builder, store, &error));
        }
        assert_string_equal(catnap_error_message(error), catnap_error_message(expected));
        assert_int_equal(catnap_error_offset(error), catnap_error_offset(expected));
        assert_int_equal(catnap_error_function(error), 20);
        catnap_error_delete(error);
        catnap_error_delete(expected);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
    }
    drop_bytes(&b);
}

static void streams_can_be_dropped(void **state) {
    struct bytes b = many_functions(100, UINT32_MAX, UINT32_MAX);
    (void)state;
    for (size_t f = 0; f < COUNT(forms); f++) {
        wasm_engine_t *engine = new_engine(&forms[f]);
        for (size_t size = 0; size < b.size; size += size < 600 ? 1 : 9999) {
            catnap_builder_t *builder = catnap_builder_new(engine, NULL, NULL);
            assert_no_error(catnap_builder_write(builder, b.data, size));
            catnap_builder_delete(builder);
        }
        wasm_engine_delete(engine);
    }
    drop_bytes(&b);
}

static wasm_module_t *feed_some(wasm_store_t *store, const struct bytes *b,
                                catnap_error_t **error) {
    return feed(store, b, NULL, 0, 1000, error);
}

static void memory_runs_out(void **state) {
    struct bytes small = sample_module(), large = many_functions(60, UINT32_MAX, UINT32_MAX);
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        uint64_t fail_at = 0;
        while (!loads_starved(forms[f], f ? &large : &small, feed_some, fail_at, false))
            fail_at++;
        assert_true(fail_at > 0);
    }
    drop_bytes(&small);
    drop_bytes(&large);
}

static void misuse_is_told(void **state) {
    wasm_engine_t *engine = wasm_engine_new(), *other = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(other);
    catnap_error_t *error;
    (void)state;
    assert_null(catnap_builder_new(NULL, NULL, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    assert_error(catnap_builder_write(NULL, NULL, 0), CATNAP_MISUSE, "NULL");
    assert_null(catnap_builder_finish(NULL, store, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    catnap_builder_t *builder = catnap_builder_new(engine, NULL, &error);
    assert_null(catnap_builder_finish(builder, store, &error));
    assert_error(error, CATNAP_MISUSE, "another engine");
    catnap_builder_delete(NULL);
    wasm_store_delete(store);
    wasm_engine_delete(other);
    wasm_engine_delete(engine);
}

/* ---- After a fork ---- */

struct half_way {
    wasm_store_t *store;
    catnap_builder_t *builder;
    const struct bytes *rest;
    bool valid, drop;
};

/* The threads that help are not there. */
static void go_on_alone(void *env) {
    struct half_way *half = env;
    catnap_error_t *error = NULL;
    wasm_module_t *module = NULL;
    if (half->drop) {
        catnap_builder_delete(half->builder);
        _exit(0);
    }
    for (size_t at = 0; at < half->rest->size && !error; at += 9000) {
        size_t left = half->rest->size - at;
        error =
            catnap_builder_write(half->builder, half->rest->data + at, left < 9000 ? left : 9000);
    }
    if (error)
        catnap_builder_delete(half->builder);
    else
        module = catnap_builder_finish(half->builder, half->store, &error);
    WANT(half->valid ? module != NULL : catnap_error_status(error) == CATNAP_INVALID);
    wasm_module_delete(module);
    catnap_error_delete(error);
}

static void a_child_validates_alone(uint32_t bad, bool drop) {
    struct bytes b = many_functions(300, bad, UINT32_MAX);
    const struct engine_form form = {.threads = 4};
    wasm_engine_t *engine = new_engine(&form);
    wasm_store_t *store = wasm_store_new(engine);
    for (size_t part = 1; part < 8; part++) {
        size_t cut = b.size / 8 * part;
        struct bytes rest = {.data = b.data + cut, .size = b.size - cut};
        struct half_way half = {store, catnap_builder_new(engine, NULL, NULL), &rest,
                                bad == UINT32_MAX, drop};
        catnap_error_delete(catnap_builder_write(half.builder, b.data, cut));
        assert_true(child_is_well(start_child(go_on_alone, &half)));
        catnap_builder_delete(half.builder);
    }
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    drop_bytes(&b);
}

static void children_validate_alone(void **state) {
    (void)state;
    a_child_validates_alone(UINT32_MAX, false);
    a_child_validates_alone(295, false);
    a_child_validates_alone(UINT32_MAX, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_of_a_small_module),
        cmocka_unit_test(random_splits_of_a_large_module),
        cmocka_unit_test(truncated_modules_say_what_one_piece_says),
        cmocka_unit_test(changed_modules_fare_the_same),
        cmocka_unit_test(bad_bodies_are_reported_early),
        cmocka_unit_test(streams_can_be_dropped),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(misuse_is_told),
        cmocka_unit_test(children_validate_alone),
    };
    return cmocka_run_group_tests_name("load/stream", tests, NULL, NULL);
}
