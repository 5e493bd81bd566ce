/* What a frame means: names and offsets, worked out when somebody asks. */
#include "api/api.h"
#include "exec/calls.h"

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
