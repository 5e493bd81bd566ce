/* Building modules that are large in one dimension or wrong in one place: sections that are filled
 * piece by piece, and the instructions that tests write most often. */
#ifndef TESTS_HOSTILE_MODULE_H
#define TESTS_HOSTILE_MODULE_H

#include "../unit/build.h"

enum type_code {
    I32 = 0x7F,
    I64 = 0x7E,
    F32 = 0x7D,
    F64 = 0x7C,
    V128 = 0x7B,
    FUNCREF = 0x70,
    EXTERNREF = 0x6F
};

/* Sections by id; each counts its items. */
#define SECTIONS 13
struct module {
    struct bytes sections[SECTIONS];
    uint32_t counts[SECTIONS];
    uint32_t funcs, imported_funcs;
};
enum section_id {
    TYPES = 1,
    IMPORTS,
    FUNCS,
    TABLES,
    MEMORIES,
    GLOBALS,
    EXPORTS,
    START,
    ELEMS,
    CODES,
    DATAS,
    DATA_COUNT
};

/* Adds an item to a section: bytes to append to. */
static inline struct bytes *add_item(struct module *m, enum section_id id) {
    m->counts[id]++;
    return &m->sections[id];
}

/* Types by their codes, as strings: "" for none. */
static inline uint32_t add_type_n(struct module *m, const uint8_t *params, size_t param_count,
                                  const uint8_t *results, size_t result_count) {
    struct bytes *b = add_item(m, TYPES);
    put(b, 0x60);
    put_u(b, param_count);
    put_bytes(b, params, param_count);
    put_u(b, result_count);
    put_bytes(b, results, result_count);
    return m->counts[TYPES] - 1;
}

/* Letters: i, I, f, F, v, p (funcref), x (externref). */
static inline size_t codes_of(const char *letters, uint8_t *codes) {
    size_t count = 0;
    for (; letters[count]; count++) {
        static const char known[] = "iIfFvpx";
        static const uint8_t code[] = {I32, I64, F32, F64, V128, FUNCREF, EXTERNREF};
        codes[count] = code[strchr(known, letters[count]) - known];
    }
    return count;
}
static inline uint32_t add_type(struct module *m, const char *params, const char *results) {
    uint8_t p[32], r[32];
    size_t params_count = codes_of(params, p), results_count = codes_of(results, r);
    return add_type_n(m, p, params_count, r, results_count);
}

/* Imports come before the functions. */
static inline uint32_t import_func(struct module *m, const char *from, const char *name,
                                   uint32_t type) {
    struct bytes *b = add_item(m, IMPORTS);
    put_name(b, from);
    put_name(b, name);
    put(b, 0);
    put_u(b, type);
    m->imported_funcs++;
    return m->funcs++;
}

static inline void export_item(struct module *m, const char *name, uint8_t kind, uint32_t index) {
    struct bytes *b = add_item(m, EXPORTS);
    put_name(b, name);
    put(b, kind);
    put_u(b, index);
}

/* A function; body: locals and code with the final end, emptied. name may be NULL: not exported. */
static inline uint32_t add_func(struct module *m, const char *name, uint32_t type,
                                struct bytes *body) {
    put_u(add_item(m, FUNCS), type);
    put_sized(add_item(m, CODES), body);
    if (name)
        export_item(m, name, 0, m->funcs);
    return m->funcs++;
}

#define NO_MAX UINT32_MAX
static inline void put_limits(struct bytes *b, uint32_t min, uint32_t max) {
    put(b, max != NO_MAX);
    put_u(b, min);
    if (max != NO_MAX)
        put_u(b, max);
}
static inline void add_memory(struct module *m, uint32_t min, uint32_t max) {
    put_limits(add_item(m, MEMORIES), min, max);
}
static inline void add_table(struct module *m, uint8_t type, uint32_t min, uint32_t max) {
    struct bytes *b = add_item(m, TABLES);
    put(b, type);
    put_limits(b, min, max);
}
static inline void set_start(struct module *m, uint32_t func) {
    put_u(add_item(m, START), func);
}

/* The binary; empties the module. */
static inline struct bytes finish(struct module *m) {
    static const uint8_t order[] = {TYPES,   IMPORTS, FUNCS, TABLES,     MEMORIES, GLOBALS,
                                    EXPORTS, START,   ELEMS, DATA_COUNT, CODES,    DATAS};
    struct bytes b = {0};
    put_preamble(&b);
    for (size_t i = 0; i < sizeof order; i++) {
        struct bytes content = {0};
        if (m->counts[order[i]] == 0)
            continue;
        if (order[i] != START && order[i] != DATA_COUNT)
            put_u(&content, m->counts[order[i]]);
        put_bytes(&content, m->sections[order[i]].data, m->sections[order[i]].size);
        put_section(&b, order[i], &content);
        drop_bytes(&m->sections[order[i]]);
    }
    *m = (struct module){0};
    return b;
}

/* ---- Instructions ---- */

static inline void put_s(struct bytes *b, int64_t value) {
    for (;;) {
        uint8_t byte = value & 0x7F;
        value >>= 7;
        if ((value == 0 && !(byte & 0x40)) || (value == -1 && (byte & 0x40))) {
            put(b, byte);
            return;
        }
        put(b, byte | 0x80);
    }
}
static inline void op_u(struct bytes *b, uint8_t opcode, uint64_t immediate) {
    put(b, opcode);
    put_u(b, immediate);
}
static inline void i32_const(struct bytes *b, int32_t value) {
    put(b, 0x41);
    put_s(b, value);
}
static inline void i64_const(struct bytes *b, int64_t value) {
    put(b, 0x42);
    put_s(b, value);
}
static inline void v128_const(struct bytes *b, uint64_t low, uint64_t high) {
    PUT(b, 0xFD, 12);
    put_bytes(b, &low, 8);
    put_bytes(b, &high, 8);
}
static inline void simd(struct bytes *b, uint32_t opcode) {
    put(b, 0xFD);
    put_u(b, opcode);
}
#define LOCAL_GET 0x20
#define LOCAL_SET 0x21
#define LOCAL_TEE 0x22
#define CALL 0x10
#define BR 0x0C
#define BR_IF 0x0D
#define RETURN 0x0F
#define DROP 0x1A
#define SELECT 0x1B
#define I32_ADD 0x6A
#define I32_SUB 0x6B
#define I32_MUL 0x6C
#define I64_ADD 0x7C
#define BLOCK 0x02
#define LOOP 0x03
#define IF 0x04
#define ELSE 0x05
#define END 0x0B
#define EMPTY 0x40
#define UNREACHABLE 0x00

#endif
