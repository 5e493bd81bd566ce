#include "../support/module.h"

#include "base/error.h"
#include "base/escape.h"

static void expect(catnap_escape_t form, const char *text, size_t length, const char *escaped) {
    char out[256];
    char *copy = malloc(length ? length : 1); /* exact, for the sanitizer */
    assert_non_null(copy);
    memcpy(copy, text, length);
    assert_int_equal(catnap_escape(form, copy, length, out, sizeof out), strlen(escaped));
    assert_string_equal(out, escaped);
    free(copy);
}

static const struct {
    const char *text, *as_text, *as_json;
} cases[] = {
    {"", "", ""},
    {"plain", "plain", "plain"},
    {"na\xC3\xAFve \xE6\x97\xA5 \xF0\x9F\x98\x80", "na\xC3\xAFve \xE6\x97\xA5 \xF0\x9F\x98\x80",
     "na\xC3\xAFve \xE6\x97\xA5 \xF0\x9F\x98\x80"},
    {"a\"b\\c", "a\"b\\c", "a\\\"b\\\\c"},
    {"a\nb\r\t", "a\\0ab\\0d\\09", "a\\u000ab\\u000d\\u0009"},
    {"\x1B[31m\x7F", "\\1b[31m\\7f", "\\u001b[31m\\u007f"},
    {"\xC2\x9B", "\\c2\\9b", "\\u009b"},  /* U+009B, C1 */
    {"\xC2\xA0", "\xC2\xA0", "\xC2\xA0"}, /* U+00A0, the next after C1 */
    {"\xE2\x80\xA8\xE2\x80\xA9", "\\e2\\80\\a8\\e2\\80\\a9", "\\u2028\\u2029"},
    {"\xE2\x80\xAE"
     "x",
     "\\e2\\80\\aex", "\\u202ex"},                    /* U+202E */
    {"\xE2\x80\xAF", "\xE2\x80\xAF", "\xE2\x80\xAF"}, /* U+202F, the next after it */
    {"\xE2\x81\xA6\xE2\x81\xA9", "\\e2\\81\\a6\\e2\\81\\a9", "\\u2066\\u2069"},
    {"\xD8\x9C", "\\d8\\9c", "\\u061c"},
    {"\xE2\x80\x8B\xEF\xBB\xBF", "\\e2\\80\\8b\\ef\\bb\\bf", "\\u200b\\ufeff"},
    {"\xF3\xA0\x80\x81", "\\f3\\a0\\80\\81", "\\udb40\\udc01"},   /* U+E0001 */
    {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"}, /* U+10FFFF */
    {"\xFF\x41\xE2\x80", "\\ffA\\e2\\80", "\\ufffdA\\ufffd\\ufffd"},
    {"\xED\xA0\x80", "\\ed\\a0\\80", "\\ufffd\\ufffd\\ufffd"},
};

static void texts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect(CATNAP_ESCAPE_TEXT, cases[i].text, strlen(cases[i].text), cases[i].as_text);
        expect(CATNAP_ESCAPE_JSON, cases[i].text, strlen(cases[i].text), cases[i].as_json);
    }
    expect(CATNAP_ESCAPE_TEXT, "a\0b", 3, "a\\00b");
    expect(CATNAP_ESCAPE_JSON, "a\0b", 3, "a\\u0000b");
}

/* Every code point comes out as it is or is escaped; all that is escaped is valid and ASCII. */
static void every_code_point(void **state) {
    (void)state;
    size_t escaped = 0;
    for (uint32_t code = 0x800; code < 0x110000; code++) {
        char text[4], out[32];
        size_t length = code < 0x10000 ? 3 : 4;
        text[0] = (char)(length == 3 ? 0xE0 | code >> 12 : 0xF0 | code >> 18);
        for (size_t i = 1; i < length; i++)
            text[i] = (char)(0x80 | ((code >> (6 * (length - 1 - i))) & 0x3F));
        size_t size = catnap_escape(CATNAP_ESCAPE_TEXT, text, length, out, sizeof out);
        bool same = size == length && memcmp(out, text, length) == 0;
        bool surrogate = code >= 0xD800 && code < 0xE000;
        assert_true(same || size == 3 * length);
        if (surrogate)
            assert_false(same);
        escaped += !same && !surrogate;
    }
    /* 180E, 200B to 200F, 2028 to 202E, 2060 to 206F, FEFF, FFF9 to FFFB, E0000 to E0FFF */
    assert_int_equal(escaped, 1 + 5 + 7 + 16 + 1 + 3 + 4096);
}

static void cut_between_characters(void **state) {
    (void)state;
    char out[16];
    memset(out, 'x', sizeof out);
    assert_int_equal(catnap_escape(CATNAP_ESCAPE_TEXT, "ab\nc", 4, out, 4), 6);
    assert_string_equal(out, "ab");
    assert_int_equal(catnap_escape(CATNAP_ESCAPE_TEXT, "ab\xC3\xA9z", 5, out, 4), 5);
    assert_string_equal(out, "ab");
    assert_int_equal(catnap_escape(CATNAP_ESCAPE_TEXT, "abc", 3, out, 4), 3);
    assert_string_equal(out, "abc");
    assert_int_equal(catnap_escape(CATNAP_ESCAPE_TEXT, "abc", 3, out, 1), 3);
    assert_string_equal(out, "");
    assert_int_equal(catnap_escape(CATNAP_ESCAPE_TEXT, "a\nc", 3, NULL, 0), 5);
}

/* A name that enters a message cannot begin a line, nor end in half a character. */
static void messages_are_one_line(void **state) {
    (void)state;
    struct error error;
    cn_fail(&error, CATNAP_LINK, "unknown import \"%s\"", "x\ncatnap: verified\xE2\x80\xAE");
    assert_string_equal(error.message, "unknown import \"x\\0acatnap: verified\\e2\\80\\ae\"");
    char name[600];
    for (size_t shift = 0; shift < 2; shift++) {
        memset(name, 'n', sizeof name);
        for (size_t i = shift; i + 2 < sizeof name; i += 2)
            memcpy(name + i, "\xC3\xA9", 2);
        name[sizeof name - 2] = '\0';
        cn_fail(&error, CATNAP_LINK, "%s", name);
        size_t length = strlen(error.message);
        assert_in_range(length, sizeof error.message - 3, sizeof error.message - 1);
        assert_memory_equal(error.message, name, length);
        assert_null(strchr(error.message, '\\'));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(cut_between_characters),
        cmocka_unit_test(messages_are_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
