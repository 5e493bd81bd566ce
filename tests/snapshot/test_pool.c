/* Pools: every policy, everything that one tenant could leave for the next, bounds, waiting,
 * failures of memory at each allocation, and several threads. */
#include "../startup/inject.h"
#include "../temporary.h"
#include "modules.h"
#include "pool_modules.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)

/* ---- Steps of the tests ---- */

static catnap_pool_options_t defaults(void) {
    catnap_pool_options_t options;
    catnap_pool_options_default(&options);
    return options;
}

static catnap_pool_t *open_pool(wasm_store_t *store, const uint8_t *bytes, size_t size,
                                const catnap_pool_options_t *options) {
    catnap_error_t *error;
    wasm_module_t *module = load(store, bytes, size);
    catnap_pool_t *pool = catnap_pool_new(module, options, &error);
    wasm_module_delete(module);
    assert_no_error(error);
    assert_non_null(pool);
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    return pool;
}
#define OPEN(store, module, options) open_pool(store, module, sizeof(module), options)

static catnap_pool_slot_t *acquire(catnap_pool_t *pool, uint64_t tenant) {
    catnap_error_t *error;
    catnap_pool_slot_t *slot = catnap_pool_acquire(pool, tenant, 0, &error);
    assert_no_error(error);
    assert_non_null(slot);
    return slot;
}

static void release(catnap_pool_slot_t *slot) {
    assert_no_error(catnap_pool_release(slot));
}

static void refuse(catnap_pool_t *pool, uint64_t timeout_ns, catnap_status_t status,
                   const char *text) {
    catnap_error_t *error;
    assert_null(catnap_pool_acquire(pool, 0, timeout_ns, &error));
    assert_error(error, status, text);
}

static catnap_pool_stats_t stats_of(catnap_pool_t *pool) {
    catnap_pool_stats_t stats;
    catnap_pool_stats(pool, &stats);
    return stats;
}

#define ON(slot, name, ...) CALL(catnap_pool_slot_instance(slot), name, __VA_ARGS__)

/* A call in a slot of the tenant's. */
static int32_t once(catnap_pool_t *pool, uint64_t tenant, const char *name, int32_t a, int32_t b) {
    catnap_pool_slot_t *slot = acquire(pool, tenant);
    int32_t result = ON(slot, name, a, b);
    release(slot);
    return result;
}

static void make_trap(catnap_pool_slot_t *slot) {
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    assert_trap(CALL_TRAP(catnap_pool_slot_instance(slot), "load", -1),
                CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS, "out of bounds");
}

/* ---- When a slot is reset ---- */

static void every_release_resets(void **state) {
    catnap_pool_t *pool = OPEN(STORE(state), state_module, NULL);
    for (int i = 1; i <= 20; i++) {
        assert_int_equal(once(pool, 0, "load", 8, 0), 0);
        catnap_pool_slot_t *slot = acquire(pool, 0);
        ON(slot, "store", 8, i);
        assert_int_equal(ON(slot, "load", 8), i);
        release(slot);
    }
    catnap_pool_stats_t stats = stats_of(pool);
    assert_int_equal(stats.acquired, 40);
    assert_int_equal(stats.reset_calls, 40);
    assert_int_equal(stats.instantiations, 1);
    assert_int_equal(stats.slots, 1);
    assert_int_equal(stats.busy, 0);
    catnap_pool_delete(pool);
}

static void so_many_calls_reset(void **state) {
    catnap_pool_options_t options = defaults();
    options.reset_calls = 3;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(once(pool, 7, "load", 8, 0), 0);
        once(pool, 7, "store", 8, 1);
        assert_int_equal(once(pool, 7, "load", 8, 0), 1);
        assert_int_equal(stats_of(pool).reset_calls, i + 1);
    }
    catnap_pool_slot_t *slot = acquire(pool, 7);
    for (int i = 0; i < 10; i++)
        ON(slot, "store", 8, 5); /* as long as it is out, nothing happens */
    assert_int_equal(ON(slot, "load", 8), 5);
    release(slot);
    assert_int_equal(once(pool, 7, "load", 8, 0), 0);
    catnap_pool_delete(pool);
}

static void traps_reset_if_they_shall(void **state) {
    for (int on = 0; on < 2; on++) {
        catnap_pool_options_t options = defaults();
        options.reset_calls = 0;
        options.reset_on_trap = on;
        catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
        catnap_pool_slot_t *slot = acquire(pool, 1);
        ON(slot, "store", 8, 9);
        release(slot);
        slot = acquire(pool, 1);
        assert_int_equal(ON(slot, "load", 8), 9);
        make_trap(slot);
        release(slot);
        assert_int_equal(once(pool, 1, "load", 8, 0), on ? 0 : 9);
        assert_int_equal(stats_of(pool).reset_trap, on);
        once(pool, 1, "store", 8, 4);
        assert_int_equal(once(pool, 1, "load", 8, 0), 4); /* an old trap does not count again */
        catnap_pool_delete(pool);
    }
}

static void memory_marks_reset_and_retire(void **state) {
    static const struct {
        uint64_t reset, retire;
    } marks[] = {{4 * 65536, UINT64_MAX}, {UINT64_MAX, 4 * 65536}};
    for (size_t i = 0; i < COUNT(marks); i++) {
        catnap_pool_options_t options = defaults();
        options.reset_calls = 0;
        options.reset_memory_bytes = marks[i].reset;
        options.retire_memory_bytes = marks[i].retire;
        catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
        once(pool, 1, "store", 8, 9);
        once(pool, 1, "grow", 1, 0);
        assert_int_equal(once(pool, 1, "load", 8, 0), 9); /* below the mark */
        once(pool, 1, "grow", 2, 0);
        assert_int_equal(once(pool, 1, "grow", 0, 0), 2);
        assert_int_equal(once(pool, 1, "load", 8, 0), 0);
        catnap_pool_stats_t stats = stats_of(pool);
        assert_int_equal(stats.reset_memory, i == 0);
        assert_int_equal(stats.retired_memory, i == 1);
        assert_int_equal(stats.instantiations, i == 0 ? 1 : 2);
        once(pool, 1, "grow_f", 1900, 0);
        once(pool, 1, "grow", 1, 0); /* tables count, too */
        assert_int_equal(once(pool, 1, "size_f", 0, 0), 1903);
        once(pool, 1, "grow", 1, 0);
        assert_int_equal(once(pool, 1, "size_f", 0, 0), 3);
        catnap_pool_delete(pool);
    }
}

static void never_is_never(void **state) {
    catnap_pool_options_t options = defaults();
    options.reset_calls = 0;
    options.reset_on_trap = false;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    for (int i = 0; i < 100; i++) {
        catnap_pool_slot_t *slot = acquire(pool, 3);
        assert_int_equal(ON(slot, "load", 8), i);
        ON(slot, "store", 8, i + 1);
        if (i % 10 == 0)
            make_trap(slot);
        release(slot);
    }
    catnap_pool_stats_t stats = stats_of(pool);
    assert_int_equal(stats.reset_calls + stats.reset_trap + stats.reset_memory, 0);
    catnap_pool_delete(pool);
}

static void slots_are_replaced_after_so_many_calls(void **state) {
    catnap_pool_options_t options = defaults();
    options.retire_calls = 4;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    for (int i = 0; i < 12; i++)
        once(pool, 0, "store", 8, i);
    assert_int_equal(stats_of(pool).retired_calls, 3);
    assert_int_equal(stats_of(pool).instantiations, 3);
    assert_int_equal(stats_of(pool).slots, 0);
    catnap_pool_delete(pool);
}

static void holders_reset_themselves(void **state) {
    catnap_pool_options_t options = defaults();
    options.reset_calls = 0;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    catnap_pool_slot_t *slot = acquire(pool, 1);
    wasm_store_t *store = catnap_pool_slot_store(slot);
    ON(slot, "store", 8, 9);
    assert_no_error(catnap_pool_slot_reset(slot));
    assert_int_equal(ON(slot, "load", 8), 0);
    /* Checkpoints of the holder's own lie above the pool's, which cannot be taken away. */
    uint32_t level;
    assert_no_error(catnap_store_checkpoint(store, &level));
    assert_int_equal(level, 2);
    ON(slot, "store", 8, 10);
    assert_no_error(catnap_store_rollback(store, level));
    assert_int_equal(ON(slot, "load", 8), 0);
    assert_error(catnap_store_release(store, 1), CATNAP_MISUSE, "pool");
    assert_error(catnap_store_release(store, 0), CATNAP_MISUSE, "pool");
    assert_no_error(catnap_store_checkpoint(store, NULL));
    ON(slot, "store", 8, 11);
    assert_no_error(catnap_pool_slot_reset(slot));
    assert_int_equal(catnap_store_checkpoints(store), 1);
    assert_int_equal(ON(slot, "load", 8), 0);
    release(slot);
    assert_int_equal(stats_of(pool).reset_asked, 2);
    catnap_pool_delete(pool);
}

/* ---- Tenants ---- */

static void tenants_keep_their_own(void **state) {
    catnap_pool_options_t options = defaults();
    options.reset_calls = 0;
    options.max_slots = 4;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    for (int32_t tenant = 1; tenant <= 4; tenant++)
        once(pool, (uint64_t)tenant, "store", 8, tenant);
    for (int32_t tenant = 4; tenant >= 1; tenant--)
        assert_int_equal(once(pool, (uint64_t)tenant, "load", 8, 0), tenant);
    assert_int_equal(stats_of(pool).instantiations, 4);
    /* A fifth gets the slot that was not used for longest, as new. */
    assert_int_equal(once(pool, 5, "load", 8, 0), 0);
    assert_int_equal(stats_of(pool).reset_tenant, 1);
    assert_int_equal(once(pool, 3, "load", 8, 0), 3);
    assert_int_equal(once(pool, 4, "load", 8, 0), 0);
    assert_int_equal(catnap_pool_slot_tenant(NULL), 0);
    catnap_pool_slot_t *slot = acquire(pool, 77);
    assert_true(catnap_pool_slot_tenant(slot) == 77);
    release(slot);
    catnap_pool_delete(pool);
}

/* Numbers that fall into the same bucket, and many of them. */
static void tenants_are_found_among_many(void **state) {
    catnap_pool_options_t options = defaults();
    options.reset_calls = 0;
    options.max_slots = 100;
    catnap_pool_t *pool = OPEN(STORE(state), host_module, NULL);
    catnap_pool_delete(pool);
    pool = OPEN(STORE(state), state_module, &options);
    for (int round = 0; round < 3; round++)
        for (int32_t i = 0; i < 100; i++) {
            catnap_pool_slot_t *slot = acquire(pool, (uint64_t)i << 42);
            assert_int_equal(ON(slot, "load", 8), round ? i + round : 0);
            ON(slot, "store", 8, i + round + 1);
            release(slot);
        }
    assert_int_equal(stats_of(pool).instantiations, 100);
    assert_int_equal(stats_of(pool).reset_tenant, 0);
    catnap_pool_delete(pool);
}

/* ---- Possible remains ---- */

/* All that can be seen of an instance of state_module. */
struct picture {
    uint8_t *memory;
    size_t size;
    uint64_t fuel, others;
    int32_t global, tables[2], entries[3];
    bool data_there, elem_there;
};

static bool works(catnap_pool_slot_t *slot, const char *name) {
    int32_t result;
    wasm_func_t *func = EXPORT(func, catnap_pool_slot_instance(slot), name);
    wasm_trap_t *trap = call_i32(func, NULL, &result);
    wasm_func_delete(func);
    wasm_trap_delete(trap);
    return !trap;
}

/* The last thing that is done with a slot, since looking changes it. */
static struct picture look(catnap_pool_slot_t *slot) {
    wasm_store_t *store = catnap_pool_slot_store(slot);
    wasm_memory_t *memory = EXPORT(memory, catnap_pool_slot_instance(slot), "m");
    wasm_table_t *table = EXPORT(table, catnap_pool_slot_instance(slot), "x");
    wasm_global_t *global = EXPORT(global, catnap_pool_slot_instance(slot), "e");
    catnap_val_t value;
    struct picture picture = {.size = wasm_memory_data_size(memory),
                              .fuel = catnap_store_fuel(store)};
    picture.memory = malloc(picture.size);
    memcpy(picture.memory, wasm_memory_data(memory), picture.size);
    catnap_global_get(global, &value);
    picture.others = (uint64_t)value.of.i64;
    picture.tables[1] = (int32_t)wasm_table_size(table);
    for (uint32_t i = 0; i < wasm_table_size(table); i++) {
        wasm_ref_t *ref = wasm_table_get(table, i);
        picture.others += ref != NULL;
        wasm_ref_delete(ref);
    }
    wasm_memory_delete(memory);
    wasm_table_delete(table);
    wasm_global_delete(global);
    assert_no_error(catnap_store_set_fuel(store, UINT64_C(1) << 40));
    picture.global = ON(slot, "get_g");
    picture.tables[0] = ON(slot, "size_f");
    for (int32_t i = 0; i < 3; i++)
        picture.entries[i] = ON(slot, "call_f", i);
    picture.data_there = works(slot, "init");
    picture.elem_there = works(slot, "init_f");
    return picture;
}

static void assert_same(const struct picture *a, const struct picture *b) {
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->memory, b->memory, a->size);
    assert_true(a->fuel == b->fuel && a->others == b->others);
    assert_int_equal(a->global, b->global);
    assert_memory_equal(a->tables, b->tables, sizeof a->tables);
    assert_memory_equal(a->entries, b->entries, sizeof a->entries);
    assert_int_equal(a->data_there, b->data_there);
    assert_int_equal(a->elem_there, b->elem_there);
}

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Pages with something in them and pages without, a table that has grown, fuel. */
static catnap_error_t *prepare_state(void *env, catnap_pool_slot_t *slot) {
    (void)env;
    wasm_store_t *store = catnap_pool_slot_store(slot);
    catnap_error_t *error = catnap_store_set_fuel(store, 1000000);
    if (error)
        return error;
    ON(slot, "grow", 3);
    ON(slot, "fill", 10 * 4096, 3, 25 * 4096); /* enough in a row to be shared by slots */
    for (int32_t i = 0; i < 5 * 65536; i += 3 * 4096)
        ON(slot, "store", i, i + 1);
    ON(slot, "grow_f", 2);
    ON(slot, "set_f", 1, 1);
    ON(slot, "set_g", 4);
    return catnap_store_set_fuel(store, 1000000);
}

/* 24 pages of WebAssembly's, of which 20 have something in them. */
static catnap_error_t *prepare_large(void *env, catnap_pool_slot_t *slot) {
    (void)env;
    ON(slot, "grow", 22);
    ON(slot, "fill", 0, 1, 20 * 65536);
    return NULL;
}

static void page_out(wasm_memory_t *memory) {
#ifdef MADV_PAGEOUT
    madvise(wasm_memory_data(memory), wasm_memory_data_size(memory), MADV_PAGEOUT);
#else
    (void)memory;
#endif
}

static void page_out_memory(catnap_pool_slot_t *slot) {
    wasm_memory_t *memory = EXPORT(memory, catnap_pool_slot_instance(slot), "m");
    page_out(memory);
    wasm_memory_delete(memory);
}

/* One of the ways to leave something behind. */
static void leave_something(catnap_pool_slot_t *slot, uint32_t *seed) {
    wasm_store_t *store = catnap_pool_slot_store(slot);
    wasm_memory_t *memory = EXPORT(memory, catnap_pool_slot_instance(slot), "m");
    size_t size = wasm_memory_data_size(memory);
    switch (next_random(seed) % 14) {
    case 0: /* zeroes where there was something, and else where there were zeroes */
        memset(wasm_memory_data(memory), (int)(next_random(seed) % 2 * 0x55), size);
        break;
    case 1: /* larger, and full to its end */
        if (size < 40 * 65536)
            ON(slot, "grow", (int32_t)(next_random(seed) % 8));
        ON(slot, "fill", 0, 0x66, (int32_t)wasm_memory_data_size(memory));
        break;
    case 2:
        ON(slot, "store", (int32_t)(next_random(seed) % (size - 4)), -1);
        break;
    case 3:
        ON(slot, "set_g", (int32_t)(next_random(seed) % 9));
        break;
    case 4:
        ON(slot, "set_f", (int32_t)(next_random(seed) % 3), next_random(seed) % 2);
        break;
    case 5:
        ON(slot, "grow_f", (int32_t)(next_random(seed) % 100));
        break;
    case 6:
        ON(slot, next_random(seed) % 2 ? "drop" : "drop_f");
        break;
    case 7:
        page_out(memory);
        break;
    case 8:
        assert_no_error(catnap_store_checkpoint(store, NULL));
        break;
    case 9:
        assert_no_error(catnap_store_rollback(store, catnap_store_checkpoints(store)));
        break;
    case 10: {
        wasm_table_t *table = EXPORT(table, catnap_pool_slot_instance(slot), "x");
        wasm_foreign_t *foreign = wasm_foreign_new(store);
        assert_true(wasm_table_set(table, next_random(seed) % 2, wasm_foreign_as_ref(foreign)));
        wasm_table_grow(table, next_random(seed) % 3, NULL);
        wasm_foreign_delete(foreign);
        wasm_table_delete(table);
        break;
    }
    case 11: {
        wasm_global_t *global = EXPORT(global, catnap_pool_slot_instance(slot), "e");
        assert_no_error(
            catnap_global_set(global, &(catnap_val_t){.kind = WASM_I64, .of.i64 = 1234}));
        wasm_global_delete(global);
        break;
    }
    case 12:
        if (catnap_store_checkpoints(store) > 1)
            assert_no_error(catnap_store_release(store, catnap_store_checkpoints(store)));
        break;
    default: {
        catnap_limits_t limits;
        catnap_store_limits(store, &limits);
        limits.memory_bytes = 50 * 65536;
        catnap_store_set_limits(store, &limits);
        catnap_store_set_data(store, &limits);
        break;
    }
    }
    wasm_memory_delete(memory);
}

static wasm_engine_t *engine_with(catnap_tracking_t tracking, bool explicit_bounds) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_tracking(config, tracking);
    catnap_config_set_fuel(config, true);
    if (explicit_bounds)
        catnap_config_set_bounds_checks(config, CATNAP_BOUNDS_EXPLICIT);
    return wasm_engine_new_with_config(config);
}

/* False when this machine does not have that tracking. */
static bool is_tracked(wasm_store_t *store) {
    catnap_error_t *error = catnap_store_checkpoint(store, NULL);
    bool is = !error;
    catnap_error_delete(error);
    return is;
}

static void nothing_is_left_with(catnap_tracking_t tracking, bool explicit_bounds) {
    wasm_engine_t *engine = engine_with(tracking, explicit_bounds);
    wasm_store_t *store = wasm_store_new(engine);
    catnap_pool_options_t options = defaults();
    options.prepare = prepare_state;
    options.max_slots = 2;
    options.reset_calls = 0; /* so that a change of tenants resets */
    options.reset_on_trap = false;
    if (!is_tracked(store))
        goto end;
    catnap_pool_t *pool = OPEN(store, state_module, &options);
    catnap_pool_slot_t *slot = acquire(pool, 0);
    struct picture first = look(slot);
    assert_int_equal(first.size, 5 * 65536);
    release(slot);
    for (uint32_t seed = 1; seed <= 60; seed++) {
        uint32_t random = seed;
        slot = acquire(pool, seed);
        assert_null(catnap_store_data(catnap_pool_slot_store(slot)));
        struct picture found = look(slot);
        assert_same(&found, &first);
        free(found.memory);
        assert_no_error(catnap_store_set_fuel(catnap_pool_slot_store(slot), UINT64_C(1) << 40));
        for (uint32_t steps = random % 12; steps > 0; steps--)
            leave_something(slot, &random);
        release(slot);
    }
    assert_true(stats_of(pool).reset_tenant >= 58);
    assert_int_equal(stats_of(pool).instantiations, 2);
    catnap_pool_delete(pool);
    free(first.memory);
end:
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

static void nothing_is_left(void **state) {
    (void)state;
    nothing_is_left_with(CATNAP_TRACKING_AUTO, false);
    nothing_is_left_with(CATNAP_TRACKING_AUTO, true);
}
static void nothing_is_left_by_protection(void **state) {
    (void)state;
    nothing_is_left_with(CATNAP_TRACKING_WRITE_PROTECT, false);
}
static void nothing_is_left_by_copies(void **state) {
    (void)state;
    nothing_is_left_with(CATNAP_TRACKING_COPY_ON_WRITE, false);
}
static void nothing_is_left_by_comparison(void **state) {
    (void)state;
    nothing_is_left_with(CATNAP_TRACKING_COMPARE, false);
}

/* Memory that grew and shrank is zero when it grows again, one page after the other. */
static void memory_that_grows_again_is_zero(void **state) {
    catnap_pool_t *pool = OPEN(STORE(state), state_module, NULL);
    for (int32_t pages = 1; pages <= 8; pages++) {
        catnap_pool_slot_t *slot = acquire(pool, 0);
        assert_int_equal(ON(slot, "grow", 8), 2);
        ON(slot, "fill", 2 * 65536, 0x77, pages * 65536);
        release(slot);
        slot = acquire(pool, 0);
        for (int32_t i = 2; i < 10; i++) {
            assert_int_equal(ON(slot, "grow", 1), i);
            wasm_memory_t *memory = EXPORT(memory, catnap_pool_slot_instance(slot), "m");
            const char *data = wasm_memory_data(memory) + (size_t)i * 65536;
            assert_int_equal(data[0], 0);
            assert_memory_equal(data, data + 1, 65535);
            wasm_memory_delete(memory);
        }
        assert_int_equal(ON(slot, "grow_f", 50), 3);
        assert_int_equal(ON(slot, "call_f", 40), 0);
        ON(slot, "set_f", 40, 1);
        release(slot);
    }
    catnap_pool_delete(pool);
}

static uint64_t count_swapped(const char *data, size_t size) {
    uint64_t entry, count = 0;
    int pages = open("/proc/self/pagemap", O_RDONLY);
    for (size_t i = 0; pages >= 0 && i < size / 4096; i++)
        if (pread(pages, &entry, sizeof entry,
                  (off_t)(((uintptr_t)data / 4096 + i) * sizeof entry)) == sizeof entry)
            count += entry >> 62 & 1;
    close(pages);
    return count;
}

/* Written and then swapped out, one alone and many in a row; it takes a machine that swaps. */
static void pages_that_are_swapped_out_go_back(void **state) {
    catnap_pool_options_t options = defaults();
    options.prepare = prepare_large;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    uint64_t swapped = 0;
    for (int i = 0; i < 4; i++) {
        catnap_pool_slot_t *slot = acquire(pool, 0);
        wasm_memory_t *memory = EXPORT(memory, catnap_pool_slot_instance(slot), "m");
        char *data = wasm_memory_data(memory);
        if (i == 2)
            page_out(memory); /* as if it had never been written */
        assert_int_equal(data[5], 1);
        assert_memory_equal(data + 5, data + 6, 20 * 65536 - 6);
        assert_int_equal(data[20 * 65536], 0);
        assert_memory_equal(data + 20 * 65536, data + 20 * 65536 + 1, 4 * 65536 - 1);
        data[30 * 4096] = 9;
        memset(data + 100 * 4096, 0, 50 * 4096);
        memset(data + 330 * 4096, 7, 20 * 4096);
        assert_true(wasm_memory_grow(memory, 2));
        memset(data + 24 * 65536, 7, 2 * 65536);
        page_out(memory);
        swapped += count_swapped(data, 26 * 65536);
        wasm_memory_delete(memory);
        release(slot);
    }
    if (swapped == 0)
        print_message("nothing was swapped out\n");
    catnap_pool_delete(pool);
}

/* A slot takes the room of one of another pool's, whose memory was all written. */
static void pools_leave_each_other_nothing(void **state) {
    for (int i = 0; i < 4; i++) {
        catnap_pool_options_t options = defaults();
        options.prepare = prepare_state;
        wasm_engine_t *engine = engine_with(CATNAP_TRACKING_AUTO, false);
        wasm_store_t *store = wasm_store_new(engine);
        catnap_pool_t *pool = OPEN(store, state_module, &options);
        catnap_pool_slot_t *slot = acquire(pool, 0);
        assert_no_error(catnap_store_set_fuel(catnap_pool_slot_store(slot), UINT64_C(1) << 40));
        ON(slot, "grow", 30);
        ON(slot, "fill", 0, 0x55, 35 * 65536);
        assert_no_error(i % 2 ? catnap_pool_discard(slot) : catnap_pool_release(slot));
        catnap_pool_delete(pool);
        pool = OPEN(STORE(state), state_module, NULL);
        slot = acquire(pool, 0);
        ON(slot, "grow", 40);
        wasm_memory_t *memory = EXPORT(memory, catnap_pool_slot_instance(slot), "m");
        const char *data = wasm_memory_data(memory);
        assert_int_equal(data[0], 0);
        assert_memory_equal(data, data + 1, 42 * 65536 - 1);
        wasm_memory_delete(memory);
        release(slot);
        catnap_pool_delete(pool);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
    }
}

/* ---- The state of WASI ---- */

struct directory {
    char path[TEMPORARY_PATH], file[TEMPORARY_PATH + 8];
};

static catnap_error_t *link_wasi(void *env, catnap_pool_slot_t *slot, catnap_linker_t *linker) {
    const struct directory *directory = env;
    catnap_wasi_t *wasi = catnap_pool_slot_wasi(slot);
    catnap_error_t *error = catnap_wasi_add_argument(wasi, "guest");
    (void)linker;
    if (!error)
        error = catnap_wasi_add_environment(wasi, "A", "short");
    if (!error)
        error = catnap_wasi_set_stdin_bytes(wasi, "xyz", 3);
    if (!error)
        error = catnap_wasi_set_output_buffer(wasi, 1, 100);
    if (!error)
        error = catnap_wasi_preopen_dir(wasi, directory->path, "/", CATNAP_WASI_DIR_READ_ONLY);
    return error;
}

/* Descriptor 4 is open, after its first byte. */
static catnap_error_t *prepare_wasi(void *env, catnap_pool_slot_t *slot) {
    (void)env;
    assert_int_equal(ON(slot, "open"), 4);
    assert_int_equal(ON(slot, "read", 4), 'a');
    return NULL;
}

static int count_descriptors(void) {
    int count = 0;
    for (int i = 0; i < 256; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

static void assert_wasi_as_new(catnap_pool_slot_t *slot) {
    size_t length;
    assert_int_equal(ON(slot, "args"), 1);
    assert_int_equal(ON(slot, "environ"), strlen("A=short") + 1);
    assert_int_equal(ON(slot, "read", 0), 'x');
    assert_int_equal(ON(slot, "read", 4), 'b');
    assert_null(catnap_wasi_output(catnap_pool_slot_wasi(slot), 1, &length));
}

static void change_wasi(catnap_pool_slot_t *slot, int round) {
    catnap_wasi_t *wasi = catnap_pool_slot_wasi(slot);
    assert_no_error(catnap_wasi_add_argument(wasi, "more"));
    assert_no_error(catnap_wasi_add_environment(wasi, "A", "much longer than before"));
    assert_no_error(catnap_wasi_add_environment(wasi, "B", "b"));
    assert_int_equal(ON(slot, "args"), 2);
    assert_int_equal(ON(slot, "write", 1, 's'), 0);
    assert_int_equal(ON(slot, "open"), 5);
    if (round % 2) {
        assert_int_equal(ON(slot, "close", 4), 0);
        assert_int_equal(ON(slot, "close", 3), 0);
        assert_no_error(catnap_wasi_set_stdin_bytes(wasi, "other", 5));
        assert_no_error(catnap_wasi_set_output_buffer(wasi, 1, 5));
    }
    if (round % 3 == 0)
        assert_int_equal(ON(slot, "close", 0), 0);
    if (round % 4 == 0) {
        wasm_trap_t *trap = CALL_TRAP(catnap_pool_slot_instance(slot), "exit", 3);
        wasm_trap_delete(trap);
    }
}

static void wasi_goes_back(void **state) {
    struct directory directory;
    assert_true(temporary_directory(directory.path, sizeof directory.path));
    snprintf(directory.file, sizeof directory.file, "%s/file", directory.path);
    int file = open(directory.file, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(file, "abc", 3), 3);
    close(file);
    int before = count_descriptors();
    catnap_pool_options_t options = defaults();
    options.wasi = true;
    options.link = link_wasi;
    options.prepare = prepare_wasi;
    options.env = &directory;
    options.min_slots = 1;
    catnap_pool_t *pool = OPEN(STORE(state), wasi_module, &options);
    int open_now = count_descriptors();
    for (int round = 0; round < 12; round++) {
        catnap_pool_slot_t *slot = acquire(pool, 0);
        assert_wasi_as_new(slot);
        change_wasi(slot, round);
        release(slot);
        assert_int_equal(count_descriptors(), open_now);
    }
    assert_int_equal(stats_of(pool).instantiations, 1);
    assert_int_equal(stats_of(pool).reset_trap, 3);
    catnap_pool_delete(pool);
    assert_true(count_descriptors() <=
                before + 2); /* what finds written pages stays with the engine */
    unlink(directory.file);
    rmdir(directory.path);
}

/* ---- Remains in the store ---- */

static wasm_trap_t *add_one(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                            catnap_val_t *results) {
    (void)env;
    (void)caller;
    results[0].of.i32 = arguments[0].of.i32 + 1;
    return NULL;
}

static wasm_func_t *host_func(wasm_store_t *store, catnap_callback_t callback, void *env) {
    wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    wasm_func_t *func = catnap_func_new(store, type, callback, env, NULL, NULL);
    wasm_functype_delete(type);
    return func;
}

static catnap_error_t *define_f(catnap_linker_t *linker, catnap_callback_t callback, void *env) {
    wasm_func_t *func = host_func(catnap_linker_store(linker), callback, env);
    if (!func)
        return catnap_error_new(CATNAP_NO_MEMORY, "no memory for f");
    catnap_error_t *error =
        catnap_linker_define(linker, "host", 4, "f", 1, wasm_func_as_extern(func));
    wasm_func_delete(func);
    return error;
}

static catnap_error_t *link_host(void *env, catnap_pool_slot_t *slot, catnap_linker_t *linker) {
    (void)slot;
    return define_f(linker, add_one, env);
}

static void handles_cost_the_slot(void **state) {
    catnap_pool_options_t options = defaults();
    options.link = link_host;
    options.reset_calls = 0;
    catnap_pool_t *pool = OPEN(STORE(state), host_module, &options);
    catnap_pool_slot_t *slot = acquire(pool, 0);
    wasm_func_t *func = EXPORT(func, catnap_pool_slot_instance(slot), "call");
    release(slot);
    assert_int_equal(stats_of(pool).retired_left_over, 1);
    int32_t result;
    assert_trap(call_i32(func, (int32_t[]){1}, &result), CATNAP_TRAP_HOST, "deleted");
    wasm_func_delete(func);

    slot = acquire(pool, 0);
    wasm_trap_t *trap = wasm_trap_new(catnap_pool_slot_store(slot), &(wasm_message_t){2, "x"});
    release(slot);
    wasm_trap_delete(trap);
    slot = acquire(pool, 0);
    catnap_linker_t *linker = catnap_linker_new(catnap_pool_slot_store(slot));
    release(slot);
    catnap_linker_delete(linker);
    slot = acquire(pool, 0);
    wasm_instance_t *instance = wasm_instance_copy(catnap_pool_slot_instance(slot));
    release(slot);
    wasm_instance_delete(instance);
    assert_int_equal(stats_of(pool).retired_left_over, 4);

    slot = acquire(pool, 0); /* the same, without anything left */
    func = EXPORT(func, catnap_pool_slot_instance(slot), "call");
    assert_no_trap(call_i32(func, (int32_t[]){41}, &result));
    assert_int_equal(result, 42);
    wasm_func_delete(func);
    release(slot);
    assert_int_equal(stats_of(pool).retired_left_over, 4);
    catnap_pool_delete(pool);
}

static int finalized;
static void count_finalizer(void *env) {
    (void)env;
    finalized++;
}

/* Objects without a reference after a reset are freed. */
static void objects_do_not_pile_up(void **state) {
    catnap_pool_options_t options = defaults();
    options.link = link_host;
    catnap_pool_t *pool = OPEN(STORE(state), host_module, &options);
    finalized = 0;
    for (int i = 1; i <= 50; i++) {
        catnap_pool_slot_t *slot = acquire(pool, 0);
        wasm_store_t *store = catnap_pool_slot_store(slot);
        wasm_foreign_t *foreign = wasm_foreign_new(store);
        wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
        wasm_func_t *keep = EXPORT(func, catnap_pool_slot_instance(slot), "keep");
        catnap_val_t value = {.kind = WASM_EXTERNREF, .of.ref = wasm_foreign_as_ref(foreign)};
        assert_no_trap(catnap_func_call(keep, &value, 1, NULL, 0));
        wasm_foreign_delete(foreign);
        wasm_func_delete(keep);
        assert_int_equal(finalized, i - 1);
        release(slot);
        assert_int_equal(finalized, i);
    }
    assert_int_equal(stats_of(pool).instantiations, 1);
    catnap_pool_slot_t *slot = acquire(pool, 0);
    wasm_store_t *store = catnap_pool_slot_store(slot);
    wasm_instance_t *more = INSTANTIATE(store, state_module);
    wasm_instance_delete(more);
    release(slot);
    assert_int_equal(stats_of(pool).retired_left_over, 0);
    assert_int_equal(stats_of(pool).instantiations, 1);
    catnap_pool_delete(pool);
}

static void runs_end_with_their_tenant(void **state) {
    (void)state;
    wasm_engine_t *engine = engine_with(CATNAP_TRACKING_AUTO, false);
    wasm_store_t *store = wasm_store_new(engine);
    catnap_pool_options_t options = defaults();
    options.reset_calls = 0;
    options.link = link_host;
    catnap_pool_t *pool = OPEN(store, host_module, &options);
    for (int kept = 0; kept < 2; kept++) {
        catnap_pool_slot_t *slot = acquire(pool, 0);
        catnap_error_t *error;
        catnap_val_t argument = {.kind = WASM_I32, .of.i32 = 1000}, result;
        wasm_trap_t *trap;
        wasm_func_t *deep = EXPORT(func, catnap_pool_slot_instance(slot), "deep");
        catnap_run_t *run = catnap_run_new(deep, &argument, 1, &error);
        assert_no_error(error);
        wasm_func_delete(deep);
        assert_no_error(catnap_store_set_fuel(catnap_pool_slot_store(slot), 100));
        assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
        if (!kept)
            catnap_run_delete(run);
        release(slot);
        assert_int_equal(stats_of(pool).reset_trap, 1);
        assert_int_equal(stats_of(pool).retired_left_over, kept);
        if (!kept)
            continue;
        assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_MISUSE);
        catnap_run_delete(run);
    }
    catnap_pool_delete(pool);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

static wasm_trap_t *release_inside(void *env, catnap_caller_t *caller,
                                   const catnap_val_t *arguments, catnap_val_t *results) {
    catnap_pool_slot_t *slot = *(catnap_pool_slot_t **)env;
    (void)caller;
    assert_error(catnap_pool_release(slot), CATNAP_MISUSE, "under way");
    assert_error(catnap_pool_discard(slot), CATNAP_MISUSE, "under way");
    assert_error(catnap_pool_slot_reset(slot), CATNAP_MISUSE, "under way");
    results[0] = arguments[0];
    return NULL;
}

static catnap_error_t *link_release(void *env, catnap_pool_slot_t *slot, catnap_linker_t *linker) {
    (void)slot;
    return define_f(linker, release_inside, env);
}

static void calls_under_way_keep_a_slot(void **state) {
    catnap_pool_slot_t *slot = NULL;
    catnap_pool_options_t options = defaults();
    options.link = link_release;
    options.env = &slot;
    catnap_pool_t *pool = OPEN(STORE(state), host_module, &options);
    slot = acquire(pool, 0);
    assert_int_equal(ON(slot, "call", 5), 5);
    release(slot);
    assert_error(catnap_pool_release(slot), CATNAP_MISUSE, "not in use");
    assert_error(catnap_pool_discard(slot), CATNAP_MISUSE, "not in use");
    assert_error(catnap_pool_slot_reset(slot), CATNAP_MISUSE, "not in use");
    catnap_pool_delete(pool);
}

/* Of the process, in pages; 0 where a sanitizer keeps memory of its own for what is written. */
static size_t resident_pages(void) {
    unsigned long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return SANITIZED ? 0 : resident;
}

/* A deep call's stack goes back, so that many slots do not keep one each. */
static void deep_calls_leave_no_stack(void **state) {
    catnap_pool_options_t options = defaults();
    options.link = link_host;
    options.limits.value_stack_bytes = 8 << 20;
    options.limits.call_depth = 1000000;
    catnap_pool_t *pool = OPEN(STORE(state), host_module, &options);
    catnap_pool_slot_t *slot = acquire(pool, 0);
    size_t before = resident_pages();
    assert_trap(CALL_TRAP(catnap_pool_slot_instance(slot), "deep", 1000000),
                CATNAP_TRAP_STACK_OVERFLOW, "exhausted");
    size_t deep = resident_pages();
    release(slot);
    assert_true(deep == 0 || (deep > before + 1500 && resident_pages() < before + 500));
    assert_int_equal(once(pool, 0, "deep", 1000, 0), 1000);
    catnap_pool_delete(pool);
}

/* ---- Making slots ---- */

struct makings {
    int linked, prepared, disposed;
    int fail_link, fail_prepare; /* at which call */
    wasm_memory_t *memory;
};

static catnap_error_t *link_counted(void *env, catnap_pool_slot_t *slot, catnap_linker_t *linker) {
    struct makings *makings = env;
    catnap_pool_slot_set_data(slot, makings);
    if (++makings->linked == makings->fail_link)
        return catnap_error_new(CATNAP_IO, "no link today");
    return define_f(linker, add_one, NULL);
}

static catnap_error_t *prepare_counted(void *env, catnap_pool_slot_t *slot) {
    struct makings *makings = env;
    if (++makings->prepared == makings->fail_prepare)
        return catnap_error_new(CATNAP_TRAP, "not ready");
    ON(slot, "init");
    makings->memory = EXPORT(memory, catnap_pool_slot_instance(slot), "m");
    return NULL;
}

static void dispose_counted(void *env, catnap_pool_slot_t *slot) {
    struct makings *makings = env;
    assert_ptr_equal(catnap_pool_slot_data(slot), makings);
    makings->disposed++;
    wasm_memory_delete(makings->memory);
    makings->memory = NULL;
}

static void slots_are_made_ready(void **state) {
    static const char *const names[] = {"ready", "call"};
    struct makings makings = {0};
    catnap_pool_options_t options = defaults();
    options.link = link_counted;
    options.prepare = prepare_counted;
    options.dispose = dispose_counted;
    options.env = &makings;
    options.functions = names;
    options.function_count = COUNT(names);
    options.min_slots = options.max_slots = 1;
    catnap_pool_t *pool = OPEN(STORE(state), host_module, &options);
    assert_int_equal(makings.prepared, 1);
    for (int i = 0; i < 3; i++) {
        catnap_pool_slot_t *slot = acquire(pool, 0);
        assert_ptr_equal(catnap_pool_slot_data(slot), &makings);
        assert_int_equal(wasm_memory_data(makings.memory)[0], 77);
        wasm_memory_data(makings.memory)[0] = 1;
        catnap_val_t argument = {.kind = WASM_I32, .of.i32 = 5}, result;
        const wasm_func_t *ready = catnap_pool_slot_function(slot, 0);
        assert_no_trap(catnap_func_call(ready, NULL, 0, &result, 1));
        assert_int_equal(result.of.i32, 1);
        const wasm_func_t *call = catnap_pool_slot_function(slot, 1);
        assert_no_trap(catnap_func_call(call, &argument, 1, &result, 1));
        assert_int_equal(result.of.i32, 6);
        assert_null(catnap_pool_slot_function(slot, 2));
        release(slot);
    }
    assert_int_equal(makings.disposed, 0);
    catnap_pool_delete(pool);
    assert_int_equal(makings.disposed, 1);
}

static void failures_are_the_callers(void **state) {
    struct makings makings = {.fail_link = 1, .fail_prepare = 2};
    catnap_pool_options_t options = defaults();
    options.link = link_counted;
    options.prepare = prepare_counted;
    options.dispose = dispose_counted;
    options.env = &makings;
    options.max_slots = 1;
    catnap_pool_t *pool = OPEN(STORE(state), host_module, &options);
    refuse(pool, 0, CATNAP_IO, "no link today");
    assert_int_equal(once(pool, 0, "ready", 0, 0), 1); /* the place is not lost */
    assert_no_error(catnap_pool_discard(acquire(pool, 0)));
    refuse(pool, 0, CATNAP_TRAP, "not ready");
    assert_int_equal(once(pool, 0, "ready", 0, 0), 1);
    catnap_pool_stats_t stats = stats_of(pool);
    assert_int_equal(stats.failures, 2);
    assert_int_equal(stats.instantiations, 2);
    assert_int_equal(stats.retired_asked, 1);
    assert_int_equal(makings.disposed, 3);
    catnap_pool_delete(pool);
    assert_int_equal(makings.disposed, 4);
}

static void wrong_options_are_told(void **state) {
    static const char *const wrong[] = {"m"}, *const none[] = {NULL};
    wasm_module_t *module = LOAD(STORE(state), state_module);
    catnap_pool_options_t options = defaults();
    catnap_error_t *error;
    options.functions = wrong;
    options.function_count = 1;
    assert_null(catnap_pool_new(module, &options, &error));
    assert_error(error, CATNAP_NOT_FOUND, "\"m\"");
    options.functions = none;
    assert_null(catnap_pool_new(module, &options, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    options.functions = NULL;
    assert_null(catnap_pool_new(module, &options, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    assert_null(catnap_pool_new(NULL, NULL, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    options = defaults();
    options.max_slots = 0;
    assert_null(catnap_pool_new(module, &options, NULL));
    options.max_slots = 1;
    options.min_slots = 2;
    assert_null(catnap_pool_new(module, &options, NULL));
    wasm_module_delete(module);
    module = LOAD(STORE(state), start_module);
    options.min_slots = 1;
    assert_null(catnap_pool_new(module, &options, &error));
    assert_error(error, CATNAP_TRAP, "unreachable");
    wasm_module_delete(module);
    module = LOAD(STORE(state), host_module);
    assert_null(catnap_pool_new(module, &options, &error));
    assert_error(error, CATNAP_LINK, "unknown import");
    wasm_module_delete(module);
    assert_null(catnap_pool_acquire(NULL, 0, 0, &error));
    assert_error(error, CATNAP_MISUSE, "NULL");
    assert_error(catnap_pool_release(NULL), CATNAP_MISUSE, "NULL");
    assert_error(catnap_pool_warm(NULL, 1), CATNAP_MISUSE, "NULL");
    catnap_pool_trim(NULL, 0);
    catnap_pool_delete(NULL);
    catnap_pool_options_default(NULL);
    catnap_pool_stats(NULL, NULL);
    assert_null(catnap_pool_slot_store(NULL));
    assert_null(catnap_pool_slot_instance(NULL));
    assert_null(catnap_pool_slot_function(NULL, 0));
    assert_null(catnap_pool_slot_wasi(NULL));
    assert_null(catnap_pool_slot_data(NULL));
    catnap_pool_slot_set_data(NULL, NULL);
}

static void pools_are_warmed_and_trimmed(void **state) {
    catnap_pool_options_t options = defaults();
    options.min_slots = 2;
    options.max_slots = 5;
    options.reset_calls = 0;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    assert_int_equal(stats_of(pool).slots, 2);
    assert_no_error(catnap_pool_warm(pool, 4));
    assert_int_equal(stats_of(pool).slots, 4);
    assert_no_error(catnap_pool_warm(pool, 100));
    assert_int_equal(stats_of(pool).slots, 5);
    assert_no_error(catnap_pool_warm(pool, 3));
    assert_int_equal(stats_of(pool).slots, 5);
    once(pool, 9, "store", 8, 9);
    catnap_pool_slot_t *slot = acquire(pool, 1);
    catnap_pool_trim(pool, 3);
    assert_int_equal(stats_of(pool).slots, 3);
    catnap_pool_trim(pool, 2);
    assert_int_equal(once(pool, 9, "load", 8, 0), 9); /* those as new went first */
    catnap_pool_trim(pool, 0);
    assert_int_equal(stats_of(pool).slots, 1); /* what is out stays */
    assert_int_equal(stats_of(pool).retired_asked, 4);
    ON(slot, "store", 8, 1);
    release(slot);
    catnap_pool_delete(pool);
}

/* A callback that stands still until it is let go. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool reached, open;
    catnap_pool_t *pool;
    catnap_status_t status;
};

static void stand_still(struct gate *gate) {
    pthread_mutex_lock(&gate->mutex);
    gate->reached = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static void await_reached(struct gate *gate) {
    pthread_mutex_lock(&gate->mutex);
    while (!gate->reached)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static void open_gate(struct gate *gate) {
    pthread_mutex_lock(&gate->mutex);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

static catnap_error_t *prepare_still(void *env, catnap_pool_slot_t *slot) {
    (void)slot;
    stand_still(env);
    return NULL;
}

static void dispose_still(void *env, catnap_pool_slot_t *slot) {
    (void)slot;
    stand_still(env);
}

static void *warm_in_thread(void *env) {
    struct gate *gate = env;
    catnap_error_t *error = catnap_pool_warm(gate->pool, 3);
    gate->status = catnap_error_status(error);
    catnap_error_delete(error);
    return NULL;
}

static void *trim_in_thread(void *env) {
    struct gate *gate = env;
    catnap_pool_trim(gate->pool, 0);
    return NULL;
}

/* The pool goes while another thread makes or ends slots of it; nothing is left. */
static void pools_may_go_meanwhile(void **state) {
    (void)state;
    for (int trim = 0; trim < 2; trim++) {
        struct gate gate = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER};
        struct injector injector = {.fail_at = UINT64_MAX - 2};
        pthread_mutex_init(&injector.mutex, NULL);
        catnap_allocator_t allocator = {injected_realloc, &injector};
        wasm_config_t *config = wasm_config_new();
        catnap_config_set_allocator(config, &allocator);
        wasm_engine_t *engine = wasm_engine_new_with_config(config);
        wasm_store_t *store = wasm_store_new(engine);
        catnap_pool_options_t options = defaults();
        options.env = &gate;
        options.min_slots = trim ? 1 : 0;
        options.max_slots = 5;
        options.prepare = trim ? NULL : prepare_still;
        options.dispose = trim ? dispose_still : NULL;
        gate.pool = OPEN(store, state_module, &options);
        pthread_t thread;
        assert_int_equal(
            pthread_create(&thread, NULL, trim ? trim_in_thread : warm_in_thread, &gate), 0);
        await_reached(&gate);
        catnap_pool_delete(gate.pool);
        open_gate(&gate);
        pthread_join(thread, NULL);
        assert_int_equal(gate.status, trim ? CATNAP_OK : CATNAP_MISUSE);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
        assert_int_equal(injector.held, 0);
        pthread_mutex_destroy(&injector.mutex);
    }
}

static wasm_trap_t *never_called(const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
    (void)arguments;
    (void)results;
    return NULL;
}

/* An allocator that asks the engine and the pool, as one does that shares a lock with their callers:
 * whatever they lock must be free. */
struct asking_allocator {
    wasm_store_t *store; /* a second one of the engine, or NULL */
    catnap_pool_t *pool;
    bool asks;
    uint64_t asked;
};

static void ask(struct asking_allocator *asking) {
    catnap_pool_stats_t stats;
    wasm_functype_t *type =
        wasm_functype_new_1_1(wasm_valtype_new(WASM_F32), wasm_valtype_new(WASM_F64));
    wasm_func_delete(wasm_func_new(asking->store, type, never_called));
    wasm_functype_delete(type);
    catnap_pool_stats(asking->pool, &stats);
    asking->asked++;
}

static void *asking_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct asking_allocator *asking = env;
    (void)old_size;
    if (asking->store && !asking->asks) {
        asking->asks = true;
        ask(asking);
        asking->asks = false;
    }
    if (new_size > 0)
        return realloc(pointer, new_size);
    free(pointer);
    return NULL;
}

static void allocators_are_called_without_a_lock(void **state) {
    (void)state;
    struct asking_allocator asking = {0};
    catnap_allocator_t allocator = {asking_realloc, &asking};
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_allocator(config, &allocator);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine), *second = wasm_store_new(engine);
    catnap_pool_options_t options = defaults();
    options.max_slots = 100;
    catnap_pool_t *pool = OPEN(store, state_module, &options);
    alarm(300); /* what waits for itself ends here */
    asking.pool = pool;
    asking.store = second;
    catnap_pool_slot_t *slots[10];
    for (size_t i = 0; i < COUNT(slots); i++)
        slots[i] = acquire(pool, i);
    for (size_t i = 0; i < COUNT(slots); i++)
        release(slots[i]);
    assert_no_error(catnap_pool_warm(pool, 12));
    catnap_pool_trim(pool, 0);
    for (uint32_t i = 0; i < 100; i++) { /* types of their own, so that the registry grows */
        wasm_valtype_t *types[100];
        wasm_valtype_vec_t parameters, results;
        for (uint32_t k = 0; k <= i; k++)
            types[k] = wasm_valtype_new(WASM_I64);
        wasm_valtype_vec_new(&parameters, i + 1, types);
        wasm_valtype_vec_new_empty(&results);
        wasm_functype_t *type = wasm_functype_new(&parameters, &results);
        wasm_func_t *func = wasm_func_new(store, type, never_called); /* goes with the store */
        assert_true(catnap_slot_of_ref(wasm_func_as_ref(func)) != 0);
        wasm_func_delete(func);
        wasm_functype_delete(type);
    }
    assert_true(asking.asked > 100);
    asking.store = NULL;
    alarm(0);
    catnap_pool_delete(pool);
    wasm_store_delete(second);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

/* ---- Bounds ---- */

static int count_mappings(void) {
    FILE *file = fopen("/proc/self/maps", "r");
    int count = 0;
    for (int c; file && (c = fgetc(file)) != EOF;)
        count += c == '\n';
    if (file)
        fclose(file);
    return count;
}

/* A process may have 65,530, and a pool is to have many slots. */
static void slots_take_few_mappings(void **state) {
    enum { FIRST = 64, SLOTS = 192 };
    catnap_pool_options_t options = defaults();
    catnap_pool_slot_t *slots[SLOTS];
    options.max_slots = SLOTS;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    int before = 0;
    for (int i = 0; i < SLOTS; i++) {
        slots[i] = acquire(pool, 0);
        if (i == FIRST - 1)
            before = count_mappings();
    }
    assert_true(count_mappings() - before <= (SLOTS - FIRST) * 9 / 4);
    for (int i = 0; i < SLOTS; i++)
        release(slots[i]);
    catnap_pool_delete(pool);
}

/* So many mappings of one page each, with what is between them. */
static size_t make_mappings(uint8_t **pages, size_t count) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = count * page;
    *pages = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(*pages != MAP_FAILED);
    for (size_t i = 0; i < count; i += 2)
        assert_int_equal(mprotect(*pages + i * page, page, PROT_READ), 0);
    return size;
}

/* The pool leaves a sixteenth of them to the host, and looks at each 256th slot. */
static void a_lack_of_mappings_is_told(void **state) {
    unsigned long most = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    bool known = file && fscanf(file, "%lu", &most) == 1;
    if (file)
        fclose(file);
    if (!known || most > 1000000 || most < 20000)
        skip();
    catnap_pool_options_t options = defaults();
    uint8_t *pages;
    options.max_slots = 300;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    assert_no_error(catnap_pool_warm(pool, 255));
    size_t size = make_mappings(&pages, most - most / 32 - (size_t)count_mappings());
    assert_error(catnap_pool_warm(pool, 256), CATNAP_LIMIT, "max_map_count");
    assert_error(catnap_pool_warm(pool, 256), CATNAP_LIMIT, "max_map_count");
    assert_int_equal(stats_of(pool).slots, 255);
    munmap(pages, size);
    assert_no_error(catnap_pool_warm(pool, 257));
    catnap_pool_delete(pool);
}

static void limits_hold_for_each_slot(void **state) {
    catnap_pool_options_t options = defaults();
    options.limits.memory_bytes = 4 * 65536 + 5 * 8; /* tables of five elements */
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    for (int i = 0; i < 3; i++) {
        catnap_pool_slot_t *slot = acquire(pool, 0);
        assert_int_equal(ON(slot, "grow", 3), -1);
        assert_int_equal(ON(slot, "grow", 2), 2);
        release(slot);
    }
    catnap_pool_delete(pool);
}

/* Two pages, and tables of five elements, for each; memories are empty, so that there are no
 * copies. */
#define TABLE_BYTES (5 * 8)
#define SLOT_BYTES (2 * 65536 + TABLE_BYTES)

static void memory_of_all_is_bounded(void **state) {
    catnap_pool_options_t options = defaults();
    options.memory_bytes = 3 * SLOT_BYTES + 65536;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    catnap_pool_slot_t *slots[3];
    for (size_t i = 0; i < COUNT(slots); i++)
        slots[i] = acquire(pool, 0);
    assert_int_equal(stats_of(pool).memory_bytes, 3 * SLOT_BYTES);
    refuse(pool, 0, CATNAP_BUSY, "in use"); /* there is no room for a fourth */
    assert_int_equal(ON(slots[0], "grow", 1), 2);
    assert_int_equal(ON(slots[1], "grow", 1), -1);
    assert_int_equal(ON(slots[1], "grow_f", 1), -1);
    assert_int_equal(stats_of(pool).memory_bytes, options.memory_bytes);
    release(slots[0]);
    assert_int_equal(stats_of(pool).memory_bytes, 3 * SLOT_BYTES);
    assert_int_equal(ON(slots[1], "grow_f", 10), 3);
    assert_int_equal(ON(slots[1], "grow", 1), -1);
    assert_no_error(catnap_pool_discard(slots[1]));
    assert_int_equal(ON(slots[2], "grow", 2), 2);
    release(slots[2]);
    catnap_pool_trim(pool, 0);
    assert_int_equal(stats_of(pool).memory_bytes, 0);
    assert_int_equal(stats_of(pool).memory_peak_bytes, options.memory_bytes);
    catnap_pool_delete(pool);
}

static void copies_count(void **state) {
    (void)state;
    wasm_engine_t *engine = engine_with(CATNAP_TRACKING_AUTO, false);
    wasm_store_t *store = wasm_store_new(engine);
    catnap_pool_options_t options = defaults();
    options.prepare = prepare_state;
    catnap_pool_t *pool = OPEN(store, state_module, &options);
    release(acquire(pool, 0));
    uint64_t bytes = stats_of(pool).memory_bytes;
    assert_true(bytes >= 5 * 65536 + 27 * 4096);
    catnap_pool_delete(pool);
    options.memory_bytes = bytes - 1;
    pool = OPEN(store, state_module, &options);
    refuse(pool, 0, CATNAP_LIMIT, "pool's limit");
    assert_true(stats_of(pool).memory_bytes <= 25 * 4096 + 4096); /* left for the next attempt */
    catnap_pool_delete(pool);
    options.memory_bytes = 65536;
    pool = OPEN(store, state_module, &options);
    refuse(pool, NS_PER_MS, CATNAP_LIMIT, "limit that several stores share");
    catnap_pool_delete(pool);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

/* Each slot has a page that is not as the others'. */
static catnap_error_t *prepare_numbered(void *env, catnap_pool_slot_t *slot) {
    atomic_int *number = env;
    catnap_error_t *error = prepare_large(NULL, slot);
    int32_t mine = atomic_fetch_add(number, 1) + 1;
    ON(slot, "store", 100 * 4096, mine);
    ON(slot, "store", 200 * 4096, 5);
    catnap_pool_slot_set_data(slot, (void *)(intptr_t)mine);
    return error;
}

static void assert_numbered(catnap_pool_slot_t *slot) {
    int32_t mine = (int32_t)(intptr_t)catnap_pool_slot_data(slot);
    assert_int_equal(ON(slot, "load", 100 * 4096), mine);
    assert_int_equal(ON(slot, "load", 200 * 4096), 5);
    for (int32_t page = 0; page < 24 * 16; page++)
        if (page != 100 && page != 200)
            assert_int_equal(ON(slot, "load", page * 4096), page < 20 * 16 ? 0x01010101 : 0);
}

/* A snapshot has what is shared, too. */
static void assert_captured(catnap_pool_slot_t *slot) {
    catnap_error_t *error;
    wasm_instance_t *copy;
    wasm_store_t *store = catnap_pool_slot_store(slot);
    catnap_snapshot_t *snapshot = catnap_snapshot_take(store, NULL, &error);
    assert_no_error(error);
    wasm_store_t *other = wasm_store_new(catnap_store_engine(store));
    catnap_linker_t *linker = catnap_linker_new(other);
    assert_no_error(catnap_snapshot_restore(snapshot, linker, NULL, &copy, NULL));
    for (int32_t page = 0; page < 24 * 16; page++)
        assert_int_equal(CALL(copy, "load", page * 4096), ON(slot, "load", page * 4096));
    wasm_instance_delete(copy);
    catnap_linker_delete(linker);
    wasm_store_delete(other);
    catnap_snapshot_delete(snapshot);
}

static void slots_share_what_is_the_same(void **state) {
    atomic_int number = 0;
    catnap_pool_options_t options = defaults();
    options.prepare = prepare_numbered;
    options.env = &number;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    catnap_pool_slot_t *slots[4];
    uint64_t before = 0;
    for (size_t i = 0; i < COUNT(slots); i++) {
        slots[i] = acquire(pool, 0);
        uint64_t bytes = stats_of(pool).memory_bytes, more = bytes - before;
        /* The first has 24 pages and a copy of 20; the others have 24 and, where written pages are
         * found by protection, a copy of the one that is their own. */
        bool shared = more == 24 * 65536 + TABLE_BYTES + 4096;
        bool apart = more == 44 * 65536 + TABLE_BYTES;
        assert_true(apart || (i > 0 && shared));
        before = bytes;
    }
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT(slots); i++)
            assert_numbered(slots[i]);
        for (size_t i = 0; i < COUNT(slots); i += 2)
            ON(slots[i], "fill", 0, round, 24 * 65536);
        for (size_t i = 1; i < COUNT(slots); i += 2) {
            ON(slots[i], "fill", 99 * 4096, round, 3 * 4096);
            page_out_memory(slots[i]);
        }
        for (size_t i = 0; i < COUNT(slots); i++)
            release(slots[i]);
        for (size_t i = 0; i < COUNT(slots); i++)
            slots[i] = acquire(pool, 0);
    }
    /* Nested checkpoints write into the copies, and the first slot may go. */
    for (size_t i = 0; i < COUNT(slots); i++) {
        wasm_store_t *store = catnap_pool_slot_store(slots[i]);
        ON(slots[i], "fill", 50 * 4096, 9, 100 * 4096);
        assert_no_error(catnap_store_checkpoint(store, NULL));
        ON(slots[i], "fill", 60 * 4096, 8, 100 * 4096);
        assert_no_error(catnap_store_checkpoint(store, NULL));
        assert_no_error(catnap_store_rollback(store, 2));
        assert_int_equal(ON(slots[i], "load", 70 * 4096), 0x09090909);
        assert_no_error(catnap_pool_slot_reset(slots[i]));
        assert_numbered(slots[i]);
    }
    assert_captured(slots[1]);
    assert_no_error(catnap_pool_discard(slots[0]));
    slots[0] = acquire(pool, 0);
    assert_numbered(slots[0]);
    for (size_t i = 0; i < COUNT(slots); i++)
        release(slots[i]);
    catnap_pool_delete(pool);
}

/* A slot that was given up counts in the limit while handles keep its memory. */
static void kept_stores_count(void **state) {
    catnap_pool_options_t options = defaults();
    options.memory_bytes = 2 * SLOT_BYTES;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    catnap_pool_slot_t *slot = acquire(pool, 0);
    wasm_memory_t *memory = EXPORT(memory, catnap_pool_slot_instance(slot), "m");
    release(slot);
    assert_int_equal(stats_of(pool).slots, 0);
    assert_int_equal(stats_of(pool).memory_bytes, SLOT_BYTES);
    release(acquire(pool, 0));
    catnap_pool_delete(pool);
    wasm_memory_delete(memory);
}

static void a_million_resets_hold_memory(void **state) {
    wasm_store_t *store = STORE(state);
    static const char *const names[] = {"store"};
    catnap_pool_options_t options = defaults();
    options.functions = names;
    options.function_count = 1;
    options.max_slots = 1;
    catnap_pool_t *pool = OPEN(store, state_module, &options);
    uint64_t before = 0, now;
    for (int32_t i = 0; i < 20000; i++) {
        catnap_pool_slot_t *slot = acquire(pool, (uint64_t)i % 5);
        catnap_val_t arguments[] = {{.kind = WASM_I32, .of.i32 = i % 20 * 4096},
                                    {.kind = WASM_I32, .of.i32 = i}};
        const wasm_func_t *func = catnap_pool_slot_function(slot, 0);
        assert_no_trap(catnap_func_call(func, arguments, 2, NULL, 0));
        if (i % 100 == 0)
            ON(slot, "grow_f", 1900);
        release(slot);
        if (i == 1000)
            catnap_engine_memory(catnap_store_engine(store), &before, NULL);
    }
    catnap_engine_memory(catnap_store_engine(store), &now, NULL);
    assert_true(now == before);
    assert_int_equal(stats_of(pool).instantiations, 1);
    catnap_pool_delete(pool);
}

/* ---- Waiting ---- */

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void nobody_waits_longer_than_wanted(void **state) {
    catnap_pool_options_t options = defaults();
    options.max_slots = 1;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    catnap_pool_slot_t *slot = acquire(pool, 0);
    refuse(pool, 0, CATNAP_BUSY, "in use");
    uint64_t begin = now_ns();
    refuse(pool, 20 * NS_PER_MS, CATNAP_BUSY, "in use");
    assert_true(now_ns() - begin >= 20 * NS_PER_MS);
    catnap_pool_stats_t stats = stats_of(pool);
    assert_int_equal(stats.waits, 1);
    assert_int_equal(stats.timeouts, 2);
    assert_int_equal(stats.waiting, 0);
    release(slot);
    release(acquire(pool, 0));
    catnap_pool_delete(pool);
}

struct customer {
    catnap_pool_t *pool;
    uint64_t tenant, timeout_ns;
    catnap_error_t *error;
    pthread_t thread;
    int32_t found;
    atomic_int *turn;
    int order;
};

static void *visit(void *env) {
    struct customer *customer = env;
    catnap_pool_slot_t *slot = catnap_pool_acquire(customer->pool, customer->tenant,
                                                   customer->timeout_ns, &customer->error);
    if (!slot)
        return NULL;
    customer->order = atomic_fetch_add(customer->turn, 1);
    customer->found = ON(slot, "load", 8);
    ON(slot, "store", 8, (int32_t)customer->tenant);
    release(slot);
    return NULL;
}

static void start(struct customer *customer) {
    uint64_t waits = stats_of(customer->pool).waits;
    assert_int_equal(pthread_create(&customer->thread, NULL, visit, customer), 0);
    while (stats_of(customer->pool).waits == waits)
        usleep(100);
}

static void who_waits_is_served_in_turn(void **state) {
    catnap_pool_options_t options = defaults();
    options.max_slots = 1;
    options.reset_calls = 0;
    atomic_int turn = 0;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    catnap_pool_slot_t *slot = acquire(pool, 100);
    struct customer customers[5];
    for (int i = 0; i < 5; i++) {
        customers[i] = (struct customer){
            .pool = pool, .tenant = 1 + (uint64_t)i / 2, .timeout_ns = UINT64_MAX, .turn = &turn};
        if (i == 2)
            customers[i].timeout_ns = 5 * NS_PER_MS; /* leaves the queue from its middle */
        start(&customers[i]);
    }
    refuse(pool, 0, CATNAP_BUSY, "in use");
    pthread_join(customers[2].thread, NULL);
    assert_error(customers[2].error, CATNAP_BUSY, "in use");
    ON(slot, "store", 8, 100);
    release(slot);
    static const int order[] = {0, 1, -1, 2, 3}, found[] = {0, 1, -1, 0, 0};
    for (int i = 0; i < 5; i++) {
        if (i == 2)
            continue;
        pthread_join(customers[i].thread, NULL);
        assert_no_error(customers[i].error);
        assert_int_equal(customers[i].order, order[i]);
        assert_int_equal(customers[i].found, found[i]);
    }
    catnap_pool_delete(pool);
}

/* A slot that is given up makes room for one that waits to be made. */
static void room_is_passed_on(void **state) {
    catnap_pool_options_t options = defaults();
    options.max_slots = 1;
    atomic_int turn = 0;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    catnap_pool_slot_t *slot = acquire(pool, 0);
    struct customer customer = {.pool = pool, .tenant = 2, .timeout_ns = UINT64_MAX, .turn = &turn};
    start(&customer);
    assert_no_error(catnap_pool_discard(slot));
    pthread_join(customer.thread, NULL);
    assert_no_error(customer.error);
    assert_int_equal(stats_of(pool).instantiations, 2);
    catnap_pool_delete(pool);
}

static void the_end_of_a_pool_is_told(void **state) {
    catnap_pool_options_t options = defaults();
    options.max_slots = 2;
    atomic_int turn = 0;
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    catnap_pool_slot_t *slot = acquire(pool, 0), *other = acquire(pool, 0);
    struct customer customers[2];
    for (int i = 0; i < 2; i++) {
        customers[i] = (struct customer){
            .pool = pool, .timeout_ns = i ? 3600000 * NS_PER_MS : UINT64_MAX, .turn = &turn};
        start(&customers[i]);
    }
    catnap_pool_delete(pool);
    for (int i = 0; i < 2; i++) {
        pthread_join(customers[i].thread, NULL);
        assert_error(customers[i].error, CATNAP_MISUSE, "deleted");
    }
    ON(slot, "store", 8, 9); /* still usable */
    release(slot);
    assert_no_error(catnap_pool_discard(other)); /* the end */
}

/* ---- Exhausted memory ---- */

static catnap_error_t *prepare_failing(void *env, catnap_pool_slot_t *slot) {
    (void)env;
    wasm_extern_t *init = catnap_instance_export(catnap_pool_slot_instance(slot), "init", 4);
    wasm_trap_t *trap = init ? catnap_func_call(wasm_extern_as_func(init), NULL, 0, NULL, 0) : NULL;
    wasm_extern_delete(init);
    wasm_extern_t *memory = catnap_instance_export(catnap_pool_slot_instance(slot), "m", 1);
    if (memory)
        memset(wasm_memory_data(wasm_extern_as_memory(memory)), 1, 65536);
    wasm_extern_delete(memory);
    return ran(trap) && init ? NULL : catnap_error_new(CATNAP_NO_MEMORY, "prepare");
}

/* One visit; what it does must work, or fail for want of memory alone. */
static void visit_failing(catnap_pool_t *pool, uint64_t tenant) {
    catnap_error_t *error;
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = 5}, result;
    catnap_pool_slot_t *slot = catnap_pool_acquire(pool, tenant, 0, &error);
    if (!succeeded(error))
        return;
    assert_non_null(slot);
    if (ran(catnap_func_call(catnap_pool_slot_function(slot, 0), NULL, 0, &result, 1)))
        assert_int_equal(result.of.i32, 1); /* never one that is half ready */
    if (ran(catnap_func_call(catnap_pool_slot_function(slot, 1), &argument, 1, &result, 1)))
        assert_int_equal(result.of.i32, 6);
    wasm_foreign_t *foreign = wasm_foreign_new(catnap_pool_slot_store(slot));
    wasm_extern_t *keep = catnap_instance_export(catnap_pool_slot_instance(slot), "keep", 4);
    if (foreign && keep) {
        catnap_val_t value = {.kind = WASM_EXTERNREF, .of.ref = wasm_foreign_as_ref(foreign)};
        ran(catnap_func_call(wasm_extern_as_func(keep), &value, 1, NULL, 0));
    }
    wasm_extern_delete(keep);
    wasm_foreign_delete(foreign);
    succeeded(catnap_store_checkpoint(catnap_pool_slot_store(slot), NULL));
    release(slot);
}

static void use_failing_pool(const wasm_module_t *module) {
    static const char *const names[] = {"ready", "call"};
    catnap_error_t *error;
    catnap_pool_options_t options = defaults();
    options.link = link_host;
    options.prepare = prepare_failing;
    options.min_slots = 1;
    options.max_slots = 2;
    options.functions = names;
    options.function_count = COUNT(names);
    options.reset_calls = 2;
    options.wasi = true;
    catnap_pool_t *pool = catnap_pool_new(module, &options, &error);
    if (!succeeded(error))
        return;
    for (uint64_t i = 0; i < 5; i++)
        visit_failing(pool, i % 3);
    catnap_pool_trim(pool, 0);
    succeeded(catnap_pool_warm(pool, 2));
    visit_failing(pool, 1);
    catnap_pool_stats_t stats = stats_of(pool);
    assert_int_equal(stats.busy, 0);
    assert_int_equal(stats.retired_failed, 0);
    catnap_pool_delete(pool);
}

static void exhaust_pool(wasm_config_t *config, bool may_fail) {
    (void)may_fail;
    catnap_error_t *error;
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = engine ? wasm_store_new(engine) : NULL;
    wasm_module_t *module =
        store ? catnap_module_new(store, host_module, sizeof host_module, NULL, &error) : NULL;
    if (module)
        use_failing_pool(module);
    else if (store)
        succeeded(error);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

static void exhausted_memory_loses_nothing(void **state) {
    (void)state;
    inject_everywhere(exhaust_pool);
}

/* ---- Several threads ---- */

#define THREADS 4
#define VISITS 300

struct crowd {
    catnap_pool_t *pool;
    uint32_t seed;
    bool kept; /* state is kept from visit to visit */
};

static void stay(struct crowd *crowd, catnap_pool_slot_t *slot, uint64_t tenant) {
    int32_t mine = (int32_t)tenant + 1, found = ON(slot, "load", 8);
    assert_true(found == 0 || (crowd->kept && found == mine));
    assert_int_equal(ON(slot, "load", 70000), found);
    ON(slot, "store", 8, mine);
    ON(slot, "store", 70000, mine);
    if (next_random(&crowd->seed) % 4 == 0)
        ON(slot, "grow", 1);
    if (next_random(&crowd->seed) % 16 == 0)
        assert_no_error(catnap_pool_slot_reset(slot));
}

static void *mill_about(void *env) {
    struct crowd *crowd = env;
    for (int i = 0; i < VISITS; i++) {
        catnap_error_t *error;
        uint64_t tenant = next_random(&crowd->seed) % 6;
        uint64_t timeout = next_random(&crowd->seed) % 4 ? UINT64_MAX : 1000;
        catnap_pool_slot_t *slot = catnap_pool_acquire(crowd->pool, tenant, timeout, &error);
        if (!slot) {
            assert_error(error, CATNAP_BUSY, "in use");
            continue;
        }
        stay(crowd, slot, tenant);
        if (next_random(&crowd->seed) % 32 == 0)
            assert_no_error(catnap_pool_discard(slot));
        else
            release(slot);
        if (next_random(&crowd->seed) % 64 == 0)
            catnap_pool_trim(crowd->pool, 1);
        if (next_random(&crowd->seed) % 64 == 0)
            assert_no_error(catnap_pool_warm(crowd->pool, 2));
    }
    return NULL;
}

static void threads_share_a_pool(void **state) {
    for (int kept = 0; kept < 2; kept++) {
        catnap_pool_options_t options = defaults();
        options.max_slots = 3;
        options.reset_calls = kept ? 0 : 1;
        options.memory_bytes = 4 * SLOT_BYTES + 4 * 65536;
        catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
        pthread_t threads[THREADS];
        struct crowd crowds[THREADS];
        for (uint32_t i = 0; i < THREADS; i++) {
            crowds[i] = (struct crowd){.pool = pool, .seed = i * 77 + 1, .kept = kept};
            assert_int_equal(pthread_create(&threads[i], NULL, mill_about, &crowds[i]), 0);
        }
        for (uint32_t i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        catnap_pool_stats_t stats = stats_of(pool);
        assert_int_equal(stats.busy, 0);
        assert_int_equal(stats.waiting, 0);
        assert_int_equal(stats.failures, 0);
        assert_int_equal(stats.acquired + stats.timeouts, THREADS * VISITS);
        assert_true(stats.slots <= 3);
        catnap_pool_trim(pool, 0);
        assert_int_equal(stats_of(pool).memory_bytes, 0);
        catnap_pool_delete(pool);
    }
}

/* ---- Slots whose making failed ---- */

#define FILLINGS 500

struct filling {
    catnap_pool_t *pool;
    uint64_t tenant;
    int filled, failed;
};

static catnap_error_t *prepare_by_chance(void *env, catnap_pool_slot_t *slot) {
    _Atomic unsigned *count = env;
    (void)slot;
    return atomic_fetch_add(count, 1) % 3 ? catnap_error_new(CATNAP_TRAP, "not ready") : NULL;
}

static void *fill(void *env) {
    struct filling *filling = env;
    for (int i = 0; i < FILLINGS; i++) {
        catnap_error_t *error;
        catnap_pool_slot_t *slot =
            catnap_pool_acquire(filling->pool, filling->tenant, UINT64_MAX, &error);
        if (!slot) {
            assert_error(error, CATNAP_TRAP, "not ready");
            filling->failed++;
            continue;
        }
        for (int j = 0; j < 20; j++) {
            sched_yield();
            assert_int_equal(catnap_pool_slot_tenant(slot), filling->tenant);
        }
        filling->filled++;
        assert_no_error(catnap_pool_discard(slot));
    }
    return NULL;
}

/* A failure to make a slot does not affect the slot that is made in its place. */
static void failures_leave_others_their_slots(void **state) {
    _Atomic unsigned count = 0;
    catnap_pool_options_t options = defaults();
    options.prepare = prepare_by_chance;
    options.env = &count;
    options.max_slots = THREADS; /* no thread waits */
    catnap_pool_t *pool = OPEN(STORE(state), state_module, &options);
    pthread_t threads[THREADS];
    struct filling fillings[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        fillings[i] = (struct filling){.pool = pool, .tenant = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, fill, &fillings[i]), 0);
    }
    uint64_t filled = 0, failed = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        filled += (uint64_t)fillings[i].filled;
        failed += (uint64_t)fillings[i].failed;
    }
    catnap_pool_stats_t stats = stats_of(pool);
    assert_int_equal(filled + failed, THREADS * FILLINGS);
    assert_int_equal(stats.acquired, filled);
    assert_int_equal(stats.failures, failed);
    assert_int_equal(stats.busy, 0);
    catnap_pool_delete(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_release_resets),
        TEST(so_many_calls_reset),
        TEST(traps_reset_if_they_shall),
        TEST(memory_marks_reset_and_retire),
        TEST(never_is_never),
        TEST(slots_are_replaced_after_so_many_calls),
        TEST(holders_reset_themselves),
        TEST(tenants_keep_their_own),
        TEST(tenants_are_found_among_many),
        TEST(nothing_is_left),
        TEST(nothing_is_left_by_protection),
        TEST(nothing_is_left_by_copies),
        TEST(nothing_is_left_by_comparison),
        TEST(memory_that_grows_again_is_zero),
        TEST(pages_that_are_swapped_out_go_back),
        TEST(pools_leave_each_other_nothing),
        TEST(wasi_goes_back),
        TEST(handles_cost_the_slot),
        TEST(objects_do_not_pile_up),
        TEST(runs_end_with_their_tenant),
        TEST(calls_under_way_keep_a_slot),
        TEST(deep_calls_leave_no_stack),
        TEST(slots_are_made_ready),
        TEST(failures_are_the_callers),
        TEST(wrong_options_are_told),
        TEST(pools_are_warmed_and_trimmed),
        TEST(pools_may_go_meanwhile),
        TEST(allocators_are_called_without_a_lock),
        TEST(slots_take_few_mappings),
        TEST(a_lack_of_mappings_is_told),
        TEST(limits_hold_for_each_slot),
        TEST(memory_of_all_is_bounded),
        TEST(copies_count),
        TEST(slots_share_what_is_the_same),
        TEST(kept_stores_count),
        TEST(a_million_resets_hold_memory),
        TEST(nobody_waits_longer_than_wanted),
        TEST(who_waits_is_served_in_turn),
        TEST(room_is_passed_on),
        TEST(the_end_of_a_pool_is_told),
        TEST(exhausted_memory_loses_nothing),
        TEST(threads_share_a_pool),
        TEST(failures_leave_others_their_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
