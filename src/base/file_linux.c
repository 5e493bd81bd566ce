/* Files that appear whole or not at all, and files that are copied or mapped. */
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
#define COPIED 16384u /* bytes at a time; they lie on the stack */

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
        /* Created here, never opened, with the mode that the process's umask leaves. */
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

bool cn_os_file_read(int descriptor, uint64_t offset, void *bytes, size_t size) {
    uint8_t *at = bytes;
    while (size > 0) {
        ssize_t got = pread(descriptor, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO; /* the file is shorter than it was */
        if (got <= 0)
            return false;
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

static bool write_at(int descriptor, uint64_t offset, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        ssize_t put = pwrite(descriptor, bytes, size, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        bytes += put;
        offset += (uint64_t)put;
        size -= (size_t)put;
    }
    return true;
}

static bool copy_data(int from, int to, uint64_t start, uint64_t end) {
    uint8_t buffer[COPIED];
    while (start < end) {
        size_t size = end - start < sizeof buffer ? (size_t)(end - start) : sizeof buffer;
        if (!cn_os_file_read(from, start, buffer, size) || !write_at(to, start, buffer, size))
            return false;
        start += size;
    }
    return true;
}

/* Leaves holes out. A file system that knows of none has data from the first byte on. */
static bool fill_copy(int from, int to, size_t length) {
    off_t size = (off_t)length, end = 0;
    if (ftruncate(to, size) != 0)
        return false;
    while (end < size) {
        off_t start = lseek(from, end, SEEK_DATA);
        if (start < 0 && errno == ENXIO)
            break;
        if (start < 0)
            start = end;
        end = lseek(from, start, SEEK_HOLE);
        if (end < 0 || end > size)
            end = size;
        if (!copy_data(from, to, (uint64_t)start, (uint64_t)end))
            return false;
    }
    return fcntl(to, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

int cn_os_file_copy(int descriptor, size_t length) {
    int copy = memfd_create("catnap-copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy < 0 || fill_copy(descriptor, copy, length))
        return copy;
    int reason = errno;
    close(copy);
    errno = reason;
    return -1;
}

uint8_t *cn_os_file_map(int descriptor, size_t length) {
    void *start = mmap(NULL, length, PROT_READ, MAP_PRIVATE, descriptor, 0);
    return start == MAP_FAILED ? NULL : start;
}
