#include "translate/rules.h"

#define BC_v128_const BC_const128 /* by hand */

#define BIN(id, commutes, wide) [OP_##id] = {RULE_BIN, false, commutes, wide, BC_##id, 0, 0, false},
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
                 swaps},
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
                      false},

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
#define VECTOR_MVP(id)
#define VECTOR_SIGN_EXTENSION(id)
#define VECTOR_SATURATING_CONVERSIONS(id)
#define VECTOR_BULK_MEMORY(id)
#define VECTOR_REFERENCE_TYPES(id)
#define VECTOR_SIMD(id) [OP_##id] = {.kind = RULE_VECTOR, .bytecode = BC_##id},
#define OP(code, id, name, immediates, feature, result, ...) VECTOR_##feature(id)
#include "binary/opcodes.def"
#undef OP
};
