/* The lengths of instructions that vector code finds: those that the decoder says, or 0, in every form. */
#include "binary/lengths.c"

#include "binary/instruction.h"
#include "../support/module.h"
#include "opcode.h"

#define FORMS 3u

/* The forms that this processor can execute, and how many. */
static uint32_t forms(find_lengths found[FORMS]) {
    uint32_t count = 0;
    found[count++] = lengths16;
#if WIDER_FORMS
    if (__builtin_cpu_supports("avx2"))
        found[count++] = lengths32;
    if (__builtin_cpu_supports("avx512bw"))
        found[count++] = lengths64;
#endif
    return count;
}

/* The length of the instruction at the beginning of some bytes, or 0 when it is malformed. */
static size_t decode(const uint8_t *bytes, size_t size) {
    struct error error;
    struct instruction in;
    struct decoder d = {
        .r = {bytes, bytes + size}, .base = bytes, .features = UINT64_MAX, .error = &error};
    return cn_decode_instruction(&d, &in) ? (size_t)(d.r.at - bytes) : 0;
}

/* The same whatever a block type of a byte, an alignment or a reserved byte is, which the length does not depend
 * on. */
static size_t decoded_length(const uint8_t *bytes, size_t size) {
    uint8_t copy[LENGTHS_WIDEST];
    bool opens = bytes[0] >= OP_block && bytes[0] <= OP_if_;
    size_t length = opens && is_long_reftype(bytes[1]) ? 0 : decode(bytes, size);
    if (length != 0 || bytes[1] >= 0x80)
        return length;
    memcpy(copy, bytes, size < sizeof copy ? size : sizeof copy);
    copy[1] = opens ? 0x40 : 0;
    return decode(copy, size < sizeof copy ? size : sizeof copy);
}

static void check(const uint8_t *bytes, size_t size, uint8_t length) {
    size_t true_length = decoded_length(bytes, size);
    if (length != 0 && (length & (uint8_t)~LENGTH_SPECIAL) != true_length)
        fail_msg("%02x %02x %02x %02x %02x %02x %02x: %u instead of %zu", bytes[0], bytes[1],
                 bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], length, true_length);
}

/* Each opcode before up to six bytes that continue a number and every last byte. */
static void lengths_are_those_of_the_decoder(void **state) {
    (void)state;
    static const uint8_t behind[] = {0x00, 0x7F, 0x80, 0xFF, 0x0B, 0x08, 0x78};
    find_lengths find[FORMS];
    uint32_t count = forms(find), known = 0;
    uint8_t bytes[LENGTHS_WIDEST + LENGTHS_READ_BEHIND], lengths[LENGTHS_WIDEST];
    for (uint32_t opcode = 0; opcode < 256; opcode++) {
        for (uint32_t numbers = 0; numbers < 6 * 256 * sizeof behind; numbers++) {
            uint32_t continued = numbers / 256 % 6;
            memset(bytes, behind[numbers / (6 * 256)], sizeof bytes);
            bytes[0] = (uint8_t)opcode;
            for (uint32_t i = 0; i < continued; i++)
                bytes[1 + i] = 0x80 | (uint8_t)(numbers * 37 >> i);
            bytes[1 + continued] = (uint8_t)numbers;
            for (uint32_t form = 0; form < count; form++) {
                find[form](lengths, bytes, 1);
                check(bytes, sizeof bytes, lengths[0]);
                known += lengths[0] != 0;
            }
        }
    }
    assert_true(known > 100000);
}

/* Whether vectors find the length of an instruction with these immediates, where they are all 0. */
static bool is_found(enum opcode opcode) {
    switch ((enum immediate)cn_op_info[opcode].immediate) {
    case IMM_NONE:
        return opcode != OP_else_ && opcode != OP_ref_is_null && opcode != OP_ref_eq &&
               opcode != OP_ref_as_non_null && opcode != OP_throw_ref && opcode != OP_catch_all;
    case IMM_LABEL:
        return opcode == OP_br || opcode == OP_br_if;
    case IMM_FUNC:
        return opcode == OP_call;
    case IMM_BLOCK:
        return opcode != OP_try_;
    case IMM_LOCAL:
    case IMM_GLOBAL:
    case IMM_I32:
    case IMM_I64:
    case IMM_F32:
    case IMM_F64:
    case IMM_MEMORY:
    case IMM_MEM0:
    case IMM_MEM1:
    case IMM_MEM2:
    case IMM_MEM3:
        return true;
    default:
        return false;
    }
}

static bool is_marked(enum opcode opcode) {
    return opcode == OP_call || opcode == OP_drop || opcode == OP_select || opcode == OP_return_ ||
           opcode == OP_global_get || opcode == OP_global_set;
}

/* The ranges of opcodes in lengths.inc have exactly the instructions that the opcode table describes so, and
 * no opcode behind a prefix. */
static void each_opcode_of_the_table_is_found_or_not(void **state) {
    (void)state;
    find_lengths find[FORMS];
    uint32_t count = forms(find);
    for (uint32_t opcode = 0; opcode < OPCODE_LIMIT; opcode++) {
        if (opcode < OPCODE_FC ? cn_prefix((uint8_t)opcode).byte != 0
                               : !cn_op_name(&cn_op_info[opcode]))
            continue;
        struct bytes b = {0};
        uint8_t bytes[LENGTHS_WIDEST + LENGTHS_READ_BEHIND] = {0}, lengths[LENGTHS_WIDEST];
        put_opcode(&b, opcode);
        memcpy(bytes, b.data, b.size);
        free(b.data);
        bool found =
            cn_op_name(&cn_op_info[opcode]) && opcode < OPCODE_FC && is_found((enum opcode)opcode);
        size_t length = found ? decoded_length(bytes, sizeof bytes) : 0;
        if (found && is_marked((enum opcode)opcode))
            length |= LENGTH_SPECIAL;
        for (uint32_t form = 0; form < count; form++) {
            find[form](lengths, bytes, 1);
            if (lengths[0] != length)
                fail_msg("opcode 0x%x: %u instead of %zu", opcode, lengths[0], length);
        }
    }
}

/* An alignment of one byte before offsets of any length. */
static void lengths_of_accesses(void **state) {
    (void)state;
    find_lengths find[FORMS];
    uint32_t count = forms(find);
    uint8_t bytes[LENGTHS_WIDEST + LENGTHS_READ_BEHIND] = {0}, lengths[LENGTHS_WIDEST];
    for (uint32_t opcode = 0x28; opcode <= 0x3E; opcode++) {
        for (uint32_t numbers = 0; numbers < 6 * 256; numbers++) {
            uint32_t continued = numbers / 256;
            bytes[0] = (uint8_t)opcode;
            bytes[1] = 2;
            memset(bytes + 2, 0x85, continued);
            bytes[2 + continued] = (uint8_t)numbers;
            for (uint32_t form = 0; form < count; form++) {
                find[form](lengths, bytes, 1);
                check(bytes, sizeof bytes, lengths[0]);
                if (continued < 4 && (uint8_t)numbers < 0x80)
                    assert_int_equal(lengths[0], 3 + continued);
            }
        }
    }
}

/* All forms find the same, at every place of a vector, and nothing behind what was asked for is written but
 * up to the end of a vector. */
static void all_forms_agree(void **state) {
    (void)state;
    find_lengths find[FORMS];
    uint32_t count = forms(find), x = 1;
    uint8_t bytes[512 + LENGTHS_READ_BEHIND], lengths[FORMS][512 + 1];
    for (uint32_t round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            x = x * 1103515245 + 12345;
            bytes[i] = (uint8_t)(x >> 16 & (x >> 30 ? 0xFF : 0x87));
        }
        size_t size = 1 + x % 512,
               whole = (size + LENGTHS_WIDEST - 1) / LENGTHS_WIDEST * LENGTHS_WIDEST;
        for (uint32_t form = 0; form < count; form++) {
            memset(lengths[form], 0xEE, sizeof lengths[form]);
            find[form](lengths[form], bytes, size);
            assert_memory_equal(lengths[0], lengths[form], size);
            assert_int_equal(lengths[form][whole], 0xEE);
        }
        for (size_t i = 0; i < size; i++)
            check(bytes + i, sizeof bytes - i, lengths[0][i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_those_of_the_decoder),
        cmocka_unit_test(each_opcode_of_the_table_is_found_or_not),
        cmocka_unit_test(lengths_of_accesses),
        cmocka_unit_test(all_forms_agree),
    };
    return cmocka_run_group_tests_name("unit/lengths", tests, NULL, NULL);
}
