/*
 * How a failure travels inside the library: a fixed-size record that the caller provides, so that
 * reporting an exhausted memory needs no memory. The API turns it into a catnap_error_t.
 */
#ifndef CN_BASE_ERROR_H
#define CN_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catnap.h"

#define CN_NO_OFFSET UINT64_MAX
#define CN_NO_FUNC UINT32_MAX

struct error {
    catnap_status_t status;
    uint32_t func;   /* function index, or CN_NO_FUNC */
    uint64_t offset; /* byte offset in the module, or CN_NO_OFFSET */
    char message[240];
};

#define LONGEST_LINE 512

/* Formats a message as one line: names that enter it are escaped. It is cut to size - 1 bytes, between
 * characters, and to LONGEST_LINE - 1 at most. */
void cn_format_line(char *out, size_t size, const char *format, va_list arguments);

/* Fills the record (truncating the message) and returns false, for `return cn_fail(...)`. */
bool cn_fail(struct error *, catnap_status_t, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
/* The same with a byte offset. */
bool cn_fail_at(struct error *, catnap_status_t, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));
/* CATNAP_NO_MEMORY with its standard message. */
bool cn_fail_memory(struct error *) __attribute__((cold));

#endif
