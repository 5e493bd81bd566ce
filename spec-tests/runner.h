/*
 * Executes a script of the official test suite through the public headers alone, and counts what
 * came out as it should. Nothing is printed here: failures go to a callback.
 */
#ifndef SPEC_RUNNER_H
#define SPEC_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A script, and where its modules come from. */
typedef struct spec_input {
    const char *json; /* as json-from-wast or wast2json write it */
    size_t json_size;
    const char *label; /* what a script is called that cannot be read, or NULL */
    const char *set;   /* the set that the script is of, for what later versions changed, or NULL */
    /* Gives the bytes of the module file of that name, to be freed with free(). False when there is
     * no such file. */
    bool (*load)(void *env, const char *name, size_t name_size, uint8_t **bytes, size_t *size);
    void *env;
} spec_input_t;

/* How the engine is set up. All zero: the defaults. */
typedef struct spec_options {
    bool eager;           /* functions are translated when their module is loaded */
    bool deferred;        /* functions are validated at their first call, and translated whole
                           * where a module is to be refused */
    bool deterministic;   /* NaNs are canonical */
    bool explicit_bounds; /* memory accesses are compared, not caught by guard pages */
    bool interruptible;   /* code can be interrupted */
    uint64_t fuel_slice;  /* not 0: code counts fuel, and each call runs in slices of so much */
    /* Before each command the store becomes bytes, and another store is made from them; then the
     * command is executed, undone by a rollback to a checkpoint, and executed again. */
    bool round_trip;
    bool set_features;
    uint64_t features; /* catnap_features_t that modules may use, if set */
    bool to_module;    /* an instance becomes a module, and that an instance, before each action */
} spec_options_t;

/* Counts commands; `total` is the sum of passed, failed and skipped at the end. */
typedef struct spec_counts {
    uint32_t total;
    uint32_t passed;
    uint32_t failed;
    uint32_t skipped; /* which cannot be executed: none */
    uint32_t changed; /* of passed and failed: executed with what a later version expects */
    uint32_t line;    /* of the command under way; 0 when there is none */
} spec_counts_t;

/* Called for each failure. `source` (the .wast file) and `message` are one line each; `line` is 0
 * when the script as a whole cannot be executed. */
typedef void (*spec_failure_t)(void *env, const char *source, uint32_t line, const char *message);

/* Executes a script. `counts` starts at zero and is kept up to date while the script runs. */
void spec_run(const spec_input_t *input, const spec_options_t *options, spec_counts_t *counts,
              spec_failure_t failure, void *failure_env);

#endif
