/* The bytecode table as C: enumerators, variant arithmetic, and a row of facts for each. */
#ifndef CN_EXEC_BYTECODE_H
#define CN_EXEC_BYTECODE_H

#include <stdint.h>

/* Slots at the frame pointer that a call fills: see docs/architecture.md, frames. */
enum frame_header {
    FRAME_RETURN_PC, /* where the caller goes on; the exit or switch_back cell for calls across */
    FRAME_CALLER,    /* the caller's frame pointer, or the entry record of a call from the host */
    FRAME_CODE,      /* struct code of this frame */
    FRAME_INSTANCE,
    FRAME_RESUME,    /* while it calls another instance: where this frame goes on */
    FRAME_HEADER_SLOTS
};
/* An entry record lies below the first frame's parameters. */
enum entry_record { ENTRY_PREVIOUS_PC, ENTRY_PREVIOUS_FP, ENTRY_RECORD_SLOTS };

/* Where operands come from, in the order of the variants. */
enum { SRC_SS, SRC_SK, SRC_KS, SRC_AS, SRC_SA, SRC_AK, SRC_KA, SRC_COUNT };
enum { STORE_SS, STORE_AS, STORE_KS, STORE_SA, STORE_KA, STORE_COUNT }; /* value, address */
enum { DST_S, DST_A };

/* All variants of a family: X(family, destination, sources). */
#define BIN_VARIANTS_OF(X, name, d)                                                                \
    X(name, d, ss) X(name, d, sk) X(name, d, ks) X(name, d, as) X(name, d, sa) X(name, d, ak)       \
    X(name, d, ka)
#define BC_ENUM_(name, d, src) BC_##name##_##d##_##src,

enum bytecode {
    BC_NONE,
#define BIN(name, R, T, order, ...)                                                                \
    BC_##name, BC_##name##_s_ss = BC_##name, BC_##name##_s_sk, BC_##name##_s_ks,                    \
               BC_##name##_s_as, BC_##name##_s_sa, BC_##name##_s_ak, BC_##name##_s_ka,              \
               BIN_VARIANTS_OF(BC_ENUM_, name, a)
#define BINT(name, R, T, check, ...) BIN(name, R, T, ORDERED, 0)
#define UN(name, R, T, ...)                                                                        \
    BC_##name, BC_##name##_s_s = BC_##name, BC_##name##_s_a, BC_##name##_a_s, BC_##name##_a_a,
#define UNT(name, R, T, check, ...) UN(name, R, T, 0)
#define CMP(name, T, order, ...)                                                                   \
    BC_##name, BC_##name##_ss = BC_##name, BC_##name##_sk, BC_##name##_ks, BC_##name##_as,          \
               BC_##name##_sa, BC_##name##_ak, BC_##name##_ka,
#define LOAD(name, R, access)                                                                      \
    BC_##name, BC_##name##_g_s_s = BC_##name, BC_##name##_g_s_a, BC_##name##_g_a_s,                 \
               BC_##name##_g_a_a, BC_##name##_e_s_s, BC_##name##_e_s_a, BC_##name##_e_a_s,          \
               BC_##name##_e_a_a,
#define STORE(name, T, access)                                                                     \
    BC_##name, BC_##name##_g_ss = BC_##name, BC_##name##_g_as, BC_##name##_g_ks,                    \
               BC_##name##_g_sa, BC_##name##_g_ka, BC_##name##_e_ss, BC_##name##_e_as,              \
               BC_##name##_e_ks, BC_##name##_e_sa, BC_##name##_e_ka,
#define OP(name, format) BC_##name,
#include "exec/bytecode.def"
#undef BIN
#undef BINT
#undef UN
#undef UNT
#undef CMP
#undef LOAD
#undef STORE
#undef OP
    BC_COUNT
};

struct bytecode_info {
    const char *name;
    const char *format; /* see bytecode.def */
};
extern const struct bytecode_info cn_bytecode_info[BC_COUNT];

/* Cells of an instruction; `code` points at its first. */
uint32_t cn_bytecode_length(enum bytecode, const uint64_t *code);

/* The handler addresses, indexed by enum bytecode; 0 where a variant is not built. */
const uint64_t *cn_handlers(void);

/* Fields. */
static inline int16_t bc_o(const uint64_t *pc, unsigned field) {
    return (int16_t)(uint16_t)(pc[1] >> (16 * field));
}
static inline int32_t bc_w(const uint64_t *pc) { return (int32_t)(uint32_t)(pc[1] >> 32); }

#endif
