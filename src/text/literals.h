/* Numbers and strings (sections 6.3.1 to 6.3.3) of tokens. */
#ifndef CN_TEXT_LITERALS_H
#define CN_TEXT_LITERALS_H

#include "text/lexer.h"

enum literal { LITERAL_OK, LITERAL_NOT, LITERAL_RANGE, LITERAL_NO_MEMORY };

/* Whether a number begins like the token: a digit, or a sign and a digit. */
bool cn_literal_is_number(const struct token *);
/* A number without sign, below or equal to the largest. */
enum literal cn_literal_unsigned(const uint8_t *text, size_t length, uint64_t largest,
                                 uint64_t *out);
/* A number of so many bits, with or without sign; as its lowest bits. */
enum literal cn_literal_integer(const uint8_t *text, size_t length, unsigned bits, uint64_t *out);
/* The bits of an f32 or f64, rounded to nearest, ties to even. */
enum literal cn_literal_float(struct alloc *, const uint8_t *text, size_t length, unsigned bits,
                              uint64_t *out);
/* Writes the bytes that a string with its quotes stands for, which are not more than there are
 * between them, and returns how many they are. */
size_t cn_literal_string(const uint8_t *text, size_t length, uint8_t *out);

#endif
