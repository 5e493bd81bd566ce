/* Copies of a snapshot, one after the other and at once: each is as it should be, whatever the
 * former ones have done with the address space that they had. */
#include <pthread.h>
#include <sys/mman.h>

#include "modules.h"
#include "world.h"

#define ROUNDS 200
#define AT_ONCE 40

/* A store with an image of several parts: a long range, a short one, and zeros in between. */
static catnap_snapshot_t *make_snapshot(struct world *world) {
    open_world(world, false);
    wasm_instance_t *instance = START(world, state_module);
    CALL(instance, "grow", 3);
    CALL(instance, "fill", 8192, 5, 100000);
    CALL(instance, "store", 4 * 65536, 77);
    catnap_snapshot_t *snapshot = take(world, NULL);
    wasm_instance_delete(instance);
    return snapshot;
}

static void assert_clean(const wasm_instance_t *instance) {
    wasm_memory_t *memory = EXPORT(memory, instance, "m");
    const uint8_t *data = (const uint8_t *)wasm_memory_data(memory);
    assert_int_equal(wasm_memory_data_size(memory), 5 * 65536);
    for (size_t i = 0; i < 5 * 65536; i++) {
        uint8_t expected = i >= 8192 && i < 108192 ? 5 : i == 4 * 65536 ? 77 : 0;
        if (data[i] != expected)
            assert_int_equal(data[i], expected);
    }
    wasm_memory_delete(memory);
}

enum { WRITES, GROWS, CHECKPOINTS, COPIES, LOCKS, HABITS };

/* Uses of address space that other memories get afterwards. */
static void use(struct world *world, const wasm_instance_t *instance, int habit) {
    wasm_memory_t *memory = EXPORT(memory, instance, "m");
    uint32_t level;
    switch (habit) {
    case GROWS:
        assert_true(wasm_memory_grow(memory, 2));
        break;
    case CHECKPOINTS:
        assert_no_error(catnap_store_checkpoint(world->store, &level));
        break;
    case COPIES:
        assert_no_error(catnap_store_checkpoint(world->store, &level));
        assert_no_error(catnap_store_release(world->store, 0));
        break;
    case LOCKS:
        mlock(wasm_memory_data(memory), 65536);
        break;
    default:
        break;
    }
    memset(wasm_memory_data(memory), 0xEE, wasm_memory_data_size(memory));
    wasm_memory_delete(memory);
}

static void copy_once(wasm_engine_t *engine, const catnap_snapshot_t *snapshot, int habit) {
    struct world other = {.engine = engine};
    wasm_instance_t *instance;
    open_store(&other);
    assert_no_error(catnap_snapshot_restore(snapshot, other.linker, NULL, &instance, NULL));
    assert_clean(instance);
    use(&other, instance, habit);
    wasm_instance_delete(instance);
    close_store(&other);
}

static void copies_come_clean(void **state) {
    (void)state;
    struct world world;
    catnap_snapshot_t *snapshot = make_snapshot(&world);
    for (int i = 0; i < ROUNDS; i++)
        copy_once(world.engine, snapshot, i * 7 / 3 % HABITS);
    catnap_snapshot_delete(snapshot);
    close_world(&world);
}

static void many_live_at_once(void **state) {
    (void)state;
    struct world world, others[AT_ONCE] = {0};
    wasm_instance_t *instances[AT_ONCE];
    catnap_snapshot_t *snapshot = make_snapshot(&world);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < AT_ONCE; i++) {
            others[i].engine = world.engine;
            open_store(&others[i]);
            instances[i] = restore(snapshot, &others[i], NULL);
        }
        if (round == 2)
            catnap_snapshot_delete(snapshot); /* its instances live on */
        for (int i = 0; i < AT_ONCE; i++) {
            assert_clean(instances[i]);
            use(&others[i], instances[i], WRITES);
            assert_trap(CALL_TRAP(instances[i], "load", 5 * 65536),
                        CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS, "out of bounds");
        }
        for (int i = 0; i < AT_ONCE; i++) {
            wasm_instance_delete(instances[i]);
            close_store(&others[i]);
        }
    }
    close_world(&world);
}

struct worker {
    wasm_engine_t *engine;
    const catnap_snapshot_t *snapshot;
    int habit;
};

static void *work(void *env) {
    const struct worker *worker = env;
    for (int i = 0; i < ROUNDS; i++)
        copy_once(worker->engine, worker->snapshot, worker->habit);
    return NULL;
}

static void threads_share_a_snapshot(void **state) {
    (void)state;
    struct world world;
    pthread_t threads[4];
    struct worker workers[4];
    catnap_snapshot_t *snapshot = make_snapshot(&world);
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){world.engine, snapshot, i == 3 ? GROWS : WRITES};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    catnap_snapshot_delete(snapshot);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(copies_come_clean),
        TEST(many_live_at_once),
        TEST(threads_share_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
