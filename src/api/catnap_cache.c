/* The cache of validated modules: in memory, and the directory behind it. */
#include "api/api.h"

#include <pthread.h>

#include "base/platform.h"
#include "cache/directory.h"

/* A module that the cache keeps; the embedder's key lies behind it. */
struct kept {
    struct kept *newer, *older;
    struct shared_module *shared;
    struct cache_hash hash; /* of the bytes, or of the key */
    size_t key_size;        /* 0: found by its bytes */
    uint8_t key[];
};

#define MOST_KEPT 1024u

struct catnap_cache_t {
    wasm_engine_t *engine;
    pthread_mutex_t mutex; /* over what follows, up to the counts */
    struct kept *newest, *oldest;
    uint64_t kept_count, kept_bytes, limit;
    catnap_cache_stats_t stats;
    bool on_disk;
    struct cache_directory directory;
};

/* ---- Entries in memory ---- */

static struct alloc *alloc_of(const catnap_cache_t *cache) {
    return &cache->engine->alloc;
}

static void unlink_kept(catnap_cache_t *cache, struct kept *kept) {
    *(kept->newer ? &kept->newer->older : &cache->newest) = kept->older;
    *(kept->older ? &kept->older->newer : &cache->oldest) = kept->newer;
}

static void link_kept(catnap_cache_t *cache, struct kept *kept) {
    kept->newer = NULL;
    kept->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = kept;
    cache->newest = kept;
}

/* Takes one out, to be freed by free_dropped() once the mutex is given up: that calls the embedder. */
static void drop_kept(catnap_cache_t *cache, struct kept *kept, struct kept **dropped) {
    unlink_kept(cache, kept);
    cache->kept_count--;
    cache->kept_bytes -= kept->shared->module->size;
    kept->older = *dropped;
    *dropped = kept;
}

static void free_dropped(struct alloc *alloc, struct kept *dropped) {
    while (dropped) {
        struct kept *next = dropped->older;
        cn_shared_release(dropped->shared);
        cn_free(alloc, dropped, sizeof *dropped + dropped->key_size);
        dropped = next;
    }
}

static bool same_name(const struct shared_module *shared, const char *name) {
    const char *given = shared->module->given_name;
    return given && name ? strcmp(given, name) == 0 : !given && !name;
}

static bool is_for(const struct kept *kept, const struct cache_key *key, const char *name) {
    return kept->hash.low == key->hash.low && kept->hash.high == key->hash.high &&
           kept->key_size == key->key_size &&
           (!key->key || memcmp(kept->key, key->key, key->key_size) == 0) &&
           same_name(kept->shared, name);
}

/* A reference to what is kept under the key, or NULL. */
static struct shared_module *recall(catnap_cache_t *cache, const struct cache_key *key,
                                    const char *name) {
    struct shared_module *shared = NULL;
    pthread_mutex_lock(&cache->mutex);
    struct kept *kept = cache->newest;
    while (kept && !is_for(kept, key, name))
        kept = kept->older;
    if (kept) {
        unlink_kept(cache, kept);
        link_kept(cache, kept);
        shared = kept->shared;
        cn_shared_retain(shared);
    }
    pthread_mutex_unlock(&cache->mutex);
    return shared;
}

static struct kept *new_kept(const catnap_cache_t *cache, const struct cache_key *key,
                             struct shared_module *shared) {
    struct kept *kept = cn_alloc(alloc_of(cache), sizeof *kept + key->key_size);
    if (!kept)
        return NULL;
    *kept = (struct kept){.shared = shared, .hash = key->hash, .key_size = key->key_size};
    if (key->key_size > 0)
        memcpy(kept->key, key->key, key->key_size);
    cn_shared_retain(shared);
    return kept;
}

/* Keeps a module if there is room for it; those longest unused go. */
static void keep(catnap_cache_t *cache, const struct cache_key *key, struct shared_module *shared) {
    uint64_t size = shared->module->size;
    struct kept *dropped = NULL;
    struct kept *kept = size <= cache->limit ? new_kept(cache, key, shared) : NULL;
    if (!kept)
        return;
    pthread_mutex_lock(&cache->mutex);
    struct kept *old = cache->newest;
    while (old && !is_for(old, key, shared->module->given_name))
        old = old->older;
    if (old)
        drop_kept(cache, old,
                  &dropped); /* another thread was faster, or a key is for other bytes now */
    while (cache->oldest &&
           (cache->kept_bytes + size > cache->limit || cache->kept_count >= MOST_KEPT))
        drop_kept(cache, cache->oldest, &dropped);
    link_kept(cache, kept);
    cache->kept_count++;
    cache->kept_bytes += size;
    pthread_mutex_unlock(&cache->mutex);
    free_dropped(alloc_of(cache), dropped);
}

/* ---- Making and deleting ---- */

void catnap_cache_options_default(catnap_cache_options_t *options) {
    if (options)
        *options = (catnap_cache_options_t){.disk_bytes = UINT64_C(1) << 30,
                                            .memory_bytes = UINT64_C(64) << 20};
}

catnap_cache_t *catnap_cache_new(wasm_engine_t *engine, const catnap_cache_options_t *options,
                                 catnap_error_t **out) {
    struct error error;
    catnap_cache_options_t chosen;
    if (out)
        *out = NULL;
    if (!engine)
        return cn_report_null(NULL, out);
    catnap_cache_options_default(&chosen);
    if (options)
        chosen = *options;
    catnap_cache_t *cache = cn_calloc(&engine->alloc, 1, sizeof *cache);
    if (!cache)
        return cn_report_memory(NULL, out);
    cache->engine = engine;
    cache->limit = chosen.memory_bytes;
    cache->directory = (struct cache_directory){-1, chosen.disk_bytes, &engine->alloc};
    cache->on_disk = chosen.directory != NULL;
    if (cache->on_disk &&
        !cn_cache_directory_open(&cache->directory, chosen.directory, true, &error)) {
        cn_free(&engine->alloc, cache, sizeof *cache);
        return cn_report(NULL, out, &error);
    }
    pthread_mutex_init(&cache->mutex, NULL);
    cn_engine_retain(engine);
    return cache;
}

void catnap_cache_delete(catnap_cache_t *cache) {
    if (!cache)
        return;
    wasm_engine_t *engine = cache->engine;
    struct kept *dropped = NULL;
    while (cache->newest)
        drop_kept(cache, cache->newest, &dropped);
    free_dropped(&engine->alloc, dropped);
    cn_cache_directory_close(&cache->directory);
    pthread_mutex_destroy(&cache->mutex);
    cn_free(&engine->alloc, cache, sizeof *cache);
    cn_engine_release(engine);
}

void catnap_cache_stats(catnap_cache_t *cache, catnap_cache_stats_t *out) {
    if (!out)
        return;
    *out = (catnap_cache_stats_t){0};
    if (!cache)
        return;
    pthread_mutex_lock(&cache->mutex);
    *out = cache->stats;
    out->modules_kept = cache->kept_count;
    out->bytes_kept = cache->kept_bytes;
    pthread_mutex_unlock(&cache->mutex);
}

static void count(catnap_cache_t *cache, uint64_t *counter) {
    pthread_mutex_lock(&cache->mutex);
    ++*counter;
    pthread_mutex_unlock(&cache->mutex);
}

/* ---- Loading ---- */

struct request {
    catnap_cache_t *cache;
    const uint8_t *bytes; /* NULL: only what is there */
    size_t size;
    const catnap_module_options_t *options;
    struct cache_key key;
    uint64_t start; /* of the search */
};

static const char *name_of(const struct request *request) {
    return request->options ? request->options->name : NULL;
}

/* The request's bytes are not needed any more. */
static void release_bytes(const struct request *request) {
    const catnap_module_options_t *options = request->options;
    if (options && options->release && request->bytes)
        options->release(options->release_env, request->bytes, request->size);
}

/* A module that is kept was translated as far as its users needed. */
static bool is_ready(const struct request *request, struct shared_module *shared,
                     struct error *error) {
    return cn_translation_mode(request->cache->engine, request->options) !=
               CATNAP_TRANSLATION_EAGER ||
           cn_translate_all(shared, error);
}

static bool is_same_module(const struct request *request, const struct module *module) {
    return module->size == request->size &&
           (request->size == 0 || memcmp(module->bytes, request->bytes, request->size) == 0);
}

/* Another module has the request's key: the next one is of all bytes. False when that is it already. */
static bool widen(struct request *request) {
    return cn_cache_key_widen(&request->key, request->bytes, request->size);
}

static struct shared_module *from_memory(struct request *request, struct error *error) {
    catnap_cache_t *cache = request->cache;
    struct shared_module *shared;
    do {
        shared = recall(cache, &request->key, name_of(request));
        if (!shared)
            return NULL;
        if (request->key.key || is_same_module(request, shared->module))
            break;
        cn_shared_release(shared);
        shared = NULL;
    } while (widen(request));
    if (shared && !is_ready(request, shared, error)) {
        cn_shared_release(shared);
        return NULL;
    }
    if (!shared)
        return NULL;
    count(cache, &cache->stats.memory_hits);
    release_bytes(request);
    return shared;
}

/* Records the time that looking up and loading took as the time of validation. */
static struct shared_module *timed(const struct request *request, uint64_t searched,
                                   struct shared_module *shared) {
    if (shared)
        atomic_store(&shared->code.validate_ns, searched - request->start);
    return shared;
}

/* Bytes of an engine's allocator. */
static void free_bytes(void *env, const uint8_t *bytes, size_t size) {
    cn_free(env, (void *)(uintptr_t)bytes, size);
}

/* Writes an entry of a valid module. */
static void store(const struct request *request, const struct module *valid) {
    catnap_cache_t *cache = request->cache;
    struct cache_content content = {valid->bytes, valid->size};
    if (cn_cache_write(&cache->directory, &request->key, &content))
        count(cache, &cache->stats.stored);
}

/* The module of a hit over bytes that are the entry's; closes it. */
static struct shared_module *from_entry(const struct request *request, struct cache_entry *entry,
                                        const uint8_t *bytes, size_t size,
                                        const catnap_module_options_t *options,
                                        struct error *error) {
    catnap_cache_t *cache = request->cache;
    uint64_t searched = cn_os_monotonic_ns();
    struct shared_module *shared =
        timed(request, searched, cn_load_known(cache->engine, bytes, size, options, error));
    if (shared) {
        count(cache, &cache->stats.disk_hits);
        cn_cache_note_use(entry);
    }
    cn_cache_close(entry);
    return shared;
}

/* The stored bytes in place of those of the request, which are not looked at. */
static struct shared_module *from_key(const struct request *request, struct error *error) {
    catnap_cache_t *cache = request->cache;
    const catnap_module_options_t options = {
        .name = name_of(request), .release = free_bytes, .release_env = alloc_of(cache)};
    struct cache_entry entry;
    uint8_t *bytes = NULL;
    enum cache_result result = cn_cache_find(&cache->directory, &request->key, &entry);
    if (result == CACHE_HIT) {
        bytes = cn_cache_read(&cache->directory, &entry);
        if (!bytes)
            cn_cache_close(&entry);
    }
    struct shared_module *shared = NULL;
    if (bytes)
        shared = from_entry(request, &entry, bytes, (size_t)entry.size, &options, error);
    if (shared)
        release_bytes(request);
    else if (result != CACHE_MISS)
        count(cache, &cache->stats.damaged);
    return shared;
}

/* Finds an entry with the request's bytes, which is open after a hit. */
static enum cache_result find_bytes(struct request *request, struct cache_entry *entry) {
    const struct cache_directory *directory = &request->cache->directory;
    enum cache_result result;
    do {
        result = cn_cache_find(directory, &request->key, entry);
        if (result != CACHE_HIT)
            return result;
        result = cn_cache_compare(directory, entry, request->bytes, request->size);
        if (result == CACHE_HIT)
            return result;
        cn_cache_close(entry);
    } while (result == CACHE_MISS && widen(request));
    return result;
}

/* Looks on disk for bytes that do not change. */
static struct shared_module *from_constant(struct request *request, struct error *error) {
    catnap_cache_t *cache = request->cache;
    struct cache_entry entry;
    enum cache_result result =
        cache->on_disk && !request->key.key ? find_bytes(request, &entry) : CACHE_MISS;
    if (result == CACHE_HIT)
        return from_entry(request, &entry, request->bytes, request->size, request->options, error);
    count(cache, result == CACHE_DAMAGED ? &cache->stats.damaged : &cache->stats.misses);
    struct shared_module *shared =
        cn_load(cache->engine, request->bytes, request->size, request->options, error);
    if (shared && !shared->module->deferred && cache->on_disk)
        store(request, shared->module);
    return shared;
}

/* Bytes that are not lent may change at any time: they are copied before they are compared with those
 * that were validated. */
static struct shared_module *from_bytes(struct request *request, struct error *error) {
    struct request constant = *request;
    catnap_module_options_t options = {0};
    if (request->options)
        options = *request->options;
    constant.options = &options;
    if (!options.release && request->size <= LIMIT_MODULE_BYTES) {
        uint8_t *copy = cn_alloc(alloc_of(request->cache), request->size);
        if (!copy) {
            cn_fail_memory(error);
            return NULL;
        }
        if (request->size > 0)
            memcpy(copy, request->bytes, request->size);
        constant.bytes = copy;
        options.release = free_bytes;
        options.release_env = alloc_of(request->cache);
    }
    struct shared_module *shared = from_constant(&constant, error);
    request->key = constant.key; /* which may be of all bytes now */
    return shared;
}

/* A module with a reference for the caller, who has the bytes no more. */
static struct shared_module *find_or_load(struct request *request, struct error *error) {
    struct shared_module *shared = from_memory(request, error);
    if (shared)
        return shared;
    if (request->key.key && request->cache->on_disk)
        shared = from_key(request, error);
    if (!shared && !request->bytes)
        cn_fail(error, CATNAP_NOT_FOUND, "the cache has no module of that key");
    if (!shared && request->bytes)
        shared = from_bytes(request, error);
    if (shared && !shared->module->deferred) /* else it may turn out to be invalid */
        keep(request->cache, &request->key, shared);
    return shared;
}

static wasm_module_t *refuse(const struct request *request, wasm_store_t *store, const char *why,
                             catnap_error_t **out) {
    release_bytes(request);
    return cn_report_new(store, out, CATNAP_MISUSE, "%s", why);
}

wasm_module_t *catnap_cache_module(catnap_cache_t *cache, wasm_store_t *store, const uint8_t *bytes,
                                   size_t length, const catnap_module_options_t *options,
                                   catnap_error_t **out) {
    struct request request = {cache, bytes, length, options, {.key = NULL}, cn_os_monotonic_ns()};
    static const uint8_t none[1];
    struct error error;
    if (out)
        *out = NULL;
    if (!cache || !store || (!bytes && length > 0))
        return refuse(&request, store, "an argument is NULL", out);
    if (store->engine != cache->engine)
        return refuse(&request, store, "the cache belongs to another engine", out);
    if (!bytes)
        request.bytes = none;
    request.key = cn_cache_key_of_bytes(request.bytes, length, cache->engine->config.features);
    return cn_give_module(store, find_or_load(&request, &error), &error, out);
}

wasm_module_t *catnap_cache_module_by_key(catnap_cache_t *cache, wasm_store_t *store,
                                          const void *key, size_t key_length, const uint8_t *bytes,
                                          size_t length, const catnap_module_options_t *options,
                                          catnap_error_t **out) {
    struct request request = {cache, bytes, length, options, {.key = NULL}, cn_os_monotonic_ns()};
    struct error error;
    if (out)
        *out = NULL;
    if (!cache || !store || !key)
        return refuse(&request, store, "an argument is NULL", out);
    if (store->engine != cache->engine)
        return refuse(&request, store, "the cache belongs to another engine", out);
    if (key_length == 0 || key_length > CACHE_KEY_BYTES)
        return refuse(&request, store, "a key has 1 to 1024 bytes", out);
    request.key = cn_cache_key_of_key(key, key_length, cache->engine->config.features);
    return cn_give_module(store, find_or_load(&request, &error), &error, out);
}

/* ---- Looking after a directory ---- */

struct walk {
    wasm_engine_t *engine; /* NULL: nothing is validated again */
    const struct cache_directory *directory;
    void (*entry)(void *env, const catnap_cache_entry_t *);
    void *env;
};

static void visit(void *env, struct cache_found *found) {
    const struct walk *walk = env;
    struct error error;
    catnap_cache_entry_t entry = {.file = found->name,
                                  .file_bytes = found->file_size,
                                  .used = found->used,
                                  .damaged = found->damaged,
                                  .module_bytes = found->size,
                                  .features = found->features,
                                  .key = found->key,
                                  .key_length = found->key_size};
    if (walk->engine && !found->damaged && found->features == walk->engine->config.features)
        entry.damaged = !cn_check_module(walk->engine, found->bytes, found->size, &error) &&
                        error.status != CATNAP_NO_MEMORY;
    if (walk->engine && entry.damaged)
        entry.removed = cn_cache_remove(walk->directory, found->name);
    if (walk->entry)
        walk->entry(walk->env, &entry);
}

/* A directory that no cache has open. */
static catnap_error_t *open_directory(const char *path, struct alloc *alloc,
                                      struct cache_directory *out) {
    struct error error;
    if (!path)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    cn_alloc_init_default(alloc);
    *out = (struct cache_directory){-1, 0, alloc};
    return cn_cache_directory_open(out, path, false, &error) ? NULL : cn_error_own(&error);
}

static catnap_error_t *walk(const char *path, struct walk *walk) {
    struct error error;
    struct alloc alloc;
    struct cache_directory directory;
    catnap_error_t *failure = open_directory(path, &alloc, &directory);
    if (failure)
        return failure;
    walk->directory = &directory;
    bool walked = cn_cache_walk(&directory, visit, walk, &error);
    cn_cache_directory_close(&directory);
    return walked ? NULL : cn_error_own(&error);
}

catnap_error_t *catnap_cache_list(const char *directory,
                                  void (*entry)(void *env, const catnap_cache_entry_t *),
                                  void *env) {
    return walk(directory, &(struct walk){.entry = entry, .env = env});
}

catnap_error_t *catnap_cache_verify(wasm_engine_t *engine, const char *directory,
                                    void (*entry)(void *env, const catnap_cache_entry_t *),
                                    void *env) {
    if (!engine)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    return walk(directory, &(struct walk){.engine = engine, .entry = entry, .env = env});
}

catnap_error_t *catnap_cache_clear(const char *path, uint64_t *removed) {
    struct error error;
    struct alloc alloc;
    struct cache_directory directory;
    uint64_t count = 0;
    if (removed)
        *removed = 0;
    catnap_error_t *failure = open_directory(path, &alloc, &directory);
    if (failure)
        return failure;
    bool cleared = cn_cache_clear(&directory, &count, &error);
    cn_cache_directory_close(&directory);
    if (removed)
        *removed = count;
    return cleared ? NULL : cn_error_own(&error);
}
