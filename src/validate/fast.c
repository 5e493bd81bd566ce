/*
 * The fast validator: see fast.h. docs/explanation/validation.md argues why a body that it accepts is valid.
 *
 * A validator that jumps to different code for each opcode loses most of its time to mispredicted jumps. Here
 * one loop without a branch on the opcode takes nearly all instructions:
 *
 *     at ──▶ [opcode][byte] ...
 *              │       │
 *              │       └─▶ of_byte[byte]: type of that local, blocks that a label needs, faults
 *              └─────────▶ rows[opcode]:  operands expected and left, which parts of of_byte count
 *
 *     operands = rotate(operands), masked, with the result's type in the lowest byte
 *     at      += lengths[at - base]
 *
 * - The operands of the innermost block are the bytes of one word, the topmost in the lowest byte. When there
 *   are more than seven, four of them are spilled to memory and a mark takes their place:
 *
 *       byte   7      6     5     4     3     2     1     0
 *            [ 0 ] [ 0 ] [ 0 ] [ 0 ] [SPILLED] [i32] [i64] [i32 = top]
 *
 * - The lengths of the instructions that could begin at each byte of the next window of the module are found
 *   beforehand by vector instructions (binary/lengths.h), so that the loop does not decode an
 *   instruction to find the next one.
 * - Most blocks are simple: they have neither parameters nor results and begin where the enclosing block has
 *   no operands. The loop only counts them. Each of the other open blocks has a struct frame.
 *
 * An instruction that the loop does not take goes to take_special(), then to take_any(). These accept an
 * instruction only if the full validator would. Everything that they do not know they refuse, and the whole
 * body is left to the full validator.
 */
#include "validate/fast.h"

#include <assert.h>
#include <string.h>

#include "binary/lengths.h"
#include "binary/opcodes.h"
#include "binary/walk.h"
#include "validate/plain_types.h"

/*
 * Limits. A body that exceeds one is left to the full validator. Builds for tests and fuzzing define
 * CATNAP_TINY_LIMITS, so that every one of these boundaries is crossed all the time.
 */
#ifdef CATNAP_TINY_LIMITS
#define WINDOW 64u
#define MOST_BLOCKS 8u
#define MOST_FRAMES 4u
#define MOST_LOCALS 130u
#define MOST_SPILLED 2u
#elif defined(CATNAP_SMALL)
#define WINDOW 2048u
#define MOST_BLOCKS 1024u
#define MOST_FRAMES 128u
#define MOST_LOCALS 512u
#define MOST_SPILLED 64u
#else
#define WINDOW 16384u /* bytes measured at a time; their lengths stay in the first-level cache */
#define MOST_BLOCKS 8192u /* open when take_rest() is entered */
#define MOST_FRAMES 512u  /* open blocks that are not simple */
#define MOST_LOCALS 1024u /* of a function, parameters included */
#define MOST_SPILLED 256u /* words of four operands */
#endif

/* Bytes behind a body that may be read. Instructions begin only where so many are left. */
#define REACH 128u
/* Bytes of the longest instruction that is read without a look at what is left: a prefix, an opcode of five
 * bytes and 16 lanes, or alignment, memory and offset of five bytes each and a lane. */
#define LONGEST_READ 22u
/* Open blocks, at most: in the rest of a window the loop opens one for each two bytes. */
#define MOST_OPEN (MOST_BLOCKS + WINDOW / 2 + 1)

static_assert(WINDOW % LENGTHS_WIDEST == 0, "lengths are written a whole vector at a time");
static_assert(LENGTH_SPECIAL == 0x80, "such lengths are negative as int8_t");
static_assert(LENGTHS_READ_BEHIND <= REACH && LONGEST_READ <= REACH,
              "nothing is read out of reach");

/*
 * The operand word. Its highest byte must be 0 before an instruction is taken: an eighth operand is
 * spilled first.
 */
#define EIGHTH (UINT64_C(0xFF) << 56)
/* Stands below the operands in the word when there are more of them in q->spills. No type is less. */
#define SPILLED 1u
/* A mask under which operands must match exactly: no others may be there. */
#define ALL_OPERANDS (~UINT64_C(0))

/*
 * The meanings of the byte behind an opcode, in one word for each byte: the type of the local with that
 * index, the number of simple blocks that a label with that index needs, and faults: reasons for which an
 * instruction with such a byte is not taken. A fault that counts for an opcode is ORed to the number of blocks
 * that it needs. It has a bit above any such number, so that more seem to be needed than can be open,
 * and nothing can cancel it.
 */
#define BYTE_TYPE UINT64_C(0xFF)
#define BYTE_LABEL (UINT64_C(0xFFFF) << 16)
#define BYTE_FAULTS (UINT64_C(0xFF) << 32)
#define NEEDS_BLOCKS(count) ((uint64_t)(count) << 16)
#define FAULT_NO_LOCAL (UINT64_C(1) << 32)  /* no local has that index */
#define FAULT_NOT_EMPTY (UINT64_C(2) << 32) /* as a block type it is not the empty one */
#define FAULT_UNALIGNED(natural) (UINT64_C(4) << (32 + (natural))) /* as an alignment it is more */
#define FAULT_NOT_0 FAULT_UNALIGNED(0) /* it is not 0, or there is no memory 0 with i32 addresses */

static_assert((BYTE_TYPE & BYTE_LABEL) == 0 && (BYTE_TYPE & BYTE_FAULTS) == 0 &&
                  (BYTE_LABEL & BYTE_FAULTS) == 0,
              "parts of the word do not overlap");
static_assert((FAULT_UNALIGNED(3) & BYTE_FAULTS) == FAULT_UNALIGNED(3) &&
                  FAULT_NO_LOCAL + FAULT_NOT_EMPTY + FAULT_UNALIGNED(0) + FAULT_UNALIGNED(1) +
                          FAULT_UNALIGNED(2) + FAULT_UNALIGNED(3) ==
                      (FAULT_NO_LOCAL | FAULT_NOT_EMPTY | FAULT_UNALIGNED(0) | FAULT_UNALIGNED(1) |
                       FAULT_UNALIGNED(2) | FAULT_UNALIGNED(3)),
              "each fault has a bit of its own");
static_assert(
    NEEDS_BLOCKS(256) <= BYTE_LABEL && MOST_OPEN < 0xFFFF &&
        NEEDS_BLOCKS(MOST_OPEN) < FAULT_NO_LOCAL,
    "every label fits; neither 0xFFFF blocks are ever open, nor as many as a fault stands for");

/* How an instruction changes the operands, and what it needs. A row of zeros but for `blocks` refuses. */
struct row {
    uint64_t expected, mask;   /* operands, and the bits of the word that must be as expected */
    uint64_t expected_of_byte; /* what counts of the byte behind the opcode: type of an operand, */
    uint64_t result_of_byte;   /* type of the result, */
    uint64_t needs_of_byte;    /* faults, and the simple blocks that must be open */
    uint64_t keep;             /* of the operands, after they were rotated by */
    uint16_t blocks;           /* simple blocks that must be open besides */
    uint8_t rotate;            /* bits */
    uint8_t result;            /* type, or 0 */
    int8_t depth;              /* 1: opens a simple block, -1: closes one */
};
#define NEVER 0xFFFFu /* for `blocks`: the loop does not take this opcode */

/* The effect of a call on the operands. */
struct signature {
    uint64_t expected, mask;
    uint8_t pop, push; /* bits */
    uint8_t result;
    bool fits;  /* into the word; else the members before mean nothing */
    bool known; /* all of its types are */
};

/* An open block that is not simple. */
struct frame {
    uint64_t below;   /* operands of the enclosing block */
    int64_t simple;   /* simple blocks between the enclosing frame's block and this one */
    uint32_t spilled; /* words, when the block began */
    uint8_t type;     /* of its result, or 0 */
    bool is_if;       /* without an else so far */
};

/*
 * q->notes has a byte for each open block: the type that a branch to the block carries; or, when it
 * carries none, the opcode that opened it (OP_else_ behind an else), which is less than any type.
 */
#define NOTE_TYPE(note) ((note) > OP_else_ ? (note) : 0)
static_assert(OP_block < OP_else_ && OP_loop < OP_else_ && OP_if_ < OP_else_ &&
                  OP_else_ < VT_EXNREF,
              "notes tell types from opcodes");
static_assert(SPILLED < VT_EXNREF && VT_EXNREF < VT_EXTERNREF && VT_EXTERNREF < VT_FUNCREF &&
                  VT_FUNCREF < VT_NOEXNREF && VT_NOEXNREF < VT_V128 && VT_V128 < VT_F64 &&
                  VT_I32 < 0x80,
              "a known type is a byte, and not the mark");

struct fast {
    const struct module *m;
    find_lengths find_lengths;
    const uint8_t *limit;      /* no instruction may begin from here on */
    const uint8_t *base, *end; /* the window that was measured: lengths[at - base] is for `at` */
    uint32_t local_count, cleared, spilled;
    uint32_t spills[MOST_SPILLED];
    uint8_t local_types[MOST_LOCALS];
    uint64_t of_byte[256];
    struct frame frames[1 + MOST_FRAMES]; /* the first is below the function's */
    uint8_t lengths[WINDOW];
    uint8_t notes[2 + MOST_OPEN];  /* the first is below the function's, the last is never used */
    struct signature signatures[]; /* of the module's types */
};

/* ---- The rows ---- */

#define FIRST(a, ...) OPT_##a
#define SECOND(a, b, ...) OPT_##b
#define BITS_OF(type) ((type) != 0 ? 8 : 0)
/* Of operands a b, or a, or none, the topmost is the lowest byte. */
#define EXPECTED(a, b) ((b) != 0 ? (uint64_t)(b) | (uint64_t)(a) << 8 : (uint64_t)(a))
#define MASK(a, b) (EIGHTH | ((b) != 0 ? 0xFFFFu : (a) != 0 ? 0xFFu : 0u))
/* Rotating drops the operands taken and makes room for a result; what is kept is below them. */
#define ROTATE(a, b, result) ((64 + BITS_OF(result) - BITS_OF(a) - BITS_OF(b)) & 63)
#define KEEP(a, b, result) (ALL_OPERANDS >> (BITS_OF(a) + BITS_OF(b)) << BITS_OF(result))

#define OF_BYTE_NONE 0
#define OF_BYTE_I32 0
#define OF_BYTE_I64 0
#define OF_BYTE_F32 0
#define OF_BYTE_F64 0
#define OF_BYTE_MEM0 FAULT_UNALIGNED(0)
#define OF_BYTE_MEM1 FAULT_UNALIGNED(1)
#define OF_BYTE_MEM2 FAULT_UNALIGNED(2)
#define OF_BYTE_MEM3 FAULT_UNALIGNED(3)
#define OF_BYTE_MEMORY FAULT_NOT_0

#define PLAIN_ROW(id, of_byte_, result_, a, b)                                                     \
    [OP_##id] = {.expected = EXPECTED(a, b),                                                       \
                 .mask = MASK(a, b),                                                               \
                 .needs_of_byte = of_byte_,                                                        \
                 .keep = KEEP(a, b, result_),                                                      \
                 .rotate = ROTATE(a, b, result_),                                                  \
                 .result = result_},
#define ROW_SPECIAL(...)
#define ROW_MVP(id, imm, result, ...)                                                              \
    PLAIN_ROW(id, OF_BYTE_##imm, OPT_##result, FIRST(__VA_ARGS__, _), SECOND(__VA_ARGS__, _, _))
#define ROW_SIGN_EXTENSION ROW_MVP
#define ROW(id, imm, needed, result, ...) ROW_##needed(id, imm, result, __VA_ARGS__)
#define ROW_NOTHING ROW
#define ROW_I32 ROW
#define ROW_I64 ROW
#define ROW_F32 ROW
#define ROW_F64 ROW
#define ROW_V128 ROW
#define OP_FB(...)
#define OP_FC(...) /* the loop takes no opcode behind a prefix */
#define OP_FD(...)
#define OP_FE(...)
#define OP(code, id, name, imm, flags, needed, result, ...)                                        \
    ROW_##result(id, imm, needed, result, __VA_ARGS__)

/* Indexed by the opcode byte. Opcodes without a row are never taken, whatever their length. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct row rows[256] = {
    [0 ... 255] = {.mask = ALL_OPERANDS, .blocks = NEVER},
#include "binary/opcodes.def"
    [OP_local_get] = {.mask = MASK(0, 0),
                      .needs_of_byte = FAULT_NO_LOCAL,
                      .result_of_byte = BYTE_TYPE,
                      .keep = KEEP(0, 0, 1),
                      .rotate = ROTATE(0, 0, 1)},
    [OP_local_set] = {.mask = MASK(1, 0),
                      .needs_of_byte = FAULT_NO_LOCAL,
                      .expected_of_byte = BYTE_TYPE,
                      .keep = KEEP(1, 0, 0),
                      .rotate = ROTATE(1, 0, 0)},
    [OP_local_tee] = {.mask = MASK(1, 0),
                      .needs_of_byte = FAULT_NO_LOCAL,
                      .expected_of_byte = BYTE_TYPE,
                      .keep = ALL_OPERANDS},
    [OP_nop] = {.mask = MASK(0, 0), .keep = ALL_OPERANDS},
    /* Simple blocks, and branches to them: no operands are below, and none are left. */
    [OP_block] = {.mask = ALL_OPERANDS, .needs_of_byte = FAULT_NOT_EMPTY, .depth = 1},
    [OP_loop] = {.mask = ALL_OPERANDS, .needs_of_byte = FAULT_NOT_EMPTY, .depth = 1},
    [OP_if_] = {.expected = VT_I32,
                .mask = ALL_OPERANDS,
                .needs_of_byte = FAULT_NOT_EMPTY,
                .depth = 1},
    [OP_end] = {.mask = ALL_OPERANDS, .depth = -1, .blocks = 1},
    [OP_br] = {.mask = ALL_OPERANDS, .needs_of_byte = BYTE_LABEL},
    [OP_br_if] = {.expected = VT_I32,
                  .mask = MASK(1, 0),
                  .needs_of_byte = BYTE_LABEL,
                  .keep = KEEP(1, 0, 0),
                  .rotate = ROTATE(1, 0, 0)},
    [OP_unreachable] = {.mask = ALL_OPERANDS, .blocks = 1},
};
#pragma GCC diagnostic pop

static inline uint64_t rotated(uint64_t operands, const struct row *row) {
    uint32_t bits = row->rotate;
    return (operands << bits | operands >> ((64 - bits) & 63)) & row->keep;
}

/* ---- The state ---- */

/* How far the validation of a body has come. */
struct look {
    struct fast *q;
    const uint8_t *at, *end; /* the next instruction; the end of the body */
    uint64_t operands;       /* of the innermost block */
    uint8_t *note;           /* of the innermost block, in q->notes */
    struct frame *frame;     /* of the innermost block that is not simple, in q->frames */
    int64_t simple;          /* simple blocks in it */
};

/* Tests compare the state before each instruction with the full validator's. */
#ifndef OBSERVE
#define OBSERVE(look) ((void)0)
#endif

/* Where there are operands in all eight bytes: the lower four stay. */
static bool spill(struct look *l) {
    struct fast *q = l->q;
    if (q->spilled == MOST_SPILLED)
        return false;
    q->spills[q->spilled++] = (uint32_t)(l->operands >> 32);
    l->operands = (uint32_t)l->operands | (uint64_t)SPILLED << 32;
    return true;
}

/* Puts the four operands spilled last in place of the mark, which is byte 0 to 3 of the word. */
static void unspill(struct look *l, uint32_t byte) {
    l->operands ^= (uint64_t)SPILLED << byte * 8;
    l->operands |= (uint64_t)l->q->spills[--l->q->spilled] << byte * 8;
}

/* Makes sure that the topmost operands, at most three, are in the word, as far as there are so many. */
static void bring(struct look *l, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if ((l->operands >> i * 8 & 0xFF) == SPILLED)
            unspill(l, i);
}

static uint8_t top(const struct look *l) {
    return l->operands & 0xFF;
}

static bool pop(struct look *l, valtype type) {
    bring(l, 1);
    bool there = top(l) == type;
    l->operands >>= 8;
    return there;
}

/* There is room: the eighth byte is free before each instruction, and none pushes more than one. The type
 * is 0 for none, or known. */
static void push(struct look *l, valtype type) {
    if (type)
        l->operands = l->operands << 8 | type;
}

/*
 * Types that are bytes of the operand word as they are. Everything else, such as references with a type
 * index, is refused before it comes here: cn_fast_new() looks at the declarations, is_known_here() at
 * types in bodies.
 */
static bool is_known(valtype type) {
    return vt_is_basic(type);
}

static uint8_t byte_of(valtype type) {
    CN_ASSERT(is_known(type));
    return (uint8_t)type;
}

/* A type as the body's own byte, of a feature that the module may use. References are rare. */
static bool is_known_here(const struct fast *q, uint8_t type) {
    return vt_is_num(type) || (type == VT_V128 && (q->m->features & CATNAP_FEATURE_SIMD));
}

/* ---- Blocks and branches ---- */

static uint8_t innermost_type(const struct look *l) {
    return l->simple > 0 ? 0 : l->frame->type;
}

/*
 * The rest of the block cannot be reached and may take any operands. Here it goes on as if exactly the
 * block's results were there: whatever is valid with these is valid with any.
 */
static bool leave(struct look *l) {
    l->q->spilled = l->frame->spilled;
    l->operands = innermost_type(l);
    return true;
}

static bool open_block(struct look *l, uint8_t opcode) {
    uint8_t byte = l->at[1], type = byte == 0x40 ? 0 : byte;
    if ((byte != 0x40 && !is_known_here(l->q, byte)) || l->frame == &l->q->frames[MOST_FRAMES] ||
        (opcode == OP_if_ && !pop(l, VT_I32)))
        return false;
    *++l->note = type && opcode != OP_loop ? type : opcode;
    *++l->frame = (struct frame){.below = l->operands,
                                 .simple = l->simple,
                                 .spilled = l->q->spilled,
                                 .type = type,
                                 .is_if = opcode == OP_if_};
    l->simple = 0;
    l->operands = 0;
    l->at += 2;
    return true;
}

/* Whether the operands are the block's results, and no more. */
static bool at_results(struct look *l) {
    bring(l, 2);
    return l->operands == innermost_type(l);
}

/* An if that has a result needs an else. The function's own end leaves l->frame at q->frames. */
static bool close_block(struct look *l) {
    if (!at_results(l) || (l->simple == 0 && l->frame->is_if && l->frame->type))
        return false;
    l->note--;
    l->at++;
    if (l->simple > 0) {
        l->simple--;
        return true;
    }
    l->operands = l->frame->below;
    push(l, l->frame->type);
    l->simple = l->frame->simple;
    l->frame--;
    return true;
}

static bool turn_else(struct look *l) {
    bool is_if = l->simple > 0 ? *l->note == OP_if_ : l->frame->is_if;
    if (!is_if || !at_results(l))
        return false;
    if (l->simple == 0)
        l->frame->is_if = false;
    if (*l->note == OP_if_)
        *l->note = OP_else_;
    l->operands = 0;
    l->at++;
    return true;
}

/* Reads the label at *at, and the type of the operand that a branch to it carries, or 0. */
static bool read_label(const struct look *l, const uint8_t **at, uint8_t *carried) {
    uint32_t label;
    if (!cn_u32_in_reach(at, &label) || label >= (size_t)(l->note - l->q->notes))
        return false;
    *carried = NOTE_TYPE(*(l->note - label));
    return true;
}

static bool carries(struct look *l, uint8_t type) {
    bring(l, 1);
    return type == 0 || top(l) == type;
}

static bool branch(struct look *l, uint8_t opcode) {
    uint8_t carried;
    l->at++;
    return (opcode == OP_br || pop(l, VT_I32)) && read_label(l, &l->at, &carried) &&
           carries(l, carried) && (opcode == OP_br_if || leave(l));
}

/* Only tables whose labels all carry the same. */
static bool branch_table(struct look *l) {
    uint32_t count;
    uint8_t first, carried;
    l->at++;
    if (!pop(l, VT_I32) || !cn_u32_in_reach(&l->at, &count) || !read_label(l, &l->at, &first))
        return false;
    for (; count > 0; count--)
        if (l->at >= l->end || !read_label(l, &l->at, &carried) || carried != first)
            return false;
    return carries(l, first) && leave(l);
}

static bool return_(struct look *l) {
    l->at++;
    return carries(l, l->q->frames[1].type) && leave(l);
}

/* ---- Other instructions ---- */

static bool select_(struct look *l) {
    bring(l, 3);
    bool good = pop(l, VT_I32) && vt_is_num(top(l)) && top(l) == (l->operands >> 8 & 0xFF);
    l->operands >>= 8;
    l->at++;
    return good;
}

static bool drop(struct look *l) {
    bring(l, 1);
    bool there = top(l) != 0;
    l->operands >>= 8;
    l->at++;
    return there;
}

/* Calls a function of the module's type with this index; in a tail call its result must be the function's own. */
static bool apply(struct look *l, uint32_t index, bool is_tail) {
    if (!l->q->signatures[index].known)
        return false;
    const struct functype *type = module_functype(l->q->m, index);
    if (type->result_count > 1)
        return false;
    for (uint32_t i = type->param_count; i > 0; i--)
        if (!pop(l, type->types[i - 1]))
            return false;
    valtype result = type->result_count ? ft_results(type)[0] : 0;
    if (is_tail)
        return result == l->q->frames[1].type && leave(l);
    push(l, result);
    return true;
}

static bool allows_tail_calls(const struct look *l) {
    return l->q->m->features & CATNAP_FEATURE_TAIL_CALLS;
}

static bool call(struct look *l) {
    const struct module *m = l->q->m;
    uint32_t func;
    bool is_tail = *l->at++ == OP_return_call;
    return (!is_tail || allows_tail_calls(l)) && cn_u32_in_reach(&l->at, &func) &&
           func < m->func_count && apply(l, m->func_types[func], is_tail);
}

static bool call_indirect(struct look *l) {
    const struct module *m = l->q->m;
    uint32_t type, table = 0;
    bool is_tail = *l->at++ == OP_return_call_indirect;
    if ((is_tail && !allows_tail_calls(l)) || !cn_u32_in_reach(&l->at, &type) ||
        type >= m->type_count)
        return false;
    bool read = m->features & CATNAP_FEATURE_REFERENCE_TYPES ? cn_u32_in_reach(&l->at, &table)
                                                             : *l->at++ == 0;
    return read && table < m->table_count && m->tables[table].element == VT_FUNCREF &&
           pop(l, limits_address(&m->tables[table].limits)) && apply(l, type, is_tail);
}

static bool global(struct look *l, uint8_t opcode) {
    uint32_t index;
    l->at++;
    if (!cn_u32_in_reach(&l->at, &index) || index >= l->q->m->global_count)
        return false;
    const struct globaltype *type = &l->q->m->globals[index].type;
    if (opcode == OP_global_set)
        return type->is_mutable && pop(l, type->type);
    push(l, type->type);
    return true;
}

static bool local(struct look *l, uint8_t opcode) {
    uint32_t index;
    l->at++;
    if (!cn_u32_in_reach(&l->at, &index) || index >= l->q->local_count)
        return false;
    uint8_t type = l->q->local_types[index];
    if (opcode != OP_local_get && !pop(l, type))
        return false;
    if (opcode != OP_local_set)
        push(l, type);
    return true;
}

/* ---- Immediates of plain instructions ---- */

/* Steps over a signed number of so many bytes at most, of whose last byte the unused bits and the sign must
 * be all the same. */
static bool skip_signed(const uint8_t **at, uint32_t most, uint8_t unused) {
    const uint8_t *p = *at, *last = p + most - 1;
    while (*p >= 0x80 && p < last)
        p++;
    *at = p + 1;
    return *p < 0x80 && (p < last || (*p & unused) == 0 || (*p & unused) == unused);
}

/* The index of a memory; without several memories a byte. */
static bool skip_memory(struct look *l, uint32_t *index) {
    const struct module *m = l->q->m;
    *index = 0;
    bool read =
        m->features & CATNAP_FEATURE_MULTI_MEMORY ? cn_u32_in_reach(&l->at, index) : *l->at++ == 0;
    return read && *index < m->memory_count;
}

/* An offset of 32 bits, all that is known of 64-bit memories as well. */
static bool skip_offset(struct look *l) {
    uint32_t offset;
    return cn_u32_in_reach(&l->at, &offset);
}

/* An alignment, perhaps with the bit that says that the index of the memory follows, and an offset. */
static bool skip_memarg(struct look *l, uint32_t natural, uint32_t *memory) {
    uint32_t alignment;
    if (!cn_u32_in_reach(&l->at, &alignment))
        return false;
    *memory = 0;
    if (alignment & MEMARG_HAS_MEMORY) {
        alignment &= ~MEMARG_HAS_MEMORY;
        if (!(l->q->m->features & CATNAP_FEATURE_MULTI_MEMORY) || !skip_memory(l, memory))
            return false;
    }
    return alignment <= natural && *memory < l->q->m->memory_count && skip_offset(l);
}

/* The same with just this alignment. */
static bool skip_exact_memarg(struct look *l, uint32_t natural, uint32_t *memory) {
    const uint8_t *at = l->at;
    uint32_t alignment;
    return cn_u32_in_reach(&at, &alignment) && (alignment & ~MEMARG_HAS_MEMORY) == natural &&
           skip_memarg(l, natural, memory);
}

static bool skip_data_index(struct look *l, uint32_t *index) {
    return l->q->m->has_data_count && cn_u32_in_reach(&l->at, index) &&
           *index < l->q->m->data_count;
}

static bool skip_lane(struct look *l, uint32_t lanes) {
    return *l->at++ < lanes;
}

static bool skip_bytes(struct look *l, uint32_t count) {
    l->at += count;
    return true;
}

static bool skip_shuffle(struct look *l) {
    bool good = true;
    for (uint32_t i = 0; i < 16; i++)
        good &= skip_lane(l, 32);
    return good;
}

/* The indices go to `index` in their order, that of the memory of a load or store first. */
static bool skip_immediates(struct look *l, enum immediate immediate, uint32_t index[2]) {
    const struct immediate_shape *shape = &cn_immediate_shapes[immediate];
    switch (immediate) {
    case IMM_NONE:
        return true;
    case IMM_I32:
        return skip_signed(&l->at, 5, 0x78);
    case IMM_I64:
        return skip_signed(&l->at, 10, 0x7F);
    case IMM_F32:
        return skip_bytes(l, 4);
    case IMM_F64:
        return skip_bytes(l, 8);
    case IMM_V128:
        return skip_bytes(l, 16);
    case IMM_SHUFFLE:
        return skip_shuffle(l);
    CASES_LANE:
        return skip_lane(l, shape->lanes);
    CASES_MEMARG:
        return (shape->exact ? skip_exact_memarg(l, shape->alignment, &index[0])
                             : skip_memarg(l, shape->alignment, &index[0])) &&
               (shape->lanes == 0 || skip_lane(l, shape->lanes));
    case IMM_ZERO:
        return *l->at++ == 0;
    case IMM_MEMORY:
        return skip_memory(l, &index[0]);
    case IMM_MEMORY_COPY:
        return skip_memory(l, &index[0]) && skip_memory(l, &index[1]);
    case IMM_DATA:
        return skip_data_index(l, &index[0]);
    case IMM_MEMORY_INIT:
        return skip_data_index(l, &index[0]) && skip_memory(l, &index[1]);
    CASES_NOT_PLAIN: /* or instructions of tables and element segments */
    case IMM_TABLE:
    case IMM_ELEM:
    case IMM_TABLE_INIT:
    case IMM_TABLE_COPY:
        return false;
    }
    return false;
}

/* An instruction that the opcode table describes whole. */
static bool plain(struct look *l) {
    struct reader r = {l->at, l->at + LONGEST_READ};
    uint32_t opcode, index[2] = {0};
    if (!cn_read_opcode(&r, &opcode))
        return false;
    const struct op_info *info = &cn_op_info[opcode];
    l->at = r.at;
    if ((l->q->m->features & info->feature) != info->feature)
        return false;
    bool two = info->flags & OPF_TWO_I64;
    if ((info->result == OPT_SPECIAL && !two) ||
        !skip_immediates(l, (enum immediate)info->immediate, index))
        return false;
    struct plain_types types = cn_plain_types(l->q->m, info, index[0], index[1]);
    for (uint32_t i = info->operand_count; i > 0; i--)
        if (!pop(l, types.operands[i - 1]))
            return false;
    if (two) { /* there is room for both in place of at least two operands */
        push(l, VT_I64);
        push(l, VT_I64);
        return true;
    }
    push(l, types.result);
    return true;
}

static bool take_any(struct look *l) {
    uint8_t opcode = *l->at;
    switch (opcode) {
    case OP_unreachable:
        l->at++;
        return leave(l);
    case OP_nop:
        l->at++;
        return true;
    case OP_block:
    case OP_loop:
    case OP_if_:
        return open_block(l, opcode);
    case OP_else_:
        return turn_else(l);
    case OP_end:
        return close_block(l);
    case OP_br:
    case OP_br_if:
        return branch(l, opcode);
    case OP_br_table:
        return branch_table(l);
    case OP_return_:
        return return_(l);
    case OP_call:
    case OP_return_call:
        return call(l);
    case OP_call_indirect:
    case OP_return_call_indirect:
        return call_indirect(l);
    case OP_drop:
        return drop(l);
    case OP_select:
        return select_(l);
    case OP_local_get:
    case OP_local_set:
    case OP_local_tee:
        return local(l, opcode);
    case OP_global_get:
    case OP_global_set:
        return global(l, opcode);
    default:
        return plain(l);
    }
}

/* ---- The loop ---- */

/* Finds the lengths of instructions from here on. */
static void measure(struct fast *q, const uint8_t *at) {
    size_t left = (size_t)(q->limit - at), size = left < WINDOW ? left : WINDOW;
    q->find_lengths(q->lengths, at, size);
    q->base = at;
    q->end = at + size;
}

/* An index of up to five bytes, whose length is known; more than UINT32_MAX for one that is too large. */
static inline uint64_t read_index(const uint8_t *at, uint32_t length) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    word &= ~UINT64_C(0) >> (64 - 8 * length);
    return (word & 0x7F) | (word >> 1 & 0x3F80) | (word >> 2 & 0x1FC000) | (word >> 3 & 0xFE00000) |
           (word >> 4 & UINT64_C(0x7F0000000));
}

/* The frequent forms of frequent instructions that the loop does not take. On refusal nothing has
 * changed. */
static inline bool take_special(struct look *l, uint32_t length) {
    const struct module *m = l->q->m;
    uint64_t operands = l->operands, index;
    if (operands & EIGHTH)
        return false;
    switch (*l->at) {
    case OP_call:
        index = read_index(l->at + 1, length - 1);
        if (index >= m->func_count)
            return false;
        const struct signature *s = &l->q->signatures[m->func_types[index]];
        if (((operands ^ s->expected) & s->mask) != 0 || !s->fits)
            return false;
        l->operands = operands >> s->pop << s->push | s->result;
        break;
    case OP_global_get:
        index = read_index(l->at + 1, length - 1);
        if (index >= m->global_count)
            return false;
        l->operands = operands << 8 | m->globals[index].type.type;
        break;
    case OP_global_set:
        index = read_index(l->at + 1, length - 1);
        if (index >= m->global_count || !m->globals[index].type.is_mutable ||
            m->globals[index].type.type != (operands & 0xFF))
            return false;
        l->operands = operands >> 8;
        break;
    case OP_drop:
        if ((operands & 0xFF) <= SPILLED)
            return false;
        l->operands = operands >> 8;
        break;
    case OP_select:
        if ((operands & 0xFF) != VT_I32 || !vt_is_num(operands >> 8 & 0xFF) ||
            ((operands >> 8 ^ operands >> 16) & 0xFF) != 0)
            return false;
        l->operands = operands >> 16;
        break;
    default:
        return false;
    }
    l->at += length;
    return true;
}

/* An instruction that neither the loop nor take_special() takes, or the end of a window. */
static __attribute__((noinline)) bool take_rest(struct look *l) {
    struct fast *q = l->q;
    if (l->at >= l->end || l->at >= q->limit || (size_t)(l->note - q->notes) >= MOST_BLOCKS)
        return false;
    if (l->at >= q->end) {
        measure(q, l->at);
        return true;
    }
    if ((l->operands & EIGHTH) && !spill(l))
        return false;
    return take_any(l);
}

/* The instructions of the body, which must end where the function's block ends. */
static bool look_at_code(struct fast *q, const uint8_t *at, const uint8_t *end) {
    struct look l = {q, at, end, 0, &q->notes[1], &q->frames[1], 0};
    for (;;) {
        const uint8_t *stop = q->end;
        uintptr_t to_lengths = (uintptr_t)q->lengths - (uintptr_t)q->base;
        uint64_t operands = l.operands;
        uint8_t *note = l.note;
        int64_t simple = l.simple;
        int32_t length = 0;
        at = l.at;
        while (at < stop && (length = *(const int8_t *)((uintptr_t)at + to_lengths)) > 0) {
            OBSERVE((&(struct look){q, at, end, operands, note, l.frame, simple}));
            const struct row *row = &rows[at[0]];
            uint64_t byte = q->of_byte[at[1]];
            uint64_t expected = row->expected | (byte & row->expected_of_byte);
            uint64_t needs = NEEDS_BLOCKS(row->blocks) | (byte & row->needs_of_byte);
            if (((operands ^ expected) & row->mask) != 0 || needs > NEEDS_BLOCKS(simple))
                break;
            note[1] = at[0];
            note += row->depth;
            simple += row->depth;
            operands = rotated(operands, row) | row->result | (byte & row->result_of_byte);
            at += length;
        }
        l.at = at;
        l.operands = operands;
        l.note = note;
        l.simple = simple;
        OBSERVE(&l);
        /* Of an instruction that begins behind the window no length is known, and `length` is not less than
         * 0. */
        if (length < 0 && take_special(&l, (uint32_t)length & 0x7F))
            continue;
        if (!take_rest(&l))
            return false;
        if (l.frame == q->frames)
            return l.at == end;
    }
}

/* ---- A body ---- */

/* Locals whose index is one byte. */
#define BYTE_LOCALS 128u

static void set_local(struct fast *q, uint32_t index, uint64_t meaning) {
    if (index < BYTE_LOCALS)
        q->of_byte[index] = (q->of_byte[index] & ~(FAULT_NO_LOCAL | BYTE_TYPE)) | meaning;
}

static void add_locals(struct fast *q, uint32_t count, uint8_t type) {
    for (; count > 0; count--) {
        set_local(q, q->local_count, type);
        q->local_types[q->local_count++] = type;
    }
}

/* The parameters and declared locals; *at moves behind the declaration. */
static bool take_locals(struct fast *q, const struct functype *type, const uint8_t **at,
                        const uint8_t *end) {
    uint32_t runs, count;
    q->local_count = 0;
    for (uint32_t i = 0; i < type->param_count; i++)
        add_locals(q, 1, byte_of(type->types[i]));
    if (!cn_u32_in_reach(at, &runs))
        return false;
    for (; runs > 0; runs--) {
        if (*at >= end || !cn_u32_in_reach(at, &count) || count > MOST_LOCALS - q->local_count)
            return false;
        uint8_t local = *(*at)++;
        if (!is_known_here(q, local))
            return false;
        add_locals(q, count, local);
    }
    return *at < end;
}

/* Likewise; locals of the body before that this one has not are forgotten in either case. */
static bool start_locals(struct fast *q, const struct functype *type, const uint8_t **at,
                         const uint8_t *end) {
    bool good = take_locals(q, type, at, end);
    for (uint32_t i = q->local_count; i < q->cleared && i < BYTE_LOCALS; i++)
        set_local(q, i, FAULT_NO_LOCAL);
    q->cleared = q->local_count;
    return good;
}

bool cn_fast_valid(struct fast *q, uint32_t func, struct span body, size_t known) {
    const struct module *m = q->m;
    const struct functype *type = module_func_type(m, func);
    const uint8_t *at = m->bytes + body.offset, *end = at + body.length;
    if (known < (size_t)body.offset + body.length + REACH || type->param_count > MOST_LOCALS ||
        type->result_count > 1 || !q->signatures[m->func_types[func]].known ||
        !start_locals(q, type, &at, end))
        return false;
    uint8_t result = type->result_count ? byte_of(ft_results(type)[0]) : 0;
    q->limit = m->bytes + known - REACH;
    q->spilled = 0;
    q->notes[1] = result ? result : OP_block;
    q->frames[1] = (struct frame){.type = result};
    if (at < q->base || at >= q->end)
        measure(q, at);
    return look_at_code(q, at, end);
}

/* ---- Making ---- */

static bool knows_type(const struct deftype *type) {
    if (type->kind != TYPE_FUNC)
        return false;
    for (uint32_t i = 0; i < type->count; i++)
        if (!is_known(dt_func(type)->types[i]))
            return false;
    return true;
}

/* A type that is not known refuses what uses it: a body of such a function, a call of one. */
static struct signature signature_of(const struct deftype *def) {
    struct signature s = {.known = knows_type(def)};
    if (!s.known)
        return s;
    const struct functype *type = dt_func(def);
    s.fits = type->param_count < 8 && type->result_count <= 1;
    for (uint32_t i = 0; i < type->param_count && s.fits; i++) {
        s.expected = s.expected << 8 | byte_of(type->types[i]);
        s.mask = s.mask << 8 | 0xFF;
    }
    if (s.fits && type->result_count)
        s.result = byte_of(ft_results(type)[0]);
    s.pop = (uint8_t)(s.fits ? type->param_count * 8 : 0);
    s.push = BITS_OF(s.result);
    return s;
}

static size_t size_of(const struct module *m) {
    return sizeof(struct fast) + m->type_count * sizeof(struct signature);
}

/*
 * Whether the fast validator knows all that the module's declarations say. A feature that it has not
 * heard of may change what any instruction means, such as one of 64-bit memories; so modules that may use
 * one are refused until this list, and what follows from the feature, is extended. The rows take it for
 * granted that bytes up to 0xC4 are opcodes.
 */
#define KNOWN_FEATURES                                                                             \
    (CATNAP_FEATURES_WASM2 |                                                                       \
     CATNAP_FEATURE_EXTENDED_CONST /* which changes no body, as CATNAP_FEATURE_COMPACT_IMPORTS */  \
     | CATNAP_FEATURE_COMPACT_IMPORTS | CATNAP_FEATURE_CUSTOM_PAGE_SIZES |                         \
     CATNAP_FEATURE_EXCEPTIONS | CATNAP_FEATURE_MULTI_MEMORY | CATNAP_FEATURE_MEMORY64 |           \
     CATNAP_FEATURE_THREADS |                                                                      \
     CATNAP_FEATURE_RELAXED_SIMD /* which plain() takes by their rows */ |                         \
     CATNAP_FEATURE_WIDE_ARITHMETIC | CATNAP_FEATURE_TAIL_CALLS |                                  \
     CATNAP_FEATURE_LEGACY_EXCEPTIONS /* as in the newer form, a body with a handler is refused */ \
     | CATNAP_FEATURE_GC | CATNAP_FEATURE_FUNCTION_REFERENCES /* other types are not known */)
static_assert((CATNAP_FEATURES_ALL & ~KNOWN_FEATURES) == 0,
              "modules are not left to the full validator");

static bool knows_declarations(const struct module *m) {
    if ((m->features & ~KNOWN_FEATURES) || !(m->features & CATNAP_FEATURE_SIGN_EXTENSION))
        return false;
    for (uint32_t i = 0; i < m->global_count; i++)
        if (!is_known(m->globals[i].type.type))
            return false;
    return true;
}

/* The meanings of a byte, in a function without locals. */
static uint64_t meaning_of(const struct module *m, uint32_t byte) {
    uint64_t meaning = NEEDS_BLOCKS(byte + 1) | FAULT_NO_LOCAL;
    bool rows_hold = m->memory_count > 0 && !m->memories[0].limits.is_64; /* of memory 0 */
    if (byte != 0x40)
        meaning |= FAULT_NOT_EMPTY;
    for (uint32_t natural = 0; natural < 4; natural++)
        if (byte > natural || !rows_hold)
            meaning |= FAULT_UNALIGNED(natural);
    return meaning;
}

bool cn_fast_new(const struct module *m, struct fast **fast) {
    *fast = NULL;
    if (!knows_declarations(m))
        return true;
    struct fast *q = cn_alloc(m->alloc, size_of(m));
    if (!q)
        return false;
    q->m = m;
    q->find_lengths = cn_find_lengths();
    q->base = q->end = NULL;
    q->cleared = 0;
    for (uint32_t i = 0; i < m->type_count; i++)
        q->signatures[i] = signature_of(m->types[i]);
    for (uint32_t i = 0; i < 256; i++)
        q->of_byte[i] = meaning_of(m, i);
    *fast = q;
    return true;
}

void cn_fast_drop(struct fast *q) {
    if (q)
        cn_free(q->m->alloc, q, size_of(q->m));
}
