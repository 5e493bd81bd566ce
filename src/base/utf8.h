/* UTF-8 as the specification, section 5.2.4, wants names: no surrogates, no overlong forms. */
#ifndef CN_BASE_UTF8_H
#define CN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool cn_utf8_valid(const uint8_t *bytes, size_t length);

#endif
