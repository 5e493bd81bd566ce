/* Values as constant expressions. */
#include "persist/module.h"

#include <stdlib.h>

#include "binary/opcodes.h"
#include "runtime/gc.h"
#include "types/subtype.h"

/* ---- References ---- */

static int compare_places(const void *left, const void *right) {
    const struct place *a = left, *b = right;
    if (a->slot != b->slot)
        return a->slot < b->slot ? -1 : 1;
    if (a->way != b->way) /* functions first: they need no import to be constant */
        return a->way < b->way ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

bool cn_list_places(struct conversion *c) {
    const struct module *module = c->module;
    const wasm_instance_t *instance = c->instance;
    c->places = cn_arena_calloc(&c->arena, module->import_count, sizeof *c->places);
    if (!c->places)
        return cn_fail_memory(c->error);
    for (uint32_t i = 0; i < module->imported_func_count; i++)
        c->places[c->place_count++] =
            (struct place){object_slot(&instance->funcs[i]->ref),
                           vt_of(&module_func_type(module, i)->def, false), PLACE_FUNC, i};
    for (uint32_t i = 0; i < module->imported_global_count; i++)
        if (vt_is_ref(module->globals[i].type.type) && instance->globals[i][0])
            c->places[c->place_count++] = (struct place){
                instance->globals[i][0], module->globals[i].type.type, PLACE_GLOBAL, i};
    if (c->place_count > 1)
        qsort(c->places, c->place_count, sizeof *c->places, compare_places);
    return true;
}

/* The first entry with this slot or a greater one. */
static size_t search(const struct conversion *c, uint64_t slot) {
    size_t low = 0, high = c->place_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->places[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Only what is a value of the heap, which may have been converted. */
static bool find_i31(uint64_t slot, valtype type, struct place *out) {
    uint32_t handle = 0;
    if (vt_kind(type) == KIND_ANY)
        handle = (uint32_t)slot;
    else if (vt_kind(type) == KIND_EXTERN && heap_slot_is_converted(slot))
        handle = heap_converted(slot);
    *out = (struct place){slot, type, PLACE_I31, handle};
    return heap_is_i31(handle);
}

static bool find_function(const struct conversion *c, uint64_t slot, valtype type,
                          struct place *out) {
    const wasm_func_t *func =
        vt_kind(type) == KIND_FUNC ? (const wasm_func_t *)slot_object(slot) : NULL;
    if (!func || func->ref.kind != OBJECT_FUNC || func->instance != c->instance)
        return false;
    *out = (struct place){slot, type, PLACE_FUNC, func->index};
    return true;
}

bool cn_find_place(const struct conversion *c, uint64_t slot, valtype type, struct place *out) {
    if (find_function(c, slot, type, out) || find_i31(slot, type, out))
        return true;
    for (size_t i = search(c, slot); i < c->place_count && c->places[i].slot == slot; i++)
        if (cn_valtype_matches(c->module->registry, c->places[i].type & ~VT_NON_NULL,
                               type & ~VT_NON_NULL)) {
            *out = c->places[i];
            return true;
        }
    return false;
}

static void write_i31(struct conversion *c, const struct place *place) {
    cn_encode_opcode(&c->out, OP_i32_const);
    cn_encode_s64(&c->out, (int32_t)place->index >> 1);
    cn_encode_opcode(&c->out, OP_ref_i31);
    if (vt_kind(place->type) == KIND_EXTERN)
        cn_encode_opcode(&c->out, OP_extern_convert_any);
}

void cn_write_place(struct conversion *c, const struct place *place) {
    if (place->way == PLACE_I31) {
        write_i31(c, place);
        return;
    }
    cn_encode_opcode(&c->out, place->way == PLACE_GLOBAL ? OP_global_get : OP_ref_func);
    cn_encode_u32(&c->out, place->index);
    if (place->way == PLACE_FUNC)
        set_bit(c->declared, place->index);
}

const char *cn_refused_object(uint64_t slot, valtype type) {
    bool value =
        vt_kind(type) == KIND_ANY || (vt_kind(type) == KIND_EXTERN && heap_slot_is_converted(slot));
    return value ? "a structure, an array or another object of the heap"
                 : "an exception or an object of the host or of another instance";
}

/* ---- Types ---- */

static int compare_types(const void *left, const void *right) {
    const struct type_index *a = left, *b = right;
    return a->id != b->id ? (a->id < b->id ? -1 : 1)
                          : (a->index > b->index) - (a->index < b->index);
}

bool cn_list_types(struct conversion *c) {
    uint32_t count = c->module->type_count;
    c->types = cn_arena_calloc(&c->arena, count, sizeof *c->types);
    if (!c->types)
        return cn_fail_memory(c->error);
    for (uint32_t i = 0; i < count; i++)
        c->types[i] = (struct type_index){c->module->types[i]->id, i};
    if (count > 1)
        qsort(c->types, count, sizeof *c->types, compare_types);
    return true;
}

/* The module's own index of a type. */
static uint32_t type_index(const struct conversion *c, uint32_t id) {
    size_t low = 0, high = c->module->type_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (c->types[middle].id <= id)
            low = middle;
        else
            high = middle;
    }
    CN_ASSERT(c->types[low].id == id);
    return c->types[low].index;
}

static void write_heaptype(struct conversion *c, valtype type) {
    if (type & VT_DEFINED)
        cn_encode_s64(&c->out, type_index(c, type & VT_ID));
    else
        cn_encode_byte(&c->out, (uint8_t)(type & VT_CODE));
}

void cn_write_valtype(struct conversion *c, valtype type) {
    if (type & (VT_DEFINED | VT_NON_NULL))
        cn_encode_byte(&c->out, type & VT_NON_NULL ? CODE_REF : CODE_REF_NULL);
    write_heaptype(c, type);
}

void cn_write_null(struct conversion *c, valtype type) {
    cn_encode_opcode(&c->out, OP_ref_null);
    write_heaptype(c, type);
}

/* ---- Values ---- */

static bool write_reference(struct conversion *c, valtype type, uint64_t slot, const char *what,
                            uint32_t index) {
    struct place place;
    if (slot == 0) {
        cn_write_null(c, type);
        return true;
    }
    if (!cn_find_place(c, slot, type, &place))
        return cn_fail(c->error, CATNAP_UNSUPPORTED,
                       "%s %u refers to %s, which a module cannot contain", what, index,
                       cn_refused_object(slot, type));
    cn_write_place(c, &place);
    return true;
}

bool cn_write_value(struct conversion *c, valtype type, const uint64_t *cell, const char *what,
                    uint32_t index) {
    struct encoder *out = &c->out;
    bool ok = true;
    switch (type) {
    case VT_I32:
        cn_encode_opcode(out, OP_i32_const);
        cn_encode_s64(out, (int32_t)cell[0]);
        break;
    case VT_I64:
        cn_encode_opcode(out, OP_i64_const);
        cn_encode_s64(out, (int64_t)cell[0]);
        break;
    case VT_F32:
        cn_encode_opcode(out, OP_f32_const);
        cn_encode_fixed(out, cell[0], 4);
        break;
    case VT_F64:
        cn_encode_opcode(out, OP_f64_const);
        cn_encode_fixed(out, cell[0], 8);
        break;
    case VT_V128:
        cn_encode_opcode(out, OP_v128_const);
        cn_encode_fixed(out, cell[0], 8);
        cn_encode_fixed(out, cell[1], 8);
        break;
    default:
        ok = write_reference(c, type, cell[0], what, index);
        break;
    }
    cn_encode_opcode(out, OP_end);
    return ok;
}
