/*
 * The loop over a body's instructions. It knows the frequent instructions in their frequent forms:
 * operands that lie on the stack with exactly the expected types. A step that finds anything else -
 * unreachable code, a rare immediate, the end of memory, an error - changes nothing and returns
 * false, and cn_validate_instruction() takes the same instruction from its start.
 *
 * So nothing here reports an error, and leaving a step out makes validation slower, never wrong.
 */
#include "validate/validator.h"

/* What the steps need, in registers. */
struct cursor {
    const uint8_t *at;
    valtype *top;
    const valtype *limit; /* the end of the room for values */
};

/* The longest instruction that a step reads; steps may read past the body's end, never past the
 * module's. */
#define LONGEST_STEP 16

#define STEP static inline __attribute__((always_inline)) bool

/* ---- Immediates ---- */

STEP read_u32(const uint8_t **at, uint32_t *value) {
    const uint8_t *p = *at;
    uint32_t result = *p++;
    if (__builtin_expect(result >= 0x80, 0)) {
        result &= 0x7F;
        uint32_t shift = 7;
        while (*p >= 0x80 && shift < 28) {
            result |= (uint32_t)(*p++ & 0x7F) << shift;
            shift += 7;
        }
        if (shift == 28 && *p > 0x0F)
            return false;
        result |= (uint32_t)*p++ << shift;
    }
    *at = p;
    *value = result;
    return true;
}

/* A signed number that is encoded in fewer bytes than the most cannot be too large. */
STEP skip_signed(const uint8_t **at, uint32_t longest) {
    const uint8_t *p = *at;
    while (*p >= 0x80)
        if (++p == *at + longest - 1)
            return false;
    *at = p + 1;
    return true;
}

/* A 32-bit number of the full five bytes is frequent: linkers leave room for relocations. */
STEP skip_s32(const uint8_t **at) {
    if (skip_signed(at, 5))
        return true;
    uint8_t last = (*at)[4] & 0xF8;
    if (last != 0 && last != 0x78)
        return false;
    *at += 5;
    return true;
}

/* ---- Plain instructions, with what the opcode table says of them as constants ---- */

STEP skip_immediates(const struct validator *v, struct cursor *c, enum immediate immediate) {
    uint32_t offset;
    switch (immediate) {
    case IMM_NONE:
        return true;
    case IMM_I32:
        return skip_s32(&c->at);
    case IMM_I64:
        return skip_signed(&c->at, 10);
    case IMM_F32:
        c->at += 4;
        return true;
    case IMM_F64:
        c->at += 8;
        return true;
    case IMM_MEM0:
    case IMM_MEM1:
    case IMM_MEM2:
    case IMM_MEM3:
    case IMM_MEM4:
        return *c->at++ <= immediate - IMM_MEM0 && v->m->memory_count > 0 &&
               read_u32(&c->at, &offset);
    default:
        return false;
    }
}

STEP push(struct cursor *c, valtype type) {
    if (__builtin_expect(c->top == c->limit, 0))
        return false;
    *c->top++ = type;
    return true;
}

/* From operands a and b, or a alone, or none, to a result or none. */
STEP apply(struct cursor *c, uint8_t a, uint8_t b, uint8_t result) {
    if (a == OPT__)
        return result == OPT_NOTHING || push(c, result);
    valtype *top = c->top - 1;
    if (b != OPT__ && *top-- != b)
        return false;
    if (*top != a)
        return false;
    if (result != OPT_NOTHING)
        *top++ = result;
    c->top = top;
    return true;
}

STEP step_plain(const struct validator *v, struct cursor *c, enum immediate immediate,
                bool needs_feature, uint8_t result, uint8_t a, uint8_t b) {
    return !needs_feature && skip_immediates(v, c, immediate) && apply(c, a, b, result);
}

/* ---- Variables, drop, select ---- */

STEP step_local_get(const struct validator *v, struct cursor *c) {
    uint32_t index;
    return read_u32(&c->at, &index) && index < v->flat_count && push(c, v->flat[index]);
}

STEP step_local_tee(const struct validator *v, struct cursor *c) {
    uint32_t index;
    return read_u32(&c->at, &index) && index < v->flat_count && c->top[-1] == v->flat[index];
}

STEP step_local_set(const struct validator *v, struct cursor *c) {
    if (!step_local_tee(v, c))
        return false;
    c->top--;
    return true;
}

STEP step_global_get(const struct validator *v, struct cursor *c) {
    uint32_t index;
    return read_u32(&c->at, &index) && index < v->m->global_count &&
           push(c, v->m->globals[index].type.type);
}

STEP step_global_set(const struct validator *v, struct cursor *c) {
    uint32_t index;
    if (!read_u32(&c->at, &index) || index >= v->m->global_count ||
        !v->m->globals[index].type.is_mutable || c->top[-1] != v->m->globals[index].type.type)
        return false;
    c->top--;
    return true;
}

STEP step_drop(struct cursor *c) {
    if (c->top[-1] == VT_BASE)
        return false;
    c->top--;
    return true;
}

STEP step_select(struct cursor *c) {
    if (c->top[-1] != VT_I32 || !vt_is_num(c->top[-2]) || c->top[-2] != c->top[-3])
        return false;
    c->top -= 2;
    return true;
}

/* ---- Control ---- */

/* The block that a branch goes to, when it carries at most one value. */
STEP read_label(const struct validator *v, struct cursor *c, valtype *carried) {
    uint32_t label;
    if (!read_u32(&c->at, &label) || label >= v->block_count)
        return false;
    struct block block = v->blocks[v->block_count - 1 - label];
    *carried = block.kind == BLOCK_LOOP ? VT_BOTTOM : block.type;
    return !block.has_index;
}

STEP step_br(struct validator *v, struct cursor *c) {
    valtype carried;
    if (!read_label(v, c, &carried) || (carried != VT_BOTTOM && c->top[-1] != carried))
        return false;
    struct block *block = &v->blocks[v->block_count - 1];
    block->unreachable = 1;
    c->top = v->values + block->base + 1;
    return true;
}

STEP step_br_if(struct validator *v, struct cursor *c) {
    valtype carried;
    if (!read_label(v, c, &carried) || c->top[-1] != VT_I32 ||
        (carried != VT_BOTTOM && c->top[-2] != carried))
        return false;
    c->top--;
    return true;
}

/* A block that takes nothing and results in nothing or a number. */
STEP step_block(struct validator *v, struct cursor *c, enum block_kind kind) {
    uint8_t type = *c->at++;
    if ((type != (BLOCK_EMPTY & 0x7F) && !vt_is_num(type)) || v->block_count == v->block_room ||
        c->top == c->limit)
        return false;
    if (kind == BLOCK_IF) {
        if (c->top[-1] != VT_I32)
            return false;
        c->top--;
    }
    v->blocks[v->block_count++] = (struct block){
        .base = (uint32_t)(c->top - v->values),
        .kind = kind,
        .type = type == (BLOCK_EMPTY & 0x7F) ? VT_BOTTOM : type,
    };
    *c->top++ = VT_BASE;
    return true;
}

STEP step_end(struct validator *v, struct cursor *c) {
    struct block block = v->blocks[v->block_count - 1];
    if (block.has_index || block.kind == BLOCK_FUNCTION)
        return false;
    if (block.type == VT_BOTTOM) {
        if (c->top[-1] != VT_BASE)
            return false;
    } else {
        if (c->top[-1] != block.type || c->top[-2] != VT_BASE || block.kind == BLOCK_IF)
            return false;
        c->top[-2] = block.type;
    }
    c->top--;
    v->block_count--;
    return true;
}

STEP step_call(const struct validator *v, struct cursor *c) {
    uint32_t func;
    if (!read_u32(&c->at, &func) || func >= v->m->func_count)
        return false;
    const struct functype *type = module_func_type(v->m, func);
    if (type->result_count > 1 || c->top == c->limit)
        return false;
    const valtype *param = ft_results(type);
    valtype *top = c->top;
    for (uint32_t i = type->param_count; i > 0; i--)
        if (*--top != *--param)
            return false;
    if (type->result_count)
        *top++ = *ft_results(type);
    c->top = top;
    return true;
}

/* ---- The loop ---- */

/* The case of an instruction that the opcode table describes whole. */
#define NEEDS_MVP false
#define NEEDS_SIGN_EXTENSION true
#define NEEDS_SATURATING_CONVERSIONS true
#define NEEDS_BULK_MEMORY true
#define NEEDS_REFERENCE_TYPES true
#define NEEDS_SIMD true
#define OPERAND_1(a, ...) OPT_##a
#define OPERAND_2(a, b, ...) OPT_##b
#define CASE_PLAIN(code, imm, needed, result, ...)                                                 \
    case code:                                                                                     \
        return step_plain(v, c, IMM_##imm, NEEDS_##needed, OPT_##result,                           \
                          OPERAND_1(__VA_ARGS__, _), OPERAND_2(__VA_ARGS__, _, _));
#define CASE_SPECIAL(...)
#define CASE_NOTHING CASE_PLAIN
#define CASE_I32 CASE_PLAIN
#define CASE_I64 CASE_PLAIN
#define CASE_F32 CASE_PLAIN
#define CASE_F64 CASE_PLAIN
#define CASE_V128 CASE_PLAIN

/*
 * One case for each opcode, also where several do the same: what came before then tells a processor
 * most about what comes next, and the types are constants.
 */
STEP step(struct validator *v, struct cursor *c) {
    switch ((uint32_t)*c->at++) {
    case OP_local_get:
        return step_local_get(v, c);
    case OP_local_set:
        return step_local_set(v, c);
    case OP_local_tee:
        return step_local_tee(v, c);
    case OP_global_get:
        return step_global_get(v, c);
    case OP_global_set:
        return step_global_set(v, c);
    case OP_drop:
        return step_drop(c);
    case OP_select:
        return step_select(c);
    case OP_br:
        return step_br(v, c);
    case OP_br_if:
        return step_br_if(v, c);
    case OP_block:
        return step_block(v, c, BLOCK_PLAIN);
    case OP_loop:
        return step_block(v, c, BLOCK_LOOP);
    case OP_if_:
        return step_block(v, c, BLOCK_IF);
    case OP_end:
        return step_end(v, c);
    case OP_call:
        return step_call(v, c);
#define OP(code, id, name, imm, needed, result, ...)                                               \
    CASE_##result(code, imm, needed, result, __VA_ARGS__)
#include "binary/opcodes.def"
#undef OP

    default:
        return false;
    }
}

/* Where steps must stop reading instructions: at the body's end, and short of the module's. */
static const uint8_t *steps_end(const struct validator *v) {
    const uint8_t *module_end = v->m->bytes + v->m->size;
    if (v->m->size < LONGEST_STEP)
        return v->m->bytes;
    return v->d.r.end < module_end - LONGEST_STEP ? v->d.r.end : module_end - LONGEST_STEP;
}

/* Takes steps as far as they go. */
static void take_steps(struct validator *v, const uint8_t *stop) {
    struct cursor c = {v->d.r.at, v->top, v->values + v->value_end}, before = c;
    while (c.at < stop) {
        before = c;
        if (!step(v, &c)) {
            c = before;
            break;
        }
    }
    if (c.at > v->d.r.end) /* the last step read past the body: that is for an error */
        c = before;
    v->d.r.at = c.at;
    v->top = c.top;
}

bool cn_validate_code(struct validator *v) {
    const uint8_t *stop = steps_end(v);
    do {
        take_steps(v, stop);
        if (!cn_validate_instruction(v))
            return false;
    } while (v->block_count > 0);
    return cn_decode_left(&v->d) == 0 ||
           cn_decode_fail(&v->d, "function body: %zu bytes after the final end",
                          cn_decode_left(&v->d));
}
