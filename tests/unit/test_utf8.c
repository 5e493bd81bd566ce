#include "../support/module.h"

#include "base/utf8.h"

static bool valid(const char *text) {
    size_t length = strlen(text);
    uint8_t *copy = malloc(length ? length : 1); /* exact, for the sanitizer */
    assert_non_null(copy);
    memcpy(copy, text, length);
    bool result = cn_utf8_valid(copy, length);
    free(copy);
    return result;
}

static void accepts_what_is_well_formed(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "a",
        "plain ascii that is longer than a word",
        "\x7F",
        "\xC2\x80",
        "\xDF\xBF",
        "\xE0\xA0\x80",
        "\xED\x9F\xBF",
        "\xEE\x80\x80",
        "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80",
        "\xF4\x8F\xBF\xBF",
        "seven77\xC3\xA9 and then some more ascii",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_true(valid(texts[i]));
    assert_true(cn_utf8_valid((const uint8_t *)"a\0b", 3));
}

static void refuses_what_is_not(void **state) {
    (void)state;
    static const char *const texts[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC2",
        "\xC2\x7F",
        "\xC2\xC0",
        "\xE0\x9F\xBF",
        "\xE0\xA0",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xE1\x80\x7F",
        "\xE1\x80\xC0",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF0\x90\x80",
        "\xF1\x80\x80\xC0",
        "\xF5\x80\x80\x80",
        "\xFE",
        "\xFF",
        "twelve ascii\x80",
        "longer ascii text \xE2\x82",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(valid(texts[i]));
}

/* Every code point, encoded here by the book, is accepted unless it is a surrogate. */
static void agrees_on_every_code_point(void **state) {
    (void)state;
    for (uint32_t c = 0x80; c < 0x110000; c++) {
        uint8_t bytes[4];
        size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (size_t i = n; i-- > 1;)
            bytes[i] = (uint8_t)(0x80 | ((c >> (6 * (n - 1 - i))) & 0x3F));
        bytes[0] = (uint8_t)((n == 2 ? 0xC0 : n == 3 ? 0xE0 : 0xF0) | (c >> (6 * (n - 1))));
        assert_int_equal(cn_utf8_valid(bytes, n), c < 0xD800 || c > 0xDFFF);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_is_well_formed),
        cmocka_unit_test(refuses_what_is_not),
        cmocka_unit_test(agrees_on_every_code_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
