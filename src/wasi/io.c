/* Reading, writing, seeking, and what else works on an open file's contents. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wasi/state.h"

/* Finds the descriptor, the vector and the place for the result, before any byte moves; the descriptor is held until
 * finish(). */
static uint16_t prepare(struct wasi_call *call, const uint64_t *a, uint64_t rights, uint64_t out,
                        struct wasi_fd **fd, struct wasi_vector *vector) {
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], rights, fd);

    if (!error && !cn_guest_range(&call->memory, (uint32_t)out, 4))
        error = WASI_FAULT;
    if (!error)
        error = cn_guest_vector(&call->memory, (uint32_t)a[1], (uint32_t)a[2], vector);
    return error ? error : cn_fd_hold(call, fd);
}

static uint16_t finish(struct wasi_call *call, const struct wasi_fd *fd, uint16_t error,
                       uint64_t out, ssize_t moved) {
    cn_fd_let_go(call, fd);
    if (error)
        return error;
    if (moved < 0)
        return cn_wasi_errno((int)-moved);
    if (!cn_guest_range(&call->memory, (uint32_t)out, 4))
        return WASI_FAULT; /* a callback of the embedder has taken it away */
    cn_put_u32(cn_guest_at(&call->memory, (uint32_t)out), (uint32_t)moved);
    return WASI_SUCCESS;
}

/* ---- Standard streams of the embedder -------------------------------------------------------- */

/* Callbacks may roll the store back, after which the memory may be smaller: its size is read again
 * after each, and ranges are checked again before they are used. */

static ssize_t read_stream(struct wasi_call *call, struct wasi_stream *stream,
                           const struct wasi_vector *vector) {
    int64_t got = cn_stream_read(stream, vector->items[0].iov_base, vector->items[0].iov_len);
    call->memory = call->host->memory(call->host_env);
    return (ssize_t)got; /* one buffer is enough: a guest reads on until the end */
}

static bool is_in_memory(const struct wasi_guest *memory, const struct iovec *item) {
    return cn_guest_range(memory, (uint32_t)((const uint8_t *)item->iov_base - memory->base),
                          item->iov_len);
}

static ssize_t write_stream(struct wasi_call *call, struct wasi_stream *stream,
                            const struct wasi_vector *vector) {
    ssize_t moved = 0;

    for (int i = 0; i < vector->count; i++) {
        const struct iovec *item = &vector->items[i];
        if (!is_in_memory(&call->memory, item))
            return moved ? moved : -EFAULT;
        int64_t taken = cn_stream_write(stream, item->iov_base, item->iov_len);
        call->memory = call->host->memory(call->host_env);
        if (taken < 0)
            return moved ? moved : (ssize_t)taken;
        moved += (ssize_t)taken;
        if ((size_t)taken < item->iov_len)
            break;
    }
    return moved;
}

/* ---- Descriptors that may wait --------------------------------------------------------------- */

static ssize_t receive(const struct wasi_fd *fd, struct iovec *items, int count) {
    if (!cn_fd_is_socket(fd))
        return readv(fd->host, items, count);
    struct msghdr message = {.msg_iov = items, .msg_iovlen = (size_t)count};
    return recvmsg(fd->host, &message, MSG_DONTWAIT);
}

static ssize_t send_some(const struct wasi_fd *fd, struct iovec *items, int count) {
    if (!cn_fd_is_socket(fd))
        return writev(fd->host, items, count);
    struct msghdr message = {.msg_iov = items, .msg_iovlen = (size_t)count};
    return sendmsg(fd->host, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static uint16_t read_waiting(struct wasi_call *call, const struct wasi_fd *fd,
                             struct wasi_vector *vector, ssize_t *got) {
    for (;;) {
        uint16_t error = cn_call_wait(call, fd, POLLIN);
        if (error)
            return error;
        *got = receive(fd, vector->items, vector->count);
        if (*got >= 0)
            return WASI_SUCCESS;
        if (!cn_wasi_try_again(errno))
            return cn_wasi_errno(errno);
    }
}

/*
 * Whether a write could wait inside the kernel, out of reach of an interrupt. A descriptor of our
 * own never blocks, nor does a socket; a lent pipe or terminal that polls writable takes PIPE_BUF
 * bytes.
 */
static bool must_write_little(struct wasi_call *call, const struct wasi_fd *fd) {
    return fd->lent && !cn_fd_is_socket(fd) &&
           (call->wasi->threads || call->host->interrupt_fd(call->host_env) >= 0);
}

/* Gives the bytes put, or -errno. */
static ssize_t write_once(struct wasi_call *call, const struct wasi_fd *fd, struct iovec *items,
                          int count) {
    struct wasi_signals signals;

    cn_signals_hold(call->wasi, fd, &signals);
    ssize_t put = send_some(fd, items, count);
    int failure = put < 0 ? errno : 0;
    cn_signals_release(&signals, failure);
    return failure ? -failure : put;
}

/* Writes all, as a blocking write does, or as much as fits now when the guest said NONBLOCK. */
static uint16_t write_waiting(struct wasi_call *call, const struct wasi_fd *fd,
                              struct wasi_vector *vector, ssize_t *put) {
    struct iovec *items = vector->items;
    int count = vector->count;
    bool little = must_write_little(call, fd);

    *put = 0;
    while (count) {
        uint16_t error = cn_call_wait(call, fd, POLLOUT);
        if (error)
            return cn_call_partly(call, error, (size_t)*put);
        struct iovec first = items[0];
        if (first.iov_len > PIPE_BUF)
            first.iov_len = PIPE_BUF;
        ssize_t size = write_once(call, fd, little ? &first : items, little ? 1 : count);
        if (size < 0 && !cn_wasi_try_again((int)-size))
            return *put ? WASI_SUCCESS : cn_wasi_errno((int)-size);
        if (size > 0) {
            *put += size;
            cn_vector_advance(&items, &count, (size_t)size);
        }
    }
    return WASI_SUCCESS;
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* Bytes of a file that are moved between two looks at the interrupt. */
#define PIECE_BYTES ((size_t)16 << 20)

/* Moves some bytes at the offset or, with NULL, at the file's own; -errno on failure. */
static ssize_t read_some(struct wasi_call *call, const struct wasi_fd *fd, struct iovec *items,
                         int count, const off_t *offset) {
    (void)call;
    ssize_t got = offset ? preadv(fd->host, items, count, *offset) : readv(fd->host, items, count);
    return got < 0 ? -errno : got;
}

static ssize_t write_some(struct wasi_call *call, const struct wasi_fd *fd, struct iovec *items,
                          int count, const off_t *offset) {
    struct wasi_signals signals;

    cn_signals_hold(call->wasi, fd, &signals);
    ssize_t put =
        offset ? pwritev(fd->host, items, count, *offset) : writev(fd->host, items, count);
    int failure = put < 0 ? errno : 0;
    cn_signals_release(&signals, failure);
    return failure ? -failure : put;
}

typedef ssize_t move_some(struct wasi_call *, const struct wasi_fd *, struct iovec *items,
                          int count, const off_t *offset);

/* Moves the whole vector, in pieces if it is large; less at the end of a file, or when it is interrupted. */
static uint16_t move_file(struct wasi_call *call, const struct wasi_fd *fd,
                          struct wasi_vector *vector, const uint64_t *from, move_some *some,
                          ssize_t *moved) {
    struct iovec *items = vector->items;
    int count = vector->count;
    size_t left = vector->total;
    off_t offset = from ? (off_t)*from : 0;

    *moved = 0;
    do {
        bool whole = left <= PIECE_BYTES;
        struct iovec first = items[0];
        if (first.iov_len > PIECE_BYTES)
            first.iov_len = PIECE_BYTES;
        if (cn_call_interrupted(call))
            return cn_call_partly(call, WASI_INTR, (size_t)*moved);
        ssize_t size =
            some(call, fd, whole ? items : &first, whole ? count : 1, from ? &offset : NULL);
        if (size < 0)
            return *moved ? WASI_SUCCESS : cn_wasi_errno((int)-size);
        *moved += size;
        if ((size_t)size < (whole ? left : first.iov_len))
            return WASI_SUCCESS;
        left -= (size_t)size;
        offset += size;
        cn_vector_advance(&items, &count, (size_t)size);
    } while (left);
    return WASI_SUCCESS;
}

/* ---- fd_read, fd_write ----------------------------------------------------------------------- */

uint16_t cn_wasi_fd_read(struct wasi_call *call, const uint64_t *a) {
    struct wasi_vector vector;
    struct wasi_fd *fd;
    ssize_t got = 0;
    uint16_t error = prepare(call, a, WASI_RIGHT_FD_READ, a[3], &fd, &vector);

    if (error)
        return error;
    if (!vector.count)
        got = 0;
    else if (fd->kind == WASI_FD_STREAM)
        got = read_stream(call, &call->wasi->streams[fd->stream], &vector);
    else if (fd->waits)
        error = read_waiting(call, fd, &vector, &got);
    else
        error = move_file(call, fd, &vector, NULL, read_some, &got);
    return finish(call, fd, error, a[3], got);
}

uint16_t cn_wasi_fd_write(struct wasi_call *call, const uint64_t *a) {
    struct wasi_vector vector;
    struct wasi_fd *fd;
    ssize_t put = 0;
    uint16_t error = prepare(call, a, WASI_RIGHT_FD_WRITE, a[3], &fd, &vector);

    if (error)
        return error;
    if (!vector.count)
        put = 0;
    else if (fd->kind == WASI_FD_STREAM)
        put = write_stream(call, &call->wasi->streams[fd->stream], &vector);
    else if (fd->waits)
        error = write_waiting(call, fd, &vector, &put);
    else
        error = move_file(call, fd, &vector, NULL, write_some, &put);
    return finish(call, fd, error, a[3], put);
}

uint16_t cn_wasi_fd_pread(struct wasi_call *call, const uint64_t *a) {
    struct wasi_vector vector;
    struct wasi_fd *fd;
    ssize_t got = 0;
    uint16_t error = prepare(call, a, WASI_RIGHT_FD_READ | WASI_RIGHT_FD_SEEK, a[4], &fd, &vector);

    if (error)
        return error;
    if (a[3] > INT64_MAX)
        error = WASI_INVAL;
    else if (vector.count)
        error = move_file(call, fd, &vector, &a[3], read_some, &got);
    return finish(call, fd, error, a[4], got);
}

uint16_t cn_wasi_fd_pwrite(struct wasi_call *call, const uint64_t *a) {
    struct wasi_vector vector;
    struct wasi_fd *fd;
    ssize_t put = 0;
    uint16_t error = prepare(call, a, WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_SEEK, a[4], &fd, &vector);

    if (error)
        return error;
    if (a[3] > INT64_MAX)
        error = WASI_INVAL;
    else if (vector.count)
        error = move_file(call, fd, &vector, &a[3], write_some, &put);
    return finish(call, fd, error, a[4], put);
}

/* ---- The offset ------------------------------------------------------------------------------ */

static uint16_t seek(struct wasi_call *call, const struct wasi_fd *fd, int64_t delta, int whence,
                     uint32_t out) {
    if (!cn_guest_range(&call->memory, out, 8))
        return WASI_FAULT;
    off_t offset = lseek(fd->host, (off_t)delta, whence);
    if (offset < 0)
        return cn_wasi_errno(errno);
    cn_put_u64(cn_guest_at(&call->memory, out), (uint64_t)offset);
    return WASI_SUCCESS;
}

uint16_t cn_wasi_fd_seek(struct wasi_call *call, const uint64_t *a) {
    uint32_t whence = (uint32_t)a[2];
    struct wasi_fd *fd;

    if (whence >= sizeof call->layout->whence)
        return WASI_INVAL;
    int host_whence = call->layout->whence[whence];
    bool tells = host_whence == SEEK_CUR && !a[1];
    uint16_t error =
        cn_fd_get(call, (uint32_t)a[0], tells ? WASI_RIGHT_FD_TELL : WASI_RIGHT_FD_SEEK, &fd);
    return error ? error : seek(call, fd, (int64_t)a[1], host_whence, (uint32_t)a[3]);
}

uint16_t cn_wasi_fd_tell(struct wasi_call *call, const uint64_t *a) {
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], WASI_RIGHT_FD_TELL, &fd);
    return error ? error : seek(call, fd, 0, SEEK_CUR, (uint32_t)a[1]);
}

/* ---- Contents as a whole --------------------------------------------------------------------- */

uint16_t cn_wasi_fd_advise(struct wasi_call *call, const uint64_t *a) {
    static const int advice[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                 POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
    uint32_t which = (uint32_t)a[3];
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], WASI_RIGHT_FD_ADVISE, &fd);

    if (error)
        return error;
    if (which >= sizeof advice / sizeof advice[0] || a[1] > INT64_MAX || a[2] > INT64_MAX)
        return WASI_INVAL;
    return cn_wasi_errno(posix_fadvise(fd->host, (off_t)a[1], (off_t)a[2], advice[which]));
}

uint16_t cn_wasi_fd_allocate(struct wasi_call *call, const uint64_t *a) {
    struct wasi_signals signals;
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)a[0], WASI_RIGHT_FD_ALLOCATE, &fd);

    if (error)
        return error;
    if (a[1] > INT64_MAX || a[2] > INT64_MAX)
        return WASI_FBIG;
    cn_signals_hold(call->wasi, fd, &signals);
    int failure = fallocate(fd->host, 0, (off_t)a[1], (off_t)a[2]) < 0 ? errno : 0;
    cn_signals_release(&signals, failure);
    return cn_wasi_errno(failure);
}

static uint16_t sync_fd(struct wasi_call *call, uint64_t number, uint64_t right,
                        int (*sync_host)(int)) {
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, (uint32_t)number, right, &fd);

    if (error)
        return error;
    if (fd->kind != WASI_FD_HOST)
        return WASI_INVAL; /* as a pipe says it */
    error = cn_fd_hold(call, &fd);
    if (!error && sync_host(fd->host) < 0)
        error = cn_wasi_errno(errno);
    cn_fd_let_go(call, fd);
    return error;
}

uint16_t cn_wasi_fd_datasync(struct wasi_call *call, const uint64_t *a) {
    return sync_fd(call, a[0], WASI_RIGHT_FD_DATASYNC, fdatasync);
}

uint16_t cn_wasi_fd_sync(struct wasi_call *call, const uint64_t *a) {
    return sync_fd(call, a[0], WASI_RIGHT_FD_SYNC, fsync);
}
