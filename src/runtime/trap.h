/*
 * Traps. Reporting one never fails: a store has a spare trap for exhausted memory.
 */
#ifndef CN_RUNTIME_TRAP_H
#define CN_RUNTIME_TRAP_H

#include <stddef.h>

#include "runtime/object.h"

/* A frame of a backtrace; names and offsets are found when they are asked for. */
struct trap_frame {
    wasm_instance_t *instance; /* NULL: a host function */
    uint32_t func_index;
    const uint64_t *pc; /* in the function's bytecode; NULL: not known */
};

/* A trap keeps at most so many frames of a deep stack: the innermost ones and the outermost ones. */
#define TRAP_FRAMES_MAX 128u
#define TRAP_FRAMES_INNERMOST 96u
_Static_assert(TRAP_FRAMES_INNERMOST < TRAP_FRAMES_MAX, "there are outermost frames");

struct wasm_trap_t {
    struct wasm_ref_t ref;
    catnap_trap_code_t code;
    int32_t exit_status;
    struct catnap_exception_t *exception; /* that nothing caught, or NULL */
    bool immortal;                        /* one of the store's spare ones */
    size_t message_length;
    char *message; /* NUL-terminated; message_length + 1 bytes of store->alloc */
    size_t frame_count;
    size_t frames_left_out;    /* after the first TRAP_FRAMES_INNERMOST */
    struct trap_frame *frames; /* exactly frame_count, of store->alloc */
};

/* Never NULL: the store's spare trap when memory is exhausted. With one handle, the caller's. */
wasm_trap_t *cn_trap_new(wasm_store_t *, catnap_trap_code_t, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with a message of any length. */
wasm_trap_t *cn_trap_new_text(wasm_store_t *, catnap_trap_code_t, const char *text, size_t length);
/* A trap that carries an exception, which nothing has caught, or which a host function throws by it. Its message has
 * the tag as the instance (or NULL) names it, and the values. */
wasm_trap_t *cn_trap_new_exception(struct catnap_exception_t *, const wasm_instance_t *);
/* A spare trap for a new store: no handles, never freed by release. NULL when memory is exhausted. */
wasm_trap_t *cn_trap_new_spare(wasm_store_t *, catnap_trap_code_t, const char *text);
/* For calls that name no store: it belongs to none, and handles on it are not counted. */
wasm_trap_t *cn_trap_null_argument(void);
/* Standard message of a code, the official suite's wording. */
const char *cn_trap_text(catnap_trap_code_t);

#endif
