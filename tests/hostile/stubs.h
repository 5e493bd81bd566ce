/* Any module is linked with something of the right type, and everything that it exports is used.
 * For tests that change modules at random; only the public headers. */
#ifndef TESTS_HOSTILE_STUBS_H
#define TESTS_HOSTILE_STUBS_H

#include <stdlib.h>
#include <string.h>

#include "catnap.h"

/* ---- Definitions for imports ---- */

/* Looks around in its caller and gives zeros. */
static inline wasm_trap_t *stub_callback(void *env, catnap_caller_t *caller,
                                         const catnap_val_t *arguments, catnap_val_t *results) {
    catnap_frame_t frames[4];
    uint8_t *base;
    uint64_t size;
    (void)env;
    (void)arguments;
    (void)results;
    catnap_caller_backtrace(caller, frames, 4);
    if (catnap_caller_memory(caller, 0, &base, &size) && size > 0)
        base[size - 1]++;
    wasm_extern_delete(catnap_caller_export(caller, "memory", 6));
    return NULL;
}

static inline wasm_extern_t *stub_for(wasm_store_t *store, const wasm_externtype_t *type) {
    switch (wasm_externtype_kind(type)) {
    case WASM_EXTERN_FUNC:
        return wasm_func_as_extern(catnap_func_new(store, wasm_externtype_as_functype_const(type),
                                                   stub_callback, NULL, NULL, NULL));
    case WASM_EXTERN_GLOBAL: {
        const wasm_globaltype_t *global = wasm_externtype_as_globaltype_const(type);
        catnap_val_t value;
        memset(&value, 0, sizeof value);
        value.kind = wasm_valtype_kind(wasm_globaltype_content(global));
        return wasm_global_as_extern(catnap_global_new(store, global, &value, NULL));
    }
    case WASM_EXTERN_TABLE:
        return wasm_table_as_extern(
            wasm_table_new(store, wasm_externtype_as_tabletype_const(type), NULL));
    case WASM_EXTERN_MEMORY:
        return wasm_memory_as_extern(
            wasm_memory_new(store, wasm_externtype_as_memorytype_const(type)));
    case WASM_EXTERN_TAG:
        return catnap_tag_as_extern(
            catnap_tag_new(store, wasm_externtype_as_tagtype_const(type), NULL));
    default:
        return NULL;
    }
}

/* An own instance, or NULL when it cannot be had. */
static inline wasm_instance_t *instantiate_with_stubs(wasm_store_t *store,
                                                      const wasm_module_t *module) {
    wasm_importtype_vec_t types;
    wasm_extern_vec_t imports;
    wasm_trap_t *trap;
    wasm_module_imports(module, &types);
    wasm_extern_vec_new_uninitialized(&imports, types.size);
    for (size_t i = 0; i < imports.size; i++)
        imports.data[i] = stub_for(store, wasm_importtype_type(types.data[i]));
    wasm_instance_t *instance = catnap_instance_new(store, module, &imports, NULL, &trap);
    wasm_trap_delete(trap);
    wasm_extern_vec_delete(&imports);
    wasm_importtype_vec_delete(&types);
    return instance;
}

/* ---- Using exports ---- */

static inline void use_trap(wasm_trap_t *trap) {
    catnap_frame_t frame;
    volatile char last = 0; /* names are read, so that a sanitizer sees where they lie */
    wasm_message_t message;
    wasm_frame_vec_t frames;
    if (!trap)
        return;
    wasm_trap_message(trap, &message);
    wasm_byte_vec_delete(&message);
    for (size_t i = 0; i < 3 && catnap_trap_frame(trap, i, &frame); i++)
        if (frame.func_name_length > 0)
            last = frame.func_name[frame.func_name_length - 1];
    (void)last;
    if (catnap_trap_frame_count(trap) < 10) {
        wasm_trap_trace(trap, &frames);
        wasm_frame_vec_delete(&frames);
    }
    wasm_trap_delete(trap);
}

static inline void use_func(const wasm_func_t *func) {
    wasm_functype_t *type = wasm_func_type(func);
    const wasm_valtype_vec_t *params = wasm_functype_params(type);
    size_t count = params->size, results = wasm_functype_results(type)->size;
    catnap_val_t *values = calloc(count + results + 1, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i].kind = wasm_valtype_kind(params->data[i]);
    wasm_trap_t *trap = catnap_func_call(func, values, count, values + count, results);
    for (size_t i = 0; !trap && i < results; i++)
        if (wasm_valkind_is_ref(values[count + i].kind))
            wasm_ref_delete(values[count + i].of.ref);
    use_trap(trap);
    free(values);
    wasm_functype_delete(type);
}

static inline void use_global(wasm_global_t *global) {
    catnap_val_t value;
    catnap_global_get(global, &value);
    catnap_error_delete(catnap_global_set(global, &value));
    if (wasm_valkind_is_ref(value.kind))
        wasm_ref_delete(value.of.ref);
}

static inline void use_table(wasm_table_t *table) {
    wasm_ref_t *ref = wasm_table_get(table, wasm_table_size(table) / 2);
    wasm_table_set(table, 0, ref);
    wasm_table_grow(table, 1, ref);
    wasm_ref_delete(ref);
}

static inline void use_memory(wasm_memory_t *memory) {
    byte_t *data = wasm_memory_data(memory);
    size_t size = wasm_memory_data_size(memory);
    if (size > 0)
        data[size - 1]++;
    if (wasm_memory_grow(memory, 1))
        data[size]++;
}

/* Calls every export; `fuel` for each, where fuel is counted. */
static inline void use_exports(wasm_store_t *store, const wasm_instance_t *instance,
                               uint64_t fuel) {
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    for (size_t i = 0; i < exports.size; i++) {
        wasm_extern_t *found = exports.data[i];
        catnap_error_delete(catnap_store_set_fuel(store, fuel));
        switch (wasm_extern_kind(found)) {
        case WASM_EXTERN_FUNC:
            use_func(wasm_extern_as_func(found));
            break;
        case WASM_EXTERN_GLOBAL:
            use_global(wasm_extern_as_global(found));
            break;
        case WASM_EXTERN_TABLE:
            use_table(wasm_extern_as_table(found));
            break;
        default:
            use_memory(wasm_extern_as_memory(found));
        }
    }
    wasm_extern_vec_delete(&exports);
}

static inline void count_text(void *env, const char *text, size_t length) {
    (void)text;
    *(size_t *)env += length;
}

/* Reads all information about a module: sections, functions, their code. */
static inline void inspect_module(const wasm_module_t *module) {
    catnap_section_t section;
    catnap_function_info_t info;
    size_t written = 0;
    for (size_t i = 0; catnap_module_section(module, i, &section); i++)
        written += section.name_length;
    for (uint32_t i = 0; i < 8 && catnap_module_function(module, i, &info); i++) {
        wasm_functype_delete(catnap_module_function_type(module, i));
        if (!info.imported)
            catnap_error_delete(catnap_module_disassemble(module, i, count_text, &written));
    }
}

/* ---- A module that begins where the instance is ---- */

/* False when it cannot be had; *why then says whether that may be. */
static inline bool convert_instance(const wasm_instance_t *instance, wasm_byte_vec_t *out,
                                    bool *why) {
    catnap_error_t *error = catnap_instance_to_module(instance, NULL, out);
    catnap_status_t status = error ? catnap_error_status(error) : CATNAP_OK;
    catnap_error_delete(error);
    *why = status == CATNAP_UNSUPPORTED || status == CATNAP_LIMIT || status == CATNAP_INVALID;
    return status == CATNAP_OK;
}

/* Whether it is valid and, with `again`, an instance of it gives the same module. */
static inline bool converts_well(wasm_store_t *store, const wasm_instance_t *instance, bool again) {
    wasm_byte_vec_t bytes, same;
    catnap_error_t *error;
    bool well;
    if (!convert_instance(instance, &bytes, &well))
        return well;
    wasm_module_t *module =
        catnap_module_new(store, (const uint8_t *)bytes.data, bytes.size, NULL, &error);
    catnap_error_delete(error);
    well = module != NULL;
    wasm_instance_t *made = module && again ? instantiate_with_stubs(store, module) : NULL;
    if (made && convert_instance(made, &same, &well)) {
        well = same.size == bytes.size && memcmp(same.data, bytes.data, same.size) == 0;
        wasm_byte_vec_delete(&same);
    }
    wasm_instance_delete(made);
    wasm_module_delete(module);
    wasm_byte_vec_delete(&bytes);
    return well;
}

/* Limits under which any module may run. */
static inline void limit_store(wasm_store_t *store) {
    catnap_limits_t limits;
    catnap_limits_default(&limits);
    limits.memory_bytes = 16 << 20;
    limits.table_elements = 100000;
    limits.instances = 4;
    limits.value_stack_bytes = 1 << 20;
    limits.call_depth = 500;
    limits.host_depth = 8;
    catnap_store_set_limits(store, &limits);
}

#endif
