/*
 * Reading opcodes, and walking over the instructions of a body. Opcodes are read here and nowhere else:
 * with checks from any bytes, without from bytes that the validator has passed.
 */
#ifndef CN_BINARY_WALK_H
#define CN_BINARY_WALK_H

#include "binary/opcodes.h"
#include "binary/reader.h"
#include "types/deftype.h"

/* ---- Prefixes ---- */

/* An opcode of several bytes is a prefix byte and a number: `first` and what follows it, below `limit`. */
struct opcode_prefix {
    uint8_t byte; /* 0: none */
    uint16_t first, limit;
};

/* The prefix that a byte is. */
static inline struct opcode_prefix cn_prefix(uint8_t byte) {
    switch (byte) {
#define PREFIX_CASE(byte_, first, limit)                                                           \
    case byte_:                                                                                    \
        return (struct opcode_prefix){byte_, first, limit};
        OPCODE_PREFIXES(PREFIX_CASE)
#undef PREFIX_CASE
    default:
        return (struct opcode_prefix){0, 0, OPCODE_FC};
    }
}

/* The prefix that an opcode is written with. */
static inline struct opcode_prefix cn_prefix_of(uint32_t opcode) {
#define PREFIX_IF(byte, first, limit)                                                              \
    if (opcode >= (first) && opcode < (limit))                                                     \
        return (struct opcode_prefix){byte, first, limit};
    OPCODE_PREFIXES(PREFIX_IF)
#undef PREFIX_IF
    return (struct opcode_prefix){0, 0, OPCODE_FC};
}

/* ---- Opcodes ---- */

/* Reads an opcode: false when it is cut off, malformed or not in the table. */
static inline bool cn_read_opcode(struct reader *r, uint32_t *opcode) {
    if (r->at >= r->end)
        return false;
    const struct opcode_prefix prefix = cn_prefix(*r->at);
    uint32_t number = *r->at++;
    bool too_long;
    if (prefix.byte && !cn_read_u32(r, &number, &too_long))
        return false;
    if (number >= (uint32_t)prefix.limit - prefix.first)
        return false;
    *opcode = prefix.first + number;
    return cn_op_info[*opcode].name != NULL;
}

/* The same for validated bytes. */
static inline enum opcode cn_opcode_valid(const uint8_t **at) {
    uint32_t number = *(*at)++;
    const struct opcode_prefix prefix = cn_prefix((uint8_t)number);
    if (prefix.byte)
        number = prefix.first + cn_u32_valid(at);
    return (enum opcode)number;
}

/* ---- Validated bodies ---- */

/* A value type, or the heap type of ref.null. */
static inline valtype cn_valtype_valid(const uint8_t **at) {
    valtype type = *(*at)++;
    CN_ASSERT(vt_is_basic(type));
    return type;
}

/* The result of a block of that type, which is neither an index nor BLOCK_EMPTY. */
static inline valtype block_valtype(int64_t block_type) {
    CN_ASSERT(block_type < 0 && vt_is_basic((valtype)(block_type & 0x7F)));
    return (valtype)(block_type & 0x7F);
}

/* The immediates of an instruction: a counted vector of LEB128 numbers, numbers, bytes. */
struct immediate_shape {
    bool counted;
    uint8_t numbers, bytes;
};
extern const struct immediate_shape cn_immediate_shapes[]; /* by enum immediate */

static inline void cn_skip_number(const uint8_t **at) {
    while (*(*at)++ & 0x80) {
    }
}

/* Moves past what follows an opcode. */
static inline void cn_skip_immediates(const uint8_t **at, enum opcode opcode) {
    const struct immediate_shape shape = cn_immediate_shapes[cn_op_info[opcode].immediate];
    if (shape.counted)
        for (uint32_t n = cn_u32_valid(at); n > 0; n--)
            cn_skip_number(at);
    for (unsigned n = shape.numbers; n > 0; n--)
        cn_skip_number(at);
    *at += shape.bytes;
}

/* Moves from the start of a body past the declarations of its locals. */
static inline void cn_skip_locals(const uint8_t **at) {
    for (uint32_t runs = cn_u32_valid(at); runs > 0; runs--) {
        cn_skip_number(at); /* how many */
        cn_valtype_valid(at);
    }
}

#endif
