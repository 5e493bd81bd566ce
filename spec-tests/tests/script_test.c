/* Both dialects of JSON come out as the same script, and values match as the suite means it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../changed.h"
#include "../script.h"
#include "../trap_text.h"
#include "../value.h"

/* Reads a script of one command. */
static spec_command_t *read_one(spec_script_t *script, const char *command) {
    char json[2000], error[200];
    int size =
        snprintf(json, sizeof json, "{\"source_filename\":\"a.wast\",\"commands\":[%s]}", command);
    assert_true(size > 0 && size < (int)sizeof json);
    assert_true(spec_script_read(script, json, (size_t)size, error, sizeof error));
    assert_int_equal(script->count, 1);
    return script->commands;
}

static void refuse(const char *json) {
    spec_script_t script;
    char error[200] = "";
    assert_false(spec_script_read(&script, json, strlen(json), error, sizeof error));
    assert_true(error[0] != 0);
    spec_script_free(&script);
}

static bool text_is(spec_text_t text, const char *word) {
    return spec_text_equal(text, (spec_text_t){word, strlen(word)});
}

static void modules_of_both_dialects(void **state) {
    (void)state;
    spec_script_t script;
    spec_command_t *c = read_one(&script, "{\"type\":\"module\",\"line\":3,\"name\":\"$M\","
                                          "\"filename\":\"a.0.wasm\"}");
    assert_int_equal(c->type, SPEC_MODULE);
    assert_int_equal(c->line, 3);
    assert_true(text_is(c->name, "$M") && text_is(c->file, "a.0.wasm") && !c->text_file.data);
    assert_true(script.by_wast2json);
    spec_script_free(&script);

    c = read_one(&script, "{\"type\":\"assert_invalid\",\"line\":3,\"filename\":\"a.0.wat\","
                          "\"module_type\":\"text\",\"binary_filename\":\"a.0.wasm\"}");
    assert_true(text_is(c->file, "a.0.wasm") && text_is(c->text_file, "a.0.wat"));
    assert_false(script.by_wast2json);
    spec_script_free(&script);

    c = read_one(&script, "{\"type\":\"assert_malformed\",\"line\":3,\"filename\":\"a.0.wat\","
                          "\"module_type\":\"text\",\"text\":\"unexpected token\"}");
    assert_true(!c->file.data && text_is(c->text_file, "a.0.wat"));
    spec_script_free(&script);
}

static void names_keep_nul(void **state) {
    (void)state;
    spec_script_t script;
    spec_command_t *c = read_one(&script, "{\"type\":\"action\",\"line\":1,\"action\":{\"type\":"
                                          "\"invoke\",\"field\":\"a\\u0000b\",\"args\":[]}}");
    assert_int_equal(c->action.field.size, 3);
    assert_memory_equal(c->action.field.data, "a\0b", 3);
    spec_script_free(&script);
}

/* The one expected result of an assert_return. */
static const spec_value_t *read_result(spec_script_t *script, const char *type, const char *value) {
    char command[1000];
    snprintf(command, sizeof command,
             "{\"type\":\"%s\",\"line\":1,\"action\":{\"type\":\"get\",\"field\":\"g\"},"
             "\"expected\":[%s]}",
             type, value);
    spec_command_t *c = read_one(script, command);
    assert_int_equal(c->type, SPEC_ASSERT_RETURN);
    assert_int_equal(c->expected_count, 1);
    assert_int_equal(c->expected[0].count, 1);
    return c->expected[0].any_of;
}

static void numbers_match_by_bits(void **state) {
    (void)state;
    static const char *const spellings[] = {"-1", "4294967295"};
    catnap_val_t minus_one = {.kind = WASM_I32, .of = {.i32 = -1}};
    catnap_val_t other_kind = {.kind = WASM_F32, .of = {.i32 = -1}};
    for (size_t i = 0; i < 2; i++) {
        spec_script_t script;
        char value[100];
        snprintf(value, sizeof value, "{\"type\":\"i32\",\"value\":\"%s\"}", spellings[i]);
        const spec_value_t *v = read_result(&script, "assert_return", value);
        assert_true(spec_value_matches(v, &minus_one));
        assert_false(spec_value_matches(v, &other_kind));
        spec_script_free(&script);
    }
}

static catnap_val_t f32_of_bits(uint32_t bits) {
    catnap_val_t value = {.kind = WASM_F32};
    memcpy(&value.of.f32, &bits, sizeof bits);
    return value;
}

static void nans_match_by_class(void **state) {
    (void)state;
    static const struct {
        const char *type, *value;
        bool canonical_only;
    } forms[] = {
        {"assert_return", "{\"type\":\"f32\",\"value\":\"nan:canonical\"}", true},
        {"assert_return_canonical_nan", "{\"type\":\"f32\"}", true},
        {"assert_return", "{\"type\":\"f32\",\"value\":\"nan:arithmetic\"}", false},
        {"assert_return_arithmetic_nan", "{\"type\":\"f32\"}", false},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        spec_script_t script;
        const spec_value_t *v = read_result(&script, forms[i].type, forms[i].value);
        catnap_val_t canonical = f32_of_bits(0xffc00000), quiet = f32_of_bits(0x7fc00001);
        catnap_val_t signalling = f32_of_bits(0x7fa00000), infinite = f32_of_bits(0x7f800000);
        assert_true(spec_value_matches(v, &canonical));
        assert_true(spec_value_matches(v, &quiet) == !forms[i].canonical_only);
        assert_false(spec_value_matches(v, &signalling));
        assert_false(spec_value_matches(v, &infinite));
        spec_script_free(&script);
    }
}

static void vectors_match_lane_by_lane(void **state) {
    (void)state;
    spec_script_t script;
    const spec_value_t *v =
        read_result(&script, "assert_return",
                    "{\"type\":\"v128\",\"lane_type\":\"i16\",\"value\":[\"1\",\"-2\",\"65535\","
                    "\"0\",\"0\",\"0\",\"0\",\"256\"]}");
    catnap_val_t expected, changed;
    spec_value_to_engine(v, &expected);
    static const uint8_t bytes[16] = {1, 0, 0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    assert_memory_equal(expected.of.v128, bytes, 16);
    assert_true(spec_value_matches(v, &expected));
    changed = expected;
    changed.of.v128[9] = 1;
    assert_false(spec_value_matches(v, &changed));
    spec_script_free(&script);
}

static void null_references_match_null_only(void **state) {
    (void)state;
    static const struct {
        const char *value;
        bool is_null;
    } forms[] = {
        {"{\"type\":\"externref\",\"value\":\"null\"}", true},
        {"{\"type\":\"refnull\"}", true},
        {"{\"type\":\"nullfuncref\"}", true},
        {"{\"type\":\"externref\"}", false},
        {"{\"type\":\"externref\",\"value\":\"0\"}", false},
        {"{\"type\":\"i31ref\"}", false},
    };
    catnap_val_t null = {.kind = WASM_EXTERNREF};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        spec_script_t script;
        const spec_value_t *v = read_result(&script, "assert_return", forms[i].value);
        assert_true(spec_value_matches(v, &null) == forms[i].is_null);
        spec_script_free(&script);
    }
}

static void alternatives_of_both_dialects(void **state) {
    (void)state;
    static const char *const forms[] = {
        "\"expected\":[{\"type\":\"either\",\"values\":[{\"type\":\"i32\",\"value\":\"1\"},"
        "{\"type\":\"i32\",\"value\":\"2\"}]}]",
        "\"either\":[{\"type\":\"i32\",\"value\":\"1\"},{\"type\":\"i32\",\"value\":\"2\"}]",
    };
    for (size_t i = 0; i < 2; i++) {
        spec_script_t script;
        char command[500];
        snprintf(command, sizeof command,
                 "{\"type\":\"assert_return\",\"line\":1,\"action\":{\"type\":\"get\","
                 "\"field\":\"g\"},%s}",
                 forms[i]);
        spec_command_t *c = read_one(&script, command);
        assert_int_equal(c->expected_count, 1);
        assert_int_equal(c->expected[0].count, 2);
        assert_int_equal(c->expected[0].any_of[1].lane[0], 2);
        spec_script_free(&script);
    }
}

/* As wast2json writes what is expected of several results when a trap is. */
static void commas_may_be_left_out(void **state) {
    (void)state;
    spec_script_t script;
    spec_command_t *c = read_one(
        &script, "{\"type\":\"assert_trap\",\"line\":2,\"action\":{\"type\":\"invoke\",\"field\":"
                 "\"}{\\\"} {\",\"args\":[]},\"text\":\"unreachable\",\"expected\":"
                 "[{\"type\":\"i32\"}{\"type\":\"i32\"} \n{\"type\":\"i64\"}]}");
    assert_int_equal(c->type, SPEC_ASSERT_TRAP);
    assert_int_equal(c->action.field.size, 6);
    assert_memory_equal(c->action.field.data, "}{\"} {", 6);
    spec_script_free(&script);
}

static void what_is_not_a_script_is_refused(void **state) {
    (void)state;
    refuse("");
    refuse("nope");
    refuse("{\"commands\":3}");
    refuse("{\"commands\":[{\"type\":\"module\",\"line\":1}]}");
    refuse("{\"commands\":[{\"type\":\"action\",\"line\":1}]}");
    refuse("{\"commands\":[{\"type\":\"action\",\"line\":1,\"action\":{\"type\":\"invoke\","
           "\"field\":\"f\",\"args\":[{\"type\":\"i32\",\"value\":\"4294967296\"}]}}]}");
    refuse("{\"commands\":[{\"type\":\"action\",\"line\":1,\"action\":{\"type\":\"invoke\","
           "\"field\":\"f\",\"args\":[{\"type\":\"v128\",\"lane_type\":\"i64\",\"value\":[\"1\"]"
           "}]}}]}");
}

static void trap_texts(void **state) {
    (void)state;
    spec_text_t numbered = {"uninitialized element 7", 23};
    spec_text_t unknown = {"uninitialized elements", 22};
    assert_true(spec_trap_is(numbered, CATNAP_TRAP_UNINITIALIZED_ELEMENT));
    assert_false(spec_trap_is(numbered, CATNAP_TRAP_UNDEFINED_ELEMENT));
    assert_false(spec_trap_is(unknown, CATNAP_TRAP_UNINITIALIZED_ELEMENT));
    assert_false(spec_trap_is((spec_text_t){NULL, 0}, CATNAP_TRAP_HOST));
    assert_true(spec_trap_is((spec_text_t){"", 0}, CATNAP_TRAP_UNREACHABLE));
    assert_true(spec_trap_is((spec_text_t){"", 0}, CATNAP_TRAP_HOST));
}

static void changes_are_found_by_set_script_and_line(void **state) {
    (void)state;
    spec_text_t plain = {"func.wast", 9}, with_folder = {"core/func.wast", 14};
    spec_text_t other = {"a-func.wast", 11};
    assert_non_null(spec_change_find("wasm-1.0", plain, 493));
    assert_non_null(spec_change_find("wasm-1.0", with_folder, 497));
    assert_null(spec_change_find("wasm-1.0", other, 493));
    assert_null(spec_change_find("wasm-1.0", plain, 494));
    assert_null(spec_change_find("wasm-1.0", plain, 0));
    assert_null(spec_change_find("wasm-2.0", plain, 493));
    assert_null(spec_change_find(NULL, plain, 493));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(modules_of_both_dialects),
        cmocka_unit_test(names_keep_nul),
        cmocka_unit_test(numbers_match_by_bits),
        cmocka_unit_test(nans_match_by_class),
        cmocka_unit_test(vectors_match_lane_by_lane),
        cmocka_unit_test(null_references_match_null_only),
        cmocka_unit_test(alternatives_of_both_dialects),
        cmocka_unit_test(commas_may_be_left_out),
        cmocka_unit_test(what_is_not_a_script_is_refused),
        cmocka_unit_test(trap_texts),
        cmocka_unit_test(changes_are_found_by_set_script_and_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
