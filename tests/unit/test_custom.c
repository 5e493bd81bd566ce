/* Custom sections that the specification knows: names, and hints of which way branches go. A wrong one leaves a module
 * valid. */
#include "load.h"

#define HINTS "metadata.code.branch_hint"

/* The module of a type, an imported function and one with a `br_if` at 7 and an `if` at 11 of its body; with the custom
 * section of that name before the section of id `before` (0: at the end), and once more. */
static struct bytes module_with(const char *name, const uint8_t *content, size_t size,
                                uint8_t before, bool twice) {
    static const uint8_t parts[][24] = {
        {1, 5, 1, 0x60, 1, 0x7F, 0},
        {2, 6, 1, 1, 'a', 0, 0, 0},
        {3, 2, 1, 0},
        {10, 18,   1, 16,   1, 1,    0x7F, 0x02, 0x40, 0x20,
         0,  0x0D, 0, 0x20, 0, 0x04, 0x40, 0x0B, 0x0B, 0x0B},
        {11, 1, 0},
    };
    struct bytes b = {0}, custom = {0};
    put_name(&custom, name);
    put_bytes(&custom, content, size);
    put_preamble(&b);
    for (size_t i = 0; i <= sizeof parts / sizeof *parts; i++) {
        bool end = i == sizeof parts / sizeof *parts;
        if (end ? before == 0 : parts[i][0] == before)
            for (unsigned times = 0; times < 1u + twice; times++) {
                struct bytes copy = {0};
                put_bytes(&copy, custom.data, custom.size);
                put_section(&b, 0, &copy);
            }
        if (!end)
            put_bytes(&b, parts[i], (size_t)parts[i][1] + 2);
    }
    drop_bytes(&custom);
    return b;
}

static void check(const char *name, uint8_t before, bool twice, const char *wrong,
                  const uint8_t *content, size_t size) {
    struct loader l;
    struct bytes b = module_with(name, content, size, before, twice);
    loader_init(&l);
    struct module *m = load_in_place(&l, b.data, b.size);
    if (!m)
        fail_msg("%s", l.error.message);
    struct error error = {.status = CATNAP_OK};
    bool good = cn_check_custom_sections(m, &error);
    if (good != !wrong || (wrong && !strstr(error.message, wrong)))
        fail_msg("expected \"%s\", found \"%s\"", wrong ? wrong : "", error.message);
    if (!good)
        assert_true(error.offset <= b.size);
    cn_module_release(m);
    loader_destroy(&l);
    drop_bytes(&b);
}
#define CHECK(name, before, twice, wrong, ...)                                                     \
    check(name, before, twice, wrong, (const uint8_t[]){__VA_ARGS__},                              \
          sizeof((const uint8_t[]){__VA_ARGS__}))
#define NAMES(...) CHECK("name", 0, false, NULL, __VA_ARGS__)
#define BAD_NAMES(wrong, ...) CHECK("name", 0, false, wrong, __VA_ARGS__)

static void names(void **state) {
    (void)state;
    NAMES(0, 2, 1, 'm');
    NAMES(1, 7, 2, 0, 1, 'f', 1, 1, 'g');
    NAMES(2, 9, 1, 1, 2, 0, 1, 'x', 1, 1, 'y');
    NAMES(0, 2, 1, 'm', 4, 4, 1, 0, 1, 't', 0x70, 2, 9, 9); /* a later subsection is not known */
    BAD_NAMES("unexpected end", 0, 3, 1, 'm');
    BAD_NAMES("size mismatch", 0, 3, 1, 'm', 0);
    BAD_NAMES("subsections out of order", 1, 1, 0, 0, 2, 1, 'm');
    BAD_NAMES("subsections out of order", 0, 2, 1, 'm', 0, 2, 1, 'm');
    BAD_NAMES("unknown index", 1, 4, 1, 2, 1, 'f');
    BAD_NAMES("indices out of order", 1, 7, 2, 1, 1, 'f', 0, 1, 'g');
    BAD_NAMES("indices out of order", 1, 7, 2, 1, 1, 'f', 1, 1, 'g');
    BAD_NAMES("malformed UTF-8", 0, 2, 1, 0xFF);
    BAD_NAMES("items are declared", 1, 5, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F);
    CHECK("name", 11, false, "out of order", 0, 2, 1, 'm');
    CHECK("name", 0, true, "twice", 0, 2, 1, 'm');
    CHECK("Name", 1, true, NULL, 0xFF); /* any other may be anything */
}

#define HINT(...) CHECK(HINTS, 10, false, NULL, __VA_ARGS__)
#define BAD_HINT(wrong, ...) CHECK(HINTS, 10, false, wrong, __VA_ARGS__)

static void hints(void **state) {
    (void)state;
    HINT(0);
    HINT(1, 1, 1, 7, 1, 0);
    HINT(1, 1, 2, 7, 1, 1, 11, 1, 0);
    BAD_HINT("invalid target", 1, 1, 1, 8, 1, 0);  /* within an instruction */
    BAD_HINT("invalid target", 1, 1, 1, 9, 1, 0);  /* local.get */
    BAD_HINT("invalid target", 1, 1, 1, 0, 1, 0);  /* locals */
    BAD_HINT("invalid target", 1, 1, 1, 15, 1, 0); /* the end */
    BAD_HINT("unknown index", 1, 1, 1, 17, 1, 0);
    BAD_HINT("malformed hint", 1, 1, 1, 7, 2, 0);
    BAD_HINT("malformed hint", 1, 1, 1, 7, 1, 2);
    BAD_HINT("indices out of order", 1, 1, 2, 11, 1, 0, 7, 1, 0);
    BAD_HINT("indices out of order", 2, 1, 0, 1, 0);
    BAD_HINT("imported function", 1, 0, 0);
    BAD_HINT("unknown index", 1, 2, 0);
    BAD_HINT("size mismatch", 0, 0);
    BAD_HINT("unexpected end", 1, 1, 1, 7, 1);
    CHECK(HINTS, 11, false, "out of order", 0);
    CHECK(HINTS, 1, false, NULL, 0);
    CHECK(HINTS, 10, true, "twice", 0);
}

/* ---- Cut and changed sections ---- */

/* Checks the section in a module whose other parts are as they were; whether it is good. */
static bool is_good(const char *name, uint8_t before, const uint8_t *content, size_t size) {
    struct loader l;
    struct bytes b = module_with(name, content, size, before, false);
    loader_init(&l);
    struct module *m = load_in_place(&l, b.data, b.size);
    assert_non_null(m);
    struct error error = {.status = CATNAP_OK};
    bool good = cn_check_custom_sections(m, &error);
    assert_int_equal(good, error.status == CATNAP_OK);
    if (!good)
        assert_true(error.offset <= b.size);
    cn_module_release(m);
    loader_destroy(&l);
    drop_bytes(&b);
    return good;
}

/* Cut, and with a byte changed, it has an answer: few cuts are good, and some changes. */
static void sweep(const char *name, uint8_t before, const uint8_t *content, size_t size,
                  size_t good_cuts) {
    uint8_t changed[128];
    size_t good = 0, changes = 0;
    assert_true(size <= sizeof changed);
    for (size_t cut = 0; cut <= size; cut++)
        good += is_good(name, before, content, cut);
    assert_int_equal(good, good_cuts);
    for (size_t i = 0; i < size; i++) {
        memcpy(changed, content, size);
        for (uint32_t value = 0; value < 256; value++) {
            changed[i] = (uint8_t)value;
            changes += is_good(name, before, changed, size);
        }
    }
    assert_true(changes >= size && changes < 255 * size);
}

static void each_cut_and_change_has_an_answer(void **state) {
    (void)state;
    static const uint8_t all_names[] = {
        0, 2, 1, 'm',                                  /* the module */
        1, 7, 2, 0,   1, 'f', 1,  1,   'g',            /* functions */
        2, 9, 1, 1,   2, 0,   1,  'x', 1,   1, 'y',    /* locals */
        3, 6, 1, 1,   1, 0,   1,  'l',                 /* labels */
        4, 4, 1, 0,   1, 't',                          /* types */
        5, 1, 0, 6,   1, 0,   7,  1,   0,   8, 1,   0, /* tables, memories, globals, segments */
        9, 1, 0, 10,  1, 0,   11, 1,   0,              /* data, fields, tags */
    };
    static const uint8_t hints[] = {1, 1, 2, 7, 1, 1, 11, 1, 0};
    sweep("name", 0, all_names, sizeof all_names, 13);
    sweep(HINTS, 10, hints, sizeof hints, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(hints),
        cmocka_unit_test(each_cut_and_change_has_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
