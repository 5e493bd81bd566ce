/*
 * How handlers are written and how one leads to the next. Chosen here and nowhere else:
 *
 *  tail  (clang 19 and newer on x86-64 and AArch64) Each handler is a function that ends in a
 *        guaranteed tail call, in a calling convention without callee-saved registers: the machine
 *        state lives in registers throughout, and each handler has its own indirect jump.
 *  goto  (any GNU C) The same source becomes one function with a label for each handler.
 *
 * Neither grows the C stack by the number of instructions executed, at any level of optimisation.
 *
 * State, in scope in every handler:
 *   pc    the instruction under way          fp    the frame (enum frame_header at its start)
 *   mem   base of the instance's memory 0    inst  the frame's instance
 *   vm    the machine                        acc, facc  accumulators: integers; floats in lane 0
 *   p, q  copies of the slots FRAME_PIN_P and FRAME_PIN_Q
 *   lp    where the latest branch back went: BRANCH()
 */
#ifndef CN_EXEC_DISPATCH_H
#define CN_EXEC_DISPATCH_H

#include <stdint.h>

#include "base/likely.h"
#include "bytecode/form.h"

struct machine;
struct wasm_instance_t;

typedef float vacc __attribute__((vector_size(16)));

#if CN_DISPATCH_TAIL

/* Those that leave do not use them all. */
#define MAYBE __attribute__((unused))
#define HANDLER_PARAMS                                                                             \
    const uint64_t *pc, uint64_t *fp, MAYBE uint8_t *mem, MAYBE struct wasm_instance_t *inst,      \
        struct machine *vm, MAYBE uint64_t acc, MAYBE uint64_t p, MAYBE uint64_t q,                \
        MAYBE const uint64_t *lp, MAYBE vacc facc
#define HANDLER_ARGS pc, fp, mem, inst, vm, acc, p, q, lp, facc
typedef __attribute__((preserve_none)) void (*handler)(HANDLER_PARAMS);

#define HANDLER(name)                                                                              \
    static __attribute__((preserve_none, section("cn_handler_code"))) void h_##name(HANDLER_PARAMS)
#define DECLARE_HANDLER(name) HANDLER(name);
#define GO_TO_HANDLER(address)                                                                     \
    __attribute__((musttail)) return ((handler)(uintptr_t)(address))(HANDLER_ARGS)
#define GO(name) __attribute__((musttail)) return h_##name(HANDLER_ARGS)
#define HANDLER_ADDRESS(name) h_##name
#define STOP() return

#else

#define HANDLER(name) h_##name:
#define DECLARE_HANDLER(name)
#define GO_TO_HANDLER(address) goto *(void *)(uintptr_t)(address)
#define GO(name) goto h_##name
#define HANDLER_ADDRESS(name) &&h_##name
#define STOP() return NULL
#endif

#define DISPATCH() GO_TO_HANDLER(*pc)

/* Both arms of a branch must stay branches: picking the next pc by conditional move would put it on
 * the data path, where nothing predicts it. */
#define KEEP_BRANCH() __asm__ volatile("" : "+r"(pc))

#define NEXT(cells)                                                                                \
    do {                                                                                           \
        pc += (cells);                                                                             \
        DISPATCH();                                                                                \
    } while (0)

/* Takes a branch, whose displacement is in bytes and from the instruction itself. The next pc is then a
 * load and an addition away, and in a short loop that chain would be what a turn costs. A branch back
 * therefore compares the sum with the target of the latest one, in lp, and goes there when they are the
 * same: the comparison is foreseen like any branch, and the processor need not wait for the load. */
#define FROM_HERE(bytes) ((const uint64_t *)(const void *)((const char *)pc + (bytes)))
#if CN_DISPATCH_TAIL
#define BRANCH()                                                                                   \
    do {                                                                                           \
        int64_t by = W;                                                                            \
        if (by > 0) {                                                                              \
            pc = FROM_HERE(by);                                                                    \
            KEEP_BRANCH();                                                                         \
            DISPATCH();                                                                            \
        }                                                                                          \
        BRANCH_BACK(by);                                                                           \
    } while (0)
/* For branches that nearly always go back; right for all. The compiler must not see that `latest` is
 * what pc is known to be. */
#define BRANCH_BACK(by)                                                                            \
    do {                                                                                           \
        const uint64_t *latest = lp;                                                               \
        __asm__ volatile("" : "+r"(latest));                                                       \
        pc = FROM_HERE(by);                                                                        \
        if (likely(pc == lp)) {                                                                    \
            pc = latest;                                                                           \
            DISPATCH();                                                                            \
        }                                                                                          \
        KEEP_BRANCH();                                                                             \
        lp = pc;                                                                                   \
        DISPATCH();                                                                                \
    } while (0)
#else
#define BRANCH_BACK(by)                                                                            \
    do {                                                                                           \
        KEEP_BRANCH();                                                                             \
        pc = FROM_HERE(by);                                                                        \
        DISPATCH();                                                                                \
    } while (0)
#define BRANCH() BRANCH_BACK(W)
#endif

/* Back to C, with the place recorded; STOP() alone where it is already. */
#define LEAVE(why)                                                                                 \
    do {                                                                                           \
        vm->pc = pc;                                                                               \
        vm->fp = fp;                                                                               \
        vm->event = (why);                                                                         \
        STOP();                                                                                    \
    } while (0)
#define TRAP(code)                                                                                 \
    do {                                                                                           \
        vm->trap_code = (code);                                                                    \
        LEAVE(EVENT_TRAP);                                                                         \
    } while (0)

/* Fields of the instruction: each a load of its own, which costs less than taking one load apart. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the fields of an instruction are laid out for little-endian processors"
#endif
#define O(field) (((const int16_t *)(pc + 1))[field])
#define W (((const int32_t *)(pc + 1))[1])
#define UW (((const uint32_t *)(pc + 1))[1])
#define X (pc[2])
#define SLOT(field) fp[O(field)]

#endif
