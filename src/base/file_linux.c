/* Files that appear whole or not at all, and files that are mapped. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/platform.h"

#define TRIES 16

/* A device, a pipe or a directory must not give way to a file. */
static bool may_be_replaced(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
        return true;
    errno = S_ISDIR(st.st_mode) ? EISDIR : ENOTSUP;
    return false;
}

bool cn_os_file_new(struct os_file *file, const char *path) {
    size_t size = strlen(path) + sizeof ".0123456789abcdef";
    file->descriptor = -1;
    file->temporary = NULL;
    if (!may_be_replaced(path))
        return false;
    file->temporary = malloc(size);
    for (int i = 0; i < TRIES && file->temporary && file->descriptor < 0; i++) {
        uint64_t random;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            break;
        snprintf(file->temporary, size, "%s.%016" PRIx64, path, random);
        /* Made anew and with the mode that the process's umask leaves: nobody else's file. */
        file->descriptor = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->descriptor < 0 && errno != EEXIST)
            break;
    }
    if (file->descriptor >= 0)
        return true;
    int reason = errno;
    free(file->temporary);
    file->temporary = NULL;
    errno = reason;
    return false;
}

bool cn_os_file_write(struct os_file *file, const void *bytes, size_t size) {
    const char *at = bytes;
    while (size > 0) {
        ssize_t written = write(file->descriptor, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

void cn_os_file_abandon(struct os_file *file) {
    int reason = errno;
    close(file->descriptor);
    unlink(file->temporary);
    free(file->temporary);
    errno = reason;
}

/* The directory that a path is in, for flushing it; -1 and errno. */
static int open_directory(const char *path) {
    const char *slash = strrchr(path, '/');
    char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int reason = errno;
    free(directory);
    errno = reason;
    return fd;
}

static bool flush(int descriptor) {
    int result;
    do
        result = fsync(descriptor);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* A directory may be one that can be written to but not read, or of a kind that cannot be flushed. */
bool cn_os_file_finish(struct os_file *file, const char *path) {
    int directory = open_directory(path);
    if ((directory < 0 && errno != EACCES) || !flush(file->descriptor) ||
        rename(file->temporary, path) != 0) {
        cn_os_file_abandon(file);
        if (directory >= 0)
            close(directory);
        return false;
    }
    close(file->descriptor);
    free(file->temporary);
    bool flushed = directory < 0 || flush(directory) || errno == EINVAL;
    int reason = errno;
    if (directory >= 0)
        close(directory);
    errno = reason;
    return flushed;
}

int cn_os_file_open(const char *path, uint64_t *length) {
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *length = 0;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : ENOTSUP;
        close(fd);
        return -1;
    }
    *length = (uint64_t)st.st_size;
    return fd;
}

uint8_t *cn_os_file_map(int descriptor, size_t length) {
    void *start = mmap(NULL, length, PROT_READ, MAP_PRIVATE, descriptor, 0);
    return start == MAP_FAILED ? NULL : start;
}
