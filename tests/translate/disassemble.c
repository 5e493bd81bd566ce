/*
 * Prints every function of a module as catnap inspect --function does, translated as the options ask:
 * the golden tests compare the output.
 *
 * usage: disassemble [--explicit-bounds] [--fuel] [--steps] [--interruptible] FILE.wasm
 *
 * Exits with 77 when this build has fewer forms of instructions than the usual one (SMALL=1, or a
 * processor whose memories have no guard pages).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "bytecode/form.h"
#include "base/access.h"
#include "code/code.h"
#include "exec/calls.h"

#define MAX_FILE (1 << 26)
#define REDUCED_FORM 77

static void write_text(void *env, const char *text, size_t length) {
    (void)env;
    fwrite(text, 1, length, stdout);
}

static bool is_reduced_form(void) {
#if !CN_PAIRS || !CN_HAS_GUARD
    return true;
#else
    return false;
#endif
}

static struct translation_config read_options(int count, char **arguments) {
    struct translation_config config = {.handlers = cn_handlers()};
    for (int i = 0; i < count; i++) {
        config.explicit_checks |= !strcmp(arguments[i], "--explicit-bounds");
        config.fuel |= !strcmp(arguments[i], "--fuel");
        config.steps |= !strcmp(arguments[i], "--steps");
        config.interruptible |= !strcmp(arguments[i], "--interruptible");
    }
    config.fuel |= config.steps; /* stepping code is for fuel only */
    return config;
}

static wasm_module_t *load(wasm_store_t *store, const char *path) {
    static char bytes[MAX_FILE];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    wasm_byte_vec_t binary = {.size = size, .data = bytes};
    return wasm_module_new(store, &binary);
}

static bool print_functions(const wasm_module_t *object, const struct translation_config *config) {
    struct shared_module *shared = object->shared;
    const struct module *module = shared->module;
    struct code_variant *variant = cn_shared_variant(shared, config);
    struct error error;
    if (!variant)
        return false;
    for (uint32_t i = module->imported_func_count; i < module->func_count; i++) {
        if (!cn_code_disassemble(shared, variant, i, write_text, NULL, &error)) {
            fprintf(stderr, "function %u: %s\n", i, error.message);
            return false;
        }
        putchar('\n');
    }
    return true;
}

int main(int argc, char **argv) {
    if (is_reduced_form())
        return REDUCED_FORM;
    struct translation_config config = read_options(argc - 2, argv + 1);
    wasm_config_t *features = wasm_config_new();
    catnap_config_set_features(features, CATNAP_FEATURES_DEFAULT | CATNAP_FEATURE_GC);
    wasm_engine_t *engine = wasm_engine_new_with_config(features);
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = argc < 2 ? NULL : load(store, argv[argc - 1]);
    if (!module)
        fprintf(stderr, "usage: disassemble [OPTION]... FILE.wasm\n");
    bool ok = module && print_functions(module, &config);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
