/*
 * libFuzzer target: any bytes are loaded, linked with something of the right types, and everything
 * that they export is called, with little fuel and within limits. Built with
 * -fsanitize=fuzzer,address,undefined; the corpus is tests/fuzz/corpus/execute.
 *
 * It is done twice, in two forms that have least in common. Besides what the sanitizers see it
 * holds that both come to the same end for the same fuel, that memory comes back, that none needs
 * more of it than the module's size and the limits allow, and that modules made of instances are
 * valid and their own modules.
 */
#include <stdatomic.h>

#include "../hostile/stubs.h"

#define FUEL 5000
#define MOST_FOR(size) ((uint64_t)(size) * 100 + (16 << 20))
#define MOST_OF_MODULE (UINT64_C(128) << 20) /* one that is made of an instance */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool condition) {
    if (!condition)
        abort();
}

/* ---- Memory ---- */

struct account {
    _Atomic uint64_t now;
    uint64_t most;
};

static void *counted_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct account *account = env;
    uint64_t now = atomic_fetch_add(&account->now, new_size - old_size) + new_size - old_size;
    require(new_size <= old_size || now <= account->most);
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    return realloc(pointer, new_size);
}

/* ---- Results ---- */

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static uint64_t digest_value(uint64_t hash, const catnap_val_t *value) {
    uint64_t low = 0, high = 0;
    if (wasm_valkind_is_ref(value->kind))
        return mix(hash, value->of.ref != NULL);
    bool is_wide = value->kind == WASM_V128;
    memcpy(&low, &value->of, value->kind == WASM_I32 || value->kind == WASM_F32 ? 4 : 8);
    if (is_wide)
        memcpy(&high, value->of.v128 + 8, 8);
    return mix(mix(hash, low), high);
}

static uint64_t digest_memory(uint64_t hash, wasm_memory_t *memory) {
    const uint8_t *data = (const uint8_t *)wasm_memory_data(memory);
    uint64_t word;
    for (size_t i = 0, size = wasm_memory_data_size(memory); i < size; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        if (word)
            hash = mix(hash, word + i);
    }
    return mix(hash, wasm_memory_data_size(memory));
}

static uint64_t call(const wasm_func_t *func, uint64_t hash) {
    wasm_functype_t *type = wasm_func_type(func);
    const wasm_valtype_vec_t *params = wasm_functype_params(type);
    size_t count = params->size, results = wasm_functype_results(type)->size;
    catnap_val_t *values = calloc(count + results + 1, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        values[i].kind = wasm_valtype_kind(params->data[i]);
        if (!wasm_valkind_is_ref(values[i].kind))
            memset(&values[i].of, (int)i * 3 + 1, sizeof values[i].of);
    }
    wasm_trap_t *trap = catnap_func_call(func, values, count, values + count, results);
    hash = mix(hash, trap ? catnap_trap_code(trap) + 1 : 0);
    for (size_t i = 0; !trap && i < results; i++) {
        hash = digest_value(hash, &values[count + i]);
        if (wasm_valkind_is_ref(values[count + i].kind))
            wasm_ref_delete(values[count + i].of.ref);
    }
    use_trap(trap);
    free(values);
    wasm_functype_delete(type);
    return hash;
}

static uint64_t digest_exports(wasm_store_t *store, const wasm_instance_t *instance) {
    wasm_extern_vec_t exports;
    uint64_t hash = 0;
    wasm_instance_exports(instance, &exports);
    for (size_t i = 0; i < exports.size && i < 50; i++) {
        wasm_extern_t *found = exports.data[i];
        catnap_error_delete(catnap_store_set_fuel(store, FUEL));
        if (wasm_extern_as_func(found))
            hash = mix(call(wasm_extern_as_func(found), hash), catnap_store_fuel(store));
        else if (wasm_extern_as_memory(found))
            hash = digest_memory(hash, wasm_extern_as_memory(found));
        else if (wasm_extern_as_global(found))
            use_global(wasm_extern_as_global(found));
        else
            use_table(wasm_extern_as_table(found));
    }
    wasm_extern_vec_delete(&exports);
    return hash;
}

/* ---- One form ---- */

/* Whether the bytes may have an instruction memory.atomic.wait: the only thread of a program may wait for ever, and no
 * fuel ends that. */
static bool may_wait(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i + 1 < size; i++) {
        uint32_t opcode = 0, shift = 0;
        if (bytes[i] != 0xFE)
            continue;
        for (size_t at = i + 1; at < size && shift < 35; at++, shift += 7) {
            opcode |= (uint32_t)((uint64_t)(bytes[at] & 0x7F) << shift);
            if (bytes[at] < 0x80)
                break;
        }
        if (opcode == 1 || opcode == 2)
            return true;
    }
    return false;
}

static uint64_t run(const uint8_t *bytes, size_t size, bool explicit_checks, bool eager,
                    bool inspect) {
    struct account account = {.most = MOST_FOR(size)};
    catnap_allocator_t allocator = {counted_realloc, &account};
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_allocator(config, &allocator);
    catnap_config_set_fuel(config, true);
    catnap_features_t without = may_wait(bytes, size) ? CATNAP_FEATURE_THREADS : 0;
    catnap_config_set_features(config, (CATNAP_FEATURES_DEFAULT | CATNAP_FEATURE_GC) & ~without);
    catnap_config_set_interruptible(config, explicit_checks);
    if (explicit_checks)
        catnap_config_set_bounds_checks(config, CATNAP_BOUNDS_EXPLICIT);
    if (eager)
        catnap_config_set_translation(config, CATNAP_TRANSLATION_EAGER);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    catnap_error_t *error;
    uint64_t hash = 1;
    limit_store(store);
    wasm_module_t *module = catnap_module_new(store, bytes, size, NULL, &error);
    require(!module == !!error);
    if (error)
        hash = mix(hash, catnap_error_status(error));
    catnap_error_delete(error);
    if (module && inspect)
        inspect_module(module);
    catnap_error_delete(catnap_store_set_fuel(store, FUEL));
    wasm_instance_t *instance = module ? instantiate_with_stubs(store, module) : NULL;
    if (instance)
        hash = digest_exports(store, instance);
    account.most += MOST_OF_MODULE;
    require(!instance || !inspect || converts_well(store, instance, true));
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    require(account.now == 0);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    uint64_t lazily = run(bytes, size, false, false, size % 4 == 0);
    require(run(bytes, size, true, true, false) == lazily);
    return 0;
}
