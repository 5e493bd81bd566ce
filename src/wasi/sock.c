/*
 * Sockets, which the host made: accepting, receiving, sending, shutting down. Nothing here blocks
 * in the kernel: readiness comes from poll, and the calls are made with MSG_DONTWAIT.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wasi/state.h"

#define PEEK_RETRY_NS UINT64_C(5000000) /* how often a whole message is looked for */

/* NOTSOCK comes before any right: a file never has those of a socket, and may have the others. */
static uint16_t get_socket(struct wasi_call *call, uint64_t number, uint64_t rights,
                           struct wasi_fd **fd) {
    uint16_t error = cn_fd_get(call, (uint32_t)number, 0, fd);

    if (error)
        return error;
    if (!cn_fd_is_socket(*fd))
        return WASI_NOTSOCK;
    return cn_fd_get(call, (uint32_t)number, rights, fd);
}

/* ---- sock_accept ----------------------------------------------------------------------------- */

static uint16_t accept_host(struct wasi_call *call, const struct wasi_fd *fd, int *host) {
    for (;;) {
        uint16_t error = cn_call_wait(call, fd, POLLIN);
        if (error)
            return error;
        *host = accept4(fd->host, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (*host >= 0)
            return WASI_SUCCESS;
        if (!cn_wasi_try_again(errno) && errno != ECONNABORTED)
            return cn_wasi_errno(errno);
    }
}

uint16_t cn_wasi_sock_accept(struct wasi_call *call, const uint64_t *a) {
    uint32_t flags = (uint32_t)a[1], out = (uint32_t)a[2], number;
    int host;
    struct wasi_fd *fd;
    struct wasi_fd accepted = {.kind = WASI_FD_HOST, .preopen = WASI_NO_PREOPEN};
    cn_call_lock(call);
    uint16_t full = cn_fd_reserve(call->wasi, &number); /* first, since it moves the table */
    uint16_t error = get_socket(call, a[0], WASI_RIGHT_SOCK_ACCEPT, &fd);

    if (!error && (flags & ~(uint32_t)WASI_FDFLAG_NONBLOCK))
        error = WASI_INVAL;
    if (!error && !cn_guest_range(&call->memory, out, 4))
        error = WASI_FAULT;
    if (!error)
        error = full;
    if (!error)
        error = cn_fd_hold(call, &fd);
    if (error)
        return error;
    error = accept_host(call, fd, &host);
    cn_fd_let_go(call, fd);
    if (error)
        return error;
    error = cn_wasi_errno(cn_fd_describe(host, &accepted));
    if (!error)
        error = cn_fd_reserve(call->wasi, &number); /* other threads may have taken it */
    if (error) {
        close(host);
        return error;
    }
    accepted.host = host;
    accepted.flags = (uint16_t)flags;
    accepted.rights = cn_fd_type_rights(&accepted) & ~WASI_RIGHT_SOCK_ACCEPT;
    call->wasi->fds[number] = accepted;
    cn_put_u32(cn_guest_at(&call->memory, out), number);
    return WASI_SUCCESS;
}

/* ---- sock_recv ------------------------------------------------------------------------------- */

/* Receives what there is, once. Gives bytes, or -errno. */
static ssize_t receive_some(const struct wasi_fd *fd, struct iovec *items, int count, int flags,
                            int *seen) {
    struct msghdr message = {.msg_iov = items, .msg_iovlen = (size_t)count};
    ssize_t got = recvmsg(fd->host, &message, MSG_DONTWAIT | flags);
    *seen = message.msg_flags;
    return got < 0 ? -errno : got;
}

/*
 * Peeks until as much is there as the vector takes. The kernel cannot wait for that and for an
 * interrupt at once, so it is looked for now and then. True when there will be no more.
 */
static bool peek_ends(struct wasi_call *call, const struct wasi_fd *fd) {
    struct pollfd items[2] = {{.fd = fd->host, .events = POLLRDHUP}};
    return cn_call_poll(call, items, 1, PEEK_RETRY_NS) != 0;
}

/* Receives into the vector; with WAITALL until it is full or the peer has finished. */
static uint16_t receive(struct wasi_call *call, const struct wasi_fd *fd,
                        struct wasi_vector *vector, uint32_t flags, ssize_t *got, int *seen) {
    bool all = (flags & WASI_RI_WAITALL) && fd->filetype == WASI_FILETYPE_SOCKET_STREAM &&
               !(fd->flags & WASI_FDFLAG_NONBLOCK);
    bool peek = flags & WASI_RI_PEEK;
    struct iovec *items = vector->items;
    int count = vector->count;

    *got = 0;
    for (;;) {
        uint16_t error = cn_call_wait(call, fd, POLLIN);
        if (error)
            return cn_call_partly(call, error, peek ? 0 : (size_t)*got);
        ssize_t size = receive_some(fd, items, count, peek ? MSG_PEEK : 0, seen);
        if (size < 0 && cn_wasi_try_again((int)-size))
            continue;
        if (size < 0)
            return *got ? WASI_SUCCESS : cn_wasi_errno((int)-size);
        *got = peek ? size : *got + size;
        if (!all || size == 0 || (size_t)*got == vector->total)
            return WASI_SUCCESS;
        if (!peek)
            cn_vector_advance(&items, &count, (size_t)size);
        else if (peek_ends(call, fd))
            return call->outcome == WASI_INTERRUPTED ? WASI_INTR : WASI_SUCCESS;
    }
}

uint16_t cn_wasi_sock_recv(struct wasi_call *call, const uint64_t *a) {
    uint32_t flags = (uint32_t)a[3], out = (uint32_t)a[4], out_flags = (uint32_t)a[5];
    struct wasi_vector vector;
    struct wasi_fd *fd;
    ssize_t got;
    int seen = 0;
    uint16_t error = get_socket(call, a[0], WASI_RIGHT_FD_READ, &fd);

    if (!error && (flags & ~(uint32_t)WASI_RI_ALL))
        error = WASI_INVAL;
    if (!error &&
        (!cn_guest_range(&call->memory, out, 4) || !cn_guest_range(&call->memory, out_flags, 2)))
        error = WASI_FAULT;
    if (!error)
        error = cn_guest_vector(&call->memory, (uint32_t)a[1], (uint32_t)a[2], &vector);
    if (!error)
        error = cn_fd_hold(call, &fd);
    if (error)
        return error;
    error = receive(call, fd, &vector, flags, &got, &seen);
    cn_fd_let_go(call, fd);
    if (error)
        return error;
    cn_put_u32(cn_guest_at(&call->memory, out), (uint32_t)got);
    cn_put_u16(cn_guest_at(&call->memory, out_flags),
               seen & MSG_TRUNC ? WASI_RO_DATA_TRUNCATED : 0);
    return WASI_SUCCESS;
}

/* ---- sock_send, sock_shutdown ---------------------------------------------------------------- */

static uint16_t send_all(struct wasi_call *call, const struct wasi_fd *fd,
                         struct wasi_vector *vector, size_t *put) {
    struct iovec *items = vector->items;
    int count = vector->count;

    *put = 0;
    do {
        struct msghdr message = {.msg_iov = items, .msg_iovlen = (size_t)count};
        uint16_t error = cn_call_wait(call, fd, POLLOUT);
        if (error)
            return cn_call_partly(call, error, *put);
        ssize_t size = sendmsg(fd->host, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0 && cn_wasi_try_again(errno))
            continue;
        if (size < 0)
            return *put ? WASI_SUCCESS : cn_wasi_errno(errno);
        *put += (size_t)size;
        cn_vector_advance(&items, &count, (size_t)size);
    } while (count);
    return WASI_SUCCESS;
}

uint16_t cn_wasi_sock_send(struct wasi_call *call, const uint64_t *a) {
    uint32_t flags = (uint32_t)a[3], out = (uint32_t)a[4];
    struct wasi_vector vector;
    struct wasi_fd *fd;
    size_t put;
    uint16_t error = get_socket(call, a[0], WASI_RIGHT_FD_WRITE, &fd);

    if (!error && flags)
        error = WASI_INVAL; /* none are defined */
    if (!error && !cn_guest_range(&call->memory, out, 4))
        error = WASI_FAULT;
    if (!error)
        error = cn_guest_vector(&call->memory, (uint32_t)a[1], (uint32_t)a[2], &vector);
    if (!error)
        error = cn_fd_hold(call, &fd);
    if (error)
        return error;
    error = send_all(call, fd, &vector, &put);
    cn_fd_let_go(call, fd);
    if (!error)
        cn_put_u32(cn_guest_at(&call->memory, out), (uint32_t)put);
    return error;
}

uint16_t cn_wasi_sock_shutdown(struct wasi_call *call, const uint64_t *a) {
    static const int how[] = {-1, [WASI_SD_RD] = SHUT_RD, [WASI_SD_WR] = SHUT_WR,
                              [WASI_SD_RD | WASI_SD_WR] = SHUT_RDWR};
    uint32_t which = (uint32_t)a[1];
    struct wasi_fd *fd;
    uint16_t error = get_socket(call, a[0], WASI_RIGHT_SOCK_SHUTDOWN, &fd);

    if (error)
        return error;
    if (!which || which >= sizeof how / sizeof how[0])
        return WASI_INVAL;
    return shutdown(fd->host, how[which]) < 0 ? cn_wasi_errno(errno) : WASI_SUCCESS;
}
