/*
 * Measures how long modules take to load in each mode, and how many instances a pre-linked module
 * makes in a second.
 *
 * usage: measure [-r ROUNDS] [-n INSTANCES] [-d DIRECTORY] [-s SETTING] FILE.wasm...
 *
 * Prints a line for each file and setting, tabs between: file, setting, processor time and clock time
 * in microseconds (medians of ROUNDS loads), bytes of the file, bytes of code, bytes that the engine
 * holds for the module beside the file. SETTING is one of the names that are printed; without it all
 * are measured. DIRECTORY is for the cache on disk (a new one in /tmp otherwise).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../tests/temporary.h"
#include "catnap.h"

#define MOST_ROUNDS 1000

struct file {
    const char *path;
    const uint8_t *bytes;
    size_t size;
};

/* The options of one load. */
struct setting {
    const char *name;
    catnap_translation_t translation;
    uint32_t threads;
    bool disk, memory, key;
};

static const struct setting settings[] = {
    {"lazy", CATNAP_TRANSLATION_LAZY, 1, false, false, false},
    {"two threads", CATNAP_TRANSLATION_LAZY, 2, false, false, false},
    {"deferred", CATNAP_TRANSLATION_DEFERRED, 1, false, false, false},
    {"eager", CATNAP_TRANSLATION_EAGER, 1, false, false, false},
    {"cache on disk", CATNAP_TRANSLATION_LAZY, 1, true, false, false},
    {"cache by key", CATNAP_TRANSLATION_LAZY, 1, true, false, true},
    {"cache in memory", CATNAP_TRANSLATION_LAZY, 1, true, true, false},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static double now_us(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "measure: %s: %s\n", what, why);
    exit(1);
}

static void check(const char *what, catnap_error_t *error) {
    if (error)
        fail(what, catnap_error_message(error));
}

static struct file map_file(const char *path) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size == 0)
        fail(path, "cannot be read");
    struct file file = {path, NULL, (size_t)status.st_size};
    file.bytes = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    close(fd);
    if (file.bytes == MAP_FAILED)
        fail(path, "cannot be mapped");
    return file;
}

static void keep(void *env, const uint8_t *bytes, size_t length) {
    (void)env;
    (void)bytes;
    (void)length;
}

/* ---- Loading --------------------------------------------------------------------------------- */

struct user {
    wasm_engine_t *engine;
    wasm_store_t *store;
    catnap_cache_t *cache;
    bool by_key;
};

static struct user open_user(const struct setting *setting, const char *directory) {
    wasm_config_t *config = wasm_config_new();
    catnap_error_t *error = NULL;
    catnap_config_set_translation(config, setting->translation);
    catnap_config_set_threads(config, setting->threads);
    struct user user = {.engine = wasm_engine_new_with_config(config), .by_key = setting->key};
    user.store = wasm_store_new(user.engine);
    if (setting->disk) {
        catnap_cache_options_t options = {directory, UINT64_C(1) << 32,
                                          setting->memory ? UINT64_C(1) << 32 : 0};
        user.cache = catnap_cache_new(user.engine, &options, &error);
        check(directory, error);
    }
    return user;
}

static void close_user(struct user *user) {
    catnap_cache_delete(user->cache);
    wasm_store_delete(user->store);
    wasm_engine_delete(user->engine);
}

/* Microseconds of processor and of clock, and what the module is like. */
struct load {
    double cpu, wall;
    uint64_t code_bytes, held;
};

static struct load load_once(const struct user *user, const struct file *file) {
    const catnap_module_options_t options = {.release = keep};
    catnap_error_t *error = NULL;
    catnap_module_stats_t stats;
    uint64_t before, after;
    catnap_engine_memory(user->engine, &before, NULL);
    double wall = now_us(CLOCK_MONOTONIC), start = now_us(CLOCK_PROCESS_CPUTIME_ID);
    wasm_module_t *module =
        user->by_key
            ? catnap_cache_module_by_key(user->cache, user->store, file->path, strlen(file->path),
                                         file->bytes, file->size, &options, &error)
        : user->cache ? catnap_cache_module(user->cache, user->store, file->bytes, file->size,
                                            &options, &error)
                      : catnap_module_new(user->store, file->bytes, file->size, &options, &error);
    struct load load = {.cpu = now_us(CLOCK_PROCESS_CPUTIME_ID) - start,
                        .wall = now_us(CLOCK_MONOTONIC) - wall};
    check(file->path, error);
    catnap_engine_memory(user->engine, &after, NULL);
    catnap_module_stats(module, &stats);
    load.code_bytes = stats.code_bytes;
    load.held = after > before ? after - before : 0;
    wasm_module_delete(module);
    return load;
}

/* The lower bound of a warm start: reading the same bytes from another file and comparing them. */
static struct load compare_once(const struct file *file) {
    static uint8_t chunk[131072];
    double wall = now_us(CLOCK_MONOTONIC), start = now_us(CLOCK_PROCESS_CPUTIME_ID);
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    size_t at = 0;
    for (ssize_t got; fd >= 0 && (got = read(fd, chunk, sizeof chunk)) > 0; at += (size_t)got)
        if (memcmp(chunk, file->bytes + at, (size_t)got) != 0)
            fail(file->path, "has changed");
    close(fd);
    return (struct load){.cpu = now_us(CLOCK_PROCESS_CPUTIME_ID) - start,
                         .wall = now_us(CLOCK_MONOTONIC) - wall};
}

static int compare_times(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static double median(double *times, int count) {
    qsort(times, (size_t)count, sizeof *times, compare_times);
    return times[count / 2];
}

static void print_row(const struct file *file, const char *name, const struct load *loads,
                      int rounds) {
    const char *slash = strrchr(file->path, '/');
    double cpu[MOST_ROUNDS], wall[MOST_ROUNDS];
    for (int i = 0; i < rounds; i++) {
        cpu[i] = loads[i].cpu;
        wall[i] = loads[i].wall;
    }
    printf("%s\t%s\t%.1f\t%.1f\t%zu\t%" PRIu64 "\t%" PRIu64 "\n", slash ? slash + 1 : file->path,
           name, median(cpu, rounds), median(wall, rounds), file->size, loads[0].code_bytes,
           loads[0].held);
}

static void measure_setting(const struct file *file, const struct setting *setting, int rounds,
                            const char *directory) {
    struct load loads[MOST_ROUNDS];
    struct user user = open_user(setting, directory);
    load_once(&user, file); /* fills the cache */
    for (int i = 0; i < rounds; i++)
        loads[i] = load_once(&user, file);
    close_user(&user);
    print_row(file, setting->name, loads, rounds);
}

#define COMPARISON "read and compare"

static void measure_file(const struct file *file, int rounds, const char *directory,
                         const char *only) {
    struct load loads[MOST_ROUNDS];
    for (size_t s = 0; s < COUNT(settings); s++)
        if (!only || strcmp(only, settings[s].name) == 0)
            measure_setting(file, &settings[s], rounds, directory);
    if (only && strcmp(only, COMPARISON) != 0)
        return;
    for (int i = 0; i < rounds; i++)
        loads[i] = compare_once(file);
    print_row(file, COMPARISON, loads, rounds);
}

/* ---- Instances ------------------------------------------------------------------------------- */

#define DATA_BYTES (1u << 20)

/* (module (memory 16) (data (i32.const 0) one MiB) (func (export "f") i32.store to four pages)) */
static const uint8_t before_data[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00,
    0x03, 0x02, 0x01, 0x00, 0x05, 0x03, 0x01, 0x00, 0x10, 0x07, 0x05, 0x01, 0x01, 0x66,
    0x00, 0x00, 0x0a, 0x26, 0x01, 0x24, 0x00, 0x41, 0x00, 0x41, 0x01, 0x36, 0x02, 0x00,
    0x41, 0x80, 0x80, 0x04, 0x41, 0x01, 0x36, 0x02, 0x00, 0x41, 0x80, 0x80, 0x08, 0x41,
    0x01, 0x36, 0x02, 0x00, 0x41, 0x80, 0x80, 0x3c, 0x41, 0x01, 0x36, 0x02, 0x00, 0x0b,
    0x0b, 0x88, 0x80, 0x40, 0x01, 0x00, 0x41, 0x00, 0x0b, 0x80, 0x80, 0x40};

static long resident_kib(void) {
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void make_instance(catnap_prelinked_t *prelinked) {
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_instance_t *instance = catnap_prelinked_instantiate(prelinked, &error, &trap);
    check("instance", error);
    wasm_func_t *func = wasm_extern_as_func(catnap_instance_export(instance, "f", 1));
    if (trap || catnap_func_call(func, NULL, 0, NULL, 0))
        fail("instance", "trapped");
    wasm_func_delete(func);
    check("instance", catnap_instance_recycle(instance));
}

static void measure_instances(long count) {
    size_t size = sizeof before_data + DATA_BYTES;
    uint8_t *bytes = malloc(size);
    if (!bytes)
        fail("instances", "no memory");
    memcpy(bytes, before_data, sizeof before_data);
    memset(bytes + sizeof before_data, 0x5a, DATA_BYTES);
    struct user user = open_user(&settings[0], NULL);
    catnap_error_t *error;
    wasm_module_t *module = catnap_module_new(user.store, bytes, size, NULL, &error);
    check("instances", error);
    free(bytes);
    catnap_prelinked_t *prelinked = catnap_prelinked_new(user.store, module, NULL, &error);
    check("instances", error);
    make_instance(prelinked);
    long before = resident_kib();
    double start = now_us(CLOCK_PROCESS_CPUTIME_ID);
    for (long i = 0; i < count; i++)
        make_instance(prelinked);
    double time = now_us(CLOCK_PROCESS_CPUTIME_ID) - start;
    printf("%ld instances of 1 MiB, 4 pages written: %.0f a second, %.2f us each; resident %ld "
           "KiB before, %ld KiB after\n",
           count, (double)count / time * 1e6, time / (double)count, before, resident_kib());
    catnap_prelinked_delete(prelinked);
    wasm_module_delete(module);
    close_user(&user);
}

int main(int argc, char **argv) {
    char made[TEMPORARY_PATH];
    const char *directory = NULL, *only = NULL;
    int rounds = 9, option;
    long instances = 0;
    while ((option = getopt(argc, argv, "r:n:d:s:")) != -1) {
        if (option == 'r')
            rounds = atoi(optarg);
        else if (option == 'n')
            instances = atol(optarg);
        else if (option == 'd')
            directory = optarg;
        else if (option == 's')
            only = optarg;
        else
            return 2;
    }
    if (rounds < 1 || rounds > MOST_ROUNDS)
        fail("-r", "1 to 1000 rounds");
    bool own = !directory;
    if (own && !temporary_directory(made, sizeof made))
        fail("a temporary directory", "cannot be made");
    if (own)
        directory = made;
    for (int i = optind; i < argc; i++) {
        struct file file = map_file(argv[i]);
        measure_file(&file, rounds, directory, only);
        munmap((void *)(uintptr_t)file.bytes, file.size);
    }
    if (instances > 0)
        measure_instances(instances);
    if (own) {
        check(directory, catnap_cache_clear(directory, NULL));
        rmdir(directory);
    }
    return 0;
}
