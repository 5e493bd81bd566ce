/* Between the types of wasm.h and those of modules. */
#include "api/api.h"
#include "api/wasm_type.h"

#include <inttypes.h>

/* ---- Value types ---- */

#define VALUE_KINDS(X)                                                                             \
    X(WASM_I32, VT_I32)                                                                            \
    X(WASM_I64, VT_I64)                                                                            \
    X(WASM_F32, VT_F32)                                                                            \
    X(WASM_F64, VT_F64)                                                                            \
    X(WASM_V128, VT_V128)                                                                          \
    X(WASM_FUNCREF, VT_FUNCREF)                                                                    \
    X(WASM_EXTERNREF, VT_EXTERNREF)                                                                \
    X(CATNAP_ANYREF, VT_ANYREF)                                                                    \
    X(CATNAP_EXNREF, VT_EXNREF)

valtype cn_valtype_of_kind(wasm_valkind_t kind) {
    switch (kind) {
#define CASE(kind, type)                                                                           \
    case kind:                                                                                     \
        return type;
        VALUE_KINDS(CASE)
#undef CASE
    default:
        return VT_BOTTOM;
    }
}

/* A reference has the kind of the most general type of its hierarchy: wasm.h has no others. */
wasm_valkind_t cn_kind_of_valtype(valtype type) {
    switch (vt_is_ref(type) ? (valtype)vt_kind(type) : type) {
#define CASE(kind, type)                                                                           \
    case type:                                                                                     \
        return kind;
        VALUE_KINDS(CASE)
#undef CASE
    case VT_NOEXNREF:
        return CATNAP_EXNREF;
    default:
        return WASM_I32;
    }
}

/* ---- From wasm.h ---- */

#define SMALL_TYPE 32

static void convert_types(const wasm_valtype_vec_t *from, valtype *to) {
    for (size_t i = 0; i < from->size; i++)
        to[i] = cn_valtype_of_kind(wasm_valtype_kind(from->data[i]));
}

const struct functype *cn_functype_intern(wasm_engine_t *engine, const wasm_functype_t *from,
                                          struct error *error) {
    size_t params = from->params.size, results = from->results.size;
    if (params > LIMIT_PARAMS || results > LIMIT_RESULTS) {
        cn_fail(error, CATNAP_LIMIT, "a function type has more than %u parameters or %u results",
                LIMIT_PARAMS, LIMIT_RESULTS);
        return NULL;
    }
    valtype small[SMALL_TYPE], *types = small;
    size_t bytes = (params + results) * sizeof *types;
    if (params + results > SMALL_TYPE)
        types = cn_alloc(&engine->alloc, bytes);
    const struct functype *type = NULL;
    if (types) {
        convert_types(&from->params, types);
        convert_types(&from->results, types + params);
        type = cn_types_intern_func(&engine->types, types, (uint32_t)params, (uint32_t)results);
    }
    if (types != small)
        cn_free(&engine->alloc, types, bytes);
    if (!type)
        cn_fail_memory(error);
    return type;
}

static bool convert_limits(const catnap_type_limits_t *from, struct limits *to,
                           struct error *error) {
    *to = (struct limits){
        .min = from->min, .max = from->max, .has_max = from->has_max, .is_64 = from->is_64};
    if (to->has_max && to->max < to->min)
        return cn_fail(error, CATNAP_INVALID,
                       "the minimum %" PRIu64 " is greater than the maximum %" PRIu64, to->min,
                       to->max);
    return true;
}

static bool exceed(const struct limits *limits, uint64_t most) {
    return limits->min > most || (limits->has_max && limits->max > most);
}

bool cn_globaltype_of(const wasm_globaltype_t *from, struct globaltype *to, struct error *error) {
    to->type = cn_valtype_of_kind(wasm_valtype_kind(from->content));
    to->is_mutable = from->mutability == WASM_VAR;
    if (from->mutability != WASM_VAR && from->mutability != WASM_CONST)
        return cn_fail(error, CATNAP_INVALID, "unknown mutability %u", from->mutability);
    return true;
}

bool cn_tabletype_of(const wasm_tabletype_t *from, struct tabletype *to, struct error *error) {
    to->element = cn_valtype_of_kind(wasm_valtype_kind(from->element));
    if (!vt_is_ref(to->element))
        return cn_fail(error, CATNAP_INVALID, "a table's elements are references, not %s",
                       cn_valtype_name(to->element));
    if (!convert_limits(&from->limits.all, &to->limits, error))
        return false;
    return to->limits.is_64 || !exceed(&to->limits, UINT32_MAX) ||
           cn_fail(error, CATNAP_INVALID, "a table with i32 indices has at most %u elements",
                   UINT32_MAX);
}

bool cn_memorytype_of(const wasm_memorytype_t *from, struct memorytype *to, struct error *error) {
    to->is_shared = from->shared;
    to->byte_pages = from->byte_pages;
    if (!convert_limits(&from->limits.all, &to->limits, error))
        return false;
    uint64_t most = cn_most_pages(to);
    return !exceed(&to->limits, most) ||
           cn_fail(error, CATNAP_INVALID, "a memory has at most %" PRIu64 " pages", most);
}

/* ---- To wasm.h ---- */

static bool describe_types(const valtype *types, uint32_t count, wasm_valtype_vec_t *out) {
    wasm_valtype_vec_new_uninitialized(out, count);
    for (size_t i = 0; i < out->size; i++)
        out->data[i] = wasm_valtype_new(cn_kind_of_valtype(types[i]));
    return out->size == count;
}

wasm_functype_t *cn_functype_describe(const struct functype *type) {
    wasm_valtype_vec_t params, results = WASM_EMPTY_VEC;
    if (describe_types(ft_params(type), type->param_count, &params) &&
        describe_types(ft_results(type), type->result_count, &results))
        return wasm_functype_new(&params, &results);
    wasm_valtype_vec_delete(&params);
    wasm_valtype_vec_delete(&results);
    return NULL;
}

wasm_globaltype_t *cn_globaltype_describe(const struct globaltype *type) {
    return wasm_globaltype_new(wasm_valtype_new(cn_kind_of_valtype(type->type)),
                               type->is_mutable ? WASM_VAR : WASM_CONST);
}

static catnap_type_limits_t describe_limits(const struct limits *limits) {
    return (catnap_type_limits_t){limits->min, limits->has_max ? limits->max : 0, limits->has_max,
                                  limits->is_64};
}

wasm_tabletype_t *cn_tabletype_describe(const struct tabletype *type) {
    catnap_type_limits_t limits = describe_limits(&type->limits);
    return catnap_tabletype_new(wasm_valtype_new(cn_kind_of_valtype(type->element)), &limits);
}

wasm_memorytype_t *cn_memorytype_describe(const struct memorytype *type) {
    catnap_type_limits_t limits = describe_limits(&type->limits);
    wasm_memorytype_t *described = catnap_memorytype_new(&limits);
    if (described) {
        described->shared = type->is_shared;
        described->byte_pages = type->byte_pages;
    }
    return described;
}

wasm_tagtype_t *cn_tagtype_describe(const struct functype *type) {
    return wasm_tagtype_new(cn_functype_describe(type));
}

wasm_externtype_t *cn_externtype_describe(const struct module *module, enum extern_kind kind,
                                          uint32_t index) {
    switch (kind) {
    case EXTERN_FUNC:
        return wasm_functype_as_externtype(cn_functype_describe(module_func_type(module, index)));
    case EXTERN_TABLE:
        return wasm_tabletype_as_externtype(cn_tabletype_describe(&module->tables[index]));
    case EXTERN_MEMORY:
        return wasm_memorytype_as_externtype(cn_memorytype_describe(&module->memories[index]));
    case EXTERN_GLOBAL:
        return wasm_globaltype_as_externtype(cn_globaltype_describe(&module->globals[index].type));
    case EXTERN_TAG:
        return wasm_tagtype_as_externtype(cn_tagtype_describe(module_tag_type(module, index)));
    }
    return NULL;
}

wasm_externtype_t *cn_object_type(const struct wasm_ref_t *ref) {
    switch (ref->kind) {
    case OBJECT_FUNC:
        return wasm_functype_as_externtype(cn_functype_describe(((const wasm_func_t *)ref)->type));
    case OBJECT_GLOBAL:
        return wasm_globaltype_as_externtype(
            cn_globaltype_describe(&((const wasm_global_t *)ref)->type));
    case OBJECT_TABLE: {
        struct tabletype type = ((const wasm_table_t *)ref)->type;
        type.limits.min = ((const wasm_table_t *)ref)->size;
        return wasm_tabletype_as_externtype(cn_tabletype_describe(&type));
    }
    case OBJECT_MEMORY: {
        struct memorytype type = ((const wasm_memory_t *)ref)->type;
        type.limits.min = cn_memory_pages((wasm_memory_t *)(uintptr_t)ref);
        return wasm_memorytype_as_externtype(cn_memorytype_describe(&type));
    }
    case OBJECT_TAG:
        return wasm_tagtype_as_externtype(
            cn_tagtype_describe(((const struct catnap_tag_t *)ref)->type));
    default:
        return NULL;
    }
}
