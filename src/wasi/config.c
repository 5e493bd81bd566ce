/* Configuration by the embedder: catnap_wasi_new() to catnap_wasi_output() of catnap.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/utf8.h"
#include "wasi/state.h"

/* A stream's descriptor can do no more than a stream needs, also when it is a file. */
#define STDIO_LACKS                                                                                \
    (WASI_RIGHT_FD_ALLOCATE | WASI_RIGHT_FD_FILESTAT_SET_SIZE | WASI_RIGHT_FD_FILESTAT_SET_TIMES | \
     WASI_RIGHT_SOCK_ACCEPT)

static catnap_error_t *fail(catnap_status_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static catnap_error_t *fail(catnap_status_t status, const char *format, ...) {
    char message[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return catnap_error_new(status, message);
}

static catnap_error_t *fail_memory(void) {
    return fail(CATNAP_NO_MEMORY, "out of memory");
}

static catnap_error_t *fail_io(int error, const char *what, const char *name) {
    char buffer[128];
    return fail(CATNAP_IO, "%s '%s': %s", what, name, strerror_r(error, buffer, sizeof buffer));
}

/* ---- Making and deleting --------------------------------------------------------------------- */

/* Closes what descriptor `stream` holds and makes it the stream of that number. */
static struct wasi_fd *reset_stream(catnap_wasi_t *wasi, int stream, enum wasi_stream_kind kind) {
    struct wasi_fd *fd = &wasi->fds[stream];
    uint64_t lacks = stream == 0 ? WASI_RIGHT_FD_WRITE : WASI_RIGHT_FD_READ;

    cn_stream_free(&wasi->streams[stream]);
    wasi->streams[stream].kind = kind;
    cn_fd_drop(fd);
    *fd = (struct wasi_fd){
        .kind = WASI_FD_STREAM, .host = -1, .stream = stream, .preopen = WASI_NO_PREOPEN};
    fd->rights = cn_fd_type_rights(fd) & ~(STDIO_LACKS | lacks);
    return fd;
}

catnap_wasi_t *catnap_wasi_new(void) {
    struct rlimit limit;
    uint32_t first;
    catnap_wasi_t *wasi = calloc(1, sizeof *wasi);

    if (!wasi)
        return NULL;
    if (cn_fd_reserve(wasi, &first)) { /* which makes room for the standard streams */
        free(wasi);
        return NULL;
    }
    for (int stream = 0; stream < 3; stream++)
        reset_stream(wasi, stream, WASI_STREAM_NULL);
    wasi->file_size_limited =
        getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return wasi;
}

static void free_strings(struct wasi_strings *strings) {
    for (uint32_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
}

void catnap_wasi_delete(catnap_wasi_t *wasi) {
    if (!wasi)
        return;
    cn_threads_delete(wasi->threads);
    cn_wasi_forget(wasi);
    for (uint32_t i = 0; i < wasi->fd_count; i++)
        cn_fd_drop(&wasi->fds[i]);
    for (uint32_t i = 0; i < wasi->preopen_count; i++) {
        free(wasi->preopens[i].host_path);
        free(wasi->preopens[i].guest_path);
    }
    for (int stream = 0; stream < 3; stream++)
        cn_stream_free(&wasi->streams[stream]);
    free_strings(&wasi->arguments);
    free_strings(&wasi->environment);
    free(wasi->preopens);
    free(wasi->fds);
    free(wasi);
}

/* ---- Arguments and environment --------------------------------------------------------------- */

/* Makes room for one more item. The array has room for the power of two at or above its count, so that
 * adding n strings moves each of them a bounded number of times on average. */
static bool grow_strings(struct wasi_strings *strings) {
    uint32_t count = strings->count;
    if (count & (count - 1)) /* not a power of two, and not 0: there is room */
        return true;
    size_t room = count ? (size_t)count * 2 : 1;
    char **items = realloc(strings->items, room * sizeof *items);
    if (items)
        strings->items = items;
    return items != NULL;
}

/* Puts a string at `index`, which is the count or an entry to replace. Takes it over on success. */
static catnap_error_t *put_string(struct wasi_strings *strings, uint32_t index, char *string) {
    uint64_t old = index < strings->count ? strlen(strings->items[index]) + 1 : 0;
    uint64_t bytes = strings->bytes - old + strlen(string) + 1;

    if (bytes > UINT32_MAX || strings->count == UINT32_MAX / sizeof(char *))
        return fail(CATNAP_LIMIT, "arguments or environment do not fit in a 32-bit memory");
    if (index == strings->count) {
        if (!grow_strings(strings))
            return fail_memory();
        strings->items[strings->count++] = NULL;
    }
    cn_strings_drop(strings, index);
    strings->items[index] = string;
    strings->bytes = (uint32_t)bytes;
    return NULL;
}

catnap_error_t *catnap_wasi_add_argument(catnap_wasi_t *wasi, const char *argument) {
    if (!wasi || !argument)
        return fail(CATNAP_MISUSE, "a WASI argument is NULL");
    char *copy = strdup(argument);
    if (!copy)
        return fail_memory();
    catnap_error_t *error = put_string(&wasi->arguments, wasi->arguments.count, copy);
    if (error)
        free(copy);
    return error; /* NOLINT(clang-analyzer-unix.Malloc): the list has it */
}

/* The entry of that name, or the count. */
static uint32_t find_variable(const struct wasi_strings *strings, const char *name, size_t length) {
    uint32_t i = 0;
    while (i < strings->count &&
           (strncmp(strings->items[i], name, length) || strings->items[i][length] != '='))
        i++;
    return i;
}

static catnap_error_t *put_variable(catnap_wasi_t *wasi, const char *name, const char *value,
                                    bool replace) {
    size_t name_length = strlen(name), value_length = strlen(value);
    if (!name_length || strchr(name, '='))
        return fail(CATNAP_MISUSE, "'%s' is not a name for an environment variable", name);
    char *entry = malloc(name_length + value_length + 2);
    if (!entry)
        return fail_memory();
    memcpy(entry, name, name_length);
    entry[name_length] = '=';
    memcpy(entry + name_length + 1, value, value_length + 1);
    uint32_t index = wasi->environment.count;
    if (replace)
        index = find_variable(&wasi->environment, name, name_length);
    catnap_error_t *error = put_string(&wasi->environment, index, entry);
    if (error)
        free(entry);
    return error; /* NOLINT(clang-analyzer-unix.Malloc): the list has it */
}

/* A later value of the same name replaces the earlier one. */
catnap_error_t *catnap_wasi_add_environment(catnap_wasi_t *wasi, const char *name,
                                            const char *value) {
    if (!wasi || !name || !value)
        return fail(CATNAP_MISUSE, "a WASI environment variable is NULL");
    return put_variable(wasi, name, value, true);
}

catnap_error_t *cn_wasi_append_environment(catnap_wasi_t *wasi, const char *name,
                                           const char *value) {
    return put_variable(wasi, name, value, false);
}

/* ---- Pre-opened directories and sockets ------------------------------------------------------ */

static catnap_error_t *reserve_fd(catnap_wasi_t *wasi, uint32_t *number) {
    uint16_t error = cn_fd_reserve(wasi, number);
    if (error == WASI_MFILE)
        return fail(CATNAP_LIMIT, "more than %d WASI descriptors", WASI_MAX_FDS);
    return error ? fail_memory() : NULL;
}

/* Lists a directory among the pre-opens; frees nothing that is not its own. */
static catnap_error_t *add_preopen(catnap_wasi_t *wasi, const char *host_path,
                                   const char *guest_path, bool read_only) {
    struct wasi_preopen *preopens =
        realloc(wasi->preopens, (wasi->preopen_count + (size_t)1) * sizeof *preopens);
    if (!preopens)
        return fail_memory();
    wasi->preopens = preopens;
    struct wasi_preopen preopen = {strdup(host_path), strdup(guest_path), read_only};
    if (!preopen.host_path || !preopen.guest_path) {
        free(preopen.host_path);
        free(preopen.guest_path);
        return fail_memory();
    }
    wasi->preopens[wasi->preopen_count++] = preopen;
    return NULL;
}

catnap_error_t *catnap_wasi_preopen_dir(catnap_wasi_t *wasi, const char *host_path,
                                        const char *guest_path, catnap_wasi_dir_flags_t flags) {
    bool read_only = flags == CATNAP_WASI_DIR_READ_ONLY;
    uint32_t number;

    if (!wasi || !host_path || !guest_path || (flags != CATNAP_WASI_DIR_READ_WRITE && !read_only))
        return fail(CATNAP_MISUSE, "a pre-opened directory needs two paths and known flags");
    if (!cn_utf8_valid((const uint8_t *)guest_path, strlen(guest_path)))
        return fail(CATNAP_MISUSE, "the guest's name of a directory is not UTF-8");
    catnap_error_t *error = reserve_fd(wasi, &number);
    if (error)
        return error;
    char *path = strdup("");
    if (!path)
        return fail_memory();
    int host = open(host_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    error = host < 0 ? fail_io(errno, "cannot open directory", host_path)
                     : add_preopen(wasi, host_path, guest_path, read_only);
    if (error) {
        if (host >= 0)
            close(host);
        free(path);
        return error;
    }
    wasi->kernel_sandbox = cn_sandbox_probe(host);
    wasi->fds[number] = (struct wasi_fd){.kind = WASI_FD_HOST,
                                         .filetype = WASI_FILETYPE_DIRECTORY,
                                         .host = host,
                                         .read_only = read_only,
                                         .is_preopen = true,
                                         .preopen = wasi->preopen_count - 1,
                                         .path = path,
                                         .inheriting = WASI_RIGHTS_ALL};
    wasi->fds[number].rights = cn_fd_type_rights(&wasi->fds[number]);
    return NULL;
}

catnap_error_t *catnap_wasi_preopen_socket(catnap_wasi_t *wasi, int host_fd) {
    struct wasi_fd fd = {
        .kind = WASI_FD_HOST, .lent = true, .host = host_fd, .preopen = WASI_NO_PREOPEN};
    uint32_t number;

    if (!wasi)
        return fail(CATNAP_MISUSE, "the WASI state is NULL");
    int flags = fcntl(host_fd, F_GETFL);
    if (flags < 0 || cn_fd_describe(host_fd, &fd) || !cn_fd_is_socket(&fd))
        return fail(CATNAP_MISUSE, "descriptor %d is not an open socket", host_fd);
    fd.flags = flags & O_NONBLOCK ? WASI_FDFLAG_NONBLOCK : 0;
    catnap_error_t *error = reserve_fd(wasi, &number);
    if (error)
        return error;
    fd.rights = cn_fd_type_rights(&fd);
    fd.inheriting = cn_fd_type_rights(&fd);
    wasi->fds[number] = fd;
    return NULL;
}

/* ---- Standard streams ------------------------------------------------------------------------ */

static catnap_error_t *check_stream(const catnap_wasi_t *wasi, int stream, int first) {
    if (!wasi || stream < first || stream > 2)
        return fail(CATNAP_MISUSE, "%d is not a standard stream of that direction", stream);
    return NULL;
}

catnap_error_t *catnap_wasi_set_stdio_fd(catnap_wasi_t *wasi, int stream, int host_fd) {
    struct wasi_fd seen = {0};
    static const char *const names[] = {"standard input", "standard output", "standard error"};
    uint64_t lacks = STDIO_LACKS | (stream == 0 ? WASI_RIGHT_FD_WRITE : WASI_RIGHT_FD_READ);
    catnap_error_t *error = check_stream(wasi, stream, 0);

    if (error)
        return error;
    int flags = fcntl(host_fd, F_GETFL),
        reason = flags < 0 ? errno : cn_fd_describe(host_fd, &seen);
    if (reason == EBADF)
        return fail(CATNAP_MISUSE, "descriptor %d for standard stream %d is not open", host_fd,
                    stream);
    if (reason)
        return fail_io(reason, "cannot use", names[stream]);
    if ((flags & O_ACCMODE) == O_RDONLY)
        lacks |= WASI_RIGHT_FD_WRITE;
    if ((flags & O_ACCMODE) == O_WRONLY)
        lacks |= WASI_RIGHT_FD_READ;
    reset_stream(wasi, stream, WASI_STREAM_HOST);
    seen.kind = WASI_FD_HOST;
    seen.lent = true;
    seen.host = host_fd;
    seen.preopen = WASI_NO_PREOPEN;
    seen.flags = flags & O_APPEND ? WASI_FDFLAG_APPEND : 0;
    seen.rights = cn_fd_type_rights(&seen) & ~lacks;
    wasi->fds[stream] = seen;
    return NULL;
}

catnap_error_t *catnap_wasi_set_stdin_bytes(catnap_wasi_t *wasi, const void *bytes, size_t length) {
    catnap_error_t *error = check_stream(wasi, 0, 0);

    if (error)
        return error;
    if (!bytes && length)
        return fail(CATNAP_MISUSE, "the bytes for standard input are NULL");
    uint8_t *copy = malloc(length ? length : 1);
    if (!copy)
        return fail_memory();
    if (length)
        memcpy(copy, bytes, length);
    reset_stream(wasi, 0, WASI_STREAM_BYTES);
    wasi->streams[0].bytes = copy;
    wasi->streams[0].length = length;
    return NULL;
}

catnap_error_t *catnap_wasi_set_stdin_callback(catnap_wasi_t *wasi,
                                               int64_t (*read)(void *env, void *bytes, size_t size),
                                               void *env) {
    catnap_error_t *error = check_stream(wasi, 0, 0);

    if (error)
        return error;
    if (!read)
        return fail(CATNAP_MISUSE, "the callback for standard input is NULL");
    reset_stream(wasi, 0, WASI_STREAM_CALLBACK);
    wasi->streams[0].read = read;
    wasi->streams[0].env = env;
    return NULL;
}

catnap_error_t *catnap_wasi_set_output_callback(catnap_wasi_t *wasi, int stream,
                                                int64_t (*write)(void *env, const void *bytes,
                                                                 size_t size),
                                                void *env) {
    catnap_error_t *error = check_stream(wasi, stream, 1);

    if (error)
        return error;
    if (!write)
        return fail(CATNAP_MISUSE, "the callback for standard stream %d is NULL", stream);
    reset_stream(wasi, stream, WASI_STREAM_CALLBACK);
    wasi->streams[stream].write = write;
    wasi->streams[stream].env = env;
    return NULL;
}

catnap_error_t *catnap_wasi_set_output_buffer(catnap_wasi_t *wasi, int stream, size_t limit) {
    catnap_error_t *error = check_stream(wasi, stream, 1);

    if (error)
        return error;
    reset_stream(wasi, stream, WASI_STREAM_BUFFER);
    wasi->streams[stream].limit = limit;
    return NULL;
}

const uint8_t *catnap_wasi_output(const catnap_wasi_t *wasi, int stream, size_t *length) {
    bool buffered = wasi && stream >= 1 && stream <= 2 &&
                    wasi->streams[stream].kind == WASI_STREAM_BUFFER &&
                    wasi->streams[stream].length;
    if (length)
        *length = buffered ? wasi->streams[stream].length : 0;
    return buffered ? wasi->streams[stream].bytes : NULL;
}
