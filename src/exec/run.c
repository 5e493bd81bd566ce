/* Resumable runs: a call with a value stack of its own. */
#include <string.h>

#include "base/assert.h"
#include "exec/internal.h"

enum run_state { RUN_NEW, RUN_STOPPED, RUN_RUNNING, RUN_ENDED };

struct catnap_run_t {
    struct wasm_func_t *func;
    struct value_stack *stack;
    enum run_state state;
    bool dropped;       /* deleted while it runs: it goes when it stops */
    const uint64_t *pc; /* of a stopped run */
    uint64_t *fp;
    uint64_t fuel_paid; /* towards the fuel block that it could not pay for */
};

struct catnap_run_t *cn_run_new(struct wasm_func_t *f, const uint64_t *slots, struct error *error) {
    struct machine *vm = &f->ref.store->machine;
    struct catnap_run_t *run = cn_calloc(vm->alloc, 1, sizeof *run);
    if (run)
        run->stack = cn_stack_new(vm);
    if (!run || !run->stack) {
        cn_free(vm->alloc, run, sizeof *run);
        cn_fail_memory(error);
        return NULL;
    }
    run->func = f;
    cn_object_retain(&f->ref);
    if (!cn_entry_fits(run->stack, run->stack->base, f->type)) {
        cn_run_delete(run);
        cn_fail(error, CATNAP_LIMIT, "the arguments do not fit on the value stack");
        return NULL;
    }
    uint64_t *values = run->stack->base + ENTRY_RECORD_SLOTS;
    memcpy(values, slots, f->type->param_slots * sizeof *slots);
    run->stack->top = values + f->type->param_slots; /* what the collector looks at */
    return run;
}

/* One slice of execution; vm->event says how it ended. */
static void step(struct machine *vm, struct catnap_run_t *run, const struct outer_call *outer) {
    CN_ASSERT(run->state == RUN_NEW || run->state == RUN_STOPPED);
    uint64_t *record = run->stack->base;
    record[ENTRY_PREVIOUS_PC] = (uint64_t)(uintptr_t)outer->pc;
    record[ENTRY_PREVIOUS_FP] = (uint64_t)(uintptr_t)outer->fp;
    vm->depth_left = vm->depth_limit;
    if (vm->fuel_enabled) {
        vm->fuel = vm->fuel > UINT64_MAX - run->fuel_paid ? UINT64_MAX : vm->fuel + run->fuel_paid;
        run->fuel_paid = 0;
    }
    if (run->state == RUN_NEW && !cn_enter(vm, run->func, record, &run->pc, &run->fp))
        return;
    CN_ASSERT(run->fp >= run->stack->base + ENTRY_RECORD_SLOTS);
    run->state = RUN_RUNNING;
    cn_execute(vm, run->pc, run->fp, frame_instance(run->fp));
}

/* The status of a run that can go on; CATNAP_OK when it has ended. */
static catnap_status_t stop_status(enum machine_event event) {
    switch (event) {
    case EVENT_OUT_OF_FUEL:
        return CATNAP_OUT_OF_FUEL;
    case EVENT_INTERRUPTED:
        return CATNAP_INTERRUPTED;
    case EVENT_NO_MEMORY:
        return CATNAP_NO_MEMORY;
    default:
        return CATNAP_OK;
    }
}

static catnap_status_t finish(struct machine *vm, struct catnap_run_t *run, uint64_t *results,
                              struct wasm_trap_t **trap) {
    catnap_status_t stopped = stop_status(vm->event);
    if (stopped != CATNAP_OK && run->state == RUN_NEW)
        return stopped; /* the function itself could not be translated: nothing has changed */
    if (stopped != CATNAP_OK) {
        if (vm->trap)
            cn_object_release(&vm->trap->ref);
        vm->trap = NULL;
        run->state = RUN_STOPPED;
        run->pc = vm->pc;
        run->fp = vm->fp;
        const struct code *code = frame_code(run->fp);
        CN_ASSERT(run->fp >= run->stack->base + ENTRY_RECORD_SLOTS);
        CN_ASSERT(code->frame_slots >= FRAME_HEADER_SLOTS);
        run->stack->top = run->fp + code->frame_slots;
        if (vm->event == EVENT_OUT_OF_FUEL) {
            /* The fuel that is left goes towards it, so that any fuel at all brings a run forward. */
            run->fuel_paid = vm->fuel;
            vm->fuel = 0;
        }
        return stopped;
    }
    run->state = RUN_ENDED;
    run->stack->top = run->stack->base;
    if (vm->event == EVENT_DONE) {
        memcpy(results, run->stack->base + ENTRY_RECORD_SLOTS,
               run->func->type->result_slots * sizeof *results);
        return CATNAP_OK;
    }
    *trap = cn_take_trap(vm);
    return CATNAP_TRAP;
}

/* A host function does not stop half-way: it is called and has ended. */
static catnap_status_t call_host(struct catnap_run_t *run, uint64_t *results,
                                 struct wasm_trap_t **trap) {
    run->state = RUN_RUNNING;
    *trap = cn_call(run->func, run->stack->base + ENTRY_RECORD_SLOTS);
    run->state = RUN_ENDED;
    if (*trap)
        return CATNAP_TRAP;
    memcpy(results, run->stack->base + ENTRY_RECORD_SLOTS,
           run->func->type->result_slots * sizeof *results);
    return CATNAP_OK;
}

static catnap_status_t call_wasm(struct machine *vm, struct catnap_run_t *run, uint64_t *results,
                                 struct wasm_trap_t **trap) {
    struct outer_call outer;
    *trap = cn_adopt_pages(vm);
    if (*trap)
        return CATNAP_TRAP;
    if (!cn_begin_call(vm, &outer, run->stack)) {
        *trap = cn_trap_new(vm->store, CATNAP_TRAP_STACK_OVERFLOW, "%s",
                            cn_trap_text(CATNAP_TRAP_STACK_OVERFLOW));
        return CATNAP_TRAP;
    }
    bool in_run = vm->in_run;
    vm->in_run = vm->host_depth == 1;
    vm->suspend = false;
    step(vm, run, &outer);
    catnap_status_t status = finish(vm, run, results, trap);
    vm->in_run = in_run;
    cn_end_call(vm, &outer);
    return status;
}

catnap_status_t cn_run_resume(struct catnap_run_t *run, uint64_t *results,
                              struct wasm_trap_t **trap) {
    struct machine *vm = &run->func->ref.store->machine;
    *trap = NULL;
    if (run->state != RUN_NEW && run->state != RUN_STOPPED)
        return CATNAP_MISUSE;
    catnap_status_t status =
        run->func->instance ? call_wasm(vm, run, results, trap) : call_host(run, results, trap);
    if (run->dropped)
        cn_run_delete(run);
    return status;
}

void cn_run_delete(struct catnap_run_t *run) {
    if (!run)
        return;
    run->dropped = true;
    if (run->state == RUN_RUNNING)
        return;
    struct wasm_func_t *f = run->func;
    struct machine *vm = &f->ref.store->machine;
    vm->stops += run->state == RUN_STOPPED;
    cn_stack_delete(vm, run->stack);
    cn_free(vm->alloc, run, sizeof *run);
    cn_object_release(&f->ref);
}

struct wasm_func_t *cn_run_func(const struct catnap_run_t *run) {
    return run->func;
}

size_t cn_frames(struct machine *vm, struct catnap_run_t *run, struct trap_frame *out,
                 size_t capacity) {
    if (!run)
        return cn_frames_from(vm, vm->pc, vm->fp, out, capacity, SIZE_MAX);
    if (run->state != RUN_STOPPED)
        return 0;
    /* The call that resumed it has gone on: its outermost frame has nothing outside. */
    run->stack->base[ENTRY_PREVIOUS_PC] = 0;
    run->stack->base[ENTRY_PREVIOUS_FP] = 0;
    return cn_frames_from(vm, run->pc, run->fp, out, capacity, SIZE_MAX);
}

bool cn_run_place(const struct catnap_run_t *run, struct frame *frame) {
    *frame = frame_at(run->pc, run->fp);
    return run->state == RUN_STOPPED;
}

uint64_t cn_run_fuel(const struct catnap_run_t *run) {
    return run->fuel_paid;
}

struct value_stack *cn_run_stack(const struct catnap_run_t *run) {
    return run->stack;
}

void cn_run_stand(struct catnap_run_t *run, const uint64_t *pc, uint64_t *fp, uint32_t frames,
                  uint64_t fuel_paid) {
    const struct code *code = frame_code(fp);
    CN_ASSERT(run->state == RUN_NEW && frames > 0);
    CN_ASSERT(fp >= run->stack->base + ENTRY_RECORD_SLOTS);
    run->state = RUN_STOPPED;
    run->pc = pc;
    run->fp = fp;
    run->fuel_paid = fuel_paid;
    const struct machine *vm = &run->func->ref.store->machine;
    struct frame frame = frame_at(pc, fp);
    uint64_t least = vm->depth_limit > frames ? vm->depth_limit - frames : 0, depth = least;
    do
        frame.fp[FRAME_DEPTH] = depth++;
    while (frame_step_out(vm, &frame));
    CN_ASSERT(depth - least == frames);
    run->stack->top = fp + code->frame_slots;
}
