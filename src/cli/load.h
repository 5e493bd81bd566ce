/*
 * From a file's name to a module's bytes. They are a copy in private memory: a file that a guest or
 * another process rewrites or truncates later changes nothing that was validated.
 */
#ifndef CATNAP_CLI_LOAD_H
#define CATNAP_CLI_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag.h"

enum load_form {
    LOAD_MODULE, /* a binary, or text that is turned into one */
    LOAD_AS_IS   /* whatever is there */
};

/* Bytes in memory of malloc(). */
struct bytes {
    const uint8_t *data;
    size_t length;
};

/* Reads `path`, where - is standard input. Told the user when it returns anything but OK. */
enum cli_exit load_file(const struct diag *, const char *path, enum load_form, struct bytes *out);

void bytes_free(struct bytes *);

/* Loads, decodes and validates `path`, through the cache unless that is NULL. The module owns the
 * bytes; where they are is told, too. */
enum cli_exit load_module(const struct diag *, wasm_store_t *, catnap_cache_t *, const char *path,
                          WASM_OWN wasm_module_t **out, struct bytes *borrowed);

/* How messages call a file: `-` becomes <stdin>. */
const char *display_name(const char *path);

#endif
