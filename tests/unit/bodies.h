/*
 * Function bodies made at random, nearly valid ones: a generator that knows types, and mutations. The same
 * seed gives the same bodies everywhere. Also the modules that the bodies belong to.
 */
#ifndef TESTS_BODIES_H
#define TESTS_BODIES_H

#include "binary/walk.h"
#include "../support/module.h"
#include "validate/plain_types.h"
#include "types/registry.h"
#include "validate/validate.h"

/* ---- Random numbers ---- */

struct random {
    uint64_t state;
};

static inline uint32_t random_below(struct random *r, uint32_t bound) {
    r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t x = r->state ^ r->state >> 31;
    return (uint32_t)(((x >> 16 & UINT32_MAX) * bound) >> 32);
}

static inline bool random_percent(struct random *r, uint32_t percent) {
    return random_below(r, 100) < percent;
}

/* Numbers of any size, many of them at the ends of their encodings. */
static inline uint64_t random_bits(struct random *r) {
    uint64_t one = UINT64_C(1) << random_below(r, 64);
    uint64_t any = (uint64_t)random_below(r, UINT32_MAX) << 32 | random_below(r, UINT32_MAX);
    switch (random_below(r, 6)) {
    case 0:
        return random_below(r, 64);
    case 1:
        return one - 1;
    case 2:
        return one;
    case 3:
        return 0 - one;
    case 4:
        return ~one;
    default:
        return any >> random_below(r, 64);
    }
}

/* ---- Modules ---- */

/* The contents of a module for bodies, besides functions of every type below, twice over. */
struct world {
    const char *name;
    catnap_features_t without; /* of CATNAP_FEATURES_DEFAULT */
    bool no_memory, no_data_count;
    bool wide_memory; /* with i64 addresses */
};

static const struct world worlds[] = {
    {"all", 0, false, false, false},
    {"no memory", 0, true, false, false},
    {"no data count", 0, false, true, false},
    {"no vectors", CATNAP_FEATURE_SIMD, false, false, false},
    {"no references", CATNAP_FEATURE_REFERENCE_TYPES, false, false, false},
    {"no bulk memory", CATNAP_FEATURE_BULK_MEMORY | CATNAP_FEATURE_REFERENCE_TYPES, false, true,
     false},
    {"no saturation", CATNAP_FEATURE_SATURATING_CONVERSIONS, false, false, false},
    {"no tail calls", CATNAP_FEATURE_TAIL_CALLS, false, false, false},
    {"memory of 64 bits", 0, false, false, true},
};
#define WORLDS (sizeof worlds / sizeof *worlds)

/* i32, i64, f32, f64, v128, funcref, externref. */
static const char type_letters[] = "ilfdvne";
static const uint8_t type_codes[] = {0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x70, 0x6F};

/* Parameters and results. The first types and functions are those that tests name by index. */
static const char *const signature_letters[][2] = {
    {"il", "i"},       {"", ""},         {"", "i"},
    {"lfd", "l"},      {"iiiiiii", "i"}, {"iiiiiiii", "l"},
    {"ilfdilfdi", ""}, {"", "il"},       {"il", "il"},
    {"v", "v"},        {"vi", ""},       {"n", "i"},
    {"", "e"},         {"", "n"},        {"e", ""},
    {"i", ""},         {"i", "i"},       {"l", "l"},
    {"", "l"},         {"", "f"},        {"", "d"},
    {"", "v"},         {"iiiiii", ""},   {"ddd", "d"},
    {"lllllll", "l"},  {"iiiii", "d"},   {"ii", "i"},
    {"ff", "f"},       {"vvvvvvv", "v"}, {"iiiiiiiiiiiiiiii", ""},
};
#define SIGNATURES (sizeof signature_letters / sizeof *signature_letters)

static inline uint8_t type_of_letter(const struct world *w, char letter) {
    bool no_vector = letter == 'v' && (w->without & CATNAP_FEATURE_SIMD);
    bool no_reference =
        (letter == 'n' || letter == 'e') && (w->without & CATNAP_FEATURE_REFERENCE_TYPES);
    return no_vector || no_reference ? 0x7F
                                     : type_codes[strchr(type_letters, letter) - type_letters];
}

static inline size_t types_of_letters(const struct world *w, const char *letters, uint8_t *types) {
    for (size_t i = 0; letters[i]; i++)
        types[i] = type_of_letter(w, letters[i]);
    return strlen(letters);
}

static inline void put_zero_of(struct bytes *b, uint8_t type) {
    static const uint8_t zeros[16];
    switch (type) {
    case 0x7F:
    case 0x7E:
        PUT(b, type == 0x7F ? 0x41 : 0x42, 0);
        break;
    case 0x7D:
    case 0x7C:
        put(b, type == 0x7D ? 0x43 : 0x44);
        put_bytes(b, zeros, type == 0x7D ? 4 : 8);
        break;
    case 0x7B:
        PUT(b, 0xFD, 0x0C);
        put_bytes(b, zeros, 16);
        break;
    default:
        PUT(b, 0xD0, type);
    }
}

/* Globals 0 to 139: each type in turn, immutable and mutable. */
#define BODY_GLOBALS 140u
static inline uint8_t type_of_global(const struct world *w, uint32_t index) {
    return type_of_letter(w, type_letters[index / 2 % 7]);
}

static inline struct bytes world_bytes(const struct world *w) {
    struct module_builder m = {0};
    bool references = !(w->without & CATNAP_FEATURE_REFERENCE_TYPES);
    for (size_t i = 0; i < SIGNATURES; i++) {
        uint8_t params[16], results[16];
        size_t param_count = types_of_letters(w, signature_letters[i][0], params);
        size_t result_count = types_of_letters(w, signature_letters[i][1], results);
        add_type_n(&m, params, param_count, results, result_count);
    }
    for (uint32_t i = 0; i < 5 * SIGNATURES; i++) /* so many that some indices have two bytes */
        ADD_FUNC(&m, NULL, i % SIGNATURES, 0, UNREACHABLE, END);
    add_table(&m, FUNCREF, 1, NO_MAX);
    if (references)
        add_table(&m, EXTERNREF, 1, NO_MAX);
    if (!w->no_memory)
        add_memory_as(&m, w->wide_memory ? LIMITS_64 : 0, 1, NO_MAX);
    for (uint32_t i = 0; i < BODY_GLOBALS; i++) {
        struct bytes zero = {0};
        put_zero_of(&zero, type_of_global(w, i));
        put(&zero, END);
        add_global_bytes(&m, type_of_global(w, i), i & 1, zero.data, zero.size);
        drop_bytes(&zero);
    }
    if (references)
        PUT(add_item(&m, ELEMS), 3, 0, 3, 0, 1, 2); /* functions that ref.func may name */
    for (uint32_t i = 0; !w->no_data_count && i < 2; i++)
        add_passive_data(&m, "", 0);
    if (!w->no_data_count)
        add_data_count(&m, 2);
    return finish(&m);
}

/* ---- The generator ---- */

#define MAKER_OPERANDS 4096u
#define MAKER_BLOCKS 256u
#define MAKER_LOCALS 400u

struct made_block {
    uint8_t opcode,
        result; /* result: 0 for none; of blocks with several values nothing is generated */
    uint32_t height;
};

struct maker {
    struct random *r;
    const struct world *w;
    const struct module *m;
    struct bytes *out;
    uint8_t locals[MAKER_LOCALS], operands[MAKER_OPERANDS];
    struct made_block blocks[MAKER_BLOCKS];
    uint32_t local_count, operand_count, block_count;
    uint32_t want_deep;    /* so many operands are to be on the stack at times */
    uint32_t long_table;   /* bytes of a window, at least 64, that tables shall fill; or 0 */
    uint32_t percent_wide; /* numbers that are encoded in more bytes than they need */
};

static inline struct made_block *innermost(struct maker *g) {
    return &g->blocks[g->block_count - 1];
}
static inline uint32_t held(struct maker *g) {
    return g->operand_count - innermost(g)->height;
}

/* LEB128, at times longer than necessary. */
static inline void make_u(struct maker *g, uint64_t value, uint32_t most) {
    uint32_t wide = random_percent(g->r, g->percent_wide) ? 1 + random_below(g->r, most) : 1;
    for (uint32_t i = 1;; i++, value >>= 7) {
        bool last = value < 0x80 && i >= wide;
        put(g->out, (uint8_t)((value & 0x7F) | (last ? 0 : 0x80)));
        if (last)
            return;
    }
}

static inline void make_s(struct maker *g, int64_t value, uint32_t most) {
    uint32_t wide = random_percent(g->r, g->percent_wide) ? 1 + random_below(g->r, most) : 1;
    for (uint32_t i = 1;; i++, value >>= 7) {
        bool last = value >= -64 && value < 64 && i >= wide;
        put(g->out, (uint8_t)((value & 0x7F) | (last ? 0 : 0x80)));
        if (last)
            return;
    }
}

static inline void make_opcode(struct maker *g, uint32_t opcode) {
    struct opcode_prefix prefix = cn_prefix_of(opcode);
    put(g->out, prefix.byte ? prefix.byte : (uint8_t)opcode);
    if (prefix.byte)
        make_u(g, opcode - prefix.first, 5);
}

static inline void make_bytes(struct maker *g, uint32_t count, uint32_t below) {
    for (; count > 0; count--)
        put(g->out, (uint8_t)random_below(g->r, below));
}

static inline void made(struct maker *g, uint8_t type) {
    if (type && g->operand_count < MAKER_OPERANDS)
        g->operands[g->operand_count++] = type;
}

static inline uint8_t random_type(struct maker *g) {
    static const char letters[] = "iiiiiiiillllffddve";
    char letter = letters[random_below(g->r, random_percent(g->r, 95) ? 17 : 18)];
    return type_of_letter(g->w, letter);
}

/* Pushes an operand of the type. */
static inline void make_operand(struct maker *g, uint8_t type) {
    uint32_t index;
    if (random_percent(g->r, 50) && g->local_count > 0) {
        for (uint32_t tries = 0; tries < 8; tries++) {
            index = random_below(
                g->r, random_percent(g->r, 70) && g->local_count > 6 ? 6 : g->local_count);
            if (g->locals[index] != type)
                continue;
            put(g->out, OP_local_get);
            make_u(g, index, 5);
            made(g, type);
            return;
        }
    }
    if (random_percent(g->r, 15)) {
        index = random_below(g->r, BODY_GLOBALS);
        if (type_of_global(g->w, index) == type) {
            put(g->out, OP_global_get);
            make_u(g, index, 5);
            made(g, type);
            return;
        }
    }
    if (type == 0x7F) {
        put(g->out, OP_i32_const);
        make_s(g, (int32_t)random_bits(g->r), 5);
    } else if (type == 0x7E) {
        put(g->out, OP_i64_const);
        make_s(g, (int64_t)random_bits(g->r), 10);
    } else {
        put_zero_of(g->out, type);
    }
    made(g, type);
}

/* Takes these operands off, the first one deepest; pushes those that are not on top first. */
static inline void make_operands(struct maker *g, const uint8_t *types, uint32_t count) {
    uint32_t there = count < held(g) ? count : held(g);
    while (there > 0 && memcmp(g->operands + g->operand_count - there, types, there) != 0)
        there--;
    for (uint32_t i = there; i < count; i++)
        make_operand(g, types[i]);
    g->operand_count -= count < held(g) ? count : held(g);
}

static inline void make_immediates(struct maker *g, uint32_t immediate) {
    switch (immediate) {
    case IMM_I32:
        make_s(g, (int32_t)random_bits(g->r), 5);
        break;
    case IMM_I64:
        make_s(g, (int64_t)random_bits(g->r), 10);
        break;
    case IMM_F32:
        make_bytes(g, 4, 256);
        break;
    case IMM_F64:
        make_bytes(g, 8, 256);
        break;
    case IMM_V128:
        make_bytes(g, 16, 256);
        break;
    case IMM_SHUFFLE:
        make_bytes(g, 16, 32);
        break;
    case IMM_LANE16:
    case IMM_LANE8:
    case IMM_LANE4:
    case IMM_LANE2:
        make_bytes(g, 1, 16u >> (immediate - IMM_LANE16));
        break;
    case IMM_MEM0:
    case IMM_MEM1:
    case IMM_MEM2:
    case IMM_MEM3:
    case IMM_MEM4:
        make_u(g, random_below(g->r, immediate - IMM_MEM0 + 1), 5);
        make_u(g, (uint32_t)random_bits(g->r), 5);
        break;
    case IMM_ATOMIC0:
    case IMM_ATOMIC1:
    case IMM_ATOMIC2:
    case IMM_ATOMIC3:
        make_u(g, immediate - IMM_ATOMIC0, 5);
        make_u(g, (uint32_t)random_bits(g->r), 5);
        break;
    case IMM_MEM0_LANE:
    case IMM_MEM1_LANE:
    case IMM_MEM2_LANE:
    case IMM_MEM3_LANE:
        make_u(g, random_below(g->r, immediate - IMM_MEM0_LANE + 1), 5);
        make_u(g, (uint32_t)random_bits(g->r), 5);
        make_bytes(g, 1, 16u >> (immediate - IMM_MEM0_LANE));
        break;
    case IMM_MEMORY_COPY:
        PUT(g->out, 0, 0);
        break;
    case IMM_DATA:
        make_u(g, random_below(g->r, 2), 5);
        break;
    case IMM_MEMORY_INIT:
        make_u(g, random_below(g->r, 2), 5);
        put(g->out, 0);
        break;
    case IMM_TABLE_COPY:
    case IMM_TABLE_INIT:
        PUT(g->out, 0, 0);
        break;
    case IMM_NONE:
        break;
    default: /* an index, of which 0 exists */
        put(g->out, 0);
    }
}

/* An instruction that the opcode table describes whole, and that the world has. */
static inline void make_plain(struct maker *g) {
    static const uint32_t ranges[][2] = {{OP_i32_load, OP_memory_grow},
                                         {OP_i32_const, 0xC4},
                                         {OPCODE_FC, OPCODE_FC + 0x11},
                                         {OPCODE_FD, OPCODE_FE - 1},
                                         {OPCODE_FE, OPCODE_LIMIT - 1}};
    static const uint8_t chances[] = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 3, 4};
    const uint32_t *range = ranges[chances[random_below(g->r, sizeof chances)]];
    uint32_t opcode = range[0] + random_below(g->r, range[1] - range[0] + 1);
    const struct op_info *info = &cn_op_info[opcode];
    bool of_memory = (info->immediate >= IMM_ATOMIC0) || info->immediate == IMM_MEMORY ||
                     info->immediate == IMM_MEMORY_COPY || info->immediate == IMM_MEMORY_INIT;
    bool of_data = info->immediate == IMM_DATA || info->immediate == IMM_MEMORY_INIT;
    if (!cn_op_name(info) || info->result == OPT_SPECIAL ||
        (g->m->features & info->feature) != info->feature || (of_memory && g->w->no_memory) ||
        (of_data && g->w->no_data_count))
        return;
    struct plain_types types = cn_plain_types(g->m, info, 0, 0);
    uint8_t operands[4];
    for (unsigned i = 0; i < info->operand_count; i++)
        operands[i] = (uint8_t)types.operands[i];
    make_operands(g, operands, info->operand_count);
    make_opcode(g, opcode);
    make_immediates(g, info->immediate);
    made(g, (uint8_t)types.result);
}

static inline void make_local(struct maker *g) {
    if (g->local_count == 0)
        return;
    uint32_t index = random_below(g->r, g->local_count),
             opcode = OP_local_get + random_below(g->r, 3);
    if (opcode != OP_local_get)
        make_operands(g, &g->locals[index], 1);
    put(g->out, (uint8_t)opcode);
    make_u(g, index, 5);
    if (opcode != OP_local_set)
        made(g, g->locals[index]);
}

static inline void make_global(struct maker *g) {
    uint32_t index = random_below(g->r, BODY_GLOBALS) | 1;
    uint8_t type = type_of_global(g->w, index);
    make_operands(g, &type, 1);
    put(g->out, OP_global_set);
    make_u(g, index, 5);
}

/* Operands after an unconditional branch: none, or the results, and seldom any operand. */
static inline void make_unreached(struct maker *g) {
    g->operand_count = innermost(g)->height;
    if (random_percent(g->r, 60))
        made(g, innermost(g)->result);
    else if (random_percent(g->r, 10))
        made(g, random_type(g));
}

static inline void make_call(struct maker *g) {
    uint32_t func = random_below(g->r, g->m->func_count);
    const struct functype *type = module_func_type(g->m, func);
    uint8_t params[32];
    bool direct = random_percent(g->r, 75);
    for (uint32_t i = 0; i < type->param_count; i++)
        params[i] = (uint8_t)type->types[i];
    params[type->param_count] = 0x7F;
    uint8_t result = type->result_count == 1 ? (uint8_t)ft_results(type)[0] : 0;
    bool is_tail = type->result_count < 2 && result == g->blocks[0].result &&
                   !(g->w->without & CATNAP_FEATURE_TAIL_CALLS) && random_percent(g->r, 30);
    make_operands(g, params, type->param_count + !direct);
    put(g->out, (direct ? OP_call : OP_call_indirect) + (is_tail ? OP_return_call - OP_call : 0));
    make_u(g, direct ? func : g->m->func_types[func], 5);
    if (!direct)
        put(g->out, 0);
    if (is_tail) {
        make_unreached(g);
        return;
    }
    for (uint32_t i = 0; i < type->result_count; i++)
        made(g, (uint8_t)ft_results(type)[i]);
}

static inline void make_parametric(struct maker *g) {
    uint8_t types[] = {random_type(g), 0, 0x7F};
    if (random_percent(g->r, 50)) {
        make_operands(g, types, 1);
        put(g->out, OP_drop);
        return;
    }
    while (types[0] < 0x7C)
        types[0] = random_type(g);
    types[1] = types[0];
    make_operands(g, types, 3);
    put(g->out, OP_select);
    made(g, types[0]);
}

static inline void make_block(struct maker *g) {
    static const uint8_t opcodes[] = {OP_block, OP_block, OP_loop, OP_if_, OP_if_};
    struct made_block block = {.opcode = opcodes[random_below(g->r, sizeof opcodes)]};
    if (g->block_count == MAKER_BLOCKS)
        return;
    if (random_percent(g->r, 30))
        block.result = random_type(g);
    if (block.opcode == OP_if_)
        make_operands(g, (const uint8_t[]){0x7F}, 1);
    PUT(g->out, block.opcode, block.result ? block.result : 0x40);
    block.height = g->operand_count;
    g->blocks[g->block_count++] = block;
}

/* Makes the innermost block's operands its results. */
static inline void make_results(struct maker *g) {
    uint8_t result = innermost(g)->result;
    if (result && held(g) == 1 && g->operands[g->operand_count - 1] == result)
        return;
    if (held(g) > 3 && random_percent(g->r, 80)) {
        put(g->out, OP_unreachable);
        g->operand_count = innermost(g)->height;
        if (random_percent(g->r, 50))
            return;
    }
    while (held(g) > 0) {
        put(g->out, OP_drop);
        g->operand_count--;
    }
    if (result)
        make_operand(g, result);
}

static inline void make_else(struct maker *g) {
    if (innermost(g)->opcode != OP_if_)
        return;
    make_results(g);
    put(g->out, OP_else_);
    innermost(g)->opcode = OP_else_;
    g->operand_count = innermost(g)->height;
}

static inline void make_end(struct maker *g) {
    if (innermost(g)->opcode == OP_if_ && innermost(g)->result)
        make_else(g);
    make_results(g);
    put(g->out, OP_end);
    struct made_block block = *innermost(g);
    g->block_count--;
    g->operand_count = block.height;
    made(g, block.result);
}

static inline uint8_t carried_by(const struct maker *g, uint32_t label) {
    const struct made_block *block = &g->blocks[g->block_count - 1 - label];
    return block->opcode == OP_loop ? 0 : block->result;
}

static inline void make_table(struct maker *g, uint32_t label) {
    uint32_t count = random_below(g->r, random_percent(g->r, 80) ? 5 : 200);
    if (g->long_table && random_percent(g->r, 20))
        count = (1 + random_below(g->r, 3)) * g->long_table - 60 + random_below(g->r, 120);
    make_u(g, count, 5);
    for (uint32_t i = 0; i <= count; i++) {
        uint32_t other = random_below(g->r, g->block_count);
        make_u(g, carried_by(g, other) == carried_by(g, label) ? other : label, i < 8 ? 5 : 1);
    }
}

static inline void make_branch(struct maker *g) {
    uint32_t label =
        random_below(g->r, random_percent(g->r, 70) && g->block_count > 4 ? 4 : g->block_count);
    uint8_t types[] = {carried_by(g, label), 0x7F}, *first = types + (types[0] == 0);
    uint32_t count = types[0] != 0;
    switch (random_below(g->r, 6)) {
    case 0:
        make_operands(g, first, count);
        put(g->out, OP_br);
        make_u(g, label, 5);
        break;
    case 1:
        make_operands(g, first, count + 1);
        put(g->out, OP_br_table);
        make_table(g, label);
        break;
    case 2:
        if (g->blocks[0].result)
            make_operands(g, &g->blocks[0].result, 1);
        put(g->out, OP_return_);
        break;
    case 3:
        put(g->out, OP_unreachable);
        break;
    default:
        make_operands(g, first, count + 1);
        put(g->out, OP_br_if);
        make_u(g, label, 5);
        made(g, types[0]);
        return;
    }
    make_unreached(g);
}

static inline void make_instruction(struct maker *g) {
    uint32_t chance = random_below(g->r, 100);
    if (g->want_deep && held(g) < g->want_deep && random_percent(g->r, 70))
        make_operand(g, random_type(g));
    else if (chance < 35)
        make_plain(g);
    else if (chance < 45)
        make_operand(g, random_type(g));
    else if (chance < 55)
        make_local(g);
    else if (chance < 59)
        make_global(g);
    else if (chance < 66)
        make_call(g);
    else if (chance < 71)
        make_parametric(g);
    else if (chance < 80)
        make_block(g);
    else if (chance < 83)
        make_else(g);
    else if (chance < 90 && g->block_count > 1)
        make_end(g);
    else if (chance < 97)
        make_branch(g);
    else
        put(g->out, OP_nop);
}

static inline void make_locals(struct maker *g, uint32_t func) {
    const struct functype *type = module_func_type(g->m, func);
    uint32_t runs = random_below(g->r, 5);
    for (uint32_t i = 0; i < type->param_count; i++)
        g->locals[g->local_count++] = (uint8_t)type->types[i];
    make_u(g, runs, 5);
    for (; runs > 0; runs--) {
        uint8_t local = random_type(g);
        uint32_t count = random_below(g->r, random_percent(g->r, 90) ? 4 : 140);
        if (g->local_count + count > MAKER_LOCALS)
            count = 0;
        make_u(g, count, 5);
        put(g->out, local);
        memset(g->locals + g->local_count, local, count);
        g->local_count += count;
    }
}

/* Appends a body of the function, of about so many instructions. Nearly all are valid. */
static inline void make_body(struct maker *g, uint32_t func, uint32_t instructions) {
    const struct functype *type = module_func_type(g->m, func);
    g->local_count = g->operand_count = 0;
    g->block_count = 1;
    g->blocks[0] = (struct made_block){
        .opcode = OP_block, .result = type->result_count ? (uint8_t)ft_results(type)[0] : 0};
    make_locals(g, func);
    for (; instructions > 0 && g->operand_count < MAKER_OPERANDS - 64; instructions--)
        make_instruction(g);
    while (g->block_count > 0)
        make_end(g);
}

/* ---- Mutations ---- */

/* Replaces `removed` bytes by `count` others. */
static inline void splice(struct bytes *b, size_t at, size_t removed, const uint8_t *bytes,
                          size_t count) {
    struct bytes result = {0};
    if (removed > b->size - at)
        removed = b->size - at;
    put_bytes(&result, b->data, at);
    put_bytes(&result, bytes, count);
    put_bytes(&result, b->data + at + removed, b->size - at - removed);
    free(b->data);
    *b = result;
}

/* Pieces that bodies are made of, and pieces that are nearly so. */
static const struct {
    uint8_t size, bytes[6];
} snippets[] = {
    {1, {0x0B}},
    {1, {0x05}},
    {1, {0x1A}},
    {1, {0x1B}},
    {1, {0x00}},
    {1, {0x01}},
    {1, {0x0F}},
    {1, {0x6A}},
    {1, {0x7C}},
    {1, {0xA7}},
    {1, {0xAC}},
    {1, {0x45}},
    {2, {0x0C, 0}},
    {2, {0x0D, 0}},
    {2, {0x0C, 1}},
    {2, {0x0D, 2}},
    {2, {0x02, 0x40}},
    {2, {0x03, 0x40}},
    {2, {0x04, 0x40}},
    {2, {0x02, 0x7F}},
    {2, {0x03, 0x7F}},
    {2, {0x04, 0x7F}},
    {2, {0x02, 0x00}},
    {2, {0x41, 0}},
    {2, {0x42, 0}},
    {2, {0x20, 0}},
    {2, {0x21, 0}},
    {2, {0x22, 0}},
    {2, {0x20, 0x7F}},
    {2, {0x23, 1}},
    {2, {0x24, 0}},
    {2, {0x24, 1}},
    {2, {0x10, 1}},
    {3, {0x2E, 1, 0}},
    {3, {0x2E, 2, 0}},
    {3, {0x3B, 2, 0}},
    {3, {0x36, 3, 0}},
    {3, {0x29, 3, 0}},
    {2, {0x3F, 1}},
    {2, {0x40, 0}},
    {2, {0xD2, 0}},
    {2, {0xD0, 0x70}},
    {3, {0x11, 1, 0}},
    {4, {0x0E, 1, 0, 1}},
    {6, {0x41, 0x80, 0x80, 0x80, 0x80, 0x78}},
    {6, {0x41, 0x80, 0x80, 0x80, 0x80, 0x08}},
    {6, {0x28, 0x80, 0, 0, 0, 0}},
    {6, {0x28, 2, 0x80, 0x80, 0x80, 0x80}},
    {6, {0x10, 0x80, 0x80, 0x80, 0x80, 0x10}},
};

static inline void mutate(struct bytes *b, struct random *r) {
    if (b->size == 0)
        return;
    size_t at = random_below(r, (uint32_t)b->size);
    uint32_t chance = random_below(r, 10),
             which = random_below(r, sizeof snippets / sizeof *snippets);
    if (chance < 2)
        b->data[at] = (uint8_t)random_below(r, 256);
    else if (chance < 3)
        b->data[at] ^= (uint8_t)(1u << random_below(r, 8));
    else if (chance < 6)
        splice(b, at, 0, snippets[which].bytes, snippets[which].size);
    else if (chance < 8)
        splice(b, at, snippets[which].size, snippets[which].bytes, snippets[which].size);
    else if (chance < 9)
        splice(b, at, 1 + random_below(r, 3), NULL, 0);
    else if (b->size - at > 3)
        splice(b, at, 0, b->data + at, 1 + random_below(r, 3));
}

#endif
