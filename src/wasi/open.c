/* path_open: rights, read-only pre-opens, and files whose opening may wait. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi/state.h"

#define FIFO_RETRY_NS UINT64_C(10000000) /* how often a pipe is tried that has no reader yet */

/* The arguments of the guest's call. */
struct request {
    uint32_t oflags, fdflags;
    bool follow;
    uint64_t rights, inheriting;
    char path[WASI_MAX_PATH];
};

static uint16_t check_request(const struct request *r) {
    if ((r->oflags & ~(uint32_t)WASI_OFLAGS_ALL) || (r->fdflags & ~(uint32_t)WASI_FDFLAGS_ALL))
        return WASI_INVAL;
    if ((r->oflags & WASI_OFLAG_DIRECTORY) && (r->oflags & (WASI_OFLAG_CREAT | WASI_OFLAG_TRUNC)))
        return WASI_INVAL; /* opening makes no directories */
    return WASI_SUCCESS;
}

/* The rights that the directory must have for this. */
static uint64_t directory_rights(const struct request *r) {
    uint64_t rights = WASI_RIGHT_PATH_OPEN;
    if (r->oflags & WASI_OFLAG_CREAT)
        rights |= WASI_RIGHT_PATH_CREATE_FILE;
    return rights;
}

/* TRUNC needs PATH_FILESTAT_SET_SIZE, or that the directory passes on what sets a size as well: a file
 * that is opened with it can be cut at once. Go opens directories without the first. */
static bool may_truncate(const struct wasi_fd *directory) {
    uint64_t instead = WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_FILESTAT_SET_SIZE;
    return (directory->rights & WASI_RIGHT_PATH_FILESTAT_SET_SIZE) ||
           (directory->inheriting & instead) == instead;
}

/* The rights that it must be able to pass on. */
static uint64_t inherited_rights(const struct request *r) {
    uint64_t rights = r->rights | r->inheriting;
    if (r->fdflags & WASI_FDFLAG_DSYNC)
        rights |= WASI_RIGHT_FD_DATASYNC;
    if (r->fdflags & (WASI_FDFLAG_RSYNC | WASI_FDFLAG_SYNC))
        rights |= WASI_RIGHT_FD_SYNC;
    return rights;
}

static int host_flags(const struct request *r) {
    bool reads = r->rights & WASI_RIGHT_FD_READ;
    int flags = O_NONBLOCK | O_NOCTTY; /* waiting is ours to do, so that it can be interrupted */

    if (r->rights & WASI_RIGHT_FD_WRITE)
        flags |= reads ? O_RDWR : O_WRONLY;
    if (r->oflags & WASI_OFLAG_CREAT)
        flags |= r->oflags & WASI_OFLAG_EXCL ? O_CREAT | O_EXCL : O_CREAT;
    if (r->oflags & WASI_OFLAG_DIRECTORY)
        flags |= O_DIRECTORY;
    if (r->oflags & WASI_OFLAG_TRUNC)
        flags |= O_TRUNC;
    if (r->fdflags & WASI_FDFLAG_APPEND)
        flags |= O_APPEND;
    if (r->fdflags & WASI_FDFLAG_DSYNC)
        flags |= O_DSYNC;
    if (r->fdflags & (WASI_FDFLAG_RSYNC | WASI_FDFLAG_SYNC))
        flags |= O_SYNC;
    if (!r->follow)
        flags |= O_NOFOLLOW;
    return flags;
}

static bool is_fifo(struct wasi_call *call, int root, const struct request *r) {
    struct stat st;
    int fd = cn_sandbox_open(call->wasi, root, r->path, O_PATH, 0);
    bool fifo = fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
    if (fd >= 0)
        close(fd);
    return fifo;
}

/* Opens, waiting for a reader where a pipe is opened for writing only. -EINTR when interrupted. */
static int open_host(struct wasi_call *call, int root, const struct request *r) {
    struct pollfd none[1];

    for (;;) {
        int fd = cn_sandbox_open(call->wasi, root, r->path, host_flags(r), 0666);
        if (fd != -ENXIO || (r->fdflags & WASI_FDFLAG_NONBLOCK) || !is_fifo(call, root, r))
            return fd;
        int waited = cn_call_poll(call, none, 0, FIFO_RETRY_NS);
        if (waited < 0)
            return waited;
    }
}

/* Below a read-only pre-open nothing is made or written; what exists can be opened for reading. */
static int open_read_only(struct wasi_call *call, int root, struct request *r) {
    bool create = r->oflags & WASI_OFLAG_CREAT;
    int fd;

    if (create && (r->oflags & WASI_OFLAG_EXCL)) {
        fd = cn_sandbox_open(call->wasi, root, r->path, O_PATH | O_NOFOLLOW, 0);
        if (fd >= 0)
            close(fd);
        fd = fd >= 0 ? -EEXIST : fd;
    } else if ((r->rights & WASI_RIGHT_FD_WRITE) || (r->oflags & WASI_OFLAG_TRUNC)) {
        return -EROFS;
    } else {
        r->oflags &= ~(uint32_t)WASI_OFLAG_CREAT;
        fd = open_host(call, root, r);
    }
    return create && fd == -ENOENT ? -EROFS : fd;
}

/* Where a descriptor came from: the directory's own path and the one below it. */
static uint16_t join_paths(const struct wasi_fd *directory, const char *path, char **out) {
    const char *base = directory->path ? directory->path : "";
    size_t base_length = strlen(base), length = strlen(path);

    *out = NULL;
    if (directory->preopen == WASI_NO_PREOPEN || !directory->path ||
        base_length + 1 + length >= WASI_MAX_PATH)
        return WASI_SUCCESS; /* too long to be opened again that way */
    *out = malloc(base_length + length + 2);
    if (!*out)
        return WASI_NOMEM;
    memcpy(*out, base, base_length);
    if (base_length)
        (*out)[base_length++] = '/';
    memcpy(*out + base_length, path, length + 1);
    return WASI_SUCCESS;
}

/* The descriptor of what was opened. Rights that its type cannot have fall away. */
static int describe(struct wasi_fd *fd, int host, const struct request *r) {
    int error = cn_fd_describe(host, fd);
    if (error)
        return error;
    fd->kind = WASI_FD_HOST;
    fd->host = host;
    fd->flags = (uint16_t)r->fdflags;
    fd->oflags = (uint16_t)r->oflags;
    fd->rights = r->rights & cn_fd_type_rights(fd);
    if (!(r->rights & WASI_RIGHT_FD_WRITE))
        fd->rights &= ~(WASI_RIGHT_FD_ALLOCATE | WASI_RIGHT_FD_FILESTAT_SET_SIZE);
    fd->inheriting = fd->filetype == WASI_FILETYPE_DIRECTORY ? r->inheriting : 0;
    return 0;
}

static uint16_t open_below(struct wasi_call *call, const struct wasi_fd *directory,
                           struct request *r, struct wasi_fd *fd) {
    int host = directory->read_only ? open_read_only(call, directory->host, r)
                                    : open_host(call, directory->host, r);
    if (host < 0)
        return cn_sandbox_errno(host);
    uint16_t error = cn_wasi_errno(describe(fd, host, r));
    if (error)
        close(host);
    return error;
}

/* The directory is held meanwhile; the number is found again, since other threads may have taken it. */
static uint16_t open_into(struct wasi_call *call, struct wasi_fd *directory, struct request *r,
                          uint32_t *number) {
    struct wasi_fd fd = {.preopen = directory->preopen, .read_only = directory->read_only};
    uint16_t error = join_paths(directory, r->path, &fd.path);

    if (!error)
        error = cn_fd_hold(call, &directory);
    if (!error)
        error = open_below(call, directory, r, &fd);
    cn_fd_let_go(call, directory);
    if (!error)
        error = cn_fd_reserve(call->wasi, number);
    if (error)
        cn_fd_drop(&fd);
    else
        call->wasi->fds[*number] = fd;
    return error;
}

uint16_t cn_wasi_path_open(struct wasi_call *call, const uint64_t *a) {
    uint32_t lookup = (uint32_t)a[1], out = (uint32_t)a[8], number;
    struct wasi_fd *directory;
    struct request r = {
        .oflags = (uint32_t)a[4],
        .fdflags = (uint32_t)a[7],
        .follow = lookup & WASI_LOOKUP_SYMLINK_FOLLOW,
        .rights = a[5] & WASI_RIGHTS_ALL,
        .inheriting = a[6] & WASI_RIGHTS_ALL,
    };
    cn_call_lock(call);
    uint16_t full = cn_fd_reserve(call->wasi, &number); /* first, since it moves the table */
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], directory_rights(&r), &directory);

    if (!error && !cn_guest_range(&call->memory, out, 4))
        error = WASI_FAULT;
    if (!error && (lookup & ~(uint32_t)WASI_LOOKUP_SYMLINK_FOLLOW))
        error = WASI_INVAL;
    if (!error)
        error = check_request(&r);
    if (!error && ((inherited_rights(&r) & ~directory->inheriting) ||
                   ((r.oflags & WASI_OFLAG_TRUNC) && !may_truncate(directory))))
        error = WASI_NOTCAPABLE;
    if (!error)
        error = cn_guest_path(&call->memory, (uint32_t)a[2], (uint32_t)a[3], r.path);
    if (!error)
        error = full; /* before the file is made or truncated */
    if (!error)
        error = open_into(call, directory, &r, &number);
    if (!error)
        cn_put_u32(cn_guest_at(&call->memory, out), number);
    return error;
}
