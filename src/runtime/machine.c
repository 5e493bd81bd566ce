/* The machine's settings and its value stacks. */
#include "runtime/machine.h"

#include <string.h>

#include "base/guard.h"
#include "base/platform.h"
#include "bytecode/bytecode.h"
#include "runtime/profile.h"
#include "runtime/store.h"

void cn_machine_init(struct machine *vm, struct wasm_store_t *store, struct alloc *alloc) {
    const uint64_t *handlers = store->engine->handlers;
    const struct wasm_config_t *config = &store->engine->config;
    memset(vm, 0, sizeof *vm);
    vm->store = store;
    vm->alloc = alloc;
    atomic_init(&vm->interrupt.call_id, 1);
    vm->interrupt_event = -1;
    vm->fuel_enabled = config->fuel;
    vm->interrupt.enabled = config->interruptible;
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

/* A request that came in between is signalled again. */
int cn_machine_event(struct machine *vm) {
    if (!cn_has_interrupt_event(vm)) {
        cn_os_event_delete(vm->interrupt_event); /* the parent has its own descriptor of it */
        vm->interrupt_event = -1;
        vm->event_process = cn_os_process();
        vm->interrupt_event = cn_os_event_new();
    }
    if (vm->interrupt_event < 0)
        return -1;
    cn_os_event_clear(vm->interrupt_event);
    if (cn_machine_interrupted(vm))
        cn_os_event_signal(vm->interrupt_event);
    return vm->interrupt_event;
}

/* ---- value stacks ---- */

/* The table of counts is made with the first value stack, without which nothing runs. */
static bool profile_ready(struct machine *vm) {
    if (vm->store->engine->config.profile_ops && !vm->profile)
        vm->profile = cn_profile_new(vm->alloc);
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
    cn_profile_delete(vm->profile, vm->alloc);
}

/* Pages that calls of usual depth use are kept. */
#define KEPT_STACK_BYTES 65536u

void cn_machine_trim(struct machine *vm) {
    const struct value_stack *stack = vm->spare;
    if (stack && stack->reserved > KEPT_STACK_BYTES)
        cn_os_discard((uint8_t *)stack->base + KEPT_STACK_BYTES,
                      stack->reserved - KEPT_STACK_BYTES);
}

void cn_end_work(struct machine *vm, uint64_t id) {
    if (vm->host_depth > 0 ||
        atomic_load_explicit(&vm->interrupt.call_id, memory_order_relaxed) != id)
        return;
    vm->works++;
    cn_next_call_id(vm);
}
