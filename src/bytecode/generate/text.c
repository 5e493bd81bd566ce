/* Expressions and places as text, in C and in the comments beside it. */
#include "bytecode/generate/generate.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* The generator runs for an instant: its texts are never freed. */
const char *formatted(const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        fail("memory is exhausted");
    va_end(arguments);
    return text;
}

bool is_scalar(const char *type) {
    return !strcmp(type, "I32") || !strcmp(type, "I64") || !strcmp(type, "F32") ||
           !strcmp(type, "F64");
}

bool is_wide_constant(const char *type) {
    return !strcmp(type, "I64") || !strcmp(type, "F64");
}

const char *c_type(const char *type) {
    return !strcmp(type, "I32")    ? "uint32_t"
           : !strcmp(type, "I64")  ? "uint64_t"
           : !strcmp(type, "F32")  ? "float"
           : !strcmp(type, "F64")  ? "double"
           : !strcmp(type, "V128") ? "u8x16"
                                   : type;
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* The replacement of the word at `word`, from the pairs of a word and its replacement; NULL: it stays. */
static const char *replacement(const char *word, size_t length, va_list pairs) {
    const char *from;
    while ((from = va_arg(pairs, const char *))) {
        const char *to = va_arg(pairs, const char *);
        if (strlen(from) == length && !memcmp(from, word, length))
            return to;
    }
    return NULL;
}

const char *substitute_words(const char *expression, ...) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        fail("memory is exhausted");
    for (const char *at = expression; *at;) {
        size_t length = 0;
        while (is_word(at[length]))
            length++;
        va_list pairs;
        va_start(pairs, expression);
        const char *to = length ? replacement(at, length, pairs) : NULL;
        va_end(pairs);
        if (to)
            fputs(to, out);
        else
            fwrite(at, 1, length ? length : 1, out);
        at += length ? length : 1;
    }
    fclose(out);
    return text;
}

static const char *slot_bits(enum field_at at) {
    switch (at) {
    case AT_O0:
        return "SLOT(0)";
    case AT_O1:
        return "SLOT(1)";
    case AT_O2:
        return "SLOT(2)";
    case AT_O3:
        return "SLOT(3)";
    case AT_XLO:
        return "HALF_SLOT(0)";
    case AT_XHI:
        return "HALF_SLOT(1)";
    default:
        fail("no slot lies there");
    }
}

static const char *constant_bits(enum field_at at) {
    switch (at) {
    case AT_W:
        return "UW";
    case AT_X:
        return "X";
    case AT_XLO:
        return "HALF_CONST(0)";
    case AT_XHI:
        return "HALF_CONST(1)";
    case AT_Y:
        return "Y";
    default:
        fail("no constant lies there");
    }
}

const char *value_of(const char *type, char letter, enum field_at at) {
    if (!is_scalar(type))
        return letter == 'a' ? formatted("(%s)GET_V_a()", c_type(type))
                             : formatted("(%s)GET_V_s(%d)", c_type(type), at - AT_O0);
    if (letter == 'a' && *type == 'F')
        return formatted("ACC_%s", type);
    const char *bits = letter == 's'   ? slot_bits(at)
                       : letter == 'k' ? constant_bits(at)
                       : letter == 'a' ? "acc"
                                       : formatted("%c", letter);
    bool half = letter == 'k' && (at == AT_W || at == AT_XLO || at == AT_XHI);
    if (!strcmp(type, "I32"))
        return half ? bits : formatted("(uint32_t)%s", bits);
    if (!strcmp(type, "F32"))
        return formatted(half ? "f32_of_bits(%s)" : "f32_of_bits((uint32_t)%s)", bits);
    return *type == 'F' ? formatted("f64_of_bits(%s)", bits) : bits;
}

const char *shown(char letter, enum field_at at, const char *type) {
    static const char *const names[] = {
        [AT_O0] = "o0", [AT_O1] = "o1",   [AT_O2] = "o2",   [AT_O3] = "o3",
        [AT_W] = "w",   [AT_X] = "x",     [AT_XLO] = "xlo", [AT_XHI] = "xhi",
        [AT_Y] = "y",   [AT_YLO] = "ylo", [AT_YHI] = "yhi"};
    if (letter == 'a')
        return *type == 'I' ? "acc" : "facc";
    if (letter == 'p' || letter == 'q')
        return formatted("%c", letter);
    return letter == 's' ? formatted("[%s]", names[at]) : names[at];
}
