/* After fork() parent and child have each what is theirs: checkpoints with each way of finding written
 * pages, pools, snapshots and deltas, interrupts. */
#include "../child.h"
#include "modules.h"
#include "world.h"

#include <poll.h>

/* ---- Checkpoints ---- */

#define BYTES (64 * (size_t)65536)
#define STEP 4096
#define STEPS ((int)(BYTES / STEP))

/* (module (memory (export "m") 64 66)) */
static const uint8_t pages_module[] = {0, 'a', 's', 'm', 1, 0, 0, 0,   5, 4, 1,
                                       1, 64,  66,  7,   5, 1, 1, 'm', 2, 0};

struct pages {
    wasm_engine_t *engine;
    wasm_store_t *store;
    wasm_instance_t *instance;
    wasm_memory_t *memory;
    uint8_t *bytes;
    uint32_t level;
};

static void fill(uint8_t *bytes, int from, int to, int value) {
    for (int i = from; i < to; i++)
        bytes[i * STEP] = (uint8_t)value;
}

static int unlike(const uint8_t *bytes, int value) {
    int count = 0;
    for (int i = 0; i < STEPS; i++)
        count += bytes[i * STEP] != value;
    return count;
}

/* All pages are 7 at the checkpoint. False when this machine does not find pages in this way. */
static bool open_pages(struct pages *pages, catnap_tracking_t tracking) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_tracking(config, tracking);
    pages->engine = wasm_engine_new_with_config(config);
    pages->store = wasm_store_new(pages->engine);
    pages->instance = INSTANTIATE(pages->store, pages_module);
    pages->memory = EXPORT(memory, pages->instance, "m");
    pages->bytes = (uint8_t *)wasm_memory_data(pages->memory);
    fill(pages->bytes, 0, STEPS, 7);
    catnap_error_t *error = catnap_store_checkpoint(pages->store, &pages->level);
    bool ok = !error;
    catnap_error_delete(error);
    return ok;
}

static void close_pages(struct pages *pages) {
    wasm_memory_delete(pages->memory);
    wasm_instance_delete(pages->instance);
    wasm_store_delete(pages->store);
    wasm_engine_delete(pages->engine);
}

static bool goes_back(struct pages *pages, uint32_t level, int value) {
    return succeeds(catnap_store_rollback(pages->store, level)) && unlike(pages->bytes, value) == 0;
}

static void grandchild(void *env) {
    struct pages *pages = env;
    fill(pages->bytes, 0, 100, 8);
    WANT(goes_back(pages, pages->level, 7));
    fill(pages->bytes, 50, 150, 9);
    WANT(goes_back(pages, pages->level, 7));
}

static void go_back_in_child(void *env) {
    struct pages *pages = env;
    uint32_t second;
    fill(pages->bytes, 300, 700, 2);
    WANT(goes_back(pages, pages->level, 7));
    fill(pages->bytes, 0, 200, 3); /* found by what the child has of its own */
    WANT(goes_back(pages, pages->level, 7));
    fill(pages->bytes, 0, STEPS, 4);
    WANT(succeeds(catnap_store_checkpoint(pages->store, &second)));
    fill(pages->bytes, 10, 30, 5);
    WANT(goes_back(pages, second, 4));
    WANT(succeeds(catnap_store_release(pages->store, second)));
    WANT(child_is_well(start_child(grandchild, pages)) && unlike(pages->bytes, 4) == 0);
    WANT(goes_back(pages, pages->level, 7));
    WANT(child_is_well(start_child(grandchild, pages)));
    WANT(wasm_memory_grow(pages->memory, 1));
    WANT(goes_back(pages, pages->level, 7) && wasm_memory_size(pages->memory) == 64);
    close_pages(pages);
}

static void drop_in_child(void *env) {
    struct pages *pages = env;
    WANT(succeeds(catnap_store_release(pages->store, 0)));
    WANT(unlike(pages->bytes, 7) == 300);
    fill(pages->bytes, 0, STEPS, 9);
    close_pages(pages);
}

static void end_in_child(void *env) {
    close_pages(env);
}

/* The parent is in the middle of something: steps 0 to 299 are written. */
static void both_go_back(catnap_tracking_t tracking) {
    static void (*const children[])(void *) = {go_back_in_child, drop_in_child, end_in_child,
                                               go_back_in_child};
    struct pages pages;
    if (open_pages(&pages, tracking)) {
        for (size_t i = 0; i < COUNT(children); i++) {
            fill(pages.bytes, 0, 300, 1);
            assert_true(child_is_well(start_child(children[i], &pages)));
            assert_int_equal(unlike(pages.bytes, 7), 300);
            assert_no_error(catnap_store_rollback(pages.store, pages.level));
            assert_int_equal(unlike(pages.bytes, 7), 0);
        }
        fill(pages.bytes, 500, 900, 6);
        assert_no_error(catnap_store_rollback(pages.store, pages.level));
        assert_int_equal(unlike(pages.bytes, 7), 0);
    }
    close_pages(&pages);
}

static void parent_and_child_go_back(void **state) {
    (void)state;
    both_go_back(CATNAP_TRACKING_AUTO);
    both_go_back(CATNAP_TRACKING_WRITE_PROTECT);
    both_go_back(CATNAP_TRACKING_COPY_ON_WRITE);
    both_go_back(CATNAP_TRACKING_COMPARE);
}

/* ---- The parent goes on before the child begins ---- */

struct race {
    wasm_store_t *store;
    wasm_instance_t *instance;
    uint32_t level;
    int ready[2]; /* a pipe: the parent has gone on */
    bool calls;
};

static bool is_refused(wasm_trap_t *trap) {
    wasm_message_t message;
    wasm_trap_message(trap, &message);
    bool is = strstr(message.data, "since the fork") != NULL;
    wasm_byte_vec_delete(&message);
    wasm_trap_delete(trap);
    return is;
}

/* The state at the fork, or an error; never what the parent has written since. */
static void look_late(void *env) {
    struct race *race = env;
    const int32_t address[4] = {70000};
    int32_t result = 0;
    char byte;
    WANT(read(race->ready[0], &byte, 1) == 1);
    if (!race->calls) {
        catnap_error_t *error = catnap_store_rollback(race->store, race->level);
        if (error) {
            WANT(strstr(catnap_error_message(error), "since the fork"));
            _exit(0);
        }
    }
    wasm_func_t *func = EXPORT(func, race->instance, "load");
    wasm_trap_t *trap = call_i32(func, address, &result);
    WANT(trap ? is_refused(trap) : result == 11);
}

static void child_is_late(catnap_tracking_t tracking, bool calls) {
    struct world world;
    struct race race = {.calls = calls};
    host_tracking = tracking;
    open_world(&world, false);
    race.store = world.store;
    race.instance = START(&world, state_module);
    CALL(race.instance, "grow", 2);
    CALL(race.instance, "store", 70000, 11);
    catnap_error_t *error = catnap_store_checkpoint(world.store, &race.level);
    if (!error) {
        assert_int_equal(pipe(race.ready), 0);
        pid_t child = start_child(look_late, &race);
        CALL(race.instance, "store", 70000, 22);
        assert_no_error(catnap_store_checkpoint(world.store, NULL));
        assert_int_equal(write(race.ready[1], "x", 1), 1);
        assert_true(child_is_well(child));
        close(race.ready[0]);
        close(race.ready[1]);
        assert_no_error(catnap_store_rollback(world.store, race.level));
        assert_int_equal(CALL(race.instance, "load", 70000), 11);
    }
    catnap_error_delete(error);
    wasm_instance_delete(race.instance);
    close_world(&world);
    host_tracking = CATNAP_TRACKING_AUTO;
}

static void children_never_see_what_comes_later(void **state) {
    static const catnap_tracking_t kinds[] = {
        CATNAP_TRACKING_WRITE_PROTECT, CATNAP_TRACKING_COPY_ON_WRITE, CATNAP_TRACKING_COMPARE};
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        child_is_late(kinds[i], false);
        child_is_late(kinds[i], true);
    }
}

/* ---- Pools ---- */

struct shop {
    catnap_pool_t *pool;
    catnap_pool_slot_t *out; /* with its tenant's state in it */
};

static int32_t value_in(catnap_pool_slot_t *slot) {
    return CALL(catnap_pool_slot_instance(slot), "load", 8000);
}

static void use_pool(catnap_pool_t *pool, int times) {
    for (int i = 0; i < times; i++) {
        catnap_pool_slot_t *slot = catnap_pool_acquire(pool, 0, 0, NULL);
        WANT(slot && value_in(slot) == 0);
        CALL(catnap_pool_slot_instance(slot), "store", 8000, i + 1);
        WANT(succeeds(catnap_pool_release(slot)));
    }
}

static void use_pool_in_child(void *env) {
    struct shop *shop = env;
    use_pool(shop->pool, 5);
    WANT(value_in(shop->out) == 33);
    WANT(succeeds(catnap_pool_release(shop->out)));
    use_pool(shop->pool, 5);
    catnap_pool_slot_t *both[2];
    for (int i = 0; i < 2; i++) {
        both[i] = catnap_pool_acquire(shop->pool, 0, 0, NULL);
        WANT(both[i] && value_in(both[i]) == 0);
    }
    catnap_pool_release(both[0]);
    catnap_pool_release(both[1]);
    catnap_pool_delete(shop->pool);
}

static void pools_serve_both(catnap_tracking_t tracking) {
    struct world world;
    host_tracking = tracking;
    open_world(&world, false);
    wasm_module_t *module = LOAD(world.store, state_module);
    catnap_pool_options_t options;
    catnap_pool_options_default(&options);
    options.max_slots = options.min_slots = 2;
    catnap_error_t *error;
    struct shop shop = {catnap_pool_new(module, &options, &error), NULL};
    catnap_error_delete(error);
    wasm_module_delete(module);
    if (shop.pool) {
        sigaction(SIGSEGV, &engine_fault_handler, NULL);
        shop.out = catnap_pool_acquire(shop.pool, 0, 0, NULL);
        assert_non_null(shop.out);
        CALL(catnap_pool_slot_instance(shop.out), "store", 8000, 33);
        for (int i = 0; i < 3; i++) {
            assert_true(child_is_well(start_child(use_pool_in_child, &shop)));
            assert_int_equal(value_in(shop.out), 33);
        }
        assert_no_error(catnap_pool_release(shop.out));
        use_pool(shop.pool, 10);
        catnap_pool_delete(shop.pool);
    }
    close_world(&world);
    host_tracking = CATNAP_TRACKING_AUTO;
}

static void pools_are_each_processes_own(void **state) {
    (void)state;
    pools_serve_both(CATNAP_TRACKING_AUTO);
    pools_serve_both(CATNAP_TRACKING_WRITE_PROTECT);
    pools_serve_both(CATNAP_TRACKING_COPY_ON_WRITE);
    pools_serve_both(CATNAP_TRACKING_COMPARE);
}

/* ---- Snapshots ---- */

struct history {
    struct world *world;
    wasm_instance_t *instance;
    catnap_snapshot_t *base;
};

/* A delta against a snapshot from before the fork, made whole again, is what the store is. */
static void write_delta(void *env) {
    struct history *h = env;
    struct world other = {.engine = h->world->engine};
    catnap_error_t *error;
    CALL(h->instance, "store", 9000, 77);
    catnap_snapshot_t *now = take(h->world, NULL);
    wasm_byte_vec_t bytes = to_bytes(now, h->base);
    catnap_open_options_t options = {.base = h->base};
    catnap_snapshot_t *whole = catnap_snapshot_read(h->world->engine, (const uint8_t *)bytes.data,
                                                    bytes.size, &options, &error);
    WANT(succeeds(error));
    open_store(&other);
    wasm_instance_t *copy = restore(whole, &other, NULL);
    WANT(CALL(copy, "load", 9000) == 77 && CALL(copy, "load", 100) == 5);
    WANT(hash_memory(copy) == hash_memory(h->instance));
    WANT(succeeds(catnap_store_rollback(h->world->store, 1)));
    WANT(CALL(h->instance, "load", 9000) == 6);
    wasm_instance_delete(copy);
    close_store(&other);
    catnap_snapshot_delete(whole);
    catnap_snapshot_delete(now);
    wasm_byte_vec_delete(&bytes);
}

static void deltas_with(catnap_tracking_t tracking) {
    struct world world;
    host_tracking = tracking;
    open_world(&world, false);
    struct history h = {.world = &world, .instance = START(&world, state_module)};
    CALL(h.instance, "store", 100, 5);
    CALL(h.instance, "store", 9000, 6);
    h.base = take(&world, NULL);
    catnap_error_t *error = catnap_store_checkpoint(world.store, NULL);
    if (!error) {
        assert_true(child_is_well(start_child(write_delta, &h)));
        assert_int_equal(CALL(h.instance, "load", 9000), 6);
        write_delta(&h);
    }
    catnap_error_delete(error);
    catnap_snapshot_delete(h.base);
    wasm_instance_delete(h.instance);
    close_world(&world);
    host_tracking = CATNAP_TRACKING_AUTO;
}

static void deltas_are_each_processes_own(void **state) {
    (void)state;
    deltas_with(CATNAP_TRACKING_WRITE_PROTECT);
    deltas_with(CATNAP_TRACKING_COPY_ON_WRITE);
    deltas_with(CATNAP_TRACKING_COMPARE);
}

/* ---- Interrupts ---- */

struct waiting {
    catnap_caller_t *caller;
    wasm_store_t *store;
};

static bool is_signalled(int event) {
    struct pollfd wait = {event, POLLIN, 0};
    return poll(&wait, 1, 0) == 1;
}

static void interrupt_in_child(void *env) {
    struct waiting *waiting = env;
    catnap_store_interrupt(waiting->store, catnap_store_call_id(waiting->store));
    WANT(catnap_caller_interrupted(waiting->caller));
    WANT(is_signalled(catnap_caller_interrupt_fd(waiting->caller)));
}

static void call_in_child(void *env) {
    struct waiting *waiting = env;
    WANT(is_signalled(catnap_caller_interrupt_fd(waiting->caller))); /* the request came along */
}

/* A child's interrupt is none of the parent's, and what a child does takes none from the parent. */
static wasm_trap_t *fork_while_waiting(void *env, catnap_caller_t *caller,
                                       const catnap_val_t *arguments, catnap_val_t *results) {
    bool *done = env;
    (void)arguments;
    (void)results;
    struct waiting waiting = {caller, catnap_caller_store(caller)};
    int event = catnap_caller_interrupt_fd(caller);
    assert_true(event >= 0 && !is_signalled(event));
    assert_true(child_is_well(start_child(interrupt_in_child, &waiting)));
    assert_false(is_signalled(event));
    assert_false(catnap_caller_interrupted(caller));
    catnap_store_interrupt(waiting.store, catnap_store_call_id(waiting.store));
    assert_true(is_signalled(event));
    assert_true(child_is_well(start_child(call_in_child, &waiting)));
    assert_true(is_signalled(event));
    *done = true;
    return NULL;
}

static void interrupts_are_each_processes_own(void **state) {
    bool done = false;
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *func = catnap_func_new(STORE(state), type, fork_while_waiting, &done, NULL, NULL);
    wasm_functype_delete(type);
    wasm_trap_delete(catnap_func_call(func, NULL, 0, NULL, 0));
    assert_true(done);
    wasm_func_delete(func);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parent_and_child_go_back),
        cmocka_unit_test(children_never_see_what_comes_later),
        cmocka_unit_test(pools_are_each_processes_own),
        cmocka_unit_test(deltas_are_each_processes_own),
        TEST(interrupts_are_each_processes_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
