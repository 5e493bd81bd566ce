/* What the handlers call in C, and how C starts them. */
#ifndef CN_EXEC_INTERNAL_H
#define CN_EXEC_INTERNAL_H

#include "runtime/bulk.h"
#include "bytecode/bytecode.h"
#include "code/code.h"
#include "exec/machine.h"
#include "runtime/objects.h"

/* Runs handlers from pc until one leaves; vm->event says why. */
void cn_execute(struct machine *vm, const uint64_t *pc, uint64_t *fp,
                struct wasm_instance_t *instance);

/* code/code.c: the code of a defined function, which is translated now if nobody has called it
 * before. On failure the event is set; NULL. */
const struct code *cn_first_call(struct machine *vm, struct wasm_instance_t *instance,
                                 uint32_t defined_index);
/* Sets the event that a translation which failed with the error stops with. */
void cn_stop_untranslated(struct machine *vm, uint32_t func, const struct error *);
/* The same for an object, which then has it. */
bool cn_first_call_of(struct machine *vm, struct wasm_func_t *);
/* exec/machine.c: calls a host function from WebAssembly; vm->pc and vm->fp say where, at an
 * instruction of so many cells. On a trap the event is set; false. */
bool cn_call_host(struct machine *vm, struct wasm_instance_t *instance, struct wasm_func_t *,
                  uint64_t *slots, uint32_t cells);
/* The same for one that the instance does not import: it is kept from the collector meanwhile. */
bool cn_call_held_host(struct machine *vm, struct wasm_instance_t *instance, struct wasm_func_t *,
                       uint64_t *slots, uint32_t cells);

/* exec/machine.c, for runs. */
struct outer_call { /* what a call from the host puts aside */
    const uint64_t *pc;
    uint64_t *fp;
    struct value_stack *stack;
    uint64_t *stack_limit;
    uint32_t depth_left;
};
struct value_stack *cn_stack_new(struct machine *);
void cn_stack_delete(struct machine *, struct value_stack *);
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
size_t cn_frames_from(struct machine *, const uint64_t *pc, const uint64_t *fp,
                      struct trap_frame *out, size_t innermost, size_t left_out);

/* exec/run.c, for suspended execution. Where a stopped run stands; false when it does not. */
bool cn_run_place(const struct catnap_run_t *, const uint64_t **pc, uint64_t **fp);
/* Fuel that it has taken already for the next stretch. */
uint64_t cn_run_fuel(const struct catnap_run_t *);
/* Makes a new run stand there: its frames are on the stack above the entry record, `frames` deep. */
struct value_stack *cn_run_stack(const struct catnap_run_t *);
void cn_run_stand(struct catnap_run_t *, const uint64_t *pc, uint64_t *fp, uint32_t frames,
                  uint64_t fuel_paid);

static inline uint8_t *cn_instance_base(const struct wasm_instance_t *instance) {
    return instance->module->memory_count ? instance->memories[0]->base : NULL;
}

/* What the instance's code was or will be translated with. */
static inline struct translation_config cn_instance_translation(const struct wasm_instance_t *i) {
    return (struct translation_config){
        .fuel = i->machine->fuel_enabled,
        .interruptible = i->machine->interruptible,
        .explicit_checks = i->module->memory_count > 0 && !i->memories[0]->guarded,
        .profile_ops = i->machine->store->engine->config.profile_ops,
    };
}
/* What this code of the instance was translated with. */
static inline struct translation_config cn_code_translation(const struct wasm_instance_t *i,
                                                            const struct code *code) {
    return cn_config_for(code, cn_instance_translation(i));
}

#endif
