/* Structures, arrays and casts. */
#include "bytecode/code.h"
#include "translate/pass.h"

/* ---- emitting ---- */

/* Of an instruction that was emitted between cn_to_begin() and this: another may take its destination, if that is no
 * scratch slot. */
static void push_result(struct translator *t, int32_t to, const uint64_t *at, enum slot_kind kind) {
    bool is_home = to == next_home(t) && !is_wide(kind);
    if (is_home && !t->emit.exhausted)
        cn_produced(&t->emit, (uint32_t)(at - t->emit.cells), to, DO_NONE,
                    (struct operand_form){0});
    cn_to_end(&t->emit);
    cn_push_temp(t, kind);
}

/* An instruction with up to three operands in narrow slots, o1 upwards when it has a result, else o0 upwards; with a
 * third cell if there is one. */
static void emit_with(struct translator *t, enum bytecode bytecode, unsigned operands,
                      enum slot_kind result, uint32_t w, const uint64_t *third) {
    struct value values[3];
    int32_t fields[4] = {0};
    unsigned first = result != KIND_NONE;
    CN_ASSERT(operands <= 3);
    for (unsigned i = operands; i-- > 0;)
        values[i] = *cn_pop_value(t);
    for (unsigned i = 0; i < operands; i++)
        fields[first + i] = cn_in_narrow_slot(t, &values[i], i);
    if (first)
        fields[0] = cn_to_begin(&t->emit, next_home(t), is_wide(result));
    uint64_t *at = cn_emit_plain(t, bytecode, third ? 3 : 2);
    at[1] = first + operands > 2 ? cn_fields(fields[0], fields[1], fields[2], fields[3])
                                 : cn_fields_w(fields[0], fields[1], w);
    if (third)
        at[2] = *third;
    if (first)
        push_result(t, fields[0], at, result);
}
static void emit_slots(struct translator *t, enum bytecode bytecode, unsigned operands,
                       enum slot_kind result, uint32_t w) {
    emit_with(t, bytecode, operands, result, w, NULL);
}

/* An instruction whose `operands` operands are in their homes, one behind the other. */
static uint64_t *emit_row(struct translator *t, enum bytecode bytecode, uint32_t operands,
                          enum slot_kind result, uint64_t y) {
    cn_spill(t, operands);
    int32_t end = next_home(t), to = 0;
    cn_pop_to_height(t, t->height - operands);
    int32_t from = next_home(t);
    if (result != KIND_NONE)
        to = cn_to_begin(&t->emit, from, false);
    uint64_t *at = cn_emit_plain(t, bytecode, 4);
    at[1] = cn_fields_w(to, 0, (uint32_t)(end - from));
    at[2] = (uint64_t)from;
    at[3] = y;
    if (result != KIND_NONE)
        push_result(t, to, at, result);
    return at;
}

/* ---- fields and elements ---- */

/* How a field or element is read and written. */
struct storage {
    uint16_t get_s, get_u, set; /* of a field */
    uint16_t element_get_s, element_get_u, element_set;
};

static const struct storage *storage_of(uint32_t field) {
    static const struct storage storages[] = {
#define STORAGE(get_s, get_u, set)                                                                 \
    {DO_field_##get_s,   DO_field_##get_u,   DO_field_##set,                                       \
     DO_element_##get_s, DO_element_##get_u, DO_element_##set}
        STORAGE(get8_s, get8_u, set8),      STORAGE(get16_s, get16_u, set16),
        STORAGE(get32, get32, set32),       STORAGE(get64, get64, set64),
        STORAGE(get_f32, get_f32, set_f32), STORAGE(get_f64, get_f64, set_f64),
        STORAGE(get32, get32, set_any),     STORAGE(get_side, get_side, set_side),
#undef STORAGE
    };
    switch (field_type(field)) {
    case VT_I8:
        return &storages[0];
    case VT_I16:
        return &storages[1];
    case VT_I32:
        return &storages[2];
    case VT_I64:
        return &storages[3];
    case VT_F32: /* without accumulators as numbers of other types */
        return &storages[CN_ACCUMULATOR ? 4 : 2];
    case VT_F64:
        return &storages[CN_ACCUMULATOR ? 5 : 3];
    default:
        return &storages[vt_kind(field_type(field)) == KIND_ANY ? 6 : 7];
    }
}

static bool is_vector(uint32_t field) {
    return field_type(field) == VT_V128;
}

static bool reads_signed(enum opcode opcode) {
    return opcode == OP_struct_get_s || opcode == OP_array_get_s;
}

/* Constants that must be in slots go there first: cn_as_operand() may rely on the latest instruction. */
static void constant_to_slot(struct translator *t, struct value *value) {
    if (value->where != CONST)
        return;
    cn_in_slot(t, value);
    value->where = TEMP;
}

static void translate_field(struct translator *t, enum opcode opcode) {
    const struct fieldtypes *type = dt_fields(t->module->types[cn_u32_valid(&t->at)]);
    uint32_t index = cn_u32_valid(&t->at), field = type->fields[index];
    uint32_t offset = dt_offsets(type)[index];
    bool sets = opcode == OP_struct_set;
    if (is_vector(field)) {
        emit_slots(t, sets ? BC_field_set128 : BC_field_get128, sets ? 2 : 1,
                   sets ? KIND_NONE : KIND_V128, offset);
        return;
    }
    const struct storage *storage = storage_of(field);
    struct value value = sets ? *cn_pop_value(t) : (struct value){0}, object = *cn_pop_value(t);
    constant_to_slot(t, &object);
    if (sets) {
        struct operand at = cn_as_operand(t, &object);
        cn_emit_field_set(&t->emit, (enum operation)storage->set, cn_as_operand(t, &value), at,
                          offset);
        return;
    }
    cn_emit_field_get(&t->emit,
                      (enum operation)(reads_signed(opcode) ? storage->get_s : storage->get_u),
                      next_home(t), cn_as_operand(t, &object), offset);
    cn_push_temp(t, vt_kind(field_value(field)));
}

static void translate_element(struct translator *t, enum opcode opcode) {
    uint32_t field = dt_fields(t->module->types[cn_u32_valid(&t->at)])->fields[0];
    bool sets = opcode == OP_array_set;
    if (is_vector(field)) {
        emit_slots(t, sets ? BC_element_set128 : BC_element_get128, sets ? 3 : 2,
                   sets ? KIND_NONE : KIND_V128, 0);
        return;
    }
    const struct storage *storage = storage_of(field);
    struct value value = sets ? *cn_pop_value(t) : (struct value){0}, index = *cn_pop_value(t),
                 array = *cn_pop_value(t);
    constant_to_slot(t, &array);
    if (sets)
        constant_to_slot(t, &index);
    struct operand a = cn_as_operand(t, &array), i = cn_as_operand(t, &index);
    if (sets) {
        cn_emit_element_set(&t->emit, (enum operation)storage->element_set, a, i,
                            cn_as_operand(t, &value));
        return;
    }
    cn_emit_element_get(
        &t->emit,
        (enum operation)(reads_signed(opcode) ? storage->element_get_s : storage->element_get_u),
        next_home(t), a, i);
    cn_push_temp(t, vt_kind(field_value(field)));
}

/* ---- new objects ---- */

#if CN_PAIRS
/* Whether all fields have 4 or 8 bytes and are copied as they are; then `eights` has a bit for each that has 8, the
 * first one's uppermost. */
static bool is_of_words(const struct fieldtypes *type, uint32_t *eights) {
    *eights = 0;
    for (uint32_t i = 0; i < type->def.count; i++) {
        uint32_t field = type->fields[i], size = field_size(field);
        if ((size != 4 && size != 8) ||
            (vt_is_ref(field_type(field)) && vt_kind(field_type(field)) != KIND_ANY))
            return false;
        *eights = *eights << 1 | (size == 8);
    }
    return type->def.count > 0;
}

/* The instructions for structures of so many words; the rows are in order of `eights`. */
static bool translate_new_of_words(struct translator *t, uint32_t index) {
    static const uint16_t few[3][8] = {
        {BC_struct_new_4, BC_struct_new_8},
        {BC_struct_new_44, BC_struct_new_48, BC_struct_new_84, BC_struct_new_88},
        {BC_struct_new_444, BC_struct_new_448, BC_struct_new_484, BC_struct_new_488,
         BC_struct_new_844, BC_struct_new_848, BC_struct_new_884, BC_struct_new_888},
    };
    const struct fieldtypes *type = dt_fields(t->module->types[index]);
    uint32_t eights, count = type->def.count;
    if (!is_of_words(type, &eights))
        return false;
    if (count > 3)
        emit_row(t, BC_struct_new_words, count, KIND_ANY, index);
    else
        emit_with(t, (enum bytecode)few[count - 1][eights], count, KIND_ANY, 0, &(uint64_t){index});
    return true;
}

static bool translate_new_of_zeroes(struct translator *t, uint32_t index) {
    uint64_t bytes = dt_fields(t->module->types[index])->size;
    if (bytes >= BYTES_FOR_FUEL)
        return false;
    emit_with(t, BC_struct_new_zero, 0, KIND_ANY, index, &bytes);
    return true;
}
#else
static bool translate_new_of_words(struct translator *t, uint32_t index) {
    (void)t, (void)index;
    return false;
}
#define translate_new_of_zeroes translate_new_of_words
#endif

static void translate_new(struct translator *t, enum opcode opcode) {
    uint32_t type = cn_u32_valid(&t->at);
    switch (opcode) {
    case OP_struct_new:
        if (!translate_new_of_words(t, type))
            emit_row(t, BC_struct_new, t->module->types[type]->count, KIND_ANY, type);
        break;
    case OP_struct_new_default:
        if (translate_new_of_zeroes(t, type))
            break;
        cn_stand_before(t, 0, 0);
        emit_slots(t, BC_struct_new_default, 0, KIND_ANY, type);
        break;
    case OP_array_new:
        cn_stand_before(t, 0, 2);
        emit_row(t, BC_array_new, 2, KIND_ANY, type);
        break;
    case OP_array_new_default:
        cn_stand_before(t, 0, 1);
        emit_slots(t, BC_array_new_default, 1, KIND_ANY, type);
        break;
    case OP_array_new_fixed:
        emit_row(t, BC_array_new_fixed, cn_u32_valid(&t->at), KIND_ANY, type);
        break;
    default: /* from a segment */
        cn_stand_before(t, 0, 2);
        emit_row(t, BC_array_new_segment, 2, KIND_ANY, type | (uint64_t)cn_u32_valid(&t->at) << 32);
        break;
    }
}

static void translate_bulk(struct translator *t, enum opcode opcode) {
    uint64_t first = cn_u32_valid(&t->at);
    bool divisible = cn_stand_before(t, cn_op_info[opcode].flags, opcode == OP_array_copy ? 5 : 4);
    if (opcode == OP_array_fill)
        emit_row(t, BC_array_fill, 4, KIND_NONE, first)[1] |= cn_fields(0, divisible, 0, 0);
    else if (opcode == OP_array_copy)
        emit_row(t, BC_array_copy, 5, KIND_NONE, first | (uint64_t)cn_u32_valid(&t->at) << 32)[1] |=
            cn_fields(0, divisible, 0, 0);
    else
        emit_row(t, BC_array_init, 4, KIND_NONE, first | (uint64_t)cn_u32_valid(&t->at) << 32);
}

/* ---- casts ---- */

/* The heap type at *at, as an instruction has it: enum cast_target. */
static uint64_t cast_target(struct translator *t, bool nullable) {
    const uint8_t *at = t->at;
    valtype type = cn_heaptype_valid(t->module, &t->at);
    uint64_t flags = nullable ? CAST_NULLABLE : 0;
    if (!(type & VT_DEFINED))
        return type | flags << 32;
    uint32_t index = cn_u32_valid(&at);
    const struct deftype *def = t->module->types[index];
    CN_ASSERT(index < UINT32_C(1) << CAST_INDEX_BITS && def->depth < 1u << CAST_DEPTH_BITS);
    if (type & VT_OF_FUNC)
        return index | (flags | CAST_FUNC) << 32;
    return index | (uint32_t)def->depth << CAST_INDEX_BITS |
           (flags | CAST_OBJECT | (uint64_t)def->id << CAST_FLAG_BITS) << 32;
}

static void translate_cast(struct translator *t, enum opcode opcode) {
    static const struct rule test = {.kind = RULE_BIN, .operation = DO_ref_test},
                             cast = {.kind = RULE_BIN, .operation = DO_ref_cast};
    bool tests = opcode == OP_ref_test || opcode == OP_ref_test_null;
    uint64_t target = cast_target(t, opcode == OP_ref_test_null || opcode == OP_ref_cast_null);
    cn_cover(t, 1);
    enum slot_kind kind = (enum slot_kind)t->stack[t->height - 1].kind;
    cn_push_const(t, KIND_I64, target);
    cn_translate_bin(t, tests ? &test : &cast, tests ? KIND_I32 : kind);
}

static void translate_branch(struct translator *t, enum opcode opcode) {
    uint32_t flags = cn_u32_valid(&t->at), depth = cn_u32_valid(&t->at);
    cn_heaptype_valid(t->module, &t->at);
    uint64_t target = cast_target(t, flags & CAST_TO_NULL);
    cn_translate_br_on_test(t, depth, opcode == OP_br_on_cast ? DO_ref_test : DO_ref_test_not,
                            target);
}

/* ---- references ---- */

static void translate_un(struct translator *t, enum operation operation, enum slot_kind result) {
    struct rule rule = {.kind = RULE_UN, .operation = (uint16_t)operation};
    cn_translate_un(t, &rule, result);
}

bool cn_translate_reference(struct translator *t, enum opcode opcode) {
    static const struct rule is_null = {.kind = RULE_EQZ, .operation = DO_i64_eq},
                             is_null32 = {.kind = RULE_EQZ, .operation = DO_i32_eq};
    if (opcode != OP_ref_is_null && opcode != OP_ref_as_non_null)
        return false;
    cn_cover(t, 1);
    enum slot_kind kind = (enum slot_kind)t->stack[t->height - 1].kind;
    if (opcode == OP_ref_as_non_null)
        translate_un(t, DO_ref_as_non_null, kind);
    else
        cn_translate_bin(t, kind == KIND_ANY ? &is_null32 : &is_null, KIND_I32);
    return true;
}

bool cn_translate_gc(struct translator *t, enum opcode opcode) {
    static const struct rule equal = {.kind = RULE_BIN, .operation = DO_i64_eq};
    switch (opcode) {
    case OP_struct_new:
    case OP_struct_new_default:
    case OP_array_new:
    case OP_array_new_default:
    case OP_array_new_fixed:
    case OP_array_new_data:
    case OP_array_new_elem:
        translate_new(t, opcode);
        return true;
    case OP_struct_get:
    case OP_struct_get_s:
    case OP_struct_get_u:
    case OP_struct_set:
        translate_field(t, opcode);
        return true;
    case OP_array_get:
    case OP_array_get_s:
    case OP_array_get_u:
    case OP_array_set:
        translate_element(t, opcode);
        return true;
    case OP_array_len:
        translate_un(t, DO_array_len, KIND_I32);
        return true;
    case OP_array_fill:
    case OP_array_copy:
    case OP_array_init_data:
    case OP_array_init_elem:
        translate_bulk(t, opcode);
        return true;
    case OP_ref_test:
    case OP_ref_test_null:
    case OP_ref_cast:
    case OP_ref_cast_null:
        translate_cast(t, opcode);
        return true;
    case OP_br_on_cast:
    case OP_br_on_cast_fail:
        translate_branch(t, opcode);
        return true;
    case OP_ref_eq:
        cn_translate_bin(t, &equal, KIND_I32);
        return true;
    case OP_ref_i31:
        translate_un(t, DO_ref_i31, KIND_ANY);
        return true;
    case OP_i31_get_s:
        translate_un(t, DO_i31_get_s, KIND_I32);
        return true;
    case OP_i31_get_u:
        translate_un(t, DO_i31_get_u, KIND_I32);
        return true;
    case OP_any_convert_extern:
        emit_slots(t, BC_any_convert_extern, 1, KIND_ANY, 0);
        return true;
    case OP_extern_convert_any:
        emit_slots(t, BC_extern_convert_any, 1, KIND_EXTERN, 0);
        return true;
    default:
        return false;
    }
}
