/*
 * Instructions that the opcode table has and no code is written for. The library's table is replaced by one with
 * rows of this test: an instruction that is validated by its row and has no translation, and one that its
 * row leaves to a case of the validator, of which there is none. Both are errors; where assertions are
 * active, the process aborts instead.
 */
#include "../support/module.h"

#include <signal.h>

#include "../child.h"
#include "base/assert.h"

/* The library's own rows, under another name: its table is the one below. */
#define cn_op_info library_rows
#define cn_op_names library_names
#include "binary/opcodes.c"
#undef cn_op_info
#undef cn_op_names

struct op_info cn_op_info[OPCODE_LIMIT];

#define MORE_NAMES "test.made_up\0test.no_case"
static char all_names[sizeof(struct op_names) + sizeof MORE_NAMES];
const char *const cn_op_names = all_names;

#define MADE_UP 0xC5 /* from an i32 to an i32 */
#define NO_CASE 0xC6

static void fill_table(void) {
    const uint16_t made_up = sizeof(struct op_names), no_case = made_up + sizeof "test.made_up";
    memcpy(cn_op_info, library_rows, sizeof cn_op_info);
    memcpy(all_names, library_names, sizeof(struct op_names));
    memcpy(all_names + made_up, MORE_NAMES, sizeof MORE_NAMES);
    cn_op_info[MADE_UP] = (struct op_info){
        .name = made_up, .result = OPT_I32, .operands = {OPT_I32}, .operand_count = 1};
    cn_op_info[NO_CASE] = (struct op_info){.name = no_case, .result = OPT_SPECIAL};
}

struct run {
    uint8_t opcode;
    catnap_translation_t translation;
    bool fuel;
    catnap_status_t status; /* of loading */
    char message[256];      /* of loading, or of the trap of the call */
};

static void copy(struct run *run, const char *message) {
    snprintf(run->message, sizeof run->message, "%s", message);
}

static void call_export(struct run *run, wasm_store_t *store, const wasm_module_t *module) {
    wasm_extern_vec_t imports = WASM_EMPTY_VEC, exports;
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    wasm_message_t message;
    wasm_instance_t *instance = wasm_instance_new(store, module, &imports, NULL);
    assert_non_null(instance);
    wasm_instance_exports(instance, &exports);
    wasm_trap_t *trap = wasm_func_call(wasm_extern_as_func(exports.data[0]), &none, &none);
    assert_non_null(trap);
    wasm_trap_message(trap, &message);
    copy(run, message.data);
    wasm_byte_vec_delete(&message);
    wasm_trap_delete(trap);
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
}

/* A module whose exported function executes the opcode. */
static void load_and_call(struct run *run) {
    struct module_builder m = {0};
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_translation(config, run->translation);
    if (run->fuel)
        catnap_config_set_fuel(config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    catnap_error_t *error = run->fuel ? catnap_store_set_fuel(store, 1000) : NULL;
    assert_null(error);
    ADD_FUNC(&m, "f", add_type(&m, "", ""), 0, I32_CONST, 1, run->opcode, DROP, END);
    struct bytes b = finish(&m);
    wasm_module_t *module = catnap_module_new(store, b.data, b.size, NULL, &error);
    run->status = module ? CATNAP_OK : catnap_error_status(error);
    if (module)
        call_export(run, store, module);
    else
        copy(run, catnap_error_message(error));
    catnap_error_delete(error);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    drop_bytes(&b);
}

static void run_in_child(void *env) {
    fclose(stderr); /* of the assertion */
    load_and_call(env);
}

/* Whether the run gives the error, or stops at the assertion that stands before it. */
static void expect(struct run run, catnap_status_t status, const char *message) {
    if (CN_ASSERTING) {
        int state;
        pid_t child = start_child(run_in_child, &run);
        assert_int_equal(waitpid(child, &state, 0), child);
        assert_true(WIFSIGNALED(state) && WTERMSIG(state) == SIGABRT);
        return;
    }
    load_and_call(&run);
    assert_int_equal(run.status, status);
    if (!strstr(run.message, message))
        fail_msg("%s", run.message);
}

static void no_other_code_is_made(void **state) {
    (void)state;
    const char *message = "no translation of test.made_up";
    for (unsigned fuel = 0; fuel < 2; fuel++) {
        expect((struct run){MADE_UP, CATNAP_TRANSLATION_LAZY, fuel, 0, ""}, CATNAP_OK, message);
        expect((struct run){MADE_UP, CATNAP_TRANSLATION_EAGER, fuel, 0, ""}, CATNAP_UNSUPPORTED,
               message);
    }
}

static void nothing_is_taken_for_valid(void **state) {
    (void)state;
    expect((struct run){NO_CASE, CATNAP_TRANSLATION_LAZY, false, 0, ""}, CATNAP_UNSUPPORTED,
           "no validation of test.no_case");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_other_code_is_made),
        cmocka_unit_test(nothing_is_taken_for_valid),
    };
    fill_table();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
