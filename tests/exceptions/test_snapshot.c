/*
 * Snapshots with tags and exceptions: what globals and tables refer to, tags of the host by their imports, and files in
 * which any number is another.
 */
#include "../api/helpers.h"
#include "../support/module.h"
#include "../support/saved.h"
#include "../support/snapshot.h"

enum { THROW = 0x08, THROW_REF = 0x0A, TRY_TABLE = 0x1F, TABLE_GET = 0x25, TABLE_SET = 0x26 };

struct world {
    wasm_store_t *store;
    catnap_linker_t *linker;
    catnap_tag_t *tag;
};

static struct world new_world(wasm_engine_t *engine, bool with_tag) {
    struct world w = {.store = wasm_store_new(engine)};
    w.linker = catnap_linker_new(w.store);
    wasm_tagtype_t *type = wasm_tagtype_new(wasm_functype_new_1_0(wasm_valtype_new_i32()));
    w.tag = catnap_tag_new(w.store, type, NULL);
    wasm_tagtype_delete(type);
    if (with_tag)
        assert_no_error(
            catnap_linker_define(w.linker, "host", 4, "tag", 3, catnap_tag_as_extern(w.tag)));
    return w;
}

static void drop_world(struct world *w) {
    catnap_tag_delete(w->tag);
    catnap_linker_delete(w->linker);
    wasm_store_delete(w->store);
}

/* The global gets an exception of the host's tag that carries 7, the table one of the module's own, which carries the
 * first. */
static wasm_instance_t *start(struct world *w) {
    struct module_builder m = {0};
    uint32_t takes = add_type(&m, "i", ""), none = add_type(&m, "", "");
    import_tag(&m, "host", "tag", takes);
    add_tag(&m, add_type(&m, "e", ""));
    ADD_GLOBAL(&m, EXNREF, 1, REF_NULL, EXNREF, END);
    add_table(&m, EXNREF, 3, NO_MAX);
    struct bytes body = {0};
    PUT(&body, 0, BLOCK, EXNREF, TRY_TABLE, EMPTY, 1, 3, 0, I32_CONST, 7, THROW, 0, END,
        UNREACHABLE, END, GLOBAL_SET, 0, I32_CONST, 1, BLOCK, EXNREF, TRY_TABLE, EMPTY, 1, 3, 0,
        GLOBAL_GET, 0, THROW, 1, END, UNREACHABLE, END, TABLE_SET, 0, END);
    set_start(&m, add_func(&m, NULL, none, &body));
    ADD_FUNC(&m, "global", none, 0, GLOBAL_GET, 0, THROW_REF, END);
    ADD_FUNC(&m, "table", none, 0, I32_CONST, 1, TABLE_GET, 0, THROW_REF, END);
    struct bytes b = finish(&m);
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(w->store, b.data, b.size, NULL, &error);
    assert_no_error(error);
    wasm_instance_t *instance = catnap_linker_instantiate(w->linker, module, &error, NULL);
    assert_no_error(error);
    wasm_module_delete(module);
    drop_bytes(&b);
    return instance;
}

static wasm_trap_t *call(const wasm_instance_t *instance, const char *name) {
    wasm_extern_t *export_ = catnap_instance_export(instance, name, strlen(name));
    wasm_trap_t *trap = catnap_func_call(wasm_extern_as_func(export_), NULL, 0, NULL, 0);
    wasm_extern_delete(export_);
    return trap;
}

/* `run`: NULL when none is suspended. */
static catnap_error_t *restore(wasm_engine_t *engine, struct world *w, const wasm_byte_vec_t *bytes,
                               wasm_instance_t **instance, catnap_run_t **run) {
    catnap_error_t *error;
    *instance = NULL;
    if (run)
        *run = NULL;
    catnap_snapshot_t *snapshot =
        catnap_snapshot_read(engine, (const uint8_t *)bytes->data, bytes->size, NULL, &error);
    if (!snapshot)
        return error;
    if (catnap_snapshot_instance_count(snapshot) == 1)
        error = catnap_snapshot_restore(snapshot, w->linker, NULL, instance, run);
    catnap_snapshot_delete(snapshot);
    return error;
}

static void references_and_tags_are_restored(void **state) {
    wasm_engine_t *engine = ((struct fixture *)*state)->engine;
    struct world w = new_world(engine, true), other = new_world(engine, true);
    wasm_instance_t *instance = start(&w), *copy;
    wasm_byte_vec_t bytes = save_store(w.store, NULL);
    wasm_instance_delete(instance);
    drop_world(&w);
    assert_no_error(restore(engine, &other, &bytes, &copy, NULL));
    wasm_trap_t *trap = call(copy, "global");
    catnap_exception_t *exception = catnap_trap_exception(trap);
    catnap_tag_t *tag = catnap_exception_tag(exception);
    assert_ptr_equal(tag, other.tag);
    catnap_tag_delete(tag);
    catnap_exception_delete(exception);
    assert_trap(trap, CATNAP_TRAP_EXCEPTION, "tag \"host\" \"tag\" (i32 7)");
    trap = call(copy, "table");
    exception = catnap_trap_exception(trap);
    catnap_val_t carried, value;
    assert_int_equal(catnap_exception_values(exception, &carried, 1), 1);
    assert_int_equal(carried.kind, CATNAP_EXNREF);
    assert_int_equal(catnap_exception_values(catnap_ref_as_exception(carried.of.ref), &value, 1),
                     1);
    assert_int_equal(value.of.i32, 7);
    wasm_ref_delete(carried.of.ref);
    catnap_exception_delete(exception);
    wasm_trap_delete(trap);
    /* The same state has the same bytes. */
    wasm_byte_vec_t again = save_store(other.store, NULL);
    assert_int_equal(again.size, bytes.size);
    assert_memory_equal(again.data, bytes.data, bytes.size);
    wasm_byte_vec_delete(&again);
    wasm_byte_vec_delete(&bytes);
    wasm_instance_delete(copy);
    drop_world(&other);
}

static void a_tag_that_is_missing_is_named(void **state) {
    wasm_engine_t *engine = ((struct fixture *)*state)->engine;
    struct world w = new_world(engine, true), other = new_world(engine, false);
    wasm_instance_t *instance = start(&w), *copy;
    wasm_byte_vec_t bytes = save_store(w.store, NULL);
    catnap_error_t *error = restore(engine, &other, &bytes, &copy, NULL);
    assert_int_equal(catnap_error_status(error), CATNAP_LINK);
    assert_string_equal(catnap_error_message(error), "unknown import \"host\" \"tag\": a tag");
    catnap_error_delete(error);
    wasm_byte_vec_delete(&bytes);
    wasm_instance_delete(instance);
    drop_world(&w);
    drop_world(&other);
}

static void exceptions_cannot_be_written_as_a_module(void **state) {
    wasm_engine_t *engine = ((struct fixture *)*state)->engine;
    struct world w = new_world(engine, true);
    wasm_instance_t *instance = start(&w);
    wasm_byte_vec_t bytes;
    catnap_error_t *error = catnap_instance_to_module(instance, NULL, &bytes);
    assert_int_equal(catnap_error_status(error), CATNAP_UNSUPPORTED);
    assert_non_null(strstr(catnap_error_message(error), "refers to an exception"));
    catnap_error_delete(error);
    wasm_instance_delete(instance);
    drop_world(&w);
}

/* A file with other numbers is refused, or is another state that can be used. */
static void any_number_may_be_another(void **state) {
    static const uint32_t numbers[] = {0, 1, 2, 3, 8, 9, 0x69, UINT32_MAX};
    wasm_engine_t *engine = ((struct fixture *)*state)->engine;
    struct world w = new_world(engine, true);
    wasm_instance_t *instance = start(&w), *copy;
    wasm_byte_vec_t bytes = save_store(w.store, NULL);
    uint32_t refused = 0;
    for (size_t at = 80; at + 4 <= bytes.size && at < 2000; at += 4)
        for (size_t i = 0; i < COUNT(numbers); i++) {
            struct world other = new_world(engine, true);
            char before[4];
            memcpy(before, bytes.data + at, 4);
            memcpy(bytes.data + at, &numbers[i], 4);
            mend_structure((uint8_t *)bytes.data, bytes.size);
            catnap_error_t *error = restore(engine, &other, &bytes, &copy, NULL);
            refused += error != NULL;
            if (copy) {
                wasm_trap_delete(call(copy, "global"));
                wasm_trap_delete(call(copy, "table"));
                wasm_instance_delete(copy);
            }
            catnap_error_delete(error);
            memcpy(bytes.data + at, before, 4);
            drop_world(&other);
        }
    assert_true(refused > 200);
    wasm_byte_vec_delete(&bytes);
    wasm_instance_delete(instance);
    drop_world(&w);
}

/* ---- runs that stop in a catch block, which throws again what it caught ---- */

static wasm_engine_t *engine_with_fuel(void) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_fuel(config, true);
    return wasm_engine_new_with_config(config);
}

/* A run that is caught below a value, and in its own catch block out of fuel. */
static catnap_run_t *start_run(struct world *w, wasm_instance_t **instance) {
    struct module_builder m = {0};
    import_tag(&m, "host", "tag", add_type(&m, "i", ""));
    ADD_FUNC(&m, "run", add_type(&m, "", "i"), 1, 1, I32, I32_CONST, 3, 0x06, I32, I32_CONST, 9,
             THROW, 0, 0x07, 0, LOOP, EMPTY, LOCAL_GET, 0, I32_CONST, 1, I32_ADD, LOCAL_TEE, 0,
             I32_CONST, 60, 0x48, BR_IF, 0, END, DROP, 0x09, 0, END, I32_ADD, END);
    struct bytes b = finish(&m);
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(w->store, b.data, b.size, NULL, &error);
    assert_no_error(error);
    assert_no_error(catnap_store_set_fuel(w->store, 1));
    *instance = catnap_linker_instantiate(w->linker, module, &error, NULL);
    assert_no_error(error);
    wasm_module_delete(module);
    drop_bytes(&b);
    wasm_extern_t *export_ = catnap_instance_export(*instance, "run", 3);
    catnap_run_t *run = catnap_run_new(wasm_extern_as_func(export_), NULL, 0, &error);
    assert_no_error(error);
    wasm_extern_delete(export_);
    catnap_val_t result;
    wasm_trap_t *trap;
    assert_no_error(catnap_store_set_fuel(w->store, 50));
    assert_int_equal(catnap_run_resume(run, &result, 1, &trap), CATNAP_OUT_OF_FUEL);
    return run;
}

static void what_a_catch_block_holds_is_restored(void **state) {
    wasm_engine_t *engine = engine_with_fuel();
    struct world w = new_world(engine, true), other = new_world(engine, true);
    wasm_instance_t *instance, *copy;
    catnap_run_t *run = start_run(&w, &instance), *moved;
    catnap_val_t result;
    wasm_trap_t *trap;
    wasm_byte_vec_t bytes = save_store(w.store, run);
    (void)state;
    catnap_run_delete(run);
    wasm_instance_delete(instance);
    drop_world(&w);
    assert_no_error(restore(engine, &other, &bytes, &copy, &moved));
    assert_no_error(catnap_store_set_fuel(other.store, 10000));
    assert_int_equal(catnap_run_resume(moved, &result, 1, &trap), CATNAP_TRAP);
    assert_trap(trap, CATNAP_TRAP_EXCEPTION, "tag \"host\" \"tag\" (i32 9)");
    catnap_run_delete(moved);
    wasm_byte_vec_delete(&bytes);
    wasm_instance_delete(copy);
    drop_world(&other);
    wasm_engine_delete(engine);
}

/* The file with another number is refused, or is a run that ends somehow. */
static void any_number_of_a_run_may_be_another(void **state) {
    static const uint32_t numbers[] = {0, 1, 2, 5, 0x69, UINT32_MAX};
    wasm_engine_t *engine = engine_with_fuel();
    struct world w = new_world(engine, true);
    wasm_instance_t *instance, *copy;
    catnap_run_t *run = start_run(&w, &instance), *moved;
    wasm_byte_vec_t bytes = save_store(w.store, run);
    uint32_t refused = 0, ended = 0;
    (void)state;
    for (size_t at = 80; at + 4 <= bytes.size && at < 2000; at += 4)
        for (size_t i = 0; i < COUNT(numbers); i++) {
            struct world other = new_world(engine, true);
            char before[4];
            memcpy(before, bytes.data + at, 4);
            memcpy(bytes.data + at, &numbers[i], 4);
            mend_structure((uint8_t *)bytes.data, bytes.size);
            catnap_error_t *error = restore(engine, &other, &bytes, &copy, &moved);
            refused += error != NULL;
            if (moved) {
                catnap_val_t result[4];
                wasm_trap_t *trap = NULL;
                assert_no_error(catnap_store_set_fuel(other.store, 10000));
                if (catnap_run_resume(moved, result, 1, &trap) == CATNAP_TRAP) {
                    ended++;
                    wasm_trap_delete(trap);
                }
            }
            catnap_run_delete(moved);
            wasm_instance_delete(copy);
            catnap_error_delete(error);
            memcpy(bytes.data + at, before, 4);
            drop_world(&other);
        }
    assert_true(refused > 100 && ended > 10);
    wasm_byte_vec_delete(&bytes);
    catnap_run_delete(run);
    wasm_instance_delete(instance);
    drop_world(&w);
    wasm_engine_delete(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(references_and_tags_are_restored),         TEST(a_tag_that_is_missing_is_named),
        TEST(exceptions_cannot_be_written_as_a_module), TEST(any_number_may_be_another),
        TEST(what_a_catch_block_holds_is_restored),     TEST(any_number_of_a_run_may_be_another),
    };
    return cmocka_run_group_tests_name("exceptions: snapshots", tests, NULL, NULL);
}
