/* SHA3-256 (FIPS 202, by the permutation Keccak-f[1600]) of size KiB of the bytes 0, 1, ..., 255,
 * 0, 1, ... */
#include "kernel.h"

#define RATE 136

static uint64_t rotate_left(uint64_t x, unsigned n) {
    return n ? x << n | x >> (64 - n) : x;
}

/* The constants of the iota and rho steps, computed as the standard defines them. */
static uint64_t round_constants[24];
static unsigned rotations[25];

static void prepare(void) {
    unsigned lfsr = 1, x = 1, y = 0;
    for (int round = 0; round < 24; round++) {
        for (int j = 0; j < 7; j++) {
            if (lfsr & 1) {
                round_constants[round] |= (uint64_t)1 << ((1u << j) - 1);
            }
            lfsr = lfsr << 1 ^ (lfsr & 0x80 ? 0x171 : 0);
        }
    }
    for (unsigned t = 0; t < 24; t++) {
        unsigned next = (2 * x + 3 * y) % 5;
        rotations[x + 5 * y] = (t + 1) * (t + 2) / 2 % 64;
        x = y;
        y = next;
    }
}

static void permute(uint64_t a[25]) {
    for (int round = 0; round < 24; round++) {
        uint64_t column[5], moved[25];
        for (int x = 0; x < 5; x++) {
            column[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        }
        for (int x = 0; x < 5; x++) {
            uint64_t d = column[(x + 4) % 5] ^ rotate_left(column[(x + 1) % 5], 1);
            for (int y = 0; y < 5; y++) {
                moved[y + 5 * ((2 * x + 3 * y) % 5)] =
                    rotate_left(a[x + 5 * y] ^ d, rotations[x + 5 * y]);
            }
        }
        for (int y = 0; y < 25; y += 5) {
            for (int x = 0; x < 5; x++) {
                a[y + x] = moved[y + x] ^ (~moved[y + (x + 1) % 5] & moved[y + (x + 2) % 5]);
            }
        }
        a[0] ^= round_constants[round];
    }
}

static void absorb(uint64_t a[25], const unsigned char *block) {
    for (int i = 0; i < RATE / 8; i++) {
        uint64_t lane = 0;
        for (int j = 7; j >= 0; j--) {
            lane = lane << 8 | block[i * 8 + j];
        }
        a[i] ^= lane;
    }
    permute(a);
}

static void sha3_256(const unsigned char *bytes, size_t count, char hex[65]) {
    uint64_t a[25] = {0};
    unsigned char last[RATE] = {0};
    size_t whole = count / RATE, rest = count % RATE;
    for (size_t i = 0; i < whole; i++) {
        absorb(a, bytes + i * RATE);
    }
    memcpy(last, bytes + whole * RATE, rest);
    last[rest] ^= 0x06;
    last[RATE - 1] ^= 0x80;
    absorb(a, last);
    for (int i = 0; i < 32; i++) {
        snprintf(hex + i * 2, 3, "%02x", (unsigned)(a[i / 8] >> i % 8 * 8 & 255));
    }
}

static const char digest_of_abc[] =
    "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532";

int main(int argc, char **argv) {
    size_t count = (size_t)kernel_size(argc, argv, 10240) * 1024;
    unsigned char *bytes = kernel_alloc(count);
    char hex[65];
    prepare();
    sha3_256((const unsigned char *)"abc", 3, hex);
    kernel_check(strcmp(hex, digest_of_abc) == 0, "SHA3-256 of abc");
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (unsigned char)i;
    }
    sha3_256(bytes, count, hex);
    printf("%s\n", hex);
    return 0;
}
