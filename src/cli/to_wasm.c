#include "to_wasm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "invoke.h"
#include "keep.h"
#include "load.h"
#include "preload.h"
#include "save.h"

#define SNAPSHOT_MAGIC "\0catnap\n"
#define MAGIC_LENGTH 8
#define INITIALIZE "_initialize"
#define SECTION_START 8

bool to_wasm_configured(const struct to_wasm_settings *settings) {
    const struct run_settings *run = &settings->run;
    return settings->keep_init_func || settings->init_func != NULL || settings->renames.count > 0 ||
           run->output != NULL || run->directories.count > 0 || run->environment.count > 0 ||
           run->preloads.count > 0 || run->arguments.count > 0 || run->unknown_imports != 0 ||
           run->fuel.given || run->timeout.given || run->max_memory.given ||
           run->max_table_elements.given || run->max_heap.given || run->max_engine_memory.given;
}

/* One conversion under way. */
struct conversion {
    struct session session;
    const struct to_wasm_settings *settings;
    struct loaded *program;
    const char *path;
    catnap_export_change_t *changes; /* room for all renames and two more */
    size_t change_count;
};

static bool usage(struct conversion *c, const char *subject, const char *message) {
    return session_end(&c->session,
                       diag_fail(c->session.diag, CLI_EXIT_USAGE, subject, "%s", message));
}

/* ---- Exports --------------------------------------------------------------------------------- */

/* The change of an export, or NULL. */
static const catnap_export_change_t *find_change(const struct conversion *c, const char *name) {
    for (size_t i = 0; i < c->change_count; i++)
        if (strcmp(c->changes[i].name, name) == 0)
            return &c->changes[i];
    return NULL;
}

/* The names point into the command line; what is before the equals sign is copied. */
static bool add_rename(struct conversion *c, const char *value) {
    const char *equals = strchr(value, '=');
    if (equals == NULL)
        return session_end(&c->session,
                           diag_fail(c->session.diag, CLI_EXIT_USAGE, NULL,
                                     "--rename-func: expected DST=SRC, not '%s'", value));
    char *to = strndup(value, (size_t)(equals - value));
    if (to == NULL)
        return session_end(&c->session, diag_no_memory(c->session.diag));
    bool twice = find_change(c, equals + 1) != NULL;
    for (size_t i = 0; i < c->change_count; i++)
        twice = twice || strcmp(c->changes[i].new_name, to) == 0;
    c->changes[c->change_count++] = (catnap_export_change_t){equals + 1, to};
    if (!twice)
        return true;
    return session_end(&c->session, diag_fail(c->session.diag, CLI_EXIT_USAGE, NULL,
                                              "--rename-func: '%s' repeats a name", value));
}

static bool read_renames(struct conversion *c) {
    const struct option_list *list = &c->settings->renames;
    c->changes = calloc(list->count + 2, sizeof(*c->changes));
    if (c->changes == NULL)
        return session_end(&c->session, diag_no_memory(c->session.diag));
    for (size_t i = 0; i < list->count; i++)
        if (!add_rename(c, list->items[i].value))
            return false;
    return true;
}

static void free_renames(struct conversion *c) {
    for (size_t i = 0; c->changes != NULL && i < c->change_count; i++)
        free((void *)c->changes[i].new_name);
    free(c->changes);
}

static bool is_function(const struct conversion *c, const char *name) {
    wasm_func_t *func = find_function(c->program, name);
    wasm_func_delete(func);
    return func != NULL;
}

static bool check_function(struct conversion *c, const char *name) {
    wasm_func_t *func = need_function(&c->session, c->program, name);
    wasm_func_delete(func);
    return func != NULL;
}

static bool check_renames(struct conversion *c) {
    for (size_t i = 0; i < c->settings->renames.count; i++)
        if (!check_function(c, c->changes[i].name))
            return false;
    return true;
}

/* Leaves the export out, unless it goes on under another name. */
static void leave_out(struct conversion *c, const char *name) {
    if (!c->settings->keep_init_func && find_change(c, name) == NULL && is_function(c, name))
        c->changes[c->change_count++] = (catnap_export_change_t){name, NULL};
}

/* ---- Initialising ---------------------------------------------------------------------------- */

static bool has_start(const wasm_module_t *module) {
    catnap_section_t section;
    for (size_t i = 0; catnap_module_section(module, i, &section); i++)
        if (section.id == SECTION_START)
            return true;
    return false;
}

/* The function to call after _initialize: as told, or by convention; NULL when there is none. */
static const char *choose_function(const struct conversion *c) {
    static const char *const conventional[] = {"wizer-initialize", "wizer.initialize"};
    if (c->settings->init_func != NULL)
        return c->settings->init_func;
    for (size_t i = 0; i < sizeof(conventional) / sizeof(*conventional); i++)
        if (is_function(c, conventional[i]))
            return conventional[i];
    return NULL;
}

/* Only a function that takes something has a use for the arguments, unless the guest has its own by
 * --arg. Its results are dropped: the module is the result. */
static bool call(struct conversion *c, const char *name, int argc, char **argv) {
    wasm_func_t *func = find_function(c->program, name);
    bool plain =
        func != NULL && wasm_func_param_arity(func) == 0 && c->settings->run.arguments.count == 0;
    wasm_func_delete(func);
    return invoke(&c->session, c->program, name, plain ? 0 : argc, argv, NULL);
}

static bool initialize(struct conversion *c, int argc, char **argv) {
    const char *name = choose_function(c);
    bool library = is_function(c, INITIALIZE);
    if (name != NULL && !check_function(c, name))
        return false;
    if (name == NULL && !library && !has_start(c->program->module))
        return no_such_function(&c->session, c->program,
                                "nothing initialises this module: choose a function with "
                                "--init-func");
    if (library && (name == NULL || strcmp(name, INITIALIZE) != 0) &&
        !preload_initialize(&c->session, c->program))
        return false;
    if (name != NULL && !call(c, name, argc, argv))
        return false;
    leave_out(c, INITIALIZE);
    if (name != NULL && strcmp(name, INITIALIZE) != 0)
        leave_out(c, name);
    return true;
}

static bool start_module(struct conversion *c, int argc, char **argv) {
    struct session *session = &c->session;
    if (!preload_check(session) || !session_open_wasi(session, c->path, argc, argv))
        return false;
    catnap_linker_trap_unknown_imports(session->linker, true);
    return session_load(session, c->path, &c->program) && preload_all(session) &&
           session_instantiate(session, c->program) && check_renames(c) &&
           initialize(c, argc, argv);
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

/* Only a regular file can be one: what is read from a pipe here would be missing later. */
static bool is_snapshot(const char *path) {
    char magic[MAGIC_LENGTH];
    struct stat status;
    bool regular = strcmp(path, "-") != 0 && stat(path, &status) == 0 && S_ISREG(status.st_mode);
    int fd = regular ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool found = fd >= 0 && read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
                 memcmp(magic, SNAPSHOT_MAGIC, sizeof(magic)) == 0;
    if (fd >= 0)
        close(fd);
    return found;
}

/* Only a snapshot of one instance, without a suspended run, can become a module. */
static bool check_snapshot(struct conversion *c, const catnap_snapshot_t *snapshot) {
    catnap_snapshot_info_t info;
    catnap_snapshot_info(snapshot, &info);
    const char *why = info.frames > 0       ? "a call is suspended in this snapshot"
                      : info.instances == 0 ? "there is no instance in this snapshot"
                      : info.instances > 1  ? "there are several instances in this snapshot"
                                            : NULL;
    return why == NULL ||
           session_end(&c->session, diag_fail(c->session.diag, CLI_EXIT_UNSUPPORTED, c->path,
                                              "%s, so it cannot be written as a module", why));
}

static bool restore(struct conversion *c, const catnap_snapshot_t *snapshot) {
    struct session *session = &c->session;
    session->linker = catnap_linker_new(session->store);
    if (session->linker == NULL)
        return session_end(session, diag_no_memory(session->diag));
    catnap_linker_trap_unknown_imports(session->linker, true);
    c->program = &session->loaded[session->loaded_count++];
    *c->program = (struct loaded){.path = c->path};
    catnap_error_t *error =
        catnap_snapshot_restore(snapshot, session->linker, NULL, &c->program->instance, NULL);
    if (error != NULL)
        return session_end(session, diag_error(session->diag, c->path, error));
    c->program->module = catnap_instance_module(c->program->instance);
    return c->program->module != NULL || session_end(session, diag_no_memory(session->diag));
}

/* A program of a snapshot has been initialised: nothing is called. */
static bool start_snapshot(struct conversion *c) {
    struct session *session = &c->session;
    catnap_snapshot_t *snapshot;
    enum cli_exit code = keep_open(session->diag, session->engine, c->path, NULL, false, &snapshot);
    if (code != CLI_EXIT_OK)
        return session_end(session, code);
    bool ok = check_snapshot(c, snapshot) && restore(c, snapshot);
    catnap_snapshot_delete(snapshot);
    const char *name = c->settings->init_func;
    if (!ok || !check_renames(c) || (name != NULL && !check_function(c, name)))
        return false;
    leave_out(c, INITIALIZE);
    if (name != NULL && strcmp(name, INITIALIZE) != 0)
        leave_out(c, name);
    return true;
}

/* ---- The command ----------------------------------------------------------------------------- */

/* Whether saving makes a file, under a temporary name at first, and writes to nothing that may wait. */
static bool is_replaced(const char *path) {
    struct stat status;
    return strcmp(path, "-") != 0 && (stat(path, &status) != 0 || S_ISREG(status.st_mode));
}

static bool write_module(struct conversion *c) {
    const struct diag *diag = c->session.diag;
    const char *output = c->settings->run.output;
    wasm_byte_vec_t bytes;
    catnap_to_module_options_t options = {c->changes, c->change_count};
    catnap_error_t *error = catnap_instance_to_module(c->program->instance, &options, &bytes);
    if (error != NULL)
        return session_end(&c->session, diag_error(diag, display_name(c->path), error));
    if (is_replaced(c->session.output))
        deadline_hold(&c->session.deadline);
    enum cli_exit code = save_file(diag, output, c->session.output, bytes.data, bytes.size);
    deadline_release(&c->session.deadline);
    if (code == CLI_EXIT_OK && isatty(STDERR_FILENO)) {
        fputs("catnap: module in ", stderr);
        print_path(stderr, output);
        fprintf(stderr, ", %zu bytes\n", bytes.size);
    }
    wasm_byte_vec_delete(&bytes);
    return code == CLI_EXIT_OK || session_end(&c->session, code);
}

static bool convert(struct conversion *c, int argc, char **argv) {
    if (!read_renames(c))
        return false;
    if (is_snapshot(c->path)) {
        if (argc > 0 || c->settings->run.arguments.count > 0)
            return usage(c, c->path, "a snapshot is not initialised and takes no arguments");
        return start_snapshot(c) && write_module(c);
    }
    if (start_module(c, argc, argv))
        return write_module(c);
    if (c->session.exited)
        return session_end(&c->session,
                           diag_fail(c->session.diag, CLI_EXIT_TRAP, display_name(c->path),
                                     "the guest exited with code %d during initialisation",
                                     c->session.exit_code));
    return false;
}

enum cli_exit to_wasm(const struct diag *diag, struct to_wasm_settings *settings, int argc,
                      char **argv) {
    struct conversion c = {.settings = settings, .path = argv[0]};
    if (argc == 0)
        return diag_fail(diag, CLI_EXIT_USAGE, NULL,
                         "name a module or a snapshot to write as a module");
    if (settings->run.output == NULL)
        return diag_fail(diag, CLI_EXIT_USAGE, NULL, "name the module to write: -o FILE");
    if (session_begin(&c.session, diag, &settings->run, c.path) && session_open(&c.session))
        convert(&c, argc - 1, argv + 1);
    free_renames(&c);
    return session_close(&c.session);
}
