/*
 * Checkpoint and rollback of a WASI state. The checkpoint owns all that it remembers: a descriptor that
 * the guest closes, a string or input that the embedder replaces, stays open or allocated until the
 * checkpoint goes, so that going back needs neither memory nor opening anything.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wasi/state.h"

/* An output buffer of that size is used again, whatever its contents were. */
#define MOST_BUFFER 65536u

struct wasi_checkpoint {
    struct wasi_fd *fds;
    int64_t *offsets; /* of each; -1 when there is nothing to go back to */
    uint32_t fd_count;
    uint32_t preopen_count;
    struct wasi_stream streams[3];
};

bool cn_wasi_remembers_preopens(const catnap_wasi_t *wasi) {
    return wasi->checkpoint && wasi->checkpoint->preopen_count > 0;
}

/* ---- Strings ---- */

static bool is_kept(const struct wasi_strings *strings, uint32_t index) {
    return strings->kept && index < strings->kept_count &&
           strings->items[index] == strings->kept[index];
}

void cn_strings_drop(const struct wasi_strings *strings, uint32_t index) {
    if (!is_kept(strings, index))
        free(strings->items[index]);
}

static void forget_strings(struct wasi_strings *strings) {
    for (uint32_t i = 0; i < strings->kept_count; i++)
        if (!is_kept(strings, i))
            free(strings->kept[i]);
    free(strings->kept);
    strings->kept = NULL;
    strings->kept_count = 0;
}

/* Strings are never taken away, so that there is room for all that were there. */
static void rewind_strings(struct wasi_strings *strings) {
    for (uint32_t i = 0; i < strings->count; i++)
        cn_strings_drop(strings, i);
    if (strings->kept_count > 0)
        memcpy(strings->items, strings->kept, strings->kept_count * sizeof *strings->kept);
    strings->count = strings->kept_count;
    strings->bytes = strings->kept_bytes;
}

static char **copy_items(const struct wasi_strings *strings) {
    char **kept = malloc((strings->count + (size_t)1) * sizeof *kept);
    if (kept && strings->count > 0)
        memcpy(kept, strings->items, strings->count * sizeof *kept);
    return kept;
}

static void keep_strings(struct wasi_strings *strings, char **kept) {
    strings->kept = kept;
    strings->kept_count = strings->count;
    strings->kept_bytes = strings->bytes;
}

/* ---- Streams ---- */

static void keep_stream(struct wasi_stream *stream, struct wasi_stream *saved) {
    stream->kept = stream->kind == WASI_STREAM_BYTES;
    *saved = *stream;
    if (stream->kind == WASI_STREAM_BUFFER) {
        saved->bytes = NULL;
        saved->length = saved->capacity = 0;
    }
}

static void forget_stream(struct wasi_stream *stream, struct wasi_stream *saved) {
    if (stream->kept)
        stream->kept = false;
    else
        free(saved->bytes);
}

static void rewind_stream(struct wasi_stream *stream, const struct wasi_stream *saved) {
    struct wasi_stream room = {.kind = WASI_STREAM_NULL};
    if (saved->kind == WASI_STREAM_BUFFER && stream->kind == WASI_STREAM_BUFFER &&
        stream->capacity <= MOST_BUFFER) {
        room = *stream;
        stream->bytes = NULL;
    }
    cn_stream_free(stream);
    *stream = *saved;
    if (room.bytes) {
        stream->bytes = room.bytes;
        stream->capacity = room.capacity;
    }
}

/* ---- Descriptors ---- */

static void keep_fds(catnap_wasi_t *wasi, struct wasi_checkpoint *saved) {
    for (uint32_t i = 0; i < saved->fd_count; i++) {
        struct wasi_fd *fd = &wasi->fds[i];
        fd->kept = fd->kind == WASI_FD_HOST;
        saved->fds[i] = *fd;
        saved->fds[i].listing = (struct wasi_listing){0};
        saved->offsets[i] =
            fd->kept && !fd->lent && fd->seekable ? lseek(fd->host, 0, SEEK_CUR) : -1;
    }
}

/* Whether the guest has it still, under whatever number; it is then the table's again. */
static bool give_back(catnap_wasi_t *wasi, const struct wasi_fd *saved) {
    for (uint32_t i = 0; i < wasi->fd_count; i++) {
        struct wasi_fd *fd = &wasi->fds[i];
        if (fd->kept && fd->host == saved->host && fd->path == saved->path) {
            fd->kept = false;
            return true;
        }
    }
    return false;
}

static void forget_fds(catnap_wasi_t *wasi, struct wasi_checkpoint *saved) {
    for (uint32_t i = 0; i < saved->fd_count; i++) {
        struct wasi_fd *fd = &saved->fds[i];
        if (!fd->kept || give_back(wasi, fd))
            continue;
        fd->kept = false;
        cn_fd_drop(fd);
    }
}

/* The offset and the one flag that can be changed belong to the open file, not to the entry. */
static bool rewind_file(const struct wasi_fd *fd, int64_t offset) {
    if (offset < 0)
        return true;
    int append = fd->flags & WASI_FDFLAG_APPEND ? O_APPEND : 0;
    int flags = fcntl(fd->host, F_GETFL);
    if (flags < 0 || lseek(fd->host, (off_t)offset, SEEK_SET) < 0)
        return false;
    return (flags & O_APPEND) == append ||
           fcntl(fd->host, F_SETFL, (flags & ~O_APPEND) | append) == 0;
}

static bool rewind_fds(catnap_wasi_t *wasi, const struct wasi_checkpoint *saved) {
    bool ok = true;
    for (uint32_t i = 0; i < wasi->fd_count; i++)
        cn_fd_drop(&wasi->fds[i]);
    for (uint32_t i = 0; i < saved->fd_count; i++) {
        wasi->fds[i] = saved->fds[i];
        if (!rewind_file(&saved->fds[i], saved->offsets[i]))
            ok = false;
    }
    return ok;
}

static void rewind_preopens(catnap_wasi_t *wasi, uint32_t count) {
    while (wasi->preopen_count > count) {
        struct wasi_preopen *preopen = &wasi->preopens[--wasi->preopen_count];
        free(preopen->host_path);
        free(preopen->guest_path);
    }
}

/* ---- All of it ---- */

static void free_checkpoint(struct wasi_checkpoint *saved) {
    if (!saved)
        return;
    free(saved->fds);
    free(saved->offsets);
    free(saved);
}

void cn_wasi_forget(catnap_wasi_t *wasi) {
    struct wasi_checkpoint *saved = wasi->checkpoint;
    if (!saved)
        return;
    wasi->checkpoint = NULL;
    forget_fds(wasi, saved);
    for (int i = 0; i < 3; i++)
        forget_stream(&wasi->streams[i], &saved->streams[i]);
    forget_strings(&wasi->arguments);
    forget_strings(&wasi->environment);
    free_checkpoint(saved);
}

static struct wasi_checkpoint *new_checkpoint(uint32_t fd_count) {
    struct wasi_checkpoint *saved = calloc(1, sizeof *saved);
    if (!saved)
        return NULL;
    saved->fds = calloc(fd_count, sizeof *saved->fds);
    saved->offsets = calloc(fd_count, sizeof *saved->offsets);
    saved->fd_count = fd_count;
    if (saved->fds && saved->offsets)
        return saved;
    free_checkpoint(saved);
    return NULL;
}

catnap_error_t *catnap_wasi_checkpoint(catnap_wasi_t *wasi) {
    if (!wasi)
        return catnap_error_new(CATNAP_MISUSE, "an argument is NULL");
    struct wasi_checkpoint *saved = new_checkpoint(wasi->fd_count);
    char **arguments = copy_items(&wasi->arguments), **environment = copy_items(&wasi->environment);
    if (!saved || !arguments || !environment) {
        free_checkpoint(saved);
        free(arguments);
        free(environment);
        return catnap_error_new(CATNAP_NO_MEMORY, "out of memory");
    }
    cn_wasi_forget(wasi);
    keep_strings(&wasi->arguments, arguments);
    keep_strings(&wasi->environment, environment);
    for (int i = 0; i < 3; i++)
        keep_stream(&wasi->streams[i], &saved->streams[i]);
    keep_fds(wasi, saved);
    saved->preopen_count = wasi->preopen_count;
    wasi->checkpoint = saved;
    return NULL;
}

catnap_error_t *catnap_wasi_rollback(catnap_wasi_t *wasi) {
    if (!wasi)
        return catnap_error_new(CATNAP_MISUSE, "an argument is NULL");
    const struct wasi_checkpoint *saved = wasi->checkpoint;
    if (!saved)
        return catnap_error_new(CATNAP_MISUSE, "the WASI state has no checkpoint");
    rewind_strings(&wasi->arguments);
    rewind_strings(&wasi->environment);
    for (int i = 0; i < 3; i++)
        rewind_stream(&wasi->streams[i], &saved->streams[i]);
    bool ok = rewind_fds(wasi, saved);
    rewind_preopens(wasi, saved->preopen_count);
    return ok ? NULL
              : catnap_error_new(
                    CATNAP_IO, "a file that was open at the checkpoint cannot be reached any more");
}
