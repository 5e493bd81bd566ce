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

/*
 * Numbers that are only stepped over, without a branch for each byte: how long one of several bytes
 * is cannot be foreseen. The byte that ends a number has bit 7 clear.
 */
static inline __attribute__((always_inline)) uint64_t load_bytes(const uint8_t *at) {
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    return bytes;
}

#define FIVE_ENDS UINT64_C(0x8080808080)

/* Whether what is left of the fifth byte is a repetition of the sign: 0 or 0x78 of 0xF8. */
STEP skip_s32(const uint8_t **at) {
    if (**at < 0x80) {
        ++*at;
        return true;
    }
    uint64_t bytes = load_bytes(*at), ends = ~bytes & FIVE_ENDS;
    uint32_t rest = (uint32_t)(bytes >> 32) & 0xF8;
    if (ends == 0)
        return false;
    uint32_t last = (uint32_t)__builtin_ctzll(ends) >> 3;
    *at += last + 1;
    return (last < 4) | (rest == 0) | (rest == 0x78);
}

STEP skip_u32(const uint8_t **at) {
    if (**at < 0x80) {
        ++*at;
        return true;
    }
    uint64_t bytes = load_bytes(*at), ends = ~bytes & FIVE_ENDS;
    if (ends == 0)
        return false;
    uint32_t last = (uint32_t)__builtin_ctzll(ends) >> 3;
    *at += last + 1;
    return (last < 4) | (((bytes >> 32) & 0xF0) == 0);
}

/* A signed number that is encoded in fewer bytes than the most cannot be too large. */
STEP skip_s64(const uint8_t **at) {
    const uint8_t *p = *at;
    while (*p >= 0x80)
        if (++p == *at + 9)
            return false;
    *at = p + 1;
    return true;
}

/* ---- Plain instructions, with what the opcode table says of them as constants ---- */

STEP skip_immediates(const struct validator *v, struct cursor *c, enum immediate immediate) {
    switch (immediate) {
    case IMM_NONE:
        return true;
    case IMM_I32:
        return skip_s32(&c->at);
    case IMM_I64:
        return skip_s64(&c->at);
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
        return *c->at++ <= immediate - IMM_MEM0 && v->m->memory_count > 0 && skip_u32(&c->at);
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
                catnap_features_t needed, uint8_t result, uint8_t a, uint8_t b) {
    return (v->d.features & needed) == needed && skip_immediates(v, c, immediate) &&
           apply(c, a, b, result);
}

/* ---- Variables, drop, select ---- */

STEP step_local_get(const struct validator *v, struct cursor *c) {
    uint32_t index;
    return cn_u32_in_reach(&c->at, &index) && index < v->flat_count && push(c, v->flat[index]);
}

STEP step_local_tee(const struct validator *v, struct cursor *c) {
    uint32_t index;
    return cn_u32_in_reach(&c->at, &index) && index < v->flat_count && c->top[-1] == v->flat[index];
}

STEP step_local_set(const struct validator *v, struct cursor *c) {
    if (!step_local_tee(v, c))
        return false;
    c->top--;
    return true;
}

STEP step_global_get(const struct validator *v, struct cursor *c) {
    uint32_t index;
    return cn_u32_in_reach(&c->at, &index) && index < v->m->global_count &&
           push(c, v->m->globals[index].type.type);
}

STEP step_global_set(const struct validator *v, struct cursor *c) {
    uint32_t index;
    if (!cn_u32_in_reach(&c->at, &index) || index >= v->m->global_count ||
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
    if (!cn_u32_in_reach(&c->at, &label) || label >= v->block_count)
        return false;
    struct block block = v->blocks[v->block_count - 1 - label];
    *carried = block.kind == BLOCK_LOOP ? VT_BOTTOM : block.type;
    return !block.has_index;
}

/* The rest of the innermost block cannot be reached. */
STEP set_unreachable(struct validator *v, struct cursor *c) {
    struct block *block = &v->blocks[v->block_count - 1];
    block->unreachable = 1;
    c->top = v->values + block->base + 1;
    return true;
}

STEP step_br(struct validator *v, struct cursor *c) {
    valtype carried;
    if (!read_label(v, c, &carried) || (carried != VT_BOTTOM && c->top[-1] != carried))
        return false;
    return set_unreachable(v, c);
}

/* Only tables whose labels all carry the same. */
STEP step_br_table(struct validator *v, struct cursor *c) {
    uint32_t count;
    valtype first, carried;
    if (!cn_u32_in_reach(&c->at, &count) || c->top[-1] != VT_I32 || !read_label(v, c, &first) ||
        (first != VT_BOTTOM && c->top[-2] != first))
        return false;
    for (; count > 0; count--)
        if (c->at >= v->stop || !read_label(v, c, &carried) || carried != first)
            return false;
    return set_unreachable(v, c);
}

STEP step_return(struct validator *v, struct cursor *c) {
    struct block block = v->blocks[0];
    if (block.has_index || (block.type != VT_BOTTOM && c->top[-1] != block.type))
        return false;
    return set_unreachable(v, c);
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
        c->top--;
    } else if (block.kind == BLOCK_IF) {
        return false;
    } else if (block.unreachable && c->top[-1] == VT_BASE) {
        c->top[-1] = block.type;
    } else {
        if (c->top[-1] != block.type || c->top[-2] != VT_BASE)
            return false;
        c->top[-2] = block.type;
        c->top--;
    }
    v->block_count--;
    return true;
}

STEP step_else(struct validator *v, struct cursor *c) {
    struct block *block = &v->blocks[v->block_count - 1];
    if (block->kind != BLOCK_IF || block->has_index)
        return false;
    if (block->type != VT_BOTTOM && c->top[-1] == block->type)
        c->top--;
    else if (block->type != VT_BOTTOM && !(block->unreachable && c->top[-1] == VT_BASE))
        return false;
    if (c->top[-1] != VT_BASE)
        return false;
    block->kind = BLOCK_PLAIN;
    block->unreachable = 0;
    return true;
}

/* The last `count` types before `end` of both, four at once and without a branch for each. */
STEP same_before(const valtype *a_end, const valtype *b_end, uint32_t count) {
    typedef uint32_t four __attribute__((vector_size(16)));
    static const four masks[VALUES_BEFORE + 1] = {
        {0, 0, 0, 0}, {0, 0, 0, ~0u}, {0, 0, ~0u, ~0u}, {0, ~0u, ~0u, ~0u}, {~0u, ~0u, ~0u, ~0u}};
    four a, b;
    for (; count > VALUES_BEFORE; count--)
        if (*--a_end != *--b_end)
            return false;
    memcpy(&a, a_end - VALUES_BEFORE, sizeof a);
    memcpy(&b, b_end - VALUES_BEFORE, sizeof b);
    four different = (a ^ b) & masks[count];
    uint64_t halves[2];
    memcpy(halves, &different, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

STEP step_call(const struct validator *v, struct cursor *c) {
    uint32_t func;
    if (!cn_u32_in_reach(&c->at, &func) || func >= v->m->func_count)
        return false;
    const struct functype *type = module_func_type(v->m, func);
    if (type->result_count > 1 || c->top == c->limit ||
        !same_before(c->top, ft_results(type), type->param_count))
        return false;
    c->top -= type->param_count;
    *c->top = *ft_results(type); /* which is there, though it may mean nothing */
    c->top += type->result_count;
    return true;
}

/* ---- The loop ---- */

/* The step of each instruction that the opcode table does not describe whole. */
#define SPECIAL_STEPS(STEP_OF)                                                                     \
    STEP_OF(local_get, step_local_get(v, c))                                                       \
    STEP_OF(local_set, step_local_set(v, c))                                                       \
    STEP_OF(local_tee, step_local_tee(v, c))                                                       \
    STEP_OF(global_get, step_global_get(v, c))                                                     \
    STEP_OF(global_set, step_global_set(v, c))                                                     \
    STEP_OF(drop, step_drop(c))                                                                    \
    STEP_OF(select, step_select(c))                                                                \
    STEP_OF(br, step_br(v, c))                                                                     \
    STEP_OF(br_if, step_br_if(v, c))                                                               \
    STEP_OF(br_table, step_br_table(v, c))                                                         \
    STEP_OF(return_, step_return(v, c))                                                            \
    STEP_OF(unreachable, set_unreachable(v, c))                                                    \
    STEP_OF(else_, step_else(v, c))                                                                \
    STEP_OF(block, step_block(v, c, BLOCK_PLAIN))                                                  \
    STEP_OF(loop, step_block(v, c, BLOCK_LOOP))                                                    \
    STEP_OF(if_, step_block(v, c, BLOCK_IF))                                                       \
    STEP_OF(end, step_end(v, c))                                                                   \
    STEP_OF(call, step_call(v, c))

/* The others that are of one byte, with what the table says as constants. */
#define PLAIN_STEP(id, imm, needed, result, ...) PLAIN_##needed(id, imm, result, __VA_ARGS__)
#define PLAIN_MVP(id, imm, result, ...)                                                            \
    STEP_OF_PLAIN(id, step_plain(v, c, IMM_##imm, 0, OPT_##result, OPERAND_1(__VA_ARGS__, _),      \
                                 OPERAND_2(__VA_ARGS__, _, _)))
#define PLAIN_SIGN_EXTENSION(id, imm, result, ...)                                                 \
    STEP_OF_PLAIN(id, step_plain(v, c, IMM_##imm, CATNAP_FEATURE_SIGN_EXTENSION, OPT_##result,     \
                                 OPERAND_1(__VA_ARGS__, _), OPERAND_2(__VA_ARGS__, _, _)))
#define OPERAND_1(a, ...) OPT_##a
#define OPERAND_2(a, b, ...) OPT_##b
#define PLAIN_SPECIAL(...)
#define PLAIN_NOTHING PLAIN_STEP
#define PLAIN_I32 PLAIN_STEP
#define PLAIN_I64 PLAIN_STEP
#define PLAIN_F32 PLAIN_STEP
#define PLAIN_F64 PLAIN_STEP
#define PLAIN_V128 PLAIN_STEP
#define PLAIN_OP(code, id, name, imm, flags, needed, result, ...)                                  \
    PLAIN_##result(id, imm, needed, result, __VA_ARGS__)

/*
 * One place for each opcode, also where several do the same, and one indirect jump at its end, where
 * the compiler can do that: what came before then tells a processor most about what comes next.
 */
#if defined(__clang__) && __clang_major__ >= 19 && (defined(__x86_64__) || defined(__aarch64__))

#define STEPPER_PARAMS                                                                             \
    struct validator *v, const uint8_t *at, valtype *top, const valtype *limit, const uint8_t *stop
typedef __attribute__((preserve_none)) void (*stepper)(STEPPER_PARAMS);
static const stepper steppers[OPCODE_LIMIT];

/* Ends before the instruction at `at`. */
static __attribute__((preserve_none, noinline)) void leave_steps(STEPPER_PARAMS) {
    (void)limit;
    (void)stop;
    v->d.r.at = at;
    v->top = top;
}

#define DEFINE_STEPPER(id, taken)                                                                  \
    static __attribute__((preserve_none)) void step_on_##id(STEPPER_PARAMS) {                      \
        struct cursor after = {at + 1, top, limit}, *c = &after;                                   \
        if (__builtin_expect(!(taken), 0)) {                                                       \
            __attribute__((musttail)) return leave_steps(v, at, top, limit, stop);                 \
        }                                                                                          \
        if (__builtin_expect(after.at >= stop, 0)) {                                               \
            bool past = after.at > v->d.r.end; /* that is for an error */                          \
            __attribute__((musttail)) return leave_steps(v, past ? at : after.at,                  \
                                                         past ? top : after.top, limit, stop);     \
        }                                                                                          \
        __attribute__((musttail)) return steppers[*after.at](v, after.at, after.top, limit, stop); \
    }
#define STEP_OF_PLAIN DEFINE_STEPPER
SPECIAL_STEPS(DEFINE_STEPPER)
#define OP_FC(...)
#define OP_FD(...)
#define OP PLAIN_OP
#include "binary/opcodes.def"
#undef STEP_OF_PLAIN

#define ROW(id, taken) [OP_##id] = step_on_##id,
#define STEP_OF_PLAIN ROW
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winitializer-overrides"
static const stepper steppers[OPCODE_LIMIT] = {[0 ... OPCODE_LIMIT - 1] = leave_steps,
                                               SPECIAL_STEPS(ROW)
#define OP_FC(...)
#define OP_FD(...)
#define OP PLAIN_OP
#include "binary/opcodes.def"
};
#pragma clang diagnostic pop

/* Takes steps as far as they go. */
static void take_steps(struct validator *v) {
    if (v->d.r.at < v->stop)
        steppers[*v->d.r.at](v, v->d.r.at, v->top, v->values + v->value_end, v->stop);
}

#else

#define CASE(id, taken)                                                                            \
    case OP_##id:                                                                                  \
        return taken;
#define STEP_OF_PLAIN CASE

STEP step(struct validator *v, struct cursor *c) {
    switch ((uint32_t)*c->at++) {
        SPECIAL_STEPS(CASE)
#define OP_FC(...)
#define OP_FD(...)
#define OP PLAIN_OP
#include "binary/opcodes.def"
    default:
        return false;
    }
}

static void take_steps(struct validator *v) {
    struct cursor c = {v->d.r.at, v->top, v->values + v->value_end}, before = c;
    while (c.at < v->stop) {
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

#endif

/* Where steps must stop reading instructions: at the body's end, and short of the module's. */
static const uint8_t *steps_end(const struct validator *v) {
    const uint8_t *module_end = v->m->bytes + v->m->size;
    if (v->m->size < LONGEST_STEP)
        return v->m->bytes;
    return v->d.r.end < module_end - LONGEST_STEP ? v->d.r.end : module_end - LONGEST_STEP;
}

bool cn_validate_code(struct validator *v) {
    v->stop = steps_end(v);
    do {
        take_steps(v);
        if (!cn_validate_instruction(v))
            return false;
    } while (v->block_count > 0);
    return cn_decode_left(&v->d) == 0 ||
           cn_decode_fail(&v->d, "function body: %zu bytes after the final end",
                          cn_decode_left(&v->d));
}
