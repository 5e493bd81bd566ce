/* Sockets that the host pre-opened: accept, recv, send, shutdown. */
#include "guest.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

static int listen_locally(struct sockaddr_in *address) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof *address;

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(0, bind(fd, (struct sockaddr *)address, size));
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)address, &size));
    assert_int_equal(0, listen(fd, 4));
    return fd;
}

static uint16_t receive(struct guest *g, uint32_t fd, uint32_t size, uint32_t flags) {
    guest_reset(g);
    memset(g->memory + 2048, 0, size + 1);
    uint32_t vector = guest_iovec(g, 2048, size);
    const uint64_t arguments[] = {fd, vector, 1, flags, 0, 4};
    return cn_wasi_sock_recv(&g->call, arguments);
}

static uint16_t send_text(struct guest *g, uint32_t fd, const char *text, uint32_t flags) {
    guest_reset(g);
    uint32_t buffer = guest_put(g, text, strlen(text));
    uint32_t vector = guest_iovec(g, buffer, (uint32_t)strlen(text));
    const uint64_t arguments[] = {fd, vector, 1, flags, 0};
    return cn_wasi_sock_send(&g->call, arguments);
}

static void accept_and_talk(void **state) {
    struct guest *g = *state;
    struct sockaddr_in address;
    int listener = listen_locally(&address);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char buffer[16] = {0};

    assert_no_error(catnap_wasi_preopen_socket(g->wasi, listener));
    assert_wasi(WASI_BADF, CALL(g, fd_prestat_get, 4, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_get, 4, 0));
    assert_int_equal(WASI_FILETYPE_SOCKET_STREAM, g->memory[0]);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_set_flags, 4, WASI_FDFLAG_NONBLOCK));
    assert_wasi(WASI_AGAIN, CALL(g, sock_accept, 4, 0, 0));
    assert_wasi(WASI_INVAL, CALL(g, sock_accept, 4, WASI_FDFLAG_APPEND, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_set_flags, 4, 0));
    assert_int_equal(0, connect(client, (struct sockaddr *)&address, sizeof address));
    assert_wasi(WASI_SUCCESS, CALL(g, sock_accept, 4, 0, 0));
    uint32_t fd = guest_u32(g, 0);
    assert_int_equal(5, fd);

    assert_int_equal(5, send(client, "hello", 5, 0));
    assert_wasi(WASI_SUCCESS, receive(g, fd, 3, WASI_RI_PEEK));
    assert_string_equal("hel", guest_text(g));
    assert_wasi(WASI_SUCCESS, receive(g, fd, 100, 0));
    assert_string_equal("hello", guest_text(g));
    assert_int_equal(5, guest_u32(g, 0));
    assert_int_equal(0, guest_u16(g, 4));
    assert_wasi(WASI_SUCCESS, send_text(g, fd, "answer", 0));
    assert_int_equal(6, guest_u32(g, 0));
    assert_int_equal(6, recv(client, buffer, sizeof buffer, MSG_WAITALL | MSG_DONTWAIT));
    assert_string_equal("answer", buffer);
    assert_wasi(WASI_SUCCESS, guest_write(g, fd, "written"));
    assert_int_equal(7, recv(client, buffer, sizeof buffer, 0));
    assert_int_equal(2, send(client, "ok", 2, 0));
    assert_wasi(WASI_SUCCESS, guest_read(g, fd, 10));
    assert_string_equal("ok", guest_text(g));

    assert_wasi(WASI_INVAL, send_text(g, fd, "x", 1));
    assert_wasi(WASI_INVAL, receive(g, fd, 1, 4));
    assert_wasi(WASI_INVAL, CALL(g, sock_shutdown, fd, 0));
    assert_wasi(WASI_INVAL, CALL(g, sock_shutdown, fd, 4));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, sock_accept, fd, 0, 0));
    assert_wasi(WASI_SPIPE, CALL(g, fd_seek, fd, 0, 0, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, sock_shutdown, fd, WASI_SD_WR));
    assert_int_equal(0, recv(client, buffer, sizeof buffer, 0));
    assert_wasi(WASI_PIPE, send_text(g, fd, "x", 0));
    close(client);
    assert_wasi(WASI_SUCCESS, receive(g, fd, 10, 0));
    assert_int_equal(0, guest_u32(g, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, fd));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 4));
    assert_int_not_equal(-1, fcntl(listener, F_GETFD));
    close(listener);
}

/* A socket that does not block the host does not block the guest, until the guest changes that. */
static void a_flag_of_the_host(void **state) {
    struct guest *g = *state;
    struct sockaddr_in address;
    int listener = listen_locally(&address), fds[2];

    assert_int_equal(0, fcntl(listener, F_SETFL, O_NONBLOCK));
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
    assert_no_error(catnap_wasi_preopen_socket(g->wasi, listener));
    assert_no_error(catnap_wasi_preopen_socket(g->wasi, fds[0]));
    for (uint32_t fd = 4; fd <= 5; fd++) {
        assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_get, fd, 0));
        assert_int_equal(WASI_FDFLAG_NONBLOCK, guest_u16(g, 2));
    }
    assert_wasi(WASI_AGAIN, CALL(g, sock_accept, 4, 0, 0));
    assert_wasi(WASI_AGAIN, receive(g, 5, 10, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_set_flags, 5, 0));
    assert_int_equal(2, send(fds[1], "ok", 2, 0));
    assert_wasi(WASI_SUCCESS, receive(g, 5, 10, 0));
    assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    close(fds[0]);
    close(fds[1]);
    close(listener);
}

static void *send_in_two(void *env) {
    int fd = *(int *)env;
    usleep(20000);
    if (send(fd, "world", 5, 0) != 5)
        abort();
    return NULL;
}

static void wait_for_all(void **state) {
    struct guest *g = *state;
    int fds[2];
    pthread_t thread;

    for (uint32_t flags = WASI_RI_WAITALL; flags <= WASI_RI_ALL; flags++) {
        assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
        assert_no_error(catnap_wasi_preopen_socket(g->wasi, fds[0]));
        assert_int_equal(5, send(fds[1], "hello", 5, 0));
        assert_int_equal(0, pthread_create(&thread, NULL, send_in_two, &fds[1]));
        assert_wasi(WASI_SUCCESS, receive(g, 4, 10, flags));
        assert_string_equal("helloworld", guest_text(g));
        pthread_join(thread, NULL);
        assert_int_equal(2, send(fds[1], "!!", 2, 0));
        close(fds[1]);
        assert_wasi(WASI_SUCCESS, receive(g, 4, 100, flags));
        assert_string_equal(flags & WASI_RI_PEEK ? "helloworld!!" : "!!", guest_text(g));
        assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 4));
        close(fds[0]);
    }
}

static void datagrams(void **state) {
    struct guest *g = *state;
    int fds[2];

    assert_int_equal(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    assert_no_error(catnap_wasi_preopen_socket(g->wasi, fds[0]));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_get, 4, 0));
    assert_int_equal(WASI_FILETYPE_SOCKET_DGRAM, g->memory[0]);
    assert_int_equal(5, send(fds[1], "hello", 5, 0));
    assert_wasi(WASI_SUCCESS, receive(g, 4, 3, 0));
    assert_int_equal(3, guest_u32(g, 0));
    assert_int_equal(WASI_RO_DATA_TRUNCATED, guest_u16(g, 4));
    assert_wasi(WASI_SUCCESS, send_text(g, 4, "", 0));
    close(fds[0]);
    close(fds[1]);
}

static void interrupts_end_waiting(void **state) {
    struct guest *g = *state;
    struct sockaddr_in address;
    int fds[2], listener = listen_locally(&address);
    pthread_t thread;

    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    assert_no_error(catnap_wasi_preopen_socket(g->wasi, listener));
    assert_no_error(catnap_wasi_preopen_socket(g->wasi, fds[0]));
    assert_int_equal(0, pthread_create(&thread, NULL, interrupt_soon, g));
    assert_wasi(WASI_INTR, CALL(g, sock_accept, 4, 0, 0));
    assert_int_equal(WASI_INTERRUPTED, g->call.outcome);
    pthread_join(thread, NULL);
    g->interrupted = false;
    assert_int_equal(0, pthread_create(&thread, NULL, interrupt_soon, g));
    assert_wasi(WASI_INTR, receive(g, 5, 10, 0));
    assert_int_equal(WASI_INTERRUPTED, g->call.outcome);
    pthread_join(thread, NULL);
    close(fds[0]);
    close(fds[1]);
    close(listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(accept_and_talk), TEST(a_flag_of_the_host),     TEST(wait_for_all),
        TEST(datagrams),       TEST(interrupts_end_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
