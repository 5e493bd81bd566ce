/* Blurs a grey image of 512 by 512 pixels with the weights 1 2 1 in both directions, again and
 * again. The size is the number of times. */
#include "kernel.h"
#include "simd.h"

#define WIDTH 512
#define HEIGHT 512

/* sums[x] = above[x] + 2 here[x] + below[x] */
static void blur_columns(uint16_t *sums, const uint8_t *above, const uint8_t *here,
                         const uint8_t *below) {
#if KERNEL_SIMD
    for (size_t x = 0; x < WIDTH; x += 8) {
        v128_t outer = wasm_i16x8_add(wasm_u16x8_load8x8(above + x), wasm_u16x8_load8x8(below + x));
        v128_t inner = wasm_i16x8_shl(wasm_u16x8_load8x8(here + x), 1);
        wasm_v128_store(sums + x, wasm_i16x8_add(outer, inner));
    }
#else
    for (size_t x = 0; x < WIDTH; x++) {
        sums[x] = (uint16_t)(above[x] + below[x] + (here[x] << 1));
    }
#endif
}

/* to[x] = (sums[x - 1] + 2 sums[x] + sums[x + 1]) / 16, rounded */
static void blur_row(uint8_t *to, const uint16_t *sums) {
#if KERNEL_SIMD
    for (size_t x = 0; x < WIDTH; x += 16) {
        v128_t parts[2];
        for (size_t i = 0; i < 2; i++) {
            const uint16_t *at = sums + x + i * 8;
            v128_t outer = wasm_i16x8_add(wasm_v128_load(at - 1), wasm_v128_load(at + 1));
            v128_t inner = wasm_i16x8_shl(wasm_v128_load(at), 1);
            v128_t sum = wasm_i16x8_add(wasm_i16x8_add(outer, inner), wasm_i16x8_const_splat(8));
            parts[i] = wasm_u16x8_shr(sum, 4);
        }
        wasm_v128_store(to + x, wasm_u8x16_narrow_i16x8(parts[0], parts[1]));
    }
#else
    for (size_t x = 0; x < WIDTH; x++) {
        to[x] = (uint8_t)((sums[x - 1] + sums[x + 1] + (sums[x] << 1) + 8) >> 4);
    }
#endif
}

static void blur(uint8_t *to, const uint8_t *from) {
    static uint16_t row[WIDTH + 16];
    uint16_t *sums = row + 8;
    for (size_t y = 0; y < HEIGHT; y++) {
        const uint8_t *here = from + y * WIDTH;
        blur_columns(sums, y > 0 ? here - WIDTH : here, here, y + 1 < HEIGHT ? here + WIDTH : here);
        sums[-1] = sums[0];
        sums[WIDTH] = sums[WIDTH - 1];
        blur_row(to + y * WIDTH, sums);
    }
}

int main(int argc, char **argv) {
    uint32_t times = kernel_size(argc, argv, 300);
    uint8_t *image = kernel_alloc(WIDTH * HEIGHT), *other = kernel_alloc(WIDTH * HEIGHT);
    uint32_t seed = 88675123;
    for (size_t i = 0; i < WIDTH * HEIGHT; i++) {
        image[i] = (uint8_t)(kernel_random(&seed) >> 24);
    }
    for (uint32_t i = 0; i < times; i++) {
        blur(other, image);
        uint8_t *swap = image;
        image = other;
        other = swap;
    }
    printf("%016llx\n", (unsigned long long)kernel_hash(image, WIDTH * HEIGHT));
    return 0;
}
