/* Hashes blocks of 1024 bytes with NH, the universal hash of UMAC, in words of 16 bits: words are
 * added to the key's, and the products of those that lie eight apart are summed modulo 2^32. The
 * size is the number of passes over 256 KiB. */
#include "kernel.h"
#include "simd.h"

#define BLOCK 512 /* words */
#define BLOCKS 256

#if KERNEL_SIMD
static uint32_t nh(const int16_t *message, const int16_t *key) {
    v128_t sum = wasm_i32x4_const_splat(0);
    for (size_t i = 0; i < BLOCK; i += 16) {
        v128_t a = wasm_i16x8_add(wasm_v128_load(message + i), wasm_v128_load(key + i));
        v128_t b = wasm_i16x8_add(wasm_v128_load(message + i + 8), wasm_v128_load(key + i + 8));
        sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(a, b));
    }
    return (uint32_t)(wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1) +
                      wasm_i32x4_extract_lane(sum, 2) + wasm_i32x4_extract_lane(sum, 3));
}
#else
static uint32_t nh(const int16_t *message, const int16_t *key) {
    uint32_t sum = 0;
    for (size_t i = 0; i < BLOCK; i += 16) {
        for (size_t j = i; j < i + 8; j++) {
            int16_t a = (int16_t)(message[j] + key[j]), b = (int16_t)(message[j + 8] + key[j + 8]);
            sum += (uint32_t)(a * b);
        }
    }
    return sum;
}
#endif

int main(int argc, char **argv) {
    uint32_t passes = kernel_size(argc, argv, 3000);
    int16_t *text = kernel_alloc(BLOCKS * BLOCK * sizeof *text);
    int16_t *key = kernel_alloc(BLOCK * sizeof *key);
    uint32_t seed = 2463534242u;
    uint64_t hash = 0;
    for (size_t i = 0; i < BLOCKS * BLOCK; i++) {
        text[i] = (int16_t)(kernel_random(&seed) >> 16);
    }
    for (size_t i = 0; i < BLOCK; i++) {
        key[i] = (int16_t)(kernel_random(&seed) >> 16);
    }
    for (uint32_t pass = 0; pass < passes; pass++) {
        for (size_t block = 0; block < BLOCKS; block++) {
            hash = (hash ^ nh(text + block * BLOCK, key)) * 1099511628211u;
        }
        key[pass % BLOCK]++;
    }
    printf("%016llx\n", (unsigned long long)hash);
    return 0;
}
