/* Element and data segments: at instantiation and for table.init and memory.init. */
#include "binary/reader.h"
#include "runtime/objects.h"

#include <string.h>

/* Reads items of an element segment one after another. */
struct item_reader {
    wasm_instance_t *instance;
    const struct elem_segment *elem;
    const uint8_t *at;
};

static struct item_reader first_item(wasm_instance_t *instance, const struct elem_segment *elem) {
    return (struct item_reader){instance, elem, instance->module->bytes + elem->items.offset};
}

/* False when memory for a function reference is exhausted. */
static bool next_item(struct item_reader *reader, uint64_t *slot) {
    if (reader->elem->exprs) {
        uint64_t value[2];
        bool ok = cn_const_value(reader->instance, &reader->at, value);
        *slot = value[0];
        return ok;
    }
    wasm_func_t *func = cn_instance_func(reader->instance, cn_u32_valid(&reader->at));
    *slot = func ? object_slot(&func->ref) : 0;
    return func != NULL;
}

static bool read_items(wasm_instance_t *instance, const struct elem_segment *elem,
                       uint64_t *slots) {
    struct item_reader reader = first_item(instance, elem);
    for (uint32_t i = 0; i < elem->count; i++)
        if (!next_item(&reader, &slots[i]))
            return false;
    return true;
}

static bool in_bounds(uint64_t start, uint64_t count, uint64_t size) {
    return count <= size && start <= size - count;
}

/* The references of a passive segment, read once. NULL when memory is exhausted. */
static const uint64_t *elem_items(wasm_instance_t *instance, uint32_t index) {
    if (instance->elem_items[index])
        return instance->elem_items[index];
    const struct elem_segment *elem = &instance->module->elems[index];
    struct alloc *alloc = instance->ref.store->alloc;
    uint64_t *slots = cn_calloc(alloc, elem->count, sizeof *slots);
    if (!slots)
        return NULL;
    if (!read_items(instance, elem, slots)) {
        cn_free(alloc, slots, elem->count * sizeof *slots);
        return NULL;
    }
    instance->elem_items[index] = slots;
    return slots;
}

enum table_init_result cn_instance_table_init(wasm_instance_t *instance, uint32_t table_index,
                                              uint32_t elem, uint64_t to, uint64_t from,
                                              uint64_t count) {
    wasm_table_t *table = instance->tables[table_index];
    uint64_t size = instance->dropped_elems[elem] ? 0 : instance->module->elems[elem].count;
    if (!in_bounds(from, count, size) || !in_bounds(to, count, table->size))
        return TABLE_INIT_OUT_OF_BOUNDS;
    if (count == 0)
        return TABLE_INIT_OK;
    const uint64_t *items = elem_items(instance, elem);
    if (!items)
        return TABLE_INIT_NO_MEMORY;
    memcpy(table->elements + to, items + from, count * sizeof *items);
    return TABLE_INIT_OK;
}

bool cn_instance_memory_init(wasm_instance_t *instance, uint32_t memory_index, uint32_t data,
                             uint64_t to, uint64_t from, uint64_t count) {
    const wasm_memory_t *memory = instance->memories[memory_index];
    const struct span *bytes = &instance->module->datas[data].bytes;
    uint64_t size = instance->dropped_datas[data] ? 0 : bytes->length;
    if (!in_bounds(from, count, size) || !in_bounds(to, count, memory->size))
        return false;
    if (count > 0)
        memcpy(memory->base + to, instance->module->bytes + bytes->offset + from, count);
    return true;
}

/* ---- Active segments ---- */

static bool trap_with(wasm_instance_t *instance, catnap_trap_code_t code, wasm_trap_t **trap) {
    *trap = cn_trap_new(instance->ref.store, code, "%s", cn_trap_text(code));
    return false;
}

/* The value of a segment's offset; it is an i32 and unsigned. */
static bool segment_offset(wasm_instance_t *instance, const struct const_expr *expr,
                           uint64_t value[2]) {
    const uint8_t *at = instance->module->bytes + expr->span.offset;
    return cn_const_value(instance, &at, value);
}

static bool init_elem(wasm_instance_t *instance, const struct elem_segment *elem,
                      wasm_trap_t **trap) {
    wasm_table_t *table = instance->tables[elem->table];
    uint64_t to[2];
    if (!segment_offset(instance, &elem->offset, to))
        return trap_with(instance, CATNAP_TRAP_NO_MEMORY, trap);
    if (!in_bounds(to[0], elem->count, table->size))
        return trap_with(instance, CATNAP_TRAP_TABLE_OUT_OF_BOUNDS, trap);
    if (!read_items(instance, elem, table->elements + to[0]))
        return trap_with(instance, CATNAP_TRAP_NO_MEMORY, trap);
    return true;
}

static bool init_data(wasm_instance_t *instance, uint32_t index, wasm_trap_t **trap) {
    const struct data_segment *data = &instance->module->datas[index];
    uint64_t to[2];
    if (!segment_offset(instance, &data->offset, to))
        return trap_with(instance, CATNAP_TRAP_NO_MEMORY, trap);
    if (!cn_instance_memory_init(instance, data->memory, index, to[0], 0, data->bytes.length))
        return trap_with(instance, CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS, trap);
    return true;
}

bool cn_instance_init_elems(wasm_instance_t *instance, wasm_trap_t **trap) {
    const struct module *module = instance->module;
    for (uint32_t i = 0; i < module->elem_count; i++) {
        const struct elem_segment *elem = &module->elems[i];
        if (elem->mode == SEGMENT_ACTIVE && !init_elem(instance, elem, trap))
            return false;
        instance->dropped_elems[i] = elem->mode != SEGMENT_PASSIVE;
    }
    return true;
}

static bool init_datas(wasm_instance_t *instance, wasm_trap_t **trap) {
    const struct module *module = instance->module;
    for (uint32_t i = 0; i < module->data_count; i++) {
        if (module->datas[i].mode != SEGMENT_ACTIVE)
            continue;
        if (!init_data(instance, i, trap))
            return false;
        instance->dropped_datas[i] = true;
    }
    return true;
}

bool cn_instance_init_segments(wasm_instance_t *instance, wasm_trap_t **trap) {
    return cn_instance_init_elems(instance, trap) && init_datas(instance, trap);
}

uint64_t cn_instance_data_offset(wasm_instance_t *instance, const struct data_segment *data) {
    uint64_t value[2];
    return segment_offset(instance, &data->offset, value) ? value[0] : 0;
}
