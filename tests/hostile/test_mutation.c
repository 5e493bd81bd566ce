/* Modules that are cut off or changed anywhere: whatever still loads is linked, called,
 * disassembled and asked for backtraces. All memory comes back, and little is needed. Some tests
 * load from read-only pages that end where the module ends. */
#include "hostile.h"

#include <sys/mman.h>

#include "../differential/generate.h"
#include "../unit/sample.h"
#include "stubs.h"

#define FUEL 3000
/* The most memory a module may cost: its runs, tables and frames are limited. */
#define MOST_FOR(size) (((uint64_t)(size) * 64) + (4 << 20))

struct tally {
    size_t loaded, refused, instantiated;
};

/* Loads, and if that succeeds does all that can be done. */
static void try_module(wasm_engine_t *engine, const uint8_t *bytes, size_t size,
                       const catnap_module_options_t *options, struct tally *tally) {
    wasm_store_t *store = wasm_store_new(engine);
    catnap_error_t *error;
    assert_non_null(store);
    limit_store(store);
    wasm_module_t *module = catnap_module_new(store, bytes, size, options, &error);
    assert_true(!module == !!error);
    if (module) {
        if (tally->loaded++ % 8 == 0)
            inspect_module(module);
        catnap_error_delete(catnap_store_set_fuel(store, FUEL));
        wasm_instance_t *instance = instantiate_with_stubs(store, module);
        if (instance) {
            tally->instantiated++;
            use_exports(store, instance, FUEL);
            wasm_instance_delete(instance);
        }
    } else {
        tally->refused++;
        assert_true(catnap_error_message(error)[0] != '\0');
        assert_true(catnap_error_status(error) != CATNAP_NO_MEMORY);
        uint64_t offset = catnap_error_offset(error);
        assert_true(offset == UINT64_MAX || offset <= size);
        catnap_error_delete(error);
    }
    wasm_module_delete(module);
    wasm_store_delete(store);
}

/* An engine whose allocator has a cap, and what it holds at rest. */
struct bench {
    struct ledger ledger;
    wasm_engine_t *engine;
    uint64_t at_rest;
    struct tally tally;
};

static void open_bench(struct bench *b, struct form form, size_t size) {
    *b = (struct bench){.ledger = {.cap = MOST_FOR(size)}};
    b->engine = new_engine(form, &b->ledger);
    assert_non_null(b->engine);
    b->at_rest = b->ledger.now;
}

static void close_bench(struct bench *b) {
    assert_int_equal(b->ledger.now, b->at_rest);
    wasm_engine_delete(b->engine);
    assert_int_equal(b->ledger.now, 0);
    assert_int_equal(b->ledger.failures, 0);
}

static const struct form forms[] = {
    {.explicit_checks = true, .fuel = true},
    {.fuel = true, .eager = true, .interruptible = true},
    {.fuel = true, .deferred = true, .explicit_checks = true},
};

static void try_prefixes(const struct bytes *module, struct form form) {
    struct bench b;
    open_bench(&b, form, module->size);
    for (size_t size = 0; size <= module->size; size++) {
        /* Bytes of their own, so that a sanitizer sees what is read behind them. */
        uint8_t *bytes = malloc(size ? size : 1);
        memcpy(bytes, module->data, size);
        try_module(b.engine, bytes, size, NULL, &b.tally);
        free(bytes);
    }
    close_bench(&b);
    assert_true(b.tally.loaded > 0 && b.tally.refused > 0 && b.tally.instantiated > 0);
}

/* Every byte takes every `stride`th value. */
static void try_changes(const struct bytes *module, struct form form, unsigned stride) {
    struct bench b;
    open_bench(&b, form, module->size);
    for (size_t i = 0; i < module->size; i++) {
        uint8_t kept = module->data[i];
        for (unsigned change = 1; change < 256; change += stride) {
            module->data[i] = (uint8_t)(kept ^ change);
            try_module(b.engine, module->data, module->size, NULL, &b.tally);
            assert_int_equal(b.ledger.now, b.at_rest);
        }
        module->data[i] = kept;
    }
    close_bench(&b);
    assert_true(b.tally.loaded > 0 && b.tally.refused > 0 && b.tally.instantiated > 0);
}

static void a_module_with_everything(void **state) {
    (void)state;
    struct bytes b = sample_module();
    for (size_t i = 0; i < COUNT(forms); i++)
        try_prefixes(&b, forms[i]);
    try_changes(&b, forms[0], 1);
    try_changes(&b, forms[1], 17);
    try_changes(&b, forms[2], 17);
    drop_bytes(&b);
}

static void generated_modules(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct bytes b = generate((struct generator_options){.seed = seed});
        try_prefixes(&b, forms[seed % 3]);
        try_changes(&b, forms[seed % 3], seed == 1 ? 51 : 85);
        drop_bytes(&b);
    }
}

/* Bytes of instructions changed, and the module run in a store that lives on. */
static void changes_at_random(void **state) {
    (void)state;
    uint64_t random = 7;
    struct bench b;
    open_bench(&b, forms[2], 1 << 14);
    for (uint64_t seed = 100; seed < 160; seed++) {
        struct bytes m = generate((struct generator_options){.seed = seed});
        for (unsigned round = 0; round < 40; round++) {
            uint8_t *bytes = malloc(m.size);
            memcpy(bytes, m.data, m.size);
            for (uint64_t n = next_random(&random) % 4; n < 4; n++)
                bytes[next_random(&random) % m.size] = (uint8_t)next_random(&random);
            try_module(b.engine, bytes, m.size, NULL, &b.tally);
            free(bytes);
        }
        drop_bytes(&m);
    }
    close_bench(&b);
    assert_true(b.tally.instantiated > 50);
}

/* ---- Read-only pages, and nothing behind them ---- */

struct mapping {
    uint8_t *pages, *bytes;
    size_t size, length;
    size_t released;
};

/* The bytes end where the pages end. */
static void map_bytes(struct mapping *m, const uint8_t *bytes, size_t length) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    m->length = length;
    m->released = 0;
    m->size = (length + page - 1) / page * page + page;
    m->pages = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(m->pages, MAP_FAILED);
    m->bytes = m->pages + m->size - page - length;
    memcpy(m->bytes, bytes, length);
    assert_int_equal(mprotect(m->pages, m->size - page, PROT_READ), 0);
    assert_int_equal(mprotect(m->pages + m->size - page, page, PROT_NONE), 0);
}

static void unmap(void *env, const uint8_t *bytes, size_t length) {
    struct mapping *m = env;
    assert_ptr_equal(bytes, m->bytes);
    assert_int_equal(length, m->length);
    m->released++;
    munmap(m->pages, m->size);
}

static void read_only_pages(void **state) {
    (void)state;
    struct bytes modules[] = {sample_module(), generate((struct generator_options){.seed = 3}),
                              generate((struct generator_options){.seed = 4})};
    for (size_t i = 0; i < COUNT(modules); i++) {
        struct bench b;
        open_bench(&b, forms[i % 2], modules[i].size);
        for (size_t length = 0; length <= modules[i].size; length++) {
            struct mapping m;
            catnap_module_options_t options = {
                .name = "mapped", .release = unmap, .release_env = &m};
            map_bytes(&m, modules[i].data, length);
            try_module(b.engine, m.bytes, length, &options, &b.tally);
            assert_int_equal(m.released, 1);
        }
        close_bench(&b);
        assert_true(b.tally.instantiated > 0);
        drop_bytes(&modules[i]);
    }
}

/* The bytes are needed until the last user of the module is gone, and no longer. */
static void released_at_the_end(void **state) {
    (void)state;
    struct bytes bytes = generate((struct generator_options){.seed = 5});
    struct bench b;
    struct mapping m;
    uint64_t results[2];
    catnap_module_options_t options = {.release = unmap, .release_env = &m};
    open_bench(&b, forms[1], bytes.size);
    map_bytes(&m, bytes.data, bytes.size);
    wasm_store_t *store = wasm_store_new(b.engine), *other = wasm_store_new(b.engine);
    wasm_module_t *module = catnap_module_new(store, m.bytes, m.length, &options, NULL);
    wasm_shared_module_t *shared = wasm_module_share(module);
    wasm_module_t *obtained = wasm_module_obtain(other, shared);
    wasm_instance_t *instances[] = {instantiate_with_stubs(store, module),
                                    instantiate_with_stubs(other, obtained)};
    wasm_module_delete(module);
    wasm_module_delete(obtained);
    wasm_shared_module_delete(shared);
    assert_int_equal(m.released, 0);
    for (size_t i = 0; i < 2; i++) {
        catnap_error_delete(catnap_store_set_fuel(i ? other : store, 1000000));
        results[i] = CALL_EXPORT(instances[i], "state");
        wasm_instance_delete(instances[i]);
    }
    assert_int_equal(results[0], results[1]);
    wasm_store_delete(store);
    assert_int_equal(m.released, 0);
    wasm_store_delete(other);
    assert_int_equal(m.released, 1);
    drop_bytes(&bytes);
    close_bench(&b);
}

int main(int argc, char **argv) {
    (void)argc;
    begin_with_small_stack(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_module_with_everything), cmocka_unit_test(generated_modules),
        cmocka_unit_test(changes_at_random),        cmocka_unit_test(read_only_pages),
        cmocka_unit_test(released_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
