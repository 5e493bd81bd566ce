#include "translate/rules.h"

#define ROW(opcode, kind_, operation_) [OP_##opcode] = {.kind = kind_, .operation = DO_##operation_},
#define SWAPPED(opcode, operation_)                                                                \
    [OP_##opcode] = {.kind = RULE_BIN, .swap = true, .operation = DO_##operation_},
#define VECTOR(opcode, form_, swap_, operation_)                                                   \
    [OP_##opcode] = {.kind = RULE_VECTOR,                                                          \
                     .form = VECTOR_##form_,                                                       \
                     .swap = swap_,                                                                \
                     .operation = DO_##operation_},

const struct rule cn_rules[OPCODE_LIMIT] = {
/* Operations are named as the instructions that they stand for. */
#define BIN(name, R, T, order, ...) ROW(name, RULE_BIN, name)
#define BINT(name, R, T, check, ...) ROW(name, RULE_BIN, name)
#define UN(name, R, T, ...) ROW(name, RULE_UN, name)
#define UNT(name, R, T, check, ...) ROW(name, RULE_UN, name)
#define BRANCH(name, comparison)
#define BRANCH_UNLESS(name, comparison)
#define LOAD(name, R, access) ROW(name, RULE_LOAD, name)
#define STORE(name, T, access) ROW(name, RULE_STORE, name)
#define REF(name, R, T, check, ...)
#define REF_TEST(name, R, ...)
#define REF_CAST(name, R, check, ...)
#define FIELD_GET(name, R, access)
#define FIELD_SET(name, T, access)
#define ELEMENT_GET(name, R, access)
#define ELEMENT_SET(name, T, access)
#define VUN(name, T, forms, ...) VECTOR(name, forms, false, name)
#define VBIN(name, T, forms, ...) VECTOR(name, forms, false, name)
#define VTERN(name, T, ...) VECTOR(name, TERN, false, name)
#define VSHUFFLE(name, T, ...) VECTOR(name, ORDERED, false, name)
#define VSHIFT(name, T, ...) VECTOR(name, SHIFT, false, name)
#define VTEST(name, T, ...) VECTOR(name, ANY, false, name)
#define VSPLAT(name, R, T) VECTOR(name, ANY, false, name)
#define VEXTRACT(name, lane, R) VECTOR(name, DESTINATIONS, false, name)
#define VREPLACE(name, T) VECTOR(name, SLOTS, false, name)
#define VLOAD(name, access, T, ...) ROW(name, RULE_LOAD, name)
#define VSTORE(name) ROW(name, RULE_STORE, name)
#define VLOAD_LANE(name, T) VECTOR(name, SLOTS, false, name)
#define VSTORE_LANE(name, lane) VECTOR(name, SLOTS, false, name)
#define CANONICAL(name, T, ...)
#define VCANONICAL(name, T, ...)
#define LISTED(name)
#define OP(name, fields)
#define PAIR_OP(name, fields)
#define GUARD_OP(name, fields)
#include "bytecode/operations.def"

/* The others: an i32 is kept zero-extended in its slot, so loads of both types are one. */
#define GREATER(t, sign)                                                                           \
    SWAPPED(t##_gt##sign, t##_lt##sign) SWAPPED(t##_ge##sign, t##_le##sign)
    GREATER(i32, _s) GREATER(i32, _u) GREATER(i64, _s) GREATER(i64, _u) GREATER(f32, )
    GREATER(f64, )
    ROW(i32_eqz, RULE_EQZ, i32_eq)
    ROW(i64_eqz, RULE_EQZ, i64_eq)
    ROW(i64_extend_i32_s, RULE_UN, i64_extend32_s)
    ROW(i64_extend_i32_u, RULE_NONE, NONE)
    ROW(i64_load8_u, RULE_LOAD, i32_load8_u)
    ROW(i64_load16_u, RULE_LOAD, i32_load16_u)
    ROW(i64_load32_u, RULE_LOAD, i32_load)
    ROW(i64_store8, RULE_STORE, i32_store8)
    ROW(i64_store16, RULE_STORE, i32_store16)
    ROW(i64_store32, RULE_STORE, i32_store)
    VECTOR(v128_const, SLOTS, false, v128_const)
#define VECTOR_GREATER(t, sign, form)                                                              \
    VECTOR(t##_gt##sign, form, true, t##_lt##sign) VECTOR(t##_ge##sign, form, true, t##_le##sign)
    VECTOR_GREATER(i8x16, _s, ORDERED) VECTOR_GREATER(i8x16, _u, ORDERED)
    VECTOR_GREATER(i16x8, _s, ORDERED) VECTOR_GREATER(i16x8, _u, ORDERED)
    VECTOR_GREATER(i32x4, _s, ORDERED) VECTOR_GREATER(i32x4, _u, ORDERED)
    VECTOR_GREATER(i64x2, _s, SLOTS) VECTOR_GREATER(f32x4, , ORDERED)
    VECTOR_GREATER(f64x2, , ORDERED)
    /* Of the results that a relaxed instruction may have, that of the deterministic profile (4.3.5): the
     * parameters R are all 0, on every machine and whatever the configuration. */
    VECTOR(i8x16_relaxed_swizzle, SLOTS, false, i8x16_swizzle)
    VECTOR(i32x4_relaxed_trunc_f32x4_s, SLOTS, false, i32x4_trunc_sat_f32x4_s)
    VECTOR(i32x4_relaxed_trunc_f32x4_u, SLOTS, false, i32x4_trunc_sat_f32x4_u)
    VECTOR(i32x4_relaxed_trunc_f64x2_s_zero, SLOTS, false, i32x4_trunc_sat_f64x2_s_zero)
    VECTOR(i32x4_relaxed_trunc_f64x2_u_zero, SLOTS, false, i32x4_trunc_sat_f64x2_u_zero)
    VECTOR(i8x16_relaxed_laneselect, TERN, false, v128_bitselect)
    VECTOR(i16x8_relaxed_laneselect, TERN, false, v128_bitselect)
    VECTOR(i32x4_relaxed_laneselect, TERN, false, v128_bitselect)
    VECTOR(i64x2_relaxed_laneselect, TERN, false, v128_bitselect)
    VECTOR(f32x4_relaxed_min, SLOTS, false, f32x4_min)
    VECTOR(f32x4_relaxed_max, SLOTS, false, f32x4_max)
    VECTOR(f64x2_relaxed_min, SLOTS, false, f64x2_min)
    VECTOR(f64x2_relaxed_max, SLOTS, false, f64x2_max)
    VECTOR(i16x8_relaxed_q15mulr_s, SLOTS, false, i16x8_q15mulr_sat_s)
};

#define BRANCHES(comparison, fails, exchanges)                                                     \
    [DO_##comparison] = {DO_br_##comparison, DO_br_##fails, exchanges},
#define EQUALITY(t) BRANCHES(t##_eq, t##_ne, false) BRANCHES(t##_ne, t##_eq, false)
/* not (a < b) is b <= a */
#define ORDER(t, sign)                                                                             \
    BRANCHES(t##_lt##sign, t##_le##sign, true) BRANCHES(t##_le##sign, t##_lt##sign, true)
/* but a NaN is neither less nor greater */
#define FLOAT_ORDER(t) BRANCHES(t##_lt, t##_nlt, false) BRANCHES(t##_le, t##_nle, false)
const struct branches cn_branches[OPERATION_COUNT] = {
    EQUALITY(i32) EQUALITY(i64) EQUALITY(f32) EQUALITY(f64)
    ORDER(i32, _s) ORDER(i32, _u) ORDER(i64, _s) ORDER(i64, _u)
    FLOAT_ORDER(f32) FLOAT_ORDER(f64)
    BRANCHES(ref_test, ref_test_not, false) BRANCHES(ref_test_not, ref_test, false)
};

#define OPPOSITES(a, b) [DO_##a] = DO_##b, [DO_##b] = DO_##a,
#define INTEGER_OPPOSITES(t)                                                                       \
    OPPOSITES(t##_eq, t##_ne) OPPOSITES(t##_lt_s, t##_le_s) OPPOSITES(t##_lt_u, t##_le_u)
const uint16_t cn_opposites[OPERATION_COUNT] = {
    INTEGER_OPPOSITES(i32) INTEGER_OPPOSITES(i64)
    OPPOSITES(f32_eq, f32_ne) OPPOSITES(f64_eq, f64_ne)
    OPPOSITES(ref_test, ref_test_not)
};
