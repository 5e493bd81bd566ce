/*
 * The vector instructions that operators on whole vectors do not give (section 4.3 of the
 * specification). Written without branches and calls where that is shorter than going lane by lane.
 * Lane 0 is at the lowest address, and bytes are little-endian: both are so on every target.
 */
#ifndef CN_EXEC_SIMD_H
#define CN_EXEC_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef int8_t i8x16 __attribute__((vector_size(16)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef int16_t i16x8 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef int64_t i64x2 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));
typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));
/* Halves. */
typedef int8_t i8x8 __attribute__((vector_size(8)));
typedef uint8_t u8x8 __attribute__((vector_size(8)));
typedef int16_t i16x4 __attribute__((vector_size(8)));
typedef uint16_t u16x4 __attribute__((vector_size(8)));
typedef int32_t i32x2 __attribute__((vector_size(8)));
typedef uint32_t u32x2 __attribute__((vector_size(8)));
typedef float f32x2 __attribute__((vector_size(8)));

/* By lane, `a` where the comparison held and `b` elsewhere. */
#define V_SELECT(mask, a, b)                                                                       \
    ((__typeof__(a))(((mask) & (__typeof__(mask))(a)) | (~(mask) & (__typeof__(mask))(b))))

/* ---- lanes ---- */
#define DEFINE_LANES(T, scalar, ...)                                                               \
    static inline T splat_##T(scalar value) { return (T){0} + value; }                             \
    static inline T replace_##T(T a, scalar value, scalar lane) {                                  \
        T here = (T)((T){__VA_ARGS__} == splat_##T(lane));                                         \
        return V_SELECT(here, splat_##T(value), a);                                                \
    }
DEFINE_LANES(u8x16, uint8_t, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
DEFINE_LANES(u16x8, uint16_t, 0, 1, 2, 3, 4, 5, 6, 7)
DEFINE_LANES(u32x4, uint32_t, 0, 1, 2, 3)
DEFINE_LANES(u64x2, uint64_t, 0, 1)
#undef DEFINE_LANES

#define LOW_LANES_16 0, 1, 2, 3, 4, 5, 6, 7
#define HIGH_LANES_16 8, 9, 10, 11, 12, 13, 14, 15
#define LOW_LANES_8 0, 1, 2, 3
#define HIGH_LANES_8 4, 5, 6, 7
#define LOW_LANES_4 0, 1
#define HIGH_LANES_4 2, 3
#define V_LANES_OF(a, ...) __builtin_shufflevector(a, a, __VA_ARGS__)
#define DEFINE_EXTEND(narrow, wide, lanes)                                                         \
    static inline wide extend_low_##narrow(narrow a) {                                             \
        return __builtin_convertvector(V_LANES_OF(a, LOW_LANES_##lanes), wide);                    \
    }                                                                                              \
    static inline wide extend_high_##narrow(narrow a) {                                            \
        return __builtin_convertvector(V_LANES_OF(a, HIGH_LANES_##lanes), wide);                   \
    }
DEFINE_EXTEND(i8x16, i16x8, 16)
DEFINE_EXTEND(u8x16, u16x8, 16)
DEFINE_EXTEND(i16x8, i32x4, 8)
DEFINE_EXTEND(u16x8, u32x4, 8)
DEFINE_EXTEND(i32x4, i64x2, 4)
DEFINE_EXTEND(u32x4, u64x2, 4)
#undef DEFINE_EXTEND

/* Even and odd lanes, extended in place. */
static inline i16x8 even_i8x16(i8x16 a) { return (i16x8)((u16x8)a << 8) >> 8; }
static inline i16x8 odd_i8x16(i8x16 a) { return (i16x8)a >> 8; }
static inline i32x4 even_i16x8(i16x8 a) { return (i32x4)((u32x4)a << 16) >> 16; }
static inline i32x4 odd_i16x8(i16x8 a) { return (i32x4)a >> 16; }

static inline u8x16 i8x16_shuffle(u8x16 a, u8x16 b, u8x16 lanes) {
    uint8_t from[32], to[16];
    memcpy(from, &a, 16);
    memcpy(from + 16, &b, 16);
    for (unsigned i = 0; i < 16; i++)
        to[i] = from[lanes[i] & 31];
    u8x16 result;
    memcpy(&result, to, 16);
    return result;
}
static inline u8x16 i8x16_swizzle(u8x16 a, u8x16 lanes) {
    return i8x16_shuffle(a, (u8x16){0}, V_SELECT(lanes < 16, lanes, splat_u8x16(16)));
}

/* ---- tests ---- */
static inline uint32_t v128_any_true(u64x2 a) { return (a[0] | a[1]) != 0; }
/* Each lane leaves a bit of its own; multiplying adds them up in the topmost lane. */
static inline uint32_t i8x16_bitmask(i8x16 a) {
    u64x2 bits = (u64x2)((u8x16)(a < 0) & (u8x16){1, 2, 4, 8, 16, 32, 64, 128,  //
                                                  1, 2, 4, 8, 16, 32, 64, 128}) *
                 UINT64_C(0x0101010101010101);
    return (uint32_t)(bits[0] >> 56 | bits[1] >> 56 << 8);
}
static inline uint32_t i16x8_bitmask(i16x8 a) {
    u64x2 bits = (u64x2)((u16x8)(a < 0) & (u16x8){1, 2, 4, 8, 16, 32, 64, 128});
    return (uint32_t)((bits[0] | bits[1]) * UINT64_C(0x0001000100010001) >> 48);
}
static inline uint32_t i32x4_bitmask(i32x4 a) {
    u64x2 bits = (u64x2)((u32x4)(a < 0) & (u32x4){1, 2, 4, 8});
    uint64_t both = bits[0] | bits[1];
    return (uint32_t)(both | both >> 32);
}
static inline uint32_t i64x2_bitmask(u64x2 a) { return (uint32_t)(a[0] >> 63 | a[1] >> 63 << 1); }

/* ---- integer arithmetic ---- */
/* A sum overflows when its sign differs from that of both operands, a difference when the operands
 * differ in sign and it differs from the first; the limit has the sign of the first. */
#define DEFINE_SATURATING(shape, U, S, max)                                                        \
    static inline U shape##_limit(U a) { return (U)((S)a < 0) ^ (max); }                           \
    static inline U shape##_add_sat_s(U a, U b) {                                                  \
        U sum = a + b;                                                                             \
        return V_SELECT((S)((a ^ sum) & (b ^ sum)) < 0, shape##_limit(a), sum);                    \
    }                                                                                              \
    static inline U shape##_sub_sat_s(U a, U b) {                                                  \
        U difference = a - b;                                                                      \
        return V_SELECT((S)((a ^ b) & (a ^ difference)) < 0, shape##_limit(a), difference);        \
    }                                                                                              \
    static inline U shape##_add_sat_u(U a, U b) {                                                  \
        U sum = a + b;                                                                             \
        return sum | (U)(sum < a);                                                                 \
    }                                                                                              \
    static inline U shape##_sub_sat_u(U a, U b) { return (a - b) & (U)(a > b); }
DEFINE_SATURATING(i8x16, u8x16, i8x16, INT8_MAX)
DEFINE_SATURATING(i16x8, u16x8, i16x8, INT16_MAX)
#undef DEFINE_SATURATING

#define V_MIN(a, b) V_SELECT((a) < (b), a, b)
#define V_MAX(a, b) V_SELECT((a) > (b), a, b)
/* The even bytes or halves of both are the lower parts of their lanes. */
#define DEFINE_NARROW(narrow, wide, lane, low, high, ...)                                          \
    static inline narrow narrow_##narrow(wide a, wide b) {                                         \
        wide least = (wide){0} + (lane)(low), greatest = (wide){0} + (lane)(high);                 \
        a = V_MIN(a, greatest), b = V_MIN(b, greatest);                                            \
        a = V_MAX(a, least), b = V_MAX(b, least);                                                  \
        return __builtin_shufflevector((narrow)a, (narrow)b, __VA_ARGS__);                         \
    }
#define EVEN_LANES_8 0, 2, 4, 6, 8, 10, 12, 14
#define EVEN_LANES_16 EVEN_LANES_8, 16, 18, 20, 22, 24, 26, 28, 30
DEFINE_NARROW(i8x16, i16x8, int16_t, INT8_MIN, INT8_MAX, EVEN_LANES_16)
DEFINE_NARROW(u8x16, i16x8, int16_t, 0, UINT8_MAX, EVEN_LANES_16)
DEFINE_NARROW(i16x8, i32x4, int32_t, INT16_MIN, INT16_MAX, EVEN_LANES_8)
DEFINE_NARROW(u16x8, i32x4, int32_t, 0, UINT16_MAX, EVEN_LANES_8)
#undef DEFINE_NARROW

static inline u8x16 i8x16_popcnt(u8x16 a) {
    a = a - (a >> 1 & 0x55);
    a = (a & 0x33) + (a >> 2 & 0x33);
    return (a + (a >> 4)) & 0x0F;
}
static inline i16x8 i16x8_q15mulr_sat_s(i16x8 a, i16x8 b) {
    return narrow_i16x8((extend_low_i16x8(a) * extend_low_i16x8(b) + 0x4000) >> 15,
                        (extend_high_i16x8(a) * extend_high_i16x8(b) + 0x4000) >> 15);
}
static inline u32x4 i32x4_dot_i16x8_s(i16x8 a, i16x8 b) {
    return (u32x4)(even_i16x8(a) * even_i16x8(b)) + (u32x4)(odd_i16x8(a) * odd_i16x8(b));
}

/* The one sum of products that does not fit an i16, of four times -128, becomes the greatest. */
static inline i16x8 i16x8_dot_i8x16_s(i8x16 a, i8x16 b) {
    i16x8 sum = (i16x8)((u16x8)(even_i8x16(a) * even_i8x16(b)) +
                        (u16x8)(odd_i8x16(a) * odd_i8x16(b)));
    return sum ^ (sum == INT16_MIN);
}
static inline u32x4 i32x4_dot_i8x16_add_s(i8x16 a, i8x16 b, i8x16 c) {
    i16x8 dot = i16x8_dot_i8x16_s(a, b);
    return (u32x4)(even_i16x8(dot) + odd_i16x8(dot)) + (u32x4)c;
}

/* ---- floating point ---- */
/* min and max: a NaN wins, and -0 is below +0, as in numeric.h. Rounding: adding the number from
 * which on all are whole leaves a whole one, to nearest; it never changes a sign. NaNs are made
 * quiet by hand, since optimisers take adding 0 away. */
#define DEFINE_FLOAT(F, U, sign, quiet_bit, whole)                                                 \
    static inline F F##_min(F a, F b) {                                                            \
        U less = (U)(a < b), greater = (U)(a > b), equal = (U)(a == b);                            \
        return (F)(((U)a & (less | equal)) | ((U)b & (greater | equal)) |                          \
                   ((U)(a + b) & ~(less | greater | equal)));                                      \
    }                                                                                              \
    static inline F F##_max(F a, F b) {                                                            \
        U less = (U)(a < b), greater = (U)(a > b), equal = (U)(a == b);                            \
        return (F)(((U)a & greater) | ((U)b & less) | ((U)a & (U)b & equal) |                      \
                   ((U)(a + b) & ~(less | greater | equal)));                                      \
    }                                                                                              \
    static inline F F##_canonical(F a) {                                                           \
        U number = (U)(a == a);                                                                    \
        return (F)(((U)a & number) | (~number & ((sign) - (quiet_bit))));          \
    }                                                                                              \
    static inline F F##_abs(F a) { return (F)((U)a & ~(sign)); }                                   \
    static inline F F##_neg(F a) { return (F)((U)a ^ (sign)); }                                    \
    static inline F F##_copysign(F a, F b) { return (F)((U)F##_abs(a) | ((U)b & (sign))); }        \
    static inline F F##_nearest(F a) {                                                             \
        F size = F##_abs(a);                                                                       \
        F quiet = (F)((U)a | ((U)(a != a) & (quiet_bit)));                                         \
        return V_SELECT(size < (whole), F##_copysign(size + (whole) - (whole), a), quiet);         \
    }                                                                                              \
    static inline F F##_floor(F a) {                                                               \
        F near = F##_nearest(a);                                                                   \
        return F##_copysign(V_SELECT(near > a, near - 1, near), a);                                \
    }                                                                                              \
    static inline F F##_ceil(F a) { return F##_neg(F##_floor(F##_neg(a))); }                       \
    static inline F F##_trunc(F a) { return F##_copysign(F##_floor(F##_abs(a)), a); }
DEFINE_FLOAT(f32x4, u32x4, UINT32_C(1) << 31, UINT32_C(1) << 22, 0x1p23f)
DEFINE_FLOAT(f64x2, u64x2, UINT64_C(1) << 63, UINT64_C(1) << 51, 0x1p52)
#undef DEFINE_FLOAT

static inline f32x4 f32x4_sqrt(f32x4 a) {
    return (f32x4){sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3])};
}
static inline f64x2 f64x2_sqrt(f64x2 a) { return (f64x2){sqrt(a[0]), sqrt(a[1])}; }

/* ---- conversions ---- */
/* Only what fits is converted: C leaves the rest undefined. */
static inline i32x4 i32x4_trunc_sat_f32x4_s(f32x4 a) {
    i32x4 above = a >= 0x1p31f, below = a < -0x1p31f, fits = (a >= -0x1p31f) & ~above;
    return __builtin_convertvector((f32x4)((i32x4)a & fits), i32x4) | (above & INT32_MAX) |
           (below & INT32_MIN);
}
static inline u32x4 i32x4_trunc_sat_f32x4_u(f32x4 a) {
    i32x4 above = a >= 0x1p32f, fits = (a > 0) & ~above;
    return __builtin_convertvector((f32x4)((i32x4)a & fits), u32x4) | (u32x4)above;
}
/* The limits are exact in f64: values beyond become the limits, and a NaN becomes 0, before that: a
 * signalling one may pass a selection by < or > that became a processor's min or max. */
static inline f64x2 f64x2_without_nan(f64x2 a) { return (f64x2)((i64x2)a & (a == a)); }
static inline i32x4 i32x4_trunc_sat_f64x2_s_zero(f64x2 a) {
    f64x2 least = {INT32_MIN, INT32_MIN}, greatest = {INT32_MAX, INT32_MAX};
    a = f64x2_without_nan(a);
    a = V_MIN(a, greatest);
    i32x2 low = __builtin_convertvector(V_MAX(a, least), i32x2);
    return __builtin_shufflevector(low, (i32x2){0}, 0, 1, 2, 3);
}
static inline u32x4 i32x4_trunc_sat_f64x2_u_zero(f64x2 a) {
    f64x2 zero = {0}, greatest = {UINT32_MAX, UINT32_MAX};
    a = f64x2_without_nan(a);
    a = V_MAX(a, zero);
    u32x2 low = __builtin_convertvector(V_MIN(a, greatest), u32x2);
    return __builtin_shufflevector(low, (u32x2){0}, 0, 1, 2, 3);
}
static inline f32x4 f32x4_demote_f64x2_zero(f64x2 a) {
    return __builtin_shufflevector(__builtin_convertvector(a, f32x2), (f32x2){0}, 0, 1, 2, 3);
}

#endif
