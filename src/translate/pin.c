#include "translate/pin.h"

#include "binary/skip.h"

/* Constructs deeper than this are not told apart: what is in them counts as where they are. */
#define NESTING_SEEN 64
#define LOOPS_SEEN 6

/* Each loop around an access makes it this much heavier, and a write counts for several reads: what
 * a loop carries from one turn to the next is what a slot makes slow. */
#define LOOP_FACTOR_SHIFT 3
#define WRITE_WEIGHT 3
#define ELIGIBLE 1u /* low bit: an integer */
#define WRITTEN 2u
#define COUNT_SHIFT 2

struct nesting {
    uint64_t is_loop; /* bit per construct, innermost lowest */
    uint32_t depth, loops;
};

static void enter(struct nesting *n, bool loop) {
    if (n->depth++ < NESTING_SEEN) {
        n->is_loop = n->is_loop << 1 | loop;
        n->loops += loop;
    }
}

static void leave(struct nesting *n) {
    if (n->depth == 0 || --n->depth >= NESTING_SEEN)
        return;
    n->loops -= n->is_loop & 1;
    n->is_loop >>= 1;
}

static void count(uint32_t *local, uint32_t loops, bool write) {
    uint32_t shift = LOOP_FACTOR_SHIFT * ((loops < LOOPS_SEEN ? loops : LOOPS_SEEN) - 1);
    uint32_t weight = (write ? WRITE_WEIGHT : 1u) << shift;
    if (!(*local & ELIGIBLE))
        return;
    if (*local >> COUNT_SHIFT < (UINT32_MAX >> COUNT_SHIFT) - weight)
        *local += weight << COUNT_SHIFT;
    if (write)
        *local |= WRITTEN;
}

static void count_accesses(const uint8_t *at, const uint8_t *end, uint32_t *locals) {
    struct nesting nesting = {0};
    while (at < end) {
        enum opcode opcode = cn_opcode_valid(&at);
        switch (opcode) {
        case OP_block:
        case OP_loop:
        case OP_if_:
            enter(&nesting, opcode == OP_loop);
            cn_s64_valid(&at);
            break;
        case OP_end:
            leave(&nesting);
            break;
        case OP_local_get:
        case OP_local_set:
        case OP_local_tee: {
            uint32_t index = cn_u32_valid(&at);
            if (nesting.loops)
                count(&locals[index], nesting.loops, opcode != OP_local_get);
            break;
        }
        default:
            if (opcode >= OP_i32_eqz && opcode <= OP_i64_extend32_s)
                break; /* these have no immediates */
            cn_skip_immediates(&at, (enum immediate)cn_op_info[opcode].immediate);
            break;
        }
    }
}

static uint32_t weight_of(uint32_t local) {
    return local & WRITTEN ? local >> COUNT_SHIFT : local >> COUNT_SHIFT >> 2;
}

void cn_choose_pins(const uint8_t *code, const uint8_t *end, uint32_t *locals, uint32_t local_count,
                    uint32_t pins[2]) {
    pins[0] = pins[1] = NO_PIN;
    if (!memchr(code, OP_loop, (size_t)(end - code)))
        return; /* surely no loop */
    for (uint32_t i = 0; i < local_count; i++)
        locals[i] = locals[i] == VT_I32 || locals[i] == VT_I64 ? ELIGIBLE : 0;
    count_accesses(code, end, locals);
    uint32_t most = 0, second = 0;
    for (uint32_t i = 0; i < local_count; i++) {
        uint32_t weight = weight_of(locals[i]);
        if (weight > most) {
            second = most;
            pins[1] = pins[0];
            most = weight;
            pins[0] = i;
        } else if (weight > second) {
            second = weight;
            pins[1] = i;
        }
    }
}
