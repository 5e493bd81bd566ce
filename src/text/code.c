/*
 * Instructions (section 6.5), folded or not. Everything that is open is on a stack of frames:
 * constructs that `end` or a parenthesis closes, and folded instructions, which are kept in
 * `pending` until their operands are written.
 */
#include <string.h>

#include "binary/walk.h"
#include "text/assembly.h"
#include "text/literals.h"

enum frame_kind {
    FRAME_OPERANDS, /* ( instruction immediates: folded instructions until ) */
    FRAME_BLOCK,    /* block, loop, try_table */
    FRAME_IF,       /* if, before its else */
    FRAME_ELSE,     /* behind the else */
    FRAME_TRY,      /* the older try, before its first catch */
    FRAME_CATCH,    /* behind a catch */
    FRAME_CATCH_ALL,
    /* Folded: the construct, whose instructions are in further parentheses */
    FRAME_CONDITION, /* ( if: its condition, until ( then */
    FRAME_THEN,      /* behind (then ...) */
    FRAME_THEN_ELSE, /* behind (else ...) */
    FRAME_DO,        /* ( try: until ( do */
    FRAME_HANDLERS,  /* behind (do ...) */
    FRAME_CAUGHT,    /* behind (catch ...) */
    FRAME_HANDLED,   /* behind (catch_all ...) or (delegate ...) */
    FRAME_ARM        /* the instructions in these further parentheses */
};

/* ---- Frames ---------------------------------------------------------------------------------- */

static struct frame *top(struct assembly *a) {
    return a->frame_count > 0 ? &a->frames[a->frame_count - 1] : NULL;
}

static void push(struct assembly *a, struct frame frame) {
    void *items = a->frames;
    if (a->frame_count >= CN_TEXT_NESTING) {
        cn_text_fail(&a->l, a->l.token.at, "nested more deeply than the limit of %u",
                     CN_TEXT_NESTING);
        return;
    }
    if (!cn_grow(a->alloc, &items, &a->frame_capacity, a->frame_count + 1, sizeof *a->frames)) {
        cn_out_of_memory(a);
        return;
    }
    a->frames = items;
    a->frames[a->frame_count++] = frame;
}

/* Whether the frame is one whose label can be named inside. */
static bool has_label(const struct frame *frame) {
    return frame->kind != FRAME_OPERANDS && frame->kind != FRAME_CONDITION &&
           frame->kind != FRAME_ARM;
}

/* Begins the construct: its label is known from here on. */
static void open_label(struct assembly *a, struct frame *frame) {
    a->depth++;
    if (frame->named) {
        frame->label_before = a->bound[frame->name][SPACE_LABEL];
        a->bound[frame->name][SPACE_LABEL] = a->depth;
    }
}

static void pop(struct assembly *a) {
    const struct frame *frame = top(a);
    if (has_label(frame)) {
        a->depth--;
        if (frame->named)
            a->bound[frame->name][SPACE_LABEL] = frame->label_before;
    }
    a->frame_count--;
}

/* ---- Bytes of instructions ------------------------------------------------------------------- */

static void put_opcode(struct encoder *e, const struct instruction *i, uint32_t step) {
    if (!i->prefix) {
        cn_encode_byte(e, (uint8_t)(i->opcode + step));
        return;
    }
    cn_encode_byte(e, i->prefix);
    cn_encode_u32(e, i->opcode + step);
}

/* The hint that was given goes with the instruction that begins here in the output. */
static void put_hint(struct assembly *a, const struct hint *hint) {
    if (!hint->given)
        return;
    cn_encode_u32(&a->body_hints.bytes, (uint32_t)(a->out->length - a->body_start));
    cn_encode_byte(&a->body_hints.bytes, 1);
    cn_encode_byte(&a->body_hints.bytes, hint->value);
    a->body_hints.count++;
}

static struct hint take_hint(struct assembly *a) {
    struct hint hint = a->hint;
    a->hint.given = false;
    return hint;
}

/* The instruction that was pending is written, since its operands are. */
static void put_pending(struct assembly *a, const struct frame *frame) {
    put_hint(a, &frame->hint);
    if (a->pending.failure == CATNAP_OK)
        cn_encode_bytes(a->out, a->pending.bytes + frame->pending,
                        a->pending.length - frame->pending);
    else
        a->out->failure = a->pending.failure;
    a->pending.length = frame->pending;
}

/* ---- Immediates ------------------------------------------------------------------------------ */

static void put_index(struct assembly *a, struct encoder *e, enum space space) {
    cn_encode_u32(e, cn_take_index(a, space));
}

static uint32_t take_optional(struct assembly *a, enum space space) {
    return cn_at_index(a) ? cn_take_index(a, space) : 0;
}

/* Whether two indices follow. */
static bool at_two_indices(const struct assembly *a) {
    return cn_at_index(a) && (a->l.ahead.kind == TOKEN_ID || cn_literal_is_number(&a->l.ahead));
}

static void put_br_table(struct assembly *a, struct encoder *e) {
    size_t place = cn_encode_keep(e);
    uint32_t count = 0;
    do {
        put_index(a, e, SPACE_LABEL);
        count++;
    } while (cn_at_index(a));
    cn_encode_put(e, place, count - 1);
}

static void put_type_use_and_table(struct assembly *a, struct encoder *e) {
    uint32_t table = take_optional(a, SPACE_TABLE);
    struct type_use use = cn_take_type_use(a, PARAMS_WITHOUT_NAMES);
    cn_encode_u32(e, cn_type_of_use(a, &use));
    cn_encode_u32(e, table);
}

/* x y where x may be left out, and y is written first. */
static void put_init(struct assembly *a, struct encoder *e, enum space segment, enum space target) {
    uint32_t to = at_two_indices(a) ? cn_take_index(a, target) : 0;
    put_index(a, e, segment);
    cn_encode_u32(e, to);
}

static void put_copy(struct assembly *a, struct encoder *e, enum space space) {
    bool given = cn_at_index(a);
    uint32_t to = given ? cn_take_index(a, space) : 0;
    cn_encode_u32(e, to);
    cn_encode_u32(e, given ? cn_take_index(a, space) : 0);
}

/* A number of an instruction or a vector, with so many bits. */
static uint64_t take_number(struct assembly *a, unsigned bits, bool floating) {
    const struct token token = a->l.token;
    uint64_t value = 0;
    enum literal read = LITERAL_NOT;
    if (token.kind == TOKEN_WORD)
        read = floating ? cn_literal_float(a->alloc, token.at, token.length, bits, &value)
                        : cn_literal_integer(token.at, token.length, bits, &value);
    if (read == LITERAL_NO_MEMORY)
        cn_out_of_memory(a);
    else if (read == LITERAL_NOT)
        cn_text_unexpected(&a->l, "a number");
    else if (read == LITERAL_RANGE)
        cn_text_fail(&a->l, token.at, "constant out of range of %c%u", floating ? 'f' : 'i', bits);
    cn_lexer_next(&a->l);
    return value;
}

static int64_t sign_extend(uint64_t value, unsigned bits) {
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static void put_v128(struct assembly *a, struct encoder *e) {
    static const struct {
        const char *shape;
        uint8_t count, bits;
        bool floating;
    } shapes[] = {{"i8x16", 16, 8, false}, {"i16x8", 8, 16, false}, {"i32x4", 4, 32, false},
                  {"i64x2", 2, 64, false}, {"f32x4", 4, 32, true},  {"f64x2", 2, 64, true}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (!cn_take_word(a, shapes[i].shape))
            continue;
        for (unsigned lane = 0; lane < shapes[i].count; lane++)
            cn_encode_fixed(e, take_number(a, shapes[i].bits, shapes[i].floating),
                            shapes[i].bits / 8u);
        return;
    }
    cn_text_unexpected(&a->l, "the shape of a vector");
}

static void put_lane(struct assembly *a, struct encoder *e) {
    const struct token token = a->l.token;
    uint64_t lane = 0;
    if (token.kind != TOKEN_WORD ||
        cn_literal_unsigned(token.at, token.length, UINT8_MAX, &lane) != LITERAL_OK)
        cn_text_fail(&a->l, token.at, "malformed lane index: expected a number below 256");
    cn_lexer_next(&a->l);
    cn_encode_byte(e, (uint8_t)lane);
}

/* The number behind a word that ends with =, such as offset=8. False when it is another word. */
static bool take_labelled(struct assembly *a, const char *word, uint64_t *value) {
    const struct token token = a->l.token;
    size_t length = strlen(word);
    if (token.kind != TOKEN_WORD || token.length <= length || memcmp(token.at, word, length) != 0)
        return false;
    enum literal read =
        cn_literal_unsigned(token.at + length, token.length - length, UINT64_MAX, value);
    if (read != LITERAL_OK)
        cn_text_fail(&a->l, token.at,
                     read == LITERAL_RANGE ? "constant out of range" : "expected a number");
    cn_lexer_next(&a->l);
    return true;
}

static bool is_labelled(const struct token *token) {
    return token->kind == TOKEN_WORD &&
           ((token->length > 7 && memcmp(token->at, "offset=", 7) == 0) ||
            (token->length > 6 && memcmp(token->at, "align=", 6) == 0));
}

/* memory? offset=? align=?; of an access to a lane, the memory is there only before another
 * immediate. */
static void put_memarg(struct assembly *a, struct encoder *e, struct immediate_shape shape) {
    bool lane = shape.lanes > 0;
    bool has_memory = lane ? at_two_indices(a) || a->l.token.kind == TOKEN_ID ||
                                 (cn_at_index(a) && is_labelled(&a->l.ahead))
                           : cn_at_index(a);
    uint32_t memory = has_memory ? cn_take_index(a, SPACE_MEMORY) : 0;
    uint64_t offset = 0, align = UINT64_C(1) << shape.alignment;
    take_labelled(a, "offset=", &offset);
    const uint8_t *at = a->l.token.at;
    if (take_labelled(a, "align=", &align) && (align == 0 || (align & (align - 1)) != 0))
        cn_text_fail(&a->l, at, "alignment must be a power of two");
    uint32_t flags = align ? (uint32_t)__builtin_ctzll(align) : 0;
    cn_encode_u32(e, flags | (memory ? MEMARG_HAS_MEMORY : 0));
    if (memory)
        cn_encode_u32(e, memory);
    cn_encode_u64(e, offset);
    if (lane)
        put_lane(a, e);
}

/* The value types in the scratch. */
static void put_results(const struct assembly *a, struct encoder *e) {
    cn_encode_bytes(e, a->results.bytes, a->results.length);
    if (a->results.failure != CATNAP_OK)
        e->failure = a->results.failure;
}

static void put_select(struct assembly *a, struct encoder *e) {
    bool typed = false;
    a->results.length = 0;
    uint32_t count = 0;
    while (cn_take_open(a, "result")) {
        for (; a->l.token.kind != TOKEN_CLOSE && a->l.token.kind != TOKEN_END; count++)
            cn_take_valtype(a, &a->results);
        cn_expect_close(a);
        typed = true;
    }
    cn_encode_opcode(e, typed ? OP_select_t : OP_select);
    if (!typed)
        return;
    cn_encode_u32(e, count);
    put_results(a, e);
}

/* Clauses of resume: (on tag label) or (on tag switch). */
static void put_on_clauses(struct assembly *a, struct encoder *e) {
    size_t place = cn_encode_keep(e);
    uint32_t count = 0;
    for (; cn_take_open(a, "on"); count++) {
        uint32_t tag = cn_take_index(a, SPACE_TAG);
        bool switches = cn_take_word(a, "switch");
        cn_encode_byte(e, switches);
        cn_encode_u32(e, tag);
        if (!switches)
            put_index(a, e, SPACE_LABEL);
        cn_expect_close(a);
    }
    cn_encode_put(e, place, count);
}

static void put_branch_cast(struct assembly *a, struct encoder *e) {
    uint32_t label = cn_take_index(a, SPACE_LABEL);
    struct reftype from = cn_take_reftype(a), to = cn_take_reftype(a);
    cn_encode_byte(e, (uint8_t)(from.nullable | to.nullable << 1));
    cn_encode_u32(e, label);
    cn_encode_s64(e, from.heap);
    cn_encode_s64(e, to.heap);
}

static void put_later_immediates(struct assembly *a, struct encoder *e,
                                 enum operands_in_text operands) {
    if (operands <= TEXT_RESUME_THROW)
        put_index(a, e, SPACE_TYPE);
    switch (operands) {
    case TEXT_TYPE_TYPE:
        put_index(a, e, SPACE_TYPE);
        break;
    case TEXT_TYPE_TAG:
    case TEXT_TAG:
        put_index(a, e, SPACE_TAG);
        break;
    case TEXT_RESUME_THROW:
        put_index(a, e, SPACE_TAG);
        put_on_clauses(a, e);
        break;
    case TEXT_RESUME:
        put_on_clauses(a, e);
        break;
    case TEXT_TYPE:
        break;
    }
}

static void put_immediates(struct assembly *a, struct encoder *e, enum immediate immediate) {
    uint32_t type;
    switch (immediate) {
    case IMM_NONE:
    case IMM_BLOCK:
    case IMM_TRY_TABLE:
    case IMM_SELECT:
    case IMM_REF_TYPE:
        break;
    case IMM_CAST:
        put_branch_cast(a, e);
        break;
    case IMM_TYPE_FIELD:
        type = cn_take_index(a, SPACE_TYPE);
        cn_encode_u32(e, type);
        cn_encode_u32(e, cn_take_field(a, type));
        break;
    case IMM_TYPE_COUNT:
        put_index(a, e, SPACE_TYPE);
        cn_encode_u32(e, cn_take_u32(a));
        break;
    case IMM_TYPE_TYPE:
        put_index(a, e, SPACE_TYPE);
        put_index(a, e, SPACE_TYPE);
        break;
    case IMM_TYPE_DATA:
        a->uses_data_count = true;
        put_index(a, e, SPACE_TYPE);
        put_index(a, e, SPACE_DATA);
        break;
    case IMM_TYPE_ELEM:
        put_index(a, e, SPACE_TYPE);
        put_index(a, e, SPACE_ELEM);
        break;
    case IMM_LABEL:
        put_index(a, e, SPACE_LABEL);
        break;
    case IMM_TAG:
        put_index(a, e, SPACE_TAG);
        break;
    case IMM_BR_TABLE:
        put_br_table(a, e);
        break;
    case IMM_FUNC:
        put_index(a, e, SPACE_FUNC);
        break;
    case IMM_TYPE:
        put_index(a, e, SPACE_TYPE);
        break;
    case IMM_CALL_INDIRECT:
        put_type_use_and_table(a, e);
        break;
    case IMM_HEAP_TYPE:
        cn_encode_s64(e, cn_take_heaptype(a));
        break;
    case IMM_LOCAL:
        put_index(a, e, SPACE_LOCAL);
        break;
    case IMM_GLOBAL:
        put_index(a, e, SPACE_GLOBAL);
        break;
    case IMM_TABLE:
        cn_encode_u32(e, take_optional(a, SPACE_TABLE));
        break;
    case IMM_MEMORY:
        cn_encode_u32(e, take_optional(a, SPACE_MEMORY));
        break;
    case IMM_DATA:
        a->uses_data_count = true;
        put_index(a, e, SPACE_DATA);
        break;
    case IMM_ELEM:
        put_index(a, e, SPACE_ELEM);
        break;
    case IMM_MEMORY_INIT:
        a->uses_data_count = true;
        put_init(a, e, SPACE_DATA, SPACE_MEMORY);
        break;
    case IMM_MEMORY_COPY:
        put_copy(a, e, SPACE_MEMORY);
        break;
    case IMM_TABLE_INIT:
        put_init(a, e, SPACE_ELEM, SPACE_TABLE);
        break;
    case IMM_TABLE_COPY:
        put_copy(a, e, SPACE_TABLE);
        break;
    case IMM_I32:
        cn_encode_s64(e, sign_extend(take_number(a, 32, false), 32));
        break;
    case IMM_I64:
        cn_encode_s64(e, (int64_t)take_number(a, 64, false));
        break;
    case IMM_F32:
        cn_encode_fixed(e, take_number(a, 32, true), 4);
        break;
    case IMM_F64:
        cn_encode_fixed(e, take_number(a, 64, true), 8);
        break;
    case IMM_V128:
        put_v128(a, e);
        break;
    case IMM_SHUFFLE:
        for (unsigned i = 0; i < 16; i++)
            put_lane(a, e);
        break;
    CASES_LANE:
        put_lane(a, e);
        break;
    case IMM_ZERO:
        cn_encode_byte(e, 0);
        break;
    CASES_MEMARG:
        put_memarg(a, e, cn_immediate_shapes[immediate]);
        break;
    }
}

/* The opcode and the immediates of an instruction that is no part of a construct, of which the name
 * was taken. */
static void put_plain(struct assembly *a, struct encoder *e, const struct instruction *i) {
    if (i->id == OP_select) {
        put_select(a, e);
    } else if (i->operands == IMM_REF_TYPE) {
        struct reftype type = cn_take_reftype(a);
        put_opcode(e, i, type.nullable);
        cn_encode_s64(e, type.heap);
    } else {
        put_opcode(e, i, 0);
        if (i->operands >= TEXT_FIRST)
            put_later_immediates(a, e, i->operands);
        else
            put_immediates(a, e, i->operands);
    }
}

/* ---- Constructs ------------------------------------------------------------------------------ */

static bool opens(const struct instruction *i) {
    return i->operands == IMM_BLOCK || i->operands == IMM_TRY_TABLE;
}

static bool is_part(const struct instruction *i) {
    return i->id == OP_else_ || i->id == OP_end || i->id == OP_catch_ || i->id == OP_catch_all ||
           i->id == OP_delegate;
}

static void put_block_type(struct assembly *a, struct encoder *e) {
    struct type_use use = cn_take_type_use(a, PARAMS_WITHOUT_NAMES);
    if (use.given || use.param_count > 0 || use.result_count > 1)
        cn_encode_s64(e, cn_type_of_use(a, &use));
    else if (use.result_count == 1)
        put_results(a, e);
    else
        cn_encode_byte(e, 0x40);
}

/* (catch tag label) and so on, in front of the instructions of try_table. */
static void put_catches(struct assembly *a, struct encoder *e) {
    static const char *const clauses[] = {"catch", "catch_ref", "catch_all", "catch_all_ref"};
    size_t place = cn_encode_keep(e);
    uint32_t count = 0;
    for (uint8_t code = 0; code < 4;) {
        if (!cn_take_open(a, clauses[code])) {
            code++;
            continue;
        }
        cn_encode_byte(e, code);
        if (code < 2)
            put_index(a, e, SPACE_TAG);
        put_index(a, e, SPACE_LABEL);
        cn_expect_close(a);
        count++;
        code = 0;
    }
    cn_encode_put(e, place, count);
}

/* The number of a label, with its entry in the name section: labels are numbered in the order in which their
 * instructions are written. */
static void number_label(struct assembly *a, const struct frame *frame) {
    cn_name_in(a, &a->label_names, a->label_count++, frame->name);
}

/* The same of one whose instruction was pending. */
static void number_pending_label(struct assembly *a, const struct frame *frame) {
    const uint8_t *at = a->l.token.at;
    if (frame->note)
        cn_lexer_seek(&a->l, frame->note);
    number_label(a, frame);
    if (frame->note)
        cn_lexer_seek(&a->l, at);
}

/* The identifier of a label. */
static void take_label(struct assembly *a, struct frame *frame, bool waits) {
    frame->name = cn_take_name(a, true);
    frame->named = frame->name != NO_NAME;
    if (waits)
        frame->note = cn_skip_name_note(a);
    else
        number_label(a, frame);
}

/* A construct begins, of which the name was taken. */
static void open_construct(struct assembly *a, const struct instruction *i, bool folded) {
    struct frame frame = {.kind = FRAME_BLOCK, .folded = folded, .pending = a->pending.length};
    bool waits = i->id == OP_if_ && folded;
    struct encoder *e = waits ? &a->pending : a->out;
    frame.hint = take_hint(a);
    take_label(a, &frame, waits);
    if (i->id == OP_if_)
        frame.kind = folded ? FRAME_CONDITION : FRAME_IF;
    else if (i->id == OP_try_)
        frame.kind = folded ? FRAME_DO : FRAME_TRY;
    if (!waits)
        put_hint(a, &frame.hint);
    put_opcode(e, i, 0);
    put_block_type(a, e);
    if (i->operands == IMM_TRY_TABLE)
        put_catches(a, e);
    if (frame.kind != FRAME_CONDITION && !a->l.failed)
        open_label(a, &frame);
    push(a, frame);
}

/* An identifier behind end or else must be that of the construct. */
static void check_label(struct assembly *a, const struct frame *frame) {
    const struct token token = a->l.token;
    if (token.kind != TOKEN_ID)
        return;
    uint32_t name = cn_take_name(a, false);
    if (name == NO_NAME || !frame->named || name != frame->name)
        cn_text_fail(&a->l, token.at, "mismatching label %.*s",
                     (int)(token.length > 100 ? 100 : token.length), (const char *)token.at);
}

/* end, else, catch, catch_all or delegate, not folded, whose name was taken at `at`. */
static void take_part(struct assembly *a, const struct instruction *i, const uint8_t *at) {
    struct frame *frame = top(a);
    uint8_t kind = frame && !frame->folded ? frame->kind : FRAME_OPERANDS;
    bool in_try = kind == FRAME_TRY || kind == FRAME_CATCH;
    bool fits = i->id == OP_end        ? kind != FRAME_OPERANDS
                : i->id == OP_else_    ? kind == FRAME_IF
                : i->id == OP_delegate ? kind == FRAME_TRY
                                       : in_try;
    if (!fits) {
        cn_text_fail(&a->l, at, "unexpected token: nothing is open that this belongs to");
        return;
    }
    if (i->id == OP_delegate) {
        pop(a);
        put_opcode(a->out, i, 0);
        put_index(a, a->out, SPACE_LABEL);
        return;
    }
    put_opcode(a->out, i, 0);
    if (i->id == OP_catch_)
        put_index(a, a->out, SPACE_TAG);
    else
        check_label(a, frame);
    if (i->id == OP_end)
        pop(a);
    else
        frame->kind = i->id == OP_else_    ? FRAME_ELSE
                      : i->id == OP_catch_ ? FRAME_CATCH
                                           : FRAME_CATCH_ALL;
}

/* ---- Folded instructions --------------------------------------------------------------------- */

static void push_arm(struct assembly *a) {
    push(a, (struct frame){.kind = FRAME_ARM, .folded = true});
}

/* (then, (else, (do, (catch, (catch_all or (delegate, whose name is taken if the construct that is
 * open has it there. */
static bool take_arm(struct assembly *a) {
    struct frame *frame = top(a);
    uint8_t kind = frame ? frame->kind : FRAME_OPERANDS;
    bool handles = kind == FRAME_HANDLERS || kind == FRAME_CAUGHT;
    if (kind == FRAME_CONDITION && cn_at_open(a, "then")) {
        number_pending_label(a, frame);
        cn_take_open(a, "then");
        put_pending(a, frame);
        open_label(a, frame);
        frame->kind = FRAME_THEN;
    } else if (kind == FRAME_THEN && cn_take_open(a, "else")) {
        cn_encode_opcode(a->out, OP_else_);
        frame->kind = FRAME_THEN_ELSE;
    } else if (kind == FRAME_DO && cn_take_open(a, "do")) {
        frame->kind = FRAME_HANDLERS;
    } else if (handles && cn_take_open(a, "catch")) {
        frame->kind = FRAME_CAUGHT;
        cn_encode_opcode(a->out, OP_catch_);
        put_index(a, a->out, SPACE_TAG);
    } else if (handles && cn_take_open(a, "catch_all")) {
        cn_encode_opcode(a->out, OP_catch_all);
        frame->kind = FRAME_HANDLED;
    } else {
        return false;
    }
    push_arm(a);
    return true;
}

/* Whether instructions may be here: in parentheses of their own, when `folded`. */
static bool may_begin(const struct frame *frame, bool folded) {
    if (!frame)
        return true;
    switch ((enum frame_kind)frame->kind) {
    case FRAME_OPERANDS:
    case FRAME_CONDITION:
        return folded;
    case FRAME_BLOCK:
    case FRAME_IF:
    case FRAME_ELSE:
    case FRAME_TRY:
    case FRAME_CATCH:
    case FRAME_CATCH_ALL:
    case FRAME_ARM:
        return true;
    case FRAME_THEN:
    case FRAME_THEN_ELSE:
    case FRAME_DO:
    case FRAME_HANDLERS:
    case FRAME_CAUGHT:
    case FRAME_HANDLED:
        return false;
    }
    return false;
}

static void take_instruction(struct assembly *a, bool folded) {
    const struct token token = a->l.token;
    const struct instruction *i = cn_instruction_find(a->instructions, token.at, token.length);
    if (!i) {
        cn_text_fail(&a->l, token.at, "unknown operator %.*s",
                     (int)(token.length > 100 ? 100 : token.length), (const char *)token.at);
        return;
    }
    if (!may_begin(top(a), folded) && !is_part(i)) {
        cn_text_unexpected(&a->l, "( or )");
        return;
    }
    if (folded && is_part(i)) {
        cn_text_unexpected(&a->l, "an instruction");
        return;
    }
    cn_lexer_next(&a->l);
    if (opens(i)) {
        open_construct(a, i, folded);
    } else if (is_part(i)) {
        take_part(a, i, token.at);
    } else if (folded) {
        struct frame frame = {.kind = FRAME_OPERANDS,
                              .folded = true,
                              .hint = take_hint(a),
                              .pending = a->pending.length};
        put_plain(a, &a->pending, i);
        push(a, frame);
    } else {
        struct hint hint = take_hint(a);
        put_hint(a, &hint);
        put_plain(a, a->out, i);
    }
}

/* (delegate label), which ends the older form of try in place of handlers. */
static bool take_folded_delegate(struct assembly *a) {
    struct frame *frame = top(a);
    if (!frame || frame->kind != FRAME_HANDLERS || !cn_take_open(a, "delegate"))
        return false;
    pop(a);
    cn_encode_opcode(a->out, OP_delegate);
    put_index(a, a->out, SPACE_LABEL);
    cn_expect_close(a);
    if (a->l.token.kind != TOKEN_CLOSE)
        cn_text_unexpected(&a->l, ")");
    cn_lexer_next(&a->l);
    return true;
}

/* A parenthesis closes what it was opened for. */
static void close_folded(struct assembly *a) {
    struct frame *frame = top(a);
    if (!frame->folded) {
        cn_text_unexpected(&a->l, "end");
        return;
    }
    switch ((enum frame_kind)frame->kind) {
    case FRAME_OPERANDS:
        put_pending(a, frame);
        break;
    case FRAME_ARM:
        break;
    case FRAME_BLOCK:
    case FRAME_THEN:
    case FRAME_THEN_ELSE:
    case FRAME_HANDLERS:
    case FRAME_CAUGHT:
    case FRAME_HANDLED:
        cn_encode_opcode(a->out, OP_end);
        break;
    case FRAME_CONDITION:
        cn_text_unexpected(&a->l, "(then");
        return;
    case FRAME_DO:
        cn_text_unexpected(&a->l, "(do");
        return;
    case FRAME_IF:
    case FRAME_ELSE:
    case FRAME_TRY:
    case FRAME_CATCH:
    case FRAME_CATCH_ALL: /* are not folded */
        return;
    }
    pop(a);
    cn_lexer_next(&a->l);
}

/* (@metadata.code.branch_hint "\00") or "\01", in front of the instruction that it is about. */
static void take_hint_note(struct assembly *a) {
    struct encoder *e = &a->bytes;
    const uint8_t *at = a->l.token.at;
    if (!cn_note_is(&a->l.token, "metadata.code.branch_hint")) {
        cn_text_unexpected(&a->l, "an instruction");
        return;
    }
    if (a->hint.given || !a->func)
        cn_text_fail(&a->l, at,
                     a->hint.given ? "two branch hints for one instruction"
                                   : "a branch hint outside of a function");
    cn_lexer_next(&a->l);
    e->length = 0;
    cn_take_strings(a, e);
    if (!a->l.failed && (e->length != 1 || e->bytes[0] > 1))
        cn_text_fail(&a->l, at, "a branch hint is \"\\00\" or \"\\01\"");
    cn_expect_close(a);
    a->hint = (struct hint){true, a->l.failed ? 0 : e->bytes[0], at};
}

/* ---- Sequences ------------------------------------------------------------------------------- */

static void begin(struct assembly *a, struct encoder *out) {
    a->out = out;
    a->depth = 1;
    a->frame_count = 0;
    a->pending.length = 0;
    a->hint.given = false;
}

/* One step; false where the sequence ends. */
static bool step(struct assembly *a) {
    switch (a->l.token.kind) {
    case TOKEN_OPEN:
        if (take_folded_delegate(a) || take_arm(a))
            return true;
        if (a->l.ahead.kind != TOKEN_WORD) {
            cn_lexer_next(&a->l);
            cn_text_unexpected(&a->l, "an instruction");
            return false;
        }
        cn_lexer_next(&a->l);
        take_instruction(a, true);
        return true;
    case TOKEN_WORD:
        take_instruction(a, false);
        return true;
    case TOKEN_NOTE:
        take_hint_note(a);
        return true;
    case TOKEN_CLOSE:
        if (!top(a))
            return false;
        close_folded(a);
        return true;
    case TOKEN_END:
    case TOKEN_ID:
    case TOKEN_STRING:
    case TOKEN_OTHER:
        break;
    }
    cn_text_unexpected(&a->l, top(a) && top(a)->folded ? "an instruction or )" : "an instruction");
    return false;
}

static void finish(struct assembly *a) {
    if (a->hint.given)
        cn_text_fail(&a->l, a->hint.at, "misplaced annotation: no instruction follows");
    if (a->pending.failure != CATNAP_OK || a->out->failure != CATNAP_OK)
        cn_out_of_memory(a);
}

/* After an error, names of labels stay bound: nothing is read any more. */
void cn_take_instructions(struct assembly *a, struct encoder *out) {
    begin(a, out);
    while (!a->l.failed && step(a))
        continue;
    finish(a);
}

void cn_take_folded(struct assembly *a, struct encoder *out) {
    begin(a, out);
    if (a->l.token.kind != TOKEN_OPEN) {
        cn_text_unexpected(&a->l, "(");
        return;
    }
    do {
        step(a);
    } while (a->frame_count > 0 && !a->l.failed);
    finish(a);
}

void cn_take_body(struct assembly *a, struct encoder *out) {
    size_t place = cn_encode_keep(out);
    a->label_count = 0;
    a->body_start = out->length;
    cn_take_locals(a, out);
    cn_take_instructions(a, out);
    cn_encode_opcode(out, OP_end);
    cn_encode_put_length(out, place);
    cn_put_names(&a->hints, &a->body_hints, a->func - 1);
    cn_put_names(&a->names[NAMED_LABEL], &a->label_names, a->func - 1);
}
