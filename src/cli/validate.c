/* catnap validate: decodes and validates, and runs nothing. */
#include "commands.h"
#include "load.h"

static enum cli_exit validate_file(const struct diag *diag, wasm_engine_t *engine,
                                   const char *path) {
    struct bytes bytes;
    enum cli_exit code = load_file(diag, path, LOAD_MODULE, &bytes);
    if (code != CLI_EXIT_OK)
        return code;
    catnap_error_t *error = catnap_module_validate(engine, bytes.data, bytes.length);
    bytes_free(&bytes);
    return error == NULL ? CLI_EXIT_OK : diag_error(diag, display_name(path), error);
}

static enum cli_exit validate_main(const struct command *self, struct diag *diag, int argc,
                                   char **argv) {
    int operands;
    enum cli_exit first_failure = CLI_EXIT_OK;
    enum parse_result parsed = options_parse(self, diag, argc, argv, NULL, &operands);
    if (parsed != PARSE_OK)
        return parsed == PARSE_DONE ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    if (operands == 0)
        return diag_fail(diag, CLI_EXIT_USAGE, NULL, "validate: name at least one file");
    wasm_engine_t *engine = wasm_engine_new();
    if (engine == NULL)
        return diag_no_memory(diag);
    for (int i = 0; i < operands; i++) {
        enum cli_exit code = validate_file(diag, engine, argv[i]);
        if (first_failure == CLI_EXIT_OK)
            first_failure = code;
    }
    wasm_engine_delete(engine);
    return first_failure;
}

const struct command command_validate = {
    .name = "validate",
    .operands = "FILE...",
    .summary = "check whether modules are valid",
    .help = "Prints nothing for valid files. The exit code is that of the first failure.\n",
    .complete = COMPLETE_FILES,
    .main = validate_main,
};
