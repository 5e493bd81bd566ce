/* Defined types of catnap.h: what structures, arrays and functions are. */
#include "api/deftype.h"

/* ---- Handles ---- */

catnap_deftype_t *cn_deftype_give(wasm_engine_t *engine, const struct deftype *type) {
    catnap_deftype_t *handle = cn_alloc(&engine->alloc, sizeof *handle);
    if (!handle)
        return NULL;
    cn_engine_retain(engine);
    cn_types_retain(&engine->types, type);
    *handle = (catnap_deftype_t){engine, type};
    return handle;
}

void catnap_deftype_delete(catnap_deftype_t *handle) {
    if (!handle)
        return;
    wasm_engine_t *engine = handle->engine;
    cn_types_release(&engine->types, handle->type);
    cn_free(&engine->alloc, handle, sizeof *handle);
    wasm_engine_delete(engine);
}

catnap_deftype_t *catnap_deftype_copy(const catnap_deftype_t *handle) {
    return handle ? cn_deftype_give(handle->engine, handle->type) : NULL;
}

catnap_deftype_t *catnap_instance_deftype(const wasm_instance_t *instance, uint32_t index) {
    if (!instance || index >= instance->module->type_count)
        return NULL;
    return cn_deftype_give(instance->ref.store->engine, instance->module->types[index]);
}

catnap_deftype_t *catnap_ref_deftype(const wasm_ref_t *ref) {
    if (!ref)
        return NULL;
    if (ref->kind == OBJECT_FUNC)
        return cn_deftype_give(ref->store->engine, &((const wasm_func_t *)ref)->type->def);
    const struct fieldtypes *type = cn_ref_fieldtypes(ref);
    return type ? cn_deftype_give(ref->store->engine, &type->def) : NULL;
}

/* ---- Facts ---- */

bool catnap_deftype_same(const catnap_deftype_t *a, const catnap_deftype_t *b) {
    return a && b && a->type == b->type;
}

bool catnap_deftype_is_sub(const catnap_deftype_t *a, const catnap_deftype_t *b) {
    return a && b && a->engine == b->engine && dt_is_sub(a->type, b->type);
}

_Static_assert((int)CATNAP_DEFTYPE_FUNC == (int)TYPE_FUNC &&
                   (int)CATNAP_DEFTYPE_STRUCT == (int)TYPE_STRUCT &&
                   (int)CATNAP_DEFTYPE_ARRAY == (int)TYPE_ARRAY,
               "the kinds of types are numbered alike");

catnap_deftype_kind_t catnap_deftype_kind(const catnap_deftype_t *handle) {
    return handle ? handle->type->kind : CATNAP_DEFTYPE_FUNC;
}

bool catnap_deftype_is_final(const catnap_deftype_t *handle) {
    return handle && handle->type->final;
}

catnap_deftype_t *catnap_deftype_supertype(const catnap_deftype_t *handle) {
    if (!handle || handle->type->depth == 0)
        return NULL;
    uint32_t id = handle->type->display[handle->type->depth - 1];
    return cn_deftype_give(handle->engine, cn_types_get(&handle->engine->types, id));
}

wasm_functype_t *catnap_deftype_functype(const catnap_deftype_t *handle) {
    bool is_func = handle && handle->type->kind == TYPE_FUNC;
    return is_func ? cn_functype_describe(dt_func(handle->type)) : NULL;
}

/* ---- Fields ---- */

/* The heap types that are in one hierarchy only, or at the end of one. */
static const struct {
    valtype type;
    catnap_heaptype_t heap;
} heap_types[] = {
    {VT_ANYREF, CATNAP_HEAP_TOP},     {VT_EQREF, CATNAP_HEAP_EQ},
    {VT_I31REF, CATNAP_HEAP_I31},     {VT_STRUCTREF, CATNAP_HEAP_STRUCT},
    {VT_ARRAYREF, CATNAP_HEAP_ARRAY}, {VT_NONEREF, CATNAP_HEAP_BOTTOM},
    {VT_FUNCREF, CATNAP_HEAP_TOP},    {VT_NOFUNCREF, CATNAP_HEAP_BOTTOM},
    {VT_EXTERNREF, CATNAP_HEAP_TOP},  {VT_NOEXTERNREF, CATNAP_HEAP_BOTTOM},
    {VT_EXNREF, CATNAP_HEAP_TOP},     {VT_NOEXNREF, CATNAP_HEAP_BOTTOM},
};
#define HEAP_TYPES (sizeof heap_types / sizeof *heap_types)

static bool describe_ref(wasm_engine_t *engine, valtype type, catnap_fieldtype_t *out) {
    out->nullable = !(type & VT_NON_NULL);
    if (type & VT_DEFINED) {
        out->heap = CATNAP_HEAP_DEFINED;
        out->type = cn_deftype_give(engine, cn_types_get(&engine->types, type & VT_ID));
        return out->type != NULL;
    }
    for (size_t i = 0; i < HEAP_TYPES; i++)
        if (heap_types[i].type == (type & ~VT_NON_NULL))
            out->heap = heap_types[i].heap;
    return true;
}

size_t catnap_deftype_field_count(const catnap_deftype_t *handle) {
    return handle && handle->type->kind != TYPE_FUNC ? handle->type->count : 0;
}

bool catnap_deftype_field(const catnap_deftype_t *handle, size_t index, catnap_fieldtype_t *out) {
    if (!out || index >= catnap_deftype_field_count(handle))
        return false;
    uint32_t field = dt_fields(handle->type)->fields[index];
    valtype type = field_type(field);
    *out = (catnap_fieldtype_t){.kind = type == VT_I8    ? CATNAP_I8
                                        : type == VT_I16 ? CATNAP_I16
                                                         : cn_kind_of_valtype(type),
                                .is_mutable = (field & FIELD_MUTABLE) != 0};
    return !vt_is_ref(type) || describe_ref(handle->engine, type, out);
}

/* ---- New types ---- */

/* The type of references that the description means; VT_BOTTOM: there is none. */
static valtype ref_type(const wasm_engine_t *engine, const catnap_fieldtype_t *field) {
    valtype flags = field->nullable ? 0 : VT_NON_NULL;
    if (field->heap == CATNAP_HEAP_DEFINED) {
        bool good = field->type && field->type->engine == engine;
        valtype type = good ? vt_of(field->type->type, field->nullable) : VT_BOTTOM;
        return good && cn_kind_of_valtype(type) == field->kind ? type : VT_BOTTOM;
    }
    for (size_t i = 0; i < HEAP_TYPES; i++)
        if (heap_types[i].heap == field->heap &&
            cn_kind_of_valtype(heap_types[i].type) == field->kind)
            return heap_types[i].type | flags;
    return VT_BOTTOM;
}

static valtype type_of(const wasm_engine_t *engine, const catnap_fieldtype_t *field) {
    if (field->kind == CATNAP_I8 || field->kind == CATNAP_I16)
        return field->kind == CATNAP_I8 ? VT_I8 : VT_I16;
    return wasm_valkind_is_ref(field->kind) ? ref_type(engine, field)
                                            : cn_valtype_of_kind(field->kind);
}

static bool convert_fields(const wasm_engine_t *engine, const catnap_fieldtype_t *fields,
                           size_t count, uint32_t *parts, struct error *error) {
    for (size_t i = 0; i < count; i++) {
        parts[i] = type_of(engine, &fields[i]);
        if (parts[i] == VT_BOTTOM)
            return cn_fail(error, CATNAP_MISUSE, "field %zu has no type", i);
        if (fields[i].is_mutable)
            parts[i] |= FIELD_MUTABLE;
    }
    return true;
}

static catnap_deftype_t *intern(wasm_engine_t *engine, enum type_kind kind, const uint32_t *parts,
                                size_t count, struct error *error) {
    const struct type_decl decl = {.kind = (uint8_t)kind,
                                   .final = true,
                                   .supertype = NO_SUPERTYPE,
                                   .count = (uint32_t)count,
                                   .parts = parts};
    const struct deftype *type;
    catnap_deftype_t *handle = NULL;
    if (cn_types_intern(&engine->types, &decl, 1, &type)) {
        handle = cn_deftype_give(engine, type);
        cn_types_release(&engine->types, type);
    }
    if (!handle)
        cn_fail_memory(error);
    return handle;
}

static catnap_deftype_t *new_type(wasm_engine_t *engine, enum type_kind kind,
                                  const catnap_fieldtype_t *fields, size_t count,
                                  catnap_error_t **out) {
    struct error error;
    if (out)
        *out = NULL;
    if (!engine || (!fields && count > 0))
        return cn_report_null(NULL, out);
    if (!(engine->config.features & CATNAP_FEATURE_GC))
        return cn_report_new(
            NULL, out, CATNAP_UNSUPPORTED,
            "a structure or array type needs the feature gc, which is switched off");
    if (count > LIMIT_FIELDS)
        return cn_report_new(NULL, out, CATNAP_LIMIT, "a structure has more than %u fields",
                             LIMIT_FIELDS);
    size_t bytes = count * sizeof(uint32_t);
    uint32_t *parts = cn_alloc(&engine->alloc, bytes);
    catnap_deftype_t *handle = NULL;
    if (!parts && count > 0)
        cn_fail_memory(&error);
    else if (convert_fields(engine, fields, count, parts, &error))
        handle = intern(engine, kind, parts, count, &error);
    cn_free(&engine->alloc, parts, bytes);
    return handle ? handle : cn_report(NULL, out, &error);
}

catnap_deftype_t *catnap_deftype_new_struct(wasm_engine_t *engine, const catnap_fieldtype_t *fields,
                                            size_t count, catnap_error_t **error) {
    return new_type(engine, TYPE_STRUCT, fields, count, error);
}

catnap_deftype_t *catnap_deftype_new_array(wasm_engine_t *engine, const catnap_fieldtype_t *element,
                                           catnap_error_t **error) {
    return new_type(engine, TYPE_ARRAY, element, 1, error);
}
