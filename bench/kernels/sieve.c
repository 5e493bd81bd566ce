/* Sieve of Eratosthenes over bytes: counts the primes up to the size. */
#include "kernel.h"

static uint32_t count_primes(uint32_t limit) {
    unsigned char *composite = kernel_alloc((size_t)limit + 1);
    uint32_t count = 0;
    memset(composite, 0, (size_t)limit + 1);
    for (uint32_t i = 2; i <= limit; i++) {
        if (composite[i]) {
            continue;
        }
        count++;
        for (uint64_t j = (uint64_t)i * i; j <= limit; j += i) {
            composite[j] = 1;
        }
    }
    free(composite);
    return count;
}

int main(int argc, char **argv) {
    uint32_t limit = kernel_size(argc, argv, 20000000);
    kernel_check(count_primes(1000) == 168, "primes up to 1000");
    printf("%u\n", (unsigned)count_primes(limit));
    return 0;
}
