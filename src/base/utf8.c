#include "base/utf8.h"

#include <string.h>

/* The bytes that follow a lead byte: how many they are, and the range of the first of them, which is where
 * overlong forms, surrogates and code points past U+10FFFF show. */
struct sequence {
    uint8_t tail, low, high;
};

static struct sequence sequence_of(uint8_t lead) {
    if (lead >= 0xC2 && lead <= 0xDF)
        return (struct sequence){1, 0x80, 0xBF};
    if (lead == 0xE0)
        return (struct sequence){2, 0xA0, 0xBF};
    if (lead == 0xED)
        return (struct sequence){2, 0x80, 0x9F};
    if (lead >= 0xE1 && lead <= 0xEF)
        return (struct sequence){2, 0x80, 0xBF};
    if (lead == 0xF0)
        return (struct sequence){3, 0x90, 0xBF};
    if (lead >= 0xF1 && lead <= 0xF3)
        return (struct sequence){3, 0x80, 0xBF};
    if (lead == 0xF4)
        return (struct sequence){3, 0x80, 0x8F};
    return (struct sequence){0, 0, 0};
}

/* Nearly all names are ASCII: eight bytes at a time. */
static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end) {
    uint64_t word;
    while (end - at >= (ptrdiff_t)sizeof word) {
        memcpy(&word, at, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
        at += sizeof word;
    }
    while (at < end && *at < 0x80)
        at++;
    return at;
}

/* The bytes of the character at `at`, whose first byte is not ASCII; 0 when there is none. */
static size_t sequence_at(const uint8_t *at, size_t left) {
    struct sequence sequence = sequence_of(*at);
    if (sequence.tail == 0 || left <= sequence.tail)
        return 0;
    if (at[1] < sequence.low || at[1] > sequence.high)
        return 0;
    for (uint8_t i = 2; i <= sequence.tail; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return (size_t)sequence.tail + 1;
}

bool cn_utf8_valid(const uint8_t *bytes, size_t length) {
    const uint8_t *at = bytes, *end = bytes + length;
    while ((at = skip_ascii(at, end)) < end) {
        size_t taken = sequence_at(at, (size_t)(end - at));
        if (taken == 0)
            return false;
        at += taken;
    }
    return true;
}

size_t cn_utf8_next(const uint8_t *at, size_t left, uint32_t *code) {
    size_t length = *at < 0x80 ? 1 : sequence_at(at, left);
    if (length == 0)
        return 0;
    *code = length == 1 ? *at : *at & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++)
        *code = *code << 6 | (at[i] & 0x3Fu);
    return length;
}
