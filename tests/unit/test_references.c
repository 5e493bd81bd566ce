/* Typed function references (section 2.3.4 and 2.3.8 of the specification): types as they are read, and the typing of what
 * uses them. */
#include "load.h"

#include <stdio.h>

#include "binary/instruction.h"
#include "types/subtype.h"

static void open_loader(struct loader *l) {
    loader_init(l);
    l->features = CATNAP_FEATURES_WASM2 | CATNAP_FEATURE_FUNCTION_REFERENCES;
}

/* The module of a type section with this content. */
static struct module *types_of(struct loader *l, struct bytes *b, const uint8_t *content,
                               size_t size) {
    struct bytes section = {0};
    put_preamble(b);
    put_bytes(&section, content, size);
    put_section(b, SECTION_TYPE, &section);
    struct module *m = load_in_place(l, b->data, b->size);
    if (!m)
        fail_msg("%s", l->error.message);
    return m;
}
#define TYPES(l, b, ...)                                                                           \
    types_of(l, b, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
/* Expects this of a module with that type section. */
#define TYPES_FAIL(l, status, part, ...)                                                           \
    MODULE(l, status, part, 1, sizeof((const uint8_t[]){__VA_ARGS__}), __VA_ARGS__)

static void types_name_types_before_them_and_themselves(void **state) {
    (void)state;
    struct loader l;
    struct bytes b = {0};
    open_loader(&l);
    struct module *m =
        TYPES(&l, &b, 3, 0x60, 0, 0,                 /* 0: func */
              0x60, 2, 0x64, 0, 0x63, 0, 1, 0x63, 1, /* 1: (ref 0) (ref null 0) -> (ref null 1) */
              0x60, 4, 0x64, 0x70, 0x63, 0x6F, 0x73, 0x72, 0);
    const struct functype *f = module_functype(m, 1);
    assert_int_equal(m->type_count, 3);
    assert_int_equal(ft_params(f)[0], vt_of(m->types[0], false));
    assert_int_equal(ft_params(f)[1], vt_of(m->types[0], true));
    assert_int_equal(ft_results(f)[0], vt_of(m->types[1], true));
    f = module_functype(m, 2);
    assert_int_equal(ft_params(f)[0], VT_FUNCREF | VT_NON_NULL);
    assert_int_equal(ft_params(f)[1], VT_EXTERNREF); /* the long form is the same type */
    assert_int_equal(ft_params(f)[2], VT_NOFUNCREF);
    assert_int_equal(ft_params(f)[3], VT_NOEXTERNREF);
    cn_module_release(m);
    drop_bytes(&b);
    TYPES_FAIL(&l, CATNAP_INVALID, "unknown type 2", 2, 0x60, 1, 0x64, 2, 0, 0x60, 0, 0);
    TYPES_FAIL(&l, CATNAP_INVALID, "unknown type 4294967295", 1, 0x60, 1, 0x64, 0xFF, 0xFF, 0xFF,
               0xFF, 0x0F, 0);
    TYPES_FAIL(&l, CATNAP_MALFORMED, "malformed heap type", 1, 0x60, 1, 0x64, 0xFF, 0x7F, 0);
    TYPES_FAIL(&l, CATNAP_MALFORMED, "too long or too large", 1, 0x60, 1, 0x64, 0xFF, 0xFF, 0xFF,
               0xFF, 0x1F, 0);
    TYPES_FAIL(&l, CATNAP_MALFORMED, "unexpected end", 1, 0x60, 1, 0x64);
    TYPES_FAIL(&l, CATNAP_UNSUPPORTED, "garbage collection", 1, 0x60, 1, 0x64, 0x6E, 0);
    loader_destroy(&l);
}

static void groups_are_read(void **state) {
    (void)state;
    struct loader l;
    struct bytes b = {0};
    open_loader(&l);
    /* An empty group; (0: (ref 1) -> (), 1: (ref null 0) -> ()); the same again; a single type. */
    struct module *m =
        TYPES(&l, &b, 4, 0x4E, 0, 0x4E, 2, 0x60, 1, 0x64, 1, 0, 0x60, 1, 0x63, 0, 0, 0x4E, 2, 0x60,
              1, 0x64, 3, 0, 0x60, 1, 0x63, 2, 0, 0x4E, 1, 0x50, 0, 0x60, 0, 0);
    assert_int_equal(m->type_count, 5);
    assert_ptr_equal(m->types[0], m->types[2]);
    assert_ptr_equal(m->types[1], m->types[3]);
    assert_ptr_not_equal(m->types[0], m->types[1]);
    assert_int_equal(ft_params(module_functype(m, 0))[0], vt_of(m->types[1], false));
    assert_int_equal(ft_params(module_functype(m, 1))[0], vt_of(m->types[0], true));
    assert_false(m->types[4]->final);
    cn_module_release(m);
    drop_bytes(&b);
    TYPES_FAIL(&l, CATNAP_INVALID, "unknown type 2", 1, 0x4E, 2, 0x60, 1, 0x64, 2, 0, 0x60, 0, 0);
    TYPES_FAIL(&l, CATNAP_MALFORMED, "malformed type form 0x4e", 1, 0x4E, 1, 0x4E, 0);
    TYPES_FAIL(&l, CATNAP_MALFORMED, "unexpected end", 1, 0x4E, 0xFF, 0xFF, 3, 0);
    TYPES_FAIL(&l, CATNAP_UNSUPPORTED, "garbage collection", 1, 0x4E, 1, 0x5F, 0);
    loader_destroy(&l);
}

static void supertypes_are_checked(void **state) {
    (void)state;
    struct loader l;
    struct bytes b = {0};
    open_loader(&l);
    /* 0: open () -> (ref null func); 1: open, below 0, () -> (ref func); in a group: 2: below 1,
     * () -> (ref 2), 3: final, below 2. */
    struct module *m =
        TYPES(&l, &b, 3, 0x50, 0, 0x60, 0, 1, 0x70, 0x50, 1, 0, 0x60, 0, 1, 0x64, 0x70, 0x4E, 2,
              0x50, 1, 1, 0x60, 0, 1, 0x64, 2, 0x4F, 1, 2, 0x60, 0, 1, 0x64, 2);
    assert_int_equal(m->types[3]->depth, 3);
    assert_true(dt_is_sub(m->types[3], m->types[0]));
    assert_true(dt_is_sub(m->types[2], m->types[1]));
    assert_false(dt_is_sub(m->types[1], m->types[2]));
    cn_module_release(m);
    drop_bytes(&b);
    TYPES_FAIL(&l, CATNAP_INVALID, "final", 2, 0x60, 0, 0, 0x4F, 1, 0, 0x60, 0, 0);
    TYPES_FAIL(&l, CATNAP_INVALID, "does not match", 2, 0x50, 0, 0x60, 0, 0, 0x4F, 1, 0, 0x60, 0, 1,
               0x7F);
    TYPES_FAIL(&l, CATNAP_INVALID, "unknown type 0 as supertype", 1, 0x50, 1, 0, 0x60, 0, 0);
    TYPES_FAIL(&l, CATNAP_INVALID, "2 supertypes", 3, 0x50, 0, 0x60, 0, 0, 0x50, 0, 0x60, 0, 0,
               0x50, 2, 0, 1, 0x60, 0, 0);
    loader_destroy(&l);
}

/* A chain of types, each below the one before: 63 supertypes are allowed. */
static void depth_is_limited(void **state) {
    (void)state;
    struct loader l;
    open_loader(&l);
    for (uint32_t count = LIMIT_SUPERTYPES + 1; count <= LIMIT_SUPERTYPES + 2; count++) {
        struct bytes b = {0}, section = {0};
        put_preamble(&b);
        put_u(&section, count);
        PUT(&section, 0x50, 0, 0x60, 0, 0);
        for (uint32_t i = 1; i < count; i++)
            PUT(&section, 0x50, 1, (uint8_t)(i - 1), 0x60, 0, 0);
        put_section(&b, SECTION_TYPE, &section);
        expect(&l, &b, count > LIMIT_SUPERTYPES + 1 ? CATNAP_LIMIT : CATNAP_OK,
               count > LIMIT_SUPERTYPES + 1 ? "limit of 63" : NULL);
        drop_bytes(&b);
    }
    loader_destroy(&l);
}

/* Types of a module that fails to load are given back, wherever it fails. */
static void each_prefix_of_a_type_section_is_refused(void **state) {
    (void)state;
    static const uint8_t content[] = {3,    0x50, 0, 0x60, 0,    1, 0x70, 0x4E, 2,
                                      0x50, 1,    0, 0x60, 0,    1, 0x64, 2,    0x60,
                                      1,    0x63, 1, 0,    0x60, 1, 0x64, 0x70, 0};
    struct loader l;
    open_loader(&l);
    for (size_t size = 0; size <= sizeof content; size++) {
        struct bytes b = {0}, section = {0};
        put_preamble(&b);
        put_bytes(&section, content, size);
        put_section(&b, SECTION_TYPE, &section);
        assert_int_equal(load(&l, b.data, b.size) == CATNAP_OK, size == sizeof content);
        drop_bytes(&b);
    }
    loader_destroy(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_name_types_before_them_and_themselves),
        cmocka_unit_test(groups_are_read),
        cmocka_unit_test(supertypes_are_checked),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(each_prefix_of_a_type_section_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
