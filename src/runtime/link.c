/* Import matching (section 4.5.3). */
#include "runtime/instance.h"
#include "runtime/store.h"
#include "types/subtype.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIMITS_TEXT 48
#define TYPE_TEXT 88
#define LONGEST_NAME 44

/* ---- Types as text ---- */

static void format_limits(const struct limits *limits, char *text, size_t size) {
    const char *address = limits->is_64 ? "i64 " : "";
    if (limits->has_max)
        snprintf(text, size, "%s%" PRIu64 "..%" PRIu64, address, limits->min, limits->max);
    else
        snprintf(text, size, "%s%" PRIu64 "..", address, limits->min);
}

static void format_func(const struct functype *type, char text[TYPE_TEXT]) {
    static const char word[] = "func ";
    memcpy(text, word, sizeof word);
    cn_functype_format(type, text + sizeof word - 1, TYPE_TEXT - (sizeof word - 1));
}

static void format_table(const struct tabletype *type, char text[TYPE_TEXT]) {
    char limits[LIMITS_TEXT];
    format_limits(&type->limits, limits, sizeof limits);
    snprintf(text, TYPE_TEXT, "table %s %s", limits, cn_valtype_name(type->element));
}

static void format_memory(const struct memorytype *type, char text[TYPE_TEXT]) {
    char limits[LIMITS_TEXT];
    format_limits(&type->limits, limits, sizeof limits);
    snprintf(text, TYPE_TEXT, "memory %s%s%s", limits, type->is_shared ? " shared" : "",
             type->byte_pages ? " pages of one byte" : "");
}

static void format_global(const struct globaltype *type, char text[TYPE_TEXT]) {
    snprintf(text, TYPE_TEXT, type->is_mutable ? "global mut %s" : "global %s",
             cn_valtype_name(type->type));
}

static void format_tag(const struct functype *type, char text[TYPE_TEXT]) {
    static const char word[] = "tag ";
    memcpy(text, word, sizeof word);
    cn_functype_format(type, text + sizeof word - 1, TYPE_TEXT - (sizeof word - 1));
    char *arrow = strstr(text, " ->");
    if (arrow)
        *arrow = '\0';
}

/* Writes the type that the module asks for. */
static void format_wanted(const struct module *module, const struct import *import,
                          char text[TYPE_TEXT]) {
    switch (import->kind) {
    case EXTERN_FUNC:
        format_func(module_func_type(module, import->index), text);
        break;
    case EXTERN_TABLE:
        format_table(&module->tables[import->index], text);
        break;
    case EXTERN_MEMORY:
        format_memory(&module->memories[import->index], text);
        break;
    case EXTERN_GLOBAL:
        format_global(&module->globals[import->index].type, text);
        break;
    case EXTERN_TAG:
        format_tag(module_tag_type(module, import->index), text);
        break;
    }
}

/* The type of an object as it is now: the minimum is the present size. */
static struct tabletype table_type_now(const wasm_table_t *table) {
    struct tabletype type = table->type;
    type.limits.min = table->size;
    return type;
}

static struct memorytype memory_type_now(const wasm_memory_t *memory) {
    struct memorytype type = memory->type;
    type.limits.min = cn_memory_pages((wasm_memory_t *)(uintptr_t)memory);
    return type;
}

static void format_found(const struct wasm_ref_t *ref, char text[TYPE_TEXT]) {
    switch (ref->kind) {
    case OBJECT_FUNC:
        format_func(((const wasm_func_t *)ref)->type, text);
        break;
    case OBJECT_TABLE: {
        struct tabletype type = table_type_now((const wasm_table_t *)ref);
        format_table(&type, text);
        break;
    }
    case OBJECT_MEMORY: {
        struct memorytype type = memory_type_now((const wasm_memory_t *)ref);
        format_memory(&type, text);
        break;
    }
    case OBJECT_GLOBAL:
        format_global(&((const wasm_global_t *)ref)->type, text);
        break;
    case OBJECT_TAG:
        format_tag(((const struct catnap_tag_t *)ref)->type, text);
        break;
    default:
        snprintf(text, TYPE_TEXT, "something that cannot be imported");
        break;
    }
}

/* ---- Matching ---- */

static bool limits_match(const struct limits *found, const struct limits *wanted) {
    return found->is_64 == wanted->is_64 && found->min >= wanted->min &&
           (!wanted->has_max || (found->has_max && found->max <= wanted->max));
}

static bool func_matches(const struct wasm_ref_t *ref, const struct module *module,
                         uint32_t index) {
    return dt_is_sub(&((const wasm_func_t *)ref)->type->def, &module_func_type(module, index)->def);
}

static bool table_matches(const struct wasm_ref_t *ref, const struct module *module,
                          uint32_t index) {
    struct tabletype found = table_type_now((const wasm_table_t *)ref);
    const struct tabletype *wanted = &module->tables[index];
    return found.element == wanted->element && limits_match(&found.limits, &wanted->limits);
}

static bool memory_matches(const struct wasm_ref_t *ref, const struct module *module,
                           uint32_t index) {
    struct memorytype found = memory_type_now((const wasm_memory_t *)ref);
    const struct memorytype *wanted = &module->memories[index];
    return found.is_shared == wanted->is_shared && found.byte_pages == wanted->byte_pages &&
           limits_match(&found.limits, &wanted->limits);
}

static bool global_matches(const struct wasm_ref_t *ref, const struct module *module,
                           uint32_t index) {
    const struct globaltype *found = &((const wasm_global_t *)ref)->type;
    const struct globaltype *wanted = &module->globals[index].type;
    return found->is_mutable == wanted->is_mutable &&
           (wanted->is_mutable ? found->type == wanted->type
                               : cn_valtype_matches(module->registry, found->type, wanted->type));
}

static bool tag_matches(const struct wasm_ref_t *ref, const struct module *module, uint32_t index) {
    return ((const struct catnap_tag_t *)ref)->type == module_tag_type(module, index);
}

static bool import_matches(const struct module *module, const struct import *import,
                           const struct wasm_ref_t *ref) {
    static const struct {
        enum object_kind kind;
        bool (*matches)(const struct wasm_ref_t *, const struct module *, uint32_t);
    } by_kind[] = {
        [EXTERN_FUNC] = {OBJECT_FUNC, func_matches},
        [EXTERN_TABLE] = {OBJECT_TABLE, table_matches},
        [EXTERN_MEMORY] = {OBJECT_MEMORY, memory_matches},
        [EXTERN_GLOBAL] = {OBJECT_GLOBAL, global_matches},
        [EXTERN_TAG] = {OBJECT_TAG, tag_matches},
    };
    return ref->kind == by_kind[import->kind].kind &&
           by_kind[import->kind].matches(ref, module, import->index);
}

/* ---- Errors ---- */

/* How many bytes of a name a message shows: whole UTF-8 sequences. */
static int shown_length(const struct module *module, struct span name) {
    if (name.length <= LONGEST_NAME)
        return (int)name.length;
    uint32_t length = LONGEST_NAME;
    while (length > 0 && (module->bytes[name.offset + length] & 0xC0) == 0x80)
        length--;
    return (int)length;
}

/* `what "module" "name": detail` */
static bool fail_import(struct error *error, const char *what, const struct module *module,
                        const struct import *import, const char *detail) {
    const char *bytes = (const char *)module->bytes;
    return cn_fail(error, CATNAP_LINK, "%s \"%.*s\" \"%.*s\": %s", what,
                   shown_length(module, import->module), bytes + import->module.offset,
                   shown_length(module, import->name), bytes + import->name.offset, detail);
}

static bool check_import(wasm_store_t *store, const struct module *module,
                         const struct import *import, const struct wasm_ref_t *ref,
                         struct error *error) {
    char wanted[TYPE_TEXT], found[TYPE_TEXT], detail[2 * TYPE_TEXT + 24];
    if (ref && ref->store == store && import_matches(module, import, ref))
        return true;
    format_wanted(module, import, wanted);
    if (!ref)
        return fail_import(error, "unknown import", module, import, wanted);
    if (ref->store != store)
        return fail_import(error, "incompatible import type for", module, import,
                           "it belongs to another store");
    format_found(ref, found);
    snprintf(detail, sizeof detail, "expected %s, found %s", wanted, found);
    return fail_import(error, "incompatible import type for", module, import, detail);
}

bool cn_link_check(wasm_store_t *store, const struct module *module,
                   struct wasm_ref_t *const *imports, size_t count, struct error *error) {
    for (uint32_t i = 0; i < module->import_count; i++)
        if (!check_import(store, module, &module->imports[i], i < count ? imports[i] : NULL, error))
            return false;
    return true;
}
