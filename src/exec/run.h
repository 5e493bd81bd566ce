/*
 * Resumable runs: a call with a value stack of its own, which can stop and go on later.
 */
#ifndef CN_EXEC_RUN_H
#define CN_EXEC_RUN_H

#include "runtime/machine.h"
#include "runtime/trap.h"

struct catnap_run_t;
struct frame;

/* A run that has not begun; `slots` holds the arguments. NULL and *error on failure. */
struct catnap_run_t *cn_run_new(struct wasm_func_t *, const uint64_t *slots, struct error *);
/* Goes on until the run ends or stops. CATNAP_OK: the results are written. CATNAP_TRAP: *trap is an own trap. Else
 * the run is stopped and can be resumed. */
catnap_status_t cn_run_resume(struct catnap_run_t *, uint64_t *results, struct wasm_trap_t **trap);
void cn_run_delete(struct catnap_run_t *); /* NULL allowed */
struct wasm_func_t *cn_run_func(const struct catnap_run_t *);

/* ---- For suspended execution (persist/frames.c) ---- */

/* Where a stopped run stands; false when it is not stopped. */
bool cn_run_place(const struct catnap_run_t *, struct frame *);
/* Fuel that it has taken already towards the next fuel block. */
uint64_t cn_run_fuel(const struct catnap_run_t *);
struct value_stack *cn_run_stack(const struct catnap_run_t *);
/* Makes a new run stand there: its `frames` frames are on the stack above the entry record. */
void cn_run_stand(struct catnap_run_t *, const uint64_t *pc, uint64_t *fp, uint32_t frames,
                  uint64_t fuel_paid);

#endif
