/*
 * Work whose length a module chooses, in pieces: between two pieces an interrupt is noticed. For bulk
 * instructions and for what instantiation copies.
 */
#ifndef CN_RUNTIME_BULK_H
#define CN_RUNTIME_BULK_H

#include "bytecode/code.h"
#include "runtime/machine.h"

/* Bytes, elements and other items that are done between two looks at the interrupt. */
#define BULK_PIECE_BYTES (UINT64_C(16) << 20)
#define BULK_PIECE_ITEMS 4096u

/* A unit of fuel pays for so many. */
#define ELEMENTS_FOR_FUEL 8u

/* memmove(), memset() and the same for slots: how many bytes (elements) are done. Fewer than all, but a
 * multiple of 64 (8), when the call was interrupted and what is left can be done later (`divisible`): the
 * end of the ranges, or the start when the copy is from the end. */
uint64_t cn_bulk_copy(const struct machine *, void *to, const void *from, uint64_t bytes,
                      bool divisible);
uint64_t cn_bulk_fill(const struct machine *, uint8_t *to, uint8_t value, uint64_t bytes,
                      bool divisible);
uint64_t cn_bulk_fill_slots(const struct machine *, uint64_t *to, uint64_t value, uint64_t count,
                            bool divisible);

/* Whether a copy of `count` units, bytes or elements, goes from the end to the start. */
static inline bool cn_copies_from_the_end(uint64_t to, uint64_t from, uint64_t count) {
    return to > from && to - from < count;
}

#endif
