/* Tags and exceptions of catnap.h. */
#include "api/api.h"
#include "api/wasm_type.h"

/* ---- Tags ---- */

static struct catnap_tag_t *make_tag(wasm_store_t *store, const wasm_functype_t *described,
                                     struct error *error) {
    const struct functype *type = cn_functype_intern(store->engine, described, error);
    struct catnap_tag_t *tag = NULL;
    if (type) {
        if (type->result_count > 0)
            cn_fail(error, CATNAP_INVALID, "a tag's type has no results");
        else
            tag = cn_tag_new(store, type, error);
        cn_types_release(&store->engine->types, &type->def);
    }
    if (tag)
        cn_object_retain(&tag->ref);
    return tag;
}

catnap_tag_t *catnap_tag_new(wasm_store_t *store, const wasm_tagtype_t *described,
                             catnap_error_t **out) {
    struct error error;
    if (out)
        *out = NULL;
    if (!store || !described)
        return cn_report_null(store, out);
    if (!cn_store_enter_to_make(store))
        return cn_report_misuse(out);
    struct catnap_tag_t *tag = make_tag(store, described->content, &error);
    cn_store_leave(store);
    return tag ? tag : cn_report(store, out, &error);
}

void catnap_tag_delete(catnap_tag_t *tag) {
    if (tag)
        cn_object_drop(&tag->ref);
}

catnap_tag_t *catnap_tag_copy(const catnap_tag_t *tag) {
    catnap_tag_t *copy = (catnap_tag_t *)(uintptr_t)tag;
    if (copy)
        cn_object_retain(&copy->ref);
    return copy;
}

wasm_tagtype_t *catnap_tag_type(const catnap_tag_t *tag) {
    return tag ? wasm_externtype_as_tagtype(cn_object_type(&tag->ref)) : NULL;
}

wasm_extern_t *catnap_tag_as_extern(catnap_tag_t *tag) {
    return (wasm_extern_t *)tag;
}

catnap_tag_t *catnap_extern_as_tag(wasm_extern_t *object) {
    struct wasm_ref_t *ref = (struct wasm_ref_t *)object;
    return ref && ref->kind == OBJECT_TAG ? (catnap_tag_t *)ref : NULL;
}

/* ---- Exceptions ---- */

/* With a handle, and its values set. */
static struct catnap_exception_t *make_exception(struct catnap_tag_t *tag, struct values values,
                                                 struct error *error) {
    const struct functype *type = tag->type;
    wasm_store_t *store = tag->ref.store;
    size_t bad, bytes = type->param_slots * sizeof(uint64_t);
    uint64_t *slots = cn_alloc(store->alloc, bytes);
    if (!slots) {
        cn_fail_memory(error);
        return NULL;
    }
    struct catnap_exception_t *exception = NULL;
    const char *wrong = cn_values_to_slots(store, values, ft_params(type), slots, &bad);
    if (wrong)
        cn_fail(error, cn_value_status(wrong), "value %zu %s: the tag's type has %s there", bad,
                wrong, cn_valtype_name(ft_params(type)[bad]));
    else
        exception = cn_exception_new(tag, error);
    if (exception) {
        cn_exception_set(exception, slots);
        cn_object_retain(&exception->ref);
    }
    cn_free(store->alloc, slots, bytes);
    return exception;
}

catnap_exception_t *catnap_exception_new(const catnap_tag_t *borrowed, const catnap_val_t *values,
                                         size_t count, catnap_error_t **out) {
    struct catnap_tag_t *tag = (struct catnap_tag_t *)(uintptr_t)borrowed;
    struct error error;
    if (out)
        *out = NULL;
    if (!tag || (!values && count > 0))
        return cn_report_null(tag ? tag->ref.store : NULL, out);
    wasm_store_t *store = tag->ref.store;
    if (count != tag->type->param_count)
        return cn_report_new(store, out, CATNAP_MISUSE,
                             "%zu values for a tag whose exceptions carry %u", count,
                             tag->type->param_count);
    if (!cn_store_enter_to_make(store))
        return cn_report_misuse(out);
    struct catnap_exception_t *exception = make_exception(tag, wide_values(values, count), &error);
    cn_store_leave(store);
    return exception ? exception : cn_report(store, out, &error);
}

void catnap_exception_delete(catnap_exception_t *exception) {
    if (exception)
        cn_object_drop(&exception->ref);
}

catnap_tag_t *catnap_exception_tag(const catnap_exception_t *exception) {
    return exception ? catnap_tag_copy(exception->tag) : NULL;
}

size_t catnap_exception_values(const catnap_exception_t *exception, catnap_val_t *out,
                               size_t capacity) {
    if (!exception)
        return 0;
    const struct functype *type = exception->tag->type;
    for (size_t i = 0; i < type->param_count && i < capacity; i++) {
        cn_values_give(exception->ref.store, wide_values(&out[i], 1), &ft_params(type)[i],
                       &exception->cells[2 * i]);
    }
    return type->param_count;
}

wasm_ref_t *catnap_exception_as_ref(catnap_exception_t *exception) {
    return (wasm_ref_t *)exception;
}

catnap_exception_t *catnap_ref_as_exception(wasm_ref_t *ref) {
    return ref && ref->kind == OBJECT_EXCEPTION ? (catnap_exception_t *)ref : NULL;
}

/* ---- Traps that carry one ---- */

wasm_trap_t *catnap_trap_new_exception(const catnap_exception_t *exception) {
    if (!exception)
        return cn_trap_null_argument();
    wasm_store_t *store = exception->ref.store;
    if (!cn_store_enter(store))
        return store->misuse_trap;
    wasm_trap_t *trap =
        cn_trap_new_exception((struct catnap_exception_t *)(uintptr_t)exception, NULL);
    cn_store_leave(store);
    return trap;
}

catnap_exception_t *catnap_trap_exception(const wasm_trap_t *trap) {
    struct catnap_exception_t *exception = trap ? trap->exception : NULL;
    if (exception)
        cn_object_retain(&exception->ref);
    return exception;
}
