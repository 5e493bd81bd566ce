#include "world.h"

#include "types/subtype.h"

/* ---- The owner ---- */

static void name_roots(void *env, struct heap *h) {
    struct world *w = env;
    cn_heap_mark_slots(h, w->slots, w->slots + WORLD_ROOTS);
    for (uint32_t i = 0; i < WORLD_ROOTS; i++) {
        cn_heap_mark(h, w->exact[i]);
        cn_heap_mark_side(h, w->side[i]);
    }
}

static bool take(void *env, uint64_t bytes) {
    struct world *w = env;
    if (bytes > w->budget - w->taken)
        return false;
    w->taken += bytes;
    return true;
}

static void give(void *env, uint64_t bytes) {
    struct world *w = env;
    assert_true(w->taken >= bytes);
    w->taken -= bytes;
}

static void drop(void *env, uint64_t slot) {
    struct world *w = env;
    w->dropped++;
    if (w->drop)
        w->drop(w->drop_env, slot);
}

#define HOST_BASE (UINT64_C(0x5555) << 32)

uint64_t host_slot(uint32_t i, enum slot_kind kind) {
    uint64_t class = kind == KIND_FUNC ? 0 : kind == KIND_EXTERN ? 1 : 2;
    return HOST_BASE + ((uint64_t)i * 3 + class) * 16;
}

static bool fits(void *env, uint64_t slot, valtype type) {
    (void)env;
    static const enum slot_kind kinds[] = {KIND_FUNC, KIND_EXTERN, KIND_EXN};
    return slot >= HOST_BASE && kinds[(slot - HOST_BASE) / 16 % 3] == vt_kind(type);
}

/* ---- Types ---- */

#define M(type) ((type) | FIELD_MUTABLE)

static const uint32_t pair[] = {M(VT_I32), M(VT_ANYREF), M(VT_ANYREF)};
#define MIXED                                                                                      \
    M(VT_I8), M(VT_ANYREF), M(VT_I64), M(VT_EXTERNREF), M(VT_I16), M(VT_ANYREF), M(VT_FUNCREF),    \
        M(VT_V128), M(VT_ANYREF), M(VT_EXNREF)
static const uint32_t mixed[] = {MIXED};
static const uint32_t sub[] = {MIXED, M(VT_ANYREF), M(VT_F64), M(VT_ANYREF)};
static const uint32_t elements[] = {M(VT_I8),        M(VT_I16),    M(VT_I32),  M(VT_I64),
                                    M(VT_F32),       M(VT_F64),    M(VT_V128), M(VT_ANYREF),
                                    M(VT_EXTERNREF), M(VT_FUNCREF)};
static uint32_t wide[WIDE_FIELDS];

static const struct deftype *intern(struct world *w, uint8_t kind, const uint32_t *parts,
                                    uint32_t count, const struct deftype *super) {
    const struct deftype *type;
    struct type_decl decl = {.kind = kind,
                             .depth = super ? (uint8_t)(super->depth + 1) : 0,
                             .supertype = super ? super->id : NO_SUPERTYPE,
                             .count = count,
                             .parts = parts};
    assert_true(cn_types_intern(&w->registry, &decl, 1, &type));
    return type;
}

static void make_types(struct world *w) {
    for (uint32_t i = 0; i < WIDE_FIELDS; i++)
        wide[i] = M(VT_ANYREF);
    w->defs[T_PAIR] = intern(w, TYPE_STRUCT, pair, 3, NULL);
    w->defs[T_MIXED] = intern(w, TYPE_STRUCT, mixed, 10, NULL);
    w->defs[T_SUB] = intern(w, TYPE_STRUCT, sub, 13, w->defs[T_MIXED]);
    w->defs[T_WIDE] = intern(w, TYPE_STRUCT, wide, WIDE_FIELDS, NULL);
    w->defs[T_EMPTY] = intern(w, TYPE_STRUCT, NULL, 0, NULL);
    for (uint32_t i = FIRST_ARRAY; i < T_COUNT; i++)
        w->defs[i] = intern(w, TYPE_ARRAY, &elements[i - FIRST_ARRAY], 1, NULL);
}

/* ---- Life ---- */

static void *counting_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    (void)old_size;
    struct world *w = env;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    return w->allocations_left-- > 0 ? realloc(pointer, new_size) : NULL;
}

void world_open_types(struct world *w) {
    *w = (struct world){.budget = UINT64_MAX, .allocations_left = INT64_MAX};
    w->alloc = (struct alloc){.realloc = counting_realloc, .env = w, .limit = UINT64_MAX};
    assert_true(cn_types_init(&w->registry, &w->alloc));
    make_types(w);
    w->check = (struct heap_check){.registry = &w->registry, .fits = fits};
}

bool world_try_heap(struct world *w, const struct heap_config *config) {
    struct heap_owner owner = {w, name_roots, take, give, drop};
    struct error error;
    w->heap = cn_heap_new(&w->alloc, &owner, config, &error);
    for (uint32_t i = 0; w->heap && i < T_COUNT; i++) {
        w->type[i] = cn_heap_add_type(w->heap, dt_fields(w->defs[i]), &error);
        if (w->type[i] == 0)
            return false;
    }
    return w->heap != NULL;
}

void world_open(struct world *w, const struct heap_config *config) {
    static const struct heap_config defaults;
    world_open_types(w);
    assert_true(world_try_heap(w, config ? config : &defaults));
}

void world_close(struct world *w) {
    cn_heap_delete(w->heap);
    assert_int_equal(w->taken, 0);
    for (uint32_t i = 0; i < T_COUNT; i++)
        cn_types_release(&w->registry, w->defs[i]);
    cn_types_destroy(&w->registry);
    assert_int_equal(atomic_load(&w->alloc.now), 0);
}

void world_verify(struct world *w) {
    struct error error;
    if (!cn_heap_verify(w->heap, &w->check, &error))
        fail_msg("%s", error.message);
}

uint64_t world_objects(const struct world *w) {
    uint64_t count = 0, words = heap_start_words((uint64_t)w->heap->now.blocks * HEAP_BLOCK);
    for (uint64_t i = 0; i < words; i++)
        count += (uint64_t)__builtin_popcountll(w->heap->starts[i]);
    return count;
}
