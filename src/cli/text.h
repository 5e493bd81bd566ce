/* The text format: modules and test scripts as bytes, read by text/. */
#ifndef CATNAP_CLI_TEXT_H
#define CATNAP_CLI_TEXT_H

#include "load.h"

/* Turns a text module into a binary. Told the user when it returns anything but OK. */
enum cli_exit text_to_binary(const struct diag *, const char *path, const struct bytes *text,
                             struct bytes *out);

/* Turns a test script into JSON and the modules that it names, as one block: see cn_text_script(). */
enum cli_exit text_script_to_files(const struct diag *, const char *path, const struct bytes *text,
                                   struct bytes *out);

#endif
