/*
 * Each kind of mutable state (runtime/state.h) survives what preserves state, and is reset by what resets
 * it. The tests name no kind: they walk the table, change the items of each kind by their form, and look at
 * the items of all kinds. A new row is tested as it stands, provided that state_module has items of the kind.
 */
#include "modules.h"
#include "world.h"

#include "runtime/state.h"
#include "runtime/store.h"

#define MOST_KINDS 16

/* ---- Looking at state ---- */

static uint64_t mix(uint64_t hash, uint64_t value) {
    return (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15) + (hash >> 29);
}

/* A reference in terms that hold for every instance of the module: null, or a function's index + 1. */
static uint64_t meaning(uint64_t slot) {
    const struct wasm_ref_t *ref = slot_object(slot);
    return ref ? (uint64_t)((const wasm_func_t *)ref)->index + 1 : 0;
}

/* The bytes of a segment that instructions can still read: a module from an instance has an empty segment in place
 * of one that was dropped. */
static uint64_t segment_length(const struct state_kind *kind, const wasm_instance_t *instance,
                               uint32_t index) {
    if (index >= cn_state_end(kind, instance->module))
        return 0;
    return kind->section == SECTION_DATA ? cn_instance_data(instance, index).length
                                         : cn_instance_elem_count(instance, index);
}

static uint64_t hash_items(const struct state_kind *kind, const struct wasm_ref_t *holder) {
    struct state_items items = cn_state_items(kind, holder);
    uint64_t hash = items.count;
    const uint8_t *bytes = items.at;
    const uint64_t *slots = items.at;
    for (uint64_t i = 0; i < items.count && kind->form == STATE_PAGES; i++)
        hash = mix(hash, bytes[i]);
    for (uint64_t i = 0; i < items.count && kind->form == STATE_REFS; i++)
        hash = mix(hash, meaning(slots[i]));
    for (uint32_t i = 0; i < items.count && kind->form == STATE_VALUES; i++, slots += 2) {
        bool is_ref = vt_is_ref(kind->type(holder, i));
        hash = mix(mix(hash, is_ref ? meaning(slots[0]) : slots[0]), slots[1]);
    }
    return hash;
}

/* The state of one kind; that of flags as the first `flag_count` segments. */
static uint64_t hash_kind(const struct state_kind *kind, const wasm_instance_t *instance,
                          uint32_t flag_count) {
    uint64_t hash = 0;
    if (kind->form == STATE_FLAGS)
        for (uint32_t i = 0; i < flag_count; i++)
            hash = mix(hash, segment_length(kind, instance, i));
    else if (!cn_state_is_part(kind))
        hash = hash_items(kind, &instance->ref);
    else
        for (uint32_t i = 0; i < cn_state_end(kind, instance->module); i++)
            hash = mix(hash, hash_items(kind, cn_state_part(kind, instance, i)));
    return hash;
}

struct hashes {
    uint64_t of[MOST_KINDS];
};

/* As `like` has segments: those of a module from an instance are others. */
static struct hashes look(const wasm_instance_t *instance, const struct module *like) {
    struct hashes hashes = {0};
    FOR_EACH_STATE (kind)
        if (kind->section)
            hashes.of[kind - cn_state_kinds] = hash_kind(kind, instance, cn_state_end(kind, like));
    return hashes;
}

static void assert_same(const struct hashes *found, const struct hashes *expected,
                        const char *way) {
    FOR_EACH_STATE (kind)
        if (found->of[kind - cn_state_kinds] != expected->of[kind - cn_state_kinds]) {
            print_message("%s: %s are not as expected\n", way, kind->name);
            fail();
        }
}

/* ---- Changing state ---- */

/* Any other value of the type; a reference becomes the first function, or stays when it cannot be one. */
static void change_value(valtype type, uint64_t *slots, wasm_instance_t *instance) {
    if (!vt_is_ref(type)) {
        slots[0] ^= 0x55;
        slots[1] ^= type == VT_V128 ? 0x55 : 0;
    } else if (type == VT_FUNCREF && instance) {
        slots[0] = object_slot(&cn_instance_func(instance, 0)->ref);
    }
}

static void change_items(const struct state_kind *kind, struct wasm_ref_t *holder,
                         wasm_instance_t *instance) {
    if (kind->grow)
        assert_true(kind->grow(holder, 1));
    struct state_items items = cn_state_items(kind, holder);
    assert_true(items.count > 0);
    uint8_t *bytes = items.at;
    uint64_t *slots = items.at;
    bool *flags = items.at;
    switch (kind->form) {
    case STATE_PAGES:
        bytes[7] ^= 0x55;
        bytes[items.count - 1] ^= 0x55;
        break;
    case STATE_REFS:
        change_value(kind->type(holder, 0), &slots[0], instance);
        change_value(kind->type(holder, 0), &slots[items.count - 1], instance);
        break;
    case STATE_VALUES:
        for (uint32_t i = 0; i < items.count; i++)
            change_value(kind->type(holder, i), slots + (size_t)2 * i, instance);
        break;
    default:
        for (uint32_t i = 0; i < items.count; i++)
            flags[i] = !flags[i];
        break;
    }
}

/* Changes all state of the kind, which changes no other. */
static struct hashes change(const struct state_kind *kind, wasm_instance_t *instance) {
    const struct module *module = instance->module;
    struct hashes before = look(instance, module);
    assert_true(cn_state_end(kind, module) > cn_state_first(kind, module));
    if (!cn_state_is_part(kind))
        change_items(kind, &instance->ref, instance);
    for (struct state_walk walk = {0}; cn_state_next(instance, &walk);)
        if (walk.kind == kind)
            change_items(kind, walk.ref, instance);
    struct hashes after = look(instance, module), expected = after;
    size_t index = (size_t)(kind - cn_state_kinds);
    assert_true(after.of[index] != before.of[index]);
    expected.of[index] = before.of[index];
    assert_same(&before, &expected, "changing one kind");
    return after;
}

/* ---- Ways to preserve and to reset state ---- */

static void roll_back(const struct state_kind *kind) {
    struct world world;
    uint32_t level;
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, state_module);
    struct hashes before = look(instance, instance->module);
    assert_no_error(catnap_store_checkpoint(world.store, &level));
    change(kind, instance);
    assert_no_error(catnap_store_rollback(world.store, level));
    struct hashes found = look(instance, instance->module);
    assert_same(&found, &before, "rollback");
    wasm_instance_delete(instance);
    close_world(&world);
}

/* From bytes, with a delta in between. */
static void capture_and_restore(const struct state_kind *kind) {
    struct world world;
    catnap_error_t *error;
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, state_module);
    catnap_snapshot_t *base = take(&world, NULL);
    struct hashes changed = change(kind, instance);
    catnap_snapshot_t *snapshot = take(&world, NULL);
    wasm_byte_vec_t bytes = to_bytes(snapshot, base);
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    close_store(&world);
    open_store(&world);
    catnap_open_options_t options = {.base = base};
    snapshot = catnap_snapshot_read(world.engine, (const uint8_t *)bytes.data, bytes.size, &options,
                                    &error);
    assert_no_error(error);
    instance = restore(snapshot, &world, NULL);
    struct hashes found = look(instance, instance->module);
    assert_same(&found, &changed, "restoring");
    wasm_byte_vec_delete(&bytes);
    catnap_snapshot_delete(snapshot);
    catnap_snapshot_delete(base);
    wasm_instance_delete(instance);
    close_world(&world);
}

/* Each clone is as the original, also after the one before has changed. */
static void clone_twice(const struct state_kind *kind) {
    struct world world, other;
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, state_module);
    struct hashes changed = change(kind, instance);
    catnap_snapshot_t *snapshot = take(&world, NULL);
    other.engine = world.engine;
    for (int i = 0; i < 2; i++) {
        open_store(&other);
        wasm_instance_t *clone = restore(snapshot, &other, NULL);
        struct hashes found = look(clone, clone->module);
        assert_same(&found, &changed, "cloning");
        change(kind, clone);
        wasm_instance_delete(clone);
        close_store(&other);
    }
    struct hashes found = look(instance, instance->module);
    assert_same(&found, &changed, "being cloned");
    catnap_snapshot_delete(snapshot);
    wasm_instance_delete(instance);
    close_world(&world);
}

static void recycle(const struct state_kind *kind) {
    struct world world;
    catnap_error_t *error;
    wasm_trap_t *trap;
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    open_world(&world, false);
    wasm_instance_t *plain = START(&world, state_module);
    struct hashes before = look(plain, plain->module);
    wasm_module_t *module = LOAD(world.store, state_module);
    catnap_prelinked_t *prelinked = catnap_prelinked_new(world.store, module, &none, &error);
    assert_no_error(error);
    for (int i = 0; i < 3; i++) {
        wasm_instance_t *instance = catnap_prelinked_instantiate(prelinked, &error, &trap);
        assert_no_error(error);
        struct hashes found = look(instance, instance->module);
        assert_same(&found, &before, "a pre-linked module");
        change(kind, instance);
        assert_no_error(catnap_instance_recycle(instance));
    }
    catnap_prelinked_delete(prelinked);
    wasm_module_delete(module);
    wasm_instance_delete(plain);
    close_world(&world);
}

static void reset_in_pool(const struct state_kind *kind) {
    struct world world;
    catnap_error_t *error;
    catnap_pool_options_t options;
    open_world(&world, false);
    wasm_module_t *module = LOAD(world.store, state_module);
    catnap_pool_options_default(&options);
    catnap_pool_t *pool = catnap_pool_new(module, &options, &error);
    assert_no_error(error);
    catnap_pool_slot_t *slot = catnap_pool_acquire(pool, 1, 0, &error);
    assert_no_error(error);
    wasm_instance_t *instance = (wasm_instance_t *)(uintptr_t)catnap_pool_slot_instance(slot);
    struct hashes before = look(instance, instance->module);
    change(kind, instance);
    assert_no_error(catnap_pool_slot_reset(slot));
    struct hashes found = look(instance, instance->module);
    assert_same(&found, &before, "the reset of a pool");
    assert_no_error(catnap_pool_release(slot));
    catnap_pool_delete(pool);
    wasm_module_delete(module);
    close_world(&world);
}

static void convert_to_module(const struct state_kind *kind) {
    struct world world;
    wasm_byte_vec_t bytes;
    open_world(&world, false);
    wasm_instance_t *instance = START(&world, state_module);
    struct hashes changed = change(kind, instance);
    assert_no_error(catnap_instance_to_module(instance, NULL, &bytes));
    wasm_instance_t *other = start(&world, (const uint8_t *)bytes.data, bytes.size);
    struct hashes found = look(other, instance->module);
    assert_same(&found, &changed, "a module from an instance");
    wasm_byte_vec_delete(&bytes);
    wasm_instance_delete(other);
    wasm_instance_delete(instance);
    close_world(&world);
}

static void each_kind_is_preserved_and_reset(void **state) {
    static void (*const ways[])(const struct state_kind *) = {
        roll_back, capture_and_restore, clone_twice, recycle, reset_in_pool, convert_to_module};
    (void)state;
    assert_true(cn_state_kinds_end - cn_state_kinds <= MOST_KINDS);
    FOR_EACH_STATE (kind)
        for (size_t i = 0; kind->section && kind->form != STATE_NOTHING && i < COUNT(ways); i++)
            ways[i](kind);
}

/* ---- Objects of the host ---- */

/* (module (import "host" "g" (global (mut i64))) (export "g" (global 0))) */
static const uint8_t importer[] = {0x00, 0x61, 0x73, 0x6d, 1, 0,    0, 0, 2, 11, 1, 4,   'h', 'o',
                                   's',  't',  1,    'g',  3, 0x7e, 1, 7, 5, 1,  1, 'g', 3,   0};

static uint64_t hash_holders(const wasm_store_t *store, const struct state_kind *kind) {
    uint64_t hash = 0;
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next)
        if (ref->kind == kind->holder)
            hash = mix(hash, hash_items(kind, ref));
    assert_true(hash != 0);
    return hash;
}

static void change_holders(wasm_store_t *store, const struct state_kind *kind) {
    for (struct wasm_ref_t *ref = store->objects.next; ref != &store->objects; ref = ref->next)
        if (ref->kind == kind->holder)
            change_items(kind, ref, NULL);
}

static wasm_global_t *define_global(struct world *world) {
    wasm_globaltype_t *type = wasm_globaltype_new(wasm_valtype_new_i64(), WASM_VAR);
    wasm_val_t value = WASM_I64_VAL(5);
    wasm_global_t *global = wasm_global_new(world->store, type, &value);
    assert_no_error(
        catnap_linker_define(world->linker, "host", 4, "g", 1, wasm_global_as_extern(global)));
    wasm_globaltype_delete(type);
    return global;
}

static void objects_of_the_host_are_preserved_and_reset(void **state) {
    (void)state;
    FOR_EACH_STATE (kind) {
        struct world world, other;
        uint32_t level;
        if (kind->section || kind->holder == OBJECT_EXCEPTION) /* which never changes */
            continue;
        open_world(&world, false);
        wasm_global_t *global = define_global(&world);
        wasm_instance_t *instance = START(&world, importer);
        uint64_t before = hash_holders(world.store, kind);
        assert_no_error(catnap_store_checkpoint(world.store, &level));
        change_holders(world.store, kind);
        uint64_t changed = hash_holders(world.store, kind);
        assert_true(changed != before);
        catnap_snapshot_t *snapshot = take(&world, NULL);
        assert_no_error(catnap_store_rollback(world.store, level));
        assert_true(hash_holders(world.store, kind) == before);
        other.engine = world.engine;
        open_store(&other);
        wasm_instance_t *copy = restore(snapshot, &other, NULL);
        assert_true(hash_holders(other.store, kind) == changed);
        wasm_instance_delete(copy);
        close_store(&other);
        catnap_snapshot_delete(snapshot);
        wasm_global_delete(global);
        wasm_instance_delete(instance);
        close_world(&world);
    }
}

/* ---- Completeness ---- */

/* Changes everything that guest and host can change, by instructions and functions of the API instead of the
 * table, so that a kind without a row is missed. */
static void all_that_can_change_is_state(void **state) {
    struct world world;
    uint32_t level;
    wasm_val_t value = WASM_I64_VAL(6);
    (void)state;
    open_world(&world, false);
    wasm_global_t *global = define_global(&world);
    wasm_instance_t *instance = START(&world, state_module), *other = START(&world, importer);
    CALL(instance, "init_f");
    assert_no_error(catnap_store_checkpoint(world.store, &level));
    int32_t global_before = CALL(instance, "get_g"), size_before = CALL(instance, "size_f");
    wasm_global_set(global, &value);
    CALL(instance, "store", 100, 1);
    CALL(instance, "set_g", 1);
    CALL(instance, "clear_f", 0);
    CALL(instance, "grow_f", 3);
    CALL(instance, "grow", 1);
    CALL(instance, "drop");
    CALL(instance, "drop_f");
    assert_no_error(catnap_store_rollback(world.store, level));
    wasm_global_get(global, &value);
    assert_int_equal(value.of.i64, 5);
    assert_int_equal(CALL(instance, "load", 100), 0);
    assert_int_equal(CALL(instance, "get_g"), global_before);
    assert_int_equal(CALL(instance, "size_f"), size_before);
    assert_int_equal(CALL(instance, "call_f", 0), 1);
    assert_int_equal(CALL(instance, "grow", 0), 2);
    CALL(instance, "init");   /* would trap if the data segment were still dropped */
    CALL(instance, "init_f"); /* likewise the element segment */
    wasm_global_delete(global);
    wasm_instance_delete(other);
    wasm_instance_delete(instance);
    close_world(&world);
}

/* Walks by holder find each row where the walk over the whole table finds it. */
static void rows_are_found_by_their_holder(void **state) {
    (void)state;
    for (int holder = 0; holder < OBJECT_KINDS; holder++) {
        const struct state_kind *next = cn_state_ranges[holder].first;
        FOR_EACH_STATE (kind)
            if (kind->holder == (enum object_kind)holder)
                assert_ptr_equal(kind, next++);
        assert_ptr_equal(next, cn_state_ranges[holder].end);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_by_their_holder),
        cmocka_unit_test(each_kind_is_preserved_and_reset),
        cmocka_unit_test(objects_of_the_host_are_preserved_and_reset),
        cmocka_unit_test(all_that_can_change_is_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
