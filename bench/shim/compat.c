/* A WASI program is one process without users, other processes and file locks: the answers below
 * follow from that. */
#include "compat.h"
#undef fcntl

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

int chmod(const char *path, mode_t mode) {
    (void)path, (void)mode;
    return 0;
}

int fchmod(int fd, mode_t mode) {
    (void)fd, (void)mode;
    return 0;
}

int chown(const char *path, uid_t owner, gid_t group) {
    (void)path, (void)owner, (void)group;
    return 0;
}

int fchown(int fd, uid_t owner, gid_t group) {
    (void)fd, (void)owner, (void)group;
    return 0;
}

uid_t getuid(void) {
    return 1;
}

uid_t geteuid(void) {
    return 1;
}

int compat_fcntl(int fd, int command, ...) {
    va_list rest;
    int result = 0;
    va_start(rest, command);
    if (command == F_GETLK) {
        va_arg(rest, struct flock *)->l_type = F_UNLCK;
    } else if (command != F_SETLK && command != F_SETLKW) {
        result = fcntl(fd, command, va_arg(rest, int));
    }
    va_end(rest);
    return result;
}

/* No commands to run and no common place for temporary files. */
int system(const char *command) {
    errno = ENOSYS;
    return command ? -1 : 0;
}

FILE *tmpfile(void) {
    errno = ENOTSUP;
    return NULL;
}

char *tmpnam(char *name) {
    (void)name;
    return NULL;
}
