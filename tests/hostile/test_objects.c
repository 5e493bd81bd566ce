/* Every allocation fails once in programs with structures and arrays, and where the host takes and gives references. */
#include "hostile.h"

#include "../differential/objects.h"

/* A program whose memory may run out: true when it came to its end. */
typedef bool (*program)(struct world *);

static bool out_of_memory(wasm_trap_t *trap) {
    assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_NO_MEMORY);
    wasm_trap_delete(trap);
    return false;
}

static bool instantiate_starved(struct world *w, const uint8_t *bytes, size_t size) {
    catnap_error_t *error;
    wasm_trap_t *trap = NULL;
    wasm_extern_vec_t imports = WASM_EMPTY_VEC;
    wasm_module_t *module = catnap_module_new(w->store, bytes, size, NULL, &error);
    if (module)
        w->instance = catnap_instance_new(w->store, module, &imports, &error, &trap);
    wasm_module_delete(module);
    if (trap)
        return out_of_memory(trap);
    if (!w->instance) {
        assert_int_equal(catnap_error_status(error), CATNAP_NO_MEMORY);
        catnap_error_delete(error);
    }
    return w->instance != NULL;
}

/* The named export, which may be missing for lack of memory. */
static wasm_func_t *func_starved(const struct world *w, const char *name) {
    wasm_extern_t *found = catnap_instance_export(w->instance, name, strlen(name));
    return found ? wasm_extern_as_func(found) : NULL;
}

static bool run_objects(struct world *w) {
    catnap_val_t result;
    wasm_func_t *run =
        instantiate_starved(w, objects, sizeof objects) ? func_starved(w, "run") : NULL;
    if (!run)
        return false;
    wasm_trap_t *trap = catnap_func_call(run, NULL, 0, &result, 1);
    wasm_func_delete(run);
    if (trap)
        return out_of_memory(trap);
    assert_true((uint64_t)result.of.i64 == OBJECTS_SUM);
    return true;
}

/* (func (export "f") (param anyref anyref) (result anyref anyref anyref)
 *   (local.get 0) (local.get 1) (ref.i31 (i32.const 5))) */
static const uint8_t references[] = {0, 'a',  's',  'm',  1,    0,    0,    0,   1, 9,  1, 0x60,
                                     2, 0x6E, 0x6E, 3,    0x6E, 0x6E, 0x6E, 3,   2, 1,  0, 7,
                                     5, 1,    1,    'f',  0,    0,    10,   12,  1, 10, 0, 0x20,
                                     0, 0x20, 1,    0x41, 5,    0xFB, 0x1C, 0x0B};

/* A host object and nothing go in; the host gets the object, nothing, and a number as a reference. */
static bool pass_references(struct world *w) {
    catnap_val_t in[2] = {{.kind = CATNAP_ANYREF}, {.kind = CATNAP_ANYREF}}, out[3];
    wasm_func_t *f =
        instantiate_starved(w, references, sizeof references) ? func_starved(w, "f") : NULL;
    wasm_foreign_t *foreign = f ? wasm_foreign_new(w->store) : NULL;
    wasm_trap_t *trap = NULL;
    if (foreign) {
        in[0].of.ref = wasm_foreign_as_ref(foreign);
        trap = catnap_func_call(f, in, 2, out, 3);
    }
    if (foreign && !trap) {
        assert_ptr_equal(out[0].of.ref, in[0].of.ref);
        assert_null(out[1].of.ref);
        assert_non_null(out[2].of.ref);
        wasm_ref_delete(out[0].of.ref);
        wasm_ref_delete(out[2].of.ref);
    }
    bool done = foreign && !trap;
    wasm_trap_delete(trap);
    wasm_foreign_delete(foreign);
    wasm_func_delete(f);
    return done;
}

static void starve(program program) {
    for (uint64_t fail_at = 1, failures = 1; failures > 0; fail_at++) {
        struct world w;
        open_world(&w, (struct form){.features = CATNAP_FEATURE_GC});
        w.ledger.fail_at = w.ledger.count + fail_at;
        bool done = program(&w);
        failures = w.ledger.failures;
        assert_true(done || failures > 0);
        w.ledger.fail_at = 0;
        close_world(&w);
        assert_true(fail_at > 10 || failures > 0);
    }
}

static void programs_run_out_of_memory(void **state) {
    (void)state;
    starve(run_objects);
}

static void passing_references_runs_out_of_memory(void **state) {
    (void)state;
    starve(pass_references);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_run_out_of_memory),
        cmocka_unit_test(passing_references_runs_out_of_memory),
    };
    note_fault_handler();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
