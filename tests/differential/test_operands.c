/*
 * Every plain instruction of the opcode table, with its operands in every place where a value can
 * be (a parameter, a local, a temporary, the accumulator, a constant, a global), its result
 * consumed in every way, in frames of every size around the reach of a 16-bit slot: all against the
 * same instruction in its plainest form.
 */
#include "../hostile/hostile.h"

#include "../unit/opcode.h"

/* Where an operand is. */
enum place { PARAM, LOCAL, TEMP, ACCUMULATOR, CONSTANT, GLOBAL, PLACES };
/* The use of the result. The last ones are for i32 and make a small number of it. */
enum consumer {
    RETURNED,
    SET,
    TEED,
    CHAINED,
    STORED,
    PASSED,
    SET_GLOBAL,
    DROPPED_BELOW,
    IF_,
    BR_IF_,
    BR_UNLESS,
    SELECTED,
    BR_TABLE_,
    CONSUMERS
};

#define VALUES 8
#define BYTES 512 /* of memory that instructions work on */

struct value {
    uint64_t low, high;
};

/* One function under test. */
struct variant {
    enum place places[3];
    enum consumer consumer;
    uint32_t padding; /* locals in front, which push everything out of reach */
    uint32_t tuple;   /* of the constants */
};

struct context {
    const struct op_info *info;
    uint32_t opcode, lane, offset;
    struct value values[VALUES][3];
    uint32_t identity[5], type, result_code;
    struct variant *variants;
    size_t count, room;
};

/* ---- Values ---- */

static struct value value_of(uint8_t type, uint64_t *random) {
    static const uint64_t i32s[] = {0, 1, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 31, 100};
    static const uint64_t i64s[] = {0, 1, UINT64_MAX, UINT64_C(1) << 63, INT64_MAX, 63, 100};
    static const uint64_t f32s[] = {0,          0x80000000, 0x3F800000, 0xBF800000, 0x7F800000,
                                    0x7FC00000, 0x4F000000, 0x00000001, 0x42F6E979, 0xFFA00000};
    static const uint64_t f64s[] = {0,
                                    UINT64_C(1) << 63,
                                    UINT64_C(0x3FF0000000000000),
                                    UINT64_C(0xBFF0000000000000),
                                    UINT64_C(0x7FF0000000000000),
                                    UINT64_C(0x7FF8000000000000),
                                    UINT64_C(0x41E0000000000000),
                                    1,
                                    UINT64_C(0x405EDD2F1A9FBE77),
                                    UINT64_C(0xFFF4000000000000)};
    uint64_t r = next_random(random), pick = r >> 32;
    switch (type) {
    case I32:
        return (struct value){pick % 3 ? i32s[pick % COUNT(i32s)] : (uint32_t)r, 0};
    case I64:
        return (struct value){pick % 3 ? i64s[pick % COUNT(i64s)] : r, 0};
    case F32:
        return (struct value){pick % 3 ? f32s[pick % COUNT(f32s)] : (uint32_t)r, 0};
    case F64:
        return (struct value){pick % 3 ? f64s[pick % COUNT(f64s)] : r, 0};
    default:
        return (struct value){r, next_random(random)};
    }
}

static bool is_memory_op(const struct op_info *info) {
    return info->immediate >= IMM_ATOMIC0 || info->immediate == IMM_MEMORY_COPY ||
           (info->immediate == IMM_MEMORY && info->operand_count == 3);
}

static void choose_values(struct context *c) {
    uint64_t random = c->opcode;
    for (size_t i = 0; i < VALUES; i++)
        for (unsigned k = 0; k < c->info->operand_count; k++) {
            c->values[i][k] = value_of(c->info->operands[k], &random);
            if (is_memory_op(c->info) && c->info->operands[k] == I32 &&
                (k == 0 || c->info->operand_count == 3))
                c->values[i][k].low = i == 7 ? 0xFFFFFFF0 : next_random(&random) % (BYTES / 4);
        }
}

/* ---- Code ---- */

static void put_constant(struct bytes *f, uint8_t type, struct value v) {
    switch (type) {
    case I32:
        i32_const(f, (int32_t)v.low);
        break;
    case I64:
        i64_const(f, (int64_t)v.low);
        break;
    case F32:
        put(f, 0x43);
        put_bytes(f, &v.low, 4);
        break;
    case F64:
        put(f, 0x44);
        put_bytes(f, &v.low, 8);
        break;
    default:
        v128_const(f, v.low, v.high);
    }
}

static unsigned type_index(uint8_t type) {
    return I32 - type;
} /* I32 0 .. V128 4 */

/* The value on the stack goes through an instruction that leaves it as it is. */
static void put_no_change(struct bytes *f, uint8_t type, uint32_t spare) {
    switch (type) {
    case I32:
        i32_const(f, 0);
        put(f, 0x73);
        break;
    case I64:
        i64_const(f, 0);
        put(f, 0x85);
        break;
    case F32:
        PUT(f, 0xBC, 0xBE);
        break;
    case F64:
        PUT(f, 0xBD, 0xBF);
        break;
    default:
        op_u(f, LOCAL_TEE, spare);
        op_u(f, LOCAL_GET, spare);
        simd(f, 78); /* v128.and */
    }
}

static void put_operand(struct bytes *f, const struct context *c, const struct variant *v,
                        unsigned k, uint32_t locals) {
    uint8_t type = c->info->operands[k];
    switch (v->places[k]) {
    case PARAM:
        op_u(f, LOCAL_GET, k);
        break;
    case LOCAL:
        op_u(f, LOCAL_GET, locals + k);
        break;
    case TEMP:
        op_u(f, LOCAL_GET, k);
        op_u(f, CALL, c->identity[type_index(type)]);
        break;
    case ACCUMULATOR:
        op_u(f, LOCAL_GET, k);
        put_no_change(f, type, locals + 3);
        break;
    case CONSTANT:
        put_constant(f, type, c->values[v->tuple][k]);
        break;
    default:
        op_u(f, 0x23, 5 + k); /* global.get: see put_globals() */
    }
}

static void put_instruction(struct bytes *f, const struct context *c) {
    put_opcode(f, c->opcode);
    uint8_t immediate = c->info->immediate;
    if (immediate >= IMM_ATOMIC0) {
        put(f, immediate < IMM_MEM0 ? immediate - IMM_ATOMIC0 : 0);
        put_u(f, c->offset);
    }
    if (immediate >= IMM_MEM0_LANE)
        put(f, (uint8_t)(c->lane % (16u >> (immediate - IMM_MEM0_LANE))));
    else if (immediate >= IMM_LANE16 && immediate <= IMM_LANE2)
        put(f, (uint8_t)(c->lane % (16u >> (immediate - IMM_LANE16))));
    else if (immediate == IMM_SHUFFLE)
        for (unsigned i = 0; i < 16; i++)
            put(f, (uint8_t)((i * 7 + 3) % 32));
    else if (immediate == IMM_MEMORY_COPY)
        PUT(f, 0, 0);
    else if (immediate == IMM_MEMORY)
        put(f, 0);
}

static const uint8_t store_codes[] = {0x36, 0x37, 0x38, 0x39, 11},
                     load_codes[] = {0x28, 0x29, 0x2A, 0x2B, 0};

/* Through memory at the parameters' end of the page. */
static void put_store_and_load(struct bytes *f, uint8_t type, uint32_t local) {
    op_u(f, LOCAL_SET, local);
    for (unsigned load = 0; load < 2; load++) {
        i32_const(f, 60000);
        if (!load)
            op_u(f, LOCAL_GET, local);
        uint8_t code = (load ? load_codes : store_codes)[type_index(type)];
        if (type == V128)
            put(f, 0xFD);
        PUT(f, code, 0, 0);
    }
}

/* The operand is the result; i32 becomes 0, 1 or 2. */
static void put_choice(struct bytes *f, enum consumer consumer) {
    switch (consumer) {
    case IF_:
        PUT(f, IF, I32, 0x41, 1, ELSE, 0x41, 0, END);
        break;
    case SELECTED: /* the condition is on top already: needs the others below */
        break;
    case BR_IF_:
        PUT(f, BR_IF, 0, 0x41, 0, RETURN, END, 0x41, 1);
        break;
    case BR_UNLESS:
        PUT(f, 0x45, BR_IF, 0, 0x41, 1, RETURN, END, 0x41, 0);
        break;
    default:
        PUT(f, 0x0E, 2, 0, 1, 2, END, 0x41, 0, RETURN, END, 0x41, 1, RETURN, END, 0x41, 2);
    }
}

static void put_consumer(struct bytes *f, const struct context *c, enum consumer consumer,
                         uint32_t locals) {
    uint8_t type = c->info->result;
    uint32_t local = locals + 4;
    switch (consumer) {
    case RETURNED:
        break;
    case SET:
        op_u(f, LOCAL_SET, local);
        op_u(f, LOCAL_GET, local);
        break;
    case TEED:
        op_u(f, LOCAL_TEE, local);
        put(f, DROP);
        op_u(f, LOCAL_GET, local);
        break;
    case CHAINED:
        put_no_change(f, type, local);
        break;
    case STORED:
        put_store_and_load(f, type, local);
        break;
    case PASSED:
        op_u(f, CALL, c->identity[type_index(type)]);
        break;
    case SET_GLOBAL:
        op_u(f, 0x24, type_index(type));
        op_u(f, 0x23, type_index(type));
        break;
    case DROPPED_BELOW:
        PUT(f, 0x20, 0, DROP, BLOCK, EMPTY, END);
        break;
    default:
        put_choice(f, consumer);
    }
}

/* Blocks that are open around the instruction. */
static void put_opening(struct bytes *f, enum consumer consumer) {
    for (int i = consumer == BR_TABLE_ ? 3 : consumer == BR_IF_ || consumer == BR_UNLESS; i > 0;
         i--)
        PUT(f, BLOCK, EMPTY);
    if (consumer == SELECTED)
        PUT(f, 0x41, 1, 0x41, 0);
}

static void add_variant(struct module_builder *m, const struct context *c, const struct variant *v,
                        const char *name) {
    const struct op_info *info = c->info;
    struct bytes f = {0};
    uint32_t params = info->operand_count, locals = params + v->padding;
    /* padding; copies of the operands; a spare of the operands' last type; one for the result */
    put_u(&f, (v->padding ? 1 : 0) + params + 2);
    if (v->padding) {
        put_u(&f, v->padding);
        put(&f, I64);
    }
    for (unsigned k = 0; k < params; k++)
        PUT(&f, 1, info->operands[k]);
    uint32_t spares = 3 - params + 1; /* so that they always have the same index */
    PUT(&f, (uint8_t)spares, V128, 1, info->result ? info->result : I32);
    for (unsigned k = 0; k < params; k++) {
        op_u(&f, LOCAL_GET, k);
        op_u(&f, LOCAL_SET, locals + k);
        op_u(&f, LOCAL_GET, k);
        op_u(&f, 0x24, 5 + k);
    }
    put_opening(&f, v->consumer);
    for (unsigned k = 0; k < params; k++)
        put_operand(&f, c, v, k, locals);
    put_instruction(&f, c);
    if (info->result)
        put_consumer(&f, c, v->consumer, locals);
    if (v->consumer == SELECTED)
        put(&f, SELECT);
    put(&f, END);
    add_func(m, name, c->type, &f);
}

/* Globals 0 to 4 for results by type; 5 to 7 for operands. */
static void put_globals(struct module_builder *m, const struct op_info *info) {
    for (unsigned i = 0; i < 5u + info->operand_count; i++) {
        uint8_t type = (uint8_t)(i < 5 ? I32 - i : info->operands[i - 5]);
        struct bytes *b = add_item(m, GLOBALS);
        PUT(b, type, 1);
        put_constant(b, type, (struct value){0, 0});
        put(b, END);
    }
}

static const char *name_of(size_t i) {
    static char name[24];
    snprintf(name, sizeof name, "%zu", i);
    return name;
}

static void build(struct context *c, struct module_builder *m) {
    add_memory(m, 1, 1);
    put_globals(m, c->info);
    for (unsigned i = 0; i < 5; i++) {
        struct bytes f = {0};
        uint8_t type = (uint8_t)(I32 - i);
        PUT(&f, 0, LOCAL_GET, 0, END);
        c->identity[i] = add_func(m, NULL, add_type_n(m, &type, 1, &type, 1), &f);
    }
    uint8_t result = c->info->result;
    c->type = add_type_n(m, c->info->operands, c->info->operand_count, &result, result ? 1 : 0);
    export_item(m, "memory", 2, 0);
    for (size_t i = 0; i < c->count; i++)
        add_variant(m, c, &c->variants[i], name_of(i));
}

/* ---- Which variants ---- */

static void want(struct context *c, struct variant v) {
    if (c->count == c->room) {
        c->room = c->room * 2 + 64;
        c->variants = realloc(c->variants, c->room * sizeof *c->variants);
        assert_non_null(c->variants);
    }
    /* Frames whose slots lie before, around and behind the last that 16 bits name. */
    uint32_t padding = c->count % 5 == 4 ? 32740 + (uint32_t)(c->count * 7919 % 50) : 0;
    v.padding = c->count ? padding : 0;
    v.tuple = (uint32_t)(c->count % VALUES);
    c->variants[c->count++] = v;
}

/* The first is the plainest form: everything in temporaries, the result returned. */
static void choose_variants(struct context *c) {
    const struct op_info *info = c->info;
    unsigned places = PLACES, total = 1;
    unsigned consumers = !info->result ? 1 : info->result == I32 ? CONSUMERS : DROPPED_BELOW + 1;
    for (unsigned k = 0; k < info->operand_count; k++)
        total *= places;
    c->count = 0;
    want(c, (struct variant){{TEMP, TEMP, TEMP}, RETURNED, 0, 0});
    for (unsigned combination = 0; combination < total; combination++)
        for (unsigned consumer = 0; consumer < consumers; consumer++) {
            if (info->operand_count == 3 && (combination * 13 + consumer) % 7)
                continue; /* a sample */
            want(c, (struct variant){{combination % places, combination / places % places,
                                      combination / places / places},
                                     consumer,
                                     0,
                                     0});
        }
}

/* ---- Comparing ---- */

struct outcome {
    catnap_trap_code_t trap;
    catnap_val_t result;
    uint8_t bytes[BYTES];
};

static void fill_argument(catnap_val_t *out, uint8_t type, struct value v) {
    static const wasm_valkind_t kinds[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64, WASM_V128};
    *out = (catnap_val_t){.kind = kinds[type_index(type)]};
    memcpy(&out->of, &v, type == V128 ? 16 : 8);
}

static struct outcome run(struct world *w, const struct context *c, uint8_t *memory, size_t i,
                          const struct value *values) {
    struct outcome o;
    catnap_val_t arguments[3];
    memset(&o, 0, sizeof o);
    for (unsigned k = 0; k < BYTES; k++)
        memory[k] = (uint8_t)(k * 37 + 11);
    for (unsigned k = 0; k < c->info->operand_count; k++)
        fill_argument(&arguments[k], c->info->operands[k], values[k]);
    if (catnap_store_set_fuel(w->store, 100000) != NULL)
        fail();
    wasm_trap_t *trap = call_values(w->instance, name_of(i), arguments, &o.result);
    o.trap = trap ? catnap_trap_code(trap) : CATNAP_TRAP_HOST;
    wasm_trap_delete(trap);
    memcpy(o.bytes, memory, BYTES);
    return o;
}

static bool is_nan(uint8_t type, const catnap_val_t *v) {
    return type == F32 ? v->of.f32 != v->of.f32 : type == F64 ? v->of.f64 != v->of.f64 : false;
}

/* The payload of a NaN is the machine's choice. */
static bool same(uint8_t type, enum consumer consumer, const struct outcome *a,
                 const struct outcome *plain) {
    if (a->trap != plain->trap || memcmp(a->bytes, plain->bytes, BYTES) != 0)
        return false;
    if (a->trap != CATNAP_TRAP_HOST || !type)
        return true;
    uint32_t number = (uint32_t)plain->result.of.i32;
    if (consumer == BR_TABLE_)
        return (uint32_t)a->result.of.i32 == (number < 2 ? number : 2);
    if (consumer >= IF_)
        return a->result.of.i32 == (number != 0);
    if (is_nan(type, &a->result) && is_nan(type, &plain->result))
        return true;
    return memcmp(&a->result.of, &plain->result.of, type == V128 ? 16 : 8) == 0;
}

static void check_variants(struct world *w, const struct context *c) {
    wasm_extern_t *exported = catnap_instance_export(w->instance, "memory", 6);
    uint8_t *memory = (uint8_t *)wasm_memory_data(wasm_extern_as_memory(exported));
    struct outcome plain[VALUES];
    for (size_t t = 0; t < VALUES; t++)
        plain[t] = run(w, c, memory, 0, c->values[t]);
    for (size_t i = 1; i < c->count; i++) {
        const struct variant *v = &c->variants[i];
        bool constants = false;
        for (unsigned k = 0; k < c->info->operand_count; k++)
            constants |= v->places[k] == CONSTANT;
        for (size_t t = 0; t < VALUES; t++) {
            if ((constants || v->padding) && t != v->tuple)
                continue;
            struct outcome o = run(w, c, memory, i, c->values[t]);
            if (!same(c->info->result, v->consumer, &o, &plain[t])) {
                print_message("%s places %u %u %u consumer %u padding %u tuple %zu: trap %d, %llx; "
                              "plain %d, %llx\n",
                              cn_op_name(c->info), v->places[0], v->places[1], v->places[2],
                              v->consumer, v->padding, t, (int)o.trap,
                              (unsigned long long)o.result.of.i64, (int)plain[t].trap,
                              (unsigned long long)plain[t].result.of.i64);
                fail();
            }
        }
    }
    wasm_extern_delete(exported);
}

static bool is_plain(const struct op_info *info) {
    return cn_op_name(info) && info->result != OPT_SPECIAL && info->operand_count > 0 &&
           info->immediate != IMM_MEMORY_INIT && info->immediate != IMM_TABLE_INIT &&
           info->immediate != IMM_TABLE_COPY &&
           !(info->immediate == IMM_MEMORY && info->operand_count == 1);
}

static void check_opcodes(struct form form) {
    struct context c = {.variants = NULL};
    size_t tested = 0;
    for (uint32_t opcode = 0; opcode < OPCODE_LIMIT; opcode++) {
        if (!is_plain(&cn_op_info[opcode]))
            continue;
        struct world w;
        struct module_builder m = {0};
        c.info = &cn_op_info[opcode];
        c.opcode = opcode;
        c.lane = opcode * 5 + 3;
        c.offset = opcode % 3 * 4;
        choose_values(&c);
        choose_variants(&c);
        build(&c, &m);
        open_world(&w, form);
        enter_module(&w, &m);
        check_variants(&w, &c);
        close_world(&w);
        tested++;
    }
    free(c.variants);
    print_message("%zu tested\n", tested);
    assert_true(tested > 300);
}

static void plain_form(void **state) {
    (void)state;
    check_opcodes((struct form){.fuel = true});
}
static void explicit_form(void **state) {
    (void)state;
    check_opcodes((struct form){.explicit_checks = true, .fuel = true, .interruptible = true});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_form),
        cmocka_unit_test(explicit_form),
    };
    note_fault_handler();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
