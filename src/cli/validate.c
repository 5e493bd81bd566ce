/* catnap validate: decodes and validates, and runs nothing. */
#include "commands.h"
#include "load.h"
#include "rows.h"

struct validate_settings {
    struct option_number features;
};

static const struct option validate_options[] = {
    {ROW_FEATURES, .offset = offsetof(struct validate_settings, features)},
};

static wasm_engine_t *make_engine(const struct validate_settings *settings) {
    wasm_config_t *config = wasm_config_new();
    if (config != NULL && settings->features.given)
        catnap_config_set_features(config, settings->features.value);
    return wasm_engine_new_with_config(config);
}

/* Warns of custom sections that are not as they should be. The bodies are valid, and not looked at again. */
static void check_custom(const struct diag *diag, wasm_engine_t *engine, const char *path,
                         const struct bytes *bytes) {
    catnap_module_options_t options = {.set_translation = true,
                                       .translation = CATNAP_TRANSLATION_DEFERRED};
    wasm_store_t *store = wasm_store_new(engine);
    catnap_error_t *error = NULL;
    wasm_module_t *module =
        store != NULL ? catnap_module_new(store, bytes->data, bytes->length, &options, &error)
                      : NULL;
    if (module != NULL)
        error = catnap_module_check_custom(module);
    if (error != NULL)
        diag_warning(diag, display_name(path), error);
    wasm_module_delete(module);
    wasm_store_delete(store);
}

static enum cli_exit validate_file(const struct diag *diag, wasm_engine_t *engine,
                                   const char *path) {
    struct bytes bytes;
    enum cli_exit code = load_file(diag, path, LOAD_MODULE, &bytes);
    if (code != CLI_EXIT_OK)
        return code;
    catnap_error_t *error = catnap_module_validate(engine, bytes.data, bytes.length);
    if (error == NULL)
        check_custom(diag, engine, path, &bytes);
    bytes_free(&bytes);
    return error == NULL ? CLI_EXIT_OK : diag_error(diag, display_name(path), error);
}

static enum cli_exit validate_main(const struct command *self, struct diag *diag, int argc,
                                   char **argv) {
    struct validate_settings settings = {0};
    int operands;
    enum cli_exit first_failure = CLI_EXIT_OK;
    enum parse_result parsed = options_parse(self, diag, argc, argv, &settings, &operands);
    if (parsed != PARSE_OK)
        return parsed == PARSE_DONE ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    if (operands == 0)
        return diag_fail(diag, CLI_EXIT_USAGE, NULL, "validate: name at least one file");
    wasm_engine_t *engine = make_engine(&settings);
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
    .help = "Prints nothing for valid files but warnings of custom sections that are wrong. The "
            "exit code is\n"
            "that of the first failure.\n",
    .options = validate_options,
    .option_count = sizeof(validate_options) / sizeof(*validate_options),
    .complete = COMPLETE_FILES,
    .main = validate_main,
};
