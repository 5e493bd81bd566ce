/* Exceptions are what code itself can make and let go: looking for those that nothing reaches must not cost a program
 * more than what it does. */
#include "../hostile/hostile.h"

#define KEPT 20000  /* exceptions in a table */
#define ROUNDS 2000 /* of one exception made and let go, and a growth that cannot be */

/* make() -> exnref, throws and catches; run(): keeps so many, then lets each go and asks for memory. */
static struct bytes build(void) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t none = add_type(&m, "", ""), make = add_type(&m, "", "e");
    add_tag(&m, none);
    /* block (result exnref) try_table (catch_all_ref 0) throw 0 end unreachable end */
    PUT(&f, 0, BLOCK, EXNREF, 0x1F, EMPTY, 1, 3, 0, 0x08, 0, END, 0, END, END);
    add_func(&m, NULL, make, &f);
    PUT(&f, 1, 1, I32, LOOP, EMPTY, LOCAL_GET, 0, CALL, 0, 0x26, 0); /* table.set */
    PUT(&f, LOCAL_GET, 0, I32_CONST, 1, I32_ADD, LOCAL_TEE, 0);
    i32_const(&f, KEPT);
    PUT(&f, 0x49, BR_IF, 0, END, I32_CONST, 0, LOCAL_SET, 0, LOOP, EMPTY); /* i32.lt_u */
    PUT(&f, CALL, 0, DROP, I32_CONST, 0x7F, 0x40, 0, DROP);                /* memory.grow */
    PUT(&f, LOCAL_GET, 0, I32_CONST, 1, I32_ADD, LOCAL_TEE, 0);
    i32_const(&f, ROUNDS);
    PUT(&f, 0x49, BR_IF, 0, END, END);
    add_func(&m, "run", none, &f);
    add_table(&m, EXNREF, KEPT, KEPT);
    add_memory(&m, 1, 1);
    return finish(&m);
}

/* A collection has a table of addresses, and so do exceptions, each by one allocation: there are not many more of
 * these than exceptions. */
static void collections_are_in_proportion(void **state) {
    (void)state;
    struct world w;
    struct bytes b = build();
    open_world(&w, (struct form){0});
    w.instance = instantiate(w.store, &b, NULL, 0);
    wasm_func_t *run = get_func(w.instance, "run");
    uint64_t before = w.ledger.count;
    assert_null(catnap_func_call(run, NULL, 0, NULL, 0));
    uint64_t made = w.ledger.count - before;
    assert_true(made >= KEPT + ROUNDS);
    assert_true(made < KEPT + ROUNDS + 200);
    wasm_func_delete(run);
    drop_bytes(&b);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(collections_are_in_proportion)};
    note_fault_handler();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
