/*
 * Snapshots of a run: when they are taken, what is in them beside the library's part, and calls that
 * can be stopped for them.
 */
#ifndef CATNAP_CLI_KEEP_H
#define CATNAP_CLI_KEEP_H

#include "session.h"

/* The events of --snapshot-on. */
enum keep_event { KEEP_NEVER, KEEP_EXIT, KEEP_TRAP, KEEP_FUEL, KEEP_SIGNAL, KEEP_CALL };

/* Whether the settings ask for snapshots at all. */
bool keep_wanted(const struct run_settings *);
/* Looks at the settings before anything is loaded. */
bool keep_check(struct session *);

/* Defines what the program imports by the name of --snapshot-on=call:NAME, or as an earlier run was
 * told, and nothing defines: a function that only takes a snapshot. */
bool keep_define(struct session *, const wasm_module_t *, const char *name);

/* Like session_call(), with snapshots: `run` is new, or woken from one. Ends it. */
bool keep_call(struct session *, const char *path, WASM_OWN catnap_run_t *run,
               catnap_val_t *results, size_t result_count);

/* Opens a snapshot. Told the user when it returns anything but OK. */
enum cli_exit keep_open(const struct diag *, wasm_engine_t *, const char *path,
                        const catnap_snapshot_t *base, bool trust,
                        WASM_OWN catnap_snapshot_t **out);

/* The command's own part of a snapshot: WASI's state and the name of a call. */
struct kept_data {
    const void *wasi;
    size_t wasi_length;
    char call[256]; /* or "" */
};
/* False when it is none of the command's. */
bool keep_read_data(const catnap_snapshot_t *, struct kept_data *out);

#endif
