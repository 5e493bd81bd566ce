/* Allocation, collection, roots, the side table, limits and statistics, one by one. */
#include "world.h"

#include <sys/mman.h>

#define ANY_OFFSET 8u /* of the first reference of a pair */
#define NEXT_OFFSET 12u

static uint32_t new_pair(struct world *w, uint32_t any, uint32_t next) {
    uint32_t pair = cn_heap_new_struct(w->heap, w->type[T_PAIR]);
    if (pair) {
        heap_store(w->heap, heap_offset(pair) + ANY_OFFSET, any);
        heap_store(w->heap, heap_offset(pair) + NEXT_OFFSET, next);
    }
    return pair;
}

static uint32_t next_of(const struct world *w, uint32_t pair) {
    return heap_load(w->heap, heap_offset(pair) + NEXT_OFFSET);
}

static void set_next(struct world *w, uint32_t pair, uint32_t next) {
    uint64_t at = heap_offset(pair) + NEXT_OFFSET;
    cn_heap_overwrite(w->heap, heap_load(w->heap, at), false);
    heap_store(w->heap, at, next);
}

static uint32_t new_array(struct world *w, enum world_type type, uint32_t length) {
    return cn_heap_new_array(w->heap, w->type[type], length, true);
}

/* A list of pairs, whose first one is in slot 0 meanwhile. */
static uint32_t new_list(struct world *w, uint32_t length) {
    w->slots[0] = 0;
    for (uint32_t i = 0; i < length; i++) {
        uint32_t pair = new_pair(w, heap_i31(i), (uint32_t)w->slots[0]);
        assert_true(pair != 0);
        w->slots[0] = pair;
    }
    return (uint32_t)w->slots[0];
}

static uint32_t list_length(const struct world *w, uint32_t pair) {
    uint32_t length = 0;
    for (; pair; pair = next_of(w, pair))
        length++;
    return length;
}

/* ---- Arrays ---- */

static const enum world_type arrays[] = {T_I8,  T_I16,  T_I32,  T_I64,     T_F32,
                                         T_F64, T_V128, T_ANYS, T_EXTERNS, T_FUNCS};

/* Bytes of an element. */
static uint32_t width(enum world_type type) {
    static const uint32_t widths[] = {1, 2, 4, 8, 4, 8, 16, 4, 4, 4};
    return widths[type - FIRST_ARRAY];
}

static bool all_zero(const uint8_t *bytes, size_t size) {
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static void arrays_of_all_kinds_and_lengths(void **state) {
    (void)state;
    static const uint32_t lengths[] = {0,   1,    2,    3,    7,     14,    15,    16,   31,
                                       120, 1000, 4088, 8190, 32759, 32760, 32761, 70000};
    struct world w;
    world_open(&w, &(struct heap_config){.nursery_bytes = 1 << 20});
    for (uint32_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        for (uint32_t j = 0; j < sizeof lengths / sizeof *lengths; j++) {
            uint32_t array = new_array(&w, arrays[i], lengths[j]);
            size_t bytes = (size_t)lengths[j] * width(arrays[i]);
            assert_true(array != 0);
            assert_int_equal(heap_length(w.heap, array), lengths[j]);
            assert_true(all_zero(heap_at(w.heap, array) + HEAP_ELEMENTS_OFFSET, bytes));
            if (arrays[i] < T_ANYS) /* what was here before is seen if it is not cleared */
                memset(heap_at(w.heap, array) + HEAP_ELEMENTS_OFFSET, 0xA5, bytes);
            w.slots[j] = array;
        }
        world_verify(&w);
        cn_heap_collect(w.heap);
        world_verify(&w);
        assert_int_equal(world_objects(&w), 17);
    }
    assert_true(w.heap->stats.live > 0);
    world_close(&w);
}

static void sizes_that_no_heap_has(void **state) {
    (void)state;
    struct world w;
    world_open(&w, &(struct heap_config){.most_bytes = 1 << 20});
    for (uint32_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        assert_int_equal(new_array(&w, arrays[i], UINT32_MAX), 0);
        assert_int_equal(new_array(&w, arrays[i], UINT32_MAX / width(arrays[i])), 0);
        assert_int_equal(new_array(&w, arrays[i], (1 << 20) / width(arrays[i])), 0);
    }
    assert_int_equal(w.heap->stats.collections, 0); /* it would not help */
    assert_true(new_array(&w, T_I8, 900000) != 0);
    world_verify(&w);
    world_close(&w);
}

/* Without clearing, numbers may be what was there, but references never are, nor what is behind the last element. */
static void arrays_that_their_user_fills(void **state) {
    (void)state;
    struct world w;
    world_open(&w, &(struct heap_config){.policy = HEAP_FULL, .most_bytes = 64 * HEAP_BLOCK});
    uint32_t length = 5 * HEAP_BLOCK + 3, i;
    for (i = 0; i < 40; i++) {
        uint32_t array = cn_heap_new_array(w.heap, w.type[T_I8], length, false);
        assert_true(array != 0);
        assert_true(
            all_zero(heap_at(w.heap, array) + 8 + length, cn_array_bytes(0, length) - 8 - length));
        memset(heap_at(w.heap, array) + 8, 0xFF, length);
        array = cn_heap_new_array(w.heap, w.type[T_ANYS], length / 4, false);
        assert_true(array != 0);
        assert_true(all_zero(heap_at(w.heap, array) + 8, length / 4 * 4));
        array = cn_heap_new_array(w.heap, w.type[T_I8], 100, false);
        assert_true(all_zero(heap_at(w.heap, array) + 8, 100));
        memset(heap_at(w.heap, array) + 8, 0xFF, 100);
    }
    assert_true(w.heap->stats.collections > 0);
    world_verify(&w);
    world_close(&w);
}

/* ---- Reachability ---- */

static void a_long_list_needs_no_recursion(void **state) {
    (void)state;
    enum { LENGTH = 1000000 };
    struct world w;
    world_open(&w, NULL);
    uint32_t list = new_list(&w, LENGTH);
    cn_heap_collect(w.heap);
    assert_int_equal(world_objects(&w), LENGTH);
    assert_int_equal(list_length(&w, list), LENGTH);
    assert_int_equal(w.heap->stats.live, LENGTH * 16);
    world_verify(&w);
    w.slots[0] = 0;
    cn_heap_collect(w.heap);
    assert_int_equal(world_objects(&w), 0);
    world_close(&w);
}

/* A list that is long for the mark stack: each element has objects that wait. No memory for the stack. */
static void the_mark_stack_may_be_short_of_memory(void **state) {
    (void)state;
    enum { LENGTH = 3000, LEAVES = 40, LONG = 100000 };
    struct world w;
    world_open(&w, &(struct heap_config){.policy = HEAP_FULL});
    for (uint32_t i = 0; i < LENGTH; i++) {
        uint32_t array = new_array(&w, T_ANYS, LEAVES + 1);
        for (uint32_t k = 0; k < LEAVES; k++)
            heap_store(w.heap, heap_offset(array) + 8 + k * 4, new_pair(&w, 0, 0));
        heap_store(w.heap, heap_offset(array) + 8 + LEAVES * 4, (uint32_t)w.slots[0]);
        w.slots[0] = array;
    }
    uint32_t array = new_array(&w, T_ANYS, LONG);
    w.slots[1] = array;
    for (uint32_t i = 0; i < LONG; i++)
        heap_store(w.heap, heap_offset(array) + 8 + i * 4, new_pair(&w, 0, 0));
    w.allocations_left = 0;
    cn_heap_collect(w.heap);
    uint64_t rescans = w.heap->stats.rescans;
    assert_true(rescans > 0);
    assert_int_equal(world_objects(&w), LENGTH * (LEAVES + 1) + 1 + LONG);
    w.allocations_left = INT64_MAX;
    world_verify(&w);
    cn_heap_collect(w.heap);
    assert_int_equal(world_objects(&w), LENGTH * (LEAVES + 1) + 1 + LONG);
    world_close(&w);
}

static void slots_that_look_like_handles(void **state) {
    (void)state;
    struct world w;
    world_open(&w, NULL);
    uint32_t a = new_pair(&w, 0, 0), b = new_pair(&w, 0, 0);
    w.slots[0] = a;
    w.slots[1] = (uint64_t)1 << 32 | b; /* not a handle: 33 bits */
    w.slots[2] = b | 1;                 /* an i31 */
    w.slots[3] = b + 2;                 /* within the object */
    w.slots[4] = UINT32_MAX - 1;        /* outside of the region */
    w.slots[5] = UINT64_MAX;
    w.slots[6] = 2; /* in the first line, where no object is */
    w.slots[7] = (uintptr_t)heap_at(w.heap, b);
    w.slots[8] = (uint64_t)b << 32; /* an extern slot without its tag */
    w.slots[9] = (uint64_t)heap_i31(5) << 32 | 1;
    w.slots[10] = (uint64_t)(UINT32_MAX - 1) << 32 | 1;
    cn_heap_collect(w.heap);
    assert_int_equal(world_objects(&w), 1);
    w.slots[3] = 0;
    uint32_t c = new_pair(&w, 0, 0);
    w.slots[8] = heap_extern_slot(c); /* a converted reference keeps the object */
    cn_heap_collect(w.heap);
    assert_int_equal(world_objects(&w), 2);
    w.slots[0] = 0;
    w.exact[0] = c;
    w.exact[1] = heap_i31(123);
    w.slots[8] = 0;
    cn_heap_collect(w.heap);
    assert_int_equal(world_objects(&w), 1);
    world_close(&w);
}

/* Allocates until the phase of the collector is another one. */
static void run_until(struct world *w, enum heap_phase phase) {
    while (w->heap->phase != phase)
        assert_true(new_pair(w, 0, 0) != 0);
}

/* The roots were looked at, and the object that has the only reference was not. */
static void a_reference_is_deleted_before_it_is_seen(bool range) {
    struct world w;
    world_open(&w, &(struct heap_config){.policy = HEAP_STEPS});
    uint32_t holder = new_array(&w, T_ANYS, 1), pair = new_pair(&w, heap_i31(5), heap_i31(6));
    w.slots[0] = holder;
    heap_store(w.heap, heap_offset(holder) + 8, pair);
    run_until(&w, HEAP_MARKING);
    run_until(&w, HEAP_IDLE);
    run_until(&w, HEAP_MARKING);
    w.slots[1] = pair;
    if (range)
        cn_heap_overwrite_range(w.heap, heap_offset(holder) + 8, 1, false);
    else
        cn_heap_overwrite(w.heap, pair, false);
    heap_store(w.heap, heap_offset(holder) + 8, 0);
    run_until(&w, HEAP_IDLE);
    for (uint32_t i = 0; i < 100; i++)
        new_pair(&w, 0, 0);
    assert_true(heap_bit(w.heap->starts, heap_offset(pair) / 8));
    assert_int_equal(next_of(&w, pair), heap_i31(6));
    world_close(&w);
}

static void references_that_are_deleted_while_marking(void **state) {
    (void)state;
    a_reference_is_deleted_before_it_is_seen(false);
    a_reference_is_deleted_before_it_is_seen(true);
}

/* A reference that is read from an object and then deleted there, while marking, was reachable when marking began. */
static void references_that_move_while_marking(void **state) {
    (void)state;
    struct world w;
    world_open(&w, &(struct heap_config){.policy = HEAP_STEPS});
    uint32_t last = new_pair(&w, heap_i31(42), 0), list = last;
    w.slots[0] = list;
    for (uint32_t i = 0; i < 400; i++)
        w.slots[0] = list = new_pair(&w, 0, list);
    for (uint32_t round = 0; round < 2000; round++) {
        /* Takes the second pair out, keeps it only on the stack, and puts it back behind the first. */
        uint32_t second = next_of(&w, list), third = next_of(&w, second);
        w.slots[1] = second;
        set_next(&w, list, third);
        set_next(&w, second, 0);
        w.slots[2] = third;
        set_next(&w, list, 0);
        w.slots[3] = new_pair(&w, 0, third); /* a step of the collector */
        set_next(&w, second, (uint32_t)w.slots[3]);
        set_next(&w, (uint32_t)w.slots[3], 0);
        set_next(&w, second, third);
        set_next(&w, list, second);
        if (round % 100 == 0)
            world_verify(&w);
    }
    assert_true(w.heap->stats.collections > 2);
    assert_int_equal(list_length(&w, list), 401);
    world_close(&w);
}

/* ---- Nothing is written ---- */

static void a_collection_writes_no_byte_of_the_region(void **state) {
    (void)state;
    struct world w;
    world_open(&w, NULL);
    new_list(&w, 20000);
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t array = new_array(&w, i % 2 ? T_ANYS : T_I32, i * 300);
        if (i % 3)
            w.slots[1 + i % 8] = array;
        w.slots[10] = cn_heap_new_box(w.heap, host_slot(i, KIND_EXTERN));
    }
    size_t size = (size_t)w.heap->now.blocks * HEAP_BLOCK;
    uint64_t before = w.heap->stats.full;
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, w.heap->base, size);
    assert_int_equal(mprotect(w.heap->base, size, PROT_READ), 0);
    cn_heap_collect(w.heap);
    w.slots[3] = w.slots[0] = 0;
    cn_heap_collect(w.heap);
    cn_heap_collect(w.heap);
    world_verify(&w);
    assert_int_equal(mprotect(w.heap->base, size, PROT_READ | PROT_WRITE), 0);
    assert_memory_equal(copy, w.heap->base, size);
    assert_true(w.heap->stats.full - before >= 3);
    free(copy);
    world_close(&w);
}

/* The same steps with other addresses and other host objects give the same bytes. */
static void no_address_lies_in_the_region(void **state) {
    (void)state;
    struct world w[2];
    for (uint32_t k = 0; k < 2; k++) {
        world_open(&w[k], NULL);
        new_list(&w[k], 1000);
        for (uint32_t i = 0; i < 300; i++) {
            uint32_t box = cn_heap_new_box(w[k].heap, host_slot(i * 7 + k * 5000, KIND_EXTERN));
            uint32_t funcs = new_array(&w[k], T_FUNCS, 20), number;
            assert_true(box && funcs);
            assert_true(
                cn_heap_side_number(w[k].heap, host_slot(i + k * 5000, KIND_FUNC), &number));
            heap_store(w[k].heap, heap_offset(funcs) + 8, number);
        }
    }
    assert_ptr_not_equal(w[0].heap->base, w[1].heap->base);
    assert_int_equal(w[0].heap->now.blocks, w[1].heap->now.blocks);
    assert_memory_equal(w[0].heap->base, w[1].heap->base,
                        (size_t)w[0].heap->now.blocks * HEAP_BLOCK);
    world_close(&w[0]);
    world_close(&w[1]);
}

/* ---- The side table ---- */

static uint64_t last_dropped;
static void note_dropped(void *env, uint64_t slot) {
    (void)env;
    last_dropped = slot;
}

static void entries_live_as_long_as_references(void **state) {
    (void)state;
    struct world w;
    uint32_t a, b, again;
    world_open(&w, NULL);
    w.drop = note_dropped;
    uint32_t externs = new_array(&w, T_EXTERNS, 10);
    w.slots[0] = externs;
    assert_true(cn_heap_side_number(w.heap, host_slot(1, KIND_EXTERN), &a));
    assert_true(cn_heap_side_number(w.heap, host_slot(2, KIND_EXTERN), &b));
    assert_true(cn_heap_side_number(w.heap, host_slot(1, KIND_EXTERN), &again));
    assert_int_equal(a, again);
    assert_int_not_equal(a, b);
    assert_true(cn_heap_side_number(w.heap, 0, &again));
    assert_int_equal(again, 0);
    heap_store(w.heap, heap_offset(externs) + 8, a);
    w.side[0] = b; /* the owner's own */
    cn_heap_collect(w.heap);
    assert_int_equal(w.heap->side.count, 2);
    w.side[0] = 0;
    cn_heap_collect(w.heap);
    assert_int_equal(w.heap->side.count, 1);
    assert_int_equal(last_dropped, host_slot(2, KIND_EXTERN));
    assert_int_equal(heap_side_slot(w.heap, a), host_slot(1, KIND_EXTERN));
    heap_store(w.heap, heap_offset(externs) + 8, 0);
    cn_heap_collect(w.heap);
    assert_int_equal(w.heap->side.count, 0);
    assert_int_equal(w.dropped, 2);
    world_close(&w);
}

/* Objects and host references that refer to each other through the side table. */
static void a_circle_through_a_converted_reference_is_garbage(void **state) {
    (void)state;
    struct world w;
    uint32_t number;
    world_open(&w, NULL);
    uint32_t externs = new_array(&w, T_EXTERNS, 1);
    assert_true(cn_heap_side_number(w.heap, heap_extern_slot(externs), &number));
    heap_store(w.heap, heap_offset(externs) + 8, number); /* it refers to itself */
    uint32_t holder = new_array(&w, T_EXTERNS, 1), target = new_pair(&w, heap_i31(9), 0);
    assert_true(cn_heap_side_number(w.heap, heap_extern_slot(target), &number));
    heap_store(w.heap, heap_offset(holder) + 8, number);
    w.slots[0] = externs;
    w.slots[1] = holder;
    cn_heap_collect(w.heap);
    assert_int_equal(world_objects(&w), 3); /* the pair only by its entry */
    world_verify(&w);
    w.slots[0] = 0;
    cn_heap_collect(w.heap);
    assert_int_equal(world_objects(&w), 2);
    assert_int_equal(w.heap->side.count, 1);
    assert_int_equal(w.dropped, 0); /* no host object is concerned */
    world_close(&w);
}

/* ---- Limits ---- */

/* Makes a list as long as there is room. */
static void fill(struct world *w) {
    uint32_t pair;
    while ((pair = new_pair(w, 0, (uint32_t)w->slots[0])) != 0)
        w->slots[0] = pair;
}

static void a_full_heap_fails_and_recovers(void **state) {
    (void)state;
    struct world w;
    world_open(&w, &(struct heap_config){.most_bytes = 1 << 20});
    for (uint32_t round = 0; round < 3; round++) {
        fill(&w);
        assert_true(w.heap->stats.full > 0); /* a collection was tried */
        assert_int_equal(w.heap->stats.committed, 1 << 20);
        assert_true(w.heap->stats.live * 100 / w.heap->stats.committed >= 97);
        world_verify(&w);
        assert_int_equal(new_pair(&w, 0, 0), 0);
        assert_int_equal(new_array(&w, T_I8, 500000), 0);
        w.slots[0] = 0;
        assert_true(new_array(&w, T_I8, 500000) != 0);
        assert_true(new_pair(&w, 0, 0) != 0);
    }
    world_close(&w);
}

/* With little room left, it gives up instead of collecting for each few objects. */
static void a_nearly_full_heap_does_not_collect_for_ever(void **state) {
    (void)state;
    struct world w;
    world_open(&w, &(struct heap_config){.most_bytes = 4 << 20});
    fill(&w);
    /* Frees 1/128 of it, here and there. */
    for (uint32_t pair = (uint32_t)w.slots[0]; pair; pair = next_of(&w, pair)) {
        uint32_t behind = pair;
        for (uint32_t i = 0; i < 24 && behind; i++)
            behind = next_of(&w, behind);
        set_next(&w, pair, behind);
        for (uint32_t i = 0; i < 3000 && next_of(&w, pair); i++)
            pair = next_of(&w, pair);
    }
    uint64_t before = w.heap->stats.full, made = 0;
    while (new_pair(&w, 0, 0)) /* garbage */
        made++;
    assert_true(made > 0);
    assert_true(w.heap->stats.full - before <= 20);
    w.slots[0] = 0;
    for (uint32_t round = 0; round < 1000000; round++)
        assert_true(new_pair(&w, 0, 0) != 0);
    world_close(&w);
}

static void the_budget_counts_what_is_committed(void **state) {
    (void)state;
    struct world w;
    world_open(&w, NULL);
    assert_int_equal(w.taken, 0); /* nothing before the first object */
    w.budget = 0;
    assert_int_equal(new_pair(&w, 0, 0), 0);
    w.budget = 2 << 20;
    assert_true(new_pair(&w, 0, 0) != 0);
    assert_int_equal(w.taken, w.heap->stats.committed);
    fill(&w);
    assert_true(w.taken <= 2 << 20 && w.taken > 1 << 20);
    assert_int_equal(w.taken, w.heap->stats.committed);
    uint64_t peak = w.heap->stats.peak;
    w.slots[0] = 0;
    cn_heap_collect(w.heap);
    cn_heap_trim(w.heap, 512 << 10);
    assert_int_equal(w.taken, w.heap->stats.committed);
    assert_true(w.taken <= 512 << 10);
    world_verify(&w);
    fill(&w);
    world_verify(&w);
    assert_int_equal(w.heap->stats.peak, peak);
    cn_heap_trim(w.heap, 0); /* nothing is free */
    assert_int_equal(w.heap->stats.committed, w.taken);
    world_close(&w);
}

/* Objects larger than a line use the holes that small ones left, when there is nothing else. */
static void medium_objects_find_holes(void **state) {
    (void)state;
    struct world w;
    world_open(&w, &(struct heap_config){.most_bytes = 1 << 20});
    fill(&w);
    /* Of 64 pairs that lie side by side, keeps every 64th: holes of about 1,000 bytes. */
    for (uint32_t pair = (uint32_t)w.slots[0]; pair;) {
        uint32_t kept = pair;
        for (uint32_t k = 0; k < 64 && kept; k++)
            kept = next_of(&w, kept);
        set_next(&w, pair, kept);
        pair = kept;
    }
    uint32_t made = 0;
    while ((w.slots[1] = new_array(&w, T_ANYS, 180)) != 0 && made < 400) {
        heap_store(w.heap, heap_offset((uint32_t)w.slots[1]) + 8, (uint32_t)w.slots[2]);
        w.slots[2] = w.slots[1];
        made++;
    }
    assert_int_equal(made, 400);
    world_verify(&w);
    world_close(&w);
}

static uint32_t free_blocks(const struct world *w) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->heap->now.blocks; i++)
        count += w->heap->kinds[i] == 0;
    return count;
}

/* Objects that take most of a block leave the rest of it to small ones. */
static void small_objects_use_what_large_ones_leave(void **state) {
    (void)state;
    struct world w;
    world_open(&w, &(struct heap_config){.policy = HEAP_FULL});
    assert_true(new_array(&w, T_I8, 60 * HEAP_BLOCK) != 0);
    cn_heap_collect(w.heap);
    for (uint32_t i = 0; i < 40; i++)
        assert_true(new_array(&w, T_I8, HEAP_BLOCK * 5 / 8) != 0);
    uint32_t before = free_blocks(&w);
    for (uint32_t i = 0; i < 14 * (HEAP_BLOCK / 16); i++)
        assert_true(new_pair(&w, 0, 0) != 0);
    assert_in_range(free_blocks(&w), before - 1, before);
    world_verify(&w);
    world_close(&w);
}

/* Garbage of the time of marking is found before an allocation fails. */
static void garbage_that_was_made_while_marking(void **state) {
    (void)state;
    struct world w;
    world_open(&w, &(struct heap_config){.policy = HEAP_STEPS, .most_bytes = 1 << 20});
    new_list(&w, 2000);
    run_until(&w, HEAP_IDLE);
    run_until(&w, HEAP_MARKING);
    assert_true(new_array(&w, T_I8, 600000) != 0);
    assert_int_equal(w.heap->phase, HEAP_MARKING);
    assert_true(new_array(&w, T_I8, 600000) != 0);
    assert_int_equal(w.heap->stats.full, 2);
    world_close(&w);
}

/* Growth by what is missing to the free blocks at the end. */
static void free_blocks_at_the_end_count(void **state) {
    (void)state;
    struct world w;
    world_open(&w, &(struct heap_config){.most_bytes = 64 * HEAP_BLOCK});
    assert_true(new_array(&w, T_I8, 40 * HEAP_BLOCK) != 0);
    cn_heap_collect(w.heap);
    assert_true(new_array(&w, T_I8, 62 * HEAP_BLOCK) != 0);
    world_verify(&w);
    world_close(&w);
}

/* ---- Failing allocation ---- */

static bool build_something(struct world *w, const struct heap_config *config) {
    if (!world_try_heap(w, config))
        return false;
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t box = cn_heap_new_box(w->heap, host_slot(i, KIND_EXTERN));
        w->slots[1] = box;
        uint32_t pair = box ? new_pair(w, box, (uint32_t)w->slots[0]) : 0;
        if (!pair)
            return false;
        w->slots[0] = pair;
    }
    cn_heap_collect(w->heap);
    return true;
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    struct world w;
    bool done = false;
    uint32_t count = 0;
    for (; !done; count++) {
        world_open_types(&w);
        w.allocations_left = count;
        done = build_something(&w, &(struct heap_config){.nursery_bytes = 1000});
        w.allocations_left = INT64_MAX;
        if (w.heap) {
            world_verify(&w);
            cn_heap_collect(w.heap);
            world_verify(&w);
        }
        world_close(&w);
    }
    assert_true(count > 10);
}

/* ---- Pace and statistics ---- */

/* A live set of which nothing dies while garbage is made: the region stays near to one and a half of it. */
static void the_region_stays_near_the_live_bytes(void **state) {
    (void)state;
    struct world w;
    world_open(&w, &(struct heap_config){.nursery_bytes = 1 << 20});
    new_list(&w, 500000); /* 8 MB */
    for (uint32_t i = 0; i < 8000000; i++)
        assert_true(new_pair(&w, 0, 0) != 0);
    const struct heap_stats *stats = &w.heap->stats;
    assert_true(stats->collections >= 20 && stats->full == 0);
    assert_true(stats->live >= 8000000 && stats->live < 9000000);
    assert_true(stats->peak < 8000000 * 16 / 10 + (1 << 20));
    assert_true(stats->allocated ==
                UINT64_C(8500000) * 16 + (w.heap->now.limit - w.heap->now.cursor));
    assert_true(stats->increments > stats->collections);
    uint64_t pauses = 0;
    for (uint32_t i = 0; i < HEAP_PAUSES; i++)
        pauses += stats->pauses[i];
    assert_int_equal(pauses, stats->increments);
    assert_true(stats->longest_increment_ns <= stats->increment_ns);
    world_close(&w);
}

/* No increment looks at more than it should, however the objects are. */
static void increments_are_bounded(void **state) {
    (void)state;
    enum { STEP = 20000, LARGEST_STRUCT = 3000 * 4 + 100 };
    struct world w;
    world_open(&w, &(struct heap_config){.nursery_bytes = 200000, .step_bytes = STEP});
    w.slots[1] = new_array(&w, T_ANYS, 500000);
    for (uint32_t i = 0; i < 20; i++)
        heap_store(w.heap, heap_offset((uint32_t)w.slots[1]) + 8 + i * 4,
                   cn_heap_new_struct(w.heap, w.type[T_WIDE]));
    new_list(&w, 100000);
    uint64_t before = w.heap->work, largest = 0, increments = w.heap->stats.increments;
    uint64_t collections = w.heap->stats.collections;
    while (w.heap->stats.collections < collections + 3) {
        assert_true(new_pair(&w, 0, 0) != 0);
        uint64_t now = w.heap->work;
        if (now > before && now - before > largest)
            largest = now - before;
        before = now;
    }
    assert_true(w.heap->stats.full == 0 && w.heap->stats.increments - increments > 100);
    assert_in_range(largest, STEP, STEP + LARGEST_STRUCT);
    world_close(&w);
}

/* Garbage of all sizes with a live set that changes: no policy lets the region grow without bound. */
static void churn_does_not_grow_the_region(void **state) {
    (void)state;
    struct world w;
    uint64_t seed = 3, live = 0;
    world_open(&w, &(struct heap_config){.nursery_bytes = 1 << 20});
    uint32_t table = new_array(&w, T_ANYS, 2000);
    w.slots[0] = table;
    for (uint32_t i = 0; i < 400000; i++) {
        uint32_t length =
            world_random(&seed) % 4 ? world_random(&seed) % 60 : world_random(&seed) % 3000;
        uint32_t array = new_array(&w, T_I8, length);
        uint64_t at = heap_offset(table) + 8 + world_random(&seed) % 2000 * 4;
        assert_true(array != 0);
        cn_heap_overwrite(w.heap, heap_load(w.heap, at), false);
        heap_store(w.heap, at, array);
    }
    cn_heap_collect(w.heap);
    live = w.heap->stats.live;
    world_verify(&w);
    assert_true(w.heap->stats.peak < live * 5 / 2 + (2 << 20));
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_of_all_kinds_and_lengths),
        cmocka_unit_test(sizes_that_no_heap_has),
        cmocka_unit_test(arrays_that_their_user_fills),
        cmocka_unit_test(a_long_list_needs_no_recursion),
        cmocka_unit_test(the_mark_stack_may_be_short_of_memory),
        cmocka_unit_test(slots_that_look_like_handles),
        cmocka_unit_test(references_that_are_deleted_while_marking),
        cmocka_unit_test(references_that_move_while_marking),
        cmocka_unit_test(a_collection_writes_no_byte_of_the_region),
        cmocka_unit_test(no_address_lies_in_the_region),
        cmocka_unit_test(entries_live_as_long_as_references),
        cmocka_unit_test(a_circle_through_a_converted_reference_is_garbage),
        cmocka_unit_test(a_full_heap_fails_and_recovers),
        cmocka_unit_test(a_nearly_full_heap_does_not_collect_for_ever),
        cmocka_unit_test(the_budget_counts_what_is_committed),
        cmocka_unit_test(medium_objects_find_holes),
        cmocka_unit_test(small_objects_use_what_large_ones_leave),
        cmocka_unit_test(garbage_that_was_made_while_marking),
        cmocka_unit_test(free_blocks_at_the_end_count),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(the_region_stays_near_the_live_bytes),
        cmocka_unit_test(increments_are_bounded),
        cmocka_unit_test(churn_does_not_grow_the_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
