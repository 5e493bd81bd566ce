/* Checkpoint and rollback of a state: descriptors, strings, streams, and who owns what
 * meanwhile. */
#include "guest.h"

static void check_point(struct guest *g) {
    assert_no_error(catnap_wasi_checkpoint(g->wasi));
}

static void roll_back(struct guest *g) {
    assert_no_error(catnap_wasi_rollback(g->wasi));
}

static int count_descriptors(void) {
    int count = 0;
    for (int i = 0; i < 256; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

static void assert_reads(struct guest *g, uint32_t fd, const char *text) {
    assert_wasi(WASI_SUCCESS, guest_read(g, fd, 100));
    assert_string_equal(text, guest_text(g));
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static uint32_t open_at_two(struct guest *g, const char *name) {
    guest_write_file(g, name, "abcdef");
    uint32_t fd = guest_must_open(g, name + strlen("tree/"), 0, RIGHTS_READ | RIGHTS_WRITE);
    assert_wasi(WASI_SUCCESS, guest_read(g, fd, 2));
    return fd;
}

static void files_go_back(void **state) {
    struct guest *g = *state;
    uint32_t fd = open_at_two(g, "tree/one"), other = open_at_two(g, "tree/two");
    check_point(g);
    int before = count_descriptors();
    for (int round = 0; round < 8; round++) {
        uint32_t more = guest_must_open(g, "one", 0, RIGHTS_READ);
        assert_int_equal(6, more);
        assert_reads(g, fd, "cdef");
        if (round & 1)
            assert_wasi(WASI_SUCCESS, CALL(g, fd_close, fd));
        if (round & 2)
            assert_wasi(WASI_SUCCESS, CALL(g, fd_renumber, more, other));
        if (round & 4)
            assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 3));
        roll_back(g);
        assert_int_equal(before, count_descriptors());
        assert_wasi(WASI_BADF, CALL(g, fd_close, more));
        assert_reads(g, fd, "cdef");
        assert_reads(g, other, "cdef");
        roll_back(g);
    }
    assert_wasi(WASI_SUCCESS, CALL(g, fd_renumber, fd, other));
    roll_back(g);
    assert_reads(g, fd, "cdef");
    assert_reads(g, other, "cdef");
}

static void flags_and_rights_go_back(void **state) {
    struct guest *g = *state;
    uint32_t fd = open_at_two(g, "tree/one");
    check_point(g);
    for (int round = 0; round < 2; round++) {
        assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_set_flags, fd, WASI_FDFLAG_APPEND));
        assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_set_rights, fd, WASI_RIGHT_FD_READ, 0));
        roll_back(g);
        assert_wasi(WASI_SUCCESS, guest_write(g, fd, "X"));
        assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, fd, 0, 0, 8));
        assert_reads(g, fd, "abXdef"); /* written at its place, not behind all */
        roll_back(g);
    }
}

static void directories_are_listed_again(void **state) {
    struct guest *g = *state;
    guest_write_file(g, "tree/one", "");
    guest_write_file(g, "tree/two", "");
    assert_wasi(WASI_SUCCESS, CALL(g, fd_readdir, 3, 4096, 2000, 0, 0));
    uint32_t size = guest_u32(g, 0);
    check_point(g);
    for (int round = 0; round < 3; round++) {
        assert_wasi(WASI_SUCCESS, CALL(g, fd_readdir, 3, 4096, 30, 0, 0));
        roll_back(g);
        assert_wasi(WASI_SUCCESS, CALL(g, fd_readdir, 3, 4096, 2000, 2, 0));
        assert_true(guest_u32(g, 0) < size);
        assert_wasi(WASI_SUCCESS, CALL(g, fd_readdir, 3, 4096, 2000, 0, 0));
        assert_int_equal(size, guest_u32(g, 0));
        roll_back(g);
    }
}

static void directories_opened_since_are_gone(void **state) {
    struct guest *g = *state;
    check_point(g);
    int before = count_descriptors();
    for (int round = 0; round < 3; round++) {
        assert_no_error(
            catnap_wasi_preopen_dir(g->wasi, g->base, "/more", CATNAP_WASI_DIR_READ_ONLY));
        assert_wasi(WASI_SUCCESS, CALL(g, fd_prestat_get, 4, 64));
        if (round == 1)
            assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 4));
        roll_back(g);
        assert_wasi(WASI_BADF, CALL(g, fd_prestat_get, 4, 64));
        assert_wasi(WASI_SUCCESS, CALL(g, fd_prestat_get, 3, 64));
        assert_int_equal(before, count_descriptors());
    }
}

/* The table grows beyond its first size. */
static void many_files_go_back(void **state) {
    struct guest *g = *state;
    guest_write_file(g, "tree/one", "abc");
    check_point(g);
    int before = count_descriptors();
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(4 + i, guest_must_open(g, "one", 0, RIGHTS_READ));
    roll_back(g);
    assert_int_equal(before, count_descriptors());
    assert_int_equal(4, guest_must_open(g, "one", 0, RIGHTS_READ));
}

/* The new checkpoint's descriptors are those of now; what only the old one had is closed. */
static void a_checkpoint_replaces_another(void **state) {
    struct guest *g = *state;
    uint32_t fd = open_at_two(g, "tree/one"), other = open_at_two(g, "tree/two");
    check_point(g);
    int before = count_descriptors();
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, fd));
    assert_int_equal(before, count_descriptors()); /* kept */
    assert_wasi(WASI_SUCCESS, guest_read(g, other, 1));
    assert_no_error(catnap_wasi_add_argument(g->wasi, "argument"));
    check_point(g);
    assert_int_equal(before - 1, count_descriptors());
    for (int round = 0; round < 2; round++) {
        assert_wasi(WASI_BADF, CALL(g, fd_close, fd));
        assert_reads(g, other, "def");
        assert_wasi(WASI_SUCCESS, CALL(g, fd_close, other));
        roll_back(g);
    }
    assert_wasi(WASI_SUCCESS, CALL(g, args_sizes_get, 64, 68));
    assert_int_equal(1, guest_u32(g, 64));
}

/* ---- Strings and streams --------------------------------------------------------------------- */

static void assert_sizes(struct guest *g, uint32_t arguments, uint32_t bytes, uint32_t variables,
                         uint32_t environment) {
    assert_wasi(WASI_SUCCESS, CALL(g, args_sizes_get, 64, 68));
    assert_int_equal(arguments, guest_u32(g, 64));
    assert_int_equal(bytes, guest_u32(g, 68));
    assert_wasi(WASI_SUCCESS, CALL(g, environ_sizes_get, 64, 68));
    assert_int_equal(variables, guest_u32(g, 64));
    assert_int_equal(environment, guest_u32(g, 68));
}

static void strings_go_back(void **state) {
    struct guest *g = *state;
    assert_no_error(catnap_wasi_add_argument(g->wasi, "one"));
    assert_no_error(catnap_wasi_add_environment(g->wasi, "A", "1"));
    assert_no_error(catnap_wasi_add_environment(g->wasi, "B", "2"));
    check_point(g);
    for (int round = 0; round < 3; round++) {
        assert_no_error(catnap_wasi_add_argument(g->wasi, "two"));
        for (int times = 0; times <= round; times++) /* replaced, also more than once */
            assert_no_error(catnap_wasi_add_environment(g->wasi, "A", "longer"));
        assert_no_error(catnap_wasi_add_environment(g->wasi, "C", "3"));
        assert_sizes(g, 2, 8, 3, 4 + 4 + 9);
        roll_back(g);
        assert_sizes(g, 1, 4, 2, 8);
        assert_wasi(WASI_SUCCESS, CALL(g, environ_get, 64, 128));
        assert_string_equal("A=1", (char *)g->memory + 128);
    }
    assert_no_error(catnap_wasi_add_environment(g->wasi, "B", "replaced when all ends"));
}

static void input_goes_back(void **state) {
    struct guest *g = *state;
    assert_no_error(catnap_wasi_set_stdin_bytes(g->wasi, "abcdef", 6));
    assert_wasi(WASI_SUCCESS, guest_read(g, 0, 2));
    check_point(g);
    for (int round = 0; round < 3; round++) {
        assert_reads(g, 0, "cdef");
        if (round == 1)
            assert_no_error(catnap_wasi_set_stdin_bytes(g->wasi, "another", 7));
        if (round == 2)
            assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 0));
        roll_back(g);
    }
    assert_reads(g, 0, "cdef");
    check_point(g); /* the bytes are the new one's */
    roll_back(g);
    assert_reads(g, 0, "");
}

static int64_t take(void *env, const void *bytes, size_t size) {
    (void)bytes;
    *(size_t *)env += size;
    return (int64_t)size;
}

static void output_goes_back(void **state) {
    struct guest *g = *state;
    size_t length, taken = 0;
    assert_no_error(catnap_wasi_set_output_buffer(g->wasi, 1, 100000));
    assert_no_error(catnap_wasi_set_output_callback(g->wasi, 2, take, &taken));
    assert_wasi(WASI_SUCCESS, guest_write(g, 1, "before"));
    check_point(g);
    for (int round = 0; round < 4; round++) {
        assert_wasi(WASI_SUCCESS, guest_write(g, 1, "text"));
        catnap_wasi_output(g->wasi, 1, &length);
        assert_int_equal(round == 0 ? 10 : 4, length);
        for (int i = 0; round == 1 && i < 20000; i++)
            assert_wasi(WASI_SUCCESS, guest_write(g, 1, "long"));
        if (round == 2) {
            assert_no_error(catnap_wasi_set_output_buffer(g->wasi, 1, 2));
            assert_no_error(catnap_wasi_set_output_buffer(g->wasi, 2, 2));
        }
        roll_back(g);
        assert_null(catnap_wasi_output(g->wasi, 1, &length));
        assert_int_equal(0, length);
        assert_wasi(WASI_SUCCESS, guest_write(g, 2, "four"));
        assert_int_equal(4 * (round + 1), taken);
    }
}

static void descriptors_of_the_host_stay_its_own(void **state) {
    struct guest *g = *state;
    int ends[2];
    assert_int_equal(0, pipe2(ends, O_CLOEXEC));
    assert_no_error(catnap_wasi_set_stdio_fd(g->wasi, 1, ends[1]));
    check_point(g);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 1));
    roll_back(g);
    assert_wasi(WASI_SUCCESS, guest_write(g, 1, "text"));
    assert_no_error(catnap_wasi_set_output_buffer(g->wasi, 1, 10));
    roll_back(g);
    assert_wasi(WASI_SUCCESS, guest_write(g, 1, "text"));
    char text[16];
    assert_int_equal(8, read(ends[0], text, sizeof text));
    catnap_wasi_delete(g->wasi);
    g->wasi = NULL;
    assert_int_equal(0, close(ends[0]));
    assert_int_equal(0, close(ends[1]));
}

/* ---- The rest -------------------------------------------------------------------------------- */

static void a_saved_state_may_follow(void **state) {
    struct guest *g = *state;
    uint32_t fd = open_at_two(g, "tree/one");
    wasm_byte_vec_t saved;
    assert_no_error(catnap_wasi_save(g->wasi, &saved));
    catnap_wasi_t *other = catnap_wasi_new();
    assert_no_error(catnap_wasi_checkpoint(other));
    assert_no_error(catnap_wasi_preopen_dir(other, g->root, "/", CATNAP_WASI_DIR_READ_WRITE));
    assert_no_error(catnap_wasi_restore(other, saved.data, saved.size, NULL, NULL));
    wasm_byte_vec_delete(&saved);
    catnap_wasi_delete(g->wasi);
    g->wasi = g->call.wasi = other;
    assert_reads(g, fd, "cdef");
    int before = count_descriptors();
    roll_back(g);
    assert_int_equal(before - 2, count_descriptors());
    assert_wasi(WASI_BADF, CALL(g, fd_close, fd));
    assert_wasi(WASI_BADF, CALL(g, fd_close, 3));
}

static void wrong_use_is_told(void **state) {
    struct guest *g = *state;
    assert_status(CATNAP_MISUSE, catnap_wasi_rollback(g->wasi));
    assert_status(CATNAP_MISUSE, catnap_wasi_rollback(NULL));
    assert_status(CATNAP_MISUSE, catnap_wasi_checkpoint(NULL));
}

#define GUEST_TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        GUEST_TEST(files_go_back),
        GUEST_TEST(flags_and_rights_go_back),
        GUEST_TEST(directories_are_listed_again),
        GUEST_TEST(directories_opened_since_are_gone),
        GUEST_TEST(many_files_go_back),
        GUEST_TEST(a_checkpoint_replaces_another),
        GUEST_TEST(strings_go_back),
        GUEST_TEST(input_goes_back),
        GUEST_TEST(output_goes_back),
        GUEST_TEST(descriptors_of_the_host_stay_its_own),
        GUEST_TEST(a_saved_state_may_follow),
        GUEST_TEST(wrong_use_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
