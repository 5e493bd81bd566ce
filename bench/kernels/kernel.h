/* Shared by all C kernels: the size argument, repeatable randomness, a hash of results. */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The command is: kernel [SIZE]; without an argument the kernel's usual size is taken. */
static inline uint32_t kernel_size(int argc, char **argv, uint32_t usual) {
    uint32_t size = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : usual;
    return size ? size : 1;
}

/* A wrong intermediate result ends the run, so that a fast wrong answer never counts. */
static inline void kernel_check(int holds, const char *what) {
    if (!holds) {
        printf("wrong: %s\n", what);
        exit(1);
    }
}

/* Memory that the kernel keeps until it ends. */
static inline void *kernel_alloc(size_t bytes) {
    void *memory = malloc(bytes ? bytes : 1);
    kernel_check(memory != NULL, "out of memory");
    return memory;
}

/* xorshift32; the state must not be zero. */
static inline uint32_t kernel_random(uint32_t *state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* FNV-1a, 64 bits. */
static inline uint64_t kernel_hash(const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ p[i]) * 1099511628211u;
    }
    return hash;
}

#endif
