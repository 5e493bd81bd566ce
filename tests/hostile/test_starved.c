/*
 * Allocations that fail while programs run: generated programs with each allocation failing in
 * turn, once or from then on, from the making of the engine to its end. The outcome is either
 * that of a run with memory, or a failure that says that memory is exhausted; then nothing has leaked, and
 * a stopped run goes on to the same end. Large functions are tried under a cap that rises step by
 * step.
 */
#include "hostile.h"

#include "../differential/generate.h"
#include "stubs.h"

#define FUEL 100000

struct outcome {
    bool reported; /* that memory is exhausted */
    catnap_trap_code_t trap;
    uint64_t result, fuel;
};
struct history {
    bool reported; /* before any run */
    struct outcome runs[GENERATED_RUNS + 1];
};

static bool is_exhausted_error(catnap_error_t *error) {
    bool exhausted = catnap_error_status(error) == CATNAP_NO_MEMORY;
    if (!exhausted)
        print_message("%s\n", catnap_error_message(error));
    catnap_error_delete(error);
    return exhausted;
}

/* ---- One way through ---- */

static void note_trap(struct outcome *o, wasm_trap_t *trap) {
    o->trap = trap ? catnap_trap_code(trap) : CATNAP_TRAP_HOST;
    o->reported = o->trap == CATNAP_TRAP_NO_MEMORY;
    use_trap(trap);
}

/* A run that stops for want of memory goes on when the one failure is over. */
static void resume_to_the_end(wasm_store_t *store, const wasm_func_t *func, bool once,
                              struct outcome *o) {
    catnap_error_t *error;
    catnap_val_t out = {.kind = WASM_I64};
    catnap_run_t *run = catnap_run_new(func, NULL, 0, &error);
    wasm_trap_t *trap = NULL;
    if (!run) {
        assert_true(is_exhausted_error(error));
        o->reported = true;
        return;
    }
    for (unsigned stops = 0;; stops++) {
        catnap_status_t status = catnap_run_resume(run, &out, 1, &trap);
        if (status == CATNAP_OK || status == CATNAP_TRAP)
            break;
        if (status == CATNAP_OUT_OF_FUEL) {
            assert_null(catnap_store_set_fuel(store, catnap_store_fuel(store) + 100));
            continue;
        }
        assert_int_equal(status, CATNAP_NO_MEMORY);
        if (!once) {
            o->reported = true;
            break;
        }
        assert_true(stops < 1000);
    }
    if (!o->reported)
        note_trap(o, trap);
    o->result = (uint64_t)out.of.i64;
    catnap_run_delete(run);
}

static void run_export(wasm_store_t *store, const wasm_instance_t *instance, uint32_t i,
                       bool resumable, bool once, struct outcome *o) {
    char name[8];
    snprintf(name, sizeof name, i < GENERATED_RUNS ? "run%u" : "state", i);
    wasm_extern_t *found = catnap_instance_export(instance, name, strlen(name));
    *o = (struct outcome){.trap = CATNAP_TRAP_HOST};
    if (!found) {
        assert_int_equal(catnap_error_status(catnap_store_last_error(store)), CATNAP_NO_MEMORY);
        o->reported = true;
        return;
    }
    catnap_error_delete(catnap_store_set_fuel(store, resumable ? 50 : FUEL));
    if (resumable) {
        resume_to_the_end(store, wasm_extern_as_func(found), once, o);
    } else {
        catnap_val_t out = {.kind = WASM_I64};
        note_trap(o, catnap_func_call(wasm_extern_as_func(found), NULL, 0, &out, 1));
        o->result = (uint64_t)out.of.i64;
        o->fuel = FUEL - catnap_store_fuel(store);
    }
    wasm_extern_delete(found);
}

static bool run_in_store(wasm_store_t *store, const struct bytes *b, bool resumable, bool once,
                         struct history *h) {
    catnap_error_t *error;
    wasm_trap_t *trap = NULL;
    wasm_module_t *module = catnap_module_new(store, b->data, b->size, NULL, &error);
    if (!module)
        return is_exhausted_error(error);
    wasm_instance_t *instance = catnap_instance_new(store, module, NULL, &error, &trap);
    wasm_module_delete(module);
    if (!instance) {
        assert_true(!error != !trap);
        assert_true(!trap || catnap_trap_code(trap) == CATNAP_TRAP_NO_MEMORY);
        assert_true(!error || is_exhausted_error(error));
        wasm_trap_delete(trap);
        return true;
    }
    h->reported = false;
    for (uint32_t i = 0; i <= GENERATED_RUNS; i++)
        run_export(store, instance, i, resumable, once, &h->runs[i]);
    wasm_instance_delete(instance);
    return true;
}

static struct history run_starved(const struct bytes *b, struct form form, bool resumable,
                                  struct ledger *ledger) {
    struct history h = {.reported = true};
    bool once = !ledger->fail_on;
    wasm_engine_t *engine = new_engine(form, ledger);
    wasm_store_t *store = engine ? wasm_store_new(engine) : NULL;
    if (store)
        assert_true(run_in_store(store, b, resumable, once, &h));
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    assert_int_equal(ledger->now, 0);
    return h;
}

/* ---- Permitted differences ---- */

/* Events before the first report are as with memory; without a report all events are.
 * A stopped run counts as none. */
static void compare(const struct history *starved, const struct history *well,
                    const struct ledger *ledger) {
    if (starved->reported)
        return;
    for (uint32_t i = 0; i <= GENERATED_RUNS; i++) {
        const struct outcome *o = &starved->runs[i], *expected = &well->runs[i];
        if (o->reported)
            return;
        if (o->trap != expected->trap || o->result != expected->result)
            print_message("run %u with failure at %d: trap %d, %llx; else %d, %llx\n", i,
                          (int)ledger->fail_at, (int)o->trap, (unsigned long long)o->result,
                          (int)expected->trap, (unsigned long long)expected->result);
        assert_int_equal(o->trap, expected->trap);
        assert_int_equal(o->result, expected->result);
        /* The fuel that a trap gives back is computed with memory, so it may be missing. */
        assert_true(o->fuel == expected->fuel || o->trap != CATNAP_TRAP_HOST);
    }
}

static void starve(const struct bytes *b, struct form form, bool resumable) {
    struct ledger ledger = {0};
    struct history well = run_starved(b, form, resumable, &ledger);
    uint64_t allocations = ledger.count;
    assert_false(well.reported);
    for (uint64_t fail_at = 1; fail_at <= allocations; fail_at++)
        for (unsigned on = 0; on < 2; on++) {
            ledger = (struct ledger){.fail_at = fail_at, .fail_on = on};
            struct history h = run_starved(b, form, resumable, &ledger);
            assert_true(ledger.failures > 0);
            compare(&h, &well, &ledger);
        }
}

static const struct form forms[] = {
    {.fuel = true},
    {.fuel = true, .eager = true, .explicit_checks = true},
    {.fuel = true, .deferred = true, .interruptible = true},
};

static void starve_generated(bool resumable, uint32_t padding) {
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct bytes b = generate((struct generator_options){
            .seed = seed * 17, .no_growth = true, .padding = seed % 3 ? 0 : padding});
        starve(&b, forms[seed % COUNT(forms)], resumable);
        drop_bytes(&b);
    }
}

static void calls_with_failing_allocations(void **state) {
    (void)state;
    starve_generated(false, 32750);
}

static void runs_with_failing_allocations(void **state) {
    (void)state;
    starve_generated(true, 32750);
}

/* ---- A call that is made again when memory did not suffice for its function ---- */

/* Copies just before it belong to one instruction with it, and have one read what the other writes. */
static struct bytes copies_before_a_call(uint8_t first, uint8_t second) {
    struct module_builder m = {0};
    struct bytes f = {0};
    PUT(&f, 0, END);
    uint32_t nothing = add_func(&m, NULL, add_type(&m, "", ""), &f);
    PUT(&f, 0, LOCAL_GET, first, LOCAL_SET, first - 1, LOCAL_GET, second, LOCAL_SET, second - 1);
    op_u(&f, CALL, nothing);
    PUT(&f, LOCAL_GET, 0, 0x41, 10, I32_MUL, LOCAL_GET, 1, I32_ADD, 0x41, 10, I32_MUL);
    PUT(&f, LOCAL_GET, 2, I32_ADD, END);
    add_func(&m, "run", add_type(&m, "iii", "i"), &f);
    return finish(&m);
}

static void check_copies(uint8_t first, uint8_t second, int32_t expected) {
    struct bytes b = copies_before_a_call(first, second);
    const catnap_val_t arguments[] = {VAL_I32(1), VAL_I32(2), VAL_I32(3)};
    uint64_t stops = 0;
    for (uint64_t fail_at = 1, failed = 1; failed; fail_at++) {
        struct world w;
        catnap_val_t result;
        wasm_trap_t *trap;
        open_world(&w, (struct form){0});
        w.instance = instantiate(w.store, &b, NULL, 0);
        wasm_func_t *func = get_func(w.instance, "run");
        catnap_run_t *run = catnap_run_new(func, arguments, 3, NULL);
        assert_non_null(run);
        w.ledger.fail_at = w.ledger.count + fail_at;
        catnap_status_t status = catnap_run_resume(run, &result, 1, &trap);
        failed = w.ledger.failures;
        if (status == CATNAP_NO_MEMORY) {
            stops++;
            assert_null(trap);
            status = catnap_run_resume(run, &result, 1, &trap);
        }
        assert_int_equal(status, CATNAP_OK);
        assert_int_equal(result.of.i32, expected);
        catnap_run_delete(run);
        wasm_func_delete(func);
        close_world(&w);
    }
    assert_true(stops > 0);
    drop_bytes(&b);
}

static void calls_are_made_again(void **state) {
    (void)state;
    check_copies(1, 2, 233);
    check_copies(2, 1, 333);
}

/* ---- Functions at the limits, with as much memory as it takes and less ---- */

/* Locals, blocks with many values, a large table, deep nesting: everything that grows by itself. */
static struct bytes large_function(void) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint8_t codes[1000];
    memset(codes, I32, sizeof codes);
    uint32_t many = add_type_n(&m, codes, 0, codes, 1000);
    PUT(&f, 1);
    put_u(&f, 40000);
    PUT(&f, I32, BLOCK);
    put_u(&f, many);
    for (uint32_t i = 0; i < 1000; i++)
        op_u(&f, LOCAL_GET, 30000 + i);
    i32_const(&f, 3);
    op_u(&f, 0x0E, 5000);
    for (uint32_t i = 0; i <= 5000; i++)
        put(&f, 0);
    put(&f, END);
    for (uint32_t i = 1; i < 1000; i++)
        put(&f, I32_ADD);
    for (uint32_t i = 0; i < 3000; i++)
        PUT(&f, BLOCK, EMPTY);
    for (uint32_t i = 0; i < 3000; i++)
        put(&f, END);
    put(&f, END);
    add_func(&m, "f", add_type(&m, "", "i"), &f);
    return finish(&m);
}

/* True when the call was made; else memory was said to be exhausted. */
static bool call_under_cap(const struct bytes *b, struct form form, uint64_t cap) {
    struct ledger ledger = {.cap = cap};
    bool worked = false;
    catnap_error_t *error;
    wasm_trap_t *trap = NULL;
    wasm_engine_t *engine = new_engine(form, &ledger);
    wasm_store_t *store = engine ? wasm_store_new(engine) : NULL;
    wasm_module_t *module = store ? catnap_module_new(store, b->data, b->size, NULL, &error) : NULL;
    if (store && !module)
        assert_true(is_exhausted_error(error));
    wasm_instance_t *instance =
        module ? catnap_instance_new(store, module, NULL, &error, &trap) : NULL;
    if (module && !instance)
        assert_true(trap ? catnap_trap_code(trap) == CATNAP_TRAP_NO_MEMORY
                         : is_exhausted_error(error));
    wasm_extern_t *found = instance ? catnap_instance_export(instance, "f", 1) : NULL;
    if (found) {
        catnap_val_t out;
        trap = catnap_func_call(wasm_extern_as_func(found), NULL, 0, &out, 1);
        assert_true(!trap || catnap_trap_code(trap) == CATNAP_TRAP_NO_MEMORY);
        assert_true(trap || out.of.i32 == 0);
        worked = !trap;
    }
    wasm_trap_delete(trap);
    wasm_extern_delete(found);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    assert_int_equal(ledger.now, 0);
    return worked;
}

static void large_functions_under_a_cap(void **state) {
    (void)state;
    static const struct form ways[] = {{0}, {.eager = true}, {.deferred = true}};
    struct bytes b = large_function();
    for (size_t i = 0; i < COUNT(ways); i++) {
        uint64_t cap = 1000;
        size_t refused = 0;
        for (; !call_under_cap(&b, ways[i], cap); cap += 4999) {
            refused++;
            assert_true(cap < 32 << 20);
        }
        assert_true(refused > 50);
    }
    drop_bytes(&b);
}

/* ---- Growth of tables ---- */

static void growth_without_memory(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    struct bytes f = {0};
    add_table(&m, FUNCREF, 2, 1000000);
    PUT(&f, 0, 0xD0, FUNCREF, LOCAL_GET, 0, 0xFC, 15, 0, END);
    add_func(&m, "grow", add_type(&m, "i", "i"), &f);
    PUT(&f, 0, LOCAL_GET, 0, 0x25, 0, 0xD1, END);
    add_func(&m, "is_null", add_type(&m, "i", "i"), &f);
    export_item(&m, "table", 1, 0);
    open_world(&w, (struct form){0});
    enter_module(&w, &m);
    assert_int_equal(CALL_EXPORT(w.instance, "grow", 3), 2);
    assert_int_equal(CALL_EXPORT(w.instance, "is_null", 4), 1);
    w.ledger.cap = w.ledger.now + 1000;
    assert_int_equal(CALL_EXPORT(w.instance, "grow", 100000), UINT32_MAX);
    wasm_extern_t *found = catnap_instance_export(w.instance, "table", 5);
    wasm_table_t *table = wasm_extern_as_table(found);
    assert_false(wasm_table_grow(table, 100000, NULL));
    assert_int_equal(wasm_table_size(table), 5);
    assert_int_equal(CALL_TRAP(w.instance, "is_null", 5), CATNAP_TRAP_TABLE_OUT_OF_BOUNDS);
    w.ledger.cap = 0;
    assert_int_equal(CALL_EXPORT(w.instance, "grow", 100000), 5);
    assert_int_equal(CALL_EXPORT(w.instance, "is_null", 100004), 1);
    wasm_extern_delete(found);
    close_world(&w);
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_with_failing_allocations),
        cmocka_unit_test(runs_with_failing_allocations),
        cmocka_unit_test(calls_are_made_again),
        cmocka_unit_test(large_functions_under_a_cap),
        cmocka_unit_test(growth_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
