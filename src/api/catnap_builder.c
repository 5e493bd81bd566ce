/* Modules that are loaded while their bytes arrive. */
#include "api/api.h"

#include "base/platform.h"
#include "binary/stream.h"
#include "validate/check.h"

/* Bytes lie in address space for the largest module, so that they never move; readable are those
 * that have come and some more, so that code which reads a little further does not fault. */
#define PLACE_BYTES ((size_t)LIMIT_MODULE_BYTES + 4096)
#define COMMIT_STEP ((size_t)1 << 20)

struct catnap_builder_t {
    wasm_engine_t *engine;
    uint8_t *bytes;
    size_t length, committed;
    struct module *module;
    struct stream stream;
    struct check check;
    struct body_watcher watcher;
    catnap_translation_t mode;
    char *name; /* or NULL */
    size_t name_size;
    uint64_t ns; /* spent here so far */
    bool failed;
    struct error error;
};

static void release_place(void *env, const uint8_t *bytes, size_t size) {
    (void)env;
    cn_os_release((void *)(uintptr_t)bytes, size + STREAM_SLACK);
}

/* Frees all but what `finish` has taken out. */
static void drop(catnap_builder_t *b) {
    wasm_engine_t *engine = b->engine;
    cn_check_drop(&b->check);
    cn_module_release(b->module);
    cn_os_release(b->bytes, PLACE_BYTES);
    cn_free(&engine->alloc, b->name, b->name_size);
    cn_free(&engine->alloc, b, sizeof *b);
    cn_engine_release(engine);
}

static bool copy_name(catnap_builder_t *b, const char *name) {
    if (!name)
        return true;
    b->name_size = strlen(name) + 1;
    b->name = cn_alloc(&b->engine->alloc, b->name_size);
    if (b->name)
        memcpy(b->name, name, b->name_size);
    return b->name != NULL;
}

static bool prepare(catnap_builder_t *b, const catnap_module_options_t *options) {
    wasm_engine_t *engine = b->engine;
    b->mode = cn_translation_mode(engine, options);
    b->bytes = cn_os_reserve(PLACE_BYTES);
    if (!b->bytes || !copy_name(b, options ? options->name : NULL))
        return cn_fail_memory(&b->error);
    b->module = cn_module_new(&engine->alloc, &engine->types, engine->config.features, b->bytes,
                              LIMIT_MODULE_BYTES, &b->error);
    if (!b->module)
        return false;
    b->check = (struct check){.deferred = b->mode == CATNAP_TRANSLATION_DEFERRED,
                              .threads = engine->config.threads,
                              .streamed = true};
    b->watcher = cn_check_watcher(&b->check);
    cn_stream_init(&b->stream, b->module, &b->watcher, &b->error);
    return true;
}

catnap_builder_t *catnap_builder_new(wasm_engine_t *engine, const catnap_module_options_t *options,
                                     catnap_error_t **out) {
    if (out)
        *out = NULL;
    if (!engine)
        return cn_report_null(NULL, out);
    catnap_builder_t *b = cn_calloc(&engine->alloc, 1, sizeof *b);
    if (!b)
        return cn_report_memory(NULL, out);
    cn_engine_retain(engine);
    b->engine = engine;
    if (prepare(b, options))
        return b;
    cn_report(NULL, out, &b->error);
    drop(b);
    return NULL;
}

/* Makes room for more bytes and what may be read behind them. */
static bool commit(catnap_builder_t *b, size_t length) {
    if (length > LIMIT_MODULE_BYTES - b->length)
        return cn_fail(&b->error, CATNAP_LIMIT, "the module is larger than the limit of %llu bytes",
                       (unsigned long long)LIMIT_MODULE_BYTES);
    size_t needed = b->length + length + STREAM_SLACK;
    if (needed <= b->committed)
        return true;
    size_t wanted = (needed + COMMIT_STEP - 1) / COMMIT_STEP * COMMIT_STEP;
    if (wanted > PLACE_BYTES)
        wanted = PLACE_BYTES;
    if (!cn_os_commit(b->bytes + b->committed, wanted - b->committed))
        return cn_fail_memory(&b->error);
    b->committed = wanted;
    return true;
}

static bool take(catnap_builder_t *b, const uint8_t *bytes, size_t length) {
    if (!commit(b, length))
        return false;
    if (length > 0)
        memcpy(b->bytes + b->length, bytes, length);
    b->length += length;
    if (!cn_stream_advance(&b->stream, b->length))
        return false;
    if (!cn_check_failed(&b->check))
        return true;
    cn_check_stop(&b->check, &b->error);
    return false;
}

catnap_error_t *catnap_builder_write(catnap_builder_t *b, const uint8_t *bytes, size_t length) {
    if (!b || (!bytes && length > 0))
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    if (!b->failed) {
        uint64_t start = cn_os_monotonic_ns();
        b->failed = !take(b, bytes, length);
        b->ns += cn_os_monotonic_ns() - start;
    }
    return b->failed ? cn_error_own(&b->error) : NULL;
}

/* A module that ends too early is decoded again in one piece, for a message that says so. */
static bool finish(catnap_builder_t *b) {
    bool whole;
    if (b->failed)
        return false;
    if (!commit(b, 0) || !cn_stream_finish(&b->stream, b->length, &whole))
        return false;
    if (!whole)
        return !cn_check_module(b->engine, b->bytes, b->length, &b->error)
                   ? false
                   : cn_fail(&b->error, CATNAP_MALFORMED, "unexpected end");
    return cn_check_finish(&b->check, b->module, &b->error);
}

/* The module with its bytes, out of the builder. */
static struct shared_module *hand_over(catnap_builder_t *b) {
    struct module *module = b->module;
    size_t page = cn_os_page_bytes();
    size_t kept = (b->length + STREAM_SLACK + page - 1) / page * page;
    if (kept < PLACE_BYTES)
        cn_os_release(b->bytes + kept, PLACE_BYTES - kept);
    module->size = b->length;
    module->validate_ns = b->ns;
    module->release = release_place;
    b->module = NULL;
    b->bytes = NULL;
    return cn_share_module(b->engine, module, b->name, b->mode, &b->error);
}

wasm_module_t *catnap_builder_finish(catnap_builder_t *b, wasm_store_t *store,
                                     catnap_error_t **out) {
    wasm_module_t *module = NULL;
    struct shared_module *shared = NULL;
    if (out)
        *out = NULL;
    if (!b)
        return cn_report_null(store, out);
    uint64_t start = cn_os_monotonic_ns();
    if (!store || store->engine != b->engine)
        cn_fail(&b->error, CATNAP_MISUSE, "the store belongs to another engine");
    else if (finish(b)) {
        b->ns += cn_os_monotonic_ns() - start;
        shared = hand_over(b);
    }
    if (store && shared && cn_store_enter(store)) {
        module = cn_module_object_new(store, shared);
        if (module)
            cn_object_retain(&module->ref);
        else
            cn_fail_memory(&b->error);
        cn_store_leave(store);
    } else if (shared) {
        cn_fail(&b->error, CATNAP_MISUSE, "the store is in use by another thread");
    }
    if (shared)
        cn_shared_release(shared);
    if (!module)
        cn_report(store, out, &b->error);
    drop(b);
    return module;
}

void catnap_builder_delete(catnap_builder_t *b) {
    if (b)
        drop(b);
}
