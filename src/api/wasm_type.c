/* Types of wasm.h: plain descriptions, independent of engines. */
#include "api/wasm_type.h"

#include "api/api.h"

/* ---- Value types: constants, so that they need no memory ---- */

static const wasm_valtype_t valtypes[] = {{WASM_I32},     {WASM_I64},      {WASM_F32},
                                          {WASM_F64},     {WASM_V128},     {WASM_EXTERNREF},
                                          {WASM_FUNCREF}, {CATNAP_EXNREF}, {CATNAP_ANYREF}};

wasm_valtype_t *wasm_valtype_new(wasm_valkind_t kind) {
    for (size_t i = 0; i < sizeof valtypes / sizeof *valtypes; i++)
        if (valtypes[i].kind == kind)
            return (wasm_valtype_t *)(uintptr_t)&valtypes[i];
    return NULL;
}

void wasm_valtype_delete(wasm_valtype_t *type) {
    (void)type;
}

wasm_valtype_t *wasm_valtype_copy(const wasm_valtype_t *type) {
    return (wasm_valtype_t *)(uintptr_t)type;
}

wasm_valkind_t wasm_valtype_kind(const wasm_valtype_t *type) {
    return type ? type->kind : WASM_I32;
}

/* ---- Extern types ---- */

static bool has_null(const wasm_valtype_vec_t *types) {
    for (size_t i = 0; i < types->size; i++)
        if (!types->data[i])
            return true;
    return false;
}

wasm_functype_t *wasm_functype_new(wasm_valtype_vec_t *params, wasm_valtype_vec_t *results) {
    wasm_valtype_vec_t none = WASM_EMPTY_VEC;
    if (!params)
        params = &none;
    wasm_valtype_vec_t none_either = WASM_EMPTY_VEC;
    if (!results)
        results = &none_either;
    wasm_functype_t *type =
        has_null(params) || has_null(results) ? NULL : cn_host_alloc(sizeof *type);
    if (!type) {
        wasm_valtype_vec_delete(params);
        wasm_valtype_vec_delete(results);
        return NULL;
    }
    *type = (wasm_functype_t){{WASM_EXTERN_FUNC}, *params, *results};
    wasm_valtype_vec_new_empty(params);
    wasm_valtype_vec_new_empty(results);
    return type;
}

void wasm_functype_delete(wasm_functype_t *type) {
    if (!type)
        return;
    wasm_valtype_vec_delete(&type->params);
    wasm_valtype_vec_delete(&type->results);
    cn_host_free(type);
}

wasm_functype_t *wasm_functype_copy(const wasm_functype_t *type) {
    if (!type)
        return NULL;
    wasm_valtype_vec_t params, results;
    wasm_valtype_vec_copy(&params, &type->params);
    wasm_valtype_vec_copy(&results, &type->results);
    if (params.size == type->params.size && results.size == type->results.size)
        return wasm_functype_new(&params, &results);
    wasm_valtype_vec_delete(&params);
    wasm_valtype_vec_delete(&results);
    return NULL;
}

const wasm_valtype_vec_t *wasm_functype_params(const wasm_functype_t *type) {
    return type ? &type->params : NULL;
}

const wasm_valtype_vec_t *wasm_functype_results(const wasm_functype_t *type) {
    return type ? &type->results : NULL;
}

wasm_globaltype_t *wasm_globaltype_new(wasm_valtype_t *content, wasm_mutability_t mutability) {
    wasm_globaltype_t *type = content ? cn_host_alloc(sizeof *type) : NULL;
    if (type)
        *type = (wasm_globaltype_t){{WASM_EXTERN_GLOBAL}, content, mutability};
    return type;
}

wasm_globaltype_t *wasm_globaltype_copy(const wasm_globaltype_t *type) {
    return type ? wasm_globaltype_new(type->content, type->mutability) : NULL;
}

const wasm_valtype_t *wasm_globaltype_content(const wasm_globaltype_t *type) {
    return type ? type->content : NULL;
}

wasm_mutability_t wasm_globaltype_mutability(const wasm_globaltype_t *type) {
    return type ? type->mutability : (wasm_mutability_t)WASM_CONST;
}

/* ---- Limits ---- */

static uint32_t clamp(uint64_t bound) {
    return bound < wasm_limits_max_default ? (uint32_t)bound : wasm_limits_max_default;
}

static struct described_limits describe(const catnap_type_limits_t *limits) {
    wasm_limits_t shown = {clamp(limits->min),
                           limits->has_max ? clamp(limits->max) : wasm_limits_max_default};
    return (struct described_limits){*limits, shown};
}

static catnap_type_limits_t of_32_bits(const wasm_limits_t *limits) {
    bool has_max = limits->max != wasm_limits_max_default;
    return (catnap_type_limits_t){limits->min, has_max ? limits->max : 0, has_max, false};
}

wasm_tabletype_t *catnap_tabletype_new(wasm_valtype_t *element,
                                       const catnap_type_limits_t *limits) {
    wasm_tabletype_t *type = element && limits ? cn_host_alloc(sizeof *type) : NULL;
    if (type)
        *type = (wasm_tabletype_t){{WASM_EXTERN_TABLE}, element, describe(limits)};
    return type;
}

wasm_tabletype_t *wasm_tabletype_new(wasm_valtype_t *element, const wasm_limits_t *limits) {
    if (!limits)
        return NULL;
    catnap_type_limits_t all = of_32_bits(limits);
    return catnap_tabletype_new(element, &all);
}

wasm_tabletype_t *wasm_tabletype_copy(const wasm_tabletype_t *type) {
    return type ? catnap_tabletype_new(type->element, &type->limits.all) : NULL;
}

const wasm_valtype_t *wasm_tabletype_element(const wasm_tabletype_t *type) {
    return type ? type->element : NULL;
}

const wasm_limits_t *wasm_tabletype_limits(const wasm_tabletype_t *type) {
    return type ? &type->limits.shown : NULL;
}

void catnap_tabletype_limits(const wasm_tabletype_t *type, catnap_type_limits_t *out) {
    if (out)
        *out = type ? type->limits.all : (catnap_type_limits_t){0};
}

wasm_memorytype_t *catnap_memorytype_new(const catnap_type_limits_t *limits) {
    wasm_memorytype_t *type = limits ? cn_host_alloc(sizeof *type) : NULL;
    if (type)
        *type = (wasm_memorytype_t){{WASM_EXTERN_MEMORY}, describe(limits), false, false};
    return type;
}

wasm_memorytype_t *catnap_memorytype_new_paged(const catnap_type_limits_t *limits,
                                               uint64_t page_bytes) {
    bool known = page_bytes == 1 || page_bytes == WASM_PAGE_BYTES;
    wasm_memorytype_t *type = known ? catnap_memorytype_new(limits) : NULL;
    if (type)
        type->byte_pages = page_bytes == 1;
    return type;
}

uint64_t catnap_memorytype_page_bytes(const wasm_memorytype_t *type) {
    return !type ? 0 : type->byte_pages ? 1 : WASM_PAGE_BYTES;
}

wasm_memorytype_t *wasm_memorytype_new(const wasm_limits_t *limits) {
    if (!limits)
        return NULL;
    catnap_type_limits_t all = of_32_bits(limits);
    return catnap_memorytype_new(&all);
}

wasm_memorytype_t *wasm_memorytype_copy(const wasm_memorytype_t *type) {
    wasm_memorytype_t *copy = type ? catnap_memorytype_new(&type->limits.all) : NULL;
    if (copy) {
        copy->shared = type->shared;
        copy->byte_pages = type->byte_pages;
    }
    return copy;
}

wasm_memorytype_t *catnap_memorytype_new_shared(const wasm_limits_t *limits) {
    bool bounded = limits && limits->max != wasm_limits_max_default;
    wasm_memorytype_t *type = bounded ? wasm_memorytype_new(limits) : NULL;
    if (type)
        type->shared = true;
    return type;
}

bool catnap_memorytype_is_shared(const wasm_memorytype_t *type) {
    return type && type->shared;
}

const wasm_limits_t *wasm_memorytype_limits(const wasm_memorytype_t *type) {
    return type ? &type->limits.shown : NULL;
}

void catnap_memorytype_limits(const wasm_memorytype_t *type, catnap_type_limits_t *out) {
    if (out)
        *out = type ? type->limits.all : (catnap_type_limits_t){0};
}

/* For types that own nothing beyond their own memory. */
#define DEFINE_PLAIN_DELETE(name)                                                                  \
    void wasm_##name##_delete(wasm_##name##_t *type) {                                             \
        cn_host_free(type);                                                                        \
    }
DEFINE_PLAIN_DELETE(globaltype)
DEFINE_PLAIN_DELETE(tabletype)
DEFINE_PLAIN_DELETE(memorytype)

wasm_tagtype_t *wasm_tagtype_new(wasm_functype_t *content) {
    wasm_tagtype_t *type = content ? cn_host_alloc(sizeof *type) : NULL;
    if (type)
        *type = (wasm_tagtype_t){{WASM_EXTERN_TAG}, content};
    else
        wasm_functype_delete(content);
    return type;
}

void wasm_tagtype_delete(wasm_tagtype_t *type) {
    if (!type)
        return;
    wasm_functype_delete(type->content);
    cn_host_free(type);
}

wasm_tagtype_t *wasm_tagtype_copy(const wasm_tagtype_t *type) {
    return type ? wasm_tagtype_new(wasm_functype_copy(type->content)) : NULL;
}

const wasm_functype_t *wasm_tagtype_functype(const wasm_tagtype_t *type) {
    return type ? type->content : NULL;
}

/* ---- Seen as extern types ---- */

wasm_externkind_t wasm_externtype_kind(const wasm_externtype_t *type) {
    return type ? type->kind : (wasm_externkind_t)WASM_EXTERN_FUNC;
}

#define DEFINE_EXTERNTYPE(name, KIND)                                                              \
    wasm_externtype_t *wasm_##name##_as_externtype(wasm_##name##_t *type) {                        \
        return (wasm_externtype_t *)type;                                                          \
    }                                                                                              \
    const wasm_externtype_t *wasm_##name##_as_externtype_const(const wasm_##name##_t *type) {      \
        return (const wasm_externtype_t *)type;                                                    \
    }                                                                                              \
    wasm_##name##_t *wasm_externtype_as_##name(wasm_externtype_t *type) {                          \
        return type && type->kind == KIND ? (wasm_##name##_t *)type : NULL;                        \
    }                                                                                              \
    const wasm_##name##_t *wasm_externtype_as_##name##_const(const wasm_externtype_t *type) {      \
        return type && type->kind == KIND ? (const wasm_##name##_t *)type : NULL;                  \
    }
DEFINE_EXTERNTYPE(functype, WASM_EXTERN_FUNC)
DEFINE_EXTERNTYPE(globaltype, WASM_EXTERN_GLOBAL)
DEFINE_EXTERNTYPE(tabletype, WASM_EXTERN_TABLE)
DEFINE_EXTERNTYPE(memorytype, WASM_EXTERN_MEMORY)
DEFINE_EXTERNTYPE(tagtype, WASM_EXTERN_TAG)

/* Calls what belongs to the kind: CASE(kind's type name). */
#define BY_KIND(kind, CASE)                                                                        \
    switch (kind) {                                                                                \
    case WASM_EXTERN_FUNC:                                                                         \
        CASE(functype);                                                                            \
    case WASM_EXTERN_GLOBAL:                                                                       \
        CASE(globaltype);                                                                          \
    case WASM_EXTERN_TABLE:                                                                        \
        CASE(tabletype);                                                                           \
    case WASM_EXTERN_MEMORY:                                                                       \
        CASE(memorytype);                                                                          \
    case WASM_EXTERN_TAG:                                                                          \
        CASE(tagtype);                                                                             \
    }

void wasm_externtype_delete(wasm_externtype_t *type) {
    if (!type)
        return;
#define DELETE(name)                                                                               \
    wasm_##name##_delete((wasm_##name##_t *)type);                                                 \
    break
    BY_KIND(type->kind, DELETE)
#undef DELETE
}

wasm_externtype_t *wasm_externtype_copy(const wasm_externtype_t *type) {
    if (!type)
        return NULL;
#define COPY(name) return (wasm_externtype_t *)wasm_##name##_copy((const wasm_##name##_t *)type)
    BY_KIND(type->kind, COPY)
#undef COPY
    return NULL;
}

/* ---- Import and export types ---- */

struct wasm_importtype_t {
    wasm_name_t module, name;
    wasm_externtype_t *type;
};

struct wasm_exporttype_t {
    wasm_name_t name;
    wasm_externtype_t *type;
};

/* Moves a vector out; an absent one is empty. */
static wasm_name_t take_name(wasm_name_t *name) {
    wasm_name_t taken = WASM_EMPTY_VEC;
    if (name) {
        taken = *name;
        wasm_name_new_empty(name);
    }
    return taken;
}

wasm_importtype_t *wasm_importtype_new(wasm_name_t *module, wasm_name_t *name,
                                       wasm_externtype_t *externtype) {
    wasm_importtype_t *type = module && name && externtype ? cn_host_alloc(sizeof *type) : NULL;
    if (type) {
        *type = (wasm_importtype_t){take_name(module), take_name(name), externtype};
        return type;
    }
    wasm_name_delete(module);
    wasm_name_delete(name);
    wasm_externtype_delete(externtype);
    return NULL;
}

void wasm_importtype_delete(wasm_importtype_t *type) {
    if (!type)
        return;
    wasm_name_delete(&type->module);
    wasm_name_delete(&type->name);
    wasm_externtype_delete(type->type);
    cn_host_free(type);
}

/* Whether a vector was copied whole. */
static bool copy_name(wasm_name_t *out, const wasm_name_t *from) {
    wasm_name_copy(out, from);
    return out->size == from->size;
}

wasm_importtype_t *wasm_importtype_copy(const wasm_importtype_t *type) {
    wasm_name_t module = WASM_EMPTY_VEC, name = WASM_EMPTY_VEC;
    if (type && copy_name(&module, &type->module) && copy_name(&name, &type->name))
        return wasm_importtype_new(&module, &name, wasm_externtype_copy(type->type));
    wasm_name_delete(&module);
    wasm_name_delete(&name);
    return NULL;
}

const wasm_name_t *wasm_importtype_module(const wasm_importtype_t *type) {
    return type ? &type->module : NULL;
}

const wasm_name_t *wasm_importtype_name(const wasm_importtype_t *type) {
    return type ? &type->name : NULL;
}

const wasm_externtype_t *wasm_importtype_type(const wasm_importtype_t *type) {
    return type ? type->type : NULL;
}

wasm_exporttype_t *wasm_exporttype_new(wasm_name_t *name, wasm_externtype_t *externtype) {
    wasm_exporttype_t *type = name && externtype ? cn_host_alloc(sizeof *type) : NULL;
    if (type) {
        *type = (wasm_exporttype_t){take_name(name), externtype};
        return type;
    }
    wasm_name_delete(name);
    wasm_externtype_delete(externtype);
    return NULL;
}

void wasm_exporttype_delete(wasm_exporttype_t *type) {
    if (!type)
        return;
    wasm_name_delete(&type->name);
    wasm_externtype_delete(type->type);
    cn_host_free(type);
}

wasm_exporttype_t *wasm_exporttype_copy(const wasm_exporttype_t *type) {
    wasm_name_t name;
    if (!type || !copy_name(&name, &type->name))
        return NULL;
    return wasm_exporttype_new(&name, wasm_externtype_copy(type->type));
}

const wasm_name_t *wasm_exporttype_name(const wasm_exporttype_t *type) {
    return type ? &type->name : NULL;
}

const wasm_externtype_t *wasm_exporttype_type(const wasm_exporttype_t *type) {
    return type ? type->type : NULL;
}
