/*
 * Exit codes, and diagnostics on standard error as text or JSON.
 *
 * Standard output belongs to results and to the guest; nothing here writes to it.
 */
#ifndef CATNAP_CLI_DIAG_H
#define CATNAP_CLI_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "catnap.h"

/*
 * The exit codes, once: X(name, code, kind, label, meaning).
 *   kind   the value of "kind" in JSON diagnostics
 *   label  what a text diagnostic says before its message; "" for nothing
 * Guests use small numbers and shells 126 to 165, so ours keep to sysexits' range and to what
 * timeout(1) made known; 134 (128 + SIGABRT) is what other engines return for a trap.
 */
#define CLI_EXIT_CODES(X)                                                                          \
    X(OK, 0, "ok", "", "success; after a run, the guest's own exit code is passed through")        \
    X(FAILED, 1, "failed", "", "a test script failed, snapshots differ, or a cache was damaged")   \
    X(USAGE, 64, "usage", "", "the command line is wrong, or there is no such function to run")    \
    X(MALFORMED, 65, "malformed", "malformed module", "the file is not a WebAssembly module")      \
    X(UNREADABLE, 66, "unreadable", "cannot read", "a file or directory cannot be read")           \
    X(INVALID, 67, "invalid", "invalid module", "the module does not validate")                    \
    X(UNSUPPORTED, 68, "unsupported", "unsupported",                                               \
      "a feature that this version or build does not support")                                     \
    X(LINK, 69, "link", "link error", "an import is missing or has another type")                  \
    X(INTERNAL, 70, "internal", "internal error", "internal error (a bug in catnap)")              \
    X(NO_MEMORY, 71, "no-memory", "out of memory", "the engine ran out of memory")                 \
    X(IO, 74, "io", "input/output error",                                                          \
      "results cannot be written, or listening on an address failed")                              \
    X(FUEL, 122, "out-of-fuel", "out of fuel", "the fuel given by --fuel is used up")              \
    X(LIMIT, 123, "limit", "limit exceeded", "a limit of the engine or of an option is exceeded")  \
    X(TIMEOUT, 124, "timeout", "timeout", "the time limit of --timeout was reached")               \
    X(TRAP, 134, "trap", "trap", "the guest trapped")

enum cli_exit {
#define X(name, code, kind, label, meaning) CLI_EXIT_##name = code,
    CLI_EXIT_CODES(X)
#undef X
};

/* One row of the table, for help and documentation. */
struct exit_code {
    enum cli_exit code;
    const char *kind;
    const char *label;
    const char *meaning;
};

/* Row `index`, or NULL past the last. */
const struct exit_code *exit_code_at(size_t index);

/* How to tell. */
struct diag {
    bool json;
    bool no_output; /* standard output was closed from the start */
};

/* The details of a diagnostic beyond its message; zero-initialise and set what applies. */
struct diag_detail {
    const char *subject; /* the file, or NULL */
    bool has_offset;
    uint64_t offset; /* in the module */
    bool has_function;
    uint32_t function;       /* index in the module */
    const wasm_trap_t *trap; /* its frames are shown */
    bool lines; /* newlines in the message end lines: all names in it were escaped before */
};

/* Reports a failure and returns its exit code, for `return diag_fail(...)`. subject may be NULL. */
enum cli_exit diag_fail(const struct diag *, enum cli_exit, const char *subject, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));

/* The same with details. */
enum cli_exit diag_report(const struct diag *, enum cli_exit, const struct diag_detail *,
                          const char *message);

/* Says what the user could do, after a failure. Text only: a program has no use for hints. */
void diag_hint(const struct diag *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says what is wrong though the command goes on: an error of the library, which is deleted. */
void diag_warning(const struct diag *, const char *subject, WASM_OWN catnap_error_t *);

/* Reports an error of the library, deletes it, and returns the exit code that goes with it. */
enum cli_exit diag_error(const struct diag *, const char *subject, WASM_OWN catnap_error_t *);

/* Reports that memory is exhausted. */
enum cli_exit diag_no_memory(const struct diag *);

/* Writes text of unknown origin in one line, escaped by catnap_escape(). */
void print_safe(FILE *, const char *text, size_t length);

/* The same for a name or a path that ends with a NUL. */
void print_path(FILE *, const char *path);

/* Writes a JSON string, quotes included. */
void print_json_string(FILE *, const char *text, size_t length);

/* Flushes standard output; reports, once, and returns CLI_EXIT_IO when something did not get through,
 * else returns `code`. */
enum cli_exit diag_finish_output(const struct diag *, enum cli_exit code);

#endif
