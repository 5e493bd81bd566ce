#include "binary/opcodes.h"

#include "catnap.h"

#define CATNAP_FEATURE_MVP 0
#define CATNAP_FEATURE_TAIL_CALLS_OF_REFERENCES                                                    \
    (CATNAP_FEATURE_TAIL_CALLS | CATNAP_FEATURE_FUNCTION_REFERENCES)

#define OPERANDS_1(a) OPT_##a
#define OPERANDS_2(a, b) OPT_##a, OPT_##b
#define OPERANDS_3(a, b, c) OPT_##a, OPT_##b, OPT_##c
#define OPERANDS_4(a, b, c, d) OPT_##a, OPT_##b, OPT_##c, OPT_##d
#define CHOOSE(a, b, c, d, chosen, ...) chosen
#define OPERANDS(...)                                                                              \
    CHOOSE(__VA_ARGS__, OPERANDS_4, OPERANDS_3, OPERANDS_2, OPERANDS_1, unused)(__VA_ARGS__)
#define COUNT(...) CHOOSE(__VA_ARGS__, 4, 3, 2, OPERANDS_1(__VA_ARGS__) != OPT__, unused)

/* A member for each opcode, whose offset is where its name is. */
struct op_names {
    char none[1];
#define OP(code, id, text, ...) char id[sizeof text];
#include "binary/opcodes.def"
};
_Static_assert(sizeof(struct op_names) <= UINT16_MAX, "struct op_info holds the offsets");
static const struct op_names names = {
    .none = "",
#define OP(code, id, text, ...) .id = text,
#include "binary/opcodes.def"
};
const char *const cn_op_names = (const char *)&names;

const struct op_info cn_op_info[OPCODE_LIMIT] = {
#define OP(code, id, text, imm, flags_, needed, type, ...)                                         \
    [code] = {.name = offsetof(struct op_names, id),                                               \
              .feature = CATNAP_FEATURE_##needed,                                                  \
              .flags = flags_,                                                                     \
              .immediate = IMM_##imm,                                                              \
              .result = OPT_##type,                                                                \
              .operands = {OPERANDS(__VA_ARGS__)},                                                 \
              .operand_count = COUNT(__VA_ARGS__)},
#include "binary/opcodes.def"
};

const char *cn_feature_name(uint64_t feature) {
    switch (feature) {
    case CATNAP_FEATURE_MUTABLE_GLOBALS:
        return "mutable-globals";
    case CATNAP_FEATURE_SIGN_EXTENSION:
        return "sign-extension";
    case CATNAP_FEATURE_SATURATING_CONVERSIONS:
        return "saturating-conversions";
    case CATNAP_FEATURE_MULTI_VALUE:
        return "multi-value";
    case CATNAP_FEATURE_BULK_MEMORY:
        return "bulk-memory";
    case CATNAP_FEATURE_REFERENCE_TYPES:
        return "reference-types";
    case CATNAP_FEATURE_FUNCTION_REFERENCES:
        return "function-references";
    case CATNAP_FEATURE_SIMD:
        return "simd";
    case CATNAP_FEATURE_EXTENDED_CONST:
        return "extended-const";
    case CATNAP_FEATURE_MULTI_MEMORY:
        return "multi-memory";
    case CATNAP_FEATURE_MEMORY64:
        return "memory64";
    case CATNAP_FEATURE_THREADS:
        return "threads";
    case CATNAP_FEATURE_WIDE_ARITHMETIC:
        return "wide-arithmetic";
    case CATNAP_FEATURE_RELAXED_SIMD:
        return "relaxed-simd";
    case CATNAP_FEATURE_EXCEPTIONS:
        return "exceptions";
    case CATNAP_FEATURE_LEGACY_EXCEPTIONS:
        return "legacy-exceptions";
    case CATNAP_FEATURE_CUSTOM_PAGE_SIZES:
        return "custom-page-sizes";
    case CATNAP_FEATURE_COMPACT_IMPORTS:
        return "compact-imports";
    case CATNAP_FEATURE_GC:
        return "gc";
    case CATNAP_FEATURE_TAIL_CALLS:
        return "tail-call";
    default:
        return "an unknown feature";
    }
}
