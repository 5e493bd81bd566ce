/* Constant expressions; element and data segments, at instantiation and for table.init and memory.init. */
#include "runtime/instance.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "binary/reader.h"
#include "binary/walk.h"
#include "runtime/bulk.h"
#include "runtime/collect.h"
#include "runtime/gc.h"
#include "runtime/trap.h"

/* ---- Constant expressions (section 3.3.10) ---- */

static uint64_t read_bytes(const uint8_t **at, unsigned count) {
    *at += count;
    return cn_get_le(*at - count, count);
}

/* An expression that is evaluated: its operands, each in two slots. */
struct evaluation {
    wasm_instance_t *instance;
    uint32_t height;
    uint64_t operands[LIMIT_CONSTANT_OPERANDS][2];
};

static uint64_t *push(struct evaluation *e) {
    CN_ASSERT(e->height < LIMIT_CONSTANT_OPERANDS);
    uint64_t *operand = e->operands[e->height++];
    operand[0] = operand[1] = 0;
    return operand;
}

static uint64_t *pop(struct evaluation *e, uint32_t count) {
    CN_ASSERT(e->height >= count);
    e->height -= count;
    return e->operands[e->height];
}

static uint64_t *top(struct evaluation *e) {
    CN_ASSERT(e->height > 0);
    return e->operands[e->height - 1];
}

/* A new object; its operands are roots until it is there. False when memory is exhausted. */
static bool make_object(struct evaluation *e, enum opcode opcode, const uint8_t **at) {
    wasm_instance_t *instance = e->instance;
    uint32_t type = cn_u32_valid(at), object = 0, count = 0;
    const uint64_t *operands = e->operands[e->height];
    switch (opcode) {
    case OP_struct_new:
        count = instance->module->types[type]->count;
        object = cn_gc_new_struct(instance, type, operands - (size_t)count * 2, 2);
        break;
    case OP_struct_new_default:
        object = cn_gc_new_struct(instance, type, NULL, 0);
        break;
    case OP_array_new:
        count = 2;
        object = cn_gc_new_array(instance, type, operands - 4, (uint32_t)operands[-2]);
        break;
    case OP_array_new_default:
        count = 1;
        object = cn_gc_new_array(instance, type, NULL, (uint32_t)operands[-2]);
        break;
    default:
        CN_ASSERT(opcode == OP_array_new_fixed);
        count = cn_u32_valid(at);
        object = cn_gc_new_fixed(instance, type, operands - (size_t)count * 2, 2, count);
        break;
    }
    pop(e, count);
    push(e)[0] = object;
    return object != 0;
}

/* An instruction on references. */
static bool evaluate_reference(struct evaluation *e, enum opcode opcode, const uint8_t **at) {
    wasm_store_t *store = e->instance->ref.store;
    uint64_t *operand;
    switch (opcode) {
    case OP_ref_func: {
        wasm_func_t *func = cn_instance_func(e->instance, cn_u32_valid(at));
        push(e)[0] = func ? object_slot(&func->ref) : 0;
        return func != NULL;
    }
    case OP_ref_null:
        cn_skip_number(at); /* the heap type */
        push(e);
        return true;
    case OP_ref_i31:
        operand = top(e);
        operand[0] = heap_i31((uint32_t)operand[0]);
        return true;
    case OP_any_convert_extern:
        operand = top(e);
        return cn_gc_internalize(store, operand[0], operand);
    case OP_extern_convert_any:
        operand = top(e);
        operand[0] = cn_gc_externalize(store->machine.heap, operand[0]);
        return true;
    default:
        return make_object(e, opcode, at);
    }
}

static bool evaluate(struct evaluation *e, enum opcode opcode, const uint8_t **at) {
    uint64_t *value;
    switch (opcode) {
    case OP_i32_const:
        push(e)[0] = (uint32_t)cn_s32_valid(at);
        return true;
    case OP_i64_const:
        push(e)[0] = (uint64_t)cn_s64_valid(at);
        return true;
    case OP_f32_const:
        push(e)[0] = read_bytes(at, 4);
        return true;
    case OP_f64_const:
        push(e)[0] = read_bytes(at, 8);
        return true;
    case OP_v128_const:
        value = push(e);
        value[0] = read_bytes(at, 8);
        value[1] = read_bytes(at, 8);
        return true;
    case OP_global_get: {
        uint32_t index = cn_u32_valid(at);
        size_t slots = vt_slots(e->instance->module->globals[index].type.type);
        memcpy(push(e), e->instance->globals[index], slots * sizeof *value);
        return true;
    }
    default:
        return evaluate_reference(e, opcode, at);
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

static bool evaluate_all(struct evaluation *e, const uint8_t **at) {
    while (**at != OP_end) {
        enum opcode opcode = cn_opcode_valid(at);
        if (cn_op_info[opcode].flags & OPF_EXTENDED) {
            uint64_t b = pop(e, 1)[0], *a = top(e);
            a[0] = computed(opcode, a[0], b);
        } else if (!evaluate(e, opcode, at)) {
            return false;
        }
    }
    return true;
}

bool cn_const_value(wasm_instance_t *instance, const uint8_t **at, uint64_t value[2]) {
    wasm_store_t *store = instance->ref.store;
    struct evaluation e; /* whose operands are written before they are read */
    e.instance = instance;
    e.height = 0;
    struct gc_temporaries temporaries = {e.operands[0], &e.height, 2, store->temporaries};
    store->temporaries = &temporaries;
    bool good = evaluate_all(&e, at);
    store->temporaries = temporaries.outer;
    value[0] = value[1] = 0;
    if (!good)
        return false;
    CN_ASSERT(e.height == 1);
    memcpy(value, e.operands[0], sizeof e.operands[0]);
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

/* The items of a segment that nothing was read of yet; NULL when memory is exhausted. */
static struct elem_items *make_items(wasm_instance_t *instance, uint32_t index) {
    const struct elem_segment *elem = &instance->module->elems[index];
    struct elem_items *items = cn_alloc(instance->ref.store->alloc, items_bytes(elem));
    if (!items)
        return NULL;
    *items = (struct elem_items){.at = instance->module->bytes + elem->items.offset};
    instance->elem_items[index] = items;
    instance->ref.store->block_bytes += items_bytes(elem);
    return items;
}

enum elem_items_result cn_instance_elem_items(wasm_instance_t *instance, uint32_t index,
                                              uint32_t end, const uint64_t **slots) {
    CN_ASSERT(index < instance->module->elem_count);
    const struct elem_segment *elem = &instance->module->elems[index];
    CN_ASSERT(end <= elem->count); /* the caller has checked the bounds */
    struct elem_items *items = instance->elem_items[index];
    if (!items && !(items = make_items(instance, index)))
        return ITEMS_NO_MEMORY;
    *slots = items->slots;
    return read_items(instance, elem, end, &items->at, &items->count, items->slots);
}

static void skip_item(const struct elem_segment *elem, const uint8_t **at) {
    if (!elem->exprs) {
        cn_skip_number(at);
        return;
    }
    for (enum opcode opcode = cn_opcode_valid(at); opcode != OP_end; opcode = cn_opcode_valid(at))
        cn_skip_immediates(at, opcode);
}

uint64_t *cn_elem_items_restore(wasm_instance_t *instance, uint32_t index, uint32_t count) {
    const struct elem_segment *elem = &instance->module->elems[index];
    CN_ASSERT(count <= elem->count && !instance->elem_items[index]);
    struct elem_items *items = make_items(instance, index);
    if (!items)
        return NULL;
    for (; items->count < count; items->count++) {
        skip_item(elem, &items->at);
        items->slots[items->count] = 0;
    }
    return items->slots;
}

void cn_elem_items_free(wasm_store_t *store, struct elem_items *items,
                        const struct elem_segment *elem) {
    store->block_bytes -= items_bytes(elem);
    cn_free(store->alloc, items, items_bytes(elem));
}

uint32_t cn_elem_items_read(const struct elem_items *items, const uint64_t **slots) {
    *slots = items ? items->slots : NULL;
    return items ? items->count : 0;
}

uint32_t cn_instance_object_elems(const struct wasm_ref_t *ref) {
    if (ref->kind != OBJECT_INSTANCE)
        return 0;
    const struct module *module = ((const wasm_instance_t *)ref)->module;
    return module->features & CATNAP_FEATURE_GC ? module->elem_count : 0;
}

static const uint8_t *start_of(const wasm_instance_t *instance, uint32_t elem) {
    return instance->module->bytes + instance->module->elems[elem].items.offset;
}

void cn_elem_positions(const wasm_instance_t *instance, struct elem_position *positions) {
    for (uint32_t i = 0; i < instance->module->elem_count; i++) {
        const struct elem_items *items = instance->elem_items[i];
        positions[i].at = items ? items->at : start_of(instance, i);
        positions[i].count = items ? items->count : 0;
    }
}

void cn_elem_return(const wasm_instance_t *instance, const struct elem_position *positions) {
    for (uint32_t i = 0; i < instance->module->elem_count; i++) {
        struct elem_items *items = instance->elem_items[i];
        if (!items)
            continue;
        CN_ASSERT(positions[i].count <= instance->module->elems[i].count);
        items->at = positions[i].at;
        items->count = (uint32_t)positions[i].count;
    }
}

static void forget_items(const wasm_instance_t *instance, uint32_t index) {
    struct elem_items *items = instance->elem_items[index];
    if (!items)
        return;
    items->at = start_of(instance, index);
    items->count = 0;
}

void cn_elem_forget(const wasm_instance_t *instance) {
    for (uint32_t i = 0; i < instance->module->elem_count; i++)
        forget_items(instance, i);
}

/* A rollback may bring the segment back, with what was read: the slots stay as they are. */
void cn_elem_drop(const wasm_instance_t *instance, uint32_t index) {
    instance->dropped_elems[index] = true;
    forget_items(instance, index);
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
