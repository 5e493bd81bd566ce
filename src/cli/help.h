/* Help text, made from the tables of commands, options and exit codes. */
#ifndef CATNAP_CLI_HELP_H
#define CATNAP_CLI_HELP_H

#include <stdio.h>

#include "options.h"

/* The whole command: its subcommands, how to get more help, exit codes. */
void print_help(FILE *);

/* One subcommand and its options. */
void print_command_help(FILE *, const struct command *);

/* Name and version on the first line, features on the others. */
void print_version(FILE *);

#endif
