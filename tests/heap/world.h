/*
 * A heap with an owner for tests: types of every kind, roots, a budget, an allocator that can fail.
 */
#ifndef TESTS_HEAP_WORLD_H
#define TESTS_HEAP_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heap/heap.h"

/* Types of the world, by name; their numbers are in `type`. */
enum world_type {
    T_PAIR,  /* struct: i32, any, any */
    T_MIXED, /* struct: i8, any, i64, extern, i16, any, func, v128, any, exn */
    T_SUB,   /* struct, a subtype of mixed: its fields, then any, f64, any */
    T_WIDE,  /* struct: WIDE_FIELDS of any */
    T_EMPTY, /* struct without fields */
    T_I8,    /* arrays of numbers */
    T_I16,
    T_I32,
    T_I64,
    T_F32,
    T_F64,
    T_V128,
    T_ANYS, /* arrays of references */
    T_EXTERNS,
    T_FUNCS,
    T_COUNT
};
#define FIRST_ARRAY T_I8
#define WIDE_FIELDS 3000u
#define WORLD_ROOTS 24u

struct world {
    struct alloc alloc;
    int64_t allocations_left; /* that the allocator gives */
    struct type_registry registry;
    const struct deftype *defs[T_COUNT];
    struct heap *heap;
    uint32_t type[T_COUNT];      /* numbers */
    uint64_t slots[WORLD_ROOTS]; /* conservative roots */
    uint32_t exact[WORLD_ROOTS]; /* handles */
    uint32_t side[WORLD_ROOTS];  /* numbers of the side table */
    uint64_t budget, taken;
    uint64_t dropped;                       /* entries of the side table */
    void (*drop)(void *env, uint64_t slot); /* told of each, or NULL */
    void *drop_env;
    struct heap_check check; /* entries are of the type that false_slot() says */
};

/* No config: the defaults. */
void world_open(struct world *, const struct heap_config *);
/* Only the types, with which world_try_heap() makes a heap; false when it could not. */
void world_open_types(struct world *);
bool world_try_heap(struct world *, const struct heap_config *);
void world_close(struct world *);
void world_verify(struct world *);
/* How many objects have start bits. */
uint64_t world_objects(const struct world *);
/* A slot that stands for the i-th object of the host: an address, of an object of the kind. */
uint64_t host_slot(uint32_t i, enum slot_kind kind);

static inline uint32_t world_random(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

#endif
