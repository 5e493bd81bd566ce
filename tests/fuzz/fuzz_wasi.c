/*
 * libFuzzer target: calls of WASI functions with any arguments, below a scratch directory. Built with
 * -fsanitize=fuzzer,address,undefined; the corpus is tests/fuzz/corpus/wasi.
 *
 * Beside the pre-opened directory lies another one, to which links and paths of the guest lead. After each
 * input nothing outside has changed, no descriptor of the guest is open on anything outside, and no byte
 * of the file there has reached the guest's memory. The memory is of exact size, so that the sanitizer
 * sees what leaves it. Nothing waits: whatever asks for the interrupt's descriptor is interrupted.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../temporary.h"
#include "wasi/state.h"

#define MEMORY 16384u
#define STRINGS 8192u /* where they lie in the memory */
#define SECRET_LENGTH 32u
#define LARGEST_FILE (1u << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char base[TEMPORARY_PATH];
static char secret[SECRET_LENGTH + 1]; /* another one in each process, so that no input has it */
static int signalled;                  /* always readable */
static bool asked;

static void require(bool condition) {
    if (!condition)
        abort();
}

static const char *below(const char *path) {
    static char paths[4][TEMPORARY_PATH + 64];
    static unsigned turn;
    char *out = paths[turn++ % 4];
    snprintf(out, sizeof paths[0], "%s/%s", base, path);
    return out;
}

/* ---- Files outside --------------------------------------------------------------------------- */

static const char *const outside[] = {"", "outside", "outside/secret", "outside/dir",
                                      "outside/dir/file"};
#define OUTSIDE (sizeof outside / sizeof *outside)
static struct stat before[OUTSIDE];

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    require(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static size_t entries_of(const char *path) {
    DIR *dir = opendir(path);
    size_t count = 0;
    require(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void check_outside(void) {
    for (size_t i = 0; i < OUTSIDE; i++) {
        struct stat now;
        require(lstat(below(outside[i]), &now) == 0);
        require(now.st_ino == before[i].st_ino && now.st_mode == before[i].st_mode &&
                now.st_nlink == before[i].st_nlink && now.st_uid == before[i].st_uid);
        /* The directory itself is where the tree is made. */
        require(i == 0 || (now.st_size == before[i].st_size &&
                           now.st_mtim.tv_sec == before[i].st_mtim.tv_sec &&
                           now.st_mtim.tv_nsec == before[i].st_mtim.tv_nsec &&
                           now.st_ctim.tv_sec == before[i].st_ctim.tv_sec &&
                           now.st_ctim.tv_nsec == before[i].st_ctim.tv_nsec));
    }
    require(entries_of(base) == 4);             /* ., .., tree, outside */
    require(entries_of(below("outside")) == 4); /* ., .., secret, dir */
    require(entries_of(below("outside/dir")) == 3);
}

static void check_descriptors(const catnap_wasi_t *wasi) {
    for (uint32_t i = 0; i < wasi->fd_count; i++) {
        struct stat now;
        if (wasi->fds[i].kind != WASI_FD_HOST)
            continue;
        require(fstat(wasi->fds[i].host, &now) == 0);
        for (size_t k = 0; k < OUTSIDE; k++)
            require(now.st_dev != before[k].st_dev || now.st_ino != before[k].st_ino);
    }
}

/* ---- The tree -------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_tree(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_tree(void) {
    require(mkdir(below("tree"), 0700) == 0 && mkdir(below("tree/dir"), 0700) == 0);
    write_file(below("tree/file"), "some text");
    write_file(below("tree/dir/file"), "more text");
    require(symlink("../outside", below("tree/out")) == 0);
    require(symlink("..", below("tree/dir/up")) == 0);
    require(symlink("../../outside/secret", below("tree/dir/secret")) == 0);
    require(symlink(below("outside"), below("tree/absolute")) == 0);
}

/* ---- The guest ------------------------------------------------------------------------------- */

static const char *const strings[] = {
    "file",
    "dir",
    "dir/file",
    "new",
    "dir/new",
    ".",
    "..",
    "out",
    "out/secret",
    "out/dir/file",
    "dir/up",
    "dir/up/../outside/secret",
    "dir/secret",
    "absolute/secret",
    "../outside/secret",
    "/etc/passwd",
    "dir/../..",
    "../tree/file",
    "out/new",
    "../new",
    "dir/",
    "file/",
    "a/b/c",
    "",
};
#define STRING_COUNT (sizeof strings / sizeof *strings)
#define STRING_ROOM 32u

static int interrupt_fd(void *env) {
    (void)env;
    asked = true;
    return signalled;
}

static bool interrupted(void *env) {
    (void)env;
    return asked;
}

static struct wasi_guest memory_of(void *env) {
    return ((struct wasi_call *)env)->memory;
}

static const struct wasi_host host = {interrupt_fd, interrupted, memory_of};

struct input {
    const uint8_t *at, *end;
};

static uint64_t take(struct input *in, size_t size) {
    uint64_t value = 0;
    for (; size > 0 && in->at < in->end; size--)
        value = value << 8 | *in->at++;
    return value;
}

/* An argument; a pointer to a string is followed by its length where that is due. */
static uint64_t argument(struct input *in, bool wide, uint64_t *length) {
    static const uint64_t edges[] = {MEMORY,     MEMORY - 1, MEMORY - 8, MEMORY - 24,
                                     0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF};
    uint8_t kind = (uint8_t)take(in, 1);
    if (*length != UINT64_MAX && kind < 192) {
        uint64_t value = *length;
        *length = UINT64_MAX;
        return value;
    }
    *length = UINT64_MAX;
    if (kind < 64)
        return kind % 16; /* descriptors, flags, counts */
    if (kind < 128) {
        size_t i = kind % STRING_COUNT;
        *length = strlen(strings[i]);
        return STRINGS + i * STRING_ROOM;
    }
    if (kind < 192)
        return (uint64_t)(kind - 128) * 64; /* what the input put into the memory, and results */
    if (kind < 224)
        return wide ? (kind & 1 ? UINT64_MAX : WASI_RIGHTS_ALL)
                    : edges[kind % (sizeof edges / sizeof *edges)];
    return take(in, wide ? 8 : 4);
}

static void call_one(struct wasi_call *call, struct input *in) {
    const struct wasi_function *function = &cn_wasi_functions[take(in, 1) % cn_wasi_function_count];
    uint64_t arguments[WASI_MAX_PARAMETERS] = {0}, length = UINT64_MAX;
    for (size_t i = 0; function->signature[i] != ':'; i++)
        arguments[i] = argument(in, function->signature[i] == 'I', &length);
    for (size_t i = 0; function->signature[i] != ':'; i++)
        if (function->signature[i] == 'i')
            arguments[i] = (uint32_t)arguments[i];
    asked = false;
    call->outcome = WASI_RETURN;
    require(function->run(call, arguments) <= WASI_NOTCAPABLE);
}

/* Without a trace for libFuzzer, which would learn the secret from what it is compared with. */
__attribute__((no_sanitize("coverage"))) static bool holds_secret(const uint8_t *memory) {
    for (size_t i = 0, matched = 0; i < MEMORY; i++) {
        matched = memory[i] == (uint8_t)secret[matched] ? matched + 1 : 0;
        if (matched == SECRET_LENGTH)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input in = {bytes, bytes + size};
    uint8_t form = (uint8_t)take(&in, 1), *memory = calloc(1, MEMORY);
    catnap_wasi_t *wasi = catnap_wasi_new();
    require(memory && wasi);
    make_tree();
    catnap_wasi_dir_flags_t flags =
        form & 1 ? CATNAP_WASI_DIR_READ_ONLY : CATNAP_WASI_DIR_READ_WRITE;
    require(!catnap_wasi_preopen_dir(wasi, below("tree"), "/", flags));
    require(!catnap_wasi_add_argument(wasi, "program") &&
            !catnap_wasi_add_environment(wasi, "NAME", "value"));
    wasi->kernel_sandbox = wasi->kernel_sandbox && !(form & 2);
    struct wasi_call call = {
        .wasi = wasi,
        .memory = {memory, MEMORY},
        .layout = form & 4 ? &cn_wasi_layout_unstable : &cn_wasi_layout_preview1,
        .host = &host,
    };
    call.host_env = &call;
    size_t given = (size_t)take(&in, 1) * 2; /* vectors, subscriptions and names of the input's */
    for (size_t i = 0; i < given && in.at < in.end; i++)
        memory[i] = *in.at++;
    for (size_t i = 0; i < STRING_COUNT; i++)
        memcpy(memory + STRINGS + i * STRING_ROOM, strings[i], strlen(strings[i]));
    for (unsigned calls = 0; in.at < in.end && calls < 64; calls++) {
        call_one(&call, &in);
        check_descriptors(wasi);
    }
    catnap_wasi_delete(wasi);
    require(!holds_secret(memory));
    free(memory);
    remove_tree(below("tree"));
    require(mkdir(below("tree"), 0700) == 0); /* counted as an entry */
    check_outside();
    require(rmdir(below("tree")) == 0);
    return 0;
}

static void clean_up(void) {
    remove_tree(base);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const struct rlimit limit = {LARGEST_FILE, LARGEST_FILE};
    int pipes[2];
    (void)argc;
    (void)argv;
    _Static_assert(STRINGS + STRING_COUNT * STRING_ROOM <= MEMORY, "all strings fit");
    setrlimit(RLIMIT_FSIZE, &limit); /* no input fills a disk */
    require(temporary_directory(base, sizeof base) && pipe2(pipes, O_CLOEXEC) == 0);
    require(write(pipes[1], "x", 1) == 1);
    signalled = pipes[0];
    for (size_t i = 0; i < SECRET_LENGTH; i++) {
        uint8_t byte = 0;
        require(getrandom(&byte, 1, 0) == 1);
        secret[i] = i == 0 ? '!' : (char)('a' + byte % 26); /* its beginning comes once */
    }
    require(mkdir(below("outside"), 0700) == 0 && mkdir(below("outside/dir"), 0700) == 0);
    write_file(below("outside/secret"), secret);
    write_file(below("outside/dir/file"), secret);
    for (size_t i = 0; i < OUTSIDE; i++)
        require(lstat(below(outside[i]), &before[i]) == 0);
    require(mkdir(below("tree"), 0700) == 0); /* links of the directory, as they are checked */
    require(lstat(base, &before[0]) == 0 && rmdir(below("tree")) == 0);
    atexit(clean_up);
    return 0;
}
