/*
 * Little-endian numbers of up to 8 bytes in a buffer, on any machine and at any alignment.
 */
#ifndef CN_BASE_BYTES_H
#define CN_BASE_BYTES_H

#include <stdint.h>

/* Writes the lowest `size` bytes of the value. */
static inline void cn_put_le(uint8_t *at, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t cn_get_le(const uint8_t *at, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

#endif
