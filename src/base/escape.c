#include "base/escape.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* The longest escape: two UTF-16 units of JSON. */
#define LONGEST_ESCAPE sizeof "\\udb40\\udc01"

/*
 * Characters that no output may show as they are, in order: controls (C0, DEL, C1) and those that break
 * lines, change the direction of text, or have no width, so that two names look the same.
 */
static const struct {
    uint32_t first, last;
} unsafe[] = {
    {0x00, 0x1F},       /* C0 */
    {0x7F, 0x9F},       /* DEL, C1 */
    {0xAD, 0xAD},       /* soft hyphen */
    {0x61C, 0x61C},     /* Arabic letter mark */
    {0x180E, 0x180E},   /* Mongolian vowel separator */
    {0x200B, 0x200F},   /* zero width, left-to-right and right-to-left marks */
    {0x2028, 0x202E},   /* line and paragraph separators, embeddings and overrides */
    {0x2060, 0x206F},   /* invisible operators, isolates */
    {0xFEFF, 0xFEFF},   /* byte order mark */
    {0xFFF9, 0xFFFB},   /* interlinear annotation */
    {0xE0000, 0xE0FFF}, /* tags, further variation selectors */
};

static bool is_unsafe(uint32_t code) {
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe && code >= unsafe[i].first; i++)
        if (code <= unsafe[i].last)
            return true;
    return false;
}

/* The escape of a character of `length` bytes; 0 means that there is none, and then U+FFFD stands for a
 * byte, of which JSON has none. */
static int escape_in_json(uint32_t code, size_t length, char *out) {
    if (length == 0)
        return sprintf(out, "\\ufffd");
    if (code == '"' || code == '\\')
        return sprintf(out, "\\%c", (char)code);
    if (code < 0x10000)
        return sprintf(out, "\\u%04x", (unsigned)code);
    return sprintf(out, "\\u%04x\\u%04x", 0xD800 + ((unsigned)(code - 0x10000) >> 10),
                   0xDC00 + ((unsigned)code & 0x3FF));
}

/* Each byte as in strings of the text format (section 6.3.3). */
static int escape_in_text(const uint8_t *at, size_t length, char *out) {
    int written = sprintf(out, "\\%02x", at[0]);
    for (size_t i = 1; i < length; i++)
        written += sprintf(out + written, "\\%02x", at[i]);
    return written;
}

size_t cn_escape(catnap_escape_t form, const char *text, size_t length, char *out, size_t size) {
    const uint8_t *at = (const uint8_t *)text, *end = at + length;
    size_t total = 0, used = 0;
    bool fits = size > 0;
    while (at < end) {
        char escape[2 * LONGEST_ESCAPE];
        const char *piece = (const char *)at;
        uint32_t code = 0;
        size_t taken = cn_utf8_next(at, (size_t)(end - at), &code), piece_length = taken;
        bool json = form == CATNAP_ESCAPE_JSON;
        if (taken == 0 || is_unsafe(code) || (json && (code == '"' || code == '\\'))) {
            piece_length = (size_t)(json ? escape_in_json(code, taken, escape)
                                         : escape_in_text(at, taken, escape));
            piece = escape;
        }
        fits = fits && piece_length < size - used;
        if (fits) {
            memcpy(out + used, piece, piece_length);
            used += piece_length;
        }
        total += piece_length;
        at += taken > 0 ? taken : 1;
    }
    if (size > 0)
        out[used] = '\0';
    return total;
}
