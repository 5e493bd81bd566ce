/* catnap run: loads a program, links it, runs it. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "invoke.h"
#include "keep.h"
#include "load.h"
#include "preload.h"
#include "rows.h"
#include "session.h"

#define FIELD(member) .offset = offsetof(struct run_settings, member)

static const struct option run_options[] = {
    {ROW_INVOKE, FIELD(invoke),
     .help = "call this exported function with the arguments, and print its results"},
    {ROW_DIR, FIELD(directories),
     .help = "let the guest use a directory, under the name GUEST (repeatable)"},
    {ROW_DIR_RO, FIELD(directories)},
    {ROW_ENV, FIELD(environment),
     .help =
         "set a variable for the guest, or pass on its value from the environment (repeatable)"},
    {.name = "tcplisten",
     .kind = OPTION_LIST,
     .metavar = "HOST:PORT",
     FIELD(sockets),
     .help = "listen on this address, and let the guest accept connections on the descriptor after "
             "those of the directories (repeatable)"},
    {.name = "wasi",
     .letter = 'S',
     .kind = OPTION_LIST,
     .metavar = "tcplisten=HOST:PORT",
     FIELD(sockets)},
    {.name = "argv0",
     .kind = OPTION_STRING,
     .metavar = "NAME",
     FIELD(argv0),
     .help = "the guest's argument 0; by default the name of the file"},
    {ROW_ARG, FIELD(arguments),
     .help = "with --invoke, add an argument to the guest's own argument list; arguments after the "
             "file then go to the function only (repeatable)"},
    {ROW_PRELOAD, FIELD(preloads),
     .help = "first load another module; the program and later preloads can import its exports "
             "from NAME (repeatable)"},
    {ROW_FUEL, FIELD(fuel), .help = "stop with code 122 once N units of fuel are used up"},
    {ROW_TIMEOUT, FIELD(timeout),
     .help = "stop with code 124 after this time, such as 2s, 500ms or 1.5m; a number alone means "
             "seconds"},
    {ROW_MAX_MEMORY, FIELD(max_memory)},
    {ROW_MAX_TABLE_ELEMENTS, FIELD(max_table_elements)},
    {ROW_MAX_HEAP, FIELD(max_heap)},
    {ROW_MAX_ENGINE_MEMORY, FIELD(max_engine_memory)},
    {.name = "max-memory-size", .kind = OPTION_SIZE, .metavar = "SIZE", FIELD(max_memory)},
    {ROW_MAX_DEPTH, FIELD(max_depth)},
    {ROW_MAX_STACK, FIELD(max_stack)},
    {.name = "max-threads",
     .kind = OPTION_NUMBER,
     .metavar = "N",
     FIELD(max_threads),
     .help = "let the guest have up to N threads at once besides its first one (wasi-threads); "
             "without the option it can start none"},
    {ROW_UNKNOWN_IMPORTS, FIELD(unknown_imports),
     .help = "make missing functions trap when they are called, instead of refusing the module"},
    {ROW_EAGER, FIELD(eager),
     .help = "translate every function when its module is loaded, not at its first call"},
    {.name = "lazy",
     .kind = OPTION_FLAG,
     FIELD(lazy),
     .help = "validate modules whole and translate each function at its first call (the default)"},
    {ROW_DEFERRED, FIELD(deferred),
     .help = "validate and translate each function at its first call; an invalid one then traps"},
    {.name = "threads",
     .kind = OPTION_NUMBER,
     .metavar = "N",
     FIELD(threads),
     .help = "validate large modules with N threads, by default 1"},
    {.name = "no-cache",
     .kind = OPTION_FLAG,
     FIELD(no_cache),
     .help = "do not use the cache of validated modules"},
    {ROW_BOUNDS_CHECKS, FIELD(bounds_checks)},
    {ROW_FEATURES, FIELD(features)},
    {ROW_DETERMINISTIC, FIELD(deterministic)},
    {.name = "stats",
     .kind = OPTION_CHOICE,
     .argument_optional = true,
     .metavar = "text|json",
     .words = "text json",
     .complete = COMPLETE_WORDS,
     FIELD(stats),
     .help = "when the run has ended, write statistics to standard error: modules, functions "
             "translated, time of each phase, memory"},
    {ROW_SNAPSHOT_ON, FIELD(snapshot_on),
     .help = "write a snapshot to the file of -o at this event: exit, trap, fuel (it is used up), "
             "signal (SIGUSR1 goes on, SIGINT and SIGTERM end the run), or call:NAME (the program "
             "calls NAME, an import that nothing defines)"},
    {ROW_SNAPSHOT_EVERY, FIELD(snapshot_every),
     .help = "write a snapshot to the file of -o each time this interval has passed"},
    {ROW_OUTPUT, FIELD(output),
     .help = "the file for snapshots; each replaces the previous one when it is complete"},
    {ROW_COMPRESS, FIELD(compress),
     .help = "compress snapshots: smaller files that take longer to write and to restore"},
    {.name = "profile-ops",
     .kind = OPTION_FLAG,
     FIELD(profile_ops),
     .help = "count the executed bytecode instructions and adjacent pairs, and write the counts to "
             "standard error; runs many times slower"},
};

/* ---- The program ----------------------------------------------------------------------------- */

/* The function that a command runs: `_start` or the default export, whose name is empty. */
static wasm_func_t *find_entry(const struct loaded *program, const char **name) {
    *name = "_start";
    wasm_func_t *entry = find_function(program, *name);
    if (entry != NULL)
        return entry;
    *name = "the export ''";
    return find_function(program, "");
}

/* Says why there is nothing to run, and what may have been meant. */
static bool no_entry(struct session *session, const struct loaded *program, int argc, char **argv) {
    wasm_func_t *reactor = find_function(program, "_initialize");
    no_such_function(session, program,
                     reactor != NULL
                         ? "this module is a library (a reactor): choose a function with --invoke"
                         : "there is no _start function: choose another one with --invoke");
    wasm_func_delete(reactor);
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--invoke") == 0 || strncmp(argv[i], "--invoke=", 9) == 0)
            diag_hint(session->diag, "Options go before the file: arguments after it, such as this "
                                     "--invoke, are passed to the guest.");
    return false;
}

static bool run_command(struct session *session, const struct loaded *program, int argc,
                        char **argv) {
    const char *name;
    wasm_func_t *entry = find_entry(program, &name);
    if (entry == NULL)
        return no_entry(session, program, argc, argv);
    bool goes_on;
    if (wasm_func_param_arity(entry) != 0 || wasm_func_result_arity(entry) != 0)
        goes_on = session_end(session,
                              diag_fail(session->diag, CLI_EXIT_USAGE, display_name(program->path),
                                        "%s has parameters or results: use --invoke", name));
    else
        goes_on = session_call(session, program, entry, NULL, 0, NULL, 0);
    wasm_func_delete(entry);
    return goes_on;
}

/* Arguments after the file of a command are already the guest's. */
static bool check_arguments(struct session *session) {
    if (session->settings->arguments.count == 0 || session->settings->invoke != NULL)
        return true;
    return session_end(
        session, diag_fail(session->diag, CLI_EXIT_USAGE, NULL,
                           "--arg needs --invoke: put the arguments of a program after its file"));
}

static bool run_program(struct session *session, int argc, char **argv) {
    const struct run_settings *settings = session->settings;
    struct loaded *program;
    if (!check_arguments(session) || !preload_check(session) || !keep_check(session) ||
        !session_open_wasi(session, argv[0], argc - 1, argv + 1) ||
        !session_load(session, argv[0], &program))
        return false;
    if (!preload_all(session) || !keep_define(session, program->module, NULL) ||
        !session_allow_threads(session, program) || !session_instantiate(session, program))
        return false;
    if (settings->invoke == NULL)
        return run_command(session, program, argc - 1, argv + 1);
    if (strcmp(settings->invoke, "_initialize") != 0 && !preload_initialize(session, program))
        return false;
    return invoke(session, program, settings->invoke, argc - 1, argv + 1, stdout);
}

/* A thread has instances of its own, and preloaded modules none of its; a snapshot holds one thread. */
static bool check_threads(const struct diag *diag, const struct run_settings *settings) {
    if (!settings->max_threads.given || (settings->preloads.count == 0 && !keep_wanted(settings)))
        return true;
    diag_fail(diag, CLI_EXIT_USAGE, NULL, "--max-threads and --%s cannot be given together",
              settings->preloads.count > 0    ? "preload"
              : settings->snapshot_on != NULL ? "snapshot-on"
                                              : "snapshot-every");
    return false;
}

/* --eager, --lazy and --deferred are three answers to one question. */
static bool check_modes(const struct diag *diag, const struct run_settings *settings) {
    if (settings->eager + settings->lazy + settings->deferred < 2)
        return true;
    diag_fail(diag, CLI_EXIT_USAGE, NULL,
              "only one of --eager, --lazy and --deferred can be given");
    return false;
}

static enum cli_exit run_main(const struct command *self, struct diag *diag, int argc,
                              char **argv) {
    struct run_settings settings = {0};
    struct session session;
    int operands, code = CLI_EXIT_USAGE;
    enum parse_result parsed = options_parse(self, diag, argc, argv, &settings, &operands);
    if (parsed != PARSE_OK) {
        code = parsed == PARSE_DONE ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    } else if (operands == 0) {
        diag_fail(diag, CLI_EXIT_USAGE, NULL, "name a file to run");
        diag_hint(diag, "Try 'catnap help run'.");
    } else if (check_modes(diag, &settings) && check_threads(diag, &settings)) {
        if (session_begin(&session, diag, &settings, argv[0]) && session_open(&session))
            run_program(&session, operands, argv);
        deadline_settle(&session.deadline);
        if (settings.stats != 0)
            print_stats(&session);
        if (settings.profile_ops)
            print_profile(&session);
        code = session_close(&session);
    }
    run_settings_free(&settings);
    return code;
}

const struct command command_run = {
    .name = "run",
    .operands = "FILE [ARGUMENTS...]",
    .summary = "run a program, or call one of its functions",
    .help = "Options go before the file; all arguments after it are passed to the guest. The "
            "guest's\noutput and exit code are passed through. The guest can use only the files, "
            "sockets and\nvariables given by --dir, --dir-ro, --tcplisten and --env.\n",
    .options = run_options,
    .option_count = sizeof(run_options) / sizeof(*run_options),
    .options_first = true,
    .complete = COMPLETE_FILES,
    .main = run_main,
};
