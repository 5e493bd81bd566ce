#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static void fill(struct error *error, catnap_status_t status, uint64_t offset, const char *format,
                 va_list arguments) {
    error->status = status;
    error->func = CN_NO_FUNC;
    error->offset = offset;
    vsnprintf(error->message, sizeof error->message, format, arguments);
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
