#include "text/literals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Digits ---------------------------------------------------------------------------------- */

/* A piece of text that is being read. */
struct piece {
    const uint8_t *at, *end;
};

static unsigned digit_value(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10u;
    return 16;
}

static bool take_char(struct piece *p, char c) {
    if (p->at == p->end || *p->at != (uint8_t)c)
        return false;
    p->at++;
    return true;
}

static bool take_hex_mark(struct piece *p) {
    if (p->end - p->at < 2 || p->at[0] != '0' || p->at[1] != 'x')
        return false;
    p->at += 2;
    return true;
}

/* Digits, with an underscore between two of them at most. False when there is none. */
static bool skip_digits(struct piece *p, unsigned base) {
    const uint8_t *start = p->at;
    while (p->at < p->end) {
        bool separates = *p->at == '_' && p->at > start && p->at[-1] != '_' &&
                         p->end - p->at >= 2 && digit_value(p->at[1]) < base;
        if (!separates && digit_value(*p->at) >= base)
            break;
        p->at++;
    }
    return p->at > start;
}

bool cn_literal_is_number(const struct token *token) {
    struct piece p = {token->at, token->at + token->length};
    if (token->kind != TOKEN_WORD)
        return false;
    if (!take_char(&p, '+'))
        take_char(&p, '-');
    return p.at < p.end && *p.at >= '0' && *p.at <= '9';
}

/* ---- Integers -------------------------------------------------------------------------------- */

enum literal cn_literal_unsigned(const uint8_t *text, size_t length, uint64_t largest,
                                 uint64_t *out) {
    struct piece p = {text, text + length};
    unsigned base = take_hex_mark(&p) ? 16 : 10;
    const uint8_t *start = p.at;
    uint64_t value = 0;
    *out = 0;
    if (!skip_digits(&p, base) || p.at != p.end)
        return LITERAL_NOT;
    for (const uint8_t *at = start; at < p.end; at++) {
        unsigned digit = digit_value(*at);
        if (*at == '_')
            continue;
        if (digit > largest || value > (largest - digit) / base)
            return LITERAL_RANGE;
        value = value * base + digit;
    }
    *out = value;
    return LITERAL_OK;
}

enum literal cn_literal_integer(const uint8_t *text, size_t length, unsigned bits, uint64_t *out) {
    const uint64_t mask = UINT64_MAX >> (64 - bits);
    struct piece p = {text, text + length};
    bool negative = take_char(&p, '-');
    if (!negative)
        take_char(&p, '+');
    enum literal read =
        cn_literal_unsigned(p.at, (size_t)(p.end - p.at), negative ? mask / 2 + 1 : mask, out);
    if (negative)
        *out = (0 - *out) & mask;
    return read;
}

/* ---- Floating point -------------------------------------------------------------------------- */

/* How a format is laid out. */
struct float_format {
    unsigned bits, mantissa;
    uint64_t infinity;
};
static const struct float_format formats[] = {
    {32, 23, UINT64_C(0x7F800000)},
    {64, 52, UINT64_C(0x7FF0000000000000)},
};

/* nan, or nan:0x and a payload that is not 0 and fits. */
static enum literal read_nan(const struct float_format *format, struct piece p, uint64_t *out) {
    uint64_t payload;
    if (p.at == p.end) {
        *out |= format->infinity | UINT64_C(1) << (format->mantissa - 1);
        return LITERAL_OK;
    }
    if (p.end - p.at < 3 || memcmp(p.at, ":0x", 3) != 0)
        return LITERAL_NOT;
    enum literal read = cn_literal_unsigned(p.at + 1, (size_t)(p.end - p.at - 1),
                                            (UINT64_C(1) << format->mantissa) - 1, &payload);
    if (read == LITERAL_OK && payload == 0)
        return LITERAL_RANGE;
    *out |= format->infinity | payload;
    return read;
}

/* Whether the text is a number of section 6.3.2, without its sign. */
static bool is_float(struct piece p) {
    bool hex = take_hex_mark(&p);
    unsigned base = hex ? 16 : 10;
    if (!skip_digits(&p, base))
        return false;
    if (take_char(&p, '.'))
        skip_digits(&p, base);
    if (take_char(&p, hex ? 'p' : 'e') || take_char(&p, hex ? 'P' : 'E')) {
        if (!take_char(&p, '+'))
            take_char(&p, '-');
        if (!skip_digits(&p, 10))
            return false;
    }
    return p.at == p.end;
}

/* strtof() and strtod() of the C library round once and exactly, hexadecimal numbers, too. Rounding
 * to f64 and from there to f32 would round twice. The command sets no locale, so the point is a
 * point. */
static uint64_t bits_of(const struct float_format *format, const char *digits) {
    if (format->bits == 32) {
        float value = strtof(digits, NULL);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        return bits;
    }
    double value = strtod(digits, NULL);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static enum literal read_digits(struct alloc *alloc, const struct float_format *format,
                                struct piece p, uint64_t *out) {
    char few[128];
    size_t room = (size_t)(p.end - p.at) + 1, length = 0;
    char *digits = room <= sizeof few ? few : cn_alloc(alloc, room);
    if (!digits)
        return LITERAL_NO_MEMORY;
    for (const uint8_t *at = p.at; at < p.end; at++)
        if (*at != '_')
            digits[length++] = (char)*at;
    digits[length] = 0;
    uint64_t bits = bits_of(format, digits);
    if (digits != few)
        cn_free(alloc, digits, room);
    *out |= bits;
    return bits == format->infinity ? LITERAL_RANGE : LITERAL_OK;
}

enum literal cn_literal_float(struct alloc *alloc, const uint8_t *text, size_t length,
                              unsigned bits, uint64_t *out) {
    const struct float_format *format = &formats[bits == 64];
    struct piece p = {text, text + length};
    bool negative = take_char(&p, '-');
    if (!negative)
        take_char(&p, '+');
    *out = negative ? UINT64_C(1) << (bits - 1) : 0;
    if (p.end - p.at >= 3 && memcmp(p.at, "nan", 3) == 0)
        return read_nan(format, (struct piece){p.at + 3, p.end}, out);
    if (p.end - p.at == 3 && memcmp(p.at, "inf", 3) == 0) {
        *out |= format->infinity;
        return LITERAL_OK;
    }
    return is_float(p) ? read_digits(alloc, format, p, out) : LITERAL_NOT;
}

/* ---- Strings --------------------------------------------------------------------------------- */

static size_t put_code_point(uint32_t code, uint8_t *out) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3F));
    out[0] = (uint8_t)(0xF00u >> length | code);
    return length;
}

/* The escape behind a backslash, which the lexer has checked. */
static size_t take_escape(const uint8_t **at, uint8_t *out) {
    static const char names[] = "tnr", meanings[] = "\t\n\r";
    uint8_t c = *(*at)++;
    const char *name = memchr(names, c, sizeof names - 1);
    uint32_t code = 0;
    if (name) {
        *out = (uint8_t)meanings[name - names];
        return 1;
    }
    if (c == 'u') {
        for (++*at; **at != '}'; ++*at)
            if (**at != '_')
                code = code * 16 + digit_value(**at);
        ++*at;
        return put_code_point(code, out);
    }
    *out = c;
    if (digit_value(c) < 16)
        *out = (uint8_t)(digit_value(c) * 16 + digit_value(*(*at)++));
    return 1;
}

size_t cn_literal_string(const uint8_t *text, size_t length, uint8_t *out) {
    const uint8_t *at = text + 1, *end = text + length - 1;
    size_t used = 0;
    while (at < end) {
        if (*at == '\\') {
            at++;
            used += take_escape(&at, out + used);
        } else {
            out[used++] = *at++;
        }
    }
    return used;
}
