/* Instructions that the rules know, and those that name slots and indices only. */
#include "translate/fuse.h"
#include "translate/pass.h"

/* ---- instructions that the rules know ---- */

static bool fuse_bin(struct translator *t, const struct rule *rule, const struct value *first,
                     const struct value *second, int32_t home) {
    enum bytecode family = (enum bytecode)rule->bytecode;
    if (second->where == TEMP)
        return cn_fuse_bin(&t->emit, family, rule->commutes, true, second->home, home,
                           cn_as_plain_operand(t, first));
    return first->where == TEMP && cn_fuse_bin(&t->emit, family, rule->commutes, false, first->home,
                                               home, cn_as_plain_operand(t, second));
}

/* Whether the next instruction puts the result into a pinned local: then two instructions of which
 * the second writes the pin are better than a pair and a reload. */
static bool goes_to_pin(const struct translator *t) {
    if (!t->emit.pins || (*t->at != OP_local_set && *t->at != OP_local_tee))
        return false;
    const uint8_t *at = t->at + 1;
    return cn_in_pin_or_slot(t, t->locals[cn_u32_valid(&at)].slot).class_ != CLASS_S;
}

void cn_translate_bin(struct translator *t, const struct rule *rule, uint8_t result) {
    struct value zero = {.where = CONST}, *second = cn_pop_value(t), *first;
    if (second->where == CONST && rule->bytecode == BC_i32_sub) {
        rule = &cn_rules[OP_i32_add]; /* one form for steps down and up */
        second->constant = (uint32_t)-(uint32_t)second->constant;
    } else if (second->where == CONST && rule->bytecode == BC_i64_sub) {
        rule = &cn_rules[OP_i64_add];
        second->constant = -second->constant;
    }
    if (rule->kind == RULE_EQZ) {
        first = second;
        second = &zero;
    } else {
        first = cn_pop_value(t);
    }
    if (first->where == CONST && second->where == CONST) {
        cn_in_slot(t, first);
        first->where = TEMP;
    }
    if (second->where == CONST && rule->bytecode == BC_i32_add && *t->at == OP_br_table &&
        t->emit.handlers[BC_br_table_add_s]) {
        t->at++;
        t->emit.fuel_cost += t->config->fuel;
        cn_translate_br_table(t, first, (uint32_t)second->constant);
        return;
    }
    int32_t home = next_home(t);
    if (rule->branch == 0 && !goes_to_pin(t) && fuse_bin(t, rule, first, second, home)) {
        cn_push_temp(t, result);
        return;
    }
    struct operand a = cn_as_operand(t, first), b = cn_as_operand(t, second);
    if (rule->swap) {
        struct operand other = a;
        a = b;
        b = other;
    }
    struct operation operation = {.family = rule->bytecode,
                                  .commutes = rule->commutes,
                                  .wide_const = rule->wide_const,
                                  .compares = rule->branch != 0,
                                  .to = home};
    cn_emit_bin(&t->emit, operation, a, b);
    cn_push_temp(t, result);
}

void cn_translate_un(struct translator *t, const struct rule *rule, uint8_t result) {
    struct operand a = cn_as_slot_operand(t, cn_pop_value(t));
    cn_emit_un(&t->emit, (enum bytecode)rule->bytecode, next_home(t), a);
    cn_push_temp(t, result);
}

uint32_t cn_read_memarg(struct translator *t) {
    cn_u32_valid(&t->at);
    return (uint32_t)cn_u64_valid(&t->at);
}

void cn_translate_load(struct translator *t, const struct rule *rule, uint8_t result) {
    uint32_t offset = cn_read_memarg(t);
    enum bytecode family = (enum bytecode)rule->bytecode;
    bool explicit_ = t->config->explicit_checks;
    const struct value *address = cn_pop_value(t);
    int32_t home = next_home(t);
    if (address->where != TEMP || goes_to_pin(t) ||
        !cn_fuse_load(&t->emit, family, explicit_, address->home, home, offset)) {
        struct operand a = cn_as_register_operand(t, address);
        cn_emit_load(&t->emit, family, explicit_, home, a, offset);
    }
    cn_push_temp(t, result);
}

void cn_translate_store(struct translator *t, const struct rule *rule) {
    uint32_t offset = cn_read_memarg(t);
    const struct value *value = cn_pop_value(t), *address = cn_pop_value(t);
    /* A constant address goes to a slot first: cn_as_operand() below may rely on what is last. */
    int32_t address_slot = address->where == CONST ? cn_in_slot(t, address) : 0;
    struct operand a = address->where == CONST ? (struct operand){CLASS_S, address_slot, 0}
                                               : cn_as_operand(t, address);
    struct operand v = cn_as_operand(t, value);
    cn_emit_store(&t->emit, (enum bytecode)rule->bytecode, t->config->explicit_checks, v, a,
                  offset);
}

/* ---- instructions with slots o0.. and indices, and nothing to choose ---- */

/* Pops `count` operands into o0.. (o1.. when there is a result) and appends the instruction; w is o3
 * when there are three. */
static void translate_plain(struct translator *t, enum bytecode bytecode, unsigned count,
                            uint8_t result, uint32_t w, uint64_t x, uint64_t y, uint32_t cells) {
    struct value values[3];
    int32_t fields[3] = {0};
    unsigned first = result ? 1 : 0;
    for (unsigned i = count; i-- > 0;)
        values[i] = *cn_pop_value(t);
    for (unsigned i = 0; i < count; i++)
        fields[first + i] = cn_in_near_slot(t, &values[i], i);
    int32_t home = next_home(t);
    if (result)
        fields[0] = cn_to_begin(&t->emit, home, false);
    uint64_t *at = cn_emit_plain(t, bytecode, cells);
    at[1] = count + first > 2 ? cn_fields(fields[0], fields[1], fields[2], (int32_t)w)
                              : cn_fields_w(fields[0], fields[1], w);
    if (cells > 2)
        at[2] = x;
    if (cells > 3)
        at[3] = y;
    if (result) {
        cn_to_end(&t->emit);
        cn_push_temp(t, result);
    }
}

/* memory.copy and memory.fill: interrupted half-way they put what is left into their operands. These
 * are at home for that, and not in copies of homes that are far. */
static void translate_long(struct translator *t, enum bytecode bytecode) {
    bool divisible =
        t->config->interruptible && t->height > 0 && t->stack[t->height - 1].home <= INT16_MAX;
    translate_plain(t, bytecode, 3, 0, divisible, 0, 0, 2);
}

void cn_translate_state(struct translator *t, enum opcode opcode) {
    uint32_t i = 0, j = 0;
    switch (cn_op_info[opcode].immediate) {
    case IMM_NONE:
        break;
    case IMM_MEMORY_INIT:
    case IMM_MEMORY_COPY:
    case IMM_TABLE_INIT:
    case IMM_TABLE_COPY:
        i = cn_u32_valid(&t->at);
        j = cn_u32_valid(&t->at);
        break;
    default:
        i = cn_u32_valid(&t->at);
        break;
    }
    switch (opcode) {
    case OP_ref_func:
        translate_plain(t, BC_ref_func, 0, VT_FUNCREF, i, 0, 0, 2);
        break;
    case OP_ref_is_null:
        translate_plain(t, BC_ref_is_null, 1, VT_I32, 0, 0, 0, 2);
        break;
    case OP_memory_size:
        translate_plain(t, BC_memory_size, 0, VT_I32, i, 0, 0, 2);
        break;
    case OP_memory_grow:
        translate_plain(t, BC_memory_grow, 1, VT_I32, i, 0, 0, 2);
        break;
    case OP_memory_copy:
        translate_long(t, BC_memory_copy);
        break;
    case OP_memory_fill:
        translate_long(t, BC_memory_fill);
        break;
    case OP_memory_init:
        translate_plain(t, BC_memory_init, 3, 0, 0, i, 0, 3);
        break;
    case OP_data_drop:
        translate_plain(t, BC_data_drop, 0, 0, i, 0, 0, 2);
        break;
    case OP_table_get:
        translate_plain(t, BC_table_get, 1, (uint8_t)t->module->tables[i].element, i, 0, 0, 2);
        break;
    case OP_table_set:
        translate_plain(t, BC_table_set, 2, 0, i, 0, 0, 2);
        break;
    case OP_table_size:
        translate_plain(t, BC_table_size, 0, VT_I32, i, 0, 0, 2);
        break;
    case OP_table_grow:
        translate_plain(t, BC_table_grow, 2, VT_I32, 0, i, 0, 3);
        break;
    case OP_table_fill:
        translate_plain(t, BC_table_fill, 3, 0, 0, i, 0, 3);
        break;
    case OP_table_copy:
        translate_plain(t, BC_table_copy, 3, 0, 0, i, j, 4);
        break;
    case OP_table_init:
        translate_plain(t, BC_table_init, 3, 0, 0, i, j, 4);
        break;
    case OP_elem_drop:
        translate_plain(t, BC_elem_drop, 0, 0, i, 0, 0, 2);
        break;
    default:
        break; /* no other opcode comes here */
    }
}
