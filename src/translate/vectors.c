/* Instructions on v128. */
#include <string.h>

#include "translate/fuse.h"
#include "translate/pass.h"

static enum operand_class take_accumulator(struct translator *t, const struct value *value) {
    return value->where == TEMP && cn_accumulate(&t->emit, value->home) ? CLASS_A : CLASS_S;
}

static void exchange_values(struct value *values) {
    struct value first = values[0];
    values[0] = values[1];
    values[1] = first;
}

/* The class of each operand: the accumulator that holds its value, a constant, or a slot. Values are exchanged
 * where that helps. */
static void choose_classes(struct translator *t, const struct rule *rule, struct value *values,
                           enum operand_class *classes) {
    struct operand_form constant = {.b = CLASS_K};
    switch ((enum vector_form)rule->form) {
    case VECTOR_SLOTS:
    case VECTOR_DESTINATIONS:
        break;
    case VECTOR_COMM:
        classes[0] = take_accumulator(t, &values[1]);
        if (classes[0] == CLASS_A)
            exchange_values(values);
        else
            classes[0] = take_accumulator(t, &values[0]);
        break;
    case VECTOR_ANY:
        classes[0] = take_accumulator(t, &values[0]);
        break;
    case VECTOR_ORDERED:
        classes[0] = take_accumulator(t, &values[0]);
        if (classes[0] == CLASS_S)
            classes[1] = take_accumulator(t, &values[1]);
        break;
    case VECTOR_TERN:
        classes[2] = take_accumulator(t, &values[2]);
        break;
    case VECTOR_SHIFT: /* by a constant, where the build has that */
        if (values[1].where != CONST || !cn_find((enum operation)rule->operation, constant))
            break;
        classes[1] = CLASS_K;
        classes[0] = take_accumulator(t, &values[0]);
        break;
    }
}

static bool fuse_vector(struct translator *t, const struct rule *rule, const struct op_info *info,
                        const struct value *values) {
    enum operation second = (enum operation)rule->operation;
    bool vector = info->result == OPT_V128;
    int32_t home = next_home(t);
    if (rule->form == VECTOR_ANY)
        return values[0].where == TEMP &&
               cn_fuse_vector(&t->emit, second, values[0].home, 0, home, vector);
    for (unsigned x = 2; x-- > 0 && rule->form == VECTOR_COMM;)
        if (values[x].where == TEMP && cn_fuse_vector(&t->emit, second, values[x].home,
                                                      slot_of(t, &values[1 - x]), home, vector))
            return true;
    return false;
}

/* Notes an instruction of two operands, so that it can become the first of a pair. */
static void can_be_first(struct translator *t, const struct rule *rule, const struct value *values,
                         const enum operand_class *classes) {
    struct producer *last = &t->emit.last;
    if (last->cell == NO_CELL || classes[1] != CLASS_S ||
        (rule->form != VECTOR_COMM && rule->form != VECTOR_ORDERED))
        return;
    last->first = (enum operation)rule->operation;
    last->a = (struct operand){classes[0], slot_of(t, &values[0]), 0};
    last->b = (struct operand){CLASS_S, slot_of(t, &values[1]), 0};
}

/* Instructions access lanes of memory 0 at i32 addresses only; elsewhere a scalar is loaded and put into the lane, or
 * the lane is taken out and stored. */
struct lane_access {
    uint16_t opcode, access, lane; /* operations, the last two */
};
static const struct lane_access lane_accesses[] = {
    {OP_v128_load8_lane, DO_i32_load8_u, DO_i8x16_replace_lane},
    {OP_v128_load16_lane, DO_i32_load16_u, DO_i16x8_replace_lane},
    {OP_v128_load32_lane, DO_i32_load, DO_i32x4_replace_lane},
    {OP_v128_load64_lane, DO_i64_load, DO_i64x2_replace_lane},
    {OP_v128_store8_lane, DO_i32_store8, DO_i8x16_extract_lane_u},
    {OP_v128_store16_lane, DO_i32_store16, DO_i16x8_extract_lane_u},
    {OP_v128_store32_lane, DO_i32_store, DO_i32x4_extract_lane},
    {OP_v128_store64_lane, DO_i64_store, DO_i64x2_extract_lane},
};

/* Emits an operation on a lane, whose operands are in slots. */
static void emit_lane(struct emitter *e, const struct lane_access *row, int32_t to, bool wide,
                      int32_t vector, int32_t scalar, uint8_t lane) {
    int32_t o1 = cn_narrow(e, vector, true, 1), o2 = wide ? cn_narrow(e, scalar, false, 2) : 0;
    int32_t target = cn_to_begin(e, to, wide);
    cn_emit(e, cn_find((enum operation)row->lane, (struct operand_form){0}), 2)[1] =
        cn_fields(target, o1, o2, lane);
    e->last.cell = NO_CELL;
    cn_to_end(e);
}

static void load_lane(struct translator *t, const struct lane_access *row, struct memarg memarg,
                      uint8_t lane) {
    int32_t scalar = next_home(t); /* above both operands */
    struct value vector = *cn_pop_value(t), address = *cn_pop_value(t);
    int32_t home = next_home(t), from = slot_of(t, &vector);
    struct operand a = cn_as_register_operand(t, &address);
    cn_emit_numbered_load(&t->emit, (enum operation)row->access, scalar, a, memarg);
    t->emit.last.cell = NO_CELL;
    emit_lane(&t->emit, row, home, true, from, scalar, lane);
    cn_push_temp(t, KIND_V128);
}

static void store_lane(struct translator *t, const struct lane_access *row, struct memarg memarg,
                       uint8_t lane) {
    struct value vector = *cn_pop_value(t);
    int32_t scalar = next_home(t);
    emit_lane(&t->emit, row, scalar, false, slot_of(t, &vector), 0, lane);
    struct value address = *cn_pop_value(t);
    struct operand a = {CLASS_S, cn_in_slot(t, &address), 0}, v = {CLASS_S, scalar, 0};
    cn_emit_numbered_store(&t->emit, (enum operation)row->access, v, a, memarg);
}

static void translate_lane(struct translator *t, enum opcode opcode, struct memarg memarg) {
    const struct lane_access *row = lane_accesses;
    while (row->opcode != opcode)
        row++;
    uint8_t lane = *t->at++;
    if (cn_op_info[opcode].result == OPT_V128)
        load_lane(t, row, memarg, lane);
    else
        store_lane(t, row, memarg, lane);
}

/* Operands in o1..o3 (o0.. when nothing results), then immediates by their kind. */
void cn_translate_vector(struct translator *t, enum opcode opcode, const struct rule *rule) {
    const struct op_info *info = &cn_op_info[opcode];
    const struct immediate_shape *shape = &cn_immediate_shapes[info->immediate];
    bool has_result = info->result != OPT_NOTHING;
    struct value values[3];
    enum operand_class classes[3] = {CLASS_S, CLASS_S, CLASS_S};
    int32_t fields[4] = {0};
    uint64_t x = 0, y = 0;
    uint32_t w = 0, cells = 2;
    bool has_w = shape->memarg;
    if (has_w) {
        struct memarg memarg = cn_memarg_valid(&t->at);
        if (memarg.memory > 0 || t->module->memories[0].limits.is_64) {
            translate_lane(t, opcode, memarg);
            return;
        }
        w = (uint32_t)memarg.offset;
    }
    for (unsigned i = info->operand_count; i-- > 0;)
        values[i] = *cn_pop_value(t);
    if (rule->swap)
        exchange_values(values);
    if (fuse_vector(t, rule, info, values)) {
        cn_push_temp(t, (enum slot_kind)info->result);
        return;
    }
    choose_classes(t, rule, values, classes);
    struct operand_form form = {
        .a = (uint8_t)classes[0], .b = (uint8_t)classes[1], .c = (uint8_t)classes[2]};
    enum bytecode bytecode = cn_find((enum operation)rule->operation, form);
    CN_ASSERT(bytecode != BC_NONE);
    for (unsigned i = 0; i < info->operand_count; i++)
        fields[i + 1] = classes[i] != CLASS_S ? 0 : cn_in_narrow_slot(t, &values[i], i);
    if (classes[1] == CLASS_K) {
        has_w = true;
        w = (uint32_t)values[1].constant;
    }
    if (shape->memarg && shape->lanes) {
        /* load: address o1, the vector's slot and the lane in x; store: vector o0, address o1 */
        x = *t->at++;
        if (has_result)
            x = x << 16 | (uint16_t)fields[2];
        cells = 3;
    } else if (shape->lanes) {
        fields[3] = *t->at++;
    } else if (shape->bytes == 16) {
        memcpy(&x, t->at, 8);
        memcpy(&y, t->at + 8, 8);
        t->at += 16;
        cells = 4;
    }
    int32_t home = next_home(t);
    fields[0] = has_result ? cn_to_begin(&t->emit, home, info->result == OPT_V128) : fields[2];
    uint32_t cell = (uint32_t)t->emit.count;
    uint64_t *at = cn_emit(&t->emit, bytecode, cells);
    at[1] = has_w ? cn_fields_w(fields[0], fields[1], w)
                  : cn_fields(fields[0], fields[1], fields[2], fields[3]);
    if (cells > 2)
        at[2] = x;
    if (cells > 3)
        at[3] = y;
    t->emit.last.cell = NO_CELL;
    if (!has_result)
        return;
    cn_produced(&t->emit, cell, home, rule->operation, form);
    can_be_first(t, rule, values, classes);
    cn_to_end(&t->emit);
    cn_push_temp(t, (enum slot_kind)info->result);
}
