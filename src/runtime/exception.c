/* Tags and exceptions: making them, and the values that an exception carries. */
#include "runtime/exception.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "runtime/store.h"

struct catnap_tag_t *cn_tag_new(wasm_store_t *store, const struct functype *type,
                                struct error *error) {
    struct catnap_tag_t *tag = cn_calloc(store->alloc, 1, sizeof *tag);
    CN_ASSERT(type->result_count == 0);
    if (!tag) {
        cn_fail_memory(error);
        return NULL;
    }
    cn_object_init(&tag->ref, OBJECT_TAG, store);
    cn_types_retain(&store->engine->types, &type->def);
    tag->type = type;
    return tag;
}

/* The number of values is limited as that of parameters is: sizes cannot overflow. */
static size_t bytes_of(const struct functype *type) {
    return sizeof(struct catnap_exception_t) + (size_t)type->param_count * 2 * sizeof(uint64_t);
}

struct catnap_exception_t *cn_exception_new(struct catnap_tag_t *tag, struct error *error) {
    wasm_store_t *store = tag->ref.store;
    size_t bytes = bytes_of(tag->type);
    if (bytes > cn_store_room(store)) {
        cn_store_refuse_bytes(store, bytes, error);
        return NULL;
    }
    struct catnap_exception_t *exception = cn_calloc(store->alloc, 1, bytes);
    if (!exception) {
        cn_fail_memory(error);
        return NULL;
    }
    if (!cn_store_take_memory(store, bytes)) {
        cn_free(store->alloc, exception, bytes);
        cn_fail(error, CATNAP_LIMIT,
                "an exception of %zu bytes exceeds the limit that several stores share", bytes);
        return NULL;
    }
    cn_object_init(&exception->ref, OBJECT_EXCEPTION, store);
    exception->tag = tag;
    exception->bytes = bytes;
    tag->ref.escaped = true;
    return exception;
}

void cn_exception_set(struct catnap_exception_t *exception, const uint64_t *slots) {
    const struct functype *type = exception->tag->type;
    uint64_t *cell = exception->cells;
    for (uint32_t i = 0; i < type->param_count; i++, cell += 2) {
        uint32_t count = vt_slots(ft_params(type)[i]);
        memcpy(cell, slots, count * sizeof *cell);
        slots += count;
    }
}

void cn_exception_get(const struct catnap_exception_t *exception, uint64_t *slots) {
    const struct functype *type = exception->tag->type;
    const uint64_t *cell = exception->cells;
    for (uint32_t i = 0; i < type->param_count; i++, cell += 2) {
        uint32_t count = vt_slots(ft_params(type)[i]);
        memcpy(slots, cell, count * sizeof *cell);
        slots += count;
    }
}
