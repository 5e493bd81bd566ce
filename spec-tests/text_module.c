#include "text_module.h"

#include <inttypes.h>
#include <stdio.h>

#include "text/text.h"

bool spec_read_text(const uint8_t *text, size_t text_size, uint8_t **bytes, size_t *size, char *why,
                    size_t why_size) {
    struct alloc alloc;
    struct text_bytes made;
    struct text_error error;
    cn_alloc_init_default(&alloc); /* malloc() */
    bool read = cn_text_module(&alloc, text, text_size, TEXT_WITH_NAMES, &made, &error);
    *bytes = made.bytes;
    *size = made.length;
    if (!read) {
        snprintf(why, why_size, "%" PRIu64 ":%" PRIu64 ": %s", error.line, error.column,
                 error.message);
    }
    return read;
}
