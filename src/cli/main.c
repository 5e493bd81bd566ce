/*
 * The catnap command: finds the subcommand and calls it.
 *
 * The command uses the two public headers and no other part of the library. Each file has one concern:
 * options.c parses by the tables that run.c, inspect.c and the other commands declare, and rows.h has the
 * rows that several of those tables share; help.c and completion.c print from the same tables; load.c
 * reads files, save.c writes them, text.c and wat.cc convert text to binaries; session.c holds engine,
 * store, WASI and linker of a run, preload.c loads further modules into it, listen.c makes its sockets;
 * invoke.c and values.c parse and print typed values; deadline.c is the clock of --timeout; resume.c,
 * snapshot.c and keep.c handle snapshots, to_wasm.c writes modules; stats.c and profile.c print
 * statistics, and diag.c everything else on standard error. wast.c passes scripts to spec-tests/.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "help.h"

const struct command *const commands[] = {
    &command_run,  &command_resume, &command_snapshot,   &command_validate, &command_inspect,
    &command_wast, &command_cache,  &command_completion, &command_help,     NULL,
};
#define COMMANDS (sizeof(commands) / sizeof(*commands) - 1)

const struct command *find_command(const char *name) {
    for (size_t i = 0; commands[i] != NULL; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* Descriptors 0 to 2 are standard streams even when the caller closed them: nothing that is opened
 * later may be taken for one. Lost results are an error, so that standard output, other
 * than the guest's, is one that cannot be written. */
static void occupy_standard_streams(struct diag *diag) {
    diag->no_output = fcntl(STDOUT_FILENO, F_GETFD) < 0;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int mode = fd == STDOUT_FILENO ? O_RDONLY : O_RDWR;
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode | O_NOCTTY) < 0)
            return;
    }
}

/* A file that is not there may be a misspelt command. */
static void hint_command(const struct diag *diag, const char *word) {
    const char *names[COMMANDS + 1];
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i]->name;
    names[COMMANDS] = NULL;
    const char *meant = closest_name(word, names);
    if (meant != NULL && access(word, F_OK) != 0 && errno == ENOENT)
        diag_hint(diag, "Did you mean 'catnap %s'?", meant);
}

static enum cli_exit dispatch(struct diag *diag, int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        fflush(stderr);
        return CLI_EXIT_USAGE;
    }
    int first = 1; /* behind the options that are for every command */
    while (first + 1 < argc && strcmp(argv[first], "--json") == 0)
        first++;
    const char *word = argv[first];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        print_help(stdout);
        return CLI_EXIT_OK;
    }
    const struct command *command = find_command(word);
    if (command != NULL) {
        diag->json = first > 1;
        return command->main(command, diag, argc - first - 1, argv + first + 1);
    }
    enum cli_exit code = commands[0]->main(commands[0], diag, argc - 1, argv + 1);
    if (code == CLI_EXIT_UNREADABLE)
        hint_command(diag, word);
    return code;
}

int main(int argc, char **argv) {
    struct diag diag = {0};
    occupy_standard_streams(&diag);
    /* Each diagnostic is flushed when it is whole, so that it comes out in one piece. */
    setvbuf(stderr, NULL, _IOFBF, BUFSIZ);
    return (int)diag_finish_output(&diag, dispatch(&diag, argc, argv));
}
