/* WASI through the API: a module that imports it, linked, run, ended and interrupted. */
#include "guest.h"

#include <pthread.h>

#include "../support/module.h"

#define WASM_PAGE 65536u

struct program {
    wasm_engine_t *engine;
    wasm_store_t *store;
    catnap_wasi_t *wasi;
    catnap_linker_t *linker;
    wasm_instance_t *instance;
    uint64_t call_id; /* of the call to interrupt */
};

/* At 0 an iovec of "hello\n" at 16, and another of 6 bytes in the next page; at 32 a subscription to a very late monotonic time. */
static void put_data(struct module_builder *m) {
    uint8_t data[96] = {0};

    cn_put_u32(data, 16);
    cn_put_u32(data + 4, 6);
    cn_put_u32(data + 8, WASM_PAGE);
    cn_put_u32(data + 12, 6);
    memcpy(data + 16, "hello\n", 6);
    cn_put_u32(data + 48, WASI_CLOCK_MONOTONIC);
    cn_put_u64(data + 56, UINT64_MAX / 2);
    add_data(m, 0, data, sizeof data);
}

/* Functions: exit ends with 7, hello prints, sleep never wakes, seek uses the older module name.
 * The others add a page first, which they write from, or where the result is to be. */
static struct bytes make_module(void) {
    static const char wasi[] = "wasi_snapshot_preview1";
    struct module_builder m = {0};
    uint32_t exit_type = add_type(&m, "i", ""), io = add_type(&m, "iiii", "i");
    uint32_t type = add_type(&m, "", "i"), seek = add_type(&m, "iIii", "i");

    import_func(&m, wasi, "proc_exit", exit_type);
    import_func(&m, wasi, "fd_write", io);
    import_func(&m, wasi, "poll_oneoff", io);
    import_func(&m, "wasi_unstable", "fd_seek", seek);
    import_func(&m, wasi, "fd_read", io);
    add_memory(&m, 1, NO_MAX);
    ADD_FUNC(&m, "exit", type, 0, 0x41, 7, CALL, 0, UNREACHABLE, END);
    ADD_FUNC(&m, "hello", type, 0, 0x41, 1, 0x41, 0, 0x41, 1, 0x41, 8, CALL, 1, END);
    ADD_FUNC(&m, "sleep", type, 0, 0x41, 32, 0x41, 0x80, 1, 0x41, 1, 0x41, 8, CALL, 2, END);
    ADD_FUNC(&m, "seek", type, 0, 0x41, 1, 0x42, 0, 0x41, 2, 0x41, 8, CALL, 3, END);
    /* memory.grow by one page, drop; then the call, with its result at the start of that page */
    ADD_FUNC(&m, "read", type, 0, 0x41, 1, 0x40, 0, DROP, 0x41, 0, 0x41, 0, 0x41, 1, 0x41, 0x80,
             0x80, 4, CALL, 4, END);
    ADD_FUNC(&m, "write_one", type, 0, 0x41, 1, 0x40, 0, DROP, 0x41, 2, 0x41, 0, 0x41, 1, 0x41,
             0x80, 0x80, 4, CALL, 1, END);
    ADD_FUNC(&m, "write_two", type, 0, 0x41, 1, 0x40, 0, DROP, 0x41, 2, 0x41, 0, 0x41, 2, 0x41, 24,
             CALL, 1, END);
    put_data(&m);
    return finish(&m);
}

static wasm_module_t *load(struct program *p, struct bytes *bytes) {
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(p->store, bytes->data, bytes->size, NULL, &error);
    assert_no_error(error);
    drop_bytes(bytes);
    return module;
}

static int start(void **state) {
    struct program *p = calloc(1, sizeof *p);
    wasm_config_t *config = wasm_config_new();
    struct bytes bytes = make_module();
    catnap_error_t *error;
    wasm_trap_t *trap;

    catnap_config_set_interruptible(config, true);
    p->engine = wasm_engine_new_with_config(config);
    p->store = wasm_store_new(p->engine);
    p->wasi = catnap_wasi_new();
    p->linker = catnap_linker_new(p->store);
    assert_no_error(catnap_wasi_set_output_buffer(p->wasi, 1, 100));
    assert_no_error(catnap_linker_define_wasi(p->linker, p->wasi));
    wasm_module_t *module = load(p, &bytes);
    p->instance = catnap_linker_instantiate(p->linker, module, &error, &trap);
    assert_no_error(error);
    assert_null(trap);
    wasm_module_delete(module);
    *state = p;
    return 0;
}

static int stop(void **state) {
    struct program *p = *state;
    wasm_instance_delete(p->instance);
    catnap_linker_delete(p->linker);
    wasm_store_delete(p->store);
    wasm_engine_delete(p->engine);
    catnap_wasi_delete(p->wasi);
    free(p);
    return 0;
}

static wasm_trap_t *call(struct program *p, const char *name, int32_t *result) {
    wasm_extern_t *export = catnap_instance_export(p->instance, name, strlen(name));
    catnap_val_t value = {.kind = WASM_I32};
    assert_non_null(export);
    wasm_trap_t *trap = catnap_func_call(wasm_extern_as_func(export), NULL, 0, &value, 1);
    *result = value.of.i32;
    wasm_extern_delete(export);
    return trap;
}

static void printing(void **state) {
    struct program *p = *state;
    int32_t result;
    size_t length;

    assert_null(call(p, "hello", &result));
    assert_int_equal(WASI_SUCCESS, result);
    assert_null(call(p, "hello", &result));
    assert_memory_equal("hello\nhello\n", catnap_wasi_output(p->wasi, 1, &length), 12);
    assert_int_equal(12, length);
}

static void exiting(void **state) {
    struct program *p = *state;
    int32_t result, status;
    wasm_trap_t *trap = call(p, "exit", &result);

    assert_non_null(trap);
    assert_int_equal(CATNAP_TRAP_EXIT, catnap_trap_code(trap));
    assert_true(catnap_trap_exit_status(trap, &status));
    assert_int_equal(7, status);
    wasm_trap_delete(trap);
}

static void the_older_name(void **state) {
    struct program *p = *state;
    int32_t result;
    assert_null(call(p, "seek", &result));
    assert_int_equal(WASI_SPIPE, result);
}

static void *interrupt_call_soon(void *env) {
    struct program *p = env;
    usleep(20000);
    catnap_store_interrupt(p->store, p->call_id);
    return NULL;
}

static void interrupting(void **state) {
    struct program *p = *state;
    pthread_t thread;
    int32_t result;

    p->call_id = catnap_store_call_id(p->store);
    assert_int_equal(0, pthread_create(&thread, NULL, interrupt_call_soon, p));
    uint64_t begin = now_ns();
    wasm_trap_t *trap = call(p, "sleep", &result);
    assert_non_null(trap);
    assert_int_equal(CATNAP_TRAP_INTERRUPTED, catnap_trap_code(trap));
    assert_true(now_ns() - begin < UINT64_C(5000000000));
    wasm_trap_delete(trap);
    pthread_join(thread, NULL);
    assert_null(call(p, "hello", &result)); /* the next call is not hurt */
}

/* Called by the host itself there is no memory, and so no valid pointer. */
static void without_a_caller(void **state) {
    struct program *p = *state;
    wasm_extern_t *found =
        catnap_linker_get(p->linker, "wasi_snapshot_preview1", 22, "fd_write", 8);
    const catnap_val_t arguments[4] = {{.kind = WASM_I32, .of.i32 = 1},
                                       {.kind = WASM_I32},
                                       {.kind = WASM_I32},
                                       {.kind = WASM_I32}};
    catnap_val_t result;

    assert_non_null(found);
    assert_null(catnap_func_call(wasm_extern_as_func(found), arguments, 4, &result, 1));
    assert_int_equal(WASI_FAULT, result.of.i32);
    wasm_extern_delete(found);
}

/* Streams whose callbacks roll the store back, so that the page added since is gone. */
struct rewinding {
    wasm_store_t *store;
    size_t moved;
};

static int64_t rewind_and_write(void *env, const void *bytes, size_t size) {
    struct rewinding *r = env;
    char text[6];
    assert_int_equal(sizeof text, size);
    memcpy(text, bytes, sizeof text); /* they are there */
    r->moved += size;
    assert_no_error(catnap_store_rollback(r->store, 1));
    return (int64_t)size;
}

static int64_t rewind_and_read(void *env, void *bytes, size_t size) {
    struct rewinding *r = env;
    memset(bytes, 'x', size);
    r->moved += size;
    assert_no_error(catnap_store_rollback(r->store, 1));
    return (int64_t)size;
}

static void memory_may_shrink_in_a_callback(void **state) {
    struct program *p = *state;
    struct rewinding r = {.store = p->store};
    int32_t result;

    assert_no_error(catnap_wasi_set_stdin_callback(p->wasi, rewind_and_read, &r));
    assert_no_error(catnap_wasi_set_output_callback(p->wasi, 2, rewind_and_write, &r));
    assert_no_error(catnap_store_checkpoint(p->store, NULL));
    assert_null(call(p, "write_one", &result));
    assert_int_equal(WASI_FAULT, result);
    assert_int_equal(6, r.moved);
    assert_null(call(p, "read", &result));
    assert_int_equal(WASI_FAULT, result);
    assert_int_equal(12, r.moved);
    assert_null(call(p, "write_two", &result)); /* the first buffer was taken */
    assert_int_equal(WASI_SUCCESS, result);
    assert_int_equal(18, r.moved);
    assert_null(call(p, "hello", &result));
    assert_int_equal(WASI_SUCCESS, result);
}

/* Every function is there under its type, and the ones of the older snapshot under both names. */
static void all_are_defined(void **state) {
    struct program *p = *state;
    for (size_t i = 0; i < cn_wasi_function_count; i++) {
        const struct wasi_function *f = &cn_wasi_functions[i];
        wasm_extern_t *new =
            catnap_linker_get(p->linker, "wasi_snapshot_preview1", 22, f->name, strlen(f->name));
        wasm_extern_t *old =
            catnap_linker_get(p->linker, "wasi_unstable", 13, f->name, strlen(f->name));
        assert_non_null(new);
        assert_int_equal(f->unstable, old != NULL);
        assert_int_equal(strchr(f->signature, ':') - f->signature,
                         wasm_func_param_arity(wasm_extern_as_func(new)));
        wasm_extern_delete(new);
        wasm_extern_delete(old);
    }
}

static void types_are_checked(void **state) {
    struct program *p = *state;
    struct module_builder m = {0};
    catnap_error_t *error;
    wasm_trap_t *trap;

    import_func(&m, "wasi_snapshot_preview1", "fd_write", add_type(&m, "i", "i"));
    struct bytes bytes = finish(&m);
    wasm_module_t *module = load(p, &bytes);
    assert_null(catnap_linker_instantiate(p->linker, module, &error, &trap));
    assert_status(CATNAP_LINK, error);
    assert_null(trap);
    wasm_module_delete(module);
    assert_status(CATNAP_MISUSE, catnap_linker_define_wasi(p->linker, NULL));
    assert_status(CATNAP_MISUSE, catnap_linker_define_wasi(NULL, p->wasi));
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        LINK_TEST(printing),          LINK_TEST(exiting),
        LINK_TEST(the_older_name),    LINK_TEST(interrupting),
        LINK_TEST(without_a_caller),  LINK_TEST(all_are_defined),
        LINK_TEST(types_are_checked), LINK_TEST(memory_may_shrink_in_a_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
