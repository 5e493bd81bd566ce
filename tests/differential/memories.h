/*
 * A module that accesses a 64-bit memory 0 and a memory by its number in every form that the translator has
 * instructions for: each operand and result in a slot, an accumulator, a constant or a pin, and sums as addresses.
 * `run` executes all, and returns a number that depends on all that was read.
 */
#ifndef TESTS_DIFFERENTIAL_MEMORIES_H
#define TESTS_DIFFERENTIAL_MEMORIES_H

#include "../support/module.h"
#include "../unit/opcode.h"

/* Locals of each function: the parameters, then one of each type. */
enum {
    ADDRESS_64,
    ADDRESS_32,
    INDEX_64,
    LOCAL_I32,
    LOCAL_I64,
    LOCAL_F32,
    LOCAL_F64,
    LOCAL_V128,
    TURNS
};
enum { SUM_GLOBAL, FIRST_MEMORY = 0 };

enum memory_place { MEMORY_SLOT, MEMORY_ACC, MEMORY_CONST };

static inline uint8_t local_of(uint8_t type) {
    return type == I32   ? LOCAL_I32
           : type == I64 ? LOCAL_I64
           : type == F32 ? LOCAL_F32
           : type == F64 ? LOCAL_F64
                         : LOCAL_V128;
}

/* An operation of one operand that leaves its type, and takes and leaves an accumulator. */
static inline void put_unary(struct bytes *f, uint8_t type) {
    if (type == V128)
        PUT(f, 0xFD, 77); /* v128.not */
    else
        put(f, type == I32 ? 0x67 : type == I64 ? 0x79 : type == F32 ? 0x8B : 0x99); /* clz, abs */
}

static inline void put_value(struct bytes *f, uint8_t type, enum memory_place place) {
    if (place == MEMORY_CONST) {
        static const uint8_t floats[] = {0, 0, 0, 0, 0, 0, 0xF8, 0x3F};
        put(f, type == I32 ? 0x41 : type == I64 ? 0x42 : type == F32 ? 0x43 : 0x44);
        if (type == I32 || type == I64)
            put(f, 7);
        else
            put_bytes(f, floats + (type == F32 ? 4 : 0), type == F32 ? 4 : 8);
        return;
    }
    PUT(f, LOCAL_GET, local_of(type));
    if (place == MEMORY_ACC)
        put_unary(f, type);
}

static inline void put_address(struct bytes *f, bool is_64, enum memory_place place) {
    PUT(f, LOCAL_GET, is_64 ? ADDRESS_64 : ADDRESS_32);
    if (place == MEMORY_ACC)
        put_unary(f, is_64 ? I64 : I32);
}

static inline void put_access(struct bytes *f, uint32_t opcode, bool is_64) {
    put_opcode(f, opcode);
    put_u(f, is_64 ? 0 : MEMARG_HAS_MEMORY);
    if (!is_64)
        put(f, 1);
    put(f, 4);
}

/* Adds the topmost value to the sum. */
static inline void put_sum(struct bytes *f, uint8_t type) {
    if (type == V128)
        PUT(f, 0xFD, 29, 0); /* i64x2.extract_lane 0 */
    else if (type == F32)
        put(f, 0xBC);
    else if (type == F64)
        put(f, 0xBD);
    if (type == I32 || type == F32)
        put(f, 0xAD);
    PUT(f, 0x23, SUM_GLOBAL, 0x42, 31, 0x7E, 0x7C, 0x24, SUM_GLOBAL);
}

static inline void begin_access(struct bytes *f) {
    PUT(f, 6, 1, I32, 1, I64, 1, F32, 1, F64, 1, V128, 1, I32);
}

static inline void end_access(struct module_builder *m, struct bytes *f, uint32_t type) {
    put(f, END);
    add_func(m, NULL, type, f);
}

/* The result goes to a slot, or to an accumulator. */
static inline void put_result(struct bytes *f, uint8_t type, bool to_acc) {
    if (to_acc)
        put_unary(f, type);
    else
        PUT(f, LOCAL_SET, local_of(type), LOCAL_GET, local_of(type));
    put_sum(f, type);
}

/* A loop that uses the result most, or more than all but the counter, so that p or q holds it. */
static inline void add_pinned_load(struct module_builder *m, uint32_t type, uint32_t opcode,
                                   enum memory_place place, bool most) {
    struct bytes f = {0};
    uint8_t result = cn_op_info[opcode].result, local = local_of(result);
    begin_access(&f);
    PUT(&f, LOOP, EMPTY);
    put_address(&f, true, place);
    put_access(&f, opcode, true);
    PUT(&f, LOCAL_SET, local, LOCAL_GET, local);
    put_sum(&f, result);
    for (unsigned i = 0; i < (most ? 8u : 1u); i++)
        PUT(&f, LOCAL_GET, local, DROP);
    PUT(&f, LOCAL_GET, TURNS, 0x41, 1, I32_ADD, LOCAL_TEE, TURNS, DROP, LOCAL_GET, TURNS, DROP);
    PUT(&f, LOCAL_GET, TURNS, 0x41, 2, 0x49, BR_IF, 0, END);
    end_access(m, &f, type);
}

static inline void add_load(struct module_builder *m, uint32_t type, uint32_t opcode) {
    uint8_t result = cn_op_info[opcode].result;
    for (unsigned is_64 = 0; is_64 < 2; is_64++)
        for (unsigned form = 0; form < 4; form++) {
            struct bytes f = {0};
            begin_access(&f);
            put_address(&f, is_64, form & 1 ? MEMORY_ACC : MEMORY_SLOT);
            put_access(&f, opcode, is_64);
            put_result(&f, result, form & 2);
            end_access(m, &f, type);
        }
    for (unsigned form = 0; form < 8; form++) { /* at sums */
        struct bytes f = {0};
        begin_access(&f);
        put_address(&f, true, form & 1 ? MEMORY_ACC : MEMORY_SLOT);
        if (form & 4)
            PUT(&f, 0x42, 5);
        else
            PUT(&f, LOCAL_GET, INDEX_64);
        put(&f, 0x7C);
        put_access(&f, opcode, true);
        put_result(&f, result, form & 2);
        end_access(m, &f, type);
    }
    for (unsigned form = 0; form < 4 && (result == I32 || result == I64); form++)
        add_pinned_load(m, type, opcode, form & 1 ? MEMORY_ACC : MEMORY_SLOT, form & 2);
}

static inline void add_store(struct module_builder *m, uint32_t type, uint32_t opcode) {
    static const uint8_t places[][2] = {{MEMORY_SLOT, MEMORY_SLOT},
                                        {MEMORY_ACC, MEMORY_SLOT},
                                        {MEMORY_CONST, MEMORY_SLOT},
                                        {MEMORY_SLOT, MEMORY_ACC},
                                        {MEMORY_CONST, MEMORY_ACC}};
    uint8_t value = cn_op_info[opcode].operands[1];
    for (unsigned is_64 = 0; is_64 < 2; is_64++)
        for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
            struct bytes f = {0};
            if (value == V128 && places[i][0] == MEMORY_CONST)
                continue;
            begin_access(&f);
            put_address(&f, is_64, (enum memory_place)places[i][1]);
            put_value(&f, value, (enum memory_place)places[i][0]);
            put_access(&f, opcode, is_64);
            put_address(&f, is_64, MEMORY_SLOT);
            put_access(&f, 0x29, is_64);
            put_result(&f, I64, true);
            end_access(m, &f, type);
        }
}

static inline struct bytes memories_module(void) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint32_t type = add_type(&m, "IiI", ""), count;
    PUT(add_item(&m, GLOBALS), I64, 1, 0x42, 1, END);
    add_memory_as(&m, LIMITS_64, 1, 1);
    add_memory(&m, 1, 1);
    for (uint32_t opcode = 0; opcode < OPCODE_LIMIT; opcode++) {
        const struct op_info *info = &cn_op_info[opcode];
        if (!cn_op_name(info) || info->immediate < IMM_MEM0 || info->immediate > IMM_MEM4)
            continue;
        if (info->result == OPT_NOTHING)
            add_store(&m, type, opcode);
        else
            add_load(&m, type, opcode);
    }
    count = m.funcs;
    put(&f, 0);
    for (uint32_t i = 0; i < count; i++) {
        PUT(&f, 0x42, 0xC0, 0, 0x41, 0xC0, 0, 0x42, 8, CALL); /* 64, 64, 8 */
        put_u(&f, i);
    }
    PUT(&f, 0x23, SUM_GLOBAL, END);
    add_func(&m, "run", add_type(&m, "", "I"), &f);
    return finish(&m);
}

#endif
