/* The program's surroundings: streams, arguments, environment, clocks, random bytes, exit. */
#include "guest.h"

#include <signal.h>

/* ---- Streams --------------------------------------------------------------------------------- */

static void streams_at_first(void **state) {
    struct guest *g = *state;
    assert_wasi(WASI_SUCCESS, guest_read(g, 0, 10));
    assert_int_equal(0, guest_u32(g, 0));
    assert_wasi(WASI_SUCCESS, guest_write(g, 1, "dropped"));
    assert_int_equal(7, guest_u32(g, 0));
    assert_wasi(WASI_SUCCESS, guest_write(g, 2, "dropped"));
    assert_wasi(WASI_NOTCAPABLE, guest_write(g, 0, "x"));
    assert_wasi(WASI_NOTCAPABLE, guest_read(g, 1, 1));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_filestat_get, 1, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_get, 1, 0));
    assert_int_equal(WASI_FILETYPE_UNKNOWN, g->memory[0]);
    assert_wasi(WASI_INVAL, CALL(g, fd_sync, 1));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, fd_filestat_set_times, 1, 0, 0, 0));
}

static void stdin_from_bytes(void **state) {
    struct guest *g = *state;
    char bytes[] = "some input";

    assert_no_error(catnap_wasi_set_stdin_bytes(g->wasi, bytes, 10));
    memset(bytes, 'x', 10); /* it was copied */
    assert_wasi(WASI_SUCCESS, guest_read(g, 0, 4));
    assert_string_equal("some", guest_text(g));
    assert_wasi(WASI_SUCCESS, guest_read(g, 0, 100));
    assert_string_equal(" input", guest_text(g));
    assert_wasi(WASI_SUCCESS, guest_read(g, 0, 100));
    assert_int_equal(0, guest_u32(g, 0));
    assert_no_error(catnap_wasi_set_stdin_bytes(g->wasi, NULL, 0));
    assert_wasi(WASI_SUCCESS, guest_read(g, 0, 100));
    assert_int_equal(0, guest_u32(g, 0));
}

static void output_buffers(void **state) {
    struct guest *g = *state;
    size_t length = 1;

    assert_null(catnap_wasi_output(g->wasi, 1, &length));
    assert_int_equal(0, length);
    assert_no_error(catnap_wasi_set_output_buffer(g->wasi, 1, 10));
    assert_null(catnap_wasi_output(g->wasi, 1, &length));
    assert_wasi(WASI_SUCCESS, guest_write(g, 1, "12345"));
    assert_wasi(WASI_SUCCESS, guest_write(g, 1, "67890abc"));
    assert_int_equal(5, guest_u32(g, 0));
    assert_wasi(WASI_NOSPC, guest_write(g, 1, "x"));
    assert_memory_equal("1234567890", catnap_wasi_output(g->wasi, 1, &length), 10);
    assert_int_equal(10, length);
    assert_null(catnap_wasi_output(g->wasi, 2, &length));
    assert_int_equal(0, length);
    assert_no_error(catnap_wasi_set_output_buffer(g->wasi, 2, SIZE_MAX));
    for (int i = 0; i < 1000; i++)
        assert_wasi(WASI_SUCCESS, guest_write(g, 2, "0123456789abcdef"));
    assert_memory_equal("0123", catnap_wasi_output(g->wasi, 2, &length) + 15984, 4);
    assert_int_equal(16000, length);
}

struct echo {
    char text[64];
    size_t length;
    int64_t answer; /* instead of moving bytes, when not 0 */
};

static int64_t echo_write(void *env, const void *bytes, size_t size) {
    struct echo *echo = env;
    if (echo->answer)
        return echo->answer;
    if (size > 3)
        size = 3;
    memcpy(echo->text + echo->length, bytes, size);
    echo->length += size;
    return (int64_t)size;
}

static int64_t echo_read(void *env, void *bytes, size_t size) {
    struct echo *echo = env;
    if (echo->answer)
        return echo->answer;
    if (size > echo->length)
        size = echo->length;
    memcpy(bytes, echo->text, size);
    return (int64_t)size;
}

static void callbacks(void **state) {
    struct guest *g = *state;
    struct echo echo = {.length = 0};

    assert_no_error(catnap_wasi_set_output_callback(g->wasi, 2, echo_write, &echo));
    assert_no_error(catnap_wasi_set_stdin_callback(g->wasi, echo_read, &echo));
    assert_wasi(WASI_SUCCESS, guest_write(g, 2, "hello"));
    assert_int_equal(3, guest_u32(g, 0));
    assert_wasi(WASI_SUCCESS, guest_read(g, 0, 100));
    assert_string_equal("hel", guest_text(g));
    echo.answer = -EPIPE;
    assert_wasi(WASI_PIPE, guest_write(g, 2, "hello"));
    assert_wasi(WASI_PIPE, guest_read(g, 0, 10));
    echo.answer = 1000; /* more than was asked for */
    assert_wasi(WASI_IO, guest_write(g, 2, "hello"));
    assert_wasi(WASI_IO, guest_read(g, 0, 10));
    echo.answer = INT64_MIN;
    assert_wasi(WASI_IO, guest_write(g, 2, "hello"));
}

static void descriptors_are_lent(void **state) {
    struct guest *g = *state;
    int fd = open(guest_host_path(g, "out"), O_CREAT | O_RDWR | O_TRUNC, 0600);

    assert_no_error(catnap_wasi_set_stdio_fd(g->wasi, 1, fd));
    assert_wasi(WASI_SUCCESS, guest_write(g, 1, "text"));
    assert_wasi(WASI_NOTCAPABLE, guest_read(g, 1, 1));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, 1, 0, 0, 0));
    assert_wasi(WASI_NOTSUP, CALL(g, fd_fdstat_set_flags, 1, WASI_FDFLAG_APPEND));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_set_flags, 1, WASI_FDFLAG_NONBLOCK));
    assert_int_equal(0, fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_wasi(WASI_NOTCAPABLE, CALL(g, fd_filestat_set_size, 1, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 1));
    assert_wasi(WASI_BADF, guest_write(g, 1, "text"));
    assert_int_equal(4, lseek(fd, 0, SEEK_END)); /* still open here */
    close(fd);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_no_error(catnap_wasi_set_stdio_fd(g->wasi, 1, fd));
    assert_wasi(WASI_NOTCAPABLE, guest_write(g, 1, "x"));
    close(fd);
    assert_status(CATNAP_MISUSE, catnap_wasi_set_stdio_fd(g->wasi, 0, fd));
}

/* A reader that went away is an errno for the guest, not a signal for the host. */
static void no_signal_for_the_host(void **state) {
    struct guest *g = *state;
    int fds[2];
    sigset_t pending;

    assert_int_equal(0, pipe(fds));
    assert_no_error(catnap_wasi_set_stdio_fd(g->wasi, 1, fds[1]));
    assert_wasi(WASI_SUCCESS, guest_write(g, 1, "x"));
    close(fds[0]);
    assert_wasi(WASI_PIPE, guest_write(g, 1, "x"));
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    assert_false(sigismember(&mask, SIGPIPE));
    close(fds[1]);
}

static void misuse_is_told(void **state) {
    struct guest *g = *state;
    assert_status(CATNAP_MISUSE, catnap_wasi_set_stdio_fd(g->wasi, 3, 1));
    assert_status(CATNAP_MISUSE, catnap_wasi_set_stdio_fd(g->wasi, -1, 1));
    assert_status(CATNAP_MISUSE, catnap_wasi_set_stdio_fd(g->wasi, 1, -1));
    assert_status(CATNAP_MISUSE, catnap_wasi_set_stdin_bytes(g->wasi, NULL, 1));
    assert_status(CATNAP_MISUSE, catnap_wasi_set_stdin_callback(g->wasi, NULL, NULL));
    assert_status(CATNAP_MISUSE, catnap_wasi_set_output_callback(g->wasi, 0, echo_write, NULL));
    assert_status(CATNAP_MISUSE, catnap_wasi_set_output_callback(g->wasi, 1, NULL, NULL));
    assert_status(CATNAP_MISUSE, catnap_wasi_set_output_buffer(g->wasi, 0, 1));
    assert_status(CATNAP_MISUSE, catnap_wasi_add_argument(g->wasi, NULL));
    assert_status(CATNAP_MISUSE, catnap_wasi_add_environment(g->wasi, "A=B", "x"));
    assert_status(CATNAP_MISUSE, catnap_wasi_add_environment(g->wasi, "", "x"));
    assert_status(CATNAP_MISUSE, catnap_wasi_add_environment(g->wasi, "A", NULL));
    assert_status(CATNAP_MISUSE, catnap_wasi_preopen_socket(g->wasi, 0));
    assert_status(CATNAP_IO, catnap_wasi_preopen_dir(g->wasi, "/nonexistent", "/",
                                                     CATNAP_WASI_DIR_READ_WRITE));
    assert_status(CATNAP_IO,
                  catnap_wasi_preopen_dir(g->wasi, "/dev/null", "/", CATNAP_WASI_DIR_READ_WRITE));
    assert_status(CATNAP_MISUSE,
                  catnap_wasi_preopen_dir(g->wasi, "/", NULL, CATNAP_WASI_DIR_READ_WRITE));
    assert_status(CATNAP_MISUSE,
                  catnap_wasi_preopen_dir(g->wasi, "/", "\xff", CATNAP_WASI_DIR_READ_WRITE));
    catnap_wasi_delete(NULL);
}

/* ---- Arguments and environment --------------------------------------------------------------- */

static void arguments(void **state) {
    struct guest *g = *state;

    assert_wasi(WASI_SUCCESS, CALL(g, args_sizes_get, 0, 4));
    assert_int_equal(0, guest_u32(g, 0));
    assert_int_equal(0, guest_u32(g, 4));
    assert_wasi(WASI_SUCCESS, CALL(g, args_get, 0, 0));
    assert_no_error(catnap_wasi_add_argument(g->wasi, "prog"));
    assert_no_error(catnap_wasi_add_argument(g->wasi, ""));
    assert_no_error(catnap_wasi_add_argument(g->wasi, "two words"));
    assert_wasi(WASI_SUCCESS, CALL(g, args_sizes_get, 0, 4));
    assert_int_equal(3, guest_u32(g, 0));
    assert_int_equal(16, guest_u32(g, 4));
    assert_wasi(WASI_SUCCESS, CALL(g, args_get, 0, 64));
    assert_int_equal(64, guest_u32(g, 0));
    assert_int_equal(69, guest_u32(g, 4));
    assert_int_equal(70, guest_u32(g, 8));
    assert_memory_equal("prog\0\0two words", g->memory + 64, 16);
    assert_wasi(WASI_FAULT, CALL(g, args_get, GUEST_MEMORY - 11, 64));
    assert_wasi(WASI_FAULT, CALL(g, args_get, 0, GUEST_MEMORY - 15));
    assert_wasi(WASI_SUCCESS, CALL(g, args_get, GUEST_MEMORY - 12, 64));
}

static void environment(void **state) {
    struct guest *g = *state;

    assert_no_error(catnap_wasi_add_environment(g->wasi, "A", "1"));
    assert_no_error(catnap_wasi_add_environment(g->wasi, "AB", ""));
    assert_no_error(catnap_wasi_add_environment(g->wasi, "A", "a=b"));
    assert_wasi(WASI_SUCCESS, CALL(g, environ_sizes_get, 0, 4));
    assert_int_equal(2, guest_u32(g, 0));
    assert_int_equal(10, guest_u32(g, 4));
    assert_wasi(WASI_SUCCESS, CALL(g, environ_get, 0, 64));
    assert_memory_equal("A=a=b\0AB=", g->memory + 64, 10);
    assert_int_equal(70, guest_u32(g, 4));
}

/* ---- Clocks, random bytes, the end ----------------------------------------------------------- */

static void clocks(void **state) {
    struct guest *g = *state;
    struct timespec now;

    for (uint32_t id = 0; id < 4; id++) {
        assert_wasi(WASI_SUCCESS, CALL(g, clock_res_get, id, 0));
        assert_true(guest_u64(g, 0) > 0);
        assert_wasi(WASI_SUCCESS, CALL(g, clock_time_get, id, 0, 8));
        uint64_t before = guest_u64(g, 8);
        assert_wasi(WASI_SUCCESS, CALL(g, clock_time_get, id, 1, 8));
        assert_true(guest_u64(g, 8) >= before);
    }
    assert_wasi(WASI_INVAL, CALL(g, clock_res_get, 4, 0));
    assert_wasi(WASI_INVAL, CALL(g, clock_time_get, UINT32_MAX, 0, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, clock_time_get, WASI_CLOCK_REALTIME, 0, 8));
    clock_gettime(CLOCK_REALTIME, &now);
    assert_true(guest_u64(g, 8) / 1000000000u + 5 > (uint64_t)now.tv_sec);
}

static void random_bytes(void **state) {
    struct guest *g = *state;
    int zeros = 0;

    memset(g->memory, 0, GUEST_MEMORY);
    assert_wasi(WASI_SUCCESS, CALL(g, random_get, 100, 1000));
    for (int i = 100; i < 1100; i++)
        zeros += !g->memory[i];
    assert_true(zeros < 100);
    assert_int_equal(0, g->memory[1100]);
    assert_wasi(WASI_SUCCESS, CALL(g, random_get, 0, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, random_get, 0, GUEST_MEMORY));
    assert_wasi(WASI_FAULT, CALL(g, random_get, 1, GUEST_MEMORY));
    g->interrupted = true;
    assert_wasi(WASI_INTR, CALL(g, random_get, 0, 1));
    assert_int_equal(WASI_INTERRUPTED, g->call.outcome);
}

static void the_end(void **state) {
    struct guest *g = *state;
    CALL(g, proc_exit, 42);
    assert_int_equal(WASI_EXIT, g->call.outcome);
    assert_int_equal(42, g->call.exit_status);
    assert_wasi(WASI_SUCCESS, CALL(g, proc_raise, 6));
    assert_int_equal(WASI_EXIT, g->call.outcome);
    assert_int_equal(134, g->call.exit_status);
    assert_wasi(WASI_SUCCESS, CALL(g, proc_raise, 16));
    assert_int_equal(WASI_RETURN, g->call.outcome);
    assert_wasi(WASI_NOTSUP, CALL(g, proc_raise, 18));
    assert_wasi(WASI_INVAL, CALL(g, proc_raise, 31));
    assert_wasi(WASI_SUCCESS, CALL(g, sched_yield, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(streams_at_first),     TEST(stdin_from_bytes),
        TEST(output_buffers),       TEST(callbacks),
        TEST(descriptors_are_lent), TEST(no_signal_for_the_host),
        TEST(misuse_is_told),       TEST(arguments),
        TEST(environment),          TEST(clocks),
        TEST(random_bytes),         TEST(the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
