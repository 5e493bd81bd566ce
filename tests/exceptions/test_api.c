/*
 * Exceptions and the host: tags, functions that throw and catch, what passes through them and between instances; traps
 * of what nothing catches; memory; depth; interruption.
 */
#include "../api/helpers.h"
#include "../support/module.h"

enum { THROW = 0x08, THROW_REF = 0x0A, TRY_TABLE = 0x1F };
enum { CATCH, CATCH_REF, CATCH_ALL, CATCH_ALL_REF };

/* ---- helpers ---- */

static wasm_instance_t *start(wasm_store_t *store, catnap_linker_t *linker,
                              struct module_builder *m) {
    catnap_error_t *error;
    wasm_trap_t *trap;
    struct bytes b = finish(m);
    wasm_module_t *module = catnap_module_new(store, b.data, b.size, NULL, &error);
    assert_no_error(error);
    wasm_instance_t *instance = catnap_linker_instantiate(linker, module, &error, &trap);
    assert_no_error(error);
    assert_no_trap(trap);
    wasm_module_delete(module);
    drop_bytes(&b);
    return instance;
}

static wasm_trap_t *call(const wasm_instance_t *instance, const char *name, int32_t argument,
                         int32_t *result) {
    wasm_extern_t *export_ = catnap_instance_export(instance, name, strlen(name));
    assert_non_null(export_);
    catnap_val_t arguments[] = {{.kind = WASM_I32, .of.i32 = argument}}, results[1];
    wasm_trap_t *trap = catnap_func_call(wasm_extern_as_func(export_), arguments, 1, results, 1);
    *result = results[0].of.i32;
    wasm_extern_delete(export_);
    return trap;
}

static wasm_tagtype_t *tagtype(wasm_valtype_t *value) {
    return wasm_tagtype_new(value ? wasm_functype_new_1_0(value) : wasm_functype_new_0_0());
}

static catnap_tag_t *new_tag(wasm_store_t *store, wasm_valtype_t *value) {
    catnap_error_t *error;
    wasm_tagtype_t *type = tagtype(value);
    catnap_tag_t *tag = catnap_tag_new(store, type, &error);
    assert_no_error(error);
    wasm_tagtype_delete(type);
    return tag;
}

static void define(catnap_linker_t *linker, const char *name, wasm_extern_t *object) {
    assert_no_error(catnap_linker_define(linker, "host", 4, name, strlen(name), object));
}

/* Catches what function `callee` of (i32) -> () throws: with the tag, of type (i32), its value; anything else: -1; nothing
 * thrown: 0. */
static void add_catcher(struct module_builder *m, const char *name, uint32_t type, uint32_t callee,
                        uint8_t tag) {
    struct bytes body = {0};
    PUT(&body, 0, BLOCK, EMPTY, BLOCK, I32, TRY_TABLE, EMPTY, 2, CATCH, tag, 0, CATCH_ALL, 1);
    PUT(&body, LOCAL_GET, 0);
    op_u(&body, CALL, callee);
    PUT(&body, END, I32_CONST, 0, RETURN, END, RETURN, END, I32_CONST, 0x7F, END);
    add_func(m, name, type, &body);
}

struct host {
    catnap_tag_t *tag;
    int32_t called;
};

/* Throws its argument, or, when that is 0, traps; when it is 1, returns. */
static wasm_trap_t *host_throws(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                                catnap_val_t *results) {
    struct host *host = env;
    catnap_error_t *error;
    (void)results;
    host->called++;
    if (arguments[0].of.i32 == 0)
        return catnap_trap_new(catnap_caller_store(caller), CATNAP_TRAP_HOST, "not an exception");
    if (arguments[0].of.i32 == 1)
        return NULL;
    catnap_exception_t *exception = catnap_exception_new(host->tag, arguments, 1, &error);
    assert_no_error(error);
    wasm_trap_t *trap = catnap_trap_new_exception(exception);
    catnap_exception_delete(exception);
    return trap;
}

static void define_thrower(wasm_store_t *store, catnap_linker_t *linker, struct host *host) {
    wasm_functype_t *type = wasm_functype_new_1_0(wasm_valtype_new_i32());
    wasm_func_t *func = catnap_func_new(store, type, host_throws, host, NULL, NULL);
    define(linker, "throw", wasm_func_as_extern(func));
    wasm_func_delete(func);
    wasm_functype_delete(type);
    define(linker, "tag", catnap_tag_as_extern(host->tag));
}

/* ---- tags ---- */

static void tags_are_made_exported_and_linked(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_linker_t *linker = catnap_linker_new(store);
    catnap_tag_t *tag = new_tag(store, wasm_valtype_new_i32());
    define(linker, "tag", catnap_tag_as_extern(tag));
    struct module_builder m = {0};
    uint32_t type = add_type(&m, "i", "");
    export_item(&m, "imported", AS_TAG, import_tag(&m, "host", "tag", type));
    export_item(&m, "own", AS_TAG, add_tag(&m, type));
    wasm_instance_t *instance = start(store, linker, &m);
    wasm_extern_t *imported = catnap_instance_export(instance, "imported", 8);
    wasm_extern_t *own_ = catnap_instance_export(instance, "own", 3);
    assert_int_equal(wasm_extern_kind(own_), WASM_EXTERN_TAG);
    assert_ptr_equal(catnap_extern_as_tag(imported), tag);
    assert_ptr_not_equal(catnap_extern_as_tag(own_), tag);
    assert_null(wasm_extern_as_func(own_));
    wasm_externtype_t *described = wasm_extern_type(own_);
    const wasm_tagtype_t *tag_type = wasm_externtype_as_tagtype_const(described);
    assert_non_null(tag_type);
    assert_int_equal(wasm_functype_params(wasm_tagtype_functype(tag_type))->size, 1);
    wasm_externtype_delete(described);
    wasm_tagtype_t *of_tag = catnap_tag_type(tag);
    assert_int_equal(wasm_functype_params(wasm_tagtype_functype(of_tag))->size, 1);
    wasm_tagtype_delete(of_tag);
    wasm_extern_delete(imported);
    wasm_extern_delete(own_);
    wasm_instance_delete(instance);
    catnap_tag_t *copy = catnap_tag_copy(tag);
    assert_ptr_equal(copy, tag);
    catnap_tag_delete(copy);
    catnap_tag_delete(tag);
    catnap_linker_delete(linker);
}

static void a_tag_of_another_type_does_not_link(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_linker_t *linker = catnap_linker_new(store);
    catnap_error_t *error;
    catnap_tag_t *tag = new_tag(store, wasm_valtype_new_i64());
    define(linker, "tag", catnap_tag_as_extern(tag));
    struct module_builder m = {0};
    import_tag(&m, "host", "tag", add_type(&m, "i", ""));
    struct bytes b = finish(&m);
    wasm_module_t *module = catnap_module_new(store, b.data, b.size, NULL, &error);
    assert_no_error(error);
    assert_null(catnap_linker_instantiate(linker, module, &error, NULL));
    assert_int_equal(catnap_error_status(error), CATNAP_LINK);
    assert_string_equal(catnap_error_message(error),
                        "incompatible import type for \"host\" \"tag\": expected tag (i32), "
                        "found tag (i64)");
    catnap_error_delete(error);
    wasm_importtype_vec_t imports;
    wasm_module_imports(module, &imports);
    assert_int_equal(wasm_externtype_kind(wasm_importtype_type(imports.data[0])), WASM_EXTERN_TAG);
    wasm_importtype_vec_delete(&imports);
    wasm_module_delete(module);
    drop_bytes(&b);
    catnap_tag_delete(tag);
    catnap_linker_delete(linker);
}

static void misuse_is_reported(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_error_t *error;
    catnap_tag_t *tag = new_tag(store, wasm_valtype_new_i32());
    catnap_val_t wrong[] = {{.kind = WASM_I64}, {.kind = WASM_I32}};
    wasm_tagtype_t *with_results = wasm_tagtype_new(wasm_functype_new_0_1(wasm_valtype_new_i32()));
    assert_null(catnap_tag_new(store, with_results, &error));
    assert_int_equal(catnap_error_status(error), CATNAP_INVALID);
    catnap_error_delete(error);
    wasm_tagtype_delete(with_results);
    assert_null(catnap_tag_new(store, NULL, NULL));
    assert_null(catnap_exception_new(tag, wrong, 2, &error));
    assert_int_equal(catnap_error_status(error), CATNAP_MISUSE);
    catnap_error_delete(error);
    assert_null(catnap_exception_new(tag, wrong, 1, &error));
    assert_int_equal(catnap_error_status(error), CATNAP_MISUSE);
    catnap_error_delete(error);
    assert_null(catnap_exception_new(NULL, wrong, 1, NULL));
    assert_null(catnap_exception_new(tag, NULL, 1, NULL));
    assert_null(catnap_trap_exception(NULL));
    assert_null(catnap_exception_tag(NULL));
    assert_int_equal(catnap_exception_values(NULL, wrong, 2), 0);
    assert_null(catnap_extern_as_tag(NULL));
    assert_null(catnap_ref_as_exception(NULL));
    catnap_exception_delete(NULL);
    catnap_tag_delete(NULL);
    catnap_tag_delete(tag);
}

/* ---- validation ---- */

/* Validates a function of type () -> (), beside tags of (i32) and of (), 0 and 1, and a block type () -> (i32, i32): 3. */
static void expect(wasm_engine_t *engine, catnap_status_t status, const char *text,
                   const uint8_t *code, size_t size) {
    struct module_builder m = {0};
    uint32_t takes = add_type(&m, "i", ""), empty = add_type(&m, "", "");
    add_tag(&m, takes);
    add_tag(&m, empty);
    add_type(&m, "", "i");
    add_type(&m, "", "ii");
    struct bytes body = {0};
    put(&body, 0);
    put_bytes(&body, code, size);
    add_func(&m, NULL, empty, &body);
    struct bytes b = finish(&m);
    catnap_error_t *error = catnap_module_validate(engine, b.data, b.size);
    if (catnap_error_status(error) != status ||
        (error && !strstr(catnap_error_message(error), text)))
        fail_msg("%s, not %s", error ? catnap_error_message(error) : "valid", text);
    catnap_error_delete(error);
    drop_bytes(&b);
}

#define CODE(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void invalid_bodies_are_refused(void **state) {
    wasm_engine_t *engine = ((struct fixture *)*state)->engine;
    expect(engine, CATNAP_OK, "", CODE(I32_CONST, 0, THROW, 0, END));
    expect(engine, CATNAP_OK, "", CODE(THROW, 1, I32_ADD, DROP, END));
    expect(engine, CATNAP_INVALID, "throw expects", CODE(THROW, 0, END));
    expect(engine, CATNAP_INVALID, "found i64", CODE(I64_CONST, 0, THROW, 0, END));
    expect(engine, CATNAP_INVALID, "unknown tag 2: the module has 2", CODE(THROW, 2, END));
    expect(engine, CATNAP_OK, "", CODE(REF_NULL, 0x69, THROW_REF, END));
    expect(engine, CATNAP_OK, "", CODE(REF_NULL, 0x74, THROW_REF, END));
    expect(engine, CATNAP_INVALID, "throw_ref", CODE(THROW_REF, END));
    expect(engine, CATNAP_INVALID, "found funcref", CODE(REF_NULL, 0x70, THROW_REF, END));
    expect(engine, CATNAP_OK, "", CODE(TRY_TABLE, EMPTY, 2, CATCH, 1, 0, CATCH_ALL, 0, END, END));
    expect(engine, CATNAP_OK, "",
           CODE(BLOCK, I32, TRY_TABLE, EMPTY, 1, CATCH, 0, 0, END, I32_CONST, 0, END, DROP, END));
    expect(engine, CATNAP_INVALID, "the label 0 of a catch clause takes other values",
           CODE(TRY_TABLE, EMPTY, 1, CATCH, 0, 0, END, END));
    expect(engine, CATNAP_INVALID, "the label 0 of a catch clause",
           CODE(TRY_TABLE, EMPTY, 1, CATCH_ALL_REF, 0, END, END));
    expect(
        engine, CATNAP_INVALID, "the label 0 of a catch clause",
        CODE(BLOCK, I32, TRY_TABLE, EMPTY, 1, CATCH_REF, 0, 0, END, UNREACHABLE, END, DROP, END));
    expect(
        engine, CATNAP_INVALID, "the label 0 of a catch clause",
        CODE(BLOCK, 3, TRY_TABLE, EMPTY, 1, CATCH, 0, 0, END, UNREACHABLE, END, DROP, DROP, END));
    /* A label of the clause is not the try_table's own. */
    expect(engine, CATNAP_INVALID, "unknown label 1",
           CODE(TRY_TABLE, EMPTY, 1, CATCH_ALL, 1, END, END));
    expect(engine, CATNAP_INVALID, "unknown tag 9",
           CODE(TRY_TABLE, EMPTY, 1, CATCH, 9, 0, END, END));
    expect(engine, CATNAP_MALFORMED, "malformed catch clause 0x04",
           CODE(TRY_TABLE, EMPTY, 1, 4, 0, 0, END, END));
    expect(engine, CATNAP_MALFORMED, "catch clauses: unexpected end",
           CODE(TRY_TABLE, EMPTY, 0x7F, END, END));
}

/* ---- through the host, and between instances ---- */

static void host_functions_throw(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_linker_t *linker = catnap_linker_new(store);
    struct host host = {.tag = new_tag(store, wasm_valtype_new_i32())};
    define_thrower(store, linker, &host);
    struct module_builder m = {0};
    uint32_t takes = add_type(&m, "i", ""), type = add_type(&m, "i", "i");
    uint32_t func = import_func(&m, "host", "throw", takes);
    uint32_t tag = import_tag(&m, "host", "tag", takes);
    uint32_t other = add_tag(&m, takes);
    add_catcher(&m, "catch", type, func, (uint8_t)tag);
    add_catcher(&m, "catch_other", type, func, (uint8_t)other);
    ADD_FUNC(&m, "pass", type, 0, LOCAL_GET, 0, CALL, 0, I32_CONST, 5, END);
    wasm_instance_t *instance = start(store, linker, &m);
    int32_t result;
    assert_no_trap(call(instance, "catch", 42, &result));
    assert_int_equal(result, 42);
    assert_no_trap(call(instance, "catch_other", 42, &result));
    assert_int_equal(result, -1);
    assert_no_trap(call(instance, "catch", 1, &result));
    assert_int_equal(result, 0);
    /* Traps are not caught, not even by catch_all. */
    assert_trap(call(instance, "catch", 0, &result), CATNAP_TRAP_HOST, "not an exception");
    wasm_trap_t *trap = call(instance, "pass", 77, &result);
    catnap_exception_t *exception = catnap_trap_exception(trap);
    catnap_val_t value;
    assert_int_equal(catnap_exception_values(exception, &value, 1), 1);
    assert_int_equal(value.of.i32, 77);
    catnap_tag_t *thrown = catnap_exception_tag(exception);
    assert_ptr_equal(thrown, host.tag);
    catnap_tag_delete(thrown);
    assert_ptr_equal(catnap_ref_as_exception(catnap_exception_as_ref(exception)), exception);
    assert_int_equal(catnap_trap_frame_count(trap), 1);
    catnap_exception_delete(exception);
    assert_trap(trap, CATNAP_TRAP_EXCEPTION, "uncaught exception: tag");
    assert_int_equal(host.called, 5);
    wasm_instance_delete(instance);
    catnap_tag_delete(host.tag);
    catnap_linker_delete(linker);
}

/* A host function that calls "inner" of the caller, and catches what it throws when asked to. */
static wasm_trap_t *host_calls(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                               catnap_val_t *results) {
    wasm_extern_t *inner = catnap_caller_export(caller, "inner", 5);
    catnap_val_t result;
    (void)results;
    wasm_trap_t *trap = catnap_func_call(wasm_extern_as_func(inner), arguments, 1, &result, 1);
    wasm_extern_delete(inner);
    if (trap && *(bool *)env) {
        assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_EXCEPTION);
        wasm_trap_delete(trap);
        trap = NULL;
    }
    return trap;
}

static void exceptions_pass_through_host_functions_or_are_caught_there(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_linker_t *linker = catnap_linker_new(store);
    bool catches = false;
    wasm_functype_t *func_type = wasm_functype_new_1_0(wasm_valtype_new_i32());
    wasm_func_t *func = catnap_func_new(store, func_type, host_calls, &catches, NULL, NULL);
    define(linker, "call", wasm_func_as_extern(func));
    wasm_func_delete(func);
    wasm_functype_delete(func_type);
    struct module_builder m = {0};
    uint32_t takes = add_type(&m, "i", ""), type = add_type(&m, "i", "i");
    import_func(&m, "host", "call", takes);
    uint32_t tag = add_tag(&m, takes);
    add_catcher(&m, "outer", type, 0, (uint8_t)tag);
    ADD_FUNC(&m, "inner", type, 0, LOCAL_GET, 0, THROW, 0, END);
    wasm_instance_t *instance = start(store, linker, &m);
    int32_t result;
    assert_no_trap(call(instance, "outer", 33, &result));
    assert_int_equal(result, 33);
    catches = true;
    assert_no_trap(call(instance, "outer", 33, &result));
    assert_int_equal(result, 0);
    wasm_instance_delete(instance);
    catnap_linker_delete(linker);
}

static void exceptions_pass_between_instances(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_linker_t *linker = catnap_linker_new(store);
    struct module_builder m = {0};
    uint32_t takes = add_type(&m, "i", "");
    export_item(&m, "tag", AS_TAG, add_tag(&m, takes));
    /* The memory's size tells the instances apart. */
    add_memory(&m, 1, NO_MAX);
    ADD_FUNC(&m, "throw", takes, 0, LOCAL_GET, 0, THROW, 0, END);
    wasm_instance_t *inner = start(store, linker, &m);
    assert_no_error(catnap_linker_define_instance(linker, "inner", 5, inner));
    uint32_t type;
    takes = add_type(&m, "i", "");
    type = add_type(&m, "i", "i");
    uint32_t func = import_func(&m, "inner", "throw", takes);
    uint32_t tag = import_tag(&m, "inner", "tag", takes);
    add_memory(&m, 3, NO_MAX);
    add_catcher(&m, "catch", type, func, (uint8_t)tag);
    ADD_FUNC(&m, "sum", type, 0, LOCAL_GET, 0, CALL, 1, 0x3F, 0, I32_ADD, END);
    ADD_FUNC(&m, "pass", type, 0, LOCAL_GET, 0, CALL, 0, I32_CONST, 0, END);
    wasm_instance_t *outer = start(store, linker, &m);
    int32_t result;
    assert_no_trap(call(outer, "sum", 40, &result));
    assert_int_equal(result, 43);
    wasm_trap_t *trap = call(outer, "pass", 9, &result);
    assert_int_equal(catnap_trap_frame_count(trap), 2);
    catnap_frame_t frame;
    assert_true(catnap_trap_frame(trap, 0, &frame));
    assert_ptr_equal(frame.instance, inner);
    assert_trap(trap, CATNAP_TRAP_EXCEPTION, "uncaught exception: tag \"tag\" (i32 9)");
    wasm_instance_delete(inner);
    wasm_instance_delete(outer);
    catnap_linker_delete(linker);
}

/* ---- references ---- */

static void references_go_to_the_host_and_back(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_linker_t *linker = catnap_linker_new(store);
    struct module_builder m = {0};
    uint32_t takes = add_type(&m, "i", "");
    add_tag(&m, takes);
    struct bytes body = {0};
    PUT(&body, 0, BLOCK, EXNREF, TRY_TABLE, EMPTY, 1, CATCH_ALL_REF, 0, LOCAL_GET, 0, THROW, 0, END,
        UNREACHABLE, END, END);
    add_func(&m, "make", add_type(&m, "i", "e"), &body);
    ADD_FUNC(&m, "throw", add_type(&m, "e", ""), 0, LOCAL_GET, 0, THROW_REF, END);
    wasm_instance_t *instance = start(store, linker, &m);
    wasm_extern_t *make = catnap_instance_export(instance, "make", 4);
    wasm_extern_t *again = catnap_instance_export(instance, "throw", 5);
    catnap_val_t argument = {.kind = WASM_I32, .of.i32 = -8}, made;
    assert_no_trap(catnap_func_call(wasm_extern_as_func(make), &argument, 1, &made, 1));
    assert_int_equal(made.kind, CATNAP_EXNREF);
    assert_non_null(catnap_ref_as_exception(made.of.ref));
    assert_trap(catnap_func_call(wasm_extern_as_func(again), &made, 1, NULL, 0),
                CATNAP_TRAP_EXCEPTION, "uncaught exception: tag 0 (i32 -8)");
    wasm_ref_delete(made.of.ref);
    made.of.ref = NULL;
    assert_trap(catnap_func_call(wasm_extern_as_func(again), &made, 1, NULL, 0),
                CATNAP_TRAP_NULL_REFERENCE, "null");
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    made.of.ref = wasm_foreign_as_ref(foreign);
    assert_trap(catnap_func_call(wasm_extern_as_func(again), &made, 1, NULL, 0), CATNAP_TRAP_HOST,
                "is not a reference to an exception");
    wasm_foreign_delete(foreign);
    wasm_extern_delete(make);
    wasm_extern_delete(again);
    wasm_instance_delete(instance);
    catnap_linker_delete(linker);
}

/* ---- memory, depth and time ---- */

/* Throws and catches with a reference so many times; "keep" puts each into a table besides. */
static wasm_instance_t *start_loops(wasm_store_t *store, catnap_linker_t *linker) {
    struct module_builder m = {0};
    uint32_t type = add_type(&m, "i", "i"), wide = add_type(&m, "vI", "");
    uint32_t caught = add_type(&m, "", "vIe");
    add_tag(&m, wide);
    add_table(&m, EXNREF, 100000, NO_MAX);
    for (int keeps = 0; keeps < 2; keeps++) {
        struct bytes body = {0};
        PUT(&body, 2, 1, I32, 1, EXNREF, LOOP, EMPTY, BLOCK);
        put_s(&body, caught);
        PUT(&body, TRY_TABLE, EMPTY, 1, CATCH_REF, 0, 0);
        v128_const(&body, 1, 2);
        i64_const(&body, 3);
        PUT(&body, THROW, 0, END, UNREACHABLE, END, LOCAL_SET, 2, DROP, DROP);
        if (keeps)
            PUT(&body, LOCAL_GET, 1, LOCAL_GET, 2, 0x26, 0);
        PUT(&body, LOCAL_GET, 1, I32_CONST, 1, I32_ADD, LOCAL_TEE, 1, LOCAL_GET, 0, 0x48, BR_IF, 0,
            END, LOCAL_GET, 1, END);
        add_func(&m, keeps ? "keep" : "drop", type, &body);
    }
    return start(store, linker, &m);
}

static void exceptions_are_collected_and_count_against_the_limit(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_linker_t *linker = catnap_linker_new(store);
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.memory_bytes = 2 << 20;
    catnap_store_set_limits(store, &limits);
    wasm_instance_t *instance = start_loops(store, linker);
    int32_t result;
    uint64_t before, after;
    catnap_engine_memory(catnap_store_engine(store), &before, NULL);
    assert_no_trap(call(instance, "drop", 200000, &result));
    assert_int_equal(result, 200000);
    catnap_engine_memory(catnap_store_engine(store), &after, NULL);
    assert_true(after < before + (8 << 20));
    assert_trap(call(instance, "keep", 100000, &result), CATNAP_TRAP_LIMIT, "limit");
    wasm_instance_delete(instance);
    catnap_linker_delete(linker);
}

/* (func $down (param i32): throws at 0, else calls itself with one less. "catch" catches it at the bottom. */
static wasm_instance_t *start_deep(wasm_store_t *store, catnap_linker_t *linker, bool scoped) {
    struct module_builder m = {0};
    uint32_t takes = add_type(&m, "i", ""), type = add_type(&m, "i", "i");
    add_tag(&m, takes);
    uint8_t other = (uint8_t)add_tag(&m, takes);
    struct bytes body = {0};
    PUT(&body, 0);
    PUT(&body, LOCAL_GET, 0, 0x45, IF, EMPTY, I32_CONST, 21, THROW, 0, END);
    if (scoped) /* in each frame a clause that does not catch it */
        PUT(&body, BLOCK, I32, TRY_TABLE, EMPTY, 1, CATCH, other, 0);
    PUT(&body, LOCAL_GET, 0, I32_CONST, 1, I32_SUB, CALL, 0);
    if (scoped)
        PUT(&body, END, RETURN, END, DROP);
    PUT(&body, END);
    add_func(&m, NULL, takes, &body);
    add_catcher(&m, "catch", type, 0, 0);
    ADD_FUNC(&m, "pass", type, 0, LOCAL_GET, 0, CALL, 0, I32_CONST, 0, END);
    return start(store, linker, &m);
}

static void a_million_frames_are_unwound(void **state) {
    wasm_store_t *store = STORE(state);
    catnap_linker_t *linker = catnap_linker_new(store);
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.call_depth = 1100000;
    limits.value_stack_bytes = UINT64_C(1) << 30;
    catnap_store_set_limits(store, &limits);
    for (int scoped = 0; scoped < 2; scoped++) {
        wasm_instance_t *instance = start_deep(store, linker, scoped);
        int32_t result;
        assert_no_trap(call(instance, "catch", 1000000, &result));
        assert_int_equal(result, 21);
        wasm_trap_t *trap = call(instance, "pass", 1000000, &result);
        size_t left_out = catnap_trap_frames_left_out(trap, NULL);
        assert_int_equal(left_out + catnap_trap_frame_count(trap), 1000002);
        assert_trap(trap, CATNAP_TRAP_EXCEPTION, "uncaught exception: tag 0 (i32 21)");
        wasm_instance_delete(instance);
    }
    catnap_linker_delete(linker);
}

/* ---- memory that is exhausted ---- */

struct starver {
    int64_t left;
};

static void *starving_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct starver *starver = env;
    (void)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    return starver->left-- > 0 ? realloc(pointer, new_size) : NULL;
}

/* Everything with exceptions, as far as allocations reach: true when all of it was done. */
static bool do_all(const wasm_func_t *drop, const catnap_tag_t *tag) {
    catnap_val_t value = {.kind = WASM_I32, .of.i32 = 3}, result;
    wasm_trap_t *trap = catnap_func_call(drop, &value, 1, &result, 1);
    bool done = !trap;
    if (trap)
        assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_NO_MEMORY);
    wasm_trap_delete(trap);
    catnap_exception_t *exception = catnap_exception_new(tag, &value, 1, NULL);
    done = done && exception;
    if (!exception)
        return false;
    trap = catnap_trap_new_exception(exception);
    catnap_exception_t *carried = catnap_trap_exception(trap);
    done = done && carried == exception;
    assert_true(carried || catnap_trap_code(trap) == CATNAP_TRAP_NO_MEMORY);
    catnap_exception_delete(carried);
    wasm_trap_delete(trap);
    catnap_exception_delete(exception);
    return done;
}

static void each_failed_allocation_is_reported(void **state) {
    (void)state;
    bool done = false;
    for (int64_t allowed = 0; !done; allowed++) {
        struct starver starver = {.left = INT64_MAX};
        wasm_config_t *config = wasm_config_new();
        catnap_allocator_t allocator = {starving_realloc, &starver};
        catnap_config_set_allocator(config, &allocator);
        wasm_engine_t *engine = wasm_engine_new_with_config(config);
        wasm_store_t *store = wasm_store_new(engine);
        catnap_linker_t *linker = catnap_linker_new(store);
        catnap_tag_t *tag = new_tag(store, wasm_valtype_new_i32());
        wasm_instance_t *instance = start_loops(store, linker);
        wasm_extern_t *drop = catnap_instance_export(instance, "drop", 4);
        starver.left = allowed;
        done = do_all(wasm_extern_as_func(drop), tag);
        starver.left = INT64_MAX;
        assert_true(do_all(wasm_extern_as_func(drop), tag));
        wasm_extern_delete(drop);
        catnap_tag_delete(tag);
        wasm_instance_delete(instance);
        catnap_linker_delete(linker);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(tags_are_made_exported_and_linked),
        TEST(a_tag_of_another_type_does_not_link),
        TEST(misuse_is_reported),
        TEST(invalid_bodies_are_refused),
        TEST(host_functions_throw),
        TEST(exceptions_pass_through_host_functions_or_are_caught_there),
        TEST(exceptions_pass_between_instances),
        TEST(references_go_to_the_host_and_back),
        TEST(exceptions_are_collected_and_count_against_the_limit),
        TEST(a_million_frames_are_unwound),
        TEST(each_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests_name("exceptions: api", tests, NULL, NULL);
}
