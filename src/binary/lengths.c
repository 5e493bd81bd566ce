/* Lengths of instructions, as many at a time as the processor's vectors hold. */
#include "binary/lengths.h"

#include <string.h>

#include "binary/opcodes.h"

/* Instructions of one byte that only compute have consecutive codes: those from i32.eqz on. */
enum {
    LAST_PLAIN = OP_i32_eqz - 1
#define OP(code, id, name, immediates, flags, feature, result, ...)                                \
    +(IMM_##immediates == IMM_NONE && OPT_##result != OPT_SPECIAL)
#define OP_FB(...)
#define OP_FC(...)
#define OP_FD(...)
#define OP_FE(...)
#include "binary/opcodes.def"
};

#define JOIN(a, b) JOIN_(a, b)
#define JOIN_(a, b) a##b

#define WIDTH 16
#define WITH
#include "binary/lengths.inc"

/* Wider forms, chosen by the processor; the small form goes without them, and without the compiler's table of
 * what processors can do, which takes 5 KB. */
#if defined(__x86_64__) && !defined(CATNAP_SMALL)
#define WIDER_FORMS 1
#else
#define WIDER_FORMS 0
#endif

#if WIDER_FORMS
#define WIDTH 32
#define WITH __attribute__((target("avx2")))
#include "binary/lengths.inc"
#define WIDTH 64
#define WITH __attribute__((target("avx512bw")))
#include "binary/lengths.inc"
#endif

find_lengths cn_find_lengths(void) {
#if WIDER_FORMS
    if (__builtin_cpu_supports("avx512bw"))
        return lengths64;
    if (__builtin_cpu_supports("avx2"))
        return lengths32;
#endif
    return lengths16;
}
