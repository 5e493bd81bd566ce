/*
 * libFuzzer target: decoding and validating any bytes. Built with
 * -fsanitize=fuzzer,address,undefined; the corpus is tests/fuzz/corpus/decode.
 *
 * Besides what the sanitizers see it holds that memory comes back, that every refusal has a reason
 * and a place, and that the fast validator accepts no body that the full one refuses.
 */
#include <stdlib.h>
#include <string.h>

#include "types/registry.h"
#include "validate/fast.h"
#include "validate/validate.h"

/* Bytes behind the module, so that the fast validator looks at the last body too. */
#define BEHIND 256u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool condition) {
    if (!condition)
        abort();
}

static void check_bodies(const struct module *m) {
    struct fast *fast;
    require(cn_fast_new(m, &fast));
    for (uint32_t func = m->imported_func_count; func < m->func_count; func++) {
        struct error error = {.status = CATNAP_OK};
        require(cn_validate_body(m, func, cn_module_body(m, func), &error) || !fast ||
                !cn_fast_valid(fast, func, cn_module_body(m, func), m->size + BEHIND));
    }
    cn_fast_drop(fast);
}

static void check_names(const struct module *m) {
    for (uint32_t func = 0; func < m->func_count && func < 20; func++) {
        struct span name = cn_module_func_name(m, func);
        require((uint64_t)name.offset + name.length <= m->size);
    }
}

static void check(struct alloc *alloc, catnap_features_t features, const uint8_t *bytes,
                  size_t size) {
    struct type_registry registry;
    struct error error = {.status = CATNAP_OK};
    require(cn_types_init(&registry, alloc));
    struct module *m = cn_module_decode(alloc, &registry, features, bytes, size, NULL, &error);
    bool valid = m && cn_validate_declarations(m, &error);
    if (valid) {
        check_names(m);
        check_bodies(m);
        valid = cn_validate_bodies(m, &error);
    }
    require(valid == (error.status == CATNAP_OK));
    require(valid || (error.message[0] && (error.offset == CN_NO_OFFSET || error.offset <= size)));
    cn_module_release(m);
    cn_types_destroy(&registry);
    require(atomic_load(&alloc->now) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct alloc alloc;
    uint8_t *copy = calloc(1, size + BEHIND);
    require(copy);
    if (size)
        memcpy(copy, bytes, size);
    cn_alloc_init_default(&alloc);
    check(&alloc, CATNAP_FEATURES_DEFAULT, copy, size);
    check(&alloc, CATNAP_FEATURES_DEFAULT | CATNAP_FEATURE_GC, copy, size);
    check(&alloc, CATNAP_FEATURES_WASM1, copy, size);
    free(copy);
    return 0;
}
