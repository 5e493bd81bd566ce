/*
 * Loads and stores of guarded linear memory: plain machine instructions that may fault.
 *
 * When one does, the signal handler must know where the bytecode was. So each access is written in
 * assembly that takes the bytecode's pc and frame pointer as inputs in fixed registers, where the
 * handler finds them (CN_FAULT_PC, CN_FAULT_FP in the platform file). With preserve_none these are
 * the registers that the two live in anyway, so nothing is moved.
 *
 * A processor without such a description has CN_HAS_GUARD 0 and uses explicit checks.
 */
#ifndef CN_BASE_ACCESS_H
#define CN_BASE_ACCESS_H

#include <stdint.h>
#include <string.h>

typedef uint8_t cn_v128 __attribute__((vector_size(16), aligned(1)));

#if defined(__x86_64__) && defined(__linux__) && !defined(CATNAP_NO_GUARD)
#define CN_HAS_GUARD 1

#define CN_PIN(pc, fp)                                                                             \
    register const void *pin_pc __asm__("r12") = (pc);                                             \
    register const void *pin_fp __asm__("r13") = (fp)

/* In scope: pc, fp. Each loads through `address` into the lvalue `to`. */
#define CN_GUARDED_LOAD(instruction, constraint, to, type, address)                                \
    do {                                                                                           \
        CN_PIN(pc, fp);                                                                            \
        __asm__ volatile(instruction " %1, %0"                                                     \
                         : constraint(to)                                                          \
                         : "m"(*(const type *)(address)), "r"(pin_pc), "r"(pin_fp));               \
    } while (0)
#define CN_GUARDED_STORE(instruction, constraint, type, address, value)                            \
    do {                                                                                           \
        CN_PIN(pc, fp);                                                                            \
        __asm__ volatile(instruction                                                               \
                         : "=m"(*(type *)(address))                                                \
                         : constraint(value), "r"(pin_pc), "r"(pin_fp));                           \
    } while (0)

#define CN_LOAD_u8(to, address) CN_GUARDED_LOAD("movzbl", "=r", to, uint8_t, address)
#define CN_LOAD_u16(to, address) CN_GUARDED_LOAD("movzwl", "=r", to, uint16_t, address)
#define CN_LOAD_u32(to, address) CN_GUARDED_LOAD("movl", "=r", to, uint32_t, address)
#define CN_LOAD_u64(to, address) CN_GUARDED_LOAD("movq", "=r", to, uint64_t, address)
#define CN_LOAD_s8_32(to, address) CN_GUARDED_LOAD("movsbl", "=r", to, uint8_t, address)
#define CN_LOAD_s16_32(to, address) CN_GUARDED_LOAD("movswl", "=r", to, uint16_t, address)
#define CN_LOAD_s8_64(to, address) CN_GUARDED_LOAD("movsbq", "=r", to, uint8_t, address)
#define CN_LOAD_s16_64(to, address) CN_GUARDED_LOAD("movswq", "=r", to, uint16_t, address)
#define CN_LOAD_s32_64(to, address) CN_GUARDED_LOAD("movslq", "=r", to, uint32_t, address)
#define CN_LOAD_f32(to, address) CN_GUARDED_LOAD("movss", "=x", to, float, address)
#define CN_LOAD_f64(to, address) CN_GUARDED_LOAD("movsd", "=x", to, double, address)
/* Into the lowest lane of a vector, with zeros above. */
#define CN_LOAD_v128(to, address) CN_GUARDED_LOAD("movups", "=x", to, cn_v128, address)
#define CN_LOAD_v64(to, address) CN_GUARDED_LOAD("movsd", "=x", to, uint64_t, address)
#define CN_LOAD_v32(to, address) CN_GUARDED_LOAD("movss", "=x", to, uint32_t, address)
#define CN_LOAD_v16(to, address) CN_LANE_LOAD(CN_LOAD_u16, to, address)
#define CN_LOAD_v8(to, address) CN_LANE_LOAD(CN_LOAD_u8, to, address)
#define CN_LANE_LOAD(load, to, address)                                                            \
    do {                                                                                           \
        uint32_t lane_;                                                                            \
        load(lane_, address);                                                                      \
        (to) = (cn_v128){(uint8_t)lane_, (uint8_t)(lane_ >> 8)};                                   \
    } while (0)

#define CN_STORE_u8(address, value)                                                                \
    CN_GUARDED_STORE("movb %b1, %0", "q", uint8_t, address, (uint32_t)(value))
#define CN_STORE_u16(address, value)                                                               \
    CN_GUARDED_STORE("movw %w1, %0", "r", uint16_t, address, (uint32_t)(value))
#define CN_STORE_u32(address, value)                                                               \
    CN_GUARDED_STORE("movl %k1, %0", "r", uint32_t, address, (uint32_t)(value))
#define CN_STORE_u64(address, value)                                                               \
    CN_GUARDED_STORE("movq %1, %0", "r", uint64_t, address, (uint64_t)(value))
#define CN_STORE_f32(address, value)                                                               \
    CN_GUARDED_STORE("movss %1, %0", "x", float, address, (float)(value))
#define CN_STORE_f64(address, value)                                                               \
    CN_GUARDED_STORE("movsd %1, %0", "x", double, address, (double)(value))
#define CN_STORE_v128(address, value)                                                              \
    CN_GUARDED_STORE("movups %1, %0", "x", cn_v128, address, value)
#else
#define CN_HAS_GUARD 0
#endif

/* Copies between a slot and linear memory, or within linear memory. Guests in several threads may race there, which
 * WebAssembly allows: a build with the thread sanitizer copies out of its sight. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CN_GUESTS_RACE 1
#endif
#endif
#ifdef CN_GUESTS_RACE
__attribute__((noinline, no_sanitize("thread"))) static inline void
cn_guest_copy(void *to, const void *from, size_t size) {
    volatile uint8_t *out = to;
    const volatile uint8_t *in = from;
    while (size-- > 0)
        *out++ = *in++;
}
#else
#define cn_guest_copy memcpy
#endif

/* The same, unguarded, for an address that was checked. */
#define CN_PLAIN_LOAD(to, type, result, address)                                                   \
    do {                                                                                           \
        type loaded_;                                                                              \
        cn_guest_copy(&loaded_, (address), sizeof loaded_);                                        \
        (to) = (result)loaded_;                                                                    \
    } while (0)
#define CN_PLAIN_STORE(type, address, value)                                                       \
    do {                                                                                           \
        type stored_ = (type)(value);                                                              \
        cn_guest_copy((address), &stored_, sizeof stored_);                                        \
    } while (0)

#define CN_PLAIN_LOAD_u8(to, address) CN_PLAIN_LOAD(to, uint8_t, uint32_t, address)
#define CN_PLAIN_LOAD_u16(to, address) CN_PLAIN_LOAD(to, uint16_t, uint32_t, address)
#define CN_PLAIN_LOAD_u32(to, address) CN_PLAIN_LOAD(to, uint32_t, uint32_t, address)
#define CN_PLAIN_LOAD_u64(to, address) CN_PLAIN_LOAD(to, uint64_t, uint64_t, address)
#define CN_PLAIN_LOAD_s8_32(to, address) CN_PLAIN_LOAD(to, int8_t, uint32_t, address)
#define CN_PLAIN_LOAD_s16_32(to, address) CN_PLAIN_LOAD(to, int16_t, uint32_t, address)
#define CN_PLAIN_LOAD_s8_64(to, address) CN_PLAIN_LOAD(to, int8_t, uint64_t, address)
#define CN_PLAIN_LOAD_s16_64(to, address) CN_PLAIN_LOAD(to, int16_t, uint64_t, address)
#define CN_PLAIN_LOAD_s32_64(to, address) CN_PLAIN_LOAD(to, int32_t, uint64_t, address)
#define CN_PLAIN_LOAD_f32(to, address) CN_PLAIN_LOAD(to, float, float, address)
#define CN_PLAIN_LOAD_f64(to, address) CN_PLAIN_LOAD(to, double, double, address)
#define CN_PLAIN_LOAD_v128(to, address) CN_PLAIN_LANE_LOAD(16, to, address)
#define CN_PLAIN_LOAD_v64(to, address) CN_PLAIN_LANE_LOAD(8, to, address)
#define CN_PLAIN_LOAD_v32(to, address) CN_PLAIN_LANE_LOAD(4, to, address)
#define CN_PLAIN_LOAD_v16(to, address) CN_PLAIN_LANE_LOAD(2, to, address)
#define CN_PLAIN_LOAD_v8(to, address) CN_PLAIN_LANE_LOAD(1, to, address)
#define CN_PLAIN_LANE_LOAD(width, to, address)                                                     \
    do {                                                                                           \
        cn_v128 loaded_ = {0};                                                                     \
        cn_guest_copy(&loaded_, (address), (width));                                               \
        (to) = loaded_;                                                                            \
    } while (0)
#define CN_PLAIN_STORE_u8(address, value) CN_PLAIN_STORE(uint8_t, address, value)
#define CN_PLAIN_STORE_u16(address, value) CN_PLAIN_STORE(uint16_t, address, value)
#define CN_PLAIN_STORE_u32(address, value) CN_PLAIN_STORE(uint32_t, address, value)
#define CN_PLAIN_STORE_u64(address, value) CN_PLAIN_STORE(uint64_t, address, value)
#define CN_PLAIN_STORE_f32(address, value) CN_PLAIN_STORE(float, address, value)
#define CN_PLAIN_STORE_f64(address, value) CN_PLAIN_STORE(double, address, value)
#define CN_PLAIN_STORE_v128(address, value) CN_PLAIN_STORE(cn_v128, address, value)

#endif
