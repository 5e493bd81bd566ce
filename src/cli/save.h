/* Bytes that become a file. */
#ifndef CATNAP_CLI_SAVE_H
#define CATNAP_CLI_SAVE_H

#include <stddef.h>

#include "diag.h"

/* Writes `path`, which messages call `name`; - is standard output. A regular file is there whole or as it was before; what
 * it was made from may be what it replaces. Told the user when it returns anything but OK. */
enum cli_exit save_file(const struct diag *, const char *name, const char *path, const void *bytes,
                        size_t length);

#endif
