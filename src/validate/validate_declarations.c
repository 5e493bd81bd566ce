/* Validates the declarations of a module outside its bodies (section 3.4). */
#include <string.h>
#include <xxhash.h>

#include "base/assert.h"
#include "binary/later.h"
#include "validate/signature.h"
#include "validate/validate.h"
#include "validate/validator.h"

static bool invalid_index(struct error *error, uint32_t offset, const char *what, uint32_t index,
                          uint32_t count) {
    return cn_fail_at(error, CATNAP_INVALID, offset, "unknown %s %u: the module has %u", what,
                      index, count);
}

/* ---- Where things are declared, for messages ---- */

static uint64_t section_offset(const struct module *m, enum section_id id) {
    for (uint32_t i = 0; i < m->section_count; i++)
        if (m->sections[i].id == id)
            return m->sections[i].content.offset;
    return CN_NO_OFFSET;
}

/* The import's name, or the section that defines what is not imported. */
static uint64_t offset_of(const struct module *m, enum extern_kind kind, uint32_t index) {
    static const enum section_id sections[] = {SECTION_FUNCTION, SECTION_TABLE, SECTION_MEMORY,
                                               SECTION_GLOBAL, SECTION_TAG};
    for (uint32_t i = 0; i < m->import_count; i++)
        if (m->imports[i].kind == kind && m->imports[i].index == index)
            return m->imports[i].name.offset;
    return section_offset(m, sections[kind]);
}

/* ---- Types, functions, tables, memories ---- */

/* Whether a type may stand below the supertype that it names. */
static bool check_supertype(const struct module *m, uint32_t index, struct error *error) {
    const struct deftype *type = m->types[index];
    if (type->depth == 0)
        return true;
    const struct deftype *super = cn_types_get(m->registry, type->display[type->depth - 1]);
    if (cn_deftype_may_extend(m->registry, type, super))
        return true;
    return cn_fail_at(error, CATNAP_INVALID, section_offset(m, SECTION_TYPE),
                      super->final ? "sub type %u: its supertype is final"
                                   : "sub type %u does not match its supertype",
                      index);
}

static bool check_types(const struct module *m, struct error *error) {
    for (uint32_t i = 0; i < m->type_count; i++) {
        if (!check_supertype(m, i, error))
            return false;
        if (module_has_functype(m, i) && module_functype(m, i)->result_count > 1 &&
            !module_may_use(m, CATNAP_FEATURE_MULTI_VALUE))
            return cn_fail_at(error, CATNAP_INVALID, section_offset(m, SECTION_TYPE),
                              "invalid result arity: the %u results of type %u need the feature "
                              "multi-value, which is switched off",
                              module_functype(m, i)->result_count, i);
    }
    return true;
}

/* Functions and tags have function types. */
static bool check_functype(const struct module *m, uint32_t type, enum extern_kind kind,
                           uint32_t index, struct error *error) {
    const char *what = kind == EXTERN_TAG ? "tag" : "function";
    if (type >= m->type_count)
        return cn_fail_at(error, CATNAP_INVALID, offset_of(m, kind, index),
                          "unknown type %u of %s %u: the module has %u", type, what, index,
                          m->type_count);
    return module_has_functype(m, type) ||
           cn_fail_at(error, CATNAP_INVALID, offset_of(m, kind, index),
                      "type mismatch: type %u of %s %u is not a function type", type, what, index);
}

static bool check_func_types(const struct module *m, struct error *error) {
    for (uint32_t i = 0; i < m->func_count; i++)
        if (!check_functype(m, m->func_types[i], EXTERN_FUNC, i, error))
            return false;
    return true;
}

static bool check_limits(const struct module *m, const struct limits *limits, uint64_t bound,
                         enum extern_kind kind, uint32_t index, struct error *error) {
    const char *what = kind == EXTERN_TABLE ? "table" : "memory";
    if (limits->min > bound || (limits->has_max && limits->max > bound))
        return cn_fail_at(error, CATNAP_INVALID, offset_of(m, kind, index),
                          "%s %u: size must be at most %llu", what, index,
                          (unsigned long long)bound);
    if (limits->has_max && limits->min > limits->max)
        return cn_fail_at(error, CATNAP_INVALID, offset_of(m, kind, index),
                          "%s %u: size minimum %llu must not be greater than maximum %llu", what,
                          index, (unsigned long long)limits->min, (unsigned long long)limits->max);
    return true;
}

static bool check_tables(const struct module *m, struct error *error) {
    if (m->table_count > 1 && !module_may_use(m, CATNAP_FEATURE_REFERENCE_TYPES))
        return cn_fail_at(error, CATNAP_INVALID, offset_of(m, EXTERN_TABLE, 1),
                          "multiple tables: %u", m->table_count);
    for (uint32_t i = 0; i < m->table_count; i++) {
        const struct limits *limits = &m->tables[i].limits;
        uint64_t bound = limits->is_64 ? UINT64_MAX : UINT32_MAX;
        if (!check_limits(m, limits, bound, EXTERN_TABLE, i, error))
            return false;
    }
    return true;
}

static bool check_memories(const struct module *m, struct error *error) {
    if (m->memory_count > 1 && !module_may_use(m, CATNAP_FEATURE_MULTI_MEMORY))
        return cn_fail_at(error, CATNAP_UNSUPPORTED, offset_of(m, EXTERN_MEMORY, 1),
                          "a second memory needs the feature multi-memory, which is switched off");
    for (uint32_t i = 0; i < m->memory_count; i++) {
        const struct limits *limits = &m->memories[i].limits;
        uint64_t bound = cn_most_pages(&m->memories[i]);
        if (!check_limits(m, limits, bound, EXTERN_MEMORY, i, error))
            return false;
        if (m->memories[i].is_shared && !limits->has_max)
            return cn_fail_at(error, CATNAP_INVALID, offset_of(m, EXTERN_MEMORY, i),
                              "memory %u: shared memory must have maximum", i);
    }
    return true;
}

/* ---- Constant expressions (section 3.3.10) ---- */

static struct decoder decoder_of(const struct module *m, struct span span, struct error *error) {
    const uint8_t *start = m->bytes + span.offset;
    return (struct decoder){.r = {start, start + span.length},
                            .base = m->bytes,
                            .features = m->features,
                            .error = error,
                            .module = m};
}

/* A constant expression that is being checked. */
struct constant {
    struct module *m;
    struct decoder *d;
    struct instruction in;
    uint32_t globals; /* it can read so many of the first ones */
    uint32_t height;
    valtype operands[LIMIT_CONSTANT_OPERANDS];
};

static bool global_type(const struct constant *c, valtype *type) {
    const struct instruction *in = &c->in;
    struct error *error = c->d->error;
    if (in->a >= c->globals)
        return cn_fail_at(error, CATNAP_INVALID, in->offset,
                          "unknown global %u: this constant expression can read only the first %u "
                          "globals",
                          in->a, c->globals);
    *type = c->m->globals[in->a].type.type;
    if (in->a >= c->m->imported_global_count &&
        !cn_decode_need(c->d, CATNAP_FEATURE_EXTENDED_CONST, in->offset,
                        "a constant expression that reads a global of the module"))
        return false;
    return !c->m->globals[in->a].type.is_mutable ||
           cn_fail_at(error, CATNAP_INVALID, in->offset,
                      "constant expression required: global %u is mutable", in->a);
}

/* The type that the instruction pushes. */
static bool constant_type(struct constant *c, valtype *type) {
    const struct instruction *in = &c->in;
    const struct op_info *info = &cn_op_info[in->opcode];
    struct error *error = c->d->error;
    if (info->result != OPT_SPECIAL) {
        *type = info->result;
        return true;
    }
    switch (in->opcode) {
    case OP_ref_null:
        *type = in->a;
        return true;
    case OP_ref_func:
        if (in->a >= c->m->func_count)
            return invalid_index(error, in->offset, "function", in->a, c->m->func_count);
        *type = vt_of(c->m->types[c->m->func_types[in->a]], false);
        c->m->func_declared[in->a / 8] |= (uint8_t)(1u << in->a % 8);
        return true;
    case OP_global_get:
        return global_type(c, type);
    default:
        CN_ASSERT(!"each constant instruction that is not plain has a case");
        return cn_fail_at(error, CATNAP_UNSUPPORTED, in->offset,
                          "internal error: no type of %s in a constant expression",
                          cn_op_name(info));
    }
}

static bool pop_operand(struct constant *c, valtype expected) {
    valtype found = c->height > 0 ? c->operands[c->height - 1] : VT_BOTTOM;
    if (c->height > 0 && cn_valtype_matches(c->m->registry, found, expected)) {
        c->height--;
        return true;
    }
    return cn_fail_at(c->d->error, CATNAP_INVALID, c->in.offset,
                      "type mismatch: %s in a constant expression expects %s, found %s",
                      cn_op_name(&cn_op_info[c->in.opcode]), cn_valtype_name(expected),
                      c->height > 0 ? cn_valtype_name(found) : "nothing");
}

static bool pop_operands(struct constant *c, const struct op_info *info) {
    for (uint32_t i = info->operand_count; i > 0; i--)
        if (!pop_operand(c, info->operands[i - 1]))
            return false;
    return true;
}

/* Pops the operands of an instruction that makes a reference; *type is what it pushes. */
static bool apply_gc(struct constant *c, valtype *type) {
    struct gc_signature s;
    valtype top = c->height > 0 ? c->operands[c->height - 1] : VT_BOTTOM;
    if (!cn_gc_signature(c->m, &c->in, &s, c->d->error))
        return false;
    for (uint32_t i = s.count; i > 0; i--)
        if (!pop_operand(c, cn_gc_operand(&s, i - 1)))
            return false;
    *type = s.result | (s.keeps_non_null ? top & VT_NON_NULL : 0);
    return true;
}

static bool check_constant(struct constant *c) {
    const struct op_info *info = &cn_op_info[c->in.opcode];
    struct error *error = c->d->error;
    valtype type = VT_BOTTOM;
    if (!(info->flags & (OPF_CONSTANT | OPF_EXTENDED)))
        return cn_fail_at(error, CATNAP_INVALID, c->in.offset, "constant expression required: %s",
                          cn_op_name(info));
    if ((info->flags & OPF_EXTENDED) &&
        !cn_decode_need(c->d, CATNAP_FEATURE_EXTENDED_CONST, c->in.offset,
                        "arithmetic in a constant expression"))
        return false;
    if (cn_has_gc_signature(c->in.opcode) ? !apply_gc(c, &type)
                                          : !pop_operands(c, info) || !constant_type(c, &type))
        return false;
    if (c->height == LIMIT_CONSTANT_OPERANDS)
        return cn_fail_at(error, CATNAP_LIMIT, c->in.offset,
                          "constant expression: more operands at once than the limit of %u",
                          LIMIT_CONSTANT_OPERANDS);
    c->operands[c->height++] = type;
    return true;
}

/* Reads one expression, which can read so many of the first globals. */
static bool check_expr_at(struct module *m, struct decoder *d, uint32_t globals, valtype expected) {
    struct constant c; /* whose operands are written before they are read */
    uint32_t start = cn_decode_offset(d);
    c.m = m;
    c.d = d;
    c.globals = globals;
    for (c.height = 0;;) {
        if (!cn_decode_instruction(d, &c.in))
            return false;
        if (c.in.opcode == OP_end)
            break;
        if (!check_constant(&c))
            return false;
    }
    if (c.height != 1)
        return cn_fail_at(d->error, CATNAP_INVALID, start,
                          "type mismatch: constant expression of %u values instead of one %s",
                          c.height, cn_valtype_name(expected));
    return cn_valtype_matches(m->registry, c.operands[0], expected) ||
           cn_fail_at(d->error, CATNAP_INVALID, start,
                      "type mismatch: constant expression of %s expected, found %s",
                      cn_valtype_name(expected), cn_valtype_name(c.operands[0]));
}

static bool check_expr(struct module *m, const struct const_expr *expr, uint32_t globals,
                       valtype expected, struct error *error) {
    struct decoder d = decoder_of(m, expr->span, error);
    return check_expr_at(m, &d, globals, expected);
}

/* ---- Globals, initial values of tables, segments ---- */

static bool check_table_inits(struct module *m, struct error *error) {
    for (uint32_t i = m->imported_table_count; i < m->table_count; i++) {
        valtype element = m->tables[i].element;
        const struct const_expr *init = module_table_init(m, i);
        if (init) {
            if (!check_expr(m, init, m->imported_global_count, element, error))
                return false;
        } else if (element & VT_NON_NULL) {
            return cn_fail_at(error, CATNAP_INVALID, offset_of(m, EXTERN_TABLE, i),
                              "type mismatch: table %u of %s has no initial value", i,
                              cn_valtype_name(element));
        }
    }
    return true;
}

static bool check_globals(struct module *m, struct error *error) {
    for (uint32_t i = m->imported_global_count; i < m->global_count; i++)
        if (!check_expr(m, &m->globals[i].init, i, m->globals[i].type.type, error))
            return false;
    return true;
}

static bool check_elem_items(struct module *m, const struct elem_segment *elem,
                             struct error *error) {
    struct decoder d = decoder_of(m, elem->items, error);
    for (uint32_t i = 0; i < elem->count; i++) {
        uint32_t offset = cn_decode_offset(&d), func;
        if (elem->exprs) {
            if (!check_expr_at(m, &d, m->global_count, elem->type))
                return false;
            continue;
        }
        if (!cn_decode_u32(&d, &func, "function index"))
            return false;
        if (func >= m->func_count)
            return invalid_index(error, offset, "function", func, m->func_count);
        m->func_declared[func / 8] |= (uint8_t)(1u << func % 8);
    }
    return true;
}

static bool check_elem(struct module *m, const struct elem_segment *elem, struct error *error) {
    if (elem->mode == SEGMENT_ACTIVE) {
        uint32_t offset = elem->offset.span.offset;
        if (elem->table >= m->table_count)
            return invalid_index(error, offset, "table", elem->table, m->table_count);
        valtype type = m->tables[elem->table].element;
        if (!cn_valtype_matches(m->registry, elem->type, type))
            return cn_fail_at(error, CATNAP_INVALID, offset,
                              "type mismatch: element segment of %s for a table of %s",
                              cn_valtype_name(elem->type), cn_valtype_name(type));
        valtype index = limits_address(&m->tables[elem->table].limits);
        if (!check_expr(m, &elem->offset, m->global_count, index, error))
            return false;
    }
    return check_elem_items(m, elem, error);
}

static bool check_elems(struct module *m, struct error *error) {
    for (uint32_t i = 0; i < m->elem_count; i++)
        if (!check_elem(m, &m->elems[i], error))
            return false;
    return true;
}

static bool check_datas(struct module *m, struct error *error) {
    for (uint32_t i = 0; i < m->data_count; i++) {
        const struct data_segment *data = &m->datas[i];
        if (data->mode != SEGMENT_ACTIVE)
            continue;
        if (data->memory >= m->memory_count)
            return invalid_index(error, data->offset.span.offset, "memory", data->memory,
                                 m->memory_count);
        valtype address = limits_address(&m->memories[data->memory].limits);
        if (!check_expr(m, &data->offset, m->global_count, address, error))
            return false;
    }
    return true;
}

/* ---- Imports, exports, start ---- */

static bool check_mutable(const struct module *m, uint32_t global, struct span name,
                          const char *what, struct error *error) {
    if (!m->globals[global].type.is_mutable || module_may_use(m, CATNAP_FEATURE_MUTABLE_GLOBALS))
        return true;
    return cn_fail_at(error, CATNAP_UNSUPPORTED, name.offset,
                      "%s of a mutable global needs the feature mutable-globals, which is switched "
                      "off",
                      what);
}

static bool check_tags(const struct module *m, struct error *error) {
    for (uint32_t i = 0; i < m->tag_count; i++) {
        if (!check_functype(m, m->tag_types[i], EXTERN_TAG, i, error))
            return false;
        if (module_tag_type(m, i)->result_count > 0)
            return cn_fail_at(error, CATNAP_INVALID, offset_of(m, EXTERN_TAG, i),
                              "non-empty tag result type: tag %u", i);
    }
    return true;
}

static bool check_imports(const struct module *m, struct error *error) {
    for (uint32_t i = 0; i < m->import_count; i++)
        if (m->imports[i].kind == EXTERN_GLOBAL &&
            !check_mutable(m, m->imports[i].index, m->imports[i].name, "import", error))
            return false;
    return true;
}

static bool check_export(struct module *m, const struct export_ *export_, struct error *error) {
    static const char *const kinds[] = {"function", "table", "memory", "global", "tag"};
    const uint32_t counts[] = {m->func_count, m->table_count, m->memory_count, m->global_count,
                               m->tag_count};
    if (export_->index >= counts[export_->kind])
        return invalid_index(error, export_->name.offset, kinds[export_->kind], export_->index,
                             counts[export_->kind]);
    if (export_->kind == EXTERN_FUNC)
        m->func_declared[export_->index / 8] |= (uint8_t)(1u << export_->index % 8);
    return export_->kind != EXTERN_GLOBAL ||
           check_mutable(m, export_->index, export_->name, "export", error);
}

/* Enters export i in a hash table of export indices + 1; false when its name is there already. */
static bool enter_name(const struct module *m, uint32_t *table, size_t mask, uint32_t i) {
    struct span name = m->exports[i].name;
    const uint8_t *bytes = m->bytes + name.offset;
    size_t slot = (size_t)XXH3_64bits_withSeed(bytes, name.length, (uintptr_t)table) & mask;
    for (; table[slot]; slot = (slot + 1) & mask) {
        struct span other = m->exports[table[slot] - 1].name;
        if (other.length == name.length && memcmp(m->bytes + other.offset, bytes, name.length) == 0)
            return false;
    }
    table[slot] = i + 1;
    return true;
}

static bool check_export_names(const struct module *m, struct error *error) {
    size_t room = 8;
    while (room < (size_t)m->export_count * 2)
        room *= 2;
    uint32_t *table = cn_calloc(m->alloc, room, sizeof *table);
    if (!table)
        return cn_fail_memory(error);
    bool unique = true;
    for (uint32_t i = 0; unique && i < m->export_count; i++) {
        struct span name = m->exports[i].name;
        unique = enter_name(m, table, room - 1, i);
        if (!unique)
            cn_fail_at(error, CATNAP_INVALID, name.offset, "duplicate export name \"%.*s\"",
                       name.length < 100 ? (int)name.length : 100,
                       (const char *)m->bytes + name.offset);
    }
    cn_free(m->alloc, table, room * sizeof *table);
    return unique;
}

static bool check_exports(struct module *m, struct error *error) {
    for (uint32_t i = 0; i < m->export_count; i++)
        if (!check_export(m, &m->exports[i], error))
            return false;
    return m->export_count < 2 || check_export_names(m, error);
}

static bool check_start(const struct module *m, struct error *error) {
    if (!m->has_start)
        return true;
    if (m->start >= m->func_count)
        return cn_fail_at(error, CATNAP_INVALID, section_offset(m, SECTION_START),
                          "unknown function %u as start: the module has %u", m->start,
                          m->func_count);
    const struct functype *type = module_func_type(m, m->start);
    char text[100];
    return (type->param_count == 0 && type->result_count == 0) ||
           cn_fail_at(error, CATNAP_INVALID, section_offset(m, SECTION_START),
                      "start function %u must be () -> (), it is %s", m->start,
                      cn_functype_format(type, text, sizeof text));
}

static bool check_declarations(struct module *m, struct error *error) {
    return check_types(m, error) && check_func_types(m, error) && check_tables(m, error) &&
           check_memories(m, error) && check_tags(m, error) && check_imports(m, error) &&
           check_exports(m, error) && check_start(m, error) && check_table_inits(m, error) &&
           check_globals(m, error) && check_elems(m, error);
}

bool cn_validate_before_code(struct module *m, struct error *error) {
    m->func_declared = cn_arena_calloc(&m->arena, m->func_count / 8 + 1, 1);
    if (!m->func_declared)
        return cn_fail_memory(error);
    return check_declarations(m, error);
}

bool cn_validate_after_code(struct module *m, struct error *error) {
    return check_datas(m, error);
}

bool cn_validate_declarations(struct module *m, struct error *error) {
    if (cn_validate_before_code(m, error) && cn_validate_after_code(m, error))
        return true;
    cn_prefer_malformed(m, error);
    return false;
}
