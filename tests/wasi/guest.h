/*
 * A guest without an engine: a memory, a WASI state with a pre-opened directory, and calls that go
 * straight to the handlers. Every test file of this directory is a program of its own.
 */
#ifndef TESTS_WASI_GUEST_H
#define TESTS_WASI_GUEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../support/errors.h"
#include "../temporary.h"
#include "catnap.h"
#include "wasi/state.h"

#define GUEST_MEMORY 65536u

struct guest {
    catnap_wasi_t *wasi;
    struct wasi_call call;
    uint8_t *memory;           /* malloc()ed to size, so that a sanitizer sees what leaves it */
    uint32_t next;             /* where the next string goes */
    char base[TEMPORARY_PATH]; /* a temporary directory; base/tree is the pre-open, descriptor 3 */
    char root[TEMPORARY_PATH + 8];
    int interrupts[2]; /* a pipe: written to interrupt */
    _Atomic bool interrupted;
    unsigned late_signals; /* that come after the descriptor was cleared, and interrupt nothing */
};

/* Calls a handler: CALL(guest, fd_close, 3). */
#define CALL(guest, name, ...)                                                                     \
    (guest_reset(guest), cn_wasi_##name(&(guest)->call, (const uint64_t[]){__VA_ARGS__}))
/* A string as pointer and length, two arguments. */
#define STR(guest, text) guest_put((guest), (text), strlen(text)), strlen(text)

#define assert_wasi(expected, got) assert_int_equal(expected, got)

/* Clears what was signalled without an interrupt, as catnap_caller_interrupt_fd() does. */
static inline int guest_interrupt_fd(void *env) {
    struct guest *g = env;
    char byte;
    while (!g->interrupted && read(g->interrupts[0], &byte, 1) == 1)
        continue;
    if (g->late_signals > 0) {
        g->late_signals--;
        assert_int_equal(1, write(g->interrupts[1], "x", 1));
    }
    return g->interrupts[0];
}

static inline bool guest_interrupted(void *env) {
    return ((struct guest *)env)->interrupted;
}

/* A callback of a test may have made it smaller. */
static inline struct wasi_guest guest_memory(void *env) {
    return ((struct guest *)env)->call.memory;
}

static const struct wasi_host guest_host = {guest_interrupt_fd, guest_interrupted, guest_memory};

static inline void guest_reset(struct guest *g) {
    g->call.outcome = WASI_RETURN;
    g->next = 1024; /* what lies below is for results */
}

static inline uint32_t guest_put(struct guest *g, const void *bytes, size_t size) {
    uint32_t at = g->next;
    assert_true(at + size <= GUEST_MEMORY);
    if (size)
        memcpy(g->memory + at, bytes, size);
    g->next += (uint32_t)(size + 7) & ~7u;
    return at;
}

static inline uint16_t guest_u16(const struct guest *g, uint32_t at) {
    return cn_get_u16(g->memory + at);
}

static inline uint32_t guest_u32(const struct guest *g, uint32_t at) {
    return cn_get_u32(g->memory + at);
}

static inline uint64_t guest_u64(const struct guest *g, uint32_t at) {
    return cn_get_u64(g->memory + at);
}

/* Checks that something was refused, and for that reason. */
static inline void assert_status(catnap_status_t status, catnap_error_t *error) {
    assert_non_null(error);
    assert_int_equal(status, catnap_error_status(error));
    catnap_error_delete(error);
}

/* A new WASI state on the same directory and memory. */
static inline void guest_new_state(struct guest *g, catnap_wasi_dir_flags_t flags) {
    catnap_wasi_delete(g->wasi);
    g->wasi = catnap_wasi_new();
    assert_non_null(g->wasi);
    assert_no_error(catnap_wasi_preopen_dir(g->wasi, g->root, "/", flags));
    g->call.wasi = g->wasi;
}

static inline void guest_make(struct guest *g, catnap_wasi_dir_flags_t flags) {
    memset(g, 0, sizeof *g);
    assert_true(temporary_directory(g->base, sizeof g->base));
    snprintf(g->root, sizeof g->root, "%s/tree", g->base);
    assert_int_equal(0, mkdir(g->root, 0777));
    assert_int_equal(0, pipe2(g->interrupts, O_CLOEXEC | O_NONBLOCK));
    g->memory = calloc(1, GUEST_MEMORY);
    g->call = (struct wasi_call){.memory = {g->memory, GUEST_MEMORY},
                                 .layout = &cn_wasi_layout_preview1,
                                 .host = &guest_host,
                                 .host_env = g};
    guest_new_state(g, flags);
    guest_reset(g);
}

static inline void guest_free(struct guest *g) {
    char command[2 * TEMPORARY_PATH + 32];

    catnap_wasi_delete(g->wasi);
    free(g->memory);
    close(g->interrupts[0]);
    close(g->interrupts[1]);
    snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", g->base, g->base);
    assert_int_equal(0, system(command));
}

/* As setup and teardown of a test: *state is a guest with everything allowed. */
static inline int guest_setup(void **state) {
    struct guest *g = malloc(sizeof *g);
    guest_make(g, CATNAP_WASI_DIR_READ_WRITE);
    *state = g;
    return 0;
}

static inline int guest_setup_read_only(void **state) {
    struct guest *g = malloc(sizeof *g);
    guest_make(g, CATNAP_WASI_DIR_READ_ONLY);
    *state = g;
    return 0;
}

static inline int guest_teardown(void **state) {
    guest_free(*state);
    free(*state);
    return 0;
}

/* A path below the temporary directory; good until four calls later. */
static inline const char *guest_host_path(const struct guest *g, const char *path) {
    static char paths[4][512];
    static int turn;
    char *out = paths[turn++ % 4];
    snprintf(out, sizeof paths[0], "%s/%s", g->base, path);
    return out;
}

static inline void guest_write_file(const struct guest *g, const char *path, const char *text) {
    FILE *file = fopen(guest_host_path(g, path), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline void guest_mkdir(const struct guest *g, const char *path) {
    assert_int_equal(0, mkdir(guest_host_path(g, path), 0777));
}

static inline void guest_symlink(const struct guest *g, const char *target, const char *path) {
    assert_int_equal(0, symlink(target, guest_host_path(g, path)));
}

static inline bool guest_exists(const struct guest *g, const char *path) {
    struct stat st;
    return lstat(guest_host_path(g, path), &st) == 0;
}

#define RIGHTS_READ                                                                                \
    (WASI_RIGHT_FD_READ | WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_TELL | WASI_RIGHT_FD_FILESTAT_GET |   \
     WASI_RIGHT_FD_FDSTAT_SET_FLAGS | WASI_RIGHT_POLL_FD_READWRITE | WASI_RIGHT_FD_READDIR |       \
     WASI_RIGHT_FD_FILESTAT_SET_TIMES | WASI_RIGHT_FD_ADVISE)
#define RIGHTS_WRITE                                                                               \
    (WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_ALLOCATE | WASI_RIGHT_FD_FILESTAT_SET_SIZE |              \
     WASI_RIGHT_FD_SYNC | WASI_RIGHT_FD_DATASYNC)

/* path_open below descriptor 3; the number lands in *fd. */
static inline uint16_t guest_open(struct guest *g, const char *path, bool follow, uint32_t oflags,
                                  uint64_t rights, uint32_t fdflags, uint32_t *fd) {
    uint16_t error = CALL(g, path_open, 3, follow ? WASI_LOOKUP_SYMLINK_FOLLOW : 0, STR(g, path),
                          oflags, rights, WASI_RIGHTS_ALL, fdflags, 0);
    *fd = error ? UINT32_MAX : guest_u32(g, 0);
    return error;
}

static inline uint32_t guest_must_open(struct guest *g, const char *path, uint32_t oflags,
                                       uint64_t rights) {
    uint32_t fd;
    assert_wasi(WASI_SUCCESS, guest_open(g, path, true, oflags, rights, 0, &fd));
    return fd;
}

/* One iovec in memory; gives its address. */
static inline uint32_t guest_iovec(struct guest *g, uint32_t buffer, uint32_t length) {
    uint8_t bytes[WASI_IOVEC_SIZE];
    cn_put_u32(bytes, buffer);
    cn_put_u32(bytes + 4, length);
    return guest_put(g, bytes, sizeof bytes);
}

static inline uint16_t guest_write(struct guest *g, uint32_t fd, const char *text) {
    guest_reset(g);
    uint32_t buffer = guest_put(g, text, strlen(text));
    uint32_t vector = guest_iovec(g, buffer, (uint32_t)strlen(text));
    const uint64_t arguments[] = {fd, vector, 1, 0};
    return cn_wasi_fd_write(&g->call, arguments);
}

/* Reads up to `size` bytes into memory at 2048; their number lands at 0. */
static inline uint16_t guest_read(struct guest *g, uint32_t fd, uint32_t size) {
    guest_reset(g);
    memset(g->memory + 2048, 0, size + 1);
    uint32_t vector = guest_iovec(g, 2048, size);
    const uint64_t arguments[] = {fd, vector, 1, 0};
    return cn_wasi_fd_read(&g->call, arguments);
}

static inline const char *guest_text(const struct guest *g) {
    return (const char *)g->memory + 2048;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)

/* A thread that interrupts the guest's waiting. */
static inline void *interrupt_soon(void *env) {
    struct guest *g = env;
    usleep(20000);
    g->interrupted = true;
    if (write(g->interrupts[1], "x", 1) != 1)
        abort();
    return NULL;
}

static inline uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

#endif
