/* Decoding one instruction with all checks of the binary format (section 5.4), where speed
 * does not matter: in the full validator, constant expressions and the disassembler. */
#ifndef CN_BINARY_INSTRUCTION_H
#define CN_BINARY_INSTRUCTION_H

#include "binary/decode.h"
#include "binary/opcodes.h"

/* The meaning of the fields depends on the immediates of the opcode (enum immediate). */
struct instruction {
    uint32_t opcode; /* enum opcode */
    uint32_t offset; /* in the module */
    uint32_t a, b; /* indices in the order of the binary; counts; lane; log2 of the alignment in a,
                     * the lane after it in b; the type of ref.null and casts in a; of select the
                     * number of types in a, the last one in b */
    uint32_t memory;      /* of loads, stores and atomic accesses */
    uint64_t value;       /* constants (their bits); memory offset; block type (binary/walk.h);
                           * of a branch on a cast the type to, and above it the type from */
    const uint8_t *bytes; /* v128 and shuffle: 16 bytes; br_table: a + 1 labels;
                           * try_table: a catch clauses */
};

bool cn_decode_instruction(struct decoder *, struct instruction *);

#endif
