/*
 * spec-runner: executes sets of scripts of the official test suite and prints a line for each set.
 *
 * Each script runs in a process of its own, so that a crash or an endless loop of the engine counts
 * as failure of the commands that did not run, and the rest of the set goes on.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catnap.h"
#include "runner.h"

/* The names looked for as PATH/NAME when no set is asked for. */
static const char *const known_sets[] = {"wasm-1.0", "wasm-2.0", "wasm-3.0-legacy", "wasm-3.0"};

/* Sets of features that are off by default. */
static const struct feature_set {
    const char *name;
    catnap_features_t features;
} feature_sets[] = {
    {"wasm-3.0", CATNAP_FEATURE_GC},
    {"proposals/compact-imports", CATNAP_FEATURE_COMPACT_IMPORTS},
    {"proposals/custom-page-sizes", CATNAP_FEATURE_CUSTOM_PAGE_SIZES},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef struct settings {
    spec_options_t options;
    unsigned timeout; /* seconds for a script; 0: none */
    bool verbose;
    bool in_process;
    const char **sets; /* asked for by name */
    size_t set_count;
} settings_t;

typedef struct totals {
    uint64_t passed, failed, skipped, changed, scripts;
} totals_t;

/* A set under way. */
typedef struct set_run {
    const settings_t *settings;
    const char *name;
    const char *script;    /* the path of the script under way */
    spec_counts_t *counts; /* shared with the process that runs the script */
    totals_t totals;
} set_run_t;

/* ---- Files ----------------------------------------------------------------------------------- */

static bool read_all(const char *path, uint8_t **bytes, size_t *size) {
    FILE *file = fopen(path, "rb");
    long length = -1;
    *bytes = NULL;
    *size = 0;
    if (!file) {
        return false;
    }
    if (fseek(file, 0, SEEK_END) == 0) {
        length = ftell(file);
    }
    bool seen = length >= 0 && fseek(file, 0, SEEK_SET) == 0;
    uint8_t *data = seen ? malloc((size_t)length + 1) : NULL;
    if (data && fread(data, 1, (size_t)length, file) != (size_t)length) {
        free(data);
        data = NULL;
    }
    fclose(file);
    if (data) {
        *bytes = data;
        *size = (size_t)length;
    }
    return data != NULL;
}

/* spec_input_t.load: modules lie beside the script, whose path is `env`. */
static bool load_beside(void *env, const char *name, size_t name_size, uint8_t **bytes,
                        size_t *size) {
    const char *script = env;
    const char *slash = strrchr(script, '/');
    char path[PATH_MAX];
    int folder = slash ? (int)(slash - script + 1) : 0;
    int length = snprintf(path, sizeof path, "%.*s%.*s", folder, script, (int)name_size, name);
    return length > 0 && length < (int)sizeof path && !memchr(name, 0, name_size) &&
           read_all(path, bytes, size);
}

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static bool join(char out[PATH_MAX], const char *folder, const char *name) {
    int length = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    return length > 0 && length < PATH_MAX;
}

/* ---- One script ------------------------------------------------------------------------------ */

static void print_failure(void *env, const char *source, uint32_t line, const char *message) {
    const set_run_t *set = env;
    printf("%s/%s:", set->name, last_part(source));
    if (line) {
        printf("%" PRIu32 ":", line);
    }
    char escaped[4096]; /* names in the message are of the script's choice */
    catnap_escape(CATNAP_ESCAPE_TEXT, message, strlen(message), escaped, sizeof escaped);
    printf(" %s\n", escaped);
    fflush(stdout);
}

static spec_options_t options_of(const set_run_t *set) {
    spec_options_t options = set->settings->options;
    options.set_features = true;
    options.features = CATNAP_FEATURES_DEFAULT;
    for (size_t i = 0; i < COUNT(feature_sets); i++) {
        const char *name = feature_sets[i].name;
        if (strcmp(set->name, name) == 0 || strcmp(set->name, last_part(name)) == 0) {
            options.features |= feature_sets[i].features;
        }
    }
    return options;
}

static void run_here(set_run_t *set, char *path) {
    uint8_t *json;
    size_t size;
    if (!read_all(path, &json, &size)) {
        *set->counts = (spec_counts_t){.total = 1, .failed = 1};
        print_failure(set, set->script, 0, "cannot read the script");
        return;
    }
    spec_input_t input = {
        .json = (const char *)json,
        .json_size = size,
        .label = last_part(path),
        .set = set->name,
        .load = load_beside,
        .env = path,
    };
    spec_options_t options = options_of(set);
    spec_run(&input, &options, set->counts, print_failure, set);
    free(json);
}

static uint32_t executed(const spec_counts_t *counts) {
    return counts->passed + counts->failed + counts->skipped;
}

/* A script whose process ended early: what it did not come to has failed. */
static void count_crash(set_run_t *set, int status) {
    spec_counts_t *counts = set->counts;
    char message[100];
    uint32_t missing = counts->total > executed(counts) ? counts->total - executed(counts) : 1;
    counts->failed += missing;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        snprintf(message, sizeof message, "took more than %u seconds", set->settings->timeout);
    } else if (WIFSIGNALED(status)) {
        snprintf(message, sizeof message, "died of signal %d", WTERMSIG(status));
    } else {
        snprintf(message, sizeof message, "ended with status %d", WEXITSTATUS(status));
    }
    size_t used = strlen(message);
    snprintf(message + used, sizeof message - used, "; %" PRIu32 " commands count as failed",
             missing);
    print_failure(set, set->script, counts->line, message);
}

static bool run_apart(set_run_t *set, char *path) {
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) {
        return false;
    }
    if (child == 0) {
        alarm(set->settings->timeout);
        run_here(set, path);
        exit(0); /* not _exit: leak checkers report at exit */
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    if (status != 0) {
        count_crash(set, status);
    }
    return true;
}

static void run_script(set_run_t *set, char *path) {
    memset(set->counts, 0, sizeof *set->counts);
    set->script = path;
    if (set->settings->in_process || !run_apart(set, path)) {
        run_here(set, path);
    }
    const spec_counts_t *counts = set->counts;
    set->totals.scripts++;
    set->totals.passed += counts->passed;
    set->totals.failed += counts->failed;
    set->totals.skipped += counts->skipped;
    set->totals.changed += counts->changed;
    if (set->settings->verbose) {
        printf("  %s: %" PRIu32 " passed, %" PRIu32 " failed, %" PRIu32 " skipped\n", path,
               counts->passed, counts->failed, counts->skipped);
    }
}

/* ---- One set --------------------------------------------------------------------------------- */

static bool ends_in_json(const char *name) {
    size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, ".json") == 0;
}

/* Runs every script in a folder and in the folders within it, in the order of their names. */
static bool run_folder(set_run_t *set, const char *folder) {
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    bool done = count >= 0;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        const char *name = entries[i]->d_name;
        if (name[0] != '.' && join(path, folder, name)) {
            if (is_folder(path)) {
                done = run_folder(set, path) && done;
            } else if (ends_in_json(name)) {
                run_script(set, path);
            }
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    } else {
        fprintf(stderr, "spec-runner: cannot read %s: %s\n", folder, strerror(errno));
    }
    return done;
}

static void print_totals(const char *name, const totals_t *totals) {
    printf("%s: %" PRIu64 " passed, %" PRIu64 " failed, %" PRIu64 " skipped\n", name,
           totals->passed, totals->failed, totals->skipped);
    if (totals->changed) {
        printf("%s: %" PRIu64 " of them executed as later versions of WebAssembly expect\n", name,
               totals->changed);
    }
    fflush(stdout);
}

/* Runs the scripts in a folder, or the one script that `path` is. True when all is well. */
static bool run_set(const settings_t *settings, const char *name, const char *path) {
    set_run_t set = {.settings = settings, .name = name};
    char script[PATH_MAX];
    bool done;
    set.counts =
        mmap(NULL, sizeof *set.counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (set.counts == MAP_FAILED) {
        perror("spec-runner");
        return false;
    }
    if (is_folder(path)) {
        done = run_folder(&set, path);
    } else {
        done = snprintf(script, sizeof script, "%s", path) < (int)sizeof script;
        run_script(&set, script);
    }
    munmap(set.counts, sizeof *set.counts);
    if (set.totals.scripts == 0) {
        fprintf(stderr, "spec-runner: there is no script in %s\n", path);
        return false;
    }
    print_totals(name, &set.totals);
    return done && set.totals.failed == 0;
}

/* ---- Paths ----------------------------------------------------------------------------------- */

static bool run_named_sets(const settings_t *settings, const char *path, size_t *found) {
    bool done = true;
    for (size_t i = 0; i < settings->set_count; i++) {
        char folder[PATH_MAX];
        if (join(folder, path, settings->sets[i]) && is_folder(folder)) {
            done = run_set(settings, settings->sets[i], folder) && done;
            ++*found;
        }
    }
    return done;
}

static bool run_known_sets(const settings_t *settings, const char *path, size_t *found) {
    bool done = true;
    for (size_t i = 0; i < COUNT(known_sets); i++) {
        char folder[PATH_MAX];
        if (join(folder, path, known_sets[i]) && is_folder(folder)) {
            done = run_set(settings, known_sets[i], folder) && done;
            ++*found;
        }
    }
    return done;
}

/* A path is a folder of sets, or else a set itself, called after its last part. */
static bool run_path(const settings_t *settings, const char *path) {
    size_t found = 0;
    bool done = settings->set_count ? run_named_sets(settings, path, &found)
                                    : run_known_sets(settings, path, &found);
    if (found > 0) {
        return done;
    }
    if (settings->set_count) {
        fprintf(stderr, "spec-runner: %s holds none of the sets asked for\n", path);
        return false;
    }
    char *real = realpath(path, NULL);
    if (!real) {
        fprintf(stderr, "spec-runner: cannot read %s: %s\n", path, strerror(errno));
        return false;
    }
    done = run_set(settings, last_part(real), path);
    free(real);
    return done;
}

/* ---- Command line ---------------------------------------------------------------------------- */

static const char usage[] =
    "usage: spec-runner [options] PATH...\n"
    "\n"
    "Executes the official WebAssembly test suite, converted to JSON by wasm-tools'\n"
    "json-from-wast or wabt's wast2json. A PATH holds sets (wasm-1.0, wasm-2.0 ...), or is\n"
    "a set or a single script itself. Exits with 1 on any failure.\n"
    "\n"
    "  --set NAME          only this set of each PATH (may be repeated)\n"
    "  --verbose           a line for each script; names the failures of every set\n"
    "  --timeout SECONDS   for each script; 0: none (default: 120)\n"
    "  --in-process        does not start a process for each script, for debugging\n"
    "  --help\n"
    "\n"
    "How the engine is set up:\n"
    "  --eager             functions are translated when their module is loaded\n"
    "  --deferred          functions are validated at their first call\n"
    "  --explicit-bounds   memory accesses are checked by comparison\n"
    "  --deterministic     NaNs are canonical\n"
    "  --interruptible     code can be interrupted\n"
    "  --fuel-slice N      code counts fuel; each call is stopped and resumed after N units\n"
    "  --round-trip        before each command all instances become a snapshot in bytes, and are\n"
    "                      restored from it; each is executed, rolled back and executed again\n"
    "  --to-module         each action meets an instance of a module made of the instance before;\n"
    "                      not with --round-trip\n";

static bool read_count(const char *text, uint64_t max, uint64_t *out) {
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *out = number;
    return text[0] >= '0' && text[0] <= '9' && !*end && !errno && number <= max;
}

/* Returns the exit status that the command line asks for at once, or -1. */
static int read_options(int argc, char **argv, settings_t *settings) {
    static const struct option options[] = {
        {"set", required_argument, NULL, 's'},
        {"verbose", no_argument, NULL, 'v'},
        {"timeout", required_argument, NULL, 't'},
        {"in-process", no_argument, NULL, 'p'},
        {"eager", no_argument, NULL, 'e'},
        {"explicit-bounds", no_argument, NULL, 'b'},
        {"deterministic", no_argument, NULL, 'N'},
        {"interruptible", no_argument, NULL, 'i'},
        {"fuel-slice", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {"deferred", no_argument, NULL, 'd'},
        {"round-trip", no_argument, NULL, 'r'},
        {"to-module", no_argument, NULL, 'm'},
        {NULL, 0, NULL, 0},
    };
    uint64_t number = 0;
    bool good = true;
    for (int c; good && (c = getopt_long(argc, argv, "vh", options, NULL)) >= 0;) {
        switch (c) {
        case 's':
            settings->sets[settings->set_count++] = optarg;
            break;
        case 'v':
            settings->verbose = true;
            break;
        case 't':
            good = read_count(optarg, UINT_MAX, &number);
            settings->timeout = (unsigned)number;
            break;
        case 'p':
            settings->in_process = true;
            break;
        case 'e':
            settings->options.eager = true;
            break;
        case 'd':
            settings->options.deferred = true;
            break;
        case 'm':
            settings->options.to_module = true;
            break;
        case 'b':
            settings->options.explicit_bounds = true;
            break;
        case 'N':
            settings->options.deterministic = true;
            break;
        case 'i':
            settings->options.interruptible = true;
            break;
        case 'f':
            good = read_count(optarg, UINT64_MAX, &settings->options.fuel_slice) &&
                   settings->options.fuel_slice > 0;
            break;
        case 'r':
            settings->options.round_trip = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            good = false;
            break;
        }
    }
    /* A rollback would keep the instance that the command was executed with, and what it did. */
    good = good && !(settings->options.to_module && settings->options.round_trip);
    if (!good || optind == argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

int main(int argc, char **argv) {
    settings_t settings = {.timeout = 120};
    bool done = true;
    settings.sets = calloc((size_t)argc, sizeof *settings.sets);
    if (!settings.sets) {
        perror("spec-runner");
        return EXIT_FAILED;
    }
    int status = read_options(argc, argv, &settings);
    for (int i = optind; status < 0 && i < argc; i++) {
        done = run_path(&settings, argv[i]) && done;
    }
    free(settings.sets);
    return status >= 0 ? status : done ? EXIT_SUCCESS : EXIT_FAILED;
}
