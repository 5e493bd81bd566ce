/* Times, their medians, and the rows of the tables that they are printed in. */
#ifndef BENCH_SNAPSHOT_MEASURE_H
#define BENCH_SNAPSHOT_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "catnap.h"

#define PAGE 4096u
#define MIB (UINT64_C(1) << 20)

static inline double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Of the process: throughput is per processor, whatever else runs. */
static inline double cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static inline void check(catnap_error_t *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", catnap_error_message(error));
    exit(1);
}

#define MOST 50000
static double samples[MOST];
static size_t sample_count;

static inline int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double median(void) {
    qsort(samples, sample_count, sizeof *samples, compare);
    double result = sample_count ? samples[sample_count / 2] : 0;
    sample_count = 0;
    return result;
}

static inline void sample(double us) {
    if (sample_count < MOST)
        samples[sample_count++] = us;
}

static inline void row(const char *what, double value, const char *unit, const char *target) {
    printf("| %-58s | %10.2f %-7s | %-14s |\n", what, value, unit, target);
    fflush(stdout);
}

#endif
