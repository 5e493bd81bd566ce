/* Typed function references (section 2.3.4 and 2.3.8 of the specification): types as they are read, and the typing of what
 * uses them. */
#include "load.h"

#include <stdio.h>

#include "binary/instruction.h"
#include "types/subtype.h"

static void open_loader(struct loader *l) {
    loader_init(l);
    l->features =
        CATNAP_FEATURES_WASM2 | CATNAP_FEATURE_FUNCTION_REFERENCES | CATNAP_FEATURE_TAIL_CALLS;
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
    TYPES_FAIL(&l, CATNAP_UNSUPPORTED, "needs the feature gc", 1, 0x60, 1, 0x64, 0x6E, 0);
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
    l.features &= ~CATNAP_FEATURE_GC;
    TYPES_FAIL(&l, CATNAP_UNSUPPORTED, "needs the feature gc", 1, 0x4E, 1, 0x5F, 0);
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

/* ---- Typing ---- */

/*
 * The module of a function "f" with this body, locals included:
 *
 *   (type $f (func (param i32) (result i32))) (type $n (func)) (type $typed (func (param (ref null $f) (ref $f)) (result i32)))
 *   (type $open (sub (func))) (type $below (sub $open (func)))
 *   (func $same (type $f) (local.get 0)) (func $below (type $below)) (func $tested (type $typed) ...)
 *   (table 1 (ref null $f)) (table 1 (ref $f) (ref.func $same)) (table 1 externref)
 *   (elem declare func $same $below)
 */
static void expect_body(struct loader *l, catnap_status_t status, const char *part,
                        const uint8_t *body, size_t size) {
    struct bytes b = {0}, codes = {0}, code = {0};
    put_preamble(&b);
    SECTION(&b, 1, 5, 0x60, 1, 0x7F, 1, 0x7F, 0x60, 0, 0, 0x60, 2, 0x63, 0, 0x64, 0, 1, 0x7F, 0x50,
            0, 0x60, 0, 0, 0x50, 1, 3, 0x60, 0, 0);
    SECTION(&b, 3, 3, 0, 4, 2);
    SECTION(&b, 4, 3, 0x63, 0, 0, 1, 0x40, 0, 0x64, 0, 0, 1, 0xD2, 0, 0x0B, 0x6F, 0, 1);
    SECTION(&b, 9, 1, 3, 0, 2, 0, 1);
    put(&codes, 3);
    PUT(&codes, 4, 0, 0x20, 0, 0x0B, 2, 0, 0x0B);
    put_bytes(&code, body, size);
    put_sized(&codes, &code);
    put_section(&b, 10, &codes);
    expect(l, &b, status, part);
    drop_bytes(&b);
}
#define BODY(status, part, ...)                                                                    \
    expect_body(&l, status, part, (const uint8_t[]){__VA_ARGS__},                                  \
                sizeof((const uint8_t[]){__VA_ARGS__}))
#define GOOD(...) BODY(CATNAP_OK, NULL, __VA_ARGS__)
#define BAD(part, ...) BODY(CATNAP_INVALID, part, __VA_ARGS__)

enum { I = I32, GET = LOCAL_GET, SET = LOCAL_SET };
#define SEVEN 0x41, 7

static void references_are_called(void **state) {
    (void)state;
    struct loader l;
    open_loader(&l);
    GOOD(0, SEVEN, GET, 0, 0x14, 0, END);
    GOOD(0, SEVEN, GET, 1, 0x14, 0, END);
    GOOD(0, REF_FUNC, 1, 0x14, 3, SEVEN, END); /* below what is called */
    GOOD(0, 0x00, 0x14, 0, END);               /* behind unreachable */
    BAD("expects (ref null $type), found (ref $type)", 0, REF_FUNC, 0, 0x14, 1, SEVEN, END);
    BAD("expects (ref null $type), found funcref", 0, SEVEN, 0xD0, 0x70, 0x14, 0, END);
    BAD("unknown type 5", 0, 0x00, 0x14, 5, END);
    GOOD(0, SEVEN, 0xD0, 0x73, 0x14, 0, END); /* null of no function at all */
    GOOD(0, SEVEN, GET, 0, 0x15, 0, END);
    GOOD(0, SEVEN, GET, 1, 0x15, 0, DROP, END); /* what follows is not reached */
    BAD("return_call_ref expects (ref null $type), found (ref $type)", 0, REF_FUNC, 0, 0x15, 1,
        END);
    BAD("return_call_ref of a function whose results", 0, 0xD0, 1, 0x15, 1, END);
    BAD("unknown type 5", 0, 0x00, 0x15, 5, END);
    l.features &= ~CATNAP_FEATURE_TAIL_CALLS;
    BODY(CATNAP_UNSUPPORTED, "return_call_ref needs the feature tail-call,", 0, SEVEN, GET, 0, 0x15,
         0, END);
    l.features ^= CATNAP_FEATURE_TAIL_CALLS | CATNAP_FEATURE_FUNCTION_REFERENCES;
    BODY(CATNAP_UNSUPPORTED, "needs the feature function-references,", 0, SEVEN, GET, 0, 0x15, 0,
         END);
    l.features |= CATNAP_FEATURE_TAIL_CALLS | CATNAP_FEATURE_FUNCTION_REFERENCES;
    GOOD(0, SEVEN, 0x41, 0, 0x11, 0, 0, END); /* call_indirect through a table of (ref null $f) */
    GOOD(0, SEVEN, 0x41, 0, 0x11, 0, 1, END);
    BAD("table of externref", 0, SEVEN, 0x41, 0, 0x11, 0, 2, END);
    loader_destroy(&l);
}

static void nulls_are_excluded(void **state) {
    (void)state;
    struct loader l;
    open_loader(&l);
    GOOD(0, 0x41, 0, GET, 0, 0xD4, 0x26, 1, SEVEN, END); /* table.set of (ref $f) */
    BAD("expects (ref $type), found (ref null $type)", 0, 0x41, 0, GET, 0, 0x26, 1, SEVEN, END);
    BAD("ref.as_non_null expects a reference, found i32", 0, SEVEN, 0xD4, END);
    GOOD(0, 0x00, 0xD4, DROP, SEVEN, END);
    BAD("expects i32, found a reference", 0, 0x00, 0xD4, END); /* no number, whatever it is */
    /* br_on_null: the reference is gone at the label, and not null behind. */
    GOOD(0, BLOCK, 0x40, 0x41, 0, GET, 0, 0xD5, 0, 0x26, 1, END, SEVEN, END);
    BAD("expects i32", 0, BLOCK, I, GET, 0, 0xD5, 0, DROP, SEVEN, END, END);
    BAD("br_on_null expects a reference, found i32", 0, SEVEN, 0xD5, 0, DROP, SEVEN, END);
    BAD("unknown label 2", 0, BLOCK, 0x40, GET, 0, 0xD5, 2, DROP, END, SEVEN, END);
    /* br_on_non_null: the label takes it. */
    GOOD(0, 0x41, 0, BLOCK, 0x64, 0, GET, 0, 0xD6, 0, GET, 1, END, 0x26, 1, SEVEN, END);
    BAD("takes no reference last", 0, BLOCK, 0x40, GET, 0, 0xD6, 0, END, SEVEN, END);
    BAD("takes no reference last", 0, BLOCK, I, GET, 0, 0xD6, 0, SEVEN, END, END);
    BAD("nothing on the stack", 0, BLOCK, 0x64, 0, GET, 0, 0xD6, 0, END, DROP, SEVEN, END);
    loader_destroy(&l);
}

/* Local 2, of type (ref $f), is written before it is read, on every way. */
static void locals_without_default_are_written_first(void **state) {
    (void)state;
    struct loader l;
    open_loader(&l);
#define LOCAL_F 1, 1, 0x64, 0
    GOOD(LOCAL_F, GET, 1, SET, 2, SEVEN, GET, 2, 0x14, 0, END);
    GOOD(LOCAL_F, SEVEN, GET, 1, 0x22, 2, 0x14, 0, END); /* local.tee */
    BAD("uninitialized local 2", LOCAL_F, SEVEN, GET, 2, 0x14, 0, END);
    GOOD(LOCAL_F, GET, 1, SET, 2, BLOCK, 0x40, GET, 2, DROP, END, SEVEN, END);
    BAD("uninitialized local 2", LOCAL_F, BLOCK, 0x40, GET, 1, SET, 2, END, GET, 2, DROP, SEVEN,
        END);
    BAD("uninitialized local 2", LOCAL_F, SEVEN, 0x04, 0x40, GET, 1, SET, 2, 0x05, GET, 2, DROP,
        END, SEVEN, END);
    BAD("uninitialized local 2", LOCAL_F, SEVEN, 0x04, 0x40, GET, 1, SET, 2, 0x05, GET, 1, SET, 2,
        END, GET, 2, DROP, SEVEN, END);
    BAD("uninitialized local 2", LOCAL_F, 0x00, GET, 2, DROP, END);
    BAD("expects (ref $type), found (ref null $type)", LOCAL_F, GET, 0, SET, 2, SEVEN, END);
    /* Written outside and again inside: it stays written. */
    GOOD(LOCAL_F, GET, 1, SET, 2, BLOCK, 0x40, GET, 1, SET, 2, END, GET, 2, DROP, SEVEN, END);
    /* Behind a run of a thousand locals with a default. */
    GOOD(2, 0xE8, 7, I, 1, 0x64, 0, GET, 1, SET, 0xEA, 7, GET, 0xEA, 7, DROP, SEVEN, END);
    BAD("uninitialized local 1002", 2, 0xE8, 7, I, 1, 0x64, 0, GET, 0xEA, 7, DROP, SEVEN, END);
    loader_destroy(&l);
}

static void tables_without_null_have_an_initial_value(void **state) {
    (void)state;
    struct loader l;
    open_loader(&l);
#define TYPE_F 1, 4, 1, 0x60, 0, 0
    MODULE(&l, CATNAP_OK, NULL, TYPE_F, 4, 5, 1, 0x63, 0, 0, 1);
    MODULE(&l, CATNAP_INVALID, "has no initial value", TYPE_F, 4, 5, 1, 0x64, 0, 0, 1);
    MODULE(&l, CATNAP_INVALID, "expected, found", TYPE_F, 4, 10, 1, 0x40, 0, 0x64, 0, 0, 1, 0xD0,
           0x70, 0x0B);
    MODULE(&l, CATNAP_INVALID, "unknown function 0", TYPE_F, 4, 10, 1, 0x40, 0, 0x64, 0, 0, 1, 0xD2,
           0, 0x0B);
    MODULE(&l, CATNAP_MALFORMED, "malformed table 0x40 0x01", TYPE_F, 4, 10, 1, 0x40, 1, 0x64, 0, 0,
           1, 0xD0, 0, 0x0B);
    MODULE(&l, CATNAP_OK, NULL, TYPE_F, 4, 10, 1, 0x40, 0, 0x63, 0, 0, 1, 0xD0, 0, 0x0B);
    l.features &= ~CATNAP_FEATURE_FUNCTION_REFERENCES;
    MODULE(&l, CATNAP_UNSUPPORTED, "function-references", TYPE_F, 4, 10, 1, 0x40, 0, 0x70, 0x70, 0,
           1, 0xD0, 0x70, 0x0B);
    loader_destroy(&l);
}

/* any.convert_extern and extern.convert_any keep it whether a reference may be null. */
static void conversions_keep_non_null(void **state) {
    (void)state;
    struct loader l;
    open_loader(&l);
    l.features |= CATNAP_FEATURE_GC;
#define CONVERTS(status, part, result, ...)                                                        \
    MODULE(&l, status, part, 1, 9, 1, 0x60, 2, 0x6F, 0x64, 0x6F, 1, 0x64, result, 3, 2, 1, 0, 10,  \
           sizeof((uint8_t[]){__VA_ARGS__}) + 4, 1, sizeof((uint8_t[]){__VA_ARGS__}) + 2, 0,       \
           __VA_ARGS__, END)
    CONVERTS(CATNAP_OK, NULL, 0x6E, GET, 1, 0xFB, 26);
    CONVERTS(CATNAP_OK, NULL, 0x6F, GET, 1, 0xFB, 26, 0xFB, 27);
    CONVERTS(CATNAP_INVALID, "expects (ref any), found anyref", 0x6E, GET, 0, 0xFB, 26);
    CONVERTS(CATNAP_INVALID, "expects (ref extern), found externref", 0x6F, GET, 0, 0xFB, 26, 0xFB,
             27);
    /* Unreachable code may have had one that is not null. */
    CONVERTS(CATNAP_OK, NULL, 0x6E, 0x00, 0xFB, 26);
    CONVERTS(CATNAP_OK, NULL, 0x6F, 0x00, 0xFB, 27);
    CONVERTS(CATNAP_OK, NULL, 0x6E, 0x00, 0xD4, 0xFB, 26);   /* ref.as_non_null */
    CONVERTS(CATNAP_OK, NULL, 0x6E, 0x00, SELECT, 0xFB, 26); /* of two values of any type */
    loader_destroy(&l);
}

/* A br_table of so many entries, in turn to a block of a thousand funcrefs and one of a thousand references of type 0, with
 * so many references without null on the stack. */
static struct bytes table_of_many_types(uint32_t entries) {
    struct module_builder m = {0};
    struct bytes *b, body = {0};
    uint32_t width = 1000, first = add_type(&m, "", "");
    for (uint32_t i = 1; i <= 2; i++) {
        b = add_item(&m, TYPES);
        m.types++;
        PUT(b, 0x60, 0);
        put_u(b, width);
        for (uint32_t k = 0; k < width; k++)
            if (i == 1)
                put(b, FUNCREF);
            else
                PUT(b, 0x63, 0);
    }
    PUT(&body, 0, BLOCK, 1, BLOCK, 2);
    for (uint32_t k = 0; k < width; k++)
        PUT(&body, REF_FUNC, 0);
    PUT(&body, I32_CONST, 0);
    op_u(&body, BR_TABLE, entries);
    for (uint32_t i = 0; i <= entries; i++)
        put(&body, i % 2);
    PUT(&body, END, END);
    for (uint32_t k = 0; k < width; k++)
        put(&body, DROP);
    put(&body, END);
    add_func(&m, "run", first, &body);
    return finish(&m);
}

/* In time that is linear in the size of the function. */
static void comparisons_are_bounded(void **state) {
    (void)state;
    struct loader l;
    open_loader(&l);
    struct bytes few = table_of_many_types(100), many = table_of_many_types(1000);
    expect(&l, &few, CATNAP_OK, NULL);
    expect(&l, &many, CATNAP_LIMIT, "more types of operands are compared");
    drop_bytes(&few);
    drop_bytes(&many);
    loader_destroy(&l);
}

/* The module of a function with this body, and of types: 0 a structure of so many fields i32, 1 the function's, 2 of one with
 * a thousand results i32, which type 0 can be made of; function 0 has type 2. */
static struct bytes fields_module(uint32_t fields, struct bytes *body) {
    struct module_builder m = {0};
    struct bytes results = {0}, *b = add_item(&m, TYPES);
    m.types = 3;
    put(b, 0x5F);
    put_u(b, fields);
    for (uint32_t i = 0; i < fields; i++)
        PUT(b, I32, 1);
    b = add_item(&m, TYPES);
    PUT(b, 0x60, 0, 0);
    b = add_item(&m, TYPES);
    PUT(b, 0x60, 0);
    put_u(b, 1000);
    for (uint32_t i = 0; i < 1000; i++)
        put(b, I32);
    PUT(&results, 0, 0x00, END);
    add_func(&m, "results", 2, &results);
    add_func(&m, "run", 1, body);
    return finish(&m);
}

static void expect_fields(struct loader *l, catnap_status_t status, const char *part,
                          const uint8_t *first, size_t first_size, const uint8_t *repeated,
                          size_t size, uint32_t times) {
    struct bytes body = {0};
    put(&body, 0);
    put_bytes(&body, first, first_size);
    for (uint32_t i = 0; i < times; i++)
        put_bytes(&body, repeated, size);
    PUT(&body, 0x00, END);
    struct bytes b = fields_module(10000, &body);
    expect(l, &b, status, part);
    drop_bytes(&b);
}

/* Three bytes name a structure of ten thousand fields. Were these looked at each time, the first two would take minutes. */
static void fields_are_not_looked_at_each_time(void **state) {
    (void)state;
    static const uint8_t unreachable[] = {0x00}, make[] = {0xFB, 0, 0, DROP},
                         make_default[] = {0xFB, 1, 0, DROP},
                         make_of_calls[] = {CALL, 0, CALL, 0, CALL, 0, CALL, 0,
                                            CALL, 0, CALL, 0, CALL, 0, CALL, 0,
                                            CALL, 0, CALL, 0, 0xFB, 0, 0,    DROP};
    struct loader l;
    open_loader(&l);
    l.features |= CATNAP_FEATURE_GC;
    expect_fields(&l, CATNAP_OK, NULL, unreachable, 1, make, sizeof make, 1500000);
    expect_fields(&l, CATNAP_OK, NULL, NULL, 0, make_default, sizeof make_default, 1500000);
    expect_fields(&l, CATNAP_LIMIT, "struct.new: more types of operands are compared", NULL, 0,
                  make_of_calls, sizeof make_of_calls, 100);
    loader_destroy(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_name_types_before_them_and_themselves),
        cmocka_unit_test(groups_are_read),
        cmocka_unit_test(supertypes_are_checked),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(each_prefix_of_a_type_section_is_refused),
        cmocka_unit_test(references_are_called),
        cmocka_unit_test(nulls_are_excluded),
        cmocka_unit_test(locals_without_default_are_written_first),
        cmocka_unit_test(tables_without_null_have_an_initial_value),
        cmocka_unit_test(conversions_keep_non_null),
        cmocka_unit_test(comparisons_are_bounded),
        cmocka_unit_test(fields_are_not_looked_at_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
