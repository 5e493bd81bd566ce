/* Instructions that the rules know, and those that name slots and indices only. */
#include "translate/fuse.h"
#include "translate/pass.h"

/* ---- instructions that the rules know ---- */

static bool fuse_bin(struct translator *t, const struct rule *rule, const struct value *first,
                     const struct value *second, int32_t home) {
    enum operation operation = (enum operation)rule->operation;
    if (second->where == TEMP)
        return cn_fuse_bin(&t->emit, operation, true, second->home, home,
                           cn_as_plain_operand(t, first));
    return first->where == TEMP && cn_fuse_bin(&t->emit, operation, false, first->home, home,
                                               cn_as_plain_operand(t, second));
}

/* Whether the next instruction puts the result into a pinned local: then two instructions of which
 * the second writes the pin are better than a pair and a reload. */
static bool goes_to_pin(const struct translator *t) {
    if (!t->emit.pins || (*t->at != OP_local_set && *t->at != OP_local_tee))
        return false;
    const uint8_t *at = t->at + 1;
    return cn_in_pin_or_slot(t, t->locals[cn_u32_valid(&at)].slot).class_ != CLASS_S;
}

void cn_translate_bin(struct translator *t, const struct rule *rule, enum slot_kind result) {
    struct value zero = {.where = CONST}, *second = cn_pop_value(t), *first;
    if (second->where == CONST && rule->operation == DO_i32_sub) {
        rule = &cn_rules[OP_i32_add]; /* one form for steps down and up */
        second->constant = (uint32_t)-(uint32_t)second->constant;
    } else if (second->where == CONST && rule->operation == DO_i64_sub) {
        rule = &cn_rules[OP_i64_add];
        second->constant = -second->constant;
    }
    if (rule->kind == RULE_EQZ) {
        first = second;
        second = &zero;
        if (first->where == TEMP && cn_emit_opposite(&t->emit, first->home)) {
            cn_push_temp(t, result);
            return;
        }
    } else {
        first = cn_pop_value(t);
    }
    if (first->where == CONST && second->where == CONST) {
        cn_in_slot(t, first);
        first->where = TEMP;
    }
    if (second->where == CONST && rule->operation == DO_i32_add && *t->at == OP_br_table &&
        cn_find(DO_br_table_add, (struct operand_form){.b = CLASS_K}) && !t->config->steps) {
        t->at++;
        t->emit.fuel_cost += t->config->fuel;
        cn_translate_br_table(t, first, (uint32_t)second->constant);
        cn_go_dead(t);
        return;
    }
    int32_t home = next_home(t);
    bool compares = cn_branches[rule->operation].holds != DO_NONE;
    if (!compares && !goes_to_pin(t) && fuse_bin(t, rule, first, second, home)) {
        cn_push_temp(t, result);
        return;
    }
    struct operand a = cn_as_operand(t, first), b = cn_as_operand(t, second);
    if (rule->swap) {
        struct operand other = a;
        a = b;
        b = other;
    }
    cn_emit_bin(&t->emit, (enum operation)rule->operation, compares, home, a, b);
    cn_push_temp(t, result);
}

void cn_translate_un(struct translator *t, const struct rule *rule, enum slot_kind result) {
    struct operand a = cn_as_slot_operand(t, cn_pop_value(t));
    cn_emit_un(&t->emit, (enum operation)rule->operation, next_home(t), a);
    cn_push_temp(t, result);
}

static void load(struct translator *t, enum operation operation, struct memarg memarg,
                 enum slot_kind result) {
    enum memory_access access = t->access;
    uint32_t offset = (uint32_t)memarg.offset;
    const struct value *address = cn_pop_value(t);
    int32_t home = next_home(t);
    if (address->where != TEMP || goes_to_pin(t) ||
        !cn_fuse_load(&t->emit, operation, access, address->home, home, offset)) {
        struct operand a = cn_as_register_operand(t, address);
        cn_emit_load(&t->emit, operation, access, home, a, offset);
    }
    cn_push_temp(t, result);
}

static void numbered_load(struct translator *t, enum operation operation, struct memarg memarg,
                          enum slot_kind result) {
    struct operand address = cn_as_register_operand(t, cn_pop_value(t));
    cn_emit_numbered_load(&t->emit, operation, next_home(t), address, memarg);
    cn_push_temp(t, result);
}

/*
 * A load of a vector that is not v128.load has neither a numbered nor a wide form: it is the load of a scalar, then
 * an instruction that makes the vector of it, or a zero above it.
 */
struct vector_load {
    uint16_t opcode, load, then; /* then: OP_unreachable for a zero above */
};
static const struct vector_load vector_loads[] = {
    {OP_v128_load8x8_s, OP_i64_load, OP_i16x8_extend_low_i8x16_s},
    {OP_v128_load8x8_u, OP_i64_load, OP_i16x8_extend_low_i8x16_u},
    {OP_v128_load16x4_s, OP_i64_load, OP_i32x4_extend_low_i16x8_s},
    {OP_v128_load16x4_u, OP_i64_load, OP_i32x4_extend_low_i16x8_u},
    {OP_v128_load32x2_s, OP_i64_load, OP_i64x2_extend_low_i32x4_s},
    {OP_v128_load32x2_u, OP_i64_load, OP_i64x2_extend_low_i32x4_u},
    {OP_v128_load8_splat, OP_i32_load8_u, OP_i8x16_splat},
    {OP_v128_load16_splat, OP_i32_load16_u, OP_i16x8_splat},
    {OP_v128_load32_splat, OP_i32_load, OP_i32x4_splat},
    {OP_v128_load64_splat, OP_i64_load, OP_i64x2_splat},
    {OP_v128_load32_zero, OP_i32_load, OP_unreachable},
    {OP_v128_load64_zero, OP_i64_load, OP_unreachable},
};

/* Makes the scalar that is the latest value, and at home, a vector. The upper half of its slots must hold a value
 * for an instruction that reads both. */
static void make_vector(struct translator *t, enum opcode then) {
    int32_t home = cn_pop_value(t)->home;
    t->emit.last.cell = NO_CELL;
    cn_emit_const(&t->emit, home + 1, 0, true);
    cn_push_temp(t, KIND_V128);
    if (then != OP_unreachable)
        cn_translate_vector(t, then, &cn_rules[then]);
}

static void any_load(struct translator *t, enum operation operation, struct memarg memarg,
                     enum slot_kind result) {
    if (!cn_is_numbered(t, memarg))
        load(t, operation, memarg, result);
    else
        numbered_load(t, operation, memarg, result);
}

static bool translate_vector_load(struct translator *t, enum opcode opcode, struct memarg memarg) {
    const struct vector_load *row = vector_loads;
    const struct vector_load *end = row + sizeof vector_loads / sizeof *vector_loads;
    while (row < end && row->opcode != opcode)
        row++;
    if (row == end)
        return false;
    const struct rule *then = &cn_rules[row->then];
    enum opcode load = (enum opcode)row->load;
    any_load(t, (enum operation)cn_rules[load].operation, memarg,
             (enum slot_kind)cn_op_info[load].result);
    if (row->then == OP_unreachable || cn_op_info[row->then].operands[0] == OPT_V128)
        make_vector(t, (enum opcode)row->then);
    else
        cn_translate_vector(t, (enum opcode)row->then, then);
    return true;
}

void cn_translate_load(struct translator *t, enum opcode opcode, const struct rule *rule,
                       enum slot_kind result) {
    struct memarg memarg = cn_memarg_valid(&t->at);
    enum operation operation = (enum operation)rule->operation;
    if (likely(memarg.memory == 0 && t->access <= ACCESS_CHECKED))
        load(t, operation, memarg, result);
    else if (result != KIND_V128 || !translate_vector_load(t, opcode, memarg))
        any_load(t, operation, memarg, result);
}

/* No operand is a constant. Those go to slots first: cn_as_operand() may rely on the latest instruction. */
static void numbered_store(struct translator *t, enum operation operation, struct memarg memarg) {
    const struct value *value = cn_pop_value(t), *address = cn_pop_value(t);
    struct operand a = {.class_ = CLASS_S}, v = {.class_ = CLASS_S};
    if (address->where == CONST)
        a.slot = cn_in_slot(t, address);
    if (value->where == CONST)
        v.slot = cn_in_slot(t, value);
    if (address->where != CONST)
        a = cn_as_operand(t, address);
    if (value->where != CONST)
        v = cn_as_operand(t, value);
    cn_emit_numbered_store(&t->emit, operation, v, a, memarg);
}

void cn_translate_store(struct translator *t, const struct rule *rule) {
    struct memarg memarg = cn_memarg_valid(&t->at);
    enum operation operation = (enum operation)rule->operation;
    if (unlikely(cn_is_numbered(t, memarg))) {
        numbered_store(t, operation, memarg);
        return;
    }
    const struct value *value = cn_pop_value(t), *address = cn_pop_value(t);
    /* A constant address goes to a slot first: cn_as_operand() below may rely on the latest instruction. */
    int32_t address_slot = address->where == CONST ? cn_in_slot(t, address) : 0;
    struct operand a = address->where == CONST ? (struct operand){CLASS_S, address_slot, 0}
                                               : cn_as_operand(t, address);
    struct operand v = cn_as_operand(t, value);
    cn_emit_store(&t->emit, operation, t->access, v, a, (uint32_t)memarg.offset);
}

/* ---- instructions with slots o0.. and indices, and nothing to choose ---- */

/* How many operands are popped into o0.., or into o1.. when there is a result, which is in o0. The first
 * index is in w (o3 behind three slots), or, where there are more than two cells, in x; the second in the upper
 * half of x, or, where there are more than three, in y. */
struct plain {
    uint16_t opcode, bytecode;
    uint8_t operands, result, cells; /* result: its value type, or 0 */
};
static const struct plain plains[] = {
    {OP_ref_func, BC_ref_func, 0, VT_FUNCREF, 2},
    {OP_memory_size, BC_memory_size, 0, VT_I32, 2},
    {OP_memory_grow, BC_memory_grow, 1, VT_I32, 2},
    {OP_memory_copy, BC_memory_copy, 3, 0, 3},
    {OP_memory_fill, BC_memory_fill, 3, 0, 3},
    {OP_memory_init, BC_memory_init, 3, 0, 3},
    {OP_data_drop, BC_data_drop, 0, 0, 2},
    {OP_table_get, BC_table_get, 1, 0, 2}, /* the result is of the table's type */
    {OP_table_set, BC_table_set, 2, 0, 2},
    {OP_table_size, BC_table_size, 0, VT_I32, 2},
    {OP_table_grow, BC_table_grow, 2, VT_I32, 3},
    {OP_table_fill, BC_table_fill, 3, 0, 3},
    {OP_table_copy, BC_table_copy, 3, 0, 4},
    {OP_table_init, BC_table_init, 3, 0, 4},
    {OP_elem_drop, BC_elem_drop, 0, 0, 2},
};

static const struct plain *find_plain(enum opcode opcode) {
    for (size_t i = 0; i < sizeof plains / sizeof *plains; i++)
        if (plains[i].opcode == opcode)
            return &plains[i];
    return NULL;
}

static void translate_plain(struct translator *t, const struct plain *plain, valtype result,
                            uint32_t w, uint32_t x, uint32_t y) {
    struct value values[3];
    int32_t fields[3] = {0};
    unsigned first = result ? 1 : 0;
    for (unsigned i = plain->operands; i-- > 0;)
        values[i] = *cn_pop_value(t);
    for (unsigned i = 0; i < plain->operands; i++)
        fields[first + i] = cn_in_narrow_slot(t, &values[i], i);
    int32_t home = next_home(t);
    if (result)
        fields[0] = cn_to_begin(&t->emit, home, false);
    uint64_t *at = cn_emit_plain(t, (enum bytecode)plain->bytecode, plain->cells);
    at[1] = plain->operands + first > 2 ? cn_fields(fields[0], fields[1], fields[2], (int32_t)w)
                                        : cn_fields_w(fields[0], fields[1], w);
    if (plain->cells == 3)
        at[2] = x | (uint64_t)y << 32;
    if (plain->cells > 3) {
        at[2] = x;
        at[3] = y;
    }
    if (result) {
        cn_to_end(&t->emit);
        cn_push_temp(t, vt_kind(result));
    }
}

bool cn_stand_before(struct translator *t, unsigned flags, unsigned operands) {
    if (t->config->interruptible && (flags & (OPF_PIECES | OPF_WAITS)))
        cn_spill(t, operands);
    cn_spill_constants(t, operands);
    cn_note_safepoint(t, SAFEPOINT_INSTRUCTION, t->emit.offset);
    return t->config->interruptible && cn_is_narrow(next_home(t));
}

static unsigned count_indices(enum opcode opcode) {
    switch (cn_op_info[opcode].immediate) {
    case IMM_NONE:
        return 0;
    case IMM_MEMORY_INIT:
    case IMM_MEMORY_COPY:
    case IMM_TABLE_INIT:
    case IMM_TABLE_COPY:
        return 2;
    default:
        return 1;
    }
}

static const struct {
    uint16_t opcode, bytecode;
} wides[] = {
    {OP_i64_add128, BC_i64_add128},
    {OP_i64_sub128, BC_i64_sub128},
    {OP_i64_mul_wide_s, BC_i64_mul_wide_s},
    {OP_i64_mul_wide_u, BC_i64_mul_wide_u},
};

/* Wide arithmetic. The results are in two slots one behind the other, as a vector is. */
static bool translate_wide(struct translator *t, enum opcode opcode) {
    uint32_t operands = cn_op_info[opcode].operand_count, row = 0;
    struct value values[4];
    int32_t fields[5] = {0};
    while (row < sizeof wides / sizeof *wides && wides[row].opcode != opcode)
        row++;
    if (row == sizeof wides / sizeof *wides)
        return false;
    for (uint32_t i = operands; i-- > 0;)
        values[i] = *cn_pop_value(t);
    for (uint32_t i = 0; i < operands; i++)
        fields[1 + i] = cn_in_narrow_slot(t, &values[i], i);
    fields[0] = cn_to_begin(&t->emit, next_home(t), true);
    uint64_t *at = cn_emit_plain(t, (enum bytecode)wides[row].bytecode, operands == 4 ? 3 : 2);
    at[1] = cn_fields(fields[0], fields[1], fields[2], fields[3]);
    if (operands == 4)
        at[2] = (uint16_t)fields[4];
    cn_to_end(&t->emit);
    cn_push_temp(t, KIND_I64);
    cn_push_temp(t, KIND_I64);
    return true;
}

/* A size has the type of addresses. */
static valtype result_type(const struct module *module, enum opcode opcode,
                           const struct plain *plain, uint32_t index) {
    switch (opcode) {
    case OP_memory_size:
    case OP_memory_grow:
        return limits_address(&module->memories[index].limits);
    case OP_table_size:
    case OP_table_grow:
        return limits_address(&module->tables[index].limits);
    case OP_table_get:
        return module->tables[index].element;
    default:
        return plain->result;
    }
}

bool cn_translate_state(struct translator *t, enum opcode opcode) {
    const struct plain *plain = find_plain(opcode);
    unsigned flags = cn_op_info[opcode].flags;
    uint32_t indices[2] = {0};
    if (!plain)
        return cn_translate_reference(t, opcode) || cn_translate_atomic(t, opcode) ||
               cn_translate_gc(t, opcode) || translate_wide(t, opcode);
    for (unsigned i = 0, count = count_indices(opcode); i < count; i++)
        indices[i] = cn_u32_valid(&t->at);
    bool divisible = false;
    if (flags & OPF_BULK) /* out of fuel or interrupted, it stops at itself */
        divisible = cn_stand_before(t, flags, plain->operands);
    uint32_t w = plain->cells == 2 ? indices[0] : 0;
    if (flags & OPF_PIECES)
        w = divisible;
    valtype result = result_type(t->module, opcode, plain, indices[0]);
    translate_plain(t, plain, result, w, indices[0], indices[1]);
    return true;
}
