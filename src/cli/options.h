/*
 * Command lines, driven by tables: one table of options for each subcommand feeds the parser, the
 * help text and the shell completions, and the tests hold the man pages against them.
 */
#ifndef CATNAP_CLI_OPTIONS_H
#define CATNAP_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag.h"

/* The form of an option's argument, and so the type of the field that it sets. */
enum option_kind {
    OPTION_FLAG,     /* none; bool */
    OPTION_NUMBER,   /* struct option_number */
    OPTION_SIZE,     /* bytes with an optional K, M, G or T; struct option_number */
    OPTION_DURATION, /* seconds, or with ns, us, ms, s, m, h; struct option_number, nanoseconds */
    OPTION_FEATURES, /* names of features with commas; struct option_number, catnap_features_t */
    OPTION_STRING,   /* const char * */
    OPTION_CHOICE,   /* one of `words`; int, its index counted from 1 */
    OPTION_LIST      /* may be repeated; struct option_list, tagged with the option */
};

/* The completions that a shell offers for the argument. */
enum option_complete { COMPLETE_NOTHING, COMPLETE_WORDS, COMPLETE_FILES, COMPLETE_DIRECTORIES };

struct option {
    const char *name; /* without the dashes */
    char letter;      /* short form, or 0 */
    enum option_kind kind;
    bool argument_optional; /* only as --name=ARGUMENT; absent counts as the first of `words` */
    const char *metavar;    /* name of the argument in help; NULL for flags */
    const char *words;      /* of a choice, separated by spaces */
    enum option_complete complete;
    size_t offset;    /* of the field in the settings */
    const char *help; /* NULL: not shown, being another spelling or told of elsewhere */
};

struct option_number {
    bool given;
    uint64_t value;
};

struct option_list_item {
    const struct option *option;
    const char *value;
};

/* The arguments of repeated options, in their order. */
struct option_list {
    struct option_list_item *items;
    size_t count;
};

void option_list_free(struct option_list *);

/* Options of all subcommands. */
struct common_settings {
    bool json;
    bool help, version;
};

extern const struct option common_options[];
extern const size_t common_option_count;

struct command {
    const char *name;
    const char *operands; /* as the synopsis shows them */
    const char *summary;  /* one line, starts in lower case */
    const char *help;     /* what else help says, whole lines; may be "" */
    const struct option *options;
    size_t option_count;
    bool options_first;               /* the first operand ends the options */
    enum option_complete complete;    /* for operands */
    const char *const *operand_words; /* NULL-terminated, for COMPLETE_WORDS; else NULL */
    enum cli_exit (*main)(const struct command *, struct diag *, int argc, char **argv);
};

/* All subcommands in the order of the help text; the first is the default. NULL-terminated. */
extern const struct command *const commands[];

const struct command *find_command(const char *name);

/* The result of options_parse(). */
enum parse_result {
    PARSE_OK,
    PARSE_DONE, /* help or the version was asked for and given */
    PARSE_ERROR /* told the user; exit with CLI_EXIT_USAGE */
};

/* Parses argv[0..argc) into `settings`, whose fields the command's table names; diag->json is set
 * by --json. Operands are moved to the front of argv and counted in *operand_count. */
enum parse_result options_parse(const struct command *, struct diag *, int argc, char **argv,
                                void *settings, int *operand_count);

/* The name that a misspelt one may have meant, or NULL; `names` is NULL-terminated. */
const char *closest_name(const char *misspelt, const char *const *names);

enum number_result { NUMBER_OK, NUMBER_MALFORMED, NUMBER_TOO_LARGE };

/* Parses as OPTION_NUMBER does. */
enum number_result parse_number(const char *text, uint64_t *out);

#endif
