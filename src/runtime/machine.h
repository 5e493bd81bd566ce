/*
 * The machine: the part of a store that the executor works on, and its value stacks. Handlers hold the machine's
 * address in a register.
 */
#ifndef CN_RUNTIME_MACHINE_H
#define CN_RUNTIME_MACHINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catnap.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/process.h"

struct profile;
struct wasm_func_t;
struct wasm_trap_t;
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
    struct interrupt interrupt;
    uint64_t works; /* call ids that were given to work other than calls: cn_begin_work() */
    /* Where execution stopped; also set around each host call, for backtraces. */
    const uint64_t *pc;
    uint64_t *fp;
    enum machine_event event;
    catnap_trap_code_t trap_code;
    uint64_t trap_operand[2];   /* by code: the address; the types that disagree */
    struct wasm_func_t *callee; /* of call_outside, the handler */
    bool fuel_enabled;
    bool guarded; /* faults are recovered from (cn_os_guard_install) */
    /* In a child after fork(): memories may share pages with the parent (see persist_hooks). */
    bool shares_pages;
    uint32_t call_cells;                        /* of the instruction that calls it */
    struct profile *profile;                    /* or NULL */
    uint64_t exit_cell[1], switch_back_cell[1]; /* bytecode to return to */
    /* The code table's entry of the function whose translation was interrupted last: it is not again. */
    const void *interrupted_entry;
    uint64_t stops; /* traps, and runs that were dropped half-way, so far */
    bool in_run;    /* the outermost call under way is a resumable run */
    bool suspend;   /* it is to stop when the host function returns */
    struct wasm_trap_t *trap;
    struct heap *heap;          /* NULL: nothing needed one so far */
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

/* Whether this process has made an event for its host functions to wait for. Async-signal-safe. */
static inline bool cn_has_interrupt_event(const struct machine *vm) {
    return atomic_load(&vm->interrupt_event) >= 0 && vm->event_process == cn_os_process();
}

/* Whether the outermost call has been asked to stop, also where code does not check for that by itself. */
static inline bool cn_machine_interrupted(const struct machine *vm) {
    return atomic_load(&vm->interrupt.request) == vm->interrupt.call_id;
}
/* A descriptor that polls readable from the moment on in which the outermost call is asked to stop; -1: there is
 * none to be had. Signals of earlier calls are cleared. */
int cn_machine_event(struct machine *);

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

/* A new value stack of the size that is set; NULL when memory or address space is exhausted. */
struct value_stack *cn_stack_new(struct machine *);
void cn_stack_delete(struct machine *, struct value_stack *); /* NULL allowed */

/* Around work for the host that can be interrupted like a call, such as instantiation. It takes a call id:
 * cn_begin_work() returns it and cn_end_work() takes it. The first call within it has the same id, further calls
 * have further ones. */
static inline uint64_t cn_begin_work(const struct machine *vm) {
    return atomic_load_explicit(&vm->interrupt.call_id, memory_order_relaxed);
}
void cn_end_work(struct machine *, uint64_t id);

/* Gives the next outermost call an id of its own. Only the store's thread writes it. */
static inline void cn_next_call_id(struct machine *vm) {
    uint64_t id = atomic_load_explicit(&vm->interrupt.call_id, memory_order_relaxed);
    atomic_store_explicit(&vm->interrupt.call_id, id + 1, memory_order_relaxed);
}

#endif
