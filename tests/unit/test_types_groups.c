/*
 * Recursion groups, canonical types and subtyping, compared with a simple model on generated groups. The model
 * has types as a module declares them and decides everything by unrolling: two types are equal when
 * their groups are equal, member by member, where references within the groups have equal positions and
 * others name equal types.
 */
#include "../support/module.h"

#include <pthread.h>

#include "types/subtype.h"

/* ---- Declarations of a module ---- */

#define MOST_PARTS 3u
#define MOST_TYPES 64u
#define NONE UINT32_MAX

/* A part: an abstract type or number, or a reference to a type of the module. */
struct part {
    valtype code;   /* 0: a reference to `type` */
    uint32_t type;  /* index in the module */
    uint32_t flags; /* VT_NON_NULL, FIELD_MUTABLE */
};

struct declared {
    uint8_t kind;
    bool final;
    uint32_t super;      /* index in the module, or NONE */
    uint32_t start, end; /* its group */
    uint32_t param_count, count;
    struct part parts[MOST_PARTS];
};

struct world {
    struct alloc alloc;
    struct type_registry registry;
    uint64_t random;
    uint32_t count;
    struct declared types[MOST_TYPES];
    const struct deftype *canonical[MOST_TYPES];
};

static uint32_t below(struct world *w, uint32_t limit) {
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(w->random >> 33) % limit;
}

static const valtype some_types[] = {
    VT_I32,       VT_V128,     VT_FUNCREF, VT_EXTERNREF, VT_ANYREF,    VT_EQREF,    VT_I31REF,
    VT_STRUCTREF, VT_ARRAYREF, VT_EXNREF,  VT_NONEREF,   VT_NOFUNCREF, VT_NOEXNREF, VT_NOEXTERNREF};
#define SOME_TYPES (sizeof some_types / sizeof *some_types)

static struct part make_part(struct world *w, const struct declared *type) {
    struct part part = {.type = NONE};
    if (below(w, 3) == 0)
        part.type = below(w, type->end);
    else if (type->kind != TYPE_FUNC && below(w, 4) == 0)
        part.code = below(w, 2) ? VT_I8 : VT_I16;
    else
        part.code = below(w, 2) ? VT_I32 : some_types[below(w, SOME_TYPES)];
    bool reference = part.type != NONE || vt_is_ref(part.code);
    if (reference && below(w, 3) == 0)
        part.flags |= VT_NON_NULL;
    if (type->kind != TYPE_FUNC && below(w, 2) == 0)
        part.flags |= FIELD_MUTABLE;
    return part;
}

static void make_type(struct world *w, uint32_t index, uint32_t start, uint32_t end) {
    struct declared *type = &w->types[index];
    *type = (struct declared){.start = start, .end = end, .super = NONE};
    type->kind = (uint8_t)below(w, 3);
    type->final = below(w, 4) == 0;
    type->count = type->kind == TYPE_ARRAY ? 1 : below(w, MOST_PARTS);
    if (index > 0 && below(w, 2)) { /* often one that could really be a supertype */
        type->super = below(w, index);
        if (below(w, 2)) {
            const struct declared *super = &w->types[type->super];
            *type = *super;
            type->start = start;
            type->end = end;
            type->super = (uint32_t)(super - w->types);
        }
    }
    for (uint32_t i = 0; i < type->count; i++)
        if (type->super == NONE || below(w, 3) == 0)
            type->parts[i] = make_part(w, type);
    type->param_count = type->kind == TYPE_FUNC ? below(w, type->count + 1) : 0;
    if (type->super != NONE && type->kind == TYPE_FUNC && below(w, 2) &&
        w->types[type->super].param_count <= type->count)
        type->param_count = w->types[type->super].param_count;
}

/* A group like one that was declared before, with references to itself where that has them. */
static void copy_group(struct world *w, uint32_t from, uint32_t to) {
    uint32_t start = w->types[from].start, count = w->types[from].end - start;
    for (uint32_t i = 0; i < count; i++) {
        struct declared *type = &w->types[to + i];
        *type = w->types[start + i];
        type->start = to;
        type->end = to + count;
        if (type->super != NONE && type->super >= start)
            type->super += to - start;
        for (uint32_t p = 0; p < type->count; p++)
            if (!type->parts[p].code && type->parts[p].type >= start && below(w, 40) > 0)
                type->parts[p].type += to - start;
    }
    if (below(w, 4) == 0)
        w->types[to + count - 1].final ^= true;
}

static void declare(struct world *w) {
    uint32_t at = 0;
    while (at < MOST_TYPES) {
        uint32_t size = 1 + below(w, 4), from = at ? below(w, at) : 0;
        if (at && below(w, 2)) {
            size = w->types[from].end - w->types[from].start;
            if (size > MOST_TYPES - at)
                break;
            copy_group(w, from, at);
        } else {
            if (size > MOST_TYPES - at)
                break;
            for (uint32_t i = 0; i < size; i++)
                make_type(w, at + i, at, at + size);
        }
        at += size;
    }
    w->count = at;
}

/* ---- The model ---- */

static bool same_type(const struct world *w, uint32_t a, uint32_t b);

static bool same_reference(const struct world *w, const struct declared *of_a,
                           const struct declared *of_b, uint32_t a, uint32_t b) {
    if (a == NONE || b == NONE)
        return a == b;
    bool a_inside = a >= of_a->start, b_inside = b >= of_b->start;
    if (a_inside || b_inside)
        return a_inside && b_inside && a - of_a->start == b - of_b->start;
    return same_type(w, a, b);
}

static bool same_declaration(const struct world *w, const struct declared *a,
                             const struct declared *b) {
    if (a->kind != b->kind || a->final != b->final || a->count != b->count ||
        a->param_count != b->param_count || !same_reference(w, a, b, a->super, b->super))
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->parts[i].code != b->parts[i].code || a->parts[i].flags != b->parts[i].flags ||
            !same_reference(w, a, b, a->parts[i].type, b->parts[i].type))
            return false;
    return true;
}

static bool same_type(const struct world *w, uint32_t a, uint32_t b) {
    const struct declared *x = &w->types[a], *y = &w->types[b];
    if (x->end - x->start != y->end - y->start || a - x->start != b - y->start)
        return false;
    for (uint32_t i = 0; i < x->end - x->start; i++)
        if (!same_declaration(w, &w->types[x->start + i], &w->types[y->start + i]))
            return false;
    return true;
}

static bool is_sub(const struct world *w, uint32_t sub, uint32_t super) {
    for (; sub != NONE; sub = w->types[sub].super)
        if (same_type(w, sub, super))
            return true;
    return false;
}

static bool heap_is_sub(const struct world *w, struct part sub, struct part super);

/* Rules of section 3.3.3, one step up and then on by transitivity. */
static bool is_below(const struct world *w, struct part sub, struct part super) {
    static const valtype edges[][2] = {{VT_EQREF, VT_ANYREF},      {VT_I31REF, VT_EQREF},
                                       {VT_STRUCTREF, VT_EQREF},   {VT_ARRAYREF, VT_EQREF},
                                       {VT_NONEREF, VT_I31REF},    {VT_NONEREF, VT_STRUCTREF},
                                       {VT_NONEREF, VT_ARRAYREF},  {VT_NOEXNREF, VT_EXNREF},
                                       {VT_NOFUNCREF, VT_FUNCREF}, {VT_NOEXTERNREF, VT_EXTERNREF}};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        if (sub.code == edges[i][0] && heap_is_sub(w, (struct part){edges[i][1], NONE, 0}, super))
            return true;
    return false;
}

static bool heap_is_sub(const struct world *w, struct part sub, struct part super) {
    static const valtype of_kind[] = {VT_FUNCREF, VT_STRUCTREF, VT_ARRAYREF};
    if (sub.code && sub.code == super.code)
        return true;
    if (!sub.code && !super.code)
        return is_sub(w, sub.type, super.type);
    if (!super.code) {
        bool func = w->types[super.type].kind == TYPE_FUNC;
        return sub.code == (func ? VT_NOFUNCREF : VT_NONEREF);
    }
    if (!sub.code)
        return heap_is_sub(w, (struct part){of_kind[w->types[sub.type].kind], NONE, 0}, super);
    return is_below(w, sub, super);
}

static bool is_reference(struct part part) {
    return !part.code || (part.code >= VT_EXNREF && part.code <= VT_NOEXNREF);
}

static bool part_is_sub(const struct world *w, struct part sub, struct part super) {
    if (!is_reference(sub) || !is_reference(super))
        return sub.code == super.code;
    bool null_fits = !(super.flags & VT_NON_NULL) || (sub.flags & VT_NON_NULL);
    return null_fits && heap_is_sub(w, sub, super);
}

static bool same_part(const struct world *w, struct part a, struct part b) {
    return part_is_sub(w, a, b) && part_is_sub(w, b, a);
}

static bool may_extend(const struct world *w, const struct declared *type,
                       const struct declared *super) {
    if (super->final || type->kind != super->kind)
        return false;
    if (type->kind == TYPE_FUNC) {
        if (type->count != super->count || type->param_count != super->param_count)
            return false;
    } else if (type->count < super->count) {
        return false;
    }
    for (uint32_t i = 0; i < super->count; i++) {
        struct part a = type->parts[i], b = super->parts[i];
        bool mutable_a = a.flags & FIELD_MUTABLE, mutable_b = b.flags & FIELD_MUTABLE;
        if (mutable_a != mutable_b || (mutable_a && !same_part(w, a, b)))
            return false;
        if (i < super->param_count ? !part_is_sub(w, b, a) : !part_is_sub(w, a, b))
            return false;
    }
    return true;
}

/* ---- Into the registry ---- */

static uint8_t depth_of(const struct world *w, uint32_t index) {
    uint8_t depth = 0;
    for (uint32_t super = w->types[index].super; super != NONE; super = w->types[super].super)
        depth++;
    return depth;
}

static uint32_t encode(const struct world *w, const struct declared *type, struct part part) {
    if (part.code)
        return part.code | part.flags;
    if (part.type >= type->start)
        return VT_DEFINED | VT_MEMBER | (part.type - type->start) | part.flags;
    return vt_of(w->canonical[part.type], true) | part.flags;
}

static bool intern_group(struct world *w, uint32_t start, const struct deftype **types) {
    uint32_t end = w->types[start].end, parts[MOST_TYPES][MOST_PARTS];
    struct type_decl decls[MOST_TYPES];
    for (uint32_t i = start; i < end; i++) {
        const struct declared *type = &w->types[i];
        for (uint32_t p = 0; p < type->count; p++)
            parts[i - start][p] = encode(w, type, type->parts[p]);
        decls[i - start] = (struct type_decl){.kind = type->kind,
                                              .depth = depth_of(w, i),
                                              .final = type->final,
                                              .supertype = type->super == NONE ? NO_SUPERTYPE
                                                           : type->super >= start
                                                               ? VT_MEMBER | (type->super - start)
                                                               : w->canonical[type->super]->id,
                                              .param_count = type->param_count,
                                              .count = type->count,
                                              .parts = parts[i - start]};
    }
    return cn_types_intern(&w->registry, decls, end - start, types);
}

static void world_begin(struct world *w, uint64_t seed) {
    *w = (struct world){.random = seed};
    cn_alloc_init_default(&w->alloc);
    assert_true(cn_types_init(&w->registry, &w->alloc));
    declare(w);
    for (uint32_t i = 0; i < w->count; i = w->types[i].end)
        assert_true(intern_group(w, i, &w->canonical[i]));
}

static void world_end(struct world *w) {
    for (uint32_t i = 0; i < w->count; i++)
        if (w->canonical[i])
            cn_types_release(&w->registry, w->canonical[i]);
    assert_int_equal(w->registry.group_count, 0);
    cn_types_destroy(&w->registry);
    assert_int_equal(atomic_load(&w->alloc.now), 0);
}

/* ---- Tests ---- */

#define WORLDS 300u

/* That a canonical type says what was declared. */
static void check_contents(const struct world *w, uint32_t index) {
    const struct declared *type = &w->types[index];
    const struct deftype *canonical = w->canonical[index];
    assert_int_equal(canonical->kind, type->kind);
    assert_int_equal(canonical->final, type->final);
    assert_int_equal(canonical->count, type->count);
    assert_int_equal(canonical->depth, depth_of(w, index));
    assert_int_equal(canonical->display[canonical->depth], canonical->id);
    if (type->super != NONE)
        assert_int_equal(canonical->display[canonical->depth - 1], w->canonical[type->super]->id);
    assert_ptr_equal(cn_types_get(&w->registry, canonical->id), canonical);
    if (type->kind == TYPE_FUNC)
        assert_int_equal(dt_func(canonical)->param_count, type->param_count);
    for (uint32_t i = 0; i < type->count; i++) {
        struct part part = type->parts[i];
        valtype expected = part.code ? part.code : vt_of(w->canonical[part.type], true);
        assert_int_equal(dt_parts(canonical)[i], expected | part.flags);
    }
}

static void equality_is_that_of_the_model(void **state) {
    (void)state;
    size_t same = 0, other = 0;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct world w;
        world_begin(&w, seed);
        for (uint32_t a = 0; a < w.count; a++) {
            check_contents(&w, a);
            for (uint32_t b = 0; b < w.count; b++) {
                bool equal = same_type(&w, a, b);
                assert_int_equal(w.canonical[a] == w.canonical[b], equal);
                assert_int_equal(w.canonical[a]->id == w.canonical[b]->id, equal);
                same += equal && a != b;
                other += !equal;
            }
        }
        world_end(&w);
    }
    assert_true(same > 1000 && other > 1000);
}

static void subtyping_is_that_of_the_model(void **state) {
    (void)state;
    size_t yes = 0, extends = 0;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct world w;
        world_begin(&w, seed);
        for (uint32_t a = 0; a < w.count; a++)
            for (uint32_t b = 0; b < w.count; b++) {
                bool sub = is_sub(&w, a, b), extend = may_extend(&w, &w.types[a], &w.types[b]);
                assert_int_equal(dt_is_sub(w.canonical[a], w.canonical[b]), sub);
                assert_int_equal(cn_deftype_may_extend(&w.registry, w.canonical[a], w.canonical[b]),
                                 extend);
                yes += sub && !same_type(&w, a, b);
                extends += extend && a != b;
            }
        world_end(&w);
    }
    assert_true(yes > 1000 && extends > 1000);
}

/* Each number, abstract reference and defined type against each, nullable and not. */
static void references_match_as_in_the_model(void **state) {
    (void)state;
    enum { MOST = (MOST_TYPES + SOME_TYPES) * 2 };
    for (uint64_t seed = 0; seed < WORLDS / 10; seed++) {
        struct world w;
        struct part all[MOST];
        uint32_t count = 0;
        world_begin(&w, seed);
        for (uint32_t flags = 0; flags <= VT_NON_NULL; flags += VT_NON_NULL) {
            for (uint32_t i = 0; i < SOME_TYPES; i++)
                if (flags == 0 || vt_is_ref(some_types[i]))
                    all[count++] = (struct part){some_types[i], NONE, flags};
            for (uint32_t i = 0; i < w.count; i++)
                all[count++] = (struct part){0, i, flags};
        }
        const struct declared nothing = {.start = NONE};
        for (uint32_t i = 0; i < count; i++) {
            valtype a = encode(&w, &nothing, all[i]);
            assert_true(cn_valtype_matches(&w.registry, VT_BOTTOM, a));
            for (uint32_t k = 0; k < count; k++) {
                valtype b = encode(&w, &nothing, all[k]);
                assert_int_equal(cn_valtype_matches(&w.registry, a, b),
                                 part_is_sub(&w, all[i], all[k]));
            }
        }
        world_end(&w);
    }
}

/* Types that nothing refers to are gone, and their ids serve others; those that are mentioned stay. */
static void types_go_when_nothing_refers_to_them(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        struct world w;
        world_begin(&w, seed);
        uint32_t highest = w.registry.next_id;
        for (uint32_t round = 0; round < 200; round++) {
            /* A group goes and comes again, while later ones mention it, or not. */
            uint32_t start = w.types[below(&w, w.count)].start, end = w.types[start].end;
            const struct deftype *was[MOST_TYPES];
            assert_true(intern_group(&w, start, was));
            for (uint32_t i = start; i < end; i++) {
                assert_ptr_equal(was[i - start], w.canonical[i]);
                cn_types_release(&w.registry, w.canonical[i]);
                cn_types_release(&w.registry, was[i - start]);
            }
            assert_true(intern_group(&w, start, &w.canonical[start]));
        }
        for (uint32_t a = 0; a < w.count; a++) {
            check_contents(&w, a);
            for (uint32_t b = 0; b < a; b++)
                assert_int_equal(w.canonical[a] == w.canonical[b], same_type(&w, a, b));
        }
        assert_int_equal(w.registry.next_id, highest);
        world_end(&w);
    }
}

/* ---- Memory ---- */

struct failing {
    size_t left;
};

static void *fail_some(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct failing *failing = env;
    (void)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    return failing->left-- == 0 ? NULL : realloc(pointer, new_size);
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    for (size_t allowed = 0;; allowed++) {
        struct world w = {.random = 5};
        struct failing failing = {.left = SIZE_MAX};
        cn_alloc_init_default(&w.alloc);
        w.alloc.realloc = fail_some;
        w.alloc.env = &failing;
        assert_true(cn_types_init(&w.registry, &w.alloc));
        declare(&w);
        failing.left = allowed;
        bool done = true;
        for (uint32_t i = 0; i < w.count && done; i = w.types[i].end) {
            done = intern_group(&w, i, &w.canonical[i]);
            for (uint32_t k = i; !done && k < w.types[i].end; k++)
                w.canonical[k] = NULL;
        }
        world_end(&w);
        if (done)
            break;
        assert_true(allowed < 1000);
    }
}

/* As many buckets and ids as a large group needs come one allocation after another. */
static void a_large_group_may_fail(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    static struct type_decl decls[COUNT];
    static const struct deftype *types[COUNT];
    for (uint32_t i = 0; i < COUNT; i++)
        decls[i] = (struct type_decl){.kind = TYPE_STRUCT, .supertype = NO_SUPERTYPE};
    for (size_t allowed = 0, done = 0; !done; allowed++) {
        struct alloc alloc;
        struct type_registry registry;
        struct failing failing = {.left = SIZE_MAX};
        cn_alloc_init_default(&alloc);
        alloc.realloc = fail_some;
        alloc.env = &failing;
        assert_true(cn_types_init(&registry, &alloc));
        failing.left = allowed;
        done = cn_types_intern(&registry, decls, COUNT, types);
        assert_int_equal(registry.group_count, done);
        for (uint32_t i = 0; done && i < COUNT; i++)
            cn_types_release(&registry, types[i]);
        cn_types_destroy(&registry);
        assert_int_equal(atomic_load(&alloc.now), 0);
    }
}

/* ---- Size ---- */

/* Compared pair by pair, these would take hours. */
static void large_groups_take_linear_time(void **state) {
    (void)state;
    enum { COUNT = 200000, PARTS = 4 };
    struct alloc alloc;
    struct type_registry registry;
    cn_alloc_init_default(&alloc);
    assert_true(cn_types_init(&registry, &alloc));
    struct type_decl *decls = calloc(COUNT, sizeof *decls);
    uint32_t *parts = calloc(COUNT * PARTS, sizeof *parts);
    const struct deftype **first = calloc(COUNT, sizeof *first);
    const struct deftype **second = calloc(COUNT, sizeof *second);
    assert_true(decls && parts && first && second);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t *of_type = parts + (size_t)i * PARTS;
        of_type[0] = VT_DEFINED | VT_MEMBER | (i * 7919u % COUNT);
        of_type[1] = VT_DEFINED | VT_MEMBER | VT_NON_NULL | ((i + 1) % COUNT);
        of_type[2] = VT_I32 | FIELD_MUTABLE;
        of_type[3] = VT_ANYREF;
        decls[i] = (struct type_decl){.kind = TYPE_STRUCT,
                                      .depth = (uint8_t)(i % (LIMIT_SUPERTYPES + 1)),
                                      .supertype = i % (LIMIT_SUPERTYPES + 1) ? VT_MEMBER | (i - 1)
                                                                              : NO_SUPERTYPE,
                                      .count = PARTS,
                                      .parts = of_type};
    }
    assert_true(cn_types_intern(&registry, decls, COUNT, first));
    assert_true(cn_types_intern(&registry, decls, COUNT, second));
    for (uint32_t i = 0; i < COUNT; i++)
        assert_ptr_equal(first[i], second[i]);
    assert_true(dt_is_sub(first[LIMIT_SUPERTYPES], first[0]));
    assert_false(dt_is_sub(first[LIMIT_SUPERTYPES + 1], first[0]));
    for (uint32_t i = 0; i < COUNT; i++)
        cn_types_release(&registry, second[i]);
    parts[COUNT * PARTS - 1] = VT_EQREF;
    assert_true(cn_types_intern(&registry, decls, COUNT, second));
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_ptr_not_equal(first[i], second[i]);
        cn_types_release(&registry, first[i]);
        cn_types_release(&registry, second[i]);
    }
    assert_int_equal(registry.group_count, 0);
    cn_types_destroy(&registry);
    assert_int_equal(atomic_load(&alloc.now), 0);
    free(decls);
    free(parts);
    free(first);
    free(second);
}

/* Each group mentions the one before; the last reference to the last ends all. */
static void long_chains_end_without_recursion(void **state) {
    (void)state;
    enum { COUNT = 300000 };
    struct alloc alloc;
    struct type_registry registry;
    cn_alloc_init_default(&alloc);
    assert_true(cn_types_init(&registry, &alloc));
    const struct deftype *before = NULL, *type;
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t part = before ? vt_of(before, true) : VT_I31REF;
        struct type_decl decl = {
            .kind = TYPE_ARRAY, .supertype = NO_SUPERTYPE, .count = 1, .parts = &part};
        assert_true(cn_types_intern(&registry, &decl, 1, &type));
        if (before)
            cn_types_release(&registry, before);
        before = type;
    }
    assert_int_equal(registry.group_count, COUNT);
    cn_types_release(&registry, before);
    assert_int_equal(registry.group_count, 0);
    cn_types_destroy(&registry);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

/* ---- Threads ---- */

static void *intern_chains(void *argument) {
    struct type_registry *registry = argument;
    const struct deftype *types[8];
    for (uint32_t round = 0; round < 3000; round++) {
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t parts[] = {VT_DEFINED | VT_MEMBER, i ? vt_of(types[i - 1], false) : VT_I32};
            struct type_decl decl = {.kind = TYPE_STRUCT,
                                     .depth = (uint8_t)i,
                                     .supertype = i ? types[i - 1]->id : NO_SUPERTYPE,
                                     .count = 2,
                                     .parts = parts};
            assert_true(cn_types_intern(registry, &decl, 1, &types[i]));
            assert_true(dt_is_sub(types[i], types[i / 2]));
        }
        for (uint32_t i = 0; i < 8; i++)
            cn_types_release(registry, types[round & 1 ? i : 7 - i]);
    }
    return NULL;
}

static void threads_share_groups(void **state) {
    (void)state;
    struct alloc alloc;
    struct type_registry registry;
    pthread_t threads[4];
    cn_alloc_init_default(&alloc);
    assert_true(cn_types_init(&registry, &alloc));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, intern_chains, &registry), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(registry.group_count, 0);
    assert_true(registry.next_id <= 4 * 8 + 1);
    cn_types_destroy(&registry);
    assert_int_equal(atomic_load(&alloc.now), 0);
}

/* ---- Value types ---- */

static void value_types_have_kinds_and_names(void **state) {
    (void)state;
    static const struct {
        valtype type;
        enum slot_kind kind;
        const char *name, *non_null;
    } all[] = {
        {VT_I32, KIND_I32, "i32", NULL},
        {VT_I64, KIND_I64, "i64", NULL},
        {VT_F32, KIND_F32, "f32", NULL},
        {VT_F64, KIND_F64, "f64", NULL},
        {VT_V128, KIND_V128, "v128", NULL},
        {VT_FUNCREF, KIND_FUNC, "funcref", "(ref func)"},
        {VT_NOFUNCREF, KIND_FUNC, "nullfuncref", "(ref nofunc)"},
        {VT_EXTERNREF, KIND_EXTERN, "externref", "(ref extern)"},
        {VT_NOEXTERNREF, KIND_EXTERN, "nullexternref", "(ref noextern)"},
        {VT_ANYREF, KIND_ANY, "anyref", "(ref any)"},
        {VT_EQREF, KIND_ANY, "eqref", "(ref eq)"},
        {VT_I31REF, KIND_ANY, "i31ref", "(ref i31)"},
        {VT_STRUCTREF, KIND_ANY, "structref", "(ref struct)"},
        {VT_ARRAYREF, KIND_ANY, "arrayref", "(ref array)"},
        {VT_NONEREF, KIND_ANY, "nullref", "(ref none)"},
        {VT_EXNREF, KIND_EXN, "exnref", "(ref exn)"},
        {VT_NOEXNREF, KIND_EXN, "nullexnref", "(ref noexn)"},
        {VT_DEFINED | VT_OF_FUNC | 7, KIND_FUNC, "(ref null $type)", "(ref $type)"},
        {VT_DEFINED | 7, KIND_ANY, "(ref null $type)", "(ref $type)"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(vt_kind(all[i].type), all[i].kind);
        assert_string_equal(cn_valtype_name(all[i].type), all[i].name);
        assert_int_equal(vt_is_ref(all[i].type), all[i].non_null != NULL);
        assert_int_equal(kind_is_ref(all[i].kind), all[i].non_null != NULL);
        if (all[i].non_null) {
            assert_int_equal(vt_kind(all[i].type | VT_NON_NULL), all[i].kind);
            assert_string_equal(cn_valtype_name(all[i].type | VT_NON_NULL), all[i].non_null);
            assert_true(vt_is_ref(all[i].type | VT_NON_NULL));
        }
    }
    assert_string_equal(cn_valtype_name(VT_I8), "i8");
    assert_string_equal(cn_valtype_name(VT_I16), "i16");
    assert_string_equal(cn_valtype_name(VT_BOTTOM), "any");
    assert_string_equal(cn_valtype_name(0x40), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_is_that_of_the_model),
        cmocka_unit_test(subtyping_is_that_of_the_model),
        cmocka_unit_test(references_match_as_in_the_model),
        cmocka_unit_test(types_go_when_nothing_refers_to_them),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(a_large_group_may_fail),
        cmocka_unit_test(large_groups_take_linear_time),
        cmocka_unit_test(long_chains_end_without_recursion),
        cmocka_unit_test(threads_share_groups),
        cmocka_unit_test(value_types_have_kinds_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
