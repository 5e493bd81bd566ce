#include "save.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
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

static bool close_written(int fd, bool written) {
    int reason = errno;
    bool closed = close(fd) == 0;
    if (!written)
        errno = reason;
    return written && closed;
}

/* Opens what the descriptor of a path stands for, whatever has its name by now. */
static int open_again(int path) {
    char name[64];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", path);
    return open(name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
}

/* A descriptor of what is to be written to and not replaced, such as a device or a pipe; -1, with *found
 * unset, when there is no such thing. It is looked at and opened as one object, not twice by name. */
static int open_special(const char *path, bool *found) {
    struct stat status;
    *found = strcmp(path, "-") == 0;
    if (*found)
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    int named = open(path, O_PATH | O_CLOEXEC);
    if (named < 0)
        return -1;
    *found = fstat(named, &status) == 0 && !S_ISREG(status.st_mode);
    int fd = *found ? open_again(named) : -1;
    int reason = errno;
    close(named);
    errno = reason;
    return fd;
}

/* A new file beside the final place, with the mode that a new file gets; *name is to be freed. */
static int create_beside(const char *path, char **name) {
    uint64_t random[2];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -1;
    if (asprintf(name, "%s.%016" PRIx64 "%016" PRIx64, path, random[0], random[1]) < 0) {
        *name = NULL;
        errno = ENOMEM;
        return -1;
    }
    return open(*name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
}

/* Beside its final place, then there. */
static bool write_beside(const char *path, const void *bytes, size_t length) {
    char *beside = NULL;
    int fd = create_beside(path, &beside);
    bool ok =
        fd >= 0 && close_written(fd, write_fully(fd, bytes, length)) && rename(beside, path) == 0;
    if (!ok && fd >= 0) {
        int reason = errno;
        unlink(beside);
        errno = reason;
    }
    free(beside);
    return ok;
}

static bool save(const char *path, const void *bytes, size_t length) {
    bool special;
    int fd = open_special(path, &special);
    if (!special)
        return write_beside(path, bytes, length);
    return fd >= 0 && close_written(fd, write_fully(fd, bytes, length));
}

enum cli_exit save_file(const struct diag *diag, const char *name, const char *path,
                        const void *bytes, size_t length) {
    fflush(stdout);
    if (save(path, bytes, length))
        return CLI_EXIT_OK;
    return diag_fail(diag, CLI_EXIT_IO, name, "%s", strerror(errno));
}
