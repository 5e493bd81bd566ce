/*
 * Deterministic code computes the same on every machine. Random programs compute with floats and vectors of which many
 * are NaNs, signalling ones among them, and show all bits of what comes out. Their state has one hash, which is
 * written here: it is found again in every form of the library, on x86-64 and on AArch64. The programs are made here,
 * by the opcode table, and not by what other tests share, so that the hash stays.
 */
#include "../hostile/hostile.h"
#include "../unit/opcode.h"

#define PROGRAMS 200
#define STEPS 60
#define LOCALS 3 /* of each type */
#define EXPECTED_HASH UINT64_C(0x11921CA7B168882B)

static uint64_t next(uint64_t *random) {
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *random >> 33;
}

static const uint8_t types[] = {F32, F64, V128};
#define TYPES COUNT(types)

static uint32_t local_of(uint8_t type, uint64_t which) {
    return (uint32_t)((type == F32 ? 0u : type == F64 ? LOCALS : 2 * LOCALS) + which % LOCALS);
}

/* NaNs with and without payload, quiet and not, infinities, zeroes, small and large numbers. */
static const uint64_t doubles[] = {UINT64_C(0x7FF8000000000000), UINT64_C(0xFFF8000000000000),
                                   UINT64_C(0x7FF0000000000001), UINT64_C(0xFFF4567890ABCDEF),
                                   UINT64_C(0x7FFFFFFFFFFFFFFF), UINT64_C(0x7FF0000000000000),
                                   UINT64_C(0xFFF0000000000000), UINT64_C(0),
                                   UINT64_C(0x8000000000000000), UINT64_C(0x3FF0000000000000),
                                   UINT64_C(0xC00921FB54442D18), UINT64_C(0x0000000000000001),
                                   UINT64_C(0x7FEFFFFFFFFFFFFF)};
static const uint32_t floats[] = {0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFA34567, 0x7FFFFFFF,
                                  0x7F800000, 0xFF800000, 0,          0x80000000, 0x3F800000,
                                  0xC0490FDB, 0x00000001, 0x7F7FFFFF};

static uint64_t vector_half(uint64_t *random) {
    if (next(random) % 2)
        return doubles[next(random) % COUNT(doubles)];
    uint64_t low = floats[next(random) % COUNT(floats)];
    return low | (uint64_t)floats[next(random) % COUNT(floats)] << 32;
}

static void put_constant(struct bytes *f, uint8_t type, uint64_t *random) {
    if (type == F32) {
        put(f, 0x43);
        put_bytes(f, &floats[next(random) % COUNT(floats)], 4);
    } else if (type == F64) {
        put(f, 0x44);
        put_bytes(f, &doubles[next(random) % COUNT(doubles)], 8);
    } else {
        uint64_t low = vector_half(random);
        v128_const(f, low, vector_half(random));
    }
}

/* Instructions of floats and vectors alone. */
static bool is_usable(const struct op_info *info) {
    if (!cn_op_name(info) || info->immediate != IMM_NONE || info->operand_count == 0 ||
        (info->result != F32 && info->result != F64 && info->result != V128))
        return false;
    for (uint8_t i = 0; i < info->operand_count; i++)
        if (info->operands[i] != F32 && info->operands[i] != F64 && info->operands[i] != V128)
            return false;
    return true;
}

/* One in three is an instruction that may give a NaN. */
static uint32_t any_opcode(uint64_t *random) {
    for (bool nan = next(random) % 3 == 0;;) {
        uint32_t opcode = next(random) % 2 ? OP_f32_abs + (uint32_t)(next(random) % 64)
                                           : (uint32_t)(next(random) % OPCODE_FB);
        if (is_usable(&cn_op_info[opcode]) && (!nan || (cn_op_info[opcode].flags & OPF_GIVES_NAN)))
            return opcode;
    }
}

/* Pushes a value: a constant, a local, or what an instruction makes of such. */
static void push_value(struct bytes *f, uint8_t type, uint64_t *random, unsigned depth) {
    uint64_t way = next(random) % 8;
    if (way == 0) {
        put_constant(f, type, random);
        return;
    }
    uint32_t opcode = way < 4 && depth < 4 ? any_opcode(random) : 0;
    const struct op_info *info = &cn_op_info[opcode];
    if (opcode == 0 || info->result != type) {
        op_u(f, LOCAL_GET, local_of(type, next(random)));
        return;
    }
    for (uint8_t i = 0; i < info->operand_count; i++)
        push_value(f, info->operands[i], random, depth + 1);
    put_opcode(f, opcode);
}

static void put_step(struct bytes *f, uint64_t *random) {
    uint32_t opcode = any_opcode(random);
    const struct op_info *info = &cn_op_info[opcode];
    for (uint8_t i = 0; i < info->operand_count; i++)
        push_value(f, info->operands[i], random, 0);
    put_opcode(f, opcode);
    bool tee = next(random) % 4 == 0; /* before the local: arguments have no order */
    op_u(f, tee ? LOCAL_TEE : 0x21, local_of(info->result, next(random)));
    if (tee)
        put(f, 0x1A);
}

/* Stores all locals from an address on. */
static uint32_t put_stores(struct bytes *f, uint32_t address) {
    for (size_t t = 0; t < TYPES; t++)
        for (uint32_t i = 0; i < LOCALS; i++, address += 16) {
            i32_const(f, (int32_t)address);
            op_u(f, LOCAL_GET, local_of(types[t], i));
            if (types[t] == V128)
                simd(f, 11);
            else
                put(f, types[t] == F32 ? 0x38 : 0x39);
            PUT(f, 0, 0);
        }
    return address;
}

/* In a loop of two turns, since only functions with loops have pinned locals. */
static struct bytes make_module(uint64_t seed) {
    struct module_builder m = {0};
    struct bytes f = {0};
    uint64_t random = seed * 2 + 1;
    uint32_t counter = TYPES * LOCALS, address = 0;
    PUT(&f, 4, LOCALS, F32, LOCALS, F64, LOCALS, V128, 1, I32);
    for (size_t t = 0; t < TYPES; t++)
        for (uint32_t i = 0; i < LOCALS; i++) {
            put_constant(&f, types[t], &random);
            op_u(&f, 0x21, local_of(types[t], i));
        }
    PUT(&f, 0x03, 0x40);
    for (unsigned i = 0; i < STEPS; i++) {
        put_step(&f, &random);
        if (i % 20 == 19)
            address = put_stores(&f, address);
    }
    op_u(&f, LOCAL_GET, counter);
    PUT(&f, 0x41, 1, I32_ADD);
    op_u(&f, LOCAL_TEE, counter);
    PUT(&f, 0x41, 2, 0x49, 0x0D, 0, END, END); /* br_if less than 2 */
    add_memory(&m, 1, 1);
    export_item(&m, "memory", AS_MEMORY, 0);
    add_func(&m, "run", add_type(&m, "", ""), &f);
    return finish(&m);
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
    return hash;
}

/* A configuration of an engine, of which all have to compute the same. */
struct way {
    bool fuel, explicit_checks, interruptible;
    catnap_translation_t translation;
    uint64_t slice;
};

static wasm_engine_t *engine_of(const struct way *way, bool deterministic) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_deterministic(config, deterministic);
    catnap_config_set_fuel(config, way->fuel);
    catnap_config_set_interruptible(config, way->interruptible);
    catnap_config_set_translation(config, way->translation);
    if (way->explicit_checks)
        catnap_config_set_bounds_checks(config, CATNAP_BOUNDS_EXPLICIT);
    return wasm_engine_new_with_config(config);
}

/* Calls `run`, in slices of so much fuel. The memory between slices is no matter. */
static void run_program(wasm_store_t *store, const wasm_instance_t *instance, uint64_t slice) {
    wasm_func_t *func = get_func(instance, "run");
    if (slice == 0) {
        assert_null(catnap_func_call(func, NULL, 0, NULL, 0));
    } else {
        catnap_run_t *run = catnap_run_new(func, NULL, 0, NULL);
        catnap_status_t status = CATNAP_OUT_OF_FUEL;
        wasm_trap_t *trap = NULL;
        assert_non_null(run);
        while (status == CATNAP_OUT_OF_FUEL) {
            assert_null(catnap_store_set_fuel(store, catnap_store_fuel(store) + slice));
            status = catnap_run_resume(run, NULL, 0, &trap);
        }
        assert_int_equal(status, CATNAP_OK);
        catnap_run_delete(run);
    }
    wasm_func_delete(func);
}

static uint64_t hash_of_programs(const struct way *way, bool deterministic, uint64_t programs) {
    wasm_engine_t *engine = engine_of(way, deterministic);
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (uint64_t seed = 0; seed < programs; seed++) {
        wasm_store_t *store = wasm_store_new(engine);
        struct bytes b = make_module(seed);
        wasm_instance_t *instance = instantiate(store, &b, NULL, 0);
        run_program(store, instance, way->slice);
        wasm_extern_t *memory = catnap_instance_export(instance, "memory", 6);
        hash = hash_bytes(hash, (const uint8_t *)wasm_memory_data(wasm_extern_as_memory(memory)),
                          4096);
        wasm_extern_delete(memory);
        wasm_instance_delete(instance);
        drop_bytes(&b);
        wasm_store_delete(store);
    }
    wasm_engine_delete(engine);
    return hash;
}

static void state_has_one_hash_everywhere(void **state) {
    (void)state;
    const struct way plain = {0};
    uint64_t hash = hash_of_programs(&plain, true, PROGRAMS);
    if (hash != EXPECTED_HASH)
        fail_msg("the hash is 0x%016llX", (unsigned long long)hash);
}

static void forms_compute_the_same(void **state) {
    (void)state;
    static const struct way ways[] = {
        {.fuel = true, .slice = 1000000},
        {.fuel = true, .slice = 1},
        {.fuel = true, .interruptible = true, .slice = 7},
        {.explicit_checks = true},
        {.interruptible = true, .translation = CATNAP_TRANSLATION_EAGER},
        {.translation = CATNAP_TRANSLATION_DEFERRED},
    };
    const struct way plain = {0};
    uint64_t hash = hash_of_programs(&plain, true, PROGRAMS / 4);
    for (size_t i = 0; i < COUNT(ways); i++)
        assert_true(hash_of_programs(&ways[i], true, PROGRAMS / 4) == hash);
}

/* Each instruction that may give a NaN, of all pairs of such numbers: one that comes is the canonical one. */
static void nans_are_canonical(void **state) {
    (void)state;
    uint64_t random = 1;
    uint32_t nans = 0;
    const struct way plain = {0};
    wasm_engine_t *engine = engine_of(&plain, true);
    for (uint32_t opcode = 0; opcode < OPCODE_LIMIT; opcode++) {
        const struct op_info *info = &cn_op_info[opcode];
        if (!cn_op_name(info) || !(info->flags & OPF_GIVES_NAN))
            continue;
        struct module_builder m = {0};
        struct bytes f = {0};
        put(&f, 0);
        for (uint32_t i = 0; i < 200; i++) {
            i32_const(&f, (int32_t)i * 16);
            for (uint8_t k = 0; k < info->operand_count; k++)
                put_constant(&f, info->operands[k], &random);
            put_opcode(&f, opcode);
            if (info->result == V128)
                simd(&f, 11);
            else
                put(&f, info->result == F32 ? 0x38 : 0x39);
            PUT(&f, 0, 0);
        }
        put(&f, END);
        add_memory(&m, 1, 1);
        export_item(&m, "memory", AS_MEMORY, 0);
        add_func(&m, "run", add_type(&m, "", ""), &f);
        struct bytes b = finish(&m);
        wasm_store_t *store = wasm_store_new(engine);
        wasm_instance_t *instance = instantiate(store, &b, NULL, 0);
        run_program(store, instance, 0);
        wasm_extern_t *memory = catnap_instance_export(instance, "memory", 6);
        const uint8_t *data = (const uint8_t *)wasm_memory_data(wasm_extern_as_memory(memory));
        bool single = info->result == F32 || cn_op_name(info)[1] == '3';
        for (size_t at = 0; at < 3200; at += single ? 4 : 8) {
            uint64_t bits = 0;
            memcpy(&bits, data + at, single ? 4 : 8);
            uint64_t size = single ? bits & 0x7FFFFFFF : bits & UINT64_C(0x7FFFFFFFFFFFFFFF);
            if (size <= (single ? UINT64_C(0x7F800000) : UINT64_C(0x7FF0000000000000)))
                continue;
            nans++;
            if (bits != (single ? UINT64_C(0x7FC00000) : UINT64_C(0x7FF8000000000000)))
                fail_msg("%s gives the NaN 0x%llx", cn_op_name(info), (unsigned long long)bits);
        }
        wasm_extern_delete(memory);
        wasm_instance_delete(instance);
        wasm_store_delete(store);
        drop_bytes(&b);
    }
    assert_true(nans > 5000);
    wasm_engine_delete(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_has_one_hash_everywhere),
        cmocka_unit_test(forms_compute_the_same),
        cmocka_unit_test(nans_are_canonical),
    };
    note_fault_handler();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
