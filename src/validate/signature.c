#include "validate/signature.h"

#include "types/subtype.h"

/* An instruction whose immediates are checked. */
struct checked {
    const struct module *m;
    const struct instruction *in;
    struct error *error;
};

static const char *name_of(const struct checked *c) {
    return cn_op_name(&cn_op_info[c->in->opcode]);
}

static bool unknown(const struct checked *c, const char *what, uint32_t index, uint32_t count) {
    return cn_fail_at(c->error, CATNAP_INVALID, c->in->offset,
                      "unknown %s %u: %s can name one of %u", what, index, name_of(c), count);
}

static bool wrong(const struct checked *c, const char *what) {
    return cn_fail_at(c->error, CATNAP_INVALID, c->in->offset, "%s: %s", name_of(c), what);
}

/* ---- Immediates ---- */

/* The structure or array type with this index. */
static bool find_type(const struct checked *c, uint32_t index, enum type_kind kind,
                      const struct fieldtypes **type) {
    static const char *const kinds[] = {"a function", "a structure", "an array"};
    if (index >= c->m->type_count)
        return unknown(c, "type", index, c->m->type_count);
    if (c->m->types[index]->kind != kind)
        return cn_fail_at(c->error, CATNAP_INVALID, c->in->offset,
                          "type mismatch: %s: type %u is not %s type", name_of(c), index,
                          kinds[kind]);
    *type = dt_fields(c->m->types[index]);
    return true;
}

static bool find_array(const struct checked *c, uint32_t index, uint32_t *element) {
    const struct fieldtypes *type = NULL;
    if (!find_type(c, index, TYPE_ARRAY, &type))
        return false;
    *element = type->fields[0];
    return true;
}

static bool check_mutable(const struct checked *c, uint32_t field) {
    return (field & FIELD_MUTABLE) || wrong(c, "the field or array is immutable");
}

static bool check_defaults(const struct checked *c, const struct fieldtypes *type) {
    return type->has_default || wrong(c, "a field has no default value");
}

/* Packed fields are read with a sign or without, others as they are. */
static bool check_packing(const struct checked *c, uint32_t field, uint32_t plain_opcode) {
    if (field_is_packed(field) == (c->in->opcode != plain_opcode))
        return true;
    return wrong(c, field_is_packed(field) ? "the field is packed" : "the field is not packed");
}

static bool check_data(const struct checked *c) {
    if (!c->m->has_data_count)
        return cn_fail_at(c->error, CATNAP_MALFORMED, c->in->offset,
                          "%s: data count section required", name_of(c));
    return c->in->b < c->m->data_count || unknown(c, "data segment", c->in->b, c->m->data_count);
}

static bool check_elem(const struct checked *c, uint32_t element) {
    if (c->in->b >= c->m->elem_count)
        return unknown(c, "element segment", c->in->b, c->m->elem_count);
    return cn_valtype_matches(c->m->registry, c->m->elems[c->in->b].type, field_type(element)) ||
           wrong(c, "type mismatch: the segment has elements of another type");
}

/* From the data or element segment that an instruction names. */
static bool check_segment(const struct checked *c, uint32_t element) {
    if (cn_op_info[c->in->opcode].immediate == IMM_TYPE_ELEM)
        return check_elem(c, element);
    if (vt_is_ref(field_type(element)))
        return wrong(c, "type mismatch: an array of references has no data");
    return check_data(c);
}

/* ---- Signatures ---- */

static valtype type_of(const struct checked *c, uint32_t index, bool nullable) {
    return vt_of(c->m->types[index], nullable);
}

static void add(struct gc_signature *s, valtype type) {
    CN_ASSERT(s->count < SIGNATURE_TYPES);
    s->types[s->count++] = type;
}

static bool sign_struct_new(const struct checked *c, struct gc_signature *s) {
    const struct fieldtypes *type = NULL;
    if (!find_type(c, c->in->a, TYPE_STRUCT, &type))
        return false;
    s->result = type_of(c, c->in->a, false);
    if (c->in->opcode == OP_struct_new_default)
        return check_defaults(c, type);
    s->count = type->def.count;
    s->fields = type->fields;
    return true;
}

static bool sign_struct_field(const struct checked *c, struct gc_signature *s) {
    const struct fieldtypes *type = NULL;
    if (!find_type(c, c->in->a, TYPE_STRUCT, &type))
        return false;
    if (c->in->b >= type->def.count)
        return unknown(c, "field", c->in->b, type->def.count);
    uint32_t field = type->fields[c->in->b];
    add(s, type_of(c, c->in->a, true));
    if (c->in->opcode == OP_struct_set) {
        add(s, field_value(field));
        return check_mutable(c, field);
    }
    s->result = field_value(field);
    return check_packing(c, field, OP_struct_get);
}

static bool sign_array_new(const struct checked *c, struct gc_signature *s) {
    uint32_t element = 0;
    if (!find_array(c, c->in->a, &element))
        return false;
    s->result = type_of(c, c->in->a, false);
    switch (c->in->opcode) {
    case OP_array_new_fixed:
        if (c->in->b > LIMIT_FIXED_OPERANDS)
            return cn_fail_at(c->error, CATNAP_LIMIT, c->in->offset,
                              "%s: %u operands are more than the limit of %u", name_of(c), c->in->b,
                              LIMIT_FIXED_OPERANDS);
        s->types[0] = field_value(element);
        s->repeated = true;
        s->count = c->in->b;
        return true;
    case OP_array_new:
        add(s, field_value(element));
        break;
    case OP_array_new_default:
        if (element & VT_NON_NULL)
            return wrong(c, "the element has no default value");
        break;
    default: /* from a segment: offset and length */
        add(s, VT_I32);
        if (!check_segment(c, element))
            return false;
        break;
    }
    add(s, VT_I32);
    return true;
}

static bool sign_array_element(const struct checked *c, struct gc_signature *s) {
    uint32_t element = 0;
    if (!find_array(c, c->in->a, &element))
        return false;
    add(s, type_of(c, c->in->a, true));
    add(s, VT_I32);
    if (c->in->opcode == OP_array_set) {
        add(s, field_value(element));
        return check_mutable(c, element);
    }
    s->result = field_value(element);
    return check_packing(c, element, OP_array_get);
}

static bool sign_array_fill(const struct checked *c, struct gc_signature *s) {
    uint32_t element = 0;
    if (!find_array(c, c->in->a, &element))
        return false;
    add(s, type_of(c, c->in->a, true));
    add(s, VT_I32);
    add(s, field_value(element));
    add(s, VT_I32);
    return check_mutable(c, element);
}

static bool sign_array_copy(const struct checked *c, struct gc_signature *s) {
    uint32_t to = 0, from = 0;
    if (!find_array(c, c->in->a, &to) || !find_array(c, c->in->b, &from))
        return false;
    add(s, type_of(c, c->in->a, true));
    add(s, VT_I32);
    add(s, type_of(c, c->in->b, true));
    add(s, VT_I32);
    add(s, VT_I32);
    return check_mutable(c, to) &&
           (cn_valtype_matches(c->m->registry, field_type(from), field_type(to)) ||
            wrong(c, "type mismatch: the arrays have elements of different types"));
}

static bool sign_array_init(const struct checked *c, struct gc_signature *s) {
    uint32_t element = 0;
    if (!find_array(c, c->in->a, &element))
        return false;
    add(s, type_of(c, c->in->a, true));
    for (uint32_t i = 0; i < 3; i++)
        add(s, VT_I32);
    return check_mutable(c, element) && check_segment(c, element);
}

/* The operand may be any reference of the hierarchy, whose top type has the code of its slot kind. */
static void sign_cast(const struct checked *c, struct gc_signature *s) {
    bool casts = c->in->opcode == OP_ref_cast || c->in->opcode == OP_ref_cast_null;
    bool nullable = c->in->opcode == OP_ref_cast_null || c->in->opcode == OP_ref_test_null;
    add(s, (valtype)vt_kind(c->in->a));
    s->result = casts ? c->in->a | (nullable ? 0 : VT_NON_NULL) : VT_I32;
}

static void sign(struct gc_signature *s, valtype operand, valtype result) {
    add(s, operand);
    s->result = result;
}

bool cn_has_gc_signature(uint32_t opcode) {
    return opcode == OP_ref_eq || (opcode >= OPCODE_FB && opcode != OP_br_on_cast &&
                                   opcode != OP_br_on_cast_fail && cn_op_info[opcode].name);
}

bool cn_gc_signature(const struct module *m, const struct instruction *in, struct gc_signature *s,
                     struct error *error) {
    const struct checked c = {m, in, error};
    *s = (struct gc_signature){.result = VT_BOTTOM};
    switch (in->opcode) {
    case OP_struct_new:
    case OP_struct_new_default:
        return sign_struct_new(&c, s);
    case OP_struct_get:
    case OP_struct_get_s:
    case OP_struct_get_u:
    case OP_struct_set:
        return sign_struct_field(&c, s);
    case OP_array_new:
    case OP_array_new_default:
    case OP_array_new_fixed:
    case OP_array_new_data:
    case OP_array_new_elem:
        return sign_array_new(&c, s);
    case OP_array_get:
    case OP_array_get_s:
    case OP_array_get_u:
    case OP_array_set:
        return sign_array_element(&c, s);
    case OP_array_fill:
        return sign_array_fill(&c, s);
    case OP_array_copy:
        return sign_array_copy(&c, s);
    case OP_array_init_data:
    case OP_array_init_elem:
        return sign_array_init(&c, s);
    case OP_ref_test:
    case OP_ref_test_null:
    case OP_ref_cast:
    case OP_ref_cast_null:
        sign_cast(&c, s);
        return true;
    case OP_array_len:
        sign(s, VT_ARRAYREF, VT_I32);
        return true;
    case OP_ref_eq:
        add(s, VT_EQREF);
        sign(s, VT_EQREF, VT_I32);
        return true;
    case OP_ref_i31:
        sign(s, VT_I32, VT_I31REF | VT_NON_NULL);
        return true;
    case OP_i31_get_s:
    case OP_i31_get_u:
        sign(s, VT_I31REF, VT_I32);
        return true;
    case OP_any_convert_extern:
        sign(s, VT_EXTERNREF, VT_ANYREF);
        s->keeps_non_null = true;
        return true;
    case OP_extern_convert_any:
        sign(s, VT_ANYREF, VT_EXTERNREF);
        s->keeps_non_null = true;
        return true;
    default:
        CN_ASSERT(!"each instruction with such a signature has a case");
        return cn_fail_at(error, CATNAP_UNSUPPORTED, in->offset,
                          "internal error: no signature of %s", name_of(&c));
    }
}
