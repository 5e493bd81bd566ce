/*
 * fd_readdir. A cookie is the kernel's own offset of an entry, so that any cookie can be continued
 * from at any time and nothing is kept between calls.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi/state.h"

/* The guest's buffer, and how far it is filled. */
struct output {
    uint8_t *at;
    size_t left;
};

/* Copies what fits; false when the buffer is full. */
static bool put_bytes(struct output *out, const void *bytes, size_t size) {
    size_t fits = size < out->left ? size : out->left;
    memcpy(out->at, bytes, fits);
    out->at += fits;
    out->left -= fits;
    return out->left > 0;
}

/* From the kernel's type of an entry, or from the file where it does not know. */
static enum wasi_filetype entry_type(int directory, const struct dirent64 *entry) {
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return cn_wasi_filetype(DTTOIF(entry->d_type));
    if (fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return WASI_FILETYPE_UNKNOWN;
    return cn_wasi_filetype(st.st_mode);
}

/* An entry that does not fit is cut off: the guest sees that by its length and asks again. */
static bool put_entry(struct output *out, int directory, const struct dirent64 *entry) {
    uint8_t header[WASI_DIRENT_SIZE] = {0};
    size_t length = strlen(entry->d_name);

    cn_put_u64(header, (uint64_t)entry->d_off);
    cn_put_u64(header + 8, (uint64_t)entry->d_ino);
    cn_put_u32(header + 16, (uint32_t)length);
    header[20] = (uint8_t)entry_type(directory, entry);
    return put_bytes(out, header, sizeof header) && put_bytes(out, entry->d_name, length);
}

static uint16_t read_entries(int directory, struct output *out) {
    _Alignas(struct dirent64) char buffer[8192];

    while (out->left) {
        ssize_t size = getdents64(directory, buffer, sizeof buffer);
        if (size < 0 && errno != ENOENT) /* which a removed directory gives */
            return cn_wasi_errno(errno);
        if (size <= 0)
            return WASI_SUCCESS;
        for (ssize_t at = 0; at < size;) {
            const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
            if (!put_entry(out, directory, entry))
                return WASI_SUCCESS;
            at += entry->d_reclen;
        }
    }
    return WASI_SUCCESS;
}

uint16_t cn_wasi_fd_readdir(struct wasi_call *call, const uint64_t *a) {
    uint32_t buffer = (uint32_t)a[1], size = (uint32_t)a[2], used = (uint32_t)a[4];
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call->wasi, (uint32_t)a[0], WASI_RIGHT_FD_READDIR, &fd);

    if (!error && (!cn_guest_range(&call->memory, buffer, size) ||
                   !cn_guest_range(&call->memory, used, 4)))
        error = WASI_FAULT;
    if (error)
        return error;
    if (a[3] > INT64_MAX || lseek(fd->host, (off_t)a[3], SEEK_SET) < 0)
        return WASI_INVAL;
    struct output out = {cn_guest_at(&call->memory, buffer), size};
    error = read_entries(fd->host, &out);
    if (!error)
        cn_put_u32(cn_guest_at(&call->memory, used), (uint32_t)(size - out.left));
    return error;
}
