/*
 * One run of the command: an engine, a store, the guest's system interface, the modules that were
 * loaded, and how it ended.
 *
 * The functions that return bool return false when the run has ended: by a failure, which the user
 * has been told, or because the guest asked to exit. session->exit_code then says with what code.
 */
#ifndef CATNAP_CLI_SESSION_H
#define CATNAP_CLI_SESSION_H

#include "catnap.h"
#include "deadline.h"
#include "diag.h"
#include "options.h"

/* The settings of `catnap run`, or of another command that runs something. */
struct run_settings {
    const char *invoke;
    const char *argv0;
    struct option_list directories, sockets, environment, preloads, arguments;
    struct option_number fuel, timeout, max_memory, max_table_elements, max_heap, max_engine_memory,
        max_depth, max_stack, max_threads;
    int unknown_imports;        /* 1: trap */
    int bounds_checks;          /* 1: auto, 2: explicit */
    bool eager, lazy, deferred; /* at most one */
    struct option_number threads;
    bool no_cache;
    const char *snapshot_on, *output;
    struct option_number snapshot_every;
    bool compress;
    bool same_checks, checks_fuel, checks_interruption; /* of a snapshot that is resumed */
    int stats;                                          /* 1: text, 2: json */
    bool profile_ops;
    bool deterministic;
    struct option_number features;
};

void run_settings_free(struct run_settings *);

/* A module with its instance, as far as there is one. */
struct loaded {
    const char *path;
    bool cached; /* it was found in the cache, and not validated */
    wasm_module_t *module;
    wasm_instance_t *instance;
};

struct session {
    const struct diag *diag;
    const struct run_settings *settings;
    wasm_engine_t *engine;
    wasm_store_t *store;
    catnap_cache_t *cache; /* or NULL */
    catnap_wasi_t *wasi;
    int *sockets; /* those that listen */
    size_t socket_count;
    catnap_linker_t *linker;
    struct deadline deadline;
    struct loaded *loaded; /* the program, then the preloaded modules */
    size_t loaded_count;
    const char
        *output;       /* where to write to: what -o names, by the directory that it was at first */
    char *output_path; /* the same, own, or NULL */
    int output_directory;  /* or -1 */
    const char *keep_call; /* the function that asks for snapshots, or "" */
    uint64_t instantiate_ns, run_ns;
    int exit_code;
    bool exited; /* the guest asked for it */
};

/* Begins a run that is about a file (borrowed), and starts the clock of --timeout: before anything is done
 * that may take time. Ended or not, session_close() is due. */
bool session_begin(struct session *, const struct diag *, const struct run_settings *,
                   const char *path);

/* Makes engine and store as the settings say. */
bool session_open(struct session *);

/* Makes the linker, and WASI with the command's standard streams. */
bool session_make_wasi(struct session *);

/* The same, for a program with these arguments (its name first is session's to find): with what the
 * settings let it use, and defined for the linker. */
bool session_open_wasi(struct session *, const char *path, int argc, char **argv);

/* The host's part of "HOST[::GUEST]", for free(); NULL when memory is exhausted. */
char *session_host_path(const char *directory);
/* The guest's name, a part of the text. */
const char *session_guest_path(const char *directory);
/* Gives the guest the settings' directories. */
bool session_add_directories(struct session *);

/* Loads, decodes and validates a module; *out is the session's. At most one program and what the
 * settings preload. */
bool session_load(struct session *, const char *path, struct loaded **out);

/* Defines what threads of a program need, if the settings allow any. */
bool session_allow_threads(struct session *, const struct loaded *);

/* Links and instantiates a module, with its start function. */
bool session_instantiate(struct session *, struct loaded *);

/* Calls a function. Reference results are the caller's. */
bool session_call(struct session *, const struct loaded *, const wasm_func_t *,
                  const catnap_val_t *arguments, size_t argument_count, catnap_val_t *results,
                  size_t result_count);

/* Ends the run as the trap says; false. */
bool session_trap(struct session *, const char *path, WASM_OWN wasm_trap_t *);
/* To be called right before each resumption of a run, which the clock then interrupts until
 * deadline_disarm(). False when the time is over, which ends it. */
bool session_arm(struct session *);

/* Ends the run with an exit code; false, for `return session_end(...)`. */
bool session_end(struct session *, int exit_code);

/* Returns the exit code: another one when output was lost. */
int session_close(struct session *);

/* Writes what --stats asks for to standard error. */
void print_stats(const struct session *);
/* Writes the counts of --profile-ops to stderr: percent, executions, instruction or pair. */
void print_profile(const struct session *);

#endif
