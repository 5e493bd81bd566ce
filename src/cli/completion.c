/*
 * Shell completions, made from the tables of commands and options. The output of
 * `catnap completion SHELL` is also kept in tools/completion/ for installation.
 */
#include <string.h>

#include "commands.h"

typedef void print_option_t(FILE *, const struct command *, const struct option *);

/* Calls `print` for each option that help shows: the command's own and the common ones. */
static void each_option(FILE *out, const struct command *command, print_option_t *print) {
    for (size_t i = 0; i < command->option_count + common_option_count; i++) {
        const struct option *option = i < command->option_count
                                          ? &command->options[i]
                                          : &common_options[i - command->option_count];
        if (option->help != NULL)
            print(out, command, option);
    }
}

static void print_command_names(FILE *out, const char *separator) {
    for (size_t i = 0; commands[i] != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? separator : "", commands[i]->name);
}

static void print_words(FILE *out, const char *const *words) {
    for (; words != NULL && *words != NULL; words++)
        fprintf(out, " %s", *words);
}

/* Text for inside single quotes, with a backslash before the characters in `escape`. */
static void print_quoted(FILE *out, const char *text, const char *escape) {
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else
            fprintf(out, "%s%c", strchr(escape, *text) != NULL ? "\\" : "", *text);
    }
}

/* ---- bash ------------------------------------------------------------------------------------ */

static void bash_option(FILE *out, const struct command *command, const struct option *option) {
    (void)command;
    fprintf(out, " --%s", option->name);
    if (!option->argument_optional)
        return;
    for (const char *word = option->words; *word != '\0';) {
        size_t length = strcspn(word, " ");
        fprintf(out, " --%s=%.*s", option->name, (int)length, word);
        word += length + (word[length] != '\0');
    }
}

/* Bash: the words offered after an option that takes an argument. */
static void bash_argument(FILE *out, const struct command *command, const struct option *option) {
    static const char *const actions[] = {
        [COMPLETE_NOTHING] = "-W ''", [COMPLETE_FILES] = "-f", [COMPLETE_DIRECTORIES] = "-d"};
    if (option->kind == OPTION_FLAG || option->argument_optional)
        return;
    fprintf(out, "        %s:--%s) offer=", command->name, option->name);
    if (option->complete == COMPLETE_WORDS)
        fprintf(out, "(-W '%s')", option->words);
    else
        fprintf(out, "(%s)", actions[option->complete]);
    fputs(" ;;\n", out);
}

static void print_bash(FILE *out) {
    fputs("# Completion of the catnap command for bash; made by 'catnap completion bash'.\n"
          "_catnap()\n{\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local command=run options= operands=\n"
          "    local -a offer=()\n"
          "    local -i first=1\n"
          "    while ((first < COMP_CWORD)) && [[ ${COMP_WORDS[first]} == --json ]]; do\n"
          "        first+=1\n"
          "    done\n"
          "    case ${COMP_WORDS[first]} in\n        ",
          out);
    print_command_names(out, "|");
    fputs(") ((COMP_CWORD > first)) && command=${COMP_WORDS[first]} ;;\n"
          "    esac\n"
          "    case $command:$previous in\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++)
        each_option(out, commands[i], bash_argument);
    fputs("    esac\n    case $command in\n", out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        fprintf(out, "        %s)\n            options='", commands[i]->name);
        each_option(out, commands[i], bash_option);
        fputs("'\n            operands='", out);
        print_words(out, commands[i]->operand_words);
        fputs("' ;;\n", out);
    }
    fputs("    esac\n"
          "    if ((COMP_CWORD == first)); then\n"
          "        options+=' --version'\n"
          "        operands='",
          out);
    print_command_names(out, " ");
    fputs("'\n"
          "    fi\n"
          "    if ((${#offer[@]} == 0)); then\n"
          "        if [[ $current == -* ]]; then\n"
          "            offer=(-W \"$options\")\n"
          "        elif [[ -n $operands ]]; then\n"
          "            offer=(-W \"$operands\")\n"
          "            ((COMP_CWORD == first)) && offer+=(-f)\n"
          "        else\n"
          "            offer=(-f)\n"
          "        fi\n"
          "    fi\n"
          "    mapfile -t COMPREPLY < <(compgen \"${offer[@]}\" -- \"$current\")\n"
          "}\n"
          "complete -o filenames -F _catnap catnap\n",
          out);
}

/* ---- zsh ------------------------------------------------------------------------------------- */

/* Characters that are special to zsh's _arguments and _describe. */
static const char zsh_special[] = "[]:\\";

static void zsh_option(FILE *out, const struct command *command, const struct option *option) {
    static const char *const actions[] = {[COMPLETE_NOTHING] = " ",
                                          [COMPLETE_FILES] = "_files",
                                          [COMPLETE_DIRECTORIES] = "_directories"};
    (void)command;
    fprintf(out, "                '%s--%s", option->kind == OPTION_LIST ? "*" : "", option->name);
    if (option->kind != OPTION_FLAG)
        fputs(option->argument_optional ? "=-" : "=", out);
    fputc('[', out);
    print_quoted(out, option->help, zsh_special);
    fputc(']', out);
    if (option->kind != OPTION_FLAG) {
        fputs(option->argument_optional ? "::" : ":", out);
        print_quoted(out, option->metavar, zsh_special);
        if (option->complete == COMPLETE_WORDS)
            fprintf(out, ":(%s)", option->words);
        else
            fprintf(out, ":%s", actions[option->complete]);
    }
    fputs("' \\\n", out);
}

static void zsh_operands(FILE *out, const struct command *command) {
    fputs("                ", out);
    if (command->operand_words != NULL) {
        fputs("'1:name:(", out);
        print_words(out, command->operand_words);
        fputs(" )'", out);
    } else if (command->options_first) {
        fputs("'1:file:_files' '*:argument:_files'", out);
    } else {
        fputs("'*:file:_files'", out);
    }
}

static void print_zsh(FILE *out) {
    fputs("#compdef catnap\n"
          "# Completion of the catnap command for zsh; made by 'catnap completion zsh'.\n"
          "_catnap()\n{\n"
          "    local command=run\n"
          "    while ((CURRENT > 2)) && [[ ${words[2]} == --json ]]; do\n"
          "        shift words\n"
          "        ((CURRENT--))\n"
          "    done\n"
          "    if ((CURRENT == 2)) && [[ ${words[2]} != -* ]]; then\n"
          "        local -a names=(\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        fprintf(out, "            '%s:", commands[i]->name);
        print_quoted(out, commands[i]->summary, zsh_special);
        fputs("'\n", out);
    }
    fputs("        )\n"
          "        _describe command names\n"
          "        _files\n"
          "        return\n"
          "    fi\n"
          "    case ${words[2]} in\n        ",
          out);
    print_command_names(out, "|");
    fputs(")\n"
          "            command=${words[2]}\n"
          "            shift words\n"
          "            ((CURRENT--)) ;;\n"
          "    esac\n"
          "    case $command in\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        fprintf(out, "        %s)\n            _arguments -S%s \\\n", commands[i]->name,
                commands[i]->options_first ? " -A '-*'" : "");
        each_option(out, commands[i], zsh_option);
        zsh_operands(out, commands[i]);
        fputs(" ;;\n", out);
    }
    fputs("    esac\n}\n_catnap \"$@\"\n", out);
}

/* ---- fish ------------------------------------------------------------------------------------ */

static void fish_option(FILE *out, const struct command *command, const struct option *option) {
    static const char *const arguments[] = {[COMPLETE_NOTHING] = " -x",
                                            [COMPLETE_FILES] = " -r -F",
                                            [COMPLETE_DIRECTORIES] =
                                                " -x -a '(__fish_complete_directories)'"};
    fprintf(out, "complete -c catnap -n '__catnap_is %s' -l %s", command->name, option->name);
    if (option->letter != 0)
        fprintf(out, " -s %c", option->letter);
    if (option->kind != OPTION_FLAG && !option->argument_optional) {
        if (option->complete == COMPLETE_WORDS)
            fprintf(out, " -x -a '%s'", option->words);
        else
            fputs(arguments[option->complete], out);
    }
    fputs(" -d '", out);
    print_quoted(out, option->help, "\\");
    fputs("'\n", out);
}

static void print_fish(FILE *out) {
    fputs("# Completion of the catnap command for fish; made by 'catnap completion fish'.\n"
          "function __catnap_is\n"
          "    set -l words (string match -v -- --json (commandline -opc))\n"
          "    set -l command run\n"
          "    if set -q words[2]; and contains -- $words[2] ",
          out);
    print_command_names(out, " ");
    fputs("\n"
          "        set command $words[2]\n"
          "    end\n"
          "    test $command = $argv[1]\n"
          "end\n"
          "function __catnap_first\n"
          "    test (count (string match -v -- --json (commandline -opc))) = 1\n"
          "end\n"
          "complete -c catnap -n __catnap_first -s V -l version -d 'show the version'\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        fprintf(out, "complete -c catnap -n __catnap_first -a %s -d '", commands[i]->name);
        print_quoted(out, commands[i]->summary, "\\");
        fputs("'\n", out);
        if (commands[i]->operand_words != NULL) {
            fprintf(out, "complete -c catnap -n '__catnap_is %s' -f -a '", commands[i]->name);
            print_words(out, commands[i]->operand_words);
            fputs("'\n", out);
        }
        each_option(out, commands[i], fish_option);
    }
}

/* ---- The command ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*print)(FILE *);
} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

static const char *const shell_names[] = {"bash", "zsh", "fish", NULL};

static enum cli_exit completion_main(const struct command *self, struct diag *diag, int argc,
                                     char **argv) {
    int operands;
    enum parse_result parsed = options_parse(self, diag, argc, argv, NULL, &operands);
    if (parsed != PARSE_OK)
        return parsed == PARSE_DONE ? CLI_EXIT_OK : CLI_EXIT_USAGE;
    for (size_t i = 0; operands == 1 && i < sizeof(shells) / sizeof(*shells); i++)
        if (strcmp(argv[0], shells[i].name) == 0) {
            shells[i].print(stdout);
            return CLI_EXIT_OK;
        }
    return diag_fail(diag, CLI_EXIT_USAGE, NULL, "completion: name one shell: bash, zsh or fish");
}

const struct command command_completion = {
    .name = "completion",
    .operands = "bash|zsh|fish",
    .summary = "print a completion script for a shell",
    .help = "For bash: source <(catnap completion bash)\n",
    .complete = COMPLETE_WORDS,
    .operand_words = shell_names,
    .main = completion_main,
};
