/* Names of bytecode instructions. In a file of its own: an embedder who asks for none of it does
 * not link the names, which are a third of the library. */
#include "api/api.h"
#include "exec/calls.h"

void catnap_store_profile_ops(const wasm_store_t *store,
                              void (*row)(void *env, const char *previous, const char *name,
                                          uint64_t count),
                              void *env) {
    if (store && row)
        cn_profile_rows(&store->machine, row, env);
}

catnap_error_t *catnap_module_disassemble(const wasm_module_t *object, uint32_t index,
                                          catnap_write_t write, void *env) {
    struct error error;
    if (!object || !write)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    struct shared_module *shared = object->shared;
    if (index < shared->module->imported_func_count || index >= shared->module->func_count)
        return cn_error_make(CATNAP_NOT_FOUND, "the module defines no function %u", index);
    struct code_variant *variant = cn_usual_variant(shared);
    if (!variant)
        return cn_error_make(CATNAP_NO_MEMORY, "memory is exhausted");
    return cn_code_disassemble(shared, variant, index, write, env, &error) ? NULL
                                                                           : cn_error_own(&error);
}
