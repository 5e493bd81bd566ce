/*
 * Relaxed vector instructions (section 4.3.5): of the permitted results each has that of the deterministic profile.
 * The operands are such that the permitted results differ.
 */
#include "helpers.h"

#include "../support/module.h"

#define U(a) UINT32_C(a)
#define LANES(a, b, c, d) {(uint64_t)(a) | (uint64_t)(b) << 32, (uint64_t)(c) | (uint64_t)(d) << 32}
#define ALL(a) LANES(U(a), U(a), U(a), U(a))
#define BOTH(a) {UINT64_C(a), UINT64_C(a)}

#define NAN32 0x7FC00000
#define NAN64 UINT64_C(0x7FF8000000000000)

static const struct {
    const char *name;
    uint16_t number; /* behind the prefix */
    uint8_t operands;
    uint64_t of[3][2], result[2];
} cases[] = {
    {"swizzle",
     0x100,
     2,
     {ALL(0x04030201), LANES(16, 1, 0x80, 15)},
     LANES(0x01010100, 0x01010102, 0x01010100, 0x01010104)},
    {"trunc_f32x4_s",
     0x101,
     1,
     {LANES(NAN32, 0x4F000000, U(0xCF800000), 0x3FC00000)},
     LANES(0, INT32_MAX, U(0x80000000), 1)},
    {"trunc_f32x4_u",
     0x102,
     1,
     {LANES(NAN32, 0x4F800000, U(0xBF800000), 0x3FC00000)},
     LANES(0, UINT32_MAX, 0, 1)},
    {"trunc_f64x2_s", 0x103, 1, {{NAN64, UINT64_C(0x41E0000000000000)}}, LANES(0, INT32_MAX, 0, 0)},
    {"trunc_f64x2_u",
     0x104,
     1,
     {{UINT64_C(0xBFF0000000000000), UINT64_C(0x41F0000000000000)}},
     LANES(0, UINT32_MAX, 0, 0)},
    /* (1 + 2^-12) squared less that rounded: 2^-24 is lost when the product is rounded */
    {"f32x4_madd", 0x105, 3, {ALL(0x3F800800), ALL(0x3F800800), ALL(0xBF801000)}, ALL(0)},
    {"f32x4_nmadd", 0x106, 3, {ALL(0x3F800800), ALL(0x3F800800), ALL(0x3F801000)}, ALL(0)},
    {"f64x2_madd",
     0x107,
     3,
     {BOTH(0x3FF0000002000000), BOTH(0x3FF0000002000000), BOTH(0xBFF0000004000000)},
     BOTH(0)},
    {"f64x2_nmadd",
     0x108,
     3,
     {BOTH(0x3FF0000002000000), BOTH(0x3FF0000002000000), BOTH(0x3FF0000004000000)},
     BOTH(0)},
    {"i8x16_laneselect", 0x109, 3, {ALL(0x12345678), ALL(0), ALL(0xF00FF00F)}, ALL(0x10045008)},
    {"i16x8_laneselect", 0x10A, 3, {ALL(0x12345678), ALL(0), ALL(0xF00FF00F)}, ALL(0x10045008)},
    {"i32x4_laneselect", 0x10B, 3, {ALL(0x12345678), ALL(0), ALL(0xF00FF00F)}, ALL(0x10045008)},
    {"i64x2_laneselect", 0x10C, 3, {ALL(0x12345678), ALL(0), ALL(0xF00FF00F)}, ALL(0x10045008)},
    {"f32x4_min",
     0x10D,
     2,
     {LANES(0, U(0x80000000), 0x3F800000, 0x40000000),
      LANES(U(0x80000000), 0, 0x40000000, 0x3F800000)},
     LANES(U(0x80000000), U(0x80000000), 0x3F800000, 0x3F800000)},
    {"f32x4_max",
     0x10E,
     2,
     {LANES(0, U(0x80000000), 0x3F800000, 0x40000000),
      LANES(U(0x80000000), 0, 0x40000000, 0x3F800000)},
     LANES(0, 0, 0x40000000, 0x40000000)},
    {"f64x2_min",
     0x10F,
     2,
     {{0, UINT64_C(1) << 63}, {UINT64_C(1) << 63, 0}},
     BOTH(0x8000000000000000)},
    {"f64x2_max", 0x110, 2, {{0, UINT64_C(1) << 63}, {UINT64_C(1) << 63, 0}}, BOTH(0)},
    {"q15mulr", 0x111, 2, {ALL(0x80008000), ALL(0x80008000)}, ALL(0x7FFF7FFF)},
    {"dot",
     0x112,
     2,
     {ALL(0x80808080), LANES(U(0x80808080), U(0x81818181), 0x7F7F7F7F, 0x01010101)},
     LANES(0x7FFF7FFF, 0x7F007F00, U(0x81008100), U(0xFF00FF00))},
    {"dot_add",
     0x113,
     3,
     {ALL(0x80808080), LANES(U(0x80808080), U(0x81818181), 0x7F7F7F7F, 0x01010101),
      LANES(1, 2, 3, UINT32_MAX)},
     LANES(0xFFFF, 0xFE02, U(0xFFFF0203), U(0xFFFFFDFF))},
};

static wasm_instance_t *instance_of_all(wasm_store_t *store) {
    struct module_builder m = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint32_t type = add_type(&m, &"vvv"[3 - cases[i].operands], "v");
        struct bytes body = {0};
        put_u(&body, 0);
        for (uint8_t k = 0; k < cases[i].operands; k++)
            PUT(&body, LOCAL_GET, k);
        simd(&body, cases[i].number);
        put(&body, END);
        add_func(&m, cases[i].name, type, &body);
    }
    struct bytes b = finish(&m);
    wasm_instance_t *instance = instantiate(store, b.data, b.size, NULL, 0);
    drop_bytes(&b);
    return instance;
}

static void results_are_those_of_the_deterministic_profile(void **state) {
    wasm_instance_t *instance = instance_of_all(STORE(state));
    for (size_t i = 0; i < COUNT(cases); i++) {
        catnap_val_t arguments[3], result;
        wasm_func_t *func = EXPORT(func, instance, cases[i].name);
        for (size_t k = 0; k < cases[i].operands; k++) {
            arguments[k].kind = WASM_V128;
            memcpy(arguments[k].of.v128, cases[i].of[k], 16);
        }
        assert_no_trap(catnap_func_call(func, arguments, cases[i].operands, &result, 1));
        if (memcmp(result.of.v128, cases[i].result, 16) != 0) {
            uint64_t found[2];
            memcpy(found, result.of.v128, 16);
            fail_msg("%s: %016llx %016llx", cases[i].name, (unsigned long long)found[0],
                     (unsigned long long)found[1]);
        }
        wasm_func_delete(func);
    }
    wasm_instance_delete(instance);
}

/* A NaN wins over any number, in either place. */
static void minima_of_nans_are_nans(void **state) {
    wasm_instance_t *instance = instance_of_all(STORE(state));
    static const char *const names[] = {"f32x4_min", "f32x4_max", "f64x2_min", "f64x2_max"};
    for (size_t i = 0; i < COUNT(names); i++) {
        static const uint64_t of[2][2][2] = {{LANES(NAN32, 0, NAN32, 0), ALL(0x3F800000)},
                                             {{NAN64, 0}, BOTH(0x3FF0000000000000)}};
        wasm_func_t *func = EXPORT(func, instance, names[i]);
        for (size_t swapped = 0; swapped < 2; swapped++) {
            catnap_val_t arguments[2], result;
            for (size_t k = 0; k < 2; k++) {
                arguments[k].kind = WASM_V128;
                memcpy(arguments[k ^ swapped].of.v128, of[i / 2][k], 16);
            }
            assert_no_trap(catnap_func_call(func, arguments, 2, &result, 1));
            float f;
            double d;
            memcpy(&f, result.of.v128, sizeof f);
            memcpy(&d, result.of.v128, sizeof d);
            assert_true(i < 2 ? f != f : d != d);
        }
        wasm_func_delete(func);
    }
    wasm_instance_delete(instance);
}

static void need_their_feature(void **state) {
    (void)state;
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_features(config, CATNAP_FEATURES_WASM2);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    struct module_builder m = {0};
    struct bytes body = {0};
    PUT(&body, 0, LOCAL_GET, 0, 0xFD, 0x81, 0x02, END);
    add_func(&m, "f", add_type(&m, "v", "v"), &body);
    struct bytes b = finish(&m);
    catnap_error_t *error;
    assert_null(catnap_module_new(store, b.data, b.size, NULL, &error));
    assert_error(
        error, CATNAP_UNSUPPORTED,
        "i32x4.relaxed_trunc_f32x4_s needs the feature relaxed-simd, which is switched off");
    drop_bytes(&b);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(results_are_those_of_the_deterministic_profile),
        TEST(minima_of_nans_are_nans),
        TEST(need_their_feature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
