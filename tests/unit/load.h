/* Loading modules in unit tests: decoding and validating an exact-size copy, with the count of
 * memory checked afterwards. */
#ifndef TESTS_LOAD_H
#define TESTS_LOAD_H

#include "../support/module.h"

#include "types/registry.h"
#include "validate/validate.h"

struct loader {
    struct alloc alloc;
    struct type_registry registry;
    catnap_features_t features;
    struct error error;
    uint64_t at_rest; /* bytes held by the empty registry */
};

static inline void loader_init(struct loader *l) {
    *l = (struct loader){.features = CATNAP_FEATURES_DEFAULT};
    cn_alloc_init_default(&l->alloc);
    assert_true(cn_types_init(&l->registry, &l->alloc));
    l->at_rest = atomic_load(&l->alloc.now);
}

static inline void loader_destroy(struct loader *l) {
    cn_types_destroy(&l->registry);
    assert_int_equal(atomic_load(&l->alloc.now), 0);
}

/* The valid module that these bytes make, or NULL and l->error. The bytes stay the caller's. */
static inline struct module *load_in_place(struct loader *l, const uint8_t *bytes, size_t size) {
    l->error = (struct error){.status = CATNAP_OK};
    struct module *m =
        cn_module_decode(&l->alloc, &l->registry, l->features, bytes, size, NULL, &l->error);
    if (m && cn_validate_declarations(m, &l->error) && cn_validate_bodies(m, &l->error))
        return m;
    cn_module_release(m);
    return NULL;
}

/* The status of loading a copy that ends where the bytes end, so that a sanitizer sees any read
 * beyond. All memory must be free again, and an error must have a message. */
static inline catnap_status_t load(struct loader *l, const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, bytes, size);
    struct module *m = load_in_place(l, copy, size);
    if (m)
        assert_int_equal(l->error.status, CATNAP_OK);
    cn_module_release(m);
    free(copy);
    if (!m) {
        assert_int_not_equal(l->error.status, CATNAP_OK);
        assert_true(l->error.message[0] != '\0');
        assert_true(l->error.offset == CN_NO_OFFSET || l->error.offset <= size);
    }
    return m ? CATNAP_OK : l->error.status;
}

/* Loads and compares the status, and the message as far as a part of it. */
static inline void expect(struct loader *l, const struct bytes *b, catnap_status_t status,
                          const char *part) {
    catnap_status_t found = load(l, b->data, b->size);
    if (found != status || (part && !strstr(l->error.message, part)))
        fail_msg("expected status %d and \"%s\", found %d and \"%s\" at %llu", status,
                 part ? part : "", found, l->error.message, (unsigned long long)l->error.offset);
}

/* Expects this of a module of the preamble and these bytes. */
static inline void expect_tail(struct loader *l, catnap_status_t status, const char *part,
                               const uint8_t *tail, size_t size) {
    struct bytes b = {0};
    put_preamble(&b);
    put_bytes(&b, tail, size);
    expect(l, &b, status, part);
    drop_bytes(&b);
}
#define MODULE(l, status, part, ...)                                                               \
    expect_tail(l, status, part, (const uint8_t[]){__VA_ARGS__},                                   \
                sizeof((const uint8_t[]){__VA_ARGS__}))

#endif
