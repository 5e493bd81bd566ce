/* Calls that never return: through WebAssembly, tables, other instances, host functions, start
 * functions and runs. Each ends in a trap that says so, and the store goes on as if nothing had
 * been; all on a C stack of 256 KiB. */
#include "hostile.h"

static const struct form forms[] = {
    {0},
    {.explicit_checks = true, .fuel = true, .interruptible = true},
};

static void limit(wasm_store_t *store, uint64_t stack_bytes, uint32_t depth, uint32_t host_depth) {
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.value_stack_bytes = stack_bytes;
    limits.call_depth = depth;
    limits.host_depth = host_depth;
    catnap_store_set_limits(store, &limits);
}

/* ---- Within one instance ---- */

/* "forever" calls itself; "mutual" another that calls it back, through the table; "down" counts its
 * argument down to the bottom, and up again as a result; "wide" has 300 parameters and 300
 * results. */
static void add_recursion(struct module_builder *m) {
    struct bytes f = {0};
    uint8_t codes[300];
    uint32_t none = add_type(m, "", ""), down = add_type(m, "i", "i");
    memset(codes, I64, sizeof codes);
    uint32_t wide = add_type_n(m, codes, 300, codes, 300);
    PUT(&f, 0, CALL, 0, END);
    add_func(m, "forever", none, &f);
    PUT(&f, 0, 0x41, 0, 0x11, (uint8_t)none, 0, END);
    add_func(m, "mutual", none, &f);
    PUT(&f, 0, CALL, 1, END);
    add_func(m, NULL, none, &f);
    PUT(&f, 0, LOCAL_GET, 0, 0x45, IF, I32, 0x41, 0, ELSE, LOCAL_GET, 0, 0x41, 1, I32_SUB, CALL, 3,
        0x41, 1, I32_ADD, END, END);
    add_func(m, "down", down, &f);
    put(&f, 0);
    for (uint32_t i = 0; i < 300; i++)
        op_u(&f, LOCAL_GET, 299 - i);
    PUT(&f, CALL, 4, END);
    add_func(m, "wide", wide, &f);
    add_table(m, FUNCREF, 1, 1);
    struct bytes *b = add_item(m, ELEMS);
    PUT(b, 0, 0x41, 0, END, 1, 2);
}

static void check_wide(const struct world *w) {
    static catnap_val_t in[300], out[300];
    for (size_t i = 0; i < COUNT(in); i++)
        in[i] = VAL_I64(i);
    wasm_trap_t *trap = call_values(w->instance, "wide", in, out);
    assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_STACK_OVERFLOW);
    assert_true(out[299].kind == WASM_I64 && out[299].of.i64 == 0);
    wasm_trap_delete(trap);
}

static void calls_without_end(void **state) {
    (void)state;
    struct world w;
    static const struct {
        uint64_t stack;
        uint32_t depth;
    } limits[] = {{64 << 20, 200000}, {0, 200000},  {64 << 10, 1000000},
                  {64 << 20, 1},      {1 << 20, 0}, {1 << 20, UINT32_MAX}};
    for (size_t i = 0; i < COUNT(limits); i++) {
        FOR_EACH_FORM(w) {
            struct module_builder m = {0};
            limit(w.store, limits[i].stack, limits[i].depth, 64);
            add_recursion(&m);
            enter_module(&w, &m);
            for (unsigned round = 0; round < 3; round++) {
                assert_int_equal(CALL_TRAP(w.instance, "forever"), CATNAP_TRAP_STACK_OVERFLOW);
                assert_int_equal(CALL_TRAP(w.instance, "mutual"), CATNAP_TRAP_STACK_OVERFLOW);
                check_wide(&w);
                if (limits[i].depth > 0)
                    assert_int_equal(CALL_EXPORT(w.instance, "down", 0), 0);
                if (limits[i].depth > 1)
                    assert_int_equal(CALL_EXPORT(w.instance, "down", 300), 300);
            }
        }
    }
}

static void the_depth_is_exact(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        limit(w.store, 64 << 20, 1000, 64);
        add_recursion(&m);
        enter_module(&w, &m);
        for (unsigned round = 0; round < 3; round++) {
            assert_int_equal(CALL_EXPORT(w.instance, "down", 999), 999);
            assert_int_equal(CALL_TRAP(w.instance, "down", 1000), CATNAP_TRAP_STACK_OVERFLOW);
        }
        limit(w.store, 64 << 20, 200000, 64);
        assert_int_equal(CALL_EXPORT(w.instance, "down", 199999), 199999);
        assert_int_equal(CALL_TRAP(w.instance, "down", 200000), CATNAP_TRAP_STACK_OVERFLOW);
    }
}

/* Frames that do not fit by a little, with every size around what is left. */
static void stacks_are_filled_to_the_brim(void **state) {
    (void)state;
    struct world w;
    open_world(&w, forms[0]);
    limit(w.store, 64 << 10, 100, 64);
    for (uint32_t locals = 8192 - 40; locals < 8192 + 8; locals++) {
        struct module_builder m = {0};
        struct bytes f = {0};
        put(&f, 1);
        put_u(&f, locals);
        PUT(&f, I64, LOCAL_GET, 0);
        op_u(&f, LOCAL_TEE, locals);
        put(&f, END);
        add_func(&m, "f", add_type(&m, "I", "I"), &f);
        enter_module(&w, &m);
        uint64_t bits;
        wasm_trap_t *trap = call_bits(w.instance, "f", (const int64_t[]){77}, &bits);
        assert_true(trap ? catnap_trap_code(trap) == CATNAP_TRAP_STACK_OVERFLOW : bits == 77);
        assert_true(locals > 8192 - 30 || !trap);
        assert_true(locals < 8192 || trap);
        wasm_trap_delete(trap);
    }
    close_world(&w);
}

/* More arguments or results than the whole stack holds. */
static void values_beyond_the_stack(void **state) {
    (void)state;
    static catnap_val_t values[1000];
    struct world w;
    open_world(&w, forms[0]);
    limit(w.store, 8 << 10, 100, 64);
    struct module_builder m = {0};
    struct bytes f = {0};
    uint8_t codes[1000];
    memset(codes, V128, sizeof codes);
    PUT(&f, 0, UNREACHABLE, END);
    add_func(&m, "f", add_type_n(&m, codes, 1000, codes, 1000), &f);
    enter_module(&w, &m);
    for (size_t i = 0; i < COUNT(values); i++)
        values[i].kind = WASM_V128;
    static catnap_val_t results[1000];
    wasm_trap_t *trap = call_values(w.instance, "f", values, results);
    /* The least stack is larger than was asked for. */
    assert_true(catnap_trap_code(trap) == CATNAP_TRAP_UNREACHABLE ||
                catnap_trap_code(trap) == CATNAP_TRAP_STACK_OVERFLOW);
    wasm_trap_delete(trap);
    close_world(&w);
}

/* ---- Between instances ---- */

/* Instance B calls A's export, which calls B's function through A's table. */
static void instances_without_end(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        uint32_t none = add_type(&m, "", "");
        PUT(&f, 0, 0x41, 0, 0x11, (uint8_t)none, 0, END);
        add_func(&m, "a", none, &f);
        add_table(&m, FUNCREF, 1, 1);
        export_item(&m, "table", 1, 0);
        struct bytes first = finish(&m);
        none = add_type(&m, "", "");
        uint32_t a = import_func(&m, "a", "a", none);
        struct bytes *import = add_item(&m, IMPORTS);
        put_name(import, "a");
        put_name(import, "table");
        PUT(import, 1, FUNCREF, 0, 1);
        PUT(&f, 0, CALL, (uint8_t)a, END);
        uint32_t b = add_func(&m, "b", none, &f);
        struct bytes *elem = add_item(&m, ELEMS);
        PUT(elem, 0, 0x41, 0, END, 1, (uint8_t)b);
        struct bytes second = finish(&m);
        wasm_instance_t *owner = instantiate(w.store, &first, NULL, 0);
        assert_int_equal(CALL_TRAP(owner, "a"), CATNAP_TRAP_UNINITIALIZED_ELEMENT);
        wasm_extern_t *imports[] = {catnap_instance_export(owner, "a", 1),
                                    catnap_instance_export(owner, "table", 5)};
        w.instance = instantiate(w.store, &second, imports, 2);
        for (unsigned round = 0; round < 3; round++) {
            assert_int_equal(CALL_TRAP(w.instance, "b"), CATNAP_TRAP_STACK_OVERFLOW);
            assert_int_equal(CALL_TRAP(owner, "a"), CATNAP_TRAP_STACK_OVERFLOW);
        }
        wasm_extern_delete(imports[0]);
        wasm_extern_delete(imports[1]);
        wasm_instance_delete(owner);
        drop_bytes(&first);
        drop_bytes(&second);
    }
}

/* ---- Through the host ---- */

enum way { BY_CALL, BY_PLAIN_CALL, BY_RUN, BY_INSTANCE, WAYS };

struct host {
    struct world *world;
    wasm_module_t *module;
    wasm_func_t *func; /* of the host: imported by the module */
    enum way way;
    uint32_t depth, deepest;
    bool catches; /* returns as if the trap had not been */
};

static wasm_trap_t *call_again(struct host *h, const wasm_instance_t *instance) {
    wasm_extern_t *found = catnap_instance_export(instance, "f", 1);
    wasm_func_t *func = wasm_extern_as_func(found);
    wasm_val_vec_t empty = WASM_EMPTY_VEC;
    wasm_trap_t *trap = NULL;
    if (h->way == BY_PLAIN_CALL) {
        trap = wasm_func_call(func, &empty, &empty);
    } else if (h->way == BY_CALL) {
        trap = catnap_func_call(func, NULL, 0, NULL, 0);
    } else {
        catnap_run_t *run = catnap_run_new(func, NULL, 0, NULL);
        assert_non_null(run);
        catnap_run_resume(run, NULL, 0, &trap);
        catnap_run_delete(run);
    }
    wasm_extern_delete(found);
    return trap;
}

/* The instance of an instance's start function: instantiates its module again. */
static wasm_trap_t *instantiate_again(struct host *h) {
    wasm_extern_t *import = wasm_func_as_extern(h->func);
    wasm_extern_vec_t imports = {1, &import};
    wasm_trap_t *trap;
    catnap_error_t *error;
    wasm_instance_t *instance =
        catnap_instance_new(h->world->store, h->module, &imports, &error, &trap);
    assert_null(error);
    wasm_instance_delete(instance);
    return trap;
}

static wasm_trap_t *from_host(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                              catnap_val_t *results) {
    struct host *h = env;
    catnap_frame_t frames[2];
    (void)arguments;
    (void)results;
    h->depth++;
    if (h->depth > h->deepest)
        h->deepest = h->depth;
    assert_int_equal(catnap_caller_backtrace(caller, frames, COUNT(frames)), h->depth);
    wasm_trap_t *trap = h->way == BY_INSTANCE ? instantiate_again(h)
                                              : call_again(h, catnap_caller_instance(caller));
    h->depth--;
    if (!h->catches)
        return trap;
    wasm_trap_delete(trap);
    return NULL;
}

/* "f" calls the host, which calls it; as a start function, it makes another instance. */
static struct bytes bouncing_module(bool starts) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t none = add_type(&m, "", "");
    import_func(&m, "m", "f", none);
    PUT(&f, 0, CALL, 0, END);
    uint32_t func = add_func(&m, "f", none, &f);
    add_memory(&m, 1, 1);
    if (starts)
        set_start(&m, func);
    return finish(&m);
}

static void check_bouncing(struct world *w, enum way way, uint32_t host_depth, bool catches) {
    struct bytes b = bouncing_module(way == BY_INSTANCE);
    struct host h = {.world = w, .way = way, .catches = catches};
    limit(w->store, 1 << 20, 200000, host_depth);
    h.func = new_host_func(w->store, from_host, &h);
    h.module = load_module(w->store, &b);
    wasm_extern_t *import = wasm_func_as_extern(h.func);
    wasm_extern_vec_t imports = {1, &import};
    wasm_trap_t *trap = NULL;
    for (unsigned round = 0; round < 3; round++) {
        h.depth = h.deepest = 0;
        wasm_instance_t *instance = catnap_instance_new(w->store, h.module, &imports, NULL, &trap);
        if (way != BY_INSTANCE) {
            assert_non_null(instance);
            uint64_t ignored;
            trap = call_bits(instance, "f", NULL, &ignored);
        }
        assert_int_equal(trap ? (int)catnap_trap_code(trap) : -1,
                         catches ? -1 : (int)CATNAP_TRAP_STACK_OVERFLOW);
        assert_int_equal(h.deepest, host_depth);
        assert_int_equal(h.depth, 0);
        wasm_trap_delete(trap);
        wasm_instance_delete(instance);
    }
    wasm_module_delete(h.module);
    wasm_func_delete(h.func);
    drop_bytes(&b);
}

static void through_the_host_and_back(void **state) {
    (void)state;
    struct world w;
    for (unsigned way = 0; way < WAYS; way++)
        for (unsigned catches = 0; catches < 2; catches++)
            FOR_EACH_FORM(w) {
                check_bouncing(&w, (enum way)way, 64, catches);
                check_bouncing(&w, (enum way)way, 1, catches);
            }
}

/* The trap that ends it names the frames on both sides of the host. */
static void start_functions_without_end(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        uint32_t none = add_type(&m, "", "");
        PUT(&f, 0, CALL, 0, END);
        add_func(&m, "f", none, &f);
        set_start(&m, 0);
        struct bytes b = finish(&m);
        wasm_module_t *module = load_module(w.store, &b);
        for (unsigned round = 0; round < 3; round++) {
            wasm_trap_t *trap;
            catnap_error_t *error;
            assert_null(catnap_instance_new(w.store, module, NULL, &error, &trap));
            assert_null(error);
            assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_STACK_OVERFLOW);
            assert_true(catnap_trap_frame_count(trap) >= 100);
            catnap_frame_t frame;
            for (size_t i = 0; i < catnap_trap_frame_count(trap); i++) {
                assert_true(catnap_trap_frame(trap, i, &frame));
                assert_int_equal(frame.func_index, 0);
                assert_int_equal(frame.func_offset, 1);
            }
            wasm_trap_delete(trap);
        }
        wasm_module_delete(module);
        drop_bytes(&b);
    }
}

/* ---- Runs ---- */

/* A stopped run keeps its depth; while it is stopped others use the store's stack to the end. */
static void deep_runs_beside_deep_calls(void **state) {
    (void)state;
    struct world w;
    open_form(&w, forms[1]);
    struct module_builder m = {0};
    add_recursion(&m);
    enter_module(&w, &m);
    wasm_func_t *down = get_func(w.instance, "down");
    catnap_val_t argument = VAL_I32(150000), result;
    catnap_run_t *run = catnap_run_new(down, &argument, 1, NULL);
    wasm_trap_t *trap;
    assert_non_null(run);
    for (unsigned slice = 0; slice < 4; slice++) {
        assert_null(catnap_store_set_fuel(w.store, 300000));
        catnap_status_t status = catnap_run_resume(run, &result, 1, &trap);
        if (slice < 3)
            assert_int_equal(status, CATNAP_OUT_OF_FUEL);
        assert_true(slice > 1 || catnap_run_backtrace(run, NULL, 0) > 30000);
        assert_null(catnap_store_set_fuel(w.store, UINT64_MAX));
        assert_int_equal(CALL_TRAP(w.instance, "forever"), CATNAP_TRAP_STACK_OVERFLOW);
        assert_int_equal(CALL_EXPORT(w.instance, "down", 199999), 199999);
    }
    assert_null(catnap_store_set_fuel(w.store, UINT64_MAX));
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OK);
    assert_int_equal(result.of.i32, 150000);
    catnap_run_delete(run);
    wasm_func_delete(down);
    close_world(&w);
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_without_end),
        cmocka_unit_test(the_depth_is_exact),
        cmocka_unit_test(stacks_are_filled_to_the_brim),
        cmocka_unit_test(values_beyond_the_stack),
        cmocka_unit_test(instances_without_end),
        cmocka_unit_test(through_the_host_and_back),
        cmocka_unit_test(start_functions_without_end),
        cmocka_unit_test(deep_runs_beside_deep_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
