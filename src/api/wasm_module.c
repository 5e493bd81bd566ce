/* Modules of wasm.h. */
#include "api/api.h"
#include "base/bytes.h"

#include <string.h>
#include <xxhash.h>

/* ---- Loading ---- */

/* A store's handle; takes over the reference of `shared`, which may be NULL with *error set. */
static wasm_module_t *finish_load(wasm_store_t *store, struct shared_module *shared,
                                  const struct error *error) {
    if (!shared)
        return cn_report(store, NULL, error);
    wasm_module_t *module = cn_module_object_new(store, shared);
    cn_shared_release(shared);
    if (!module)
        return cn_report_memory(store, NULL);
    cn_object_retain(&module->ref);
    return module;
}

static wasm_module_t *load(wasm_store_t *store, const uint8_t *bytes, size_t size) {
    struct error error;
    if (!cn_store_enter(store))
        return NULL;
    struct shared_module *shared = cn_load(store->engine, bytes, size, NULL, &error);
    wasm_module_t *module = finish_load(store, shared, &error);
    cn_store_leave(store);
    return module;
}

wasm_module_t *wasm_module_new(wasm_store_t *store, const wasm_byte_vec_t *binary) {
    if (!store || !binary || (binary->size > 0 && !binary->data))
        return cn_report_null(store, NULL);
    return load(store, (const uint8_t *)binary->data, binary->size);
}

bool wasm_module_validate(wasm_store_t *store, const wasm_byte_vec_t *binary) {
    struct error error;
    if (!store || !binary || (binary->size > 0 && !binary->data))
        return cn_report_null(store, NULL) != NULL;
    return cn_check_module(store->engine, (const uint8_t *)binary->data, binary->size, &error) ||
           cn_store_fail(store, &error);
}

/* ---- Reflection ---- */

static void new_name(const struct module *module, struct span span, wasm_name_t *out) {
    wasm_name_new(out, span.length, (const char *)module->bytes + span.offset);
}

/* Whether a name was made whole; memory may have run out. */
static bool is_whole(const wasm_name_t *name, struct span span) {
    return name->size == span.length;
}

static wasm_importtype_t *describe_import(const struct module *module,
                                          const struct import *import) {
    wasm_name_t from, name;
    new_name(module, import->module, &from);
    new_name(module, import->name, &name);
    wasm_externtype_t *type = is_whole(&from, import->module) && is_whole(&name, import->name)
                                  ? cn_externtype_describe(module, import->kind, import->index)
                                  : NULL;
    return wasm_importtype_new(&from, &name, type);
}

void wasm_module_imports(const wasm_module_t *object, wasm_importtype_vec_t *out) {
    const struct module *module = object ? object->shared->module : NULL;
    wasm_importtype_vec_new_uninitialized(out, module ? module->import_count : 0);
    for (size_t i = 0; module && i < out->size; i++)
        if (!(out->data[i] = describe_import(module, &module->imports[i])))
            wasm_importtype_vec_delete(out);
    if (module && out->size < module->import_count)
        cn_report_memory(object->ref.store, NULL);
}

static wasm_exporttype_t *describe_export(const struct module *module,
                                          const struct export_ *export_) {
    wasm_name_t name;
    new_name(module, export_->name, &name);
    wasm_externtype_t *type = is_whole(&name, export_->name)
                                  ? cn_externtype_describe(module, export_->kind, export_->index)
                                  : NULL;
    return wasm_exporttype_new(&name, type);
}

void wasm_module_exports(const wasm_module_t *object, wasm_exporttype_vec_t *out) {
    const struct module *module = object ? object->shared->module : NULL;
    wasm_exporttype_vec_new_uninitialized(out, module ? module->export_count : 0);
    for (size_t i = 0; module && i < out->size; i++)
        if (!(out->data[i] = describe_export(module, &module->exports[i])))
            wasm_exporttype_vec_delete(out);
    if (module && out->size < module->export_count)
        cn_report_memory(object->ref.store, NULL);
}

/* ---- Sharing between stores ---- */

wasm_shared_module_t *wasm_module_share(const wasm_module_t *module) {
    if (!module)
        return NULL;
    cn_shared_retain(module->shared);
    return (wasm_shared_module_t *)module->shared;
}

void wasm_shared_module_delete(wasm_shared_module_t *shared) {
    if (shared)
        cn_shared_release((struct shared_module *)shared);
}

wasm_module_t *wasm_module_obtain(wasm_store_t *store, const wasm_shared_module_t *const_shared) {
    struct shared_module *shared = (struct shared_module *)(uintptr_t)const_shared;
    if (!store || !shared)
        return cn_report_null(store, NULL);
    if (shared->engine != store->engine)
        return cn_report_new(store, NULL, CATNAP_MISUSE, "the module belongs to another engine");
    if (!cn_store_enter(store))
        return NULL;
    cn_shared_retain(shared);
    wasm_module_t *module = finish_load(store, shared, NULL);
    cn_store_leave(store);
    return module;
}

/* ---- Serialization: the binary in a container that tells whether it arrived whole ---- */

#define CONTAINER_MAGIC "\0catnap\n"
#define CONTAINER_VERSION 1u

/* Little-endian fields, then the binary. */
enum container {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_HEADER_SIZE = 12,
    AT_LENGTH = 16,
    AT_HASH = 24, /* XXH3-64 of the binary */
    CONTAINER_HEADER = 32
};

void wasm_module_serialize(const wasm_module_t *object, wasm_byte_vec_t *out) {
    wasm_byte_vec_new_empty(out);
    if (!object)
        return;
    const struct module *module = object->shared->module;
    wasm_byte_vec_new_uninitialized(out, CONTAINER_HEADER + module->size);
    if (!out->data) {
        cn_report_memory(object->ref.store, NULL);
        return;
    }
    uint8_t *bytes = (uint8_t *)out->data;
    memcpy(bytes + AT_MAGIC, CONTAINER_MAGIC, 8);
    cn_put_le(bytes + AT_VERSION, CONTAINER_VERSION, 4);
    cn_put_le(bytes + AT_HEADER_SIZE, CONTAINER_HEADER, 4);
    cn_put_le(bytes + AT_LENGTH, module->size, 8);
    cn_put_le(bytes + AT_HASH, XXH3_64bits(module->bytes, module->size), 8);
    memcpy(bytes + CONTAINER_HEADER, module->bytes, module->size);
}

/* NULL, or what is wrong with a container. */
static const char *check_container(const uint8_t *bytes, size_t size) {
    if (size < CONTAINER_HEADER || memcmp(bytes + AT_MAGIC, CONTAINER_MAGIC, 8) != 0)
        return "not a serialized module";
    if (cn_get_le(bytes + AT_VERSION, 4) != CONTAINER_VERSION ||
        cn_get_le(bytes + AT_HEADER_SIZE, 4) != CONTAINER_HEADER)
        return "serialized by another version";
    if (cn_get_le(bytes + AT_LENGTH, 8) != size - CONTAINER_HEADER)
        return "a serialized module of the wrong length";
    if (cn_get_le(bytes + AT_HASH, 8) !=
        XXH3_64bits(bytes + CONTAINER_HEADER, size - CONTAINER_HEADER))
        return "a serialized module that was modified";
    return NULL;
}

wasm_module_t *wasm_module_deserialize(wasm_store_t *store, const wasm_byte_vec_t *serialized) {
    if (!store || !serialized || (serialized->size > 0 && !serialized->data))
        return cn_report_null(store, NULL);
    const uint8_t *bytes = (const uint8_t *)serialized->data;
    const char *wrong = check_container(bytes, serialized->size);
    if (wrong)
        return cn_report_new(store, NULL, CATNAP_MALFORMED, "%s", wrong);
    return load(store, bytes + CONTAINER_HEADER, serialized->size - CONTAINER_HEADER);
}
