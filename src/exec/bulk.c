/* Bulk memory instructions that may take seconds: in pieces, so that they can be interrupted. */
#include <string.h>

#include "exec/internal.h"

#define PIECE_BYTES (UINT64_C(16) << 20)

static bool interrupted(const struct machine *vm) {
    return vm->interruptible &&
           atomic_load_explicit(&vm->interrupt_request, memory_order_relaxed) ==
               atomic_load_explicit(&vm->call_id, memory_order_relaxed);
}

bool cn_bulk_copy(const struct machine *vm, uint8_t *to, const uint8_t *from, uint64_t count) {
    bool overlap = to < from + count && from < to + count;
    while (count > PIECE_BYTES && !overlap) {
        memcpy(to, from, PIECE_BYTES);
        to += PIECE_BYTES;
        from += PIECE_BYTES;
        count -= PIECE_BYTES;
        if (interrupted(vm))
            return false;
    }
    memmove(to, from, count);
    return true;
}

bool cn_bulk_fill(const struct machine *vm, uint8_t *to, uint8_t value, uint64_t count) {
    while (count > PIECE_BYTES) {
        memset(to, value, PIECE_BYTES);
        to += PIECE_BYTES;
        count -= PIECE_BYTES;
        if (interrupted(vm))
            return false;
    }
    memset(to, value, count);
    return true;
}
