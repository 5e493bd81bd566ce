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

/* ---- Plain instructions ---- */

STEP push(struct cursor *c, valtype type) {
    if (__builtin_expect(c->top == c->limit, 0))
        return false;
    *c->top++ = type;
    return true;
}

STEP step_unary(struct cursor *c, valtype operand, valtype result) {
    if (c->top[-1] != operand)
        return false;
    c->top[-1] = result;
    return true;
}

STEP step_binary(struct cursor *c, valtype first, valtype second, valtype result) {
    if (c->top[-1] != second || c->top[-2] != first)
        return false;
    c->top--;
    c->top[-1] = result;
    return true;
}

STEP step_memarg(const struct validator *v, struct cursor *c, uint32_t natural) {
    uint32_t offset;
    return *c->at++ <= natural && v->m->memory_count > 0 && read_u32(&c->at, &offset);
}

STEP step_load(const struct validator *v, struct cursor *c, uint32_t natural, valtype result) {
    return step_memarg(v, c, natural) && step_unary(c, VT_I32, result);
}

STEP step_store(const struct validator *v, struct cursor *c, uint32_t natural, valtype value) {
    if (!step_memarg(v, c, natural) || c->top[-1] != value || c->top[-2] != VT_I32)
        return false;
    c->top -= 2;
    return true;
}

STEP step_const(struct cursor *c, uint32_t immediate, valtype type) {
    switch (immediate) {
    case IMM_I32:
        return skip_s32(&c->at) && push(c, type);
    case IMM_I64:
        return skip_signed(&c->at, 10) && push(c, type);
    default:
        c->at += immediate == IMM_F32 ? 4 : 8;
        return push(c, type);
    }
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

enum shape {
    SHAPE_OTHER,
    SHAPE_UNARY,
    SHAPE_BINARY,
    SHAPE_LOAD,
    SHAPE_STORE,
    SHAPE_CONST,
    SHAPE_LOCAL_GET,
    SHAPE_LOCAL_SET,
    SHAPE_LOCAL_TEE,
    SHAPE_GLOBAL_GET,
    SHAPE_GLOBAL_SET,
    SHAPE_DROP,
    SHAPE_SELECT,
    SHAPE_BR,
    SHAPE_BR_IF,
    SHAPE_BLOCK,
    SHAPE_LOOP,
    SHAPE_IF,
    SHAPE_END,
    SHAPE_CALL
};

/* The shape of each opcode of one byte: which step takes it, and with which types. */
struct form {
    uint8_t shape, first, second, result;
    uint8_t immediate;
};

#define SHAPE_OF(code, imm, result, feature, first, second)                                        \
    (code) == OP_local_get    ? SHAPE_LOCAL_GET                                                    \
    : (code) == OP_local_set  ? SHAPE_LOCAL_SET                                                    \
    : (code) == OP_local_tee  ? SHAPE_LOCAL_TEE                                                    \
    : (code) == OP_global_get ? SHAPE_GLOBAL_GET                                                   \
    : (code) == OP_global_set ? SHAPE_GLOBAL_SET                                                   \
    : (code) == OP_drop       ? SHAPE_DROP                                                         \
    : (code) == OP_select     ? SHAPE_SELECT                                                       \
    : (code) == OP_br         ? SHAPE_BR                                                           \
    : (code) == OP_br_if      ? SHAPE_BR_IF                                                        \
    : (code) == OP_block      ? SHAPE_BLOCK                                                        \
    : (code) == OP_loop       ? SHAPE_LOOP                                                         \
    : (code) == OP_if_        ? SHAPE_IF                                                           \
    : (code) == OP_end        ? SHAPE_END                                                          \
    : (code) == OP_call       ? SHAPE_CALL                                                         \
    : (result) == OPT_SPECIAL || (feature) != 0               ? SHAPE_OTHER                        \
    : (imm) >= IMM_MEM0 && (imm) <= IMM_MEM4                                                       \
        ? ((result) == OPT_NOTHING ? SHAPE_STORE : SHAPE_LOAD)                                     \
    : (imm) >= IMM_I32 && (imm) <= IMM_F64 ? SHAPE_CONST                                           \
    : (imm) != IMM_NONE                    ? SHAPE_OTHER                                           \
    : (second) != OPT__                    ? SHAPE_BINARY                                          \
                                           : SHAPE_UNARY

#define FEATURE_MVP 0
#define FEATURE_SIGN_EXTENSION 1
#define FEATURE_REFERENCE_TYPES 1
#define FEATURE_SATURATING_CONVERSIONS 1
#define FEATURE_BULK_MEMORY 1
#define FEATURE_SIMD 1
#define FIRST(first, ...) OPT_##first
#define SECOND_OF(first, second, ...) OPT_##second
#define SECOND(...) SECOND_OF(__VA_ARGS__, _, _)

static const struct form forms[OPCODE_LIMIT] = {
#define OP(code, id, name, imm, feature, result, ...)                                              \
    [code] = {SHAPE_OF(code, IMM_##imm, OPT_##result, FEATURE_##feature, FIRST(__VA_ARGS__),       \
                       SECOND(__VA_ARGS__)),                                                       \
              FIRST(__VA_ARGS__), SECOND(__VA_ARGS__), OPT_##result, IMM_##imm},
#include "binary/opcodes.def"
#undef OP
};

STEP step(struct validator *v, struct cursor *c) {
    const struct form *form = &forms[*c->at++];
    switch (form->shape) {
    case SHAPE_UNARY:
        return step_unary(c, form->first, form->result);
    case SHAPE_BINARY:
        return step_binary(c, form->first, form->second, form->result);
    case SHAPE_LOAD:
        return step_load(v, c, form->immediate - IMM_MEM0, form->result);
    case SHAPE_STORE:
        return step_store(v, c, form->immediate - IMM_MEM0, form->second);
    case SHAPE_CONST:
        return step_const(c, form->immediate, form->result);
    case SHAPE_LOCAL_GET:
        return step_local_get(v, c);
    case SHAPE_LOCAL_SET:
        return step_local_set(v, c);
    case SHAPE_LOCAL_TEE:
        return step_local_tee(v, c);
    case SHAPE_GLOBAL_GET:
        return step_global_get(v, c);
    case SHAPE_GLOBAL_SET:
        return step_global_set(v, c);
    case SHAPE_DROP:
        return step_drop(c);
    case SHAPE_SELECT:
        return step_select(c);
    case SHAPE_BR:
        return step_br(v, c);
    case SHAPE_BR_IF:
        return step_br_if(v, c);
    case SHAPE_BLOCK:
        return step_block(v, c, BLOCK_PLAIN);
    case SHAPE_LOOP:
        return step_block(v, c, BLOCK_LOOP);
    case SHAPE_IF:
        return step_block(v, c, BLOCK_IF);
    case SHAPE_END:
        return step_end(v, c);
    case SHAPE_CALL:
        return step_call(v, c);
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
