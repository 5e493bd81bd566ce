/* Functions that are as large in one dimension as the limits allow, and then give the right answer:
 * locals, parameters, results, branch tables, nesting, operands. Everything on a C stack of 256
 * KiB, in the plain form and with every addition that a form knows. */
#include "hostile.h"

static const struct form forms[] = {
    {0},
    {.explicit_checks = true, .eager = true, .fuel = true, .interruptible = true},
};

/* ---- Locals ---- */

#define MANY_LOCALS 49990

/* Sets every local to a number of its own, adds neighbours into each other, sums all up. */
static void put_sum_of_locals(struct bytes *f) {
    put_u(f, 1);
    put_u(f, MANY_LOCALS);
    put(f, I32);
    for (uint32_t i = 0; i < MANY_LOCALS; i++) {
        i32_const(f, (int32_t)(i * 2654435761u));
        op_u(f, LOCAL_SET, i);
    }
    for (uint32_t i = 1; i < MANY_LOCALS; i++) {
        op_u(f, LOCAL_GET, i);
        op_u(f, LOCAL_GET, i - 1);
        put(f, i % 3 ? I32_SUB : 0x73 /* xor */);
        op_u(f, LOCAL_SET, i);
    }
    i32_const(f, 0);
    for (uint32_t i = 0; i < MANY_LOCALS; i++) {
        op_u(f, i % 5 ? LOCAL_GET : LOCAL_TEE, i);
        if (i % 5 == 0)
            op_u(f, LOCAL_GET, i);
        put(f, I32_ADD);
    }
    put(f, END);
}

static uint32_t expected_sum_of_locals(void) {
    static uint32_t locals[MANY_LOCALS];
    uint32_t sum = 0;
    for (uint32_t i = 0; i < MANY_LOCALS; i++)
        locals[i] = i * 2654435761u;
    for (uint32_t i = 1; i < MANY_LOCALS; i++)
        locals[i] = i % 3 ? locals[i] - locals[i - 1] : locals[i] ^ locals[i - 1];
    for (uint32_t i = 0; i < MANY_LOCALS; i++) {
        if (i % 5 == 0)
            locals[i] = sum;
        sum += locals[i];
    }
    return sum;
}

static void fifty_thousand_locals(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        put_sum_of_locals(&f);
        add_func(&m, "f", add_type(&m, "", "i"), &f);
        enter_module(&w, &m);
        assert_int_equal(CALL_EXPORT(w.instance, "f"), expected_sum_of_locals());
        /* Locals are zero at each call. */
        assert_int_equal(CALL_EXPORT(w.instance, "f"), expected_sum_of_locals());
    }
}

/* 100,000 slots. */
static void fifty_thousand_vectors(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        put_u(&f, 1);
        put_u(&f, MANY_LOCALS);
        put(&f, V128);
        for (uint32_t i = 0; i < MANY_LOCALS; i++) {
            op_u(&f, LOCAL_GET, 0); /* the parameter */
            simd(&f, 17);           /* i32x4.splat */
            if (i) {
                op_u(&f, LOCAL_GET, i);
                simd(&f, 174); /* i32x4.add */
            }
            op_u(&f, i % 2 ? LOCAL_TEE : LOCAL_SET, i + 1);
            if (i % 2)
                put(&f, DROP);
        }
        op_u(&f, LOCAL_GET, MANY_LOCALS);
        simd(&f, 27); /* i32x4.extract_lane */
        put(&f, 3);
        put(&f, END);
        add_func(&m, "f", add_type(&m, "i", "i"), &f);
        enter_module(&w, &m);
        assert_int_equal(CALL_EXPORT(w.instance, "f", 7), 7 * MANY_LOCALS);
    }
}

static void too_many_locals_are_refused(void **state) {
    (void)state;
    struct world w;
    static const uint32_t counts[] = {50001, 0x7FFFFFFF, 0xFFFFFFFF};
    open_world(&w, forms[0]);
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct module_builder m = {0};
        struct bytes f = {0};
        catnap_error_t *error;
        put_u(&f, 1);
        put_u(&f, counts[i]);
        PUT(&f, V128, END);
        add_func(&m, "f", add_type(&m, "", ""), &f);
        struct bytes b = finish(&m);
        assert_null(catnap_module_new(w.store, b.data, b.size, NULL, &error));
        assert_int_equal(catnap_error_status(error), CATNAP_LIMIT);
        assert_true(w.ledger.peak < 100000);
        catnap_error_delete(error);
        drop_bytes(&b);
    }
    close_world(&w);
}

/* ---- Parameters and results ---- */

#define MANY 1000

static uint32_t add_wide_type(struct module_builder *m, uint8_t code, size_t params,
                              size_t results) {
    uint8_t codes[MANY];
    memset(codes, code, sizeof codes);
    return add_type_n(m, codes, params, codes, results);
}

static void put_locals_backwards(struct bytes *f, uint32_t count) {
    for (uint32_t i = count; i-- > 0;)
        op_u(f, LOCAL_GET, i);
}

static void add_indirect_table(struct module_builder *m, uint32_t func) {
    add_table(m, FUNCREF, 2, NO_MAX);
    struct bytes *b = add_item(m, ELEMS);
    PUT(b, 0, 0x41, 1, END, 1);
    put_u(b, func);
}

/* "backwards": reverses its arguments; "twice" and "indirect" do it through calls; "spread": one
 * argument, 1,000 results; "gather": 1,000 arguments, one result. */
static void add_wide_functions(struct module_builder *m, uint8_t code, uint32_t type) {
    struct bytes f = {0};
    put(&f, 0);
    put_locals_backwards(&f, MANY);
    put(&f, END);
    uint32_t backwards = add_func(m, "backwards", type, &f);

    put(&f, 0);
    put_locals_backwards(&f, MANY);
    op_u(&f, CALL, backwards);
    op_u(&f, CALL, backwards);
    put(&f, END);
    add_func(m, "twice", type, &f);

    put(&f, 0);
    put_locals_backwards(&f, MANY);
    i32_const(&f, 1);
    op_u(&f, 0x11, type);
    put(&f, 0);
    put(&f, RETURN);
    put(&f, END);
    add_func(m, "indirect", type, &f);
    add_indirect_table(m, backwards);

    put(&f, 0);
    for (uint32_t i = 0; i < MANY; i++)
        op_u(&f, LOCAL_GET, 0);
    put(&f, END);
    uint32_t spread = add_func(m, "spread", add_wide_type(m, code, 1, MANY), &f);

    put(&f, 0);
    op_u(&f, LOCAL_GET, 999);
    op_u(&f, CALL, spread);
    op_u(&f, CALL, backwards);
    for (uint32_t i = 1; i < MANY; i++)
        put(&f, DROP);
    put(&f, END);
    add_func(m, "gather", add_wide_type(m, code, MANY, 1), &f);
}

static catnap_val_t wide_value(uint8_t code, uint32_t i) {
    catnap_val_t value = {.kind = code == V128 ? WASM_V128 : WASM_I64};
    for (unsigned lane = 0; code == V128 && lane < 16; lane++)
        value.of.v128[lane] = (uint8_t)(i * 7 + lane);
    if (code != V128)
        value.of.i64 = (int64_t)(i * UINT64_C(0x9E3779B97F4A7C15));
    return value;
}

static void check_wide_calls(struct world *w, uint8_t code) {
    static catnap_val_t in[MANY], out[MANY];
    static const char *const reversing[] = {"backwards", "twice", "indirect"};
    size_t size = code == V128 ? 16 : 8;
    for (uint32_t i = 0; i < MANY; i++)
        in[i] = wide_value(code, i);
    for (size_t f = 0; f < COUNT(reversing); f++) {
        /* an odd number of reversals, or an even one */
        bool even = f == 2;
        memset(out, 0xAA, sizeof out);
        assert_null(call_values(w->instance, reversing[f], in, out));
        for (uint32_t i = 0; i < MANY; i++)
            assert_memory_equal(&out[i].of, &in[even ? i : MANY - 1 - i].of, size);
    }
    assert_null(call_values(w->instance, "spread", &in[5], out));
    for (uint32_t i = 0; i < MANY; i++)
        assert_memory_equal(&out[i].of, &in[5].of, size);
    assert_null(call_values(w->instance, "gather", in, out));
    assert_memory_equal(&out[0].of, &in[999].of, size);
}

static void thousand_params_and_results(void **state) {
    (void)state;
    static const uint8_t codes[] = {I64, V128};
    struct world w;
    FOR_EACH_FORM(w) {
        for (size_t i = 0; i < COUNT(codes); i++) {
            struct module_builder m = {0};
            add_wide_functions(&m, codes[i], add_wide_type(&m, codes[i], MANY, MANY));
            enter_module(&w, &m);
            check_wide_calls(&w, codes[i]);
        }
    }
}

/* A host function of 1,000 parameters and results, called from WebAssembly. */
static wasm_trap_t *host_backwards(void *env, catnap_caller_t *caller,
                                   const catnap_val_t *arguments, catnap_val_t *results) {
    (void)env;
    (void)caller;
    for (uint32_t i = 0; i < MANY; i++)
        results[i] = arguments[MANY - 1 - i];
    return NULL;
}

static wasm_functype_t *wide_functype(wasm_valkind_t kind) {
    wasm_valtype_vec_t params, results;
    wasm_valtype_vec_new_uninitialized(&params, MANY);
    wasm_valtype_vec_new_uninitialized(&results, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        params.data[i] = wasm_valtype_new(kind);
        results.data[i] = wasm_valtype_new(kind);
    }
    return wasm_functype_new(&params, &results);
}

static void thousand_to_the_host(void **state) {
    (void)state;
    static catnap_val_t in[MANY], out[MANY];
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        uint32_t type = add_wide_type(&m, V128, MANY, MANY);
        uint32_t host = import_func(&m, "m", "f", type);
        put(&f, 0);
        put_locals_backwards(&f, MANY);
        op_u(&f, CALL, host);
        op_u(&f, CALL, host);
        op_u(&f, CALL, host);
        put(&f, END);
        add_func(&m, "f", type, &f);
        struct bytes b = finish(&m);
        wasm_functype_t *described = wide_functype(WASM_V128);
        wasm_func_t *func = catnap_func_new(w.store, described, host_backwards, NULL, NULL, NULL);
        wasm_extern_t *import = wasm_func_as_extern(func);
        w.instance = instantiate(w.store, &b, &import, 1);
        for (uint32_t i = 0; i < MANY; i++)
            in[i] = wide_value(V128, i);
        assert_null(call_values(w.instance, "f", in, out));
        assert_memory_equal(out, in, sizeof in);
        wasm_func_delete(func);
        wasm_functype_delete(described);
        drop_bytes(&b);
    }
}

/* ---- Blocks that take and give 1,000 values ---- */

/* f(n, way): 1,000 numbers go round a loop n times, then leave by one of several ways. */
static void put_wide_blocks(struct module_builder *m) {
    struct bytes f = {0};
    uint32_t ring = add_wide_type(m, I32, MANY, MANY), many = add_wide_type(m, I32, 0, MANY);
    uint32_t type = add_type(m, "ii", "i");
    PUT(&f, 1, 2, I32);
    op_u(&f, BLOCK, many); /* label 3 from within the innermost below */
    i32_const(&f, 77);     /* lies below: every way out must move its values */
    op_u(&f, BLOCK, many);
    i32_const(&f, 78);
    i32_const(&f, 79);
    op_u(&f, BLOCK, many);
    for (uint32_t i = 0; i < MANY; i++)
        i32_const(&f, (int32_t)(i * i));
    op_u(&f, LOOP, ring);
    op_u(&f, LOCAL_SET, 2); /* the last comes to the middle of the ring */
    op_u(&f, LOCAL_SET, 3);
    op_u(&f, LOCAL_GET, 2);
    op_u(&f, LOCAL_GET, 3);
    op_u(&f, LOCAL_GET, 0);
    i32_const(&f, 1);
    put(&f, I32_SUB);
    op_u(&f, LOCAL_TEE, 0);
    op_u(&f, BR_IF, 0);
    op_u(&f, LOCAL_GET, 1);
    op_u(&f, BR_IF, 2);
    op_u(&f, LOCAL_GET, 1);
    PUT(&f, 0x45); /* eqz */
    op_u(&f, BR_IF, 1);
    PUT(&f, UNREACHABLE, END, END);
    /* way 0 comes here, with 78 and 79 below: a branch table moves them on */
    op_u(&f, LOCAL_GET, 1);
    PUT(&f, 0x0E, 3, 0, 1, 0, 1);
    put(&f, END); /* way 1 and the table's way come here, with 77 below */
    op_u(&f, LOCAL_GET, 1);
    op_u(&f, IF, ring);
    for (uint32_t i = 0; i < 2; i++)
        op_u(&f, LOCAL_SET, 2 + i); /* the last two change places */
    for (uint32_t i = 0; i < 2; i++)
        op_u(&f, LOCAL_GET, 2 + i);
    put(&f, ELSE);
    for (uint32_t i = 0; i < 5; i++)
        put(&f, DROP);
    for (uint32_t i = 0; i < 5; i++)
        i32_const(&f, 5);
    PUT(&f, END);
    op_u(&f, BR, 0);
    put(&f, END);
    /* Weighs each by its place. */
    i32_const(&f, 0);
    op_u(&f, LOCAL_SET, 2);
    for (uint32_t i = MANY; i-- > 0;) {
        i32_const(&f, (int32_t)i);
        put(&f, I32_MUL);
        op_u(&f, LOCAL_GET, 2);
        put(&f, I32_ADD);
        op_u(&f, LOCAL_SET, 2);
    }
    op_u(&f, LOCAL_GET, 2);
    put(&f, END);
    add_func(m, "f", type, &f);
}

static uint32_t expected_of_wide_blocks(uint32_t n, uint32_t way) {
    uint32_t ring[MANY], sum = 0;
    for (uint32_t i = 0; i < MANY; i++)
        ring[i] = i * i;
    for (uint32_t i = 0; i < n + (way ? 1 : 0); i++) {
        uint32_t other = ring[MANY - 1];
        ring[MANY - 1] = ring[MANY - 2];
        ring[MANY - 2] = other;
    }
    for (uint32_t i = 0; i < 5 && !way; i++)
        ring[MANY - 1 - i] = 5;
    for (uint32_t i = 0; i < MANY; i++)
        sum += i * ring[i];
    return sum;
}

static void blocks_of_a_thousand_values(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        put_wide_blocks(&m);
        enter_module(&w, &m);
        for (uint32_t n = 1; n < 5; n++)
            for (uint32_t way = 0; way < 2; way++)
                assert_int_equal(CALL_EXPORT(w.instance, "f", n, way),
                                 expected_of_wide_blocks(n, way));
    }
}

/* A branch that carries 1,000 values takes few bytes: it must not become 1,000 copies. */
static void wide_branches_stay_small(void **state) {
    (void)state;
    struct world w;
    open_world(&w, forms[0]);
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t many = add_wide_type(&m, I32, 0, MANY);
    put(&f, 0);
    i32_const(&f, 0);
    op_u(&f, BLOCK, many);
    i32_const(&f, 1);
    for (uint32_t i = 0; i < MANY; i++)
        op_u(&f, LOCAL_GET, 0);
    for (uint32_t i = 0; i < 100000; i++) {
        op_u(&f, LOCAL_GET, 1);
        op_u(&f, BR_IF, i % 2); /* every other one returns */
    }
    PUT(&f, UNREACHABLE, END, UNREACHABLE, END);
    add_func(&m, "f", add_wide_type(&m, I32, 2, MANY), &f);
    enter_module(&w, &m);
    catnap_val_t in[2] = {VAL_I32(3), VAL_I32(1)}, out[MANY];
    wasm_trap_t *trap = call_values(w.instance, "f", in, out);
    assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_UNREACHABLE);
    wasm_trap_delete(trap);
    assert_true(w.ledger.peak < 32 << 20);
    close_world(&w);
}

/* ---- A branch table of 100,000 entries ---- */

#define MANY_ENTRIES 100000
#define WAYS 7

static void hundred_thousand_entries(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        uint32_t type = add_type(&m, "i", "i");
        /* Each way adds its own number to the carried 1,000; odd ones find something below. */
        put(&f, 0);
        for (uint32_t way = 0; way < WAYS; way++) {
            if (way % 2)
                i32_const(&f, 1000000);
            PUT(&f, BLOCK, I32);
        }
        i32_const(&f, 1000);
        op_u(&f, LOCAL_GET, 0);
        op_u(&f, 0x0E, MANY_ENTRIES);
        for (uint32_t i = 0; i <= MANY_ENTRIES; i++)
            put_u(&f, (i * 31) % WAYS);
        for (uint32_t way = 0; way < WAYS; way++) {
            put(&f, END);
            i32_const(&f, (int32_t)way);
            PUT(&f, I32_ADD, RETURN);
        }
        put(&f, END);
        add_func(&m, "f", type, &f);
        enter_module(&w, &m);
        for (uint32_t i = 0; i <= MANY_ENTRIES; i += i < 20 || i > MANY_ENTRIES - 20 ? 1 : 997)
            assert_int_equal(CALL_EXPORT(w.instance, "f", i), 1000 + i * 31 % WAYS);
        assert_int_equal(CALL_EXPORT(w.instance, "f", -1), 1000 + MANY_ENTRIES * 31 % WAYS);
    }
}

/* ---- Nesting ---- */

#define DEEP 1000000

/* opcode, type; `before` each and `after` each, literally. */
static void check_nesting(struct world *w, const char *open, size_t open_size, const char *middle,
                          size_t middle_size, const char *close, size_t close_size,
                          uint32_t expected) {
    struct module_builder m = {0};
    struct bytes f = {0};
    put(&f, 0);
    if (close_size > 1)
        i32_const(&f, 0);
    for (uint32_t i = 0; i < DEEP; i++)
        put_bytes(&f, open, open_size);
    put_bytes(&f, middle, middle_size);
    for (uint32_t i = 0; i < DEEP; i++)
        put_bytes(&f, close, close_size);
    if (close_size == 1)
        i32_const(&f, 42);
    put(&f, END);
    size_t size = f.size;
    add_func(&m, "f", add_type(&m, "", "i"), &f);
    enter_module(w, &m);
    assert_int_equal(CALL_EXPORT(w->instance, "f"), expected);
    assert_true(w->ledger.peak < 200 * size);
}
#define NESTING(w, open, middle, close, expected)                                                  \
    check_nesting(w, open, sizeof open - 1, middle, sizeof middle - 1, close, sizeof close - 1,    \
                  expected)

static void nesting_a_million_deep(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        NESTING(&w, "\x02\x40", "", "\x0B", 42);
        NESTING(&w, "\x02\x40", "\x0C\xBF\x84\x3D", "\x0B", 42); /* br 999,999 */
        NESTING(&w, "\x03\x40", "", "\x0B", 42);
        NESTING(&w, "\x41\x01\x04\x40", "", "\x0B", 42);
        NESTING(&w, "\x41\x00\x04\x40\x05", "", "\x0B", 42);
        /* never entered, and dead */
        NESTING(&w, "\x41\x00\x04\x40", "", "\x0B", 42);
        NESTING(&w, "\x02\x40", "\x41\x01\x0D\xBF\x84\x3D\x00", "\x0B", 42);
    }
}

/* As deep, where all that follows each construct ends the function, too; with a branch to each. */
static void nesting_that_ends_the_function(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        struct bytes plain = {0}, branches = {0};
        put(&plain, 0);
        put(&branches, 0);
        for (uint32_t i = 0; i < DEEP; i++) {
            PUT(&plain, BLOCK, EMPTY);
            PUT(&branches, BLOCK, EMPTY, LOCAL_GET, 0, BR_IF, 0);
        }
        for (uint32_t i = 0; i <= DEEP; i++) {
            put(&plain, END);
            put(&branches, END);
        }
        add_func(&m, "plain", add_type(&m, "", ""), &plain);
        add_func(&m, "branches", add_type(&m, "i", ""), &branches);
        enter_module(&w, &m);
        CALL_EXPORT(w.instance, "plain");
        CALL_EXPORT(w.instance, "branches", 0);
        CALL_EXPORT(w.instance, "branches", 1);
    }
}

/* Blocks within blocks, each with an operand below it: values and nesting grow together. */
static void nesting_over_operands(void **state) {
    (void)state;
    struct world w;
    open_world(&w, forms[0]);
    struct module_builder m = {0};
    struct bytes f = {0};
    const uint32_t depth = 300000;
    put(&f, 0);
    for (uint32_t i = 0; i < depth; i++)
        PUT(&f, LOCAL_GET, 0, BLOCK, I32);
    i32_const(&f, 5);
    for (uint32_t i = 0; i < depth; i++)
        PUT(&f, END, I32_ADD);
    put(&f, END);
    add_func(&m, "f", add_type(&m, "i", "i"), &f);
    enter_module(&w, &m);
    assert_int_equal(CALL_EXPORT(w.instance, "f", 3), 5 + 3 * depth);
    close_world(&w);
}

/* Constant expressions may not hold blocks, and say so without recursion. */
static void nesting_in_a_constant_expression(void **state) {
    (void)state;
    struct world w;
    open_world(&w, forms[0]);
    struct module_builder m = {0};
    catnap_error_t *error;
    struct bytes *g = add_item(&m, GLOBALS);
    PUT(g, I32, 0);
    for (uint32_t i = 0; i < DEEP; i++)
        PUT(g, BLOCK, EMPTY);
    for (uint32_t i = 0; i <= DEEP; i++)
        put(g, END);
    struct bytes b = finish(&m);
    assert_null(catnap_module_new(w.store, b.data, b.size, NULL, &error));
    assert_int_equal(catnap_error_status(error), CATNAP_INVALID);
    catnap_error_delete(error);
    drop_bytes(&b);
    close_world(&w);
}

/* ---- Operands ---- */

#define MANY_OPERANDS 300000

static void check_operands(struct world *w, const char *push, size_t size, uint8_t combine,
                           uint32_t expected) {
    struct module_builder m = {0};
    struct bytes f = {0};
    put(&f, 0);
    for (uint32_t i = 0; i < MANY_OPERANDS; i++)
        put_bytes(&f, push, size);
    /* All that still refer to the local take the old value home. */
    i32_const(&f, 1000);
    op_u(&f, LOCAL_SET, 0);
    for (uint32_t i = 1; i < MANY_OPERANDS; i++)
        put(&f, combine);
    put(&f, END);
    add_func(&m, "f", add_type(&m, "i", "i"), &f);
    enter_module(w, &m);
    assert_int_equal(CALL_EXPORT(w->instance, "f", 3), expected);
}
#define OPERANDS(w, push, combine, expected)                                                       \
    check_operands(w, push, sizeof push - 1, combine, expected)

static void hundreds_of_thousands_of_operands(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        OPERANDS(&w, "\x41\x05", I32_ADD, 5 * MANY_OPERANDS);
        OPERANDS(&w, "\x20\x00", I32_ADD, 3 * MANY_OPERANDS);
        OPERANDS(&w, "\x20\x00\x41\x02\x6A", I32_ADD, 5 * MANY_OPERANDS);
        OPERANDS(&w, "\x20\x00", I32_SUB, (uint32_t)(MANY_OPERANDS % 2 ? 3 : 0));
    }
}

static void many_vectors_as_operands(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        put(&f, 0);
        for (uint32_t i = 0; i < MANY_OPERANDS; i++)
            op_u(&f, LOCAL_GET, 0);
        v128_const(&f, 0, 0);
        op_u(&f, LOCAL_SET, 0);
        for (uint32_t i = 1; i < MANY_OPERANDS; i++)
            simd(&f, 206); /* i64x2.add */
        put(&f, END);
        add_func(&m, "f", add_type(&m, "v", "v"), &f);
        enter_module(&w, &m);
        catnap_val_t in = {.kind = WASM_V128}, out;
        uint64_t lanes[2] = {3, 1000000007};
        memcpy(in.of.v128, lanes, sizeof lanes);
        assert_null(call_values(w.instance, "f", &in, &out));
        memcpy(lanes, out.of.v128, sizeof lanes);
        assert_int_equal(lanes[0], 3 * MANY_OPERANDS);
        assert_int_equal(lanes[1], UINT64_C(1000000007) * MANY_OPERANDS);
    }
}

/* Calls push by the thousand: what three bytes can ask for has a limit. */
static void operands_have_a_limit(void **state) {
    (void)state;
    struct world w;
    open_world(&w, forms[0]);
    struct module_builder m = {0};
    struct bytes f = {0};
    catnap_error_t *error;
    put(&f, 0);
    for (uint32_t i = 0; i < MANY; i++)
        i32_const(&f, 0);
    put(&f, END);
    uint32_t spread = add_func(&m, NULL, add_wide_type(&m, I32, 0, MANY), &f);
    put(&f, 0);
    for (uint32_t i = 0; i < 100000; i++)
        op_u(&f, CALL, spread);
    PUT(&f, UNREACHABLE, END);
    add_func(&m, "f", add_type(&m, "", ""), &f);
    struct bytes b = finish(&m);
    assert_null(catnap_module_new(w.store, b.data, b.size, NULL, &error));
    assert_int_equal(catnap_error_status(error), CATNAP_LIMIT);
    assert_true(catnap_error_function(error) == 1);
    assert_true(w.ledger.peak < 16 << 20);
    catnap_error_delete(error);
    drop_bytes(&b);
    close_world(&w);
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_thousand_locals),
        cmocka_unit_test(fifty_thousand_vectors),
        cmocka_unit_test(too_many_locals_are_refused),
        cmocka_unit_test(thousand_params_and_results),
        cmocka_unit_test(thousand_to_the_host),
        cmocka_unit_test(blocks_of_a_thousand_values),
        cmocka_unit_test(wide_branches_stay_small),
        cmocka_unit_test(hundred_thousand_entries),
        cmocka_unit_test(nesting_a_million_deep),
        cmocka_unit_test(nesting_that_ends_the_function),
        cmocka_unit_test(nesting_over_operands),
        cmocka_unit_test(nesting_in_a_constant_expression),
        cmocka_unit_test(hundreds_of_thousands_of_operands),
        cmocka_unit_test(many_vectors_as_operands),
        cmocka_unit_test(operands_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
