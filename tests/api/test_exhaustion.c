/*
 * Memory that runs out: one scenario over most of the API is repeated with the first allocation
 * failing, then the second and so on, once only and from then on. Each failure must be reported as
 * exhausted memory, nothing may leak, and what follows must be orderly.
 */
#include "helpers.h"

/* ---- An allocator that fails on demand ---- */

struct injector {
    uint64_t count;   /* allocations so far */
    uint64_t fail_at; /* the one that fails */
    bool forever;     /* and all later ones */
    bool fired;
    size_t held; /* bytes */
};

static bool must_fail(struct injector *injector) {
    uint64_t index = injector->count++;
    bool now = index == injector->fail_at || (injector->forever && index > injector->fail_at);
    injector->fired |= now;
    return now;
}

static void *injected_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct injector *injector = env;
    if (new_size > old_size && must_fail(injector))
        return NULL;
    injector->held += new_size - old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    return realloc(pointer, new_size);
}

/*
 * The same for what lives outside of engines (types, vectors, errors): it comes from calloc(),
 * which this program replaces. Sanitizers want that for themselves.
 */
#if SANITIZED
#define REPLACE_CALLOC 0
#endif
/* The verifier of bytecode takes memory from the host, and does without where there is none. */
#if defined(CATNAP_ASSERT) && !defined(REPLACE_CALLOC)
#define REPLACE_CALLOC 0
#endif
#if !defined(REPLACE_CALLOC) && defined(__GLIBC__)
#define REPLACE_CALLOC 1
#endif

#if REPLACE_CALLOC
static struct injector *host_injector;
extern void *__libc_calloc(size_t count, size_t size);
void *calloc(size_t count, size_t size) {
    if (host_injector && must_fail(host_injector))
        return NULL;
    return __libc_calloc(count, size);
}
#endif

/* ---- Operations ---- */

/* (module
 *   (import "host" "id" (func $id (param externref) (result externref)))
 *   (import "host" "many" (func $many
 *     (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
 *     (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
 *   (import "absent" "thing" (func))
 *   (memory (export "m") 1 10) (table (export "t") 4 20 funcref)
 *   (table $refs (export "refs") 1 externref)
 *   (global (export "g") (mut i32) (i32.const 1)) (global $f funcref (ref.func $add))
 *   (elem (i32.const 0) func $add $add) (elem $later func $add $twice $add)
 *   (data (i32.const 4) "data") (data $more "more")
 *   (func $add (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
 *   (func $twice (param i32) (result i32) (call $add (local.get 0) (local.get 0)))
 *   (func (export "work") (param i32) (result i32) (local i64 f64 v128)
 *     (table.init 0 $later (i32.const 1) (i32.const 0) (i32.const 3))
 *     (memory.init $more (i32.const 9) (i32.const 0) (i32.const 4))
 *     (call_indirect (param i32) (result i32) (local.get 0) (i32.const 2)))
 *   (func (export "grow") (result i32)
 *     (i32.add (memory.grow (i32.const 1)) (table.grow 0 (ref.null func) (i32.const 9))))
 *   (func (export "id") (param externref) (result externref) (call $id (local.get 0)))
 *   (func (export "trap") (unreachable))
 *   (func (export "many")
 *     (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
 *     (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
 *     (call $many
 *       (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
 *       (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11)
 *       (local.get 12) (local.get 13) (local.get 14) (local.get 15) (local.get 16)))
 *   (func $start (global.set 0 (i32.const 5))) (start $start)) */
static const uint8_t working[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x3d, 0x06, 0x60, 0x01, 0x6f, 0x01, 0x6f,
    0x60, 0x11, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f,
    0x7f, 0x7f, 0x7f, 0x11, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f,
    0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x60, 0x00, 0x00, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, 0x60, 0x01,
    0x7f, 0x01, 0x7f, 0x60, 0x00, 0x01, 0x7f, 0x02, 0x26, 0x03, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x02,
    0x69, 0x64, 0x00, 0x00, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x04, 0x6d, 0x61, 0x6e, 0x79, 0x00, 0x01,
    0x06, 0x61, 0x62, 0x73, 0x65, 0x6e, 0x74, 0x05, 0x74, 0x68, 0x69, 0x6e, 0x67, 0x00, 0x02, 0x03,
    0x09, 0x08, 0x03, 0x04, 0x04, 0x05, 0x00, 0x02, 0x01, 0x02, 0x04, 0x08, 0x02, 0x70, 0x01, 0x04,
    0x14, 0x6f, 0x00, 0x01, 0x05, 0x04, 0x01, 0x01, 0x01, 0x0a, 0x06, 0x0b, 0x02, 0x7f, 0x01, 0x41,
    0x01, 0x0b, 0x70, 0x00, 0xd2, 0x03, 0x0b, 0x07, 0x3b, 0x0a, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x74,
    0x01, 0x00, 0x04, 0x72, 0x65, 0x66, 0x73, 0x01, 0x01, 0x01, 0x67, 0x03, 0x00, 0x03, 0x61, 0x64,
    0x64, 0x00, 0x03, 0x04, 0x77, 0x6f, 0x72, 0x6b, 0x00, 0x05, 0x04, 0x67, 0x72, 0x6f, 0x77, 0x00,
    0x06, 0x02, 0x69, 0x64, 0x00, 0x07, 0x04, 0x74, 0x72, 0x61, 0x70, 0x00, 0x08, 0x04, 0x6d, 0x61,
    0x6e, 0x79, 0x00, 0x09, 0x08, 0x01, 0x0a, 0x09, 0x0e, 0x02, 0x00, 0x41, 0x00, 0x0b, 0x02, 0x03,
    0x03, 0x01, 0x00, 0x03, 0x03, 0x04, 0x03, 0x0c, 0x01, 0x02, 0x0a, 0x7e, 0x08, 0x07, 0x00, 0x20,
    0x00, 0x20, 0x01, 0x6a, 0x0b, 0x08, 0x00, 0x20, 0x00, 0x20, 0x00, 0x10, 0x03, 0x0b, 0x23, 0x03,
    0x01, 0x7e, 0x01, 0x7c, 0x01, 0x7b, 0x41, 0x01, 0x41, 0x00, 0x41, 0x03, 0xfc, 0x0c, 0x01, 0x00,
    0x41, 0x09, 0x41, 0x00, 0x41, 0x04, 0xfc, 0x08, 0x01, 0x00, 0x20, 0x00, 0x41, 0x02, 0x11, 0x04,
    0x00, 0x0b, 0x0e, 0x00, 0x41, 0x01, 0x40, 0x00, 0xd0, 0x70, 0x41, 0x09, 0xfc, 0x0f, 0x00, 0x6a,
    0x0b, 0x06, 0x00, 0x20, 0x00, 0x10, 0x00, 0x0b, 0x03, 0x00, 0x00, 0x0b, 0x26, 0x00, 0x20, 0x00,
    0x20, 0x01, 0x20, 0x02, 0x20, 0x03, 0x20, 0x04, 0x20, 0x05, 0x20, 0x06, 0x20, 0x07, 0x20, 0x08,
    0x20, 0x09, 0x20, 0x0a, 0x20, 0x0b, 0x20, 0x0c, 0x20, 0x0d, 0x20, 0x0e, 0x20, 0x0f, 0x20, 0x10,
    0x10, 0x01, 0x0b, 0x06, 0x00, 0x41, 0x05, 0x24, 0x00, 0x0b, 0x0b, 0x10, 0x02, 0x00, 0x41, 0x04,
    0x0b, 0x04, 0x64, 0x61, 0x74, 0x61, 0x01, 0x04, 0x6d, 0x6f, 0x72, 0x65,
};

/* How a step went: true when it worked. Else the failure must be one of memory. */
static bool worked_error(catnap_error_t *error) {
    if (!error)
        return true;
    assert_int_equal(catnap_error_status(error), CATNAP_NO_MEMORY);
    catnap_error_delete(error);
    return false;
}

static bool worked_trap(wasm_trap_t *trap) {
    if (!trap)
        return true;
    if (catnap_trap_code(trap) != CATNAP_TRAP_NO_MEMORY) {
        wasm_message_t message;
        wasm_trap_message(trap, &message);
        print_message("%s\n", message.data);
    }
    assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_NO_MEMORY);
    wasm_trap_delete(trap);
    return false;
}

static bool worked_object(const wasm_store_t *store, const void *object) {
    if (!object)
        assert_last_error(store, CATNAP_NO_MEMORY, "memory");
    return object != NULL;
}

static wasm_trap_t *identity(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)env;
    for (size_t i = 0; i < args->size; i++)
        wasm_val_copy(&results->data[i], &args->data[i]);
    return NULL;
}

static int live_envs;
static void drop_env(void *env) {
    (void)env;
    live_envs--;
}

#define MANY 17

static wasm_functype_t *many_type(void) {
    wasm_valtype_vec_t params, results;
    wasm_valtype_vec_new_uninitialized(&params, MANY);
    for (size_t i = 0; i < params.size; i++)
        params.data[i] = wasm_valtype_new_i32();
    wasm_valtype_vec_copy(&results, &params);
    if (params.size == MANY && results.size == MANY)
        return wasm_functype_new(&params, &results);
    wasm_valtype_vec_delete(&params);
    wasm_valtype_vec_delete(&results);
    return NULL;
}

static bool define_func(wasm_store_t *store, catnap_linker_t *linker, const char *name,
                        wasm_functype_t *type) {
    if (!type)
        return false;
    live_envs++;
    wasm_func_t *func = wasm_func_new_with_env(store, type, identity, NULL, drop_env);
    wasm_functype_delete(type);
    bool worked = worked_object(store, func) &&
                  worked_error(catnap_linker_define(linker, "host", 4, name, strlen(name),
                                                    wasm_func_as_extern(func)));
    wasm_func_delete(func);
    return worked;
}

static bool define_host(wasm_store_t *store, catnap_linker_t *linker) {
    catnap_linker_trap_unknown_imports(linker, true);
    return define_func(
               store, linker, "id",
               wasm_functype_new_1_1(wasm_valtype_new_externref(), wasm_valtype_new_externref())) &&
           define_func(store, linker, "many", many_type());
}

static wasm_module_t *load_shared(wasm_store_t *store) {
    wasm_byte_vec_t bytes, serialized;
    wasm_byte_vec_new(&bytes, sizeof working, (const char *)working);
    if (!bytes.data)
        return NULL;
    wasm_module_t *module = wasm_module_new(store, &bytes);
    wasm_byte_vec_delete(&bytes);
    if (!worked_object(store, module))
        return NULL;
    wasm_module_serialize(module, &serialized);
    wasm_module_delete(module);
    if (!serialized.data)
        return NULL;
    module = wasm_module_deserialize(store, &serialized);
    wasm_byte_vec_delete(&serialized);
    if (!worked_object(store, module))
        return NULL;
    wasm_module_delete(module);
    catnap_module_options_t options = {.name = "given"};
    catnap_error_t *error;
    module = catnap_module_new(store, working, sizeof working, &options, &error);
    if (!module) {
        assert_false(worked_error(error));
        return NULL;
    }
    wasm_shared_module_t *shared = wasm_module_share(module);
    wasm_module_delete(module);
    module = wasm_module_obtain(store, shared);
    wasm_shared_module_delete(shared);
    return worked_object(store, module) ? module : NULL;
}

static bool reflect(const wasm_module_t *module) {
    wasm_importtype_vec_t imports, imports_copy;
    wasm_exporttype_vec_t exports, exports_copy;
    wasm_module_imports(module, &imports);
    wasm_module_exports(module, &exports);
    wasm_importtype_vec_copy(&imports_copy, &imports);
    wasm_exporttype_vec_copy(&exports_copy, &exports);
    bool worked = imports_copy.size == 3 && exports_copy.size == 10;
    wasm_importtype_vec_delete(&imports);
    wasm_exporttype_vec_delete(&exports);
    wasm_importtype_vec_delete(&imports_copy);
    wasm_exporttype_vec_delete(&exports_copy);
    return worked;
}

static wasm_func_t *find(wasm_store_t *store, const wasm_instance_t *instance, const char *name) {
    wasm_extern_t *found = catnap_instance_export(instance, name, strlen(name));
    return worked_object(store, found) ? wasm_extern_as_func(found) : NULL;
}

static bool call(wasm_store_t *store, const wasm_instance_t *instance, const char *name,
                 int32_t argument, int32_t *result) {
    wasm_func_t *func = find(store, instance, name);
    bool worked = func && worked_trap(call_i32(func, &argument, result));
    wasm_func_delete(func);
    return worked;
}

static bool work(wasm_store_t *store, const wasm_instance_t *instance) {
    int32_t result;
    if (!call(store, instance, "work", 21, &result))
        return false;
    assert_int_equal(result, 42);
    return true;
}

/* memory.grow and table.grow tell of a failure with -1. */
static bool grow(wasm_store_t *store, const wasm_instance_t *instance) {
    int32_t result;
    return call(store, instance, "grow", 0, &result) && result == 1 + 4;
}

static bool pass_reference(wasm_store_t *store, const wasm_instance_t *instance) {
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_func_t *id = worked_object(store, foreign) ? find(store, instance, "id") : NULL;
    wasm_val_t argument[] = {WASM_REF_VAL(wasm_foreign_as_ref(foreign))}, result[1];
    wasm_val_vec_t args = WASM_ARRAY_VEC(argument), results = WASM_ARRAY_VEC(result);
    bool worked = id && worked_trap(wasm_func_call(id, &args, &results));
    if (worked) {
        assert_ptr_equal(result[0].of.ref, wasm_foreign_as_ref(foreign));
        wasm_val_delete(&result[0]);
    }
    wasm_func_delete(id);
    wasm_foreign_delete(foreign);
    return worked;
}

static bool pass_many(wasm_store_t *store, const wasm_instance_t *instance) {
    catnap_val_t in[MANY], out[MANY];
    for (int32_t i = 0; i < MANY; i++)
        in[i] = (catnap_val_t){.kind = WASM_I32, .of.i32 = i};
    wasm_func_t *many = find(store, instance, "many");
    bool worked = many && worked_trap(catnap_func_call(many, in, MANY, out, MANY));
    if (worked)
        assert_int_equal(out[MANY - 1].of.i32, MANY - 1);
    catnap_error_t *error;
    wasm_trap_t *trap;
    catnap_run_t *run = worked ? catnap_run_new(many, in, MANY, &error) : NULL;
    if (worked && !run)
        worked = worked_error(error);
    if (run) {
        catnap_status_t status = catnap_run_resume(run, out, MANY, &trap);
        worked = worked_trap(trap) && status == CATNAP_OK;
        if (status == CATNAP_OK)
            assert_int_equal(out[MANY - 1].of.i32, MANY - 1);
    }
    catnap_run_delete(run);
    wasm_func_delete(many);
    return worked;
}

/* A trap without its frames counts as a report too: there is no other place for it. */
static bool trap_with_frames(wasm_store_t *store, const wasm_instance_t *instance) {
    int32_t result;
    wasm_func_t *func = find(store, instance, "trap");
    if (!func)
        return false;
    wasm_trap_t *trap = call_i32(func, NULL, &result);
    wasm_func_delete(func);
    assert_non_null(trap);
    wasm_frame_vec_t trace;
    wasm_trap_trace(trap, &trace);
    bool worked = catnap_trap_code(trap) == CATNAP_TRAP_UNREACHABLE && trace.size == 1 &&
                  wasm_frame_func_offset(trace.data[0]) == 1;
    if (catnap_trap_code(trap) != CATNAP_TRAP_UNREACHABLE)
        assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_NO_MEMORY);
    wasm_frame_vec_delete(&trace);
    wasm_trap_delete(trap);
    return worked;
}

static bool run_in_slices(wasm_store_t *store, const wasm_instance_t *instance) {
    catnap_val_t arguments[] = {{.kind = WASM_I32, .of.i32 = 2}, {.kind = WASM_I32, .of.i32 = 3}};
    catnap_val_t result;
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_func_t *func = find(store, instance, "add");
    if (!func)
        return false;
    catnap_run_t *run = catnap_run_new(func, arguments, 2, &error);
    wasm_func_delete(func);
    if (!run)
        return worked_error(error);
    catnap_status_t status = catnap_run_resume(run, &result, 1, &trap);
    catnap_run_delete(run);
    if (!worked_trap(trap))
        return false;
    if (status == CATNAP_OK)
        assert_int_equal(result.of.i32, 5);
    else
        assert_int_equal(status, CATNAP_NO_MEMORY);
    return status == CATNAP_OK;
}

static bool use_objects(wasm_store_t *store) {
    wasm_limits_t limits = {1, 5};
    wasm_val_t value = WASM_I32_VAL(3);
    wasm_globaltype_t *globaltype = wasm_globaltype_new(wasm_valtype_new_i32(), WASM_VAR);
    wasm_tabletype_t *tabletype = wasm_tabletype_new(wasm_valtype_new_externref(), &limits);
    wasm_memorytype_t *memorytype = wasm_memorytype_new(&limits);
    bool worked = globaltype && tabletype && memorytype;
    wasm_global_t *global = worked ? wasm_global_new(store, globaltype, &value) : NULL;
    wasm_table_t *table = worked ? wasm_table_new(store, tabletype, NULL) : NULL;
    wasm_memory_t *memory = worked ? wasm_memory_new(store, memorytype) : NULL;
    worked =
        global && table && memory && wasm_memory_grow(memory, 2) && wasm_table_grow(table, 4, NULL);
    wasm_globaltype_delete(globaltype);
    wasm_tabletype_delete(tabletype);
    wasm_memorytype_delete(memorytype);
    wasm_global_delete(global);
    wasm_table_delete(table);
    wasm_memory_delete(memory);
    return worked;
}

static bool use_instance(wasm_store_t *store, const wasm_instance_t *instance) {
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    bool worked = exports.size == 10;
    wasm_extern_vec_delete(&exports);
    return worked && work(store, instance) && grow(store, instance) &&
           pass_reference(store, instance) && pass_many(store, instance) &&
           trap_with_frames(store, instance) && run_in_slices(store, instance) &&
           use_objects(store);
}

static bool in_store(wasm_store_t *store) {
    catnap_error_t *error = NULL;
    wasm_trap_t *trap = NULL;
    wasm_instance_t *instance = NULL;
    wasm_module_t *module = NULL;
    catnap_linker_t *linker = catnap_linker_new(store);
    bool worked = worked_object(store, linker) && define_host(store, linker) &&
                  (module = load_shared(store)) && reflect(module);
    if (worked) {
        instance = catnap_linker_instantiate(linker, module, &error, &trap);
        worked = worked_error(error) && worked_trap(trap);
        assert_int_equal(instance != NULL, worked);
    }
    worked = worked && use_instance(store, instance) &&
             worked_error(catnap_linker_define_instance(linker, "lib", 3, instance));
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    catnap_linker_delete(linker);
    return worked;
}

/* Whether all of it worked. */
static bool scenario(const catnap_allocator_t *allocator, catnap_bounds_checks_t checks) {
    bool eager = checks == CATNAP_BOUNDS_EXPLICIT;
    wasm_config_t *config = wasm_config_new();
    if (!config)
        return false;
    catnap_config_set_allocator(config, allocator);
    catnap_config_set_bounds_checks(config, checks);
    catnap_config_set_translation(config,
                                  eager ? CATNAP_TRANSLATION_EAGER : CATNAP_TRANSLATION_LAZY);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    if (!engine)
        return false;
    uint64_t before, after;
    catnap_engine_memory(engine, &before, NULL);
    wasm_store_t *store = wasm_store_new(engine);
    bool worked = store && in_store(store);
    wasm_store_delete(store);
    catnap_engine_memory(engine, &after, NULL);
    assert_int_equal(after, before);
    wasm_engine_delete(engine);
    assert_int_equal(live_envs, 0);
    return worked;
}

/* ---- Every allocation in turn ---- */

/* A failure of one allocation for an instance is made good where a collection finds something to free;
 * such are few. */
static uint64_t fail_each_allocation(bool forever, catnap_bounds_checks_t checks) {
    uint64_t made_good = 0;
    for (uint64_t i = 0;; i++) {
        struct injector injector = {.fail_at = i, .forever = forever};
        catnap_allocator_t allocator = {injected_realloc, &injector};
        bool worked = scenario(&allocator, checks);
        if (worked && injector.fired && !forever)
            made_good++;
        else if (worked == injector.fired)
            print_message("allocation %d: %s\n", (int)i,
                          worked ? "swallowed" : "failed for nothing");
        assert_true(worked != injector.fired || (worked && !forever));
        assert_int_equal(injector.held, 0);
        if (!injector.fired) {
            assert_true(made_good < i / 4);
            return i;
        }
    }
}

static void each_allocation_fails_once(void **state) {
    (void)state;
    assert_true(fail_each_allocation(false, CATNAP_BOUNDS_AUTO) > 50);
}

static void memory_is_exhausted_from_there_on(void **state) {
    (void)state;
    assert_true(fail_each_allocation(true, CATNAP_BOUNDS_AUTO) > 50);
}

static void with_explicit_bounds_and_eagerly(void **state) {
    (void)state;
    assert_true(fail_each_allocation(false, CATNAP_BOUNDS_EXPLICIT) > 50);
}

static void memory_of_the_host_fails(void **state) {
    (void)state;
#if REPLACE_CALLOC
    for (int forever = 0; forever < 2; forever++)
        for (uint64_t i = 0;; i++) {
            struct injector injector = {.fail_at = i, .forever = forever};
            host_injector = &injector;
            bool worked = scenario(NULL, CATNAP_BOUNDS_AUTO);
            host_injector = NULL;
            assert_int_equal(worked, !injector.fired);
            if (!injector.fired) {
                assert_true(i > 50);
                break;
            }
        }
#else
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(memory_is_exhausted_from_there_on),
        cmocka_unit_test(with_explicit_bounds_and_eagerly),
        cmocka_unit_test(memory_of_the_host_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
