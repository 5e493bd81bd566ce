/* Tail calls: chains of a million on a small value stack and a C stack of 256 KiB, within an instance, through
 * tables, across instances and into the host. Each module also exists with ordinary calls in place of the tail
 * calls, and short chains have the same results in both. */
#include "hostile.h"
#include "../support/saved.h"
#include "../support/snapshot.h"

#include <sys/time.h>

#define MILLION 1000000
#define SHORT 50 /* a chain that ordinary calls can make, too */
#define DEPTH 120

static const struct form forms[] = {
    {0},
    {.explicit_checks = true, .fuel = true, .interruptible = true},
    {.eager = true, .interruptible = true},
    {.deferred = true, .fuel = true},
};

static void open_tight(struct world *w, struct form form) {
    catnap_limits_t limits;
    open_form(w, form);
    catnap_limits_default(&limits);
    limits.value_stack_bytes = 64 << 10;
    limits.call_depth = DEPTH;
    catnap_store_set_limits(w->store, &limits);
}

/* The call of a function, as a tail call or as a call and a return. */
static void put_call(struct bytes *f, bool tail, uint32_t func) {
    op_u(f, tail ? RETURN_CALL : CALL, func);
    if (!tail)
        put(f, RETURN);
}
static void put_indirect(struct bytes *f, bool tail, uint32_t type) {
    op_u(f, tail ? RETURN_CALL_INDIRECT : CALL_INDIRECT, type);
    put(f, 0);
    if (!tail)
        put(f, RETURN);
}
/* Of this function, by a reference to it; it is exported. */
static void put_call_ref(struct bytes *f, bool tail, uint32_t func, uint32_t type) {
    op_u(f, REF_FUNC, func);
    op_u(f, tail ? RETURN_CALL_REF : CALL_REF, type);
    if (!tail)
        put(f, RETURN);
}
/* if local 0 is 0: the instructions that follow, up to end_chain(), give the result */
static void begin_chain(struct bytes *f) {
    PUT(f, LOCAL_GET, 0, 0x45, IF, EMPTY);
}
static void end_chain(struct bytes *f) {
    PUT(f, RETURN, END);
}
static void put_next(struct bytes *f) {
    PUT(f, LOCAL_GET, 0, I32_CONST, 1, I32_SUB);
}

/* ---- Within one instance ---- */

/* count(n, sum) = count(n - 1, sum + n); even and odd call each other. */
static void add_counting(struct module_builder *m, bool tail) {
    uint32_t type = add_type(m, "ii", "i"), one = add_type(m, "i", "i");
    struct bytes f = {0};
    put(&f, 0);
    begin_chain(&f);
    PUT(&f, LOCAL_GET, 1);
    end_chain(&f);
    put_next(&f);
    PUT(&f, LOCAL_GET, 1, LOCAL_GET, 0, I32_ADD);
    put_call(&f, tail, m->funcs);
    put(&f, END);
    add_func(m, "count", type, &f);
    uint32_t even = m->funcs;
    for (uint32_t i = 0; i < 2; i++) {
        put(&f, 0);
        begin_chain(&f);
        i32_const(&f, i == 0);
        end_chain(&f);
        put_next(&f);
        put_call(&f, tail, even + 1 - i);
        put(&f, END);
        add_func(m, i ? "odd" : "even", one, &f);
    }
}

/* Arguments that are the parameters in another order, some of them twice, directly, through the table or by a
 * reference. */
enum way { DIRECT, THROUGH_TABLE, BY_REFERENCE, WAYS };
static void add_moving(struct module_builder *m, bool tail, enum way way) {
    static const char *const names[WAYS] = {"move", "move_indirect", "move_ref"};
    uint32_t type = add_type(m, "iiii", "i");
    struct bytes f = {0};
    PUT(&f, 1, 2, V128);
    begin_chain(&f);
    PUT(&f, LOCAL_GET, 1, I32_CONST, 0xE4, 0, I32_MUL, LOCAL_GET, 2, I32_ADD, I32_CONST, 10,
        I32_MUL, LOCAL_GET, 3, I32_ADD);
    end_chain(&f);
    put_next(&f);
    PUT(&f, LOCAL_GET, 2, LOCAL_GET, 3, LOCAL_GET, 1, LOCAL_GET, 2, I32_CONST, 5, 0x74, I32_ADD);
    PUT(&f, I32_CONST, 7, 0x6A);
    if (way == THROUGH_TABLE) {
        uint32_t functions[] = {m->funcs, m->funcs};
        add_table(m, FUNCREF, 2, 2);
        add_elem(m, 0, functions, 2);
        PUT(&f, LOCAL_GET, 0, I32_CONST, 1, 0x71);
        put_indirect(&f, tail, type);
    } else if (way == BY_REFERENCE) {
        put_call_ref(&f, tail, m->funcs, type);
    } else {
        put_call(&f, tail, m->funcs);
    }
    put(&f, END);
    add_func(m, names[way], type, &f);
}

/* Functions of one, two and four parameters, of 1 to 5 slots, which call each other in turn. */
static void add_shapes(struct module_builder *m, bool tail) {
    uint32_t one = add_type(m, "i", "I"), two = add_type(m, "iI", "I"),
             four = add_type(m, "ivIf", "I");
    uint32_t first = m->funcs;
    struct bytes f = {0};
    ADD_GLOBAL(m, I64, 1, I64_CONST, 0, END);
    put(&f, 0);
    begin_chain(&f);
    PUT(&f, GLOBAL_GET, 0);
    end_chain(&f);
    PUT(&f, LOCAL_GET, 0, LOCAL_GET, 0, 0xAC);
    put_call(&f, tail, first + 1);
    put(&f, END);
    add_func(m, "shapes", one, &f);
    PUT(&f, 1, 3, I64);
    PUT(&f, LOCAL_GET, 0, LOCAL_GET, 1, 0xFD, 18, LOCAL_GET, 1, I64_CONST, 3, 0x7E, 0x43, 0, 0,
        0x80, 0x3F);
    put_call_ref(&f, tail, first + 2, four);
    put(&f, END);
    add_func(m, NULL, two, &f);
    export_item(m, "four", AS_FUNC, first + 2);
    put(&f, 0);
    PUT(&f, GLOBAL_GET, 0, LOCAL_GET, 1, 0xFD, 29, 1, I64_ADD, LOCAL_GET, 2, I64_ADD, LOCAL_GET, 3,
        0xAE, I64_ADD, GLOBAL_SET, 0);
    put_next(&f);
    put_call(&f, tail, first);
    put(&f, END);
    add_func(m, NULL, four, &f);
}

/* More results than parameters, and 300 parameters in turn with one. */
static void add_wide(struct module_builder *m, bool tail) {
    uint8_t codes[300];
    struct bytes f = {0};
    memset(codes, I32, sizeof codes);
    uint32_t narrow = add_type_n(m, codes, 1, codes, 3), wide = add_type_n(m, codes, 300, codes, 3);
    uint32_t first = m->funcs;
    put(&f, 0);
    begin_chain(&f);
    PUT(&f, I32_CONST, 1, I32_CONST, 2, I32_CONST, 3);
    end_chain(&f);
    for (uint32_t i = 0; i < 300; i++)
        PUT(&f, LOCAL_GET, 0);
    put_call(&f, tail, first + 1);
    put(&f, END);
    add_func(m, NULL, narrow, &f);
    put(&f, 0);
    op_u(&f, LOCAL_GET, 299);
    PUT(&f, I32_CONST, 1, I32_SUB);
    put_call(&f, tail, first);
    put(&f, END);
    add_func(m, NULL, wide, &f);
    PUT(&f, 0, LOCAL_GET, 0, CALL, (uint8_t)first, I32_MUL, I32_ADD, END);
    add_func(m, "wide", add_type(m, "i", "i"), &f);
}

static void enter_chains(struct world *w, bool tail) {
    struct module_builder m = {0};
    add_counting(&m, tail);
    for (enum way way = DIRECT; way < WAYS; way++)
        add_moving(&m, tail, way);
    add_shapes(&m, tail);
    add_wide(&m, tail);
    enter_module(w, &m);
}

static uint64_t shapes_sum(uint64_t n) {
    uint64_t sum = 0;
    for (; n > 0; n--)
        sum += n + 3 * n + 1;
    return sum;
}

static uint32_t moved(uint32_t n, uint32_t a, uint32_t b, uint32_t c) {
    for (; n > 0; n--) {
        uint32_t first = a;
        a = b;
        b = c;
        c = (first + (a << 5)) + 7;
    }
    return (a * 100 + b) * 10 + c;
}

static void a_million_within_an_instance(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_tight, w) {
        enter_chains(&w, true);
        for (unsigned round = 0; round < 2; round++) {
            assert_int_equal(CALL_EXPORT(w.instance, "count", MILLION, 7),
                             (uint32_t)(7 + UINT64_C(1000000) * 1000001 / 2));
            assert_int_equal(CALL_EXPORT(w.instance, "even", MILLION), 1);
            assert_int_equal(CALL_EXPORT(w.instance, "odd", MILLION), 0);
            assert_int_equal(CALL_EXPORT(w.instance, "wide", 2000), 7);
        }
        assert_int_equal(CALL_EXPORT(w.instance, "move", MILLION, 3, 4, 5),
                         moved(MILLION, 3, 4, 5));
        assert_int_equal(CALL_EXPORT(w.instance, "move_indirect", MILLION, 3, 4, 5),
                         moved(MILLION, 3, 4, 5));
        assert_int_equal(CALL_EXPORT(w.instance, "move_ref", MILLION, 3, 4, 5),
                         moved(MILLION, 3, 4, 5));
        assert_int_equal(CALL_EXPORT(w.instance, "shapes", MILLION), shapes_sum(MILLION));
    }
}

static void ordinary_calls_give_the_same(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_tight, w) {
        uint64_t results[2][7];
        for (unsigned tail = 0; tail < 2; tail++) {
            enter_chains(&w, tail);
            results[tail][0] = CALL_EXPORT(w.instance, "count", SHORT, 7);
            results[tail][1] = CALL_EXPORT(w.instance, "odd", SHORT);
            results[tail][2] = CALL_EXPORT(w.instance, "wide", 5);
            results[tail][3] = CALL_EXPORT(w.instance, "move", SHORT, 3, 4, 5);
            results[tail][4] = CALL_EXPORT(w.instance, "move_indirect", SHORT, 3, 4, 5);
            results[tail][5] = CALL_EXPORT(w.instance, "shapes", SHORT / 2);
            results[tail][6] = CALL_EXPORT(w.instance, "move_ref", SHORT, 3, 4, 5);
        }
        for (unsigned i = 0; i < COUNT(results[0]); i++)
            assert_int_equal(results[0][i], results[1][i]);
        enter_chains(&w, false);
        assert_int_equal(CALL_TRAP(w.instance, "count", 2 * DEPTH, 7), CATNAP_TRAP_STACK_OVERFLOW);
    }
}

/* ---- Across instances ---- */

/* Each has a function that counts in its own memory and calls the other's: A's at 0 of their table, B's at 1 or by a
 * reference to what it imports. "start" calls the chain and then reads its own memory. */
static struct bytes half_of_a_pair(uint32_t self, bool tail, bool by_reference) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t chain = add_type(&m, "i", "i");
    if (self) {
        import_table(&m, "a", "table", FUNCREF, 2, 2);
        export_item(&m, "imported", AS_FUNC, import_func(&m, "a", "link", chain));
    } else {
        add_table(&m, FUNCREF, 2, 2);
    }
    add_memory(&m, 1, 1);
    uint32_t func = m.funcs;
    put(&f, 0);
    PUT(&f, I32_CONST, 0, I32_CONST, 0, 0x28, 2, 0, I32_CONST, 1, I32_ADD, 0x36, 2, 0);
    begin_chain(&f);
    PUT(&f, I32_CONST, (uint8_t)(10 + self));
    end_chain(&f);
    put_next(&f);
    if (self && by_reference) {
        put_call_ref(&f, tail, 0, chain);
    } else {
        i32_const(&f, 1 - (int32_t)self);
        put_indirect(&f, tail, chain);
    }
    put(&f, END);
    add_func(&m, "link", chain, &f);
    PUT(&f, 0, LOCAL_GET, 0, CALL, (uint8_t)func, I32_CONST, 0xE4, 0, I32_MUL, I32_CONST, 0, 0x28,
        2, 0, I32_ADD, END);
    add_func(&m, "start", chain, &f);
    /* A frame of another instance between the host and the chain. */
    PUT(&f, 0, LOCAL_GET, 0);
    i32_const(&f, 1 - (int32_t)self);
    put_indirect(&f, tail, chain);
    put(&f, END);
    add_func(&m, "other", chain, &f);
    add_elem(&m, (int32_t)self, &func, 1);
    if (!self)
        export_item(&m, "table", AS_TABLE, 0);
    return finish(&m);
}

static void open_pair(struct world *w, bool tail, bool by_reference, wasm_instance_t *pair[2]) {
    struct bytes a = half_of_a_pair(0, tail, by_reference),
                 b = half_of_a_pair(1, tail, by_reference);
    pair[0] = instantiate(w->store, &a, NULL, 0);
    wasm_extern_t *imports[] = {catnap_instance_export(pair[0], "table", 5),
                                catnap_instance_export(pair[0], "link", 4)};
    pair[1] = instantiate(w->store, &b, imports, COUNT(imports));
    for (size_t i = 0; i < COUNT(imports); i++)
        wasm_extern_delete(imports[i]);
    drop_bytes(&a);
    drop_bytes(&b);
}

static uint64_t across(struct world *w, bool tail, uint32_t n, const char *name) {
    uint64_t results[2];
    for (unsigned by_reference = 0; by_reference < 2; by_reference++) {
        wasm_instance_t *pair[2];
        open_pair(w, tail, by_reference, pair);
        uint64_t result = CALL_EXPORT(pair[0], name, n);
        results[by_reference] = result << 32 | CALL_EXPORT(pair[1], name, n + 1);
        wasm_instance_delete(pair[0]);
        wasm_instance_delete(pair[1]);
    }
    assert_int_equal(results[0], results[1]);
    return results[0];
}

static void a_million_across_instances(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_tight, w) {
        assert_int_equal(across(&w, true, MILLION, "start"),
                         UINT64_C(501001) << 32 | (1000 + MILLION + 1));
        assert_int_equal(across(&w, true, SHORT, "start"), across(&w, false, SHORT, "start"));
        assert_int_equal(across(&w, true, SHORT, "link"), across(&w, false, SHORT, "link"));
        assert_int_equal(across(&w, true, SHORT, "other"), across(&w, false, SHORT, "other"));
        assert_int_equal(across(&w, true, MILLION, "other"), UINT64_C(11) << 32 | 11);
    }
}

/* ---- Into the host ---- */

struct host {
    uint32_t calls;
    size_t frames;
    bool traps;
};

static wasm_trap_t *from_host(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                              catnap_val_t *results) {
    struct host *h = env;
    catnap_frame_t frames[8];
    h->calls++;
    h->frames = catnap_caller_backtrace(caller, frames, COUNT(frames));
    for (int i = 0; i < 3; i++)
        results[i] = VAL_I32(arguments[0].of.i32 + i);
    return h->traps ? catnap_trap_new(catnap_caller_store(caller), CATNAP_TRAP_HOST, "no") : NULL;
}

/* A function for each way ends in a call of the host's function, of one parameter and three results; another calls it
 * and goes on. */
static const char *const host_names[WAYS] = {"direct", "indirect", "reference"};
static struct bytes host_module(bool tail) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t three = add_type(&m, "i", "iii"), one = add_type(&m, "i", "i");
    uint32_t host = import_func(&m, "m", "f", three);
    add_table(&m, FUNCREF, 1, 1);
    add_elem(&m, 0, &host, 1);
    for (enum way i = DIRECT; i < WAYS; i++) {
        put(&f, 0);
        PUT(&f, LOCAL_GET, 0, I32_CONST, 1, I32_ADD);
        if (i == DIRECT) {
            put_call(&f, tail, host);
        } else if (i == BY_REFERENCE) {
            put_call_ref(&f, tail, host, three);
        } else {
            i32_const(&f, 0);
            put_indirect(&f, tail, three);
        }
        put(&f, END);
        uint32_t func = add_func(&m, NULL, three, &f);
        PUT(&f, 0, I32_CONST, 0xE8, 7, LOCAL_GET, 0, CALL, (uint8_t)func, I32_MUL, I32_ADD, I32_MUL,
            END);
        add_func(&m, host_names[i], one, &f);
    }
    return finish(&m);
}

static void host_functions_are_called_last(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_tight, w) {
        for (unsigned tail = 0; tail < 2; tail++) {
            struct bytes b = host_module(tail);
            struct host h = {0};
            wasm_valtype_t *ps[1] = {wasm_valtype_new_i32()}, *rs[3];
            for (int i = 0; i < 3; i++)
                rs[i] = wasm_valtype_new_i32();
            wasm_valtype_vec_t params, results;
            wasm_valtype_vec_new(&params, 1, ps);
            wasm_valtype_vec_new(&results, 3, rs);
            wasm_functype_t *type = wasm_functype_new(&params, &results);
            wasm_func_t *func = catnap_func_new(w.store, type, from_host, &h, NULL, NULL);
            wasm_extern_t *import = wasm_func_as_extern(func);
            wasm_instance_delete(w.instance);
            w.instance = instantiate(w.store, &b, &import, 1);
            for (enum way i = DIRECT; i < WAYS; i++) {
                const char *name = host_names[i];
                h.traps = false;
                assert_int_equal(CALL_EXPORT(w.instance, name, 5), 1000 * (6 + 7 * 8));
                assert_int_equal(h.frames, 2);
                h.traps = true;
                assert_int_equal(CALL_TRAP(w.instance, name, 5), CATNAP_TRAP_HOST);
            }
            assert_int_equal(h.calls, 2 * WAYS);
            wasm_func_delete(func);
            wasm_functype_delete(type);
            drop_bytes(&b);
        }
    }
}

/* ---- Exceptions ---- */

enum { THROW = 0x08, TRY_TABLE = 0x1F, CATCH_ALL = 2 };

/* Calls the exported "thrower" and throws what that threw. */
static wasm_trap_t *throw_from_host(void *env, catnap_caller_t *caller,
                                    const catnap_val_t *arguments, catnap_val_t *results) {
    (void)env;
    (void)arguments;
    (void)results;
    return call_values(catnap_caller_instance(caller), "thrower", NULL, NULL);
}

/* Function i of 4 has a handler around a tail call of something that throws: a function of the module, directly and
 * through the table, and the host's likewise. "caught" with the number of one of them: 1 when the exception came through
 * it, and 0 when its own handler caught it. */
static struct bytes throwing_module(void) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t none = add_type(&m, "", ""), one = add_type(&m, "i", "i");
    uint32_t host = import_func(&m, "m", "f", none), tag = add_tag(&m, none);
    uint32_t thrower = ADD_FUNC(&m, "thrower", none, 0, THROW, (uint8_t)tag, END);
    uint32_t first = m.funcs, callees[6] = {thrower, host};
    add_table(&m, FUNCREF, 6, 6);
    for (uint32_t i = 0; i < 4; i++) {
        put(&f, 0);
        PUT(&f, BLOCK, EMPTY, TRY_TABLE, EMPTY, 1, CATCH_ALL, 0);
        if (i >= 2) {
            PUT(&f, I32_CONST, (uint8_t)(i % 2));
            put_indirect(&f, true, none);
        } else {
            put_call(&f, true, callees[i]);
        }
        PUT(&f, END, END, END);
        callees[2 + i] = add_func(&m, NULL, none, &f);
    }
    assert_int_equal(callees[2], first);
    add_elem(&m, 0, callees, 6);
    PUT(&f, 0, BLOCK, EMPTY, TRY_TABLE, EMPTY, 1, CATCH_ALL, 0, LOCAL_GET, 0, CALL_INDIRECT,
        (uint8_t)none, 0, I32_CONST, 0, RETURN, END, END, I32_CONST, 1, END);
    add_func(&m, "caught", one, &f);
    return finish(&m);
}

static void replaced_frames_catch_nothing(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_tight, w) {
        struct bytes b = throwing_module();
        wasm_valtype_vec_t params = WASM_EMPTY_VEC, results = WASM_EMPTY_VEC;
        wasm_functype_t *type = wasm_functype_new(&params, &results);
        wasm_func_t *func = catnap_func_new(w.store, type, throw_from_host, NULL, NULL, NULL);
        wasm_extern_t *import = wasm_func_as_extern(func);
        w.instance = instantiate(w.store, &b, &import, 1);
        for (unsigned i = 0; i < 6; i++)
            assert_int_equal(CALL_EXPORT(w.instance, "caught", i), 1);
        wasm_func_delete(func);
        wasm_functype_delete(type);
        drop_bytes(&b);
    }
}

/* ---- Stops ---- */

/* "forever" calls itself and "around" another that calls it, through the table. */
static void add_endless(struct module_builder *m) {
    uint32_t none = add_type(m, "", "");
    uint32_t first = m->funcs;
    ADD_FUNC(m, "forever", none, 0, RETURN_CALL, (uint8_t)first, END);
    ADD_FUNC(m, "around", none, 0, I32_CONST, 0, RETURN_CALL_INDIRECT, (uint8_t)none, 0, END);
    ADD_FUNC(m, NULL, none, 0, RETURN_CALL, (uint8_t)(first + 1), END);
    uint32_t third = first + 2;
    add_table(m, FUNCREF, 1, 1);
    add_elem(m, 0, &third, 1);
}

static wasm_store_t *signalled_store;
static uint64_t signalled_call;
static void interrupt_now(int number) {
    (void)number;
    catnap_store_interrupt(signalled_store, signalled_call);
}
static void interrupt_soon(wasm_store_t *store) {
    struct itimerval timer = {.it_value.tv_usec = 10000};
    signalled_store = store;
    signalled_call = catnap_store_call_id(store);
    signal(SIGALRM, interrupt_now);
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void endless_chains_end(void **state) {
    (void)state;
    struct world w;
    static const char *const names[] = {"forever", "around"};
    FOR_EACH_FORM_BY(open_tight, w) {
        struct module_builder m = {0};
        add_endless(&m);
        enter_module(&w, &m);
        for (size_t i = 0; i < COUNT(names) && forms[form_].fuel; i++) {
            assert_null(catnap_store_set_fuel(w.store, MILLION));
            assert_int_equal(CALL_TRAP(w.instance, names[i]), CATNAP_TRAP_OUT_OF_FUEL);
        }
        for (size_t i = 0; i < COUNT(names) && forms[form_].interruptible; i++) {
            if (forms[form_].fuel)
                assert_null(catnap_store_set_fuel(w.store, UINT64_MAX));
            interrupt_soon(w.store);
            assert_int_equal(CALL_TRAP(w.instance, names[i]), CATNAP_TRAP_INTERRUPTED);
        }
    }
}

/* A callee whose frame does not fit, though the caller's did: directly, and in the place of one of as many
 * parameters. */
static void frames_that_do_not_fit(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_tight, w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        uint32_t one = add_type(&m, "i", "i"), two = add_type(&m, "ii", "i");
        put(&f, 1);
        put_u(&f, 20000);
        PUT(&f, I64, LOCAL_GET, 0);
        op_u(&f, LOCAL_TEE, 0);
        put(&f, END);
        uint32_t large = add_func(&m, NULL, one, &f);
        ADD_FUNC(&m, "same", one, 0, LOCAL_GET, 0, RETURN_CALL, (uint8_t)large, END);
        ADD_FUNC(&m, "less", two, 0, LOCAL_GET, 0, RETURN_CALL, (uint8_t)large, END);
        ADD_FUNC(&m, "table", one, 0, LOCAL_GET, 0, I32_CONST, 0, RETURN_CALL_INDIRECT,
                 (uint8_t)one, 0, END);
        add_table(&m, FUNCREF, 1, 1);
        add_elem(&m, 0, &large, 1);
        enter_module(&w, &m);
        for (unsigned round = 0; round < 2; round++) {
            assert_int_equal(CALL_TRAP(w.instance, "same", 1), CATNAP_TRAP_STACK_OVERFLOW);
            assert_int_equal(CALL_TRAP(w.instance, "less", 1, 2), CATNAP_TRAP_STACK_OVERFLOW);
            assert_int_equal(CALL_TRAP(w.instance, "table", 1), CATNAP_TRAP_STACK_OVERFLOW);
        }
    }
}

/* The traps of an indirect call: their frames are those of the caller, since no call was made. */
static void indirect_calls_are_checked(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_tight, w) {
        struct module_builder m = {0};
        uint32_t one = add_type(&m, "i", "i"), two = add_type(&m, "ii", "i");
        ADD_FUNC(&m, "same", one, 0, LOCAL_GET, 0, LOCAL_GET, 0, RETURN_CALL_INDIRECT, (uint8_t)one,
                 0, END);
        ADD_FUNC(&m, "less", two, 0, LOCAL_GET, 0, LOCAL_GET, 0, RETURN_CALL_INDIRECT, (uint8_t)one,
                 0, END);
        add_table(&m, FUNCREF, 3, 3);
        add_elem(&m, 1, (const uint32_t[]){1}, 1);
        enter_module(&w, &m);
        static const char *const names[] = {"same", "less"};
        static const catnap_trap_code_t codes[] = {
            CATNAP_TRAP_UNINITIALIZED_ELEMENT, CATNAP_TRAP_INDIRECT_CALL_TYPE_MISMATCH,
            CATNAP_TRAP_UNINITIALIZED_ELEMENT, CATNAP_TRAP_UNDEFINED_ELEMENT};
        for (unsigned i = 0; i < COUNT(names); i++)
            for (unsigned index = 0; index < COUNT(codes); index++) {
                uint64_t bits;
                catnap_frame_t frame;
                wasm_trap_t *trap =
                    call_bits(w.instance, names[i], (const int64_t[]){index, 0}, &bits);
                assert_int_equal(catnap_trap_code(trap), codes[index]);
                assert_int_equal(catnap_trap_frame_count(trap), 1);
                assert_true(catnap_trap_frame(trap, 0, &frame));
                assert_int_equal(frame.func_index, i);
                wasm_trap_delete(trap);
            }
    }
}

/* The same of a reference that is null. */
static void null_references_are_noticed(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_tight, w) {
        struct module_builder m = {0};
        uint32_t one = add_type(&m, "i", "i"), two = add_type(&m, "ii", "i");
        static const uint8_t null = 0xD0;
        ADD_FUNC(&m, "same", one, 0, LOCAL_GET, 0, null, (uint8_t)one, RETURN_CALL_REF,
                 (uint8_t)one, END);
        ADD_FUNC(&m, "less", two, 0, LOCAL_GET, 0, null, (uint8_t)one, RETURN_CALL_REF,
                 (uint8_t)one, END);
        enter_module(&w, &m);
        assert_int_equal(CALL_TRAP(w.instance, "same", 1), CATNAP_TRAP_NULL_REFERENCE);
        assert_int_equal(CALL_TRAP(w.instance, "less", 1, 2), CATNAP_TRAP_NULL_REFERENCE);
    }
}

/* ---- Snapshots ---- */

/* Restores at most two instances and the run; false: the bytes are refused, and why is in *text. */
static bool restore_run(wasm_store_t *store, wasm_engine_t *engine, const wasm_byte_vec_t *bytes,
                        wasm_instance_t *instances[2], catnap_run_t **run, char text[200]) {
    catnap_error_t *error;
    catnap_snapshot_t *snapshot =
        catnap_snapshot_read(engine, (const uint8_t *)bytes->data, bytes->size, NULL, &error);
    catnap_linker_t *linker = catnap_linker_new(store);
    if (snapshot)
        error = catnap_snapshot_restore(snapshot, linker, NULL, instances, run);
    snprintf(text, 200, "%s", error ? catnap_error_message(error) : "");
    bool restored = !error;
    catnap_error_delete(error);
    catnap_linker_delete(linker);
    catnap_snapshot_delete(snapshot);
    return restored;
}

static catnap_run_t *start_run(const wasm_instance_t *instance, const char *name,
                               int32_t argument) {
    catnap_error_t *error;
    catnap_val_t value = VAL_I32(argument);
    wasm_func_t *func = get_func(instance, name);
    catnap_run_t *run = catnap_run_new(func, &value, 1, &error);
    assert_null(error);
    wasm_func_delete(func);
    return run;
}

/* The store ends with its run in the middle of the chain, and another one is made from the bytes. */
static void move_run(struct world *w, wasm_instance_t *pair[2], catnap_run_t **run) {
    char text[200];
    wasm_byte_vec_t bytes = save_store(w->store, *run);
    catnap_run_delete(*run);
    for (int i = 0; i < 2; i++)
        wasm_instance_delete(pair[i]);
    wasm_store_delete(w->store);
    w->store = wasm_store_new(w->engine);
    if (!restore_run(w->store, w->engine, &bytes, pair, run, text))
        fail_msg("%s", text);
    wasm_byte_vec_delete(&bytes);
}

static uint32_t run_in_pieces(bool by_reference, bool moves, const char *name, unsigned *stops) {
    struct world w;
    wasm_instance_t *pair[2];
    wasm_trap_t *trap;
    catnap_val_t result;
    catnap_status_t status = CATNAP_OUT_OF_FUEL;
    open_tight(&w, (struct form){.fuel = true, .interruptible = true});
    open_pair(&w, true, by_reference, pair);
    catnap_run_t *run = start_run(pair[0], name, 2 * DEPTH);
    for (*stops = 0; status == CATNAP_OUT_OF_FUEL; ++*stops) {
        assert_null(catnap_store_set_fuel(w.store, 97));
        status = catnap_run_resume(run, &result, 1, &trap);
        assert_null(trap);
        if (status == CATNAP_OUT_OF_FUEL && moves)
            move_run(&w, pair, &run);
    }
    assert_int_equal(status, CATNAP_OK);
    catnap_run_delete(run);
    for (int i = 0; i < 2; i++)
        wasm_instance_delete(pair[i]);
    close_world(&w);
    return (uint32_t)result.of.i32;
}

static void chains_across_instances_go_on_elsewhere(void **state) {
    (void)state;
    static const char *const names[] = {"start", "other"};
    for (unsigned way = 0; way < 4; way++) {
        unsigned stops, moves;
        uint32_t expected = run_in_pieces(way & 1, false, names[way / 2], &stops);
        assert_int_equal(run_in_pieces(way & 1, true, names[way / 2], &moves), expected);
        assert_true(stops > 20 && moves == stops);
    }
}

/* "run" calls function 7, which puts 8 in its place; 9 is the same with a result of another type. */
static struct bytes replacing_module(void) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t one = add_type(&m, "i", "i"), wide = add_type(&m, "i", "I");
    while (m.funcs < 7)
        ADD_FUNC(&m, NULL, one, 0, LOCAL_GET, 0, END);
    ADD_FUNC(&m, NULL, one, 0, LOCAL_GET, 0, RETURN_CALL, 8, END);
    for (unsigned i = 0; i < 2; i++) {
        PUT(&f, 0, LOOP, EMPTY, LOCAL_GET, 0, I32_CONST, 1, I32_SUB, LOCAL_TEE, 0, 0x0D, 0, END,
            LOCAL_GET, 0);
        if (i)
            put(&f, 0xAC);
        put(&f, END);
        add_func(&m, NULL, i ? wide : one, &f);
    }
    ADD_FUNC(&m, "run", one, 0, LOCAL_GET, 0, CALL, 7, I32_CONST, 1, I32_ADD, END);
    return finish(&m);
}

/* A frame of a function with other results than the call below it expects is refused. */
static void frames_of_other_results_are_refused(void **state) {
    (void)state;
    struct world w;
    wasm_trap_t *trap;
    catnap_val_t result;
    size_t at = 0, length = 0;
    unsigned refused = 0;
    open_tight(&w, (struct form){.fuel = true});
    struct bytes b = replacing_module();
    w.instance = instantiate(w.store, &b, NULL, 0);
    drop_bytes(&b);
    catnap_run_t *run = start_run(w.instance, "run", 1000);
    assert_null(catnap_store_set_fuel(w.store, 100));
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    wasm_byte_vec_t bytes = save_store(w.store, run);
    catnap_run_delete(run);
    uint8_t *data = (uint8_t *)bytes.data;
    assert_true(find_part(data, bytes.size, PART_FRAMES, &at, &length));
    for (size_t i = at; i + 4 <= at + length; i++) {
        static const uint8_t function[4] = {8};
        wasm_instance_t *instances[2] = {NULL, NULL};
        char text[200];
        if (memcmp(data + i, function, sizeof function) != 0)
            continue;
        data[i] = 9;
        mend_structure(data, bytes.size);
        wasm_store_t *store = wasm_store_new(w.engine);
        run = NULL;
        restore_run(store, w.engine, &bytes, instances, &run, text);
        refused += strstr(text, "a called function of the wrong type") != NULL;
        catnap_run_delete(run);
        wasm_instance_delete(instances[0]);
        wasm_store_delete(store);
        data[i] = 8;
    }
    assert_int_equal(refused, 1);
    wasm_byte_vec_delete(&bytes);
    close_world(&w);
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_within_an_instance),
        cmocka_unit_test(ordinary_calls_give_the_same),
        cmocka_unit_test(a_million_across_instances),
        cmocka_unit_test(host_functions_are_called_last),
        cmocka_unit_test(replaced_frames_catch_nothing),
        cmocka_unit_test(endless_chains_end),
        cmocka_unit_test(frames_that_do_not_fit),
        cmocka_unit_test(indirect_calls_are_checked),
        cmocka_unit_test(null_references_are_noticed),
        cmocka_unit_test(chains_across_instances_go_on_elsewhere),
        cmocka_unit_test(frames_of_other_results_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
