/*
 * fd_readdir. The kernel's offsets of entries take 64 bits, and what telldir() gives in a guest has
 * 32: so a cookie is the ordinal of an entry, and a table of the descriptor's has the offsets. It is
 * as large as WASI_MAX_COOKIES at most; a cookie that it does not have, since it is older, or is of
 * another descriptor, is reached by reading.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kernel.h"
#include "wasi/state.h"

/* ---- Cookies --------------------------------------------------------------------------------- */

/* Makes room for one more; the older half goes where the table is as large as it may be. */
static bool reserve_end(struct wasi_listing *listing) {
    if (listing->count < listing->capacity)
        return true;
    if (listing->count == WASI_MAX_COOKIES) {
        uint32_t half = WASI_MAX_COOKIES / 2;
        memmove(listing->ends, listing->ends + half, (listing->count - half) * sizeof(int64_t));
        listing->first += half;
        listing->count -= half;
        return true;
    }
    uint32_t capacity = listing->capacity ? listing->capacity * 2 : 64;
    int64_t *ends = realloc(listing->ends, capacity * sizeof *ends);
    if (!ends)
        return false;
    listing->ends = ends;
    listing->capacity = capacity;
    return true;
}

/*
 * Moves *cookie behind the entry that follows it and ends there. Where entries have been removed
 * since they were read last, the others keep their numbers; where one came in between, those behind
 * it get others. False when there is no memory.
 */
static bool number_entry(struct wasi_listing *listing, uint64_t *cookie, int64_t end) {
    uint32_t known = (uint32_t)(*cookie - listing->first);

    for (uint32_t i = known; i < listing->count; i++)
        if (listing->ends[i] == end) {
            *cookie = listing->first + i + 1;
            return true;
        }
    listing->count = known;
    if (!reserve_end(listing))
        return false;
    listing->ends[listing->count++] = end;
    ++*cookie;
    return true;
}

static bool is_known(const struct wasi_listing *listing, uint64_t cookie) {
    return cookie == listing->first
               ? cookie == 0
               : cookie > listing->first && cookie - listing->first <= listing->count;
}

static uint16_t go_to(int directory, const struct wasi_listing *listing, uint64_t cookie) {
    int64_t end = cookie ? listing->ends[cookie - listing->first - 1] : 0;
    return lseek(directory, (off_t)end, SEEK_SET) < 0 ? cn_wasi_errno(errno) : WASI_SUCCESS;
}

/* The directory's next entries; none at its end. Gives their size, or -errno. */
static ssize_t next_entries(int directory, char *buffer, size_t size) {
    ssize_t got = getdents64(directory, buffer, size);
    if (got < 0)
        return errno == ENOENT ? 0 : -errno; /* which a removed directory gives */
    CN_WRITTEN_BY_KERNEL(buffer, (size_t)got);
    return got;
}

#define BATCH 8192

/* Makes a cookie known that lies behind those that are. */
static uint16_t read_on(struct wasi_call *call, struct wasi_fd *fd, uint64_t cookie) {
    _Alignas(struct dirent64) char buffer[BATCH];
    struct wasi_listing *listing = &fd->listing;
    uint64_t reached = listing->first + listing->count;
    uint16_t error = go_to(fd->host, listing, reached);

    while (!error && reached < cookie) {
        if (cn_call_interrupted(call))
            return WASI_INTR;
        ssize_t size = next_entries(fd->host, buffer, sizeof buffer);
        if (size <= 0)
            return size ? cn_wasi_errno((int)-size) : WASI_INVAL;
        for (ssize_t at = 0; at < size && reached < cookie;) {
            const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
            if (!number_entry(listing, &reached, entry->d_off))
                return WASI_NOMEM;
            at += entry->d_reclen;
        }
    }
    return error;
}

/* Lets the directory go on behind a cookie; INVAL when it has no such entry. */
static uint16_t continue_from(struct wasi_call *call, struct wasi_fd *fd, uint64_t cookie) {
    struct wasi_listing *listing = &fd->listing;
    uint16_t error = WASI_SUCCESS;

    if (cookie <= listing->first)
        listing->first = listing->count = 0;
    if (!is_known(listing, cookie))
        error = read_on(call, fd, cookie);
    return error ? error : go_to(fd->host, listing, cookie);
}

/* ---- Entries --------------------------------------------------------------------------------- */

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
static bool put_entry(struct output *out, int directory, const struct dirent64 *entry,
                      uint64_t cookie) {
    uint8_t header[WASI_DIRENT_SIZE] = {0};
    size_t length = strlen(entry->d_name);

    cn_put_u64(header, cookie);
    cn_put_u64(header + 8, (uint64_t)entry->d_ino);
    cn_put_u32(header + 16, (uint32_t)length);
    header[20] = (uint8_t)entry_type(directory, entry);
    return put_bytes(out, header, sizeof header) && put_bytes(out, entry->d_name, length);
}

static uint16_t read_entries(struct wasi_fd *fd, uint64_t cookie, struct output *out) {
    _Alignas(struct dirent64) char buffer[BATCH];

    while (out->left) {
        ssize_t size = next_entries(fd->host, buffer, sizeof buffer);
        if (size <= 0)
            return cn_wasi_errno((int)-size);
        for (ssize_t at = 0; at < size;) {
            const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
            if (!number_entry(&fd->listing, &cookie, entry->d_off))
                return WASI_NOMEM;
            if (!put_entry(out, fd->host, entry, cookie))
                return WASI_SUCCESS;
            at += entry->d_reclen;
        }
    }
    return WASI_SUCCESS;
}

uint16_t cn_wasi_fd_readdir(struct wasi_call *call, const uint64_t *a) {
    uint32_t buffer = (uint32_t)a[1], size = (uint32_t)a[2], used = (uint32_t)a[4];
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], WASI_RIGHT_FD_READDIR, &fd);

    if (!error &&
        (!cn_guest_range(&call->memory, buffer, size) || !cn_guest_range(&call->memory, used, 4)))
        error = WASI_FAULT;
    if (!error)
        error = continue_from(call, fd, a[3]);
    if (error)
        return error;
    struct output out = {cn_guest_at(&call->memory, buffer), size};
    error = read_entries(fd, a[3], &out);
    if (!error)
        cn_put_u32(cn_guest_at(&call->memory, used), (uint32_t)(size - out.left));
    return error;
}
