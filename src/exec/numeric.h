/* The numeric instructions that C's operators do not give (section 4.3 of the specification). */
#ifndef CN_EXEC_NUMERIC_H
#define CN_EXEC_NUMERIC_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/likely.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

static inline float f32_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline uint32_t bits_of_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
static inline double f64_of_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline uint64_t bits_of_f64(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline uint32_t rotl32(uint32_t a, uint32_t n) { return a << (n & 31) | a >> (-n & 31); }
static inline uint32_t rotr32(uint32_t a, uint32_t n) { return a >> (n & 31) | a << (-n & 31); }
static inline uint64_t rotl64(uint64_t a, uint64_t n) { return a << (n & 63) | a >> (-n & 63); }
static inline uint64_t rotr64(uint64_t a, uint64_t n) { return a >> (n & 63) | a << (-n & 63); }
static inline uint32_t clz32(uint32_t a) { return a ? (uint32_t)__builtin_clz(a) : 32; }
static inline uint32_t ctz32(uint32_t a) { return a ? (uint32_t)__builtin_ctz(a) : 32; }
static inline uint64_t clz64(uint64_t a) { return a ? (uint64_t)__builtin_clzll(a) : 64; }
static inline uint64_t ctz64(uint64_t a) { return a ? (uint64_t)__builtin_ctzll(a) : 64; }
/* Arithmetic shifts of the two's complement value, which C17 leaves to the implementation and both
 * compilers define. */
static inline uint32_t sar32(uint32_t a, uint32_t n) { return (uint32_t)((int32_t)a >> (n & 31)); }
static inline uint64_t sar64(uint64_t a, uint64_t n) { return (uint64_t)((int64_t)a >> (n & 63)); }
/* Remainder with INT_MIN % -1 == 0. */
static inline uint32_t rem_s32(uint32_t a, uint32_t b) {
    return b == UINT32_MAX ? 0 : (uint32_t)((int32_t)a % (int32_t)b);
}
static inline uint64_t rem_s64(uint64_t a, uint64_t b) {
    return b == UINT64_MAX ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
}

/* fmin and fmax of section 4.3.3: a NaN wins, and -0 is below +0. */
#define DEFINE_MIN_MAX(T, name, bits_of, of_bits)                                                  \
    static inline T name##_min(T a, T b) {                                                         \
        if (unlikely(!(a < b || a > b)))                                                \
            return a == b ? of_bits(bits_of(a) | bits_of(b)) : a + b;                              \
        return a < b ? a : b;                                                                      \
    }                                                                                              \
    static inline T name##_max(T a, T b) {                                                         \
        if (unlikely(!(a < b || a > b)))                                                \
            return a == b ? of_bits(bits_of(a) & bits_of(b)) : a + b;                              \
        return a > b ? a : b;                                                                      \
    }
DEFINE_MIN_MAX(float, f32, bits_of_f32, f32_of_bits)
DEFINE_MIN_MAX(double, f64, bits_of_f64, f64_of_bits)
#undef DEFINE_MIN_MAX

static inline float f32_abs(float a) { return f32_of_bits(bits_of_f32(a) & 0x7FFFFFFFu); }
static inline float f32_neg(float a) { return f32_of_bits(bits_of_f32(a) ^ 0x80000000u); }
static inline double f64_abs(double a) { return f64_of_bits(bits_of_f64(a) & ~(UINT64_C(1) << 63)); }
static inline double f64_neg(double a) { return f64_of_bits(bits_of_f64(a) ^ UINT64_C(1) << 63); }
static inline float f32_copysign(float a, float b) {
    return f32_of_bits((bits_of_f32(a) & 0x7FFFFFFFu) | (bits_of_f32(b) & 0x80000000u));
}
static inline double f64_copysign(double a, double b) {
    return f64_of_bits((bits_of_f64(a) & ~(UINT64_C(1) << 63)) |
                       (bits_of_f64(b) & UINT64_C(1) << 63));
}
/* Rounding functions of libm may return a signalling NaN as it is; adding 0 makes it quiet. */
static inline float f32_ceil(float a) { return a != a ? a + a : ceilf(a); }
static inline float f32_floor(float a) { return a != a ? a + a : floorf(a); }
static inline float f32_trunc(float a) { return a != a ? a + a : truncf(a); }
static inline float f32_nearest(float a) { return a != a ? a + a : rintf(a); }
static inline double f64_ceil(double a) { return a != a ? a + a : ceil(a); }
static inline double f64_floor(double a) { return a != a ? a + a : floor(a); }
static inline double f64_trunc(double a) { return a != a ? a + a : trunc(a); }
static inline double f64_nearest(double a) { return a != a ? a + a : rint(a); }

/* Of NaNs the one that is positive and has no payload but the quiet bit. */
static inline float f32_canonical(float a) { return a != a ? f32_of_bits(0x7FC00000u) : a; }
static inline double f64_canonical(double a) {
    return a != a ? f64_of_bits(UINT64_C(0x7FF8) << 48) : a;
}

/* Bounds of the float to integer conversions (section 4.3.3, trunc): the value is in range when
 * it is above LOW (or at least, where LOW itself is exact) and below HIGH. */
#define F32_FITS_I32(a) ((a) >= -2147483648.0f && (a) < 2147483648.0f)
#define F32_FITS_U32(a) ((a) > -1.0f && (a) < 4294967296.0f)
#define F64_FITS_I32(a) ((a) > -2147483649.0 && (a) < 2147483648.0)
#define F64_FITS_U32(a) ((a) > -1.0 && (a) < 4294967296.0)
#define F32_FITS_I64(a) ((a) >= -9223372036854775808.0f && (a) < 9223372036854775808.0f)
#define F32_FITS_U64(a) ((a) > -1.0f && (a) < 18446744073709551616.0f)
#define F64_FITS_I64(a) ((a) >= -9223372036854775808.0 && (a) < 9223372036854775808.0)
#define F64_FITS_U64(a) ((a) > -1.0 && (a) < 18446744073709551616.0)

#define DEFINE_TRUNC_SAT(name, T, R, SIGNED, fits, low, high)                                      \
    static inline R name(T a) {                                                                    \
        if (likely(fits(a)))                                                          \
            return (R)(SIGNED)a;                                                                   \
        return a != a ? 0 : a < 0 ? (R)(low) : (R)(high);                                          \
    }
DEFINE_TRUNC_SAT(sat_i32_f32, float, uint32_t, int32_t, F32_FITS_I32, INT32_MIN, INT32_MAX)
DEFINE_TRUNC_SAT(sat_u32_f32, float, uint32_t, uint32_t, F32_FITS_U32, 0, UINT32_MAX)
DEFINE_TRUNC_SAT(sat_i32_f64, double, uint32_t, int32_t, F64_FITS_I32, INT32_MIN, INT32_MAX)
DEFINE_TRUNC_SAT(sat_u32_f64, double, uint32_t, uint32_t, F64_FITS_U32, 0, UINT32_MAX)
DEFINE_TRUNC_SAT(sat_i64_f32, float, uint64_t, int64_t, F32_FITS_I64, INT64_MIN, INT64_MAX)
DEFINE_TRUNC_SAT(sat_u64_f32, float, uint64_t, uint64_t, F32_FITS_U64, 0, UINT64_MAX)
DEFINE_TRUNC_SAT(sat_i64_f64, double, uint64_t, int64_t, F64_FITS_I64, INT64_MIN, INT64_MAX)
DEFINE_TRUNC_SAT(sat_u64_f64, double, uint64_t, uint64_t, F64_FITS_U64, 0, UINT64_MAX)
#undef DEFINE_TRUNC_SAT

#endif
