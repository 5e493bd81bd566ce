/*
 * Measures loading: make BUILD/bench/validate && BUILD/bench/validate [options] FILE.wasm...
 *
 *   --mode=lazy|deferred   what is validated (lazy: all of it)
 *   --threads=N            of the validator
 *   --rounds=N             the best of so many counts (20)
 *
 * A row for each file: milliseconds to load by the wall clock and in processor time of all threads,
 * bytes of code, millions of those a second, bytes that the engine holds for the module.
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

#include "catnap.h"

struct settings {
    catnap_translation_t mode;
    uint32_t threads;
    uint32_t rounds;
};

struct result {
    double wall_ms, cpu_ms; /* the best of all rounds */
    uint64_t code_bytes, held;
};

static double milliseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void keep(void *env, const uint8_t *bytes, size_t length) {
    (void)env;
    (void)bytes;
    (void)length;
}

static bool load_once(wasm_store_t *store, const uint8_t *bytes, size_t length,
                      struct result *result) {
    catnap_module_options_t options = {.release = keep};
    catnap_module_stats_t stats;
    catnap_error_t *error;
    uint64_t before, after;
    catnap_engine_memory(catnap_store_engine(store), &before, NULL);
    double wall = milliseconds(CLOCK_MONOTONIC), cpu = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
    wasm_module_t *module = catnap_module_new(store, bytes, length, &options, &error);
    wall = milliseconds(CLOCK_MONOTONIC) - wall;
    cpu = milliseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (!module) {
        fprintf(stderr, "%s\n", catnap_error_message(error));
        catnap_error_delete(error);
        return false;
    }
    catnap_engine_memory(catnap_store_engine(store), &after, NULL);
    catnap_module_stats(module, &stats);
    if (result->wall_ms == 0 || wall < result->wall_ms)
        result->wall_ms = wall;
    if (result->cpu_ms == 0 || cpu < result->cpu_ms)
        result->cpu_ms = cpu;
    result->code_bytes = stats.code_bytes;
    result->held = after - before;
    wasm_module_delete(module);
    return true;
}

static bool measure(const struct settings *settings, const uint8_t *bytes, size_t length,
                    struct result *result) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_translation(config, settings->mode);
    catnap_config_set_threads(config, settings->threads);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    bool good = store != NULL;
    for (uint32_t i = 0; good && i < settings->rounds; i++)
        good = load_once(store, bytes, length, result);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return good;
}

static bool measure_file(const struct settings *settings, const char *path) {
    struct stat status;
    struct result r = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) {
        perror(path);
        return false;
    }
    size_t length = (size_t)status.st_size;
    void *bytes = mmap(NULL, length, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (bytes == MAP_FAILED || !measure(settings, bytes, length, &r))
        return false;
    munmap(bytes, length);
    printf("%-40s %9.3f ms %9.3f ms cpu %10" PRIu64 " bytes %7.0f MB/s %9" PRIu64 " held\n", path,
           r.wall_ms, r.cpu_ms, r.code_bytes, (double)r.code_bytes / 1e3 / r.cpu_ms, r.held);
    return true;
}

int main(int argc, char **argv) {
    struct settings settings = {CATNAP_TRANSLATION_LAZY, 1, 20};
    bool good = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--mode=deferred") == 0)
            settings.mode = CATNAP_TRANSLATION_DEFERRED;
        else if (strcmp(argv[i], "--mode=lazy") == 0)
            settings.mode = CATNAP_TRANSLATION_LAZY;
        else if (strncmp(argv[i], "--threads=", 10) == 0)
            settings.threads = (uint32_t)strtoul(argv[i] + 10, NULL, 10);
        else if (strncmp(argv[i], "--rounds=", 9) == 0)
            settings.rounds = (uint32_t)strtoul(argv[i] + 9, NULL, 10);
        else
            good &= measure_file(&settings, argv[i]);
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
