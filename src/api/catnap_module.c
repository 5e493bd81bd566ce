/* Modules of catnap.h: loading, statistics, and what they consist of. */
#include "api/api.h"
#include "validate/validate.h"

/* ---- Loading ---- */

wasm_module_t *cn_give_module(wasm_store_t *store, struct shared_module *shared,
                              const struct error *error, catnap_error_t **out) {
    if (!cn_store_enter(store)) {
        if (shared)
            cn_shared_release(shared);
        return cn_report_misuse(out);
    }
    wasm_module_t *module = shared ? cn_module_object_new(store, shared) : NULL;
    if (module)
        cn_object_retain(&module->ref);
    else if (shared)
        cn_report_memory(store, out);
    else
        cn_report(store, out, error);
    if (shared)
        cn_shared_release(shared);
    cn_store_leave(store);
    return module;
}

wasm_module_t *catnap_module_new(wasm_store_t *store, const uint8_t *bytes, size_t length,
                                 const catnap_module_options_t *options, catnap_error_t **out) {
    struct error error;
    if (out)
        *out = NULL;
    if (!store || (!bytes && length > 0)) {
        if (options && options->release)
            options->release(options->release_env, bytes, length);
        return cn_report_null(store, out);
    }
    struct shared_module *shared = cn_load(store->engine, bytes, length, options, &error);
    return cn_give_module(store, shared, &error, out);
}

catnap_error_t *catnap_module_validate(wasm_engine_t *engine, const uint8_t *bytes, size_t length) {
    struct error error;
    if (!engine || (!bytes && length > 0))
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    return cn_check_module(engine, bytes, length, &error) ? NULL : cn_error_own(&error);
}

catnap_error_t *catnap_module_features(const wasm_module_t *module, catnap_features_t *features) {
    struct error error;
    catnap_features_t used = 0;
    if (!module || !features)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    bool done = cn_module_features(module->shared->module, &used, &error);
    *features = done ? used : 0;
    return done ? NULL : cn_error_own(&error);
}

catnap_error_t *catnap_module_check_custom(const wasm_module_t *module) {
    struct error error;
    if (!module)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    return cn_check_custom_sections(module->shared->module, &error) ? NULL : cn_error_own(&error);
}

catnap_error_t *catnap_module_translate(const wasm_module_t *module) {
    struct error error;
    if (!module)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    return cn_translate_all(module->shared, &error) ? NULL : cn_error_own(&error);
}

/* ---- Statistics ---- */

void catnap_module_stats(const wasm_module_t *object, catnap_module_stats_t *out) {
    if (!out)
        return;
    *out = (catnap_module_stats_t){0};
    if (!object)
        return;
    const struct module *module = object->shared->module;
    const struct module_code *code = &object->shared->code;
    out->module_bytes = module->size;
    out->functions = module->func_count - module->imported_func_count;
    out->functions_validated = atomic_load(&code->validated_functions);
    out->functions_translated = atomic_load(&code->translated_functions);
    out->code_bytes = module->code_bytes;
    out->code_bytes_translated = atomic_load(&code->translated_bytes);
    out->bytecode_bytes = atomic_load(&code->bytecode_bytes);
    out->decode_ns = module->decode_ns;
    out->validate_ns = atomic_load(&code->validate_ns);
    out->translate_ns = atomic_load(&code->translate_ns);
}

/* ---- Sections ---- */

size_t catnap_module_section_count(const wasm_module_t *module) {
    return module ? module->shared->module->section_count : 0;
}

bool catnap_module_section(const wasm_module_t *object, size_t index, catnap_section_t *out) {
    static const char *const names[] = {"custom", "type",   "import",     "function", "table",
                                        "memory", "global", "export",     "start",    "element",
                                        "code",   "data",   "data count", "tag"};
    const struct module *module = object ? object->shared->module : NULL;
    bool found = module && index < module->section_count;
    if (!out)
        return found;
    *out = (catnap_section_t){0};
    if (!found)
        return false;
    const struct section *section = &module->sections[index];
    out->id = section->id;
    out->offset = section->content.offset;
    out->size = section->content.length;
    if (section->id == 0) {
        out->name = (const char *)module->bytes + section->name.offset;
        out->name_length = section->name.length;
    } else if (section->id < sizeof names / sizeof *names) {
        out->name = names[section->id];
        out->name_length = strlen(out->name);
    }
    return true;
}

/* ---- Functions ---- */

size_t catnap_module_function_count(const wasm_module_t *module) {
    return module ? module->shared->module->func_count : 0;
}

/* The code of a defined function in the variant, or NULL when that is NULL or it is not translated. */
static const struct code *code_in(const struct code_variant *variant, uint32_t defined) {
    uint64_t word = variant ? atomic_load_explicit(&variant->words[defined], memory_order_acquire)
                            : CODE_UNTRANSLATED;
    return word & CODE_UNTRANSLATED ? NULL : (const struct code *)(uintptr_t)word;
}

/* The code of a defined function in the usual variant or else in any, or NULL. */
static const struct code *find_code(const struct shared_module *shared, uint32_t defined) {
    const struct code *code = code_in(cn_find_usual_variant(shared), defined);
    for (const struct code_variant *v = atomic_load(&shared->code.variants); v && !code;
         v = v->next)
        code = code_in(v, defined);
    return code;
}

/* Where a defined function is in the module, and its translation. */
static void describe_defined(const struct shared_module *shared, uint32_t index,
                             catnap_function_info_t *out) {
    const struct module *module = shared->module;
    const struct code *code = find_code(shared, index - module->imported_func_count);
    struct span body = cn_module_body(module, index);
    out->body_offset = body.offset;
    out->body_size = body.length;
    out->translated = code != NULL;
    out->bytecode_bytes = code ? code->size : 0;
}

bool catnap_module_function(const wasm_module_t *object, uint32_t index,
                            catnap_function_info_t *out) {
    const struct module *module = object ? object->shared->module : NULL;
    bool found = module && index < module->func_count;
    if (!out)
        return found;
    *out = (catnap_function_info_t){0};
    if (!found)
        return false;
    out->imported = index < module->imported_func_count;
    if (!out->imported)
        describe_defined(object->shared, index, out);
    struct span name = cn_module_func_name(module, index);
    out->name = name.length > 0 ? (const char *)module->bytes + name.offset : NULL;
    out->name_length = name.length;
    return true;
}

wasm_functype_t *catnap_module_function_type(const wasm_module_t *object, uint32_t index) {
    const struct module *module = object ? object->shared->module : NULL;
    if (!module || index >= module->func_count)
        return NULL;
    return cn_functype_describe(module_func_type(module, index));
}
