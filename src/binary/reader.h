/*
 * Reading the binary format (section 5). One reader for all: sections, bodies, the validator, the
 * translator. The checked functions never read past `end`; the *_valid ones are for bytes that the
 * validator has passed and check nothing.
 */
#ifndef CN_BINARY_READER_H
#define CN_BINARY_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/likely.h"

struct reader {
    const uint8_t *at, *end;
};

/* Unsigned and signed LEB128 of at most `bits` bits (section 5.2.2): false at the end of input, or
 * when the encoding is too long or has wrong unused bits (*too_long then true). */
bool cn_read_u32_slow(struct reader *, uint32_t *value, bool *too_long);
bool cn_read_u64_slow(struct reader *, uint64_t *value, bool *too_long);
bool cn_read_s32_slow(struct reader *, int32_t *value, bool *too_long);
bool cn_read_s33_slow(struct reader *, int64_t *value, bool *too_long);
bool cn_read_s64_slow(struct reader *, int64_t *value, bool *too_long);

static inline bool cn_read_u32(struct reader *r, uint32_t *value, bool *too_long) {
    if (likely(r->at < r->end && *r->at < 0x80)) {
        *value = *r->at++;
        return true;
    }
    return cn_read_u32_slow(r, value, too_long);
}

/* Where at least five bytes can be read: false when the encoding is too long or has unused bits. */
static inline __attribute__((always_inline)) bool cn_u32_in_reach(const uint8_t **at,
                                                                  uint32_t *value) {
    const uint8_t *p = *at;
    uint32_t result = *p++;
    if (unlikely(result >= 0x80)) {
        result &= 0x7F;
        uint32_t shift = 7;
        while (*p >= 0x80 && shift < 28) {
            result |= (uint32_t)(*p++ & 0x7F) << shift;
            shift += 7;
        }
        if (shift == 28 && *p > 0x0F)
            return false;
        result |= (uint32_t)*p++ << shift;
    }
    *at = p;
    *value = result;
    return true;
}

/* For validated bytes. */
static inline uint32_t cn_u32_valid(const uint8_t **at) {
    uint32_t value = *(*at)++;
    if (likely(value < 0x80))
        return value;
    value &= 0x7F;
    for (uint32_t shift = 7;; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint32_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return value;
    }
}
static inline uint64_t cn_u64_valid(const uint8_t **at) {
    uint64_t value = *(*at)++;
    if (likely(value < 0x80))
        return value;
    value &= 0x7F;
    for (uint32_t shift = 7;; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return value;
    }
}
static inline int64_t cn_s64_valid(const uint8_t **at) {
    uint64_t value = *(*at)++;
    if (likely(value < 0x80))
        return (int64_t)(value ^ 0x40) - 0x40;
    value &= 0x7F;
    for (uint32_t shift = 7;;) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
        if (byte < 0x80) {
            if (shift < 64 && (byte & 0x40))
                value |= ~UINT64_C(0) << shift;
            return (int64_t)value;
        }
    }
}
static inline int32_t cn_s32_valid(const uint8_t **at) {
    return (int32_t)cn_s64_valid(at);
}

#endif
