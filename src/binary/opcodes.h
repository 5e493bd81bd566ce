/* The opcode table as C: enumerators and one row of facts for each opcode. */
#ifndef CN_BINARY_OPCODES_H
#define CN_BINARY_OPCODES_H

#include <stddef.h>
#include <stdint.h>

/* Opcodes behind a prefix byte are numbered from here on, in the order of the prefixes: tables that opcodes
 * index have little room that is not used. */
enum {
    OPCODE_FC = 0x100,
    OPCODE_FD = 0x120,
    OPCODE_FE = 0x240,
    OPCODE_FB = 0x290,
    OPCODE_LIMIT = 0x2B0
};

/* Every prefix byte: PREFIX(byte, its first opcode, the limit of its opcodes). */
#define OPCODE_PREFIXES(PREFIX)                                                                    \
    PREFIX(0xFC, OPCODE_FC, OPCODE_FD)                                                             \
    PREFIX(0xFD, OPCODE_FD, OPCODE_FE)                                                             \
    PREFIX(0xFE, OPCODE_FE, OPCODE_FB)                                                             \
    PREFIX(0xFB, OPCODE_FB, OPCODE_LIMIT)

enum opcode {
#define OP(code, id, ...) OP_##id = (code),
#include "binary/opcodes.def"
};

/* The kinds of immediates, which follow an opcode in the binary. */
enum immediate {
    IMM_NONE,
    IMM_BLOCK,         /* block type: s33 */
    IMM_LABEL,         /* u32 */
    IMM_TAG,           /* u32 */
    IMM_TRY_TABLE,     /* block type s33, vector of catch clauses: a byte, tag u32 but for
                        * catch_all, label u32 */
    IMM_BR_TABLE,      /* vector of u32, u32 */
    IMM_FUNC,          /* u32 */
    IMM_TYPE,          /* u32 */
    IMM_CALL_INDIRECT, /* type u32, table u32 */
    IMM_SELECT,        /* vector of value types */
    IMM_HEAP_TYPE,     /* s33 */
    IMM_REF_TYPE, /* likewise; in text a reference type: of a nullable one the opcode is the next one */
    IMM_CAST,     /* a byte of enum cast_flags, label u32, heap types s33 and s33 */
    IMM_TYPE_FIELD, /* type u32, field u32 */
    IMM_TYPE_COUNT, /* type u32, u32 */
    IMM_TYPE_DATA,  /* type u32, data u32 */
    IMM_TYPE_ELEM,  /* type u32, elem u32 */
    IMM_TYPE_TYPE,  /* to u32, from u32 */
    IMM_LOCAL,      /* u32, likewise the next five */
    IMM_GLOBAL,
    IMM_TABLE,
    IMM_MEMORY,
    IMM_DATA,
    IMM_ELEM,
    IMM_MEMORY_INIT, /* data u32, memory u32 */
    IMM_MEMORY_COPY, /* to u32, from u32 */
    IMM_TABLE_INIT,  /* elem u32, table u32 */
    IMM_TABLE_COPY,  /* to u32, from u32 */
    IMM_I32,         /* s32 */
    IMM_I64,         /* s64 */
    IMM_F32,         /* 4 bytes */
    IMM_F64,         /* 8 bytes */
    IMM_V128,        /* 16 bytes */
    IMM_SHUFFLE,     /* 16 lane bytes below 32 */
    IMM_LANE16,      /* a byte below 16, and so on */
    IMM_LANE8,
    IMM_LANE4,
    IMM_LANE2,
    IMM_ZERO, /* a byte that is 0 */
    /* memarg: alignment u32 of exactly 2^n, memory u32 if MEMARG_HAS_MEMORY is in it, offset u64 */
    IMM_ATOMIC0,
    IMM_ATOMIC1,
    IMM_ATOMIC2,
    IMM_ATOMIC3,
    IMM_MEM0, /* the same, alignment of at most 2^n */
    IMM_MEM1,
    IMM_MEM2,
    IMM_MEM3,
    IMM_MEM4,
    IMM_MEM0_LANE, /* memarg, then a lane byte below 16 >> n */
    IMM_MEM1_LANE,
    IMM_MEM2_LANE,
    IMM_MEM3_LANE
};

/* Labels of a switch over kinds: a memarg, perhaps with a lane; a lane alone; instructions that are not plain. */
#define CASES_MEMARG                                                                               \
    case IMM_ATOMIC0:                                                                              \
    case IMM_ATOMIC1:                                                                              \
    case IMM_ATOMIC2:                                                                              \
    case IMM_ATOMIC3:                                                                              \
    case IMM_MEM0:                                                                                 \
    case IMM_MEM1:                                                                                 \
    case IMM_MEM2:                                                                                 \
    case IMM_MEM3:                                                                                 \
    case IMM_MEM4:                                                                                 \
    case IMM_MEM0_LANE:                                                                            \
    case IMM_MEM1_LANE:                                                                            \
    case IMM_MEM2_LANE:                                                                            \
    case IMM_MEM3_LANE
#define CASES_LANE                                                                                 \
    case IMM_LANE16:                                                                               \
    case IMM_LANE8:                                                                                \
    case IMM_LANE4:                                                                                \
    case IMM_LANE2
#define CASES_NOT_PLAIN                                                                            \
    case IMM_BLOCK:                                                                                \
    case IMM_LABEL:                                                                                \
    case IMM_TAG:                                                                                  \
    case IMM_TRY_TABLE:                                                                            \
    case IMM_BR_TABLE:                                                                             \
    case IMM_FUNC:                                                                                 \
    case IMM_TYPE:                                                                                 \
    case IMM_CALL_INDIRECT:                                                                        \
    case IMM_SELECT:                                                                               \
    case IMM_HEAP_TYPE:                                                                            \
    case IMM_REF_TYPE:                                                                             \
    case IMM_CAST:                                                                                 \
    case IMM_TYPE_FIELD:                                                                           \
    case IMM_TYPE_COUNT:                                                                           \
    case IMM_TYPE_DATA:                                                                            \
    case IMM_TYPE_ELEM:                                                                            \
    case IMM_TYPE_TYPE:                                                                            \
    case IMM_LOCAL:                                                                                \
    case IMM_GLOBAL

/* A bit of the alignment: the index of the memory follows; it is 0 otherwise. */
#define MEMARG_HAS_MEMORY 0x40u

/* Which of the two types of a cast are nullable; the other bits are 0. */
enum cast_flags { CAST_FROM_NULL = 1, CAST_TO_NULL = 2 };

/* Facts about an instruction that code asks for instead of listing opcodes. */
enum op_flags {
    /* A construct (block, loop, if) begins behind it; ends before it. `else` and `catch` do both. */
    OPF_OPENS = 1 << 0,
    OPF_CLOSES = 1 << 1,
    /* Control never goes on behind it: what follows, up to the construct's end, is unreachable. */
    OPF_NO_NEXT = 1 << 2,
    /* Straight code ends with it: another fuel block begins behind it. An `end` does so too, but only where
     * something branches to it. */
    OPF_ENDS = 1 << 3,
    OPF_CALLS = 1 << 4, /* calls a function, and so ends straight code, too */
    OPF_BULK = 1 << 5,  /* pays fuel by its length, which is an operand */
    /* Can be interrupted half-way: three operands, the last of which is the length that is left. */
    OPF_PIECES = 1 << 6,
    OPF_FREE = 1 << 7,     /* costs no fuel */
    OPF_CONSTANT = 1 << 8, /* allowed in constant expressions (section 3.3.10) */
    OPF_EXTENDED = 1 << 9, /* allowed there with the feature extended-const: a sum or product */
    /* Waits for another thread and can be interrupted meanwhile: three operands, the last of which is the time
     * that is left. */
    OPF_WAITS = 1 << 12,
    /* Gives two results of type i64, where the result is SPECIAL. The operands are those of the row. */
    OPF_TWO_I64 = 1 << 10,
    /* May give an f32, or lanes f32, that are a NaN whose sign and payload the specification leaves open (section
     * 4.3.3); likewise f64. */
    OPF_GIVES_NAN32 = 1 << 11,
    OPF_GIVES_NAN64 = 1 << 13,
    /* Takes any NaN of that width as any other. */
    OPF_TAKES_NAN32 = 1 << 14,
    OPF_TAKES_NAN64 = 1 << 15
};
#define OPF_NAN32 (OPF_GIVES_NAN32 | OPF_TAKES_NAN32)
#define OPF_NAN64 (OPF_GIVES_NAN64 | OPF_TAKES_NAN64)
#define OPF_GIVES_NAN (OPF_GIVES_NAN32 | OPF_GIVES_NAN64)

/* Type column: value types by their binary code, and two marks. */
enum { OPT__ = 0, OPT_NOTHING = 0, OPT_SPECIAL = 1 };
#define OPT_I32 0x7F
#define OPT_I64 0x7E
#define OPT_F32 0x7D
#define OPT_F64 0x7C
#define OPT_V128 0x7B

struct op_info {
    uint32_t feature; /* CATNAP_FEATURE_* bits, 0 for the MVP */
    uint16_t name;    /* where it is in cn_op_names; 0: no such opcode */
    uint16_t flags;   /* OPF_* */
    uint8_t immediate;
    uint8_t result;      /* OPT_* */
    uint8_t operands[4]; /* deepest first; OPT__ past the last */
    uint8_t operand_count;
};

/* Indexed by enum opcode. */
extern const struct op_info cn_op_info[OPCODE_LIMIT];
/* All names, each with its NUL: in one string they need no relocations. */
extern const char *const cn_op_names;
/* The name in the text format, or NULL. */
static inline const char *cn_op_name(const struct op_info *info) {
    return info->name ? cn_op_names + info->name : NULL;
}

/* The name of one CATNAP_FEATURE_* bit, for messages. */
const char *cn_feature_name(uint64_t feature);

#endif
