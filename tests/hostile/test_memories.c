/*
 * Several memories and 64-bit addresses: every access of scalars, whole vectors and lanes at all edges of
 * addresses, offsets and sizes, against sums of 128 bits, in every form of the engine; and a memory of 8 GiB, which
 * is grown, written beyond 4 GiB, rolled back, and captured.
 */
#include "hostile.h"

#include "../unit/opcode.h"

#define PAGE UINT64_C(65536)

typedef unsigned __int128 uint128;

/* ---- Edges ---- */

/* The memories of the module, in pages. */
static const struct {
    bool is_64;
    uint64_t pages;
} memories[] = {{true, 3}, {false, 2}, {true, 0}};

static const uint64_t offsets_64[] = {
    0,          1,          PAGE - 8,        3 * PAGE - 4,     3 * PAGE,
    UINT32_MAX, 1ull << 32, 1ull << 34,      (1ull << 34) - 1, 1ull << 62,
    1ull << 63, INT64_MAX,  UINT64_MAX - 15, UINT64_MAX - 7,   UINT64_MAX};
static const uint64_t offsets_32[] = {0, 1, PAGE - 8, 2 * PAGE - 4, 2 * PAGE, UINT32_MAX};

static bool is_access(uint32_t opcode) {
    const struct op_info *info = &cn_op_info[opcode];
    return cn_op_name(info) && info->immediate >= IMM_MEM0 && info->immediate <= IMM_MEM3_LANE &&
           opcode < OPCODE_FE;
}

static bool has_lane(uint32_t opcode) {
    return cn_op_info[opcode].immediate >= IMM_MEM0_LANE;
}

static unsigned width_of(uint32_t opcode) {
    uint8_t immediate = cn_op_info[opcode].immediate;
    /* Two that extend two lanes are no longer than they say; memargs are natural throughout. */
    return 1u << (immediate - (has_lane(opcode) ? IMM_MEM0_LANE : IMM_MEM0));
}

static void name_of(char name[32], uint32_t opcode, unsigned memory, size_t offset) {
    snprintf(name, 32, "%x_%u_%zu", opcode, memory, offset);
}

static size_t offset_count(unsigned memory) {
    return memories[memory].is_64 ? COUNT(offsets_64) : COUNT(offsets_32);
}

static uint64_t offset_of(unsigned memory, size_t which) {
    return memories[memory].is_64 ? offsets_64[which] : offsets_32[which];
}

static void put_constant(struct bytes *f, uint8_t type) {
    switch (type) {
    case I32:
        i32_const(f, -1);
        break;
    case I64:
        i64_const(f, -1);
        break;
    case F32:
        PUT(f, 0x43, 0, 0, 0xC0, 0x7F);
        break;
    case F64:
        PUT(f, 0x44, 0, 0, 0, 0, 0, 0, 0xF8, 0x7F);
        break;
    default:
        v128_const(f, UINT64_MAX, UINT64_MAX);
        break;
    }
}

/* A function of an address that makes the access and drops its result. */
static void add_access(struct module_builder *m, uint32_t opcode, unsigned memory, size_t offset) {
    const struct op_info *info = &cn_op_info[opcode];
    struct bytes f = {0};
    char name[32];
    PUT(&f, 0, LOCAL_GET, 0);
    if (info->operand_count == 2)
        put_constant(&f, info->operands[1]);
    put_opcode(&f, opcode);
    put_u(&f, (info->immediate - (has_lane(opcode) ? IMM_MEM0_LANE : IMM_MEM0)) |
                  (memory ? MEMARG_HAS_MEMORY : 0));
    if (memory)
        put_u(&f, memory);
    put_u(&f, offset_of(memory, offset));
    if (has_lane(opcode))
        put(&f, 0);
    if (info->result != OPT_NOTHING)
        put(&f, DROP);
    put(&f, END);
    name_of(name, opcode, memory, offset);
    add_func(m, name, add_type(m, memories[memory].is_64 ? "I" : "i", ""), &f);
}

static void add_memories(struct module_builder *m) {
    for (unsigned i = 0; i < COUNT(memories); i++)
        add_memory_as(m, memories[i].is_64 ? LIMITS_64 : 0, memories[i].pages, NO_MAX);
}

static uint64_t any_address(unsigned memory, uint64_t offset, unsigned width, uint64_t *random) {
    uint64_t size = memories[memory].pages * PAGE, bits = next_random(random);
    const uint64_t edges[] = {0,
                              size,
                              size - width,
                              size - width - offset,
                              size - width - offset + 1,
                              0 - offset,
                              0 - offset - 1,
                              0 - offset - width,
                              0 - offset - width + 1,
                              UINT64_MAX,
                              1ull << 32,
                              (1ull << 32) - 1,
                              1ull << 34,
                              (1ull << 34) - 1,
                              (1ull << 34) - width,
                              1ull << 63,
                              bits >> 8,
                              (bits >> 8) % (size + 1)};
    uint64_t address = edges[bits % COUNT(edges)];
    return memories[memory].is_64 ? address : (uint32_t)address;
}

static void compare(const struct world *w, uint32_t opcode, unsigned memory, size_t which,
                    uint64_t address) {
    uint128 end = (uint128)address + offset_of(memory, which) + width_of(opcode);
    const int64_t argument = (int64_t)address;
    char name[32];
    name_of(name, opcode, memory, which);
    if (end <= memories[memory].pages * PAGE)
        call_well(w->instance, name, &argument);
    else
        assert_int_equal(call_badly(w->instance, name, &argument),
                         CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
}

static void judge(struct form form, uint64_t seed) {
    struct world w;
    struct module_builder m = {0};
    open_world(&w, form);
    add_memories(&m);
    for (uint32_t opcode = 0; opcode < OPCODE_FE; opcode++)
        for (unsigned memory = 0; is_access(opcode) && memory < COUNT(memories); memory++)
            for (size_t i = 0; i < offset_count(memory); i++)
                add_access(&m, opcode, memory, i);
    struct bytes b = finish(&m);
    w.instance = instantiate(w.store, &b, NULL, 0);
    drop_bytes(&b);
    if (form.fuel)
        assert_null(catnap_store_set_fuel(w.store, UINT32_MAX));
    for (uint32_t opcode = 0; opcode < OPCODE_FE; opcode++)
        for (unsigned memory = 0; is_access(opcode) && memory < COUNT(memories); memory++)
            for (unsigned round = 0; round < 60; round++) {
                size_t which = next_random(&seed) % offset_count(memory);
                uint64_t address =
                    any_address(memory, offset_of(memory, which), width_of(opcode), &seed);
                compare(&w, opcode, memory, which, address);
            }
    close_world(&w);
}

static void accesses_trap_at_exactly_the_edges(void **state) {
    (void)state;
    judge((struct form){0}, 1);
    judge((struct form){.explicit_checks = true}, 2);
    judge((struct form){.fuel = true, .interruptible = true}, 3);
    judge((struct form){.eager = true, .interruptible = true, .explicit_checks = true}, 4);
    judge((struct form){.deferred = true, .profile_ops = true}, 5);
}

/* ---- Bulk instructions between memories ---- */

static void add_bulk(struct module_builder *m) {
    struct bytes f = {0};
    add_memories(m);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFC, 10, 0, 1, END);
    add_func(m, "copy_64_from_32", add_type(m, "Iii", ""), &f);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFC, 10, 0, 2, END);
    add_func(m, "copy_64_from_64", add_type(m, "III", ""), &f);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFC, 11, 0, END);
    add_func(m, "fill", add_type(m, "IiI", ""), &f);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFC, 8, 0, 0, END);
    add_func(m, "init", add_type(m, "Iii", ""), &f);
    PUT(&f, 0, LOCAL_GET, 0, 0x40, 0, END);
    add_func(m, "grow", add_type(m, "I", "I"), &f);
    PUT(&f, 0, 0x3F, 0, END);
    add_func(m, "size", add_type(m, "", "I"), &f);
    add_data_count(m, 1);
    add_passive_data(m, "12345678", 8);
}

static void bulk_instructions_check_all_64_bits(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    open_world(&w, (struct form){.interruptible = true});
    add_bulk(&m);
    enter_module(&w, &m);
    const int64_t size = 3 * PAGE, high = INT64_C(1) << 32, wraps = -4;
    const catnap_trap_code_t out = CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS;
    CALL_EXPORT(w.instance, "fill", size, 1, 0);
    CALL_EXPORT(w.instance, "fill", size - 5, 1, 5);
    assert_int_equal(CALL_TRAP(w.instance, "fill", size - 5, 1, 6), out);
    assert_int_equal(CALL_TRAP(w.instance, "fill", high, 1, 0), out);
    assert_int_equal(CALL_TRAP(w.instance, "fill", 0, 1, high), out);
    assert_int_equal(CALL_TRAP(w.instance, "fill", wraps, 1, 8), out);
    assert_int_equal(CALL_TRAP(w.instance, "fill", 8, 1, wraps), out);
    CALL_EXPORT(w.instance, "copy_64_from_32", size - 5, 2 * (int64_t)PAGE - 5, 5);
    assert_int_equal(CALL_TRAP(w.instance, "copy_64_from_32", high, 0, 0), out);
    assert_int_equal(CALL_TRAP(w.instance, "copy_64_from_32", 0, 2 * (int64_t)PAGE, 1), out);
    CALL_EXPORT(w.instance, "copy_64_from_64", size, 0, 0);
    assert_int_equal(CALL_TRAP(w.instance, "copy_64_from_64", 0, 0, 1), out);
    assert_int_equal(CALL_TRAP(w.instance, "copy_64_from_64", 0, high, 0), out);
    assert_int_equal(CALL_TRAP(w.instance, "copy_64_from_64", wraps, wraps, 8), out);
    CALL_EXPORT(w.instance, "init", size - 8, 0, 8);
    assert_int_equal(CALL_TRAP(w.instance, "init", size - 7, 0, 8), out);
    assert_int_equal(CALL_TRAP(w.instance, "init", wraps, 0, 8), out);
    assert_int_equal(CALL_TRAP(w.instance, "init", 0, 1, 8), out);
    assert_true(CALL_EXPORT(w.instance, "grow", high) == UINT64_MAX);
    assert_true(CALL_EXPORT(w.instance, "grow", -1) == UINT64_MAX);
    assert_int_equal(CALL_EXPORT(w.instance, "grow", 1), 3);
    assert_int_equal(CALL_EXPORT(w.instance, "size"), 4);
    close_world(&w);
}

/* ---- 8 GiB ---- */

#define GIB (INT64_C(1) << 30)
#define PAGES_OF_8_GIB (8 * GIB / (int64_t)PAGE)

static void add_large(struct module_builder *m) {
    struct bytes f = {0};
    add_memory_as(m, LIMITS_64, 1, NO_MAX);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, 0x37, 3, 0, END);
    add_func(m, "store", add_type(m, "II", ""), &f);
    PUT(&f, 0, LOCAL_GET, 0, 0x29, 3, 0, END);
    add_func(m, "load", add_type(m, "I", "I"), &f);
    PUT(&f, 0, LOCAL_GET, 0, 0x40, 0, END);
    add_func(m, "grow", add_type(m, "I", "I"), &f);
}

static void check_restored(struct world *w, const catnap_snapshot_t *snapshot, uint64_t expected) {
    const int64_t high = 5 * GIB + 8, last = 8 * GIB - 8, beyond = 8 * GIB - 7;
    wasm_store_t *store = wasm_store_new(w->engine);
    catnap_linker_t *linker = catnap_linker_new(store);
    wasm_instance_t *copy = NULL;
    assert_null(catnap_snapshot_restore(snapshot, linker, NULL, &copy, NULL));
    assert_int_equal(call_well(copy, "load", &high), expected);
    assert_int_equal(call_well(copy, "load", &last), 88);
    assert_int_equal(call_badly(copy, "load", &beyond), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
    wasm_instance_delete(copy);
    catnap_linker_delete(linker);
    wasm_store_delete(store);
}

/* The snapshot written, whole or as the difference to another one, and read again. */
static catnap_snapshot_t *write_and_read(struct world *w, const catnap_snapshot_t *snapshot,
                                         const catnap_snapshot_t *base) {
    catnap_save_options_t save = {.with_modules = true, .base = base};
    catnap_open_options_t open = {.base = base};
    catnap_error_t *error = NULL;
    wasm_byte_vec_t bytes;
    assert_null(catnap_snapshot_write(snapshot, &save, &bytes));
    assert_true(bytes.size < 16 << 20); /* pages that were never written are not there */
    catnap_snapshot_t *read =
        catnap_snapshot_read(w->engine, (const uint8_t *)bytes.data, bytes.size, &open, &error);
    assert_null(error);
    wasm_byte_vec_delete(&bytes);
    return read;
}

static void check_snapshots(struct world *w) {
    catnap_error_t *error = NULL;
    catnap_snapshot_t *first = catnap_snapshot_take(w->store, NULL, &error);
    assert_non_null(first);
    check_restored(w, first, 55);
    catnap_snapshot_t *whole = write_and_read(w, first, NULL);
    check_restored(w, whole, 55);
    CALL_EXPORT(w->instance, "store", 5 * GIB + 8, 56);
    catnap_snapshot_t *second = catnap_snapshot_take(w->store, NULL, &error);
    assert_non_null(second);
    catnap_snapshot_t *delta = write_and_read(w, second, whole);
    check_restored(w, delta, 56);
    catnap_snapshot_delete(delta);
    catnap_snapshot_delete(second);
    catnap_snapshot_delete(whole);
    catnap_snapshot_delete(first);
}

static void work_beyond_4_gib(struct form form) {
    struct world w;
    struct module_builder m = {0};
    open_world(&w, form);
    add_large(&m);
    enter_module(&w, &m);
    assert_int_equal(CALL_EXPORT(w.instance, "grow", PAGES_OF_8_GIB - 1), 1);
    assert_true(CALL_EXPORT(w.instance, "grow", 1000000) == UINT64_MAX);
    CALL_EXPORT(w.instance, "store", 5 * GIB + 8, 55);
    CALL_EXPORT(w.instance, "store", 8 * GIB - 8, 88);
    CALL_EXPORT(w.instance, "store", 8, 8);
    assert_int_equal(CALL_TRAP(w.instance, "store", 8 * GIB - 7, 1),
                     CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
    assert_int_equal(CALL_EXPORT(w.instance, "load", GIB + 8), 0); /* no address is cut */
    uint32_t level;
    assert_null(catnap_store_checkpoint(w.store, &level));
    CALL_EXPORT(w.instance, "store", 5 * GIB + 8, 1);
    CALL_EXPORT(w.instance, "store", 7 * GIB, 1);
    assert_null(catnap_store_rollback(w.store, level));
    assert_int_equal(CALL_EXPORT(w.instance, "load", 5 * GIB + 8), 55);
    assert_int_equal(CALL_EXPORT(w.instance, "load", 7 * GIB), 0);
    assert_null(catnap_store_release(w.store, 0));
    check_snapshots(&w);
    close_world(&w);
}

static void a_memory_of_8_gib_works_whole(void **state) {
    (void)state;
    work_beyond_4_gib((struct form){0});
    work_beyond_4_gib((struct form){.explicit_checks = true});
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accesses_trap_at_exactly_the_edges),
        cmocka_unit_test(bulk_instructions_check_all_64_bits),
        cmocka_unit_test(a_memory_of_8_gib_works_whole),
    };
    note_fault_handler();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
