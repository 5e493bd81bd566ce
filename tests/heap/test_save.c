/* Heaps that are saved and come back: honest ones live on, hostile ones are refused or hold together. */
#include "model.h"

static const struct heap_config small = {.nursery_bytes = 50000};

/* ---- Copies ---- */

/* Region, start bits and side table, as a snapshot has them. */
struct saved {
    uint64_t bytes, words;
    uint8_t *region;
    uint64_t *starts;
    uint64_t *slots; /* by number */
    uint32_t slot_count;
};

static struct saved save(struct world *w) {
    struct saved s = {.bytes = (uint64_t)w->heap->now.blocks * HEAP_BLOCK,
                      .slot_count = w->heap->side.end};
    uint8_t *used = calloc(w->heap->type_index.end, 1);
    assert_non_null(used);
    cn_heap_collect(w->heap);
    assert_true(cn_heap_tidy(w->heap, used) <= s.bytes);
    free(used);
    s.words = heap_start_words(s.bytes);
    s.region = malloc(s.bytes);
    s.starts = malloc(s.words * 8);
    s.slots = malloc(s.slot_count * sizeof *s.slots);
    assert_true(s.region && s.starts && s.slots);
    memcpy(s.region, w->heap->base, s.bytes);
    memcpy(s.starts, w->heap->starts, s.words * 8);
    for (uint32_t i = 1; i < s.slot_count; i++)
        s.slots[i] = cn_numbering_has(&w->heap->side, i) ? w->heap->side.keys[i] : 0;
    return s;
}

static void drop_saved(struct saved *s) {
    free(s->region);
    free(s->starts);
    free(s->slots);
}

/* Into an empty heap. */
static bool load(struct world *w, const struct saved *s, struct error *error) {
    if (!cn_heap_prepare(w->heap, s->bytes, error))
        return false;
    memcpy(w->heap->base, s->region, s->bytes);
    memcpy(w->heap->starts, s->starts, s->words * 8);
    return cn_heap_restore_side(w->heap, s->slots, s->slot_count, error) &&
           cn_heap_rebuild(w->heap, error) && cn_heap_verify(w->heap, &w->check, error);
}

/* ---- Honest ones ---- */

/* Without a walk over the objects, from what the first heap knows. */
static bool resume(struct world *w, const struct saved *s, const struct heap *from,
                   struct error *error) {
    void *kept = malloc(cn_heap_kept_bytes(s->bytes));
    assert_non_null(kept);
    cn_heap_keep(from, s->bytes, kept);
    bool ok = cn_heap_prepare(w->heap, s->bytes, error);
    memcpy(w->heap->base, s->region, s->bytes);
    memcpy(w->heap->starts, s->starts, s->words * 8);
    ok = ok && cn_heap_restore_side(w->heap, s->slots, s->slot_count, error);
    cn_heap_resume(w->heap, s->bytes, from->stats.live, kept);
    free(kept);
    return ok && cn_heap_verify(w->heap, &w->check, error);
}

/* A walk over the objects finds the same as was kept, once all is swept. */
static void compare_kept(struct world *w, uint64_t bytes) {
    size_t size = cn_heap_kept_bytes(bytes);
    uint8_t *kept = malloc(size), *found = malloc(size);
    struct error error;
    assert_true(kept && found);
    cn_heap_keep(w->heap, bytes, kept);
    assert_true(cn_heap_rebuild(w->heap, &error));
    cn_heap_collect(w->heap);
    cn_heap_keep(w->heap, bytes, found);
    assert_memory_equal(kept, found, size);
    free(kept);
    free(found);
}

static void move_to_new_heap(struct model *m, struct world *to, bool walk) {
    struct saved s = save(m->world);
    struct error error;
    memcpy(to->slots, m->world->slots, sizeof to->slots);
    if (!(walk ? load(to, &s, &error) : resume(to, &s, m->world->heap, &error)))
        fail_msg("%s", error.message);
    compare_kept(m->world, s.bytes);
    drop_saved(&s);
    m->world = to;
}

static void a_saved_heap_lives_on(void **state) {
    (void)state;
    struct world worlds[6];
    struct model m;
    world_open(&worlds[0], &small);
    model_open(&m, &worlds[0], 77);
    for (uint32_t i = 0; i < 6; i++) {
        if (i > 0) {
            world_open(&worlds[i], &small);
            move_to_new_heap(&m, &worlds[i], i % 2);
            model_compare(&m);
        }
        for (uint32_t k = 0; k < 5000; k++)
            model_step(&m);
        model_compare_exactly(&m);
        model_sweep(&m);
    }
    model_close(&m);
    for (uint32_t i = 0; i < 6; i++)
        world_close(&worlds[i]);
}

/* As a rollback does: region and start bits as they were, in the same heap. */
static void a_heap_goes_back(void **state) {
    (void)state;
    struct world w;
    struct model m;
    struct error error;
    uint64_t slots[WORLD_ROOTS];
    world_open(&w, &small);
    model_open(&m, &w, 78);
    for (uint32_t i = 0; i < 3000; i++)
        model_step(&m);
    model_sweep(&m);
    struct saved s = save(&w);
    memcpy(slots, w.slots, sizeof slots);
    struct model later; /* goes on with nodes of its own */
    model_open(&later, &w, 79);
    for (uint32_t i = 0; i < 3000; i++)
        model_step(&later);
    model_close(&later);
    memcpy(w.heap->base, s.region, s.bytes);
    memset(w.heap->starts, 0, heap_start_words((uint64_t)w.heap->now.blocks * HEAP_BLOCK) * 8);
    memcpy(w.heap->starts, s.starts, s.words * 8);
    memcpy(w.slots, slots, sizeof slots);
    cn_numbering_destroy(&w.heap->side);
    assert_true(cn_heap_restore_side(w.heap, s.slots, s.slot_count, &error));
    assert_true(cn_heap_rebuild(w.heap, &error));
    model_compare(&m);
    for (uint32_t i = 0; i < 3000; i++)
        model_step(&m);
    model_compare_exactly(&m);
    drop_saved(&s);
    model_close(&m);
    world_close(&w);
}

/* Two heaps with the same objects are saved equally, whatever was there before: garbage is zero. */
static void equal_heaps_are_saved_equally(void **state) {
    (void)state;
    struct world w;
    world_open(&w, &small);
    w.slots[0] = cn_heap_new_array(w.heap, w.type[T_I8], 3 * HEAP_BLOCK + 100, true);
    w.slots[1] = cn_heap_new_array(w.heap, w.type[T_ANYS], 100, true);
    w.slots[2] = cn_heap_new_struct(w.heap, w.type[T_MIXED]);
    memset(heap_at(w.heap, (uint32_t)w.slots[0]) + 8, 0xCC, 3 * HEAP_BLOCK + 100);
    struct saved before = save(&w);
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t array = cn_heap_new_array(w.heap, w.type[T_I8], 100, true);
        memset(heap_at(w.heap, array) + 8, 0xEE, 100);
    }
    struct saved after = save(&w);
    assert_true(after.bytes >= before.bytes);
    assert_memory_equal(before.region, after.region, before.bytes);
    assert_memory_equal(before.starts, after.starts, before.words * 8);
    for (uint64_t i = before.bytes; i < after.bytes; i++)
        assert_int_equal(after.region[i], 0);
    drop_saved(&before);
    drop_saved(&after);
    world_close(&w);
}

/* ---- Hostile ones ---- */

/* An honest heap with an object of each kind, and handles of them. */
struct victim {
    struct world w;
    struct saved s;
    uint32_t pair, mixed, array, large, box;
};

static void open_victim(struct victim *v) {
    struct world *w = &v->w;
    uint32_t number;
    world_open(w, &small);
    w->slots[0] = v->pair = cn_heap_new_struct(w->heap, w->type[T_PAIR]);
    w->slots[1] = v->large = cn_heap_new_array(w->heap, w->type[T_EXTERNS], HEAP_BLOCK, true);
    w->slots[2] = v->mixed = cn_heap_new_struct(w->heap, w->type[T_MIXED]);
    w->slots[3] = v->array = cn_heap_new_array(w->heap, w->type[T_ANYS], 100, true);
    w->slots[4] = v->box = cn_heap_new_box(w->heap, host_slot(1, KIND_EXTERN));
    heap_store(w->heap, heap_offset(v->pair) + 8, v->box);
    heap_store(w->heap, heap_offset(v->pair) + 12, v->array);
    heap_store(w->heap, heap_offset(v->array) + 8, v->mixed);
    assert_true(cn_heap_side_number(w->heap, heap_extern_slot(v->pair), &number));
    heap_store(w->heap, heap_offset(v->large) + 8, number);
    assert_true(cn_heap_side_number(w->heap, host_slot(2, KIND_FUNC), &number));
    heap_store(w->heap, heap_offset(v->mixed) + 36, number);
    w->slots[2] = w->slots[3] = w->slots[4] = 0;
    v->s = save(w);
}

static void close_victim(struct victim *v) {
    drop_saved(&v->s);
    world_close(&v->w);
}

static void expect_refused(const struct saved *s, const char *message) {
    struct world w;
    struct error error = {0};
    world_open(&w, &small);
    if (load(&w, s, &error))
        fail_msg("not refused: %s", message);
    if (!strstr(error.message, message))
        fail_msg("\"%s\" is not in \"%s\"", message, error.message);
    world_close(&w);
}

/* The victim's copy with one word changed. */
static void expect_word_refused(struct victim *v, uint32_t handle, uint32_t offset, uint32_t word,
                                const char *message) {
    uint8_t *at = v->s.region + heap_offset(handle) + offset;
    uint8_t old[4];
    memcpy(old, at, 4);
    memcpy(at, &word, 4);
    expect_refused(&v->s, message);
    memcpy(at, old, 4);
}

static void expect_start_refused(struct victim *v, uint64_t offset, const char *message) {
    uint64_t *word = &v->s.starts[offset / 512], bit = UINT64_C(1) << (offset / 8 % 64);
    *word ^= bit;
    expect_refused(&v->s, message);
    *word ^= bit;
}

static void wrong_words(void **state) {
    (void)state;
    struct victim v;
    open_victim(&v);
    uint32_t type_end = v.w.heap->type_index.end;
    uint32_t not_there = heap_handle(heap_offset(v.array) + 8);
    expect_word_refused(&v, v.pair, 0, 0, "has no type");
    expect_word_refused(&v, v.pair, 0, type_end, "has no type");
    expect_word_refused(&v, v.pair, 0, UINT32_MAX, "has no type");
    expect_word_refused(&v, v.pair, 0, v.w.type[T_SUB], "begins within another");
    expect_word_refused(&v, v.array, 4, UINT32_MAX, "longer than the heap");
    expect_word_refused(&v, v.large, 4, UINT32_MAX, "longer than the heap");
    expect_word_refused(&v, v.array, 4, HEAP_BLOCK / 4 - 3, "");
    expect_word_refused(&v, v.pair, 8, not_there, "a reference to no object");
    expect_word_refused(&v, v.pair, 8, UINT32_MAX - 1, "a reference to no object");
    expect_word_refused(&v, v.pair, 8, v.pair + 2, "a reference to no object");
    expect_word_refused(&v, v.array, 8 + 99 * 4, 2, "a reference to no object");
    expect_word_refused(&v, v.large, 8, 1000, "side table");
    expect_word_refused(&v, v.large, 8 + HEAP_BLOCK * 2, UINT32_MAX, "side table");
    expect_word_refused(&v, v.mixed, 24, heap_load(v.w.heap, heap_offset(v.mixed) + 36),
                        "of a wrong type"); /* a function as extern */
    expect_word_refused(&v, v.mixed, 36, heap_load(v.w.heap, heap_offset(v.large) + 8),
                        "of a wrong type"); /* a converted reference as function */
    expect_word_refused(&v, v.box, 4, heap_load(v.w.heap, heap_offset(v.large) + 8),
                        "a box with a converted reference");
    close_victim(&v);
}

static void wrong_starts(void **state) {
    (void)state;
    struct victim v;
    open_victim(&v);
    expect_start_refused(&v, 0, "is null");
    expect_start_refused(&v, 64, "is null");
    expect_start_refused(&v, heap_offset(v.array) + 8, "begins within another");
    expect_start_refused(&v, heap_offset(v.large) + 8, "begins within another");
    expect_start_refused(&v, heap_offset(v.large) + 2 * HEAP_BLOCK, "begins within another");
    expect_start_refused(&v, v.s.bytes - 8, "has no type");
    expect_start_refused(&v, heap_offset(v.mixed), "a reference to no object"); /* taken away */
    expect_start_refused(&v, heap_offset(v.pair), "a reference to no object");
    close_victim(&v);
}

static void wrong_side_tables(void **state) {
    (void)state;
    struct victim v;
    struct world w;
    struct error error;
    open_victim(&v);
    assert_true(v.s.slot_count > 2);
    uint64_t old = v.s.slots[2];
    v.s.slots[2] = 0;
    expect_refused(&v.s, "does not have");
    v.s.slots[2] = heap_extern_slot(heap_handle(v.s.bytes)); /* instead of a host object */
    expect_refused(&v.s, "");
    v.s.slots[2] = old;
    world_open(&w, &small);
    assert_false(cn_heap_restore_side(w.heap, v.s.slots, UINT32_MAX, &error));
    w.allocations_left = 0;
    assert_false(cn_heap_restore_side(w.heap, v.s.slots, v.s.slot_count, &error));
    assert_int_equal(error.status, CATNAP_NO_MEMORY);
    w.allocations_left = INT64_MAX;
    world_close(&w);
    close_victim(&v);
}

/* Objects where no heap puts them. */
static void wrong_places(void **state) {
    (void)state;
    struct victim v;
    open_victim(&v);
    struct saved empty = {.bytes = v.s.bytes, .words = v.s.words, .slot_count = 1};
    uint64_t at = 2 * HEAP_BLOCK - 8;
    uint32_t type = v.w.type[T_PAIR], bytes_type = v.w.type[T_I8], length = 2 * HEAP_BLOCK;
    empty.region = calloc(1, v.s.bytes);
    empty.starts = calloc(v.s.words, 8);
    assert_true(empty.region && empty.starts);
    memcpy(empty.region + at, &type, 4);
    empty.starts[at / 512] |= UINT64_C(1) << 63;
    expect_refused(&empty, "crosses the end of its block");
    memset(empty.starts, 0, v.s.words * 8);
    memcpy(empty.region + 512, &bytes_type, 4);
    memcpy(empty.region + 516, &length, 4);
    empty.starts[1] = 1;
    expect_refused(&empty, "does not begin a block");
    struct world w;
    struct error error;
    world_open(&w, &small);
    assert_false(cn_heap_prepare(w.heap, heap_unit_bytes(w.heap) + HEAP_BLOCK / 2, &error));
    assert_false(cn_heap_prepare(w.heap, LIMIT_HEAP_BYTES * 2, &error));
    assert_true(cn_heap_prepare(w.heap, 0, &error) && cn_heap_rebuild(w.heap, &error));
    world_close(&w);
    free(empty.region);
    free(empty.starts);
    close_victim(&v);
}

/* A field of a precise type holds an object of that type only. */
static void wrong_types(void **state) {
    (void)state;
    struct world w;
    struct error error;
    const struct deftype *types[2];
    world_open(&w, &small);
    const uint32_t fields[] = {vt_of(w.defs[T_MIXED], true) | FIELD_MUTABLE, VT_I31REF,
                               VT_ANYREF | VT_NON_NULL};
    const struct type_decl decls[] = {
        {.kind = TYPE_STRUCT, .supertype = NO_SUPERTYPE, .count = 3, .parts = fields}};
    assert_true(cn_types_intern(&w.registry, decls, 1, types));
    uint32_t number = cn_heap_add_type(w.heap, dt_fields(types[0]), &error);
    uint32_t holder = cn_heap_new_struct(w.heap, number);
    uint64_t at = heap_offset(holder);
    heap_store(w.heap, at + 4, cn_heap_new_struct(w.heap, w.type[T_SUB])); /* a subtype */
    heap_store(w.heap, at + 8, heap_i31(7));
    assert_false(cn_heap_verify(w.heap, &w.check, &error)); /* null where it is excluded */
    heap_store(w.heap, at + 12, cn_heap_new_box(w.heap, host_slot(5, KIND_EXTERN)));
    world_verify(&w);
    heap_store(w.heap, at + 4, cn_heap_new_struct(w.heap, w.type[T_PAIR]));
    assert_false(cn_heap_verify(w.heap, &w.check, &error));
    assert_non_null(strstr(error.message, "a reference of a wrong type"));
    heap_store(w.heap, at + 4, heap_load(w.heap, at + 12)); /* a box is only `any` */
    assert_false(cn_heap_verify(w.heap, &w.check, &error));
    heap_store(w.heap, at + 4, 0);
    heap_store(w.heap, at + 8, heap_load(w.heap, at + 12));
    assert_false(cn_heap_verify(w.heap, &w.check, &error));
    heap_store(w.heap, at + 8, 0);
    world_verify(&w);
    cn_types_release(&w.registry, types[0]);
    world_close(&w);
}

/* Random damage: either it is refused, or the heap holds together, through collections too. */
static void random_damage(void **state) {
    (void)state;
    struct world w;
    struct model m;
    struct error error;
    uint64_t seed = 9, refused = 0, accepted = 0;
    world_open(&w, &small);
    model_open(&m, &w, 80);
    m.longest_array = 2000;
    for (uint32_t i = 0; i < 1500; i++)
        model_step(&m);
    struct saved s = save(&w);
    for (uint32_t round = 0; round < 400; round++) {
        uint32_t *word, old;
        uint32_t i = world_random(&seed);
        word = round % 2 ? (uint32_t *)(void *)s.region + i % (s.bytes / 4)
                         : (uint32_t *)(void *)s.starts + i % (s.words * 2);
        old = *word;
        *word ^= round % 3 ? UINT32_C(1) << world_random(&seed) % 32 : world_random(&seed);
        struct world other;
        world_open(&other, &small);
        memcpy(other.slots, w.slots, sizeof other.slots);
        if (load(&other, &s, &error)) {
            accepted++;
            cn_heap_collect(other.heap);
            world_verify(&other);
            for (uint32_t k = 0; k < 3000; k++)
                assert_true(cn_heap_new_struct(other.heap, other.type[T_MIXED]) != 0);
            world_verify(&other);
        } else
            refused++;
        world_close(&other);
        *word = old;
    }
    assert_true(refused > 0 && accepted > 0);
    drop_saved(&s);
    model_close(&m);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_saved_heap_lives_on),
        cmocka_unit_test(a_heap_goes_back),
        cmocka_unit_test(equal_heaps_are_saved_equally),
        cmocka_unit_test(wrong_words),
        cmocka_unit_test(wrong_starts),
        cmocka_unit_test(wrong_side_tables),
        cmocka_unit_test(wrong_places),
        cmocka_unit_test(wrong_types),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
