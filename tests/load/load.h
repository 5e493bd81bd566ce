/* Shared helpers of the loading tests: modules with bodies to order, and memory that runs out. */
#ifndef TESTS_LOAD_H
#define TESTS_LOAD_H

#include "../api/helpers.h"
#include "../support/module.h"

/*
 * (module
 *   (type $t (func (result i32))) (table 1 funcref) (elem (i32.const 0) func 0)
 *   (func (export "a") (type $t) i32.const 42)
 *   (func (export "b") (type $t) <body>)
 *   (func (export "c") (type $t) call 1)
 *   (func (export "d") (type $t) i32.const 1 i32.const 0 call_indirect $t i32.add))
 * With a body of `i32.const 7 end`, d is 43; `i32.add end` is invalid.
 */
static inline struct bytes four_functions(const uint8_t *body, size_t size) {
    struct module_builder m = {0};
    struct bytes b = {0};
    uint32_t type = add_type(&m, "", "i"), a = ADD_FUNC(&m, "a", type, 0, I32_CONST, 42, END);
    add_table(&m, FUNCREF, 1, NO_MAX);
    add_elem(&m, 0, &a, 1);
    put(&b, 0);
    put_bytes(&b, body, size);
    add_func(&m, "b", type, &b);
    ADD_FUNC(&m, "c", type, 0, CALL, 1, END);
    ADD_FUNC(&m, "d", type, 0, I32_CONST, 1, I32_CONST, 0, CALL_INDIRECT, 0, 0, I32_ADD, END);
    return finish(&m);
}
#define FOUR_FUNCTIONS(...)                                                                        \
    four_functions((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* `count` functions () -> (i32), each of some kilobytes; that at `bad` and all from there
 * by 40 are invalid, that at `worse` is malformed (counted from 0; UINT32_MAX: none). */
static inline struct bytes many_functions(uint32_t count, uint32_t bad, uint32_t worse) {
    struct module_builder m = {0};
    uint32_t type = add_type(&m, "", "i");
    add_memory(&m, 1, NO_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct bytes f = {0};
        PUT(&f, 1, 2, I32, I32_CONST, 0);
        for (uint32_t k = 0; k < 500; k++)
            PUT(&f, LOCAL_TEE, 0, LOCAL_GET, 1, I32_CONST, 3, I32_ADD, I32_ADD);
        if (i >= bad && (i - bad) % 40 == 0)
            PUT(&f, I64_CONST, 1, I32_ADD);
        if (i == worse)
            put(&f, 0xFF);
        put(&f, END);
        add_func(&m, NULL, type, &f);
    }
    return finish(&m);
}

/* An allocator that refuses from allocation `fail_at` on, or only that one. */
struct injector {
    _Atomic uint64_t count;
    uint64_t fail_at;
    bool once;
    _Atomic int64_t held; /* bytes */
};

static inline void *injected_realloc(void *env, void *pointer, size_t old_size, size_t new_size) {
    struct injector *injector = env;
    if (new_size > old_size) {
        uint64_t index = injector->count++;
        if (index == injector->fail_at || (!injector->once && index > injector->fail_at))
            return NULL;
    }
    injector->held += (int64_t)new_size - (int64_t)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    return realloc(pointer, new_size);
}

struct engine_form {
    catnap_translation_t translation;
    catnap_bounds_checks_t bounds;
    uint32_t threads;
    struct injector *injector;
};

static inline wasm_engine_t *new_engine(const struct engine_form *form) {
    wasm_config_t *config = wasm_config_new();
    catnap_config_set_translation(config, form->translation);
    catnap_config_set_bounds_checks(config, form->bounds);
    catnap_config_set_threads(config, form->threads);
    if (form->injector)
        catnap_config_set_allocator(config,
                                    &(catnap_allocator_t){injected_realloc, form->injector});
    return wasm_engine_new_with_config(config);
}

/* Loads with the injector at work, from allocation `fail_at` after the making of the store on:
 * whether it loaded. Otherwise memory is to blame, and all of it comes back. */
typedef wasm_module_t *(*loading)(wasm_store_t *, const struct bytes *, catnap_error_t **);
static inline wasm_module_t *load_whole(wasm_store_t *store, const struct bytes *b,
                                        catnap_error_t **error) {
    return catnap_module_new(store, b->data, b->size, NULL, error);
}
static inline bool loads_starved(struct engine_form form, const struct bytes *b, loading how,
                                 uint64_t fail_at, bool once) {
    struct injector injector = {.fail_at = UINT64_MAX, .once = once};
    form.injector = &injector;
    wasm_engine_t *engine = new_engine(&form);
    wasm_store_t *store = wasm_store_new(engine);
    catnap_error_t *error;
    injector.fail_at = injector.count + fail_at;
    wasm_module_t *module = how(store, b, &error);
    bool loaded = module != NULL;
    if (!module)
        assert_error(error, CATNAP_NO_MEMORY, "memory");
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    assert_int_equal(injector.held, 0);
    return loaded;
}

/* The sample with every single byte changed in some ways: what `how` makes of it, from a module or
 * an error, is an error where one look at the whole finds one. */
static inline void load_changed_samples(struct bytes sample,
                                        catnap_error_t *(*how)(wasm_store_t *, const struct bytes *,
                                                               size_t turn)) {
    static const uint8_t changes[] = {0x01, 0x80, 0xFF, 0x55};
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    size_t errors = 0, turns = sample.size * COUNT(changes);
    for (size_t i = 0; i < turns; i++) {
        uint8_t change = changes[i % COUNT(changes)];
        sample.data[i / COUNT(changes)] ^= change;
        catnap_error_t *expected = catnap_module_validate(engine, sample.data, sample.size);
        catnap_error_t *error = how(store, &sample, i);
        assert_int_equal(error == NULL, expected == NULL);
        errors += expected != NULL;
        catnap_error_delete(expected);
        catnap_error_delete(error);
        sample.data[i / COUNT(changes)] ^= change;
    }
    assert_true(errors > 0 && errors < turns);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
}

#endif
