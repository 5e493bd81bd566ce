/* Tables: arrays of references that grow within the type's, the implementation's and the store's
 * limits. */
#include "runtime/table.h"

#include "base/assert.h"
#include "runtime/store.h"

#include <inttypes.h>

/* How many elements the store's limit of elements still allows. */
static uint64_t elements_room(const wasm_store_t *store) {
    uint64_t limit = store->limits.table_elements;
    return limit > store->table_elements ? limit - store->table_elements : 0;
}

static void fill(uint64_t *elements, uint64_t count, uint64_t init) {
    for (uint64_t i = 0; i < count; i++)
        elements[i] = init;
}

static bool check_limits(const wasm_store_t *store, uint64_t size, struct error *error) {
    if (size > LIMIT_TABLE_ELEMENTS)
        return cn_fail(error, CATNAP_LIMIT,
                       "needs a table of %" PRIu64 " elements; the limit is %u", size,
                       LIMIT_TABLE_ELEMENTS);
    if (size > elements_room(store))
        return cn_store_refuse_elements(store, size, error);
    if (size > cn_store_room(store) / sizeof(uint64_t))
        return cn_store_refuse_bytes(store, size * sizeof(uint64_t), error);
    return true;
}

wasm_table_t *cn_table_new(wasm_store_t *store, const struct tabletype *type, uint64_t init,
                           struct error *error) {
    uint64_t size = type->limits.min;
    if (!check_limits(store, size, error))
        return NULL;
    wasm_table_t *table = cn_calloc(store->alloc, 1, sizeof *table);
    uint64_t *elements = table ? cn_alloc(store->alloc, size * sizeof *elements) : NULL;
    if (!elements) {
        cn_free(store->alloc, table, sizeof *table);
        cn_fail_memory(error);
        return NULL;
    }
    if (!cn_store_take_elements(store, size)) {
        cn_free(store->alloc, elements, size * sizeof *elements);
        cn_free(store->alloc, table, sizeof *table);
        cn_fail(error, CATNAP_LIMIT,
                "a table of %" PRIu64 " elements exceeds the limit that several stores share",
                size);
        return NULL;
    }
    fill(elements, size, init);
    cn_object_init(&table->ref, OBJECT_TABLE, store);
    cn_valtype_retain(&store->engine->types, type->element); /* it may outlive its module */
    table->elements = elements;
    table->size = table->capacity = size;
    table->type = *type;
    return table;
}

void cn_table_fill(wasm_table_t *table, uint64_t value) {
    fill(table->elements, table->size, value);
}

uint64_t cn_table_room(const wasm_table_t *table) {
    const wasm_store_t *store = table->ref.store;
    uint64_t most = LIMIT_TABLE_ELEMENTS, allowed = elements_room(store);
    uint64_t left = cn_store_budget_left(store), room_left = cn_store_room(store);
    if (left > room_left)
        left = room_left;
    if (allowed > left / sizeof(uint64_t))
        allowed = left / sizeof(uint64_t);
    if (table->type.limits.has_max && table->type.limits.max < most)
        most = table->type.limits.max;
    uint64_t room = most > table->size ? most - table->size : 0;
    return room < allowed ? room : allowed;
}

int64_t cn_table_grow(wasm_table_t *table, uint64_t count, uint64_t init) {
    wasm_store_t *store = table->ref.store;
    uint64_t old = table->size;
    CN_ASSERT(table->size <= table->capacity);
    if (count > cn_table_room(table))
        return -1;
    void *elements = table->elements;
    size_t capacity = table->capacity;
    if (!cn_store_take_elements(store, count))
        return -1;
    if (!cn_grow(store->alloc, &elements, &capacity, old + count, sizeof *table->elements)) {
        cn_store_give_elements(store, count);
        return -1;
    }
    table->elements = elements;
    table->capacity = capacity;
    CN_ASSERT(old + count <= capacity && old + count <= LIMIT_TABLE_ELEMENTS);
    fill(table->elements + old, count, init);
    table->size = old + count;
    CN_ASSERT(table->size <= table->capacity);
    return (int64_t)old;
}
