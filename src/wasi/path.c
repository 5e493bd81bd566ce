/*
 * The path functions that make, remove, rename and link. Each resolves the directory inside the
 * sandbox and then acts on one name in it, following nothing (place.c). A path that ends in `.` or
 * `..` names a directory that none of them can act on: each has its fixed errno for that, the one
 * that the host's own call gives.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi/state.h"

static uint16_t result_of(int result) {
    return result < 0 ? cn_wasi_errno(errno) : WASI_SUCCESS;
}

/* Finds a directory with rights, of which something will be changed. */
static uint16_t get_directory(struct wasi_call *call, uint64_t number, uint64_t rights, int *root) {
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)number, rights, &fd);

    if (error)
        return error;
    *root = fd->host;
    return fd->read_only ? WASI_ROFS : WASI_SUCCESS;
}

/* Finds a directory and resolves a path of the guest below it, for a change. */
static uint16_t open_place(struct wasi_call *call, uint64_t number, uint64_t rights,
                           uint64_t pointer, uint64_t length, struct wasi_place *place) {
    char path[WASI_MAX_PATH];
    int root;
    uint16_t error = get_directory(call, number, rights, &root);

    if (!error)
        error = cn_guest_path(&call->memory, (uint32_t)pointer, (uint32_t)length, path);
    return error ? error : cn_place_open(call->wasi, root, path, place);
}

static int place_stat(const struct wasi_place *place, struct stat *out) {
    return fstatat(place->parent, place->name, out, AT_SYMLINK_NOFOLLOW);
}

uint16_t cn_wasi_path_create_directory(struct wasi_call *call, const uint64_t *a) {
    struct wasi_place place;
    uint16_t error = open_place(call, a[0], WASI_RIGHT_PATH_CREATE_DIRECTORY, a[1], a[2], &place);

    if (error)
        return error;
    error = place.kind == WASI_PLACE_NAME ? result_of(mkdirat(place.parent, place.name, 0777))
                                          : WASI_EXIST;
    cn_place_close(&place);
    return error;
}

uint16_t cn_wasi_path_remove_directory(struct wasi_call *call, const uint64_t *a) {
    struct wasi_place place;
    uint16_t error = open_place(call, a[0], WASI_RIGHT_PATH_REMOVE_DIRECTORY, a[1], a[2], &place);

    if (error)
        return error;
    if (place.kind == WASI_PLACE_NAME)
        error = result_of(unlinkat(place.parent, place.name, AT_REMOVEDIR));
    else
        error = place.kind == WASI_PLACE_DOT ? WASI_INVAL : WASI_NOTEMPTY;
    cn_place_close(&place);
    return error;
}

/* "name/" can only be a directory: it is never removed here, only the reason is looked up. */
static uint16_t unlink_slash(const struct wasi_place *place) {
    struct stat st;
    if (place_stat(place, &st) < 0)
        return cn_wasi_errno(errno);
    return S_ISDIR(st.st_mode) ? WASI_ISDIR : WASI_NOTDIR;
}

uint16_t cn_wasi_path_unlink_file(struct wasi_call *call, const uint64_t *a) {
    struct wasi_place place;
    uint16_t error = open_place(call, a[0], WASI_RIGHT_PATH_UNLINK_FILE, a[1], a[2], &place);

    if (error)
        return error;
    if (place.kind != WASI_PLACE_NAME)
        error = WASI_ISDIR;
    else if (place.slash)
        error = unlink_slash(&place);
    else
        error = result_of(unlinkat(place.parent, place.name, 0));
    cn_place_close(&place);
    return error;
}

static uint16_t rename_place(const struct wasi_place *from, const struct wasi_place *to) {
    struct stat st;

    if (from->kind != WASI_PLACE_NAME || to->kind != WASI_PLACE_NAME)
        return WASI_BUSY;
    if (from->slash || to->slash) { /* only a directory can be called that */
        if (place_stat(from, &st) < 0)
            return cn_wasi_errno(errno);
        if (!S_ISDIR(st.st_mode))
            return WASI_NOTDIR;
    }
    return result_of(renameat(from->parent, from->name, to->parent, to->name));
}

uint16_t cn_wasi_path_rename(struct wasi_call *call, const uint64_t *a) {
    struct wasi_place from, to;
    uint16_t error = open_place(call, a[0], WASI_RIGHT_PATH_RENAME_SOURCE, a[1], a[2], &from);

    if (error)
        return error;
    error = open_place(call, a[3], WASI_RIGHT_PATH_RENAME_TARGET, a[4], a[5], &to);
    if (!error) {
        error = rename_place(&from, &to);
        cn_place_close(&to);
    }
    cn_place_close(&from);
    return error;
}

/* Whether a link can be made there: "name/" is refused, since a link is no directory. */
static uint16_t check_new_link(const struct wasi_place *place) {
    struct stat st;

    if (place->kind != WASI_PLACE_NAME)
        return WASI_EXIST;
    if (place->slash)
        return place_stat(place, &st) < 0 ? WASI_NOENT : WASI_EXIST;
    return WASI_SUCCESS;
}

/*
 * The old name of a hard link. Read-only counts for it too, since the link would open a way round.
 */
static uint16_t open_link_source(struct wasi_call *call, const uint64_t *a,
                                 struct wasi_place *place) {
    char path[WASI_MAX_PATH];
    bool follow = a[1] & WASI_LOOKUP_SYMLINK_FOLLOW;
    int root;
    uint16_t error = get_directory(call, a[0], WASI_RIGHT_PATH_LINK_SOURCE, &root);

    if (!error && ((uint32_t)a[1] & ~(uint32_t)WASI_LOOKUP_SYMLINK_FOLLOW))
        error = WASI_INVAL;
    if (!error)
        error = cn_guest_path(&call->memory, (uint32_t)a[2], (uint32_t)a[3], path);
    if (error)
        return error;
    return follow ? cn_place_follow(call->wasi, root, path, place)
                  : cn_place_open(call->wasi, root, path, place);
}

static uint16_t link_place(const struct wasi_place *from, const struct wasi_place *to) {
    uint16_t error = check_new_link(to);
    struct stat st;

    if (error)
        return error;
    if (from->kind != WASI_PLACE_NAME)
        return WASI_PERM;
    if (from->slash) { /* a directory, which cannot be linked, or an error */
        if (place_stat(from, &st) < 0)
            return cn_wasi_errno(errno);
        return S_ISDIR(st.st_mode) ? WASI_PERM : WASI_NOTDIR;
    }
    return result_of(linkat(from->parent, from->name, to->parent, to->name, 0));
}

uint16_t cn_wasi_path_link(struct wasi_call *call, const uint64_t *a) {
    struct wasi_place from, to;
    uint16_t error = open_link_source(call, a, &from);

    if (error)
        return error;
    error = open_place(call, a[4], WASI_RIGHT_PATH_LINK_TARGET, a[5], a[6], &to);
    if (!error) {
        error = link_place(&from, &to);
        cn_place_close(&to);
    }
    cn_place_close(&from);
    return error;
}

/* An absolute target would name a file of the host: refused, as wasi-libc's users expect. */
uint16_t cn_wasi_path_symlink(struct wasi_call *call, const uint64_t *a) {
    char target[WASI_MAX_PATH];
    struct wasi_place place;
    uint16_t error = cn_guest_path(&call->memory, (uint32_t)a[0], (uint32_t)a[1], target);

    if (error)
        return error;
    if (target[0] == '/')
        return WASI_NOTCAPABLE;
    error = open_place(call, a[2], WASI_RIGHT_PATH_SYMLINK, a[3], a[4], &place);
    if (error)
        return error;
    error = check_new_link(&place);
    if (!error)
        error = result_of(symlinkat(target, place.parent, place.name));
    cn_place_close(&place);
    return error;
}

/* Reads a link's target into `out`; *length is how long it is. */
static uint16_t read_link(const catnap_wasi_t *wasi, const struct wasi_place *place,
                          char out[WASI_MAX_PATH], size_t *length) {
    if (place->kind != WASI_PLACE_NAME)
        return WASI_INVAL; /* a directory is no link */
    if (place->slash) {
        int fd = cn_sandbox_open(wasi, place->parent, place->name, O_PATH | O_DIRECTORY, 0);
        if (fd < 0)
            return cn_sandbox_errno(fd);
        close(fd);
        return WASI_INVAL;
    }
    ssize_t size = readlinkat(place->parent, place->name, out, WASI_MAX_PATH);
    if (size < 0)
        return cn_wasi_errno(errno);
    *length = (size_t)size;
    return WASI_SUCCESS;
}

uint16_t cn_wasi_path_readlink(struct wasi_call *call, const uint64_t *a) {
    char path[WASI_MAX_PATH];
    uint32_t out = (uint32_t)a[3], size = (uint32_t)a[4], used = (uint32_t)a[5];
    size_t length = 0;
    struct wasi_place place;
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], WASI_RIGHT_PATH_READLINK, &fd);

    if (!error &&
        (!cn_guest_range(&call->memory, out, size) || !cn_guest_range(&call->memory, used, 4)))
        error = WASI_FAULT;
    if (!error)
        error = cn_guest_path(&call->memory, (uint32_t)a[1], (uint32_t)a[2], path);
    if (!error)
        error = cn_place_open(call->wasi, fd->host, path, &place);
    if (error)
        return error;
    error = read_link(call->wasi, &place, path, &length);
    cn_place_close(&place);
    if (error)
        return error;
    if (length < size)
        size = (uint32_t)length;
    memcpy(cn_guest_at(&call->memory, out), path, size);
    cn_put_u32(cn_guest_at(&call->memory, used), size);
    return WASI_SUCCESS;
}
