/* catnap wast: runs test scripts of the text format with the runner of the official suite. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../spec-tests/runner.h"
#include "commands.h"
#include "rows.h"
#include "text.h"

struct wast_settings {
    bool eager, deferred;
    int bounds_checks; /* 1: auto, 2: explicit */
    struct option_number features;
};

#define FIELD(member) .offset = offsetof(struct wast_settings, member)

static const struct option wast_options[] = {
    {ROW_EAGER, FIELD(eager), .help = "translate every function when its module is loaded"},
    {ROW_DEFERRED, FIELD(deferred),
     .help = "validate each function at its first call, or when a script expects a module to be "
             "refused"},
    {ROW_BOUNDS_CHECKS, FIELD(bounds_checks)},
    {ROW_FEATURES, FIELD(features)},
};

#ifdef CATNAP_HAVE_JSON

/* Takes a counted piece off the front of a block of files (see text.h). */
static bool take_piece(struct bytes *rest, const uint8_t **data, size_t *length) {
    uint64_t size;
    if (rest->length < sizeof(size))
        return false;
    memcpy(&size, rest->data, sizeof(size));
    if (size > rest->length - sizeof(size))
        return false;
    *data = rest->data + sizeof(size);
    *length = (size_t)size;
    rest->data += sizeof(size) + size;
    rest->length -= sizeof(size) + (size_t)size;
    return true;
}

/* spec_input_t.load: copies the file of that name out of the block. */
static bool load_from_block(void *env, const char *name, size_t name_size, uint8_t **out,
                            size_t *size) {
    struct bytes rest = *(const struct bytes *)env;
    const uint8_t *file_name, *data;
    size_t length;
    *out = NULL;
    *size = 0;
    while (take_piece(&rest, &file_name, &length)) {
        bool found = length == name_size && memcmp(file_name, name, length) == 0;
        if (!take_piece(&rest, &data, &length))
            return false;
        if (!found)
            continue;
        *out = malloc(length + 1);
        if (*out == NULL)
            return false;
        memcpy(*out, data, length);
        *size = length;
        return true;
    }
    return false;
}

static void report_failure(void *env, const char *source, uint32_t line, const char *message) {
    char *subject = NULL;
    int length = line > 0 ? asprintf(&subject, "%s:%" PRIu32, source, line)
                          : asprintf(&subject, "%s", source);
    diag_fail(env, CLI_EXIT_FAILED, length >= 0 ? subject : source, "%s", message);
    if (length >= 0)
        free(subject);
}

static enum cli_exit run_block(const struct diag *diag, const char *path,
                               const spec_options_t *options, const struct bytes *block) {
    struct bytes files = *block;
    const uint8_t *name, *json;
    size_t length;
    spec_counts_t counts = {0};
    if (!take_piece(&files, &name, &length) || !take_piece(&files, &json, &length))
        return diag_fail(diag, CLI_EXIT_INTERNAL, display_name(path),
                         "the script was not converted");
    spec_input_t input = {
        .json = (const char *)json,
        .json_size = length,
        .load = load_from_block,
        .env = &files,
    };
    spec_run(&input, options, &counts, report_failure, (void *)diag);
    print_path(stdout, display_name(path));
    printf(": %" PRIu32 " passed, %" PRIu32 " failed, %" PRIu32 " skipped", counts.passed,
           counts.failed, counts.skipped);
    putchar('\n');
    return counts.failed == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

#else

static enum cli_exit run_block(const struct diag *diag, const char *path,
                               const spec_options_t *options, const struct bytes *block) {
    (void)options;
    (void)block;
    return diag_fail(diag, CLI_EXIT_UNSUPPORTED, display_name(path),
                     "this catnap was built without json-c, which test scripts need");
}

#endif

static enum cli_exit run_script(const struct diag *diag, const char *path,
                                const spec_options_t *options) {
    struct bytes script, block;
    enum cli_exit code = load_file(diag, path, LOAD_AS_IS, &script);
    if (code != CLI_EXIT_OK)
        return code;
    code = text_script_to_files(diag, path, &script, &block);
    if (code == CLI_EXIT_OK)
        code = run_block(diag, path, options, &block);
    bytes_free(&script);
    bytes_free(&block);
    return code;
}

static enum cli_exit wast_main(const struct command *self, struct diag *diag, int argc,
                               char **argv) {
    struct wast_settings settings = {0};
    int operands;
    enum cli_exit first_failure = CLI_EXIT_OK;
    enum parse_result parsed = options_parse(self, diag, argc, argv, &settings, &operands);
    if (parsed != PARSE_OK)
        return parsed == PARSE_DONE ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    if (operands == 0)
        return diag_fail(diag, CLI_EXIT_USAGE, NULL, "wast: name at least one script");
    spec_options_t options = {
        .eager = settings.eager,
        .deferred = settings.deferred,
        .explicit_bounds = settings.bounds_checks == 2,
        .set_features = settings.features.given,
        .features = settings.features.value,
    };
    for (int i = 0; i < operands; i++) {
        enum cli_exit code = run_script(diag, argv[i], &options);
        fflush(stdout);
        if (first_failure == CLI_EXIT_OK)
            first_failure = code;
    }
    return first_failure;
}

const struct command command_wast = {
    .name = "wast",
    .operands = "FILE.wast...",
    .summary = "run test scripts (.wast)",
    .help = "Writes a line for each script to standard output and names each failure on standard\n"
            "error. Exits with 1 when an assertion failed.\n",
    .options = wast_options,
    .option_count = sizeof(wast_options) / sizeof(*wast_options),
    .complete = COMPLETE_FILES,
    .main = wast_main,
};
