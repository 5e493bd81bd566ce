#include "translate/rules.h"

#define BIN(id, commutes, wide) [OP_##id] = {RULE_BIN, false, commutes, wide, BC_##id, 0, 0, false, 0},
#define ARITHMETIC(t, wide)                                                                        \
    BIN(t##_add, true, wide) BIN(t##_sub, false, wide) BIN(t##_mul, true, wide)                    \
    BIN(t##_div_s, false, wide) BIN(t##_div_u, false, wide) BIN(t##_rem_s, false, wide)            \
    BIN(t##_rem_u, false, wide) BIN(t##_and, true, wide) BIN(t##_or, true, wide)                   \
    BIN(t##_xor, true, wide) BIN(t##_shl, false, wide) BIN(t##_shr_s, false, wide)                 \
    BIN(t##_shr_u, false, wide) BIN(t##_rotl, false, wide) BIN(t##_rotr, false, wide)
#define FLOATING(t, wide)                                                                          \
    BIN(t##_add, true, wide) BIN(t##_sub, false, wide) BIN(t##_mul, true, wide)                    \
    BIN(t##_div, false, wide) BIN(t##_min, false, wide) BIN(t##_max, false, wide)                  \
    BIN(t##_copysign, false, wide)

/* opcode, family compared with, swap, commutes, branch, inverse, inverse swaps */
#define COMPARE(id, family, swap, commutes, wide, inverse, swaps)                                  \
    [OP_##id] = {RULE_BIN, swap, commutes, wide, BC_##family, BC_br_##family, BC_br_##inverse,     \
                 swaps, 0},
#define EQUALITY(t, wide)                                                                          \
    COMPARE(t##_eq, t##_eq, false, true, wide, t##_ne, false)                                      \
    COMPARE(t##_ne, t##_ne, false, true, wide, t##_eq, false)
/* not (a < b) is b <= a */
#define ORDER(t, sign, wide)                                                                       \
    COMPARE(t##_lt##sign, t##_lt##sign, false, false, wide, t##_le##sign, true)                    \
    COMPARE(t##_gt##sign, t##_lt##sign, true, false, wide, t##_le##sign, true)                     \
    COMPARE(t##_le##sign, t##_le##sign, false, false, wide, t##_lt##sign, true)                    \
    COMPARE(t##_ge##sign, t##_le##sign, true, false, wide, t##_lt##sign, true)
/* a NaN is neither less nor greater */
#define FLOAT_ORDER(t, wide)                                                                       \
    COMPARE(t##_lt, t##_lt, false, false, wide, t##_nlt, false)                                    \
    COMPARE(t##_gt, t##_lt, true, false, wide, t##_nlt, false)                                     \
    COMPARE(t##_le, t##_le, false, false, wide, t##_nle, false)                                    \
    COMPARE(t##_ge, t##_le, true, false, wide, t##_nle, false)
#define EQZ(t, wide)                                                                               \
    [OP_##t##_eqz] = {RULE_EQZ, false, true, wide, BC_##t##_eq, BC_br_##t##_eq, BC_br_##t##_ne,    \
                      false, 0},

#define UN(id) [OP_##id] = {.kind = RULE_UN, .bytecode = BC_##id},
#define FLOAT_UN(t)                                                                                \
    UN(t##_abs) UN(t##_neg) UN(t##_ceil) UN(t##_floor) UN(t##_trunc) UN(t##_nearest) UN(t##_sqrt)
#define LOAD(id, family) [OP_##id] = {.kind = RULE_LOAD, .bytecode = BC_##family},
#define STORE(id, family) [OP_##id] = {.kind = RULE_STORE, .bytecode = BC_##family},

const struct rule cn_rules[OPCODE_LIMIT] = {
    ARITHMETIC(i32, false) ARITHMETIC(i64, true) FLOATING(f32, false) FLOATING(f64, true)
    EQUALITY(i32, false) EQUALITY(i64, true) EQUALITY(f32, false) EQUALITY(f64, true)
    ORDER(i32, _s, false) ORDER(i32, _u, false) ORDER(i64, _s, true) ORDER(i64, _u, true)
    FLOAT_ORDER(f32, false) FLOAT_ORDER(f64, true) EQZ(i32, false) EQZ(i64, true)

    UN(i32_clz) UN(i32_ctz) UN(i32_popcnt) UN(i64_clz) UN(i64_ctz) UN(i64_popcnt)
    FLOAT_UN(f32) FLOAT_UN(f64)
    UN(i32_wrap_i64) UN(i32_trunc_f32_s) UN(i32_trunc_f32_u) UN(i32_trunc_f64_s)
    UN(i32_trunc_f64_u) UN(i64_trunc_f32_s) UN(i64_trunc_f32_u) UN(i64_trunc_f64_s)
    UN(i64_trunc_f64_u) UN(f32_convert_i32_s) UN(f32_convert_i32_u) UN(f32_convert_i64_s)
    UN(f32_convert_i64_u) UN(f32_demote_f64) UN(f64_convert_i32_s) UN(f64_convert_i32_u)
    UN(f64_convert_i64_s) UN(f64_convert_i64_u) UN(f64_promote_f32) UN(i32_reinterpret_f32)
    UN(i64_reinterpret_f64) UN(f32_reinterpret_i32) UN(f64_reinterpret_i64)
    UN(i32_extend8_s) UN(i32_extend16_s) UN(i64_extend8_s) UN(i64_extend16_s) UN(i64_extend32_s)
    UN(i32_trunc_sat_f32_s) UN(i32_trunc_sat_f32_u) UN(i32_trunc_sat_f64_s)
    UN(i32_trunc_sat_f64_u) UN(i64_trunc_sat_f32_s) UN(i64_trunc_sat_f32_u)
    UN(i64_trunc_sat_f64_s) UN(i64_trunc_sat_f64_u)
    /* i32 is kept zero-extended in its slot. */
    [OP_i64_extend_i32_s] = {.kind = RULE_UN, .bytecode = BC_i64_extend32_s},
    [OP_i64_extend_i32_u] = {.kind = RULE_NONE},

    LOAD(i32_load, i32_load) LOAD(i64_load, i64_load) LOAD(f32_load, f32_load)
    LOAD(f64_load, f64_load) LOAD(i32_load8_s, i32_load8_s) LOAD(i32_load8_u, i32_load8_u)
    LOAD(i32_load16_s, i32_load16_s) LOAD(i32_load16_u, i32_load16_u)
    LOAD(i64_load8_s, i64_load8_s) LOAD(i64_load8_u, i32_load8_u) LOAD(i64_load16_s, i64_load16_s)
    LOAD(i64_load16_u, i32_load16_u) LOAD(i64_load32_s, i64_load32_s) LOAD(i64_load32_u, i32_load)
    STORE(i32_store, i32_store) STORE(i64_store, i64_store) STORE(f32_store, f32_store)
    STORE(f64_store, f64_store) STORE(i32_store8, i32_store8) STORE(i32_store16, i32_store16)
    STORE(i64_store8, i32_store8) STORE(i64_store16, i32_store16) STORE(i64_store32, i32_store)

#undef UN
#ifndef CATNAP_SMALL
#define FORM(form) VECTOR_##form
#else
#define FORM(form) VECTOR_SLOTS
#endif
#define VECTOR(id, bytecode_, swap_, form_)                                                        \
    [OP_##id] = {                                                                                  \
        .kind = RULE_VECTOR, .bytecode = BC_##bytecode_, .swap = swap_, .form = FORM(form_)},
#define VUN(name, T, forms, ...) VECTOR(name, name, false, forms)
#define VBIN(name, T, forms, ...) VECTOR(name, name, false, forms)
#define VTERN(name, T, ...) VECTOR(name, name, false, TERN)
#define VSHUFFLE(name, T, ...) VECTOR(name, name, false, ORDERED)
#define VSHIFT(name, T, ...) VECTOR(name, name, false, SHIFT)
#define VTEST(name, T, ...) VECTOR(name, name, false, ANY)
#define VSPLAT(name, R, T) VECTOR(name, name, false, ANY)
#define VEXTRACT(name, lane, R) VECTOR(name, name, false, DESTINATIONS)
#define VREPLACE(name, T) VECTOR(name, name, false, SLOTS)
#define VLOAD(name, access, T, ...) LOAD(name, name)
#define VSTORE(name) STORE(name, name)
#define VLOAD_LANE(name, T) VECTOR(name, name, false, SLOTS)
#define VSTORE_LANE(name, lane) VECTOR(name, name, false, SLOTS)
#define VPAIR(name, first, second, T, e1, e2)
#define VPAIR_TEST(name, first, second, T, e1, e2)
#define VPAIR_LOAD(name, second, T, e2)
#include "bytecode/bytecode_simd.def"
    VECTOR(v128_const, const128, false, SLOTS)
#define GREATER(t, sign, form)                                                                     \
    VECTOR(t##_gt##sign, t##_lt##sign, true, form) VECTOR(t##_ge##sign, t##_le##sign, true, form)
    GREATER(i8x16, _s, ORDERED) GREATER(i8x16, _u, ORDERED) GREATER(i16x8, _s, ORDERED)
    GREATER(i16x8, _u, ORDERED) GREATER(i32x4, _s, ORDERED) GREATER(i32x4, _u, ORDERED)
    GREATER(i64x2, _s, SLOTS) GREATER(f32x4, , ORDERED) GREATER(f64x2, , ORDERED)
};
