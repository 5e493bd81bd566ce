/*
 * A walk over the instruction set that keeps track of the types on the stack: at each step some
 * instruction that is valid there, with what it still needs pushed first. So values stay pending
 * over other instructions, branches leave values behind, blocks take and give several, and
 * unreachable code follows branches: the shapes that a translator from stack to registers must get
 * right.
 */
#include "generate.h"

#include "../hostile/hostile.h"
#include "../unit/opcode.h"

#define STACK 400
#define DEPTH 8
#define ARITY 6
#define USUAL_ARITY 3
#define ADDRESSES 0x1FF8 /* mask of most addresses */
#define BUDGET 2000      /* loops and calls of a run */

enum { G_I32, G_I64, G_F32, G_F64, G_V128, G_BUDGET, G_TYPED, G_NULLABLE };
#define GLOBALS_BY_TYPE 5

struct signature {
    uint8_t params[ARITY + 1], results[ARITY];
    uint32_t param_count, result_count;
    uint32_t type, super; /* the function's own, and one above it, or the same */
};

struct label {
    uint8_t types[ARITY];
    uint32_t count;
    bool holds; /* an exception: of a catch block */
};

/* The values of exceptions, by tags. */
static const struct label tags[] = {{{0}, 0, false},
                                    {{I32}, 1, false},
                                    {{I64, F64}, 2, false},
                                    {{V128, F32, I32}, 3, false},
                                    {{FUNCREF}, 1, false}};

/* Kinds of steps, in the order of a profile's weights. */
enum step_kind {
    S_VALUE,
    S_PLAIN,
    S_ACCESS,
    S_VARIABLE,
    S_SELECT,
    S_DROP,
    S_BLOCK,
    S_BRANCH,
    S_BRANCH_TABLE,
    S_CALL, /* or throw */
    S_BULK,
    S_TABLE,
    S_IDIOM,
    S_KINDS
};

/* How often a module has each kind of statement and type. */
struct profile {
    uint8_t weights[S_KINDS]; /* in percent */
    uint8_t types[8];         /* from which types are drawn */
    uint8_t hot;              /* percent of uses of locals that go to the first of their type */
    uint8_t turns;            /* of a loop, at most */
};

static const struct profile profiles[] = {
    /* everything */
    {{12, 30, 10, 16, 4, 2, 8, 5, 1, 3, 2, 2, 5}, {I32, I32, I32, I64, I64, F32, F64, V128}, 0, 4},
    /* compiled code: address arithmetic, loads, stores, steps, conditions */
    {{8, 14, 10, 12, 3, 1, 10, 6, 1, 3, 1, 1, 30},
     {I32, I32, I32, I32, I32, I64, F64, V128},
     40,
     6},
    /* tight loops over few integer locals */
    {{8, 18, 8, 20, 3, 1, 14, 6, 1, 1, 1, 0, 19}, {I32, I32, I32, I32, I32, I64, I64, I64}, 85, 9},
    /* tight loops over few floating-point locals */
    {{8, 24, 8, 20, 3, 1, 12, 6, 0, 1, 1, 0, 16}, {F32, F32, F64, F64, F64, I32, I32, I64}, 85, 9},
    /* vectors */
    {{8, 46, 12, 12, 3, 1, 6, 4, 0, 2, 1, 0, 5},
     {V128, V128, V128, V128, V128, V128, I32, F64},
     50,
     4},
    /* control: blocks with several values, branches that leave values behind, br_table */
    {{14, 16, 4, 12, 5, 3, 20, 12, 5, 5, 1, 1, 2}, {I32, I32, I64, I64, F32, F64, V128, I32}, 0, 4},
    /* bulk operations, growth, tables and references, calls in between */
    {{10, 14, 12, 12, 2, 1, 8, 4, 1, 6, 12, 12, 6},
     {I32, I32, I32, I32, I64, F32, F64, V128},
     20,
     4},
    /* calls */
    {{12, 18, 8, 14, 3, 1, 8, 5, 1, 20, 2, 2, 6}, {I32, I32, I32, I64, I64, F32, F64, V128}, 20, 4},
};

struct generator {
    uint64_t random, seed;
    const struct profile *profile;
    struct module_builder module;
    uint32_t all_padding, padding; /* asked for; of the function under way */
    bool no_growth, ordinary, wasm2, payloads, try_table, has_objects;
    struct signature funcs[8];
    uint32_t func_count, leaf_count; /* leaves: in the table; they call nothing through it */
    /* The function under way. */
    struct bytes body;
    const struct signature *signature;
    uint8_t local_types[64];
    uint32_t local_count, counters, temp_f32, temp_f64, typed, loops;
    uint32_t objects; /* the first of two locals with references to objects */
    uint8_t stack[STACK];
    uint32_t height, base;
    struct label labels[DEPTH + 1];
    uint32_t depth;
    uint32_t
        trying; /* bodies of try blocks around: an ordinary call in place of a tail call would throw into them */
    bool dead, looping;
};

static uint32_t below(struct generator *g, uint32_t limit) {
    return (uint32_t)(next_random(&g->random) >> 33) % limit;
}
static bool chance(struct generator *g, uint32_t percent) {
    return below(g, 100) < percent;
}
static uint8_t any_type(struct generator *g) {
    return g->profile->types[below(g, COUNT(g->profile->types))];
}

/* ---- The stack ---- */

static void pushed(struct generator *g, uint8_t type) {
    g->stack[g->height++] = type;
}
static void popped(struct generator *g, uint32_t count) {
    g->height -= count;
}

static uint32_t local_index(const struct generator *g, uint32_t local) {
    return local < g->signature->param_count ? local : local + g->padding;
}
static void local_op(struct generator *g, uint8_t opcode, uint32_t local) {
    op_u(&g->body, opcode, local_index(g, local));
}

/* A local of the type that the code may change, or -1. */
static int find_local(struct generator *g, uint8_t type) {
    uint32_t start = chance(g, g->profile->hot) ? 0 : below(g, g->counters);
    for (uint32_t i = 0; i < g->counters; i++) {
        uint32_t local = (start + i) % g->counters;
        if (g->local_types[local] == type)
            return (int)local;
    }
    return -1;
}

/* A number that is none: of any payload, quiet or signalling. */
static double any_nan(struct generator *g) {
    uint64_t bits = next_random(&g->random) | UINT64_C(0x7FF0000000000001);
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}
static float any_narrow_nan(struct generator *g) {
    uint32_t bits = (uint32_t)next_random(&g->random) | UINT32_C(0x7F800001);
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static void put_const(struct generator *g, uint8_t type) {
    static const int64_t integers[] = {
        0, 1, -1, 2, 7, 8, 31, 32, 63, 64, 255, 65535, INT32_MIN, INT32_MAX, INT64_MIN, INT64_MAX};
    static const double numbers[] = {0.0, -0.0, 1.0, -1.0, 0.5, 1e10, -3.75, 4294967296.0, 1e-40};
    struct bytes *f = &g->body;
    int64_t integer = integers[below(g, COUNT(integers))];
    double number = numbers[below(g, COUNT(numbers))];
    float single = (float)number;
    if (g->payloads && type <= F32 && type >= F64 && chance(g, 25)) {
        number = any_nan(g);
        single = any_narrow_nan(g);
    }
    switch (type) {
    case I32:
        i32_const(f, (int32_t)integer);
        break;
    case I64:
        i64_const(f, integer);
        break;
    case F32:
        put(f, 0x43);
        put_bytes(f, &single, sizeof single);
        break;
    case F64:
        put(f, 0x44);
        put_bytes(f, &number, sizeof number);
        break;
    case FUNCREF:
        PUT(f, 0xD0, FUNCREF);
        break;
    default:
        v128_const(f, next_random(&g->random), (uint64_t)integer);
    }
}

static void push_value(struct generator *g, uint8_t type) {
    int local = find_local(g, type);
    uint32_t way = below(g, 10);
    if (type == FUNCREF && way < 4) {
        op_u(&g->body, 0xD2, below(g, g->leaf_count));
    } else if (way < 6 && local >= 0) {
        local_op(g, LOCAL_GET, (uint32_t)local);
    } else if (way < 8 && type != FUNCREF) {
        op_u(&g->body, 0x23, I32 - type);
    } else {
        put_const(g, type);
    }
    pushed(g, type);
}

static bool on_top(const struct generator *g, const uint8_t *types, uint32_t count) {
    return g->height - g->base >= count &&
           (count == 0 || memcmp(g->stack + g->height - count, types, count) == 0);
}

/* Sees to it that these types are on top. */
static void need(struct generator *g, const uint8_t *types, uint32_t count) {
    for (uint32_t have = count; have > 0; have--)
        if (on_top(g, types, have) && chance(g, 85)) {
            for (uint32_t i = have; i < count; i++)
                push_value(g, types[i]);
            return;
        }
    for (uint32_t i = 0; i < count; i++)
        push_value(g, types[i]);
}
static void need_one(struct generator *g, uint8_t type) {
    need(g, &type, 1);
}

/* The number on top becomes one NaN, if it is any and its payload is not to be seen. */
static void canonicalize(struct generator *g) {
    struct bytes *f = &g->body;
    uint8_t type = g->stack[g->height - 1];
    if ((type != F32 && type != F64) || g->payloads)
        return;
    uint32_t temp = type == F32 ? g->temp_f32 : g->temp_f64;
    local_op(g, LOCAL_TEE, temp);
    if (type == F32)
        PUT(f, 0x43, 0, 0, 0xC0, 0x7F);
    else
        PUT(f, 0x44, 0, 0, 0, 0, 0, 0, 0xF8, 0x7F);
    local_op(g, LOCAL_GET, temp);
    local_op(g, LOCAL_GET, temp);
    PUT(f, type == F32 ? 0x5B : 0x61, SELECT);
}

/* ---- Plain instructions ---- */

static bool ends_in(const char *name, const char *end) {
    size_t length = strlen(name), size = strlen(end);
    return length >= size && strcmp(name + length - size, end) == 0;
}

/* Vectors of floats would show payloads of NaNs. */
static bool shows_payloads(const struct op_info *info) {
    static const char *const harmless[] = {".eq", ".ne", ".lt", ".gt", ".le", ".ge"};
    const char *name = cn_op_name(info);
    if (strncmp(name, "f32x4", 5) != 0 && strncmp(name, "f64x2", 5) != 0)
        return false;
    for (size_t i = 0; i < COUNT(harmless); i++)
        if (ends_in(name, harmless[i]))
            return false;
    return true;
}

static bool is_plain(const struct generator *g, const struct op_info *info) {
    return cn_op_name(info) && info->result != OPT_SPECIAL && info->result != OPT_NOTHING &&
           info->operand_count > 0 &&
           (info->immediate == IMM_NONE ||
            (info->immediate >= IMM_LANE16 && info->immediate <= IMM_LANE2)) &&
           (g->payloads || !shows_payloads(info));
}

static uint32_t any_plain(struct generator *g, uint8_t result) {
    for (;;) {
        uint32_t opcode = chance(g, 88) ? below(g, 0x100) : below(g, OPCODE_LIMIT);
        const struct op_info *info = &cn_op_info[opcode];
        if (is_plain(g, info) && (!result || info->result == result) &&
            !(g->wasm2 && (info->feature & ~CATNAP_FEATURES_WASM2)))
            return opcode;
    }
}

/* Most divisors are odd, so that runs come further. */
static void soften(struct generator *g, uint32_t opcode) {
    if (chance(g, 5))
        return;
    if (opcode >= OP_i32_div_s && opcode <= OP_i32_rem_u)
        PUT(&g->body, 0x41, 1, 0x72);
    else if (opcode >= OP_i64_div_s && opcode <= OP_i64_rem_u)
        PUT(&g->body, 0x42, 1, 0x84);
}

static bool may_trap_often(uint32_t opcode) {
    return opcode >= OP_i32_trunc_f32_s && opcode <= OP_i64_trunc_f64_u &&
           !(opcode >= OP_i64_extend_i32_s && opcode <= OP_i64_extend_i32_u);
}

/* Wide arithmetic: two results. */
static void wide(struct generator *g) {
    static const uint16_t opcodes[] = {OP_i64_add128, OP_i64_sub128, OP_i64_mul_wide_s,
                                       OP_i64_mul_wide_u};
    uint32_t opcode = opcodes[below(g, 4)];
    const struct op_info *info = &cn_op_info[opcode];
    need(g, info->operands, info->operand_count);
    put_opcode(&g->body, opcode);
    popped(g, info->operand_count);
    pushed(g, I64);
    pushed(g, I64);
}

static void plain(struct generator *g, uint8_t result) {
    uint32_t opcode = any_plain(g, result);
    const struct op_info *info = &cn_op_info[opcode];
    if (may_trap_often(opcode) && chance(g, 95))
        return plain(g, result);
    need(g, info->operands, info->operand_count);
    soften(g, opcode);
    if (opcode == OP_i32_reinterpret_f32 || opcode == OP_i64_reinterpret_f64 ||
        opcode == OP_f32_copysign || opcode == OP_f64_copysign)
        canonicalize(g);
    put_opcode(&g->body, opcode);
    if (info->immediate != IMM_NONE)
        put(&g->body, (uint8_t)below(g, 16u >> (info->immediate - IMM_LANE16)));
    popped(g, info->operand_count);
    pushed(g, info->result);
}

/* The same without touching what is on the stack. */
static void plain_above(struct generator *g, uint8_t result) {
    uint32_t base = g->base;
    g->base = g->height;
    plain(g, result);
    g->base = base;
}

/* ---- Memory ---- */

static void mask_address(struct generator *g) {
    if (!chance(g, 99))
        return;
    i32_const(&g->body, ADDRESSES);
    put(&g->body, 0x71);
    if (chance(g, 75))
        return;
    i32_const(&g->body, (int32_t)below(g, 64));
    put(&g->body, I32_ADD);
}

static void memory_argument(struct generator *g, const struct op_info *info) {
    put(&g->body, 0);
    put_u(&g->body, chance(g, 98) ? below(g, 64) : 0xFFFFFF00u + below(g, 256));
    if (info->immediate >= IMM_MEM0_LANE)
        put(&g->body, (uint8_t)below(g, 16u >> (info->immediate - IMM_MEM0_LANE)));
}

/* An atomic instruction, seldom at an address that is no multiple of its width. */
static void atomic(struct generator *g) {
    uint32_t opcode;
    do
        opcode = OPCODE_FE + below(g, OPCODE_FB - OPCODE_FE);
    while (!cn_op_name(&cn_op_info[opcode]) || (cn_op_info[opcode].flags & OPF_WAITS));
    if (chance(g, 2)) /* a trap, as the memory is not shared */
        opcode = chance(g, 50) ? OP_memory_atomic_wait32 : OP_memory_atomic_wait64;
    const struct op_info *info = &cn_op_info[opcode];
    if (opcode == OP_atomic_fence) {
        put_opcode(&g->body, opcode);
        put(&g->body, 0);
        return;
    }
    need_one(g, I32);
    mask_address(g);
    if (!chance(g, 2))
        PUT(&g->body, 0x41, 0x78, 0x71); /* and -8 */
    for (unsigned i = 1; i < info->operand_count; i++)
        push_value(g, info->operands[i]);
    put_opcode(&g->body, opcode);
    put_u(&g->body, info->immediate - IMM_ATOMIC0);
    put_u(&g->body, chance(g, 98) ? 8 * below(g, 8) : 0xFFFFFF00u + below(g, 256));
    popped(g, info->operand_count);
    if (info->result)
        pushed(g, info->result);
}

static void load_or_store(struct generator *g) {
    uint32_t opcode;
    if (chance(g, 8) && !g->wasm2) {
        atomic(g);
        return;
    }
    do
        opcode = chance(g, 85) ? OP_i32_load + below(g, OP_i64_store32 - OP_i32_load + 1)
                               : OPCODE_FD + below(g, 0x60);
    while (!cn_op_name(&cn_op_info[opcode]) || cn_op_info[opcode].immediate < IMM_MEM0);
    const struct op_info *info = &cn_op_info[opcode];
    need_one(g, I32);
    mask_address(g);
    if (info->operand_count == 2) {
        if (chance(g, 30))
            plain_above(g, info->operands[1]);
        else
            push_value(g, info->operands[1]);
        canonicalize(g);
    }
    put_opcode(&g->body, opcode);
    memory_argument(g, info);
    popped(g, info->operand_count);
    if (info->result)
        pushed(g, info->result);
}

static void masked_i32(struct generator *g, uint32_t mask) {
    need_one(g, I32);
    i32_const(&g->body, (int32_t)mask);
    put(&g->body, 0x71);
    popped(g, 1);
}

static void bulk_memory(struct generator *g) {
    struct bytes *f = &g->body;
    switch (below(g, 6)) {
    case 0:
        PUT(f, 0x3F, 0);
        pushed(g, I32);
        break;
    case 1:
        need_one(g, I32);
        if (!chance(g, 10))
            PUT(f, 0x41, 1, 0x71);
        PUT(f, 0x40, 0);
        break;
    default:
        masked_i32(g, 0x1FFF);
        pushed(g, I32);
        push_value(g, I32);
        PUT(f, 0x41, 31, 0x71);
        push_value(g, I32);
        PUT(f, 0x41, 15, 0x71);
        popped(g, 3);
        switch (below(g, 3)) {
        case 0:
            PUT(f, 0xFC, 8, 0, 0);
            break; /* memory.init */
        case 1:
            PUT(f, 0xFC, 10, 0, 0);
            break; /* memory.copy */
        default:
            PUT(f, 0xFC, 11, 0); /* memory.fill */
        }
    }
}

/* Three operands: to or from, a value or from, and how many. */
static void bulk_table(struct generator *g) {
    struct bytes *f = &g->body;
    uint32_t which = below(g, 4);
    bool of_table = chance(g, 50);
    if (which == 3 && chance(g, 50)) { /* from then on it is empty; the other ones still serve */
        PUT(f, 0xFC, of_table ? 13 : 9, 1);
        if (chance(g, 50))
            return;
    }
    masked_i32(g, 3);
    pushed(g, I32);
    if (which == 0) {
        push_value(g, FUNCREF);
    } else {
        push_value(g, I32);
        PUT(f, 0x41, which == 3 ? 0 : 3, 0x71);
    }
    push_value(g, I32);
    PUT(f, 0x41, which == 3 ? 1 : 3, 0x71);
    if (which == 3)
        PUT(f, 0xFC, of_table ? 12 : 8, 1, 0); /* of what may be dropped */
    else if (which == 0)
        PUT(f, 0xFC, 17, 0); /* table.fill */
    else if (which == 1)
        PUT(f, 0xFC, 14, 0, 0); /* table.copy */
    else
        PUT(f, 0xFC, 12, 2, 0); /* table.init */
    popped(g, 3);
}

/* A branch on a reference, over which an i32 is carried; then the result of a test of it. */
static void branch_on_null(struct generator *g, bool on_null) {
    static const uint8_t types[] = {I32, FUNCREF};
    struct bytes *f = &g->body;
    uint32_t type = add_type_n(&g->module, types, 2, types, on_null ? 1 : 2);
    push_value(g, I32);
    push_value(g, FUNCREF);
    put(f, BLOCK);
    put_s(f, type);
    if (on_null)
        PUT(f, 0xD5, 0, 0xD1, I32_ADD); /* br_on_null, ref.is_null */
    else
        PUT(f, 0xD6, 0, 0xD0, FUNCREF); /* br_on_non_null, ref.null */
    put(f, END);
    if (on_null)
        popped(g, 1);
}

static void table_op(struct generator *g) {
    struct bytes *f = &g->body;
    switch (below(g, 12)) {
    case 0:
        PUT(f, 0xFC, 16, 0); /* table.size */
        pushed(g, I32);
        break;
    case 1:
        masked_i32(g, 7);
        PUT(f, 0x25, 0);
        pushed(g, FUNCREF);
        break;
    case 2:
        masked_i32(g, 7);
        pushed(g, I32);
        push_value(g, FUNCREF);
        PUT(f, 0x26, 0);
        popped(g, 2);
        break;
    case 3:
        need_one(g, FUNCREF);
        PUT(f, 0xD1);
        popped(g, 1);
        pushed(g, I32);
        break;
    case 4:
        need_one(g, FUNCREF);
        push_value(g, I32);
        PUT(f, 0x41, g->no_growth ? 0 : 1, 0x71, 0xFC, 15, 0); /* table.grow */
        popped(g, 2);
        pushed(g, I32);
        break;
    case 5:
    case 6:
        if (!g->wasm2)
            branch_on_null(g, chance(g, 50));
        break;
    case 7:
        push_value(g, FUNCREF);
        if (!g->wasm2)
            put(f, 0xD4); /* ref.as_non_null */
        break;
    default:
        bulk_table(g);
    }
}

/* ---- Variables ---- */

static void set_variable(struct generator *g) {
    uint8_t type = chance(g, 95) ? any_type(g) : FUNCREF;
    int local = find_local(g, type);
    bool tee = chance(g, 35);
    if (g->height > g->base && chance(g, 60)) { /* whatever is there */
        type = g->stack[g->height - 1];
        local = find_local(g, type);
    } else {
        need_one(g, type);
    }
    if (local < 0 || (type != FUNCREF && chance(g, 15))) {
        if (type == FUNCREF)
            return;
        op_u(&g->body, 0x24, I32 - type);
        popped(g, 1);
        return;
    }
    local_op(g, tee ? LOCAL_TEE : LOCAL_SET, (uint32_t)local);
    if (!tee)
        popped(g, 1);
}

static void select_value(struct generator *g) {
    uint8_t type = chance(g, 90) ? any_type(g) : FUNCREF;
    const uint8_t types[] = {type, type, I32};
    if (chance(g, 50)) {
        need(g, types, 2);
        plain_above(g, I32);
    } else {
        need(g, types, 3);
    }
    if (type == FUNCREF || chance(g, 20))
        PUT(&g->body, 0x1C, 1, type);
    else
        put(&g->body, SELECT);
    popped(g, 2);
}

/* ---- Control ---- */

static void walk(struct generator *g, uint32_t steps);

/* Leaves just these types in the block. */
static void settle(struct generator *g, const uint8_t *types, uint32_t count) {
    if (g->dead && chance(g, 50)) {
        while (g->height > g->base) { /* what is left of dead code may be of wrong types */
            put(&g->body, DROP);
            popped(g, 1);
        }
        return;
    }
    uint32_t keep = g->height - g->base < count ? g->height - g->base : count;
    while (keep > 0 && memcmp(g->stack + g->base, types, keep) != 0)
        keep--;
    while (g->height > g->base + keep) {
        uint8_t type = g->stack[g->height - 1];
        int local = chance(g, 50) ? find_local(g, type) : -1;
        if (local >= 0)
            local_op(g, LOCAL_SET, (uint32_t)local);
        else
            put(&g->body, DROP);
        popped(g, 1);
    }
    for (uint32_t i = keep; i < count; i++)
        push_value(g, types[i]);
}

static void spend_budget(struct generator *g) {
    struct bytes *f = &g->body;
    op_u(f, 0x23, G_BUDGET);
    PUT(f, 0x41, 1, I32_SUB);
    op_u(f, 0x24, G_BUDGET);
    op_u(f, 0x23, G_BUDGET);
    PUT(f, 0x41, 0, 0x48, IF, EMPTY, UNREACHABLE, END);
}

static void go_dead(struct generator *g) {
    g->dead = true;
    g->height = g->base;
}

/* The values of a label, brought on top. */
static const struct label *need_label(struct generator *g, uint32_t depth) {
    const struct label *label = &g->labels[g->depth - 1 - depth];
    need(g, label->types, label->count);
    return label;
}

static void condition(struct generator *g) {
    if (chance(g, 70))
        plain_above(g, I32);
    else
        push_value(g, I32);
}

static void branch(struct generator *g) {
    uint32_t depth = below(g, g->depth);
    struct bytes *f = &g->body;
    if (chance(g, 75)) {
        need_label(g, depth);
        condition(g);
        op_u(f, BR_IF, depth);
        popped(g, 1);
        return;
    }
    switch (below(g, 8)) {
    case 0:
        put(f, UNREACHABLE);
        break;
    case 1:
        need_label(g, g->depth - 1);
        put(f, RETURN);
        break;
    default:
        need_label(g, depth);
        op_u(f, BR, depth);
    }
    go_dead(g);
}

static bool same_label(const struct label *a, const struct label *b) {
    return a->count == b->count && memcmp(a->types, b->types, a->count) == 0;
}

static void branch_table(struct generator *g) {
    uint32_t first = below(g, g->depth), count = below(g, 6), depths[8];
    const struct label *wanted = need_label(g, first);
    for (uint32_t i = 0; i <= count; i++) {
        depths[i] = below(g, g->depth);
        if (!same_label(&g->labels[g->depth - 1 - depths[i]], wanted))
            depths[i] = first;
    }
    push_value(g, I32);
    PUT(&g->body, 0x41, 7, 0x71);
    op_u(&g->body, 0x0E, count);
    for (uint32_t i = 0; i <= count; i++)
        put_u(&g->body, depths[i]);
    go_dead(g);
}

static uint32_t any_types(struct generator *g, uint8_t *types, uint32_t most) {
    uint32_t count = below(g, (most > USUAL_ARITY && chance(g, 90) ? USUAL_ARITY : most) + 1);
    for (uint32_t i = 0; i < count; i++)
        types[i] = chance(g, 96) ? any_type(g) : FUNCREF;
    return count;
}

/* The end of a loop whose counter goes down to zero, in forms that compilers give it. */
static void repeat(struct generator *g, uint32_t counter) {
    struct bytes *f = &g->body;
    local_op(g, LOCAL_GET, counter);
    switch (below(g, 4)) {
    case 0:
        PUT(f, 0x41, 1, I32_SUB);
        local_op(g, LOCAL_TEE, counter);
        break;
    case 1:
        i32_const(f, -1);
        put(f, I32_ADD);
        local_op(g, LOCAL_TEE, counter);
        PUT(f, 0x41, 0, (uint8_t)(0x47 + below(g, 4) / 3 * 3)); /* ne, gt_s */
        break;
    case 2:
        PUT(f, 0x41, 1, I32_SUB);
        local_op(g, LOCAL_SET, counter);
        PUT(f, 0x41, 0);
        local_op(g, LOCAL_GET, counter);
        PUT(f, 0x48); /* lt_s */
        break;
    default:
        i32_const(f, -1);
        put(f, I32_ADD);
        local_op(g, LOCAL_TEE, counter);
        PUT(f, 0x45, 0x45); /* eqz */
    }
    op_u(f, BR_IF, 0);
}

/* One part of a block: from its parameters to its results. */
static void part(struct generator *g, const struct signature *s, uint32_t steps, int counter) {
    g->dead = false;
    walk(g, steps);
    if (counter >= 0 && !g->dead) { /* a loop goes round a few times */
        settle(g, s->params, s->param_count);
        repeat(g, (uint32_t)counter);
    }
    settle(g, s->results, s->result_count);
}

/* ---- Exceptions ---- */

/* The values of a tag, and the throw; often only under a condition, so that code goes on. */
static void throw(struct generator * g) {
    uint32_t tag = below(g, COUNT(tags)), base = g->base, height = g->height;
    bool conditional = chance(g, 80);
    if (conditional) {
        condition(g);
        PUT(&g->body, IF, EMPTY);
        popped(g, 1);
        g->base = g->height;
    }
    need(g, tags[tag].types, tags[tag].count);
    op_u(&g->body, OP_throw_, tag);
    if (!conditional)
        return go_dead(g);
    put(&g->body, END);
    g->base = base;
    g->height = height;
}

/* The exception of a catch block around, if there is one, likewise. */
static void rethrow(struct generator *g) {
    uint32_t depth = 0;
    while (depth < g->depth && !g->labels[g->depth - 1 - depth].holds)
        depth++;
    if (depth == g->depth)
        return throw(g);
    condition(g);
    PUT(&g->body, IF, EMPTY);
    op_u(&g->body, OP_rethrow, depth + 1);
    put(&g->body, END);
    popped(g, 1);
}

static void open_label(struct generator *g, const uint8_t *types, uint32_t count) {
    struct label *label = &g->labels[g->depth++];
    *label = (struct label){.count = count};
    memcpy(label->types, types, count);
}

static void put_block(struct generator *g, uint8_t opcode, const struct label *results) {
    put(&g->body, opcode);
    if (results->count == 0)
        put(&g->body, EMPTY);
    else
        put_s(&g->body, add_type_n(&g->module, NULL, 0, results->types, results->count));
}

/* One part of a block that catches: its body, or what is done with the values caught. */
static void try_part(struct generator *g, const struct signature *s, uint32_t steps, bool is_body,
                     const struct label *values) {
    g->height = g->base;
    for (uint32_t i = 0; i < values->count; i++)
        pushed(g, values->types[i]);
    g->trying += is_body;
    part(g, s, steps, -1);
    g->trying -= is_body;
}

/* Further clauses, to labels around that take what they bring. */
static uint32_t put_clauses(struct generator *g, struct bytes *clauses) {
    uint32_t count = 0;
    for (uint32_t tries = below(g, 4); tries > 0; tries--) {
        uint32_t depth = below(g, g->depth), tag = below(g, COUNT(tags));
        const struct label *label = &g->labels[g->depth - 1 - depth];
        if (label->count == 0 && chance(g, 30))
            PUT(clauses, 2, (uint8_t)depth); /* catch_all */
        else if (label->count == tags[tag].count &&
                 memcmp(label->types, tags[tag].types, label->count) == 0)
            PUT(clauses, 0, (uint8_t)tag, (uint8_t)depth); /* catch */
        else
            continue;
        count++;
    }
    return count;
}

/* block $out (block $values (try_table (catch tag $values) body) br $out) with the values */
static void newer_try(struct generator *g, const struct signature *s, uint32_t steps) {
    static const struct label none;
    struct label results = {.count = s->result_count};
    struct bytes clauses = {0};
    uint32_t tag = below(g, COUNT(tags));
    memcpy(results.types, s->results, s->result_count);
    put_block(g, BLOCK, &results);
    open_label(g, s->results, s->result_count);
    put_block(g, BLOCK, &tags[tag]);
    open_label(g, tags[tag].types, tags[tag].count);
    put_block(g, OP_try_table, &results);
    uint32_t count = put_clauses(g, &clauses);
    put_u(&g->body, count + 1);
    put_bytes(&g->body, clauses.data, clauses.size);
    PUT(&g->body, 0, (uint8_t)tag, 0);
    drop_bytes(&clauses);
    open_label(g, s->results, s->result_count);
    try_part(g, s, steps, true, &none);
    put(&g->body, END);
    g->depth--;
    PUT(&g->body, BR, 1, END);
    g->depth--;
    try_part(g, s, steps / 2, false, &tags[tag]);
    put(&g->body, END);
    g->depth--;
}

static void older_try(struct generator *g, const struct signature *s, uint32_t steps) {
    static const struct label none;
    struct label results = {.count = s->result_count};
    bool hands_on = chance(g, 30);
    memcpy(results.types, s->results, s->result_count);
    put_block(g, OP_try_, &results);
    open_label(g, s->results, s->result_count);
    try_part(g, s, steps, true, &none);
    if (hands_on) {
        g->depth--;
        op_u(&g->body, OP_delegate, below(g, g->depth));
        return;
    }
    g->labels[g->depth - 1].holds = true;
    for (uint32_t catches = below(g, 3); catches > 0; catches--) {
        uint32_t tag = below(g, COUNT(tags));
        op_u(&g->body, OP_catch_, tag);
        try_part(g, s, steps / 3, false, &tags[tag]);
    }
    if (chance(g, 50)) {
        put(&g->body, OP_catch_all);
        try_part(g, s, steps / 3, false, &none);
    }
    put(&g->body, END);
    g->depth--;
}

static void try_block(struct generator *g, uint32_t steps) {
    struct signature s = {.params = {0}};
    uint32_t outer_base = g->base;
    bool was_dead = g->dead;
    s.result_count = any_types(g, s.results, ARITY);
    g->base = g->height;
    if (g->try_table || chance(g, 40))
        newer_try(g, &s, steps);
    else
        older_try(g, &s, steps);
    g->height = g->base;
    for (uint32_t i = 0; i < s.result_count; i++)
        pushed(g, s.results[i]);
    g->base = outer_base;
    g->dead = was_dead;
}

static void block(struct generator *g, uint32_t steps) {
    struct signature s = {.params = {0}};
    struct label *label = &g->labels[g->depth];
    struct bytes *f = &g->body;
    uint32_t kind = below(g, 4), outer_base = g->base;
    bool was_dead = g->dead, is_loop = kind == 1, is_if = kind >= 2, has_else = kind == 2;
    s.param_count = any_types(g, s.params, 2);
    s.result_count = any_types(g, s.results, ARITY);
    if (is_if && !has_else) {
        memcpy(s.results, s.params, s.param_count);
        s.result_count = s.param_count;
    }
    uint32_t type = add_type_n(&g->module, s.params, s.param_count, s.results, s.result_count);
    int counter = is_loop && g->loops < 3 ? (int)(g->counters + g->loops) : -1;
    if (counter >= 0) {
        i32_const(f, (int32_t)below(g, g->profile->turns) + 1);
        local_op(g, LOCAL_SET, (uint32_t)counter);
        g->loops++;
    }
    need(g, s.params, s.param_count);
    if (is_if) {
        condition(g);
        popped(g, 1);
    }
    if (s.param_count == 0 && s.result_count <= 1) {
        PUT(f, is_if ? IF : is_loop ? LOOP : BLOCK, s.result_count ? s.results[0] : EMPTY);
    } else {
        put(f, is_if ? IF : is_loop ? LOOP : BLOCK);
        put_s(f, type);
    }
    if (is_loop)
        spend_budget(g);
    g->base = g->height - s.param_count;
    label->holds = false;
    label->count = is_loop ? s.param_count : s.result_count;
    memcpy(label->types, is_loop ? s.params : s.results, label->count);
    g->depth++;
    part(g, &s, steps, counter);
    if (has_else) {
        put(f, ELSE);
        g->height = g->base;
        for (uint32_t i = 0; i < s.param_count; i++)
            pushed(g, s.params[i]);
        part(g, &s, steps, -1);
    }
    put(f, END);
    g->depth--;
    g->height = g->base;
    for (uint32_t i = 0; i < s.result_count; i++)
        pushed(g, s.results[i]);
    g->base = outer_base;
    g->dead = was_dead;
    if (counter >= 0)
        g->loops--;
}

/* The arguments, and the call: of the opcode, or, through the table, of that behind it. */
enum way { DIRECT, THROUGH_TABLE, BY_REFERENCE };

static uint32_t any_type_of(struct generator *g, const struct signature *s) {
    return chance(g, 50) ? s->type : s->super;
}

static void put_call(struct generator *g, const struct signature *s, enum way way, uint8_t opcode) {
    need(g, s->params, s->param_count);
    if (way == BY_REFERENCE) {
        PUT(&g->body, 0xD2, (uint8_t)(s - g->funcs)); /* a leaf, which an element segment names */
        if (chance(g, 20))
            put(&g->body, 0xD4);
        op_u(&g->body, opcode == OP_call ? OP_call_ref : OP_return_call_ref, any_type_of(g, s));
    } else if (way == THROUGH_TABLE) {
        push_value(g, I32);
        if (chance(g, 70)) /* most often one that fits */
            PUT(&g->body, DROP, 0x41, (uint8_t)(s - g->funcs));
        op_u(&g->body, opcode + 1, any_type_of(g, s));
        put(&g->body, 0);
        popped(g, 1);
    } else {
        op_u(&g->body, opcode, (uint32_t)(s - g->funcs));
    }
    popped(g, s->param_count);
}

/* Of a function with the same results, perhaps the one under way. */
static void tail_call(struct generator *g) {
    bool indirect = g->func_count >= g->leaf_count && chance(g, 40);
    const struct signature *s =
        &g->funcs[indirect ? below(g, g->leaf_count) : below(g, g->func_count + 1)];
    if (s->result_count != g->signature->result_count ||
        memcmp(s->results, g->signature->results, s->result_count) != 0)
        s = g->signature;
    put_call(g, s,
             !indirect || s == g->signature ? DIRECT
             : chance(g, 40)                ? BY_REFERENCE
                                            : THROUGH_TABLE,
             g->ordinary ? OP_call : OP_return_call);
    if (g->ordinary)
        put(&g->body, RETURN);
    go_dead(g);
}

static void call(struct generator *g) {
    bool leaf = g->func_count < g->leaf_count;
    bool indirect = !leaf && chance(g, 40);
    if (chance(g, 10) && !g->wasm2 && g->trying == 0)
        return tail_call(g);
    if (chance(g, 25) && !g->wasm2)
        return chance(g, 30) ? rethrow(g) : throw(g);
    if (g->func_count == 0)
        return;
    const struct signature *s = &g->funcs[below(g, indirect ? g->leaf_count : g->func_count)];
    put_call(g, s,
             !indirect                    ? DIRECT
             : chance(g, 40) && !g->wasm2 ? BY_REFERENCE
                                          : THROUGH_TABLE,
             OP_call);
    for (uint32_t i = 0; i < s->result_count; i++)
        pushed(g, s->results[i]);
}

/* ---- Idioms ---- */

/* A local of the type that the code may change: there is one of each type. */
static uint32_t a_local(struct generator *g, uint8_t type) {
    int local = find_local(g, type);
    assert_true(local >= 0);
    return (uint32_t)local;
}

/* base + (index << k), as arrays are reached; the address is on top. */
static void element_address(struct generator *g) {
    struct bytes *f = &g->body;
    uint32_t base = a_local(g, I32), index = a_local(g, I32);
    local_op(g, LOCAL_GET, base);
    PUT(f, 0x41, 31, 0x71);
    local_op(g, LOCAL_GET, index);
    PUT(f, 0x41, 63, 0x71, 0x41, (uint8_t)below(g, 4), 0x74, I32_ADD);
    pushed(g, I32);
}

/* Leaves just the topmost value above the base. */
static void keep_top(struct generator *g) {
    uint8_t type = g->stack[g->height - 1];
    uint32_t local = a_local(g, type);
    if (g->height - g->base == 1)
        return;
    local_op(g, LOCAL_SET, local);
    popped(g, 1);
    for (; g->height > g->base; popped(g, 1))
        put(&g->body, DROP);
    local_op(g, LOCAL_GET, local);
    pushed(g, type);
}

/* An element is changed in place: load, plain operation, store; with the address in a local. */
static void update_element(struct generator *g) {
    static const uint8_t ways[][3] = {{I32, 0x28, 0x36}, {I64, 0x29, 0x37}, {I32, 0x2D, 0x3A},
                                      {I32, 0x2F, 0x3B}, {I64, 0x35, 0x3E}, {F64, 0x2B, 0x39}};
    const uint8_t *way = ways[below(g, COUNT(ways))];
    struct bytes *f = &g->body;
    uint32_t address = a_local(g, I32), offset = below(g, 64), base = g->base;
    element_address(g);
    local_op(g, LOCAL_TEE, address);
    local_op(g, LOCAL_GET, address);
    pushed(g, way[0]);
    PUT(f, way[1], 0);
    put_u(f, offset);
    g->base = g->height - 1;
    plain(g, way[0]);
    keep_top(g);
    g->base = base;
    if (way[0] == F64)
        canonicalize(g);
    PUT(f, way[2], 0);
    put_u(f, offset);
    popped(g, 2);
}

/* A field of bits: (x >> k) & mask. */
static void bit_field(struct generator *g) {
    struct bytes *f = &g->body;
    bool wide = chance(g, 30);
    need_one(g, wide ? I64 : I32);
    put(f, wide ? 0x42 : 0x41);
    put(f, (uint8_t)below(g, 32));
    put(f, wide ? 0x88 : 0x76);
    if (wide)
        i64_const(f, INT64_C(0xFFFF) >> below(g, 12));
    else
        i32_const(f, 0xFFFF >> below(g, 12));
    put(f, wide ? 0x83 : 0x71);
}

/* The stack pointer of compiled code: a global goes down, and up again. */
static void stack_frame(struct generator *g) {
    struct bytes *f = &g->body;
    uint32_t local = a_local(g, I32);
    op_u(f, 0x23, G_I32);
    i32_const(f, (int32_t)below(g, 8) * 16);
    put(f, chance(g, 50) ? I32_SUB : I32_ADD);
    local_op(g, LOCAL_TEE, local);
    op_u(f, 0x24, G_I32);
}

/* Two or three locals change places without a temporary. */
static void rotate_locals(struct generator *g) {
    uint8_t type = any_type(g);
    uint32_t locals[3], count = 2 + below(g, 2);
    for (uint32_t i = 0; i < count; i++) {
        locals[i] = a_local(g, type);
        local_op(g, LOCAL_GET, locals[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        local_op(g, LOCAL_SET, locals[i]);
}

/* A comparison decides a branch or a select. */
static void decide(struct generator *g) {
    struct bytes *f = &g->body;
    uint32_t x = a_local(g, I32), y = a_local(g, I32), result = a_local(g, I64);
    local_op(g, LOCAL_GET, x);
    if (chance(g, 50))
        local_op(g, LOCAL_GET, y);
    else
        i32_const(f, (int32_t)below(g, 300) - 100);
    PUT(f, (uint8_t)(0x46 + below(g, 10)));
    if (chance(g, 30))
        put(f, 0x45);
    PUT(f, IF, EMPTY);
    local_op(g, LOCAL_GET, result);
    PUT(f, 0x42, 3, 0x7E);
    local_op(g, LOCAL_SET, result);
    if (chance(g, 40)) {
        put(f, ELSE);
        i64_const(f, (int64_t)below(g, 1000) * 1000);
        local_op(g, LOCAL_SET, result);
    }
    put(f, END);
}

/* A byte of memory chooses a case. */
static void dispatch(struct generator *g) {
    struct bytes *f = &g->body;
    uint32_t local = a_local(g, I32), cases = 2 + below(g, 4);
    for (uint32_t i = 0; i < cases; i++)
        PUT(f, BLOCK, EMPTY);
    element_address(g);
    popped(g, 1);
    PUT(f, 0x2D, 0, (uint8_t)below(g, 64)); /* i32.load8_u */
    PUT(f, 0x41, 3, 0x71);
    if (chance(g, 50))
        PUT(f, 0x41, 1, I32_SUB);
    op_u(f, 0x0E, cases - 1);
    for (uint32_t i = 0; i < cases; i++)
        put_u(f, i);
    for (uint32_t i = 0; i < cases; i++) {
        put(f, END);
        if (i + 1 < cases) {
            local_op(g, LOCAL_GET, local);
            PUT(f, 0x41, (uint8_t)(i + 1), I32_ADD);
            local_op(g, LOCAL_SET, local);
            if (chance(g, 50))
                op_u(f, BR, cases - 2 - i);
        }
    }
}

/* a * b + c, with what is in locals. */
static void multiply_add(struct generator *g) {
    static const uint8_t ways[][4] = {{F64, 0xA2, 0xA0, 0xA1},
                                      {F32, 0x94, 0x92, 0x93},
                                      {I32, 0x6C, 0x6A, 0x6B},
                                      {I64, 0x7E, 0x7C, 0x7D}};
    const uint8_t *way = ways[below(g, COUNT(ways))];
    bool first = chance(g, 50);
    uint32_t sum = a_local(g, way[0]);
    if (first)
        local_op(g, LOCAL_GET, sum);
    local_op(g, LOCAL_GET, a_local(g, way[0]));
    local_op(g, LOCAL_GET, a_local(g, way[0]));
    put(&g->body, way[1]);
    if (!first)
        local_op(g, LOCAL_GET, sum);
    put(&g->body, way[2 + below(g, 2)]);
    local_op(g, LOCAL_SET, sum);
}

/* A bulk operation that ends at, or one behind, the end of the memory. */
static void bulk_at_edge(struct generator *g) {
    struct bytes *f = &g->body;
    uint32_t size = below(g, 40), beyond = chance(g, 3);
    PUT(f, 0x3F, 0, 0x41, 16, 0x74); /* memory.size << 16 */
    i32_const(f, (int32_t)(size - beyond));
    put(f, I32_SUB);
    i32_const(f, (int32_t)below(g, 100));
    i32_const(f, (int32_t)size);
    if (chance(g, 50))
        PUT(f, 0xFC, 10, 0, 0); /* memory.copy */
    else
        PUT(f, 0xFC, 11, 0); /* memory.fill */
}

/* Loads on both sides of a growth, which may move the memory. */
static void grow_between(struct generator *g) {
    struct bytes *f = &g->body;
    uint32_t local = a_local(g, I64);
    element_address(g);
    PUT(f, 0x29, 0, (uint8_t)below(g, 64));
    PUT(f, 0x41, (uint8_t)below(g, 2), 0x40, 0, 0xAC); /* memory.grow, extended */
    put(f, 0x7C);
    popped(g, 1);
    element_address(g);
    PUT(f, 0x29, 0, (uint8_t)below(g, 64), 0x7C);
    popped(g, 1);
    local_op(g, LOCAL_SET, local);
}

/* Operations follow each other, each on the result before and a constant, a local, or what was loaded,
 * on either side. */
static void chain(struct generator *g) {
    static const struct {
        uint8_t type, load, first, last;
    } kinds[] = {{I32, 0x28, 0x6A, 0x78},
                 {I64, 0x29, 0x7C, 0x8A},
                 {F64, 0x2B, 0xA0, 0xA2},
                 {F32, 0x2A, 0x92, 0x94}};
    uint32_t kind = below(g, 100) < 60 ? 0 : 1 + below(g, 3);
    uint8_t type = kinds[kind].type;
    struct bytes *f = &g->body;
    if (chance(g, 50))
        need_one(g, type);
    else
        push_value(g, type);
    for (uint32_t i = 1 + below(g, 5); i > 0; i--) {
        uint8_t opcode = kinds[kind].first;
        opcode = (uint8_t)(opcode + below(g, kinds[kind].last - opcode + 1u));
        if ((opcode >= OP_i32_div_s && opcode <= OP_i32_rem_u) ||
            (opcode >= OP_i64_div_s && opcode <= OP_i64_rem_u))
            opcode = kinds[kind].first; /* division is for plain() */
        uint32_t operand = below(g, 10);
        if (operand < 5) {
            put_const(g, type);
        } else if (operand < 8) {
            local_op(g, LOCAL_GET, a_local(g, type));
        } else {
            element_address(g);
            popped(g, 1);
            PUT(f, kinds[kind].load, 0, (uint8_t)below(g, 64));
        }
        if (chance(g, 15)) { /* the operands change sides */
            uint32_t local = a_local(g, type);
            local_op(g, LOCAL_SET, local);
            local_op(g, LOCAL_TEE, a_local(g, type));
            local_op(g, LOCAL_GET, local);
        }
        put(f, opcode);
    }
    if (chance(g, 60)) {
        local_op(g, LOCAL_SET, a_local(g, type));
        popped(g, 1);
    }
}

/* ---- References of the type of function 0: a table without null, globals, and two locals ---- */

#define TYPED_TABLE 1
#define TYPED_SIZE 6

/* Seldom one that is out of bounds. */
static void typed_index(struct generator *g) {
    push_value(g, I32);
    PUT(&g->body, 0x41, chance(g, 95) ? 3 : 7, 0x71);
    popped(g, 1);
}

/* A reference, untracked, that is not null. */
static void put_typed(struct generator *g) {
    struct bytes *f = &g->body;
    switch (below(g, 4)) {
    case 0:
        op_u(f, 0xD2, 0); /* ref.func */
        break;
    case 1:
        op_u(f, 0x23, G_TYPED);
        break;
    default:
        typed_index(g);
        op_u(f, 0x25, TYPED_TABLE);
    }
    if (chance(g, 20))
        put(f, 0xD4); /* ref.as_non_null */
}

static void put_null(struct generator *g, uint32_t type) {
    put(&g->body, REF_NULL);
    put_s(&g->body, type);
}

static void drop_results(struct generator *g, const struct signature *s) {
    for (uint32_t i = s->result_count; i-- > 0;) {
        int local = chance(g, 70) ? find_local(g, s->results[i]) : -1;
        if (local >= 0)
            local_op(g, LOCAL_SET, (uint32_t)local);
        else
            put(&g->body, DROP);
    }
}

/* The local without null is set, and called, where control comes from elsewhere, too. */
static void call_typed_local(struct generator *g) {
    const struct signature *s = &g->funcs[0];
    struct bytes *f = &g->body;
    uint32_t base = g->base;
    bool early = chance(g, 50);
    PUT(f, BLOCK, EMPTY);
    if (early) {
        bool tee = chance(g, 50);
        put_typed(g);
        op_u(f, tee ? LOCAL_TEE : LOCAL_SET, g->typed);
        if (tee)
            put(f, DROP);
    }
    op_u(f, 0x23, G_NULLABLE);
    PUT(f, 0xD5, 0); /* br_on_null */
    op_u(f, LOCAL_SET, g->typed);
    g->base = g->height;
    need(g, s->params, s->param_count);
    op_u(f, LOCAL_GET, g->typed);
    op_u(f, OP_call_ref, any_type_of(g, s));
    popped(g, s->param_count);
    drop_results(g, s);
    put(f, END);
    g->base = base;
}

static void typed_reference(struct generator *g) {
    const struct signature *s = &g->funcs[0];
    struct bytes *f = &g->body;
    if (g->wasm2 || g->func_count == 0)
        return;
    switch (below(g, 8)) {
    case 0:
        typed_index(g);
        put_typed(g);
        op_u(f, 0x26, TYPED_TABLE); /* table.set */
        break;
    case 1:
        if (chance(g, 30))
            put_null(g, s->type);
        else
            put_typed(g);
        op_u(f, 0x24, G_NULLABLE);
        break;
    case 2:
        typed_index(g);
        put_typed(g);
        typed_index(g);
        PUT(f, 0xFC, 17, TYPED_TABLE); /* table.fill */
        break;
    case 3:
        put_typed(g);
        PUT(f, 0x41, !g->no_growth, 0xFC, 15, TYPED_TABLE); /* table.grow */
        pushed(g, I32);
        break;
    case 4:
        typed_index(g);
        typed_index(g);
        typed_index(g);
        PUT(f, 0xFC, 14, chance(g, 50) ? 0 : TYPED_TABLE, TYPED_TABLE); /* table.copy */
        break;
    case 5:
        call_typed_local(g);
        break;
    default:
        need(g, s->params, s->param_count);
        put_typed(g);
        op_u(f, OP_call_ref, any_type_of(g, s));
        popped(g, s->param_count);
        for (uint32_t i = 0; i < s->result_count; i++)
            pushed(g, s->results[i]);
    }
}

static void idiom(struct generator *g) {
    static void (*const idioms[])(struct generator *) = {
        chain,        chain,        chain,           chain,          update_element, update_element,
        bit_field,    stack_frame,  rotate_locals,   decide,         dispatch,       multiply_add,
        bulk_at_edge, grow_between, typed_reference, typed_reference};
    idioms[below(g, COUNT(idioms))](g);
}

static void mix(struct generator *g, uint8_t type);
/* ---- Objects ---- */

#include "generate_objects.inc"

/* ---- Steps ---- */

static enum step_kind any_step(struct generator *g) {
    uint32_t pick = below(g, 100), kind = 0;
    while (pick >= g->profile->weights[kind])
        pick -= g->profile->weights[kind++];
    assert_true(kind < S_KINDS); /* weights add up to 100 */
    return kind;
}

static void drop_value(struct generator *g) {
    if (g->height == g->base)
        return;
    put(&g->body, DROP);
    popped(g, 1);
}

static void nested_block(struct generator *g, uint32_t *steps) {
    if (g->depth == DEPTH || *steps <= 2)
        return;
    if (g->depth + 3 <= DEPTH && chance(g, 20) && !g->wasm2)
        try_block(g, *steps / 3);
    else
        block(g, *steps / 3);
    *steps -= *steps / 3;
}

static void step(struct generator *g, uint32_t *steps) {
    if (g->has_objects && chance(g, 35))
        return object_step(g);
    switch (any_step(g)) {
    case S_VALUE:
        return push_value(g, any_type(g));
    case S_PLAIN:
        return chance(g, 3) && !g->wasm2 ? wide(g) : plain(g, 0);
    case S_ACCESS:
        return load_or_store(g);
    case S_VARIABLE:
        return set_variable(g);
    case S_SELECT:
        return select_value(g);
    case S_DROP:
        return drop_value(g);
    case S_BLOCK:
        return nested_block(g, steps);
    case S_BRANCH:
        return branch(g);
    case S_BRANCH_TABLE:
        return branch_table(g);
    case S_CALL:
        return call(g);
    case S_BULK:
        return bulk_memory(g);
    case S_TABLE:
        return table_op(g);
    default:
        return idiom(g);
    }
}

static void walk(struct generator *g, uint32_t steps) {
    while (steps > 0) {
        steps--;
        if (g->height > STACK - 40)
            settle(g, NULL, 0);
        if (g->dead && chance(g, 50))
            return;
        step(g, &steps);
    }
}

/* ---- Functions ---- */

/* Locals: what code may use; counters of loops; two to compare NaNs. */
static void declare_locals(struct generator *g) {
    const struct signature *s = g->signature;
    static const uint8_t usable[] = {I32, I32, I32, I64, I64, F32, F32, F64, F64, V128, FUNCREF};
    static const uint8_t own[] = {I32, I32, I32, F32, F64};
    uint32_t count = s->param_count;
    memcpy(g->local_types, s->params, count);
    bool typed = g->func_count > 0 && !g->wasm2;
    put_u(&g->body, COUNT(usable) + COUNT(own) + 1u + typed + 2u * g->has_objects);
    put_u(&g->body, g->padding);
    put(&g->body, I64);
    for (size_t i = 0; i < COUNT(usable) + COUNT(own); i++) {
        uint8_t type = i < COUNT(usable) ? usable[i] : own[i - COUNT(usable)];
        PUT(&g->body, 1, type);
        g->local_types[count++] = type;
    }
    g->local_count = count;
    g->counters = count - (uint32_t)COUNT(own);
    g->temp_f32 = count - 2;
    g->temp_f64 = count - 1;
    if (typed) {
        PUT(&g->body, 1, 0x64); /* (ref $type) */
        put_s(&g->body, g->funcs[0].type);
        g->typed = local_index(g, count);
    }
    if (g->has_objects) {
        PUT(&g->body, 1, ANYREF, 1, NULLABLE, O_NODE);
        g->objects = local_index(g, count) + typed;
    }
}

/* A call clears its locals, which takes most of the time: a sixth of the functions has padding. The last
 * function is the first that runs. Which ones differs by module, and draws no random number. */
static uint32_t choose_padding(const struct generator *g, bool last) {
    return last || (g->seed + g->func_count) % 6 == 0 ? g->all_padding : 0;
}

static void put_functype(struct bytes *b, const struct signature *s) {
    put(b, 0x60);
    put_vector(b, s->params, s->param_count);
    put_vector(b, s->results, s->result_count);
}

/* A type of its own; below one that is equal but for its name; or the same two as a recursion group, in which a
 * third one may refer to them. */
static void declare_type(struct generator *g, struct signature *s) {
    struct module_builder *m = &g->module;
    struct bytes *b;
    uint32_t way = g->wasm2 ? 0 : below(g, 4);
    if (way < 2) {
        s->type = s->super = add_type_n(m, s->params, s->param_count, s->results, s->result_count);
        return;
    }
    bool third = way == 3 && chance(g, 50);
    s->super = m->types;
    if (way == 3)
        add_rec(m, third ? 3 : 2, &b);
    else
        b = add_item(m, TYPES);
    PUT(b, 0x50, 0); /* sub */
    put_functype(b, s);
    if (way == 2)
        b = add_item(m, TYPES);
    PUT(b, chance(g, 50) ? 0x50 : 0x4F, 1); /* sub, sub final */
    put_u(b, s->super);
    put_functype(b, s);
    s->type = s->super + 1;
    m->types = s->super + 2;
    if (third) { /* (ref null $type) -> (ref null $itself) */
        PUT(b, 0x60, 1, 0x63);
        put_s(b, s->type);
        PUT(b, 1, 0x63);
        put_s(b, m->types++);
    }
}

static void function(struct generator *g, uint32_t steps, bool last) {
    struct signature *s = &g->funcs[g->func_count];
    g->padding = choose_padding(g, last);
    s->param_count = any_types(g, s->params, ARITY + 1);
    do
        s->result_count = any_types(g, s->results, ARITY);
    while (s->result_count == 0 && chance(g, 80));
    if (g->func_count > 0 && chance(g, 50)) { /* for tail calls, often of as many parameters */
        const struct signature *like = &g->funcs[below(g, g->func_count)];
        s->result_count = like->result_count;
        memcpy(s->results, like->results, sizeof s->results);
        if (chance(g, 50)) {
            s->param_count = like->param_count;
            memcpy(s->params, like->params, sizeof s->params);
        }
    }
    declare_type(g, s);
    g->signature = s;
    g->height = g->base = g->loops = 0;
    g->depth = 1;
    memcpy(g->labels[0].types, s->results, s->result_count);
    g->labels[0].count = s->result_count;
    declare_locals(g);
    spend_budget(g);
    part(g, s, steps, -1);
    put(&g->body, END);
    add_func(&g->module, NULL, s->type, &g->body);
    g->func_count++;
}

/* The value on top as an i64, mixed into local 0. */
static void mix(struct generator *g, uint8_t type) {
    struct bytes *f = &g->body;
    switch (type) {
    case I32:
        put(f, 0xAD);
        break;
    case I64:
        break;
    case F32:
        pushed(g, F32);
        canonicalize(g);
        popped(g, 1);
        PUT(f, 0xBC, 0xAD);
        break;
    case F64:
        pushed(g, F64);
        canonicalize(g);
        popped(g, 1);
        PUT(f, 0xBD);
        break;
    case FUNCREF:
        PUT(f, 0xD1, 0xAD);
        break;
    default: /* v128 */
        PUT(f, LOCAL_TEE, 3, 0xFD, 29, 0, LOCAL_GET, 3, 0xFD, 29, 1);
        i64_const(f, 31);
        PUT(f, 0x89, 0x85);
    }
    PUT(f, LOCAL_GET, 0, 0x85);
    i64_const(f, (int64_t)UINT64_C(0x9E3779B97F4A7C15));
    PUT(f, 0x7E);
    i64_const(f, 29);
    PUT(f, 0x89, LOCAL_SET, 0);
}

/* Locals 0 to 4 of functions that sum up: the sum, for NaNs, for vectors, an address; 5 and 6 for objects. */
static void begin_summing(struct generator *g) {
    static const struct signature nothing;
    g->signature = &nothing;
    g->padding = 0;
    g->temp_f32 = 1;
    g->temp_f64 = 2;
    PUT(&g->body, g->has_objects ? 7 : 5, 1, I64, 1, F32, 1, F64, 1, V128, 1, I32);
    if (g->has_objects)
        PUT(&g->body, 1, NULLABLE, O_NODE, 1, ANYREF);
}

static void run_function(struct generator *g, uint32_t i, uint32_t type) {
    char name[8];
    const struct signature *s = &g->funcs[g->func_count - 1 - i % g->func_count];
    begin_summing(g);
    i32_const(&g->body, BUDGET);
    op_u(&g->body, 0x24, G_BUDGET);
    if (!g->wasm2) /* what is thrown ends the run */
        PUT(&g->body, BLOCK, EMPTY, OP_try_table, EMPTY, 1, 2, 0);
    for (uint32_t k = 0; k < s->param_count; k++)
        put_const(g, s->params[k]);
    op_u(&g->body, CALL, (uint32_t)(s - g->funcs));
    for (uint32_t k = s->result_count; k-- > 0;)
        mix(g, s->results[k]);
    if (!g->wasm2)
        PUT(&g->body, END, END);
    PUT(&g->body, LOCAL_GET, 0, END);
    snprintf(name, sizeof name, "run%u", i);
    add_func(&g->module, name, type, &g->body);
}

static void state_function(struct generator *g, uint32_t type) {
    struct bytes *f = &g->body;
    begin_summing(g);
    for (uint32_t i = 0; i < GLOBALS_BY_TYPE; i++) {
        op_u(f, 0x23, i);
        mix(g, (uint8_t)(I32 - i));
    }
    PUT(f, 0x3F, 0); /* memory.size */
    mix(g, I32);
    PUT(f, 0xFC, 16, 0); /* table.size */
    mix(g, I32);
    for (uint8_t i = 0; i < 8; i++) {
        PUT(f, 0x41, i, 0x25, 0); /* table.get */
        mix(g, FUNCREF);
    }
    if (g->has_objects)
        sum_objects(g);
    PUT(f, LOOP, EMPTY, LOCAL_GET, 4, 0x29, 0, 0);
    mix(g, I64);
    PUT(f, LOCAL_GET, 4, 0x41, 8, I32_ADD, LOCAL_TEE, 4);
    i32_const(f, ADDRESSES + 0x100);
    PUT(f, 0x48, BR_IF, 0, END, LOCAL_GET, 0, END);
    add_func(&g->module, "state", type, f);
}

static void declare_typed(struct generator *g) {
    struct module_builder *m = &g->module;
    uint32_t type = g->funcs[0].type;
    struct bytes *b = add_item(m, TABLES);
    PUT(b, 0x40, 0, 0x64); /* with an initial value */
    put_s(b, type);
    put_limits(b, TYPED_SIZE, 20);
    PUT(b, 0xD2, 0, END);
    m->tables++;
    for (uint32_t nullable = 0; nullable < 2; nullable++) {
        b = add_item(m, GLOBALS);
        put(b, nullable ? 0x63 : 0x64);
        put_s(b, type);
        put(b, (uint8_t)nullable); /* mutable */
        if (nullable && chance(g, 50))
            PUT(b, 0x23, G_TYPED, END);
        else
            PUT(b, 0xD2, 0, END);
    }
    b = add_item(m, ELEMS);
    PUT(b, 6, TYPED_TABLE, 0x41, 2, 0x41, 2, 0x6A, END, 0x64); /* at 2 + 2 */
    put_s(b, type);
    PUT(b, 2, 0xD2, 0, END, 0x23, G_TYPED, END);
    export_item(m, "typed", AS_TABLE, TYPED_TABLE);
}

/* The initial value of a global: a constant, or a sum, difference or product of two. */
static void put_initial(struct generator *g, uint8_t type) {
    put_const(g, type);
    if ((type != I32 && type != I64) || g->wasm2 || chance(g, 50))
        return;
    put_const(g, type);
    put(&g->body, (uint8_t)((type == I32 ? 0x6A : 0x7C) + below(g, 3)));
}

static void declare_state(struct generator *g) {
    struct module_builder *m = &g->module;
    struct bytes *b;
    add_memory(m, 1, 4);
    add_table(m, FUNCREF, 8, 20);
    for (uint32_t i = 0; i < GLOBALS_BY_TYPE + 1; i++) {
        uint8_t type = i == G_BUDGET ? I32 : (uint8_t)(I32 - i);
        struct bytes outer = g->body;
        g->body = (struct bytes){0};
        put_initial(g, type);
        b = add_item(m, GLOBALS);
        PUT(b, type, 1);
        put_bytes(b, g->body.data, g->body.size);
        put(b, END);
        drop_bytes(&g->body);
        g->body = outer;
    }
    b = add_item(m, ELEMS); /* the table starts with the leaves */
    PUT(b, 0, 0x41, 0, END);
    put_u(b, g->leaf_count);
    for (uint32_t i = 0; i < g->leaf_count; i++)
        put_u(b, i);
    for (uint32_t segment = 1; segment < 3; segment++) { /* to drop; for table.init */
        b = add_item(m, ELEMS);
        PUT(b, 5, FUNCREF, 6);
        for (uint32_t i = 0; i < 6; i++)
            PUT(b, i % 3 ? 0xD2 : 0xD0, i % 3 ? (uint8_t)(i % g->leaf_count) : FUNCREF, END);
    }
    put_u(&m->sections[DATA_COUNT], 2);
    m->counts[DATA_COUNT] = 1;
    b = add_item(m, DATAS);
    PUT(b, 1, 64);
    for (uint32_t i = 0; i < 64; i++)
        put(b, (uint8_t)next_random(&g->random));
    PUT(add_item(m, DATAS), 1, 1, 0); /* to drop */
    for (uint32_t i = 0; i < COUNT(tags) && !g->wasm2; i++)
        add_tag(m, add_type_n(m, tags[i].types, tags[i].count, NULL, 0));
    export_item(m, "memory", 2, 0);
    if (!g->wasm2)
        declare_typed(g);
    if (g->has_objects)
        declare_objects(g);
}

struct bytes generate(struct generator_options options) {
    struct generator g = {.random = options.seed * 0x2545F4914F6CDD1D + 1,
                          .seed = options.seed,
                          .all_padding = options.padding,
                          .no_growth = options.no_growth,
                          .ordinary = options.ordinary,
                          .wasm2 = options.wasm2,
                          .payloads = options.payloads,
                          .try_table = options.try_table,
                          .has_objects = options.has_objects,
                          .profile = &profiles[options.seed % COUNT(profiles)]};
    uint32_t funcs = 3 + below(&g, 5);
    g.leaf_count = 1 + below(&g, funcs - 1);
    if (g.has_objects)
        declare_object_types(&g);
    for (uint32_t i = 0; i < funcs; i++)
        function(&g, i < g.leaf_count ? 40 : 90, i + 1 == funcs);
    uint32_t type = add_type(&g.module, "", "I");
    for (uint32_t i = 0; i < GENERATED_RUNS; i++)
        run_function(&g, i, type);
    state_function(&g, type);
    declare_state(&g);
    return finish(&g.module);
}
