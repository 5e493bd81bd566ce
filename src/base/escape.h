/* Text of unknown origin (names in modules, paths, messages of guests) as one line that a terminal or
 * a log shows and does not obey. */
#ifndef CN_BASE_ESCAPE_H
#define CN_BASE_ESCAPE_H

#include <stddef.h>

#include "catnap.h"

/* As catnap_escape() of catnap.h: writes at most `size` bytes with the NUL, never a part of an escape
 * or of a character, and returns the length that the whole text has when it is escaped. */
size_t cn_escape(catnap_escape_t form, const char *text, size_t length, char *out, size_t size);

#endif
