/* Traps: messages, codes, frames, exits, backtraces from the host. */
#include "helpers.h"

/* (module $trapping ;; names
 *   (type $none (func))
 *   (import "host" "abort" (func $abort))
 *   (memory 1)
 *   (table 3 funcref)
 *   (elem (i32.const 0) $inner)
 *   (func $inner (export "unreachable") (unreachable))
 *   (func $middle (call $inner))
 *   (func $outer (export "nested") (nop) (call $middle))
 *   (func (export "load") (param i32) (result i32) (i32.load offset=8 (local.get 0)))
 *   (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
 *   (func (export "convert") (result i32) (i32.trunc_f32_s (f32.const nan)))
 *   (func (export "indirect") (param i32) (call_indirect (type $none) (local.get 0)))
 *   (func (export "indirect_other") (result i32) (call_indirect (result i32) (i32.const 0)))
 *   (func (export "table_get") (param i32) (drop (table.get 0 (local.get 0))))
 *   (func $endless (export "endless") (call $endless))
 *   (func $host_trap (export "abort") (call $abort))) */
static const uint8_t trapping[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x17, 0x05, 0x60, 0x00, 0x00, 0x60, 0x01,
    0x7f, 0x01, 0x7f, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, 0x60, 0x00, 0x01, 0x7f, 0x60, 0x01, 0x7f,
    0x00, 0x02, 0x0e, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x05, 0x61, 0x62, 0x6f, 0x72, 0x74, 0x00,
    0x00, 0x03, 0x0c, 0x0b, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x03, 0x04, 0x00, 0x00, 0x04,
    0x04, 0x01, 0x70, 0x00, 0x03, 0x05, 0x03, 0x01, 0x00, 0x01, 0x07, 0x6c, 0x0a, 0x0b, 0x75, 0x6e,
    0x72, 0x65, 0x61, 0x63, 0x68, 0x61, 0x62, 0x6c, 0x65, 0x00, 0x01, 0x06, 0x6e, 0x65, 0x73, 0x74,
    0x65, 0x64, 0x00, 0x03, 0x04, 0x6c, 0x6f, 0x61, 0x64, 0x00, 0x04, 0x06, 0x64, 0x69, 0x76, 0x69,
    0x64, 0x65, 0x00, 0x05, 0x07, 0x63, 0x6f, 0x6e, 0x76, 0x65, 0x72, 0x74, 0x00, 0x06, 0x08, 0x69,
    0x6e, 0x64, 0x69, 0x72, 0x65, 0x63, 0x74, 0x00, 0x07, 0x0e, 0x69, 0x6e, 0x64, 0x69, 0x72, 0x65,
    0x63, 0x74, 0x5f, 0x6f, 0x74, 0x68, 0x65, 0x72, 0x00, 0x08, 0x09, 0x74, 0x61, 0x62, 0x6c, 0x65,
    0x5f, 0x67, 0x65, 0x74, 0x00, 0x09, 0x07, 0x65, 0x6e, 0x64, 0x6c, 0x65, 0x73, 0x73, 0x00, 0x0a,
    0x05, 0x61, 0x62, 0x6f, 0x72, 0x74, 0x00, 0x0b, 0x09, 0x07, 0x01, 0x00, 0x41, 0x00, 0x0b, 0x01,
    0x01, 0x0a, 0x4b, 0x0b, 0x03, 0x00, 0x00, 0x0b, 0x04, 0x00, 0x10, 0x01, 0x0b, 0x05, 0x00, 0x01,
    0x10, 0x02, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x28, 0x02, 0x08, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x20,
    0x01, 0x6d, 0x0b, 0x08, 0x00, 0x43, 0x00, 0x00, 0xc0, 0x7f, 0xa8, 0x0b, 0x07, 0x00, 0x20, 0x00,
    0x11, 0x00, 0x00, 0x0b, 0x07, 0x00, 0x41, 0x00, 0x11, 0x03, 0x00, 0x0b, 0x07, 0x00, 0x20, 0x00,
    0x25, 0x00, 0x1a, 0x0b, 0x04, 0x00, 0x10, 0x0a, 0x0b, 0x04, 0x00, 0x10, 0x00, 0x0b, 0x00, 0x68,
    0x04, 0x6e, 0x61, 0x6d, 0x65, 0x00, 0x09, 0x08, 0x74, 0x72, 0x61, 0x70, 0x70, 0x69, 0x6e, 0x67,
    0x01, 0x32, 0x06, 0x00, 0x05, 0x61, 0x62, 0x6f, 0x72, 0x74, 0x01, 0x05, 0x69, 0x6e, 0x6e, 0x65,
    0x72, 0x02, 0x06, 0x6d, 0x69, 0x64, 0x64, 0x6c, 0x65, 0x03, 0x05, 0x6f, 0x75, 0x74, 0x65, 0x72,
    0x0a, 0x07, 0x65, 0x6e, 0x64, 0x6c, 0x65, 0x73, 0x73, 0x0b, 0x09, 0x68, 0x6f, 0x73, 0x74, 0x5f,
    0x74, 0x72, 0x61, 0x70, 0x02, 0x19, 0x0c, 0x00, 0x00, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00, 0x04,
    0x00, 0x05, 0x00, 0x06, 0x00, 0x07, 0x00, 0x08, 0x00, 0x09, 0x00, 0x0a, 0x00, 0x0b, 0x00, 0x04,
    0x07, 0x01, 0x00, 0x04, 0x6e, 0x6f, 0x6e, 0x65,
};

struct host {
    wasm_store_t *store;
    int frames_seen;
};

static void check_name(const catnap_frame_t *frame, const char *name) {
    assert_int_equal(frame->func_name_length, strlen(name));
    assert_memory_equal(frame->func_name, name, strlen(name));
    assert_int_equal(frame->module_name_length, 8);
    assert_memory_equal(frame->module_name, "trapping", 8);
}

static wasm_trap_t *abort_call(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                               catnap_val_t *results) {
    struct host *host = env;
    (void)arguments;
    (void)results;
    catnap_frame_t frames[2];
    memset(frames, 0xEE, sizeof frames);
    host->frames_seen = (int)catnap_caller_backtrace(caller, frames, 2);
    if (host->frames_seen > 0) {
        check_name(&frames[0], "host_trap");
        assert_ptr_equal(frames[0].instance, catnap_caller_instance(caller));
    }
    assert_int_equal(catnap_caller_backtrace(caller, NULL, 0), host->frames_seen);
    wasm_message_t message;
    wasm_name_new_from_string_nt(&message, "the host says no");
    wasm_trap_t *trap = wasm_trap_new(host->store, &message);
    wasm_name_delete(&message);
    return trap;
}

struct trap_fixture {
    wasm_instance_t *instance;
    struct host host;
};

static void begin(wasm_store_t *store, struct trap_fixture *fixture) {
    fixture->host = (struct host){store, -1};
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *func = catnap_func_new(store, type, abort_call, &fixture->host, NULL, NULL);
    wasm_functype_delete(type);
    wasm_extern_t *imports[] = {wasm_func_as_extern(func)};
    fixture->instance = instantiate(store, trapping, sizeof trapping, imports, 1);
    wasm_func_delete(func);
}

static void every_trap_has_its_text(void **state) {
    struct trap_fixture fixture;
    begin(STORE(state), &fixture);
    const wasm_instance_t *instance = fixture.instance;
    assert_trap(CALL_TRAP(instance, "unreachable"), CATNAP_TRAP_UNREACHABLE, "unreachable");
    assert_trap(CALL_TRAP(instance, "load", 65536), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS,
                "out of bounds memory access");
    assert_trap(CALL_TRAP(instance, "load", -1), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS, "0x100000007");
    assert_trap(CALL_TRAP(instance, "divide", 1, 0), CATNAP_TRAP_INTEGER_DIVIDE_BY_ZERO,
                "integer divide by zero");
    assert_trap(CALL_TRAP(instance, "divide", INT32_MIN, -1), CATNAP_TRAP_INTEGER_OVERFLOW,
                "integer overflow");
    assert_trap(CALL_TRAP(instance, "convert"), CATNAP_TRAP_INVALID_CONVERSION_TO_INTEGER,
                "invalid conversion to integer");
    assert_trap(CALL_TRAP(instance, "indirect", 3), CATNAP_TRAP_UNDEFINED_ELEMENT,
                "undefined element");
    assert_trap(CALL_TRAP(instance, "indirect", 2), CATNAP_TRAP_UNINITIALIZED_ELEMENT,
                "uninitialized element");
    assert_trap(CALL_TRAP(instance, "indirect", 0), CATNAP_TRAP_UNREACHABLE, "unreachable");
    assert_trap(CALL_TRAP(instance, "indirect_other"), CATNAP_TRAP_INDIRECT_CALL_TYPE_MISMATCH,
                "indirect call type mismatch: expected () -> (i32), found () -> ()");
    assert_trap(CALL_TRAP(instance, "table_get", 3), CATNAP_TRAP_TABLE_OUT_OF_BOUNDS,
                "out of bounds table access");
    assert_trap(CALL_TRAP(instance, "endless"), CATNAP_TRAP_STACK_OVERFLOW, "call stack exhausted");
    assert_trap(CALL_TRAP(instance, "abort"), CATNAP_TRAP_HOST, "the host says no");
    assert_int_equal(fixture.host.frames_seen, 1);
    wasm_instance_delete(fixture.instance);
}

static void frames_tell_where(void **state) {
    struct trap_fixture fixture;
    begin(STORE(state), &fixture);
    wasm_trap_t *trap = CALL_TRAP(fixture.instance, "nested");
    static const char *const names[] = {"inner", "middle", "outer"};
    assert_int_equal(catnap_trap_frame_count(trap), 3);
    catnap_frame_t frame;
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(catnap_trap_frame(trap, i, &frame));
        check_name(&frame, names[i]);
        assert_int_equal(frame.func_index, i + 1);
        assert_ptr_equal(frame.instance, fixture.instance);
        static const uint8_t opcodes[] = {0x00, 0x10, 0x10}; /* unreachable, call, call */
        assert_int_equal(trapping[frame.module_offset], opcodes[i]);
        assert_int_equal(frame.func_offset, i == 2 ? 2 : 1); /* after the count of locals */
    }
    assert_false(catnap_trap_frame(trap, 3, &frame));
    size_t index;
    assert_int_equal(catnap_trap_frames_left_out(trap, &index), 0);
    assert_int_equal(index, 3);
    assert_false(catnap_trap_frames_equal(trap, 0, 1));
    assert_true(catnap_trap_frames_equal(trap, 1, 1));
    assert_null(frame.instance);

    wasm_frame_t *origin = wasm_trap_origin(trap);
    assert_int_equal(wasm_frame_func_index(origin), 1);
    assert_ptr_equal(wasm_frame_instance(origin), fixture.instance);
    wasm_frame_vec_t trace, copy;
    wasm_trap_trace(trap, &trace);
    assert_int_equal(trace.size, 3);
    wasm_frame_vec_copy(&copy, &trace);
    assert_int_equal(wasm_frame_module_offset(copy.data[2]),
                     wasm_frame_module_offset(trace.data[2]));
    assert_int_equal(wasm_frame_func_offset(copy.data[2]), 2);
    wasm_trap_delete(trap);
    wasm_frame_vec_delete(&trace);
    wasm_frame_vec_delete(&copy);
    wasm_instance_delete(fixture.instance);
    wasm_frame_t *again = wasm_frame_copy(origin); /* frames outlive handles and the store */
    wasm_frame_delete(origin);
    wasm_store_delete(STORE(state));
    STORE(state) = NULL;
    assert_int_equal(wasm_frame_func_index(again), 1);
    wasm_frame_delete(again);
    assert_null(wasm_frame_copy(NULL));
    wasm_frame_delete(NULL);
}

static void deep_traces_are_cut(void **state) {
    struct trap_fixture fixture;
    begin(STORE(state), &fixture);
    wasm_trap_t *trap = CALL_TRAP(fixture.instance, "endless");
    wasm_frame_vec_t trace;
    wasm_trap_trace(trap, &trace);
    assert_true(trace.size >= 16 && trace.size <= 1000);
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    size_t index, left_out = catnap_trap_frames_left_out(trap, &index);
    assert_int_equal(trace.size, catnap_trap_frame_count(trap));
    assert_int_equal(trace.size + left_out, limits.call_depth);
    assert_in_range(index, 1, trace.size - 1);
    assert_true(catnap_trap_frames_equal(trap, 1, trace.size - 1));
    assert_false(catnap_trap_frames_equal(trap, 1, trace.size));
    wasm_frame_vec_delete(&trace);
    wasm_trap_delete(trap);
    wasm_instance_delete(fixture.instance);
}

static void traps_of_the_host(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_message_t message, told;
    wasm_name_new_from_string(&message, "no NUL"); /* which is then added */
    wasm_trap_t *trap = wasm_trap_new(store, &message);
    wasm_name_delete(&message);
    wasm_trap_message(trap, &told);
    assert_int_equal(told.size, 7);
    assert_string_equal(told.data, "no NUL");
    wasm_name_delete(&told);
    assert_null(wasm_trap_origin(trap));
    wasm_frame_vec_t trace;
    wasm_trap_trace(trap, &trace);
    assert_int_equal(trace.size, 0);
    assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_HOST);
    wasm_trap_t *copy = wasm_trap_copy(trap);
    assert_true(wasm_trap_same(trap, copy));
    wasm_trap_delete(trap);
    assert_trap(copy, CATNAP_TRAP_HOST, "no NUL");

    wasm_message_t empty = WASM_EMPTY_VEC;
    trap = wasm_trap_new(store, &empty);
    wasm_trap_message(trap, &told);
    assert_int_equal(told.size, 1);
    wasm_name_delete(&told);
    wasm_trap_delete(trap);
    assert_trap(wasm_trap_new(store, NULL), CATNAP_TRAP_HOST, "");
    assert_null(wasm_trap_new(NULL, &empty));
    assert_trap(catnap_trap_new(store, CATNAP_TRAP_LIMIT, "mine"), CATNAP_TRAP_LIMIT, "mine");
    assert_trap(catnap_trap_new(store, CATNAP_TRAP_LIMIT, NULL), CATNAP_TRAP_LIMIT, "");
    assert_trap(catnap_trap_new(NULL, CATNAP_TRAP_LIMIT, "x"), CATNAP_TRAP_HOST, "NULL");
    wasm_trap_message(NULL, &told);
    assert_int_equal(told.size, 0);
    assert_null(wasm_trap_origin(NULL));
    wasm_trap_trace(NULL, &trace);
    wasm_trap_delete(NULL);
}

static void exits_have_a_status(void **state) {
    int32_t status = 5;
    wasm_trap_t *trap = catnap_trap_new_exit(STORE(state), -3);
    assert_true(catnap_trap_exit_status(trap, &status));
    assert_int_equal(status, -3);
    assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_EXIT);
    wasm_trap_delete(trap);
    trap = catnap_trap_new(STORE(state), CATNAP_TRAP_HOST, "x");
    assert_false(catnap_trap_exit_status(trap, &status));
    assert_int_equal(status, 0);
    wasm_trap_delete(trap);
    assert_false(catnap_trap_exit_status(NULL, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_trap_has_its_text), TEST(frames_tell_where),   TEST(deep_traces_are_cut),
        TEST(traps_of_the_host),       TEST(exits_have_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
