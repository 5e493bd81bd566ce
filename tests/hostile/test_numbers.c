/*
 * Every numeric instruction against a reference that is computed another way: integers with wide
 * arithmetic and loops, floating point with twice the precision or bit by bit. At all boundaries,
 * in all their pairs, and at random. NaNs must be quiet, and canonical where their operands are.
 */
#include "hostile.h"

#include <float.h>

#include "../unit/opcode.h"

#if LDBL_MANT_DIG == 113
typedef long double quad;
#else
typedef __float128 quad;
#endif
typedef unsigned __int128 u128;
typedef __int128 s128;

/* The outcome of an instruction: bits, or a trap. */
struct answer {
    uint64_t bits;
    catnap_trap_code_t trap;
};
static struct answer gives(uint64_t bits) {
    return (struct answer){bits, CATNAP_TRAP_HOST};
}
static struct answer traps(catnap_trap_code_t code) {
    return (struct answer){0, code};
}

/* ---- Integers ---- */

static s128 sign_extend(uint64_t value, unsigned bits) {
    u128 sign = (u128)1 << (bits - 1);
    u128 low = value & (((u128)1 << bits) - 1);
    return (s128)(low ^ sign) - (s128)sign;
}
static uint64_t cut(u128 value, unsigned bits) {
    return (uint64_t)(value & (((u128)1 << bits) - 1));
}

static struct answer divide(uint64_t a, uint64_t b, unsigned bits, bool is_signed, bool remainder) {
    s128 x = is_signed ? sign_extend(a, bits) : (s128)a;
    s128 y = is_signed ? sign_extend(b, bits) : (s128)b;
    if (y == 0)
        return traps(CATNAP_TRAP_INTEGER_DIVIDE_BY_ZERO);
    s128 quotient = x / y;
    if (!remainder && is_signed &&
        quotient > sign_extend(cut((u128)1 << (bits - 1), bits) - 1, bits))
        return traps(CATNAP_TRAP_INTEGER_OVERFLOW);
    return gives(cut((u128)(remainder ? x - quotient * y : quotient), bits));
}

static uint64_t shift(uint64_t a, uint64_t b, unsigned bits, uint32_t which) {
    unsigned n = (unsigned)(b % bits);
    for (; n > 0; n--) {
        uint64_t top = a >> (bits - 1) & 1, bottom = a & 1;
        switch (which) {
        case 0:
            a = cut((u128)a * 2, bits);
            break; /* shl */
        case 1:
            a = a / 2 | top << (bits - 1);
            break; /* shr_s */
        case 2:
            a = a / 2;
            break; /* shr_u */
        case 3:
            a = cut((u128)a * 2, bits) | top;
            break; /* rotl */
        default:
            a = a / 2 | bottom << (bits - 1); /* rotr */
        }
    }
    return a;
}

static bool compare_integers(s128 sa, s128 sb, u128 ua, u128 ub, uint32_t which) {
    switch (which) {
    case 0:
        return ua == ub;
    case 1:
        return ua != ub;
    case 2:
        return sa < sb;
    case 3:
        return ua < ub;
    case 4:
        return sa > sb;
    case 5:
        return ua > ub;
    case 6:
        return sa <= sb;
    case 7:
        return ua <= ub;
    case 8:
        return sa >= sb;
    default:
        return ua >= ub;
    }
}

static uint64_t count_bits(uint64_t a, unsigned bits, uint32_t which) {
    uint64_t leading = 0, trailing = 0, ones = 0;
    while (leading < bits && !(a >> (bits - 1 - leading) & 1))
        leading++;
    while (trailing < bits && !(a >> trailing & 1))
        trailing++;
    for (unsigned i = 0; i < bits; i++)
        ones += a >> i & 1;
    return which == 0 ? leading : which == 1 ? trailing : ones;
}

/* The 15 binary operations from add on, in the order of their opcodes. */
static struct answer integer_operation(uint64_t a, uint64_t b, unsigned bits, uint32_t which) {
    switch (which) {
    case 0:
        return gives(cut((u128)a + b, bits));
    case 1:
        return gives(cut((u128)a - b, bits));
    case 2:
        return gives(cut((u128)a * b, bits));
    case 3:
        return divide(a, b, bits, true, false);
    case 4:
        return divide(a, b, bits, false, false);
    case 5:
        return divide(a, b, bits, true, true);
    case 6:
        return divide(a, b, bits, false, true);
    case 7:
        return gives(a & b);
    case 8:
        return gives(a | b);
    case 9:
        return gives((a | b) - (a & b));
    default:
        return gives(shift(a, b, bits, which - 10));
    }
}

/* ---- Floating point, by its parts ---- */

struct format {
    unsigned mantissa, exponent; /* bits */
    int bias;
};
static const struct format single = {23, 8, 127}, twice = {52, 11, 1023};

static uint64_t sign_bit(const struct format *f) {
    return UINT64_C(1) << (f->mantissa + f->exponent);
}
static uint64_t infinity(const struct format *f) {
    return ((UINT64_C(1) << f->exponent) - 1) << f->mantissa;
}
static uint64_t canonical(const struct format *f) {
    return infinity(f) | UINT64_C(1) << (f->mantissa - 1);
}
static bool is_nan(const struct format *f, uint64_t a) {
    return (a & ~sign_bit(f)) > infinity(f);
}

/* Rounds value * 2^scale to the nearest, ties to even. */
static uint64_t encode(const struct format *f, bool negative, u128 value, int scale) {
    uint64_t sign = negative ? sign_bit(f) : 0;
    if (value == 0)
        return sign;
    int width = 0;
    for (u128 rest = value; rest; rest >>= 1)
        width++;
    int exponent = width - 1 + scale, least = 1 - f->bias;
    if (exponent < least)
        exponent = least;
    int drop = exponent - (int)f->mantissa - scale; /* bits of value below the last that stays */
    u128 kept;
    if (drop <= 0) {
        kept = value << -drop;
    } else if (drop > 120) {
        kept = 0;
    } else {
        u128 rest = value & (((u128)1 << drop) - 1), half = (u128)1 << (drop - 1);
        kept = value >> drop;
        if (rest > half || (rest == half && (kept & 1)))
            kept++;
    }
    if (kept >> (f->mantissa + 1)) { /* rounded up to the next power */
        kept >>= 1;
        exponent++;
    }
    uint64_t biased = kept >> f->mantissa ? (uint64_t)(exponent + f->bias) : 0;
    if (biased >= infinity(f) >> f->mantissa)
        return sign | infinity(f);
    return sign | biased << f->mantissa | ((uint64_t)kept & ((UINT64_C(1) << f->mantissa) - 1));
}

/* value and scale of a finite number. */
static uint64_t decode(const struct format *f, uint64_t a, int *scale) {
    uint64_t fraction = a & ((UINT64_C(1) << f->mantissa) - 1);
    uint64_t biased = (a & ~sign_bit(f)) >> f->mantissa;
    *scale = (int)(biased ? biased : 1) - f->bias - (int)f->mantissa;
    return biased ? fraction | UINT64_C(1) << f->mantissa : fraction;
}

enum rounding { UP, DOWN, TO_ZERO, NEAREST };

/* To an integer of any size, as a number again. */
static uint64_t round_to_integer(const struct format *f, uint64_t a, enum rounding way) {
    int scale;
    uint64_t sign = a & sign_bit(f), value = decode(f, a, &scale);
    if ((a & ~sign_bit(f)) == infinity(f) || scale >= 0)
        return a;
    if (-scale > 63)
        scale = -63; /* below a half, however far */
    if (value >> (f->mantissa + 1) == 0 && scale == -63)
        value = value ? 1 : 0;
    uint64_t whole = value >> -scale, rest = value & ((UINT64_C(1) << -scale) - 1);
    uint64_t half = UINT64_C(1) << (-scale - 1);
    bool more = (way == UP && !sign && rest) || (way == DOWN && sign && rest) ||
                (way == NEAREST && (rest > half || (rest == half && (whole & 1))));
    return encode(f, sign != 0, (u128)whole + more, 0);
}

/* To an integer; *outside tells where it lies when it does not fit. */
static uint64_t to_integer(const struct format *f, uint64_t a, unsigned bits, bool is_signed,
                           int *outside) {
    int scale;
    bool negative = a & sign_bit(f);
    uint64_t value = decode(f, a, &scale);
    bool infinite = (a & ~sign_bit(f)) == infinity(f);
    u128 whole = scale > 64 || infinite ? (u128)1 << 120
                 : scale >= 0           ? (u128)value << scale
                 : scale < -63          ? 0
                                        : value >> -scale;
    u128 most = is_signed  ? ((u128)1 << (bits - 1)) - !negative
                : negative ? 0
                           : ((u128)1 << bits) - 1;
    *outside = whole > most ? (negative ? -1 : 1) : 0;
    return cut(negative ? -whole : whole, bits);
}

static struct answer to_answer(const struct format *f, uint64_t a, unsigned bits, bool is_signed,
                               bool saturating) {
    int outside;
    if (is_nan(f, a))
        return saturating ? gives(0) : traps(CATNAP_TRAP_INVALID_CONVERSION_TO_INTEGER);
    uint64_t value = to_integer(f, a, bits, is_signed, &outside);
    if (outside && !saturating)
        return traps(CATNAP_TRAP_INTEGER_OVERFLOW);
    if (outside < 0)
        return gives(is_signed ? UINT64_C(1) << (bits - 1) : 0);
    if (outside > 0)
        return gives(cut((is_signed ? (u128)1 << (bits - 1) : (u128)1 << bits) - 1, bits));
    return gives(value);
}

/* ---- Floating point, by arithmetic of twice the precision ---- */

static quad quad_of(const struct format *f, uint64_t a) {
    if (f == &single) {
        float value;
        uint32_t bits = (uint32_t)a;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    double value;
    memcpy(&value, &a, sizeof value);
    return value;
}
static uint64_t bits_of(const struct format *f, quad q) {
    uint64_t bits = 0;
    if (f == &single) {
        float value = (float)q;
        memcpy(&bits, &value, sizeof value);
    } else {
        double value = (double)q;
        memcpy(&bits, &value, sizeof value);
    }
    return bits;
}

/* The root is right when the number lies between the squares of the two midpoints beside it. */
static bool is_root(const struct format *f, uint64_t a, uint64_t root) {
    if (is_nan(f, a) || ((a & sign_bit(f)) && (a & ~sign_bit(f))))
        return is_nan(f, root);
    if ((a & ~sign_bit(f)) == 0 || a == infinity(f))
        return root == a;
    quad x = quad_of(f, a), below = quad_of(f, root - 1), r = quad_of(f, root);
    quad above = quad_of(f, root + 1), low = (below + r) / 2, high = (r + above) / 2;
    return low * low <= x && x <= high * high;
}

/* The 7 binary operations from add on. */
static struct answer float_operation(const struct format *f, uint64_t a, uint64_t b,
                                     uint32_t which) {
    uint64_t sign = sign_bit(f);
    if (which == 6)
        return gives((a & ~sign) | (b & sign));
    if (is_nan(f, a) || is_nan(f, b))
        return gives(canonical(f));
    quad x = quad_of(f, a), y = quad_of(f, b);
    switch (which) {
    case 0:
        return gives(bits_of(f, x + y));
    case 1:
        return gives(bits_of(f, x - y));
    case 2:
        return gives(bits_of(f, x * y));
    case 3:
        return gives(bits_of(f, x / y));
    case 4:
        return gives(x < y ? a : y < x ? b : a | b);
    default:
        return gives(x > y ? a : y > x ? b : a & b);
    }
}

static bool compare_floats(const struct format *f, uint64_t a, uint64_t b, uint32_t which) {
    if (is_nan(f, a) || is_nan(f, b))
        return which == 1;
    uint64_t sign = sign_bit(f);
    s128 x = a & sign ? -(s128)(a & ~sign) : (s128)a, y = b & sign ? -(s128)(b & ~sign) : (s128)b;
    switch (which) {
    case 0:
        return x == y;
    case 1:
        return x != y;
    case 2:
        return x < y;
    case 3:
        return x > y;
    case 4:
        return x <= y;
    default:
        return x >= y;
    }
}

/* The 7 unary operations from abs on; sqrt is checked apart. */
static struct answer float_unary(const struct format *f, uint64_t a, uint32_t which) {
    static const enum rounding ways[] = {UP, DOWN, TO_ZERO, NEAREST};
    if (which == 0)
        return gives(a & ~sign_bit(f));
    if (which == 1)
        return gives(a ^ sign_bit(f));
    return is_nan(f, a) ? gives(canonical(f)) : gives(round_to_integer(f, a, ways[which - 2]));
}

static struct answer convert_float(const struct format *from, const struct format *to, uint64_t a) {
    int scale;
    bool negative = a & sign_bit(from);
    if (is_nan(from, a))
        return gives(canonical(to));
    if ((a & ~sign_bit(from)) == infinity(from))
        return gives(infinity(to) | (negative ? sign_bit(to) : 0));
    uint64_t value = decode(from, a, &scale);
    return gives(encode(to, negative, value, scale));
}

static struct answer convert_integer(const struct format *to, uint64_t a, unsigned bits,
                                     bool is_signed) {
    s128 value = is_signed ? sign_extend(a, bits) : (s128)a;
    return gives(encode(to, value < 0, (u128)(value < 0 ? -value : value), 0));
}

/* ---- Which instruction is which ---- */

static struct answer expected(uint32_t op, uint64_t a, uint64_t b) {
    switch (op) {
    case OP_i32_eqz:
    case OP_i64_eqz:
        return gives(a == 0);
    case OP_i32_wrap_i64:
        return gives(a & UINT32_MAX);
    case OP_i64_extend_i32_s:
        return gives((uint64_t)sign_extend(a, 32));
    case OP_i64_extend_i32_u:
    case OP_i32_reinterpret_f32:
    case OP_i64_reinterpret_f64:
    case OP_f32_reinterpret_i32:
    case OP_f64_reinterpret_i64:
        return gives(a);
    case OP_i32_extend8_s:
        return gives(cut((u128)sign_extend(a, 8), 32));
    case OP_i32_extend16_s:
        return gives(cut((u128)sign_extend(a, 16), 32));
    case OP_i64_extend8_s:
        return gives((uint64_t)sign_extend(a, 8));
    case OP_i64_extend16_s:
        return gives((uint64_t)sign_extend(a, 16));
    case OP_i64_extend32_s:
        return gives((uint64_t)sign_extend(a, 32));
    case OP_f32_demote_f64:
        return convert_float(&twice, &single, a);
    case OP_f64_promote_f32:
        return convert_float(&single, &twice, a);
    case OP_f32_convert_i32_s:
        return convert_integer(&single, a, 32, true);
    case OP_f32_convert_i32_u:
        return convert_integer(&single, a, 32, false);
    case OP_f32_convert_i64_s:
        return convert_integer(&single, a, 64, true);
    case OP_f32_convert_i64_u:
        return convert_integer(&single, a, 64, false);
    case OP_f64_convert_i32_s:
        return convert_integer(&twice, a, 32, true);
    case OP_f64_convert_i32_u:
        return convert_integer(&twice, a, 32, false);
    case OP_f64_convert_i64_s:
        return convert_integer(&twice, a, 64, true);
    case OP_f64_convert_i64_u:
        return convert_integer(&twice, a, 64, false);
    case OP_i32_trunc_f32_s:
        return to_answer(&single, a, 32, true, false);
    case OP_i32_trunc_f32_u:
        return to_answer(&single, a, 32, false, false);
    case OP_i32_trunc_f64_s:
        return to_answer(&twice, a, 32, true, false);
    case OP_i32_trunc_f64_u:
        return to_answer(&twice, a, 32, false, false);
    case OP_i64_trunc_f32_s:
        return to_answer(&single, a, 64, true, false);
    case OP_i64_trunc_f32_u:
        return to_answer(&single, a, 64, false, false);
    case OP_i64_trunc_f64_s:
        return to_answer(&twice, a, 64, true, false);
    case OP_i64_trunc_f64_u:
        return to_answer(&twice, a, 64, false, false);
    case OP_i32_trunc_sat_f32_s:
        return to_answer(&single, a, 32, true, true);
    case OP_i32_trunc_sat_f32_u:
        return to_answer(&single, a, 32, false, true);
    case OP_i32_trunc_sat_f64_s:
        return to_answer(&twice, a, 32, true, true);
    case OP_i32_trunc_sat_f64_u:
        return to_answer(&twice, a, 32, false, true);
    case OP_i64_trunc_sat_f32_s:
        return to_answer(&single, a, 64, true, true);
    case OP_i64_trunc_sat_f32_u:
        return to_answer(&single, a, 64, false, true);
    case OP_i64_trunc_sat_f64_s:
        return to_answer(&twice, a, 64, true, true);
    case OP_i64_trunc_sat_f64_u:
        return to_answer(&twice, a, 64, false, true);
    default:
        break;
    }
    if (op >= OP_i32_eq && op <= OP_i32_ge_u)
        return gives(
            compare_integers(sign_extend(a, 32), sign_extend(b, 32), a, b, op - OP_i32_eq));
    if (op >= OP_i64_eq && op <= OP_i64_ge_u)
        return gives(
            compare_integers(sign_extend(a, 64), sign_extend(b, 64), a, b, op - OP_i64_eq));
    if (op >= OP_i32_clz && op <= OP_i32_popcnt)
        return gives(count_bits(a, 32, op - OP_i32_clz));
    if (op >= OP_i64_clz && op <= OP_i64_popcnt)
        return gives(count_bits(a, 64, op - OP_i64_clz));
    if (op >= OP_i32_add && op <= OP_i32_rotr)
        return integer_operation(a, b, 32, op - OP_i32_add);
    if (op >= OP_i64_add && op <= OP_i64_rotr)
        return integer_operation(a, b, 64, op - OP_i64_add);
    if (op >= OP_f32_eq && op <= OP_f32_ge)
        return gives(compare_floats(&single, a, b, op - OP_f32_eq));
    if (op >= OP_f64_eq && op <= OP_f64_ge)
        return gives(compare_floats(&twice, a, b, op - OP_f64_eq));
    if (op >= OP_f32_abs && op < OP_f32_sqrt)
        return float_unary(&single, a, op - OP_f32_abs);
    if (op >= OP_f64_abs && op < OP_f64_sqrt)
        return float_unary(&twice, a, op - OP_f64_abs);
    if (op >= OP_f32_add && op <= OP_f32_copysign)
        return float_operation(&single, a, b, op - OP_f32_add);
    return float_operation(&twice, a, b, op - OP_f64_add);
}

/* ---- Numbers to try ---- */

static const struct format *format_of(uint8_t type) {
    return type == F32 ? &single : type == F64 ? &twice : NULL;
}

/* All kinds of exponents with all kinds of mantissas, and what lies beside the powers of two where
 * integers end. */
static size_t float_values(const struct format *f, uint64_t *values) {
    static const int powers[] = {7,  8,  15, 16, 23, 24, 31,   32,   52,
                                 53, 63, 64, 0,  1,  -1, -149, -1074};
    uint64_t most = infinity(f) >> f->mantissa, ones = (UINT64_C(1) << f->mantissa) - 1;
    const uint64_t exponents[] = {0, 1, most / 2, most / 2 + f->mantissa, most - 1, most};
    const uint64_t mantissas[] = {0, 1, ones / 2 + 1, ones};
    size_t count = 0;
    for (unsigned sign = 0; sign < 2; sign++) {
        uint64_t negative = sign ? sign_bit(f) : 0;
        for (size_t e = 0; e < COUNT(exponents); e++)
            for (size_t m = 0; m < COUNT(mantissas); m++)
                values[count++] = negative | exponents[e] << f->mantissa | mantissas[m];
        for (size_t p = 0; p < COUNT(powers); p++) {
            uint64_t power = encode(f, sign, 1, powers[p]);
            values[count++] = power;
            if (power & ~negative)
                values[count++] = power - 1;
            values[count++] = power + 1;
            values[count++] = encode(f, sign, 3, powers[p] - 1);
        }
    }
    return count;
}

static size_t integer_values(unsigned bits, uint64_t *values) {
    size_t count = 0;
    for (unsigned shift = 0; shift < bits; shift += shift % 8 == 7 || shift % 8 == 0 ? 1 : 3)
        for (int64_t beside = -1; beside <= 1; beside++) {
            values[count++] = cut(((u128)1 << shift) + (u128)beside, bits);
            values[count++] = cut(-(((u128)1 << shift) + (u128)beside), bits);
        }
    return count;
}

#define MOST_VALUES 256
static size_t values_of(uint8_t type, uint64_t *values) {
    const struct format *f = format_of(type);
    size_t count = f ? float_values(f, values) : integer_values(type == I32 ? 32 : 64, values);
    assert_true(count <= MOST_VALUES);
    return count;
}

static uint64_t random_value(uint8_t type, uint64_t *random) {
    uint64_t r = next_random(random), small = next_random(random);
    if (small % 4 == 0) /* near each other, for sums and differences */
        r = type == F32   ? 0x3F800000 + (r & 0x81FFFFFF)
            : type == F64 ? UINT64_C(0x3FF0000000000000) + (r & UINT64_C(0x803FFFFFFFFFFFFF))
                          : r & 0xFFFF;
    return type == I32 || type == F32 ? (uint32_t)r : r;
}

/* ---- Checking ---- */

struct subject {
    const wasm_func_t *func;
    const struct op_info *info;
    uint32_t opcode;
};

static catnap_val_t value(uint8_t type, uint64_t bits) {
    static const wasm_valkind_t kinds[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64};
    catnap_val_t v = {.kind = kinds[I32 - type]};
    memcpy(&v.of, &bits, sizeof bits);
    return v;
}

/* A NaN that is computed is quiet; from canonical operands, or none, it is canonical. */
static bool is_right_nan(const struct format *f, const struct op_info *info, uint64_t bits,
                         const uint64_t *operands) {
    bool all_canonical = true;
    for (unsigned i = 0; i < info->operand_count; i++) {
        const struct format *of = format_of(info->operands[i]);
        if (of && is_nan(of, operands[i]) && (operands[i] & ~sign_bit(of)) != canonical(of))
            all_canonical = false;
    }
    return is_nan(f, bits) && (bits & canonical(f)) == canonical(f) &&
           (!all_canonical || (bits & ~sign_bit(f)) == canonical(f));
}

/* Those that only move bits keep NaNs as they are. */
static bool keeps_nans(uint32_t op) {
    return op == OP_f32_abs || op == OP_f32_neg || op == OP_f64_abs || op == OP_f64_neg ||
           op == OP_f32_copysign || op == OP_f64_copysign || op == OP_f32_reinterpret_i32 ||
           op == OP_f64_reinterpret_i64;
}

static void check(const struct subject *s, uint64_t a, uint64_t b) {
    const struct format *f = format_of(s->info->result);
    const uint64_t operands[] = {a, b};
    catnap_val_t in[] = {value(s->info->operands[0], a), {.kind = 0}}, out;
    uint64_t bits = 0;
    if (s->info->operand_count == 2)
        in[1] = value(s->info->operands[1], b);
    wasm_trap_t *trap = catnap_func_call(s->func, in, s->info->operand_count, &out, 1);
    catnap_trap_code_t code = trap ? catnap_trap_code(trap) : CATNAP_TRAP_HOST;
    memcpy(&bits, &out.of, s->info->result == I32 || s->info->result == F32 ? 4 : 8);
    wasm_trap_delete(trap);
    bool right;
    if (s->opcode == OP_f32_sqrt || s->opcode == OP_f64_sqrt) {
        right = !trap && is_root(f, a, bits) &&
                (!is_nan(f, bits) || is_right_nan(f, s->info, bits, operands));
    } else {
        struct answer e = expected(s->opcode, a, b);
        right = e.trap == code && (trap || e.bits == bits ||
                                   (f && !keeps_nans(s->opcode) && is_nan(f, e.bits) &&
                                    is_right_nan(f, s->info, bits, operands)));
        if (!right)
            print_message("expected %llx, trap %d\n", (unsigned long long)e.bits, (int)e.trap);
    }
    if (!right)
        print_message("%s %llx %llx: %llx, trap %d\n", cn_op_name(s->info), (unsigned long long)a,
                      (unsigned long long)b, (unsigned long long)bits, (int)code);
    assert_true(right);
}

static bool is_numeric(uint32_t op) {
    const struct op_info *info = &cn_op_info[op];
    return cn_op_name(info) && info->result >= F64 && info->result <= I32 &&
           info->operand_count > 0 && info->operands[0] != V128 && info->immediate == IMM_NONE;
}

static void check_opcode(const struct subject *s) {
    uint64_t first[MOST_VALUES], second[MOST_VALUES], random = s->opcode;
    bool binary = s->info->operand_count == 2;
    size_t count = values_of(s->info->operands[0], first);
    size_t others = binary ? values_of(s->info->operands[1], second) : 1;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < others; k++)
            check(s, first[i], second[k]);
    for (unsigned i = 0; i < 20000; i++)
        check(s, random_value(s->info->operands[0], &random),
              binary ? random_value(s->info->operands[1], &random) : 0);
}

static void every_numeric_instruction(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    size_t tested = 0;
    char name[12];
    for (uint32_t op = 0; op < OPCODE_LIMIT; op++) {
        if (!is_numeric(op))
            continue;
        const struct op_info *info = &cn_op_info[op];
        struct bytes f = {0};
        PUT(&f, 0, LOCAL_GET, 0);
        if (info->operand_count == 2)
            PUT(&f, LOCAL_GET, 1);
        put_opcode(&f, op);
        put(&f, END);
        snprintf(name, sizeof name, "%u", op);
        add_func(&m, name, add_type_n(&m, info->operands, info->operand_count, &info->result, 1),
                 &f);
    }
    open_world(&w, (struct form){0});
    enter_module(&w, &m);
    for (uint32_t op = 0; op < OPCODE_LIMIT; op++) {
        if (!is_numeric(op))
            continue;
        snprintf(name, sizeof name, "%u", op);
        wasm_func_t *func = get_func(w.instance, name);
        struct subject s = {func, &cn_op_info[op], op};
        check_opcode(&s);
        wasm_func_delete(func);
        tested++;
    }
    assert_int_equal(tested, 136);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_numeric_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
