/* Snapshots of catnap.h: taking, writing, opening, restoring, asking. */
#include "api/api.h"
#include "persist/snapshot.h"
#include "runtime/collect.h"

#include <xxhash.h>

/* ---- Taking and saving ---- */

static const catnap_snapshot_options_t no_options;
static const catnap_save_options_t no_save_options;

static catnap_snapshot_t *capture(wasm_store_t *store, const catnap_snapshot_options_t *options,
                                  struct error *error) {
    struct snap_naming naming = {options->name, options->env};
    if (store->machine.host_depth > 0) {
        cn_fail(error, CATNAP_MISUSE, "a call is under way in the store");
        return NULL;
    }
    catnap_snapshot_t *s = cn_snapshot_capture(store, options->run, &naming, error);
    if (!s || options->data_length == 0)
        return s;
    uint8_t *data = cn_arena_alloc(&s->arena, options->data_length);
    if (!data) {
        cn_fail_memory(error);
        cn_snapshot_release(s);
        return NULL;
    }
    memcpy(data, options->data, options->data_length);
    s->data = data;
    s->data_length = options->data_length;
    return s;
}

catnap_snapshot_t *catnap_snapshot_take(wasm_store_t *store,
                                        const catnap_snapshot_options_t *options,
                                        catnap_error_t **out) {
    struct error error;
    if (out)
        *out = NULL;
    if (!store)
        return cn_report_null(NULL, out);
    if (!cn_store_enter(store))
        return cn_report_misuse(out);
    cn_store_pin(store); /* a finalizer may delete it */
    catnap_snapshot_t *s = capture(store, options ? options : &no_options, &error);
    if (!s || !cn_snapshot_own(s, &error) || !cn_snapshot_identify(s, &error)) {
        cn_snapshot_release(s);
        s = cn_report(store, out, &error);
    }
    cn_store_leave(store);
    cn_store_unpin(store);
    return s;
}

void catnap_snapshot_delete(catnap_snapshot_t *s) {
    cn_snapshot_release(s);
}

typedef bool (*write_action)(catnap_snapshot_t *, const struct snap_write_options *, void *env,
                             struct error *);

static bool write_with(const catnap_snapshot_t *s, const catnap_save_options_t *options,
                       write_action action, void *env, struct error *error) {
    if (!options)
        options = &no_save_options;
    struct snap_write_options write = {options->with_modules, options->compression, options->base};
    return action((catnap_snapshot_t *)(uintptr_t)s, &write, env, error);
}

static bool to_file(catnap_snapshot_t *s, const struct snap_write_options *options, void *path,
                    struct error *error) {
    return cn_snapshot_write_file(s, options, path, error);
}

catnap_error_t *catnap_snapshot_save(const catnap_snapshot_t *s, const char *path,
                                     const catnap_save_options_t *options) {
    struct error error;
    if (!s || !path)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    return write_with(s, options, to_file, (void *)(uintptr_t)path, &error) ? NULL
                                                                            : cn_error_own(&error);
}

catnap_error_t *catnap_store_save(wasm_store_t *store, const char *path,
                                  const catnap_snapshot_options_t *options,
                                  const catnap_save_options_t *save) {
    struct error error;
    catnap_error_t *out = NULL;
    if (!store || !path)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    if (!cn_store_enter(store)) {
        cn_report_misuse(&out);
        return out;
    }
    cn_store_pin(store); /* a finalizer may delete it */
    catnap_snapshot_t *s = capture(store, options ? options : &no_options, &error);
    if (!s || !cn_snapshot_identify(s, &error) ||
        !write_with(s, save, to_file, (void *)(uintptr_t)path, &error))
        out = cn_error_own(&error);
    cn_snapshot_release(s);
    cn_store_leave(store);
    cn_store_unpin(store);
    return out;
}

struct collected {
    uint8_t *bytes;
    size_t length, capacity;
};

static bool collect(void *env, const void *bytes, size_t size, struct error *error) {
    struct collected *c = env;
    if (c->capacity - c->length < size) {
        size_t capacity = c->length + size + c->capacity / 2;
        uint8_t *more = cn_host_alloc(capacity);
        if (!more)
            return cn_fail_memory(error);
        if (c->length > 0)
            memcpy(more, c->bytes, c->length);
        cn_host_free(c->bytes);
        c->bytes = more;
        c->capacity = capacity;
    }
    if (size > 0)
        memcpy(c->bytes + c->length, bytes, size);
    c->length += size;
    return true;
}

static bool to_bytes(catnap_snapshot_t *s, const struct snap_write_options *options, void *env,
                     struct error *error) {
    return cn_snapshot_write(s, options, collect, env, error);
}

catnap_error_t *catnap_snapshot_write(const catnap_snapshot_t *s,
                                      const catnap_save_options_t *options, wasm_byte_vec_t *out) {
    struct error error;
    struct collected c = {0};
    if (!out)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    wasm_byte_vec_new_empty(out);
    if (!s)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    bool ok = write_with(s, options, to_bytes, &c, &error);
    if (ok) {
        wasm_byte_vec_new(out, c.length, (const char *)c.bytes);
        if (!out->data)
            ok = cn_fail_memory(&error);
    }
    cn_host_free(c.bytes);
    return ok ? NULL : cn_error_own(&error);
}

/* ---- Opening ---- */

static catnap_snapshot_t *complete(catnap_snapshot_t *s, const catnap_open_options_t *options,
                                   struct error *error, catnap_error_t **out) {
    catnap_snapshot_t *base = options ? (catnap_snapshot_t *)(uintptr_t)options->base : NULL;
    if (s && (!s->is_delta || cn_snapshot_add(s, base, error)))
        return s;
    cn_snapshot_release(s);
    return cn_report(NULL, out, error);
}

catnap_snapshot_t *catnap_snapshot_open(wasm_engine_t *engine, const char *path,
                                        const catnap_open_options_t *options,
                                        catnap_error_t **out) {
    struct error error;
    if (out)
        *out = NULL;
    if (!engine || !path)
        return cn_report_null(NULL, out);
    return complete(cn_snapshot_open(engine, path, !options || !options->trust_pages, &error),
                    options, &error, out);
}

catnap_snapshot_t *catnap_snapshot_read(wasm_engine_t *engine, const uint8_t *bytes, size_t length,
                                        const catnap_open_options_t *options,
                                        catnap_error_t **out) {
    struct error error;
    if (out)
        *out = NULL;
    if (!engine || (!bytes && length > 0))
        return cn_report_null(NULL, out);
    return complete(
        cn_snapshot_read(engine, bytes, length, !options || !options->trust_pages, &error), options,
        &error, out);
}

/* ---- Restoring ---- */

struct resolving {
    catnap_linker_t *linker;
    const catnap_restore_options_t *options;
    XXH128_hash_t *hashes; /* of the options' modules; zero: not made yet */
};

static wasm_func_t *find_import(void *env, struct snap_text module, struct snap_text name,
                                const struct functype *type, struct error *error) {
    const struct resolving *r = env;
    struct wasm_ref_t *ref = cn_linker_function(r->linker, module.bytes, module.length, name.bytes,
                                                name.length, type, error);
    return ref && ref->kind == OBJECT_FUNC ? (wasm_func_t *)ref : NULL;
}

static struct wasm_ref_t *find_tag(void *env, struct snap_text module, struct snap_text name) {
    const struct resolving *r = env;
    return cn_linker_tag(r->linker, module.bytes, module.length, name.bytes, name.length);
}

static struct wasm_ref_t *find_host(void *env, struct snap_text name) {
    const struct resolving *r = env;
    if (!r->options || !r->options->resolve)
        return NULL;
    return r->options->resolve(r->options->env, name.bytes, name.length);
}

/* However many modules the snapshot names, each of the host's is hashed once. */
static bool is_module(const struct module *m, XXH128_hash_t *hash,
                      const struct snap_module *wanted) {
    if (m->size != wanted->length)
        return false;
    if (!(hash->high64 | hash->low64))
        *hash = XXH3_128bits(m->bytes, m->size);
    return hash->high64 == wanted->hash[0] && hash->low64 == wanted->hash[1];
}

static struct shared_module *find_module(void *env, const struct snap_module *wanted,
                                         struct error *error) {
    const struct resolving *r = env;
    wasm_engine_t *engine = catnap_linker_store(r->linker)->engine;
    for (size_t i = 0; r->options && i < r->options->module_count; i++) {
        struct shared_module *shared = r->options->modules[i]->shared;
        if (shared->engine == engine && is_module(shared->module, &r->hashes[i], wanted)) {
            cn_shared_retain(shared);
            return shared;
        }
    }
    return wanted->bytes ? cn_load(engine, wanted->bytes, (size_t)wanted->length, NULL, error)
                         : NULL;
}

/* The results as handles of the caller, or without any when they are not wanted. */
static void give(wasm_instance_t **made, uint32_t count, catnap_run_t *made_run,
                 wasm_instance_t **instances, catnap_run_t **run) {
    for (uint32_t i = 0; instances && i < count; i++) {
        cn_object_retain(&made[i]->ref);
        instances[i] = made[i];
    }
    if (run)
        *run = made_run;
    else
        catnap_run_delete(made_run);
}

/* Until the instances are given, nothing but this refers to them. */
static bool restore(catnap_snapshot_t *s, wasm_store_t *store, const struct snap_resolver *resolver,
                    wasm_instance_t **made, catnap_run_t **run, struct error *error) {
    bool again = false;
    for (;;) {
        cn_hold_collections(store);
        bool ok = cn_snapshot_restore(s, store, resolver, made, run, error);
        cn_resume_collections(store);
        if (ok || again || !cn_collect_for(store, error))
            return ok;
        again = true;
    }
}

catnap_error_t *catnap_snapshot_restore(const catnap_snapshot_t *s, catnap_linker_t *linker,
                                        const catnap_restore_options_t *options,
                                        wasm_instance_t **instances, catnap_run_t **run) {
    struct error error;
    catnap_error_t *out = NULL;
    uint32_t count = s ? cn_snapshot_instance_count(s) : 0;
    if (run)
        *run = NULL;
    if (instances)
        memset(instances, 0, count * sizeof *instances);
    if (!s || !linker)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    wasm_store_t *store = catnap_linker_store(linker);
    if (store->engine != s->engine)
        return cn_error_make(CATNAP_MISUSE, "the snapshot belongs to another engine");
    if (!cn_store_enter(store)) {
        cn_report_misuse(&out);
        return out;
    }
    cn_safe_point(store);
    size_t modules = options ? options->module_count : 0;
    wasm_instance_t **made = cn_calloc(store->alloc, count, sizeof *made);
    struct resolving resolving = {linker, options,
                                  cn_calloc(store->alloc, modules, sizeof(XXH128_hash_t))};
    struct snap_resolver resolver = {find_import, find_tag, find_host, find_module, &resolving};
    catnap_run_t *made_run = NULL;
    uint64_t id = cn_begin_work(&store->machine);
    bool ok = made && resolving.hashes ? restore((catnap_snapshot_t *)(uintptr_t)s, store,
                                                 &resolver, made, &made_run, &error)
                                       : cn_fail_memory(&error);
    cn_end_work(&store->machine, id);
    if (ok)
        give(made, count, made_run, instances, run);
    cn_free(store->alloc, made, count * sizeof *made);
    cn_free(store->alloc, resolving.hashes, modules * sizeof(XXH128_hash_t));
    cn_store_leave(store);
    return ok ? NULL : cn_error_own(&error);
}

/* ---- Asking ---- */

size_t catnap_snapshot_instance_count(const catnap_snapshot_t *s) {
    return s ? cn_snapshot_instance_count(s) : 0;
}

void catnap_snapshot_info(const catnap_snapshot_t *s, catnap_snapshot_info_t *out) {
    if (!out)
        return;
    *out = (catnap_snapshot_info_t){0};
    if (!s)
        return;
    out->modules = s->module_count;
    for (uint32_t i = 0; i < s->module_count; i++)
        out->has_modules |= s->modules[i].bytes != NULL;
    for (uint32_t i = 0; i < s->object_count; i++) {
        out->instances += s->objects[i].kind == OBJECT_INSTANCE;
        out->memories += s->objects[i].kind == OBJECT_MEMORY;
        out->tables += s->objects[i].kind == OBJECT_TABLE;
        if (s->objects[i].kind == OBJECT_MEMORY)
            out->memory_bytes += s->objects[i].size;
    }
    out->memory_bytes += s->heap.bytes;
    for (size_t i = 0; i < s->run_count; i++)
        out->page_bytes += s->runs[i].bytes ? s->runs[i].count * SNAP_PAGE : 0;
    out->frames = s->frame_count;
    out->fuel = s->fuel;
    out->fuel_enabled = s->fuel_enabled;
    out->interruptible = s->interruptible;
    out->is_delta = s->is_delta;
    memcpy(out->identity, s->identity, sizeof out->identity);
    memcpy(out->base_identity, s->base_identity, sizeof out->base_identity);
}

bool catnap_snapshot_module(const catnap_snapshot_t *s, size_t index,
                            catnap_snapshot_module_t *out) {
    bool found = s && index < s->module_count;
    if (out)
        *out = (catnap_snapshot_module_t){0};
    if (!found || !out)
        return found;
    const struct snap_module *module = &s->modules[index];
    memcpy(out->hash, module->hash, sizeof out->hash);
    out->length = module->length;
    out->name = module->name.bytes;
    out->name_length = module->name.length;
    out->bytes = module->bytes;
    return true;
}

const void *catnap_snapshot_data(const catnap_snapshot_t *s, size_t *length) {
    if (length)
        *length = s ? (size_t)s->data_length : 0;
    return s && s->data_length > 0 ? s->data : NULL;
}

void catnap_snapshot_diff(const catnap_snapshot_t *a, const catnap_snapshot_t *b,
                          void (*found)(void *env, size_t memory, uint64_t offset, uint64_t length),
                          void *env) {
    if (a && b && found)
        cn_snapshot_diff(a, b, found, env);
}
