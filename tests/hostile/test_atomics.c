/*
 * Every atomic instruction against a naive model, in every form of the engine: on random operands, at all
 * addresses around the edges of the memory, aligned and not, with offsets that carry over.
 */
#include "hostile.h"

#include "../unit/opcode.h"

#define PAGE 65536u

/* ---- the model ---- */

struct effect {
    uint64_t result, memory; /* the access's bytes before and after, extended by zeros */
    catnap_trap_code_t trap; /* CATNAP_TRAP_HOST: none */
};

static unsigned width_of(uint32_t opcode) {
    return 1u << (cn_op_info[opcode].immediate - IMM_ATOMIC0);
}

static uint64_t cut(uint64_t value, unsigned bytes) {
    return bytes == 8 ? value : value & ((UINT64_C(1) << 8 * bytes) - 1);
}

static uint64_t updated(const char *name, unsigned width, uint64_t old, uint64_t a, uint64_t b) {
    if (strstr(name, ".add"))
        return old + a;
    if (strstr(name, ".sub"))
        return old - a;
    if (strstr(name, ".and"))
        return old & a;
    if (strstr(name, ".or"))
        return old | a;
    if (strstr(name, ".xor"))
        return old ^ a;
    if (strstr(name, ".xchg") || strstr(name, ".store"))
        return a;
    if (strstr(name, ".cmpxchg"))
        return old == cut(a, width) ? b : old;
    return old; /* a load, notify or wait */
}

static struct effect model(uint32_t opcode, uint64_t address, uint64_t old, uint64_t a,
                           uint64_t b) {
    const char *name = cn_op_name(&cn_op_info[opcode]);
    unsigned width = width_of(opcode);
    struct effect e = {.result = old, .memory = old, .trap = CATNAP_TRAP_HOST};
    if (address + width > PAGE)
        e.trap = CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS;
    else if (address % width != 0)
        e.trap = CATNAP_TRAP_UNALIGNED_ATOMIC;
    else if (strstr(name, ".wait"))
        e.trap = CATNAP_TRAP_EXPECTED_SHARED_MEMORY;
    else if (strstr(name, ".notify"))
        e.result = 0;
    else
        e.memory = cut(updated(name, width, old, a, b), width);
    return e;
}

/* ---- the module: a function for each instruction and offset ---- */

static const uint32_t offsets[] = {0, 8, 3, PAGE - 8, UINT32_MAX};

static void name_of(char name[16], uint32_t opcode, size_t offset) {
    snprintf(name, 16, "%x_%zu", opcode - OPCODE_FE, offset);
}

static bool is_access(uint32_t opcode) {
    const struct op_info *info = &cn_op_info[opcode];
    return cn_op_name(info) && info->immediate >= IMM_ATOMIC0 && info->immediate <= IMM_ATOMIC3;
}

static struct bytes make_module(void) {
    struct module_builder m = {0};
    add_memory(&m, 1, 1);
    export_item(&m, "memory", 2, 0);
    for (uint32_t opcode = OPCODE_FE; opcode < OPCODE_FB; opcode++) {
        const struct op_info *info = &cn_op_info[opcode];
        if (!is_access(opcode))
            continue;
        uint32_t type = add_type_n(&m, info->operands, info->operand_count, &info->result,
                                   info->result != OPT_NOTHING);
        for (size_t i = 0; i < COUNT(offsets); i++) {
            struct bytes f = {0};
            char name[16];
            put(&f, 0);
            for (unsigned k = 0; k < info->operand_count; k++)
                PUT(&f, LOCAL_GET, (uint8_t)k);
            put_opcode(&f, opcode);
            put_u(&f, info->immediate - IMM_ATOMIC0);
            put_u(&f, offsets[i]);
            put(&f, END);
            name_of(name, opcode, i);
            add_func(&m, name, type, &f);
        }
    }
    return finish(&m);
}

/* ---- the comparison ---- */

static void compare(struct world *w, uint8_t *memory, uint32_t opcode, size_t which,
                    uint32_t address, uint64_t old, const uint64_t *operands) {
    const struct op_info *info = &cn_op_info[opcode];
    unsigned width = width_of(opcode);
    uint64_t at = (uint64_t)address + offsets[which], now = 0;
    bool inside = at + width <= PAGE;
    uint64_t a = cut(operands[0], info->operands[1] == OPT_I32 ? 4 : 8),
             b = cut(operands[1], info->operands[2] == OPT_I32 ? 4 : 8);
    struct effect e = model(opcode, at, cut(old, width), a, b);
    char name[16];
    name_of(name, opcode, which);
    if (inside)
        memcpy(memory + at, &old, width);
    const int64_t bits[3] = {(int64_t)address, (int64_t)a, (int64_t)b};
    if (e.trap != CATNAP_TRAP_HOST) {
        assert_int_equal(call_badly(w->instance, name, bits), e.trap);
    } else {
        uint64_t result = call_well(w->instance, name, bits);
        assert_true(result == (info->result == OPT_NOTHING ? 0 : e.result));
    }
    if (inside)
        memcpy(&now, memory + at, width);
    assert_true(!inside || now == e.memory);
}

static uint32_t any_address(uint64_t *random) {
    static const uint32_t edges[] = {0,          PAGE,           PAGE - 8,  PAGE + 8, PAGE - 1,
                                     UINT32_MAX, UINT32_MAX - 7, INT32_MAX, 64};
    uint64_t bits = next_random(random);
    uint32_t address = bits & 1 ? (uint32_t)(bits >> 8) % PAGE : edges[(bits >> 8) % COUNT(edges)];
    return bits & 6 ? address & ~7u : address + (bits >> 3) % 8;
}

/* Operands with few bits set, so that exchanges find what they expect. */
static uint64_t any_operand(uint64_t *random, uint64_t old) {
    uint64_t bits = next_random(random);
    switch (bits & 7) {
    case 0:
        return old;
    case 1:
        return old & 0xFF;
    case 2:
        return old & 0xFFFF;
    case 3:
        return old & UINT32_MAX;
    default:
        return bits >> (bits >> 3) % 64;
    }
}

static void judge(struct form form, uint64_t seed) {
    struct world w;
    open_world(&w, form);
    struct bytes b = make_module();
    w.instance = instantiate(w.store, &b, NULL, 0);
    drop_bytes(&b);
    wasm_extern_t *export = catnap_instance_export(w.instance, "memory", 6);
    assert_non_null(export);
    uint8_t *memory = (uint8_t *)wasm_memory_data(wasm_extern_as_memory(export));
    if (form.fuel)
        assert_null(catnap_store_set_fuel(w.store, UINT32_MAX));
    for (uint32_t opcode = OPCODE_FE; opcode < OPCODE_FB; opcode++)
        for (unsigned round = 0; is_access(opcode) && round < 400; round++) {
            uint64_t old = next_random(&seed);
            uint64_t operands[2] = {any_operand(&seed, old), any_operand(&seed, old)};
            compare(&w, memory, opcode, round % COUNT(offsets), any_address(&seed), old, operands);
        }
    wasm_extern_delete(export);
    close_world(&w);
}

static void instructions_do_what_the_model_does(void **state) {
    (void)state;
    judge((struct form){0}, 1);
    judge((struct form){.explicit_checks = true}, 2);
    judge((struct form){.fuel = true, .interruptible = true}, 3);
    judge((struct form){.eager = true, .interruptible = true, .explicit_checks = true}, 4);
    judge((struct form){.deferred = true, .profile_ops = true}, 5);
}

static void messages_say_where(void **state) {
    (void)state;
    struct world w;
    struct module_builder m = {0};
    struct bytes f = {0};
    wasm_message_t message;
    uint64_t bits;
    open_world(&w, (struct form){0});
    add_memory(&m, 1, 1);
    PUT(&f, 0, LOCAL_GET, 0, 0xFE, 0x10, 2, 4, END);
    add_func(&m, "load", add_type(&m, "i", "i"), &f);
    enter_module(&w, &m);
    static const struct {
        int64_t address;
        const char *message;
    } cases[] = {{2, "unaligned atomic: address 0x6"},
                 {65534, "out of bounds memory access: address 0x10002"},
                 {65530, "out of bounds memory access: address 0x10000"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        wasm_trap_t *trap = call_bits(w.instance, "load", &cases[i].address, &bits);
        assert_non_null(trap);
        wasm_trap_message(trap, &message);
        assert_string_equal(message.data, cases[i].message);
        wasm_byte_vec_delete(&message);
        wasm_trap_delete(trap);
    }
    close_world(&w);
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_do_what_the_model_does),
        cmocka_unit_test(messages_say_where),
    };
    note_fault_handler();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
