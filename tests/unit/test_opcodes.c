#include "../support/module.h"

#include "binary/instruction.h"
#include "catnap.h"
#include "opcode.h"

static size_t count_range(uint32_t from, uint32_t to) {
    size_t count = 0;
    for (uint32_t op = from; op < to; op++)
        count += cn_op_name(&cn_op_info[op]) != NULL;
    return count;
}

static void the_table_is_whole(void **state) {
    (void)state;
    /* first version, sign extension, references, exceptions in both forms, typed references, tail calls, both,
     * ref.eq */
    assert_int_equal(count_range(0, 0x100), 172 + 5 + 6 + 3 + 5 + 4 + 2 + 1 + 1);
    /* saturating conversions, bulk, wide arithmetic */
    assert_int_equal(count_range(OPCODE_FC, OPCODE_FD), 8 + 10 + 4);
    assert_int_equal(count_range(OPCODE_FD, OPCODE_FE), 236 + 20);  /* vectors, relaxed ones */
    assert_int_equal(count_range(OPCODE_FE, OPCODE_FB), 4 + 9 * 7); /* atomics */
    assert_int_equal(count_range(OPCODE_FB, OPCODE_LIMIT), 31);     /* structures, arrays, casts */
}

static void names_are_unique(void **state) {
    (void)state;
    for (uint32_t a = 0; a < OPCODE_LIMIT; a++)
        for (uint32_t b = a + 1; cn_op_name(&cn_op_info[a]) && b < OPCODE_LIMIT; b++)
            if (cn_op_name(&cn_op_info[b]) && (a != OP_select || b != OP_select_t))
                assert_string_not_equal(cn_op_name(&cn_op_info[a]), cn_op_name(&cn_op_info[b]));
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
        for (size_t i = 0; cn_op_name(&cn_op_info[op]) && i < 4; i++) {
            const struct op_info *info = &cn_op_info[op];
            if (strncmp(cn_op_name(info), prefixes[i].prefix, 4) != 0 ||
                info->result == prefixes[i].type || (info->flags & OPF_TWO_I64))
                continue;
            assert_true(info->operand_count > 0);
            assert_int_equal(info->operands[info->operand_count - 1], prefixes[i].type);
            assert_true(info->result == OPT_NOTHING || info->result == OPT_I32);
        }
}

static void operands_are_counted(void **state) {
    (void)state;
    for (uint32_t op = 0; op < OPCODE_LIMIT; op++)
        for (uint8_t i = 0; i < 4; i++)
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
        assert_int_equal(feature & ~CATNAP_FEATURES_ALL, 0);
        if (op != OP_return_call_ref) /* which needs two */
            assert_int_equal(feature & (feature - 1), 0);
    }
    for (uint64_t feature = 1; feature; feature <<= 1)
        if (feature & CATNAP_FEATURES_ALL)
            assert_string_not_equal(cn_feature_name(feature), cn_feature_name(0));
}

/* Bytes that the table knows are read by both readers, as far as they go; no others are. */
static void opcodes_are_read(void **state) {
    (void)state;
    size_t known = 0;
    for (uint32_t op = 0; op < OPCODE_LIMIT; op++) {
        struct bytes b = {0};
        uint32_t found = UINT32_MAX;
        put_opcode(&b, op);
        struct reader r = {b.data, b.data + b.size};
        const uint8_t *at = b.data;
        bool is_prefix = op < OPCODE_FC && cn_prefix((uint8_t)op).byte;
        assert_int_equal(cn_read_opcode(&r, &found), cn_op_name(&cn_op_info[op]) != NULL);
        if (cn_op_name(&cn_op_info[op])) {
            assert_false(is_prefix);
            assert_int_equal(found, op);
            assert_ptr_equal(r.at, b.data + b.size);
            assert_int_equal(cn_opcode_valid(&at), op);
            assert_ptr_equal(at, b.data + b.size);
            for (size_t cut = 0; cut < b.size; cut++) {
                r = (struct reader){b.data, b.data + cut};
                assert_false(cn_read_opcode(&r, &found));
            }
            known++;
        }
        free(b.data);
    }
    assert_int_equal(known, count_range(0, OPCODE_LIMIT));
}

static void numbers_behind_prefixes_are_bounded(void **state) {
    (void)state;
    static const uint8_t padded[] = {0xFC, 0x88, 0x80, 0x80, 0x80, 0x00}, /* memory.init */
        next_prefix[] = {0xFC, OPCODE_FD - OPCODE_FC + 12},               /* would be v128.const */
        large[] = {0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F},
                         malformed[] = {0xFC, 0x88, 0x80, 0x80, 0x80, 0x80, 0x00};
    uint32_t opcode;
    struct reader r = {padded, padded + sizeof padded};
    assert_true(cn_read_opcode(&r, &opcode));
    assert_int_equal(opcode, OP_memory_init);
    assert_ptr_equal(r.at, r.end);
    r = (struct reader){next_prefix, next_prefix + sizeof next_prefix};
    assert_false(cn_read_opcode(&r, &opcode));
    r = (struct reader){large, large + sizeof large};
    assert_false(cn_read_opcode(&r, &opcode));
    r = (struct reader){malformed, malformed + sizeof malformed};
    assert_false(cn_read_opcode(&r, &opcode));
}

/* Immediates that the decoder reads have the length by which they are skipped once they are valid. */
static void immediates_are_skipped_as_they_are_decoded(void **state) {
    (void)state;
    static const uint8_t some[] = {0x00, 0x01, 0x02, 0x08, 0x40, 0x6E,
                                   0x70, 0x7F, 0x80, 0x81, 0xFF};
    uint32_t x = 1;
    for (uint32_t op = 0; op < OPCODE_LIMIT; op++) {
        uint32_t decoded = 0;
        for (uint32_t round = 0; cn_op_name(&cn_op_info[op]) && round < 2000; round++) {
            struct bytes b = {0};
            struct error error;
            struct instruction in;
            put_opcode(&b, op);
            for (uint32_t i = 0; i < 64; i++, x = x * 1103515245 + 12345)
                put(&b, some[(x >> 16) % (round % 2 ? sizeof some : 4)]);
            struct decoder d = {.r = {b.data, b.data + b.size},
                                .base = b.data,
                                .features = UINT64_MAX,
                                .error = &error};
            if (cn_decode_instruction(&d, &in)) {
                const uint8_t *at = b.data;
                assert_int_equal(cn_opcode_valid(&at), op);
                cn_skip_immediates(&at, (enum opcode)op);
                assert_ptr_equal(at, d.r.at);
                decoded++;
            }
            free(b.data);
        }
        assert_true(!cn_op_name(&cn_op_info[op]) || decoded > 0);
    }
}

/* Flags that contradict one another or what else a row says. */
static void flags_fit(void **state) {
    (void)state;
    for (uint32_t op = 0; op < OPCODE_LIMIT; op++) {
        const struct op_info *info = &cn_op_info[op];
        unsigned flags = info->flags;
        if (flags & (OPF_NO_NEXT | OPF_BULK))
            assert_true(flags & OPF_ENDS);
        assert_int_equal((flags & OPF_CALLS) != 0,
                         op == OP_call || op == OP_call_indirect || op == OP_call_ref);
        if (flags & OPF_CALLS) /* which says so already */
            assert_false(flags & OPF_ENDS);
        if (flags & OPF_PIECES)
            assert_true(flags & OPF_BULK);
        if ((flags & OPF_PIECES) && info->result != OPT_SPECIAL)
            assert_true(info->operand_count == 3 && info->result == OPT_NOTHING);
        if (flags & OPF_WAITS) {
            assert_true(info->operand_count == 3 && info->result == OPT_I32);
            assert_true(flags & OPF_ENDS);
        }
        if (flags & OPF_GIVES_NAN32)
            assert_true(info->result == OPT_F32 || info->result == OPT_V128);
        if (flags & OPF_GIVES_NAN64)
            assert_true(info->result == OPT_F64 || info->result == OPT_V128);
        assert_true((flags & OPF_GIVES_NAN) != OPF_GIVES_NAN);
        if (flags & (OPF_TAKES_NAN32 | OPF_TAKES_NAN64)) {
            uint8_t scalar = flags & OPF_TAKES_NAN32 ? OPT_F32 : OPT_F64;
            assert_true(info->operands[0] == scalar || info->operands[0] == OPT_V128);
        }
        if (flags & OPF_TWO_I64)
            assert_true(info->result == OPT_SPECIAL && info->operand_count >= 2);
        if (flags & OPF_CONSTANT)
            assert_int_equal(info->operand_count, 0);
        if (info->immediate == IMM_BLOCK)
            assert_true(flags & OPF_OPENS);
        if ((info->immediate == IMM_LABEL && op != OP_delegate) || info->immediate == IMM_BR_TABLE)
            assert_true(flags & OPF_ENDS);
        assert_false((flags & OPF_CONSTANT) && (flags & OPF_EXTENDED));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_whole),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(types_fit_names),
        cmocka_unit_test(operands_are_counted),
        cmocka_unit_test(features_have_names),
        cmocka_unit_test(opcodes_are_read),
        cmocka_unit_test(numbers_behind_prefixes_are_bounded),
        cmocka_unit_test(immediates_are_skipped_as_they_are_decoded),
        cmocka_unit_test(flags_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
