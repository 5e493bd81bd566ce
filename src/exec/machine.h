/*
 * The machine: what of a store the executor works on. Handlers hold its address in a register.
 */
#ifndef CN_EXEC_MACHINE_H
#define CN_EXEC_MACHINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catnap.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"

struct wasm_func_t;
struct wasm_store_t;
struct wasm_instance_t;

/* One contiguous value stack. It never moves, so that frames may point into it. A store has one for
 * plain calls, and each resumable run has its own. */
struct value_stack {
    struct value_stack *next; /* all of the store, for the collector */
    uint64_t *base, *limit;   /* limit: no frame may reach past it */
    uint64_t *top;            /* first free slot, while no handler runs on it */
    size_t reserved;          /* bytes */
};

#define TRAP_NO_ADDRESS UINT64_MAX /* in trap_operand[0] */

/* Why execution came back to C. */
enum machine_event {
    EVENT_DONE,
    EVENT_TRAP, /* trap is set: an own trap of the host, or NULL and trap_code is set */
    EVENT_OUT_OF_FUEL,
    EVENT_INTERRUPTED,
    EVENT_NO_MEMORY /* at a call, whose function could not be translated */
};

struct machine {
    uint64_t *stack_limit; /* of the current stack */
    uint32_t depth_left;   /* frames that a call from the host may make */
    uint32_t depth_limit;
    uint64_t fuel;
    _Atomic uint64_t interrupt_request; /* the call id that is to stop */
    _Atomic uint64_t call_id;           /* of the outermost call under way, or of the next */
    uint64_t works;                     /* names that went to what is no call: cn_begin_work() */
    /* Where execution stopped; also set around each host call, for backtraces. */
    const uint64_t *pc;
    uint64_t *fp;
    enum machine_event event;
    catnap_trap_code_t trap_code;
    uint64_t trap_operand[2];   /* by code: the address; the types that disagree */
    struct wasm_func_t *callee; /* of call_outside, the handler */
    bool fuel_enabled, interruptible;
    bool guarded; /* faults are recovered from (cn_os_guard_install) */
    bool
        shares_pages; /* with its parent, when this is a child after fork(): see checkpoint_hooks */
    uint32_t call_cells; /* of the instruction that calls it */
    uint64_t *profile;   /* executions by previous and present bytecode, or NULL */
    uint16_t profile_previous;
    uint64_t exit_cell[1], switch_back_cell[1]; /* bytecode to return to */
    /* The code table's entry of the function whose translation was interrupted last: it is not again. */
    const void *interrupted_entry;
    uint64_t stops; /* traps, and runs that were dropped half-way, so far */
    bool in_run;    /* the outermost call under way is a resumable run */
    bool suspend;   /* it is to stop when the host function returns */
    struct wasm_trap_t *trap;
    struct value_stack *stack;  /* current */
    struct value_stack *stacks; /* all of the store */
    struct value_stack *spare;  /* of plain calls; made when first needed */
    struct called *called;      /* host functions under way that tables gave, the innermost first */
    uint64_t stack_bytes;       /* of a new one */
    struct wasm_store_t *store;
    struct alloc *alloc;
    uint32_t host_depth, host_depth_limit;
    _Atomic int interrupt_event; /* cn_os_event, or -1: made when a host function asks */
    uint64_t event_process;      /* whose it is: a child after fork() makes its own */
};

/* Whether there is an event that nobody else waits for. Async-signal-safe. */
static inline bool cn_has_interrupt_event(const struct machine *vm) {
    return atomic_load(&vm->interrupt_event) >= 0 && vm->event_process == cn_os_process();
}

/* Whether the outermost call or the instantiation under way has been asked to stop. */
static inline bool cn_interrupted(const struct machine *vm) {
    return vm->interruptible &&
           atomic_load_explicit(&vm->interrupt_request, memory_order_relaxed) ==
               atomic_load_explicit(&vm->call_id, memory_order_relaxed);
}

/* A host function that is called: nothing else may refer to it any more. */
struct called {
    struct wasm_func_t *func;
    struct called *outer;
};

/* A call of a host function that is under way: given to callbacks as catnap_caller_t. */
struct catnap_caller_t {
    struct machine *machine;
    struct wasm_instance_t *instance; /* NULL: called by the host itself */
};

/* Sets the fields up from the store's engine and limits; nothing is reserved before the first call. */
void cn_machine_init(struct machine *, struct wasm_store_t *, struct alloc *);
void cn_machine_destroy(struct machine *);
/* Takes over call depth, host depth and stack size for what comes. */
void cn_machine_set_limits(struct machine *, const catnap_limits_t *);
/* While nothing runs: gives back what deep calls have used of the value stack for plain calls. */
void cn_machine_trim(struct machine *);

/* Calls a function of any kind. `slots` holds the arguments (type->param_slots) and receives the
 * results (type->result_slots); it has room for the greater of the two. Own trap or NULL. Fuel and
 * interrupt end in traps of their codes. */
struct wasm_trap_t *cn_call(struct wasm_func_t *, uint64_t *slots);
/* In two steps: where the arguments are to be put and the results will be, which is their place on
 * the value stack; and the call. NULL, and then only the above will do, unless the function is
 * WebAssembly's and no call is under way, which is nearly always so. Nothing may come between the
 * steps, and the results are there until the next call. */
uint64_t *cn_call_place(struct wasm_func_t *);
struct wasm_trap_t *cn_call_placed(struct wasm_func_t *);

/* Around work for the host that can be interrupted as a call can, such as instantiation: it has the name
 * of a call, which what begins returns and what ends takes. Calls within it have the same name, or, when
 * there are several, further ones. */
static inline uint64_t cn_begin_work(const struct machine *vm) {
    return atomic_load_explicit(&vm->call_id, memory_order_relaxed);
}
void cn_end_work(struct machine *, uint64_t id);

/* exec/profile.c: see catnap_store_profile_ops(). */
void cn_profile_rows(const struct machine *,
                     void (*row)(void *env, const char *previous, const char *name, uint64_t count),
                     void *env);

/* A resumable run; struct catnap_run_t in exec/run.c. */
struct catnap_run_t *cn_run_new(struct wasm_func_t *, const uint64_t *slots, struct error *);
catnap_status_t cn_run_resume(struct catnap_run_t *, uint64_t *results, struct wasm_trap_t **trap);
void cn_run_delete(struct catnap_run_t *);
struct wasm_func_t *cn_run_func(const struct catnap_run_t *);
/* Asks that the run stop when the host function that was called returns. False: there is none. */
bool cn_suspend(struct machine *);

/* From a handler, at an instruction whose operands are in their slots: frees what nothing can reach,
 * if anything was made or let go since that was done last. */
void cn_collect_inside(struct machine *, const uint64_t *pc, uint64_t *fp);

/* Frames from the innermost outwards: those of a stopped run, or, with NULL, of the calls under way.
 * Fills at most capacity and returns how many there are. */
struct trap_frame;
size_t cn_frames(struct machine *, struct catnap_run_t *, struct trap_frame *out, size_t capacity);

#endif
