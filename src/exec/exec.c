/* The executor: all handlers, in the form that dispatch.h chooses, and the way into them. */
/* Where all handlers are one function, GCC's vectorizer hoists the packing of the accumulator above the
 * dispatch, so every handler pays for it: for a square root, for one. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-slp-vectorize")
#endif

#include <string.h>

#include "base/access.h"
#include "base/guard.h"
#include "exec/dispatch.h"
#include "exec/internal.h"
#include "exec/numeric.h"
#include "exec/operands.h"
#include "exec/simd.h"
#include "runtime/profile.h"
#include "runtime/gc.h"
#include "runtime/shared_memory.h"
#include "code/steps.h"

/* In one function of all handlers this analysis takes clang minutes; where each is a function, and
 * in gcc, it is on. */
#if defined(__clang__) && !CN_DISPATCH_TAIL
#pragma clang diagnostic ignored "-Wuninitialized"
#pragma clang diagnostic ignored "-Wsometimes-uninitialized"
#endif

#if CN_DISPATCH_TAIL

DECLARE_HANDLER(first_call)
DECLARE_HANDLER(first_call_indirect)
DECLARE_HANDLER(call_outside)
DECLARE_HANDLER(tail_enter)
DECLARE_HANDLER(tail_outside)
DECLARE_HANDLER(call_subtype)
DECLARE_HANDLER(last_block)
DECLARE_HANDLER(atomic_fault)
DECLARE_HANDLER(memory_fault)
DECLARE_HANDLER(caught)
DECLARE_HANDLER(host_stopped)
DECLARE_HANDLER(numbered_trap)
#if CN_WIDE_ACCESSES
DECLARE_HANDLER(wide_trap)
#endif
#include "generated/bytecode/handlers.inc"
#include "exec/handlers_control.inc"
#include "exec/handlers_state.inc"
#include "exec/handlers_atomic.inc"
#include "exec/handlers_wide.inc"
#include "exec/handlers_pairs.inc"
#include "exec/handlers_gc.inc"

static const uint64_t *handler_table(void) {
    static const handler table[BC_COUNT] = {
#include "generated/bytecode/handler_rows.inc"
    };
    _Static_assert(sizeof(handler) == sizeof(uint64_t), "a cell holds a handler's address");
    return (const uint64_t *)(const void *)table;
}
const uint64_t *cn_handlers(void) { return handler_table(); }

static void run(struct machine *vm, const uint64_t *pc, uint64_t *fp,
                struct wasm_instance_t *inst) {
    ((handler)(uintptr_t)*pc)(pc, fp, cn_instance_base(inst), inst, vm, 0, fp[FRAME_PIN_P],
                              fp[FRAME_PIN_Q], NULL, (vacc){0});
}

#else

/* With vm NULL it only tells the handlers' addresses. */
__attribute__((noinline, section("cn_handler_code"))) static const uint64_t *
run(struct machine *vm, const uint64_t *pc, uint64_t *fp, struct wasm_instance_t *inst) {
    static const void *const table[BC_COUNT] = {
#include "generated/bytecode/handler_rows.inc"
    };
    _Static_assert(sizeof(void *) == sizeof(uint64_t), "a cell holds a handler's address");
    if (!vm)
        return (const uint64_t *)(const void *)table;
    uint8_t *mem = cn_instance_base(inst);
    uint64_t acc = 0, p = fp[FRAME_PIN_P], q = fp[FRAME_PIN_Q];
    vacc facc = {0};
    DISPATCH();
#include "generated/bytecode/handlers.inc"
#include "exec/handlers_control.inc"
#include "exec/handlers_state.inc"
#include "exec/handlers_atomic.inc"
#include "exec/handlers_wide.inc"
#include "exec/handlers_pairs.inc"
#include "exec/handlers_gc.inc"
}
const uint64_t *cn_handlers(void) { return run(NULL, NULL, NULL, NULL); }

#endif

/* Whether a fault belongs to the memory of the frame that was executing. */
static bool fault_is_ours(struct guard_scope *scope, const void *pc, void *fp, uintptr_t address) {
    struct machine *vm = scope->owner;
    const uint64_t *frame = fp;
    const struct wasm_instance_t *instance = frame_instance(frame);
    const struct wasm_memory_t *memory = instance->memories[0];
    uintptr_t base = (uintptr_t)memory->base;
    if (address < base || address - base >= memory->reserved)
        return false;
    vm->pc = pc;
    vm->fp = fp;
    vm->event = EVENT_TRAP;
    vm->trap_code = CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS;
    vm->trap_operand[0] = address - base;
    return true;
}

static void execute(struct machine *vm, const uint64_t *pc, uint64_t *fp,
                    struct wasm_instance_t *instance) {
    if (!vm->guarded) {
        run(vm, pc, fp, instance);
        return;
    }
    struct guard_scope scope; /* the catch is set below */
    scope.accept = fault_is_ours;
    scope.owner = vm;
    cn_guard_enter(&scope);
    if (!cn_guard_catch(&scope))
        run(vm, pc, fp, instance);
    cn_guard_leave(&scope);
}

void cn_execute(struct machine *vm, const uint64_t *pc, uint64_t *fp,
                struct wasm_instance_t *instance) {
    execute(vm, pc, fp, instance);
    while (unlikely(vm->event == EVENT_OUT_OF_FUEL) && cn_store_refuel(vm->store))
        execute(vm, vm->pc, vm->fp, frame_instance(vm->fp));
}
