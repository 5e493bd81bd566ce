/*
 * Making, removing, renaming and linking: slashes at the end, dots, kinds, read-only directories.
 */
#include "guest.h"

#define FOLLOW WASI_LOOKUP_SYMLINK_FOLLOW

static void make_and_remove_directories(void **state) {
    struct guest *g = *state;

    guest_write_file(g, "tree/file", "");
    assert_wasi(WASI_SUCCESS, CALL(g, path_create_directory, 3, STR(g, "dir")));
    assert_wasi(WASI_SUCCESS, CALL(g, path_create_directory, 3, STR(g, "dir/nested/")));
    assert_wasi(WASI_EXIST, CALL(g, path_create_directory, 3, STR(g, "dir")));
    assert_wasi(WASI_EXIST, CALL(g, path_create_directory, 3, STR(g, "dir/")));
    assert_wasi(WASI_EXIST, CALL(g, path_create_directory, 3, STR(g, ".")));
    assert_wasi(WASI_EXIST, CALL(g, path_create_directory, 3, STR(g, "dir/..")));
    assert_wasi(WASI_EXIST, CALL(g, path_create_directory, 3, STR(g, "file")));
    assert_wasi(WASI_NOENT, CALL(g, path_create_directory, 3, STR(g, "no/dir")));
    assert_wasi(WASI_NOTDIR, CALL(g, path_create_directory, 3, STR(g, "file/dir")));
    assert_wasi(WASI_NOENT, CALL(g, path_create_directory, 3, STR(g, "")));
    assert_wasi(WASI_NOTEMPTY, CALL(g, path_remove_directory, 3, STR(g, "dir")));
    assert_wasi(WASI_INVAL, CALL(g, path_remove_directory, 3, STR(g, "dir/.")));
    assert_wasi(WASI_NOTEMPTY, CALL(g, path_remove_directory, 3, STR(g, "dir/nested/..")));
    assert_wasi(WASI_NOTDIR, CALL(g, path_remove_directory, 3, STR(g, "file")));
    assert_wasi(WASI_NOTDIR, CALL(g, path_remove_directory, 3, STR(g, "file/")));
    assert_wasi(WASI_NOENT, CALL(g, path_remove_directory, 3, STR(g, "no")));
    assert_wasi(WASI_SUCCESS, CALL(g, path_remove_directory, 3, STR(g, "dir/nested/")));
    assert_wasi(WASI_SUCCESS, CALL(g, path_remove_directory, 3, STR(g, "dir")));
    assert_false(guest_exists(g, "tree/dir"));
}

static void unlink_files(void **state) {
    struct guest *g = *state;

    guest_mkdir(g, "tree/dir");
    guest_write_file(g, "tree/file", "");
    guest_symlink(g, "dir", "tree/link");
    assert_wasi(WASI_ISDIR, CALL(g, path_unlink_file, 3, STR(g, "dir")));
    assert_wasi(WASI_ISDIR, CALL(g, path_unlink_file, 3, STR(g, "dir/")));
    assert_wasi(WASI_ISDIR, CALL(g, path_unlink_file, 3, STR(g, "dir/..")));
    assert_wasi(WASI_NOTDIR, CALL(g, path_unlink_file, 3, STR(g, "file/")));
    assert_wasi(WASI_NOTDIR, CALL(g, path_unlink_file, 3, STR(g, "link/")));
    assert_wasi(WASI_NOENT, CALL(g, path_unlink_file, 3, STR(g, "no")));
    assert_wasi(WASI_NOENT, CALL(g, path_unlink_file, 3, STR(g, "no/")));
    assert_wasi(WASI_SUCCESS, CALL(g, path_unlink_file, 3, STR(g, "link")));
    assert_wasi(WASI_SUCCESS, CALL(g, path_unlink_file, 3, STR(g, "file")));
    assert_true(guest_exists(g, "tree/dir"));
    assert_false(guest_exists(g, "tree/link"));
    assert_false(guest_exists(g, "tree/file"));
}

static uint16_t rename_in(struct guest *g, const char *from, const char *to) {
    return CALL(g, path_rename, 3, STR(g, from), 3, STR(g, to));
}

static void rename_things(void **state) {
    struct guest *g = *state;

    guest_mkdir(g, "tree/dir");
    guest_mkdir(g, "tree/full");
    guest_write_file(g, "tree/full/file", "");
    guest_write_file(g, "tree/file", "");
    guest_symlink(g, "dir", "tree/link");
    assert_wasi(WASI_SUCCESS, rename_in(g, "dir/", "new"));
    assert_wasi(WASI_SUCCESS, rename_in(g, "new", "dir/"));
    assert_wasi(WASI_SUCCESS, rename_in(g, "dir/", "new/"));
    assert_wasi(WASI_NOTEMPTY, rename_in(g, "new", "full"));
    assert_wasi(WASI_NOTDIR, rename_in(g, "new", "file"));
    assert_wasi(WASI_ISDIR, rename_in(g, "file", "new"));
    assert_wasi(WASI_NOTDIR, rename_in(g, "file", "other/"));
    assert_wasi(WASI_NOTDIR, rename_in(g, "file/", "other"));
    assert_wasi(WASI_NOTDIR, rename_in(g, "link/", "other"));
    assert_wasi(WASI_NOENT, rename_in(g, "no", "other"));
    assert_wasi(WASI_NOENT, rename_in(g, "no/", "other"));
    assert_wasi(WASI_INVAL, rename_in(g, "full", "full/sub"));
    assert_wasi(WASI_BUSY, rename_in(g, ".", "other"));
    assert_wasi(WASI_BUSY, rename_in(g, "full", "new/.."));
    assert_wasi(WASI_SUCCESS, rename_in(g, "file", "full/file"));
    assert_wasi(WASI_SUCCESS, rename_in(g, "link", "moved"));
    assert_true(guest_exists(g, "tree/moved"));
    assert_true(guest_exists(g, "tree/full/file"));
    assert_false(guest_exists(g, "tree/file"));
}

static uint16_t link_in(struct guest *g, uint32_t flags, const char *from, const char *to) {
    return CALL(g, path_link, 3, flags, STR(g, from), 3, STR(g, to));
}

static void hard_links(void **state) {
    struct guest *g = *state;
    struct stat one, two;

    guest_mkdir(g, "tree/dir");
    guest_write_file(g, "tree/file", "");
    guest_symlink(g, "../file", "tree/dir/link");
    guest_symlink(g, "missing", "tree/dangling");
    assert_wasi(WASI_SUCCESS, link_in(g, 0, "file", "dir/hard"));
    assert_int_equal(0, stat(guest_host_path(g, "tree/file"), &one));
    assert_int_equal(0, stat(guest_host_path(g, "tree/dir/hard"), &two));
    assert_int_equal(one.st_ino, two.st_ino);
    assert_wasi(WASI_EXIST, link_in(g, 0, "file", "dir/hard"));
    assert_wasi(WASI_EXIST, link_in(g, 0, "file", "file"));
    assert_wasi(WASI_EXIST, link_in(g, 0, "file", "dir"));
    assert_wasi(WASI_EXIST, link_in(g, 0, "file", "."));
    assert_wasi(WASI_EXIST, link_in(g, 0, "file", "dangling"));
    assert_wasi(WASI_NOENT, link_in(g, 0, "file", "new/"));
    assert_wasi(WASI_PERM, link_in(g, 0, "dir", "new"));
    assert_wasi(WASI_PERM, link_in(g, 0, "dir/", "new"));
    assert_wasi(WASI_PERM, link_in(g, 0, "dir/..", "new"));
    assert_wasi(WASI_NOTDIR, link_in(g, 0, "file/", "new"));
    assert_wasi(WASI_NOENT, link_in(g, 0, "no", "new"));
    assert_wasi(WASI_INVAL, link_in(g, 2, "file", "new"));
    assert_wasi(WASI_SUCCESS, link_in(g, 0, "dir/link", "dir/samelink"));
    assert_int_equal(0, lstat(guest_host_path(g, "tree/dir/samelink"), &two));
    assert_true(S_ISLNK(two.st_mode));
    assert_wasi(WASI_SUCCESS, link_in(g, FOLLOW, "dir/link", "followed"));
    assert_int_equal(0, lstat(guest_host_path(g, "tree/followed"), &two));
    assert_int_equal(one.st_ino, two.st_ino);
    assert_wasi(WASI_NOENT, link_in(g, FOLLOW, "dangling", "new"));
    assert_wasi(WASI_SUCCESS, link_in(g, 0, "dangling", "new"));
}

static uint16_t symlink_in(struct guest *g, const char *target, const char *path) {
    return CALL(g, path_symlink, STR(g, target), 3, STR(g, path));
}

static void symbolic_links(void **state) {
    struct guest *g = *state;

    guest_mkdir(g, "tree/dir");
    guest_write_file(g, "tree/file", "");
    assert_wasi(WASI_SUCCESS, symlink_in(g, "dir/target", "link"));
    memset(g->memory, '#', 32);
    assert_wasi(WASI_SUCCESS, CALL(g, path_readlink, 3, STR(g, "link"), 0, 20, 64));
    assert_int_equal(10, guest_u32(g, 64));
    assert_memory_equal("dir/target######", g->memory, 16);
    assert_wasi(WASI_SUCCESS, CALL(g, path_readlink, 3, STR(g, "link"), 0, 4, 64));
    assert_int_equal(4, guest_u32(g, 64));
    assert_wasi(WASI_SUCCESS, CALL(g, path_readlink, 3, STR(g, "link"), 0, 0, 64));
    assert_int_equal(0, guest_u32(g, 64));
    assert_wasi(WASI_INVAL, CALL(g, path_readlink, 3, STR(g, "file"), 0, 20, 64));
    assert_wasi(WASI_INVAL, CALL(g, path_readlink, 3, STR(g, "dir/"), 0, 20, 64));
    assert_wasi(WASI_INVAL, CALL(g, path_readlink, 3, STR(g, "."), 0, 20, 64));
    assert_wasi(WASI_NOTDIR, CALL(g, path_readlink, 3, STR(g, "file/"), 0, 20, 64));
    assert_wasi(WASI_NOENT, CALL(g, path_readlink, 3, STR(g, "no"), 0, 20, 64));
    assert_wasi(WASI_EXIST, symlink_in(g, "x", "link"));
    assert_wasi(WASI_EXIST, symlink_in(g, "x", "dir"));
    assert_wasi(WASI_EXIST, symlink_in(g, "x", "dir/"));
    assert_wasi(WASI_EXIST, symlink_in(g, "x", "dir/.."));
    assert_wasi(WASI_NOENT, symlink_in(g, "x", "new/"));
    assert_wasi(WASI_INVAL, CALL(g, path_symlink, guest_put(g, "a\0b", 3), 3, 3, STR(g, "new")));
    assert_false(guest_exists(g, "tree/new"));
}

/* A read-only pre-open: what exists can be read, and nothing changes. */
static void read_only(void **state) {
    struct guest *g = *state;
    uint32_t fd;

    guest_mkdir(g, "tree/dir");
    guest_write_file(g, "tree/file", "text");
    guest_symlink(g, "file", "tree/link");
    assert_wasi(WASI_SUCCESS, guest_open(g, "link", true, 0, RIGHTS_READ, 0, &fd));
    assert_wasi(WASI_SUCCESS, guest_read(g, fd, 10));
    assert_string_equal("text", guest_text(g));
    assert_wasi(WASI_ROFS, CALL(g, fd_filestat_set_times, fd, 0, 0, WASI_FST_MTIM));
    assert_wasi(WASI_NOTCAPABLE, guest_write(g, fd, "x"));
    assert_wasi(WASI_ROFS, guest_open(g, "file", true, 0, WASI_RIGHT_FD_WRITE, 0, &fd));
    assert_wasi(WASI_ROFS, guest_open(g, "file", true, WASI_OFLAG_TRUNC, RIGHTS_READ, 0, &fd));
    assert_wasi(WASI_ROFS, guest_open(g, "new", true, WASI_OFLAG_CREAT, RIGHTS_READ, 0, &fd));
    assert_wasi(WASI_ROFS, guest_open(g, "new", true, WASI_OFLAG_CREAT | WASI_OFLAG_EXCL,
                                      RIGHTS_READ, 0, &fd));
    assert_wasi(WASI_EXIST, guest_open(g, "file", true, WASI_OFLAG_CREAT | WASI_OFLAG_EXCL,
                                       RIGHTS_READ, 0, &fd));
    assert_wasi(WASI_SUCCESS, guest_open(g, "file", true, WASI_OFLAG_CREAT, RIGHTS_READ, 0, &fd));
    assert_wasi(WASI_NOTCAPABLE,
                guest_open(g, "../new", true, WASI_OFLAG_CREAT, RIGHTS_READ, 0, &fd));
    assert_wasi(WASI_ROFS, CALL(g, path_create_directory, 3, STR(g, "new")));
    assert_wasi(WASI_ROFS, CALL(g, path_remove_directory, 3, STR(g, "dir")));
    assert_wasi(WASI_ROFS, CALL(g, path_unlink_file, 3, STR(g, "file")));
    assert_wasi(WASI_ROFS, rename_in(g, "file", "new"));
    assert_wasi(WASI_ROFS, link_in(g, 0, "file", "new"));
    assert_wasi(WASI_ROFS, symlink_in(g, "file", "new"));
    assert_wasi(WASI_ROFS,
                CALL(g, path_filestat_set_times, 3, 0, STR(g, "file"), 0, 0, WASI_FST_MTIM_NOW));
    /* A directory opened below is as read-only, and no way leads round by a second pre-open. */
    uint32_t dir = guest_must_open(g, "dir", 0, WASI_RIGHT_PATH_CREATE_DIRECTORY);
    assert_wasi(WASI_ROFS, CALL(g, path_create_directory, dir, STR(g, "new")));
    guest_mkdir(g, "other");
    assert_no_error(catnap_wasi_preopen_dir(g->wasi, guest_host_path(g, "other"), "/other",
                                            CATNAP_WASI_DIR_READ_WRITE));
    uint32_t other = dir + 1;
    assert_wasi(WASI_SUCCESS, CALL(g, path_create_directory, other, STR(g, "new")));
    assert_wasi(WASI_ROFS, CALL(g, path_link, 3, 0, STR(g, "file"), other, STR(g, "file")));
    assert_wasi(WASI_ROFS, CALL(g, path_rename, 3, STR(g, "file"), other, STR(g, "file")));
    assert_wasi(WASI_ROFS, CALL(g, path_rename, other, STR(g, "new"), 3, STR(g, "new")));
    assert_false(guest_exists(g, "tree/new"));
    assert_false(guest_exists(g, "other/file"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(make_and_remove_directories),
        TEST(unlink_files),
        TEST(rename_things),
        TEST(hard_links),
        TEST(symbolic_links),
        cmocka_unit_test_setup_teardown(read_only, guest_setup_read_only, guest_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
