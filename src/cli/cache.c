/* catnap cache: looks after the cache of validated modules. */
#include "cache.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "session.h"

/* Relative names are to be ignored, says the specification of base directories. */
char *cache_directory(void) {
    const char *base = getenv("XDG_CACHE_HOME");
    const char *below = "/catnap";
    char *path = NULL;
    if (base == NULL || base[0] != '/') {
        base = getenv("HOME");
        below = "/.cache/catnap";
    }
    if (base != NULL && base[0] == '/' && asprintf(&path, "%s%s", base, below) < 0)
        path = NULL;
    return path;
}

/* ---- Files that guests may write ------------------------------------------------------------- */

static bool is_same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether `above` is the directory or one that it lies in; also when that cannot be told. Directories
 * are known by device and inode, since links and mounts give them other names. */
static bool lies_in(int directory, const struct stat *above) {
    struct stat here = {0}, parent;
    int fd = openat(directory, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool known = fd >= 0 && fstat(fd, &here) == 0, found = known && is_same_file(&here, above);
    while (known && !found) {
        int next = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = next;
        known = fd >= 0 && fstat(fd, &parent) == 0;
        if (known && is_same_file(&parent, &here))
            break; /* the root */
        here = parent;
        found = known && is_same_file(&here, above);
    }
    if (fd >= 0)
        close(fd);
    return found || !known;
}

static int open_path(const char *path, struct stat *status) {
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, status) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Whether a guest's directory, "HOST[::GUEST]", holds the cache, is it, or lies in it. One that cannot
 * be opened is no guest's. */
static bool meets(const char *directory, int cache, const struct stat *cache_status) {
    struct stat status;
    char *host = session_host_path(directory);
    int fd = host != NULL ? open_path(host, &status) : -1;
    bool met = host == NULL;
    if (fd >= 0) {
        met = lies_in(cache, &status) || lies_in(fd, cache_status);
        close(fd);
    }
    free(host);
    return met;
}

/* Entries are sealed against guests; besides, no run uses a cache that its guest may write to. */
static bool is_out_of_reach(const char *directory, const struct option_list *given) {
    struct stat status;
    int fd = open_path(directory, &status);
    bool out_of_reach = fd >= 0;
    for (size_t i = 0; out_of_reach && i < given->count; i++)
        if (strcmp(given->items[i].option->name, "dir-ro") != 0)
            out_of_reach = !meets(given->items[i].value, fd, &status);
    if (fd >= 0)
        close(fd);
    return out_of_reach;
}

catnap_cache_t *cache_open(wasm_engine_t *engine, const struct option_list *directories) {
    catnap_cache_options_t options;
    catnap_error_t *error = NULL;
    catnap_cache_options_default(&options);
    char *directory = cache_directory();
    options.directory = directory;
    options.memory_bytes = 0; /* nothing is loaded twice */
    catnap_cache_t *cache = directory != NULL ? catnap_cache_new(engine, &options, &error) : NULL;
    if (cache != NULL && !is_out_of_reach(directory, directories)) {
        catnap_cache_delete(cache);
        cache = NULL;
    }
    catnap_error_delete(error);
    free(directory);
    return cache;
}

/* ---- Subcommands ----------------------------------------------------------------------------- */

struct listing {
    uint64_t entries, bytes, damaged;
    bool verified;
};

static void print_entry(void *env, const catnap_cache_entry_t *entry) {
    struct listing *listing = env;
    char when[32] = "";
    time_t used = (time_t)entry->used;
    struct tm broken_down;
    if (localtime_r(&used, &broken_down) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &broken_down);
    listing->entries++;
    listing->bytes += entry->file_bytes;
    listing->damaged += entry->damaged;
    const char *state = !entry->damaged ? "" : entry->removed ? " damaged, removed" : " damaged";
    if (listing->verified && !entry->damaged)
        return;
    printf("%s %12" PRIu64 " ", when, entry->file_bytes);
    print_path(stdout, entry->file);
    printf("%s\n", state);
}

static catnap_error_t *list(const char *directory, struct listing *listing) {
    catnap_error_t *error = catnap_cache_list(directory, print_entry, listing);
    if (error != NULL)
        return error;
    printf("%" PRIu64 " modules, %" PRIu64 " bytes in ", listing->entries, listing->bytes);
    print_path(stdout, directory);
    putchar('\n');
    return NULL;
}

static catnap_error_t *verify(const char *directory, struct listing *listing) {
    wasm_engine_t *engine = wasm_engine_new();
    listing->verified = true;
    if (engine == NULL)
        return catnap_error_new(CATNAP_NO_MEMORY, "memory is exhausted");
    catnap_error_t *error = catnap_cache_verify(engine, directory, print_entry, listing);
    if (error == NULL)
        printf("%" PRIu64 " modules, %" PRIu64 " damaged\n", listing->entries, listing->damaged);
    wasm_engine_delete(engine);
    return error;
}

static catnap_error_t *clear(const char *directory, struct listing *listing) {
    catnap_error_t *error = catnap_cache_clear(directory, &listing->entries);
    if (error == NULL)
        printf("%" PRIu64 " modules removed\n", listing->entries);
    return error;
}

static const struct {
    const char *name;
    catnap_error_t *(*run)(const char *directory, struct listing *);
} actions[] = {{"list", list}, {"verify", verify}, {"clear", clear}};

#define ACTION_COUNT (sizeof(actions) / sizeof(*actions))

/* A directory that is not there holds nothing. */
static enum cli_exit act(const struct diag *diag, size_t action, const char *directory) {
    struct listing listing = {0};
    catnap_error_t *error = actions[action].run(directory, &listing);
    if (error == NULL)
        return listing.damaged > 0 && listing.verified ? CLI_EXIT_FAILED : CLI_EXIT_OK;
    if (catnap_error_status(error) != CATNAP_NOT_FOUND)
        return diag_error(diag, directory, error);
    catnap_error_delete(error);
    printf("0 modules\n");
    return CLI_EXIT_OK;
}

static enum cli_exit cache_main(const struct command *self, struct diag *diag, int argc,
                                char **argv) {
    int operands;
    size_t action = 0;
    enum parse_result parsed = options_parse(self, diag, argc, argv, NULL, &operands);
    if (parsed != PARSE_OK)
        return parsed == PARSE_DONE ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    while (operands == 1 && action < ACTION_COUNT && strcmp(argv[0], actions[action].name) != 0)
        action++;
    if (operands != 1 || action == ACTION_COUNT)
        return diag_fail(diag, CLI_EXIT_USAGE, NULL, "cache: expected list, verify or clear");
    char *directory = cache_directory();
    if (directory == NULL)
        return diag_fail(diag, CLI_EXIT_UNREADABLE, NULL,
                         "there is no cache: neither XDG_CACHE_HOME nor HOME is set");
    enum cli_exit code = act(diag, action, directory);
    free(directory);
    return code;
}

static const char *const action_names[] = {"list", "verify", "clear", NULL};

const struct command command_cache = {
    .name = "cache",
    .operands = "list|verify|clear",
    .summary = "list, verify or clear the cache of validated modules",
    .help =
        "Programs that were validated once are kept in $XDG_CACHE_HOME/catnap, or else in\n"
        "~/.cache/catnap, and not validated again. 'list' shows them, 'verify' validates "
        "each\nagain and removes damaged ones (then the exit code is 1), 'clear' removes all.\n",
    .complete = COMPLETE_WORDS,
    .operand_words = action_names,
    .main = cache_main,
};
