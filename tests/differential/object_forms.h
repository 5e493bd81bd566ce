/*
 * A module that uses objects in every form that the translator has instructions for: each object, index, value and
 * result in a slot, an accumulator or a constant; casts and branches on them; structures of few fields. `run` executes
 * all, and returns a number that depends on all that was read: OBJECT_FORMS_SUM.
 */
#ifndef TESTS_DIFFERENTIAL_OBJECT_FORMS_H
#define TESTS_DIFFERENTIAL_OBJECT_FORMS_H

#include "../support/module.h"

#define OBJECT_FORMS_SUM UINT64_C(0x31BAE57752C756EA)

enum place { IN_SLOT, IN_ACC, CONSTANT };

/* Types: a structure with a field of each kind, an array of each kind, and a structure that holds one of each. */
enum object_kind { OF_I8, OF_I16, OF_I32, OF_I64, OF_F32, OF_F64, OF_ANY, OF_FUNC, OBJECT_KINDS };
enum {
    TYPE_FIELDS,
    TYPE_ARRAYS,
    TYPE_HOLDER = TYPE_ARRAYS + OBJECT_KINDS,
    TYPE_BASE,
    TYPE_DERIVED
};
static const uint8_t object_kind_types[OBJECT_KINDS] = {0x78, 0x77, I32,  I64,
                                                        F32,  F64,  0x6E, FUNCREF};

/* Locals: the parameters, then a value of each kind, whose numbers are I8's above those of the kinds; then others. */
enum {
    HOLDER,
    INDEX,
    VALUES, /* i32 i32 i32 i64 f32 f64 anyref funcref */
    OBJECT_LOCAL = VALUES + OBJECT_KINDS,
    ARRAY_LOCAL,
    FLAG
};
enum { REF_NULL_TO = 0x63, REF_TO = 0x64, GC = 0xFB, OBJECTS_GLOBAL = 0 };

/* Begins a function that has an object, and an array of a kind, in locals. */
static inline void begin_objects(struct bytes *f, enum object_kind kind) {
    PUT(f, 9, 3, I32, 1, I64, 1, F32, 1, F64, 1, 0x6E, 1, FUNCREF, 1, REF_NULL_TO, TYPE_FIELDS, 1,
        REF_NULL_TO, (uint8_t)(TYPE_ARRAYS + kind), 1, I32);
    PUT(f, LOCAL_GET, HOLDER, GC, 2, TYPE_HOLDER, 0, LOCAL_SET, OBJECT_LOCAL);
    PUT(f, LOCAL_GET, HOLDER, GC, 2, TYPE_HOLDER, (uint8_t)(1 + kind), LOCAL_SET, ARRAY_LOCAL);
    PUT(f, 0x41, 0x81, 0x7F, LOCAL_SET, VALUES + OF_I8, 0x41, 0x81, 0x81, 0x7E, LOCAL_SET,
        VALUES + OF_I16, 0x41, 0x83, 5, LOCAL_SET, VALUES + OF_I32, 0x42, 0x85, 6, LOCAL_SET,
        VALUES + OF_I64); /* -127, -16255, 643, 773 */
    PUT(f, LOCAL_GET, INDEX, 0xB2, LOCAL_SET, VALUES + OF_F32, LOCAL_GET, INDEX, 0xB7, LOCAL_SET,
        VALUES + OF_F64);
    PUT(f, 0x41, 9, GC, 0x1C, LOCAL_SET, VALUES + OF_ANY, REF_FUNC, 0, LOCAL_SET, VALUES + OF_FUNC);
}

static inline void end_objects(struct module_builder *m, struct bytes *f, uint32_t type) {
    put(f, END);
    add_func(m, NULL, type, f);
}

/* An object or array: where `field` of the holder is, too. */
static inline void put_object(struct bytes *f, uint8_t local, uint8_t field, enum place place) {
    if (place == IN_SLOT)
        PUT(f, LOCAL_GET, local);
    else
        PUT(f, LOCAL_GET, HOLDER, GC, 2, TYPE_HOLDER, field);
}

static inline void put_index(struct bytes *f, enum place place) {
    if (place == CONSTANT)
        PUT(f, 0x41, 2);
    else
        PUT(f, LOCAL_GET, INDEX);
    if (place == IN_ACC)
        PUT(f, LOCAL_GET, INDEX, 0x6C); /* times itself */
}

/* Leaves the type, in an accumulator if the operand was taken from one or from a slot. */
static inline void put_same_type(struct bytes *f, enum object_kind kind) {
    static const uint8_t opcodes[] = {0x67, 0x67, 0x67, 0x79, 0x8C, 0x9A}; /* clz, neg */
    if (kind < OF_ANY)
        put(f, opcodes[kind]);
}

static inline void put_kind(struct bytes *f, enum object_kind kind, enum place place) {
    uint8_t type = object_kind_types[kind];
    if (place == IN_SLOT || (place == IN_ACC && kind < OF_ANY))
        PUT(f, LOCAL_GET, (uint8_t)(VALUES + kind));
    if (place == IN_ACC && kind < OF_ANY)
        put_same_type(f, kind);
    else if (place == IN_ACC && kind == OF_ANY)
        PUT(f, LOCAL_GET, INDEX, GC, 0x1C);
    else if (place == IN_ACC)
        PUT(f, LOCAL_GET, OBJECT_LOCAL, GC, 2, TYPE_FIELDS, OF_FUNC);
    if (place != CONSTANT)
        return;
    if (kind >= OF_ANY)
        PUT(f, 0xD0, type);
    else if (kind == OF_F32)
        PUT(f, 0x43, 0, 0, 0xC0, 0x3F);
    else if (kind == OF_F64)
        PUT(f, 0x44, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F);
    else
        PUT(f, kind == OF_I64 ? 0x42 : 0x41, 0x87, 3); /* 391 */
}

/* The topmost value becomes a part of the sum. */
static inline void add_to_sum(struct bytes *f, enum object_kind kind) {
    if (kind == OF_F32)
        put(f, 0xBC);
    else if (kind == OF_F64)
        put(f, 0xBD);
    else if (kind >= OF_ANY)
        put(f, 0xD1);
    if (kind != OF_I64 && kind != OF_F64)
        put(f, 0xAD);
    PUT(f, 0x23, OBJECTS_GLOBAL, 0x42, 31, 0x7E, 0x7C, GLOBAL_SET, OBJECTS_GLOBAL);
}

/* A value that an instruction gave goes to a slot, or to an accumulator. */
static inline void put_given(struct bytes *f, enum object_kind kind, enum place place) {
    if (place == IN_SLOT)
        PUT(f, LOCAL_SET, (uint8_t)(VALUES + kind), LOCAL_GET, (uint8_t)(VALUES + kind));
    put_same_type(f, kind);
    add_to_sum(f, kind);
}

static inline bool is_packed_kind(enum object_kind kind) {
    return kind <= OF_I16;
}

static inline void add_gets(struct module_builder *m, uint32_t type, enum object_kind kind,
                            bool is_signed) {
    uint8_t variant = is_packed_kind(kind) ? is_signed ? 1 : 2 : 0;
    for (unsigned form = 0; form < 4; form++) {
        struct bytes f = {0};
        begin_objects(&f, kind);
        put_object(&f, OBJECT_LOCAL, 0, form & 1 ? IN_ACC : IN_SLOT);
        PUT(&f, GC, 2 + variant, TYPE_FIELDS, (uint8_t)kind);
        put_given(&f, kind, form & 2 ? IN_ACC : IN_SLOT);
        end_objects(m, &f, type);
    }
    for (unsigned form = 0; form < 12; form++) {
        struct bytes f = {0};
        begin_objects(&f, kind);
        put_object(&f, ARRAY_LOCAL, (uint8_t)(1 + kind), form & 1 ? IN_ACC : IN_SLOT);
        put_index(&f, (enum place)(form / 4));
        PUT(&f, GC, 0x0B + variant, (uint8_t)(TYPE_ARRAYS + kind));
        put_given(&f, kind, form & 2 ? IN_ACC : IN_SLOT);
        end_objects(m, &f, type);
    }
}

/* A loop that uses what it reads most, or more than all but the counter, so that p or q holds it. */
static inline void add_pinned_gets(struct module_builder *m, uint32_t type, enum object_kind kind) {
    for (unsigned form = 0; form < 8; form++) {
        struct bytes f = {0};
        uint8_t local = (uint8_t)(VALUES + kind);
        begin_objects(&f, kind);
        PUT(&f, LOOP, EMPTY);
        put_object(&f, form & 4 ? ARRAY_LOCAL : OBJECT_LOCAL, 0,
                   form & 1 && !(form & 4) ? IN_ACC : IN_SLOT);
        if (form & 4) {
            put_index(&f, form & 1 ? IN_ACC : IN_SLOT);
            PUT(&f, GC, 0x0B + 2 * is_packed_kind(kind), (uint8_t)(TYPE_ARRAYS + kind));
        } else {
            PUT(&f, GC, 2 + 2 * is_packed_kind(kind), TYPE_FIELDS, (uint8_t)kind);
        }
        PUT(&f, LOCAL_SET, local, LOCAL_GET, local);
        add_to_sum(&f, kind);
        for (unsigned i = 0; i < (form & 2 ? 8u : 1u); i++)
            PUT(&f, LOCAL_GET, local, DROP);
        PUT(&f, LOCAL_GET, FLAG, 0x41, 1, I32_ADD, LOCAL_TEE, FLAG, DROP, LOCAL_GET, FLAG, DROP);
        PUT(&f, LOCAL_GET, FLAG, 0x41, 2, 0x49, BR_IF, 0, END);
        end_objects(m, &f, type);
    }
}

static inline void add_field_sets(struct module_builder *m, uint32_t type, enum object_kind kind) {
    for (unsigned form = 0; form < 6; form++) {
        struct bytes f = {0};
        begin_objects(&f, kind);
        put_object(&f, OBJECT_LOCAL, 0, form & 1 ? IN_ACC : IN_SLOT);
        put_kind(&f, kind, (enum place)(form / 2));
        PUT(&f, GC, 5, TYPE_FIELDS, (uint8_t)kind);
        put_object(&f, OBJECT_LOCAL, 0, IN_SLOT);
        PUT(&f, GC, 2 + is_packed_kind(kind), TYPE_FIELDS, (uint8_t)kind);
        add_to_sum(&f, kind);
        end_objects(m, &f, type);
    }
}

static inline void add_element_sets(struct module_builder *m, uint32_t type,
                                    enum object_kind kind) {
    for (unsigned form = 0; form < 18; form++) {
        struct bytes f = {0};
        begin_objects(&f, kind);
        put_object(&f, ARRAY_LOCAL, (uint8_t)(1 + kind), form & 1 ? IN_ACC : IN_SLOT);
        put_index(&f, (enum place)(form / 2 % 3));
        put_kind(&f, kind, (enum place)(form / 6));
        PUT(&f, GC, 0x0E, (uint8_t)(TYPE_ARRAYS + kind));
        for (uint8_t i = 0; i < 3; i++) {
            PUT(&f, LOCAL_GET, ARRAY_LOCAL, 0x41, i, GC, 0x0B + 2 * is_packed_kind(kind),
                (uint8_t)(TYPE_ARRAYS + kind));
            add_to_sum(&f, kind);
        }
        end_objects(m, &f, type);
    }
}

/* Operations on one reference. */
static inline void add_references(struct module_builder *m, uint32_t type) {
    for (unsigned form = 0; form < 4; form++) {
        enum place from = form & 1 ? IN_ACC : IN_SLOT, to = form & 2 ? IN_ACC : IN_SLOT;
        struct bytes f = {0};
        begin_objects(&f, OF_I8);
        put_object(&f, ARRAY_LOCAL, 1, from);
        PUT(&f, GC, 0x0F); /* array.len */
        put_given(&f, OF_I32, to);
        put_object(&f, OBJECT_LOCAL, 0, from);
        put(&f, 0xD4); /* ref.as_non_null */
        if (to == IN_SLOT)
            PUT(&f, LOCAL_SET, OBJECT_LOCAL, LOCAL_GET, OBJECT_LOCAL);
        PUT(&f, GC, 2, TYPE_FIELDS, OF_I32);
        add_to_sum(&f, OF_I32);
        for (uint8_t get = 0x1D; get <= 0x1E; get++) { /* ref.i31, i31.get_s, i31.get_u */
            put_kind(&f, OF_I32, from);
            PUT(&f, GC, 0x1C);
            if (to == IN_SLOT)
                PUT(&f, LOCAL_SET, VALUES + OF_ANY, LOCAL_GET, VALUES + OF_ANY, GC, 0x17, 0x6C);
            PUT(&f, GC, get);
            put_given(&f, OF_I32, to);
            PUT(&f, 0x41, 0x7B, GC, 0x1C, LOCAL_SET, VALUES + OF_ANY, LOCAL_GET, VALUES + OF_ANY,
                GC, 0x16, 0x6C, LOCAL_SET, VALUES + OF_ANY);
        }
        end_objects(m, &f, type);
    }
}

/* i31.get of an i31 that lies in a local, which has its type. */
static inline void add_i31_locals(struct module_builder *m, uint32_t type) {
    for (unsigned form = 0; form < 4; form++) {
        struct bytes f = {0};
        PUT(&f, 2, 1, REF_NULL_TO, 0x6C, 1, I32, 0x41, 0x7B, GC, 0x1C, LOCAL_SET, 2);
        PUT(&f, LOCAL_GET, 2, GC, form & 1 ? 0x1D : 0x1E);
        if (form & 2)
            PUT(&f, LOCAL_SET, 3, LOCAL_GET, 3);
        put(&f, 0x67);
        add_to_sum(&f, OF_I32);
        end_objects(m, &f, type);
    }
}

/* A reference to test: that of a derived object, or another. */
static inline void put_tested(struct bytes *f, enum place place) {
    if (place == IN_SLOT)
        PUT(f, LOCAL_GET, VALUES + OF_ANY);
    else
        PUT(f, LOCAL_GET, OBJECT_LOCAL, GC, 2, TYPE_FIELDS, OF_ANY);
}

/* Tests against a heap type (of one byte) of objects of the type itself, of a subtype, of others and null. */
static inline void add_tests(struct module_builder *m, uint32_t type, uint8_t target,
                             uint8_t null) {
    static const uint8_t made[][6] = {{GC, 1, TYPE_BASE},
                                      {GC, 1, TYPE_DERIVED},
                                      {GC, 1, TYPE_FIELDS},
                                      {0xD0, 0x71, 0x01},
                                      {0x41, 5, GC, 0x1C}};
    static const uint8_t lengths[] = {3, 3, 3, 2, 4};
    for (unsigned object = 0; object < 5; object++)
        for (unsigned form = 0; form < 2; form++) {
            enum place from = form ? IN_ACC : IN_SLOT;
            struct bytes f = {0};
            begin_objects(&f, OF_ANY);
            put_bytes(&f, made[object], lengths[object]);
            PUT(&f, LOCAL_SET, VALUES + OF_ANY, LOCAL_GET, OBJECT_LOCAL, LOCAL_GET, VALUES + OF_ANY,
                GC, 5, TYPE_FIELDS, OF_ANY);
            for (unsigned negated = 0; negated < 2; negated++) {
                for (unsigned to = 0; to < 2;
                     to++) { /* its result to an accumulator, or to a slot */
                    put_tested(&f, from);
                    PUT(&f, GC, 0x14 + null, target);
                    if (negated)
                        put(&f, 0x45);
                    if (to)
                        PUT(&f, LOCAL_SET, FLAG, LOCAL_GET, FLAG);
                    put(&f, 0x67);
                    add_to_sum(&f, OF_I32);
                }
                PUT(&f, BLOCK, I32, 0x41, 3); /* a branch by it */
                put_tested(&f, from);
                PUT(&f, GC, 0x14 + null, target);
                if (negated)
                    put(&f, 0x45);
                PUT(&f, BR_IF, 0, DROP, 0x41, 8, END);
                add_to_sum(&f, OF_I32);
                PUT(&f, BLOCK, EMPTY);
                put_tested(&f, from);
                PUT(&f, GC, 0x14 + null, target);
                if (negated)
                    put(&f, 0x45);
                PUT(&f, BR_IF, 0, 0x41, 4);
                add_to_sum(&f, OF_I32);
                put(&f, END);
            }
            for (uint8_t branch = 0x18; branch <= 0x19;
                 branch++) { /* br_on_cast, br_on_cast_fail */
                PUT(&f, BLOCK, 0x6E);
                put_tested(&f, from);
                PUT(&f, GC, branch, 1 | null << 1, 0, 0x6E, target, DROP, 0xD0, 0x6E, END);
                add_to_sum(&f, OF_ANY);
            }
            end_objects(m, &f, type);
        }
}

/* A cast that succeeds. */
static inline void add_casts(struct module_builder *m, uint32_t type) {
    for (unsigned form = 0; form < 4; form++) {
        struct bytes f = {0};
        begin_objects(&f, OF_ANY);
        PUT(&f, GC, 1, TYPE_DERIVED, LOCAL_SET, VALUES + OF_ANY, LOCAL_GET, OBJECT_LOCAL, LOCAL_GET,
            VALUES + OF_ANY, GC, 5, TYPE_FIELDS, OF_ANY);
        put_tested(&f, form & 1 ? IN_ACC : IN_SLOT);
        PUT(&f, GC, 0x16, TYPE_BASE);
        if (form & 2)
            PUT(&f, LOCAL_SET, VALUES + OF_ANY, LOCAL_GET, VALUES + OF_ANY, GC, 0x16, TYPE_DERIVED);
        PUT(&f, GC, 2, TYPE_BASE, 0);
        add_to_sum(&f, OF_I32);
        end_objects(m, &f, type);
    }
}

/* A structure of `count` fields, of 8 bytes where `eights` has a bit; made, made of zeroes, and read. */
static inline void add_new(struct module_builder *m, uint32_t type, unsigned count,
                           unsigned eights) {
    struct bytes f = {0};
    uint32_t made = m->types++;
    struct bytes *b = add_item(m, TYPES);
    PUT(b, 0x5F, (uint8_t)count);
    for (unsigned i = 0; i < count; i++)
        PUT(b, eights >> i & 1 ? i % 2 ? F64 : I64 : i % 3 == 2 ? 0x6E : i % 2 ? F32 : I32, 0);
    begin_objects(&f, OF_I8);
    for (unsigned zero = 0; zero < 2; zero++) {
        for (unsigned i = 0; i < count && !zero; i++)
            put_kind(&f,
                     eights >> i & 1 ? i % 2 ? OF_F64 : OF_I64
                     : i % 3 == 2    ? OF_ANY
                     : i % 2         ? OF_F32
                                     : OF_I32,
                     IN_SLOT);
        PUT(&f, GC, (uint8_t)zero);
        put_u(&f, made);
        PUT(&f, LOCAL_SET, VALUES + OF_ANY);
        for (unsigned i = 0; i < count; i++) {
            PUT(&f, LOCAL_GET, VALUES + OF_ANY, GC, 0x16);
            put_u(&f, made);
            PUT(&f, GC, 2);
            put_u(&f, made);
            put(&f, (uint8_t)i);
            add_to_sum(&f, eights >> i & 1 ? i % 2 ? OF_F64 : OF_I64
                           : i % 3 == 2    ? OF_ANY
                           : i % 2         ? OF_F32
                                           : OF_I32);
        }
    }
    end_objects(m, &f, type);
}

static inline void add_object_types(struct module_builder *m) {
    struct bytes *b = add_item(m, TYPES);
    PUT(b, 0x5F, OBJECT_KINDS);
    for (unsigned kind = 0; kind < OBJECT_KINDS; kind++)
        PUT(b, object_kind_types[kind], 1);
    for (unsigned kind = 0; kind < OBJECT_KINDS; kind++)
        PUT(add_item(m, TYPES), 0x5E, object_kind_types[kind], 1);
    PUT(add_item(m, TYPES), 0x5F, 1 + OBJECT_KINDS);
    for (unsigned kind = 0; kind < 1 + OBJECT_KINDS; kind++)
        PUT(b, REF_NULL_TO, (uint8_t)kind, 0);
    PUT(add_item(m, TYPES), 0x50, 0, 0x5F, 1, I32, 0);
    PUT(add_item(m, TYPES), 0x50, 1, TYPE_BASE, 0x5F, 2, I32, 0, I64, 0);
    m->types = TYPE_DERIVED + 1;
}

static inline struct bytes object_forms_module(void) {
    struct module_builder m = {0};
    struct bytes f = {0};
    static const uint8_t holder[] = {REF_NULL_TO, TYPE_HOLDER, I32};
    add_object_types(&m);
    uint32_t type = m.types++, count;
    PUT(add_item(&m, TYPES), 0x60, 2);
    put_bytes(&m.sections[TYPES], holder, sizeof holder);
    put(&m.sections[TYPES], 0);
    PUT(add_item(&m, GLOBALS), I64, 1, 0x42, 1, END);
    PUT(add_item(&m, ELEMS), 3, 0, 1, 0); /* declares function 0 */
    for (unsigned kind = 0; kind < OBJECT_KINDS; kind++) {
        add_gets(&m, type, (enum object_kind)kind, false);
        if (is_packed_kind((enum object_kind)kind))
            add_gets(&m, type, (enum object_kind)kind, true);
        if (kind <= OF_I64)
            add_pinned_gets(&m, type, (enum object_kind)kind);
        add_field_sets(&m, type, (enum object_kind)kind);
        add_element_sets(&m, type, (enum object_kind)kind);
    }
    add_references(&m, type);
    add_i31_locals(&m, type);
    for (unsigned null = 0; null < 2; null++) {
        static const uint8_t targets[] = {TYPE_BASE, TYPE_DERIVED, TYPE_FIELDS, 0x6E, 0x6D,
                                          0x6C,      0x6B,         0x6A,        0x71};
        for (size_t i = 0; i < sizeof targets; i++)
            add_tests(&m, type, targets[i], (uint8_t)null);
    }
    add_casts(&m, type);
    for (unsigned fields = 0; fields <= 9; fields++)
        for (unsigned eights = 0; eights < 1u << fields; eights += fields > 3 ? 37 : 1)
            add_new(&m, type, fields, eights);
    count = m.funcs;
    PUT(&f, 1, 1, REF_NULL_TO, TYPE_HOLDER);
    for (uint32_t i = 0; i < count; i++) { /* each with objects of its own */
        PUT(&f, GC, 1, TYPE_FIELDS);
        for (uint8_t kind = 0; kind < OBJECT_KINDS; kind++)
            PUT(&f, 0x41, 4, GC, 7, TYPE_ARRAYS + kind);
        PUT(&f, GC, 0, TYPE_HOLDER, 0x41, 1, CALL);
        put_u(&f, i);
    }
    PUT(&f, 0x23, OBJECTS_GLOBAL, END);
    add_func(&m, "run", add_type(&m, "", "I"), &f);
    return finish(&m);
}

#endif
