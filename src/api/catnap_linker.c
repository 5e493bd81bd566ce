/* The linker of catnap.h: definitions by module and name. */
#include "api/api.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* A definition; the two names lie behind it. */
struct definition {
    struct definition *next; /* in its bucket */
    uint64_t hash;
    struct wasm_ref_t *ref; /* a handle */
    size_t module_length, name_length;
    char names[];
};

struct catnap_linker_t {
    wasm_store_t *store; /* pinned */
    struct definition **buckets;
    size_t bucket_count, count;
    bool trap_unknown;
};

struct names {
    const char *module, *name;
    size_t module_length, name_length;
};

#define FIRST_BUCKETS 64u

catnap_linker_t *catnap_linker_new(wasm_store_t *store) {
    if (!store)
        return NULL;
    catnap_linker_t *linker = cn_calloc(store->alloc, 1, sizeof *linker);
    struct definition **buckets = cn_calloc(store->alloc, FIRST_BUCKETS, sizeof *buckets);
    if (!linker || !buckets) {
        cn_free(store->alloc, linker, sizeof *linker);
        cn_free(store->alloc, buckets, FIRST_BUCKETS * sizeof *buckets);
        return cn_report_memory(store, NULL);
    }
    *linker = (catnap_linker_t){.store = store, .buckets = buckets, .bucket_count = FIRST_BUCKETS};
    cn_store_pin(store);
    return linker;
}

static size_t definition_size(const struct definition *definition) {
    return sizeof *definition + definition->module_length + definition->name_length;
}

wasm_store_t *catnap_linker_store(const catnap_linker_t *linker) {
    return linker->store;
}

void catnap_linker_delete(catnap_linker_t *linker) {
    if (!linker)
        return;
    wasm_store_t *store = linker->store;
    for (size_t i = 0; i < linker->bucket_count; i++)
        for (struct definition *definition = linker->buckets[i], *next; definition;
             definition = next) {
            next = definition->next;
            cn_object_release(definition->ref);
            cn_free(store->alloc, definition, definition_size(definition));
        }
    cn_free(store->alloc, linker->buckets, linker->bucket_count * sizeof *linker->buckets);
    cn_free(store->alloc, linker, sizeof *linker);
    cn_store_unpin(store);
}

/* ---- Definitions ---- */

static uint64_t hash_names(const struct names *names) {
    return XXH3_64bits_withSeed(names->name, names->name_length,
                                XXH3_64bits(names->module, names->module_length));
}

static bool is_named(const struct definition *definition, uint64_t hash,
                     const struct names *names) {
    return definition->hash == hash && definition->module_length == names->module_length &&
           definition->name_length == names->name_length &&
           memcmp(definition->names, names->module, names->module_length) == 0 &&
           memcmp(definition->names + names->module_length, names->name, names->name_length) == 0;
}

static struct definition *find(const catnap_linker_t *linker, const struct names *names) {
    uint64_t hash = hash_names(names);
    struct definition *definition = linker->buckets[hash & (linker->bucket_count - 1)];
    while (definition && !is_named(definition, hash, names))
        definition = definition->next;
    return definition;
}

static void put(struct definition **buckets, size_t bucket_count, struct definition *definition) {
    struct definition **bucket = &buckets[definition->hash & (bucket_count - 1)];
    definition->next = *bucket;
    *bucket = definition;
}

/* More buckets; false without memory for them. */
static bool spread(catnap_linker_t *linker) {
    struct alloc *alloc = linker->store->alloc;
    size_t count = linker->bucket_count * 2;
    struct definition **buckets = cn_calloc(alloc, count, sizeof *buckets);
    if (!buckets)
        return false;
    for (size_t i = 0; i < linker->bucket_count; i++)
        for (struct definition *definition = linker->buckets[i], *next; definition;
             definition = next) {
            next = definition->next;
            put(buckets, count, definition);
        }
    cn_free(alloc, linker->buckets, linker->bucket_count * sizeof *linker->buckets);
    linker->buckets = buckets;
    linker->bucket_count = count;
    return true;
}

static bool add(catnap_linker_t *linker, const struct names *names, struct wasm_ref_t *ref) {
    size_t size;
    if (linker->count >= linker->bucket_count && !spread(linker))
        return false;
    if (__builtin_add_overflow(names->module_length, names->name_length, &size) ||
        __builtin_add_overflow(size, sizeof(struct definition), &size))
        return false;
    struct definition *definition = cn_alloc(linker->store->alloc, size);
    if (!definition)
        return false;
    *definition = (struct definition){.hash = hash_names(names),
                                      .ref = ref,
                                      .module_length = names->module_length,
                                      .name_length = names->name_length};
    memcpy(definition->names, names->module, names->module_length);
    memcpy(definition->names + names->module_length, names->name, names->name_length);
    put(linker->buckets, linker->bucket_count, definition);
    linker->count++;
    cn_object_retain(ref);
    return true;
}

static catnap_error_t *define(catnap_linker_t *linker, const struct names *names,
                              struct wasm_ref_t *ref) {
    if (ref->store != linker->store)
        return cn_error_make(CATNAP_MISUSE, "the definition belongs to another store");
    struct definition *known = find(linker, names);
    if (known) {
        struct wasm_ref_t *replaced = known->ref;
        cn_object_retain(ref);
        known->ref = ref;
        cn_object_release(replaced); /* last: a finalizer may use the linker */
        return NULL;
    }
    return add(linker, names, ref) ? NULL : cn_error_make(CATNAP_NO_MEMORY, "memory is exhausted");
}

/* Absent names are empty ones, so that what follows may compare bytes. */
static struct names make_names(const char *module, size_t module_length, const char *name,
                               size_t name_length) {
    return (struct names){module ? module : "", name ? name : "", module ? module_length : 0,
                          name ? name_length : 0};
}

catnap_error_t *catnap_linker_define(catnap_linker_t *linker, const char *module,
                                     size_t module_length, const char *name, size_t name_length,
                                     const wasm_extern_t *object) {
    if (!linker || !object)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    struct names names = make_names(module, module_length, name, name_length);
    return define(linker, &names, (struct wasm_ref_t *)(uintptr_t)object);
}

catnap_error_t *catnap_linker_define_instance(catnap_linker_t *linker, const char *module_name,
                                              size_t length, const wasm_instance_t *object) {
    if (!linker || !object)
        return cn_error_make(CATNAP_MISUSE, "an argument is NULL");
    wasm_instance_t *instance = (wasm_instance_t *)(uintptr_t)object;
    const struct module *module = instance->module;
    for (uint32_t i = 0; i < module->export_count; i++) {
        const struct export_ *export_ = &module->exports[i];
        struct names names =
            make_names(module_name, length, (const char *)module->bytes + export_->name.offset,
                       export_->name.length);
        struct wasm_ref_t *ref = cn_instance_extern(instance, export_->kind, export_->index);
        catnap_error_t *error = ref ? define(linker, &names, ref)
                                    : cn_error_make(CATNAP_NO_MEMORY, "memory is exhausted");
        if (error)
            return error;
    }
    return NULL;
}

void catnap_linker_trap_unknown_imports(catnap_linker_t *linker, bool enabled) {
    if (linker)
        linker->trap_unknown = enabled;
}

wasm_extern_t *catnap_linker_get(const catnap_linker_t *linker, const char *module,
                                 size_t module_length, const char *name, size_t name_length) {
    if (!linker)
        return NULL;
    struct names names = make_names(module, module_length, name, name_length);
    const struct definition *definition = find(linker, &names);
    if (!definition)
        return NULL;
    cn_object_retain(definition->ref);
    return (wasm_extern_t *)definition->ref;
}

/* ---- Functions in place of unknown imports ---- */

struct unknown_import {
    struct alloc *alloc;
    size_t length;
    char text[]; /* module::name */
};

static wasm_trap_t *call_unknown(struct wasm_func_t *func, struct catnap_caller_t *caller,
                                 uint64_t *slots) {
    (void)caller;
    (void)slots;
    const struct unknown_import *unknown = func->env;
    return cn_trap_new(func->ref.store, CATNAP_TRAP_UNKNOWN_IMPORT,
                       "unknown import `%.*s` has been called", (int)unknown->length,
                       unknown->text);
}

static void free_unknown(void *env) {
    struct unknown_import *unknown = env;
    cn_free(unknown->alloc, unknown, sizeof *unknown + unknown->length);
}

#define SEPARATOR "::"
#define LONGEST_UNKNOWN 300u

static size_t at_most(size_t length, size_t limit) {
    return length < limit ? length : limit;
}

static struct unknown_import *new_unknown(struct alloc *alloc, const struct names *names) {
    size_t module_length = at_most(names->module_length, LONGEST_UNKNOWN);
    size_t name_length = at_most(names->name_length, LONGEST_UNKNOWN);
    size_t length = module_length + strlen(SEPARATOR) + name_length;
    struct unknown_import *unknown = cn_alloc(alloc, sizeof *unknown + length);
    if (!unknown)
        return NULL;
    unknown->alloc = alloc;
    unknown->length = length;
    memcpy(unknown->text, names->module, module_length);
    memcpy(unknown->text + module_length, SEPARATOR, strlen(SEPARATOR));
    memcpy(unknown->text + module_length + strlen(SEPARATOR), names->name, name_length);
    return unknown;
}

/* A function with one handle that traps and names itself. */
static struct wasm_ref_t *make_trapping(wasm_store_t *store, const struct functype *type,
                                        const struct names *names, struct error *error) {
    struct unknown_import *unknown = new_unknown(store->alloc, names);
    if (!unknown) {
        cn_fail_memory(error);
        return NULL;
    }
    cn_types_retain(&store->engine->types, &type->def);
    wasm_func_t *func = cn_func_new(store, type, call_unknown, NULL, unknown, free_unknown, error);
    if (!func) {
        free_unknown(unknown);
        return NULL;
    }
    cn_object_retain(&func->ref);
    return &func->ref;
}

struct wasm_ref_t *cn_linker_function(catnap_linker_t *linker, const char *module,
                                      size_t module_length, const char *name, size_t name_length,
                                      const struct functype *type, struct error *error) {
    struct names names = make_names(module, module_length, name, name_length);
    const struct definition *definition = find(linker, &names);
    if (definition || !linker->trap_unknown)
        return definition ? definition->ref : NULL;
    struct wasm_ref_t *ref = make_trapping(linker->store, type, &names, error);
    if (ref) {
        ref->escaped = true; /* does not go with its last handle */
        cn_object_release(ref);
    }
    return ref;
}

struct wasm_ref_t *cn_linker_tag(const catnap_linker_t *linker, const char *module,
                                 size_t module_length, const char *name, size_t name_length) {
    struct names names = make_names(module, module_length, name, name_length);
    const struct definition *definition = find(linker, &names);
    return definition ? definition->ref : NULL;
}

/* ---- Instantiation ---- */

/* Fills the array with handles; what is not defined stays NULL and is told by the link check. */
static bool resolve(const catnap_linker_t *linker, const struct module *module,
                    struct wasm_ref_t **imports, struct error *error) {
    for (uint32_t i = 0; i < module->import_count; i++) {
        const struct import *import = &module->imports[i];
        struct names names = {(const char *)module->bytes + import->module.offset,
                              (const char *)module->bytes + import->name.offset,
                              import->module.length, import->name.length};
        const struct definition *definition = find(linker, &names);
        if (definition) {
            imports[i] = definition->ref;
            cn_object_retain(imports[i]);
        } else if (linker->trap_unknown && import->kind == EXTERN_FUNC) {
            imports[i] = make_trapping(linker->store, module_func_type(module, import->index),
                                       &names, error);
            if (!imports[i])
                return false;
        }
    }
    return true;
}

static void drop_imports(const catnap_linker_t *linker, const struct module *module,
                         struct wasm_ref_t **imports) {
    for (uint32_t i = 0; i < module->import_count; i++)
        if (imports[i])
            cn_object_release(imports[i]);
    cn_free(linker->store->alloc, imports, module->import_count * sizeof *imports);
}

/* Handles on what the module imports, by index; or NULL, with the failure recorded too. */
static struct wasm_ref_t **find_imports(const catnap_linker_t *linker, const wasm_module_t *object,
                                        struct error *error) {
    const struct module *module = object->shared->module;
    wasm_store_t *store = linker->store;
    struct wasm_ref_t **imports = NULL;
    if (object->ref.store != store)
        cn_fail(error, CATNAP_MISUSE, "the module belongs to another store");
    else if (!(imports = cn_calloc(store->alloc, module->import_count, sizeof *imports)))
        cn_fail_memory(error);
    else if (resolve(linker, module, imports, error))
        return imports;
    else
        drop_imports(linker, module, imports);
    cn_store_fail(store, error);
    return NULL;
}

static wasm_instance_t *instantiate(catnap_linker_t *linker, const wasm_module_t *object,
                                    struct error *error, wasm_trap_t **trap) {
    const struct module *module = object->shared->module;
    struct wasm_ref_t **imports = find_imports(linker, object, error);
    if (!imports)
        return NULL;
    wasm_instance_t *instance =
        cn_instantiate(linker->store, object, imports, module->import_count, error, trap);
    drop_imports(linker, module, imports);
    return instance;
}

wasm_instance_t *catnap_linker_instantiate(catnap_linker_t *linker, const wasm_module_t *module,
                                           catnap_error_t **out_error, wasm_trap_t **out_trap) {
    struct error error;
    wasm_trap_t *trap = NULL;
    if (out_error)
        *out_error = NULL;
    if (out_trap)
        *out_trap = NULL;
    if (!linker || !module)
        return cn_report_null(linker ? linker->store : NULL, out_error);
    wasm_store_t *store = linker->store;
    if (!cn_store_enter(store))
        return cn_report_misuse(out_error);
    cn_store_pin(store);
    wasm_instance_t *instance = instantiate(linker, module, &error, &trap);
    cn_store_leave(store);
    cn_store_unpin(store);
    if (!instance)
        cn_give_failure(&error, trap, out_error, out_trap);
    return instance;
}

catnap_prelinked_t *catnap_linker_prelink(catnap_linker_t *linker, const wasm_module_t *object,
                                          catnap_error_t **out_error) {
    struct error error;
    catnap_prelinked_t *prelinked = NULL;
    if (out_error)
        *out_error = NULL;
    if (!linker || !object)
        return cn_report_null(linker ? linker->store : NULL, out_error);
    wasm_store_t *store = linker->store;
    if (!cn_store_enter(store))
        return cn_report_misuse(out_error);
    const struct module *module = object->shared->module;
    struct wasm_ref_t **imports = find_imports(linker, object, &error);
    if (imports) {
        prelinked = cn_prelink(store, object, imports, module->import_count, &error);
        drop_imports(linker, module, imports);
    }
    cn_store_leave(store);
    return prelinked ? prelinked : cn_report(NULL, out_error, &error);
}
