/* Dot products of rows of 1024 floats, summed in eight strands. The size is the number of rows. */
#include "kernel.h"
#include "simd.h"

#define LENGTH 1024
#define ROWS 64

static float dot(const float *a, const float *b) {
    float sums[8];
#if KERNEL_SIMD
    v128_t low = wasm_f32x4_const_splat(0), high = low;
    for (size_t i = 0; i < LENGTH; i += 8) {
        v128_t product = wasm_f32x4_mul(wasm_v128_load(a + i), wasm_v128_load(b + i));
        v128_t other = wasm_f32x4_mul(wasm_v128_load(a + i + 4), wasm_v128_load(b + i + 4));
        low = wasm_f32x4_add(low, product);
        high = wasm_f32x4_add(high, other);
    }
    wasm_v128_store(sums, low);
    wasm_v128_store(sums + 4, high);
#else
    float sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0, sum4 = 0, sum5 = 0, sum6 = 0, sum7 = 0;
    for (size_t i = 0; i < LENGTH; i += 8) {
        sum0 += a[i] * b[i];
        sum1 += a[i + 1] * b[i + 1];
        sum2 += a[i + 2] * b[i + 2];
        sum3 += a[i + 3] * b[i + 3];
        sum4 += a[i + 4] * b[i + 4];
        sum5 += a[i + 5] * b[i + 5];
        sum6 += a[i + 6] * b[i + 6];
        sum7 += a[i + 7] * b[i + 7];
    }
    const float all[8] = {sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7};
    memcpy(sums, all, sizeof sums);
#endif
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

int main(int argc, char **argv) {
    uint32_t rows = kernel_size(argc, argv, 300000);
    float *matrix = kernel_alloc(ROWS * LENGTH * sizeof *matrix);
    float *vector = kernel_alloc(LENGTH * sizeof *vector);
    uint32_t seed = 2463534242u, hash = 0;
    for (size_t i = 0; i < ROWS * LENGTH; i++) {
        matrix[i] = (float)(kernel_random(&seed) & 0xFFFF) / 65536;
    }
    for (size_t i = 0; i < LENGTH; i++) {
        vector[i] = (float)(kernel_random(&seed) & 0xFFFF) / 65536;
    }
    for (uint32_t row = 0; row < rows; row++) {
        float product = dot(matrix + (size_t)(row % ROWS) * LENGTH, vector);
        uint32_t bits;
        kernel_check(product > 0 && product < LENGTH, "a dot product");
        memcpy(&bits, &product, sizeof bits);
        hash = hash * 31 + bits;
    }
    printf("%08x\n", (unsigned)hash);
    return 0;
}
