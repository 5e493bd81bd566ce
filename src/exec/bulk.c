/* Bulk memory instructions that may take seconds: in pieces, so that they can be interrupted. */
#include <string.h>

#include "exec/internal.h"

#define PIECE_BYTES (UINT64_C(16) << 20)

/* Bytes of the next piece; 0: all is done, or the rest is for later. */
static uint64_t next_piece(const struct machine *vm, uint64_t done, uint64_t count,
                           bool divisible) {
    uint64_t left = count - done;
    if (!divisible)
        return left;
    if (done > 0 && left > 0 && cn_interrupted(vm))
        return 0;
    return left < PIECE_BYTES ? left : PIECE_BYTES;
}

uint64_t cn_bulk_copy(const struct machine *vm, uint8_t *to, const uint8_t *from, uint64_t count,
                      bool divisible) {
    bool from_the_end = cn_copies_from_the_end((uintptr_t)to, (uintptr_t)from, count);
    uint64_t done = 0, piece;
    while ((piece = next_piece(vm, done, count, divisible)) > 0) {
        uint64_t at = from_the_end ? count - done - piece : done;
        memmove(to + at, from + at, piece);
        done += piece;
    }
    return done;
}

uint64_t cn_bulk_fill(const struct machine *vm, uint8_t *to, uint8_t value, uint64_t count,
                      bool divisible) {
    uint64_t done = 0, piece;
    while ((piece = next_piece(vm, done, count, divisible)) > 0) {
        memset(to + done, value, piece);
        done += piece;
    }
    return done;
}
