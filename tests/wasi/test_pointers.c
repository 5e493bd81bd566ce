/*
 * Every function with pointers at and beyond the end of memory, lengths and counts up to 2^32 - 1,
 * and descriptors open, closed and absurd: an errno each time, and never a byte outside. Meant to
 * run under AddressSanitizer and UBSan; the memory is malloc()ed to its exact size.
 */
#include "guest.h"

#include <sys/resource.h>

#define ROUNDS 4000

static const struct wasi_function *find(const char *name) {
    for (size_t i = 0; i < cn_wasi_function_count; i++)
        if (!strcmp(name, cn_wasi_functions[i].name))
            return &cn_wasi_functions[i];
    fail_msg("no function %s", name);
    return NULL;
}

static size_t parameters_of(const struct wasi_function *function) {
    return (size_t)(strchr(function->signature, ':') - function->signature);
}

static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static uint32_t interesting_u32(uint64_t *seed) {
    static const uint32_t values[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      6,
                                      7,
                                      8,
                                      16,
                                      24,
                                      32,
                                      48,
                                      64,
                                      1024,
                                      1025,
                                      GUEST_MEMORY / 8,
                                      GUEST_MEMORY - 64,
                                      GUEST_MEMORY - 48,
                                      GUEST_MEMORY - 32,
                                      GUEST_MEMORY - 24,
                                      GUEST_MEMORY - 16,
                                      GUEST_MEMORY - 8,
                                      GUEST_MEMORY - 7,
                                      GUEST_MEMORY - 4,
                                      GUEST_MEMORY - 3,
                                      GUEST_MEMORY - 2,
                                      GUEST_MEMORY - 1,
                                      GUEST_MEMORY,
                                      GUEST_MEMORY + 1,
                                      0x7fffffff,
                                      0x80000000,
                                      0x20000000,
                                      0x10000001,
                                      0xfffffff0,
                                      0xfffffff8,
                                      0xfffffffc,
                                      0xfffffffe,
                                      0xffffffff};
    uint64_t random = next_random(seed);
    if (random % 16 == 0)
        return (uint32_t)(random >> 32);
    return values[(random >> 8) % (sizeof values / sizeof values[0])];
}

static uint64_t interesting_u64(uint64_t *seed) {
    static const uint64_t values[] = {0,
                                      1,
                                      100,
                                      UINT32_MAX,
                                      INT64_MAX,
                                      (uint64_t)INT64_MAX + 1,
                                      UINT64_MAX - 1,
                                      UINT64_MAX,
                                      WASI_RIGHTS_ALL,
                                      WASI_RIGHT_FD_READ | WASI_RIGHT_FD_WRITE};
    uint64_t random = next_random(seed);
    if (random % 16 == 0)
        return random;
    return values[(random >> 8) % (sizeof values / sizeof values[0])];
}

/* Memory that makes sense in places: iovecs, subscriptions and names at low addresses. */
static void fill_memory(struct guest *g, uint64_t *seed) {
    for (uint32_t at = 0; at < GUEST_MEMORY; at += 4)
        cn_put_u32(g->memory + at, interesting_u32(seed));
    memcpy(g->memory + 1024, "file/../dir/x", 13);
    memcpy(g->memory + 64, "file", 4);
    memcpy(g->memory + 48, "d/..", 4);
}

static void open_some(struct guest *g) {
    guest_new_state(g, CATNAP_WASI_DIR_READ_WRITE);
    guest_write_file(g, "tree/file", "some text");
    if (!guest_exists(g, "tree/dir"))
        guest_mkdir(g, "tree/dir");
    guest_must_open(g, "file", 0, RIGHTS_READ | RIGHTS_WRITE);
    guest_must_open(g, "dir", 0, WASI_RIGHTS_ALL & ~RIGHTS_WRITE);
    guest_must_open(g, "file", 0, RIGHTS_READ | RIGHTS_WRITE);
}

static void run_rounds(void **state, const struct wasi_layout *layout) {
    struct guest *g = *state;

    g->call.layout = layout;
    for (size_t i = 0; i < cn_wasi_function_count; i++) {
        const struct wasi_function *function = &cn_wasi_functions[i];
        uint64_t seed = 0x9e3779b97f4a7c15u + i;
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t arguments[WASI_MAX_PARAMETERS];
            if (round % 256 == 0) {
                open_some(g);
                fill_memory(g, &seed);
            }
            for (size_t k = 0; k < parameters_of(function); k++)
                arguments[k] =
                    function->signature[k] == 'I' ? interesting_u64(&seed) : interesting_u32(&seed);
            g->call.outcome = WASI_RETURN;
            uint16_t error = function->run(&g->call, arguments);
            assert_true(error <= WASI_NOTCAPABLE);
        }
    }
}

static void anything_at_all(void **state) {
    run_rounds(state, &cn_wasi_layout_preview1);
}

static void anything_in_the_older_snapshot(void **state) {
    run_rounds(state, &cn_wasi_layout_unstable);
}

/* A guest without a memory has no valid pointer, not even of length 0. */
static void no_memory_at_all(void **state) {
    struct guest *g = *state;

    g->call.memory = (struct wasi_guest){NULL, 0};
    assert_wasi(WASI_FAULT, CALL(g, random_get, 0, 0));
    assert_wasi(WASI_FAULT, CALL(g, args_sizes_get, 0, 0));
    assert_wasi(WASI_FAULT, CALL(g, path_open, 3, 0, 0, 0, 0, 0, 0, 0, 0));
    assert_wasi(WASI_FAULT, CALL(g, poll_oneoff, 0, 0, 1, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_close, 3));
}

/* Results that would straddle the end: the last place that fits works, the next does not. */
static void last_place_that_fits(void **state) {
    struct guest *g = *state;
    static const struct {
        const char *name;
        uint32_t size; /* of the result */
        int position;  /* of its pointer among the arguments */
        uint64_t arguments[WASI_MAX_PARAMETERS];
    } cases[] = {
        {"clock_res_get", 8, 1, {0}},        {"clock_time_get", 8, 2, {0}},
        {"fd_fdstat_get", 24, 1, {3}},       {"fd_filestat_get", 64, 1, {3}},
        {"fd_prestat_get", 8, 1, {3}},       {"fd_prestat_dir_name", 1, 1, {3, 0, 1}},
        {"fd_seek", 8, 3, {4, 0, 0}},        {"fd_tell", 8, 1, {4}},
        {"fd_read", 4, 3, {4, 0, 0}},        {"fd_write", 4, 3, {4, 0, 0}},
        {"fd_pread", 4, 4, {4, 0, 0, 0}},    {"fd_pwrite", 4, 4, {4, 0, 0, 0}},
        {"fd_readdir", 4, 4, {3, 0, 64, 0}}, {"random_get", 16, 0, {0, 16}},
        {"args_sizes_get", 4, 0, {0, 0}},    {"args_sizes_get", 4, 1, {0, 0}},
        {"environ_sizes_get", 4, 0, {0}},    {"path_filestat_get", 64, 4, {3, 0, 64, 4}},
        {"path_open", 4, 8, {3, 0, 64, 4}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t arguments[WASI_MAX_PARAMETERS];
        guest_write_file(g, "tree/file", "text");
        guest_must_open(g, "file", 0, RIGHTS_READ | RIGHTS_WRITE);
        memcpy(g->memory + 64, "file", 4);
        memcpy(arguments, cases[i].arguments, sizeof arguments);
        arguments[cases[i].position] = GUEST_MEMORY - cases[i].size;
        if (find(cases[i].name)->run(&g->call, arguments) != WASI_SUCCESS)
            fail_msg("%s refused the last place", cases[i].name);
        for (uint32_t beyond = 1; beyond <= cases[i].size; beyond++) {
            arguments[cases[i].position] = GUEST_MEMORY - cases[i].size + beyond;
            if (find(cases[i].name)->run(&g->call, arguments) != WASI_FAULT)
                fail_msg("%s took a pointer %u beyond", cases[i].name, beyond);
        }
    }
}

/* docs/reference/wasi.md: no pointer need be aligned, neither a result's nor an array's. */
static void pointers_of_any_alignment(void **state) {
    struct guest *g = *state;

    for (uint32_t shift = 0; shift < 16; shift++) {
        uint32_t fd = guest_must_open(g, "file", WASI_OFLAG_CREAT | WASI_OFLAG_TRUNC,
                                      RIGHTS_READ | RIGHTS_WRITE);
        uint8_t *at = g->memory;
        memset(g->memory, 0, 1024);
        memcpy(at + 512, "text", 4);
        cn_put_u32(at + 64 + shift, 512);
        cn_put_u32(at + 68 + shift, 4);
        assert_wasi(WASI_SUCCESS, CALL(g, fd_write, fd, 64 + shift, 1, 128 + shift));
        assert_int_equal(4, guest_u32(g, 128 + shift));
        assert_wasi(WASI_SUCCESS, CALL(g, fd_tell, fd, 256 + shift));
        assert_int_equal(4, guest_u64(g, 256 + shift));
        assert_wasi(WASI_SUCCESS, CALL(g, fd_filestat_get, fd, 256 + shift));
        assert_int_equal(4, guest_u64(g, 256 + 32 + shift)); /* size */
        assert_wasi(WASI_SUCCESS, CALL(g, fd_fdstat_get, fd, 256 + shift));
        assert_int_equal(WASI_FILETYPE_REGULAR_FILE, at[256 + shift]);
        assert_wasi(WASI_SUCCESS, CALL(g, clock_time_get, 1, 0, 256 + shift));
        assert_true(guest_u64(g, 256 + shift) > 0);
        memset(at + 64, 0, 64);
        at[64 + shift + 8] = 1; /* reading */
        cn_put_u32(at + 64 + shift + 16, fd);
        assert_wasi(WASI_SUCCESS, CALL(g, poll_oneoff, 64 + shift, 256 + shift, 1, 768 + shift));
        assert_int_equal(1, guest_u32(g, 768 + shift));
        assert_wasi(WASI_SUCCESS, CALL(g, fd_close, fd));
    }
}

static void vectors_beyond_the_end(void **state) {
    struct guest *g = *state;
    uint32_t fd = guest_must_open(g, "file", WASI_OFLAG_CREAT, RIGHTS_READ | RIGHTS_WRITE);

    assert_wasi(WASI_FAULT, CALL(g, fd_write, fd, 0, UINT32_MAX, 0));
    assert_wasi(WASI_FAULT, CALL(g, fd_write, fd, 0, GUEST_MEMORY / 8 + 1, 0));
    assert_wasi(WASI_FAULT, CALL(g, fd_read, fd, GUEST_MEMORY - 7, 1, 0));
    assert_wasi(WASI_FAULT, CALL(g, fd_read, fd, 0, 0x20000001, 0)); /* times 8 is 8 in 32 bits */
    assert_wasi(WASI_FAULT, CALL(g, fd_write, fd, guest_iovec(g, GUEST_MEMORY - 3, 4), 1, 0));
    assert_wasi(WASI_FAULT, CALL(g, fd_write, fd, guest_iovec(g, 8, UINT32_MAX), 1, 0));
    assert_wasi(WASI_FAULT, CALL(g, fd_write, fd, guest_iovec(g, UINT32_MAX, 2), 1, 0));
    assert_wasi(WASI_SUCCESS, CALL(g, fd_write, fd, guest_iovec(g, GUEST_MEMORY - 4, 4), 1, 0));
}

/* A host that interrupts each wait and nothing else. */
static int begin_wait(void *env) {
    struct guest *g = env;
    g->interrupted = true;
    return g->interrupts[0];
}

static bool waits(void *env) {
    struct guest *g = env;
    bool interrupted = g->interrupted;
    g->interrupted = false;
    return interrupted;
}

static const struct wasi_host impatient_host = {begin_wait, waits, guest_memory};

static int setup(void **state) {
    /* Limits the writes of a wild size; the answer is an errno, not a signal. */
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 1 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    guest_setup(state);
    struct guest *g = *state;
    assert_true(g->wasi->file_size_limited);
    g->call.host = &impatient_host;
    return 0;
}

/* A profile that is written when the process ends may be larger. */
static int teardown(void **state) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    return guest_teardown(state);
}

#define POINTER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        POINTER_TEST(anything_at_all),        POINTER_TEST(anything_in_the_older_snapshot),
        POINTER_TEST(no_memory_at_all),       POINTER_TEST(last_place_that_fits),
        POINTER_TEST(vectors_beyond_the_end), TEST(pointers_of_any_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
