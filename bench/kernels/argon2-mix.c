/* The memory-hard core of Argon2 (RFC 9106): 1 KiB blocks mixed by the compression function G,
 * each from its predecessor and from a block that the predecessor's content picks. The size is the
 * number of passes over 4 MiB. (Initial blocks come from a simple generator, not from BLAKE2b.) */
#include "kernel.h"

#define WORDS 128
#define BLOCKS 4096

struct block {
    uint64_t word[WORDS];
};

static uint64_t rotate_right(uint64_t x, int n) {
    return x >> n | x << (64 - n);
}

static uint64_t multiply_add(uint64_t a, uint64_t b) {
    return a + b + 2 * (uint64_t)(uint32_t)a * (uint32_t)b;
}

static void quarter(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d) {
    *a = multiply_add(*a, *b);
    *d = rotate_right(*d ^ *a, 32);
    *c = multiply_add(*c, *d);
    *b = rotate_right(*b ^ *c, 24);
    *a = multiply_add(*a, *b);
    *d = rotate_right(*d ^ *a, 16);
    *c = multiply_add(*c, *d);
    *b = rotate_right(*b ^ *c, 63);
}

/* The permutation P on sixteen words: eight pairs, `stride` words apart. */
static void permute(uint64_t *words, size_t stride) {
    uint64_t v[16];
    for (int i = 0; i < 16; i++) {
        v[i] = words[(size_t)(i / 2) * stride + (size_t)(i % 2)];
    }
    for (int i = 0; i < 4; i++) {
        quarter(&v[i], &v[4 + i], &v[8 + i], &v[12 + i]);
    }
    for (int i = 0; i < 4; i++) {
        quarter(&v[i], &v[4 + (i + 1) % 4], &v[8 + (i + 2) % 4], &v[12 + (i + 3) % 4]);
    }
    for (int i = 0; i < 16; i++) {
        words[(size_t)(i / 2) * stride + (size_t)(i % 2)] = v[i];
    }
}

static void compress(struct block *out, const struct block *x, const struct block *y) {
    struct block r, q;
    for (int i = 0; i < WORDS; i++) {
        r.word[i] = x->word[i] ^ y->word[i];
    }
    q = r;
    for (int row = 0; row < 8; row++) {
        permute(q.word + row * 16, 2);
    }
    for (int column = 0; column < 8; column++) {
        permute(q.word + column * 2, 16);
    }
    for (int i = 0; i < WORDS; i++) {
        out->word[i] ^= r.word[i] ^ q.word[i];
    }
}

int main(int argc, char **argv) {
    uint32_t passes = kernel_size(argc, argv, 8);
    struct block *memory = kernel_alloc(BLOCKS * sizeof(struct block));
    uint32_t seed = 19260817;
    for (int i = 0; i < BLOCKS; i++) {
        for (int j = 0; j < WORDS; j++) {
            memory[i].word[j] = (uint64_t)kernel_random(&seed) << 32 | kernel_random(&seed);
        }
    }
    for (uint32_t pass = 0; pass < passes; pass++) {
        for (uint32_t i = 0; i < BLOCKS; i++) {
            const struct block *previous = &memory[(i + BLOCKS - 1) % BLOCKS];
            /* Squaring favours recent blocks, as Argon2's mapping does. */
            uint64_t pick = (uint32_t)previous->word[0];
            uint64_t back = BLOCKS - 2 - ((BLOCKS - 2) * (pick * pick >> 32) >> 32);
            compress(&memory[i], previous, &memory[(i + BLOCKS - 1 - back) % BLOCKS]);
        }
    }
    printf("%016llx\n", (unsigned long long)kernel_hash(&memory[BLOCKS - 1], sizeof(struct block)));
    return 0;
}
