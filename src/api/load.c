/* From bytes to a ready module: decode, validate, translate, each as far as the mode asks. */
#include "api/api.h"

#include <inttypes.h>

#include "base/platform.h"
#include "validate/check.h"

static void keep_bytes(void *env, const uint8_t *bytes, size_t size) {
    (void)env;
    (void)bytes;
    (void)size;
}

static void free_copy(void *env, const uint8_t *bytes, size_t size) {
    cn_free(env, (void *)(uintptr_t)bytes, size);
}

static struct translation_config usual_config(const struct shared_module *shared) {
    const wasm_engine_t *engine = shared->engine;
    return cn_engine_translation(engine, engine->config.bounds_checks == CATNAP_BOUNDS_EXPLICIT &&
                                             shared->module->memory_count > 0);
}

struct code_variant *cn_usual_variant(struct shared_module *shared) {
    struct translation_config config = usual_config(shared);
    return cn_shared_variant(shared, &config);
}

const struct code_variant *cn_find_usual_variant(const struct shared_module *shared) {
    struct translation_config config = usual_config(shared);
    return cn_shared_find_variant(shared, &config);
}

bool cn_translate_all(struct shared_module *shared, struct error *error) {
    const struct module *module = shared->module;
    struct code_variant *variant = cn_usual_variant(shared);
    if (!variant)
        return cn_fail_memory(error);
    for (uint32_t i = module->imported_func_count; i < module->func_count; i++)
        if (!cn_code_get(shared, variant, i, NULL, error))
            return false;
    return true;
}

/* How a module is loaded. */
struct load_options {
    catnap_translation_t mode;
    bool bodies_are_valid; /* known from before: all else is validated */
};

catnap_translation_t cn_translation_mode(const wasm_engine_t *engine,
                                         const catnap_module_options_t *options) {
    return options && options->set_translation ? options->translation : engine->config.translation;
}

/* A module over borrowed bytes whose bodies are known to be valid, or NULL and *error. */
static struct module *decode_known(wasm_engine_t *engine, const uint8_t *bytes, size_t size,
                                   struct error *error) {
    uint64_t start = cn_os_monotonic_ns();
    struct module *module = cn_module_decode(&engine->alloc, &engine->types,
                                             engine->config.features, bytes, size, NULL, error);
    if (!module)
        return NULL;
    module->release = keep_bytes;
    bool valid = cn_validate_declarations(module, error);
    module->decode_ns = cn_os_monotonic_ns() - start;
    if (valid)
        return module;
    cn_module_release(module);
    return NULL;
}

/* A module over borrowed bytes, valid as far as the mode asks, or NULL and *error. */
static struct module *decode(wasm_engine_t *engine, const uint8_t *bytes, size_t size,
                             struct load_options how, struct error *error) {
    struct check check = {.deferred = how.mode == CATNAP_TRANSLATION_DEFERRED,
                          .threads = engine->config.threads};
    struct body_watcher watcher = cn_check_watcher(&check);
    if (how.bodies_are_valid)
        return decode_known(engine, bytes, size, error);
    uint64_t start = cn_os_monotonic_ns();
    struct module *module = cn_module_decode(&engine->alloc, &engine->types,
                                             engine->config.features, bytes, size, &watcher, error);
    if (!module)
        return NULL;
    module->release = keep_bytes;
    bool valid = cn_check_finish(&check, module, error);
    uint64_t end = cn_os_monotonic_ns();
    module->decode_ns = (check.begun_ns ? check.begun_ns : end) - start;
    module->validate_ns = end - start - module->decode_ns;
    if (valid)
        return module;
    cn_module_release(module);
    return NULL;
}

static bool check_size(size_t size, struct error *error) {
    if (size <= LIMIT_MODULE_BYTES)
        return true;
    return cn_fail(error, CATNAP_LIMIT, "the module has %zu bytes; the limit is %" PRIu64, size,
                   LIMIT_MODULE_BYTES);
}

bool cn_check_module(wasm_engine_t *engine, const uint8_t *bytes, size_t size,
                     struct error *error) {
    if (!check_size(size, error))
        return false;
    struct module *module = decode(engine, bytes, size, (struct load_options){0}, error);
    if (module)
        cn_module_release(module);
    return module != NULL;
}

static bool set_name(struct module *module, const char *name, struct error *error) {
    if (!name)
        return true;
    size_t size = strlen(name) + 1;
    char *copy = cn_arena_alloc(&module->arena, size);
    if (!copy)
        return cn_fail_memory(error);
    memcpy(copy, name, size);
    module->given_name = copy;
    return true;
}

struct shared_module *cn_share_module(wasm_engine_t *engine, struct module *module,
                                      const char *name, catnap_translation_t mode,
                                      struct error *error) {
    if (!set_name(module, name, error)) {
        cn_module_release(module);
        return NULL;
    }
    struct shared_module *shared = cn_shared_new(engine, module);
    if (!shared) {
        cn_fail_memory(error);
        return NULL;
    }
    if (mode == CATNAP_TRANSLATION_EAGER && !cn_translate_all(shared, error)) {
        cn_shared_release(shared);
        return NULL;
    }
    return shared;
}

static struct shared_module *load_copy(wasm_engine_t *engine, const uint8_t *bytes, size_t size,
                                       const char *name, struct load_options how,
                                       struct error *error) {
    if (!check_size(size, error))
        return NULL;
    uint8_t *copy = cn_alloc(&engine->alloc, size);
    if (!copy) {
        cn_fail_memory(error);
        return NULL;
    }
    if (size > 0)
        memcpy(copy, bytes, size);
    struct module *module = decode(engine, copy, size, how, error);
    if (!module) {
        cn_free(&engine->alloc, copy, size);
        return NULL;
    }
    module->release = free_copy;
    module->release_env = &engine->alloc;
    return cn_share_module(engine, module, name, how.mode, error);
}

static struct shared_module *load_lent(wasm_engine_t *engine, const uint8_t *bytes, size_t size,
                                       const catnap_module_options_t *options,
                                       struct load_options how, struct error *error) {
    struct module *module =
        check_size(size, error) ? decode(engine, bytes, size, how, error) : NULL;
    if (!module) {
        options->release(options->release_env, bytes, size);
        return NULL;
    }
    module->release = options->release;
    module->release_env = options->release_env;
    return cn_share_module(engine, module, options->name, how.mode, error);
}

static struct shared_module *load(wasm_engine_t *engine, const uint8_t *bytes, size_t size,
                                  const catnap_module_options_t *options, bool bodies_are_valid,
                                  struct error *error) {
    struct load_options how = {cn_translation_mode(engine, options), bodies_are_valid};
    if (options && options->release)
        return load_lent(engine, bytes, size, options, how, error);
    return load_copy(engine, bytes, size, options ? options->name : NULL, how, error);
}

struct shared_module *cn_load(wasm_engine_t *engine, const uint8_t *bytes, size_t size,
                              const catnap_module_options_t *options, struct error *error) {
    return load(engine, bytes, size, options, false, error);
}

struct shared_module *cn_load_known(wasm_engine_t *engine, const uint8_t *bytes, size_t size,
                                    const catnap_module_options_t *options, struct error *error) {
    return load(engine, bytes, size, options, true, error);
}
