/* fd_readdir: every entry once, whatever the buffer's size, and from any cookie again. */
#include "guest.h"

#define ENTRIES 60
#define BUFFER 4096u

struct entry {
    uint64_t next, inode;
    uint8_t type;
    char name[64];
};

/* One call; parses whole entries into `out` and gives their number. */
static int read_once(struct guest *g, uint32_t fd, uint32_t size, uint64_t cookie,
                     struct entry *out, bool *full) {
    int count = 0;

    memset(g->memory + BUFFER, 0x5a, size + 1);
    assert_wasi(WASI_SUCCESS, CALL(g, fd_readdir, fd, BUFFER, size, cookie, 0));
    uint32_t used = guest_u32(g, 0);
    assert_true(used <= size);
    assert_int_equal(0x5a, g->memory[BUFFER + size]);
    *full = used == size;
    for (uint32_t at = 0; at + WASI_DIRENT_SIZE <= used;) {
        uint32_t length = guest_u32(g, BUFFER + at + 16);
        if (at + WASI_DIRENT_SIZE + length > used)
            break;
        struct entry *entry = &out[count++];
        entry->next = guest_u64(g, BUFFER + at);
        entry->inode = guest_u64(g, BUFFER + at + 8);
        entry->type = g->memory[BUFFER + at + 20];
        assert_true(length < sizeof entry->name);
        memcpy(entry->name, g->memory + BUFFER + at + WASI_DIRENT_SIZE, length);
        entry->name[length] = '\0';
        at += WASI_DIRENT_SIZE + length;
    }
    return count;
}

static void make_entries(struct guest *g) {
    char path[64];
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(path, sizeof path, "tree/file.%.*d", i % 30 + 1, i);
        guest_write_file(g, path, "");
    }
}

static void every_entry_once(void **state) {
    struct guest *g = *state;
    static const uint32_t sizes[] = {64, 65, 80, 100, 256, 1000, 4096, 20000};

    make_entries(g);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct entry entries[ENTRIES + 2], all[ENTRIES + 2];
        int total = 0;
        uint64_t cookie = 0;
        bool full = true;
        while (full) {
            int count = read_once(g, 3, sizes[s], cookie, entries, &full);
            assert_true(count > 0 || !full); /* or it would never end */
            assert_true(total + count <= ENTRIES + 2);
            for (int i = 0; i < count; i++)
                all[total++] = entries[i];
            if (count)
                cookie = entries[count - 1].next;
        }
        assert_int_equal(ENTRIES + 2, total);
        for (int i = 0; i < total; i++)
            for (int k = 0; k < i; k++)
                assert_string_not_equal(all[i].name, all[k].name);
    }
}

/* Any entry's cookie continues behind it, in any order. */
static void from_any_cookie(void **state) {
    struct guest *g = *state;
    struct entry all[ENTRIES + 2], some[ENTRIES + 2];
    bool full;

    make_entries(g);
    assert_int_equal(ENTRIES + 2, read_once(g, 3, 20000, 0, all, &full));
    assert_false(full);
    for (int i = ENTRIES + 1; i >= 0; i -= 7) {
        int count = read_once(g, 3, 20000, all[i].next, some, &full);
        assert_int_equal(ENTRIES + 1 - i, count);
        for (int k = 0; k < count; k++)
            assert_string_equal(all[i + 1 + k].name, some[k].name);
    }
}

/* A guest's telldir() has 32 bits, with a sign. */
static void cookies_are_ordinals(void **state) {
    struct guest *g = *state;
    struct entry all[ENTRIES + 2];
    bool full;

    make_entries(g);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(ENTRIES + 2, read_once(g, 3, 20000, 0, all, &full));
        for (int i = 0; i < ENTRIES + 2; i++)
            assert_int_equal(i + 1, all[i].next);
    }
}

/* A cookie of another descriptor, or of one that was restored, is found by reading on. */
static void cookies_not_given_yet(void **state) {
    struct guest *g = *state;
    struct entry all[ENTRIES + 2], some[ENTRIES + 2];
    bool full;

    make_entries(g);
    assert_int_equal(ENTRIES + 2, read_once(g, 3, 20000, 0, all, &full));
    for (int i = 1; i <= ENTRIES; i += 20) {
        uint32_t fd = guest_must_open(g, ".", 0, WASI_RIGHT_FD_READDIR);
        assert_int_equal(ENTRIES + 1 - i, read_once(g, fd, 20000, all[i].next, some, &full));
        assert_string_equal(all[ENTRIES + 1].name, some[ENTRIES - i].name);
        assert_int_equal(ENTRIES + 2, some[ENTRIES - i].next);
        assert_int_equal(0, read_once(g, fd, 20000, ENTRIES + 2, some, &full));
        assert_wasi(WASI_INVAL, CALL(g, fd_readdir, fd, BUFFER, 100, ENTRIES + 3, 0));
        assert_int_equal(ENTRIES + 2, read_once(g, fd, 20000, 0, some, &full));
        assert_wasi(WASI_SUCCESS, CALL(g, fd_close, fd));
    }
}

static void renumbered_directory(void **state) {
    struct guest *g = *state;
    struct entry all[ENTRIES + 2], some[ENTRIES + 2];
    bool full;

    make_entries(g);
    uint32_t from = guest_must_open(g, ".", 0, WASI_RIGHT_FD_READDIR);
    uint32_t to = guest_must_open(g, ".", 0, WASI_RIGHT_FD_READDIR);
    assert_int_equal(ENTRIES + 2, read_once(g, to, 20000, 0, all, &full));
    assert_int_equal(ENTRIES + 2, read_once(g, from, 20000, 0, all, &full));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_renumber, from, to));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_renumber, to, 3));
    assert_int_equal(2, read_once(g, 3, 20000, all[ENTRIES - 1].next, some, &full));
    assert_string_equal(all[ENTRIES].name, some[0].name);
}

static bool is_dot(const char *name) {
    return !strcmp(name, ".") || !strcmp(name, "..");
}

/* As `rm -r` does: what was read is removed before the next call. */
static void removing_while_reading(void **state) {
    struct guest *g = *state;
    struct entry some[ENTRIES + 2];
    uint64_t cookie = 0, last = 0;
    bool full = true;
    int removed = 0;

    make_entries(g);
    while (full) {
        int count = read_once(g, 3, 500, cookie, some, &full);
        for (int i = 0; i < count; i++) {
            assert_true(some[i].next > last);
            cookie = last = some[i].next;
            if (is_dot(some[i].name))
                continue;
            assert_wasi(WASI_SUCCESS, CALL(g, path_unlink_file, 3, STR(g, some[i].name)));
            removed++;
        }
    }
    assert_int_equal(ENTRIES, removed);
    assert_int_equal(2, read_once(g, 3, 20000, 0, some, &full));
}

/* Cookies of what is still there keep their meaning when something before them is removed. */
static void removing_before_a_cookie(void **state) {
    struct guest *g = *state;
    struct entry all[ENTRIES + 2], some[ENTRIES + 2];
    bool full;
    int at = 20;

    make_entries(g);
    assert_int_equal(ENTRIES + 2, read_once(g, 3, 20000, 0, all, &full));
    while (is_dot(all[at].name))
        at++;
    assert_wasi(WASI_SUCCESS, CALL(g, path_unlink_file, 3, STR(g, all[at].name)));
    assert_int_equal(ENTRIES, read_once(g, 3, 20000, all[0].next, some, &full));
    for (int i = ENTRIES; i >= 0; i--) {
        int next = i + 1 == at ? at + 1 : i + 1;
        assert_true(read_once(g, 3, 200, all[i].next, some, &full) > 0);
        assert_string_equal(all[next].name, some[0].name);
    }
}

#define MANY (WASI_MAX_COOKIES + WASI_MAX_COOKIES / 2)

/* Of a directory that is larger than what is remembered of it, every cookie is good as well. */
static void large_directory(void **state) {
    struct guest *g = *state;
    static char names[MANY + 3][12];
    struct entry *some = calloc(4096, sizeof *some);
    bool full = true;
    uint64_t cookie = 0;

    assert_non_null(some);
    for (int i = 0; i < MANY; i++) {
        char path[32];
        snprintf(path, sizeof path, "tree/%d", i);
        int fd = open(guest_host_path(g, path), O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
        assert_true(fd >= 0);
        close(fd);
    }
    while (full) {
        int count = read_once(g, 3, 30000, cookie, some, &full);
        for (int i = 0; i < count; i++) {
            assert_int_equal(cookie + 1, some[i].next);
            cookie = some[i].next;
            assert_true(cookie <= MANY + 2);
            strcpy(names[cookie], some[i].name);
        }
    }
    assert_int_equal(MANY + 2, cookie);
    for (cookie = MANY + 1; cookie > 3000; cookie -= 3000) {
        assert_true(read_once(g, 3, 100, cookie, some, &full) > 0);
        assert_string_equal(names[cookie + 1], some[0].name);
        assert_int_equal(cookie + 1, some[0].next);
    }
    free(some);
}

static void interrupted_while_reading_on(void **state) {
    struct guest *g = *state;

    make_entries(g);
    g->interrupted = true;
    assert_wasi(WASI_INTR, CALL(g, fd_readdir, 3, BUFFER, 100, 1000, 0));
    assert_int_equal(WASI_INTERRUPTED, g->call.outcome);
}

static void what_an_entry_says(void **state) {
    struct guest *g = *state;
    struct entry entries[8];
    struct stat st;
    bool full;
    int seen = 0;

    guest_mkdir(g, "tree/dir");
    guest_symlink(g, "dir", "tree/link");
    guest_write_file(g, "tree/file", "");
    int count = read_once(g, 3, 4096, 0, entries, &full);
    assert_int_equal(5, count);
    for (int i = 0; i < count; i++) {
        char path[80];
        uint8_t type = !strcmp(entries[i].name, "file")   ? WASI_FILETYPE_REGULAR_FILE
                       : !strcmp(entries[i].name, "link") ? WASI_FILETYPE_SYMBOLIC_LINK
                                                          : WASI_FILETYPE_DIRECTORY;
        assert_int_equal(type, entries[i].type);
        if (!strcmp(entries[i].name, ".."))
            continue;
        snprintf(path, sizeof path, "tree/%s", entries[i].name);
        assert_int_equal(0, lstat(guest_host_path(g, path), &st));
        assert_int_equal(st.st_ino, entries[i].inode);
        seen++;
    }
    assert_int_equal(4, seen);
}

static void small_buffers_and_bad_cookies(void **state) {
    struct guest *g = *state;
    struct entry entry;
    bool full;

    for (uint32_t size = 0; size < 25; size++) {
        assert_int_equal(0, read_once(g, 3, size, 0, &entry, &full));
        assert_true(full); /* cut off: there is more */
    }
    assert_wasi(WASI_INVAL, CALL(g, fd_readdir, 3, BUFFER, 100, UINT64_MAX, 0));
    assert_wasi(WASI_INVAL, CALL(g, fd_readdir, 3, BUFFER, 100, INT64_MAX, 0));
    assert_wasi(WASI_FAULT, CALL(g, fd_readdir, 3, BUFFER, UINT32_MAX, 0, 0));
    assert_wasi(WASI_FAULT, CALL(g, fd_readdir, 3, BUFFER, 10, 0, GUEST_MEMORY - 3));
}

static void removed_directory(void **state) {
    struct guest *g = *state;

    guest_mkdir(g, "tree/dir");
    uint32_t fd = guest_must_open(g, "dir", 0, WASI_RIGHT_FD_READDIR);
    assert_wasi(WASI_SUCCESS, CALL(g, path_remove_directory, 3, STR(g, "dir")));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_readdir, fd, BUFFER, 100, 0, 0));
    assert_int_equal(0, guest_u32(g, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_entry_once),
        TEST(from_any_cookie),
        TEST(cookies_are_ordinals),
        TEST(cookies_not_given_yet),
        TEST(renumbered_directory),
        TEST(removing_while_reading),
        TEST(removing_before_a_cookie),
        TEST(large_directory),
        TEST(interrupted_while_reading_on),
        TEST(what_an_entry_says),
        TEST(small_buffers_and_bad_cookies),
        TEST(removed_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
