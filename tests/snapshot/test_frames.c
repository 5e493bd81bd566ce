/* Deep call stacks of large functions: capturing and waking them take one pass over each function. */
#include "world.h"

#include "../support/module.h"

#include <unistd.h>

#define DEPTH 50000
#define REPEATS 40000 /* of what makes the function large; never executed but once */

/* deep(n): n > 0: deep(n - 1) + 1. n = 0: much code, then a loop without end. */
static struct bytes deep_module(void) {
    struct module_builder m = {0};
    struct bytes body = {0};
    uint32_t type = add_type(&m, "i", "i");
    put(&body, 0);
    op_u(&body, BLOCK, 0x40);
    op_u(&body, LOCAL_GET, 0);
    op_u(&body, BR_IF, 0);
    for (int i = 0; i < REPEATS; i++) {
        op_u(&body, LOCAL_GET, 0);
        i32_const(&body, i % 50);
        put(&body, I32_ADD);
        op_u(&body, LOCAL_SET, 0);
    }
    op_u(&body, LOOP, 0x40);
    op_u(&body, BR, 0);
    put(&body, END);
    put(&body, END);
    op_u(&body, LOCAL_GET, 0);
    i32_const(&body, -1);
    put(&body, I32_ADD);
    op_u(&body, CALL, 0);
    i32_const(&body, 1);
    put(&body, I32_ADD);
    put(&body, END);
    add_func(&m, "deep", type, &body);
    return finish(&m);
}

static void each_function_is_translated_once(void **state) {
    (void)state;
    struct world world, other;
    struct bytes bytes = deep_module();
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_snapshot_info_t info;
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = DEPTH}, result;
    open_world(&world, true);
    wasm_instance_t *instance = start(&world, bytes.data, bytes.size), *copy = NULL;
    wasm_func_t *func = EXPORT(func, instance, "deep");
    assert_no_error(catnap_store_set_fuel(world.store, 2000000));
    catnap_run_t *run = catnap_run_new(func, &argument, 1, &error), *woken = NULL;
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    alarm(300); /* a pass for each frame takes longer */
    catnap_snapshot_t *snapshot = take(&world, run);
    catnap_snapshot_info(snapshot, &info);
    assert_int_equal(info.frames, DEPTH + 1);
    other = (struct world){.engine = world.engine};
    open_store(&other);
    assert_no_error(catnap_snapshot_restore(snapshot, other.linker, NULL, &copy, &woken));
    assert_non_null(woken);
    alarm(0);
    assert_no_error(catnap_store_set_fuel(other.store, 1000));
    assert_int_equal(catnap_run_resume(woken, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    catnap_run_delete(woken);
    wasm_instance_delete(copy);
    close_store(&other);
    catnap_snapshot_delete(snapshot);
    catnap_run_delete(run);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
    close_world(&world);
    drop_bytes(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_function_is_translated_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
