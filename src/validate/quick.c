/*
 * Validation with few jumps that cannot be foreseen, see quick.h.
 *
 * A validator that jumps to a place for each opcode waits at every second instruction for the processor
 * to notice that it foresaw the wrong one. Here nearly all instructions are taken by the same straight
 * code, which a table tells what to expect and what to leave.
 *
 * - The operands of the innermost block are the bytes of one word, the topmost lowest. When there are
 *   too many, some go to memory.
 * - Where the next instruction begins would be known late: so the lengths of all that could begin in a
 *   stretch of the module are found at once (lengths.h).
 * - Most blocks are simple: they take and result in nothing, and begin where the block around them has
 *   no operands. A count says all that there is to know of simple blocks.
 *
 * What the straight code does not expect is for the switch below it, and what that does not expect for
 * take_any(), which is slower and knows more. What that does not know is not looked at here.
 */
#include "validate/quick.h"

#ifndef CATNAP_NO_QUICK

#include <string.h>

#include "binary/opcodes.h"
#include "binary/reader.h"
#include "binary/lengths.h"

#define STRETCH 16384u    /* bytes measured at a time: they stay in the processor's first cache */
#define MOST_BLOCKS 8192u /* open where a stretch begins, which opens half of its bytes at most */
#define MOST_FRAMES 512u  /* of them that are not simple */
#define MOST_LOCALS 1024u /* of a function */
#define MOST_SPILLED 256u /* words of operands */

/* Below the other operands in the word, where there are more of them in memory. It has more than one bit,
 * and so do types: no flag of the highest byte, which has one, can cancel an eighth operand. */
#define SPILLED 3u

/*
 * The word's highest byte is for what must not be. That is an eighth operand, and by what the byte
 * behind an opcode means: a local that is not there, a block with a type, and for each natural alignment
 * a bit that is set when the byte says more.
 */
#define TOO_MUCH (UINT64_C(0xFF) << 56)
#define NO_LOCAL (UINT64_C(0xC0) << 56)
#define TYPED (UINT64_C(0x10) << 56)
#define UNALIGNED(natural) (UINT64_C(1) << (56 + (natural)))
/* How many simple blocks have to be open for a label, in the same word as all that. */
#define LABEL(count) ((uint64_t)(count) << 16)
#define LABELS (UINT64_C(0xFFFF) << 16)
/* No operands are this. */
#define NEVER (~UINT64_C(0))

struct entry {
    uint64_t expected, mask; /* operands, and the bytes of them that count */
    uint64_t by_byte;        /* what counts of the byte behind the opcode for what is expected, */
    uint64_t result_by_byte; /* for the result, */
    uint64_t label_by_byte;  /* and for the blocks that have to be open */
    uint64_t keep;           /* of the operands, rotated by */
    uint8_t rotate;          /* bits */
    uint8_t result;
    int8_t depth;   /* blocks that are opened or closed */
    uint8_t blocks; /* that have to be open */
};

/* What a call does to the operands. */
struct signature {
    uint64_t expected, mask;
    uint8_t pop, push; /* bits */
    uint8_t result;
    bool fits; /* into the word */
};

/* An open block that is not simple. */
struct frame {
    uint64_t below;  /* operands of the block around it */
    uint8_t *opcode; /* where its opcode is noted */
    int64_t simple;  /* blocks around it, up to the next one that is not */
    uint8_t type;    /* or 0 */
};

struct quick {
    const struct module *m;
    find_lengths find_lengths;
    const uint8_t *limit;      /* no instruction may be read from here on */
    const uint8_t *base, *end; /* the stretch that was measured */
    uint32_t local_count, cleared, spilled;
    uint32_t spills[MOST_SPILLED];
    uint8_t local_types[MOST_LOCALS];
    uint64_t by_byte[256];                /* what a byte behind an opcode means */
    struct frame frames[1 + MOST_FRAMES]; /* the function's is the second */
    uint8_t lengths[STRETCH + LENGTHS_SLACK];
    /* Of all open blocks, the function's the second; `else` for an if that had one. */
    uint8_t opcodes[1 + MOST_BLOCKS + STRETCH];
    struct signature signatures[];
};

/* ---- The table ---- */

#define FIRST(a, ...) OPT_##a
#define SECOND(a, b, ...) OPT_##b
#define BITS_OF(type) ((type) != 0 ? 8 : 0)
/* Of operands a b, or a, or none, the topmost is the lowest byte. */
#define EXPECTED(a, b) ((b) != 0 ? (uint64_t)(b) | (uint64_t)(a) << 8 : (uint64_t)(a))
#define MASK(a, b) (TOO_MUCH | ((b) != 0 ? 0xFFFFu : (a) != 0 ? 0xFFu : 0u))
/* So many bytes fewer or more; what is below stays, and makes room for a result. */
#define ROTATE(a, b, result) ((64 + BITS_OF(result) - BITS_OF(a) - BITS_OF(b)) & 63)
#define KEEP(a, b, result) (NEVER >> (BITS_OF(a) + BITS_OF(b)) << BITS_OF(result))

#define BY_BYTE_NONE 0
#define BY_BYTE_I32 0
#define BY_BYTE_I64 0
#define BY_BYTE_F32 0
#define BY_BYTE_F64 0
#define BY_BYTE_MEM0 UNALIGNED(0)
#define BY_BYTE_MEM1 UNALIGNED(1)
#define BY_BYTE_MEM2 UNALIGNED(2)
#define BY_BYTE_MEM3 UNALIGNED(3)
#define BY_BYTE_MEMORY UNALIGNED(0) /* 0 is the one memory's index */

#define ENTRY(id, by_byte_, result_, a, b)                                                         \
    [OP_##id] = {.expected = EXPECTED(a, b),                                                       \
                 .mask = MASK(a, b),                                                               \
                 .by_byte = by_byte_,                                                              \
                 .keep = KEEP(a, b, result_),                                                      \
                 .rotate = ROTATE(a, b, result_),                                                  \
                 .result = result_},
#define ROW_SPECIAL(...)
#define ROW_MVP(id, imm, result, ...)                                                              \
    ENTRY(id, BY_BYTE_##imm, OPT_##result, FIRST(__VA_ARGS__, _), SECOND(__VA_ARGS__, _, _))
#define ROW_SIGN_EXTENSION ROW_MVP
#define ROW_SATURATING_CONVERSIONS(...)
#define ROW_BULK_MEMORY(...)
#define ROW_REFERENCE_TYPES(...)
#define ROW_SIMD(...)
#define ROW(id, imm, needed, result, ...) ROW_##needed(id, imm, result, __VA_ARGS__)
#define ROW_NOTHING ROW
#define ROW_I32 ROW
#define ROW_I64 ROW
#define ROW_F32 ROW
#define ROW_F64 ROW
#define ROW_V128 ROW
#define OP(code, id, name, imm, needed, result, ...)                                               \
    ROW_##result(id, imm, needed, result, __VA_ARGS__)
/* A local that is not there is not the same for whoever pushes it as for whoever pops it. */
#define PUSHED_LOCAL ((UINT64_C(0x80) << 56) | 0xFF)
#define POPPED_LOCAL ((UINT64_C(0x40) << 56) | 0xFF)

/* Only for opcodes that have a length and are not LENGTH_SPECIAL. */
static const struct entry entries[OPCODE_LIMIT] = {
#include "binary/opcodes.def"
    [OP_local_get] = {.mask = TOO_MUCH,
                      .result_by_byte = PUSHED_LOCAL,
                      .keep = KEEP(0, 0, 1),
                      .rotate = ROTATE(0, 0, 1)},
    [OP_local_set] = {.mask = MASK(1, 0),
                      .by_byte = POPPED_LOCAL,
                      .keep = KEEP(1, 0, 0),
                      .rotate = ROTATE(1, 0, 0)},
    [OP_local_tee] = {.mask = MASK(1, 0), .by_byte = POPPED_LOCAL, .keep = NEVER},
    [OP_nop] = {.mask = TOO_MUCH, .keep = NEVER},
    /* Simple blocks; what leaves them leaves no operands. */
    [OP_block] = {.mask = NEVER, .by_byte = TYPED, .depth = 1},
    [OP_loop] = {.mask = NEVER, .by_byte = TYPED, .depth = 1},
    [OP_if_] = {.expected = VT_I32, .mask = NEVER, .by_byte = TYPED, .depth = 1},
    [OP_end] = {.mask = NEVER, .depth = -1, .blocks = 1},
    [OP_br] = {.mask = NEVER, .label_by_byte = LABELS},
    [OP_br_if] = {.expected = VT_I32,
                  .mask = MASK(1, 0),
                  .label_by_byte = LABELS,
                  .keep = KEEP(1, 0, 0),
                  .rotate = ROTATE(1, 0, 0)},
    [OP_unreachable] = {.mask = NEVER, .blocks = 1},
};
#undef OP

static inline uint64_t rotated(uint64_t operands, const struct entry *entry) {
    uint32_t bits = entry->rotate;
    return (operands << bits | operands >> ((64 - bits) & 63)) & entry->keep;
}

/* ---- Whatever is not frequent ---- */

/* Where the validation of a body has come to. */
struct look {
    struct quick *q;
    const uint8_t *at, *end;
    uint64_t operands;
    uint8_t *opcode;     /* of the innermost block, in q->opcodes */
    struct frame *frame; /* the innermost block that is not simple */
    int64_t simple;      /* blocks in it */
};

/* Steps over a signed number of so many bytes at most, of whose last the unused bits and the sign must
 * be all the same. */
static bool skip_signed(const uint8_t **at, uint32_t most, uint8_t unused) {
    const uint8_t *p = *at, *last = p + most - 1;
    while (*p >= 0x80 && p < last)
        p++;
    *at = p + 1;
    return *p < 0x80 && (p < last || (*p & unused) == 0 || (*p & unused) == unused);
}

/* The four topmost of eight operands stay. */
static bool spill(struct look *l) {
    struct quick *q = l->q;
    if ((l->operands & NO_LOCAL & PUSHED_LOCAL) || q->spilled == MOST_SPILLED)
        return false;
    q->spills[q->spilled++] = (uint32_t)(l->operands >> 32);
    l->operands = (uint32_t)l->operands | (uint64_t)SPILLED << 32;
    return true;
}

/* Brings back those below the word's, when `index` operands are above the mark: at most 3. */
static void unspill(struct look *l, uint32_t index) {
    l->operands ^= (uint64_t)SPILLED << index * 8;
    l->operands |= (uint64_t)l->q->spills[--l->q->spilled] << index * 8;
}

/* Makes sure that the topmost operands are in the word, as far as there are so many. */
static void bring(struct look *l, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if ((l->operands >> i * 8 & 0xFF) == SPILLED)
            unspill(l, i);
}

static uint8_t top(const struct look *l) {
    return l->operands & 0xFF;
}

static bool pop(struct look *l, uint8_t type) {
    bring(l, 1);
    bool there = top(l) == type;
    l->operands >>= 8;
    return there;
}

/* There is room: eight operands are looked at before each instruction. */
static void push(struct look *l, uint8_t type) {
    if (type)
        l->operands = l->operands << 8 | type;
}

static uint8_t innermost_type(const struct look *l) {
    return l->simple > 0 ? 0 : l->frame->type;
}

/*
 * The rest of the block is not reached and may take what operands it likes. Those that its end takes
 * do for nearly all; whatever is valid with them is valid with any.
 */
static bool leave(struct look *l) {
    l->operands = innermost_type(l);
    return l->q->spilled == 0;
}

static bool is_known(const struct quick *q, uint8_t type) {
    return vt_is_num(type) || (type == VT_V128 && (q->m->features & CATNAP_FEATURE_SIMD));
}

static bool open_block(struct look *l, uint8_t opcode) {
    uint8_t byte = l->at[1], type = byte == 0x40 ? 0 : byte;
    if ((byte != 0x40 && !is_known(l->q, byte)) || l->frame == &l->q->frames[MOST_FRAMES] ||
        (opcode == OP_if_ && !pop(l, VT_I32)))
        return false;
    *++l->opcode = opcode;
    *++l->frame = (struct frame){l->operands, l->opcode, l->simple, type};
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

static bool close_block(struct look *l) {
    if (!at_results(l) || (*l->opcode == OP_if_ && innermost_type(l) != 0))
        return false;
    l->opcode--;
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
    if (*l->opcode != OP_if_ || !at_results(l))
        return false;
    *l->opcode = OP_else_;
    l->operands = 0;
    l->at++;
    return true;
}

/* What a branch to the label at *at carries. */
static bool read_label(const struct look *l, const uint8_t **at, uint8_t *carried) {
    uint32_t label;
    if (!cn_u32_in_reach(at, &label) || label >= (size_t)(l->opcode - l->q->opcodes))
        return false;
    const uint8_t *opcode = l->opcode - label;
    const struct frame *frame = l->frame;
    while (frame->opcode > opcode)
        frame--;
    *carried = frame->opcode == opcode && *opcode != OP_loop ? frame->type : 0;
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

static bool select_(struct look *l) {
    bring(l, 3);
    bool good = pop(l, VT_I32) && vt_is_num(top(l)) && top(l) == (l->operands >> 8 & 0xFF);
    l->operands >>= 8;
    l->at++;
    return good;
}

static bool drop(struct look *l) {
    bring(l, 1);
    bool there = top(l) > SPILLED;
    l->operands >>= 8;
    l->at++;
    return there;
}

static bool apply(struct look *l, const struct functype *type) {
    if (type->result_count > 1)
        return false;
    for (uint32_t i = type->param_count; i > 0; i--)
        if (!pop(l, (uint8_t)type->types[i - 1]))
            return false;
    push(l, type->result_count ? (uint8_t)ft_results(type)[0] : 0);
    return true;
}

static bool call(struct look *l) {
    const struct module *m = l->q->m;
    uint32_t func;
    l->at++;
    return cn_u32_in_reach(&l->at, &func) && func < m->func_count &&
           apply(l, module_func_type(m, func));
}

static bool call_indirect(struct look *l) {
    const struct module *m = l->q->m;
    uint32_t type, table = 0;
    l->at++;
    if (!pop(l, VT_I32) || !cn_u32_in_reach(&l->at, &type) || type >= m->type_count)
        return false;
    bool read = m->features & CATNAP_FEATURE_REFERENCE_TYPES ? cn_u32_in_reach(&l->at, &table)
                                                             : *l->at++ == 0;
    return read && table < m->table_count && m->tables[table].element == VT_FUNCREF &&
           apply(l, m->types[type]);
}

static bool global(struct look *l, uint8_t opcode) {
    uint32_t index;
    l->at++;
    if (!cn_u32_in_reach(&l->at, &index) || index >= l->q->m->global_count)
        return false;
    const struct globaltype *type = &l->q->m->globals[index].type;
    if (opcode == OP_global_set)
        return type->is_mutable && pop(l, (uint8_t)type->type);
    push(l, (uint8_t)type->type);
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

/* An alignment and an offset. */
static bool skip_memarg(struct look *l, uint32_t natural) {
    uint32_t alignment, offset;
    return cn_u32_in_reach(&l->at, &alignment) && alignment <= natural &&
           cn_u32_in_reach(&l->at, &offset);
}

static bool skip_data_index(struct look *l) {
    uint32_t index;
    return l->q->m->has_data_count && cn_u32_in_reach(&l->at, &index) &&
           index < l->q->m->data_count;
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

static bool skip_immediates(struct look *l, uint32_t immediate) {
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
    case IMM_LANE16:
    case IMM_LANE8:
    case IMM_LANE4:
    case IMM_LANE2:
        return skip_lane(l, 16u >> (immediate - IMM_LANE16));
    case IMM_MEM0:
    case IMM_MEM1:
    case IMM_MEM2:
    case IMM_MEM3:
    case IMM_MEM4:
        return skip_memarg(l, immediate - IMM_MEM0);
    case IMM_MEM0_LANE:
    case IMM_MEM1_LANE:
    case IMM_MEM2_LANE:
    case IMM_MEM3_LANE:
        return skip_memarg(l, immediate - IMM_MEM0_LANE) &&
               skip_lane(l, 16u >> (immediate - IMM_MEM0_LANE));
    case IMM_MEMORY:
        return *l->at++ == 0;
    case IMM_MEMORY_COPY:
        return *l->at++ == 0 && *l->at++ == 0;
    case IMM_DATA:
        return skip_data_index(l);
    case IMM_MEMORY_INIT:
        return skip_data_index(l) && *l->at++ == 0;
    default: /* of tables and element segments */
        return false;
    }
}

/* Whatever the opcode table describes whole. */
static bool plain(struct look *l) {
    uint32_t opcode = *l->at++, second;
    if (opcode >= 0xFC) {
        if (opcode > 0xFD || !cn_u32_in_reach(&l->at, &second) || second >= OPCODE_PREFIX_FC)
            return false;
        opcode = (opcode == 0xFC ? OPCODE_PREFIX_FC : OPCODE_PREFIX_FD) + second;
    }
    const struct op_info *info = &cn_op_info[opcode];
    if (!info->name || info->result == OPT_SPECIAL ||
        (l->q->m->features & info->feature) != info->feature ||
        !skip_immediates(l, info->immediate))
        return false;
    for (uint32_t i = info->operand_count; i > 0; i--)
        if (!pop(l, info->operands[i - 1]))
            return false;
    push(l, info->result);
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
        return call(l);
    case OP_call_indirect:
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

/* Finds lengths from here on; behind them are zeros. */
static void measure(struct quick *q, const uint8_t *at) {
    size_t left = (size_t)(q->limit - at), size = left < STRETCH ? left : STRETCH;
    q->find_lengths(q->lengths, at, size);
    memset(q->lengths + size, 0, LENGTHS_SLACK);
    q->base = at;
    q->end = at + size;
}

/* ---- What is frequent ---- */

/* An index of up to five bytes; of more bits than an index has, something that is too large. */
static inline uint64_t read_index(const uint8_t *at, uint32_t length) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    word &= NEVER >> (64 - 8 * length);
    return (word & 0x7F) | (word >> 1 & 0x3F80) | (word >> 2 & 0x1FC000) | (word >> 3 & 0xFE00000) |
           (word >> 4 & UINT64_C(0x7F0000000));
}

/* The frequent forms of what the straight code does not take. */
static inline bool take_special(struct look *l, uint32_t length) {
    const struct module *m = l->q->m;
    uint64_t operands = l->operands, index;
    if (operands & TOO_MUCH)
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
        l->operands = operands << 8 | (uint8_t)m->globals[index].type.type;
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

/* What neither of the two takes, and the end of a stretch. */
static __attribute__((noinline)) bool take_rest(struct look *l) {
    struct quick *q = l->q;
    if (l->at >= l->end || l->at >= q->limit || (size_t)(l->opcode - q->opcodes) >= MOST_BLOCKS)
        return false;
    if (l->at >= q->end) {
        measure(q, l->at);
        return true;
    }
    if ((l->operands & TOO_MUCH) && !spill(l))
        return false;
    return take_any(l);
}

/* The instructions of the body up to its end. */
static bool look_at_code(struct quick *q, const uint8_t *at, const uint8_t *end) {
    struct look l = {q, at, end, 0, &q->opcodes[1], &q->frames[1], 0};
    uintptr_t to_lengths = (uintptr_t)q->lengths - (uintptr_t)q->base;
    for (;;) {
        uint64_t operands = l.operands;
        uint8_t *opcode = l.opcode;
        int64_t simple = l.simple;
        int32_t length;
        at = l.at;
        /* A br_table ends anywhere, also far behind what was measured. */
        length = 0;
        while (at < q->end && (length = *(const int8_t *)((uintptr_t)at + to_lengths)) > 0) {
            const struct entry *entry = &entries[at[0]];
            uint64_t by_byte = q->by_byte[at[1]];
            uint64_t expected = entry->expected | (by_byte & entry->by_byte);
            int64_t blocks = (int64_t)((by_byte & entry->label_by_byte) | LABEL(entry->blocks));
            if (((operands ^ expected) & entry->mask) != 0 || blocks > (int64_t)LABEL(simple))
                break;
            opcode[1] = at[0];
            opcode += entry->depth;
            simple += entry->depth;
            operands = rotated(operands, entry) | entry->result | (by_byte & entry->result_by_byte);
            at += length;
        }
        l.at = at;
        l.operands = operands;
        l.opcode = opcode;
        l.simple = simple;
        if (length < 0 && take_special(&l, (uint32_t)length & 0x7F))
            continue;
        if (!take_rest(&l))
            return false;
        to_lengths = (uintptr_t)q->lengths - (uintptr_t)q->base;
        if (l.frame == q->frames)
            return l.at == end;
    }
}

/* ---- A body ---- */

static void set_local(struct quick *q, uint32_t index, uint64_t meaning) {
    if (index < 128)
        q->by_byte[index] = (q->by_byte[index] & ~(NO_LOCAL | 0xFF)) | meaning;
}

static void add_locals(struct quick *q, uint32_t count, uint8_t type) {
    for (; count > 0; count--) {
        set_local(q, q->local_count, type);
        q->local_types[q->local_count++] = type;
    }
}

/* The parameters and declared locals; *at moves behind the declaration. */
static bool take_locals(struct quick *q, const struct functype *type, const uint8_t **at,
                        const uint8_t *end) {
    uint32_t runs, count;
    q->local_count = 0;
    for (uint32_t i = 0; i < type->param_count; i++)
        add_locals(q, 1, (uint8_t)type->types[i]);
    if (!cn_u32_in_reach(at, &runs))
        return false;
    for (; runs > 0; runs--) {
        if (*at >= end || !cn_u32_in_reach(at, &count) || count > MOST_LOCALS - q->local_count)
            return false;
        uint8_t local = *(*at)++;
        if (!is_known(q, local))
            return false;
        add_locals(q, count, local);
    }
    return *at < end;
}

bool cn_quick_valid(struct quick *q, uint32_t func, struct span body, size_t known) {
    const struct module *m = q->m;
    const struct functype *type = module_func_type(m, func);
    const uint8_t *at = m->bytes + body.offset, *end = at + body.length;
    if (known < (size_t)body.offset + body.length + 2 * LENGTHS_SLACK ||
        type->param_count > MOST_LOCALS || type->result_count > 1)
        return false;
    bool good = take_locals(q, type, &at, end);
    for (uint32_t i = q->local_count; i < q->cleared; i++)
        set_local(q, i, NO_LOCAL | 0xFF);
    q->cleared = q->local_count;
    if (!good)
        return false;
    q->limit = m->bytes + known - 2 * LENGTHS_SLACK;
    q->spilled = 0;
    q->opcodes[1] = OP_block;
    q->frames[1] =
        (struct frame){0, &q->opcodes[1], 0, type->result_count ? (uint8_t)ft_results(type)[0] : 0};
    if (at < q->base || at >= q->end)
        measure(q, at);
    return look_at_code(q, at, end);
}

/* ---- Making ---- */

static struct signature signature_of(const struct functype *type) {
    struct signature s = {.fits = type->param_count < 8 && type->result_count <= 1};
    for (uint32_t i = 0; i < type->param_count && s.fits; i++) {
        s.expected = s.expected << 8 | (uint8_t)type->types[i];
        s.mask = s.mask << 8 | 0xFF;
    }
    if (s.fits && type->result_count)
        s.result = (uint8_t)ft_results(type)[0];
    s.pop = (uint8_t)(s.fits ? type->param_count * 8 : 0);
    s.push = BITS_OF(s.result);
    return s;
}

static size_t size_of(const struct module *m) {
    return sizeof(struct quick) + m->type_count * sizeof(struct signature);
}

/* The straight code takes it for granted that there is a memory and that bytes up to 0xC4 are opcodes. */
bool cn_quick_new(const struct module *m, struct quick **quick) {
    *quick = NULL;
    if (m->memory_count == 0 || !(m->features & CATNAP_FEATURE_SIGN_EXTENSION))
        return true;
    struct quick *q = cn_alloc(m->alloc, size_of(m));
    if (!q)
        return false;
    q->m = m;
    q->find_lengths = cn_find_lengths();
    q->base = q->end = NULL;
    q->cleared = 0;
    for (uint32_t i = 0; i < m->type_count; i++)
        q->signatures[i] = signature_of(m->types[i]);
    for (uint32_t i = 0; i < 256; i++)
        q->by_byte[i] = LABEL(i + 1) | NO_LOCAL | 0xFF | TYPED | UNALIGNED(0) | UNALIGNED(1) |
                        UNALIGNED(2) | UNALIGNED(3);
    for (uint32_t natural = 0; natural < 4; natural++)
        for (uint32_t i = 0; i <= natural; i++)
            q->by_byte[i] &= ~UNALIGNED(natural);
    q->by_byte[0x40] &= ~TYPED;
    *quick = q;
    return true;
}

void cn_quick_drop(struct quick *q) {
    if (q)
        cn_free(q->m->alloc, q, size_of(q->m));
}

#endif
