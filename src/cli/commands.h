/* The subcommands; main.c lists them. */
#ifndef CATNAP_CLI_COMMANDS_H
#define CATNAP_CLI_COMMANDS_H

#include "options.h"

extern const struct command command_run;
extern const struct command command_resume;
extern const struct command command_snapshot;
extern const struct command command_validate;
extern const struct command command_inspect;
extern const struct command command_wast;
extern const struct command command_cache;
extern const struct command command_completion;
extern const struct command command_help;

#endif
