/* Any one instruction: what needs the module, and the plain ones by the opcode table. */
#include "binary/walk.h"
#include "validate/plain_types.h"
#include "validate/signature.h"
#include "validate/validator.h"

/* ---- Index spaces ---- */

static bool check_index(struct validator *v, uint32_t index, uint32_t count, const char *what) {
    return index < count || cn_invalid(v, "unknown %s %u: the module has %u", what, index, count);
}

static bool check_memory(struct validator *v, uint32_t index) {
    return check_index(v, index, v->m->memory_count, "memory");
}
static bool check_table(struct validator *v, uint32_t index) {
    return check_index(v, index, v->m->table_count, "table");
}
static bool check_elem(struct validator *v, uint32_t index) {
    return check_index(v, index, v->m->elem_count, "element segment");
}

/* The data section comes after the code: only a data count section says in time how many. */
bool cn_check_data_count(struct validator *v) {
    return v->m->has_data_count ||
           cn_fail_at(v->d.error, CATNAP_MALFORMED, v->in.offset, "%s: data count section required",
                      cn_op_name(&cn_op_info[v->in.opcode]));
}

static bool check_data(struct validator *v, uint32_t index) {
    return cn_check_data_count(v) && check_index(v, index, v->m->data_count, "data segment");
}

static bool check_table_init(struct validator *v, uint32_t elem, uint32_t table) {
    if (!check_elem(v, elem) || !check_table(v, table))
        return false;
    valtype from = v->m->elems[elem].type, to = v->m->tables[table].element;
    return cn_valtype_matches(v->m->registry, from, to) ||
           cn_invalid(v, "type mismatch: table.init of %s elements into a table of %s",
                      cn_valtype_name(from), cn_valtype_name(to));
}

static bool check_table_copy(struct validator *v, uint32_t to, uint32_t from) {
    if (!check_table(v, to) || !check_table(v, from))
        return false;
    valtype source = v->m->tables[from].element, target = v->m->tables[to].element;
    return cn_valtype_matches(v->m->registry, source, target) ||
           cn_invalid(v, "type mismatch: table.copy of a table of %s to one of %s",
                      cn_valtype_name(source), cn_valtype_name(target));
}

/* ---- Plain instructions: immediates, operands and result by the table ---- */

static bool check_offset(struct validator *v) {
    const struct instruction *in = &v->in;
    return in->value <= UINT32_MAX || v->m->memories[in->memory].limits.is_64 ||
           cn_invalid(v, "%s: offset out of range: %llu in a memory with i32 addresses",
                      cn_op_name(&cn_op_info[in->opcode]), (unsigned long long)in->value);
}

static bool check_memarg(struct validator *v, uint32_t natural) {
    if (!check_memory(v, v->in.memory))
        return false;
    if (v->in.a > natural)
        return cn_invalid(v, "%s: alignment 2^%u must not be larger than natural (2^%u)",
                          cn_op_name(&cn_op_info[v->in.opcode]), v->in.a, natural);
    return check_offset(v);
}

static bool check_exact_memarg(struct validator *v, uint32_t natural) {
    if (!check_memory(v, v->in.memory))
        return false;
    if (v->in.a != natural)
        return cn_invalid(v, "%s: alignment 2^%u must be natural (2^%u)",
                          cn_op_name(&cn_op_info[v->in.opcode]), v->in.a, natural);
    return check_offset(v);
}

static bool check_lane(struct validator *v, uint32_t lane, uint32_t lanes) {
    return lane < lanes || cn_invalid(v, "%s: invalid lane index %u of %u",
                                      cn_op_name(&cn_op_info[v->in.opcode]), lane, lanes);
}

static bool check_immediates(struct validator *v, enum immediate immediate) {
    const struct instruction *in = &v->in;
    const struct immediate_shape *shape = &cn_immediate_shapes[immediate];
    switch (immediate) {
    case IMM_NONE:
    case IMM_I32:
    case IMM_I64:
    case IMM_F32:
    case IMM_F64:
    case IMM_V128:
    case IMM_ZERO:
        return true;
    CASES_MEMARG:
        return (shape->exact ? check_exact_memarg(v, shape->alignment)
                             : check_memarg(v, shape->alignment)) &&
               (shape->lanes == 0 || check_lane(v, in->b, shape->lanes));
    CASES_LANE:
        return check_lane(v, in->a, shape->lanes);
    case IMM_SHUFFLE:
        for (uint32_t i = 0; i < 16; i++)
            if (!check_lane(v, in->bytes[i], 32))
                return false;
        return true;
    case IMM_MEMORY:
        return check_memory(v, in->a);
    case IMM_MEMORY_COPY:
        return check_memory(v, in->a) && check_memory(v, in->b);
    case IMM_MEMORY_INIT:
        return check_data(v, in->a) && check_memory(v, in->b);
    case IMM_DATA:
        return check_data(v, in->a);
    case IMM_ELEM:
        return check_elem(v, in->a);
    case IMM_TABLE:
        return check_table(v, in->a);
    case IMM_TABLE_INIT:
        return check_table_init(v, in->a, in->b);
    case IMM_TABLE_COPY:
        return check_table_copy(v, in->a, in->b);
    CASES_NOT_PLAIN:
        break;
    }
    return cn_unknown_instruction(v);
}

static bool validate_plain(struct validator *v, const struct op_info *info) {
    if (!check_immediates(v, (enum immediate)info->immediate))
        return false;
    bool accesses = cn_immediate_shapes[info->immediate].memarg;
    struct plain_types types =
        cn_plain_types(v->m, info, accesses ? v->in.memory : v->in.a, v->in.b);
    for (uint32_t i = info->operand_count; i > 0; i--)
        if (!cn_pop(v, types.operands[i - 1]))
            return false;
    if (info->flags & OPF_TWO_I64)
        return cn_push_types(v, (struct types){(const valtype[]){VT_I64, VT_I64}, 2});
    return types.result == OPT_NOTHING || cn_push(v, types.result);
}

/* ---- Calls ---- */

/* Whether the opcode of a call is that of its form as a tail call. */
static bool is_tail_call(uint32_t opcode) {
    return opcode == OP_return_call || opcode == OP_return_call_indirect ||
           opcode == OP_return_call_ref;
}

static bool call_type(struct validator *v, const struct functype *type) {
    struct types params = {ft_params(type), type->param_count};
    struct types results = {ft_results(type), type->result_count};
    if (!cn_pop_types(v, params))
        return false;
    return is_tail_call(v->in.opcode) ? cn_validate_tail_call(v, results)
                                      : cn_push_types(v, results);
}

static bool validate_call(struct validator *v) {
    return check_index(v, v->in.a, v->m->func_count, "function") &&
           call_type(v, module_func_type(v->m, v->in.a));
}

static bool check_type(struct validator *v, uint32_t type) {
    return check_index(v, type, v->m->type_count, "type") &&
           (module_has_functype(v->m, type) ||
            cn_invalid(v, "type mismatch: type %u is not a function type", type));
}

static bool validate_call_indirect(struct validator *v) {
    uint32_t type = v->in.a, table = v->in.b;
    if (!check_table(v, table) || !check_type(v, type))
        return false;
    valtype element = v->m->tables[table].element;
    if (!cn_valtype_matches(v->m->registry, element, VT_FUNCREF))
        return cn_invalid(v, "type mismatch: %s through a table of %s",
                          cn_op_name(&cn_op_info[v->in.opcode]), cn_valtype_name(element));
    return cn_pop(v, limits_address(&v->m->tables[table].limits)) &&
           call_type(v, module_functype(v->m, type));
}

static bool validate_call_ref(struct validator *v) {
    return check_type(v, v->in.a) && cn_pop(v, vt_of(v->m->types[v->in.a], true)) &&
           call_type(v, module_functype(v->m, v->in.a));
}

/* ---- Parametric and reference instructions ---- */

static bool validate_select(struct validator *v) {
    valtype a, b;
    if (!cn_pop(v, VT_I32) || !cn_pop_any(v, &a) || !cn_pop_any(v, &b))
        return false;
    if (cn_is_reference(a) || cn_is_reference(b))
        return cn_invalid(v, "type mismatch: select without a type cannot choose references");
    if (a != b && a != VT_BOTTOM && b != VT_BOTTOM)
        return cn_invalid(v, "type mismatch: select between %s and %s", cn_valtype_name(b),
                          cn_valtype_name(a));
    return cn_push(v, a == VT_BOTTOM ? b : a);
}

static bool validate_select_t(struct validator *v) {
    if (v->in.a != 1)
        return cn_invalid(v, "invalid result arity: select with %u types", v->in.a);
    valtype type = v->in.b;
    return cn_pop(v, VT_I32) && cn_pop(v, type) && cn_pop(v, type) && cn_push(v, type);
}

static bool validate_drop(struct validator *v) {
    valtype any;
    return cn_pop_any(v, &any);
}

static bool validate_ref_is_null(struct validator *v) {
    valtype type;
    return cn_pop_reference(v, &type) && cn_push(v, VT_I32);
}

static bool validate_as_non_null(struct validator *v) {
    valtype type;
    return cn_pop_reference(v, &type) && cn_push(v, cn_non_null(type));
}

static bool validate_ref_func(struct validator *v) {
    uint32_t func = v->in.a;
    if (!check_index(v, func, v->m->func_count, "function"))
        return false;
    if (!(v->m->func_declared[func / 8] >> (func % 8) & 1))
        return cn_invalid(v, "undeclared function reference: function %u", func);
    return cn_push(v, vt_of(v->m->types[v->m->func_types[func]], false));
}

/* ---- Structures, arrays, casts ---- */

/* Where unreachable code may have had any value, it had one that is not null. */
static bool excludes_null(valtype type) {
    return type == VT_BASE || type == VT_BOTTOM || type == VT_BOTTOM_REF || (type & VT_NON_NULL);
}

static bool validate_gc(struct validator *v) {
    struct gc_signature s;
    valtype operand = VT_BOTTOM;
    if (!cn_gc_signature(v->m, &v->in, &s, v->d.error) || !cn_count_operands(v, s.count))
        return false;
    for (uint32_t i = s.count; i > 0; i--) {
        operand = v->top[-1];
        if (!cn_pop(v, cn_gc_operand(&s, i - 1)))
            return false;
        if (operand == VT_BASE) /* in unreachable code, which may have had all that are missing */
            break;
    }
    if (s.keeps_non_null && excludes_null(operand))
        s.result |= VT_NON_NULL;
    return s.result == VT_BOTTOM || cn_push(v, s.result);
}

/* ---- Variables and tables ---- */

static bool validate_local(struct validator *v) {
    valtype type;
    if (!cn_local_type(v, v->in.a, &type))
        return false;
    if (v->in.opcode != OP_local_get && !cn_pop(v, type))
        return false;
    if ((type & VT_NON_NULL) && !cn_track_local(v, v->in.a))
        return false;
    return v->in.opcode == OP_local_set || cn_push(v, type);
}

static bool validate_global(struct validator *v) {
    if (!check_index(v, v->in.a, v->m->global_count, "global"))
        return false;
    const struct globaltype *type = &v->m->globals[v->in.a].type;
    if (v->in.opcode == OP_global_get)
        return cn_push(v, type->type);
    if (!type->is_mutable)
        return cn_invalid(v, "global is immutable: global.set %u", v->in.a);
    return cn_pop(v, type->type);
}

static bool validate_table(struct validator *v) {
    if (!check_table(v, v->in.a))
        return false;
    valtype element = v->m->tables[v->in.a].element;
    valtype index = limits_address(&v->m->tables[v->in.a].limits);
    switch (v->in.opcode) {
    case OP_table_get:
        return cn_pop(v, index) && cn_push(v, element);
    case OP_table_set:
        return cn_pop(v, element) && cn_pop(v, index);
    case OP_table_grow:
        return cn_pop(v, index) && cn_pop(v, element) && cn_push(v, index);
    case OP_table_fill:
        return cn_pop(v, index) && cn_pop(v, element) && cn_pop(v, index);
    default:
        return cn_unknown_instruction(v);
    }
}

bool cn_validate_instruction(struct validator *v) {
    if (!cn_decode_instruction(&v->d, &v->in))
        return false;
    const struct op_info *info = &cn_op_info[v->in.opcode];
    if (info->result != OPT_SPECIAL || (info->flags & OPF_TWO_I64))
        return validate_plain(v, info);
    switch (v->in.opcode) {
    case OP_call:
    case OP_return_call:
        return validate_call(v);
    case OP_call_indirect:
    case OP_return_call_indirect:
        return validate_call_indirect(v);
    case OP_call_ref:
    case OP_return_call_ref:
        return validate_call_ref(v);
    case OP_drop:
        return validate_drop(v);
    case OP_select:
        return validate_select(v);
    case OP_select_t:
        return validate_select_t(v);
    case OP_ref_null:
        return cn_push(v, v->in.a);
    case OP_ref_is_null:
        return validate_ref_is_null(v);
    case OP_ref_func:
        return validate_ref_func(v);
    case OP_ref_as_non_null:
        return validate_as_non_null(v);
    case OP_local_get:
    case OP_local_set:
    case OP_local_tee:
        return validate_local(v);
    case OP_global_get:
    case OP_global_set:
        return validate_global(v);
    case OP_table_get:
    case OP_table_set:
    case OP_table_grow:
    case OP_table_fill:
        return validate_table(v);
    default:
        return cn_has_gc_signature(v->in.opcode) ? validate_gc(v) : cn_validate_control(v);
    }
}
