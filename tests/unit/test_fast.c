/* The fast validator with the limits of the library: that it takes the usual bodies, and none that the
 * full one refuses. test_lockstep.c compares the two step by step. */
#include "load.h"

#include "binary/walk.h"
#include "validate/fast.h"

#define BEHIND 256u /* bytes behind the module, which the fast validator may read */

static void need_the_fast_validator(void) {
#if defined(CATNAP_TINY_LIMITS) || defined(CATNAP_SMALL)
    skip();
#endif
}

/* A module whose functions are
 *
 *   0: the body, of type (i32, i64) -> (i32)    1: () -> (i32)    2: (f64, f32, i64, i32) -> ()
 *   3: with nine parameters i32, result i64
 *
 * with a memory, a table of functions, a mutable global i32, an immutable one i64 and a data
 * segment. */
static struct bytes module_of(const uint8_t *code, size_t size) {
    struct module_builder m = {0};
    add_table(&m, FUNCREF, 1, NO_MAX);
    add_memory(&m, 1, NO_MAX);
    ADD_GLOBAL(&m, I32, 1, I32_CONST, 0, END);
    ADD_GLOBAL(&m, I64, 0, I64_CONST, 0, END);
    add_func_bytes(&m, NULL, add_type(&m, "iI", "i"), code, size);
    ADD_FUNC(&m, NULL, add_type(&m, "", "i"), 0, UNREACHABLE, END);
    ADD_FUNC(&m, NULL, add_type(&m, "FfIi", ""), 0, UNREACHABLE, END);
    ADD_FUNC(&m, NULL, add_type(&m, "iiiiiiiii", "I"), 0, UNREACHABLE, END);
    add_data_count(&m, 1);
    add_passive_data(&m, "", 0);
    return finish(&m);
}

/* Bit 0: what the fast validator says of function 0, bit 1: what the full one says. 4 when the module
 * does not come so far. */
static uint32_t verdicts(struct loader *l, const struct bytes *b) {
    uint8_t *copy = calloc(1, b->size + BEHIND);
    struct fast *fast = NULL;
    uint32_t found = 4;
    assert_non_null(copy);
    memcpy(copy, b->data, b->size);
    struct module *m =
        cn_module_decode(&l->alloc, &l->registry, l->features, copy, b->size, NULL, &l->error);
    if (m && cn_validate_before_code(m, &l->error) && cn_validate_after_code(m, &l->error)) {
        struct span body = cn_module_body(m, 0);
        assert_true(cn_fast_new(m, &fast));
        found = cn_validate_body(m, 0, body, &l->error) ? 2 : 0;
        found |= fast && cn_fast_valid(fast, 0, body, b->size + BEHIND);
        cn_fast_drop(fast);
    }
    cn_module_release(m);
    free(copy);
    return found;
}

/* Something of all that is frequent, and more operands than a word holds. */
static const uint8_t usual[] = {
    3,    10,   0x7F, 1,    0x7C, 130,  1,    0x7D, /* locals 2 to 11 i32, 12 f64, 13 to 142 f32 */
    0x02, 0x40, 0x03, 0x40, 0x20, 2,    0x41, 1,    0x6A, 0x22, 2,    0x41, 0xE4, 0,    0x48, 0x0D,
    0,    0x20, 0,    0x0E, 2,    0,    1,    1,    0x0B, 0x0B, 0x20, 0,    0x04, 0x40, 0x20, 1,
    0x50, 0x04, 0x40, 0x0C, 1,    0x05, 0x00, 0x0B, 0x0B, 0x20, 0,    0x04, 0x7F, 0x41, 0x80, 0x80,
    0x80, 0x80, 0x78, 0x05, 0x20, 3,    0x0B, 0x21, 4,    0x02, 0x7E, 0x42, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0,    0x20, 0,    0x0D, 0,    0xA7, 0x1A, 0x42, 5,    0x0B, 0x1A,
    0x41, 0x80, 0x80, 0x80, 0x80, 0,    0x28, 2,    0x84, 0x80, 0x80, 0x80, 0,    0x41, 3,    0x36,
    2,    8,    0x20, 5,    0x2D, 0,    0,    0x1A, 0x20, 5,    0x42, 0x7F, 0x37, 3,    0,    0x41,
    0,    0x43, 1,    2,    3,    4,    0x38, 2,    0,    0x41, 0,    0x44, 1,    2,    3,    4,
    5,    6,    7,    8,    0x39, 3,    0,    0x23, 0,    0x24, 0x80, 0x80, 0x80, 0x80, 0,    0x23,
    1,    0x1A, 0x10, 1,    0x1A, 0x10, 0x81, 0x80, 0x80, 0x80, 0,    0x21, 6,    0x20, 12,   0x20,
    0x8E, 1,    0x20, 1,    0x20, 0,    0x10, 2,    0x41, 1,    0x41, 2,    0x41, 3,    0x41, 4,
    0x41, 5,    0x41, 6,    0x41, 7,    0x41, 8,    0x41, 9,    0x10, 3,    0x1A, 0x41, 1,    0x42,
    2,    0x41, 3,    0x41, 4,    0x41, 5,    0x41, 6,    0x41, 7,    0x41, 8,    0x41, 9,    0x6A,
    0x6A, 0x6A, 0x6A, 0x6A, 0x6A, 0xAC, 0x7C, 0x1A, 0x1A, 0x41, 0,    0x11, 1,    0,    0x1A, 0x20,
    0,    0x20, 2,    0x20, 3,    0x1B, 0x1A, 0x3F, 0,    0x40, 0,    0x1A, 0x41, 0,    0x41, 0,
    0x41, 0,    0xFC, 11,   0,    0xFC, 9,    0,    0x41, 0,    0x41, 0,    0x41, 0,    0xFC, 8,
    0,    0,    0x20, 12,   0xFC, 2,    0x1A, 0xFD, 12,   0,    0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0xFD, 0x1B, 3,    0x1A, 0x01, 0x41, 1,
    0x02, 0x40, 0x41, 2,    0x0D, 0,    0x0C, 0,    0x0B, 0x20, 0,    0x0D, 0,    0x0F, 0x0B};

static void usual_bodies_are_taken(void **state) {
    (void)state;
    need_the_fast_validator();
    struct loader l;
    loader_init(&l);
    struct bytes b = module_of(usual, sizeof usual);
    uint32_t found = verdicts(&l, &b);
    assert_int_equal(found, 3);
    drop_bytes(&b);
    loader_destroy(&l);
}

static void changed_bodies_are_not_taken_wrongly(void **state) {
    (void)state;
    need_the_fast_validator();
    struct loader l;
    uint32_t counts[5] = {0};
    loader_init(&l);
    uint8_t code[sizeof usual];
    memcpy(code, usual, sizeof code);
    for (size_t i = 0; i < sizeof code; i++) {
        for (uint32_t value = 0; value < 256; value++) {
            code[i] = (uint8_t)value;
            struct bytes b = module_of(code, sizeof code);
            uint32_t found = verdicts(&l, &b);
            if (found == 1)
                fail_msg("byte %zu as 0x%02x is taken: %s", i, value, l.error.message);
            counts[found]++;
            drop_bytes(&b);
        }
        code[i] = usual[i];
    }
    assert_true(counts[0] > 10000 && counts[3] > 10000);
    assert_true(counts[3] > 8 * counts[2]); /* and few valid ones are left to the validator */
    loader_destroy(&l);
}

/* A generator of its own: the same numbers everywhere. */
static uint32_t next_random(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

/* Pieces of the usual body in any order: much of that is nearly valid. */
static void shuffled_bodies_are_not_taken_wrongly(void **state) {
    (void)state;
    need_the_fast_validator();
    struct loader l;
    uint64_t seed = 1;
    uint32_t counts[5] = {0};
    loader_init(&l);
    for (uint32_t round = 0; round < 40000; round++) {
        struct bytes code = {0};
        put_bytes(&code, usual, 8);
        for (uint32_t piece = next_random(&seed) % 12; piece > 0; piece--) {
            size_t length = 1 + next_random(&seed) % 12;
            put_bytes(&code, usual + 8 + next_random(&seed) % (sizeof usual - 20), length);
        }
        PUT(&code, 0x0B);
        struct bytes b = module_of(code.data, code.size);
        uint32_t found = verdicts(&l, &b);
        assert_int_not_equal(found, 1);
        counts[found]++;
        drop_bytes(&b);
        drop_bytes(&code);
    }
    assert_true(counts[0] > 1000);
    loader_destroy(&l);
}

static void features_are_heeded(void **state) {
    (void)state;
    need_the_fast_validator();
    static const uint8_t fill[] = {0, 0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 11, 0, 0x41, 0, 0x0B};
    struct loader l;
    loader_init(&l);
    struct bytes b = module_of(fill, sizeof fill);
    assert_int_equal(verdicts(&l, &b), 3);
    l.features = CATNAP_FEATURES_DEFAULT & ~CATNAP_FEATURE_BULK_MEMORY;
    assert_int_equal(verdicts(&l, &b), 4); /* the data count section needs it too */
    l.features = CATNAP_FEATURES_DEFAULT & ~CATNAP_FEATURE_SIGN_EXTENSION;
    assert_int_equal(verdicts(&l, &b), 2);
    drop_bytes(&b);
    loader_destroy(&l);
}

/* Any feature or declaration that it has not heard of: it takes no body of such a module. */
static void unknown_declarations_are_refused(void **state) {
    (void)state;
    need_the_fast_validator();
    struct loader l;
    loader_init(&l);
    struct bytes b = module_of(usual, sizeof usual);
    uint8_t *copy = calloc(1, b.size + BEHIND);
    assert_non_null(copy);
    memcpy(copy, b.data, b.size);
    struct module *m =
        cn_module_decode(&l.alloc, &l.registry, l.features, copy, b.size, NULL, &l.error);
    assert_non_null(m);
    struct fast *fast;
    valtype typed_reference = 0x12345678, was;
#define NOT_TAKEN(change, undo)                                                                    \
    do {                                                                                           \
        assert_true(cn_fast_new(m, &fast) && fast);                                                \
        cn_fast_drop(fast);                                                                        \
        change;                                                                                    \
        assert_true(cn_fast_new(m, &fast) && !fast);                                               \
        undo;                                                                                      \
    } while (0)
    for (uint32_t bit = 0; bit < 64; bit++)
        if (!(CATNAP_FEATURES_ALL >> bit & 1))
            NOT_TAKEN(m->features |= UINT64_C(1) << bit, m->features &= ~(UINT64_C(1) << bit));
    was = m->globals[0].type.type;
    NOT_TAKEN(m->globals[0].type.type = typed_reference, m->globals[0].type.type = was);
    valtype *param = (valtype *)&dt_func(m->types[0])->types[0];
    was = *param;
    uint32_t func = m->imported_func_count;
    struct span body = cn_module_body(m, func);
    assert_int_equal(m->func_types[func], 0);
    for (uint32_t i = 0; i < 3; i++) { /* a type refuses the bodies of its functions */
        *param = i == 0 ? was : i == 1 ? typed_reference : was | 0x100;
        assert_true(cn_fast_new(m, &fast) && fast);
        assert_int_equal(cn_fast_valid(fast, func, body, b.size + BEHIND), i == 0);
        cn_fast_drop(fast);
    }
    *param = was;
#undef NOT_TAKEN
    cn_module_release(m);
    free(copy);
    drop_bytes(&b);
    loader_destroy(&l);
}

/* Blocks without end, in number and in depth, with and without a type. */
static void deep_bodies_are_left_alone(void **state) {
    (void)state;
    need_the_fast_validator();
    struct loader l;
    loader_init(&l);
    for (uint32_t type = 0; type < 2; type++) {
        for (uint32_t depth = 100; depth <= 100000; depth *= 10) {
            struct bytes code = {0};
            put(&code, 0);
            for (uint32_t i = 0; i < depth; i++)
                PUT(&code, 0x02, type ? 0x7F : 0x40);
            if (type)
                PUT(&code, 0x41, 0);
            for (uint32_t i = 0; i < depth; i++)
                put(&code, 0x0B);
            if (!type)
                PUT(&code, 0x41, 0);
            put(&code, 0x0B);
            struct bytes b = module_of(code.data, code.size);
            uint32_t found = verdicts(&l, &b);
            assert_int_equal(found, depth == 100 || (depth == 1000 && !type) ? 3 : found | 2);
            drop_bytes(&b);
            drop_bytes(&code);
        }
    }
    loader_destroy(&l);
}

/* Of a body of the module above: its locals, and whatever else is to be written. */
static uint32_t verdicts_on(struct loader *l, struct bytes *code) {
    struct bytes b = module_of(code->data, code->size);
    uint32_t found = verdicts(l, &b);
    drop_bytes(&b);
    drop_bytes(code);
    return found;
}

static void put_times(struct bytes *b, size_t count, uint8_t byte) {
    for (; count > 0; count--)
        put(b, byte);
}

/* A br_table with all labels 0, of as many bytes as are left up to `end`. */
static void put_table_up_to(struct bytes *code, size_t end) {
    size_t labels = end - code->size - 8;
    PUT(code, 0x41, 0, 0x0E);
    for (uint32_t i = 0; i < 4; i++)
        put(code, (uint8_t)((labels >> 7 * i & 0x7F) | (i < 3 ? 0x80 : 0)));
    while (code->size < end)
        put(code, 0);
}

/* A million labels of blocks that are not simple, 500 of which are open. */
static void labels_through_many_blocks_are_taken(void **state) {
    (void)state;
    need_the_fast_validator();
    struct loader l;
    loader_init(&l);
    struct bytes code = {0};
    uint32_t labels = 1000000;
    put(&code, 0);
    for (uint32_t i = 0; i < 500; i++)
        PUT(&code, 0x02, 0x7F);
    PUT(&code, 0x41, 0, 0x41, 0, 0x0E);
    put_u(&code, labels);
    for (uint32_t i = 0; i <= labels; i++)
        put_u(&code, i % 500);
    put_times(&code, 501, 0x0B);
    assert_int_equal(verdicts_on(&l, &code), 3);
    loader_destroy(&l);
}

/* Tables that end at and around 16 KiB and multiples of it, and far behind; bodies begin anywhere. */
static void long_tables_are_taken(void **state) {
    (void)state;
    need_the_fast_validator();
    struct loader l;
    loader_init(&l);
    for (uint32_t kib = 16; kib <= 256; kib *= 2) {
        for (uint32_t more = 0; more < 300; more += kib == 16 ? 1 : 37) {
            struct bytes code = {0};
            PUT(&code, 0, 0x02, 0x40);
            put_times(&code, more * 7 % 100, 0x01);
            put_table_up_to(&code, kib * 1024 - 150 + more);
            PUT(&code, 0x0B, 0x41, 0, 0x0B);
            assert_int_equal(verdicts_on(&l, &code), 3);
        }
    }
    loader_destroy(&l);
}

/*
 * Behind the table something invalid, at a place that is to be taken for the lengths of instructions if
 * any place behind them were: one where open blocks are noted, of which each is 2, or 3 for a loop.
 */
static void nothing_invalid_hides_behind_tables(void **state) {
    (void)state;
    need_the_fast_validator();
    struct loader l;
    loader_init(&l);
    for (uint8_t opcode = 0x02; opcode <= 0x03; opcode++) {
        for (uint32_t place = 1; place < 2000; place += 11) {
            struct bytes code = {0};
            put(&code, 0);
            for (uint32_t i = 0; i < 2000; i++)
                PUT(&code, opcode, 0x40);
            put_table_up_to(&code, 16384 + 64 + place);
            PUT(&code, 0x0B, 0x01, 0xD2, 0x00, 0x24, 0x00); /* ref.func into a global i32 */
            put_times(&code, 2000, 0x01);
            put_times(&code, 1999, 0x0B);
            PUT(&code, 0x41, 0, 0x0B);
            assert_int_equal(verdicts_on(&l, &code), 0);
        }
    }
    loader_destroy(&l);
}

/* Accesses of any alignment above any number of operands. */
static void no_alignment_hides_among_operands(void **state) {
    (void)state;
    need_the_fast_validator();
    struct loader l;
    loader_init(&l);
    for (uint32_t below = 0; below < 24; below++) {
        for (uint8_t opcode = 0x28; opcode <= 0x3E; opcode++) {
            for (uint32_t alignment = 0; alignment < 0x80; alignment++) {
                struct bytes code = {0};
                const struct op_info *info = &cn_op_info[opcode];
                put(&code, 0);
                for (uint32_t i = 0; i < below; i++)
                    PUT(&code, 0x41, 0);
                for (uint32_t i = 0; i < info->operand_count; i++) {
                    static const uint8_t constants[] = {0x44, 0x43, 0x42, 0x41}; /* f64 to i32 */
                    put(&code, constants[info->operands[i] - VT_F64]);
                    put_times(&code, (const uint8_t[]){8, 4, 1, 1}[info->operands[i] - VT_F64], 0);
                }
                /* With the bit for a memory's index, that is memory 0, which is there, or memory 1. */
                bool indexed = alignment & MEMARG_HAS_MEMORY, absent = indexed && below % 2;
                PUT(&code, opcode, (uint8_t)alignment);
                if (indexed)
                    put(&code, absent);
                put(&code, 0);
                put_times(&code, below + (info->result != OPT_NOTHING), 0x1A);
                PUT(&code, 0x41, 0, 0x0B);
                assert_int_equal(verdicts_on(&l, &code),
                                 !absent && (alignment & ~MEMARG_HAS_MEMORY) <=
                                                cn_immediate_shapes[info->immediate].alignment
                                     ? 3
                                     : 0);
            }
        }
    }
    loader_destroy(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_bodies_are_taken),
        cmocka_unit_test(changed_bodies_are_not_taken_wrongly),
        cmocka_unit_test(shuffled_bodies_are_not_taken_wrongly),
        cmocka_unit_test(features_are_heeded),
        cmocka_unit_test(unknown_declarations_are_refused),
        cmocka_unit_test(deep_bodies_are_left_alone),
        cmocka_unit_test(labels_through_many_blocks_are_taken),
        cmocka_unit_test(long_tables_are_taken),
        cmocka_unit_test(nothing_invalid_hides_behind_tables),
        cmocka_unit_test(no_alignment_hides_among_operands),
    };
    return cmocka_run_group_tests_name("unit/fast", tests, NULL, NULL);
}
