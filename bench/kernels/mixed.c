/* The work of small control programs, in turn: a linked list is sorted and searched, a matrix of 16-bit
 * integers multiplied, a text scanned by a state machine, and each result folded into a CRC-16.
 * The size is the number of rounds. */
#include "kernel.h"

/* CRC-16 with polynomial 0x1021 and start 0xffff, bit by bit. */
static uint16_t crc16(uint16_t crc, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    for (size_t i = 0; i < count; i++) {
        crc ^= (uint16_t)(p[i] << 8);
        for (int bit = 0; bit < 8; bit++) {
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
        }
    }
    return crc;
}

/* ---- linked list ------------------------------------------------------------------------- */

#define NODES 200

struct node {
    struct node *next;
    int16_t key, tag;
};

static struct node *merge(struct node *a, struct node *b) {
    struct node head = {0}, *tail = &head;
    while (a && b) {
        struct node **smaller = a->key <= b->key ? &a : &b;
        tail->next = *smaller;
        tail = *smaller;
        *smaller = tail->next;
    }
    tail->next = a ? a : b;
    return head.next;
}

/* The classic trick: bin i holds a sorted list of 2^i nodes or none. */
static struct node *sort_list(struct node *list) {
    struct node *bins[16] = {0}, *sorted = NULL;
    while (list) {
        struct node *one = list;
        int i = 0;
        list = list->next;
        one->next = NULL;
        for (; bins[i]; i++) {
            one = merge(bins[i], one);
            bins[i] = NULL;
        }
        bins[i] = one;
    }
    for (int i = 0; i < 16; i++) {
        sorted = merge(bins[i], sorted);
    }
    return sorted;
}

static uint32_t run_list(struct node *nodes, uint32_t seed) {
    struct node *list = NULL;
    uint32_t found = 0;
    for (int i = 0; i < NODES; i++) {
        nodes[i].key = (int16_t)(kernel_random(&seed) % 1000);
        nodes[i].tag = (int16_t)i;
        nodes[i].next = list;
        list = &nodes[i];
    }
    list = sort_list(list);
    for (const struct node *n = list; n->next; n = n->next) {
        kernel_check(n->key <= n->next->key, "order of the list");
    }
    for (int wanted = 0; wanted < 40; wanted++) {
        const struct node *n = list;
        while (n && n->key < wanted * 25) {
            n = n->next;
        }
        found = found * 7 + (n ? (uint32_t)n->tag : 999);
    }
    return found;
}

/* ---- matrix ------------------------------------------------------------------------------ */

#define SIDE 16

static uint32_t run_matrix(uint32_t seed) {
    int16_t a[SIDE][SIDE], b[SIDE][SIDE];
    uint32_t sum = 0;
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            a[i][j] = (int16_t)(kernel_random(&seed) >> 20);
            b[i][j] = (int16_t)((i + 1) * (j + 3));
        }
    }
    for (int i = 0; i < SIDE; i++) {
        for (int j = 0; j < SIDE; j++) {
            int32_t dot = 0;
            for (int k = 0; k < SIDE; k++) {
                dot += a[i][k] * b[k][j];
            }
            sum = sum * 5 + ((uint32_t)dot >> 3 & 0xfff);
        }
    }
    return sum;
}

/* ---- state machine ----------------------------------------------------------------------- */

enum state { START, SIGNED, INTEGER, POINT, FRACTION, EXPONENT, POWER, WRONG, STATES };

static enum state step(enum state state, char c) {
    int digit = c >= '0' && c <= '9';
    switch (state) {
    case START:
        return digit ? INTEGER : c == '+' || c == '-' ? SIGNED : c == '.' ? POINT : WRONG;
    case SIGNED:
        return digit ? INTEGER : c == '.' ? POINT : WRONG;
    case INTEGER:
        return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : WRONG;
    case POINT:
    case FRACTION:
        return digit ? FRACTION : c == 'e' && state == FRACTION ? EXPONENT : WRONG;
    case EXPONENT:
        return digit || c == '-' ? POWER : WRONG;
    case POWER:
        return digit ? POWER : WRONG;
    default:
        return WRONG;
    }
}

/* Reads comma-separated words and counts in which state each ends. */
static uint32_t run_machine(uint32_t seed) {
    static const char *const words[] = {"5012",  "-7.25", "+0.5e9", ".125", "12e-4",
                                        "1.2.3", "abc",   "-",      "3e",   "99999"};
    uint32_t ends[STATES] = {0}, sum = 0;
    for (int i = 0; i < 60; i++) {
        enum state state = START;
        for (const char *p = words[kernel_random(&seed) % 10]; *p && state != WRONG; p++) {
            state = step(state, *p);
        }
        ends[state]++;
    }
    for (int i = 0; i < STATES; i++) {
        sum = sum * 61 + ends[i];
    }
    return sum;
}

int main(int argc, char **argv) {
    uint32_t rounds = kernel_size(argc, argv, 5000);
    struct node *nodes = kernel_alloc(NODES * sizeof(*nodes));
    uint16_t crc = 0xffff;
    kernel_check(crc16(0xffff, "123456789", 9) == 0x29b1, "CRC-16 of 123456789");
    for (uint32_t round = 1; round <= rounds; round++) {
        uint32_t results[3] = {run_list(nodes, round), run_matrix(round), run_machine(round)};
        crc = crc16(crc, results, sizeof(results));
    }
    printf("%04x\n", (unsigned)crc);
    return 0;
}
