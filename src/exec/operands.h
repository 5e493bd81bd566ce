/*
 * How generated handlers reach their operands (generated/bytecode/handlers.inc): macros, since the machine's
 * state is in variables of the handler. A handler reads all operands before it writes its result, because
 * slots may coincide.
 */
#ifndef CN_EXEC_OPERANDS_H
#define CN_EXEC_OPERANDS_H

typedef double vacc64 __attribute__((vector_size(16)));

#define Y (pc[3])
/* The two halves of cell 2: each names a slot in its low 16 bits, or is a constant. */
#define HALF_SLOT(half) fp[((const int16_t *)(pc + 2))[2 * (half)]]
#define HALF_CONST(half) (((const uint32_t *)(pc + 2))[half])

/* Accumulators: integers in acc; a float in the lowest lane of facc, of which the upper ones may hold
 * anything; a vector in the whole of facc. */
#define ACC_F32 (facc[0])
#define ACC_F64 (((vacc64)facc)[0])

/* A result of type R goes to the slot in o0, to an accumulator, or to a pin and its slot. An i32 is
 * zero-extended, an f32 has zeroes above it. */
#define BITS_I32(v) ((uint64_t)(uint32_t)(v))
#define BITS_I64(v) ((uint64_t)(v))
#define BITS_F32(v) ((uint64_t)bits_of_f32(v))
#define BITS_F64(v) bits_of_f64(v)
#define PUT_s(R, v) TO_SLOT_##R(v)
#define TO_SLOT_I32(v) (SLOT(0) = BITS_I32(v))
#define TO_SLOT_I64(v) (SLOT(0) = BITS_I64(v))
#define TO_SLOT_F32(v) (SLOT(0) = BITS_F32(v))
#define TO_SLOT_F64(v) (SLOT(0) = BITS_F64(v))
#define PUT_a(R, v) TO_ACC_##R(v)
#define TO_ACC_I32(v) (acc = (uint32_t)(v))
#define TO_ACC_I64(v) (acc = (v))
#define TO_ACC_F32(v)                                                                              \
    do {                                                                                           \
        vacc one_ = {(v)};                                                                         \
        facc = __builtin_shufflevector(one_, one_, 0, -1, -1, -1);                                 \
    } while (0)
#define TO_ACC_F64(v)                                                                              \
    do {                                                                                           \
        vacc64 one_ = {(v)};                                                                       \
        facc = (vacc)__builtin_shufflevector(one_, one_, 0, -1);                                   \
    } while (0)

#define PUT_p(R, v)                                                                                \
    do {                                                                                           \
        p = BITS_##R(v);                                                                           \
        fp[FRAME_PIN_P] = p;                                                                       \
    } while (0)
#define PUT_q(R, v)                                                                                \
    do {                                                                                           \
        q = BITS_##R(v);                                                                           \
        fp[FRAME_PIN_Q] = q;                                                                       \
    } while (0)

#define CHECK_ZERO                                                                                 \
    if (unlikely(b == 0))                                                                          \
        TRAP(CATNAP_TRAP_INTEGER_DIVIDE_BY_ZERO);
#define CHECK_DIV_S32                                                                              \
    CHECK_ZERO                                                                                     \
    if (unlikely(a == UINT32_C(0x80000000) && b == UINT32_MAX))                                    \
        TRAP(CATNAP_TRAP_INTEGER_OVERFLOW);
#define CHECK_DIV_S64                                                                              \
    CHECK_ZERO                                                                                     \
    if (unlikely(a == UINT64_C(1) << 63 && b == UINT64_MAX))                                       \
        TRAP(CATNAP_TRAP_INTEGER_OVERFLOW);
#define CHECK_TRUNC(fits)                                                                          \
    if (unlikely(!fits(a)))                                                                        \
        TRAP(a != a ? CATNAP_TRAP_INVALID_CONVERSION_TO_INTEGER : CATNAP_TRAP_INTEGER_OVERFLOW);

/* A branch is taken when the condition holds. One after a step is nearly always a loop's. */
#define BRANCH_WHEN(condition, cells)                                                              \
    do {                                                                                           \
        if (condition)                                                                             \
            BRANCH();                                                                              \
        NEXT(cells);                                                                               \
    } while (0)
#define STEP_BRANCH_WHEN(condition, cells)                                                         \
    do {                                                                                           \
        if (condition)                                                                             \
            BRANCH_BACK(W);                                                                        \
        NEXT(cells);                                                                               \
    } while (0)

/* ---- linear memory: address and offset have 32 bits each, so their sum does not wrap ---- */

#define WIDTH_u8 1
#define WIDTH_u16 2
#define WIDTH_u32 4
#define WIDTH_u64 8
#define WIDTH_s8_32 1
#define WIDTH_s16_32 2
#define WIDTH_s8_64 1
#define WIDTH_s16_64 2
#define WIDTH_s32_64 4
#define WIDTH_f32 4
#define WIDTH_f64 8

#define WIDTH_v128 16
#define WIDTH_v64 8
#define WIDTH_v32 4
#define WIDTH_v16 2
#define WIDTH_v8 1

/* Out of bounds at this address, before the instruction has done anything: memory_fault traps, or begins the
 * instruction again when another thread has let the memory grow. */
#define MEMORY_TRAP(address, size)                                                                 \
    do {                                                                                           \
        vm->trap_operand[0] = (address);                                                           \
        vm->trap_operand[1] = (size);                                                              \
        GO(memory_fault);                                                                          \
    } while (0)
#define CHECK_ACCESS(address, width)                                                               \
    do {                                                                                           \
        if (unlikely((address) + (width) > inst->memories[0]->extent))                             \
            MEMORY_TRAP(address, inst->memories[0]->extent);                                       \
    } while (0)

/* READ_g, WRITE_g: an access out of bounds faults. READ_e, WRITE_e check first. */
#define READ_g(access, to, address)                                                                \
    do {                                                                                           \
        CN_LOAD_##access(to, mem + (address));                                                     \
    } while (0)
#define READ_e(access, to, address)                                                                \
    do {                                                                                           \
        CHECK_ACCESS(address, WIDTH_##access);                                                     \
        CN_PLAIN_LOAD_##access(to, mem + (address));                                               \
    } while (0)
#define WRITE_g(access, address, value) CN_STORE_##access(mem + (address), value)
#define WRITE_e(access, address, value)                                                            \
    do {                                                                                           \
        CHECK_ACCESS(address, WIDTH_##access);                                                     \
        CN_PLAIN_STORE_##access(mem + (address), value);                                           \
    } while (0)

/* Declares `address`, of 64 bits, for READ_w and WRITE_w. With an offset of 32 bits an address within the most that a
 * memory can have stays within the reservation. */
#define WIDE_ADDRESS(value)                                                                        \
    uint64_t address = (value);                                                                    \
    if (unlikely(address >> WIDE_ADDRESS_BITS)) {                                                  \
        vm->trap_operand[0] = address;                                                             \
        GO(wide_trap);                                                                             \
    }                                                                                              \
    address += UW
#define READ_w READ_g
#define WRITE_w WRITE_g

/* READ_m, WRITE_m: the same of memory o3 at address + x, both of 64 bits; an address of 32 bits is zero-extended. No
 * size is near 2^63, and the translator writes no greater offset, so that the sum does not wrap. */
#define CHECK_NUMBERED(memory, address, width)                                                     \
    do {                                                                                           \
        uint64_t size_ = (memory)->extent;                                                         \
        if (unlikely((address) > size_ || (address) + X + (width) > size_)) {                      \
            vm->trap_operand[0] = (address);                                                       \
            GO(numbered_trap);                                                                     \
        }                                                                                          \
    } while (0)
#define READ_m(access, to, address)                                                                \
    do {                                                                                           \
        const struct wasm_memory_t *memory_ = inst->memories[O(3)];                                \
        CHECK_NUMBERED(memory_, address, WIDTH_##access);                                          \
        CN_PLAIN_LOAD_##access(to, memory_->base + (address) + X);                                 \
    } while (0)
#define WRITE_m(access, address, value)                                                            \
    do {                                                                                           \
        const struct wasm_memory_t *memory_ = inst->memories[O(3)];                                \
        CHECK_NUMBERED(memory_, address, WIDTH_##access);                                          \
        CN_PLAIN_STORE_##access(memory_->base + (address) + X, value);                             \
    } while (0)

/* ---- vectors, which take two slots ---- */

#define GET_V_s(field)                                                                             \
    __extension__({                                                                                \
        u8x16 vector_;                                                                             \
        memcpy(&vector_, fp + O(field), sizeof vector_);                                           \
        vector_;                                                                                   \
    })
#define GET_V_a() ((u8x16)facc)
#define PUT_V_s(value)                                                                             \
    do {                                                                                           \
        __auto_type result_ = (value);                                                             \
        _Static_assert(sizeof result_ == 16, "not a vector");                                      \
        memcpy(fp + O(0), &result_, sizeof result_);                                               \
    } while (0)
#define PUT_V_a(value) (facc = (vacc)(value))

/* The count of a shift in each lane, modulo the lane's width. */
#define SHIFT_COUNT(T, vector, count)                                                              \
    ((T){0} + (__typeof__((vector)[0]))((count) & (sizeof(vector)[0] * 8 - 1)))
/* A lane is read from the slot itself. */
#define GET_LANE(field, T, lane)                                                                   \
    __extension__({                                                                                \
        T lane_;                                                                                   \
        memcpy(&lane_, (const char *)(fp + O(field)) + (size_t)(lane) * sizeof lane_,              \
               sizeof lane_);                                                                      \
        lane_;                                                                                     \
    })
/* A lane of a vector from memory, or to memory: with an explicit check, as these are rare. */
#define LOAD_LANE(T)                                                                               \
    do {                                                                                           \
        uint64_t address = (uint64_t)(uint32_t)SLOT(1) + UW;                                       \
        T vector_;                                                                                 \
        __typeof__(vector_[0]) lane_;                                                              \
        CHECK_ACCESS(address, sizeof lane_);                                                       \
        memcpy(&vector_, fp + (int16_t)(uint16_t)X, sizeof vector_);                               \
        memcpy(&lane_, mem + address, sizeof lane_);                                               \
        PUT_V_s(replace_##T(vector_, lane_, (uint16_t)(X >> 16)));                                 \
    } while (0)
#define STORE_LANE(T)                                                                              \
    do {                                                                                           \
        uint64_t address = (uint64_t)(uint32_t)SLOT(1) + UW;                                       \
        T lane_ = GET_LANE(0, T, X);                                                               \
        CHECK_ACCESS(address, sizeof lane_);                                                       \
        memcpy(mem + address, &lane_, sizeof lane_);                                               \
    } while (0)

/* ---- objects of the heap (heap/heap.h): a reference is a handle of 32 bits ---- */

#define CHECK_REFERENCE                                                                            \
    if (unlikely(a == 0))                                                                          \
        TRAP(CATNAP_TRAP_NULL_REFERENCE);
#define IS_OF(a, b) cn_gc_is_of(inst, vm->heap, a, b)
#define CHECK_CAST                                                                                 \
    if (unlikely(!IS_OF(a, b)))                                                                    \
        TRAP(CATNAP_TRAP_CAST_FAILURE);

/* `object`: where the object with this handle lies, which may be null. */
#define OBJECT(object, handle)                                                                     \
    uint32_t object##_handle = (handle);                                                           \
    if (unlikely(object##_handle == 0))                                                            \
        TRAP(CATNAP_TRAP_NULL_REFERENCE);                                                          \
    uint8_t *object = vm->heap->base + heap_offset(object##_handle)
/* The place of an element of an array, which has 1 << log2 bytes. */
#define ELEMENT(place, array, index_, log2)                                                        \
    uint32_t index = (index_), length;                                                             \
    memcpy(&length, array + HEAP_LENGTH_OFFSET, sizeof length);                                    \
    if (unlikely(index >= length)) {                                                               \
        vm->trap_operand[0] = index;                                                               \
        TRAP(CATNAP_TRAP_ARRAY_OUT_OF_BOUNDS);                                                     \
    }                                                                                              \
    uint8_t *place = array + HEAP_ELEMENTS_OFFSET + ((uint64_t)index << (log2))
#define LOG2_u8 0
#define LOG2_s8_32 0
#define LOG2_u16 1
#define LOG2_s16_32 1
#define LOG2_u32 2
#define LOG2_f32 2
#define LOG2_any 2
#define LOG2_side64 2
#define LOG2_u64 3
#define LOG2_f64 3

#define OBJECT_READ_u8 CN_PLAIN_LOAD_u8
#define OBJECT_READ_s8_32 CN_PLAIN_LOAD_s8_32
#define OBJECT_READ_u16 CN_PLAIN_LOAD_u16
#define OBJECT_READ_s16_32 CN_PLAIN_LOAD_s16_32
#define OBJECT_READ_u32 CN_PLAIN_LOAD_u32
#define OBJECT_READ_u64 CN_PLAIN_LOAD_u64
#define OBJECT_READ_f32 CN_PLAIN_LOAD_f32
#define OBJECT_READ_f64 CN_PLAIN_LOAD_f64
#define OBJECT_READ_side64(to, place)                                                              \
    do {                                                                                           \
        uint32_t number;                                                                           \
        memcpy(&number, place, sizeof number);                                                     \
        to = heap_side_slot(vm->heap, number);                                                     \
    } while (0)
#define OBJECT_WRITE_u8 CN_PLAIN_STORE_u8
#define OBJECT_WRITE_u16 CN_PLAIN_STORE_u16
#define OBJECT_WRITE_u32 CN_PLAIN_STORE_u32
#define OBJECT_WRITE_u64 CN_PLAIN_STORE_u64
#define OBJECT_WRITE_f32 CN_PLAIN_STORE_f32
#define OBJECT_WRITE_f64 CN_PLAIN_STORE_f64
/* References: what is overwritten is noted while the collector marks. */
#define OBJECT_WRITE_any(place, value)                                                             \
    do {                                                                                           \
        uint32_t old;                                                                              \
        memcpy(&old, place, sizeof old);                                                           \
        cn_heap_overwrite(vm->heap, old, false);                                                   \
        memcpy(place, &(value), sizeof old);                                                       \
    } while (0)
#define OBJECT_WRITE_side64(place, value)                                                          \
    do {                                                                                           \
        uint32_t old, new;                                                                         \
        if (unlikely(!cn_heap_side_number(vm->heap, (value), &new)))                               \
            TRAP(CATNAP_TRAP_NO_MEMORY);                                                           \
        memcpy(&old, place, sizeof old);                                                           \
        cn_heap_overwrite(vm->heap, old, true);                                                    \
        memcpy(place, &new, sizeof new);                                                           \
    } while (0)

#endif
