#include "loaded.h"

static void preambles(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    struct bytes b = {0};
    expect(&l, &b, CATNAP_MALFORMED, "empty");
    put_preamble(&b);
    expect(&l, &b, CATNAP_OK, NULL);
    for (size_t size = 1; size < 8; size++)
        assert_int_equal(load(&l, b.data, size), CATNAP_MALFORMED);
    b.data[4] = 2;
    expect(&l, &b, CATNAP_MALFORMED, "unknown binary version");
    memcpy(b.data + 4, "\x0D\0\1\0", 4);
    expect(&l, &b, CATNAP_UNSUPPORTED, "component");
    b.data[0] = 'x';
    expect(&l, &b, CATNAP_MALFORMED, "magic header");
    drop_bytes(&b);
    loader_destroy(&l);
}

static void sections_come_once_and_in_order(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    MODULE(&l, CATNAP_OK, NULL, 1, 1, 0, 2, 1, 0, 3, 1, 0, 4, 1, 0, 5, 1, 0, 6, 1, 0, 7, 1, 0, 9, 1,
           0, 12, 1, 0, 10, 1, 0, 11, 1, 0);
    MODULE(&l, CATNAP_OK, NULL, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0);
    MODULE(&l, CATNAP_MALFORMED, "type section twice or out of order", 1, 1, 0, 1, 1, 0);
    MODULE(&l, CATNAP_MALFORMED, "type section twice or out of order", 2, 1, 0, 1, 1, 0);
    MODULE(&l, CATNAP_MALFORMED, "data count section", 10, 1, 0, 12, 1, 0);
    MODULE(&l, CATNAP_MALFORMED, "malformed section id 14", 14, 1, 0);
    MODULE(&l, CATNAP_MALFORMED, "length out of bounds", 1, 2, 0);
    MODULE(&l, CATNAP_MALFORMED, "unexpected end", 1);
    MODULE(&l, CATNAP_MALFORMED, "unexpected end", 1, 0);
    MODULE(&l, CATNAP_MALFORMED, "size mismatch: 1 bytes", 1, 2, 0, 0);
    MODULE(&l, CATNAP_MALFORMED, "too long", 1, 0x81, 0x80, 0x80, 0x80, 0x10, 0);
    MODULE(&l, CATNAP_MALFORMED, "custom section name", 0, 0);
    MODULE(&l, CATNAP_MALFORMED, "custom section name", 0, 2, 2, 'a', 'b');
    MODULE(&l, CATNAP_MALFORMED, "UTF-8", 0, 2, 1, 0x80);
    loader_destroy(&l);
}

static void declared_counts_are_compared_with_what_is_left(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    static const uint8_t ids[] = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11};
    for (size_t i = 0; i < sizeof ids; i++) {
        uint64_t before = atomic_load(&l.alloc.now);
        atomic_store(&l.alloc.peak, before);
        MODULE(&l, CATNAP_MALFORMED, "unexpected end: 268435455 items", ids[i], 5, 0xFF, 0xFF, 0xFF,
               0x7F, 0);
        assert_true(atomic_load(&l.alloc.peak) - before < 10000);
    }
    MODULE(&l, CATNAP_MALFORMED, "data count and data section", 12, 1, 1);
    MODULE(&l, CATNAP_LIMIT, "limit of 100000", 12, 5, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F);
    MODULE(&l, CATNAP_MALFORMED, "unexpected end: 268435455 items", 1, 6, 1, 0x60, 0xFF, 0xFF, 0xFF,
           0x7F);
    loader_destroy(&l);
}

static void counts_have_limits(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    struct bytes b = {0}, s = {0};
    put_preamble(&b); /* a million and one types, each of three bytes */
    put_u(&s, LIMIT_TYPES + 1);
    for (uint32_t i = 0; i <= LIMIT_TYPES; i++)
        PUT(&s, 0x60, 0, 0);
    put_section(&b, 1, &s);
    expect(&l, &b, CATNAP_LIMIT, "types: 1000001 items are more than the limit of 1000000");
    b.size = 0;
    put_preamble(&b);
    PUT(&s, 1, 0x60);
    put_u(&s, LIMIT_PARAMS + 1);
    for (uint32_t i = 0; i <= LIMIT_PARAMS; i++)
        put(&s, 0x7F);
    put(&s, 0);
    put_section(&b, 1, &s);
    expect(&l, &b, CATNAP_LIMIT, "parameters: 1001 items");
    b.size = 0;
    put_preamble(&b); /* 100 memories decode, 101 do not */
    for (uint32_t count = LIMIT_MEMORIES; count <= LIMIT_MEMORIES + 1; count++) {
        b.size = 8;
        put_u(&s, count);
        for (uint32_t i = 0; i < count; i++)
            PUT(&s, 0, 1);
        put_section(&b, 5, &s);
        expect(&l, &b, count > LIMIT_MEMORIES ? CATNAP_LIMIT : CATNAP_OK,
               count > LIMIT_MEMORIES ? "memories" : NULL);
    }
    drop_bytes(&b);
    loader_destroy(&l);
}

static void functions_and_bodies_agree(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    MODULE(&l, CATNAP_MALFORMED, "inconsistent lengths: 1 and none", 1, 4, 1, 0x60, 0, 0, 3, 2, 1,
           0);
    MODULE(&l, CATNAP_MALFORMED, "inconsistent lengths: 1 and 0", 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0,
           10, 1, 0);
    MODULE(&l, CATNAP_MALFORMED, "inconsistent lengths: 0 and 1", 10, 4, 1, 2, 0, 0x0B);
    MODULE(&l, CATNAP_MALFORMED, "function body", 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 4, 1, 3, 0,
           0x0B);
    assert_int_equal(l.error.func, 0);
    MODULE(&l, CATNAP_MALFORMED, "size mismatch", 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 5, 1, 2, 0,
           0x0B, 0);
    MODULE(&l, CATNAP_OK, NULL, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 4, 1, 2, 0, 0x0B);
    loader_destroy(&l);
}

/* A module of a later version is not malformed: the error names the feature. */
static void features_of_later_versions_are_named(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
#define LATER(feature, ...) MODULE(&l, CATNAP_UNSUPPORTED, " belongs to " feature ", ", __VA_ARGS__)
    LATER("stack switching", 1, 3, 1, 0x5D, 0); /* a continuation */
    LATER("shared-everything threads", 4, 5, 1, 0x70, 3, 0, 0);
#undef LATER
    loader_destroy(&l);
}

/* Each place where garbage collection begins, with the feature and without. */
static void garbage_collection_can_be_switched_off(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
#define GC(...)                                                                                    \
    do {                                                                                           \
        l.features = CATNAP_FEATURES_ALL & ~CATNAP_FEATURE_GC;                                     \
        MODULE(&l, CATNAP_UNSUPPORTED, " needs the feature gc, which is switched off",             \
               __VA_ARGS__);                                                                       \
        l.features = CATNAP_FEATURES_ALL;                                                          \
        MODULE(&l, CATNAP_OK, NULL, __VA_ARGS__);                                                  \
    } while (0)
    GC(1, 3, 1, 0x5F, 0);                            /* an empty structure */
    GC(1, 4, 1, 0x5E, 0x7F, 0);                      /* an array */
    GC(1, 5, 1, 0x60, 1, 0x6E, 0);                   /* anyref */
    GC(1, 5, 1, 0x60, 1, 0x71, 0);                   /* nullref */
    GC(6, 6, 1, 0x6C, 0, 0xD0, 0x6C, 0x0B);          /* a global of i31ref */
    GC(4, 4, 1, 0x6E, 0, 0);                         /* a table of anyref */
    GC(6, 8, 1, 0x6C, 0, 0x41, 1, 0xFB, 0x1C, 0x0B); /* ref.i31 */
#undef GC
    MODULE(&l, CATNAP_MALFORMED, "malformed mutability 0x02", 1, 4, 1, 0x5E, 0x7F, 2);
    MODULE(&l, CATNAP_MALFORMED, "unexpected end", 1, 3, 1, 0x5F, 1);
    loader_destroy(&l);
}

static void features_of_memories_can_be_switched_off(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    l.features = CATNAP_FEATURES_WASM2;
#define NEEDS(feature, ...)                                                                        \
    MODULE(&l, CATNAP_UNSUPPORTED, "needs the feature " feature, __VA_ARGS__)
    NEEDS("memory64", 5, 3, 1, 4, 0);
    NEEDS("memory64", 5, 4, 1, 5, 0, 1);
    NEEDS("memory64", 4, 4, 1, 0x70, 4, 0);
    NEEDS("custom-page-sizes", 5, 4, 1, 8, 0, 0);
    NEEDS("multi-memory", 5, 5, 2, 0, 0, 0, 0);
    NEEDS("multi-memory", 2, 6, 1, 0, 0, 2, 0, 0, 5, 3, 1, 0, 0);
#undef NEEDS
    MODULE(&l, CATNAP_MALFORMED, "too long or too large", 5, 7, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x10);
    l.features = CATNAP_FEATURES_DEFAULT;
    MODULE(&l, CATNAP_INVALID, "size must be at most 65536", 5, 7, 1, 0, 0x80, 0x80, 0x80, 0x80,
           0x10);
    MODULE(&l, CATNAP_INVALID, "size must be at most 281474976710656", 5, 9, 1, 4, 0x81, 0x80, 0x80,
           0x80, 0x80, 0x80, 0x40);
    MODULE(&l, CATNAP_OK, NULL, 5, 9, 1, 4, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40);
    l.features = CATNAP_FEATURES_ALL;
    MODULE(&l, CATNAP_OK, NULL, 5, 4, 1, 8, 0, 0);
    MODULE(&l, CATNAP_OK, NULL, 5, 4, 1, 8, 0, 16);
    MODULE(&l, CATNAP_INVALID, "invalid custom page size 2^15", 5, 4, 1, 8, 0, 15);
    MODULE(&l, CATNAP_INVALID, "invalid custom page size 2^63", 5, 4, 1, 8, 0, 63);
    MODULE(&l, CATNAP_MALFORMED, "invalid custom page size 2^64", 5, 5, 1, 8, 0, 0xC0, 0);
    MODULE(&l, CATNAP_MALFORMED, "unexpected end", 5, 3, 1, 8, 0);
    MODULE(&l, CATNAP_MALFORMED, "table limits flags 0x08", 4, 5, 1, 0x70, 8, 0, 0);
    MODULE(&l, CATNAP_OK, NULL, 5, 8, 1, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0);
    MODULE(&l, CATNAP_INVALID, "size must be at most 4294967295", 5, 8, 1, 8, 0x80, 0x80, 0x80,
           0x80, 0x10, 0);
    loader_destroy(&l);
}

/* Two functions "b" and "c" from "a" with a type for each, then globals "d" and "e" of one type, then a plain import. */
static void imports_come_in_groups(void **state) {
    (void)state;
    static const uint8_t tail[] = {
        1, 4, 1,   0x60, 0, 0,    2, 34,   3, 1, 'a', 0,   0x7F, 2,   1, 'b', 0, 0,   1, 'c',  0,
        0, 2, 'm', 'n',  0, 0x7E, 3, 0x7E, 1, 2, 1,   'd', 1,    'e', 1, 'z', 1, 'y', 3, 0x7F, 0};
    struct loader l;
    struct bytes b = {0};
    loader_init(&l);
    put_preamble(&b);
    put_bytes(&b, tail, sizeof tail);
    expect(&l, &b, CATNAP_UNSUPPORTED, "a group of imports needs the feature compact-imports");
    l.features = CATNAP_FEATURES_ALL;
    struct module *m = load_in_place(&l, b.data, b.size);
    assert_non_null(m);
    assert_int_equal(m->import_count, 5);
    assert_int_equal(m->imported_func_count, 2);
    assert_int_equal(m->imported_global_count, 3);
    for (uint32_t i = 0; i < 5; i++) {
        const struct import *import = &m->imports[i];
        assert_int_equal(m->bytes[import->name.offset], "bcdey"[i]);
        assert_int_equal(m->bytes[import->module.offset], "aammz"[i]);
        assert_int_equal(import->kind, i < 2 ? EXTERN_FUNC : EXTERN_GLOBAL);
        assert_int_equal(import->index, i < 2 ? i : i - 2);
    }
    assert_int_equal(m->globals[0].type.type, VT_I64);
    assert_true(m->globals[1].type.is_mutable);
    assert_int_equal(m->globals[2].type.type, VT_I32);
    cn_module_release(m);
    for (size_t size = 9; size < b.size; size++)
        if (size != 14) /* a module of the type section */
            assert_int_equal(load(&l, b.data, size), CATNAP_MALFORMED);
    drop_bytes(&b);
    MODULE(&l, CATNAP_OK, NULL, 2, 5, 1, 0, 0, 0x7F, 0);
    MODULE(&l, CATNAP_OK, NULL, 2, 10, 1, 0, 0x80, 0x80, 0, 0x7E, 2, 0, 1, 0);
    MODULE(&l, CATNAP_MALFORMED, "malformed import kind 0x7f", 2, 6, 1, 0, 1, 'a', 0x7F, 0);
    MODULE(&l, CATNAP_MALFORMED, "malformed import kind 0x7e", 2, 7, 1, 0, 0, 0x7E, 0x7E, 0, 0);
    MODULE(&l, CATNAP_MALFORMED, "unexpected end: 268435455 items", 2, 8, 1, 0, 0, 0x7F, 0xFF, 0xFF,
           0xFF, 0x7F);
    loader_destroy(&l);
}

/* An import of a byte: 100,000 tables, and a million and one globals in two groups. */
static void groups_of_imports_have_limits(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    l.features = CATNAP_FEATURES_ALL;
    for (unsigned globals = 0; globals < 2; globals++) {
        struct bytes b = {0}, section = {0};
        put_preamble(&b);
        put(&section, 1 + (uint8_t)globals);
        for (unsigned group = 0; group < 1 + globals; group++) {
            uint32_t count = globals ? 500000 + group : 100001;
            PUT(&section, 0, 0, 0x7E);
            if (globals)
                PUT(&section, 3, 0x7F, 0);
            else
                PUT(&section, 1, 0x70, 0, 0);
            put_u(&section, count);
            for (uint32_t i = 0; i < count; i++)
                put(&section, 0);
        }
        put_section(&b, 2, &section);
        expect(&l, &b, CATNAP_LIMIT, globals ? "limit of 1000000" : "limit of 100000");
        drop_bytes(&b);
    }
    loader_destroy(&l);
}

static void bytes_that_choose_a_form_are_checked(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    MODULE(&l, CATNAP_MALFORMED, "malformed type form 0x61", 1, 4, 1, 0x61, 0, 0);
    MODULE(&l, CATNAP_MALFORMED, "malformed value type 0x76", 1, 5, 1, 0x60, 1, 0x76, 0);
    MODULE(&l, CATNAP_MALFORMED, "malformed import kind 0x05", 2, 6, 1, 0, 0, 5, 0, 0);
    MODULE(&l, CATNAP_MALFORMED, "malformed export kind 0x05", 7, 4, 1, 0, 5, 0);
    MODULE(&l, CATNAP_MALFORMED, "mutability 0x02", 6, 6, 1, 0x7F, 2, 0x41, 0, 0x0B);
    MODULE(&l, CATNAP_MALFORMED, "memory limits flags 0x10", 5, 3, 1, 16, 0);
    MODULE(&l, CATNAP_MALFORMED, "table limits flags 0x08", 4, 4, 1, 0x70, 8, 0);
    MODULE(&l, CATNAP_MALFORMED, "reference type 0x7f", 4, 4, 1, 0x7F, 0, 0);
    MODULE(&l, CATNAP_MALFORMED, "element segment flags 8", 9, 4, 1, 8, 0, 0);
    MODULE(&l, CATNAP_MALFORMED, "element kind 0x01", 9, 4, 1, 1, 1, 0);
    MODULE(&l, CATNAP_MALFORMED, "data segment flags 3", 11, 3, 1, 3, 0);
    MODULE(&l, CATNAP_MALFORMED, "illegal opcode 0xff", 6, 5, 1, 0x7F, 0, 0xFF, 0x0B);
    MODULE(&l, CATNAP_MALFORMED, "instruction: unexpected end", 6, 5, 1, 0x7F, 0, 0x41, 0);
    loader_destroy(&l);
}

static void what_is_switched_off_is_named(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    l.features = CATNAP_FEATURES_WASM1 & ~CATNAP_FEATURE_MUTABLE_GLOBALS;
    MODULE(&l, CATNAP_UNSUPPORTED, "v128 needs the feature simd", 1, 5, 1, 0x60, 1, 0x7B, 0);
    MODULE(&l, CATNAP_UNSUPPORTED, "reference-types", 1, 5, 1, 0x60, 1, 0x70, 0);
    MODULE(&l, CATNAP_UNSUPPORTED, "function-references", 1, 3, 1, 0x4E, 0);
    MODULE(&l, CATNAP_UNSUPPORTED, "function-references", 1, 6, 1, 0x50, 0, 0x60, 0, 0);
    MODULE(&l, CATNAP_UNSUPPORTED, "function-references", 1, 6, 1, 0x4F, 0, 0x60, 0, 0);
    MODULE(&l, CATNAP_UNSUPPORTED, "function-references", 1, 6, 1, 0x60, 1, 0x64, 0, 0);
    MODULE(&l, CATNAP_UNSUPPORTED, "function-references", 1, 5, 1, 0x60, 1, 0x73, 0);
    MODULE(&l, CATNAP_INVALID, "multi-value", 1, 6, 1, 0x60, 0, 2, 0x7F, 0x7F);
    MODULE(&l, CATNAP_UNSUPPORTED, "bulk-memory", 12, 1, 0);
    MODULE(&l, CATNAP_UNSUPPORTED, "bulk-memory", 11, 3, 1, 1, 0);
    MODULE(&l, CATNAP_UNSUPPORTED, "bulk-memory", 9, 4, 1, 1, 0, 0);
    MODULE(&l, CATNAP_UNSUPPORTED, "mutable-globals", 2, 6, 1, 0, 0, 3, 0x7F, 1);
    MODULE(&l, CATNAP_INVALID, "multiple tables", 4, 7, 2, 0x70, 0, 0, 0x70, 0, 0);
    MODULE(&l, CATNAP_OK, NULL, 4, 4, 1, 0x70, 0, 0, 9, 8, 1, 2, 0, 0x41, 0, 0x0B, 0, 0);
    MODULE(&l, CATNAP_UNSUPPORTED, "arithmetic in a constant expression needs the feature", 6, 9, 1,
           0x7F, 0, 0x41, 1, 0x41, 2, 0x6A, 0x0B);
    MODULE(&l, CATNAP_UNSUPPORTED, "needs the feature extended-const, which is switched off", 6, 11,
           2, 0x7F, 0, 0x41, 0, 0x0B, 0x7F, 0, 0x23, 0, 0x0B);
    struct bytes b = {0};
    MODULE_OF_BODY(&b, 0x41, 0, 0xC0, 0x1A, 0x0B);
    expect(&l, &b, CATNAP_UNSUPPORTED, "i32.extend8_s needs the feature sign-extension");
    assert_int_equal(l.error.func, 0);
    drop_bytes(&b);
    MODULE_OF_BODY(&b, 0x11, 0, 1, 0x0B);
    expect(&l, &b, CATNAP_MALFORMED, "zero byte expected");
    drop_bytes(&b);
    loader_destroy(&l);
}

static bool is(const struct module *m, struct span span, const char *text) {
    return span.length == strlen(text) && memcmp(m->bytes + span.offset, text, span.length) == 0;
}

static void the_sample_is_decoded(void **state) {
    (void)state;
    struct loaded s;
    open_sample(&s);
    struct module *m = s.m;
    assert_int_equal(m->type_count, 5);
    assert_int_equal(m->import_count, 4);
    assert_int_equal(m->func_count, 6);
    assert_int_equal(m->imported_func_count, 1);
    assert_int_equal(m->table_count, 2);
    assert_int_equal(m->tables[0].limits.max, 9);
    assert_int_equal(m->tables[1].element, VT_EXTERNREF);
    assert_int_equal(m->memory_count, 1);
    assert_int_equal(m->global_count, 8);
    assert_true(m->globals[1].type.is_mutable);
    assert_int_equal(m->globals[1].init.span.length, 3);
    assert_int_equal(m->export_count, 5);
    assert_true(m->has_start && m->start == 1);
    assert_int_equal(m->elem_count, 8);
    static const enum segment_mode modes[] = {SEGMENT_ACTIVE, SEGMENT_PASSIVE, SEGMENT_ACTIVE,
                                              SEGMENT_DECLARATIVE};
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(m->elems[i].mode, modes[i % 4]);
        assert_int_equal(m->elems[i].exprs, i >= 4);
    }
    assert_int_equal(m->elems[6].table, 1);
    assert_int_equal(m->elems[5].count, 2);
    assert_int_equal(m->elems[5].items.length, 6);
    assert_int_equal(m->data_count, 3);
    assert_int_equal(m->datas[1].mode, SEGMENT_PASSIVE);
    assert_true(is(m, m->datas[0].bytes, "hi"));
    assert_int_equal(m->section_count, 13);
    assert_true(is(m, m->sections[0].name, "note"));
    assert_int_equal(m->sections[0].content.length, 8);
    struct span body = cn_module_body(m, m->imported_func_count + 4);
    assert_int_equal(m->bytes[body.offset + body.length - 1], 0x0B);
    assert_int_equal(body.length, 14);
    cn_module_retain(m);
    cn_module_release(m);
    close_sample(&s);
}

static void functions_have_names(void **state) {
    (void)state;
    struct loaded s;
    open_sample(&s);
    const struct module *m = s.m;
    assert_true(is(m, m->module_name, "sample"));
    assert_true(is(m, cn_module_func_name(m, 0), "imp"));
    assert_true(is(m, cn_module_func_name(m, 2), "a")); /* from the export */
    assert_true(is(m, cn_module_func_name(m, 3), "\xC3\xA9"));
    assert_int_equal(cn_module_func_name(m, 4).length, 0);
    close_sample(&s);
}

/* A broken name section is as good as none, however it is broken. */
static void broken_names_are_ignored(void **state) {
    (void)state;
    struct loaded s;
    open_sample(&s);
    const struct bytes whole = s.b;
    struct span names = s.m->name_section;
    assert_true(names.length > 0);
    for (uint32_t i = 0; i < names.length; i++)
        for (uint32_t value = 0; value < 256; value++) {
            uint8_t *copy = malloc(whole.size);
            memcpy(copy, whole.data, whole.size);
            copy[names.offset + i] = (uint8_t)value;
            struct module *m = load_in_place(&s.l, copy, whole.size);
            assert_non_null(m);
            for (uint32_t func = 0; func < 8; func++) {
                struct span name = cn_module_func_name(m, func);
                assert_true((uint64_t)name.offset + name.length <= whole.size);
            }
            assert_true((uint64_t)m->module_name.offset + m->module_name.length <= whole.size);
            cn_module_release(m);
            free(copy);
        }
    close_sample(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preambles),
        cmocka_unit_test(sections_come_once_and_in_order),
        cmocka_unit_test(declared_counts_are_compared_with_what_is_left),
        cmocka_unit_test(counts_have_limits),
        cmocka_unit_test(functions_and_bodies_agree),
        cmocka_unit_test(features_of_later_versions_are_named),
        cmocka_unit_test(garbage_collection_can_be_switched_off),
        cmocka_unit_test(features_of_memories_can_be_switched_off),
        cmocka_unit_test(imports_come_in_groups),
        cmocka_unit_test(groups_of_imports_have_limits),
        cmocka_unit_test(bytes_that_choose_a_form_are_checked),
        cmocka_unit_test(what_is_switched_off_is_named),
        cmocka_unit_test(the_sample_is_decoded),
        cmocka_unit_test(functions_have_names),
        cmocka_unit_test(broken_names_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
