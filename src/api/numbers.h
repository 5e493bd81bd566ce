/*
 * Values and slots where all are numbers, which nearly every call is: without looking kinds up,
 * without references to hold. The stride is a constant where these are used.
 */
#ifndef CN_API_NUMBERS_H
#define CN_API_NUMBERS_H

#include "api/api.h"
#include "base/likely.h"

/* Kinds count up as the types' codes count down. */
#define KIND_OF_NUMBER(type) ((wasm_valkind_t)(VT_I32 - (type)))
_Static_assert(KIND_OF_NUMBER(VT_I32) == WASM_I32 && KIND_OF_NUMBER(VT_I64) == WASM_I64 &&
                   KIND_OF_NUMBER(VT_F32) == WASM_F32 && KIND_OF_NUMBER(VT_F64) == WASM_F64,
               "kinds of numbers");

#define CN_INLINE static inline __attribute__((always_inline))

/* False when an element is of another kind. A narrow value is loaded as it was stored: a load that is
 * wider than the store before it waits. */
CN_INLINE bool numbers_to_slots(const void *data, size_t stride, const valtype *types,
                                uint32_t count, uint64_t *slots) {
    const uint8_t *element = data;
    for (uint32_t i = 0; i < count; i++, element += stride) {
        wasm_valkind_t kind = KIND_OF_NUMBER(types[i]);
        if (*element != kind)
            return false;
        if (kind == WASM_I64 || kind == WASM_F64) {
            memcpy(&slots[i], element + offsetof(wasm_val_t, of), sizeof slots[i]);
        } else {
            uint32_t low;
            memcpy(&low, element + offsetof(wasm_val_t, of), sizeof low);
            slots[i] = low;
        }
    }
    return true;
}

/* Writes every byte of an element. */
CN_INLINE void set_number(uint8_t *element, size_t stride, valtype type, uint64_t slot) {
    uint64_t words[3] = {KIND_OF_NUMBER(type), slot, 0};
    memcpy(element, words, stride);
}

CN_INLINE void numbers_from_slots(void *data, size_t stride, const valtype *types, uint32_t count,
                                  const uint64_t *slots) {
    for (uint32_t i = 0; i < count; i++)
        /* The call has filled them. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
        set_number((uint8_t *)data + i * stride, stride, types[i], slots[i]);
}

CN_INLINE void numbers_zero(void *data, size_t stride, const valtype *types, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        set_number((uint8_t *)data + i * stride, stride, types[i], 0);
}

/* Copies values of the raw interface and clears the upper halves that it leaves open in an i32 or f32;
 * bits as in struct functype. */
CN_INLINE void copy_narrow(uint64_t *to, const uint64_t *from, uint32_t count, uint32_t bits,
                           const valtype *types) {
    for (uint32_t i = 0; i < count; i++, bits >>= 1) {
        if (bits & 1) {
            uint32_t low;
            memcpy(&low, &from[i], sizeof low);
            to[i] = low;
        } else {
            to[i] = from[i];
        }
    }
    if (unlikely(count > 32))
        cn_slots_narrow(to, count, types);
}

/* Of few slots: memcpy would take longer to begin than this to end. */
CN_INLINE void copy_slots(uint64_t *to, const uint64_t *from, uint32_t count) {
    if (count > 0)
        to[0] = from[0];
    if (count > 1)
        memcpy(to + 1, from + 1, (count - 1) * sizeof *to);
}

#endif
