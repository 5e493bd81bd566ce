/* Shared by the files of exec/: the C functions that handlers call, and the function that starts handlers. */
#ifndef CN_EXEC_INTERNAL_H
#define CN_EXEC_INTERNAL_H

#include "bytecode/bytecode.h"
#include "bytecode/code.h"
#include "code/first_call.h"
#include "exec/calls.h"
#include "exec/run.h"
#include "runtime/bulk.h"
#include "runtime/collect.h"
#include "runtime/frames.h"
#include "runtime/instance.h"
#include "runtime/machine.h"
#include "runtime/store.h"
#include "runtime/trap.h"

/* Runs handlers from pc until one leaves, and goes on while it is fuel that is missing and the store can take
 * more; vm->event says why it stopped. */
void cn_execute(struct machine *vm, const uint64_t *pc, uint64_t *fp,
                struct wasm_instance_t *instance);

/* Whether a function type is the one with this id or below it. */
bool cn_type_is_sub(const struct machine *, const struct functype *, uint32_t super);
/* Calls a host function from WebAssembly; vm->pc and vm->fp say where, at an
 * instruction of so many cells. On a trap the event is set; false. */
bool cn_call_host(struct machine *vm, struct wasm_instance_t *instance, struct wasm_func_t *,
                  uint64_t *slots, uint32_t cells);
/* The same for one that the instance does not import: it is kept from the collector meanwhile. */
bool cn_call_held_host(struct machine *vm, struct wasm_instance_t *instance, struct wasm_func_t *,
                       uint64_t *slots, uint32_t cells);

/* ---- unwind.c ---- */

/* Throws an exception of a tag of the instance, with the values in these slots; vm->pc and vm->fp say where. The frame
 * that catches it is then at vm->pc and vm->fp; or the event is set, and false. */
bool cn_throw(struct machine *, struct wasm_instance_t *, uint32_t tag, const uint64_t *slots);
/* The same for an exception that is there already; NULL traps. */
bool cn_throw_again(struct machine *, struct catnap_exception_t *);
/* When a host function has returned a trap that carries an exception: throws it. False, with the event as it is,
 * when there is no such trap or nothing catches it here. */
bool cn_catch_trap(struct machine *);

struct outer_call { /* what a call from the host puts aside */
    const uint64_t *pc;
    uint64_t *fp;
    struct value_stack *stack;
    uint64_t *stack_limit;
    uint32_t depth_left;
};
/* Switches to a value stack; false when the host's calls are nested too deep. */
bool cn_begin_call(struct machine *, struct outer_call *, struct value_stack *);
/* Before a call: what the store shares with the process that this one was forked from becomes its own.
 * NULL, or an own trap when it cannot. */
struct wasm_trap_t *cn_adopt_pages(struct machine *);
void cn_end_call(struct machine *, const struct outer_call *);
bool cn_entry_fits(const struct value_stack *, const uint64_t *at, const struct functype *);
bool cn_enter(struct machine *, struct wasm_func_t *, uint64_t *record, const uint64_t **pc,
              uint64_t **fp);
/* The own trap that the event is, with its frames. */
struct wasm_trap_t *cn_take_trap(struct machine *);
/* Writes frames but for `left_out` of them behind the innermost ones; returns how many there are. */
size_t cn_frames_from(struct machine *, const uint64_t *pc, uint64_t *fp, struct trap_frame *out,
                      size_t innermost, size_t left_out);

/* From a handler, at an instruction whose operands are in their slots: collects if anything was made or let go
 * since the last collection. */
void cn_collect_inside(struct machine *, const uint64_t *pc, uint64_t *fp);

static inline uint8_t *cn_instance_base(const struct wasm_instance_t *instance) {
    return instance->module->memory_count ? instance->memories[0]->base : NULL;
}

#endif
