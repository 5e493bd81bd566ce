/* Accesses at every boundary: each load and store of the opcode table at the memory's end and
 * beyond it, with every kind of offset, before and after growth; bulk and table instructions
 * against a model; growth to the limit and past it. With guard pages and with explicit checks. */
#include "hostile.h"

#include <ctype.h>
#include <inttypes.h>

#include "../unit/opcode.h"

#define PAGE UINT64_C(65536)

static const struct form forms[] = {{0}, {.explicit_checks = true}};

static wasm_memory_t *get_memory(const wasm_instance_t *instance) {
    wasm_extern_t *found = catnap_instance_export(instance, "memory", 6);
    assert_non_null(found);
    return wasm_extern_as_memory(found);
}

/* ---- Loads and stores ---- */

static const uint32_t offsets[] = {0, 1, 7, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFF8, 0xFFFFFFFF};

static bool is_access(const struct op_info *info) {
    return cn_op_name(info) && info->immediate >= IMM_MEM0;
}
static uint32_t width_of(const struct op_info *info) {
    return 1u << (info->immediate >= IMM_MEM0_LANE ? info->immediate - IMM_MEM0_LANE
                                                   : info->immediate - IMM_MEM0);
}
static bool is_store(const struct op_info *info) {
    return info->result == OPT_NOTHING;
}

/* The surroundings of an access, with which it may be fused into one instruction: nothing, a sum that is its
 * address, a loop that its address is pinned in, an operation on what was loaded, a test of that. */
enum way { ALONE, OF_A_SUM, IN_A_LOOP, THEN_COMBINED, THEN_TESTED, WAYS };
#define ADDEND 12345

static void put_stored(struct bytes *f, uint8_t type) {
    switch (type) {
    case I32:
        i32_const(f, -1);
        break;
    case I64:
        i64_const(f, -1);
        break;
    case F32:
        PUT(f, 0x43, 255, 255, 255, 255);
        break;
    case F64:
        PUT(f, 0x44, 255, 255, 255, 255, 255, 255, 255, 255);
        break;
    case V128:
        v128_const(f, UINT64_MAX, UINT64_MAX);
        break;
    default:
        break; /* a load has no more */
    }
}

static void put_use(struct bytes *f, uint8_t type, enum way way) {
    if (way == THEN_TESTED && type == I32) {
        PUT(f, IF, EMPTY, END);
        return;
    }
    if (way == THEN_COMBINED && type == I32)
        PUT(f, 0x41, 7, 0x71);
    else if (way == THEN_COMBINED && type == I64)
        PUT(f, 0x42, 7, 0x83);
    else if (way == THEN_COMBINED && type == F64)
        PUT(f, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0xA0); /* f64.add */
    else if (way == THEN_COMBINED && type == V128)
        PUT(f, LOCAL_GET, 1, 0xFD, 78); /* v128.and */
    put(f, DROP);
}

static const char *access_name(uint32_t opcode, size_t offset, enum way way) {
    static char name[32];
    snprintf(name, sizeof name, "%u/%zu/%u", opcode, offset, way);
    return name;
}

/* Gives where the access is in the function. */
static uint32_t put_access(struct bytes *f, uint32_t opcode, uint32_t offset, enum way way) {
    const struct op_info *info = &cn_op_info[opcode];
    PUT(f, 1, 1, V128);
    if (way == IN_A_LOOP)
        PUT(f, LOOP, EMPTY, LOCAL_GET, 0, LOCAL_SET, 0); /* so much used that it is pinned */
    PUT(f, LOCAL_GET, 0);
    if (way == OF_A_SUM) {
        i32_const(f, ADDEND);
        put(f, I32_ADD);
    }
    put_stored(f, info->operands[1]);
    uint32_t place = (uint32_t)f->size;
    put_opcode(f, opcode);
    put(f, 0);
    put_u(f, offset);
    if (info->immediate >= IMM_MEM0_LANE)
        put(f, 0);
    if (!is_store(info))
        put_use(f, info->result, way);
    if (way == IN_A_LOOP)
        put(f, END);
    put(f, END);
    return place;
}

static uint32_t access_places[OPCODE_LIMIT][COUNT(offsets)][WAYS];

static void put_accesses(struct module_builder *m, uint32_t opcode) {
    uint32_t type = add_type(m, "i", "");
    for (size_t i = 0; i < COUNT(offsets); i++)
        for (unsigned way = 0; way < WAYS; way++) {
            struct bytes f = {0};
            access_places[opcode][i][way] = put_access(&f, opcode, offsets[i], (enum way)way);
            add_func(m, access_name(opcode, i, (enum way)way), type, &f);
        }
}

/* One access to the effective address. */
static void check_access(const struct world *w, uint8_t *base, uint64_t size, uint32_t opcode,
                         size_t i, enum way way, uint64_t effective) {
    const struct op_info *info = &cn_op_info[opcode];
    uint32_t width = width_of(info);
    bool fits = effective + width <= size;
    uint64_t ignored;
    if (effective < offsets[i] || effective - offsets[i] > UINT32_MAX)
        return;
    int64_t address = (uint32_t)(effective - offsets[i] - (way == OF_A_SUM ? ADDEND : 0));
    wasm_trap_t *trap = call_bits(w->instance, access_name(opcode, i, way), &address, &ignored);
    if (!trap != fits)
        print_message("%s at %" PRIx64 " with offset %x, size %" PRIx64 ", way %u\n",
                      cn_op_name(info), effective, offsets[i], size, way);
    assert_int_equal(!trap, fits);
    if (trap) {
        wasm_message_t message;
        char wanted[64];
        catnap_frame_t frame;
        assert_int_equal(catnap_trap_code(trap), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
        assert_true(catnap_trap_frame(trap, 0, &frame));
        assert_int_equal(frame.func_offset, access_places[opcode][i][way]);
        wasm_trap_message(trap, &message);
        /* The hardware may report the first byte out of bounds rather than the address. */
        snprintf(wanted, sizeof wanted, "out of bounds memory access: address 0x%" PRIx64,
                 effective);
        if (effective < size && !strstr(message.data, wanted))
            snprintf(wanted, sizeof wanted, "out of bounds memory access: address 0x%" PRIx64,
                     size);
        const char *found = strstr(message.data, wanted);
        if (!found || isxdigit((unsigned char)found[strlen(wanted)]))
            fail_msg("%s instead of %s", message.data, wanted);
        wasm_byte_vec_delete(&message);
    }
    wasm_trap_delete(trap);
    if (is_store(info))
        for (uint64_t at = effective; at < size && at < effective + width; at++) {
            assert_int_equal(base[at], fits ? 0xFF : 0); /* nothing of a store that traps */
            base[at] = 0;
        }
}

static void check_accesses(const struct world *w, uint32_t opcode) {
    wasm_memory_t *memory = get_memory(w->instance);
    uint8_t *base = (uint8_t *)wasm_memory_data(memory);
    uint64_t size = wasm_memory_data_size(memory);
    uint32_t width = width_of(&cn_op_info[opcode]);
    const uint64_t places[] = {0,
                               size - width,
                               size - width + 1,
                               size - 1,
                               size,
                               size + 1,
                               UINT32_MAX,
                               UINT64_C(1) << 32,
                               (UINT64_C(1) << 32) + 65536 - 8,
                               UINT64_C(2) * UINT32_MAX};
    for (size_t i = 0; i < COUNT(offsets); i++)
        for (size_t k = 0; k < COUNT(places); k++)
            for (unsigned way = 0; way < WAYS && places[k] < UINT64_MAX - 16; way++)
                check_access(w, base, size, opcode, i, (enum way)way, places[k]);
    wasm_memory_delete(memory);
}

static void every_access_at_every_end(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        add_memory(&m, 1, NO_MAX);
        export_item(&m, "memory", 2, 0);
        for (uint32_t opcode = 0; opcode < OPCODE_LIMIT; opcode++)
            if (is_access(&cn_op_info[opcode]))
                put_accesses(&m, opcode);
        enter_module(&w, &m);
        wasm_memory_t *memory = get_memory(w.instance);
        static const uint32_t growths[] = {0, 1, 65534};
        for (size_t g = 0; g < COUNT(growths); g++) {
            assert_true(wasm_memory_grow(memory, growths[g]));
            for (uint32_t opcode = 0; opcode < OPCODE_LIMIT; opcode++)
                if (is_access(&cn_op_info[opcode]))
                    check_accesses(&w, opcode);
        }
        assert_int_equal(wasm_memory_data_size(memory), UINT64_C(1) << 32);
        wasm_memory_delete(memory);
    }
}

static void a_memory_without_pages(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        add_memory(&m, 0, 1);
        export_item(&m, "memory", 2, 0);
        put_accesses(&m, OP_i32_load8_u);
        put_accesses(&m, OP_i64_store);
        put_accesses(&m, OPCODE_FD); /* v128.load */
        enter_module(&w, &m);
        for (size_t i = 0; i < COUNT(offsets) * WAYS; i++) {
            static const uint32_t opcodes[] = {OP_i32_load8_u, OP_i64_store, OPCODE_FD};
            for (size_t k = 0; k < COUNT(opcodes); k++) {
                const char *name = access_name(opcodes[k], i / WAYS, (enum way)(i % WAYS));
                assert_int_equal(CALL_TRAP(w.instance, name, 0), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
                assert_int_equal(CALL_TRAP(w.instance, name, -1), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
            }
        }
    }
}

/* ---- Growth ---- */

static void add_growing(struct module_builder *m) {
    struct bytes f = {0};
    PUT(&f, 0, LOCAL_GET, 0, 0x40, 0, END);
    add_func(m, "grow", add_type(m, "i", "i"), &f);
    PUT(&f, 0, 0x3F, 0, END);
    add_func(m, "size", add_type(m, "", "i"), &f);
    PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, 0x3A, 0, 0, END);
    add_func(m, "store8", add_type(m, "ii", ""), &f);
    PUT(&f, 0, LOCAL_GET, 0, 0x2D, 0, 0, END);
    add_func(m, "load8", add_type(m, "i", "i"), &f);
    export_item(m, "memory", 2, 0);
}

static void growth_to_the_limit(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        add_memory(&m, 1, 65536);
        add_growing(&m);
        enter_module(&w, &m);
        CALL_EXPORT(w.instance, "store8", 65535, 77);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", -1), UINT32_MAX);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 65536), UINT32_MAX);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", INT32_MIN), UINT32_MAX);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 0), 1);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 2), 1);
        assert_int_equal(CALL_TRAP(w.instance, "load8", 3 * PAGE),
                         CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
        assert_int_equal(CALL_EXPORT(w.instance, "load8", 3 * PAGE - 1), 0);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 65533), 3);
        assert_int_equal(CALL_EXPORT(w.instance, "size"), 65536);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 1), UINT32_MAX);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 0), 65536);
        CALL_EXPORT(w.instance, "store8", -1, 99);
        assert_int_equal(CALL_EXPORT(w.instance, "load8", -1), 99);
        assert_int_equal(CALL_EXPORT(w.instance, "load8", 65535), 77);
    }
}

static void a_memory_of_all_pages_at_once(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        add_memory(&m, 65536, NO_MAX);
        add_growing(&m);
        enter_module(&w, &m);
        assert_int_equal(CALL_EXPORT(w.instance, "size"), 65536);
        CALL_EXPORT(w.instance, "store8", -1, 5);
        assert_int_equal(CALL_EXPORT(w.instance, "load8", -1), 5);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 1), UINT32_MAX);
        assert_true(w.ledger.peak < 1 << 20);
    }
}

static void growth_within_the_limits_of_type_and_store(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        catnap_limits_t limits;
        add_memory(&m, 1, 3);
        add_growing(&m);
        enter_module(&w, &m);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 3), UINT32_MAX);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 1), 1);
        catnap_store_limits(w.store, &limits);
        limits.memory_bytes = 2 * PAGE;
        catnap_store_set_limits(w.store, &limits);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 1), UINT32_MAX);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 0), 2);
        limits.memory_bytes = 3 * PAGE;
        catnap_store_set_limits(w.store, &limits);
        assert_int_equal(CALL_EXPORT(w.instance, "grow", 1), 2);
        assert_int_equal(CALL_EXPORT(w.instance, "load8", 3 * PAGE - 1), 0);
    }
}

/* Grows the caller's memory and writes behind its old end. */
static wasm_trap_t *grow_from_host(void *env, catnap_caller_t *caller,
                                   const catnap_val_t *arguments, catnap_val_t *results) {
    (void)env;
    (void)arguments;
    (void)results;
    wasm_extern_t *exported = catnap_caller_export(caller, "memory", 6);
    wasm_memory_t *memory = wasm_extern_as_memory(exported);
    size_t old = wasm_memory_data_size(memory);
    assert_true(wasm_memory_grow(memory, 1));
    uint8_t *base;
    uint64_t size;
    assert_true(catnap_caller_memory(caller, 0, &base, &size));
    assert_int_equal(size, old + PAGE);
    memset(base + old, 42, PAGE);
    wasm_extern_delete(exported);
    return NULL;
}

/* f(address): a byte that is there only after the call. */
static void growth_in_a_host_call(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        uint32_t host = import_func(&m, "m", "f", add_type(&m, "", ""));
        add_memory(&m, 1, NO_MAX);
        PUT(&f, 0, LOCAL_GET, 0, 0x2D, 0, 0, DROP, CALL, (uint8_t)host, LOCAL_GET, 0, 0x2D, 0);
        put_u(&f, PAGE);
        put(&f, END);
        add_func(&m, "f", add_type(&m, "i", "i"), &f);
        export_item(&m, "memory", 2, 0);
        struct bytes b = finish(&m);
        wasm_valtype_vec_t none = WASM_EMPTY_VEC, also_none = WASM_EMPTY_VEC;
        wasm_functype_t *type = wasm_functype_new(&none, &also_none);
        wasm_func_t *func = catnap_func_new(w.store, type, grow_from_host, NULL, NULL, NULL);
        wasm_extern_t *import = wasm_func_as_extern(func);
        w.instance = instantiate(w.store, &b, &import, 1);
        assert_int_equal(CALL_EXPORT(w.instance, "f", 65535), 42);
        assert_int_equal(CALL_EXPORT(w.instance, "f", 2 * PAGE - 1), 42);
        assert_int_equal(CALL_TRAP(w.instance, "f", 3 * PAGE), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
        wasm_func_delete(func);
        wasm_functype_delete(type);
        drop_bytes(&b);
    }
}

/* Another instance with the same memory grows it while the first one waits for it. */
static void growth_in_another_instance(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        struct bytes f = {0};
        add_memory(&m, 1, NO_MAX);
        add_growing(&m);
        struct bytes first = finish(&m);
        uint32_t host = import_func(&m, "m", "grow", add_type(&m, "i", "i"));
        struct bytes *import = add_item(&m, IMPORTS);
        put_name(import, "m");
        put_name(import, "memory");
        PUT(import, 2, 0, 1);
        PUT(&f, 0, 0x41, 1, CALL, (uint8_t)host, DROP, LOCAL_GET, 0, LOCAL_GET, 0, 0x36, 0, 0);
        PUT(&f, LOCAL_GET, 0, 0x28, 0, 0, END);
        add_func(&m, "f", add_type(&m, "i", "i"), &f);
        struct bytes second = finish(&m);
        wasm_instance_t *owner = instantiate(w.store, &first, NULL, 0);
        wasm_extern_t *imports[] = {wasm_func_as_extern(get_func(owner, "grow")),
                                    wasm_memory_as_extern(get_memory(owner))};
        w.instance = instantiate(w.store, &second, imports, 2);
        for (uint64_t page = 1; page < 4; page++)
            assert_int_equal(CALL_EXPORT(w.instance, "f", (page + 1) * PAGE - 4),
                             (page + 1) * PAGE - 4);
        assert_int_equal(CALL_TRAP(w.instance, "f", 6 * PAGE - 3),
                         CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
        wasm_extern_delete(imports[0]);
        wasm_extern_delete(imports[1]);
        wasm_instance_delete(owner);
        drop_bytes(&first);
        drop_bytes(&second);
    }
}

/* ---- Bulk memory against a model ---- */

#define SEGMENT 100

struct memory_model {
    uint8_t bytes[65536], data[SEGMENT];
    bool dropped;
};

static void add_bulk_memory(struct module_builder *m) {
    struct bytes f = {0};
    uint32_t type = add_type(m, "iii", "");
    static const uint8_t codes[] = {8, 10, 11};
    static const char *const names[] = {"init", "copy", "fill"};
    for (size_t i = 0; i < COUNT(codes); i++) {
        PUT(&f, 0, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFC, codes[i], 0);
        if (codes[i] < 11)
            put(&f, 0);
        put(&f, END);
        add_func(m, names[i], type, &f);
    }
    PUT(&f, 0, 0xFC, 9, 0, END);
    add_func(m, "drop", add_type(m, "", ""), &f);
    add_memory(m, 1, 1);
    export_item(m, "memory", 2, 0);
    put_u(&m->sections[DATA_COUNT], 1);
    m->counts[DATA_COUNT] = 1;
    struct bytes *b = add_item(m, DATAS);
    PUT(b, 1, SEGMENT);
    for (unsigned i = 0; i < SEGMENT; i++)
        put(b, (uint8_t)(i + 1));
}

/* Numbers near the ends of what there is. */
static uint32_t near_an_end(uint64_t *random, uint32_t size) {
    uint64_t r = next_random(random);
    uint32_t close = (uint32_t)(r >> 40) % 5;
    switch (r % 8) {
    case 0:
        return size - close;
    case 1:
        return size + close;
    case 2:
        return close;
    case 3:
        return UINT32_MAX - close;
    case 4:
        return 0x80000000u - close;
    default:
        return (uint32_t)(r >> 20) % (size + 1);
    }
}

static bool fits(uint32_t start, uint32_t count, uint32_t size) {
    return (uint64_t)start + count <= size;
}

static bool model_memory(struct memory_model *model, unsigned op, uint32_t to, uint32_t from,
                         uint32_t count) {
    uint32_t size = sizeof model->bytes, source = model->dropped ? 0 : SEGMENT;
    if (!fits(to, count, size) || (op == 0 && !fits(from, count, source)) ||
        (op == 1 && !fits(from, count, size)))
        return false;
    if (op == 0)
        memcpy(model->bytes + to, model->data + from, count);
    else if (op == 1)
        memmove(model->bytes + to, model->bytes + from, count);
    else
        memset(model->bytes + to, (uint8_t)from, count);
    return true;
}

static void bulk_memory_as_in_a_model(void **state) {
    (void)state;
    static struct memory_model model;
    static const char *const names[] = {"init", "copy", "fill"};
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        uint64_t random = 5, ignored;
        size_t done = 0;
        memset(&model, 0, sizeof model);
        for (unsigned i = 0; i < SEGMENT; i++)
            model.data[i] = (uint8_t)(i + 1);
        add_bulk_memory(&m);
        enter_module(&w, &m);
        wasm_memory_t *memory = get_memory(w.instance);
        for (unsigned round = 0; round < 6000; round++) {
            unsigned op = (unsigned)(next_random(&random) % 3);
            uint32_t to = near_an_end(&random, sizeof model.bytes);
            uint32_t from = near_an_end(&random, op == 0 ? SEGMENT : sizeof model.bytes);
            uint32_t count = near_an_end(&random, op == 0 ? SEGMENT : 4000);
            if (round == 5000) {
                CALL_EXPORT(w.instance, "drop");
                CALL_EXPORT(w.instance, "drop");
                model.dropped = true;
            }
            bool good = model_memory(&model, op, to, from, count);
            const int64_t arguments[] = {to, from, count};
            wasm_trap_t *trap = call_bits(w.instance, names[op], arguments, &ignored);
            assert_int_equal(!trap, good);
            assert_true(!trap || catnap_trap_code(trap) == CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
            wasm_trap_delete(trap);
            done += good;
            if (round % 64 == 0)
                assert_memory_equal(wasm_memory_data(memory), model.bytes, sizeof model.bytes);
        }
        assert_true(done > 500);
        assert_memory_equal(wasm_memory_data(memory), model.bytes, sizeof model.bytes);
        wasm_memory_delete(memory);
    }
}

/* ---- Tables against a model ---- */

#define ELEMENTS 20
#define MOST_ELEMENTS 60
#define ITEMS 8

struct table_model {
    int elements[2][MOST_ELEMENTS]; /* a number of a function, or -1 for null */
    uint32_t size[2];
    bool dropped;
};

enum table_op { INIT, COPY, COPY_ACROSS, FILL, GET, SET, GROW, TABLE_OPS };

/* Functions 0 to 7 give their numbers; references are named by number, 8 being null. */
static void put_reference(struct bytes *f, uint32_t local) {
    /* from table 2, which holds all references */
    op_u(f, LOCAL_GET, local);
    PUT(f, 0x25, 2);
}

static void add_table_functions(struct module_builder *m) {
    struct bytes f = {0};
    uint32_t number = add_type(m, "", "i"), three = add_type(m, "iii", "i");
    for (uint32_t i = 0; i < ITEMS; i++) {
        PUT(&f, 0, 0x41, (uint8_t)i, END);
        add_func(m, NULL, number, &f);
    }
    static const char *const names[] = {"init", "copy", "across", "fill", "get", "set", "grow"};
    for (unsigned op = 0; op < TABLE_OPS; op++) {
        put(&f, 0);
        switch (op) {
        case INIT:
            PUT(&f, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFC, 12, 0, 0);
            break;
        case COPY:
            PUT(&f, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFC, 14, 0, 0);
            break;
        case COPY_ACROSS:
            PUT(&f, LOCAL_GET, 0, LOCAL_GET, 1, LOCAL_GET, 2, 0xFC, 14, 1, 0);
            break;
        case FILL:
            PUT(&f, LOCAL_GET, 0);
            put_reference(&f, 1);
            PUT(&f, LOCAL_GET, 2, 0xFC, 17, 0);
            break;
        case SET:
            PUT(&f, LOCAL_GET, 0);
            put_reference(&f, 1);
            PUT(&f, 0x26, 0);
            break;
        case GROW:
            put_reference(&f, 1);
            PUT(&f, LOCAL_GET, 2, 0xFC, 15, 0, RETURN);
            break;
        default:
            PUT(&f, LOCAL_GET, 0, 0x25, 0, 0xD1, RETURN);
        }
        PUT(&f, 0x41, 0, END);
        add_func(m, names[op], three, &f);
    }
    PUT(&f, 0, 0xFC, 13, 0, END);
    add_func(m, "drop", add_type(m, "", ""), &f);
    /* identify(table, i): which function it is, or a trap */
    for (uint8_t table = 0; table < 2; table++) {
        PUT(&f, 0, LOCAL_GET, 0, 0x11, (uint8_t)number, table, END);
        add_func(m, table ? "identify1" : "identify0", add_type(m, "i", "i"), &f);
    }
    add_table(m, FUNCREF, ELEMENTS, MOST_ELEMENTS);
    add_table(m, FUNCREF, ELEMENTS, ELEMENTS);
    add_table(m, FUNCREF, ITEMS + 1, NO_MAX);
    struct bytes *b = add_item(m, ELEMS);
    PUT(b, 1, 0, ITEMS);
    for (uint8_t i = 0; i < ITEMS; i++)
        put(b, i);
    b = add_item(m, ELEMS);
    PUT(b, 2, 2, 0x41, 0, END, 0, ITEMS);
    for (uint8_t i = 0; i < ITEMS; i++)
        put(b, i);
}

/* False when it traps; *result what the function gives. */
static bool model_table(struct table_model *t, unsigned op, uint32_t a, uint32_t b, uint32_t c,
                        uint32_t *result) {
    int value = b < ITEMS ? (int)b : -1;
    uint32_t source = t->dropped ? 0 : ITEMS;
    *result = 0;
    switch (op) {
    case INIT:
        if (!fits(a, c, t->size[0]) || !fits(b, c, source))
            return false;
        for (uint32_t i = 0; i < c; i++)
            t->elements[0][a + i] = (int)(b + i);
        return true;
    case COPY:
    case COPY_ACROSS: {
        unsigned to = op == COPY ? 0 : 1;
        if (!fits(a, c, t->size[to]) || !fits(b, c, t->size[0]))
            return false;
        memmove(t->elements[to] + a, t->elements[0] + b, c * sizeof **t->elements);
        return true;
    }
    case FILL:
        if (!fits(a, c, t->size[0]))
            return false;
        for (uint32_t i = 0; i < c; i++)
            t->elements[0][a + i] = value;
        return true;
    case GET:
        *result = a < t->size[0] && t->elements[0][a] < 0;
        return a < t->size[0];
    case SET:
        if (a >= t->size[0])
            return false;
        t->elements[0][a] = value;
        return true;
    default: /* grow */
        *result = fits(t->size[0], c, MOST_ELEMENTS) ? t->size[0] : UINT32_MAX;
        for (uint32_t i = 0; *result != UINT32_MAX && i < c; i++)
            t->elements[0][t->size[0]++] = value;
        return true;
    }
}

static void check_table(const struct world *w, const struct table_model *model) {
    static const char *const identify[] = {"identify0", "identify1"};
    for (unsigned table = 0; table < 2; table++)
        for (uint32_t i = 0; i <= model->size[table]; i++)
            if (i == model->size[table])
                assert_int_equal(CALL_TRAP(w->instance, identify[table], i),
                                 CATNAP_TRAP_UNDEFINED_ELEMENT);
            else if (model->elements[table][i] < 0)
                assert_int_equal(CALL_TRAP(w->instance, identify[table], i),
                                 CATNAP_TRAP_UNINITIALIZED_ELEMENT);
            else
                assert_int_equal(CALL_EXPORT(w->instance, identify[table], i),
                                 model->elements[table][i]);
}

static void tables_as_in_a_model(void **state) {
    (void)state;
    static const char *const names[] = {"init", "copy", "across", "fill", "get", "set", "grow"};
    struct world w;
    FOR_EACH_FORM(w) {
        struct module_builder m = {0};
        struct table_model model = {.size = {ELEMENTS, ELEMENTS}};
        uint64_t random = 9, bits;
        memset(model.elements, -1, sizeof model.elements);
        add_table_functions(&m);
        enter_module(&w, &m);
        for (unsigned round = 0; round < 4000; round++) {
            unsigned op = (unsigned)(next_random(&random) % TABLE_OPS);
            bool names_reference = op == FILL || op == SET || op == GROW;
            uint32_t a = near_an_end(&random, model.size[op == COPY_ACROSS]), b, c, result;
            b = names_reference ? (uint32_t)(next_random(&random) % (ITEMS + 1))
                                : near_an_end(&random, op == INIT ? ITEMS : model.size[0]);
            c = near_an_end(&random, op == GROW && round % 10 ? 1 : ITEMS);
            if (round == 3500) {
                CALL_EXPORT(w.instance, "drop");
                model.dropped = true;
            }
            bool good = model_table(&model, op, a, b, c, &result);
            const int64_t arguments[] = {a, b, c};
            wasm_trap_t *trap = call_bits(w.instance, names[op], arguments, &bits);
            assert_int_equal(!trap, good);
            assert_true(!trap || catnap_trap_code(trap) == CATNAP_TRAP_TABLE_OUT_OF_BOUNDS);
            assert_true(trap || bits == result);
            wasm_trap_delete(trap);
            if (round % 50 == 0)
                check_table(&w, &model);
        }
        assert_true(model.size[0] > ELEMENTS);
        check_table(&w, &model);
    }
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_access_at_every_end),
        cmocka_unit_test(a_memory_without_pages),
        cmocka_unit_test(growth_to_the_limit),
        cmocka_unit_test(a_memory_of_all_pages_at_once),
        cmocka_unit_test(growth_within_the_limits_of_type_and_store),
        cmocka_unit_test(growth_in_a_host_call),
        cmocka_unit_test(growth_in_another_instance),
        cmocka_unit_test(bulk_memory_as_in_a_model),
        cmocka_unit_test(tables_as_in_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
