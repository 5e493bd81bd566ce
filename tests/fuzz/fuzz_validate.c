/*
 * libFuzzer target: bodies through the fast validator in lock step with the full one
 * (tests/unit/lockstep.h), with tiny limits. The corpus is tests/fuzz/corpus/validate.
 *
 * An input is
 *
 *   world, function, mode              three bytes: which module, which function's type
 *   mode even: bytes of two bodies     the first of so many bytes as the mode says
 *   mode odd:  seed, mutations         eight bytes, then eight for each mutation of bodies that the
 *                                      generator makes of the seed (tests/unit/bodies.h)
 */
#ifndef CATNAP_TINY_LIMITS
#define CATNAP_TINY_LIMITS
#endif

#include <stdlib.h>

#include "../unit/bodies.h"

#define DISAGREE(...)                                                                              \
    do {                                                                                           \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        abort();                                                                                   \
    } while (0)
#include "../unit/lockstep.h"

#define BODIES 2u
#define BEHIND 256u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool condition) {
    if (!condition)
        abort();
}

/* The modules are made once. */
static struct place {
    struct bytes bytes;
    struct bench bench;
} places[WORLDS];

static struct place *place_of(uint8_t number) {
    static struct alloc alloc;
    static struct type_registry registry;
    struct error error = {.status = CATNAP_OK};
    const struct world *w = &worlds[number % WORLDS];
    struct place *p = &places[number % WORLDS];
    if (p->bench.m)
        return p;
    if (!registry.alloc) {
        cn_alloc_init_default(&alloc);
        require(cn_types_init(&registry, &alloc));
    }
    p->bytes = world_bytes(w);
    struct module *m = cn_module_decode(&alloc, &registry,
                                        (CATNAP_FEATURES_DEFAULT | CATNAP_FEATURE_GC) & ~w->without,
                                        p->bytes.data, p->bytes.size, NULL, &error);
    require(m && cn_validate_declarations(m, &error) && open_bench(&p->bench, m) && p->bench.fast);
    return p;
}

static uint64_t number_at(const uint8_t *bytes, size_t size, size_t at) {
    uint64_t number = 0;
    for (size_t i = at; i < at + 8 && i < size; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* Bodies of the bytes themselves. */
static void take_bodies(struct bytes *bodies, uint32_t first, const uint8_t *bytes, size_t size) {
    size_t length = first < size ? first : size;
    put_bytes(&bodies[0], bytes, length);
    put_bytes(&bodies[1], bytes + length, size - length);
}

static void make_bodies(const struct world *w, const struct module *m, uint32_t func,
                        struct bytes *bodies, const uint8_t *bytes, size_t size) {
    static struct maker maker;
    struct random r = {number_at(bytes, size, 0)};
    for (uint32_t i = 0; i < BODIES; i++) {
        maker = (struct maker){.r = &r,
                               .w = w,
                               .m = m,
                               .out = &bodies[i],
                               .want_deep = random_percent(&r, 30) ? random_below(&r, 40) : 0,
                               .long_table = random_percent(&r, 10) ? WINDOW : 0,
                               .percent_wide = random_percent(&r, 30) ? 20 : 0};
        make_body(&maker, func, random_below(&r, 60));
    }
    for (size_t at = 8; at < size; at += 8) {
        r.state = number_at(bytes, size, at);
        mutate(&bodies[at / 8 % BODIES], &r);
    }
}

/* One body behind the other, with a gap between them. */
static void judge_bodies(struct bench *bench, uint32_t func, const struct bytes *bodies) {
    struct bytes all = {0};
    struct span spans[BODIES];
    for (uint32_t i = 0; i < BODIES; i++) {
        PUT(&all, 0x0B, 0x80, 0x0B);
        spans[i] = (struct span){(uint32_t)all.size, (uint32_t)bodies[i].size};
        put_bytes(&all, bodies[i].data, bodies[i].size);
    }
    for (uint32_t i = 0; i < BEHIND; i++)
        put(&all, 0x0B);
    set_bytes(bench, all.data, all.size);
    for (uint32_t i = 0; i < BODIES; i++)
        judge(bench, func, spans[i], all.size);
    drop_bytes(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < 3)
        return 0;
    struct bytes bodies[BODIES] = {{0}};
    struct place *p = place_of(bytes[0]);
    struct module *m = p->bench.m;
    uint32_t func = bytes[1] % m->func_count;
    if (bytes[2] & 1 && module_func_type(m, func)->result_count <= 1)
        make_bodies(&worlds[bytes[0] % WORLDS], m, func, bodies, bytes + 3, size - 3);
    else
        take_bodies(bodies, bytes[2], bytes + 3, size - 3);
    judge_bodies(&p->bench, func, bodies);
    for (uint32_t i = 0; i < BODIES; i++)
        drop_bytes(&bodies[i]);
    return 0;
}
