/* Writing opcodes by the table. */
#ifndef TESTS_OPCODE_H
#define TESTS_OPCODE_H

#include "binary/walk.h"
#include "../support/module.h"

static inline void put_opcode(struct bytes *b, uint32_t opcode) {
    struct opcode_prefix prefix = cn_prefix_of(opcode);
    put(b, prefix.byte ? prefix.byte : (uint8_t)opcode);
    if (prefix.byte)
        put_u(b, opcode - prefix.first);
}

#endif
