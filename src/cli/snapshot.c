/* catnap snapshot: shows, checks and compares snapshots, and makes modules. */
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "keep.h"
#include "rows.h"
#include "to_wasm.h"
#include "values.h"

#define FIELD(member) .offset = offsetof(struct to_wasm_settings, member)

static const struct option snapshot_options[] = {
    {.name = "to-wasm",
     .kind = OPTION_FLAG,
     FIELD(to_wasm),
     .help = "initialise the module FILE, or restore the snapshot FILE, and write its state as a "
             "module"},
    {ROW_OUTPUT, FIELD(run.output), .help = "the module to write"},
    {.name = "init-func",
     .letter = 'f',
     .kind = OPTION_STRING,
     .metavar = "NAME",
     FIELD(init_func),
     .help = "the exported function that initialises, after _initialize; by default "
             "wizer-initialize or wizer.initialize, or _initialize alone"},
    {.name = "rename-func",
     .letter = 'r',
     .kind = OPTION_LIST,
     .metavar = "DST=SRC",
     FIELD(renames),
     .help = "export SRC under the name DST, replacing an export of that name (repeatable)"},
    {.name = "keep-init-func",
     .kind = OPTION_FLAG,
     FIELD(keep_init_func),
     .help = "keep the initialisation functions among the exports"},
    {ROW_DIR, FIELD(run.directories),
     .help = "let the initialisation use a directory, under the name GUEST (repeatable)"},
    {ROW_DIR_RO, FIELD(run.directories)},
    {ROW_ENV, FIELD(run.environment),
     .help = "set a variable for the initialisation, or pass on its value from the environment "
             "(repeatable)"},
    {ROW_PRELOAD, FIELD(run.preloads),
     .help = "first load another module, whose exports FILE can import from NAME; the new module "
             "does not contain it (repeatable)"},
    {ROW_ARG, FIELD(run.arguments),
     .help = "add an argument to the guest's own argument list; arguments after FILE then go to "
             "the function only (repeatable)"},
    {ROW_UNKNOWN_IMPORTS, FIELD(run.unknown_imports),
     .help = "accepted for symmetry with catnap run: missing functions always trap here when the "
             "initialisation calls them"},
    {ROW_FUEL, FIELD(run.fuel), .help = "stop with code 122 once N units of fuel are used up"},
    {ROW_TIMEOUT, FIELD(run.timeout), .help = "stop with code 124 after this time"},
    {ROW_FEATURES, FIELD(run.features)},
    {ROW_MAX_MEMORY, FIELD(run.max_memory)},
    {ROW_MAX_TABLE_ELEMENTS, FIELD(run.max_table_elements)},
    {ROW_MAX_HEAP, FIELD(run.max_heap)},
    {ROW_MAX_ENGINE_MEMORY, FIELD(run.max_engine_memory)},
};

static void print_info(const char *path, const catnap_snapshot_t *snapshot) {
    catnap_snapshot_info_t info;
    catnap_snapshot_module_t module;
    catnap_snapshot_info(snapshot, &info);
    print_path(stdout, path);
    printf(": snapshot %016" PRIx64 "%016" PRIx64 "\n", info.identity[0], info.identity[1]);
    printf("  instances: %" PRIu64 ", memories: %" PRIu64 ", tables: %" PRIu64 "\n", info.instances,
           info.memories, info.tables);
    printf("  memory: %" PRIu64 " bytes, of which %" PRIu64 " are kept\n", info.memory_bytes,
           info.page_bytes);
    if (info.frames > 0)
        printf("  suspended: %" PRIu64 " frames\n", info.frames);
    else
        printf("  suspended: nothing\n");
    if (info.fuel_enabled)
        printf("  fuel left: %" PRIu64 "\n", info.fuel);
    for (size_t i = 0; catnap_snapshot_module(snapshot, i, &module); i++) {
        printf("  module: ");
        print_safe(stdout, module.name != NULL ? module.name : "", module.name_length);
        printf("%s%" PRIu64 " bytes, XXH3-128 %016" PRIx64 "%016" PRIx64 "%s\n",
               module.name_length > 0 ? ", " : "", module.length, module.hash[0], module.hash[1],
               module.bytes != NULL ? ", included" : "");
    }
}

static void print_difference(void *env, size_t memory, uint64_t offset, uint64_t length) {
    ++*(size_t *)env;
    printf("memory %zu: 0x%" PRIx64 "..0x%" PRIx64 "\n", memory, offset, offset + length);
}

static enum cli_exit show(const struct diag *diag, wasm_engine_t *engine, const char *path,
                          bool verify) {
    catnap_snapshot_t *snapshot;
    enum cli_exit code = keep_open(diag, engine, path, NULL, !verify, &snapshot);
    if (code != CLI_EXIT_OK)
        return code;
    if (verify) {
        print_path(stdout, path);
        printf(": all checksums are right\n");
    } else {
        print_info(path, snapshot);
    }
    catnap_snapshot_delete(snapshot);
    return CLI_EXIT_OK;
}

static enum cli_exit diff(const struct diag *diag, wasm_engine_t *engine, char **paths) {
    catnap_snapshot_t *a = NULL, *b = NULL;
    size_t differences = 0;
    enum cli_exit code = keep_open(diag, engine, paths[0], NULL, false, &a);
    if (code == CLI_EXIT_OK)
        code = keep_open(diag, engine, paths[1], NULL, false, &b);
    if (code == CLI_EXIT_OK) {
        catnap_snapshot_info_t first, second;
        catnap_snapshot_info(a, &first);
        catnap_snapshot_info(b, &second);
        catnap_snapshot_diff(a, b, print_difference, &differences);
        bool same = memcmp(first.identity, second.identity, sizeof(first.identity)) == 0;
        if (!same && differences == 0)
            printf("memories are the same; tables, globals or the call stack differ\n");
        code = same ? CLI_EXIT_OK : CLI_EXIT_FAILED;
    }
    catnap_snapshot_delete(a);
    catnap_snapshot_delete(b);
    return code;
}

static enum cli_exit snapshot_action(const struct diag *diag, wasm_engine_t *engine, int argc,
                                     char **argv) {
    enum cli_exit code = CLI_EXIT_OK;
    if (argc == 3 && strcmp(argv[0], "diff") == 0)
        return diff(diag, engine, argv + 1);
    bool verify = argc > 0 && strcmp(argv[0], "verify") == 0;
    if (argc < 2 || (!verify && strcmp(argv[0], "info") != 0))
        return diag_fail(diag, CLI_EXIT_USAGE, NULL,
                         "snapshot: expected info FILE..., verify FILE..., diff FILE FILE or "
                         "to-wasm FILE");
    for (int i = 1; i < argc; i++) {
        enum cli_exit one = show(diag, engine, argv[i], verify);
        if (one != CLI_EXIT_OK)
            code = one;
    }
    return code;
}

/* The word is as good as the option. */
static bool wants_module(const struct to_wasm_settings *settings, int *operands, char ***argv) {
    if (settings->to_wasm)
        return true;
    if (*operands == 0 || strcmp((*argv)[0], "to-wasm") != 0)
        return false;
    --*operands;
    ++*argv;
    return true;
}

static enum cli_exit snapshot_main(const struct command *self, struct diag *diag, int argc,
                                   char **argv) {
    struct to_wasm_settings settings = {0};
    enum cli_exit code = CLI_EXIT_USAGE;
    int operands;
    enum parse_result parsed = options_parse(self, diag, argc, argv, &settings, &operands);
    if (parsed != PARSE_OK) {
        code = parsed == PARSE_DONE ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    } else if (wants_module(&settings, &operands, &argv)) {
        code = to_wasm(diag, &settings, operands, argv);
    } else if (to_wasm_configured(&settings)) {
        diag_fail(diag, CLI_EXIT_USAGE, NULL, "these options are for --to-wasm");
    } else {
        wasm_engine_t *engine = wasm_engine_new();
        code =
            engine != NULL ? snapshot_action(diag, engine, operands, argv) : diag_no_memory(diag);
        wasm_engine_delete(engine);
    }
    run_settings_free(&settings.run);
    option_list_free(&settings.renames);
    return code;
}

const struct command command_snapshot = {
    .name = "snapshot",
    .operands = "info|verify|diff|to-wasm FILE...",
    .summary = "show, check or compare snapshots, or write them as modules",
    .help = "info shows the contents of snapshots; verify checks all checksums; diff shows where "
            "two\ndiffer, and exits with 1 when they do. to-wasm, or --to-wasm, writes the state "
            "of FILE (a\nsnapshot, or a module after initialisation) as a module for any engine. "
            "Arguments after a\nmodule are passed to its initialisation.\n",
    .options = snapshot_options,
    .option_count = sizeof(snapshot_options) / sizeof(*snapshot_options),
    .complete = COMPLETE_FILES,
    .main = snapshot_main,
};
