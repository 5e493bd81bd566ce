/*
 * Weighs the locals of a function by what its loops do with them. The walk has few jumps that cannot be
 * foreseen, as validate/fast.c has: every instruction adds to some weight, if only nothing to the first;
 * and where the next one begins is known from lengths found beforehand.
 */
#include "translate/pin.h"

#include <assert.h>
#include <string.h>

#include "binary/instruction.h"
#include "binary/lengths.h"
#include "binary/walk.h"

/* Constructs deeper than this are not told apart: what is in them counts as where they are. */
#define NESTING_SEEN 64
#define LOOPS_SEEN 6

/* Each loop around an access makes it this much heavier, and a write counts for several reads: what
 * a loop carries from one turn to the next is what a slot makes slow. */
#define LOOP_FACTOR_SHIFT 3
#define WRITE_WEIGHT 3
#define WRITTEN (UINT64_C(1) << 63)

#define WINDOW 1024u /* bytes whose lengths are found at a time */

struct walk {
    uint64_t *weights;
    uint64_t read, write; /* what these weigh here */
    uint64_t written;     /* the mark, in loops */
    uint64_t is_loop;     /* bit per construct, innermost lowest */
    uint32_t depth, loops;
    uint8_t bytes[WINDOW + LENGTHS_SLACK], lengths[WINDOW + LENGTHS_SLACK];
};

static void enter_construct(struct walk *w, bool loop) {
    if (w->depth++ < NESTING_SEEN) {
        w->is_loop = w->is_loop << 1 | loop;
        w->loops += loop;
    }
}

static void leave_construct(struct walk *w) {
    if (w->depth == 0 || --w->depth >= NESTING_SEEN)
        return;
    w->loops -= w->is_loop & 1;
    w->is_loop >>= 1;
}

static void take_construct(struct walk *w, unsigned flags, bool loop) {
    if (flags & OPF_CLOSES)
        leave_construct(w);
    if (flags & OPF_OPENS)
        enter_construct(w, loop);
    uint32_t loops = w->loops < LOOPS_SEEN ? w->loops : LOOPS_SEEN;
    w->read = loops ? UINT64_C(1) << LOOP_FACTOR_SHIFT * (loops - 1) : 0;
    w->write = w->read * WRITE_WEIGHT;
    w->written = loops ? WRITTEN : 0;
}

/* The masks of the byte behind the opcode, of the weights and of the mark; and the flags of opcodes that
 * open or close a construct. */
struct effect {
    uint8_t index, read, write, construct;
};
#define CONSTRUCT (OPF_OPENS | OPF_CLOSES)
static_assert(CONSTRUCT <= UINT8_MAX, "the flags fit");

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct effect effects[256] = {
#define OP_FB(...)
#define OP_FC(...) /* only opcodes of one byte */
#define OP_FD(...)
#define OP_FE(...)
#define OP(code, id, name, imm, flags, ...) [code] = {.construct = (flags) & CONSTRUCT},
#include "binary/opcodes.def"
    [OP_local_get] = {.index = 0xFF, .read = 1},
    [OP_local_set] = {.index = 0xFF, .write = 1},
    [OP_local_tee] = {.index = 0xFF, .write = 1},
};
#pragma GCC diagnostic pop

static void add(struct walk *w, uint32_t index, struct effect effect) {
    uint64_t weight = w->weights[index];
    weight += (w->read & -(uint64_t)effect.read) + (w->write & -(uint64_t)effect.write);
    w->weights[index] = weight | (w->written & -(uint64_t)effect.write);
}

/* An instruction whose length was not found. */
static const uint8_t *take_other(struct walk *w, const uint8_t *at) {
    enum opcode opcode = cn_opcode_valid(&at);
    const struct op_info *info = &cn_op_info[opcode];
    const uint8_t *index = at;
    cn_skip_immediates(&at, opcode);
    if (info->immediate == IMM_LOCAL)
        add(w, cn_u32_valid(&index), effects[opcode]);
    else if (info->flags & CONSTRUCT)
        take_construct(w, info->flags, opcode == OP_loop);
    return at;
}

static const uint8_t *take_window(struct walk *w, find_lengths find, const uint8_t *at,
                                  size_t left) {
    size_t size = left < WINDOW ? left : WINDOW;
    size_t seen = left < sizeof w->bytes ? left : sizeof w->bytes;
    memcpy(w->bytes, at, seen);
    memset(w->bytes + seen, 0, sizeof w->bytes - seen);
    find(w->lengths, w->bytes, size);
    size_t i = 0;
    while (i < size) {
        uint8_t length = w->lengths[i] & (uint8_t)~LENGTH_SPECIAL, opcode = w->bytes[i];
        struct effect effect = effects[opcode];
        if (length != 0 && !effect.construct) {
            add(w, w->bytes[i + 1] & effect.index, effect);
            i += length;
        } else if (length != 0 && !is_long_reftype(w->bytes[i + 1])) {
            take_construct(w, effect.construct, opcode == OP_loop);
            i += length;
        } else { /* the length of a construct is that of one whose block type takes a byte */
            i = (size_t)(take_other(w, at + i) - at);
        }
    }
    return at + i;
}

void cn_weigh_locals(const uint8_t *at, const uint8_t *end, uint64_t *weights) {
    struct walk walk;
    find_lengths find = cn_find_lengths();
    memset(&walk, 0, offsetof(struct walk, bytes));
    walk.weights = weights;
    while (at < end)
        at = take_window(&walk, find, at, (size_t)(end - at));
}

bool cn_may_loop(const uint8_t *at, const uint8_t *end) {
    while ((at = memchr(at, OP_loop, (size_t)(end - at)))) {
        at++; /* there is an `end` behind everything */
        if (*at == (BLOCK_EMPTY & 0x7F) || vt_is_basic(*at))
            return true;
    }
    return false;
}

/* A local that no loop writes gains less from a register. */
static uint64_t need_of(uint64_t weight) {
    return weight & WRITTEN ? weight & ~WRITTEN : weight >> 2;
}

void cn_choose_pins(const uint64_t *weights, uint32_t count, uint32_t pins[2]) {
    uint64_t most = 0, second = 0;
    pins[0] = pins[1] = NO_PIN;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t need = need_of(weights[i]);
        if (need > most) {
            second = most;
            pins[1] = pins[0];
            most = need;
            pins[0] = i;
        } else if (need > second) {
            second = need;
            pins[1] = i;
        }
    }
}
