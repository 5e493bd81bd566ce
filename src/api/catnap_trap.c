/* Traps of catnap.h, and what their frames mean. */
#include "api/api.h"

#include "exec/calls.h"

/* ---- Frames: names and offsets, found when they are asked for ---- */

static void set_name(const struct module *module, struct span span, const char **name,
                     size_t *length) {
    *name = span.length > 0 ? (const char *)module->bytes + span.offset : NULL;
    *length = span.length;
}

static void resolve_names(const struct module *module, uint32_t func, catnap_frame_t *out) {
    set_name(module, cn_module_func_name(module, func), &out->func_name, &out->func_name_length);
    set_name(module, module->module_name, &out->module_name, &out->module_name_length);
    if (!out->module_name && module->given_name) {
        out->module_name = module->given_name;
        out->module_name_length = strlen(module->given_name);
    }
}

/* Where the instruction is; without a place in the bytecode, the start of the body. */
static void resolve_offsets(const struct trap_frame *frame, catnap_frame_t *out) {
    const wasm_instance_t *instance = frame->instance;
    struct error ignored;
    const struct code *code =
        cn_code_get(instance->shared, instance->variant, frame->func_index, NULL, &ignored);
    if (!code)
        return;
    out->module_offset = code->body.offset;
    uint64_t offset = CN_NO_OFFSET;
    if (frame->pc)
        offset = cn_code_offset(instance->module, code, frame->pc, &instance->variant->config);
    if (offset == CN_NO_OFFSET)
        return;
    out->module_offset = offset;
    out->func_offset = offset - code->body.offset;
}

void cn_frame_resolve(const struct trap_frame *frame, catnap_frame_t *out) {
    *out = (catnap_frame_t){.instance = frame->instance, .func_index = frame->func_index};
    if (!frame->instance)
        return;
    resolve_names(frame->instance->module, frame->func_index, out);
    if (frame->func_index >= frame->instance->module->imported_func_count)
        resolve_offsets(frame, out);
}

size_t cn_backtrace(struct machine *machine, struct catnap_run_t *run, catnap_frame_t *out,
                    size_t capacity) {
    size_t count = cn_frames(machine, run, NULL, 0);
    size_t wanted = out ? (count < capacity ? count : capacity) : 0;
    struct trap_frame *frames = cn_alloc(machine->alloc, wanted * sizeof *frames);
    if (!frames)
        return 0;
    cn_frames(machine, run, frames, wanted);
    for (size_t i = 0; i < wanted; i++)
        cn_frame_resolve(&frames[i], &out[i]);
    cn_free(machine->alloc, frames, wanted * sizeof *frames);
    return count;
}

/* ---- Traps ---- */

catnap_trap_code_t catnap_trap_code(const wasm_trap_t *trap) {
    return trap ? trap->code : CATNAP_TRAP_HOST;
}

wasm_trap_t *catnap_trap_new(wasm_store_t *store, catnap_trap_code_t code, const char *message) {
    if (!store)
        return cn_trap_null_argument();
    if (!cn_store_enter(store))
        return store->misuse_trap;
    wasm_trap_t *trap =
        cn_trap_new_text(store, code, message ? message : "", message ? strlen(message) : 0);
    cn_store_leave(store);
    return trap;
}

wasm_trap_t *catnap_trap_new_exit(wasm_store_t *store, int32_t status) {
    if (!store)
        return cn_trap_null_argument();
    if (!cn_store_enter(store))
        return store->misuse_trap;
    wasm_trap_t *trap = cn_trap_new(store, CATNAP_TRAP_EXIT, "exit with status %d", (int)status);
    if (trap->code == CATNAP_TRAP_EXIT)
        trap->exit_status = status;
    cn_store_leave(store);
    return trap;
}

bool catnap_trap_exit_status(const wasm_trap_t *trap, int32_t *status) {
    bool is_exit = trap && trap->code == CATNAP_TRAP_EXIT;
    if (status)
        *status = is_exit ? trap->exit_status : 0;
    return is_exit;
}

size_t catnap_trap_frame_count(const wasm_trap_t *trap) {
    return trap ? trap->frame_count : 0;
}

bool catnap_trap_frame(const wasm_trap_t *trap, size_t index, catnap_frame_t *out) {
    bool found = trap && index < trap->frame_count;
    if (found && out)
        cn_frame_resolve(&trap->frames[index], out);
    else if (out)
        *out = (catnap_frame_t){0};
    return found;
}

size_t catnap_trap_frames_left_out(const wasm_trap_t *trap, size_t *index) {
    size_t left_out = trap ? trap->frames_left_out : 0;
    if (index)
        *index = left_out > 0 ? TRAP_FRAMES_INNERMOST : catnap_trap_frame_count(trap);
    return left_out;
}

bool catnap_trap_frames_equal(const wasm_trap_t *trap, size_t a, size_t b) {
    size_t count = catnap_trap_frame_count(trap);
    if (a >= count || b >= count)
        return false;
    const struct trap_frame *x = &trap->frames[a], *y = &trap->frames[b];
    return x->instance == y->instance && x->func_index == y->func_index && x->pc == y->pc;
}
