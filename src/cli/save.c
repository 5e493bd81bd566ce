#include "save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_fully(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        }
    }
    return true;
}

/* A device or a pipe is written to; there is nothing to replace. */
static bool write_through(const char *path, const void *bytes, size_t length) {
    int fd = strcmp(path, "-") == 0 ? dup(STDOUT_FILENO) : open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write_fully(fd, bytes, length);
    if (fd >= 0 && close(fd) != 0)
        ok = false;
    return ok;
}

/* Beside its final place, with the mode that a new file gets, then there. */
static bool write_beside(const char *path, const void *bytes, size_t length) {
    char *beside = NULL;
    if (asprintf(&beside, "%s.%ld", path, (long)getpid()) < 0) {
        errno = ENOMEM;
        return false;
    }
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && write_fully(fd, bytes, length);
    if (fd >= 0 && close(fd) != 0)
        ok = false;
    ok = ok && rename(beside, path) == 0;
    if (!ok && fd >= 0) {
        int reason = errno;
        unlink(beside);
        errno = reason;
    }
    free(beside);
    return ok;
}

enum cli_exit save_file(const struct diag *diag, const char *path, const void *bytes,
                        size_t length) {
    struct stat status;
    bool through = strcmp(path, "-") == 0 || (stat(path, &status) == 0 && !S_ISREG(status.st_mode));
    fflush(stdout);
    if (through ? write_through(path, bytes, length) : write_beside(path, bytes, length))
        return CLI_EXIT_OK;
    return diag_fail(diag, CLI_EXIT_IO, path, "%s", strerror(errno));
}
