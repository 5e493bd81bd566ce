/* Waiting: clocks and descriptors in poll_oneoff, pipes, and interrupts that end all of it. */
#include "guest.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#define MS UINT64_C(1000000)
#define IN 8192u   /* subscriptions */
#define OUT 16384u /* events */

/* Writes subscription `index` in the layout that the guest has. */
static uint8_t *subscription(struct guest *g, uint32_t index, uint64_t userdata, uint8_t type) {
    uint32_t size = g->call.layout->subscription_size;
    uint8_t *at = g->memory + IN + index * size;
    memset(at, 0, size);
    cn_put_u64(at, userdata);
    at[8] = type;
    return at;
}

static void subscribe_clock(struct guest *g, uint32_t index, uint64_t userdata, uint32_t clock,
                            uint64_t timeout, uint16_t flags) {
    uint8_t *at =
        subscription(g, index, userdata, WASI_EVENT_CLOCK) + g->call.layout->subscription_clock;
    cn_put_u32(at, clock);
    cn_put_u64(at + 8, timeout);
    cn_put_u16(at + 24, flags);
}

static void subscribe_fd(struct guest *g, uint32_t index, uint64_t userdata, uint8_t type,
                         uint32_t fd) {
    cn_put_u32(subscription(g, index, userdata, type) + 16, fd);
}

static uint16_t poll_all(struct guest *g, uint32_t count) {
    return CALL(g, poll_oneoff, IN, OUT, count, 0);
}

static void assert_event(struct guest *g, uint32_t index, uint64_t userdata, uint16_t error,
                         uint8_t type) {
    uint32_t at = OUT + index * WASI_EVENT_SIZE;
    assert_int_equal(userdata, guest_u64(g, at));
    assert_int_equal(error, guest_u16(g, at + 8));
    assert_int_equal(type, g->memory[at + 10]);
}

/* ---- Clocks ---------------------------------------------------------------------------------- */

static void sleep_for_a_while(void **state) {
    struct guest *g = *state;
    uint64_t start = now_ns();

    subscribe_clock(g, 0, 7, WASI_CLOCK_MONOTONIC, 30 * MS, 0);
    subscribe_clock(g, 1, 8, WASI_CLOCK_REALTIME, 60000 * MS, 0);
    assert_wasi(WASI_SUCCESS, poll_all(g, 2));
    assert_true(now_ns() - start >= 30 * MS);
    assert_int_equal(1, guest_u32(g, 0));
    assert_event(g, 0, 7, WASI_SUCCESS, WASI_EVENT_CLOCK);
}

static void ignore_signal(int number) {
    (void)number;
}

/* A signal of the host's in between changes nothing. */
static void sleep_through_signals(void **state) {
    struct guest *g = *state;
    struct sigaction old, action = {.sa_handler = ignore_signal}; /* no SA_RESTART */
    const struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    uint64_t start = now_ns();

    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &often, NULL);
    subscribe_clock(g, 0, 7, WASI_CLOCK_MONOTONIC, 30 * MS, 0);
    assert_wasi(WASI_SUCCESS, poll_all(g, 1));
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &old, NULL);
    assert_true(now_ns() - start >= 30 * MS);
    assert_int_equal(1, guest_u32(g, 0));
}

static void sleep_until(void **state) {
    struct guest *g = *state;
    uint64_t start = now_ns();

    subscribe_clock(g, 0, 7, WASI_CLOCK_MONOTONIC, start + 20 * MS, WASI_SUBCLOCK_ABSTIME);
    assert_wasi(WASI_SUCCESS, poll_all(g, 1));
    assert_true(now_ns() - start >= 20 * MS);
    subscribe_clock(g, 0, 7, WASI_CLOCK_REALTIME, 1, WASI_SUBCLOCK_ABSTIME); /* long ago */
    assert_wasi(WASI_SUCCESS, poll_all(g, 1));
    assert_event(g, 0, 7, WASI_SUCCESS, WASI_EVENT_CLOCK);
    assert_true(now_ns() - start < 5000 * MS);
}

static void sleep_in_the_older_snapshot(void **state) {
    struct guest *g = *state;
    uint64_t start = now_ns();

    g->call.layout = &cn_wasi_layout_unstable;
    subscribe_clock(g, 0, 1, WASI_CLOCK_MONOTONIC, 60000 * MS, 0);
    subscribe_clock(g, 1, 2, WASI_CLOCK_MONOTONIC, 10 * MS, 0);
    assert_wasi(WASI_SUCCESS, poll_all(g, 2));
    assert_int_equal(1, guest_u32(g, 0));
    assert_event(g, 0, 2, WASI_SUCCESS, WASI_EVENT_CLOCK);
    assert_true(now_ns() - start < 5000 * MS);
}

static void clocks_that_cannot_be(void **state) {
    struct guest *g = *state;

    subscribe_clock(g, 0, 1, 9, MS, 0);
    subscribe_clock(g, 1, 2, WASI_CLOCK_PROCESS_CPUTIME, MS, 0);
    subscribe_clock(g, 2, 3, WASI_CLOCK_MONOTONIC, MS, 2);
    subscription(g, 3, 4, 77);
    assert_wasi(WASI_SUCCESS, poll_all(g, 4));
    assert_int_equal(4, guest_u32(g, 0));
    assert_event(g, 0, 1, WASI_INVAL, WASI_EVENT_CLOCK);
    assert_event(g, 1, 2, WASI_NOTSUP, WASI_EVENT_CLOCK);
    assert_event(g, 2, 3, WASI_INVAL, WASI_EVENT_CLOCK);
    assert_event(g, 3, 4, WASI_INVAL, 77);
    assert_wasi(WASI_INVAL, poll_all(g, 0));
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static void files_are_ready(void **state) {
    struct guest *g = *state;

    guest_write_file(g, "tree/file", "12345");
    uint32_t fd = guest_must_open(g, "file", 0, RIGHTS_READ);
    assert_wasi(WASI_SUCCESS, guest_read(g, fd, 2));
    assert_no_error(catnap_wasi_set_stdin_bytes(g->wasi, "abcd", 4));
    subscribe_fd(g, 0, 1, WASI_EVENT_FD_READ, fd);
    subscribe_fd(g, 1, 2, WASI_EVENT_FD_WRITE, fd);
    subscribe_fd(g, 2, 3, WASI_EVENT_FD_READ, 99);
    subscribe_fd(g, 3, 4, WASI_EVENT_FD_READ, 0);
    subscribe_fd(g, 4, 5, WASI_EVENT_FD_WRITE, 1);
    subscribe_clock(g, 5, 6, WASI_CLOCK_MONOTONIC, 60000 * MS, 0);
    assert_wasi(WASI_SUCCESS, poll_all(g, 6));
    assert_int_equal(5, guest_u32(g, 0));
    assert_event(g, 0, 1, WASI_SUCCESS, WASI_EVENT_FD_READ);
    assert_int_equal(3, guest_u64(g, OUT + 16));
    assert_event(g, 1, 2, WASI_NOTCAPABLE, WASI_EVENT_FD_WRITE);
    assert_event(g, 2, 3, WASI_BADF, WASI_EVENT_FD_READ);
    assert_event(g, 3, 4, WASI_SUCCESS, WASI_EVENT_FD_READ);
    assert_int_equal(4, guest_u64(g, OUT + 3 * WASI_EVENT_SIZE + 16));
    assert_event(g, 4, 5, WASI_SUCCESS, WASI_EVENT_FD_WRITE);
}

static void pipes_are_waited_for(void **state) {
    struct guest *g = *state;
    int fds[2];

    assert_int_equal(0, pipe(fds));
    assert_no_error(catnap_wasi_set_stdio_fd(g->wasi, 0, fds[0]));
    subscribe_fd(g, 0, 1, WASI_EVENT_FD_READ, 0);
    subscribe_clock(g, 1, 2, WASI_CLOCK_MONOTONIC, 10 * MS, 0);
    assert_wasi(WASI_SUCCESS, poll_all(g, 2));
    assert_int_equal(1, guest_u32(g, 0));
    assert_event(g, 0, 2, WASI_SUCCESS, WASI_EVENT_CLOCK);
    assert_int_equal(3, write(fds[1], "abc", 3));
    assert_wasi(WASI_SUCCESS, poll_all(g, 2));
    assert_event(g, 0, 1, WASI_SUCCESS, WASI_EVENT_FD_READ);
    assert_int_equal(3, guest_u64(g, OUT + 16));
    assert_int_equal(0, guest_u16(g, OUT + 24));
    close(fds[1]);
    assert_wasi(WASI_SUCCESS, poll_all(g, 2));
    assert_int_equal(WASI_EVENTRW_HANGUP, guest_u16(g, OUT + 24));
    close(fds[0]);
    assert_int_equal(0, pipe(fds));
    assert_no_error(catnap_wasi_set_stdio_fd(g->wasi, 1, fds[1]));
    close(fds[0]);
    subscribe_fd(g, 0, 1, WASI_EVENT_FD_WRITE, 1);
    assert_wasi(WASI_SUCCESS, poll_all(g, 1));
    assert_event(g, 0, 1, WASI_PIPE, WASI_EVENT_FD_WRITE);
    close(fds[1]);
    assert_wasi(WASI_SUCCESS, poll_all(g, 1)); /* closed by the host, which only lent it */
    assert_event(g, 0, 1, WASI_BADF, WASI_EVENT_FD_WRITE);
}

/* Events may be written over the subscriptions that they answer. */
static void overlapping_arrays(void **state) {
    struct guest *g = *state;

    for (uint32_t i = 0; i < 40; i++)
        subscribe_fd(g, i, 100 + i, WASI_EVENT_FD_WRITE, 1);
    assert_wasi(WASI_SUCCESS, CALL(g, poll_oneoff, IN, IN + 16, 40, 0));
    assert_int_equal(40, guest_u32(g, 0));
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(100 + i, guest_u64(g, IN + 16 + i * WASI_EVENT_SIZE));
}

static void arrays_must_fit(void **state) {
    struct guest *g = *state;
    assert_wasi(WASI_FAULT, CALL(g, poll_oneoff, GUEST_MEMORY - 47, OUT, 1, 0));
    assert_wasi(WASI_FAULT, CALL(g, poll_oneoff, IN, GUEST_MEMORY - 31, 1, 0));
    assert_wasi(WASI_FAULT, CALL(g, poll_oneoff, IN, OUT, UINT32_MAX, 0));
    assert_wasi(WASI_FAULT, CALL(g, poll_oneoff, IN, OUT, 1, GUEST_MEMORY - 3));
    assert_wasi(WASI_FAULT, CALL(g, poll_oneoff, IN, OUT, (1u << 28) + 1, 0));
}

/* ---- Reading and writing that waits ---------------------------------------------------------- */

static void non_blocking(void **state) {
    struct guest *g = *state;
    int fds[2];

    assert_int_equal(0, pipe(fds));
    assert_no_error(catnap_wasi_set_stdio_fd(g->wasi, 0, fds[0]));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_set_flags, 0, WASI_FDFLAG_NONBLOCK));
    assert_wasi(WASI_AGAIN, guest_read(g, 0, 10));
    assert_int_equal(2, write(fds[1], "ab", 2));
    assert_wasi(WASI_SUCCESS, guest_read(g, 0, 10));
    assert_string_equal("ab", guest_text(g));
    assert_no_error(catnap_wasi_set_stdio_fd(g->wasi, 1, fds[1]));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_set_flags, 1, WASI_FDFLAG_NONBLOCK));
    guest_reset(g);
    uint32_t vector = guest_iovec(g, 2048, GUEST_MEMORY - 2048);
    const uint64_t write_much[] = {1, vector, 1, 0};
    uint32_t total = 0;
    uint16_t error;
    while ((error = cn_wasi_fd_write(&g->call, write_much)) == WASI_SUCCESS)
        total += guest_u32(g, 0);
    assert_wasi(WASI_AGAIN, error);
    assert_true(total >= 4096);
    close(fds[0]);
    close(fds[1]);
}

/* Reads all of a pipe, slowly. */
static void *drain(void *env) {
    int fd = *(int *)env;
    char buffer[1024];
    intptr_t total = 0;
    ssize_t got;

    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        total += got;
        usleep(10);
    }
    return (void *)total;
}

/* A blocking write takes all of it, though only a little fits into the pipe at a time. */
static void writing_all_of_it(void **state) {
    struct guest *g = *state;
    int fds[2];
    pthread_t thread;
    void *total;

    assert_int_equal(0, pipe(fds));
    fcntl(fds[1], F_SETPIPE_SZ, 4096);
    assert_no_error(catnap_wasi_set_stdio_fd(g->wasi, 1, fds[1]));
    assert_int_equal(0, pthread_create(&thread, NULL, drain, &fds[0]));
    guest_reset(g);
    uint32_t vector = guest_iovec(g, 2048, GUEST_MEMORY - 2048);
    const uint64_t write_much[] = {1, vector, 1, 0};
    assert_wasi(WASI_SUCCESS, cn_wasi_fd_write(&g->call, write_much));
    assert_int_equal(GUEST_MEMORY - 2048, guest_u32(g, 0));
    close(fds[1]);
    pthread_join(thread, &total);
    assert_int_equal(GUEST_MEMORY - 2048, (intptr_t)total);
    close(fds[0]);
}

/* ---- Interrupts ------------------------------------------------------------------------------ */

/* Each of these would wait for ever. */
static void wait_in_poll(struct guest *g) {
    subscribe_clock(g, 0, 1, WASI_CLOCK_MONOTONIC, UINT64_MAX, 0);
    subscribe_clock(g, 1, 1, WASI_CLOCK_REALTIME, UINT64_MAX, WASI_SUBCLOCK_ABSTIME);
    assert_wasi(WASI_INTR, poll_all(g, 2));
}

static void wait_in_read(struct guest *g) {
    int fds[2];
    assert_int_equal(0, pipe(fds));
    assert_no_error(catnap_wasi_set_stdio_fd(g->wasi, 0, fds[0]));
    assert_wasi(WASI_INTR, guest_read(g, 0, 10));
    close(fds[0]);
    close(fds[1]);
}

static void wait_in_write(struct guest *g) {
    int fds[2];
    assert_int_equal(0, pipe(fds));
    assert_no_error(catnap_wasi_set_stdio_fd(g->wasi, 1, fds[1]));
    fcntl(fds[1], F_SETPIPE_SZ, 4096);
    guest_reset(g);
    uint32_t vector = guest_iovec(g, 2048, GUEST_MEMORY - 2048);
    const uint64_t write_much[] = {1, vector, 1, 0};
    /* A partial write is reported; only a call that moves nothing is interrupted. */
    assert_wasi(WASI_SUCCESS, cn_wasi_fd_write(&g->call, write_much));
    assert_int_equal(WASI_RETURN, g->call.outcome);
    assert_int_equal(4096, guest_u32(g, 0));
    assert_wasi(WASI_INTR, cn_wasi_fd_write(&g->call, write_much));
    close(fds[0]);
    close(fds[1]);
}

static void wait_in_fifo(struct guest *g) {
    assert_int_equal(0, mkfifo(guest_host_path(g, "tree/fifo"), 0600));
    uint32_t fd = guest_must_open(g, "fifo", 0, RIGHTS_READ);
    assert_wasi(WASI_INTR, guest_read(g, fd, 10));
}

static void wait_in_open(struct guest *g) {
    uint32_t fd;
    assert_int_equal(0, mkfifo(guest_host_path(g, "tree/fifo"), 0600));
    assert_wasi(WASI_INTR, guest_open(g, "fifo", true, 0, WASI_RIGHT_FD_WRITE, 0, &fd));
}

static void interrupts_end_waiting(void **state) {
    static void (*const waits[])(struct guest *) = {wait_in_poll, wait_in_read, wait_in_write,
                                                    wait_in_fifo, wait_in_open};
    (void)state;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        struct guest g;
        pthread_t thread;
        guest_make(&g, CATNAP_WASI_DIR_READ_WRITE);
        assert_int_equal(0, pthread_create(&thread, NULL, interrupt_soon, &g));
        uint64_t start = now_ns();
        waits[i](&g);
        assert_int_equal(WASI_INTERRUPTED, g.call.outcome);
        assert_true(now_ns() - start < 5000 * MS);
        pthread_join(thread, NULL);
        guest_free(&g);
    }
}

/* Asked before it began: nothing waits at all. */
/* A request for an earlier call makes the descriptor readable: this call goes on waiting. */
static void late_interrupts(void **state) {
    struct guest *g = *state;
    uint64_t start = now_ns();

    g->late_signals = 2;
    subscribe_clock(g, 0, 7, WASI_CLOCK_MONOTONIC, 30 * MS, 0);
    assert_wasi(WASI_SUCCESS, poll_all(g, 1));
    assert_int_equal(WASI_RETURN, g->call.outcome);
    assert_int_equal(0, g->late_signals);
    assert_true(now_ns() - start >= 30 * MS);
    assert_event(g, 0, 7, WASI_SUCCESS, WASI_EVENT_CLOCK);
}

static void interrupted_before(void **state) {
    struct guest *g = *state;
    g->interrupted = true;
    subscribe_clock(g, 0, 1, WASI_CLOCK_MONOTONIC, 60000 * MS, 0);
    assert_wasi(WASI_INTR, poll_all(g, 1));
    assert_int_equal(WASI_INTERRUPTED, g->call.outcome);
}

/* ---- Named pipes ----------------------------------------------------------------------------- */

static void named_pipes(void **state) {
    struct guest *g = *state;
    uint32_t reader, writer;

    assert_int_equal(0, mkfifo(guest_host_path(g, "tree/fifo"), 0600));
    assert_wasi(WASI_NXIO,
                guest_open(g, "fifo", true, 0, WASI_RIGHT_FD_WRITE, WASI_FDFLAG_NONBLOCK, &writer));
    reader = guest_must_open(g, "fifo", 0, RIGHTS_READ);
    writer = guest_must_open(g, "fifo", 0, WASI_RIGHT_FD_WRITE);
    assert_wasi(WASI_SUCCESS, guest_write(g, writer, "through"));
    assert_wasi(WASI_SUCCESS, guest_read(g, reader, 100));
    assert_string_equal("through", guest_text(g));
    assert_wasi(WASI_SPIPE, CALL(g, fd_seek, reader, 0, 0, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, writer));
    assert_wasi(WASI_SUCCESS, guest_read(g, reader, 100));
    assert_int_equal(0, guest_u32(g, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(sleep_for_a_while),     TEST(sleep_through_signals),
        TEST(sleep_until),           TEST(sleep_in_the_older_snapshot),
        TEST(clocks_that_cannot_be), TEST(files_are_ready),
        TEST(pipes_are_waited_for),  TEST(overlapping_arrays),
        TEST(arrays_must_fit),       TEST(non_blocking),
        TEST(writing_all_of_it),     cmocka_unit_test(interrupts_end_waiting),
        TEST(late_interrupts),       TEST(interrupted_before),
        TEST(named_pipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
