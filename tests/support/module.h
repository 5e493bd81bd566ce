/*
 * Writes the binaries of test modules, in two layers. Bytes: numbers in LEB128, names, vectors with their
 * size before them, whole sections; enough for modules that are malformed. A builder of modules: sections
 * that are filled piece by piece in any order and come out in the right one. Instructions are bytes with the
 * names below; functions write those with immediates.
 *
 *     struct module_builder m = {0};
 *     uint32_t type = add_type(&m, "ii", "i");
 *     add_memory(&m, 1, NO_MAX);
 *     ADD_FUNC(&m, "sum", type, 0, LOCAL_GET, 0, LOCAL_GET, 1, I32_ADD, END);
 *     struct bytes b = finish(&m);
 *     ...
 *     drop_bytes(&b);
 *
 * It uses neither the library nor its headers, so any test can include it.
 */
#ifndef TESTS_SUPPORT_MODULE_H
#define TESTS_SUPPORT_MODULE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Bytes ---- */

struct bytes {
    uint8_t *data;
    size_t size, room;
};

static inline void put_bytes(struct bytes *b, const void *data, size_t size) {
    if (b->size + size > b->room) {
        b->room = (b->size + size) * 2;
        b->data = realloc(b->data, b->room);
        assert_non_null(b->data);
    }
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void drop_bytes(struct bytes *b) {
    free(b->data);
    *b = (struct bytes){0};
}

static inline void put(struct bytes *b, uint8_t byte) {
    put_bytes(b, &byte, 1);
}

/* Literal bytes: PUT(&b, 0x41, 0, 0x0B). */
#define PUT(b, ...)                                                                                \
    put_bytes(b, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Unsigned LEB128. */
static inline void put_u(struct bytes *b, uint64_t value) {
    do {
        put(b, (uint8_t)((value & 0x7F) | (value > 0x7F ? 0x80 : 0)));
        value >>= 7;
    } while (value);
}

/* Signed LEB128. */
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

/* A vector of bytes: its size and they. */
static inline void put_vector(struct bytes *b, const void *data, size_t size) {
    put_u(b, size);
    put_bytes(b, data, size);
}

static inline void put_name(struct bytes *b, const char *name) {
    put_vector(b, name, strlen(name));
}

/* Appends `part` with its size before it, and empties it. */
static inline void put_sized(struct bytes *b, struct bytes *part) {
    put_vector(b, part->data, part->size);
    drop_bytes(part);
}

static inline void put_preamble(struct bytes *b) {
    PUT(b, 0, 'a', 's', 'm', 1, 0, 0, 0);
}

/* Empties the content. */
static inline void put_section(struct bytes *b, uint8_t id, struct bytes *content) {
    put(b, id);
    put_sized(b, content);
}

/* A section of literal bytes: SECTION(&b, id, content...). */
#define SECTION(b, id, ...)                                                                        \
    do {                                                                                           \
        struct bytes section_content = {0};                                                        \
        PUT(&section_content, __VA_ARGS__);                                                        \
        put_section(b, id, &section_content);                                                      \
    } while (0)

/* ---- Types ---- */

enum type_code {
    I32 = 0x7F,
    I64 = 0x7E,
    F32 = 0x7D,
    F64 = 0x7C,
    V128 = 0x7B,
    FUNCREF = 0x70,
    EXTERNREF = 0x6F,
    EXNREF = 0x69
};

/* Codes of letters: i, I, f, F, v, p (funcref), x (externref), e (exnref). */
static inline size_t codes_of(const char *letters, uint8_t *codes) {
    size_t count = 0;
    for (; letters[count]; count++) {
        static const char known[] = "iIfFvpxe";
        static const uint8_t code[] = {I32, I64, F32, F64, V128, FUNCREF, EXTERNREF, EXNREF};
        const char *letter = strchr(known, letters[count]);
        assert_non_null(letter);
        codes[count] = code[letter - known];
    }
    return count;
}

/* Flags of limits, besides the one that says that there is a maximum. */
enum { LIMITS_SHARED = 2, LIMITS_64 = 4 };
#define NO_MAX UINT64_MAX
static inline void put_limits_as(struct bytes *b, uint8_t flags, uint64_t min, uint64_t max) {
    put(b, flags | (max != NO_MAX));
    put_u(b, min);
    if (max != NO_MAX)
        put_u(b, max);
}
static inline void put_limits(struct bytes *b, uint64_t min, uint64_t max) {
    put_limits_as(b, 0, min, max);
}

/* ---- Modules ---- */

/* Sections by id. */
enum built_section {
    CUSTOMS,
    TYPES,
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
    DATA_COUNT,
    TAGS,
    SECTIONS
};

/* Kinds of imports and exports. */
enum built_kind { AS_FUNC, AS_TABLE, AS_MEMORY, AS_GLOBAL, AS_TAG };

/* Each section counts its items. The last numbers are those of the index spaces, imports included: items
 * that are added to a section as bytes do not count there. */
struct module_builder {
    struct bytes sections[SECTIONS];
    uint32_t counts[SECTIONS];
    uint32_t types, funcs, imported_funcs, tables, memories, globals, tags;
};

/* Adds an item to a section: bytes to append to. */
static inline struct bytes *add_item(struct module_builder *m, enum built_section id) {
    m->counts[id]++;
    return &m->sections[id];
}

/* Each function that adds something with an index returns the index. */

/* Adds a type of functions, from codes of its parameters and results. */
static inline uint32_t add_type_n(struct module_builder *m, const uint8_t *params,
                                  size_t param_count, const uint8_t *results, size_t result_count) {
    struct bytes *b = add_item(m, TYPES);
    put(b, 0x60);
    put_vector(b, params, param_count);
    put_vector(b, results, result_count);
    return m->types++;
}
/* The same from letters: "" for none. */
static inline uint32_t add_type(struct module_builder *m, const char *params, const char *results) {
    uint8_t p[32], r[32];
    size_t params_count = codes_of(params, p), results_count = codes_of(results, r);
    return add_type_n(m, p, params_count, r, results_count);
}

/* Adds a group of `count` types, to be appended to *group; returns the index of the first. */
static inline uint32_t add_rec(struct module_builder *m, uint32_t count, struct bytes **group) {
    uint32_t first = m->types;
    *group = add_item(m, TYPES);
    put(*group, 0x4E);
    put_u(*group, count);
    m->types += count;
    return first;
}

/* Adds an import, whose type is to be appended. All imports of a kind come before its definitions. */
static inline struct bytes *import_item(struct module_builder *m, const char *from,
                                        const char *name, enum built_kind kind) {
    struct bytes *b = add_item(m, IMPORTS);
    put_name(b, from);
    put_name(b, name);
    put(b, (uint8_t)kind);
    return b;
}
static inline uint32_t import_func(struct module_builder *m, const char *from, const char *name,
                                   uint32_t type) {
    put_u(import_item(m, from, name, AS_FUNC), type);
    m->imported_funcs++;
    return m->funcs++;
}
static inline uint32_t import_table(struct module_builder *m, const char *from, const char *name,
                                    uint8_t type, uint64_t min, uint64_t max) {
    struct bytes *b = import_item(m, from, name, AS_TABLE);
    put(b, type);
    put_limits(b, min, max);
    return m->tables++;
}
static inline uint32_t import_memory(struct module_builder *m, const char *from, const char *name,
                                     uint64_t min, uint64_t max) {
    put_limits(import_item(m, from, name, AS_MEMORY), min, max);
    return m->memories++;
}
static inline uint32_t import_global(struct module_builder *m, const char *from, const char *name,
                                     uint8_t type, int is_mutable) {
    struct bytes *b = import_item(m, from, name, AS_GLOBAL);
    PUT(b, type, is_mutable != 0);
    return m->globals++;
}
static inline uint32_t import_tag(struct module_builder *m, const char *from, const char *name,
                                  uint32_t type) {
    struct bytes *b = import_item(m, from, name, AS_TAG);
    put(b, 0);
    put_u(b, type);
    return m->tags++;
}

static inline void export_item(struct module_builder *m, const char *name, enum built_kind kind,
                               uint32_t index) {
    struct bytes *b = add_item(m, EXPORTS);
    put_name(b, name);
    put(b, (uint8_t)kind);
    put_u(b, index);
}

/* A function; body: locals and code with the final end, emptied. name may be NULL: not exported. */
static inline uint32_t add_func(struct module_builder *m, const char *name, uint32_t type,
                                struct bytes *body) {
    put_u(add_item(m, FUNCS), type);
    put_sized(add_item(m, CODES), body);
    if (name)
        export_item(m, name, AS_FUNC, m->funcs);
    return m->funcs++;
}
/* The same with literal bytes: ADD_FUNC(&m, "f", type, 0, LOCAL_GET, 0, END). */
#define ADD_FUNC(m, name, type, ...)                                                               \
    add_func_bytes(m, name, type, (const uint8_t[]){__VA_ARGS__},                                  \
                   sizeof((const uint8_t[]){__VA_ARGS__}))
static inline uint32_t add_func_bytes(struct module_builder *m, const char *name, uint32_t type,
                                      const uint8_t *bytes, size_t size) {
    struct bytes body = {0};
    put_bytes(&body, bytes, size);
    return add_func(m, name, type, &body);
}

static inline uint32_t add_memory(struct module_builder *m, uint64_t min, uint64_t max) {
    put_limits(add_item(m, MEMORIES), min, max);
    return m->memories++;
}
/* flags: LIMITS_SHARED, LIMITS_64. */
static inline uint32_t add_memory_as(struct module_builder *m, uint8_t flags, uint64_t min,
                                     uint64_t max) {
    put_limits_as(add_item(m, MEMORIES), flags, min, max);
    return m->memories++;
}
static inline uint32_t add_table(struct module_builder *m, uint8_t type, uint64_t min,
                                 uint64_t max) {
    struct bytes *b = add_item(m, TABLES);
    put(b, type);
    put_limits(b, min, max);
    return m->tables++;
}
static inline uint32_t add_tag(struct module_builder *m, uint32_t type) {
    struct bytes *b = add_item(m, TAGS);
    put(b, 0);
    put_u(b, type);
    return m->tags++;
}

/* A global; init: its constant expression with the final end. */
#define ADD_GLOBAL(m, type, is_mutable, ...)                                                       \
    add_global_bytes(m, type, is_mutable, (const uint8_t[]){__VA_ARGS__},                          \
                     sizeof((const uint8_t[]){__VA_ARGS__}))
static inline uint32_t add_global_bytes(struct module_builder *m, uint8_t type, int is_mutable,
                                        const uint8_t *init, size_t size) {
    struct bytes *b = add_item(m, GLOBALS);
    PUT(b, type, is_mutable != 0);
    put_bytes(b, init, size);
    return m->globals++;
}

static inline void set_start(struct module_builder *m, uint32_t func) {
    put_u(add_item(m, START), func);
}

/* An active segment of table 0, of functions. */
static inline uint32_t add_elem(struct module_builder *m, int32_t offset, const uint32_t *funcs,
                                uint32_t count) {
    struct bytes *b = add_item(m, ELEMS);
    PUT(b, 0, 0x41);
    put_s(b, offset);
    put(b, 0x0B);
    put_u(b, count);
    for (uint32_t i = 0; i < count; i++)
        put_u(b, funcs[i]);
    return m->counts[ELEMS] - 1;
}

/* An active segment of memory 0. */
static inline uint32_t add_data(struct module_builder *m, int32_t offset, const void *data,
                                size_t size) {
    struct bytes *b = add_item(m, DATAS);
    PUT(b, 0, 0x41);
    put_s(b, offset);
    put(b, 0x0B);
    put_vector(b, data, size);
    return m->counts[DATAS] - 1;
}
static inline uint32_t add_passive_data(struct module_builder *m, const void *data, size_t size) {
    struct bytes *b = add_item(m, DATAS);
    put(b, 1);
    put_vector(b, data, size);
    return m->counts[DATAS] - 1;
}
/* The section before the code that memory.init and data.drop need. */
static inline void add_data_count(struct module_builder *m, uint32_t count) {
    put_u(add_item(m, DATA_COUNT), count);
}

/* A custom section at the end; its content is emptied. */
static inline void add_custom(struct module_builder *m, const char *name, struct bytes *content) {
    struct bytes whole = {0};
    put_name(&whole, name);
    put_bytes(&whole, content->data, content->size);
    drop_bytes(content);
    put_section(add_item(m, CUSTOMS), 0, &whole);
}

/* The binary; empties the module. */
static inline struct bytes finish(struct module_builder *m) {
    static const uint8_t order[] = {TYPES,   IMPORTS, FUNCS, TABLES,     MEMORIES, TAGS, GLOBALS,
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
    put_bytes(&b, m->sections[CUSTOMS].data, m->sections[CUSTOMS].size);
    drop_bytes(&m->sections[CUSTOMS]);
    *m = (struct module_builder){0};
    return b;
}

/* One function of the type () -> () with these instructions (the final end included). */
#define MODULE_OF_BODY(b, ...)                                                                     \
    do {                                                                                           \
        struct module_builder module_of_body = {0};                                                \
        ADD_FUNC(&module_of_body, NULL, add_type(&module_of_body, "", ""), 0, __VA_ARGS__);        \
        *(b) = finish(&module_of_body);                                                            \
    } while (0)

/* ---- Instructions ---- */

/* Enumerators, so that tests may have macros with arguments of the same name. */
enum {
    UNREACHABLE = 0x00,
    NOP = 0x01,
    BLOCK = 0x02,
    LOOP = 0x03,
    IF = 0x04,
    ELSE = 0x05,
    END = 0x0B,
    BR = 0x0C,
    BR_IF = 0x0D,
    BR_TABLE = 0x0E,
    RETURN = 0x0F,
    CALL = 0x10,
    CALL_INDIRECT = 0x11,
    RETURN_CALL = 0x12,
    RETURN_CALL_INDIRECT = 0x13,
    CALL_REF = 0x14,
    RETURN_CALL_REF = 0x15,
    DROP = 0x1A,
    SELECT = 0x1B,
    LOCAL_GET = 0x20,
    LOCAL_SET = 0x21,
    LOCAL_TEE = 0x22,
    GLOBAL_GET = 0x23,
    GLOBAL_SET = 0x24,
    I32_CONST = 0x41,
    I64_CONST = 0x42,
    I32_ADD = 0x6A,
    I32_SUB = 0x6B,
    I32_MUL = 0x6C,
    I64_ADD = 0x7C,
    REF_NULL = 0xD0,
    REF_IS_NULL = 0xD1,
    REF_FUNC = 0xD2,
    EMPTY = 0x40 /* the type of a block without parameters and results */
};

static inline void op_u(struct bytes *b, uint8_t opcode, uint64_t immediate) {
    put(b, opcode);
    put_u(b, immediate);
}
static inline void i32_const(struct bytes *b, int32_t value) {
    put(b, I32_CONST);
    put_s(b, value);
}
static inline void i64_const(struct bytes *b, int64_t value) {
    put(b, I64_CONST);
    put_s(b, value);
}
static inline void v128_const(struct bytes *b, uint64_t low, uint64_t high) {
    PUT(b, 0xFD, 12);
    put_bytes(b, &low, 8);
    put_bytes(b, &high, 8);
}
static inline void prefixed(struct bytes *b, uint8_t prefix, uint32_t opcode) {
    put(b, prefix);
    put_u(b, opcode);
}
static inline void simd(struct bytes *b, uint32_t opcode) {
    prefixed(b, 0xFD, opcode);
}

/* A load or store; align: the exponent. Of another memory than 0 with the flag that says so. */
static inline void op_access(struct bytes *b, uint8_t opcode, uint32_t align, uint32_t memory,
                             uint64_t offset) {
    put(b, opcode);
    put_u(b, align | (memory ? 0x40 : 0));
    if (memory)
        put_u(b, memory);
    put_u(b, offset);
}

#endif
