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
        snprintf(path, sizeof path, "root/file.%.*d", i % 30 + 1, i);
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

static void what_an_entry_says(void **state) {
    struct guest *g = *state;
    struct entry entries[8];
    struct stat st;
    bool full;
    int seen = 0;

    guest_mkdir(g, "root/dir");
    guest_symlink(g, "dir", "root/link");
    guest_write_file(g, "root/file", "");
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
        snprintf(path, sizeof path, "root/%s", entries[i].name);
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
    uint16_t error = CALL(g, fd_readdir, 3, BUFFER, 100, INT64_MAX, 0);
    assert_true(error == WASI_SUCCESS || error == WASI_INVAL);
    assert_wasi(WASI_FAULT, CALL(g, fd_readdir, 3, BUFFER, UINT32_MAX, 0, 0));
    assert_wasi(WASI_FAULT, CALL(g, fd_readdir, 3, BUFFER, 10, 0, GUEST_MEMORY - 3));
}

static void removed_directory(void **state) {
    struct guest *g = *state;

    guest_mkdir(g, "root/dir");
    uint32_t fd = guest_must_open(g, "dir", 0, WASI_RIGHT_FD_READDIR);
    assert_wasi(WASI_SUCCESS, CALL(g, path_remove_directory, 3, STR(g, "dir")));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_readdir, fd, BUFFER, 100, 0, 0));
    assert_int_equal(0, guest_u32(g, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_entry_once),
        TEST(from_any_cookie),
        TEST(what_an_entry_says),
        TEST(small_buffers_and_bad_cookies),
        TEST(removed_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
