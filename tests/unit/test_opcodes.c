#include "build.h"

#include "binary/opcodes.h"
#include "catnap.h"

static size_t count_range(uint32_t from, uint32_t to) {
    size_t count = 0;
    for (uint32_t op = from; op < to; op++)
        count += cn_op_info[op].name != NULL;
    return count;
}

static void the_table_is_whole(void **state) {
    (void)state;
    assert_int_equal(count_range(0, 0x100),
                     172 + 5 + 6); /* first version, sign extension, references */
    assert_int_equal(count_range(0x100, 0x200), 8 + 10); /* saturating conversions, bulk */
    assert_int_equal(count_range(0x200, 0x300), 236);    /* vectors */
    assert_int_equal(count_range(0x300, OPCODE_LIMIT), 0);
}

static void names_are_unique(void **state) {
    (void)state;
    for (uint32_t a = 0; a < OPCODE_LIMIT; a++)
        for (uint32_t b = a + 1; cn_op_info[a].name && b < OPCODE_LIMIT; b++)
            if (cn_op_info[b].name && (a != OP_select || b != OP_select_t))
                assert_string_not_equal(cn_op_info[a].name, cn_op_info[b].name);
}

/* The part of the name before the dot is the type of the result, or of what is compared or stored.
 */
static void types_fit_names(void **state) {
    (void)state;
    static const struct {
        const char *prefix;
        uint8_t type;
    } prefixes[] = {{"i32.", OPT_I32}, {"i64.", OPT_I64}, {"f32.", OPT_F32}, {"f64.", OPT_F64}};
    for (uint32_t op = 0; op < OPCODE_LIMIT; op++)
        for (size_t i = 0; cn_op_info[op].name && i < 4; i++) {
            const struct op_info *info = &cn_op_info[op];
            if (strncmp(info->name, prefixes[i].prefix, 4) != 0 || info->result == prefixes[i].type)
                continue;
            assert_true(info->operand_count > 0);
            assert_int_equal(info->operands[info->operand_count - 1], prefixes[i].type);
            assert_true(info->result == OPT_NOTHING || info->result == OPT_I32);
        }
}

static void operands_are_counted(void **state) {
    (void)state;
    for (uint32_t op = 0; op < OPCODE_LIMIT; op++)
        for (uint8_t i = 0; i < 3; i++)
            assert_int_equal(cn_op_info[op].operands[i] != OPT__, i < cn_op_info[op].operand_count);
    assert_int_equal(cn_op_info[OP_nop].operand_count, 0);
    assert_int_equal(cn_op_info[OP_i32_eqz].operand_count, 1);
    assert_int_equal(cn_op_info[OP_i64_store].operands[1], OPT_I64);
    assert_int_equal(cn_op_info[OP_v128_bitselect].operand_count, 3);
}

static void features_have_names(void **state) {
    (void)state;
    for (uint32_t op = 0; op < OPCODE_LIMIT; op++) {
        uint64_t feature = cn_op_info[op].feature;
        assert_int_equal(feature & ~CATNAP_FEATURES_WASM2, 0);
        assert_int_equal(feature & (feature - 1), 0);
    }
    for (uint64_t feature = 1; feature & CATNAP_FEATURES_WASM2; feature <<= 1)
        assert_string_not_equal(cn_feature_name(feature), cn_feature_name(0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_whole),  cmocka_unit_test(names_are_unique),
        cmocka_unit_test(types_fit_names),     cmocka_unit_test(operands_are_counted),
        cmocka_unit_test(features_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
