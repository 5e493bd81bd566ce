/* Blocks and branches. */
#include "binary/walk.h"
#include "validate/validator.h"

struct types cn_block_params(const struct validator *v, const struct block *block) {
    if (!block->has_index || block->kind == BLOCK_FUNCTION)
        return (struct types){NULL, 0};
    const struct functype *type = module_functype(v->m, block->type);
    return (struct types){ft_params(type), type->param_count};
}

struct types cn_block_results(const struct validator *v, const struct block *block) {
    if (!block->has_index)
        return (struct types){&block->type, block->type != VT_BOTTOM};
    const struct functype *type = module_functype(v->m, block->type);
    return (struct types){ft_results(type), type->result_count};
}

/* The types of the operands that a branch to the block carries. */
static struct types label_types(const struct validator *v, const struct block *block) {
    return block->kind == BLOCK_LOOP ? cn_block_params(v, block) : cn_block_results(v, block);
}

bool cn_push_block(struct validator *v, struct block block) {
    void *blocks = v->blocks;
    if (!cn_grow(v->alloc, &blocks, &v->block_room, v->block_count + 1, sizeof *v->blocks))
        return cn_fail_memory(v->d.error);
    v->blocks = blocks;
    v->blocks[v->block_count++] = block;
    return true;
}

/* A type index that says no more than a value type would becomes one: branches are faster then. */
static void simplify(const struct validator *v, struct block *block) {
    struct types params = cn_block_params(v, block), results = cn_block_results(v, block);
    if (params.count > 0 || results.count > 1)
        return;
    block->has_index = false;
    block->type = results.count ? results.types[0] : VT_BOTTOM;
}

bool cn_enter_block(struct validator *v, enum block_kind kind, bool has_index, uint32_t type) {
    struct block block = {.kind = kind, .has_index = has_index, .type = type};
    if (has_index)
        simplify(v, &block);
    struct types params = cn_block_params(v, &block);
    if (v->block_count > 0 && !cn_pop_types(v, params))
        return false;
    block.base = (uint32_t)(v->top - v->values);
    return cn_push_block(v, block) && cn_push(v, VT_BASE) && cn_push_types(v, params);
}

static bool validate_block(struct validator *v, enum block_kind kind) {
    int64_t type = (int64_t)v->in.value;
    if (kind == BLOCK_IF && !cn_pop(v, VT_I32))
        return false;
    if (type == BLOCK_EMPTY)
        return cn_enter_block(v, kind, false, VT_BOTTOM);
    if (type < 0)
        return cn_enter_block(v, kind, false, block_valtype(type));
    if (type >= v->m->type_count)
        return cn_invalid(v, "unknown type %lld: the module has %u", (long long)type,
                          v->m->type_count);
    if (!module_has_functype(v->m, (uint32_t)type))
        return cn_invalid(v, "type mismatch: the block type %lld is not a function type",
                          (long long)type);
    return cn_enter_block(v, kind, true, (uint32_t)type);
}

static bool find_label(struct validator *v, uint32_t label, struct types *types) {
    if (label >= v->block_count)
        return cn_invalid(v, "unknown label %u: %zu blocks are open", label, v->block_count);
    *types = label_types(v, cn_block(v, label));
    return true;
}

/* ---- exceptions ---- */

static bool check_tag(struct validator *v, uint32_t tag) {
    return tag < v->m->tag_count ||
           cn_invalid(v, "unknown tag %u: the module has %u", tag, v->m->tag_count);
}

/* Whether the label, from outside of the try_table, takes what an exception carries, and the reference. */
static bool check_catch(struct validator *v, struct catch_clause clause) {
    struct types label = {NULL, 0}, payload = {NULL, 0};
    if (!(clause.kind & CATCH_ALL)) {
        if (!check_tag(v, clause.tag))
            return false;
        const struct functype *type = module_tag_type(v->m, clause.tag);
        payload = (struct types){ft_params(type), type->param_count};
    }
    if (!find_label(v, clause.label, &label))
        return false;
    bool fits = true, match;
    if ((clause.kind & CATCH_REF) && label.count > 0)
        fits =
            cn_valtype_matches(v->m->registry, VT_EXNREF | VT_NON_NULL, label.types[--label.count]);
    else
        fits = !(clause.kind & CATCH_REF);
    if (!cn_compare_types(v, payload, label, &match))
        return false;
    return (fits && match) ||
           cn_invalid(v, "type mismatch: the label %u of a catch clause takes other values",
                      clause.label);
}

static bool check_clauses(const struct validator *v, uint32_t clauses) {
    return clauses <= LIMIT_CATCH_CLAUSES ||
           cn_fail_at(v->d.error, CATNAP_LIMIT, v->in.offset,
                      "more catch clauses in nested blocks than the limit of %u",
                      LIMIT_CATCH_CLAUSES);
}

static bool validate_try_table(struct validator *v) {
    const uint8_t *at = v->in.bytes;
    for (uint32_t i = 0; i < v->in.a; i++)
        if (!check_catch(v, cn_catch_valid(&at)))
            return false;
    if (!check_clauses(v, v->in.a) || !validate_block(v, BLOCK_PLAIN))
        return false;
    cn_block(v, 0)->clauses = (uint16_t)v->in.a;
    return true;
}

/* Counts as a clause, whether or not it catches anything. */
static bool validate_try(struct validator *v) {
    if (!validate_block(v, BLOCK_TRY))
        return false;
    cn_block(v, 0)->clauses = 1;
    return true;
}

static bool validate_throw(struct validator *v) {
    if (!check_tag(v, v->in.a))
        return false;
    const struct functype *type = module_tag_type(v->m, v->in.a);
    if (!cn_pop_types(v, (struct types){ft_params(type), type->param_count}))
        return false;
    cn_set_unreachable(v);
    return true;
}

static bool validate_throw_ref(struct validator *v) {
    if (!cn_pop(v, VT_EXNREF))
        return false;
    cn_set_unreachable(v);
    return true;
}

static bool validate_rethrow(struct validator *v) {
    struct types types;
    if (!find_label(v, v->in.a, &types))
        return false;
    if (cn_block(v, v->in.a)->kind != BLOCK_CATCH && cn_block(v, v->in.a)->kind != BLOCK_CATCH_ALL)
        return cn_invalid(v, "rethrow: label %u is not that of a catch block", v->in.a);
    cn_set_unreachable(v);
    return true;
}

/* The operands of the innermost block must be its results, and no more. */
static bool check_block_end(struct validator *v) {
    if (!cn_pop_types(v, cn_block_results(v, cn_block(v, 0))))
        return false;
    size_t extra = (size_t)(v->top - v->values) - cn_block(v, 0)->base - 1;
    if (extra > 0)
        return cn_invalid(v,
                          "type mismatch: %zu extra value%s on the stack at the end of the block",
                          extra, extra == 1 ? "" : "s");
    return true;
}

bool cn_turn_block(struct validator *v, struct block *block) {
    uint32_t opcode = v->in.opcode, kind = block->kind;
    bool fits = opcode == OP_else_      ? kind == BLOCK_IF
                : opcode == OP_delegate ? kind == BLOCK_TRY
                                        : kind == BLOCK_TRY || kind == BLOCK_CATCH;
    if (!fits)
        return cn_fail_at(v->d.error, CATNAP_MALFORMED, v->in.offset, "%s without %s",
                          cn_op_name(&cn_op_info[opcode]), opcode == OP_else_ ? "if" : "try");
    block->kind = opcode == OP_catch_      ? BLOCK_CATCH
                  : opcode == OP_catch_all ? BLOCK_CATCH_ALL
                                           : BLOCK_PLAIN;
    return true;
}

/* Another part of the same block begins, as what cn_turn_block() makes of it, if its operands so far are its results. */
static bool begin_part(struct validator *v) {
    if (!cn_turn_block(v, cn_block(v, 0)) || !check_block_end(v))
        return false;
    cn_forget_writes(v);
    cn_block(v, 0)->unreachable = 0;
    return true;
}

static bool validate_else(struct validator *v) {
    return begin_part(v) && cn_push_types(v, cn_block_params(v, cn_block(v, 0)));
}

/* The body is within the clauses, catch blocks are not. */
static bool validate_catch(struct validator *v) {
    struct types values = {NULL, 0};
    struct block *block = cn_block(v, 0);
    uint32_t clauses = block->clauses + 1u + (block->kind == BLOCK_TRY ? block->inside : 0u);
    if (block->kind == BLOCK_TRY)
        block->inside = 0;
    if (!begin_part(v) || !check_clauses(v, clauses))
        return false;
    block->clauses = (uint16_t)clauses;
    if (v->in.opcode == OP_catch_) {
        if (!check_tag(v, v->in.a))
            return false;
        const struct functype *type = module_tag_type(v->m, v->in.a);
        values = (struct types){ft_params(type), type->param_count};
    }
    return cn_push_types(v, values);
}

/* Tells the block around it how many clauses a throw in the block that ends may have to look at. */
static bool count_clauses(struct validator *v) {
    const struct block *block = cn_block(v, 0);
    uint32_t clauses = block->clauses, inside = block->inside;
    if (block->kind != BLOCK_CATCH && block->kind != BLOCK_CATCH_ALL)
        clauses += inside;
    else if (clauses < inside)
        clauses = inside;
    if (!check_clauses(v, clauses))
        return false;
    if (v->block_count > 1 && cn_block(v, 1)->inside < clauses)
        cn_block(v, 1)->inside = (uint16_t)clauses;
    return true;
}

static bool validate_end(struct validator *v) {
    if (!check_block_end(v) || !count_clauses(v))
        return false;
    const struct block *block = cn_block(v, 0);
    struct types results = cn_block_results(v, block);
    /* An if without else hands its parameters on as its results. */
    bool match = true;
    if (block->kind == BLOCK_IF && !cn_compare_types(v, cn_block_params(v, block), results, &match))
        return false;
    if (!match)
        return cn_invalid(
            v, "type mismatch: an if without else must have equal parameter and result types");
    cn_forget_writes(v);
    v->top--; /* the mark */
    v->block_count--;
    return v->block_count == 0 || cn_push_types(v, results);
}

/* The label is counted from outside of the block that ends. */
static bool validate_delegate(struct validator *v) {
    if (!cn_turn_block(v, cn_block(v, 0)))
        return false;
    if (v->in.a >= v->block_count - 1)
        return cn_invalid(v, "unknown label %u: %zu blocks are open around the try block", v->in.a,
                          v->block_count - 1);
    return validate_end(v);
}

static bool validate_br(struct validator *v) {
    struct types types = {NULL, 0};
    if (!find_label(v, v->in.a, &types) || !cn_pop_types(v, types))
        return false;
    cn_set_unreachable(v);
    return true;
}

static bool validate_br_if(struct validator *v) {
    struct types types = {NULL, 0};
    return cn_pop(v, VT_I32) && find_label(v, v->in.a, &types) && cn_pop_types(v, types) &&
           cn_push_types(v, types);
}

static bool validate_br_on_null(struct validator *v) {
    struct types types = {NULL, 0};
    valtype reference;
    return cn_pop_reference(v, &reference) && find_label(v, v->in.a, &types) &&
           cn_pop_types(v, types) && cn_push_types(v, types) && cn_push(v, cn_non_null(reference));
}

static bool validate_br_on_non_null(struct validator *v) {
    struct types types = {NULL, 0};
    if (!find_label(v, v->in.a, &types))
        return false;
    valtype last = types.count ? types.types[types.count - 1] : VT_BOTTOM;
    if (!vt_is_ref(last))
        return cn_invalid(v,
                          "type mismatch: br_on_non_null to a label that takes no reference last");
    types.count--;
    return cn_pop(v, last & ~VT_NON_NULL) && cn_pop_types(v, types) && cn_push_types(v, types);
}

/* A branch is taken with the type to, and not taken with the rest of the type from; or the other way round. */
static bool validate_br_on_cast(struct validator *v) {
    valtype to = (valtype)v->in.value, from = (valtype)(v->in.value >> 32);
    valtype rest = to & VT_NON_NULL ? from : from | VT_NON_NULL;
    bool on_fail = v->in.opcode == OP_br_on_cast_fail;
    struct types types = {NULL, 0};
    if (!find_label(v, v->in.a, &types))
        return false;
    if (!cn_valtype_matches(v->m->registry, to, from))
        return cn_invalid(v, "type mismatch: %s from %s to %s, which is no subtype",
                          cn_op_name(&cn_op_info[v->in.opcode]), cn_valtype_name(from),
                          cn_valtype_name(to));
    valtype last = types.count ? types.types[types.count - 1] : VT_BOTTOM;
    if (!types.count || !cn_valtype_matches(v->m->registry, on_fail ? rest : to, last))
        return cn_invalid(v, "type mismatch: %s to a label that takes no such reference last",
                          cn_op_name(&cn_op_info[v->in.opcode]));
    types.count--;
    return cn_pop(v, from) && cn_pop_types(v, types) && cn_push_types(v, types) &&
           cn_push(v, on_fail ? to : rest);
}

static bool validate_br_table(struct validator *v) {
    const uint8_t *at = v->in.bytes;
    struct types types = {NULL, 0}, last = types;
    if (!cn_pop(v, VT_I32))
        return false;
    for (uint64_t i = 0; i <= v->in.a; i++) {
        if (!find_label(v, cn_u32_valid(&at), &types))
            return false;
        if (i > 0 && types.types == last.types && types.count == last.count)
            continue;
        if (i > 0 && types.count != last.count)
            return cn_invalid(v, "type mismatch: br_table's labels take %u and %u values",
                              last.count, types.count);
        if (!cn_check_types(v, types))
            return false;
        last = types;
    }
    cn_set_unreachable(v);
    return true;
}

static bool validate_return(struct validator *v) {
    if (!cn_pop_types(v, cn_block_results(v, &v->blocks[0])))
        return false;
    cn_set_unreachable(v);
    return true;
}

bool cn_validate_tail_call(struct validator *v, struct types results) {
    bool match;
    if (!cn_compare_types(v, results, cn_block_results(v, &v->blocks[0]), &match))
        return false;
    if (!match)
        return cn_invalid(v, "type mismatch: %s of a function whose results are not the caller's",
                          cn_op_name(&cn_op_info[v->in.opcode]));
    cn_set_unreachable(v);
    return true;
}

bool cn_validate_control(struct validator *v) {
    switch (v->in.opcode) {
    case OP_block:
        return validate_block(v, BLOCK_PLAIN);
    case OP_loop:
        return validate_block(v, BLOCK_LOOP);
    case OP_if_:
        return validate_block(v, BLOCK_IF);
    case OP_else_:
        return validate_else(v);
    case OP_end:
        return validate_end(v);
    case OP_br:
        return validate_br(v);
    case OP_br_if:
        return validate_br_if(v);
    case OP_br_on_null:
        return validate_br_on_null(v);
    case OP_br_on_non_null:
        return validate_br_on_non_null(v);
    case OP_br_on_cast:
    case OP_br_on_cast_fail:
        return validate_br_on_cast(v);
    case OP_br_table:
        return validate_br_table(v);
    case OP_return_:
        return validate_return(v);
    case OP_try_table:
        return validate_try_table(v);
    case OP_try_:
        return validate_try(v);
    case OP_catch_:
    case OP_catch_all:
        return validate_catch(v);
    case OP_delegate:
        return validate_delegate(v);
    case OP_rethrow:
        return validate_rethrow(v);
    case OP_throw_:
        return validate_throw(v);
    case OP_throw_ref:
        return validate_throw_ref(v);
    case OP_unreachable:
        cn_set_unreachable(v);
        return true;
    case OP_nop:
        return true;
    default:
        return cn_unknown_instruction(v);
    }
}
