/* Input that is cut, changed, starved of memory, or large in one dimension. In each case there
 * must be an answer, all memory must come back, and the C stack must not grow with the module. */
#include "loaded.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "validate/validator.h"

static void every_prefix_is_refused(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    struct bytes b = sample_module();
    size_t good = 0;
    for (size_t size = 0; size <= b.size; size++)
        good += load(&l, b.data, size) == CATNAP_OK;
    /* Whole, without the name section at its end, and the preamble with nothing, the first custom
     * section, the types, the imports. */
    assert_int_equal(good, 6);
    assert_int_equal(atomic_load(&l.alloc.now), l.at_rest);
    drop_bytes(&b);
    loader_destroy(&l);
}

static void every_changed_byte_has_an_answer(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    struct bytes b = sample_module();
    size_t outcomes[CATNAP_NOT_FOUND + 1] = {0};
    for (size_t i = 0; i < b.size; i++) {
        uint8_t kept = b.data[i];
        for (uint32_t value = 0; value < 256; value++) {
            b.data[i] = (uint8_t)value;
            outcomes[load(&l, b.data, b.size)]++;
        }
        b.data[i] = kept;
    }
    assert_int_equal(atomic_load(&l.alloc.now), l.at_rest);
    assert_true(outcomes[CATNAP_OK] > b.size);
    assert_true(outcomes[CATNAP_MALFORMED] > b.size);
    assert_true(outcomes[CATNAP_INVALID] > b.size);
    assert_int_equal(outcomes[CATNAP_NO_MEMORY], 0);
    drop_bytes(&b);
    loader_destroy(&l);
}

/* Validates a body by the careful path alone. */
static bool validate_slowly(const struct module *m, uint32_t func, struct error *error) {
    struct validator *v = cn_make_validator(m, error);
    assert_non_null(v);
    cn_start_body(v, cn_module_body(m, func));
    bool valid = cn_decode_locals(v, module_func_type(m, func)) &&
                 cn_enter_block(v, BLOCK_FUNCTION, true, m->func_types[func]);
    while (valid && v->block_count > 0)
        valid = cn_validate_instruction(v);
    if (valid && cn_decode_left(&v->d) > 0)
        valid = cn_decode_fail(&v->d, "function body: %zu bytes after the final end",
                               cn_decode_left(&v->d));
    cn_drop_validator(v);
    return valid;
}

/* The fast loop is a shortcut: it must come to the very same answer. */
static void fast_and_careful_paths_agree(void **state) {
    (void)state;
    struct loaded s;
    open_sample(&s);
    const struct module *m = s.m;
    uint8_t *data = s.b.data;
    for (uint32_t func = m->imported_func_count; func < m->func_count; func++) {
        struct span body = cn_module_body(m, func);
        for (uint32_t i = 0; i < body.length; i++) {
            uint8_t kept = data[body.offset + i];
            for (uint32_t value = 0; value < 256; value++) {
                struct error fast = {0}, slow = {0};
                data[body.offset + i] = (uint8_t)value;
                bool valid = cn_validate_body(m, func, cn_module_body(m, func), &fast);
                assert_int_equal(validate_slowly(m, func, &slow), valid);
                assert_int_equal(fast.status, slow.status);
                assert_true(fast.offset == slow.offset);
                assert_string_equal(fast.message, slow.message);
            }
            data[body.offset + i] = kept;
        }
    }
    close_sample(&s);
}

/* A mapping that cannot be written and ends where the module ends. */
static void a_read_only_mapping_is_enough(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    struct bytes b = sample_module();
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (b.size + page - 1) / page * page;
    uint8_t *map =
        mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    memcpy(map + size - b.size, b.data, b.size);
    assert_int_equal(mprotect(map, size, PROT_READ), 0);
    assert_int_equal(mprotect(map + size, page, PROT_NONE), 0);
    for (size_t cut = 0; cut < b.size; cut++) { /* also modules that start later: not modules */
        struct module *m = load_in_place(&l, map + size - b.size + cut, b.size - cut);
        assert_int_equal(m != NULL, cut == 0);
        cn_module_release(m);
    }
    assert_int_equal(munmap(map, size + page), 0);
    drop_bytes(&b);
    loader_destroy(&l);
}

/* ---- Failing allocations ---- */

struct failing {
    size_t calls, fail_at;
    bool from_then_on, failed;
};

static void *failing_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct failing *f = env;
    (void)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    size_t call = f->calls++;
    if (call == f->fail_at || (f->from_then_on && call > f->fail_at)) {
        f->failed = true;
        return NULL;
    }
    void *copy = malloc(new_size); /* a moving realloc finds stale pointers */
    assert_non_null(copy);
    if (pointer) {
        memcpy(copy, pointer, old_size < new_size ? old_size : new_size);
        free(pointer);
    }
    return copy;
}

/* Loads with the allocation `fail_at` failing; whether any failed. */
static bool load_starved(const struct bytes *b, catnap_status_t plenty, size_t fail_at,
                         bool from_then_on) {
    struct failing f = {.fail_at = fail_at, .from_then_on = from_then_on};
    struct loader l = {.features = CATNAP_FEATURES_DEFAULT,
                       .alloc = {.realloc = failing_realloc, .env = &f}};
    if (cn_types_init(&l.registry, &l.alloc)) {
        catnap_status_t status = load(&l, b->data, b->size);
        assert_int_equal(status, f.failed ? CATNAP_NO_MEMORY : plenty);
        cn_types_destroy(&l.registry);
    }
    assert_int_equal(atomic_load(&l.alloc.now), 0);
    return f.failed;
}

static void starve(const struct bytes *b, catnap_status_t plenty) {
    for (int from_then_on = 0; from_then_on < 2; from_then_on++)
        for (size_t i = 0; load_starved(b, plenty, i, from_then_on); i++)
            assert_true(i < 10000);
}

static void exhausted_memory_is_reported(void **state) {
    (void)state;
    struct bytes b = sample_module();
    starve(&b, CATNAP_OK);
    drop_bytes(&b);
    MODULE_OF_BODY(&b, 0x02, 0x40, 0x02, 0x40, 0x6A, 0x0B, 0x0B,
                   0x0B); /* also on the way to an error */
    starve(&b, CATNAP_INVALID);
    drop_bytes(&b);
    MODULE_OF_BODY(&b, 0x02, 0x40, 0x02, 0x40, 0x6A, 0x27, 0x0B, 0x0B, 0x0B);
    starve(&b, CATNAP_MALFORMED);
    drop_bytes(&b);
    struct bytes s = {0}; /* many imports of each kind, many types: what grows */
    put_preamble(&b);
    put_u(&s, 200);
    for (uint32_t i = 0; i < 200; i++)
        PUT(&s, 0x60, 8, 0x7F - (i & 3), 0x7F - (i >> 2 & 3), 0x7F - (i >> 4 & 3),
            0x7F - (i >> 6 & 3), 0x7F, 0x7F, 0x7F, 0x7F, 0);
    put_section(&b, 1, &s);
    put_u(&s, 90);
    for (uint32_t i = 0; i < 30; i++)
        PUT(&s, 0, 0, 0, 3, 0, 0, 1, 0x70, 0, 0, 0, 0, 3, 0x7F, 0);
    put_section(&b, 2, &s);
    starve(&b, CATNAP_OK);
    drop_bytes(&b);
}

/* ---- Large in one dimension ---- */

/* A module of one function of this type (the type section's content) and body. */
static struct bytes large_module(const struct bytes *types, uint32_t type, struct bytes *body) {
    struct bytes b = {0}, s = {0};
    put_preamble(&b);
    put_bytes(&s, types->data, types->size);
    put_section(&b, 1, &s);
    put_u(&s, 1);
    put_u(&s, type);
    put_section(&b, 3, &s);
    put_u(&s, 1);
    put_sized(&s, body);
    put_section(&b, 10, &s);
    return b;
}

static void put_types(struct bytes *types, uint32_t n) {
    put_u(types, n);
    for (uint32_t i = 0; i < n; i++)
        put(types, 0x7E);
}

/* Types 0: () -> (), 1: n times i64 -> n times i64, 2: () -> n times i64. */
static struct bytes wide_types(uint32_t n) {
    struct bytes types = {0};
    PUT(&types, 3, 0x60, 0, 0, 0x60);
    put_types(&types, n);
    put_types(&types, n);
    PUT(&types, 0x60, 0);
    put_types(&types, n);
    return types;
}

static void expect_large(struct loader *l, const struct bytes *types, uint32_t type,
                         struct bytes *body, catnap_status_t status, const char *part) {
    struct bytes b = large_module(types, type, body);
    expect(l, &b, status, part);
    assert_int_equal(atomic_load(&l->alloc.now), l->at_rest);
    drop_bytes(&b);
}

static void nesting_a_million_deep(struct loader *l) {
    static const uint8_t openers[] = {0x02, 0x03, 0x04};
    struct bytes types = wide_types(1), f = {0};
    for (size_t kind = 0; kind < 3; kind++) {
        put(&f, 0);
        for (uint32_t i = 0; i < 1000000; i++) {
            if (openers[kind] == 0x04)
                PUT(&f, 0x41, 0);
            PUT(&f, openers[kind], 0x40);
        }
        PUT(&f, 0x0C);
        put_u(&f, 1000000); /* the outermost label */
        for (uint32_t i = 0; i < 1000000; i++)
            put(&f, 0x0B);
        put(&f, 0x0B);
        expect_large(l, &types, 0, &f, CATNAP_OK, NULL);
        put(&f, 0); /* and one that is never closed */
        for (uint32_t i = 0; i < 3000000; i++)
            PUT(&f, openers[kind] == 0x04 ? 0x02 : openers[kind], 0x40);
        expect_large(l, &types, 0, &f, CATNAP_MALFORMED, "unexpected end");
    }
    drop_bytes(&types);
}

static void nested_constant_expression(struct loader *l) {
    struct bytes b = {0}, s = {0};
    put_preamble(&b);
    PUT(&s, 1, 0x7F, 0);
    for (uint32_t i = 0; i < 1000000; i++)
        PUT(&s, 0x02, 0x40);
    for (uint32_t i = 0; i < 1000001; i++)
        put(&s, 0x0B);
    put_section(&b, 6, &s);
    expect(l, &b, CATNAP_INVALID, "constant expression required: block");
    drop_bytes(&b);
}

static void many_locals(struct loader *l) {
    struct bytes types = wide_types(1), f = {0};
    for (uint32_t count = LIMIT_LOCALS; count <= LIMIT_LOCALS + 1; count++) {
        put(&f, 1);
        put_u(&f, count);
        PUT(&f, 0x7F, 0x20);
        put_u(&f, count - 1);
        PUT(&f, 0x1A, 0x0B);
        expect_large(l, &types, 0, &f, count > LIMIT_LOCALS ? CATNAP_LIMIT : CATNAP_OK,
                     count > LIMIT_LOCALS ? "50001 parameters and locals" : NULL);
    }
    put_u(&f, LIMIT_LOCALS); /* as many runs, of alternating types, each found again */
    for (uint32_t i = 0; i < LIMIT_LOCALS; i++)
        PUT(&f, 1, i % 2 ? 0x7E : 0x7F);
    for (uint32_t i = 0; i < LIMIT_LOCALS; i++) {
        put(&f, 0x20);
        put_u(&f, i);
        PUT(&f, i % 2 ? 0x50 : 0x45, 0x1A);
    }
    put(&f, 0x0B);
    expect_large(l, &types, 0, &f, CATNAP_OK, NULL);
    PUT(&f, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x7F, 0, 0x7E, 1, 0x7F, 0x0B); /* 2^32 */
    expect_large(l, &types, 0, &f, CATNAP_MALFORMED, "too many locals");
    PUT(&f, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x7F, 0, 0x7E, 0x0B); /* 2^32 - 1 */
    expect_large(l, &types, 0, &f, CATNAP_LIMIT, "4294967295 parameters and locals");
    drop_bytes(&types);
}

/* Many functions that share many locals between a few bytes each must not take long. */
static void many_functions_of_many_locals(struct loader *l) {
    struct bytes b = {0}, s = {0};
    put_preamble(&b);
    SECTION(&b, 1, 1, 0x60, 0, 0);
    put_u(&s, 300000);
    for (uint32_t i = 0; i < 300000; i++)
        put(&s, 0);
    put_section(&b, 3, &s);
    put_u(&s, 300000);
    for (uint32_t i = 0; i < 300000; i++)
        PUT(&s, 6, 1, 0xD0, 0x86, 3, 0x7F, 0x0B);
    put_section(&b, 10, &s);
    expect(l, &b, CATNAP_OK, NULL);
    drop_bytes(&b);
}

static void a_thousand_parameters_and_results(struct loader *l) {
    struct bytes types = wide_types(1000), f = {0};
    put(&f, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        put(&f, 0x20);
        put_u(&f, i);
    }
    for (uint32_t i = 0; i < 100000; i++) /* calls itself, and blocks of that type */
        PUT(&f, 0x10, 0, 0x02, 1, 0x0B);
    PUT(&f, 0x0B);
    expect_large(l, &types, 1, &f, CATNAP_OK, NULL);
    put(&f, 0); /* results that no instruction takes pile up: four bytes for four thousand */
    for (uint32_t i = 0; i < 100000; i++)
        PUT(&f, 0x02, 2, 0x00, 0x0B);
    put(&f, 0x0B);
    expect_large(l, &types, 0, &f, CATNAP_LIMIT, "operand stack is higher than the limit");
    drop_bytes(&types);
}

static void a_large_branch_table(struct loader *l) {
    struct bytes types = wide_types(1), f = {0};
    PUT(&f, 0, 0x02, 0x40, 0x41, 0, 0x0E);
    put_u(&f, 100000);
    for (uint32_t i = 0; i <= 100000; i++)
        put(&f, i % 2);
    PUT(&f, 0x0B, 0x0B);
    expect_large(l, &types, 0, &f, CATNAP_OK, NULL);
    static const uint32_t counts[] = {100000, 0x7FFFFFFF, 0xFFFFFFFC, 0xFFFFFFFE, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        PUT(&f, 0, 0x41, 0, 0x0E);
        put_u(&f, counts[i]);
        PUT(&f, 0, 0, 0, 0x0B);
        expect_large(l, &types, 0, &f, CATNAP_MALFORMED, "br_table: unexpected end");
    }
    drop_bytes(&types);
}

static void a_body_of_the_largest_size(struct loader *l) {
    struct bytes types = wide_types(1), f = {0};
    for (uint32_t size = LIMIT_BODY_BYTES; size <= LIMIT_BODY_BYTES + 1; size++) {
        put(&f, 0);
        while (f.size + 4 <= size)
            PUT(&f, 0x41, 0, 0x1A);
        while (f.size + 1 < size)
            put(&f, 0x01);
        put(&f, 0x0B);
        expect_large(l, &types, 0, &f, size > LIMIT_BODY_BYTES ? CATNAP_LIMIT : CATNAP_OK,
                     size > LIMIT_BODY_BYTES ? "more than the limit of 7654321" : NULL);
    }
    put(&f, 0); /* and the operands that fit in it */
    for (uint32_t i = 0; i < 3000000; i++)
        PUT(&f, 0x41, 0);
    PUT(&f, 0x00, 0x0B);
    expect_large(l, &types, 0, &f, CATNAP_OK, NULL);
    drop_bytes(&types);
}

static void *run_large(void *argument) {
    struct loader *l = argument;
    nesting_a_million_deep(l);
    nested_constant_expression(l);
    many_locals(l);
    many_functions_of_many_locals(l);
    a_thousand_parameters_and_results(l);
    a_large_branch_table(l);
    a_body_of_the_largest_size(l);
    return l;
}

/* All of it on a C stack of 128 KB. */
static void large_modules_need_no_stack(void **state) {
    (void)state;
    struct loader l;
    pthread_attr_t attributes;
    pthread_t thread;
    void *result = NULL;
    loader_init(&l);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 131072), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run_large, &l), 0);
    pthread_join(thread, &result);
    assert_ptr_equal(result, &l);
    pthread_attr_destroy(&attributes);
    loader_destroy(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(every_changed_byte_has_an_answer),
        cmocka_unit_test(fast_and_careful_paths_agree),
        cmocka_unit_test(a_read_only_mapping_is_enough),
        cmocka_unit_test(exhausted_memory_is_reported),
        cmocka_unit_test(large_modules_need_no_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
