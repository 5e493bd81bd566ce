/* Product of two n x n matrices of doubles by the definition. The entries are small integers,
 * so that the result is exact and can be checked against a closed form. */
#include "kernel.h"

static void multiply(uint32_t n, const double *a, const double *b, double *c) {
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            double sum = 0;
            for (uint32_t k = 0; k < n; k++) {
                sum += a[i * n + k] * b[k * n + j];
            }
            c[i * n + j] = sum;
        }
    }
}

int main(int argc, char **argv) {
    uint32_t n = kernel_size(argc, argv, 400);
    size_t bytes = (size_t)n * n * sizeof(double);
    double *a = kernel_alloc(bytes);
    double *b = kernel_alloc(bytes);
    double *c = kernel_alloc(bytes);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            a[i * n + j] = (double)i + j;
            b[i * n + j] = (double)i - j;
        }
    }
    multiply(n, a, b, c);
    /* c[i][j] = sum over k of (i + k)(k - j) = sum of k^2 + (i - j) k - i j */
    double sum_k = (double)n * (n - 1.0) / 2;
    double sum_k2 = (double)n * (n - 1.0) * (2.0 * n - 1) / 6;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            double expected = sum_k2 + ((double)i - j) * sum_k - (double)n * i * j;
            kernel_check(c[i * n + j] == expected, "an entry of the product");
        }
    }
    printf("%.0f %.0f\n", c[0], c[(n - 1) * n]);
    return 0;
}
