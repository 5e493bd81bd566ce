/* Constant expressions (section 3.3.10), evaluated when a module is instantiated. */
#include "base/assert.h"
#include "base/bytes.h"
#include "binary/walk.h"
#include "runtime/instance.h"

#include <string.h>

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
        cn_valtype_valid(at);
        return true;
    default:
        CN_ASSERT(!"validate_declarations.c lets no other instruction through");
        return false;
    }
}

bool cn_const_value(wasm_instance_t *instance, const uint8_t **at, uint64_t value[2]) {
    value[0] = value[1] = 0;
    while (**at != OP_end) {
        enum opcode opcode = cn_opcode_valid(at);
        if (!evaluate(instance, opcode, at, value))
            return false;
    }
    ++*at;
    return true;
}
