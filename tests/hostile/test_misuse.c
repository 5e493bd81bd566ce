/* Callers that break the rules: nothing given where something is wanted, objects of another store,
 * deletion in every order, runs and stores that are dropped while they are at work. None of it may
 * be undefined; what can fail says so. */
#include "hostile.h"

static const struct form form = {.fuel = true, .interruptible = true};

static void expect_error(catnap_error_t *error, catnap_status_t status) {
    assert_non_null(error);
    assert_int_equal(catnap_error_status(error), status);
    assert_true(catnap_error_message(error)[0] != '\0');
    catnap_error_delete(error);
}
static void expect_trap(wasm_trap_t *trap) {
    assert_non_null(trap);
    wasm_trap_delete(trap);
}

/* ---- Nothing ---- */

#define REF_OF_NOTHING(name)                                                                       \
    wasm_##name##_delete(NULL);                                                                    \
    assert_null(wasm_##name##_copy(NULL));                                                         \
    assert_true(wasm_##name##_same(NULL, NULL));                                                   \
    assert_null(wasm_##name##_get_host_info(NULL));                                                \
    wasm_##name##_set_host_info(NULL, NULL);                                                       \
    wasm_##name##_set_host_info_with_finalizer(NULL, NULL, NULL);
#define CASTS_OF_NOTHING(name)                                                                     \
    REF_OF_NOTHING(name)                                                                           \
    assert_null(wasm_##name##_as_ref(NULL));                                                       \
    assert_null(wasm_ref_as_##name(NULL));                                                         \
    assert_null(wasm_##name##_as_ref_const(NULL));                                                 \
    assert_null(wasm_ref_as_##name##_const(NULL));
#define EXTERN_OF_NOTHING(name)                                                                    \
    assert_null(wasm_##name##_as_extern(NULL));                                                    \
    assert_null(wasm_extern_as_##name(NULL));                                                      \
    assert_null(wasm_extern_as_##name##_const(NULL));

static void handles_of_nothing(void **state) {
    (void)state;
    REF_OF_NOTHING(ref)
    CASTS_OF_NOTHING(trap)
    CASTS_OF_NOTHING(foreign)
    CASTS_OF_NOTHING(module)
    CASTS_OF_NOTHING(func)
    CASTS_OF_NOTHING(global)
    CASTS_OF_NOTHING(table)
    CASTS_OF_NOTHING(memory)
    CASTS_OF_NOTHING(extern)
    CASTS_OF_NOTHING(instance)
    EXTERN_OF_NOTHING(func)
    EXTERN_OF_NOTHING(global)
    EXTERN_OF_NOTHING(table)
    EXTERN_OF_NOTHING(memory)
    wasm_engine_delete(NULL);
    wasm_store_delete(NULL);
    wasm_config_delete(NULL);
    wasm_frame_delete(NULL);
    wasm_shared_module_delete(NULL);
    catnap_error_delete(NULL);
    catnap_linker_delete(NULL);
    catnap_run_delete(NULL);
    catnap_wasi_delete(NULL);
    assert_null(wasm_store_new(NULL));
    assert_null(wasm_func_type(NULL));
    assert_int_equal(wasm_func_param_arity(NULL), 0);
    assert_int_equal(wasm_func_result_arity(NULL), 0);
    assert_null(wasm_global_type(NULL));
    assert_null(wasm_table_type(NULL));
    assert_null(wasm_memory_type(NULL));
    assert_null(wasm_extern_type(NULL));
    assert_null(wasm_memory_data(NULL));
    assert_int_equal(wasm_memory_data_size(NULL), 0);
    assert_int_equal(wasm_memory_size(NULL), 0);
    assert_false(wasm_memory_grow(NULL, 1));
    assert_int_equal(wasm_table_size(NULL), 0);
    assert_null(wasm_table_get(NULL, 0));
    assert_false(wasm_table_set(NULL, 0, NULL));
    assert_false(wasm_table_grow(NULL, 1, NULL));
    wasm_global_set(NULL, NULL);
}

/* Outputs are written also when the object is NULL. */
static void outputs_of_nothing(void **state) {
    (void)state;
    wasm_val_t value;
    catnap_val_t wide;
    wasm_byte_vec_t bytes;
    wasm_importtype_vec_t imports;
    wasm_exporttype_vec_t exports;
    wasm_extern_vec_t externs;
    wasm_frame_vec_t frames;
    memset(&value, 0xAA, sizeof value);
    wasm_global_get(NULL, &value);
    assert_null(value.of.ref);
    memset(&wide, 0xAA, sizeof wide);
    catnap_global_get(NULL, &wide);
    assert_null(wide.of.ref);
    wasm_trap_message(NULL, &bytes);
    assert_true(bytes.size == 0 && !bytes.data);
    wasm_module_serialize(NULL, &bytes);
    assert_true(bytes.size == 0 && !bytes.data);
    wasm_module_imports(NULL, &imports);
    assert_true(imports.size == 0 && !imports.data);
    wasm_module_exports(NULL, &exports);
    assert_true(exports.size == 0 && !exports.data);
    wasm_instance_exports(NULL, &externs);
    assert_true(externs.size == 0 && !externs.data);
    wasm_trap_trace(NULL, &frames);
    assert_true(frames.size == 0 && !frames.data);
    assert_null(wasm_trap_origin(NULL));
    catnap_limits_t limits;
    memset(&limits, 0xAA, sizeof limits);
    catnap_store_limits(NULL, &limits);
    assert_int_equal(limits.host_depth, 64);
    catnap_module_stats_t module_stats;
    memset(&module_stats, 0xAA, sizeof module_stats);
    catnap_module_stats(NULL, &module_stats);
    assert_int_equal(module_stats.functions, 0);
    catnap_store_stats_t store_stats;
    memset(&store_stats, 0xAA, sizeof store_stats);
    catnap_store_stats(NULL, &store_stats);
    assert_int_equal(store_stats.instances, 0);
    uint64_t now = 1, peak = 1;
    catnap_engine_memory(NULL, &now, &peak);
    assert_true(now == 0 && peak == 0);
    catnap_frame_t frame;
    memset(&frame, 0xAA, sizeof frame);
    assert_false(catnap_trap_frame(NULL, 0, &frame));
    assert_null(frame.instance);
    int32_t status = 1;
    assert_false(catnap_trap_exit_status(NULL, &status));
    assert_int_equal(status, 0);
}

static void calls_with_nothing(void **state) {
    (void)state;
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_val_t result = {.kind = WASM_I32};
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    expect_trap(wasm_func_call(NULL, &none, &none));
    expect_trap(wasm_func_call(NULL, NULL, NULL));
    expect_trap(catnap_func_call(NULL, NULL, 0, &result, 1));
    assert_null(catnap_run_new(NULL, NULL, 0, &error));
    expect_error(error, CATNAP_MISUSE);
    assert_int_equal(catnap_run_resume(NULL, &result, 1, &trap), CATNAP_MISUSE);
    assert_null(trap);
    assert_int_equal(catnap_run_resume(NULL, NULL, 0, NULL), CATNAP_MISUSE);
    assert_int_equal(catnap_run_backtrace(NULL, NULL, 0), 0);
    assert_null(catnap_module_new(NULL, (const uint8_t *)"", 0, NULL, &error));
    expect_error(error, CATNAP_MISUSE);
    expect_error(catnap_module_validate(NULL, (const uint8_t *)"", 0), CATNAP_MISUSE);
    expect_error(catnap_module_translate(NULL), CATNAP_MISUSE);
    assert_null(catnap_instance_new(NULL, NULL, NULL, &error, &trap));
    assert_null(trap);
    expect_error(error, CATNAP_MISUSE);
    assert_null(catnap_instance_new(NULL, NULL, NULL, NULL, NULL));
    assert_null(wasm_instance_new(NULL, NULL, NULL, &trap));
    expect_trap(trap);
    assert_null(wasm_instance_new(NULL, NULL, NULL, NULL));
    assert_null(catnap_linker_new(NULL));
    expect_error(catnap_linker_define(NULL, "", 0, "", 0, NULL), CATNAP_MISUSE);
    expect_error(catnap_linker_define_instance(NULL, "", 0, NULL), CATNAP_MISUSE);
    expect_error(catnap_linker_define_wasi(NULL, NULL), CATNAP_MISUSE);
    assert_null(catnap_linker_get(NULL, NULL, 0, NULL, 0));
    assert_null(catnap_linker_instantiate(NULL, NULL, &error, &trap));
    expect_error(error, CATNAP_MISUSE);
    catnap_linker_trap_unknown_imports(NULL, true);
    expect_error(catnap_store_set_fuel(NULL, 1), CATNAP_MISUSE);
    expect_error(catnap_store_consume_fuel(NULL, 1), CATNAP_MISUSE);
    assert_int_equal(catnap_store_fuel(NULL), 0);
    catnap_store_interrupt(NULL, 1);
    catnap_store_set_limits(NULL, NULL);
    catnap_store_set_data(NULL, NULL);
    assert_null(catnap_store_data(NULL));
    assert_null(catnap_store_engine(NULL));
    assert_null(catnap_store_last_error(NULL));
    assert_null(catnap_global_new(NULL, NULL, NULL, &error));
    expect_error(error, CATNAP_MISUSE);
    assert_null(catnap_func_new(NULL, NULL, NULL, NULL, NULL, &error));
    expect_error(error, CATNAP_MISUSE);
    expect_error(catnap_global_set(NULL, NULL), CATNAP_MISUSE);
    expect_trap(catnap_trap_new(NULL, CATNAP_TRAP_HOST, "x"));
    expect_trap(catnap_trap_new_exit(NULL, 1));
    assert_null(catnap_instance_export(NULL, "x", 1));
    assert_null(catnap_instance_module(NULL));
    assert_null(wasm_module_share(NULL));
    assert_null(wasm_module_obtain(NULL, NULL));
    assert_int_equal(catnap_module_function_count(NULL), 0);
    assert_null(catnap_module_function_type(NULL, 0));
    expect_error(catnap_module_disassemble(NULL, 0, NULL, NULL), CATNAP_MISUSE);
    catnap_error_delete(catnap_error_new(CATNAP_TRAP, NULL));
}

/* With a store, but without the rest. */
static void parts_of_nothing(void **state) {
    (void)state;
    struct world w;
    catnap_error_t *error;
    open_world(&w, form);
    struct module_builder m = {0};
    struct bytes f = {0};
    PUT(&f, 0, LOCAL_GET, 0, END);
    add_func(&m, "f", add_type(&m, "i", "i"), &f);
    enter_module(&w, &m);
    wasm_func_t *func = get_func(w.instance, "f");
    catnap_val_t in[2] = {VAL_I32(1), VAL_I32(2)}, out[2];
    expect_trap(catnap_func_call(func, NULL, 1, out, 1));
    expect_trap(catnap_func_call(func, in, 1, NULL, 1));
    expect_trap(catnap_func_call(func, in, 0, out, 1));
    expect_trap(catnap_func_call(func, in, 2, out, 1));
    expect_trap(catnap_func_call(func, in, 1, out, 0));
    expect_trap(catnap_func_call(func, in, 1, out, 2));
    for (unsigned kind = 0; kind < 256; kind++) {
        in[0].kind = (wasm_valkind_t)kind;
        assert_null(catnap_store_set_fuel(w.store, 10));
        wasm_trap_t *trap = catnap_func_call(func, in, 1, out, 1);
        assert_int_equal(!trap, kind == WASM_I32);
        wasm_trap_delete(trap);
        catnap_run_t *run = catnap_run_new(func, in, 1, &error);
        assert_int_equal(!!run, kind == WASM_I32);
        if (!run)
            expect_error(error, CATNAP_MISUSE);
        catnap_run_delete(run);
    }
    assert_null(catnap_module_new(w.store, NULL, 10, NULL, &error));
    expect_error(error, CATNAP_MISUSE);
    assert_null(catnap_module_new(w.store, NULL, 0, NULL, &error));
    expect_error(error, CATNAP_MALFORMED);
    assert_null(wasm_module_new(w.store, NULL));
    assert_false(wasm_module_validate(w.store, NULL));
    assert_null(wasm_module_deserialize(w.store, NULL));
    assert_null(wasm_func_new(w.store, NULL, NULL));
    assert_null(wasm_global_new(w.store, NULL, NULL));
    assert_null(wasm_table_new(w.store, NULL, NULL));
    assert_null(wasm_memory_new(w.store, NULL));
    assert_non_null(catnap_store_last_error(w.store));
    wasm_func_delete(func);
    close_world(&w);
}

/* ---- Other stores ---- */

static void objects_of_another_store(void **state) {
    (void)state;
    struct world w, other;
    struct module_builder m = {0};
    struct bytes f = {0};
    catnap_error_t *error;
    wasm_trap_t *trap;
    open_world(&w, form);
    open_world(&other, form);
    import_func(&m, "m", "f", add_type(&m, "", ""));
    PUT(&f, 0, LOCAL_GET, 0, DROP, END);
    add_func(&m, "take", add_type(&m, "x", ""), &f);
    add_table(&m, FUNCREF, 1, 10);
    export_item(&m, "table", 1, 0);
    struct bytes b = finish(&m);
    wasm_func_t *func = new_host_func(w.store, do_nothing_on_host, NULL),
                *foreign = new_host_func(other.store, do_nothing_on_host, NULL);
    wasm_module_t *module = load_module(w.store, &b);
    wasm_extern_t *import = wasm_func_as_extern(foreign);
    wasm_extern_vec_t imports = {1, &import};
    assert_null(catnap_instance_new(w.store, module, &imports, &error, &trap));
    assert_null(trap);
    expect_error(error, CATNAP_LINK);
    import = wasm_func_as_extern(func);
    assert_null(catnap_instance_new(other.store, module, &imports, &error, &trap));
    expect_error(error, CATNAP_MISUSE);
    w.instance = catnap_instance_new(w.store, module, &imports, &error, &trap);
    assert_non_null(w.instance);
    wasm_func_t *take = get_func(w.instance, "take");
    catnap_val_t reference = {.kind = WASM_EXTERNREF, .of.ref = wasm_func_as_ref(foreign)};
    expect_trap(catnap_func_call(take, &reference, 1, NULL, 0));
    wasm_extern_t *exported = catnap_instance_export(w.instance, "table", 5);
    wasm_table_t *table = wasm_extern_as_table(exported);
    assert_false(wasm_table_set(table, 0, wasm_func_as_ref(foreign)));
    assert_false(wasm_table_grow(table, 1, wasm_func_as_ref(foreign)));
    assert_false(wasm_table_set(table, 0, wasm_instance_as_ref(w.instance)));
    assert_true(wasm_table_set(table, 0, wasm_func_as_ref(func)));
    catnap_linker_t *linker = catnap_linker_new(w.store);
    expect_error(catnap_linker_define(linker, "m", 1, "f", 1, wasm_func_as_extern(foreign)),
                 CATNAP_MISUSE);
    catnap_linker_t *other_linker = catnap_linker_new(other.store);
    assert_null(catnap_linker_instantiate(other_linker, module, &error, &trap));
    assert_true(error || trap);
    catnap_error_delete(error);
    wasm_trap_delete(trap);
    wasm_shared_module_t *shared = wasm_module_share(module);
    assert_null(wasm_module_obtain(other.store, shared)); /* of another engine */
    wasm_shared_module_delete(shared);
    catnap_linker_delete(linker);
    catnap_linker_delete(other_linker);
    wasm_extern_delete(exported);
    wasm_func_delete(take);
    wasm_module_delete(module);
    wasm_func_delete(func);
    wasm_func_delete(foreign);
    drop_bytes(&b);
    close_world(&w);
    close_world(&other);
}

/* ---- Deletion in every order ---- */

enum part {
    ENGINE,
    STORE,
    MODULE,
    SHARED,
    INSTANCE,
    FUNC,
    MEMORY,
    TABLE,
    GLOBAL,
    TRAP,
    FRAME,
    LINKER,
    FOREIGN,
    COPY,
    RUN,
    PARTS
};

struct parts {
    wasm_engine_t *engine;
    wasm_store_t *store;
    wasm_module_t *module;
    wasm_shared_module_t *shared;
    wasm_instance_t *instance;
    wasm_extern_t *externs[4];
    wasm_trap_t *trap;
    wasm_frame_t *frame;
    catnap_linker_t *linker;
    wasm_foreign_t *foreign;
    wasm_func_t *copy;
    catnap_run_t *run;
    bool ended; /* the run */
};

static int finalized;
static void count_finalized(void *info) {
    (void)info;
    finalized++;
}

static struct parts make_parts(struct ledger *ledger) {
    static const char *const names[] = {"f", "memory", "table", "global"};
    struct parts p = {.ended = false};
    struct module_builder m = {0};
    struct bytes f = {0};
    uint64_t ignored;
    PUT(&f, 0, UNREACHABLE, END);
    add_func(&m, "f", add_type(&m, "", ""), &f);
    add_memory(&m, 1, 2);
    add_table(&m, EXTERNREF, 1, 2);
    struct bytes *g = add_item(&m, GLOBALS);
    PUT(g, I32, 1, 0x41, 0, END);
    export_item(&m, "memory", 2, 0);
    export_item(&m, "table", 1, 0);
    export_item(&m, "global", 3, 0);
    struct bytes b = finish(&m);
    p.engine = new_engine((struct form){0}, ledger);
    p.store = wasm_store_new(p.engine);
    p.module = load_module(p.store, &b);
    p.shared = wasm_module_share(p.module);
    p.instance = catnap_instance_new(p.store, p.module, NULL, NULL, NULL);
    for (size_t i = 0; i < COUNT(names); i++)
        p.externs[i] = catnap_instance_export(p.instance, names[i], strlen(names[i]));
    p.trap = call_bits(p.instance, "f", NULL, &ignored);
    p.frame = wasm_trap_origin(p.trap);
    p.linker = catnap_linker_new(p.store);
    assert_null(catnap_linker_define_instance(p.linker, "m", 1, p.instance));
    p.foreign = wasm_foreign_new(p.store);
    wasm_table_set(wasm_extern_as_table(p.externs[2]), 0, wasm_foreign_as_ref(p.foreign));
    p.copy = wasm_func_copy(wasm_extern_as_func(p.externs[0]));
    p.run = catnap_run_new(p.copy, NULL, 0, NULL);
    wasm_foreign_set_host_info_with_finalizer(p.foreign, &finalized, count_finalized);
    wasm_instance_set_host_info_with_finalizer(p.instance, &finalized, count_finalized);
    wasm_extern_set_host_info_with_finalizer(p.externs[0], &finalized, count_finalized);
    drop_bytes(&b);
    return p;
}

static void delete_part(struct parts *p, enum part part) {
    switch (part) {
    case ENGINE:
        wasm_engine_delete(p->engine);
        break;
    case STORE:
        wasm_store_delete(p->store);
        break;
    case MODULE:
        wasm_module_delete(p->module);
        break;
    case SHARED:
        wasm_shared_module_delete(p->shared);
        break;
    case INSTANCE:
        wasm_instance_delete(p->instance);
        break;
    case FUNC: /* and the other three, in the order of externs */
    case MEMORY:
    case TABLE:
    case GLOBAL:
        wasm_extern_delete(p->externs[part - FUNC]);
        break;
    case TRAP:
        wasm_trap_delete(p->trap);
        break;
    case FRAME:
        wasm_frame_delete(p->frame);
        break;
    case LINKER:
        catnap_linker_delete(p->linker);
        break;
    case FOREIGN:
        wasm_foreign_delete(p->foreign);
        break;
    case COPY:
        wasm_func_delete(p->copy);
        break;
    default:
        catnap_run_delete(p->run);
    }
}

/* The objects that are left work, whichever were deleted before. */
static void use_what_is_left(struct parts *p, const bool *deleted) {
    if (!deleted[TRAP]) {
        catnap_frame_t frame;
        assert_true(catnap_trap_frame(p->trap, 0, &frame));
        assert_int_equal(frame.func_offset, 1);
    }
    if (!deleted[FRAME])
        assert_int_equal(wasm_frame_func_offset(p->frame), 1);
    if (!deleted[RUN])
        assert_int_equal(catnap_run_resume(p->run, NULL, 0, NULL),
                         deleted[STORE] || p->ended ? CATNAP_MISUSE : CATNAP_TRAP);
    p->ended = true;
    if (!deleted[COPY])
        assert_int_equal(wasm_func_param_arity(p->copy), 0);
    if (!deleted[MEMORY])
        assert_int_equal(wasm_memory_size(wasm_extern_as_memory(p->externs[1])), 1);
    if (!deleted[MODULE])
        assert_int_equal(catnap_module_function_count(p->module), 1);
}

static void deletion_in_any_order(void **state) {
    (void)state;
    uint64_t random = 11;
    for (unsigned round = 0; round < 2000; round++) {
        struct ledger ledger = {0};
        struct parts p = make_parts(&ledger);
        bool deleted[PARTS] = {false};
        finalized = 0;
        for (unsigned left = PARTS; left > 0; left--) {
            unsigned skip = (unsigned)(next_random(&random) % left), part = 0;
            while (deleted[part] || skip-- > 0)
                part++;
            delete_part(&p, (enum part)part);
            deleted[part] = true;
            use_what_is_left(&p, deleted);
        }
        assert_int_equal(finalized, 3);
        assert_int_equal(ledger.now, 0);
    }
}

/* ---- From inside ---- */

struct inside {
    struct world *w;
    wasm_module_t *module;
    wasm_func_t *func;
    catnap_run_t *run;
    enum { DELETE_INSTANCE, DELETE_HANDLES, RESUME_AGAIN, DELETE_RUN, DEEDS } deed;
};

static wasm_trap_t *misbehave(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                              catnap_val_t *results) {
    struct inside *i = env;
    wasm_trap_t *trap;
    (void)caller;
    (void)arguments;
    (void)results;
    switch (i->deed) {
    case DELETE_INSTANCE:
        wasm_instance_delete(i->w->instance);
        i->w->instance = NULL;
        break;
    case DELETE_HANDLES:
        wasm_module_delete(i->module);
        i->module = NULL;
        wasm_func_delete(i->func);
        i->func = NULL;
        break;
    case RESUME_AGAIN:
        assert_int_equal(catnap_run_resume(i->run, NULL, 0, &trap), CATNAP_MISUSE);
        assert_null(trap);
        assert_int_equal(catnap_run_backtrace(i->run, NULL, 0), 0);
        break;
    default:
        catnap_run_delete(i->run);
        i->run = NULL;
    }
    return NULL;
}

static void deeds_of_callbacks(void **state) {
    (void)state;
    for (unsigned deed = 0; deed < DEEDS; deed++)
        for (unsigned in_run = deed >= RESUME_AGAIN; in_run < 2; in_run++) {
            struct world w;
            struct module_builder m = {0};
            struct bytes f = {0};
            wasm_trap_t *trap;
            import_func(&m, "m", "f", add_type(&m, "", ""));
            PUT(&f, 0, CALL, 0, 0x23, 0, 0x41, 1, I32_ADD, 0x24, 0, END);
            add_func(&m, "f", 0, &f);
            struct bytes *g = add_item(&m, GLOBALS);
            PUT(g, I32, 1, 0x41, 0, END);
            export_item(&m, "global", 3, 0);
            struct bytes b = finish(&m);
            open_world(&w, form);
            struct inside inside = {.w = &w, .deed = deed};
            inside.func = new_host_func(w.store, misbehave, &inside);
            inside.module = load_module(w.store, &b);
            wasm_extern_t *import = wasm_func_as_extern(inside.func);
            wasm_extern_vec_t imports = {1, &import};
            w.instance = catnap_instance_new(w.store, inside.module, &imports, NULL, NULL);
            wasm_func_t *func = get_func(w.instance, "f");
            wasm_extern_t *global = catnap_instance_export(w.instance, "global", 6);
            assert_null(catnap_store_set_fuel(w.store, 100));
            if (in_run) {
                inside.run = catnap_run_new(func, NULL, 0, NULL);
                assert_int_equal(catnap_run_resume(inside.run, NULL, 0, &trap), CATNAP_OK);
                catnap_run_delete(inside.run);
            } else {
                assert_null(catnap_func_call(func, NULL, 0, NULL, 0));
            }
            catnap_val_t value;
            catnap_global_get(wasm_extern_as_global(global), &value);
            assert_int_equal(value.of.i32, 1);
            wasm_extern_delete(global);
            wasm_func_delete(func);
            wasm_func_delete(inside.func);
            wasm_module_delete(inside.module);
            drop_bytes(&b);
            close_world(&w);
        }
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_of_nothing),       cmocka_unit_test(outputs_of_nothing),
        cmocka_unit_test(calls_with_nothing),       cmocka_unit_test(parts_of_nothing),
        cmocka_unit_test(objects_of_another_store), cmocka_unit_test(deletion_in_any_order),
        cmocka_unit_test(deeds_of_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
