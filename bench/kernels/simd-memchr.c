/* Looks for bytes in 64 KiB of text, from one place where it is to the next and to the end. The size
 * is the number of passes over the text. */
#include "kernel.h"
#include "simd.h"

#define TEXT (64 * 1024)

#if KERNEL_SIMD
static size_t find(const uint8_t *text, size_t from, uint8_t byte) {
    v128_t wanted = wasm_i8x16_splat((int8_t)byte);
    size_t i = from;
    for (; i + 16 <= TEXT; i += 16) {
        v128_t same = wasm_i8x16_eq(wasm_v128_load(text + i), wanted);
        if (wasm_v128_any_true(same)) {
            return i + (size_t)__builtin_ctz(wasm_i8x16_bitmask(same));
        }
    }
    for (; i < TEXT && text[i] != byte; i++) {
    }
    return i;
}
#else
static size_t find(const uint8_t *text, size_t from, uint8_t byte) {
    size_t i = from;
    for (; i < TEXT && text[i] != byte; i++) {
    }
    return i;
}
#endif

int main(int argc, char **argv) {
    uint32_t passes = kernel_size(argc, argv, 6000);
    uint8_t *text = kernel_alloc(TEXT);
    uint32_t seed = 521288629, found = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < TEXT; i++) {
        uint32_t random = kernel_random(&seed);
        text[i] = random >> 20 ? 'a' + (random >> 8) % 26 : '0' + (random >> 8) % 8;
    }
    for (uint32_t i = 0; i < 64; i++) {
        text[kernel_random(&seed) % TEXT] = (uint8_t)('0' + i % 8);
    }
    for (uint32_t pass = 0; pass < passes; pass++) {
        uint8_t byte = (uint8_t)('0' + pass % 8);
        for (size_t at = find(text, 0, byte); at < TEXT; at = find(text, at + 1, byte)) {
            kernel_check(text[at] == byte, "a byte that is there");
            found++;
            sum += at;
        }
    }
    printf("%u found, sum %llu\n", (unsigned)found, (unsigned long long)sum);
    return 0;
}
