/*
 * The WASI state as bytes, for snapshots, and back: strings, the names of pre-opened directories, and
 * descriptors by what they were opened from. All numbers are little-endian. The cookies of directories are not
 * kept: they are ordinals, which a directory that was opened again finds by reading on.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "wasi/state.h"

#define FORMAT 1u

/* How a descriptor is opened again. */
enum kept { KEPT_CLOSED, KEPT_STREAM, KEPT_PREOPEN, KEPT_PATH, KEPT_LOST };

/* ---- Writing ---- */

struct writer {
    uint8_t *bytes;
    size_t length, capacity;
    bool failed;
};

static void put_bytes(struct writer *w, const void *bytes, size_t size) {
    if (!w->failed && w->capacity - w->length < size) {
        size_t capacity = w->length + size + w->capacity / 2 + 64;
        uint8_t *more = realloc(w->bytes, capacity);
        w->failed = !more;
        if (more) {
            w->bytes = more;
            w->capacity = capacity;
        }
    }
    if (w->failed || size == 0)
        return;
    memcpy(w->bytes + w->length, bytes, size);
    w->length += size;
}

static void put(struct writer *w, uint64_t value, unsigned size) {
    uint8_t bytes[8];
    cn_put_le(bytes, value, size);
    put_bytes(w, bytes, size);
}

static void put_string(struct writer *w, const char *string) {
    put(w, strlen(string), 4);
    put_bytes(w, string, strlen(string));
}

static void put_strings(struct writer *w, const struct wasi_strings *strings) {
    put(w, strings->count, 4);
    for (uint32_t i = 0; i < strings->count; i++)
        put_string(w, strings->items[i]);
}

/* Which standard stream the entry stands for, or -1. */
static int stream_of(const struct wasi_fd *fd, uint32_t number) {
    if (fd->kind == WASI_FD_STREAM)
        return fd->stream;
    if (fd->kind == WASI_FD_HOST && fd->lent && fd->host >= 0 && fd->host <= 2)
        return fd->host;
    return fd->lent && number <= 2 ? (int)number : -1;
}

static enum kept kind_of(const struct wasi_fd *fd, uint32_t number) {
    if (fd->kind == WASI_FD_CLOSED)
        return KEPT_CLOSED;
    if (stream_of(fd, number) >= 0)
        return KEPT_STREAM;
    if (fd->preopen == WASI_NO_PREOPEN || !fd->path)
        return KEPT_LOST;
    return fd->is_preopen ? KEPT_PREOPEN : KEPT_PATH;
}

static void put_fd(struct writer *w, const struct wasi_fd *fd, uint32_t number) {
    enum kept kind = kind_of(fd, number);
    put(w, kind, 1);
    if (kind == KEPT_CLOSED)
        return;
    off_t offset = fd->kind == WASI_FD_HOST && fd->seekable ? lseek(fd->host, 0, SEEK_CUR) : 0;
    put(w, kind == KEPT_STREAM ? (uint64_t)stream_of(fd, number) : fd->preopen, 4);
    put_string(w, fd->path ? fd->path : "");
    put(w, fd->flags, 2);
    put(w, fd->oflags, 2);
    put(w, fd->rights, 8);
    put(w, fd->inheriting, 8);
    put(w, (uint64_t)(offset < 0 ? 0 : offset), 8);
}

catnap_error_t *catnap_wasi_save(const catnap_wasi_t *wasi, wasm_byte_vec_t *out) {
    struct writer w = {0};
    if (!wasi || !out)
        return catnap_error_new(CATNAP_MISUSE, "an argument is NULL");
    wasm_byte_vec_new_empty(out);
    put(&w, FORMAT, 4);
    put_strings(&w, &wasi->arguments);
    put_strings(&w, &wasi->environment);
    put(&w, wasi->preopen_count, 4);
    for (uint32_t i = 0; i < wasi->preopen_count; i++) {
        put_string(&w, wasi->preopens[i].host_path);
        put_string(&w, wasi->preopens[i].guest_path);
        put(&w, wasi->preopens[i].read_only, 1);
    }
    put(&w, wasi->fd_count, 4);
    for (uint32_t i = 0; i < wasi->fd_count; i++)
        put_fd(&w, &wasi->fds[i], i);
    if (!w.failed)
        wasm_byte_vec_new(out, w.length, (const char *)w.bytes);
    free(w.bytes);
    return out->data ? NULL : catnap_error_new(CATNAP_NO_MEMORY, "out of memory");
}

/* ---- Reading ---- */

struct reader {
    catnap_wasi_t *wasi;
    const uint8_t *at, *end;
    catnap_error_t *error;
    void (*lost)(void *env, uint32_t number, const char *path);
    void *env;
};

static void damaged(struct reader *r) {
    if (!r->error)
        r->error = catnap_error_new(CATNAP_MALFORMED, "the saved WASI state is damaged");
}

static void check_memory(struct reader *r, const void *pointer) {
    if (!pointer && !r->error)
        r->error = catnap_error_new(CATNAP_NO_MEMORY, "out of memory");
}

static uint64_t get(struct reader *r, unsigned size) {
    if (r->error || (size_t)(r->end - r->at) < size) {
        damaged(r);
        return 0;
    }
    r->at += size;
    return cn_get_le(r->at - size, size);
}

/* An own string, or NULL with the error set. */
static char *get_string(struct reader *r) {
    size_t length = (size_t)get(r, 4);
    if (r->error || length > (size_t)(r->end - r->at) || memchr(r->at, 0, length)) {
        damaged(r);
        return NULL;
    }
    char *string = strndup((const char *)r->at, length);
    check_memory(r, string);
    r->at += length;
    return string;
}

static void get_arguments(struct reader *r) {
    for (uint64_t n = get(r, 4); n > 0 && !r->error; n--) {
        char *string = get_string(r);
        if (string)
            r->error = catnap_wasi_add_argument(r->wasi, string);
        free(string);
    }
}

static void get_environment(struct reader *r) {
    for (uint64_t n = get(r, 4); n > 0 && !r->error; n--) {
        char *string = get_string(r), *equals = string ? strchr(string, '=') : NULL;
        if (string && !equals)
            damaged(r);
        if (equals) {
            *equals = '\0';
            r->error = cn_wasi_append_environment(r->wasi, string, equals + 1);
        }
        free(string);
    }
}

/* One pre-opened directory as it was saved: own strings, which may be NULL after a failure. */
struct saved_dir {
    char *host, *guest;
    bool read_only;
};

static struct saved_dir get_dir(struct reader *r) {
    struct saved_dir dir = {.host = get_string(r), .guest = get_string(r)};
    dir.read_only = get(r, 1) != 0;
    return dir;
}

static void free_dir(struct saved_dir *dir) {
    free(dir->host);
    free(dir->guest);
}

/* The first given directory from `index` on that has this name for the guest, or the count. */
static uint32_t find_given(const catnap_wasi_t *wasi, uint32_t index, const char *guest) {
    while (index < wasi->preopen_count && strcmp(wasi->preopens[index].guest_path, guest) != 0)
        index++;
    return index;
}

/* Two directories change their numbers. */
static void swap_preopens(catnap_wasi_t *wasi, uint32_t a, uint32_t b) {
    struct wasi_preopen preopen = wasi->preopens[a];
    wasi->preopens[a] = wasi->preopens[b];
    wasi->preopens[b] = preopen;
    for (uint32_t i = 0; i < wasi->fd_count; i++)
        if (wasi->fds[i].is_preopen && wasi->fds[i].preopen == a)
            wasi->fds[i].preopen = b;
        else if (wasi->fds[i].is_preopen && wasi->fds[i].preopen == b)
            wasi->fds[i].preopen = a;
}

static void restrict_preopen(catnap_wasi_t *wasi, uint32_t number) {
    wasi->preopens[number].read_only = true;
    for (uint32_t i = 0; i < wasi->fd_count; i++)
        if (wasi->fds[i].is_preopen && wasi->fds[i].preopen == number)
            wasi->fds[i].read_only = true;
}

static catnap_error_t *fail_with_names(const char *format, const char *guest, const char *host)
    __attribute__((format(printf, 1, 0)));

/* Names in messages are escaped. */
static catnap_error_t *fail_with_names(const char *format, const char *guest, const char *host) {
    char guest_text[128], host_text[128], message[512];
    catnap_escape(CATNAP_ESCAPE_TEXT, guest, strlen(guest), guest_text, sizeof guest_text);
    catnap_escape(CATNAP_ESCAPE_TEXT, host, strlen(host), host_text, sizeof host_text);
    snprintf(message, sizeof message, format, guest_text, host_text);
    return catnap_error_new(CATNAP_LINK, message);
}

/* The saved state opens no directory of the host: each of its directories must be among those that
 * were given, under the guest's name, and gets the number that it had. Nothing else may be given. */
static void take_dir(struct reader *r, const struct saved_dir *dir, uint32_t number) {
    catnap_wasi_t *wasi = r->wasi;
    uint32_t given = find_given(wasi, number, dir->guest);
    if (given >= wasi->preopen_count) {
        r->error = fail_with_names(
            "the saved state needs directory '%s' (formerly '%s'), which was not given", dir->guest,
            dir->host);
        return;
    }
    if (given != number)
        swap_preopens(wasi, number, given);
    if (dir->read_only)
        restrict_preopen(wasi, number);
}

static void get_preopens(struct reader *r) {
    uint64_t count = get(r, 4);
    for (uint64_t i = 0; i < count && !r->error; i++) {
        struct saved_dir dir = get_dir(r);
        if (!r->error)
            take_dir(r, &dir, (uint32_t)i);
        free_dir(&dir);
    }
    if (!r->error && count < r->wasi->preopen_count)
        r->error = fail_with_names("directory '%s' ('%s') is not part of the saved state",
                                   r->wasi->preopens[count].guest_path,
                                   r->wasi->preopens[count].host_path);
}

static void skip_strings(struct reader *r) {
    for (uint64_t n = get(r, 4); n > 0 && !r->error; n--)
        free(get_string(r));
}

catnap_error_t *catnap_wasi_saved_dirs(const void *bytes, size_t length,
                                       void (*dir)(void *env, const char *host_path,
                                                   const char *guest_path,
                                                   catnap_wasi_dir_flags_t flags),
                                       void *env) {
    if ((!bytes && length > 0) || !dir)
        return catnap_error_new(CATNAP_MISUSE, "an argument is NULL");
    struct reader r = {.at = bytes, .end = (const uint8_t *)bytes + length};
    if (get(&r, 4) != FORMAT)
        damaged(&r);
    skip_strings(&r);
    skip_strings(&r);
    for (uint64_t n = get(&r, 4); n > 0 && !r.error; n--) {
        struct saved_dir found = get_dir(&r);
        if (!r.error)
            dir(env, found.host, found.guest,
                found.read_only ? CATNAP_WASI_DIR_READ_ONLY : CATNAP_WASI_DIR_READ_WRITE);
        free_dir(&found);
    }
    return r.error;
}

/* The saved state of one descriptor. */
struct kept_fd {
    enum kept kind;
    uint32_t from; /* stream or pre-open */
    char *path;
    uint16_t flags, oflags;
    uint64_t rights, inheriting, offset;
};

static void get_fd(struct reader *r, struct kept_fd *kept) {
    *kept = (struct kept_fd){.kind = (enum kept)get(r, 1)};
    if (kept->kind == KEPT_CLOSED)
        return;
    kept->from = (uint32_t)get(r, 4);
    kept->path = get_string(r);
    kept->flags = (uint16_t)get(r, 2);
    kept->oflags = (uint16_t)get(r, 2);
    kept->rights = get(r, 8) & WASI_RIGHTS_ALL;
    kept->inheriting = get(r, 8) & WASI_RIGHTS_ALL;
    kept->offset = get(r, 8);
    if (kept->kind > KEPT_LOST)
        damaged(r);
}

static int host_flags(const struct kept_fd *kept, bool read_only) {
    bool writes = (kept->rights & WASI_RIGHT_FD_WRITE) && !read_only;
    int flags = O_NONBLOCK | O_NOCTTY;
    if (writes)
        flags |= kept->rights & WASI_RIGHT_FD_READ ? O_RDWR : O_WRONLY;
    if (kept->flags & WASI_FDFLAG_APPEND)
        flags |= O_APPEND;
    if (kept->flags & WASI_FDFLAG_DSYNC)
        flags |= O_DSYNC;
    if (kept->flags & (WASI_FDFLAG_RSYNC | WASI_FDFLAG_SYNC))
        flags |= O_SYNC;
    return flags;
}

/* Opens a path below a pre-opened directory; false when that is not what it was any more. */
static bool open_again(struct reader *r, struct kept_fd *kept, const struct wasi_fd *root,
                       struct wasi_fd *out) {
    if (!root || root->kind != WASI_FD_HOST || root->filetype != WASI_FILETYPE_DIRECTORY)
        return false;
    int host = cn_sandbox_open(r->wasi, root->host, kept->path[0] ? kept->path : ".",
                               host_flags(kept, root->read_only), 0);
    struct wasi_fd fd = {0};
    if (host < 0)
        return false;
    if (cn_fd_describe(host, &fd) ||
        (fd.seekable && lseek(host, (off_t)kept->offset, SEEK_SET) < 0)) {
        close(host);
        return false;
    }
    fd.kind = WASI_FD_HOST;
    fd.host = host;
    fd.preopen = root->preopen;
    fd.read_only = root->read_only;
    fd.flags = kept->flags;
    fd.oflags = kept->oflags;
    fd.rights = kept->rights & cn_fd_type_rights(&fd);
    fd.inheriting = fd.filetype == WASI_FILETYPE_DIRECTORY ? kept->inheriting : 0;
    fd.path = kept->path;
    kept->path = NULL;
    *out = fd;
    return true;
}

/* The entry that stands for a pre-open or a stream in the state as it was configured. */
static struct wasi_fd *find_source(struct wasi_fd *fds, uint32_t count,
                                   const struct kept_fd *kept) {
    for (uint32_t i = 0; i < count; i++) {
        if (kept->kind == KEPT_STREAM ? i == kept->from && i <= 2
                                      : fds[i].is_preopen && fds[i].preopen == kept->from)
            return &fds[i];
    }
    return NULL;
}

static void restore_fd(struct reader *r, uint32_t number, struct kept_fd *kept,
                       struct wasi_fd *sources, uint32_t source_count) {
    struct wasi_fd *source = find_source(sources, source_count, kept), *to = &r->wasi->fds[number];
    bool ok = false;
    if (kept->kind == KEPT_STREAM && source) {
        *to = *source;
        to->listing = (struct wasi_listing){0}; /* is the source's own */
        to->kept = false;
        to->rights &= kept->rights;
        to->flags = kept->flags;
        ok = true;
        if (source->kind == WASI_FD_HOST)
            to->lent = true;
        if (source->path)
            to->path = strdup(source->path);
    } else if (kept->kind == KEPT_PREOPEN || kept->kind == KEPT_PATH) {
        ok = open_again(r, kept, source, to);
        if (ok)
            to->is_preopen = kept->kind == KEPT_PREOPEN;
    }
    if (!ok && r->lost)
        r->lost(r->env, number, kept->path ? kept->path : "");
}

/* Makes a new table; the old one lends its descriptors to it and is closed at the end. */
static void get_fds(struct reader *r) {
    uint64_t count = get(r, 4);
    if (count > WASI_MAX_FDS || count > (size_t)(r->end - r->at))
        damaged(r);
    if (r->error)
        return;
    struct wasi_fd *sources = r->wasi->fds;
    uint32_t source_count = r->wasi->fd_count;
    struct wasi_fd *fds = calloc(count ? count : 1, sizeof *fds);
    check_memory(r, fds);
    if (!fds)
        return;
    r->wasi->fds = fds;
    r->wasi->fd_count = (uint32_t)count;
    for (uint32_t i = 0; i < count && !r->error; i++) {
        struct kept_fd kept;
        get_fd(r, &kept);
        if (!r->error && kept.kind != KEPT_CLOSED)
            restore_fd(r, i, &kept, sources, source_count);
        free(kept.path);
    }
    for (uint32_t i = 0; i < source_count; i++)
        cn_fd_drop(&sources[i]);
    free(sources);
}

catnap_error_t *catnap_wasi_restore(catnap_wasi_t *wasi, const void *bytes, size_t length,
                                    void (*lost)(void *env, uint32_t number, const char *path),
                                    void *env) {
    if (!wasi || (!bytes && length > 0))
        return catnap_error_new(CATNAP_MISUSE, "an argument is NULL");
    if (wasi->arguments.count || wasi->environment.count || cn_wasi_remembers_preopens(wasi))
        return catnap_error_new(CATNAP_MISUSE, "the WASI state is already configured");
    struct reader r = {wasi, bytes, (const uint8_t *)bytes + length, NULL, lost, env};
    if (get(&r, 4) != FORMAT)
        damaged(&r);
    get_arguments(&r);
    get_environment(&r);
    get_preopens(&r);
    get_fds(&r);
    if (!r.error && r.at != r.end)
        damaged(&r);
    return r.error;
}
