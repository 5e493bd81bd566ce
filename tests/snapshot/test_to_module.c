/* Modules from instances: they are valid, begin where the instance was, and go on as it does. */
#include "../differential/generate.h"
#include "../hostile/hostile.h"
#include "../hostile/stubs.h"
#include "../unit/sample.h"
#include "compare.h"
#include "modules.h"

#define CASES 300

/* ---- Converting ---- */

static struct bytes convert_with(const wasm_instance_t *instance,
                                 const catnap_to_module_options_t *options) {
    wasm_byte_vec_t out;
    struct bytes bytes = {0};
    catnap_error_t *error = catnap_instance_to_module(instance, options, &out);
    if (error)
        print_message("%s\n", catnap_error_message(error));
    assert_null(error);
    put_bytes(&bytes, out.data, out.size);
    wasm_byte_vec_delete(&out);
    return bytes;
}

static struct bytes convert(const wasm_instance_t *instance) {
    return convert_with(instance, NULL);
}

static void assert_refused_with(const wasm_instance_t *instance,
                                const catnap_to_module_options_t *options, catnap_status_t status,
                                const char *text) {
    wasm_byte_vec_t out;
    catnap_error_t *error = catnap_instance_to_module(instance, options, &out);
    assert_non_null(error);
    if (catnap_error_status(error) != status || !strstr(catnap_error_message(error), text))
        print_message("%d: %s\n", catnap_error_status(error), catnap_error_message(error));
    assert_int_equal(catnap_error_status(error), status);
    assert_non_null(strstr(catnap_error_message(error), text));
    assert_null(out.data);
    catnap_error_delete(error);
}

static void assert_refused(const wasm_instance_t *instance, catnap_status_t status,
                           const char *text) {
    assert_refused_with(instance, NULL, status, text);
}

static bool same_bytes(const struct bytes *a, const struct bytes *b) {
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static void assert_same_state(const wasm_instance_t *a, const wasm_instance_t *b) {
    const char *found = compare_instances(a, b);
    if (found)
        print_message("%s\n", found);
    assert_null(found);
}

/* Converts, twice with the same result, and makes an instance, of which the same comes again. */
static struct bytes assert_converts(struct world *w, wasm_instance_t **out) {
    struct bytes first = convert(w->instance), second = convert(w->instance);
    assert_true(same_bytes(&first, &second));
    *out = instantiate(w->store, &first, NULL, 0);
    assert_same_state(w->instance, *out);
    struct bytes again = convert(*out);
    assert_true(same_bytes(&first, &again));
    drop_bytes(&second);
    drop_bytes(&again);
    return first;
}

/* ---- All kinds of state ---- */

static void enter_state_module(struct world *w) {
    struct bytes b = {(uint8_t *)(uintptr_t)state_module, sizeof state_module, 0};
    w->instance = instantiate(w->store, &b, NULL, 0);
}

static void keeps_all_state(void **state) {
    (void)state;
    struct world w;
    wasm_instance_t *made;
    open_world(&w, (struct form){0});
    enter_state_module(&w);
    CALL_EXPORT(w.instance, "grow", 3);
    CALL_EXPORT(w.instance, "store", 5 * 65536 - 4, 77);
    CALL_EXPORT(w.instance, "fill", 4096, 9, 100000);
    CALL_EXPORT(w.instance, "set_g", 5);
    CALL_EXPORT(w.instance, "grow_f", 2);
    CALL_EXPORT(w.instance, "set_f", 4, 1);
    CALL_EXPORT(w.instance, "set_f", 1);
    struct bytes b = assert_converts(&w, &made);
    assert_int_equal(CALL_EXPORT(made, "load", 5 * 65536 - 4), 77);
    assert_int_equal(CALL_EXPORT(made, "call_f", 4), 1);
    assert_int_equal(CALL_EXPORT(made, "call_f", 1), 2);
    assert_int_equal(CALL_EXPORT(made, "call_f"), 0);
    assert_int_equal(CALL_EXPORT(made, "size_f"), 5);
    assert_int_equal(CALL_EXPORT(made, "get_g"), 10);
    CALL_EXPORT(made, "init"); /* both segments are alive */
    CALL_EXPORT(made, "init_f");
    assert_int_equal(CALL_EXPORT(made, "load") & 0xFF, 'p');
    assert_int_equal(CALL_EXPORT(made, "call_f"), 1);
    drop_bytes(&b);
    wasm_instance_delete(made);
    close_world(&w);
}

static void keeps_dropped_segments(void **state) {
    (void)state;
    struct world w;
    wasm_instance_t *made;
    open_world(&w, (struct form){0});
    enter_state_module(&w);
    CALL_EXPORT(w.instance, "drop");
    CALL_EXPORT(w.instance, "drop_f");
    struct bytes b = assert_converts(&w, &made);
    assert_int_equal(CALL_TRAP(made, "init"), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
    assert_int_equal(CALL_TRAP(made, "init_f"), CATNAP_TRAP_TABLE_OUT_OF_BOUNDS);
    drop_bytes(&b);
    wasm_instance_delete(made);
    close_world(&w);
}

/* Where memory came from an image, and where checkpoints keep a copy. */
static void looks_at_all_of_memory(void **state) {
    (void)state;
    struct world w;
    open_world(&w, (struct form){0});
    enter_state_module(&w);
    CALL_EXPORT(w.instance, "fill", 70000, 3, 5000);
    struct bytes wanted = convert(w.instance);
    uint32_t level;
    assert_null(catnap_store_checkpoint(w.store, &level));
    struct bytes with_checkpoint = convert(w.instance);
    assert_true(same_bytes(&wanted, &with_checkpoint));
    CALL_EXPORT(w.instance, "fill", 80000, 3, 5000);
    assert_null(catnap_store_rollback(w.store, level));
    struct bytes rolled_back = convert(w.instance);
    assert_true(same_bytes(&wanted, &rolled_back));
    assert_null(catnap_store_release(w.store, 0));
    /* A module of it with data, from an image. */
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    wasm_module_t *made = load_module(w.store, &wanted);
    catnap_prelinked_t *prelinked = catnap_prelinked_new(w.store, made, &none, &error);
    assert_null(error);
    wasm_instance_t *instance = catnap_prelinked_instantiate(prelinked, &error, &trap);
    assert_non_null(instance);
    struct bytes from_image = convert(instance);
    assert_true(same_bytes(&wanted, &from_image));
    wasm_instance_delete(instance);
    catnap_prelinked_delete(prelinked);
    wasm_module_delete(made);
    drop_bytes(&wanted);
    drop_bytes(&with_checkpoint);
    drop_bytes(&rolled_back);
    drop_bytes(&from_image);
    close_world(&w);
}

/* A snapshot's instance gives the module that the captured one gives. */
static void comes_from_a_snapshot(void **state) {
    (void)state;
    struct world w, other;
    catnap_error_t *error;
    wasm_byte_vec_t bytes;
    catnap_save_options_t options = {.with_modules = true};
    open_world(&w, (struct form){0});
    open_world(&other, (struct form){0});
    enter_state_module(&w);
    CALL_EXPORT(w.instance, "fill", 4096, 9, 100000);
    CALL_EXPORT(w.instance, "set_f", 1);
    struct bytes wanted = convert(w.instance);
    catnap_snapshot_t *snapshot = catnap_snapshot_take(w.store, NULL, &error);
    assert_null(error);
    assert_null(catnap_snapshot_write(snapshot, &options, &bytes));
    catnap_snapshot_delete(snapshot);
    snapshot =
        catnap_snapshot_read(other.engine, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
    assert_null(error);
    wasm_byte_vec_delete(&bytes);
    catnap_linker_t *linker = catnap_linker_new(other.store);
    assert_null(catnap_snapshot_restore(snapshot, linker, NULL, &other.instance, NULL));
    struct bytes made = convert(other.instance);
    assert_true(same_bytes(&wanted, &made));
    drop_bytes(&wanted);
    drop_bytes(&made);
    catnap_snapshot_delete(snapshot);
    catnap_linker_delete(linker);
    close_world(&w);
    close_world(&other);
}

/* ---- Generated programs ---- */

struct outcome {
    catnap_trap_code_t trap; /* CATNAP_TRAP_HOST: none */
    uint64_t result;
};

static struct outcome run(const wasm_instance_t *instance, uint32_t index) {
    char name[8];
    struct outcome o = {CATNAP_TRAP_HOST, 0};
    snprintf(name, sizeof name, "run%u", index);
    catnap_val_t result;
    wasm_trap_t *trap =
        call_values(instance, index < GENERATED_RUNS ? name : "state", NULL, &result);
    if (trap)
        o.trap = catnap_trap_code(trap);
    else
        o.result = (uint64_t)result.of.i64;
    wasm_trap_delete(trap);
    return o;
}

static void goes_on(uint64_t seed, struct form form) {
    struct world w;
    wasm_instance_t *made;
    struct bytes module = generate((struct generator_options){.seed = seed});
    uint32_t first = (uint32_t)(seed % (GENERATED_RUNS + 1));
    open_world(&w, form);
    w.instance = instantiate(w.store, &module, NULL, 0);
    for (uint32_t i = 0; i < first; i++)
        run(w.instance, i);
    struct bytes converted = assert_converts(&w, &made);
    for (uint32_t i = first; i <= GENERATED_RUNS; i++) {
        struct outcome a = run(w.instance, i), b = run(made, i);
        assert_int_equal(a.trap, b.trap);
        assert_true(a.result == b.result);
    }
    assert_same_state(w.instance, made);
    drop_bytes(&module);
    drop_bytes(&converted);
    wasm_instance_delete(made);
    close_world(&w);
}

static void generated_programs_go_on(void **state) {
    (void)state;
    static const struct form forms[] = {
        {0}, {.explicit_checks = true}, {.deferred = true}, {.eager = true, .interruptible = true}};
    for (uint64_t seed = 0; seed < CASES; seed++)
        goes_on(seed, forms[seed / 7 % COUNT(forms)]);
}

/* Random changes of a module that leave it valid: it is used, and converted to a module. */
static void try_change(wasm_engine_t *engine, const struct bytes *module, size_t *converted) {
    wasm_store_t *store = wasm_store_new(engine);
    catnap_error_t *error;
    limit_store(store);
    wasm_module_t *loaded = catnap_module_new(store, module->data, module->size, NULL, &error);
    catnap_error_delete(error);
    catnap_error_delete(catnap_store_set_fuel(store, 3000));
    wasm_instance_t *instance = loaded ? instantiate_with_stubs(store, loaded) : NULL;
    if (instance) {
        use_exports(store, instance, 3000);
        assert_true(converts_well(store, instance, true));
        ++*converted;
    }
    wasm_instance_delete(instance);
    wasm_module_delete(loaded);
    wasm_store_delete(store);
}

static void changed_programs_go_on(void **state) {
    (void)state;
    uint64_t random = 11;
    size_t converted = 0;
    wasm_engine_t *engine = new_engine((struct form){.fuel = true}, NULL);
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct bytes m =
            seed % 3 ? generate((struct generator_options){.seed = seed}) : sample_module();
        for (unsigned round = 0; round < 300; round++) {
            size_t at = next_random(&random) % m.size;
            uint8_t kept = m.data[at];
            m.data[at] = (uint8_t)next_random(&random);
            try_change(engine, &m, &converted);
            m.data[at] = kept;
        }
        drop_bytes(&m);
    }
    wasm_engine_delete(engine);
    assert_true(converted > 200);
}

/* ---- Imports ---- */

#define SOMEWHERE "from \"here\"\n"

static wasm_extern_t *make_memory(struct world *w) {
    wasm_limits_t limits = {1, 1};
    wasm_memorytype_t *type = wasm_memorytype_new(&limits);
    wasm_extern_t *made = wasm_memory_as_extern(wasm_memory_new(w->store, type));
    wasm_memorytype_delete(type);
    return made;
}

static wasm_extern_t *make_table(struct world *w) {
    wasm_limits_t limits = {1, 1};
    wasm_tabletype_t *type = wasm_tabletype_new(wasm_valtype_new(WASM_FUNCREF), &limits);
    wasm_extern_t *made = wasm_table_as_extern(wasm_table_new(w->store, type, NULL));
    wasm_tabletype_delete(type);
    return made;
}

static wasm_extern_t *make_global(struct world *w, const catnap_val_t *value, bool is_mutable) {
    wasm_globaltype_t *type =
        wasm_globaltype_new(wasm_valtype_new(value->kind), is_mutable ? WASM_VAR : WASM_CONST);
    wasm_extern_t *made = wasm_global_as_extern(catnap_global_new(w->store, type, value, NULL));
    wasm_globaltype_delete(type);
    return made;
}

static wasm_extern_t *make_variable(struct world *w) {
    return make_global(w, &VAL_I32(5), true);
}

static void refuses_what_is_not_its_own(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        uint8_t kind, form[4], length;
        wasm_extern_t *(*make)(struct world *);
    } cases[] = {
        {"mem",
         "memory that is imported as \"from \"here\"\\0a\" \"mem\"",
         2,
         {1, 1, 1},
         3,
         make_memory},
        {"tab", "table that is imported", 1, {FUNCREF, 1, 1, 1}, 4, make_table},
        {"glob", "mutable global that is imported", 3, {I32, 1}, 2, make_variable},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;
        struct module_builder m = {0};
        open_world(&w, (struct form){0});
        put_bytes(import_item(&m, SOMEWHERE, cases[i].name, cases[i].kind), cases[i].form,
                  cases[i].length);
        struct bytes b = finish(&m);
        wasm_extern_t *import = cases[i].make(&w);
        w.instance = instantiate(w.store, &b, &import, 1);
        assert_refused(w.instance, CATNAP_UNSUPPORTED, cases[i].text);
        wasm_extern_delete(import);
        drop_bytes(&b);
        close_world(&w);
    }
}

/* (import func) (import global funcref) (import global externref), tables of both, that elements
 * fill with all of these; "put" stores its arguments into both tables. */
static struct bytes references_module(void) {
    struct module_builder m = {0};
    struct bytes body = {0};
    uint32_t none = add_type(&m, "", ""), put_type = add_type(&m, "px", "");
    import_func(&m, "h", "f", none);
    import_global(&m, SOMEWHERE, "g", FUNCREF, 0);
    import_global(&m, SOMEWHERE, "x", EXTERNREF, 0);
    add_table(&m, FUNCREF, 8, 9);
    add_table(&m, EXTERNREF, 4, NO_MAX);
    PUT(add_item(&m, GLOBALS), FUNCREF, 1, 0x23, 0, END);
    PUT(add_item(&m, GLOBALS), EXTERNREF, 0, 0x23, 1, END);
    PUT(add_item(&m, GLOBALS), FUNCREF, 0, 0xD2, 0, END);
    /* functions 0 and 1 at 2; global 0 and null and function 1 at 4; global 1 at 3 */
    PUT(add_item(&m, ELEMS), 0, 0x41, 2, END, 2, 0, 1);
    PUT(add_item(&m, ELEMS), 4, 0x41, 4, END, 3, 0x23, 0, END, 0xD0, FUNCREF, END, 0xD2, 1, END);
    PUT(add_item(&m, ELEMS), 6, 1, 0x41, 3, END, EXTERNREF, 1, 0x23, 1, END);
    PUT(&body, 0, END);
    add_func(&m, "own", none, &body);
    PUT(&body, 0, 0x41, 7, LOCAL_GET, 0, 0x26, 0, 0x41, 0, LOCAL_GET, 1, 0x26, 1, END);
    add_func(&m, "put", put_type, &body);
    return finish(&m);
}

static void names_what_it_imports(void **state) {
    (void)state;
    struct world w;
    struct bytes b = references_module();
    open_world(&w, (struct form){0});
    wasm_func_t *func = new_host_func(w.store, do_nothing_on_host, NULL),
                *other = new_host_func(w.store, do_nothing_on_host, NULL);
    wasm_foreign_t *foreign = wasm_foreign_new(w.store), *stranger = wasm_foreign_new(w.store);
    catnap_val_t values[2] = {{.kind = WASM_FUNCREF, .of.ref = wasm_func_as_ref(other)},
                              {.kind = WASM_EXTERNREF, .of.ref = wasm_foreign_as_ref(foreign)}};
    wasm_extern_t *imports[3] = {wasm_func_as_extern(func), make_global(&w, &values[0], false),
                                 make_global(&w, &values[1], false)};
    w.instance = instantiate(w.store, &b, imports, 3);
    assert_null(call_values(w.instance, "put", values, NULL));
    struct bytes made = convert(w.instance);
    wasm_instance_t *copy = instantiate(w.store, &made, imports, 3);
    assert_same_state(w.instance, copy);
    /* A function as an external reference is not what ref.func gives, and not the other way
     * round. */
    values[1].of.ref = wasm_func_as_ref(func);
    assert_null(call_values(w.instance, "put", values, NULL));
    assert_refused(w.instance, CATNAP_UNSUPPORTED, "element 0 of table 1");
    values[1].of.ref = wasm_foreign_as_ref(stranger);
    assert_null(call_values(w.instance, "put", values, NULL));
    assert_refused(w.instance, CATNAP_UNSUPPORTED, "element 0 of table 1");
    /* A function of another instance of the same module. */
    wasm_func_t *foreign_func = get_func(copy, "own");
    values[0].of.ref = wasm_func_as_ref(foreign_func);
    assert_null(call_values(w.instance, "put", values, NULL));
    assert_refused(w.instance, CATNAP_UNSUPPORTED, "element 7 of table 0");
    wasm_func_delete(foreign_func);
    wasm_extern_delete(imports[1]);
    wasm_extern_delete(imports[2]);
    wasm_func_delete(func);
    wasm_func_delete(other);
    wasm_foreign_delete(foreign);
    wasm_foreign_delete(stranger);
    wasm_instance_delete(copy);
    drop_bytes(&b);
    drop_bytes(&made);
    close_world(&w);
}

static void refuses_foreign_globals(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    open_world(&w, (struct form){0});
    PUT(add_item(&m, GLOBALS), I32, 0, 0x41, 5, END);
    PUT(add_item(&m, GLOBALS), EXTERNREF, 1, 0xD0, EXTERNREF, END);
    export_item(&m, "g", 3, 1);
    enter_module(&w, &m);
    wasm_extern_t *global = catnap_instance_export(w.instance, "g", 1);
    wasm_foreign_t *foreign = wasm_foreign_new(w.store);
    catnap_val_t value = {.kind = WASM_EXTERNREF, .of.ref = wasm_foreign_as_ref(foreign)};
    assert_null(catnap_global_set(wasm_extern_as_global(global), &value));
    assert_refused(w.instance, CATNAP_UNSUPPORTED, "global 1 refers");
    wasm_foreign_delete(foreign);
    wasm_extern_delete(global);
    close_world(&w);
}

static wasm_trap_t *convert_inside(void *env, catnap_caller_t *caller,
                                   const catnap_val_t *arguments, catnap_val_t *results) {
    (void)env;
    (void)arguments;
    (void)results;
    assert_refused(catnap_caller_instance(caller), CATNAP_MISUSE, "under way");
    return NULL;
}

static void refuses_calls_under_way(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    struct bytes body = {0};
    open_world(&w, (struct form){0});
    uint32_t none = add_type(&m, "", "");
    import_func(&m, "h", "f", none);
    PUT(&body, 0, CALL, 0, END);
    add_func(&m, "run", none, &body);
    struct bytes b = finish(&m);
    wasm_func_t *func = new_host_func(w.store, convert_inside, NULL);
    wasm_extern_t *import = wasm_func_as_extern(func);
    w.instance = instantiate(w.store, &b, &import, 1);
    assert_null(call_values(w.instance, "run", NULL, NULL));
    wasm_byte_vec_t out;
    catnap_error_t *error = catnap_instance_to_module(NULL, NULL, &out);
    assert_int_equal(catnap_error_status(error), CATNAP_MISUSE);
    catnap_error_delete(error);
    error = catnap_instance_to_module(w.instance, NULL, NULL);
    assert_int_equal(catnap_error_status(error), CATNAP_MISUSE);
    catnap_error_delete(error);
    wasm_func_delete(func);
    drop_bytes(&b);
    close_world(&w);
}

static void refuses_invalid_bodies(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    struct bytes body = {0};
    open_world(&w, (struct form){.deferred = true});
    PUT(&body, 0, I32_ADD, END);
    add_func(&m, "run", add_type(&m, "", ""), &body);
    enter_module(&w, &m);
    assert_refused(w.instance, CATNAP_INVALID, "type mismatch");
    close_world(&w);
}

/* ---- Exports ---- */

/* Exports a, b, c: functions that return 1, 2, 3. */
static void enter_letters(struct world *w) {
    struct module_builder m = {0};
    struct bytes body = {0};
    uint32_t type = add_type(&m, "", "i");
    for (uint8_t i = 1; i <= 3; i++) {
        PUT(&body, 0, 0x41, i, END);
        add_func(&m, (const char[]){(char)('a' + i - 1), 0}, type, &body);
    }
    enter_module(w, &m);
}

/* The results of the exports a to d, as digits; 0 for none. */
static uint32_t letters_of(struct world *w, const struct bytes *module) {
    wasm_instance_t *instance = instantiate(w->store, module, NULL, 0);
    uint32_t digits = 0;
    for (char name[] = "a"; *name <= 'd'; ++*name) {
        wasm_extern_t *found = catnap_instance_export(instance, name, 1);
        digits = digits * 10 + (found ? (uint32_t)CALL_EXPORT(instance, name) : 0);
        wasm_extern_delete(found);
    }
    wasm_instance_delete(instance);
    return digits;
}

static void changes_exports(void **state) {
    (void)state;
    static const struct {
        catnap_export_change_t changes[3];
        size_t count;
        uint32_t letters;
    } cases[] = {
        {{{0}}, 0, 1230},
        {{{"a", NULL}}, 1, 230},
        {{{"a", "d"}}, 1, 231},
        {{{"a", "b"}}, 1, 130},
        {{{"a", "b"}, {"b", "a"}}, 2, 2130},
        {{{"a", "b"}, {"b", NULL}}, 2, 130},
        {{{"a", "a"}}, 1, 1230},
        {{{"a", "c"}, {"c", "d"}}, 2, 213},
        {{{"a", NULL}, {"b", NULL}, {"c", NULL}}, 3, 0},
    };
    struct world w;
    open_world(&w, (struct form){0});
    enter_letters(&w);
    for (size_t i = 0; i < COUNT(cases); i++) {
        catnap_to_module_options_t options = {cases[i].changes, cases[i].count};
        struct bytes b = convert_with(w.instance, &options);
        assert_int_equal(letters_of(&w, &b), cases[i].letters);
        drop_bytes(&b);
    }
    close_world(&w);
}

static void refuses_changes(void **state) {
    (void)state;
    static const struct {
        catnap_export_change_t changes[2];
        size_t count;
        catnap_status_t status;
    } cases[] = {
        {{{"d", "a"}}, 1, CATNAP_NOT_FOUND},          {{{NULL, "a"}}, 1, CATNAP_NOT_FOUND},
        {{{"a", "d"}, {"a", "e"}}, 2, CATNAP_MISUSE}, {{{"a", "d"}, {"b", "d"}}, 2, CATNAP_MISUSE},
        {{{"a", "\xC0\x80"}}, 1, CATNAP_MISUSE},
    };
    struct world w;
    open_world(&w, (struct form){0});
    enter_letters(&w);
    for (size_t i = 0; i < COUNT(cases); i++) {
        catnap_to_module_options_t options = {cases[i].changes, cases[i].count};
        assert_refused_with(w.instance, &options, cases[i].status, "");
    }
    close_world(&w);
}

/* ---- Segments ---- */

/* Reads a LEB128 number. */
static uint32_t take_u(const uint8_t **at) {
    uint32_t value = 0, shift = 0;
    do
        value |= (uint32_t)(**at & 0x7F) << shift;
    while (shift += 7, *(*at)++ & 0x80);
    return value;
}

/* The content of a section, or NULL. Of custom sections the first after `behind` others. */
static const uint8_t *find_section(const struct bytes *b, uint8_t id, uint32_t *length,
                                   size_t *position) {
    const uint8_t *at = b->data + 8, *end = b->data + b->size;
    for (size_t i = 0; at < end; i++) {
        uint8_t found = *at++;
        *length = take_u(&at);
        *position = i;
        if (found == id)
            return at;
        at += *length;
    }
    return NULL;
}

static uint32_t count_items(const struct bytes *b, uint8_t id) {
    uint32_t length;
    size_t position;
    const uint8_t *content = find_section(b, id, &length, &position);
    return content ? take_u(&content) : 0;
}

/* 130,000 ranges do not fit; those that are nearest to each other become one. */
static void joins_ranges(void **state) {
    (void)state;
    struct world w;
    wasm_instance_t *made;
    struct module_builder m = {0};
    open_world(&w, (struct form){0});
    add_memory(&m, 200, NO_MAX);
    export_item(&m, "memory", 2, 0);
    enter_module(&w, &m);
    wasm_extern_t *memory = catnap_instance_export(w.instance, "memory", 6);
    uint8_t *bytes = (uint8_t *)wasm_memory_data(wasm_extern_as_memory(memory));
    for (uint32_t i = 0; i < 130000; i++)
        bytes[i * 100 + (i % 4 == 0 ? 60 : 0)] = (uint8_t)(i % 255 + 1);
    bytes[200 * 65536 - 1] = 1;
    struct bytes b = assert_converts(&w, &made);
    /* Every fourth has a gap of 160 before it and one of 40 behind. */
    assert_in_range(count_items(&b, DATAS), 90000, 100000);
    wasm_extern_delete(memory);
    wasm_instance_delete(made);
    drop_bytes(&b);
    close_world(&w);
}

/* Fifteen zeroes are kept, sixteen are not, nor are those before and behind. */
static void leaves_out_zeroes(void **state) {
    (void)state;
    static const uint8_t wanted[] = {3,    0, 0x41, 3, END, 18, 1,    2,    0, 0,   0, 0, 0,
                                     0,    0, 0,    0, 0,   0,  0,    0,    0, 0,   3, 0, 0x41,
                                     0x82, 8, END,  1, 9,   0,  0x41, 0x93, 8, END, 1, 7};
    struct world w;
    wasm_instance_t *made;
    struct module_builder m = {0};
    open_world(&w, (struct form){0});
    add_memory(&m, 1, NO_MAX);
    PUT(add_item(&m, DATAS), 0, 0x41, 3, END, 23, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        3, 0, 0, 0, 0, 0);
    PUT(add_item(&m, DATAS), 0, 0x41, 0x80, 8, END, 20, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 7);
    enter_module(&w, &m);
    struct bytes b = assert_converts(&w, &made);
    uint32_t length;
    size_t position;
    const uint8_t *content = find_section(&b, DATAS, &length, &position);
    assert_int_equal(length, sizeof wanted);
    assert_memory_equal(content, wanted, sizeof wanted);
    wasm_instance_delete(made);
    drop_bytes(&b);
    close_world(&w);
}

/* A memory that the module had no data for: the section is new, and comes before the names. */
static void adds_sections_in_order(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    struct bytes body = {0}, custom = {0};
    open_world(&w, (struct form){0});
    add_memory(&m, 1, NO_MAX);
    add_table(&m, FUNCREF, 1, NO_MAX);
    PUT(&body, 0, 0x41, 9, 0x41, 9, 0x3A, 0, 0, END);
    uint32_t type = add_type(&m, "", "");
    add_func(&m, "set", type, &body);
    struct bytes b = finish(&m);
    put_name(&custom, "name");
    PUT(&custom, 0, 2, 1, 'm');                 /* the module */
    PUT(&custom, 1, 6, 1, 0, 3, 's', 'e', 't'); /* functions */
    PUT(&custom, 9, 4, 1, 0, 1, 'd');           /* data segments */
    PUT(&custom, 10, 1, 0);
    put_section(&b, 0, &custom);
    put_name(&custom, "other");
    put_section(&b, 0, &custom);
    w.instance = instantiate(w.store, &b, NULL, 0);
    CALL_EXPORT(w.instance, "set");
    struct bytes made = convert(w.instance);
    static const uint8_t names[] = {4, 'n', 'a', 'm', 'e', 0,   2,   1,  'm', 1,
                                    6, 1,   0,   3,   's', 'e', 't', 10, 1,   0};
    uint32_t length;
    size_t data, custom_at;
    assert_non_null(find_section(&made, DATAS, &length, &data));
    const uint8_t *content = find_section(&made, 0, &length, &custom_at);
    assert_int_equal(custom_at, data + 1);
    assert_int_equal(length, sizeof names);
    assert_memory_equal(content, names, sizeof names);
    assert_memory_equal(made.data + made.size - 6, "\5other", 6);
    assert_null(find_section(&made, ELEMS, &length, &data));
    drop_bytes(&b);
    drop_bytes(&made);
    close_world(&w);
}

/* Functions that only code names, and that segments and exports declared that are gone. */
static void declares_functions(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    struct bytes body = {0};
    open_world(&w, (struct form){0});
    uint32_t none = add_type(&m, "", ""), ref = add_type(&m, "", "i");
    PUT(add_item(&m, ELEMS), 3, 0, 1, 1);
    PUT(add_item(&m, ELEMS), 3, 0, 1, 2);
    PUT(&body, 0, END);
    add_func(&m, "init", none, &body);
    PUT(&body, 0, END);
    add_func(&m, NULL, none, &body);
    PUT(&body, 0, END);
    add_func(&m, NULL, none, &body);
    PUT(&body, 0, 0xD2, 0, 0xD1, 0xD2, 1, 0xD1, I32_ADD, END);
    add_func(&m, "run", ref, &body);
    enter_module(&w, &m);
    catnap_export_change_t change = {"init", NULL};
    catnap_to_module_options_t options = {&change, 1};
    struct bytes b = convert_with(w.instance, &options);
    uint32_t length;
    size_t position;
    static const uint8_t wanted[] = {1, 3, 0, 2, 0, 1}; /* function 2 is not named */
    const uint8_t *content = find_section(&b, ELEMS, &length, &position);
    assert_int_equal(length, sizeof wanted);
    assert_memory_equal(content, wanted, sizeof wanted);
    wasm_instance_t *made = instantiate(w.store, &b, NULL, 0);
    assert_int_equal(CALL_EXPORT(made, "run"), 0);
    wasm_instance_delete(made);
    drop_bytes(&b);
    close_world(&w);
}

/* Segments keep their indices: alive ones as they are, whatever code does with them, and others
 * empty and of their type, so that code that names them is valid. */
static void keeps_indices(void **state) {
    (void)state;
    static const uint8_t wanted[] = {5,       1, 0,    0, 5,   EXTERNREF, 0,    1, 0,   1, 0, 5,
                                     FUNCREF, 1, 0xD2, 0, END, 0,         0x41, 0, END, 1, 0};
    struct world w;
    struct module_builder m = {0};
    struct bytes body = {0};
    open_world(&w, (struct form){0});
    uint32_t none = add_type(&m, "", "");
    add_table(&m, FUNCREF, 1, NO_MAX);
    add_table(&m, EXTERNREF, 1, NO_MAX);
    PUT(add_item(&m, ELEMS), 0, 0x41, 0, END, 1, 0);
    PUT(add_item(&m, ELEMS), 5, EXTERNREF, 1, 0xD0, EXTERNREF, END);
    PUT(add_item(&m, ELEMS), 1, 0, 1, 0);
    PUT(add_item(&m, ELEMS), 5, FUNCREF, 1, 0xD2, 0, END);
    PUT(&body, 0, 0xFC, 13, 1, END); /* elem.drop */
    add_func(&m, "drop", none, &body);
    PUT(&body, 0, 0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 12, 1, 1, END); /* table.init */
    add_func(&m, "nothing", none, &body);
    enter_module(&w, &m);
    CALL_EXPORT(w.instance, "drop");
    wasm_instance_t *made;
    struct bytes b = assert_converts(&w, &made);
    CALL_EXPORT(made, "nothing");
    uint32_t length;
    size_t position;
    const uint8_t *content = find_section(&b, ELEMS, &length, &position);
    assert_int_equal(length, sizeof wanted);
    assert_memory_equal(content, wanted, sizeof wanted);
    wasm_instance_delete(made);
    drop_bytes(&b);
    close_world(&w);
}

/* A module of the first version stays one: nothing that it did not need comes in. */
static void stays_simple(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    struct bytes body = {0};
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_features(config, CATNAP_FEATURES_WASM1);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    open_world(&w, (struct form){0});
    add_memory(&m, 1, 4);
    add_table(&m, FUNCREF, 4, NO_MAX);
    PUT(add_item(&m, GLOBALS), I32, 1, 0x41, 5, END);
    PUT(add_item(&m, ELEMS), 0, 0x41, 1, END, 2, 0, 0);
    PUT(add_item(&m, DATAS), 0, 0x41, 1, END, 2, 7, 8);
    PUT(&body, 0, 0x41, 9, 0x24, 0, 0x41, 2, 0x40, 0, DROP, END);
    set_start(&m, add_func(&m, NULL, add_type(&m, "", ""), &body));
    enter_module(&w, &m);
    wasm_instance_t *made;
    struct bytes b = assert_converts(&w, &made);
    catnap_error_t *error = catnap_module_validate(engine, b.data, b.size);
    assert_null(error);
    uint32_t length;
    size_t position;
    assert_null(find_section(&b, START, &length, &position));
    wasm_instance_delete(made);
    wasm_engine_delete(engine);
    drop_bytes(&b);
    close_world(&w);
}

int main(void) {
    note_fault_handler();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_all_state),
        cmocka_unit_test(keeps_dropped_segments),
        cmocka_unit_test(looks_at_all_of_memory),
        cmocka_unit_test(comes_from_a_snapshot),
        cmocka_unit_test(generated_programs_go_on),
        cmocka_unit_test(changed_programs_go_on),
        cmocka_unit_test(refuses_what_is_not_its_own),
        cmocka_unit_test(names_what_it_imports),
        cmocka_unit_test(refuses_foreign_globals),
        cmocka_unit_test(refuses_calls_under_way),
        cmocka_unit_test(refuses_invalid_bodies),
        cmocka_unit_test(changes_exports),
        cmocka_unit_test(refuses_changes),
        cmocka_unit_test(joins_ranges),
        cmocka_unit_test(leaves_out_zeroes),
        cmocka_unit_test(adds_sections_in_order),
        cmocka_unit_test(declares_functions),
        cmocka_unit_test(keeps_indices),
        cmocka_unit_test(stays_simple),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
