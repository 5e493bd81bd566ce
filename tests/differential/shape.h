/* The parts of a shape. shapes.c lists shapes, shape_code.c writes them. */
#ifndef TESTS_DIFFERENTIAL_SHAPE_H
#define TESTS_DIFFERENTIAL_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum place { IN_SLOT, IN_CONST, IN_ACC, IN_P, IN_Q, PLACES };

enum goal {
    TO_SLOT,
    TO_ACC,
    TO_P,
    TO_Q,
    TO_BR_IF,
    TO_BR_UNLESS,
    TO_IF,
    THEN_BR, /* added to TO_SLOT, TO_P or TO_Q */
    NOWHERE = THEN_BR + TO_BR_IF
};

/* How a function returns: where it ends, from a block whose end is its end, and that with the value
 * in a local, set last or before another. */
enum way { AT_THE_END, FROM_A_BLOCK, IN_A_LOCAL, BEFORE_ANOTHER, WAYS };

enum carrier { BY_BR, BY_BR_IF, BY_BR_TABLE, CARRIERS };
#define MOST_CARRIED 6

enum kind {
    ONE,    /* `first` of places[] */
    PAIR,   /* `second` of that and, if it takes two operands, `other` */
    APART,  /* a PAIR with a move of something else between the two */
    STEP,   /* places[0] += places[1], and a comparison of it with `other` */
    MOVE,   /* places[0] to `goal`, then perhaps places[1] to `other` */
    CHOICE, /* select */
    PASS,   /* a call with places[] */
    GIVE,   /* a call of a function that returns what is in places[0] there, by way of `other` */
    CARRY,  /* `first` values by a branch of the kind `other` to where they are not yet */
    AROUND, /* a loop with `first` values that begins with a test of places[0] and ends in a step */
    SWITCH, /* br_table of places[0], loaded by `first` if not 0, plus a constant if `other` */
    GLOBAL, /* a global += (exchanged: -=) a constant, perhaps seen in `goal`; or places[0] to it */
};

struct shape {
    uint8_t kind, places[3], other, goal;
    bool exchanged; /* the other operand is the left one */
    uint8_t type;   /* of a MOVE, CHOICE, GIVE or GLOBAL */
    uint16_t first, second;
    uint8_t pins[2]; /* types of the pinned locals; 0: any */
};

struct shapes {
    struct shape *items;
    size_t count, room;
};

/* All there are, as many as go together side by side. The items are the caller's to free. */
struct shapes list_shapes(void);

#endif
