/*
 * libFuzzer target: command lines of every subcommand, parsed and not run. Built with
 * -fsanitize=fuzzer,address,undefined; the corpus is tests/fuzz/corpus/options.
 *
 * The first byte of an input chooses the subcommand, the rest are its words, each ended by a line feed. The
 * settings have the size that the table of options asks for, so that the sanitizer sees a field beyond. It
 * holds that words are not changed, that operands are words in their order, that what is stored came from
 * the words, and that the same words give the same answer again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/cli/commands.h"

#define WORDS 64

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

const struct command *const commands[] = {
    &command_run,  &command_resume, &command_snapshot,   &command_validate, &command_inspect,
    &command_wast, &command_cache,  &command_completion, &command_help,     NULL,
};
#define COMMANDS (sizeof commands / sizeof *commands - 1)

const struct command *find_command(const char *name) {
    for (size_t i = 0; commands[i] != NULL; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void require(bool condition) {
    if (!condition)
        abort();
}

static size_t field_size(enum option_kind kind) {
    switch (kind) {
    case OPTION_FLAG:
        return sizeof(bool);
    case OPTION_NUMBER:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_FEATURES:
        return sizeof(struct option_number);
    case OPTION_STRING:
        return sizeof(const char *);
    case OPTION_CHOICE:
        return sizeof(int);
    case OPTION_LIST:
        return sizeof(struct option_list);
    }
    abort();
}

static size_t settings_size(const struct command *command) {
    size_t size = 1;
    for (size_t i = 0; i < command->option_count; i++) {
        size_t end = command->options[i].offset + field_size(command->options[i].kind);
        size = end > size ? end : size;
    }
    return size;
}

static int count_words(const char *words) {
    int count = 1;
    for (; *words != '\0'; words++)
        count += *words == ' ';
    return count;
}

/* The words, and where they lie: `text` is `size` bytes of words that end in NUL. */
struct line {
    char *text;
    size_t size;
    char *argv[WORDS];
    int argc;
};

static bool is_of(const struct line *line, const char *value) {
    return value >= line->text && value < line->text + line->size;
}

static void check_field(const struct line *line, const struct option *option, void *settings) {
    void *field = (char *)settings + option->offset;
    const char *text = option->kind == OPTION_STRING ? *(const char **)field : NULL;
    struct option_list *list = option->kind == OPTION_LIST ? field : NULL;
    require(text == NULL || is_of(line, text));
    if (option->kind == OPTION_CHOICE)
        require(*(int *)field >= 0 && *(int *)field <= count_words(option->words));
    for (size_t i = 0; list != NULL && i < list->count; i++)
        require(is_of(line, list->items[i].value));
    if (list != NULL)
        option_list_free(list); /* several options may have the same one */
}

/* Parses a copy of the words; what came of it, and the number of operands. */
static enum parse_result parse(const struct command *command, const struct line *line,
                               int *operands) {
    struct diag diag = {.json = line->argc % 2 == 1};
    void *settings = calloc(1, settings_size(command));
    char **argv = malloc((size_t)(line->argc + 1) * sizeof *argv);
    require(settings != NULL && argv != NULL);
    memcpy(argv, line->argv, (size_t)line->argc * sizeof *argv);
    enum parse_result result = options_parse(command, &diag, line->argc, argv, settings, operands);
    require(*operands >= 0 && *operands <= line->argc);
    for (int i = 0, from = 0; result == PARSE_OK && i < *operands; i++, from++) {
        while (from < line->argc && line->argv[from] != argv[i])
            from++;
        require(from < line->argc);
    }
    for (size_t i = 0; i < command->option_count; i++)
        check_field(line, &command->options[i], settings);
    free(argv);
    free(settings);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct line line = {0};
    int operands, again;
    if (size == 0)
        return 0;
    const struct command *command = commands[bytes[0] % COMMANDS];
    line.text = malloc(size);
    char *before = malloc(size);
    require(line.text != NULL && before != NULL);
    memcpy(line.text, bytes + 1, size - 1);
    line.text[size - 1] = '\0'; /* the last word may lack its line feed */
    line.size = size;
    char *word = line.text;
    for (char *at = line.text; at < line.text + size && line.argc < WORDS; at++)
        if (*at == '\n' || *at == '\0') {
            *at = '\0';
            line.argv[line.argc++] = word;
            word = at + 1;
        }
    memcpy(before, line.text, size);
    enum parse_result result = parse(command, &line, &operands);
    require(parse(command, &line, &again) == result && again == operands);
    require(memcmp(before, line.text, size) == 0);
    free(before);
    free(line.text);
    return 0;
}

/* The command's output goes nowhere; libFuzzer keeps the stream that it had before. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    FILE *nowhere = fopen("/dev/null", "w");
    require(nowhere != NULL && freopen("/dev/null", "w", stdout) != NULL);
    stderr = nowhere;
    return 0;
}
