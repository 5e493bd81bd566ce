/* Modules in the text format. */
#ifndef SPEC_TEXT_MODULE_H
#define SPEC_TEXT_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes a binary module of text, to be freed with free(). False, with a line of text in `why`, when
 * it cannot be read. */
bool spec_read_text(const uint8_t *text, size_t text_size, uint8_t **bytes, size_t *size, char *why,
                    size_t why_size);

#endif
