/*
 * Access to the guest's linear memory: every pointer of the guest goes through here.
 *
 * A range is checked as a whole before anything in it is touched, in 64-bit arithmetic that cannot
 * overflow: pointers and lengths of the guest have 32 bits, products of a count and a record size
 * fit in 64. Values are little-endian and need not be aligned.
 */
#ifndef CN_WASI_GUEST_H
#define CN_WASI_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wasi_guest {
    uint8_t *base; /* NULL when the caller has no memory: then size is 0 */
    uint64_t size;
};

static inline bool cn_guest_range(const struct wasi_guest *g, uint32_t pointer, uint64_t length) {
    return g->base && pointer <= g->size && length <= g->size - pointer;
}

/* Only for ranges that were checked. */
static inline uint8_t *cn_guest_at(const struct wasi_guest *g, uint32_t pointer) {
    return g->base + pointer;
}

static inline void cn_put_u16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void cn_put_u32(uint8_t *at, uint32_t value) {
    cn_put_u16(at, (uint16_t)value);
    cn_put_u16(at + 2, (uint16_t)(value >> 16));
}

static inline void cn_put_u64(uint8_t *at, uint64_t value) {
    cn_put_u32(at, (uint32_t)value);
    cn_put_u32(at + 4, (uint32_t)(value >> 32));
}

/* A value that was read, and is not read again: another thread of the guest may change what lies there, between a
 * check and the use. */
#define CN_READ_ONCE(value) __asm__("" : "+r"(value))

static inline uint16_t cn_get_u16(const uint8_t *at) {
    uint32_t value = (uint32_t)at[0] | (uint32_t)at[1] << 8;
    CN_READ_ONCE(value);
    return (uint16_t)value;
}

static inline uint32_t cn_get_u32(const uint8_t *at) {
    uint32_t value =
        (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    CN_READ_ONCE(value);
    return value;
}

static inline uint64_t cn_get_u64(const uint8_t *at) {
    return cn_get_u32(at) | (uint64_t)cn_get_u32(at + 4) << 32;
}

#endif
