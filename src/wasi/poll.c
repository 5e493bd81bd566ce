/*
 * poll_oneoff: waiting for clocks and descriptors at once.
 *
 * Subscriptions are read from the guest's memory before any event is written to it, since the two
 * arrays may overlap. An error of one subscription is reported in its event; the others go on.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "wasi/state.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define NOT_POLLED UINT32_MAX

struct subscription {
    uint64_t userdata;
    uint8_t type;
    uint16_t error; /* known beforehand */
    bool ready;     /* has an event */
    int clock;      /* of a clock: the host's, and when it is due by it */
    uint64_t due_ns;
    struct wasi_fd *fd;
    uint32_t polled; /* index of its pollfd, or NOT_POLLED */
};

/* Everything about one call. */
struct polling {
    struct subscription *items;
    struct pollfd *polled; /* room for one more than there are subscriptions */
    uint32_t count, polled_count;
    bool some_ready;
};

/* ---- Reading subscriptions ------------------------------------------------------------------- */

static uint64_t clock_ns(int clock) {
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* Only clocks that go on while the process sleeps can be waited for. */
static uint16_t read_clock(const uint8_t *at, struct subscription *s) {
    uint32_t id = cn_get_u32(at);
    uint64_t timeout = cn_get_u64(at + 8);
    uint16_t flags = cn_get_u16(at + 24);

    if (!cn_wasi_clock(id, &s->clock) || (flags & ~WASI_SUBCLOCK_ABSTIME))
        return WASI_INVAL;
    if (id != WASI_CLOCK_REALTIME && id != WASI_CLOCK_MONOTONIC)
        return WASI_NOTSUP;
    s->due_ns = timeout;
    if (!(flags & WASI_SUBCLOCK_ABSTIME)) {
        s->clock = CLOCK_MONOTONIC; /* so that setting the time does not change it */
        uint64_t now = clock_ns(s->clock);
        s->due_ns = timeout > UINT64_MAX - now ? UINT64_MAX : now + timeout;
    }
    return WASI_SUCCESS;
}

static uint16_t read_descriptor(struct wasi_call *call, const uint8_t *at, struct subscription *s) {
    uint64_t right = s->type == WASI_EVENT_FD_READ ? WASI_RIGHT_FD_READ : WASI_RIGHT_FD_WRITE;
    struct wasi_fd *fd;
    uint16_t error = cn_fd_get(call, cn_get_u32(at), right | WASI_RIGHT_POLL_FD_READWRITE, &fd);
    if (!error)
        error = cn_fd_keep(call, &fd);
    if (!error)
        s->fd = fd;
    return error;
}

static void read_subscription(struct wasi_call *call, const uint8_t *at, struct polling *p,
                              struct subscription *s) {
    s->userdata = cn_get_u64(at);
    s->type = at[8];
    s->polled = NOT_POLLED;
    if (s->type == WASI_EVENT_CLOCK)
        s->error = read_clock(at + call->layout->subscription_clock, s);
    else if (s->type == WASI_EVENT_FD_READ || s->type == WASI_EVENT_FD_WRITE)
        s->error = read_descriptor(call, at + 16, s);
    else
        s->error = WASI_INVAL;

    if (s->fd && s->fd->waits) {
        s->polled = p->polled_count++;
        p->polled[s->polled] = (struct pollfd){
            .fd = s->fd->host, .events = s->type == WASI_EVENT_FD_READ ? POLLIN : POLLOUT};
    } else if (s->fd || s->error) {
        s->ready = true; /* files and the embedder's streams always are */
        p->some_ready = true;
    }
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* How long until the first clock is due. The real time may be set meanwhile: look every second. */
static uint64_t time_left(const struct polling *p) {
    uint64_t least = UINT64_MAX;

    if (p->some_ready)
        return 0;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct subscription *s = &p->items[i];
        if (s->type != WASI_EVENT_CLOCK || s->error)
            continue;
        uint64_t now = clock_ns(s->clock);
        uint64_t left = s->due_ns > now ? s->due_ns - now : 0;
        if (s->clock == CLOCK_REALTIME && left > NS_PER_SECOND)
            left = NS_PER_SECOND;
        if (left < least)
            least = left;
    }
    return least;
}

static void mark_ready(struct polling *p) {
    for (uint32_t i = 0; i < p->count; i++) {
        struct subscription *s = &p->items[i];
        if (s->type == WASI_EVENT_CLOCK && !s->error)
            s->ready = clock_ns(s->clock) >= s->due_ns;
        else if (s->polled != NOT_POLLED)
            s->ready = p->polled[s->polled].revents != 0;
        p->some_ready |= s->ready;
    }
}

static uint16_t wait_for_events(struct wasi_call *call, struct polling *p) {
    do {
        int ready = cn_call_poll(call, p->polled, p->polled_count, time_left(p));
        if (ready < 0)
            return cn_wasi_errno(-ready);
        mark_ready(p);
    } while (!p->some_ready);
    return WASI_SUCCESS;
}

/* ---- Writing events -------------------------------------------------------------------------- */

/* How much can be read now, as far as that is known. */
static uint64_t readable_bytes(const struct wasi_call *call, const struct wasi_fd *fd) {
    const struct wasi_stream *stream = &call->wasi->streams[fd->stream];
    struct stat st;
    int count = 0;

    if (fd->kind == WASI_FD_STREAM)
        return stream->kind == WASI_STREAM_BYTES ? stream->length - stream->position : 0;
    if (fd->waits)
        return ioctl(fd->host, FIONREAD, &count) == 0 && count > 0 ? (uint64_t)count : 0;
    off_t offset = lseek(fd->host, 0, SEEK_CUR);
    if (offset < 0 || fstat(fd->host, &st) < 0 || st.st_size <= offset)
        return 0;
    return (uint64_t)(st.st_size - offset);
}

/* Why a descriptor polled as failed: a socket knows, a pipe has lost its reader. */
static uint16_t poll_error(const struct wasi_fd *fd, short revents) {
    int error = 0;
    socklen_t size = sizeof error;

    if (revents & POLLNVAL)
        return WASI_BADF; /* the host has closed what it lent */
    if (!(revents & POLLERR))
        return WASI_SUCCESS;
    if (fd->pipe)
        return WASI_PIPE;
    if (getsockopt(fd->host, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
        return cn_wasi_errno(error);
    return WASI_SUCCESS;
}

static void put_event(const struct wasi_call *call, const struct polling *p,
                      const struct subscription *s, uint8_t *at) {
    short revents = s->polled != NOT_POLLED ? p->polled[s->polled].revents : 0;
    uint16_t error = s->error;

    if (!error && s->fd)
        error = poll_error(s->fd, revents);
    memset(at, 0, WASI_EVENT_SIZE);
    cn_put_u64(at, s->userdata);
    cn_put_u16(at + 8, error);
    at[10] = s->type;
    if (s->type == WASI_EVENT_FD_READ && s->fd && !error)
        cn_put_u64(at + 16, readable_bytes(call, s->fd));
    if (revents & (POLLHUP | POLLERR))
        cn_put_u16(at + 24, WASI_EVENTRW_HANGUP);
}

static uint32_t put_events(const struct wasi_call *call, const struct polling *p, uint32_t out) {
    uint8_t *at = cn_guest_at(&call->memory, out);
    uint32_t events = 0;

    for (uint32_t i = 0; i < p->count; i++)
        if (p->items[i].ready)
            put_event(call, p, &p->items[i], at + (size_t)events++ * WASI_EVENT_SIZE);
    return events;
}

uint16_t cn_wasi_poll_oneoff(struct wasi_call *call, const uint64_t *a) {
    uint32_t in = (uint32_t)a[0], out = (uint32_t)a[1], count = (uint32_t)a[2];
    uint32_t number = (uint32_t)a[3], size = call->layout->subscription_size;
    struct polling p = {.count = count};
    uint16_t error = WASI_NOMEM;

    if (!cn_guest_range(&call->memory, in, (uint64_t)count * size) ||
        !cn_guest_range(&call->memory, out, (uint64_t)count * WASI_EVENT_SIZE) ||
        !cn_guest_range(&call->memory, number, 4))
        return WASI_FAULT;
    if (!count || count > WASI_MAX_SUBSCRIPTIONS)
        return WASI_INVAL;
    p.items = calloc(count, sizeof *p.items);
    p.polled = calloc(count + 1, sizeof *p.polled);
    if (!p.items || !p.polled)
        goto done;
    for (uint32_t i = 0; i < count; i++)
        read_subscription(call, cn_guest_at(&call->memory, in) + (size_t)i * size, &p, &p.items[i]);
    error = wait_for_events(call, &p);
    cn_call_lock(call);
    if (!error)
        cn_put_u32(cn_guest_at(&call->memory, number), put_events(call, &p, out));
    for (uint32_t i = 0; i < count; i++)
        if (p.items[i].fd)
            cn_fd_let_go(call, p.items[i].fd);
done:
    free(p.items);
    free(p.polled);
    return error;
}
