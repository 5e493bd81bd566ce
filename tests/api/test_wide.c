/* Wide arithmetic against numbers of 128 bits, with operands and results in every kind of place. */
#include "helpers.h"

#include "../support/module.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

enum { ADD = 19, SUB, MUL_S, MUL_U };

static const uint64_t words[] = {0,
                                 1,
                                 2,
                                 UINT64_MAX,
                                 UINT64_MAX - 1,
                                 UINT64_C(1) << 63,
                                 (UINT64_C(1) << 63) - 1,
                                 UINT32_MAX,
                                 UINT64_C(1) << 32,
                                 UINT64_C(0x123456789ABCDEF0),
                                 UINT64_C(0xFEDCBA9876543210)};

static u128 reference(unsigned number, const uint64_t *of) {
    switch (number) {
    case ADD:
        return ((u128)of[1] << 64 | of[0]) + ((u128)of[3] << 64 | of[2]);
    case SUB:
        return ((u128)of[1] << 64 | of[0]) - ((u128)of[3] << 64 | of[2]);
    case MUL_S:
        return (u128)((s128)(int64_t)of[0] * (int64_t)of[1]);
    default:
        return (u128)of[0] * of[1];
    }
}

static void put_wide(struct bytes *body, unsigned number) {
    PUT(body, 0xFC, (uint8_t)number);
}

/* A function that computes with its parameters; one that does so in a loop with constants and locals, and leaves
 * the results in locals first; one in whose frame no operand is within reach of 16 bits. */
static void add_functions(struct module_builder *m, unsigned number, const uint64_t *constants) {
    unsigned operands = number <= SUB ? 4 : 2;
    uint32_t type = add_type(m, &"IIII"[4 - operands], "II");
    for (unsigned form = 0; form < 3; form++) {
        struct bytes body = {0};
        char name[16];
        snprintf(name, sizeof name, "%u %u", number, form);
        if (form == 0)
            put_u(&body, 0);
        else
            PUT(&body, 1), put_u(&body, form == 1 ? 4 : 40000), put(&body, I64);
        if (form == 1)
            PUT(&body, 0x03, 0x40); /* loop */
        for (unsigned i = 0; i < operands; i++) {
            if (form == 1 && i % 2) {
                put(&body, 0x42);
                put_s(&body, (int64_t)constants[i]);
            } else {
                PUT(&body, LOCAL_GET, (uint8_t)i);
            }
        }
        put_wide(&body, number);
        if (form > 0) {
            uint32_t high = operands + (form == 1 ? 3 : 39999);
            put(&body, 0x21), put_u(&body, high);
            put(&body, 0x21), put_u(&body, high - 1);
            if (form == 1)
                PUT(&body, 0x41, 0, 0x0D, 0, END); /* i32.const 0; br_if 0; end */
            put(&body, LOCAL_GET), put_u(&body, high - 1);
            put(&body, LOCAL_GET), put_u(&body, high);
        }
        put(&body, END);
        add_func(m, name, type, &body);
    }
}

static void check(const wasm_instance_t *instance, unsigned number, unsigned form,
                  const uint64_t *of) {
    catnap_val_t arguments[4], results[2];
    size_t count = number <= SUB ? 4 : 2;
    char name[16];
    snprintf(name, sizeof name, "%u %u", number, form);
    wasm_func_t *func = EXPORT(func, instance, name);
    for (size_t i = 0; i < count; i++)
        arguments[i] = (catnap_val_t){.kind = WASM_I64, .of.i64 = (int64_t)of[i]};
    assert_no_trap(catnap_func_call(func, arguments, count, results, 2));
    u128 expected = reference(number, of);
    assert_true((uint64_t)results[0].of.i64 == (uint64_t)expected);
    assert_true((uint64_t)results[1].of.i64 == (uint64_t)(expected >> 64));
    wasm_func_delete(func);
}

static void results_are_those_of_128_bits(void **state) {
    wasm_store_t *store = STORE(state);
    for (size_t a = 0; a < COUNT(words); a++)
        for (size_t b = 0; b < COUNT(words); b++) {
            const uint64_t of[4] = {words[a], words[b], words[(a * 3 + b) % COUNT(words)],
                                    words[(a + b * 5) % COUNT(words)]};
            struct module_builder m = {0};
            for (unsigned number = ADD; number <= MUL_U; number++)
                add_functions(&m, number, of);
            struct bytes bytes = finish(&m);
            wasm_instance_t *instance = instantiate(store, bytes.data, bytes.size, NULL, 0);
            for (unsigned number = ADD; number <= MUL_U; number++)
                for (unsigned form = 0; form < 3; form++)
                    check(instance, number, form, of);
            drop_bytes(&bytes);
            wasm_instance_delete(instance);
        }
}

static catnap_error_t *refusal(const char *params, const char *results, unsigned number,
                               wasm_store_t *store) {
    struct module_builder m = {0};
    struct bytes body = {0};
    catnap_error_t *error;
    PUT(&body, 0);
    for (uint8_t i = 0; params[i]; i++)
        PUT(&body, LOCAL_GET, i);
    put_wide(&body, number);
    put(&body, END);
    add_func(&m, "f", add_type(&m, params, results), &body);
    struct bytes bytes = finish(&m);
    wasm_module_t *module = catnap_module_new(store, bytes.data, bytes.size, NULL, &error);
    wasm_module_delete(module);
    drop_bytes(&bytes);
    return error;
}

static void types_are_checked(void **state) {
    wasm_store_t *store = STORE(state);
    assert_no_error(refusal("IIII", "II", ADD, store));
    assert_no_error(refusal("II", "II", MUL_U, store));
    assert_error(refusal("III", "II", SUB, store), CATNAP_INVALID, "type mismatch");
    assert_error(refusal("IIiI", "II", ADD, store), CATNAP_INVALID, "type mismatch");
    assert_error(refusal("II", "I", MUL_S, store), CATNAP_INVALID, "type mismatch");
    assert_error(refusal("I", "II", MUL_S, store), CATNAP_INVALID, "type mismatch");
}

static void need_their_feature(void **state) {
    (void)state;
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_features(config, CATNAP_FEATURES_WASM2);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    assert_error(refusal("IIII", "II", ADD, store), CATNAP_UNSUPPORTED,
                 "i64.add128 needs the feature wide-arithmetic, which is switched off");
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(results_are_those_of_128_bits),
        TEST(types_are_checked),
        TEST(need_their_feature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
