/*
 * The generator of the bytecode: a program for the machine that builds, which reads operations.def and
 * variants.def and writes the instructions that a build has. This header is shared by its files.
 */
#ifndef CN_BYTECODE_GENERATE_H
#define CN_BYTECODE_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bytecode/fields.h"
#include "bytecode/key.h"

/* The optional parts of a build: see bytecode/form.h. */
struct build {
    bool accumulator, pairs, guard;
};

enum kind {
    BIN_,
    UN_,
    BRANCH_,
    LOAD_,
    STORE_,
    FIELD_GET_,
    FIELD_SET_,
    ELEMENT_GET_,
    ELEMENT_SET_,
    VECTOR_, /* sources in slots or accumulators, and an expression of them */
    VSHUFFLE_,
    VSHIFT_,
    VTEST_,
    VSPLAT_,
    VEXTRACT_,
    VREPLACE_,
    VLOAD_LANE_,
    VSTORE_LANE_,
    LISTED_
};

/* A row of operations.def. */
struct operation {
    const char *name;
    enum kind kind;
    const char *result, *type; /* R, T */
    const char *forms;         /* order, or forms of vectors */
    const char *check;         /* of BINT, UNT */
    const char *access;        /* of loads and stores; the lane of VEXTRACT */
    const char *expression;
    bool negated; /* BRANCH_UNLESS */
    bool pinned;
};

/* A row of the lookup: an operation, or two that are fused. */
struct row {
    const struct operation *first, *second; /* second: NULL unless fused */
    bool vector;                            /* its result, or what it stores, is a vector */
};

#define MOST_FIELDS 10
struct instruction {
    char name[64];
    struct bytecode_field fields[MOST_FIELDS];
    const char *roles[MOST_FIELDS];     /* what each field is for: of the drawing */
    unsigned field_count, cells, flags; /* flags: enum instruction_flags */
    char *body;                         /* C, or NULL: by hand */
    char synopsis[256];
};

/* How an instruction is found: in a row, by the classes of its operands. */
struct entry {
    unsigned row, key, instruction;
};

struct bytecode {
    struct build build;
    struct instruction *instructions; /* from 1 on */
    size_t instruction_count, instruction_room;
    struct row *rows; /* from 1 on: all operations in order, then what is fused */
    size_t row_count, row_room, operation_count;
    struct entry *entries;
    size_t entry_count, entry_room;
};

/* spec.c: the rows of the .def files. */
extern const struct operation cn_operations[];
extern const size_t cn_operation_count;
struct by_hand {
    const char *name, *fields;
    enum { ALWAYS, WITH_PAIRS, WITH_GUARD } needs;
};
extern const struct by_hand cn_by_hand[];
extern const size_t cn_by_hand_count;
struct forms {
    const char *name, *destinations, *sources;
};
struct fusion {
    enum fusion_kind {
        PAIR_,
        LOAD_AT_,
        LOAD_AT_64_,
        LOAD_PAIR_,
        PAIR_BRANCH_,
        LOAD_BRANCH_,
        STEP_BRANCH_,
        PAIR_JUMP_,
        VPAIR_,
        VPAIR_TEST_,
        VPAIR_LOAD_
    } kind;
    bool exchanged;
    const char *name; /* of VPAIRs */
    const char *first, *second;
};
extern const struct fusion cn_fusions[];
extern const size_t cn_fusion_count;
struct listed {
    const char *first, *second, *form, *name; /* second: NULL unless fused */
};
extern const struct listed cn_listed[];
extern const size_t cn_listed_count;
struct joined {
    const char *first, *second, *both;
};
extern const struct joined cn_joined[];
extern const size_t cn_joined_count;

const struct forms *forms_named(const char *name);
const struct operation *operation_named(const char *name);

/* instructions.c: all instructions of a build. */
void make_bytecode(struct bytecode *, struct build);
size_t instruction_named(const struct bytecode *, const char *name); /* 0: the build has none */
void *grow(void *items, size_t count, size_t *room, size_t size);
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* text.c: expressions and places as text. */
const char *c_type(const char *type);
bool is_scalar(const char *type);
bool is_wide_constant(const char *type); /* its constants have 64 bits */
/* The expression with whole words replaced: from, to, from, to, ... The text is never freed. */
#define substitute(...) substitute_words(__VA_ARGS__, (const char *)0)
const char *substitute_words(const char *expression, ...) __attribute__((sentinel));
/* A value of `type`, by the class of its operand and where it lies, as C and as the synopsis has it. */
const char *value_of(const char *type, char letter, enum field_at at);
const char *shown(char letter, enum field_at at, const char *type);
const char *formatted(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* write.c */
void write_opcodes(FILE *, const struct bytecode *);
void write_handlers(FILE *, const struct bytecode *);
void write_handler_rows(FILE *, const struct bytecode *);
void write_lookup(FILE *, const struct bytecode *);
void write_info(FILE *, const struct bytecode *);
/* The cells of an instruction: | handler | o0 to | o1 a | w b | x ... | */
void draw(FILE *, const struct instruction *);

/* reference.c */
void write_reference(FILE *, const struct bytecode *);

#endif
