/* Structures, arrays and casts. */
#include "bytecode/code.h"
#include "translate/pass.h"

/* ---- emitting ---- */

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
    if (first) {
        cn_to_end(&t->emit);
        cn_push_temp(t, result);
    }
}
static void emit_slots(struct translator *t, enum bytecode bytecode, unsigned operands,
                       enum slot_kind result, uint32_t w) {
    emit_with(t, bytecode, operands, result, w, NULL);
}

/* An instruction whose `operands` operands are in their homes, one behind the other. */
static void emit_row(struct translator *t, enum bytecode bytecode, uint32_t operands,
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
    if (result != KIND_NONE) {
        cn_to_end(&t->emit);
        cn_push_temp(t, result);
    }
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
    {BC_field_##get_s,   BC_field_##get_u,   BC_field_##set,                                       \
     BC_element_##get_s, BC_element_##get_u, BC_element_##set}
        STORAGE(get8_s, get8_u, set8),         STORAGE(get16_s, get16_u, set16),
        STORAGE(get32, get32, set32),          STORAGE(get64, get64, set64),
        STORAGE(get128, get128, set128),       STORAGE(get32, get32, set_any),
        STORAGE(get_side, get_side, set_side),
#undef STORAGE
    };
    switch (field_type(field)) {
    case VT_I8:
        return &storages[0];
    case VT_I16:
        return &storages[1];
    case VT_I32:
    case VT_F32:
        return &storages[2];
    case VT_I64:
    case VT_F64:
        return &storages[3];
    case VT_V128:
        return &storages[4];
    default:
        return &storages[vt_kind(field_type(field)) == KIND_ANY ? 5 : 6];
    }
}

static bool reads_signed(enum opcode opcode) {
    return opcode == OP_struct_get_s || opcode == OP_array_get_s;
}

static void translate_field(struct translator *t, enum opcode opcode) {
    const struct fieldtypes *type = dt_fields(t->module->types[cn_u32_valid(&t->at)]);
    uint32_t index = cn_u32_valid(&t->at), field = type->fields[index];
    uint32_t offset = dt_offsets(type)[index];
    const struct storage *storage = storage_of(field);
    if (opcode == OP_struct_set)
        emit_slots(t, (enum bytecode)storage->set, 2, KIND_NONE, offset);
    else
        emit_slots(t, (enum bytecode)(reads_signed(opcode) ? storage->get_s : storage->get_u), 1,
                   vt_kind(field_value(field)), offset);
}

static void translate_element(struct translator *t, enum opcode opcode) {
    uint32_t field = dt_fields(t->module->types[cn_u32_valid(&t->at)])->fields[0];
    const struct storage *storage = storage_of(field);
    if (opcode == OP_array_set)
        emit_slots(t, (enum bytecode)storage->element_set, 3, KIND_NONE, 0);
    else
        emit_slots(
            t,
            (enum bytecode)(reads_signed(opcode) ? storage->element_get_s : storage->element_get_u),
            2, vt_kind(field_value(field)), 0);
}

/* ---- new objects ---- */

static void translate_new(struct translator *t, enum opcode opcode) {
    uint32_t type = cn_u32_valid(&t->at);
    switch (opcode) {
    case OP_struct_new:
        emit_row(t, BC_struct_new, t->module->types[type]->count, KIND_ANY, type);
        break;
    case OP_struct_new_default:
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
    cn_stand_before(t, 0, opcode == OP_array_copy ? 5 : 4);
    if (opcode == OP_array_fill)
        emit_row(t, BC_array_fill, 4, KIND_NONE, first);
    else if (opcode == OP_array_copy)
        emit_row(t, BC_array_copy, 5, KIND_NONE, first | (uint64_t)cn_u32_valid(&t->at) << 32);
    else
        emit_row(t, BC_array_init, 4, KIND_NONE, first | (uint64_t)cn_u32_valid(&t->at) << 32);
}

/* ---- casts ---- */

/* The heap type at *at, as an instruction has it in its second cell. */
static uint64_t cast_target(struct translator *t, bool nullable) {
    const uint8_t *at = t->at;
    valtype type = cn_heaptype_valid(t->module, &t->at);
    uint64_t flags = nullable ? CAST_NULLABLE : 0;
    if (!(type & VT_DEFINED))
        return type | flags << 32;
    flags |= type & VT_OF_FUNC ? CAST_FUNC : CAST_OBJECT;
    return cn_u32_valid(&at) | flags << 32;
}

static void translate_cast(struct translator *t, enum opcode opcode) {
    bool tests = opcode == OP_ref_test || opcode == OP_ref_test_null;
    uint64_t target = cast_target(t, opcode == OP_ref_test_null || opcode == OP_ref_cast_null);
    cn_cover(t, 1);
    enum slot_kind kind = (enum slot_kind)t->stack[t->height - 1].kind;
    emit_with(t, tests ? BC_ref_test : BC_ref_cast, 1, tests ? KIND_I32 : kind, 0, &target);
}

/* A test of the reference, which stays, and a branch by its result. */
static void translate_branch(struct translator *t, enum opcode opcode) {
    static const struct rule not = {.kind = RULE_EQZ, .operation = DO_i32_eq};
    uint32_t flags = cn_u32_valid(&t->at), depth = cn_u32_valid(&t->at);
    cn_heaptype_valid(t->module, &t->at);
    uint64_t target = cast_target(t, flags & CAST_TO_NULL);
    cn_cover(t, 1);
    int32_t from = cn_in_narrow_slot(t, &t->stack[t->height - 1], 0);
    int32_t to = cn_to_begin(&t->emit, next_home(t), false);
    uint64_t *at = cn_emit_plain(t, BC_ref_test, 3);
    at[1] = cn_fields(to, from, 0, 0);
    at[2] = target;
    cn_to_end(&t->emit);
    cn_push_temp(t, KIND_I32);
    if (opcode == OP_br_on_cast_fail)
        cn_translate_bin(t, &not, KIND_I32);
    cn_translate_br_if(t, depth);
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
        emit_slots(t, BC_array_len, 1, KIND_I32, 0);
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
        emit_slots(t, BC_ref_i31, 1, KIND_ANY, 0);
        return true;
    case OP_i31_get_s:
        emit_slots(t, BC_i31_get_s, 1, KIND_I32, 0);
        return true;
    case OP_i31_get_u:
        emit_slots(t, BC_i31_get_u, 1, KIND_I32, 0);
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
