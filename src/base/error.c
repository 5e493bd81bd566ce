#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"

/* Each byte becomes one or more, so what is cut off here would not fit into the message either. */
void cn_format_line(char *out, size_t size, const char *format, va_list arguments) {
    char raw[LONGEST_LINE + 4];
    size_t wanted = size < LONGEST_LINE ? size + 4 : sizeof raw;
    int length = vsnprintf(raw, wanted, format, arguments);
    cn_escape(CATNAP_ESCAPE_TEXT, raw, length < 0 ? 0 : strlen(raw), out, size);
}

static void fill(struct error *error, catnap_status_t status, uint64_t offset, const char *format,
                 va_list arguments) {
    error->status = status;
    error->func = CN_NO_FUNC;
    error->offset = offset;
    cn_format_line(error->message, sizeof error->message, format, arguments);
}

bool cn_fail(struct error *error, catnap_status_t status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, CN_NO_OFFSET, format, arguments);
    va_end(arguments);
    return false;
}

bool cn_fail_at(struct error *error, catnap_status_t status, uint64_t offset, const char *format,
                ...) {
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, offset, format, arguments);
    va_end(arguments);
    return false;
}

bool cn_fail_memory(struct error *error) {
    return cn_fail(error, CATNAP_NO_MEMORY, "memory is exhausted");
}
