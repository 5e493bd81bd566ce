/* The state as bytes and back: all of it, resources that are gone, and changed bytes. */
#include "guest.h"

#include <sys/socket.h>

/* ---- Kept state ---- */

struct loss {
    uint32_t count, number;
    char path[TEMPORARY_PATH + 16];
};

static void note_loss(void *env, uint32_t number, const char *path) {
    struct loss *loss = env;
    loss->count++;
    loss->number = number;
    snprintf(loss->path, sizeof loss->path, "%s", path);
}

static wasm_byte_vec_t save(const struct guest *g) {
    wasm_byte_vec_t bytes;
    assert_no_error(catnap_wasi_save(g->wasi, &bytes));
    return bytes;
}

/* A state that is given the guest's directory again. */
static catnap_wasi_t *new_state(const struct guest *g) {
    catnap_wasi_t *wasi = catnap_wasi_new();
    assert_non_null(wasi);
    assert_no_error(catnap_wasi_preopen_dir(wasi, g->root, "/", CATNAP_WASI_DIR_READ_WRITE));
    return wasi;
}

/* The guest goes on with a new state made of the bytes. */
static struct loss restore(struct guest *g, wasm_byte_vec_t *bytes) {
    struct loss loss = {0};
    catnap_wasi_delete(g->wasi);
    g->wasi = g->call.wasi = new_state(g);
    assert_no_error(catnap_wasi_restore(g->wasi, bytes->data, bytes->size, note_loss, &loss));
    wasm_byte_vec_delete(bytes);
    return loss;
}

static struct loss save_and_restore(struct guest *g) {
    wasm_byte_vec_t bytes = save(g);
    return restore(g, &bytes);
}

static void assert_reads(struct guest *g, uint32_t fd, const char *text) {
    assert_wasi(WASI_SUCCESS, guest_read(g, fd, 100));
    assert_string_equal(text, guest_text(g));
}

/* ---- Tests ---- */

static void all_is_as_it_was(void **state) {
    struct guest *g = *state;
    uint32_t appending, directory;
    guest_write_file(g, "tree/read", "0123456789");
    guest_write_file(g, "tree/log", "so far");
    guest_mkdir(g, "tree/sub");
    guest_write_file(g, "tree/sub/file", "");
    assert_no_error(catnap_wasi_add_argument(g->wasi, "program"));
    assert_no_error(catnap_wasi_add_argument(g->wasi, ""));
    assert_no_error(catnap_wasi_add_environment(g->wasi, "NAME", "a=b"));
    uint32_t reading = guest_must_open(g, "read", 0, RIGHTS_READ);
    assert_wasi(WASI_SUCCESS, guest_read(g, reading, 4));
    assert_wasi(WASI_SUCCESS, guest_open(g, "log", true, 0, RIGHTS_READ | RIGHTS_WRITE,
                                         WASI_FDFLAG_APPEND | WASI_FDFLAG_DSYNC, &appending));
    uint32_t closed = guest_must_open(g, "read", 0, RIGHTS_READ);
    uint32_t synchronous;
    assert_wasi(WASI_SUCCESS,
                guest_open(g, "log", true, 0, RIGHTS_WRITE, WASI_FDFLAG_SYNC, &synchronous));
    directory = guest_must_open(g, "sub", WASI_OFLAG_DIRECTORY, WASI_RIGHTS_ALL & ~RIGHTS_WRITE);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, closed));
    assert_int_equal(0, save_and_restore(g).count);

    assert_wasi(WASI_SUCCESS, CALL(g, args_sizes_get, 0, 4));
    assert_int_equal(2, guest_u32(g, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, environ_get, 0, 100));
    assert_string_equal("NAME=a=b", (char *)g->memory + 100);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_prestat_get, 3, 0));
    assert_reads(g, reading, "456789");
    assert_wasi(WASI_NOTCAPABLE, guest_write(g, reading, "x"));
    assert_wasi(WASI_SUCCESS, guest_write(g, appending, ", and on"));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, appending, 0, 0, 0));
    assert_reads(g, appending, "so far, and on");
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_get, synchronous, 0));
    assert_int_equal(WASI_FDFLAG_SYNC, guest_u16(g, 2));
    assert_wasi(WASI_BADF, CALL(g, fd_close, closed));
    assert_wasi(WASI_SUCCESS, CALL(g, path_filestat_get, directory, 0, STR(g, "file"), 0));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_filestat_get, directory, 0, STR(g, "../read"), 0));
}

static void read_only_stays_so(void **state) {
    struct guest *g = *state;
    guest_write_file(g, "tree/file", "text");
    uint32_t fd = guest_must_open(g, "file", 0, RIGHTS_READ);
    assert_int_equal(0, save_and_restore(g).count);
    assert_reads(g, fd, "text");
    assert_wasi(WASI_ROFS, CALL(g, path_create_directory, 3, STR(g, "new")));
    assert_wasi(WASI_ROFS, CALL(g, fd_filestat_set_times, fd, 0, 0, WASI_FST_MTIM_NOW));
}

static void what_is_gone_is_told(void **state) {
    struct guest *g = *state;
    guest_write_file(g, "tree/file", "text");
    uint32_t fd = guest_must_open(g, "file", 0, RIGHTS_READ);
    wasm_byte_vec_t bytes = save(g), again;
    wasm_byte_vec_copy(&again, &bytes);
    assert_int_equal(0, unlink(guest_host_path(g, "tree/file")));
    struct loss loss = restore(g, &bytes);
    assert_int_equal(1, loss.count);
    assert_int_equal(fd, loss.number);
    assert_string_equal("file", loss.path);
    assert_wasi(WASI_BADF, CALL(g, fd_close, fd));

    /* A symbolic link that has its name now may lead out of the directory. */
    guest_write_file(g, "secret", "");
    guest_symlink(g, "../secret", "tree/file");
    loss = restore(g, &again);
    assert_int_equal(1, loss.count);
    assert_wasi(WASI_BADF, CALL(g, fd_close, fd));
}

static void sockets_and_streams(void **state) {
    struct guest *g = *state;
    int ends[2];
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    assert_no_error(catnap_wasi_preopen_socket(g->wasi, ends[0]));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_renumber, 2, 1));
    struct loss loss = save_and_restore(g);
    assert_int_equal(1, loss.count);
    assert_int_equal(4, loss.number);
    assert_string_equal("", loss.path);
    assert_wasi(WASI_SUCCESS, guest_write(g, 1, "dropped"));
    assert_wasi(WASI_BADF, guest_write(g, 2, ""));
    close(ends[0]);
    close(ends[1]);
}

/* ---- Directories ---- */

static void note_dir(void *env, const char *host, const char *guest,
                     catnap_wasi_dir_flags_t flags) {
    char *text = env;
    snprintf(text + strlen(text), 1024 - strlen(text), "%s=%s,%d;", guest, strrchr(host, '/'),
             (int)flags);
}

static void assert_restores(const struct guest *g, const wasm_byte_vec_t *bytes,
                            const char *const *names, size_t count, catnap_status_t status) {
    catnap_wasi_t *wasi = catnap_wasi_new();
    for (size_t i = 0; i < count; i++)
        assert_no_error(
            catnap_wasi_preopen_dir(wasi, g->root, names[i], CATNAP_WASI_DIR_READ_WRITE));
    catnap_error_t *error = catnap_wasi_restore(wasi, bytes->data, bytes->size, NULL, NULL);
    assert_int_equal(status, error ? catnap_error_status(error) : CATNAP_OK);
    catnap_error_delete(error);
    catnap_wasi_delete(wasi);
}

static void directories_are_given_again(void **state) {
    struct guest *g = *state;
    char text[1024] = "";
    guest_mkdir(g, "tree/one");
    guest_mkdir(g, "tree/two");
    guest_write_file(g, "tree/one/file", "first");
    guest_write_file(g, "tree/two/file", "second");
    assert_no_error(catnap_wasi_preopen_dir(g->wasi, guest_host_path(g, "tree/one"), "one",
                                            CATNAP_WASI_DIR_READ_ONLY));
    assert_no_error(catnap_wasi_preopen_dir(g->wasi, guest_host_path(g, "tree/one"), "one",
                                            CATNAP_WASI_DIR_READ_WRITE));
    wasm_byte_vec_t bytes = save(g);
    assert_no_error(catnap_wasi_saved_dirs(bytes.data, bytes.size, note_dir, text));
    assert_non_null(strstr(text, ";one=/one,1;one=/one,0;"));

    static const char *const all[] = {"/", "one", "one", "more"};
    static const char *const others[] = {"one", "two", "/"};
    assert_restores(g, &bytes, NULL, 0, CATNAP_LINK);
    assert_restores(g, &bytes, all, 1, CATNAP_LINK);
    assert_restores(g, &bytes, all, 2, CATNAP_LINK);
    assert_restores(g, &bytes, all, 3, CATNAP_OK);
    assert_restores(g, &bytes, all, 4, CATNAP_LINK);
    assert_restores(g, &bytes, others, 3, CATNAP_LINK);

    /* Elsewhere and in another order: the numbers and what is read-only are as they were. */
    catnap_wasi_delete(g->wasi);
    g->wasi = g->call.wasi = catnap_wasi_new();
    assert_no_error(catnap_wasi_preopen_dir(g->wasi, guest_host_path(g, "tree/two"), "one",
                                            CATNAP_WASI_DIR_READ_WRITE));
    assert_no_error(catnap_wasi_preopen_dir(g->wasi, guest_host_path(g, "tree/two"), "one",
                                            CATNAP_WASI_DIR_READ_WRITE));
    assert_no_error(catnap_wasi_preopen_dir(g->wasi, g->root, "/", CATNAP_WASI_DIR_READ_WRITE));
    assert_no_error(catnap_wasi_restore(g->wasi, bytes.data, bytes.size, NULL, NULL));
    assert_wasi(WASI_SUCCESS, CALL(g, path_filestat_get, 4, 0, STR(g, "file"), 0));
    assert_int_equal(6, guest_u64(g, 32)); /* the size of the other file */
    assert_wasi(WASI_SUCCESS, CALL(g, path_filestat_get, 3, 0, STR(g, "two/file"), 0));
    assert_wasi(WASI_ROFS, CALL(g, path_create_directory, 4, STR(g, "new")));
    assert_wasi(WASI_SUCCESS, CALL(g, path_create_directory, 5, STR(g, "new")));
    wasm_byte_vec_delete(&bytes);
}

static void wrong_use_is_told(void **state) {
    struct guest *g = *state;
    wasm_byte_vec_t bytes = save(g);
    assert_status(CATNAP_MISUSE, catnap_wasi_save(NULL, &bytes));
    assert_status(CATNAP_MISUSE, catnap_wasi_save(g->wasi, NULL));
    assert_status(CATNAP_MISUSE, catnap_wasi_restore(NULL, "", 0, NULL, NULL));
    assert_status(CATNAP_MISUSE, catnap_wasi_saved_dirs(bytes.data, bytes.size, NULL, NULL));
    assert_status(CATNAP_MALFORMED, catnap_wasi_saved_dirs(bytes.data, 3, note_dir, NULL));
    assert_no_error(catnap_wasi_checkpoint(g->wasi));
    assert_status(CATNAP_MISUSE, catnap_wasi_restore(g->wasi, bytes.data, bytes.size, NULL, NULL));
    catnap_wasi_t *other = catnap_wasi_new();
    assert_status(CATNAP_MISUSE, catnap_wasi_restore(other, NULL, 1, NULL, NULL));
    assert_status(CATNAP_MALFORMED, catnap_wasi_restore(other, NULL, 0, NULL, NULL));
    catnap_wasi_delete(other);
    wasm_byte_vec_delete(&bytes);
}

/* ---- Damage ---- */

/* Some of everything that is kept. */
static wasm_byte_vec_t save_samples(struct guest *g) {
    guest_write_file(g, "tree/file", "text");
    assert_no_error(catnap_wasi_add_argument(g->wasi, "program"));
    assert_no_error(catnap_wasi_add_environment(g->wasi, "NAME", "value"));
    guest_must_open(g, "file", 0, RIGHTS_READ | RIGHTS_WRITE);
    uint32_t closed = guest_must_open(g, "file", 0, RIGHTS_READ);
    guest_must_open(g, ".", WASI_OFLAG_DIRECTORY, WASI_RIGHTS_ALL & ~RIGHTS_WRITE);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, closed));
    return save(g);
}

/* In a copy of its own, so that a sanitizer sees what is read beyond the end. */
static catnap_error_t *restore_copy(catnap_wasi_t *wasi, const void *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    catnap_error_t *error = catnap_wasi_restore(wasi, copy, size, NULL, NULL);
    free(copy);
    return error;
}

static void every_prefix_is_refused(void **state) {
    struct guest *g = *state;
    wasm_byte_vec_t bytes = save_samples(g);
    for (size_t size = 0; size < bytes.size; size++) {
        catnap_wasi_t *wasi = new_state(g);
        assert_status(CATNAP_MALFORMED, restore_copy(wasi, bytes.data, size));
        catnap_wasi_delete(wasi);
    }
    wasm_byte_vec_delete(&bytes);
}

/* A byte too many is refused too; any other change does what it says, or is refused, or is lost. */
static void every_change_is_harmless(void **state) {
    struct guest *g = *state;
    wasm_byte_vec_t bytes = save_samples(g);
    uint8_t *changed = malloc(bytes.size + 1);
    static const uint8_t masks[] = {0x01, 0x02, 0x04, 0x10, 0x80, 0xFF};
    assert_non_null(changed);
    memcpy(changed, bytes.data, bytes.size);
    changed[bytes.size] = 0;
    catnap_wasi_t *longer = new_state(g);
    assert_status(CATNAP_MALFORMED, restore_copy(longer, changed, bytes.size + 1));
    catnap_wasi_delete(longer);
    for (size_t at = 0; at < bytes.size; at++) {
        for (size_t i = 0; i < sizeof masks; i++) {
            changed[at] ^= masks[i];
            g->wasi = g->call.wasi = (catnap_wasi_delete(g->wasi), new_state(g));
            catnap_error_delete(restore_copy(g->wasi, changed, bytes.size));
            for (uint32_t fd = 0; fd < 8; fd++) {
                CALL(g, fd_fdstat_get, fd, 0);
                CALL(g, fd_prestat_get, fd, 0);
                CALL(g, fd_readdir, fd, 2048, 100, 0, 0);
                guest_read(g, fd, 4);
                CALL(g, fd_close, fd);
            }
            changed[at] ^= masks[i];
        }
    }
    free(changed);
    wasm_byte_vec_delete(&bytes);
}

/* A state of 12 MB whose bytes were not written by this library. */
static void many_variables_take_no_time(void **state) {
    enum { COUNT_OF = 1000000, ENTRY = 12 };
    (void)state;
    size_t size = 4 + 4 + 4 + (size_t)COUNT_OF * (4 + ENTRY) + 4 + 4;
    uint8_t *bytes = calloc(1, size), *at = bytes;
    const uint32_t head[] = {1, 0, COUNT_OF}, length = ENTRY;
    memcpy(at, head, sizeof head);
    at += sizeof head;
    for (int i = 0; i < COUNT_OF; i++) {
        char entry[ENTRY + 1];
        snprintf(entry, sizeof entry, "v%010d=", i);
        memcpy(at, &length, 4);
        memcpy(at + 4, entry, ENTRY);
        at += 4 + ENTRY;
    }
    catnap_wasi_t *wasi = catnap_wasi_new();
    alarm(300); /* a look at all before each takes longer */
    assert_no_error(catnap_wasi_restore(wasi, bytes, size, NULL, NULL));
    alarm(0);
    catnap_wasi_delete(wasi);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_variables_take_no_time),
        cmocka_unit_test_setup_teardown(all_is_as_it_was, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(read_only_stays_so, guest_setup_read_only, guest_teardown),
        cmocka_unit_test_setup_teardown(what_is_gone_is_told, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(sockets_and_streams, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(directories_are_given_again, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(wrong_use_is_told, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(every_prefix_is_refused, guest_setup, guest_teardown),
        cmocka_unit_test_setup_teardown(every_change_is_harmless, guest_setup, guest_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
