/* For kernels in two forms: with vector instructions where the compiler may use them, and without.
 * Both compute the same numbers in the same order. */
#ifndef BENCH_SIMD_H
#define BENCH_SIMD_H

#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#define KERNEL_SIMD 1
#else
#define KERNEL_SIMD 0
#endif

#endif
