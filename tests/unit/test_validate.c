#include <stdio.h>

#include "load.h"

/* ---- Declarations ---- */

#define INVALID(part, ...) MODULE(&l, CATNAP_INVALID, part, __VA_ARGS__)
#define VALID(...) MODULE(&l, CATNAP_OK, NULL, __VA_ARGS__)

static void indices_are_within_the_module(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    INVALID("unknown type 1 of function 0", 1, 4, 1, 0x60, 0, 0, 2, 5, 1, 0, 0, 0, 1);
    INVALID("unknown function 0", 7, 4, 1, 0, 0, 0);
    INVALID("unknown table 0", 7, 4, 1, 0, 1, 0);
    INVALID("unknown memory 0", 7, 4, 1, 0, 2, 0);
    INVALID("unknown global 0", 7, 4, 1, 0, 3, 0);
    INVALID("unknown function 0 as start", 8, 1, 0);
    INVALID("unknown table 0", 9, 6, 1, 0, 0x41, 0, 0x0B, 0);
    INVALID("unknown memory 0", 11, 6, 1, 0, 0x41, 0, 0x0B, 0);
    INVALID("unknown memory 1", 5, 3, 1, 0, 0, 11, 7, 1, 2, 1, 0x41, 0, 0x0B, 0);
    INVALID("unknown function 5", 9, 5, 1, 1, 0, 1, 5);
    INVALID("unknown function 5", 9, 7, 1, 5, 0x70, 1, 0xD2, 5, 0x0B);
    loader_destroy(&l);
}

static void limits_are_in_order(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    VALID(5, 5, 1, 0, 0x80, 0x80, 4);
    INVALID("at most 65536", 5, 5, 1, 0, 0x81, 0x80, 4);
    INVALID("at most 65536", 5, 6, 1, 1, 0, 0x81, 0x80, 4);
    INVALID("minimum 2 must not be greater than maximum 1", 5, 4, 1, 1, 2, 1);
    INVALID("minimum 2 must not be greater than maximum 1", 4, 5, 1, 0x70, 1, 2, 1);
    VALID(4, 8, 1, 0x70, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F);
    VALID(4, 7, 2, 0x70, 0, 0, 0x6F, 0, 0);
    loader_destroy(&l);
}

static void export_names_are_unique(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    INVALID("duplicate export name \"a\"", 5, 3, 1, 0, 0, 7, 9, 2, 1, 'a', 2, 0, 1, 'a', 2, 0);
    INVALID("duplicate export name \"\"", 5, 3, 1, 0, 0, 7, 7, 2, 0, 2, 0, 0, 2, 0);
    VALID(5, 3, 1, 0, 0, 7, 9, 2, 1, 'a', 2, 0, 1, 'b', 2, 0);
    struct bytes b = {0}, s = {0}; /* and many of them do not take long */
    put_preamble(&b);
    SECTION(&b, 5, 1, 0, 0);
    put_u(&s, 200000);
    for (uint32_t i = 0; i < 200000; i++)
        PUT(&s, 6, 'a' + (i & 15), 'a' + (i >> 4 & 15), 'a' + (i >> 8 & 15), 'a' + (i >> 12 & 15),
            'a' + (i >> 16 & 15), 'x', 2, 0);
    put_section(&b, 7, &s);
    expect(&l, &b, CATNAP_OK, NULL);
    drop_bytes(&b);
    loader_destroy(&l);
}

static void the_start_function_takes_nothing(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    VALID(1, 4, 1, 0x60, 0, 0, 2, 5, 1, 0, 0, 0, 0, 8, 1, 0);
    INVALID("it is (i32) -> ()", 1, 5, 1, 0x60, 1, 0x7F, 0, 2, 5, 1, 0, 0, 0, 0, 8, 1, 0);
    INVALID("it is () -> (i64)", 1, 5, 1, 0x60, 0, 1, 0x7E, 2, 5, 1, 0, 0, 0, 0, 8, 1, 0);
    loader_destroy(&l);
}

static void constant_expressions(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    INVALID("of 0 values instead of one i32", 6, 4, 1, 0x7F, 0, 0x0B);
    INVALID("of 2 values", 6, 8, 1, 0x7F, 0, 0x41, 0, 0x41, 0, 0x0B);
    INVALID("of i32 expected, found i64", 6, 6, 1, 0x7F, 0, 0x42, 0, 0x0B);
    INVALID("constant expression required: nop", 6, 7, 1, 0x7F, 0, 0x01, 0x41, 0, 0x0B);
    INVALID("constant expression required: block", 6, 9, 1, 0x7F, 0, 0x02, 0x7F, 0x41, 0, 0x0B,
            0x0B);
    INVALID("constant expression required: i32.and", 6, 9, 1, 0x7F, 0, 0x41, 0, 0x41, 0, 0x71,
            0x0B);
    INVALID("unknown global 0", 6, 6, 1, 0x7F, 0, 0x23, 0, 0x0B);
    /* A global is seen if it comes before and cannot change; in segments all come before. */
    VALID(6, 11, 2, 0x7F, 0, 0x41, 0, 0x0B, 0x7F, 0, 0x23, 0, 0x0B);
    INVALID("read only the first 1 globals", 6, 11, 2, 0x7F, 0, 0x41, 0, 0x0B, 0x7F, 0, 0x23, 1,
            0x0B);
    INVALID("global 0 is mutable", 6, 11, 2, 0x7F, 1, 0x41, 0, 0x0B, 0x7F, 0, 0x23, 0, 0x0B);
    VALID(5, 3, 1, 0, 0, 6, 6, 1, 0x7F, 0, 0x41, 1, 0x0B, 11, 6, 1, 0, 0x23, 0, 0x0B, 0);
    INVALID("unknown global 1", 5, 3, 1, 0, 0, 6, 6, 1, 0x7F, 0, 0x41, 1, 0x0B, 11, 6, 1, 0, 0x23,
            1, 0x0B, 0);
    VALID(2, 6, 1, 0, 0, 3, 0x7F, 0, 6, 6, 1, 0x7F, 0, 0x23, 0, 0x0B);
    INVALID("global 0 is mutable", 2, 6, 1, 0, 0, 3, 0x7F, 1, 6, 6, 1, 0x7F, 0, 0x23, 0, 0x0B);
    INVALID("of funcref expected, found externref", 6, 6, 1, 0x70, 0, 0xD0, 0x6F, 0x0B);
    INVALID("unknown function 0", 6, 6, 1, 0x70, 0, 0xD2, 0, 0x0B);
    INVALID("of i32 expected, found f32", 5, 3, 1, 0, 0, 11, 9, 1, 0, 0x43, 0, 0, 0, 0, 0x0B, 0);
    INVALID("segment of (ref func) for a table of externref", 4, 4, 1, 0x6F, 0, 0, 9, 6, 1, 0, 0x41,
            0, 0x0B, 0);
    loader_destroy(&l);
}

/* Sums and products, of the right types, and with a bounded number of operands at once. */
static void extended_constant_expressions(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    for (uint8_t opcode = 0x6A; opcode <= 0x6C; opcode++) {
        VALID(6, 9, 1, 0x7F, 0, 0x41, 1, 0x41, 2, opcode, 0x0B);
        VALID(6, 9, 1, 0x7E, 0, 0x42, 1, 0x42, 2, (uint8_t)(opcode + 0x12), 0x0B);
        INVALID("expects i32, found nothing", 6, 7, 1, 0x7F, 0, 0x41, 1, opcode, 0x0B);
        INVALID("expects i32, found i64", 6, 9, 1, 0x7F, 0, 0x41, 1, 0x42, 2, opcode, 0x0B);
        INVALID("of i32 expected, found i64", 6, 9, 1, 0x7F, 0, 0x42, 1, 0x42, 2,
                (uint8_t)(opcode + 0x12), 0x0B);
        INVALID("constant expression required", 6, 9, 1, 0x7F, 0, 0x41, 1, 0x41, 2,
                (uint8_t)(opcode + 3), 0x0B);
    }
    INVALID("of 2 values", 6, 11, 1, 0x7F, 0, 0x41, 1, 0x41, 2, 0x41, 3, 0x6A, 0x0B);
    for (uint32_t operands = LIMIT_CONSTANT_OPERANDS; operands <= LIMIT_CONSTANT_OPERANDS + 1;
         operands++) {
        bool fits = operands == LIMIT_CONSTANT_OPERANDS;
        struct bytes b = {0}, s = {0};
        put_preamble(&b);
        PUT(&s, 1, 0x7F, 0);
        for (uint32_t i = 0; i < operands; i++)
            PUT(&s, 0x41, 1);
        for (uint32_t i = 1; i < operands; i++)
            put(&s, 0x6A);
        put(&s, 0x0B);
        put_section(&b, 6, &s);
        expect(&l, &b, fits ? CATNAP_OK : CATNAP_LIMIT, fits ? NULL : "the limit of 256");
        drop_bytes(&b);
    }
    loader_destroy(&l);
}

/* ---- Bodies ---- */

/* A body in a module of these surroundings:
 * types    0: () -> ()  1: () -> (i32)  2: (i32 i64) -> (i64 i32)  3: (externref) -> (funcref)
 * function 0 imported, of type 2; function 1: the body, of type 0, with the locals i32 i64
 * externref; function 2 of type 3, exported; function 3 of type 0 table 0 of funcref, table 1 of
 * externref; memory 0; global 0 mutable i32, global 1 immutable f32 element segment 0 of funcref
 * naming function 0, 1 of externref; data segment 0 */
static void body(struct loader *l, catnap_status_t status, const char *part, const uint8_t *code,
                 size_t size, bool data_count) {
    struct bytes b = {0}, s = {0}, f = {0};
    put_preamble(&b);
    SECTION(&b, 1, 4, 0x60, 0, 0, 0x60, 0, 1, 0x7F, 0x60, 2, 0x7F, 0x7E, 2, 0x7E, 0x7F, 0x60, 1,
            0x6F, 1, 0x70);
    SECTION(&b, 2, 1, 0, 0, 0, 2);
    SECTION(&b, 3, 3, 0, 3, 0);
    SECTION(&b, 4, 2, 0x70, 0, 1, 0x6F, 0, 1);
    SECTION(&b, 5, 1, 0, 1);
    SECTION(&b, 6, 2, 0x7F, 1, 0x41, 0, 0x0B, 0x7D, 0, 0x43, 0, 0, 0, 0, 0x0B);
    SECTION(&b, 7, 1, 1, 'f', 0, 2);
    SECTION(&b, 9, 2, 1, 0, 1, 0, 5, 0x6F, 1, 0xD0, 0x6F, 0x0B);
    if (data_count)
        SECTION(&b, 12, 1);
    put(&s, 3);
    PUT(&f, 3, 1, 0x7F, 1, 0x7E, 1, 0x6F);
    put_bytes(&f, code, size);
    put_sized(&s, &f);
    PUT(&s, 4, 0, 0xD0, 0x70, 0x0B, 2, 0, 0x0B);
    put_section(&b, 10, &s);
    SECTION(&b, 11, 1, 1, 0);
    /* Steps of the fast loop stop short of the module's end, the fast validator much shorter: let the
     * body be close to it, far and very far. */
    static const uint8_t custom[256];
    for (int far = 0; far < 3; far++) {
        expect(l, &b, status, part);
        put_bytes(&s, custom, far == 0 ? 20 : sizeof custom);
        put_section(&b, 0, &s);
    }
    if (status != CATNAP_OK)
        assert_int_equal(l->error.func, 1);
    drop_bytes(&b);
}
#define BODY(status, part, ...)                                                                    \
    body(&l, status, part, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), \
         true)
#define GOOD(...) BODY(CATNAP_OK, NULL, __VA_ARGS__)
#define BAD(part, ...) BODY(CATNAP_INVALID, part, __VA_ARGS__)
#define BROKEN(part, ...) BODY(CATNAP_MALFORMED, part, __VA_ARGS__)

/* Catch clauses in blocks one within another, or one after another. */
static void catch_clauses_are_bounded(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    for (uint32_t count = LIMIT_CATCH_CLAUSES; count <= LIMIT_CATCH_CLAUSES + 1; count++)
        for (int nested = 0; nested < 2; nested++) {
            bool fits = count == LIMIT_CATCH_CLAUSES || !nested;
            struct bytes b = {0};
            for (uint32_t i = 0; i < count; i++) {
                PUT(&b, 0x1F, 0x40, 1, 2, 0); /* try_table, catch_all */
                if (!nested)
                    put(&b, 0x0B);
            }
            for (uint32_t i = nested ? 0 : count; i <= count; i++)
                put(&b, 0x0B);
            body(&l, fits ? CATNAP_OK : CATNAP_LIMIT, fits ? NULL : "the limit of 1000", b.data,
                 b.size, true);
            drop_bytes(&b);
        }
    loader_destroy(&l);
}

/* The same of the older form: a try block counts as a clause, its body is within its clauses, its catch blocks are not. */
static void catch_blocks_are_bounded(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    for (uint32_t count = LIMIT_CATCH_CLAUSES - 1; count <= LIMIT_CATCH_CLAUSES + 1; count++)
        for (int shape = 0; shape < 5; shape++) {
            struct bytes b = {0};
            bool fits = count <= LIMIT_CATCH_CLAUSES;
            for (uint32_t i = 0; i < count; i++)
                if (shape == 0 || shape == 4) /* one in the body of another */
                    PUT(&b, 0x06, 0x40);
                else if (shape == 1) /* in the catch block of another */
                    PUT(&b, 0x06, 0x40, 0x19);
                else /* one after another */
                    PUT(&b, 0x06, 0x40, 0x19, 0x0B);
            for (uint32_t i = 0; i < count && shape < 2; i++)
                put(&b, 0x0B);
            for (uint32_t i = 0; i < count && shape == 4; i++)
                PUT(&b, 0x18, 0); /* delegate */
            if (shape ==
                2) { /* within so many clauses of the newer form, which are just too many */
                struct bytes inner = b;
                b = (struct bytes){0};
                PUT(&b, 0x1F, 0x40);
                put_u(&b, count - 1);
                for (uint32_t i = 1; i < count; i++)
                    PUT(&b, 2, 0);
                put_bytes(&b, inner.data, inner.size);
                put(&b, 0x0B);
                drop_bytes(&inner);
                fits = count + 1 <= LIMIT_CATCH_CLAUSES;
            }
            put(&b, 0x0B);
            fits = fits || shape == 1 || shape == 3;
            body(&l, fits ? CATNAP_OK : CATNAP_LIMIT, fits ? NULL : "the limit of 1000", b.data,
                 b.size, true);
            drop_bytes(&b);
        }
    loader_destroy(&l);
}

/* In a module with a tag of an i32. */
static void catching(struct loader *l, catnap_status_t status, const char *part,
                     const uint8_t *code, size_t size) {
    struct module_builder m = {0};
    struct bytes b = {0};
    add_tag(&m, add_type(&m, "i", ""));
    put(&b, 0);
    put_bytes(&b, code, size);
    add_func(&m, NULL, add_type(&m, "", ""), &b);
    b = finish(&m);
    expect(l, &b, status, part);
    drop_bytes(&b);
}
#define CATCHING(status, part, ...)                                                                \
    catching(&l, status, part, (const uint8_t[]){__VA_ARGS__},                                     \
             sizeof((const uint8_t[]){__VA_ARGS__}))

/* The older form of exceptions: try 06, catch 07, catch_all 19, delegate 18, rethrow 09. */
static void catch_blocks(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    CATCHING(CATNAP_OK, NULL, 0x06, 0x40, 0x0B, 0x0B);
    CATCHING(CATNAP_OK, NULL, 0x06, 0x40, 0x07, 0, 0x1A, 0x07, 0, 0x1A, 0x19, 0x0B, 0x0B);
    CATCHING(CATNAP_OK, NULL, 0x06, 0x7F, 0x41, 1, 0x07, 0, 0x0B, 0x1A, 0x0B);
    CATCHING(CATNAP_OK, NULL, 0x06, 0x40, 0x00, 0x07, 0, 0x09, 0, 0x0B, 0x0B);
    CATCHING(CATNAP_OK, NULL, 0x06, 0x40, 0x19, 0x02, 0x40, 0x09, 1, 0x0B, 0x0B, 0x0B);
    CATCHING(CATNAP_OK, NULL, 0x06, 0x40, 0x18, 0, 0x0B);
    CATCHING(CATNAP_OK, NULL, 0x06, 0x7F, 0x41, 1, 0x18, 0, 0x1A, 0x0B);
    CATCHING(CATNAP_OK, NULL, 0x02, 0x40, 0x06, 0x40, 0x18, 1, 0x0B, 0x0B);
    CATCHING(CATNAP_OK, NULL, 0x06, 0x40, 0x19, 0x0C, 0, 0x0B, 0x0B);
    CATCHING(CATNAP_INVALID, "unknown tag 1: the module has 1", 0x06, 0x40, 0x07, 1, 0x0B, 0x0B);
    CATCHING(CATNAP_INVALID, "1 extra value", 0x06, 0x40, 0x07, 0, 0x0B, 0x0B);
    CATCHING(CATNAP_INVALID, "catch expects i32, but there is nothing", 0x06, 0x7F, 0x07, 0, 0x0B,
             0x1A, 0x0B);
    CATCHING(CATNAP_INVALID, "catch_all expects i32, found i64", 0x06, 0x7F, 0x42, 0, 0x19, 0x41, 0,
             0x0B, 0x1A, 0x0B);
    CATCHING(CATNAP_INVALID, "delegate expects i32, but there is nothing", 0x06, 0x7F, 0x18, 0,
             0x1A, 0x0B);
    CATCHING(CATNAP_INVALID, "end expects i32, but there is nothing", 0x06, 0x7F, 0x41, 1, 0x19,
             0x0B, 0x1A, 0x0B);
    CATCHING(CATNAP_INVALID, "unknown label 1: 1 blocks are open around", 0x06, 0x40, 0x18, 1,
             0x0B);
    CATCHING(CATNAP_INVALID, "unknown label 4294967295", 0x06, 0x40, 0x18, 0xFF, 0xFF, 0xFF, 0xFF,
             0x0F, 0x0B);
    CATCHING(CATNAP_INVALID, "rethrow: label 0 is not that of a catch block", 0x09, 0, 0x0B);
    CATCHING(CATNAP_INVALID, "rethrow: label 0 is not", 0x06, 0x40, 0x09, 0, 0x19, 0x0B, 0x0B);
    CATCHING(CATNAP_INVALID, "rethrow: label 0 is not", 0x06, 0x40, 0x19, 0x02, 0x40, 0x09, 0, 0x0B,
             0x0B, 0x0B);
    CATCHING(CATNAP_INVALID, "unknown label 7", 0x09, 7, 0x0B);
    /* Parts of no try block are malformed, wherever they stand. */
    CATCHING(CATNAP_MALFORMED, "catch without try", 0x07, 0, 0x0B);
    CATCHING(CATNAP_MALFORMED, "catch without try", 0x02, 0x40, 0x07, 0, 0x0B, 0x0B);
    CATCHING(CATNAP_MALFORMED, "catch_all without try", 0x19, 0x0B);
    CATCHING(CATNAP_MALFORMED, "catch_all without try", 0x06, 0x40, 0x19, 0x19, 0x0B, 0x0B);
    CATCHING(CATNAP_MALFORMED, "catch without try", 0x06, 0x40, 0x19, 0x07, 0, 0x0B, 0x0B);
    CATCHING(CATNAP_MALFORMED, "delegate without try", 0x06, 0x40, 0x19, 0x18, 0, 0x0B);
    CATCHING(CATNAP_MALFORMED, "delegate without try", 0x02, 0x40, 0x18, 0, 0x0B);
    CATCHING(CATNAP_MALFORMED, "delegate without try", 0x18, 0, 0x0B);
    CATCHING(CATNAP_MALFORMED, "else without if", 0x06, 0x40, 0x05, 0x0B, 0x0B);
    CATCHING(CATNAP_MALFORMED, "catch without try", 0x6A, 0x07, 0,
             0x0B); /* before what is invalid */
    CATCHING(CATNAP_INVALID, "i32.add", 0x6A, 0x06, 0x40, 0x07, 0, 0x07, 0, 0x19, 0x0B, 0x06, 0x40,
             0x18, 0, 0x0B);
    l.features = CATNAP_FEATURES_DEFAULT & ~CATNAP_FEATURE_LEGACY_EXCEPTIONS;
    CATCHING(CATNAP_UNSUPPORTED, "legacy-exceptions", 0x06, 0x40, 0x0B, 0x0B);
    CATCHING(CATNAP_OK, NULL, 0x1F, 0x40, 1, 2, 0, 0x0B, 0x0B);
    loader_destroy(&l);
}

static void plain_instructions(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    GOOD(0x41, 1, 0x41, 2, 0x6A, 0x1A, 0x0B);
    BAD("i32.add expects i32, found f32", 0x41, 0, 0x43, 0, 0, 0, 0, 0x6A, 0x1A, 0x0B);
    BAD("i32.add expects i32, found i64", 0x42, 0, 0x41, 0, 0x6A, 0x1A, 0x0B);
    BAD("i32.add expects i32, but there is nothing on the stack", 0x41, 0, 0x6A, 0x1A, 0x0B);
    BAD("1 extra value on the stack", 0x41, 0, 0x0B);
    BAD("2 extra values on the stack", 0x41, 0, 0x41, 0, 0x0B);
    BAD("drop expects a value, but", 0x1A, 0x0B);
    GOOD(0x42, 0, 0xC4, 0xA7, 0xC0, 0x1A, 0x0B);
    BAD("i64.extend32_s expects i64, found i32", 0x41, 0, 0xC4, 0x1A, 0x0B);
    BAD("i64.trunc_sat_f64_u expects f64", 0x41, 0, 0xFC, 7, 0x1A, 0x0B);
    BROKEN("illegal opcode 0x27", 0x27, 0x0B);
    BROKEN("illegal opcode 0xfc 23", 0xFC, 23, 0x0B);
    BROKEN("illegal opcode 0xfd 154", 0xFD, 0x9A, 1, 0x0B);
    BROKEN("illegal opcode 0xfd 16384", 0xFD, 0x80, 0x80, 1, 0x0B);
    loader_destroy(&l);
}

static void memory_instructions(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    GOOD(0x41, 0, 0x29, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x1A, 0x0B);
    GOOD(0x41, 0, 0x28, 0x82, 0x00, 0, 0x1A, 0x0B);
    BAD("i32.load: alignment 2^3 must not be larger than natural (2^2)", 0x41, 0, 0x28, 3, 0, 0x1A,
        0x0B);
    BAD("alignment 2^1", 0x41, 0, 0x41, 0, 0x3A, 1, 0, 0x0B);
    BAD("alignment 2^32", 0x41, 0, 0x28, 32, 0, 0x1A, 0x0B);
    BROKEN("memory flags 128", 0x41, 0, 0x28, 0x80, 1, 0, 0x1A, 0x0B);
    GOOD(0x41, 0, 0x28, 0x42, 0, 0, 0x1A, 0x0B); /* memory 0, by its index */
    GOOD(0x41, 0, 0x28, 0xC2, 0x00, 0x80, 0x00, 0, 0x1A, 0x0B);
    BAD("unknown memory 1: the module has 1", 0x41, 0, 0x28, 0x42, 1, 0, 0x1A, 0x0B);
    BAD("offset out of range: 4294967296", 0x41, 0, 0x28, 2, 0x80, 0x80, 0x80, 0x80, 0x10, 0x1A,
        0x0B);
    BROKEN("memory offset: integer", 0x41, 0, 0x28, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
           0xFF, 0xFF, 0x02, 0x1A, 0x0B);
    BAD("i64.store expects i64, found i32", 0x41, 0, 0x41, 0, 0x37, 0, 0, 0x0B);
    BAD("f32.load expects i32, found i64", 0x42, 0, 0x2A, 0, 0, 0x1A, 0x0B);
    BAD("unknown memory 1: the module has 1", 0x3F, 1, 0x1A, 0x0B);
    GOOD(0x41, 0, 0x40, 0x80, 0, 0x1A, 0x0B);
    GOOD(0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 8, 0, 0, 0xFC, 9, 0, 0x0B);
    BAD("unknown data segment 1", 0xFC, 9, 1, 0x0B);
    BAD("unknown element segment 2", 0xFC, 13, 2, 0x0B);
    BAD("memory.fill expects i32", 0x41, 0, 0x42, 0, 0x41, 0, 0xFC, 11, 0, 0x0B);
    static const uint8_t data_drop[] = {0xFC, 9, 0, 0x0B};
    body(&l, CATNAP_MALFORMED, "data count section required", data_drop, 4, false);
    struct bytes b = {0};
    MODULE_OF_BODY(&b, 0x41, 0, 0x28, 0, 0, 0x1A, 0x0B);
    expect(&l, &b, CATNAP_INVALID, "unknown memory 0");
    drop_bytes(&b);
    MODULE_OF_BODY(&b, 0x3F, 0, 0x1A, 0x0B);
    expect(&l, &b, CATNAP_INVALID, "unknown memory 0");
    drop_bytes(&b);
    loader_destroy(&l);
}

static void variables(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    GOOD(0x20, 0, 0x21, 0, 0x20, 1, 0x22, 1, 0x1A, 0x20, 2, 0x1A, 0x0B);
    BAD("unknown local 3: the function has 3", 0x20, 3, 0x1A, 0x0B);
    BAD("unknown local 4294967295", 0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x1A, 0x0B);
    BAD("local.set expects i64, found i32", 0x20, 0, 0x21, 1, 0x0B);
    BAD("local.tee expects i32, found i64", 0x20, 1, 0x22, 0, 0x1A, 0x0B);
    GOOD(0x23, 0, 0x24, 0, 0x0B);
    BAD("unknown global 2", 0x23, 2, 0x1A, 0x0B);
    BAD("global is immutable: global.set 1", 0x23, 1, 0x24, 1, 0x0B);
    BAD("global.set expects i32, found f32", 0x23, 1, 0x24, 0, 0x0B);
    BROKEN("local index: integer representation too long", 0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0,
           0x1A, 0x0B);
    BROKEN("i32.const: integer", 0x41, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x1A, 0x0B);
    GOOD(0x41, 0x80, 0x80, 0x80, 0x80, 0x78, 0x1A, 0x0B);
    GOOD(0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7F, 0x1A, 0x0B);
    loader_destroy(&l);
}

static void references_and_tables(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    GOOD(0xD2, 0, 0xD1, 0x1A, 0xD2, 2, 0x1A, 0xD0, 0x6F, 0x21, 2, 0x0B);
    BAD("undeclared function reference: function 3", 0xD2, 3, 0x1A, 0x0B);
    BAD("unknown function 9", 0xD2, 9, 0x1A, 0x0B);
    BAD("ref.is_null expects a reference, found i32", 0x41, 0, 0xD1, 0x1A, 0x0B);
    BROKEN("heap type 0x7f", 0xD0, 0x7F, 0x1A, 0x0B);
    GOOD(0x41, 0, 0x41, 0, 0x25, 0, 0x26, 0, 0x0B);
    BAD("table.set expects externref, found funcref", 0x41, 0, 0x41, 0, 0x25, 0, 0x26, 1, 0x0B);
    BAD("unknown table 2", 0x41, 0, 0x25, 2, 0x1A, 0x0B);
    GOOD(0xD0, 0x70, 0x41, 0, 0xFC, 15, 0, 0x1A, 0xFC, 16, 1, 0x1A, 0x0B);
    GOOD(0x41, 0, 0xD0, 0x6F, 0x41, 0, 0xFC, 17, 1, 0x0B);
    BAD("table.fill expects externref, found funcref", 0x41, 0, 0xD0, 0x70, 0x41, 0, 0xFC, 17, 1,
        0x0B);
    GOOD(0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 12, 1, 1, 0x0B);
    BAD("table.init of externref elements into a table of funcref", 0x41, 0, 0x41, 0, 0x41, 0, 0xFC,
        12, 1, 0, 0x0B);
    BAD("table.copy of a table of externref to one of funcref", 0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 14,
        0, 1, 0x0B);
    loader_destroy(&l);
}

static void calls(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    GOOD(0x41, 0, 0x42, 0, 0x10, 0, 0x1A, 0x1A, 0x0B);
    BAD("call expects i64, found i32", 0x42, 0, 0x41, 0, 0x10, 0, 0x1A, 0x1A, 0x0B);
    BAD("call expects i32, but there is nothing", 0x42, 0, 0x10, 0, 0x1A, 0x1A, 0x0B);
    BAD("unknown function 4", 0x10, 4, 0x0B);
    GOOD(0x41, 0, 0x42, 0, 0x41, 7, 0x11, 2, 0, 0x1A, 0x1A, 0x0B);
    BAD("unknown type 4", 0x41, 0, 0x11, 4, 0, 0x0B);
    BAD("unknown table 2", 0x41, 0, 0x11, 0, 2, 0x0B);
    BAD("call_indirect through a table of externref", 0x41, 0, 0x11, 0, 1, 0x0B);
    BAD("call_indirect expects i32, but", 0x11, 0, 0, 0x0B);
    GOOD(0x12, 3, 0x0B);
    GOOD(0x12, 3, 0x6A, 0x1A, 0x0B); /* what follows is not reached */
    GOOD(0x42, 0, 0x12, 1, 0x0B);
    GOOD(0x41, 0, 0x13, 0, 0, 0x0B);
    BAD("return_call of a function whose results are not the caller's", 0x41, 0, 0x42, 0, 0x12, 0,
        0x0B);
    BAD("return_call expects i64, found i32", 0x42, 0, 0x41, 0, 0x12, 0, 0x0B);
    BAD("unknown function 4", 0x12, 4, 0x0B);
    BAD("return_call_indirect expects i32, but", 0x13, 0, 0, 0x0B);
    BAD("return_call_indirect of a function whose results", 0x41, 0, 0x13, 1, 0, 0x0B);
    BAD("return_call_indirect through a table of externref", 0x41, 0, 0x13, 0, 1, 0x0B);
    BAD("unknown type 9", 0x41, 0, 0x13, 9, 0, 0x0B);
    BAD("unknown table 2", 0x41, 0, 0x13, 0, 2, 0x0B);
    loader_destroy(&l);
}

static void select_chooses_between_equals(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    GOOD(0x42, 0, 0x42, 0, 0x41, 0, 0x1B, 0x21, 1, 0x0B);
    BAD("select between i32 and i64", 0x41, 0, 0x42, 0, 0x41, 0, 0x1B, 0x1A, 0x0B);
    BAD("select without a type cannot choose references", 0x20, 2, 0x20, 2, 0x41, 0, 0x1B, 0x1A,
        0x0B);
    BAD("select without a type cannot", 0x00, 0x20, 2, 0x41, 0, 0x1B, 0x1A, 0x0B);
    GOOD(0x20, 2, 0x20, 2, 0x41, 0, 0x1C, 1, 0x6F, 0x1A, 0x0B);
    BAD("select expects externref, found i32", 0x20, 2, 0x20, 0, 0x41, 0, 0x1C, 1, 0x6F, 0x1A,
        0x0B);
    BAD("invalid result arity: select with 0 types", 0x00, 0x1C, 0, 0x0B);
    BAD("invalid result arity: select with 2 types", 0x00, 0x1C, 2, 0x7F, 0x7F, 0x0B);
    GOOD(0x00, 0x1B, 0x1A, 0x0B);                         /* any, any */
    GOOD(0x00, 0x41, 0, 0x41, 0, 0x1B, 0x6A, 0x1A, 0x0B); /* any, i32 */
    BAD("i64.add expects i64, found i32", 0x00, 0x41, 0, 0x41, 0, 0x1B, 0x7C, 0x1A, 0x0B);
    loader_destroy(&l);
}

static void blocks(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    GOOD(0x02, 0x40, 0x0B, 0x03, 0x7F, 0x41, 0, 0x0B, 0x1A, 0x0B);
    BAD("end expects i32, but there is nothing", 0x02, 0x7F, 0x0B, 0x1A, 0x0B);
    BAD("end expects i32, found i64", 0x02, 0x7F, 0x42, 0, 0x0B, 0x1A, 0x0B);
    BAD("1 extra value", 0x02, 0x7F, 0x41, 0, 0x41, 0, 0x0B, 0x1A, 0x0B);
    /* A block cannot reach the operands below it. */
    BAD("nothing on the stack", 0x41, 0, 0x02, 0x40, 0x1A, 0x0B, 0x0B);
    GOOD(0x41, 0, 0x42, 0, 0x02, 2, 0x21, 1, 0x1A, 0x42, 1, 0x41, 1, 0x0B, 0x1A, 0x1A, 0x0B);
    BAD("end expects i32, found i64", 0x41, 0, 0x42, 0, 0x02, 2, 0x0B, 0x1A, 0x1A, 0x0B);
    BAD("unknown type 4", 0x02, 4, 0x0B, 0x0B);
    BROKEN("malformed value type 0x76", 0x02, 0x76, 0x0B, 0x0B);
    BROKEN("malformed block type", 0x02, 0xC0, 0x7F, 0x0B, 0x0B);
    GOOD(0x20, 0, 0x04, 0x7F, 0x41, 0, 0x05, 0x41, 1, 0x0B, 0x1A, 0x0B);
    GOOD(0x20, 0, 0x04, 0x40, 0x0B, 0x20, 0, 0x04, 0x40, 0x05, 0x0B, 0x0B);
    BAD("an if without else", 0x20, 0, 0x04, 0x7F, 0x41, 0, 0x0B, 0x1A, 0x0B);
    BAD("if expects i32, found i64", 0x20, 1, 0x04, 0x40, 0x0B, 0x0B);
    BAD("else expects i32", 0x20, 0, 0x04, 0x7F, 0x05, 0x41, 1, 0x0B, 0x1A, 0x0B);
    BROKEN("else without if", 0x05, 0x0B);
    BROKEN("else without if", 0x20, 0, 0x04, 0x40, 0x05, 0x05, 0x0B, 0x0B);
    BROKEN("else without if", 0x02, 0x40, 0x05, 0x0B, 0x0B);
    BROKEN("unexpected end", 0x02, 0x40, 0x0B);
    BROKEN("1 bytes after the final end", 0x0B, 0x0B);
    BROKEN("unexpected end", 0x41);
    BROKEN("unexpected end", 0x44, 0, 0);
    loader_destroy(&l);
}

static void branches(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    GOOD(0x0C, 0, 0x0B);
    BAD("unknown label 1: 1 blocks are open", 0x0C, 1, 0x0B);
    BAD("br expects i32, but", 0x02, 0x7F, 0x0C, 0, 0x0B, 0x1A, 0x0B);
    BAD("br expects i32, found i64", 0x02, 0x7F, 0x42, 0, 0x0C, 0, 0x0B, 0x1A, 0x0B);
    GOOD(0x02, 0x7F, 0x41, 0, 0x41, 0, 0x0D, 0, 0x0B, 0x1A, 0x0B);
    BAD("br_if expects i32, found i64", 0x42, 0, 0x0D, 0, 0x0B);
    BAD("br_if expects i32, but", 0x02, 0x7F, 0x41, 0, 0x0D, 0, 0x0B, 0x1A, 0x0B);
    /* A loop's label takes its parameters, not its results. */
    GOOD(0x03, 0x7F, 0x20, 0, 0x0D, 0, 0x41, 0, 0x0B, 0x1A, 0x0B);
    GOOD(0x41, 0, 0x42, 0, 0x03, 2, 0x21, 1, 0x21, 0, 0x20, 0, 0x20, 1, 0x0C, 0, 0x0B, 0x1A, 0x1A,
         0x0B);
    GOOD(0x02, 0x40, 0x20, 0, 0x0E, 1, 0, 1, 0x0B, 0x0B);
    BAD("br_table's labels take 0 and 1 values", 0x02, 0x7F, 0x02, 0x40, 0x41, 0, 0x20, 0, 0x0E, 1,
        0, 1, 0x0B, 0x41, 0, 0x0B, 0x1A, 0x0B);
    BAD("br_table expects i32, found i64", 0x20, 1, 0x0E, 0, 0, 0x0B);
    BAD("unknown label 2", 0x20, 0, 0x0E, 1, 0, 2, 0x0B);
    BROKEN("br_table: unexpected end: 4294967295 items", 0x20, 0, 0x0E, 0xFF, 0xFF, 0xFF, 0xFF,
           0x0F, 0, 0x0B);
    BROKEN("label: unexpected end", 0x20, 0, 0x0E, 1, 0);
    GOOD(0x0F, 0x0B);
    loader_destroy(&l);
}

static void unreachable_code_is_polymorphic(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    GOOD(0x00, 0x6A, 0x1A, 0x0B);
    GOOD(0x00, 0x41, 0, 0x6A, 0x1A, 0x0B);
    BAD("i32.add expects i32, found i64", 0x00, 0x42, 0, 0x6A, 0x1A, 0x0B);
    GOOD(0x00, 0x10, 0, 0x21, 0, 0x21, 1, 0x0B);
    BAD("1 extra value", 0x00, 0x41, 0, 0x0B);
    GOOD(0x02, 0x7F, 0x00, 0x0B, 0x1A, 0x0B);
    BAD("end expects i32, found i64", 0x02, 0x7F, 0x00, 0x42, 0, 0x0B, 0x1A, 0x0B);
    /* A branch makes what it carries definite, a table of branches does not. */
    BAD("i64.eqz expects i64, found i32", 0x02, 0x7F, 0x00, 0x0D, 0, 0x50, 0x0B, 0x1A, 0x0B);
    GOOD(0x02, 0x7F, 0x02, 0x7E, 0x00, 0x0E, 1, 0, 1, 0x0B, 0x1A, 0x41, 0, 0x0B, 0x1A, 0x0B);
    /* An unreachable block's end is reachable; a block in unreachable code starts afresh. */
    BAD("drop expects a value", 0x02, 0x40, 0x00, 0x0B, 0x1A, 0x0B);
    BAD("drop expects a value", 0x00, 0x02, 0x40, 0x1A, 0x0B, 0x0B);
    GOOD(0x00, 0x02, 0x40, 0x0B, 0x1A, 0x0B);
    GOOD(0x20, 0, 0x04, 0x7F, 0x00, 0x05, 0x41, 0, 0x0B, 0x1A, 0x0B);
    BAD("else expects i32", 0x20, 0, 0x04, 0x7F, 0x05, 0x00, 0x0B, 0x1A, 0x0B);
    GOOD(0x00, 0xD1, 0x1A, 0x0B);
    GOOD(0x0C, 0, 0x04, 0x40, 0x0B, 0x0B);
    loader_destroy(&l);
}

static void vectors(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    GOOD(0xFD, 0x0C, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0xFD, 0x4D, 0x1A, 0x0B);
    GOOD(0x41, 0, 0xFD, 0x0F, 0xFD, 0x15, 15, 0x1A, 0x0B);
    BAD("invalid lane index 16 of 16", 0x41, 0, 0xFD, 0x0F, 0xFD, 0x15, 16, 0x1A, 0x0B);
    BAD("invalid lane index 2 of 2", 0x41, 0, 0xFD, 0x0F, 0xFD, 0x1D, 2, 0x1A, 0x0B);
    BAD("invalid lane index 32 of 32", 0x00, 0xFD, 0x0D, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 32, 0x1A, 0x0B);
    BAD("v128.load64_lane: invalid lane index 2 of 2", 0x00, 0xFD, 0x57, 3, 0, 2, 0x1A, 0x0B);
    BAD("v128.load: alignment 2^5", 0x41, 0, 0xFD, 0, 5, 0, 0x1A, 0x0B);
    GOOD(0x41, 0, 0xFD, 0x80, 0x00, 4, 0, 0x1A, 0x0B); /* a padded opcode */
    BAD("i8x16.add expects v128, found i32", 0x41, 0, 0x41, 0, 0xFD, 0x6E, 0x1A, 0x0B);
    BROKEN("unexpected end", 0xFD, 0x0C, 1, 2, 3);
    loader_destroy(&l);
}

/* Instructions that this version does not know yet, in every place of a body. */
static void features_of_later_versions_are_named(void **state) {
    (void)state;
    static const struct {
        uint8_t code[8], size;
        const char *feature;
    } cases[] = {
        {{0xD0, 0x68}, 2, "stack switching"}, /* ref.null cont */
        {{0xE0, 0}, 2, "stack switching"},    /* cont.new */
    };
    struct loader l;
    loader_init(&l);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char part[80];
        uint8_t code[32] = {0x41, 0, 0x1A}; /* i32.const 0; drop */
        snprintf(part, sizeof part, " belongs to %s, ", cases[i].feature);
        memcpy(code + 3, cases[i].code, cases[i].size);
        code[3 + cases[i].size] = 0x0B;
        body(&l, CATNAP_UNSUPPORTED, part, code, cases[i].size + 4u, true);
        body(&l, CATNAP_UNSUPPORTED, part, code + 3, cases[i].size + 1u, true);
    }
    loader_destroy(&l);
}

/* Decoding comes first: an encoding error is reported even behind a type error. */
static void malformed_comes_before_invalid(void **state) {
    (void)state;
    struct loader l;
    loader_init(&l);
    BROKEN("illegal opcode 0x27", 0x6A, 0x27, 0x0B);
    BROKEN("unexpected end", 0x6A);
    BROKEN("else without if", 0x6A, 0x05, 0x0B);
    BAD("i32.add", 0x6A, 0x0B);
    MODULE(&l, CATNAP_MALFORMED, "illegal opcode", 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 4, 1, 0, 0,
           9, 10, 5, 1, 3, 0, 0x27, 0x0B);
    assert_int_equal(l.error.func, 0);
    loader_destroy(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indices_are_within_the_module),
        cmocka_unit_test(limits_are_in_order),
        cmocka_unit_test(export_names_are_unique),
        cmocka_unit_test(the_start_function_takes_nothing),
        cmocka_unit_test(constant_expressions),
        cmocka_unit_test(extended_constant_expressions),
        cmocka_unit_test(catch_clauses_are_bounded),
        cmocka_unit_test(catch_blocks_are_bounded),
        cmocka_unit_test(catch_blocks),
        cmocka_unit_test(plain_instructions),
        cmocka_unit_test(memory_instructions),
        cmocka_unit_test(variables),
        cmocka_unit_test(references_and_tables),
        cmocka_unit_test(calls),
        cmocka_unit_test(select_chooses_between_equals),
        cmocka_unit_test(blocks),
        cmocka_unit_test(branches),
        cmocka_unit_test(unreachable_code_is_polymorphic),
        cmocka_unit_test(vectors),
        cmocka_unit_test(features_of_later_versions_are_named),
        cmocka_unit_test(malformed_comes_before_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
