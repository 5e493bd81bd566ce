/* catnap resume: wakes a snapshot. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "invoke.h"
#include "keep.h"
#include "load.h"
#include "rows.h"
#include "session.h"

#define FIELD(member) .offset = offsetof(struct run_settings, member)

static const struct option resume_options[] = {
    {ROW_INVOKE, FIELD(invoke),
     .help =
         "call this exported function of the program with the arguments, and print its results"},
    {ROW_DIR, FIELD(directories),
     .help = "give the program back the directory that it had under the name GUEST (repeatable)"},
    {ROW_DIR_RO, FIELD(directories)},
    {ROW_FUEL, FIELD(fuel), .help = "stop with code 122 once N more units of fuel are used up"},
    {ROW_TIMEOUT, FIELD(timeout), .help = "stop with code 124 after this time"},
    {ROW_MAX_MEMORY, FIELD(max_memory)},
    {ROW_MAX_TABLE_ELEMENTS, FIELD(max_table_elements)},
    {ROW_MAX_HEAP, FIELD(max_heap)},
    {ROW_MAX_ENGINE_MEMORY, FIELD(max_engine_memory)},
    {ROW_MAX_DEPTH, FIELD(max_depth)},
    {ROW_MAX_STACK, FIELD(max_stack)},
    {ROW_FEATURES, FIELD(features)},
    {ROW_DETERMINISTIC, FIELD(deterministic)},
    {ROW_SNAPSHOT_ON, FIELD(snapshot_on), .help = "write another snapshot: see catnap run"},
    {ROW_SNAPSHOT_EVERY, FIELD(snapshot_every),
     .help = "write another snapshot each time this interval has passed"},
    {ROW_OUTPUT, FIELD(output), .help = "the file for snapshots"},
    {ROW_COMPRESS, FIELD(compress), .help = "compress snapshots: see catnap run"},
};

/* A suspended run can be stopped only by what it has been checking for from its start. */
static bool check_bounds(struct session *session, const catnap_snapshot_info_t *info,
                         const char *path) {
    const struct run_settings *settings = session->settings;
    bool fuel = settings->fuel.given && !info->fuel_enabled;
    bool interrupted = (settings->timeout.given || keep_wanted(settings)) && !info->interruptible;
    if (info->frames == 0 || (!fuel && !interrupted))
        return true;
    return session_end(session,
                       diag_fail(session->diag, CLI_EXIT_USAGE, path,
                                 "the program was started without %s, so %s cannot be used now",
                                 fuel ? "--fuel" : "an option that interrupts it",
                                 fuel ? "--fuel" : "--timeout or a snapshot option"));
}

/* Finds which checks the engine needs, so that a suspended run can continue in it. */
static bool look_ahead(struct session *session, struct run_settings *settings, const char *path) {
    const struct diag *diag = session->diag;
    catnap_snapshot_t *snapshot = NULL;
    catnap_snapshot_info_t info;
    wasm_engine_t *engine = wasm_engine_new();
    enum cli_exit code = engine != NULL ? keep_open(diag, engine, path, NULL, true, &snapshot)
                                        : diag_no_memory(diag);
    catnap_snapshot_info(snapshot, &info);
    catnap_snapshot_delete(snapshot);
    wasm_engine_delete(engine);
    if (code != CLI_EXIT_OK)
        return session_end(session, code);
    settings->same_checks = info.frames > 0;
    settings->checks_fuel = settings->same_checks && info.fuel_enabled;
    settings->checks_interruption = settings->same_checks && info.interruptible;
    return check_bounds(session, &info, path);
}

static void tell_lost(void *env, uint32_t number, const char *path) {
    const struct session *session = env;
    diag_hint(session->diag,
              "Descriptor %" PRIu32 " of the guest (%s) could not be reopened and is closed.",
              number, path[0] ? path : "no file");
}

/* Which of the directories that the program had are given again. */
struct directories {
    const struct option_list *given;
    bool *taken; /* of those */
    FILE *missing;
    size_t missing_count;
};

static void check_directory(void *env, const char *host, const char *guest,
                            catnap_wasi_dir_flags_t flags) {
    struct directories *d = env;
    for (size_t i = 0; i < d->given->count; i++)
        if (!d->taken[i] && strcmp(session_guest_path(d->given->items[i].value), guest) == 0) {
            d->taken[i] = true;
            return;
        }
    d->missing_count++;
    bool same = strcmp(host, guest) == 0;
    fprintf(d->missing, " --dir%s %s%s%s", flags == CATNAP_WASI_DIR_READ_ONLY ? "-ro" : "", host,
            same ? "" : "::", same ? "" : guest);
}

/* A snapshot may have been written by anyone: that it names directories of the host gives it none. */
static bool check_directories(struct session *session, const struct kept_data *data) {
    char *text = NULL;
    size_t length;
    struct directories d = {.given = &session->settings->directories};
    d.taken = calloc(d.given->count + 1, sizeof(*d.taken));
    d.missing = open_memstream(&text, &length);
    bool ok = d.taken != NULL && d.missing != NULL;
    catnap_error_t *error =
        ok ? catnap_wasi_saved_dirs(data->wasi, data->wasi_length, check_directory, &d) : NULL;
    ok = d.missing != NULL && fclose(d.missing) == 0 && ok;
    if (!ok) {
        session_end(session, diag_no_memory(session->diag));
    } else if (error != NULL) {
        ok = session_end(session, diag_error(session->diag, NULL, error));
    } else if (d.missing_count > 0) {
        ok = session_end(session,
                         diag_fail(session->diag, CLI_EXIT_USAGE, NULL,
                                   "the directories of the program must be given again:%s", text));
        diag_hint(
            session->diag,
            "Put these options, or others of the form HOST::GUEST, before the snapshot's name.");
    }
    free(d.taken);
    free(text);
    return ok;
}

static bool restore_wasi(struct session *session, const catnap_snapshot_t *snapshot,
                         struct kept_data *data) {
    catnap_error_t *error = NULL;
    *data = (struct kept_data){0};
    bool kept = keep_read_data(snapshot, data);
    if ((kept && !check_directories(session, data)) || !session_make_wasi(session) ||
        !session_add_directories(session))
        return false;
    if (kept)
        error =
            catnap_wasi_restore(session->wasi, data->wasi, data->wasi_length, tell_lost, session);
    if (error == NULL)
        error = catnap_linker_define_wasi(session->linker, session->wasi);
    catnap_linker_trap_unknown_imports(session->linker, true);
    return error == NULL || session_end(session, diag_error(session->diag, NULL, error));
}

/* The modules that the snapshot has with it, as the session's. */
static bool load_modules(struct session *session, const catnap_snapshot_t *snapshot,
                         const char *call, wasm_module_t **modules, size_t *count) {
    catnap_snapshot_module_t found;
    catnap_error_t *error = NULL;
    for (size_t i = 0; catnap_snapshot_module(snapshot, i, &found); i++) {
        if (found.bytes == NULL)
            continue;
        wasm_module_t *module =
            catnap_module_new(session->store, found.bytes, (size_t)found.length, NULL, &error);
        if (module == NULL)
            return session_end(session, diag_error(session->diag, NULL, error));
        modules[(*count)++] = module;
        if (!keep_define(session, module, NULL) || !keep_define(session, module, call))
            return false;
    }
    return true;
}

/* There are results of what was called by --invoke when it was suspended. */
static bool go_on(struct session *session, const char *path, WASM_OWN catnap_run_t *run) {
    size_t count = wasm_func_result_arity(catnap_run_function(run));
    catnap_val_t *results = calloc(count + 1, sizeof(*results));
    if (results == NULL) {
        catnap_run_delete(run);
        return session_end(session, diag_no_memory(session->diag));
    }
    bool ok = keep_call(session, path, run, results, count);
    if (ok)
        finish_results(results, count, stdout);
    free(results);
    return ok;
}

/* Makes the instances, of which the program is the last, and the run if there is one. */
static bool restore(struct session *session, const catnap_snapshot_t *snapshot, const char *path,
                    const catnap_restore_options_t *options, catnap_run_t **run) {
    size_t count = catnap_snapshot_instance_count(snapshot);
    wasm_instance_t **instances = calloc(count + 1, sizeof(*instances));
    if (instances == NULL)
        return session_end(session, diag_no_memory(session->diag));
    catnap_error_t *error =
        catnap_snapshot_restore(snapshot, session->linker, options, instances, run);
    if (error == NULL && count > 0) {
        session->loaded[0] = (struct loaded){.path = path, .instance = instances[--count]};
        session->loaded[0].module = catnap_instance_module(session->loaded[0].instance);
        session->loaded_count = 1;
    }
    while (count > 0)
        wasm_instance_delete(instances[--count]);
    free(instances);
    if (error != NULL) {
        enum cli_exit code = diag_error(session->diag, path, error);
        if (code == CLI_EXIT_LIMIT)
            diag_hint(session->diag,
                      "Give the limits that the program was started with, such as --max-depth.");
        return session_end(session, code);
    }
    return session->loaded_count == 0 || session->loaded[0].module != NULL ||
           session_end(session, diag_no_memory(session->diag));
}

/* The fuel left in the snapshot does not count: there is a new limit, or none. */
static bool fill_up(struct session *session) {
    const struct run_settings *settings = session->settings;
    if (!settings->fuel.given && !settings->checks_fuel)
        return true;
    catnap_error_t *error = catnap_store_set_fuel(
        session->store, settings->fuel.given ? settings->fuel.value : UINT64_MAX);
    return error == NULL || session_end(session, diag_error(session->diag, NULL, error));
}

static bool wake(struct session *session, const catnap_snapshot_t *snapshot, const char *path,
                 const catnap_restore_options_t *options, int argc, char **argv) {
    catnap_run_t *run = NULL;
    if (!restore(session, snapshot, path, options, &run) || !fill_up(session)) {
        catnap_run_delete(run);
        return false;
    }
    if (run != NULL && session->settings->invoke == NULL)
        return go_on(session, path, run);
    catnap_run_delete(run);
    if (session->settings->invoke != NULL && session->loaded_count > 0)
        return invoke(session, &session->loaded[0], session->settings->invoke, argc, argv, stdout);
    return session_end(session, diag_fail(session->diag, CLI_EXIT_USAGE, path,
                                          "nothing is suspended in this snapshot: choose a "
                                          "function with --invoke"));
}

static bool resume(struct session *session, const char *path, int argc, char **argv) {
    catnap_snapshot_t *snapshot = NULL;
    struct kept_data data;
    size_t count = 0;
    enum cli_exit code = keep_open(session->diag, session->engine, path, NULL, false, &snapshot);
    if (code != CLI_EXIT_OK)
        return session_end(session, code);
    catnap_snapshot_info_t info;
    catnap_snapshot_info(snapshot, &info);
    wasm_module_t **modules = calloc((size_t)info.modules + 1, sizeof(*modules));
    bool ok = modules != NULL || session_end(session, diag_no_memory(session->diag));
    ok = ok && restore_wasi(session, snapshot, &data) &&
         load_modules(session, snapshot, data.call, modules, &count);
    if (ok) {
        catnap_restore_options_t options = {.modules = (const wasm_module_t *const *)modules,
                                            .module_count = count};
        ok = wake(session, snapshot, path, &options, argc, argv);
    }
    for (size_t i = 0; modules != NULL && i < count; i++)
        wasm_module_delete(modules[i]);
    free(modules);
    catnap_snapshot_delete(snapshot);
    return ok;
}

static enum cli_exit resume_main(const struct command *self, struct diag *diag, int argc,
                                 char **argv) {
    struct run_settings settings = {0};
    struct session session;
    int operands;
    enum parse_result parsed = options_parse(self, diag, argc, argv, &settings, &operands);
    if (parsed != PARSE_OK) {
        run_settings_free(&settings);
        return parsed == PARSE_DONE ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    }
    if (operands == 0) {
        diag_fail(diag, CLI_EXIT_USAGE, NULL, "name a snapshot to resume");
        run_settings_free(&settings);
        return CLI_EXIT_USAGE;
    }
    if (session_begin(&session, diag, &settings, argv[0]) && keep_check(&session) &&
        look_ahead(&session, &settings, argv[0]) && session_open(&session))
        resume(&session, argv[0], operands - 1, argv + 1);
    int code = session_close(&session);
    run_settings_free(&settings);
    return code;
}

const struct command command_resume = {
    .name = "resume",
    .operands = "FILE [ARGUMENTS...]",
    .summary = "restore a snapshot and continue the program",
    .help = "A suspended program continues where it stopped. If none is suspended, as "
            "after\n--snapshot-on=exit, call a function by --invoke. Give each directory that was "
            "given to\ncatnap run again, wherever it is now; the program's files are reopened "
            "below them.\n",
    .options = resume_options,
    .option_count = sizeof(resume_options) / sizeof(*resume_options),
    .options_first = true,
    .complete = COMPLETE_FILES,
    .main = resume_main,
};
