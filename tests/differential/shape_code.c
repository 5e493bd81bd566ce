/* Modules of shapes: for each its fresh operands, its instructions, and its results into a sum. */
#include "shapes.h"

#include "../hostile/hostile.h"
#include "../unit/opcode.h"
#include "shape.h"

#define SHAPES_BY_RUN 50
#define ROUNDS 12
#define LOADED 0x1000 /* where pairs load from: small numbers that nothing changes */
#define MEMORY 0x2200

/* Functions; from GIVING on by type, way and place. */
enum { NEXT, MIX, CALLED_1, CALLED_2, CALLED_3, GIVING };
enum { SUM, STEPPED_I32, STEPPED_I64 }; /* globals */
enum { X, Y, Z, D, E, ASIDE, ROLES };   /* locals of each type: operands, results */
enum { LOCAL_P = 5 * ROLES, LOCAL_Q, LOCAL_ROUND, LOCALS };

/* Operands that give no trap and no NaN, and with which comparisons go both ways. */
enum range { ANY, SMALL, COMPARED, ODD, ADDRESS, BELOW, ABOVE, POSITIVE, LANES32, LANES64 };

struct writer {
    struct bytes f;
    uint64_t random;
    uint32_t padding;
    uint32_t carried_types; /* of blocks with one result and more */
    uint32_t loop_types;    /* of loops with no parameter and more */
    const struct shape *shape;
};

static uint32_t below(struct writer *w, uint32_t limit) {
    return (uint32_t)(next_random(&w->random) >> 33) % limit;
}

static void local_op(struct writer *w, uint8_t opcode, uint32_t local) {
    op_u(&w->f, opcode, w->padding + local);
}
static uint32_t local_of(uint8_t type, unsigned role) {
    return (uint32_t)(I32 - type) * ROLES + role;
}

static enum range range_of(uint32_t opcode, unsigned k) {
    const struct op_info *info = &cn_op_info[opcode];
    if (info->immediate >= IMM_MEM0 && k == 0)
        return ADDRESS;
    if (k == 1 && ((opcode >= OP_i32_div_s && opcode <= OP_i32_rem_u) ||
                   (opcode >= OP_i64_div_s && opcode <= OP_i64_rem_u)))
        return ODD;
    if (info->operands[k] == V128 && strstr(cn_op_name(info), "f32x4"))
        return LANES32;
    if (info->operands[k] == V128 && strstr(cn_op_name(info), "f64x2"))
        return LANES64;
    if (strstr(cn_op_name(info), ".trunc_f"))
        return POSITIVE;
    return info->result == I32 && info->operands[0] != I32 ? SMALL : ANY;
}
static bool is_compare(uint32_t opcode) {
    return opcode >= OP_i32_eqz && opcode <= OP_f64_ge;
}

static void tame_integer(struct bytes *f, bool wide, enum range range) {
    static const int32_t masks[] = {
        [SMALL] = 3,     [COMPARED] = 3,  [ODD] = 0xFF,   [ADDRESS] = 0xFF8,
        [BELOW] = 0x7F8, [ABOVE] = 0x7F8, [POSITIVE] = 63};
    if (range == ANY)
        return;
    put(f, wide ? 0x42 : 0x41);
    put_s(f, masks[range]);
    put(f, wide ? 0x83 : 0x71);           /* and */
    if (range == BELOW || range == ABOVE) /* both together are an address */
        PUT(f, 0x41, 0x80, range == BELOW ? 0x70 : 0x10, I32_ADD);
    if (range == SMALL || range == COMPARED)
        PUT(f, wide ? 0x42 : 0x41, 1, wide ? 0x7D : 0x6B); /* less one */
    if (range == ODD)
        PUT(f, wide ? 0x42 : 0x41, 1, wide ? 0x84 : 0x72); /* or one */
}

/* Small ones have bytes that are often equal, or lanes that are often zero. */
static void fresh_vector(struct writer *w, enum range range) {
    static const uint64_t masks[] = {UINT64_C(0x0303030303030303), UINT64_C(0x3F3F3F3F3F3F3F3F), 1};
    struct bytes *f = &w->f;
    PUT(f, CALL, NEXT, 0xFD, 18, CALL, NEXT, 0xFD, 30, 1); /* i64x2.splat, i64x2.replace_lane */
    if (range == SMALL) {
        uint64_t mask = masks[below(w, COUNT(masks))];
        v128_const(f, mask, mask);
        simd(f, 78); /* v128.and */
    } else if (range != ANY) {
        v128_const(f, UINT64_C(0xF0000000F), UINT64_C(0xF0000000F));
        simd(f, 78);
        v128_const(f, UINT64_C(0x100000001), UINT64_C(0x100000001));
        simd(f, 174);                          /* i32x4.add */
        simd(f, range == LANES32 ? 251 : 255); /* f32x4.convert_i32x4_u, f64x2.convert_low_... */
    }
}

/* A new value for a local. */
static void refresh(struct writer *w, uint8_t type, enum range range, uint32_t local) {
    struct bytes *f = &w->f;
    if (type == V128) {
        fresh_vector(w, range);
        local_op(w, LOCAL_SET, local);
        return;
    }
    PUT(f, CALL, NEXT);
    if (type != I64)
        put(f, 0xA7); /* i32.wrap_i64 */
    tame_integer(f, type == I64, range);
    if (type == F32)
        PUT(f, 0xB2, 0x43, 0, 0, 0x80, 0x3E, 0x94); /* f32.convert_i32_s times 0.25 */
    if (type == F64)
        PUT(f, 0xB7, 0x44, 0, 0, 0, 0, 0, 0, 0xD0, 0x3F, 0xA2);
    if (range == COMPARED && below(w, 2))
        put(f, type == F32 ? 0x91 : 0x9F); /* its root: what is compared may be a NaN */
    local_op(w, LOCAL_SET, local);
}

static int64_t any_constant(struct writer *w, enum range range) {
    static const int64_t some[] = {1, -1, 2, 7, 31, 32, 63, 255, 65535, INT32_MIN, INT32_MAX};
    int64_t n = below(w, 0x10000);
    switch (range) {
    case SMALL:
    case COMPARED:
        return n % 4 - 1;
    case ODD:
        return n % 256 | 1;
    case ADDRESS:
        return n & 0xFF8;
    case BELOW:
        return (n & 0x7F8) - 0x800;
    case ABOVE:
        return (n & 0x7F8) + 0x800;
    case POSITIVE:
        return n % 64;
    default:
        return n % 3 ? some[n % (int64_t)COUNT(some)] : (int64_t)next_random(&w->random);
    }
}

static void put_constant(struct writer *w, uint8_t type, enum range range) {
    int64_t n = any_constant(w, range);
    double wide = (double)(n % 100000) * 0.25;
    float narrow = (float)wide;
    switch (type) {
    case I32:
        i32_const(&w->f, (int32_t)n);
        break;
    case I64:
        i64_const(&w->f, n);
        break;
    case F32:
        put(&w->f, 0x43);
        put_bytes(&w->f, &narrow, sizeof narrow);
        break;
    default:
        put(&w->f, 0x44);
        put_bytes(&w->f, &wide, sizeof wide);
    }
}

static uint32_t operand_local(uint8_t type, uint8_t place, unsigned role) {
    return place == IN_P ? LOCAL_P : place == IN_Q ? LOCAL_Q : local_of(type, role);
}
static void refresh_operand(struct writer *w, uint8_t type, uint8_t place, unsigned role,
                            enum range range) {
    if (place != IN_CONST)
        refresh(w, type, range, operand_local(type, place, role));
}

/* An instruction of one operand, which joins no pair and leaves most values as they are. */
static void put_unchanged(struct bytes *f, uint8_t type, enum range range) {
    switch (type) {
    case I32:
        put(f, 0xC1); /* i32.extend16_s */
        break;
    case I64:
        put(f, 0xC4); /* i64.extend32_s */
        break;
    case F32:
        put(f, range == POSITIVE ? 0x8B : 0x8C); /* f32.abs, f32.neg */
        break;
    case F64:
        put(f, range == POSITIVE ? 0x99 : 0x9A);
        break;
    default:
        simd(f, range == LANES32 || range == LANES64 ? 160 : 77); /* i32x4.abs, v128.not */
    }
}

static void put_operand(struct writer *w, uint8_t type, uint8_t place, unsigned role,
                        enum range range) {
    if (place == IN_CONST) {
        put_constant(w, type, range);
        return;
    }
    local_op(w, LOCAL_GET, operand_local(type, place, role));
    if (place == IN_ACC)
        put_unchanged(&w->f, type, range);
}

static void put_operation(struct writer *w, uint32_t opcode, uint32_t offset) {
    struct bytes *f = &w->f;
    uint8_t immediate = cn_op_info[opcode].immediate;
    put_opcode(f, opcode);
    if (immediate >= IMM_MEM0) {
        put(f, 0);
        put_u(f, offset);
    }
    if (immediate >= IMM_MEM0_LANE)
        put(f, (uint8_t)below(w, 16u >> (immediate - IMM_MEM0_LANE)));
    else if (immediate >= IMM_LANE16 && immediate <= IMM_LANE2)
        put(f, (uint8_t)below(w, 16u >> (immediate - IMM_LANE16)));
    for (unsigned i = 0; immediate == IMM_SHUFFLE && i < 16; i++)
        put(f, (uint8_t)below(w, 32));
}

/* ---- The sum ---- */

static void mix_constant(struct writer *w) {
    i64_const(&w->f, (int64_t)next_random(&w->random));
    PUT(&w->f, CALL, MIX);
}

/* A NaN is one NaN here. */
static void mix_float(struct writer *w, uint8_t type, uint32_t local) {
    struct bytes *f = &w->f;
    if (type == F32)
        PUT(f, 0x43, 0, 0, 0xC0, 0x7F);
    else
        PUT(f, 0x44, 0, 0, 0, 0, 0, 0, 0xF8, 0x7F);
    for (int i = 0; i < 3; i++)
        local_op(w, LOCAL_GET, local);
    PUT(f, type == F32 ? 0x5C : 0x62, SELECT, type == F32 ? 0xBC : 0xBD); /* ne, select, bits */
    if (type == F32)
        put(f, 0xAD);
    PUT(f, CALL, MIX);
}

static void mix_local(struct writer *w, uint8_t type, uint32_t local) {
    struct bytes *f = &w->f;
    if (type == F32 || type == F64) {
        mix_float(w, type, local);
        return;
    }
    for (uint8_t lane = 0; lane < (type == V128 ? 2 : 1); lane++) {
        local_op(w, LOCAL_GET, local);
        if (type == V128)
            PUT(f, 0xFD, 29, lane); /* i64x2.extract_lane */
        else if (type == I32)
            put(f, 0xAD); /* i64.extend_i32_u */
        PUT(f, CALL, MIX);
    }
}

/* A pinned local is in a register and in a slot: instructions with two operands read the one,
 * conversions the other. */
static void mix_pin(struct writer *w, bool q) {
    struct bytes *f = &w->f;
    uint32_t local = q ? LOCAL_Q : LOCAL_P;
    local_op(w, LOCAL_GET, local);
    if (w->shape->pins[q] == I32) {
        PUT(f, 0x41, 5, 0x6C, 0xAD); /* times 5, i64.extend_i32_u */
        local_op(w, LOCAL_GET, local);
        PUT(f, 0xAC); /* i64.extend_i32_s */
    } else {
        PUT(f, 0x42, 5, 0x7E);
        local_op(w, LOCAL_GET, local);
        PUT(f, 0xBF, 0xBD); /* to f64 and back */
    }
    PUT(f, 0x42, 25, 0x89, 0x85, CALL, MIX); /* i64.rotl, i64.xor */
}

/* The value on the stack goes into the accumulator, and so through an instruction that loses
 * nothing of it. */
static void put_through(struct writer *w, uint8_t type, unsigned role) {
    static const uint8_t opcodes[] = {0xBE, 0xBF, 0x8C, 0x9A}, back[] = {0xBC, 0xBD};
    static const uint8_t types[] = {F32, F64, F32, F64, V128};
    unsigned i = I32 - type;
    uint32_t local = local_of(types[i], role);
    if (type == V128)
        simd(&w->f, 77);
    else
        put(&w->f, opcodes[i]);
    local_op(w, LOCAL_SET, local);
    if (type != I32 && type != I64) {
        mix_local(w, type, local);
        return;
    }
    local_op(w, LOCAL_GET, local); /* bits as they are: no NaN */
    put(&w->f, back[i]);
    if (type == I32)
        put(&w->f, 0xAD);
    PUT(&w->f, CALL, MIX);
}

/* ---- Uses of a value ---- */

static void open_goal(struct writer *w, uint8_t goal) {
    struct bytes *f = &w->f;
    if (goal >= TO_BR_IF && goal != TO_IF)
        PUT(f, BLOCK, EMPTY);
    if (goal >= THEN_BR) /* once in a while another way to the same place */
        PUT(f, BLOCK, EMPTY, CALL, NEXT, 0xA7, 0x41, 7, 0x71, 0x45, BR_IF, 0);
}

static void set_goal(struct writer *w, uint8_t opcode, uint8_t goal, uint8_t type, unsigned role) {
    local_op(w, opcode, goal == TO_P ? LOCAL_P : goal == TO_Q ? LOCAL_Q : local_of(type, role));
}
static void mix_goal(struct writer *w, uint8_t goal, uint8_t type, unsigned role) {
    if (goal == TO_P || goal == TO_Q)
        mix_pin(w, goal == TO_Q);
    else
        mix_local(w, type, local_of(type, role));
}

static void close_goal(struct writer *w, uint8_t goal, uint8_t type) {
    struct bytes *f = &w->f;
    switch (goal) {
    case TO_ACC:
        put_through(w, type, D);
        return;
    case TO_BR_UNLESS:
        put(f, 0x45); /* i32.eqz */
        /* fall through */
    case TO_BR_IF:
        PUT(f, BR_IF, 0);
        mix_constant(w);
        put(f, END);
        return;
    case TO_IF:
        PUT(f, IF, EMPTY);
        mix_constant(w);
        put(f, ELSE);
        mix_constant(w);
        put(f, END);
        return;
    default:
        break;
    }
    uint8_t set = goal >= THEN_BR ? goal - THEN_BR : goal;
    set_goal(w, LOCAL_SET, set, type, D);
    if (goal >= THEN_BR) {
        PUT(f, BR, 1, END);
        mix_constant(w);
        put(f, END);
    }
    mix_goal(w, set, type, D);
}

/* ---- Shapes ---- */

static enum range operand_range(const struct shape *s, unsigned k, bool small) {
    enum range range = range_of(s->first, k);
    if (s->kind != ONE && cn_op_info[s->second].immediate >= IMM_MEM0)
        return k == 0 ? BELOW : ABOVE;
    if (s->kind != ONE && range == ANY)
        range = range_of(s->second, 0);
    if (range != ANY && range != SMALL)
        return range;
    bool is_float = s->kind == ONE && cn_op_info[s->first].operands[k] <= F32;
    return !small ? ANY : is_float && is_compare(s->first) ? COMPARED : SMALL;
}

/* A move that belongs to neither of two operations. */
static void put_aside(struct writer *w) {
    local_op(w, LOCAL_GET, local_of(I32, E));
    local_op(w, LOCAL_SET, local_of(I32, ASIDE));
}

static void put_one_or_pair(struct writer *w) {
    const struct shape *s = w->shape;
    const struct op_info *one = &cn_op_info[s->first], *two = &cn_op_info[s->second];
    bool pair = s->kind != ONE;
    bool small = is_compare(pair ? s->second : s->first) || one->operands[0] == V128;
    bool has_other = pair && two->operand_count == 2;
    uint8_t other_type = has_other ? two->operands[!s->exchanged] : 0;
    uint32_t offset = below(w, 64) + (pair ? LOADED : 0);
    small = small && below(w, 4) > 0;
    enum range ranges[3], other = small ? SMALL : ANY;
    for (unsigned k = 0; k < one->operand_count; k++) {
        ranges[k] = operand_range(s, k, small);
        if (k == 1 && s->places[0] == s->places[1] && s->places[0] >= IN_P && ranges[1] < ranges[0])
            ranges[1] = ranges[0]; /* it is one local */
        refresh_operand(w, one->operands[k], s->places[k], k, ranges[k]);
    }
    if (has_other) {
        if (range_of(s->second, 0) >= LANES32)
            other = range_of(s->second, 0);
        refresh_operand(w, other_type, s->other, Z, other);
    }
    if (s->kind == APART)
        refresh(w, I32, ANY, local_of(I32, E));
    open_goal(w, s->goal);
    if (has_other && s->exchanged)
        put_operand(w, other_type, s->other, Z, other);
    for (unsigned k = 0; k < one->operand_count; k++)
        put_operand(w, one->operands[k], s->places[k], k, ranges[k]);
    put_operation(w, s->first, offset);
    if (s->kind == APART)
        put_aside(w);
    if (has_other && !s->exchanged)
        put_operand(w, other_type, s->other, Z, other);
    if (pair)
        put_operation(w, s->second, offset);
    if (one->result) {
        close_goal(w, s->goal, pair ? two->result : one->result);
        if (s->kind == APART)
            mix_local(w, I32, local_of(I32, ASIDE));
        return;
    }
    for (unsigned i = 0; i < 2; i++) { /* what was stored */
        put_operand(w, I32, s->places[0], X, ADDRESS);
        PUT(&w->f, 0x29, 0);
        put_u(&w->f, offset + 8 * i);
        PUT(&w->f, CALL, MIX);
    }
}

static void put_step(struct writer *w) {
    const struct shape *s = w->shape;
    uint8_t type = cn_op_info[s->second].operands[0];
    uint32_t stepped = operand_local(type, s->places[0], X);
    enum range step = below(w, 4) ? SMALL : ANY;
    bool step_first = below(w, 2);
    refresh_operand(w, type, s->places[0], X, SMALL);
    refresh_operand(w, type, s->places[1], Y, step);
    refresh_operand(w, type, s->other, Z, SMALL);
    open_goal(w, s->goal);
    if (s->exchanged)
        put_operand(w, type, s->other, Z, SMALL);
    if (step_first)
        put_operand(w, type, s->places[1], Y, step);
    local_op(w, LOCAL_GET, stepped);
    if (!step_first)
        put_operand(w, type, s->places[1], Y, step);
    put_operation(w, s->first, 0);
    local_op(w, LOCAL_TEE, stepped);
    if (!s->exchanged)
        put_operand(w, type, s->other, Z, SMALL);
    put_operation(w, s->second, 0);
    close_goal(w, s->goal, I32);
    if (s->places[0] == IN_SLOT)
        mix_local(w, type, stepped);
    else
        mix_pin(w, s->places[0] == IN_Q);
}

static void put_move(struct writer *w) {
    const struct shape *s = w->shape;
    refresh_operand(w, s->type, s->places[0], X, ANY);
    refresh_operand(w, s->type, s->places[1], Y, ANY);
    open_goal(w, s->goal);
    put_operand(w, s->type, s->places[0], X, ANY);
    if (s->other == NOWHERE) {
        close_goal(w, s->goal, s->type);
        return;
    }
    set_goal(w, LOCAL_SET, s->goal, s->type, D);
    put_operand(w, s->type, s->places[1], Y, ANY);
    set_goal(w, LOCAL_SET, s->other, s->type, E);
    mix_goal(w, s->goal, s->type, D);
    mix_goal(w, s->other, s->type, E);
}

static void put_choice(struct writer *w) {
    const struct shape *s = w->shape;
    for (unsigned k = 0; k < 3; k++)
        refresh_operand(w, k == Z ? I32 : s->type, s->places[k], k, k == Z ? SMALL : ANY);
    for (unsigned k = 0; k < 3; k++)
        put_operand(w, k == Z ? I32 : s->type, s->places[k], k, k == Z ? SMALL : ANY);
    put(&w->f, SELECT);
    close_goal(w, s->goal, s->type);
}

static void put_pass(struct writer *w) {
    const struct shape *s = w->shape;
    for (unsigned k = 0; k <= s->other; k++)
        refresh_operand(w, I32, s->places[k], k, ANY);
    for (unsigned k = 0; k <= s->other; k++)
        put_operand(w, I32, s->places[k], k, ANY);
    op_u(&w->f, CALL, (uint64_t)CALLED_1 + s->other);
    close_goal(w, TO_SLOT, I32);
}

static void put_give(struct writer *w) {
    const struct shape *s = w->shape;
    refresh_operand(w, s->type, IN_SLOT, X, ANY);
    put_operand(w, s->type, IN_SLOT, X, ANY);
    op_u(&w->f, CALL, GIVING + ((uint32_t)(I32 - s->type) * WAYS + s->other) * 3u + s->places[0]);
    close_goal(w, TO_SLOT, s->type);
}

/* Types of what branches carry: constants where they can be, or locals, or what was just
 * computed. */
static const uint8_t carried[MOST_CARRIED] = {I32, I64, F64, I32, V128, I64};

static void put_carried(struct writer *w, uint32_t count, bool plain) {
    for (uint32_t i = 0; i < count; i++) {
        uint8_t place = plain || (carried[i] == V128 && w->shape->places[0] == IN_CONST)
                            ? IN_SLOT
                            : w->shape->places[0];
        put_operand(w, carried[i], place, i / 2 % 2 ? Y : X, ANY);
    }
}

static void put_carry(struct writer *w) {
    const struct shape *s = w->shape;
    struct bytes *f = &w->f;
    for (uint32_t i = 0; i < COUNT(carried); i++)
        refresh(w, carried[i], ANY, local_of(carried[i], i / 2 % 2 ? Y : X));
    op_u(f, BLOCK, w->carried_types + s->first - 1);
    PUT(f, BLOCK, EMPTY, CALL, NEXT, 0xA7, 0x41, 3, 0x71, 0x45, BR_IF, 0); /* or the other way */
    PUT(f, CALL, NEXT); /* is below the values, and in their way */
    put_carried(w, s->first, false);
    PUT(f, CALL, NEXT, 0xA7, 0x41, 3, 0x71);
    if (s->other == BY_BR)
        PUT(f, DROP, BR, 1);
    else if (s->other == BY_BR_IF)
        PUT(f, BR_IF, 1, BR, 1);
    else
        PUT(f, 0x0E, 2, 1, 1, 1);
    put(f, END);
    put_carried(w, s->first, true);
    put(f, END);
    for (uint32_t i = s->first; i-- > 0;) {
        local_op(w, LOCAL_SET, local_of(carried[i], D));
        mix_local(w, carried[i], local_of(carried[i], D));
    }
}

static void put_around(struct writer *w) {
    const struct shape *s = w->shape;
    struct bytes *f = &w->f;
    uint32_t counter = operand_local(I32, s->places[0], Z);
    for (uint32_t i = 0; i < COUNT(carried); i++)
        refresh(w, carried[i], ANY, local_of(carried[i], i / 2 % 2 ? Y : X));
    PUT(f, CALL, NEXT, 0xA7, 0x41, 3, 0x71);
    local_op(w, LOCAL_SET, counter);
    PUT(f, BLOCK, EMPTY);
    put_carried(w, s->first, true);
    op_u(f, LOOP, w->loop_types + s->first);
    local_op(w, LOCAL_GET, counter); /* how the test is written */
    if (s->other == 0)
        PUT(f, 0x45, BR_IF, 1);
    else if (s->other == 1)
        PUT(f, 0x41, 1, 0x48, BR_IF, 1); /* i32.lt_s */
    else
        PUT(f, IF, EMPTY, ELSE, BR, 2, END);
    for (uint32_t i = s->first; i-- > 0;) {
        local_op(w, LOCAL_SET, local_of(carried[i], D));
        mix_local(w, carried[i], local_of(carried[i], D));
        refresh(w, carried[i], ANY, local_of(carried[i], i / 2 % 2 ? Y : X));
    }
    put_carried(w, s->first, true);
    local_op(w, LOCAL_GET, counter);
    PUT(f, 0x41, 1, I32_SUB);
    local_op(w, LOCAL_SET, counter);
    PUT(f, BR, 0, END, END);
    mix_constant(w);
}

static void put_switch(struct writer *w) {
    const struct shape *s = w->shape;
    struct bytes *f = &w->f;
    enum range range = s->first ? ADDRESS : SMALL;
    refresh_operand(w, I32, s->places[0], X, range);
    for (int i = 0; i < 4; i++)
        PUT(f, BLOCK, EMPTY);
    put_operand(w, I32, s->places[0], X, range);
    if (s->first)
        put_operation(w, s->first, LOADED + 4 * below(w, 64));
    if (s->other)
        PUT(f, 0x41, 1, I32_ADD);
    PUT(f, 0x0E, 3, 0, 1, 2, 3);
    for (int i = 0; i < 4; i++) {
        put(f, END);
        mix_constant(w);
    }
}

static void put_global(struct writer *w) {
    const struct shape *s = w->shape;
    struct bytes *f = &w->f;
    bool wide = s->type == I64, own = s->goal == NOWHERE;
    uint32_t global = wide ? STEPPED_I64 : STEPPED_I32;
    if (own) {
        refresh_operand(w, s->type, s->places[0], X, ANY);
        put_operand(w, s->type, s->places[0], X, ANY);
    } else {
        op_u(f, 0x23, global);
    }
    if (!own || !s->exchanged) {
        put_constant(w, s->type, ANY);
        put(f, wide ? s->exchanged ? 0x7D : I64_ADD : s->exchanged ? I32_SUB : I32_ADD);
    }
    if (!own && s->goal != TO_ACC)
        set_goal(w, LOCAL_TEE, s->goal, s->type, D);
    op_u(f, 0x24, global);
    op_u(f, 0x23, global);
    if (!wide)
        put(f, 0xAD);
    PUT(f, CALL, MIX);
    if (!own && s->goal != TO_ACC)
        mix_goal(w, s->goal, s->type, D);
}

static void put_shape(struct writer *w) {
    static void (*const put_kind[])(struct writer *) = {
        [ONE] = put_one_or_pair, [PAIR] = put_one_or_pair, [APART] = put_one_or_pair,
        [STEP] = put_step,       [MOVE] = put_move,        [CHOICE] = put_choice,
        [PASS] = put_pass,       [GIVE] = put_give,        [CARRY] = put_carry,
        [AROUND] = put_around,   [SWITCH] = put_switch,    [GLOBAL] = put_global};
    put_kind[w->shape->kind](w);
}

/* ---- Modules ---- */

/* Locals for operands and results of each type, and the pinned ones. */
static void declare_locals(struct writer *w, const uint8_t *pins) {
    struct bytes *f = &w->f;
    put_u(f, 1 + 5 + 3);
    put_u(f, w->padding);
    put(f, I64);
    for (unsigned i = 0; i < 5; i++)
        PUT(f, ROLES, (uint8_t)(I32 - i));
    PUT(f, 1, pins[0], 1, pins[1], 1, I32);
}

/* Uses deep in loops, so that these locals are pinned: each is set to itself, which changes nothing. */
static void pin_locals(struct writer *w) {
    static const uint32_t used[] = {LOCAL_P, LOCAL_P, LOCAL_Q};
    for (int i = 0; i < 4; i++)
        PUT(&w->f, LOOP, EMPTY);
    for (size_t i = 0; i < COUNT(used); i++) {
        local_op(w, LOCAL_GET, used[i]);
        local_op(w, LOCAL_SET, used[i]);
    }
    for (int i = 0; i < 4; i++)
        put(&w->f, END);
}

static void add_run(struct module_builder *m, const char *name, uint32_t type, struct writer *w,
                    const struct shape *shapes, size_t count) {
    static const uint8_t none[] = {I32, I32};
    struct bytes *f = &w->f;
    declare_locals(w, count ? shapes->pins : none);
    i64_const(f, (int64_t)next_random(&w->random));
    op_u(f, 0x24, SUM);
    PUT(f, 0x41, ROUNDS);
    local_op(w, LOCAL_SET, LOCAL_ROUND);
    PUT(f, LOOP, EMPTY);
    pin_locals(w);
    for (size_t i = 0; i < count; i++) {
        w->shape = &shapes[i];
        put_shape(w);
    }
    local_op(w, LOCAL_GET, LOCAL_ROUND);
    PUT(f, 0x41, 1, I32_SUB);
    local_op(w, LOCAL_TEE, LOCAL_ROUND);
    PUT(f, BR_IF, 0, END, 0x23, SUM, END);
    add_func(m, name, type, f);
}

static void add_helpers(struct module_builder *m) {
    struct bytes f = {0};
    PUT(&f, 0, 0x23, SUM); /* NEXT */
    i64_const(&f, (int64_t)UINT64_C(0x5851F42D4C957F2D));
    put(&f, 0x7E);
    i64_const(&f, (int64_t)UINT64_C(0x14057B7EF767814F));
    PUT(&f, I64_ADD, 0x24, SUM, 0x23, SUM, 0x42, 29, 0x88, 0x23, SUM, 0x85, END); /* shr_u, xor */
    add_func(m, NULL, add_type(m, "", "I"), &f);
    PUT(&f, 0, LOCAL_GET, 0, 0x23, SUM, 0x85, 0x42, 23, 0x89); /* MIX: xor, rotl */
    i64_const(&f, (int64_t)UINT64_C(0x9E3779B97F4A7C15));
    PUT(&f, 0x7E, 0x42, 1, I64_ADD, 0x24, SUM, END);
    add_func(m, NULL, add_type(m, "I", ""), &f);
    PUT(&f, 0, LOCAL_GET, 0, 0x41, 3, I32_MUL, 0x41, 1, I32_ADD, END);
    add_func(m, NULL, add_type(m, "i", "i"), &f);
    /* Its pinned locals are parameters: while (b & 3) { a = a * 5 - b; b--; } */
    PUT(&f, 0, LOOP, EMPTY, LOCAL_GET, 0, 0x41, 5, I32_MUL, LOCAL_GET, 1, I32_SUB, LOCAL_SET, 0,
        LOCAL_GET, 1, 0x41, 1, I32_SUB, LOCAL_TEE, 1, 0x41, 3, 0x71, BR_IF, 0, END, LOCAL_GET, 0,
        END);
    add_func(m, NULL, add_type(m, "ii", "i"), &f);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, 0x41, 5, I32_MUL, I32_SUB, LOCAL_GET, 2, 0x41, 7,
        I32_MUL, I32_ADD, END);
    add_func(m, NULL, add_type(m, "iii", "i"), &f);
}

/* A parameter, a constant, or what is in the accumulator. */
static void put_given(struct writer *w, uint8_t type, uint8_t place) {
    if (place == IN_CONST && type != V128) {
        put_constant(w, type, ANY);
        return;
    }
    PUT(&w->f, LOCAL_GET, 0);
    if (place == IN_ACC)
        put_unchanged(&w->f, type, ANY);
}

static void put_returning(struct writer *w, uint8_t type, enum way way, uint8_t place) {
    struct bytes *f = &w->f;
    PUT(f, 1, 2, type);
    if (way != AT_THE_END) {
        PUT(f, BLOCK, way == FROM_A_BLOCK ? type : EMPTY, BLOCK, EMPTY);
        PUT(f, CALL, NEXT, 0xA7, 0x41, 3, 0x71, 0x45, BR_IF, 0);
        if (way == BEFORE_ANOTHER) {
            put_given(w, type, IN_ACC);
            PUT(f, LOCAL_SET, 1);
        }
        put_given(w, type, place);
        if (way != FROM_A_BLOCK)
            PUT(f, LOCAL_SET, way == IN_A_LOCAL ? 1 : 2);
        PUT(f, BR, 1, END);
    }
    put_given(w, type, way == AT_THE_END ? place : IN_SLOT);
    if (way == IN_A_LOCAL || way == BEFORE_ANOTHER)
        PUT(f, LOCAL_SET, 1, END, LOCAL_GET, 1);
    else if (way == FROM_A_BLOCK)
        put(f, END);
    put(f, END);
}

static void add_returns(struct module_builder *m, struct writer *w) {
    for (unsigned i = 0; i < 5; i++) {
        uint8_t type = (uint8_t)(I32 - i);
        uint32_t signature = add_type_n(m, &type, 1, &type, 1);
        for (unsigned k = 0; k < WAYS * 3; k++) {
            put_returning(w, type, (enum way)(k / 3), (uint8_t)(k % 3));
            add_func(m, NULL, signature, &w->f);
        }
    }
}

static void add_state(struct module_builder *m, uint32_t type) {
    struct bytes f = {0};
    PUT(&f, 1, 1, I32, LOOP, EMPTY, LOCAL_GET, 0, 0x29, 0, 0, CALL, MIX);
    PUT(&f, LOCAL_GET, 0, 0x41, 8, I32_ADD, LOCAL_TEE, 0);
    i32_const(&f, MEMORY);
    PUT(&f, 0x48, BR_IF, 0, END, 0x23, SUM, END);
    add_func(m, "state", type, &f);
}

static void add_content(struct module_builder *m, uint64_t random) {
    static const uint32_t words[] = {0, 1, 2, 3, 255, 0x80000001, 0x10001, 0x80};
    static const uint8_t globals[] = {I64, I32, I64};
    for (size_t i = 0; i < COUNT(globals); i++)
        PUT(add_item(m, GLOBALS), globals[i], 1, globals[i] == I32 ? 0x41 : 0x42, 7, END);
    add_memory(m, 1, 1);
    export_item(m, "memory", 2, 0);
    struct bytes *b = add_item(m, DATAS);
    PUT(b, 0, 0x41, 0, END);
    put_u(b, MEMORY);
    for (uint32_t i = 0; i < MEMORY / 4; i++) {
        uint64_t r = next_random(&random);
        put_bytes(b, i < LOADED / 4 ? (uint32_t[]){(uint32_t)r} : &words[r % COUNT(words)], 4);
    }
}

/* The shapes of one run: as many as go together. */
static size_t end_of_run(const struct shapes *all, size_t first) {
    size_t end = first;
    while (end < all->count && end - first < SHAPES_BY_RUN &&
           memcmp(all->items[first].pins, all->items[end].pins, sizeof all->items->pins) == 0)
        end++;
    return end;
}

uint32_t count_shape_modules(void) {
    struct shapes all = list_shapes();
    uint32_t runs = 0;
    for (size_t first = 0; first < all.count; first = end_of_run(&all, first))
        runs++;
    free(all.items);
    return (runs + GENERATED_RUNS - 1) / GENERATED_RUNS;
}

struct bytes generate_shapes(uint32_t index, uint32_t padding) {
    struct shapes all = list_shapes();
    struct writer w = {.random = index, .padding = padding};
    struct module_builder m = {0};
    size_t first = 0;
    for (uint32_t i = 0; i < index * GENERATED_RUNS; i++)
        first = end_of_run(&all, first);
    add_helpers(&m);
    add_returns(&m, &w);
    w.carried_types = m.counts[TYPES];
    for (size_t i = 1; i <= COUNT(carried); i++)
        add_type_n(&m, NULL, 0, carried, i);
    w.loop_types = m.counts[TYPES];
    for (size_t i = 0; i <= COUNT(carried); i++)
        add_type_n(&m, carried, i, NULL, 0);
    uint32_t type = add_type(&m, "", "I");
    for (uint32_t i = 0; i < GENERATED_RUNS; i++) {
        char name[8];
        size_t end = end_of_run(&all, first);
        snprintf(name, sizeof name, "run%u", i);
        add_run(&m, name, type, &w, all.items + first, end - first);
        first = end;
    }
    add_state(&m, type);
    add_content(&m, index);
    free(all.items);
    return finish(&m);
}
