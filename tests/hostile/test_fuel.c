/* Fuel to the last unit: what programs cost, that so much suffices and one less does not, that
 * slices, traps and host calls change nothing, and what running out looks like from everywhere. */
#include "hostile.h"

#include "../differential/generate.h"

#define PLENTY 1000000

static const struct form forms[] = {
    {.fuel = true},
    {.fuel = true, .explicit_checks = true, .eager = true, .interruptible = true},
};

static void set_fuel(wasm_store_t *store, uint64_t fuel) {
    assert_null(catnap_store_set_fuel(store, fuel));
}

/* The trap of a call with so much fuel (CATNAP_TRAP_HOST: none); *used is what it took. */
static catnap_trap_code_t call_with(const struct world *w, const char *name,
                                    const int64_t *arguments, uint64_t fuel, uint64_t *used) {
    uint64_t bits;
    set_fuel(w->store, fuel);
    wasm_trap_t *trap = call_bits(w->instance, name, arguments, &bits);
    catnap_trap_code_t code = trap ? catnap_trap_code(trap) : CATNAP_TRAP_HOST;
    wasm_trap_delete(trap);
    *used = fuel - catnap_store_fuel(w->store);
    return code;
}

/* The call costs just that, whole and in slices of one unit. */
static void check_cost(const struct world *w, const char *name, const int64_t *arguments,
                       uint64_t cost) {
    uint64_t used;
    assert_int_equal(call_with(w, name, arguments, PLENTY, &used), CATNAP_TRAP_HOST);
    if (used != cost)
        print_message("%s costs %llu\n", name, (unsigned long long)used);
    assert_int_equal(used, cost);
    assert_int_equal(call_with(w, name, arguments, cost, &used), CATNAP_TRAP_HOST);
    assert_int_equal(used, cost);
    assert_int_equal(call_with(w, name, arguments, cost - 1, &used), CATNAP_TRAP_OUT_OF_FUEL);
    wasm_func_t *func = get_func(w->instance, name);
    size_t params = wasm_func_param_arity(func), results = wasm_func_result_arity(func);
    catnap_val_t in[4], out[4];
    for (size_t i = 0; i < params; i++)
        in[i] = VAL_I32(arguments[i]);
    catnap_run_t *run = catnap_run_new(func, in, params, NULL);
    wasm_trap_t *trap;
    uint64_t given = 0;
    set_fuel(w->store, 0);
    while (catnap_run_resume(run, out, results, &trap) == CATNAP_OUT_OF_FUEL) {
        set_fuel(w->store, catnap_store_fuel(w->store) + 1);
        given++;
        assert_true(given <= cost);
    }
    assert_null(trap);
    assert_int_equal(given, cost);
    assert_int_equal(catnap_store_fuel(w->store), 0);
    catnap_run_delete(run);
    wasm_func_delete(func);
}
#define COSTS(w, name, cost, ...) check_cost(w, name, (const int64_t[]){0, ##__VA_ARGS__} + 1, cost)

/* ---- Programs whose instructions can be counted ---- */

#define BODY(f, ...) PUT(f, 0, __VA_ARGS__, END)

static void add_counted(struct module_builder *m) {
    struct bytes f = {0};
    uint32_t none = add_type(m, "", ""), one = add_type(m, "i", "i");
    BODY(&f, 0x01, 0x01, BLOCK, EMPTY, LOOP, EMPTY, END, END); /* nothing that costs */
    add_func(m, "free", none, &f);
    BODY(&f, 0x41, 1, DROP, 0x41, 2, DROP);
    add_func(m, "four", none, &f);
    /* n times: get, const, sub, tee, br_if; then the last get */
    BODY(&f, LOOP, EMPTY, LOCAL_GET, 0, 0x41, 1, I32_SUB, LOCAL_TEE, 0, BR_IF, 0, END, LOCAL_GET,
         0);
    add_func(m, "loop", one, &f);
    /* get, if, then 1 or 3 */
    BODY(&f, LOCAL_GET, 0, IF, I32, 0x41, 1, ELSE, 0x41, 1, 0x41, 2, I32_ADD, END);
    add_func(m, "if", one, &f);
    /* get, br_table, then 1 to 3 */
    BODY(&f, BLOCK, EMPTY, BLOCK, EMPTY, LOCAL_GET, 0, 0x0E, 1, 0, 1, END, 0x41, 0, DROP, END, 0x41,
         7);
    add_func(m, "table", one, &f);
    /* get, call, get, call, add */
    BODY(&f, LOCAL_GET, 0, CALL, 3, LOCAL_GET, 0, CALL, 3, I32_ADD);
    add_func(m, "calls", one, &f);
    /* get, return: what follows is never there */
    BODY(&f, LOCAL_GET, 0, RETURN, LOCAL_GET, 0, LOCAL_GET, 0, I32_ADD);
    add_func(m, "return", one, &f);
    /* get, br_if taken or not; const, drop; get */
    BODY(&f, BLOCK, EMPTY, LOCAL_GET, 0, BR_IF, 0, 0x41, 0, DROP, END, LOCAL_GET, 0);
    add_func(m, "skip", one, &f);
}

static void instructions_are_counted(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_world, w) {
        struct module_builder m = {0};
        uint64_t used;
        add_counted(&m);
        enter_module(&w, &m);
        assert_int_equal(call_with(&w, "free", NULL, 0, &used), CATNAP_TRAP_HOST);
        assert_int_equal(used, 0);
        COSTS(&w, "four", 4);
        for (int64_t n = 1; n < 20; n++)
            COSTS(&w, "loop", (uint64_t)n * 5 + 1, n);
        COSTS(&w, "if", 2 + 1, 1);
        COSTS(&w, "if", 2 + 3, 0);
        COSTS(&w, "table", 2 + 3, 0);
        COSTS(&w, "table", 2 + 1, 1);
        COSTS(&w, "table", 2 + 1, -1);
        COSTS(&w, "calls", 5 + 3 + 3, 1);
        COSTS(&w, "calls", 5 + 5 + 5, 0);
        COSTS(&w, "return", 2, 0);
        COSTS(&w, "skip", 2 + 1, 1);
        COSTS(&w, "skip", 2 + 2 + 1, 0);
    }
}

/* ---- Bulk instructions ---- */

static void add_bulk(struct module_builder *m) {
    struct bytes f = {0};
    uint32_t type = add_type(m, "iii", ""), one = add_type(m, "i", "i");
    static const struct {
        const char *name;
        uint8_t code[4];
        size_t size;
    } ops[] = {
        {"memory.init", {0xFC, 8, 0, 0}, 4}, {"memory.copy", {0xFC, 10, 0, 0}, 4},
        {"memory.fill", {0xFC, 11, 0}, 3},   {"table.init", {0xFC, 12, 0, 0}, 4},
        {"table.copy", {0xFC, 14, 0, 0}, 4},
    };
    for (size_t i = 0; i < COUNT(ops); i++) {
        PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2);
        put_bytes(&f, ops[i].code, ops[i].size);
        put(&f, END);
        add_func(m, ops[i].name, type, &f);
    }
    BODY(&f, LOCAL_GET, 0, 0xD0, FUNCREF, LOCAL_GET, 2, 0xFC, 17, 0);
    add_func(m, "table.fill", type, &f);
    BODY(&f, LOCAL_GET, 0, 0x40, 0);
    add_func(m, "memory.grow", one, &f);
    BODY(&f, 0xD0, FUNCREF, LOCAL_GET, 0, 0xFC, 15, 0);
    add_func(m, "table.grow", one, &f);
    add_memory(m, 1, 10);
    add_table(m, FUNCREF, 100, 200);
    struct bytes *b = add_item(m, ELEMS);
    PUT(b, 1, 0, 40);
    for (unsigned i = 0; i < 40; i++)
        put(b, 0);
    put_u(&m->sections[DATA_COUNT], 1);
    m->counts[DATA_COUNT] = 1;
    b = add_item(m, DATAS);
    put(b, 1);
    put_u(b, 1000);
    for (unsigned i = 0; i < 1000; i++)
        put(b, (uint8_t)i);
}

static void length_is_paid_for(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_world, w) {
        struct module_builder m = {0};
        uint64_t used;
        add_bulk(&m);
        enter_module(&w, &m);
        static const char *const memory[] = {"memory.init", "memory.copy", "memory.fill"};
        for (size_t i = 0; i < COUNT(memory); i++) {
            COSTS(&w, memory[i], 4, 0, 0, 0);
            COSTS(&w, memory[i], 4, 0, 0, 63);
            COSTS(&w, memory[i], 4 + 1, 0, 0, 64);
            COSTS(&w, memory[i], 4 + 15, 8, 0, 1000);
            assert_int_equal(
                call_with(&w, memory[i], (const int64_t[]){65000, 0, 1000}, PLENTY, &used),
                CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
        }
        COSTS(&w, "memory.fill", 4 + 1024, 0, 5, 65536);
        static const char *const table[] = {"table.init", "table.copy", "table.fill"};
        for (size_t i = 0; i < COUNT(table); i++) {
            COSTS(&w, table[i], 4, 0, 0, 7);
            COSTS(&w, table[i], 4 + 5, 60, 0, 40);
        }
        /* A growth that is refused costs nothing by size. */
        COSTS(&w, "memory.grow", 2, -1);
        COSTS(&w, "memory.grow", 2, 11);
        COSTS(&w, "memory.grow", 2, 0);
        COSTS(&w, "table.grow", 3, -1);
        assert_int_equal(call_with(&w, "memory.grow", (const int64_t[]){3}, 4, &used),
                         CATNAP_TRAP_OUT_OF_FUEL);
        assert_int_equal(call_with(&w, "memory.grow", (const int64_t[]){3}, 5, &used),
                         CATNAP_TRAP_HOST);
        assert_int_equal(used, 5);
        assert_int_equal(call_with(&w, "table.grow", (const int64_t[]){80}, 13, &used),
                         CATNAP_TRAP_HOST);
        assert_int_equal(used, 13);
    }
}

/* ---- Running out ---- */

static void running_out_has_a_place(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_world, w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        catnap_frame_t frame;
        uint64_t bits;
        /* Two groups of locals; then the first fuel block, and after the call a second one. */
        uint32_t none = add_type(&m, "", "");
        PUT(&f, 2, 1, I32, 1, I64, 0x41, 1, DROP, CALL, 1, 0x41, 1, DROP, END);
        add_func(&m, "f", none, &f);
        BODY(&f, 0x01);
        add_func(&m, "g", none, &f);
        enter_module(&w, &m);
        static const struct {
            uint64_t fuel, offset;
        } cases[] = {{0, 5}, {3, 8}}; /* the first instruction; the call */
        for (size_t i = 0; i < COUNT(cases); i++) {
            set_fuel(w.store, cases[i].fuel);
            wasm_trap_t *trap = call_bits(w.instance, "f", NULL, &bits);
            assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_OUT_OF_FUEL);
            assert_true(catnap_trap_frame(trap, 0, &frame));
            assert_int_equal(frame.func_offset, cases[i].offset);
            assert_true(frame.module_offset > frame.func_offset);
            wasm_trap_delete(trap);
        }
    }
}

/* Twenty stores, one behind the other: so many are made as the fuel pays for, by a call, by a run, and by a run
 * in slices. */
enum { STORES = 20, STORE_COST = 3 };

static void check_stores(struct world *w, uint64_t fuel, int way) {
    catnap_frame_t frame;
    wasm_trap_t *trap = NULL;
    wasm_func_t *func = get_func(w->instance, "f");
    bool ends = fuel >= STORES * STORE_COST;
    set_fuel(w->store, fuel);
    if (way == 0) {
        trap = catnap_func_call(func, NULL, 0, NULL, 0);
        assert_true(ends ? !trap : catnap_trap_code(trap) == CATNAP_TRAP_OUT_OF_FUEL);
        if (trap)
            assert_true(catnap_trap_frame(trap, 0, &frame));
    } else {
        catnap_run_t *run = catnap_run_new(func, NULL, 0, NULL);
        catnap_status_t status = CATNAP_OUT_OF_FUEL;
        uint64_t slice = way == 1 ? fuel : 1, given = 0;
        do {
            set_fuel(w->store, given < fuel ? slice : 0);
            status = catnap_run_resume(run, NULL, 0, &trap);
            given += slice;
        } while (status == CATNAP_OUT_OF_FUEL && given < fuel);
        assert_int_equal(status, ends ? CATNAP_OK : CATNAP_OUT_OF_FUEL);
        if (!ends)
            assert_int_equal(catnap_run_backtrace(run, &frame, 1), 1);
        catnap_run_delete(run);
    }
    if (!ends) {
        /* The instruction that it stopped before: const, const, store of 3 bytes, behind the count of locals. */
        uint64_t within = fuel % STORE_COST;
        assert_int_equal(frame.func_offset, 1 + fuel / STORE_COST * 7 + within * 2);
        assert_int_equal(catnap_store_fuel(w->store), 0);
    }
    set_fuel(w->store, PLENTY);
    assert_int_equal(CALL_EXPORT(w->instance, "made"), fuel / STORE_COST);
    wasm_trap_delete(trap);
    wasm_func_delete(func);
}

static void each_unit_is_an_instruction(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_world, w) {
        for (int way = 0; way < 3; way++) {
            for (uint64_t fuel = 0; fuel <= STORES * STORE_COST; fuel++) {
                struct module_builder m = {0};
                struct bytes f = {0};
                add_memory(&m, 1, 1);
                put(&f, 0);
                for (uint8_t i = 0; i < STORES; i++)
                    PUT(&f, 0x41, i, 0x41, 1, 0x3A, 0, 0); /* i32.store8 */
                put(&f, END);
                add_func(&m, "f", add_type(&m, "", ""), &f);
                PUT(&f, 0, 0x41, 0);
                for (uint8_t i = 0; i < STORES; i++)
                    PUT(&f, 0x41, i, 0x2D, 0, 0, I32_ADD); /* i32.load8_u */
                put(&f, END);
                add_func(&m, "made", add_type(&m, "", "i"), &f);
                enter_module(&w, &m);
                check_stores(&w, fuel, way);
            }
        }
    }
}

/* Locals are cleared at each call: for each 8 slots a unit. */
static void cleared_locals_are_paid_for(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_world, w) {
        static const struct {
            uint8_t type;
            uint32_t count, cost;
        } cases[] = {{I32, 7, 0}, {I32, 8, 1}, {I64, 15, 1}, {V128, 8, 2}, {V128, 50000, 12500}};
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct module_builder m = {0};
            struct bytes f = {0};
            put(&f, 1);
            put_u(&f, cases[i].count);
            PUT(&f, cases[i].type, LOCAL_GET, 0, DROP, END);
            uint32_t type = add_type(&m, "", "");
            add_func(&m, "f", type, &f);
            PUT(&f, 0, CALL, 0, CALL, 0, END);
            add_func(&m, "twice", type, &f);
            enter_module(&w, &m);
            uint64_t used, cost = cases[i].cost + 2;
            assert_int_equal(call_with(&w, "f", NULL, PLENTY, &used), CATNAP_TRAP_HOST);
            assert_int_equal(used, cost);
            assert_int_equal(call_with(&w, "f", NULL, cost - 1, &used), CATNAP_TRAP_OUT_OF_FUEL);
            assert_int_equal(used, cost - 1);
            assert_int_equal(call_with(&w, "twice", NULL, 2 * cost + 2, &used), CATNAP_TRAP_HOST);
            assert_int_equal(used, 2 * cost + 2);
            assert_int_equal(call_with(&w, "twice", NULL, 2 * cost + 1, &used),
                             CATNAP_TRAP_OUT_OF_FUEL);
            if (cost < 100)
                COSTS(&w, "twice", 2 * cost + 2);
        }
    }
}

/* ---- Traps give back what they did not come to ---- */

static void traps_cost_what_was_executed(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_world, w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        uint64_t used;
        uint32_t none = add_type(&m, "", ""), one = add_type(&m, "i", "i");
        add_memory(&m, 1, 1);
        /* const, const, div_u, and 5 more that are not reached */
        BODY(&f, 0x41, 1, 0x41, 0, 0x6E, DROP, 0x41, 1, DROP, 0x41, 2, DROP);
        add_func(&m, "divide", none, &f);
        BODY(&f, 0x41, 0, DROP, 0x41, 127, 0x28, 0, 0, DROP, 0x41, 1, DROP, 0x41, 1, DROP);
        add_func(&m, "load", none, &f);
        BODY(&f, 0x41, 0, DROP, UNREACHABLE, 0x41, 1, DROP);
        add_func(&m, "unreachable", none, &f);
        /* 3 here, 3 there */
        BODY(&f, 0x41, 1, DROP, CALL, 0, 0x41, 1, DROP, 0x41, 1, DROP);
        add_func(&m, "nested", none, &f);
        BODY(&f, LOCAL_GET, 0, 0x43, 0, 0, 0xC0, 0x7F, 0xA8, I32_ADD);
        add_func(&m, "convert", one, &f);
        BODY(&f, 0x41, 1, DROP, CALL, 5, 0x41, 1, DROP);
        add_func(&m, "deep", none, &f);
        enter_module(&w, &m);
        static const struct {
            const char *name;
            catnap_trap_code_t code;
            uint64_t cost;
        } cases[] = {
            {"divide", CATNAP_TRAP_INTEGER_DIVIDE_BY_ZERO, 3},
            {"load", CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS, 4},
            {"unreachable", CATNAP_TRAP_UNREACHABLE, 3},
            {"nested", CATNAP_TRAP_INTEGER_DIVIDE_BY_ZERO, 6},
            {"convert", CATNAP_TRAP_INVALID_CONVERSION_TO_INTEGER, 3},
        };
        for (size_t i = 0; i < COUNT(cases); i++) {
            assert_int_equal(call_with(&w, cases[i].name, (const int64_t[]){0}, PLENTY, &used),
                             cases[i].code);
            assert_int_equal(used, cases[i].cost);
        }
        catnap_limits_t limits;
        catnap_store_limits(w.store, &limits);
        limits.call_depth = 100;
        catnap_store_set_limits(w.store, &limits);
        assert_int_equal(call_with(&w, "deep", NULL, PLENTY, &used), CATNAP_TRAP_STACK_OVERFLOW);
        assert_int_equal(used, 300);
    }
}

/* ---- Generated programs ---- */

static void enough_is_enough(void **state) {
    (void)state;
    size_t checked = 0;
    for (uint64_t seed = 1000; seed < 1100; seed++) {
        struct bytes b = generate((struct generator_options){.seed = seed});
        uint64_t costs[GENERATED_RUNS] = {0};
        for (unsigned way = 0; way < 3; way++) {
            struct world w;
            open_world(&w, forms[seed % 2]);
            w.instance = instantiate(w.store, &b, NULL, 0);
            for (unsigned i = 0; i < GENERATED_RUNS; i++) {
                char name[8];
                uint64_t used;
                snprintf(name, sizeof name, "run%u", i);
                uint64_t fuel = way == 0 ? PLENTY : costs[i] - (way == 2);
                catnap_trap_code_t code = call_with(&w, name, NULL, fuel, &used);
                if (code != CATNAP_TRAP_HOST && way < 2)
                    break; /* a trap wants its fuel block paid in advance */
                if (way == 0)
                    costs[i] = used;
                if (way == 0 || costs[i] == 0)
                    continue;
                assert_int_equal(code, way == 1 ? CATNAP_TRAP_HOST : CATNAP_TRAP_OUT_OF_FUEL);
                if (way == 2)
                    break; /* what follows would start from another state */
                assert_int_equal(catnap_store_fuel(w.store), 0);
                checked++;
            }
            close_world(&w);
        }
        drop_bytes(&b);
    }
    assert_true(checked > 100);
}

/* ---- Host calls ---- */

struct host {
    struct world *w;
    uint64_t seen[4]; /* at the start, after taking some, after a call, after another */
    unsigned calls;
    bool catches;
};

static wasm_trap_t *work_on_host(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                                 catnap_val_t *results) {
    struct host *h = env;
    wasm_store_t *store = catnap_caller_store(caller);
    uint64_t ignored;
    (void)arguments;
    (void)results;
    h->calls++;
    h->seen[0] = catnap_store_fuel(store);
    catnap_error_t *error = catnap_store_consume_fuel(store, 10);
    if (error) {
        assert_int_equal(catnap_error_status(error), CATNAP_OUT_OF_FUEL);
        catnap_error_delete(error);
    }
    h->seen[1] = catnap_store_fuel(store);
    wasm_trap_t *trap = call_bits(h->w->instance, "four", NULL, &ignored);
    h->seen[2] = catnap_store_fuel(store);
    if (trap && h->catches) {
        assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_OUT_OF_FUEL);
        wasm_trap_delete(trap);
        trap = NULL;
    }
    return trap;
}

/* "f": const, drop, call, const, drop; the host takes 10 and calls "four". */
static void enter_host_module(struct world *w, struct host *h) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t none = add_type(&m, "", "");
    import_func(&m, "m", "f", none);
    BODY(&f, 0x41, 0, DROP, CALL, 0, 0x41, 0, DROP);
    add_func(&m, "f", none, &f);
    BODY(&f, 0x41, 1, DROP, 0x41, 2, DROP);
    add_func(&m, "four", none, &f);
    struct bytes b = finish(&m);
    wasm_func_t *func = new_host_func(w->store, work_on_host, h);
    wasm_extern_t *import = wasm_func_as_extern(func);
    w->instance = instantiate(w->store, &b, &import, 1);
    wasm_func_delete(func);
    drop_bytes(&b);
}

static void fuel_is_exact_at_host_calls(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_world, w) {
        struct host h = {.w = &w};
        uint64_t used;
        enter_host_module(&w, &h);
        assert_int_equal(call_with(&w, "f", NULL, 100, &used), CATNAP_TRAP_HOST);
        assert_int_equal(h.seen[0], 97);
        assert_int_equal(h.seen[1], 87);
        assert_int_equal(h.seen[2], 83);
        assert_int_equal(used, 3 + 10 + 4 + 2);
        assert_int_equal(call_with(&w, "f", NULL, 19, &used), CATNAP_TRAP_HOST);
        assert_int_equal(call_with(&w, "f", NULL, 18, &used), CATNAP_TRAP_OUT_OF_FUEL);
        /* Too little for the call inside: the host gets a trap, and its caller ends. */
        assert_int_equal(call_with(&w, "f", NULL, 16, &used), CATNAP_TRAP_OUT_OF_FUEL);
        h.catches = true;
        h.calls = 0;
        assert_int_equal(call_with(&w, "f", NULL, 16, &used), CATNAP_TRAP_OUT_OF_FUEL);
        assert_int_equal(h.seen[1], 3);
        assert_int_equal(h.seen[2], 0); /* three of the four were executed */
        assert_int_equal(used, 16);
        assert_int_equal(h.calls, 1);
        /* A stopped run goes on behind the host call, which is not made again. */
        wasm_func_t *func = get_func(w.instance, "f");
        catnap_run_t *run = catnap_run_new(func, NULL, 0, NULL);
        wasm_trap_t *trap;
        h.calls = 0;
        set_fuel(w.store, 3);
        assert_int_equal(catnap_run_resume(run, NULL, 0, &trap), CATNAP_OUT_OF_FUEL);
        assert_int_equal(h.calls, 1);
        set_fuel(w.store, 2);
        assert_int_equal(catnap_run_resume(run, NULL, 0, &trap), CATNAP_OK);
        assert_int_equal(h.calls, 1);
        assert_int_equal(catnap_store_fuel(w.store), 0);
        assert_int_equal(catnap_run_resume(run, NULL, 0, &trap), CATNAP_MISUSE);
        assert_null(trap);
        catnap_run_delete(run);
        wasm_func_delete(func);
    }
}

/* ---- Several runs, in any order ---- */

static void interleaved_runs(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM_BY(open_world, w) {
        struct module_builder m = {0};
        catnap_run_t *runs[20];
        uint64_t random = 3, given[COUNT(runs)] = {0};
        size_t left = COUNT(runs);
        add_counted(&m);
        enter_module(&w, &m);
        wasm_func_t *func = get_func(w.instance, "loop");
        for (size_t i = 0; i < COUNT(runs); i++) {
            catnap_val_t argument = VAL_I32(10 + i * 7);
            runs[i] = catnap_run_new(func, &argument, 1, NULL);
            assert_non_null(runs[i]);
        }
        while (left > 0) {
            size_t i = next_random(&random) % COUNT(runs);
            catnap_val_t result;
            wasm_trap_t *trap;
            if (!runs[i])
                continue;
            uint64_t slice = next_random(&random) % 20;
            set_fuel(w.store, slice);
            catnap_status_t status = catnap_run_resume(runs[i], &result, 1, &trap);
            given[i] += slice - catnap_store_fuel(w.store);
            if (status == CATNAP_OUT_OF_FUEL)
                continue;
            assert_int_equal(status, CATNAP_OK);
            assert_int_equal(result.of.i32, 0);
            assert_int_equal(given[i], (10 + i * 7) * 5 + 1);
            catnap_run_delete(runs[i]);
            runs[i] = NULL;
            left--;
        }
        wasm_func_delete(func);
    }
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_are_counted),
        cmocka_unit_test(length_is_paid_for),
        cmocka_unit_test(traps_cost_what_was_executed),
        cmocka_unit_test(enough_is_enough),
        cmocka_unit_test(fuel_is_exact_at_host_calls),
        cmocka_unit_test(interleaved_runs),
        cmocka_unit_test(running_out_has_a_place),
        cmocka_unit_test(each_unit_is_an_instruction),
        cmocka_unit_test(cleared_locals_are_paid_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
