/*
 * Random programs that throw and catch, and a model that says what they do. A program is functions of statements; each
 * statement is written as WebAssembly and executed by the model from the same description.
 */
#ifndef TESTS_EXCEPTIONS_PROGRAM_H
#define TESTS_EXCEPTIONS_PROGRAM_H

#include "../support/module.h"

#include <stdbool.h>

enum {
    MOST_FUNCS = 5,
    MOST_STATEMENTS = 400,
    MOST_CLAUSES = 4,
    TAGS_OF_MODEL = 5,
    INTS = 4, /* i32 locals; the first is the parameter */
    MOST_STEPS = 60000
};

struct program {
    uint64_t random;
    uint32_t func_count, statement_count;
    uint32_t bodies[MOST_FUNCS]; /* first statement + 1 of each */
    /* Around the statement that is made: blocks whose clauses it is within, and catch blocks. */
    uint32_t levels, holders;
    struct statement {
        uint8_t kind;
        uint8_t a, b, to;
        int32_t k;
        uint32_t inner, next; /* statement + 1, or 0 */
        uint32_t clause_count;
        struct {
            uint8_t kind, tag;
            uint32_t handler; /* statement + 1, or 0 */
        } clauses[MOST_CLAUSES];
    } statements[MOST_STATEMENTS];
};

void make_program(struct program *, uint64_t seed);
/* The module; function 0 is exported as "run": (i32) -> (i64). With an import "host" "call": (i32) -> (), which is to call
 * "leaf" with the same argument and to pass on what it throws. */
struct bytes program_module(const struct program *);

struct outcome {
    bool thrown, too_long;
    int64_t result;
    uint32_t tag, steps;
    uint64_t values[4][2];
};
struct outcome model(const struct program *, int32_t argument);

#endif
