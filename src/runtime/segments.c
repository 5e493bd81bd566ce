/* Constant expressions; element and data segments, at instantiation and for table.init and memory.init. */
#include "runtime/instance.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "binary/reader.h"
#include "binary/walk.h"
#include "runtime/bulk.h"
#include "runtime/collect.h"
#include "runtime/trap.h"

/* ---- Constant expressions (section 3.3.10) ---- */

static uint64_t read_bytes(const uint8_t **at, unsigned count) {
    *at += count;
    return cn_get_le(*at - count, count);
}

static bool evaluate(wasm_instance_t *instance, enum opcode opcode, const uint8_t **at,
                     uint64_t value[2]) {
    switch (opcode) {
    case OP_i32_const:
        value[0] = (uint32_t)cn_s32_valid(at);
        return true;
    case OP_i64_const:
        value[0] = (uint64_t)cn_s64_valid(at);
        return true;
    case OP_f32_const:
        value[0] = read_bytes(at, 4);
        return true;
    case OP_f64_const:
        value[0] = read_bytes(at, 8);
        return true;
    case OP_v128_const:
        value[0] = read_bytes(at, 8);
        value[1] = read_bytes(at, 8);
        return true;
    case OP_global_get: {
        uint32_t index = cn_u32_valid(at);
        size_t slots = vt_slots(instance->module->globals[index].type.type);
        memcpy(value, instance->globals[index], slots * sizeof *value);
        return true;
    }
    case OP_ref_func: {
        wasm_func_t *func = cn_instance_func(instance, cn_u32_valid(at));
        value[0] = func ? object_slot(&func->ref) : 0;
        return func != NULL;
    }
    case OP_ref_null:
        cn_skip_number(at); /* the heap type */
        return true;
    default:
        CN_ASSERT(!"validate_declarations.c lets no other instruction through");
        return false;
    }
}

/* The value of an instruction of extended constant expressions. */
static uint64_t computed(enum opcode opcode, uint64_t a, uint64_t b) {
    switch (opcode) {
    case OP_i32_add:
        return (uint32_t)(a + b);
    case OP_i32_sub:
        return (uint32_t)(a - b);
    case OP_i32_mul:
        return (uint32_t)(a * b);
    case OP_i64_add:
        return a + b;
    case OP_i64_sub:
        return a - b;
    case OP_i64_mul:
        return a * b;
    default:
        CN_ASSERT(!"each extended instruction has a case");
        return 0;
    }
}

bool cn_const_value(wasm_instance_t *instance, const uint8_t **at, uint64_t value[2]) {
    uint64_t operands[LIMIT_CONSTANT_OPERANDS][2];
    size_t height = 0;
    value[0] = value[1] = 0;
    while (**at != OP_end) {
        enum opcode opcode = cn_opcode_valid(at);
        if (cn_op_info[opcode].flags & OPF_EXTENDED) {
            CN_ASSERT(height >= 2);
            height--;
            operands[height - 1][0] =
                computed(opcode, operands[height - 1][0], operands[height][0]);
            continue;
        }
        CN_ASSERT(height < LIMIT_CONSTANT_OPERANDS);
        uint64_t *operand = operands[height++];
        operand[0] = operand[1] = 0;
        if (!evaluate(instance, opcode, at, operand))
            return false;
    }
    CN_ASSERT(height == 1);
    memcpy(value, operands[0], sizeof operands[0]);
    ++*at;
    return true;
}

static bool in_bounds(uint64_t start, uint64_t count, uint64_t size) {
    return count <= size && start <= size - count;
}

/* ---- Data ---- */

struct span cn_instance_data(const wasm_instance_t *instance, uint32_t data) {
    static const struct span nothing;
    CN_ASSERT(data < instance->module->data_count);
    return instance->dropped_datas[data] ? nothing : instance->module->datas[data].bytes;
}

/* ---- Elements ---- */

/* Reads the item at *at, a function's index or an expression, and moves on. False when memory for a
 * function reference is exhausted. */
static bool read_item(wasm_instance_t *instance, const struct elem_segment *elem,
                      const uint8_t **at, uint64_t *slot) {
    if (elem->exprs) {
        uint64_t value[2];
        bool ok = cn_const_value(instance, at, value);
        *slot = value[0];
        return ok;
    }
    wasm_func_t *func = cn_instance_func(instance, cn_u32_valid(at));
    *slot = func ? object_slot(&func->ref) : 0;
    return func != NULL;
}

/* Reads items up to `end`; *done counts them, and *at is behind them. */
static enum elem_items_result read_items(wasm_instance_t *instance, const struct elem_segment *elem,
                                         uint32_t end, const uint8_t **at, uint32_t *done,
                                         uint64_t *slots) {
    while (*done < end) {
        if (*done % BULK_PIECE_ITEMS == BULK_PIECE_ITEMS - 1 &&
            cn_interrupted(&instance->machine->interrupt))
            return ITEMS_INTERRUPTED;
        if (!read_item(instance, elem, at, &slots[*done]))
            return ITEMS_NO_MEMORY;
        ++*done;
    }
    return ITEMS_OK;
}

/* A passive segment's references, as far as table.init has needed them. */
struct elem_items {
    const uint8_t *at; /* of the next one to read, in the module */
    uint32_t count;    /* read so far */
    uint64_t slots[];
};

static size_t items_bytes(const struct elem_segment *elem) {
    return sizeof(struct elem_items) + elem->count * sizeof(uint64_t);
}

enum elem_items_result cn_instance_elem_items(wasm_instance_t *instance, uint32_t index,
                                              uint32_t end, const uint64_t **slots) {
    CN_ASSERT(index < instance->module->elem_count);
    const struct elem_segment *elem = &instance->module->elems[index];
    CN_ASSERT(end <= elem->count); /* the caller has checked the bounds */
    struct elem_items *items = instance->elem_items[index];
    if (!items) {
        items = cn_alloc(instance->ref.store->alloc, items_bytes(elem));
        if (!items)
            return ITEMS_NO_MEMORY;
        *items = (struct elem_items){.at = instance->module->bytes + elem->items.offset};
        instance->elem_items[index] = items;
        instance->ref.store->block_bytes += items_bytes(elem);
    }
    *slots = items->slots;
    return read_items(instance, elem, end, &items->at, &items->count, items->slots);
}

void cn_elem_items_free(wasm_store_t *store, struct elem_items *items,
                        const struct elem_segment *elem) {
    store->block_bytes -= items_bytes(elem);
    cn_free(store->alloc, items, items_bytes(elem));
}

void cn_elem_items_mark(struct marking *marking, const struct elem_items *items) {
    cn_mark_slots(marking, items->slots, items->count);
}

uint64_t cn_instance_elem_count(const wasm_instance_t *instance, uint32_t elem) {
    CN_ASSERT(elem < instance->module->elem_count);
    return instance->dropped_elems[elem] ? 0 : instance->module->elems[elem].count;
}

/* ---- Active segments ---- */

static bool trap_with(wasm_instance_t *instance, catnap_trap_code_t code, wasm_trap_t **trap) {
    *trap = cn_trap_new(instance->ref.store, code, "%s", cn_trap_text(code));
    return false;
}

/* The value of a segment's offset, which is unsigned. */
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
    const uint8_t *at = instance->module->bytes + elem->items.offset;
    uint32_t done = 0;
    switch (read_items(instance, elem, elem->count, &at, &done, table->elements + to[0])) {
    case ITEMS_NO_MEMORY:
        return trap_with(instance, CATNAP_TRAP_NO_MEMORY, trap);
    case ITEMS_INTERRUPTED:
        return trap_with(instance, CATNAP_TRAP_INTERRUPTED, trap);
    case ITEMS_OK:
        break;
    }
    return true;
}

static bool init_data(wasm_instance_t *instance, const struct data_segment *data,
                      wasm_trap_t **trap) {
    wasm_memory_t *memory = instance->memories[data->memory];
    const uint8_t *bytes = instance->module->bytes + data->bytes.offset;
    uint64_t to[2], length = data->bytes.length;
    if (!segment_offset(instance, &data->offset, to))
        return trap_with(instance, CATNAP_TRAP_NO_MEMORY, trap);
    if (!in_bounds(to[0], length, cn_memory_size(memory)))
        return trap_with(instance, CATNAP_TRAP_MEMORY_OUT_OF_BOUNDS, trap);
    if (cn_bulk_copy(instance->machine, memory->base + to[0], bytes, length, true) < length)
        return trap_with(instance, CATNAP_TRAP_INTERRUPTED, trap);
    return true;
}

/* Before each segment, of which there may be many. */
static bool may_go_on(wasm_instance_t *instance, wasm_trap_t **trap) {
    return !cn_interrupted(&instance->machine->interrupt) ||
           trap_with(instance, CATNAP_TRAP_INTERRUPTED, trap);
}

bool cn_instance_init_elems(wasm_instance_t *instance, wasm_trap_t **trap) {
    const struct module *module = instance->module;
    for (uint32_t i = 0; i < module->elem_count; i++) {
        const struct elem_segment *elem = &module->elems[i];
        if (!may_go_on(instance, trap))
            return false;
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
        if (!may_go_on(instance, trap) || !init_data(instance, &module->datas[i], trap))
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
