#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "keep.h"
#include "listen.h"
#include "load.h"

/* A guest's exit code is what its parent process can see of it. */
#define EXIT_CODE_MASK 0xff

void run_settings_free(struct run_settings *settings) {
    option_list_free(&settings->directories);
    option_list_free(&settings->sockets);
    option_list_free(&settings->environment);
    option_list_free(&settings->preloads);
    option_list_free(&settings->arguments);
}

bool session_end(struct session *session, int exit_code) {
    session->exit_code = exit_code;
    return false;
}

static bool end_with_error(struct session *session, const char *subject, catnap_error_t *error) {
    return session_end(session, diag_error(session->diag, subject, error));
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- Engine and store ------------------------------------------------------------------------ */

static uint32_t at_most_u32(const struct option_number *number) {
    return number->value < UINT32_MAX ? (uint32_t)number->value : UINT32_MAX;
}

static wasm_engine_t *make_engine(const struct run_settings *settings) {
    wasm_config_t *config = wasm_config_new();
    if (config == NULL)
        return NULL;
    if (settings->eager)
        catnap_config_set_translation(config, CATNAP_TRANSLATION_EAGER);
    if (settings->deferred)
        catnap_config_set_translation(config, CATNAP_TRANSLATION_DEFERRED);
    if (settings->threads.given)
        catnap_config_set_threads(config, at_most_u32(&settings->threads));
    if (settings->max_engine_memory.given)
        catnap_config_set_memory_limit(config, settings->max_engine_memory.value);
    if (settings->bounds_checks == 2)
        catnap_config_set_bounds_checks(config, CATNAP_BOUNDS_EXPLICIT);
    catnap_config_set_fuel(config,
                           settings->same_checks ? settings->checks_fuel : settings->fuel.given);
    catnap_config_set_profile_ops(config, settings->profile_ops);
    if (settings->features.given)
        catnap_config_set_features(config, settings->features.value);
    catnap_config_set_deterministic(config, settings->deterministic);
    catnap_config_set_interruptible(
        config, settings->same_checks ? settings->checks_interruption
                                      : settings->timeout.given || keep_wanted(settings) ||
                                            settings->max_threads.given);
    return wasm_engine_new_with_config(config);
}

/* The value stack grows with the depth that is asked for, unless its size is given too. */
static uint64_t stack_for_depth(const catnap_limits_t *limits, uint64_t depth) {
    uint64_t bytes;
    if (__builtin_mul_overflow(depth, limits->value_stack_bytes / limits->call_depth + 1, &bytes))
        bytes = UINT64_MAX;
    return bytes > limits->value_stack_bytes ? bytes : limits->value_stack_bytes;
}

static void set_limits(wasm_store_t *store, const struct run_settings *settings) {
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    if (settings->max_memory.given)
        limits.memory_bytes = settings->max_memory.value;
    if (settings->max_table_elements.given)
        limits.table_elements = settings->max_table_elements.value;
    if (settings->max_heap.given)
        limits.heap_bytes = settings->max_heap.value;
    if (settings->max_depth.given) {
        uint64_t depth = settings->max_depth.value;
        limits.value_stack_bytes = stack_for_depth(&limits, depth);
        limits.call_depth = depth < UINT32_MAX ? (uint32_t)depth : UINT32_MAX;
    }
    if (settings->max_stack.given)
        limits.value_stack_bytes = settings->max_stack.value;
    catnap_store_set_limits(store, &limits);
}

bool session_begin(struct session *session, const struct diag *diag,
                   const struct run_settings *settings, const char *path) {
    *session = (struct session){
        .diag = diag, .settings = settings, .keep_call = "", .output_directory = -1};
    if (!settings->timeout.given ||
        deadline_start(&session->deadline, diag, display_name(path), settings->timeout.value))
        return true;
    return session_end(session, diag_no_memory(diag));
}

/* Opens the directory of -o, and names the file by it: a guest that may write above that directory can put
 * a link in its place. Without /proc there is no such name. */
static bool open_output(struct session *session) {
    const char *path = session->settings->output, *slash = path != NULL ? strrchr(path, '/') : NULL;
    session->output = path;
    if (slash == NULL)
        return true;
    char *directory = strndup(path, (size_t)(slash - path) + 1);
    if (directory == NULL)
        return session_end(session, diag_no_memory(session->diag));
    session->output_directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (session->output_directory < 0)
        return session_end(session,
                           diag_fail(session->diag, CLI_EXIT_IO, path, "%s", strerror(errno)));
    if (access("/proc/self/fd", X_OK) != 0)
        return true;
    if (asprintf(&session->output_path, "/proc/self/fd/%d/%s", session->output_directory,
                 slash + 1) < 0) {
        session->output_path = NULL;
        return session_end(session, diag_no_memory(session->diag));
    }
    session->output = session->output_path;
    return true;
}

bool session_open(struct session *session) {
    const struct diag *diag = session->diag;
    const struct run_settings *settings = session->settings;
    session->engine = make_engine(settings);
    if (session->engine != NULL)
        session->store = wasm_store_new(session->engine);
    session->loaded = calloc(settings->preloads.count + 1, sizeof(*session->loaded));
    session->sockets = calloc(settings->sockets.count + 1, sizeof(*session->sockets));
    if (session->store == NULL || session->loaded == NULL || session->sockets == NULL)
        return session_end(session, diag_no_memory(diag));
    set_limits(session->store, settings);
    if (!open_output(session))
        return false;
    if (!settings->no_cache && !settings->deferred) /* which asks for less than the cache costs */
        session->cache = cache_open(session->engine, &settings->directories);
    if (settings->fuel.given && !settings->same_checks) {
        catnap_error_t *error = catnap_store_set_fuel(session->store, settings->fuel.value);
        if (error != NULL)
            return end_with_error(session, NULL, error);
    }
    return true;
}

int session_close(struct session *session) {
    deadline_settle(&session->deadline);
    int code = (int)diag_finish_output(session->diag, (enum cli_exit)session->exit_code);
    deadline_stop(&session->deadline);
    for (size_t i = 0; i < session->loaded_count; i++) {
        wasm_instance_delete(session->loaded[i].instance);
        wasm_module_delete(session->loaded[i].module);
    }
    free(session->loaded);
    catnap_linker_delete(session->linker);
    catnap_cache_delete(session->cache);
    wasm_store_delete(session->store);
    catnap_wasi_delete(session->wasi);
    while (session->socket_count > 0)
        close(session->sockets[--session->socket_count]);
    free(session->sockets);
    free(session->output_path);
    if (session->output_directory >= 0)
        close(session->output_directory);
    wasm_engine_delete(session->engine);
    return code;
}

/* ---- WASI ------------------------------------------------------------------------------------ */

/* "HOST[::GUEST]"; the guest sees the host's name when it has no other. */
const char *session_guest_path(const char *directory) {
    const char *separator = strstr(directory, "::");
    return separator != NULL ? separator + 2 : directory;
}

char *session_host_path(const char *directory) {
    const char *separator = strstr(directory, "::");
    return strndup(directory,
                   separator != NULL ? (size_t)(separator - directory) : strlen(directory));
}

static bool add_directory(struct session *session, const struct option_list_item *item) {
    const char *guest = session_guest_path(item->value);
    char *host = session_host_path(item->value);
    if (host == NULL)
        return session_end(session, diag_no_memory(session->diag));
    if (host[0] == '\0' || *guest == '\0') {
        free(host);
        return session_end(session, diag_fail(session->diag, CLI_EXIT_USAGE, NULL,
                                              "--%s: expected HOST or HOST::GUEST, not '%s'",
                                              item->option->name, item->value));
    }
    catnap_wasi_dir_flags_t flags = strcmp(item->option->name, "dir-ro") == 0
                                        ? CATNAP_WASI_DIR_READ_ONLY
                                        : CATNAP_WASI_DIR_READ_WRITE;
    catnap_error_t *error = catnap_wasi_preopen_dir(session->wasi, host, guest, flags);
    if (error != NULL)
        end_with_error(session, host, error);
    free(host);
    return error == NULL;
}

/* "HOST:PORT", or as another engine's users write it, "-S tcplisten=HOST:PORT". */
static bool add_socket(struct session *session, const struct option_list_item *item) {
    static const char word[] = "tcplisten=";
    const char *address = item->value, *option = "--tcplisten";
    int *fd = &session->sockets[session->socket_count];
    if (item->option->letter == 'S') {
        if (strncmp(address, word, strlen(word)) != 0)
            return session_end(session,
                               diag_fail(session->diag, CLI_EXIT_USAGE, NULL,
                                         "-S: expected tcplisten=HOST:PORT, not '%s'", address));
        address += strlen(word);
        option = "-S tcplisten";
    }
    enum cli_exit code = listen_on(session->diag, option, address, fd);
    if (code != CLI_EXIT_OK)
        return session_end(session, code);
    session->socket_count++;
    catnap_error_t *error = catnap_wasi_preopen_socket(session->wasi, *fd);
    return error == NULL || end_with_error(session, address, error);
}

/* The length of the name in "NAME[=VALUE]". */
static size_t name_length(const char *variable) {
    return strcspn(variable, "=");
}

static bool is_overridden(const struct option_list *list, size_t index) {
    const char *name = list->items[index].value;
    size_t length = name_length(name);
    for (size_t i = index + 1; i < list->count; i++)
        if (name_length(list->items[i].value) == length &&
            memcmp(list->items[i].value, name, length) == 0)
            return true;
    return false;
}

/* "NAME=VALUE", or "NAME" for the value that it has here, if any. */
static bool add_variable(struct session *session, const char *variable) {
    size_t length = name_length(variable);
    if (length == 0)
        return session_end(session,
                           diag_fail(session->diag, CLI_EXIT_USAGE, NULL,
                                     "--env: expected NAME or NAME=VALUE, not '%s'", variable));
    char *name = strndup(variable, length);
    if (name == NULL)
        return session_end(session, diag_no_memory(session->diag));
    const char *value = variable[length] == '=' ? variable + length + 1 : getenv(name);
    catnap_error_t *error =
        value != NULL ? catnap_wasi_add_environment(session->wasi, name, value) : NULL;
    free(name);
    return error == NULL || end_with_error(session, variable, error);
}

static bool add_arguments(struct session *session, const char *path, int argc, char **argv) {
    const char *slash = strrchr(path, '/');
    const char *argv0 = session->settings->argv0;
    if (argv0 == NULL)
        argv0 = slash != NULL ? slash + 1 : path;
    const struct option_list *own = &session->settings->arguments;
    catnap_error_t *error = catnap_wasi_add_argument(session->wasi, argv0);
    for (size_t i = 0; i < own->count && error == NULL; i++)
        error = catnap_wasi_add_argument(session->wasi, own->items[i].value);
    for (int i = 0; i < argc && error == NULL && own->count == 0; i++)
        error = catnap_wasi_add_argument(session->wasi, argv[i]);
    return error == NULL || end_with_error(session, NULL, error);
}

bool session_add_directories(struct session *session) {
    const struct option_list *directories = &session->settings->directories;
    for (size_t i = 0; i < directories->count; i++)
        if (!add_directory(session, &directories->items[i]))
            return false;
    return true;
}

static bool configure_wasi(struct session *session, const char *path, int argc, char **argv) {
    const struct run_settings *settings = session->settings;
    if (!session_add_directories(session))
        return false;
    /* Behind the directories, which guests look for until a descriptor is none. */
    for (size_t i = 0; i < settings->sockets.count; i++)
        if (!add_socket(session, &settings->sockets.items[i]))
            return false;
    for (size_t i = 0; i < settings->environment.count; i++)
        if (!is_overridden(&settings->environment, i) &&
            !add_variable(session, settings->environment.items[i].value))
            return false;
    return add_arguments(session, path, argc, argv);
}

bool session_make_wasi(struct session *session) {
    catnap_error_t *error = NULL;
    /* A guest that writes into a closed pipe gets EPIPE, as it would from any other engine. */
    signal(SIGPIPE, SIG_IGN);
    session->wasi = catnap_wasi_new();
    session->linker = catnap_linker_new(session->store);
    if (session->wasi == NULL || session->linker == NULL)
        return session_end(session, diag_no_memory(session->diag));
    /* Where there is no standard output, what a guest writes is dropped, as it is unless told. */
    for (int stream = 0; stream <= 2 && error == NULL; stream++)
        if (stream != STDOUT_FILENO || !session->diag->no_output)
            error = catnap_wasi_set_stdio_fd(session->wasi, stream, stream);
    return error == NULL || end_with_error(session, NULL, error);
}

bool session_open_wasi(struct session *session, const char *path, int argc, char **argv) {
    if (!session_make_wasi(session) || !configure_wasi(session, path, argc, argv))
        return false;
    if (session->settings->unknown_imports != 0)
        catnap_linker_trap_unknown_imports(session->linker, true);
    catnap_error_t *error = catnap_linker_define_wasi(session->linker, session->wasi);
    return error == NULL || end_with_error(session, NULL, error);
}

/* ---- Modules and calls ----------------------------------------------------------------------- */

static uint64_t cache_hits(const struct session *session) {
    catnap_cache_stats_t stats = {0};
    if (session->cache != NULL)
        catnap_cache_stats(session->cache, &stats);
    return stats.memory_hits + stats.disk_hits;
}

bool session_load(struct session *session, const char *path, struct loaded **out) {
    struct loaded *loaded = &session->loaded[session->loaded_count];
    uint64_t hits = cache_hits(session);
    struct bytes bytes;
    *loaded = (struct loaded){.path = path};
    *out = loaded;
    enum cli_exit code =
        load_module(session->diag, session->store, session->cache, path, &loaded->module, &bytes);
    if (code != CLI_EXIT_OK)
        return session_end(session, code);
    loaded->cached = cache_hits(session) > hits;
    session->loaded_count++;
    return true;
}

/* The message of a trap: the library's, but where an option set the bound, what that was. */
static enum cli_exit report_trap(const struct session *session, const char *path,
                                 const wasm_trap_t *trap) {
    struct diag_detail detail = {.subject = display_name(path), .trap = trap};
    wasm_message_t message;
    char text[100];
    bool alone = session->store && !session->settings->max_threads.given;
    uint64_t left = alone ? catnap_store_fuel(session->store) : 0;
    switch (catnap_trap_code(trap)) {
    case CATNAP_TRAP_OUT_OF_FUEL:
        snprintf(text, sizeof(text),
                 left ? "%" PRIu64
                        " units are used up, and the next instruction costs more than one"
                      : "%" PRIu64 " units are used up",
                 session->settings->fuel.value - left);
        return diag_report(session->diag, CLI_EXIT_FUEL, &detail, text);
    case CATNAP_TRAP_INTERRUPTED:
        snprintf(text, sizeof(text), "stopped after %g seconds",
                 (double)session->settings->timeout.value / 1e9);
        return diag_report(session->diag, CLI_EXIT_TIMEOUT, &detail, text);
    default:
        break;
    }
    enum cli_exit code = catnap_trap_code(trap) == CATNAP_TRAP_NO_MEMORY ? CLI_EXIT_NO_MEMORY
                         : catnap_trap_code(trap) == CATNAP_TRAP_LIMIT   ? CLI_EXIT_LIMIT
                                                                         : CLI_EXIT_TRAP;
    wasm_trap_message(trap, &message);
    diag_report(session->diag, code, &detail, message.data != NULL ? message.data : "");
    wasm_byte_vec_delete(&message);
    return code;
}

bool session_trap(struct session *session, const char *path, WASM_OWN wasm_trap_t *trap) {
    int32_t status;
    deadline_settle(&session->deadline);
    session->exited = catnap_trap_exit_status(trap, &status);
    if (session->exited)
        session_end(session, (int)((uint32_t)status & EXIT_CODE_MASK));
    else
        session_end(session, report_trap(session, path, trap));
    wasm_trap_delete(trap);
    return false;
}

static bool end_by_timeout(struct session *session) {
    deadline_settle(&session->deadline);
    return session_end(session, deadline_report(&session->deadline));
}

/* For the time between two calls, when there is no call to interrupt. */
bool session_arm(struct session *session) {
    return deadline_arm(&session->deadline, session->store) || end_by_timeout(session);
}

/* The linker of a thread does what the first one's does. */
static catnap_error_t *define_for_thread(void *env, catnap_linker_t *linker) {
    const struct session *session = env;
    catnap_linker_trap_unknown_imports(linker, session->settings->unknown_imports != 0);
    return NULL;
}

bool session_allow_threads(struct session *session, const struct loaded *program) {
    const struct option_number *most = &session->settings->max_threads;
    if (!most->given)
        return true;
    catnap_wasi_threads_t threads = {at_most_u32(most), define_for_thread, session};
    catnap_error_t *error = catnap_linker_define_wasi_threads(session->linker, session->wasi,
                                                              program->module, &threads);
    return error == NULL || end_with_error(session, display_name(program->path), error);
}

static bool is_name(const wasm_name_t *name, const char *text) {
    return name->size == strlen(text) && memcmp(name->data, text, name->size) == 0;
}

/* A program that was refused since it may start no threads. */
static void hint_at_threads(const struct session *session, const struct loaded *loaded) {
    wasm_importtype_vec_t imports;
    if (session->settings->max_threads.given)
        return;
    wasm_module_imports(loaded->module, &imports);
    for (size_t i = 0; i < imports.size; i++)
        if (is_name(wasm_importtype_module(imports.data[i]), "wasi") &&
            is_name(wasm_importtype_name(imports.data[i]), "thread-spawn")) {
            diag_hint(session->diag, "This program has threads: allow some with --max-threads N.");
            break;
        }
    wasm_importtype_vec_delete(&imports);
}

bool session_instantiate(struct session *session, struct loaded *loaded) {
    catnap_error_t *error = NULL;
    wasm_trap_t *trap = NULL;
    if (!session_arm(session))
        return false;
    uint64_t start = now_ns();
    loaded->instance = catnap_linker_instantiate(session->linker, loaded->module, &error, &trap);
    deadline_disarm(&session->deadline);
    session->instantiate_ns += now_ns() - start;
    if (loaded->instance != NULL)
        return true;
    if (catnap_error_status(error) == CATNAP_INTERRUPTED) {
        catnap_error_delete(error);
        return end_by_timeout(session);
    }
    if (trap != NULL)
        return session_trap(session, loaded->path, catnap_wasi_end_threads(session->wasi, trap));
    bool link = catnap_error_status(error) == CATNAP_LINK;
    end_with_error(session, display_name(loaded->path), error);
    if (link)
        hint_at_threads(session, loaded);
    return false;
}

bool session_call(struct session *session, const struct loaded *loaded, const wasm_func_t *func,
                  const catnap_val_t *arguments, size_t argument_count, catnap_val_t *results,
                  size_t result_count) {
    if (!session_arm(session))
        return false;
    uint64_t start = now_ns();
    if (keep_wanted(session->settings)) {
        catnap_error_t *error = NULL;
        catnap_run_t *run = catnap_run_new(func, arguments, argument_count, &error);
        if (run == NULL)
            return end_with_error(session, display_name(loaded->path), error);
        bool ok = keep_call(session, loaded->path, run, results, result_count);
        session->run_ns += now_ns() - start;
        return ok;
    }
    wasm_trap_t *trap = catnap_func_call(func, arguments, argument_count, results, result_count);
    trap = catnap_wasi_end_threads(session->wasi, trap);
    deadline_disarm(&session->deadline);
    session->run_ns += now_ns() - start;
    return trap == NULL || session_trap(session, loaded->path, trap);
}
