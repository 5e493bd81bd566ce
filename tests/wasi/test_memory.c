/*
 * Exhausted memory: every allocation of configuring and running fails in turn, once and from then
 * on. Each failure must be told, nothing may leak, and the state must go on working.
 */
#include "../support/sanitized.h"
#include "guest.h"

#if SANITIZED || !defined(__GLIBC__)

/* A sanitizer brings its own malloc(), and only glibc has the names below. */
int main(void) {
    puts("1..0 # SKIP a sanitizer brings its own malloc()");
    return 0;
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void __libc_free(void *pointer);

static bool counting; /* between begin() and end() */
static bool for_ever; /* fail from then on */
static long fail_at;  /* the allocation that fails, from 0 */
static long allocations, live;

static bool fails(void) {
    if (!counting)
        return false;
    long now = allocations++;
    return now == fail_at || (for_ever && now > fail_at);
}

void *malloc(size_t size) {
    if (fails())
        return NULL;
    void *pointer = __libc_malloc(size);
    live += pointer && counting;
    return pointer;
}

void *calloc(size_t count, size_t size) {
    if (fails())
        return NULL;
    void *pointer = __libc_calloc(count, size);
    live += pointer && counting;
    return pointer;
}

void *realloc(void *old, size_t size) {
    if (fails())
        return NULL;
    void *pointer = __libc_realloc(old, size);
    live += pointer && !old && counting;
    return pointer;
}

void free(void *pointer) {
    live -= pointer && counting;
    __libc_free(pointer);
}

/* Counts failures that were told. */
static int told;

static void check(catnap_error_t *error) {
    if (!error)
        return;
    told++;
    if (catnap_error_status(error) != CATNAP_NO_MEMORY)
        abort();
    catnap_error_delete(error);
}

static void check_errno(uint16_t error) {
    if (error == WASI_NOMEM)
        told++;
    else if (error && error != WASI_BADF && error != WASI_INTR)
        abort();
}

static int64_t drop(void *env, const void *bytes, size_t size) {
    (void)env;
    (void)bytes;
    return (int64_t)size;
}

/* Everything that allocates. `g` lends its directory and its memory. */
static void scenario(struct guest *g) {
    struct wasi_call call = g->call;
    catnap_wasi_t *wasi = catnap_wasi_new();

    if (!wasi) {
        told++;
        return;
    }
    call.wasi = wasi;
    check(catnap_wasi_add_argument(wasi, "prog"));
    check(catnap_wasi_add_argument(wasi, "argument"));
    check(catnap_wasi_add_environment(wasi, "A", "1"));
    check(catnap_wasi_add_environment(wasi, "A", "22"));
    check(catnap_wasi_set_stdin_bytes(wasi, "input", 5));
    check(catnap_wasi_set_output_buffer(wasi, 1, 4096));
    check(catnap_wasi_set_output_callback(wasi, 2, drop, NULL));
    check(catnap_wasi_preopen_dir(wasi, g->root, "/", CATNAP_WASI_DIR_READ_WRITE));
    check(catnap_wasi_preopen_dir(wasi, g->root, "/b", CATNAP_WASI_DIR_READ_ONLY));
    for (int i = 0; i < 10; i++)
        check_errno(cn_wasi_path_open(
            &call, (const uint64_t[]){3, 0, 64, 4, 0, WASI_RIGHT_FD_READ, 0, 0, 0}));
    cn_put_u32(g->memory + 128, 64);
    cn_put_u32(g->memory + 132, 1000);
    check_errno(cn_wasi_fd_write(&call, (const uint64_t[]){1, 128, 1, 0}));
    check_errno(cn_wasi_fd_write(&call, (const uint64_t[]){2, 128, 1, 0}));
    memset(g->memory + 256, 0, 48);
    check_errno(cn_wasi_poll_oneoff(&call, (const uint64_t[]){256, 512, 1, 0}));
    catnap_wasi_delete(wasi);
}

static void each_allocation_fails(void **state) {
    struct guest *g = *state;

    guest_write_file(g, "tree/file", "");
    memcpy(g->memory + 64, "file", 4);
    for (int mode = 0; mode < 2; mode++) {
        for_ever = mode == 1;
        for (fail_at = 0;; fail_at++) {
            allocations = live = told = 0;
            counting = true;
            scenario(g);
            counting = false;
            if (live)
                fail_msg("allocation %ld: %ld blocks leaked", fail_at, live);
            if (allocations <= fail_at)
                break; /* none failed any more */
            if (!told)
                fail_msg("allocation %ld failed and was not reported", fail_at);
        }
        assert_true(fail_at > 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_allocation_fails, guest_setup, guest_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
