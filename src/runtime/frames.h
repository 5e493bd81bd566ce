/*
 * Walking the frames on a value stack, from the innermost outwards. The layout of a frame is enum frame_header in
 * bytecode/bytecode.h; the frames of one call from the host are linked by FRAME_CALLER, and its entry record links to
 * the frames of the call around it.
 */
#ifndef CN_RUNTIME_FRAMES_H
#define CN_RUNTIME_FRAMES_H

#include "base/assert.h"
#include "bytecode/bytecode.h"
#include "bytecode/code.h"
#include "runtime/machine.h"

struct frame {
    uint64_t *fp;
    const uint64_t
        *pc; /* where it stands; for a frame that waits for its callee, where it goes on */
    const uint64_t *at; /* in the instruction under way: the same, or the last cell of the call */
};

static inline const struct code *frame_code(const uint64_t *fp) {
    return (const struct code *)(uintptr_t)fp[FRAME_CODE];
}
static inline struct wasm_instance_t *frame_instance(const uint64_t *fp) {
    return (struct wasm_instance_t *)(uintptr_t)fp[FRAME_INSTANCE];
}

/* The frame that stands at pc. */
static inline struct frame frame_at(const uint64_t *pc, uint64_t *fp) {
    return (struct frame){.fp = fp, .pc = pc, .at = pc};
}

/* Moves to the caller within a call from the host; false at the outermost frame of that, which stays. */
static inline bool frame_step_out(const struct machine *vm, struct frame *frame) {
    const uint64_t *back = (const uint64_t *)(uintptr_t)frame->fp[FRAME_RETURN_PC];
    uint64_t *caller = (uint64_t *)(uintptr_t)frame->fp[FRAME_CALLER];
    CN_ASSERT(caller && caller < frame->fp);
    if (back == vm->exit_cell)
        return false;
    if (back == vm->switch_back_cell)
        back = (const uint64_t *)(uintptr_t)caller[FRAME_RESUME];
    CN_ASSERT(back && frame_code(caller) && frame_instance(caller));
    *frame = (struct frame){.fp = caller, .pc = back, .at = back - 1};
    return true;
}

/* From the outermost frame of a call from the host to the frame whose host function made that call; false when
 * the call is the outermost one. */
static inline bool frame_leave_call(struct frame *frame) {
    const uint64_t *record = (const uint64_t *)(uintptr_t)frame->fp[FRAME_CALLER];
    uint64_t *outer = (uint64_t *)(uintptr_t)record[ENTRY_PREVIOUS_FP];
    if (outer)
        *frame = frame_at((const uint64_t *)(uintptr_t)record[ENTRY_PREVIOUS_PC], outer);
    return outer != NULL;
}

#endif
