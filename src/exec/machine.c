/* The machine around the handlers: value stacks, calls from and to the host, what a stop becomes. */
#include "exec/machine.h"

#include <string.h>

#include "base/platform.h"
#include "base/track.h"
#include "exec/internal.h"

#define PROFILE_BYTES ((size_t)BC_COUNT * BC_COUNT * sizeof(uint64_t))

void cn_machine_init(struct machine *vm, struct wasm_store_t *store, struct alloc *alloc) {
    const uint64_t *handlers = cn_handlers();
    const struct wasm_config_t *config = &store->engine->config;
    memset(vm, 0, sizeof *vm);
    vm->store = store;
    vm->alloc = alloc;
    atomic_init(&vm->call_id, 1);
    vm->interrupt_event = -1;
    vm->fuel_enabled = config->fuel;
    vm->interruptible = config->interruptible;
    vm->guarded = config->bounds_checks == CATNAP_BOUNDS_AUTO && cn_os_guard_install();
    vm->exit_cell[0] = handlers[BC_exit];
    vm->switch_back_cell[0] = handlers[BC_switch_back];
    cn_machine_set_limits(vm, &store->limits);
}

void cn_machine_set_limits(struct machine *vm, const catnap_limits_t *limits) {
    vm->depth_limit = limits->call_depth;
    vm->host_depth_limit = limits->host_depth;
    vm->stack_bytes = limits->value_stack_bytes;
    if (vm->host_depth == 0)
        vm->depth_left = vm->depth_limit;
}

/* ---- value stacks ---- */

/* The table of counts is made with the first value stack, without which nothing runs. */
static bool profile_ready(struct machine *vm) {
    if (vm->store->engine->config.profile_ops && !vm->profile)
        vm->profile = cn_calloc(vm->alloc, 1, PROFILE_BYTES);
    return vm->profile || !vm->store->engine->config.profile_ops;
}

#define LEAST_STACK_BYTES (UINT64_C(64) << 10)
#define MOST_STACK_BYTES (UINT64_C(1) << 36)

/* Of the size that is set or, where address space or memory is short, of a smaller one. */
static bool map_stack(const struct machine *vm, struct value_stack *stack) {
    uint64_t wanted = vm->stack_bytes;
    wanted = wanted < LEAST_STACK_BYTES ? LEAST_STACK_BYTES : wanted;
    wanted = wanted > MOST_STACK_BYTES ? MOST_STACK_BYTES : wanted;
    for (; wanted >= LEAST_STACK_BYTES; wanted = stack->reserved / 2) {
        stack->base = cn_os_reserve_some(LEAST_STACK_BYTES, wanted, SPARE_SOME, &stack->reserved);
        if (!stack->base)
            return false;
        if (cn_os_commit(stack->base, stack->reserved))
            return true;
        cn_os_release(stack->base, stack->reserved);
    }
    return false;
}

struct value_stack *cn_stack_new(struct machine *vm) {
    struct value_stack *stack = profile_ready(vm) ? cn_calloc(vm->alloc, 1, sizeof *stack) : NULL;
    if (!stack)
        return NULL;
    if (!map_stack(vm, stack)) {
        cn_free(vm->alloc, stack, sizeof *stack);
        return NULL;
    }
    stack->top = stack->base;
    stack->limit = stack->base + stack->reserved / sizeof(uint64_t);
    stack->next = vm->stacks;
    vm->stacks = stack;
    return stack;
}

void cn_stack_delete(struct machine *vm, struct value_stack *stack) {
    if (!stack)
        return;
    for (struct value_stack **link = &vm->stacks; *link; link = &(*link)->next) {
        if (*link == stack) {
            *link = stack->next;
            break;
        }
    }
    cn_os_release(stack->base, stack->reserved);
    cn_free(vm->alloc, stack, sizeof *stack);
}

void cn_machine_destroy(struct machine *vm) {
    while (vm->stacks)
        cn_stack_delete(vm, vm->stacks);
    cn_os_event_delete(vm->interrupt_event);
    cn_free(vm->alloc, vm->profile, PROFILE_BYTES);
}

/* What calls of usual depth use is kept. */
#define KEPT_STACK_BYTES 65536u

void cn_machine_trim(struct machine *vm) {
    const struct value_stack *stack = vm->spare;
    if (stack && stack->reserved > KEPT_STACK_BYTES)
        cn_os_discard((uint8_t *)stack->base + KEPT_STACK_BYTES,
                      stack->reserved - KEPT_STACK_BYTES);
}

/* ---- what a stop becomes ---- */

/* Frames walk outwards; a call from the host is crossed through its entry record. */
size_t cn_frames_from(struct machine *vm, const uint64_t *pc, const uint64_t *fp,
                      struct trap_frame *out, size_t innermost, size_t left_out) {
    size_t count = 0;
    while (fp) {
        const struct code *code = (const struct code *)(uintptr_t)fp[FRAME_CODE];
        if (count < innermost || count - innermost >= left_out)
            *out++ = (struct trap_frame){
                .instance = (struct wasm_instance_t *)(uintptr_t)fp[FRAME_INSTANCE],
                .func_index = code->func_index,
                .pc = pc,
            };
        count++;
        const uint64_t *back = (const uint64_t *)(uintptr_t)fp[FRAME_RETURN_PC];
        const uint64_t *caller = (const uint64_t *)(uintptr_t)fp[FRAME_CALLER];
        if (back == vm->exit_cell) {
            pc = (const uint64_t *)(uintptr_t)caller[ENTRY_PREVIOUS_PC];
            fp = (const uint64_t *)(uintptr_t)caller[ENTRY_PREVIOUS_FP];
        } else {
            if (back == vm->switch_back_cell)
                back = (const uint64_t *)(uintptr_t)caller[FRAME_RESUME];
            pc = back - 1; /* inside the call */
            fp = caller;
        }
    }
    return count;
}

static void attach_frames(struct machine *vm, struct wasm_trap_t *trap) {
    if (trap->immortal || trap->frame_count || !vm->fp)
        return;
    size_t all = cn_frames_from(vm, vm->pc, vm->fp, NULL, 0, SIZE_MAX);
    size_t count = all < TRAP_FRAMES_MAX ? all : TRAP_FRAMES_MAX;
    trap->frames = cn_alloc(vm->alloc, count * sizeof *trap->frames);
    if (!trap->frames)
        return;
    trap->frame_count = count;
    trap->frames_left_out = all - count;
    cn_frames_from(vm, vm->pc, vm->fp, trap->frames, TRAP_FRAMES_INNERMOST, trap->frames_left_out);
}

/* The engine's own traps, with what there is to say about them. */
static struct wasm_trap_t *describe_trap(struct machine *vm) {
    catnap_trap_code_t code = vm->trap_code;
    const char *text = cn_trap_text(code);
    unsigned long long operand = vm->trap_operand[0];
    switch (code) {
    case CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS:
        if (vm->trap_operand[0] == TRAP_NO_ADDRESS)
            return cn_trap_new(vm->store, code, "%s: the data segment is too short", text);
        return cn_trap_new(vm->store, code, "%s: address 0x%llx", text, operand);
    case CATNAP_TRAP_TABLE_OUT_OF_BOUNDS:
        return cn_trap_new(vm->store, code, "%s: index %llu", text, operand);
    case CATNAP_TRAP_UNDEFINED_ELEMENT:
    case CATNAP_TRAP_UNINITIALIZED_ELEMENT:
        return cn_trap_new(vm->store, code, "%s %llu", text, operand);
    case CATNAP_TRAP_INDIRECT_CALL_TYPE_MISMATCH: {
        char expected[96], found[96];
        cn_functype_format((const struct functype *)(uintptr_t)vm->trap_operand[0], expected,
                           sizeof expected);
        cn_functype_format((const struct functype *)(uintptr_t)vm->trap_operand[1], found,
                           sizeof found);
        return cn_trap_new(vm->store, code, "%s: expected %s, found %s", text, expected, found);
    }
    default:
        return cn_trap_new(vm->store, code, "%s", text);
    }
}

/* A stretch of code is paid for at its start: a trap gives back what it did not come to. */
static void refund(struct machine *vm) {
    if (!vm->fuel_enabled || !vm->fp)
        return;
    const struct code *code = (const struct code *)(uintptr_t)vm->fp[FRAME_CODE];
    struct wasm_instance_t *instance = (struct wasm_instance_t *)(uintptr_t)vm->fp[FRAME_INSTANCE];
    struct translation_config config = cn_code_translation(instance, code);
    vm->fuel += cn_code_unspent_fuel(instance->module, code, vm->pc, &config);
}

struct wasm_trap_t *cn_take_trap(struct machine *vm) {
    struct wasm_trap_t *trap = vm->trap;
    vm->trap = NULL;
    vm->stops++;
    if (vm->event == EVENT_OUT_OF_FUEL)
        vm->trap_code = CATNAP_TRAP_OUT_OF_FUEL;
    else if (vm->event == EVENT_INTERRUPTED)
        vm->trap_code = CATNAP_TRAP_INTERRUPTED;
    else if (vm->event == EVENT_NO_MEMORY)
        vm->trap_code = CATNAP_TRAP_NO_MEMORY;
    else if (!trap)
        refund(vm);
    if (!trap)
        trap = describe_trap(vm);
    attach_frames(vm, trap);
    return trap;
}

/* ---- calls from the host ---- */

/* Cost counts here: calls of small functions consist of this. */
#define CALL_INLINE static inline __attribute__((always_inline))
#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

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

/* The next outermost call has another name. Nobody else writes it. */
static inline void name_next_call(struct machine *vm) {
    uint64_t id = atomic_load_explicit(&vm->call_id, memory_order_relaxed);
    atomic_store_explicit(&vm->call_id, id + 1, memory_order_relaxed);
}

void cn_end_work(struct machine *vm, uint64_t id) {
    if (vm->host_depth > 0 || atomic_load_explicit(&vm->call_id, memory_order_relaxed) != id)
        return;
    vm->works++;
    name_next_call(vm);
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
    vm->pc = outer->pc;
    vm->fp = outer->fp;
    vm->stack = outer->stack;
    vm->stack_limit = outer->stack_limit;
    vm->depth_left = outer->depth_left;
    if (--vm->host_depth == 0)
        name_next_call(vm);
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
    if (likely(!vm->shares_pages) || vm->store->checkpoint_hooks->adopt(vm->store, &error))
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
    name_next_call(vm);
    return trap;
}

/* ---- calls to the host ---- */

/* What a host function returned means more than to go on: a trap, a request to suspend, or both. */
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
                  atomic_load(&vm->interrupt_request) == atomic_load(&vm->call_id);
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

void cn_collect_inside(struct machine *vm, const uint64_t *pc, uint64_t *fp) {
    const struct code *code = (const struct code *)(uintptr_t)fp[FRAME_CODE];
    if (!vm->store->may_have_garbage)
        return;
    vm->pc = pc;
    vm->fp = fp;
    vm->stack->top = fp + code->frame_slots;
    cn_collect(vm->store);
}

bool cn_suspend(struct machine *vm) {
    vm->suspend = vm->in_run && vm->host_depth == 1;
    return vm->suspend;
}
