/* Traps, frames and foreign objects of wasm.h. */
#include "api/api.h"

struct wasm_frame_t {
    wasm_instance_t *instance; /* a handle */
    uint32_t func_index;
    size_t func_offset, module_offset;
};

wasm_trap_t *wasm_trap_new(wasm_store_t *store, const wasm_message_t *message) {
    if (!store)
        return NULL;
    if (!cn_store_enter(store))
        return store->misuse_trap;
    const char *text = message ? message->data : NULL;
    size_t length = text ? message->size : 0;
    if (length > 0 && text[length - 1] == '\0')
        length--;
    wasm_trap_t *trap = cn_trap_new_text(store, CATNAP_TRAP_HOST, text, length);
    cn_store_leave(store);
    return trap;
}

void wasm_trap_message(const wasm_trap_t *trap, wasm_message_t *out) {
    if (trap)
        wasm_byte_vec_new(out, trap->message_length + 1, trap->message);
    else
        wasm_byte_vec_new_empty(out);
}

static wasm_frame_t *new_frame(const struct trap_frame *from) {
    wasm_frame_t *frame = cn_host_alloc(sizeof *frame);
    if (!frame)
        return NULL;
    catnap_frame_t resolved;
    cn_frame_resolve(from, &resolved);
    *frame = (wasm_frame_t){from->instance, from->func_index, (size_t)resolved.func_offset,
                            (size_t)resolved.module_offset};
    cn_object_retain(&from->instance->ref);
    return frame;
}

/* The interface knows frames of WebAssembly functions only. */
static size_t count_wasm_frames(const wasm_trap_t *trap) {
    size_t count = 0;
    for (size_t i = 0; i < trap->frame_count; i++)
        count += trap->frames[i].instance != NULL;
    return count;
}

wasm_frame_t *wasm_trap_origin(const wasm_trap_t *trap) {
    for (size_t i = 0; trap && i < trap->frame_count; i++)
        if (trap->frames[i].instance)
            return new_frame(&trap->frames[i]);
    return NULL;
}

void wasm_trap_trace(const wasm_trap_t *trap, wasm_frame_vec_t *out) {
    wasm_frame_vec_new_uninitialized(out, trap ? count_wasm_frames(trap) : 0);
    size_t made = 0;
    for (size_t i = 0; trap && made < out->size; i++) {
        if (!trap->frames[i].instance)
            continue;
        out->data[made] = new_frame(&trap->frames[i]);
        if (!out->data[made++]) {
            wasm_frame_vec_delete(out);
            return;
        }
    }
}

wasm_frame_t *wasm_frame_copy(const wasm_frame_t *from) {
    wasm_frame_t *frame = from ? cn_host_alloc(sizeof *frame) : NULL;
    if (!frame)
        return NULL;
    *frame = *from;
    cn_object_retain(&frame->instance->ref);
    return frame;
}

void wasm_frame_delete(wasm_frame_t *frame) {
    if (!frame)
        return;
    cn_object_release(&frame->instance->ref);
    cn_host_free(frame);
}

struct wasm_instance_t *wasm_frame_instance(const wasm_frame_t *frame) {
    return frame ? frame->instance : NULL;
}

uint32_t wasm_frame_func_index(const wasm_frame_t *frame) {
    return frame ? frame->func_index : 0;
}

size_t wasm_frame_func_offset(const wasm_frame_t *frame) {
    return frame ? frame->func_offset : 0;
}

size_t wasm_frame_module_offset(const wasm_frame_t *frame) {
    return frame ? frame->module_offset : 0;
}

wasm_foreign_t *wasm_foreign_new(wasm_store_t *store) {
    if (!store)
        return NULL;
    if (!cn_store_enter_to_make(store))
        return NULL;
    wasm_foreign_t *foreign = cn_foreign_new(store);
    if (foreign)
        cn_object_retain(&foreign->ref);
    else
        cn_report_memory(store, NULL);
    cn_store_leave(store);
    return foreign;
}
