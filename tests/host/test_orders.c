/*
 * The objects that a host has of an engine, deleted in every order: all orders of those that depend on
 * each other most, and each pair of all kinds of objects as the first two, with random orders behind them.
 * The rest works as before while its store lives; in the end no memory and no finalizer is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "catnap.h"

/*
 * (module (import "h" "f" (func $f (param i32) (result i32)))
 *   (memory (export "m") 1 2) (table (export "t") 3 funcref) (table (export "x") 3 externref)
 *   (global (export "g") (mut externref) (ref.null extern))
 *   (elem (i32.const 0) func $c)
 *   (func $c (export "c") (param i32) (result i32) (call $f (local.get 0)))
 *   (func (export "u") (unreachable))
 *   (func (export "p") (param externref)
 *     (table.set 1 (i32.const 0) (local.get 0)) (global.set 0 (local.get 0)))
 *   (func (export "l") (loop (br 0))))
 */
/* clang-format off */
static const uint8_t exporting[] = {
    0, 'a', 's', 'm', 1, 0, 0, 0,
    1, 13, 3, 0x60, 1, 0x7F, 1, 0x7F, 0x60, 0, 0, 0x60, 1, 0x6F, 0,
    2, 7, 1, 1, 'h', 1, 'f', 0, 0,
    3, 5, 4, 0, 1, 2, 1,
    4, 7, 2, 0x70, 0, 3, 0x6F, 0, 3,
    5, 4, 1, 1, 1, 2,
    6, 6, 1, 0x6F, 1, 0xD0, 0x6F, 0x0B,
    7, 33, 8, 1, 'm', 2, 0, 1, 't', 1, 0, 1, 'x', 1, 1, 1, 'g', 3, 0, 1, 'c', 0, 1, 1, 'u', 0, 2,
    1, 'p', 0, 3, 1, 'l', 0, 4,
    9, 7, 1, 0, 0x41, 0, 0x0B, 1, 1,
    10, 33, 4, 6, 0, 0x20, 0, 0x10, 0, 0x0B, 3, 0, 0, 0x0B,
    12, 0, 0x41, 0, 0x20, 0, 0x26, 1, 0x20, 0, 0x24, 0, 0x0B, 7, 0, 3, 0x40, 12, 0, 0x0B, 0x0B,
};
/*
 * (module (import "a" "m" (memory 1)) (import "a" "t" (table 1 funcref))
 *   (import "a" "c" (func $c (param i32) (result i32)))
 *   (elem (i32.const 1) func $d)
 *   (func $d (export "d") (param i32) (result i32)
 *     (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0))))
 */
static const uint8_t importing[] = {
    0, 'a', 's', 'm', 1, 0, 0, 0,
    1, 6, 1, 0x60, 1, 0x7F, 1, 0x7F,
    2, 22, 3, 1, 'a', 1, 'm', 2, 0, 1, 1, 'a', 1, 't', 1, 0x70, 0, 1, 1, 'a', 1, 'c', 0, 0,
    3, 2, 1, 0,
    7, 5, 1, 1, 'd', 0, 1,
    9, 7, 1, 0, 0x41, 1, 0x0B, 1, 1,
    10, 11, 1, 9, 0, 0x20, 0, 0x41, 0, 0x11, 0, 0, 0x0B,
};
/* clang-format on */

/* ---- The objects ---- */

enum kind {
    ENGINE,
    STORE,
    MODULE,
    INSTANCE,
    FUNC,
    HOST_FUNC,
    TRAP,
    CORE, /* the kinds above, of which all orders are tried */
    IMPORTER_MODULE = CORE,
    IMPORTER,
    IMPORTER_FUNC,
    EXPORTS,
    SECOND_HANDLE,
    FOREIGN,
    MEMORY,
    TABLE,
    GLOBAL,
    FRAME,
    ERROR,
    SHARED,
    LINKER,
    RUN,
    SNAPSHOT,
    CACHE,
    CACHED,
    PRELINKED,
    PRELINKED_INSTANCE,
    FUNCTYPE,
    EXPORTTYPES,
    IMPORTTYPES,
    VALUES,
    BYTES,
    KINDS
};

#define FINALIZERS 4

struct world {
    void *things[KINDS];
    int64_t bytes;            /* allocated by the engine */
    unsigned made, finalized; /* what has a finalizer */
};

static void *count_bytes(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct world *world = env;
    if (new_size == 0) {
        free(pointer);
        world->bytes -= (int64_t)old_size;
        return NULL;
    }
    void *result = realloc(pointer, new_size);
    assert_non_null(result);
    world->bytes += (int64_t)new_size - (int64_t)old_size;
    return result;
}

static void finalize(void *env) {
    struct world *world = env;
    world->finalized++;
}

/* ---- Making ---- */

static wasm_trap_t *add_seven(void *env, catnap_caller_t *caller, const catnap_val_t *arguments,
                              catnap_val_t *results) {
    (void)env;
    (void)caller;
    results[0].of.i32 = arguments[0].of.i32 + 7;
    return NULL;
}

static wasm_extern_t *export_of(const struct world *world, const char *name) {
    wasm_extern_t *found = catnap_instance_export(world->things[INSTANCE], name, 1);
    assert_non_null(found);
    return found;
}

/* Calls an export and returns the trap. */
static wasm_trap_t *call_export(const struct world *world, const char *name, catnap_val_t *in,
                                size_t count) {
    wasm_extern_t *found = export_of(world, name);
    wasm_trap_t *trap = catnap_func_call(wasm_extern_as_func(found), in, count, NULL, 0);
    wasm_extern_delete(found);
    return trap;
}

static wasm_module_t *load(wasm_store_t *store, const uint8_t *bytes, size_t size) {
    wasm_module_t *module = catnap_module_new(store, bytes, size, NULL, NULL);
    assert_non_null(module);
    return module;
}

static void make_engine(struct world *world) {
    const catnap_allocator_t allocator = {count_bytes, world};
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_allocator(config, &allocator);
    catnap_config_set_fuel(config, true);
    world->things[ENGINE] = wasm_engine_new_with_config(config);
    world->things[STORE] = wasm_store_new(world->things[ENGINE]);
    assert_non_null(world->things[STORE]);
    assert_null(catnap_store_set_fuel(world->things[STORE], 1000 * 1000));
}

static void make_host_func(struct world *world) {
    wasm_functype_t *type =
        wasm_functype_new_1_1(wasm_valtype_new(WASM_I32), wasm_valtype_new(WASM_I32));
    world->things[HOST_FUNC] =
        catnap_func_new(world->things[STORE], type, add_seven, world, finalize, NULL);
    world->made++;
    assert_non_null(world->things[HOST_FUNC]);
    wasm_functype_delete(type);
}

static void make_core(struct world *world) {
    make_engine(world);
    wasm_store_t *store = world->things[STORE];
    make_host_func(world);
    wasm_extern_t *import = wasm_func_as_extern(world->things[HOST_FUNC]);
    wasm_extern_vec_t imports = {1, &import};
    world->things[MODULE] = load(store, exporting, sizeof exporting);
    world->things[INSTANCE] =
        catnap_instance_new(store, world->things[MODULE], &imports, NULL, NULL);
    assert_non_null(world->things[INSTANCE]);
    wasm_instance_set_host_info_with_finalizer(world->things[INSTANCE], world, finalize);
    world->made++;
    wasm_extern_t *found = export_of(world, "c");
    world->things[FUNC] = wasm_func_copy(wasm_extern_as_func(found));
    wasm_extern_delete(found);
    world->things[TRAP] = call_export(world, "u", NULL, 0);
    assert_non_null(world->things[TRAP]);
}

static void make_importer(struct world *world) {
    wasm_extern_t *found[] = {export_of(world, "m"), export_of(world, "t"), export_of(world, "c")};
    wasm_extern_vec_t imports = {3, found};
    world->things[IMPORTER_MODULE] = load(world->things[STORE], importing, sizeof importing);
    world->things[IMPORTER] = catnap_instance_new(
        world->things[STORE], world->things[IMPORTER_MODULE], &imports, NULL, NULL);
    assert_non_null(world->things[IMPORTER]);
    for (size_t i = 0; i < imports.size; i++)
        wasm_extern_delete(found[i]);
    world->things[IMPORTER_FUNC] =
        wasm_extern_as_func(catnap_instance_export(world->things[IMPORTER], "d", 1));
    assert_non_null(world->things[IMPORTER_FUNC]);
}

/* The foreign object is in a table and a global of the instance, and in a global of the host. */
static void make_objects(struct world *world) {
    wasm_store_t *store = world->things[STORE];
    const wasm_limits_t limits = {1, 2};
    wasm_foreign_t *foreign = world->things[FOREIGN] = wasm_foreign_new(store);
    wasm_foreign_set_host_info_with_finalizer(foreign, world, finalize);
    world->made++;
    catnap_val_t value = {.kind = WASM_EXTERNREF, .of.ref = wasm_foreign_as_ref(foreign)};
    assert_null(call_export(world, "p", &value, 1));
    wasm_memorytype_t *memory = wasm_memorytype_new(&limits);
    wasm_tabletype_t *table = wasm_tabletype_new(wasm_valtype_new(WASM_FUNCREF), &limits);
    wasm_globaltype_t *global = wasm_globaltype_new(wasm_valtype_new(WASM_EXTERNREF), WASM_VAR);
    world->things[MEMORY] = wasm_memory_new(store, memory);
    world->things[TABLE] = wasm_table_new(store, table, wasm_func_as_ref(world->things[FUNC]));
    world->things[GLOBAL] = catnap_global_new(store, global, &value, NULL);
    wasm_memorytype_delete(memory);
    wasm_tabletype_delete(table);
    wasm_globaltype_delete(global);
    wasm_memory_set_host_info_with_finalizer(world->things[MEMORY], world, finalize);
    world->made++;
}

static void make_views(struct world *world) {
    wasm_extern_vec_t *exports = world->things[EXPORTS] = calloc(1, sizeof *exports);
    wasm_exporttype_vec_t *types = world->things[EXPORTTYPES] = calloc(1, sizeof *types);
    wasm_importtype_vec_t *imports = world->things[IMPORTTYPES] = calloc(1, sizeof *imports);
    wasm_val_vec_t *values = world->things[VALUES] = calloc(1, sizeof *values);
    wasm_byte_vec_t *bytes = world->things[BYTES] = calloc(1, sizeof *bytes);
    assert_true(exports && types && imports && values && bytes);
    wasm_instance_exports(world->things[INSTANCE], exports);
    wasm_module_exports(world->things[MODULE], types);
    wasm_module_imports(world->things[MODULE], imports);
    wasm_module_serialize(world->things[MODULE], bytes);
    wasm_val_t all[] = {
        {.kind = WASM_EXTERNREF,
         .of.ref = wasm_ref_copy(wasm_foreign_as_ref(world->things[FOREIGN]))},
        {.kind = WASM_FUNCREF, .of.ref = wasm_ref_copy(wasm_func_as_ref(world->things[FUNC]))},
    };
    wasm_val_vec_new(values, 2, all);
    world->things[SECOND_HANDLE] = wasm_ref_copy(wasm_func_as_ref(world->things[HOST_FUNC]));
    world->things[FUNCTYPE] = wasm_func_type(world->things[FUNC]);
    world->things[FRAME] = wasm_trap_origin(world->things[TRAP]);
    world->things[SHARED] = wasm_module_share(world->things[MODULE]);
    world->things[ERROR] = catnap_error_new(CATNAP_IO, "an error");
}

/* A run that has stopped half-way, and what makes instances. */
static void make_makers(struct world *world) {
    wasm_store_t *store = world->things[STORE];
    wasm_trap_t *trap;
    catnap_linker_t *linker = world->things[LINKER] = catnap_linker_new(store);
    assert_null(catnap_linker_define(linker, "h", 1, "f", 1,
                                     wasm_func_as_extern(world->things[HOST_FUNC])));
    world->things[PRELINKED] = catnap_linker_prelink(linker, world->things[MODULE], NULL);
    assert_non_null(world->things[PRELINKED]);
    world->things[PRELINKED_INSTANCE] =
        catnap_prelinked_instantiate(world->things[PRELINKED], NULL, NULL);
    world->things[CACHE] = catnap_cache_new(world->things[ENGINE], NULL, NULL);
    world->things[CACHED] =
        catnap_cache_module(world->things[CACHE], store, exporting, sizeof exporting, NULL, NULL);
    assert_non_null(world->things[CACHED]);
    wasm_extern_t *loop = export_of(world, "l");
    catnap_run_t *run = world->things[RUN] =
        catnap_run_new(wasm_extern_as_func(loop), NULL, 0, NULL);
    wasm_extern_delete(loop);
    uint64_t fuel = catnap_store_fuel(store);
    assert_null(catnap_store_set_fuel(store, 100));
    assert_int_equal(catnap_run_resume(run, NULL, 0, &trap), CATNAP_OUT_OF_FUEL);
    assert_null(catnap_store_set_fuel(store, fuel));
}

/* Of a store that is gone. */
static void make_snapshot(struct world *world) {
    static const uint8_t memory[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 5, 3, 1, 0, 1};
    wasm_store_t *store = wasm_store_new(world->things[ENGINE]);
    wasm_module_t *module = load(store, memory, sizeof memory);
    wasm_instance_delete(catnap_instance_new(store, module, NULL, NULL, NULL));
    world->things[SNAPSHOT] = catnap_snapshot_take(store, NULL, NULL);
    assert_non_null(world->things[SNAPSHOT]);
    wasm_module_delete(module);
    wasm_store_delete(store);
}

static void make_all(struct world *world) {
    make_core(world);
    make_importer(world);
    make_objects(world);
    make_views(world);
    make_makers(world);
    make_snapshot(world);
    for (int i = 0; i < KINDS; i++)
        assert_non_null(world->things[i]);
    assert_int_equal(world->made, FINALIZERS);
}

/* ---- Deleting ---- */

#define DELETE_VECTOR(name, vector)                                                                \
    do {                                                                                           \
        wasm_##name##_vec_delete(vector);                                                          \
        free(vector);                                                                              \
    } while (0)

static void delete_of_a_vector(enum kind kind, void *thing) {
    if (kind == EXPORTS)
        DELETE_VECTOR(extern, thing);
    else if (kind == EXPORTTYPES)
        DELETE_VECTOR(exporttype, thing);
    else if (kind == IMPORTTYPES)
        DELETE_VECTOR(importtype, thing);
    else if (kind == VALUES)
        DELETE_VECTOR(val, thing);
    else
        DELETE_VECTOR(byte, thing);
}

static void delete_thing(struct world *world, enum kind kind) {
    void *thing = world->things[kind];
    world->things[kind] = NULL;
    switch (kind) {
    case ENGINE:
        wasm_engine_delete(thing);
        break;
    case STORE:
        wasm_store_delete(thing);
        assert_int_equal(world->finalized, world->made);
        break;
    case MODULE:
    case IMPORTER_MODULE:
    case CACHED:
        wasm_module_delete(thing);
        break;
    case INSTANCE:
    case IMPORTER:
    case PRELINKED_INSTANCE:
        wasm_instance_delete(thing);
        break;
    case FUNC:
    case HOST_FUNC:
    case IMPORTER_FUNC:
        wasm_func_delete(thing);
        break;
    case TRAP:
        wasm_trap_delete(thing);
        break;
    case SECOND_HANDLE:
        wasm_ref_delete(thing);
        break;
    case FOREIGN:
        wasm_foreign_delete(thing);
        break;
    case MEMORY:
        wasm_memory_delete(thing);
        break;
    case TABLE:
        wasm_table_delete(thing);
        break;
    case GLOBAL:
        wasm_global_delete(thing);
        break;
    case FRAME:
        wasm_frame_delete(thing);
        break;
    case ERROR:
        catnap_error_delete(thing);
        break;
    case SHARED:
        wasm_shared_module_delete(thing);
        break;
    case LINKER:
        catnap_linker_delete(thing);
        break;
    case RUN:
        catnap_run_delete(thing);
        break;
    case SNAPSHOT:
        catnap_snapshot_delete(thing);
        break;
    case CACHE:
        catnap_cache_delete(thing);
        break;
    case PRELINKED:
        catnap_prelinked_delete(thing);
        break;
    case FUNCTYPE:
        wasm_functype_delete(thing);
        break;
    case EXPORTS:
    case EXPORTTYPES:
    case IMPORTTYPES:
    case VALUES:
    case BYTES:
        delete_of_a_vector(kind, thing);
        break;
    case KINDS:
        break;
    }
}

static void call_well(const wasm_func_t *func) {
    catnap_val_t in = {.kind = WASM_I32, .of.i32 = 5}, out;
    assert_null(catnap_func_call(func, &in, 1, &out, 1));
    assert_int_equal(out.of.i32, 12);
}

/* Handles of a deleted store may be read and no more. */
static void use(const struct world *world) {
    const wasm_memory_t *memory = world->things[MEMORY];
    const wasm_table_t *table = world->things[TABLE];
    if (memory)
        assert_int_equal(wasm_memory_size(memory), 1);
    if (table)
        assert_int_equal(wasm_table_size(table), 1);
    if (world->things[TRAP])
        assert_int_equal(catnap_trap_code(world->things[TRAP]), CATNAP_TRAP_UNREACHABLE);
    if (!world->things[STORE])
        return;
    for (enum kind kind = FUNC; kind <= IMPORTER_FUNC; kind++)
        if ((kind == FUNC || kind == HOST_FUNC || kind == IMPORTER_FUNC) && world->things[kind])
            call_well(world->things[kind]);
}

static void delete_in_order(struct world *world, const enum kind *order, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        delete_thing(world, order[i]);
        use(world);
    }
    assert_int_equal(world->finalized, world->made);
    assert_int_equal(world->bytes, 0);
}

/* ---- Orders ---- */

/* Calls `body` with all orders of order[at..count-1]. */
static void each_order(enum kind *order, unsigned at, unsigned count,
                       void (*body)(const enum kind *order)) {
    if (at == count) {
        body(order);
        return;
    }
    for (unsigned i = at; i < count; i++) {
        enum kind kept = order[at];
        order[at] = order[i];
        order[i] = kept;
        each_order(order, at + 1, count, body);
        order[i] = order[at];
        order[at] = kept;
    }
}

static void delete_core(const enum kind *order) {
    struct world world = {.bytes = 0};
    make_core(&world);
    delete_in_order(&world, order, CORE);
}

static void core_in_all_orders(void **state) {
    (void)state;
    enum kind order[CORE];
    for (unsigned i = 0; i < CORE; i++)
        order[i] = (enum kind)i;
    each_order(order, 0, CORE, delete_core);
}

static uint32_t next_random(uint32_t *random) {
    *random = *random * 1664525 + 1013904223;
    return *random >> 8;
}

/* The two come first; the others follow by chance. */
static void delete_after(enum kind first, enum kind second, uint32_t *random) {
    struct world world = {.bytes = 0};
    enum kind order[KINDS] = {first, second};
    unsigned count = 2;
    for (unsigned i = 0; i < KINDS; i++)
        if (i != first && i != second)
            order[count++] = (enum kind)i;
    for (unsigned i = count - 1; i > 2; i--) {
        unsigned other = 2 + next_random(random) % (i - 1);
        enum kind kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    make_all(&world);
    delete_in_order(&world, order, count);
}

static void all_with_each_pair_first(void **state) {
    (void)state;
    uint32_t random = 1;
    for (unsigned i = 0; i < KINDS; i++)
        for (unsigned j = 0; j < KINDS; j++)
            if (i != j)
                delete_after((enum kind)i, (enum kind)j, &random);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_in_all_orders),
        cmocka_unit_test(all_with_each_pair_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
