/*
 * Types, sizes and times of files: filestat_get and filestat_set of both kinds.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi/state.h"

#define NS_PER_SECOND UINT64_C(1000000000)

enum wasi_filetype cn_wasi_filetype(uint32_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return WASI_FILETYPE_REGULAR_FILE;
    case S_IFDIR:
        return WASI_FILETYPE_DIRECTORY;
    case S_IFLNK:
        return WASI_FILETYPE_SYMBOLIC_LINK;
    case S_IFCHR:
        return WASI_FILETYPE_CHARACTER_DEVICE;
    case S_IFBLK:
        return WASI_FILETYPE_BLOCK_DEVICE;
    case S_IFSOCK:
        return WASI_FILETYPE_SOCKET_STREAM;
    default:
        return WASI_FILETYPE_UNKNOWN; /* WASI has no pipes */
    }
}

/* Times before 1970 cannot be said. */
static uint64_t nanoseconds(struct timespec t) {
    if (t.tv_sec < 0 || (uint64_t)t.tv_sec >= UINT64_MAX / NS_PER_SECOND)
        return 0;
    return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

static uint16_t check_filestat(const struct wasi_call *call, uint32_t out) {
    return cn_guest_range(&call->memory, out, call->layout->filestat_size) ? WASI_SUCCESS
                                                                           : WASI_FAULT;
}

static void put_filestat(const struct wasi_call *call, uint32_t out, const struct stat *st,
                         enum wasi_filetype type) {
    const struct wasi_layout *layout = call->layout;
    uint8_t *at = cn_guest_at(&call->memory, out);
    uint8_t *rest = at + layout->filestat_times;

    memset(at, 0, layout->filestat_size);
    cn_put_u64(at, (uint64_t)st->st_dev);
    cn_put_u64(at + 8, (uint64_t)st->st_ino);
    at[16] = (uint8_t)type;
    if (layout->filestat_nlink_bytes == 8)
        cn_put_u64(at + layout->filestat_nlink, (uint64_t)st->st_nlink);
    else
        cn_put_u32(at + layout->filestat_nlink, (uint32_t)st->st_nlink);
    cn_put_u64(rest, (uint64_t)st->st_size);
    cn_put_u64(rest + 8, nanoseconds(st->st_atim));
    cn_put_u64(rest + 16, nanoseconds(st->st_mtim));
    cn_put_u64(rest + 24, nanoseconds(st->st_ctim));
}

uint16_t cn_wasi_fd_filestat_get(struct wasi_call *call, const uint64_t *a) {
    struct wasi_fd *fd;
    struct stat st = {0};
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], WASI_RIGHT_FD_FILESTAT_GET, &fd);

    if (!error)
        error = check_filestat(call, (uint32_t)a[1]);
    if (!error && fd->kind == WASI_FD_HOST && fstat(fd->host, &st) < 0)
        error = cn_wasi_errno(errno);
    if (!error)
        put_filestat(call, (uint32_t)a[1], &st, fd->filetype);
    return error;
}

uint16_t cn_wasi_path_filestat_get(struct wasi_call *call, const uint64_t *a) {
    char path[WASI_MAX_PATH];
    uint32_t lookup = (uint32_t)a[1];
    struct wasi_fd *directory;
    struct stat st;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], WASI_RIGHT_PATH_FILESTAT_GET, &directory);

    if (!error)
        error = check_filestat(call, (uint32_t)a[4]);
    if (!error && (lookup & ~(uint32_t)WASI_LOOKUP_SYMLINK_FOLLOW))
        error = WASI_INVAL;
    if (!error)
        error = cn_guest_path(&call->memory, (uint32_t)a[2], (uint32_t)a[3], path);
    if (error)
        return error;
    int flags = lookup & WASI_LOOKUP_SYMLINK_FOLLOW ? O_PATH : O_PATH | O_NOFOLLOW;
    int fd = cn_sandbox_open(call->wasi, directory->host, path, flags, 0);
    if (fd < 0)
        return cn_sandbox_errno(fd);
    error = fstat(fd, &st) < 0 ? cn_wasi_errno(errno) : WASI_SUCCESS;
    close(fd);
    if (!error)
        put_filestat(call, (uint32_t)a[4], &st, cn_wasi_filetype(st.st_mode));
    return error;
}

uint16_t cn_wasi_fd_filestat_set_size(struct wasi_call *call, const uint64_t *a) {
    struct wasi_signals signals;
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], WASI_RIGHT_FD_FILESTAT_SET_SIZE, &fd);

    if (error)
        return error;
    if (a[1] > INT64_MAX)
        return WASI_INVAL;
    cn_signals_hold(call->wasi, fd, &signals);
    int failure = ftruncate(fd->host, (off_t)a[1]) < 0 ? errno : 0;
    cn_signals_release(&signals, failure);
    return cn_wasi_errno(failure);
}

/* One of the two times: a value, the present, or as it was. Both flags at once contradict. */
static uint16_t choose_time(uint32_t flags, uint32_t set, uint32_t now, uint64_t value,
                            struct timespec *out) {
    *out = (struct timespec){.tv_nsec = UTIME_OMIT};
    if ((flags & set) && (flags & now))
        return WASI_INVAL;
    if (flags & set)
        *out = (struct timespec){.tv_sec = (time_t)(value / NS_PER_SECOND),
                                 .tv_nsec = (long)(value % NS_PER_SECOND)};
    else if (flags & now)
        out->tv_nsec = UTIME_NOW;
    return WASI_SUCCESS;
}

static uint16_t choose_times(uint64_t atim, uint64_t mtim, uint64_t flags, struct timespec out[2]) {
    uint32_t set = (uint32_t)flags;
    if (set & ~(uint32_t)WASI_FST_ALL)
        return WASI_INVAL;
    uint16_t error = choose_time(set, WASI_FST_ATIM, WASI_FST_ATIM_NOW, atim, &out[0]);
    return error ? error : choose_time(set, WASI_FST_MTIM, WASI_FST_MTIM_NOW, mtim, &out[1]);
}

uint16_t cn_wasi_fd_filestat_set_times(struct wasi_call *call, const uint64_t *a) {
    struct timespec times[2];
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], WASI_RIGHT_FD_FILESTAT_SET_TIMES, &fd);

    if (!error)
        error = choose_times(a[1], a[2], a[3], times);
    if (!error && fd->read_only)
        error = WASI_ROFS;
    if (!error && futimens(fd->host, times) < 0)
        error = cn_wasi_errno(errno);
    return error;
}

uint16_t cn_wasi_path_filestat_set_times(struct wasi_call *call, const uint64_t *a) {
    char path[WASI_MAX_PATH];
    struct timespec times[2];
    struct wasi_place place;
    struct wasi_fd *directory;
    uint32_t lookup = (uint32_t)a[1];
    uint16_t error =
        cn_fd_get(call, (uint32_t)a[0], WASI_RIGHT_PATH_FILESTAT_SET_TIMES, &directory);

    if (!error && (lookup & ~(uint32_t)WASI_LOOKUP_SYMLINK_FOLLOW))
        error = WASI_INVAL;
    if (!error)
        error = choose_times(a[4], a[5], a[6], times);
    if (!error)
        error = cn_guest_path(&call->memory, (uint32_t)a[2], (uint32_t)a[3], path);
    if (!error && directory->read_only)
        error = WASI_ROFS;
    if (error)
        return error;
    /* A slash at the end follows links too, and wants a directory: "name/" is "name/.". */
    size_t length = strlen(path);
    if (path[length - 1] == '/' && length + 1 < sizeof path)
        memcpy(path + length, ".", 2);
    error = lookup & WASI_LOOKUP_SYMLINK_FOLLOW
                ? cn_place_follow(call->wasi, directory->host, path, &place)
                : cn_place_open(call->wasi, directory->host, path, &place);
    if (error)
        return error;
    if (utimensat(place.parent, place.name, times, AT_SYMLINK_NOFOLLOW) < 0)
        error = cn_wasi_errno(errno);
    cn_place_close(&place);
    return error;
}
