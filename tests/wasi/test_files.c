/* Open files: rights, flags, contents, offsets, sizes, times, and the descriptor table. */
#include "guest.h"

static uint64_t rights_of(struct guest *g, uint32_t fd) {
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_get, fd, 64));
    return guest_u64(g, 64 + 8);
}

static uint64_t inheriting_of(struct guest *g, uint32_t fd) {
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_get, fd, 64));
    return guest_u64(g, 64 + 16);
}

/* ---- Contents -------------------------------------------------------------------------------- */

static void read_what_was_written(void **state) {
    struct guest *g = *state;
    uint32_t fd = guest_must_open(g, "file", WASI_OFLAG_CREAT, RIGHTS_READ | RIGHTS_WRITE);

    assert_int_equal(4, fd);
    assert_wasi(WASI_SUCCESS, guest_write(g, fd, "hello"));
    assert_int_equal(5, guest_u32(g, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_tell, fd, 8));
    assert_int_equal(5, guest_u64(g, 8));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, fd, (uint64_t)-4, 1, 8));
    assert_int_equal(1, guest_u64(g, 8));
    assert_wasi(WASI_SUCCESS, guest_read(g, fd, 100));
    assert_int_equal(4, guest_u32(g, 0));
    assert_string_equal("ello", guest_text(g));
    assert_wasi(WASI_SUCCESS, guest_read(g, fd, 100));
    assert_int_equal(0, guest_u32(g, 0));
    assert_wasi(WASI_INVAL, CALL(g, fd_seek, fd, (uint64_t)-10, 1, 8));
    assert_wasi(WASI_INVAL, CALL(g, fd_seek, fd, 0, 3, 8));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, fd, 0, 2, 8));
    assert_int_equal(5, guest_u64(g, 8));
}

static void seek_of_the_older_snapshot(void **state) {
    struct guest *g = *state;
    uint32_t fd = guest_must_open(g, "file", WASI_OFLAG_CREAT, RIGHTS_READ | RIGHTS_WRITE);

    assert_wasi(WASI_SUCCESS, guest_write(g, fd, "0123456789"));
    g->call.layout = &cn_wasi_layout_unstable;
    assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, fd, 3, 2, 8)); /* from the start */
    assert_int_equal(3, guest_u64(g, 8));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, fd, 4, 0, 8)); /* from here */
    assert_int_equal(7, guest_u64(g, 8));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, fd, (uint64_t)-1, 1, 8)); /* from the end */
    assert_int_equal(9, guest_u64(g, 8));
}

static void positioned_reading_and_writing(void **state) {
    struct guest *g = *state;
    uint32_t fd = guest_must_open(g, "file", WASI_OFLAG_CREAT, RIGHTS_READ | RIGHTS_WRITE);

    assert_wasi(WASI_SUCCESS, guest_write(g, fd, "very long text"));
    guest_reset(g);
    uint32_t vector = guest_iovec(g, guest_put(g, "test", 4), 4);
    const uint64_t write[] = {fd, vector, 1, 3, 0};
    assert_wasi(WASI_SUCCESS, cn_wasi_fd_pwrite(&g->call, write));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_tell, fd, 8));
    assert_int_equal(14, guest_u64(g, 8));
    guest_reset(g);
    vector = guest_iovec(g, 2048, 20);
    const uint64_t read[] = {fd, vector, 1, 1, 0};
    memset(g->memory + 2048, 0, 32);
    assert_wasi(WASI_SUCCESS, cn_wasi_fd_pread(&g->call, read));
    assert_int_equal(13, guest_u32(g, 0));
    assert_string_equal("ertestng text", guest_text(g));
    const uint64_t far[] = {fd, vector, 1, UINT64_MAX, 0};
    assert_wasi(WASI_INVAL, cn_wasi_fd_pread(&g->call, far));
    assert_wasi(WASI_INVAL, cn_wasi_fd_pwrite(&g->call, far));
}

static void several_buffers(void **state) {
    struct guest *g = *state;
    uint32_t fd = guest_must_open(g, "file", WASI_OFLAG_CREAT, RIGHTS_READ | RIGHTS_WRITE);

    guest_reset(g);
    uint32_t text = guest_put(g, "abcdefgh", 8);
    uint32_t vector = guest_iovec(g, text, 3);
    guest_iovec(g, text, 0);
    guest_iovec(g, text + 3, 5);
    const uint64_t write[] = {fd, vector, 3, 0};
    assert_wasi(WASI_SUCCESS, cn_wasi_fd_write(&g->call, write));
    assert_int_equal(8, guest_u32(g, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, fd, 0, 0, 8));
    guest_reset(g);
    memset(g->memory + 2048, 0, 64);
    vector = guest_iovec(g, 2052, 4);
    guest_iovec(g, 2048, 4);
    const uint64_t read[] = {fd, vector, 2, 0};
    assert_wasi(WASI_SUCCESS, cn_wasi_fd_read(&g->call, read));
    assert_string_equal("efghabcd", guest_text(g));
}

/* More buffers than one call takes are a partial write, and empty ones do not count. */
static void very_many_buffers(void **state) {
    struct guest *g = *state;
    uint32_t fd = guest_must_open(g, "file", WASI_OFLAG_CREAT, RIGHTS_READ | RIGHTS_WRITE);
    const uint32_t count = 3000, vector = 4096;

    for (uint32_t i = 0; i < count; i++) {
        cn_put_u32(g->memory + vector + i * 8, 32);
        cn_put_u32(g->memory + vector + i * 8 + 4, 1);
    }
    const uint64_t write[] = {fd, vector, count, 0};
    assert_wasi(WASI_SUCCESS, cn_wasi_fd_write(&g->call, write));
    assert_int_equal(WASI_MAX_IOVECS, guest_u32(g, 0));
    for (uint32_t i = 0; i + 1 < count; i++)
        cn_put_u32(g->memory + vector + i * 8 + 4, 0);
    assert_wasi(WASI_SUCCESS, cn_wasi_fd_write(&g->call, write));
    assert_int_equal(1, guest_u32(g, 0));
    const uint64_t none[] = {fd, vector, 0, 0};
    assert_wasi(WASI_SUCCESS, cn_wasi_fd_write(&g->call, none));
    assert_int_equal(0, guest_u32(g, 0));
}

static void allocate_advise_sync(void **state) {
    struct guest *g = *state;
    uint32_t fd = guest_must_open(g, "file", WASI_OFLAG_CREAT, RIGHTS_READ | RIGHTS_WRITE);

    assert_wasi(WASI_SUCCESS, CALL(g, fd_filestat_set_size, fd, 100));
    assert_wasi(WASI_INVAL, CALL(g, fd_filestat_set_size, fd, UINT64_MAX));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_advise, fd, 10, 50, 0));
    assert_wasi(WASI_INVAL, CALL(g, fd_advise, fd, 10, 50, 6));
    assert_wasi(WASI_INVAL, CALL(g, fd_advise, fd, UINT64_MAX, 1, 0));
    uint16_t error = CALL(g, fd_allocate, fd, 90, 20);
    assert_true(error == WASI_SUCCESS || error == WASI_NOTSUP);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_filestat_get, fd, 64));
    assert_int_equal(error ? 100 : 110, guest_u64(g, 64 + 32));
    assert_wasi(WASI_FBIG, CALL(g, fd_allocate, fd, UINT64_MAX, 1));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_sync, fd));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_datasync, fd));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_sync, 3));
}

/* ---- Rights ---------------------------------------------------------------------------------- */

static void rights_decide(void **state) {
    struct guest *g = *state;
    uint32_t fd;

    guest_write_file(g, "tree/file", "text");
    fd = guest_must_open(g, "file", 0, RIGHTS_READ);
    assert_wasi(WASI_NOTCAPABLE, guest_write(g, fd, "x"));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, fd_filestat_set_size, fd, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, fd));
    fd = guest_must_open(g, "file", 0, RIGHTS_WRITE);
    assert_wasi(WASI_NOTCAPABLE, guest_read(g, fd, 1));
    assert_wasi(WASI_SUCCESS, guest_write(g, fd, "x"));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, fd_tell, fd, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, fd));

    fd = guest_must_open(g, "file", 0, WASI_RIGHT_FD_READ | WASI_RIGHT_FD_SEEK);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_tell, fd, 0)); /* which seeking implies */
    assert_wasi(WASI_NOTCAPABLE, CALL(g, fd_fdstat_set_rights, fd, RIGHTS_READ | RIGHTS_WRITE, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_set_rights, fd, WASI_RIGHT_FD_SEEK, 0));
    assert_wasi(WASI_NOTCAPABLE, guest_read(g, fd, 1));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, fd_fdstat_set_rights, fd, WASI_RIGHT_FD_READ, 0));
}

static void directories_pass_rights_on(void **state) {
    struct guest *g = *state;
    uint32_t dir, fd;

    guest_mkdir(g, "tree/dir");
    guest_write_file(g, "tree/dir/file", "text");
    assert_wasi(WASI_SUCCESS,
                CALL(g, path_open, 3, 0, STR(g, "dir"), WASI_OFLAG_DIRECTORY,
                     WASI_RIGHT_PATH_OPEN | WASI_RIGHT_FD_SEEK, WASI_RIGHT_FD_READ, 0, 0));
    dir = guest_u32(g, 0);
    assert_int_equal(WASI_RIGHT_PATH_OPEN, rights_of(g, dir)); /* a directory cannot seek */
    assert_int_equal(WASI_RIGHT_FD_READ, inheriting_of(g, dir));
    assert_wasi(WASI_NOTCAPABLE,
                CALL(g, path_open, dir, 0, STR(g, "file"), 0, WASI_RIGHT_FD_WRITE, 0, 0, 0));
    assert_wasi(WASI_NOTCAPABLE,
                CALL(g, path_open, dir, 0, STR(g, "file"), 0, 0, WASI_RIGHT_FD_WRITE, 0, 0));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_open, dir, 0, STR(g, "new"), WASI_OFLAG_CREAT,
                                      WASI_RIGHT_FD_READ, 0, 0, 0));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_open, dir, 0, STR(g, "file"), WASI_OFLAG_TRUNC,
                                      WASI_RIGHT_FD_READ, 0, 0, 0));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_open, dir, 0, STR(g, "file"), 0, WASI_RIGHT_FD_READ,
                                      0, WASI_FDFLAG_SYNC, 0));
    assert_wasi(WASI_NOTCAPABLE, CALL(g, path_unlink_file, dir, STR(g, "file")));
    assert_wasi(WASI_SUCCESS, CALL(g, path_open, dir, 0, STR(g, "file"), 0, WASI_RIGHT_FD_READ,
                                   WASI_RIGHT_FD_READ, 0, 0));
    fd = guest_u32(g, 0);
    assert_int_equal(WASI_RIGHT_FD_READ, rights_of(g, fd));
    assert_int_equal(0, inheriting_of(g, fd));
}

/* The directory of Go's os.Root: without PATH_FILESTAT_SET_SIZE, but files below it may be cut. */
static void truncation_by_what_files_may(void **state) {
    struct guest *g = *state;
    const uint64_t sets_size = WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_FILESTAT_SET_SIZE;
    const uint64_t rights = WASI_RIGHT_PATH_OPEN | WASI_RIGHT_PATH_CREATE_FILE;
    const struct {
        uint64_t more, inheriting;
        uint16_t error;
    } cases[] = {
        {0, sets_size, WASI_SUCCESS},
        {0, WASI_RIGHT_FD_WRITE, WASI_NOTCAPABLE},
        {0, WASI_RIGHT_FD_FILESTAT_SET_SIZE, WASI_NOTCAPABLE},
        {0, 0, WASI_NOTCAPABLE},
        {WASI_RIGHT_PATH_FILESTAT_SET_SIZE, 0, WASI_SUCCESS},
    };

    guest_mkdir(g, "tree/dir");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (uint32_t flags = 0; flags <= WASI_OFLAG_CREAT; flags += WASI_OFLAG_CREAT) {
            struct stat st;
            guest_write_file(g, "tree/dir/file", "text");
            assert_wasi(WASI_SUCCESS, CALL(g, path_open, 3, 0, STR(g, "dir"), WASI_OFLAG_DIRECTORY,
                                           rights | cases[i].more, cases[i].inheriting, 0, 0));
            uint32_t dir = guest_u32(g, 0);
            assert_wasi(cases[i].error, CALL(g, path_open, dir, 0, STR(g, "file"),
                                             flags | WASI_OFLAG_TRUNC, 0, 0, 0, 0));
            assert_int_equal(0, stat(guest_host_path(g, "tree/dir/file"), &st));
            assert_int_equal(cases[i].error == WASI_SUCCESS ? 0 : 4, st.st_size);
        }
    }
}

/* An operation that a descriptor's type lacks has the type's own error. */
static void types_have_errors_of_their_own(void **state) {
    struct guest *g = *state;

    guest_write_file(g, "tree/file", "text");
    uint32_t fd = guest_must_open(g, "file", 0, RIGHTS_READ);
    assert_wasi(WASI_ISDIR, guest_read(g, 3, 1));
    assert_wasi(WASI_ISDIR, guest_write(g, 3, "x"));
    assert_wasi(WASI_ISDIR, CALL(g, fd_seek, 3, 0, 0, 0));
    assert_wasi(WASI_ISDIR, CALL(g, fd_tell, 3, 0));
    assert_wasi(WASI_ISDIR, CALL(g, fd_allocate, 3, 0, 1));
    assert_wasi(WASI_ISDIR, CALL(g, fd_filestat_set_size, 3, 0));
    assert_wasi(WASI_NOTDIR, CALL(g, fd_readdir, fd, 0, 0, 0, 0));
    assert_wasi(WASI_NOTDIR, CALL(g, path_open, fd, 0, STR(g, "x"), 0, 0, 0, 0, 0));
    assert_wasi(WASI_NOTSOCK, CALL(g, sock_shutdown, fd, 1));
    assert_wasi(WASI_NOTSOCK, CALL(g, sock_shutdown, 1, 1));
    assert_wasi(WASI_SPIPE, CALL(g, fd_seek, 1, 0, 0, 0));
    assert_wasi(WASI_BADF, CALL(g, sock_shutdown, 99, 1));
    assert_wasi(WASI_BADF, CALL(g, fd_seek, 99, 0, 0, 0));
    assert_wasi(WASI_BADF, CALL(g, fd_close, UINT32_MAX));
}

/* The rights that programs look for in a pre-opened directory. */
static void rights_of_a_preopen(void **state) {
    struct guest *g = *state;
    uint64_t base = rights_of(g, 3), inheriting = inheriting_of(g, 3);
    const uint64_t files = WASI_RIGHT_FD_READ | WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_SEEK |
                           WASI_RIGHT_FD_FILESTAT_SET_SIZE;

    assert_true(base & WASI_RIGHT_PATH_OPEN);
    assert_true(base & WASI_RIGHT_FD_READDIR);
    assert_true(base & WASI_RIGHT_PATH_FILESTAT_SET_SIZE);
    assert_int_equal(0, base & files);
    assert_int_equal(files, inheriting & files);
    assert_int_equal(base, inheriting & base);
    assert_wasi(WASI_SUCCESS, CALL(g, path_open, 3, 0, STR(g, "."), WASI_OFLAG_DIRECTORY, base,
                                   inheriting, 0, 0));
    assert_wasi(WASI_SUCCESS,
                CALL(g, path_open, 3, 0, STR(g, "."), WASI_OFLAG_DIRECTORY, 0, 0, 0, 0));
    assert_wasi(WASI_ISDIR, CALL(g, path_open, 3, 0, STR(g, "."), WASI_OFLAG_DIRECTORY,
                                 WASI_RIGHT_FD_READ | WASI_RIGHT_FD_WRITE, 0, 0, 0));
}

/* ---- Flags ----------------------------------------------------------------------------------- */

static void open_flags(void **state) {
    struct guest *g = *state;
    uint32_t fd;

    guest_mkdir(g, "tree/dir");
    guest_write_file(g, "tree/file", "text");
    assert_wasi(WASI_EXIST, guest_open(g, "file", true, WASI_OFLAG_CREAT | WASI_OFLAG_EXCL,
                                       RIGHTS_READ, 0, &fd));
    assert_wasi(WASI_NOTDIR, guest_open(g, "file", true, WASI_OFLAG_DIRECTORY, 0, 0, &fd));
    assert_wasi(WASI_INVAL,
                guest_open(g, "new", true, WASI_OFLAG_DIRECTORY | WASI_OFLAG_CREAT, 0, 0, &fd));
    assert_false(guest_exists(g, "tree/new"));
    assert_wasi(WASI_INVAL, guest_open(g, "file", true, 16, 0, 0, &fd));
    assert_wasi(WASI_INVAL, guest_open(g, "file", true, 0, 0, 32, &fd));
    assert_wasi(WASI_INVAL, CALL(g, path_open, 3, 2, STR(g, "file"), 0, 0, 0, 0, 0));
    assert_wasi(WASI_ISDIR, guest_open(g, "dir", true, 0, RIGHTS_WRITE, 0, &fd));
    /* Truncating needs no right to write to the file itself. */
    assert_wasi(WASI_SUCCESS, guest_open(g, "file", true, WASI_OFLAG_TRUNC, 0, 0, &fd));
    assert_int_equal(0, rights_of(g, fd));
    struct stat st;
    assert_int_equal(0, stat(guest_host_path(g, "tree/file"), &st));
    assert_int_equal(0, st.st_size);
}

static void append_and_other_flags(void **state) {
    struct guest *g = *state;
    uint32_t fd;

    assert_wasi(WASI_SUCCESS,
                guest_open(g, "file", true, WASI_OFLAG_CREAT, RIGHTS_READ | RIGHTS_WRITE,
                           WASI_FDFLAG_APPEND | WASI_FDFLAG_SYNC, &fd));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_get, fd, 64));
    assert_int_equal(WASI_FILETYPE_REGULAR_FILE, g->memory[64]);
    assert_int_equal(WASI_FDFLAG_APPEND | WASI_FDFLAG_SYNC, guest_u16(g, 66));
    assert_wasi(WASI_SUCCESS, guest_write(g, fd, "ab"));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, fd, 0, 0, 0));
    assert_wasi(WASI_SUCCESS, guest_write(g, fd, "cd"));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_set_flags, fd, WASI_FDFLAG_SYNC));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, fd, 0, 0, 0));
    assert_wasi(WASI_SUCCESS, guest_write(g, fd, "X"));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_seek, fd, 0, 0, 0));
    assert_wasi(WASI_SUCCESS, guest_read(g, fd, 100));
    assert_string_equal("Xbcd", guest_text(g));
    assert_wasi(WASI_NOTSUP, CALL(g, fd_fdstat_set_flags, fd, 0));
    assert_wasi(WASI_INVAL, CALL(g, fd_fdstat_set_flags, fd, 1 << 5));
    assert_wasi(WASI_SUCCESS,
                CALL(g, fd_fdstat_set_flags, fd, WASI_FDFLAG_SYNC | WASI_FDFLAG_NONBLOCK));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_get, fd, 64));
    assert_int_equal(WASI_FDFLAG_SYNC | WASI_FDFLAG_NONBLOCK, guest_u16(g, 66));
}

/* ---- Sizes and times ------------------------------------------------------------------------- */

static void filestat(void **state) {
    struct guest *g = *state;
    struct stat st;

    guest_write_file(g, "tree/file", "12345");
    guest_symlink(g, "file", "tree/link");
    assert_int_equal(0, stat(guest_host_path(g, "tree/file"), &st));
    uint32_t fd = guest_must_open(g, "file", 0, RIGHTS_READ);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_filestat_get, fd, 64));
    assert_int_equal(st.st_dev, guest_u64(g, 64));
    assert_int_equal(st.st_ino, guest_u64(g, 72));
    assert_int_equal(WASI_FILETYPE_REGULAR_FILE, g->memory[80]);
    assert_int_equal(1, guest_u64(g, 88));
    assert_int_equal(5, guest_u64(g, 96));
    assert_int_equal((uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec,
                     guest_u64(g, 112));

    assert_wasi(WASI_SUCCESS, CALL(g, path_filestat_get, 3, 0, STR(g, "link"), 64));
    assert_int_equal(WASI_FILETYPE_SYMBOLIC_LINK, g->memory[80]);
    assert_int_equal(4, guest_u64(g, 96));
    assert_wasi(WASI_SUCCESS, CALL(g, path_filestat_get, 3, 1, STR(g, "link"), 64));
    assert_int_equal(WASI_FILETYPE_REGULAR_FILE, g->memory[80]);
    assert_wasi(WASI_NOTDIR, CALL(g, path_filestat_get, 3, 0, STR(g, "link/"), 64));
    assert_wasi(WASI_SUCCESS, CALL(g, path_filestat_get, 3, 0, STR(g, "./"), 64));
    assert_int_equal(WASI_FILETYPE_DIRECTORY, g->memory[80]);
    assert_wasi(WASI_INVAL, CALL(g, path_filestat_get, 3, 2, STR(g, "file"), 64));
}

static void filestat_of_the_older_snapshot(void **state) {
    struct guest *g = *state;

    guest_write_file(g, "tree/file", "12345");
    g->call.layout = &cn_wasi_layout_unstable;
    memset(g->memory, 0xaa, 256);
    assert_wasi(WASI_SUCCESS, CALL(g, path_filestat_get, 3, 0, STR(g, "file"), 64));
    assert_int_equal(WASI_FILETYPE_REGULAR_FILE, g->memory[80]);
    assert_int_equal(1, guest_u32(g, 84));
    assert_int_equal(5, guest_u64(g, 88));
    assert_int_equal(0xaa, g->memory[64 + 56]);
    assert_wasi(WASI_FAULT, CALL(g, path_filestat_get, 3, 0, STR(g, "file"), GUEST_MEMORY - 55));
    assert_wasi(WASI_SUCCESS, CALL(g, path_filestat_get, 3, 0, STR(g, "file"), GUEST_MEMORY - 56));
}

static void set_times(void **state) {
    struct guest *g = *state;
    struct stat st, link;

    guest_mkdir(g, "tree/dir");
    guest_write_file(g, "tree/file", "");
    guest_symlink(g, "../file", "tree/dir/link");
    uint32_t fd = guest_must_open(g, "file", 0, RIGHTS_READ);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_filestat_set_times, fd, 1000000007, 2000000009,
                                   WASI_FST_ATIM | WASI_FST_MTIM));
    assert_int_equal(0, stat(guest_host_path(g, "tree/file"), &st));
    assert_int_equal(1, st.st_atim.tv_sec);
    assert_int_equal(7, st.st_atim.tv_nsec);
    assert_int_equal(2, st.st_mtim.tv_sec);
    assert_int_equal(9, st.st_mtim.tv_nsec);
    assert_wasi(WASI_SUCCESS, CALL(g, path_filestat_set_times, 3, 1, STR(g, "dir/link"), 0,
                                   UINT64_C(5000000000), WASI_FST_MTIM));
    assert_int_equal(0, stat(guest_host_path(g, "tree/file"), &st));
    assert_int_equal(5, st.st_mtim.tv_sec);
    assert_int_equal(1, st.st_atim.tv_sec);
    assert_wasi(WASI_SUCCESS, CALL(g, path_filestat_set_times, 3, 0, STR(g, "dir/link"), 0,
                                   UINT64_C(6000000000), WASI_FST_MTIM));
    assert_int_equal(0, lstat(guest_host_path(g, "tree/dir/link"), &link));
    assert_int_equal(6, link.st_mtim.tv_sec);
    assert_int_equal(0, stat(guest_host_path(g, "tree/file"), &st));
    assert_int_equal(5, st.st_mtim.tv_sec);
    assert_wasi(WASI_SUCCESS, CALL(g, path_filestat_set_times, 3, 0, STR(g, "dir/"), 0,
                                   UINT64_C(7000000000), WASI_FST_MTIM));
    assert_int_equal(0, stat(guest_host_path(g, "tree/dir"), &st));
    assert_int_equal(7, st.st_mtim.tv_sec);
    assert_wasi(WASI_NOTDIR,
                CALL(g, path_filestat_set_times, 3, 0, STR(g, "file/"), 0, 0, WASI_FST_MTIM_NOW));
    assert_wasi(WASI_INVAL,
                CALL(g, fd_filestat_set_times, fd, 0, 0, WASI_FST_MTIM | WASI_FST_MTIM_NOW));
    assert_wasi(WASI_INVAL,
                CALL(g, fd_filestat_set_times, fd, 0, 0, WASI_FST_ATIM | WASI_FST_ATIM_NOW));
    assert_wasi(WASI_INVAL, CALL(g, fd_filestat_set_times, fd, 0, 0, 16));
}

/* ---- The table ------------------------------------------------------------------------------- */

static void lowest_number_first(void **state) {
    struct guest *g = *state;
    assert_int_equal(4, guest_must_open(g, ".", 0, 0));
    assert_int_equal(5, guest_must_open(g, ".", 0, 0));
    assert_int_equal(6, guest_must_open(g, ".", 0, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 5));
    assert_wasi(WASI_BADF, CALL(g, fd_close, 5));
    assert_int_equal(5, guest_must_open(g, ".", 0, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 0));
    assert_int_equal(0, guest_must_open(g, ".", 0, 0));
}

static void renumber(void **state) {
    struct guest *g = *state;
    uint32_t one = guest_must_open(g, "one", WASI_OFLAG_CREAT, RIGHTS_READ | RIGHTS_WRITE);
    uint32_t two = guest_must_open(g, "two", WASI_OFLAG_CREAT, RIGHTS_READ);

    assert_wasi(WASI_SUCCESS, CALL(g, fd_renumber, one, two));
    assert_wasi(WASI_BADF, CALL(g, fd_close, one));
    assert_wasi(WASI_SUCCESS, guest_write(g, two, "x"));
    assert_wasi(WASI_BADF, CALL(g, fd_renumber, two, one));
    assert_wasi(WASI_BADF, CALL(g, fd_renumber, one, two));
    assert_wasi(WASI_BADF, CALL(g, fd_renumber, two, UINT32_MAX));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_renumber, two, two));
    assert_wasi(WASI_SUCCESS, guest_write(g, two, "x"));
    /* Over a pre-open, which then is one no more, and of a standard stream. */
    assert_wasi(WASI_SUCCESS, CALL(g, fd_prestat_get, 3, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_renumber, two, 3));
    assert_wasi(WASI_BADF, CALL(g, fd_prestat_get, 3, 0));
    assert_wasi(WASI_SUCCESS, guest_write(g, 3, "x"));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_renumber, 1, 3));
    assert_wasi(WASI_SUCCESS, guest_write(g, 3, "x"));
    assert_wasi(WASI_BADF, guest_write(g, 1, "x"));
}

static void too_many_descriptors(void **state) {
    struct guest *g = *state;
    uint32_t fd = 0, last = 0;
    uint16_t error;

    while ((error = guest_open(g, ".", true, 0, 0, 0, &fd)) == WASI_SUCCESS)
        last = fd;
    assert_wasi(WASI_MFILE, error);
    assert_true(last < WASI_MAX_FDS);
    assert_wasi(WASI_MFILE, guest_open(g, "new", true, WASI_OFLAG_CREAT, 0, 0, &fd));
    assert_false(guest_exists(g, "tree/new"));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 100));
    assert_int_equal(100, guest_must_open(g, ".", 0, 0));
}

static void prestat(void **state) {
    struct guest *g = *state;
    assert_no_error(
        catnap_wasi_preopen_dir(g->wasi, g->root, "/mnt/x", CATNAP_WASI_DIR_READ_WRITE));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_prestat_get, 4, 0));
    assert_int_equal(0, g->memory[0]);
    assert_int_equal(6, guest_u32(g, 4));
    assert_wasi(WASI_NAMETOOLONG, CALL(g, fd_prestat_dir_name, 4, 64, 5));
    memset(g->memory + 64, '#', 16);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_prestat_dir_name, 4, 64, 8));
    assert_memory_equal("/mnt/x##", g->memory + 64, 8);
    assert_wasi(WASI_BADF, CALL(g, fd_prestat_get, 1, 0));
    assert_wasi(WASI_BADF, CALL(g, fd_prestat_get, 5, 0));
    guest_must_open(g, ".", 0, 0);
    assert_wasi(WASI_BADF, CALL(g, fd_prestat_get, 5, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 4));
    assert_wasi(WASI_BADF, CALL(g, fd_prestat_get, 4, 0));
}

/* Each descriptor remembers where it came from, for a listing of the state. */
static void origin(void **state) {
    struct guest *g = *state;
    guest_mkdir(g, "tree/dir");
    uint32_t dir = guest_must_open(g, "dir", 0, WASI_RIGHT_PATH_OPEN | WASI_RIGHT_PATH_CREATE_FILE);
    assert_wasi(WASI_SUCCESS, CALL(g, path_open, dir, 0, STR(g, "x"), WASI_OFLAG_CREAT, 0, 0,
                                   WASI_FDFLAG_APPEND, 0));
    const struct wasi_fd *fd = &g->wasi->fds[guest_u32(g, 0)];
    assert_int_equal(0, fd->preopen);
    assert_string_equal("dir/x", fd->path);
    assert_int_equal(WASI_OFLAG_CREAT, fd->oflags);
    assert_int_equal(WASI_FDFLAG_APPEND, fd->flags);
    assert_string_equal(g->root, g->wasi->preopens[0].host_path);
    assert_int_equal(FD_CLOEXEC, fcntl(fd->host, F_GETFD));
}

/* ---- Transfers that are interrupted ---------------------------------------------------------- */

#define LARGE ((uint32_t)48 << 20)
#define LARGE_PIECE ((uint32_t)16 << 20)

static unsigned looks_left; /* at the interrupt, until there is one */

static bool interrupted_soon(void *env) {
    (void)env;
    return looks_left-- == 0;
}

static const struct wasi_host soon_host = {guest_interrupt_fd, interrupted_soon, guest_memory};

/* A transfer of gigabytes goes in pieces; one that moved something reports that, and the next stops. */
static void large_transfers_are_interrupted(void **state) {
    struct guest *g = *state;
    struct wasi_guest small = g->call.memory;
    uint8_t *memory = calloc(1, LARGE + 64);
    uint32_t fd = guest_must_open(g, "large", WASI_OFLAG_CREAT, RIGHTS_READ | RIGHTS_WRITE);
    static const struct {
        uint16_t (*run)(struct wasi_call *, const uint64_t *);
        bool writes, at_offset;
    } calls[] = {{cn_wasi_fd_write, true, false},
                 {cn_wasi_fd_read, false, false},
                 {cn_wasi_fd_pwrite, true, true},
                 {cn_wasi_fd_pread, false, true}};

    assert_non_null(memory);
    g->call.memory = (struct wasi_guest){.base = memory, .size = LARGE + 64};
    g->call.host = &soon_host;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        for (uint32_t j = 64; j < LARGE + 64; j += 4096)
            cn_put_u32(memory + j, calls[i].writes ? j * 2654435761u : 0);
        cn_put_u32(memory, 64);
        cn_put_u32(memory + 4, LARGE);
        const uint64_t plain[] = {fd, 0, 1, 16}, at_offset[] = {fd, 0, 1, 0, 16};
        const uint64_t *arguments = calls[i].at_offset ? at_offset : plain;
        looks_left = 2;
        assert_wasi(WASI_SUCCESS, calls[i].run(&g->call, arguments));
        assert_int_equal(WASI_RETURN, g->call.outcome);
        assert_int_equal(2 * LARGE_PIECE, cn_get_u32(memory + 16));
        for (uint32_t j = 64; j < LARGE + 64; j += 4096)
            assert_int_equal(cn_get_u32(memory + j),
                             calls[i].writes || j < 2 * LARGE_PIECE + 64 ? j * 2654435761u : 0);
        looks_left = 0;
        assert_wasi(WASI_INTR, calls[i].run(&g->call, arguments));
        assert_int_equal(WASI_INTERRUPTED, g->call.outcome);
        g->call.outcome = WASI_RETURN;
        looks_left = UINT32_MAX;
        assert_wasi(WASI_SUCCESS, cn_wasi_fd_seek(&g->call, (uint64_t[]){fd, 0, 0, 24}));
    }
    g->call.memory = small;
    free(memory);
}

/* On procfs is the memory of this process, and the environment that it began with. */
static void memory_of_the_process_is_not_given(void **state) {
    struct guest *g = *state;
    static const char *const refused[] = {"self/mem", "self/task/../mem", "self/environ",
                                          "self/auxv"};
    uint32_t fd;

    assert_true(strlen(g->root) < sizeof g->root - 8);
    strcpy(g->root, "/proc");
    for (int by_kernel = 0; by_kernel <= 1; by_kernel++) {
        guest_new_state(g, CATNAP_WASI_DIR_READ_WRITE);
        g->wasi->kernel_sandbox = g->wasi->kernel_sandbox && by_kernel;
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
            for (uint64_t rights = 0; rights <= RIGHTS_WRITE; rights += RIGHTS_WRITE) {
                uint16_t error = guest_open(g, refused[i], true, 0, RIGHTS_READ | rights, 0, &fd);
                assert_wasi(WASI_ACCES, error);
                error = guest_open(g, refused[i], true, 0, rights, 0, &fd);
                assert_wasi(WASI_ACCES, error);
            }
        assert_wasi(WASI_ACCES, guest_open(g, "self/status", true, 0, RIGHTS_WRITE, 0, &fd));
        fd = guest_must_open(g, "self/status", 0, RIGHTS_READ);
        assert_wasi(WASI_SUCCESS, guest_read(g, fd, 100));
        assert_true(guest_u32(g, 0) > 0);
        guest_must_open(g, "self/task", WASI_OFLAG_DIRECTORY, RIGHTS_READ);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(read_what_was_written),
        TEST(seek_of_the_older_snapshot),
        TEST(positioned_reading_and_writing),
        TEST(several_buffers),
        TEST(very_many_buffers),
        TEST(allocate_advise_sync),
        TEST(rights_decide),
        TEST(directories_pass_rights_on),
        TEST(truncation_by_what_files_may),
        TEST(types_have_errors_of_their_own),
        TEST(rights_of_a_preopen),
        TEST(open_flags),
        TEST(append_and_other_flags),
        TEST(filestat),
        TEST(filestat_of_the_older_snapshot),
        TEST(set_times),
        TEST(lowest_number_first),
        TEST(renumber),
        TEST(too_many_descriptors),
        TEST(prestat),
        TEST(origin),
        TEST(large_transfers_are_interrupted),
        TEST(memory_of_the_process_is_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
