#include "value.h"

#include <inttypes.h>
#include <string.h>

/* ---- Lanes ----------------------------------------------------------------------------------- */

/* A vector's lanes lie low to high in its bytes, each little-endian, whatever the host. */
static uint64_t get_lane(const uint8_t bytes[16], unsigned lane, unsigned bits) {
    uint64_t value = 0;
    for (unsigned i = bits / 8; i-- > 0;) {
        value = value << 8 | bytes[lane * (bits / 8) + i];
    }
    return value;
}

static void put_lane(uint8_t bytes[16], unsigned lane, unsigned bits, uint64_t value) {
    for (unsigned i = 0; i < bits / 8; i++) {
        bytes[lane * (bits / 8) + i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t bits_of(const catnap_val_t *value) {
    uint32_t half = 0;
    uint64_t whole = 0;
    switch (value->kind) {
    case WASM_I32:
        return (uint32_t)value->of.i32;
    case WASM_F32:
        memcpy(&half, &value->of.f32, sizeof half);
        return half;
    case WASM_I64:
        return (uint64_t)value->of.i64;
    default:
        memcpy(&whole, &value->of.f64, sizeof whole);
        return whole;
    }
}

void spec_value_to_engine(const spec_value_t *value, catnap_val_t *out) {
    uint32_t half = (uint32_t)value->lane[0];
    memset(out, 0, sizeof *out);
    out->kind = value->kind;
    switch (value->kind) {
    case WASM_V128:
        for (unsigned i = 0; i < value->lane_count; i++) {
            put_lane(out->of.v128, i, value->lane_bits, value->lane[i]);
        }
        break;
    case WASM_I32:
    case WASM_F32:
        memcpy(&out->of, &half, sizeof half);
        break;
    default:
        memcpy(&out->of, &value->lane[0], sizeof value->lane[0]);
        break;
    }
}

spec_value_t spec_value_of_i32(int32_t number) {
    return (spec_value_t){.type_name = {"i32", 3},
                          .kind = WASM_I32,
                          .lane_count = 1,
                          .lane_bits = 32,
                          .lane = {(uint32_t)number}};
}

/* ---- Comparison ------------------------------------------------------------------------------ */

static bool lane_matches(const spec_value_t *expected, unsigned lane, uint64_t actual) {
    unsigned mantissa = expected->lane_bits == 32 ? 23 : 52;
    uint64_t sign = UINT64_C(1) << (expected->lane_bits - 1);
    uint64_t canonical = (sign - 1) & ~((UINT64_C(1) << (mantissa - 1)) - 1);
    switch (expected->lane_rule[lane]) {
    case SPEC_LANE_NAN_CANONICAL:
        return (actual & ~sign) == canonical;
    case SPEC_LANE_NAN_ARITHMETIC:
        return (actual & canonical) == canonical;
    default:
        return actual == expected->lane[lane];
    }
}

static const wasm_foreign_t *foreign_of(const catnap_val_t *value) {
    return value->of.ref ? wasm_ref_as_foreign_const(value->of.ref) : NULL;
}

static uintptr_t host_number(const wasm_foreign_t *foreign) {
    return (uintptr_t)wasm_foreign_get_host_info(foreign);
}

static bool ref_matches(const spec_value_t *expected, const catnap_val_t *actual) {
    if (!wasm_valkind_is_ref(actual->kind)) {
        return false;
    }
    if (expected->ref_rule == SPEC_REF_NULL) {
        return !actual->of.ref;
    }
    if (!actual->of.ref || expected->kind != actual->kind) {
        return false;
    }
    const wasm_foreign_t *foreign = foreign_of(actual);
    return expected->ref_rule == SPEC_REF_SOME ||
           (foreign && host_number(foreign) == expected->host_ref);
}

bool spec_value_matches(const spec_value_t *expected, const catnap_val_t *actual) {
    if (expected->is_ref) {
        return ref_matches(expected, actual);
    }
    if (expected->kind != actual->kind) {
        return false;
    }
    for (unsigned i = 0; i < expected->lane_count; i++) {
        uint64_t bits = actual->kind == WASM_V128
                            ? get_lane(actual->of.v128, i, expected->lane_bits)
                            : bits_of(actual);
        if (!lane_matches(expected, i, bits)) {
            return false;
        }
    }
    return true;
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void add_bits(spec_message_t *message, uint64_t bits, unsigned width, bool is_float) {
    float single;
    double number;
    uint32_t half = (uint32_t)bits;
    uint64_t sign = UINT64_C(1) << (width - 1);
    if (!is_float) {
        spec_message_add(message, "%" PRId64, (int64_t)((bits ^ sign) - sign));
        return;
    }
    memcpy(&single, &half, sizeof single);
    memcpy(&number, &bits, sizeof number);
    spec_message_add(message, "%.17g (0x%0*" PRIx64 ")", width == 32 ? (double)single : number,
                     (int)width / 4, bits);
}

static void add_lane(spec_message_t *message, const spec_value_t *value, unsigned lane) {
    switch (value->lane_rule[lane]) {
    case SPEC_LANE_NAN_CANONICAL:
        spec_message_add(message, " nan:canonical");
        break;
    case SPEC_LANE_NAN_ARITHMETIC:
        spec_message_add(message, " nan:arithmetic");
        break;
    default:
        spec_message_add(message, " ");
        add_bits(message, value->lane[lane], value->lane_bits, value->lane_is_float);
        break;
    }
}

void spec_message_add_value(spec_message_t *message, const spec_value_t *value) {
    spec_message_add(message, "%.*s", (int)value->type_name.size, value->type_name.data);
    if (!value->is_ref) {
        for (unsigned i = 0; i < value->lane_count; i++) {
            add_lane(message, value, i);
        }
    } else if (value->ref_rule == SPEC_REF_NULL) {
        spec_message_add(message, " null");
    } else if (value->ref_rule == SPEC_REF_HOST) {
        spec_message_add(message, " %" PRIu32, value->host_ref);
    }
}

void spec_message_add_expected(spec_message_t *message, const spec_expected_t *expected,
                               size_t count) {
    spec_message_add(message, "[");
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < expected[i].count; j++) {
            spec_message_add(message, j ? " or " : i ? ", " : "");
            spec_message_add_value(message, &expected[i].any_of[j]);
        }
    }
    spec_message_add(message, "]");
}

static void add_result(spec_message_t *message, const catnap_val_t *value) {
    static const struct {
        const char *name;
        unsigned width;
        bool is_float;
    } numbers[] = {{"i32", 32, false}, {"i64", 64, false}, {"f32", 32, true}, {"f64", 64, true}};
    const wasm_foreign_t *foreign;
    switch (value->kind) {
    case WASM_I32:
    case WASM_I64:
    case WASM_F32:
    case WASM_F64:
        spec_message_add(message, "%s ", numbers[value->kind].name);
        add_bits(message, bits_of(value), numbers[value->kind].width,
                 numbers[value->kind].is_float);
        break;
    case WASM_V128:
        spec_message_add(message, "v128 0x");
        for (unsigned i = 16; i-- > 0;) {
            spec_message_add(message, "%02x", value->of.v128[i]);
        }
        break;
    default:
        foreign = foreign_of(value);
        spec_message_add(message, "%s",
                         value->kind == WASM_FUNCREF    ? "funcref"
                         : value->kind == CATNAP_EXNREF ? "exnref"
                                                        : "externref");
        if (foreign) {
            spec_message_add(message, " %" PRIuPTR, host_number(foreign));
        } else if (!value->of.ref) {
            spec_message_add(message, " null");
        }
        break;
    }
}

void spec_message_add_results(spec_message_t *message, const catnap_val_t *results, size_t count) {
    spec_message_add(message, "[");
    for (size_t i = 0; i < count; i++) {
        spec_message_add(message, i ? ", " : "");
        add_result(message, &results[i]);
    }
    spec_message_add(message, "]");
}
