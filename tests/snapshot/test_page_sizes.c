/* Memories with pages of one byte (the proposal of custom page sizes): their size is exact to the byte, in all that
 * accesses, grows, saves and restores them. */
#include "../hostile/hostile.h"
#include "../support/saved.h"
#include "../support/snapshot.h"

#define BYTE_PAGES 8
#define FIRST 65537u /* bytes */
#define MOST 200000u

static const struct form forms[] = {
    {.features = CATNAP_FEATURES_ALL},
    {.features = CATNAP_FEATURES_ALL, .explicit_checks = true, .fuel = true, .interruptible = true},
    {.features = CATNAP_FEATURES_ALL, .eager = true},
};

static void put_memory(struct bytes *b, uint8_t flags, uint64_t min, uint64_t max) {
    put_limits_as(b, flags | BYTE_PAGES, min, max);
    put(b, 0);
}

/* Memory 0 or, behind a usual one, memory 1 of FIRST to MOST bytes, exported as "m", with "xyz" at its end; and
 * functions that size, grow, load and store. */
static struct bytes byte_module(bool wide, bool second) {
    struct module_builder m = {0};
    uint8_t number = second;
    uint8_t limits = wide ? 5 : 1, letter = wide ? 'I' : 'i';
    const char i[] = {(char)letter, 0}, ii[] = {(char)letter, (char)letter, 0};
    uint32_t size = add_type(&m, "", i), grow = add_type(&m, i, i), load = add_type(&m, i, "i");
    uint32_t fill = add_type(&m, ii, "");
    if (second)
        add_memory(&m, 1, 1);
    put_memory(add_item(&m, MEMORIES), limits, FIRST, MOST);
    export_item(&m, "m", AS_MEMORY, number);
    ADD_FUNC(&m, "size", size, 0, 0x3F, number, END);
    ADD_FUNC(&m, "grow", grow, 0, LOCAL_GET, 0, 0x40, number, END);
    ADD_FUNC(&m, "load", load, 0, LOCAL_GET, 0, 0x2D, 0x40, number, 0, END);
    ADD_FUNC(&m, "load32", load, 0, LOCAL_GET, 0, 0x28, 0x40, number, 0, END);
    ADD_FUNC(&m, "store", load, 0, LOCAL_GET, 0, I32_CONST, 7, 0x3A, 0x40, number, 0, I32_CONST, 0,
             END);
    ADD_FUNC(&m, "fill", fill, 0, LOCAL_GET, 0, I32_CONST, 9, LOCAL_GET, 1, 0xFC, 11, number, END);
    struct bytes *data = add_item(&m, DATAS);
    PUT(data, 2, number);
    if (wide)
        i64_const(data, FIRST - 3);
    else
        i32_const(data, FIRST - 3);
    put(data, END);
    put_vector(data, "xyz", 3);
    return finish(&m);
}

static uint64_t failed(bool wide) {
    return wide ? UINT64_MAX : UINT32_MAX;
}

/* The memory has so many bytes, not one more, and ends with this one. */
static void expect_size(const wasm_instance_t *instance, uint64_t size, uint32_t last) {
    assert_int_equal(CALL_EXPORT(instance, "size"), size);
    assert_int_equal(CALL_EXPORT(instance, "load", (int64_t)size - 1), last);
    assert_int_equal(CALL_TRAP(instance, "load", (int64_t)size), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
    CALL_EXPORT(instance, "load32", (int64_t)size - 4);
    assert_int_equal(CALL_TRAP(instance, "load32", (int64_t)size - 3),
                     CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
    assert_int_equal(CALL_TRAP(instance, "fill", (int64_t)size - 1, 2),
                     CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS);
    wasm_extern_t *export_ = catnap_instance_export(instance, "m", 1);
    wasm_memory_t *memory = wasm_extern_as_memory(export_);
    assert_int_equal(wasm_memory_data_size(memory), size);
    assert_int_equal(wasm_memory_size(memory), size);
    wasm_memorytype_t *type = wasm_memory_type(memory);
    catnap_type_limits_t limits;
    catnap_memorytype_limits(type, &limits);
    assert_int_equal(limits.min, size);
    assert_int_equal(limits.max, MOST);
    assert_int_equal(catnap_memorytype_page_bytes(type), 1);
    wasm_memorytype_delete(type);
    wasm_extern_delete(export_);
}

static void sizes_are_exact(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        for (unsigned kind = 0; kind < 4; kind++) {
            bool wide = kind & 1;
            struct bytes b = byte_module(wide, kind & 2);
            wasm_instance_delete(w.instance);
            w.instance = instantiate(w.store, &b, NULL, 0);
            drop_bytes(&b);
            expect_size(w.instance, FIRST, 'z');
            assert_int_equal(CALL_EXPORT(w.instance, "grow", 0), FIRST);
            assert_int_equal(CALL_EXPORT(w.instance, "grow", MOST - FIRST + 1), failed(wide));
            assert_int_equal(CALL_EXPORT(w.instance, "grow", 1), FIRST);
            expect_size(w.instance, FIRST + 1, 0);
            CALL_EXPORT(w.instance, "store", FIRST);
            assert_int_equal(CALL_EXPORT(w.instance, "grow", 65536), FIRST + 1);
            expect_size(w.instance, FIRST + 65537, 0);
            assert_int_equal(CALL_EXPORT(w.instance, "load", FIRST), 7);
            assert_int_equal(CALL_EXPORT(w.instance, "grow", MOST - FIRST - 65537), FIRST + 65537);
            expect_size(w.instance, MOST, 0);
            assert_int_equal(CALL_EXPORT(w.instance, "grow", 1), failed(wide));
        }
    }
}

/* Growth within the pages that are there finds zeros, also where a checkpoint has seen other bytes. */
static void checkpoints_bring_back_sizes(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct bytes b = byte_module(false, form_ & 1);
        uint32_t first, second;
        w.instance = instantiate(w.store, &b, NULL, 0);
        drop_bytes(&b);
        assert_null(catnap_store_checkpoint(w.store, &first));
        CALL_EXPORT(w.instance, "grow", 100);
        CALL_EXPORT(w.instance, "fill", FIRST, 100);
        assert_null(catnap_store_checkpoint(w.store, &second));
        CALL_EXPORT(w.instance, "grow", 70000);
        CALL_EXPORT(w.instance, "fill", FIRST, 70100);
        for (unsigned round = 0; round < 2; round++) {
            assert_null(catnap_store_rollback(w.store, second));
            expect_size(w.instance, FIRST + 100, 9);
            CALL_EXPORT(w.instance, "grow", 1);
            expect_size(w.instance, FIRST + 101, 0);
            CALL_EXPORT(w.instance, "fill", 0, FIRST + 101);
        }
        assert_null(catnap_store_rollback(w.store, first));
        expect_size(w.instance, FIRST, 'z');
        CALL_EXPORT(w.instance, "grow", 100);
        expect_size(w.instance, FIRST + 100, 0);
    }
}

/* The first instance of a snapshot in another store; NULL: it is refused. */
static wasm_instance_t *restored(wasm_engine_t *engine, const wasm_byte_vec_t *bytes,
                                 wasm_store_t **store) {
    catnap_error_t *error;
    wasm_instance_t *instance = NULL;
    catnap_snapshot_t *snapshot =
        catnap_snapshot_read(engine, (const uint8_t *)bytes->data, bytes->size, NULL, &error);
    *store = wasm_store_new(engine);
    catnap_linker_t *linker = catnap_linker_new(*store);
    if (snapshot)
        error = catnap_snapshot_restore(snapshot, linker, NULL, &instance, NULL);
    assert_true(!error == (instance != NULL));
    assert_true(!error || catnap_error_status(error) != CATNAP_MISUSE);
    catnap_error_delete(error);
    catnap_linker_delete(linker);
    catnap_snapshot_delete(snapshot);
    return instance;
}

static void snapshots_hold_sizes(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        for (unsigned kind = 0; kind < 4; kind++) {
            struct bytes b = byte_module(kind & 1, kind & 2);
            w.instance = instantiate(w.store, &b, NULL, 0);
            drop_bytes(&b);
            CALL_EXPORT(w.instance, "grow", 70000);
            CALL_EXPORT(w.instance, "fill", FIRST + 69999, 1);
            wasm_byte_vec_t bytes = save_store(w.store, NULL), again;
            wasm_store_t *store;
            wasm_instance_t *copy = restored(w.engine, &bytes, &store);
            assert_non_null(copy);
            again = save_store(store, NULL);
            assert_int_equal(again.size, bytes.size);
            assert_memory_equal(again.data, bytes.data, bytes.size);
            if (forms[form_].fuel)
                assert_null(catnap_store_set_fuel(store, UINT64_MAX));
            expect_size(copy, FIRST + 70000, 9);
            CALL_EXPORT(copy, "grow", 1);
            expect_size(copy, FIRST + 70001, 0);
            wasm_instance_delete(copy);
            wasm_store_delete(store);
            wasm_byte_vec_delete(&again);
            wasm_byte_vec_delete(&bytes);
            wasm_instance_delete(w.instance);
            w.instance = NULL;
            wasm_store_delete(w.store);
            w.store = wasm_store_new(w.engine);
            if (forms[form_].fuel)
                assert_null(catnap_store_set_fuel(w.store, UINT64_MAX));
        }
    }
}

/* The size in the file is changed: beyond the type, below its minimum, of another number of pages than there are in the
 * next size that fits. All that is accepted has just that size. */
static void hostile_sizes_are_refused(void **state) {
    (void)state;
    struct world w;
    open_world(&w, forms[0]);
    struct bytes b = byte_module(false, false);
    w.instance = instantiate(w.store, &b, NULL, 0);
    drop_bytes(&b);
    wasm_byte_vec_t bytes = save_store(w.store, NULL);
    uint8_t *data = (uint8_t *)bytes.data, *place = NULL;
    size_t at = 0, length = 0;
    assert_true(find_part(data, bytes.size, PART_OBJECTS, &at, &length));
    for (size_t i = at; i + 25 <= at + length; i++) /* flags, min, max, size */
        if (data[i] == (1 | BYTE_PAGES) && get64(data + i + 1) == FIRST &&
            get64(data + i + 9) == MOST && get64(data + i + 17) == FIRST)
            place = data + i;
    assert_non_null(place);
    static const struct {
        uint64_t size;
        bool good;
    } cases[] = {{FIRST, true},
                 {FIRST + 1, true},
                 {131072, true},
                 {131073, true},
                 {MOST, true},
                 {MOST + 1, false},
                 {FIRST - 1, false},
                 {0, false},
                 {UINT64_MAX, false},
                 {UINT32_MAX, false},
                 {UINT64_C(1) << 32, false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        wasm_store_t *store;
        put64(place + 17, cases[i].size);
        mend_structure(data, bytes.size);
        wasm_instance_t *copy = restored(w.engine, &bytes, &store);
        assert_int_equal(copy != NULL, cases[i].good);
        if (copy)
            expect_size(copy, cases[i].size, cases[i].size == FIRST ? 'z' : 0);
        wasm_instance_delete(copy);
        wasm_store_delete(store);
    }
    put64(place + 17, FIRST);
    for (unsigned flags = 0; flags < 256; flags++) { /* the module says otherwise */
        wasm_store_t *store;
        place[0] = (uint8_t)flags;
        mend_structure(data, bytes.size);
        wasm_instance_t *copy = restored(w.engine, &bytes, &store);
        if (copy)
            expect_size(copy, FIRST, 'z');
        wasm_instance_delete(copy);
        wasm_store_delete(store);
    }
    wasm_byte_vec_delete(&bytes);
    close_world(&w);
}

static void modules_hold_sizes(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        for (unsigned kind = 0; kind < 4; kind++) {
            struct bytes b = byte_module(kind & 1, kind & 2);
            wasm_byte_vec_t out;
            wasm_instance_t *source = instantiate(w.store, &b, NULL, 0);
            drop_bytes(&b);
            CALL_EXPORT(source, "grow", 70000);
            CALL_EXPORT(source, "fill", FIRST + 69999, 1);
            assert_null(catnap_instance_to_module(source, NULL, &out));
            put_bytes(&b, out.data, out.size);
            wasm_instance_delete(w.instance);
            w.instance = instantiate(w.store, &b, NULL, 0);
            expect_size(w.instance, FIRST + 70000, 9);
            wasm_byte_vec_delete(&out);
            drop_bytes(&b);
            wasm_instance_delete(source);
        }
    }
}

static void instances_are_recycled(void **state) {
    (void)state;
    struct world w;
    FOR_EACH_FORM(w) {
        struct bytes b = byte_module(form_ & 1, false);
        wasm_module_t *module = load_module(w.store, &b);
        wasm_extern_vec_t none = WASM_EMPTY_VEC;
        catnap_error_t *error;
        wasm_trap_t *trap;
        catnap_prelinked_t *prelinked = catnap_prelinked_new(w.store, module, &none, &error);
        assert_non_null(prelinked);
        for (unsigned round = 0; round < 3; round++) {
            wasm_instance_t *instance = catnap_prelinked_instantiate(prelinked, &error, &trap);
            assert_non_null(instance);
            expect_size(instance, FIRST, 'z');
            CALL_EXPORT(instance, "grow", 70000);
            CALL_EXPORT(instance, "fill", 0, FIRST + 70000);
            expect_size(instance, FIRST + 70000, 9);
            assert_null(catnap_instance_recycle(instance));
        }
        catnap_prelinked_delete(prelinked);
        wasm_module_delete(module);
        drop_bytes(&b);
    }
}

/* Memories of the host: a type says its page size, and imports must have the same. */
static void types_say_page_sizes(void **state) {
    (void)state;
    struct world w;
    open_world(&w, forms[0]);
    catnap_type_limits_t limits = {.min = 5, .max = UINT32_MAX, .has_max = true};
    assert_null(catnap_memorytype_new_paged(&limits, 4096));
    assert_null(catnap_memorytype_new_paged(&limits, 0));
    assert_int_equal(catnap_memorytype_page_bytes(NULL), 0);
    wasm_memorytype_t *type = catnap_memorytype_new_paged(&limits, 1);
    wasm_memorytype_t *copy = wasm_memorytype_copy(type);
    assert_int_equal(catnap_memorytype_page_bytes(copy), 1);
    wasm_memorytype_delete(copy);
    wasm_memory_t *memory = wasm_memory_new(w.store, type);
    assert_int_equal(wasm_memory_data_size(memory), 5);
    assert_true(wasm_memory_grow(memory, 3));
    assert_int_equal(wasm_memory_data_size(memory), 8);
    assert_int_equal(wasm_memory_size(memory), 8);
    wasm_memorytype_delete(type);
    for (unsigned paged = 0; paged < 2; paged++) {
        struct bytes section = {0}, b = {0};
        PUT(&section, 1, 0, 0, 2, paged ? BYTE_PAGES : 0, 0);
        if (paged)
            put(&section, 0);
        put_preamble(&b);
        put_section(&b, 2, &section);
        wasm_module_t *module = load_module(w.store, &b);
        wasm_extern_t *imports[] = {wasm_memory_as_extern(memory)};
        wasm_extern_vec_t vec = {1, imports};
        catnap_error_t *error;
        wasm_trap_t *trap;
        wasm_instance_t *instance = catnap_instance_new(w.store, module, &vec, &error, &trap);
        assert_int_equal(instance != NULL, paged);
        if (error)
            assert_non_null(strstr(catnap_error_message(error), "pages of one byte"));
        catnap_error_delete(error);
        wasm_instance_delete(instance);
        wasm_module_delete(module);
        drop_bytes(&b);
    }
    limits = (catnap_type_limits_t){.min = UINT64_C(1) << 32};
    type = catnap_memorytype_new_paged(&limits, 1);
    assert_null(wasm_memory_new(w.store, type));
    wasm_memorytype_delete(type);
    wasm_memory_delete(memory);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_exact),      cmocka_unit_test(checkpoints_bring_back_sizes),
        cmocka_unit_test(snapshots_hold_sizes), cmocka_unit_test(hostile_sizes_are_refused),
        cmocka_unit_test(modules_hold_sizes),   cmocka_unit_test(instances_are_recycled),
        cmocka_unit_test(types_say_page_sizes),
    };
    note_fault_handler();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
