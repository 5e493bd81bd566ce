/*
 * The bytes of snapshots and of modules from instances are part of the interface: a file written by one
 * version is read by the next. The hashes below are those of format version 1; a change of one means that
 * the format has changed, which needs another version number.
 */
#include <xxhash.h>

#include "modules.h"
#include "world.h"

static void assert_hash(const wasm_byte_vec_t *bytes, uint64_t expected) {
    uint64_t hash = XXH3_64bits(bytes->data, bytes->size);
    if (hash != expected)
        print_message("%zu bytes with hash 0x%016llx\n", bytes->size, (unsigned long long)hash);
    assert_true(hash == expected);
}

/* Writes to a memory, both tables, the globals and both kinds of segments, and grows what can grow. */
static void change_everything(const wasm_instance_t *instance) {
    CALL(instance, "grow", 3);
    CALL(instance, "fill", 8192, 5, 100000);
    CALL(instance, "store", 4 * 65536, 77);
    CALL(instance, "set_f", 1, 0);
    CALL(instance, "grow_f", 4);
    CALL(instance, "set_f", 6, 1);
    CALL(instance, "set_g", 9);
    CALL(instance, "drop");
}

static void all_kinds_of_state(void **state) {
    (void)state;
    struct world world;
    open_world(&world, true);
    assert_no_error(catnap_store_set_fuel(world.store, 1000000));
    wasm_instance_t *instance = START(&world, state_module);
    catnap_snapshot_t *first = take(&world, NULL);
    change_everything(instance);
    catnap_snapshot_t *second = take(&world, NULL);
    wasm_byte_vec_t bytes = to_bytes(first, NULL);
    assert_hash(&bytes, UINT64_C(0xac80e607604c058a));
    wasm_byte_vec_delete(&bytes);
    bytes = to_bytes(second, NULL);
    assert_hash(&bytes, UINT64_C(0xb74ccaff8cbaedb1));
    wasm_byte_vec_delete(&bytes);
    bytes = to_bytes(second, first);
    assert_hash(&bytes, UINT64_C(0x5ecf18d44b12b415));
    wasm_byte_vec_delete(&bytes);
    assert_no_error(catnap_instance_to_module(instance, NULL, &bytes));
    assert_hash(&bytes, UINT64_C(0x8f222ad3ab714e04));
    wasm_byte_vec_delete(&bytes);
    catnap_snapshot_delete(first);
    catnap_snapshot_delete(second);
    wasm_instance_delete(instance);
    close_world(&world);
}

static void a_suspended_run(void **state) {
    (void)state;
    struct world world;
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = 10}, result;
    open_world(&world, true);
    assert_no_error(catnap_store_set_fuel(world.store, 700));
    wasm_instance_t *instance = START(&world, work_module);
    wasm_func_t *func = EXPORT(func, instance, "run");
    catnap_run_t *run = catnap_run_new(func, &argument, 1, &error);
    assert_no_error(error);
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    catnap_snapshot_t *snapshot = take(&world, run);
    wasm_byte_vec_t bytes = to_bytes(snapshot, NULL);
    assert_hash(&bytes, UINT64_C(0x9e7cb4eec8c8b1aa));
    wasm_byte_vec_delete(&bytes);
    catnap_snapshot_delete(snapshot);
    catnap_run_delete(run);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_of_state),
        cmocka_unit_test(a_suspended_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
