/* New files and directories for tests and measurements: below $TMPDIR, or /tmp. */
#ifndef TESTS_TEMPORARY_H
#define TESTS_TEMPORARY_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEMPORARY_PATH 96 /* bytes that are enough for most */

/* mkstemp() and mkdtemp() choose the last six letters. */
static inline bool temporary_name(char *path, size_t size) {
    const char *parent = getenv("TMPDIR");
    int length = snprintf(path, size, "%s/catnap-", parent && *parent ? parent : "/tmp");
    if (length < 0 || (size_t)length + 7 > size)
        return false;
    memset(path + length, 'X', 6);
    path[length + 6] = 0;
    return true;
}

/* Makes an empty directory and writes its path; false when that fails. */
static inline bool temporary_directory(char *path, size_t size) {
    return temporary_name(path, size) && mkdtemp(path);
}

/* Makes an empty file and writes its path; false when that fails. */
static inline bool temporary_file(char *path, size_t size) {
    int file = temporary_name(path, size) ? mkstemp(path) : -1;
    return file >= 0 && close(file) == 0;
}

#endif
