/*
 * The fast validator run in lock step with the full one: before each instruction that the fast one looks
 * at, the full one is taken to the same place, and both must agree on the position, the open blocks with
 * their kinds, types and labels, and all operands. Included instead of linking validate/fast.c, with
 * CATNAP_TINY_LIMITS or without.
 *
 * The including file defines DISAGREE(format, ...), which reports and does not return.
 */
#ifndef TESTS_LOCKSTEP_H
#define TESTS_LOCKSTEP_H

#include <stdio.h>
#include <string.h>

#include "validate/validator.h"

struct look;
static void observe(const struct look *);
#define OBSERVE(look) observe(look)
#include "validate/fast.c"

/* The full validator's state while the fast one looks at the same body; NULL where nothing is compared. */
static struct validator *locked;
/* Comparisons made so far, and those of which an operand was spilled. */
static uint64_t lockstep_count, lockstep_spilled;

/* Blocks compared at each step, the innermost ones: enough for all where limits are tiny. */
#define LOCKSTEP_BLOCKS 48u

static void lockstep_require(bool condition, const char *what) {
    if (!condition)
        DISAGREE("%s at offset %u", what, cn_decode_offset(&locked->d));
}

/* Operands of one block, from the top down: those of the word and, behind a mark, those spilled down to
 * `lowest`; and the types below `top` in the full validator's stack. */
static void compare_operands(const struct fast *q, uint64_t word, uint32_t spilled, uint32_t lowest,
                             const struct block *block, const valtype *top) {
    while (word != 0) {
        uint8_t type = word & 0xFF;
        if (type == SPILLED) {
            lockstep_spilled++;
            lockstep_require(spilled > lowest && word == SPILLED,
                             "a mark without spilled operands");
            word = q->spills[--spilled];
            continue;
        }
        word >>= 8;
        if (top[-1] == VT_BASE) { /* any operands may be here, as many as the fast one supposes */
            lockstep_require(block->unreachable, "an operand too many");
            continue;
        }
        lockstep_require(top[-1] == type || top[-1] == VT_BOTTOM, "another operand");
        top--;
    }
    lockstep_require(top[-1] == VT_BASE, "an operand too few");
    lockstep_require(spilled == lowest, "spilled operands of no block");
}

/* A block: its note, its frame or NULL when it is simple. */
static void compare_block(const struct fast *q, const struct block *block, uint8_t note,
                          const struct frame *frame) {
    struct types results = cn_block_results(locked, block), params = cn_block_params(locked, block);
    valtype type = frame ? frame->type : 0;
    bool is_if = frame ? frame->is_if : note == OP_if_;
    lockstep_require(params.count == 0 && results.count <= 1, "a block of several values");
    lockstep_require((results.count ? results.types[0] : 0) == type, "another type of block");
    lockstep_require((block->kind == BLOCK_IF) == is_if, "another state of an if");
    lockstep_require((block->kind == BLOCK_LOOP) == (note == OP_loop), "a loop or no loop");
    lockstep_require((block->kind == BLOCK_FUNCTION) == (frame == &q->frames[1]),
                     "the function's block or not");
    lockstep_require(NOTE_TYPE(note) == (block->kind == BLOCK_LOOP ? 0 : type),
                     "a label of another type");
}

static void compare_blocks(const struct look *l) {
    const struct fast *q = l->q;
    const struct frame *frame = l->frame;
    const uint8_t *note = l->note;
    const valtype *top = locked->top;
    uint64_t word = l->operands;
    uint32_t spilled = q->spilled;
    int64_t simple = l->simple;
    size_t index = locked->block_count,
           last = index > LOCKSTEP_BLOCKS ? index - LOCKSTEP_BLOCKS : 0;
    while (index > last) {
        const struct block *block = &locked->blocks[--index];
        compare_block(q, block, *note--, simple > 0 ? NULL : frame);
        compare_operands(q, word, spilled, frame->spilled, block, top);
        top = locked->values + block->base;
        word = 0;
        spilled = frame->spilled;
        if (simple-- == 0) {
            lockstep_require((index == 0) == (frame == &q->frames[1]), "more frames than blocks");
            word = frame->below;
            simple = frame->simple;
            frame--;
        }
    }
}

/* The fast validator stands before an instruction that it has not looked at. */
static void observe(const struct look *l) {
    const struct fast *q = l->q;
    if (!locked)
        return;
    if (l->at > l->end) { /* it will refuse, and the other cannot follow */
        locked = NULL;
        return;
    }
    while (locked->d.r.at < l->at) {
        lockstep_require(locked->block_count > 0, "instructions behind the end");
        if (!cn_validate_instruction(locked))
            DISAGREE("accepted so far, but: %s", locked->d.error->message);
    }
    lockstep_require(locked->d.r.at == l->at, "another length of an instruction");
    lockstep_require(l->frame > q->frames && l->frame <= &q->frames[MOST_FRAMES], "no such frame");
    lockstep_require(l->note > q->notes && l->note <= &q->notes[MOST_OPEN], "no such note");
    lockstep_require(l->simple >= 0 && q->spilled <= MOST_SPILLED, "counts out of bounds");
    lockstep_require((size_t)(l->note - q->notes) == locked->block_count, "more blocks, or fewer");
    compare_blocks(l);
    lockstep_count++;
}

/* ---- Bodies ---- */

/* A module with what validates its bodies, which may lie in bytes of their own. */
struct bench {
    struct module *m;
    struct fast *fast;      /* or NULL */
    struct validator *full; /* in lock step, and alone */
    struct error error;     /* of the full validator */
};

static bool open_bench(struct bench *b, struct module *m) {
    *b = (struct bench){.m = m};
    b->full = cn_make_validator(m, &b->error);
    return b->full && cn_fast_new(m, &b->fast);
}

static inline void close_bench(struct bench *b) {
    cn_fast_drop(b->fast);
    cn_drop_validator(b->full);
}

/* Lets the module's bodies be read from these bytes. */
static void set_bytes(struct bench *b, const uint8_t *bytes, size_t size) {
    b->m->bytes = bytes;
    b->m->size = size;
    b->full->d.base = bytes;
    if (b->fast)
        b->fast->base = b->fast->end = NULL; /* other bytes may be in the same place */
}

/*
 * The verdicts on a body of a function: bit 0 of the fast validator, bit 1 of the full one. Does not
 * return when they contradict each other.
 */
static uint32_t judge(struct bench *b, uint32_t func, struct span body, size_t known) {
    bool accepted = false;
    if (b->fast) {
        b->error = (struct error){.status = CATNAP_OK};
        locked = cn_enter_body(b->full, func, body) ? b->full : NULL;
        accepted = cn_fast_valid(b->fast, func, body, known);
        locked = NULL;
    }
    b->error = (struct error){.status = CATNAP_OK};
    bool valid = cn_validate_with(b->full, func, body);
    if (accepted && !valid)
        DISAGREE("accepted, but: %s at offset %u", b->error.message, (uint32_t)b->error.offset);
    return (uint32_t)accepted | (valid ? 2 : 0);
}

#endif
