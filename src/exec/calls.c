/* Calls from the host to WebAssembly and back. */
#include "exec/calls.h"

#include <string.h>

#include "base/assert.h"
#include "base/likely.h"
#include "base/platform.h"
#include "exec/internal.h"

/* ---- calls from the host ---- */

/* Cost counts here: calls of small functions consist of this. */
#define CALL_INLINE static inline __attribute__((always_inline))

/* Makes the first frame of a call above the entry record at `record`, where the arguments already
 * are. On failure the event is set and vm->pc and vm->fp are the outer call's; false. */
CALL_INLINE bool enter(struct machine *vm, struct wasm_func_t *f, uint64_t *record,
                       const uint64_t **pc, uint64_t **fp) {
    struct wasm_instance_t *instance = f->instance;
    if (unlikely(!f->code) && !cn_first_call_of(vm, f))
        return false;
    const struct code *code = f->code;
    uint64_t *callee = record + ENTRY_RECORD_SLOTS + f->type->param_slots;
    if (unlikely((uintptr_t)callee + code->frame_bytes > (uintptr_t)vm->stack_limit ||
                 vm->depth_left == 0)) {
        vm->event = EVENT_TRAP;
        vm->trap_code = CATNAP_TRAP_STACK_OVERFLOW;
        return false;
    }
    CN_ASSERT(record >= vm->stack->base && vm->stack_limit == vm->stack->limit);
    callee[FRAME_DEPTH] = vm->depth_left - 1;
    callee[FRAME_RETURN_PC] = (uint64_t)(uintptr_t)vm->exit_cell;
    callee[FRAME_CALLER] = (uint64_t)(uintptr_t)record;
    callee[FRAME_CODE] = (uint64_t)(uintptr_t)code;
    callee[FRAME_INSTANCE] = (uint64_t)(uintptr_t)instance;
    *pc = code->cells;
    *fp = callee;
    return true;
}

bool cn_enter(struct machine *vm, struct wasm_func_t *f, uint64_t *record, const uint64_t **pc,
              uint64_t **fp) {
    return enter(vm, f, record, pc, fp);
}

/* Whether the entry record, arguments and results of a call of `type` fit at `at`. */
bool cn_entry_fits(const struct value_stack *stack, const uint64_t *at,
                   const struct functype *type) {
    return (size_t)(stack->limit - at) >=
           (size_t)ENTRY_RECORD_SLOTS + type->value_slots + FRAME_HEADER_SLOTS;
}

static inline void forget_interrupts(struct machine *vm) {
    if (unlikely(vm->interrupt_event >= 0) && cn_has_interrupt_event(vm))
        cn_os_event_clear(vm->interrupt_event);
}

bool cn_begin_call(struct machine *vm, struct outer_call *outer, struct value_stack *stack) {
    if (vm->host_depth >= vm->host_depth_limit)
        return false;
    *outer = (struct outer_call){vm->pc, vm->fp, vm->stack, vm->stack_limit, vm->depth_left};
    if (vm->host_depth++ == 0)
        forget_interrupts(vm);
    if (vm->fp)
        vm->depth_left = (uint32_t)vm->fp[FRAME_DEPTH];
    vm->stack = stack;
    vm->stack_limit = stack->limit;
    return true;
}

void cn_end_call(struct machine *vm, const struct outer_call *outer) {
    CN_ASSERT(vm->host_depth > 0);
    vm->pc = outer->pc;
    vm->fp = outer->fp;
    vm->stack = outer->stack;
    vm->stack_limit = outer->stack_limit;
    vm->depth_left = outer->depth_left;
    if (--vm->host_depth == 0)
        cn_next_call_id(vm);
}

/* The values are on the value stack, where the collector sees them. */
static struct wasm_trap_t *call_host_directly(struct machine *vm, struct value_stack *stack,
                                              struct wasm_func_t *f, uint64_t *slots) {
    struct catnap_caller_t caller = {.machine = vm};
    uint64_t *values = stack->top;
    memcpy(values, slots, f->type->param_slots * sizeof *slots);
    stack->top += f->type->value_slots;
    struct wasm_trap_t *trap = f->callback(f, &caller, values);
    if (!trap)
        memcpy(slots, values, f->type->result_slots * sizeof *slots);
    return trap;
}

static struct value_stack *stack_for_calls(struct machine *vm) {
    if (vm->stack)
        return vm->stack;
    if (!vm->spare)
        vm->spare = cn_stack_new(vm);
    return vm->spare;
}

/* The record, the values above it and the stack's top are as they should be. */
CALL_INLINE struct wasm_trap_t *call_above(struct machine *vm, uint64_t *record,
                                           struct wasm_func_t *f) {
    const uint64_t *pc;
    uint64_t *fp;
    if (unlikely(!enter(vm, f, record, &pc, &fp)))
        return cn_take_trap(vm);
    cn_execute(vm, pc, fp, f->instance);
    return likely(vm->event == EVENT_DONE) ? NULL : cn_take_trap(vm);
}

static struct wasm_trap_t *call_wasm(struct machine *vm, struct value_stack *stack,
                                     struct wasm_func_t *f, uint64_t *slots) {
    uint64_t *record = stack->top, *values = record + ENTRY_RECORD_SLOTS;
    record[ENTRY_PREVIOUS_PC] = (uint64_t)(uintptr_t)vm->pc;
    record[ENTRY_PREVIOUS_FP] = (uint64_t)(uintptr_t)vm->fp;
    memcpy(values, slots, f->type->param_slots * sizeof *slots);
    struct wasm_trap_t *trap = call_above(vm, record, f);
    if (!trap)
        memcpy(slots, values, f->type->result_slots * sizeof *slots);
    return trap;
}

static struct wasm_trap_t *call_on(struct machine *vm, struct value_stack *stack,
                                   struct wasm_func_t *f, uint64_t *slots) {
    if (!cn_entry_fits(stack, stack->top, f->type)) {
        vm->event = EVENT_TRAP;
        vm->trap_code = CATNAP_TRAP_STACK_OVERFLOW;
        return cn_take_trap(vm);
    }
    return (f->instance ? call_wasm : call_host_directly)(vm, stack, f, slots);
}

struct wasm_trap_t *cn_adopt_pages(struct machine *vm) {
    struct error error;
    if (likely(!vm->shares_pages) || vm->store->persist->adopt(vm->store, &error))
        return NULL;
    return cn_trap_new(vm->store, CATNAP_TRAP_HOST, "%s", error.message);
}

struct wasm_trap_t *cn_call(struct wasm_func_t *f, uint64_t *slots) {
    struct machine *vm = &f->ref.store->machine;
    struct outer_call outer;
    struct value_stack *stack = stack_for_calls(vm);
    struct wasm_trap_t *foreign = cn_adopt_pages(vm);
    if (foreign)
        return foreign;
    if (!stack)
        return cn_trap_new(vm->store, CATNAP_TRAP_NO_MEMORY, "no memory for a value stack");
    if (!cn_begin_call(vm, &outer, stack))
        return cn_trap_new(vm->store, CATNAP_TRAP_STACK_OVERFLOW, "%s",
                           cn_trap_text(CATNAP_TRAP_STACK_OVERFLOW));
    uint64_t *top = stack->top;
    struct wasm_trap_t *trap = call_on(vm, stack, f, slots);
    stack->top = top;
    cn_end_call(vm, &outer);
    return trap;
}

/* An empty stack has room for all values that a function may have. */
uint64_t *cn_call_place(struct wasm_func_t *f) {
    const struct machine *vm = &f->ref.store->machine;
    bool usual = vm->host_depth == 0 && vm->host_depth_limit > 0 && vm->spare && f->instance &&
                 !vm->shares_pages;
    return likely(usual) ? vm->spare->base + ENTRY_RECORD_SLOTS : NULL;
}

/* There is nothing to put aside. */
struct wasm_trap_t *cn_call_placed(struct wasm_func_t *f) {
    struct machine *vm = &f->ref.store->machine;
    struct value_stack *stack = vm->spare;
    uint64_t *record = stack->base;
    record[ENTRY_PREVIOUS_PC] = 0;
    record[ENTRY_PREVIOUS_FP] = 0;
    vm->host_depth = 1;
    vm->stack = stack;
    vm->stack_limit = stack->limit;
    forget_interrupts(vm);
    struct wasm_trap_t *trap = call_above(vm, record, f);
    stack->top = stack->base;
    vm->stack = NULL;
    vm->pc = NULL;
    vm->fp = NULL;
    vm->host_depth = 0;
    cn_next_call_id(vm);
    return trap;
}

/* ---- calls to the host ---- */

/* After a host function that returned a trap, or asked to suspend, or both: whether the caller goes on. */
static __attribute__((noinline)) bool stop_after(struct machine *vm, struct wasm_trap_t *trap,
                                                 uint32_t cells) {
    bool suspend = vm->suspend && vm->in_run && vm->host_depth == 1;
    vm->suspend = vm->suspend && !suspend;
    if (!trap && !suspend)
        return true;
    if (!trap) {
        vm->pc += cells; /* what comes after the call */
        vm->event = EVENT_INTERRUPTED;
        return false;
    }
    /* A function that waited and was asked to stop is called again when the run goes on. */
    bool waited = vm->in_run && vm->host_depth == 1 && trap->code == CATNAP_TRAP_INTERRUPTED &&
                  atomic_load(&vm->interrupt.request) == atomic_load(&vm->interrupt.call_id);
    vm->event = waited ? EVENT_INTERRUPTED : EVENT_TRAP;
    vm->trap = trap;
    return false;
}

/* In builds for tests: what a callback might do. */
static inline void collect_with_zeal(struct machine *vm) {
#ifdef CATNAP_ZEAL
    cn_collect(vm->store);
#else
    (void)vm;
#endif
}

bool cn_call_host(struct machine *vm, struct wasm_instance_t *instance, struct wasm_func_t *f,
                  uint64_t *slots, uint32_t cells) {
    struct catnap_caller_t caller = {.machine = vm, .instance = instance};
    /* With the slot behind them, where call_indirect may have its index: it may be executed again. */
    vm->stack->top = slots + f->type->value_slots + 1;
    collect_with_zeal(vm);
    struct wasm_trap_t *trap = f->callback(f, &caller, slots);
    collect_with_zeal(vm);
    return likely(!trap && !vm->suspend) ? true : stop_after(vm, trap, cells);
}

bool cn_call_held_host(struct machine *vm, struct wasm_instance_t *instance, struct wasm_func_t *f,
                       uint64_t *slots, uint32_t cells) {
    struct called called = {f, vm->called};
    vm->called = &called;
    bool goes_on = cn_call_host(vm, instance, f, slots, cells);
    vm->called = called.outer;
    return goes_on;
}

bool cn_type_is_sub(const struct machine *vm, const struct functype *type, uint32_t super) {
    return dt_is_sub(&type->def, cn_types_get(&vm->store->engine->types, super));
}

void cn_collect_inside(struct machine *vm, const uint64_t *pc, uint64_t *fp) {
    vm->pc = pc;
    vm->fp = fp;
    vm->stack->top = fp + frame_code(fp)->frame_slots;
    if (cn_collection_pays(vm->store))
        cn_collect(vm->store);
}

bool cn_suspend(struct machine *vm) {
    vm->suspend = vm->in_run && vm->host_depth == 1;
    return vm->suspend;
}
