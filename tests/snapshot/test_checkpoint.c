/* Checkpoints: random programs with random checkpoints against copies of
 * everything, with each way of finding written pages; growth, references,
 * exhausted memory. */
#include "../api/helpers.h"
#include "modules.h"
#include "starving.h"

#include <sys/mman.h>

#define MAX_LEVELS 12
#define MAX_TABLE 64

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* An instance of state_module with what a test calls. */
struct guest {
    wasm_engine_t *engine;
    wasm_store_t *store;
    wasm_instance_t *instance;
    wasm_memory_t *memory;
};

static bool open_guest(struct guest *guest, catnap_tracking_t tracking) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_tracking(config, tracking);
    catnap_config_set_fuel(config, true);
    guest->engine = wasm_engine_new_with_config(config);
    guest->store = wasm_store_new(guest->engine);
    catnap_error_t *error = catnap_store_checkpoint(guest->store, NULL);
    if (error) { /* this machine has no such thing */
        assert_int_equal(catnap_error_status(error), CATNAP_IO);
        catnap_error_delete(error);
        wasm_store_delete(guest->store);
        wasm_engine_delete(guest->engine);
        return false;
    }
    assert_no_error(catnap_store_release(guest->store, 0));
    assert_no_error(catnap_store_set_fuel(guest->store, UINT64_C(1) << 40));
    guest->instance = INSTANTIATE(guest->store, state_module);
    guest->memory = EXPORT(memory, guest->instance, "m");
    return true;
}

static void close_guest(struct guest *guest) {
    wasm_memory_delete(guest->memory);
    wasm_instance_delete(guest->instance);
    wasm_store_delete(guest->store);
    wasm_engine_delete(guest->engine);
}

/* ---- Everything that can be seen of it ---- */

struct picture {
    uint8_t *memory;
    size_t size;
    uint64_t fuel;
    int32_t global, table_size, table[MAX_TABLE];
    bool data_there, elem_there;
};

/* Whether a call traps; what it changes is put back by the caller. */
static bool works(struct guest *guest, const char *name) {
    int32_t result;
    wasm_func_t *func = EXPORT(func, guest->instance, name);
    wasm_trap_t *trap = call_i32(func, NULL, &result);
    wasm_func_delete(func);
    wasm_trap_delete(trap);
    return !trap;
}

static void take_picture(struct guest *guest, struct picture *picture) {
    uint64_t fuel = catnap_store_fuel(guest->store);
    picture->fuel = fuel;
    picture->size = wasm_memory_data_size(guest->memory);
    picture->memory = malloc(picture->size);
    char *data = wasm_memory_data(guest->memory);
    memcpy(picture->memory, data, picture->size);
    picture->global = CALL(guest->instance, "get_g");
    picture->table_size = CALL(guest->instance, "size_f");
    for (int32_t i = 0; i < picture->table_size && i < MAX_TABLE; i++)
        picture->table[i] = CALL(guest->instance, "call_f", i);
    picture->data_there = works(guest, "init");
    data[0] = (char)picture->memory[0];
    picture->elem_there = works(guest, "init_f");
    if (picture->table[0] == 0)
        CALL(guest->instance, "clear_f", 0);
    else
        CALL(guest->instance, "set_f", 0, picture->table[0] == 1);
    assert_no_error(catnap_store_set_fuel(guest->store, fuel));
}

static void assert_same(const struct picture *a, const struct picture *b) {
    assert_true(a->fuel == b->fuel);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->memory, b->memory, a->size);
    assert_int_equal(a->global, b->global);
    assert_int_equal(a->table_size, b->table_size);
    for (int32_t i = 0; i < a->table_size && i < MAX_TABLE; i++)
        assert_int_equal(a->table[i], b->table[i]);
    assert_int_equal(a->data_there, b->data_there);
    assert_int_equal(a->elem_there, b->elem_there);
}

static void assert_is(struct guest *guest, const struct picture *expected) {
    struct picture now;
    take_picture(guest, &now);
    assert_same(&now, expected);
    free(now.memory);
}

/* ---- Random programs ---- */

static void random_step(struct guest *guest, uint32_t *seed) {
    uint32_t size = (uint32_t)wasm_memory_data_size(guest->memory);
    wasm_instance_t *instance = guest->instance;
    switch (next_random(seed) % 14) {
    case 0:
        if (size < 40 * 65536)
            CALL(instance, "grow", (int32_t)(next_random(seed) % 3));
        break;
    case 1:
        CALL(instance, "set_g", (int32_t)(next_random(seed) % 5));
        break;
    case 2:
        CALL(instance, "set_f", (int32_t)(next_random(seed) % 3), next_random(seed) % 2);
        break;
    case 3:
        if (CALL(instance, "size_f") < MAX_TABLE - 2)
            CALL(instance, "grow_f", (int32_t)(next_random(seed) % 3));
        break;
    case 4:
        CALL(instance, "clear_f", (int32_t)(next_random(seed) % 3));
        break;
    case 5:
        if (next_random(seed) % 20 == 0)
            CALL(instance, next_random(seed) % 2 ? "drop" : "drop_f");
        break;
    case 6: {
        uint32_t at = next_random(seed) % size, count = next_random(seed) % 300000;
        CALL(instance, "fill", (int32_t)at, (int32_t)next_random(seed),
             (int32_t)(count < size - at ? count : size - at));
        break;
    }
    case 7:
        wasm_memory_data(guest->memory)[next_random(seed) % size] = (char)next_random(seed);
        break;
    case 8:
        madvise(wasm_memory_data(guest->memory), size, MADV_PAGEOUT);
        break;
    default:
        CALL(instance, "store", (int32_t)(next_random(seed) % (size - 3)),
             (int32_t)next_random(seed));
        break;
    }
}

static void random_program(catnap_tracking_t tracking, uint32_t seed, int steps) {
    struct guest guest;
    struct picture pictures[MAX_LEVELS + 1];
    uint32_t level = 0;
    if (!open_guest(&guest, tracking))
        skip();
    for (int i = 0; i < steps; i++) {
        uint32_t choice = next_random(&seed) % 100;
        if (choice < 12 && level < MAX_LEVELS) {
            uint32_t made;
            assert_no_error(catnap_store_checkpoint(guest.store, &made));
            assert_int_equal(made, ++level);
            take_picture(&guest, &pictures[level]);
        } else if (choice < 22 && level > 0) {
            uint32_t to = 1 + next_random(&seed) % level;
            for (; level > to; level--)
                free(pictures[level].memory);
            assert_no_error(catnap_store_rollback(guest.store, to));
            assert_is(&guest, &pictures[to]);
        } else if (choice < 27 && level > 0) {
            struct picture now;
            take_picture(&guest, &now);
            uint32_t from = next_random(&seed) % (level + 1);
            assert_no_error(catnap_store_release(guest.store, from));
            for (; level > 0 && level >= from; level--)
                free(pictures[level].memory);
            assert_is(&guest, &now);
            free(now.memory);
        } else {
            random_step(&guest, &seed);
        }
        assert_int_equal(catnap_store_checkpoints(guest.store), level);
    }
    for (; level > 0; level--)
        free(pictures[level].memory);
    close_guest(&guest);
}

static void with_the_best_tracking(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 12; seed++)
        random_program(CATNAP_TRACKING_AUTO, seed, 300);
}
static void with_write_protection(void **state) {
    (void)state;
    for (uint32_t seed = 101; seed <= 106; seed++)
        random_program(CATNAP_TRACKING_WRITE_PROTECT, seed, 300);
}
static void with_copies_on_write(void **state) {
    (void)state;
    for (uint32_t seed = 201; seed <= 206; seed++)
        random_program(CATNAP_TRACKING_COPY_ON_WRITE, seed, 300);
}
static void with_comparison(void **state) {
    (void)state;
    for (uint32_t seed = 301; seed <= 306; seed++)
        random_program(CATNAP_TRACKING_COMPARE, seed, 300);
}

/* ---- Particular cases ---- */

static void past_the_end_traps_again(void **state) {
    (void)state;
    struct guest guest;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    assert_no_error(catnap_store_checkpoint(guest.store, NULL));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(CALL(guest.instance, "grow", 2), 2);
        assert_int_equal(CALL(guest.instance, "load", 2 * 65536), 0);
        CALL(guest.instance, "store", 2 * 65536, 99);
        assert_no_error(catnap_store_rollback(guest.store, 1));
        sigaction(SIGSEGV, &engine_fault_handler, NULL);
        assert_trap(CALL_TRAP(guest.instance, "load", 2 * 65536), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS,
                    "out of bounds");
    }
    catnap_store_stats_t stats;
    catnap_store_stats(guest.store, &stats);
    assert_int_equal(stats.memory_bytes, 2 * 65536);
    close_guest(&guest);
}

static void wrong_levels_are_refused(void **state) {
    wasm_store_t *store = STORE(state);
    assert_error(catnap_store_rollback(store, 0), CATNAP_MISUSE, "from 1");
    assert_error(catnap_store_rollback(store, 1), CATNAP_MISUSE, "there is no checkpoint 1");
    assert_error(catnap_store_release(store, 3), CATNAP_MISUSE, "there is no checkpoint 3");
    assert_no_error(catnap_store_release(store, 0));
    assert_error(catnap_store_checkpoint(NULL, NULL), CATNAP_MISUSE, "NULL");
}

/* A reference of the host that only a checkpoint still has is not collected. */
static void references_survive(void **state) {
    (void)state;
    struct guest guest;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    wasm_table_t *table = EXPORT(table, guest.instance, "x");
    wasm_foreign_t *foreign = wasm_foreign_new(guest.store);
    static int mark;
    wasm_foreign_set_host_info(foreign, &mark);
    assert_true(wasm_table_set(table, 1, wasm_foreign_as_ref(foreign)));
    wasm_foreign_delete(foreign);
    assert_no_error(catnap_store_checkpoint(guest.store, NULL));
    assert_true(wasm_table_set(table, 1, NULL));
    for (int i = 0; i < 5000; i++) {
        foreign = wasm_foreign_new(guest.store);
        assert_true(wasm_table_set(table, 0, wasm_foreign_as_ref(foreign)));
        wasm_foreign_delete(foreign);
    }
    assert_no_error(catnap_store_rollback(guest.store, 1));
    wasm_ref_t *found = wasm_table_get(table, 1);
    assert_non_null(found);
    assert_ptr_equal(wasm_ref_get_host_info(found), &mark);
    wasm_ref_delete(found);
    wasm_table_delete(table);
    close_guest(&guest);
}

/* Pages that checkpoints have mapped behind a memory stay part of it when they are released. */
static void released_memories_are_whole(void **state) {
    (void)state;
    static const catnap_tracking_t ways[] = {CATNAP_TRACKING_AUTO, CATNAP_TRACKING_COPY_ON_WRITE,
                                             CATNAP_TRACKING_COMPARE};
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct guest guest;
        catnap_error_t *error;
        if (!open_guest(&guest, ways[i]))
            continue;
        CALL(guest.instance, "fill", 1000, 5, 70000);
        uint8_t *before = malloc(2 * 65536);
        memcpy(before, wasm_memory_data(guest.memory), 2 * 65536);
        for (int round = 0; round < 2; round++) {
            assert_no_error(catnap_store_checkpoint(guest.store, NULL));
            assert_no_error(catnap_store_release(guest.store, 0));
            catnap_snapshot_t *snapshot = catnap_snapshot_take(guest.store, NULL, &error);
            assert_no_error(error);
            wasm_store_t *store = wasm_store_new(guest.engine);
            catnap_linker_t *linker = catnap_linker_new(store);
            wasm_instance_t *copy;
            assert_no_error(catnap_snapshot_restore(snapshot, linker, NULL, &copy, NULL));
            wasm_memory_t *memory = EXPORT(memory, copy, "m");
            assert_memory_equal(wasm_memory_data(memory), before, 2 * 65536);
            wasm_memory_delete(memory);
            wasm_instance_delete(copy);
            catnap_linker_delete(linker);
            wasm_store_delete(store);
            catnap_snapshot_delete(snapshot);
        }
        free(before);
        close_guest(&guest);
    }
}

static void pairs_hold_memory_constant(void **state) {
    (void)state;
    struct guest guest;
    assert_true(open_guest(&guest, CATNAP_TRACKING_AUTO));
    uint64_t before = 0, now = 0;
    for (int i = 0; i < 20000; i++) {
        uint32_t level;
        assert_no_error(catnap_store_checkpoint(guest.store, &level));
        wasm_memory_data(guest.memory)[i % 8 * 4096] ^= 1;
        assert_no_error(catnap_store_rollback(guest.store, level));
        assert_no_error(catnap_store_release(guest.store, level));
        if (i == 100)
            catnap_engine_memory(guest.engine, &before, NULL);
    }
    catnap_engine_memory(guest.engine, &now, NULL);
    assert_true(now == before);
    close_guest(&guest);
}

/* ---- Exhausted memory: the failure is told, and nothing has changed ---- */

static void exhausted_memory_changes_nothing(void **state) {
    (void)state;
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_allocator(config, &(catnap_allocator_t){failing_realloc, NULL});
    catnap_config_set_fuel(config, true);
    allocations_left = INT64_MAX;
    struct guest guest = {.engine = wasm_engine_new_with_config(config)};
    guest.store = wasm_store_new(guest.engine);
    assert_no_error(catnap_store_set_fuel(guest.store, UINT64_C(1) << 40));
    guest.instance = INSTANTIATE(guest.store, state_module);
    guest.memory = EXPORT(memory, guest.instance, "m");
    uint32_t seed = 5;
    struct picture before, base;
    take_picture(&guest, &base);
    for (uint32_t level = 1; level <= 3; level++) {
        catnap_error_t *error;
        for (int64_t n = 0;; n++) {
            allocations_left = n;
            error = catnap_store_checkpoint(guest.store, NULL);
            allocations_left = INT64_MAX;
            if (!error)
                break;
            assert_error(error, CATNAP_NO_MEMORY, "");
            assert_int_equal(catnap_store_checkpoints(guest.store), level - 1);
        }
        for (int i = 0; i < 30; i++)
            random_step(&guest, &seed);
        if (level == 2)
            take_picture(&guest, &before);
    }
    allocations_left = 0; /* going back needs none */
    assert_no_error(catnap_store_rollback(guest.store, 3));
    allocations_left = INT64_MAX;
    assert_is(&guest, &before);
    allocations_left = 0;
    assert_no_error(catnap_store_rollback(guest.store, 1));
    allocations_left = INT64_MAX;
    assert_is(&guest, &base);
    free(before.memory);
    free(base.memory);
    close_guest(&guest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(with_the_best_tracking),     TEST(with_write_protection),
        TEST(with_copies_on_write),       TEST(with_comparison),
        TEST(past_the_end_traps_again),   TEST(wrong_levels_are_refused),
        TEST(references_survive),         TEST(released_memories_are_whole),
        TEST(pairs_hold_memory_constant), TEST(exhausted_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
