#include "heap/layout.h"

static const uint8_t log2_of_storage[] = {
    [STORE_8] = 0,   [STORE_16] = 1,     [STORE_32] = 2,   [STORE_64] = 3,
    [STORE_128] = 4, [STORE_HANDLE] = 2, [STORE_SIDE] = 2,
};

uint32_t cn_storage_log2(enum heap_storage storage) {
    return log2_of_storage[storage];
}

static enum heap_storage storage_of_value(valtype type) {
    switch (vt_kind(type)) {
    case KIND_I32:
    case KIND_F32:
        return STORE_32;
    case KIND_I64:
    case KIND_F64:
        return STORE_64;
    case KIND_V128:
        return STORE_128;
    case KIND_ANY:
        return STORE_HANDLE;
    case KIND_FUNC:
    case KIND_EXTERN:
    case KIND_EXN:
        return STORE_SIDE;
    case KIND_NONE:
        break;
    }
    CN_ASSERT(false);
    return STORE_64;
}

enum heap_storage cn_storage_of(uint32_t field) {
    field &= ~FIELD_MUTABLE;
    if (field == VT_I8)
        return STORE_8;
    return field == VT_I16 ? STORE_16 : storage_of_value(field);
}

uint32_t cn_layout_struct(const struct fieldtypes *type, struct heap_field *fields) {
    for (uint32_t i = 0; fields && i < type->def.count; i++)
        fields[i] = (struct heap_field){dt_offsets(type)[i], type->fields[i]};
    return type->size;
}
