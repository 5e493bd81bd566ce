/* Mandelbrot set on a size x size grid over [-1.5, 0.5] x [-1, 1], 50 iterations at most, one bit
 * a point. Prints the number of points inside and the hash of the bitmap. */
#include "kernel.h"

static int inside(double cr, double ci) {
    double zr = 0, zi = 0, zr2 = 0, zi2 = 0;
    for (int i = 0; i < 50; i++) {
        zi = 2 * zr * zi + ci;
        zr = zr2 - zi2 + cr;
        zr2 = zr * zr;
        zi2 = zi * zi;
        if (zr2 + zi2 > 4) {
            return 0;
        }
    }
    return 1;
}

int main(int argc, char **argv) {
    uint32_t n = kernel_size(argc, argv, 1000);
    size_t row = ((size_t)n + 7) / 8;
    unsigned char *bitmap = kernel_alloc(row * n);
    uint32_t count = 0;
    memset(bitmap, 0, row * n);
    for (uint32_t y = 0; y < n; y++) {
        double ci = 2.0 * y / n - 1;
        for (uint32_t x = 0; x < n; x++) {
            if (inside(2.0 * x / n - 1.5, ci)) {
                bitmap[y * row + x / 8] |= (unsigned char)(128 >> x % 8);
                count++;
            }
        }
    }
    printf("%u %016llx\n", (unsigned)count, (unsigned long long)kernel_hash(bitmap, row * n));
    return 0;
}
