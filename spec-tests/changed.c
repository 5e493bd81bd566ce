#include "changed.h"

#include <string.h>

#define MULTI_VALUE "2.0 allows several results"
#define SEVERAL_TABLES "2.0 allows several tables"
#define LABEL_TYPES "2.0 asks of br_table's labels only that each fits the operands"
#define TABLE_INDEX "2.0 reads the zero byte of call_indirect as the index of a table"
#define SEGMENT_TRAPS "2.0 checks a segment's bounds when it is written, and traps"
#define COMPONENT "it is the preamble of a component"
#define SEVERAL_MEMORIES "3.0 allows several memories"
#define MEMORY_INDEX "3.0 reads the zero byte of instructions on memories as an index"
#define MEMORY_FLAGS "3.0 has alignments up to 2^63, and a bit that says that an index follows"
#define WIDE_NUMBERS "3.0 has limits and offsets of 64 bits, and indices of memories of any length"
#define OWN_GLOBALS "3.0 lets constant expressions read earlier globals of the module"
#define ONE_BEFORE_THE_OTHER                                                                       \
    "the check leaves out that the second thread ends before the first begins"
#define SEGMENTS_STAY "2.0 keeps what earlier segments wrote when a later one traps"

static const spec_change_t changes[] = {
    {"wasm-1.0", "imports", {405, 409, 413}, SPEC_NOW_VALID, 0, SEVERAL_MEMORIES},
    {"wasm-2.0", "imports", {488, 492, 496}, SPEC_NOW_VALID, 0, SEVERAL_MEMORIES},
    {"wasm-1.0", "memory", {8, 9}, SPEC_NOW_VALID, 0, SEVERAL_MEMORIES},
    {"wasm-2.0", "memory", {10, 11}, SPEC_NOW_VALID, 0, SEVERAL_MEMORIES},
    {"wasm-1.0", "binary", {143, 241}, SPEC_NOW_INVALID, 0, MEMORY_INDEX},
    {"wasm-2.0", "binary", {126, 224}, SPEC_NOW_INVALID, 0, MEMORY_INDEX},
    {"wasm-1.0",
     "binary",
     {163, 183, 202, 221, 260, 279, 297, 315},
     SPEC_NOW_VALID,
     0,
     MEMORY_INDEX},
    {"wasm-2.0",
     "binary",
     {146, 166, 185, 204, 243, 262, 280, 298},
     SPEC_NOW_VALID,
     0,
     MEMORY_INDEX},
    {"wasm-1.0", "binary-leb128", {843}, SPEC_NOW_INVALID, 0, MEMORY_FLAGS},
    {"wasm-2.0", "align", {892, 911, 930, 949, 968}, SPEC_NOW_INVALID, 0, MEMORY_FLAGS},
    {"wasm-1.0", "binary-leb128", {217, 225, 404, 461}, SPEC_NOW_VALID, 0, WIDE_NUMBERS},
    {"wasm-2.0", "binary-leb128", {218, 226}, SPEC_NOW_VALID, 0, WIDE_NUMBERS},
    {"wasm-1.0",
     "binary-leb128",
     {525, 533, 541, 550, 730, 749, 862},
     SPEC_NOW_INVALID,
     0,
     WIDE_NUMBERS},
    {"wasm-2.0", "binary-leb128", {526, 534, 542, 551}, SPEC_NOW_INVALID, 0, WIDE_NUMBERS},
    {"wasm-1.0", "address", {207}, SPEC_NOW_INVALID, 0, WIDE_NUMBERS},
    {"wasm-2.0", "address", {214}, SPEC_NOW_INVALID, 0, WIDE_NUMBERS},
    {"wasm-2.0", "simd_address", {144, 152}, SPEC_NOW_INVALID, 0, WIDE_NUMBERS},
    {"wasm-2.0", "memory", {80, 84, 88}, SPEC_NOW_INVALID, 0, WIDE_NUMBERS},
    {"wasm-2.0", "table", {28, 32, 36}, SPEC_NOW_INVALID, 0, WIDE_NUMBERS},
    {"proposals/threads", "memory", {84, 88, 92}, SPEC_NOW_INVALID, 0, WIDE_NUMBERS},
    {"wasm-1.0", "binary", {44}, SPEC_NOW_LATER, 0, COMPONENT},
    {"wasm-2.0", "binary", {44}, SPEC_NOW_LATER, 0, COMPONENT},
    {"wasm-3.0", "binary", {44}, SPEC_NOW_LATER, 0, COMPONENT},
    {"proposals/custom-page-sizes", "binary", {44}, SPEC_NOW_LATER, 0, COMPONENT},
    {"proposals/threads", "imports", {310, 314, 318}, SPEC_NOW_VALID, 0, SEVERAL_TABLES},
    {"proposals/threads", "imports", {405, 409, 413}, SPEC_NOW_VALID, 0, SEVERAL_MEMORIES},
    {"proposals/threads", "memory", {14, 15}, SPEC_NOW_VALID, 0, SEVERAL_MEMORIES},
    {"wasm-2.0", "data", {89, 93}, SPEC_NOW_VALID, 0, OWN_GLOBALS},
    {"wasm-2.0", "elem", {171, 175}, SPEC_NOW_VALID, 0, OWN_GLOBALS},
    {"wasm-2.0", "global", {352, 356}, SPEC_NOW_VALID, 0, OWN_GLOBALS},
    {"proposals/threads-litmus", "LB", {64}, SPEC_NOW_EITHER, 0, ONE_BEFORE_THE_OTHER},
    {"proposals/threads-litmus", "SB", {64}, SPEC_NOW_EITHER, 0, ONE_BEFORE_THE_OTHER},
    {"wasm-1.0", "func", {493, 497}, SPEC_NOW_VALID, 0, MULTI_VALUE},
    {"wasm-1.0", "type", {53, 57}, SPEC_NOW_VALID, 0, MULTI_VALUE},
    {"wasm-1.0", "imports", {310, 314, 318}, SPEC_NOW_VALID, 0, SEVERAL_TABLES},
    {"wasm-1.0", "unreached-invalid", {539}, SPEC_NOW_VALID, 0, LABEL_TYPES},
    {"wasm-1.0", "binary", {50}, SPEC_NOW_INVALID, 0, TABLE_INDEX},
    {"wasm-1.0",
     "data",
     {162, 170, 178, 186, 194, 211, 220, 227, 235, 243, 251, 258, 266, 273},
     SPEC_NOW_TRAPS,
     0,
     SEGMENT_TRAPS},
    {"wasm-1.0",
     "elem",
     {143, 152, 161, 170, 178, 186, 195, 203, 212, 220, 229, 237},
     SPEC_NOW_TRAPS,
     0,
     SEGMENT_TRAPS},
    {"wasm-1.0", "linking", {207, 228, 239, 299, 335, 345}, SPEC_NOW_TRAPS, 0, SEGMENT_TRAPS},
    {"wasm-1.0", "linking", {236, 248}, SPEC_NOW_RETURNS, 0, SEGMENTS_STAY},
    {"wasm-1.0", "linking", {342, 354}, SPEC_NOW_RETURNS, 'a', SEGMENTS_STAY},
};

static bool names_script(spec_text_t source, const char *script) {
    size_t start = source.size;
    while (start > 0 && source.data[start - 1] != '/') {
        start--;
    }
    size_t length = strlen(script);
    const char *name = source.data + start;
    return source.size - start == length + 5 && memcmp(name, script, length) == 0 &&
           memcmp(name + length, ".wast", 5) == 0;
}

static bool names_line(const spec_change_t *change, uint32_t line) {
    size_t count = sizeof change->lines / sizeof *change->lines;
    for (size_t i = 0; i < count && change->lines[i] != 0; i++) {
        if (change->lines[i] == line) {
            return true;
        }
    }
    return false;
}

const spec_change_t *spec_change_find(const char *set, spec_text_t source, uint32_t line) {
    for (size_t i = 0; set && i < sizeof changes / sizeof *changes; i++) {
        if (strcmp(changes[i].set, set) == 0 && names_script(source, changes[i].script) &&
            names_line(&changes[i], line)) {
            return &changes[i];
        }
    }
    return NULL;
}
