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

/* Moves past what follows an opcode. */
void cn_skip_immediates(const uint8_t **at, enum immediate);

#endif
