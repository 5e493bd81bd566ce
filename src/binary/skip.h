/* Walking over the instructions of a valid body without looking at what they say. */
#ifndef CN_BINARY_SKIP_H
#define CN_BINARY_SKIP_H

#include "binary/opcodes.h"
#include "binary/reader.h"

static inline enum opcode cn_opcode_valid(const uint8_t **at) {
    uint32_t opcode = *(*at)++;
    if (opcode == 0xFC)
        opcode = OPCODE_PREFIX_FC + cn_u32_valid(at);
    else if (opcode == 0xFD)
        opcode = OPCODE_PREFIX_FD + cn_u32_valid(at);
    return (enum opcode)opcode;
}

/* What follows an opcode: a vector of LEB128 numbers behind its length, numbers, bytes. */
struct immediate_shape {
    bool counted;
    uint8_t numbers, bytes;
};
extern const struct immediate_shape cn_immediate_shapes[];

static inline void cn_skip_number(const uint8_t **at) {
    while (*(*at)++ & 0x80) {
    }
}

/* Moves past what follows an opcode. */
static inline void cn_skip_immediates(const uint8_t **at, enum immediate immediate) {
    const struct immediate_shape shape = cn_immediate_shapes[immediate];
    if (shape.counted)
        for (uint32_t n = cn_u32_valid(at); n > 0; n--)
            cn_skip_number(at);
    for (unsigned n = shape.numbers; n > 0; n--)
        cn_skip_number(at);
    *at += shape.bytes;
}

#endif
