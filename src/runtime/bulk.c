/* Bulk work that may take seconds: in pieces, so that it can be interrupted. */
#include "runtime/bulk.h"

#include <string.h>

_Static_assert(BULK_PIECE_BYTES % 64 == 0, "what is left costs what was not paid for it");

/* Bytes of the next piece; 0: all is done, or the rest is for later. */
static uint64_t next_piece(const struct machine *vm, uint64_t done, uint64_t count,
                           bool divisible) {
    uint64_t left = count - done;
    if (!divisible)
        return left;
    if (done > 0 && left > 0 && cn_interrupted(&vm->interrupt))
        return 0;
    return left < BULK_PIECE_BYTES ? left : BULK_PIECE_BYTES;
}

uint64_t cn_bulk_copy(const struct machine *vm, void *to, const void *from, uint64_t bytes,
                      bool divisible) {
    bool from_the_end = cn_copies_from_the_end((uintptr_t)to, (uintptr_t)from, bytes);
    uint64_t done = 0, piece;
    while ((piece = next_piece(vm, done, bytes, divisible)) > 0) {
        uint64_t at = from_the_end ? bytes - done - piece : done;
        memmove((uint8_t *)to + at, (const uint8_t *)from + at, piece);
        done += piece;
    }
    return done;
}

uint64_t cn_bulk_fill(const struct machine *vm, uint8_t *to, uint8_t value, uint64_t bytes,
                      bool divisible) {
    uint64_t done = 0, piece;
    while ((piece = next_piece(vm, done, bytes, divisible)) > 0) {
        memset(to + done, value, piece);
        done += piece;
    }
    return done;
}

uint64_t cn_bulk_fill_slots(const struct machine *vm, uint64_t *to, uint64_t value, uint64_t count,
                            bool divisible) {
    uint64_t done = 0, bytes;
    while ((bytes = next_piece(vm, done * sizeof *to, count * sizeof *to, divisible)) > 0) {
        uint64_t end = done + bytes / sizeof *to;
        while (done < end)
            to[done++] = value;
    }
    return done;
}
