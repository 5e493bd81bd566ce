#include "binary/reader.h"

/* Reads an unsigned LEB128 of at most `bits` bits. The last byte that fits may use only the bits
 * that are left, and must end the number. */
static bool read_unsigned(struct reader *r, uint32_t bits, uint64_t *value, bool *too_long) {
    uint64_t result = 0;
    const uint8_t *at = r->at;
    *too_long = false;
    for (uint32_t shift = 0; at < r->end; shift += 7) {
        uint8_t byte = *at++;
        if (bits - shift <= 7 && byte >> (bits - shift)) {
            *too_long = true; /* includes a set continuation bit */
            return false;
        }
        result |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            r->at = at;
            *value = result;
            return true;
        }
    }
    return false;
}

/* The same for signed ones: the unused bits of the last byte must repeat the sign. */
static bool read_signed(struct reader *r, uint32_t bits, int64_t *value, bool *too_long) {
    uint64_t result = 0;
    const uint8_t *at = r->at;
    *too_long = false;
    for (uint32_t shift = 0; at < r->end; shift += 7) {
        uint8_t byte = *at++;
        if (bits - shift <= 7) {
            uint8_t unused = (uint8_t)(0x7F & (0xFFu << (bits - shift - 1))); /* and the sign */
            if (byte >= 0x80 || ((byte & unused) != 0 && (byte & unused) != unused)) {
                *too_long = true;
                return false;
            }
        }
        result |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            if (shift + 7 < 64 && (byte & 0x40))
                result |= ~UINT64_C(0) << (shift + 7);
            r->at = at;
            *value = (int64_t)result;
            return true;
        }
    }
    return false;
}

bool cn_read_u32_slow(struct reader *r, uint32_t *value, bool *too_long) {
    uint64_t wide;
    if (!read_unsigned(r, 32, &wide, too_long))
        return false;
    *value = (uint32_t)wide;
    return true;
}

bool cn_read_u64_slow(struct reader *r, uint64_t *value, bool *too_long) {
    return read_unsigned(r, 64, value, too_long);
}

bool cn_read_s32_slow(struct reader *r, int32_t *value, bool *too_long) {
    int64_t wide;
    if (!read_signed(r, 32, &wide, too_long))
        return false;
    *value = (int32_t)wide;
    return true;
}

bool cn_read_s33_slow(struct reader *r, int64_t *value, bool *too_long) {
    return read_signed(r, 33, value, too_long);
}

bool cn_read_s64_slow(struct reader *r, int64_t *value, bool *too_long) {
    return read_signed(r, 64, value, too_long);
}
