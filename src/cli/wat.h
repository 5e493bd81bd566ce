/* The one door to libwabt, which is C++. */
#ifndef CATNAP_CLI_WAT_H
#define CATNAP_CLI_WAT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads text and writes what it stands for into a descriptor. False when it does not parse: then
 * the messages are written instead, one a line, escaped. May crash on hostile text. */
typedef bool wat_convert_t(const char *name, const void *text, size_t length, int fd);

/* A module's text into its binary, which is not validated. */
wat_convert_t wat_to_binary;

/* A test script into a block of files (see text.h). */
wat_convert_t wat_script_to_files;

#ifdef __cplusplus
}
#endif

#endif
