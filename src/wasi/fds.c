/*
 * The guest's descriptor table: finding, taking and closing entries, and what may be done with
 * them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi/state.h"

#define SEEK_RIGHTS (WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_TELL)
#define SOCKET_RIGHTS (WASI_RIGHT_SOCK_SHUTDOWN | WASI_RIGHT_SOCK_ACCEPT)
/* Of anything that is no directory. */
#define STREAM_RIGHTS                                                                              \
    (WASI_RIGHT_FD_READ | WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_FDSTAT_SET_FLAGS |                   \
     WASI_RIGHT_FD_FILESTAT_GET | WASI_RIGHT_FD_SYNC | WASI_RIGHT_FD_DATASYNC |                    \
     WASI_RIGHT_POLL_FD_READWRITE)
/* Of files in a directory, devices and pipes as well. */
#define FILE_RIGHTS (STREAM_RIGHTS | WASI_RIGHT_FD_FILESTAT_SET_TIMES)
#define REGULAR_RIGHTS                                                                             \
    (FILE_RIGHTS | SEEK_RIGHTS | WASI_RIGHT_FD_ADVISE | WASI_RIGHT_FD_ALLOCATE |                   \
     WASI_RIGHT_FD_FILESTAT_SET_SIZE)
#define PATH_RIGHTS                                                                                \
    (WASI_RIGHT_PATH_CREATE_DIRECTORY | WASI_RIGHT_PATH_CREATE_FILE |                              \
     WASI_RIGHT_PATH_LINK_SOURCE | WASI_RIGHT_PATH_LINK_TARGET | WASI_RIGHT_PATH_OPEN |            \
     WASI_RIGHT_FD_READDIR | WASI_RIGHT_PATH_READLINK | WASI_RIGHT_PATH_RENAME_SOURCE |            \
     WASI_RIGHT_PATH_RENAME_TARGET | WASI_RIGHT_PATH_FILESTAT_GET |                                \
     WASI_RIGHT_PATH_FILESTAT_SET_SIZE | WASI_RIGHT_PATH_FILESTAT_SET_TIMES |                      \
     WASI_RIGHT_PATH_SYMLINK | WASI_RIGHT_PATH_REMOVE_DIRECTORY | WASI_RIGHT_PATH_UNLINK_FILE)
#define DIRECTORY_RIGHTS                                                                           \
    (PATH_RIGHTS | WASI_RIGHT_FD_FDSTAT_SET_FLAGS | WASI_RIGHT_FD_FILESTAT_GET |                   \
     WASI_RIGHT_FD_FILESTAT_SET_TIMES | WASI_RIGHT_FD_SYNC | WASI_RIGHT_FD_DATASYNC)
#define DATA_RIGHTS                                                                                \
    (WASI_RIGHT_FD_READ | WASI_RIGHT_FD_WRITE | SEEK_RIGHTS | WASI_RIGHT_FD_ADVISE |               \
     WASI_RIGHT_FD_ALLOCATE | WASI_RIGHT_FD_FILESTAT_SET_SIZE)

uint64_t cn_fd_type_rights(const struct wasi_fd *fd) {
    uint64_t rights;

    if (fd->filetype == WASI_FILETYPE_DIRECTORY)
        rights = DIRECTORY_RIGHTS;
    else if (cn_fd_is_socket(fd))
        rights = STREAM_RIGHTS | SOCKET_RIGHTS;
    else if (fd->filetype == WASI_FILETYPE_REGULAR_FILE)
        rights = REGULAR_RIGHTS;
    else if (fd->seekable)
        rights = FILE_RIGHTS | SEEK_RIGHTS; /* wasi-libc takes what cannot seek for a terminal */
    else
        rights = FILE_RIGHTS;
    return rights;
}

/*
 * The errno for rights that a descriptor lacks: its type's own where no such descriptor has them.
 */
static uint16_t missing_right(const struct wasi_fd *fd, uint64_t missing) {
    bool directory = fd->filetype == WASI_FILETYPE_DIRECTORY;

    if ((missing & SOCKET_RIGHTS) && !cn_fd_is_socket(fd))
        return WASI_NOTSOCK;
    if ((missing & PATH_RIGHTS) && !directory)
        return WASI_NOTDIR;
    if ((missing & DATA_RIGHTS) && directory)
        return WASI_ISDIR;
    if ((missing & SEEK_RIGHTS) && !fd->seekable)
        return WASI_SPIPE;
    return WASI_NOTCAPABLE;
}

uint16_t cn_fd_get(struct wasi_call *call, uint32_t number, uint64_t rights, struct wasi_fd **out) {
    const catnap_wasi_t *wasi = call->wasi;
    cn_call_lock(call);
    if (number >= wasi->fd_count || wasi->fds[number].kind == WASI_FD_CLOSED)
        return WASI_BADF;
    struct wasi_fd *fd = &wasi->fds[number];
    uint64_t held = fd->rights;
    if (held & WASI_RIGHT_FD_SEEK)
        held |= WASI_RIGHT_FD_TELL;
    if (rights & ~held)
        return missing_right(fd, rights & ~held);
    *out = fd;
    return WASI_SUCCESS;
}

/* Whether those that are open, and those that calls of threads still use, are as many as may be. */
static bool is_full(const catnap_wasi_t *wasi) {
    uint32_t count = wasi->orphans;
    for (uint32_t i = 0; i < wasi->fd_count; i++)
        count += wasi->fds[i].kind != WASI_FD_CLOSED;
    return count >= WASI_MAX_FDS;
}

uint16_t cn_fd_reserve(catnap_wasi_t *wasi, uint32_t *number) {
    if (wasi->orphans > 0 && is_full(wasi))
        return WASI_MFILE;
    for (uint32_t i = 0; i < wasi->fd_count; i++)
        if (wasi->fds[i].kind == WASI_FD_CLOSED) {
            *number = i;
            return WASI_SUCCESS;
        }
    if (wasi->fd_count == WASI_MAX_FDS)
        return WASI_MFILE;
    uint32_t count = wasi->fd_count ? wasi->fd_count * 2 : 8;
    if (count > WASI_MAX_FDS)
        count = WASI_MAX_FDS;
    struct wasi_fd *fds = realloc(wasi->fds, count * sizeof *fds);
    if (!fds)
        return WASI_NOMEM;
    memset(fds + wasi->fd_count, 0, (count - wasi->fd_count) * sizeof *fds);
    *number = wasi->fd_count;
    wasi->fds = fds;
    wasi->fd_count = count;
    return WASI_SUCCESS;
}

static void close_host(const struct wasi_fd *fd) {
    if (fd->kind == WASI_FD_HOST && !fd->lent && !fd->kept)
        close(fd->host);
}

void cn_fd_drop(struct wasi_fd *fd) {
    if (fd->use) {
        fd->use->orphaned = true;
        fd->use->wasi->orphans++;
    } else {
        close_host(fd);
    }
    if (!fd->kept)
        free(fd->path);
    free(fd->listing.ends);
    *fd = (struct wasi_fd){.kind = WASI_FD_CLOSED};
}

int cn_fd_describe(int host, struct wasi_fd *out) {
    struct stat st;

    if (fstat(host, &st) < 0)
        return errno;
    out->filetype = cn_wasi_filetype(st.st_mode);
    out->waits = !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISBLK(st.st_mode);
    out->pipe = S_ISFIFO(st.st_mode);
    out->seekable =
        S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) || (S_ISCHR(st.st_mode) && !isatty(host));
    if (S_ISSOCK(st.st_mode)) {
        int type = 0;
        socklen_t size = sizeof type;
        if (getsockopt(host, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM)
            out->filetype = WASI_FILETYPE_SOCKET_DGRAM;
    }
    return 0;
}

/* ---- Use by several threads ------------------------------------------------------------------ */

void cn_call_lock(struct wasi_call *call) {
    if (call->wasi->threads && !call->locked) {
        pthread_mutex_lock(&call->wasi->mutex);
        call->locked = true;
    }
}

void cn_call_unlock(struct wasi_call *call) {
    if (call->locked) {
        call->locked = false;
        pthread_mutex_unlock(&call->wasi->mutex);
    }
}

uint16_t cn_fd_keep(struct wasi_call *call, struct wasi_fd **fd) {
    struct wasi_use *use = (*fd)->use;
    if (!call->wasi->threads)
        return WASI_SUCCESS;
    if (!use) {
        use = calloc(1, sizeof *use);
        if (!use)
            return WASI_NOMEM;
        use->wasi = call->wasi;
        use->number = (uint32_t)(*fd - call->wasi->fds);
        (*fd)->use = use;
        use->fd = **fd;
    }
    use->calls++;
    *fd = &use->fd;
    return WASI_SUCCESS;
}

uint16_t cn_fd_hold(struct wasi_call *call, struct wasi_fd **fd) {
    if ((*fd)->kind == WASI_FD_STREAM &&
        call->wasi->streams[(*fd)->stream].kind != WASI_STREAM_CALLBACK)
        return WASI_SUCCESS;
    const struct wasi_fd *entry = *fd;
    uint16_t error = cn_fd_keep(call, fd);
    if (error || !call->wasi->threads)
        return error;
    call->held = *entry;
    *fd = &call->held;
    cn_call_unlock(call);
    return WASI_SUCCESS;
}

void cn_fd_let_go(struct wasi_call *call, const struct wasi_fd *fd) {
    struct wasi_use *use = fd->use;
    if (!use || (fd != &use->fd && fd != &call->held))
        return;
    cn_call_lock(call);
    if (--use->calls > 0)
        return;
    if (use->orphaned) {
        use->wasi->orphans--;
        close_host(fd);
    } else {
        use->wasi->fds[use->number].use = NULL;
    }
    free(use);
}

/* ---- Functions of the guest on descriptors as such ------------------------------------------- */

uint16_t cn_wasi_fd_close(struct wasi_call *call, const uint64_t *a) {
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], 0, &fd);
    if (!error)
        cn_fd_drop(fd);
    return error;
}

/* `to` must be open: a guest cannot make numbers up. Both may be pre-opened. */
uint16_t cn_wasi_fd_renumber(struct wasi_call *call, const uint64_t *a) {
    struct wasi_fd *from, *to = NULL;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], 0, &from);
    if (!error)
        error = cn_fd_get(call, (uint32_t)a[1], 0, &to);
    if (error || from == to)
        return error;
    cn_fd_drop(to);
    *to = *from;
    if (to->use)
        to->use->number = (uint32_t)a[1];
    *from = (struct wasi_fd){.kind = WASI_FD_CLOSED};
    return WASI_SUCCESS;
}

uint16_t cn_wasi_fd_fdstat_get(struct wasi_call *call, const uint64_t *a) {
    uint32_t out = (uint32_t)a[1];
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], 0, &fd);

    if (error)
        return error;
    if (!cn_guest_range(&call->memory, out, WASI_FDSTAT_SIZE))
        return WASI_FAULT;
    uint8_t *at = cn_guest_at(&call->memory, out);
    memset(at, 0, WASI_FDSTAT_SIZE);
    at[0] = (uint8_t)fd->filetype;
    cn_put_u16(at + 2, fd->flags);
    cn_put_u64(at + 8, fd->rights);
    cn_put_u64(at + 16, fd->inheriting);
    return WASI_SUCCESS;
}

/* APPEND and NONBLOCK can be changed, the synchronous modes only at path_open. */
uint16_t cn_wasi_fd_fdstat_set_flags(struct wasi_call *call, const uint64_t *a) {
    uint32_t flags = (uint32_t)a[1];
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], WASI_RIGHT_FD_FDSTAT_SET_FLAGS, &fd);

    if (error)
        return error;
    if (flags & ~(uint32_t)WASI_FDFLAGS_ALL)
        return WASI_INVAL;
    uint32_t change = flags ^ fd->flags;
    if (change & ~(uint32_t)(WASI_FDFLAG_APPEND | WASI_FDFLAG_NONBLOCK))
        return WASI_NOTSUP;
    if ((change & WASI_FDFLAG_APPEND) && fd->kind == WASI_FD_HOST) {
        if (fd->lent)
            return WASI_NOTSUP; /* the flag would be the host's as well */
        int append = flags & WASI_FDFLAG_APPEND ? O_APPEND : 0;
        int host = fcntl(fd->host, F_GETFL);
        if (host < 0 || fcntl(fd->host, F_SETFL, (host & ~O_APPEND) | append) < 0)
            return cn_wasi_errno(errno);
    }
    fd->flags = (uint16_t)flags;
    return WASI_SUCCESS;
}

/* Rights can only be given up. */
uint16_t cn_wasi_fd_fdstat_set_rights(struct wasi_call *call, const uint64_t *a) {
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], 0, &fd);

    if (error)
        return error;
    if ((a[1] & ~fd->rights) || (a[2] & ~fd->inheriting))
        return WASI_NOTCAPABLE;
    fd->rights = a[1];
    fd->inheriting = a[2];
    return WASI_SUCCESS;
}

/* Only what is still a pre-opened directory answers, so that wasi-libc stops looking behind it. */
static uint16_t get_preopen(struct wasi_call *call, uint64_t number, const char **name) {
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)number, 0, &fd);

    if (error)
        return error;
    if (!fd->is_preopen)
        return WASI_BADF;
    *name = call->wasi->preopens[fd->preopen].guest_path;
    return WASI_SUCCESS;
}

uint16_t cn_wasi_fd_prestat_get(struct wasi_call *call, const uint64_t *a) {
    uint32_t out = (uint32_t)a[1];
    const char *name;
    uint16_t error = get_preopen(call, a[0], &name);

    if (error)
        return error;
    if (!cn_guest_range(&call->memory, out, WASI_PRESTAT_SIZE))
        return WASI_FAULT;
    uint8_t *at = cn_guest_at(&call->memory, out);
    memset(at, 0, WASI_PRESTAT_SIZE);
    at[0] = WASI_PREOPEN_DIR;
    cn_put_u32(at + 4, (uint32_t)strlen(name));
    return WASI_SUCCESS;
}

uint16_t cn_wasi_fd_prestat_dir_name(struct wasi_call *call, const uint64_t *a) {
    uint32_t out = (uint32_t)a[1], size = (uint32_t)a[2];
    const char *name;
    uint16_t error = get_preopen(call, a[0], &name);

    if (error)
        return error;
    if (!cn_guest_range(&call->memory, out, size))
        return WASI_FAULT;
    size_t length = strlen(name);
    if (size < length)
        return WASI_NAMETOOLONG;
    memcpy(cn_guest_at(&call->memory, out), name, length);
    return WASI_SUCCESS;
}
