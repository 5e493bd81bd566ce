/* Traps of catnap.h. */
#include "api/api.h"

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
