/* The rows of operations.def and variants.def as tables of strings. */
#include "bytecode/generate/generate.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define OP(name, fields)
#define PAIR_OP(name, fields)
#define GUARD_OP(name, fields)
const struct operation cn_operations[] = {
#define ROW(name_, kind_, ...) {.name = #name_, .kind = kind_, __VA_ARGS__},
#define BIN(name, R, T, order, ...)                                                                \
    ROW(name, BIN_, .result = #R, .type = #T, .forms = #order, .expression = #__VA_ARGS__)
#define BINT(name, R, T, check_, ...)                                                              \
    ROW(name, BIN_, .result = #R, .type = #T, .forms = "ORDERED", .check = #check_,                \
        .expression = #__VA_ARGS__)
#define UN(name, R, T, ...) ROW(name, UN_, .result = #R, .type = #T, .expression = #__VA_ARGS__)
#define UNT(name, R, T, check_, ...)                                                               \
    ROW(name, UN_, .result = #R, .type = #T, .check = #check_, .expression = #__VA_ARGS__)
/* Types and expression are the comparison's: operation_named(). */
#define BRANCH(name, comparison) ROW(name, BRANCH_, .expression = #comparison)
#define BRANCH_UNLESS(name, comparison)                                                            \
    ROW(name, BRANCH_, .expression = #comparison, .negated = true)
#define LOAD(name, R, access_)                                                                     \
    ROW(name, LOAD_, .result = #R, .type = #R, .access = #access_, .expression = "a")
#define STORE(name, T, access_) ROW(name, STORE_, .type = #T, .access = #access_)
#define REF(name, R, T, check_, ...) UNT(name, R, T, check_, __VA_ARGS__)
#define REF_TEST(name, R, ...)                                                                     \
    ROW(name, BIN_, .result = #R, .type = "I64", .forms = "CAST", .expression = #__VA_ARGS__)
#define REF_CAST(name, R, check_, ...)                                                             \
    ROW(name, BIN_, .result = #R, .type = "I64", .forms = "CAST", .check = #check_,                \
        .expression = #__VA_ARGS__)
#define FIELD_GET(name, R, access_) OBJECT_ROW(name, FIELD_GET_, R, R, access_)
#define FIELD_SET(name, T, access_) OBJECT_ROW(name, FIELD_SET_, T, T, access_)
#define ELEMENT_GET(name, R, access_) OBJECT_ROW(name, ELEMENT_GET_, R, R, access_)
#define ELEMENT_SET(name, T, access_) OBJECT_ROW(name, ELEMENT_SET_, T, T, access_)
#define OBJECT_ROW(name, kind, R, T, access_)                                                      \
    ROW(name, kind, .result = #R, .type = #T, .access = #access_)
#define VUN(name, T, forms_, ...)                                                                  \
    ROW(name, VECTOR_, .result = "V128", .type = #T, .forms = #forms_ "1",                         \
        .expression = #__VA_ARGS__)
#define VBIN(name, T, forms_, ...)                                                                 \
    ROW(name, VECTOR_, .result = "V128", .type = #T, .forms = #forms_ "2",                         \
        .expression = #__VA_ARGS__)
#define VTERN(name, T, ...)                                                                        \
    ROW(name, VECTOR_, .result = "V128", .type = #T, .forms = "TERN", .expression = #__VA_ARGS__)
#define VSHUFFLE(name, T, ...)                                                                     \
    ROW(name, VSHUFFLE_, .result = "V128", .type = #T, .forms = "ORDERED2",                        \
        .expression = #__VA_ARGS__)
#define VSHIFT(name, T, ...)                                                                       \
    ROW(name, VSHIFT_, .result = "V128", .type = #T, .forms = "SHIFT", .expression = #__VA_ARGS__)
#define VTEST(name, T, ...)                                                                        \
    ROW(name, VTEST_, .result = "I32", .type = #T, .forms = "ANY1", .expression = #__VA_ARGS__)
#define VSPLAT(name, R, T) ROW(name, VSPLAT_, .result = #T, .type = #R, .forms = "ANY1")
#define VEXTRACT(name, lane, R)                                                                    \
    ROW(name, VEXTRACT_, .result = #R, .type = "V128", .forms = "DESTINATIONS", .access = #lane)
#define VREPLACE(name, T) ROW(name, VREPLACE_, .result = "V128", .type = #T)
#define VLOAD(name, access_, T, ...)                                                               \
    ROW(name, LOAD_, .result = "V128", .type = #T, .access = #access_, .expression = #__VA_ARGS__)
#define VSTORE(name) ROW(name, STORE_, .type = "V128", .access = "v128")
#define VLOAD_LANE(name, T) ROW(name, VLOAD_LANE_, .result = "V128", .type = #T)
#define VSTORE_LANE(name, lane) ROW(name, VSTORE_LANE_, .type = "V128", .access = #lane)
#define CANONICAL(name, T, ...) UN(name, T, T, __VA_ARGS__)
#define VCANONICAL(name, T, ...) VUN(name, T, ANY, __VA_ARGS__)
#define LISTED(name) ROW(name, LISTED_, .type = "I64")
#include "bytecode/operations.def"
};
const size_t cn_operation_count = COUNT(cn_operations);
#undef BIN
#undef BINT
#undef UN
#undef UNT
#undef BRANCH
#undef BRANCH_UNLESS
#undef LOAD
#undef STORE
#undef REF
#undef REF_TEST
#undef REF_CAST
#undef FIELD_GET
#undef FIELD_SET
#undef ELEMENT_GET
#undef ELEMENT_SET
#undef VUN
#undef VBIN
#undef VTERN
#undef VSHUFFLE
#undef VSHIFT
#undef VTEST
#undef VSPLAT
#undef VEXTRACT
#undef VREPLACE
#undef VLOAD
#undef VSTORE
#undef VLOAD_LANE
#undef VSTORE_LANE
#undef LISTED
#undef OP
#undef PAIR_OP
#undef GUARD_OP

#define BIN(...)
#define BINT(...)
#define UN(...)
#define UNT(...)
#define BRANCH(...)
#define BRANCH_UNLESS(...)
#define LOAD(...)
#define STORE(...)
#define REF(...)
#define REF_TEST(...)
#define REF_CAST(...)
#define FIELD_GET(...)
#define FIELD_SET(...)
#define ELEMENT_GET(...)
#define ELEMENT_SET(...)
#define VUN(...)
#define VBIN(...)
#define VTERN(...)
#define VSHUFFLE(...)
#define VSHIFT(...)
#define VTEST(...)
#define VSPLAT(...)
#define VEXTRACT(...)
#define VREPLACE(...)
#define VLOAD(...)
#define VSTORE(...)
#define VLOAD_LANE(...)
#define VSTORE_LANE(...)
#define LISTED(...)
const struct by_hand cn_by_hand[] = {
#define OP(name, fields) {#name, fields, ALWAYS},
#define PAIR_OP(name, fields) {#name, fields, WITH_PAIRS},
#define GUARD_OP(name, fields) {#name, fields, WITH_GUARD},
#include "bytecode/operations.def"
};
const size_t cn_by_hand_count = COUNT(cn_by_hand);

static const struct forms forms[] = {
#define FORMS(name, destinations, sources) {#name, destinations, sources},
#include "bytecode/rules.h"
};
static const char *const pinned[] = {
#define PINNED(name) #name,
#include "bytecode/rules.h"
};
const struct fusion cn_fusions[] = {
#define PAIR(first, second) {PAIR_, false, NULL, #first, #second},
#define PAIR_EXCHANGED(first, second) {PAIR_, true, NULL, #first, #second},
#define LOAD_AT(load) {LOAD_AT_, false, NULL, "i32_add", #load},
#define LOAD_AT_64(load) {LOAD_AT_64_, false, NULL, "i64_add", #load},
#define LOAD_PAIR(load, second) {LOAD_PAIR_, false, NULL, #load, #second},
#define LOAD_PAIR_EXCHANGED(load, second) {LOAD_PAIR_, true, NULL, #load, #second},
#define PAIR_BRANCH(first, branch) {PAIR_BRANCH_, false, NULL, #first, #branch},
#define LOAD_BRANCH(load, branch) {LOAD_BRANCH_, false, NULL, #load, #branch},
#define STEP_BRANCH(step, branch) {STEP_BRANCH_, false, NULL, #step, #branch},
#define PAIR_JUMP(first) {PAIR_JUMP_, false, NULL, #first, "br"},
#define VPAIR(name, first, second) {VPAIR_, false, #name, #first, #second},
#define VPAIR_TEST(name, first, second) {VPAIR_TEST_, false, #name, #first, #second},
#define VPAIR_LOAD(name, second) {VPAIR_LOAD_, false, #name, "v128_load", #second},
#include "bytecode/rules.h"
};
const size_t cn_fusion_count = COUNT(cn_fusions);
const struct listed cn_listed[] = {
#define INSTRUCTION(operation, form, name) {#operation, NULL, form, #name},
#define FUSED_INSTRUCTION(first, second, form, name) {#first, #second, form, #name},
#include "bytecode/rules.h"
};
const size_t cn_listed_count = COUNT(cn_listed);
const struct joined cn_joined[] = {
#define JOINED(first, second, both) {#first, #second, #both},
#include "bytecode/rules.h"
};
const size_t cn_joined_count = COUNT(cn_joined);

const struct forms *forms_named(const char *name) {
    for (size_t i = 0; i < COUNT(forms); i++)
        if (!strcmp(forms[i].name, name))
            return &forms[i];
    fail("variants.def has no FORMS(%s, ...)", name);
}

/* A branch has the types, the order and the expression of the comparison that it names. */
static void complete_branch(struct operation *o) {
    const struct operation *comparison = operation_named(o->expression);
    o->type = comparison->type;
    o->forms = comparison->forms;
    o->expression =
        o->negated ? formatted("!(%s)", comparison->expression) : comparison->expression;
}

const struct operation *operation_named(const char *name) {
    static struct operation operations[COUNT(cn_operations)];
    if (!operations[0].name) {
        memcpy(operations, cn_operations, sizeof operations);
        for (size_t i = 0; i < COUNT(operations); i++) {
            if (operations[i].kind == BRANCH_)
                complete_branch(&operations[i]);
            for (size_t k = 0; k < COUNT(pinned); k++)
                operations[i].pinned |= !strcmp(pinned[k], operations[i].name);
        }
    }
    for (size_t i = 0; i < COUNT(operations); i++)
        if (!strcmp(operations[i].name, name))
            return &operations[i];
    fail("operations.def has no %s", name);
}
