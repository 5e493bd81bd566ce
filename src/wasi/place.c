/*
 * The last component of a path, for operations that have no openat2(): making, removing, renaming,
 * linking. The directory is opened inside the sandbox; then the operation acts on one name in it
 * and follows nothing.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "wasi/state.h"

/* Opens the directory that a path names and makes it the parent of ".". */
static uint16_t open_dots(const catnap_wasi_t *wasi, struct wasi_place *place) {
    int fd = cn_sandbox_open(wasi, place->root, place->path, O_PATH | O_DIRECTORY, 0);
    if (fd < 0)
        return cn_sandbox_errno(fd);
    place->parent = fd;
    place->name = ".";
    return WASI_SUCCESS;
}

/* Opens what stands before the last slash, which may be nothing. */
static uint16_t open_parent(const catnap_wasi_t *wasi, struct wasi_place *place, char *slash) {
    if (!slash)
        return WASI_SUCCESS; /* directly in the root */
    *slash = '\0';
    int fd = cn_sandbox_open(wasi, place->root, place->path, O_PATH | O_DIRECTORY, 0);
    *slash = '/';
    if (fd < 0)
        return cn_sandbox_errno(fd);
    place->parent = fd;
    return WASI_SUCCESS;
}

uint16_t cn_place_open(const catnap_wasi_t *wasi, int root, const char *path,
                       struct wasi_place *place) {
    size_t length = strlen(path);

    if (path[0] == '/')
        return WASI_NOTCAPABLE;
    if (length >= sizeof place->path)
        return WASI_NAMETOOLONG;
    memcpy(place->path, path, length + 1);
    place->root = place->parent = root;
    place->slash = path[length - 1] == '/';
    while (place->path[length - 1] == '/')
        place->path[--length] = '\0';

    char *slash = strrchr(place->path, '/');
    place->name = slash ? slash + 1 : place->path;
    place->kind = !strcmp(place->name, ".")    ? WASI_PLACE_DOT
                  : !strcmp(place->name, "..") ? WASI_PLACE_DOTDOT
                                               : WASI_PLACE_NAME;
    if (place->kind != WASI_PLACE_NAME)
        return open_dots(wasi, place);
    return open_parent(wasi, place, slash);
}

void cn_place_close(struct wasi_place *place) {
    if (place->parent != place->root)
        close(place->parent);
}

/* Replaces the last component of `path` by a link's target. */
static uint16_t replace_last(char path[WASI_MAX_PATH], const char *target, size_t length) {
    char *slash = strrchr(path, '/');
    char *at = slash ? slash + 1 : path;

    if (!length)
        return WASI_NOENT;
    if (target[0] == '/')
        return WASI_NOTCAPABLE;
    if ((size_t)(at - path) + length >= WASI_MAX_PATH)
        return WASI_NAMETOOLONG;
    memcpy(at, target, length);
    at[length] = '\0';
    return WASI_SUCCESS;
}

uint16_t cn_place_follow(const catnap_wasi_t *wasi, int root, const char *path,
                         struct wasi_place *place) {
    char here[WASI_MAX_PATH], target[WASI_MAX_PATH];
    size_t length = strlen(path);

    if (length >= sizeof here)
        return WASI_NAMETOOLONG;
    memcpy(here, path, length + 1);
    for (int links = 0; links <= WASI_MAX_SYMLINKS; links++) {
        uint16_t error = cn_place_open(wasi, root, here, place);
        if (error || place->kind != WASI_PLACE_NAME)
            return error;
        ssize_t size = readlinkat(place->parent, place->name, target, sizeof target);
        if (size < 0)
            return WASI_SUCCESS; /* no link, or nothing: the operation will say */
        cn_place_close(place);
        memcpy(here, place->path, strlen(place->path) + 1);
        error = replace_last(here, target, (size_t)size);
        if (error)
            return error;
    }
    return WASI_LOOP;
}
