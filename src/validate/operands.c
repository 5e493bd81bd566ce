/* The types of locals and operands at places of a body, for those who have values and are to know what they may be. */
#include <stdlib.h>
#include <string.h>

#include "validate/validate.h"
#include "validate/validator.h"

struct asking {
    struct validator *v;
    struct operand_types *questions;
    size_t count, next;
};

static uint32_t operand_count(const struct validator *v) {
    return (uint32_t)(v->top - v->values) - (uint32_t)v->block_count;
}

/* A local that must not be read yet may be null, whatever its type says. */
static bool local_type(struct validator *v, uint32_t index, valtype *type) {
    if (!cn_local_type(v, index, type))
        return false;
    bool unwritten =
        vt_is_ref(*type) && (*type & VT_NON_NULL) && !(v->written[index / 8] >> (index % 8) & 1);
    if (unwritten)
        *type &= ~VT_NON_NULL;
    return true;
}

static bool answer(struct asking *a, struct operand_types *q) {
    struct validator *v = a->v;
    uint32_t at = 0;
    q->found = q->count == v->local_count + operand_count(v) && !cn_block(v, 0)->unreachable;
    for (; q->found && at < v->local_count; at++)
        if (!local_type(v, at, &q->types[at]))
            return false;
    for (const valtype *type = v->values; q->found && type < v->top; type++)
        if (*type != VT_BASE)
            q->types[at++] = *type;
    return true;
}

/* At the place of the next instruction, and, before the first one, at the byte before. */
static bool answer_here(struct asking *a, uint32_t before) {
    uint32_t offset = cn_decode_offset(&a->v->d);
    for (; a->next < a->count && a->questions[a->next].offset <= offset; a->next++)
        if (a->questions[a->next].offset + before >= offset && !answer(a, &a->questions[a->next]))
            return false;
    return true;
}

static bool ask(struct asking *a, uint32_t func, struct span body) {
    if (!cn_enter_body(a->v, func, body) || !answer_here(a, 1))
        return false;
    while (a->next < a->count && a->v->block_count > 0)
        if (!cn_validate_instruction(a->v) || (a->v->block_count > 0 && !answer_here(a, 0)))
            return false;
    return true;
}

static int compare(const void *left, const void *right) {
    const struct operand_types *a = left, *b = right;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

bool cn_find_operand_types(const struct module *m, uint32_t func, struct operand_types *questions,
                           size_t count, struct error *error) {
    struct validator *v = cn_make_validator(m, error);
    struct asking asking = {v, questions, count, 0};
    if (!v)
        return false;
    qsort(questions, count, sizeof *questions, compare);
    bool ok = ask(&asking, func, cn_module_body(m, func));
    cn_drop_validator(v);
    return ok;
}
