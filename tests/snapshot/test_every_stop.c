/*
 * Programs that stop before each of their instructions: a run that gets one unit of fuel at a time stands
 * at every place where it can. Each time it can be captured, and what wakes from the snapshot goes on with
 * the same results, state and fuel as a run that was never stopped.
 *
 * usage: test_every_stop [FIRST COUNT]
 */
#include <stdio.h>

#include "../differential/generate.h"
#include "world.h"

#define PLENTY (UINT64_C(1) << 40)

/* ---- Engines ---- */

struct form {
    bool explicit_checks, eager, deferred, interruptible, profile_ops;
};
static const struct form forms[] = {
    {0},
    {.interruptible = true},
    {.explicit_checks = true, .eager = true},
    {.deferred = true, .interruptible = true},
};

static void open_form(struct world *world, const struct form *form) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_fuel(config, true);
    catnap_config_set_interruptible(config, form->interruptible);
    catnap_config_set_profile_ops(config, form->profile_ops);
    if (form->explicit_checks)
        catnap_config_set_bounds_checks(config, CATNAP_BOUNDS_EXPLICIT);
    if (form->eager)
        catnap_config_set_translation(config, CATNAP_TRANSLATION_EAGER);
    if (form->deferred)
        catnap_config_set_translation(config, CATNAP_TRANSLATION_DEFERRED);
    world->engine = wasm_engine_new_with_config(config);
    open_store(world);
}

static void give_fuel(struct world *world, uint64_t fuel) {
    assert_no_error(catnap_store_set_fuel(world->store, fuel));
}

/* ---- One call ---- */

struct outcome {
    catnap_status_t status;
    catnap_trap_code_t trap;
    int64_t result;
    uint64_t used;        /* fuel */
    uint64_t identity[2]; /* of the state afterwards */
};

static catnap_run_t *prepare(wasm_instance_t *instance, const char *name) {
    catnap_error_t *error;
    wasm_func_t *func = EXPORT(func, instance, name);
    catnap_run_t *run = catnap_run_new(func, NULL, 0, &error);
    assert_no_error(error);
    wasm_func_delete(func);
    return run;
}

/* False: the run has not ended. */
static bool resume(catnap_run_t *run, struct outcome *out) {
    catnap_val_t result = {0};
    wasm_trap_t *trap = NULL;
    size_t results = wasm_func_result_arity(catnap_run_function(run));
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    out->status = catnap_run_resume(run, &result, results, &trap);
    out->trap = trap ? catnap_trap_code(trap) : CATNAP_TRAP_HOST;
    out->result = results && result.kind == WASM_I32 ? result.of.i32 : result.of.i64;
    wasm_trap_delete(trap);
    return out->status == CATNAP_OK || out->status == CATNAP_TRAP;
}

static void identify(struct world *world, struct outcome *out) {
    catnap_snapshot_info_t info;
    give_fuel(world, PLENTY);
    catnap_snapshot_t *snapshot = take(world, NULL);
    catnap_snapshot_info(snapshot, &info);
    memcpy(out->identity, info.identity, sizeof info.identity);
    catnap_snapshot_delete(snapshot);
}

static struct outcome run_whole(const struct form *form, const struct bytes *module,
                                const char *name) {
    struct world world;
    struct outcome out;
    open_form(&world, form);
    wasm_instance_t *instance = start(&world, module->data, module->size);
    catnap_run_t *run = prepare(instance, name);
    give_fuel(&world, PLENTY);
    assert_true(resume(run, &out));
    out.used = PLENTY - catnap_store_fuel(world.store);
    catnap_run_delete(run);
    identify(&world, &out);
    wasm_instance_delete(instance);
    close_world(&world);
    return out;
}

/* Ways of going on after a stop. */
enum { IN_PLACE, IN_ANOTHER_STORE, FROM_BYTES, WAYS };

static wasm_instance_t *wake(struct world *world, wasm_instance_t *instance, catnap_run_t **run,
                             int way) {
    catnap_error_t *error;
    catnap_snapshot_t *snapshot = take(world, *run);
    if (way == FROM_BYTES) {
        wasm_byte_vec_t bytes = to_bytes(snapshot, NULL);
        catnap_snapshot_delete(snapshot);
        snapshot = catnap_snapshot_read(world->engine, (const uint8_t *)bytes.data, bytes.size,
                                        NULL, &error);
        assert_no_error(error);
        wasm_byte_vec_delete(&bytes);
    }
    if (way != IN_PLACE) {
        catnap_run_delete(*run);
        wasm_instance_delete(instance);
        close_store(world);
        open_store(world);
        instance = restore(snapshot, world, run);
        assert_non_null(*run);
    }
    catnap_snapshot_delete(snapshot);
    return instance;
}

/* With `first` units, and then `slice` units at a time. */
static struct outcome run_in_slices(const struct form *form, const struct bytes *module,
                                    const char *name, uint64_t first, uint64_t slice, int way) {
    struct world world;
    struct outcome out;
    uint64_t given = 0;
    open_form(&world, form);
    wasm_instance_t *instance = start(&world, module->data, module->size);
    catnap_run_t *run = prepare(instance, name);
    while (!resume(run, &out)) {
        assert_int_equal(out.status, CATNAP_OUT_OF_FUEL);
        assert_int_equal(catnap_store_fuel(world.store), 0);
        if (catnap_run_backtrace(run, NULL, 0) > 0)
            instance = wake(&world, instance, &run, way);
        uint64_t more = given ? slice : first;
        give_fuel(&world, more);
        given += more;
    }
    out.used = given - catnap_store_fuel(world.store);
    catnap_run_delete(run);
    identify(&world, &out);
    wasm_instance_delete(instance);
    close_world(&world);
    return out;
}

static void check_same(const char *what, uint64_t number, const struct outcome *whole,
                       const struct outcome *sliced) {
    bool same = whole->status == sliced->status && whole->trap == sliced->trap &&
                whole->result == sliced->result && whole->used == sliced->used &&
                memcmp(whole->identity, sliced->identity, sizeof whole->identity) == 0;
    if (!same)
        print_message("%s %llu: status %d, %d; trap %d, %d; result %lld, %lld; fuel %llu, %llu\n",
                      what, (unsigned long long)number, whole->status, sliced->status, whole->trap,
                      sliced->trap, (long long)whole->result, (long long)sliced->result,
                      (unsigned long long)whole->used, (unsigned long long)sliced->used);
    assert_true(same);
}

/* ---- Bulk instructions behind a move that their constants may join ---- */

static void put_bulk(struct bytes *f, unsigned which) {
    static const struct {
        uint8_t before[8], size, code[4], code_size, after;
    } ops[] = {
        {{0x41, 0, 0x41, 1, 0x41, 0xE4, 0}, 7, {0xFC, 11, 0}, 3, 0},    /* memory.fill */
        {{0x41, 1, 0x41, 2, 0x41, 0xE4, 0}, 7, {0xFC, 10, 0, 0}, 4, 0}, /* memory.copy */
        {{0x41, 3, 0x41, 0, 0x41, 0xE4, 0}, 7, {0xFC, 8, 0, 0}, 4, 0},  /* memory.init */
        {{0x41, 4}, 2, {0x40, 0}, 2, DROP},                             /* memory.grow */
        {{0xD0, FUNCREF, 0x41, 20}, 4, {0xFC, 15, 0}, 3, DROP},         /* table.grow */
        {{0x41, 0, 0xD0, FUNCREF, 0x41, 20}, 6, {0xFC, 17, 0}, 3, 0},   /* table.fill */
        {{0x41, 0, 0x41, 2, 0x41, 20}, 6, {0xFC, 14, 0, 0}, 4, 0},      /* table.copy */
        {{0x41, 1, 0x41, 0, 0x41, 20}, 6, {0xFC, 12, 0, 0}, 4, 0},      /* table.init */
    };
    put_bytes(f, ops[which].before, ops[which].size);
    put_bytes(f, ops[which].code, ops[which].code_size);
    if (ops[which].after)
        put(f, ops[which].after);
}
#define BULK_OPS 8
#define MOVES 4

/* A local that is set to a constant or to another local, or an addition, just before. */
static void put_move(struct bytes *f, unsigned which) {
    switch (which) {
    case 0:
        PUT(f, 0x41, 5, LOCAL_SET, 0);
        break;
    case 1:
        PUT(f, LOCAL_GET, 1, LOCAL_SET, 0);
        break;
    case 2:
        PUT(f, LOCAL_GET, 1, 0x41, 3, I32_ADD, LOCAL_SET, 0);
        break;
    default:
        PUT(f, 0x41, 5, LOCAL_TEE, 0, LOCAL_SET, 1);
        break;
    }
}

static struct bytes bulk_module(unsigned op, unsigned move, bool wide) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t type = add_type(&m, "", "i");
    if (wide) /* behind so many locals that operands need more than 16 bits */
        PUT(&f, 2, 2, I32, 0xE8, 0x81, 2, I32);
    else
        PUT(&f, 1, 2, I32);
    put_move(&f, move);
    put_bulk(&f, op);
    PUT(&f, LOCAL_GET, 0, LOCAL_GET, 1, I32_ADD, 0x3F, 0, I32_ADD, 0xFC, 16, 0, I32_ADD, END);
    add_func(&m, "f", type, &f);
    add_memory(&m, 1, 10);
    export_item(&m, "m", 2, 0);
    add_table(&m, FUNCREF, 100, 200);
    struct bytes *b = add_item(&m, ELEMS);
    PUT(b, 1, 0, 40);
    for (unsigned i = 0; i < 40; i++)
        put(b, 0);
    put_u(&m.sections[DATA_COUNT], 1);
    m.counts[DATA_COUNT] = 1;
    b = add_item(&m, DATAS);
    put(b, 1);
    put_u(b, 200);
    for (unsigned i = 0; i < 200; i++)
        put(b, (uint8_t)i);
    return finish(&m);
}

static void check_bulk(const struct form *form, const struct bytes *module, unsigned number,
                       uint64_t first, int way) {
    struct outcome whole = run_whole(form, module, "f");
    assert_int_equal(whole.status, CATNAP_OK);
    struct outcome sliced = run_in_slices(form, module, "f", first, 1, way);
    check_same("bulk", number, &whole, &sliced);
}

static void bulk_instructions_behind_moves(void **state) {
    (void)state;
    for (unsigned i = 0; i < BULK_OPS * MOVES; i++) {
        struct bytes module = bulk_module(i % BULK_OPS, i / BULK_OPS, false);
        for (unsigned way = 0; way < COUNT(forms) * WAYS; way++)
            check_bulk(&forms[way % COUNT(forms)], &module, i, 1, (int)(way / COUNT(forms)));
        drop_bytes(&module);
    }
}

/* The fuel for entering a function of so many locals. */
#define FAR_ENTRY ((2 + 33000) / 8)

static void bulk_instructions_of_far_operands(void **state) {
    (void)state;
    for (unsigned i = 0; i < BULK_OPS; i++) {
        struct bytes module = bulk_module(i, 0, true);
        check_bulk(&forms[i % 2], &module, i, FAR_ENTRY + 2, IN_ANOTHER_STORE);
        drop_bytes(&module);
    }
}

/* Once, as the table of counts takes most of a gigabyte. */
static void profiled_runs_stop_and_go_on(void **state) {
    (void)state;
    static const struct form profiled = {.profile_ops = true};
    struct bytes module = bulk_module(0, 0, false);
    struct outcome whole = run_whole(&forms[0], &module, "f");
    struct outcome sliced = run_in_slices(&profiled, &module, "f", 1, 1, IN_PLACE);
    check_same("profiled", 0, &whole, &sliced);
    drop_bytes(&module);
}

/* ---- Generated programs ---- */

static uint64_t first = 1, count = 12;

/* Stops cost a store each: a long run makes few of them. */
#define MOST_STOPS 60

static void generated_programs(void **state) {
    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct bytes module = generate((struct generator_options){.seed = seed});
        for (unsigned i = 0; i < GENERATED_RUNS; i++) {
            char name[8];
            snprintf(name, sizeof name, "run%u", i);
            const struct form *form = &forms[(seed + i) % COUNT(forms)];
            struct outcome whole = run_whole(form, &module, name);
            uint64_t slice = 1 + whole.used / MOST_STOPS;
            struct outcome sliced = run_in_slices(form, &module, name, slice, slice,
                                                  (int)((seed + i) / COUNT(forms) % WAYS));
            check_same("seed", seed, &whole, &sliced);
        }
        free(module.data);
    }
}

/* ---- The same stop everywhere ---- */

/* The state as the program itself reports it, which does not depend on the engine. */
static void ask_state(struct world *world, wasm_instance_t *instance, struct outcome *out) {
    catnap_val_t state;
    wasm_func_t *func = EXPORT(func, instance, "state");
    give_fuel(world, PLENTY);
    assert_no_trap(catnap_func_call(func, NULL, 0, &state, 1));
    wasm_func_delete(func);
    out->result = state.of.i64;
    memset(out->identity, 0, sizeof out->identity);
}

/* The outcome of a run with so much fuel. */
static struct outcome run_partly(const struct form *form, const struct bytes *module,
                                 const char *name, uint64_t fuel) {
    struct world world;
    struct outcome out;
    open_form(&world, form);
    wasm_instance_t *instance = start(&world, module->data, module->size);
    catnap_run_t *run = prepare(instance, name);
    give_fuel(&world, fuel);
    resume(run, &out);
    out.used = fuel - catnap_store_fuel(world.store);
    catnap_run_delete(run);
    ask_state(&world, instance, &out);
    wasm_instance_delete(instance);
    close_world(&world);
    return out;
}

/* The same by a call that is not a run. */
static struct outcome call_partly(const struct form *form, const struct bytes *module,
                                  const char *name, uint64_t fuel) {
    struct world world;
    struct outcome out = {.trap = CATNAP_TRAP_HOST};
    catnap_val_t result;
    open_form(&world, form);
    wasm_instance_t *instance = start(&world, module->data, module->size);
    wasm_func_t *func = EXPORT(func, instance, name);
    give_fuel(&world, fuel);
    wasm_trap_t *trap = catnap_func_call(func, NULL, 0, &result, 1);
    wasm_func_delete(func);
    assert_non_null(trap);
    out.status = CATNAP_OUT_OF_FUEL;
    assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_OUT_OF_FUEL);
    wasm_trap_delete(trap);
    out.used = fuel - catnap_store_fuel(world.store);
    ask_state(&world, instance, &out);
    wasm_instance_delete(instance);
    close_world(&world);
    return out;
}

static void stops_are_the_same_in_all_forms(void **state) {
    (void)state;
    uint64_t random = first;
    unsigned compared = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct bytes module = generate((struct generator_options){.seed = seed});
        char name[8];
        snprintf(name, sizeof name, "run%u", (unsigned)(seed % GENERATED_RUNS));
        struct outcome whole = run_whole(&forms[0], &module, name);
        for (unsigned i = 0; i < 3 && whole.used > 1; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            uint64_t fuel = (random >> 33) % (whole.used - 1);
            struct outcome expected = run_partly(&forms[0], &module, name, fuel);
            assert_int_equal(expected.status, CATNAP_OUT_OF_FUEL);
            for (size_t form = 0; form < COUNT(forms); form++) {
                struct outcome found = run_partly(&forms[form], &module, name, fuel);
                check_same("partly", seed, &expected, &found);
                found = call_partly(&forms[form], &module, name, fuel);
                found.used =
                    expected.used; /* a call may leave what a bulk instruction does not take */
                check_same("call", seed, &expected, &found);
            }
            /* One by one, each instruction is behind a stop. */
            if (fuel <= 1000) {
                struct world world;
                struct outcome sliced = {.status = CATNAP_OUT_OF_FUEL}; /* as with no fuel at all */
                open_form(&world, &forms[0]);
                wasm_instance_t *instance = start(&world, module.data, module.size);
                catnap_run_t *run = prepare(instance, name);
                for (uint64_t given = 0; given < fuel; given++) {
                    give_fuel(&world, 1);
                    assert_false(resume(run, &sliced));
                }
                sliced.used = fuel;
                catnap_run_delete(run);
                ask_state(&world, instance, &sliced);
                check_same("one by one", seed, &expected, &sliced);
                wasm_instance_delete(instance);
                close_world(&world);
                compared++;
            }
        }
        free(module.data);
    }
    assert_true(compared > 3 || count < 12);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(bulk_instructions_behind_moves),  TEST(bulk_instructions_of_far_operands),
        TEST(profiled_runs_stop_and_go_on),    TEST(generated_programs),
        TEST(stops_are_the_same_in_all_forms),
    };
    if (argc == 3) {
        first = strtoull(argv[1], NULL, 10);
        count = strtoull(argv[2], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
