/* Instructions on v128. */
#include <string.h>

#include "translate/fuse.h"
#include "translate/pass.h"

/* How many sources each destination has, slots first: the lists of bytecode/bytecode_simd.def. */
static const uint8_t vector_sources[] = {
    [VECTOR_SLOTS] = 0, [VECTOR_ANY] = 2,   [VECTOR_COMM] = 2,        [VECTOR_ORDERED] = 3,
    [VECTOR_TERN] = 2,  [VECTOR_SHIFT] = 3, [VECTOR_DESTINATIONS] = 1};

static bool take_accumulator(struct translator *t, const struct value *value) {
    if (value->where != TEMP || !cn_can_accumulate(&t->emit, value->home))
        return false;
    cn_accumulate(&t->emit);
    return true;
}

static void exchange_values(struct value *values) {
    struct value first = values[0];
    values[0] = values[1];
    values[1] = first;
}

/* Which of a form's sources fits the operands; `special` is set for the one that is no slot: its
 * value is in an accumulator or, a shift's count, a constant. */
static unsigned choose_vector_source(struct translator *t, enum vector_form form,
                                     struct value *values, bool *special) {
    switch (form) {
    case VECTOR_ANY:
        return special[0] = take_accumulator(t, &values[0]);
    case VECTOR_COMM:
        if (values[1].where == TEMP && cn_can_accumulate(&t->emit, values[1].home))
            exchange_values(values);
        return special[0] = take_accumulator(t, &values[0]);
    case VECTOR_ORDERED:
        special[0] = take_accumulator(t, &values[0]);
        special[1] = !special[0] && take_accumulator(t, &values[1]);
        return special[0] + 2u * special[1];
    case VECTOR_TERN:
        return special[2] = take_accumulator(t, &values[2]);
    case VECTOR_SHIFT:
        if (values[1].where != CONST)
            return 0;
        special[1] = true;
        special[0] = take_accumulator(t, &values[0]);
        return 1 + special[0];
    default:
        return 0;
    }
}

static bool fuse_vector(struct translator *t, const struct rule *rule, const struct op_info *info,
                        const struct value *values) {
    enum bytecode second = (enum bytecode)rule->bytecode;
    bool wide = info->result == OPT_V128;
    int32_t home = next_home(t);
    if (rule->form == VECTOR_ANY)
        return values[0].where == TEMP &&
               cn_fuse_vector(&t->emit, second, values[0].home, 0, home, wide);
    for (unsigned x = 2; x-- > 0 && rule->form == VECTOR_COMM;)
        if (values[x].where == TEMP && cn_fuse_vector(&t->emit, second, values[x].home,
                                                      slot_of(t, &values[1 - x]), home, wide))
            return true;
    return false;
}

/* Notes an instruction of two operands, so that it can become the first of a pair. */
static void can_be_first(struct translator *t, const struct rule *rule, const struct value *values,
                         const bool *special) {
    struct producer *last = &t->emit.last;
    if (last->cell == NO_CELL || special[1] ||
        (rule->form != VECTOR_COMM && rule->form != VECTOR_ORDERED))
        return;
    last->first = (enum bytecode)rule->bytecode;
    last->a = (struct operand){special[0] ? CLASS_A : CLASS_S, slot_of(t, &values[0]), 0};
    last->b = (struct operand){CLASS_S, slot_of(t, &values[1]), 0};
}

/* Operands in o1..o3 (o0.. when nothing results), then immediates by their kind. */
void cn_translate_vector(struct translator *t, enum opcode opcode, const struct rule *rule) {
    const struct op_info *info = &cn_op_info[opcode];
    bool has_result = info->result != OPT_NOTHING;
    struct value values[3];
    bool special[3] = {false};
    int32_t fields[4] = {0};
    uint64_t x = 0, y = 0;
    uint32_t w = 0, cells = 2;
    for (unsigned i = info->operand_count; i-- > 0;)
        values[i] = *cn_pop_value(t);
    if (rule->swap)
        exchange_values(values);
    if (fuse_vector(t, rule, info, values)) {
        cn_push_temp(t, (enum slot_kind)info->result);
        return;
    }
    enum bytecode bytecode = (enum bytecode)rule->bytecode;
    unsigned sources = vector_sources[rule->form];
    bytecode += choose_vector_source(t, (enum vector_form)rule->form, values, special);
    for (unsigned i = 0; i < info->operand_count; i++)
        fields[i + 1] = special[i] ? 0 : cn_in_near_slot(t, &values[i], i);
    bool has_w = info->immediate >= IMM_MEM0;
    if (has_w)
        w = cn_read_memarg(t);
    if (rule->form == VECTOR_SHIFT && special[1]) {
        has_w = true;
        w = (uint32_t)values[1].constant;
    }
    if (info->immediate >= IMM_MEM0_LANE) {
        /* load: address o1, the vector's slot and the lane in x; store: vector o0, address o1 */
        x = *t->at++;
        if (has_result)
            x = x << 16 | (uint16_t)fields[2];
        cells = 3;
    } else if (info->immediate >= IMM_LANE16 && info->immediate <= IMM_LANE2) {
        fields[3] = *t->at++;
    } else if (info->immediate == IMM_SHUFFLE || info->immediate == IMM_V128) {
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
    cn_produced(&t->emit, cell, home, sources ? bytecode + sources : BC_NONE);
    can_be_first(t, rule, values, special);
    cn_to_end(&t->emit);
    cn_push_temp(t, (enum slot_kind)info->result);
}
