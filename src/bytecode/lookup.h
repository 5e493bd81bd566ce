/*
 * From an operation and the classes of its operands to an instruction, or to none. Each operation has a row:
 * the list of its instructions, behind a BC_NONE for what it does not have. Which of them fits is a position
 * in the row, found by the key of the operands' classes (key.h) in an array that all operations with the same
 * forms share:
 *
 *     row of i32_add            positions, by key
 *     | none | s_ss | s_sk |    | 1 | 0 | ... 2 ...
 *
 * Two fused operations have a row as well: cn_find_pair() looks in it.
 */
#ifndef CN_BYTECODE_LOOKUP_H
#define CN_BYTECODE_LOOKUP_H

#include "base/likely.h"
#include "bytecode/bytecode.h"
#include "bytecode/form.h"
#include "bytecode/key.h"

enum operation_flags {
    OPERATION_COMMUTES = 1,      /* the two operands may be exchanged */
    OPERATION_WIDE_CONSTANT = 2, /* operands have 64 bits: a constant takes a cell */
    OPERATION_VECTOR = 4         /* what is loaded, stored or computed is a v128 */
};

struct bytecode_row {
    uint16_t variants;        /* where the row begins in cn_variants[] */
    uint16_t positions, keys; /* where its positions begin, and how many keys these are for */
};
struct bytecode_join {
    uint16_t first, second, both;
};

/* The tables: for the functions below. */
#define CN_PAIR_SECONDS 64
#define CELLS_AND_TABLE 0x80
extern const struct bytecode_row cn_rows[];
extern const uint16_t cn_variants[];
extern const uint8_t cn_positions[];
extern const uint8_t cn_pair_first[OPERATION_COUNT], cn_pair_second[OPERATION_COUNT];
extern const uint16_t cn_pair_rows[][CN_PAIR_SECONDS];
extern const uint8_t cn_operation_flags[OPERATION_COUNT];
extern const uint8_t cn_bytecode_cells[BC_COUNT];
extern const struct bytecode_join cn_joins[];

/* Cells of an instruction of which `at` points at the first. */
static inline uint32_t cn_bytecode_length(enum bytecode bytecode, const uint64_t *at) {
    uint32_t cells = cn_bytecode_cells[bytecode];
    if (likely(!(cells & CELLS_AND_TABLE)))
        return cells;
    return (cells & ~(uint32_t)CELLS_AND_TABLE) + ((uint32_t)(at[1] >> 32) + 2) / 2;
}

static inline enum bytecode cn_find_in_row(uint32_t row_number, struct operand_form form) {
    const struct bytecode_row *row = &cn_rows[row_number];
    uint32_t key = cn_form_key(form);
    if (key >= row->keys)
        return BC_NONE;
    return (enum bytecode)cn_variants[row->variants + cn_positions[row->positions + key]];
}

/* The instruction of an operation with such operands; BC_NONE: this build has none. */
static inline enum bytecode cn_find(enum operation operation, struct operand_form form) {
    return cn_find_in_row(operation, form);
}

/* The same of two operations of which the second takes the first one's result. */
static inline uint32_t cn_pair_row(enum operation first, enum operation second) {
    return cn_pair_rows[cn_pair_first[first]][cn_pair_second[second]];
}
static inline enum bytecode cn_find_pair(enum operation first, enum operation second,
                                         struct operand_form form) {
    if (!CN_ACCUMULATOR) /* the small form fuses nothing */
        return BC_NONE;
    return cn_find_in_row(cn_pair_row(first, second), form);
}

static inline bool cn_commutes(enum operation operation) {
    return cn_operation_flags[operation] & OPERATION_COMMUTES;
}
static inline bool cn_has_wide_constants(enum operation operation) {
    return cn_operation_flags[operation] & OPERATION_WIDE_CONSTANT;
}
static inline bool cn_is_vector(enum operation operation) {
    return cn_operation_flags[operation] & OPERATION_VECTOR;
}

/* The one instruction that does what two do which follow each other; or BC_NONE. Its fields are laid out
 * as operations.def says. */
enum bytecode cn_join(enum bytecode first, enum bytecode second);

#endif
