/*
 * Every instruction of the bytecode stands for a shape: one operation or two, operands that are in
 * a slot, a constant, the accumulator or a pinned local, and a place where the result goes. Random
 * code comes by most of them too rarely. Here they are listed: each operation of the opcode table
 * and each pair of bytecode/variants.def (a row that is added there is a shape
 * at once) with all combinations of places. A shape is some twenty instructions: fresh operands,
 * the operation, and what came out mixed into a sum. Fifty of them are the body of a loop, since
 * only functions with loops have pinned locals.
 */
#include "shape.h"

#undef CATNAP_SMALL /* the small form has fewer pairs, and is to do all shapes nevertheless */

#include "../hostile/hostile.h"
#include "binary/opcodes.h"

/* Notes that a place or goal is a pinned local of this type; false when it has another already. */
static bool wants_pin(struct shape *s, bool q, uint8_t type) {
    if (type != I32 && type != I64)
        return false;
    if (s->pins[q] && s->pins[q] != type)
        return false;
    s->pins[q] = type;
    return true;
}

static bool fits_place(struct shape *s, uint8_t place, uint8_t type) {
    switch (place) {
    case IN_CONST:
        return type != V128;
    case IN_P:
    case IN_Q:
        return wants_pin(s, place == IN_Q, type);
    default:
        return true;
    }
}

static bool fits_goal(struct shape *s, uint8_t goal, uint8_t type) {
    if (goal >= THEN_BR && goal < NOWHERE)
        goal -= THEN_BR;
    if (goal == TO_P || goal == TO_Q)
        return wants_pin(s, goal == TO_Q, type);
    return goal < TO_BR_IF || goal == NOWHERE || type == I32;
}

static void add_shape(struct shapes *all, struct shape s) {
    if (all->count == all->room) {
        all->room = all->room * 2 + 1024;
        all->items = realloc(all->items, all->room * sizeof *all->items);
        assert_non_null(all->items);
    }
    for (unsigned pin = 0; pin < 2; pin++)
        if (!s.pins[pin])
            s.pins[pin] = I32;
    all->items[all->count++] = s;
}

/* The next of all combinations of digits below these bases; false after the last. */
static bool advance(uint8_t *digits, const uint8_t *bases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (++digits[i] < bases[i])
            return true;
        digits[i] = 0;
    }
    return false;
}

static bool has_shapes(const struct op_info *info) {
    return cn_op_name(info) && info->result != OPT_SPECIAL && info->operand_count > 0 &&
           (info->immediate == IMM_NONE || info->immediate >= IMM_MEM0 ||
            (info->immediate >= IMM_SHUFFLE && info->immediate <= IMM_LANE2));
}

static void list_one(struct shapes *all, uint32_t opcode) {
    const struct op_info *info = &cn_op_info[opcode];
    uint8_t d[4] = {0}, bases[4] = {info->result == I32 ? THEN_BR : info->result ? TO_BR_IF : 1};
    if (opcode == OP_i32_add)
        bases[0] = THEN_BR + TO_BR_IF;
    memset(bases + 1, PLACES, info->operand_count);
    do {
        struct shape s = {.kind = ONE, .first = (uint16_t)opcode, .goal = d[0]};
        uint32_t constants = 0, computed = 0;
        bool fits = !info->result || fits_goal(&s, s.goal, info->result);
        for (unsigned k = 0; k < info->operand_count; k++) {
            s.places[k] = d[k + 1];
            constants += s.places[k] == IN_CONST;
            computed += s.places[k] == IN_ACC;
            fits = fits && fits_place(&s, s.places[k], info->operands[k]);
        }
        if (fits && computed < 2 && constants < info->operand_count)
            add_shape(all, s);
    } while (advance(d, bases, 1u + info->operand_count));
}

static void list_pair(struct shapes *all, uint32_t first, uint32_t second) {
    const struct op_info *one = &cn_op_info[first], *two = &cn_op_info[second];
    bool branches = second >= OP_i32_eq && second <= OP_i32_ge_u;
    bool has_other = two->operand_count == 2;
    uint8_t d[5] = {0};
    const uint8_t bases[] = {branches ? THEN_BR : TO_P, 3, one->operand_count == 2 ? 3 : 1,
                             has_other ? 2 : 1, has_other ? 2 : 1};
    do {
        struct shape s = {.kind = PAIR,
                          .first = (uint16_t)first,
                          .second = (uint16_t)second,
                          .goal = d[0],
                          .places = {d[1], d[2]},
                          .other = d[3],
                          .exchanged = d[4]};
        if (s.goal != TO_P && s.goal != TO_Q && s.places[0] != IN_CONST &&
            (s.places[0] != IN_ACC || s.places[1] != IN_ACC) &&
            fits_place(&s, s.places[1], one->operands[1]) &&
            fits_place(&s, s.other, two->operands[!s.exchanged])) {
            add_shape(all, s);
            s.kind = APART;
            if (s.goal == TO_SLOT && s.places[0] == IN_SLOT && s.places[1] == IN_SLOT &&
                !s.exchanged)
                add_shape(all, s);
        }
    } while (advance(d, bases, COUNT(bases)));
}

/* The comparisons that become a branch's family: `greater` ones, too. */
static void list_branches(struct shapes *all, uint32_t first, uint32_t branch) {
    static const uint16_t others[][2] = {{OP_i32_lt_s, OP_i32_gt_s},
                                         {OP_i32_lt_u, OP_i32_gt_u},
                                         {OP_i32_le_s, OP_i32_ge_s},
                                         {OP_i32_le_u, OP_i32_ge_u},
                                         {OP_i32_eq, OP_i32_eq}};
    for (size_t i = 0; i < COUNT(others); i++)
        if (others[i][0] == branch && others[i][1] != branch)
            list_pair(all, first, others[i][1]);
    list_pair(all, first, branch);
}

static void list_step(struct shapes *all, uint32_t compare) {
    static const uint8_t bases[] = {3, 2, 2, PLACES, 2}, stepped[] = {IN_SLOT, IN_P, IN_Q};
    uint8_t type = cn_op_info[compare].operands[0], d[5] = {0};
    do {
        struct shape s = {.kind = STEP,
                          .first = type == I32 ? OP_i32_add : OP_i64_add,
                          .second = (uint16_t)compare,
                          .places = {stepped[d[0]], d[1]},
                          .goal = d[2] ? TO_IF : TO_BR_IF,
                          .other = d[3],
                          .exchanged = d[4]};
        if (fits_place(&s, s.places[0], type) && fits_place(&s, s.other, type))
            add_shape(all, s);
    } while (advance(d, bases, COUNT(bases)));
}

static void list_moves(struct shapes *all, uint8_t type) {
    static const uint8_t bases[] = {4, 3, 4, 5};
    static const uint8_t from[] = {IN_SLOT, IN_CONST, IN_P, IN_Q};
    static const uint8_t to[] = {TO_SLOT, TO_P, TO_Q, NOWHERE, NOWHERE};
    uint8_t d[4] = {0};
    do {
        bool two = to[d[3]] != NOWHERE;
        struct shape s = {.kind = MOVE,
                          .type = type,
                          .places = {from[d[0]], from[d[2]]},
                          .goal = to[d[1]],
                          .other = to[d[3]]};
        bool fits = fits_goal(&s, s.goal, type) && fits_place(&s, s.places[0], type);
        fits = fits && (two ? fits_goal(&s, s.other, type) && fits_place(&s, s.places[1], type)
                            : s.places[1] == IN_SLOT);
        if (d[3] == 4)
            s.goal += THEN_BR;
        if (fits)
            add_shape(all, s);
    } while (advance(d, bases, COUNT(bases)));
}

static void list_choices(struct shapes *all, uint8_t type) {
    static const uint8_t bases[] = {PLACES, PLACES, 3, TO_BR_IF};
    uint8_t d[4] = {0};
    do {
        struct shape s = {.kind = CHOICE, .type = type, .places = {d[0], d[1], d[2]}, .goal = d[3]};
        if (s.places[0] != IN_ACC && s.places[1] != IN_ACC && fits_goal(&s, s.goal, type) &&
            fits_place(&s, s.places[0], type) && fits_place(&s, s.places[1], type))
            add_shape(all, s);
    } while (advance(d, bases, COUNT(bases)));
}

static void list_calls(struct shapes *all) {
    static const uint8_t bases[] = {PLACES, PLACES, PLACES, 3};
    uint8_t d[4] = {0};
    do {
        struct shape s = {.kind = PASS, .places = {d[0], d[1], d[2]}, .other = d[3]};
        bool fits = true;
        for (unsigned k = 0; k < 3; k++)
            fits = fits && (k <= s.other ? fits_place(&s, s.places[k], I32) : d[k] == IN_SLOT);
        if (fits)
            add_shape(all, s);
    } while (advance(d, bases, COUNT(bases)));
}

static void list_returns(struct shapes *all, uint8_t type) {
    static const uint8_t bases[] = {3, WAYS};
    uint8_t d[2] = {0};
    do {
        struct shape s = {.kind = GIVE, .type = type, .places = {d[0]}, .other = d[1]};
        if (fits_place(&s, s.places[0], type))
            add_shape(all, s);
    } while (advance(d, bases, COUNT(bases)));
}

static void list_carriers(struct shapes *all) {
    static const uint8_t bases[] = {MOST_CARRIED, CARRIERS, 3};
    uint8_t d[3] = {0};
    do {
        struct shape s = {.kind = CARRY, .first = d[0] + 1u, .other = d[1], .places = {d[2]}};
        add_shape(all, s);
    } while (advance(d, bases, COUNT(bases)));
}

static void list_loops(struct shapes *all) {
    static const uint8_t bases[] = {4, 3, 3}, counters[] = {IN_SLOT, IN_P, IN_Q};
    uint8_t d[3] = {0};
    do {
        struct shape s = {.kind = AROUND, .first = d[0], .places = {counters[d[1]]}, .other = d[2]};
        if (fits_place(&s, s.places[0], I32))
            add_shape(all, s);
    } while (advance(d, bases, COUNT(bases)));
}

static void list_switches(struct shapes *all) {
    static const uint8_t bases[] = {4, 3, 2};
    static const uint16_t loads[] = {0, OP_i32_load, OP_i32_load8_u, OP_i32_load16_u};
    uint8_t d[3] = {0};
    do
        add_shape(all, (struct shape){
                           .kind = SWITCH, .first = loads[d[0]], .places = {d[1]}, .other = d[2]});
    while (advance(d, bases, COUNT(bases)));
}

static void list_globals(struct shapes *all, uint8_t type) {
    static const uint8_t bases[] = {TO_BR_IF + 1, 2, PLACES};
    static const uint8_t goals[] = {TO_SLOT, TO_ACC, TO_P, TO_Q, NOWHERE};
    uint8_t d[3] = {0};
    do {
        struct shape s = {
            .kind = GLOBAL, .type = type, .goal = goals[d[0]], .exchanged = d[1], .places = {d[2]}};
        if ((s.goal == NOWHERE || s.places[0] == IN_SLOT) && fits_goal(&s, s.goal, type) &&
            fits_place(&s, s.places[0], type))
            add_shape(all, s);
    } while (advance(d, bases, COUNT(bases)));
}

static void list_pairs(struct shapes *all) {
    static const struct {
        uint16_t first, second;
    } pairs[] = {
#define PAIR(first, second) {OP_##first, OP_##second},
#define LOAD_AT(load) {OP_i32_add, OP_##load},
#define LOAD_PAIR(load, second) {OP_##load, OP_##second},
#define VPAIR(name, first, second) {OP_##first, OP_##second},
#define VPAIR_TEST(name, first, second) {OP_##first, OP_##second},
#define VPAIR_LOAD(name, second) {OP_v128_load, OP_##second},
#include "bytecode/rules.h"
    };
#define COMPARED_br_i32_eq OP_i32_eq
#define COMPARED_br_i32_ne OP_i32_ne
#define COMPARED_br_i32_lt_s OP_i32_lt_s
#define COMPARED_br_i32_lt_u OP_i32_lt_u
#define COMPARED_br_i32_le_s OP_i32_le_s
#define COMPARED_br_i32_le_u OP_i32_le_u
    static const struct {
        uint16_t first, compare;
    } branches[] = {
#define PAIR_BRANCH(first, branch) {OP_##first, COMPARED_##branch},
#define LOAD_BRANCH(load, branch) {OP_##load, COMPARED_##branch},
#include "bytecode/rules.h"
    };
    for (size_t i = 0; i < COUNT(pairs); i++)
        list_pair(all, pairs[i].first, pairs[i].second);
    for (size_t i = 0; i < COUNT(branches); i++)
        list_branches(all, branches[i].first, branches[i].compare);
}

/* Those with pinned locals of the same types are neighbours: a function has only two of them. */
static void order_by_pins(struct shapes *all) {
    struct shapes ordered = {0};
    for (unsigned pins = 0; pins < 4; pins++)
        for (size_t i = 0; i < all->count; i++)
            if ((all->items[i].pins[0] == I64) + 2u * (all->items[i].pins[1] == I64) == pins)
                add_shape(&ordered, all->items[i]);
    free(all->items);
    *all = ordered;
}

struct shapes list_shapes(void) {
    static const uint8_t types[] = {I32, I64, F32, F64, V128};
    struct shapes all = {0};
    for (uint32_t opcode = 0; opcode < OPCODE_LIMIT; opcode++)
        if (has_shapes(&cn_op_info[opcode]))
            list_one(&all, opcode);
    list_pairs(&all);
    for (uint32_t compare = OP_i32_eq; compare <= OP_i64_ge_u; compare++)
        if (cn_op_info[compare].operand_count == 2)
            list_step(&all, compare);
    for (size_t i = 0; i < COUNT(types); i++) {
        list_moves(&all, types[i]);
        list_choices(&all, types[i]);
        list_returns(&all, types[i]);
    }
    list_calls(&all);
    list_carriers(&all);
    list_loops(&all);
    list_switches(&all);
    list_globals(&all, I32);
    list_globals(&all, I64);
    order_by_pins(&all);
    return all;
}
