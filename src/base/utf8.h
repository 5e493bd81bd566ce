/* UTF-8 as the specification, section 5.2.4, wants names: no surrogates, no overlong forms. */
#ifndef CN_BASE_UTF8_H
#define CN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool cn_utf8_valid(const uint8_t *bytes, size_t length);

/* The length and the code point of the character at `at`, where `left` > 0 bytes can be read; 0 when
 * there is none. */
size_t cn_utf8_next(const uint8_t *at, size_t left, uint32_t *code);

#endif
