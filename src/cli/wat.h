/* The one door to libwabt, which is C++. */
#ifndef CATNAP_CLI_WAT_H
#define CATNAP_CLI_WAT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum wat_result {
    WAT_DONE = 0,
    WAT_REFUSED = 1, /* the text does not parse: the messages are written, one a line, escaped */
    WAT_FAILED = 2   /* the descriptor took no more: what was written is of no use */
};

/* Reads text and writes what it stands for into a descriptor. May crash on hostile text. */
typedef enum wat_result wat_convert_t(const char *name, const void *text, size_t length, int fd);

/* A module's text into its binary, which is not validated. */
wat_convert_t wat_to_binary;

/* A test script into a block of files (see text.h). */
wat_convert_t wat_script_to_files;

#ifdef __cplusplus
}
#endif

#endif
