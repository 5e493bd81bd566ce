/* The stack of value types. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "validate/validator.h"

bool cn_invalid(struct validator *v, const char *format, ...) {
    char message[sizeof v->d.error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return cn_fail_at(v->d.error, CATNAP_INVALID, v->in.offset, "%s", message);
}

bool cn_unknown_instruction(struct validator *v) {
    CN_ASSERT(!"the validator has a case for each instruction that is not plain");
    return cn_fail_at(v->d.error, CATNAP_UNSUPPORTED, v->in.offset,
                      "internal error: no validation of %s", cn_op_name(&cn_op_info[v->in.opcode]));
}

bool cn_reserve_values(struct validator *v, size_t more) {
    size_t count = (size_t)(v->top - v->values);
    if (count + more > v->value_limit)
        return cn_fail_at(v->d.error, CATNAP_LIMIT, v->in.offset,
                          "the operand stack is higher than the limit of %zu", v->value_limit);
    void *values = v->values;
    if (!cn_grow(v->alloc, &values, &v->value_room, count + more, sizeof *v->values))
        return cn_fail_memory(v->d.error);
    v->values = values;
    v->top = v->values + count;
    v->value_end = v->value_room < v->value_limit ? v->value_room : v->value_limit;
    return true;
}

static inline bool has_room(struct validator *v, size_t more) {
    return v->value_end - (size_t)(v->top - v->values) >= more || cn_reserve_values(v, more);
}

bool cn_push(struct validator *v, valtype type) {
    if (!has_room(v, 1))
        return false;
    *v->top++ = type;
    return true;
}

bool cn_push_types(struct validator *v, struct types types) {
    if (!has_room(v, types.count))
        return false;
    if (types.count)
        memcpy(v->top, types.types, types.count * sizeof *types.types);
    v->top += types.count;
    return true;
}

/* The type `depth` below the top, or VT_BASE where the block's operands end. */
static valtype peek(const struct validator *v, uint32_t depth) {
    const valtype *base = v->values + v->blocks[v->block_count - 1].base;
    return (size_t)(v->top - base) > (size_t)depth + 1 ? v->top[-1 - (ptrdiff_t)depth] : VT_BASE;
}

static bool mismatch(struct validator *v, valtype expected, valtype found) {
    const char *name = cn_op_name(&cn_op_info[v->in.opcode]);
    const char *wanted = expected == VT_BOTTOM ? "a value" : cn_valtype_name(expected);
    if (found == VT_BASE)
        return cn_invalid(v, "type mismatch: %s expects %s, but there is nothing on the stack",
                          name, wanted);
    return cn_invalid(v, "type mismatch: %s expects %s, found %s", name, wanted,
                      cn_valtype_name(found));
}

/* Whether `found` may stand where `expected` is wanted. */
static bool matches(const struct validator *v, valtype expected, valtype found) {
    if (found == VT_BASE)
        return v->blocks[v->block_count - 1].unreachable;
    if (expected == VT_BOTTOM)
        return true;
    return found == VT_BOTTOM_REF ? vt_is_ref(expected)
                                  : cn_valtype_matches(v->m->registry, found, expected);
}

bool cn_pop(struct validator *v, valtype expected) {
    valtype found = v->top[-1];
    if (!matches(v, expected, found))
        return mismatch(v, expected, found);
    v->top -= found != VT_BASE;
    return true;
}

bool cn_pop_any(struct validator *v, valtype *actual) {
    *actual = v->top[-1] == VT_BASE ? VT_BOTTOM : v->top[-1];
    return cn_pop(v, VT_BOTTOM);
}

bool cn_pop_reference(struct validator *v, valtype *type) {
    if (!cn_pop_any(v, type))
        return false;
    if (*type == VT_BOTTOM)
        *type = VT_BOTTOM_REF;
    return cn_is_reference(*type) ||
           cn_invalid(v, "type mismatch: %s expects a reference, found %s",
                      cn_op_name(&cn_op_info[v->in.opcode]), cn_valtype_name(*type));
}

/* ---- Several types ---- */

/* Before so many are compared one by one. */
static bool spend_comparisons(struct validator *v, uint64_t count) {
    if (count > v->comparisons)
        return cn_fail_at(v->d.error, CATNAP_LIMIT, v->in.offset,
                          "%s: more types of operands are compared than the limit of %u for each "
                          "byte of the function",
                          cn_op_name(&cn_op_info[v->in.opcode]), LIMIT_COMPARISONS_OF_BYTE);
    v->comparisons -= count;
    return true;
}

static bool equal_types(const valtype *a, const valtype *b, size_t count) {
    return count == 0 || memcmp(a, b, count * sizeof *a) == 0;
}

/* The operands of the innermost block. */
static size_t held_operands(const struct validator *v) {
    return (size_t)(v->top - v->values) - v->blocks[v->block_count - 1].base - 1;
}

bool cn_count_operands(struct validator *v, uint32_t count) {
    size_t held = held_operands(v);
    return spend_comparisons(v, held < count ? held : count);
}

/* Types that are all there, by far the most frequent case, are compared in one go: with a thousand
 * parameters and two bytes for a call, one by one would take minutes for a large module. Where unreachable code has
 * fewer, those that are missing match. */
bool cn_check_types(struct validator *v, struct types types) {
    size_t held = held_operands(v);
    if (held >= types.count && equal_types(v->top - types.count, types.types, types.count))
        return true;
    if (!cn_count_operands(v, types.count))
        return false;
    for (uint32_t i = 0; i < types.count && i <= held; i++) {
        valtype expected = types.types[types.count - 1 - i], found = peek(v, i);
        if (!matches(v, expected, found))
            return mismatch(v, expected, found);
    }
    return true;
}

bool cn_compare_types(struct validator *v, struct types a, struct types b, bool *match) {
    *match = a.count == b.count;
    if (!*match || equal_types(a.types, b.types, a.count))
        return true;
    if (!spend_comparisons(v, a.count))
        return false;
    for (uint32_t i = 0; i < a.count && *match; i++)
        *match = cn_valtype_matches(v->m->registry, a.types[i], b.types[i]);
    return true;
}

bool cn_pop_types(struct validator *v, struct types types) {
    if (!cn_check_types(v, types))
        return false;
    size_t held = (size_t)(v->top - v->values) - v->blocks[v->block_count - 1].base - 1;
    v->top -= held < types.count ? held : types.count;
    return true;
}

void cn_set_unreachable(struct validator *v) {
    struct block *block = cn_block(v, 0);
    v->top = v->values + block->base + 1;
    block->unreachable = 1;
}
