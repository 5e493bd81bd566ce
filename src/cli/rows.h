/*
 * The common part of rows that several option tables have: all but the field that is
 * set and, where it is not the same everywhere, what help says.
 */
#ifndef CATNAP_CLI_ROWS_H
#define CATNAP_CLI_ROWS_H

#include "options.h"

#define ROW_INVOKE .name = "invoke", .kind = OPTION_STRING, .metavar = "NAME"
#define ROW_DIR                                                                                    \
    .name = "dir", .kind = OPTION_LIST, .metavar = "HOST[::GUEST]", .complete = COMPLETE_DIRECTORIES
#define ROW_DIR_RO                                                                                 \
    .name = "dir-ro", .kind = OPTION_LIST, .metavar = "HOST[::GUEST]",                             \
    .complete = COMPLETE_DIRECTORIES, .help = "the same, read-only (repeatable)"
#define ROW_ENV .name = "env", .kind = OPTION_LIST, .metavar = "NAME[=VALUE]"
#define ROW_PRELOAD                                                                                \
    .name = "preload", .kind = OPTION_LIST, .metavar = "NAME=FILE", .complete = COMPLETE_FILES
#define ROW_FUEL .name = "fuel", .kind = OPTION_NUMBER, .metavar = "N"
#define ROW_TIMEOUT .name = "timeout", .kind = OPTION_DURATION, .metavar = "TIME"
#define ROW_MAX_MEMORY                                                                             \
    .name = "max-memory", .kind = OPTION_SIZE, .metavar = "SIZE",                                  \
    .help = "limit for all linear memories and tables together, in bytes or with K, M, G, T; an "  \
            "element of a table takes 8 bytes"
#define ROW_MAX_TABLE_ELEMENTS                                                                     \
    .name = "max-table-elements", .kind = OPTION_NUMBER, .metavar = "N",                           \
    .help = "limit for the elements of all tables together"
#define ROW_MAX_HEAP                                                                               \
    .name = "max-heap", .kind = OPTION_SIZE, .metavar = "SIZE",                                    \
    .help = "limit for the heap of garbage-collected objects, which also counts as memory"
#define ROW_MAX_ENGINE_MEMORY                                                                      \
    .name = "max-engine-memory", .kind = OPTION_SIZE, .metavar = "SIZE",                           \
    .help = "limit for memory that the engine itself allocates: loaded modules, translated code, " \
            "tables, "                                                                             \
            "objects"
#define ROW_MAX_DEPTH                                                                              \
    .name = "max-depth", .kind = OPTION_NUMBER, .metavar = "N",                                    \
    .help = "limit for the depth of calls, by default 200000"
#define ROW_MAX_STACK                                                                              \
    .name = "max-stack", .kind = OPTION_SIZE, .metavar = "SIZE",                                   \
    .help = "limit for the value stack, by default 64M or what --max-depth needs"
#define ROW_UNKNOWN_IMPORTS                                                                        \
    .name = "unknown-imports", .kind = OPTION_CHOICE, .metavar = "trap", .words = "trap",          \
    .complete = COMPLETE_WORDS
#define ROW_ARG .name = "arg", .kind = OPTION_LIST, .metavar = "ARGUMENT"
#define ROW_EAGER .name = "eager", .kind = OPTION_FLAG
#define ROW_DEFERRED .name = "deferred", .kind = OPTION_FLAG
#define ROW_BOUNDS_CHECKS                                                                          \
    .name = "bounds-checks", .kind = OPTION_CHOICE, .metavar = "auto|explicit",                    \
    .words = "auto explicit", .complete = COMPLETE_WORDS,                                          \
    .help = "how memory accesses are checked: by guard pages where possible, or by comparison"
#define ROW_FEATURES                                                                               \
    .name = "features", .kind = OPTION_FEATURES, .metavar = "LIST", .words = "1.0 2.0 3.0 all",    \
    .complete = COMPLETE_WORDS,                                                                    \
    .help = "language features that modules may use, with commas between: a version, a name to "   \
            "switch one on, a name behind a dash to switch it off"
#define ROW_DETERMINISTIC                                                                          \
    .name = "deterministic", .kind = OPTION_FLAG,                                                  \
    .help = "compute the same on every machine: NaNs are canonical"
#define ROW_SNAPSHOT_ON .name = "snapshot-on", .kind = OPTION_STRING, .metavar = "EVENT"
#define ROW_SNAPSHOT_EVERY .name = "snapshot-every", .kind = OPTION_DURATION, .metavar = "TIME"
#define ROW_OUTPUT                                                                                 \
    .name = "output", .letter = 'o', .kind = OPTION_STRING, .metavar = "FILE",                     \
    .complete = COMPLETE_FILES
#define ROW_COMPRESS .name = "compress", .kind = OPTION_FLAG

#endif
