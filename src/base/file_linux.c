/* Files that appear whole or not at all, and files that are mapped. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/platform.h"

bool cn_os_file_new(struct os_file *file, const char *path) {
    size_t size = strlen(path) + sizeof ".XXXXXX";
    file->temporary = malloc(size);
    if (!file->temporary)
        return false;
    snprintf(file->temporary, size, "%s.XXXXXX", path);
    file->descriptor = mkostemp(file->temporary, O_CLOEXEC);
    if (file->descriptor >= 0)
        return true;
    free(file->temporary);
    return false;
}

bool cn_os_file_write(struct os_file *file, const void *bytes, size_t size) {
    const char *at = bytes;
    while (size > 0) {
        ssize_t written = write(file->descriptor, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

void cn_os_file_abandon(struct os_file *file) {
    close(file->descriptor);
    unlink(file->temporary);
    free(file->temporary);
}

/* The directory entry is on the disk when the directory is. */
static void sync_directory(const char *path) {
    const char *slash = strrchr(path, '/');
    char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(directory);
}

bool cn_os_file_finish(struct os_file *file, const char *path) {
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(file->descriptor, 0666 & ~mask) != 0 || fsync(file->descriptor) != 0 ||
        rename(file->temporary, path) != 0) {
        cn_os_file_abandon(file);
        return false;
    }
    close(file->descriptor);
    free(file->temporary);
    sync_directory(path);
    return true;
}

int cn_os_file_open(const char *path, uint64_t *length) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *length = 0;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
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
