/* The reader of the text format: what becomes of texts, and what is refused; cut and changed text,
 * text that is starved of memory, and text that nests. */
#include "../support/module.h"

#include <pthread.h>
#include <stdio.h>

#include "base/bytes.h"
#include "binary/walk.h"
#include "text/instructions.h"
#include "text/literals.h"
#include "text/text.h"

/* ---- Reading --------------------------------------------------------------------------------- */

struct reading {
    struct alloc alloc;
    struct text_bytes made;
    struct text_error error;
    bool done;
};

static void read_bytes(struct reading *r, const uint8_t *text, size_t length,
                       enum text_names names) {
    uint8_t *exact = malloc(length ? length : 1); /* for the sanitizer */
    assert_non_null(exact);
    memcpy(exact, text, length);
    r->done = cn_text_module(&r->alloc, exact, length, names, &r->made, &r->error);
    assert_int_equal(r->done, r->error.status == CATNAP_OK);
    free(exact);
}

static void drop(struct reading *r) {
    cn_text_bytes_free(&r->alloc, &r->made);
    assert_int_equal(atomic_load(&r->alloc.now), 0);
}

static void read_text(struct reading *r, const char *text, enum text_names names) {
    cn_alloc_init_default(&r->alloc);
    read_bytes(r, (const uint8_t *)text, strlen(text), names);
    if (!r->done)
        print_message("%s\n", r->error.message);
}

/* The module's bytes behind its preamble, in hexadecimal digits. */
static void becomes_named(const char *text, const char *hex, enum text_names names) {
    struct reading r;
    char digits[1024] = "";
    read_text(&r, text, names);
    assert_true(r.done);
    assert_true(r.made.length >= 8 && r.made.length < sizeof digits / 2);
    for (size_t i = 8; i < r.made.length; i++)
        snprintf(digits + 2 * (i - 8), 3, "%02x", r.made.bytes[i]);
    assert_string_equal(digits, hex);
    drop(&r);
}

static void becomes(const char *text, const char *hex) {
    becomes_named(text, hex, TEXT_WITHOUT_NAMES);
}

static void is_refused(const char *text, uint64_t line, uint64_t column, const char *message) {
    struct reading r;
    cn_alloc_init_default(&r.alloc);
    read_bytes(&r, (const uint8_t *)text, strlen(text), TEXT_WITHOUT_NAMES);
    if (r.done || !strstr(r.error.message, message) || r.error.line != line ||
        r.error.column != column)
        fail_msg("%s: %d:%d: %s", text, (int)r.error.line, (int)r.error.column, r.error.message);
    assert_int_equal(r.error.status, CATNAP_MALFORMED);
    drop(&r);
}

/* ---- Modules --------------------------------------------------------------------------------- */

static void modules_without_much(void **state) {
    (void)state;
    becomes("", "");
    becomes("(module)", "");
    becomes(" ;; comment\n(; another (; nested ;) ;)(module $name)", "");
    becomes("(@unknown (\"anything\" 1x, ] ) $y) (module (@unknown))", "");
    becomes("(func)", "010401600000030201000a040102000b");
    becomes("(module binary \"\\00asm\" \"\\01\\00\\00\\00\" \"\\00\\01\\00\")", "000100");
}

static void types_are_implied_in_the_order_of_the_text(void **state) {
    (void)state;
    becomes("(func (param i64) (block (param) (result i32 i32) unreachable) drop drop)(func)"
            "(type (func (result i32)))",
            "0111046000017f60017e006000027f7f60000003030201030a0d0208000202000b1a1a0b02000b");
    /* A type alone in its group is what a type use without index means; one with subtypes is not.
     * */
    becomes("(rec (type (func))) (func)", "0106014e01600000030201000a040102000b");
    becomes("(type (sub (func))) (func)", "0109025000600000600000030201010a040102000b");
    /* Type 0 is implied by the second function, and the first one has its parameter. */
    becomes("(func (type 0) (local $l i32) (drop (local.get $l))) (func (param i64))",
            "01050160017e0003030200000a0c020701017f20011a0b02000b");
}

static void segments_and_abbreviations(void **state) {
    (void)state;
    becomes("(table 1 funcref) (elem (i32.const 0)) (elem (table 0) (i32.const 0) funcref)"
            "(elem func) (elem declare externref)",
            "0404017000010911040041000b000441000b00010000076f00");
    becomes("(memory 1) (data \"a\\u{e9}\\7f\") (data (i32.const 0)) (func (data.drop 0))",
            "0104016000000302010005030100010c01020a07010500fc09000b0b0c02010461c3a97f0041000b00");
    becomes("(memory (data \"ab\"))", "0504010101010b08010041000b026162");
    becomes("(table funcref (elem 0)) (func)",
            "01040160000003020100040501700101010907010041000b01000a040102000b");
    becomes("(func (export \"a\") (export \"b\") (call 0))",
            "0104016000000302010007090201610000016200000a0601040010000b");
    becomes("(memory i64 1 2 shared (pagesize 1))", "0505010f010200");
    becomes("(table i64 1 2 (ref null func) (ref.null func))", "040a01400070050102d0700b");
}

static void imports_one_by_one_and_compact(void **state) {
    (void)state;
    becomes("(import \"a\" \"b\" (func)) (import \"c\" (item \"d\") (item \"e\") (global i32))"
            "(import \"c\" (item \"x\" (memory 1)))",
            "010401600000021d030161016200000163007e037f0002016401650163007f010178020001");
}

/* Of the parameters of no function, and of several: they are not those of the next one. */
static void imports_of_one_type(void **state) {
    (void)state;
    becomes("(import \"a\" (func (param $x i32))) (func (param $x i32))",
            "01050160017f000208010161007e000000030201000a040102000b");
}

static void code_folded_and_not(void **state) {
    (void)state;
    becomes("(func (local $x i32) (local $y i32) (local i64) (local.set $y (local.get $x)))",
            "010401600000030201000a0c010a02027f017e200021010b");
    becomes("(func (result i64) i64.const -0x8000_0000_0000_0000"
            " (block $l (br_if $l (i32.const +1))))",
            "0105016000017e030201000a16011400428080808080808080807f024041010d000b0b");
    becomes("(func (if (i32.const 0) (then) (else)) (try (do) (catch_all)) try delegate 0)",
            "010401600000030201000a1201100041000440050b0640190b064018000b");
}

static void names_of_everything(void **state) {
    (void)state;
    becomes_named("(module $m (func $f (param $p i32) (local $l i64) (block $b))"
                  "(memory $mem 1))",
                  "01050160017f000302010005030100010a09010701017e02400b0b002a046e616d65000201"
                  "6d010401000166020901000200017001016c030601000100016206060100036d656d",
                  TEXT_WITH_NAMES);
    becomes_named("(func (@name \"a b\"))",
                  "010401600000030201000a040102000b000d046e616d650106010003612062",
                  TEXT_WITH_NAMES);
    becomes_named("(func)", "010401600000030201000a040102000b", TEXT_WITH_NAMES);
    becomes_named("(func (param (@name \"p\") i32) (local (@name \"l\") i32))",
                  "01050160017f00030201000a06010401017f0b0010046e616d65020901000200017001016c",
                  TEXT_WITH_NAMES);
    becomes_named("(type (struct (field (@name \"f\") i32)))",
                  "0105015f017f00000d046e616d650a06010001000166", TEXT_WITH_NAMES);
    becomes_named("(type (func (param $p (@name \"p\") i32) (param (@name \"q\") i32)))",
                  "01060160027f7f00", TEXT_WITH_NAMES);
    becomes("(func $\"f\" (call $f))", "010401600000030201000a0601040010000b");
}

/* Labels are numbered as they stand in the binary format, where the condition of `if` is before it. */
static void labels_are_numbered_as_they_are_written(void **state) {
    static const char *const ifs[] = {"(if $b", "(if (@name \"b\")", "(if $x (@name \"b\")"};
    (void)state;
    for (size_t i = 0; i < sizeof ifs / sizeof *ifs; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "(func %s (block $a (result i32) (i32.const 0)) (then (block $c))))", ifs[i]);
        becomes_named(text,
                      "010401600000030201000a0f010d00027f41000b044002400b0b0b0013046e616d65030c0100"
                      "03000161010162020163",
                      TEXT_WITH_NAMES);
    }
}

static void annotations(void **state) {
    (void)state;
    becomes("(@custom \"a\" (before first) \"x\") (@custom \"b\" \"y\") (func)",
            "0003016178010401600000030201000a040102000b0003016279");
    becomes("(func (@metadata.code.branch_hint \"\\01\") (if (i32.const 0) (then)))",
            "010401600000030201000020196d657461646174612e636f64652e6272616e63685f68696e7401000103"
            "01010a09010700410004400b0b");
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void errors_say_where(void **state) {
    (void)state;
    is_refused("(module", 1, 8, "unexpected end of the text");
    is_refused("(module))", 1, 9, "unexpected token )");
    is_refused("\n(fonc)", 2, 2, "unexpected token fonc, expected a field");
    is_refused("(func\r\n\tcall $x)", 2, 7, "unknown func $x");
    is_refused("(func) \r(func $a)\n(func $a)", 3, 7, "duplicate func $a");
    is_refused("(func (nup))", 1, 8, "unknown operator nup");
    is_refused("(func i32.const 0x1_0000_0000)", 1, 17, "out of range");
    is_refused("(func i32.const 1__0)", 1, 17, "expected a number");
    is_refused("(func block $a end $b)", 1, 20, "mismatching label $b");
    is_refused("(func block)", 1, 12, "expected end");
    is_refused("(func end)", 1, 7, "nothing is open");
    is_refused("(func (block end))", 1, 14, "nothing is open");
    is_refused("(func (if (i32.const 0)))", 1, 24, "expected (then");
    is_refused("(func (drop nop))", 1, 13, "unexpected token nop");
    is_refused("(func (br $l))", 1, 11, "unknown label $l");
    is_refused("(func (block $l) (br $l))", 1, 22, "unknown label $l");
    is_refused("(func (try (do) (catch_all) (delegate 0)))", 1, 30, "unexpected token delegate");
    is_refused("(func) (import \"\" \"\" (func))", 1, 8, "import after function");
    is_refused("(type $t (func)) (func (type $t) (param i32))", 1, 24, "inline function type");
    is_refused("(func (result i32) (param i32))", 1, 20, "result before parameter");
    is_refused("(start 0) (start 0)", 1, 11, "multiple start");
    is_refused("(func (local $x i32) (local $x i32))", 1, 29, "duplicate local $x");
    is_refused("(type (struct (field $x i32) (field $x i32)))", 1, 37, "duplicate field $x");
    is_refused("(memory 1 (pagesize 3))", 1, 21, "power of two");
    is_refused("(memory 1) (func (drop (i32.load align=3 (i32.const 0))))", 1, 34, "power of two");
    is_refused("(; open", 1, 1, "comment is not closed");
    is_refused("(@x (", 1, 1, "annotation is not closed");
    is_refused("(@ x)", 1, 1, "empty annotation id");
    is_refused("(func $)", 1, 7, "empty identifier");
    is_refused("(func $\"\")", 1, 7, "empty identifier");
    is_refused("(export \"a", 1, 9, "string is not closed");
    is_refused("(export \"\\g\")", 1, 10, "unknown escape");
    is_refused("(export \"\\u{d800}\")", 1, 10, "unknown escape");
    is_refused("(export \"\\ff\" (func 0))", 1, 9, "malformed UTF-8");
    is_refused("(module \xC3)", 1, 9, "malformed UTF-8");
    is_refused("(func \xC3\xA9)", 1, 7, "illegal character");
    is_refused("(func $a\"b\")", 1, 7, "unexpected token $a\"b\"");
    is_refused("(func (@custom \"x\"))", 1, 7, "misplaced annotation (@custom");
    is_refused("(@name \"x\")", 1, 1, "misplaced annotation (@name");
    is_refused("(@custom \"x\" (after first))", 1, 26, "the name of a section");
    is_refused("(func (@metadata.code.branch_hint \"\\02\") nop)", 1, 7, "a branch hint is");
    is_refused("(memory (pagesize 1) 1)", 1, 22, "expected (data");
    is_refused("(import \"a\" (item \"b\") (func $f))", 1, 30, "identifier not allowed");
}

static void the_line_is_shown(void **state) {
    (void)state;
    struct reading r;
    char text[400];
    cn_alloc_init_default(&r.alloc);
    read_bytes(&r, (const uint8_t *)"\n\t(func \"\xC3\xA9\" $f)\nx", 17, TEXT_WITHOUT_NAMES);
    assert_string_equal(r.error.excerpt, " (func \"\xC3\xA9\" $f)\n       ^");
    memset(text, ' ', sizeof text);
    text[200] = '$';
    text[201] = 'x';
    read_bytes(&r, (const uint8_t *)text, sizeof text, TEXT_WITHOUT_NAMES);
    assert_int_equal(r.error.column, 201);
    const char *caret = strchr(r.error.excerpt, '\n');
    assert_non_null(caret);
    assert_int_equal(strchr(caret, '^') - caret - 1,
                     strchr(r.error.excerpt, '$') - r.error.excerpt);
    assert_true(strlen(r.error.excerpt) < 250);
    drop(&r);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static void float_is(const char *text, unsigned bits, uint64_t expected) {
    struct alloc alloc;
    uint64_t value;
    cn_alloc_init_default(&alloc);
    enum literal read = cn_literal_float(&alloc, (const uint8_t *)text, strlen(text), bits, &value);
    if (read != LITERAL_OK || value != expected)
        fail_msg("%s: %d, %llx", text, (int)read, (unsigned long long)value);
}

static void float_is_not(const char *text, unsigned bits, enum literal expected) {
    struct alloc alloc;
    uint64_t value;
    cn_alloc_init_default(&alloc);
    assert_int_equal(cn_literal_float(&alloc, (const uint8_t *)text, strlen(text), bits, &value),
                     expected);
}

static void floats_are_rounded_once(void **state) {
    (void)state;
    float_is("1", 32, 0x3F800000);
    float_is("-0", 64, UINT64_C(1) << 63);
    float_is("1_0.2_5e-1_0", 64, UINT64_C(0x3E119BFF678E358C));
    /* Halfway between two f32 in the first, and above by less than an f64 shows in the second. */
    float_is("0x1.000001p0", 32, 0x3F800000);
    float_is("0x1.00000100000000000001p0", 32, 0x3F800001);
    float_is("0x1.000003p0", 32, 0x3F800002);
    float_is("0x1.00000000000008p0", 64, UINT64_C(0x3FF0000000000000));
    float_is("0x1.000000000000080000000001p0", 64, UINT64_C(0x3FF0000000000001));
    float_is("0x1p-149", 32, 1);
    float_is("0x1p-150", 32, 0);
    float_is("0x1.8p-150", 32, 1);
    float_is("0x1.fffffep127", 32, 0x7F7FFFFF);
    float_is("0x0.0000000000000000000000000000000000000001p160", 32, 0x3F800000);
    float_is("340282356779733642748073463979561713663", 32, 0x7F7FFFFF);
    float_is("1.7976931348623157e308", 64, UINT64_C(0x7FEFFFFFFFFFFFFF));
    float_is("4.9e-324", 64, 1);
    float_is("2.4703282292062327e-324", 64, 0);
    float_is("nan", 32, 0x7FC00000);
    float_is("-nan:0x7f_ffff", 32, 0xFFFFFFFF);
    float_is("+nan:0x1", 64, UINT64_C(0x7FF0000000000001));
    float_is("-inf", 64, UINT64_C(0xFFF0000000000000));
    float_is("0x1.p1", 32, 0x40000000);
    float_is("1.e1", 32, 0x41200000);
    float_is_not("340282356779733661637539395458142568448", 32, LITERAL_RANGE);
    float_is_not("0x1p128", 32, LITERAL_RANGE);
    float_is_not("1.8e308", 64, LITERAL_RANGE);
    float_is_not("nan:0x0", 32, LITERAL_RANGE);
    float_is_not("nan:0x800000", 32, LITERAL_RANGE);
    static const char *const none[] = {"",     ".1",   "1e",   "0x",       "0x1p",  "1_",
                                       "_1",   "1._0", "1e_0", "0xg",      "nan:1", "nan:0x",
                                       "infi", "1 ",   "+-1",  "0x1.8p0x1"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        float_is_not(none[i], 64, LITERAL_NOT);
}

static void integers_of_all_widths(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned bits;
        enum literal read;
        uint64_t value;
    } rows[] = {
        {"0", 8, LITERAL_OK, 0},
        {"255", 8, LITERAL_OK, 255},
        {"256", 8, LITERAL_RANGE, 0},
        {"-128", 8, LITERAL_OK, 128},
        {"-129", 8, LITERAL_RANGE, 0},
        {"+0xFf", 8, LITERAL_OK, 255},
        {"-0x8000_0000", 32, LITERAL_OK, 0x80000000},
        {"4294967296", 32, LITERAL_RANGE, 0},
        {"18446744073709551615", 64, LITERAL_OK, UINT64_MAX},
        {"18446744073709551616", 64, LITERAL_RANGE, 0},
        {"-9223372036854775808", 64, LITERAL_OK, UINT64_C(1) << 63},
        {"0x", 64, LITERAL_NOT, 0},
        {"--1", 64, LITERAL_NOT, 0},
        {"1a", 64, LITERAL_NOT, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t value;
        enum literal read = cn_literal_integer((const uint8_t *)rows[i].text, strlen(rows[i].text),
                                               rows[i].bits, &value);
        assert_int_equal(read, rows[i].read);
        if (read == LITERAL_OK)
            assert_int_equal(value, rows[i].value);
    }
}

/* ---- Instructions ---------------------------------------------------------------------------- */

/* Immediates that fit the kind; NULL for parts of constructs. */
static const char *immediates_of(enum immediate kind) {
    switch (kind) {
    case IMM_BLOCK:
    case IMM_TRY_TABLE:
    case IMM_NONE:
    case IMM_TABLE:
    case IMM_MEMORY:
    case IMM_MEMORY_COPY:
    case IMM_TABLE_COPY:
    case IMM_CALL_INDIRECT:
    case IMM_ZERO:
    case IMM_ATOMIC0:
    case IMM_ATOMIC1:
    case IMM_ATOMIC2:
    case IMM_ATOMIC3:
    case IMM_MEM0:
    case IMM_MEM1:
    case IMM_MEM2:
    case IMM_MEM3:
    case IMM_MEM4:
        return "";
    case IMM_SELECT:
        return "(result i32)";
    case IMM_HEAP_TYPE:
        return "func";
    case IMM_CAST:
        return "0 (ref null func) (ref func)";
    case IMM_TYPE_FIELD:
    case IMM_TYPE_COUNT:
    case IMM_TYPE_DATA:
    case IMM_TYPE_ELEM:
    case IMM_TYPE_TYPE:
        return "0 0";
    case IMM_V128:
        return "i64x2 0 0";
    case IMM_SHUFFLE:
        return "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0";
    default:
        return "0";
    }
}

/* Each row of the opcode table is read by its name and decoded again. */
static void every_opcode_of_the_table(void **state) {
    (void)state;
    unsigned count = 0;
    for (uint32_t opcode = 0; opcode < OPCODE_LIMIT; opcode++) {
        const struct op_info *info = &cn_op_info[opcode];
        char text[200];
        struct reading r;
        if (!info->name || info->flags & OPF_CLOSES)
            continue;
        /* A cast to a nullable type has a name of two words, of which the second belongs to the type. */
        const char *name = cn_op_name(info), *null = strchr(name, ' ');
        const char *immediates = info->immediate != IMM_REF_TYPE ? immediates_of(info->immediate)
                                 : null                          ? "(ref null func)"
                                                                 : "(ref func)";
        snprintf(text, sizeof text, "(func %.*s %s %s)", (int)strcspn(name, " "), name, immediates,
                 info->flags & OPF_OPENS ? "end" : "");
        read_text(&r, text, TEXT_WITHOUT_NAMES);
        assert_true(r.done);
        /* All before the code section is as it is with any function, unless data segments are
         * counted. */
        if (info->immediate != IMM_DATA && info->immediate != IMM_MEMORY_INIT &&
            info->immediate != IMM_TYPE_DATA) {
            struct reader reader = {r.made.bytes + 23, r.made.bytes + r.made.length};
            uint32_t found = OPCODE_LIMIT;
            assert_int_equal(r.made.bytes[18], 10);
            assert_true(cn_read_opcode(&reader, &found) && found == opcode);
        }
        count++;
        drop(&r);
    }
    assert_true(count > 500);
}

static void no_instruction_is_in_both_tables(void **state) {
    (void)state;
    struct alloc alloc;
    struct instructions all;
    cn_alloc_init_default(&alloc);
    assert_true(cn_instructions_init(&all, &alloc));
#define ROW(prefix_, number, name_, operands_)                                                     \
    {                                                                                              \
        const struct instruction *i =                                                              \
            cn_instruction_find(&all, (const uint8_t *)(name_), strlen(name_));                    \
        assert_true(i && i->id == NOT_IN_TABLE && i->prefix == (prefix_) &&                        \
                    i->opcode == (number));                                                        \
    }
#include "text/instructions.def"
    assert_null(cn_instruction_find(&all, (const uint8_t *)"i32.add ", 8));
    cn_instructions_free(&all);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

/* ---- Hostile texts --------------------------------------------------------------------------- */

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = malloc(100000);
    *size = fread(text, 1, 100000, file);
    assert_true(*size > 1000 && *size < 100000);
    fclose(file);
    return text;
}

static void every_prefix_has_an_answer(void **state) {
    (void)state;
    struct reading r;
    size_t size, good = 0;
    char *text = read_file("tests/text/sample.wat", &size);
    cn_alloc_init_default(&r.alloc);
    for (size_t length = 0; length <= size; length++) {
        read_bytes(&r, (const uint8_t *)text, length, TEXT_WITH_NAMES);
        good += r.done;
        assert_true(r.done || (r.error.line > 0 && r.error.column > 0 && r.error.message[0]));
        drop(&r);
    }
    assert_true(good >= 2 && good < 100); /* the comment at its start, and the whole */
    free(text);
}

static void every_changed_byte_has_an_answer(void **state) {
    (void)state;
    static const char others[] = "()\";$@ 0x\\\n\xFF";
    struct reading r;
    size_t size, good = 0, bad = 0;
    char *text = read_file("tests/text/sample.wat", &size);
    cn_alloc_init_default(&r.alloc);
    for (size_t i = 0; i < size; i++) {
        char kept = text[i];
        text[i] = others[i % (sizeof others - 1)];
        read_bytes(&r, (const uint8_t *)text, size, TEXT_WITH_NAMES);
        text[i] = kept;
        *(r.done ? &good : &bad) += 1;
        drop(&r);
    }
    assert_true(good > 100 && bad > 1000);
    free(text);
}

/* An allocator that refuses from a certain request on, or that one alone. */
struct starving {
    size_t left;
    bool once, refused;
};

static void *starved(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct starving *starving = env;
    (void)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    if (starving->left == 0 && !(starving->once && starving->refused)) {
        starving->refused = true;
        return NULL;
    }
    if (starving->left > 0)
        starving->left--;
    return realloc(pointer, new_size);
}

typedef bool read_function(struct alloc *, const uint8_t *, size_t, struct text_bytes *,
                           struct text_error *);

static bool as_module(struct alloc *alloc, const uint8_t *text, size_t size,
                      struct text_bytes *made, struct text_error *error) {
    return cn_text_module(alloc, text, size, TEXT_WITH_NAMES, made, error);
}

static bool as_script(struct alloc *alloc, const uint8_t *text, size_t size,
                      struct text_bytes *made, struct text_error *error) {
    return cn_text_script(alloc, "name", text, size, made, error);
}

/* Each request is refused in turn, and is missed. */
static size_t starve(read_function *read, const char *text, size_t size, bool once) {
    for (size_t needed = 0;; needed++) {
        struct starving starving = {.left = needed, .once = once};
        struct alloc alloc;
        struct text_bytes made;
        struct text_error error;
        cn_alloc_init_default(&alloc);
        alloc.realloc = starved;
        alloc.env = &starving;
        bool done = read(&alloc, (const uint8_t *)text, size, &made, &error);
        assert_int_equal(error.status, done ? CATNAP_OK : CATNAP_NO_MEMORY);
        assert_int_equal(done, !starving.refused);
        cn_text_bytes_free(&alloc, &made);
        assert_int_equal(atomic_load(&alloc.now), 0);
        if (done)
            return needed;
    }
}

static void starve_file(read_function *read, const char *path) {
    size_t size;
    char *text = read_file(path, &size);
    for (int once = 0; once < 2; once++)
        assert_true(starve(read, text, size, once) > 50);
    free(text);
}

static void memory_that_runs_out(void **state) {
    (void)state;
    static const char *const texts[] = {
        "(func (drop (block (result i32) (i32.const 0))))",
        "(func (drop (select (result i32) (i32.const 0) (i32.const 0) (i32.const 0))))",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        starve(as_module, texts[i], strlen(texts[i]), true);
    starve_file(as_module, "tests/text/sample.wat");
    starve_file(as_script, "tests/text/sample.wast");
}

/* `before` n times, `middle`, `behind` n times, in a function. */
static char *nest(const char *before, const char *middle, const char *behind, size_t depth) {
    size_t a = strlen(before), b = strlen(behind), size = depth * (a + b) + strlen(middle) + 20;
    char *text = malloc(size), *at = text;
    at += sprintf(at, "(func ");
    for (size_t i = 0; i < depth; i++, at += a)
        memcpy(at, before, a);
    at += sprintf(at, "%s", middle);
    for (size_t i = 0; i < depth; i++, at += b)
        memcpy(at, behind, b);
    strcpy(at, ")");
    return text;
}

static void *read_nested(void *argument) {
    static const char *const rows[][3] = {
        {"(block ", "", ")"},
        {"block ", "", " end"},
        {"(i32.eqz ", "(i32.const 0)", ")"},
        {"(if (i32.const 0) (then ", "", "))"},
        {"(if ", "(i32.const 0)", " (then))"},
        {"(try (do ", "", ") (catch_all))"},
        {"try ", "", " delegate 0"},
        {"(; ", "", " ;)"},
        {"(@x ", "", ")"},
        {"(block $l ", "(br $l)", ")"},
    };
    bool *passed = argument;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct alloc alloc;
        struct text_bytes made;
        struct text_error error;
        char *text = nest(rows[i][0], rows[i][1], rows[i][2], 50000);
        cn_alloc_init_default(&alloc);
        *passed = *passed && cn_text_module(&alloc, (const uint8_t *)text, strlen(text),
                                            TEXT_WITH_NAMES, &made, &error);
        cn_text_bytes_free(&alloc, &made);
        free(text);
    }
    return NULL;
}

static void nesting_takes_no_stack(void **state) {
    (void)state;
    pthread_attr_t attributes;
    pthread_t thread;
    bool passed = true;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 128 * 1024), 0);
    assert_int_equal(pthread_create(&thread, &attributes, read_nested, &passed), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    assert_true(passed);
}

static void nesting_has_a_limit(void **state) {
    (void)state;
    struct reading r;
    char *text = nest("block ", "", "", CN_TEXT_NESTING + 1);
    cn_alloc_init_default(&r.alloc);
    read_bytes(&r, (const uint8_t *)text, strlen(text), TEXT_WITHOUT_NAMES);
    assert_false(r.done);
    assert_non_null(strstr(r.error.message, "nested more deeply than the limit"));
    drop(&r);
    free(text);
}

/* ---- Scripts --------------------------------------------------------------------------------- */

/* The JSON of a script, which is the first file of the block. */
static void script_becomes(const char *text, const char *json) {
    struct alloc alloc;
    struct text_bytes made;
    struct text_error error;
    cn_alloc_init_default(&alloc);
    assert_true(
        cn_text_script(&alloc, "s.wast", (const uint8_t *)text, strlen(text), &made, &error));
    assert_true(made.length > 27 && cn_get_le(made.bytes, 8) == 11);
    size_t length = (size_t)cn_get_le(made.bytes + 19, 8);
    char *found = strndup((const char *)made.bytes + 27, length);
    assert_string_equal(found, json);
    free(found);
    cn_text_bytes_free(&alloc, &made);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

#define SCRIPT(commands) "{\"source_filename\":\"s.wast\",\n \"commands\":[\n  " commands "\n]}\n"

static void scripts_become_json(void **state) {
    (void)state;
    script_becomes("", "{\"source_filename\":\"s.wast\",\n \"commands\":[\n\n]}\n");
    script_becomes("(func)",
                   SCRIPT("{\"type\":\"module\",\"line\":1,\"filename\":\"module.0.wasm\","
                          "\"module_type\":\"binary\"}"));
    script_becomes("(module $m)\n(register \"a\\00\" $m)",
                   SCRIPT("{\"type\":\"module\",\"line\":1,\"name\":\"m\",\"filename\":"
                          "\"module.0.wasm\",\"module_type\":\"binary\"},\n  "
                          "{\"type\":\"register\",\"line\":2,\"as\":\"a\\u0000\",\"name\":\"m\"}"));
    script_becomes(
        "(assert_return (invoke $m \"f\" (i32.const -1) (f32.const 1) (ref.extern 2)"
        " (ref.null func) (v128.const i64x2 1 -1)) (f64.const nan:canonical)"
        " (either (i32.const 1) (i32.const 2)) (ref.i31) (ref.null))",
        SCRIPT("{\"type\":\"assert_return\",\"line\":1,\"action\":{\"type\":\"invoke\","
               "\"module\":\"m\",\"field\":\"f\",\"args\":[{\"type\":\"i32\",\"value\":"
               "\"-1\"},{\"type\":\"f32\",\"value\":\"1065353216\"},{\"type\":"
               "\"externref\",\"value\":\"2\"},{\"type\":\"funcref\",\"value\":\"null\"},"
               "{\"type\":\"v128\",\"lane_type\":\"i64\",\"value\":[\"1\",\"-1\"]}]},"
               "\"expected\":[{\"type\":\"f64\",\"value\":\"nan:canonical\"},{\"type\":"
               "\"either\",\"values\":[{\"type\":\"i32\",\"value\":\"1\"},{\"type\":"
               "\"i32\",\"value\":\"2\"}]},{\"type\":\"i31ref\"},{\"type\":"
               "\"refnull\"}]}"));
    script_becomes("(assert_malformed (module quote \"(\" \"fonc)\") \"x\")",
                   SCRIPT("{\"type\":\"assert_malformed\",\"line\":1,\"filename\":\"module.0.wat\","
                          "\"module_type\":\"text\",\"text\":\"x\"}"));
    script_becomes("(thread $t (shared (module $m)) (get \"g\")) (wait $t)",
                   SCRIPT("{\"type\":\"thread\",\"line\":1,\"name\":\"t\",\"shared_module\":\"m\","
                          "\"commands\":[\n  {\"type\":\"action\",\"line\":1,\"action\":{\"type\":"
                          "\"get\",\"field\":\"g\"}}\n]},\n  {\"type\":\"wait\",\"line\":1,"
                          "\"thread\":\"t\"}"));
    script_becomes("(module definition $d) (module instance $i $d)",
                   SCRIPT("{\"type\":\"module_definition\",\"line\":1,\"name\":\"d\",\"filename\":"
                          "\"module.0.wasm\",\"module_type\":\"binary\"},\n  {\"type\":"
                          "\"module_instance\",\"line\":1,\"instance\":\"i\",\"module\":\"d\"}"));
}

static void scripts_that_are_none(void **state) {
    (void)state;
    static const char *const texts[] = {
        "(module) x",
        "(module) (func)",
        "(assert_return)",
        "(assert_return (invoke f))",
        "(assert_return (invoke \"f\" (i32.const x)))",
        "(assert_return (invoke \"f\" (ref.func)))",
        "(assert_trap (module))",
        "(thread $a (thread $b))",
        "(assert_return (invoke \"f\") (either (either)))",
        "(register \"\\ff\")",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct alloc alloc;
        struct text_bytes made;
        struct text_error error;
        cn_alloc_init_default(&alloc);
        assert_false(
            cn_text_script(&alloc, "", (const uint8_t *)texts[i], strlen(texts[i]), &made, &error));
        assert_true(error.line == 1 && error.column > 0);
        assert_int_equal(atomic_load(&alloc.now), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modules_without_much),
        cmocka_unit_test(types_are_implied_in_the_order_of_the_text),
        cmocka_unit_test(segments_and_abbreviations),
        cmocka_unit_test(imports_one_by_one_and_compact),
        cmocka_unit_test(imports_of_one_type),
        cmocka_unit_test(code_folded_and_not),
        cmocka_unit_test(names_of_everything),
        cmocka_unit_test(labels_are_numbered_as_they_are_written),
        cmocka_unit_test(annotations),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(the_line_is_shown),
        cmocka_unit_test(floats_are_rounded_once),
        cmocka_unit_test(integers_of_all_widths),
        cmocka_unit_test(every_opcode_of_the_table),
        cmocka_unit_test(no_instruction_is_in_both_tables),
        cmocka_unit_test(every_prefix_has_an_answer),
        cmocka_unit_test(every_changed_byte_has_an_answer),
        cmocka_unit_test(memory_that_runs_out),
        cmocka_unit_test(nesting_takes_no_stack),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(scripts_become_json),
        cmocka_unit_test(scripts_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
