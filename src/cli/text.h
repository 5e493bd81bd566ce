/*
 * The text format, by libwabt.
 *
 * libwabt reads text by recursion and asserts on some bad input, so it works in a process of its
 * own: hostile text costs an error message, never the command.
 */
#ifndef CATNAP_CLI_TEXT_H
#define CATNAP_CLI_TEXT_H

#include "load.h"

/* Turns a text module into a binary. Told the user when it returns anything but OK. */
enum cli_exit text_to_binary(const struct diag *, const char *path, const struct bytes *text,
                             struct bytes *out);

/* Turns a test script into the JSON of wast2json and the modules that it names, as one block:
 * for each file, the JSON first, name and contents in turn, each a 64-bit length and its bytes. */
enum cli_exit text_script_to_files(const struct diag *, const char *path, const struct bytes *text,
                                   struct bytes *out);

#endif
