/* Objects of a store: references, host info, globals, tables, memories, foreign objects, and the
 * order in which handles, stores, engines and modules may be deleted. */
#include "helpers.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int finalized;

static void count_finalizer(void *info) {
    finalized += (int)(intptr_t)info;
}

/* ---- Handles and host info ---- */

static void references_are_handles(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_ref_t *ref = wasm_foreign_as_ref(foreign);
    assert_ptr_equal(wasm_ref_as_foreign(ref), foreign);
    assert_null(wasm_ref_as_func(ref));
    assert_null(wasm_ref_as_extern(ref));
    assert_null(wasm_ref_as_trap_const(ref));
    wasm_ref_t *copy = wasm_ref_copy(ref);
    assert_true(wasm_ref_same(ref, copy));
    wasm_foreign_t *other = wasm_foreign_new(store);
    assert_false(wasm_ref_same(ref, wasm_foreign_as_ref(other)));
    wasm_foreign_set_host_info(foreign, &finalized);
    assert_ptr_equal(wasm_ref_get_host_info(copy), &finalized);
    assert_null(wasm_foreign_get_host_info(other));
    wasm_foreign_delete(foreign);
    wasm_ref_delete(copy);
    wasm_foreign_delete(other);
    wasm_ref_delete(NULL);
    assert_null(wasm_ref_copy(NULL));
    assert_null(wasm_ref_as_foreign(NULL));
    assert_null(wasm_foreign_new(NULL));
}

/* Whether a handle can be seen as a reference and back, and as no other kind. */
#define CHECK_CASTS(kind, handle)                                                                  \
    do {                                                                                           \
        wasm_##kind##_t *object = (handle);                                                        \
        const wasm_ref_t *ref = wasm_##kind##_as_ref_const(object);                                \
        assert_ptr_equal(ref, wasm_##kind##_as_ref(object));                                       \
        assert_ptr_equal(wasm_ref_as_##kind##_const(ref), object);                                 \
        assert_ptr_equal(wasm_ref_as_##kind(wasm_##kind##_as_ref(object)), object);                \
        assert_null(wasm_ref_as_foreign_const(ref));                                               \
        wasm_##kind##_t *copy = wasm_##kind##_copy(object);                                        \
        assert_true(wasm_##kind##_same(object, copy));                                             \
        wasm_##kind##_delete(copy);                                                                \
        wasm_##kind##_delete(object);                                                              \
    } while (0)
#define CHECK_EXTERN(kind, instance, name)                                                         \
    do {                                                                                           \
        const wasm_extern_t *found = get_export(instance, name);                                   \
        const wasm_##kind##_t *seen = wasm_extern_as_##kind##_const(found);                        \
        assert_ptr_equal(wasm_##kind##_as_extern_const(seen), found);                              \
        CHECK_CASTS(kind, wasm_##kind##_copy(seen));                                               \
        CHECK_CASTS(extern, (wasm_extern_t *)(uintptr_t)found);                                    \
    } while (0)

static void host_info_is_finalized_once(void **state) {
    wasm_store_t *store = STORE(state);
    finalized = 0;
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_foreign_set_host_info_with_finalizer(foreign, (void *)1, count_finalizer);
    wasm_foreign_set_host_info_with_finalizer(foreign, (void *)10, count_finalizer);
    assert_int_equal(finalized, 1); /* replaced */
    wasm_foreign_set_host_info(foreign, NULL);
    assert_int_equal(finalized, 11);
    wasm_foreign_set_host_info_with_finalizer(foreign, (void *)100, count_finalizer);
    wasm_foreign_delete(foreign);
    assert_int_equal(finalized, 111); /* gone */
}

/* (module
 *   (func (export "f")) (func (export "never_asked_for"))
 *   (table (export "t") 3 funcref) (memory (export "m") 1) (global (export "g") i32 (i32.const 5))
 *   (elem (i32.const 1) 0)) */
static const uint8_t one_of_each[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x03,
    0x02, 0x00, 0x00, 0x04, 0x04, 0x01, 0x70, 0x00, 0x03, 0x05, 0x03, 0x01, 0x00, 0x01, 0x06, 0x06,
    0x01, 0x7f, 0x00, 0x41, 0x05, 0x0b, 0x07, 0x23, 0x05, 0x01, 0x66, 0x00, 0x00, 0x0f, 0x6e, 0x65,
    0x76, 0x65, 0x72, 0x5f, 0x61, 0x73, 0x6b, 0x65, 0x64, 0x5f, 0x66, 0x6f, 0x72, 0x00, 0x01, 0x01,
    0x74, 0x01, 0x00, 0x01, 0x6d, 0x02, 0x00, 0x01, 0x67, 0x03, 0x00, 0x09, 0x07, 0x01, 0x00, 0x41,
    0x01, 0x0b, 0x01, 0x00, 0x0a, 0x07, 0x02, 0x02, 0x00, 0x0b, 0x02, 0x00, 0x0b,
};

static void casts(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = INSTANTIATE(store, one_of_each);
    CHECK_EXTERN(func, instance, "f");
    CHECK_EXTERN(table, instance, "t");
    CHECK_EXTERN(memory, instance, "m");
    CHECK_EXTERN(global, instance, "g");
    CHECK_CASTS(module, catnap_instance_module(instance));
    CHECK_CASTS(trap, catnap_trap_new(store, CATNAP_TRAP_HOST, "trap"));
    CHECK_CASTS(instance, instance);
}

static void every_kind_has_host_info(void **state) {
    wasm_store_t *store = STORE(state);
    finalized = 0;
    wasm_instance_t *instance = INSTANTIATE(store, one_of_each);
    wasm_instance_set_host_info_with_finalizer(instance, (void *)1, count_finalizer);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    assert_int_equal(exports.size, 5);
    for (size_t i = 0; i < exports.size; i++) {
        wasm_extern_set_host_info_with_finalizer(exports.data[i], (void *)1, count_finalizer);
        assert_ptr_equal(wasm_extern_get_host_info(exports.data[i]), (void *)1);
    }
    wasm_module_t *module = catnap_instance_module(instance);
    wasm_module_set_host_info_with_finalizer(module, (void *)1, count_finalizer);
    wasm_trap_t *trap = catnap_trap_new(store, CATNAP_TRAP_HOST, "trap");
    wasm_trap_set_host_info_with_finalizer(trap, (void *)1, count_finalizer);
    wasm_module_delete(module);
    wasm_trap_delete(trap);
    assert_int_equal(finalized, 2);
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    catnap_store_collect(store);
    assert_int_equal(finalized, 8); /* an instance goes with its parts */
}

static void identity_of_exports(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = INSTANTIATE(store, one_of_each);
    wasm_extern_t *a = get_export(instance, "f"), *b = get_export(instance, "f");
    assert_true(wasm_extern_same(a, b));
    wasm_table_t *table = EXPORT(table, instance, "t");
    wasm_ref_t *element = wasm_table_get(table, 1);
    assert_true(wasm_func_same(wasm_ref_as_func(element), wasm_extern_as_func(a)));
    static const char *const names[] = {"f", "t", "m", "g"};
    static const wasm_externkind_t kinds[] = {WASM_EXTERN_FUNC, WASM_EXTERN_TABLE,
                                              WASM_EXTERN_MEMORY, WASM_EXTERN_GLOBAL};
    for (size_t i = 0; i < COUNT(names); i++) {
        wasm_extern_t *found = get_export(instance, names[i]);
        assert_int_equal(wasm_extern_kind(found), kinds[i]);
        wasm_externtype_t *type = wasm_extern_type(found);
        assert_int_equal(wasm_externtype_kind(type), kinds[i]);
        wasm_externtype_delete(type);
        assert_int_equal(wasm_extern_as_memory(found) != NULL, i == 2);
        wasm_extern_delete(found);
    }
    wasm_ref_delete(element);
    wasm_table_delete(table);
    wasm_extern_delete(a);
    wasm_extern_delete(b);
    wasm_instance_delete(instance);
}

/* ---- Globals ---- */

static wasm_global_t *new_global(wasm_store_t *store, wasm_valkind_t kind,
                                 wasm_mutability_t mutability, const wasm_val_t *value) {
    wasm_globaltype_t *type = wasm_globaltype_new(wasm_valtype_new(kind), mutability);
    wasm_global_t *global = wasm_global_new(store, type, value);
    wasm_globaltype_delete(type);
    return global;
}

static void globals(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_val_t value = WASM_F32_VAL(1.5f), read;
    wasm_global_t *global = new_global(store, WASM_F32, WASM_VAR, &value);
    wasm_global_get(global, &read);
    assert_int_equal(read.kind, WASM_F32);
    assert_true(read.of.f32 == 1.5f);
    value.of.f32 = -2;
    wasm_global_set(global, &value);
    wasm_global_get(global, &read);
    assert_true(read.of.f32 == -2);
    wasm_val_t wrong = WASM_I32_VAL(1);
    wasm_global_set(global, &wrong);
    assert_last_error(store, CATNAP_MISUSE, "another type");
    wasm_global_get(global, &read);
    assert_true(read.of.f32 == -2);
    wasm_globaltype_t *type = wasm_global_type(global);
    assert_int_equal(wasm_globaltype_mutability(type), WASM_VAR);
    wasm_globaltype_delete(type);
    wasm_global_delete(global);

    global = new_global(store, WASM_F32, WASM_CONST, &value);
    catnap_val_t wide = {.kind = WASM_F32};
    assert_error(catnap_global_set(global, &wide), CATNAP_MISUSE, "immutable");
    wasm_global_set(global, &value);
    assert_last_error(store, CATNAP_MISUSE, "immutable");
    wasm_global_delete(global);

    assert_null(new_global(store, WASM_I32, WASM_VAR, &value));
    assert_last_error(store, CATNAP_MISUSE, "i32");
    assert_null(new_global(store, WASM_V128, WASM_VAR, &value));
    assert_null(new_global(store, WASM_F32, 7, &value));
    assert_last_error(store, CATNAP_INVALID, "mutability");
    assert_null(wasm_global_new(store, NULL, &value));
    wasm_globaltype_t *vector = wasm_globaltype_new(wasm_valtype_new_v128(), WASM_VAR);
    catnap_val_t lanes = {.kind = WASM_V128, .of.v128 = {1, 2, 3}};
    catnap_error_t *error;
    global = catnap_global_new(store, vector, &lanes, &error);
    assert_no_error(error);
    lanes.of.v128[0] = 9;
    catnap_global_get(global, &lanes);
    assert_int_equal(lanes.of.v128[0], 1);
    wasm_global_set(global, &value);
    assert_last_error(store, CATNAP_MISUSE, "v128");
    assert_null(catnap_global_new(store, vector, &wide, &error));
    assert_error(error, CATNAP_MISUSE, "another type");
    wasm_globaltype_delete(vector);
    wasm_global_delete(global);
    assert_error(catnap_global_set(NULL, &lanes), CATNAP_MISUSE, "NULL");
    assert_null(new_global(store, WASM_F32, WASM_VAR, NULL));
    wasm_global_get(NULL, &read);
    assert_null(read.of.ref);
    wasm_global_set(NULL, &value);
}

/* ---- Tables ---- */

static wasm_table_t *new_table(wasm_store_t *store, wasm_valkind_t kind, uint32_t min, uint32_t max,
                               wasm_ref_t *init) {
    wasm_limits_t limits = {min, max};
    wasm_tabletype_t *type = wasm_tabletype_new(wasm_valtype_new(kind), &limits);
    wasm_table_t *table = wasm_table_new(store, type, init);
    wasm_tabletype_delete(type);
    return table;
}

static void tables(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_instance_t *instance = INSTANTIATE(store, one_of_each);
    wasm_func_t *func = EXPORT(func, instance, "f");
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_table_t *table = new_table(store, WASM_FUNCREF, 2, 5, wasm_func_as_ref(func));
    wasm_ref_t *element = wasm_table_get(table, 1);
    assert_ptr_equal(wasm_ref_as_func(element), func);
    wasm_ref_delete(element);
    assert_true(wasm_table_set(table, 1, NULL));
    assert_null(wasm_table_get(table, 1));
    assert_false(wasm_table_set(table, 2, NULL));
    assert_last_error(store, CATNAP_NOT_FOUND, "2");
    assert_false(wasm_table_set(table, 0, wasm_foreign_as_ref(foreign)));
    assert_last_error(store, CATNAP_MISUSE, "funcref");
    assert_null(wasm_table_get(table, UINT32_MAX));

    assert_true(wasm_table_grow(table, 3, wasm_func_as_ref(func)));
    assert_int_equal(wasm_table_size(table), 5);
    element = wasm_table_get(table, 4);
    assert_ptr_equal(wasm_ref_as_func(element), func);
    wasm_ref_delete(element);
    assert_true(wasm_table_grow(table, 0, NULL));
    assert_false(wasm_table_grow(table, 1, NULL));
    assert_last_error(store, CATNAP_LIMIT, "5");
    assert_false(wasm_table_grow(table, UINT32_MAX, NULL));
    assert_false(wasm_table_grow(table, 0, wasm_foreign_as_ref(foreign)));
    wasm_tabletype_t *type = wasm_table_type(table);
    assert_int_equal(wasm_tabletype_limits(type)->min, 5);
    assert_int_equal(wasm_tabletype_limits(type)->max, 5);
    wasm_tabletype_delete(type);
    wasm_table_delete(table);

    table = new_table(store, WASM_EXTERNREF, 0, wasm_limits_max_default, NULL);
    assert_true(wasm_table_grow(table, 1, wasm_foreign_as_ref(foreign)));
    assert_true(wasm_table_grow(table, 1, wasm_func_as_ref(func)));
    assert_false(wasm_table_grow(table, 10000000, NULL));
    wasm_table_delete(table);
    wasm_foreign_delete(foreign);

    assert_null(new_table(store, WASM_I32, 1, 2, NULL));
    assert_last_error(store, CATNAP_INVALID, "i32");
    assert_null(new_table(store, WASM_FUNCREF, 3, 2, NULL));
    assert_last_error(store, CATNAP_INVALID, "maximum");
    assert_null(new_table(store, WASM_FUNCREF, UINT32_MAX, wasm_limits_max_default, NULL));
    assert_last_error(store, CATNAP_LIMIT, "10000000");
    assert_null(wasm_table_new(store, NULL, NULL));
    assert_int_equal(wasm_table_size(NULL), 0);
    wasm_func_delete(func);
    wasm_instance_delete(instance);
}

/* ---- Memories ---- */

static wasm_memory_t *new_memory(wasm_store_t *store, uint32_t min, uint32_t max) {
    wasm_limits_t limits = {min, max};
    wasm_memorytype_t *type = wasm_memorytype_new(&limits);
    wasm_memory_t *memory = wasm_memory_new(store, type);
    wasm_memorytype_delete(type);
    return memory;
}

static void memories(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_memory_t *memory = new_memory(store, 1, 3);
    byte_t *data = wasm_memory_data(memory);
    assert_int_equal(wasm_memory_data_size(memory), MEMORY_PAGE_SIZE);
    data[MEMORY_PAGE_SIZE - 1] = 9;
    assert_true(wasm_memory_grow(memory, 2));
    assert_ptr_equal(wasm_memory_data(memory), data);
    assert_int_equal(data[MEMORY_PAGE_SIZE - 1], 9);
    assert_int_equal(data[3 * MEMORY_PAGE_SIZE - 1], 0);
    assert_int_equal(wasm_memory_size(memory), 3);
    assert_true(wasm_memory_grow(memory, 0));
    assert_false(wasm_memory_grow(memory, 1));
    assert_last_error(store, CATNAP_LIMIT, "3");
    assert_false(wasm_memory_grow(memory, UINT32_MAX));
    assert_int_equal(wasm_memory_size(memory), 3);
    wasm_memorytype_t *type = wasm_memory_type(memory);
    assert_int_equal(wasm_memorytype_limits(type)->min, 3);
    assert_int_equal(wasm_memorytype_limits(type)->max, 3);
    wasm_memorytype_delete(type);
    wasm_memory_delete(memory);

    memory = new_memory(store, 0, wasm_limits_max_default);
    assert_non_null(wasm_memory_data(memory));
    assert_int_equal(wasm_memory_data_size(memory), 0);
    wasm_memory_delete(memory);

    assert_null(new_memory(store, 2, 1));
    assert_last_error(store, CATNAP_INVALID, "maximum");
    assert_null(new_memory(store, 65537, wasm_limits_max_default));
    assert_last_error(store, CATNAP_INVALID, "65536");
    assert_null(wasm_memory_new(store, NULL));
    assert_null(wasm_memory_data(NULL));
    assert_false(wasm_memory_grow(NULL, 1));
}

/* (module (memory (export "m") 65536) (func (export "last") (result i32)
 *   (i32.store (i32.const -4) (i32.const 77)) (i32.load (i32.const -4)))) */
static const uint8_t four_gigabytes[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7f,
    0x03, 0x02, 0x01, 0x00, 0x05, 0x05, 0x01, 0x00, 0x80, 0x80, 0x04, 0x07, 0x0c, 0x02, 0x01,
    0x6d, 0x02, 0x00, 0x04, 0x6c, 0x61, 0x73, 0x74, 0x00, 0x00, 0x0a, 0x11, 0x01, 0x0f, 0x00,
    0x41, 0x7c, 0x41, 0xcd, 0x00, 0x36, 0x02, 0x00, 0x41, 0x7c, 0x28, 0x02, 0x00, 0x0b,
};

static void the_largest_memory_loads(void **state) {
    wasm_instance_t *instance = INSTANTIATE(STORE(state), four_gigabytes);
    assert_int_equal(CALL(instance, "last"), 77);
    wasm_memory_t *memory = EXPORT(memory, instance, "m");
    assert_true(wasm_memory_data_size(memory) == UINT64_C(4) << 30);
    assert_int_equal(wasm_memory_size(memory), 65536);
    assert_false(wasm_memory_grow(memory, 1));
    wasm_memory_delete(memory);
    wasm_instance_delete(instance);
}

/* (module (memory (export "m") 1)
 *   (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
 *   (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))) */
static const uint8_t loading[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60, 0x01,
    0x7f, 0x01, 0x7f, 0x03, 0x03, 0x02, 0x00, 0x00, 0x05, 0x03, 0x01, 0x00, 0x01,
    0x07, 0x13, 0x03, 0x01, 0x6d, 0x02, 0x00, 0x04, 0x6c, 0x6f, 0x61, 0x64, 0x00,
    0x00, 0x04, 0x67, 0x72, 0x6f, 0x77, 0x00, 0x01, 0x0a, 0x10, 0x02, 0x07, 0x00,
    0x20, 0x00, 0x28, 0x02, 0x00, 0x0b, 0x06, 0x00, 0x20, 0x00, 0x40, 0x00, 0x0b,
};

static void use_memory(const wasm_instance_t *instance) {
    assert_int_equal(CALL(instance, "load", 65532), 0);
    assert_trap(CALL_TRAP(instance, "load", 65536), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS, "0x10000");
    assert_int_equal(CALL(instance, "grow", 1), 1);
    assert_int_equal(CALL(instance, "load", 131068), 0);
    assert_trap(CALL_TRAP(instance, "load", -1), CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS, "0xffffffff");
}

#define CANNOT_LIMIT 77

/* In a process of its own: what the limit takes cannot be given back. */
static void use_little_address_space(wasm_store_t *store) {
    wasm_module_t *module = LOAD(store, loading);
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    wasm_instance_t *guarded = wasm_instance_new(store, module, &none, NULL);
    sigaction(SIGSEGV, &engine_fault_handler, NULL);
    use_memory(guarded);
    /* Too little for guard pages from now on: the module's code is made a second time. */
    uint64_t gigabyte = UINT64_C(1) << 30;
    struct rlimit limit = {12 * gigabyte, 12 * gigabyte};
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    if (mmap(NULL, 13 * gigabyte, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) !=
        MAP_FAILED)
        _exit(CANNOT_LIMIT); /* an emulator */
    wasm_instance_t *checked = wasm_instance_new(store, module, &none, NULL);
    use_memory(checked);
    catnap_module_stats_t stats;
    catnap_module_stats(module, &stats);
    assert_true(stats.functions_translated == 4 || stats.functions_translated == 2);
    /* The reservation is what could be had, which growth must respect. */
    assert_int_equal(CALL(checked, "grow", 65000), -1);
    assert_true(CALL(checked, "grow", 1000) > 0);
    wasm_instance_delete(guarded);
    wasm_instance_delete(checked);
    wasm_module_delete(module);
}

static void little_address_space_suffices(void **state) {
    if (SANITIZED)
        skip();
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        use_little_address_space(STORE(state));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT_LIMIT)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- Foreign objects in WebAssembly ---- */

/* (module
 *   (import "host" "churn" (func $churn))
 *   (table (export "t") 4 externref)
 *   (global $g (export "g") (mut externref) (ref.null extern))
 *   (func (export "keep") (param externref) (result externref)
 *     (call $churn)
 *     (local.get 0))
 *   (func (export "churn") (call $churn))) */
static const uint8_t keeping[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x09, 0x02, 0x60, 0x00, 0x00, 0x60, 0x01,
    0x6f, 0x01, 0x6f, 0x02, 0x0e, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x05, 0x63, 0x68, 0x75, 0x72,
    0x6e, 0x00, 0x00, 0x03, 0x03, 0x02, 0x01, 0x00, 0x04, 0x04, 0x01, 0x6f, 0x00, 0x04, 0x06, 0x06,
    0x01, 0x6f, 0x01, 0xd0, 0x6f, 0x0b, 0x07, 0x18, 0x04, 0x01, 0x74, 0x01, 0x00, 0x01, 0x67, 0x03,
    0x00, 0x04, 0x6b, 0x65, 0x65, 0x70, 0x00, 0x01, 0x05, 0x63, 0x68, 0x75, 0x72, 0x6e, 0x00, 0x02,
    0x0a, 0x0d, 0x02, 0x06, 0x00, 0x10, 0x00, 0x20, 0x00, 0x0b, 0x04, 0x00, 0x10, 0x00, 0x0b,
};

struct churning {
    wasm_store_t *store;
    wasm_table_t *scratch;
    wasm_foreign_t *to_drop;
};

/* Drops a handle, then makes many objects that WebAssembly could reach for a moment and that only a
 * collection finds. */
static wasm_trap_t *churn(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    struct churning *churning = env;
    (void)args;
    (void)results;
    wasm_foreign_delete(churning->to_drop);
    churning->to_drop = NULL;
    for (int i = 0; i < 5000; i++) {
        wasm_foreign_t *foreign = wasm_foreign_new(churning->store);
        wasm_foreign_set_host_info_with_finalizer(foreign, (void *)1, count_finalizer);
        assert_true(wasm_table_set(churning->scratch, 0, wasm_foreign_as_ref(foreign)));
        wasm_foreign_delete(foreign);
    }
    return NULL;
}

static wasm_foreign_t *new_marked(wasm_store_t *store, int mark) {
    wasm_foreign_t *foreign = wasm_foreign_new(store);
    wasm_foreign_set_host_info_with_finalizer(foreign, (void *)(intptr_t)mark, count_finalizer);
    return foreign;
}

static void collection_keeps_what_is_reachable(void **state) {
    wasm_store_t *store = STORE(state);
    finalized = 0;
    struct churning churning = {store, new_table(store, WASM_EXTERNREF, 1, 1, NULL), NULL};
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *host = wasm_func_new_with_env(store, type, churn, &churning, NULL);
    wasm_functype_delete(type);
    wasm_extern_t *imports[] = {wasm_func_as_extern(host)};
    wasm_instance_t *instance = instantiate(store, keeping, sizeof keeping, imports, 1);
    wasm_table_t *table = EXPORT(table, instance, "t");
    wasm_global_t *global = EXPORT(global, instance, "g");
    wasm_table_t *host_table = new_table(store, WASM_EXTERNREF, 1, 1, NULL);
    wasm_val_t value = WASM_INIT_VAL;
    wasm_global_t *host_global = new_global(store, WASM_EXTERNREF, WASM_VAR, &value);

    wasm_foreign_t *kept[5];
    for (int i = 0; i < 5; i++)
        kept[i] = new_marked(store, (i + 1) * 1000000);
    wasm_table_set(table, 2, wasm_foreign_as_ref(kept[0]));
    wasm_table_set(host_table, 0, wasm_foreign_as_ref(kept[1]));
    value.of.ref = wasm_foreign_as_ref(kept[2]);
    wasm_global_set(global, &value);
    value.of.ref = wasm_foreign_as_ref(kept[3]);
    wasm_global_set(host_global, &value);
    for (size_t i = 0; i < 4; i++)
        wasm_foreign_delete(kept[i]);

    /* The fifth is on the value stack only while the host makes garbage. */
    wasm_func_t *keep = EXPORT(func, instance, "keep");
    wasm_val_t argument[] = {WASM_REF_VAL(wasm_foreign_as_ref(kept[4]))}, result[1];
    wasm_val_vec_t args = WASM_ARRAY_VEC(argument), results = WASM_ARRAY_VEC(result);
    churning.to_drop = kept[4];
    assert_no_trap(wasm_func_call(keep, &args, &results));
    assert_ptr_equal(wasm_ref_get_host_info(result[0].of.ref), (void *)5000000);
    assert_true(finalized > 3000 && finalized <= 5000);
    CALL(instance, "churn");
    assert_true(finalized > 8000 && finalized <= 10000);
    wasm_val_delete(&result[0]);

    wasm_ref_t *element = wasm_table_get(table, 2);
    assert_ptr_equal(wasm_ref_get_host_info(element), (void *)1000000);
    wasm_ref_delete(element);
    wasm_global_get(global, &value);
    assert_ptr_equal(wasm_ref_get_host_info(value.of.ref), (void *)3000000);
    wasm_val_delete(&value);
    wasm_func_delete(keep);
    wasm_func_delete(host);
    wasm_table_delete(table);
    wasm_table_delete(host_table);
    wasm_table_delete(churning.scratch);
    wasm_global_delete(global);
    wasm_global_delete(host_global);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
    STORE(state) = NULL;
    assert_int_equal(finalized, 15000000 + 10000);
}

/* (module (func (export "id") (param externref) (result externref) (local.get 0))) */
static const uint8_t identity[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60,
    0x01, 0x6f, 0x01, 0x6f, 0x03, 0x02, 0x01, 0x00, 0x07, 0x06, 0x01, 0x02,
    0x69, 0x64, 0x00, 0x00, 0x0a, 0x06, 0x01, 0x04, 0x00, 0x20, 0x00, 0x0b,
};

static void escaped_objects_are_collected(void **state) {
    wasm_store_t *store = STORE(state);
    finalized = 0;
    wasm_instance_t *instance = INSTANTIATE(store, identity);
    wasm_func_t *id = EXPORT(func, instance, "id");
    for (int i = 0; i < 20000; i++) {
        wasm_val_t v[] = {WASM_REF_VAL(wasm_foreign_as_ref(new_marked(store, 1)))}, r[1];
        wasm_val_vec_t args = WASM_ARRAY_VEC(v), results = WASM_ARRAY_VEC(r);
        assert_no_trap(wasm_func_call(id, &args, &results));
        assert_true(wasm_ref_same(v[0].of.ref, r[0].of.ref));
        wasm_val_delete(&v[0]);
        wasm_val_delete(&r[0]);
    }
    assert_true(finalized > 18000);
    catnap_store_stats_t stats;
    catnap_store_stats(store, &stats);
    assert_true(stats.host_objects < 2000);
    wasm_func_delete(id);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
    STORE(state) = NULL;
    assert_int_equal(finalized, 20000);
}

/* ---- Objects of another store ---- */

static void stores_do_not_mix(void **state) {
    wasm_store_t *store = STORE(state);
    wasm_store_t *other = wasm_store_new(catnap_store_engine(store));
    wasm_instance_t *instance = INSTANTIATE(store, identity);
    wasm_func_t *id = EXPORT(func, instance, "id");
    wasm_foreign_t *stranger = wasm_foreign_new(other);
    wasm_val_t v[] = {WASM_REF_VAL(wasm_foreign_as_ref(stranger))}, r[1];
    wasm_val_vec_t args = WASM_ARRAY_VEC(v), results = WASM_ARRAY_VEC(r);
    assert_trap(wasm_func_call(id, &args, &results), CATNAP_TRAP_HOST, "another store");
    assert_null(r[0].of.ref);
    wasm_table_t *table = new_table(store, WASM_EXTERNREF, 1, 1, NULL);
    assert_false(wasm_table_set(table, 0, wasm_foreign_as_ref(stranger)));
    assert_last_error(store, CATNAP_MISUSE, "another store");
    assert_null(new_table(store, WASM_EXTERNREF, 1, 1, wasm_foreign_as_ref(stranger)));
    wasm_val_t value = WASM_INIT_VAL;
    wasm_global_t *global = new_global(store, WASM_EXTERNREF, WASM_VAR, &value);
    wasm_global_set(global, &v[0]);
    wasm_global_get(global, &value);
    assert_null(value.of.ref);
    wasm_global_delete(global);
    wasm_table_delete(table);
    wasm_foreign_delete(stranger);
    wasm_func_delete(id);
    wasm_instance_delete(instance);
    wasm_store_delete(other);
}

/* ---- The order of deletion ---- */

static void handles_may_outlive_their_store(void **state) {
    struct fixture *fixture = *state;
    wasm_store_t *store = fixture->store;
    finalized = 0;
    wasm_instance_t *instance = INSTANTIATE(store, one_of_each);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    wasm_module_t *module = catnap_instance_module(instance);
    wasm_shared_module_t *shared = wasm_module_share(module);
    wasm_trap_t *trap = catnap_trap_new(store, CATNAP_TRAP_HOST, "kept");
    wasm_foreign_t *foreign = new_marked(store, 1);
    wasm_engine_delete(fixture->engine);
    wasm_store_delete(store);
    assert_int_equal(finalized, 1);
    fixture->engine = NULL;
    fixture->store = NULL;

    wasm_val_vec_t none = WASM_EMPTY_VEC;
    assert_trap(wasm_func_call(wasm_extern_as_func(exports.data[0]), &none, &none),
                CATNAP_TRAP_HOST, "deleted");
    wasm_trap_t *failed;
    wasm_extern_vec_t no_imports = WASM_EMPTY_VEC;
    assert_null(wasm_instance_new(store, module, &no_imports, &failed));
    assert_trap(failed, CATNAP_TRAP_HOST, "deleted");
    assert_int_equal(wasm_memory_size(wasm_extern_as_memory(exports.data[3])), 1);
    wasm_foreign_delete(foreign);
    wasm_trap_delete(trap);
    wasm_module_delete(module);
    wasm_instance_delete(instance);
    wasm_extern_vec_delete(&exports);
    assert_int_equal(finalized, 1);
    wasm_shared_module_delete(shared);
}

struct holder {
    wasm_func_t *func;
    int deleted;
};

static void delete_held(void *env) {
    struct holder *holder = env;
    wasm_func_delete(holder->func);
    holder->deleted++;
}

static wasm_trap_t *nothing(void *env, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    (void)env;
    (void)args;
    (void)results;
    return NULL;
}

/* A finalizer may hold handles and delete them: in the same store, and even on its own object. */
static void finalizers_may_delete_handles(void **state) {
    struct fixture *fixture = *state;
    struct holder holders[3] = {{NULL, 0}};
    wasm_functype_t *type = wasm_functype_new_0_0();
    wasm_func_t *funcs[3];
    for (size_t i = 0; i < 3; i++)
        funcs[i] = wasm_func_new_with_env(fixture->store, type, nothing, &holders[i], delete_held);
    wasm_functype_delete(type);
    holders[0].func = funcs[1]; /* the only handle */
    holders[1].func = NULL;
    holders[2].func = wasm_func_copy(funcs[2]); /* itself */
    wasm_func_delete(funcs[0]);                 /* takes the second with it */
    assert_int_equal(holders[0].deleted, 1);
    assert_int_equal(holders[1].deleted, 1);
    wasm_func_delete(funcs[2]);
    assert_int_equal(holders[2].deleted, 0);
    wasm_store_delete(fixture->store);
    fixture->store = NULL;
    assert_int_equal(holders[2].deleted, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(references_are_handles),
        TEST(host_info_is_finalized_once),
        TEST(casts),
        TEST(every_kind_has_host_info),
        TEST(identity_of_exports),
        TEST(globals),
        TEST(tables),
        TEST(memories),
        TEST(the_largest_memory_loads),
        TEST(little_address_space_suffices),
        TEST(collection_keeps_what_is_reachable),
        TEST(escaped_objects_are_collected),
        TEST(stores_do_not_mix),
        TEST(handles_may_outlive_their_store),
        TEST(finalizers_may_delete_handles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
