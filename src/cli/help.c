#include "help.h"

#include <string.h>

#include "catnap.h"
#include "commands.h"

/* Where the explanations of a table start, and where they end. */
#define HELP_COLUMN 28
#define HELP_WIDTH 98

/* Writes text from HELP_COLUMN on, wrapped; `column` is where the cursor is. */
static void print_wrapped(FILE *out, size_t column, const char *text) {
    if (column >= HELP_COLUMN) {
        fputc('\n', out);
        column = 0;
    }
    fprintf(out, "%*s", (int)(HELP_COLUMN - column), "");
    column = HELP_COLUMN;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column + word > HELP_WIDTH) {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        column += word + 1;
        fwrite(text, 1, word, out);
        text += word;
        if (*text == ' ') {
            text++;
            if (column + strcspn(text, " ") <= HELP_WIDTH)
                fputc(' ', out);
        }
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const struct option *option) {
    int column = 0;
    if (option->help == NULL)
        return;
    if (option->letter != 0)
        column = fprintf(out, "  -%c, --%s", option->letter, option->name);
    else
        column = fprintf(out, "      --%s", option->name);
    if (option->metavar != NULL && option->argument_optional)
        column += fprintf(out, "[=%s]", option->metavar);
    else if (option->metavar != NULL)
        column += fprintf(out, " %s", option->metavar);
    print_wrapped(out, (size_t)column, option->help);
}

void print_command_help(FILE *out, const struct command *command) {
    const char *format = command == commands[0] ? "Usage: catnap [%s] [options] %s\n\n"
                                                : "Usage: catnap %s [options] %s\n\n";
    fprintf(out, format, command->name, command->operands);
    fprintf(out, "%c%s.\n", command->summary[0] & ~0x20, command->summary + 1);
    if (command->help[0] != '\0')
        fprintf(out, "\n%s", command->help);
    fputs("\nOptions:\n", out);
    for (size_t i = 0; i < command->option_count; i++)
        print_option(out, &command->options[i]);
    for (size_t i = 0; i < common_option_count; i++)
        print_option(out, &common_options[i]);
}

void print_help(FILE *out) {
    fputs("catnap runs WebAssembly programs.\n\n"
          "Usage: catnap [run] [options] file.wasm [arguments...]\n"
          "       catnap COMMAND [options] [operands...]\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        int column = fprintf(out, "  %s", commands[i]->name);
        print_wrapped(out, (size_t)column, commands[i]->summary);
    }
    fputs("\n'catnap help COMMAND' shows the options of a command; 'run' is the default.\n"
          "Files are WebAssembly binaries or text (.wat); - is standard input.\n\n"
          "Options:\n",
          out);
    for (size_t i = 0; i < common_option_count; i++)
        print_option(out, &common_options[i]);
    int column = fprintf(out, "  -V, --version");
    print_wrapped(out, (size_t)column, "show the version and the features");
    fputs("\nExit codes:\n", out);
    const struct exit_code *row;
    for (size_t i = 0; (row = exit_code_at(i)) != NULL; i++) {
        column = fprintf(out, "  %3d  %s", row->code, row->kind);
        print_wrapped(out, (size_t)column, row->meaning);
    }
}

static void print_features(FILE *out, const char *what, catnap_features_t features) {
    if (features == 0)
        return;
    fputs(what, out);
    for (catnap_features_t feature = 1; feature != 0; feature <<= 1)
        if (features & feature)
            fprintf(out, " %s", catnap_feature_name(feature));
    fputc('\n', out);
}

void print_version(FILE *out) {
#ifdef CATNAP_HAVE_JSON
    const char *scripts = "yes";
#else
    const char *scripts = "no (built without json-c)";
#endif
    fprintf(out, "catnap %s\n", catnap_version());
    print_features(out, "features:", CATNAP_FEATURES_DEFAULT);
    print_features(
        out, "features that are off by default:", CATNAP_FEATURES_ALL & ~CATNAP_FEATURES_DEFAULT);
    fputs("system interface: WASI preview 1\n", out);
    fprintf(out, "text format: yes\ntest scripts: %s\n", scripts);
}

static enum cli_exit help_main(const struct command *self, struct diag *diag, int argc,
                               char **argv) {
    int operands;
    enum parse_result parsed = options_parse(self, diag, argc, argv, NULL, &operands);
    if (parsed != PARSE_OK)
        return parsed == PARSE_DONE ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    if (operands == 0) {
        print_help(stdout);
        return CLI_EXIT_OK;
    }
    const struct command *command = find_command(argv[0]);
    if (command == NULL || operands > 1)
        return diag_fail(diag, CLI_EXIT_USAGE, NULL, "help: there is no command '%s'",
                         argv[operands - 1]);
    print_command_help(stdout, command);
    return CLI_EXIT_OK;
}

static const char *const command_names[] = {"run",  "resume", "snapshot",   "validate", "inspect",
                                            "wast", "cache",  "completion", "help",     NULL};

const struct command command_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .summary = "explain a command, or list all commands and exit codes",
    .help = "",
    .complete = COMPLETE_WORDS,
    .operand_words = command_names,
    .main = help_main,
};
