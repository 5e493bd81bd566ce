/*
 * Nothing leaves a pre-opened directory: paths, links and races, with the kernel's resolver and
 * with the one that walks by hand.
 */
#include "guest.h"

#include <pthread.h>
#include <stdatomic.h>

#define FOLLOW WASI_LOOKUP_SYMLINK_FOLLOW

/* base/outside holds what must not be reached, base/tree what may. */
static void make_tree(const struct guest *g) {
    guest_mkdir(g, "outside");
    guest_write_file(g, "outside/secret", "secret");
    guest_mkdir(g, "tree/dir");
    guest_mkdir(g, "tree/dir/nested");
    guest_write_file(g, "tree/file", "file");
    guest_write_file(g, "tree/dir/file", "in dir");
    guest_write_file(g, "tree/dir/nested/file", "nested");

    guest_symlink(g, "..", "tree/up");
    guest_symlink(g, "../outside", "tree/out");
    guest_symlink(g, "../outside/secret", "tree/outfile");
    guest_symlink(g, "/etc", "tree/abs");
    guest_symlink(g, "/etc/passwd", "tree/absfile");
    guest_symlink(g, guest_host_path(g, "tree/file"), "tree/absinside");
    guest_symlink(g, "../../outside/secret", "tree/dir/escape");
    guest_symlink(g, "../file", "tree/dir/back");
    guest_symlink(g, "dir", "tree/dirlink");
    guest_symlink(g, "dir/", "tree/dirslash");
    guest_symlink(g, "file", "tree/filelink");
    guest_symlink(g, "chain2", "tree/chain1");
    guest_symlink(g, "dir/../chain3", "tree/chain2");
    guest_symlink(g, "dirlink/nested", "tree/chain3");
    guest_symlink(g, "loop", "tree/loop");
    guest_symlink(g, "loopb", "tree/loopa");
    guest_symlink(g, "loopa/x", "tree/loopb");
    guest_symlink(g, "missing", "tree/dangling");
    guest_symlink(g, "../outside/new", "tree/danglingout");
    guest_symlink(g, "dir/new", "tree/danglingin");
    guest_symlink(g, ".", "tree/self");
}

static int setup_kernel(void **state) {
    guest_setup(state);
    make_tree(*state);
    return 0;
}

static int setup_walk(void **state) {
    setup_kernel(state);
    ((struct guest *)*state)->wasi->kernel_sandbox = false;
    return 0;
}

static const struct {
    const char *path;
    bool follow;
    uint16_t expected;
} opens[] = {
    {"file", false, WASI_SUCCESS},
    {"./file", false, WASI_SUCCESS},
    {".//dir///nested/./file", false, WASI_SUCCESS},
    {"dir/../file", false, WASI_SUCCESS},
    {"dir/nested/../../dir/nested/../file", false, WASI_SUCCESS},
    {".", false, WASI_SUCCESS},
    {"./", false, WASI_SUCCESS},
    {"dir/..", false, WASI_SUCCESS},
    {"dir/../", false, WASI_SUCCESS},
    {"dir", false, WASI_SUCCESS},
    {"dir/", false, WASI_SUCCESS},
    {"dir///", false, WASI_SUCCESS},
    {"..", false, WASI_NOTCAPABLE},
    {"../", false, WASI_NOTCAPABLE},
    {"../tree/file", false, WASI_NOTCAPABLE},
    {"dir/../..", false, WASI_NOTCAPABLE},
    {"dir/../../tree/file", false, WASI_NOTCAPABLE},
    {"dir/nested/../../../outside/secret", false, WASI_NOTCAPABLE},
    {"/", false, WASI_NOTCAPABLE},
    {"/etc/passwd", true, WASI_NOTCAPABLE},
    {"//file", false, WASI_NOTCAPABLE},
    {"missing", false, WASI_NOENT},
    {"missing/file", false, WASI_NOENT},
    {"missing/../file", false, WASI_NOENT},
    {"file/", false, WASI_NOTDIR},
    {"file///", false, WASI_NOTDIR},
    {"file/x", false, WASI_NOTDIR},
    {"file/..", false, WASI_NOTDIR},
    {"up", false, WASI_LOOP},
    {"up", true, WASI_NOTCAPABLE},
    {"up/", false, WASI_NOTCAPABLE},
    {"up/outside/secret", false, WASI_NOTCAPABLE},
    {"up/tree/file", false, WASI_NOTCAPABLE},
    {"out", true, WASI_NOTCAPABLE},
    {"out/secret", false, WASI_NOTCAPABLE},
    {"outfile", true, WASI_NOTCAPABLE},
    {"outfile", false, WASI_LOOP},
    {"abs", true, WASI_NOTCAPABLE},
    {"abs/passwd", false, WASI_NOTCAPABLE},
    {"absfile", true, WASI_NOTCAPABLE},
    {"absinside", true, WASI_NOTCAPABLE},
    {"dir/escape", true, WASI_NOTCAPABLE},
    {"dirlink/escape", true, WASI_NOTCAPABLE},
    {"dir/back", true, WASI_SUCCESS},
    {"dirlink/back", true, WASI_SUCCESS},
    {"dirlink/../file", false, WASI_SUCCESS},
    {"dirlink", true, WASI_SUCCESS},
    {"dirlink", false, WASI_LOOP},
    {"dirlink/", false, WASI_SUCCESS},
    {"dirslash/file", false, WASI_SUCCESS},
    {"dirslash", true, WASI_SUCCESS},
    {"filelink", true, WASI_SUCCESS},
    {"filelink", false, WASI_LOOP},
    {"filelink/", true, WASI_NOTDIR},
    {"chain1", true, WASI_SUCCESS},
    {"chain1/file", false, WASI_SUCCESS},
    {"chain1/../file", false, WASI_SUCCESS},
    {"chain1/../../../outside", false, WASI_NOTCAPABLE},
    {"loop", true, WASI_LOOP},
    {"loop", false, WASI_LOOP},
    {"loop/x", false, WASI_LOOP},
    {"loopa", true, WASI_LOOP},
    {"dangling", true, WASI_NOENT},
    {"dangling", false, WASI_LOOP},
    {"danglingout", true, WASI_NOTCAPABLE},
    {"self/self/self/file", false, WASI_SUCCESS},
    {"", false, WASI_NOENT},
    {"bad\xff", false, WASI_ILSEQ},
    {"\xc0\xae\xc0\xae/outside", false, WASI_ILSEQ},
    {"dir/\xed\xa0\x80", false, WASI_ILSEQ},
};

static void paths_stay_inside(void **state) {
    struct guest *g = *state;
    for (size_t i = 0; i < sizeof opens / sizeof opens[0]; i++) {
        uint32_t fd;
        uint16_t error =
            guest_open(g, opens[i].path, opens[i].follow, 0, WASI_RIGHT_FD_READ, 0, &fd);
        if (error != opens[i].expected)
            fail_msg("path_open '%s' (%s): expected %d, got %d", opens[i].path,
                     opens[i].follow ? "follow" : "no follow", opens[i].expected, error);
        if (!error)
            assert_wasi(WASI_SUCCESS, CALL(g, fd_close, fd));
    }
}

/* The opened file is the one that the path names, not merely something inside. */
static void paths_name_the_right_file(void **state) {
    struct guest *g = *state;
    static const char *const cases[][2] = {
        {"file", "file"},
        {"dirlink/file", "in dir"},
        {"chain1/file", "nested"},
        {"dir/back", "file"},
        {"self/dir/file", "in dir"},
        {"chain1/../file", "in dir"},
        {"dirlink/nested/../../filelink", "file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t fd = guest_must_open(g, cases[i][0], 0, RIGHTS_READ);
        assert_wasi(WASI_SUCCESS, guest_read(g, fd, 100));
        assert_string_equal(cases[i][1], guest_text(g));
        assert_wasi(WASI_SUCCESS, CALL(g, fd_close, fd));
    }
}

static void creating_stays_inside(void **state) {
    struct guest *g = *state;
    const uint32_t create = WASI_OFLAG_CREAT;
    uint32_t fd;

    assert_wasi(WASI_NOTCAPABLE, guest_open(g, "danglingout", true, create, RIGHTS_WRITE, 0, &fd));
    assert_wasi(WASI_NOTCAPABLE, guest_open(g, "out/new", true, create, RIGHTS_WRITE, 0, &fd));
    assert_wasi(WASI_NOTCAPABLE, guest_open(g, "../new", true, create, RIGHTS_WRITE, 0, &fd));
    assert_false(guest_exists(g, "outside/new"));
    assert_false(guest_exists(g, "new"));
    assert_wasi(WASI_LOOP, guest_open(g, "danglingin", false, create, RIGHTS_WRITE, 0, &fd));
    assert_wasi(WASI_EXIST,
                guest_open(g, "danglingin", true, create | WASI_OFLAG_EXCL, RIGHTS_WRITE, 0, &fd));
    assert_false(guest_exists(g, "tree/dir/new"));
    assert_wasi(WASI_SUCCESS, guest_open(g, "danglingin", true, create, RIGHTS_WRITE, 0, &fd));
    assert_true(guest_exists(g, "tree/dir/new"));
    assert_wasi(WASI_ISDIR, guest_open(g, "newdir/", true, create, RIGHTS_WRITE, 0, &fd));
    assert_false(guest_exists(g, "tree/newdir"));
    assert_wasi(WASI_ISDIR, guest_open(g, ".", true, create, RIGHTS_READ, 0, &fd));
    assert_wasi(WASI_NOTCAPABLE,
                guest_open(g, "outfile", true, WASI_OFLAG_TRUNC, RIGHTS_WRITE, 0, &fd));
    struct stat st;
    assert_int_equal(0, stat(guest_host_path(g, "outside/secret"), &st));
    assert_int_equal(6, st.st_size);
}

/* Functions on names: the directory is resolved inside, and the name is never followed out. */
static void names_stay_inside(void **state) {
    struct guest *g = *state;

    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_create_directory, 3, STR(g, "../new")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_create_directory, 3, STR(g, "out/new")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_create_directory, 3, STR(g, "/tmp/new")));
    assert_wasi(WASI_EXIST, CALL(g, path_create_directory, 3, STR(g, "danglingout")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_unlink_file, 3, STR(g, "out/secret")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_unlink_file, 3, STR(g, "up/outside/secret")));
    assert_wasi(WASI_NOTDIR, CALL(g, path_remove_directory, 3, STR(g, "out")));
    assert_wasi(WASI_NOTDIR, CALL(g, path_remove_directory, 3, STR(g, "out/")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_remove_directory, 3, STR(g, "../outside")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_remove_directory, 3, STR(g, "..")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_rename, 3, STR(g, "file"), 3, STR(g, "out/file")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_rename, 3, STR(g, "out/secret"), 3, STR(g, "got")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_link, 3, 0, STR(g, "out/secret"), 3, STR(g, "got")));
    assert_wasi(WASI_NOTCAPABLE,
                CALL(g, path_link, 3, FOLLOW, STR(g, "outfile"), 3, STR(g, "got")));
    assert_wasi(WASI_NOTCAPABLE,
                CALL(g, path_link, 3, FOLLOW, STR(g, "absfile"), 3, STR(g, "got")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_link, 3, 0, STR(g, "file"), 3, STR(g, "up/got")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_symlink, STR(g, "file"), 3, STR(g, "out/got")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_readlink, 3, STR(g, "up/tree/up"), 0, 100, 200));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_filestat_get, 3, 0, STR(g, "out/secret"), 0));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_filestat_get, 3, FOLLOW, STR(g, "outfile"), 0));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_filestat_get, 3, 0, STR(g, "out/"), 0));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_filestat_set_times, 3, FOLLOW, STR(g, "outfile"), 0,
                                      0, WASI_FST_MTIM_NOW));
    assert_wasi(WASI_NOTCAPABLE,
                CALL(g, path_filestat_set_times, 3, 0, STR(g, "out/"), 0, 0, WASI_FST_MTIM));
    assert_wasi(WASI_LOOP, CALL(g, path_filestat_get, 3, FOLLOW, STR(g, "loop"), 0));
    assert_wasi(WASI_LOOP, CALL(g, path_link, 3, FOLLOW, STR(g, "loop"), 3, STR(g, "got")));
    assert_true(guest_exists(g, "outside/secret"));
    assert_false(guest_exists(g, "tree/got"));
    assert_false(guest_exists(g, "outside/got"));
}

static void absolute_links_are_not_made(void **state) {
    struct guest *g = *state;
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_symlink, STR(g, "/"), 3, STR(g, "new")));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_symlink, STR(g, "/etc/passwd"), 3, STR(g, "new")));
    assert_wasi(WASI_NOENT, CALL(g, path_symlink, STR(g, ""), 3, STR(g, "new")));
    assert_false(guest_exists(g, "tree/new"));
    assert_wasi(WASI_SUCCESS, CALL(g, path_symlink, STR(g, "../.."), 3, STR(g, "dir/new")));
    uint32_t fd;
    assert_wasi(WASI_NOTCAPABLE, guest_open(g, "dir/new", true, 0, WASI_RIGHT_FD_READ, 0, &fd));
}

/* Links of the host's own that are no text, such as those in /proc, lead nowhere. */
static void magic_links_are_not_followed(void **state) {
    struct guest *g = *state;
    bool kernel = g->wasi->kernel_sandbox;
    assert_no_error(
        catnap_wasi_preopen_dir(g->wasi, "/proc/self", "/proc", CATNAP_WASI_DIR_READ_ONLY));
    g->wasi->kernel_sandbox = kernel;
    assert_int_not_equal(WASI_SUCCESS, CALL(g, path_open, 4, FOLLOW, STR(g, "tree"), 0,
                                            WASI_RIGHT_FD_READ, WASI_RIGHTS_ALL, 0, 0));
    assert_int_not_equal(WASI_SUCCESS, CALL(g, path_open, 4, FOLLOW, STR(g, "cwd/."), 0,
                                            WASI_RIGHT_FD_READ, WASI_RIGHTS_ALL, 0, 0));
}

static void long_paths(void **state) {
    struct guest *g = *state;
    char path[WASI_MAX_PATH + 8];
    uint32_t fd;

    memset(path, 'a', sizeof path);
    path[300] = '\0';
    assert_wasi(WASI_NAMETOOLONG, guest_open(g, path, true, 0, WASI_RIGHT_FD_READ, 0, &fd));
    memset(path, 'a', sizeof path);
    path[WASI_MAX_PATH] = '\0';
    assert_wasi(WASI_NAMETOOLONG, guest_open(g, path, true, 0, WASI_RIGHT_FD_READ, 0, &fd));
    for (int i = 0; i < 2040; i++)
        memcpy(path + (size_t)i * 2, "./", 2);
    strcpy(path + 4080, "file");
    assert_wasi(WASI_SUCCESS, guest_open(g, path, true, 0, WASI_RIGHT_FD_READ, 0, &fd));
    path[3] = '\0';
    assert_wasi(WASI_INVAL, CALL(g, path_open, 3, 0, guest_put(g, path, 4084), 4084, 0,
                                 WASI_RIGHT_FD_READ, 0, 0, 0));
}

/* A directory tree deeper than one walk holds open is refused, not followed half-way. */
static void deep_paths(void **state) {
    struct guest *g = *state;
    char path[2048] = "";
    uint32_t fd;

    for (int depth = 1; depth <= 300; depth++) {
        strcat(path, depth > 1 ? "/d" : "d");
        assert_wasi(depth <= 258 || g->wasi->kernel_sandbox ? WASI_SUCCESS : WASI_NAMETOOLONG,
                    CALL(g, path_create_directory, 3, STR(g, path)));
    }
    for (int i = 0; i < 200; i++)
        strcat(path, "/..");
    uint16_t error = guest_open(g, path, true, 0, WASI_RIGHT_FD_READ, 0, &fd);
    assert_wasi(g->wasi->kernel_sandbox ? WASI_SUCCESS : WASI_NAMETOOLONG, error);
}

/* Forty links may be followed, as the kernel has it, and not one more. */
static void many_links(void **state) {
    struct guest *g = *state;
    char path[64], target[64];
    uint32_t fd;

    guest_symlink(g, "file", "tree/l0");
    for (int i = 1; i <= 45; i++) {
        snprintf(path, sizeof path, "tree/l%d", i);
        snprintf(target, sizeof target, "l%d", i - 1);
        guest_symlink(g, target, path);
    }
    assert_wasi(WASI_SUCCESS, guest_open(g, "l39", true, 0, WASI_RIGHT_FD_READ, 0, &fd));
    assert_wasi(WASI_LOOP, guest_open(g, "l40", true, 0, WASI_RIGHT_FD_READ, 0, &fd));
    assert_wasi(WASI_LOOP, guest_open(g, "l45", true, 0, WASI_RIGHT_FD_READ, 0, &fd));
    assert_wasi(WASI_SUCCESS,
                CALL(g, path_filestat_set_times, 3, FOLLOW, STR(g, "l39"), 0, 0, WASI_FST_MTIM));
    assert_wasi(WASI_LOOP,
                CALL(g, path_filestat_set_times, 3, FOLLOW, STR(g, "l45"), 0, 0, WASI_FST_MTIM));
}

/* Any path at all: the walk by hand finds what the kernel finds, or the same error. */
static void both_agree(void **state) {
    struct guest *g = *state;
    static const char *const names[] = {
        "dir",      "nested",   "file",   "..",     ".",      "",         "dirlink",
        "dirslash", "filelink", "chain1", "chain2", "self",   "up",       "out",
        "abs",      "loop",     "loopa",  "back",   "escape", "dangling", "no"};
    uint64_t seed = 12345;

    if (!g->wasi->kernel_sandbox)
        skip(); /* the kernel has no openat2() */
    for (int round = 0; round < 20000; round++) {
        char path[256] = "";
        struct stat seen[2];
        int results[2];
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t random = seed >> 16;
        for (uint64_t left = random % 6 + 1; left; left--) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            strcat(path, names[(seed >> 33) % (sizeof names / sizeof names[0])]);
            if (left > 1 || random & 64)
                strcat(path, "/");
        }
        int flags = (random & 128 ? O_NOFOLLOW : 0) | (random & 256 ? O_DIRECTORY : 0) |
                    (random & 512 ? O_PATH : O_RDONLY);
        for (int walk = 0; walk < 2; walk++) {
            g->wasi->kernel_sandbox = !walk;
            results[walk] = cn_sandbox_open(g->wasi, g->wasi->fds[3].host, path, flags, 0);
            memset(&seen[walk], 0, sizeof seen[walk]);
            if (results[walk] >= 0) {
                assert_int_equal(0, fstat(results[walk], &seen[walk]));
                close(results[walk]);
                results[walk] = 0;
            }
        }
        if (results[0] != results[1] || seen[0].st_ino != seen[1].st_ino)
            fail_msg("'%s' (flags %x): kernel %d, walk %d", path, (unsigned)flags, results[0],
                     results[1]);
    }
}

/* ---- Races ----------------------------------------------------------------------------------- */

struct race {
    const struct guest *g;
    atomic_bool stop;
};

/* Makes tree/flip a directory and a link to the outside in turn, and moves tree/dir/nested out. */
static void *flip(void *env) {
    struct race *race = env;
    char real[TEMPORARY_PATH + 32], link[TEMPORARY_PATH + 32], flip[TEMPORARY_PATH + 32],
        inside[TEMPORARY_PATH + 32], outside[TEMPORARY_PATH + 32];

    snprintf(real, sizeof real, "%s/tree/real", race->g->base);
    snprintf(link, sizeof link, "%s/tree/link", race->g->base);
    snprintf(flip, sizeof flip, "%s/tree/flip", race->g->base);
    snprintf(inside, sizeof inside, "%s/tree/dir/nested", race->g->base);
    snprintf(outside, sizeof outside, "%s/outside/nested", race->g->base);
    while (!atomic_load(&race->stop)) {
        rename(real, flip);
        rename(flip, real);
        rename(link, flip);
        rename(flip, link);
        rename(inside, outside);
        rename(outside, inside);
    }
    return NULL;
}

/* The opened file, if any, must not be the secret. */
static void check_not_secret(struct guest *g, const char *path, uint64_t rights, uint32_t oflags) {
    uint32_t fd;

    if (guest_open(g, path, true, oflags, rights, 0, &fd))
        return;
    assert_wasi(WASI_SUCCESS, guest_read(g, fd, 16));
    assert_string_not_equal("secret", guest_text(g));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, fd));
}

static void renaming_meanwhile(void **state) {
    struct guest *g = *state;
    struct race race = {.g = g};
    pthread_t thread;
    uint64_t end = now_ns() + UINT64_C(700000000);

    guest_mkdir(g, "tree/real");
    guest_write_file(g, "tree/real/secret", "fine");
    guest_symlink(g, "../outside", "tree/link");
    assert_int_equal(0, pthread_create(&thread, NULL, flip, &race));
    while (now_ns() < end) {
        check_not_secret(g, "flip/secret", RIGHTS_READ, 0);
        check_not_secret(g, "dir/nested/../secret", RIGHTS_READ, 0);
        check_not_secret(g, "dir/nested/../../outside/secret", RIGHTS_READ, 0);
        CALL(g, path_unlink_file, 3, STR(g, "flip/victim"));
        CALL(g, path_create_directory, 3, STR(g, "flip/made"));
        CALL(g, path_symlink, STR(g, "x"), 3, STR(g, "dir/nested/../made"));
        CALL(g, path_unlink_file, 3, STR(g, "dir/made"));
        CALL(g, path_remove_directory, 3, STR(g, "flip/made"));
    }
    atomic_store(&race.stop, true);
    pthread_join(thread, NULL);
    assert_false(guest_exists(g, "outside/made"));
    assert_true(guest_exists(g, "outside/secret"));
}

#define BOTH(test)                                                                                 \
    {#test " (kernel)", test, setup_kernel, guest_teardown, NULL}, {                               \
        #test " (walk)", test, setup_walk, guest_teardown, NULL                                    \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(paths_stay_inside),
        BOTH(paths_name_the_right_file),
        BOTH(creating_stays_inside),
        BOTH(names_stay_inside),
        BOTH(absolute_links_are_not_made),
        BOTH(long_paths),
        BOTH(deep_paths),
        BOTH(many_links),
        BOTH(renaming_meanwhile),
        BOTH(magic_links_are_not_followed),
        cmocka_unit_test_setup_teardown(both_agree, setup_kernel, guest_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
