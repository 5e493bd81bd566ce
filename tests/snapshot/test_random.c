/*
 * Random programs: what comes of each call, and the whole state after it, is what a plain run has,
 * whatever happens in between: checkpoints, calls that are rolled back, clones, bytes and files in
 * another engine, deltas, and stops in the middle of the call, nested in all these.
 *
 * usage: test_random [FIRST COUNT]
 */
#include <stdio.h>
#include <unistd.h>

#include "../differential/generate.h"
#include "../temporary.h"
#include "world.h"

#define PLENTY (UINT64_C(1) << 40)
#define CALLS 6

/* ---- Chance ---- */

static uint64_t seed;

static uint32_t chance(uint32_t below) {
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(seed >> 33) % below;
}

/* ---- Plain runs ---- */

struct outcome {
    uint32_t which; /* of the program's runs */
    catnap_status_t status;
    catnap_trap_code_t trap;
    int64_t result;
    uint64_t identity[2]; /* of the state afterwards */
};

static struct outcome plain[CALLS];

static void give_fuel(struct world *world, uint64_t fuel) {
    assert_no_error(catnap_store_set_fuel(world->store, fuel));
}

/* Fuel is part of a state, and the same in all. */
static void identify(struct world *world, uint64_t identity[2]) {
    catnap_snapshot_info_t info;
    give_fuel(world, PLENTY);
    catnap_snapshot_t *snapshot = take(world, NULL);
    catnap_snapshot_info(snapshot, &info);
    memcpy(identity, info.identity, sizeof info.identity);
    catnap_snapshot_delete(snapshot);
}

static catnap_run_t *prepare(wasm_instance_t *instance, uint32_t which) {
    char name[8];
    catnap_error_t *error;
    snprintf(name, sizeof name, "run%u", which);
    wasm_func_t *func = EXPORT(func, instance, name);
    catnap_run_t *run = catnap_run_new(func, NULL, 0, &error);
    assert_no_error(error);
    wasm_func_delete(func);
    return run;
}

/* Resumes once; the outcome counts when the run has ended. */
static bool step(struct world *world, catnap_run_t *run, uint64_t fuel, struct outcome *out) {
    catnap_val_t result;
    wasm_trap_t *trap = NULL;
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    give_fuel(world, catnap_store_fuel(world->store) % PLENTY + fuel);
    out->status = catnap_run_resume(run, &result, 1, &trap);
    out->trap = trap ? catnap_trap_code(trap) : CATNAP_TRAP_HOST;
    out->result = out->status == CATNAP_OK ? result.of.i64 : 0;
    wasm_trap_delete(trap);
    return out->status == CATNAP_OK || out->status == CATNAP_TRAP;
}

static void run_plainly(const struct bytes *module) {
    struct world world;
    open_world(&world, true);
    give_fuel(&world, PLENTY);
    wasm_instance_t *instance = start(&world, module->data, module->size);
    for (int i = 0; i < CALLS; i++) {
        plain[i].which = chance(GENERATED_RUNS);
        catnap_run_t *run = prepare(instance, plain[i].which);
        assert_true(step(&world, run, PLENTY, &plain[i]));
        catnap_run_delete(run);
        identify(&world, plain[i].identity);
    }
    wasm_instance_delete(instance);
    close_world(&world);
}

/* ---- Events in between ---- */

struct life {
    struct world world;
    wasm_instance_t *instance;
    catnap_run_t *run; /* under way, or NULL */
    uint32_t levels;
    catnap_snapshot_t *earlier; /* of the same engine: a base for deltas */
};

static unsigned done[16];

static void end_store(struct life *life) {
    catnap_run_delete(life->run);
    wasm_instance_delete(life->instance);
    close_store(&life->world);
    life->levels = 0;
}

static void wake(struct life *life, const catnap_snapshot_t *snapshot) {
    bool suspended = life->run != NULL;
    open_store(&life->world);
    life->instance = restore(snapshot, &life->world, &life->run);
    assert_true(suspended == (life->run != NULL));
}

/* Another call, which is forgotten. */
static void call_in_vain(struct life *life) {
    struct outcome ignored;
    catnap_run_t *run = prepare(life->instance, chance(GENERATED_RUNS));
    for (unsigned i = 1 + chance(3); i > 0 && !step(&life->world, run, chance(2000), &ignored); i--)
        ;
    catnap_run_delete(run);
}

/* Calls that did not happen, some of them behind further checkpoints. */
static void roll_back(struct life *life) {
    uint32_t level;
    uint64_t fuel = catnap_store_fuel(life->world.store);
    assert_no_error(catnap_store_checkpoint(life->world.store, &level));
    assert_int_equal(level, life->levels + 1);
    for (unsigned i = chance(4); i > 0; i--) {
        call_in_vain(life);
        if (chance(3) == 0)
            assert_no_error(catnap_store_checkpoint(life->world.store, NULL));
        if (chance(4) == 0)
            assert_no_error(catnap_store_rollback(
                life->world.store,
                level + chance(catnap_store_checkpoints(life->world.store) - level + 1)));
    }
    assert_no_error(catnap_store_rollback(life->world.store, level));
    assert_true(catnap_store_fuel(life->world.store) == fuel);
    if (chance(2))
        assert_no_error(catnap_store_release(life->world.store, level));
    else
        life->levels = level;
}

static void make_checkpoint(struct life *life) {
    assert_no_error(catnap_store_checkpoint(life->world.store, &life->levels));
}

static void release(struct life *life) {
    uint32_t level = chance(life->levels + 1);
    assert_no_error(catnap_store_release(life->world.store, level));
    life->levels = level > 0 ? level - 1 : 0;
}

/* The clone lives on, after a life of the original that does not concern it, or the other way
 * round. */
static void clone(struct life *life) {
    catnap_snapshot_t *snapshot = take(&life->world, life->run);
    struct life other = {.world = {.engine = life->world.engine}, .run = life->run};
    wake(&other, snapshot);
    struct life *in_vain = chance(2) ? &other : life;
    call_in_vain(in_vain);
    if (in_vain == life) {
        end_store(life);
        life->world = other.world;
        life->instance = other.instance;
        life->run = other.run;
        catnap_snapshot_delete(snapshot);
    } else {
        end_store(&other);
        catnap_snapshot_delete(life->earlier);
        life->earlier = snapshot;
    }
}

static catnap_save_options_t save_options(const struct life *life, bool delta) {
    catnap_save_options_t options = {.with_modules = true};
#ifdef CATNAP_HAVE_ZSTD
    options.compression = chance(3) == 0;
#endif
    options.base = delta ? life->earlier : NULL;
    return options;
}

/* As bytes, into another store of the same engine, since a base belongs to one. */
static void by_bytes(struct life *life) {
    wasm_byte_vec_t bytes;
    catnap_error_t *error;
    catnap_snapshot_t *snapshot = take(&life->world, life->run);
    catnap_save_options_t save = save_options(life, chance(2));
    assert_no_error(catnap_snapshot_write(snapshot, &save, &bytes));
    catnap_snapshot_delete(snapshot);
    end_store(life);
    catnap_open_options_t open = {.base = save.base, .trust_pages = chance(2)};
    snapshot = catnap_snapshot_read(life->world.engine, (const uint8_t *)bytes.data, bytes.size,
                                    &open, &error);
    assert_no_error(error);
    wasm_byte_vec_delete(&bytes);
    wake(life, snapshot);
    catnap_snapshot_delete(life->earlier);
    life->earlier = snapshot;
}

static char path[TEMPORARY_PATH];

/* By a file, into another engine. */
static void by_file(struct life *life) {
    catnap_error_t *error;
    catnap_snapshot_options_t options = {.run = life->run, .data = "mine", .data_length = 4};
    catnap_save_options_t save = save_options(life, false);
    bool suspended = life->run != NULL;
    assert_no_error(catnap_store_save(life->world.store, path, &options, &save));
    end_store(life);
    catnap_snapshot_delete(life->earlier);
    life->earlier = NULL;
    wasm_engine_delete(life->world.engine);
    open_world(&life->world, true);
    close_store(&life->world);
    catnap_open_options_t open = {.trust_pages = chance(2)};
    catnap_snapshot_t *snapshot = catnap_snapshot_open(life->world.engine, path, &open, &error);
    assert_no_error(error);
    life->run = suspended ? (catnap_run_t *)life : NULL; /* only whether there is one */
    wake(life, snapshot);
    catnap_snapshot_delete(snapshot);
}

static void (*const verbs[])(struct life *) = {make_checkpoint, roll_back, release,     clone,
                                               by_bytes,        by_file,   call_in_vain};
#define IN_VAIN (COUNT(verbs) - 1)

static void something(struct life *life) {
    uint32_t verb = chance(IN_VAIN); /* the last one would leave its traces */
    verbs[verb](life);
    done[verb]++;
}

/* ---- Both together ---- */

static void run_eventfully(const struct bytes *module) {
    struct life life = {0};
    open_world(&life.world, true);
    give_fuel(&life.world, PLENTY);
    life.instance = start(&life.world, module->data, module->size);
    for (int i = 0; i < CALLS; i++) {
        struct outcome got = {0};
        uint64_t identity[2];
        if (chance(2))
            something(&life);
        give_fuel(&life.world, 0);
        life.run = prepare(life.instance, plain[i].which);
        while (!step(&life.world, life.run, chance(3) ? chance(300) : PLENTY / 2, &got)) {
            assert_int_equal(got.status, CATNAP_OUT_OF_FUEL);
            done[COUNT(verbs)]++;
            if (chance(4) == 0)
                something(&life);
        }
        catnap_run_delete(life.run);
        life.run = NULL;
        if (chance(3) == 0)
            something(&life);
        assert_int_equal(got.status, plain[i].status);
        assert_int_equal(got.trap, plain[i].trap);
        assert_true(got.result == plain[i].result);
        identify(&life.world, identity);
        assert_memory_equal(identity, plain[i].identity, sizeof identity);
    }
    end_store(&life);
    catnap_snapshot_delete(life.earlier);
    wasm_engine_delete(life.world.engine);
}

static void choose_tracking(uint64_t number) {
    static const catnap_tracking_t ways[] = {CATNAP_TRACKING_AUTO, CATNAP_TRACKING_COPY_ON_WRITE,
                                             CATNAP_TRACKING_COMPARE};
    struct world world;
    host_tracking = ways[number % COUNT(ways)];
    open_world(&world, true);
    catnap_error_t *error = catnap_store_checkpoint(world.store, NULL);
    if (error) /* this machine has no such thing */
        host_tracking = CATNAP_TRACKING_AUTO;
    catnap_error_delete(error);
    close_world(&world);
}

static uint64_t first = 1, count = 150;

static void eventful_lives_end_like_plain_ones(void **state) {
    (void)state;
    for (uint64_t i = first; i < first + count; i++) {
        seed = i;
        struct bytes module = generate((struct generator_options){.seed = i, .no_growth = false});
        run_plainly(&module);
        for (uint64_t j = 0; j < 3; j++) {
            choose_tracking(i + j);
            run_eventfully(&module);
        }
        free(module.data);
    }
    for (size_t i = 0; i <= COUNT(verbs); i++)
        print_message("  %u", done[i]);
    print_message(" checkpoints, rollbacks, releases, clones, bytes, files, -, stops\n");
    unlink(path);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {TEST(eventful_lives_end_like_plain_ones)};
    if (!temporary_file(path, sizeof path))
        return 1;
    if (argc == 3) {
        first = strtoull(argv[1], NULL, 10);
        count = strtoull(argv[2], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
