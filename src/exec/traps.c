/* How a stop becomes a trap: its message, its frames, and the fuel that is given back. */
#include "base/platform.h"
#include "code/code.h"
#include "exec/internal.h"

size_t cn_frames_from(struct machine *vm, const uint64_t *pc, uint64_t *fp, struct trap_frame *out,
                      size_t innermost, size_t left_out) {
    size_t count = 0;
    if (!fp)
        return 0;
    struct frame frame = frame_at(pc, fp);
    do {
        if (count < innermost || count - innermost >= left_out)
            *out++ = (struct trap_frame){
                .instance = frame_instance(frame.fp),
                .func_index = frame_code(frame.fp)->func_index,
                .pc = frame.at,
            };
        count++;
    } while (frame_step_out(vm, &frame) || frame_leave_call(&frame));
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

static void format_type(const struct machine *vm, uint64_t id, char *text, size_t size) {
    cn_functype_format(dt_func(cn_types_get(&vm->store->engine->types, (uint32_t)id)), text, size);
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
    case CATNAP_TRAP_UNALIGNED_ATOMIC:
        return cn_trap_new(vm->store, code, "%s: address 0x%llx", text, operand);
    case CATNAP_TRAP_TABLE_OUT_OF_BOUNDS:
        return cn_trap_new(vm->store, code, "%s: index %llu", text, operand);
    case CATNAP_TRAP_UNDEFINED_ELEMENT:
    case CATNAP_TRAP_UNINITIALIZED_ELEMENT:
        return cn_trap_new(vm->store, code, "%s %llu", text, operand);
    case CATNAP_TRAP_INDIRECT_CALL_TYPE_MISMATCH: {
        char expected[96], found[96];
        format_type(vm, vm->trap_operand[0], expected, sizeof expected);
        format_type(vm, vm->trap_operand[1], found, sizeof found);
        return cn_trap_new(vm->store, code, "%s: expected %s, found %s", text, expected, found);
    }
    default:
        return cn_trap_new(vm->store, code, "%s", text);
    }
}

/* A fuel block is paid for at its start: a trap gives back what it did not come to. */
static void refund(struct machine *vm) {
    if (!vm->fuel_enabled || !vm->fp)
        return;
    const struct code *code = frame_code(vm->fp);
    const struct wasm_instance_t *instance = frame_instance(vm->fp);
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
