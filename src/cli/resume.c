/* catnap resume: wakes a snapshot. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "invoke.h"
#include "keep.h"
#include "load.h"
#include "rows.h"
#include "session.h"
#include "values.h"

#define FIELD(member) .offset = offsetof(struct run_settings, member)

static const struct option resume_options[] = {
    {ROW_INVOKE, FIELD(invoke),
     .help =
         "call this exported function of the program with the arguments, and print its results"},
    {ROW_FUEL, FIELD(fuel),
     .help = "stop with code 122 once N more instructions have been executed"},
    {ROW_TIMEOUT, FIELD(timeout), .help = "stop with code 124 after this time"},
    {ROW_MAX_MEMORY, FIELD(max_memory)},
    {ROW_SNAPSHOT_ON, FIELD(snapshot_on), .help = "take another snapshot: see catnap run"},
    {ROW_SNAPSHOT_EVERY, FIELD(snapshot_every),
     .help = "take another snapshot each time this has passed"},
    {ROW_OUTPUT, FIELD(output), .help = "the file that snapshots are written to"},
    {ROW_COMPRESS, FIELD(compress), .help = "compress snapshots: see catnap run"},
};

/* What the engine has to check for, so that a suspended run can go on in it. */
static bool look_ahead(struct session *session, const struct diag *diag,
                       struct run_settings *settings, const char *path) {
    catnap_snapshot_t *snapshot = NULL;
    catnap_snapshot_info_t info;
    wasm_engine_t *engine = wasm_engine_new();
    enum cli_exit code = engine != NULL ? keep_open(diag, engine, path, NULL, true, &snapshot)
                                        : diag_no_memory(diag);
    catnap_snapshot_info(snapshot, &info);
    catnap_snapshot_delete(snapshot);
    wasm_engine_delete(engine);
    settings->same_checks = info.frames > 0;
    settings->checks_fuel = info.fuel_enabled;
    settings->checks_interruption = info.interruptible;
    return code == CLI_EXIT_OK || session_end(session, code);
}

static void tell_lost(void *env, uint32_t number, const char *path) {
    const struct session *session = env;
    diag_hint(session->diag,
              "Descriptor %" PRIu32 " of the guest (%s) could not be opened again; it is "
              "closed now.",
              number, path[0] ? path : "no file");
}

static bool restore_wasi(struct session *session, const catnap_snapshot_t *snapshot,
                         struct kept_data *data) {
    catnap_error_t *error = NULL;
    signal(SIGPIPE, SIG_IGN);
    session->wasi = catnap_wasi_new();
    session->linker = catnap_linker_new(session->store);
    if (session->wasi == NULL || session->linker == NULL)
        return session_end(session, diag_no_memory(session->diag));
    for (int stream = 0; stream <= 2 && error == NULL; stream++)
        error = catnap_wasi_set_stdio_fd(session->wasi, stream, stream);
    *data = (struct kept_data){0};
    if (error == NULL && keep_read_data(snapshot, data))
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
    catnap_snapshot_module_t module;
    catnap_error_t *error = NULL;
    for (*count = 0; catnap_snapshot_module(snapshot, *count, &module); ++*count) {
        if (module.bytes == NULL)
            continue;
        modules[*count] =
            catnap_module_new(session->store, module.bytes, (size_t)module.length, NULL, &error);
        if (modules[*count] == NULL)
            return session_end(session, diag_error(session->diag, NULL, error));
        if (!keep_define(session, modules[*count], NULL) ||
            !keep_define(session, modules[*count], call))
            return false;
    }
    return true;
}

/* Prints the results of what was called by --invoke when it was suspended. */
static void print_results(const catnap_val_t *results, size_t count) {
    for (size_t i = 0; i < count; i++) {
        print_value(stdout, &results[i]);
        fputc('\n', stdout);
        if (wasm_valkind_is_ref(results[i].kind))
            wasm_ref_delete(results[i].of.ref);
    }
}

static bool go_on(struct session *session, const char *path, WASM_OWN catnap_run_t *run) {
    size_t count = wasm_func_result_arity(catnap_run_function(run));
    catnap_val_t *results = calloc(count + 1, sizeof(*results));
    if (results == NULL) {
        catnap_run_delete(run);
        return session_end(session, diag_no_memory(session->diag));
    }
    bool ok = keep_call(session, path, run, results, count);
    if (ok)
        print_results(results, count);
    free(results);
    return ok;
}

static bool wake(struct session *session, const catnap_snapshot_t *snapshot, const char *path,
                 const catnap_restore_options_t *options, int argc, char **argv) {
    catnap_run_t *run = NULL;
    size_t count = catnap_snapshot_instance_count(snapshot);
    wasm_instance_t **instances = calloc(count + 1, sizeof(*instances));
    if (instances == NULL)
        return session_end(session, diag_no_memory(session->diag));
    catnap_error_t *error =
        catnap_snapshot_restore(snapshot, session->linker, options, instances, &run);
    if (error == NULL && count > 0) { /* the program was made last */
        session->loaded[0] = (struct loaded){.path = path, .instance = instances[count - 1]};
        session->loaded[0].module = catnap_instance_module(instances[--count]);
        session->loaded_count = 1;
    }
    while (count > 0)
        wasm_instance_delete(instances[--count]);
    free(instances);
    if (error != NULL)
        return session_end(session, diag_error(session->diag, path, error));
    if (session->settings->fuel.given || session->settings->checks_fuel)
        error = catnap_store_set_fuel(session->store, session->settings->fuel.given
                                                          ? session->settings->fuel.value
                                                          : UINT64_MAX);
    catnap_error_delete(error);
    if (run != NULL && session->settings->invoke == NULL)
        return go_on(session, path, run);
    catnap_run_delete(run);
    if (session->settings->invoke != NULL && session->loaded_count > 0)
        return invoke(session, &session->loaded[0], session->settings->invoke, argc, argv);
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
         load_modules(session, snapshot, data.call, modules, &count) &&
         session_start_clock(session);
    if (ok) {
        size_t known = 0;
        for (size_t i = 0; i < count; i++)
            if (modules[i] != NULL)
                modules[known++] = modules[i];
        catnap_restore_options_t options = {.modules = (const wasm_module_t *const *)modules,
                                            .module_count = known};
        count = known;
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
    struct session session = {.diag = diag, .settings = &settings};
    int operands;
    enum parse_result parsed = options_parse(self, diag, argc, argv, &settings, &operands);
    if (parsed != PARSE_OK)
        return parsed == PARSE_DONE ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    if (operands == 0) {
        diag_fail(diag, CLI_EXIT_USAGE, NULL, "there is no snapshot to resume");
        return CLI_EXIT_USAGE;
    }
    if (!keep_check(&session) || !look_ahead(&session, diag, &settings, argv[0]))
        return session.exit_code;
    if (session_open(&session, diag, &settings))
        resume(&session, argv[0], operands - 1, argv + 1);
    int code = session.exit_code;
    session_close(&session);
    return code;
}

const struct command command_resume = {
    .name = "resume",
    .operands = "FILE [ARGUMENTS...]",
    .summary = "wake a snapshot and let it go on",
    .help = "A suspended program goes on where it was. A program that was not suspended, as after\n"
            "--snapshot-on=exit, waits for --invoke. Files are opened again below the directories\n"
            "that were given to catnap run.\n",
    .options = resume_options,
    .option_count = sizeof(resume_options) / sizeof(*resume_options),
    .options_first = true,
    .complete = COMPLETE_FILES,
    .main = resume_main,
};
