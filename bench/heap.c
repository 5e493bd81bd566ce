/*
 * The garbage-collected heap alone, without code that runs in it: throughput of allocation and marking, and how long its
 * pauses are.
 *
 *     BUILD/bench/heap [DEPTH [NURSERY [GROWTH]]]
 *
 * depth of the binary trees (16), bytes of the nursery, per cent of growth
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/platform.h"
#include "heap/heap.h"

/* ---- A heap with a stack of roots ---- */

#define STACK_SLOTS 4096u
static uint64_t stack[STACK_SLOTS];
static uint64_t *top = stack;

enum { NODE, REFS, BYTES, TYPES };
static struct alloc alloc;
static struct type_registry registry;
static const struct deftype *defs[TYPES];
static uint32_t types[TYPES];
static struct heap *h;

static void name_roots(void *env, struct heap *heap) {
    (void)env;
    cn_heap_mark_slots(heap, stack, top);
}

static void check(bool ok, const char *problem) {
    if (ok)
        return;
    fprintf(stderr, "heap: %s\n", problem);
    exit(1);
}

static void add_type(uint32_t i, uint8_t kind, const uint32_t *parts, uint32_t count) {
    struct type_decl decl = {
        .kind = kind, .supertype = NO_SUPERTYPE, .count = count, .parts = parts};
    check(cn_types_intern(&registry, &decl, 1, &defs[i]), "no memory");
}

static void make_types(void) {
    static const uint32_t any = VT_ANYREF | FIELD_MUTABLE, byte = VT_I8 | FIELD_MUTABLE;
    static const uint32_t node[] = {VT_I32 | FIELD_MUTABLE, VT_ANYREF | FIELD_MUTABLE,
                                    VT_ANYREF | FIELD_MUTABLE};
    cn_alloc_init_default(&alloc);
    check(cn_types_init(&registry, &alloc), "no memory");
    add_type(NODE, TYPE_STRUCT, node, 3);
    add_type(REFS, TYPE_ARRAY, &any, 1);
    add_type(BYTES, TYPE_ARRAY, &byte, 1);
}

static struct heap_config config;

static void open_heap(void) {
    static const struct heap_owner owner = {.roots = name_roots};
    struct error error;
    h = cn_heap_new(&alloc, &owner, &config, &error);
    check(h != NULL, "no heap");
    for (uint32_t i = 0; i < TYPES; i++)
        types[i] = cn_heap_add_type(h, dt_fields(defs[i]), &error);
    top = stack;
}

static uint32_t field(uint32_t object, uint32_t offset) {
    return heap_load(h, heap_offset(object) + offset);
}
/* Into a new object, whose fields are null. */
static void set_field(uint32_t object, uint32_t offset, uint32_t value) {
    heap_store(h, heap_offset(object) + offset, value);
}
static uint32_t new_node(void) {
    uint32_t node = cn_heap_new_struct(h, types[NODE]);
    check(node != 0, "no room");
    return node;
}

/* ---- The measurements ---- */

static double seconds_since(uint64_t began) {
    return (double)(cn_os_monotonic_ns() - began) / 1e9;
}

static void print_pauses(void) {
    const struct heap_stats *s = &h->stats;
    printf("    pauses: %" PRIu64 ", %.1f ms in all, the longest %.3f ms; below (us: count)",
           s->increments, (double)s->increment_ns / 1e6, (double)s->longest_increment_ns / 1e6);
    for (uint32_t i = 0; i < HEAP_PAUSES; i++)
        if (s->pauses[i])
            printf(" %.3g: %" PRIu64, (double)(UINT64_C(2) << i) / 256, s->pauses[i]);
    printf("\n");
}

static void print_heap(const char *name, double seconds) {
    const struct heap_stats *s = &h->stats;
    printf("%-28s %6.2f s  %6.0f MB allocated  %5.0f MB/s  %" PRIu64 " collections (%" PRIu64
           " full)  %.1f MB live  %.1f MB peak\n",
           name, seconds, (double)s->allocated / 1e6, (double)s->allocated / 1e6 / seconds,
           s->collections, s->full, (double)s->live / 1e6, (double)s->peak / 1e6);
    print_pauses();
}

/* ---- Binary trees ---- */

static uint32_t tree(uint32_t depth) {
    uint64_t *slots = top;
    top += 2;
    slots[0] = slots[1] = 0;
    if (depth > 0) {
        slots[0] = tree(depth - 1);
        slots[1] = tree(depth - 1);
    }
    uint32_t node = new_node();
    set_field(node, 8, (uint32_t)slots[0]);
    set_field(node, 12, (uint32_t)slots[1]);
    top = slots;
    return node;
}

static uint32_t count_nodes(uint32_t node) {
    return node ? 1 + count_nodes(field(node, 8)) + count_nodes(field(node, 12)) : 0;
}

static void binary_trees(uint32_t depth) {
    open_heap();
    char name[64];
    uint64_t began = cn_os_monotonic_ns(), nodes = 0;
    *top++ = tree(depth);
    for (uint32_t d = 4; d <= depth; d += 4)
        for (uint32_t i = 0; i < UINT32_C(1) << (depth - d + 4); i++)
            nodes += count_nodes(tree(d));
    snprintf(name, sizeof name, "binary trees of depth %u", depth);
    print_heap(name, seconds_since(began));
    check(count_nodes((uint32_t)stack[0]) == (UINT32_C(2) << depth) - 1 && nodes > 0, "lost nodes");
    cn_heap_delete(h);
}

/* Small objects that die at once. */
static void garbage(void) {
    open_heap();
    uint64_t began = cn_os_monotonic_ns();
    for (uint32_t i = 0; i < 200000000; i++)
        new_node();
    print_heap("garbage, 16 bytes each", seconds_since(began));
    cn_heap_delete(h);
}

/* ---- 100 MB that live ---- */

static void live_trees(void) {
    for (uint32_t i = 0; i < 48; i++)
        *top++ = tree(16); /* 2 MB */
}

static void live_list(void) {
    uint64_t *slot = top++;
    for (uint32_t i = 0; i < 6250000; i++) {
        uint32_t node = new_node();
        set_field(node, 12, (uint32_t)*slot);
        *slot = node;
    }
}

/* 50 MB of references to 50 MB of objects, in an order that is not that of their addresses. */
static void live_array(void) {
    uint32_t count = 12500000, objects = count / 4;
    uint64_t *slot = top++, seed = 1;
    *slot = 0;
    uint32_t array = cn_heap_new_array(h, types[REFS], count, true);
    check(array != 0, "no room");
    *slot = array;
    for (uint32_t i = 0; i < objects; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint32_t node = new_node(), at = 8 + (uint32_t)(seed >> 33) % count * 4;
        cn_heap_overwrite(h, field(array, at), false);
        set_field(array, at, node);
    }
}

/* Strings and lists of strings, as a program that works with text has them. */
static void live_text(void) {
    for (uint32_t i = 0; i < 100; i++) {
        uint64_t *slot = top++;
        *slot = 0;
        *slot = cn_heap_new_array(h, types[REFS], 20000, true);
        for (uint32_t k = 0; k < 20000; k++) {
            uint32_t text = cn_heap_new_array(h, types[BYTES], 8 + k % 64, true);
            check(text != 0, "no room");
            set_field((uint32_t)*slot, 8 + k * 4, text);
        }
    }
}

/* Garbage while all that lives is marked several times; then marking alone. */
static void pauses_of(const char *name, void (*build)(void)) {
    open_heap();
    build();
    uint64_t began = cn_os_monotonic_ns();
    h->stats = (struct heap_stats){.committed = h->stats.committed, .live = h->stats.live};
    while (h->stats.collections < 6)
        for (uint32_t i = 0; i < 10000; i++)
            new_node();
    print_heap(name, seconds_since(began));
    cn_heap_collect(h);
    cn_heap_collect(h);
    double seconds = (double)h->stats.full_ns / 1e9 / (double)h->stats.full;
    printf("    in one pause: %.1f ms, %.0f MB/s marked\n", seconds * 1e3,
           (double)h->stats.live / 1e6 / seconds);
    cn_heap_delete(h);
}

int main(int argc, char **argv) {
    uint32_t depth = argc > 1 ? (uint32_t)atoi(argv[1]) : 16;
    config.nursery_bytes = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
    config.growth_percent = argc > 3 ? (uint32_t)atoi(argv[3]) : 0;
    make_types();
    garbage();
    binary_trees(depth);
    pauses_of("100 MB of trees", live_trees);
    pauses_of("100 MB in one list", live_list);
    pauses_of("50 MB array, 50 MB objects", live_array);
    pauses_of("100 MB of text", live_text);
    return 0;
}
