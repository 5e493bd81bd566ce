/*
 * Calls of functions from the host, and what the host sees of the calls under way.
 */
#ifndef CN_EXEC_CALLS_H
#define CN_EXEC_CALLS_H

#include "runtime/machine.h"
#include "runtime/trap.h"

struct catnap_run_t;

/* The handlers' addresses, indexed by enum bytecode: an engine gets them when it is made. */
const uint64_t *cn_handlers(void);

/* Calls a function of any kind. `slots` holds the arguments (type->param_slots) and receives the
 * results (type->result_slots); it has room for the greater of the two. Own trap or NULL. Fuel and
 * interrupt end in traps of their codes. */
struct wasm_trap_t *cn_call(struct wasm_func_t *, uint64_t *slots);
/* The same without copying, in two steps: cn_call_place() returns where on the value stack the arguments go and
 * the results will be, and cn_call_placed() calls. NULL when the function is the host's or a call is under way:
 * then only cn_call() will do. Nothing may come between the steps; the results stay until the next call. */
uint64_t *cn_call_place(struct wasm_func_t *);
struct wasm_trap_t *cn_call_placed(struct wasm_func_t *);

/* Asks that the run under way stop when the host function that was called returns. False: there is no run. */
bool cn_suspend(struct machine *);

/* Frames from the innermost outwards: those of a stopped run, or, with NULL, of the calls under way.
 * Fills at most capacity and returns how many there are. */
size_t cn_frames(struct machine *, struct catnap_run_t *, struct trap_frame *out, size_t capacity);

/* The counts of catnap_store_profile_ops(): one row for each pair of instructions, one with `previous` NULL for
 * each instruction. */
void cn_profile_rows(const struct machine *,
                     void (*row)(void *env, const char *previous, const char *name, uint64_t count),
                     void *env);

#endif
