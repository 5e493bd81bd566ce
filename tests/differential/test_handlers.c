/*
 * Every instruction of the bytecode that the translator can say is executed by the programs of this
 * directory, which test_forms and the script compare in all forms: what is added to the tables and
 * not reached fails here, and is to be made reachable in shapes.c. So does what is listed here as
 * never said and is said after all.
 */
#include "../hostile/hostile.h"

#include <regex.h>

#include "bytecode/bytecode.h"
#include "bytecode/form.h"
#include "memories.h"
#include "object_forms.h"
#include "objects.h"
#include "shapes.h"

#define SEEDS 300

/* Instructions that no program executes, in all builds or in those without a part, as regular expressions of
 * names. */
enum form_of_library { ANY_FORM, WITHOUT_PINS, WITHOUT_ACCUMULATOR };
static const struct {
    const char *names, *why;
    enum form_of_library form;
} never_said[] = {
    {"^(exit|switch_back|profile)$", "is no part of a function's code", ANY_FORM},
    {"^(enter|reload|set)_", "no local is pinned", WITHOUT_PINS},
    {"^f(32|64)_canonical_a_s$", "takes the accumulator where there is one", ANY_FORM},
    {"^(br_table_a|select_a|return_(a|f32|f64))$", "no accumulator is used", WITHOUT_ACCUMULATOR},
};

static uint64_t executions[BC_COUNT];

static void count_row(void *env, const char *previous, const char *name, uint64_t count) {
    (void)env;
    for (size_t i = 1; i < BC_COUNT && !previous; i++)
        if (cn_bytecode_name((enum bytecode)i) == name)
            executions[i] += count;
}

static void call_all(wasm_store_t *store, const wasm_instance_t *instance, struct form form) {
    static const char *const names[] = {"run0", "run1", "run2", "run3", "run4", "state"};
    for (size_t i = 0; i < COUNT(names); i++) {
        wasm_func_t *func = get_func(instance, names[i]);
        catnap_val_t result;
        if (form.fuel)
            assert_null(catnap_store_set_fuel(store, 1000000));
        wasm_trap_delete(catnap_func_call(func, NULL, 0, &result, 1));
        wasm_func_delete(func);
    }
}

/* With so little fuel at a time that blocks are executed in part. */
static void run_in_slices(wasm_store_t *store, const wasm_instance_t *instance) {
    wasm_func_t *func = get_func(instance, "run0");
    catnap_run_t *run = catnap_run_new(func, NULL, 0, NULL);
    catnap_status_t status = CATNAP_OUT_OF_FUEL;
    catnap_val_t result;
    wasm_trap_t *trap = NULL;
    assert_non_null(run);
    assert_null(catnap_store_set_fuel(store, 0));
    for (unsigned round = 0; round < 1000 && status == CATNAP_OUT_OF_FUEL; round++) {
        assert_null(catnap_store_set_fuel(store, catnap_store_fuel(store) + 7));
        status = catnap_run_resume(run, &result, 1, &trap);
    }
    wasm_trap_delete(trap);
    catnap_run_delete(run);
    wasm_func_delete(func);
}

/* A module whose run0 and so on are imported, and called. */
static void call_imported(wasm_store_t *store, wasm_instance_t *instance) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t type = add_type(&m, "", "I");
    wasm_extern_t *import = catnap_instance_export(instance, "state", 5);
    import_func(&m, "", "state", type);
    PUT(&f, 0, CALL, 0, END);
    add_func(&m, "relay", type, &f);
    PUT(&f, 0, RETURN_CALL, 0, END);
    add_func(&m, "relay_last", type, &f);
    export_item(&m, "imported", AS_FUNC, 0);
    PUT(&f, 0, REF_FUNC, 0, RETURN_CALL_REF, (uint8_t)type, END);
    add_func(&m, "relay_reference", type, &f);
    struct bytes b = finish(&m);
    wasm_instance_t *relay = instantiate(store, &b, &import, 1);
    CALL_EXPORT(relay, "relay");
    CALL_EXPORT(relay, "relay_last");
    CALL_EXPORT(relay, "relay_reference");
    wasm_instance_delete(relay);
    wasm_extern_delete(import);
    drop_bytes(&b);
}

/* Counts what all programs execute. */
static void count_form(struct form form, uint32_t padding, uint64_t seeds) {
    struct world w;
    form.profile_ops = true;
    open_world(&w, form);
    for (uint64_t i = 0, shapes = count_shape_modules(); i < shapes + seeds; i++) {
        struct bytes b =
            i < shapes
                ? generate_shapes((uint32_t)i, padding)
                : generate((struct generator_options){.seed = i - shapes + 1, .padding = padding});
        wasm_instance_delete(w.instance);
        w.instance = instantiate(w.store, &b, NULL, 0);
        drop_bytes(&b);
        call_all(w.store, w.instance, form);
        if (form.fuel)
            run_in_slices(w.store, w.instance);
    }
    if (!form.fuel)
        call_imported(w.store, w.instance);
    catnap_store_profile_ops(w.store, count_row, NULL);
    close_world(&w);
}

/* The same of accesses to 64-bit memories and by number, which give the same in all forms. */
static void count_memories(struct form form) {
    static uint64_t expected;
    struct world w;
    form.profile_ops = true;
    open_world(&w, form);
    struct bytes b = memories_module();
    w.instance = instantiate(w.store, &b, NULL, 0);
    drop_bytes(&b);
    uint64_t sum = CALL_EXPORT(w.instance, "run");
    assert_true(sum != 0 && (!expected || sum == expected));
    expected = sum;
    catnap_store_profile_ops(w.store, count_row, NULL);
    close_world(&w);
}

/* Throws, catches, and throws again what nothing catches. */
static void count_exceptions(void) {
    struct world w;
    struct module_builder m = {0};
    uint32_t run = add_type(&m, "", "I");
    add_tag(&m, add_type(&m, "i", ""));
    ADD_FUNC(&m, "run", run, 0, BLOCK, EXNREF, 0x1F, 0x40, 1, 3, 0, /* try_table: catch_all_ref */
             0x41, 5, 0x08, 0, END, UNREACHABLE, END, 0x0A, END);   /* throw, throw_ref */
    struct bytes b = finish(&m);
    open_world(&w, (struct form){.profile_ops = true});
    w.instance = instantiate(w.store, &b, NULL, 0);
    drop_bytes(&b);
    wasm_func_t *func = get_func(w.instance, "run");
    catnap_val_t result;
    wasm_trap_t *trap = catnap_func_call(func, NULL, 0, &result, 1);
    assert_non_null(trap);
    assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_EXCEPTION);
    wasm_trap_delete(trap);
    wasm_func_delete(func);
    catnap_store_profile_ops(w.store, count_row, NULL);
    close_world(&w);
}

/* Structures, arrays and casts. */
static void count_objects(struct bytes b, uint64_t sum) {
    struct world w;
    open_world(&w, (struct form){.profile_ops = true, .features = CATNAP_FEATURE_GC});
    w.instance = instantiate(w.store, &b, NULL, 0);
    drop_bytes(&b);
    assert_int_equal(CALL_EXPORT(w.instance, "run"), sum);
    catnap_store_profile_ops(w.store, count_row, NULL);
    close_world(&w);
}

static bool is_form(enum form_of_library form) {
    return form == WITHOUT_PINS ? !CN_PAIRS : form == WITHOUT_ACCUMULATOR ? !CN_ACCUMULATOR : true;
}

static bool is_never_said(const char *name) {
    bool found = false;
    for (size_t i = 0; i < COUNT(never_said) && !found; i++) {
        regex_t names;
        assert_int_equal(regcomp(&names, never_said[i].names, REG_EXTENDED | REG_NOSUB), 0);
        found = is_form(never_said[i].form) && regexec(&names, name, 0, NULL, 0) == 0;
        regfree(&names);
    }
    return found;
}

static void all_are_executed(void **state) {
    (void)state;
    unsigned wrong = 0;
    struct bytes b = {0};
    count_form((struct form){0}, 0, SEEDS);
    count_form((struct form){.explicit_checks = true}, 0, 0);
    count_form((struct form){.fuel = true, .interruptible = true}, 0, 10);
    count_form((struct form){0}, 33000, 10);
    count_form((struct form){.deterministic = true}, 0, 10);
    count_form((struct form){.deterministic = true}, 33000, 10);
    count_memories((struct form){0});
    count_memories((struct form){.explicit_checks = true});
    count_exceptions();
    put_bytes(&b, objects, sizeof objects);
    count_objects(b, OBJECTS_SUM);
    count_objects(object_forms_module(), OBJECT_FORMS_SUM);
    for (size_t i = 1; i < BC_COUNT; i++) {
        bool never = is_never_said(cn_bytecode_name((enum bytecode)i));
        if (never == !executions[i])
            continue;
        print_message("%s: %s\n", cn_bytecode_name((enum bytecode)i),
                      never ? "executed, and listed as never said" : "never executed");
        wrong++;
    }
    print_message("%d instructions\n", BC_COUNT - 1);
    assert_true(BC_COUNT > 500);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_are_executed)};
    note_fault_handler();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
