/*
 * Reading opcodes, and walking over the instructions of a body. Opcodes are read here and nowhere else:
 * with checks from any bytes, without from bytes that the validator has passed.
 */
#ifndef CN_BINARY_WALK_H
#define CN_BINARY_WALK_H

#include "base/likely.h"
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
    return cn_op_info[*opcode].name != 0;
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

struct module;

/* A heap type, as the nullable reference to it. */
valtype cn_heaptype_valid(const struct module *, const uint8_t **at);
/* A reference type that begins with CODE_REF or CODE_REF_NULL. */
valtype cn_long_reftype_valid(const struct module *, const uint8_t **at);

static inline bool is_long_reftype(uint8_t code) {
    return code == CODE_REF || code == CODE_REF_NULL;
}

static inline valtype cn_valtype_valid(const struct module *m, const uint8_t **at) {
    if (unlikely(is_long_reftype(**at)))
        return cn_long_reftype_valid(m, at);
    valtype type = *(*at)++;
    CN_ASSERT(vt_is_num(type) || type == VT_V128 || vt_is_abstract(type));
    return type;
}

/* A block type that is a value type, as a number below zero: struct instruction has such numbers. The other ones
 * are BLOCK_EMPTY, and type indices. */
static inline int64_t block_of_valtype(valtype type) {
    return (int64_t)type - (INT64_C(1) << 32);
}
static inline valtype block_valtype(int64_t block_type) {
    CN_ASSERT(block_type < 0);
    return (valtype)block_type;
}
/* An empty block type. No value type is that number. */
#define BLOCK_EMPTY (-64)

static inline int64_t cn_block_type_valid(const struct module *m, const uint8_t **at) {
    if (**at == (BLOCK_EMPTY & 0x7F)) {
        ++*at;
        return BLOCK_EMPTY;
    }
    if ((**at & 0xC0) == 0x40)
        return block_of_valtype(cn_valtype_valid(m, at));
    return cn_s64_valid(at);
}

/* The immediates of an instruction: a counted vector of value types or of LEB128 numbers, block types, a memarg,
 * numbers, bytes, a counted vector of catch clauses. */
struct immediate_shape {
    bool counted_types, counted, catches, memarg;
    uint8_t types, numbers, bytes;
    bool exact;        /* the alignment is just the natural one; else at most that */
    uint8_t alignment; /* of a memarg: the natural one, as its binary logarithm */
    uint8_t lanes;     /* a byte is the number of one of so many lanes; 0: none is */
};
extern const struct immediate_shape cn_immediate_shapes[]; /* by enum immediate */

static inline void cn_skip_number(const uint8_t **at) {
    while (*(*at)++ & 0x80) {
    }
}

/* A value type or a block type. */
static inline void cn_skip_type(const uint8_t **at) {
    *at += is_long_reftype(**at);
    cn_skip_number(at);
}

/* A catch clause of try_table. */
enum catch_flags { CATCH_REF = 1, CATCH_ALL = 2, CATCH_KINDS = 4 };
struct catch_clause {
    uint8_t kind; /* enum catch_flags: with the exception's reference, of any tag */
    uint32_t tag, label;
};

static inline struct catch_clause cn_catch_valid(const uint8_t **at) {
    struct catch_clause clause = {.kind = *(*at)++};
    CN_ASSERT(clause.kind < CATCH_KINDS);
    if (!(clause.kind & CATCH_ALL))
        clause.tag = cn_u32_valid(at);
    clause.label = cn_u32_valid(at);
    return clause;
}

/* The immediates of a load or store but for a lane. */
struct memarg {
    uint32_t memory;
    uint64_t offset;
};

static inline struct memarg cn_memarg_valid(const uint8_t **at) {
    uint32_t memory = cn_u32_valid(at) & MEMARG_HAS_MEMORY ? cn_u32_valid(at) : 0;
    return (struct memarg){memory, cn_u64_valid(at)};
}

/* Moves past what follows an opcode. */
static inline void cn_skip_immediates(const uint8_t **at, enum opcode opcode) {
    const struct immediate_shape shape = cn_immediate_shapes[cn_op_info[opcode].immediate];
    if (shape.counted_types)
        for (uint32_t n = cn_u32_valid(at); n > 0; n--)
            cn_skip_type(at);
    if (shape.counted)
        for (uint32_t n = cn_u32_valid(at); n > 0; n--)
            cn_skip_number(at);
    if (shape.types)
        cn_skip_type(at);
    if (shape.memarg)
        cn_memarg_valid(at);
    for (unsigned n = shape.numbers; n > 0; n--)
        cn_skip_number(at);
    *at += shape.bytes;
    if (unlikely(shape.catches))
        for (uint32_t n = cn_u32_valid(at); n > 0; n--)
            cn_catch_valid(at);
}

/* Moves from the start of a body past the declarations of its locals. */
static inline void cn_skip_locals(const uint8_t **at) {
    for (uint32_t runs = cn_u32_valid(at); runs > 0; runs--) {
        cn_skip_number(at); /* how many */
        cn_skip_type(at);
    }
}

#endif
