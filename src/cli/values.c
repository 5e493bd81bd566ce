#include "values.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"

/* ---- Types ----------------------------------------------------------------------------------- */

const char *kind_name(wasm_valkind_t kind) {
    switch (kind) {
    case WASM_I32:
        return "i32";
    case WASM_I64:
        return "i64";
    case WASM_F32:
        return "f32";
    case WASM_F64:
        return "f64";
    case WASM_V128:
        return "v128";
    case WASM_FUNCREF:
        return "funcref";
    case WASM_EXTERNREF:
        return "externref";
    }
    return "unknown";
}

static void print_kinds(FILE *out, const wasm_valtype_vec_t *types) {
    for (size_t i = 0; i < types->size; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", kind_name(wasm_valtype_kind(types->data[i])));
}

void print_functype(FILE *out, const wasm_functype_t *type) {
    const wasm_valtype_vec_t *results = wasm_functype_results(type);
    fputc('(', out);
    print_kinds(out, wasm_functype_params(type));
    fputs(results->size == 1 ? ") -> " : ") -> (", out);
    print_kinds(out, results);
    if (results->size != 1)
        fputc(')', out);
}

void print_limits(FILE *out, const catnap_type_limits_t *limits) {
    fprintf(out, "%s%" PRIu64 "..", limits->is_64 ? "i64 " : "", limits->min);
    if (limits->has_max)
        fprintf(out, "%" PRIu64, limits->max);
}

void print_externtype(FILE *out, const wasm_externtype_t *type) {
    switch (wasm_externtype_kind(type)) {
    case WASM_EXTERN_FUNC:
        fputs("func ", out);
        print_functype(out, wasm_externtype_as_functype_const(type));
        return;
    case WASM_EXTERN_GLOBAL: {
        const wasm_globaltype_t *global = wasm_externtype_as_globaltype_const(type);
        fprintf(out, "global %s%s",
                wasm_globaltype_mutability(global) == WASM_VAR ? "mutable " : "",
                kind_name(wasm_valtype_kind(wasm_globaltype_content(global))));
        return;
    }
    case WASM_EXTERN_TABLE: {
        const wasm_tabletype_t *table = wasm_externtype_as_tabletype_const(type);
        catnap_type_limits_t limits;
        catnap_tabletype_limits(table, &limits);
        fputs("table ", out);
        print_limits(out, &limits);
        fprintf(out, " %s", kind_name(wasm_valtype_kind(wasm_tabletype_element(table))));
        return;
    }
    case WASM_EXTERN_MEMORY: {
        const wasm_memorytype_t *memory = wasm_externtype_as_memorytype_const(type);
        catnap_type_limits_t limits;
        catnap_memorytype_limits(memory, &limits);
        fputs("memory ", out);
        print_limits(out, &limits);
        fprintf(out, " pages%s%s", catnap_memorytype_page_bytes(memory) == 1 ? " of one byte" : "",
                catnap_memorytype_is_shared(memory) ? " shared" : "");
        return;
    }
    }
    fputs("unknown", out);
}

/* ---- Reading numbers ------------------------------------------------------------------------- */

static int digit_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Reads an integer of `bits` bits, as signed or as unsigned, into the low bits of *out. */
static bool parse_integer(const char *text, unsigned bits, uint64_t *out) {
    bool negative = *text == '-';
    uint64_t value = 0, largest = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    if (*text == '-' || *text == '+')
        text++;
    int base = text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10;
    text += base == 16 ? 2 : 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        int digit = digit_value(*text);
        if (digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    if (value > (negative ? largest / 2 + 1 : largest))
        return false;
    *out = (negative ? -value : value) & largest;
    return true;
}

/* The two floating-point formats, by their bits. */
struct float_format {
    unsigned mantissa_bits;
    uint64_t sign, infinity;
};

static const struct float_format format_f32 = {23, UINT64_C(1) << 31, UINT64_C(0x7f800000)};
static const struct float_format format_f64 = {52, UINT64_C(1) << 63, UINT64_C(0x7ff0) << 48};

/* Reads "nan" and "nan:0xPAYLOAD", without a sign. */
static bool parse_nan(const char *text, const struct float_format *format, uint64_t *bits) {
    uint64_t payload = UINT64_C(1) << (format->mantissa_bits - 1);
    if (strncmp(text, "nan", 3) != 0)
        return false;
    text += 3;
    if (*text != '\0') {
        if (strncmp(text, ":0x", 3) != 0 || !parse_integer(text + 1, 64, &payload) ||
            payload == 0 || payload >> format->mantissa_bits != 0)
            return false;
    }
    *bits = format->infinity | payload;
    return true;
}

/* strtod() takes more than we do: blanks, "infinity", "NAN(...)". */
static bool is_plain_float(const char *text) {
    text += *text == '-' || *text == '+';
    if (strcmp(text, "inf") == 0)
        return true;
    return (digit_value(*text) < 10 || *text == '.') &&
           text[strspn(text, "0123456789abcdefABCDEFxXpP.+-")] == '\0';
}

static bool parse_f32(const char *text, float *out) {
    uint64_t bits;
    char *end;
    bool negative = *text == '-', sign = *text == '-' || *text == '+';
    if (parse_nan(text + sign, &format_f32, &bits)) {
        uint32_t bits32 = (uint32_t)(bits | (negative ? format_f32.sign : 0));
        memcpy(out, &bits32, sizeof(bits32));
        return true;
    }
    if (!is_plain_float(text))
        return false;
    *out = strtof(text, &end);
    return *end == '\0' && (!isinf(*out) || strcmp(text + sign, "inf") == 0);
}

static bool parse_f64(const char *text, double *out) {
    uint64_t bits;
    char *end;
    bool negative = *text == '-', sign = *text == '-' || *text == '+';
    if (parse_nan(text + sign, &format_f64, &bits)) {
        bits |= negative ? format_f64.sign : 0;
        memcpy(out, &bits, sizeof(bits));
        return true;
    }
    if (!is_plain_float(text))
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && (!isinf(*out) || strcmp(text + sign, "inf") == 0);
}

/* ---- Reading vectors ------------------------------------------------------------------------- */

struct shape {
    const char *name;
    unsigned lane_bits;
    bool is_float;
};

static const struct shape shapes[] = {
    {"i8x16:", 8, false},  {"i16x8:", 16, false}, {"i32x4:", 32, false},
    {"i64x2:", 64, false}, {"f32x4:", 32, true},  {"f64x2:", 64, true},
};

/* Stores the low bytes of `bits` in little-endian order. */
static void store_lane(uint8_t *lane, uint64_t bits, unsigned lane_bits) {
    for (unsigned i = 0; i < lane_bits / 8; i++)
        lane[i] = (uint8_t)(bits >> (8 * i));
}

static bool parse_lane(const char *text, const struct shape *shape, uint64_t *bits) {
    float f32;
    double f64;
    uint32_t bits32;
    if (!shape->is_float)
        return parse_integer(text, shape->lane_bits, bits);
    if (shape->lane_bits == 64) {
        if (!parse_f64(text, &f64))
            return false;
        memcpy(bits, &f64, sizeof(*bits));
        return true;
    }
    if (!parse_f32(text, &f32))
        return false;
    memcpy(&bits32, &f32, sizeof(bits32));
    *bits = bits32;
    return true;
}

static bool parse_lanes(const char *text, const struct shape *shape, uint8_t out[16]) {
    char lane[64];
    unsigned count = 128 / shape->lane_bits;
    for (unsigned i = 0; i < count; i++) {
        size_t length = strcspn(text, ", ");
        uint64_t bits;
        if (length >= sizeof(lane))
            return false;
        memcpy(lane, text, length);
        lane[length] = '\0';
        if (!parse_lane(lane, shape, &bits))
            return false;
        store_lane(out + i * shape->lane_bits / 8, bits, shape->lane_bits);
        text += length;
        if (i + 1 < count && *text++ == '\0')
            return false;
    }
    return *text == '\0';
}

/* Reads 0x and up to 32 digits as one number of 128 bits. */
static bool parse_v128_number(const char *text, uint8_t out[16]) {
    size_t length = strlen(text);
    memset(out, 0, 16);
    if (length < 3 || length > 2 + 32 || text[0] != '0' || (text[1] | 0x20) != 'x')
        return false;
    for (size_t i = 0; i < length - 2; i++) {
        int digit = digit_value(text[length - 1 - i]);
        if (digit > 15)
            return false;
        out[i / 2] |= (uint8_t)(digit << (4 * (i % 2)));
    }
    return true;
}

static bool parse_v128(const char *text, uint8_t out[16]) {
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        size_t length = strlen(shapes[i].name);
        if (strncmp(text, shapes[i].name, length) == 0)
            return parse_lanes(text + length, &shapes[i], out);
    }
    return parse_v128_number(text, out);
}

bool parse_value(wasm_valkind_t kind, const char *text, catnap_val_t *out) {
    uint64_t bits;
    *out = (catnap_val_t){.kind = kind};
    switch (kind) {
    case WASM_I32:
        if (!parse_integer(text, 32, &bits))
            return false;
        out->of.i32 = (int32_t)(uint32_t)bits;
        return true;
    case WASM_I64:
        if (!parse_integer(text, 64, &bits))
            return false;
        out->of.i64 = (int64_t)bits;
        return true;
    case WASM_F32:
        return parse_f32(text, &out->of.f32);
    case WASM_F64:
        return parse_f64(text, &out->of.f64);
    case WASM_V128:
        return parse_v128(text, out->of.v128);
    case WASM_FUNCREF:
    case WASM_EXTERNREF:
        return strcmp(text, "null") == 0;
    }
    return false;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Writes a NaN with its sign, and with its payload when that is not the canonical one. */
static void print_nan(FILE *out, uint64_t bits, const struct float_format *format) {
    uint64_t payload = bits & ((UINT64_C(1) << format->mantissa_bits) - 1);
    fprintf(out, "%snan", (bits & format->sign) != 0 ? "-" : "");
    if (payload != UINT64_C(1) << (format->mantissa_bits - 1))
        fprintf(out, ":0x%" PRIx64, payload);
}

/* Writes a number with as few digits as give it back. */
static void print_f32(FILE *out, float value) {
    char text[40];
    uint32_t bits;
    if (isnan(value)) {
        memcpy(&bits, &value, sizeof(bits));
        print_nan(out, bits, &format_f32);
        return;
    }
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    fputs(text, out);
}

static void print_f64(FILE *out, double value) {
    char text[40];
    uint64_t bits;
    if (isnan(value)) {
        memcpy(&bits, &value, sizeof(bits));
        print_nan(out, bits, &format_f64);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, out);
}

static void print_v128(FILE *out, const uint8_t v128[16]) {
    fputs("i32x4:", out);
    for (unsigned i = 0; i < 16; i += 4)
        fprintf(out, "%s0x%02x%02x%02x%02x", i > 0 ? "," : "", v128[i + 3], v128[i + 2],
                v128[i + 1], v128[i]);
}

void print_value(FILE *out, const catnap_val_t *value) {
    switch (value->kind) {
    case WASM_I32:
        fprintf(out, "%" PRId32, value->of.i32);
        return;
    case WASM_I64:
        fprintf(out, "%" PRId64, value->of.i64);
        return;
    case WASM_F32:
        print_f32(out, value->of.f32);
        return;
    case WASM_F64:
        print_f64(out, value->of.f64);
        return;
    case WASM_V128:
        print_v128(out, value->of.v128);
        return;
    default:
        fputs(value->of.ref != NULL ? kind_name(value->kind) : "null", out);
        return;
    }
}
