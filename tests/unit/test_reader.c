#include "../support/module.h"

#include "binary/reader.h"

/* The outcome of reading: the value, or why not, and how much was consumed. */
enum outcome { GOOD, ENDS, TOO_LONG };

struct number {
    const char *bytes; /* hexadecimal */
    enum outcome outcome;
    int64_t value;
};

static size_t from_hex(const char *hex, uint8_t *bytes) {
    size_t n = 0;
    for (; hex[0]; hex += 2)
        bytes[n++] = (uint8_t)strtoul((char[3]){hex[0], hex[1], 0}, NULL, 16);
    return n;
}

static bool read_as(char kind, struct reader *r, int64_t *value, bool *too_long) {
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    int32_t s32 = 0;
    bool good = false;
    switch (kind) {
    case 'u':
        good = cn_read_u32(r, &u32, too_long);
        *value = u32;
        break;
    case 'U':
        good = cn_read_u64_slow(r, &u64, too_long);
        *value = (int64_t)u64;
        break;
    case 's':
        good = cn_read_s32_slow(r, &s32, too_long);
        *value = s32;
        break;
    case 'b':
        good = cn_read_s33_slow(r, value, too_long);
        break;
    default:
        good = cn_read_s64_slow(r, value, too_long);
        break;
    }
    return good;
}

static void check(char kind, const struct number *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint8_t scratch[32];
        size_t n = from_hex(numbers[i].bytes, scratch);
        uint8_t *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, scratch, n);
        struct reader r = {exact, exact + n};
        int64_t value = 0;
        bool too_long = false;
        bool good = read_as(kind, &r, &value, &too_long);
        assert_int_equal(good, numbers[i].outcome == GOOD);
        if (good) {
            assert_true(value == numbers[i].value);
            assert_ptr_equal(r.at, r.end);
        } else {
            assert_int_equal(too_long, numbers[i].outcome == TOO_LONG);
            assert_ptr_equal(r.at, exact);
        }
        free(exact);
    }
}
#define CHECK(kind, numbers) check(kind, numbers, sizeof(numbers) / sizeof(*(numbers)))

static void unsigned_numbers(void **state) {
    (void)state;
    static const struct number u32[] = {
        {"00", GOOD, 0},
        {"7f", GOOD, 127},
        {"8001", GOOD, 128},
        {"8000", GOOD, 0},
        {"ffffffff0f", GOOD, UINT32_MAX},
        {"8080808000", GOOD, 0},
        {"e58e26", GOOD, 624485},
        {"", ENDS, 0},
        {"80", ENDS, 0},
        {"80808080", ENDS, 0},
        {"ffffffff10", TOO_LONG, 0},
        {"8080808070", TOO_LONG, 0},
        {"808080808000", TOO_LONG, 0},
        {"8080808080", TOO_LONG, 0},
    };
    static const struct number u64[] = {
        {"00", GOOD, 0},
        {"ffffffffffffffffff01", GOOD, -1},
        {"80808080808080808000", GOOD, 0},
        {"8080808080808080", ENDS, 0},
        {"80808080808080808002", TOO_LONG, 0},
        {"ffffffffffffffffff7f", TOO_LONG, 0},
        {"8080808080808080808000", TOO_LONG, 0},
    };
    CHECK('u', u32);
    CHECK('U', u64);
}

static void signed_numbers(void **state) {
    (void)state;
    static const struct number s32[] = {
        {"00", GOOD, 0},
        {"7f", GOOD, -1},
        {"3f", GOOD, 63},
        {"40", GOOD, -64},
        {"c000", GOOD, 64},
        {"ff7f", GOOD, -1},
        {"ffffffff07", GOOD, INT32_MAX},
        {"8080808078", GOOD, INT32_MIN},
        {"ffffffff7f", GOOD, -1},
        {"8080808000", GOOD, 0},
        {"", ENDS, 0},
        {"ff", ENDS, 0},
        {"ffffffff0f", TOO_LONG, 0},
        {"8080808008", TOO_LONG, 0},
        {"8080808070", TOO_LONG, 0},
        {"ffffffff4f", TOO_LONG, 0},
        {"808080808000", TOO_LONG, 0},
        {"ffffffffff7f", TOO_LONG, 0},
    };
    static const struct number s33[] = {
        {"40", GOOD, -64},
        {"ffffffff0f", GOOD, 4294967295},
        {"8080808070", GOOD, -4294967296},
        {"ffffffff7f", GOOD, -1},
        {"8080808010", TOO_LONG, 0},
        {"ffffffff6f", TOO_LONG, 0},
        {"80808080", ENDS, 0},
    };
    static const struct number s64[] = {
        {"7f", GOOD, -1},
        {"ffffffffffffffffff00", GOOD, INT64_MAX},
        {"8080808080808080807f", GOOD, INT64_MIN},
        {"ffffffffffffffffff7f", GOOD, -1},
        {"ffffffffffffffffff01", TOO_LONG, 0},
        {"8080808080808080807e", TOO_LONG, 0},
        {"8080808080808080808000", TOO_LONG, 0},
        {"ffffffffffffffffff", ENDS, 0},
    };
    CHECK('s', s32);
    CHECK('b', s33);
    CHECK('S', s64);
}

/* Numbers in their shortest and in padded forms read the same with and without checks. */
static void checked_and_unchecked_agree(void **state) {
    (void)state;
    uint64_t value = 1;
    for (int i = 0; i < 20000; i++) {
        value = value * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t wanted = value >> (value & 63);
        struct bytes b = {0};
        put_u(&b, wanted);
        struct reader r = {b.data, b.data + b.size};
        uint64_t u64;
        bool too_long;
        const uint8_t *at = b.data;
        assert_true(cn_read_u64_slow(&r, &u64, &too_long));
        assert_true(u64 == wanted && cn_u64_valid(&at) == wanted && at == r.end);
        if (wanted <= UINT32_MAX) {
            uint32_t u32;
            at = b.data;
            r.at = b.data;
            assert_true(cn_read_u32(&r, &u32, &too_long));
            assert_true(u32 == wanted && cn_u32_valid(&at) == wanted);
        }
        int64_t s64;
        at = r.at = b.data; /* the same bytes, as a signed number */
        if (cn_read_s64_slow(&r, &s64, &too_long))
            assert_true(cn_s64_valid(&at) == s64 && at == r.at);
        int32_t s32;
        at = r.at = b.data;
        if (cn_read_s32_slow(&r, &s32, &too_long))
            assert_true(cn_s32_valid(&at) == s32 && at == r.at);
        drop_bytes(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(checked_and_unchecked_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
